/* codes.h - the coded concepts holmia writes: value, scheme, meaning, unit. Owned by the results' author. */
#ifndef CODES_H
#define CODES_H
#endif
