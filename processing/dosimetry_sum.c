/* dosimetry_sum.c - from dR2* to activity and dose, increment by increment.
 *
 * A voxel without a value in one scan has no dose there; the next scan's increment then spans both
 * intervals, with the specific activity of all that was injected in them. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>

#include "dose.h"
#include "holmium.h"
#include "mask_piece.h"
#include "parallel.h"

#define VOXELS_PER_PIECE 65536

/* ---- what was injected between two scans ---- */

/* Where a net activity is unknown the weights are unknown too: then every injection counts the same
 * (specific activities of one vial differ by 2.6 % per hour), and DOSIMETRY_ACTIVITY_UNKNOWN says
 * so. */
struct dosimetry_interval dosimetry_join_injections(const struct dosimetry_input *input,
						    const struct dosimetry_params *params,
						    int first, int last)
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

/* ---- room ---- */

enum status_code dosimetry_sums_make(struct dosimetry_sums *sums, const struct grid *result_grid,
				     struct status *st)
{
	size_t voxels = grid_voxels(result_grid);
	if (sums->voxels == voxels)
		return STATUS_OK;
	if (sums->voxels > 0)
		return status_fail(st, STATUS_BUG,
				   "sums of %zu voxels do not go on in a grid of %zu", sums->voxels,
				   voxels);
	sums->activity_mbq_per_ml = calloc(voxels, sizeof *sums->activity_mbq_per_ml);
	sums->last_delta_per_s = calloc(voxels, sizeof *sums->last_delta_per_s);
	sums->last_scan = calloc(voxels, 1);
	sums->voxels = voxels;
	if (!sums->activity_mbq_per_ml || !sums->last_delta_per_s || !sums->last_scan)
		return status_fail(st, STATUS_RETRY, "no memory for %zu voxels of activity",
				   voxels);
	return STATUS_OK;
}

void dosimetry_sums_free(struct dosimetry_sums *sums)
{
	free(sums->activity_mbq_per_ml);
	free(sums->last_delta_per_s);
	free(sums->last_scan);
	*sums = (struct dosimetry_sums){.voxels = 0};
}

/* ---- an increment ---- */

static float gy_per_activity(const struct dosimetry_params *params)
{
	return (float)dose_gy_per_mbq_per_ml(params->dose_constant_mj_per_mbq,
					     params->density_g_per_ml);
}

struct increment {
	struct dosimetry_sums *sums;
	const float *delta_per_s; /* of this scan, result grid */
	float *dose_gy;		  /* may be the same place */
	uint8_t scan;		  /* 1, 2, ... */
	/* MBq/mL per 1/s for what was injected since scan `index` */
	float activity_per_delta[DOSIMETRY_MAX_SCANS];
	float gy_per_mbq_per_ml;
};

static void add_some(void *user, size_t first, size_t last)
{
	const struct increment *step = user;
	struct dosimetry_sums *sums = step->sums;
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

void dosimetry_add_increment(struct dosimetry_time_point *point, struct dosimetry_sums *sums,
			     int index, const struct volume *carried,
			     const struct dosimetry_input *input,
			     const struct dosimetry_params *params)
{
	struct increment step = {
	    .sums = sums,
	    .delta_per_s = carried->samples,
	    .dose_gy = point->dose_gy.samples,
	    .scan = (uint8_t)(index + 1),
	    .gy_per_mbq_per_ml = gy_per_activity(params),
	};
	for (int since = 0; since <= index; since++) {
		int number_before = since == 0 ? 0 : input->scans[since - 1].after_injection;
		struct dosimetry_interval joined =
		    dosimetry_join_injections(input, params, number_before, point->after_injection);
		step.activity_per_delta[since] = (float)(joined.specific_activity_mbq_per_mg /
							 joined.relaxivity_per_s_per_mg_per_ml);
	}
	parallel_for(sums->voxels, VOXELS_PER_PIECE, params->threads, add_some, &step);
	point->dose_gy.grid = *input->result_grid;
}

/* ---- the last dose, out of the sums ---- */

struct restoring {
	const struct dosimetry_sums *sums;
	float *dose_gy;
	uint8_t scan;
	float gy_per_mbq_per_ml;
};

static void restore_some(void *user, size_t first, size_t last)
{
	const struct restoring *r = user;
	for (size_t v = first; v < last; v++)
		r->dose_gy[v] = r->sums->last_scan[v] == r->scan
				    ? r->sums->activity_mbq_per_ml[v] * r->gy_per_mbq_per_ml
				    : (float)NAN;
}

static enum status_code restore_underdosed(struct dosimetry_time_point *point,
					   const struct dosimetry_input *input,
					   const struct dosimetry_params *params, struct status *st)
{
	for (int i = 0; i < input->n_vois && params->underdose_levels > 0; i++) {
		/* NaN: not one of which it is asked, or not measurable */
		if (!(point->voi[i].underdosed_volume_ml[0] > 0))
			continue;
		mask_free(&point->underdosed[i]);
		if (mask_below(&point->underdosed[i], input->vois[i].mask, &point->dose_gy,
			       params->underdosed_below_gy[0], st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

enum status_code dosimetry_restore_last(struct dosimetry_result *result,
					const struct dosimetry_input *input,
					const struct dosimetry_params *params, struct status *st)
{
	struct dosimetry_time_point *last = &result->time_points[result->n_time_points - 1];
	if (last->dose_gy.samples)
		return STATUS_OK;
	if (!result->sums.last_scan)
		return status_fail(st, STATUS_BUG, "a result without its sums");
	last->dose_gy.grid = *input->result_grid;
	last->dose_gy.samples = malloc(result->sums.voxels * sizeof *last->dose_gy.samples);
	if (!last->dose_gy.samples)
		return status_fail(st, STATUS_RETRY, "no memory for a dose of %zu voxels",
				   result->sums.voxels);
	struct restoring r = {&result->sums, last->dose_gy.samples, (uint8_t)result->n_time_points,
			      gy_per_activity(params)};
	parallel_for(result->sums.voxels, VOXELS_PER_PIECE, params->threads, restore_some, &r);
	return restore_underdosed(last, input, params, st);
}
