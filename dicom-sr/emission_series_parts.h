/* emission_series_parts.h - private to emission_series*.c.
 *
 *   emission_series.c        what PET and NM share, and the order of things
 *   emission_series_pet.c    one image per slice, in BQML
 *   emission_series_nm.c     one multi-frame image, in counts */
#ifndef EMISSION_SERIES_PARTS_H
#define EMISSION_SERIES_PARTS_H

#include "emission_series.h"
#include "instance_info.h"

#define EMISSION_PET_STORAGE "1.2.840.10008.5.1.4.1.1.128"
#define EMISSION_NM_STORAGE  "1.2.840.10008.5.1.4.1.1.20"

/* What one image says of its activity, apart from its pixels. */
struct emission_image {
	struct instance_info info;
	char series_datetime[33]; /* "" unknown */
	char units[17], decay_correction[17], corrections[260];
	char isotope[65], code_value[17], code_scheme[17], administration[33];
	double half_life_h, injected_mbq, decay_factor;
	int slices_expected;
};

/* Seconds of a DICOM date and time, for differences only; NaN when there is none. */
double emission_datetime_s(const char *datetime);

/* Image -> what all images of the series share. */
void emission_take(struct emission_series *series, const struct emission_image *image);

/* Fill all of *series but what emission_take() fills. */
enum status_code emission_read_pet(struct emission_series *series, struct dataset *const *datasets,
				   const struct emission_image *images, int n,
				   struct status *st) STATUS_CHECKED;
enum status_code emission_read_nm(struct emission_series *series, struct dataset *ds,
				  const struct emission_image *image, double cps_per_mbq,
				  struct status *st) STATUS_CHECKED;

#endif
