#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "registration_parts.h"

/* Edge of a block and spacing of the level it is looked at, mm. */
static const double BLOCK_MM = 32, LOOK_MM = 4;
/* A block that can tell to this is as good as one that can tell better. */
static const double GOOD_ENOUGH_MM = 0.5;
/* A direction with less structure than so many times what noise alone makes is not seen. */
static const double ABOVE_NOISE = 4;
static const double LONGEST_STEP_MM = 4, LONGEST_SHIFT_MM = 15, SMALL_STEP_MM = 0.01;

/* A part that moved by itself looks like an outlier to all the others: the threshold's square is
 * that much larger here. */
static const double WIDER = 1.0 / 36;

enum { FEWEST_VOXELS = 100, STEPS = 10, SWEEPS = 8, TONES = 64 };

/* A block's shift, along the directions in which it can tell. */
struct block_shift {
	double shift_mm[3];
	double direction[3][3], variance_mm2[3]; /* infinite: not known */
};

struct looking {
	const struct registration_view *view;
	const struct registration_place *place;
	struct registration_geometry geometry;
	int size[3], count[3]; /* voxels of a block, blocks */
	struct block_shift *blocks;
};

static void sum_block(double sums[REGISTRATION_SUMS], const struct looking *looking,
		      const int first[3], const int last[3], const double shift_mm[3])
{
	const struct registration_view *view = looking->view;
	const struct registration_code *code = view->problem->code;
	const struct grid *grid = &view->level->fixed.grid;
	struct registration_geometry geometry = looking->geometry;
	struct registration_lanes lanes;

	for (int a = 0; a < 3; a++) { /* to_mm is the transpose of millimetres to voxels */
		for (int b = 0; b < 3; b++)
			geometry.offset[a] += (double)geometry.source.to_mm[b][a] * shift_mm[b];
	}
	memset(sums, 0, sizeof(double) * REGISTRATION_SUMS);
	memset(&lanes, 0, sizeof lanes);
	for (int k = first[2]; k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			const int n = last[0] - first[0] + 1;
			const float *fixed =
			    view->level->fixed.samples +
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns +
			    (size_t)first[0];
			struct registration_line line;
			struct registration_run run;

			registration_line_of(&line, &geometry, first[0], j, k);
			code->sample(&run, &geometry.source, &line, n);
			code->squares(&run, fixed, n, (float)looking->place->brightness,
				      (float)(looking->place->inverse_square * WIDER));
			code->add(&lanes, &run, &line, n);
		}
	}
	registration_flush(sums, &lanes);
}

/* Eigenvalues and eigenvectors (rows) of a symmetric matrix, by Jacobi's rotations. */
static void eigen(double matrix[3][3], double vector[3][3])
{
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			vector[a][b] = a == b;
	}
	for (int turn = 0; turn < 3 * SWEEPS; turn++) {
		const int p = turn % 3, q = (p + 1) % 3;
		double angle, c, s;

		if (matrix[p][q] == 0)
			continue;
		angle = 0.5 * atan2(2 * matrix[p][q], matrix[q][q] - matrix[p][p]);
		c = cos(angle);
		s = sin(angle);
		for (int k = 0; k < 3; k++) { /* columns, then rows */
			double at_p = matrix[k][p], at_q = matrix[k][q];

			matrix[k][p] = c * at_p - s * at_q;
			matrix[k][q] = s * at_p + c * at_q;
		}
		for (int k = 0; k < 3; k++) {
			double at_p = matrix[p][k], at_q = matrix[q][k];

			matrix[p][k] = c * at_p - s * at_q;
			matrix[q][k] = s * at_p + c * at_q;
			at_p = vector[p][k];
			at_q = vector[q][k];
			vector[p][k] = c * at_p - s * at_q;
			vector[q][k] = s * at_p + c * at_q;
		}
	}
}

/* The next step of a block from its sums; sets what it knows. Curvature and slope are those of the
 * squares over twice their variance, with voxels that are alike as one. */
static bool block_step(struct block_shift *block, double step[3], const struct looking *looking,
		       const double sums[REGISTRATION_SUMS])
{
	static const int place_of[3][3] = {{0, 1, 2}, {1, 7, 8}, {2, 8, 13}};
	const struct registration_problem *problem = looking->view->problem;
	const double alike = looking->view->level->alike, voxels = sums[REGISTRATION_COUNT];
	double noise = voxels / alike / (2 * problem->variance_mm2);
	double matrix[3][3], brightness = looking->place->brightness, variance;

	if (!(voxels >= FEWEST_VOXELS))
		return false;
	variance = sums[REGISTRATION_COST] / voxels;
	if (!(variance > 0))
		return false;
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			matrix[a][b] =
			    brightness * brightness / variance / alike * sums[place_of[a][b]];
		step[a] = 0;
	}
	eigen(matrix, block->direction);
	for (int i = 0; i < 3; i++) {
		const double *direction = block->direction[i];
		double along = 0;

		block->variance_mm2[i] = INFINITY;
		if (!(matrix[i][i] > ABOVE_NOISE * noise))
			continue;
		block->variance_mm2[i] = 1 / matrix[i][i];
		for (int a = 0; a < 3; a++)
			along += direction[a] * brightness / variance / alike *
				 sums[REGISTRATION_SCORE + a];
		for (int a = 0; a < 3; a++)
			step[a] += direction[a] * along / matrix[i][i];
	}
	return true;
}

static double length(const double v[3])
{
	return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/* The shift that a block would still like, by its own small search. */
static void look_at(struct block_shift *block, const struct looking *looking, const int first[3],
		    const int last[3])
{
	bool known = true;

	for (int i = 0; i < STEPS && known; i++) {
		double sums[REGISTRATION_SUMS], step[3], size_mm;

		sum_block(sums, looking, first, last, block->shift_mm);
		known = block_step(block, step, looking, sums);
		if (!known)
			break;
		size_mm = length(step);
		for (int a = 0; a < 3; a++)
			block->shift_mm[a] +=
			    step[a] * (size_mm > LONGEST_STEP_MM ? LONGEST_STEP_MM / size_mm : 1);
		known = length(block->shift_mm) <= LONGEST_SHIFT_MM;
		if (size_mm < SMALL_STEP_MM)
			break;
	}
	for (int i = 0; i < 3 && !known; i++)
		block->variance_mm2[i] = INFINITY;
}

static void look_at_blocks(void *user, size_t first_block, size_t last_block)
{
	const struct looking *looking = user;
	const struct grid *grid = &looking->view->level->fixed.grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};

	for (size_t at = first_block; at < last_block; at++) {
		const size_t across = (size_t)looking->count[0], down = (size_t)looking->count[1];
		const int index[3] = {(int)(at % across), (int)(at / across % down),
				      (int)(at / (across * down))};
		int first[3], last[3];

		for (int a = 0; a < 3; a++) {
			first[a] = index[a] * looking->size[a];
			last[a] = first[a] + looking->size[a] - 1;
			last[a] = last[a] < size[a] ? last[a] : size[a] - 1;
		}
		look_at(&looking->blocks[at], looking, first, last);
	}
}

/* Per axis the weighted mean of the squares less what noise alone would give; infinite where no
 * block can tell. */
static double root_mean_square(const struct block_shift *blocks, size_t n)
{
	double sum[3] = {0, 0, 0}, weights[3] = {0, 0, 0}, square_mm2 = 0;

	for (size_t at = 0; at < 3 * n; at++) {
		const struct block_shift *block = &blocks[at / 3];
		const double *direction = block->direction[at % 3];
		double variance_mm2 = block->variance_mm2[at % 3], along_mm = 0, weight;

		if (!isfinite(variance_mm2))
			continue;
		weight = 1 / (variance_mm2 + GOOD_ENOUGH_MM * GOOD_ENOUGH_MM);
		for (int a = 0; a < 3; a++)
			along_mm += direction[a] * block->shift_mm[a];
		for (int a = 0; a < 3; a++) {
			double share = weight * direction[a] * direction[a];

			weights[a] += share;
			sum[a] += share * (along_mm * along_mm - variance_mm2);
		}
	}
	for (int a = 0; a < 3; a++)
		square_mm2 += weights[a] > 0 ? fmax(sum[a] / weights[a], 0) : (double)INFINITY;
	return sqrt(square_mm2);
}

/* The fixed image in the moving one's contrast: each tone becomes the mean of what the moving image
 * shows there, where it shows something. */
static enum status_code translate(struct volume *translated,
				  const struct registration_problem *problem,
				  const struct registration_level *level,
				  const double transform[RIGID_SIZE], struct status *st)
{
	const struct grid *grid = &level->fixed.grid;
	const float low = problem->fixed_range[0];
	const float per_value = (float)(TONES - 1) / (problem->fixed_range[1] - low);
	double sum[TONES] = {0}, count[TONES] = {0};
	struct registration_geometry geometry;
	size_t columns = (size_t)grid->columns, n = grid_voxels(grid);

	registration_geometry_of(&geometry, level, problem->centre_mm, transform);
	for (size_t at = 0; at < n; at += REGISTRATION_RUN) {
		const size_t left = columns - at % columns;
		struct registration_line line;
		struct registration_run run;
		int length = left < REGISTRATION_RUN ? (int)left : REGISTRATION_RUN;

		registration_line_of(&line, &geometry, (int)(at % columns),
				     (int)(at / columns % (size_t)grid->rows),
				     (int)(at / columns / (size_t)grid->rows));
		problem->code->sample(&run, &geometry.source, &line, length);
		for (int l = 0; l < length; l++) {
			float value = level->fixed.samples[at + (size_t)l];

			if (isnan(value) || !(run.weight[l] > 0))
				continue;
			sum[(int)((value - low) * per_value + 0.5F)] += (double)run.value[l];
			count[(int)((value - low) * per_value + 0.5F)]++;
		}
		at -= (size_t)(REGISTRATION_RUN - length); /* the next run begins where it ended */
	}
	if (volume_new(translated, grid, NAN, st) != STATUS_OK)
		return st->code;
	for (size_t at = 0; at < n; at++) {
		float tone = (level->fixed.samples[at] - low) * per_value;
		int bin = isnan(tone) ? 0 : (int)tone;
		int next = bin + 1 < TONES ? bin + 1 : bin;
		double part = (double)(tone - (float)bin);

		if (!isnan(tone) && count[bin] > 0 && count[next] > 0)
			translated->samples[at] = (float)((1 - part) * sum[bin] / count[bin] +
							  part * sum[next] / count[next]);
	}
	return STATUS_OK;
}

static int residual_level(const struct registration_problem *problem)
{
	int l = 0;

	while (l + 1 < problem->n_levels && problem->levels[l].spacing_mm < 0.7 * LOOK_MM)
		l++;
	return l;
}

/* Blocks of a level, edge about BLOCK_MM; how many. */
static size_t cut_blocks(struct looking *looking)
{
	const struct grid *grid = &looking->view->level->fixed.grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	size_t n = 1;

	for (int a = 0; a < 3; a++) {
		int edge = (int)(BLOCK_MM / grid_spacing_mm(grid, a) + 0.5);

		edge = edge < 1 ? 1 : edge;
		looking->size[a] = edge > REGISTRATION_RUN ? REGISTRATION_RUN : edge;
		looking->count[a] = (size[a] + looking->size[a] - 1) / looking->size[a];
		n *= (size_t)looking->count[a];
	}
	return n;
}

enum status_code registration_residual(double *residual_mm,
				       const struct registration_problem *problem,
				       const struct registration_place *place, struct status *st)
{
	const bool mutual = problem->metric == REGISTRATION_MUTUAL_INFORMATION;
	struct registration_problem squares = *problem;
	struct registration_level level = problem->levels[residual_level(problem)];
	struct registration_view view = {
	    .problem = &squares, .level = &level, .sparse = 1, .spread = true};
	struct registration_place at = *place;
	struct looking looking = {.view = &view, .place = &at};
	struct volume translated = VOLUME_INIT;
	struct registration_slope slope;
	enum status_code code = STATUS_OK;
	size_t n;

	squares.metric = REGISTRATION_LEAST_SQUARES;
	if (mutual) {
		if (translate(&translated, problem, &level, place->transform, st) != STATUS_OK)
			return st->code;
		level.fixed = translated;
		at.brightness = 1;
		at.inverse_square = 0;
		code = registration_evaluate(&slope, &view, &at, st);
		if (code != STATUS_OK)
			goto out;
		at.inverse_square = slope.spread > 0 ? 1 / (16 * slope.spread * slope.spread) : 0;
	}
	n = cut_blocks(&looking);
	looking.blocks = calloc(n, sizeof *looking.blocks);
	if (looking.blocks == NULL) {
		code = status_fail(st, STATUS_RETRY, "no memory for the residual of a motion");
		goto out;
	}
	registration_geometry_of(&looking.geometry, &level, problem->centre_mm, place->transform);
	parallel_for(n, 4, problem->threads, look_at_blocks, &looking);
	*residual_mm = root_mean_square(looking.blocks, n);
out:
	volume_free(&translated);
	free(looking.blocks);
	return code;
}
