/* job_dosimetry.c - the dosimetry of a job, going on from what is kept of the scans before.
 *
 * After every scan the course so far is kept (course_cache.h). A map begins where the map of the
 * scan before ended, and a report where the newest map did, with nothing left to compute. Only the
 * maps of the baseline and of new scans are read, one scan at a time. */
#include "job_parts.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "course_cache.h"
#include "deformation.h"
#include "log.h"
#include "parallel.h"
#include "rt_dose.h"
#include "uid.h"

/* ---- the key: every input of the numbers of the first n scans ---- */

static void digest_number(struct digest *digest, int number)
{
	digest_double(digest, number);
}

static void digest_numbers(struct digest *digest, const double *numbers, int count)
{
	digest_number(digest, count);
	for (int i = 0; i < count; i++)
		digest_double(digest, numbers[i]);
}

static void digest_grid(struct digest *digest, const struct grid *grid)
{
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	for (int axis = 0; axis < 3; axis++)
		digest_number(digest, size[axis]);
	digest_numbers(digest, grid->origin_mm, 3);
	digest_numbers(digest, grid->column_step_mm, 3);
	digest_numbers(digest, grid->row_step_mm, 3);
	digest_numbers(digest, grid->slice_step_mm, 3);
	digest_text(digest, grid->frame_of_reference);
}

static void digest_deformation(struct digest *digest, const struct deformation *deformation)
{
	if (!deformation) {
		digest_text(digest, "rigid");
		return;
	}
	digest_grid(digest, &deformation->control);
	digest_bytes(digest, deformation->displacement_mm,
		     3 * grid_voxels(&deformation->control) * sizeof *deformation->displacement_mm);
	digest_numbers(digest, deformation->rigid, RIGID_SIZE);
}

static void digest_scan(struct digest *digest, const struct job_case *c,
			const struct job_scan *scan, const struct dosimetry_scan *input)
{
	char key[65];
	map_cache_key(key, scan->series->evidence_hash, c->config->usable_echo_sigma,
		      c->config->saturated_sigma);
	digest_text(digest, key);
	digest_grid(digest, &scan->arranged.grid);
	digest_number(digest, input->after_injection);
	digest_double(digest, input->tr_ms);
	digest_double(digest, input->flip_deg);
	digest_number(digest, input->to_result != NULL);
	if (input->to_result)
		digest_numbers(digest, input->to_result, RIGID_SIZE);
	digest_double(digest, input->residual_mm);
	digest_deformation(digest, input->deformation);
}

static void digest_injection(struct digest *digest, const struct dosimetry_injection *injection)
{
	digest_number(digest, injection->number);
	digest_double(digest, injection->start_s);
	digest_double(digest, injection->net_activity_mbq);
	digest_double(digest, injection->specific_activity_mbq_per_mg);
	digest_double(digest, injection->holmium_percent);
	digest_number(digest, injection->position);
	digest_number(digest, injection->part_voi);
	digest_number(digest, injection->residual_pending);
}

/* All but threads, and but what is found anew for every time point: trend and advice. */
static void digest_params(struct digest *digest, const struct dosimetry_params *params)
{
	const double numbers[] = {
	    params->relaxivity_per_s_per_mg_per_ml,
	    params->relaxivity_holmium_percent,
	    params->dose_constant_mj_per_mbq,
	    params->density_g_per_ml,
	    (double)params->baseline,
	    params->body_snr,
	    params->artefact_r2star_per_s,
	    params->limited_above_percent,
	    params->not_measurable_above_percent,
	    params->recovery_low_percent,
	    params->recovery_high_percent,
	    params->registration_limit_mm,
	    params->uncertainty.relaxivity_percent,
	    params->uncertainty.specific_activity_percent,
	    params->uncertainty.injected_activity_percent,
	    (double)params->kernel,
	};
	digest_numbers(digest, numbers, (int)(sizeof numbers / sizeof *numbers));
	digest_numbers(digest, params->dose_level_gy, params->dose_levels);
	digest_numbers(digest, params->underdosed_below_gy, params->underdose_levels);
}

/* A mask follows from the contours, the grids and its part in the set; its volume is a check. */
static void digest_vois(struct digest *digest, const struct job_case *c)
{
	digest_text(digest, c->has_structure_set ? c->structure_instance.info.evidence_hash : "");
	digest_number(digest, c->input.n_vois);
	if (c->input.n_vois > 0)
		digest_grid(digest, job_drawn_on(c));
	for (int i = 0; i < c->input.n_vois; i++) {
		const struct treatment_voi *voi = &c->slots.vois[i];
		digest_number(digest, voi->roi);
		digest_text(digest, voi->group);
		digest_text(digest, voi->name);
		digest_number(digest, (int)c->voi[i].role);
		digest_number(digest, c->voi[i].part_voi);
		digest_double(digest, mask_volume_ml(&c->mask[i]));
	}
}

void job_course_key(char key[65], const struct job_case *c, int n_scans)
{
	struct digest *digest = digest_new();
	const struct dosimetry_input *input = &c->input;
	digest_text(digest, job_dosimetry_method());
	digest_text(digest, HOLMIA_VERSION);
	digest_number(digest, c->recompute_serial);
	digest_params(digest, &c->params);
	digest_grid(digest, input->result_grid);
	digest_vois(digest, c);
	digest_scan(digest, c, &c->baseline, &input->baseline);
	for (int i = 0; i < n_scans; i++)
		digest_scan(digest, c, c->scan_of[i], &input->scans[i]);
	for (int i = 0; i < input->scans[n_scans - 1].after_injection; i++)
		digest_injection(digest, &input->injections[i]);
	digest_finish(digest, key);
}

/* ---- means of the stored dose ---- */

struct storing {
	struct job_case *c;
	const uint16_t *stored;
	double scaling_gy;
	int time_point;
};

/* Mean over a VOI of what the pixels of the dose object say, voxels without a dose as the 0 that is
 * stored. */
static double stored_mean(const uint16_t *stored, double scaling_gy, const struct mask *mask)
{
	double sum = 0, weight = 0;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row = ((size_t)k * (size_t)mask->grid.rows + (size_t)j) *
				     (size_t)mask->grid.columns;
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				double coverage = (double)mask->coverage[row + (size_t)i];
				sum += coverage * stored[row + (size_t)i];
				weight += coverage;
			}
		}
	}
	if (!(weight > 0))
		return (double)NAN;
	return sum / weight * scaling_gy;
}

static void store_some(void *user, size_t first, size_t last)
{
	const struct storing *s = user;
	for (size_t i = first; i < last; i++)
		s->c->stored_mean_gy[i][s->time_point] =
		    stored_mean(s->stored, s->scaling_gy, &s->c->mask[i]);
}

static enum status_code find_stored_means(struct job_case *c, int time_point, struct status *st)
{
	struct storing s = {.c = c, .time_point = time_point};
	if (c->input.n_vois == 0)
		return STATUS_OK;
	uint16_t *stored = malloc(grid_voxels(c->input.result_grid) * sizeof *stored);
	if (!stored)
		return status_fail(st, STATUS_RETRY, "no memory for a stored dose");
	s.stored = stored;
	if (rt_dose_quantise(stored, &s.scaling_gy, &c->result.time_points[time_point].dose_gy,
			     st) == STATUS_OK)
		parallel_for((size_t)c->input.n_vois, 1, c->config->threads_per_worker, store_some,
			     &s);
	free(stored);
	return st->code;
}

/* ---- the dosimetry ---- */

/* The longest course that is kept. A map needs its dose by the kernel too, which is not: it is
 * computed from the course before it. */
static enum status_code find_course(struct job_case *c, struct status *st)
{
	int n = c->input.n_scans;
	bool found = false;
	char key[65];
	for (int known = c->job->kind == JOB_REPORT ? n : n - 1; known > 0 && !found; known--) {
		job_course_key(key, c, known);
		if (course_cache_get(&c->result, c->stored_mean_gy, &found, c->config->spool, key,
				     c->config->threads_per_worker, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* ---- keeping ---- */

/* The newest course of a map, on its way to its file while the dose object is built and put: only
 * the report and the next scan ask for it. Until it has ended, the result is only read. */
struct job_keeping {
	pthread_t thread;
	struct job_case *c;
	int n_scans;
	char key[65];
};

/* A dose that is there does not wait for room to keep what it was made with. */
static void keep_course(const struct job_keeping *keeping)
{
	struct job_case *c = keeping->c;
	struct status st = STATUS_INIT;
	if (course_cache_put(c->config->spool, keeping->key, &c->result, c->stored_mean_gy,
			     c->config->threads_per_worker, &st) != STATUS_OK)
		log_line(LOG_WARN_LINE, "course not kept", "after=%d why=\"%s\"",
			 c->result.time_points[keeping->n_scans - 1].after_injection, st.text);
}

static void *keep_beside(void *user)
{
	struct job_keeping *keeping = user;
	struct status st = STATUS_INIT;
	if (find_stored_means(keeping->c, keeping->n_scans - 1, &st) == STATUS_OK)
		keep_course(keeping);
	else
		log_line(LOG_WARN_LINE, "course not kept", "why=\"%s\"", st.text);
	return NULL;
}

void job_wait_for_keeping(struct job_case *c)
{
	if (!c->keeping)
		return;
	pthread_join(c->keeping->thread, NULL);
	free(c->keeping);
	c->keeping = NULL;
}

/* beside: what is kept is not needed by this job. */
static enum status_code keep(struct job_case *c, int n_scans, bool beside, struct status *st)
{
	struct job_keeping keeping = {.c = c, .n_scans = n_scans};
	job_course_key(keeping.key, c, n_scans);
	c->keeping = beside ? malloc(sizeof keeping) : NULL;
	if (c->keeping) {
		*c->keeping = keeping;
		if (pthread_create(&c->keeping->thread, NULL, keep_beside, c->keeping) == 0)
			return STATUS_OK;
		free(c->keeping);
		c->keeping = NULL;
	}
	if (find_stored_means(c, n_scans - 1, st) == STATUS_OK)
		keep_course(&keeping);
	return st->code;
}

/* ---- one scan after the other ---- */

static enum status_code run_next(struct job_case *c, int n_scans, struct status *st)
{
	int index = c->result.n_time_points;
	struct job_scan *scan = c->scan_of[index];
	if (job_need_map(c, &c->baseline, st) != STATUS_OK ||
	    job_need_map(c, scan, st) != STATUS_OK)
		return st->code;
	c->input.baseline.map = &c->baseline.kept.map;
	c->scan[index].map = &scan->kept.map;
	c->input.n_scans = index + 1;
	if (dosimetry_run(&c->result, &c->input, &c->params, st) != STATUS_OK)
		return st->code;
	c->scan[index].map = NULL;
	kept_map_free(&scan->kept);
	return keep(c, index + 1, c->job->kind == JOB_MAP && index + 1 == n_scans, st);
}

enum status_code job_run_dosimetry(struct job_case *c, struct status *st)
{
	int n = c->input.n_scans;
	if (find_course(c, st) != STATUS_OK)
		return st->code;
	log_line(LOG_DEBUG_LINE, "dosimetry goes on", "kind=%s after=%d known=%d of=%d",
		 job_kind_name(c->job->kind), c->job->after_injection, c->result.n_time_points, n);
	if (c->result.n_time_points == n)
		return dosimetry_run(&c->result, &c->input, &c->params, st);
	while (c->result.n_time_points < n) {
		if (run_next(c, n, st) != STATUS_OK)
			break;
		struct dosimetry_time_point *last =
		    &c->result.time_points[c->result.n_time_points - 1];
		if (c->result.n_time_points < n) {
			volume_free(&last->dose_gy);
			volume_free(&last->kernel_dose_gy);
		}
	}
	if (st->code != STATUS_OK) /* nothing that another attempt could go on from */
		dosimetry_result_free(&c->result);
	kept_map_free(&c->baseline.kept);
	c->input.baseline.map = NULL;
	c->input.n_scans = n;
	return st->code;
}
