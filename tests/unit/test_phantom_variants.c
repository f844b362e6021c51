/* What the phantom can be made to do, each against arithmetic of its own: where the patient lies,
 * what a catheter position feeds, uneven tumours, fat, gas, vials, and the follow-up scan. */
#include "check.h"

#include <stdlib.h>

#include "phantom_emission.h"
#include "phantom_pose.h"
#include "phantom_vials.h"

#define PI 3.14159265358979323846

static struct grid make_grid(int size, int slices, double pixel_mm, double slice_mm)
{
	return (struct grid){.columns = size,
			     .rows = size,
			     .slices = slices,
			     .origin_mm = {-(size - 1) * pixel_mm / 2, -(size - 1) * pixel_mm / 2,
					   -(slices - 1) * slice_mm / 2},
			     .column_step_mm = {pixel_mm, 0, 0},
			     .row_step_mm = {0, pixel_mm, 0},
			     .slice_step_mm = {0, 0, slice_mm},
			     .frame_of_reference = "1.2.3"};
}

static void make_treatment(struct phantom_model *model, struct phantom_integrals *integrals,
			   struct phantom_course *course, const struct phantom_variant *variant)
{
	struct status st = STATUS_INIT;
	static const double activities_mbq[4] = {560, 1680, 1680, 1680};
	phantom_model_abdomen(model, variant);
	assert_ok(phantom_integrate(integrals, model, 2, 2, &st), &st);
	*course = (struct phantom_course){.injections = 4,
					  .relaxivity_per_s_per_mg_per_ml = 217.8,
					  .dose_constant_mj_per_mbq = 15.87,
					  .density_g_per_ml = 1.06};
	for (int j = 0; j < 4; j++) {
		course->activity_mbq[j] = activities_mbq[j];
		course->specific_activity_mbq_per_mg[j] = 12;
	}
}

/* ---- where the patient lies ---- */

/* How far apart two poses are: what a point moves by, and the angle between them. */
static void between(double *shift_mm, double *angle_deg, const double a[RIGID_SIZE],
		    const double b[RIGID_SIZE], const double point_mm[3])
{
	double at_a[3], at_b[3], trace = 0, sum = 0;
	rigid_apply(at_a, a, point_mm);
	rigid_apply(at_b, b, point_mm);
	for (int i = 0; i < 3; i++) {
		sum += (at_a[i] - at_b[i]) * (at_a[i] - at_b[i]);
		for (int k = 0; k < 3; k++)
			trace += a[4 * i + k] * b[4 * i + k];
	}
	*shift_mm = sqrt(sum);
	*angle_deg = acos((trace - 1) / 2) * 180 / PI;
}

static void poses_are_as_far_apart_as_asked(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	const struct phantom_motion motion = {.shift_mm = 10,
					      .angle_deg = 3,
					      .shift_apart_mm = 15,
					      .angle_apart_deg = 8,
					      .leaves_after = 2};
	const int after[5] = {0, 1, 2, 3, 4};
	struct grid grid = make_grid(96, 24, 3.75, 7);
	phantom_model_abdomen(&model, &(struct phantom_variant){.sharp = false});
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct phantom_pose rest, poses[5], again[5];
		double shift_mm, angle_deg;
		const double *middle = model.liver[0].centre_mm;
		phantom_pose_rest(&rest);
		assert_ok(phantom_poses(poses, after, 5, &motion, &model, &grid, seed, &st), &st);
		assert_ok(phantom_poses(again, after, 5, &motion, &model, &grid, seed, &st), &st);
		assert_memory_equal(poses, again, sizeof poses);
		between(&shift_mm, &angle_deg, rest.to_series, poses[0].to_series, middle);
		assert_close(shift_mm, 10, 1e-9, 0);
		assert_close(angle_deg, 3, 1e-7, 0);
		for (int i = 1; i < 5; i++) {
			between(&shift_mm, &angle_deg, poses[0].to_series, poses[i].to_series,
				middle);
			assert_close(shift_mm, i > 2 ? 15 : 10, 1e-9, 0);
			assert_close(angle_deg, i > 2 ? 8 : 3, 1e-7, 0);
			assert_true(rigid_is_valid(poses[i].to_series, 1e-12));
			assert_true(phantom_pose_fits(&poses[i], &model, &grid));
			if (i == 1 || i == 3)
				continue; /* the first of a stay has no neighbour */
			between(&shift_mm, &angle_deg, poses[i - 1].to_series, poses[i].to_series,
				middle);
			assert_close(shift_mm, 10, 1e-9, 0);
			assert_close(angle_deg, 3, 1e-7, 0);
		}
	}
	struct phantom_motion wild = {.shift_mm = 200};
	struct phantom_pose poses[5];
	assert_int_equal(phantom_poses(poses, after, 5, &wild, &model, &grid, 1, &st),
			 STATUS_REFUSE);
}

/* Breathing moves along z only, by an amount that depends on x and y only: no volume changes. */
static void breathing_is_a_shear(void **state)
{
	(void)state;
	struct phantom_pose pose;
	const double crest[3] = {-60, 0, 31}, node[3] = {-20, 0, 31}, trough[3] = {20, 0, -17};
	double point[3];
	phantom_pose_rest(&pose);
	pose.breathing_mm = 4;
	phantom_pose_point(point, &pose, crest);
	assert_close(point[0], -60, 0, 0);
	assert_close(point[1], 0, 0, 0);
	assert_close(point[2], 35, 1e-12, 0);
	phantom_pose_point(point, &pose, node);
	assert_close(point[2], 31, 1e-12, 0);
	phantom_pose_point(point, &pose, trough);
	assert_close(point[2], -21, 1e-12, 0);
}

/* A scan of the patient elsewhere shows the tumour's own signal where the pose takes its middle. */
static void signals_move_with_the_patient(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_pose pose;
	const struct phantom_motion motion = {.shift_mm = 12, .angle_deg = 6};
	const int after[1] = {0};
	struct phantom_scan scan = {
	    .grid = make_grid(128, 33, 3, 6), .echoes = 1, .te_ms = {5}, .snr = (double)INFINITY};
	make_treatment(&model, &integrals, &course, &(struct phantom_variant){.sharp = false});
	assert_ok(phantom_solve(&course, &model, &integrals, &st), &st);
	assert_ok(phantom_poses(&pose, after, 1, &motion, &model, &scan.grid, 3, &st), &st);
	const struct phantom_view view = {.pose = &pose, .after = {2}, .n_series = 1};
	uint16_t *pixels = calloc(128 * 128, sizeof *pixels);
	assert_non_null(pixels);
	double there_mm[3], voxel[3];
	rigid_apply(there_mm, pose.to_series, model.tumours[0].shape.centre_mm);
	grid_to_voxel(&scan.grid, there_mm, voxel);
	assert_ok(phantom_multi_echo_slice(pixels, &model, &course, &scan, &view,
					   (int)lround(voxel[2]), &st),
		  &st);
	double delta = 217.8 * model.tumours[0].uptake_per_ml * (560 + 1680) / 12;
	assert_close(pixels[lround(voxel[1]) * 128 + lround(voxel[0])],
		     1.15 * PHANTOM_LIVER_SIGNAL * exp(-0.005 * (25 + delta)), 0.51, 0);
	free(pixels);
}

/* ---- catheter positions ---- */

static void each_position_stays_in_its_part(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth liver, right, left, third, fourth;
	make_treatment(&model, &integrals, &course, &(struct phantom_variant){.parted = true});
	for (int j = 0; j < 4; j++) {
		course.position[j] = j / 2;
		course.feeds[j] = j < 2 ? PHANTOM_FEEDS_RIGHT : PHANTOM_FEEDS_LEFT;
		course.specific_activity_mbq_per_mg[j] = j < 2 ? 12 : 11;
	}
	assert_ok(phantom_solve(&course, &model, &integrals, &st), &st);
	phantom_vois(vois, &model);
	phantom_truth(&liver, &model, &integrals, &course, &vois[0]);
	phantom_truth(&right, &model, &integrals, &course, &vois[1]);
	phantom_truth(&left, &model, &integrals, &course, &vois[2]);
	phantom_truth(&third, &model, &integrals, &course, &vois[5]);
	phantom_truth(&fourth, &model, &integrals, &course, &vois[6]);
	assert_close(liver.activity_mbq[3], 5600, 0, 1e-9);
	assert_close(right.activity_mbq[1], 2240, 0, 1e-9);
	assert_close(right.activity_mbq[3], 2240, 0, 1e-9);
	assert_close(left.activity_mbq[1], 0, 1e-9, 0);
	assert_close(left.activity_mbq[3], 3360, 0, 1e-9);
	assert_close(third.mean_dose_gy[1], 0, 0, 0);
	assert_close(third.mean_dose_gy[3], model.tumours[2].uptake_per_ml * 3360 * 15.87 / 1.06, 0,
		     1e-9);
	assert_close(fourth.mean_dose_gy[3], fourth.mean_dose_gy[1], 0, 0);
	for (int i = 0; i < 4000; i++) {
		const double point[3] = {-140 + 240.0 * (i % 20) / 20,
					 -80 + 160.0 * (i / 20 % 20) / 20,
					 -75 + 150.0 * (i / 400) / 10};
		double weights[PHANTOM_MAX_FIELDS];
		double side = phantom_distance_mm(&model, &vois[1], point);
		phantom_weights(weights, &model, point);
		if (side > 0)
			assert_close(weights[PHANTOM_FIELD_RIGHT] +
					 weights[PHANTOM_FIELD_TUMOUR + 3],
				     0, 0, 0);
		else
			assert_close(weights[PHANTOM_FIELD_LEFT] +
					 weights[PHANTOM_FIELD_TUMOUR + 2],
				     0, 0, 0);
	}
}

/* ---- uneven tumours ---- */

static double step(double t)
{
	return t <= 0 ? 0 : t >= 1 ? 1 : t * t * t * (t * (6 * t - 15) + 10);
}

/* The part of an ellipsoid beyond t of its radius is (2 - 3 t + t^3) / 4 of it. */
static void an_untreated_cap_is_a_cap(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth truth;
	double below_ml[PHANTOM_MAX_INJECTIONS], volume_ml = 4.0 / 3 * PI * 30 * 27 * 26.5 / 1000;
	make_treatment(&model, &integrals, &course, &(struct phantom_variant){.untreated = true});
	assert_ok(phantom_solve(&course, &model, &integrals, &st), &st);
	double plateau_gy = model.tumours[3].uptake_per_ml * 5600 * 15.87 / 1.06;
	/* half of the plateau is reached halfway between 8 and 14 mm behind the middle */
	double t = 11.0 / 27, cap = (2 - 3 * t + t * t * t) / 4;
	phantom_underdosed_ml(below_ml, &integrals, &course, 3, plateau_gy / 2);
	assert_close(below_ml[3], volume_ml * cap, 0, 0.01);
	phantom_underdosed_ml(below_ml, &integrals, &course, 3, plateau_gy * 1.01);
	assert_close(below_ml[3], volume_ml, 0, 1e-6);
	phantom_underdosed_ml(below_ml, &integrals, &course, 1, 100);
	assert_close(below_ml[3], 0, 0, 0);
	phantom_vois(vois, &model);
	phantom_truth(&truth, &model, &integrals, &course, &vois[6]);
	double mean = 0;
	for (int i = 0; i < 20000; i++) {
		double u = -1 + 2 * (i + 0.5) / 20000; /* slices of an ellipsoid */
		mean += 0.75 * (1 - u * u) * (1 - step((27 * u - 8) / 6)) * 2 / 20000;
	}
	assert_close(truth.mean_dose_gy[3], plateau_gy * mean, 0, 1e-3);
	phantom_truth(&truth, &model, &integrals, &course, &vois[0]);
	assert_close(truth.activity_mbq[3], 5600, 0, 1e-9);
}

static void cores_are_cold_or_hot(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth truth;
	make_treatment(&model, &integrals, &course, &(struct phantom_variant){.necrosis = true});
	assert_ok(phantom_solve(&course, &model, &integrals, &st), &st);
	assert_int_equal(phantom_vois(vois, &model), 8);
	assert_int_equal(vois[7].role, PHANTOM_NECROSIS);
	double mean = 0, volume_ml = 4.0 / 3 * PI * 30 * 27 * 26.5 / 1000;
	for (int i = 0; i < 20000; i++) {
		double r = (i + 0.5) / 20000;
		mean += 3 * r * r * step((r - 0.45) / 0.2) / 20000;
	}
	phantom_truth(&truth, &model, &integrals, &course, &vois[6]);
	assert_close(truth.mean_dose_gy[3],
		     model.tumours[3].uptake_per_ml * 5600 * 15.87 / 1.06 * mean, 0, 1e-3);
	phantom_truth(&truth, &model, &integrals, &course, &vois[7]);
	assert_close(truth.volume_ml, volume_ml * 0.45 * 0.45 * 0.45, 0, 1e-9);
	assert_close(truth.mean_dose_gy[3], 0, 0, 0);

	static const double hot_gy[4] = {400, 400, 85, 260};
	make_treatment(&model, &integrals, &course, &(struct phantom_variant){.hot = true});
	for (int j = 0; j < 4; j++)
		course.activity_mbq[j] *= 9000.0 / 5600;
	assert_ok(phantom_solve(&course, &model, &integrals, &st), &st);
	phantom_vois(vois, &model);
	for (int i = 0; i < 4; i++) {
		phantom_truth(&truth, &model, &integrals, &course, &vois[3 + i]);
		assert_close(truth.mean_dose_gy[3], hot_gy[i], 0, 0.005);
	}
}

/* ---- tissue ---- */

/* |water + fat * exp(2 pi i * 3.4 ppm * 127.73 MHz * te)| * exp(-te * R2*) in plain liver. */
static void fat_swings_against_water(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_course course = {.injections = 0};
	struct phantom_pose rest;
	struct phantom_scan scan = {.grid = make_grid(96, 24, 3.75, 7),
				    .echoes = 4,
				    .te_ms = {1.1513, 2.3026, 4, 9},
				    .field_strength_t = 3,
				    .snr = (double)INFINITY};
	const struct phantom_view view = {.pose = &rest, .after = {0}, .n_series = 1};
	const double liver[3] = {-110, 0, 0};
	double voxel[3];
	phantom_pose_rest(&rest);
	phantom_model_abdomen(&model, &(struct phantom_variant){.fat_percent = 20});
	uint16_t *pixels = calloc((size_t)4 * 96 * 96, sizeof *pixels);
	assert_non_null(pixels);
	grid_to_voxel(&scan.grid, liver, voxel);
	assert_ok(phantom_multi_echo_slice(pixels, &model, &course, &scan, &view,
					   (int)lround(voxel[2]), &st),
		  &st);
	size_t at = (size_t)(lround(voxel[1]) * 96 + lround(voxel[0]));
	for (int e = 0; e < 4; e++) {
		double turn = 2 * PI * 434.29 * scan.te_ms[e] / 1000;
		double swing = sqrt(0.64 + 0.04 + 0.32 * cos(turn));
		assert_close(pixels[(size_t)e * 96 * 96 + at],
			     PHANTOM_LIVER_SIGNAL * swing * exp(-scan.te_ms[e] * 0.045), 1, 0);
	}
	/* half a turn after 1.1513 ms: what is left is 1 - 2 * 0.2 */
	assert_close(pixels[at], PHANTOM_LIVER_SIGNAL * 0.6 * exp(-1.1513 * 0.045), 1, 0);
	free(pixels);
}

/* Most of the dome tumour lies in a rim of 150 /s and more, or without signal; the others do not,
 * and their uptake is what it is without gas. */
static void gas_takes_the_dome_tumour_only(void **state)
{
	(void)state;
	struct phantom_model model, plain;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	int lost[PHANTOM_MAX_TUMOURS] = {0}, all[PHANTOM_MAX_TUMOURS] = {0};
	double highest = 0;
	phantom_model_abdomen(&model, &(struct phantom_variant){.gas = true});
	phantom_model_abdomen(&plain, &(struct phantom_variant){.gas = false});
	assert_int_equal(model.n_tumours, 5);
	assert_int_equal(phantom_vois(vois, &model), 8);
	assert_string_equal(vois[7].name, "Dome tumour");
	for (int i = 0; i < 5 * 8000; i++) {
		const struct phantom_ellipsoid *shape = &model.tumours[i / 8000].shape;
		struct phantom_tissue tissue;
		double point[3], weights[PHANTOM_MAX_FIELDS], same[PHANTOM_MAX_FIELDS];
		const int at[3] = {i % 20, i / 20 % 20, i / 400 % 20};
		for (int axis = 0; axis < 3; axis++)
			point[axis] = shape->centre_mm[axis] +
				      shape->semi_mm[axis] * (2 * (at[axis] + 0.5) / 20 - 1);
		if (phantom_distance_mm(&model, &vois[3 + i / 8000], point) > 0)
			continue;
		phantom_tissue_at(&tissue, &model, point, 0);
		all[i / 8000]++;
		lost[i / 8000] += tissue.r2star_per_s > 150 || tissue.s0 < 2000;
		highest = fmax(highest, tissue.r2star_per_s);
		if (i / 8000 == 4)
			continue;
		phantom_weights(weights, &model, point);
		phantom_weights(same, &plain, point);
		assert_memory_equal(weights, same, 6 * sizeof weights[0]);
	}
	assert_true(lost[4] > 0.6 * all[4]);
	assert_true(highest > 400 && highest < 520);
	for (int i = 0; i < 4; i++)
		assert_int_equal(lost[i], 0);
}

/* ---- vials, follow-up ---- */

static void vials_decay_as_they_are_filled(void **state)
{
	(void)state;
	struct phantom_rack rack;
	struct phantom_scan scan = {.grid = make_grid(128, 3, 1.5, 5),
				    .echoes = 2,
				    .te_ms = {1.33, 2.48},
				    .snr = (double)INFINITY};
	phantom_rack_make(&rack, 228.9);
	uint16_t *pixels = calloc((size_t)2 * 128 * 128, sizeof *pixels);
	assert_non_null(pixels);
	phantom_rack_slice(pixels, &rack, &scan, 1);
	for (int i = 0; i < rack.n_vials; i++) {
		const double centre[3] = {rack.vials[i].centre_mm[0], rack.vials[i].centre_mm[1],
					  0};
		double voxel[3];
		grid_to_voxel(&scan.grid, centre, voxel);
		for (int e = 0; e < 2; e++)
			assert_close(
			    pixels[e * 128 * 128 + lround(voxel[1]) * 128 + lround(voxel[0])],
			    PHANTOM_LIVER_SIGNAL *
				exp(-scan.te_ms[e] / 1000 *
				    (14 + 228.9 * rack.vials[i].microspheres_mg_per_ml)),
			    0.51, 0);
	}
	free(pixels);
}

/* All counts together are what decay has left of every injection, blurred or not; noise adds none
 * on average. */
static void follow_up_counts_what_is_left(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_emission emission = {.grid = make_grid(80, 42, 4.8, 4.8),
					    .age_h = {48, 47.5, 47, 46.5},
					    .half_life_h = 26.8,
					    .counts_per_mbq = 1000,
					    .threads = 2};
	static const double activities_mbq[4] = {560, 1680, 1680, 1680};
	make_treatment(&model, &integrals, &course, &(struct phantom_variant){.sharp = false});
	assert_ok(phantom_solve(&course, &model, &integrals, &st), &st);
	double expected = 0;
	for (int j = 0; j < 4; j++)
		expected += 1000 * activities_mbq[j] * exp2(-emission.age_h[j] / 26.8);
	for (int how = 0; how < 3; how++) {
		struct volume counts = VOLUME_INIT;
		double sum = 0;
		emission.fwhm_mm = how == 1 ? 9 : 0;
		emission.noisy = how == 2;
		assert_ok(phantom_emission_counts(&counts, &model, &course, &emission, &st), &st);
		for (size_t at = 0; at < grid_voxels(&emission.grid); at++)
			sum += (double)counts.samples[at];
		assert_close(sum, expected, how == 2 ? 5 * sqrt(expected) : 0, 2e-3);
		volume_free(&counts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(poses_are_as_far_apart_as_asked),
	    cmocka_unit_test(breathing_is_a_shear),
	    cmocka_unit_test(signals_move_with_the_patient),
	    cmocka_unit_test(each_position_stays_in_its_part),
	    cmocka_unit_test(an_untreated_cap_is_a_cap),
	    cmocka_unit_test(cores_are_cold_or_hot),
	    cmocka_unit_test(fat_swings_against_water),
	    cmocka_unit_test(gas_takes_the_dome_tumour_only),
	    cmocka_unit_test(vials_decay_as_they_are_filled),
	    cmocka_unit_test(follow_up_counts_what_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
