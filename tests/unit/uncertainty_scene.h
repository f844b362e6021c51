/* uncertainty_scene.h - noise, boxes and shifts for the tests of uncertainty. */
#ifndef UNCERTAINTY_SCENE_H
#define UNCERTAINTY_SCENE_H

#include "dosimetry_scene.h"

static uint64_t random_state = 1;

/* Sum of twelve: variance 1; of a mean over many voxels nothing else matters. */
static inline float normal(void)
{
	double sum = -6;
	for (int i = 0; i < 12; i++) {
		random_state = random_state * 6364136223846793005U + 1442695040888963407U;
		sum += (double)(random_state >> 11) / 9007199254740992.0;
	}
	return (float)sum;
}

static inline struct grid box_grid(int columns, int rows, int slices, double x_mm, double y_mm,
				   double z_mm)
{
	struct grid grid = {.columns = columns, .rows = rows, .slices = slices};
	grid.column_step_mm[0] = x_mm;
	grid.row_step_mm[1] = y_mm;
	grid.slice_step_mm[2] = z_mm;
	return grid;
}

static inline struct mask box_mask(const struct grid *grid, const int first[3], const int last[3])
{
	struct status st = STATUS_INIT;
	struct mask mask;
	assert_ok(mask_new(&mask, grid, &st), &st);
	for (int k = first[2]; k <= last[2]; k++)
		for (int j = first[1]; j <= last[1]; j++)
			for (int i = first[0]; i <= last[0]; i++)
				mask.coverage[voxel_at(grid, i, j, k)] = 1;
	mask_update_bounds(&mask);
	return mask;
}

/* Of one mask; other (may be NULL): a second map of the whole grid. */
static inline double change_of(const struct volume *dose, const struct volume *other, double scale,
			       const struct mask *mask, double residual_mm)
{
	struct status st = STATUS_INIT;
	const struct uncertainty_shifted shifted = {.map = other, .scale = scale};
	double gy;
	assert_ok(uncertainty_registrations(&gy, dose, other ? &shifted : NULL, &mask, 1,
					    residual_mm, 2, &st),
		  &st);
	return gy;
}

#endif
