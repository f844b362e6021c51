#include "r2star_block.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "instruction_set.h"

/* Every loop over lanes is written so that a compiler makes vectors of it: no branch, no call, only
 * operations that IEEE 754 fixes to the last bit. The build forbids fused multiply-add, so any
 * instruction set gives the same bits. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define FOR_LANES     for (int l = 0; l < R2STAR_LANES; l++)

/* Of the way to the answer, relative to 1 + |rate|: what the search may leave. */
static const float NEAR_ENOUGH = 1e-5F;
/* Each step is shorter than the one before by a factor that hardly changes, which tells what is
 * left after it; a factor smaller than this is luck. */
static const float BEST_SHRINKING = 0.02F;
/* The last step may not be longer, relative to 1 + |rate| and the amplitude: the derivatives stay
 * those from before it. */
static const float LONGEST_LAST_STEP = 5e-3F;
/* Rounding of a sum of squares; a step that costs no more than this is still an improvement. */
static const float COST_ROUNDING = 1e-4F;
static const float COST_NOTHING = 1e-11F;
/* Beyond any signal of MR: the fit ran away. */
static const float FARTHEST_PER_S = 1e5F;
/* Of the template's square, what the fit must leave of it: less cannot tell fat from decay. */
static const float LEAST_REST = 0.2F;
static const float FIRST_DAMPING = 1e-2F, LEAST_DAMPING = 1e-5F;

ALWAYS_INLINE int32_t bits_of(float x)
{
	int32_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

ALWAYS_INLINE float float_of(int32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* exp(x) = 2^n exp(rest), |rest| <= ln 2 / 2, Taylor to the seventh power: error 1e-7 relative.
 * Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low bits. */
ALWAYS_INLINE float exponential(float x)
{
	const float round = 12582912.0F;
	float shifted, whole, rest, series;

	x = x < -40.0F ? -40.0F : x;
	x = x > 40.0F ? 40.0F : x;
	shifted = x * 1.44269504F + round;
	whole = shifted - round;
	rest = x - whole * 0.693359375F; /* ln 2 in two parts, the first exact in 10 bits */
	rest = rest + whole * 2.12194440e-4F;
	series = 1.0F / 720 + rest * (1.0F / 5040);
	series = 1.0F / 120 + rest * series;
	series = 1.0F / 24 + rest * series;
	series = 1.0F / 6 + rest * series;
	series = 0.5F + rest * series;
	series = 1.0F + rest * series;
	series = 1.0F + rest * series;
	return float_of(bits_of(series) + (int32_t)((uint32_t)bits_of(shifted) << 23));
}

/* log(x), x > 0, to 3e-4: mantissa between sqrt(1/2) and sqrt(2), then a polynomial fitted to log
 * there. Good enough for a start. */
ALWAYS_INLINE float rough_logarithm(float x)
{
	int32_t bits = bits_of(x);
	int32_t power = (bits - 0x3f3504f3) >> 23;
	float over_1 = float_of((int32_t)((uint32_t)bits - ((uint32_t)power << 23))) - 1;
	float series = 0.3556403F - 0.22580436F * over_1;

	series = -0.50229933F + over_1 * series;
	series = 0.9994893F + over_1 * series;
	return (float)power * 0.69314718F + over_1 * series;
}

/* 1 / sqrt(x), x > 0, to 5e-7: halving the exponent, then twice Newton's step with numbers that
 * leave errors as large above as below, 7e-4 after the first. It keeps the square root and the
 * division, the slowest instructions there are, out of the loop. */
ALWAYS_INLINE float inverse_root(float x)
{
	float y = float_of(0x5f300000 - (bits_of(x) >> 1));

	y = y * (1.5540342F - 0.55517995F * x * y * y);
	return y * (1.5000005F - 0.50000006F * x * y * y);
}

/* Normal equations at (amplitude, rate). */
ALWAYS_INLINE void evaluate(const struct r2star_block *block, const float *restrict amplitude,
			    const float *restrict rate, struct r2star_normal *restrict at)
{
	R2STAR_PER_LANE(float, decay);
	R2STAR_PER_LANE(float, factor);

	memset(at, 0, sizeof *at);
	FOR_LANES
	{
		decay[l] = 1;
		factor[l] = block->even ? exponential(-rate[l] * block->time[1]) : 1;
	}
	for (int e = 0; e < block->echoes; e++) {
		const float *restrict signal = block->signal[e];
		const float time = block->time[e], number = (float)e;

		if (e > 0 && block->even) {
			FOR_LANES
			decay[l] = decay[l] * factor[l];
		} else if (e > 0) {
			FOR_LANES
			decay[l] = exponential(-rate[l] * time);
		}
		FOR_LANES
		{
			float tissue = amplitude[l] * decay[l];
			float square = tissue * tissue + block->floor[l];
			float inverse = inverse_root(square), by_amplitude, residual;
			float square_a, residual_a;

			/* the signal of an echo that does not count is 0 */
			inverse = number < block->usable[l] ? inverse : 0;
			by_amplitude = tissue * decay[l] * inverse;
			residual = signal[l] - square * inverse;
			square_a = by_amplitude * by_amplitude;
			residual_a = by_amplitude * residual;
			at->aa[l] += square_a;
			square_a = time * square_a;
			at->ar[l] += square_a;
			at->rr[l] += time * square_a;
			at->a_residual[l] += residual_a;
			at->r_residual[l] += time * residual_a;
			at->cost[l] += residual * residual;
		}
	}
	FOR_LANES
	{ /* the derivative by rate is -time * amplitude times the one by amplitude */
		at->ar[l] = -amplitude[l] * at->ar[l];
		at->rr[l] = amplitude[l] * amplitude[l] * at->rr[l];
		at->r_residual[l] = -amplitude[l] * at->r_residual[l];
	}
}

ALWAYS_INLINE int load(struct r2star_block *block, const float *samples, size_t apart, int lanes,
		       float limit, float floor, float counted[R2STAR_LANES])
{
	R2STAR_PER_LANE(float, alive);
	R2STAR_PER_LANE(float, scale);
	int fitted = 0;

	memset(block->first_echo, 0, sizeof block->first_echo);
	memcpy(block->first_echo, samples, (size_t)lanes * sizeof *samples);
	FOR_LANES
	{
		float first = block->first_echo[l];

		alive[l] = 1;
		counted[l] = 0;
		scale[l] = first > 0 ? 1 / first : 0;
		block->floor[l] = floor * scale[l] * scale[l];
		block->floor[l] =
		    block->floor[l] < R2STAR_LEAST_FLOOR ? R2STAR_LEAST_FLOOR : block->floor[l];
	}
	for (int e = 0; e < block->echoes; e++) {
		const float *restrict echo = samples + (size_t)e * apart;
		float *restrict signal = block->signal[e];

		for (int l = 0; l < lanes; l++) {
			alive[l] = echo[l] > limit && echo[l] <= FLT_MAX ? alive[l] : 0;
			counted[l] += alive[l];
			signal[l] = alive[l] > 0 ? echo[l] * scale[l] : 0;
		}
	}
	FOR_LANES
	{
		block->usable[l] = counted[l] >= 3 ? counted[l] : 0;
		fitted += counted[l] >= 3 ? 1 : 0;
	}
	return fitted;
}

/* Takes amplitude, rate and damping as they are. */
ALWAYS_INLINE void restart(struct r2star_block *block)
{
	FOR_LANES
	{
		block->converged[l] = block->usable[l] > 0 ? 0 : 1;
		block->step[l] = 0;
	}
	evaluate(block, block->amplitude, block->rate, &block->at);
}

/* Straight line through log(tissue signal), each echo weighted with the tissue signal squared:
 * about the inverse variance that the noise gives the logarithm. */
ALWAYS_INLINE void start(struct r2star_block *block)
{
	R2STAR_PER_LANE(float, w) = {0};
	R2STAR_PER_LANE(float, wt) = {0};
	R2STAR_PER_LANE(float, wtt) = {0};
	R2STAR_PER_LANE(float, wy) = {0};
	R2STAR_PER_LANE(float, wty) = {0};

	for (int e = 0; e < block->echoes; e++) {
		const float *restrict signal = block->signal[e];
		const float time = block->time[e], number = (float)e;

		FOR_LANES
		{
			float tissue = signal[l] * signal[l] - block->floor[l];
			float y, weight;

			tissue = tissue < R2STAR_LEAST_FLOOR ? R2STAR_LEAST_FLOOR : tissue;
			weight = number < block->usable[l] ? tissue : 0;
			y = weight * rough_logarithm(tissue); /* of the square */
			w[l] += weight;
			wy[l] += y;
			wty[l] += time * y;
			weight = time * weight;
			wt[l] += weight;
			wtt[l] += time * weight;
		}
	}
	FOR_LANES
	{
		float determinant = w[l] * wtt[l] - wt[l] * wt[l];
		float slope = 0.5F * (w[l] * wty[l] - wt[l] * wy[l]) / determinant;
		float level = (0.5F * wy[l] - slope * wt[l]) / w[l];
		bool sound = determinant > 1e-6F * w[l] * wtt[l];

		block->rate[l] = sound ? -slope : 0;
		block->amplitude[l] = sound ? exponential(level) : 1;
		block->damping[l] = 0;
	}
	restart(block);
}

/* A step of every lane from where it stands. Lanes whose step leaves next to nothing take it
 * without a look at where it leads; returns how many others there are. */
ALWAYS_INLINE int32_t propose(struct r2star_block *block, float *restrict amplitude,
			      float *restrict rate, float *restrict step)
{
	struct r2star_normal *at = &block->at;
	int32_t waiting = 0;

	FOR_LANES
	{
		float aa = at->aa[l] * (1 + block->damping[l]);
		float rr = at->rr[l] * (1 + block->damping[l]);
		float determinant = aa * rr - at->ar[l] * at->ar[l];
		float inverse = 1 / (determinant > 0 ? determinant : 1);
		float longest = 1 + 0.5F * fabsf(block->rate[l]);
		float to_amplitude =
		    (rr * at->a_residual[l] - at->ar[l] * at->r_residual[l]) * inverse;
		float to_rate = (aa * at->r_residual[l] - at->ar[l] * at->a_residual[l]) * inverse;
		float half = 0.5F * block->amplitude[l];
		float left, least_left, unit, gain;
		bool last;

		to_rate = to_rate > longest ? longest : to_rate;
		to_rate = to_rate < -longest ? -longest : to_rate;
		to_amplitude = to_amplitude < -half ? -half : to_amplitude;
		step[l] = fabsf(to_rate);
		rate[l] = block->rate[l] + to_rate;
		amplitude[l] = block->amplitude[l] + to_amplitude;

		unit = 1 + fabsf(rate[l]);
		left = step[l] * step[l];
		least_left = BEST_SHRINKING * step[l];
		last = block->damping[l] < FIRST_DAMPING && step[l] <= LONGEST_LAST_STEP * unit &&
		       fabsf(to_amplitude) <= LONGEST_LAST_STEP * amplitude[l] &&
		       least_left <= NEAR_ENOUGH * unit &&
		       (left <= NEAR_ENOUGH * unit * block->step[l] ||
			step[l] <= NEAR_ENOUGH * unit) &&
		       block->converged[l] == 0;
		/* of the parabola that the cost is near its least value */
		gain = to_amplitude * at->a_residual[l] + to_rate * at->r_residual[l];
		at->cost[l] -= last ? gain : 0;
		block->rate[l] = last ? rate[l] : block->rate[l];
		block->amplitude[l] = last ? amplitude[l] : block->amplitude[l];
		block->converged[l] = last ? 1 : block->converged[l];
		waiting += 1 - block->converged[l];
	}
	return waiting;
}

ALWAYS_INLINE void improve(struct r2star_block *block, int steps)
{
	R2STAR_PER_LANE(float, amplitude);
	R2STAR_PER_LANE(float, rate);
	R2STAR_PER_LANE(float, step);
	struct r2star_normal *at = &block->at, trial;

	while (propose(block, amplitude, rate, step) > 0 && steps-- > 0) {
		evaluate(block, amplitude, rate, &trial);
		FOR_LANES
		{
			float limit = at->cost[l] * (1 + COST_ROUNDING) + COST_NOTHING;
			bool better = trial.cost[l] <= limit;
			bool take = better && block->converged[l] == 0;
			float less = block->damping[l] * 0.1F, more = block->damping[l] * 10;

			less = less < LEAST_DAMPING ? 0 : less;
			more = more < FIRST_DAMPING ? FIRST_DAMPING : more;
			block->damping[l] = better ? less : more;
			block->rate[l] = take ? rate[l] : block->rate[l];
			block->amplitude[l] = take ? amplitude[l] : block->amplitude[l];
			block->step[l] = take ? step[l] : block->step[l];
			at->aa[l] = take ? trial.aa[l] : at->aa[l];
			at->ar[l] = take ? trial.ar[l] : at->ar[l];
			at->rr[l] = take ? trial.rr[l] : at->rr[l];
			at->a_residual[l] = take ? trial.a_residual[l] : at->a_residual[l];
			at->r_residual[l] = take ? trial.r_residual[l] : at->r_residual[l];
			at->cost[l] = take ? trial.cost[l] : at->cost[l];
		}
	}
}

ALWAYS_INLINE void finish(struct r2star_block *block)
{
	const struct r2star_normal *at = &block->at;

	FOR_LANES
	{
		float determinant = at->aa[l] * at->rr[l] - at->ar[l] * at->ar[l];
		float variance = 0.5F * block->floor[l] * at->aa[l] / determinant;
		float r2star_per_s = block->rate[l] * block->per_s;
		float stderr_per_s = sqrtf(variance) * block->per_s;
		float s0 = block->first_echo[l] * block->amplitude[l] *
			   exponential(block->rate[l] * block->lead);
		bool sound = block->usable[l] > 0 && fabsf(r2star_per_s) <= FARTHEST_PER_S;

		block->r2star_per_s[l] = sound ? r2star_per_s : NAN;
		block->stderr_per_s[l] = sound ? stderr_per_s : NAN;
		block->s0[l] = sound ? s0 : NAN;
	}
}

/* Residuals r against the template h = tissue signal times cos(2 pi shift te): what fat adds to
 * first order. The fit has taken out of r all that looks like its derivatives a and b, so of h only
 * the rest tells:
 *
 *     score = r.h / (sigma |h'|),   h' = h less its projection on a and b
 *
 * which is a standard normal deviate where there is none. */
ALWAYS_INLINE void oscillation(const struct r2star_block *block, float score[R2STAR_LANES])
{
	const struct r2star_normal *at = &block->at;
	R2STAR_PER_LANE(float, decay);
	R2STAR_PER_LANE(float, factor);
	R2STAR_PER_LANE(float, hh) = {0};
	R2STAR_PER_LANE(float, ha) = {0};
	R2STAR_PER_LANE(float, hb) = {0};
	R2STAR_PER_LANE(float, hr) = {0};

	FOR_LANES
	{
		decay[l] = 1;
		factor[l] = block->even ? exponential(-block->rate[l] * block->time[1]) : 1;
	}
	for (int e = 0; e < block->echoes; e++) {
		const float *restrict signal = block->signal[e];
		const float time = block->time[e], number = (float)e, swing = block->swing[e];

		if (e > 0 && block->even) {
			FOR_LANES
			decay[l] = decay[l] * factor[l];
		} else if (e > 0) {
			FOR_LANES
			decay[l] = exponential(-block->rate[l] * time);
		}
		FOR_LANES
		{
			float tissue = block->amplitude[l] * decay[l];
			float square = tissue * tissue + block->floor[l];
			float inverse = inverse_root(square);
			float by_amplitude = tissue * decay[l] * inverse;
			float residual = signal[l] - square * inverse;
			float h = tissue * swing, h_a;

			h = number < block->usable[l] ? h : 0;
			h_a = h * by_amplitude;
			hh[l] += h * h;
			ha[l] += h_a;
			hb[l] += time * h_a;
			hr[l] += h * residual;
		}
	}
	FOR_LANES
	{ /* b is -time * amplitude times a, as in the normal equations */
		float b = -block->amplitude[l] * hb[l];
		float determinant = at->aa[l] * at->rr[l] - at->ar[l] * at->ar[l];
		float projected =
		    (at->rr[l] * ha[l] * ha[l] - 2 * at->ar[l] * ha[l] * b + at->aa[l] * b * b) /
		    determinant;
		float rest = hh[l] - projected;
		float variance = 0.5F * block->floor[l] * rest;
		bool sound = block->usable[l] >= R2STAR_ECHOES_FOR_FAT &&
			     rest > LEAST_REST * hh[l] && variance > 0;

		score[l] = sound ? hr[l] / sqrtf(variance) : 0;
	}
}

void r2star_block_init(struct r2star_block *block, const struct echo_series *series)
{
	const double first = series->te_ms[0], span = series->te_ms[series->echoes - 1] - first;

	memset(block, 0, sizeof *block);
	block->echoes = series->echoes;
	block->lead = (float)(first / span);
	block->per_s = (float)(1000 / span);
	block->even = true;
	for (int e = 0; e < series->echoes; e++) {
		double time = (series->te_ms[e] - first) / span;

		block->time[e] = (float)time;
		if (fabs(time - (double)e / (series->echoes - 1)) > 1e-6)
			block->even = false;
	}
}

/* The same source once for each instruction set. */
#define CODE_FOR(set, target)                                                                      \
	target static int load_##set(struct r2star_block *block, const float *samples,             \
				     size_t apart, int lanes, float limit, float floor,            \
				     float counted[R2STAR_LANES])                                  \
	{                                                                                          \
		return load(block, samples, apart, lanes, limit, floor, counted);                  \
	}                                                                                          \
	target static void start_##set(struct r2star_block *block)                                 \
	{                                                                                          \
		start(block);                                                                      \
	}                                                                                          \
	target static void restart_##set(struct r2star_block *block)                               \
	{                                                                                          \
		restart(block);                                                                    \
	}                                                                                          \
	target static void improve_##set(struct r2star_block *block, int steps)                    \
	{                                                                                          \
		improve(block, steps);                                                             \
	}                                                                                          \
	target static void finish_##set(struct r2star_block *block)                                \
	{                                                                                          \
		finish(block);                                                                     \
	}                                                                                          \
	target static void oscillation_##set(const struct r2star_block *block,                     \
					     float score[R2STAR_LANES])                            \
	{                                                                                          \
		oscillation(block, score);                                                         \
	}
#define CODE_ROW(set, target)                                                                      \
	{#set,		load_##set,   start_##set,	restart_##set,                             \
	 improve_##set, finish_##set, oscillation_##set},

INSTRUCTION_SETS(CODE_FOR)

const struct r2star_code *r2star_code_at(int at)
{
	static const struct r2star_code codes[] = {INSTRUCTION_SETS(CODE_ROW)};

	return at >= 0 && at < instruction_sets() ? &codes[at] : NULL;
}

const struct r2star_code *r2star_code_best(void)
{
	return r2star_code_at(instruction_sets() - 1);
}
