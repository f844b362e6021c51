/* deformation.h - optional non-rigid alignment on top of a rigid one.
 *
 * Cubic B-spline displacement field on control points control_spacing_mm apart, least squares
 * between two S0 maps of one contrast inside a widened mask, with a penalty on bending and one on
 * changes of volume (the liver is full of fluid, and what changes its volume changes its dose):
 *
 *   D(x) = rigid(x + u(x))        point of fixed's frame -> point of moving's, of the same tissue
 *
 * Kept only if better than rigid, by far more than noise explains, and the Jacobian determinant of
 * x + u(x) stays within [0.5, 2] inside the widened region; else refused in words and the rigid
 * answer stands. Off by default: what the follow-up of the source paper added
 * (doi 10.1002/mp.16014).
 *
 * Far from the region nothing is known, and the field goes on there as smoothly as it can.
 *
 * Who uses it (dosimetry_warp.c): fixed is the scan after an injection, moving the baseline. What
 * is intensive (R2*, S0, standard errors, marks) is looked up by D, and no Jacobian enters.
 * Microspheres are carried the other way, by the inverse of D, and there the Jacobian does enter:
 * they are as many after as before.
 *
 * Pure. Same input, same bits at any thread count. */
#ifndef DEFORMATION_H
#define DEFORMATION_H

#include "registration.h"

#define DEFORMATION_JACOBIAN_LEAST 0.5
#define DEFORMATION_JACOBIAN_MOST  2.0

enum deformation_verdict { DEFORMATION_NOT_BETTER, DEFORMATION_OUT_OF_RANGE, DEFORMATION_KEPT };

/* Displacements of control points, mm, in fixed's frame; owned. */
struct deformation {
	struct grid control;		      /* of control points, frame of fixed */
	float *displacement_mm;		      /* 3 per control point; NULL: u is zero */
	double rigid[RIGID_SIZE];	      /* fixed -> moving, applied after the displacement */
	double jacobian_least, jacobian_most; /* inside the region */
	double metric_rigid, metric_end;
	double residual_mm; /* as in registration.h; NaN unless kept */
};

struct deformation_params {
	double control_spacing_mm; /* 10 or more; 30 is usual */
	double bending_weight;	   /* of both penalties, relative to the metric; 0.01 is usual */
	double region_margin_mm;
	int threads;
};

/* Unless the verdict is DEFORMATION_KEPT (st stays OK; words in why[200]) the deformation has no
 * displacements, only the numbers of what was found. STATUS_RETRY: memory. STATUS_REFUSE: the
 * parameters; too little of the region in both images. */
enum status_code deformation_find(struct deformation *deformation,
				  enum deformation_verdict *verdict, char why[200],
				  const struct volume *fixed, const struct volume *moving,
				  const struct mask *region, const double rigid[RIGID_SIZE],
				  const struct deformation_params *params,
				  struct status *st) STATUS_CHECKED;
void deformation_free(struct deformation *deformation);

/* D, for one point. */
void deformation_apply(double to_mm[3], const struct deformation *deformation,
		       const double from_mm[3]);

/* The same for many points, and the way back. Borrows the deformation. */
struct deformation_view {
	const struct deformation *of;
	double per_mm[3][3], offset[3]; /* point of fixed's frame -> place among control points */
	double back[RIGID_SIZE];	/* moving -> fixed, rigid */
};
void deformation_view_of(struct deformation_view *view, const struct deformation *deformation);

/* u(x), and (where not NULL) gradient[a][b] = d u_a / d x_b. Zero outside the control points. */
void deformation_view_displacement(double displacement_mm[3], double gradient[3][3],
				   const struct deformation_view *view, const double from_mm[3]);
void deformation_view_apply(double to_mm[3], const struct deformation_view *view,
			    const double from_mm[3]);

/* The point x with D(x) = to_mm within a thousandth of a millimetre, and the Jacobian determinant
 * of D there: by Newton's steps, 20 at most. shift_mm (NULL: zero) is where they begin, u at a
 * neighbour, and then u(x). False: none was found, or the field changes volumes there by a factor
 * outside [0.5, 2], as it may outside the region; nothing can be said of such a point. */
bool deformation_view_invert(double from_mm[3], double *jacobian,
			     const struct deformation_view *view, const double to_mm[3],
			     double shift_mm[3]);

/* Values of moving at the voxels of `to` (in fixed's frame), trilinear, as resample_trilinear(). */
enum status_code deformation_resample(struct volume *out, const struct grid *to,
				      const struct volume *moving,
				      const struct deformation *deformation, int threads,
				      struct status *st) STATUS_CHECKED;

#endif
