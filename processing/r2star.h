/* r2star.h - from a multi-echo magnitude series to an R2* map.
 *
 * Model, per voxel:  E[S(te)^2] = S0^2 exp(-2 R2* te) + 2 sigma^2   (magnitude, Rician second moment)
 * fitted as S = sqrt(S0^2 exp(-2 R2* te) + 2 sigma^2) by nonlinear least squares over the usable echoes.
 * An echo is usable when S > usable_sigma * sigma, and so are all echoes before it. Bias of this and other
 * estimators: facts measured in tests/unit/test_r2star.c. Log-linear fits fake saturation and are not used.
 *
 * Pure functions: no I/O, no clock, no global; same input, same bits at any thread count and on any
 * instruction set that the run-time dispatch picks. */
#ifndef R2STAR_H
#define R2STAR_H

#include <stdint.h>

#include "volume.h"

/* One series, echoes outermost. Borrowed: the caller keeps te_ms and samples alive. */
struct echo_series {
	struct grid grid;     /* shared by all echoes */
	int echoes;           /* >= 3 */
	const double *te_ms;  /* echoes values, rising, > 0 */
	const float *samples; /* echoes * grid_voxels values, after rescale, arbitrary unit */
};

enum r2star_state {
	R2STAR_NOT_MEASURED = 0, /* no signal even at the first echo before any microspheres; value NaN */
	R2STAR_FITTED,           /* >= 3 usable echoes */
	R2STAR_FEW_ECHOES,       /* 1 or 2 usable echoes; NaN until r2star_resolve() */
	R2STAR_NO_ECHO,          /* none usable; NaN until r2star_resolve() */
	R2STAR_S0_KNOWN,         /* from the first echo and the baseline's S0 */
	R2STAR_SATURATED         /* S(TE1) < saturated_sigma * sigma: the value is a lower bound */
};

struct r2star_params {
	double usable_sigma;    /* 4 */
	double saturated_sigma; /* 2 */
	double sigma;           /* noise SD in signal units; 0: estimate from fit residuals */
	int threads;            /* >= 1 */
};
enum { R2STAR_STATES = R2STAR_SATURATED + 1 };

#define R2STAR_PARAMS_DEFAULT                                                                      \
	{                                                                                          \
		.usable_sigma = 4, .saturated_sigma = 2, .sigma = 0, .threads = 2                  \
	}

/* All on series->grid; owned, freed with r2star_map_free(). */
struct r2star_map {
	struct volume r2star_per_s;
	struct volume stderr_per_s;   /* standard error from sigma and the fit's Jacobian */
	struct volume s0;             /* signal at te = 0, series units */
	struct volume first_echo;     /* S(TE1), series units */
	uint8_t *state;               /* enum r2star_state per voxel */
	size_t count[R2STAR_STATES];  /* voxels in each state */
	double sigma;                 /* the noise SD used, series units */
	double te1_ms;
	double usable_sigma, saturated_sigma; /* as fitted with */
	double air_sigma;             /* check: noise SD from air voxels (mean / 1.2533), NaN where air is zeroed */
};

/* Fits every voxel. map is untouched unless STATUS_OK.
 * STATUS_REFUSE: fewer than 3 echoes, echo times not rising, sigma cannot be estimated (says why).
 * STATUS_RETRY: memory. */
enum status_code r2star_fit(struct r2star_map *map, const struct echo_series *series,
                            const struct r2star_params *params, struct status *st) STATUS_CHECKED;

/* What the few-echo voxels of an after-injection map are worth, given the baseline's S0 resampled
 * to the same grid (baseline_s0) and s0_scale = median ratio of S0 after / baseline over
 * voxels fitted in both (1 when unknown):
 *   R2* = -ln(sqrt(S1^2 - 2 sigma^2) / (s0_scale * S0)) / TE1      -> R2STAR_S0_KNOWN
 *   S1 < saturated_sigma * sigma: the same with S1 = saturated_sigma * sigma -> R2STAR_SATURATED
 * s0_known false (TR or flip differ): few-echo voxels stay NaN and are counted as not measured,
 * saturated ones too. The map's few-echo states are replaced; the number of voxels per state is in the
 * result's counts. A baseline itself is resolved with baseline_s0 = NULL: few -> NaN, not measured. */
enum status_code r2star_resolve(struct r2star_map *map, const struct volume *baseline_s0,
                                double s0_scale, bool s0_known, struct status *st) STATUS_CHECKED;

void r2star_map_free(struct r2star_map *map);

#endif
