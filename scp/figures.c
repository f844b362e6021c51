#include "figures.h"

#include <math.h>
#include <string.h>

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

static void healthy_name(char name[300], const struct figures_input *input,
			 const struct dosimetry_healthy *healthy)
{
	bool part = healthy->part_voi >= 0 && healthy->part_voi < input->n_vois;
	snprintf(name, 300, "Healthy %s", part ? input->vois[healthy->part_voi].name : "liver");
}

/* ---- JSON ---- */

static void write_voi_figures(struct json *json, const struct dosimetry_voi_result *voi)
{
	const struct voi_stats *dose = &voi->dose;
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
	json_number(json, "underdosed_volume_ml", voi->underdosed_volume_ml[0]);
}

static void write_vois(struct json *json, const struct figures_input *input,
		       const struct dosimetry_time_point *point)
{
	json_begin_array(json, "vois");
	for (int i = 0; i < input->n_vois; i++) {
		json_begin_object(json, NULL);
		json_text(json, "name", input->vois[i].name);
		json_text(json, "role", role_name(input->vois[i].role));
		write_voi_figures(json, &point->voi[i]);
		if (input->vois[i].role == VOI_PART)
			json_number(json, "recovery_ratio", point->part_recovery_ratio[i]);
		if (input->vois[i].role == VOI_TUMOUR) {
			bool assessed = point->trend[i].trend != UPTAKE_NOT_ASSESSED;
			json_text(json, "trend", uptake_trend_name(point->trend[i].trend));
			json_number(json, "trend_expected_gy",
				    assessed ? point->trend[i].expected_gy : (double)NAN);
			json_number(json, "trend_deviation_percent",
				    assessed ? point->trend[i].deviation_percent : (double)NAN);
		}
		json_end_object(json);
	}
	json_end_array(json);
	json_begin_array(json, "healthy");
	for (int i = 0; i < point->n_healthy; i++) {
		char name[300];
		healthy_name(name, input, &point->healthy[i]);
		json_begin_object(json, NULL);
		json_text(json, "name", name);
		write_voi_figures(json, &point->healthy[i].figures);
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
	json_number(json, "injected_mass_mg", point->injected_mass_mg);
	json_number(json, "recovered_mass_mg", point->recovered_mass_mg);
	json_number(json, "mass_increment_ratio", point->mass_increment_ratio);
	json_number(json, "resampled_mass_ratio", point->resampled_mass_ratio);
	json_number(json, "region_baseline_r2star_per_s", point->region_baseline_r2star_per_s);
	json_number(json, "sigma", point->sigma);
	json_number(json, "s0_scale", point->s0_scale);
	json_begin_array(json, "flags");
	for (unsigned bit = 0; bit < 31; bit++)
		if ((point->flags >> bit & 1u) != 0)
			json_text(json, NULL,
				  dosimetry_flag_text((enum dosimetry_flag)(1u << bit)));
	json_end_array(json);
	write_vois(json, input, point);
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
	json_begin_array(&json, "warnings");
	for (int i = 0; i < input->n_warnings; i++)
		json_text(&json, NULL, input->warnings[i]);
	json_end_array(&json);
	json_end_object(&json);
}

/* ---- table ---- */

/* width columns, a dash for what was not measured */
static void put(FILE *file, int width, int decimals, double value)
{
	if (isfinite(value))
		fprintf(file, "%*.*f", width, decimals, value);
	else
		fprintf(file, "%*s", width, "-");
}

/* UTF-8 padded by characters, cut at width. */
static void put_name(FILE *file, int width, const char *name)
{
	int shown = 0;
	for (; *name != '\0'; name++) {
		if (((unsigned char)*name & 0xc0) != 0x80 && ++shown > width) {
			shown = width;
			break;
		}
		fputc((unsigned char)*name < 0x20 ? '?' : *name, file);
	}
	fprintf(file, "%*s", width - shown, "");
}

static void put_row(FILE *file, const char *name, const struct dosimetry_voi_result *voi,
		    const char *trend)
{
	fputs("  ", file);
	put_name(file, 28, name);
	put(file, 10, 1, voi->dose.volume_ml);
	put(file, 10, 1, voi->dose.mean);
	put(file, 9, 1, voi->dose.d90);
	put(file, 9, 1, voi->dose.d50);
	put(file, 10, 1, voi->dose.maximum);
	put(file, 11, 1, voi->activity_mbq);
	put(file, 7, 1, voi->tumour_to_normal);
	fprintf(file, "  %s\n", trend);
}

static void write_voi_table(FILE *file, const struct figures_input *input,
			    const struct dosimetry_time_point *point)
{
	fprintf(file, "Absorbed dose after injection %d\n", point->after_injection);
	fprintf(file, "  %-28s%10s%10s%9s%9s%10s%11s%7s  %s\n", "", "volume mL", "mean Gy",
		"D90 Gy", "D50 Gy", "max Gy", "activ. MBq", "T/N", "trend");
	for (int i = 0; i < input->n_vois; i++) {
		char trend[64] = "";
		const struct uptake_result *uptake = &point->trend[i];
		if (input->vois[i].role == VOI_TUMOUR && uptake->trend == UPTAKE_NOT_ASSESSED)
			snprintf(trend, sizeof trend, "%s", uptake_trend_name(uptake->trend));
		else if (input->vois[i].role == VOI_TUMOUR)
			snprintf(trend, sizeof trend, "%s (%+.1f %%)",
				 uptake_trend_name(uptake->trend), uptake->deviation_percent);
		put_row(file, input->vois[i].name, &point->voi[i], trend);
	}
	for (int i = 0; i < point->n_healthy; i++) {
		char name[300];
		healthy_name(name, input, &point->healthy[i]);
		put_row(file, name, &point->healthy[i].figures, "");
	}
	if (input->n_vois == 0)
		fputs("  no contours: dose maps only, no report\n", file);
}

static void write_recovery_table(FILE *file, const struct figures_input *input)
{
	fprintf(file, "\n  %-18s%16s%16s%14s\n", "after injection", "injected MBq", "recovered MBq",
		"recovery %");
	for (int i = 0; i < input->result->n_time_points; i++) {
		const struct dosimetry_time_point *point = &input->result->time_points[i];
		fprintf(file, "  %-18d", point->after_injection);
		put(file, 16, 1, point->injected_activity_mbq);
		put(file, 16, 1, point->recovered_activity_mbq);
		put(file, 14, 1, 100 * point->recovery_ratio);
		fputc('\n', file);
		for (unsigned bit = 0; bit < 31; bit++)
			if ((point->flags >> bit & 1u) != 0)
				fprintf(file, "    ! %s\n",
					dosimetry_flag_text((enum dosimetry_flag)(1u << bit)));
	}
}

void figures_write_table(FILE *file, const struct figures_input *input)
{
	const struct dosimetry_result *result = input->result;
	fprintf(file, "Treatment %s (revision %d) of patient %s", input->record_id,
		input->record_revision, input->patient_id);
	if (result->n_time_points > 0) {
		const struct dosimetry_time_point *newest =
		    &result->time_points[result->n_time_points - 1];
		if (input->planned_injections > 0)
			fprintf(file, ": %d of %d injections", newest->after_injection,
				input->planned_injections);
		fputs("\n\n", file);
		write_voi_table(file, input, newest);
		write_recovery_table(file, input);
	} else {
		fputc('\n', file);
	}
	fprintf(file, "\nRelaxivity %.6g /s per mg/mL; evaluated %.0f mL\n",
		result->relaxivity_used, result->evaluated_volume_ml);
	for (int i = 0; i < input->n_warnings; i++)
		fprintf(file, "  ! %s\n", input->warnings[i]);
}
