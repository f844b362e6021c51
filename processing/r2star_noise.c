#include "r2star_block.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "parallel.h"
#include "sort.h"

enum {
	SAMPLED_VOXELS = 16384,
	STEP_VOXELS = 2048,  /* enough to meet neighbouring stored values */
	FEWEST_VOXELS = 20,  /* a median of fewer residuals is no estimate */
	ENOUGH_VOXELS = 400, /* with so many all-echo voxels the others are not needed */
	FEWEST_AIR_VALUES = 200
};

static const double TISSUE_SHARE = 0.2;	  /* of the brightest percent at the first echo */
static const double SHALLOW_SHARE = 0.25; /* first pass: echoes above this share of the first one */
static const double CLEAR_OF_FLOOR = 5;	  /* later passes: echoes above this many sigma */
static const double ROUNDING_SD = 0.29;	  /* SD of rounding to whole steps, 1/sqrt(12), in steps */
static const double FLOAT_ROUNDING =
    1e-6;				 /* of the brightest percent: never call data noise-free */
static const double BLANKED_SHARE = 0.1; /* exact zeros among air values: the scanner blanked it */
static const double RAYLEIGH_MEAN = 1.2533141373155;

/* Some voxels of a series, evenly spread with a jitter that no pattern of rows can follow. */
struct sample {
	int echoes;
	size_t voxels;
	float *signals; /* voxels * echoes, echoes innermost */
	float *scratch; /* twice as many */
};

struct gathering {
	const struct echo_series *series;
	struct sample *sample;
};

static void gather(void *user, size_t first_voxel, size_t last_voxel)
{
	const struct gathering *job = user;
	const struct sample *sample = job->sample;
	const size_t all = grid_voxels(&job->series->grid);

	for (size_t v = first_voxel; v < last_voxel; v++) {
		size_t first = v * all / sample->voxels, last = (v + 1) * all / sample->voxels;
		uint32_t jitter = (uint32_t)v * 2654435761U >> 8;
		const float *from = job->series->samples + first + jitter % (last - first);
		float *to = sample->signals + v * (size_t)sample->echoes;

		for (int e = 0; e < sample->echoes; e++, from += all)
			to[e] = fabsf(*from) <= FLT_MAX ? *from : 0;
	}
}

static enum status_code sample_new(struct sample *sample, const struct echo_series *series,
				   size_t most, int threads, struct status *st)
{
	struct gathering job = {series, sample};
	size_t all = grid_voxels(&series->grid), values;

	sample->echoes = series->echoes;
	sample->voxels = all < most ? all : most;
	values = sample->voxels * (size_t)series->echoes;
	sample->signals = malloc(values * sizeof *sample->signals);
	sample->scratch = malloc(2 * values * sizeof *sample->scratch);
	if (sample->signals == NULL || sample->scratch == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to estimate the noise");
	parallel_for(sample->voxels, SAMPLED_VOXELS / 8, threads, gather, &job);
	return STATUS_OK;
}

static void sample_free(struct sample *sample)
{
	free(sample->signals);
	free(sample->scratch);
}

/* First-echo signal that one percent of the voxels exceed. */
static double brightest_percent(struct sample *sample)
{
	for (size_t v = 0; v < sample->voxels; v++)
		sample->scratch[v] = sample->signals[v * (size_t)sample->echoes];
	sort_floats(sample->scratch, sample->voxels, sample->scratch + sample->voxels);
	return (double)sample->scratch[(sample->voxels - 1) * 99 / 100];
}

/* Smallest difference between two stored values. */
static double smallest_step(struct sample *sample)
{
	size_t n = 0;
	double step = INFINITY;

	for (size_t i = 0; i < sample->voxels && i < STEP_VOXELS; i++) {
		size_t v =
		    i * 7919 % sample->voxels; /* a prime: no pattern of rows repeats with it */

		for (int e = 0; e < sample->echoes; e++)
			sample->scratch[n++] =
			    sample->signals[v * (size_t)sample->echoes + (size_t)e];
	}
	sort_floats(sample->scratch, n, sample->scratch + n);
	for (size_t i = 1; i < n; i++) {
		double difference = (double)sample->scratch[i] - (double)sample->scratch[i - 1];

		if (difference > 0 && difference < step)
			step = difference;
	}
	return isfinite(step) ? step : 0;
}

/* The quantile of residual variances that is taken for noise. Motion, fat and field gradients add
 * to a voxel's residuals and never take away: in real series the median is several times the noise,
 * the low end is not. A low quantile needs many voxels and many echoes, else a higher one must do.
 */
struct quantile {
	double share, normal; /* share below it, and that quantile of the normal distribution */
	size_t voxels;	      /* needed */
	int echoes;	      /* usable ones needed in each voxel */
};
static const struct quantile QUANTILES[] = {
    {0.05, -1.644854, 200, 6}, {0.25, -0.674490, 40, 3}, {0.5, 0, FEWEST_VOXELS, 3}};
enum { N_QUANTILES = sizeof QUANTILES / sizeof QUANTILES[0] };

/* Quantile of chi-square with k degrees of freedom, over k (Wilson and Hilferty's cube). */
static double chi_square_quantile(double normal, int k)
{
	double root = 1 - 2.0 / (9.0 * k) + normal * sqrt(2.0 / (9.0 * k));

	return root * root * root;
}

/* Echoes, counted from the first, that stay above a limit. */
static int echoes_above(const float *signals, int echoes, double limit)
{
	int n = 0;

	while (n < echoes && (double)signals[n] > limit)
		n++;
	return n;
}

struct residuals {
	struct r2star_block *block;
	double normal; /* of the quantile looked for */
	const struct r2star_code *code;
	float *variance; /* the sample's scratch: no more values than voxels */
	size_t count;
	int lanes;
};

static void flush_lanes(struct residuals *found)
{
	struct r2star_block *block = found->block;

	if (found->lanes == 0)
		return;
	found->code->start(block);
	found->code->improve(block, 30);
	for (int l = 0; l < found->lanes; l++) {
		int freedom = (int)block->usable[l] - 2;
		double scale = (double)block->first_echo[l];
		double variance = (double)block->at.cost[l] * scale * scale / freedom /
				  chi_square_quantile(found->normal, freedom);

		if (isfinite(variance))
			found->variance[found->count++] = (float)variance;
	}
	for (int l = 0; l < R2STAR_LANES; l++)
		block->usable[l] = 0;
	found->lanes = 0;
}

static void add_lane(struct residuals *found, const float *signals, int usable, double sigma)
{
	struct r2star_block *block = found->block;
	int l = found->lanes++;
	double first = (double)signals[0];
	float scale = 1 / signals[0];

	for (int e = 0; e < block->echoes; e++)
		block->signal[e][l] = e < usable ? signals[e] * scale : 0;
	block->usable[l] = (float)usable;
	block->floor[l] = fmaxf((float)(2 * sigma * sigma / (first * first)), R2STAR_LEAST_FLOOR);
	block->first_echo[l] = signals[0];
	if (found->lanes == R2STAR_LANES)
		flush_lanes(found);
}

/* Residual SD of fits in tissue by one quantile; returns the number of voxels it stands on. sigma
 * 0: first pass, no floor yet, shallow echoes only. Voxels in which every echo counts are
 * preferred. */
static size_t residual_sd(double *sd, struct sample *sample, struct r2star_block *block,
			  double sigma, double bright, const struct quantile *quantile)
{
	struct residuals found = {.block = block,
				  .normal = quantile->normal,
				  .code = r2star_code_best(),
				  .variance = sample->scratch};
	size_t echoes = (size_t)sample->echoes, whole = 0;
	int fewest;

	for (size_t v = 0; v < sample->voxels; v++) {
		const float *signals = sample->signals + v * echoes;

		whole +=
		    (double)signals[0] > TISSUE_SHARE * bright &&
		    echoes_above(signals, sample->echoes, CLEAR_OF_FLOOR * sigma) == sample->echoes;
	}
	fewest = sigma > 0 && whole >= ENOUGH_VOXELS && sample->echoes >= quantile->echoes
		     ? sample->echoes
		     : quantile->echoes;
	for (size_t v = 0; v < sample->voxels; v++) {
		const float *signals = sample->signals + v * echoes;
		double limit =
		    sigma > 0 ? CLEAR_OF_FLOOR * sigma : SHALLOW_SHARE * (double)signals[0];
		int usable = echoes_above(signals, sample->echoes, limit);

		if ((double)signals[0] > TISSUE_SHARE * bright && usable >= fewest)
			add_lane(&found, signals, usable, sigma);
	}
	flush_lanes(&found);
	if (found.count >= quantile->voxels) {
		sort_floats(found.variance, found.count, found.variance + found.count);
		*sd = sqrt((double)found.variance[(size_t)(quantile->share * (double)found.count)]);
	}
	return found.count;
}

/* Mean over the values of voxels that never show tissue: Rayleigh noise of one coil. */
static double air_noise(const struct sample *sample, double sigma)
{
	size_t echoes = (size_t)sample->echoes, n = 0, zeros = 0;
	double sum = 0;

	for (size_t v = 0; v < sample->voxels; v++) {
		const float *signals = sample->signals + v * echoes;
		bool air = true;

		for (size_t e = 0; e < echoes; e++)
			air = air && (double)signals[e] < 4 * sigma;
		for (size_t e = 0; air && e < echoes; e++, n++) {
			sum += (double)signals[e];
			zeros += signals[e] > 0 ? 0 : 1;
		}
	}
	if (n < FEWEST_AIR_VALUES || (double)zeros > BLANKED_SHARE * (double)n)
		return (double)NAN;
	return sum / (double)n / RAYLEIGH_MEAN;
}

static enum status_code estimate(double *sigma, double *air_sigma, struct sample *sample,
				 struct r2star_block *block, size_t all,
				 const struct r2star_params *params, struct status *st)
{
	double bright = brightest_percent(sample);
	double least = fmax(ROUNDING_SD * smallest_step(sample), FLOAT_ROUNDING * bright);
	size_t voxels = 0;

	*sigma = params->sigma;
	for (int pass = 0; pass < 3 && params->sigma <= 0; pass++) {
		double before = *sigma;
		bool found = false;

		for (int q = 0; !found && q < N_QUANTILES; q++) {
			voxels = residual_sd(sigma, sample, block, before, bright, &QUANTILES[q]);
			found = voxels >= QUANTILES[q].voxels;
		}
		if (!found)
			return status_fail(
			    st, STATUS_REFUSE,
			    "the noise cannot be estimated: of %zu voxels looked at (%zu in "
			    "all) only %zu show a decay over three echoes",
			    sample->voxels, all, voxels);
		*sigma = fmax(*sigma, least);
	}
	*air_sigma = air_noise(sample, *sigma);
	return STATUS_OK;
}

enum status_code r2star_estimate_noise(double *sigma, double *air_sigma,
				       const struct echo_series *series,
				       const struct r2star_params *params, struct status *st)
{
	size_t all = grid_voxels(&series->grid);
	struct r2star_block *block = aligned_alloc(_Alignof(struct r2star_block), sizeof *block);
	struct sample sample = {.signals = NULL};
	enum status_code code = STATUS_RETRY;

	if (block == NULL) {
		status_fail(st, STATUS_RETRY, "no memory to estimate the noise");
		goto out;
	}
	r2star_block_init(block, series);
	code = sample_new(&sample, series, SAMPLED_VOXELS, params->threads, st);
	if (code == STATUS_OK)
		code = estimate(sigma, air_sigma, &sample, block, all, params, st);
	if (code == STATUS_REFUSE && sample.voxels < all) { /* little tissue: look at every voxel */
		status_clear(st);
		sample_free(&sample);
		code = sample_new(&sample, series, all, params->threads, st);
		if (code == STATUS_OK)
			code = estimate(sigma, air_sigma, &sample, block, all, params, st);
	}
out:
	sample_free(&sample);
	free(block);
	return code;
}
