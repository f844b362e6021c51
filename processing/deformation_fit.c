#include "deformation_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "deformation_parts.h"
#include "parallel.h"

enum { NEWTON_STEPS = 8, GRADIENT_STEPS = 20, HALVINGS = 4 };

/* The search ends when a step gains less than this share. */
static const double SMALL_GAIN = 1e-3;
/* The liver is full of fluid and hardly changes its volume: a change of volume costs so many times
 * what a bend of the same size does. */
static const double VOLUME_WEIGHT = 3;

static size_t control_index(const struct grid *control, int i, int j, int k)
{
	return ((size_t)k * (size_t)control->rows + (size_t)j) * (size_t)control->columns +
	       (size_t)i;
}

/* The splines' weights at the voxels of the level, axis by axis: both lattices run alike. */
enum status_code deformation_fit_prepare(struct deformation_fit *fit, struct status *st)
{
	const struct grid *fixed = &fit->level->fixed.grid, *control = &fit->field->control;
	const float *fixed_samples = fit->level->fixed.samples;
	const int size[3] = {fixed->columns, fixed->rows, fixed->slices};
	const int count[3] = {control->columns, control->rows, control->slices};
	double matrix[3][3], offset[3], slope[4];

	grid_map(fixed, control, matrix, offset);
	fit->terms = calloc(grid_voxels(fixed), sizeof *fit->terms);
	fit->told = calloc((size_t)size[1] * (size_t)size[2], 1);
	fit->lines = malloc(2 * DEFORMATION_RANGES * 3 * (size_t)count[0] * sizeof *fit->lines);
	if (fit->terms == NULL || fit->told == NULL || fit->lines == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for a deformation");
	for (size_t at = 0; at < grid_voxels(fixed); at++) {
		if (!isnan(fixed_samples[at]))
			fit->told[at / (size_t)size[0]] = 1;
	}
	for (int a = 0; a < 3; a++) {
		fit->axis[a] = malloc((size_t)size[a] * sizeof **fit->axis);
		if (fit->axis[a] == NULL)
			return status_fail(st, STATUS_RETRY, "no memory for a deformation");
		for (int i = 0; i < size[a]; i++) {
			struct deformation_axis *at = &fit->axis[a][i];

			if (!deformation_weights(offset[a] + i * matrix[a][a], count[a], &at->first,
						 at->weight, slope))
				return status_fail(st, STATUS_BUG,
						   "control points do not cover the image");
		}
	}
	return STATUS_OK;
}

void deformation_fit_leave(struct deformation_fit *fit)
{
	for (int a = 0; a < 3; a++) {
		free(fit->axis[a]);
		fit->axis[a] = NULL;
	}
	free(fit->terms);
	free(fit->told);
	free(fit->lines);
	fit->terms = NULL;
	fit->told = NULL;
	fit->lines = NULL;
}

/* Where in a vector the control points of a row of the level begin: the k-th of four slices, the
 * j-th of four rows. */
static size_t line_start(const struct deformation_fit *fit, size_t row, int j, int k)
{
	const size_t rows = (size_t)fit->level->fixed.grid.rows;

	return 3 * control_index(&fit->field->control, 0, fit->axis[1][row % rows].first + j,
				 fit->axis[2][row / rows].first + k);
}

static double line_weight(const struct deformation_fit *fit, size_t row, int j, int k)
{
	const size_t rows = (size_t)fit->level->fixed.grid.rows;

	return fit->axis[1][row % rows].weight[j] * fit->axis[2][row / rows].weight[k];
}

/* All voxels of a row weigh the rows of control points alike: what these come to, once. vector
 * NULL: the field in place. */
static void gather_line(double *line, const struct deformation_fit *fit, size_t row,
			const double *vector)
{
	const size_t numbers = 3 * (size_t)fit->field->control.columns;

	memset(line, 0, numbers * sizeof *line);
	for (int jk = 0; jk < 16; jk++) {
		const double weight = line_weight(fit, row, jk & 3, jk >> 2);
		const size_t start = line_start(fit, row, jk & 3, jk >> 2);

		if (vector != NULL) {
			for (size_t n = 0; n < numbers; n++)
				line[n] += weight * vector[start + n];
		} else {
			for (size_t n = 0; n < numbers; n++)
				line[n] += weight * (double)fit->field->displacement_mm[start + n];
		}
	}
}

static void scatter_line(double *vector, const struct deformation_fit *fit, size_t row,
			 const double *line)
{
	const size_t numbers = 3 * (size_t)fit->field->control.columns;

	for (int jk = 0; jk < 16; jk++) {
		const double weight = line_weight(fit, row, jk & 3, jk >> 2);
		double *to = vector + line_start(fit, row, jk & 3, jk >> 2);

		for (size_t n = 0; n < numbers; n++)
			to[n] += weight * line[n];
	}
}

/* At one voxel of the row. */
static inline void gather(double sum[3], const struct deformation_axis *at, const double *line)
{
	const double *four = line + 3 * at->first;

	for (int a = 0; a < 3; a++)
		sum[a] = at->weight[0] * four[a] + at->weight[1] * four[3 + a] +
			 at->weight[2] * four[6 + a] + at->weight[3] * four[9 + a];
}

static inline void scatter(double *line, const struct deformation_axis *at, const double part[3])
{
	double *four = line + 3 * at->first;

	for (int i = 0; i < 4; i++) {
		for (int a = 0; a < 3; a++)
			four[3 * i + a] += at->weight[i] * part[a];
	}
}

/* Two lines for each range. */
static double *lines_of(const struct deformation_fit *fit, size_t range)
{
	return fit->lines + 2 * range * 3 * (size_t)fit->field->control.columns;
}

/* Terms of the voxels at the present field. */
static void look_rows(void *user, size_t first_range, size_t last_range)
{
	struct deformation_fit *fit = user;
	const struct grid *grid = &fit->level->fixed.grid;
	const size_t rows = (size_t)grid->rows * (size_t)grid->slices;
	struct registration_geometry geometry;

	registration_geometry_of(&geometry, fit->level, fit->problem->centre_mm, fit->field->rigid);
	for (size_t range = first_range; range < last_range; range++) {
		fit->cost[range] = fit->voxels[range] = 0;
		for (size_t row = rows * range / DEFORMATION_RANGES;
		     row < rows * (range + 1) / DEFORMATION_RANGES; row++) {
			double *line_mm = lines_of(fit, range);

			if (!fit->told[row])
				continue;
			gather_line(line_mm, fit, row, NULL);
			for (int i = 0; i < grid->columns; i++) {
				size_t voxel = row * (size_t)grid->columns + (size_t)i;
				const float *fixed = fit->level->fixed.samples + voxel;
				struct deformation_term *term = &fit->terms[voxel];
				struct registration_line line;
				struct registration_run run;
				double moved_mm[3];

				memset(term, 0, sizeof *term);
				if (isnan(*fixed))
					continue;
				gather(moved_mm, &fit->axis[0][i], line_mm);
				registration_line_of(&line, &geometry, i,
						     (int)(row % (size_t)grid->rows),
						     (int)(row / (size_t)grid->rows));
				for (int a = 0; a < 3; a++) {
					double shift = 0; /* the rigid turn, then to voxels */

					for (int b = 0; b < 3; b++) {
						double turned =
						    fit->field->rigid[4 * b] * moved_mm[0] +
						    fit->field->rigid[4 * b + 1] * moved_mm[1] +
						    fit->field->rigid[4 * b + 2] * moved_mm[2];

						shift +=
						    (double)geometry.source.to_mm[b][a] * turned;
					}
					line.voxel[a] += (float)shift;
				}
				fit->problem->code->sample(&run, &geometry.source, &line, 1);
				fit->problem->code->squares(&run, fixed, 1,
							    (float)fit->place.brightness,
							    (float)fit->place.inverse_square);
				fit->cost[range] += (double)run.cost[0];
				fit->voxels[range] += (double)run.weight[0];
				term->weight = run.curvature[0];
				term->residual = run.score[0]; /* weight included */
				for (int a = 0; a < 3; a++) {
					double slope = 0; /* turned back to the fixed frame */

					for (int b = 0; b < 3; b++)
						slope += fit->field->rigid[4 * b + a] *
							 (double)run.gradient[b][0];
					term->slope[a] = (float)(fit->place.brightness * slope);
				}
			}
		}
	}
}

/* A row's share of slope (in NULL) or of curvature times vector, on its line of control points;
 * false where no voxel says anything. */
static bool multiply_row(double *out, const struct deformation_fit *fit, size_t row,
			 const double *in)
{
	const int columns = fit->level->fixed.grid.columns;
	const struct deformation_term *terms = fit->terms + row * (size_t)columns;
	bool any = false;

	for (int i = 0; i < columns; i++) {
		const struct deformation_term *term = &terms[i];
		double part[3], along = (double)term->residual;

		if (!(term->weight > 0))
			continue;
		any = true;
		if (in != NULL) {
			gather(part, &fit->axis[0][i], in);
			along = (double)term->weight * ((double)term->slope[0] * part[0] +
							(double)term->slope[1] * part[1] +
							(double)term->slope[2] * part[2]);
		}
		for (int a = 0; a < 3; a++)
			part[a] = along * (double)term->slope[a];
		scatter(out, &fit->axis[0][i], part);
	}
	return any;
}

/* The ranges' shares. */
static void multiply_rows(void *user, size_t first_range, size_t last_range)
{
	struct deformation_fit *fit = user;
	const struct grid *grid = &fit->level->fixed.grid;
	const size_t rows = (size_t)grid->rows * (size_t)grid->slices;
	const size_t numbers = 3 * (size_t)fit->field->control.columns;

	for (size_t range = first_range; range < last_range; range++) {
		double *sums = fit->ranges + range * fit->numbers;
		double *in = lines_of(fit, range), *out = in + numbers;

		memset(sums, 0, fit->numbers * sizeof *sums);
		for (size_t row = rows * range / DEFORMATION_RANGES;
		     row < rows * (range + 1) / DEFORMATION_RANGES; row++) {
			if (!fit->told[row])
				continue;
			memset(out, 0, numbers * sizeof *out);
			if (fit->vector != NULL)
				gather_line(in, fit, row, fit->vector);
			if (multiply_row(out, fit, row, fit->vector != NULL ? in : NULL))
				scatter_line(sums, fit, row, out);
		}
	}
}

static double sum_of(const double values[DEFORMATION_RANGES])
{
	double sum = 0;

	for (int r = 0; r < DEFORMATION_RANGES; r++)
		sum += values[r];
	return sum;
}

/* Adds the penalty's curvature times a vector; returns its energy. Second differences along and
 * across the axes, inside the lattice. */
static double add_bending(double *out, const struct deformation_fit *fit, const double *vector)
{
	static const int pair[6][2] = {{0, 0}, {1, 1}, {2, 2}, {0, 1}, {0, 2}, {1, 2}};
	const struct grid *control = &fit->field->control;
	const int size[3] = {control->columns, control->rows, control->slices};
	double energy = 0;

	for (size_t at = 0; at < grid_voxels(control); at++) {
		const int place[3] = {(int)(at % (size_t)size[0]),
				      (int)(at / (size_t)size[0] % (size_t)size[1]),
				      (int)(at / ((size_t)size[0] * (size_t)size[1]))};

		for (int p = 0; p < 6; p++) {
			const size_t strides[3] = {1, (size_t)size[0],
						   (size_t)size[0] * (size_t)size[1]};
			const int a = pair[p][0], b = pair[p][1];
			const bool mixed = a != b;
			size_t points[4];
			double factor[4] = {1, -2, 1, 0}, weight = fit->penalty;

			if (place[a] < 1 || place[a] > size[a] - 2 || place[b] < 1 ||
			    place[b] > size[b] - 2)
				continue;
			if (mixed) { /* counts twice, of a difference over two spacings each way */
				points[0] = at + strides[a] + strides[b];
				points[1] = at + strides[a] - strides[b];
				points[2] = at - strides[a] + strides[b];
				points[3] = at - strides[a] - strides[b];
				factor[0] = factor[3] = 0.25;
				factor[1] = factor[2] = -0.25;
				weight *= 2;
			} else {
				points[0] = at - strides[a];
				points[1] = points[3] = at;
				points[2] = at + strides[a];
			}
			for (int c = 0; c < 3; c++) {
				double difference = 0;

				for (int q = 0; q < 4; q++)
					difference += factor[q] * vector[3 * points[q] + (size_t)c];
				energy += weight * difference * difference;
				for (int q = 0; out != NULL && q < 4; q++)
					out[3 * points[q] + (size_t)c] +=
					    weight * factor[q] * difference;
			}
		}
	}
	return energy;
}

/* The same for changes of volume: the divergence, from differences over two spacings, in
 * displacement per spacing. */
static double add_volume(double *out, const struct deformation_fit *fit, const double *vector)
{
	const struct grid *control = &fit->field->control;
	const int size[3] = {control->columns, control->rows, control->slices};
	const size_t strides[3] = {1, (size_t)size[0], (size_t)size[0] * (size_t)size[1]};
	const double *step_mm[3] = {control->column_step_mm, control->row_step_mm,
				    control->slice_step_mm};
	const double weight = VOLUME_WEIGHT * fit->penalty;
	double along[3][3], energy = 0;

	for (int a = 0; a < 3; a++) {
		for (int c = 0; c < 3; c++)
			along[a][c] = step_mm[a][c] / grid_spacing_mm(control, a) / 2;
	}
	for (int k = 1; k < size[2] - 1; k++) {
		for (int j = 1; j < size[1] - 1; j++) {
			for (int i = 1; i < size[0] - 1; i++) {
				const size_t at = control_index(control, i, j, k);
				double divergence = 0;

				for (int a = 0; a < 3; a++) {
					const double *up = vector + 3 * (at + strides[a]);
					const double *down = vector + 3 * (at - strides[a]);

					for (int c = 0; c < 3; c++)
						divergence += along[a][c] * (up[c] - down[c]);
				}
				energy += weight * divergence * divergence;
				for (int n = 0; out != NULL && n < 9; n++) {
					const int a = n / 3, c = n % 3;
					const double pull = weight * divergence * along[a][c];

					out[3 * (at + strides[a]) + (size_t)c] += pull;
					out[3 * (at - strides[a]) + (size_t)c] -= pull;
				}
			}
		}
	}
	return energy;
}

static double add_penalty(double *out, const struct deformation_fit *fit, const double *vector)
{
	const double bending = add_bending(out, fit, vector);

	return bending + add_volume(out, fit, vector);
}

double deformation_fit_voxels(const struct deformation_fit *fit)
{
	return sum_of(fit->voxels);
}

double deformation_fit_metric(const struct deformation_fit *fit)
{
	return sum_of(fit->cost) / fmax(sum_of(fit->voxels), 1);
}

/* The metric at the field (relative to the rigid answer's) plus the penalty. */
double deformation_fit_look(struct deformation_fit *fit, const double *field)
{
	for (size_t n = 0; n < fit->numbers; n++)
		fit->field->displacement_mm[n] = (float)field[n];
	parallel_for(DEFORMATION_RANGES, 1, fit->problem->threads, look_rows, fit);
	return fit->scale * deformation_fit_metric(fit) + add_penalty(NULL, fit, field);
}

/* out = slope (vector NULL; downhill) or curvature times vector, of half the sum of both. */
static void multiply(double *out, struct deformation_fit *fit, const double *vector,
		     const double *field)
{
	double factor = fit->scale / fmax(sum_of(fit->voxels), 1);

	fit->vector = vector;
	parallel_for(DEFORMATION_RANGES, 1, fit->problem->threads, multiply_rows, fit);
	memset(out, 0, fit->numbers * sizeof *out);
	(void)add_penalty(out, fit, vector != NULL ? vector : field);
	for (size_t n = 0; n < fit->numbers; n++) {
		double sum = 0;

		for (int r = 0; r < DEFORMATION_RANGES; r++)
			sum += fit->ranges[(size_t)r * fit->numbers + n];
		out[n] = factor * sum + (vector != NULL ? out[n] : -out[n]);
	}
}

static double dot(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* A step of Gauss and Newton, solved by conjugate gradients. work: three vectors. */
static void find_step(double *step, struct deformation_fit *fit, const double *field, double *work)
{
	const size_t n = fit->numbers;
	double *rest = work, *way = work + n, *bent = work + 2 * n, square, first;

	memset(step, 0, n * sizeof *step);
	multiply(rest, fit, NULL, field);
	memcpy(way, rest, n * sizeof *way);
	first = square = dot(rest, rest, n);
	for (int i = 0; i < GRADIENT_STEPS && square > 1e-6 * first && first > 0; i++) {
		double along, length, next;

		multiply(bent, fit, way, NULL);
		along = dot(way, bent, n);
		if (!(along > 0))
			return;
		length = square / along;
		for (size_t k = 0; k < n; k++) {
			step[k] += length * way[k];
			rest[k] -= length * bent[k];
		}
		next = dot(rest, rest, n);
		for (size_t k = 0; k < n; k++)
			way[k] = rest[k] + next / square * way[k];
		square = next;
	}
}

void deformation_fit_descend(struct deformation_fit *fit, double *field, double *work)
{
	const size_t n = fit->numbers;
	double *step = work + 3 * n, *trial = work + 4 * n;
	double value = deformation_fit_look(fit, field);

	for (int i = 0; i < NEWTON_STEPS; i++) {
		double length = 1, next = INFINITY;

		find_step(step, fit, field, work);
		for (int h = 0; h < HALVINGS && !(next < value); h++, length /= 2) {
			for (size_t k = 0; k < n; k++)
				trial[k] = field[k] + length * step[k];
			next = deformation_fit_look(fit, trial);
		}
		if (!(next < value))
			break;
		memcpy(field, trial, n * sizeof *field);
		if (value - next < SMALL_GAIN * value)
			break;
		value = next;
	}
	(void)deformation_fit_look(fit, field); /* leaves the field and its terms in place */
}
