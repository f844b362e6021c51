#include "site_time.h"

#include "check.h"

#include <stdlib.h>
#include <time.h>

static void require_zones(void)
{
	if (access("/usr/share/zoneinfo/Europe/Amsterdam", R_OK) != 0) {
		print_message("SKIP: no zone database (package tzdata)\n");
		skip();
	}
}

static void test_an_offset_needs_no_zone(void **state)
{
	(void)state;
	assert_close(site_time_to_utc("20260302100500", "+0100", ""), 1772442300, 0, 0);
	assert_close(site_time_to_utc("20260302033500.250000", "-0530", "Europe/Amsterdam"),
		     1772442300.25, 1e-6, 0);
	assert_close(site_time_to_utc("202603021005", "+0100", ""), 1772442300, 0, 0);
	/* the value's own offset before that of the data set */
	assert_close(site_time_to_utc("20260302090500+0000", "+0100", ""), 1772442300, 0, 0);
}

static void test_malformed(void **state)
{
	(void)state;
	static const char *const times[] = {"",
					    "20260302",
					    "2026030210",
					    "20260230100500",
					    "20260302250500",
					    "2026-03-02T10:05",
					    "20260302100500Z",
					    "2026030210050"};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		if (!isnan(site_time_to_utc(times[i], "+0100", "")))
			print_message("accepted: %s\n", times[i]);
		assert_true(isnan(site_time_to_utc(times[i], "+0100", "")));
	}
	assert_true(isnan(site_time_to_utc("20260302100500", "0100", "")));
	assert_true(isnan(site_time_to_utc("20260302100500", "", "")));
	assert_true(isnan(site_time_to_utc("20260302100500", "", "Europe/Atlantis")));
	assert_true(isnan(site_time_to_utc("20260302100500", "", "../../etc/passwd")));
}

static void test_site_zone(void **state)
{
	(void)state;
	require_zones();
	assert_close(site_time_to_utc("20260302100500", "", "Europe/Amsterdam"), 1772442300, 0, 0);
	assert_close(site_time_to_utc("20260702100500", "", "Europe/Amsterdam"), 1782979500, 0, 0);
	assert_close(site_time_to_utc("20260302090500", "", "UTC"), 1772442300, 0, 0);
	char datetime[33], offset[8];
	site_time_from_utc(1772442300, "Europe/Amsterdam", datetime, offset);
	assert_string_equal(datetime, "20260302100500");
	assert_string_equal(offset, "+0100");
	site_time_from_utc(1772442300, "Asia/Kolkata", datetime, offset);
	assert_string_equal(datetime, "20260302143500");
	assert_string_equal(offset, "+0530");
	site_time_from_utc(1772442300, "No/Such", datetime, offset);
	assert_string_equal(datetime, "20260302090500");
	assert_string_equal(offset, "+0000");
	site_time_from_utc((double)NAN, "UTC", datetime, offset);
	assert_string_equal(datetime, "");
}

static void test_the_repeated_and_the_missing_hour(void **state)
{
	(void)state;
	require_zones();
	/* 2026-10-25 03:00 summer time becomes 02:00: 02:30 is there twice, the first is 00:30 UTC
	 */
	assert_close(site_time_to_utc("20261025023000", "", "Europe/Amsterdam"), 1792888200, 0, 0);
	assert_close(site_time_to_utc("20261025033000", "", "Europe/Amsterdam"), 1792895400, 0, 0);
	/* 2026-03-29 02:00 becomes 03:00: a clock that shows 02:30 still keeps winter time */
	assert_close(site_time_to_utc("20260329023000", "", "Europe/Amsterdam"), 1774747800, 0, 0);
}

/* Independent truth: the C library, for zones of every kind, across the last listed change (2037).
 */
static void test_against_the_c_library(void **state)
{
	(void)state;
	require_zones();
	static const char *const zones[] = {"Europe/Amsterdam",
					    "America/New_York",
					    "America/St_Johns",
					    "Australia/Lord_Howe",
					    "Asia/Kolkata",
					    "Africa/Casablanca",
					    "America/Santiago",
					    "Asia/Jerusalem",
					    "Europe/Dublin",
					    "Pacific/Chatham",
					    "UTC",
					    "America/Sao_Paulo",
					    "Antarctica/Troll"};
	for (size_t z = 0; z < sizeof zones / sizeof zones[0]; z++) {
		setenv("TZ", zones[z], 1);
		tzset();
		for (long long t = 1000000000; t < 3500000000LL; t += 86400LL * 13 + 3607) {
			struct tm local;
			char expected[33], datetime[33], offset[8];
			assert_non_null(localtime_r(&(time_t){t}, &local));
			strftime(expected, sizeof expected, "%Y%m%d%H%M%S", &local);
			site_time_from_utc((double)t, zones[z], datetime, offset);
			if (strcmp(datetime, expected) != 0)
				print_message("%s %lld\n", zones[z], t);
			assert_string_equal(datetime, expected);
			assert_close(site_time_to_utc(datetime, offset, ""), (double)t, 0, 0);
			double back = site_time_to_utc(datetime, "", zones[z]);
			if (fabs(back - (double)t) > 3600)
				print_message("%s %lld\n", zones[z], t);
			assert_close(back, (double)t, 3600, 0);
		}
	}
	unsetenv("TZ");
	tzset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_offset_needs_no_zone),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_site_zone),
	    cmocka_unit_test(test_the_repeated_and_the_missing_hour),
	    cmocka_unit_test(test_against_the_c_library),
	};
	return cmocka_run_group_tests_name("site_time", tests, NULL, NULL);
}
