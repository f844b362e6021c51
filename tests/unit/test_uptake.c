/* T6 and the cases in which nothing can be said. */
#include "check.h"
#include "uptake.h"

static const double SHARE[] = {10, 40, 70, 100};

/* Dose proportional to the share, the last one cut. */
static struct uptake_result cut_last(double factor)
{
	double dose[4];
	for (int i = 0; i < 4; i++)
		dose[i] = 1.2 * SHARE[i];
	dose[3] *= factor;
	return uptake_assess(SHARE, dose, 4, 10, NAN);
}

static void a_step_cut_by_a_quarter_is_linear(void **state)
{
	(void)state;
	/* steps of 30: 70 + 0.75 * 30 = 92.5 of 100 */
	struct uptake_result result = cut_last(0.925);
	assert_int_equal(result.trend, UPTAKE_LINEAR);
	assert_close(result.expected_gy, 120, 1e-9, 0);
	assert_close(result.deviation_percent, -7.5, 1e-9, 0);
}

static void a_step_cut_by_two_fifths_is_saturating(void **state)
{
	(void)state;
	struct uptake_result result = cut_last(0.88);
	assert_int_equal(result.trend, UPTAKE_SATURATING);
	assert_close(result.deviation_percent, -12, 1e-9, 0);
}

static void more_than_the_line_is_rising(void **state)
{
	(void)state;
	assert_int_equal(cut_last(1.12).trend, UPTAKE_RISING);
	assert_int_equal(cut_last(1.09).trend, UPTAKE_LINEAR);
}

/* The line has an intercept: what came by another way before does not bend it. */
static void intercept_is_free(void **state)
{
	(void)state;
	const double dose[] = {35, 65, 95, 125};
	struct uptake_result result = uptake_assess(SHARE, dose, 4, 10, NAN);
	assert_close(result.expected_gy, 125, 1e-9, 0);
	assert_int_equal(result.trend, UPTAKE_LINEAR);
}

/* Three points off a line: least squares by hand. x 0 1 2, y 0 1 5 -> slope 2.5, mean 2 -> y(3)
 * = 7. */
static void line_is_least_squares(void **state)
{
	(void)state;
	const double x[] = {0, 1, 2, 3}, y[] = {0, 1, 5, 7};
	assert_close(uptake_assess(x, y, 4, 10, NAN).expected_gy, 7, 1e-12, 0);
}

static void nothing_is_said_without_ground(void **state)
{
	(void)state;
	const double dose[] = {10, 40, 70, 100}, hole[] = {10, NAN, 70, 100};
	const double same[] = {10, 40, 40, 70}, zero[] = {0, 0, 0, 5};
	assert_int_equal(uptake_assess(SHARE, dose, 3, 10, NAN).trend, UPTAKE_NOT_ASSESSED);
	assert_int_equal(uptake_assess(SHARE, hole, 4, 10, NAN).trend, UPTAKE_NOT_ASSESSED);
	assert_int_equal(uptake_assess(hole, dose, 4, 10, NAN).trend, UPTAKE_NOT_ASSESSED);
	assert_int_equal(uptake_assess(same, dose, 4, 10, NAN).trend, UPTAKE_NOT_ASSESSED);
	assert_int_equal(uptake_assess(SHARE, zero, 4, 10, NAN).trend, UPTAKE_NOT_ASSESSED);
	assert_true(isnan(uptake_assess(SHARE, hole, 4, 10, NAN).expected_gy));
	assert_string_equal(uptake_trend_name(UPTAKE_NOT_ASSESSED), "not assessed");
	assert_string_equal(uptake_trend_name(UPTAKE_SATURATING), "saturating");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_step_cut_by_a_quarter_is_linear),
	    cmocka_unit_test(a_step_cut_by_two_fifths_is_saturating),
	    cmocka_unit_test(more_than_the_line_is_rising),
	    cmocka_unit_test(intercept_is_free),
	    cmocka_unit_test(line_is_least_squares),
	    cmocka_unit_test(nothing_is_said_without_ground),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
