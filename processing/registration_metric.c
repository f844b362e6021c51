#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "registration_parts.h"

enum {
	MOST_RANGES = 48,	   /* pieces of the rows: as many whatever the threads */
	RUNS_BETWEEN_FLUSHES = 32, /* floats add up to so many, then doubles */
	OCTAVES = 64,
	STEPS_PER_OCTAVE = 8,
	SPREAD_BINS = OCTAVES * STEPS_PER_OCTAVE,
	MANY_VOXELS = 200000 /* the spread looks at every eighth row of so many */
};

enum pass_kind { PASS_SQUARES, PASS_COUNT, PASS_MUTUAL };

/* Partial results of one range of rows. */
struct partial {
	double sums[REGISTRATION_SUMS];
	double spread[SPREAD_BINS];
};

struct pass {
	const struct registration_view *view;
	const struct registration_place *place;
	struct registration_geometry geometry, also;
	enum pass_kind kind;
	size_t chunk;
	struct partial *partials;
	float *joints; /* a joint histogram per range */
};

void registration_geometry_of(struct registration_geometry *geometry,
			      const struct registration_level *level, const double centre_mm[3],
			      const double transform[RIGID_SIZE])
{
	const struct grid millimetres = {
	    .column_step_mm = {1, 0, 0}, .row_step_mm = {0, 1, 0}, .slice_step_mm = {0, 0, 1}};
	const struct grid *moving = &level->moving.grid;
	double per_mm[3][3], unused[3], turned_mm[3];
	struct grid moved;

	rigid_move_grid(&moved, &level->fixed.grid, transform, moving->frame_of_reference);
	grid_map(&moved, moving, geometry->matrix, geometry->offset);
	rigid_apply(turned_mm, transform, centre_mm);
	grid_map(&millimetres, moving, per_mm, unused);
	for (int a = 0; a < 3; a++) {
		geometry->arm_matrix[a][0] = moved.column_step_mm[a];
		geometry->arm_matrix[a][1] = moved.row_step_mm[a];
		geometry->arm_matrix[a][2] = moved.slice_step_mm[a];
		geometry->arm_offset[a] = moved.origin_mm[a] - turned_mm[a];
		for (int b = 0; b < 3; b++)
			geometry->source.to_mm[a][b] = (float)per_mm[b][a];
	}
	geometry->source.samples = level->moving.samples;
	geometry->source.size[0] = moving->columns;
	geometry->source.size[1] = moving->rows;
	geometry->source.size[2] = moving->slices;
}

void registration_line_of(struct registration_line *line,
			  const struct registration_geometry *geometry, int column, int row,
			  int slice)
{
	for (int a = 0; a < 3; a++) {
		const double *m = geometry->matrix[a], *arm = geometry->arm_matrix[a];

		line->voxel[a] =
		    (float)(geometry->offset[a] + m[0] * column + m[1] * row + m[2] * slice);
		line->voxel_step[a] = (float)m[0];
		line->arm_mm[a] = (float)(geometry->arm_offset[a] + arm[0] * column + arm[1] * row +
					  arm[2] * slice);
		line->arm_step_mm[a] = (float)arm[0];
	}
}

void registration_flush(double sums[REGISTRATION_SUMS], struct registration_lanes *lanes)
{
	for (int s = 0; s < REGISTRATION_SUMS; s++) {
		for (int l = 0; l < REGISTRATION_LANES; l++)
			sums[s] += (double)lanes->sum[s][l];
	}
	memset(lanes, 0, sizeof *lanes);
}

/* Size of the residual by steps of an eighth of an octave, weighted with the squared gradient:
 * where the image is flat a residual says nothing of the motion. */
static void add_spread(double spread[SPREAD_BINS], const struct registration_run *run,
		       const float *fixed, float brightness, int n)
{
	for (int l = 0; l < n; l++) {
		float size = fabsf(fixed[l] - brightness * run->value[l]);
		uint32_t bits;
		int bin;

		if (!(run->weight[l] > 0))
			continue;
		memcpy(&bits, &size, sizeof bits);
		bin = (int)(bits >> 20) - (127 - OCTAVES / 2) * STEPS_PER_OCTAVE;
		bin = bin < 0 ? 0 : bin >= SPREAD_BINS ? SPREAD_BINS - 1 : bin;
		spread[bin] += (double)(run->gradient[0][l] * run->gradient[0][l] +
					run->gradient[1][l] * run->gradient[1][l] +
					run->gradient[2][l] * run->gradient[2][l]);
	}
}

/* Standard deviation of a normal distribution with the median of these sizes. */
static double spread_of(const double spread[SPREAD_BINS])
{
	double all = 0, below = 0;

	for (int b = 0; b < SPREAD_BINS; b++)
		all += spread[b];
	for (int b = 0; all > 0 && b < SPREAD_BINS; b++) {
		if (below + spread[b] >= all / 2) {
			double part = (all / 2 - below) / spread[b];
			double octave = (double)(b / STEPS_PER_OCTAVE - OCTAVES / 2);
			double mantissa = 1 + (b % STEPS_PER_OCTAVE + part) / STEPS_PER_OCTAVE;

			return 1.4826 * mantissa * exp2(octave);
		}
		below += spread[b];
	}
	return 0;
}

/* A run of one row. */
static void do_run(const struct pass *pass, size_t range, struct registration_lanes *lanes,
		   int column, size_t row, int n)
{
	const struct registration_view *view = pass->view;
	const struct registration_code *code = view->problem->code;
	const struct grid *grid = &view->level->fixed.grid;
	const int j = (int)(row % (size_t)grid->rows), k = (int)(row / (size_t)grid->rows);
	const float *fixed =
	    view->level->fixed.samples + row * (size_t)grid->columns + (size_t)column;
	struct partial *partial = &pass->partials[range];
	struct registration_line line;
	struct registration_run run;

	registration_line_of(&line, &pass->geometry, column, j, k);
	code->sample(&run, &pass->geometry.source, &line, n);
	if (view->also != NULL) {
		struct registration_line other;
		struct registration_run also;

		registration_line_of(&other, &pass->also, column, j, k);
		code->sample(&also, &pass->also.source, &other, n);
		for (int l = 0; l < n; l++)
			run.weight[l] *= also.weight[l];
	}
	if (pass->kind == PASS_COUNT) {
		code->count(pass->joints + range * REGISTRATION_BINS * (size_t)REGISTRATION_BIN_ROW,
			    &run, fixed, n, &view->joint->fixed, &view->joint->moving);
		return;
	}
	if (pass->kind == PASS_MUTUAL) {
		code->mutual(&run, fixed, n, &view->joint->fixed, &view->joint->moving,
			     view->joint->table, view->joint->information);
	} else {
		code->squares(&run, fixed, n, (float)pass->place->brightness,
			      (float)pass->place->inverse_square);
		if (view->spread &&
		    (view->level->voxels < MANY_VOXELS || row / (size_t)view->sparse % 8 == 0))
			add_spread(partial->spread, &run, fixed, (float)pass->place->brightness, n);
	}
	code->add(lanes, &run, &line, n);
}

static void do_rows(void *user, size_t first, size_t last)
{
	const struct pass *pass = user;
	const struct registration_view *view = pass->view;
	const struct grid *grid = &view->level->fixed.grid;
	const size_t range = first / pass->chunk;
	struct registration_lanes lanes;
	int runs = 0;

	memset(&lanes, 0, sizeof lanes);
	for (size_t row = first; row < last; row++) {
		const struct registration_extent *extent = &view->level->rows[row];
		size_t j = row % (size_t)grid->rows, k = row / (size_t)grid->rows;

		if ((j + k) % (size_t)view->sparse != 0)
			continue;
		for (int column = extent->begin; column < extent->end; column += REGISTRATION_RUN) {
			const int left = extent->end - column;

			do_run(pass, range, &lanes, column, row,
			       left < REGISTRATION_RUN ? left : REGISTRATION_RUN);
			if (++runs % RUNS_BETWEEN_FLUSHES == 0)
				registration_flush(pass->partials[range].sums, &lanes);
		}
	}
	registration_flush(pass->partials[range].sums, &lanes);
}

/* -mutual information, and the tables for its slope: at a bin, what a little more of it would
 * bring, and per bin of the fixed image the mean square of that table's slope. */
static double learn(struct registration_joint *joint, const float *joints, size_t ranges)
{
	enum { ROW = REGISTRATION_BIN_ROW };
	const int rows = joint->fixed.bins, columns = joint->moving.bins + 2;
	double p[REGISTRATION_BINS][ROW], of_row[REGISTRATION_BINS] = {0}, of_column[ROW] = {0};
	double all = 0, information = 0;

	for (int f = 0; f < rows; f++) {
		for (int m = 0; m < columns; m++) {
			p[f][m] = 0;
			for (size_t r = 0; r < ranges; r++)
				p[f][m] += (double)
				    joints[(r * REGISTRATION_BINS + (size_t)f) * ROW + (size_t)m];
			of_row[f] += p[f][m];
			of_column[m] += p[f][m];
			all += p[f][m];
		}
	}
	memset(joint->table, 0, sizeof joint->table);
	memset(joint->information, 0, sizeof joint->information);
	for (int f = 0; f < rows; f++) {
		float *table = joint->table + (size_t)f * ROW;
		double known = 0;

		for (int m = 0; m < columns; m++) {
			if (!(p[f][m] > 0))
				continue;
			double ratio = log(p[f][m] * all / (of_row[f] * of_column[m]));
			table[m] = (float)ratio;
			information += p[f][m] / all * ratio;
		}
		for (int m = 1; m + 1 < columns; m++) {
			double slope = (double)(table[m + 1] - table[m - 1]) / 2 *
				       (double)joint->moving.per_value;

			if (p[f][m - 1] > 0 && p[f][m] > 0 && p[f][m + 1] > 0)
				known += p[f][m] * slope * slope;
		}
		joint->information[(size_t)f * ROW] =
		    of_row[f] > 0 ? (float)(known / of_row[f]) : 0;
	}
	return -information;
}

static struct registration_scale scale_of(const float range[2], int bins)
{
	/* half a thousandth inside, so that rounding does not leave the last bin */
	struct registration_scale scale = {.low = range[0],
					   .per_value =
					       (float)(bins - 1) * 0.9995F / (range[1] - range[0]),
					   .bins = bins};
	return scale;
}

static void slope_from(struct registration_slope *slope, const double sums[REGISTRATION_SUMS],
		       enum registration_metric metric, double brightness)
{
	double voxels = sums[REGISTRATION_COUNT], scale[REGISTRATION_UNKNOWNS], per_voxel, sign;
	const double *sum = sums;

	slope->voxels = voxels;
	per_voxel = voxels > 0 ? 1 / voxels : 0;
	sign = metric == REGISTRATION_LEAST_SQUARES ? 2 : 1;
	for (int a = 0; a < REGISTRATION_UNKNOWNS; a++)
		scale[a] = metric == REGISTRATION_LEAST_SQUARES && a < 6 ? brightness : 1;
	for (int a = 0; a < REGISTRATION_UNKNOWNS; a++) {
		for (int b = a; b < REGISTRATION_UNKNOWNS; b++)
			slope->curvature[a][b] = slope->curvature[b][a] =
			    sign * per_voxel * scale[a] * scale[b] * *sum++;
		slope->slope[a] = -sign * per_voxel * scale[a] * sums[REGISTRATION_SCORE + a];
	}
	if (metric == REGISTRATION_LEAST_SQUARES)
		slope->value = voxels > 0 ? per_voxel * sums[REGISTRATION_COST] : (double)INFINITY;
}

static void add_up(struct registration_slope *slope, const struct pass *pass, size_t ranges)
{
	double sums[REGISTRATION_SUMS] = {0}, spread[SPREAD_BINS] = {0};

	for (size_t r = 0; r < ranges; r++) {
		for (int s = 0; s < REGISTRATION_SUMS; s++)
			sums[s] += pass->partials[r].sums[s];
		for (int b = 0; b < SPREAD_BINS; b++)
			spread[b] += pass->partials[r].spread[b];
	}
	slope_from(slope, sums, pass->view->problem->metric, pass->place->brightness);
	slope->spread = spread_of(spread);
}

enum status_code registration_evaluate(struct registration_slope *slope,
				       const struct registration_view *view,
				       const struct registration_place *place, struct status *st)
{
	const struct registration_problem *problem = view->problem;
	const bool mutual = problem->metric == REGISTRATION_MUTUAL_INFORMATION;
	const size_t rows =
	    (size_t)view->level->fixed.grid.rows * (size_t)view->level->fixed.grid.slices;
	const size_t cells = (size_t)REGISTRATION_BINS * REGISTRATION_BIN_ROW;
	struct pass pass = {.view = view,
			    .place = place,
			    .kind = mutual ? PASS_COUNT : PASS_SQUARES,
			    .chunk = rows / MOST_RANGES + 1};
	size_t ranges = (rows + pass.chunk - 1) / pass.chunk;
	enum status_code code = STATUS_OK;

	memset(slope, 0, sizeof *slope);
	pass.partials = calloc(ranges, sizeof *pass.partials);
	pass.joints = mutual ? calloc(ranges * cells, sizeof *pass.joints) : NULL;
	if (pass.partials == NULL || (mutual && pass.joints == NULL)) {
		code = status_fail(st, STATUS_RETRY, "no memory to compare two images");
		goto out;
	}
	registration_geometry_of(&pass.geometry, view->level, problem->centre_mm, place->transform);
	if (view->also != NULL)
		registration_geometry_of(&pass.also, view->level, problem->centre_mm, view->also);
	if (mutual) {
		size_t looked_at = view->level->voxels / (size_t)view->sparse;
		int bins = looked_at < 4000 ? 16 : looked_at < 40000 ? 32 : REGISTRATION_BINS;

		view->joint->fixed = scale_of(problem->fixed_range, bins);
		view->joint->moving = scale_of(problem->moving_range, bins);
		parallel_for(rows, pass.chunk, problem->threads, do_rows, &pass);
		slope->value = learn(view->joint, pass.joints, ranges);
		pass.kind = PASS_MUTUAL;
	}
	parallel_for(rows, pass.chunk, problem->threads, do_rows, &pass);
	add_up(slope, &pass, ranges);
out:
	free(pass.partials);
	free(pass.joints);
	return code;
}
