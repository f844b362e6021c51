#include "treatment_record_read.h"
#include "treatment_xsd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rigid.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(type, attribute, field)                                                               \
	{                                                                                          \
		attribute, SETTING_TEXT, offsetof(type, field), sizeof(((type *)0)->field), 0, 0,  \
		    0, ""                                                                          \
	}
/* Optional numbers are NaN when not given: no number that changes a dose has a default. */
#define NUMBER(type, attribute, field, least, most, unit)                                          \
	{                                                                                          \
		attribute, SETTING_NUMBER, offsetof(type, field), sizeof(double), least, most,     \
		    NAN, unit                                                                      \
	}
#define INTEGER(type, attribute, field, least, most, otherwise)                                    \
	{                                                                                          \
		attribute, SETTING_INTEGER, offsetof(type, field), sizeof(int), least, most,       \
		    otherwise, ""                                                                  \
	}
#define YES_NO(type, attribute, field, otherwise)                                                  \
	{                                                                                          \
		attribute, SETTING_YES_NO, offsetof(type, field), sizeof(bool), 0, 1, otherwise,   \
		    ""                                                                             \
	}

static const struct setting treatment_settings[] = {
    TEXT(struct treatment_record, "id", id),
    INTEGER(struct treatment_record, "revision", revision, 1, 1000000, 1),
    TEXT(struct treatment_record, "entered-by", entered_by),
};
static const struct setting patient_settings[] = {
    TEXT(struct treatment_record, "id", patient_id),
    TEXT(struct treatment_record, "issuer", patient_issuer),
};
static const struct setting product_settings[] = {
    TEXT(struct treatment_record, "name", product),
    NUMBER(struct treatment_record, "holmium-content-percent", holmium_percent, 1, 60, "%"),
};
static const struct setting prescription_settings[] = {
    NUMBER(struct treatment_record, "target-dose-gy", target_dose_gy, 1, 1000, "Gy"),
    TEXT(struct treatment_record, "targeted-part", targeted_part),
};
static const struct setting baseline_settings[] = {
    TEXT(struct treatment_record, "series", baseline_series_uid),
};
static const struct setting position_settings[] = {
    TEXT(struct record_position, "id", id),
    TEXT(struct record_position, "description", description),
    TEXT(struct record_position, "part", part),
    NUMBER(struct record_position, "planned-activity-mbq", planned_activity_mbq, 1, 50000, "MBq"),
    INTEGER(struct record_position, "planned-injections", planned_injections, 1,
	    RECORD_MAX_INJECTIONS, 0),
};
static const struct setting injection_settings[] = {
    INTEGER(struct record_injection, "number", number, 1, RECORD_MAX_INJECTIONS, 0),
    NUMBER(struct record_injection, "planned-percent", planned_percent, 0, 100, "%"),
    NUMBER(struct record_injection, "net-activity-mbq", net_activity_mbq, 0.1, 50000, "MBq"),
    NUMBER(struct record_injection, "prepared-activity-mbq", prepared_activity_mbq, 0.1, 50000,
	   "MBq"),
    NUMBER(struct record_injection, "residual-activity-mbq", residual_activity_mbq, 0, 50000,
	   "MBq"),
    NUMBER(struct record_injection, "specific-activity-mbq-per-mg", specific_activity_mbq_per_mg,
	   0.01, 1000, "MBq/mg"),
    NUMBER(struct record_injection, "holmium-content-percent", holmium_percent, 1, 60, "%"),
    TEXT(struct record_injection, "vial", vial),
    TEXT(struct record_injection, "series", after_series_uid),
    YES_NO(struct record_injection, "imaged", imaged, 1),
};
static const struct setting voi_settings[] = {
    TEXT(struct record_voi, "name", name),
    TEXT(struct record_voi, "part", part),
    TEXT(struct record_voi, "group", group),
    YES_NO(struct record_voi, "necrosis", necrosis, 0),
};

/* ---- times ---- */

/* Days from 1970-01-01 to a day of the Gregorian calendar: whole years counted from 1 March, so
 * that the leap day ends one. */
static double days_since_1970(int year, int month, int day)
{
	if (month <= 2)
		year--;
	int months_from_march = (month + 9) % 12;
	int days = 365 * year + year / 4 - year / 100 + year / 400;
	return days + (153 * months_from_march + 2) / 5 + day - 1 - 719468;
}

double record_parse_time(const char *text)
{
	static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year, month, day, hour, minute, used = 0, zone_hour, zone_minute;
	double second;
	char sign;
	/* Two digits each, so that 2026-3-2 is not taken for a date. */
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	for (size_t i = 0; i < sizeof shape - 1; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		if (shape[i] == 'd' ? !digit : text[i] != shape[i])
			return NAN;
	}
	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute, &second,
		   &used) != 6)
		return NAN;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	if (year < 1990 || year > 2200 || month < 1 || month > 12 || day < 1 || hour > 23 ||
	    minute > 59 || !(second < 60) || day > month_days[month - 1] ||
	    (month == 2 && day == 29 && !leap))
		return NAN;
	const char *zone = text + used;
	double seconds =
	    days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	if (strcmp(zone, "Z") == 0)
		return seconds;
	if (strlen(zone) != 6 || strspn(zone + 1, "0123456789") != 2 ||
	    sscanf(zone, "%c%2d:%2d", &sign, &zone_hour, &zone_minute) != 3 ||
	    (sign != '+' && sign != '-') || strspn(zone + 4, "0123456789") != 2 || zone_hour > 14 ||
	    zone_minute > 59)
		return NAN;
	int zone_s = zone_hour * 3600 + zone_minute * 60;
	return seconds - (sign == '+' ? zone_s : -zone_s);
}

static double read_time(const struct config_xml *xml, const struct _xmlNode *element,
			const char *attribute)
{
	char text[64];
	if (!config_xml_text(xml, element, attribute, text, sizeof text))
		return NAN;
	double seconds = record_parse_time(text);
	if (isnan(seconds))
		config_xml_error(xml, element, attribute,
				 "%s \"%s\": needs date, time and zone (2026-03-02T10:05:00+01:00)",
				 attribute, text);
	return seconds;
}

/* ---- reading ---- */

static void read_studies(struct treatment_record *record, const struct config_xml *xml)
{
	for (struct _xmlNode *e = config_xml_child(config_xml_root(xml), "study"); e;
	     e = config_xml_next(e)) {
		if (record->n_studies == RECORD_MAX_STUDIES) {
			config_xml_error(xml, e, NULL, "at most %d studies", RECORD_MAX_STUDIES);
			return;
		}
		config_xml_text(xml, e, "uid", record->study_uid[record->n_studies++], 65);
	}
}

static void read_injection(struct treatment_record *record, const struct config_xml *xml,
			   const struct _xmlNode *element)
{
	if (record->n_injections == RECORD_MAX_INJECTIONS) {
		config_xml_error(xml, element, NULL, "at most %d injections",
				 RECORD_MAX_INJECTIONS);
		return;
	}
	struct record_injection *injection = &record->injections[record->n_injections++];
	config_xml_settings(xml, element, injection_settings, COUNT(injection_settings), injection);
	injection->position = record->n_positions - 1;
	injection->start_s = read_time(xml, element, "start");
	injection->prepared_at_s = read_time(xml, element, "prepared-at");
	injection->residual_at_s = read_time(xml, element, "residual-at");
	injection->specific_activity_at_s = read_time(xml, element, "specific-activity-at");
	injection->line = config_xml_line(xml, element, NULL);
}

static void read_positions(struct treatment_record *record, const struct config_xml *xml)
{
	for (struct _xmlNode *e = config_xml_child(config_xml_root(xml), "position"); e;
	     e = config_xml_next(e)) {
		if (record->n_positions == RECORD_MAX_POSITIONS) {
			config_xml_error(xml, e, NULL, "at most %d positions",
					 RECORD_MAX_POSITIONS);
			return;
		}
		config_xml_settings(xml, e, position_settings, COUNT(position_settings),
				    &record->positions[record->n_positions++]);
		for (struct _xmlNode *i = config_xml_child(e, "injection"); i;
		     i = config_xml_next(i))
			read_injection(record, xml, i);
	}
}

static void read_vois(struct treatment_record *record, const struct config_xml *xml)
{
	static const enum config_voi_role roles[] = {CONFIG_VOI_LIVER, CONFIG_VOI_PART,
						     CONFIG_VOI_TUMOUR, CONFIG_VOI_IGNORE,
						     CONFIG_VOI_NECROSIS};
	for (struct _xmlNode *e = config_xml_child(config_xml_root(xml), "voi"); e;
	     e = config_xml_next(e)) {
		if (record->n_vois == RECORD_MAX_VOIS) {
			config_xml_error(xml, e, NULL, "at most %d VOIs", RECORD_MAX_VOIS);
			return;
		}
		struct record_voi *voi = &record->vois[record->n_vois++];
		char role[32];
		config_xml_settings(xml, e, voi_settings, COUNT(voi_settings), voi);
		config_xml_text(xml, e, "role", role, sizeof role);
		for (size_t i = 0; i < COUNT(roles); i++) {
			if (strcmp(config_voi_role_name(roles[i]), role) == 0)
				voi->role = roles[i];
		}
		if (voi->necrosis) /* a dead tumour: the other way to say it */
			voi->role = CONFIG_VOI_NECROSIS;
	}
}

static void read_transforms(struct treatment_record *record, const struct config_xml *xml)
{
	for (struct _xmlNode *e = config_xml_child(config_xml_root(xml), "transform"); e;
	     e = config_xml_next(e)) {
		if (record->n_transforms == RECORD_MAX_TRANSFORMS) {
			config_xml_error(xml, e, NULL, "at most %d transforms",
					 RECORD_MAX_TRANSFORMS);
			return;
		}
		struct record_transform *t = &record->transforms[record->n_transforms++];
		char text[600];
		config_xml_text(xml, e, "from", t->from_uid, sizeof t->from_uid);
		config_xml_text(xml, e, "to", t->to_uid, sizeof t->to_uid);
		config_xml_text(xml, e, "provenance", t->provenance, sizeof t->provenance);
		config_xml_text(xml, e, "matrix", text, sizeof text);
		char *at = text;
		for (int i = 0; i < 12; i++) {
			char *end;
			t->matrix[i] = strtod(at, &end);
			if (end == at)
				t->matrix[i] = NAN;
			at = end;
		}
		if (at[strspn(at, " ")] != '\0' || !rigid_is_valid(t->matrix, 1e-3))
			config_xml_error(xml, e, "matrix",
					 "matrix: needs twelve numbers, three rows of four (mm), "
					 "a rotation and a shift");
	}
}

static void read_record(struct treatment_record *record, const struct config_xml *xml)
{
	const struct _xmlNode *root = config_xml_root(xml);
	const struct {
		const struct _xmlNode *element;
		const struct setting *settings;
		size_t count;
	} parts[] = {
	    {root, treatment_settings, COUNT(treatment_settings)},
	    {config_xml_child(root, "patient"), patient_settings, COUNT(patient_settings)},
	    {config_xml_child(root, "product"), product_settings, COUNT(product_settings)},
	    {config_xml_child(root, "prescription"), prescription_settings,
	     COUNT(prescription_settings)},
	    {config_xml_child(root, "baseline"), baseline_settings, COUNT(baseline_settings)},
	};
	for (size_t i = 0; i < COUNT(parts); i++)
		config_xml_settings(xml, parts[i].element, parts[i].settings, parts[i].count,
				    record);
	read_studies(record, xml);
	read_positions(record, xml);
	read_vois(record, xml);
	read_transforms(record, xml);
}

/* Injections count on over the positions in order of time (insertion: stable). Unknown times have
 * been reported. */
static void sort_injections(struct treatment_record *record)
{
	for (int i = 1; i < record->n_injections; i++) {
		struct record_injection injection = record->injections[i];
		int at = i;
		for (; at > 0 && record->injections[at - 1].start_s > injection.start_s; at--)
			record->injections[at] = record->injections[at - 1];
		record->injections[at] = injection;
	}
}

/* A record without an id of its own is known by its patient and its first injection. */
static void name_record(struct treatment_record *record, const struct config_xml *xml)
{
	char start[32] = "";
	struct tm utc;
	if (record->id[0])
		return;
	if (record->n_injections == 0) {
		config_xml_error(
		    xml, config_xml_root(xml), NULL,
		    "a record without injections needs an id (<treatment id=\"...\">)");
		return;
	}
	if (isnan(record->injections[0].start_s)) /* reported */
		return;
	if (gmtime_r(&(time_t){(time_t)record->injections[0].start_s}, &utc))
		strftime(start, sizeof start, "%Y-%m-%dT%H:%M:%SZ", &utc);
	int length = snprintf(record->id, sizeof record->id, "%s/%s", record->patient_id, start);
	if (length < 0 || (size_t)length >= sizeof record->id)
		config_xml_error(xml, config_xml_root(xml), NULL,
				 "the patient's id is too long to name the record: give it an id");
}

enum status_code treatment_record_read_memory(struct treatment_record *record,
					      struct config_faults *faults, const char *xml_text,
					      unsigned long size, const char *name,
					      struct status *st)
{
	struct config_xml xml = {.doc = NULL};
	struct treatment_record *read = NULL;
	*faults = (struct config_faults){.faults = NULL};

	enum status_code code =
	    config_xml_parse(&xml, faults, xml_text, size, treatment_xsd, treatment_xsd_len, st);
	if (code != STATUS_OK)
		goto out;
	read = calloc(1, sizeof *read);
	if (!read) {
		code = status_fail(st, STATUS_RETRY, "no memory");
		goto out;
	}
	read_record(read, &xml);
	treatment_record_check(read, &xml);
	sort_injections(read);
	name_record(read, &xml);
	if (faults->errors > 0) {
		code = status_fail(st, STATUS_CONFIG, "%d error%s in the treatment record",
				   faults->errors, faults->errors == 1 ? "" : "s");
		goto out;
	}
	code = treatment_record_fingerprint(read, st);
	if (code == STATUS_OK)
		*record = *read;
out:
	if (code != STATUS_OK)
		code = status_prefix(st, "%s", name);
	config_faults_sort(faults);
	config_xml_free(&xml);
	free(read);
	return code;
}

enum status_code treatment_record_read_file(struct treatment_record *record,
					    struct config_faults *faults, const char *path,
					    struct status *st)
{
	char *text = NULL;
	size_t size = 0;
	*faults = (struct config_faults){.faults = NULL};
	enum status_code code = config_xml_read_file(&text, &size, path, st);
	if (code == STATUS_OK)
		code = treatment_record_read_memory(record, faults, text, size, path, st);
	free(text);
	return code;
}
