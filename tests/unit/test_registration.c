#include "registration_scene.h"

static void finds_motion_within_one_contrast(void **state)
{
	const double angles[3] = {2 * DEGREES, -1.5 * DEGREES, 3 * DEGREES};
	const double shift_mm[3] = {4, -3, 7};
	struct grid grid = series_grid();
	struct registration_result result;
	struct scene_view brighter = s0_map;
	struct pair pair;
	double mean_mm;

	(void)state;
	skip_under_sanitizers();
	brighter.brightness = 3.5; /* another receiver gain */
	pair_make(&pair, &grid, &grid, angles, shift_mm, &s0_map, &brighter);
	result = solve(&pair, &mean_mm);
	assert_true(result.better && result.converged);
	assert_true(result.metric_end < result.metric_start);
	assert_true(mean_mm < 0.05);
	assert_true(result.residual_mm < 0.1);
	assert_true(result.capture_spread_mm < 1);
	pair_free(&pair);
}

static void finds_motion_across_contrasts(void **state)
{
	const double angles[3] = {2 * DEGREES, -1.5 * DEGREES, 3 * DEGREES};
	const double shift_mm[3] = {4, -3, 7};
	struct grid moving = series_grid(), fixed = anatomy_grid();
	struct registration_result result;
	struct pair pair;
	double mean_mm;

	(void)state;
	skip_under_sanitizers();
	pair_make(&pair, &fixed, &moving, angles, shift_mm, &t1w, &s0_map);
	pair.input.metric = REGISTRATION_MUTUAL_INFORMATION;
	result = solve(&pair, &mean_mm);
	assert_true(result.better && result.converged);
	assert_true(mean_mm < 0.3); /* weakest where the liver is round; tests/bench: a body */
	assert_true(result.residual_mm < 0.8);
	pair_free(&pair);
}

static void converges_from_far(void **state)
{
	const double by = 15 / sqrt(3), turn = 8 * DEGREES / sqrt(3);
	const double angles[3] = {turn, -turn, turn}, shift_mm[3] = {-by, by, by};
	struct grid moving = series_grid(), fixed = anatomy_grid();
	struct pair pair;
	double mean_mm;

	(void)state;
	for (int metric = 0; metric < 2; metric++) {
		struct registration_result result;

		pair_make(&pair, metric ? &fixed : &moving, &moving, angles, shift_mm,
			  metric ? &t1w : &s0_map, &s0_map);
		pair.input.metric =
		    metric ? REGISTRATION_MUTUAL_INFORMATION : REGISTRATION_LEAST_SQUARES;
		result = solve(&pair, &mean_mm);
		assert_true(result.better && result.converged);
		assert_true(mean_mm < (metric ? 0.4 : 0.05));
		pair_free(&pair);
	}
}

/* Axes turned against the patient's, as a liver is often scanned. */
static struct grid oblique(struct grid grid, const double angle_rad[3])
{
	const double none[3] = {0, 0, 0};
	double turn[RIGID_SIZE];
	struct grid turned;

	rigid_from_angles(turn, angle_rad, none, none);
	rigid_move_grid(&turned, &grid, turn, grid.frame_of_reference);
	return turned;
}

static void grids_may_be_oblique(void **state)
{
	const double turn_fixed[3] = {0.3, 0.2, -0.1}, turn_moving[3] = {-0.2, 0.1, 0.3};
	const double angles[3] = {2 * DEGREES, 1 * DEGREES, -3 * DEGREES};
	const double shift_mm[3] = {-5, 3, 6};
	struct grid fixed = oblique(series_grid(), turn_fixed);
	struct grid moving = oblique(series_grid(), turn_moving);
	struct registration_result result;
	struct pair pair;
	double mean_mm;

	(void)state;
	pair_make(&pair, &fixed, &moving, angles, shift_mm, &s0_map, &s0_map);
	result = solve(&pair, &mean_mm);
	assert_true(result.better && result.converged);
	assert_true(mean_mm < 0.08);
	pair_free(&pair);
}

static void region_may_be_on_another_grid(void **state)
{
	const double none[3] = {0, 0, 0}, shift_mm[3] = {3, -4, 5};
	struct grid series = series_grid(), anatomy = anatomy_grid();
	struct pair pair;
	double mean_mm;

	(void)state;
	pair_make(&pair, &series, &series, none, shift_mm, &s0_map, &s0_map);
	mask_free(&pair.region);
	scene_mask(&pair.region, &anatomy);
	(void)solve(&pair, &mean_mm);
	assert_true(mean_mm < 0.05);
	pair_free(&pair);
}

/* Across frames of reference the patient lies somewhere else altogether. */
static void centres_are_aligned_across_frames(void **state)
{
	const double angles[3] = {0, 3 * DEGREES, 4 * DEGREES}, shift_mm[3] = {60, -45, 120};
	struct grid fixed = anatomy_grid(), moving = series_grid();
	struct status st = STATUS_INIT;
	struct registration_result result;
	struct pair pair;
	double mean_mm;

	(void)state;
	for (int a = 0; a < 3; a++)
		moving.origin_mm[a] += shift_mm[a];
	strcpy(moving.frame_of_reference, "4.5.6");
	pair_make(&pair, &fixed, &moving, angles, shift_mm, &t1w, &s0_map);
	pair.input.metric = REGISTRATION_MUTUAL_INFORMATION;
	(void)solve(&pair, &mean_mm);
	assert_true(mean_mm < 0.5);
	/* within one frame a start that far is not guessed */
	strcpy(pair.moving.grid.frame_of_reference, "1.2.3");
	pair.moving.grid.origin_mm[2] += 200;
	assert_int_equal(registration_rigid(&result, &pair.input, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "1000 voxels"));
	pair_free(&pair);
}

/* What 400 Gy leave of S0: nothing in the middle, anything around it. */
static void burn(struct volume *volume, const double to_body[RIGID_SIZE])
{
	const double centre_mm[3] = {-25, 15, 20}, radius_mm = 22;

	for (size_t at = 0; at < grid_voxels(&volume->grid); at++) {
		const size_t columns = (size_t)volume->grid.columns;
		const double voxel[3] = {(double)(at % columns),
					 (double)(at / columns % (size_t)volume->grid.rows),
					 (double)(at / columns / (size_t)volume->grid.rows)};
		double p[3], square = 0;

		grid_to_patient(&volume->grid, voxel, p);
		rigid_apply(p, to_body, p);
		for (int a = 0; a < 3; a++)
			square += (p[a] - centre_mm[a]) * (p[a] - centre_mm[a]);
		if (square < radius_mm * radius_mm / 2)
			volume->samples[at] = NAN;
		else if (square < radius_mm * radius_mm)
			volume->samples[at] *= (float)exp(1.5 * scene_noise());
	}
}

static void a_hot_tumour_does_not_move_it(void **state)
{
	const double angles[3] = {1 * DEGREES, -2 * DEGREES, 2 * DEGREES};
	const double shift_mm[3] = {4, 3, -6};
	struct grid grid = series_grid();
	struct registration_result cold, hot;
	double to_body[RIGID_SIZE], mean_mm, most_mm;
	struct pair pair;

	(void)state;
	skip_under_sanitizers();
	pair_make(&pair, &grid, &grid, angles, shift_mm, &s0_map, &s0_map);
	cold = solve(&pair, &mean_mm);
	rigid_invert(to_body, pair.truth);
	burn(&pair.moving, to_body);
	hot = solve(&pair, &mean_mm);
	scene_error_mm(hot.transform, cold.transform, &mean_mm, &most_mm);
	print_message("the tumour moved it by %.4f mm, at most %.4f mm\n", mean_mm, most_mm);
	assert_true(most_mm < 0.2);
	assert_true(hot.residual_mm < 0.5);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_motion_within_one_contrast),
	    cmocka_unit_test(finds_motion_across_contrasts),
	    cmocka_unit_test(converges_from_far),
	    cmocka_unit_test(grids_may_be_oblique),
	    cmocka_unit_test(region_may_be_on_another_grid),
	    cmocka_unit_test(centres_are_aligned_across_frames),
	    cmocka_unit_test(a_hot_tumour_does_not_move_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
