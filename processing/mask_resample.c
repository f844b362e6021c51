#include "mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
			double at = offset[a] + matrix[a][0] * source[0] +
				    matrix[a][1] * source[1] + matrix[a][2] * source[2];

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

static const float *row_of(const struct mask *mask, int row, int slice)
{
	return mask->coverage +
	       ((size_t)slice * (size_t)mask->grid.rows + (size_t)row) * (size_t)mask->grid.columns;
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

/* Where both grids run along the same axes each target voxel is a box of source voxels: the share
 * of every source voxel along one axis, for a range of targets. */
struct shares {
	int *first;   /* source voxel of the first share, per target */
	float *share; /* `most` values per target, of the target's length; 0 where unused */
	int most;
};

static void shares_free(struct shares *shares)
{
	free(shares->first);
	free(shares->share);
}

static bool shares_new(struct shares *shares, double offset, double step, int first, int last,
		       int low, int high)
{
	size_t targets = (size_t)(last - first + 1);

	shares->most = (int)fmin(ceil(fabs(step)) + 1, high - low + 1);
	shares->first = malloc(targets * sizeof *shares->first);
	shares->share = calloc(targets * (size_t)shares->most, sizeof *shares->share);
	if (shares->first == NULL || shares->share == NULL)
		return false;
	for (int t = first; t <= last; t++) {
		double centre = offset + step * t + 0.5,
		       half = fabs(step) / 2; /* faces at whole numbers */
		int from =
		    (int)fmin(fmax(floor(centre - half + 1e-6), low), high + 1 - shares->most);

		shares->first[t - first] = from;
		for (int s = 0; s < shares->most; s++) {
			double left = fmax(centre - half, from + s);
			double right = fmin(centre + half, from + s + 1);

			if (right > left)
				shares->share[(size_t)(t - first) * (size_t)shares->most +
					      (size_t)s] = (float)((right - left) / (2 * half));
		}
	}
	return true;
}

static const float *shares_of(const struct shares *shares, int target)
{
	return shares->share + (size_t)target * (size_t)shares->most;
}

static float box_coverage(const struct mask *from, const struct shares shares[3], int i, int j,
			  int k)
{
	const float *x = shares_of(&shares[0], i), *y = shares_of(&shares[1], j);
	const float *z = shares_of(&shares[2], k);
	float sum = 0;

	for (int c = 0; c < shares[2].most; c++) {
		for (int b = 0; z[c] > 0 && b < shares[1].most; b++) {
			size_t row = (size_t)(shares[2].first[k] + c) * (size_t)from->grid.rows +
				     (size_t)(shares[1].first[j] + b);
			const float *at =
			    from->coverage + row * (size_t)from->grid.columns + shares[0].first[i];
			float along = 0;

			for (int a = 0; a < shares[0].most; a++)
				along += x[a] * at[a];
			sum += z[c] * y[b] * along;
		}
	}
	return sum;
}

static bool same_axes(double matrix[3][3], const struct grid *to)
{
	const int size[3] = {to->columns, to->rows, to->slices};

	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++) {
			if (a != b && !(fabs(matrix[a][b]) * size[b] <= 1e-3))
				return false;
		}
	}
	return true;
}

/* first..last: the targets to fill. */
static enum status_code resample_boxes(struct mask *to, const struct mask *from,
				       double matrix[3][3], const double offset[3],
				       const int first[3], const int last[3], struct status *st)
{
	struct shares shares[3] = {{.first = NULL}, {.first = NULL}, {.first = NULL}};
	bool room = true;

	for (int a = 0; a < 3; a++)
		room = room && shares_new(&shares[a], offset[a], matrix[a][a], first[a], last[a],
					  from->first[a], from->last[a]);
	for (int k = first[2]; room && k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			float *row =
			    to->coverage + ((size_t)k * (size_t)to->grid.rows + (size_t)j) *
					       (size_t)to->grid.columns;

			for (int i = first[0]; i <= last[0]; i++)
				row[i] = fminf(box_coverage(from, shares, i - first[0],
							    j - first[1], k - first[2]),
					       1);
		}
	}
	for (int a = 0; a < 3; a++)
		shares_free(&shares[a]);
	return room ? STATUS_OK : status_fail(st, STATUS_RETRY, "no memory to resample a mask");
}

static enum status_code resample_points(struct mask *to, const struct mask *from,
					double matrix[3][3], const double offset[3],
					const int first[3], const int last[3], int sub,
					struct status *st)
{
	const size_t n_points = (size_t)sub * (size_t)sub * (size_t)sub;
	double(*points)[3] = malloc(n_points * sizeof *points);

	if (points == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to resample a mask");
	spread_points(points, matrix, sub);
	for (int k = first[2]; k <= last[2]; k++) {
		for (int j = first[1]; j <= last[1]; j++) {
			float *row =
			    to->coverage + ((size_t)k * (size_t)to->grid.rows + (size_t)j) *
					       (size_t)to->grid.columns;

			for (int i = first[0]; i <= last[0]; i++) {
				double centre[3];

				for (int a = 0; a < 3; a++)
					centre[a] = offset[a] + matrix[a][0] * i +
						    matrix[a][1] * j + matrix[a][2] * k;
				row[i] = mean_coverage(from, centre, points, n_points);
			}
		}
	}
	free(points);
	return STATUS_OK;
}

enum status_code mask_resample(struct mask *to_mask, const struct grid *to, const struct mask *from,
			       int sub, struct status *st)
{
	struct mask result = MASK_INIT;
	double matrix[3][3], offset[3];
	int first[3] = {0, 0, 0}, last[3] = {-1, -1, -1};
	enum status_code code;

	if (strcmp(to->frame_of_reference, from->grid.frame_of_reference) != 0)
		return status_fail(st, STATUS_REFUSE,
				   "contours are in frame of reference %s, the images in %s",
				   from->grid.frame_of_reference, to->frame_of_reference);
	if (sub < 1 || sub > 32)
		return status_fail(st, STATUS_BUG, "a mask cannot be sampled %d-fold", sub);
	code = mask_new(&result, to, st);
	if (code != STATUS_OK)
		return code;
	if (from->last[2] >= from->first[2]) {
		grid_map(to, &from->grid, matrix, offset);
		target_box(from, to, first, last);
		if (first[0] > last[0] || first[1] > last[1] || first[2] > last[2])
			code = STATUS_OK; /* nothing of it is on this grid */
		else if (same_axes(matrix, to))
			code = resample_boxes(&result, from, matrix, offset, first, last, st);
		else
			code = resample_points(&result, from, matrix, offset, first, last, sub, st);
	}
	if (code == STATUS_OK) {
		mask_update_bounds_within(&result, first[1], last[1], first[2], last[2]);
		*to_mask = result;
	} else {
		mask_free(&result);
	}
	return code;
}
