/* treatment_emission.c - the SPECT or PET series that belongs to the treatment, and what may bring
 * it onto the result. On headers only, as everything of treatment.h. */
#include "treatment_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emission_series.h"
#include "spatial_registration.h"
#include "uid.h"

#define DAY_S	      86400.0
#define STRUCTURE_SET "1.2.840.10008.5.1.4.1.1.481.3"
#define NM_IMAGE      "1.2.840.10008.5.1.4.1.1.20"

static void note(struct treatment_emission *emission, const char *format, ...) STATUS_PRINTF(2, 3);
static void note(struct treatment_emission *emission, const char *format, ...)
{
	va_list arguments;
	if (emission->n_notes == TREATMENT_EMISSION_MAX_NOTES)
		return;
	va_start(arguments, format);
	vsnprintf(emission->notes[emission->n_notes++], sizeof emission->notes[0], format,
		  arguments);
	va_end(arguments);
}

/* ---- one series ---- */

static const struct instance_info *info_of(const struct catalogue_series *series)
{
	return &series->instances[0].info;
}

static void label_series(char label[120], const struct catalogue_series *series)
{
	const struct instance_info *info = info_of(series);
	if (info->series_number >= 0)
		snprintf(label, 120, "series %d \"%.80s\"", info->series_number,
			 info->series_description);
	else
		snprintf(label, 120, "series %.64s", series->series_instance_uid);
}

/* The earliest acquisition of its images, UTC; NaN unknown. */
static double acquired_s(const struct catalogue_series *series, const char *site_zone)
{
	const struct instance_info *earliest = NULL;
	for (int i = 0; i < series->n_instances; i++) {
		const struct instance_info *info = &series->instances[i].info;
		if (info->acquisition_datetime[0] &&
		    (!earliest ||
		     strcmp(info->acquisition_datetime, earliest->acquisition_datetime) < 0))
			earliest = info;
	}
	if (!earliest)
		return NAN;
	return site_time_to_utc(earliest->acquisition_datetime, earliest->utc_offset, site_zone);
}

/* Why it is not meant for this treatment; false with words. */
static bool is_meant(const struct treatment_assessment *a, const struct catalogue_series *series,
		     double at_s, char why[240])
{
	const struct treatment_record *record = a->input->record;
	const struct config *config = a->input->config;
	const struct instance_info *info = info_of(series);
	double last_s = record->injections[record->n_injections - 1].start_s;
	why[0] = '\0';
	if (!config_find_series_rule(config, CONFIG_SERIES_EMISSION, info->series_description,
				     info->protocol_name, "", MR_SERIES_MAX_ECHOES))
		snprintf(why, 240, "emission image, no rule for its description");
	else if (isnan(at_s))
		snprintf(why, 240, "emission image without acquisition date and time");
	else if (at_s < last_s)
		snprintf(why, 240, "emission image from before the last injection");
	else if (at_s > last_s + config->emission_days_after_last * DAY_S)
		snprintf(why, 240,
			 "emission image of %.0f days after the last injection: outside the window "
			 "of %g days of this treatment",
			 (at_s - last_s) / DAY_S, config->emission_days_after_last);
	return why[0] == '\0';
}

/* Letters only, capitals: "Doe^J" is "DOE J". */
static void name_letters(char letters[200], const char *name)
{
	size_t n = 0;
	for (; *name && *name != '=' && n + 1 < 200; name++)
		if (isalnum((unsigned char)*name) || (unsigned char)*name >= 0x80)
			letters[n++] = (char)toupper((unsigned char)*name);
	letters[n] = '\0';
}

/* Another birth date is another person; another way to write the name is only said. */
static void check_identity(struct treatment_emission *emission,
			   const struct catalogue_patient *patient,
			   const struct instance_info *info)
{
	char known[200], other[200];
	name_letters(known, patient->patient_name);
	name_letters(other, info->patient_name);
	if (patient->patient_birth_date[0] && info->patient_birth_date[0] &&
	    strcmp(patient->patient_birth_date, info->patient_birth_date) != 0)
		snprintf(emission->refusal, sizeof emission->refusal,
			 "%.100s is of a patient born %.16s, the treatment's was born %.16s",
			 emission->label, info->patient_birth_date, patient->patient_birth_date);
	else if (known[0] && other[0] && strcmp(known, other) != 0)
		note(emission,
		     "%.80s is of \"%.50s\", the treatment of \"%.50s\", under one "
		     "Patient ID",
		     emission->label, info->patient_name, patient->patient_name);
}

/* ---- is all of it there? ---- */

enum whole { WHOLE, WHOLE_UNCONFIRMED, STILL_COMING, NEVER_WHOLE };

static enum whole judge_slices(const struct catalogue_series *series, bool quiet, char why[240],
			       struct status *st)
{
	struct instance_info *infos = malloc((size_t)series->n_instances * sizeof *infos);
	struct mr_series arranged = {.image = NULL};
	struct status arranging = STATUS_INIT;
	enum whole judged = WHOLE;
	if (!infos) {
		(void)status_fail(st, STATUS_RETRY, "no memory for %d images", series->n_instances);
		return NEVER_WHOLE;
	}
	for (int i = 0; i < series->n_instances; i++)
		infos[i] = series->instances[i].info;
	if (mr_series_arrange(&arranged, infos, series->n_instances, &arranging) == STATUS_RETRY)
		(void)status_fail(st, STATUS_RETRY, "%s", arranging.text);
	free(infos);
	if (arranging.code != STATUS_OK) {
		snprintf(why, 240, "%.230s", arranging.text);
		return NEVER_WHOLE;
	}
	bool short_of = arranged.images_expected > arranged.grid.slices;
	if (!arranged.complete) {
		judged = quiet ? NEVER_WHOLE : STILL_COMING;
		snprintf(why, 240, "%s", arranged.missing);
	} else if (arranged.images_expected != arranged.grid.slices) {
		judged = quiet ? WHOLE_UNCONFIRMED : STILL_COMING;
		if (short_of)
			snprintf(why, 240, "%d of %d slices came", arranged.grid.slices,
				 arranged.images_expected);
		else
			snprintf(why, 240, "%d slices came, nothing says that these are all",
				 arranged.grid.slices);
	}
	mr_series_free(&arranged);
	return judged;
}

static enum whole judge(const struct treatment_assessment *a, const struct catalogue_series *series,
			char why[240], struct status *st)
{
	bool quiet = a->input->now_s >= series->last_received_s + a->input->config->settle_s;
	why[0] = '\0';
	if (strcmp(info_of(series)->sop_class_uid, NM_IMAGE) != 0)
		return judge_slices(series, quiet, why, st);
	if (series->n_instances == 1)
		return WHOLE;
	snprintf(why, 240, "%d NM images in one series: which of them is the volume?",
		 series->n_instances);
	return quiet ? NEVER_WHOLE : STILL_COMING;
}

/* ---- which series ---- */

/* PET says its units, NM counts do not; of two the later one, then the UID. */
static bool better(const struct catalogue_series *a, double a_s, const struct catalogue_series *b,
		   double b_s)
{
	bool a_nm = strcmp(info_of(a)->sop_class_uid, NM_IMAGE) == 0;
	bool b_nm = strcmp(info_of(b)->sop_class_uid, NM_IMAGE) == 0;
	if (a_nm != b_nm)
		return b_nm;
	if (a_s != b_s)
		return a_s > b_s;
	return strcmp(a->series_instance_uid, b->series_instance_uid) < 0;
}

bool treatment_is_emission(const struct catalogue_series *series)
{
	return series->n_instances > 0 && emission_series_is_class(info_of(series)->sop_class_uid);
}

static void choose(struct treatment_assessment *a, struct treatment_emission *emission)
{
	const struct catalogue_patient *patient = a->input->patient;
	char label[120], why[240];
	for (int i = 0; i < patient->n_series; i++) {
		const struct catalogue_series *series = &patient->series[i];
		if (!treatment_is_emission(series))
			continue;
		double at_s = acquired_s(series, a->input->config->time_zone);
		if (!is_meant(a, series, at_s, why)) {
			label_series(label, series);
			treatment_leave(a, label, why);
		} else if (emission->index < 0 ||
			   better(series, at_s, &patient->series[emission->index],
				  emission->acquired_s)) {
			emission->index = i;
			emission->acquired_s = at_s;
		}
	}
	if (emission->index < 0)
		return;
	label_series(emission->label, &patient->series[emission->index]);
	for (int i = 0; i < patient->n_series; i++) {
		const struct catalogue_series *series = &patient->series[i];
		double at_s = treatment_is_emission(series)
				  ? acquired_s(series, a->input->config->time_zone)
				  : (double)NAN;
		if (i == emission->index || !treatment_is_emission(series) ||
		    !is_meant(a, series, at_s, why))
			continue;
		label_series(label, series);
		note(emission, "%.90s is used, %.90s could serve too", emission->label, label);
		snprintf(why, sizeof why, "%.100s is used instead", emission->label);
		treatment_leave(a, label, why);
	}
}

/* ---- what may bring it onto the result ---- */

static bool newer(const struct catalogue_instance *a, const struct catalogue_instance *b)
{
	int order = strcmp(a->info.content_datetime, b->info.content_datetime);
	if (order == 0)
		order = a->id > b->id ? 1 : -1;
	return order > 0;
}

/* The series that the results lie on; NULL as long as there is none. */
static const struct catalogue_series *result_series(const struct treatment_assessment *a)
{
	const struct treatment_slots *slots = a->slots;
	int index = slots->anatomy.index >= 0 ? slots->anatomy.index : slots->baseline.index;
	return index >= 0 ? &a->input->patient->series[index] : NULL;
}

static void find_registration(const struct treatment_assessment *a,
			      struct treatment_emission *emission)
{
	const struct catalogue_series *image = &a->input->patient->series[emission->index];
	const struct catalogue_series *result = result_series(a);
	const char *newest = "";
	double identity[RIGID_SIZE];
	rigid_identity(identity);
	for (int i = 0; i < a->input->n_registrations && result; i++) {
		const struct spatial_registration *object = &a->input->registrations[i];
		double transform[RIGID_SIZE];
		bool found;
		spatial_registration_find(
		    &found, transform, object, info_of(result)->frame_of_reference_uid,
		    result->series_instance_uid, info_of(image)->frame_of_reference_uid,
		    image->series_instance_uid);
		/* that a frame is itself is no answer: then none of its items names the image */
		bool empty = strcmp(info_of(result)->frame_of_reference_uid,
				    info_of(image)->frame_of_reference_uid) == 0 &&
			     memcmp(transform, identity, sizeof identity) == 0;
		if (!found || empty || strcmp(object->content_datetime, newest) < 0)
			continue;
		newest = object->content_datetime;
		emission->registration = i;
	}
}

static void find_contours(const struct treatment_assessment *a, struct treatment_emission *emission)
{
	const struct catalogue_patient *patient = a->input->patient;
	const char *frame = info_of(&patient->series[emission->index])->frame_of_reference_uid;
	for (int s = 0; s < patient->n_series && frame[0]; s++) {
		for (int i = 0; i < patient->series[s].n_instances; i++) {
			const struct catalogue_instance *instance =
			    &patient->series[s].instances[i];
			const struct instance_info *info = &instance->info;
			if (strcmp(info->sop_class_uid, STRUCTURE_SET) == 0 &&
			    strcmp(info->frame_of_reference_uid, frame) == 0 &&
			    (!emission->contours || newer(instance, emission->contours)))
				emission->contours = instance;
		}
	}
}

/* What a report with it depends on. */
static void sign(struct treatment_emission *emission, const struct treatment_input *input)
{
	const struct catalogue_patient *patient = input->patient;
	struct digest *digest = digest_new();
	emission->evidence[0] = '\0';
	if (!digest)
		return;
	digest_text(digest, patient->series[emission->index].evidence_hash);
	digest_text(digest, emission->refusal);
	if (emission->contours)
		digest_text(digest, emission->contours->info.evidence_hash);
	if (emission->registration >= 0)
		digest_text(digest, input->registrations[emission->registration].sop_instance_uid);
	for (int i = 0; i < emission->n_notes; i++)
		digest_text(digest, emission->notes[i]);
	/* its times may carry no zone, its counts no unit */
	digest_text(digest, input->config->time_zone);
	for (int i = 0; i < input->config->n_nm_calibrations; i++) {
		const struct config_nm_calibration *entry = &input->config->nm_calibrations[i];
		digest_text(digest, entry->isotope);
		digest_text(digest, entry->station);
		digest_double(digest, entry->cps_per_mbq);
	}
	digest_finish(digest, emission->evidence);
}

enum status_code treatment_find_emission(struct treatment_assessment *a, struct status *st)
{
	struct treatment_emission *emission = &a->slots->emission;
	const struct catalogue_patient *patient = a->input->patient;
	char why[240];
	choose(a, emission);
	if (emission->index < 0)
		return STATUS_OK;
	const struct catalogue_series *series = &patient->series[emission->index];
	enum whole whole = judge(a, series, why, st);
	if (st->code != STATUS_OK)
		return st->code;
	if (whole == STILL_COMING) {
		double settles_s = series->last_received_s + a->input->config->settle_s;
		treatment_wait(a, "emission image: %s: %s", emission->label, why);
		if (!(a->slots->look_again_s <= settles_s))
			a->slots->look_again_s = settles_s;
		emission->index = -1;
		return STATUS_OK;
	}
	if (whole == NEVER_WHOLE)
		snprintf(emission->refusal, sizeof emission->refusal, "%.100s: %.130s",
			 emission->label, why);
	else if (whole == WHOLE_UNCONFIRMED)
		note(emission, "%.100s: complete, unconfirmed (%.100s)", emission->label, why);
	check_identity(emission, patient, info_of(series));
	find_registration(a, emission);
	find_contours(a, emission);
	sign(emission, a->input);
	return STATUS_OK;
}

bool treatment_is_drawn_on_emission(const struct catalogue_patient *patient, const char *frame_uid)
{
	for (int i = 0; i < patient->n_series && frame_uid[0]; i++) {
		if (treatment_is_emission(&patient->series[i]) &&
		    strcmp(info_of(&patient->series[i])->frame_of_reference_uid, frame_uid) == 0)
			return true;
	}
	return false;
}
