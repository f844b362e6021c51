/* treatment_transforms.c - transforms that the site gives, and frames of reference without one. */
#include "treatment_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SAME_POINT 1e-9

/* A series as a transform may name it. */
struct named_series {
	const char *frame_uid, *series_uid;
};

static struct named_series name_of(const struct treatment_assessment *a,
				   const struct treatment_series *slot)
{
	const struct catalogue_series *series = &a->input->patient->series[slot->index];
	return (struct named_series){slot->arranged.grid.frame_of_reference,
				     series->series_instance_uid};
}

/* 2 by its own UID, 1 by that of its frame of reference, 0 not. */
static int how_named(const char *uid, const struct named_series *series)
{
	if (strcmp(uid, series->series_uid) == 0)
		return 2;
	return series->frame_uid[0] && strcmp(uid, series->frame_uid) == 0;
}

/* The record's transform that names both best, forward or backward. */
static bool find_in_record(struct treatment_transform *found, const struct treatment_record *record,
			   const struct named_series *from, const struct named_series *to)
{
	int best = 0;
	for (int i = 0; i < record->n_transforms; i++) {
		const struct record_transform *t = &record->transforms[i];
		int forward = how_named(t->from_uid, from) * how_named(t->to_uid, to);
		int backward = how_named(t->from_uid, to) * how_named(t->to_uid, from);
		int named = forward > backward ? forward : backward;
		if (named <= best || strcmp(t->from_uid, t->to_uid) == 0)
			continue;
		best = named;
		if (forward >= backward)
			memcpy(found->matrix, t->matrix, sizeof found->matrix);
		else
			rigid_invert(found->matrix, t->matrix);
		snprintf(found->provenance, sizeof found->provenance, "the record: %s",
			 t->provenance);
	}
	return best > 0;
}

static bool is_identity(const double matrix[RIGID_SIZE])
{
	double identity[RIGID_SIZE];
	rigid_identity(identity);
	for (int i = 0; i < RIGID_SIZE; i++) {
		if (fabs(matrix[i] - identity[i]) > SAME_POINT)
			return false;
	}
	return true;
}

static bool newer(const struct spatial_registration *a, const struct spatial_registration *b)
{
	int order = strcmp(a->content_datetime, b->content_datetime);
	return order != 0 ? order > 0 : strcmp(a->sop_instance_uid, b->sop_instance_uid) > 0;
}

static bool find_in_objects(struct treatment_transform *found, const struct treatment_assessment *a,
			    const struct named_series *from, const struct named_series *to)
{
	const struct spatial_registration *newest = NULL;
	for (int i = 0; i < a->input->n_registrations; i++) {
		const struct spatial_registration *object = &a->input->registrations[i];
		double matrix[RIGID_SIZE];
		bool joins = false;
		if (newest && !newer(object, newest))
			continue;
		spatial_registration_find(&joins, matrix, object, from->frame_uid, from->series_uid,
					  to->frame_uid, to->series_uid);
		/* every object joins a frame with itself: that says nothing of the patient */
		if (!joins || (strcmp(from->frame_uid, to->frame_uid) == 0 && is_identity(matrix)))
			continue;
		newest = object;
		memcpy(found->matrix, matrix, sizeof matrix);
	}
	if (!newest)
		return false;
	memcpy(found->object_uid, newest->sop_instance_uid, sizeof found->object_uid);
	snprintf(found->provenance, sizeof found->provenance, "Spatial Registration %.64s of %.14s",
		 newest->sop_instance_uid, newest->content_datetime);
	return true;
}

static bool find(struct treatment_transform *found, const struct treatment_assessment *a,
		 const struct named_series *from, const struct named_series *to)
{
	return find_in_record(found, a->input->record, from, to) ||
	       find_in_objects(found, a, from, to);
}

static bool given_from(struct treatment_series *slot, const struct treatment_assessment *a,
		       enum treatment_given given, const struct treatment_series *from_slot)
{
	if (slot->index < 0 || from_slot->index < 0 || slot->index == from_slot->index)
		return false;
	struct named_series from = name_of(a, from_slot), to = name_of(a, slot);
	struct treatment_transform found = {.given = given};
	if (!find(&found, a, &from, &to))
		return false;
	slot->transform = found;
	return true;
}

/* One transform for a whole stay says nothing of how a scan lies to the baseline of that stay; one
 * that names the scan itself does. */
static bool follows_baseline(const struct treatment_assessment *a,
			     const struct treatment_series *after)
{
	const struct treatment_series *baseline = &a->slots->baseline;
	struct named_series from = name_of(a, &a->slots->anatomy), itself = name_of(a, after);
	struct treatment_transform own;
	bool one_stay = strcmp(itself.frame_uid, baseline->arranged.grid.frame_of_reference) == 0;
	itself.frame_uid = "";
	return one_stay && baseline->transform.given == TREATMENT_FROM_ANATOMY &&
	       memcmp(after->transform.matrix, baseline->transform.matrix,
		      sizeof after->transform.matrix) == 0 &&
	       !find(&own, a, &from, &itself);
}

void treatment_transforms(struct treatment_assessment *a)
{
	struct treatment_slots *slots = a->slots;
	if (given_from(&slots->baseline, a, TREATMENT_FROM_ANATOMY, &slots->anatomy))
		treatment_warn(a, "HO138", "anatomy to baseline: transform of %.180s",
			       slots->baseline.transform.provenance);
	for (int i = 0; i < slots->n_after; i++) {
		struct treatment_series *after = &slots->after[i];
		if (given_from(after, a, TREATMENT_FROM_BASELINE, &slots->baseline))
			treatment_warn(a, "HO138",
				       "baseline to series after injection %d: transform of %.160s",
				       after->after_injection, after->transform.provenance);
		else if (!given_from(after, a, TREATMENT_FROM_ANATOMY, &slots->anatomy))
			continue;
		else if (follows_baseline(a, after))
			after->transform =
			    (struct treatment_transform){.given = TREATMENT_NOT_GIVEN};
		else
			treatment_warn(a, "HO138",
				       "anatomy to series after injection %d: transform of %.160s",
				       after->after_injection, after->transform.provenance);
	}
}

/* ---- frames of reference ---- */

static const char *frame_of(const struct treatment_series *slot)
{
	return slot->arranged.grid.frame_of_reference;
}

/* Whether there will be a transform from the result grid to the series. */
static bool can_be_aligned(const struct treatment_assessment *a,
			   const struct treatment_series *slot)
{
	return a->input->config->register_rigid || slot->transform.given != TREATMENT_NOT_GIVEN;
}

void treatment_check_frames(struct treatment_assessment *a)
{
	static const char advice[] = "the patient has left the scanner in between; switch rigid "
				     "registration on in the configuration, or give a transform in "
				     "the record or as a Spatial Registration";
	struct treatment_slots *slots = a->slots;
	const struct treatment_series *anatomy = &slots->anatomy, *baseline = &slots->baseline;
	const char *name = anatomy->index >= 0 ? "the anatomy" : "the baseline";
	if (baseline->index < 0)
		return;
	const char *frame = frame_of(anatomy->index >= 0 ? anatomy : baseline);
	if (!frame[0]) {
		a->no_maps = true;
		treatment_refuse(a, "%s has no frame of reference", name);
	}
	if (strcmp(frame_of(baseline), frame) != 0 && !can_be_aligned(a, baseline)) {
		treatment_refuse(
		    a, "the baseline is in another frame of reference than the anatomy: %s",
		    advice);
		treatment_drop_scans(slots);
	}
	int kept = 0;
	for (int i = 0; i < slots->n_after; i++) {
		struct treatment_series *after = &slots->after[i];
		/* what is not given is taken as lying where the baseline does */
		bool in_place = strcmp(frame_of(after), frame) == 0 ||
				(strcmp(frame_of(after), frame_of(baseline)) == 0 &&
				 can_be_aligned(a, baseline));
		if (in_place || can_be_aligned(a, after)) {
			slots->after[kept++] = *after;
			continue;
		}
		treatment_refuse(
		    a, "the series after injection %d is in another frame of reference than %s: %s",
		    after->after_injection, name, advice);
		mr_series_free(&after->arranged);
	}
	slots->n_after = kept;
}
