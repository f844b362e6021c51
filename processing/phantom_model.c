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
	case PHANTOM_NECROSIS: {
		struct phantom_ellipsoid core = model->tumours[voi->tumour].shape;
		for (int axis = 0; axis < 3; axis++)
			core.semi_mm[axis] *= model->tumours[voi->tumour].core_from;
		return phantom_ellipsoid_distance_mm(&core, local);
	}
	case PHANTOM_LIVER:
		break;
	}
	return phantom_liver_distance_mm(model, local);
}

int phantom_part_of(const struct phantom_model *model, int tumour)
{
	if (!model->has_parts)
		return 0;
	return phantom_cut_distance_mm(model, model->tumours[tumour].shape.centre_mm) < 0 ? 1 : 2;
}

bool phantom_tumour_uneven(const struct phantom_tumour *tumour)
{
	return tumour->core_to > 0 || tumour->cap_to_mm > 0 || tumour->at_edge;
}

/* Uptake at a point relative to the tumour's own: its core and its cap. */
static double tumour_evenness(const struct phantom_tumour *tumour, const double local[3])
{
	double share = 1;
	if (tumour->core_to > 0) {
		double level = 0;
		for (int axis = 0; axis < 3; axis++) {
			double along = (local[axis] - tumour->shape.centre_mm[axis]) /
				       tumour->shape.semi_mm[axis];
			level += along * along;
		}
		double out = phantom_smooth_step((sqrt(level) - tumour->core_from) /
						 (tumour->core_to - tumour->core_from));
		share = tumour->core_uptake + (1 - tumour->core_uptake) * out;
	}
	if (tumour->cap_to_mm > 0) {
		double behind = local[1] - tumour->shape.centre_mm[1];
		share *= 1 - phantom_smooth_step((behind - tumour->cap_from_mm) /
						 (tumour->cap_to_mm - tumour->cap_from_mm));
	}
	return share;
}

#define BLEND_MM     15 /* either side of the plane, where the parts are not kept apart */
#define WATERSHED_MM 8	/* below the plane, where they are */

/* How much of a point's uptake belongs to the right and to the left part. */
static void part_sides(double side[2], const struct phantom_model *model, const double local[3])
{
	side[0] = 1;
	side[1] = 0;
	if (!model->has_parts)
		return;
	double left = phantom_cut_distance_mm(model, local);
	if (model->sharp) {
		side[0] = left < 0 ? 1 : 0;
		side[1] = left < 0 ? 0 : 1;
	} else if (model->parted) {
		side[0] = phantom_smooth_step(-left / WATERSHED_MM);
		side[1] = phantom_smooth_step(left / WATERSHED_MM);
	} else {
		side[1] = phantom_smooth_step((left + BLEND_MM) / (2 * BLEND_MM));
		side[0] = 1 - side[1];
	}
	if (!model->parted)
		side[1] *= model->left_uptake;
}

void phantom_local_weights(double weights[PHANTOM_MAX_FIELDS], const struct phantom_model *model,
			   const double local[3])
{
	double depth = -phantom_liver_distance_mm(model, local);
	double rim =
	    model->sharp ? (depth > 0 ? 1 : 0) : phantom_smooth_step(depth / model->rim_mm);
	double rest = 1, side[2];
	for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
		weights[w] = 0;
	if (rim <= 0)
		return;
	part_sides(side, model, local);
	for (int i = 0; i < model->n_tumours; i++) {
		const struct phantom_tumour *tumour = &model->tumours[i];
		double out = phantom_ellipsoid_distance_mm(&tumour->shape, local);
		double share =
		    model->sharp
			? (out <= 0 ? 1 : 0)
			: 1 - phantom_smooth_step((out - model->plateau_mm) / model->fall_mm);
		if (share <= 0)
			continue;
		/* Where two tails meet, each takes its share of what the other left. */
		for (int j = 0; j < i; j++)
			weights[PHANTOM_FIELD_TUMOUR + j] *= 1 - share;
		double own = model->parted ? side[phantom_part_of(model, i) - 1] : 1;
		weights[PHANTOM_FIELD_TUMOUR + i] =
		    share * rim * own * tumour_evenness(tumour, local);
		rest *= 1 - share;
	}
	weights[PHANTOM_FIELD_RIGHT] = rest * rim * side[0];
	weights[PHANTOM_FIELD_LEFT] = rest * rim * side[1];
}

void phantom_weights(double weights[PHANTOM_MAX_FIELDS], const struct phantom_model *model,
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
		snprintf(voi->name, sizeof voi->name, "%s", model->tumours[i].name);
		if (model->has_parts)
			voi->part = phantom_part_of(model, i);
	}
	for (int i = 0; i < model->n_tumours; i++) {
		const struct phantom_tumour *tumour = &model->tumours[i];
		if (tumour->core_to > 0 && tumour->core_uptake == 0 && count < PHANTOM_MAX_VOIS)
			vois[count++] = (struct phantom_voi){PHANTOM_NECROSIS, i, -1, "Necrosis"};
	}
	return count;
}
