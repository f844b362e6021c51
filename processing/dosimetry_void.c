/* dosimetry_void.c - gas that moved between the baseline and a scan.
 *
 * A void that comes to lie in the liver takes the signal of the voxels it covers, and a rim of
 * steep field around it raises R2*: both look like microspheres, the void like more of them than
 * any treatment brings. What gives it away is where it is: it comes from the dark. So a voxel of
 * the liver counts as void when it has gone dark and is joined, by faces and through such voxels,
 * to what was dark or artefact in the baseline. Gone dark is: no usable echo, or less than half of
 * the S0 that the baseline had there. (Microspheres do not lower S0, and take the first usable echo
 * only above about 1000 Gy; a saturated core inside a tumour is not joined to the dark.) The rim
 * has come with the void: all within the reach that the baseline's artefact has around the dark. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>

#include "ball.h"

#define S0_GONE 0.5F

struct hunt {
	struct dosimetry_delta *delta;
	const struct r2star_map *map;
	const float *s0;
	const struct mask *liver;
	size_t *found; /* voxels gone dark, in the order they were found */
	size_t count, room;
};

static bool gone_dark(const struct hunt *hunt, size_t v)
{
	const struct r2star_map *map = hunt->map;
	if (map->state[v] == R2STAR_NO_ECHO)
		return true;
	return map->state[v] == R2STAR_FITTED &&
	       map->s0.samples[v] < S0_GONE * (float)hunt->delta->s0_scale * hunt->s0[v];
}

/* Dark or artefact before. */
static bool was_lost(const struct hunt *hunt, size_t v)
{
	return hunt->delta->marks[v] & (DOSIMETRY_MARK_DARK | DOSIMETRY_MARK_ARTEFACT);
}

static bool take(struct hunt *hunt, size_t v)
{
	if (hunt->count == hunt->room) {
		size_t room = hunt->room ? 2 * hunt->room : 1024;
		size_t *larger = realloc(hunt->found, room * sizeof *larger);
		if (!larger)
			return false;
		hunt->found = larger;
		hunt->room = room;
	}
	hunt->delta->marks[v] |= DOSIMETRY_MARK_ARTEFACT;
	hunt->found[hunt->count++] = v;
	return true;
}

/* Calls `each` for the neighbours over faces; false from it ends the round. */
static bool around(struct hunt *hunt, size_t v, bool (*each)(struct hunt *hunt, size_t v))
{
	const struct grid *grid = &hunt->liver->grid;
	const size_t row = (size_t)grid->columns, slice = row * (size_t)grid->rows;
	const size_t i = v % row, j = v / row % (size_t)grid->rows, k = v / slice;
	return (i == 0 || each(hunt, v - 1)) && (i + 1 == row || each(hunt, v + 1)) &&
	       (j == 0 || each(hunt, v - row)) &&
	       (j + 1 == (size_t)grid->rows || each(hunt, v + row)) &&
	       (k == 0 || each(hunt, v - slice)) &&
	       (k + 1 == (size_t)grid->slices || each(hunt, v + slice));
}

static bool still_looking(struct hunt *hunt, size_t v)
{
	return !was_lost(hunt, v);
}

static bool spread(struct hunt *hunt, size_t v)
{
	if (!(hunt->liver->coverage[v] > 0) || was_lost(hunt, v) || !gone_dark(hunt, v))
		return true;
	return take(hunt, v);
}

/* First all that touch what was lost, then what is joined to those. */
static bool find_all(struct hunt *hunt)
{
	const struct mask *liver = hunt->liver;
	const struct grid *grid = &liver->grid;
	size_t first;
	for (int k = liver->first[2]; k <= liver->last[2]; k++) {
		for (int j = liver->first[1]; j <= liver->last[1]; j++) {
			size_t row =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			for (int i = liver->first[0]; i <= liver->last[0]; i++) {
				size_t v = row + (size_t)i;
				if (!(liver->coverage[v] > 0) || was_lost(hunt, v) ||
				    !gone_dark(hunt, v) || around(hunt, v, still_looking))
					continue;
				if (!take(hunt, v))
					return false;
			}
		}
	}
	for (first = 0; first < hunt->count; first++) {
		if (!around(hunt, hunt->found[first], spread))
			return false;
	}
	return true;
}

static void take_rim(struct hunt *hunt, const struct ball *ball)
{
	const struct grid *grid = &hunt->liver->grid;
	for (size_t n = 0; n < hunt->count; n++) {
		size_t v = hunt->found[n];
		int i = (int)(v % (size_t)grid->columns);
		int j = (int)(v / (size_t)grid->columns % (size_t)grid->rows);
		int k = (int)(v / (size_t)grid->columns / (size_t)grid->rows);
		for (size_t s = 0; s < ball->count; s++) {
			int x = i + ball->steps[s].by[0], y = j + ball->steps[s].by[1],
			    z = k + ball->steps[s].by[2];
			if (x < 0 || x >= grid->columns || y < 0 || y >= grid->rows || z < 0 ||
			    z >= grid->slices)
				continue;
			size_t at =
			    ((size_t)z * (size_t)grid->rows + (size_t)y) * (size_t)grid->columns +
			    (size_t)x;
			if (!(hunt->delta->marks[at] & DOSIMETRY_MARK_DARK))
				hunt->delta->marks[at] |= DOSIMETRY_MARK_ARTEFACT;
			hunt->delta->delta_r2star_per_s.samples[at] = NAN;
			hunt->delta->stderr_per_s.samples[at] = NAN;
			hunt->delta->state[at] = R2STAR_NOT_MEASURED;
		}
	}
}

enum status_code dosimetry_find_moved_void(struct dosimetry_delta *delta,
					   const struct dosimetry_scan *scan, const float *s0,
					   const struct dosimetry_baseline_map *baseline,
					   const struct mask *liver, struct status *st)
{
	struct hunt hunt = {.delta = delta, .map = scan->map, .s0 = s0, .liver = liver};
	struct ball ball;
	if (!liver->coverage)
		return STATUS_OK;
	if (ball_make(&ball, &liver->grid, baseline->rim_mm, st) != STATUS_OK)
		return st->code;
	if (find_all(&hunt))
		take_rim(&hunt, &ball);
	else
		(void)status_fail(st, STATUS_RETRY, "no memory for the artefact mask");
	ball_free(&ball);
	free(hunt.found);
	return st->code;
}
