/* uncertainty.h - standard uncertainty of a VOI's mean absorbed dose.
 *
 * Components, each a standard uncertainty (k = 1) in Gy, combined as root of the sum of squares
 * because their sources do not know of each other (EANM practical guidance on uncertainty analysis
 * for molecular radiotherapy absorbed dose calculations, doi 10.1007/s00259-018-4136-7; law of
 * propagation of the GUM):
 *
 *   random             noise of the images: standard errors of the R2* fits of the scans and of
 *                      the baseline, through every interpolation to the mean
 *   registration       change of the mean when the images do not lie where they are thought to:
 *                      a rigid shift as large as the residual of the alignment
 *   relaxivity         configured, percent
 *   specific activity  of the vials (MBq/mg), configured, percent
 *
 * What is not known is NaN, and combined then holds only what is known, and `complete` says so: a
 * combined uncertainty without the relaxivity's is not that of an absolute dose. Not in it: drawing
 * the VOI, motion that is not rigid, fat, what the estimator of R2* is off by (some 0.3 % at SNR
 * 50, r2star.h), the relaxivity being another in clusters of microspheres.
 *
 * Two numbers of one treatment have errors in common:
 *
 *   random             two VOIs: none in common unless they overlap. Two scans: the baseline's
 *                      half, so that a difference of two time points is better known than either.
 *   registration       all VOIs of one scan move together; the error between baseline and anatomy
 *                      is that of every scan.
 *   relaxivity         one factor for all VOIs and time points of a treatment: T/N, the shape of a
 *                      trend and dose-volume shares do not feel it
 *   specific activity  one factor for all VOIs; for two injections as far as they share a vial or
 *                      the calibrator that measured it
 *
 * So the components are given one by one, and a ratio of two doses must be made from them, not
 * from combined. Pure. */
#ifndef UNCERTAINTY_H
#define UNCERTAINTY_H

#include <stdbool.h>
#include <stdint.h>

#include "mask.h"

struct uncertainty_params {
	double relaxivity_percent;	  /* NaN: not configured */
	double specific_activity_percent; /* NaN: not configured */
	double injected_activity_percent; /* of the net activity: recovery only; NaN */
};

struct uncertainty {
	double random_gy, registration_gy, relaxivity_gy, specific_activity_gy; /* NaN unknown */
	double combined_gy; /* NaN when the random part is unknown */
	bool complete;	    /* every component is known */
};

/* Means of several VOIs are taken together: VOIs of a liver overlap, and most of the work is the
 * way from voxel to voxel. */
enum { UNCERTAINTY_LANES = 4, UNCERTAINTY_MOST_MASKS = 256 };
typedef float uncertainty_lanes __attribute__((vector_size(16)));

/* How much each voxel of a grid counts in up to four means: a box of voxels, owned. */
struct uncertainty_weights {
	int first[3], size[3];	   /* columns, rows, slices; size 0: none */
	uncertainty_lanes *weight; /* columns fastest */
	double sum[UNCERTAINTY_LANES];
};

/* The means over masks of what was measured (values not NaN; same grid). Freed with
 * uncertainty_weights_free(). STATUS_RETRY: memory. STATUS_BUG: more than four. */
enum status_code uncertainty_weights_of_masks(struct uncertainty_weights *weights,
					      const struct mask *const *masks, int n_masks,
					      const struct volume *values,
					      struct status *st) STATUS_CHECKED;

/* The same means in terms of the voxels that their values were interpolated from: the transpose of
 * resample_trilinear() from `source` to `grid`, NaN rule included. A value that was interpolated
 * from eight voxels shares them with its neighbours, so its noise is theirs as well; over the
 * voxels of the source it is independent again, and nothing has to be assumed about how many
 * independent values a VOI holds. grid: the target's voxels in the source's frame of reference.
 * The same bits at any number of threads. */
enum status_code uncertainty_weights_carry(struct uncertainty_weights *source_weights,
					   const struct volume *source,
					   const struct uncertainty_weights *weights,
					   const struct grid *grid, int threads,
					   struct status *st) STATUS_CHECKED;

/* The same from masks, whose weights (uncertainty_weights_of_masks()) are then not kept. */
enum status_code uncertainty_weights_carry_masks(struct uncertainty_weights *source_weights,
						 const struct volume *source,
						 const struct mask *const *masks, int n_masks,
						 const struct volume *values,
						 const struct grid *grid, int threads,
						 struct status *st) STATUS_CHECKED;

/* Each voxel's own standard error, of a whole grid; NaN: none. Where where[v] is `is`, that of
 * `instead` is meant (where NULL: nowhere). Borrowed. */
struct uncertainty_errors {
	const struct volume *standard_error, *instead;
	const uint8_t *where;
	uint8_t is;
};

/* Variances of the means: sum (w s)^2 / (sum w)^2 each. NaN without weights. */
enum status_code uncertainty_variances(double variance[UNCERTAINTY_LANES],
				       const struct uncertainty_weights *weights,
				       const struct uncertainty_errors *errors, int threads,
				       struct status *st) STATUS_CHECKED;

void uncertainty_weights_free(struct uncertainty_weights *weights);

/* A second map that moves together with the dose and counts `scale` times, but is no part of the
 * mean: the baseline, which is taken off elsewhere than where it belongs. Its voxel 0 is the dose's
 * `first`. Borrowed. */
struct uncertainty_shifted {
	const struct volume *map;
	int first[3];
	double scale;
};

/* Registration part: root mean square change of the mean over the mask under an isotropic Gaussian
 * shift of root mean square residual_mm (all three axes together). Not a standard deviation about
 * the shifted mean: a VOI drawn around a hot spot loses whichever way the image moves, and that
 * loss is part of the error.
 *
 * Along each axis of the grid the mean is probed at plus and minus 3 standard deviations
 * (residual_mm / sqrt(3) each). Half the difference of the two changes is the slope: a change with
 * the sign of the shift. Half their sum is the loss, which goes with the size of the shift where
 * edges are sharp: m(x) = m(0) - c |x|. The image at hand is displaced itself, by 0.80 standard
 * deviations on average, and seen from there a probe at 3 finds c (3 - 0.80): so c is the loss
 * / 2.2. Slopes and the scatter of the losses add in quadrature; the mean losses of the axes (0.80
 * c each) add up, and then in quadrature to the rest. Where edges are smooth the loss is smaller
 * than this model's: the part is then too large rather than too small.
 *
 * A voxel that an edge runs through decays more slowly than the mean of its two tissues: with a
 * share p of one and a contrast of C by about p (1 - p) C^2 t, t = 4 ms being the time that weighs
 * most over 18 ms of echoes. So the loss is larger than that of a linear map, by 9 % at 67 /s and
 * by 15 % at 110 /s (90 Gy at 3 T). 15 % is added to it.
 *
 * gy: one per mask; 0 where residual_mm is 0, NaN where it is NaN or nothing is measured. shifted:
 * may be NULL. The same bits at any number of threads. STATUS_BUG: other grids, more than
 * UNCERTAINTY_MOST_MASKS, or a second map that does not reach as far as uncertainty_reach().
 * STATUS_RETRY: memory. */
enum status_code uncertainty_registrations(double *gy, const struct volume *dose_gy,
					   const struct uncertainty_shifted *shifted,
					   const struct mask *const *masks, int n_masks,
					   double residual_mm, int threads,
					   struct status *st) STATUS_CHECKED;

/* The box of voxels that the shifts of a residual reach from the masks; last < first: none. */
void uncertainty_reach(int first[3], int last[3], const struct mask *const *masks, int n_masks,
		       double residual_mm);

/* Fills relaxivity_gy, specific_activity_gy, combined_gy and complete from the mean, the
 * percentages and the two parts that are there already. */
void uncertainty_combine(struct uncertainty *uncertainty, double mean_gy,
			 const struct uncertainty_params *params);

#endif
