/* phantom_noise.h - Gaussian noise as a function of (key, index): no state, so no order of work
 * matters.
 *
 * 64 well mixed bits per index (the finaliser of Steele, Lea and Flood's SplitMix, twice) give two
 * uniform numbers, and these a pair of independent standard normal deviates (Box and Muller 1958).
 * The largest deviate is 6.7. */
#ifndef PHANTOM_NOISE_H
#define PHANTOM_NOISE_H

#include <math.h>
#include <stdint.h>

static inline uint64_t phantom_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static inline uint64_t phantom_noise_key(uint64_t seed, uint64_t stream)
{
	return phantom_mix(phantom_mix(seed + 0x9e3779b97f4a7c15u) + stream * 0xd1342543de82ef95u);
}

static inline void phantom_noise_pair(float pair[2], uint64_t key, uint64_t index)
{
	uint64_t bits = phantom_mix(phantom_mix(key + (index + 1) * 0x9e3779b97f4a7c15u));
	float radius = sqrtf(-2 * logf(((float)(bits >> 32) + 1) * 0x1p-32f));
	float angle = (float)(uint32_t)bits * (6.28318530717958647692f * 0x1p-32f);
	pair[0] = radius * cosf(angle);
	pair[1] = radius * sinf(angle);
}

/* Magnitude of signal plus complex noise, as a 16-bit count. */
static inline uint16_t phantom_noisy_count(double signal, double sigma, uint64_t key,
					   uint64_t index)
{
	if (sigma > 0) {
		float pair[2];
		phantom_noise_pair(pair, key, index);
		double real = signal + sigma * (double)pair[0];
		double imaginary = sigma * (double)pair[1];
		signal = sqrt(real * real + imaginary * imaginary);
	}
	return signal >= 65535 ? 65535 : (uint16_t)(signal + 0.5);
}

#endif
