#include "mask.h"

#include <math.h>
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

static const float *row_of(const struct mask *mask, int row, int slice)
{
	return mask->coverage +
	       ((size_t)slice * (size_t)mask->grid.rows + (size_t)row) * (size_t)mask->grid.columns;
}

void mask_update_bounds(struct mask *mask)
{
	int first[3] = {mask->grid.columns, mask->grid.rows, mask->grid.slices};
	int last[3] = {-1, -1, -1};

	for (int k = 0; k < mask->grid.slices; k++) {
		for (int j = 0; j < mask->grid.rows; j++) {
			const float *row = row_of(mask, j, k);
			int left = 0, right = mask->grid.columns - 1;

			while (left <= right && !(row[left] > 0))
				left++;
			while (right >= left && !(row[right] > 0))
				right--;
			if (left > right)
				continue;
			first[0] = left < first[0] ? left : first[0];
			last[0] = right > last[0] ? right : last[0];
			first[1] = j < first[1] ? j : first[1];
			last[1] = j > last[1] ? j : last[1];
			first[2] = k < first[2] ? k : first[2];
			last[2] = k;
		}
	}
	for (int a = 0; a < 3; a++) {
		mask->first[a] = last[a] < 0 ? 0 : first[a];
		mask->last[a] = last[a];
	}
}

/* Two masks made on one grid carry the very same numbers; this is the check against mixing grids. */
static const double SAME_GRID_MM = 1e-3;

enum status_code mask_subtract(struct mask *a, const struct mask *b, struct status *st)
{
	if (!grid_same(&a->grid, &b->grid, SAME_GRID_MM))
		return status_fail(st, STATUS_BUG, "masks of different grids were subtracted");
	for (int k = b->first[2]; k <= b->last[2]; k++) {
		for (int j = b->first[1]; j <= b->last[1]; j++) {
			size_t start = (size_t)(row_of(b, j, k) - b->coverage);

			for (int i = b->first[0]; i <= b->last[0]; i++) {
				float rest = a->coverage[start + (size_t)i] -
				             b->coverage[start + (size_t)i];

				a->coverage[start + (size_t)i] = rest > 0 ? rest : 0;
			}
		}
	}
	mask_update_bounds(a);
	return STATUS_OK;
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

	for (int k = a->first[2]; k <= a->last[2]; k++) {
		for (int j = a->first[1]; j <= a->last[1]; j++) {
			const float *row_a = row_of(a, j, k), *row_b = row_of(b, j, k);

			for (int i = a->first[0]; i <= a->last[0]; i++)
				sum += (double)(row_a[i] < row_b[i] ? row_a[i] : row_b[i]);
		}
	}
	return sum * grid_voxel_volume_ml(&a->grid);
}

/* The range of target voxels that can see the source's box: its corners, and one voxel around. */
static void target_box(const struct mask *from, const struct grid *to, int first[3], int last[3])
{
	const int size[3] = {to->columns, to->rows, to->slices};
	double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
	double matrix[3][3], offset[3];

	grid_map(&from->grid, to, matrix, offset);
	for (int corner = 0; corner < 8; corner++) {
		double source[3];

		for (int a = 0; a < 3; a++)
			source[a] = (corner >> a) & 1 ? from->last[a] + 0.5 : from->first[a] - 0.5;
		for (int a = 0; a < 3; a++) {
			double at = offset[a] + matrix[a][0] * source[0] + matrix[a][1] * source[1] +
			            matrix[a][2] * source[2];

			low[a] = fmin(low[a], at);
			high[a] = fmax(high[a], at);
		}
	}
	for (int a = 0; a < 3; a++) {
		first[a] = (int)fmin(fmax(floor(low[a]) - 1, 0), size[a]);
		last[a] = (int)fmax(fmin(ceil(high[a]) + 1, size[a] - 1), -1);
	}
}

/* Points of a target voxel, evenly inside it, in source voxels relative to the voxel's centre. */
static void spread_points(double (*points)[3], double matrix[3][3], int sub)
{
	size_t n = 0;

	for (int z = 0; z < sub; z++) {
		for (int y = 0; y < sub; y++) {
			for (int x = 0; x < sub; x++, n++) {
				double at[3] = {(x + 0.5) / sub - 0.5, (y + 0.5) / sub - 0.5,
				                (z + 0.5) / sub - 0.5};

				for (int a = 0; a < 3; a++)
					points[n][a] = matrix[a][0] * at[0] + matrix[a][1] * at[1] +
					               matrix[a][2] * at[2];
			}
		}
	}
}

static float mean_coverage(const struct mask *from, const double centre[3], double (*points)[3],
                           size_t n_points)
{
	float sum = 0;

	for (size_t p = 0; p < n_points; p++) {
		double x = centre[0] + points[p][0] + 0.5, y = centre[1] + points[p][1] + 0.5,
		       z = centre[2] + points[p][2] + 0.5;

		if (x >= from->first[0] && x < from->last[0] + 1 && y >= from->first[1] &&
		    y < from->last[1] + 1 && z >= from->first[2] && z < from->last[2] + 1)
			sum += row_of(from, (int)y, (int)z)[(int)x];
	}
	return sum / (float)n_points;
}

enum status_code mask_resample(struct mask *to_mask, const struct grid *to, const struct mask *from,
                               int sub, struct status *st)
{
	const size_t n_points = (size_t)sub * (size_t)sub * (size_t)sub;
	double matrix[3][3], offset[3];
	double (*points)[3];
	int first[3], last[3];

	if (strcmp(to->frame_of_reference, from->grid.frame_of_reference) != 0)
		return status_fail(st, STATUS_REFUSE,
		                   "contours are in frame of reference %s, the images in %s",
		                   from->grid.frame_of_reference, to->frame_of_reference);
	if (sub < 1 || sub > 32)
		return status_fail(st, STATUS_BUG, "a mask cannot be sampled %d-fold", sub);
	points = malloc(n_points * sizeof *points);
	if (points == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to resample a mask");
	if (mask_new(to_mask, to, st) != STATUS_OK) {
		free(points);
		return STATUS_RETRY;
	}
	grid_map(to, &from->grid, matrix, offset);
	spread_points(points, matrix, sub);
	target_box(from, to, first, last);
	for (int k = first[2]; k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			size_t start = ((size_t)k * (size_t)to->rows + (size_t)j) * (size_t)to->columns;

			for (int i = first[0]; i <= last[0]; i++) {
				double centre[3];

				for (int a = 0; a < 3; a++)
					centre[a] = offset[a] + matrix[a][0] * i + matrix[a][1] * j +
					            matrix[a][2] * k;
				to_mask->coverage[start + (size_t)i] =
				        mean_coverage(from, centre, points, n_points);
			}
		}
	}
	free(points);
	mask_update_bounds(to_mask);
	return STATUS_OK;
}
