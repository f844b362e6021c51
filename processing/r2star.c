#include "r2star.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "r2star_block.h"

enum {
	RANGE_VOXELS = 64 * R2STAR_LANES, /* one piece of work for a thread */
	FIRST_STEPS = 1,		  /* most voxels need no more */
	LATER_STEPS = 60
};

/* Of a standard normal deviate 1 in 1000 is above it. */
static const float OSCILLATES_ABOVE = 3.09F;

struct fitting {
	const struct echo_series *series;
	const struct r2star_code *code;
	struct r2star_map *map;
	const struct r2star_block *empty; /* times set, no voxels */
	size_t voxels;
	float usable_above; /* signal an echo must exceed */
	float floor;	    /* 2 sigma^2 */
};

/* Writes one lane of a finished block. */
static void store_lane(const struct r2star_map *map, const struct r2star_block *block,
		       const float *score, int lane, size_t voxel)
{
	if (map->quality != NULL)
		map->quality[voxel] = score[lane] > OSCILLATES_ABOVE ? R2STAR_OSCILLATES : 0;
	map->r2star_per_s.samples[voxel] = block->r2star_per_s[lane];
	map->stderr_per_s.samples[voxel] = block->stderr_per_s[lane];
	map->s0.samples[voxel] = block->s0[lane];
	map->state[voxel] = isnan(block->r2star_per_s[lane]) ? R2STAR_FEW_ECHOES : R2STAR_FITTED;
}

/* Bytes may lie over anything: loops over them are vectors only where that is ruled out. */
static void store_quality(uint8_t *restrict quality, const float *restrict score, int lanes)
{
	for (int l = 0; l < lanes; l++)
		quality[l] = score[l] > OSCILLATES_ABOVE ? R2STAR_OSCILLATES : 0;
}

static void store_states(uint8_t *restrict state, const float *restrict r2star_per_s,
			 const float *restrict counted, int lanes)
{
	for (int l = 0; l < lanes; l++) {
		uint8_t otherwise = counted[l] > 0 ? R2STAR_FEW_ECHOES : R2STAR_NO_ECHO;

		state[l] = r2star_per_s[l] == r2star_per_s[l] ? R2STAR_FITTED : otherwise;
	}
}

static void store_block(const struct r2star_map *map, const struct r2star_block *block,
			const float *score, const float *counted, size_t first, int lanes)
{
	const size_t bytes = (size_t)lanes * sizeof(float);

	memcpy(map->r2star_per_s.samples + first, block->r2star_per_s, bytes);
	memcpy(map->stderr_per_s.samples + first, block->stderr_per_s, bytes);
	memcpy(map->s0.samples + first, block->s0, bytes);
	memcpy(map->first_echo.samples + first, block->first_echo, bytes);
	if (map->quality != NULL)
		store_quality(map->quality + first, score, lanes);
	store_states(map->state + first, block->r2star_per_s, counted, lanes);
}

static void finish_stragglers(const struct fitting *job, struct r2star_block *late, int lanes,
			      size_t first)
{
	R2STAR_PER_LANE(float, score) = {0};

	if (lanes == 0)
		return;
	job->code->restart(late);
	job->code->improve(late, LATER_STEPS);
	job->code->finish(late);
	if (job->map->quality != NULL)
		job->code->oscillation(late, score);
	for (int l = 0; l < lanes; l++)
		store_lane(job->map, late, score, l, first + (size_t)late->voxel[l]);
	for (int l = 0; l < R2STAR_LANES; l++)
		late->usable[l] = 0;
}

static void move_lane(struct r2star_block *to, int to_lane, const struct r2star_block *from,
		      int lane)
{
	for (int e = 0; e < from->echoes; e++)
		to->signal[e][to_lane] = from->signal[e][lane];
	to->first_echo[to_lane] = from->first_echo[lane];
	to->usable[to_lane] = from->usable[lane];
	to->floor[to_lane] = from->floor[lane];
	to->amplitude[to_lane] = from->amplitude[lane];
	to->rate[to_lane] = from->rate[lane];
	to->damping[to_lane] = from->damping[lane];
}

/* The next block's samples come from as many places as there are echoes; asked for now, they are
 * there when this block is done. */
static void fetch(const struct fitting *job, size_t first)
{
	enum { LINE = 64 / sizeof(float) };
	const float *echo = job->series->samples + first;

	for (int e = 0; e < job->series->echoes; e++, echo += job->voxels) {
		for (int l = 0; l < R2STAR_LANES; l += LINE)
			__builtin_prefetch(echo + l);
	}
}

/* Voxels that have not converged after the first steps are collected and go on together, so that a
 * hard one does not hold up its whole block. */
static void fit_range(void *user, size_t first, size_t last)
{
	const struct fitting *job = user;
	struct r2star_block block, late;
	R2STAR_PER_LANE(float, counted);
	R2STAR_PER_LANE(float, score) = {0};
	int waiting = 0;

	memcpy(&block, job->empty, sizeof block);
	memcpy(&late, job->empty, sizeof late);
	for (size_t at = first; at < last; at += R2STAR_LANES) {
		int lanes = last - at < R2STAR_LANES ? (int)(last - at) : R2STAR_LANES;
		bool any;

		if (last - at >= (size_t)2 * R2STAR_LANES)
			fetch(job, at + R2STAR_LANES);
		any = job->code->load(&block, job->series->samples + at, job->voxels, lanes,
				      job->usable_above, job->floor, counted) > 0;

		if (any) {
			job->code->start(&block);
			job->code->improve(&block, FIRST_STEPS);
		}
		job->code->finish(&block);
		memset(score, 0, sizeof score);
		if (any && job->map->quality != NULL)
			job->code->oscillation(&block, score);
		store_block(job->map, &block, score, counted, at, lanes);
		for (int l = 0; any && l < lanes; l++) {
			if (block.converged[l])
				continue;
			move_lane(&late, waiting, &block, l);
			late.voxel[waiting++] = (int32_t)(at - first) + l;
			if (waiting == R2STAR_LANES) {
				finish_stragglers(job, &late, waiting, first);
				waiting = 0;
			}
		}
	}
	finish_stragglers(job, &late, waiting, first);
}

/* Methylene, the main peak of fat, against water at body temperature. */
static void set_swing(struct r2star_block *empty, const struct echo_series *series,
		      double field_strength_t)
{
	const double shift = 3.4e-6, proton_hz_per_t = 42.577e6;

	for (int e = 0; e < series->echoes; e++)
		empty->swing[e] = (float)cos(2 * M_PI * shift * proton_hz_per_t * field_strength_t *
					     series->te_ms[e] / 1000);
}

static enum status_code check_series(const struct echo_series *series,
				     const struct r2star_params *params, struct status *st)
{
	if (grid_check(&series->grid, st) != STATUS_OK)
		return st->code;
	if (series->echoes < 3 || series->echoes > R2STAR_MOST_ECHOES)
		return status_fail(st, STATUS_REFUSE, "%d echoes; R2* needs 3 to %d",
				   series->echoes, (int)R2STAR_MOST_ECHOES);
	for (int e = 0; e < series->echoes; e++) {
		double before = e == 0 ? 0 : series->te_ms[e - 1];

		if (!(series->te_ms[e] > before) || !isfinite(series->te_ms[e]))
			return status_fail(st, STATUS_REFUSE,
					   "echo times do not rise: echo %d at %g ms after %g ms",
					   e + 1, series->te_ms[e], before);
	}
	if (!(params->usable_sigma > 0) || !(params->saturated_sigma > M_SQRT2) ||
	    !(params->saturated_sigma <= params->usable_sigma) || !(params->sigma >= 0) ||
	    !isfinite(params->sigma))
		return status_fail(
		    st, STATUS_BUG,
		    "R2* parameters: usable %g, saturated %g (above sqrt 2), sigma %g",
		    params->usable_sigma, params->saturated_sigma, params->sigma);
	return STATUS_OK;
}

/* Like volume_new(), but left for the threads to fill. */
static bool volume_for(struct volume *volume, const struct grid *grid)
{
	volume->grid = *grid;
	volume->samples = malloc(grid_voxels(grid) * sizeof *volume->samples);
	return volume->samples != NULL;
}

static void count_states(struct r2star_map *map)
{
	enum { FEW = 240 }; /* a byte can count them */
	size_t voxels = grid_voxels(&map->r2star_per_s.grid);

	memset(map->count, 0, sizeof map->count);
	for (size_t first = 0; first < voxels; first += FEW) {
		const size_t n = voxels - first < FEW ? voxels - first : FEW;

		for (int state = 0; state < R2STAR_STATES; state++) {
			uint8_t found = 0; /* in vectors of bytes */

			for (size_t v = 0; v < n; v++)
				found = (uint8_t)(found + (map->state[first + v] == state));
			map->count[state] += found;
		}
	}
}

enum status_code r2star_fit(struct r2star_map *map, const struct echo_series *series,
			    const struct r2star_params *params, struct status *st)
{
	struct r2star_map result = {.usable_sigma = params->usable_sigma,
				    .saturated_sigma = params->saturated_sigma};
	struct fitting job = {.series = series, .code = r2star_code_best(), .map = &result};
	struct r2star_block *empty = NULL;
	enum status_code code = check_series(series, params, st);

	if (code == STATUS_OK)
		code = r2star_estimate_noise(&result.sigma, &result.air_sigma, series, params, st);
	if (code != STATUS_OK)
		return code;
	job.voxels = grid_voxels(&series->grid);
	empty = aligned_alloc(_Alignof(struct r2star_block), sizeof *empty);
	result.state = malloc(job.voxels);
	if (params->field_strength_t > 0)
		result.quality = malloc(job.voxels);
	if (empty == NULL || (params->field_strength_t > 0 && result.quality == NULL) ||
	    result.state == NULL || !volume_for(&result.r2star_per_s, &series->grid) ||
	    !volume_for(&result.stderr_per_s, &series->grid) ||
	    !volume_for(&result.s0, &series->grid) ||
	    !volume_for(&result.first_echo, &series->grid)) {
		code = status_fail(st, STATUS_RETRY, "no memory for an R2* map of %zu voxels",
				   job.voxels);
		goto out;
	}
	r2star_block_init(empty, series);
	if (params->field_strength_t > 0)
		set_swing(empty, series, params->field_strength_t);
	result.te1_ms = series->te_ms[0];
	job.empty = empty;
	job.usable_above = (float)(params->usable_sigma * result.sigma);
	job.floor = (float)(2 * result.sigma * result.sigma);
	parallel_for(job.voxels, RANGE_VOXELS, params->threads, fit_range, &job);
	count_states(&result);
	*map = result;
	memset(&result, 0, sizeof result);
out:
	free(empty);
	r2star_map_free(&result);
	return code;
}

/* What one voxel with one or two usable echoes, or none, is worth when its S0 is known. */
static enum r2star_state resolve_voxel(struct r2star_map *map, size_t voxel, double s0)
{
	const double sigma = map->sigma, te1_s = map->te1_ms / 1000;
	const double first = (double)map->first_echo.samples[voxel];
	const bool saturated = first < map->saturated_sigma * sigma;
	const double seen = saturated ? map->saturated_sigma * sigma : first;
	const double tissue_square = seen * seen - 2 * sigma * sigma;
	double value;

	/* also where a comparison meets NaN: no first echo, or nothing known of the baseline */
	if (!(s0 > map->usable_sigma * sigma) || !(tissue_square > 0))
		return R2STAR_NOT_MEASURED;
	value = -log(sqrt(tissue_square) / s0) / te1_s;
	if (!isfinite(value))
		return R2STAR_NOT_MEASURED;
	map->r2star_per_s.samples[voxel] = (float)value;
	map->stderr_per_s.samples[voxel] = (float)(sigma * seen / tissue_square / te1_s);
	map->s0.samples[voxel] = (float)s0;
	return saturated ? R2STAR_SATURATED : R2STAR_S0_KNOWN;
}

enum status_code r2star_resolve(struct r2star_map *map, const struct volume *baseline_s0,
				double s0_scale, bool s0_known, struct status *st)
{
	size_t voxels = grid_voxels(&map->r2star_per_s.grid);

	if (baseline_s0 != NULL && !grid_same(&map->r2star_per_s.grid, &baseline_s0->grid, 1e-3))
		return status_fail(st, STATUS_BUG,
				   "S0 of the baseline is on another grid than the map");
	for (size_t v = 0; v < voxels; v++) {
		if (map->state[v] != R2STAR_FEW_ECHOES && map->state[v] != R2STAR_NO_ECHO)
			continue;
		map->state[v] = R2STAR_NOT_MEASURED;
		if (baseline_s0 != NULL && s0_known)
			map->state[v] = (uint8_t)resolve_voxel(
			    map, v, s0_scale * (double)baseline_s0->samples[v]);
	}
	count_states(map);
	return STATUS_OK;
}

void r2star_map_free(struct r2star_map *map)
{
	volume_free(&map->r2star_per_s);
	volume_free(&map->stderr_per_s);
	volume_free(&map->s0);
	volume_free(&map->first_echo);
	free(map->state);
	free(map->quality);
	map->state = map->quality = NULL;
}
