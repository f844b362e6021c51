#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "deformation_parts.h"
#include "parallel.h"
#include "resample.h"

enum { NEWTON_STEPS = 20 };

static const double FOUND_WITHIN_MM = 1e-3;
/* What Newton's step leaves of a distance is half the field's curvature, a hundredth per millimetre
 * or so, times its square: from here one more step is enough, and the determinant is as good. */
static const double NEARLY_MM = 0.03;
/* Newton's step is taken where the field is far from folding; else the plain one. */
static const double STEEP_BELOW = 0.25;

/* A row of four control points, x y z each, in three registers. */
typedef float four __attribute__((vector_size(16)));
struct row {
	four part[3];
};

bool deformation_weights(double place, int size, int *first, double weight[4], double slope[4])
{
	double t, rest;
	int whole;

	if (!(place >= 1 && place < size - 2))
		return false;
	whole = (int)place;
	t = place - whole;
	rest = 1 - t;
	*first = whole - 1;
	weight[0] = rest * rest * rest / 6;
	weight[1] = (4 + t * t * (3 * t - 6)) / 6;
	weight[2] = (1 + t * (3 + t * (3 - 3 * t))) / 6;
	weight[3] = t * t * t / 6;
	slope[0] = -rest * rest / 2;
	slope[1] = t * (1.5 * t - 2);
	slope[2] = 0.5 + t * (1 - 1.5 * t);
	slope[3] = t * t / 2;
	return true;
}

void deformation_view_of(struct deformation_view *view, const struct deformation *deformation)
{
	const struct grid millimetres = {
	    .column_step_mm = {1, 0, 0}, .row_step_mm = {0, 1, 0}, .slice_step_mm = {0, 0, 1}};

	view->of = deformation;
	rigid_invert(view->back, deformation->rigid);
	memset(view->per_mm, 0, sizeof view->per_mm);
	memset(view->offset, 0, sizeof view->offset);
	if (deformation->displacement_mm != NULL)
		grid_map(&millimetres, &deformation->control, view->per_mm, view->offset);
}

static inline void add(struct row *sum, double factor, const struct row *row)
{
	const float f = (float)factor;

	for (int p = 0; p < 3; p++)
		sum->part[p] += (four){f, f, f, f} * row->part[p];
}

/* Along the row itself: what weights or slopes make of its four points. */
static inline void contract(double out[3], const struct row *row, const double factor[4])
{
	float at[12];

	memcpy(at, row->part, sizeof at);
	for (int a = 0; a < 3; a++)
		out[a] = factor[0] * (double)at[a] + factor[1] * (double)at[3 + a] +
			 factor[2] * (double)at[6 + a] + factor[3] * (double)at[9 + a];
}

void deformation_view_displacement(double displacement_mm[3], double gradient[3][3],
				   const struct deformation_view *view, const double from_mm[3])
{
	const struct grid *control = &view->of->control;
	const int size[3] = {control->columns, control->rows, control->slices};
	struct row value = {{{0}}}, by_row = {{{0}}}, by_slice = {{{0}}};
	double weight[3][4], slope[3][4], along[3][3];
	int first[3];

	memset(displacement_mm, 0, 3 * sizeof *displacement_mm);
	if (gradient != NULL)
		memset(gradient, 0, 9 * sizeof **gradient);
	if (view->of->displacement_mm == NULL)
		return;
	for (int a = 0; a < 3; a++) {
		double place = view->offset[a] + view->per_mm[a][0] * from_mm[0] +
			       view->per_mm[a][1] * from_mm[1] + view->per_mm[a][2] * from_mm[2];

		if (!deformation_weights(place, size[a], &first[a], weight[a], slope[a]))
			return;
	}
	for (int k = 0; k < 4; k++) {
		struct row plane = {{{0}}}, plane_by_row = {{{0}}};

		for (int j = 0; j < 4; j++) {
			struct row points;

			memcpy(points.part,
			       view->of->displacement_mm +
				   3 * (((size_t)(first[2] + k) * (size_t)size[1] +
					 (size_t)(first[1] + j)) *
					    (size_t)size[0] +
					(size_t)first[0]),
			       sizeof points.part);
			add(&plane, weight[1][j], &points);
			if (gradient != NULL)
				add(&plane_by_row, slope[1][j], &points);
		}
		add(&value, weight[2][k], &plane);
		if (gradient != NULL) {
			add(&by_row, weight[2][k], &plane_by_row);
			add(&by_slice, slope[2][k], &plane);
		}
	}
	contract(displacement_mm, &value, weight[0]);
	if (gradient == NULL)
		return;
	contract(along[0], &value, slope[0]);
	contract(along[1], &by_row, weight[0]);
	contract(along[2], &by_slice, weight[0]);
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			gradient[a][b] = along[0][a] * view->per_mm[0][b] +
					 along[1][a] * view->per_mm[1][b] +
					 along[2][a] * view->per_mm[2][b];
	}
}

void deformation_view_apply(double to_mm[3], const struct deformation_view *view,
			    const double from_mm[3])
{
	double displacement_mm[3], moved_mm[3];

	deformation_view_displacement(displacement_mm, NULL, view, from_mm);
	for (int a = 0; a < 3; a++)
		moved_mm[a] = from_mm[a] + displacement_mm[a];
	rigid_apply(to_mm, view->of->rigid, moved_mm);
}

void deformation_apply(double to_mm[3], const struct deformation *deformation,
		       const double from_mm[3])
{
	struct deformation_view view;

	deformation_view_of(&view, deformation);
	deformation_view_apply(to_mm, &view, from_mm);
}

/* Rows of the adjugate of I + gradient, over the determinant its inverse. */
static double adjugate(double out[3][3], double gradient[3][3])
{
	double m[3][3];

	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			m[a][b] = gradient[a][b] + (a == b);
	}
	for (int a = 0; a < 3; a++) {
		const int next = (a + 1) % 3, last = (a + 2) % 3;

		for (int b = 0; b < 3; b++)
			out[b][a] = m[next][(b + 1) % 3] * m[last][(b + 2) % 3] -
				    m[next][(b + 2) % 3] * m[last][(b + 1) % 3];
	}
	return m[0][0] * out[0][0] + m[0][1] * out[1][0] + m[0][2] * out[2][0];
}

double deformation_jacobian(double gradient[3][3])
{
	double unused[3][3];

	return adjugate(unused, gradient);
}

bool deformation_view_invert(double from_mm[3], double *jacobian,
			     const struct deformation_view *view, const double to_mm[3],
			     double shift_mm[3])
{
	double moved_mm[3], at_mm[3], u_mm[3] = {0, 0, 0}, gradient[3][3], inverse[3][3],
				      rest_mm[3];

	if (shift_mm != NULL)
		memcpy(u_mm, shift_mm, sizeof u_mm);
	rigid_apply(moved_mm, view->back, to_mm);
	for (int a = 0; a < 3; a++)
		at_mm[a] = moved_mm[a] - u_mm[a];
	for (int step = 0; step <= NEWTON_STEPS; step++) {
		double most = 0, determinant;

		deformation_view_displacement(u_mm, gradient, view, at_mm);
		for (int a = 0; a < 3; a++) {
			rest_mm[a] = moved_mm[a] - at_mm[a] - u_mm[a];
			most = fmax(most, fabs(rest_mm[a]));
		}
		determinant = adjugate(inverse, gradient);
		for (int a = 0; a < 3; a++)
			at_mm[a] += determinant > STEEP_BELOW
					? (inverse[a][0] * rest_mm[0] + inverse[a][1] * rest_mm[1] +
					   inverse[a][2] * rest_mm[2]) /
					      determinant
					: rest_mm[a];
		if (most > FOUND_WITHIN_MM && (most > NEARLY_MM || determinant <= STEEP_BELOW))
			continue;
		memcpy(from_mm, at_mm, sizeof at_mm);
		for (int a = 0; a < 3 && shift_mm != NULL; a++)
			shift_mm[a] = moved_mm[a] - at_mm[a];
		*jacobian = determinant;
		return determinant >= DEFORMATION_JACOBIAN_LEAST &&
		       determinant <= DEFORMATION_JACOBIAN_MOST;
	}
	return false;
}

struct resampling {
	struct volume *out;
	const struct volume *moving;
	struct deformation_view view;
	double per_mm[3][3], offset[3]; /* point of moving's frame -> its voxel */
};

static void resample_rows(void *user, size_t first, size_t last)
{
	const struct resampling *job = user;
	const struct grid *to = &job->out->grid;

	for (size_t row = first; row < last; row++) {
		for (int i = 0; i < to->columns; i++) {
			const double at[3] = {i, (double)(row % (size_t)to->rows),
					      (double)(row / (size_t)to->rows)};
			double point_mm[3], voxel[3];

			grid_to_patient(to, at, point_mm);
			deformation_view_apply(point_mm, &job->view, point_mm);
			for (int a = 0; a < 3; a++)
				voxel[a] = job->offset[a] + job->per_mm[a][0] * point_mm[0] +
					   job->per_mm[a][1] * point_mm[1] +
					   job->per_mm[a][2] * point_mm[2];
			job->out->samples[row * (size_t)to->columns + (size_t)i] =
			    resample_point(job->moving, voxel);
		}
	}
}

enum status_code deformation_resample(struct volume *out, const struct grid *to,
				      const struct volume *moving,
				      const struct deformation *deformation, int threads,
				      struct status *st)
{
	const struct grid millimetres = {
	    .column_step_mm = {1, 0, 0}, .row_step_mm = {0, 1, 0}, .slice_step_mm = {0, 0, 1}};
	struct volume made;
	struct resampling job = {.out = &made, .moving = moving};

	if (volume_new(&made, to, NAN, st) != STATUS_OK)
		return st->code;
	deformation_view_of(&job.view, deformation);
	grid_map(&millimetres, &moving->grid, job.per_mm, job.offset);
	parallel_for((size_t)to->rows * (size_t)to->slices, 16, threads, resample_rows, &job);
	*out = made;
	return STATUS_OK;
}

void deformation_free(struct deformation *deformation)
{
	free(deformation->displacement_mm);
	deformation->displacement_mm = NULL;
}
