/* phantom_slab.c - a liver and tumours as cylinders through a slab of real images. */
#include <math.h>

#include "phantom.h"

#define LEAST_TUMOUR_MM 7 /* radius, of several tumours in a slab */

/* The largest radius of n equal circles on a ring inside the liver such that no tail reaches
 * another's plateau; one circle sits in the middle. */
static double ring_radius_mm(const struct phantom_model *model, double liver_mm, int n)
{
	double room = liver_mm - model->rim_mm - model->plateau_mm;
	if (n == 1)
		return room;
	double chord = sin(3.14159265358979323846 / n);
	return (room * chord - model->plateau_mm - model->fall_mm / 2) / (1 + chord);
}

enum status_code phantom_model_slab(struct phantom_model *model, const struct grid *grid,
				    const double centre_mm[2], double radius_mm, double turn_rad,
				    struct status *st)
{
	if (!(radius_mm >= 30))
		return status_fail(st, STATUS_REFUSE,
				   "the images hold no round piece of tissue of 30 mm radius for "
				   "the liver (%.0f mm found)",
				   radius_mm);
	*model = (struct phantom_model){
	    .liver = {{{centre_mm[0], centre_mm[1], 0}, {radius_mm, radius_mm, INFINITY}}},
	    .liver_bodies = 1,
	    .plateau_mm = 6.5,
	    .fall_mm = 6,
	    .rim_mm = 4,
	    .liver_r2star_per_s = (double)NAN,
	    .tumour_r2star_per_s = (double)NAN,
	};
	double half_mm = grid->slices * grid_spacing_mm(grid, 2) / 2;
	for (int axis = 0; axis < 2; axis++) {
		model->low_mm[axis] = centre_mm[axis] - radius_mm - 1;
		model->high_mm[axis] = centre_mm[axis] + radius_mm + 1;
	}
	model->low_mm[2] = -half_mm;
	model->high_mm[2] = half_mm;
	double middle[3] = {(grid->columns - 1) / 2.0, (grid->rows - 1) / 2.0,
			    (grid->slices - 1) / 2.0};
	grid_to_patient(grid, middle, model->origin_mm);
	const double *step[3] = {grid->column_step_mm, grid->row_step_mm, grid->slice_step_mm};
	for (int row = 0; row < 3; row++)
		for (int axis = 0; axis < 3; axis++)
			model->axes[row][axis] = step[row][axis] / grid_spacing_mm(grid, row);

	static const char *const names[PHANTOM_SLAB_TUMOURS] = {"Tumour 1", "Tumour 2", "Tumour 3",
								"Tumour 4"};
	int n = PHANTOM_SLAB_TUMOURS;
	while (n > 1 && ring_radius_mm(model, radius_mm, n) < LEAST_TUMOUR_MM)
		n--;
	double radius = fmin(ring_radius_mm(model, radius_mm, n), 12);
	double ring = n == 1 ? 0 : radius_mm - model->rim_mm - model->plateau_mm - radius;
	for (int i = 0; i < n; i++) {
		double angle = turn_rad + 2 * 3.14159265358979323846 * i / n;
		model->tumours[i] =
		    (struct phantom_tumour){.shape = {{centre_mm[0] + ring * cos(angle),
						       centre_mm[1] + ring * sin(angle), 0},
						      {radius, radius, INFINITY}},
					    .name = names[i],
					    .last_share = i == 2 ? 0.5 : 1};
	}
	model->n_tumours = n;
	return STATUS_OK;
}
