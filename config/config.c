#include "config_read.h"
#include "holmia_xsd.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes the path of the configuration absolute and the spool relative to its folder, so that
 * neither depends on where the process stands. */
static enum status_code settle_paths(struct config *config, const char *path, struct status *st)
{
	enum status_code code = STATUS_OK;
	size_t folder, spool;
	char *absolute = realpath(path, NULL);
	if (!absolute)
		return status_fail(st, STATUS_CONFIG, "%s: has no absolute path", path);
	if (strlen(absolute) >= sizeof config->path) {
		code = status_fail(st, STATUS_CONFIG, "%s: path too long", path);
		goto out;
	}
	strcpy(config->path, absolute);
	if (config->spool[0] == '/')
		goto out;
	folder = (size_t)(strrchr(absolute, '/') - absolute) + 1;
	spool = strlen(config->spool);
	if (folder + spool >= sizeof config->spool) {
		code = status_fail(st, STATUS_CONFIG, "%s: the spool's path is too long", path);
		goto out;
	}
	memmove(config->spool + folder, config->spool, spool + 1);
	memcpy(config->spool, absolute, folder);
out:
	free(absolute);
	return code;
}

/* ---- fingerprint ---- */

/* What can change the numbers of a dose map. Numbers with 17 digits: another double is another
 * text. */
static void put_dose_settings(FILE *out, const struct config *config)
{
	fprintf(
	    out,
	    "baseline %d\nconstant %.17g\ndensity %.17g\nbody %.17g\nartefact %.17g\nusable %.17g\n"
	    "saturated %.17g\n",
	    config->baseline_voxelwise, config->dose_constant_mj_per_mbq, config->density_g_per_ml,
	    config->body_snr, config->artefact_r2star_per_s, config->usable_echo_sigma,
	    config->saturated_sigma);
	fprintf(out, "kernel %d\nregistration %d %d %.17g %.17g\nnot measurable %.17g\n",
		config->kernel, config->register_rigid, config->register_nonrigid,
		config->registration_margin_mm, config->registration_limit_mm,
		config->not_measurable_above_percent);
	if (config->register_nonrigid)
		fprintf(out, "deformation %.17g %.17g\n", config->control_spacing_mm,
			config->bending_weight);
	for (int i = 0; i < config->n_relaxivities; i++) {
		const struct config_relaxivity *r = &config->relaxivities[i];
		fprintf(out, "relaxivity %.17g|%s|%.17g|%.17g|%.17g|%d|%s\n", r->field_t,
			r->product, r->per_s_per_mg_per_ml, r->holmium_percent, r->temperature_k,
			r->calibrated, r->provenance);
	}
}

/* And what else can change a figure of a report: which series and contours count, levels,
 * thresholds. */
static void put_report_settings(FILE *out, const struct config *config)
{
	fprintf(out,
		"zone %s\nwindow %.17g %.17g\nemission %.17g\nclock %.17g\ntrend %.17g\nuse %s\n",
		config->time_zone, config->hours_before_first, config->hours_after_last,
		config->emission_days_after_last, config->clock_tolerance_s,
		config->trend_threshold_percent, config->intended_use);
	fprintf(out,
		"limited %.17g\nrecovery %.17g %.17g\nuncertainty %.17g %.17g %.17g\n"
		"advice %.17g\n",
		config->limited_above_percent, config->recovery_low_percent,
		config->recovery_high_percent, config->relaxivity_uncertainty_percent,
		config->specific_activity_uncertainty_percent,
		config->injected_activity_uncertainty_percent, config->advice_limit_gy);
	for (int i = 0; i < config->underdose_levels; i++)
		fprintf(out, "underdosed %.17g\n", config->underdosed_below_gy[i]);
	for (int i = 0; i < config->n_nm_calibrations; i++) {
		const struct config_nm_calibration *c = &config->nm_calibrations[i];
		fprintf(out, "nm %s|%s|%.17g|%s\n", c->isotope, c->station, c->cps_per_mbq,
			c->provenance);
	}
	for (int i = 0; i < config->dose_levels; i++)
		fprintf(out, "level %.17g\n", config->dose_level_gy[i]);
	for (int i = 0; i < config->n_series_rules; i++) {
		const struct config_series_rule *r = &config->series_rules[i];
		fprintf(out, "series %d|%s|%s|%s|%d\n", (int)r->role, r->description, r->protocol,
			r->sequence, r->minimum_echoes);
	}
	for (int i = 0; i < config->n_voi_rules; i++) {
		const struct config_voi_rule *r = &config->voi_rules[i];
		fprintf(out, "voi %d|%s|%s|%s\n", (int)r->role, r->code_value, r->code_scheme,
			r->pattern);
	}
	for (int i = 0; i < config->n_thresholds; i++) {
		const struct config_threshold *t = &config->thresholds[i];
		fprintf(out, "threshold %s|%s|%.17g|%s|%s\n", t->label, t->role, t->dose_gy,
			t->isotope, t->source);
	}
}

static void hash_settings(char hex[65], const struct config *config, bool report)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	hex[0] = '\0';
	if (!out)
		return;
	fprintf(out, "holmia configuration 1\n");
	put_dose_settings(out, config);
	if (report)
		put_report_settings(out, config);
	bool failed = ferror(out) != 0;
	if (fclose(out) == 0 && !failed)
		config_sha256(hex, text, size);
	free(text);
}

static enum status_code fingerprint(struct config *config, struct status *st)
{
	hash_settings(config->dose_fingerprint, config, false);
	hash_settings(config->fingerprint, config, true);
	if (!config->fingerprint[0] || !config->dose_fingerprint[0])
		return status_fail(st, STATUS_RETRY,
				   "configuration: no fingerprint (memory or libcrypto)");
	return STATUS_OK;
}

/* ---- life ---- */

enum status_code config_load(struct config **config, struct config_faults *faults, const char *path,
			     struct status *st)
{
	enum status_code code;
	char *text = NULL;
	size_t size = 0;
	struct config_xml xml = {.doc = NULL};
	struct config *loaded = NULL;
	*faults = (struct config_faults){.faults = NULL};

	code = config_xml_read_file(&text, &size, path, st);
	if (code != STATUS_OK)
		goto out;
	loaded = calloc(1, sizeof *loaded);
	if (!loaded) {
		code = status_fail(st, STATUS_RETRY, "%s: no memory", path);
		goto out;
	}
	code = config_xml_parse(&xml, faults, text, size, holmia_xsd, holmia_xsd_len, st);
	if (code != STATUS_OK)
		goto out;
	code = config_read(loaded, &xml, st);
	if (code != STATUS_OK)
		goto out;
	config_check(loaded, &xml);
	if (faults->errors > 0) {
		code = status_fail(st, STATUS_CONFIG, "%s: %d error%s in the configuration", path,
				   faults->errors, faults->errors == 1 ? "" : "s");
		goto out;
	}
	code = settle_paths(loaded, path, st);
	if (code == STATUS_OK)
		code = fingerprint(loaded, st);
	if (code != STATUS_OK)
		goto out;
	*config = loaded;
	loaded = NULL;
out:
	config_faults_sort(faults);
	config_free(loaded);
	config_xml_free(&xml);
	free(text);
	return code;
}

static void free_pattern(regex_t *regex, const char *pattern)
{
	if (pattern[0])
		regfree(regex);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (int i = 0; i < config->n_series_rules; i++) {
		struct config_series_rule *rule = &config->series_rules[i];
		free_pattern(&rule->description_regex, rule->description);
		free_pattern(&rule->protocol_regex, rule->protocol);
		free_pattern(&rule->sequence_regex, rule->sequence);
	}
	for (int i = 0; i < config->n_voi_rules; i++)
		free_pattern(&config->voi_rules[i].regex, config->voi_rules[i].pattern);
	free(config->callers);
	free(config->destinations);
	free(config->series_rules);
	free(config->voi_rules);
	free(config->relaxivities);
	free(config->thresholds);
	free(config->nm_calibrations);
	free(config);
}
