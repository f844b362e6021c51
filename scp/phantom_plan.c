/* phantom_plan.c - from the options to a whole treatment: grids, times, injections, UIDs, truth. */
#include "phantom_command.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "holmium.h"
#include "uid.h"

/* The day: anatomy and baseline before the first injection, each scan ten minutes after its
 * injection, so that no clock tolerance (3 min by default) can blur the order. */
#define BASELINE_MIN	    (9 * 60 + 40)
#define ANATOMY_MIN	    (9 * 60 + 50)
#define FIRST_INJECTION_MIN (10 * 60 + 5)
#define SCAN_AFTER_MIN	    10

/* QuiremSpheres at 3 T and 310 K by static dephasing theory (physics of the project's example
 * configuration). */
#define RELAXIVITY_PER_S_PER_MG_PER_ML 217.8
/* Mean of the source paper's patients. */
#define SPECIFIC_ACTIVITY_MBQ_PER_MG 12.0

#define QUADRATURE_STEP_MM 1.0

int phantom_injection_minutes(int injection)
{
	return FIRST_INJECTION_MIN + (injection - 1) * PHANTOM_INJECTION_MIN;
}

void phantom_datetime(char text[24], const char *date, int minutes)
{
	snprintf(text, 24, "%.8s%02d%02d00", date, minutes / 60 % 24, minutes % 60);
}

void phantom_iso_time(char text[32], const char *date, int minutes)
{
	snprintf(text, 32, "%.4s-%.2s-%.2sT%02d:%02d:00%s", date, date + 4, date + 6,
		 minutes / 60 % 24, minutes % 60, PHANTOM_ISO_OFFSET);
}

/* A grid centred on the origin, turned by deg about x and a third of it about y. */
static void make_grid(struct grid *grid, int size, int slices, double pixel_mm, double slice_mm,
		      double deg)
{
	double a = deg * 3.14159265358979323846 / 180, b = a / 3;
	const double turn[3][3] = {{cos(b), 0, sin(b)},
				   {sin(a) * sin(b), cos(a), -sin(a) * cos(b)},
				   {-cos(a) * sin(b), sin(a), cos(a) * cos(b)}};
	*grid = (struct grid){.columns = size, .rows = size, .slices = slices};
	for (int axis = 0; axis < 3; axis++) {
		grid->column_step_mm[axis] = turn[axis][0] * pixel_mm;
		grid->row_step_mm[axis] = turn[axis][1] * pixel_mm;
		grid->slice_step_mm[axis] = turn[axis][2] * slice_mm;
		grid->origin_mm[axis] =
		    -(grid->column_step_mm[axis] + grid->row_step_mm[axis]) * (size - 1) / 2 -
		    grid->slice_step_mm[axis] * (slices - 1) / 2;
	}
}

/* Refuses a tilt that would cut the liver off. */
static enum status_code check_liver_fits(const struct phantom_treatment *treatment,
					 struct status *st)
{
	const struct grid *grid = &treatment->scan.grid;
	const double *steps[3] = {grid->column_step_mm, grid->row_step_mm, grid->slice_step_mm};
	const int counts[3] = {grid->columns, grid->rows, grid->slices};
	for (int body = 0; body < treatment->model.liver_bodies; body++) {
		const struct phantom_ellipsoid *shape = &treatment->model.liver[body];
		for (int axis = 0; axis < 3; axis++) {
			double spacing = grid_spacing_mm(grid, axis), centre = 0, reach = 0;
			for (int i = 0; i < 3; i++) {
				double along = steps[axis][i] / spacing;
				centre += along * shape->centre_mm[i];
				reach += along * along * shape->semi_mm[i] * shape->semi_mm[i];
			}
			if (fabs(centre) + sqrt(reach) > counts[axis] * spacing / 2)
				return status_fail(
				    st, STATUS_CONFIG,
				    "--oblique %g turns the liver out of the images; "
				    "use less",
				    treatment->options.oblique_deg);
		}
	}
	return STATUS_OK;
}

static void add_series(struct phantom_treatment *treatment, const char *folder,
		       const char *description, int after_injection, int minutes)
{
	struct phantom_series *series = &treatment->series[treatment->n_series++];
	char purpose[64];
	series->number = treatment->n_series;
	series->after_injection = after_injection;
	snprintf(series->folder, sizeof series->folder, "%02d_%s", series->number, folder);
	snprintf(series->description, sizeof series->description, "%s", description);
	snprintf(purpose, sizeof purpose, "series:%s", folder);
	uid_derive(series->uid, treatment->hash, purpose);
	phantom_datetime(series->datetime, treatment->options.date, minutes);
}

static void plan_series(struct phantom_treatment *treatment)
{
	struct phantom_options *options = &treatment->options;
	add_series(treatment, "baseline", "T2* multi-echo baseline", 0, BASELINE_MIN);
	treatment->drawn_on = 0;
	if (treatment->anatomy.grid.slices > 0) {
		add_series(treatment, "T1w", "T1w VIBE", -1, ANATOMY_MIN);
		treatment->drawn_on = 1;
	}
	for (int k = 1; k <= options->injections; k++) {
		char folder[20], description[40];
		snprintf(folder, sizeof folder, "after_%d", k);
		snprintf(description, sizeof description, "T2* multi-echo after %d", k);
		add_series(treatment, folder, description, k,
			   phantom_injection_minutes(k) + SCAN_AFTER_MIN);
	}
	phantom_datetime(treatment->study_datetime, options->date, BASELINE_MIN - 10);
	treatment->study = (struct mr_image_study){
	    .patient_id = options->patient_id,
	    .patient_issuer = "HOLMIA",
	    .patient_name = "Phantom^Synthetic",
	    .study_instance_uid = treatment->study_uid,
	    .study_description = "166Ho radioembolization MRI (synthetic)",
	    .study_datetime = treatment->study_datetime,
	    .utc_offset = PHANTOM_UTC_OFFSET,
	    .comment = treatment->comment,
	};
}

enum status_code phantom_plan_course(struct phantom_treatment *treatment, struct status *st)
{
	struct phantom_options *options = &treatment->options;
	struct phantom_course *course = &treatment->course;

	uid_derive(treatment->study_uid, treatment->hash, "study");
	uid_derive(treatment->scan.grid.frame_of_reference, treatment->hash, "frame-of-reference");
	memcpy(treatment->anatomy.grid.frame_of_reference, treatment->scan.grid.frame_of_reference,
	       sizeof treatment->anatomy.grid.frame_of_reference);
	plan_series(treatment);

	course->injections = options->injections;
	course->relaxivity_per_s_per_mg_per_ml = RELAXIVITY_PER_S_PER_MG_PER_ML;
	course->dose_constant_mj_per_mbq = HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ;
	course->density_g_per_ml = HOLMIUM_TISSUE_DENSITY_G_PER_ML;
	for (int j = 0; j < options->injections; j++) {
		double later_h = j * PHANTOM_INJECTION_MIN / 60.0;
		course->activity_mbq[j] = options->activity_mbq * options->percent[j] / 100;
		course->specific_activity_mbq_per_mg[j] =
		    SPECIFIC_ACTIVITY_MBQ_PER_MG * exp(-log(2) * later_h / HOLMIUM_HALF_LIFE_H);
		treatment->injection_mass_mg[j] =
		    course->activity_mbq[j] / course->specific_activity_mbq_per_mg[j];
	}
	if (phantom_integrate(&treatment->integrals, &treatment->model, QUADRATURE_STEP_MM,
			      options->threads, st) != STATUS_OK)
		return st->code;
	return phantom_solve(course, &treatment->model, &treatment->integrals, st);
}

static enum status_code hash_options(struct phantom_treatment *treatment, struct status *st)
{
	const struct phantom_options *options = &treatment->options;
	struct digest *digest = digest_new();
	if (!digest)
		return status_fail(st, STATUS_RETRY, "no memory for a digest");
	digest_text(digest, "holmia phantom 1");
	digest_text(digest, options->patient_id);
	digest_text(digest, options->date);
	const double numbers[] = {
	    (double)options->seed,    options->snr,	  options->oblique_deg,
	    options->small,	      options->gas,	  options->sharp,
	    options->activity_mbq,    options->echoes,	  options->te1_ms,
	    options->echo_spacing_ms, options->injections};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		digest_double(digest, numbers[i]);
	for (int j = 0; j < options->injections; j++)
		digest_double(digest, options->percent[j]);
	digest_finish(digest, treatment->hash);
	return STATUS_OK;
}

enum status_code phantom_plan_abdomen(struct phantom_treatment *treatment,
				      const struct phantom_options *options, struct status *st)
{
	*treatment = (struct phantom_treatment){.options = *options, .sigma = NAN};
	struct phantom_scan *scan = &treatment->scan;
	if (options->small) {
		make_grid(&scan->grid, 96, 24, 3.75, 7, options->oblique_deg);
		make_grid(&treatment->anatomy.grid, 96, 48, 3.75, 3.5, options->oblique_deg);
	} else {
		make_grid(&scan->grid, 256, 40, 1.5, 5, options->oblique_deg);
		make_grid(&treatment->anatomy.grid, 256, 80, 1.5, 2.5, options->oblique_deg);
	}
	scan->echoes = options->echoes;
	for (int e = 0; e < options->echoes; e++)
		scan->te_ms[e] =
		    round((options->te1_ms + e * options->echo_spacing_ms) * 1e6) / 1e6;
	scan->snr = options->snr;
	scan->seed = options->seed;
	treatment->anatomy.snr = options->snr;
	treatment->anatomy.seed = options->seed;
	treatment->tr_ms = 1000;
	treatment->flip_deg = 70;
	treatment->field_strength_t = 3;
	snprintf(treatment->comment, sizeof treatment->comment,
		 "synthetic: seed %llu, SNR %g, oblique %g%s%s%s",
		 (unsigned long long)options->seed, options->snr, options->oblique_deg,
		 options->small ? ", small" : "", options->gas ? ", gas" : "",
		 options->sharp ? ", sharp" : "");

	phantom_model_abdomen(&treatment->model, options->gas, options->sharp);
	if (check_liver_fits(treatment, st) != STATUS_OK)
		return st->code;
	if (hash_options(treatment, st) != STATUS_OK)
		return st->code;
	return phantom_plan_course(treatment, st);
}
