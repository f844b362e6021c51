/* phantom_model.c - the shapes of the phantom and the uptake weights that follow from them. */
#include "phantom.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "phantom_shapes.h"

/* Rises from 0 at t = 0 to 1 at t = 1 with two smooth derivatives at both ends. */
double phantom_smooth_step(double t)
{
	if (t <= 0)
		return 0;
	if (t >= 1)
		return 1;
	return t * t * t * (t * (6 * t - 15) + 10);
}

/* First-order distance to an ellipsoid: exact on the surface and along the axes there, and good to
 * a few tenths of a millimetre within a centimetre of mildly stretched ones. */
double phantom_ellipsoid_distance_mm(const struct phantom_ellipsoid *shape, const double point[3])
{
	double level = 0, slope = 0, least = INFINITY;
	for (int axis = 0; axis < 3; axis++) {
		double along = (point[axis] - shape->centre_mm[axis]) / shape->semi_mm[axis];
		double steep = along / shape->semi_mm[axis];
		level += along * along;
		slope += steep * steep;
		least = fmin(least, shape->semi_mm[axis]);
	}
	level = sqrt(level);
	slope = sqrt(slope);
	if (level < 1e-9)
		return -least;
	return level * (level - 1) / slope;
}

void phantom_to_local(const struct phantom_model *model, const double patient_mm[3],
		      double local[3])
{
	for (int row = 0; row < 3; row++) {
		local[row] = 0;
		for (int axis = 0; axis < 3; axis++)
			local[row] +=
			    model->axes[row][axis] * (patient_mm[axis] - model->origin_mm[axis]);
	}
}

/* Minimum of two distances, rounded (three smooth pieces) where they differ by less than width. */
static double smooth_minimum(double a, double b, double width)
{
	double overlap = fmax(width - fabs(a - b), 0) / width;
	return fmin(a, b) - overlap * overlap * overlap * width / 6;
}

double phantom_liver_distance_mm(const struct phantom_model *model, const double local[3])
{
	double distance = phantom_ellipsoid_distance_mm(&model->liver[0], local);
	for (int body = 1; body < model->liver_bodies; body++)
		distance = smooth_minimum(
		    distance, phantom_ellipsoid_distance_mm(&model->liver[body], local), 24);
	return distance;
}

double phantom_cut_distance_mm(const struct phantom_model *model, const double local[3])
{
	return model->cut_normal[0] * local[0] + model->cut_normal[1] * local[1] +
	       model->cut_normal[2] * local[2] - model->cut_offset_mm;
}

double phantom_distance_mm(const struct phantom_model *model, const struct phantom_voi *voi,
			   const double patient_mm[3])
{
	double local[3];
	phantom_to_local(model, patient_mm, local);
	switch (voi->role) {
	case PHANTOM_TUMOUR:
		return phantom_ellipsoid_distance_mm(&model->tumours[voi->tumour].shape, local);
	case PHANTOM_RIGHT:
		return fmax(phantom_liver_distance_mm(model, local),
			    phantom_cut_distance_mm(model, local));
	case PHANTOM_LEFT:
		return fmax(phantom_liver_distance_mm(model, local),
			    -phantom_cut_distance_mm(model, local));
	case PHANTOM_LIVER:
		break;
	}
	return phantom_liver_distance_mm(model, local);
}

void phantom_local_weights(double weights[1 + PHANTOM_MAX_TUMOURS],
			   const struct phantom_model *model, const double local[3])
{
	double depth = -phantom_liver_distance_mm(model, local);
	double rim =
	    model->sharp ? (depth > 0 ? 1 : 0) : phantom_smooth_step(depth / model->rim_mm);
	double rest = 1;
	for (int i = 0; i < PHANTOM_MAX_TUMOURS; i++)
		weights[1 + i] = 0;
	weights[0] = 0;
	if (rim <= 0)
		return;
	for (int i = 0; i < model->n_tumours; i++) {
		double out = phantom_ellipsoid_distance_mm(&model->tumours[i].shape, local);
		double share =
		    model->sharp
			? (out <= 0 ? 1 : 0)
			: 1 - phantom_smooth_step((out - model->plateau_mm) / model->fall_mm);
		if (share <= 0)
			continue;
		/* Where two tails meet, each takes its share of what the other left. */
		for (int j = 0; j < i; j++)
			weights[1 + j] *= 1 - share;
		weights[1 + i] = share * rim;
		rest *= 1 - share;
	}
	double side = 1;
	if (model->has_parts) {
		double left = phantom_cut_distance_mm(model, local);
		double blend =
		    model->sharp ? (left >= 0 ? 1 : 0) : phantom_smooth_step((left + 15) / 30);
		side = 1 + (model->left_uptake - 1) * blend;
	}
	weights[0] = rest * rim * side;
}

void phantom_weights(double weights[1 + PHANTOM_MAX_TUMOURS], const struct phantom_model *model,
		     const double patient_mm[3])
{
	double local[3];
	phantom_to_local(model, patient_mm, local);
	phantom_local_weights(weights, model, local);
}

int phantom_vois(struct phantom_voi vois[PHANTOM_MAX_VOIS], const struct phantom_model *model)
{
	int count = 0;
	vois[count++] = (struct phantom_voi){PHANTOM_LIVER, -1, -1, "Liver"};
	if (model->has_parts) {
		vois[count++] = (struct phantom_voi){PHANTOM_RIGHT, -1, -1, "Right hemiliver"};
		vois[count++] = (struct phantom_voi){PHANTOM_LEFT, -1, -1, "Left hemiliver"};
	}
	for (int i = 0; i < model->n_tumours; i++) {
		struct phantom_voi *voi = &vois[count++];
		*voi = (struct phantom_voi){PHANTOM_TUMOUR, i, -1, ""};
		snprintf(voi->name, sizeof voi->name, "Tumour %d", i + 1);
		const double *centre = model->tumours[i].shape.centre_mm;
		if (model->has_parts)
			voi->part = phantom_cut_distance_mm(model, centre) < 0 ? 1 : 2;
	}
	return count;
}

void phantom_model_abdomen(struct phantom_model *model, bool gas, bool sharp)
{
	*model = (struct phantom_model){
	    .axes = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	    .low_mm = {-145, -85, -80},
	    .high_mm = {105, 85, 80},
	    .liver = {{{-68, 2, 0}, {70, 76, 74}}, {{25, -35, 16}, {70, 38, 40}}},
	    .liver_bodies = 2,
	    .has_parts = true,
	    .cut_normal = {0.95, -0.29, 0.1157583690279},
	    .cut_offset_mm = -6,
	    .left_uptake = 0.8,
	    .tumours = {{{{-85, -42, -12}, {9.4, 8.8, 8.65}}, 1.31e-3, 1},
			{{{-72, -20, 36}, {15, 16, 14.9}}, 1.67e-3, 1},
			{{{32, -35, 16}, {24, 18, 19.4}}, 1.37e-3, 0.5},
			{{{-72, 22, -16}, {30, 27, 26.5}}, 1.49e-3, 1}},
	    .n_tumours = 4,
	    .plateau_mm = 6.5,
	    .fall_mm = 12,
	    .rim_mm = 8,
	    .liver_r2star_per_s = 45,
	    .tumour_r2star_per_s = 25,
	    .sharp = sharp,
	    .gas = gas,
	};
}

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

	int n = PHANTOM_MAX_TUMOURS;
	while (n > 1 && ring_radius_mm(model, radius_mm, n) < LEAST_TUMOUR_MM)
		n--;
	double radius = fmin(ring_radius_mm(model, radius_mm, n), 12);
	double ring = n == 1 ? 0 : radius_mm - model->rim_mm - model->plateau_mm - radius;
	for (int i = 0; i < n; i++) {
		double angle = turn_rad + 2 * 3.14159265358979323846 * i / n;
		model->tumours[i] = (struct phantom_tumour){
		    {{centre_mm[0] + ring * cos(angle), centre_mm[1] + ring * sin(angle), 0},
		     {radius, radius, INFINITY}},
		    0,
		    i == 2 ? 0.5 : 1};
	}
	model->n_tumours = n;
	return STATUS_OK;
}
