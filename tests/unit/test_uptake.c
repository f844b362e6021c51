/* T6, bands and predictions against scipy.stats (linregress, t.ppf), Fieller's bounds against the
 * roots that scipy.optimize.brentq finds, and the cases in which nothing can be said. */
#include "check.h"
#include "student_t.h"
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
	assert_measured("T6", "last step cut by 25 %: deviation, linear", result.deviation_percent,
			-7.5, 1e-9, 0, "%");
}

static void a_step_cut_by_two_fifths_is_saturating(void **state)
{
	(void)state;
	struct uptake_result result = cut_last(0.88);
	assert_int_equal(result.trend, UPTAKE_SATURATING);
	assert_measured("T6", "last step cut by 40 %: deviation, saturating",
			result.deviation_percent, -12, 1e-9, 0, "%");
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

/* scipy.stats.t.ppf(0.975, n); ppf(0.995, n). One degree of freedom is tan(pi p / 2). */
static void student_t_as_scipy(void **state)
{
	(void)state;
	assert_close(student_t_quantile(0.95, 1), tan(acos(-1.0) * 0.95 / 2), 0, 1e-13);
	assert_close(student_t_quantile(0.95, 2), 4.302652729911275, 0, 1e-9);
	assert_close(student_t_quantile(0.95, 3), 3.182446305284263, 0, 1e-9);
	assert_close(student_t_quantile(0.95, 7), 2.3646242510102993, 0, 1e-9);
	assert_close(student_t_quantile(0.95, 30), 2.0422724563012373, 0, 1e-8);
	assert_close(student_t_quantile(0.99, 1), 63.65674116287399, 0, 1e-9);
	assert_close(student_t_quantile(0.99, 30), 2.7499956535670305, 0, 1e-8);
	assert_close(student_t_quantile(0.90, 7), 1.894578605061305, 0, 1e-9);
	for (int n = 1; n < 40; n++)
		assert_close(student_t_central_share(student_t_quantile(0.9, n), n), 0.9, 1e-13, 0);
	assert_true(isnan(student_t_quantile(0.95, 0)));
	assert_true(isnan(student_t_quantile(1, 5)));
	assert_true(isnan(student_t_central_share(-1, 5)));
}

static const double MBQ[] = {400, 1600, 2800, 4000, 5200};
static const double GY[] = {9, 31, 58, 78, 104};

static void band_is_the_prediction_interval(void **state)
{
	(void)state;
	struct uptake_result result = uptake_assess(MBQ, GY, 5, 10, NAN);
	assert_close(result.slope_gy_per_mbq, 0.0195, 1e-12, 0);
	assert_close(result.intercept_gy, 1.1, 1e-9, 0);
	assert_close(result.expected_gy, 102.5, 1e-9, 0);
	assert_close(result.expected_lower_gy, 88.72479000992428, 1e-6, 0);
	assert_close(result.expected_upper_gy, 116.27520999007572, 1e-6, 0);
	assert_int_equal(result.trend, UPTAKE_LINEAR);
	/* the paper's case: three points on the line, t of one degree of freedom */
	result = uptake_assess(MBQ, GY, 4, 10, NAN);
	assert_close(result.expected_gy, 81.66666666666667, 1e-9, 0);
	assert_close(result.expected_lower_gy, 34.313437455513416, 1e-6, 0);
	assert_close(result.expected_upper_gy, 129.01989587781992, 1e-6, 0);
}

static void next_injection_is_predicted(void **state)
{
	(void)state;
	struct uptake_result result = uptake_assess(MBQ, GY, 5, 10, 6400);
	assert_close(result.next_gy, 127.1, 1e-9, 0);
	assert_close(result.next_lower_gy, 119.06786866542068, 1e-6, 0);
	assert_close(result.next_upper_gy, 135.13213133457936, 1e-6, 0);
	/* two points: a line without a band, and no verdict */
	result = uptake_assess(MBQ, GY, 2, 10, 2800);
	assert_close(result.next_gy, 53, 1e-9, 0);
	assert_true(isnan(result.next_lower_gy) && isnan(result.next_upper_gy));
	assert_true(isnan(result.expected_gy) && isnan(result.slope_gy_per_mbq));
	assert_int_equal(result.trend, UPTAKE_NOT_ASSESSED);
	assert_true(isnan(uptake_assess(MBQ, GY, 1, 10, 2800).next_gy));
	assert_true(isnan(uptake_assess(MBQ, GY, 5, 10, NAN).next_gy));
	/* an activity that does not rise is no injection to come */
	assert_true(isnan(uptake_assess(MBQ, GY, 5, 10, 5200).next_gy));
}

/* What was predicted at one scan is what the next one is judged by. */
static void prediction_becomes_expectation(void **state)
{
	(void)state;
	struct uptake_result before = uptake_assess(MBQ, GY, 4, 10, 5200);
	struct uptake_result after = uptake_assess(MBQ, GY, 5, 10, NAN);
	assert_close(after.expected_gy, before.next_gy, 1e-12, 0);
	assert_close(after.expected_lower_gy, before.next_lower_gy, 1e-12, 0);
	assert_close(after.expected_upper_gy, before.next_upper_gy, 1e-12, 0);
}

/* 17 Gy where 60 were planned for the targeted liver is hardly any; 25.8 is not (source paper). */
static void hardly_any_uptake(void **state)
{
	(void)state;
	assert_true(uptake_hardly_any(17, 60));
	assert_false(uptake_hardly_any(25.8, 60));
	assert_true(uptake_hardly_any(-1, 60));
	assert_false(uptake_hardly_any(NAN, 60));
	assert_false(uptake_hardly_any(1, NAN));
	assert_false(uptake_hardly_any(-5, 0));
}

static void activity_until_the_limit(void **state)
{
	(void)state;
	const double healthy[] = {3.1, 11.2, 19.0, 28.3, 35.9};
	struct uptake_remaining left = uptake_until_limit(MBQ, healthy, 5, 55);
	assert_close(left.activity_mbq, 2751.1487303506656, 1e-6, 0);
	assert_close(left.lower_mbq, 2477.000836902357, 1e-5, 0);
	assert_close(left.upper_mbq, 3054.4162569348155, 1e-5, 0);
	/* reached: nothing is left, and never less than nothing */
	left = uptake_until_limit(MBQ, healthy, 5, 30);
	assert_close(left.activity_mbq + left.lower_mbq + left.upper_mbq, 0, 0, 0);
	left = uptake_until_limit(MBQ, healthy, 5, 37);
	assert_close(left.lower_mbq, 0, 0, 0);
	assert_true(left.activity_mbq > 0 && left.upper_mbq > left.activity_mbq);
	/* no rise that stands out from the scatter, too few points, no limit: no number */
	const double flat[] = {20, 22, 19, 23, 20.5};
	assert_true(isnan(uptake_until_limit(MBQ, flat, 5, 55).activity_mbq));
	assert_true(isnan(uptake_until_limit(MBQ, flat, 5, 55).upper_mbq));
	assert_true(isnan(uptake_until_limit(MBQ, healthy, 2, 55).activity_mbq));
	assert_true(isnan(uptake_until_limit(MBQ, healthy, 5, NAN).activity_mbq));
	const double hole[] = {3.1, NAN, 19.0, 28.3, 35.9};
	assert_true(isnan(uptake_until_limit(MBQ, hole, 5, 55).activity_mbq));
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
	    cmocka_unit_test(student_t_as_scipy),
	    cmocka_unit_test(band_is_the_prediction_interval),
	    cmocka_unit_test(next_injection_is_predicted),
	    cmocka_unit_test(prediction_becomes_expectation),
	    cmocka_unit_test(hardly_any_uptake),
	    cmocka_unit_test(activity_until_the_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
