/* figures_parts.h - what the files of the figures share; not for other rooms. */
#ifndef FIGURES_PARTS_H
#define FIGURES_PARTS_H

#include "figures.h"
#include "json.h"

/* width columns, a dash for what was not measured */
void figures_put(FILE *file, int width, int decimals, double value);

/* "Healthy liver", "Healthy PART". */
void figures_healthy_name(char name[300], const struct figures_input *input,
			  const struct dosimetry_healthy *healthy);

/* The SPECT or PET beside it; JSON null, and nothing in the table, without one. */
void figures_emission_json(struct json *json, const struct figures_input *input);
void figures_emission_table(FILE *file, const struct figures_input *input);

#endif
