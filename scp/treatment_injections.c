#include "treatment_parts.h"

#include "holmium.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#define DAY_S 86400.0

static int find_part(const struct treatment_slots *slots, const char *name)
{
	for (int i = 0; i < slots->n_vois; i++) {
		if (slots->vois[i].role == VOI_PART && strcasecmp(slots->vois[i].name, name) == 0)
			return i;
	}
	return -1;
}

static bool is_liver(const struct treatment_slots *slots, const char *name)
{
	for (int i = 0; i < slots->n_vois; i++) {
		if (slots->vois[i].role == VOI_LIVER && strcasecmp(slots->vois[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Counts of the positions, where the record says how many are planned or its planned shares are
 * complete; 0 unknown. */
static int planned_injections(struct treatment_assessment *a)
{
	const struct treatment_record *record = a->input->record;
	int planned = 0;
	bool known = true;
	for (int p = 0; p < record->n_positions; p++) {
		int injections = 0;
		double percent = 0;
		for (int i = 0; i < record->n_injections; i++) {
			if (record->injections[i].position != p)
				continue;
			injections++;
			percent += record->injections[i].planned_percent;
		}
		if (record->positions[p].planned_injections > 0) {
			planned += record->positions[p].planned_injections;
		} else if (percent > 99.5) {
			planned += injections;
		} else {
			known = false;
			if (injections > 0 && !isnan(percent))
				treatment_warn(
				    a, "HO119",
				    "position %s: planned shares add up to %g %%: more injections "
				    "are to come",
				    record->positions[p].id, percent);
		}
	}
	return known ? planned : 0;
}

static void check_parts(struct treatment_assessment *a)
{
	const struct treatment_record *record = a->input->record;
	for (int p = 0; p < record->n_positions; p++) {
		const char *part = record->positions[p].part;
		if (part[0] && a->slots->n_vois > 0 && find_part(a->slots, part) < 0 &&
		    !is_liver(a->slots, part))
			treatment_warn(
			    a, "HO134",
			    "position %s feeds \"%s\", but no contour is a part of that name",
			    record->positions[p].id, part);
	}
}

void treatment_inject(struct treatment_assessment *a)
{
	const struct treatment_record *record = a->input->record;
	struct treatment_slots *slots = a->slots;
	_Static_assert(RECORD_MAX_INJECTIONS <= DOSIMETRY_MAX_INJECTIONS,
		       "every injection has a place");
	for (int i = 0; i < record->n_injections; i++) {
		const struct record_injection *in = &record->injections[i];
		struct dosimetry_injection *out = &slots->injections[i];
		bool measured = !isnan(in->prepared_activity_mbq);
		out->number = i + 1;
		out->start_s = in->start_s;
		out->net_activity_mbq = in->net_activity_mbq;
		if (measured)
			out->net_activity_mbq = holmium_net_activity_mbq(
			    in->start_s, in->prepared_activity_mbq, in->prepared_at_s,
			    in->residual_activity_mbq, in->residual_at_s);
		out->residual_pending = measured && isnan(in->residual_activity_mbq);
		out->specific_activity_mbq_per_mg =
		    in->specific_activity_mbq_per_mg *
		    holmium_decay_factor(in->specific_activity_at_s, in->start_s);
		out->holmium_percent =
		    isnan(in->holmium_percent) ? record->holmium_percent : in->holmium_percent;
		out->position = in->position;
		out->part_voi = find_part(slots, record->positions[in->position].part);
		if (out->residual_pending)
			treatment_warn(
			    a, "HO104",
			    "injection %d: residual pending, recovery is against the prepared "
			    "activity",
			    i + 1);
		if (in->start_s - in->specific_activity_at_s > DAY_S)
			treatment_warn(a, "HO133",
				       "injection %d: its specific activity was measured %.1f h "
				       "before: every error of the time counts 2.6 %% per hour",
				       i + 1, (in->start_s - in->specific_activity_at_s) / 3600);
		if (isnan(out->net_activity_mbq))
			treatment_warn(a, "HO112",
				       "injection %d: activity unknown: no recovery, no trend",
				       i + 1);
	}
	slots->n_injections = record->n_injections;
	slots->planned_injections = planned_injections(a);
	check_parts(a);
}
