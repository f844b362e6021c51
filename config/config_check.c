#include "config_read.h"

#include "emission.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The element of a list item: the faults' place. */
static struct _xmlNode *nth(const struct config_xml *xml, const char *element, int index)
{
	struct _xmlNode *e = config_xml_child(config_xml_root(xml), element);
	while (e && index-- > 0)
		e = config_xml_next(e);
	return e;
}

/* PS3.5 6.2, AE: 1 to 16 characters of the default repertoire, no backslash, no control characters.
 */
static void check_ae_title(const struct config_xml *xml, const struct _xmlNode *element,
			   const char *title)
{
	for (const char *c = title; *c; c++) {
		if (*c >= 0x20 && *c < 0x7f && *c != '\\')
			continue;
		config_xml_error(xml, element, "ae-title",
				 "ae-title \"%s\": only printable ASCII without a backslash",
				 title);
		return;
	}
}

static bool is_address(const char *text)
{
	unsigned char bytes[16];
	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* An address, or an address and the number of bits that count: 10.1.2.0/24. */
static bool is_network(const char *text)
{
	char address[64];
	const char *slash = strchr(text, '/');
	if (!slash)
		return is_address(text);
	size_t length = (size_t)(slash - text);
	if (length >= sizeof address)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	char *end;
	long bits = strtol(slash + 1, &end, 10);
	long most = strchr(address, ':') ? 128 : 32;
	return isdigit((unsigned char)slash[1]) && *end == '\0' && bits >= 0 && bits <= most &&
	       is_address(address);
}

/* A name of the system's zone database: a file there that starts with "TZif". */
static bool is_time_zone(const char *name)
{
	char path[128], magic[4];
	if (name[0] == '/' || strstr(name, "..") ||
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") !=
		strlen(name))
		return false;
	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	bool good =
	    fread(magic, 1, sizeof magic, file) == sizeof magic && memcmp(magic, "TZif", 4) == 0;
	fclose(file);
	return good;
}

static void check_node(const struct config *config, const struct config_xml *xml)
{
	const struct _xmlNode *node = nth(xml, "node", 0);
	check_ae_title(xml, node, config->ae_title);
	if (config->bind_address[0] && !is_address(config->bind_address))
		config_xml_error(xml, node, "bind-address",
				 "bind-address \"%s\" is not an IP address (127.0.0.1; 0.0.0.0 for "
				 "every interface)",
				 config->bind_address);
	if (config->time_zone[0] && !is_time_zone(config->time_zone))
		config_xml_error(xml, node, "time-zone",
				 "time-zone \"%s\" is not in /usr/share/zoneinfo "
				 "(Europe/Amsterdam; package tzdata)",
				 config->time_zone);
	const struct _xmlNode *limits = nth(xml, "limits", 0);
	if (limits && config->max_association_mb < config->max_instance_mb)
		config_xml_error(xml, limits, "max-association-mb",
				 "max-association-mb is below max-instance-mb: no instance of that "
				 "size could come");
}

static void check_callers(const struct config *config, const struct config_xml *xml)
{
	for (int i = 0; i < config->n_callers; i++) {
		const struct config_caller *caller = &config->callers[i];
		const struct _xmlNode *element = nth(xml, "caller", i);
		check_ae_title(xml, element, caller->ae_title);
		if (!caller->ae_title[0] && !caller->address[0])
			config_xml_error(xml, element, NULL,
					 "caller: needs ae-title, address or both");
		if (caller->address[0] && !is_network(caller->address))
			config_xml_error(
			    xml, element, "address",
			    "address \"%s\" is no IP address or network (10.1.2.3, 10.1.2.0/24)",
			    caller->address);
	}
	if (config->n_callers == 0)
		config_xml_warning(xml, nth(xml, "limits", 0), NULL,
				   "no caller configured: everyone who reaches the port may send");
}

static void check_destinations(const struct config *config, const struct config_xml *xml)
{
	bool any = false;
	for (int i = 0; i < config->n_destinations; i++) {
		const struct config_destination *destination = &config->destinations[i];
		const struct _xmlNode *element = nth(xml, "destination", i);
		any = any || destination->results;
		check_ae_title(xml, element, destination->ae_title);
		if (strpbrk(destination->host, " /\t"))
			config_xml_error(xml, element, "host",
					 "host \"%s\" is no host name or address",
					 destination->host);
		for (int j = 0; j < i; j++) {
			if (strcmp(config->destinations[j].name, destination->name) == 0)
				config_xml_error(xml, element, "name",
						 "destination \"%s\" is there twice",
						 destination->name);
		}
	}
	if (!any)
		config_xml_warning(xml, nth(xml, "delivery", 0), NULL,
				   "no destination receives results: they stay in the spool");
}

/* ---- patterns ---- */

static void compile(regex_t *regex, const char *pattern, const struct config_xml *xml,
		    const struct _xmlNode *element, const char *attribute)
{
	if (!pattern[0])
		return;
	int result = regcomp(regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (result == 0)
		return;
	char why[128];
	regerror(result, regex, why, sizeof why);
	memset(regex, 0, sizeof *regex);
	config_xml_error(xml, element, attribute, "%s \"%s\": %s", attribute, pattern, why);
}

static void check_series_rules(struct config *config, const struct config_xml *xml)
{
	int of_role[CONFIG_SERIES_EMISSION + 1] = {0};
	for (int i = 0; i < config->n_series_rules; i++) {
		struct config_series_rule *rule = &config->series_rules[i];
		const struct _xmlNode *element = nth(xml, "series", i);
		of_role[rule->role]++;
		if (!rule->description[0] && !rule->protocol[0] && !rule->sequence[0])
			config_xml_error(
			    xml, element, NULL,
			    "series: needs a pattern for description, protocol or sequence");
		if (rule->role == CONFIG_SERIES_HOLMIUM && rule->minimum_echoes < 3)
			config_xml_error(xml, element, "minimum-echoes",
					 "minimum-echoes: a holmium series has at least 3");
		compile(&rule->description_regex, rule->description, xml, element, "description");
		compile(&rule->protocol_regex, rule->protocol, xml, element, "protocol");
		compile(&rule->sequence_regex, rule->sequence, xml, element, "sequence");
	}
	if (config->n_series_rules > 0 && of_role[CONFIG_SERIES_HOLMIUM] == 0)
		config_xml_error(xml, nth(xml, "series", 0), NULL,
				 "no series rule with role=\"holmium\": nothing could be measured");
	if (config->n_series_rules > 0 && of_role[CONFIG_SERIES_ANATOMY] == 0)
		config_xml_warning(
		    xml, nth(xml, "series", 0), NULL,
		    "no series rule with role=\"anatomy\": results are made on the baseline's grid "
		    "unless contours reference another series");
}

static void check_voi_rules(struct config *config, const struct config_xml *xml)
{
	for (int i = 0; i < config->n_voi_rules; i++) {
		struct config_voi_rule *rule = &config->voi_rules[i];
		const struct _xmlNode *element = nth(xml, "voi", i);
		bool code = rule->code_value[0] && rule->code_scheme[0];
		bool part_of_code = rule->code_value[0] || rule->code_scheme[0];
		if (code == (rule->pattern[0] != '\0') || code != part_of_code)
			config_xml_error(xml, element, NULL,
					 "voi: needs either code and scheme, or pattern");
		compile(&rule->regex, rule->pattern, xml, element, "pattern");
		for (int j = 0; j < i && code; j++) {
			const struct config_voi_rule *other = &config->voi_rules[j];
			if (strcmp(other->code_value, rule->code_value) == 0 &&
			    strcmp(other->code_scheme, rule->code_scheme) == 0)
				config_xml_error(xml, element, "code",
						 "code %s of %s is there twice", rule->code_value,
						 rule->code_scheme);
		}
	}
	if (config->n_voi_rules == 0)
		config_xml_warning(
		    xml, nth(xml, "assembly", 0), NULL,
		    "no voi rule: only contours that the treatment record names are used");
}

/* ---- clinical ---- */

static void check_relaxivities(const struct config *config, const struct config_xml *xml)
{
	for (int i = 0; i < config->n_relaxivities; i++) {
		const struct config_relaxivity *entry = &config->relaxivities[i];
		const struct _xmlNode *element = nth(xml, "relaxivity", i);
		for (int j = 0; j < i; j++) {
			const struct config_relaxivity *other = &config->relaxivities[j];
			if (fabs(other->field_t - entry->field_t) < 0.01 &&
			    strcmp(other->product, entry->product) == 0)
				config_xml_error(
				    xml, element, "field-t",
				    "relaxivity at %g T for %s is there twice", entry->field_t,
				    entry->product[0] ? entry->product : "any product");
		}
		if (!entry->calibrated)
			config_xml_warning(
			    xml, element, "calibrated",
			    "relaxivity at %g T is not calibrated (%s): every dose scales with it, "
			    "and every report says so",
			    entry->field_t, entry->provenance);
	}
}

static void check_dosimetry(const struct config *config, const struct config_xml *xml)
{
	const struct _xmlNode *dosimetry = nth(xml, "dosimetry", 0);
	if (config->saturated_sigma >= config->usable_echo_sigma)
		config_xml_error(xml, dosimetry, "saturated-sigma",
				 "saturated-sigma must be below usable-echo-sigma");
	for (int i = 0; i < config->dose_levels; i++) {
		for (int j = 0; j < i; j++) {
			if (fabs(config->dose_level_gy[i] - config->dose_level_gy[j]) < 1e-9)
				config_xml_error(xml, nth(xml, "dose-level", i), "gy",
						 "dose level %g Gy is there twice",
						 config->dose_level_gy[i]);
		}
	}
	if (config->limited_above_percent >= config->not_measurable_above_percent)
		config_xml_error(xml, dosimetry, "limited-above-percent",
				 "limited-above-percent must be below "
				 "not-measurable-above-percent");
	for (int i = 1; i < config->underdose_levels; i++) {
		if (config->underdosed_below_gy[i] >= config->underdosed_below_gy[i - 1])
			config_xml_error(xml, nth(xml, "underdose-level", i), "gy",
					 "under-dose levels must fall from one to the next");
	}
	static const char *const isotopes[] = {"Ho-166", "Y-90", "Lu-177", "I-131", "EBRT"};
	for (int i = 0; i < config->n_thresholds; i++) {
		bool known = false;
		for (size_t k = 0; k < sizeof isotopes / sizeof isotopes[0]; k++)
			known = known || strcmp(isotopes[k], config->thresholds[i].isotope) == 0;
		if (!known && config->thresholds[i].isotope[0])
			config_xml_error(
			    xml, nth(xml, "threshold", i), "isotope",
			    "isotope \"%s\" is not one of Ho-166, Y-90, Lu-177, I-131, EBRT",
			    config->thresholds[i].isotope);
	}
}

/* Settings that are allowed, and that a physicist should know of. */
static void check_alignment(const struct config *config, const struct config_xml *xml)
{
	const struct _xmlNode *registration = nth(xml, "registration", 0);
	if (config->register_nonrigid && !config->register_rigid)
		config_xml_error(xml, registration, "rigid",
				 "non-rigid=\"yes\" stands on a rigid alignment: it needs "
				 "rigid=\"yes\"");
	if (config->register_nonrigid &&
	    (isnan(config->control_spacing_mm) || isnan(config->bending_weight)))
		config_xml_error(xml, registration, "non-rigid",
				 "non-rigid=\"yes\" needs control-spacing-mm and bending-weight");
	if (!config->register_rigid)
		config_xml_warning(
		    xml, registration, "rigid",
		    "scans are not aligned (rigid=\"no\"): a patient who moved gets a "
		    "wrong dose, and scans in other frames of reference get none");
}

static void check_uncertainty(const struct config *config, const struct config_xml *xml)
{
	const struct _xmlNode *element = nth(xml, "uncertainty", 0);
	const struct {
		const char *attribute, *words;
		double percent;
	} rows[] = {
	    {"relaxivity-percent", "relaxivity", config->relaxivity_uncertainty_percent},
	    {"specific-activity-percent", "specific activity",
	     config->specific_activity_uncertainty_percent},
	    {"injected-activity-percent", "injected activity",
	     config->injected_activity_uncertainty_percent},
	};
	if (!element) {
		config_xml_warning(xml, nth(xml, "registration", 0), NULL,
				   "no <uncertainty>: the uncertainties in reports leave out "
				   "relaxivity and activity, and say so");
		return;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (isnan(rows[i].percent))
			config_xml_warning(xml, element, NULL,
					   "no %s: the uncertainties in reports leave the %s out, "
					   "and say so",
					   rows[i].attribute, rows[i].words);
		else if (rows[i].percent <= 0)
			config_xml_warning(xml, element, rows[i].attribute,
					   "%s 0: the %s is taken as exact", rows[i].attribute,
					   rows[i].words);
	}
}

static void check_nm_calibrations(const struct config *config, const struct config_xml *xml)
{
	for (int i = 0; i < config->n_nm_calibrations; i++) {
		const struct config_nm_calibration *entry = &config->nm_calibrations[i];
		const struct _xmlNode *element = nth(xml, "nm-calibration", i);
		const struct isotope *isotope = isotope_find(entry->isotope, "", "");
		if (!isotope && entry->isotope[0])
			config_xml_error(xml, element, "isotope",
					 "isotope \"%s\" is not known (Ho-166, Y-90)",
					 entry->isotope);
		for (int j = 0; j < i; j++) {
			const struct config_nm_calibration *other = &config->nm_calibrations[j];
			if (isotope && isotope == isotope_find(other->isotope, "", "") &&
			    strcmp(entry->station, other->station) == 0)
				config_xml_error(
				    xml, element, "station",
				    "calibration of %s for %s is there twice", isotope->name,
				    entry->station[0] ? entry->station : "any station");
		}
	}
}

void config_check(struct config *config, const struct config_xml *xml)
{
	check_node(config, xml);
	check_callers(config, xml);
	check_destinations(config, xml);
	check_series_rules(config, xml);
	check_voi_rules(config, xml);
	check_relaxivities(config, xml);
	check_dosimetry(config, xml);
	check_alignment(config, xml);
	check_uncertainty(config, xml);
	check_nm_calibrations(config, xml);
	if (!isnan(config->advice_limit_gy))
		config_xml_warning(xml, nth(xml, "advice", 0), NULL,
				   "reports advise an activity (up to %g Gy in healthy liver): for "
				   "research only",
				   config->advice_limit_gy);
}
