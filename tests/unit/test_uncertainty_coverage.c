/* Does the 95 % interval hold the truth in 95 of 100 treatments?
 *
 * A block of liver with a sharp and a graded tumour, all faces on voxel faces, so that every voxel
 * is pure while nothing moves. Each draw makes the echoes of a baseline and of two scans after
 * injections of different specific activity, with Rician noise, fits them, and runs the dosimetry.
 * In every draw the microspheres have another relaxivity and the vials another activity than the
 * dosimetry is told, and each scan lies elsewhere than it is thought to, by a shift of the residual
 * that it is given. The same again with none of these errors: then the random part alone must
 * cover.
 *
 * Seeds are fixed: the same answer every time. */
#include "check.h"
#include "dosimetry.h"
#include "parallel.h"

#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define DRAWS 24
#else
#define DRAWS 1000
#endif

#define RELAXIVITY	   217.8
#define RELAXIVITY_PERCENT 5.0
#define ACTIVITY_PERCENT   3.0
#define RESIDUAL_MM	   1.5
#define NOISE		   2.0F /* liver: 100 at echo time 0 */
#define GY_PER_MBQ_PER_ML  (15.87 / 1.06)

enum { COLUMNS = 24, ROWS = 24, SLICES = 12, VOXELS = COLUMNS * ROWS * SLICES, ECHOES = 12 };
enum { LIVER, SHARP, GRADED, VOIS, HEALTHY = VOIS, ALL };
static const char *const NAME[] = {"Liver", "Sharp tumour", "Graded tumour", "Healthy liver"};

/* Boxes of voxels, first to last, each inside the one it names; all the rest is other tissue. */
enum { BODY = -1, BOX_LIVER, BOX_SHARP, BOX_RIM, BOX_MIDDLE, BOX_CORE, BOXES };
static const struct {
	int first[3], last[3], inside;
	double baseline_per_s, mg_per_ml[2]; /* after either injection */
} BOX[] = {
    [BOX_LIVER] = {{2, 2, 1}, {21, 21, 10}, BODY, 45, {0.08, 0.20}},
    [BOX_SHARP] = {{4, 4, 3}, {9, 10, 7}, BOX_LIVER, 25, {0.25, 0.60}},
    [BOX_RIM] = {{12, 11, 2}, {19, 19, 9}, BOX_LIVER, 30, {0.12, 0.30}},
    [BOX_MIDDLE] = {{13, 12, 3}, {18, 18, 8}, BOX_RIM, 28, {0.20, 0.50}},
    [BOX_CORE] = {{14, 13, 4}, {17, 17, 7}, BOX_MIDDLE, 25, {0.35, 0.85}},
};
static const double STEP_MM[3] = {4, 4, 5};
static const double SPECIFIC_ACTIVITY[2] = {12, 10.5};

static struct grid scene_grid(void)
{
	struct grid grid = {.columns = COLUMNS, .rows = ROWS, .slices = SLICES};
	grid.column_step_mm[0] = STEP_MM[0];
	grid.row_step_mm[1] = STEP_MM[1];
	grid.slice_step_mm[2] = STEP_MM[2];
	return grid;
}

/* ---- random numbers: one stream per draw ---- */

static uint64_t next_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15U; /* splitmix64 */
	uint64_t z = *state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static void normal_pair(float pair[2], uint64_t *state)
{
	uint64_t random = next_random(state);
	float u = ((float)(random >> 40) + 0.5F) / 16777216.0F;
	float angle = (float)(random & 0xffffff) * (6.2831853F / 16777216.0F);
	float radius = sqrtf(-2 * logf(u));
	pair[0] = radius * cosf(angle);
	pair[1] = radius * sinf(angle);
}

static double normal(uint64_t *state)
{
	float pair[2];
	normal_pair(pair, state);
	return (double)pair[0];
}

/* ---- the object and its images ---- */

/* Share of a voxel inside a box that was moved by so many mm, along one axis. */
static double overlap(int voxel, int first, int last, double shift_mm, double step_mm)
{
	double low = fmax(voxel - 0.5, first - 0.5 + shift_mm / step_mm);
	double high = fmin(voxel + 0.5, last + 0.5 + shift_mm / step_mm);
	return fmax(0, high - low);
}

/* Shares of a voxel's volume by box, each without the ones inside it; the body is what is left. */
static void divide_voxel(double share[BOXES], const int at[3], const double shift_mm[3])
{
	double whole[BOXES];
	for (int b = 0; b < BOXES; b++) {
		whole[b] = 1;
		for (int a = 0; a < 3; a++)
			whole[b] *= overlap(at[a], BOX[b].first[a], BOX[b].last[a], shift_mm[a],
					    STEP_MM[a]);
		share[b] = whole[b];
		if (BOX[b].inside != BODY)
			share[BOX[b].inside] -= whole[b];
	}
}

/* scan: -1 baseline, else index of the injection. */
static struct r2star_map image(int scan, double relaxivity, const double shift_mm[3],
			       uint64_t *state)
{
	double te_ms[ECHOES], signal[BOXES + 1][ECHOES];
	float *samples = malloc(sizeof *samples * ECHOES * VOXELS);
	for (int e = 0; e < ECHOES; e++) {
		te_ms[e] = 1.33 + 1.53 * e;
		signal[BOXES][e] = 80 * exp(-30 * te_ms[e] / 1000);
		for (int b = 0; b < BOXES; b++) {
			double r2star = BOX[b].baseline_per_s;
			if (scan >= 0)
				r2star += BOX[b].mg_per_ml[scan] * relaxivity;
			signal[b][e] = 100 * exp(-r2star * te_ms[e] / 1000);
		}
	}
	for (int v = 0; v < VOXELS; v++) {
		const int at[3] = {v % COLUMNS, v / COLUMNS % ROWS, v / COLUMNS / ROWS};
		double share[BOXES], body = 1;
		divide_voxel(share, at, shift_mm);
		for (int b = 0; b < BOXES; b++)
			body -= share[b];
		for (int e = 0; e < ECHOES; e++) {
			double clean = body * signal[BOXES][e];
			float noise[2];
			for (int b = 0; b < BOXES; b++)
				clean += share[b] * signal[b][e];
			normal_pair(noise, state);
			float real = (float)clean + NOISE * noise[0], imaginary = NOISE * noise[1];
			samples[e * VOXELS + v] = sqrtf(real * real + imaginary * imaginary);
		}
	}
	struct echo_series series = {
	    .grid = scene_grid(), .echoes = ECHOES, .te_ms = te_ms, .samples = samples};
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct r2star_map map;
	struct status st = STATUS_INIT;
	params.threads = 1;
	params.sigma = (double)NOISE;
	assert_ok(r2star_fit(&map, &series, &params, &st), &st);
	free(samples);
	return map;
}

/* ---- a draw ---- */

struct drawn {
	double error_gy[2][ALL]; /* measured - true, after the first and second injection */
	struct uncertainty uncertainty[2][ALL];
	double mean_gy[2][ALL];
	double recovery_error, recovery_uncertainty; /* after the second */
};

struct experiment {
	bool systematic; /* all errors, or noise alone */
	uint64_t seed;
	struct mask mask[VOIS];
	double true_mg_per_ml[2][ALL];
	double true_mg[2]; /* in the liver with tumours */
	struct drawn *drawn;
};

static void make_masks(struct experiment *experiment)
{
	static const int box_of[] = {BOX_LIVER, BOX_SHARP, BOX_RIM};
	const double still[3] = {0, 0, 0};
	struct grid grid = scene_grid();
	struct status st = STATUS_INIT;
	double volume[ALL] = {0};
	for (int voi = 0; voi < VOIS; voi++)
		assert_ok(mask_new(&experiment->mask[voi], &grid, &st), &st);
	for (int v = 0; v < VOXELS; v++) {
		const int at[3] = {v % COLUMNS, v / COLUMNS % ROWS, v / COLUMNS / ROWS};
		double share[BOXES];
		divide_voxel(share, at, still);
		bool inside[ALL];
		for (int voi = 0; voi < VOIS; voi++) {
			inside[voi] = true;
			for (int a = 0; a < 3; a++)
				inside[voi] = inside[voi] && at[a] >= BOX[box_of[voi]].first[a] &&
					      at[a] <= BOX[box_of[voi]].last[a];
			experiment->mask[voi].coverage[v] = inside[voi];
		}
		inside[HEALTHY] = inside[LIVER] && !inside[SHARP] && !inside[GRADED];
		for (int voi = 0; voi < ALL; voi++) {
			volume[voi] += inside[voi];
			for (int b = 0; inside[voi] && b < BOXES; b++)
				for (int scan = 0; scan < 2; scan++)
					experiment->true_mg_per_ml[scan][voi] +=
					    share[b] * BOX[b].mg_per_ml[scan];
		}
	}
	for (int voi = 0; voi < ALL; voi++)
		for (int scan = 0; scan < 2; scan++)
			experiment->true_mg_per_ml[scan][voi] /= volume[voi];
	for (int scan = 0; scan < 2; scan++)
		experiment->true_mg[scan] = experiment->true_mg_per_ml[scan][LIVER] *
					    volume[LIVER] * grid_voxel_volume_ml(&grid);
	for (int voi = 0; voi < VOIS; voi++)
		mask_update_bounds(&experiment->mask[voi]);
}

static void draw(struct drawn *drawn, const struct experiment *experiment, uint64_t seed)
{
	uint64_t state = seed;
	double relaxivity = RELAXIVITY, activity = 1, injected = 1, shift_mm[3][3] = {{0}};
	if (experiment->systematic) {
		relaxivity *= 1 + RELAXIVITY_PERCENT / 100 * normal(&state);
		activity += ACTIVITY_PERCENT / 100 * normal(&state);
		injected += ACTIVITY_PERCENT / 100 * normal(&state);
		for (int scan = 1; scan < 3; scan++)
			for (int a = 0; a < 3; a++)
				shift_mm[scan][a] = RESIDUAL_MM / sqrt(3) * normal(&state);
	}
	double residual_mm = experiment->systematic ? RESIDUAL_MM : 0;
	struct r2star_map map[3];
	for (int scan = 0; scan < 3; scan++)
		map[scan] = image(scan - 1, relaxivity, shift_mm[scan], &state);
	struct dosimetry_scan scans[2] = {
	    {.map = &map[1], .after_injection = 1, .residual_mm = residual_mm},
	    {.map = &map[2], .after_injection = 2, .residual_mm = residual_mm}};
	struct dosimetry_injection injections[2] = {
	    {.number = 1, .start_s = 0, .holmium_percent = 19.5, .part_voi = -1},
	    {.number = 2, .start_s = 1800, .holmium_percent = 19.5, .part_voi = -1}};
	double true_mbq[2], true_total_mbq = 0;
	for (int i = 0; i < 2; i++) {
		double mg = experiment->true_mg[i] - (i > 0 ? experiment->true_mg[i - 1] : 0);
		true_mbq[i] = mg * SPECIFIC_ACTIVITY[i] * activity;
		true_total_mbq += true_mbq[i];
		injections[i].specific_activity_mbq_per_mg = SPECIFIC_ACTIVITY[i];
		injections[i].net_activity_mbq = true_mbq[i] * injected;
	}
	struct dosimetry_voi vois[VOIS];
	for (int voi = 0; voi < VOIS; voi++)
		vois[voi] = (struct dosimetry_voi){NAME[voi], voi == LIVER ? VOI_LIVER : VOI_TUMOUR,
						   -1, &experiment->mask[voi]};
	struct grid grid = scene_grid();
	struct dosimetry_input input = {.result_grid = &grid,
					.baseline = {.map = &map[0]},
					.scans = scans,
					.n_scans = 2,
					.injections = injections,
					.n_injections = 2,
					.vois = vois,
					.n_vois = VOIS};
	struct dosimetry_params params = {
	    .relaxivity_per_s_per_mg_per_ml = RELAXIVITY,
	    .relaxivity_holmium_percent = 19.5,
	    .dose_constant_mj_per_mbq = 15.87,
	    .density_g_per_ml = 1.06,
	    .body_snr = 5,
	    .artefact_r2star_per_s = 400,
	    .trend_threshold_percent = 10,
	    .limited_above_percent = 5,
	    .not_measurable_above_percent = 50,
	    .recovery_low_percent = 85,
	    .recovery_high_percent = 115,
	    .registration_limit_mm = 3,
	    .uncertainty = {RELAXIVITY_PERCENT, ACTIVITY_PERCENT, ACTIVITY_PERCENT},
	    .advice_limit_gy = NAN,
	    .threads = 1};
	struct dosimetry_result result = {.n_time_points = 0};
	struct status st = STATUS_INIT;
	assert_ok(dosimetry_run(&result, &input, &params, &st), &st);
	for (int scan = 0; scan < 2; scan++) {
		const struct dosimetry_time_point *point = &result.time_points[scan];
		for (int voi = 0; voi < ALL; voi++) {
			const struct dosimetry_voi_result *found =
			    voi < VOIS ? &point->voi[voi] : &point->healthy[0].figures;
			double true_gy = 0;
			for (int i = 0; i <= scan; i++)
				true_gy += (experiment->true_mg_per_ml[i][voi] -
					    (i > 0 ? experiment->true_mg_per_ml[i - 1][voi] : 0)) *
					   SPECIFIC_ACTIVITY[i] * activity * GY_PER_MBQ_PER_ML;
			drawn->mean_gy[scan][voi] = found->dose.mean;
			drawn->error_gy[scan][voi] = found->dose.mean - true_gy;
			drawn->uncertainty[scan][voi] = found->uncertainty;
		}
	}
	drawn->recovery_error = result.time_points[1].recovery_ratio - 1;
	drawn->recovery_uncertainty = result.time_points[1].recovery_uncertainty;
	dosimetry_result_free(&result);
	for (int scan = 0; scan < 3; scan++)
		r2star_map_free(&map[scan]);
}

static void draw_some(void *user, size_t first, size_t last)
{
	struct experiment *experiment = user;
	for (size_t i = first; i < last; i++)
		draw(&experiment->drawn[i], experiment, experiment->seed + 1000003 * i);
}

/* ---- the verdict ---- */

static bool covers(double error, double standard_uncertainty)
{
	return fabs(error) <= 1.959964 * standard_uncertainty;
}

/* One VOI after one injection, over all draws. */
struct verdict {
	double mean_gy, bias_gy, rms_error_gy, stated_gy, parts_gy[4];
	double covered_percent;		/* the truth */
	double covered_scatter_percent; /* what the draws have as their mean: noise without bias */
};

static double stated(const struct experiment *experiment, const struct uncertainty *u)
{
	return experiment->systematic ? u->combined_gy : u->random_gy;
}

static struct verdict judge(const struct experiment *experiment, int scan, int voi)
{
	struct verdict v = {0};
	for (int i = 0; i < DRAWS; i++) {
		const struct drawn *drawn = &experiment->drawn[i];
		const struct uncertainty *u = &drawn->uncertainty[scan][voi];
		double error_gy = drawn->error_gy[scan][voi];
		v.mean_gy += drawn->mean_gy[scan][voi] / DRAWS;
		v.bias_gy += error_gy / DRAWS;
		v.rms_error_gy += error_gy * error_gy / DRAWS;
		v.stated_gy += stated(experiment, u) / DRAWS;
		v.parts_gy[0] += u->random_gy / DRAWS;
		v.parts_gy[1] += u->registration_gy / DRAWS;
		v.parts_gy[2] += u->relaxivity_gy / DRAWS;
		v.parts_gy[3] += u->specific_activity_gy / DRAWS;
		v.covered_percent += covers(error_gy, stated(experiment, u)) * 100.0 / DRAWS;
	}
	v.rms_error_gy = sqrt(v.rms_error_gy);
	for (int i = 0; i < DRAWS; i++)
		v.covered_scatter_percent +=
		    covers(experiment->drawn[i].error_gy[scan][voi] - v.bias_gy,
			   stated(experiment, &experiment->drawn[i].uncertainty[scan][voi])) *
		    100.0 / DRAWS;
	return v;
}

static double judge_recovery(const struct experiment *experiment)
{
	double covered_percent = 0;
	for (int i = 0; i < DRAWS; i++)
		covered_percent += covers(experiment->drawn[i].recovery_error,
					  experiment->drawn[i].recovery_uncertainty) *
				   100.0 / DRAWS;
	return covered_percent;
}

static bool is_95(double percent)
{
	return percent >= 92 && percent <= 98;
}

/* All errors: the truth. Noise alone: the mean of the estimator, which the estimator of R2* puts
 * beside the truth by less than 0.6 % (r2star.h); the noise of a whole liver's mean is smaller than
 * that. */
static void run(struct experiment *experiment, const char *errors)
{
	bool failed = false;
	make_masks(experiment);
	experiment->drawn = calloc(DRAWS, sizeof *experiment->drawn);
	parallel_for(DRAWS, 1, 2, draw_some, experiment);
	for (int scan = 0; scan < 2; scan++) {
		for (int voi = 0; voi < ALL; voi++) {
			struct verdict v = judge(experiment, scan, voi);
			printf(
			    "MEASURED coverage errors=\"%s\" voi=\"%s\" after_injection=%d "
			    "draws=%d mean_gy=%.2f bias_gy=%.3f rms_error_gy=%.3f stated_gy=%.3f "
			    "random_gy=%.3f registration_gy=%.3f relaxivity_gy=%.3f "
			    "specific_activity_gy=%.3f covered_percent=%.1f "
			    "covered_scatter_percent=%.1f\n",
			    errors, NAME[voi], scan + 1, DRAWS, v.mean_gy, v.bias_gy,
			    v.rms_error_gy, v.stated_gy, v.parts_gy[0], v.parts_gy[1],
			    v.parts_gy[2], v.parts_gy[3], v.covered_percent,
			    v.covered_scatter_percent);
			if (experiment->systematic)
				failed = failed || !is_95(v.covered_percent);
			else
				failed = failed || !is_95(v.covered_scatter_percent) ||
					 !(fabs(v.bias_gy) <= 0.006 * v.mean_gy);
		}
	}
	if (experiment->systematic) {
		double covered_percent = judge_recovery(experiment);
		printf(
		    "MEASURED coverage errors=\"%s\" voi=\"Recovery\" after_injection=2 draws=%d "
		    "covered_percent=%.1f\n",
		    errors, DRAWS, covered_percent);
		failed = failed || !is_95(covered_percent);
	}
	for (int voi = 0; voi < VOIS; voi++)
		mask_free(&experiment->mask[voi]);
	free(experiment->drawn);
#ifdef __SANITIZE_ADDRESS__
	print_message("SKIP: %d draws under sanitizers say nothing about coverage\n", DRAWS);
	(void)failed;
	skip();
#else
	assert_false(failed);
#endif
}

static void all_errors(void **state)
{
	(void)state;
	struct experiment experiment = {.systematic = true, .seed = 20260302};
	run(&experiment, "all");
}

static void noise_alone(void **state)
{
	(void)state;
	struct experiment experiment = {.systematic = false, .seed = 7};
	run(&experiment, "noise");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_errors),
	    cmocka_unit_test(noise_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
