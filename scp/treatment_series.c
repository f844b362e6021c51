#include "treatment_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S 3600.0

static void label_series(struct treatment_candidate *candidate)
{
	const struct instance_info *info = &candidate->series->instances[0].info;
	if (info->series_number >= 0)
		snprintf(candidate->label, sizeof candidate->label, "series %d \"%.80s\"",
			 info->series_number, info->series_description);
	else
		snprintf(candidate->label, sizeof candidate->label, "series %.64s",
			 candidate->series->series_instance_uid);
}

/* The earliest acquisition time of its images. Texts of one series compare in order of time. */
static void find_time(struct treatment_candidate *candidate, const char *site_zone)
{
	const struct instance_info *earliest = NULL;
	for (int i = 0; i < candidate->series->n_instances; i++) {
		const struct instance_info *info = &candidate->series->instances[i].info;
		if (info->acquisition_datetime[0] &&
		    (!earliest ||
		     strcmp(info->acquisition_datetime, earliest->acquisition_datetime) < 0))
			earliest = info;
	}
	candidate->acquired_s = NAN;
	if (!earliest)
		return;
	candidate->acquired_s =
	    site_time_to_utc(earliest->acquisition_datetime, earliest->utc_offset, site_zone);
	candidate->zone_assumed =
	    !earliest->utc_offset[0] && !strpbrk(earliest->acquisition_datetime, "+-");
}

bool treatment_arrange(struct treatment_candidate *candidate, struct status *st)
{
	const struct catalogue_series *series = candidate->series;
	if (candidate->arranged_owned)
		return true;
	struct instance_info *infos = malloc((size_t)series->n_instances * sizeof *infos);
	if (!infos) {
		(void)status_fail(st, STATUS_RETRY, "%s: no memory", candidate->label);
		return false;
	}
	for (int i = 0; i < series->n_instances; i++)
		infos[i] = series->instances[i].info;
	struct status arranging = STATUS_INIT;
	enum status_code code =
	    mr_series_arrange(&candidate->arranged, infos, series->n_instances, &arranging);
	free(infos);
	candidate->arranged_owned = code == STATUS_OK;
	if (code == STATUS_REFUSE)
		snprintf(candidate->why, sizeof candidate->why, "%.230s", arranging.text);
	else if (code != STATUS_OK)
		(void)status_fail(st, code, "%s: %.300s", candidate->label, arranging.text);
	return candidate->arranged_owned;
}

static int slot_named_by_record(const struct treatment_record *record, const char *series_uid)
{
	if (!record)
		return -1;
	if (strcmp(record->baseline_series_uid, series_uid) == 0)
		return 0;
	for (int i = 0; i < record->n_injections; i++) {
		if (strcmp(record->injections[i].after_series_uid, series_uid) == 0)
			return i + 1;
	}
	return -1;
}

/* ---- why a holmium series cannot fill a slot ---- */

static void say_distance(char *why, size_t size, double distance_s, const char *what,
			 double window_h)
{
	if (distance_s > 48 * HOUR_S)
		snprintf(why, size,
			 "acquired %.0f days %s: outside the window of %g h of this treatment",
			 distance_s / (24 * HOUR_S), what, window_h);
	else
		snprintf(why, size,
			 "acquired %.1f h %s: outside the window of %g h of this treatment",
			 distance_s / HOUR_S, what, window_h);
}

static bool in_studies(const struct treatment_record *record, const char *study_uid)
{
	for (int i = 0; i < record->n_studies; i++) {
		if (strcmp(record->study_uid[i], study_uid) == 0)
			return true;
	}
	return record->n_studies == 0;
}

static bool in_window(const struct treatment_assessment *a, struct treatment_candidate *candidate)
{
	const struct treatment_record *record = a->input->record;
	const struct config *config = a->input->config;
	double before_s = record->injections[0].start_s - candidate->acquired_s;
	double after_s =
	    candidate->acquired_s - record->injections[record->n_injections - 1].start_s;
	candidate->why[0] = '\0';
	if (isnan(candidate->acquired_s))
		snprintf(candidate->why, sizeof candidate->why, "no acquisition date and time");
	else if (before_s > config->hours_before_first * HOUR_S)
		say_distance(candidate->why, sizeof candidate->why, before_s,
			     "before the first injection", config->hours_before_first);
	else if (after_s > config->hours_after_last * HOUR_S)
		say_distance(candidate->why, sizeof candidate->why, after_s,
			     "after the last injection", config->hours_after_last);
	else if (!in_studies(record, candidate->series->study_instance_uid))
		snprintf(candidate->why, sizeof candidate->why,
			 "its study is none that the record names");
	return candidate->why[0] == '\0';
}

/* Where its time puts it, and whether the clocks leave that in doubt. */
static void place_in_time(const struct treatment_assessment *a,
			  struct treatment_candidate *candidate)
{
	const struct treatment_record *record = a->input->record;
	double nearest_s = INFINITY;
	for (int i = 0; i < record->n_injections; i++) {
		double after_s = candidate->acquired_s - record->injections[i].start_s;
		if (after_s >= 0)
			candidate->slot = i + 1;
		if (fabs(after_s) <= a->input->config->clock_tolerance_s &&
		    fabs(after_s) < nearest_s) {
			candidate->near_injection = i + 1;
			nearest_s = fabs(after_s);
		}
	}
}

/* What the images themselves allow: magnitude, several echoes. False with why. */
static bool is_multi_echo(struct treatment_candidate *candidate, const struct config *config,
			  struct status *st)
{
	const struct instance_info *info = &candidate->series->instances[0].info;
	if (!treatment_arrange(candidate, st))
		return false;
	int echoes = candidate->arranged.echoes;
	bool enough = echoes >= 3;
	if (enough && candidate->named_slot < 0)
		enough = config_find_series_rule(config, CONFIG_SERIES_HOLMIUM,
						 info->series_description, info->protocol_name,
						 info->sequence_name, echoes) != NULL;
	if (enough)
		return true;
	if (echoes == 1)
		snprintf(candidate->why, sizeof candidate->why, "single echo: no R2* can be found");
	else
		snprintf(candidate->why, sizeof candidate->why, "%d echoes: too few for R2*",
			 echoes);
	return false;
}

static void recognise(struct treatment_assessment *a, struct treatment_candidate *candidate,
		      struct status *st)
{
	const struct config *config = a->input->config;
	const struct treatment_record *record = a->input->record;
	const struct instance_info *info = &candidate->series->instances[0].info;
	bool rule = config_find_series_rule(config, CONFIG_SERIES_HOLMIUM, info->series_description,
					    info->protocol_name, info->sequence_name,
					    MR_SERIES_MAX_ECHOES) != NULL;
	candidate->anatomy_rule =
	    config_find_series_rule(config, CONFIG_SERIES_ANATOMY, info->series_description,
				    info->protocol_name, info->sequence_name,
				    MR_SERIES_MAX_ECHOES) != NULL;
	candidate->named_slot =
	    slot_named_by_record(record, candidate->series->series_instance_uid);
	candidate->meant = rule || candidate->named_slot >= 0;
	if (!candidate->meant) {
		if (!candidate->anatomy_rule)
			snprintf(candidate->why, sizeof candidate->why,
				 "no rule for its description");
		return;
	}
	candidate->holmium = is_multi_echo(candidate, config, st);
	if (candidate->named_slot >= 0 && !candidate->holmium && st->code == STATUS_OK) {
		a->no_maps = true;
		treatment_refuse(a, "%s, which the record names: %s", candidate->label,
				 candidate->why);
	}
	if (!record || record->n_injections == 0)
		return;
	if (!isnan(candidate->acquired_s))
		place_in_time(a, candidate);
	if (candidate->holmium && candidate->named_slot < 0)
		candidate->holmium = in_window(a, candidate);
}

enum status_code treatment_gather(struct treatment_assessment *a, struct status *st)
{
	const struct catalogue_patient *patient = a->input->patient;
	a->candidates = calloc((size_t)patient->n_series + 1, sizeof *a->candidates);
	if (!a->candidates)
		return status_fail(st, STATUS_RETRY, "treatment: no memory");
	for (int i = 0; i < patient->n_series; i++) {
		const struct catalogue_series *series = &patient->series[i];
		if (strcmp(series->modality, "MR") != 0 || series->n_instances == 0)
			continue;
		struct treatment_candidate *candidate = &a->candidates[a->n_candidates++];
		candidate->index = i;
		candidate->series = series;
		label_series(candidate);
		find_time(candidate, a->input->config->time_zone);
		recognise(a, candidate, st);
		if (st->code != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

void treatment_candidates_free(struct treatment_assessment *a)
{
	for (int i = 0; i < a->n_candidates; i++) {
		if (a->candidates[i].arranged_owned)
			mr_series_free(&a->candidates[i].arranged);
	}
	free(a->candidates);
	a->candidates = NULL;
	a->n_candidates = 0;
}

struct treatment_candidate *treatment_find_series(const struct treatment_assessment *a,
						  const char *series_uid)
{
	for (int i = 0; i < a->n_candidates && series_uid[0]; i++) {
		if (strcmp(a->candidates[i].series->series_instance_uid, series_uid) == 0)
			return &a->candidates[i];
	}
	return NULL;
}

const char *treatment_frame(const struct treatment_candidate *candidate)
{
	return candidate->series->instances[0].info.frame_of_reference_uid;
}

/* ---- is all of it there? ---- */

static double settles_s(const struct treatment_assessment *a,
			const struct treatment_candidate *candidate)
{
	return candidate->series->last_received_s + a->input->config->settle_s;
}

static bool images_are_owed(const struct mr_series *arranged)
{
	return !arranged->count_confirmed &&
	       arranged->images_expected > arranged->magnitude + arranged->other_component;
}

bool treatment_has_ended(const struct treatment_assessment *a,
			 const struct treatment_candidate *candidate)
{
	if (a->input->now_s >= settles_s(a, candidate))
		return true;
	/* One association may bring a part and the next the rest: a count that says so outweighs
	 * the release. */
	return candidate->series->released &&
	       !(candidate->arranged_owned && images_are_owed(&candidate->arranged));
}

void treatment_look_again(struct treatment_assessment *a,
			  const struct treatment_candidate *candidate)
{
	double at_s = settles_s(a, candidate);
	if (!(a->slots->look_again_s <= at_s))
		a->slots->look_again_s = at_s;
}

/* All of one series came before the other began. */
static bool came_before(const struct treatment_candidate *first,
			const struct treatment_candidate *second)
{
	return first->series->last_received_s < second->series->instances[0].received_s;
}

/* Another series of the treatment with the same slices and echo times, itself whole. */
static bool confirmed_by_another(const struct treatment_assessment *a,
				 const struct treatment_candidate *candidate)
{
	for (int i = 0; i < a->n_candidates; i++) {
		const struct treatment_candidate *other = &a->candidates[i];
		if (other == candidate || !other->holmium || !other->arranged.complete)
			continue;
		if (candidate->holmium &&
		    !treatment_same_echo_times(&other->arranged, &candidate->arranged))
			continue;
		bool other_is_all =
		    treatment_has_ended(a, other) ||
		    (other->arranged.count_confirmed && came_before(other, candidate));
		if (other_is_all &&
		    grid_same(&other->arranged.grid, &candidate->arranged.grid, 0.1))
			return true;
	}
	return false;
}

/* Logs of one association share their name before the last '-'. */
static bool same_association(const struct catalogue_instance *a, const struct catalogue_instance *b)
{
	const char *end = strrchr(a->where.log, '-');
	return end && strncmp(a->where.log, b->where.log, (size_t)(end - a->where.log) + 1) == 0;
}

/* Its association brought another series after it. */
static bool sender_has_gone_on(const struct treatment_assessment *a,
			       const struct treatment_candidate *candidate)
{
	const struct catalogue_series *series = candidate->series;
	for (int i = 0; i < a->n_candidates; i++) {
		if (came_before(candidate, &a->candidates[i]) &&
		    same_association(&series->instances[series->n_instances - 1],
				     &a->candidates[i].series->instances[0]))
			return true;
	}
	return false;
}

/* The count is met, and not by chance: (0020,1002) is images, images of all components or slices,
 * as the vendor likes, and where it means 40 slices the first 40 of 640 images meet it too. */
static bool confirmed_by_count(const struct treatment_assessment *a,
			       const struct treatment_candidate *candidate)
{
	if (!candidate->arranged.count_confirmed)
		return false;
	return candidate->arranged.echoes == 1 || treatment_has_ended(a, candidate) ||
	       sender_has_gone_on(a, candidate);
}

void treatment_complete(struct treatment_assessment *a, struct treatment_candidate *candidate)
{
	const struct mr_series *arranged = &candidate->arranged;
	bool owed = images_are_owed(arranged);
	candidate->why[0] = '\0';
	if (!arranged->complete) {
		candidate->completeness = SERIES_INCOMPLETE;
		snprintf(candidate->why, sizeof candidate->why, "%s", arranged->missing);
	} else if (confirmed_by_count(a, candidate) || confirmed_by_another(a, candidate) ||
		   (!owed && treatment_has_ended(a, candidate) &&
		    treatment_contours_inside(a, &arranged->grid))) {
		candidate->completeness = SERIES_COMPLETE;
	} else if (treatment_has_ended(a, candidate)) {
		candidate->completeness = SERIES_SETTLED;
		if (owed)
			snprintf(candidate->why, sizeof candidate->why, "%d of %d images came",
				 arranged->magnitude + arranged->other_component,
				 arranged->images_expected);
	} else {
		candidate->completeness = SERIES_UNCONFIRMED;
		snprintf(candidate->why, sizeof candidate->why,
			 "%d slices came, nothing says yet that these are all%s",
			 arranged->grid.slices,
			 arranged->count_confirmed ? ": its association goes on" : "");
	}
}

void treatment_take(struct treatment_series *slot, struct treatment_candidate *candidate,
		    int after_injection)
{
	slot->index = candidate->index;
	slot->completeness = candidate->completeness;
	slot->acquired_s = candidate->acquired_s;
	slot->after_injection = after_injection;
	slot->arranged = candidate->arranged;
	candidate->arranged_owned = false;
	candidate->used = true;
}
