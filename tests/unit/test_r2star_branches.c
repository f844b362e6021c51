/* Which branch a voxel takes as it grows hot, with the bias of each; and fat: how often the
 * oscillation of water and fat is seen where it is, and where it is not. */
#include "check.h"

#include <stdlib.h>

#include "r2star.h"

enum { ECHOES = 16, TRIALS = 20000 };
static double te_ms[ECHOES];

static int set_echo_times(void **state)
{
	(void)state;
	for (int e = 0; e < ECHOES; e++)
		te_ms[e] = 1.33 + 1.15 * e; /* facts of one published 166Ho protocol */
	return 0;
}

static uint64_t random_state;

static double random_unit(void)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static float rician(double signal)
{
	double radius = sqrt(-2 * log(random_unit())), angle = 2 * M_PI * random_unit();
	return (float)hypot(signal + radius * cos(angle), radius * sin(angle));
}

static struct grid make_grid(void)
{
	struct grid grid = {.columns = 200, .rows = TRIALS / 200, .slices = 1};
	grid.column_step_mm[0] = grid.row_step_mm[1] = grid.slice_step_mm[2] = 1;
	strcpy(grid.frame_of_reference, "1.2.3");
	return grid;
}

/* TRIALS voxels of one kind: water and a share of fat at its main peak; sigma is 1. */
static struct r2star_map fit(double snr, double r2star_per_s, double fat, double field_strength_t,
			     int echoes)
{
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct echo_series series = {.grid = make_grid(), .echoes = echoes, .te_ms = te_ms};
	struct r2star_map map;
	struct status st = STATUS_INIT;
	float *samples = malloc((size_t)echoes * TRIALS * sizeof *samples);
	for (int e = 0; e < echoes; e++) {
		double phase = 2 * M_PI * 3.4 * 42.577 * field_strength_t * te_ms[e] / 1000;
		double mixed = hypot(1 - fat + fat * cos(phase), fat * sin(phase));
		double signal = snr * exp(-r2star_per_s * te_ms[e] / 1000) * mixed;
		for (size_t v = 0; v < TRIALS; v++)
			samples[(size_t)e * TRIALS + v] = rician(signal);
	}
	series.samples = samples;
	params.sigma = 1;
	params.field_strength_t = field_strength_t;
	assert_ok(r2star_fit(&map, &series, &params, &st), &st);
	free(samples);
	return map;
}

/* ---- branches ---- */

struct branch {
	double bias_percent, sd_percent, share_percent;
};

static struct branch measure(const struct r2star_map *map, double r2star_per_s, int state)
{
	double sum = 0, squares = 0, count = 0;
	for (size_t v = 0; v < TRIALS; v++) {
		double value = (double)map->r2star_per_s.samples[v];
		if (state >= 0 ? map->state[v] != state : isnan(value))
			continue;
		sum += value;
		squares += value * value;
		count++;
	}
	double mean = sum / count;
	return (struct branch){.bias_percent = 100 * (mean / r2star_per_s - 1),
			       .sd_percent = 100 * sqrt(fmax(squares / count - mean * mean, 0)) /
					     r2star_per_s,
			       .share_percent = 100 * count / TRIALS};
}

static void print_row(double snr, double r2star_per_s, const char *name, struct branch branch)
{
	if (branch.share_percent < 0.5)
		return;
	printf("MEASURED r2star-bias snr=%.0f r2star=%.0f branch=%s bias_percent=%.2f "
	       "sd_percent=%.2f share_percent=%.1f\n",
	       snr, r2star_per_s, name, branch.bias_percent, branch.sd_percent,
	       branch.share_percent);
}

static void each_branch_and_its_bias(void **state)
{
	(void)state;
	static const double snrs[] = {50, 20};
	static const double r2stars[] = {30, 100, 200, 300, 400, 500, 600, 800, 1000, 1200, 1600};
	for (int s = 0; s < 2; s++) {
		for (size_t r = 0; r < sizeof r2stars / sizeof *r2stars; r++) {
			struct volume s0 = VOLUME_INIT;
			struct grid grid = make_grid();
			struct status st = STATUS_INIT;
			random_state = 4711;
			struct r2star_map map = fit(snrs[s], r2stars[r], 0, 0, ECHOES);
			assert_null(map.quality);
			assert_ok(volume_new(&s0, &grid, (float)snrs[s], &st), &st);
			assert_ok(r2star_resolve(&map, &s0, 1, true, &st), &st);
			struct branch all = measure(&map, r2stars[r], -1);
			print_row(snrs[s], r2stars[r], "fitted",
				  measure(&map, r2stars[r], R2STAR_FITTED));
			print_row(snrs[s], r2stars[r], "s0-known",
				  measure(&map, r2stars[r], R2STAR_S0_KNOWN));
			print_row(snrs[s], r2stars[r], "saturated",
				  measure(&map, r2stars[r], R2STAR_SATURATED));
			print_row(snrs[s], r2stars[r], "all", all);
			/* a 400 Gy tumour at 3 T is 530 /s; the published estimators are off by
			 * several percent there */
			if (snrs[s] > 20)
				assert_true(fabs(all.bias_percent) < (r2stars[r] <= 600	   ? 1
								      : r2stars[r] <= 1200 ? 2.5
											   : 4));
			else
				assert_true(fabs(all.bias_percent) < 8);
			assert_close(all.share_percent, 100, 0.01, 0);
			volume_free(&s0);
			r2star_map_free(&map);
		}
	}
}

/* ---- fat ---- */

static double seen_percent(double snr, double r2star_per_s, double fat, double field_strength_t,
			   int echoes)
{
	random_state = 99;
	struct r2star_map map = fit(snr, r2star_per_s, fat, field_strength_t, echoes);
	double seen = 0;
	assert_non_null(map.quality);
	for (size_t v = 0; v < TRIALS; v++)
		seen += map.quality[v] & R2STAR_OSCILLATES ? 100.0 / TRIALS : 0;
	r2star_map_free(&map);
	printf("MEASURED r2star-fat snr=%.0f r2star=%.0f field_t=%.1f echoes=%d fat_percent=%.0f "
	       "flagged_percent=%.2f\n",
	       snr, r2star_per_s, field_strength_t, echoes, 100 * fat, seen);
	return seen;
}

static void no_fat_is_seldom_taken_for_fat(void **state)
{
	(void)state;
	static const double r2stars[] = {30, 60, 120, 250, 500};
	for (size_t r = 0; r < sizeof r2stars / sizeof *r2stars; r++) {
		assert_true(seen_percent(50, r2stars[r], 0, 3, ECHOES) <= 1);
		assert_true(seen_percent(50, r2stars[r], 0, 1.5, ECHOES) <= 1);
	}
	assert_true(seen_percent(20, 60, 0, 3, ECHOES) <= 1);
	assert_true(seen_percent(50, 60, 0, 3, 8) <= 1);
}

static void fat_is_seen(void **state)
{
	(void)state;
	assert_true(seen_percent(50, 45, 0.15, 3, ECHOES) > 99.9);
	assert_true(seen_percent(50, 45, 0.05, 3, ECHOES) > 95);
	assert_true(seen_percent(50, 120, 0.15, 3, ECHOES) > 99);
	assert_true(seen_percent(50, 45, 0.15, 1.5, ECHOES) > 99.9);
	assert_true(seen_percent(50, 45, 0.05, 1.5, ECHOES) > 80);
	assert_true(seen_percent(20, 45, 0.15, 3, ECHOES) > 90);
	/* too few echoes to tell it from decay: not flagged, whatever there is */
	assert_true(seen_percent(50, 45, 0.15, 3, 4) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_branch_and_its_bias),
	    cmocka_unit_test(no_fat_is_seldom_taken_for_fat),
	    cmocka_unit_test(fat_is_seen),
	};
	return cmocka_run_group_tests(tests, set_echo_times, NULL);
}
