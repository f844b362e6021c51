/* dosimetry.c - the chain of dosimetry.h in its order; the page to read first. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dose.h"
#include "holmium.h"
#include "parallel.h"
#include "resample.h"

#define ORDER_UNCLEAR_BELOW  0.5 /* mass found / mass injected between two scans */
#define ORDER_UNCLEAR_ABOVE  1.5
#define RECOVERY_JUMP_POINTS 0.10
#define MASS_KEPT_WITHIN     0.005
#define GRID_TOLERANCE_MM    1e-3
#define VOXELS_PER_PIECE     65536

/* ---- what was injected between two scans ---- */

/* Injections with first < number <= last, as if at once. Where a net activity is unknown the
 * weights are unknown too: then every injection counts the same (specific activities of one vial
 * differ by 2.6 % per hour), and DOSIMETRY_ACTIVITY_UNKNOWN says so. */
static struct dosimetry_interval join_injections(const struct dosimetry_input *input,
						 const struct dosimetry_params *params, int first,
						 int last)
{
	struct dosimetry_interval joined = {0, 0, 0, 0, false};
	double specific[DOSIMETRY_MAX_INJECTIONS] = {0}, activity[DOSIMETRY_MAX_INJECTIONS] = {0};
	int count = last - first;
	for (int i = 0; i < count; i++) {
		const struct dosimetry_injection *injection = &input->injections[first + i];
		activity[i] = injection->net_activity_mbq;
		specific[i] = injection->specific_activity_mbq_per_mg;
		joined.activity_mbq += activity[i];
		joined.mass_mg += activity[i] / specific[i];
	}
	joined.specific_activity_mbq_per_mg =
	    holmium_effective_specific_activity(activity, specific, count);
	double weighted_content = 0;
	for (int i = 0; i < count; i++) {
		double share = isnan(joined.mass_mg) ? 1.0 / count
						     : activity[i] / specific[i] / joined.mass_mg;
		weighted_content += share * input->injections[first + i].holmium_percent;
	}
	if (isnan(joined.mass_mg)) {
		joined.specific_activity_mbq_per_mg = 0;
		for (int i = 0; i < count; i++)
			joined.specific_activity_mbq_per_mg += specific[i] / count;
	}
	joined.content_unscaled =
	    isnan(weighted_content) || isnan(params->relaxivity_holmium_percent);
	joined.relaxivity_per_s_per_mg_per_ml =
	    holmium_relaxivity_for_content(params->relaxivity_per_s_per_mg_per_ml, weighted_content,
					   params->relaxivity_holmium_percent);
	return joined;
}

static int number_before(const struct dosimetry_input *input, int scan)
{
	return scan == 0 ? 0 : input->scans[scan - 1].after_injection;
}

/* ---- from dR2* to dose, voxel by voxel on the result grid ---- */

/* Per voxel, the sum of activity so far and the last dR2* that was measured, with the number of its
 * scan (0: baseline). A voxel without a value in one scan has no dose there; the next scan's
 * increment then spans both intervals. */
struct accumulation {
	float *activity_mbq_per_ml, *last_delta_per_s; /* owned */
	uint8_t *last_scan;			       /* owned */
	size_t voxels;
};

static enum status_code accumulation_new(struct accumulation *sums, size_t voxels,
					 struct status *st)
{
	sums->voxels = voxels;
	sums->activity_mbq_per_ml = calloc(voxels, sizeof *sums->activity_mbq_per_ml);
	sums->last_delta_per_s = calloc(voxels, sizeof *sums->last_delta_per_s);
	sums->last_scan = calloc(voxels, 1);
	if (!sums->activity_mbq_per_ml || !sums->last_delta_per_s || !sums->last_scan)
		return status_fail(st, STATUS_RETRY, "no memory for %zu voxels of activity",
				   voxels);
	return STATUS_OK;
}

static void accumulation_free(struct accumulation *sums)
{
	free(sums->activity_mbq_per_ml);
	free(sums->last_delta_per_s);
	free(sums->last_scan);
}

struct increment {
	struct accumulation *sums;
	const float *delta_per_s; /* of this scan, result grid */
	float *dose_gy;		  /* may be the same place */
	uint8_t scan;		  /* 1, 2, ... */
	/* MBq/mL per 1/s for what was injected since scan `index` */
	float activity_per_delta[DOSIMETRY_MAX_SCANS];
	float gy_per_mbq_per_ml;
};

static void add_increment(void *user, size_t first, size_t last)
{
	const struct increment *step = user;
	struct accumulation *sums = step->sums;
	for (size_t v = first; v < last; v++) {
		float delta = step->delta_per_s[v];
		if (isnan(delta)) {
			step->dose_gy[v] = NAN;
			continue;
		}
		float factor = step->activity_per_delta[sums->last_scan[v]];
		sums->activity_mbq_per_ml[v] += (delta - sums->last_delta_per_s[v]) * factor;
		sums->last_delta_per_s[v] = delta;
		sums->last_scan[v] = step->scan;
		step->dose_gy[v] = sums->activity_mbq_per_ml[v] * step->gy_per_mbq_per_ml;
	}
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
	if (!grid_same(&moved, &delta->delta_r2star_per_s.grid, GRID_TOLERANCE_MM))
		return resample_trilinear(dose_gy, &moved, &delta->delta_r2star_per_s, NULL,
					  threads, st);
	*carried = &delta->delta_r2star_per_s;
	return volume_new(dose_gy, input->result_grid, NAN, st);
}

static void add_dose(struct dosimetry_time_point *point, struct accumulation *sums, int index,
		     const struct volume *carried, const struct dosimetry_input *input,
		     const struct dosimetry_params *params)
{
	struct increment step = {
	    .sums = sums,
	    .delta_per_s = carried->samples,
	    .dose_gy = point->dose_gy.samples,
	    .scan = (uint8_t)(index + 1),
	    .gy_per_mbq_per_ml = (float)dose_gy_per_mbq_per_ml(params->dose_constant_mj_per_mbq,
							       params->density_g_per_ml),
	};
	for (int since = 0; since <= index; since++) {
		struct dosimetry_interval joined = join_injections(
		    input, params, number_before(input, since), point->after_injection);
		step.activity_per_delta[since] = (float)(joined.specific_activity_mbq_per_mg /
							 joined.relaxivity_per_s_per_mg_per_ml);
	}
	parallel_for(sums->voxels, VOXELS_PER_PIECE, params->threads, add_increment, &step);
	point->dose_gy.grid = *input->result_grid;
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

/* What lives from one time point to the next. */
struct course {
	struct dosimetry_plan plan;
	struct dosimetry_baseline_map baseline;
	struct dosimetry_regions regions;
	struct dosimetry_delta delta;
	struct accumulation sums;
	struct dosimetry_recovery recovery;
	struct kernel kernel;
	struct dosimetry_noise noise;
};

static enum status_code run_time_point(struct dosimetry_result *result, int index,
				       struct course *course, const struct dosimetry_input *input,
				       const struct dosimetry_params *params, struct status *st)
{
	const struct dosimetry_scan *scan = &input->scans[index];
	struct dosimetry_time_point *point = &result->time_points[index];
	struct dosimetry_interval between =
	    join_injections(input, params, number_before(input, index), scan->after_injection);
	struct dosimetry_delta *delta = &course->delta;
	const struct volume *carried = NULL;
	const bool figures = !params->maps_only || index + 1 == input->n_scans;

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
	dosimetry_recover(point, &course->recovery, &between, &course->plan, delta, carried,
			  &course->regions, input);
	add_dose(point, &course->sums, index, carried, input, params);
	sum_few_echo_volumes(point, delta);
	if (figures &&
	    dosimetry_figures(point, &course->plan, scan, delta, input, params, st) != STATUS_OK)
		return st->code;
	course->noise.gy_per_delta[index] =
	    between.specific_activity_mbq_per_mg / between.relaxivity_per_s_per_mg_per_ml *
	    dose_gy_per_mbq_per_ml(params->dose_constant_mj_per_mbq, params->density_g_per_ml);
	if (!params->maps_only &&
	    dosimetry_uncertainties(point, &course->noise, index, &course->plan, delta,
				    &course->baseline, input, params, st) != STATUS_OK)
		return st->code;
	if (dosimetry_kernel_dose(point, &course->kernel, &course->plan, input, params, st) !=
	    STATUS_OK)
		return st->code;
	if (!params->maps_only) {
		dosimetry_position_doses(result->time_points, index + 1, input);
		dosimetry_trends(result->time_points, index + 1, &course->plan, input, params);
	}

	point->region_baseline_r2star_per_s = delta->region_baseline_r2star_per_s;
	point->sigma = scan->map->sigma;
	point->air_sigma = scan->map->air_sigma;
	point->s0_scale = delta->s0_scale;
	point->flags |=
	    course->plan.flags | delta->flags |
	    find_flags(point, index > 0 ? point - 1 : NULL, scan, &between, input, params);
	result->relaxivity_used = between.relaxivity_per_s_per_mg_per_ml;
	return STATUS_OK;
}

enum status_code dosimetry_run(struct dosimetry_result *result, const struct dosimetry_input *input,
			       const struct dosimetry_params *params, struct status *st)
{
	if (dosimetry_check(input, params, st) != STATUS_OK)
		return st->code;

	struct dosimetry_result made = {.n_time_points = input->n_scans};
	struct course *course = calloc(1, sizeof *course);
	made.time_points = calloc((size_t)input->n_scans, sizeof *made.time_points);
	if (!course || !made.time_points) {
		(void)status_fail(st, STATUS_RETRY, "no memory for %d time points", input->n_scans);
		goto out;
	}
	if (dosimetry_plan_make(&course->plan, input, st) != STATUS_OK ||
	    dosimetry_regions_make(&course->regions, &input->baseline, &course->plan, input, params,
				   st) != STATUS_OK ||
	    dosimetry_evaluate_baseline(&course->baseline, &course->regions, input, params, st) !=
		STATUS_OK ||
	    accumulation_new(&course->sums, grid_voxels(input->result_grid), st) != STATUS_OK)
		goto out;
	for (int index = 0; index < input->n_scans; index++) {
		if (run_time_point(&made, index, course, input, params, st) != STATUS_OK)
			goto out;
		for (int voi = 0; voi < input->n_vois && index > 0; voi++)
			mask_free(&made.time_points[index - 1].underdosed[voi]);
		if (params->maps_only && index > 0)
			volume_free(&made.time_points[index - 1].dose_gy);
	}
	made.baseline_sigma = course->baseline.sigma;
	made.baseline_air_sigma = input->baseline.map->air_sigma;
	made.usable_sigma = input->baseline.map->usable_sigma;
	made.saturated_sigma = input->baseline.map->saturated_sigma;
	made.evaluated_volume_ml = course->baseline.evaluated_ml;
	made.excluded_artefact_ml = course->baseline.artefact_ml;
	*result = made;
	made.time_points = NULL;
out:
	if (course) {
		dosimetry_plan_free(&course->plan);
		dosimetry_baseline_map_free(&course->baseline);
		dosimetry_regions_free(&course->regions);
		dosimetry_delta_free(&course->delta);
		accumulation_free(&course->sums);
		kernel_free(&course->kernel);
		volume_free(&course->noise.baseline_on_result);
		free(course);
	}
	dosimetry_result_free(&made);
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
	result->time_points = NULL;
	result->n_time_points = 0;
}
