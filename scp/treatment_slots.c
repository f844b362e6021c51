#include "treatment_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TE_TOLERANCE_MS 0.05
#define SAME_DIRECTION_COS                                                                         \
	0.99939 /* 2 degrees: planes set anew by hand after the patient came back */
#define ALIGNED_DIRECTION_COS                                                                      \
	0.96593 /* 15 degrees: in a frame of reference of its own, and aligned by registration */
#define SAME_FIELD_T 0.15

/* ---- series of one kind ---- */

static void normal_of(const struct grid *grid, double normal[3])
{
	const double *c = grid->column_step_mm, *r = grid->row_step_mm;
	normal[0] = c[1] * r[2] - c[2] * r[1];
	normal[1] = c[2] * r[0] - c[0] * r[2];
	normal[2] = c[0] * r[1] - c[1] * r[0];
	double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2]);
	for (int i = 0; i < 3; i++)
		normal[i] /= length;
}

bool treatment_same_echo_times(const struct mr_series *a, const struct mr_series *b)
{
	bool same = a->echoes == b->echoes;
	for (int i = 0; same && i < a->echoes; i++)
		same = fabs(a->te_ms[i] - b->te_ms[i]) <= TE_TOLERANCE_MS;
	return same;
}

static bool same_planes(const struct mr_series *a, const struct mr_series *b, bool aligned)
{
	double na[3], nb[3];
	bool one_stay = strcmp(a->grid.frame_of_reference, b->grid.frame_of_reference) == 0;
	normal_of(&a->grid, na);
	normal_of(&b->grid, nb);
	return fabs(na[0] * nb[0] + na[1] * nb[1] + na[2] * nb[2]) >=
	       (aligned && !one_stay ? ALIGNED_DIRECTION_COS : SAME_DIRECTION_COS);
}

/* Both unknown is as good as the same: the missing field strength is refused by its own rule. */
static bool same_field(const struct mr_series *a, const struct mr_series *b)
{
	return !(fabs(a->field_strength_t - b->field_strength_t) > SAME_FIELD_T);
}

static bool same_kind(const struct mr_series *a, const struct mr_series *b, bool aligned)
{
	return treatment_same_echo_times(a, b) && same_planes(a, b, aligned) && same_field(a, b);
}

/* How many slots series of this kind would fill. */
static int slots_of_kind(const struct treatment_assessment *a,
			 const struct treatment_candidate *candidate)
{
	bool filled[RECORD_MAX_INJECTIONS + 1] = {false};
	bool aligned = a->input->config->register_rigid;
	int count = 0;
	for (int i = 0; i < a->n_candidates; i++) {
		const struct treatment_candidate *other = &a->candidates[i];
		if (!other->holmium || !same_kind(&other->arranged, &candidate->arranged, aligned))
			continue;
		int slot = other->named_slot >= 0 ? other->named_slot : other->slot;
		count += !filled[slot];
		filled[slot] = true;
	}
	return count;
}

/* The series whose frame of reference counts: the baseline to be, as far as can be told before it
 * is known which series are whole. An earlier baseline may be of another stay in the scanner. */
static const struct treatment_candidate *baseline_to_be(const struct treatment_assessment *a,
							const struct treatment_candidate *reference)
{
	const struct treatment_candidate *latest = NULL;
	for (int i = 0; i < a->n_candidates; i++) {
		const struct treatment_candidate *candidate = &a->candidates[i];
		if (!candidate->holmium || !candidate->arranged.complete)
			continue;
		if (candidate->named_slot == 0)
			return candidate;
		if (candidate->named_slot < 0 && candidate->slot == 0 &&
		    (!latest || candidate->acquired_s > latest->acquired_s))
			latest = candidate;
	}
	return latest ? latest : reference;
}

/* Picks the kind that the slots are made of: that of a series which the record names, else the one
 * that fills most slots, the earliest of equals; the others are left unused with words. */
void treatment_group(struct treatment_assessment *a)
{
	struct treatment_candidate *reference = NULL;
	bool aligned = a->input->config->register_rigid;
	int best = 0;
	for (int i = 0; i < a->n_candidates; i++) {
		struct treatment_candidate *candidate = &a->candidates[i];
		if (!candidate->holmium)
			continue;
		int score = slots_of_kind(a, candidate);
		if (candidate->named_slot >= 0)
			score += 1000;
		if (score > best ||
		    (score == best && reference && candidate->acquired_s < reference->acquired_s)) {
			best = score;
			reference = candidate;
		}
	}
	for (int i = 0; i < a->n_candidates && reference; i++) {
		struct treatment_candidate *candidate = &a->candidates[i];
		const struct mr_series *is = &candidate->arranged, *as = &reference->arranged;
		if (!candidate->holmium || same_kind(is, as, aligned))
			continue;
		candidate->holmium = false;
		if (!treatment_same_echo_times(is, as))
			snprintf(
			    candidate->why, sizeof candidate->why,
			    "echo times differ from %s (%d from %.2f ms, there %d from %.2f ms)",
			    reference->label, is->echoes, is->te_ms[0], as->echoes, as->te_ms[0]);
		else if (!same_planes(is, as, aligned))
			snprintf(candidate->why, sizeof candidate->why,
				 "other slice orientation than %s", reference->label);
		else
			snprintf(candidate->why, sizeof candidate->why,
				 "%.3g T, but %s is at %.3g T", is->field_strength_t,
				 reference->label, as->field_strength_t);
		if (candidate->named_slot >= 0) {
			a->no_maps = true;
			treatment_refuse(a, "%s, which the record names: %s", candidate->label,
					 candidate->why);
		}
	}
	a->reference = baseline_to_be(a, reference);
}

/* ---- one slot ---- */

static void slot_name(char name[48], int slot)
{
	if (slot == 0)
		snprintf(name, 48, "baseline");
	else
		snprintf(name, 48, "series after injection %d", slot);
}

static bool is_whole(const struct treatment_candidate *candidate)
{
	return candidate->completeness == SERIES_COMPLETE ||
	       candidate->completeness == SERIES_SETTLED;
}

static const char *uid_named(const struct treatment_record *record, int slot)
{
	return slot == 0 ? record->baseline_series_uid
			 : record->injections[slot - 1].after_series_uid;
}

/* A series so near to an injection that the two clocks do not tell which came first stays out until
 * the record names it. It could belong to the slot before the injection, where it would be the
 * last, or to the one after it, where a later series outdoes it. */
static const struct treatment_candidate *unclear_for(const struct treatment_assessment *a, int slot,
						     const struct treatment_candidate *chosen)
{
	for (int i = 0; i < a->n_candidates; i++) {
		const struct treatment_candidate *candidate = &a->candidates[i];
		if (!candidate->holmium || candidate->named_slot >= 0 ||
		    candidate->near_injection == 0 || candidate->completeness == SERIES_INCOMPLETE)
			continue;
		if (candidate->near_injection - 1 == slot ||
		    (candidate->near_injection == slot && !chosen))
			return candidate;
	}
	return NULL;
}

static void say_unclear(struct treatment_assessment *a, int slot,
			const struct treatment_candidate *candidate)
{
	char name[48], scanner[16], record[16];
	int injection = candidate->near_injection;
	slot_name(name, slot);
	treatment_clock(a, candidate->acquired_s, scanner);
	treatment_clock(a, a->input->record->injections[injection - 1].start_s, record);
	treatment_wait(a,
		       "%s: %s began at %s by the scanner's clock, injection %d at %s by the "
		       "record's: within the "
		       "clock tolerance of %g s; name the series in the record",
		       name, candidate->label, scanner, injection, record,
		       a->input->config->clock_tolerance_s);
}

/* The last whole series of the slot; *pending: a later one that is still coming in; *reason: the
 * latest that cannot serve. */
static struct treatment_candidate *last_of_slot(const struct treatment_assessment *a, int slot,
						struct treatment_candidate **pending,
						const struct treatment_candidate **reason)
{
	struct treatment_candidate *chosen = NULL;
	*pending = NULL;
	*reason = NULL;
	for (int i = 0; i < a->n_candidates; i++) {
		struct treatment_candidate *candidate = &a->candidates[i];
		if (candidate->slot != slot || candidate->named_slot >= 0)
			continue;
		bool fails = candidate->meant && (!candidate->holmium || !is_whole(candidate));
		if (fails && candidate->why[0] &&
		    (!*reason || !(candidate->acquired_s < (*reason)->acquired_s)))
			*reason = candidate;
		if (!candidate->holmium || candidate->near_injection > 0)
			continue;
		if (candidate->completeness == SERIES_UNCONFIRMED &&
		    (!*pending || candidate->acquired_s > (*pending)->acquired_s))
			*pending = candidate;
		if (is_whole(candidate) && (!chosen || candidate->acquired_s > chosen->acquired_s))
			chosen = candidate;
	}
	if (*pending && chosen && (*pending)->acquired_s < chosen->acquired_s)
		*pending = NULL;
	return chosen;
}

/* What the record says; *named tells whether it says anything. */
static struct treatment_candidate *named_for_slot(struct treatment_assessment *a, int slot,
						  bool *named)
{
	const char *uid = uid_named(a->input->record, slot);
	char name[48];
	*named = uid[0] != '\0';
	if (!*named)
		return NULL;
	slot_name(name, slot);
	struct treatment_candidate *candidate = treatment_find_series(a, uid);
	if (!candidate) {
		treatment_wait(a, "%s: series %s, which the record names, has not come", name, uid);
		return NULL;
	}
	if (!candidate->holmium) /* said already */
		return NULL;
	if (is_whole(candidate))
		return candidate;
	treatment_wait(a, "%s: %s: %s", name, candidate->label, candidate->why);
	if (candidate->completeness == SERIES_UNCONFIRMED)
		treatment_look_again(a, candidate);
	return NULL;
}

static struct treatment_candidate *timed_for_slot(struct treatment_assessment *a, int slot)
{
	struct treatment_candidate *pending;
	const struct treatment_candidate *reason;
	char name[48];
	slot_name(name, slot);
	struct treatment_candidate *chosen = last_of_slot(a, slot, &pending, &reason);
	const struct treatment_candidate *unclear = unclear_for(a, slot, chosen);
	if (unclear) {
		say_unclear(a, slot, unclear);
		return NULL;
	}
	if (pending) {
		treatment_wait(a, "%s: %s: %s", name, pending->label, pending->why);
		treatment_look_again(a, pending);
		return NULL;
	}
	if (chosen)
		return chosen;
	bool expected = slot == 0 || a->input->record->injections[slot - 1].imaged;
	if (reason)
		treatment_wait(a, "%s: %s: %s", name, reason->label, reason->why);
	else if (expected)
		treatment_wait(a, "%s", name);
	return NULL;
}

static void name_repeats(struct treatment_assessment *a, int slot,
			 const struct treatment_candidate *chosen)
{
	char name[48];
	slot_name(name, slot);
	for (int i = 0; i < a->n_candidates; i++) {
		struct treatment_candidate *other = &a->candidates[i];
		if (other == chosen || !other->holmium || other->used || other->named_slot >= 0 ||
		    other->slot != slot)
			continue;
		if (is_whole(other))
			treatment_warn(a, "HO109", "%s: %s is used, %s is there too", name,
				       chosen->label, other->label);
		char why[sizeof other->why];
		snprintf(why, sizeof why, "%.100s%s%s is used instead", other->why,
			 other->why[0] ? "; " : "", chosen->label);
		memcpy(other->why, why, sizeof why);
	}
}

/* Lossy compression changes the weak late echoes first, and with them R2*. */
static void say_lossy(struct treatment_assessment *a, const struct treatment_candidate *chosen)
{
	const struct mr_series *arranged = &chosen->arranged;
	int images = arranged->grid.slices * arranged->echoes, lossy = 0;
	for (int i = 0; i < images; i++)
		lossy += arranged->image[i] >= 0 &&
			 chosen->series->instances[arranged->image[i]].info.lossy;
	if (lossy > 0)
		treatment_warn(a, "HO122",
			       "%s: %d of %d images were lossy compressed: R2* and dose may be "
			       "wrong, send them uncompressed",
			       chosen->label, lossy, images);
}

static void say_how_complete(struct treatment_assessment *a,
			     const struct treatment_candidate *chosen)
{
	say_lossy(a, chosen);
	if (chosen->completeness == SERIES_SETTLED)
		treatment_warn(a, "HO105", "%s: complete, unconfirmed (%d slices%s%s)",
			       chosen->label, chosen->arranged.grid.slices,
			       chosen->why[0] ? "; " : "", chosen->why);
	if (chosen->near_injection > 0) {
		char scanner[16], record[16];
		treatment_clock(a, chosen->acquired_s, scanner);
		treatment_clock(a, a->input->record->injections[chosen->near_injection - 1].start_s,
				record);
		treatment_warn(
		    a, "HO103",
		    "%s began at %s by the scanner's clock, injection %d at %s by the record's; "
		    "the record says which came first",
		    chosen->label, scanner, chosen->near_injection, record);
	}
}

void treatment_fill(struct treatment_assessment *a)
{
	struct treatment_slots *slots = a->slots;
	const struct treatment_record *record = a->input->record;
	int zone_assumed = 0;
	for (int slot = 0; slot <= record->n_injections; slot++) {
		bool named;
		struct treatment_candidate *chosen = named_for_slot(a, slot, &named);
		if (!named)
			chosen = timed_for_slot(a, slot);
		if (!chosen)
			continue;
		if (slot > 0 && slots->n_after == DOSIMETRY_MAX_SCANS) {
			treatment_refuse(a, "more than %d series after injections",
					 DOSIMETRY_MAX_SCANS);
			continue;
		}
		zone_assumed += chosen->zone_assumed;
		say_how_complete(a, chosen);
		treatment_take(slot == 0 ? &slots->baseline : &slots->after[slots->n_after++],
			       chosen, slot);
		name_repeats(a, slot, chosen);
	}
	if (zone_assumed > 0)
		treatment_warn(a, "HO111", "%d series carry no time zone: %s is assumed",
			       zone_assumed, a->input->config->time_zone);
}

/* ---- baseline and after-scan should differ in microspheres only ---- */

static const struct instance_info *first_image(const struct treatment_assessment *a,
					       const struct treatment_series *slot)
{
	return &a->input->patient->series[slot->index].instances[slot->arranged.image[0]].info;
}

void treatment_compare_scans(struct treatment_assessment *a)
{
	const struct treatment_series *baseline = &a->slots->baseline;
	for (int i = 0; i < a->slots->n_after && baseline->index >= 0; i++) {
		const struct treatment_series *after = &a->slots->after[i];
		const struct instance_info *was = first_image(a, baseline),
					   *is = first_image(a, after);
		char differs[120] = "";
		size_t n = 0;
		const struct {
			bool other;
			const char *what;
		} rows[] = {
		    {fabs(baseline->arranged.tr_ms - after->arranged.tr_ms) > 0.5, "TR"},
		    {fabs(baseline->arranged.flip_deg - after->arranged.flip_deg) > 0.5,
		     "flip angle"},
		    {strcmp(was->receive_coil, is->receive_coil) != 0, "coil"},
		    {strcmp(was->contrast_agent, is->contrast_agent) != 0, "contrast agent"},
		    {strcmp(was->station_name, is->station_name) != 0, "scanner"},
		};
		for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
			if (rows[r].other)
				n += (size_t)snprintf(differs + n, sizeof differs - n, "%s%s",
						      n ? ", " : "", rows[r].what);
		}
		if (n > 0)
			treatment_warn(a, "HO106", "after injection %d other than at baseline: %s",
				       after->after_injection, differs);
	}
}
