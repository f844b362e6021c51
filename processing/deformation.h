/* deformation.h - optional non-rigid alignment on top of a rigid one.
 *
 * Cubic B-spline displacement field on control points control_spacing_mm apart, least squares
 * between two S0 maps of one contrast inside a widened mask, with a bending-energy penalty. It is
 * used to warp the *baseline* (R2* and S0 are intensive: no Jacobian enters), never the
 * microspheres. Kept only if better than rigid, by far more than noise explains, and the Jacobian
 * determinant stays within [0.5, 2] inside the widened region; else refused in words and the rigid
 * answer stands. Off by default: what the follow-up of the source paper added
 * (doi 10.1002/mp.16014).
 *
 * Pure. Same input, same bits at any thread count. */
#ifndef DEFORMATION_H
#define DEFORMATION_H

#include "registration.h"

#define DEFORMATION_JACOBIAN_LEAST 0.5
#define DEFORMATION_JACOBIAN_MOST  2.0

/* Displacements of control points, mm, in fixed's frame; owned. */
struct deformation {
	struct grid control;		      /* of control points, frame of fixed */
	float *displacement_mm;		      /* 3 per control point */
	double rigid[RIGID_SIZE];	      /* fixed -> moving, applied after the displacement */
	double jacobian_least, jacobian_most; /* inside the region */
	double metric_rigid, metric_end;
	double residual_mm; /* as in registration.h */
};

struct deformation_params {
	double control_spacing_mm; /* 30 */
	double bending_weight;	   /* relative to the metric; 0.01 */
	double region_margin_mm;
	int threads;
};

/* *kept false: not better, or Jacobian out of range (st stays OK; words in why[200]); the
 * deformation is then empty. STATUS_RETRY: memory. */
enum status_code deformation_find(struct deformation *deformation, bool *kept, char why[200],
				  const struct volume *fixed, const struct volume *moving,
				  const struct mask *region, const double rigid[RIGID_SIZE],
				  const struct deformation_params *params,
				  struct status *st) STATUS_CHECKED;
void deformation_free(struct deformation *deformation);

/* Point of fixed's frame -> point of moving's. */
void deformation_apply(double to_mm[3], const struct deformation *deformation,
		       const double from_mm[3]);

/* Values of moving at the voxels of `to` (in fixed's frame), trilinear, as resample_trilinear(). */
enum status_code deformation_resample(struct volume *out, const struct grid *to,
				      const struct volume *moving,
				      const struct deformation *deformation, int threads,
				      struct status *st) STATUS_CHECKED;

#endif
