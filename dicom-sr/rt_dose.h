/* rt_dose.h - a dose volume -> RT Dose object.
 *
 * One cumulative grid per time point in a series of its own; GY, PHYSICAL, PLAN_OVERVIEW (the only summation type that needs neither
 * plan nor record), 16 bit, offsets from 0, on the grid of the images it is shown over. Stored pixels clamp negatives, and voxels without a dose
 * are 0; the report carries the unclamped figures too. */
#ifndef RT_DOSE_H
#define RT_DOSE_H

#include "evidence.h"
#include "volume.h"

struct rt_dose_dvh {
	int roi_number;
	const double *volume_ml;  /* cumulative, bins values */
	int bins;
	double bin_width_gy;
	double minimum_gy, maximum_gy, mean_gy;
};

struct rt_dose_input {
	const struct evidence *evidence;
	const struct volume *dose_gy;       /* Gy, cumulative; NaN: no dose */
	int after_injection, planned_injections; /* planned 0: unknown */
	const char *method;                 /* "166Ho local deposition, ..." */
	const struct rt_dose_dvh *dvhs;     /* only when the VOIs came as RTSTRUCT */
	int n_dvhs;
	const struct evidence_instance *structure_set; /* NULL without DVHs */
};

/* What is stored: dose = stored * scaling_gy; scaling from the maximum of the evaluated voxels, rounded up to 16 characters. An all-zero or
 * all-NaN dose still gets a scaling > 0. stored holds grid_voxels() values. */
enum status_code rt_dose_quantise(uint16_t *stored, double *scaling_gy, const struct volume *dose_gy,
                                  struct status *st) STATUS_CHECKED;

/* The data set belongs to the caller. uid receives the SOP Instance UID. */
enum status_code rt_dose_build(struct dataset **ds, char uid[65], const struct rt_dose_input *input,
                               struct status *st) STATUS_CHECKED;

#endif
