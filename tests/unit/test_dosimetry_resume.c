/* A run that goes on from a result: the numbers of one run over all scans, to the bit. */
#include "dosimetry_scene.h"

#include <math.h>

static void assert_same_volume(const struct volume *a, const struct volume *b)
{
	assert_non_null(a->samples);
	assert_non_null(b->samples);
	assert_memory_equal(a->samples, b->samples, grid_voxels(&a->grid) * sizeof(float));
}

static void assert_same_number(double a, double b)
{
	if (!(isnan(a) && isnan(b)))
		assert_true(a == b);
}

/* Everything of a time point but what points somewhere. The trends have room between their members,
 * so they are looked at one by one. */
static void assert_same_figures(const struct dosimetry_time_point *a,
				const struct dosimetry_time_point *b)
{
	struct dosimetry_time_point *plain = malloc(2 * sizeof *plain);
	assert_non_null(plain);
	memcpy(&plain[0], a, sizeof *a);
	memcpy(&plain[1], b, sizeof *b);
	for (int i = 0; i < 2; i++) {
		memset(&plain[i].dose_gy, 0, sizeof plain[i].dose_gy);
		memset(&plain[i].kernel_dose_gy, 0, sizeof plain[i].kernel_dose_gy);
		memset(plain[i].underdosed, 0, sizeof plain[i].underdosed);
		memset(plain[i].trend, 0, sizeof plain[i].trend);
	}
	for (int i = 0; i < SCENE_VOIS; i++) {
		assert_int_equal(a->trend[i].trend, b->trend[i].trend);
		assert_int_equal(a->trend[i].hardly_any, b->trend[i].hardly_any);
		assert_same_number(a->trend[i].expected_gy, b->trend[i].expected_gy);
		assert_same_number(a->trend[i].next_gy, b->trend[i].next_gy);
		assert_same_number(a->trend[i].slope_gy_per_mbq, b->trend[i].slope_gy_per_mbq);
	}
	assert_memory_equal(&plain[0], &plain[1], sizeof *plain);
	free(plain);
}

static struct scene *three_scans(void)
{
	struct scene *s = scene_new(3);
	fill_scan(s, 0, 0.1, 0.4, 0.2);
	fill_scan(s, 1, 0.2, 0.8, 0.5);
	fill_scan(s, 2, 0.4, 0.9, 1.1);
	s->injection[1].specific_activity_mbq_per_mg = 11;
	s->params.underdose_levels = 1;
	s->params.underdosed_below_gy[0] = 500;
	s->params.kernel = true;
	/* a voxel of a tumour that the second scan does not see: its next increment spans two */
	s->after[1].state[voxel_at(&s->grid, 16, 10, 5)] = R2STAR_NOT_MEASURED;
	return s;
}

/* Scan by scan, each with its own map alone, is the same to the bit as all at once. */
static void going_on_is_the_same_to_the_bit(void **state)
{
	(void)state;
	struct scene *s = three_scans();
	struct status st = STATUS_INIT;
	struct dosimetry_result whole = scene_run(s), steps = {.n_time_points = 0};
	for (int n = 1; n <= 3; n++) {
		s->input.n_scans = s->input.n_injections = n;
		assert_ok(dosimetry_run(&steps, &s->input, &s->params, &st), &st);
		assert_int_equal(steps.n_time_points, n);
		assert_same_volume(&steps.time_points[n - 1].dose_gy,
				   &whole.time_points[n - 1].dose_gy);
		assert_same_volume(&steps.time_points[n - 1].kernel_dose_gy,
				   &whole.time_points[n - 1].kernel_dose_gy);
		s->scan[n - 1].map = NULL;
	}
	for (int k = 0; k < 3; k++)
		assert_same_figures(&steps.time_points[k], &whole.time_points[k]);
	assert_true(whole.time_points[2].voi[TUMOUR_LEFT].underdosed_volume_ml[0] > 0);
	assert_memory_equal(steps.time_points[2].underdosed[TUMOUR_LEFT].coverage,
			    whole.time_points[2].underdosed[TUMOUR_LEFT].coverage,
			    grid_voxels(&s->grid) * sizeof(float));
	assert_memory_equal(&steps.sums.running, &whole.sums.running, sizeof whole.sums.running);
	assert_true(steps.baseline_sigma == whole.baseline_sigma &&
		    steps.evaluated_volume_ml == whole.evaluated_volume_ml &&
		    steps.relaxivity_used == whole.relaxivity_used);
	dosimetry_result_free(&whole);
	dosimetry_result_free(&steps);
	scene_free(s);
}

/* Nothing left to do: no map is looked at, and the last dose comes back out of the sums. */
static void a_finished_result_gives_its_last_dose_back(void **state)
{
	(void)state;
	struct scene *s = three_scans();
	struct status st = STATUS_INIT;
	struct dosimetry_result whole = scene_run(s), again = scene_run(s);
	struct dosimetry_time_point *last = &again.time_points[2];
	for (int k = 0; k < 3; k++) {
		volume_free(&again.time_points[k].dose_gy);
		s->scan[k].map = NULL;
	}
	for (int i = 0; i < SCENE_VOIS; i++)
		mask_free(&last->underdosed[i]);
	s->input.baseline.map = NULL;
	assert_ok(dosimetry_run(&again, &s->input, &s->params, &st), &st);
	last = &again.time_points[2];
	assert_same_volume(&last->dose_gy, &whole.time_points[2].dose_gy);
	assert_null(again.time_points[1].dose_gy.samples);
	for (int i = 0; i < SCENE_VOIS; i++) {
		const struct mask *expected = &whole.time_points[2].underdosed[i];
		assert_int_equal(last->underdosed[i].coverage == NULL, expected->coverage == NULL);
		if (expected->coverage)
			assert_memory_equal(last->underdosed[i].coverage, expected->coverage,
					    grid_voxels(&s->grid) * sizeof(float));
	}
	for (int k = 0; k < 3; k++)
		assert_same_figures(&again.time_points[k], &whole.time_points[k]);
	dosimetry_result_free(&whole);
	dosimetry_result_free(&again);
	scene_free(s);
}

/* A result of other scans, or of another grid, is no beginning. */
static void a_result_of_other_scans_does_not_go_on(void **state)
{
	(void)state;
	struct scene *s = three_scans();
	struct status st = STATUS_INIT;
	struct dosimetry_result other = scene_run(s);
	other.time_points[0].after_injection = 2;
	assert_int_equal(dosimetry_run(&other, &s->input, &s->params, &st), STATUS_BUG);
	assert_int_equal(other.n_time_points, 0);
	status_clear(&st);

	other = scene_run(s);
	other.sums.voxels--;
	assert_int_equal(dosimetry_run(&other, &s->input, &s->params, &st), STATUS_BUG);
	status_clear(&st);

	other = scene_run(s);
	s->input.n_scans = 2;
	assert_int_equal(dosimetry_run(&other, &s->input, &s->params, &st), STATUS_BUG);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(going_on_is_the_same_to_the_bit),
	    cmocka_unit_test(a_finished_result_gives_its_last_dose_back),
	    cmocka_unit_test(a_result_of_other_scans_does_not_go_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
