/* job_hash.c - what makes two jobs the same: their evidence, and what can change their numbers. */
#include "job.h"

#include <stdio.h>

#include "map_cache.h"
#include "uid.h"

const char *job_dosimetry_method(void)
{
	return "dosimetry-3";
}

static void digest_number(struct digest *digest, int number)
{
	digest_double(digest, number);
}

static void digest_series(struct digest *digest, const struct job_series *series)
{
	digest_text(digest, series->series_id < 0 ? "" : series->evidence_hash);
	digest_number(digest, series->after_injection);
}

static void digest_dose_configuration(struct digest *digest, const struct config *config)
{
	digest_text(digest, job_dosimetry_method());
	digest_text(digest, config->baseline_voxelwise ? "voxelwise" : "region-mean");
	digest_double(digest, config->usable_echo_sigma);
	digest_double(digest, config->saturated_sigma);
	digest_double(digest, config->dose_constant_mj_per_mbq);
	digest_double(digest, config->density_g_per_ml);
	digest_double(digest, config->body_snr);
	digest_double(digest, config->artefact_r2star_per_s);
	digest_number(digest, config->kernel);
	digest_number(digest, config->register_rigid);
	digest_number(digest, config->register_nonrigid);
	if (config->register_nonrigid) {
		digest_double(digest, config->control_spacing_mm);
		digest_double(digest, config->bending_weight);
	}
	digest_double(digest, config->registration_margin_mm);
	digest_double(digest, config->registration_limit_mm);
	/* a region above it has no histogram in the RT Dose */
	digest_double(digest, config->not_measurable_above_percent);
}

static void digest_report_configuration(struct digest *digest, const struct config *config)
{
	digest_double(digest, config->trend_threshold_percent);
	digest_double(digest, config->limited_above_percent);
	digest_double(digest, config->recovery_low_percent);
	digest_double(digest, config->recovery_high_percent);
	digest_double(digest, config->relaxivity_uncertainty_percent);
	digest_double(digest, config->specific_activity_uncertainty_percent);
	digest_double(digest, config->injected_activity_uncertainty_percent);
	digest_double(digest, config->advice_limit_gy);
	for (int i = 0; i < config->underdose_levels; i++)
		digest_double(digest, config->underdosed_below_gy[i]);
	for (int i = 0; i < config->dose_levels; i++)
		digest_double(digest, config->dose_level_gy[i]);
	digest_text(digest, "voi rules");
	for (int i = 0; i < config->n_voi_rules; i++) {
		const struct config_voi_rule *rule = &config->voi_rules[i];
		digest_number(digest, (int)rule->role);
		digest_text(digest, rule->code_value);
		digest_text(digest, rule->code_scheme);
		digest_text(digest, rule->pattern);
	}
	digest_text(digest, "thresholds");
	for (int i = 0; i < config->n_thresholds; i++) {
		digest_text(digest, config->thresholds[i].label);
		digest_text(digest, config->thresholds[i].isotope);
		digest_text(digest, config->thresholds[i].role);
		digest_double(digest, config->thresholds[i].dose_gy);
		digest_text(digest, config->thresholds[i].source);
	}
}

static void digest_job(struct digest *digest, const struct job *job, const struct config *config,
		       const char *structure_set_evidence)
{
	if (job->kind == JOB_FIT) {
		char key[65];
		map_cache_key(key, job->baseline.evidence_hash, config->usable_echo_sigma,
			      config->saturated_sigma);
		digest_text(digest, key);
		return;
	}
	/* two patients with the same images are two treatments */
	digest_text(digest, job->treatment_key);
	digest_number(digest, job->after_injection);
	for (int i = 0; i < job->n_scans; i++)
		digest_series(digest, &job->scans[i]);
	digest_series(digest, &job->anatomy);
	digest_dose_configuration(digest, config);
	digest_text(digest, structure_set_evidence ? structure_set_evidence : "");
	if (job->kind == JOB_REPORT)
		digest_report_configuration(digest, config);
}

void job_hash(struct job *job, const struct config *config, const char *structure_set_evidence,
	      const char *fingerprint, int recompute_serial)
{
	char forced[100];
	snprintf(forced, sizeof forced, "%.64s recompute %d", fingerprint, recompute_serial);
	job->forced = recompute_serial > 0;
	job->hash[0] = '\0';
	struct digest *digest = digest_new();
	if (!digest)
		return;
	digest_text(digest, job_kind_name(job->kind));
	digest_series(digest, &job->baseline);
	digest_text(digest, job->forced ? forced : fingerprint);
	digest_job(digest, job, config, structure_set_evidence);
	digest_finish(digest, job->hash);
}

static void digest_injections(struct digest *digest, const struct treatment_slots *slots,
			      int previous, int last)
{
	for (int i = 0; i < slots->n_injections; i++) {
		const struct dosimetry_injection *injection = &slots->injections[i];
		if (injection->number <= previous || injection->number > last)
			continue;
		digest_number(digest, injection->number);
		digest_double(digest, injection->start_s);
		digest_double(digest, injection->specific_activity_mbq_per_mg);
		digest_double(digest, injection->holmium_percent);
		if (last - previous > 1)
			digest_double(digest, injection->net_activity_mbq);
	}
}

static void digest_transform(struct digest *digest, const struct treatment_transform *transform)
{
	digest_number(digest, (int)transform->given);
	for (int i = 0; transform->given != TREATMENT_NOT_GIVEN && i < RIGID_SIZE; i++)
		digest_double(digest, transform->matrix[i]);
}

static void digest_transform_after(struct digest *digest, const struct treatment_slots *slots,
				   int after_injection)
{
	for (int i = 0; i < slots->n_after; i++) {
		if (slots->after[i].after_injection == after_injection)
			digest_transform(digest, &slots->after[i].transform);
	}
}

void job_map_fingerprint(char hex[65], const struct job *job, const struct treatment_slots *slots)
{
	struct digest *digest = digest_new();
	int previous = 0;
	hex[0] = '\0';
	if (!digest)
		return;
	if (slots->relaxivity) {
		digest_double(digest, slots->relaxivity->per_s_per_mg_per_ml);
		digest_double(digest, slots->relaxivity->holmium_percent);
		digest_number(digest, slots->relaxivity->calibrated);
		digest_text(digest, slots->relaxivity->provenance);
	}
	digest_transform(digest, &slots->baseline.transform);
	for (int scan = 0; scan < job->n_scans; scan++) {
		digest_transform_after(digest, slots, job->scans[scan].after_injection);
		digest_injections(digest, slots, previous, job->scans[scan].after_injection);
		digest_text(digest, "scan");
		previous = job->scans[scan].after_injection;
	}
	for (int i = 0; !slots->contours_refused && i < slots->n_vois; i++) {
		digest_text(digest, slots->vois[i].name);
		digest_number(digest, (int)slots->vois[i].role);
	}
	digest_finish(digest, hex);
}

void job_report_fingerprint(char hex[65], const struct treatment_record *record,
			    const struct treatment_slots *slots)
{
	const struct config_relaxivity *relaxivity = slots->relaxivity;
	struct digest *digest = digest_new();
	hex[0] = '\0';
	if (!digest)
		return;
	if (relaxivity) {
		digest_double(digest, relaxivity->per_s_per_mg_per_ml);
		digest_double(digest, relaxivity->holmium_percent);
		digest_double(digest, relaxivity->temperature_k);
		digest_number(digest, relaxivity->calibrated);
		digest_text(digest, relaxivity->provenance);
	}
	digest_transform(digest, &slots->baseline.transform);
	for (int i = 0; i < slots->n_after; i++)
		digest_transform(digest, &slots->after[i].transform);
	digest_text(digest, record->fingerprint);
	if (slots->emission.index >= 0)
		digest_text(digest, slots->emission.evidence);
	digest_finish(digest, hex);
}
