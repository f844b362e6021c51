/* voi_stats.h - what a dose volume says inside a mask.
 *
 * Every voxel counts with its coverage. Voxels with NaN are not measured: they are left out of every dose
 * figure and their volume is given. Negative values stay (clamping them adds 0.40 sigma to a region without
 * uptake). Doses at a volume (D90) are the highest dose that at least 90 % of the measured volume gets, taken
 * from the sorted voxel values with linear interpolation of the cumulative volume. */
#ifndef VOI_STATS_H
#define VOI_STATS_H

#include "mask.h"

#define VOI_DOSE_LEVELS 8

struct voi_stats {
	double volume_ml;          /* of the mask */
	double measured_volume_ml; /* where the value is not NaN */
	double mean, minimum, maximum, standard_deviation; /* NaN when nothing is measured */
	double d98, d90, d70, d50, d2;
	int levels;
	double level[VOI_DOSE_LEVELS];           /* as asked */
	double volume_at_level_ml[VOI_DOSE_LEVELS]; /* volume with value >= level */
};

/* Same grid, else STATUS_BUG. */
enum status_code voi_stats_compute(struct voi_stats *stats, const struct volume *values,
                                   const struct mask *mask, const double *levels, int n_levels,
                                   struct status *st) STATUS_CHECKED;

/* Cumulative dose-volume histogram of the measured part: volume_ml[i] = volume with dose >= i * bin_width_gy.
 * Negative doses count in bin 0. bins values are written. */
enum status_code voi_dvh(double *volume_ml, int bins, double bin_width_gy, const struct volume *dose_gy,
                         const struct mask *mask, struct status *st) STATUS_CHECKED;

#endif
