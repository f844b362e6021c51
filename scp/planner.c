#include "planner.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "planner_jobs.h"
#include "rt_structure_set.h"
#include "site_registrations.h"
#include "treatment.h"
#include "treatment_store.h"

#define LATE_AGAIN_S 30.0

/* ---- contours ---- */

struct structure_sets {
	struct rt_structure_set *sets;
	int64_t *ids;
	char (*evidence)[65];
	int count;
	char faults[1000]; /* sets that cannot be read, a line each */
};

static void structure_sets_free(struct structure_sets *sets)
{
	for (int i = 0; i < sets->count; i++)
		rt_structure_set_free(&sets->sets[i]);
	free(sets->sets);
	free(sets->ids);
	free(sets->evidence);
}

static bool is_structure_set(const struct catalogue_instance *instance)
{
	return strcmp(instance->info.sop_class_uid, "1.2.840.10008.5.1.4.1.1.481.3") == 0;
}

static void append_line(char *text, size_t size, const char *format, ...) STATUS_PRINTF(3, 4);
static void append_line(char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;
	if (length + 2 >= size)
		return;
	va_start(arguments, format);
	vsnprintf(text + length, size - length - 1, format, arguments);
	va_end(arguments);
	for (char *byte = text + length; *byte != '\0'; byte++)
		if (*byte == '\n' || *byte == '\r')
			*byte = ' ';
	strcat(text, "\n");
}

static enum status_code add_set(struct structure_sets *sets, struct store *store,
				const struct catalogue_instance *instance, struct status *st)
{
	struct status own = STATUS_INIT;
	struct dataset *ds = NULL;
	struct rt_structure_set *set = &sets->sets[sets->count];
	char original[65];
	if (catalogue_read(&ds, &instance->where, &own) == STATUS_OK)
		(void)!rt_structure_set_read(set, ds, &own);
	dataset_free(ds);
	if (own.code == STATUS_RETRY)
		return status_fail(st, STATUS_RETRY, "%s", own.text);
	if (own.code != STATUS_OK) {
		append_line(sets->faults, sizeof sets->faults,
			    "structure set %s cannot be used: %s", instance->info.sop_instance_uid,
			    own.text);
		return STATUS_OK;
	}
	sets->ids[sets->count] = instance->id;
	memcpy(sets->evidence[sets->count], instance->info.evidence_hash, sizeof *sets->evidence);
	sets->count++;
	/* drawn on a second sending of the series: the same images as the first */
	if (catalogue_resolve_series(original, store, set->referenced_series_uid, st) == STATUS_OK)
		memcpy(set->referenced_series_uid, original, sizeof set->referenced_series_uid);
	return st->code;
}

static enum status_code structure_sets_load(struct structure_sets *sets, struct store *store,
					    const struct catalogue_patient *patient,
					    struct status *st)
{
	size_t possible = 1;
	for (int s = 0; s < patient->n_series; s++)
		for (int i = 0; i < patient->series[s].n_instances; i++)
			possible += is_structure_set(&patient->series[s].instances[i]);
	sets->sets = calloc(possible, sizeof *sets->sets);
	sets->ids = calloc(possible, sizeof *sets->ids);
	sets->evidence = calloc(possible, sizeof *sets->evidence);
	if (sets->sets == NULL || sets->ids == NULL || sets->evidence == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for structure sets");
	for (int s = 0; s < patient->n_series && st->code == STATUS_OK; s++)
		for (int i = 0; i < patient->series[s].n_instances && st->code == STATUS_OK; i++)
			if (is_structure_set(&patient->series[s].instances[i]))
				(void)!add_set(sets, store, &patient->series[s].instances[i], st);
	return st->code;
}

/* What one call plans with. */
struct planning {
	struct store *store;
	const struct config *config;
	const struct catalogue_patient *patient;
	const struct structure_sets *sets;
	const struct site_registrations *registrations;
	double now_s;
	int *jobs_added;
	double *look_again_s;
};

/* ---- the row that `holmia status` shows ---- */

static const char *state_name(enum treatment_state state)
{
	switch (state) {
	case TREATMENT_COLLECTING:
		return "collecting";
	case TREATMENT_READY:
		return "ready";
	case TREATMENT_REFUSED:
		break;
	}
	return "refused";
}

static const char *completeness_words(enum series_completeness completeness)
{
	switch (completeness) {
	case SERIES_INCOMPLETE:
		return "incomplete";
	case SERIES_UNCONFIRMED:
		return "no gap, number of slices not confirmed yet";
	case SERIES_SETTLED:
		return "complete, unconfirmed";
	case SERIES_COMPLETE:
		break;
	}
	return "complete";
}

static void append_slot(struct treatment_row *row, const char *name,
			const struct catalogue_patient *patient,
			const struct treatment_series *slot)
{
	if (slot->index < 0)
		return;
	const struct catalogue_series *series = &patient->series[slot->index];
	const struct instance_info *info = &series->instances[0].info;
	append_line(row->slots, sizeof row->slots,
		    "%s: series %d \"%.80s\", %d images%s%.32s, %s%s%s", name, info->series_number,
		    info->series_description, series->n_instances,
		    info->acquisition_datetime[0] ? ", acquired " : "", info->acquisition_datetime,
		    completeness_words(slot->completeness), slot->arranged.missing[0] ? ": " : "",
		    slot->arranged.missing);
}

static void fill_row(struct treatment_row *row, const struct planning *p,
		     const struct treatment_slots *slots)
{
	const struct catalogue_patient *patient = p->patient;
	const struct structure_sets *sets = p->sets;
	char name[40];
	snprintf(row->state, sizeof row->state, "%s", state_name(slots->state));
	snprintf(row->waits_for, sizeof row->waits_for, "%s", slots->waits_for);
	row->slots[0] = row->warnings[0] = row->unused[0] = '\0';
	append_slot(row, "baseline", patient, &slots->baseline);
	for (int i = 0; i < slots->n_after; i++) {
		snprintf(name, sizeof name, "after injection %d", slots->after[i].after_injection);
		append_slot(row, name, patient, &slots->after[i]);
	}
	append_slot(row, "anatomy", patient, &slots->anatomy);
	if (slots->structure_set >= 0)
		append_line(row->slots, sizeof row->slots,
			    "VOIs: structure set \"%.60s\" of %.20s, %d VOIs",
			    sets->sets[slots->structure_set].label,
			    sets->sets[slots->structure_set].datetime, slots->n_vois);
	if (slots->emission.index >= 0)
		append_line(row->slots, sizeof row->slots, "emission image: %s%s%s",
			    slots->emission.label, slots->emission.refusal[0] ? ", not used: " : "",
			    slots->emission.refusal);
	for (int i = 0; i < slots->emission.n_notes; i++)
		append_line(row->warnings, sizeof row->warnings, "HO140: %s",
			    slots->emission.notes[i]);
	for (int i = 0; i < slots->n_warnings; i++)
		append_line(row->warnings, sizeof row->warnings, "%s: %s", slots->warnings[i].code,
			    slots->warnings[i].text);
	if (sets->faults[0] != '\0')
		append_line(row->warnings, sizeof row->warnings, "%s", sets->faults);
	if (p->registrations->faults[0] != '\0')
		append_line(row->warnings, sizeof row->warnings, "%s", p->registrations->faults);
	for (int i = 0; i < slots->n_unused; i++)
		append_line(row->unused, sizeof row->unused, "%s", slots->unused[i]);
	row->n_after = slots->n_after;
	row->planned_injections = slots->planned_injections;
	row->report_ready = slots->report_ready;
}

/* ---- the alarm "late" ---- */

/* A complete after-series without a dose map for alert_after_s: whatever the reason, somebody has
 * to look. */
static enum status_code check_late(struct treatment_row *row, struct store *store,
				   const struct config *config, const struct plan *plan,
				   double now_s, double *look_again_s, struct status *st)
{
	char key[500], text[400], why[200] = "";
	bool done = row->n_after == 0;
	if (row->n_after != row->complete_n_after || !isfinite(row->complete_since_s)) {
		row->complete_n_after = row->n_after;
		row->complete_since_s = row->n_after > 0 ? now_s : (double)NAN;
	}
	for (int i = 0; i < plan->n_jobs && st->code == STATUS_OK; i++) {
		const struct job *job = &plan->jobs[i].job;
		struct queue_row found;
		bool known = false;
		if (job->kind != JOB_MAP || job->n_scans != row->n_after)
			continue;
		if (queue_find(&known, &found, store, job->hash, st) != STATUS_OK)
			return st->code;
		done = known && found.state == JOB_DONE;
		if (known && !done)
			snprintf(why, sizeof why, "its map is %s%s%.150s",
				 job_state_name(found.state), found.why[0] != '\0' ? ": " : "",
				 found.why);
	}
	snprintf(key, sizeof key, "late %s", row->treatment_key);
	if (done || st->code != STATUS_OK)
		return store_clear_alarm(store, key, st);
	double due_s = row->complete_since_s + config->alert_after_s;
	if (now_s < due_s) {
		if (!(*look_again_s <= due_s))
			*look_again_s = due_s;
		return STATUS_OK;
	}
	snprintf(text, sizeof text,
		 "treatment %.60s: series %d after injection is complete since %.0f s, no dose "
		 "map: %.200s",
		 row->treatment_key, row->n_after, now_s - row->complete_since_s,
		 why[0] != '\0' ? why : row->waits_for);
	if (!(*look_again_s <= now_s + LATE_AGAIN_S)) /* to clear it when the map comes after all */
		*look_again_s = now_s + LATE_AGAIN_S;
	return store_raise_alarm(store, key, text, now_s, st);
}

/* ---- one treatment ---- */

static enum status_code save_plan(const struct planning *p, struct treatment_row *row,
				  const struct plan *plan, struct status *st)
{
	char keep[PLANNER_MAX_JOBS][65];
	for (int i = 0; i < plan->n_jobs && st->code == STATUS_OK; i++) {
		const struct planned_job *planned = &plan->jobs[i];
		bool added = false;
		memcpy(keep[i], planned->job.hash, sizeof keep[i]);
		if (queue_add(&added, p->store, &planned->job, (const char(*)[65])planned->needs,
			      planned->n_needs, p->now_s, st) == STATUS_OK &&
		    added)
			(*p->jobs_added)++;
	}
	if (st->code == STATUS_OK &&
	    queue_supersede(p->store, row->treatment_key, (const char(*)[65])keep, plan->n_jobs,
			    p->now_s, st) == STATUS_OK &&
	    check_late(row, p->store, p->config, plan, p->now_s, p->look_again_s, st) == STATUS_OK)
		(void)!treatment_row_save(p->store, row, st);
	return st->code;
}

/* What is asked for was made before, but something else was made after it: a record was corrected
 * back, or contours were taken away again. The results that were sent last are then not the ones
 * that hold. */
static enum status_code find_way_back(bool *back, const struct plan *plan, struct store *store,
				      const char *treatment_key, struct status *st)
{
	struct queue_row *rows = NULL;
	int count = 0;
	*back = false;
	if (queue_list(&rows, &count, store, treatment_key, st) != STATUS_OK)
		return st->code;
	for (int p = 0; p < plan->n_jobs; p++) {
		const struct job *job = &plan->jobs[p].job;
		const struct queue_row *own = NULL;
		for (int i = 0; i < count && job->kind != JOB_FIT && !own; i++)
			if (rows[i].state == JOB_DONE && strcmp(rows[i].hash, job->hash) == 0)
				own = &rows[i];
		for (int i = 0; i < count && own; i++)
			*back = *back || (rows[i].state == JOB_DONE && rows[i].kind == own->kind &&
					  rows[i].after_injection == own->after_injection &&
					  rows[i].finished_s > own->finished_s);
	}
	free(rows);
	return STATUS_OK;
}

/* The jobs of a treatment; on a way back all of them anew, as `holmia recompute` would. */
static enum status_code plan_slots(const struct planning *p, const struct treatment_record *record,
				   const struct treatment_slots *slots,
				   const struct treatment_row *row, struct plan *plan,
				   struct status *st)
{
	bool with_set = slots->structure_set >= 0, back = false;
	int64_t set_id = with_set ? p->sets->ids[slots->structure_set] : -1;
	const char *evidence = with_set ? p->sets->evidence[slots->structure_set] : "";
	plan_jobs(plan, p->config, p->patient, record, slots, set_id, evidence,
		  row->recompute_serial);
	if (find_way_back(&back, plan, p->store, row->treatment_key, st) == STATUS_OK && back &&
	    treatment_recompute(p->store, row->treatment_key, st) == STATUS_OK)
		plan_jobs(plan, p->config, p->patient, record, slots, set_id, evidence,
			  row->recompute_serial + 1);
	return st->code;
}

/* Slots of a record (NULL: none), and the treatment's row as it stands, or a new one. */
static enum status_code assess_row(const struct planning *p, const struct treatment_record *record,
				   struct treatment_slots *slots, struct treatment_row *row,
				   struct status *st)
{
	struct treatment_input input = {.config = p->config,
					.patient = p->patient,
					.record = record,
					.structure_sets = p->sets->sets,
					.n_structure_sets = p->sets->count,
					.registrations = p->registrations->objects,
					.n_registrations = p->registrations->count,
					.now_s = p->now_s};
	char key[420];
	bool known = false;
	treatment_key_make(key, record != NULL ? record->id : "", p->patient->patient_id,
			   p->patient->patient_issuer);
	if (treatment_row_load(&known, row, p->store, key, st) != STATUS_OK ||
	    treatment_assess(slots, &input, st) != STATUS_OK)
		return st->code;
	memcpy(row->treatment_key, key, sizeof key);
	snprintf(row->patient_id, sizeof row->patient_id, "%s", p->patient->patient_id);
	snprintf(row->patient_issuer, sizeof row->patient_issuer, "%s", p->patient->patient_issuer);
	row->updated_s = p->now_s;
	if (!known)
		row->complete_since_s = NAN;
	return STATUS_OK;
}

static enum status_code plan_treatment(const struct planning *p,
				       const struct treatment_record *record,
				       struct treatment_slots *slots, struct treatment_row *row,
				       struct plan *plan, struct status *st)
{
	if (assess_row(p, record, slots, row, st) != STATUS_OK)
		return st->code;
	snprintf(row->record_id, sizeof row->record_id, "%s", record->id);
	row->record_revision = record->revision;
	fill_row(row, p, slots);
	(void)!plan_slots(p, record, slots, row, plan, st);
	if (isfinite(slots->look_again_s) && !(*p->look_again_s <= slots->look_again_s))
		*p->look_again_s = slots->look_again_s;
	treatment_slots_free(slots);
	if (st->code != STATUS_OK || store_begin(p->store, st) != STATUS_OK)
		return st->code;
	(void)!save_plan(p, row, plan, st);
	return store_finish(p->store, st);
}

/* A record names the patient exactly as the images do. Where that fails by the issuer alone, both
 * sides say so: a record whose images never come, and images that wait for one. */
static enum status_code name_other_issuer(struct catalogue_patient *patient, struct store *store,
					  struct status *st)
{
	struct catalogue_patient_key *keys = NULL;
	int count = 0;
	if (patient->n_series > 0 || catalogue_list_patients(&keys, &count, store, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count; i++) {
		const char *issuer = keys[i].patient_issuer;
		if (strcmp(keys[i].patient_id, patient->patient_id) != 0 ||
		    patient->conflict[0] != '\0')
			continue;
		snprintf(patient->conflict, sizeof patient->conflict,
			 "the record is of patient \"%.32s\" of issuer \"%.32s\", the images are "
			 "of issuer \"%.32s\": a record names the patient exactly as the images "
			 "do, issuer included",
			 patient->patient_id, patient->patient_issuer, issuer);
	}
	free(keys);
	return STATUS_OK;
}

static enum status_code name_other_record(struct treatment_row *row, struct store *store,
					  struct status *st)
{
	struct record_row *records = NULL;
	int count = 0;
	if (record_list(&records, &count, store, NULL, NULL, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count; i++) {
		size_t length = strlen(row->waits_for);
		if (!records[i].withdrawn && strcmp(records[i].patient_id, row->patient_id) == 0)
			snprintf(row->waits_for + length, sizeof row->waits_for - length,
				 "; record \"%.60s\" is of the same Patient ID, but of issuer "
				 "\"%.40s\", the images are of \"%.40s\"",
				 records[i].record_id, records[i].patient_issuer,
				 row->patient_issuer);
	}
	free(records);
	return STATUS_OK;
}

/* A patient with holmium series but no record in force: one row that says so. Anything else leaves
 * none. */
static enum status_code plan_without_record(const struct planning *p, struct treatment_slots *slots,
					    struct treatment_row *row, struct status *st)
{
	if (assess_row(p, NULL, slots, row, st) != STATUS_OK)
		return st->code;
	row->complete_since_s = NAN;
	fill_row(row, p, slots);
	(void)!name_other_record(row, p->store, st);
	bool worth_a_row = p->patient->n_series > 0 && (slots->state == TREATMENT_REFUSED ||
							slots->n_unused < p->patient->n_series);
	treatment_slots_free(slots);
	if (st->code != STATUS_OK)
		return st->code;
	return worth_a_row ? treatment_row_save(p->store, row, st)
			   : treatment_row_delete(p->store, row->treatment_key, st);
}

static enum status_code plan_records(const struct planning *p, struct status *st)
{
	struct record_row *records = NULL;
	int n_records = 0;
	/* too large for the stack together */
	struct treatment_slots *slots = malloc(sizeof *slots);
	struct treatment_row *row = malloc(sizeof *row);
	struct treatment_record *record = malloc(sizeof *record);
	struct plan *plan = malloc(sizeof *plan);
	if (slots == NULL || row == NULL || record == NULL || plan == NULL)
		status_fail(st, STATUS_RETRY, "no memory to plan a treatment");
	else
		(void)!record_list(&records, &n_records, p->store, p->patient->patient_id,
				   p->patient->patient_issuer, st);
	for (int i = 0; i < n_records && st->code == STATUS_OK; i++)
		if (record_load(record, p->store, records[i].record_id, st) == STATUS_OK)
			(void)!plan_treatment(p, record, slots, row, plan, st);
	if (st->code == STATUS_OK && n_records == 0)
		(void)!plan_without_record(p, slots, row, st);
	else if (st->code == STATUS_OK) {
		char key[420];
		treatment_key_make(key, "", p->patient->patient_id, p->patient->patient_issuer);
		(void)!treatment_row_delete(p->store, key, st);
	}
	free(records);
	free(slots);
	free(row);
	free(record);
	free(plan);
	return st->code;
}

enum status_code planner_plan_patient(struct store *store, const struct config *config,
				      const char *patient_id, const char *patient_issuer,
				      double now_s, int *jobs_added, double *look_again_s,
				      struct status *st)
{
	struct catalogue_patient *patient = NULL;
	struct structure_sets sets = {0};
	struct site_registrations registrations = {0};
	*jobs_added = 0;
	*look_again_s = NAN;
	if (catalogue_load_patient(&patient, store, patient_id, patient_issuer, st) != STATUS_OK)
		return st->code;
	struct planning planning = {store,	    config, patient,	&sets,
				    &registrations, now_s,  jobs_added, look_again_s};
	if (name_other_issuer(patient, store, st) == STATUS_OK &&
	    structure_sets_load(&sets, store, patient, st) == STATUS_OK &&
	    site_registrations_load(&registrations, patient, st) == STATUS_OK)
		(void)!plan_records(&planning, st);
	site_registrations_free(&registrations);
	structure_sets_free(&sets);
	catalogue_patient_free(patient);
	return st->code;
}
