/* dosimetry_void.c - gas that moved between the baseline and a scan.
 *
 * A void that comes to lie in the liver takes the signal of the voxels it covers, and a rim of
 * steep field around it raises R2*: both look like microspheres, the void like more of them than
 * any treatment brings. What gives it away is where it is: it comes from the dark. So a voxel of
 * the liver counts as void when it has gone dark and is joined, by faces and through such voxels,
 * to what was dark in the baseline. Gone dark is: no usable echo, or less than half of the S0 that
 * the baseline had there. (Microspheres do not lower S0, and take the first usable echo only above
 * about 1000 Gy; a saturated core inside a tumour is not joined to the dark.) Where the void came
 * by more than a voxel, which partial volume would explain, its rim has come as far with it: the
 * baseline's artefact grows there by the way that the void came.
 *
 * Edges, in all of the body: lung, skin, bowel. Where a voxel touches what was dark, both share it,
 * and how much is tissue changes with the smallest motion. Its R2* is right as long as the echoes
 * can be fitted; from the first echo alone it is not, because the missing tissue looks like lost
 * signal (a third of it like 200 Gy). Such voxels have no dose, are not carried into the liver by
 * interpolation, and do not set the maximum of the map. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>

#include "ball.h"

#define WAY_MOST_MM 20.0 /* what came farther is not followed */

struct hunt {
	struct dosimetry_delta *delta;
	const struct r2star_map *map;
	const struct mask *liver;
	uint8_t *known;	     /* per voxel, 1: found */
	uint8_t *way_tenths; /* per voxel: how far a void came there, tenths of mm */
	size_t *found;	     /* voxels gone dark, in the order they were found */
	size_t count, room;
};

static bool gone_dark(const struct hunt *hunt, size_t v)
{
	return hunt->map->state[v] == R2STAR_NO_ECHO ||
	       hunt->delta->marks[v] & DOSIMETRY_MARK_GONE_DARK;
}

static bool was_dark(const struct hunt *hunt, size_t v)
{
	return hunt->delta->marks[v] & DOSIMETRY_MARK_DARK;
}

static bool take(struct hunt *hunt, size_t v)
{
	if (hunt->known[v])
		return true;
	if (hunt->count == hunt->room) {
		size_t room = hunt->room ? 2 * hunt->room : 1024;
		size_t *larger = realloc(hunt->found, room * sizeof *larger);
		if (!larger)
			return false;
		hunt->found = larger;
		hunt->room = room;
	}
	hunt->known[v] = 1;
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
	return !was_dark(hunt, v);
}

static bool spread(struct hunt *hunt, size_t v)
{
	if (!(hunt->liver->coverage[v] > 0) || was_dark(hunt, v) || !gone_dark(hunt, v))
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
				if (!(liver->coverage[v] > 0) || was_dark(hunt, v) ||
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

static bool step_to(size_t *to, const struct grid *grid, size_t v, const struct ball_step *step)
{
	int i = (int)(v % (size_t)grid->columns) + step->by[0];
	int j = (int)(v / (size_t)grid->columns % (size_t)grid->rows) + step->by[1];
	int k = (int)(v / (size_t)grid->columns / (size_t)grid->rows) + step->by[2];
	*to = ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns + (size_t)i;
	return i >= 0 && i < grid->columns && j >= 0 && j < grid->rows && k >= 0 &&
	       k < grid->slices;
}

static void lose(struct dosimetry_delta *delta, size_t v)
{
	if (!(delta->marks[v] & DOSIMETRY_MARK_DARK))
		delta->marks[v] |= DOSIMETRY_MARK_ARTEFACT;
	delta->delta_r2star_per_s.samples[v] = NAN;
	delta->stderr_per_s.samples[v] = NAN;
	delta->state[v] = R2STAR_NOT_MEASURED;
}

/* The distance to the nearest voxel that was marked before; the ball's radius where there is none.
 */
static float distance_mm(const struct hunt *hunt, size_t v, const struct ball *ball, uint8_t marks,
			 float most_mm)
{
	for (size_t s = 0; s < ball->count && ball->steps[s].distance_mm <= most_mm; s++) {
		size_t at;
		if (step_to(&at, &hunt->liver->grid, v, &ball->steps[s]) &&
		    hunt->delta->marks[at] & marks)
			return ball->steps[s].distance_mm;
	}
	return INFINITY;
}

/* How far the void came to a voxel, in tenths of a millimetre, left at all voxels that its rim can
 * reach from there. */
static void spread_way(struct hunt *hunt, size_t v, float way_mm, const struct ball *ball,
		       double rim_mm)
{
	uint8_t tenths = (uint8_t)fminf(10 * way_mm, UINT8_MAX);
	for (size_t s = 0; s < ball->count && (double)ball->steps[s].distance_mm <= rim_mm; s++) {
		size_t at;
		if (step_to(&at, &hunt->liver->grid, v, &ball->steps[s]) &&
		    hunt->way_tenths[at] < tenths)
			hunt->way_tenths[at] = tenths;
	}
}

static bool take_rim(struct hunt *hunt, const struct ball *ball, double rim_mm, double voxel_mm)
{
	const size_t found = hunt->count, voxels = grid_voxels(&hunt->liver->grid);
	for (size_t n = 0; n < found; n++) {
		float way_mm = distance_mm(hunt, hunt->found[n], ball, DOSIMETRY_MARK_DARK,
					   (float)WAY_MOST_MM);
		if (isfinite(way_mm) && (double)way_mm > voxel_mm + 1e-3)
			spread_way(hunt, hunt->found[n], way_mm, ball, rim_mm);
	}
	for (size_t v = 0; v < voxels; v++) {
		float way_mm = (float)hunt->way_tenths[v] / 10;
		if (way_mm > 0 &&
		    isfinite(distance_mm(hunt, v, ball,
					 DOSIMETRY_MARK_DARK | DOSIMETRY_MARK_ARTEFACT, way_mm)) &&
		    !take(hunt, v))
			return false;
	}
	for (size_t n = 0; n < hunt->count; n++)
		lose(hunt->delta, hunt->found[n]);
	return true;
}

/* Is any of the 27 voxels around v, itself among them, so? */
static bool any_near(const struct hunt *hunt, size_t v,
		     bool (*is)(const struct hunt *hunt, size_t v))
{
	const struct grid *grid = &hunt->map->s0.grid;
	const int i = (int)(v % (size_t)grid->columns);
	const int j = (int)(v / (size_t)grid->columns % (size_t)grid->rows);
	const int k = (int)(v / (size_t)grid->columns / (size_t)grid->rows);
	for (int n = 0; n < 27; n++) {
		int x = i + n % 3 - 1, y = j + n / 3 % 3 - 1, z = k + n / 9 - 1;
		if (x >= 0 && x < grid->columns && y >= 0 && y < grid->rows && z >= 0 &&
		    z < grid->slices &&
		    is(hunt, ((size_t)z * (size_t)grid->rows + (size_t)y) * (size_t)grid->columns +
				 (size_t)x))
			return true;
	}
	return false;
}

static void lose_edges(const struct hunt *hunt)
{
	const size_t voxels = grid_voxels(&hunt->map->s0.grid);
	for (size_t v = 0; v < voxels; v++) {
		uint8_t state = hunt->delta->state[v];
		if ((state == R2STAR_S0_KNOWN || state == R2STAR_SATURATED) &&
		    any_near(hunt, v, was_dark))
			lose(hunt->delta, v);
	}
}

static enum status_code
hunt_in_liver(struct hunt *hunt, const struct dosimetry_baseline_map *baseline, struct status *st)
{
	const struct grid *grid = &hunt->liver->grid;
	struct ball ball = {.count = 0};
	double voxel_mm = fmax(grid_spacing_mm(grid, 0), grid_spacing_mm(grid, 1));
	if (ball_make(&ball, grid, WAY_MOST_MM, st) != STATUS_OK)
		return st->code;
	hunt->known = calloc(grid_voxels(grid), 1);
	hunt->way_tenths = calloc(grid_voxels(grid), 1);
	if (!hunt->known || !hunt->way_tenths || !find_all(hunt) ||
	    (hunt->count > 0 && !take_rim(hunt, &ball, baseline->rim_mm, voxel_mm)))
		(void)status_fail(st, STATUS_RETRY, "no memory for the artefact mask");
	ball_free(&ball);
	free(hunt->known);
	free(hunt->way_tenths);
	free(hunt->found);
	return st->code;
}

enum status_code dosimetry_find_moved_void(struct dosimetry_delta *delta,
					   const struct dosimetry_scan *scan,
					   const struct dosimetry_baseline_map *baseline,
					   const struct mask *liver, struct status *st)
{
	struct hunt hunt = {.delta = delta, .map = scan->map, .liver = liver};
	if (liver->coverage && hunt_in_liver(&hunt, baseline, st) != STATUS_OK)
		return st->code;
	lose_edges(&hunt);
	return STATUS_OK;
}
