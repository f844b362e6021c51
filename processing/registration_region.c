#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "registration_parts.h"

/* The region is a help, not a result: cells of this size are fine enough. */
static const double CELL_MM = 4;
static const float FAR_MM2 = 1e12F;

/* Marks the cells that hold covered voxels. */
static size_t mark(struct registration_region *region, const struct mask *mask, const int factor[3],
		   const int pad[3], float *square_mm2)
{
	const struct grid *grid = &mask->grid;
	size_t marked = 0;

	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t from =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			size_t to = ((size_t)((k - mask->first[2]) / factor[2] + pad[2]) *
					 (size_t)region->size[1] +
				     (size_t)((j - mask->first[1]) / factor[1] + pad[1])) *
				    (size_t)region->size[0];

			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				if (!(mask->coverage[from + (size_t)i] > 0))
					continue;
				square_mm2[to +
					   (size_t)((i - mask->first[0]) / factor[0] + pad[0])] = 0;
				marked++;
			}
		}
	}
	return marked;
}

/* Squared distance to the marked cells, one axis after the other: exact, and the reach is short.
 * lines: room for three lines. */
static void spread_along(float *square_mm2, float *lines, const int size[3], int axis,
			 double step_mm, double reach_mm)
{
	const size_t strides[3] = {1, (size_t)size[0], (size_t)size[0] * (size_t)size[1]};
	const int b = (axis + 1) % 3, c = (axis + 2) % 3, n = size[axis];
	const int reach = (int)(reach_mm / step_mm);
	float *restrict best = lines, *restrict line = lines + n; /* with FAR beyond its ends */

	for (int i = 0; i < reach; i++)
		line[i] = line[reach + n + i] = FAR_MM2;
	for (int v = 0; v < size[c]; v++) {
		for (int u = 0; u < size[b]; u++) {
			float *at = square_mm2 + (size_t)u * strides[b] + (size_t)v * strides[c];

			for (int i = 0; i < n; i++)
				line[reach + i] = best[i] = at[(size_t)i * strides[axis]];
			for (int d = -reach; d <= reach; d++) {
				const float more = (float)(d * step_mm * (d * step_mm));
				const float *restrict aside = line + reach + d;

				for (int i = 0; i < n; i++) {
					float there = aside[i] + more;

					best[i] = there < best[i] ? there : best[i];
				}
			}
			for (int i = 0; i < n; i++)
				at[(size_t)i * strides[axis]] = best[i];
		}
	}
}

enum status_code registration_region_new(struct registration_region *region,
					 const struct mask *mask, double margin_mm,
					 struct status *st)
{
	const struct grid *grid = &mask->grid;
	const double *steps_mm[3] = {grid->column_step_mm, grid->row_step_mm, grid->slice_step_mm};
	double *cell_steps_mm[3] = {region->cells.column_step_mm, region->cells.row_step_mm,
				    region->cells.slice_step_mm};
	int factor[3], pad[3], longest = 0;
	double cell_mm[3];
	float *square_mm2 = NULL, *lines = NULL;
	enum status_code code = STATUS_OK;
	size_t cells = 1;

	memset(region, 0, sizeof *region);
	region->cells = *grid;
	for (int a = 0; a < 3; a++) {
		double spacing_mm = grid_spacing_mm(grid, a);

		if (mask->last[a] < mask->first[a])
			return status_fail(st, STATUS_REFUSE,
					   "the region of the registration is empty");
		factor[a] = spacing_mm < CELL_MM ? (int)(CELL_MM / spacing_mm) : 1;
		cell_mm[a] = factor[a] * spacing_mm;
		pad[a] = (int)ceil(margin_mm / cell_mm[a]);
		region->size[a] =
		    (mask->last[a] - mask->first[a] + factor[a]) / factor[a] + 2 * pad[a];
		longest = region->size[a] > longest ? region->size[a] : longest;
		cells *= (size_t)region->size[a];
		for (int axis = 0; axis < 3; axis++) {
			double first = mask->first[a] + (factor[a] - 1) / 2.0 - factor[a] * pad[a];

			region->cells.origin_mm[axis] += first * steps_mm[a][axis];
			cell_steps_mm[a][axis] = factor[a] * steps_mm[a][axis];
		}
	}
	region->cells.columns = region->size[0];
	region->cells.rows = region->size[1];
	region->cells.slices = region->size[2];
	square_mm2 = malloc(cells * sizeof *square_mm2);
	lines =
	    malloc((size_t)3 * (size_t)longest * sizeof *lines); /* longer than twice the reach */
	region->inside = malloc(cells);
	if (square_mm2 == NULL || lines == NULL || region->inside == NULL) {
		code = status_fail(st, STATUS_RETRY, "no memory for the region of a registration");
		goto out;
	}
	for (size_t i = 0; i < cells; i++)
		square_mm2[i] = FAR_MM2;
	if (mark(region, mask, factor, pad, square_mm2) == 0) {
		code = status_fail(st, STATUS_REFUSE, "the region of the registration is empty");
		goto out;
	}
	for (int a = 0; a < 3; a++)
		spread_along(square_mm2, lines, region->size, a, cell_mm[a], margin_mm);
	for (size_t i = 0; i < cells; i++)
		region->inside[i] = square_mm2[i] <= (float)(margin_mm * margin_mm);
out:
	free(square_mm2);
	free(lines);
	if (code != STATUS_OK) {
		free(region->inside);
		region->inside = NULL;
	}
	return code;
}

bool registration_region_bounds(const struct registration_region *region, const struct grid *grid,
				double pad_mm, int first[3], int last[3])
{
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	double low[3] = {INFINITY, INFINITY, INFINITY};
	double high[3] = {-INFINITY, -INFINITY, -INFINITY};
	double matrix[3][3], offset[3];
	bool meets = true;

	grid_map(&region->cells, grid, matrix, offset);
	for (int corner = 0; corner < 8; corner++) {
		for (int a = 0; a < 3; a++) {
			double at = offset[a];

			for (int b = 0; b < 3; b++)
				at +=
				    matrix[a][b] * (corner & 1 << b ? region->size[b] - 0.5 : -0.5);
			low[a] = fmin(low[a], at);
			high[a] = fmax(high[a], at);
		}
	}
	for (int a = 0; a < 3; a++) {
		double pad = pad_mm / grid_spacing_mm(grid, a);

		first[a] = (int)fmin(fmax(floor(low[a] - pad), 0), size[a]);
		last[a] = (int)fmax(fmin(ceil(high[a] + pad), size[a] - 1), -1);
		meets = meets && first[a] <= last[a];
	}
	return meets;
}

bool registration_region_has(const struct registration_region *region, const double patient_mm[3])
{
	const int *size = region->size;
	double cell[3];

	if (region->inside == NULL)
		return true;
	grid_to_voxel(&region->cells, patient_mm, cell);
	for (int a = 0; a < 3; a++) {
		cell[a] += 0.5;
		if (!(cell[a] >= 0 && cell[a] < size[a]))
			return false;
	}
	return region
	    ->inside[((size_t)cell[2] * (size_t)size[1] + (size_t)cell[1]) * (size_t)size[0] +
		     (size_t)cell[0]];
}

struct cut {
	struct volume *volume;
	const struct registration_region *region;
	double matrix[3][3], offset[3];
};

static void cut_rows(void *user, size_t first, size_t last)
{
	const struct cut *cut = user;
	const struct grid *grid = &cut->volume->grid;
	const int *size = cut->region->size;

	for (size_t at = first; at < last; at++) {
		float *samples = cut->volume->samples + at * (size_t)grid->columns;
		double j = (double)(at % (size_t)grid->rows), k = (double)(at / (size_t)grid->rows);
		double start[3];

		for (int a = 0; a < 3; a++)
			start[a] =
			    cut->offset[a] + cut->matrix[a][1] * j + cut->matrix[a][2] * k + 0.5;
		for (int i = 0; i < grid->columns; i++) {
			double x = start[0] + cut->matrix[0][0] * i;
			double y = start[1] + cut->matrix[1][0] * i;
			double z = start[2] + cut->matrix[2][0] * i;

			if (!(x >= 0 && y >= 0 && z >= 0 && x < size[0] && y < size[1] &&
			      z < size[2]) ||
			    !cut->region->inside[((size_t)z * (size_t)size[1] + (size_t)y) *
						     (size_t)size[0] +
						 (size_t)x])
				samples[i] = NAN;
		}
	}
}

void registration_region_cut(struct volume *volume, const struct registration_region *region,
			     int threads)
{
	struct cut cut = {.volume = volume, .region = region};

	grid_map(&volume->grid, &region->cells, cut.matrix, cut.offset);
	parallel_for((size_t)volume->grid.rows * (size_t)volume->grid.slices, 64, threads, cut_rows,
		     &cut);
}
