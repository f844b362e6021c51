#include "command_prescribe.h"

#include <math.h>
#include <string.h>

#include "json.h"

/* NaN is a dash: not known, not nothing. */
static void print_cell(FILE *out, int width, int decimals, double value)
{
	if (isnan(value))
		fprintf(out, " %*s", width, "-");
	else
		fprintf(out, " %*.*f", width, decimals, value);
}

static void print_inputs(FILE *out, const struct prescribe_run *run)
{
	const struct prescription_input *input = &run->input;
	fprintf(out, "target dose   %g Gy\n", input->target_dose_gy);
	fprintf(out,
		"method        activity = target dose x mass / dose constant, %g mJ/MBq, "
		"%g kg/L (%.0f MBq per kg)\n",
		input->dose_constant_mj_per_mbq, input->density_g_per_ml,
		1e3 * input->target_dose_gy / input->dose_constant_mj_per_mbq);
	if (!isnan(input->specific_activity_mbq_per_mg))
		fprintf(out, "microspheres  %g MBq/mg at injection\n",
			input->specific_activity_mbq_per_mg);
	if (!isnan(input->delivered_share))
		fprintf(out, "delivered     %g of the activity in the vial\n",
			input->delivered_share);
	if (run->simulated)
		fprintf(out, "simulation    %s\n", run->simulation);
	if (!isnan(input->lung_shunt)) {
		fprintf(out, "lung shunt    %.4f", input->lung_shunt);
		if (!isnan(run->lung_counts))
			fprintf(out, " (%.6g counts in the lungs, %.6g in the liver)",
				run->lung_counts, run->liver_counts);
		fprintf(out, ", lungs of %g kg\n", input->lung_mass_kg);
	}
}

static void print_positions(FILE *out, const struct prescribe_run *run)
{
	const struct prescription_plan *plan = &run->plan;
	double vial_mbq = 0, microspheres_mg = 0;
	bool reduced = false;
	fprintf(out, "\n%-22s %8s %8s %8s %7s %6s %9s %9s %8s %6s\n", "position", "volume",
		"necrosis", "tumours", "mass", "factor", "activity", "in vial", "spheres", "mean");
	fprintf(out, "%-22s %8s %8s %8s %7s %6s %9s %9s %8s %6s\n", "", "mL", "mL", "mL", "kg", "",
		"MBq", "MBq", "mg", "Gy");
	for (int i = 0; i < run->input.n_positions; i++) {
		const struct prescription_position *p = &run->positions[i];
		const struct prescription_position_plan *r = &plan->positions[i];
		fprintf(out, "%-22.22s", p->name);
		print_cell(out, 8, 1, p->targeted_volume_ml);
		print_cell(out, 8, 1, p->necrotic_volume_ml);
		print_cell(out, 8, 1, p->tumour_volume_ml);
		print_cell(out, 7, 3, r->targeted_mass_kg);
		print_cell(out, 6, 2, p->reduction);
		print_cell(out, 9, 1, r->activity_mbq);
		print_cell(out, 9, 1, r->vial_activity_mbq);
		print_cell(out, 8, 1, r->microspheres_mg);
		print_cell(out, 6, 1, r->mean_dose_gy);
		fputc('\n', out);
		reduced = reduced || p->reduction < 1;
		vial_mbq += r->vial_activity_mbq;
		microspheres_mg += r->microspheres_mg;
	}
	fprintf(out, "%-22s %8s %8s %8s", "all", "", "", "");
	print_cell(out, 7, 3, plan->targeted_mass_kg);
	fprintf(out, " %6s", "");
	print_cell(out, 9, 1, plan->activity_mbq);
	print_cell(out, 9, 1, vial_mbq);
	print_cell(out, 8, 1, microspheres_mg);
	fputc('\n', out);
	if (reduced)
		fprintf(out, "without reductions %.1f MBq\n", plan->unreduced_activity_mbq);
}

static void print_fractions(FILE *out, const struct prescribe_run *run)
{
	if (run->fractions == 0)
		return;
	fprintf(out, "\n%-22s", "MBq per injection");
	for (int f = 0; f < run->fractions; f++)
		fprintf(out, " %7.3g %%", run->fraction_percent[f]);
	fputc('\n', out);
	for (int i = 0; i < run->input.n_positions; i++) {
		fprintf(out, "%-22.22s", run->names[i]);
		for (int f = 0; f < run->fractions; f++)
			fprintf(out, " %9.1f",
				run->plan.positions[i].activity_mbq * run->fraction_percent[f] /
				    100);
		fputc('\n', out);
	}
}

static void print_prediction(FILE *out, const struct prescribe_run *run)
{
	bool any = false;
	for (int i = 0; i < run->input.n_positions; i++)
		any = any || !isnan(run->plan.positions[i].predicted_tumour_gy);
	if (any || !isnan(run->plan.lung_gy))
		fprintf(out, "\n%-22s %8s %12s %18s\n", "predicted", "T/N", "tumours Gy",
			"healthy tissue Gy");
	for (int i = 0; any && i < run->input.n_positions; i++) {
		const struct prescription_position_plan *r = &run->plan.positions[i];
		fprintf(out, "%-22.22s", run->names[i]);
		print_cell(out, 8, 2, r->predicted_tumour_to_normal);
		print_cell(out, 12, 1, r->predicted_tumour_gy);
		print_cell(out, 18, 1, r->predicted_normal_gy);
		fputc('\n', out);
	}
	if (!isnan(run->plan.lung_gy))
		fprintf(out, "%-22s %8s %12.1f\n", "lungs", "", run->plan.lung_gy);
}

static void print_thresholds(FILE *out, const struct config *config)
{
	bool any = false;
	for (int i = 0; i < config->n_thresholds; i++) {
		const struct config_threshold *threshold = &config->thresholds[i];
		if (strcmp(threshold->isotope, "Ho-166") != 0)
			continue;
		fprintf(out, "%s  %s\n", any ? "" : "\nfrom the literature, not applied:\n",
			threshold->label);
		any = true;
	}
}

void prescribe_print_table(FILE *out, const struct prescribe_run *run)
{
	fputs("Plan of a treatment with holmium-166 microspheres: for a person to decide on\n\n",
	      out);
	print_inputs(out, run);
	print_positions(out, run);
	print_fractions(out, run);
	print_prediction(out, run);
	print_thresholds(out, run->config);
	fputc('\n', out);
	for (int i = 0; i < run->n_notes; i++)
		fprintf(out, "- %s.\n", run->notes[i]);
	fprintf(out, "\n%s\n", run->config->intended_use);
}

/* ---- JSON ---- */

static void put_position(struct json *json, const struct prescribe_run *run, int index)
{
	const struct prescription_position *p = &run->positions[index];
	const struct prescription_position_plan *r = &run->plan.positions[index];
	json_begin_object(json, NULL);
	json_text(json, "name", p->name);
	json_number(json, "targeted_volume_ml", p->targeted_volume_ml);
	json_number(json, "necrotic_volume_ml", p->necrotic_volume_ml);
	json_number(json, "tumour_volume_ml", p->tumour_volume_ml);
	json_number(json, "reduction", p->reduction);
	json_number(json, "tumour_counts", p->tumour_counts);
	json_number(json, "normal_counts", p->normal_counts);
	json_number(json, "targeted_mass_kg", r->targeted_mass_kg);
	json_number(json, "activity_mbq", r->activity_mbq);
	json_number(json, "vial_activity_mbq", r->vial_activity_mbq);
	json_number(json, "microspheres_mg", r->microspheres_mg);
	json_number(json, "mean_dose_gy", r->mean_dose_gy);
	json_number(json, "predicted_tumour_to_normal", r->predicted_tumour_to_normal);
	json_number(json, "predicted_tumour_gy", r->predicted_tumour_gy);
	json_number(json, "predicted_normal_gy", r->predicted_normal_gy);
	json_begin_array(json, "injections_mbq");
	for (int f = 0; f < run->fractions; f++)
		json_number(json, NULL, r->activity_mbq * run->fraction_percent[f] / 100);
	json_end_array(json);
	json_end_object(json);
}

void prescribe_print_json(FILE *out, const struct prescribe_run *run)
{
	const struct prescription_input *input = &run->input;
	struct json json = {.file = out};
	json_begin_object(&json, NULL);
	json_number(&json, "target_dose_gy", input->target_dose_gy);
	json_number(&json, "dose_constant_mj_per_mbq", input->dose_constant_mj_per_mbq);
	json_number(&json, "density_g_per_ml", input->density_g_per_ml);
	json_number(&json, "specific_activity_mbq_per_mg", input->specific_activity_mbq_per_mg);
	json_number(&json, "delivered_share", input->delivered_share);
	json_number(&json, "lung_shunt", input->lung_shunt);
	json_number(&json, "lung_mass_kg", input->lung_mass_kg);
	json_number(&json, "lung_counts", run->lung_counts);
	json_number(&json, "liver_counts", run->liver_counts);
	json_number(&json, "targeted_mass_kg", run->plan.targeted_mass_kg);
	json_number(&json, "unreduced_activity_mbq", run->plan.unreduced_activity_mbq);
	json_number(&json, "activity_mbq", run->plan.activity_mbq);
	json_number(&json, "lung_gy", run->plan.lung_gy);
	json_begin_array(&json, "positions");
	for (int i = 0; i < input->n_positions; i++)
		put_position(&json, run, i);
	json_end_array(&json);
	json_text(&json, "simulation", run->simulation);
	json_begin_array(&json, "notes");
	for (int i = 0; i < run->n_notes; i++)
		json_text(&json, NULL, run->notes[i]);
	json_end_array(&json);
	json_text(&json, "intended_use", run->config->intended_use);
	json_end_object(&json);
	fputc('\n', out);
}
