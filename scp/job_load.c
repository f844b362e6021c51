/* job_load.c - from rows and bytes to what dosimetry_run() wants. */
#include "job_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "parallel.h"
#include "treatment_store.h"

#define GRID_TOLERANCE_MM 1e-2
#define CUT_OFF_TOLD	  0.01 /* of a region's volume, outside the result grid */

void job_warn(struct job_case *c, const char *code, const char *format, ...)
{
	if (c->n_warnings >= JOB_MAX_WARNINGS)
		return;
	struct report_warning *warning = &c->warnings[c->n_warnings++];
	va_list arguments;
	warning->code = code;
	va_start(arguments, format);
	vsnprintf(warning->text, sizeof warning->text, format, arguments);
	va_end(arguments);
}

static enum status_code supersede(bool *superseded, struct status *st, const char *words)
{
	*superseded = true;
	return status_fail(st, STATUS_REFUSE, "superseded: %s", words);
}

/* ---- series and their maps ---- */

static enum status_code arrange(struct mr_series *arranged, const struct catalogue_series *series,
				struct status *st)
{
	struct instance_info *infos = malloc((size_t)series->n_instances * sizeof *infos);
	if (!infos)
		return status_fail(st, STATUS_RETRY, "no memory for %d images",
				   series->n_instances);
	for (int i = 0; i < series->n_instances; i++)
		infos[i] = series->instances[i].info;
	(void)!mr_series_arrange(arranged, infos, series->n_instances, st);
	free(infos);
	return st->code;
}

enum status_code job_find_series(struct job_scan *scan, bool *superseded,
				 const struct catalogue_patient *patient,
				 const struct job_series *wanted, struct status *st)
{
	for (int i = 0; i < patient->n_series; i++) {
		const struct catalogue_series *series = &patient->series[i];
		if (series->id != wanted->series_id)
			continue;
		if (strcmp(series->evidence_hash, wanted->evidence_hash) != 0)
			return supersede(superseded, st,
					 "later images belong to one of its series");
		scan->series = series;
		scan->after_injection = wanted->after_injection;
		return arrange(&scan->arranged, series, st);
	}
	return supersede(superseded, st, "one of its series is not usable any more");
}

static enum status_code read_image(void *user, int index, struct dataset **ds, struct status *st)
{
	const struct catalogue_series *series = user;
	return catalogue_read(ds, &series->instances[index].where, st);
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static enum status_code load_and_fit(struct r2star_map *map, const struct config *config,
				     const struct job_scan *scan, double *fit_s, struct status *st)
{
	const struct mr_series *arranged = &scan->arranged;
	size_t values = (size_t)arranged->echoes * grid_voxels(&arranged->grid);
	float *samples = malloc(values * sizeof *samples);
	if (!samples)
		return status_fail(st, STATUS_RETRY, "no memory for %d echoes", arranged->echoes);
	struct catalogue_series series =
	    *scan->series; /* a copy: the callback's user is not const */
	struct echo_series echoes = {
	    .grid = arranged->grid,
	    .echoes = arranged->echoes,
	    .te_ms = arranged->te_ms,
	    .samples = samples,
	};
	struct r2star_params params = {
	    .usable_sigma = config->usable_echo_sigma,
	    .saturated_sigma = config->saturated_sigma,
	    .threads = config->threads_per_worker,
	};
	if (mr_series_load(samples, arranged, read_image, &series, config->threads_per_worker,
			   st) == STATUS_OK) {
		double start_s = seconds_now();
		(void)!r2star_fit(map, &echoes, &params, st);
		*fit_s += seconds_now() - start_s;
	}
	free(samples);
	return st->code;
}

enum status_code job_fit_series(struct kept_map *kept, const struct config *config,
				const struct job_scan *scan, bool anew, double *fit_s,
				struct status *st)
{
	struct kept_map found_map = {.mapping = NULL};
	struct r2star_map fitted = {.state = NULL};
	char key[65];
	bool found = false;

	map_cache_key(key, scan->series->evidence_hash, config->usable_echo_sigma,
		      config->saturated_sigma);
	if (!anew && map_cache_get(&found_map, &found, config->spool, key, st) != STATUS_OK)
		return st->code;
	if (!found) {
		if (load_and_fit(&fitted, config, scan, fit_s, st) == STATUS_OK)
			(void)!map_cache_put(config->spool, key, &fitted, st);
		r2star_map_free(&fitted);
		if (st->code == STATUS_OK && kept &&
		    map_cache_get(&found_map, &found, config->spool, key, st) == STATUS_OK &&
		    !found)
			(void)status_fail(
			    st, STATUS_RETRY,
			    "a map that was just kept in %s/maps cannot be read again",
			    config->spool);
	}
	if (kept && st->code == STATUS_OK)
		*kept = found_map;
	else
		kept_map_free(&found_map);
	return st->code;
}

/* A series that cannot be a map names itself in front of the words. */
static enum status_code load_scan(struct job_scan *scan, struct job_case *c,
				  const struct job_series *wanted, double *fit_s, struct status *st)
{
	if (job_find_series(scan, &c->superseded, c->patient, wanted, st) != STATUS_OK ||
	    c->superseded)
		return st->code;
	if (!scan->arranged.complete)
		return status_fail(st, STATUS_REFUSE, "series %s: %s",
				   scan->series->series_instance_uid, scan->arranged.missing);
	if (job_fit_series(&scan->kept, c->config, scan, false, fit_s, st) != STATUS_OK)
		return status_prefix(st, "series %s", scan->series->series_instance_uid);
	return STATUS_OK;
}

static enum status_code load_series(struct job_case *c, double *fit_s, struct status *st)
{
	const struct job *job = c->job;
	if (load_scan(&c->baseline, c, &job->baseline, fit_s, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < job->n_scans; i++) {
		if (load_scan(&c->after[i], c, &job->scans[i], fit_s, st) != STATUS_OK)
			return st->code;
	}
	c->has_anatomy = job->anatomy.series_id >= 0;
	if (c->has_anatomy && job_find_series(&c->anatomy, &c->superseded, c->patient,
					      &job->anatomy, st) != STATUS_OK)
		return st->code;
	c->shown_over = c->has_anatomy ? &c->anatomy : &c->baseline;
	return STATUS_OK;
}

/* ---- record, contours, roles ---- */

static enum status_code load_record(struct job_case *c, struct status *st)
{
	if (record_load(&c->record, c->store, c->job->record_id, st) != STATUS_OK) {
		c->superseded = st->code == STATUS_REFUSE; /* withdrawn */
		return st->code;
	}
	if (c->job->kind == JOB_REPORT && c->record.revision != c->job->record_revision)
		return supersede(&c->superseded, st, "a later revision of the record is in force");
	return STATUS_OK;
}

static enum status_code load_structure_set(struct job_case *c, struct status *st)
{
	struct dataset *ds = NULL;
	if (c->job->structure_set_id < 0)
		return STATUS_OK;
	if (catalogue_load_instance(&c->structure_instance, c->store, c->job->structure_set_id,
				    st) == STATUS_OK &&
	    catalogue_read(&ds, &c->structure_instance.where, st) == STATUS_OK &&
	    rt_structure_set_read(&c->structure_set, ds, st) == STATUS_OK)
		c->has_structure_set = true;
	dataset_free(ds);
	/* drawn on a second sending of the series: the same images as the first */
	char original[65];
	if (c->has_structure_set &&
	    catalogue_resolve_series(original, c->store, c->structure_set.referenced_series_uid,
				     st) == STATUS_OK)
		memcpy(c->structure_set.referenced_series_uid, original, sizeof original);
	return st->code;
}

/* Roles, injections and warnings as the planner saw them: the same function, on the job's own
 * contours, at the time the job was first claimed, so that a re-run says the same. */
static enum status_code assess(struct job_case *c, struct status *st)
{
	const struct result_identity *identity = &c->job->identity;
	struct treatment_input input = {
	    .config = c->config,
	    .patient = c->patient,
	    .record = &c->record,
	    .structure_sets = &c->structure_set,
	    .n_structure_sets = c->has_structure_set ? 1 : 0,
	    .now_s = site_time_to_utc(identity->created_datetime, identity->utc_offset,
				      c->config->time_zone),
	};
	if (treatment_assess(&c->slots, &input, st) != STATUS_OK)
		return st->code;
	if (c->slots.state == TREATMENT_REFUSED &&
	    (c->job->kind == JOB_REPORT || !c->slots.maps_ready))
		return supersede(&c->superseded, st, c->slots.waits_for);
	if (!c->slots.relaxivity)
		return status_fail(
		    st, STATUS_REFUSE,
		    "no relaxivity is configured for %g T: no dose; add it, with provenance",
		    c->slots.field_strength_t);
	for (int i = 0; i < c->slots.n_warnings; i++)
		job_warn(c, c->slots.warnings[i].code, "%s", c->slots.warnings[i].text);
	return STATUS_OK;
}

/* What was loaded is what the job was planned for: else its results would stand under the name of
 * other evidence, and a later plan that asks for that would find them done. */
static enum status_code check_hash(struct job_case *c, struct status *st)
{
	const char *contours = c->has_structure_set ? c->structure_instance.info.evidence_hash : "";
	struct job *now = malloc(sizeof *now);
	struct treatment_row *row = malloc(sizeof *row);
	char fingerprint[65];
	bool found = false;
	if (!now || !row) {
		(void)status_fail(st, STATUS_RETRY, "no memory for a job");
	} else if (treatment_row_load(&found, row, c->store, c->job->treatment_key, st) ==
		   STATUS_OK) {
		*now = *c->job;
		if (now->kind == JOB_REPORT)
			job_report_fingerprint(fingerprint, &c->record, c->slots.relaxivity);
		else
			job_map_fingerprint(fingerprint, now, &c->slots,
					    !c->config->baseline_voxelwise);
		job_hash(now, c->config, contours, fingerprint, row->recompute_serial);
		if (strcmp(now->hash, c->job->hash) != 0)
			(void)supersede(&c->superseded, st,
					"record, contours or configuration changed after it was "
					"planned");
	}
	free(now);
	free(row);
	return st->code;
}

/* ---- masks ---- */

struct rasterising {
	struct job_case *c;
	const struct grid *drawn_on;
	int interpolated[DOSIMETRY_MAX_VOIS], empty[DOSIMETRY_MAX_VOIS];
	double drawn_ml[DOSIMETRY_MAX_VOIS]; /* before it was carried to the result grid */
	struct status status[DOSIMETRY_MAX_VOIS];
};

static void rasterise_one(struct rasterising *r, int index)
{
	struct job_case *c = r->c;
	struct status *st = &r->status[index];
	const struct treatment_voi *voi = &c->slots.vois[index];
	const struct rt_roi *roi = &c->structure_set.rois[voi->roi];
	const struct grid *result_grid = &c->shown_over->arranged.grid;
	struct mask drawn = MASK_INIT;

	if (roi->frame_of_reference_uid[0] != '\0' &&
	    strcmp(roi->frame_of_reference_uid, r->drawn_on->frame_of_reference) != 0) {
		(void)status_fail(
		    st, STATUS_REFUSE,
		    "VOI \"%s\" lies in another frame of reference (%s) than the images (%s)",
		    voi->name, roi->frame_of_reference_uid, r->drawn_on->frame_of_reference);
		return;
	}
	if (mask_from_contours(&drawn, r->drawn_on, roi->contours, roi->n_contours,
			       &r->interpolated[index], st) != STATUS_OK) {
		(void)status_prefix(st, "VOI \"%s\"", voi->name);
		return;
	}
	r->empty[index] = mask_empty_slices(&drawn);
	r->drawn_ml[index] = mask_volume_ml(&drawn);
	if (grid_same(r->drawn_on, result_grid, GRID_TOLERANCE_MM)) {
		c->mask[index] = drawn;
		drawn = (struct mask)MASK_INIT;
	} else if (mask_resample(&c->mask[index], result_grid, &drawn, 4, st) != STATUS_OK) {
		(void)status_prefix(st, "VOI \"%s\"", voi->name);
	}
	mask_free(&drawn);
}

static void rasterise_some(void *user, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		rasterise_one(user, (int)i);
}

/* The grid of the series that the contours were drawn on, when it is here; else the result grid. */
static const struct grid *find_drawn_on(const struct job_case *c)
{
	const struct job_scan *scans[] = {&c->anatomy, &c->baseline};
	for (int i = c->has_anatomy ? 0 : 1; i < 2; i++) {
		if (strcmp(scans[i]->series->series_instance_uid,
			   c->structure_set.referenced_series_uid) == 0)
			return &scans[i]->arranged.grid;
	}
	if (c->slots.anatomy.index >= 0)
		return &c->slots.anatomy.arranged.grid;
	return &c->shown_over->arranged.grid;
}

static int find_part(const struct job_case *c, const char *name)
{
	for (int i = 0; name[0] != '\0' && i < c->slots.n_vois; i++) {
		if (c->slots.vois[i].role == VOI_PART &&
		    strcasecmp(c->slots.vois[i].name, name) == 0)
			return i;
	}
	return -1;
}

static enum status_code make_masks(struct job_case *c, struct status *st)
{
	int n_vois = c->has_structure_set ? c->slots.n_vois : 0;
	struct rasterising *r = calloc(1, sizeof *r);
	if (!r)
		return status_fail(st, STATUS_RETRY, "no memory for %d VOIs", n_vois);
	r->c = c;
	r->drawn_on = find_drawn_on(c);
	parallel_for((size_t)n_vois, 1, c->config->threads_per_worker, rasterise_some, r);
	for (int i = 0; i < n_vois; i++) {
		const struct treatment_voi *voi = &c->slots.vois[i];
		if (r->status[i].code != STATUS_OK)
			(void)status_fail(st, r->status[i].code, "%s", r->status[i].text);
		if (r->interpolated[i] > 0)
			job_warn(c, "HO118",
				 "\"%s\": %d slices without a contour of their own were "
				 "interpolated",
				 voi->name, r->interpolated[i]);
		if (r->empty[i] > 0)
			job_warn(c, "HO119",
				 "\"%s\": %d slices between its contours have none and are left "
				 "empty: draw them if it is one region",
				 voi->name, r->empty[i]);
		double used_ml = c->mask[i].coverage ? mask_volume_ml(&c->mask[i]) : 0;
		if (used_ml < (1 - CUT_OFF_TOLD) * r->drawn_ml[i])
			job_warn(c, "HO119",
				 "\"%s\": %.3g of its %.3g mL lie outside the result grid and have "
				 "no dose",
				 voi->name, r->drawn_ml[i] - used_ml, r->drawn_ml[i]);
		c->voi[i] = (struct dosimetry_voi){voi->name, voi->role,
						   find_part(c, voi->part_name), &c->mask[i]};
	}
	c->n_contoured = n_vois;
	free(r);
	return st->code;
}

/* ---- the dosimetry input ---- */

static struct dosimetry_scan dosimetry_scan_of(const struct job_scan *scan, const char *site_zone)
{
	const struct mr_series *arranged = &scan->arranged;
	return (struct dosimetry_scan){
	    .map = &scan->kept.map,
	    .after_injection = scan->after_injection,
	    .time_s =
		site_time_to_utc(arranged->acquisition_datetime, arranged->utc_offset, site_zone),
	    .tr_ms = arranged->tr_ms,
	    .flip_deg = arranged->flip_deg,
	};
}

static void fill_params(struct job_case *c)
{
	const struct config *config = c->config;
	c->params = (struct dosimetry_params){
	    .relaxivity_per_s_per_mg_per_ml = c->slots.relaxivity->per_s_per_mg_per_ml,
	    .relaxivity_holmium_percent = c->slots.relaxivity->holmium_percent,
	    .dose_constant_mj_per_mbq = config->dose_constant_mj_per_mbq,
	    .density_g_per_ml = config->density_g_per_ml,
	    .baseline = config->baseline_voxelwise ? BASELINE_VOXELWISE : BASELINE_REGION_MEAN,
	    .body_snr = config->body_snr,
	    .artefact_r2star_per_s = config->artefact_r2star_per_s,
	    .trend_threshold_percent = config->trend_threshold_percent,
	    .dose_levels = config->dose_levels,
	    .underdose_levels = config->underdose_levels,
	    .limited_above_percent = config->limited_above_percent,
	    .not_measurable_above_percent = config->not_measurable_above_percent,
	    .recovery_low_percent = config->recovery_low_percent,
	    .recovery_high_percent = config->recovery_high_percent,
	    .registration_limit_mm = config->registration_limit_mm,
	    .uncertainty = {config->relaxivity_uncertainty_percent,
			    config->specific_activity_uncertainty_percent,
			    config->injected_activity_uncertainty_percent},
	    .kernel = config->kernel,
	    .advice_limit_gy = config->advice_limit_gy,
	    .threads = config->threads_per_worker,
	};
	for (int i = 0; i < config->dose_levels; i++)
		c->params.dose_level_gy[i] = config->dose_level_gy[i];
	for (int i = 0; i < config->underdose_levels; i++)
		c->params.underdosed_below_gy[i] = config->underdosed_below_gy[i];
}

/* The dose of a map with the voxelwise baseline is the same with and without VOIs; its figures per
 * VOI are the report's work, so the dosimetry is spared them. */
static bool map_needs_no_vois(const struct job_case *c)
{
	return c->job->kind == JOB_MAP && c->config->baseline_voxelwise;
}

static void fill_input(struct job_case *c)
{
	const char *site_zone = c->config->time_zone;
	c->input.n_vois = map_needs_no_vois(c) ? 0 : c->n_contoured;
	for (int i = 0; i < c->job->n_scans; i++)
		c->scan[i] = dosimetry_scan_of(&c->after[i], site_zone);
	int n_injections = 0;
	for (int i = 0; i < c->slots.n_injections; i++) {
		struct dosimetry_injection injection = c->slots.injections[i];
		if (injection.number > c->job->after_injection)
			continue;
		if (c->input.n_vois == 0)
			injection.part_voi = -1; /* no masks, no parts */
		c->injection[n_injections++] = injection;
	}
	c->input.result_grid = &c->shown_over->arranged.grid;
	c->input.baseline = dosimetry_scan_of(&c->baseline, site_zone);
	c->input.scans = c->scan;
	c->input.n_scans = c->job->n_scans;
	c->input.injections = c->injection;
	c->input.n_injections = n_injections;
	c->input.vois = c->voi;
}

/* Contours that cannot be used are no reason against such a map: what refused them becomes a
 * warning, and it is made without histograms. */
static bool drop_contours(struct job_case *c, struct status *st)
{
	if (!map_needs_no_vois(c) || !c->has_structure_set || st->code != STATUS_REFUSE ||
	    c->superseded)
		return false;
	job_warn(c, "HO119", "contours not used: %.200s", st->text);
	status_clear(st);
	c->has_structure_set = false;
	c->n_contoured = 0;
	return true;
}

enum status_code job_load(struct job_case *c, double *fit_s, struct status *st)
{
	const struct job *job = c->job;
	if (catalogue_load_patient(&c->patient, c->store, job->patient_id, job->patient_issuer,
				   st) != STATUS_OK ||
	    load_series(c, fit_s, st) != STATUS_OK || load_record(c, st) != STATUS_OK ||
	    load_structure_set(c, st) != STATUS_OK || assess(c, st) != STATUS_OK ||
	    check_hash(c, st) != STATUS_OK)
		return st->code;
	if (make_masks(c, st) != STATUS_OK && !drop_contours(c, st))
		return st->code;
	fill_params(c);
	fill_input(c);
	return STATUS_OK;
}

static void job_scan_free(struct job_scan *scan)
{
	mr_series_free(&scan->arranged);
	kept_map_free(&scan->kept);
}

void job_case_free(struct job_case *c)
{
	dosimetry_result_free(&c->result);
	for (int i = 0; i < DOSIMETRY_MAX_VOIS; i++)
		mask_free(&c->mask[i]);
	for (int i = 0; i < DOSIMETRY_MAX_SCANS; i++)
		job_scan_free(&c->after[i]);
	job_scan_free(&c->baseline);
	job_scan_free(&c->anatomy);
	treatment_slots_free(&c->slots);
	rt_structure_set_free(&c->structure_set);
	catalogue_patient_free(c->patient);
}
