/* Quantiles and tails against scipy.stats (1.10) and closed forms. */
#include "check.h"
#include "distribution.h"

static void student_t(void **state)
{
	(void)state;
	static const struct {
		double probability, degrees, expected; /* scipy.stats.t.ppf */
	} rows[] = {
	    {0.975, 1, 12.706204736432095}, {0.975, 2, 4.302652729911275},
	    {0.975, 5, 2.5705818366147395}, {0.975, 30, 2.0422724563012373},
	    {0.995, 4, 4.604094871415897},  {0.025, 7, -2.3646242510103},
	    {0.6, 3, 0.27667066230490933},  {0.975, 1e6, 1.9599663568141066},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_close(distribution_student_t_quantile(rows[i].probability, rows[i].degrees),
			     rows[i].expected, 0, 1e-9);
	assert_close(distribution_student_t_quantile(0.5, 3), 0, 1e-12, 0);
	/* two degrees: t = (2p - 1) sqrt(2 / (4 p (1 - p))) */
	assert_close(distribution_student_t_quantile(0.9, 2), 0.8 * sqrt(2 / 0.36), 0, 1e-12);
	assert_true(isnan(distribution_student_t_quantile(1, 3)));
	assert_true(isnan(distribution_student_t_quantile(0.975, 0)));
	assert_true(isnan(distribution_student_t_quantile((double)NAN, 3)));
}

static void f_tail(void **state)
{
	(void)state;
	static const struct {
		double f, numerator, denominator, expected; /* scipy.stats.f.sf */
	} rows[] = {
	    {1, 2, 10, 0.401877572016461},   {4.2, 3, 500, 0.005972951258153901},
	    {0.3, 5, 7, 0.8981557643278846}, {19.4, 4, 1e5, 5.694602604505067e-16},
	    {2.5, 1, 1, 0.3590170359713762},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_close(distribution_f_tail(rows[i].f, rows[i].numerator, rows[i].denominator),
			     rows[i].expected, 0, 1e-8);
	assert_close(distribution_f_tail(0, 2, 3), 1, 0, 0);
	assert_true(isnan(distribution_f_tail(-1, 2, 3)));
	assert_true(isnan(distribution_f_tail(1, 0, 3)));
}

static void incomplete_beta(void **state)
{
	(void)state;
	/* scipy.special.betainc, and I_x(2, 3) = x^2 (6 - 8 x + 3 x^2) */
	assert_close(distribution_incomplete_beta(0.5, 0.5, 0.3), 0.3690101195655454, 0, 1e-12);
	assert_close(distribution_incomplete_beta(2, 3, 0.9), 0.81 * (6 - 7.2 + 2.43), 0, 1e-12);
	assert_close(distribution_incomplete_beta(5e4, 1.5, 0.9999), 0.01856146054011295, 0, 1e-8);
	assert_close(distribution_incomplete_beta(1e5, 20, 0.9998), 0.46991080815358777, 0, 1e-8);
	assert_close(distribution_incomplete_beta(2, 3, 0), 0, 0, 0);
	assert_close(distribution_incomplete_beta(2, 3, 1), 1, 0, 0);
	assert_true(isnan(distribution_incomplete_beta(0, 3, 0.5)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(student_t),
	    cmocka_unit_test(f_tail),
	    cmocka_unit_test(incomplete_beta),
	};
	return cmocka_run_group_tests_name("distribution", tests, NULL, NULL);
}
