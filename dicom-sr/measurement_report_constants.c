/* measurement_report_constants.c - constants, settings and inputs: what a reader needs to compute a
 * figure again */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "holmium.h"
#include "measurement_report_parts.h"

/* A standard uncertainty in percent; that it was not configured is worth saying. */
static void add_percent_or_words(struct sr_tree *tree, enum code_id name, double percent)
{
	report_number_or_words(tree, code_get(name), percent, UNIT_PERCENT,
			       "Standard uncertainty (k = 1), as configured", "not configured");
}

/* What decides over measurability, warnings and uncertainties. */
static void add_settings(struct sr_tree *tree, const struct report_input *input)
{
	const struct dosimetry_params *params = input->params;

	add_percent_or_words(tree, CODE_RELAXIVITY_UNCERTAINTY,
			     params->uncertainty.relaxivity_percent);
	add_percent_or_words(tree, CODE_SPECIFIC_ACTIVITY_UNCERTAINTY,
			     params->uncertainty.specific_activity_percent);
	add_percent_or_words(tree, CODE_INJECTED_ACTIVITY_UNCERTAINTY,
			     params->uncertainty.injected_activity_percent);
	report_number(tree, code_get(CODE_LIMITED_ABOVE), params->limited_above_percent,
		      UNIT_PERCENT, NULL);
	report_number(tree, code_get(CODE_NOT_MEASURABLE_ABOVE),
		      params->not_measurable_above_percent, UNIT_PERCENT, NULL);
	report_number(tree, code_get(CODE_RECOVERY_LOW), params->recovery_low_percent, UNIT_PERCENT,
		      NULL);
	report_number(tree, code_get(CODE_RECOVERY_HIGH), params->recovery_high_percent,
		      UNIT_PERCENT, NULL);
	report_text_if_any(tree, CODE_ALIGNMENT_METHOD, input->alignment_method);
	report_number(tree, code_get(CODE_ALIGNMENT_LIMIT), params->registration_limit_mm, UNIT_MM,
		      NULL);
	report_number(tree, code_get(CODE_ADVICE_LIMIT), params->advice_limit_gy, UNIT_GY, NULL);
}

void report_constants(struct sr_tree *tree, const struct report_input *input)
{
	const struct dosimetry_params *params = input->params;
	const struct dosimetry_result *result = input->result;

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_METHOD), NULL);
	report_number(tree, code_get(CODE_FIELD_STRENGTH), input->field_strength_t, UNIT_TESLA,
		      NULL);
	report_number(tree, code_get(CODE_RELAXIVITY), input->relaxivity_configured,
		      UNIT_RELAXIVITY, input->relaxivity_provenance);
	report_number(tree, code_get(CODE_RELAXIVITY_USED), result->relaxivity_used,
		      UNIT_RELAXIVITY, "After scaling for the holmium content of the batch");
	report_number(tree, code_get(CODE_CALIBRATION_CONTENT), params->relaxivity_holmium_percent,
		      UNIT_PERCENT, NULL);
	report_number(tree, code_get(CODE_TEMPERATURE), input->relaxivity_temperature_k, UNIT_K,
		      NULL);
	report_number(tree, code_get(CODE_DOSE_CONSTANT), params->dose_constant_mj_per_mbq,
		      UNIT_MJ_PER_MBQ, NULL);
	report_number(tree, code_get(CODE_DENSITY), params->density_g_per_ml, UNIT_G_PER_ML, NULL);
	report_number(tree, code_get(CODE_HALF_LIFE), HOLMIUM_HALF_LIFE_H, UNIT_H, NULL);
	report_number(tree, code_get(CODE_BODY_SNR), params->body_snr, UNIT_ONE, NULL);
	report_number(tree, code_get(CODE_ARTEFACT_R2STAR), params->artefact_r2star_per_s,
		      UNIT_PER_S, NULL);
	report_number(tree, code_get(CODE_TREND_THRESHOLD), params->trend_threshold_percent,
		      UNIT_PERCENT, NULL);
	report_number(tree, code_get(CODE_NOISE_SD), result->baseline_sigma, UNIT_ONE,
		      "Standard deviation of the noise of the baseline, in its image units");
	report_number(tree, code_get(CODE_AIR_NOISE_SD), result->baseline_air_sigma, UNIT_ONE,
		      "To compare: as it is where no tissue is, for one receive coil");
	report_number(tree, code_get(CODE_EVALUATED_VOLUME), result->evaluated_volume_ml, UNIT_ML,
		      NULL);
	report_number(tree, code_get(CODE_EXCLUDED_ARTEFACT), result->excluded_artefact_ml, UNIT_ML,
		      NULL);
	add_settings(tree, input);
	sr_tree_leave(tree);
}

static void role_words(char text[64], const struct evidence_series *series)
{
	switch (series->role) {
	case EVIDENCE_ANATOMY:
		snprintf(text, 64, "anatomy");
		break;
	case EVIDENCE_BASELINE:
		snprintf(text, 64, "baseline");
		break;
	case EVIDENCE_AFTER:
		snprintf(text, 64, "after injection %d", series->after_injection);
		break;
	case EVIDENCE_VOIS:
		snprintf(text, 64, "volumes of interest");
		break;
	case EVIDENCE_RESULT:
		snprintf(text, 64, "dose after injection %d", series->after_injection);
		break;
	case EVIDENCE_KERNEL_RESULT:
		snprintf(text, 64, "dose by beta kernel after injection %d",
			 series->after_injection);
		break;
	case EVIDENCE_REGISTRATION:
		snprintf(text, 64, "alignment given by the site");
		break;
	case EVIDENCE_EMISSION:
		snprintf(text, 64, "emission image");
		break;
	}
}

void report_inputs(struct sr_tree *tree, const struct report_input *input)
{
	char text[420];

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_INPUTS), NULL);
	if (input->record_id && input->record_id[0]) {
		bool by = input->record_entered_by && input->record_entered_by[0];
		snprintf(text, sizeof text, "%.150s, revision %d%s%.150s", input->record_id,
			 input->record_revision, by ? ", entered by " : "",
			 by ? input->record_entered_by : "");
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_RECORD), text);
	}
	for (int s = 0; s < input->evidence->n_series; s++) {
		const struct evidence_series *series = &input->evidence->series[s];
		char role[64] = "";
		role_words(role, series);
		sr_tree_container(tree, SR_CONTAINS, code_get(CODE_INPUT_SERIES), NULL);
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_INPUT_ROLE), role);
		report_text_if_any(tree, CODE_INPUT_DESCRIPTION, series->description);
		sr_tree_uid(tree, SR_CONTAINS, code_get(CODE_SERIES_UID),
			    series->series_instance_uid);
		report_datetime(tree, CODE_ACQUIRED, series->acquired);
		report_number(tree, code_get(CODE_INPUT_INSTANCES), series->n_instances, UNIT_ONE,
			      NULL);
		sr_tree_leave(tree);
	}
	sr_tree_leave(tree);
}
