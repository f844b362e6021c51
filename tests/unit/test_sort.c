/* Against qsort, on what floats there are. */
#include "check.h"
#include "sort.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
	const float *p = a, *q = b;

	return (*p > *q) - (*p < *q);
}

static uint32_t random_bits(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 3 ^ *state << 17;
}

static void in_rising_order(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 17, 2048, 30011};
	uint32_t seed = 7;

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
		const size_t n = sizes[s];
		float *values = calloc(n + 1, sizeof *values),
		      *scratch = calloc(n + 1, sizeof *values);
		float *expected = calloc(n + 1, sizeof *values);

		for (size_t i = 0; i < n; i++) {
			uint32_t bits = random_bits(&seed);

			memcpy(&values[i], &bits, sizeof bits);
			if (isnan(values[i]))
				values[i] = i % 2 ? INFINITY : -3;
		}
		values[n] = 5; /* beyond the end: stays */
		memcpy(expected, values, (n + 1) * sizeof *values);
		qsort(expected, n, sizeof *expected, by_value);
		sort_floats(values, n, scratch);
		for (size_t i = 0; i <= n; i++)
			assert_true(values[i] == expected[i]);
		free(values);
		free(scratch);
		free(expected);
	}
}

static void equal_ones_and_zeros(void **state)
{
	float values[] = {0.0F, 4, -0.0F, 4, -4, 0.0F, -4, -INFINITY}, scratch[8];

	(void)state;
	sort_floats(values, 8, scratch);
	assert_true(values[0] == -INFINITY && values[1] == -4 && values[2] == -4);
	assert_true(signbit(values[3]) && values[3] == 0 && !signbit(values[4]));
	assert_true(values[6] == 4 && values[7] == 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(in_rising_order),
					   cmocka_unit_test(equal_ones_and_zeros)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
