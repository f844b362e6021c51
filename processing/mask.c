#include "mask.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum status_code mask_new(struct mask *mask, const struct grid *grid, struct status *st)
{
	mask->grid = *grid;
	mask->coverage = calloc(grid_voxels(grid), sizeof *mask->coverage);
	if (mask->coverage == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for a mask of %zu voxels",
				   grid_voxels(grid));
	for (int a = 0; a < 3; a++) {
		mask->first[a] = 0;
		mask->last[a] = -1;
	}
	return STATUS_OK;
}

void mask_free(struct mask *mask)
{
	free(mask->coverage);
	mask->coverage = NULL;
}

enum status_code mask_copy(struct mask *copy, const struct mask *mask, struct status *st)
{
	struct mask made = MASK_INIT;

	if (mask_new(&made, &mask->grid, st) != STATUS_OK)
		return st->code;
	memcpy(made.first, mask->first, sizeof made.first);
	memcpy(made.last, mask->last, sizeof made.last);
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t start = ((size_t)k * (size_t)mask->grid.rows + (size_t)j) *
					   (size_t)mask->grid.columns +
				       (size_t)mask->first[0];

			memcpy(made.coverage + start, mask->coverage + start,
			       (size_t)(mask->last[0] - mask->first[0] + 1) *
				   sizeof *made.coverage);
		}
	}
	*copy = made;
	return STATUS_OK;
}

size_t mask_box_voxels(const struct mask *mask)
{
	size_t voxels = 1;

	for (int a = 0; a < 3; a++) {
		if (mask->last[a] < mask->first[a])
			return 0;
		voxels *= (size_t)(mask->last[a] - mask->first[a] + 1);
	}
	return voxels;
}

static const float *row_of(const struct mask *mask, int row, int slice)
{
	return mask->coverage +
	       ((size_t)slice * (size_t)mask->grid.rows + (size_t)row) * (size_t)mask->grid.columns;
}

/* Most rows are: each value equal to the next and the first 0, which memcmp sees at memory speed.
 */
static bool row_is_empty(const float *row, int columns)
{
	return row[0] == 0 && memcmp(row, row + 1, (size_t)(columns - 1) * sizeof *row) == 0;
}

void mask_clear(struct mask *mask)
{
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t start = (size_t)(row_of(mask, j, k) - mask->coverage);

			for (int i = mask->first[0]; i <= mask->last[0]; i++)
				mask->coverage[start + (size_t)i] = 0;
		}
	}
	for (int a = 0; a < 3; a++) {
		mask->first[a] = 0;
		mask->last[a] = -1;
	}
}

void mask_update_bounds(struct mask *mask)
{
	mask_update_bounds_within(mask, 0, mask->grid.rows - 1, 0, mask->grid.slices - 1);
}

void mask_update_bounds_within(struct mask *mask, int first_row, int last_row, int first_slice,
			       int last_slice)
{
	struct grid_box box = grid_box_empty(&mask->grid);

	for (int k = first_slice; k <= last_slice; k++) {
		for (int j = first_row; j <= last_row; j++) {
			const float *row = row_of(mask, j, k);
			int left = 0, right = mask->grid.columns - 1;

			if (row_is_empty(row, mask->grid.columns))
				continue;
			while (left <= right && !(row[left] > 0))
				left++;
			while (right >= left && !(row[right] > 0))
				right--;
			if (left > right)
				continue;
			grid_box_add_run(&box, left, right, j, k);
		}
	}
	for (int a = 0; a < 3; a++) {
		mask->first[a] = box.last[a] < 0 ? 0 : box.first[a];
		mask->last[a] = box.last[a];
	}
}

/* Two masks made on one grid carry the very same numbers; this is the check against mixing grids.
 */
static const double SAME_GRID_MM = 1e-3;

/* What the boxes of two masks of one grid have in common; perhaps nothing, last < first. */
static void find_common_box(int first[3], int last[3], const struct mask *a, const struct mask *b)
{
	for (int axis = 0; axis < 3; axis++) {
		first[axis] = a->first[axis] > b->first[axis] ? a->first[axis] : b->first[axis];
		last[axis] = a->last[axis] < b->last[axis] ? a->last[axis] : b->last[axis];
	}
}

enum status_code mask_subtract(struct mask *a, const struct mask *b, struct status *st)
{
	if (!grid_same(&a->grid, &b->grid, SAME_GRID_MM))
		return status_fail(st, STATUS_BUG, "masks of different grids were subtracted");
	int first[3], last[3];
	find_common_box(first, last, a, b);
	for (int k = first[2]; k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			size_t start = (size_t)(row_of(b, j, k) - b->coverage);

			for (int i = first[0]; i <= last[0]; i++) {
				float rest =
				    a->coverage[start + (size_t)i] - b->coverage[start + (size_t)i];

				a->coverage[start + (size_t)i] = rest > 0 ? rest : 0;
			}
		}
	}
	mask_update_bounds_within(a, a->first[1], a->last[1], a->first[2], a->last[2]);
	return STATUS_OK;
}

void mask_join(struct mask *a, const struct mask *b, bool side_by_side)
{
	for (int k = b->first[2]; k <= b->last[2]; k++) {
		for (int j = b->first[1]; j <= b->last[1]; j++) {
			size_t start = (size_t)(row_of(b, j, k) - b->coverage);

			for (int i = b->first[0]; i <= b->last[0]; i++) {
				float *own = &a->coverage[start + (size_t)i];
				float other = b->coverage[start + (size_t)i];

				if (side_by_side)
					*own = fminf(1, *own + other);
				else if (other > *own)
					*own = other;
			}
		}
	}
	for (int axis = 0; axis < 3 && b->last[axis] >= b->first[axis]; axis++) {
		bool empty = a->last[axis] < a->first[axis];

		if (empty || b->first[axis] < a->first[axis])
			a->first[axis] = b->first[axis];
		if (empty || b->last[axis] > a->last[axis])
			a->last[axis] = b->last[axis];
	}
}

int mask_empty_slices(const struct mask *mask)
{
	size_t pixels = (size_t)mask->grid.columns * (size_t)mask->grid.rows;
	int empty = 0;

	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		const float *slice = mask->coverage + (size_t)k * pixels;
		size_t at = 0;

		while (at < pixels && !(slice[at] > 0))
			at++;
		empty += at == pixels;
	}
	return empty;
}

double mask_volume_ml(const struct mask *mask)
{
	double sum = 0;

	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			const float *row = row_of(mask, j, k);

			for (int i = mask->first[0]; i <= mask->last[0]; i++)
				sum += (double)row[i];
		}
	}
	return sum * grid_voxel_volume_ml(&mask->grid);
}

double mask_overlap_ml(const struct mask *a, const struct mask *b)
{
	double sum = 0;
	int first[3], last[3];

	find_common_box(first, last, a, b);
	for (int k = first[2]; k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			const float *row_a = row_of(a, j, k), *row_b = row_of(b, j, k);

			for (int i = first[0]; i <= last[0]; i++)
				sum += (double)(row_a[i] < row_b[i] ? row_a[i] : row_b[i]);
		}
	}
	return sum * grid_voxel_volume_ml(&a->grid);
}
