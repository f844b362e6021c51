/* registration_block.h - the inner loops of registration: a run of voxels of one row.
 *
 * Values and gradients of the moving image at the places of the run's voxels, and the sums that a
 * step of the search needs. Compiled once for each instruction set; the same bits with all of them,
 * because every sum runs in REGISTRATION_LANES lanes that are added in order. Part of
 * registration.h. */
#ifndef REGISTRATION_BLOCK_H
#define REGISTRATION_BLOCK_H

#include <stdbool.h>

#define REGISTRATION_LANES 16
#define REGISTRATION_RUN   256 /* voxels of a run, a multiple of the lanes */

/* Unknowns of a step: shift along x, y, z; turn about x, y, z; brightness. */
#define REGISTRATION_UNKNOWNS 7
#define REGISTRATION_PAIRS    (REGISTRATION_UNKNOWNS * (REGISTRATION_UNKNOWNS + 1) / 2)
/* Products of two unknowns (upper triangle by rows), products with the score, cost, voxels. */
#define REGISTRATION_SCORE (REGISTRATION_PAIRS)
#define REGISTRATION_COST  (REGISTRATION_PAIRS + REGISTRATION_UNKNOWNS)
#define REGISTRATION_COUNT (REGISTRATION_COST + 1)
#define REGISTRATION_SUMS  (REGISTRATION_COUNT + 1)

#define REGISTRATION_BINS 64 /* at most, of mutual information */
/* A row of the joint histogram: the bins and one more at each end for the width of a cubic
 * B-spline, rounded up. */
#define REGISTRATION_BIN_ROW (REGISTRATION_BINS + 4)

struct registration_source {
	const float *samples;
	int size[3];
	float to_mm[3][3]; /* gradient per voxel -> per mm, patient axes */
};

/* Places of the voxels of a run: start + l * step. */
struct registration_line {
	float voxel[3], voxel_step[3];	 /* in the moving image */
	float arm_mm[3], arm_step_mm[3]; /* patient point less the centre of turning */
};

/* What was found there. weight is 0 where the moving image has no value, else 1; value and gradient
 * are 0 there. */
struct registration_run {
	_Alignas(64) float value[REGISTRATION_RUN];
	_Alignas(64) float gradient[3][REGISTRATION_RUN];
	_Alignas(64) float weight[REGISTRATION_RUN];
	_Alignas(64) float curvature[REGISTRATION_RUN]; /* factor of the products of unknowns */
	_Alignas(64) float score[REGISTRATION_RUN];	/* factor of the unknowns */
	_Alignas(64) float cost[REGISTRATION_RUN];
};

struct registration_lanes {
	_Alignas(64) float sum[REGISTRATION_SUMS][REGISTRATION_LANES];
};

/* Brightness of one image as a position among bins: (value - low) * per_value, 0 to bins - 1. */
struct registration_scale {
	float low, per_value;
	int bins;
};

struct registration_code {
	const char *name;
	/* n is rounded up to whole lanes by the callee; what is beyond n has weight 0. */
	void (*sample)(struct registration_run *run, const struct registration_source *source,
		       const struct registration_line *line, int n);
	/* Sets curvature, score and cost for fixed - brightness * moving with the cost of Geman and
	 * McClure, r^2 / (1 + r^2 * inverse_square); clears the weight where fixed is NaN. */
	void (*squares)(struct registration_run *run, const float *fixed, int n, float brightness,
			float inverse_square);
	/* Adds a run to the sums. */
	void (*add)(struct registration_lanes *lanes, const struct registration_run *run,
		    const struct registration_line *line, int n);
	/* Adds a run to a joint histogram, a row per bin of the fixed image. */
	void (*count)(float *joint, const struct registration_run *run, const float *fixed, int n,
		      const struct registration_scale *fixed_scale,
		      const struct registration_scale *moving_scale);
	/* Sets curvature (of the fixed value's bin) and score (slope of the table, whose rows are
	 * those of the histogram, at the moving value). */
	void (*mutual)(struct registration_run *run, const float *fixed, int n,
		       const struct registration_scale *fixed_scale,
		       const struct registration_scale *moving_scale, const float *table,
		       const float *information);
};

/* The instruction sets this machine knows, plain first; NULL past the last. */
const struct registration_code *registration_code_at(int at);
const struct registration_code *registration_code_best(void);

#endif
