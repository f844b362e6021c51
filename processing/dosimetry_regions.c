/* dosimetry_regions.c - the regions of recovery as a scan's grid sees them. */
#include "dosimetry_warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

#define GRID_TOLERANCE_MM 1e-3
#define STRETCH		  16
#define MOST_REGIONS	  (DOSIMETRY_MAX_VOIS + 2) /* liver, its healthy rest, parts */

/* Masks of the result grid on their way to the scan's grid, all by the same points. */
struct carrying {
	const struct mask *from[MOST_REGIONS];
	struct mask *to[MOST_REGIONS];
	int count;
	double matrix[3][3], offset[3]; /* scan voxel -> result voxel */
	int first[3], last[3];		/* scan voxels that can see anything */
	int sub;
	struct run *runs; /* per mask and row of the result grid; owned */
};

/* What is simple about a row of a mask: the columns that are covered at all, and the longest run of
 * whole ones. Empty: last < first. */
struct run {
	int first, last, first_whole, last_whole;
};

/* Points per voxel and axis when a result-grid mask is looked up on the scan grid: two per voxel of
 * the finer one. */
static int subsamples(const struct grid *scan_grid, const struct grid *result_grid)
{
	double coarser = 1;
	for (int axis = 0; axis < 3; axis++)
		coarser = fmax(coarser, grid_spacing_mm(scan_grid, axis) /
					    grid_spacing_mm(result_grid, axis));
	int sub = 2 * (int)ceil(coarser / 2 - 1e-6);
	return sub > 8 ? 8 : sub;
}

/* The scan voxels that the masks' boxes can reach. */
static void find_box(struct carrying *carrying, const struct grid *moved, const struct grid *scan)
{
	const int size[3] = {scan->columns, scan->rows, scan->slices};
	double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
	double matrix[3][3], offset[3];
	grid_map(moved, scan, matrix, offset);
	for (int m = 0; m < carrying->count; m++) {
		const struct mask *from = carrying->from[m];
		for (int corner = 0; corner < 8 && from->last[2] >= from->first[2]; corner++) {
			double at[3];
			for (int a = 0; a < 3; a++)
				at[a] =
				    corner >> a & 1 ? from->last[a] + 0.5 : from->first[a] - 0.5;
			for (int a = 0; a < 3; a++) {
				double place = offset[a] + matrix[a][0] * at[0] +
					       matrix[a][1] * at[1] + matrix[a][2] * at[2];
				low[a] = fmin(low[a], place);
				high[a] = fmax(high[a], place);
			}
		}
	}
	for (int a = 0; a < 3; a++) {
		carrying->first[a] = (int)fmin(fmax(floor(low[a]) - 1, 0), size[a]);
		carrying->last[a] = (int)fmax(fmin(ceil(high[a]) + 1, size[a] - 1), -1);
	}
}

/* A stretch of a row of the scan, at one point of its voxels: where that point falls in the result
 * grid, -1 outside. */
static void find_places(ptrdiff_t *place, const struct carrying *carrying, const int from[3],
			int count, const double point[3])
{
	const struct grid *grid = &carrying->from[0]->grid;
	const double columns = grid->columns, rows = grid->rows, slices = grid->slices;
	double start[3];
	for (int a = 0; a < 3; a++) {
		start[a] = carrying->offset[a] + 0.5;
		for (int b = 0; b < 3; b++)
			start[a] += carrying->matrix[a][b] * (from[b] + point[b]);
	}
	for (int i = 0; i < count; i++) {
		double x = start[0] + i * carrying->matrix[0][0];
		double y = start[1] + i * carrying->matrix[1][0];
		double z = start[2] + i * carrying->matrix[2][0];
		bool inside = x >= 0 && x < columns && y >= 0 && y < rows && z >= 0 && z < slices;
		place[i] = inside
			       ? ((ptrdiff_t)(int)z * grid->rows + (int)y) * grid->columns + (int)x
			       : -1;
	}
}

static struct run find_run(const float *row, int columns)
{
	struct run run = {0, -1, 0, -1};
	int whole = 0; /* length of the run of ones that ends here */
	for (int i = 0; i < columns; i++) {
		whole = row[i] == 1 ? whole + 1 : 0;
		if (whole > run.last_whole - run.first_whole + 1) {
			run.first_whole = (i - whole + 1);
			run.last_whole = i;
		}
		if (!(row[i] > 0))
			continue;
		if (run.last < run.first)
			run.first = i;
		run.last = i;
	}
	return run;
}

static void find_runs(void *user, size_t first, size_t last)
{
	const struct carrying *carrying = user;
	const struct grid *grid = &carrying->from[0]->grid;
	const size_t rows = (size_t)grid->rows * (size_t)grid->slices;
	for (size_t n = first; n < last; n++) {
		const struct mask *from = carrying->from[n / rows];
		const int j = (int)(n % rows % (size_t)grid->rows);
		const int k = (int)(n % rows / (size_t)grid->rows);
		carrying->runs[n] = (struct run){0, -1, 0, -1};
		if (j >= from->first[1] && j <= from->last[1] && k >= from->first[2] &&
		    k <= from->last[2])
			carrying->runs[n] = find_run(
			    from->coverage + n % rows * (size_t)grid->columns, grid->columns);
	}
}

/* The box of result voxels that a stretch of scan voxels touches; false when it leaves the grid. */
static bool find_touched(int low[3], int high[3], const struct carrying *carrying,
			 const int from[3], int count)
{
	const struct grid *grid = &carrying->from[0]->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	for (int a = 0; a < 3; a++) {
		const double *m = carrying->matrix[a];
		double start =
		    carrying->offset[a] + 0.5 + m[0] * from[0] + m[1] * from[1] + m[2] * from[2];
		double end = start + m[0] * (count - 1);
		double half = (fabs(m[0]) + fabs(m[1]) + fabs(m[2])) / 2;
		double least = fmin(start, end) - half, most = fmax(start, end) + half;
		if (!(least >= 0 && most < size[a]))
			return false;
		low[a] = (int)least;
		high[a] = (int)most;
	}
	return true;
}

/* The same coverage, 0 or 1, in all of a box? Else -1. */
static int find_uniform(const struct carrying *carrying, int m, const int low[3], const int high[3])
{
	const struct grid *grid = &carrying->from[0]->grid;
	const struct run *runs =
	    carrying->runs + (size_t)m * (size_t)grid->rows * (size_t)grid->slices;
	bool none = true, whole = true;
	for (int k = low[2]; k <= high[2] && (none || whole); k++) {
		for (int j = low[1]; j <= high[1]; j++) {
			const struct run *run = &runs[(size_t)k * (size_t)grid->rows + (size_t)j];
			none = none && (run->first > high[0] || run->last < low[0]);
			whole = whole && run->first_whole <= low[0] && run->last_whole >= high[0];
		}
	}
	return none ? 0 : whole ? 1 : -1;
}

static void carry_stretch(const struct carrying *carrying, const int from[3], int count)
{
	const int sub = carrying->sub;
	const struct grid *grid = &carrying->to[0]->grid;
	const size_t start =
	    ((size_t)from[2] * (size_t)grid->rows + (size_t)from[1]) * (size_t)grid->columns +
	    (size_t)from[0];
	const float share = 1.0F / (float)(sub * sub * sub);
	ptrdiff_t place[STRETCH];
	int low[3], high[3], mixed[MOST_REGIONS], n_mixed = 0;
	bool inside = find_touched(low, high, carrying, from, count);
	for (int m = 0; m < carrying->count; m++) {
		int uniform = inside ? find_uniform(carrying, m, low, high) : -1;
		if (uniform < 0)
			mixed[n_mixed++] = m;
		for (int i = 0; i < count && uniform > 0; i++)
			carrying->to[m]->coverage[start + (size_t)i] = 1;
	}
	for (int p = 0; p < sub * sub * sub && n_mixed > 0; p++) {
		const double point[3] = {(p % sub + 0.5) / sub - 0.5,
					 (p / sub % sub + 0.5) / sub - 0.5,
					 (p / sub / sub + 0.5) / sub - 0.5};
		find_places(place, carrying, from, count, point);
		for (int n = 0; n < n_mixed; n++) {
			const float *coverage = carrying->from[mixed[n]]->coverage;
			float *to = carrying->to[mixed[n]]->coverage + start;
			for (int i = 0; i < count; i++)
				to[i] += place[i] >= 0 ? share * coverage[place[i]] : 0;
		}
	}
}

/* A row is written before it is read and added to: a page of fresh memory that is read first is
 * mapped twice. */
static void clear_row(const struct carrying *carrying, int row, int slice)
{
	const struct grid *grid = &carrying->to[0]->grid;
	const size_t start =
	    ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns;
	for (int m = 0; m < carrying->count; m++)
		memset(carrying->to[m]->coverage + start, 0, (size_t)grid->columns * sizeof(float));
}

static void carry_slices(void *user, size_t first, size_t last)
{
	const struct carrying *carrying = user;
	for (size_t k = first; k < last; k++) {
		for (int j = carrying->first[1]; j <= carrying->last[1]; j++) {
			clear_row(carrying, j, carrying->first[2] + (int)k);
			for (int i = carrying->first[0]; i <= carrying->last[0]; i += STRETCH) {
				const int from[3] = {i, j, carrying->first[2] + (int)k};
				int left = carrying->last[0] - i + 1;
				carry_stretch(carrying, from, left < STRETCH ? left : STRETCH);
			}
		}
	}
}

/* What was made for a scan before is used again where it fits. */
static enum status_code make_empty(struct mask *mask, const struct grid *grid, struct status *st)
{
	if (!mask->coverage || grid_voxels(&mask->grid) != grid_voxels(grid)) {
		mask_free(mask);
		return mask_new(mask, grid, st);
	}
	mask_clear(mask);
	mask->grid = *grid;
	return STATUS_OK;
}

/* Grids turned against each other: each scan voxel is sampled at sub^3 points, all masks at once.
 */
static enum status_code carry_turned(struct carrying *carrying, const struct grid *moved,
				     const struct grid *scan, int threads, struct status *st)
{
	for (int m = 0; m < carrying->count; m++) {
		if (make_empty(carrying->to[m], scan, st) != STATUS_OK)
			return st->code;
	}
	const size_t rows = (size_t)moved->rows * (size_t)moved->slices * (size_t)carrying->count;
	carrying->runs = malloc(rows * sizeof *carrying->runs);
	if (!carrying->runs)
		return status_fail(st, STATUS_RETRY, "no memory for the rows of %d masks",
				   carrying->count);
	parallel_for(rows, 256, threads, find_runs, carrying);
	grid_map(scan, moved, carrying->matrix, carrying->offset);
	find_box(carrying, moved, scan);
	carrying->sub = subsamples(scan, moved);
	if (carrying->first[0] <= carrying->last[0] && carrying->first[1] <= carrying->last[1] &&
	    carrying->first[2] <= carrying->last[2])
		parallel_for((size_t)(carrying->last[2] - carrying->first[2] + 1), 1, threads,
			     carry_slices, carrying);
	for (int m = 0; m < carrying->count; m++)
		mask_update_bounds_within(carrying->to[m], carrying->first[1], carrying->last[1],
					  carrying->first[2], carrying->last[2]);
	free(carrying->runs);
	return STATUS_OK;
}

static bool side_by_side(const struct grid *moved, const struct grid *scan)
{
	const int size[3] = {scan->columns, scan->rows, scan->slices};
	double matrix[3][3], offset[3];
	grid_map(scan, moved, matrix, offset);
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++) {
			if (a != b && !(fabs(matrix[a][b]) * size[b] <= 1e-3))
				return false;
		}
	}
	return true;
}

static enum status_code carry_warped(struct carrying *carrying,
				     const struct dosimetry_regions *regions,
				     const struct dosimetry_scan *scan,
				     const struct dosimetry_input *input, int threads,
				     struct status *st)
{
	for (int m = 0; m < carrying->count; m++) {
		if (make_empty(carrying->to[m], &regions->grid, st) != STATUS_OK)
			return st->code;
	}
	dosimetry_warp_masks(carrying->to, carrying->from, carrying->count,
			     subsamples(&regions->grid, &regions->moved), scan, input, threads);
	return STATUS_OK;
}

static enum status_code carry(struct carrying *carrying, const struct dosimetry_regions *regions,
			      const struct dosimetry_scan *scan,
			      const struct dosimetry_input *input, int threads, struct status *st)
{
	bool same = grid_same(&regions->moved, &regions->grid, GRID_TOLERANCE_MM);
	if (carrying->count == 0)
		return STATUS_OK;
	if (scan->deformation)
		return carry_warped(carrying, regions, scan, input, threads, st);
	if (!same && !side_by_side(&regions->moved, &regions->grid))
		return carry_turned(carrying, &regions->moved, &regions->grid, threads, st);
	for (int m = 0; m < carrying->count; m++) {
		struct mask moved = *carrying->from[m]; /* the coverage is borrowed */
		moved.grid = regions->moved;
		mask_free(carrying->to[m]);
		if (same ? mask_copy(carrying->to[m], carrying->from[m], st) != STATUS_OK
			 : mask_resample(carrying->to[m], &regions->grid, &moved, 1, st) !=
			       STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* Each part joined with its tumours, result grid. */
static enum status_code join_part(struct mask *joined, int part, const struct dosimetry_plan *plan,
				  const struct dosimetry_input *input, struct status *st)
{
	if (mask_copy(joined, input->vois[part].mask, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < input->n_vois; i++) {
		if (input->vois[i].role == VOI_TUMOUR && plan->part_of[i] == part)
			mask_join(joined, input->vois[i].mask, false);
	}
	return STATUS_OK;
}

enum status_code dosimetry_regions_make(struct dosimetry_regions *regions,
					const struct dosimetry_scan *scan,
					const struct dosimetry_plan *plan,
					const struct dosimetry_input *input,
					const struct dosimetry_params *params, struct status *st)
{
	struct grid moved;
	dosimetry_move_grid(&moved, input->result_grid, scan);
	if (regions->made && !regions->warped && !scan->deformation &&
	    grid_same(&regions->grid, &scan->map->r2star_per_s.grid, GRID_TOLERANCE_MM) &&
	    grid_same(&regions->moved, &moved, GRID_TOLERANCE_MM))
		return STATUS_OK;

	struct mask joined[DOSIMETRY_MAX_VOIS];
	struct carrying carrying = {.count = 0};
	memset(joined, 0, sizeof joined);
	regions->made = false;
	regions->grid = scan->map->r2star_per_s.grid;
	regions->moved = moved;
	regions->warped = scan->deformation != NULL;
	if (plan->liver >= 0) {
		carrying.from[0] = &plan->liver_with_tumours;
		carrying.to[0] = &regions->liver;
		carrying.from[1] = &plan->healthy[0];
		carrying.to[1] = &regions->healthy;
		carrying.count = 2;
	}
	for (int i = 0; i < input->n_vois; i++) {
		if (input->vois[i].role != VOI_PART)
			continue;
		if (join_part(&joined[i], i, plan, input, st) != STATUS_OK)
			goto out;
		carrying.from[carrying.count] = &joined[i];
		carrying.to[carrying.count] = &regions->part[i];
		carrying.count++;
	}
	if (carry(&carrying, regions, scan, input, params->threads, st) == STATUS_OK)
		regions->made = true;
out:
	for (int i = 0; i < input->n_vois; i++)
		mask_free(&joined[i]);
	return st->code;
}

void dosimetry_regions_free(struct dosimetry_regions *regions)
{
	mask_free(&regions->liver);
	mask_free(&regions->healthy);
	for (int i = 0; i < DOSIMETRY_MAX_VOIS; i++)
		mask_free(&regions->part[i]);
	regions->made = false;
}
