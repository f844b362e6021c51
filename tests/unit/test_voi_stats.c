/* Statistics against closed forms: a ramp, known coverages, values that are not there. */
#include "check.h"
#include "voi_stats.h"

#include <stdlib.h>

static struct grid row_of(int columns)
{
	struct grid grid = {.columns = columns, .rows = 1, .slices = 1};
	grid.column_step_mm[0] = 1;
	grid.row_step_mm[1] = 2;
	grid.slice_step_mm[2] = 5; /* 0.01 mL per voxel */
	strcpy(grid.frame_of_reference, "1.2.3");
	return grid;
}

struct scene {
	struct volume values;
	struct mask mask;
};

static void scene_new(struct scene *scene, int columns)
{
	struct status st = STATUS_INIT;
	struct grid grid = row_of(columns);
	assert_ok(volume_new(&scene->values, &grid, 0, &st), &st);
	assert_ok(mask_new(&scene->mask, &grid, &st), &st);
	for (int i = 0; i < columns; i++)
		scene->mask.coverage[i] = 1;
	mask_update_bounds(&scene->mask);
}

static void scene_free(struct scene *scene)
{
	volume_free(&scene->values);
	mask_free(&scene->mask);
}

static struct voi_stats stats_of(const struct scene *scene, const double *levels, int n_levels)
{
	struct status st = STATUS_INIT;
	struct voi_stats stats;
	assert_ok(voi_stats_compute(&stats, &scene->values, &scene->mask, levels, n_levels, &st),
		  &st);
	return stats;
}

/* Dose uniform between 0 and 100 Gy: D90 = 10, D50 = 50, SD = 100 / sqrt(12), V25 = 75 %. */
static void ramp_has_closed_form(void **state)
{
	(void)state;
	struct scene scene;
	const int n = 1000;
	scene_new(&scene, n);
	for (int i = 0; i < n; i++) /* shuffled: 7 and 1000 have no common factor */
		scene.values.samples[(i * 7) % n] = (float)((i + 0.5) / 10);
	const double levels[] = {25, 100, 0};
	struct voi_stats stats = stats_of(&scene, levels, 3);
	assert_close(stats.volume_ml, 10, 1e-9, 0);
	assert_close(stats.measured_volume_ml, 10, 1e-9, 0);
	assert_close(stats.mean, 50, 1e-4, 0);
	assert_close(stats.minimum, 0.05, 1e-6, 0);
	assert_close(stats.maximum, 99.95, 1e-5, 0);
	assert_close(stats.standard_deviation, 100 / sqrt(12), 1e-4, 0);
	assert_close(stats.d98, 2, 1e-4, 0);
	assert_close(stats.d90, 10, 1e-4, 0);
	assert_close(stats.d70, 30, 1e-4, 0);
	assert_close(stats.d50, 50, 1e-4, 0);
	assert_close(stats.d2, 98, 1e-4, 0);
	assert_close(stats.volume_at_level_ml[0], 7.5, 1e-9, 0);
	assert_close(stats.volume_at_level_ml[1], 0, 0, 0);
	assert_close(stats.volume_at_level_ml[2], 10, 1e-9, 0);
	scene_free(&scene);
}

/* Rim coverages add up differently in storage order and in order of dose: the difference of the two
 * sums is rounding, which must not come out as a volume that was not measured. */
static void what_is_not_measured_is_summed_by_itself(void **state)
{
	(void)state;
	struct scene scene;
	const int n = 5000;
	scene_new(&scene, n);
	for (int i = 0; i < n; i++) {
		scene.mask.coverage[i] = (float)(1 + (i * 37) % 101) / 103;
		scene.values.samples[i] = (float)((i * 7919) % n) / 7;
	}
	struct voi_stats stats = stats_of(&scene, NULL, 0);
	assert_true(stats.not_measured_volume_ml == 0);
	scene.values.samples[11] = NAN;
	stats = stats_of(&scene, NULL, 0);
	assert_close(stats.not_measured_volume_ml, 0.01 * (double)scene.mask.coverage[11], 1e-12,
		     0);
	assert_close(stats.volume_ml, stats.measured_volume_ml + stats.not_measured_volume_ml, 1e-9,
		     0);
	scene_free(&scene);
}

static void coverage_weighs(void **state)
{
	(void)state;
	struct scene scene;
	scene_new(&scene, 3);
	scene.values.samples[0] = 10;
	scene.values.samples[1] = 20;
	scene.values.samples[2] = 1000; /* outside */
	scene.mask.coverage[0] = 0.25f;
	scene.mask.coverage[2] = 0;
	mask_update_bounds(&scene.mask);
	const double level = 15;
	struct voi_stats stats = stats_of(&scene, &level, 1);
	assert_close(stats.mean, (0.25 * 10 + 20) / 1.25, 1e-12, 0);
	assert_close(stats.volume_ml, 0.0125, 1e-12, 0);
	assert_close(stats.maximum, 20, 0, 0);
	assert_close(stats.volume_at_level_ml[0], 0.01, 1e-12, 0);
	/* variance of a two-point distribution: p (1 - p) d^2 with p = 0.2 */
	assert_close(stats.standard_deviation, sqrt(0.2 * 0.8 * 100), 1e-9, 0);
	scene_free(&scene);
}

static void unmeasured_voxels_are_counted_and_negatives_stay(void **state)
{
	(void)state;
	struct scene scene;
	scene_new(&scene, 4);
	scene.values.samples[0] = NAN;
	scene.values.samples[1] = -6;
	scene.values.samples[2] = 2;
	scene.values.samples[3] = 1;
	struct voi_stats stats = stats_of(&scene, NULL, 0);
	assert_close(stats.volume_ml, 0.04, 1e-12, 0);
	assert_close(stats.measured_volume_ml, 0.03, 1e-12, 0);
	assert_close(stats.mean, -1, 1e-6, 0);
	assert_close(stats.minimum, -6, 0, 0);
	for (int i = 0; i < 4; i++)
		scene.values.samples[i] = NAN;
	stats = stats_of(&scene, NULL, 0);
	assert_true(isnan(stats.mean) && isnan(stats.d90) && isnan(stats.minimum));
	assert_close(stats.measured_volume_ml, 0, 0, 0);
	scene_free(&scene);
}

/* Random doses of both signs: order of the figures, and the same as a plain sort. */
static void figures_agree_with_each_other(void **state)
{
	(void)state;
	struct scene scene;
	const int n = 5000;
	scene_new(&scene, n);
	unsigned random = 12345;
	for (int i = 0; i < n; i++) {
		random = random * 1664525u + 1013904223u;
		scene.values.samples[i] = (float)(random >> 8) / 16777216.0f * 120 - 30;
		random = random * 1664525u + 1013904223u;
		scene.mask.coverage[i] = (float)(random >> 8) / 16777216.0f;
	}
	const double levels[] = {0, 20, 40, 60};
	struct voi_stats stats = stats_of(&scene, levels, 4);
	assert_true(stats.minimum <= stats.d98 && stats.d98 < stats.d90 && stats.d90 < stats.d70);
	assert_true(stats.d70 < stats.d50 && stats.d50 < stats.d2 && stats.d2 <= stats.maximum);

	struct status st = STATUS_INIT;
	double dvh[200], below_d70_ml = 0;
	assert_ok(voi_dvh(dvh, 200, 0.5, &scene.values, &scene.mask, &st), &st);
	assert_close(dvh[0], stats.measured_volume_ml, 1e-9, 0); /* negative doses included */
	for (int level = 1; level < 4; level++)
		assert_close(dvh[(int)(levels[level] / 0.5)], stats.volume_at_level_ml[level], 1e-9,
			     0);
	for (int bin = 1; bin < 200; bin++)
		assert_true(dvh[bin] <= dvh[bin - 1]);
	for (int i = 0; i < n; i++) {
		if ((double)scene.values.samples[i] < stats.d70)
			below_d70_ml += (double)scene.mask.coverage[i] * 0.01;
	}
	assert_close(below_d70_ml, 0.3 * stats.measured_volume_ml, 0.01, 0);
	scene_free(&scene);
}

static int by_value(const void *a, const void *b)
{
	const float *x = a, *y = b;
	return x[0] < y[0] ? -1 : x[0] > y[0];
}

/* The definition of voi_stats.h, word for word, over a plain sort. */
static double dose_at_volume(float (*rising)[2], int n, double share)
{
	double total = 0, before = 0, middle_before = 0;
	for (int i = 0; i < n; i++)
		total += (double)rising[i][1];
	for (int i = 0; i < n; i++) {
		double middle = before + (double)rising[i][1] / 2, wanted = (1 - share) * total;
		if (middle >= wanted && i == 0)
			return (double)rising[0][0];
		if (middle >= wanted)
			return (double)rising[i - 1][0] +
			       ((double)rising[i][0] - (double)rising[i - 1][0]) *
				   (wanted - middle_before) / (middle - middle_before);
		before += (double)rising[i][1];
		middle_before = middle;
	}
	return (double)rising[n - 1][0];
}

/* Doses far apart, all but the same, in lumps of equal ones, about zero, across powers of two, and
 * so few that single voxels hold whole shares: each as a plain sort has it. */
static void any_distribution_is_as_a_plain_sort_has_it(void **state)
{
	(void)state;
	unsigned random = 99;
	for (int round = 0; round < 60; round++) {
		const int n = round % 6 == 5 ? 2 + round / 6 : 3000;
		struct scene scene;
		float(*rising)[2] = malloc((size_t)n * sizeof *rising);
		scene_new(&scene, n);
		for (int i = 0; i < n; i++) {
			random = random * 1664525u + 1013904223u;
			float u = (float)(random >> 8) / 16777216.0f;
			const float kinds[] = {expf(20 * u - 10),	60 + u * 1e-4f,
					       floorf(u * 7) * 10 - 20, (u - 0.5f) * 1e-3f,
					       64 + (u - 0.5f) * 4,	u * 100};
			random = random * 1664525u + 1013904223u;
			float weight = random >> 30 ? 1 : (float)(random >> 8 & 0xffff) / 65536;
			scene.values.samples[i] = rising[i][0] = kinds[round % 6];
			scene.mask.coverage[i] = rising[i][1] = weight > 0 ? weight : 1;
		}
		if (round % 6 == 3) {
			scene.values.samples[n / 2] = rising[n / 2][0] = -0.0F;
			scene.values.samples[n / 3] = rising[n / 3][0] = 0;
		}
		qsort(rising, (size_t)n, sizeof *rising, by_value);
		const double levels[] = {
		    0,	 60,	      64, (double)rising[n / 4][0], 1e300, (double)-INFINITY,
		    NAN, -(double)NAN};
		struct voi_stats stats = stats_of(&scene, levels, 8);
		const double found[] = {stats.d98, stats.d90, stats.d70, stats.d50, stats.d2};
		const double shares[] = {0.98, 0.90, 0.70, 0.50, 0.02};
		for (int s = 0; s < 5; s++)
			assert_close(found[s], dose_at_volume(rising, n, shares[s]), 1e-9, 1e-10);
		for (int l = 0; l < 8; l++) {
			double ml = 0;
			for (int i = 0; i < n; i++)
				ml += (double)rising[i][0] >= levels[l]
					  ? (double)rising[i][1] * 0.01
					  : 0;
			assert_close(stats.volume_at_level_ml[l], ml, 1e-9, 0);
		}
		assert_close(stats.minimum, (double)rising[0][0], 0, 0);
		assert_close(stats.maximum, (double)rising[n - 1][0], 0, 0);
		free(rising);
		scene_free(&scene);
	}
}

/* A dose exactly on an edge belongs to the bin that starts there. */
static void dvh_edges_belong_to_the_higher_bin(void **state)
{
	(void)state;
	struct scene scene;
	struct status st = STATUS_INIT;
	double dvh[8];
	scene_new(&scene, 3);
	scene.values.samples[0] = 0.3f; /* as float slightly above 3 * 0.1 */
	scene.values.samples[1] = 0.5f;
	scene.values.samples[2] = 99; /* beyond the last bin */
	assert_ok(voi_dvh(dvh, 8, 0.1, &scene.values, &scene.mask, &st), &st);
	for (int bin = 0; bin < 8; bin++) {
		double expected_ml = 0;
		for (int i = 0; i < 3; i++)
			expected_ml += (double)scene.values.samples[i] >= bin * 0.1 ? 0.01 : 0;
		assert_close(dvh[bin], expected_ml, 1e-12, 0);
	}
	scene_free(&scene);
}

static void other_grids_and_empty_masks(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct scene scene, other;
	scene_new(&scene, 4);
	scene_new(&other, 5);
	struct voi_stats stats;
	assert_int_equal(voi_stats_compute(&stats, &scene.values, &other.mask, NULL, 0, &st),
			 STATUS_BUG);
	for (int i = 0; i < 4; i++)
		scene.mask.coverage[i] = 0;
	mask_update_bounds(&scene.mask);
	stats = stats_of(&scene, NULL, 0);
	assert_close(stats.volume_ml, 0, 0, 0);
	assert_true(isnan(stats.mean));
	scene_free(&scene);
	scene_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ramp_has_closed_form),
	    cmocka_unit_test(what_is_not_measured_is_summed_by_itself),
	    cmocka_unit_test(coverage_weighs),
	    cmocka_unit_test(unmeasured_voxels_are_counted_and_negatives_stay),
	    cmocka_unit_test(figures_agree_with_each_other),
	    cmocka_unit_test(any_distribution_is_as_a_plain_sort_has_it),
	    cmocka_unit_test(dvh_edges_belong_to_the_higher_bin),
	    cmocka_unit_test(other_grids_and_empty_masks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
