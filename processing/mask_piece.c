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

/* The box of a mask with a rim of one voxel, so that neighbours need no questions about edges. */
struct pieces {
	const struct mask *mask;
	size_t size[3];
	float *share;	 /* coverage of what is asked about, else 0 */
	uint32_t *label; /* number of the piece; 0: none yet */
	size_t *waiting; /* voxels whose neighbours are still to be asked */
};

static void pieces_free(struct pieces *pieces)
{
	free(pieces->share);
	free(pieces->label);
	free(pieces->waiting);
}

static size_t index_in_box(const struct pieces *pieces, int row, int slice)
{
	const struct mask *mask = pieces->mask;
	return ((size_t)(slice - mask->first[2] + 1) * pieces->size[1] +
		(size_t)(row - mask->first[1] + 1)) *
		   pieces->size[0] +
	       1;
}

/* The mask's coverage; with values only where they are below the limit, which NaN is not. */
static enum status_code pieces_new(struct pieces *pieces, const struct mask *mask,
				   const struct volume *values, double limit, struct status *st)
{
	size_t voxels = 1;
	*pieces = (struct pieces){.mask = mask};
	for (int a = 0; a < 3; a++) {
		int size = mask->last[a] - mask->first[a] + 1;
		pieces->size[a] = (size_t)(size > 0 ? size : 0) + 2;
		voxels *= pieces->size[a];
	}
	pieces->share = calloc(voxels, sizeof *pieces->share);
	pieces->label = calloc(voxels, sizeof *pieces->label);
	pieces->waiting = malloc(voxels * sizeof *pieces->waiting);
	if (!pieces->share || !pieces->label || !pieces->waiting)
		return status_fail(st, STATUS_RETRY, "no memory for the pieces of a mask");
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t v = index_of(&mask->grid, mask->first[0], j, k);
			float *to = pieces->share + index_in_box(pieces, j, k);
			for (int i = mask->first[0]; i <= mask->last[0]; i++, v++, to++) {
				if (!values || (double)values->samples[v] < limit)
					*to = mask->coverage[v];
			}
		}
	}
	return STATUS_OK;
}

static size_t visit(const struct pieces *pieces, size_t at, uint32_t label, size_t count)
{
	if (pieces->label[at] == 0 && pieces->share[at] > 0) {
		pieces->label[at] = label;
		pieces->waiting[count++] = at;
	}
	return count;
}

/* Labels the piece that holds a voxel; returns its sum of coverages. */
static double fill_piece(const struct pieces *pieces, size_t start, uint32_t label)
{
	const size_t row = pieces->size[0], slice = row * pieces->size[1];
	size_t count = visit(pieces, start, label, 0);
	double sum = 0;
	while (count > 0) {
		size_t at = pieces->waiting[--count];
		sum += (double)pieces->share[at];
		count = visit(pieces, at - 1, label, count);
		count = visit(pieces, at + 1, label, count);
		count = visit(pieces, at - row, label, count);
		count = visit(pieces, at + row, label, count);
		count = visit(pieces, at - slice, label, count);
		count = visit(pieces, at + slice, label, count);
	}
	return sum;
}

/* Label of the largest piece, of equal ones the first in storage order; 0 without any. */
static uint32_t find_largest(const struct pieces *pieces)
{
	const size_t voxels = pieces->size[0] * pieces->size[1] * pieces->size[2];
	uint32_t count = 0, largest = 0;
	double most = 0;
	for (size_t at = 0; at < voxels; at++) {
		if (pieces->label[at] != 0 || !(pieces->share[at] > 0))
			continue;
		double sum = fill_piece(pieces, at, ++count);
		if (sum > most) {
			most = sum;
			largest = count;
		}
	}
	return largest;
}

static void copy_piece(struct mask *piece, const struct pieces *pieces, uint32_t wanted)
{
	const struct mask *mask = pieces->mask;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t at = index_in_box(pieces, j, k);
			for (int i = mask->first[0]; i <= mask->last[0]; i++, at++) {
				if (pieces->label[at] != wanted)
					continue;
				piece->coverage[index_of(&mask->grid, i, j, k)] = pieces->share[at];
				widen(piece, i, j, k);
			}
		}
	}
}

enum status_code mask_largest_piece(struct mask *piece, const struct mask *mask, struct status *st)
{
	struct pieces pieces;
	struct mask made = MASK_INIT;
	uint32_t largest;
	if (pieces_new(&pieces, mask, NULL, 0, st) != STATUS_OK ||
	    mask_new(&made, &mask->grid, st) != STATUS_OK)
		goto out;
	largest = find_largest(&pieces);
	if (largest > 0)
		copy_piece(&made, &pieces, largest);
	*piece = made;
out:
	pieces_free(&pieces);
	return st->code;
}

enum status_code mask_below_volumes(double *volume_ml, double *piece_ml, const struct mask *mask,
				    const struct volume *values, double limit, struct status *st)
{
	const double voxel_ml = grid_voxel_volume_ml(&mask->grid);
	struct pieces pieces;
	double all = 0, of_largest = 0;
	if (!grid_same(&mask->grid, &values->grid, SAME_GRID_MM))
		return status_fail(st, STATUS_BUG, "mask and values are on different grids");
	if (pieces_new(&pieces, mask, values, limit, st) == STATUS_OK) {
		const size_t voxels = pieces.size[0] * pieces.size[1] * pieces.size[2];
		uint32_t largest = find_largest(&pieces);
		for (size_t at = 0; at < voxels; at++) {
			all += (double)pieces.share[at];
			if (pieces.label[at] == largest)
				of_largest += (double)pieces.share[at];
		}
		*volume_ml = all * voxel_ml;
		*piece_ml = of_largest * voxel_ml;
	}
	pieces_free(&pieces);
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
