#include "treatment_record_read.h"

#include "holmium.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DAY_S 86400.0

static struct _xmlNode *nth_injection(const struct config_xml *xml, int index)
{
	for (struct _xmlNode *p = config_xml_child(config_xml_root(xml), "position"); p;
	     p = config_xml_next(p)) {
		for (struct _xmlNode *i = config_xml_child(p, "injection"); i;
		     i = config_xml_next(i)) {
			if (index-- == 0)
				return i;
		}
	}
	return NULL;
}

/* PS3.5 9.1: components of digits, no leading zero, at most 64 characters. */
static bool is_uid(const char *uid)
{
	size_t length = strlen(uid);
	if (length == 0 || length > 64)
		return false;
	for (const char *c = uid; *c; c++) {
		bool starts = c == uid || c[-1] == '.';
		bool digit = *c >= '0' && *c <= '9';
		if (!digit && (*c != '.' || starts || !c[1]))
			return false;
		if (starts && *c == '0' && c[1] != '.' && c[1] != '\0')
			return false;
	}
	return true;
}

static void check_uid(const struct config_xml *xml, const struct _xmlNode *element,
		      const char *attribute, const char *uid)
{
	if (uid[0] && !is_uid(uid))
		config_xml_error(xml, element, attribute, "%s \"%s\" is not a DICOM UID", attribute,
				 uid);
}

/* ---- one injection ---- */

static void check_activity(const struct record_injection *in, const struct config_xml *xml,
			   const struct _xmlNode *element)
{
	bool net = !isnan(in->net_activity_mbq), prepared = !isnan(in->prepared_activity_mbq);
	bool residual = !isnan(in->residual_activity_mbq);
	if (net && (prepared || residual))
		config_xml_error(
		    xml, element, "net-activity-mbq",
		    "injection %d: either net-activity-mbq or prepared and residual, not both",
		    in->number);
	if (prepared != !isnan(in->prepared_at_s))
		config_xml_error(
		    xml, element, prepared ? "prepared-activity-mbq" : "prepared-at",
		    "injection %d: prepared-activity-mbq and prepared-at belong together",
		    in->number);
	if (residual != !isnan(in->residual_at_s))
		config_xml_error(
		    xml, element, residual ? "residual-activity-mbq" : "residual-at",
		    "injection %d: residual-activity-mbq and residual-at belong together",
		    in->number);
	if (residual && !prepared)
		config_xml_error(xml, element, "residual-activity-mbq",
				 "injection %d: a residual without a prepared activity",
				 in->number);
	if (!net && !prepared)
		config_xml_warning(
		    xml, element, NULL,
		    "injection %d: no activity: the dose is computed, recovery and trend are not",
		    in->number);
	if (prepared && !residual)
		config_xml_warning(xml, element, NULL,
				   "injection %d: residual not measured yet: recovery is against "
				   "the prepared activity",
				   in->number);
	if (in->prepared_at_s > in->start_s)
		config_xml_error(xml, element, "prepared-at",
				 "injection %d: prepared-at is after start", in->number);
	if (in->residual_at_s < in->start_s)
		config_xml_error(xml, element, "residual-at",
				 "injection %d: residual-at is before start", in->number);
	double net_mbq =
	    holmium_net_activity_mbq(in->start_s, in->prepared_activity_mbq, in->prepared_at_s,
				     in->residual_activity_mbq, in->residual_at_s);
	if (net_mbq <= 0)
		config_xml_error(
		    xml, element, "residual-activity-mbq",
		    "injection %d: the residual is as much as what was prepared (net %.1f MBq)",
		    in->number, net_mbq);
}

static void check_specific_activity(const struct record_injection *in, const struct config_xml *xml,
				    const struct _xmlNode *element)
{
	if (isnan(in->specific_activity_mbq_per_mg)) {
		if (!isnan(in->specific_activity_at_s))
			config_xml_error(
			    xml, element, "specific-activity-at",
			    "injection %d: specific-activity-at without a specific activity",
			    in->number);
		else
			config_xml_warning(
			    xml, element, NULL,
			    "injection %d: no specific activity: no dose from this injection on",
			    in->number);
		return;
	}
	if (isnan(in->specific_activity_at_s)) {
		config_xml_error(xml, element, "specific-activity-mbq-per-mg",
				 "injection %d: the specific activity needs the time it holds for "
				 "(specific-activity-at)",
				 in->number);
		return;
	}
	/* 11.1 to 14.9 at injection in doi 10.1007/s00259-022-05902-w, Table 2; the same per mg of
	 * holmium is about 61. */
	double at_start = in->specific_activity_mbq_per_mg *
			  holmium_decay_factor(in->specific_activity_at_s, in->start_s);
	if (at_start < 3 || at_start > 30)
		config_xml_warning(
		    xml, element, "specific-activity-mbq-per-mg",
		    "injection %d: %.1f MBq per mg at injection is unusual (about 10 to 15): is it "
		    "per mg of microspheres?",
		    in->number, at_start);
}

static void check_injection(const struct record_injection *in, const struct config_xml *xml,
			    const struct _xmlNode *element)
{
	static const char *const names[] = {"prepared-at", "residual-at", "specific-activity-at"};
	const double times_s[] = {in->prepared_at_s, in->residual_at_s, in->specific_activity_at_s};
	check_activity(in, xml, element);
	check_specific_activity(in, xml, element);
	for (int i = 0; i < 3; i++) {
		if (fabs(times_s[i] - in->start_s) > 7 * DAY_S)
			config_xml_warning(xml, element, names[i],
					   "injection %d: %s is %.0f days from start", in->number,
					   names[i], fabs(times_s[i] - in->start_s) / DAY_S);
	}
	check_uid(xml, element, "series", in->after_series_uid);
	if (!in->imaged && in->after_series_uid[0])
		config_xml_error(xml, element, "imaged",
				 "injection %d: names a series, but was not imaged", in->number);
}

/* ---- injections together ---- */

static void check_pair(const struct record_injection *a, const struct record_injection *b,
		       const struct config_xml *xml, const struct _xmlNode *element)
{
	if (fabs(a->start_s - b->start_s) < 1)
		config_xml_error(xml, element, "start",
				 "injection %d: starts at the same time as another", b->number);
	if (b->after_series_uid[0] && strcmp(a->after_series_uid, b->after_series_uid) == 0)
		config_xml_error(xml, element, "series",
				 "injection %d: its series is another's already", b->number);
	if (a->position != b->position)
		return;
	if (a->number == b->number)
		config_xml_error(xml, element, "number",
				 "injection %d is there twice at this position", b->number);
	else if ((a->number < b->number) != (a->start_s < b->start_s) &&
		 fabs(a->start_s - b->start_s) >= 1)
		config_xml_error(xml, element, "start",
				 "injection %d: starts out of order with injection %d", b->number,
				 a->number);
}

static void check_injections(const struct treatment_record *record, const struct config_xml *xml)
{
	double first_s = INFINITY, last_s = -INFINITY;
	for (int i = 0; i < record->n_injections; i++) {
		const struct record_injection *in = &record->injections[i];
		const struct _xmlNode *element = nth_injection(xml, i);
		first_s = fmin(first_s, in->start_s);
		last_s = fmax(last_s, in->start_s);
		check_injection(in, xml, element);
		if (in->after_series_uid[0] &&
		    strcmp(in->after_series_uid, record->baseline_series_uid) == 0)
			config_xml_error(xml, element, "series",
					 "injection %d: its series is the baseline already",
					 in->number);
		for (int j = 0; j < i; j++)
			check_pair(&record->injections[j], in, xml, element);
	}
	if (last_s - first_s > 2 * DAY_S)
		config_xml_warning(xml, config_xml_root(xml), NULL,
				   "the injections lie %.1f days apart: one record is one course",
				   (last_s - first_s) / DAY_S);
}

static void check_positions(const struct treatment_record *record, const struct config_xml *xml)
{
	const struct _xmlNode *element = config_xml_child(config_xml_root(xml), "position");
	for (int p = 0; p < record->n_positions; p++, element = config_xml_next(element)) {
		const struct record_position *position = &record->positions[p];
		for (int q = 0; q < p; q++) {
			if (strcmp(record->positions[q].id, position->id) == 0)
				config_xml_error(xml, element, "id",
						 "position \"%s\" is there twice", position->id);
		}
		double percent = 0;
		int injections = 0;
		for (int i = 0; i < record->n_injections; i++) {
			if (record->injections[i].position != p)
				continue;
			injections++;
			if (!isnan(record->injections[i].planned_percent))
				percent += record->injections[i].planned_percent;
		}
		if (percent > 100.5)
			config_xml_error(xml, element, NULL,
					 "position \"%s\": planned shares add up to %g %%",
					 position->id, percent);
		if (position->planned_injections > 0 && injections > position->planned_injections)
			config_xml_warning(xml, element, "planned-injections",
					   "position \"%s\": more injections than planned",
					   position->id);
	}
}

static const struct record_voi *find_voi(const struct treatment_record *record, const char *name)
{
	for (int i = 0; i < record->n_vois; i++) {
		if (strcmp(record->vois[i].name, name) == 0)
			return &record->vois[i];
	}
	return NULL;
}

/* necrosis="yes" stands on a tumour (or on what is called necrosis anyway). */
static bool may_be_necrosis(const struct config_xml *xml, const struct _xmlNode *element)
{
	char role[32] = "";
	config_xml_text(xml, element, "role", role, sizeof role);
	return strcmp(role, "tumour") == 0 || strcmp(role, "necrosis") == 0;
}

static void check_vois(const struct treatment_record *record, const struct config_xml *xml)
{
	const struct _xmlNode *element = config_xml_child(config_xml_root(xml), "voi");
	for (int i = 0; i < record->n_vois; i++, element = config_xml_next(element)) {
		const struct record_voi *voi = &record->vois[i];
		const struct record_voi *first = find_voi(record, voi->name);
		if (first && first != voi)
			config_xml_error(xml, element, "name",
					 "VOI \"%s\" is there twice (as %s and as %s)", voi->name,
					 config_voi_role_name(first->role),
					 config_voi_role_name(voi->role));
		if (voi->necrosis && !may_be_necrosis(xml, element))
			config_xml_error(xml, element, "necrosis",
					 "VOI \"%s\": only a tumour is marked as necrosis",
					 voi->name);
		if (voi->group[0] && voi->role != CONFIG_VOI_TUMOUR)
			config_xml_error(xml, element, "group",
					 "VOI \"%s\": only tumours that are alive are grouped",
					 voi->name);
		if (!voi->part[0])
			continue;
		const struct record_voi *part = find_voi(record, voi->part);
		if (voi->role != CONFIG_VOI_TUMOUR && voi->role != CONFIG_VOI_NECROSIS)
			config_xml_error(xml, element, "part",
					 "VOI \"%s\": only a tumour or necrosis lies in a part",
					 voi->name);
		else if (part && part->role != CONFIG_VOI_PART)
			config_xml_error(xml, element, "part",
					 "VOI \"%s\": \"%s\" is not a part but %s", voi->name,
					 voi->part, config_voi_role_name(part->role));
	}
	element = config_xml_child(config_xml_root(xml), "position");
	for (int p = 0; p < record->n_positions; p++, element = config_xml_next(element)) {
		const struct record_voi *part = find_voi(record, record->positions[p].part);
		if (part && part->role != CONFIG_VOI_PART && part->role != CONFIG_VOI_LIVER)
			config_xml_error(
			    xml, element, "part", "position \"%s\": \"%s\" is not a part but %s",
			    record->positions[p].id, part->name, config_voi_role_name(part->role));
	}
}

static bool is_pair(const struct record_transform *t, const char *one, const char *other)
{
	return strcmp(t->from_uid, one) == 0 && strcmp(t->to_uid, other) == 0;
}

static void check_transforms(const struct treatment_record *record, const struct config_xml *xml)
{
	const struct _xmlNode *element = config_xml_child(config_xml_root(xml), "transform");
	for (int i = 0; i < record->n_transforms; i++, element = config_xml_next(element)) {
		const struct record_transform *t = &record->transforms[i];
		check_uid(xml, element, "from", t->from_uid);
		check_uid(xml, element, "to", t->to_uid);
		if (is_pair(t, t->to_uid, t->from_uid))
			config_xml_error(xml, element, "to",
					 "transform: from and to are the same (%s)", t->to_uid);
		for (int j = 0; j < i; j++) {
			const struct record_transform *other = &record->transforms[j];
			if (is_pair(other, t->from_uid, t->to_uid) ||
			    is_pair(other, t->to_uid, t->from_uid))
				config_xml_error(xml, element, "from",
						 "transform: a second one between %s and %s",
						 t->from_uid, t->to_uid);
		}
	}
}

void treatment_record_check(const struct treatment_record *record, const struct config_xml *xml)
{
	const struct _xmlNode *root = config_xml_root(xml);
	const struct _xmlNode *study = config_xml_child(root, "study");
	for (int i = 0; i < record->n_studies; i++, study = config_xml_next(study))
		check_uid(xml, study, "uid", record->study_uid[i]);
	check_uid(xml, config_xml_child(root, "baseline"), "series", record->baseline_series_uid);
	check_positions(record, xml);
	check_injections(record, xml);
	check_vois(record, xml);
	check_transforms(record, xml);
}
