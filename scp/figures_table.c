/* figures_table.c - the figures as a table for people */
#include <math.h>
#include <string.h>

#include "figures_parts.h"

void figures_healthy_name(char name[300], const struct figures_input *input,
			  const struct dosimetry_healthy *healthy)
{
	bool part = healthy->part_voi >= 0 && healthy->part_voi < input->n_vois;
	snprintf(name, 300, "Healthy %s", part ? input->vois[healthy->part_voi].name : "liver");
}

void figures_put(FILE *file, int width, int decimals, double value)
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

static bool is_tumour(enum voi_role role)
{
	return role == VOI_TUMOUR || role == VOI_GROUP;
}

static void put_row(FILE *file, const char *name, const struct dosimetry_voi_result *voi,
		    const char *trend)
{
	double uncertainty_gy =
	    isfinite(voi->dose.mean) ? voi->uncertainty.combined_gy : (double)NAN;

	fputs("  ", file);
	put_name(file, 24, name);
	figures_put(file, 10, 1, voi->dose.volume_ml);
	figures_put(file, 9, 1, voi->dose.mean);
	figures_put(file, 8, uncertainty_gy < 0.95 ? 2 : 1, uncertainty_gy);
	figures_put(file, 8, 1, voi->dose.d90);
	figures_put(file, 9, 1, voi->dose.maximum);
	figures_put(file, 11, 1, voi->activity_mbq);
	figures_put(file, 6, 1, voi->tumour_to_normal);
	fprintf(file, "%s%s\n", trend[0] ? "  " : "", trend);
}

/* ---- lines below a row ---- */

#define BELOW		   "      "
#define UNDERDOSED_FROM_ML 0.05 /* less would be printed as 0.0 */

/* A reason is a sentence: one per line. */
static void put_doubt(FILE *file, const struct dosimetry_voi_result *voi)
{
	if (voi->measurable == VOI_MEASURABLE)
		return;
	fprintf(file, BELOW "%s", voi_measurable_name(voi->measurable));
	if (voi->not_measured_volume_ml > 0)
		fprintf(file, ", %.1f of %.1f mL without a dose", voi->not_measured_volume_ml,
			voi->dose.volume_ml);
	fputs(voi->reasons ? ":\n" : "\n", file);
	for (unsigned bit = 1; bit <= VOI_LAST_REASON; bit <<= 1)
		if (voi->reasons & bit)
			fprintf(file, BELOW "  %s\n", voi_reason_text((enum voi_reason)bit));
}

static void put_underdosed(FILE *file, const struct dosimetry_params *params,
			   const struct dosimetry_voi_result *voi)
{
	if (!params || !isfinite(voi->dose.mean))
		return;
	for (int i = 0; i < params->underdose_levels; i++) {
		if (!(voi->underdosed_volume_ml[i] >= UNDERDOSED_FROM_ML))
			continue;
		fprintf(file, BELOW "under-dosed, below %.6g Gy: %.1f mL",
			params->underdosed_below_gy[i], voi->underdosed_volume_ml[i]);
		if (isfinite(voi->underdosed_piece_ml[i]))
			fprintf(file, ", largest piece %.1f mL", voi->underdosed_piece_ml[i]);
		fputc('\n', file);
	}
}

static void put_uptake(FILE *file, const struct uptake_result *uptake)
{
	if (uptake->hardly_any)
		fputs(BELOW "hardly any uptake\n", file);
	if (!isfinite(uptake->next_gy))
		return;
	fprintf(file, BELOW "after the next injection: %.1f Gy predicted", uptake->next_gy);
	if (isfinite(uptake->next_lower_gy) && isfinite(uptake->next_upper_gy))
		fprintf(file, ", 95 %% interval %.1f to %.1f Gy", uptake->next_lower_gy,
			uptake->next_upper_gy);
	fputc('\n', file);
}

static void put_kernel(FILE *file, const struct dosimetry_voi_result *voi)
{
	if (isfinite(voi->dose.mean) && isfinite(voi->kernel_dose.mean))
		fprintf(file, BELOW "by beta kernel: mean %.1f Gy, D90 %.1f Gy\n",
			voi->kernel_dose.mean, voi->kernel_dose.d90);
}

static void put_advice(FILE *file, const struct dosimetry_params *params,
		       const struct uptake_remaining *advice)
{
	if (!params || !isfinite(params->advice_limit_gy) || !isfinite(advice->lower_mbq) ||
	    !isfinite(advice->upper_mbq))
		return;
	if (advice->upper_mbq <= 0)
		fprintf(file, BELOW "for research only: %.6g Gy is reached\n",
			params->advice_limit_gy);
	else
		fprintf(file,
			BELOW "for research only: %.6g Gy after another %.0f to %.0f MBq (95 %% "
			      "interval)\n",
			params->advice_limit_gy, advice->lower_mbq, advice->upper_mbq);
}

/* ---- the tables ---- */

static void write_voi(FILE *file, const struct figures_input *input,
		      const struct dosimetry_time_point *point, int voi)
{
	const struct uptake_result *uptake = &point->trend[voi];
	const struct dosimetry_voi_result *figures = &point->voi[voi];
	enum voi_role role = input->vois[voi].role;
	char words[64] = "";

	if (role == VOI_NECROSIS) {
		fputs("  ", file);
		put_name(file, 24, input->vois[voi].name);
		figures_put(file, 10, 1, figures->dose.volume_ml);
		fprintf(file, "%53snecrosis: no dose\n", "");
		return;
	}
	if (is_tumour(role) && uptake->trend == UPTAKE_NOT_ASSESSED)
		snprintf(words, sizeof words, "%s", uptake_trend_name(uptake->trend));
	else if (is_tumour(role))
		snprintf(words, sizeof words, "%s (%+.1f %%)", uptake_trend_name(uptake->trend),
			 uptake->deviation_percent);
	put_row(file, input->vois[voi].name, figures, words);
	put_doubt(file, figures);
	if (is_tumour(role)) {
		put_underdosed(file, input->params, figures);
		put_uptake(file, uptake);
	}
	put_kernel(file, figures);
}

static void write_uncertainty_line(FILE *file, const struct dosimetry_params *params)
{
	bool relaxivity, specific_activity;
	if (!params)
		return;
	relaxivity = isfinite(params->uncertainty.relaxivity_percent);
	specific_activity = isfinite(params->uncertainty.specific_activity_percent);
	fputs("  ± standard uncertainty (k = 1) of the mean", file);
	if (!relaxivity || !specific_activity)
		fprintf(file, "; without that of %s: not of an absolute dose",
			relaxivity	    ? "the specific activity"
			: specific_activity ? "the relaxivity"
					    : "relaxivity and specific activity");
	fputs("\n  under-dosed parts are listed from 0.1 mL\n", file);
}

static void write_voi_table(FILE *file, const struct figures_input *input,
			    const struct dosimetry_time_point *point)
{
	fprintf(file, "Absorbed dose after injection %d\n", point->after_injection);
	/* one character of two bytes */
	fprintf(file, "  %-24s%10s%9s%9s%8s%9s%11s%6s  %s\n", "", "volume mL", "mean Gy", "± Gy",
		"D90 Gy", "max Gy", "activ. MBq", "T/N", "trend");
	for (int i = 0; !input->regions_left_out && i < input->n_vois; i++)
		write_voi(file, input, point, i);
	for (int i = 0; !input->regions_left_out && i < point->n_healthy; i++) {
		const struct dosimetry_voi_result *figures = &point->healthy[i].figures;
		char name[300];
		figures_healthy_name(name, input, &point->healthy[i]);
		put_row(file, name, figures, "");
		put_doubt(file, figures);
		put_kernel(file, figures);
		put_advice(file, input->params, &point->advice[i]);
	}
	if (input->n_vois == 0)
		fputs("  no contours: dose maps only, no report\n", file);
	else if (input->regions_left_out)
		fputs("  a dose map: figures of regions are in the report\n", file);
	else
		write_uncertainty_line(file, input->params);
}

static void write_recovery_table(FILE *file, const struct figures_input *input)
{
	fprintf(file, "\n  %-18s%16s%16s%14s%9s%16s\n", "after injection", "injected MBq",
		"recovered MBq", "recovery %", "± %", "alignment mm");
	for (int i = 0; i < input->result->n_time_points; i++) {
		const struct dosimetry_time_point *point = &input->result->time_points[i];
		fprintf(file, "  %-18d", point->after_injection);
		figures_put(file, 16, 1, point->injected_activity_mbq);
		figures_put(file, 16, 1, point->recovered_activity_mbq);
		figures_put(file, 14, 1, 100 * point->recovery_ratio);
		figures_put(file, 8, 1,
			    !input->regions_left_out ? 100 * point->recovery_uncertainty
						     : (double)NAN);
		figures_put(file, 16, 1, point->residual_mm);
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
		figures_emission_table(file, input);
	} else {
		fputc('\n', file);
	}
	fprintf(file, "\nRelaxivity %.6g /s per mg/mL; evaluated %.0f mL\n",
		result->relaxivity_used, result->evaluated_volume_ml);
	for (int i = 0; i < input->n_warnings; i++)
		fprintf(file, "  ! %s\n", input->warnings[i]);
}
