/* dosimetry.c - the chain of dosimetry.h in its order; the page to read first. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dose.h"
#include "dosimetry_warp.h"
#include "resample.h"

#define ORDER_UNCLEAR_BELOW  0.5 /* mass found / mass injected between two scans */
#define ORDER_UNCLEAR_ABOVE  1.5
#define RECOVERY_JUMP_POINTS 0.10
#define MASS_KEPT_WITHIN     0.005
#define GRID_TOLERANCE_MM    1e-3

/* ---- one time point ---- */

static int number_before(const struct dosimetry_input *input, int scan)
{
	return scan == 0 ? 0 : input->scans[scan - 1].after_injection;
}

/* dR2* of a scan carried to the result grid: once, trilinear. *carried is the scan's own where the
 * grids are the same; else it lies where the dose will, which takes its place. */
static enum status_code carry_delta(const struct volume **carried, struct volume *dose_gy,
				    const struct dosimetry_delta *delta,
				    const struct dosimetry_scan *scan,
				    const struct dosimetry_input *input, int threads,
				    struct status *st)
{
	struct grid moved;
	dosimetry_move_grid(&moved, input->result_grid, scan);
	*carried = dose_gy;
	if (scan->deformation)
		return dosimetry_warp_delta(dose_gy, &delta->delta_r2star_per_s, scan, input,
					    threads, st);
	if (!grid_same(&moved, &delta->delta_r2star_per_s.grid, GRID_TOLERANCE_MM))
		return resample_trilinear(dose_gy, &moved, &delta->delta_r2star_per_s, NULL,
					  threads, st);
	*carried = &delta->delta_r2star_per_s;
	return volume_new(dose_gy, input->result_grid, NAN, st);
}

/* ---- flags ---- */

/* What hangs on one or two echoes, or on none, in all that is evaluated. */
static void sum_few_echo_volumes(struct dosimetry_time_point *point,
				 const struct dosimetry_delta *delta)
{
	const struct grid *grid = &delta->delta_r2star_per_s.grid;
	size_t voxels = grid_voxels(grid), saturated = 0, s0_known = 0;
	for (size_t v = 0; v < voxels; v++) {
		saturated += delta->state[v] == R2STAR_SATURATED;
		s0_known += delta->state[v] == R2STAR_S0_KNOWN;
	}
	point->saturated_ml = (double)saturated * grid_voxel_volume_ml(grid);
	point->s0_known_ml = (double)s0_known * grid_voxel_volume_ml(grid);
}

/* What alignment left is too much, or nobody knows although something was moved. */
static bool is_uncertain(const struct dosimetry_scan *scan, const struct dosimetry_params *params)
{
	if (isnan(scan->residual_mm))
		return scan->to_result != NULL;
	return scan->residual_mm > params->registration_limit_mm;
}

static unsigned
find_flags(const struct dosimetry_time_point *point, const struct dosimetry_time_point *before,
	   const struct dosimetry_scan *scan, const struct dosimetry_interval *between,
	   const struct dosimetry_input *input, const struct dosimetry_params *params)
{
	unsigned flags = 0;
	double saturated_ml =
	    isnan(point->region_saturated_ml) ? point->saturated_ml : point->region_saturated_ml;
	if (saturated_ml > 0)
		flags |= DOSIMETRY_SATURATED_VOXELS;
	/* NaN: nothing to compare, nothing to flag */
	if (point->mass_increment_ratio < ORDER_UNCLEAR_BELOW ||
	    point->mass_increment_ratio > ORDER_UNCLEAR_ABOVE)
		flags |= DOSIMETRY_ORDER_UNCLEAR;
	if (before && fabs(point->recovery_ratio - before->recovery_ratio) > RECOVERY_JUMP_POINTS)
		flags |= DOSIMETRY_RECOVERY_JUMP;
	if (between->content_unscaled)
		flags |= DOSIMETRY_CONTENT_UNSCALED;
	if (100 * point->recovery_ratio < params->recovery_low_percent ||
	    100 * point->recovery_ratio > params->recovery_high_percent)
		flags |= DOSIMETRY_RECOVERY_OUTSIDE;
	if (fabs(point->resampled_mass_ratio - 1) > MASS_KEPT_WITHIN)
		flags |= DOSIMETRY_MASS_NOT_KEPT;
	if (is_uncertain(&input->baseline, params) || is_uncertain(scan, params))
		flags |= DOSIMETRY_REGISTRATION_UNCERTAIN;
	for (int i = 0; i < point->after_injection; i++) {
		if (input->injections[i].residual_pending)
			flags |= DOSIMETRY_RESIDUAL_PENDING;
		if (isnan(input->injections[i].net_activity_mbq))
			flags |= DOSIMETRY_ACTIVITY_UNKNOWN;
	}
	/* what was unscaled once stays in every sum after it */
	return flags | (before ? before->flags & DOSIMETRY_CONTENT_UNSCALED : 0);
}

/* ---- the chain ---- */

/* What lives from one time point to the next within a run. */
struct course {
	struct dosimetry_plan plan;
	struct dosimetry_baseline_map baseline;
	struct dosimetry_regions regions;
	struct dosimetry_delta delta;
	struct kernel kernel;
};

static enum status_code run_time_point(struct dosimetry_result *result, int index,
				       struct course *course, const struct dosimetry_input *input,
				       const struct dosimetry_params *params, struct status *st)
{
	const struct dosimetry_scan *scan = &input->scans[index];
	struct dosimetry_time_point *point = &result->time_points[index];
	struct dosimetry_interval between = dosimetry_join_injections(
	    input, params, number_before(input, index), scan->after_injection);
	struct dosimetry_delta *delta = &course->delta;
	const struct volume *carried = NULL;

	point->after_injection = scan->after_injection;
	point->residual_mm = scan->residual_mm;
	rigid_identity(point->to_result);
	if (scan->to_result)
		memcpy(point->to_result, scan->to_result, sizeof point->to_result);
	if (dosimetry_regions_make(&course->regions, scan, &course->plan, input, params, st) !=
		STATUS_OK ||
	    dosimetry_subtract(delta, scan, &course->baseline, &course->regions, input, params,
			       st) != STATUS_OK ||
	    carry_delta(&carried, &point->dose_gy, delta, scan, input, params->threads, st) !=
		STATUS_OK)
		return st->code;
	dosimetry_recover(point, &result->sums.running, &between, &course->plan, delta, carried,
			  &course->regions, input);
	dosimetry_add_increment(point, &result->sums, index, carried, input, params);
	sum_few_echo_volumes(point, delta);
	if (dosimetry_figures(point, &course->plan, scan, delta, input, params, st) != STATUS_OK)
		return st->code;
	result->sums.running.gy_per_delta[index] =
	    between.specific_activity_mbq_per_mg / between.relaxivity_per_s_per_mg_per_ml *
	    dose_gy_per_mbq_per_ml(params->dose_constant_mj_per_mbq, params->density_g_per_ml);
	if (dosimetry_uncertainties(point, &result->sums.running, index, &course->plan, delta,
				    &course->baseline, input, params, st) != STATUS_OK ||
	    dosimetry_kernel_dose(point, &course->kernel, &course->plan, input, params, st) !=
		STATUS_OK)
		return st->code;
	dosimetry_position_doses(result->time_points, index + 1, input);

	point->region_baseline_r2star_per_s = delta->region_baseline_r2star_per_s;
	point->sigma = scan->map->sigma;
	point->air_sigma = scan->map->air_sigma;
	point->s0_scale = delta->s0_scale;
	point->flags |= delta->flags | find_flags(point, index > 0 ? point - 1 : NULL, scan,
						  &between, input, params);
	result->relaxivity_used = between.relaxivity_per_s_per_mg_per_ml;
	return STATUS_OK;
}

/* The time points behind those that there are. */
static enum status_code run_new(struct dosimetry_result *result, struct course *course,
				const struct dosimetry_input *input,
				const struct dosimetry_params *params, struct status *st)
{
	if (dosimetry_regions_make(&course->regions, &input->baseline, &course->plan, input, params,
				   st) != STATUS_OK ||
	    dosimetry_evaluate_baseline(&course->baseline, &course->regions, input, params, st) !=
		STATUS_OK ||
	    dosimetry_sums_make(&result->sums, input->result_grid, st) != STATUS_OK)
		return st->code;
	while (result->n_time_points < input->n_scans) {
		int index = result->n_time_points++;
		if (run_time_point(result, index, course, input, params, st) != STATUS_OK)
			return st->code;
		for (int voi = 0; voi < input->n_vois && index > 0; voi++)
			mask_free(&result->time_points[index - 1].underdosed[voi]);
	}
	result->baseline_sigma = course->baseline.sigma;
	result->baseline_air_sigma = input->baseline.map->air_sigma;
	result->usable_sigma = input->baseline.map->usable_sigma;
	result->saturated_sigma = input->baseline.map->saturated_sigma;
	result->evaluated_volume_ml = course->baseline.evaluated_ml;
	result->excluded_artefact_ml = course->baseline.artefact_ml;
	return STATUS_OK;
}

/* What hangs on all injections known by now, of every time point. */
static void look_back(struct dosimetry_result *result, const struct dosimetry_plan *plan,
		      const struct dosimetry_input *input, const struct dosimetry_params *params)
{
	for (int index = 0; index < result->n_time_points; index++) {
		struct dosimetry_time_point *point = &result->time_points[index];
		dosimetry_part_recovery(point, plan, input);
		dosimetry_trends(result->time_points, index + 1, plan, input, params);
		point->flags = (point->flags & ~DOSIMETRY_PLAN_FLAGS) | plan->flags;
	}
}

/* Room for the time points to come. */
static enum status_code make_room(struct dosimetry_result *result,
				  const struct dosimetry_input *input, struct status *st)
{
	size_t size = (size_t)input->n_scans * sizeof *result->time_points;
	size_t known = (size_t)result->n_time_points * sizeof *result->time_points;
	struct dosimetry_time_point *points = realloc(result->time_points, size);
	if (!points)
		return status_fail(st, STATUS_RETRY, "no memory for %d time points",
				   input->n_scans);
	memset((char *)points + known, 0, size - known);
	result->time_points = points;
	return STATUS_OK;
}

enum status_code dosimetry_run(struct dosimetry_result *result, const struct dosimetry_input *input,
			       const struct dosimetry_params *params, struct status *st)
{
	struct course *course = calloc(1, sizeof *course);
	if (!course) {
		(void)status_fail(st, STATUS_RETRY, "no memory for a run");
		goto out;
	}
	if (dosimetry_check(input, result->n_time_points, params, st) != STATUS_OK ||
	    dosimetry_check_known(result, input, st) != STATUS_OK ||
	    dosimetry_plan_make(&course->plan, input, st) != STATUS_OK ||
	    make_room(result, input, st) != STATUS_OK)
		goto out;
	if (result->n_time_points < input->n_scans)
		(void)!run_new(result, course, input, params, st);
	else
		(void)!dosimetry_restore_last(result, input, params, st);
	if (st->code == STATUS_OK)
		look_back(result, &course->plan, input, params);
out:
	if (course) {
		dosimetry_plan_free(&course->plan);
		dosimetry_baseline_map_free(&course->baseline);
		dosimetry_regions_free(&course->regions);
		dosimetry_delta_free(&course->delta);
		kernel_free(&course->kernel);
		free(course);
	}
	if (st->code != STATUS_OK)
		dosimetry_result_free(result);
	return st->code;
}

void dosimetry_result_free(struct dosimetry_result *result)
{
	for (int i = 0; result->time_points && i < result->n_time_points; i++) {
		volume_free(&result->time_points[i].dose_gy);
		volume_free(&result->time_points[i].kernel_dose_gy);
		for (int voi = 0; voi < DOSIMETRY_MAX_VOIS; voi++)
			mask_free(&result->time_points[i].underdosed[voi]);
	}
	free(result->time_points);
	dosimetry_sums_free(&result->sums);
	*result = (struct dosimetry_result){.n_time_points = 0};
}
