/* grid.h - where the voxels of a volume are in the patient.
 *
 * Patient coordinates are DICOM's: millimetres, x to the patient's left, y to the back, z to the
 * head (LPS). Voxel (column i, row j, slice k) has its *centre* at
 *
 *     origin_mm + i * column_step_mm + j * row_step_mm + k * slice_step_mm
 *
 * column_step_mm is the way from one column to the next (first triple of Image Orientation times
 * the second value of Pixel Spacing), row_step_mm from one row to the next (second triple, first
 * value). Steps need not be along the patient's axes; slices may be stacked either way along the
 * normal. Samples are stored with columns fastest: index = (k * rows + j) * columns + i. */
#ifndef GRID_H
#define GRID_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grid {
	int columns, rows, slices;
	double origin_mm[3];
	double column_step_mm[3];
	double row_step_mm[3];
	double slice_step_mm[3];
	char frame_of_reference[65]; /* DICOM UID; two grids are compared only inside one frame */
};

size_t grid_voxels(const struct grid *grid);
double grid_voxel_volume_ml(const struct grid *grid);

/* Spacing between columns (0), rows (1), slices (2) in mm. */
double grid_spacing_mm(const struct grid *grid, int axis);

/* Patient point of a (fractional) voxel position and back. The inverse of a singular grid is NaN.
 */
void grid_to_patient(const struct grid *grid, const double voxel[3], double patient_mm[3]);
void grid_to_voxel(const struct grid *grid, const double patient_mm[3], double voxel[3]);

/* Matrix form of grid_to_voxel over another grid: voxel_b = matrix * voxel_a + offset. */
void grid_map(const struct grid *from, const struct grid *to, double matrix[3][3],
	      double offset[3]);

/* True when both have the same frame of reference, size, and corner voxels within tolerance_mm. */
bool grid_same(const struct grid *a, const struct grid *b, double tolerance_mm);

/* STATUS_REFUSE with words unless sizes are >= 1, steps finite, non-zero, row and column steps
 * orthogonal within 1e-3, and the volume not singular. */
enum status_code grid_check(const struct grid *grid, struct status *st) STATUS_CHECKED;

#ifdef __cplusplus
}
#endif
/* The smallest box around runs of voxels; empty: last -1. */
struct grid_box {
	int first[3], last[3]; /* column, row, slice */
};
struct grid_box grid_box_empty(const struct grid *grid);
/* Columns left..right of a row; slices come in rising order. */
void grid_box_add_run(struct grid_box *box, int left, int right, int row, int slice);

#endif
