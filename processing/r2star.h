/* r2star.h - from a multi-echo magnitude series to an R2* map.
 *
 * Model, per voxel (second moment of a Rician magnitude):
 *
 *     E[S(te)^2] = S0^2 exp(-2 R2* te) + 2 sigma^2
 *
 * fitted as S = sqrt(S0^2 exp(-2 R2* te) + 2 sigma^2) by nonlinear least squares over the usable
 * echoes, to convergence. R2* is not bounded: a voxel without decay scatters about 0, and cutting
 * the negatives off would add signal that is not there.
 *
 * Usable echoes. An echo is usable when S > usable_sigma * sigma and so are all echoes before it.
 * With three or more a voxel is fitted. With fewer it decays faster than the echoes can follow:
 * only its first echo and the S0 it had before any microspheres can say how fast (r2star_resolve).
 * Log-linear fits would report such voxels as if they were cool: at SNR 50 and 400 /s they find
 * half of R2* and at 800 /s an eighth.
 *
 * Bias of this estimator, 16 echoes from 1.33 ms every 1.15 ms, Rician noise, measured by
 * tests/unit/test_r2star.c beside the published columns for other estimators: within 0.6 % up to
 * 600 /s at SNR 50; -1, -3, -6 % at 100, 300, 400 /s at SNR 20, where choosing echoes by their
 * noisy values begins to tell. The standard error predicts the scatter within 10 %.
 *
 * Noise. sigma is the SD of the noise in either part of the complex signal, in signal units. When
 * it is not given, it is taken from the low end of the residuals of fits in tissue that keeps its
 * signal through the echoes (parallel imaging makes air useless, many scanners blank it; motion,
 * fat and field gradients only ever add to residuals), and is at least the rounding of the stored
 * numbers. One sigma serves the whole series.
 *
 * Pure functions: no I/O, no clock, no global. The same input gives the same bits at any thread
 * count and on any instruction set that is picked at run time; a voxel's result depends on its own
 * signals and on sigma alone. May run at the same time on different maps. */
#ifndef R2STAR_H
#define R2STAR_H

#include <stdint.h>

#include "volume.h"

/* One series, echoes outermost. Borrowed: the caller keeps te_ms and samples alive. A sample that
 * is no finite number ends its voxel's usable echoes. */
struct echo_series {
	struct grid grid;     /* shared by all echoes */
	int echoes;	      /* 3 to 64 */
	const double *te_ms;  /* echoes values, rising, > 0 */
	const float *samples; /* echoes * grid_voxels values, after rescale, arbitrary unit */
};

enum r2star_state {
	R2STAR_NOT_MEASURED, /* dark before any microspheres, or S0 unknown; value NaN */
	R2STAR_FITTED,	     /* >= 3 usable echoes */
	R2STAR_FEW_ECHOES,   /* 1 or 2 usable echoes; NaN until r2star_resolve() */
	R2STAR_NO_ECHO,	     /* none usable; NaN until r2star_resolve() */
	R2STAR_S0_KNOWN,     /* from the first echo and the baseline's S0 */
	R2STAR_SATURATED     /* S(TE1) < saturated_sigma * sigma: the value is a lower bound */
};

struct r2star_params {
	double usable_sigma;	 /* 4 */
	double saturated_sigma;	 /* 2; must be above sqrt(2), the noise floor */
	double sigma;		 /* noise SD in signal units; 0: estimate from fit residuals */
	double field_strength_t; /* for the water-fat shift; 0 or NaN: not looked at */
	int threads;		 /* >= 1 */
};
enum { R2STAR_STATES = R2STAR_SATURATED + 1 };

/* What else is worth knowing of a fitted voxel; bits of r2star_map.quality. */
enum r2star_quality {
	/* The residuals swing between in- and out-of-phase echoes of water and fat (shift 3.4 ppm)
	 * by more than noise: the decay is not one exponential, and R2* leans on which echoes are
	 * used. */
	R2STAR_OSCILLATES = 1 << 0
};

#define R2STAR_PARAMS_DEFAULT                                                                      \
	{                                                                                          \
		.usable_sigma = 4, .saturated_sigma = 2, .sigma = 0, .threads = 2                  \
	}

/* All on series->grid; owned, freed with r2star_map_free(). */
struct r2star_map {
	struct volume r2star_per_s;
	struct volume stderr_per_s;  /* standard error from sigma and the fit's Jacobian */
	struct volume s0;	     /* signal at te = 0, series units */
	struct volume first_echo;    /* S(TE1), series units */
	uint8_t *state;		     /* enum r2star_state per voxel */
	uint8_t *quality;	     /* enum r2star_quality per voxel; NULL: not looked at */
	size_t count[R2STAR_STATES]; /* voxels in each state */
	double sigma;		     /* the noise SD used, series units */
	double te1_ms;
	double usable_sigma, saturated_sigma; /* as fitted with */
	double air_sigma; /* check: noise SD from air voxels (mean / 1.2533), NaN where air is
			     zeroed */
};

/* Fits every voxel: states FITTED, FEW_ECHOES and NO_ECHO. map is untouched unless STATUS_OK; the
 * caller frees it with r2star_map_free().
 * STATUS_REFUSE: fewer than 3 echoes or more than 64, echo times not rising or not positive, sigma
 * asked for but fewer than 20 voxels show a decay over three echoes.
 * STATUS_RETRY: memory. STATUS_BUG: parameters out of range. */
enum status_code r2star_fit(struct r2star_map *map, const struct echo_series *series,
			    const struct r2star_params *params, struct status *st) STATUS_CHECKED;

/* What the voxels that were not fitted are worth, given the baseline's S0 resampled to the same
 * grid (baseline_s0) and s0_scale = median ratio of S0 after / baseline over voxels fitted in both
 * (1 when unknown):
 *
 *     R2* = -ln(sqrt(S1^2 - 2 sigma^2) / (s0_scale * S0)) / TE1     -> R2STAR_S0_KNOWN
 *     S1 < saturated_sigma * sigma: the same with S1 = saturated_sigma * sigma, a lower bound
 *                                                                   -> R2STAR_SATURATED
 *
 * Their standard error is that of the first echo; S0 is taken as exact. A voxel whose S0 was not
 * fitted in the baseline, or whose scaled S0 is no more than usable_sigma * sigma, was dark before
 * (air, lung, bone): NOT_MEASURED, NaN. So is every few-echo voxel, saturated or not, when s0_known
 * is false (TR or flip angle differ) or baseline_s0 is NULL (the map is a baseline itself). count[]
 * then tells the voxels per state. STATUS_BUG: baseline_s0 on another grid. */
enum status_code r2star_resolve(struct r2star_map *map, const struct volume *baseline_s0,
				double s0_scale, bool s0_known, struct status *st) STATUS_CHECKED;

void r2star_map_free(struct r2star_map *map);

#endif
