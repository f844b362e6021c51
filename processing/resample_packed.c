#include "resample_packed.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "resample_place.h"

typedef int32_t packed_bits __attribute__((vector_size(16)));

/* ---- making ---- */

static size_t voxel_at(const struct grid *grid, int column, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns +
	       (size_t)column;
}

static void find_box(struct resample_packed *packed, const float *values)
{
	const struct grid *grid = &packed->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	struct grid_box box = grid_box_empty(grid);
	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j++) {
			const float *row = values + voxel_at(grid, 0, j, k);
			int left = 0, right = grid->columns - 1;
			while (left <= right && isnan(row[left]))
				left++;
			while (right > left && isnan(row[right]))
				right--;
			if (left > right)
				continue;
			grid_box_add_run(&box, left, right, j, k);
		}
	}
	for (int a = 0; a < 3; a++) {
		packed->first[a] = box.last[a] < 0 ? 0 : box.first[a] > 0 ? box.first[a] - 1 : 0;
		packed->last[a] =
		    box.last[a] + 1 < size[a] && box.last[a] >= 0 ? box.last[a] + 1 : box.last[a];
	}
}

static packed_values *sample_of(const struct resample_packed *packed, int i, int j, int k)
{
	const size_t columns = (size_t)(packed->last[0] - packed->first[0] + 1);
	const size_t rows = (size_t)(packed->last[1] - packed->first[1] + 1);
	return packed->samples +
	       ((size_t)(k - packed->first[2]) * rows + (size_t)(j - packed->first[1])) * columns +
	       (size_t)(i - packed->first[0]);
}

enum status_code resample_packed_new(struct resample_packed *packed,
				     const struct volume *const values[RESAMPLE_PACKED_VALUES],
				     struct status *st)
{
	struct resample_packed made = {.grid = values[0]->grid};
	size_t voxels = 1;
	find_box(&made, values[0]->samples);
	for (int a = 0; a < 3; a++)
		voxels *= (size_t)(made.last[a] - made.first[a] + 1);
	made.samples = malloc((voxels + 1) * sizeof *made.samples);
	if (!made.samples)
		return status_fail(st, STATUS_RETRY, "no memory for the values of %zu voxels",
				   voxels);
	packed_values *to = made.samples;
	for (int k = made.first[2]; k <= made.last[2]; k++) {
		for (int j = made.first[1]; j <= made.last[1]; j++) {
			for (int i = made.first[0]; i <= made.last[0]; i++, to++) {
				size_t v = voxel_at(&made.grid, i, j, k);
				*to = (packed_values){values[0]->samples[v], values[1]->samples[v],
						      values[2]->samples[v], 0};
			}
		}
	}
	*packed = made;
	return STATUS_OK;
}

void resample_packed_free(struct resample_packed *packed)
{
	free(packed->samples);
	packed->samples = NULL;
}

/* ---- the way there ---- */

void resample_packed_find_way(struct resample_way *way, const struct grid *to,
			      const struct resample_packed *packed)
{
	grid_map(to, &packed->grid, way->matrix, way->offset);
}

static double start_of(const struct resample_way *way, int axis, int row, int slice)
{
	return way->offset[axis] + way->matrix[axis][1] * row + way->matrix[axis][2] * slice;
}

void resample_packed_reach(int *first, int *last, const struct resample_packed *packed,
			   const struct resample_way *way, int columns, int row, int slice)
{
	/* a voxel too many does no harm, one too few would */
	const double margin = 1e-3;
	double low = 0, high = columns - 1;
	for (int a = 0; a < 3; a++) {
		double start = start_of(way, a, row, slice), step = way->matrix[a][0];
		double from = packed->first[a] - 0.5 - margin, to = packed->last[a] + 0.5 + margin;
		if (fabs(step) * columns < margin / 2) {
			if (start < from - margin || start > to + margin)
				high = -1;
			continue;
		}
		double one = (from - start) / step, other = (to - start) / step;
		low = fmax(low, ceil(fmin(one, other)));
		high = fmin(high, floor(fmax(one, other)));
	}
	*first = low <= high ? (int)low : 0;
	*last = low <= high ? (int)high : -1;
}

/* ---- values ---- */

static packed_values all(float value)
{
	return (packed_values){value, value, value, value};
}

/* The rule for neighbours that were not measured, for each value by itself. Where none was (air),
 * it is quick. */
static packed_values sample_with_gaps(const packed_values *at, const ptrdiff_t stride[3],
				      const float part[3])
{
	packed_values sum = all(0), weight = all(0);
	packed_bits any = {0, 0, 0, 0};
	for (int corner = 0; corner < 8; corner++) {
		const packed_values value =
		    at[(corner & 1 ? stride[0] : 0) + (corner & 2 ? stride[1] : 0) +
		       (corner & 4 ? stride[2] : 0)];
		any |= value == value;
	}
	if (!(any[0] | any[1] | any[2]))
		return all(NAN);
	for (int corner = 0; corner < 8; corner++) {
		const bool x = corner & 1, y = corner & 2, z = corner & 4;
		const float w = (x ? part[0] : 1 - part[0]) * (y ? part[1] : 1 - part[1]) *
				(z ? part[2] : 1 - part[2]);
		if (!(w > 0))
			continue;
		const packed_values value =
		    at[(x ? stride[0] : 0) + (y ? stride[1] : 0) + (z ? stride[2] : 0)];
		const packed_bits known = value == value;
		sum += (packed_values)((packed_bits)(w * value) & known);
		weight += (packed_values)((packed_bits)all(w) & known);
	}
	const packed_bits enough = weight >= all(0.5F - 1e-6F);
	return (packed_values)(((packed_bits)(sum / weight) & enough) |
			       ((packed_bits)all(NAN) & ~enough));
}

static inline packed_values sample_at(const struct resample_packed *packed,
				      const struct between where[3])
{
	const ptrdiff_t row = packed->last[0] - packed->first[0] + 1;
	const ptrdiff_t slice = row * (packed->last[1] - packed->first[1] + 1);
	for (int a = 0; a < 3; a++) {
		if (where[a].low < packed->first[a] ||
		    where[a].low + where[a].step > packed->last[a])
			return all(NAN);
	}
	const packed_values *at = sample_of(packed, where[0].low, where[1].low, where[2].low);
	const ptrdiff_t stride[3] = {where[0].step, where[1].step ? row : 0,
				     where[2].step ? slice : 0};
	const packed_values *back = at + stride[2];
	const float part[3] = {where[0].part, where[1].part, where[2].part};
	packed_values a = at[0] + part[0] * (at[stride[0]] - at[0]);
	packed_values b = at[stride[1]] + part[0] * (at[stride[1] + stride[0]] - at[stride[1]]);
	packed_values c = back[0] + part[0] * (back[stride[0]] - back[0]);
	packed_values d =
	    back[stride[1]] + part[0] * (back[stride[1] + stride[0]] - back[stride[1]]);
	a += part[1] * (b - a);
	c += part[1] * (d - c);
	packed_values value = a + part[2] * (c - a);
	const packed_bits known = value == value;
	if (known[0] & known[1] & known[2])
		return value;
	const packed_values rest = sample_with_gaps(at, stride, part);
	return (packed_values)(((packed_bits)value & known) | ((packed_bits)rest & ~known));
}

static inline packed_values sample_position(const struct resample_packed *packed,
					    const struct resample_way *way, const double start[3],
					    int column)
{
	const int size[3] = {packed->grid.columns, packed->grid.rows, packed->grid.slices};
	struct between where[3];
	for (int a = 0; a < 3; a++) {
		double position = start[a] + column * way->matrix[a][0];
		/* nearly always between two samples; the rest in full */
		if (position > 0 && position < size[a] - 1) {
			int low = (int)position;
			double over = position - low;
			where[a] = (struct between){low, 1, (float)over};
			if (over > SNAP_VOXEL && over < 1 - SNAP_VOXEL)
				continue;
		}
		if (!locate(position, size[a], &where[a]))
			return all(NAN);
	}
	return sample_at(packed, where);
}

void resample_packed_row(packed_values *values, const struct resample_packed *packed,
			 const struct resample_way *way, int first, int last, int row, int slice)
{
	double start[3];
	for (int a = 0; a < 3; a++)
		start[a] = start_of(way, a, row, slice);
	for (int column = first; column <= last; column++)
		values[column - first] = sample_position(packed, way, start, column);
}

packed_values resample_packed_at(const struct resample_packed *packed,
				 const struct resample_way *way, int column, int row, int slice)
{
	packed_values value;
	resample_packed_row(&value, packed, way, column, column, row, slice);
	return value;
}
