/* phantom_plan.c - from the options to a whole treatment: grids, times, injections, UIDs, truth. */
#include "phantom_command.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "holmium.h"
#include "uid.h"

/* The day: anatomy and baseline before the first injection, each scan ten minutes after its
 * injection, so that no clock tolerance (3 min by default) can blur the order. */
#define BASELINE_MIN	    (9 * 60 + 40)
#define ANATOMY_MIN	    (9 * 60 + 50)
#define FIRST_INJECTION_MIN (10 * 60 + 5)
#define SCAN_AFTER_MIN	    10
#define INJECTION_MIN	    20 /* from one injection to the next */
#define AWAY_MIN	    45 /* more when the patient leaves the scanner between */

/* QuiremSpheres at 3 T and 310 K by static dephasing theory (physics of the project's example
 * configuration). */
#define RELAXIVITY_PER_S_PER_MG_PER_ML 217.8
/* Of the vials when they are used; the first is the mean of the source paper's patients. */
static const double specific_activity_mbq_per_mg[PHANTOM_MAX_POSITIONS] = {12.0, 11.2, 13.1, 12.6};

/* Breath-holds of --gas, and how much more or less the gas moves. */
#define HOLD_LEAST_MM 5.0
#define HOLD_MOST_MM  10.0
#define GAS_SLIP_MM   2.0

#define QUADRATURE_STEP_MM 1.0

/* Once out of the scanner the patient starts this far from where the baseline saw them. */
#define APART_MM  15.0
#define APART_DEG 8.0

static struct tm broken_down(const char *date, int minutes)
{
	struct tm day = {.tm_min = minutes, .tm_isdst = 0};
	(void)sscanf(date, "%4d%2d%2d", &day.tm_year, &day.tm_mon, &day.tm_mday);
	day.tm_year -= 1900;
	day.tm_mon -= 1;
	(void)timegm(&day); /* carries minutes into hours and days */
	return day;
}

void phantom_datetime(char text[24], const char *date, int minutes)
{
	struct tm day = broken_down(date, minutes);
	(void)strftime(text, 24, "%Y%m%d%H%M00", &day);
}

void phantom_iso_time(char text[32], const char *date, int minutes)
{
	struct tm day = broken_down(date, minutes);
	(void)strftime(text, 32, "%Y-%m-%dT%H:%M:00" PHANTOM_ISO_OFFSET, &day);
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

static struct phantom_series *add_series(struct phantom_treatment *treatment, const char *folder,
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
	phantom_pose_rest(&series->pose);
	return series;
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
	for (int k = 1; k <= treatment->course.injections; k++) {
		char folder[20], description[40];
		if (options->positions[treatment->course.position[k - 1]].unimaged)
			continue;
		snprintf(folder, sizeof folder, "after_%d", k);
		snprintf(description, sizeof description, "T2* multi-echo after %d", k);
		struct phantom_series *series =
		    add_series(treatment, folder, description, k,
			       treatment->injection_min[k - 1] + SCAN_AFTER_MIN);
		series->session = options->leaves_after > 0 && k > options->leaves_after;
	}
}

/* A study and a frame of reference for each stay in the scanner. */
static void plan_session(struct phantom_treatment *treatment, int minutes)
{
	int index = treatment->n_sessions++;
	struct phantom_session *session = &treatment->sessions[index];
	const char *const purposes[PHANTOM_MAX_SESSIONS][2] = {{"study", "frame-of-reference"},
							       {"study-2", "frame-of-reference-2"}};
	uid_derive(session->study_uid, treatment->hash, purposes[index][0]);
	phantom_datetime(session->datetime, treatment->options.date, minutes);
	session->grid = treatment->scan.grid;
	session->anatomy_grid = treatment->anatomy.grid;
	uid_derive(session->grid.frame_of_reference, treatment->hash, purposes[index][1]);
	memcpy(session->anatomy_grid.frame_of_reference, session->grid.frame_of_reference,
	       sizeof session->grid.frame_of_reference);
	session->study = (struct mr_image_study){
	    .patient_id = treatment->options.patient_id,
	    .patient_issuer = "HOLMIA",
	    .patient_name = "Phantom^Synthetic",
	    .study_instance_uid = session->study_uid,
	    .study_description = "166Ho radioembolization MRI (synthetic)",
	    .study_datetime = session->datetime,
	    .utc_offset = PHANTOM_UTC_OFFSET,
	    .comment = treatment->comment,
	};
}

/* Every position in turn gets all its injections; the catheter is moved outside the scanner. */
static void plan_day(struct phantom_treatment *treatment)
{
	const struct phantom_options *options = &treatment->options;
	struct phantom_course *course = &treatment->course;
	int leaves_after = (int)options->leaves_after;
	int minutes = FIRST_INJECTION_MIN;
	course->injections = options->n_positions * options->injections;
	plan_session(treatment, BASELINE_MIN - 10);
	for (int j = 0; j < course->injections; j++, minutes += INJECTION_MIN) {
		const int position = j / options->injections, share = j % options->injections;
		bool leaves = leaves_after > 0 && j == leaves_after;
		if (leaves || (j > 0 && share == 0))
			minutes += AWAY_MIN;
		if (leaves)
			plan_session(treatment, minutes - 10);
		treatment->injection_min[j] = minutes;
		treatment->share_of[j] = share;
		course->position[j] = position;
		course->feeds[j] = options->positions[position].feeds;
	}
	plan_series(treatment);
	phantom_plan_emission(treatment);
}

static void plan_activity(struct phantom_treatment *treatment)
{
	const struct phantom_options *options = &treatment->options;
	struct phantom_course *course = &treatment->course;
	course->relaxivity_per_s_per_mg_per_ml = RELAXIVITY_PER_S_PER_MG_PER_ML;
	course->dose_constant_mj_per_mbq = HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ;
	course->density_g_per_ml = HOLMIUM_TISSUE_DENSITY_G_PER_ML;
	for (int j = 0; j < course->injections; j++) {
		int position = course->position[j], first = j - treatment->share_of[j];
		double later_h =
		    (treatment->injection_min[j] - treatment->injection_min[first]) / 60.0;
		course->activity_mbq[j] = options->activity_mbq *
					  options->positions[position].percent / 100 *
					  options->percent[treatment->share_of[j]] / 100;
		course->specific_activity_mbq_per_mg[j] =
		    specific_activity_mbq_per_mg[position] *
		    exp(-log(2) * later_h / HOLMIUM_HALF_LIFE_H);
		treatment->injection_mass_mg[j] =
		    course->activity_mbq[j] / course->specific_activity_mbq_per_mg[j];
	}
}

/* A tumour takes as much however the activity is split between the positions that feed it. */
static void share_uptake(struct phantom_treatment *treatment)
{
	const struct phantom_options *options = &treatment->options;
	const struct phantom_course *course = &treatment->course;
	for (int i = 0; i < treatment->model.n_tumours; i++) {
		double fed = 0;
		for (int p = 0; p < options->n_positions; p++)
			if (phantom_feeds_tumour(course, &treatment->model, p * options->injections,
						 i))
				fed += options->positions[p].percent / 100;
		if (fed > 0)
			treatment->model.tumours[i].uptake_per_ml /= fed;
	}
}

const char *phantom_group_of(const struct phantom_treatment *treatment, int tumour)
{
	return treatment->options.group && tumour >= 0 && tumour < 2 ? "Tumours 1 and 2" : NULL;
}

/* Where the patient lies in each series; without motion all stay at rest. */
static enum status_code plan_motion(struct phantom_treatment *treatment, struct status *st)
{
	const struct phantom_options *options = &treatment->options;
	struct phantom_motion motion = {.shift_mm = options->motion[0],
					.angle_deg = options->motion[1],
					.shift_apart_mm = APART_MM,
					.angle_apart_deg = APART_DEG,
					.leaves_after = (int)options->leaves_after,
					.slip_mm = options->gas ? GAS_SLIP_MM : 0,
					.breathing_mm = options->breathing_mm};
	if (options->gas && options->motion[0] <= 0 && options->motion[1] <= 0) {
		motion.hold_least_mm = HOLD_LEAST_MM;
		motion.hold_most_mm = HOLD_MOST_MM;
	}
	struct phantom_pose poses[PHANTOM_MAX_SERIES];
	int after[PHANTOM_MAX_SERIES], at[PHANTOM_MAX_SERIES], count = 0;
	for (int i = 0; i < treatment->n_series; i++)
		if (treatment->series[i].after_injection >= 0) {
			after[count] = treatment->series[i].after_injection;
			at[count++] = i;
		}
	if (phantom_poses(poses, after, count, &motion, &treatment->model, &treatment->scan.grid,
			  (uint64_t)options->seed, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count; i++)
		treatment->series[at[i]].pose = poses[i];
	return STATUS_OK;
}

enum status_code phantom_plan_course(struct phantom_treatment *treatment, struct status *st)
{
	plan_day(treatment);
	plan_activity(treatment);
	share_uptake(treatment);
	if (phantom_integrate(&treatment->integrals, &treatment->model, QUADRATURE_STEP_MM,
			      (int)treatment->options.threads, st) != STATUS_OK)
		return st->code;
	return phantom_solve(&treatment->course, &treatment->model, &treatment->integrals, st);
}

static enum status_code hash_options(struct phantom_treatment *treatment, struct status *st)
{
	const struct phantom_options *options = &treatment->options;
	struct digest *digest = digest_new();
	if (!digest)
		return status_fail(st, STATUS_RETRY, "no memory for a digest");
	digest_text(digest, "holmia phantom 2");
	digest_text(digest, options->patient_id);
	digest_text(digest, options->date);
	const double numbers[] = {
	    options->seed,	   options->snr,	  options->oblique_deg,
	    options->voxel_mm[0],  options->voxel_mm[1],  options->small,
	    options->gas,	   options->sharp,	  options->hot,
	    options->necrosis,	   options->untreated,	  options->group,
	    options->fat_percent,  options->motion[0],	  options->motion[1],
	    options->leaves_after, options->breathing_mm, options->activity_mbq,
	    options->echoes,	   options->te1_ms,	  options->echo_spacing_ms,
	    options->injections};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		digest_double(digest, numbers[i]);
	for (int j = 0; j < options->injections; j++)
		digest_double(digest, options->percent[j]);
	for (int i = 0; i < options->n_positions; i++) {
		digest_text(digest, options->positions[i].id);
		digest_double(digest, options->positions[i].percent);
		digest_double(digest, options->positions[i].unimaged);
	}
	digest_text(digest, options->emission ? options->emission : "");
	digest_double(digest, options->psf_mm);
	digest_finish(digest, treatment->hash);
	return STATUS_OK;
}

enum status_code phantom_plan_abdomen(struct phantom_treatment *treatment,
				      const struct phantom_options *options, struct status *st)
{
	*treatment = (struct phantom_treatment){.options = *options, .sigma = NAN};
	struct phantom_scan *scan = &treatment->scan;
	double in_plane = options->voxel_mm[0], between = options->voxel_mm[1];
	int size = (int)round((options->small ? 360 : 384) / in_plane);
	int slices = (int)round((options->small ? 168 : 200) / between);
	make_grid(&scan->grid, size, slices, in_plane, between, options->oblique_deg);
	make_grid(&treatment->anatomy.grid, size, 2 * slices, in_plane, between / 2,
		  options->oblique_deg);
	scan->echoes = (int)options->echoes;
	for (int e = 0; e < scan->echoes; e++)
		scan->te_ms[e] =
		    round((options->te1_ms + e * options->echo_spacing_ms) * 1e6) / 1e6;
	scan->snr = options->snr;
	scan->seed = (uint64_t)options->seed;
	treatment->anatomy.snr = options->snr;
	treatment->anatomy.seed = scan->seed;
	treatment->tr_ms = 1000;
	treatment->flip_deg = 70;
	treatment->field_strength_t = scan->field_strength_t = 3;
	snprintf(treatment->comment, sizeof treatment->comment,
		 "synthetic: seed %.0f, SNR %g, oblique %g%s%s%s", options->seed, options->snr,
		 options->oblique_deg, options->small ? ", small" : "", options->gas ? ", gas" : "",
		 options->sharp ? ", sharp" : "");

	struct phantom_variant variant = {.sharp = options->sharp,
					  .gas = options->gas,
					  .hot = options->hot,
					  .necrosis = options->necrosis,
					  .untreated = options->untreated,
					  .fat_percent = options->fat_percent};
	for (int i = 0; i < options->n_positions; i++)
		variant.parted = variant.parted || options->positions[i].feeds != PHANTOM_FEEDS_ALL;
	phantom_model_abdomen(&treatment->model, &variant);
	struct phantom_pose rest;
	phantom_pose_rest(&rest);
	if (!phantom_pose_fits(&rest, &treatment->model, &scan->grid))
		return status_fail(st, STATUS_CONFIG,
				   "--oblique %g turns the liver out of the images; use less",
				   options->oblique_deg);
	if (hash_options(treatment, st) != STATUS_OK)
		return st->code;
	if (phantom_plan_course(treatment, st) != STATUS_OK)
		return st->code;
	return plan_motion(treatment, st);
}
