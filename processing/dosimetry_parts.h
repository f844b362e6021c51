/* dosimetry_parts.h - what the files of dosimetry share; not for other rooms.
 *
 *   dosimetry.c        the order of things: the chain of dosimetry.h, time point by time point
 *   dosimetry_check.c  what must be right before, and the words of the flags
 *   dosimetry_plan.c   what follows from the VOIs alone: tumours to parts, healthy liver, regions
 *   dosimetry_scan.c   on the scans' own grids: evaluated baseline, dR2*, sums over the liver
 *   dosimetry_voi.c    on the result grid: figures per VOI
 *   dosimetry_trend.c  uptake of the tumours over the injections
 *
 * Everything is written in terms of dR2* (1/s) and factors per interval between two scans, because
 * batches may differ in holmium content (relaxivity) and have decayed differently (specific
 * activity): mass and activity of an interval are the change of dR2* times one factor each. */
#ifndef DOSIMETRY_PARTS_H
#define DOSIMETRY_PARTS_H

#include "dosimetry.h"

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

/* STATUS_REFUSE with words unless scans, injections and constants can give a dose. */
enum status_code dosimetry_check(const struct dosimetry_input *input,
				 const struct dosimetry_params *params,
				 struct status *st) STATUS_CHECKED;

/* ---- dosimetry_scan.c ---- */

/* The baseline with everything that is not evaluated set to NaN, on its own grid. */
struct dosimetry_baseline_map {
	struct volume r2star_per_s, s0, stderr_per_s;
	double sigma;
	double evaluated_ml, artefact_ml;
};
enum status_code dosimetry_evaluate_baseline(struct dosimetry_baseline_map *baseline,
					     const struct dosimetry_input *input,
					     const struct dosimetry_params *params,
					     struct status *st) STATUS_CHECKED;
void dosimetry_baseline_map_free(struct dosimetry_baseline_map *baseline);

/* The result grid as it lies in the scan's frame of reference: same voxels, steps turned by the
 * scan's transform. */
void dosimetry_move_grid(struct grid *moved, const struct grid *result_grid,
			 const struct dosimetry_scan *scan);

/* The regions of recovery as seen on a scan's grid. Kept from scan to scan while the geometry
 * stays. */
struct dosimetry_regions {
	bool made;
	struct grid grid,
	    moved;	   /* of the scan, and the result grid in its frame: what it was made for */
	struct mask liver; /* liver joined with all tumours; empty without a liver */
	struct mask healthy; /* liver minus all tumours */
	struct mask
	    part[DOSIMETRY_MAX_VOIS]; /* by index of VOI: each part joined with its tumours */
};
void dosimetry_regions_free(struct dosimetry_regions *regions);

/* One after-injection scan, baseline taken off. */
struct dosimetry_delta {
	struct volume delta_r2star_per_s; /* scan grid; NaN: not evaluated */
	struct volume stderr_per_s;	  /* its standard error (fits of scan and baseline in
					     quadrature); NaN together with it */
	uint8_t *state; /* enum r2star_state, resolved; R2STAR_NOT_MEASURED outside the evaluated
			   region */
	double s0_scale;
	double region_baseline_r2star_per_s;
	unsigned flags;
};
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

/* ---- dosimetry_plan.c ---- */

/* What follows from the VOIs alone, the same for every time point. */
struct dosimetry_plan {
	int liver; /* index of the VOI; -1 none */
	int tumours, parts;
	int part_of[DOSIMETRY_MAX_VOIS];    /* tumours: index of their part; -1 none */
	int healthy_of[DOSIMETRY_MAX_VOIS]; /* tumours: index into healthy; -1 none */
	struct mask liver_with_tumours;	    /* result grid; empty without a liver */
	struct mask healthy[DOSIMETRY_MAX_VOIS];
	int healthy_part[DOSIMETRY_MAX_VOIS]; /* -1: whole liver */
	int n_healthy;
	bool part_apart[DOSIMETRY_MAX_VOIS]; /* no other part that was fed overlaps it: its recovery
						can be told */
	unsigned flags;
};
enum status_code dosimetry_plan_make(struct dosimetry_plan *plan,
				     const struct dosimetry_input *input,
				     struct status *st) STATUS_CHECKED;
void dosimetry_plan_free(struct dosimetry_plan *plan);

enum status_code dosimetry_regions_make(struct dosimetry_regions *regions,
					const struct dosimetry_scan *scan,
					const struct dosimetry_plan *plan,
					const struct dosimetry_input *input,
					struct status *st) STATUS_CHECKED;

/* ---- dosimetry_voi.c ---- */

/* Figures of all VOIs and healthy livers at one time point, and what is hot outside; sets
 * DOSIMETRY_HOT_OUTSIDE. delta gives the states. */
enum status_code
dosimetry_figures(struct dosimetry_time_point *point, const struct dosimetry_plan *plan,
		  const struct dosimetry_scan *scan, const struct dosimetry_delta *delta,
		  const struct dosimetry_input *input, const struct dosimetry_params *params,
		  struct status *st) STATUS_CHECKED;

/* ---- dosimetry_trend.c ---- */

/* Trend of every tumour at the last of the time points given. */
void dosimetry_trends(struct dosimetry_time_point *points, int n_points,
		      const struct dosimetry_plan *plan, const struct dosimetry_input *input,
		      const struct dosimetry_params *params);

#endif
