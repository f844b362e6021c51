/* registration.h - the rigid motion between two images of one patient.
 *
 * Finds the transform that takes a point of the fixed image's frame of reference to the same
 * anatomy's point in the moving image's (rigid.h), by multi-resolution search:
 *
 *   LEAST_SQUARES       one contrast (two S0 maps of one sequence): Gauss-Newton on the difference,
 *                       with the moving image scaled to the fixed one's brightness
 *   MUTUAL_INFORMATION  different contrasts (S0 map and T1w)
 *
 * What drives it. For 166Ho the S0 map of the fit (signal at echo time 0), never R2* or an echo
 * that microspheres darken. NaN takes no part, on either side.
 *
 * Region. Voxels of the fixed image inside `region`, widened by region_margin_mm; without a region
 * all of it. The liver with a margin moves as one piece; spine and skin do not move with it.
 *
 * What comes back, besides the transform:
 *
 *   residual_mm        what is left: the region is cut into blocks, and for each the small shift is
 *                      found that would still improve the metric there; the root mean square of
 *                      these shifts, weighted with how well each block can tell. Not-rigid motion
 *                      (breathing) shows here; where the image has little structure only a part
 *                      of it. Across contrasts the values are translated first, tone by tone,
 *                      and what does not translate leaves up to 0.6 mm by itself. Infinite where
 *                      no block can tell along some axis
 *   capture_spread_mm  largest distance (over the region) between the answers of several starts
 *                      around the answer: if they disagree the answer may be a side minimum.
 *                      Answers with a clearly worse metric do not count
 *   better             the metric is better than with the start (identity within one frame) by
 *                      more than noise explains, both on the voxels that have a value with both
 *   converged          the search ended by itself at the finest level, and a third of the region
 *                      at least lies in the moving image
 *
 * Who uses it decides: kept only if converged and better, and across frames of reference identity
 * is never a fallback.
 *
 * Pure. Same input, same bits at any thread count and instruction set. */
#ifndef REGISTRATION_H
#define REGISTRATION_H

#include "mask.h"
#include "rigid.h"

enum registration_metric { REGISTRATION_LEAST_SQUARES, REGISTRATION_MUTUAL_INFORMATION };

struct registration_input {
	const struct volume *fixed, *moving; /* frames of reference may differ */
	const struct mask *region;	     /* on any grid of fixed's frame; NULL: everything */
	double region_margin_mm;
	enum registration_metric metric;
	/* Where to begin: fixed -> moving; NULL: identity. Where frames differ also the alignment
	 * of centres is tried. */
	const double *start;
	int threads;
};

struct registration_result {
	double transform[RIGID_SIZE];	 /* fixed -> moving */
	double metric_start, metric_end; /* smaller is better (MI: negative, nats) */
	double residual_mm;
	double capture_spread_mm;
	bool converged, better;
	int evaluations; /* at all levels */
};

/* STATUS_REFUSE: fewer than 1000 voxels of the region have a value in both images at the start, or
 * the images have no structure (all values alike). STATUS_RETRY: memory. STATUS_OK does not mean
 * that the answer is good: converged, better, residual_mm and capture_spread_mm say it. */
enum status_code registration_rigid(struct registration_result *result,
				    const struct registration_input *input,
				    struct status *st) STATUS_CHECKED;

/* "least squares", "mutual information". */
const char *registration_metric_name(enum registration_metric metric);

#endif
