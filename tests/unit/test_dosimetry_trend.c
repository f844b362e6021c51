/* Trend, prediction and advice through the whole chain, on the small treatment made by hand. */
#include "dosimetry_scene.h"

/* Gy per mg/mL at 12 MBq/mg. */
static const double GY_PER_MG = 12 * 15.87 / 1.06;

static void next_injection_of_the_list_then_the_planned_one(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	for (int i = 0; i < 4; i++)
		fill_scan(s, i, 0.05 * (i + 1), 0.2 * (i + 1), 0.1 * (i + 1));
	struct dosimetry_injection planned = {.number = 5, .net_activity_mbq = 50, .part_voi = -1};
	s->input.planned = &planned;
	struct dosimetry_result result = scene_run(s);
	/* after the second scan the third injection of the list comes: 300 MBq in all */
	assert_close(result.time_points[1].trend[TUMOUR_RIGHT].next_gy, 0.6 * GY_PER_MG, 0, 1e-5);
	assert_true(isnan(result.time_points[0].trend[TUMOUR_RIGHT].next_gy));
	const struct uptake_result *last = &result.time_points[3].trend[TUMOUR_RIGHT];
	assert_close(last->next_gy, 0.9 * GY_PER_MG, 0, 1e-5);
	assert_close(last->next_upper_gy - last->next_lower_gy, 0, 1e-2, 0);
	assert_close(last->slope_gy_per_mbq, 0.002 * GY_PER_MG, 0, 1e-5);
	dosimetry_result_free(&result);

	/* the planned one goes elsewhere, or by another way, or nowhere that is known */
	planned.position = 1;
	result = scene_run(s);
	assert_true(isnan(result.time_points[3].trend[TUMOUR_RIGHT].next_gy));
	dosimetry_result_free(&result);
	planned.position = 0;
	planned.part_voi = LEFT;
	result = scene_run(s);
	assert_true(isnan(result.time_points[3].trend[TUMOUR_RIGHT].next_gy));
	assert_close(result.time_points[3].trend[TUMOUR_LEFT].next_gy, 0.45 * GY_PER_MG, 0, 1e-5);
	dosimetry_result_free(&result);
	s->input.planned = NULL;
	result = scene_run(s);
	assert_true(isnan(result.time_points[3].trend[TUMOUR_LEFT].next_gy));
	dosimetry_result_free(&result);
	scene_free(s);
}

/* The source paper's tumour that "hardly received any dose" followed its line all the same. */
static void hardly_any_beside_linear(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	for (int i = 0; i < 4; i++)
		fill_scan(s, i, 0.08 * (i + 1), 0.02 * (i + 1), 0.07 * (i + 1));
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[3];
	assert_int_equal(point->trend[TUMOUR_RIGHT].trend, UPTAKE_LINEAR);
	assert_true(point->trend[TUMOUR_RIGHT].hardly_any);
	assert_false(point->trend[TUMOUR_LEFT].hardly_any);
	assert_false(result.time_points[2].trend[TUMOUR_RIGHT].hardly_any);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* A tumour that takes up nothing has no line to be off, and is told all the same. */
static void no_uptake_at_all(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	for (int i = 0; i < 4; i++)
		fill_scan(s, i, 0.08 * (i + 1), -0.001, 0.07 * (i + 1));
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(result.time_points[3].trend[TUMOUR_RIGHT].trend, UPTAKE_NOT_ASSESSED);
	assert_true(result.time_points[3].trend[TUMOUR_RIGHT].hardly_any);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* A tumour without a dose in one scan: not assessed, and nothing predicted from the rest. */
static void not_measured_once(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	for (int i = 0; i < 4; i++)
		fill_scan(s, i, 0.05 * (i + 1), 0.2 * (i + 1), 0.1 * (i + 1));
	for (int k = 3; k <= 5; k++)
		for (int j = 5; j <= 9; j++)
			for (int i = 4; i <= 7; i++)
				s->after[1].state[voxel_at(&s->grid, i, j, k)] =
				    R2STAR_NOT_MEASURED;
	struct dosimetry_result result = scene_run(s);
	const struct uptake_result *trend = &result.time_points[3].trend[TUMOUR_RIGHT];
	assert_int_equal(trend->trend, UPTAKE_NOT_ASSESSED);
	assert_true(isnan(trend->expected_gy) && isnan(trend->next_gy));
	assert_int_equal(result.time_points[3].trend[TUMOUR_LEFT].trend, UPTAKE_LINEAR);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void advice_is_off_unless_asked(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	for (int i = 0; i < 4; i++)
		fill_scan(s, i, 0.05 * (i + 1), 0.2 * (i + 1), 0.1 * (i + 1));
	struct dosimetry_result result = scene_run(s);
	assert_true(result.time_points[3].n_healthy > 0);
	assert_true(isnan(result.time_points[3].advice[0].activity_mbq));
	dosimetry_result_free(&result);

	/* 0.05 mg/mL per 100 MBq: the limit of 0.3 mg/mL is met at 600 MBq, 400 are in */
	s->params.advice_limit_gy = 0.3 * GY_PER_MG;
	result = scene_run(s);
	const struct uptake_remaining *advice = &result.time_points[3].advice[0];
	assert_close(advice->activity_mbq, 200, 0.1, 0);
	assert_true(advice->lower_mbq <= advice->activity_mbq);
	assert_true(advice->upper_mbq >= advice->activity_mbq);
	assert_true(isnan(result.time_points[1].advice[0].activity_mbq));
	assert_true(isnan(result.time_points[3].advice[DOSIMETRY_MAX_VOIS - 1].activity_mbq));
	dosimetry_result_free(&result);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(next_injection_of_the_list_then_the_planned_one),
	    cmocka_unit_test(hardly_any_beside_linear),
	    cmocka_unit_test(no_uptake_at_all),
	    cmocka_unit_test(not_measured_once),
	    cmocka_unit_test(advice_is_off_unless_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
