/* dosimetry_parts.h - what the files of dosimetry share; not for other rooms.
 *
 *   dosimetry.c             the order of things: the chain of dosimetry.h, one time point after
 *                           the other
 *   dosimetry_check.c       what must be right before, and the words of the flags
 *   dosimetry_plan.c        what follows from the VOIs alone: tumours to parts, healthy liver
 *   dosimetry_regions.c     the liver and its parts as a scan's grid sees them
 *   dosimetry_artefact.c    where the baseline can be believed: evaluated region, artefact, dark
 *   dosimetry_scan.c        a scan minus the baseline: dR2*
 *   dosimetry_void.c        gas that moved between them
 *   dosimetry_warp.c        both of these where a deformation joins them (dosimetry_warp.h)
 *   dosimetry_sum.c         from dR2* to activity and dose, increment by increment
 *   dosimetry_recovery.c    what is found of what was injected
 *   dosimetry_voi.c         on the result grid: figures per VOI
 *   dosimetry_measurable.c  which of them can be believed; dose by catheter position
 *   dosimetry_trend.c       trend, prediction, advice
 *   dosimetry_kernel.c      the dose by the beta kernel beside it
 *   dosimetry_uncertainty.c how well the means are known
 *
 * Everything is written in terms of dR2* (1/s) and factors per interval between two scans, because
 * batches may differ in holmium content (relaxivity) and have decayed differently (specific
 * activity): mass and activity of an interval are the change of dR2* times one factor each. */
#ifndef DOSIMETRY_PARTS_H
#define DOSIMETRY_PARTS_H

#include "dosimetry.h"
#include "kernel.h"
#include "resample_packed.h"

/* What was injected between two scans, as if at once. */
struct dosimetry_interval {
	double activity_mbq;		       /* net; NaN: unknown */
	double mass_mg;			       /* NaN: unknown */
	double specific_activity_mbq_per_mg;   /* SA_eff = sum(A) / sum(A / SA) */
	double relaxivity_per_s_per_mg_per_ml; /* for the holmium content of these batches, weighted
						  by mass */
	bool content_unscaled;
};

/* ---- dosimetry_check.c ---- */

/* STATUS_REFUSE with words unless scans, injections and constants can give a dose. known: scans
 * that have their time points already, and perhaps no map. */
enum status_code dosimetry_check(const struct dosimetry_input *input, int known,
				 const struct dosimetry_params *params,
				 struct status *st) STATUS_CHECKED;

/* STATUS_BUG: the result cannot be one of these scans. */
enum status_code dosimetry_check_known(const struct dosimetry_result *result,
				       const struct dosimetry_input *input,
				       struct status *st) STATUS_CHECKED;

/* ---- dosimetry_plan.c ---- */

/* What follows from the VOIs alone, the same for every time point. */
struct dosimetry_plan {
	int liver; /* index of the VOI; -1 none */
	int tumours, parts;
	int part_of[DOSIMETRY_MAX_VOIS];    /* tumours, groups: index of their part; -1 none */
	int healthy_of[DOSIMETRY_MAX_VOIS]; /* tumours, groups: index into healthy; -1 none */
	struct mask liver_with_tumours;	    /* result grid; empty without a liver */
	struct mask necrosis;		    /* all of it; empty when there is none */
	struct mask healthy[DOSIMETRY_MAX_VOIS];
	int healthy_part[DOSIMETRY_MAX_VOIS]; /* -1: whole liver */
	int n_healthy;
	bool part_apart[DOSIMETRY_MAX_VOIS]; /* no other part that was fed overlaps it: its recovery
						can be told */
	unsigned flags;			     /* of DOSIMETRY_PLAN_FLAGS */
};
#define DOSIMETRY_PLAN_FLAGS                                                                       \
	((unsigned)(DOSIMETRY_NO_LIVER | DOSIMETRY_NO_TUMOUR | DOSIMETRY_TUMOURS_OVERLAP |         \
		    DOSIMETRY_POSITION_WITHOUT_VOI))
enum status_code dosimetry_plan_make(struct dosimetry_plan *plan,
				     const struct dosimetry_input *input,
				     struct status *st) STATUS_CHECKED;
void dosimetry_plan_free(struct dosimetry_plan *plan);

/* ---- dosimetry_regions.c ---- */

/* The regions of recovery as seen on a scan's grid. Kept from scan to scan while the geometry
 * stays. */
struct dosimetry_regions {
	bool made, warped; /* warped: made for a scan with a deformation, and never used again */
	struct grid grid,
	    moved;	   /* of the scan, and the result grid in its frame: what it was made for */
	struct mask liver; /* liver joined with all tumours; empty without a liver */
	struct mask healthy;		      /* liver minus all that is not healthy */
	struct mask part[DOSIMETRY_MAX_VOIS]; /* by index of VOI: each part joined with its tumours
					       */
};
enum status_code
dosimetry_regions_make(struct dosimetry_regions *regions, const struct dosimetry_scan *scan,
		       const struct dosimetry_plan *plan, const struct dosimetry_input *input,
		       const struct dosimetry_params *params, struct status *st) STATUS_CHECKED;
void dosimetry_regions_free(struct dosimetry_regions *regions);

/* ---- dosimetry_artefact.c, dosimetry_void.c ---- */

/* What is known of a voxel of a scan besides its value; bits. */
enum dosimetry_mark {
	DOSIMETRY_MARK_ARTEFACT = 1 << 0,
	DOSIMETRY_MARK_DARK = 1 << 1,	 /* no signal before any injection */
	DOSIMETRY_MARK_VOID = 1 << 2,	 /* dark, and inside the liver or at its face */
	DOSIMETRY_MARK_OUTSIDE = 1 << 3, /* of the baseline's slices */
	DOSIMETRY_MARK_OSCILLATES = 1 << 4,
	DOSIMETRY_MARK_GONE_DARK = 1 << 5 /* fitted, but with less than half of the S0 before */
};

/* The baseline with everything that is not evaluated set to NaN, on its own grid. */
struct dosimetry_baseline_map {
	struct volume r2star_per_s, stderr_per_s;
	struct resample_packed packed; /* R2*, S0, standard error */
	uint8_t *marks;		       /* enum dosimetry_mark per voxel */
	double sigma;
	double evaluated_ml, artefact_ml;
	double native_per_s; /* median R2* of the healthy liver; NaN without a liver */
	double rim_mm;	     /* how far artefact reaches from the dark, at most; 0 without */
};
enum status_code dosimetry_evaluate_baseline(struct dosimetry_baseline_map *baseline,
					     const struct dosimetry_regions *regions,
					     const struct dosimetry_input *input,
					     const struct dosimetry_params *params,
					     struct status *st) STATUS_CHECKED;
void dosimetry_baseline_map_free(struct dosimetry_baseline_map *baseline);

/* The baseline's marks at the voxels of a scan (nearest voxel), with artefact and void grown by
 * residual_mm first; NaN does not grow them. marks: one per voxel of the scan. */
enum status_code dosimetry_carry_marks(uint8_t *marks,
				       const struct dosimetry_baseline_map *baseline,
				       const struct dosimetry_scan *scan,
				       const struct dosimetry_input *input, int threads,
				       struct status *st) STATUS_CHECKED;

struct dosimetry_delta;

/* Gas that moved: voxels of the liver gone dark in this scan next to what was dark before. Takes
 * their values away, and those of the rim around them, and marks them as artefact. */
enum status_code dosimetry_find_moved_void(struct dosimetry_delta *delta,
					   const struct dosimetry_scan *scan,
					   const struct dosimetry_baseline_map *baseline,
					   const struct mask *liver,
					   struct status *st) STATUS_CHECKED;

/* ---- dosimetry_scan.c ---- */

/* The result grid, and a scan's grid, as they lie in another frame of reference: same voxels, steps
 * turned by the transforms. */
void dosimetry_move_grid(struct grid *moved, const struct grid *result_grid,
			 const struct dosimetry_scan *scan);
void dosimetry_move_to_baseline(struct grid *moved, const struct dosimetry_scan *scan,
				const struct dosimetry_input *input);

/* One after-injection scan, baseline taken off. */
struct dosimetry_delta {
	struct volume delta_r2star_per_s; /* scan grid; NaN: not evaluated */
	struct volume stderr_per_s;	  /* its standard error (fits of scan and baseline in
					     quadrature); NaN together with it */
	uint8_t *state; /* enum r2star_state, resolved; R2STAR_NOT_MEASURED outside the evaluated
			   region */
	uint8_t *marks; /* enum dosimetry_mark */
	double s0_scale;
	double region_baseline_r2star_per_s;
	unsigned flags;
};
/* delta: empty at first; what was made for another scan is used again. */
enum status_code
dosimetry_subtract(struct dosimetry_delta *delta, const struct dosimetry_scan *scan,
		   const struct dosimetry_baseline_map *baseline,
		   const struct dosimetry_regions *regions, const struct dosimetry_input *input,
		   const struct dosimetry_params *params, struct status *st) STATUS_CHECKED;
void dosimetry_delta_free(struct dosimetry_delta *delta);

/* Integral of dR2* over a mask on the scan grid, 1/s * mL, with the volumes that say how good it
 * is. */
struct dosimetry_integral {
	double delta_ml_per_s;
	double volume_ml, not_measured_ml, saturated_ml;
};
struct dosimetry_integral dosimetry_integrate(const struct volume *delta_r2star_per_s,
					      const uint8_t *state, const struct mask *mask);

/* ---- dosimetry_sum.c ---- */

/* Room in an empty one; nothing where there is room already. STATUS_BUG: for another grid. */
enum status_code dosimetry_sums_make(struct dosimetry_sums *sums, const struct grid *result_grid,
				     struct status *st) STATUS_CHECKED;
void dosimetry_sums_free(struct dosimetry_sums *sums);

/* What was injected between two scans, numbers above first up to last, as if at once. */
struct dosimetry_interval dosimetry_join_injections(const struct dosimetry_input *input,
						    const struct dosimetry_params *params,
						    int first, int last);

/* Adds the increment of scan `index` to the sums, and gives point its dose. carried: dR2* on the
 * result grid, perhaps in the samples of point->dose_gy, which it has in any case. */
void dosimetry_add_increment(struct dosimetry_time_point *point, struct dosimetry_sums *sums,
			     int index, const struct volume *carried,
			     const struct dosimetry_input *input,
			     const struct dosimetry_params *params);

/* The dose of the last time point out of the sums, and its under-dosed masks. */
enum status_code dosimetry_restore_last(struct dosimetry_result *result,
					const struct dosimetry_input *input,
					const struct dosimetry_params *params,
					struct status *st) STATUS_CHECKED;

/* ---- dosimetry_recovery.c ---- */

/* Everything of a time point that has to do with recovery. carried: dR2* on the result grid. */
void dosimetry_recover(struct dosimetry_time_point *point, struct dosimetry_running *sums,
		       const struct dosimetry_interval *between, const struct dosimetry_plan *plan,
		       const struct dosimetry_delta *delta, const struct volume *carried,
		       const struct dosimetry_regions *regions,
		       const struct dosimetry_input *input);

/* part_recovery_ratio: hangs on where later injections went as well. */
void dosimetry_part_recovery(struct dosimetry_time_point *point, const struct dosimetry_plan *plan,
			     const struct dosimetry_input *input);

/* ---- dosimetry_voi.c ---- */

/* Figures of all VOIs and healthy livers at one time point, and what is hot outside; sets
 * DOSIMETRY_HOT_OUTSIDE and the flags that follow from single VOIs. delta gives states and marks.
 */
enum status_code
dosimetry_figures(struct dosimetry_time_point *point, const struct dosimetry_plan *plan,
		  const struct dosimetry_scan *scan, const struct dosimetry_delta *delta,
		  const struct dosimetry_input *input, const struct dosimetry_params *params,
		  struct status *st) STATUS_CHECKED;

/* ---- dosimetry_measurable.c ---- */

/* Volume of a VOI that has no value, by cause, or a doubtful one. */
struct dosimetry_doubt {
	double artefact_ml, no_signal_ml, outside_ml;
	double saturated_ml, s0_known_ml, oscillating_ml;
	double doubtful_ml; /* of the last three, each voxel once */
};

/* Sets measurable and reasons; where it is not measurable every figure of the dose becomes NaN. */
void dosimetry_judge_voi(struct dosimetry_voi_result *result, const struct dosimetry_doubt *doubt,
			 double residual_mm, const struct dosimetry_params *params);

/* Flags that follow from the figures of the VOIs. */
unsigned dosimetry_voi_flags(const struct dosimetry_time_point *point,
			     const struct dosimetry_input *input);

/* position_dose_gy of every VOI at the last of the time points given. */
void dosimetry_position_doses(struct dosimetry_time_point *points, int n_points,
			      const struct dosimetry_input *input);

/* ---- dosimetry_trend.c ---- */

/* Trend of every tumour and group, and the advice of every healthy liver, at the last of the time
 * points given. */
void dosimetry_trends(struct dosimetry_time_point *points, int n_points,
		      const struct dosimetry_plan *plan, const struct dosimetry_input *input,
		      const struct dosimetry_params *params);

/* ---- dosimetry_kernel.c ---- */

/* kernel_dose_gy, kernel_lost_share and the kernel_dose of every figure: NaN unless asked for.
 * kernel: empty at first, made when needed and kept for the next time point. STATUS_REFUSE: a
 * result grid that has no kernel (kernel.h). */
enum status_code dosimetry_kernel_dose(struct dosimetry_time_point *point, struct kernel *kernel,
				       const struct dosimetry_plan *plan,
				       const struct dosimetry_input *input,
				       const struct dosimetry_params *params,
				       struct status *st) STATUS_CHECKED;

/* ---- dosimetry_uncertainty.c ---- */

/* uncertainty of every figure, and recovery_uncertainty. Of the running sums it needs gy_per_delta
 * up to this scan, and gives scan_variance. */
enum status_code dosimetry_uncertainties(
    struct dosimetry_time_point *point, struct dosimetry_running *running, int scan,
    const struct dosimetry_plan *plan, const struct dosimetry_delta *delta,
    const struct dosimetry_baseline_map *baseline, const struct dosimetry_input *input,
    const struct dosimetry_params *params, struct status *st) STATUS_CHECKED;

#endif
