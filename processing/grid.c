#include "grid.h"

#include <math.h>
#include <string.h>

/* Rows and columns are 16 bit in DICOM; the same bound on slices keeps every product in size_t. */
enum { LARGEST_SIZE = 65535 };

static const double ORTHOGONAL_WITHIN = 1e-3; /* cosine of the angle between row and column */
static const double SINGULAR_BELOW = 1e-3;    /* volume of a voxel over the product of its edges */

static double dot(const double a[3], const double b[3])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

static void cross(const double a[3], const double b[3], double out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

static double determinant_mm3(const struct grid *grid)
{
	double normal[3];

	cross(grid->column_step_mm, grid->row_step_mm, normal);
	return dot(normal, grid->slice_step_mm);
}

/* Rows of the inverse of the step matrix: reciprocal[a] . step[b] is 1 for a = b, else 0. */
static void reciprocal_steps(const struct grid *grid, double reciprocal[3][3])
{
	double determinant = determinant_mm3(grid);

	cross(grid->row_step_mm, grid->slice_step_mm, reciprocal[0]);
	cross(grid->slice_step_mm, grid->column_step_mm, reciprocal[1]);
	cross(grid->column_step_mm, grid->row_step_mm, reciprocal[2]);
	for (int a = 0; a < 3; a++) {
		for (int b = 0; b < 3; b++)
			reciprocal[a][b] =
			    determinant == 0 ? (double)NAN : reciprocal[a][b] / determinant;
	}
}

size_t grid_voxels(const struct grid *grid)
{
	return (size_t)grid->columns * (size_t)grid->rows * (size_t)grid->slices;
}

double grid_voxel_volume_ml(const struct grid *grid)
{
	return fabs(determinant_mm3(grid)) / 1000;
}

double grid_spacing_mm(const struct grid *grid, int axis)
{
	const double *step_mm = axis == 0   ? grid->column_step_mm
				: axis == 1 ? grid->row_step_mm
					    : grid->slice_step_mm;

	return sqrt(dot(step_mm, step_mm));
}

void grid_to_patient(const struct grid *grid, const double voxel[3], double patient_mm[3])
{
	double point[3];

	for (int a = 0; a < 3; a++)
		point[a] = grid->origin_mm[a] + voxel[0] * grid->column_step_mm[a] +
			   voxel[1] * grid->row_step_mm[a] + voxel[2] * grid->slice_step_mm[a];
	memcpy(patient_mm, point, sizeof point);
}

void grid_to_voxel(const struct grid *grid, const double patient_mm[3], double voxel[3])
{
	double reciprocal[3][3], from_origin[3];

	reciprocal_steps(grid, reciprocal);
	for (int a = 0; a < 3; a++)
		from_origin[a] = patient_mm[a] - grid->origin_mm[a];
	for (int a = 0; a < 3; a++)
		voxel[a] = dot(reciprocal[a], from_origin);
}

void grid_map(const struct grid *from, const struct grid *to, double matrix[3][3], double offset[3])
{
	double reciprocal[3][3];

	reciprocal_steps(to, reciprocal);
	for (int a = 0; a < 3; a++) {
		matrix[a][0] = dot(reciprocal[a], from->column_step_mm);
		matrix[a][1] = dot(reciprocal[a], from->row_step_mm);
		matrix[a][2] = dot(reciprocal[a], from->slice_step_mm);
	}
	grid_to_voxel(to, from->origin_mm, offset);
}

bool grid_same(const struct grid *a, const struct grid *b, double tolerance_mm)
{
	if (a->columns != b->columns || a->rows != b->rows || a->slices != b->slices ||
	    strcmp(a->frame_of_reference, b->frame_of_reference) != 0)
		return false;
	for (int corner = 0; corner < 8; corner++) {
		double voxel[3] = {corner & 1 ? a->columns - 1 : 0, corner & 2 ? a->rows - 1 : 0,
				   corner & 4 ? a->slices - 1 : 0};
		double in_a[3], in_b[3], apart[3];

		grid_to_patient(a, voxel, in_a);
		grid_to_patient(b, voxel, in_b);
		for (int axis = 0; axis < 3; axis++)
			apart[axis] = in_a[axis] - in_b[axis];
		if (!(sqrt(dot(apart, apart)) <= tolerance_mm))
			return false;
	}
	return true;
}

enum status_code grid_check(const struct grid *grid, struct status *st)
{
	int sizes[3] = {grid->columns, grid->rows, grid->slices};
	double spacing_mm[3];
	double cosine;

	for (int a = 0; a < 3; a++) {
		spacing_mm[a] = grid_spacing_mm(grid, a);
		if (sizes[a] < 1 || sizes[a] > LARGEST_SIZE)
			return status_fail(
			    st, STATUS_REFUSE,
			    "grid of %d columns, %d rows, %d slices: each must be 1 to %d",
			    sizes[0], sizes[1], sizes[2], (int)LARGEST_SIZE);
		if (!isfinite(grid->origin_mm[a]) || !isfinite(spacing_mm[a]) || spacing_mm[a] <= 0)
			return status_fail(
			    st, STATUS_REFUSE,
			    "grid without a usable position or spacing (axis %d: %g mm)", a + 1,
			    spacing_mm[a]);
	}
	cosine = dot(grid->column_step_mm, grid->row_step_mm) / (spacing_mm[0] * spacing_mm[1]);
	if (!(fabs(cosine) <= ORTHOGONAL_WITHIN))
		return status_fail(
		    st, STATUS_REFUSE,
		    "rows and columns of the grid are not at a right angle (cosine %g)", cosine);
	if (!(fabs(determinant_mm3(grid)) >=
	      SINGULAR_BELOW * spacing_mm[0] * spacing_mm[1] * spacing_mm[2]))
		return status_fail(st, STATUS_REFUSE,
				   "slices of the grid are stacked within their own plane");
	return STATUS_OK;
}

struct grid_box grid_box_empty(const struct grid *grid)
{
	return (struct grid_box){{grid->columns, grid->rows, grid->slices}, {-1, -1, -1}};
}

void grid_box_add_run(struct grid_box *box, int left, int right, int row, int slice)
{
	box->first[0] = left < box->first[0] ? left : box->first[0];
	box->last[0] = right > box->last[0] ? right : box->last[0];
	box->first[1] = row < box->first[1] ? row : box->first[1];
	box->last[1] = row > box->last[1] ? row : box->last[1];
	box->first[2] = slice < box->first[2] ? slice : box->first[2];
	box->last[2] = slice;
}
