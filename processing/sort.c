#include "sort.h"

#include <stdint.h>
#include <string.h>

enum { DIGITS = 3, BITS = 11, BUCKETS = 1 << BITS };

/* The bits of a float as a whole number that rises with it: of a negative one all are turned, of
 * others the sign. */
static uint32_t key_of(uint32_t bits)
{
	return bits ^ ((bits >> 31) ? 0xffffffffU : 0x80000000U);
}

static uint32_t bits_of(uint32_t key)
{
	return key ^ ((key >> 31) ? 0x80000000U : 0xffffffffU);
}

static uint32_t take(const float *from, size_t at)
{
	uint32_t bits;

	memcpy(&bits, from + at, sizeof bits);
	return bits;
}

static void put(float *to, size_t at, uint32_t bits)
{
	memcpy(to + at, &bits, sizeof bits);
}

/* By the lowest digit of the keys first; each pass keeps the order of equal digits. Three passes
 * end in scratch. */
void sort_floats(float *values, size_t n, float *scratch)
{
	size_t begin[DIGITS][BUCKETS] = {{0}};
	float *from = values, *to = scratch;

	for (size_t i = 0; i < n; i++) {
		uint32_t key = key_of(take(values, i));

		put(values, i, key);
		for (int d = 0; d < DIGITS; d++)
			begin[d][key >> (d * BITS) & (BUCKETS - 1)]++;
	}
	for (int d = 0; d < DIGITS; d++) {
		size_t before = 0;

		for (int b = 0; b < BUCKETS; b++) {
			size_t count = begin[d][b];

			begin[d][b] = before;
			before += count;
		}
		for (size_t i = 0; i < n; i++) {
			uint32_t key = take(from, i);

			put(to, begin[d][key >> (d * BITS) & (BUCKETS - 1)]++, key);
		}
		to = from;
		from = to == values ? scratch : values;
	}
	for (size_t i = 0; i < n; i++)
		put(values, i, bits_of(take(from, i)));
}
