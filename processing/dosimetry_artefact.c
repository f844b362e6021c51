/* dosimetry_artefact.c - what the baseline says about where a dose can be measured: the evaluated
 * region, and around it the dark and the artefact, as a scan sees them. */
#include "dosimetry_warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ball.h"
#include "parallel.h"

#define GRID_TOLERANCE_MM 1e-3
#define ROWS_PER_PIECE	  64
#define VOXELS_PER_PIECE  65536
#define RIM_MOST_MM	  20.0 /* an artefact farther from the dark has another cause */
#define HISTOGRAM_BINS	  2000 /* of 1 /s */

static size_t index_of(const struct grid *grid, int i, int j, int k)
{
	return ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns + (size_t)i;
}

/* ---- the evaluated region ---- */

static uint8_t judge_voxel(const struct r2star_map *map, size_t v, double least_s0,
			   double artefact_per_s)
{
	if (map->state[v] != R2STAR_FITTED || isnan(map->r2star_per_s.samples[v]) ||
	    !((double)map->s0.samples[v] >= least_s0))
		return DOSIMETRY_MARK_DARK;
	if ((double)map->r2star_per_s.samples[v] > artefact_per_s)
		return DOSIMETRY_MARK_ARTEFACT;
	if (map->quality && map->quality[v] & R2STAR_OSCILLATES)
		return DOSIMETRY_MARK_OSCILLATES;
	return 0;
}

/* Of the healthy liver; NaN where nothing of it is evaluated. */
static double median_native(const struct r2star_map *map, const uint8_t *marks,
			    const struct mask *healthy)
{
	size_t bins[HISTOGRAM_BINS] = {0}, count = 0, below = 0;
	const struct grid *grid = &map->r2star_per_s.grid;
	for (int k = healthy->first[2]; healthy->coverage && k <= healthy->last[2]; k++) {
		for (int j = healthy->first[1]; j <= healthy->last[1]; j++) {
			for (int i = healthy->first[0]; i <= healthy->last[0]; i++) {
				size_t v = index_of(grid, i, j, k);
				if (healthy->coverage[v] < 0.5F ||
				    marks[v] & (DOSIMETRY_MARK_DARK | DOSIMETRY_MARK_ARTEFACT))
					continue;
				double value = (double)map->r2star_per_s.samples[v];
				bins[(int)fmin(fmax(value, 0), HISTOGRAM_BINS - 1)]++;
				count++;
			}
		}
	}
	if (count == 0)
		return NAN;
	for (int bin = 0; bin < HISTOGRAM_BINS; bin++) {
		below += bins[bin];
		if (2 * below >= count)
			return bin + 0.5;
	}
	return NAN;
}

static bool touches(const struct mask *liver, int i, int j, int k)
{
	const struct grid *grid = &liver->grid;
	for (int n = 0; n < 7; n++) {
		static const int step[7][3] = {{0, 0, 0}, {-1, 0, 0}, {1, 0, 0}, {0, -1, 0},
					       {0, 1, 0}, {0, 0, -1}, {0, 0, 1}};
		int x = i + step[n][0], y = j + step[n][1], z = k + step[n][2];
		if (x >= 0 && x < grid->columns && y >= 0 && y < grid->rows && z >= 0 &&
		    z < grid->slices && liver->coverage[index_of(grid, x, y, z)] > 0)
			return true;
	}
	return false;
}

static void mark_voids(uint8_t *marks, const struct mask *liver)
{
	const struct grid *grid = &liver->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	int first[3], last[3];
	for (int a = 0; a < 3; a++) {
		first[a] = liver->first[a] > 0 ? liver->first[a] - 1 : 0;
		last[a] = liver->last[a] + 1 < size[a] ? liver->last[a] + 1 : size[a] - 1;
	}
	for (int k = first[2]; k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			for (int i = first[0]; i <= last[0]; i++) {
				size_t v = index_of(grid, i, j, k);
				if (marks[v] & DOSIMETRY_MARK_DARK && touches(liver, i, j, k))
					marks[v] |= DOSIMETRY_MARK_VOID;
			}
		}
	}
}

/* ---- the flank: R2* on its way up to artefact or void ---- */

struct flank {
	const struct r2star_map *map;
	uint8_t *marks;
	float above_per_s;
	size_t *waiting; /* voxels whose neighbours are still to be asked */
	size_t count, room;
};

static bool push(struct flank *flank, size_t v)
{
	if (flank->count == flank->room) {
		size_t room = flank->room ? 2 * flank->room : 4096;
		size_t *larger = realloc(flank->waiting, room * sizeof *larger);
		if (!larger)
			return false;
		flank->waiting = larger;
		flank->room = room;
	}
	flank->waiting[flank->count++] = v;
	return true;
}

static bool climb(struct flank *flank, size_t v)
{
	if (flank->marks[v] & (DOSIMETRY_MARK_DARK | DOSIMETRY_MARK_ARTEFACT) ||
	    !(flank->map->r2star_per_s.samples[v] > flank->above_per_s))
		return true;
	flank->marks[v] |= DOSIMETRY_MARK_ARTEFACT;
	return push(flank, v);
}

static bool climb_around(struct flank *flank, size_t v)
{
	const struct grid *grid = &flank->map->r2star_per_s.grid;
	const size_t row = (size_t)grid->columns, slice = row * (size_t)grid->rows;
	const size_t i = v % row, j = v / row % (size_t)grid->rows, k = v / slice;
	return (i == 0 || climb(flank, v - 1)) && (i + 1 == row || climb(flank, v + 1)) &&
	       (j == 0 || climb(flank, v - row)) &&
	       (j + 1 == (size_t)grid->rows || climb(flank, v + row)) &&
	       (k == 0 || climb(flank, v - slice)) &&
	       (k + 1 == (size_t)grid->slices || climb(flank, v + slice));
}

static enum status_code mark_flank(struct dosimetry_baseline_map *baseline,
				   const struct r2star_map *map, double artefact_per_s,
				   struct status *st)
{
	struct flank flank = {.map = map, .marks = baseline->marks};
	size_t voxels = grid_voxels(&map->r2star_per_s.grid);
	bool room = true;
	if (isnan(baseline->native_per_s) || !(artefact_per_s > baseline->native_per_s))
		return STATUS_OK;
	flank.above_per_s = (float)((baseline->native_per_s + artefact_per_s) / 2);
	/* later seeds ask what earlier ones marked once more, and find it marked */
	for (size_t v = 0; room && v < voxels; v++) {
		if (!(flank.marks[v] & (DOSIMETRY_MARK_ARTEFACT | DOSIMETRY_MARK_VOID)))
			continue;
		room = climb_around(&flank, v);
		while (room && flank.count > 0)
			room = climb_around(&flank, flank.waiting[--flank.count]);
	}
	free(flank.waiting);
	return room ? STATUS_OK : status_fail(st, STATUS_RETRY, "no memory for the artefact mask");
}

/* How far from the dark the artefact of the liver reaches, mm. */
static enum status_code measure_rim(struct dosimetry_baseline_map *baseline,
				    const struct mask *liver, struct status *st)
{
	const struct grid *grid = &liver->grid;
	struct ball ball;
	float rim_mm = 0;
	if (ball_make(&ball, grid, RIM_MOST_MM, st) != STATUS_OK)
		return st->code;
	for (int k = liver->first[2]; k <= liver->last[2]; k++) {
		for (int j = liver->first[1]; j <= liver->last[1]; j++) {
			for (int i = liver->first[0]; i <= liver->last[0]; i++) {
				size_t v = index_of(grid, i, j, k);
				if (!(baseline->marks[v] & DOSIMETRY_MARK_ARTEFACT) ||
				    !(liver->coverage[v] > 0))
					continue;
				for (size_t s = 0; s < ball.count; s++) {
					int x = i + ball.steps[s].by[0];
					int y = j + ball.steps[s].by[1];
					int z = k + ball.steps[s].by[2];
					if (x < 0 || x >= grid->columns || y < 0 ||
					    y >= grid->rows || z < 0 || z >= grid->slices ||
					    !(baseline->marks[index_of(grid, x, y, z)] &
					      DOSIMETRY_MARK_DARK))
						continue;
					if (ball.steps[s].distance_mm > rim_mm)
						rim_mm = ball.steps[s].distance_mm;
					break;
				}
			}
		}
	}
	baseline->rim_mm = (double)rim_mm;
	ball_free(&ball);
	return STATUS_OK;
}

/* ---- all voxels of the baseline, some at a time ---- */

struct evaluation {
	struct dosimetry_baseline_map *baseline;
	const struct r2star_map *map;
	double least_s0, artefact_per_s;
	float *s0; /* of what is evaluated */
	struct kept {
		size_t evaluated, artefact;
	} * kept; /* voxels per range */
};

static void judge_some(void *user, size_t first, size_t last)
{
	const struct evaluation *e = user;
	for (size_t v = first; v < last; v++)
		e->baseline->marks[v] = judge_voxel(e->map, v, e->least_s0, e->artefact_per_s);
}

static void keep_some(void *user, size_t first, size_t last)
{
	const struct evaluation *e = user;
	const struct r2star_map *map = e->map;
	struct kept *kept = &e->kept[first / VOXELS_PER_PIECE];
	for (size_t v = first; v < last; v++) {
		const uint8_t marks = e->baseline->marks[v];
		const bool evaluated = !(marks & (DOSIMETRY_MARK_DARK | DOSIMETRY_MARK_ARTEFACT));
		kept->artefact += (marks & DOSIMETRY_MARK_ARTEFACT) != 0;
		kept->evaluated += evaluated;
		e->baseline->r2star_per_s.samples[v] =
		    evaluated ? map->r2star_per_s.samples[v] : NAN;
		e->s0[v] = evaluated ? map->s0.samples[v] : NAN;
		e->baseline->stderr_per_s.samples[v] =
		    evaluated ? map->stderr_per_s.samples[v] : NAN;
	}
}

static enum status_code keep_evaluated(struct evaluation *e, int threads, struct status *st)
{
	struct dosimetry_baseline_map *baseline = e->baseline;
	const struct grid *grid = &e->map->r2star_per_s.grid;
	const size_t voxels = grid_voxels(grid), ranges = voxels / VOXELS_PER_PIECE + 1;
	struct volume s0 = {.grid = *grid, .samples = malloc(voxels * sizeof *s0.samples)};
	const struct volume *const together[] = {&baseline->r2star_per_s, &s0,
						 &baseline->stderr_per_s};
	size_t evaluated = 0, artefact = 0;
	e->s0 = s0.samples;
	e->kept = calloc(ranges, sizeof *e->kept);
	if (!e->s0 || !e->kept) {
		(void)status_fail(st, STATUS_RETRY, "no memory for %zu voxels of the baseline",
				  voxels);
		goto out;
	}
	parallel_for(voxels, VOXELS_PER_PIECE, threads, keep_some, e);
	for (size_t n = 0; n < ranges; n++) {
		evaluated += e->kept[n].evaluated;
		artefact += e->kept[n].artefact;
	}
	baseline->evaluated_ml = (double)evaluated * grid_voxel_volume_ml(grid);
	baseline->artefact_ml = (double)artefact * grid_voxel_volume_ml(grid);
	(void)!resample_packed_new(&baseline->packed, together, st);
out:
	free(e->kept);
	volume_free(&s0);
	return st->code;
}

enum status_code dosimetry_evaluate_baseline(struct dosimetry_baseline_map *baseline,
					     const struct dosimetry_regions *regions,
					     const struct dosimetry_input *input,
					     const struct dosimetry_params *params,
					     struct status *st)
{
	const struct r2star_map *map = input->baseline.map;
	const struct grid *grid = &map->r2star_per_s.grid;
	struct evaluation evaluation = {
	    .baseline = baseline,
	    .map = map,
	    .least_s0 = params->body_snr * map->sigma,
	    .artefact_per_s = params->artefact_r2star_per_s,
	};
	size_t voxels = grid_voxels(grid);
	baseline->marks = malloc(voxels);
	baseline->r2star_per_s.grid = baseline->stderr_per_s.grid = *grid;
	baseline->r2star_per_s.samples = malloc(voxels * sizeof(float));
	baseline->stderr_per_s.samples = malloc(voxels * sizeof(float));
	if (!baseline->marks || !baseline->r2star_per_s.samples || !baseline->stderr_per_s.samples)
		return status_fail(st, STATUS_RETRY, "no memory for %zu voxels of the baseline",
				   voxels);
	parallel_for(voxels, VOXELS_PER_PIECE, params->threads, judge_some, &evaluation);
	baseline->sigma = map->sigma;
	baseline->native_per_s = median_native(map, baseline->marks, &regions->healthy);
	if (regions->liver.coverage) {
		mark_voids(baseline->marks, &regions->liver);
		if (mark_flank(baseline, map, params->artefact_r2star_per_s, st) != STATUS_OK ||
		    measure_rim(baseline, &regions->liver, st) != STATUS_OK)
			return st->code;
	}
	if (keep_evaluated(&evaluation, params->threads, st) != STATUS_OK)
		return st->code;
	if (!(baseline->evaluated_ml > 0))
		return status_fail(
		    st, STATUS_REFUSE,
		    "baseline: no voxel has a signal of %g times the noise and R2* up to %g /s",
		    params->body_snr, params->artefact_r2star_per_s);
	return STATUS_OK;
}

void dosimetry_baseline_map_free(struct dosimetry_baseline_map *baseline)
{
	volume_free(&baseline->r2star_per_s);
	resample_packed_free(&baseline->packed);
	volume_free(&baseline->stderr_per_s);
	free(baseline->marks);
	baseline->marks = NULL;
}

/* ---- as a scan sees it ---- */

static const uint8_t GROWS = DOSIMETRY_MARK_ARTEFACT | DOSIMETRY_MARK_VOID;

/* From a voxel inside nothing new is reached that the surface does not reach. */
static bool on_surface(const uint8_t *marks, const struct grid *grid, int i, int j, int k)
{
	size_t v = index_of(grid, i, j, k), row = (size_t)grid->columns,
	       slice = row * (size_t)grid->rows;
	return (i > 0 && !(marks[v - 1] & GROWS)) ||
	       (i + 1 < grid->columns && !(marks[v + 1] & GROWS)) ||
	       (j > 0 && !(marks[v - row] & GROWS)) ||
	       (j + 1 < grid->rows && !(marks[v + row] & GROWS)) ||
	       (k > 0 && !(marks[v - slice] & GROWS)) ||
	       (k + 1 < grid->slices && !(marks[v + slice] & GROWS));
}

/* Dark stays dark: what grows is what must not be believed. */
static void stamp(uint8_t *grown, const struct grid *grid, const struct ball *ball, int i, int j,
		  int k)
{
	for (size_t s = 0; s < ball->count; s++) {
		int x = i + ball->steps[s].by[0], y = j + ball->steps[s].by[1],
		    z = k + ball->steps[s].by[2];
		if (x < 0 || x >= grid->columns || y < 0 || y >= grid->rows || z < 0 ||
		    z >= grid->slices)
			continue;
		size_t v = index_of(grid, x, y, z);
		if (!(grown[v] & DOSIMETRY_MARK_DARK))
			grown[v] |= DOSIMETRY_MARK_ARTEFACT;
	}
}

/* *grown: NULL where the residual reaches no neighbour. */
static enum status_code grow_marks(uint8_t **grown, const struct dosimetry_baseline_map *baseline,
				   double residual_mm, struct status *st)
{
	const struct grid *grid = &baseline->r2star_per_s.grid;
	size_t voxels = grid_voxels(grid);
	struct ball ball = {.count = 0};
	*grown = NULL;
	if (!(residual_mm > 0) || !isfinite(residual_mm))
		return STATUS_OK;
	if (ball_make(&ball, grid, fmin(residual_mm, RIM_MOST_MM), st) != STATUS_OK)
		return st->code;
	if (ball.count <= 1)
		goto out;
	*grown = malloc(voxels);
	if (!*grown) {
		(void)status_fail(st, STATUS_RETRY, "no memory for the artefact mask");
		goto out;
	}
	memcpy(*grown, baseline->marks, voxels);
	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j++) {
			for (int i = 0; i < grid->columns; i++) {
				if (baseline->marks[index_of(grid, i, j, k)] & GROWS &&
				    on_surface(baseline->marks, grid, i, j, k))
					stamp(*grown, grid, &ball, i, j, k);
			}
		}
	}
out:
	ball_free(&ball);
	return st->code;
}

struct carrying {
	uint8_t *to;
	const uint8_t *from;
	const struct grid *scan, *baseline;
	double matrix[3][3], offset[3]; /* scan voxel -> baseline voxel */
};

static void carry_rows(void *user, size_t first, size_t last)
{
	const struct carrying *carrying = user;
	const struct grid *grid = carrying->baseline;
	const double columns = grid->columns, rows = grid->rows, slices = grid->slices;
	for (size_t row = first; row < last; row++) {
		double j = (double)(row % (size_t)carrying->scan->rows);
		double k = (double)(row / (size_t)carrying->scan->rows);
		uint8_t *to = carrying->to + row * (size_t)carrying->scan->columns;
		double start[3];
		for (int a = 0; a < 3; a++)
			start[a] = carrying->offset[a] + carrying->matrix[a][1] * j +
				   carrying->matrix[a][2] * k + 0.5;
		for (int i = 0; i < carrying->scan->columns; i++) {
			double x = start[0] + i * carrying->matrix[0][0];
			double y = start[1] + i * carrying->matrix[1][0];
			double z = start[2] + i * carrying->matrix[2][0];
			bool inside =
			    x >= 0 && x < columns && y >= 0 && y < rows && z >= 0 && z < slices;
			to[i] = inside ? carrying->from[index_of(grid, (int)x, (int)y, (int)z)]
				       : DOSIMETRY_MARK_OUTSIDE;
		}
	}
}

enum status_code dosimetry_carry_marks(uint8_t *marks,
				       const struct dosimetry_baseline_map *baseline,
				       const struct dosimetry_scan *scan,
				       const struct dosimetry_input *input, int threads,
				       struct status *st)
{
	const struct grid *grid = &scan->map->r2star_per_s.grid;
	struct carrying carrying = {.scan = grid, .baseline = &baseline->r2star_per_s.grid};
	struct grid moved;
	uint8_t *grown = NULL;
	if (grow_marks(&grown, baseline, scan->residual_mm, st) != STATUS_OK)
		goto out;
	dosimetry_move_to_baseline(&moved, scan, input);
	carrying.to = marks;
	carrying.from = grown ? grown : baseline->marks;
	if (scan->deformation) {
		dosimetry_warp_marks(marks, carrying.from, carrying.baseline, scan, threads);
	} else if (grid_same(&moved, carrying.baseline, GRID_TOLERANCE_MM)) {
		memcpy(marks, carrying.from, grid_voxels(grid));
	} else {
		grid_map(&moved, carrying.baseline, carrying.matrix, carrying.offset);
		parallel_for((size_t)grid->rows * (size_t)grid->slices, ROWS_PER_PIECE, threads,
			     carry_rows, &carrying);
	}
out:
	free(grown);
	return st->code;
}
