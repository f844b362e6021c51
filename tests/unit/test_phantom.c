/* The phantom's truth against closed forms, its signals against what the field says, its noise
 * against its distribution, and its contours against the shapes' volumes. Nothing here is compared
 * with the phantom's own earlier output. */
#include "check.h"

#include <stdlib.h>

#include "phantom.h"
#include "phantom_pose.h"

#define PI 3.14159265358979323846

static const double activities_mbq[4] = {560, 1680, 1680, 1680};
static const double specific_activities[4] = {12.0, 11.9, 11.8, 11.7};

static void make_course(struct phantom_course *course)
{
	*course = (struct phantom_course){.injections = 4,
					  .relaxivity_per_s_per_mg_per_ml = 217.8,
					  .dose_constant_mj_per_mbq = 15.87,
					  .density_g_per_ml = 1.06};
	memcpy(course->activity_mbq, activities_mbq, sizeof activities_mbq);
	memcpy(course->specific_activity_mbq_per_mg, specific_activities,
	       sizeof specific_activities);
}

static void make_treatment(struct phantom_model *model, struct phantom_integrals *integrals,
			   struct phantom_course *course, bool sharp)
{
	struct status st = STATUS_INIT;
	phantom_model_abdomen(model, &(struct phantom_variant){.sharp = sharp});
	assert_ok(phantom_integrate(integrals, model, 1, 2, &st), &st);
	make_course(course);
	assert_ok(phantom_solve(course, model, integrals, &st), &st);
}

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

/* One ellipsoid liver without tumours or parts, hard edges: volume is 4/3 pi abc. */
static void integrals_meet_closed_form(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_integrals integrals;
	struct phantom_model model = {.axes = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
				      .low_mm = {-60, -50, -40},
				      .high_mm = {60, 50, 40},
				      .liver = {{{1, 2, -1}, {55, 43, 37}}},
				      .liver_bodies = 1,
				      .rim_mm = 8,
				      .sharp = true};
	assert_ok(phantom_integrate(&integrals, &model, 1, 2, &st), &st);
	double volume_ml = 4.0 / 3 * PI * 55 * 43 * 37 / 1000;
	assert_close(integrals.volume_ml[0], volume_ml, 0, 5e-4);
	assert_close(integrals.weight_ml[0][0], volume_ml, 0, 5e-4);
}

static void integrals_converge(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals coarse, fine;
	phantom_model_abdomen(&model, &(struct phantom_variant){.sharp = false});
	assert_ok(phantom_integrate(&coarse, &model, 2, 1, &st), &st);
	assert_ok(phantom_integrate(&fine, &model, 1, 3, &st), &st);
	for (int part = 0; part < 3; part++)
		assert_close(coarse.volume_ml[part], fine.volume_ml[part], 0, 5e-4);
	for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
		assert_close(coarse.weight_ml[0][w], fine.weight_ml[0][w], 0, 1e-5);
	assert_close(fine.volume_ml[1] + fine.volume_ml[2], fine.volume_ml[0], 1e-9, 0);
}

/* Hard edges: a tumour's weight integrates to its ellipsoid, whatever the lines hit. */
static void sharp_tumours_integrate_to_their_volume(void **state)
{
	(void)state;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	static const double volumes_ml[4] = {3, 15, 35, 90};
	make_treatment(&model, &integrals, &course, true);
	for (int i = 0; i < 4; i++) {
		const double *semi = model.tumours[i].shape.semi_mm;
		double volume_ml = 4.0 / 3 * PI * semi[0] * semi[1] * semi[2] / 1000;
		assert_close(volume_ml, volumes_ml[i], 0, 0.01);
		assert_close(integrals.weight_ml[0][PHANTOM_FIELD_TUMOUR + i], volume_ml, 0, 3e-3);
	}
}

/* The liver holds exactly what was injected; its parts and tumours add up. */
static void activity_is_conserved(void **state)
{
	(void)state;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth liver, right, left, healthy, tumour;
	for (int sharp = 0; sharp < 2; sharp++) {
		make_treatment(&model, &integrals, &course, sharp);
		assert_int_equal(phantom_vois(vois, &model), 7);
		phantom_truth(&liver, &model, &integrals, &course, &vois[0]);
		phantom_truth(&right, &model, &integrals, &course, &vois[1]);
		phantom_truth(&left, &model, &integrals, &course, &vois[2]);
		phantom_truth_healthy(&healthy, &model, &integrals, &course, &vois[0]);
		double injected_mbq = 0;
		for (int j = 0; j < 4; j++) {
			injected_mbq += activities_mbq[j];
			double sum_mbq = healthy.activity_mbq[j];
			for (int i = 3; i < 7; i++) {
				phantom_truth(&tumour, &model, &integrals, &course, &vois[i]);
				sum_mbq += tumour.activity_mbq[j];
			}
			assert_close(liver.activity_mbq[j], injected_mbq, 0, 1e-9);
			assert_close(sum_mbq, injected_mbq, 0, 1e-9);
			assert_close(right.activity_mbq[j] + left.activity_mbq[j], injected_mbq, 0,
				     1e-9);
			assert_close(liver.mean_dose_gy[j],
				     15.87 * injected_mbq / (1.06 * liver.volume_ml), 0, 1e-9);
		}
	}
}

/* Tumours: uptake_per_ml * A * k / rho, a straight line but for the third, 15 % below at the end.
 */
static void tumour_doses_are_their_plateaus(void **state)
{
	(void)state;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth truth;
	make_treatment(&model, &integrals, &course, false);
	phantom_vois(vois, &model);
	for (int i = 0; i < 4; i++) {
		phantom_truth(&truth, &model, &integrals, &course, &vois[3 + i]);
		double gy_per_mbq = model.tumours[i].uptake_per_ml * 15.87 / 1.06;
		assert_close(truth.mean_dose_gy[0], gy_per_mbq * 560, 0, 1e-12);
		assert_close(truth.mean_dose_gy[2], gy_per_mbq * 3920, 0, 1e-12);
		assert_close(truth.mean_dose_gy[3], gy_per_mbq * (i == 2 ? 4760 : 5600), 0, 1e-12);
		assert_true(truth.mean_dose_gy[3] > 60 && truth.mean_dose_gy[3] < 200);
		assert_true(truth.tumour_to_normal[3] > 1.5 && truth.tumour_to_normal[3] < 6);
	}
	phantom_truth_healthy(&truth, &model, &integrals, &course, &vois[0]);
	assert_true(truth.mean_dose_gy[3] > 15 && truth.mean_dose_gy[3] < 40);
	assert_string_equal(vois[vois[5].part].name, "Left hemiliver");
}

/* 6 mm along the normal outside every contour the uptake is still the tumour's own. */
static void plateau_reaches_6_mm(void **state)
{
	(void)state;
	struct phantom_model model;
	phantom_model_abdomen(&model, &(struct phantom_variant){.sharp = false});
	for (int i = 0; i < model.n_tumours; i++) {
		const struct phantom_ellipsoid *shape = &model.tumours[i].shape;
		for (int at = 0; at < 900; at++) {
			double theta = PI * (at / 30 + 0.5) / 30, phi = 2 * PI * (at % 30) / 30;
			double unit[3] = {sin(theta) * cos(phi), sin(theta) * sin(phi), cos(theta)};
			double point[3], normal[3], length = 0, weights[PHANTOM_MAX_FIELDS];
			for (int axis = 0; axis < 3; axis++) {
				normal[axis] = unit[axis] / shape->semi_mm[axis];
				length += normal[axis] * normal[axis];
			}
			for (int axis = 0; axis < 3; axis++)
				point[axis] = shape->centre_mm[axis] +
					      shape->semi_mm[axis] * unit[axis] +
					      6 * normal[axis] / sqrt(length);
			phantom_weights(weights, &model, point);
			assert_close(weights[PHANTOM_FIELD_TUMOUR + i], 1, 1e-12, 0);
			assert_close(weights[PHANTOM_FIELD_RIGHT], 0, 1e-12, 0);
			assert_close(weights[PHANTOM_FIELD_LEFT], 0, 1e-12, 0);
		}
	}
}

/* In a tumour's middle all sub-voxels agree: counts are S0 * exp(-te * (25 + relaxivity * c)). */
static void signals_follow_the_field(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	make_treatment(&model, &integrals, &course, false);
	struct phantom_scan scan = {.grid = make_grid(96, 24, 3.75, 7),
				    .echoes = 3,
				    .te_ms = {1.33, 2.48, 3.63},
				    .snr = (double)INFINITY};
	const double *centre = model.tumours[3].shape.centre_mm;
	double voxel[3];
	grid_to_voxel(&scan.grid, centre, voxel);
	struct phantom_pose rest;
	phantom_pose_rest(&rest);
	const struct phantom_view view = {.pose = &rest, .after = {0, 1, 2, 3, 4}, .n_series = 5};
	size_t area = 96 * 96, at = (size_t)lround(voxel[1]) * 96 + (size_t)lround(voxel[0]);
	uint16_t *pixels = calloc(15 * area, sizeof *pixels);
	assert_non_null(pixels);
	assert_ok(phantom_multi_echo_slice(pixels, &model, &course, &scan, &view,
					   (int)lround(voxel[2]), &st),
		  &st);
	double delta = 0;
	for (int series = 0; series < 5; series++) {
		if (series > 0)
			delta += 217.8 * model.tumours[3].uptake_per_ml *
				 activities_mbq[series - 1] / specific_activities[series - 1];
		for (int e = 0; e < 3; e++) {
			double expected =
			    1.15 * PHANTOM_LIVER_SIGNAL * exp(-scan.te_ms[e] * (25 + delta) / 1000);
			assert_close(pixels[(size_t)(series * 3 + e) * area + at], expected, 0.51,
				     0);
		}
	}
	assert_int_equal(pixels[0], 0); /* a corner is air */
	free(pixels);
}

/* Air: Rayleigh, mean sigma sqrt(pi/2), second moment 2 sigma^2; another seed, other noise; the
 * same seed, the same. */
static void noise_is_rician(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	phantom_model_abdomen(&model, &(struct phantom_variant){.sharp = false});
	struct phantom_scan scan = {.grid = make_grid(256, 40, 1.5, 5), .snr = 20, .seed = 7};
	uint16_t *first = calloc(256 * 256, sizeof *first);
	uint16_t *other = calloc(256 * 256, sizeof *other);
	assert_true(first && other);
	assert_ok(phantom_anatomy_slice(first, &model, &scan, 20, &st), &st);
	assert_ok(phantom_anatomy_slice(other, &model, &scan, 20, &st), &st);
	assert_memory_equal(first, other, 256 * 256 * sizeof *first);
	scan.seed = 8;
	assert_ok(phantom_anatomy_slice(other, &model, &scan, 20, &st), &st);
	double sigma = PHANTOM_LIVER_SIGNAL / 20, sum = 0, squares = 0, products = 0;
	int count = 0;
	for (int at = 0; at < 256 * 50; at++, count++) { /* rows above the body */
		sum += first[at];
		squares += (double)first[at] * first[at];
		products += (first[at] - sigma * sqrt(PI / 2)) * (other[at] - sigma * sqrt(PI / 2));
	}
	assert_close(sum / count, sigma * sqrt(PI / 2), 4 * 0.655 * sigma / sqrt(count), 0);
	assert_close(squares / count, 2 * sigma * sigma, 4 * 2 * sigma * sigma / sqrt(count), 0);
	assert_close(products / count, 0, 4 * 0.43 * sigma * sigma / sqrt(count), 0);
	free(first);
	free(other);
}

/* Areas times slice thickness of fine contours against 4/3 pi abc, and corners on the surface. */
static void contours_lie_on_the_surface(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_contour_set set;
	phantom_model_abdomen(&model, &(struct phantom_variant){.sharp = false});
	int count = phantom_vois(vois, &model);
	struct grid grid = make_grid(256, 400, 1.5, 0.5);
	for (int v = 3; v < count; v++) {
		double volume_ml = 0;
		assert_ok(phantom_contours(&set, &model, &vois[v], &grid, 1, &st), &st);
		for (int c = 0; c < set.count; c++) {
			const double *p = set.contours[c].points_mm;
			int n = set.contours[c].points;
			double area = 0;
			for (int i = 0; i < n; i++) {
				int next = (i + 1) % n;
				area += p[3 * i] * p[3 * next + 1] - p[3 * next] * p[3 * i + 1];
				assert_close(phantom_distance_mm(&model, &vois[v], p + 3 * i), 0,
					     1e-6, 0);
			}
			volume_ml += fabs(area) / 2 * 0.5 / 1000;
		}
		const double *semi = model.tumours[vois[v].tumour].shape.semi_mm;
		assert_close(volume_ml, 4.0 / 3 * PI * semi[0] * semi[1] * semi[2] / 1000, 0, 3e-3);
		phantom_contour_set_free(&set);
	}
}

/* E[out^2] = (S^2 - 2 sigma^2) a^2 + 2 sigma^2 for real images whose noise is already in S. */
static void added_microspheres_keep_the_noise_floor(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_scan scan = {.grid = make_grid(64, 3, 1.5, 5), .echoes = 1, .te_ms = {20}};
	double centre[2] = {0, 0};
	assert_ok(phantom_model_slab(&model, &scan.grid, centre, 40, 0, &st), &st);
	struct phantom_course course = {.injections = 1, .relaxivity_per_s_per_mg_per_ml = 217.8};
	for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
		course.level_mg_per_ml[0][w] = 0.25; /* 54.45 /s wherever a weight is 1 */
	float samples[64 * 64], out[64 * 64];
	const double amplitude = 1000, sigma = 40;
	double signal = sqrt(amplitude * amplitude + 2 * sigma * sigma);
	for (int at = 0; at < 64 * 64; at++)
		samples[at] = (float)signal;
	phantom_add_microspheres(out, samples, &model, &course, 1, &scan, sigma, 1);
	double squares = 0, fall = exp(-0.02 * 217.8 * 0.25);
	int count = 0;
	for (int row = 16; row < 48; row++) /* all of it within 34 mm of the middle: no rim */
		for (int column = 16; column < 48; column++, count++)
			squares += (double)out[row * 64 + column] * (double)out[row * 64 + column];
	double expected = amplitude * amplitude * fall * fall + 2 * sigma * sigma;
	assert_close(squares / count, expected, 4 * 2 * amplitude * fall * sigma / sqrt(count), 0);
	assert_true(fabs(squares / count - expected) <
		    0.5 * 2 * sigma * sigma * fall * fall + 0.02 * expected);
	assert_int_equal(out[0], samples[0]); /* outside nothing changes */
}

static void too_greedy_tumours_are_refused(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct phantom_model model;
	struct phantom_integrals integrals;
	struct phantom_course course;
	make_treatment(&model, &integrals, &course, false);
	model.tumours[3].uptake_per_ml = 1e-2;
	assert_int_equal(phantom_solve(&course, &model, &integrals, &st), STATUS_REFUSE);
	status_clear(&st);
	struct grid grid = make_grid(64, 3, 1.5, 5);
	double centre[2] = {0, 0};
	assert_int_equal(phantom_model_slab(&model, &grid, centre, 20, 0, &st), STATUS_REFUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integrals_meet_closed_form),
	    cmocka_unit_test(integrals_converge),
	    cmocka_unit_test(sharp_tumours_integrate_to_their_volume),
	    cmocka_unit_test(activity_is_conserved),
	    cmocka_unit_test(tumour_doses_are_their_plateaus),
	    cmocka_unit_test(plateau_reaches_6_mm),
	    cmocka_unit_test(signals_follow_the_field),
	    cmocka_unit_test(noise_is_rician),
	    cmocka_unit_test(contours_lie_on_the_surface),
	    cmocka_unit_test(added_microspheres_keep_the_noise_floor),
	    cmocka_unit_test(too_greedy_tumours_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
