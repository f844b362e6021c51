/* Isotopes, decay and dose of emission images against closed forms and published figures. */
#include "check.h"

#include "emission.h"

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return 0;
}

static void isotopes_are_found_however_they_are_written(void **state)
{
	(void)state;
	const struct {
		const char *name, *value, *scheme, *is;
	} rows[] = {
	    {"Ho-166", "", "", "Ho-166"},
	    {"166Ho", "", "", "Ho-166"},
	    {"^166^Holmium", NULL, NULL, "Ho-166"},
	    {"", "C1943", "NCIt", "Ho-166"},
	    {"Holmium-166", "C1943", "NCIt", "Ho-166"},
	    {"^90^Yttrium", "14691008", "SCT", "Y-90"},
	    {"", "C-162A7", "SRT", "Y-90"},
	    {"177 Lutetium", "C-101ED", "99SDM", "Lu-177"},
	    {"99m Technetium", "C-163A8", "99SDM", "Tc-99m"},
	    {"99mTc", "", "", "Tc-99m"},
	    {"Tc-99m", "", "", "Tc-99m"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct isotope *found =
		    isotope_find(rows[i].name, rows[i].value, rows[i].scheme);
		assert_non_null(found);
		assert_string_equal(found->name, rows[i].is);
		assert_true(strlen(found->source) > 0);
	}
}

static void other_isotopes_are_not_taken_for_ours(void **state)
{
	(void)state;
	assert_null(isotope_find("166mHo", "", ""));	    /* 1200 years */
	assert_null(isotope_find("86Y", "C-162A3", "SRT")); /* PET isotope of the same element */
	assert_null(isotope_find("^18^Fluorine", "C-111A1", "SRT"));
	assert_null(isotope_find("99Tc", "", ""));
	assert_null(isotope_find("", "", ""));
	assert_null(isotope_find(NULL, NULL, NULL));
	/* the same value in another scheme is another thing */
	assert_null(isotope_find("", "C1943", "SCT"));
	/* name and code contradict each other */
	assert_null(isotope_find("^166^Holmium", "14691008", "SCT"));
}

static void half_lives_are_those_of_icrp_107(void **state)
{
	(void)state;
	const struct {
		const char *name;
		double half_life_h;
	} rows[] = {{"Ho-166", 26.8}, {"Y-90", 64.1}, {"Lu-177", 159.53}, {"Tc-99m", 6.015}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct isotope *isotope = isotope_find(rows[i].name, "", "");
		assert_close(isotope->half_life_h, rows[i].half_life_h, 0, 1e-4);
		assert_close(isotope_decay_factor(isotope, 100, 100 + 3600 * rows[i].half_life_h),
			     0.5, 0, 1e-4);
	}
}

static struct emission_timing scan_at(enum emission_decay corrected_to, double start_s)
{
	return (struct emission_timing){.corrected_to = corrected_to,
					.scan_start_s = start_s,
					.scan_duration_s = NAN,
					.administration_s = 0,
					.half_life_h = NAN};
}

/* physics: a SPECT 48 h later is corrected back by a factor of 3.46 */
static void start_goes_back_by_the_half_life(void **state)
{
	(void)state;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	struct emission_timing timing = scan_at(EMISSION_DECAY_START, 48 * 3600);
	assert_close(emission_factor_to_administration(holmium, &timing), 3.46, 0.005, 0);
	assert_close(emission_factor_to_administration(holmium, &timing), pow(2, 48 / 26.8), 0,
		     1e-12);
	assert_close(emission_factor(holmium, &timing, 26.8 * 3600), pow(2, 48 / 26.8 - 1), 0,
		     1e-12);
}

/* The mean over a scan of T is a(t0) (1 - exp(-x)) / x: by Simpson's rule here, not by the form. */
static void uncorrected_values_are_means_over_the_scan(void **state)
{
	(void)state;
	const struct isotope *technetium = isotope_find("Tc-99m", "", "");
	const double duration_s = 5400, start_s = 7200;
	const int steps = 1000;
	double mean = 0;
	for (int i = 0; i <= steps; i++) {
		double weight = i == 0 || i == steps ? 1 : i % 2 ? 4 : 2;
		mean += weight / (3 * steps) *
			pow(2, -(start_s + duration_s * i / steps) / (6.015 * 3600));
	}
	struct emission_timing timing = scan_at(EMISSION_DECAY_NONE, start_s);
	timing.scan_duration_s = duration_s;
	assert_close(mean * emission_factor_to_administration(technetium, &timing), 1, 0, 1e-10);
	/* a point in time, and a duration that rounds off: no cancellation */
	timing.scan_duration_s = 0;
	assert_close(emission_factor_to_administration(technetium, &timing),
		     pow(2, start_s / (6.015 * 3600)), 0, 1e-14);
	timing.scan_duration_s = 1e-6;
	assert_close(emission_factor_to_administration(technetium, &timing),
		     pow(2, start_s / (6.015 * 3600)), 0, 1e-10);
}

static void corrected_to_administration_needs_nothing_more(void **state)
{
	(void)state;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	struct emission_timing timing = scan_at(EMISSION_DECAY_ADMINISTRATION, NAN);
	timing.administration_s = NAN;
	assert_close(emission_factor_to_administration(holmium, &timing), 1, 0, 0);
	/* the record's administration is an hour after the image's: less decay to undo */
	timing = scan_at(EMISSION_DECAY_ADMINISTRATION, 48 * 3600);
	assert_close(emission_factor(holmium, &timing, 3600), pow(2, -1 / 26.8), 0, 1e-12);
	assert_close(emission_factor(holmium, &timing, 0), 1, 0, 0);
	/* corrected with another half-life: taken back with it, forward with ours */
	timing.half_life_h = 26.0;
	assert_close(emission_factor(holmium, &timing, 3600),
		     pow(2, -48 / 26.0) * pow(2, 47 / 26.8), 0, 1e-12);
}

static void unknown_times_give_no_factor(void **state)
{
	(void)state;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	struct emission_timing timing = scan_at(EMISSION_DECAY_NONE, 3600);
	assert_true(isnan(emission_factor_to_administration(holmium, &timing)));
	timing.scan_duration_s = -5;
	assert_true(isnan(emission_factor_to_administration(holmium, &timing)));
	timing = scan_at(EMISSION_DECAY_START, NAN);
	assert_true(isnan(emission_factor_to_administration(holmium, &timing)));
	timing = scan_at(EMISSION_DECAY_START, 3600);
	timing.administration_s = NAN;
	assert_true(isnan(emission_factor_to_administration(holmium, &timing)));
}

/* The sum of the activities at injection, from what is left of each at the scan. */
static void several_injections_have_one_effective_time(void **state)
{
	(void)state;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	const double noon = 1772442000;
	const double start_s[] = {noon, noon + 1200, noon + 2400, noon + 90000};
	const double activity_mbq[] = {756, 2268, 2268, 1500};
	double left = 0, total = 0, largest;
	const double scan_s = noon + 3 * 86400;
	for (int i = 0; i < 4; i++) {
		left += activity_mbq[i] * pow(2, -(scan_s - start_s[i]) / (26.8 * 3600));
		total += activity_mbq[i];
	}
	double effective_s =
	    emission_effective_administration_s(holmium, start_s, activity_mbq, 4, &largest);
	struct emission_timing timing = scan_at(EMISSION_DECAY_START, scan_s);
	assert_close(left * emission_factor(holmium, &timing, effective_s), total, 0, 1e-9);
	/* the last injection, a day later, is the farthest off */
	assert_close(largest, fabs(pow(2, -(start_s[3] - effective_s) / (26.8 * 3600)) - 1), 0,
		     1e-9);
	/* two equal injections an hour apart: half an hour, and 1.3 % for either */
	const double hour_s[] = {noon, noon + 3600}, equal_mbq[] = {500, 500};
	effective_s = emission_effective_administration_s(holmium, hour_s, equal_mbq, 2, &largest);
	assert_close(effective_s - noon, 1800, 15, 0);
	assert_close(largest, 0.013, 3e-4, 0);
	assert_close(emission_effective_administration_s(holmium, hour_s, equal_mbq, 1, &largest),
		     noon, 1e-6, 0);
	assert_close(largest, 0, 1e-12, 0);
}

static void an_unknown_activity_gives_no_effective_time(void **state)
{
	(void)state;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	const double start_s[] = {0, 3600}, activity_mbq[] = {500, NAN}, none[] = {0, 100};
	assert_true(
	    isnan(emission_effective_administration_s(holmium, start_s, activity_mbq, 2, NULL)));
	assert_true(isnan(emission_effective_administration_s(holmium, start_s, none, 2, NULL)));
	assert_true(
	    isnan(emission_effective_administration_s(holmium, start_s, activity_mbq, 0, NULL)));
}

static struct grid small_grid(void)
{
	return (struct grid){.columns = 3,
			     .rows = 1,
			     .slices = 1,
			     .column_step_mm = {4, 0, 0},
			     .row_step_mm = {0, 4, 0},
			     .slice_step_mm = {0, 0, 4}};
}

/* 3.7 MBq in 15.3 mL gives 3.62 Gy; here a day later, when 53.8 % is left. */
static void dose_is_that_of_complete_decay(void **state)
{
	(void)state;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	struct grid grid = small_grid();
	struct volume activity = VOLUME_INIT, dose = VOLUME_INIT;
	assert_ok(volume_new(&activity, &grid, NAN, &st), &st);
	activity.samples[0] = (float)(3.7e6 / 15.3 * pow(2, -24 / 26.8));
	activity.samples[1] = -1000;
	struct emission_timing timing = scan_at(EMISSION_DECAY_START, 24 * 3600);
	assert_ok(emission_dose(&dose, &activity,
				emission_factor_to_administration(holmium, &timing), holmium, 15.87,
				1.06, &st),
		  &st);
	assert_close((double)dose.samples[0], 3.62, 0.005, 0);
	assert_true(dose.samples[1] < 0);
	assert_true(isnan(dose.samples[2]));
	assert_true(grid_same(&dose.grid, &grid, 0));
	volume_free(&dose);
	volume_free(&activity);
}

static void no_constant_no_dose(void **state)
{
	(void)state;
	struct grid grid = small_grid();
	struct volume activity = VOLUME_INIT, dose = VOLUME_INIT;
	const struct isotope *holmium = isotope_find("Ho-166", "", "");
	const struct {
		const char *isotope;
		double factor, constant, density;
		const char *words;
	} rows[] = {
	    {"Tc-99m", 1, 49.67, 1.06, "does not decay where it is seen"},
	    {"Lu-177", 1, 23.6, 1.06, "does not decay where it is seen"},
	    {"Y-90", 1, NAN, 1.06, "no absorbed dose constant of Y-90"},
	    {"Ho-166", NAN, 15.87, 1.06, "times of the emission image"},
	    {"Ho-166", 1, 15.87, NAN, "density"},
	};
	assert_ok(volume_new(&activity, &grid, 1e6F, &st), &st);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		status_clear(&st);
		assert_int_equal(emission_dose(&dose, &activity, rows[i].factor,
					       isotope_find(rows[i].isotope, "", ""),
					       rows[i].constant, rows[i].density, &st),
				 STATUS_REFUSE);
		assert_non_null(strstr(st.text, rows[i].words));
		assert_null(dose.samples);
	}
	/* 1 MBq/mL: 14.97 Gy of 166Ho */
	status_clear(&st);
	assert_ok(emission_dose(&dose, &activity, 1, holmium, 15.87, 1.06, &st), &st);
	assert_close((double)dose.samples[0], 14.97, 0.005, 0);
	volume_free(&dose);
	volume_free(&activity);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(isotopes_are_found_however_they_are_written, set_up),
	    cmocka_unit_test_setup(other_isotopes_are_not_taken_for_ours, set_up),
	    cmocka_unit_test_setup(half_lives_are_those_of_icrp_107, set_up),
	    cmocka_unit_test_setup(start_goes_back_by_the_half_life, set_up),
	    cmocka_unit_test_setup(uncorrected_values_are_means_over_the_scan, set_up),
	    cmocka_unit_test_setup(corrected_to_administration_needs_nothing_more, set_up),
	    cmocka_unit_test_setup(unknown_times_give_no_factor, set_up),
	    cmocka_unit_test_setup(several_injections_have_one_effective_time, set_up),
	    cmocka_unit_test_setup(an_unknown_activity_gives_no_effective_time, set_up),
	    cmocka_unit_test_setup(dose_is_that_of_complete_decay, set_up),
	    cmocka_unit_test_setup(no_constant_no_dose, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
