#include "rigid.h"

#include <math.h>
#include <string.h>

void rigid_identity(double m[RIGID_SIZE])
{
	static const double identity[RIGID_SIZE] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0};
	memcpy(m, identity, sizeof identity);
}

void rigid_from_angles(double m[RIGID_SIZE], const double angle_rad[3], const double shift_mm[3],
		       const double centre_mm[3])
{
	double cx = cos(angle_rad[0]), sx = sin(angle_rad[0]);
	double cy = cos(angle_rad[1]), sy = sin(angle_rad[1]);
	double cz = cos(angle_rad[2]), sz = sin(angle_rad[2]);
	const double r[3][3] = {{cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx},
				{sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx},
				{-sy, cy * sx, cy * cx}};
	for (int row = 0; row < 3; row++) {
		double moved_mm = centre_mm[row] + shift_mm[row];
		for (int column = 0; column < 3; column++) {
			m[4 * row + column] = r[row][column];
			moved_mm -= r[row][column] * centre_mm[column];
		}
		m[4 * row + 3] = moved_mm;
	}
}

void rigid_compose(double b_after_a[RIGID_SIZE], const double b[RIGID_SIZE],
		   const double a[RIGID_SIZE])
{
	double made[RIGID_SIZE];
	for (int row = 0; row < 3; row++) {
		for (int column = 0; column < 4; column++) {
			double sum = column == 3 ? b[4 * row + 3] : 0;
			for (int k = 0; k < 3; k++)
				sum += b[4 * row + k] * a[4 * k + column];
			made[4 * row + column] = sum;
		}
	}
	memcpy(b_after_a, made, sizeof made);
}

void rigid_invert(double inverse[RIGID_SIZE], const double m[RIGID_SIZE])
{
	double made[RIGID_SIZE];
	for (int row = 0; row < 3; row++) {
		made[4 * row + 3] = 0;
		for (int column = 0; column < 3; column++) {
			made[4 * row + column] = m[4 * column + row];
			made[4 * row + 3] -= m[4 * column + row] * m[4 * column + 3];
		}
	}
	memcpy(inverse, made, sizeof made);
}

void rigid_apply(double to_mm[3], const double m[RIGID_SIZE], const double from_mm[3])
{
	double x = from_mm[0], y = from_mm[1], z = from_mm[2];
	for (int row = 0; row < 3; row++)
		to_mm[row] =
		    m[4 * row] * x + m[4 * row + 1] * y + m[4 * row + 2] * z + m[4 * row + 3];
}

bool rigid_is_valid(const double m[RIGID_SIZE], double tolerance)
{
	for (int i = 0; i < RIGID_SIZE; i++) {
		if (!isfinite(m[i]))
			return false;
	}
	for (int a = 0; a < 3; a++) {
		for (int b = a; b < 3; b++) {
			double dot = 0;
			for (int k = 0; k < 3; k++)
				dot += m[4 * a + k] * m[4 * b + k];
			if (fabs(dot - (a == b)) > tolerance)
				return false;
		}
	}
	double determinant = m[0] * (m[5] * m[10] - m[6] * m[9]) -
			     m[1] * (m[4] * m[10] - m[6] * m[8]) +
			     m[2] * (m[4] * m[9] - m[5] * m[8]);
	return determinant > 0;
}

double rigid_largest_shift_mm(const double m[RIGID_SIZE], const struct grid *grid)
{
	double largest_mm = 0;
	for (int corner = 0; corner < 8; corner++) {
		const double voxel[3] = {corner & 1 ? grid->columns - 1 : 0,
					 corner & 2 ? grid->rows - 1 : 0,
					 corner & 4 ? grid->slices - 1 : 0};
		double from_mm[3], to_mm[3];
		grid_to_patient(grid, voxel, from_mm);
		rigid_apply(to_mm, m, from_mm);
		double shift_mm = hypot(hypot(to_mm[0] - from_mm[0], to_mm[1] - from_mm[1]),
					to_mm[2] - from_mm[2]);
		largest_mm = fmax(largest_mm, shift_mm);
	}
	return largest_mm;
}

double rigid_angle_deg(const double m[RIGID_SIZE])
{
	/* of the antisymmetric part and the trace: accurate for small angles too */
	double sine = hypot(hypot(m[9] - m[6], m[2] - m[8]), m[4] - m[1]) / 2;
	double cosine = (m[0] + m[5] + m[10] - 1) / 2;
	return atan2(sine, cosine) * 180 / acos(-1.0);
}

static void turn(double to[3], const double m[RIGID_SIZE], const double from[3])
{
	for (int row = 0; row < 3; row++)
		to[row] =
		    m[4 * row] * from[0] + m[4 * row + 1] * from[1] + m[4 * row + 2] * from[2];
}

void rigid_move_grid(struct grid *moved, const struct grid *grid, const double m[RIGID_SIZE],
		     const char *frame_of_reference)
{
	struct grid made = *grid;
	rigid_apply(made.origin_mm, m, grid->origin_mm);
	turn(made.column_step_mm, m, grid->column_step_mm);
	turn(made.row_step_mm, m, grid->row_step_mm);
	turn(made.slice_step_mm, m, grid->slice_step_mm);
	memset(made.frame_of_reference, 0, sizeof made.frame_of_reference);
	strncpy(made.frame_of_reference, frame_of_reference, sizeof made.frame_of_reference - 1);
	*moved = made;
}
