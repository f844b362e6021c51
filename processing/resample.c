#include "resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

/* Positions are compared in voxels of the source. Rounding of the two grids' decimals (about 1e-9)
 * must not blur an identity nor push the outermost face out of the volume. */
static const double SNAP_VOXEL = 1e-6;

/* Where one coordinate falls: between samples `low` and `low + step`, `part` of the way. */
struct between {
	int low;
	int step; /* 0 at the last sample, else 1 */
	float part;
};

struct resampling {
	const struct volume *from;
	struct volume *to;
	double matrix[3][3], offset[3]; /* target voxel -> source voxel */
	int source_size[3];
	const struct between *axis[3]; /* per target index; only where the axes run side by side */
};

/* False outside the volume. */
static inline bool locate(double position, int size, struct between *where)
{
	double whole = floor(position + 0.5);

	if (!(position >= -0.5 - SNAP_VOXEL && position <= size - 0.5 + SNAP_VOXEL))
		return false;
	if (fabs(position - whole) <= SNAP_VOXEL)
		position = whole;
	if (position <= 0) {
		*where = (struct between){.low = 0, .step = 0, .part = 0};
	} else if (position >= size - 1) {
		*where = (struct between){.low = size - 1, .step = 0, .part = 0};
	} else {
		int low = (int)position;

		*where = (struct between){.low = low, .step = 1, .part = (float)(position - low)};
	}
	return true;
}

/* The rule for neighbours that were not measured. */
static float sample_with_gaps(const float *at, const size_t stride[3], const float part[3])
{
	float sum = 0, weight = 0;

	for (int corner = 0; corner < 8; corner++) {
		float w = 1;
		size_t index = 0;

		for (int a = 0; a < 3; a++) {
			bool far = (corner >> a) & 1;

			w *= far ? part[a] : 1 - part[a];
			index += far ? stride[a] : 0;
		}
		if (w > 0 && !isnan(at[index])) {
			sum += w * at[index];
			weight += w;
		}
	}
	return weight >= 0.5F - 1e-6F ? sum / weight : NAN;
}

static inline float sample_at(const struct volume *from, struct between x, struct between y,
			      struct between z)
{
	const size_t row = (size_t)from->grid.columns;
	const size_t slice = row * (size_t)from->grid.rows;
	const float *at =
	    from->samples + (size_t)z.low * slice + (size_t)y.low * row + (size_t)x.low;
	const size_t stride[3] = {(size_t)x.step, y.step ? row : 0, z.step ? slice : 0};
	const float part[3] = {x.part, y.part, z.part};
	const float *back = at + stride[2];
	float a = at[0] + x.part * (at[stride[0]] - at[0]);
	float b = at[stride[1]] + x.part * (at[stride[1] + stride[0]] - at[stride[1]]);
	float c = back[0] + x.part * (back[stride[0]] - back[0]);
	float d = back[stride[1]] + x.part * (back[stride[1] + stride[0]] - back[stride[1]]);
	float value;

	a += y.part * (b - a);
	c += y.part * (d - c);
	value = a + z.part * (c - a);
	return isnan(value) ? sample_with_gaps(at, stride, part) : value;
}

/* One row of the target in any direction through the source. */
static void row_oblique(const struct resampling *job, size_t row_index)
{
	const struct grid *to = &job->to->grid;
	const double j = (double)(row_index % (size_t)to->rows);
	const double k = (double)(row_index / (size_t)to->rows);
	float *out = job->to->samples + row_index * (size_t)to->columns;
	double start[3];

	for (int a = 0; a < 3; a++)
		start[a] = job->offset[a] + j * job->matrix[a][1] + k * job->matrix[a][2];
	for (int i = 0; i < to->columns; i++) {
		struct between x, y, z;

		if (locate(start[0] + i * job->matrix[0][0], job->source_size[0], &x) &&
		    locate(start[1] + i * job->matrix[1][0], job->source_size[1], &y) &&
		    locate(start[2] + i * job->matrix[2][0], job->source_size[2], &z))
			out[i] = sample_at(job->from, x, y, z);
	}
}

/* The same where both grids run along the same axes: the places are known per axis. */
static void row_aligned(const struct resampling *job, size_t row_index)
{
	const struct grid *to = &job->to->grid;
	const struct between y = job->axis[1][row_index % (size_t)to->rows];
	const struct between z = job->axis[2][row_index / (size_t)to->rows];
	float *out = job->to->samples + row_index * (size_t)to->columns;

	if (y.low < 0 || z.low < 0)
		return;
	for (int i = 0; i < to->columns; i++) {
		struct between x = job->axis[0][i];

		if (x.low >= 0)
			out[i] = sample_at(job->from, x, y, z);
	}
}

static void resample_rows(void *user, size_t first, size_t last)
{
	const struct resampling *job = user;

	for (size_t row = first; row < last; row++) {
		if (job->axis[0] != NULL)
			row_aligned(job, row);
		else
			row_oblique(job, row);
	}
}

/* Target and source axes run side by side when moving along one target axis to the far end of the
 * volume never moves another source coordinate by more than the rounding of positions. */
static bool axes_side_by_side(const struct resampling *job, const int target_size[3])
{
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++) {
			if (a != b && !(fabs(job->matrix[a][b]) * target_size[b] <= SNAP_VOXEL / 4))
				return false;
		}
	}
	return true;
}

static struct between *places_along(const struct resampling *job, int axis, int size)
{
	struct between *places = malloc((size_t)size * sizeof *places);

	for (int i = 0; places != NULL && i < size; i++) {
		double position = job->offset[axis] + i * job->matrix[axis][axis];

		if (!locate(position, job->source_size[axis], &places[i]))
			places[i] = (struct between){.low = -1, .step = 0, .part = 0};
	}
	return places;
}

/* The target grid as the source's frame sees it. */
static enum status_code move_grid(struct grid *moved, const struct grid *to,
				  const double *transform, struct status *st)
{
	const double *steps[3] = {to->column_step_mm, to->row_step_mm, to->slice_step_mm};
	double *moved_steps[3] = {moved->column_step_mm, moved->row_step_mm, moved->slice_step_mm};

	for (int i = 0; i < 12; i++) {
		if (!isfinite(transform[i]))
			return status_fail(st, STATUS_REFUSE,
					   "the transform between two frames of "
					   "reference has a value that is no number");
	}
	for (int a = 0; a < 3; a++) {
		const double *row = transform + (ptrdiff_t)4 * a;

		moved->origin_mm[a] = row[0] * to->origin_mm[0] + row[1] * to->origin_mm[1] +
				      row[2] * to->origin_mm[2] + row[3];
		for (int s = 0; s < 3; s++)
			moved_steps[s][a] =
			    row[0] * steps[s][0] + row[1] * steps[s][1] + row[2] * steps[s][2];
	}
	return STATUS_OK;
}

enum status_code resample_trilinear(struct volume *out, const struct grid *to,
				    const struct volume *from, const double *transform, int threads,
				    struct status *st)
{
	const int target_size[3] = {to->columns, to->rows, to->slices};
	struct volume result = VOLUME_INIT;
	struct resampling job = {
	    .from = from,
	    .to = &result,
	    .source_size = {from->grid.columns, from->grid.rows, from->grid.slices}};
	struct between *places[3] = {NULL, NULL, NULL};
	struct grid moved = *to;
	enum status_code code = STATUS_OK;

	if (transform == NULL && strcmp(to->frame_of_reference, from->grid.frame_of_reference) != 0)
		return status_fail(
		    st, STATUS_REFUSE,
		    "frames of reference differ (%s and %s) and no transform is known",
		    from->grid.frame_of_reference, to->frame_of_reference);
	if (transform != NULL && move_grid(&moved, to, transform, st) != STATUS_OK)
		return st->code;
	if (volume_new(&result, to, NAN, st) != STATUS_OK)
		return st->code;
	grid_map(&moved, &from->grid, job.matrix, job.offset);
	if (axes_side_by_side(&job, target_size)) {
		for (int a = 0; a < 3; a++) {
			places[a] = places_along(&job, a, target_size[a]);
			job.axis[a] = places[a];
			if (places[a] == NULL) {
				code =
				    status_fail(st, STATUS_RETRY, "no memory to resample a volume");
				goto out;
			}
		}
	}
	parallel_for((size_t)to->rows * (size_t)to->slices, 64, threads, resample_rows, &job);
	*out = result;
	result.samples = NULL;
out:
	for (int a = 0; a < 3; a++)
		free(places[a]);
	volume_free(&result);
	return code;
}
