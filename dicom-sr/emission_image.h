/* emission_image.h - a synthetic emission volume -> PET or NM objects.
 *
 * PET: one PET Image per slice in BQML, as quantitative SPECT is often stored, decay corrected to
 * the start of the scan. NM: one multi-frame NM Image of a reconstructed tomography, in counts,
 * without decay correction; its sensitivity is not in it. Modules of PS3.3 A.5 and A.21 as far as
 * their attributes are required. Only the phantom writes them; what reads them is
 * emission_series.h. Everything is borrowed; texts and times as in mr_image.h. */
#ifndef EMISSION_IMAGE_H
#define EMISSION_IMAGE_H

#include "mr_image.h"

struct emission_image_series {
	const struct mr_image_study *study;
	const char *series_instance_uid, *description;
	const char *scan_start, *administration; /* YYYYMMDDHHMMSS */
	int number;
	const struct grid *grid; /* with the frame of reference */
	double scan_duration_s, half_life_h, injected_mbq;
	int window_kev[2];
};

/* One slice: values are Bq/mL at the start of the scan, rows * columns. The caller frees *ds. */
enum status_code emission_image_build_pet(struct dataset **ds,
					  const struct emission_image_series *series,
					  const char *sop_instance_uid, int slice,
					  const float *bq_per_ml, struct status *st) STATUS_CHECKED;

/* All slices: counts of the whole scan per voxel, below 65536. */
enum status_code emission_image_build_nm(struct dataset **ds,
					 const struct emission_image_series *series,
					 const char *sop_instance_uid, const uint16_t *counts,
					 struct status *st) STATUS_CHECKED;

#endif
