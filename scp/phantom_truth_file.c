/* phantom_truth_file.c - what a perfect measurement of the synthetic treatment would find (JSON).
 *
 * Few fixed shapes and no text from outside but the patient identifier, which needs no escape.
 * Numbers that are not defined are null. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "phantom_command.h"

static void put_number(FILE *file, const char *name, double value, const char *after)
{
	if (isfinite(value))
		fprintf(file, "\"%s\": %.9g%s", name, value, after);
	else
		fprintf(file, "\"%s\": null%s", name, after);
}

static void put_numbers(FILE *file, const char *name, const double *values, int count,
			const char *after)
{
	fprintf(file, "\"%s\": [", name);
	for (int i = 0; i < count; i++)
		fprintf(file, isfinite(values[i]) ? "%s%.12g" : "%snull", i ? ", " : "", values[i]);
	fprintf(file, "]%s", after);
}

/* How far the last dose lies off the straight line through the ones before, percent of the line,
 * over the injections of the last imaged position that feeds the tumour. */
static double deviation_percent(const struct phantom_treatment *treatment, int tumour,
				const double *dose_gy)
{
	const struct phantom_course *course = &treatment->course;
	int position = -1, n = 0, last = -1;
	double x = 0, last_x = 0, sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
	for (int j = 0; j < course->injections; j++)
		if (!treatment->options.positions[course->position[j]].unimaged &&
		    phantom_feeds_tumour(course, &treatment->model, j, tumour))
			position = course->position[j];
	for (int j = 0; j < course->injections; j++) {
		if (course->position[j] != position)
			continue;
		if (last >= 0) {
			n++;
			sum_x += last_x;
			sum_y += dose_gy[last];
			sum_xx += last_x * last_x;
			sum_xy += last_x * dose_gy[last];
		}
		x += course->activity_mbq[j];
		last_x = x;
		last = j;
	}
	if (n < 3)
		return NAN;
	double slope = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
	double expected = (sum_y - slope * sum_x) / n + slope * last_x;
	return 100 * (dose_gy[last] - expected) / expected;
}

static void put_grid(FILE *file, const char *name, const struct grid *grid, const char *after)
{
	fprintf(file, "  \"%s\": {\"columns\": %d, \"rows\": %d, \"slices\": %d,\n    ", name,
		grid->columns, grid->rows, grid->slices);
	put_numbers(file, "origin_mm", grid->origin_mm, 3, ", ");
	put_numbers(file, "column_step_mm", grid->column_step_mm, 3, ",\n    ");
	put_numbers(file, "row_step_mm", grid->row_step_mm, 3, ", ");
	put_numbers(file, "slice_step_mm", grid->slice_step_mm, 3, ",\n    ");
	fprintf(file, "\"frame_of_reference\": \"%s\"}%s", grid->frame_of_reference, after);
}

static void put_figures(FILE *file, const struct phantom_treatment *treatment,
			const struct phantom_truth *truth)
{
	int n = treatment->course.injections;
	put_number(file, "volume_ml", truth->volume_ml, ",\n     ");
	put_numbers(file, "mean_dose_gy", truth->mean_dose_gy, n, ",\n     ");
	put_numbers(file, "activity_mbq", truth->activity_mbq, n, ",\n     ");
	put_numbers(file, "delta_r2star_per_s", truth->delta_r2star_per_s, n, "");
}

/* Volume of a tumour below some doses. */
static void put_underdosed(FILE *file, const struct phantom_treatment *treatment, int tumour)
{
	static const double levels_gy[] = {60, 80, 90, 100, 120, 150, 205};
	int count = sizeof levels_gy / sizeof levels_gy[0];
	fputs("\"underdosed\": [\n", file);
	for (int i = 0; i < count; i++) {
		double volume_ml[PHANTOM_MAX_INJECTIONS];
		phantom_underdosed_ml(volume_ml, &treatment->integrals, &treatment->course, tumour,
				      levels_gy[i]);
		fprintf(file, "      {\"below_gy\": %g, ", levels_gy[i]);
		put_numbers(file, "volume_ml", volume_ml, treatment->course.injections,
			    i + 1 < count ? "},\n" : "}],\n     ");
	}
}

static void put_tumour(FILE *file, const struct phantom_treatment *treatment, int tumour,
		       const struct phantom_truth *truth)
{
	double deviation = deviation_percent(treatment, tumour, truth->mean_dose_gy);
	const char *group = phantom_group_of(treatment, tumour);
	fputs(",\n     ", file);
	put_numbers(file, "tumour_to_normal", truth->tumour_to_normal, treatment->course.injections,
		    ",\n     ");
	put_underdosed(file, treatment, tumour);
	if (group)
		fprintf(file, "\"group\": \"%s\", ", group);
	put_number(file, "trend_deviation_percent", deviation, ", ");
	fprintf(file, "\"trend\": \"%s\"",
		isnan(deviation)   ? "not assessed"
		: deviation <= -10 ? "saturating"
		: deviation >= 10  ? "rising"
				   : "linear");
}

static void put_voi(FILE *file, const struct phantom_treatment *treatment,
		    const struct phantom_voi *vois, int at)
{
	const struct phantom_voi *voi = &vois[at];
	struct phantom_truth truth;
	phantom_truth(&truth, &treatment->model, &treatment->integrals, &treatment->course, voi);
	fprintf(file, "    {\"name\": \"%s\", \"role\": \"%s\", ", voi->name,
		phantom_role_name(voi->role));
	if (voi->part >= 0)
		fprintf(file, "\"part\": \"%s\", ", vois[voi->part].name);
	else
		fputs("\"part\": null, ", file);
	put_figures(file, treatment, &truth);
	if (voi->role == PHANTOM_TUMOUR)
		put_tumour(file, treatment, voi->tumour, &truth);
	fputs("}", file);
}

static void put_healthy(FILE *file, const struct phantom_treatment *treatment,
			const struct phantom_voi *vois, int count)
{
	fputs("  \"healthy\": [\n", file);
	for (int i = 0, shown = 0; i < count; i++) {
		struct phantom_truth truth;
		if (vois[i].role == PHANTOM_TUMOUR || vois[i].role == PHANTOM_NECROSIS)
			continue;
		phantom_truth_healthy(&truth, &treatment->model, &treatment->integrals,
				      &treatment->course, &vois[i]);
		fprintf(file, "%s    {\"part\": \"%s\", ", shown++ ? ",\n" : "", vois[i].name);
		put_figures(file, treatment, &truth);
		fputs("}", file);
	}
	fputs("\n  ],\n", file);
}

/* The grouped tumours as one: sums of volumes and activities. */
static void put_groups(FILE *file, const struct phantom_treatment *treatment,
		       const struct phantom_voi *vois, int count)
{
	const struct phantom_course *course = &treatment->course;
	double volume_ml = 0, activity_mbq[PHANTOM_MAX_INJECTIONS] = {0},
	       dose_gy[PHANTOM_MAX_INJECTIONS];
	const char *name = NULL;
	for (int i = 0; i < count; i++) {
		struct phantom_truth truth;
		if (vois[i].role != PHANTOM_TUMOUR || !phantom_group_of(treatment, vois[i].tumour))
			continue;
		name = phantom_group_of(treatment, vois[i].tumour);
		phantom_truth(&truth, &treatment->model, &treatment->integrals, course, &vois[i]);
		volume_ml += truth.volume_ml;
		for (int j = 0; j < course->injections; j++)
			activity_mbq[j] += truth.activity_mbq[j];
	}
	if (!name)
		return;
	for (int j = 0; j < course->injections; j++)
		dose_gy[j] = activity_mbq[j] / volume_ml * course->dose_constant_mj_per_mbq /
			     course->density_g_per_ml;
	fprintf(file, "  \"groups\": [\n    {\"name\": \"%s\", ", name);
	put_number(file, "volume_ml", volume_ml, ", ");
	put_numbers(file, "mean_dose_gy", dose_gy, course->injections, "}\n  ],\n");
}

static void put_vois(FILE *file, const struct phantom_treatment *treatment)
{
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	int count = phantom_vois(vois, &treatment->model);
	fputs("  \"vois\": [\n", file);
	for (int i = 0; i < count; i++) {
		put_voi(file, treatment, vois, i);
		fputs(i + 1 < count ? ",\n" : "\n  ],\n", file);
	}
	put_healthy(file, treatment, vois, count);
	put_groups(file, treatment, vois, count);
}

static void put_injections(FILE *file, const struct phantom_treatment *treatment)
{
	const struct phantom_course *course = &treatment->course;
	double recovery[PHANTOM_MAX_INJECTIONS];
	fputs("  \"injections\": [\n", file);
	for (int j = 0; j < course->injections; j++) {
		const struct phantom_position *position =
		    &treatment->options.positions[course->position[j]];
		char start[32];
		phantom_iso_time(start, treatment->options.date, treatment->injection_min[j]);
		fprintf(file,
			"    {\"number\": %d, \"position\": \"%s\", \"imaged\": %s, "
			"\"start\": \"%s\", ",
			j + 1, position->id, position->unimaged ? "false" : "true", start);
		put_number(file, "planned_percent",
			   treatment->options.percent[treatment->share_of[j]], ", ");
		put_number(file, "net_activity_mbq", course->activity_mbq[j], ", ");
		put_number(file, "specific_activity_mbq_per_mg",
			   course->specific_activity_mbq_per_mg[j], ", ");
		put_number(file, "mass_mg", treatment->injection_mass_mg[j], "}");
		fputs(j + 1 < course->injections ? ",\n" : "\n  ],\n", file);
		recovery[j] = 1; /* the fields hold what was injected: see phantom.h */
	}
	fputs("  ", file);
	put_numbers(file, "recovery", recovery, course->injections, ",\n");
}

static void put_emission(FILE *file, const struct phantom_treatment *treatment)
{
	const struct phantom_emission_scan *scan = &treatment->emission;
	char start[32];
	if (!treatment->options.emission)
		return;
	phantom_iso_time(start, treatment->options.date, scan->start_min);
	fprintf(file,
		"  \"emission\": {\"kind\": \"%s\", \"series_uid\": \"%s\", "
		"\"scan_start\": \"%s\",\n    ",
		treatment->options.emission, scan->series_uid, start);
	put_number(file, "scan_duration_s", scan->duration_s, ", ");
	put_number(file, "sensitivity_cps_per_mbq", scan->cps_per_mbq, ", ");
	put_number(file, "point_spread_mm", treatment->options.psf_mm, "},\n");
}

static void put_parameters(FILE *file, const struct phantom_treatment *treatment)
{
	const struct phantom_options *options = &treatment->options;
	const struct phantom_model *model = &treatment->model;
	fprintf(file, "  \"parameters\": {\"seed\": %.0f, ", options->seed);
	put_number(file, "snr", options->snr, ", ");
	put_number(file, "oblique_deg", options->oblique_deg, ", ");
	put_numbers(file, "motion_mm_deg", options->motion, 2, ", ");
	put_number(file, "breathing_mm", options->breathing_mm, ",\n    ");
	put_number(file, "fat_percent", options->fat_percent, ", ");
	fprintf(file, "\"hot\": %s, \"necrosis\": %s, \"untreated\": %s,\n    ",
		options->hot ? "true" : "false", options->necrosis ? "true" : "false",
		options->untreated ? "true" : "false");
	fprintf(file, "\"small\": %s, \"gas\": %s, \"sharp\": %s, \"onto\": %s,\n    ",
		options->small ? "true" : "false", options->gas ? "true" : "false",
		options->sharp ? "true" : "false", options->onto ? "true" : "false");
	put_numbers(file, "te_ms", treatment->scan.te_ms, treatment->scan.echoes, ",\n    ");
	put_number(file, "sigma", treatment->sigma, ", ");
	put_number(file, "liver_baseline_r2star_per_s", model->liver_r2star_per_s, ", ");
	put_number(file, "tumour_baseline_r2star_per_s", model->tumour_r2star_per_s, ",\n    ");
	put_number(file, "plateau_mm", model->plateau_mm, ", ");
	put_number(file, "fall_mm", model->fall_mm, ", ");
	put_number(file, "rim_mm", model->rim_mm, ", ");
	put_number(file, "quadrature_step_mm", treatment->integrals.step_mm, "},\n");
	fputs("  \"constants\": {", file);
	put_number(file, "relaxivity_per_s_per_mg_per_ml",
		   treatment->course.relaxivity_per_s_per_mg_per_ml, ", ");
	put_number(file, "dose_constant_mj_per_mbq", treatment->course.dose_constant_mj_per_mbq,
		   ", ");
	put_number(file, "density_g_per_ml", treatment->course.density_g_per_ml, "},\n");
}

/* Where the patient lies in every series: point of the anatomy -> the same tissue in the series
 * (anatomy_to_series, rows of a 3x4 matrix), and back. */
static void put_transforms(FILE *file, const struct phantom_treatment *treatment)
{
	fputs("  \"transforms\": [\n", file);
	for (int i = 0; i < treatment->n_series; i++) {
		const struct phantom_series *series = &treatment->series[i];
		const double *back = series->pose.from_series;
		fprintf(file,
			"    {\"series\": \"%s\", \"description\": \"%s\", \"uid\": \"%s\", "
			"\"after_injection\": %d,\n     \"study_uid\": \"%s\", "
			"\"frame_of_reference\": \"%s\",\n     ",
			series->folder, series->description, series->uid, series->after_injection,
			treatment->sessions[series->session].study_uid,
			treatment->sessions[series->session].grid.frame_of_reference);
		put_number(file, "breathing_mm", series->pose.breathing_mm, ", ");
		put_number(file, "gas_slip_mm", series->pose.gas_slip_mm, ",\n     ");
		put_numbers(file, "anatomy_to_series", series->pose.to_series, RIGID_SIZE,
			    ",\n     \"to_anatomy\": [");
		for (int row = 0; row < 3; row++)
			fprintf(file, "[%.12g, %.12g, %.12g, %.12g]%s", back[4 * row],
				back[4 * row + 1], back[4 * row + 2], back[4 * row + 3],
				row < 2 ? ", " : "]}");
		fputs(i + 1 < treatment->n_series ? ",\n" : "\n", file);
	}
	fputs("  ],\n", file);
}

enum status_code phantom_write_truth(const struct phantom_treatment *treatment, const char *path,
				     struct status *st)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return status_fail(st, STATUS_CONFIG, "cannot write %s: %s", path, strerror(errno));
	fprintf(file,
		"{\n  \"format\": \"holmia phantom truth 1\",\n"
		"  \"note\": \"per injection lists are cumulative: after injection 1, 2, ...; "
		"after_injection 0 is the baseline, -1 the anatomy\",\n"
		"  \"patient_id\": \"%s\", \"study_uid\": \"%s\",\n",
		treatment->options.patient_id, treatment->sessions[0].study_uid);
	put_parameters(file, treatment);
	put_grid(file, "grid", &treatment->sessions[0].grid, ",\n");
	if (treatment->anatomy.grid.slices > 0)
		put_grid(file, "anatomy_grid", &treatment->sessions[0].anatomy_grid, ",\n");
	put_injections(file, treatment);
	put_emission(file, treatment);
	put_transforms(file, treatment);
	put_vois(file, treatment);
	fprintf(file, "  \"vois_drawn_on\": \"%s\"\n}\n",
		treatment->series[treatment->drawn_on].folder);
	return phantom_close_file(file, path, st);
}
