/* Constants and decay against published figures and closed forms. */
#include "check.h"
#include "holmium.h"

static void half_life_is_26_8_hours(void **state)
{
	(void)state;
	assert_close(holmium_decay_factor(0, 26.8 * 3600), 0.5, 1e-12, 0);
	/* A(24 h) = 53.8 %, A(48 h) = 28.9 %; 2.553 % less per hour */
	assert_close(holmium_decay_factor(0, 24 * 3600), 0.538, 5e-4, 0);
	assert_close(holmium_decay_factor(0, 48 * 3600), 0.289, 5e-4, 0);
	assert_close(1 - holmium_decay_factor(0, 3600), 0.02553, 5e-6, 0);
}

static void decay_composes_and_turns_back(void **state)
{
	(void)state;
	double there = holmium_decay_factor(1000, 50000), on = holmium_decay_factor(50000, 90000);
	assert_close(there * on, holmium_decay_factor(1000, 90000), 0, 1e-14);
	assert_close(there * holmium_decay_factor(50000, 1000), 1, 1e-14, 0);
}

/* T9: fractions at 0, 0.33, 0.67 and 1.0 h */
static void specific_activity_falls_by_2_55_percent_in_the_hour_of_treatment(void **state)
{
	(void)state;
	const double at_h[] = {0, 0.33, 0.67, 1.0};
	for (int i = 0; i < 4; i++) {
		double specific = 12.0 * holmium_decay_factor(0, at_h[i] * 3600);
		assert_close(specific, 12.0 * pow(2, -at_h[i] / 26.8), 0, 1e-12);
	}
	assert_measured("T9", "specific activity after one hour, share of the first",
			holmium_decay_factor(0, 3600), 1 - 0.0255, 1e-4, 0, "1");
}

/* The second injection of treatment.example.xml: prepared 1290 MBq at 09:30, start 10:21, residual
 * 58 MBq at 11:40; seconds from 09:30. */
static void record_example_nets_1201_9_mbq(void **state)
{
	(void)state;
	const double start = 51 * 60, residual = 130 * 60;
	double net = holmium_net_activity_mbq(start, 1290, 0, 58, residual);
	assert_measured("record", "net activity of the example record's second injection", net,
			1201.9, 0.05, 0, "MBq");
	double lambda_per_min = log(2) / (26.8 * 60);
	assert_close(net, 1290 * exp(-lambda_per_min * 51) - 58 * exp(lambda_per_min * 79), 0,
		     1e-12);
	/* without the residual it is the prepared activity at start */
	assert_close(holmium_net_activity_mbq(start, 1290, 0, NAN, NAN),
		     1290 * exp(-lambda_per_min * 51), 0, 1e-12);
}

/* Handy products of the physics page: at 12 MBq/mg and 217.8 per s per mg/mL, 60 Gy is 73 /s. */
static void microspheres_follow_relaxivity(void **state)
{
	(void)state;
	assert_close(holmium_microspheres_mg_per_ml(217.8, 217.8), 1, 1e-15, 0);
	double mg_per_ml = holmium_microspheres_mg_per_ml(73, 217.8);
	assert_close(mg_per_ml * 12.0 * HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ /
			 HOLMIUM_TISSUE_DENSITY_G_PER_ML,
		     60, 0.3, 0);
	assert_close(holmium_microspheres_mg_per_ml(-10, 200), -0.05, 1e-15, 0);
}

/* Theory: 189.9 at 17.0 %, 217.8 at 19.5 % (3 T, 310 K). */
static void relaxivity_is_proportional_to_holmium_content(void **state)
{
	(void)state;
	assert_close(holmium_relaxivity_for_content(217.8, 17.0, 19.5), 189.9, 0.05, 0);
	assert_close(holmium_relaxivity_for_content(217.8, NAN, 19.5), 217.8, 0, 0);
	assert_close(holmium_relaxivity_for_content(217.8, 17.0, NAN), 217.8, 0, 0);
}

static void effective_specific_activity_keeps_activity_and_mass(void **state)
{
	(void)state;
	const double activity[] = {100, 300}, specific[] = {10, 12};
	double joined = holmium_effective_specific_activity(activity, specific, 2);
	assert_close(joined, 400 / (100 / 10.0 + 300 / 12.0), 0, 1e-14);
	assert_close(holmium_effective_specific_activity(activity, specific, 1), 10, 0, 1e-14);
	const double unknown[] = {100, NAN};
	assert_true(isnan(holmium_effective_specific_activity(unknown, specific, 2)));
	assert_true(isnan(holmium_effective_specific_activity(activity, unknown, 2)));
	assert_true(isnan(holmium_effective_specific_activity(activity, specific, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(half_life_is_26_8_hours),
	    cmocka_unit_test(decay_composes_and_turns_back),
	    cmocka_unit_test(specific_activity_falls_by_2_55_percent_in_the_hour_of_treatment),
	    cmocka_unit_test(record_example_nets_1201_9_mbq),
	    cmocka_unit_test(microspheres_follow_relaxivity),
	    cmocka_unit_test(relaxivity_is_proportional_to_holmium_content),
	    cmocka_unit_test(effective_specific_activity_keeps_activity_and_mass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
