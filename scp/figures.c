/* figures.c - see figures.h; the JSON, figures_table.c the table */
#include "figures.h"

#include <math.h>
#include <string.h>

#include "figures_parts.h"
#include "json.h"

static const char *role_name(enum voi_role role)
{
	switch (role) {
	case VOI_LIVER:
		return "liver";
	case VOI_PART:
		return "part";
	case VOI_TUMOUR:
		return "tumour";
	case VOI_GROUP:
		return "group";
	case VOI_NECROSIS:
		return "necrosis";
	case VOI_OTHER:
		break;
	}
	return "other";
}

static void write_numbers(struct json *json, const char *key, const double *numbers, int count)
{
	json_begin_array(json, key);
	for (int i = 0; i < count; i++)
		json_number(json, NULL, numbers[i]);
	json_end_array(json);
}

static void write_judgement(struct json *json, const struct dosimetry_voi_result *voi)
{
	json_text(json, "measurable", voi_measurable_name(voi->measurable));
	json_begin_array(json, "reasons");
	for (unsigned bit = 1; bit <= VOI_LAST_REASON; bit <<= 1)
		if (voi->reasons & bit)
			json_text(json, NULL, voi_reason_text((enum voi_reason)bit));
	json_end_array(json);
}

static void write_uncertainty(struct json *json, const struct uncertainty *uncertainty)
{
	json_number(json, "mean_standard_uncertainty_gy", uncertainty->combined_gy);
	json_begin_object(json, "mean_uncertainty");
	json_number(json, "random_gy", uncertainty->random_gy);
	json_number(json, "registration_gy", uncertainty->registration_gy);
	json_number(json, "relaxivity_gy", uncertainty->relaxivity_gy);
	json_number(json, "specific_activity_gy", uncertainty->specific_activity_gy);
	json_bool(json, "complete", uncertainty->complete);
	json_end_object(json);
}

static void write_underdosed(struct json *json, const struct dosimetry_params *params,
			     const struct dosimetry_voi_result *voi)
{
	json_begin_array(json, "underdosed");
	for (int i = 0; params && i < params->underdose_levels; i++) {
		json_begin_object(json, NULL);
		json_number(json, "below_gy", params->underdosed_below_gy[i]);
		json_number(json, "volume_ml", voi->underdosed_volume_ml[i]);
		json_number(json, "largest_piece_ml", voi->underdosed_piece_ml[i]);
		json_end_object(json);
	}
	json_end_array(json);
}

static bool has_position(const struct figures_input *input, int position)
{
	for (int i = 0; i < input->n_injections; i++)
		if (input->injections[i].position == position)
			return true;
	return false;
}

static void write_dose_by_position(struct json *json, const struct figures_input *input,
				   const struct dosimetry_voi_result *voi)
{
	json_begin_array(json, "position_dose_gy");
	for (int p = 0; p < DOSIMETRY_MAX_POSITIONS; p++) {
		if (!has_position(input, p))
			continue;
		json_begin_object(json, NULL);
		json_integer(json, "position", p + 1);
		json_number(json, "gy", voi->position_dose_gy[p]);
		json_end_object(json);
	}
	json_end_array(json);
}

/* What cannot be measured has no dose by any method. */
static void write_kernel(struct json *json, const struct dosimetry_voi_result *voi)
{
	bool none = voi->measurable == VOI_NOT_MEASURABLE;
	const struct voi_stats *dose = &voi->kernel_dose;

	json_number(json, "kernel_mean_gy", none ? (double)NAN : dose->mean);
	json_number(json, "kernel_d90_gy", none ? (double)NAN : dose->d90);
	json_number(json, "kernel_d70_gy", none ? (double)NAN : dose->d70);
	json_number(json, "kernel_maximum_gy", none ? (double)NAN : dose->maximum);
}

static void write_voi_figures(struct json *json, const struct figures_input *input,
			      const struct dosimetry_voi_result *voi)
{
	const struct voi_stats *dose = &voi->dose;

	write_judgement(json, voi);
	json_number(json, "volume_ml", dose->volume_ml);
	json_number(json, "mass_g", voi->mass_g);
	json_number(json, "mean_gy", dose->mean);
	json_number(json, "minimum_gy", dose->minimum);
	json_number(json, "maximum_gy", dose->maximum);
	json_number(json, "standard_deviation_gy", dose->standard_deviation);
	json_number(json, "d98_gy", dose->d98);
	json_number(json, "d90_gy", dose->d90);
	json_number(json, "d70_gy", dose->d70);
	json_number(json, "d50_gy", dose->d50);
	json_number(json, "d2_gy", dose->d2);
	json_begin_array(json, "volume_at_dose");
	for (int i = 0; i < dose->levels; i++) {
		json_begin_object(json, NULL);
		json_number(json, "gy", dose->level[i]);
		json_number(json, "ml", dose->volume_at_level_ml[i]);
		json_end_object(json);
	}
	json_end_array(json);
	json_number(json, "activity_mbq", voi->activity_mbq);
	json_number(json, "tumour_to_normal", voi->tumour_to_normal);
	json_number(json, "measured_volume_ml", dose->measured_volume_ml);
	json_number(json, "not_measured_volume_ml", voi->not_measured_volume_ml);
	json_number(json, "saturated_volume_ml", voi->saturated_volume_ml);
	json_number(json, "s0_known_volume_ml", voi->s0_known_volume_ml);
	json_number(json, "excluded_volume_ml", voi->excluded_volume_ml);
	json_number(json, "oscillating_volume_ml", voi->oscillating_volume_ml);
	json_number(json, "necrotic_volume_ml", voi->necrotic_volume_ml);
	json_number(json, "underdosed_volume_ml", voi->underdosed_volume_ml[0]);
	write_underdosed(json, input->params, voi);
	write_uncertainty(json, &voi->uncertainty);
	write_kernel(json, voi);
	write_dose_by_position(json, input, voi);
}

static void write_trend(struct json *json, const struct uptake_result *trend)
{
	bool assessed = trend->trend != UPTAKE_NOT_ASSESSED;
	const double none = (double)NAN;

	json_text(json, "trend", uptake_trend_name(trend->trend));
	json_number(json, "trend_expected_gy", assessed ? trend->expected_gy : none);
	json_number(json, "trend_expected_lower_gy", assessed ? trend->expected_lower_gy : none);
	json_number(json, "trend_expected_upper_gy", assessed ? trend->expected_upper_gy : none);
	json_number(json, "trend_deviation_percent", assessed ? trend->deviation_percent : none);
	json_number(json, "trend_slope_gy_per_mbq", assessed ? trend->slope_gy_per_mbq : none);
	json_number(json, "trend_intercept_gy", assessed ? trend->intercept_gy : none);
	json_bool(json, "hardly_any_uptake", trend->hardly_any);
	json_number(json, "predicted_next_gy", trend->next_gy);
	json_number(json, "predicted_next_lower_gy", trend->next_lower_gy);
	json_number(json, "predicted_next_upper_gy", trend->next_upper_gy);
}

static void write_advice(struct json *json, const struct dosimetry_params *params,
			 const struct uptake_remaining *advice)
{
	if (!params || !isfinite(params->advice_limit_gy)) {
		json_raw(json, "advice", NULL);
		return;
	}
	json_begin_object(json, "advice");
	json_number(json, "limit_gy", params->advice_limit_gy);
	json_number(json, "activity_mbq", advice->activity_mbq);
	json_number(json, "lower_mbq", advice->lower_mbq);
	json_number(json, "upper_mbq", advice->upper_mbq);
	json_end_object(json);
}

static void write_vois(struct json *json, const struct figures_input *input,
		       const struct dosimetry_time_point *point)
{
	json_begin_array(json, "vois");
	for (int i = 0; !input->regions_left_out && i < input->n_vois; i++) {
		json_begin_object(json, NULL);
		json_text(json, "name", input->vois[i].name);
		json_text(json, "role", role_name(input->vois[i].role));
		write_voi_figures(json, input, &point->voi[i]);
		if (input->vois[i].role == VOI_PART)
			json_number(json, "recovery_ratio", point->part_recovery_ratio[i]);
		if (input->vois[i].role == VOI_TUMOUR || input->vois[i].role == VOI_GROUP)
			write_trend(json, &point->trend[i]);
		json_end_object(json);
	}
	json_end_array(json);
	json_begin_array(json, "healthy");
	for (int i = 0; !input->regions_left_out && i < point->n_healthy; i++) {
		char name[300];
		figures_healthy_name(name, input, &point->healthy[i]);
		json_begin_object(json, NULL);
		json_text(json, "name", name);
		write_voi_figures(json, input, &point->healthy[i].figures);
		write_advice(json, input->params, &point->advice[i]);
		json_end_object(json);
	}
	json_end_array(json);
}

static void write_time_point(struct json *json, const struct figures_input *input,
			     const struct dosimetry_time_point *point)
{
	json_begin_object(json, NULL);
	json_integer(json, "after_injection", point->after_injection);
	json_number(json, "injected_activity_mbq", point->injected_activity_mbq);
	json_number(json, "recovered_activity_mbq", point->recovered_activity_mbq);
	json_number(json, "recovery_ratio", point->recovery_ratio);
	json_number(json, "recovery_standard_uncertainty",
		    !input->regions_left_out ? point->recovery_uncertainty : (double)NAN);
	json_number(json, "injected_mass_mg", point->injected_mass_mg);
	json_number(json, "recovered_mass_mg", point->recovered_mass_mg);
	json_number(json, "mass_increment_ratio", point->mass_increment_ratio);
	json_number(json, "resampled_mass_ratio", point->resampled_mass_ratio);
	json_number(json, "region_baseline_r2star_per_s", point->region_baseline_r2star_per_s);
	json_number(json, "sigma", point->sigma);
	json_number(json, "s0_scale", point->s0_scale);
	json_number(json, "kernel_lost_share", point->kernel_lost_share);
	json_begin_object(json, "alignment");
	json_number(json, "residual_mm", point->residual_mm);
	write_numbers(json, "transform", point->to_result, RIGID_SIZE);
	json_end_object(json);
	json_begin_array(json, "flags");
	for (unsigned bit = 0; bit < 31; bit++)
		if ((point->flags >> bit & 1u) != 0)
			json_text(json, NULL,
				  dosimetry_flag_text((enum dosimetry_flag)(1u << bit)));
	json_end_array(json);
	write_vois(json, input, point);
	json_end_object(json);
}

static void write_alignment(struct json *json, const struct report_alignment *alignment)
{
	json_begin_object(json, NULL);
	json_integer(json, "after_injection", alignment->after_injection);
	json_text(json, "from", alignment->from);
	json_text(json, "to", alignment->to);
	json_text(json, "origin", measurement_report_alignment_origin(alignment->origin)->meaning);
	json_text(json, "words", alignment->words);
	json_number(json, "residual_mm", alignment->residual_mm);
	json_number(json, "capture_spread_mm", alignment->capture_spread_mm);
	write_numbers(json, "transform", alignment->transform, RIGID_SIZE);
	json_end_object(json);
}

void figures_write_json(FILE *file, const struct figures_input *input)
{
	struct json json = {.file = file};
	const struct dosimetry_result *result = input->result;
	json_begin_object(&json, NULL);
	json_integer(&json, "format", 1);
	json_text(&json, "patient_id", input->patient_id);
	json_text(&json, "record_id", input->record_id);
	json_integer(&json, "record_revision", input->record_revision);
	json_text(&json, "software_version", input->software_version);
	json_integer(&json, "planned_injections", input->planned_injections);
	json_number(&json, "relaxivity_per_s_per_mg_per_ml", result->relaxivity_used);
	json_number(&json, "evaluated_volume_ml", result->evaluated_volume_ml);
	json_number(&json, "excluded_artefact_ml", result->excluded_artefact_ml);
	json_number(&json, "baseline_sigma", result->baseline_sigma);
	json_begin_array(&json, "injections");
	for (int i = 0; i < input->n_injections; i++) {
		const struct dosimetry_injection *injection = &input->injections[i];
		json_begin_object(&json, NULL);
		json_integer(&json, "number", injection->number);
		json_number(&json, "start_s", injection->start_s);
		json_number(&json, "net_activity_mbq", injection->net_activity_mbq);
		json_number(&json, "specific_activity_mbq_per_mg",
			    injection->specific_activity_mbq_per_mg);
		json_integer(&json, "position", injection->position + 1);
		json_bool(&json, "residual_pending", injection->residual_pending);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_begin_array(&json, "time_points");
	for (int i = 0; i < result->n_time_points; i++)
		write_time_point(&json, input, &result->time_points[i]);
	json_end_array(&json);
	json_begin_array(&json, "alignments");
	for (int i = 0; i < input->n_alignments; i++)
		write_alignment(&json, &input->alignments[i]);
	json_end_array(&json);
	figures_emission_json(&json, input);
	json_begin_array(&json, "warnings");
	for (int i = 0; i < input->n_warnings; i++)
		json_text(&json, NULL, input->warnings[i]);
	json_end_array(&json);
	json_end_object(&json);
}
