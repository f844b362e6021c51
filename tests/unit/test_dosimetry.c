/* The chain from maps to figures, against closed forms on a treatment made by hand. */
#include "dosimetry_scene.h"

static const double GY_PER_MBQ_PER_ML = 15.87 / 1.06;

static double dose_gy(double mg_per_ml, double mbq_per_mg)
{
	return mg_per_ml * mbq_per_mg * GY_PER_MBQ_PER_ML;
}

/* ---- the chain ---- */

static void doses_activity_and_ratio_of_one_injection(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	double mass_mg = scene_mass_mg(s, 0.2, 0.8, 0.5);
	s->injection[0].net_activity_mbq = mass_mg * 12;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];

	assert_close(point->voi[TUMOUR_RIGHT].dose.mean, dose_gy(0.8, 12), 0, 1e-5);
	assert_close(point->voi[TUMOUR_LEFT].dose.mean, dose_gy(0.5, 12), 0, 1e-5);
	assert_close(point->voi[TUMOUR_RIGHT].tumour_to_normal, 4, 0, 1e-5);
	assert_close(point->voi[TUMOUR_LEFT].tumour_to_normal, 2.5, 0, 1e-5);
	assert_true(isnan(point->voi[LIVER].tumour_to_normal));
	assert_close(point->voi[LIVER].activity_mbq, mass_mg * 12, 0, 1e-5);
	assert_close(point->voi[LIVER].mass_g, 1.06 * 20 * 16 * 8 * 0.02, 1e-9, 0);
	assert_close(point->recovered_mass_mg, mass_mg, 0, 1e-5);
	assert_close(point->recovery_ratio, 1, 1e-5, 0);
	assert_close(point->mass_increment_ratio, 1, 1e-5, 0);
	assert_close(point->resampled_mass_ratio, 1, 1e-9, 0);
	assert_close(point->injected_mass_mg, mass_mg, 0, 1e-12);
	assert_close(point->s0_scale, 1, 1e-6, 0);
	assert_int_equal(point->flags, 0);
	assert_close(result.relaxivity_used, SCENE_RELAXIVITY, 0, 1e-12);
	/* 100 Gy nowhere, 20 Gy everywhere; both tumours below their 60 Gy or not */
	assert_close(point->voi[LIVER].dose.volume_at_level_ml[0], 51.2, 1e-6, 0);
	assert_close(point->voi[TUMOUR_RIGHT].underdosed_volume_ml[0], 0, 0, 0);
	assert_true(isnan(point->voi[LIVER].underdosed_volume_ml[0]));

	/* healthy liver: whole, then right and left */
	assert_int_equal(point->n_healthy, 3);
	assert_int_equal(point->healthy[0].part_voi, -1);
	assert_int_equal(point->healthy[1].part_voi, RIGHT);
	assert_int_equal(point->voi[TUMOUR_RIGHT].healthy_voi, 1);
	assert_int_equal(point->voi[TUMOUR_LEFT].healthy_voi, 2);
	assert_close(point->healthy[0].figures.dose.mean, dose_gy(0.2, 12), 0, 1e-5);
	assert_close(point->healthy[1].figures.dose.volume_ml, 25.6 - 4 * 5 * 3 * 0.02, 1e-6, 0);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void dose_is_linear_in_specific_activity(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	fill_scan(s, 0, 0.05, 0.1, 0.2);
	fill_scan(s, 1, 0.2, 0.5, 0.6);
	struct dosimetry_result once = scene_run(s);
	s->injection[0].specific_activity_mbq_per_mg *= 2;
	s->injection[1].specific_activity_mbq_per_mg *= 2;
	struct dosimetry_result twice = scene_run(s);
	size_t voxels = grid_voxels(&s->grid);
	for (size_t v = 0; v < voxels; v++)
		assert_true(twice.time_points[1].dose_gy.samples[v] ==
			    2 * once.time_points[1].dose_gy.samples[v]);
	dosimetry_result_free(&once);
	dosimetry_result_free(&twice);
	scene_free(s);
}

/* T9: each fraction by its own specific activity. */
static void every_fraction_has_its_own_specific_activity(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	const double hours[] = {0, 0.33, 0.67, 1.0}, share[] = {0.1, 0.4, 0.7, 1.0};
	double expected_gy = 0;
	for (int i = 0; i < 4; i++) {
		s->injection[i].start_s = 3600 * hours[i];
		s->scan[i].time_s = 3600 * hours[i] + 600;
		s->injection[i].specific_activity_mbq_per_mg = 12 * pow(2, -hours[i] / 26.8);
		fill_scan(s, i, 0.2 * share[i], 0.8 * share[i], 0.5 * share[i]);
		expected_gy += dose_gy(0.8 * (share[i] - (i > 0 ? share[i - 1] : 0)),
				       s->injection[i].specific_activity_mbq_per_mg);
	}
	struct dosimetry_result result = scene_run(s);
	assert_close(result.time_points[3].voi[TUMOUR_RIGHT].dose.mean, expected_gy, 0, 1e-5);
	assert_close(result.time_points[0].voi[TUMOUR_RIGHT].dose.mean, dose_gy(0.08, 12), 0, 1e-5);
	/* one common time would be 1.4 % off */
	assert_true(fabs(expected_gy / dose_gy(0.8, 12) - 1) > 0.012);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* Two injections, only the second imaged: A / (A1/SA1 + A2/SA2). */
static void an_injection_without_a_scan_joins_the_next(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	s->input.n_injections = 3;
	s->injection[1].net_activity_mbq = 100;
	s->injection[1].specific_activity_mbq_per_mg = 11;
	s->injection[2].net_activity_mbq = 300;
	s->injection[2].specific_activity_mbq_per_mg = 14;
	s->scan[1].after_injection = 3;
	s->scan[1].time_s = 6000;
	fill_scan(s, 0, 0.1, 0.2, 0.1);
	fill_scan(s, 1, 0.3, 0.9, 0.4);
	struct dosimetry_result result = scene_run(s);
	double joined = 400 / (100 / 11.0 + 300 / 14.0);
	assert_close(result.time_points[1].voi[TUMOUR_RIGHT].dose.mean,
		     dose_gy(0.2, 12) + dose_gy(0.7, joined), 0, 1e-5);
	assert_close(result.time_points[1].injected_activity_mbq, 500, 1e-9, 0);
	double found_mbq =
	    12 * scene_mass_mg(s, 0.1, 0.2, 0.1) +
	    joined * (scene_mass_mg(s, 0.3, 0.9, 0.4) - scene_mass_mg(s, 0.1, 0.2, 0.1));
	assert_close(result.time_points[1].recovery_ratio, found_mbq / 500, 0, 1e-5);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* A voxel without a value in the middle scan: no dose there, the whole increment at the next. */
static void a_hole_in_one_scan_is_bridged(void **state)
{
	(void)state;
	struct scene *s = scene_new(3);
	s->injection[1].specific_activity_mbq_per_mg = 11;
	s->injection[2].specific_activity_mbq_per_mg = 13;
	for (int i = 0; i < 3; i++)
		fill_scan(s, i, 0.1 * (i + 1), 0.2 * (i + 1), 0.1 * (i + 1));
	size_t v = voxel_at(&s->grid, 10, 10, 4);
	s->after[1].state[v] = R2STAR_NOT_MEASURED;
	s->after[1].r2star_per_s.samples[v] = NAN;
	struct dosimetry_result result = scene_run(s);
	assert_close(result.time_points[0].dose_gy.samples[v], dose_gy(0.1, 12), 0, 1e-5);
	assert_true(isnan(result.time_points[1].dose_gy.samples[v]));
	assert_close(result.time_points[1].voi[LIVER].not_measured_volume_ml, 0.02, 1e-9, 0);
	assert_close(result.time_points[1].region_not_measured_ml, 0.02, 1e-9, 0);
	double joined = 200 / (100 / 11.0 + 100 / 13.0);
	assert_close(result.time_points[2].dose_gy.samples[v],
		     dose_gy(0.1, 12) + dose_gy(0.2, joined), 0, 1e-5);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void negatives_stay(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, -0.05);
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_voi_result *tumour = &result.time_points[0].voi[TUMOUR_LEFT];
	assert_close(tumour->dose.mean, dose_gy(-0.05, 12), 0, 1e-4);
	assert_true(tumour->activity_mbq < 0 && tumour->tumour_to_normal < 0);
	assert_close(result.time_points[0].recovered_mass_mg, scene_mass_mg(s, 0.2, 0.8, -0.05), 0,
		     1e-5);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* T5: tumour 25, liver 45 /s at 217.8: the region mean takes off 20 /s too much, 16.5 Gy at 12
 * MBq/mg. */
static void region_mean_baseline_underdoses_by_16_5_gy(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	struct dosimetry_result voxelwise = scene_run(s);
	s->params.baseline = BASELINE_REGION_MEAN;
	struct dosimetry_result region = scene_run(s);
	double lost_gy = voxelwise.time_points[0].voi[TUMOUR_RIGHT].dose.mean -
			 region.time_points[0].voi[TUMOUR_RIGHT].dose.mean;
	assert_close(voxelwise.time_points[0].voi[TUMOUR_RIGHT].dose.mean, dose_gy(0.8, 12), 0,
		     1e-5);
	assert_measured("T5", "lost by the region-mean baseline", lost_gy, 16.5, 0.05, 0, "Gy");
	assert_close(region.time_points[0].region_baseline_r2star_per_s, 45, 1e-4, 0);
	assert_close(voxelwise.time_points[0].region_baseline_r2star_per_s, 45, 1e-4, 0);
	dosimetry_result_free(&voxelwise);
	dosimetry_result_free(&region);
	scene_free(s);
}

static void relaxivity_follows_the_holmium_content_of_each_batch(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	s->injection[1].holmium_percent = 17;
	fill_scan(s, 0, 0.1, 0.4, 0.2);
	fill_scan(s, 1, 0.2, 0.8, 0.4);
	struct dosimetry_result result = scene_run(s);
	assert_close(result.time_points[1].voi[TUMOUR_RIGHT].dose.mean,
		     dose_gy(0.4, 12) + dose_gy(0.4 * 19.5 / 17, 12), 0, 1e-5);
	assert_close(result.relaxivity_used, SCENE_RELAXIVITY * 17 / 19.5, 0, 1e-12);
	assert_int_equal(result.time_points[1].flags & DOSIMETRY_CONTENT_UNSCALED, 0);
	dosimetry_result_free(&result);
	s->injection[0].holmium_percent = NAN;
	result = scene_run(s);
	assert_true(result.time_points[0].flags & DOSIMETRY_CONTENT_UNSCALED);
	assert_true(result.time_points[1].flags & DOSIMETRY_CONTENT_UNSCALED);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* ---- what is not evaluated, saturated, or from S0 ---- */

static void outside_the_evaluated_region_there_is_no_dose(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	size_t weak = voxel_at(&s->grid, 3, 3, 2), artefact = voxel_at(&s->grid, 4, 3, 2);
	size_t unfitted = voxel_at(&s->grid, 5, 3, 2), air = voxel_at(&s->grid, 0, 0, 0);
	s->baseline.s0.samples[weak] = 4.9f;
	s->baseline.r2star_per_s.samples[artefact] = 201;
	s->baseline.state[unfitted] = R2STAR_FEW_ECHOES;
	s->baseline.r2star_per_s.samples[unfitted] = NAN;
	s->baseline.state[air] = R2STAR_NOT_MEASURED;
	s->baseline.r2star_per_s.samples[air] = NAN;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	assert_true(isnan(point->dose_gy.samples[weak]) && isnan(point->dose_gy.samples[artefact]));
	assert_true(isnan(point->dose_gy.samples[unfitted]) && isnan(point->dose_gy.samples[air]));
	assert_close(point->voi[LIVER].not_measured_volume_ml, 0.06, 1e-6, 0);
	assert_close(point->voi[LIVER].dose.volume_ml, 51.2, 1e-6, 0);
	assert_close(point->region_not_measured_ml, 0.06, 1e-6, 0);
	assert_close(result.excluded_artefact_ml, 0.02, 1e-9, 0);
	assert_close(result.evaluated_volume_ml, (24 * 20 * 10 - 4) * 0.02, 1e-6, 0);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* One voxel with a weak and one without a usable first echo, after injection; the series is 1.1
 * times brighter. */
static void hot_voxels_come_from_the_baselines_s0(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	size_t voxels = grid_voxels(&s->grid), few = voxel_at(&s->grid, 5, 6, 4);
	size_t dark = voxel_at(&s->grid, 5, 7, 4);
	for (size_t v = 0; v < voxels; v++)
		s->after[0].s0.samples[v] = 110;
	s->after[0].state[few] = R2STAR_FEW_ECHOES;
	s->after[0].first_echo.samples[few] = 6;
	s->after[0].state[dark] = R2STAR_NO_ECHO;
	s->after[0].first_echo.samples[dark] = 0.5f;
	s->after[0].r2star_per_s.samples[few] = s->after[0].r2star_per_s.samples[dark] = NAN;

	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	double few_r2star = -log(sqrt(6 * 6 - 2) / 110) / 1.33e-3;
	double dark_r2star = -log(sqrt(2 * 2 - 2) / 110) / 1.33e-3;
	assert_close(point->s0_scale, 1.1, 1e-6, 0);
	assert_close(point->dose_gy.samples[few], dose_gy((few_r2star - 25) / SCENE_RELAXIVITY, 12),
		     0, 1e-5);
	assert_close(point->dose_gy.samples[dark],
		     dose_gy((dark_r2star - 25) / SCENE_RELAXIVITY, 12), 0, 1e-5);
	assert_close(point->voi[TUMOUR_RIGHT].s0_known_volume_ml, 0.02, 1e-9, 0);
	assert_close(point->voi[TUMOUR_RIGHT].saturated_volume_ml, 0.02, 1e-9, 0);
	assert_close(point->voi[TUMOUR_LEFT].saturated_volume_ml, 0, 0, 0);
	assert_close(point->region_saturated_ml, 0.02, 1e-9, 0);
	assert_true(point->flags & DOSIMETRY_SATURATED_VOXELS);
	/* the caller's map is as it was */
	assert_int_equal(s->after[0].state[few], R2STAR_FEW_ECHOES);
	assert_true(isnan(s->after[0].r2star_per_s.samples[few]));
	dosimetry_result_free(&result);

	s->scan[0].flip_deg = 60;
	result = scene_run(s);
	point = &result.time_points[0];
	assert_true(isnan(point->dose_gy.samples[few]) && isnan(point->dose_gy.samples[dark]));
	assert_close(point->voi[TUMOUR_RIGHT].not_measured_volume_ml, 0.04, 1e-9, 0);
	assert_true(point->flags & DOSIMETRY_S0_KNOWN_OFF);
	assert_true(point->flags & DOSIMETRY_TR_FLIP_DIFFER);
	assert_false(point->flags & DOSIMETRY_SATURATED_VOXELS);
	dosimetry_result_free(&result);

	s->scan[0].flip_deg = NAN;
	result = scene_run(s);
	assert_true(!isnan(result.time_points[0].dose_gy.samples[few]));
	assert_true(result.time_points[0].flags & DOSIMETRY_TR_FLIP_UNKNOWN);
	assert_false(result.time_points[0].flags & DOSIMETRY_S0_KNOWN_OFF);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* An edge that moved: a voxel outside the liver, bright before, shows one weak echo after. */
static void a_hot_voxel_outside_the_liver_is_told(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	size_t edge = voxel_at(&s->grid, 0, 10, 5);
	s->after[0].r2star_per_s.samples[edge] = 45 + (float)(0.9 * SCENE_RELAXIVITY);

	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	assert_close(point->outside_maximum_gy, dose_gy(0.9, 12), 0, 1e-5);
	assert_close(point->outside_hot_ml, 0.02, 1e-9, 0);
	assert_false(point->flags & DOSIMETRY_HOT_OUTSIDE); /* fitted: it was measured */
	dosimetry_result_free(&result);

	s->after[0].state[edge] = R2STAR_FEW_ECHOES;
	s->after[0].first_echo.samples[edge] = 5;
	s->after[0].r2star_per_s.samples[edge] = NAN;
	result = scene_run(s);
	point = &result.time_points[0];
	double r2star = -log(sqrt(5 * 5 - 2) / 100) / 1.33e-3;
	assert_close(point->outside_maximum_gy, dose_gy((r2star - 45) / SCENE_RELAXIVITY, 12), 0,
		     1e-5);
	assert_true(point->flags & DOSIMETRY_HOT_OUTSIDE);
	assert_false(point->flags & DOSIMETRY_SATURATED_VOXELS);
	assert_close(point->s0_known_ml, 0.02, 1e-9, 0);
	assert_close(point->saturated_ml, 0, 0, 0);
	assert_close(result.usable_sigma, 4, 0, 0);
	dosimetry_result_free(&result);

	s->input.n_vois = 0;
	result = scene_run(s);
	assert_true(isnan(result.time_points[0].outside_maximum_gy));
	assert_false(result.time_points[0].flags & DOSIMETRY_HOT_OUTSIDE);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* ---- other grids and frames ---- */

/* Smooth uptake, so that interpolation loses nothing to speak of. */
static float smooth_mg_per_ml(const double mm[3])
{
	double x = (mm[0] - 4) / 11, y = (mm[1] + 11) / 10, z = (mm[2] - 62) / 11;
	return (float)(0.8 * exp(-(x * x + y * y + z * z)));
}

static void fill_smooth(struct r2star_map *map, float baseline_per_s, const double *to_result_frame)
{
	const struct grid *grid = &map->r2star_per_s.grid;
	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j++) {
			for (int i = 0; i < grid->columns; i++) {
				double voxel[3] = {i, j, k}, p[3], q[3];
				grid_to_patient(grid, voxel, p);
				for (int r = 0; r < 3; r++)
					q[r] = to_result_frame
						   ? to_result_frame[4 * r] * p[0] +
							 to_result_frame[4 * r + 1] * p[1] +
							 to_result_frame[4 * r + 2] * p[2] +
							 to_result_frame[4 * r + 3]
						   : p[r];
				map->r2star_per_s.samples[voxel_at(grid, i, j, k)] =
				    baseline_per_s + smooth_mg_per_ml(q) * (float)SCENE_RELAXIVITY;
			}
		}
	}
}

/* What linear interpolation at a quarter of a slice off the centre makes of the right tumour's
 * mean. */
static double mean_of_halved_slices(const struct dosimetry_result *coarse)
{
	const struct volume *dose = &coarse->time_points[0].dose_gy;
	double sum = 0, count = 0;
	for (int k = 3; k <= 5; k++) {
		for (int j = 5; j <= 9; j++) {
			for (int i = 4; i <= 7; i++) {
				sum += 0.75 * (double)dose->samples[voxel_at(&dose->grid, i, j, k)];
				sum += 0.125 *
				       (double)dose->samples[voxel_at(&dose->grid, i, j, k - 1)];
				sum += 0.125 *
				       (double)dose->samples[voxel_at(&dose->grid, i, j, k + 1)];
				count++;
			}
		}
	}
	return sum / count;
}

/* The result on slices half as thick; masks made for that grid. */
static void a_finer_result_grid_keeps_mass_and_dose(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	struct status st = STATUS_INIT;
	fill_smooth(&s->after[0], 45, NULL);
	size_t voxels = grid_voxels(&s->grid);
	for (size_t v = 0; v < voxels; v++)
		s->baseline.r2star_per_s.samples[v] = 45;
	struct dosimetry_result coarse = scene_run(s);

	struct grid fine = s->grid;
	fine.slices *= 2;
	fine.slice_step_mm[2] /= 2;
	fine.origin_mm[2] -= 1.25;
	struct mask fine_mask[SCENE_VOIS];
	for (int voi = 0; voi < SCENE_VOIS; voi++) {
		fine_mask[voi] = (struct mask)MASK_INIT;
		assert_ok(mask_new(&fine_mask[voi], &fine, &st), &st);
		for (int k = 0; k < fine.slices; k++)
			memcpy(fine_mask[voi].coverage + (size_t)k * 24 * 20,
			       s->mask[voi].coverage + (size_t)(k / 2) * 24 * 20,
			       24 * 20 * sizeof(float));
		mask_update_bounds(&fine_mask[voi]);
		s->voi[voi].mask = &fine_mask[voi];
	}
	s->input.result_grid = &fine;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	assert_close(point->recovered_mass_mg, coarse.time_points[0].recovered_mass_mg, 0, 1e-6);
	assert_close(point->resampled_mass_ratio, 1, 0.005, 0);
	assert_close(point->voi[TUMOUR_RIGHT].dose.mean, mean_of_halved_slices(&coarse), 0, 1e-5);
	assert_close(point->region_baseline_r2star_per_s, 45, 1e-4, 0);
	for (int voi = 0; voi < SCENE_VOIS; voi++)
		mask_free(&fine_mask[voi]);
	dosimetry_result_free(&result);
	dosimetry_result_free(&coarse);
	scene_free(s);
}

/* The same patient scanned turned by 8 degrees and shifted, in a frame of its own, with the
 * transform known. */
static void a_registered_scan_gives_the_same_figures(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	size_t voxels = grid_voxels(&s->grid);
	for (size_t v = 0; v < voxels; v++)
		s->baseline.r2star_per_s.samples[v] = 45;
	fill_smooth(&s->after[0], 45, NULL);
	struct dosimetry_result same = scene_run(s);

	/* result frame -> scan frame: turned about z through (4, -11), then shifted */
	double c = cos(8 * M_PI / 180), d = sin(8 * M_PI / 180), x = 4, y = -11;
	const double there[12] = {
	    c, -d, 0, x - c * x + d * y + 100, d, c, 0, y - d * x - c * y - 50, 0, 0, 1, 7};
	const double back[12] = {c,  d, 0, -(c * there[3] + d * there[7]),
				 -d, c, 0, d * there[3] - c * there[7],
				 0,  0, 1, -7};
	struct grid moved = s->grid;
	moved.origin_mm[0] +=
	    100 - 10; /* shifted with the patient, and larger than what it shows */
	moved.origin_mm[1] += -50 - 10;
	moved.origin_mm[2] += 7;
	moved.columns = 34;
	moved.rows = 30;
	strcpy(moved.frame_of_reference, "9.9.9");
	struct r2star_map map = {.state = NULL};
	map_new(&map, &moved, 45);
	fill_smooth(&map, 45, back);
	s->scan[0].map = &map;
	struct status st = STATUS_INIT;
	struct dosimetry_result result = {.n_time_points = 0};
	assert_int_equal(dosimetry_run(&result, &s->input, &s->params, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "after injection 1"));
	assert_non_null(strstr(st.text, "frame of reference 9.9.9"));
	s->scan[0].to_result = there;
	result = scene_run(s);
	const struct dosimetry_time_point *a = &same.time_points[0], *b = &result.time_points[0];
	assert_close(b->voi[TUMOUR_RIGHT].dose.mean, a->voi[TUMOUR_RIGHT].dose.mean, 0, 0.01);
	assert_close(b->voi[LIVER].dose.mean, a->voi[LIVER].dose.mean, 0, 0.01);
	assert_close(b->recovered_mass_mg, a->recovered_mass_mg, 0, 0.01);
	assert_close(b->resampled_mass_ratio, 1, 0.01, 0);
	r2star_map_free(&map);
	dosimetry_result_free(&result);
	dosimetry_result_free(&same);
	scene_free(s);
}

/* ---- parts, trend ---- */

static void recovery_per_part(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	s->injection[0].part_voi = RIGHT;
	s->injection[1].part_voi = LEFT;
	s->injection[1].position = 1;
	s->injection[1].net_activity_mbq = 50;
	fill_scan(s, 0, 0.1, 0.3, 0.1);
	fill_scan(s, 1, 0.2, 0.3, 0.6);
	struct dosimetry_result result = scene_run(s);
	double right_ml = 25.6 - 1.2, left_ml = 25.6 - 1.44;
	assert_close(result.time_points[0].part_recovery_ratio[RIGHT],
		     12 * (0.1 * right_ml + 0.3 * 1.2) / 100, 0, 1e-5);
	assert_true(isnan(result.time_points[0].part_recovery_ratio[LEFT]));
	assert_close(result.time_points[1].part_recovery_ratio[LEFT],
		     12 * (0.2 * left_ml + 0.6 * 1.44) / 50, 0, 1e-5);
	assert_true(isnan(result.time_points[1].part_recovery_ratio[TUMOUR_LEFT]));
	dosimetry_result_free(&result);
	s->injection[0].part_voi = -1;
	result = scene_run(s);
	assert_true(isnan(result.time_points[1].part_recovery_ratio[LEFT]));
	dosimetry_result_free(&result);
	scene_free(s);
}

/* T6 through the whole chain: right tumour cut by 25 % of its last step, left by 40 %. */
static void trend_at_the_last_injection(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	const double share[] = {0.1, 0.4, 0.7, 1.0};
	for (int i = 0; i < 4; i++) {
		s->injection[i].net_activity_mbq = 100 * (share[i] - (i > 0 ? share[i - 1] : 0));
		fill_scan(s, i, 0.2 * share[i], 0.8 * (i < 3 ? share[i] : 0.925),
			  0.5 * (i < 3 ? share[i] : 0.88));
	}
	struct dosimetry_result result = scene_run(s);
	const struct uptake_result *right = &result.time_points[3].trend[TUMOUR_RIGHT];
	const struct uptake_result *left = &result.time_points[3].trend[TUMOUR_LEFT];
	assert_int_equal(right->trend, UPTAKE_LINEAR);
	assert_close(right->deviation_percent, -7.5, 0.01, 0);
	assert_int_equal(left->trend, UPTAKE_SATURATING);
	assert_close(left->deviation_percent, -12, 0.01, 0);
	assert_int_equal(result.time_points[2].trend[TUMOUR_LEFT].trend, UPTAKE_NOT_ASSESSED);
	assert_int_equal(result.time_points[3].trend[LIVER].trend, UPTAKE_NOT_ASSESSED);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* Four injections right, then one left: the right tumour's trend stands, the left one has a single
 * point. */
static void trend_is_per_position(void **state)
{
	(void)state;
	struct scene *s = scene_new(5);
	for (int i = 0; i < 5; i++) {
		s->injection[i].part_voi = i < 4 ? RIGHT : LEFT;
		s->injection[i].position = i < 4 ? 0 : 1;
		double fed = i < 4 ? i + 1 : 4;
		fill_scan(s, i, 0.05 * fed, 0.2 * (i < 3 ? fed : 3.4), i < 4 ? 0 : 0.4);
	}
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(result.time_points[3].trend[TUMOUR_RIGHT].trend, UPTAKE_SATURATING);
	assert_close(result.time_points[4].trend[TUMOUR_RIGHT].deviation_percent, -15, 0.01, 0);
	assert_int_equal(result.time_points[4].trend[TUMOUR_LEFT].trend, UPTAKE_NOT_ASSESSED);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* One injection by a first position, four by another that feeds the tumour half as well: linear
 * there, the first is only where its line starts. */
static void another_position_starts_another_line(void **state)
{
	(void)state;
	struct scene *s = scene_new(5);
	const double right[] = {0.4, 0.5, 0.6, 0.7, 0.8};
	for (int i = 0; i < 5; i++) {
		s->injection[i].position = i > 0;
		s->injection[i].net_activity_mbq = i > 0 ? 100 : 200;
		fill_scan(s, i, 0.1 * (i + 1), right[i], 0.1);
	}
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(result.time_points[3].trend[TUMOUR_RIGHT].trend, UPTAKE_NOT_ASSESSED);
	assert_int_equal(result.time_points[4].trend[TUMOUR_RIGHT].trend, UPTAKE_LINEAR);
	assert_close(result.time_points[4].trend[TUMOUR_RIGHT].deviation_percent, 0, 1e-3, 0);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* ---- flags ---- */

static void flags_say_what_is_odd(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	fill_scan(s, 1, 0.4, 1.6, 1.0);
	double mass_mg = scene_mass_mg(s, 0.2, 0.8, 0.5);
	s->injection[0].net_activity_mbq = 12 * mass_mg;
	s->injection[1].net_activity_mbq = 12 * mass_mg * 1.9; /* 53 % found */
	s->injection[1].residual_pending = true;
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(result.time_points[0].flags, 0);
	assert_int_equal(result.time_points[1].flags, DOSIMETRY_RESIDUAL_PENDING |
							  DOSIMETRY_RECOVERY_JUMP |
							  DOSIMETRY_RECOVERY_OUTSIDE);
	dosimetry_result_free(&result);

	s->injection[1].net_activity_mbq = 12 * mass_mg * 2.1;
	result = scene_run(s);
	assert_true(result.time_points[1].flags & DOSIMETRY_ORDER_UNCLEAR);
	assert_close(result.time_points[1].mass_increment_ratio, 1 / 2.1, 0, 1e-4);
	dosimetry_result_free(&result);

	s->injection[1].net_activity_mbq = NAN;
	result = scene_run(s);
	assert_true(result.time_points[1].flags & DOSIMETRY_ACTIVITY_UNKNOWN);
	assert_true(isnan(result.time_points[1].recovery_ratio));
	assert_true(isnan(result.time_points[1].injected_activity_mbq));
	assert_close(result.time_points[1].voi[TUMOUR_RIGHT].dose.mean, dose_gy(1.6, 12), 0, 1e-5);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void dose_only_without_vois(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	struct dosimetry_result with = scene_run(s);
	s->input.n_vois = 0;
	struct dosimetry_result without = scene_run(s);
	const struct dosimetry_time_point *point = &without.time_points[0];
	assert_memory_equal(point->dose_gy.samples, with.time_points[0].dose_gy.samples,
			    grid_voxels(&s->grid) * sizeof(float));
	assert_int_equal(point->flags, DOSIMETRY_NO_LIVER | DOSIMETRY_NO_TUMOUR);
	assert_true(isnan(point->recovery_ratio) && isnan(point->region_volume_ml));
	assert_int_equal(point->n_healthy, 0);
	dosimetry_result_free(&with);
	dosimetry_result_free(&without);
	scene_free(s);
}

static void tumours_without_parts_or_liver(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	s->voi[RIGHT].role = s->voi[LEFT].role = VOI_OTHER;
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(result.time_points[0].n_healthy, 1);
	assert_int_equal(result.time_points[0].voi[TUMOUR_LEFT].healthy_voi, 0);
	assert_close(result.time_points[0].voi[TUMOUR_LEFT].tumour_to_normal, 2.5, 0, 1e-5);
	dosimetry_result_free(&result);
	s->voi[LIVER].role = VOI_OTHER;
	result = scene_run(s);
	assert_true(isnan(result.time_points[0].voi[TUMOUR_LEFT].tumour_to_normal));
	assert_int_equal(result.time_points[0].voi[TUMOUR_LEFT].healthy_voi, -1);
	assert_int_equal(result.time_points[0].flags, DOSIMETRY_NO_LIVER);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void threads_change_no_bit(void **state)
{
	(void)state;
	struct scene *s = scene_new(3);
	for (int i = 0; i < 3; i++)
		fill_smooth(&s->after[i], 45 + 10 * (float)i, NULL);
	s->params.threads = 1;
	struct dosimetry_result one = scene_run(s);
	s->params.threads = 7;
	struct dosimetry_result seven = scene_run(s);
	for (int i = 0; i < 3; i++) {
		struct dosimetry_time_point *a = &one.time_points[i], *b = &seven.time_points[i];
		assert_memory_equal(a->dose_gy.samples, b->dose_gy.samples,
				    grid_voxels(&s->grid) * sizeof(float));
		assert_memory_equal(a->voi, b->voi, sizeof a->voi);
		assert_memory_equal(&a->recovery_ratio, &b->recovery_ratio, sizeof(double));
	}
	dosimetry_result_free(&one);
	dosimetry_result_free(&seven);
	scene_free(s);
}

/* ---- refusals, each with its words ---- */

static void expect_refusal(const struct scene *s, const char *words)
{
	struct status st = STATUS_INIT;
	struct dosimetry_result result = {.n_time_points = 0};
	enum status_code code = dosimetry_run(&result, &s->input, &s->params, &st);
	if (code != STATUS_REFUSE || !strstr(st.text, words))
		print_error("expected a refusal with \"%s\", got %s \"%s\"\n", words,
			    status_name(code), st.text);
	assert_int_equal(code, STATUS_REFUSE);
	assert_non_null(strstr(st.text, words));
	assert_int_equal(result.n_time_points, 0);
	assert_null(result.time_points);
}

static void refused_inputs(void **state)
{
	(void)state;
	struct scene *s = scene_new(2), keep = *s;
	fill_scan(s, 0, 0.1, 0.4, 0.2);
	fill_scan(s, 1, 0.2, 0.8, 0.5);

	s->params.relaxivity_per_s_per_mg_per_ml = NAN;
	expect_refusal(s, "no relaxivity");
	*s = keep;
	s->injection[1].specific_activity_mbq_per_mg = NAN;
	expect_refusal(s, "injection 2: no specific activity");
	*s = keep;
	s->scan[1].after_injection = 1;
	expect_refusal(s, "series out of order");
	*s = keep;
	s->scan[1].time_s = 10;
	expect_refusal(s, "series out of order");
	*s = keep;
	s->scan[1].after_injection = 3;
	expect_refusal(s, "only 2 injections are known");
	*s = keep;
	s->injection[1].number = 3;
	expect_refusal(s, "numbered 1, 2");
	*s = keep;
	s->injection[1].start_s = 0;
	expect_refusal(s, "injection 2 starts before injection 1");
	*s = keep;
	s->injection[0].net_activity_mbq = -3;
	expect_refusal(s, "net activity -3 MBq");
	*s = keep;
	s->input.n_scans = 0;
	expect_refusal(s, "0 series after injection");
	*s = keep;
	s->params.baseline = BASELINE_REGION_MEAN;
	s->voi[LIVER].role = VOI_OTHER;
	expect_refusal(s, "region-mean baseline needs a liver VOI");
	*s = keep;
	s->params.body_snr = 1000;
	expect_refusal(s, "baseline: no voxel");
	*s = keep;
	s->voi[RIGHT].role = VOI_LIVER;
	expect_refusal(s, "two VOIs are the liver: \"Liver\" and \"Right\"");
	*s = keep;
	strcpy(s->baseline.r2star_per_s.grid.frame_of_reference, "7.7");
	expect_refusal(s, "baseline: lies in frame of reference 7.7");
	*s = keep;
	scene_free(s);
}

static void overlapping_contours(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	/* 3 of the left tumour's 72 voxels also in the right one: 5 % of its 60 are 3 */
	for (int k = 4; k <= 6; k++)
		s->mask[TUMOUR_RIGHT].coverage[voxel_at(&s->grid, 15, 8, k)] = 1;
	mask_update_bounds(&s->mask[TUMOUR_RIGHT]);
	struct dosimetry_result result = scene_run(s);
	assert_true(result.time_points[0].flags & DOSIMETRY_TUMOURS_OVERLAP);
	dosimetry_result_free(&result);
	s->mask[TUMOUR_RIGHT].coverage[voxel_at(&s->grid, 16, 8, 4)] = 1;
	expect_refusal(s, "tumours \"Tumour 1\" and \"Tumour 2\" overlap by 0.08 mL");

	/* half in each part */
	s->input.n_vois = 4;
	for (int k = 0; k < 10; k++) {
		for (int j = 0; j < 20; j++) {
			for (int i = 0; i < 24; i++)
				s->mask[TUMOUR_RIGHT].coverage[voxel_at(&s->grid, i, j, k)] =
				    i >= 10 && i <= 13 && j > 5 && j < 9 && k == 4 ? 1 : 0;
		}
	}
	mask_update_bounds(&s->mask[TUMOUR_RIGHT]);
	expect_refusal(s, "tumour \"Tumour 1\" lies as much in");
	s->voi[TUMOUR_RIGHT].part_voi = LEFT; /* the record says */
	result = scene_run(s);
	assert_int_equal(result.time_points[0].voi[TUMOUR_RIGHT].healthy_voi, 2);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void every_flag_has_words(void **state)
{
	(void)state;
	for (unsigned bit = 1; bit <= DOSIMETRY_LAST_FLAG; bit <<= 1)
		assert_string_not_equal(dosimetry_flag_text((enum dosimetry_flag)bit),
					"unknown flag");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(doses_activity_and_ratio_of_one_injection),
	    cmocka_unit_test(dose_is_linear_in_specific_activity),
	    cmocka_unit_test(every_fraction_has_its_own_specific_activity),
	    cmocka_unit_test(an_injection_without_a_scan_joins_the_next),
	    cmocka_unit_test(a_hole_in_one_scan_is_bridged),
	    cmocka_unit_test(negatives_stay),
	    cmocka_unit_test(region_mean_baseline_underdoses_by_16_5_gy),
	    cmocka_unit_test(relaxivity_follows_the_holmium_content_of_each_batch),
	    cmocka_unit_test(outside_the_evaluated_region_there_is_no_dose),
	    cmocka_unit_test(hot_voxels_come_from_the_baselines_s0),
	    cmocka_unit_test(a_hot_voxel_outside_the_liver_is_told),
	    cmocka_unit_test(a_finer_result_grid_keeps_mass_and_dose),
	    cmocka_unit_test(a_registered_scan_gives_the_same_figures),
	    cmocka_unit_test(recovery_per_part),
	    cmocka_unit_test(trend_at_the_last_injection),
	    cmocka_unit_test(trend_is_per_position),
	    cmocka_unit_test(another_position_starts_another_line),
	    cmocka_unit_test(flags_say_what_is_odd),
	    cmocka_unit_test(dose_only_without_vois),
	    cmocka_unit_test(tumours_without_parts_or_liver),
	    cmocka_unit_test(threads_change_no_bit),
	    cmocka_unit_test(refused_inputs),
	    cmocka_unit_test(overlapping_contours),
	    cmocka_unit_test(every_flag_has_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
