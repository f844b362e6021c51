/* config.h - the node's configuration: one XML file -> one const struct that is handed around.
 *
 * Shape is checked by the XSD inside the binary, meaning (bounds, uniqueness, cross-references,
 * regular expressions) here. All faults are reported at once, each with file and line; an
 * unknown element is a fault. No clinical number has a default: relaxivity, methods, dose
 * constant, density, dose levels and thresholds must be in the file. No network, no external
 * entities. */
#ifndef CONFIG_H
#define CONFIG_H

#include <regex.h>
#include <stdbool.h>

#include "status.h"

struct config_fault {
	int line;     /* 0: the file as a whole */
	bool warning; /* worth saying, but usable (relaxivity "not calibrated") */
	char text[320];
};

struct config_faults {
	struct config_fault *faults; /* owned, in order of line */
	int count;
	int errors; /* without the warnings */
};

struct config_destination {
	char name[33];
	char ae_title[17], host[256];
	int port;
	bool results; /* receives RT Dose and SR (default true) */
};

/* Who may send. Without any: everyone, and `check` says so. */
struct config_caller {
	char ae_title[17]; /* "" any */
	char address[64];  /* IPv4/IPv6 address or network a.b.c.d/n; "" any */
};

enum config_series_role { CONFIG_SERIES_HOLMIUM, CONFIG_SERIES_ANATOMY, CONFIG_SERIES_EMISSION };

/* A series matches when every given pattern matches (POSIX extended, case-insensitive, on the
 * UTF-8 text). */
struct config_series_rule {
	enum config_series_role role;
	char description[160], protocol[160], sequence[160]; /* patterns as written; "" not asked */
	regex_t description_regex, protocol_regex, sequence_regex;
	int minimum_echoes;
};

enum config_voi_role {
	CONFIG_VOI_LIVER,
	CONFIG_VOI_PART,
	CONFIG_VOI_TUMOUR,
	CONFIG_VOI_IGNORE,
	CONFIG_VOI_NECROSIS
};

struct config_voi_rule {
	enum config_voi_role role;
	char code_value[17], code_scheme[17]; /* either a code ... */
	char pattern[160]; /* ... or a name pattern; tumour before part before liver */
	regex_t regex;
};

struct config_relaxivity {
	double field_t;		    /* matched within 0.15 T; never scaled by field */
	char product[68];	    /* "" any product */
	double per_s_per_mg_per_ml; /* per mg microspheres per mL */
	double holmium_percent;	    /* content it was found with, w/w */
	double temperature_k;
	char provenance[200];
	bool calibrated; /* false: `check` warns and every SR flags it */
	int line;
};

struct config_threshold {
	char label[120]; /* "healthy liver: 55 Gy, highest mean without toxicity" */
	char role[17];	 /* liver, tumour */
	double dose_gy;
	char isotope[17]; /* Ho-166, Y-90: not interchangeable */
	char source[200];
};

#define CONFIG_MAX_DOSE_LEVELS	    8
#define CONFIG_MAX_UNDERDOSE_LEVELS 4

/* What a SPECT in counts is worth: NM images carry no unit. */
struct config_nm_calibration {
	char isotope[17], station[68]; /* station "": any */
	double cps_per_mbq;
	char provenance[200];
};

struct config {
	char path[1024];
	/* SHA-256 of what can change a figure of a report (into every result), and of the part of
	 * it that can change a dose map. */
	char fingerprint[65], dose_fingerprint[65];

	/* the node */
	char ae_title[17];
	char bind_address[64]; /* "127.0.0.1" in the example */
	int port;
	char spool[1024]; /* relative paths are relative to the configuration file */
	char station_name[68];
	char time_zone[64];	     /* IANA name (Europe/Amsterdam), one of the system's zones */
	bool accept_unknown_storage; /* keep unknown storage classes as unused */
	char intended_use[200];	     /* cannot be empty */

	/* limits */
	int max_associations, max_associations_per_address;
	double idle_timeout_s, association_timeout_s;
	double max_instance_mb, max_association_mb, min_free_disk_mb;
	int workers, threads_per_worker;

	/* assembling */
	double hours_before_first, hours_after_last; /* window: 12, 6 */
	double emission_days_after_last;	     /* window of follow-up SPECT or PET: 10 */
	double clock_tolerance_s;		     /* 180 */
	double settle_s;      /* when the number of slices is not confirmed */
	double alert_after_s; /* alarm: complete after-series without a result */

	struct config_caller *callers;
	int n_callers;
	struct config_destination *destinations;
	int n_destinations;
	struct config_series_rule *series_rules;
	int n_series_rules;
	struct config_voi_rule *voi_rules;
	int n_voi_rules;
	struct config_relaxivity *relaxivities;
	int n_relaxivities;
	struct config_threshold *thresholds;
	int n_thresholds;

	/* delivery */
	double retry_base_s, retry_expiry_h;

	/* dosimetry: all from the file */
	bool baseline_voxelwise; /* else region mean */
	double dose_constant_mj_per_mbq, density_g_per_ml;
	double body_snr, artefact_r2star_per_s, trend_threshold_percent;
	double usable_echo_sigma, saturated_sigma;
	double dose_level_gy[CONFIG_MAX_DOSE_LEVELS];
	int dose_levels;
	double underdosed_below_gy[CONFIG_MAX_UNDERDOSE_LEVELS]; /* highest first */
	int underdose_levels;
	double limited_above_percent,
	    not_measurable_above_percent; /* of a VOI without a good value */
	double recovery_low_percent, recovery_high_percent;
	bool kernel; /* beside local deposition also the dose by the beta kernel */

	/* alignment of scans */
	bool register_rigid;	/* false: all must share a frame of reference and hold still */
	bool register_nonrigid; /* on top of rigid, of the series after injections */
	double control_spacing_mm, bending_weight; /* of that; NaN: not given, and it is off */
	double registration_margin_mm, registration_limit_mm;

	/* standard uncertainties, percent; NaN: not configured, and then said so */
	double relaxivity_uncertainty_percent, specific_activity_uncertainty_percent,
	    injected_activity_uncertainty_percent;

	double advice_limit_gy; /* NaN: no advice */

	/* planning, for `holmia prescribe`; NaN: must be given there */
	double planned_dose_gy, lung_mass_kg;

	struct config_nm_calibration *nm_calibrations;
	int n_nm_calibrations;
};

/* Reads and checks. *config is set only when faults->errors is 0 (warnings may remain):
 * STATUS_OK; otherwise STATUS_CONFIG, and faults says everything. The caller frees both. */
enum status_code config_load(struct config **config, struct config_faults *faults, const char *path,
			     struct status *st) STATUS_CHECKED;
void config_free(struct config *config);
void config_faults_free(struct config_faults *faults);

/* "FILE:LINE: error: TEXT" for the index-th fault, into out. */
void config_fault_format(char *out, unsigned long size, const char *path,
			 const struct config_fault *fault);

/* The entry for a field strength (within 0.15 T, nearest) and product (exact name before
 * "any"); NULL: none, no dose. */
const struct config_relaxivity *config_find_relaxivity(const struct config *config, double field_t,
						       const char *product);

/* First matching rule; NULL none. Empty attributes never match a given pattern. */
const struct config_series_rule *config_find_series_rule(const struct config *config,
							 enum config_series_role role,
							 const char *description,
							 const char *protocol, const char *sequence,
							 int echoes);

/* Role of a VOI by code, else by name pattern: tumour before part before liver ("Tumour right
 * lobe" is a tumour). Two roles in one step are STATUS_REFUSE with words: a code listed for two
 * roles, or a name that an ignore pattern matches beside one of the others ("Liver minus GTV":
 * neither a tumour nor the liver, and not guessed). None: *matched = false. */
enum status_code config_voi_role_of(bool *matched, enum config_voi_role *role,
				    const struct config *config, const char *name,
				    const char *code_value, const char *code_scheme,
				    struct status *st) STATUS_CHECKED;

/* "liver", "part", "tumour", "ignore". */
const char *config_voi_role_name(enum config_voi_role role);

#endif
