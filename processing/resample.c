#include "resample.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_set.h"
#include "parallel.h"
#include "resample_place.h"

enum { STRETCH = 32 }; /* voxels of a row located together */

/* The columns of a row of the source that may have values; none: last < first. */
struct extent {
	int first, last;
};

struct resampling;
struct stretch;
typedef void fill_code(struct stretch *stretch, const struct resampling *job, const double start[3],
		       float *out);

struct resampling {
	const struct volume *from;
	struct volume *to;
	double matrix[3][3], offset[3]; /* target voxel -> source voxel */
	int source_size[3];
	fill_code *fill;
	struct extent *extents;	       /* per row of the source */
	bool vectors;		       /* the straight loops can be used */
	const struct between *axis[3]; /* per target index; only where the axes run side by side */
};

/* The rule for neighbours that were not measured. Where none was (air), it is quick. */
static float sample_with_gaps(const float *at, const size_t stride[3], const float part[3])
{
	const size_t far_corner = stride[0] + stride[1] + stride[2];
	float sum = 0, weight = 0;

	if (isnan(at[0]) && isnan(at[far_corner]) && isnan(at[stride[0]]) && isnan(at[stride[1]]) &&
	    isnan(at[stride[2]]) && isnan(at[far_corner - stride[0]]) &&
	    isnan(at[far_corner - stride[1]]) && isnan(at[far_corner - stride[2]]))
		return NAN;

	for (int corner = 0; corner < 8; corner++) {
		const bool x = corner & 1, y = corner & 2, z = corner & 4;
		const float w = (x ? part[0] : 1 - part[0]) * (y ? part[1] : 1 - part[1]) *
				(z ? part[2] : 1 - part[2]);
		const float value =
		    at[(x ? stride[0] : 0) + (y ? stride[1] : 0) + (z ? stride[2] : 0)];
		const bool counts = w > 0 && value == value;

		sum += counts ? w * value : 0;
		weight += counts ? w : 0;
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

/* A stretch of a row of the target in any direction through the source: straight loops in
 * vectors of four, in single steps that IEEE 754 fixes to the last bit. Where there is no
 * sample on either side `plain` is 0, and the value means nothing. */
struct stretch {
	int first[STRETCH]; /* index of the lowest corner */
	float part[3][STRETCH];
	int32_t plain[STRETCH]; /* 0 or -1 */
};

typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t four_ints __attribute__((vector_size(16), aligned(4), may_alias));
typedef double four_doubles __attribute__((vector_size(32)));
typedef int64_t four_masks __attribute__((vector_size(32)));
typedef float two __attribute__((vector_size(8), aligned(4), may_alias));

/* Two neighbours from each of two rows. */
__attribute__((always_inline)) static inline four four_of(const float *one, const float *other)
{
	const two a = *(const two *)one, b = *(const two *)other;

	return (four){a[0], a[1], b[0], b[1]};
}

/* Along one axis, four voxels at a time. */
__attribute__((always_inline)) static inline void find_places(struct stretch *stretch, float *part,
							      double begin, double step,
							      double last, int stride)
{
	for (int i = 0; i < STRETCH; i += 4) {
		const four_doubles index = {i, i + 1, i + 2, i + 3};
		const four_doubles position = begin + index * step;
		const four_masks plain = (position >= 0) & (position < last);
		const four_doubles safe = (four_doubles)((four_masks)position & plain);
		const four_ints low = __builtin_convertvector(safe, four_ints);
		const four_doubles over = safe - __builtin_convertvector(low, four_doubles);
		const four_masks next = over > 1 - SNAP_VOXEL;
		const four_doubles between =
		    (four_doubles)((four_masks)over & ~(next | (over < SNAP_VOXEL)));

		*(four_ints *)&stretch->first[i] +=
		    stride * (low - __builtin_convertvector(next, four_ints));
		*(four_ints *)&stretch->plain[i] &= __builtin_convertvector(plain, four_ints);
		*(four *)&part[i] = __builtin_convertvector(between, four);
	}
}

__attribute__((always_inline)) static inline void fill_stretch(struct stretch *stretch,
							       const struct resampling *job,
							       const double start[3], float *out)
{
	const float *from = job->from->samples;
	const int row = job->from->grid.columns, slice = row * job->from->grid.rows;
	const int stride[3] = {1, row, slice};
	/* not one slice, row or column only, and few enough for the index */
	const int32_t large = -(int32_t)job->vectors;

	memset(stretch->first, 0, sizeof stretch->first);
	for (int i = 0; i < STRETCH; i++)
		stretch->plain[i] = large;
	for (int a = 0; a < 3; a++)
		find_places(stretch, stretch->part[a], start[a], job->matrix[a][0],
			    job->source_size[a] - 1 - SNAP_VOXEL, stride[a]);
	if (!large)
		return;
	for (int i = 0; i < STRETCH; i++) {
		const float *at =
		    from + (stretch->first[i] & stretch->plain[i]); /* 0 when not plain */
		const four y0 = four_of(at, at + row), y1 = four_of(at + slice, at + slice + row);
		const four near = __builtin_shuffle(y0, y1, (four_ints){0, 2, 4, 6});
		const four far = __builtin_shuffle(y0, y1, (four_ints){1, 3, 5, 7});
		const four abcd = near + stretch->part[0][i] * (far - near);
		const four bdbd = __builtin_shuffle(abcd, (four_ints){1, 3, 1, 3});
		const four acac = __builtin_shuffle(abcd, (four_ints){0, 2, 0, 2});
		const four ac = acac + stretch->part[1][i] * (bdbd - acac);

		out[i] = ac[0] + stretch->part[2][i] * (ac[1] - ac[0]);
	}
}

#define CODE_FOR(set, target)                                                                      \
	target static void fill_##set(struct stretch *stretch, const struct resampling *job,       \
				      const double start[3], float *out)                           \
	{                                                                                          \
		fill_stretch(stretch, job, start, out);                                            \
	}
INSTRUCTION_SETS(CODE_FOR)

#define CODE_ROW(set, target) fill_##set,
static fill_code *const CODES[] = {INSTRUCTION_SETS(CODE_ROW)};

static void stretch_oblique(const struct resampling *job, const double start[3], float *out,
			    int count)
{
	const size_t row = (size_t)job->from->grid.columns;
	const size_t stride[3] = {1, row, row * (size_t)job->from->grid.rows};
	struct stretch stretch;
	float values[STRETCH];

	job->fill(&stretch, job, start, values);
	for (int i = 0; i < count; i++) {
		struct between where[3];
		bool inside = true;

		if (stretch.plain[i] && values[i] == values[i]) {
			out[i] = values[i];
			continue;
		}
		if (stretch.plain[i]) {
			const float part[3] = {stretch.part[0][i], stretch.part[1][i],
					       stretch.part[2][i]};

			out[i] =
			    sample_with_gaps(job->from->samples + stretch.first[i], stride, part);
			continue;
		}
		for (int a = 0; a < 3 && inside; a++)
			inside = locate(start[a] + i * job->matrix[a][0], job->source_size[a],
					&where[a]);
		if (inside)
			out[i] = sample_at(job->from, where[0], where[1], where[2]);
	}
}

static void find_extents(void *user, size_t first, size_t last)
{
	const struct resampling *job = user;
	struct extent *extents = job->extents;
	const int columns = job->from->grid.columns;

	for (size_t row = first; row < last; row++) {
		const float *from = job->from->samples + row * (size_t)columns;
		struct extent found = {0, columns - 1};

		while (found.first <= found.last && isnan(from[found.first]))
			found.first++;
		while (found.first < found.last && isnan(from[found.last]))
			found.last--;
		extents[row] = found;
	}
}

/* The samples on either side of a stretch of positions, with some room for rounding. */
static struct extent samples_around(double start, double step, int count, int size)
{
	const double end = start + (count - 1) * step;
	const double low = floor(fmin(start, end) - 1e-3), high = floor(fmax(start, end) + 1e-3);

	return (struct extent){(int)fmin(fmax(low, 0), size - 1),
			       (int)fmin(fmax(high + 1, 0), size - 1)};
}

/* Much of a body's box is air: whether any sample around a stretch has a value. */
static bool may_have_values(const struct resampling *job, const double start[3], int count)
{
	struct extent around[3];

	for (int a = 0; a < 3; a++)
		around[a] = samples_around(start[a], job->matrix[a][0], count, job->source_size[a]);
	for (int k = around[2].first; k <= around[2].last; k++) {
		for (int j = around[1].first; j <= around[1].last; j++) {
			const struct extent *row =
			    &job->extents[(size_t)k * (size_t)job->source_size[1] + (size_t)j];

			if (row->first <= around[0].last && row->last >= around[0].first &&
			    row->first <= row->last)
				return true;
		}
	}
	return false;
}

static void row_oblique(const struct resampling *job, size_t row_index)
{
	const struct grid *to = &job->to->grid;
	const double j = (double)(row_index % (size_t)to->rows);
	const double k = (double)(row_index / (size_t)to->rows);
	float *out = job->to->samples + row_index * (size_t)to->columns;

	for (int i = 0; i < to->columns; i += STRETCH) {
		int left = to->columns - i;
		double start[3];

		for (int a = 0; a < 3; a++)
			start[a] = job->offset[a] + i * job->matrix[a][0] + j * job->matrix[a][1] +
				   k * job->matrix[a][2];
		left = left < STRETCH ? left : STRETCH;
		if (may_have_values(job, start, left))
			stretch_oblique(job, start, out + i, left);
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
	job.fill = CODES[instruction_sets() - 1];
	job.vectors = from->grid.columns > 1 && from->grid.rows > 1 && from->grid.slices > 1 &&
		      grid_voxels(&from->grid) < INT32_MAX;
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
	} else {
		const size_t rows = (size_t)from->grid.rows * (size_t)from->grid.slices;

		job.extents = malloc(rows * sizeof *job.extents);
		if (job.extents == NULL) {
			code = status_fail(st, STATUS_RETRY, "no memory to resample a volume");
			goto out;
		}
		parallel_for(rows, 256, threads, find_extents, &job);
	}
	parallel_for((size_t)to->rows * (size_t)to->slices, 64, threads, resample_rows, &job);
	*out = result;
	result.samples = NULL;
out:
	for (int a = 0; a < 3; a++)
		free(places[a]);
	free(job.extents);
	volume_free(&result);
	return code;
}

float resample_point(const struct volume *from, const double voxel[3])
{
	struct between x, y, z;

	if (!locate(voxel[0], from->grid.columns, &x) || !locate(voxel[1], from->grid.rows, &y) ||
	    !locate(voxel[2], from->grid.slices, &z))
		return NAN;
	return sample_at(from, x, y, z);
}
