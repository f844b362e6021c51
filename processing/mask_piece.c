#include "mask_piece.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "ball.h"

#define SAME_GRID_MM 1e-3

/* A mask can be huge where its VOI is small: everything here stays within first..last, so that
 * memory of the rest is never touched. */
static size_t index_of(const struct grid *grid, int i, int j, int k)
{
	return ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns + (size_t)i;
}

static void widen(struct mask *mask, int i, int j, int k)
{
	const int at[3] = {i, j, k};
	bool empty = mask->last[2] < mask->first[2];
	for (int a = 0; a < 3; a++) {
		if (empty || at[a] < mask->first[a])
			mask->first[a] = at[a];
		if (empty || at[a] > mask->last[a])
			mask->last[a] = at[a];
	}
}

enum status_code mask_below(struct mask *part, const struct mask *mask, const struct volume *values,
			    double limit, struct status *st)
{
	struct mask made = MASK_INIT;
	if (!grid_same(&mask->grid, &values->grid, SAME_GRID_MM))
		return status_fail(st, STATUS_BUG, "mask and values are on different grids");
	if (mask_new(&made, &mask->grid, st) != STATUS_OK)
		return st->code;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				size_t v = index_of(&mask->grid, i, j, k);
				/* false for NaN: not measured is not low */
				if (!(mask->coverage[v] > 0) ||
				    !((double)values->samples[v] < limit))
					continue;
				made.coverage[v] = mask->coverage[v];
				widen(&made, i, j, k);
			}
		}
	}
	*part = made;
	return STATUS_OK;
}

/* ---- pieces ---- */

/* The box of a mask, with the number of the piece each voxel belongs to. */
struct labels {
	const struct mask *mask;
	int size[3];
	uint32_t *label; /* 0: none yet */
	size_t *waiting; /* voxels of the box whose neighbours are still to be asked */
};

static float coverage_in_box(const struct labels *labels, size_t at)
{
	const struct mask *mask = labels->mask;
	size_t columns = (size_t)labels->size[0], rows = (size_t)labels->size[1];
	return mask->coverage[index_of(&mask->grid, mask->first[0] + (int)(at % columns),
				       mask->first[1] + (int)(at / columns % rows),
				       mask->first[2] + (int)(at / columns / rows))];
}

static size_t visit(const struct labels *labels, size_t at, uint32_t label, size_t count)
{
	if (labels->label[at] == 0 && coverage_in_box(labels, at) > 0) {
		labels->label[at] = label;
		labels->waiting[count++] = at;
	}
	return count;
}

/* Labels the piece that holds a voxel; returns its sum of coverages. */
static double fill_piece(const struct labels *labels, size_t start, uint32_t label)
{
	const size_t columns = (size_t)labels->size[0], rows = (size_t)labels->size[1];
	const size_t slices = (size_t)labels->size[2], slice = columns * rows;
	size_t count = visit(labels, start, label, 0);
	double sum = 0;
	while (count > 0) {
		size_t at = labels->waiting[--count];
		size_t i = at % columns, j = at / columns % rows, k = at / slice;
		sum += (double)coverage_in_box(labels, at);
		if (i > 0)
			count = visit(labels, at - 1, label, count);
		if (i + 1 < columns)
			count = visit(labels, at + 1, label, count);
		if (j > 0)
			count = visit(labels, at - columns, label, count);
		if (j + 1 < rows)
			count = visit(labels, at + columns, label, count);
		if (k > 0)
			count = visit(labels, at - slice, label, count);
		if (k + 1 < slices)
			count = visit(labels, at + slice, label, count);
	}
	return sum;
}

static void copy_piece(struct mask *piece, const struct labels *labels, uint32_t wanted)
{
	const struct mask *mask = labels->mask;
	size_t at = 0;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			for (int i = mask->first[0]; i <= mask->last[0]; i++, at++) {
				if (labels->label[at] != wanted)
					continue;
				size_t v = index_of(&mask->grid, i, j, k);
				piece->coverage[v] = mask->coverage[v];
				widen(piece, i, j, k);
			}
		}
	}
}

enum status_code mask_largest_piece(struct mask *piece, const struct mask *mask, struct status *st)
{
	struct labels labels = {.mask = mask};
	struct mask made = MASK_INIT;
	size_t voxels = 1;
	uint32_t pieces = 0, largest = 0;
	double most = 0;

	if (mask_new(&made, &mask->grid, st) != STATUS_OK)
		return st->code;
	for (int a = 0; a < 3; a++) {
		labels.size[a] = mask->last[a] - mask->first[a] + 1;
		voxels *= labels.size[a] > 0 ? (size_t)labels.size[a] : 0;
	}
	if (voxels > 0) {
		labels.label = calloc(voxels, sizeof *labels.label);
		labels.waiting = malloc(voxels * sizeof *labels.waiting);
		if (!labels.label || !labels.waiting) {
			(void)status_fail(st, STATUS_RETRY, "no memory for the pieces of a mask");
			goto out;
		}
	}
	for (size_t at = 0; at < voxels; at++) {
		if (labels.label[at] != 0 || !(coverage_in_box(&labels, at) > 0))
			continue;
		double sum = fill_piece(&labels, at, ++pieces);
		if (sum > most) {
			most = sum;
			largest = pieces;
		}
	}
	if (largest > 0)
		copy_piece(&made, &labels, largest);
	*piece = made;
	made.coverage = NULL;
out:
	free(labels.label);
	free(labels.waiting);
	mask_free(&made);
	return st->code;
}

/* ---- growing ---- */

static bool covered(const struct mask *mask, int i, int j, int k)
{
	return i >= 0 && i < mask->grid.columns && j >= 0 && j < mask->grid.rows && k >= 0 &&
	       k < mask->grid.slices && mask->coverage[index_of(&mask->grid, i, j, k)] > 0;
}

/* From a voxel inside nothing new is reached that the surface does not reach. */
static bool on_surface(const struct mask *mask, int i, int j, int k)
{
	return !covered(mask, i - 1, j, k) || !covered(mask, i + 1, j, k) ||
	       !covered(mask, i, j - 1, k) || !covered(mask, i, j + 1, k) ||
	       !covered(mask, i, j, k - 1) || !covered(mask, i, j, k + 1);
}

static void stamp(struct mask *grown, const struct ball *ball, int i, int j, int k)
{
	const struct grid *grid = &grown->grid;
	for (size_t s = 0; s < ball->count; s++) {
		int x = i + ball->steps[s].by[0], y = j + ball->steps[s].by[1],
		    z = k + ball->steps[s].by[2];
		if (x < 0 || x >= grid->columns || y < 0 || y >= grid->rows || z < 0 ||
		    z >= grid->slices)
			continue;
		grown->coverage[index_of(grid, x, y, z)] = 1;
		widen(grown, x, y, z);
	}
}

enum status_code mask_grow(struct mask *grown, const struct mask *mask, double radius_mm,
			   struct status *st)
{
	struct ball ball = {.count = 0};
	struct mask made = MASK_INIT;
	if (!(radius_mm >= 0) || !isfinite(radius_mm))
		return status_fail(st, STATUS_BUG, "a mask cannot be grown by %g mm", radius_mm);
	if (ball_make(&ball, &mask->grid, radius_mm, st) != STATUS_OK)
		return st->code;
	if (mask_new(&made, &mask->grid, st) != STATUS_OK)
		goto out;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				if (!covered(mask, i, j, k))
					continue;
				made.coverage[index_of(&mask->grid, i, j, k)] = 1;
				widen(&made, i, j, k);
				if (on_surface(mask, i, j, k))
					stamp(&made, &ball, i, j, k);
			}
		}
	}
	*grown = made;
out:
	ball_free(&ball);
	return st->code;
}
