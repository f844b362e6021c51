/* voi_stats.h - what a dose volume says inside a mask.
 *
 * Every voxel counts with its coverage, the rim too: a voxel of which the mask covers a tenth
 * counts a tenth in means and volumes, and fully for minimum and maximum, so that minimum <= D98 <=
 * ... <= D2 <= maximum always holds. Voxels with NaN are not measured: they are left out of every
 * dose figure, and their volume is summed by itself: a difference of two sums would leave a trace
 * of volume, of either sign, where everything was measured. Negative values stay (clamping them
 * adds 0.40 sigma to a region without uptake).
 *
 * Dose at a volume (D90): what at least 90 % of the measured volume gets. Each voxel stands at the
 * middle of its own piece of the sorted, cumulated volume; between two middles the dose is linear.
 * The median is D50.
 *
 * Units follow the values: Gy for a dose. Pure; any number of threads at once. */
#ifndef VOI_STATS_H
#define VOI_STATS_H

#include "mask.h"

#define VOI_DOSE_LEVELS 8

struct voi_stats {
	double volume_ml;	       /* of the mask */
	double measured_volume_ml;     /* where the value is not NaN */
	double not_measured_volume_ml; /* where it is; 0 exactly when there is no such voxel */
	double mean, minimum, maximum,
	    standard_deviation; /* NaN when nothing is measured; the SD is that of the voxels */
	double d98, d90, d70, d50, d2;
	int levels;
	double level[VOI_DOSE_LEVELS];		    /* as asked */
	double volume_at_level_ml[VOI_DOSE_LEVELS]; /* volume with value >= level */
};

/* STATUS_BUG: other grids, too many levels. STATUS_RETRY: memory. stats is untouched unless
 * STATUS_OK. */
enum status_code voi_stats_compute(struct voi_stats *stats, const struct volume *values,
				   const struct mask *mask, const double *levels, int n_levels,
				   struct status *st) STATUS_CHECKED;

/* Cumulative dose-volume histogram of the measured part: volume_ml[i] = volume with dose >= i *
 * bin_width_gy, so volume_ml[0] is all of it, negative doses included. bins values are written;
 * doses beyond the last edge count in the last bin. Statuses as above. */
enum status_code voi_dvh(double *volume_ml, int bins, double bin_width_gy,
			 const struct volume *dose_gy, const struct mask *mask,
			 struct status *st) STATUS_CHECKED;

#endif
