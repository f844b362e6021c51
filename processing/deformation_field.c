#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "deformation_parts.h"
#include "parallel.h"
#include "resample.h"

bool deformation_weights(double place, int size, int *first, double weight[4], double slope[4])
{
	double whole = floor(place), t = place - whole, rest = 1 - t;

	if (!(whole >= 1 && whole <= size - 3))
		return false;
	*first = (int)whole - 1;
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

void deformation_displacement(double displacement_mm[3], double gradient[3][3],
			      const struct deformation *deformation, const double from_mm[3])
{
	const struct grid millimetres = {
	    .column_step_mm = {1, 0, 0}, .row_step_mm = {0, 1, 0}, .slice_step_mm = {0, 0, 1}};
	const struct grid *control = &deformation->control;
	const int size[3] = {control->columns, control->rows, control->slices};
	double place[3], weight[3][4], slope[3][4], along[3][3] = {{0}}, per_mm[3][3], unused[3];
	int first[3];

	memset(displacement_mm, 0, 3 * sizeof *displacement_mm);
	if (gradient != NULL)
		memset(gradient, 0, 9 * sizeof **gradient);
	if (deformation->displacement_mm == NULL)
		return;
	grid_to_voxel(control, from_mm, place);
	for (int a = 0; a < 3; a++) {
		if (!deformation_weights(place[a], size[a], &first[a], weight[a], slope[a]))
			return;
	}
	for (int point = 0; point < 64; point++) {
		const int i = point & 3, j = point >> 2 & 3, k = point >> 4;
		const float *at =
		    deformation->displacement_mm +
		    3 * (((size_t)(first[2] + k) * (size_t)size[1] + (size_t)(first[1] + j)) *
			     (size_t)size[0] +
			 (size_t)(first[0] + i));

		for (int a = 0; a < 3; a++) {
			double value = (double)at[a];

			displacement_mm[a] += weight[0][i] * weight[1][j] * weight[2][k] * value;
			along[a][0] += slope[0][i] * weight[1][j] * weight[2][k] * value;
			along[a][1] += weight[0][i] * slope[1][j] * weight[2][k] * value;
			along[a][2] += weight[0][i] * weight[1][j] * slope[2][k] * value;
		}
	}
	if (gradient == NULL)
		return;
	grid_map(&millimetres, control, per_mm, unused);
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			gradient[a][b] = along[a][0] * per_mm[0][b] + along[a][1] * per_mm[1][b] +
					 along[a][2] * per_mm[2][b];
	}
}

void deformation_apply(double to_mm[3], const struct deformation *deformation,
		       const double from_mm[3])
{
	double displacement_mm[3], moved_mm[3];

	deformation_displacement(displacement_mm, NULL, deformation, from_mm);
	for (int a = 0; a < 3; a++)
		moved_mm[a] = from_mm[a] + displacement_mm[a];
	rigid_apply(to_mm, deformation->rigid, moved_mm);
}

struct resampling {
	struct volume *out;
	const struct volume *moving;
	const struct deformation *deformation;
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
			deformation_apply(point_mm, job->deformation, point_mm);
			grid_to_voxel(&job->moving->grid, point_mm, voxel);
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
	struct volume made;
	struct resampling job = {.out = &made, .moving = moving, .deformation = deformation};

	if (volume_new(&made, to, NAN, st) != STATUS_OK)
		return st->code;
	parallel_for((size_t)to->rows * (size_t)to->slices, 16, threads, resample_rows, &job);
	*out = made;
	return STATUS_OK;
}

void deformation_free(struct deformation *deformation)
{
	free(deformation->displacement_mm);
	deformation->displacement_mm = NULL;
}
