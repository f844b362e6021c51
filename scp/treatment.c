#include "treatment_parts.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- saying ---- */

static void append(char *text, size_t size, const char *format, va_list arguments)
{
	size_t length = strlen(text);
	if (length > 0 && length + 3 < size) {
		strcpy(text + length, "; ");
		length += 2;
	}
	vsnprintf(text + length, size - length, format, arguments);
}

void treatment_wait(struct treatment_assessment *a, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	append(a->slots->waits_for, sizeof a->slots->waits_for, format, arguments);
	va_end(arguments);
}

void treatment_refuse(struct treatment_assessment *a, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	append(a->refusal, sizeof a->refusal, format, arguments);
	va_end(arguments);
}

void treatment_warn(struct treatment_assessment *a, const char *code, const char *format, ...)
{
	struct treatment_slots *slots = a->slots;
	if (slots->n_warnings == TREATMENT_MAX_WARNINGS) {
		struct treatment_warning *last = &slots->warnings[TREATMENT_MAX_WARNINGS - 1];
		snprintf(last->code, sizeof last->code, "HO119");
		snprintf(last->text, sizeof last->text, "more warnings than a report holds");
		return;
	}
	struct treatment_warning *warning = &slots->warnings[slots->n_warnings++];
	va_list arguments;
	va_start(arguments, format);
	snprintf(warning->code, sizeof warning->code, "%s", code);
	vsnprintf(warning->text, sizeof warning->text, format, arguments);
	va_end(arguments);
}

void treatment_leave(struct treatment_assessment *a, const char *label, const char *why)
{
	struct treatment_slots *slots = a->slots;
	if (slots->n_unused < TREATMENT_MAX_UNUSED)
		snprintf(slots->unused[slots->n_unused++], sizeof slots->unused[0],
			 "%.110s: %.120s", label, why);
}

static void name_unused(struct treatment_assessment *a)
{
	const struct catalogue_patient *patient = a->input->patient;
	bool with_record = a->input->record && a->input->record->n_injections > 0;
	for (int i = 0; i < a->n_candidates; i++) {
		if (!a->candidates[i].used && a->candidates[i].why[0])
			treatment_leave(a, a->candidates[i].label, a->candidates[i].why);
	}
	for (int i = 0; i < patient->n_series; i++) {
		const struct catalogue_series *series = &patient->series[i];
		char label[110];
		/* follow-up images and registrations have been looked at with the injections */
		bool looked_at = strcmp(series->modality, "MR") == 0 ||
				 strcmp(series->modality, "RTSTRUCT") == 0 ||
				 (with_record && (strcmp(series->modality, "REG") == 0 ||
						  treatment_is_emission(series)));
		if (looked_at)
			continue;
		snprintf(label, sizeof label, "series %s", series->series_instance_uid);
		treatment_leave(a, label, series->modality[0] ? series->modality : "no modality");
	}
}

void treatment_clock(const struct treatment_assessment *a, double utc_s, char text[16])
{
	char datetime[33], offset[8];
	site_time_from_utc(utc_s, a->input->config->time_zone, datetime, offset);
	if (strlen(datetime) < 14)
		strcpy(text, "unknown");
	else
		snprintf(text, 16, "%.2s:%.2s:%.2s", datetime + 8, datetime + 10, datetime + 12);
}

/* ---- what stands in the way of a dose ---- */

/* False when this cannot be a treatment at all. */
static bool check_patient(struct treatment_assessment *a)
{
	const struct catalogue_patient *patient = a->input->patient;
	const struct treatment_record *record = a->input->record;
	if (!patient->patient_id[0])
		treatment_refuse(a, "images without a Patient ID are never put together");
	else if (patient->conflict[0])
		treatment_refuse(a, "%s", patient->conflict);
	else if (record && (strcmp(record->patient_id, patient->patient_id) != 0 ||
			    (record->patient_issuer[0] && patient->patient_issuer[0] &&
			     strcmp(record->patient_issuer, patient->patient_issuer) != 0)))
		treatment_refuse(a, "the record is of patient %s, the images are of %s",
				 record->patient_id, patient->patient_id);
	return a->refusal[0] == '\0';
}

/* Without injections nothing has a place; what came is said all the same. */
static void wait_for_record(struct treatment_assessment *a)
{
	int holmium = 0;
	for (int i = 0; i < a->n_candidates; i++)
		holmium += a->candidates[i].holmium;
	const char *what = a->input->record ? "the first injection in the treatment record"
					    : "a treatment record with injections";
	treatment_wait(a, "%s (%d holmium series are here)", what, holmium);
}

static void find_relaxivity(struct treatment_assessment *a)
{
	struct treatment_slots *slots = a->slots;
	if (!a->reference)
		return;
	double field_t = slots->baseline.index >= 0 ? slots->baseline.arranged.field_strength_t
			 : slots->n_after > 0	    ? slots->after[0].arranged.field_strength_t
						    : a->reference->arranged.field_strength_t;
	slots->field_strength_t = field_t;
	if (isnan(field_t)) {
		treatment_refuse(a,
				 "%s: no magnetic field strength in the images, so no relaxivity",
				 a->reference->label);
		return;
	}
	const char *product = a->input->record->product;
	slots->relaxivity = config_find_relaxivity(a->input->config, field_t, product);
	if (!slots->relaxivity)
		treatment_refuse(
		    a,
		    "no relaxivity for %s at %.3g T: add <relaxivity field-t=\"%.3g\" .../> to the "
		    "configuration",
		    product, field_t, field_t);
	else if (!slots->relaxivity->calibrated)
		treatment_warn(a, "HO101",
			       "relaxivity %g /s per mg/mL at %g T is not calibrated: %s",
			       slots->relaxivity->per_s_per_mg_per_ml, slots->relaxivity->field_t,
			       slots->relaxivity->provenance);
}

/* Without a baseline, a relaxivity or a settled grid there is no map. */
void treatment_drop_scans(struct treatment_slots *slots)
{
	while (slots->n_after > 0)
		mr_series_free(&slots->after[--slots->n_after].arranged);
}

/* From an injection without specific activity on, mass cannot become activity. */
static void check_specific_activity(struct treatment_assessment *a)
{
	struct treatment_slots *slots = a->slots;
	int first_without = 0;
	for (int i = slots->n_injections - 1; i >= 0; i--) {
		if (!isnan(slots->injections[i].specific_activity_mbq_per_mg))
			continue;
		first_without = i + 1;
	}
	for (int i = first_without; i > 0 && i <= slots->n_injections; i++) {
		if (isnan(slots->injections[i - 1].specific_activity_mbq_per_mg))
			treatment_wait(a, "injection %d: specific activity", i);
	}
	while (first_without > 0 && slots->n_after > 0 &&
	       slots->after[slots->n_after - 1].after_injection >= first_without)
		mr_series_free(&slots->after[--slots->n_after].arranged);
}

/* A report compares time points: it needs the scans before its own. */
static bool all_scans_until(struct treatment_assessment *a, int injection)
{
	const struct treatment_slots *slots = a->slots;
	bool all = true;
	for (int k = 1; k < injection; k++) {
		bool there = !a->input->record->injections[k - 1].imaged;
		for (int i = 0; i < slots->n_after && !there; i++)
			there = slots->after[i].after_injection == k;
		if (!there)
			treatment_warn(a, "HO119",
				       "no usable series after injection %d: its microspheres are "
				       "counted with "
				       "those of the next",
				       k);
		all = all && there;
	}
	return all;
}

static void conclude(struct treatment_assessment *a)
{
	struct treatment_slots *slots = a->slots;
	if (slots->n_after > 0) {
		bool all = all_scans_until(a, slots->after[slots->n_after - 1].after_injection);
		slots->report_ready =
		    all && slots->n_vois > 0 && !a->report_waits && !a->refusal[0];
	}
	slots->maps_ready = slots->n_after > 0;
	slots->state = slots->maps_ready ? TREATMENT_READY : TREATMENT_COLLECTING;
	if (!a->refusal[0])
		return;
	slots->state = TREATMENT_REFUSED;
	char waits[sizeof slots->waits_for];
	strcpy(waits, slots->waits_for);
	slots->waits_for[0] = '\0';
	treatment_wait(a, "%s", a->refusal);
	if (waits[0])
		treatment_wait(a, "%s", waits);
}

/* ---- the assessment ---- */

static enum status_code assemble(struct treatment_assessment *a, struct status *st)
{
	struct treatment_slots *slots = a->slots;
	enum status_code code = treatment_gather(a, st);
	if (code != STATUS_OK)
		return code;
	if (!a->input->record || a->input->record->n_injections == 0) {
		wait_for_record(a);
		return STATUS_OK;
	}
	treatment_group(a);
	treatment_choose_contours(a);
	for (int i = 0; i < a->n_candidates; i++) {
		if (a->candidates[i].holmium)
			treatment_complete(a, &a->candidates[i]);
	}
	treatment_fill(a);
	code = treatment_contours(a, st);
	if (code != STATUS_OK)
		return code;
	treatment_inject(a);
	find_relaxivity(a);
	treatment_transforms(a);
	treatment_check_frames(a);
	check_specific_activity(a);
	/* the mean of a region that is not what it is said to be would shift every dose */
	bool no_region = slots->contours_refused && !a->input->config->baseline_voxelwise;
	if (!slots->relaxivity || slots->baseline.index < 0 || a->results_wait || a->no_maps ||
	    no_region)
		treatment_drop_scans(slots);
	treatment_compare_scans(a);
	return treatment_find_emission(a, st);
}

enum status_code treatment_assess(struct treatment_slots *slots,
				  const struct treatment_input *input, struct status *st)
{
	struct treatment_assessment *a = calloc(1, sizeof *a);
	memset(slots, 0, sizeof *slots);
	slots->look_again_s = slots->field_strength_t = NAN;
	slots->baseline.index = slots->anatomy.index = slots->structure_set = -1;
	slots->emission.index = slots->emission.registration = -1;
	slots->baseline.acquired_s = slots->anatomy.acquired_s = NAN;
	if (!a)
		return status_fail(st, STATUS_RETRY, "treatment: no memory");
	a->input = input;
	a->slots = slots;
	enum status_code code = STATUS_OK;
	if (check_patient(a))
		code = assemble(a, st);
	if (code == STATUS_OK) {
		conclude(a);
		name_unused(a);
	} else {
		treatment_slots_free(slots);
	}
	treatment_candidates_free(a);
	free(a);
	return code;
}

void treatment_slots_free(struct treatment_slots *slots)
{
	treatment_drop_scans(slots);
	if (slots->baseline.index >= 0)
		mr_series_free(&slots->baseline.arranged);
	if (slots->anatomy.index >= 0)
		mr_series_free(&slots->anatomy.arranged);
	slots->baseline.index = slots->anatomy.index = -1;
}
