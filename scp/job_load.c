/* job_load.c - from rows to series, record, contours and roles, checked against what the job was
 * made for. */
#include "job_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_emission.h"
#include "treatment_store.h"

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

enum status_code job_supersede(bool *superseded, struct status *st, const char *words)
{
	*superseded = true;
	return status_fail(st, STATUS_REFUSE, "superseded: %s", words);
}

/* A series that cannot be a map names itself in front of the words. */
static enum status_code load_scan(struct job_scan *scan, struct job_case *c,
				  const struct job_series *wanted, struct status *st)
{
	if (job_find_series(scan, &c->superseded, c->patient, wanted, st) != STATUS_OK ||
	    c->superseded)
		return st->code;
	if (!scan->arranged.complete)
		return status_fail(st, STATUS_REFUSE, "series %s: %s",
				   scan->series->series_instance_uid, scan->arranged.missing);
	return STATUS_OK;
}

enum status_code job_need_map(struct job_case *c, struct job_scan *scan, struct status *st)
{
	if (scan->kept.file.mapping)
		return STATUS_OK;
	if (job_fit_series(&scan->kept, c->config, scan, false, &c->fit_s, st) == STATUS_OK)
		return STATUS_OK;
	c->no_map = true;
	return status_prefix(st, "series %s", scan->series->series_instance_uid);
}

static enum status_code load_series(struct job_case *c, struct status *st)
{
	const struct job *job = c->job;
	if (load_scan(&c->baseline, c, &job->baseline, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < job->n_scans; i++) {
		if (load_scan(&c->after[i], c, &job->scans[i], st) != STATUS_OK)
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
		return job_supersede(&c->superseded, st,
				     "a later revision of the record is in force");
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
	    .registrations = c->registrations.objects,
	    .n_registrations = c->registrations.count,
	    .now_s = site_time_to_utc(identity->created_datetime, identity->utc_offset,
				      c->config->time_zone),
	};
	if (treatment_assess(&c->slots, &input, st) != STATUS_OK)
		return st->code;
	if (c->slots.state == TREATMENT_REFUSED &&
	    (c->job->kind == JOB_REPORT || !c->slots.maps_ready))
		return job_supersede(&c->superseded, st, c->slots.waits_for);
	if (!c->slots.relaxivity)
		return status_fail(
		    st, STATUS_REFUSE,
		    "no relaxivity is configured for %g T: no dose; add it, with provenance",
		    c->slots.field_strength_t);
	if (c->slots.contours_refused)
		c->has_structure_set = false;
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
			job_report_fingerprint(fingerprint, &c->record, &c->slots);
		else
			job_map_fingerprint(fingerprint, now, &c->slots);
		c->recompute_serial = row->recompute_serial;
		job_hash(now, c->config, contours, fingerprint, row->recompute_serial);
		if (strcmp(now->hash, c->job->hash) != 0)
			(void)!job_supersede(
			    &c->superseded, st,
			    "record, contours or configuration changed after it was "
			    "planned");
	}
	free(now);
	free(row);
	return st->code;
}

/* Contours that cannot be used are no reason against such a map: what refused them becomes a
 * warning, and it is made without histograms. */
bool job_drop_contours(struct job_case *c, struct status *st)
{
	if (!job_can_do_without_vois(c) || !c->has_structure_set || st->code != STATUS_REFUSE ||
	    c->superseded || c->no_map)
		return false;
	job_warn(c, "HO119", "contours not used: %.200s", st->text);
	status_clear(st);
	c->has_structure_set = false;
	c->n_contoured = 0;
	return true;
}

enum status_code job_load(struct job_case *c, struct status *st)
{
	const struct job *job = c->job;
	if (catalogue_load_patient(&c->patient, c->store, job->patient_id, job->patient_issuer,
				   st) != STATUS_OK ||
	    load_series(c, st) != STATUS_OK || load_record(c, st) != STATUS_OK ||
	    load_structure_set(c, st) != STATUS_OK ||
	    site_registrations_load(&c->registrations, c->patient, st) != STATUS_OK ||
	    assess(c, st) != STATUS_OK || check_hash(c, st) != STATUS_OK)
		return st->code;
	if (job_make_masks(c, st) != STATUS_OK && !job_drop_contours(c, st))
		return st->code;
	if (job_align(c, st) != STATUS_OK)
		return st->code;
	job_fill_input(c);
	return STATUS_OK;
}

static void job_scan_free(struct job_scan *scan)
{
	mr_series_free(&scan->arranged);
	kept_map_free(&scan->kept);
	deformation_free(&scan->deformation);
}

void job_case_free(struct job_case *c)
{
	job_wait_for_keeping(c);
	dosimetry_result_free(&c->result);
	job_emission_free(c);
	for (int i = 0; i < DOSIMETRY_MAX_VOIS; i++)
		mask_free(&c->mask[i]);
	for (int i = 0; i < DOSIMETRY_MAX_SCANS; i++)
		job_scan_free(&c->after[i]);
	job_scan_free(&c->baseline);
	job_scan_free(&c->anatomy);
	treatment_slots_free(&c->slots);
	rt_structure_set_free(&c->structure_set);
	site_registrations_free(&c->registrations);
	catalogue_patient_free(c->patient);
}
