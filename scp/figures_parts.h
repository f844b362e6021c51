/* figures_parts.h - what the files of the figures share; not for other rooms. */
#ifndef FIGURES_PARTS_H
#define FIGURES_PARTS_H

#include "figures.h"

/* "Healthy liver", "Healthy PART". */
void figures_healthy_name(char name[300], const struct figures_input *input,
			  const struct dosimetry_healthy *healthy);

#endif
