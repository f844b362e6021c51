#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "registration_parts.h"

/* Edge of a block and spacing of the level it is looked at, mm. */
static const double BLOCK_MM = 32, LOOK_MM = 4;
/* A block that can tell to this is as good as one that can tell better. */
static const double GOOD_ENOUGH_MM = 0.3;
/* What is not seen is not far: keeps blocks with structure in one direction only in place. */
static const double PRIOR_MM = 10;
static const double LONGEST_STEP_MM = 4, LONGEST_SHIFT_MM = 15;
/* Smoothing and interpolation make neighbours alike: so much less independent are they. */
static const double ALIKE = 6;

/* Gradient that noise alone makes, in standard deviations of the noise per voxel step, squared; a
 * direction with less than twice as much is seen by noise only. */
static const double NOISE_GRADIENT = 2;

enum { FEWEST_VOXELS = 100, STEPS = 6 };

struct block_shift {
	double shift_mm[3], variance_mm2[3]; /* variance infinite: not known */
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
			if (view->problem->metric == REGISTRATION_LEAST_SQUARES)
				code->squares(&run, fixed, n, (float)looking->place->brightness,
					      (float)looking->place->inverse_square);
			else
				code->mutual(&run, fixed, n, &view->joint->fixed,
					     &view->joint->moving, view->joint->table,
					     view->joint->information);
			code->add(&lanes, &run, &line, n);
		}
	}
	registration_flush(sums, &lanes);
}

/* Of the three shifts, from the sums: curvature and slope of half the squares over their variance,
 * or of the likelihood. */
static bool shift_equations(double matrix[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS],
			    double right[3], const struct looking *looking,
			    const double sums[REGISTRATION_SUMS])
{
	static const int place_of[3][3] = {{0, 1, 2}, {1, 7, 8}, {2, 8, 13}};
	double brightness = 1, variance = 1;

	if (!(sums[REGISTRATION_COUNT] >= FEWEST_VOXELS))
		return false;
	if (looking->view->problem->metric == REGISTRATION_LEAST_SQUARES) {
		brightness = looking->place->brightness;
		variance = sums[REGISTRATION_COST] / sums[REGISTRATION_COUNT];
	}
	if (!(variance > 0))
		return false;
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			matrix[a][b] =
			    brightness * brightness / variance * sums[place_of[a][b]] / ALIKE;
		matrix[a][a] += 1 / (PRIOR_MM * PRIOR_MM);
		right[a] = brightness / variance * sums[REGISTRATION_SCORE + a] / ALIKE;
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
	double matrix[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS] = {{0}}, right[3];
	double sums[REGISTRATION_SUMS];

	memset(block->shift_mm, 0, sizeof block->shift_mm);
	for (int a = 0; a < 3; a++)
		block->variance_mm2[a] = INFINITY;
	for (int i = 0; i < STEPS; i++) {
		double step[3], size_mm;

		sum_block(sums, looking, first, last, block->shift_mm);
		if (!shift_equations(matrix, right, looking, sums) ||
		    !registration_solve(step, matrix, right, 3))
			return;
		size_mm = length(step);
		for (int a = 0; a < 3; a++)
			block->shift_mm[a] +=
			    step[a] * (size_mm > LONGEST_STEP_MM ? LONGEST_STEP_MM / size_mm : 1);
		size_mm = length(block->shift_mm);
		if (!(size_mm <= LONGEST_SHIFT_MM))
			return;
		if (length(step) < 0.01)
			break;
	}
	for (int a = 0; a < 3; a++) {
		const double spacing_mm = grid_spacing_mm(&looking->view->level->moving.grid, a);
		const double noise =
		    NOISE_GRADIENT * sums[REGISTRATION_COUNT] / ALIKE / (spacing_mm * spacing_mm);
		const double unit[3] = {a == 0, a == 1, a == 2};
		double column[3];

		if (matrix[a][a] > 2 * noise && registration_solve(column, matrix, unit, 3))
			block->variance_mm2[a] = column[a];
	}
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

/* Per axis the weighted mean of the squares less what noise alone would give. */
static double root_mean_square(const struct block_shift *blocks, size_t n)
{
	double square_mm2 = 0;

	for (int a = 0; a < 3; a++) {
		double sum = 0, weights = 0;

		for (size_t i = 0; i < n; i++) {
			double weight;

			if (!isfinite(blocks[i].variance_mm2[a]))
				continue;
			weight = 1 / (blocks[i].variance_mm2[a] + GOOD_ENOUGH_MM * GOOD_ENOUGH_MM);
			weight *= weight;
			weights += weight;
			sum += weight * (blocks[i].shift_mm[a] * blocks[i].shift_mm[a] -
					 blocks[i].variance_mm2[a]);
		}
		square_mm2 += weights > 0 ? fmax(sum / weights, 0) : 0;
	}
	return sqrt(square_mm2);
}

enum status_code registration_residual(double *residual_mm,
				       const struct registration_problem *problem,
				       const struct registration_place *place, struct status *st)
{
	struct registration_view view = {.problem = problem, .sparse = 1};
	struct looking looking = {.view = &view, .place = place};
	struct registration_joint *joint = malloc(sizeof *joint);
	struct registration_slope slope;
	enum status_code code = STATUS_OK;
	size_t n = 1;
	int l = 0;

	while (l + 1 < problem->n_levels && problem->levels[l].spacing_mm < 0.7 * LOOK_MM)
		l++;
	view.level = &problem->levels[l];
	view.joint = joint;
	for (int a = 0; a < 3; a++) {
		const struct grid *grid = &view.level->fixed.grid;
		const int size[3] = {grid->columns, grid->rows, grid->slices};

		looking.size[a] = (int)(BLOCK_MM / grid_spacing_mm(grid, a) + 0.5);
		looking.size[a] = looking.size[a] < 1 ? 1 : looking.size[a];
		looking.size[a] =
		    looking.size[a] > REGISTRATION_RUN ? REGISTRATION_RUN : looking.size[a];
		looking.count[a] = (size[a] + looking.size[a] - 1) / looking.size[a];
		n *= (size_t)looking.count[a];
	}
	looking.blocks = calloc(n, sizeof *looking.blocks);
	if (joint == NULL || looking.blocks == NULL) {
		code = status_fail(st, STATUS_RETRY, "no memory for the residual of a motion");
		goto out;
	}
	code = registration_evaluate(&slope, &view, place, st); /* for what it learns */
	if (code != STATUS_OK)
		goto out;
	registration_geometry_of(&looking.geometry, view.level, problem->centre_mm,
				 place->transform);
	parallel_for(n, 4, problem->threads, look_at_blocks, &looking);
	*residual_mm = root_mean_square(looking.blocks, n);
out:
	free(joint);
	free(looking.blocks);
	return code;
}
