#include "kernel_parts.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_set.h"

#define LEAST_SPACING_MM   0.5
#define MOST_SPACING_MM	   20.0
#define DIRECTIONS	   48 /* per angle of the octant: 3e-5 of K(0,0,0) */
#define LEAST_DENSITY	   0.5
#define MOST_DENSITY	   2.0
#define DROPPED_SHARE	   1e-4 /* of the energy, at most, in planes cut off per axis */
#define SPACING_TOLERANCE  1e-3 /* mm */
#define RIGHT_ANGLE_COSINE 1e-3

/* Shares in double, before they are cut to size. A decay anywhere in a voxel and a way (x, y, z) of
 * its energy, in voxels, end in the voxel (i, j, k) with the probability
 * (1 - |x - i|) (1 - |y - j|) (1 - |z - k|), each factor at least 0: the weights of trilinear
 * interpolation. So ways are dealt out to the eight voxels around their end. */
struct octant {
	int size[3];
	double *share; /* of the voxel and its mirror images together; owned */
};

static void deal_out(const struct octant *octant, const double way[3], double weight)
{
	size_t row = (size_t)octant->size[0], slice = row * (size_t)octant->size[1];
	int low[3];
	double part[3];
	for (int a = 0; a < 3; a++) {
		low[a] = (int)way[a];
		part[a] = way[a] - low[a];
	}
	double *at = octant->share + (size_t)low[2] * slice + (size_t)low[1] * row + (size_t)low[0];
	double near = weight * (1 - part[2]), far = weight * part[2];
	double n0 = near * (1 - part[1]), n1 = near * part[1];
	double f0 = far * (1 - part[1]), f1 = far * part[1];
	at[0] += n0 * (1 - part[0]);
	at[1] += n0 * part[0];
	at[row] += n1 * (1 - part[0]);
	at[row + 1] += n1 * part[0];
	at[slice] += f0 * (1 - part[0]);
	at[slice + 1] += f0 * part[0];
	at[slice + row] += f1 * (1 - part[0]);
	at[slice + row + 1] += f1 * part[0];
}

/* Directions of the octant on rings of equal angle, each with the solid angle of its ring, and for
 * each of them radii: two Gauss points in every interval of the table, where F is linear. */
static void fill_octant(const struct octant *octant, const double water_spacing_mm[3])
{
	const double right_angle = acos(0.0), gauss = 0.5 / sqrt(3.0);
	octant->share[0] = KERNEL_TABLE[0].share;
	for (int d = 0; d < DIRECTIONS * DIRECTIONS; d++) {
		int ring = d / DIRECTIONS;
		double polar = right_angle * (ring + 0.5) / DIRECTIONS;
		double around = right_angle * (d % DIRECTIONS + 0.5) / DIRECTIONS;
		double solid_angle = (cos(right_angle * ring / DIRECTIONS) -
				      cos(right_angle * (ring + 1) / DIRECTIONS)) /
				     DIRECTIONS;
		const double direction[3] = {sin(polar) * cos(around) / water_spacing_mm[0],
					     sin(polar) * sin(around) / water_spacing_mm[1],
					     cos(polar) / water_spacing_mm[2]};
		for (int i = 0; i < 2 * (KERNEL_TABLE_ROWS - 1); i++) {
			const struct kernel_table_row *row = &KERNEL_TABLE[i / 2];
			double place = i % 2 ? 0.5 + gauss : 0.5 - gauss;
			double r_mm = row[0].r_mm + place * (row[1].r_mm - row[0].r_mm);
			const double way[3] = {r_mm * direction[0], r_mm * direction[1],
					       r_mm * direction[2]};
			deal_out(octant, way, (row[1].share - row[0].share) / 2 * solid_angle);
		}
	}
}

static size_t octant_index(const struct octant *octant, const int at[3])
{
	return ((size_t)at[2] * (size_t)octant->size[1] + (size_t)at[1]) * (size_t)octant->size[0] +
	       (size_t)at[0];
}

/* Share of all planes from `first` on, along an axis. */
static double share_from(const struct octant *octant, int axis, int first)
{
	double sum = 0;
	int at[3];
	for (at[2] = 0; at[2] < octant->size[2]; at[2]++) {
		for (at[1] = 0; at[1] < octant->size[1]; at[1]++) {
			for (at[0] = 0; at[0] < octant->size[0]; at[0]++)
				sum +=
				    at[axis] >= first ? octant->share[octant_index(octant, at)] : 0;
		}
	}
	return sum;
}

/* Voxels of an octant entry: itself and its mirror images. */
static int mirror_images(const int at[3])
{
	return (at[0] > 0 ? 2 : 1) * (at[1] > 0 ? 2 : 1) * (at[2] > 0 ? 2 : 1);
}

/* The octant within reach as floats, scaled for what was cut off; rounding goes to the middle, so
 * that the sum over all voxels is 1 to the rounding of the middle. */
static void take_shares(struct kernel *kernel, const struct octant *octant)
{
	double kept = 0, sum = 0;
	int at[3];
	for (int pass = 0; pass < 2; pass++) {
		float *share = kernel->share;
		for (at[2] = 0; at[2] <= kernel->reach[2]; at[2]++) {
			for (at[1] = 0; at[1] <= kernel->reach[1]; at[1]++) {
				for (at[0] = 0; at[0] <= kernel->reach[0]; at[0]++, share++) {
					double value = octant->share[octant_index(octant, at)];
					if (pass == 0) {
						kept += value;
						continue;
					}
					*share = (float)(value / mirror_images(at) / kept);
					sum += mirror_images(at) * (double)*share;
				}
			}
		}
	}
	kernel->share[0] += (float)(1 - sum);
}

enum status_code kernel_build(struct kernel *kernel, const double spacing_mm[3],
			      double density_g_per_ml, struct status *st)
{
	struct octant octant = {.share = NULL};
	struct kernel made = {.density_g_per_ml = density_g_per_ml};
	double water_spacing_mm[3], range_mm = KERNEL_TABLE[KERNEL_TABLE_ROWS - 1].r_mm;

	if (!(density_g_per_ml >= LEAST_DENSITY && density_g_per_ml <= MOST_DENSITY))
		return status_fail(st, STATUS_REFUSE,
				   "beta kernel: a density of %g g/mL is not within %g to %g",
				   density_g_per_ml, LEAST_DENSITY, MOST_DENSITY);
	for (int a = 0; a < 3; a++) {
		if (!(spacing_mm[a] >= LEAST_SPACING_MM && spacing_mm[a] <= MOST_SPACING_MM))
			return status_fail(st, STATUS_REFUSE,
					   "beta kernel: a voxel spacing of %g mm is not within "
					   "%g to %g mm",
					   spacing_mm[a], LEAST_SPACING_MM, MOST_SPACING_MM);
		made.spacing_mm[a] = spacing_mm[a];
		water_spacing_mm[a] = spacing_mm[a] * density_g_per_ml;
		octant.size[a] = (int)(range_mm / water_spacing_mm[a]) + 2;
	}
	octant.share =
	    calloc((size_t)octant.size[0] * (size_t)octant.size[1] * (size_t)octant.size[2],
		   sizeof *octant.share);
	if (!octant.share)
		goto out;
	fill_octant(&octant, water_spacing_mm);
	for (int a = 0; a < 3; a++) {
		made.reach[a] = octant.size[a] - 1;
		while (made.reach[a] > 0 && share_from(&octant, a, made.reach[a]) <= DROPPED_SHARE)
			made.reach[a]--;
	}
	made.share = malloc((size_t)(made.reach[0] + 1) * (size_t)(made.reach[1] + 1) *
			    (size_t)(made.reach[2] + 1) * sizeof *made.share);
	if (made.share)
		take_shares(&made, &octant);
out:
	free(octant.share);
	if (!made.share)
		return status_fail(st, STATUS_RETRY, "no memory for a beta kernel");
	*kernel = made;
	return STATUS_OK;
}

void kernel_free(struct kernel *kernel)
{
	free(kernel->share);
	kernel->share = NULL;
}

static bool at_right_angles(const double a[3], const double b[3])
{
	double product = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
	double lengths = sqrt((a[0] * a[0] + a[1] * a[1] + a[2] * a[2]) *
			      (b[0] * b[0] + b[1] * b[1] + b[2] * b[2]));
	return fabs(product) <= RIGHT_ANGLE_COSINE * lengths;
}

/* Sum of what is no NaN. */
static double sum_measured(const struct volume *volume)
{
	double sum = 0;
	size_t row = (size_t)volume->grid.columns, voxels = grid_voxels(&volume->grid);
	for (size_t first = 0; first < voxels; first += row) {
		double of_row = 0;
		for (size_t v = first; v < first + row; v++)
			of_row += isnan(volume->samples[v]) ? 0 : (double)volume->samples[v];
		sum += of_row;
	}
	return sum;
}

enum status_code kernel_convolve(struct volume *out, double *lost_share,
				 const struct volume *local_dose_gy, const struct kernel *kernel,
				 int threads, struct status *st)
{
	const struct grid *grid = &local_dose_gy->grid;
	struct volume made = VOLUME_INIT;
	for (int a = 0; a < 3; a++) {
		if (!(fabs(grid_spacing_mm(grid, a) - kernel->spacing_mm[a]) <= SPACING_TOLERANCE))
			return status_fail(st, STATUS_REFUSE,
					   "beta kernel: made for voxels of %g mm, not %g mm",
					   kernel->spacing_mm[a], grid_spacing_mm(grid, a));
	}
	if (!at_right_angles(grid->column_step_mm, grid->row_step_mm) ||
	    !at_right_angles(grid->column_step_mm, grid->slice_step_mm) ||
	    !at_right_angles(grid->row_step_mm, grid->slice_step_mm))
		return status_fail(st, STATUS_REFUSE,
				   "beta kernel: the voxels' axes are not at right angles");
	if (volume_new(&made, grid, NAN, st) != STATUS_OK)
		return st->code;
	if (kernel_convolve_rows(&made, local_dose_gy, kernel, instruction_sets() - 1, threads,
				 st) != STATUS_OK) {
		volume_free(&made);
		return st->code;
	}
	if (lost_share) {
		double before = sum_measured(local_dose_gy);
		*lost_share = before > 0 ? (before - sum_measured(&made)) / before : (double)NAN;
	}
	*out = made;
	return STATUS_OK;
}
