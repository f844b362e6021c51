/* sort.h - numbers in rising order, in a time that only depends on how many there are. */
#ifndef SORT_H
#define SORT_H

#include <stddef.h>

/* values: no NaN among them; -0 comes before 0. scratch: room for as many, overwritten. */
void sort_floats(float *values, size_t n, float *scratch);

#endif
