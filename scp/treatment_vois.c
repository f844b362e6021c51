#include "treatment_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOUR_S 3600.0

/* ---- which structure set ---- */

enum set_fit {
	SET_USABLE,
	SET_AWAITS_SERIES, /* its series has not come */
	SET_OTHER_FRAME,   /* its frame of reference is not that of the scans */
	SET_ON_EMISSION,   /* drawn on a SPECT or PET: for its own figures */
	SET_FOREIGN	   /* of another time: not for this treatment */
};

static const char *set_name(const struct rt_structure_set *set)
{
	return set->label[0] ? set->label : set->sop_instance_uid;
}

static bool within_window(const struct treatment_assessment *a, double time_s)
{
	const struct treatment_record *record = a->input->record;
	const struct config *config = a->input->config;
	return isnan(time_s) ||
	       (time_s >= record->injections[0].start_s - config->hours_before_first * HOUR_S &&
		time_s <= record->injections[record->n_injections - 1].start_s +
			      config->hours_after_last * HOUR_S);
}

/* Drawn on a series of this treatment: around its injections, or in a study that the record names.
 */
static bool belongs(const struct treatment_assessment *a, const struct treatment_candidate *on)
{
	const struct treatment_record *record = a->input->record;
	for (int i = 0; i < record->n_studies; i++) {
		if (strcmp(record->study_uid[i], on->series->study_instance_uid) == 0)
			return true;
	}
	return within_window(a, on->acquired_s);
}

/* Whether anything could carry regions from one frame of reference to another; if then nothing
 * does, treatment_check_frames() says so. */
static bool can_be_carried(const struct treatment_assessment *a)
{
	return a->input->config->register_rigid || a->input->record->n_transforms > 0 ||
	       a->input->n_registrations > 0;
}

static enum set_fit fit_of_set(const struct treatment_assessment *a,
			       const struct rt_structure_set *set)
{
	const struct treatment_candidate *on = treatment_find_series(a, set->referenced_series_uid);
	const char *frame = a->reference ? treatment_frame(a->reference) : "";
	const char *set_frame = set->frame_of_reference_uid;
	if (!on && strcmp(set_frame, frame) != 0 &&
	    treatment_is_drawn_on_emission(a->input->patient, set_frame))
		return SET_ON_EMISSION;
	if (on) {
		if (set_frame[0] && strcmp(set_frame, treatment_frame(on)) != 0)
			return SET_OTHER_FRAME;
		if (!frame[0] || strcmp(treatment_frame(on), frame) == 0)
			return SET_USABLE;
		if (!belongs(a, on))
			return SET_FOREIGN;
		return can_be_carried(a) ? SET_USABLE : SET_OTHER_FRAME;
	}
	if (!frame[0] || strcmp(set_frame, frame) == 0)
		return set->referenced_series_uid[0] ? SET_AWAITS_SERIES : SET_USABLE;
	/* Drawn long before this treatment on something we never saw (a planning scan): not meant
	 * for it. */
	double drawn_s = site_time_to_utc(set->datetime, "", a->input->config->time_zone);
	double earliest_s =
	    a->input->record->injections[0].start_s - a->input->config->hours_before_first * HOUR_S;
	if (drawn_s < earliest_s)
		return SET_FOREIGN;
	return can_be_carried(a) && set->referenced_series_uid[0] ? SET_AWAITS_SERIES
								  : SET_OTHER_FRAME;
}

/* Date and time of the set itself decide; the UID makes the order total. */
static bool newer(const struct rt_structure_set *a, const struct rt_structure_set *b)
{
	int order = strcmp(a->datetime, b->datetime);
	return order != 0 ? order > 0 : strcmp(a->sop_instance_uid, b->sop_instance_uid) > 0;
}

static int newest(const struct treatment_assessment *a, enum set_fit fit)
{
	const struct rt_structure_set *sets = a->input->structure_sets;
	int found = -1;
	for (int i = 0; i < a->input->n_structure_sets; i++) {
		if (fit_of_set(a, &sets[i]) == fit && (found < 0 || newer(&sets[i], &sets[found])))
			found = i;
	}
	return found;
}

static void name_other_sets(struct treatment_assessment *a)
{
	const struct rt_structure_set *sets = a->input->structure_sets;
	const int chosen = a->slots->structure_set;
	for (int i = 0; i < a->input->n_structure_sets; i++) {
		const struct rt_structure_set *set = &sets[i];
		enum set_fit fit = fit_of_set(a, set);
		char label[110];
		snprintf(label, sizeof label, "contours \"%.70s\" of %.14s", set_name(set),
			 set->datetime);
		if (fit == SET_FOREIGN)
			treatment_leave(a, label, "drawn for another treatment");
		if (fit == SET_ON_EMISSION)
			treatment_leave(a, label, "drawn on an emission image: for its figures");
		if (i == chosen || chosen < 0)
			continue;
		if (fit == SET_USABLE)
			treatment_warn(a, "HO110",
				       "%s are older than \"%.70s\" of %.14s, which are used",
				       label, set_name(&sets[chosen]), sets[chosen].datetime);
		else if (fit == SET_AWAITS_SERIES)
			treatment_warn(a, "HO110",
				       "%s are not used: the series they are drawn on has not come",
				       label);
		else if (fit == SET_OTHER_FRAME)
			treatment_warn(a, "HO110", "%s are not used: another frame of reference",
				       label);
	}
}

void treatment_choose_contours(struct treatment_assessment *a)
{
	const struct rt_structure_set *sets = a->input->structure_sets;
	a->slots->structure_set = newest(a, SET_USABLE);
	name_other_sets(a);
	if (a->slots->structure_set >= 0)
		return;
	int waiting = newest(a, SET_AWAITS_SERIES), other = newest(a, SET_OTHER_FRAME);
	if (waiting >= 0) {
		treatment_wait(
		    a, "anatomy: series %s, on which the contours \"%s\" are drawn, has not come",
		    sets[waiting].referenced_series_uid, set_name(&sets[waiting]));
	} else if (other >= 0) {
		const struct treatment_candidate *on =
		    treatment_find_series(a, sets[other].referenced_series_uid);
		treatment_refuse(a,
				 "contours \"%s\" are in another frame of reference (%s) than the "
				 "scans (%s)%s%s: draw "
				 "them on a series of the same stay in the scanner, or switch "
				 "rigid registration on",
				 set_name(&sets[other]), sets[other].frame_of_reference_uid,
				 a->reference ? treatment_frame(a->reference) : "none",
				 on ? ", drawn on " : "", on ? on->label : "");
	}
}

/* ---- roles ---- */

static const struct record_voi *voi_of_record(const struct treatment_record *record,
					      const char *name)
{
	for (int i = 0; i < record->n_vois; i++) {
		if (strcasecmp(record->vois[i].name, name) == 0)
			return &record->vois[i];
	}
	return NULL;
}

/* The record first, then codes, then names. STATUS_REFUSE: two roles in one step. */
static enum status_code role_of(bool *matched, enum config_voi_role *role,
				const struct treatment_assessment *a, const struct rt_roi *roi,
				struct status *st)
{
	const struct record_voi *said = voi_of_record(a->input->record, roi->name);
	if (said) {
		*matched = true;
		*role = said->role;
		return STATUS_OK;
	}
	return config_voi_role_of(matched, role, a->input->config, roi->name, roi->code_value,
				  roi->code_scheme, st);
}

static enum voi_role dosimetry_role(enum config_voi_role role)
{
	switch (role) {
	case CONFIG_VOI_LIVER:
		return VOI_LIVER;
	case CONFIG_VOI_PART:
		return VOI_PART;
	case CONFIG_VOI_TUMOUR:
		return VOI_TUMOUR;
	case CONFIG_VOI_NECROSIS:
		return VOI_NECROSIS;
	case CONFIG_VOI_IGNORE:
		break;
	}
	return VOI_OTHER;
}

static void add_voi(struct treatment_assessment *a, int index, const struct rt_roi *roi,
		    enum config_voi_role role)
{
	struct treatment_slots *slots = a->slots;
	const struct rt_structure_set *set = &a->input->structure_sets[slots->structure_set];
	const struct record_voi *said = voi_of_record(a->input->record, roi->name);
	if (roi->frame_of_reference_uid[0] && set->frame_of_reference_uid[0] &&
	    strcmp(roi->frame_of_reference_uid, set->frame_of_reference_uid) != 0) {
		treatment_refuse(
		    a, "contour \"%s\" of \"%s\" is in another frame of reference than the others",
		    roi->name, set_name(set));
		return;
	}
	if (slots->n_vois == DOSIMETRY_MAX_VOIS) {
		treatment_refuse(a, "contours \"%s\": more than %d regions with a role",
				 set_name(set), DOSIMETRY_MAX_VOIS);
		return;
	}
	for (int i = 0; i < slots->n_vois; i++) {
		if (role == CONFIG_VOI_LIVER && slots->vois[i].role == VOI_LIVER) {
			treatment_refuse(a,
					 "both \"%s\" and \"%s\" are the liver: say in the record "
					 "which (role=\"ignore\" "
					 "for the other)",
					 slots->vois[i].name, roi->name);
			return;
		}
		if (strcasecmp(slots->vois[i].name, roi->name) == 0) {
			treatment_refuse(a, "contours \"%s\": two regions are called \"%s\"",
					 set_name(set), roi->name);
			return;
		}
	}
	struct treatment_voi *voi = &slots->vois[slots->n_vois++];
	voi->roi = index;
	voi->role = dosimetry_role(role);
	snprintf(voi->name, sizeof voi->name, "%s", roi->name);
	snprintf(voi->part_name, sizeof voi->part_name, "%s", said ? said->part : "");
	if (voi->role == VOI_TUMOUR)
		snprintf(voi->group, sizeof voi->group, "%s", said ? said->group : "");
	if (roi->ignored_contours > 0)
		treatment_warn(
		    a, "HO119",
		    "region \"%s\": %d contours that are not closed and planar are left out",
		    roi->name, roi->ignored_contours);
}

/* What the record counts on and the contours do not have. */
static void name_missing_vois(struct treatment_assessment *a)
{
	const struct treatment_record *record = a->input->record;
	for (int i = 0; i < record->n_vois; i++) {
		bool there = record->vois[i].role == CONFIG_VOI_IGNORE;
		for (int v = 0; v < a->slots->n_vois && !there; v++)
			there = strcasecmp(a->slots->vois[v].name, record->vois[i].name) == 0;
		if (!there)
			treatment_warn(
			    a, "HO119",
			    "the record names \"%s\", the contours have none of that name",
			    record->vois[i].name);
	}
	for (int v = 0; v < a->slots->n_vois; v++) {
		const char *part = a->slots->vois[v].part_name;
		bool there = part[0] == '\0';
		for (int p = 0; p < a->slots->n_vois && !there; p++)
			there = a->slots->vois[p].role == VOI_PART &&
				strcasecmp(a->slots->vois[p].name, part) == 0;
		if (!there) {
			treatment_warn(
			    a, "HO119",
			    "\"%s\" lies in \"%s\" by the record, but no contour is a part of that "
			    "name",
			    a->slots->vois[v].name, part);
			a->slots->vois[v].part_name[0] = '\0';
		}
	}
}

/* A group is a VOI of its own, behind its members. One tumour alone is no group. */
static void add_group(struct treatment_assessment *a, const char *name)
{
	struct treatment_slots *slots = a->slots;
	int members = 0;
	for (int i = 0; i < slots->n_vois; i++) {
		if (slots->vois[i].roi < 0 && strcasecmp(slots->vois[i].name, name) == 0)
			return; /* there already */
		if (slots->vois[i].roi >= 0 && strcasecmp(slots->vois[i].name, name) == 0) {
			treatment_refuse(a, "group \"%s\" has the name of a region", name);
			return;
		}
		members += strcasecmp(slots->vois[i].group, name) == 0;
	}
	if (members < 2) {
		treatment_warn(a, "HO119", "group \"%s\" has one tumour only and is left out",
			       name);
		return;
	}
	if (slots->n_vois == DOSIMETRY_MAX_VOIS) {
		treatment_refuse(a, "more than %d regions and groups", DOSIMETRY_MAX_VOIS);
		return;
	}
	struct treatment_voi *group = &slots->vois[slots->n_vois++];
	*group = (struct treatment_voi){.roi = -1, .role = VOI_GROUP};
	snprintf(group->name, sizeof group->name, "%s", name);
}

static void find_vois(struct treatment_assessment *a)
{
	const struct rt_structure_set *set = &a->input->structure_sets[a->slots->structure_set];
	for (int i = 0; i < set->n_rois; i++) {
		const struct rt_roi *roi = &set->rois[i];
		struct status st = STATUS_INIT;
		bool matched = false;
		enum config_voi_role role = CONFIG_VOI_IGNORE;
		if (role_of(&matched, &role, a, roi, &st) != STATUS_OK) {
			treatment_refuse(a, "contours \"%s\": %s", set_name(set), st.text);
		} else if (!matched) {
			treatment_warn(
			    a, "HO108",
			    "region \"%s\" has no role: name it in the record or in the rules",
			    roi->name);
		} else if (role != CONFIG_VOI_IGNORE && roi->n_contours == 0) {
			treatment_warn(a, "HO108",
				       "region \"%s\" (%s) has no closed contours and is left out",
				       roi->name, config_voi_role_name(role));
		} else if (role != CONFIG_VOI_IGNORE) {
			add_voi(a, i, roi, role);
		}
	}
	name_missing_vois(a);
	int regions = a->slots->n_vois;
	for (int i = 0; i < regions; i++) {
		char group[sizeof a->slots->vois[i].group];
		memcpy(group, a->slots->vois[i].group, sizeof group);
		if (group[0])
			add_group(a, group);
	}
	if (a->slots->n_vois == 0)
		treatment_wait(a, "contours: none of \"%s\" has a role", set_name(set));
}

/* ---- extent ---- */

bool treatment_contours_inside(const struct treatment_assessment *a, const struct grid *grid)
{
	if (a->slots->structure_set < 0)
		return false;
	const struct rt_structure_set *set = &a->input->structure_sets[a->slots->structure_set];
	if (set->frame_of_reference_uid[0] &&
	    strcmp(set->frame_of_reference_uid, grid->frame_of_reference) != 0)
		return false;
	int points = 0;
	for (int r = 0; r < set->n_rois; r++) {
		struct status st = STATUS_INIT;
		bool matched = false;
		enum config_voi_role role = CONFIG_VOI_IGNORE;
		if (role_of(&matched, &role, a, &set->rois[r], &st) != STATUS_OK || !matched ||
		    role == CONFIG_VOI_IGNORE)
			continue;
		for (int c = 0; c < set->rois[r].n_contours; c++) {
			const struct mask_contour *contour = &set->rois[r].contours[c];
			for (int p = 0; p < contour->points; p++, points++) {
				double voxel[3];
				grid_to_voxel(grid, contour->points_mm + 3 * p, voxel);
				if (!(voxel[2] >= -0.5 && voxel[2] <= grid->slices - 0.5))
					return false;
			}
		}
	}
	return points > 0;
}

/* ---- anatomy ---- */

/* By the rule: of the same stay in the scanner as the scans, the last before the first injection,
 * else the first after it. */
static struct treatment_candidate *anatomy_by_rule(struct treatment_assessment *a)
{
	struct treatment_candidate *best = NULL;
	double first_s = a->input->record->injections[0].start_s;
	for (int i = 0; i < a->n_candidates; i++) {
		struct treatment_candidate *candidate = &a->candidates[i];
		if (!candidate->anatomy_rule || candidate->used || candidate->holmium ||
		    !a->reference)
			continue;
		if (strcmp(treatment_frame(candidate), treatment_frame(a->reference)) != 0) {
			snprintf(candidate->why, sizeof candidate->why,
				 "another frame of reference than %.100s: not taken as anatomy",
				 a->reference->label);
			continue;
		}
		bool before = candidate->acquired_s <= first_s,
		     best_before = best && best->acquired_s <= first_s;
		bool better =
		    !best || (before && !best_before) ||
		    (before == best_before && (before ? candidate->acquired_s > best->acquired_s
						      : candidate->acquired_s < best->acquired_s));
		if (better)
			best = candidate;
	}
	return best;
}

static void name_other_anatomies(struct treatment_assessment *a,
				 const struct treatment_candidate *chosen)
{
	for (int i = 0; i < a->n_candidates; i++) {
		struct treatment_candidate *candidate = &a->candidates[i];
		if (candidate != chosen && candidate->anatomy_rule && !candidate->used &&
		    !candidate->why[0])
			snprintf(candidate->why, sizeof candidate->why, "%s is the anatomy",
				 chosen->label);
	}
}

static enum status_code take_anatomy(struct treatment_assessment *a,
				     struct treatment_candidate *candidate, bool by_contours,
				     struct status *st)
{
	bool also_scan = candidate->used; /* contours drawn on the baseline itself */
	if (!treatment_arrange(candidate, st)) {
		if (st->code != STATUS_OK)
			return st->code;
		if (by_contours)
			treatment_refuse(a, "anatomy: %s, on which the contours are drawn: %s",
					 candidate->label, candidate->why);
		return STATUS_OK;
	}
	treatment_complete(a, candidate);
	if (candidate->completeness == SERIES_COMPLETE ||
	    candidate->completeness == SERIES_SETTLED) {
		if (candidate->completeness == SERIES_SETTLED && !also_scan)
			treatment_warn(a, "HO105", "anatomy %s: complete, unconfirmed (%d slices)",
				       candidate->label, candidate->arranged.grid.slices);
		treatment_take(&a->slots->anatomy, candidate, 0);
		name_other_anatomies(a, candidate);
		return STATUS_OK;
	}
	treatment_wait(a, "anatomy: %s: %s", candidate->label, candidate->why);
	a->report_waits = by_contours;
	if (!treatment_has_ended(a, candidate)) {
		a->results_wait = true;
		treatment_look_again(a, candidate);
	}
	return STATUS_OK;
}

enum status_code treatment_contours(struct treatment_assessment *a, struct status *st)
{
	const struct treatment_slots *slots = a->slots;
	struct treatment_candidate *anatomy = NULL;
	bool by_contours = false;
	if (slots->structure_set >= 0) {
		size_t refused = strlen(a->refusal);
		find_vois(a);
		a->slots->contours_refused = strlen(a->refusal) > refused;
		anatomy = treatment_find_series(
		    a, a->input->structure_sets[slots->structure_set].referenced_series_uid);
		by_contours = anatomy != NULL;
	} else if (newest(a, SET_AWAITS_SERIES) < 0 && newest(a, SET_OTHER_FRAME) < 0) {
		treatment_wait(a, "contours (RT Structure Set)");
	}
	if (!anatomy)
		anatomy = anatomy_by_rule(a);
	return anatomy ? take_anatomy(a, anatomy, by_contours, st) : STATUS_OK;
}
