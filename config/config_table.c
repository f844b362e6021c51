#include "config_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TEXT(type, attribute, field)                                                               \
	{                                                                                          \
		attribute, SETTING_TEXT, offsetof(type, field), sizeof(((type *)0)->field), 0, 0,  \
		    0, ""                                                                          \
	}
#define INTEGER(type, attribute, field, least, most, otherwise)                                    \
	{                                                                                          \
		attribute, SETTING_INTEGER, offsetof(type, field), sizeof(int), least, most,       \
		    otherwise, ""                                                                  \
	}
#define NUMBER(type, attribute, field, least, most, otherwise, unit)                               \
	{                                                                                          \
		attribute, SETTING_NUMBER, offsetof(type, field), sizeof(double), least, most,     \
		    otherwise, unit                                                                \
	}
#define YES_NO(type, attribute, field, otherwise)                                                  \
	{                                                                                          \
		attribute, SETTING_YES_NO, offsetof(type, field), sizeof(bool), 0, 1, otherwise,   \
		    ""                                                                             \
	}

/* ---- the node: attribute, least, most, default, unit ---- */

static const struct setting node_settings[] = {
    TEXT(struct config, "ae-title", ae_title),
    TEXT(struct config, "bind-address", bind_address),
    INTEGER(struct config, "port", port, 1, 65535, 0),
    TEXT(struct config, "spool", spool),
    TEXT(struct config, "station-name", station_name),
    TEXT(struct config, "time-zone", time_zone),
    YES_NO(struct config, "accept-unknown-storage", accept_unknown_storage, 1),
    TEXT(struct config, "intended-use", intended_use),
};

static const struct setting limits_settings[] = {
    INTEGER(struct config, "max-associations", max_associations, 1, 1000, 64),
    INTEGER(struct config, "max-associations-per-address", max_associations_per_address, 1, 1000,
	    32),
    NUMBER(struct config, "idle-timeout-s", idle_timeout_s, 1, 3600, 60, "s"),
    NUMBER(struct config, "association-timeout-s", association_timeout_s, 10, 86400, 3600, "s"),
    NUMBER(struct config, "max-instance-mb", max_instance_mb, 1, 4000, 512, "MB"),
    NUMBER(struct config, "max-association-mb", max_association_mb, 1, 1e6, 16384, "MB"),
    NUMBER(struct config, "min-free-disk-mb", min_free_disk_mb, 1, 1e7, 512, "MB"),
    INTEGER(struct config, "workers", workers, 1, 64, 2),
    INTEGER(struct config, "threads-per-worker", threads_per_worker, 1, 64, 2),
};

static const struct setting delivery_settings[] = {
    NUMBER(struct config, "retry-base-s", retry_base_s, 0.1, 3600, 10, "s"),
    NUMBER(struct config, "retry-expiry-h", retry_expiry_h, 0.1, 720, 96, "h"),
};

static const struct setting assembly_settings[] = {
    NUMBER(struct config, "hours-before-first", hours_before_first, 0.1, 72, 12, "h"),
    NUMBER(struct config, "hours-after-last", hours_after_last, 0.1, 72, 6, "h"),
    NUMBER(struct config, "emission-days-after-last", emission_days_after_last, 0.1, 60, 10, "d"),
    NUMBER(struct config, "clock-tolerance-s", clock_tolerance_s, 0, 900, 180, "s"),
    NUMBER(struct config, "settle-s", settle_s, 1, 3600, 30, "s"),
    NUMBER(struct config, "alert-after-s", alert_after_s, 10, 86400, 300, "s"),
};

/* ---- clinical numbers: no defaults ---- */

static const struct setting dosimetry_settings[] = {
    NUMBER(struct config, "dose-constant-mj-per-mbq", dose_constant_mj_per_mbq, 14, 17, NAN,
	   "mJ/MBq"),
    NUMBER(struct config, "density-g-per-ml", density_g_per_ml, 0.9, 1.2, NAN, "g/mL"),
    NUMBER(struct config, "body-snr", body_snr, 1, 100, NAN, ""),
    NUMBER(struct config, "artefact-r2star-per-s", artefact_r2star_per_s, 50, 5000, NAN, "/s"),
    NUMBER(struct config, "usable-echo-sigma", usable_echo_sigma, 2, 20, NAN, "sigma"),
    NUMBER(struct config, "saturated-sigma", saturated_sigma, 1, 10, NAN, "sigma"),
    NUMBER(struct config, "trend-threshold-percent", trend_threshold_percent, 1, 100, NAN, "%"),
    NUMBER(struct config, "limited-above-percent", limited_above_percent, 0, 100, NAN, "%"),
    NUMBER(struct config, "not-measurable-above-percent", not_measurable_above_percent, 0, 100, NAN,
	   "%"),
    NUMBER(struct config, "recovery-low-percent", recovery_low_percent, 1, 100, NAN, "%"),
    NUMBER(struct config, "recovery-high-percent", recovery_high_percent, 100, 1000, NAN, "%"),
    YES_NO(struct config, "kernel", kernel, 0),
};

static const struct setting registration_settings[] = {
    YES_NO(struct config, "rigid", register_rigid, 1),
    YES_NO(struct config, "non-rigid", register_nonrigid, 0),
    NUMBER(struct config, "control-spacing-mm", control_spacing_mm, 10, 100, NAN, "mm"),
    NUMBER(struct config, "bending-weight", bending_weight, 1e-4, 10, NAN, ""),
    NUMBER(struct config, "liver-margin-mm", registration_margin_mm, 0, 100, NAN, "mm"),
    NUMBER(struct config, "residual-limit-mm", registration_limit_mm, 0.1, 50, NAN, "mm"),
};

static const struct setting uncertainty_settings[] = {
    NUMBER(struct config, "relaxivity-percent", relaxivity_uncertainty_percent, 0, 100, NAN, "%"),
    NUMBER(struct config, "specific-activity-percent", specific_activity_uncertainty_percent, 0,
	   100, NAN, "%"),
    NUMBER(struct config, "injected-activity-percent", injected_activity_uncertainty_percent, 0,
	   100, NAN, "%"),
};

static const struct setting advice_settings[] = {
    NUMBER(struct config, "healthy-liver-limit-gy", advice_limit_gy, 1, 200, NAN, "Gy"),
};

static const struct setting planning_settings[] = {
    NUMBER(struct config, "target-dose-gy", planned_dose_gy, 1, 500, NAN, "Gy"),
    NUMBER(struct config, "lung-mass-kg", lung_mass_kg, 0.1, 3, NAN, "kg"),
};

static const struct setting nm_calibration_settings[] = {
    TEXT(struct config_nm_calibration, "isotope", isotope),
    TEXT(struct config_nm_calibration, "station", station),
    NUMBER(struct config_nm_calibration, "cps-per-mbq", cps_per_mbq, 1e-3, 1e5, NAN, "cps/MBq"),
    TEXT(struct config_nm_calibration, "provenance", provenance),
};

static const struct setting relaxivity_settings[] = {
    NUMBER(struct config_relaxivity, "field-t", field_t, 0.2, 12, NAN, "T"),
    TEXT(struct config_relaxivity, "product", product),
    NUMBER(struct config_relaxivity, "per-s-per-mg-per-ml", per_s_per_mg_per_ml, 1, 2000, NAN,
	   "/s per mg/mL"),
    NUMBER(struct config_relaxivity, "holmium-percent", holmium_percent, 1, 60, NAN, "%"),
    NUMBER(struct config_relaxivity, "temperature-k", temperature_k, 273, 320, NAN, "K"),
    YES_NO(struct config_relaxivity, "calibrated", calibrated, 0),
    TEXT(struct config_relaxivity, "provenance", provenance),
};

static const struct setting dose_level_setting = {"gy", SETTING_NUMBER, 0,   sizeof(double),
						  1,	2000,		NAN, "Gy"};

static const struct setting underdose_level_setting = {"gy", SETTING_NUMBER, 0,	  sizeof(double),
						       1,    2000,	     NAN, "Gy"};

static const struct setting threshold_settings[] = {
    TEXT(struct config_threshold, "label", label),
    TEXT(struct config_threshold, "role", role),
    NUMBER(struct config_threshold, "dose-gy", dose_gy, 1, 2000, NAN, "Gy"),
    TEXT(struct config_threshold, "isotope", isotope),
    TEXT(struct config_threshold, "source", source),
};

/* ---- lists ---- */

static const struct setting caller_settings[] = {
    TEXT(struct config_caller, "ae-title", ae_title),
    TEXT(struct config_caller, "address", address),
};

static const struct setting destination_settings[] = {
    TEXT(struct config_destination, "name", name),
    TEXT(struct config_destination, "ae-title", ae_title),
    TEXT(struct config_destination, "host", host),
    INTEGER(struct config_destination, "port", port, 1, 65535, 0),
    YES_NO(struct config_destination, "results", results, 1),
};

static const struct setting series_settings[] = {
    TEXT(struct config_series_rule, "description", description),
    TEXT(struct config_series_rule, "protocol", protocol),
    TEXT(struct config_series_rule, "sequence", sequence),
    INTEGER(struct config_series_rule, "minimum-echoes", minimum_echoes, 1, 64, 0),
};

static const struct setting voi_settings[] = {
    TEXT(struct config_voi_rule, "code", code_value),
    TEXT(struct config_voi_rule, "scheme", code_scheme),
    TEXT(struct config_voi_rule, "pattern", pattern),
};

/* One row per list of the configuration: every element of this name becomes one item of an array.
 */
struct list {
	const char *element;
	size_t items_offset, count_offset, item_size;
	const struct setting *settings;
	size_t n_settings;
};
#define LIST(element, items, count, type, settings)                                                \
	{                                                                                          \
		element, offsetof(struct config, items), offsetof(struct config, count),           \
		    sizeof(type), settings, COUNT(settings)                                        \
	}
static const struct list lists[] = {
    LIST("caller", callers, n_callers, struct config_caller, caller_settings),
    LIST("destination", destinations, n_destinations, struct config_destination,
	 destination_settings),
    LIST("series", series_rules, n_series_rules, struct config_series_rule, series_settings),
    LIST("voi", voi_rules, n_voi_rules, struct config_voi_rule, voi_settings),
    LIST("relaxivity", relaxivities, n_relaxivities, struct config_relaxivity, relaxivity_settings),
    LIST("threshold", thresholds, n_thresholds, struct config_threshold, threshold_settings),
    LIST("nm-calibration", nm_calibrations, n_nm_calibrations, struct config_nm_calibration,
	 nm_calibration_settings),
};

static enum status_code read_list(struct config *config, const struct list *list,
				  const struct config_xml *xml, struct status *st)
{
	const struct _xmlNode *root = config_xml_root(xml);
	int count = config_xml_count(root, list->element);
	if (count == 0)
		return STATUS_OK;
	char *items = calloc((size_t)count, list->item_size);
	if (!items)
		return status_fail(st, STATUS_RETRY, "configuration: no memory");
	memcpy((char *)config + list->items_offset, &(void *){items}, sizeof(void *));
	memcpy((char *)config + list->count_offset, &count, sizeof count);
	for (struct _xmlNode *e = config_xml_child(root, list->element); e;
	     e = config_xml_next(e)) {
		config_xml_settings(xml, e, list->settings, list->n_settings, items);
		items += list->item_size;
	}
	return STATUS_OK;
}

static enum config_voi_role voi_role(const char *role)
{
	if (strcmp(role, "tumour") == 0)
		return CONFIG_VOI_TUMOUR;
	if (strcmp(role, "part") == 0)
		return CONFIG_VOI_PART;
	if (strcmp(role, "necrosis") == 0)
		return CONFIG_VOI_NECROSIS;
	return strcmp(role, "liver") == 0 ? CONFIG_VOI_LIVER : CONFIG_VOI_IGNORE;
}

/* What is a choice of words in the file and an enumeration here. */
static void read_choices(struct config *config, const struct config_xml *xml)
{
	const struct _xmlNode *root = config_xml_root(xml);
	char text[32];
	struct config_series_rule *rule = config->series_rules;
	for (struct _xmlNode *e = config_xml_child(root, "series"); e;
	     e = config_xml_next(e), rule++) {
		config_xml_text(xml, e, "role", text, sizeof text);
		rule->role = strcmp(text, "anatomy") == 0    ? CONFIG_SERIES_ANATOMY
			     : strcmp(text, "emission") == 0 ? CONFIG_SERIES_EMISSION
							     : CONFIG_SERIES_HOLMIUM;
		/* fewer than three echoes have no R2* worth the name */
		if (rule->minimum_echoes == 0)
			rule->minimum_echoes = rule->role == CONFIG_SERIES_HOLMIUM ? 3 : 1;
	}
	struct config_voi_rule *voi = config->voi_rules;
	for (struct _xmlNode *e = config_xml_child(root, "voi"); e; e = config_xml_next(e), voi++) {
		config_xml_text(xml, e, "role", text, sizeof text);
		voi->role = voi_role(text);
	}
	int line_index = 0;
	for (struct _xmlNode *e = config_xml_child(root, "relaxivity"); e; e = config_xml_next(e))
		config->relaxivities[line_index++].line = config_xml_line(xml, e, NULL);
	config_xml_text(xml, config_xml_child(root, "dosimetry"), "baseline", text, sizeof text);
	config->baseline_voxelwise = strcmp(text, "voxelwise") == 0;
}

enum status_code config_read(struct config *config, const struct config_xml *xml, struct status *st)
{
	const struct _xmlNode *root = config_xml_root(xml);
	const struct {
		const char *element;
		const struct setting *settings;
		size_t count;
	} sections[] = {
	    {"node", node_settings, COUNT(node_settings)},
	    {"limits", limits_settings, COUNT(limits_settings)},
	    {"delivery", delivery_settings, COUNT(delivery_settings)},
	    {"assembly", assembly_settings, COUNT(assembly_settings)},
	    {"dosimetry", dosimetry_settings, COUNT(dosimetry_settings)},
	    {"registration", registration_settings, COUNT(registration_settings)},
	    {"uncertainty", uncertainty_settings, COUNT(uncertainty_settings)},
	    {"advice", advice_settings, COUNT(advice_settings)},
	    {"planning", planning_settings, COUNT(planning_settings)},
	};
	for (size_t i = 0; i < COUNT(sections); i++)
		config_xml_settings(xml, config_xml_child(root, sections[i].element),
				    sections[i].settings, sections[i].count, config);
	for (size_t i = 0; i < COUNT(lists); i++) {
		enum status_code code = read_list(config, &lists[i], xml, st);
		if (code != STATUS_OK)
			return code;
	}
	read_choices(config, xml);
	for (struct _xmlNode *e = config_xml_child(root, "dose-level"); e; e = config_xml_next(e)) {
		if (config->dose_levels == CONFIG_MAX_DOSE_LEVELS) {
			config_xml_error(xml, e, NULL, "at most %d dose levels",
					 CONFIG_MAX_DOSE_LEVELS);
			break;
		}
		config_xml_settings(xml, e, &dose_level_setting, 1,
				    &config->dose_level_gy[config->dose_levels++]);
	}
	for (struct _xmlNode *e = config_xml_child(root, "underdose-level"); e;
	     e = config_xml_next(e)) {
		if (config->underdose_levels == CONFIG_MAX_UNDERDOSE_LEVELS) {
			config_xml_error(xml, e, NULL, "at most %d under-dose levels",
					 CONFIG_MAX_UNDERDOSE_LEVELS);
			break;
		}
		config_xml_settings(xml, e, &underdose_level_setting, 1,
				    &config->underdosed_below_gy[config->underdose_levels++]);
	}
	return STATUS_OK;
}
