#include "uncertainty.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SAME_GRID_MM 1e-3
#define LEAST_WEIGHT 0.5  /* of eight neighbours: resample.h */
#define MIXED_VOXELS 1.15 /* loss at edges, against that of linear interpolation: uncertainty.h */
#define PROBE_SD     3.0  /* how far the mean is probed, in standard deviations of the shift */

static size_t voxel_at(const struct grid *grid, int column, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns +
	       (size_t)column;
}

/* ---- weights of a mean ---- */

static enum status_code weights_new(struct uncertainty_weights *weights, const int first[3],
				    const int last[3], struct status *st)
{
	size_t voxels = 1;
	*weights = (struct uncertainty_weights){.weight = NULL};
	for (int a = 0; a < 3; a++) {
		weights->first[a] = first[a];
		weights->size[a] = last[a] < first[a] ? 0 : last[a] - first[a] + 1;
		voxels *= (size_t)weights->size[a];
	}
	if (voxels == 0)
		return STATUS_OK;
	weights->weight = calloc(voxels, sizeof *weights->weight);
	if (!weights->weight)
		return status_fail(st, STATUS_RETRY, "no memory for the weights of %zu voxels",
				   voxels);
	return STATUS_OK;
}

void uncertainty_weights_free(struct uncertainty_weights *weights)
{
	free(weights->weight);
	weights->weight = NULL;
}

static float *weight_row(const struct uncertainty_weights *weights, int row, int slice)
{
	return weights->weight +
	       ((size_t)slice * (size_t)weights->size[1] + (size_t)row) * (size_t)weights->size[0];
}

enum status_code uncertainty_weights_of_mask(struct uncertainty_weights *weights,
					     const struct mask *mask, const struct volume *values,
					     struct status *st)
{
	if (weights_new(weights, mask->first, mask->last, st) != STATUS_OK)
		return st->code;
	for (int k = 0; weights->weight && k < weights->size[2]; k++) {
		for (int j = 0; j < weights->size[1]; j++) {
			size_t from = voxel_at(&mask->grid, mask->first[0], mask->first[1] + j,
					       mask->first[2] + k);
			float *to = weight_row(weights, j, k);
			for (int i = 0; i < weights->size[0]; i++) {
				if (isnan(values->samples[from + (size_t)i]))
					continue;
				to[i] = mask->coverage[from + (size_t)i];
				weights->sum += (double)to[i];
			}
		}
	}
	return STATUS_OK;
}

/* The source's voxels that a box of the target can reach. */
static void find_reach(int first[3], int last[3], const struct uncertainty_weights *weights,
		       double matrix[3][3], const double offset[3], const int size[3])
{
	for (int a = 0; a < 3; a++) {
		double low = INFINITY, high = -INFINITY;
		for (int corner = 0; corner < 8; corner++) {
			double place = offset[a];
			for (int b = 0; b < 3; b++) {
				int at = weights->first[b] +
					 (corner >> b & 1 ? weights->size[b] - 1 : 0);
				place += matrix[a][b] * at;
			}
			low = fmin(low, place);
			high = fmax(high, place);
		}
		/* rounding must not lead out of it */
		first[a] = (int)fmin(fmax(floor(low - 1e-6), 0), size[a] - 1);
		last[a] = (int)fmin(fmax(floor(high + 1e-6) + 1, 0), size[a] - 1);
	}
}

/* deal_out() where all eight neighbours are there and measured, which is nearly everywhere; false
 * elsewhere. */
static bool deal_out_inside(struct uncertainty_weights *to, const struct volume *source,
			    const double place[3], double weight)
{
	const struct grid *grid = &source->grid;
	const size_t row = (size_t)grid->columns, slice = row * (size_t)grid->rows;
	const size_t to_row = (size_t)to->size[0], to_slice = to_row * (size_t)to->size[1];
	if (!(place[0] >= 0 && place[0] < grid->columns - 1 && place[1] >= 0 &&
	      place[1] < grid->rows - 1 && place[2] >= 0 && place[2] < grid->slices - 1))
		return false;
	const int low[3] = {(int)place[0], (int)place[1], (int)place[2]};
	const float *at = source->samples + voxel_at(grid, low[0], low[1], low[2]);
	/* NaN when any of them is */
	const float any = at[0] + at[1] + at[row] + at[row + 1] + at[slice] + at[slice + 1] +
			  at[slice + row] + at[slice + row + 1];
	if (isnan(any))
		return false;
	const double y = place[1] - low[1], z = place[2] - low[2];
	const double far = weight * (place[0] - low[0]), near = weight * (1 - (place[0] - low[0]));
	float *dealt =
	    weight_row(to, low[1] - to->first[1], low[2] - to->first[2]) + low[0] - to->first[0];
	dealt[0] += (float)(near * (1 - y) * (1 - z));
	dealt[1] += (float)(far * (1 - y) * (1 - z));
	if (y > 0) {
		dealt[to_row] += (float)(near * y * (1 - z));
		dealt[to_row + 1] += (float)(far * y * (1 - z));
	}
	if (z > 0) {
		dealt[to_slice] += (float)(near * (1 - y) * z);
		dealt[to_slice + 1] += (float)(far * (1 - y) * z);
	}
	if (y > 0 && z > 0) {
		dealt[to_slice + to_row] += (float)(near * y * z);
		dealt[to_slice + to_row + 1] += (float)(far * y * z);
	}
	to->sum += weight;
	return true;
}

/* Deals the weight of one interpolated value out to the voxels it came from. */
static void deal_out(struct uncertainty_weights *to, const struct volume *source,
		     const double place[3], double weight)
{
	const int size[3] = {source->grid.columns, source->grid.rows, source->grid.slices};
	int low[3];
	double part[3], shares[8], sum = 0;
	for (int a = 0; a < 3; a++) {
		double inside = fmin(fmax(place[a], 0), size[a] - 1);
		low[a] = (int)inside < size[a] - 1 ? (int)inside : size[a] - 1;
		part[a] = inside - low[a];
	}
	for (int corner = 0; corner < 8; corner++) {
		int at[3];
		shares[corner] = weight;
		for (int a = 0; a < 3; a++) {
			bool far = corner >> a & 1;
			at[a] = low[a] + (far && low[a] < size[a] - 1);
			shares[corner] *= far ? part[a] : 1 - part[a];
		}
		if (isnan(source->samples[voxel_at(&source->grid, at[0], at[1], at[2])]))
			shares[corner] = 0;
		sum += shares[corner];
	}
	if (!(sum >= (LEAST_WEIGHT - 1e-6) * weight))
		return;
	for (int corner = 0; corner < 8; corner++) {
		int at[3];
		for (int a = 0; a < 3; a++)
			at[a] = low[a] + ((corner >> a & 1) && low[a] < size[a] - 1) - to->first[a];
		if (shares[corner] > 0)
			weight_row(to, at[1], at[2])[at[0]] +=
			    (float)(shares[corner] * weight / sum);
	}
	to->sum += weight;
}

enum status_code uncertainty_weights_carry(struct uncertainty_weights *source_weights,
					   const struct volume *source,
					   const struct uncertainty_weights *weights,
					   const struct grid *grid, struct status *st)
{
	const int size[3] = {source->grid.columns, source->grid.rows, source->grid.slices};
	double matrix[3][3], offset[3];
	int first[3] = {0, 0, 0}, last[3] = {-1, -1, -1};
	grid_map(grid, &source->grid, matrix, offset);
	if (weights->weight)
		find_reach(first, last, weights, matrix, offset, size);
	if (weights_new(source_weights, first, last, st) != STATUS_OK)
		return st->code;
	for (int k = 0; weights->weight && k < weights->size[2]; k++) {
		for (int j = 0; j < weights->size[1]; j++) {
			const float *row = weight_row(weights, j, k);
			for (int i = 0; i < weights->size[0]; i++) {
				const int at[3] = {weights->first[0] + i, weights->first[1] + j,
						   weights->first[2] + k};
				double place[3];
				if (!(row[i] > 0))
					continue;
				for (int a = 0; a < 3; a++)
					place[a] = matrix[a][0] * at[0] + matrix[a][1] * at[1] +
						   matrix[a][2] * at[2] + offset[a];
				if (!deal_out_inside(source_weights, source, place, (double)row[i]))
					deal_out(source_weights, source, place, (double)row[i]);
			}
		}
	}
	return STATUS_OK;
}

double uncertainty_variance(const struct uncertainty_weights *weights,
			    const struct volume *standard_error)
{
	double sum = 0;
	for (int k = 0; weights->weight && k < weights->size[2]; k++) {
		for (int j = 0; j < weights->size[1]; j++) {
			const float *row = weight_row(weights, j, k);
			size_t from = voxel_at(&standard_error->grid, weights->first[0],
					       weights->first[1] + j, weights->first[2] + k);
			for (int i = 0; i < weights->size[0]; i++) {
				double part = (double)row[i] *
					      (double)standard_error->samples[from + (size_t)i];
				sum += row[i] > 0 && !isnan(part) ? part * part : 0;
			}
		}
	}
	if (!(weights->sum > 0))
		return NAN;
	return sum / (weights->sum * weights->sum);
}

/* ---- registration ---- */

/* Linear between two voxels; one that was not measured is left out while the other has at least
 * half of the weight. */
static double between(double near, double far, double part)
{
	if (isnan(near))
		return part >= LEAST_WEIGHT ? far : (double)NAN;
	if (isnan(far))
		return part <= 1 - LEAST_WEIGHT ? near : (double)NAN;
	return near + part * (far - near);
}

static int clamp(int at, int size)
{
	return at < 0 ? 0 : at >= size ? size - 1 : at;
}

/* Two maps that move together: dose_gy + scale * shifted. */
struct moving {
	const struct volume *dose_gy, *shifted;
	double scale;
};

static double value_at(const struct moving *maps, size_t voxel)
{
	double value = (double)maps->dose_gy->samples[voxel];
	if (maps->shifted)
		value += maps->scale * (double)maps->shifted->samples[voxel];
	return value;
}

/* Mean over the mask with both moved by so many voxels along an axis. */
static double mean_moved(const struct moving *maps, const struct mask *mask, int axis,
			 double voxels)
{
	const struct grid *grid = &mask->grid;
	int whole = (int)floor(voxels);
	double part = voxels - whole, sum = 0, weight = 0;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t rows[2];
			const float *coverage = mask->coverage + voxel_at(grid, 0, j, k);
			for (int e = 0; e < 2; e++)
				rows[e] = voxel_at(
				    grid, 0, clamp(axis == 1 ? j + whole + e : j, grid->rows),
				    clamp(axis == 2 ? k + whole + e : k, grid->slices));
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				if (!(coverage[i] > 0))
					continue;
				int at[2] = {i, i};
				for (int e = 0; e < 2 && axis == 0; e++)
					at[e] = clamp(i + whole + e, grid->columns);
				double near = value_at(maps, rows[0] + (size_t)at[0]);
				double far = value_at(maps, rows[1] + (size_t)at[1]);
				double value = near + part * (far - near);
				if (isnan(value))
					value = between(near, far, part);
				if (isnan(value))
					continue;
				sum += (double)coverage[i] * value;
				weight += (double)coverage[i];
			}
		}
	}
	if (!(weight > 0))
		return NAN;
	return sum / weight;
}

enum status_code uncertainty_registration(double *gy, const struct volume *dose_gy,
					  const struct volume *shifted, double scale,
					  const struct mask *mask, double residual_mm,
					  struct status *st)
{
	const double mean_size = sqrt(2 / acos(-1.0)); /* of a standard normal number */
	const struct moving maps = {dose_gy, shifted, scale};
	if (!grid_same(&dose_gy->grid, &mask->grid, SAME_GRID_MM) ||
	    (shifted && !grid_same(&shifted->grid, &mask->grid, SAME_GRID_MM)))
		return status_fail(st, STATUS_BUG, "uncertainty: dose and mask on other grids");
	double still = mean_moved(&maps, mask, 0, 0), spread = 0, bias = 0;
	*gy = isnan(still) || isnan(residual_mm) ? (double)NAN : 0;
	if (!(residual_mm > 0) || isnan(*gy))
		return STATUS_OK;
	for (int axis = 0; axis < 3; axis++) {
		double voxels =
		    PROBE_SD * residual_mm / sqrt(3.0) / grid_spacing_mm(&mask->grid, axis);
		double up = mean_moved(&maps, mask, axis, voxels) - still;
		double down = mean_moved(&maps, mask, axis, -voxels) - still;
		/* per standard deviation of the shift */
		double slope = (up - down) / 2 / PROBE_SD;
		double loss = MIXED_VOXELS * (up + down) / 2 / (PROBE_SD - mean_size);
		spread += slope * slope + (1 - mean_size * mean_size) * loss * loss;
		bias += mean_size * loss;
	}
	*gy = sqrt(spread + bias * bias);
	return STATUS_OK;
}

/* ---- together ---- */

void uncertainty_combine(struct uncertainty *uncertainty, double mean_gy,
			 const struct uncertainty_params *params)
{
	uncertainty->relaxivity_gy = fabs(mean_gy) * params->relaxivity_percent / 100;
	uncertainty->specific_activity_gy = fabs(mean_gy) * params->specific_activity_percent / 100;
	const double parts[] = {uncertainty->random_gy, uncertainty->registration_gy,
				uncertainty->relaxivity_gy, uncertainty->specific_activity_gy};
	double squares = 0;
	uncertainty->complete = true;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		uncertainty->complete = uncertainty->complete && !isnan(parts[i]);
		squares += isnan(parts[i]) ? 0 : parts[i] * parts[i];
	}
	uncertainty->combined_gy = isnan(uncertainty->random_gy) ? (double)NAN : sqrt(squares);
}
