/* rt_dose.h - a dose volume -> RT Dose object.
 *
 * One cumulative grid per time point, each in a series of its own: DoseUnits GY, DoseType PHYSICAL,
 * DoseSummationType PLAN_OVERVIEW (the only one that needs neither a plan nor a treatment record),
 * 16 bits per pixel (several readers cannot read 32), Grid Frame Offset Vector relative, ascending
 * from 0. The grid is that of the images it is shown over, with their frame of reference; each of
 * those images is listed. Where the grid's slices run against the normal (row direction x column
 * direction), the frames are written the other way round, so that offsets never are negative.
 *
 * Where the dose by the beta kernel is asked for, it is a second object beside the first, with
 * UIDs, Series Number and description of its own.
 *
 * Stored pixels cannot say everything: negatives are stored as 0, and so are voxels without a dose
 * (NaN). The report carries the unclamped figures, and the mean of the stored pixels beside them.
 *
 * Everything is borrowed for the length of the call. Same input, same data set. Thread rule: any
 * number at once. */
#ifndef RT_DOSE_H
#define RT_DOSE_H

#include <stdbool.h>
#include <stdint.h>

#include "evidence.h"
#include "volume.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rt_dose_dvh {
	int roi_number;
	const double *volume_ml; /* cumulative, bins values: volume with dose >= i * bin_width_gy */
	int bins;
	double bin_width_gy;
	double minimum_gy, maximum_gy, mean_gy; /* NaN: not measured, left out */
};

struct rt_dose_input {
	const struct evidence *evidence;
	const struct volume *dose_gy; /* Gy, cumulative; NaN: no dose */
	int after_injection;
	int planned_injections; /* 0: unknown */
	/* dose_gy is that by the beta kernel (kernel.h): UIDs, series and words differ. */
	bool kernel;
	double kernel_lost_share; /* of the energy (dosimetry.h); said in the object; kernel only */
	/* "166Ho local deposition, ..."; 64 characters are kept as Dose Comment. */
	const char *method;
	/* How far to trust it, in sentences: where there are no VOIs no report says so. NULL: none.
	 * Last in Derivation Description, which is cut at 1024 bytes. */
	const char *remarks;
	const struct rt_dose_dvh *dvhs; /* only when the VOIs came as RTSTRUCT; bins 0: left out */
	int n_dvhs;
	const struct evidence_instance *structure_set; /* NULL without DVHs */
};

/* What is stored: dose = stored * scaling_gy, stored 0..65535, in grid order. The scaling is the
 * maximum over 65535, rounded up to a decimal number of at most 16 characters (what Dose Grid
 * Scaling can hold), so the maximum never overflows; it is exactly the number that a reader of the
 * object gets. Rounding to the nearest step: an error of at most half of it (1.5 mGy at 200 Gy). An
 * all-zero or all-NaN dose gets a scaling > 0 too. stored holds grid_voxels() values.
 * STATUS_REFUSE: an infinite dose. */
enum status_code rt_dose_quantise(uint16_t *stored, double *scaling_gy,
				  const struct volume *dose_gy, struct status *st) STATUS_CHECKED;

/* The data set belongs to the caller (dataset_free()); uid receives the SOP Instance UID. Both
 * untouched unless STATUS_OK. STATUS_REFUSE: a grid whose slices are not stacked along their normal
 * (offsets cannot say it), a bad evidence header; STATUS_BUG: not one grid image per slice;
 * STATUS_RETRY: memory. */
enum status_code rt_dose_build(struct dataset **ds, char uid[65], const struct rt_dose_input *input,
			       struct status *st) STATUS_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
