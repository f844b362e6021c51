/* phantom_pose.c - see phantom_pose.h. */
#include "phantom_pose.h"

#include <math.h>
#include <string.h>

#include "phantom_noise.h"

#define PI	    3.14159265358979323846
#define POSE_STREAM 0x90500000u
#define DRAWS	    400 /* per series */
#define RESTARTS    50	/* of the whole course */

/* A sequence of uniform numbers. */
struct draws {
	uint64_t key, count;
};

static double draw(struct draws *draws)
{
	uint64_t bits = phantom_mix(phantom_mix(draws->key + ++draws->count * 0x9e3779b97f4a7c15u));
	return (double)(bits >> 11) * 0x1p-53;
}

static void random_direction(double unit[3], struct draws *draws)
{
	double z = 2 * draw(draws) - 1, turn = 2 * PI * draw(draws), flat = sqrt(1 - z * z);
	unit[0] = flat * cos(turn);
	unit[1] = flat * sin(turn);
	unit[2] = z;
}

/* At an angle of the given cosine to `from`, any way round. */
static void random_neighbour(double unit[3], const double from[3], double cosine,
			     struct draws *draws)
{
	double across[3], along = 0, length = 0;
	random_direction(across, draws);
	for (int axis = 0; axis < 3; axis++)
		along += across[axis] * from[axis];
	for (int axis = 0; axis < 3; axis++) {
		across[axis] -= along * from[axis];
		length += across[axis] * across[axis];
	}
	length = sqrt(length);
	double sine = sqrt(fmax(1 - cosine * cosine, 0));
	for (int axis = 0; axis < 3; axis++)
		unit[axis] = cosine * from[axis] + sine * across[axis] / fmax(length, 1e-12);
}

/* Turns by angle about an axis through centre_mm, then shifts. */
static void turn_and_shift(double m[RIGID_SIZE], const double axis[3], double angle_rad,
			   const double direction[3], double shift_mm, const double centre_mm[3])
{
	double c = cos(angle_rad), s = sin(angle_rad);
	const double cross[3][3] = {
	    {0, -axis[2], axis[1]}, {axis[2], 0, -axis[0]}, {-axis[1], axis[0], 0}};
	for (int row = 0; row < 3; row++) {
		double moved_mm = centre_mm[row] + shift_mm * direction[row];
		for (int column = 0; column < 3; column++) {
			double r = (row == column ? c : 0) + s * cross[row][column] +
				   (1 - c) * axis[row] * axis[column];
			m[4 * row + column] = r;
			moved_mm -= r * centre_mm[column];
		}
		m[4 * row + 3] = moved_mm;
	}
}

/* Cosine between two directions of length `radius` whose ends are `chord` apart. */
static double shift_cosine(double radius, double chord)
{
	return radius > 0 ? fmax(-1, 1 - chord * chord / (2 * radius * radius)) : 1;
}

/* Cosine between the axes of two rotations by `angle` that are a rotation by `chord` apart:
 * cos(chord / 2) = cos^2(angle / 2) + sin^2(angle / 2) * cosine. */
static double axis_cosine(double angle, double chord)
{
	double c = cos(angle / 2), s = sin(angle / 2);
	return s > 0 ? fmax(-1, fmin(1, (cos(chord / 2) - c * c) / (s * s))) : 1;
}

void phantom_pose_rest(struct phantom_pose *pose)
{
	*pose = (struct phantom_pose){.breathing_mm = 0, .gas_slip_mm = 0};
	rigid_identity(pose->to_series);
	rigid_identity(pose->from_series);
}

static double breathing_share(const double point_mm[3])
{
	return cos(2 * PI * (point_mm[0] + 60) / 160) * cos(2 * PI * point_mm[1] / 200);
}

void phantom_pose_point(double anatomy_mm[3], const struct phantom_pose *pose,
			const double series_mm[3])
{
	rigid_apply(anatomy_mm, pose->from_series, series_mm);
	if (pose->breathing_mm != 0)
		anatomy_mm[2] += pose->breathing_mm * breathing_share(anatomy_mm);
}

bool phantom_pose_fits(const struct phantom_pose *pose, const struct phantom_model *model,
		       const struct grid *grid)
{
	const double *steps[3] = {grid->column_step_mm, grid->row_step_mm, grid->slice_step_mm};
	const int counts[3] = {grid->columns, grid->rows, grid->slices};
	double middle_mm[3];
	const double middle[3] = {(grid->columns - 1) / 2.0, (grid->rows - 1) / 2.0,
				  (grid->slices - 1) / 2.0};
	grid_to_patient(grid, middle, middle_mm);
	for (int body = 0; body < model->liver_bodies; body++) {
		const struct phantom_ellipsoid *shape = &model->liver[body];
		double centre_mm[3];
		rigid_apply(centre_mm, pose->to_series, shape->centre_mm);
		for (int axis = 0; axis < 3; axis++) {
			double spacing = grid_spacing_mm(grid, axis), off = 0, reach = 0;
			for (int i = 0; i < 3; i++) {
				/* the grid's axis, seen from the patient */
				double along = 0;
				for (int k = 0; k < 3; k++)
					along +=
					    steps[axis][k] / spacing * pose->to_series[4 * k + i];
				off += steps[axis][i] / spacing * (centre_mm[i] - middle_mm[i]);
				reach += along * along * shape->semi_mm[i] * shape->semi_mm[i];
			}
			if (fabs(off) + sqrt(reach) + fabs(pose->breathing_mm) >
			    counts[axis] * spacing / 2)
				return false;
		}
	}
	return true;
}

/* What the series before was given: where to start the neighbour from. */
struct step {
	double direction[3], axis[3];
	bool apart;
	bool any;
};

/* One draw of the way from `from` (the anatomy, or the baseline) to a series. */
static void draw_step(struct phantom_pose *pose, struct step *step,
		      const struct phantom_motion *motion, const struct phantom_pose *from,
		      const struct step *before, const double centre_mm[3], struct draws *draws)
{
	double shift_mm = step->apart ? motion->shift_apart_mm : motion->shift_mm;
	double angle = (step->apart ? motion->angle_apart_deg : motion->angle_deg) * PI / 180;
	double middle_mm[3], way[RIGID_SIZE];
	if (before && before->any && before->apart == step->apart) {
		random_neighbour(step->direction, before->direction,
				 shift_cosine(shift_mm, motion->shift_mm), draws);
		random_neighbour(step->axis, before->axis,
				 axis_cosine(angle, motion->angle_deg * PI / 180), draws);
	} else {
		random_direction(step->direction, draws);
		random_direction(step->axis, draws);
	}
	if (motion->hold_most_mm > 0 && !step->apart) {
		const double up[3] = {0, 0, draw(draws) < 0.5 ? -1 : 1};
		memcpy(step->direction, up, sizeof up);
		shift_mm = motion->hold_least_mm +
			   (motion->hold_most_mm - motion->hold_least_mm) * draw(draws);
		angle = 0;
	}
	step->any = true;
	rigid_apply(middle_mm, from->to_series, centre_mm);
	turn_and_shift(way, step->axis, angle, step->direction, shift_mm, middle_mm);
	rigid_compose(pose->to_series, way, from->to_series);
	rigid_invert(pose->from_series, pose->to_series);
	pose->gas_slip_mm = motion->slip_mm * (2 * draw(draws) - 1);
}

/* False when one of the series could not be kept inside the grid. */
static bool draw_course(struct phantom_pose *poses, const int *after, int series,
			const struct phantom_motion *motion, const struct phantom_model *model,
			const struct grid *grid, struct draws *draws)
{
	struct step before = {.any = false};
	struct phantom_pose rest;
	phantom_pose_rest(&rest);
	for (int i = 0; i < series; i++) {
		struct step step = {.apart = motion->leaves_after > 0 &&
					     after[i] > motion->leaves_after};
		bool fits = false;
		phantom_pose_rest(&poses[i]);
		for (int tried = 0; tried < DRAWS && !fits; tried++) {
			draw_step(&poses[i], &step, motion, i == 0 ? &rest : &poses[0],
				  i > 1 ? &before : NULL, model->liver[0].centre_mm, draws);
			if (i > 0 && motion->breathing_mm > 0)
				poses[i].breathing_mm = motion->breathing_mm *
							(0.5 + draw(draws) / 2) *
							(draw(draws) < 0.5 ? -1 : 1);
			fits = phantom_pose_fits(&poses[i], model, grid);
		}
		if (!fits)
			return false;
		before = step;
	}
	return true;
}

enum status_code phantom_poses(struct phantom_pose *poses, const int *after, int series,
			       const struct phantom_motion *motion,
			       const struct phantom_model *model, const struct grid *grid,
			       uint64_t seed, struct status *st)
{
	struct draws draws = {phantom_noise_key(seed, POSE_STREAM), 0};
	for (int tried = 0; tried < RESTARTS; tried++)
		if (draw_course(poses, after, series, motion, model, grid, &draws))
			return STATUS_OK;
	return status_fail(st, STATUS_REFUSE,
			   "such motion takes the liver out of the images; use less");
}
