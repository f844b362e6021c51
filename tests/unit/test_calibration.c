/* The line against numpy and scipy, lack of fit against the classical test on the voxels
 * themselves, hot and bent vials. */
#include "calibration.h"

#include "check.h"

#include <stdlib.h>

static struct calibration_vial vial(const char *name, double c, double r2star, double error,
				    double voxels)
{
	return (struct calibration_vial){.name = name,
					 .microspheres_mg_per_ml = c,
					 .r2star_per_s = r2star,
					 .standard_error_per_s = error,
					 .standard_deviation_per_s = error * sqrt(voxels),
					 .voxels = voxels};
}

static const double limit_percent = 5;

/* numpy.linalg.lstsq on the scaled system, scipy.optimize.curve_fit(sigma=, absolute_sigma=False)
 * for the errors, scipy.stats for t and F. */
static void line_interval_and_lack_of_fit(void **state)
{
	(void)state;
	const struct calibration_vial vials[] = {
	    vial("a", 0, 12.31, 0.35, 400),  vial("b", 0.25, 66.02, 0.41, 390),
	    vial("c", 0.5, 121.9, 0.6, 410), vial("d", 1, 229.1, 0.9, 400),
	    vial("e", 1.5, 339.4, 1.6, 395), vial("f", 2, 446.2, 2.5, 405),
	};
	struct calibration_result r;
	struct status st = STATUS_INIT;
	assert_ok(calibration_fit(&r, vials, 6, limit_percent, &st), &st);
	assert_close(r.relaxivity_per_s_per_mg_per_ml, 217.52792227, 0, 1e-9);
	assert_close(r.relaxivity_standard_error, 0.73819165, 0, 1e-7);
	assert_close(r.relaxivity_lower, 215.478373673, 0, 1e-8);
	assert_close(r.relaxivity_upper, 219.577470859, 0, 1e-8);
	assert_close(r.intercept_per_s, 12.17673476, 0, 1e-8);
	assert_close(r.intercept_lower, 11.2498134738, 0, 1e-6);
	assert_close(r.intercept_upper, 13.1036560526, 0, 1e-6);
	assert_close(r.r_squared, 0.9999539374233973, 1e-12, 0);
	assert_close(r.lack_of_fit_f, 1.3471315777747648, 0, 1e-8);
	assert_close(r.lack_of_fit_p, 0.2500501916326933, 0, 1e-6);
	assert_close(r.deviation_percent[0], 1.09442506, 1e-6, 0);
	assert_close(r.deviation_percent[5], -0.23088195, 1e-6, 0);
	assert_int_equal(r.used, 6);
	assert_close(r.linear_to_mg_per_ml, 2, 0, 0);
}

/* Four vials of five voxels each, m + 3 * (-2, -1, 0, 1, 2): the textbook's sums of squares over
 * the twenty voxels give F = 3.57778 and p = 0.0519659 (scipy.stats.linregress and f.sf). */
static void lack_of_fit_is_the_classical_one(void **state)
{
	(void)state;
	const double sd = sqrt(22.5), error = sd / sqrt(5);
	const struct calibration_vial vials[] = {
	    vial("a", 0, 10, error, 5),
	    vial("b", 1, 210, error, 5),
	    vial("c", 2, 415, error, 5),
	    vial("d", 3, 607, error, 5),
	};
	struct calibration_result r;
	struct status st = STATUS_INIT;
	assert_ok(calibration_fit(&r, vials, 4, 20, &st), &st);
	assert_close(r.relaxivity_per_s_per_mg_per_ml, 199.6, 1e-9, 0);
	assert_close(r.intercept_per_s, 11.1, 1e-9, 0);
	assert_close(r.lack_of_fit_f, 3.5777777777777575, 0, 1e-9);
	assert_close(r.lack_of_fit_p, 0.05196587205880011, 0, 1e-7);
}

/* A line without scatter, and two vials of one concentration: exact, in whatever order. */
static void exact_line_in_any_order(void **state)
{
	(void)state;
	const struct calibration_vial vials[] = {
	    vial("2", 2, 5 + 2 * 217.8, 3, 100),
	    vial("0", 0, 5, 0.2, 100),
	    vial("1 again", 1, 5 + 217.8, 2, 100),
	    vial("1", 1, 5 + 217.8, 1, 100),
	};
	struct calibration_result r;
	struct status st = STATUS_INIT;
	assert_ok(calibration_fit(&r, vials, 4, limit_percent, &st), &st);
	assert_close(r.relaxivity_per_s_per_mg_per_ml, 217.8, 1e-10, 0);
	assert_close(r.intercept_per_s, 5, 1e-10, 0);
	assert_close(r.relaxivity_upper - r.relaxivity_lower, 0, 1e-9, 0);
	assert_close(r.lack_of_fit_p, 1, 1e-9, 0);
	assert_int_equal(r.used, 4);
}

/* The two highest vials bend down, each hiding the other a little: both leave the line. */
static void bent_vials_leave_from_the_top(void **state)
{
	(void)state;
	const struct calibration_vial vials[] = {
	    vial("0", 0, 5, 0.3, 300),	       vial("1", 1, 205, 1, 300),
	    vial("2", 2, 405, 2, 300),	       vial("4", 4, 805 * 0.98, 4, 300),
	    vial("8", 8, 1605 * 0.9, 10, 300), vial("12", 12, 2405 * 0.7, 20, 300),
	};
	struct calibration_result r;
	struct status st = STATUS_INIT;
	assert_ok(calibration_fit(&r, vials, 6, limit_percent, &st), &st);
	assert_int_equal(r.place[5], CALIBRATION_OFF_THE_LINE);
	assert_int_equal(r.place[4], CALIBRATION_OFF_THE_LINE);
	assert_int_equal(r.place[3], CALIBRATION_IN_LINE); /* 2 % is inside the limit */
	assert_int_equal(r.used, 4);
	assert_close(r.linear_to_mg_per_ml, 4, 0, 0);
	assert_close(r.relaxivity_per_s_per_mg_per_ml, 200, 0, 0.01);
	assert_true(r.deviation_percent[5] < -25);
}

/* 6 % off the line through the others and 2 % off the one it has pulled towards itself. */
static void the_highest_is_judged_by_the_others(void **state)
{
	(void)state;
	const struct calibration_vial vials[] = {
	    vial("0", 0, 100, 1, 300),
	    vial("1", 1, 200, 1, 300),
	    vial("2", 2, 300, 1, 300),
	    vial("3", 3, 375, 1, 300),
	};
	struct calibration_result r;
	struct status st = STATUS_INIT;
	assert_ok(calibration_fit(&r, vials, 4, limit_percent, &st), &st);
	assert_int_equal(r.place[3], CALIBRATION_OFF_THE_LINE);
	assert_close(r.relaxivity_per_s_per_mg_per_ml, 100, 1e-9, 0);
	assert_close(r.deviation_percent[3], -6.25, 1e-9, 0);
}

/* A hot vial's mean is that of its cooler voxels: it leaves the line even where it lies on it, and
 * so does what is above it. */
static void hot_vials_leave_whatever_their_mean(void **state)
{
	(void)state;
	struct calibration_vial vials[] = {
	    vial("0", 0, 5, 0.3, 300), vial("1", 1, 205, 1, 300),
	    vial("2", 2, 405, 2, 300), vial("4", 4, 805, 4, 300),
	    vial("9", 9, 1805, 4, 10), vial("5", 5, (double)NAN, (double)NAN, 0),
	};
	struct calibration_result r;
	struct status st = STATUS_INIT;
	vials[3].few_echo_share = 0.04;
	vials[5].few_echo_share = 1;
	assert_ok(calibration_fit(&r, vials, 6, limit_percent, &st), &st);
	assert_int_equal(r.place[3], CALIBRATION_IN_LINE);
	assert_int_equal(r.place[4], CALIBRATION_HOT);
	assert_int_equal(r.place[5], CALIBRATION_HOT);
	assert_int_equal(r.used, 4);
	assert_close(r.linear_to_mg_per_ml, 4, 0, 0);
	assert_close(r.relaxivity_per_s_per_mg_per_ml, 200, 1e-9, 0);
	assert_true(isnan(r.deviation_percent[5]));
}

static void expect_refusal(const struct calibration_vial *vials, int n, const char *words)
{
	struct calibration_result r = {.used = 77};
	struct status st = STATUS_INIT;
	assert_int_equal(calibration_fit(&r, vials, n, limit_percent, &st), STATUS_REFUSE);
	if (!strstr(st.text, words))
		print_message("\"%s\" without \"%s\"\n", st.text, words);
	assert_non_null(strstr(st.text, words));
	assert_int_equal(r.used, 77);
}

static void what_makes_no_line_is_refused(void **state)
{
	(void)state;
	struct calibration_vial vials[] = {
	    vial("0", 0, 5, 0.3, 300),
	    vial("1", 1, 205, 1, 300),
	    vial("1 again", 1, 206, 1, 300),
	    vial("2", 2, 405, 2, 300),
	};
	expect_refusal(vials, 3, "2 concentrations");
	expect_refusal(vials, 0, "0 concentrations");
	vials[3].few_echo_share = 0.5;
	expect_refusal(vials, 4, "2 concentrations that the echoes can follow");
	vials[3].few_echo_share = 0;
	vials[3].r2star_per_s = (double)NAN;
	expect_refusal(vials, 4, "vial \"2\" has no measured R2*");
	vials[3].r2star_per_s = 405;
	vials[3].standard_error_per_s = 0;
	expect_refusal(vials, 4, "vial \"2\" has no measured R2*");
	vials[3].standard_error_per_s = 2;
	vials[3].microspheres_mg_per_ml = -2;
	expect_refusal(vials, 4, "concentration -2");
	const struct calibration_vial falling[] = {
	    vial("0", 0, 405, 1, 300), vial("1", 1, 205, 1, 300), vial("2", 2, 5, 1, 300)};
	expect_refusal(falling, 3, "does not rise");
}

/* ---- one vial ---- */

enum { SIDE = 16, SLICES = 5 };

static const struct grid grid = {.columns = SIDE,
				 .rows = SIDE,
				 .slices = SLICES,
				 .column_step_mm = {1, 0, 0},
				 .row_step_mm = {0, 1, 0},
				 .slice_step_mm = {0, 0, 3},
				 .frame_of_reference = "1.2"};

/* A square vial of 8 x 8 pixels through slices 1 to 3. Its rim, end slices and surroundings read
 * 999: only what is away from every wall reads 100 + column. */
static void voxels_at_the_wall_do_not_count(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct mask mask = MASK_INIT;
	struct r2star_map map = {.state = calloc(SIDE * SIDE * SLICES, 1)};
	assert_ok(mask_new(&mask, &grid, &st), &st);
	assert_ok(volume_new(&map.r2star_per_s, &grid, 999, &st), &st);
	assert_non_null(map.state);
	memset(map.state, R2STAR_FITTED, SIDE * SIDE * SLICES);
	for (int k = 1; k <= 3; k++)
		for (int j = 4; j < 12; j++)
			for (int i = 4; i < 12; i++)
				mask.coverage[(k * SIDE + j) * SIDE + i] = 1;
	for (int j = 5; j < 11; j++)
		for (int i = 5; i < 11; i++)
			map.r2star_per_s.samples[(2 * SIDE + j) * SIDE + i] = (float)(100 + i);
	mask_update_bounds(&mask);

	struct calibration_vial v = {.name = "v"};
	assert_ok(calibration_measure_vial(&v, &map, &mask, &st), &st);
	assert_close(v.voxels, 36, 0, 0);
	assert_close(v.r2star_per_s, 107.5, 1e-9, 0);
	/* columns 105 ... 110, six of each: sum of squares 6 * 17.5 */
	assert_close(v.standard_deviation_per_s, sqrt(105.0 / 35), 1e-9, 0);
	assert_close(v.standard_error_per_s, sqrt(105.0 / 35) / 6, 1e-9, 0);
	assert_close(v.few_echo_share, 0, 0, 0);

	/* nine of 36 too fast for the echoes: not in the mean, and said */
	for (int j = 5; j < 8; j++)
		for (int i = 8; i < 11; i++)
			map.state[(2 * SIDE + j) * SIDE + i] = R2STAR_FEW_ECHOES;
	assert_ok(calibration_measure_vial(&v, &map, &mask, &st), &st);
	assert_close(v.few_echo_share, 0.25, 0, 0);
	assert_close(v.voxels, 27, 0, 0);

	/* all of them: no value, not 0 */
	memset(map.state, R2STAR_NO_ECHO, SIDE * SIDE * SLICES);
	assert_ok(calibration_measure_vial(&v, &map, &mask, &st), &st);
	assert_close(v.few_echo_share, 1, 0, 0);
	assert_true(isnan(v.r2star_per_s) && isnan(v.standard_error_per_s));

	/* a vial of 5 x 5 pixels leaves 3 x 3 */
	memset(mask.coverage, 0, SIDE * SIDE * SLICES * sizeof *mask.coverage);
	for (int k = 1; k <= 3; k++)
		for (int j = 4; j < 9; j++)
			for (int i = 4; i < 9; i++)
				mask.coverage[(k * SIDE + j) * SIDE + i] = 1;
	mask_update_bounds(&mask);
	assert_int_equal(calibration_measure_vial(&v, &map, &mask, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "vial \"v\": 9 voxels"));
	volume_free(&map.r2star_per_s);
	free(map.state);
	mask_free(&mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(line_interval_and_lack_of_fit),
	    cmocka_unit_test(lack_of_fit_is_the_classical_one),
	    cmocka_unit_test(exact_line_in_any_order),
	    cmocka_unit_test(bent_vials_leave_from_the_top),
	    cmocka_unit_test(the_highest_is_judged_by_the_others),
	    cmocka_unit_test(hot_vials_leave_whatever_their_mean),
	    cmocka_unit_test(what_makes_no_line_is_refused),
	    cmocka_unit_test(voxels_at_the_wall_do_not_count),
	};
	return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
