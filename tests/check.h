/* check.h - what the unit tests share: cmocka with its includes, and comparisons of doubles.
 *
 * Data files live in DATA_DIR; a test that needs one calls require_data() first, which skips the
 * test with a clear line where the folder is absent. */
#ifndef CHECK_H
#define CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* |actual - expected| <= absolute + relative * |expected|; a NaN on either side fails. */
#define assert_close(actual, expected, absolute, relative)                                         \
	check_close((actual), (expected), (absolute), (relative), #actual, __FILE__, __LINE__)

static inline void check_close(double actual, double expected, double absolute, double relative,
			       const char *what, const char *file, int line)
{
	double tolerance = absolute + relative * fabs(expected);
	if (fabs(actual - expected) <= tolerance)
		return;
	print_error("%s: %.9g, expected %.9g within %.3g\n", what, actual, expected, tolerance);
	_fail(file, line);
}

/* The same for a number of the validation report: also prints it, as tests/validate/report reads
 * it. id: check of the physics (T1 to T9) or a word; what: in words, without quotes. */
#define assert_measured(id, what, actual, expected, absolute, relative, unit)                      \
	do {                                                                                       \
		double measured_value = (actual), measured_truth = (expected);                     \
		printf(                                                                            \
		    "MEASURED check id=%s what=\"%s\" expected=%.9g measured=%.9g tolerance=%.3g " \
		    "unit=\"%s\"\n",                                                               \
		    id, what, measured_truth, measured_value,                                      \
		    (absolute) + (relative)*fabs(measured_truth), unit);                           \
		assert_close(measured_value, measured_truth, absolute, relative);                  \
	} while (0)

/* Fails with the status text when code is not STATUS_OK. */
#define assert_ok(code, st)                                                                        \
	do {                                                                                       \
		if ((int)(code) != 0) {                                                            \
			print_error("%s: %s\n", #code, (st)->text);                                \
			_fail(__FILE__, __LINE__);                                                 \
		}                                                                                  \
	} while (0)

#define require_data(path)                                                                         \
	do {                                                                                       \
		if (access(DATA_DIR "/" path, R_OK) != 0) {                                        \
			print_message("SKIP: no test data at ../shared/data/%s\n", path);          \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* For a test that takes minutes under the sanitizers and goes no way that the others do not. */
static inline void skip_under_sanitizers(void)
{
#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
}

#endif
