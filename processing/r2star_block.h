/* r2star_block.h - the fit itself: many voxels side by side, one lane each.
 *
 * Private to r2star*.c. Within a block everything is relative, so that single precision is enough:
 * signals are divided by the voxel's first echo, times are (te - te1) / (te_last - te1). A lane
 * knows
 *
 *     m_i = sqrt(amplitude^2 exp(-2 rate time_i) + floor),   floor = 2 sigma^2 / S1^2
 *
 * and looks for the amplitude (at the first echo) and rate with the least sum of (signal_i - m_i)^2
 * over its first `usable` echoes: Levenberg-Marquardt steps, started from a log-linear fit weighted
 * with the squared signal. Lanes do not see each other, and one that has converged is not touched
 * again, so a voxel's bits do not depend on the voxels it shares a block with.
 *
 *     load -> start -> improve -> finish        and for lanes copied from another block
 *             restart -> improve -> finish */
#ifndef R2STAR_BLOCK_H
#define R2STAR_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "r2star.h"

/* Without noise: the square of a signal that is nothing beside the first echo's. */
#define R2STAR_LEAST_FLOOR 1e-30F

enum { R2STAR_LANES = 128, R2STAR_MOST_ECHOES = 64, R2STAR_ECHOES_FOR_FAT = 5 };

/* One value per lane, on the cache lines that the widest vectors fill. */
#define R2STAR_PER_LANE(type, name) _Alignas(64) type name[R2STAR_LANES]

/* Least squares at one point of the amplitude-rate plane: squares and products of the derivatives,
 * derivatives times residuals, residuals squared. */
struct r2star_normal {
	R2STAR_PER_LANE(float, aa);
	R2STAR_PER_LANE(float, ar);
	R2STAR_PER_LANE(float, rr);
	R2STAR_PER_LANE(float, a_residual);
	R2STAR_PER_LANE(float, r_residual);
	R2STAR_PER_LANE(float, cost);
};

struct r2star_block {
	int echoes;
	bool even;   /* times are evenly spaced */
	float lead;  /* te1 in units of time: how far before the first echo te = 0 is */
	float per_s; /* rate 1 in 1/s */
	float time[R2STAR_MOST_ECHOES];	 /* 0 at the first echo, 1 at the last */
	float swing[R2STAR_MOST_ECHOES]; /* cosine of the water-fat phase at each echo */
	_Alignas(64) float signal[R2STAR_MOST_ECHOES][R2STAR_LANES];
	R2STAR_PER_LANE(float, first_echo); /* series units */
	R2STAR_PER_LANE(float, usable); /* number of echoes that count; 0: the lane is not fitted */
	R2STAR_PER_LANE(float, floor);
	R2STAR_PER_LANE(float, amplitude);
	R2STAR_PER_LANE(float, rate);
	R2STAR_PER_LANE(float, damping);
	R2STAR_PER_LANE(float, step);	      /* size of the last one along the rate; 0: none yet */
	R2STAR_PER_LANE(int32_t, converged);  /* 0 or 1 */
	struct r2star_normal at;	      /* at amplitude and rate */
	R2STAR_PER_LANE(float, r2star_per_s); /* results */
	R2STAR_PER_LANE(float, stderr_per_s);
	R2STAR_PER_LANE(float, s0);
	int32_t voxel[R2STAR_LANES]; /* for the caller; the fit does not look at it */
};

struct r2star_code {
	const char *name; /* instruction set */

	/* Takes `lanes` neighbouring voxels; samples is the first one's first echo, its next echo
	 * is `apart` values on. An echo counts while it and all before it are above the limit; with
	 * fewer than three the lane is not fitted, and *counted keeps their number. The rest of the
	 * lanes are empty. Returns the number of lanes to fit. */
	int (*load)(struct r2star_block *block, const float *samples, size_t apart, int lanes,
		    float limit, float floor, float counted[R2STAR_LANES]);

	/* Amplitude and rate from the log-linear fit, then as restart. */
	void (*start)(struct r2star_block *block);

	/* The normal equations at the amplitude and rate that are there. */
	void (*restart)(struct r2star_block *block);

	/* At most `steps` steps; returns when every lane has converged. */
	void (*improve)(struct r2star_block *block, int steps);

	/* The results in 1/s and series units; NaN in lanes that are not fitted. */
	void (*finish)(struct r2star_block *block);

	/* How many standard deviations the residuals swing with water and fat, in phase up; 0 in
	 * lanes that cannot tell. After finish. */
	void (*oscillation)(const struct r2star_block *block, float score[R2STAR_LANES]);
};

/* What this processor can run, slowest first; all give the same bits. `at` counts from 0; NULL past
 * the last one. */
const struct r2star_code *r2star_code_at(int at);
const struct r2star_code *r2star_code_best(void);

/* Sets echoes, time, lead and even for a series; every lane empty. */
void r2star_block_init(struct r2star_block *block, const struct echo_series *series);

/* Noise SD of a series in its units, from the residuals of fits in tissue that keeps its signal
 * through the echoes; at least what rounding to whole steps of the stored numbers makes.
 * *air_sigma: from voxels without tissue, NaN where the scanner blanked them. STATUS_REFUSE when
 * too few voxels show a decay; STATUS_RETRY: memory. */
enum status_code r2star_estimate_noise(double *sigma, double *air_sigma,
				       const struct echo_series *series,
				       const struct r2star_params *params,
				       struct status *st) STATUS_CHECKED;

#endif
