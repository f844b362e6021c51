#include "registration_block.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "instruction_set.h"

/* As in r2star_block.c: no operation that IEEE 754 does not fix to the last bit, no fused
 * multiply-add, and no sum whose order an instruction set could change. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef float lanes_of_float __attribute__((vector_size(4 * REGISTRATION_LANES)));
typedef float four_floats __attribute__((vector_size(16), aligned(4)));

ALWAYS_INLINE int whole_lanes(int n)
{
	return (n + REGISTRATION_LANES - 1) / REGISTRATION_LANES * REGISTRATION_LANES;
}

ALWAYS_INLINE void sample(struct registration_run *restrict run,
			  const struct registration_source *source,
			  const struct registration_line *line, int n)
{
	const float *restrict samples = source->samples;
	const int row = source->size[0], slice = source->size[0] * source->size[1];
	const int last_x = source->size[0] - 2, last_y = source->size[1] - 2,
		  last_z = source->size[2] - 2;
	const float end_x = (float)(source->size[0] - 1), end_y = (float)(source->size[1] - 1),
		    end_z = (float)(source->size[2] - 1);
	const float x0 = line->voxel[0], y0 = line->voxel[1], z0 = line->voxel[2];
	const float dx = line->voxel_step[0], dy = line->voxel_step[1], dz = line->voxel_step[2];
	const float m00 = source->to_mm[0][0], m01 = source->to_mm[0][1], m02 = source->to_mm[0][2];
	const float m10 = source->to_mm[1][0], m11 = source->to_mm[1][1], m12 = source->to_mm[1][2];
	const float m20 = source->to_mm[2][0], m21 = source->to_mm[2][1], m22 = source->to_mm[2][2];
	const int whole = whole_lanes(n);

	_Alignas(64) float part[3][REGISTRATION_RUN];
	_Alignas(64) int32_t inside[REGISTRATION_RUN], at[REGISTRATION_RUN];
	_Alignas(64) float pairs[4][2 * REGISTRATION_RUN];

	for (int l = 0; l < whole; l++) {
		float x = x0 + (float)l * dx, y = y0 + (float)l * dy, z = z0 + (float)l * dz;
		int in = (l < n) & (x >= 0) & (x <= end_x) & (y >= 0) & (y <= end_y) & (z >= 0) &
			 (z <= end_z);
		float sx = in ? x : 0, sy = in ? y : 0, sz = in ? z : 0;
		int ix = (int)sx, iy = (int)sy, iz = (int)sz;

		ix = ix > last_x ? last_x : ix;
		iy = iy > last_y ? last_y : iy;
		iz = iz > last_z ? last_z : iz;
		part[0][l] = sx - (float)ix;
		part[1][l] = sy - (float)iy;
		part[2][l] = sz - (float)iz;
		at[l] = ix + row * iy + slice * iz;
		inside[l] = in;
	}
	/* neighbours along x in one piece: half the loads of one by one */
	for (int l = 0; l < whole; l++) {
		const float *here = samples + at[l];

		memcpy(&pairs[0][2 * l], here, 2 * sizeof *here);
		memcpy(&pairs[1][2 * l], here + row, 2 * sizeof *here);
		memcpy(&pairs[2][2 * l], here + slice, 2 * sizeof *here);
		memcpy(&pairs[3][2 * l], here + slice + row, 2 * sizeof *here);
	}
	for (int l = 0; l < whole; l++) {
		float fx = part[0][l], fy = part[1][l], fz = part[2][l];
		float a = pairs[0][2 * l], ab = pairs[0][2 * l + 1] - a;
		float c = pairs[1][2 * l], cd = pairs[1][2 * l + 1] - c;
		float e = pairs[2][2 * l], ef = pairs[2][2 * l + 1] - e;
		float g = pairs[3][2 * l], gh = pairs[3][2 * l + 1] - g;
		float low = a + fx * ab, high = c + fx * cd;
		float low_up = e + fx * ef, high_up = g + fx * gh;
		float near = low + fy * (high - low), far = low_up + fy * (high_up - low_up);
		float value = near + fz * (far - near);
		float slope_low = ab + fy * (cd - ab), slope_up = ef + fy * (gh - ef);
		float gx = slope_low + fz * (slope_up - slope_low);
		float gy = (high - low) + fz * ((high_up - low_up) - (high - low));
		float gz = far - near;
		int good = inside[l] & (value == value);

		run->weight[l] = good ? 1.0F : 0.0F;
		run->value[l] = good ? value : 0.0F;
		run->gradient[0][l] = good ? m00 * gx + m01 * gy + m02 * gz : 0.0F;
		run->gradient[1][l] = good ? m10 * gx + m11 * gy + m12 * gz : 0.0F;
		run->gradient[2][l] = good ? m20 * gx + m21 * gy + m22 * gz : 0.0F;
	}
}

ALWAYS_INLINE void squares(struct registration_run *restrict run, const float *restrict fixed,
			   int n, float brightness, float inverse_square)
{
	for (int l = 0; l < n; l++) {
		float value = fixed[l];
		float weight = value == value ? run->weight[l] : 0.0F;
		float residual = value == value ? value - brightness * run->value[l] : 0.0F;
		float square = residual * residual;
		float share = 1.0F / (1.0F + square * inverse_square);
		float curvature = weight * share * share;
		run->weight[l] = weight;
		run->curvature[l] = curvature;
		run->score[l] = curvature * residual;
		run->cost[l] = weight * square * share;
	}
	for (int l = n; l < whole_lanes(n); l++)
		run->curvature[l] = run->score[l] = run->cost[l] = 0;
}

/* Memory as a vector of lanes. */
#define LANES_OF(place) (*(const lanes_of_float *)(place))

ALWAYS_INLINE void add(struct registration_lanes *restrict lanes,
		       const struct registration_run *restrict run,
		       const struct registration_line *line, int n)
{
	lanes_of_float number;

	for (int l = 0; l < REGISTRATION_LANES; l++)
		number[l] = (float)l;
	for (int v = 0; v < whole_lanes(n); v += REGISTRATION_LANES) {
		lanes_of_float at = number + (float)v;
		lanes_of_float x = line->arm_mm[0] + at * line->arm_step_mm[0];
		lanes_of_float y = line->arm_mm[1] + at * line->arm_step_mm[1];
		lanes_of_float z = line->arm_mm[2] + at * line->arm_step_mm[2];
		lanes_of_float gx = LANES_OF(run->gradient[0] + v);
		lanes_of_float gy = LANES_OF(run->gradient[1] + v);
		lanes_of_float gz = LANES_OF(run->gradient[2] + v);
		lanes_of_float curvature = LANES_OF(run->curvature + v);
		lanes_of_float score = LANES_OF(run->score + v);
		const lanes_of_float by[REGISTRATION_UNKNOWNS] = {gx,
								  gy,
								  gz,
								  y * gz - z * gy,
								  z * gx - x * gz,
								  x * gy - y * gx,
								  LANES_OF(run->value + v)};
		lanes_of_float *sum = (lanes_of_float *)lanes->sum;

#pragma GCC unroll 7
		for (int a = 0; a < REGISTRATION_UNKNOWNS; a++) {
			lanes_of_float weighted = curvature * by[a];
#pragma GCC unroll 7
			for (int b = a; b < REGISTRATION_UNKNOWNS; b++)
				*sum++ += weighted * by[b];
		}
#pragma GCC unroll 7
		for (int a = 0; a < REGISTRATION_UNKNOWNS; a++)
			*sum++ += score * by[a];
		*sum++ += LANES_OF(run->cost + v);
		*sum += LANES_OF(run->weight + v);
	}
}

/* Bin, and how far beyond it, 0 to 1. Values are within the scale (the images were clipped to it);
 * the bounds only catch rounding. */
ALWAYS_INLINE int bin_of(const struct registration_scale *scale, float value, float *part)
{
	float at = (value - scale->low) * scale->per_value;
	int bin = (int)at, most = scale->bins - 2;

	bin = bin < 0 ? 0 : bin;
	bin = bin > most ? most : bin;
	*part = at - (float)bin;
	return bin;
}

ALWAYS_INLINE int row_of(const struct registration_scale *scale, float value)
{
	int bin = (int)((value - scale->low) * scale->per_value + 0.5F);

	bin = bin < 0 ? 0 : bin >= scale->bins ? scale->bins - 1 : bin;
	return bin * REGISTRATION_BIN_ROW;
}

ALWAYS_INLINE void count(float *restrict joint, const struct registration_run *restrict run,
			 const float *restrict fixed, int n,
			 const struct registration_scale *fixed_scale,
			 const struct registration_scale *moving_scale)
{
	_Alignas(64) float weight[REGISTRATION_RUN][4];
	_Alignas(64) int place[REGISTRATION_RUN];

	for (int l = 0; l < n; l++) {
		int known = (run->weight[l] > 0) & (fixed[l] == fixed[l]);
		float value = known ? fixed[l] : fixed_scale->low;
		float moving = known ? run->value[l] : moving_scale->low;
		float t;
		int bin = bin_of(moving_scale, moving, &t);
		float rest = 1 - t, factor = known ? 1.0F / 6 : 0.0F;

		place[l] = row_of(fixed_scale, value) + bin;
		weight[l][0] = factor * rest * rest * rest;
		weight[l][1] = factor * (4 + t * t * (3 * t - 6));
		weight[l][2] = factor * (1 + t * (3 + t * (3 - 3 * t)));
		weight[l][3] = factor * t * t * t;
	}
	for (int l = 0; l < n; l++) {
		four_floats *at = (four_floats *)(joint + place[l]);
		*at += *(const four_floats *)weight[l];
	}
}

ALWAYS_INLINE void mutual(struct registration_run *restrict run, const float *restrict fixed, int n,
			  const struct registration_scale *fixed_scale,
			  const struct registration_scale *moving_scale,
			  const float *restrict table, const float *restrict information)
{
	_Alignas(64) float part[REGISTRATION_RUN], near[REGISTRATION_RUN][4];
	_Alignas(64) int place[REGISTRATION_RUN], row[REGISTRATION_RUN];

	for (int l = 0; l < n; l++) {
		int known = (run->weight[l] > 0) & (fixed[l] == fixed[l]);
		float value = known ? fixed[l] : fixed_scale->low;
		float moving = known ? run->value[l] : moving_scale->low;
		int bin = bin_of(moving_scale, moving, &part[l]);

		row[l] = row_of(fixed_scale, value);
		place[l] = row[l] + bin;
		run->weight[l] = known ? 1.0F : 0.0F;
	}
	for (int l = 0; l < n; l++) {
		memcpy(near[l], table + place[l], sizeof near[l]);
		run->curvature[l] = information[row[l]];
	}
	for (int l = 0; l < n; l++) {
		float t = part[l], rest = 1 - t, weight = run->weight[l];
		/* slope of the cubic B-spline with the table's values as coefficients */
		float slope = -0.5F * rest * rest * near[l][0] + t * (1.5F * t - 2) * near[l][1] +
			      (0.5F + t * (1 - 1.5F * t)) * near[l][2] + 0.5F * t * t * near[l][3];

		run->curvature[l] = weight * run->curvature[l];
		run->score[l] = weight * slope * moving_scale->per_value;
		run->cost[l] = 0;
	}
	for (int l = n; l < whole_lanes(n); l++)
		run->curvature[l] = run->score[l] = run->cost[l] = 0;
}

/* The same source once for each instruction set. */
#define CODE_FOR(set, target)                                                                      \
	target static void sample_##set(struct registration_run *run,                              \
					const struct registration_source *source,                  \
					const struct registration_line *line, int n)               \
	{                                                                                          \
		sample(run, source, line, n);                                                      \
	}                                                                                          \
	target static void squares_##set(struct registration_run *run, const float *fixed, int n,  \
					 float brightness, float inverse_square)                   \
	{                                                                                          \
		squares(run, fixed, n, brightness, inverse_square);                                \
	}                                                                                          \
	target static void add_##set(struct registration_lanes *lanes,                             \
				     const struct registration_run *run,                           \
				     const struct registration_line *line, int n)                  \
	{                                                                                          \
		add(lanes, run, line, n);                                                          \
	}                                                                                          \
	target static void count_##set(float *joint, const struct registration_run *run,           \
				       const float *fixed, int n,                                  \
				       const struct registration_scale *fixed_scale,               \
				       const struct registration_scale *moving_scale)              \
	{                                                                                          \
		count(joint, run, fixed, n, fixed_scale, moving_scale);                            \
	}                                                                                          \
	target static void mutual_##set(struct registration_run *run, const float *fixed, int n,   \
					const struct registration_scale *fixed_scale,              \
					const struct registration_scale *moving_scale,             \
					const float *table, const float *information)              \
	{                                                                                          \
		mutual(run, fixed, n, fixed_scale, moving_scale, table, information);              \
	}
#define CODE_ROW(set, target)                                                                      \
	{#set, sample_##set, squares_##set, add_##set, count_##set, mutual_##set},

INSTRUCTION_SETS(CODE_FOR)

const struct registration_code *registration_code_at(int at)
{
	static const struct registration_code codes[] = {INSTRUCTION_SETS(CODE_ROW)};

	return at >= 0 && at < instruction_sets() ? &codes[at] : NULL;
}

const struct registration_code *registration_code_best(void)
{
	return registration_code_at(instruction_sets() - 1);
}
