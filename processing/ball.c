#include "ball.h"

#include <math.h>
#include <stdlib.h>

/* Of equal distance the one first in storage order: sorting must not depend on the library. */
static int nearer(const void *a, const void *b)
{
	const struct ball_step *x = a, *y = b;
	if (x->distance_mm < y->distance_mm || x->distance_mm > y->distance_mm)
		return x->distance_mm < y->distance_mm ? -1 : 1;
	for (int axis = 2; axis >= 0; axis--) {
		if (x->by[axis] != y->by[axis])
			return x->by[axis] < y->by[axis] ? -1 : 1;
	}
	return 0;
}

static double length_mm(const struct grid *grid, int i, int j, int k)
{
	double square = 0;
	for (int a = 0; a < 3; a++) {
		double along = i * grid->column_step_mm[a] + j * grid->row_step_mm[a] +
			       k * grid->slice_step_mm[a];
		square += along * along;
	}
	return sqrt(square);
}

/* How many steps along an axis a ball can reach: its radius over the distance between the planes
 * of the other two axes. */
static int reach(const struct grid *grid, int axis, double radius_mm)
{
	double planes_mm = grid_voxel_volume_ml(grid) * 1000;
	const double *steps[3] = {grid->column_step_mm, grid->row_step_mm, grid->slice_step_mm};
	const double *u = steps[(axis + 1) % 3], *v = steps[(axis + 2) % 3];
	double cross[3] = {u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2],
			   u[0] * v[1] - u[1] * v[0]};
	planes_mm /= sqrt(cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]);
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	return (int)fmin(floor(radius_mm / planes_mm + 1e-6), size[axis] - 1);
}

enum status_code ball_make(struct ball *ball, const struct grid *grid, double radius_mm,
			   struct status *st)
{
	int most[3];
	size_t room = 1;
	for (int axis = 0; axis < 3; axis++) {
		most[axis] = reach(grid, axis, radius_mm);
		room *= 2 * (size_t)most[axis] + 1;
	}
	struct ball made = {.steps = malloc(room * sizeof *made.steps)};
	if (!made.steps)
		return status_fail(st, STATUS_RETRY, "no memory for the voxels within %g mm",
				   radius_mm);
	for (int k = -most[2]; k <= most[2]; k++) {
		for (int j = -most[1]; j <= most[1]; j++) {
			for (int i = -most[0]; i <= most[0]; i++) {
				double away_mm = length_mm(grid, i, j, k);
				if (away_mm > radius_mm + 1e-6)
					continue;
				made.steps[made.count++] =
				    (struct ball_step){{i, j, k}, (float)away_mm};
			}
		}
	}
	qsort(made.steps, made.count, sizeof *made.steps, nearer);
	*ball = made;
	return STATUS_OK;
}

void ball_free(struct ball *ball)
{
	free(ball->steps);
	ball->steps = NULL;
	ball->count = 0;
}
