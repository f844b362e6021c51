/* The parts one by one: noise through interpolations against draws, shifts against closed forms,
 * and what a dosimetry run makes of them. */
#include "uncertainty_scene.h"

#include "resample.h"

static void fill_with_noise(struct volume *volume, const struct volume *standard_error)
{
	for (size_t v = 0; v < grid_voxels(&volume->grid); v++)
		volume->samples[v] = standard_error->samples[v] * normal();
}

static double mean_of(const struct volume *values, const struct mask *mask)
{
	double sum = 0, weight = 0;
	for (size_t v = 0; v < grid_voxels(&values->grid); v++) {
		if (isnan(values->samples[v]) || !(mask->coverage[v] > 0))
			continue;
		sum += (double)(mask->coverage[v] * values->samples[v]);
		weight += (double)mask->coverage[v];
	}
	return sum / weight;
}

/* ---- random ---- */

/* Noise of one grid carried to a turned and shifted one of other voxels, and from there to a third:
 * the scatter of the mean over a VOI on the third, in 3000 draws, is the one computed. The noise
 * differs from voxel to voxel and some voxels have none. */
static void noise_through_two_interpolations(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct grid first = box_grid(20, 18, 10, 3, 3, 5),
		    second = box_grid(26, 24, 12, 2.2, 2.4, 4),
		    third = box_grid(22, 22, 14, 2, 2, 2.5);
	double turn_a[RIGID_SIZE], turn_b[RIGID_SIZE], inverse[RIGID_SIZE];
	rigid_from_angles(turn_a, (double[]){0.05, -0.03, 0.1}, (double[]){1.3, -0.7, 2.1},
			  (double[]){28, 25, 22});
	rigid_from_angles(turn_b, (double[]){-0.02, 0.04, 0.06}, (double[]){-6, -5, -4},
			  (double[]){20, 20, 15});
	rigid_invert(inverse, turn_b);
	struct volume sigma, noise, values, carried = VOLUME_INIT, made = VOLUME_INIT;
	struct mask mask;
	assert_ok(volume_new(&sigma, &first, 1, &st), &st);
	assert_ok(volume_new(&noise, &first, 0, &st), &st);
	for (size_t v = 0; v < grid_voxels(&first); v++)
		sigma.samples[v] = v % 37 == 0 ? NAN : 1 + 0.5F * (float)(v % 3);
	fill_with_noise(&noise, &sigma);
	assert_ok(resample_trilinear(&carried, &second, &noise, turn_a, 2, &st), &st);
	assert_ok(resample_trilinear(&made, &third, &carried, inverse, 2, &st), &st);
	assert_ok(mask_new(&mask, &third, &st), &st);
	for (int k = 4; k < 9; k++)
		for (int j = 6; j < 14; j++)
			for (int i = 7; i < 15; i++)
				mask.coverage[voxel_at(&third, i, j, k)] =
				    i == 7 || k == 4 ? 0.4F : 1;
	mask_update_bounds(&mask);

	struct uncertainty_weights w3, w2, w1;
	struct grid second_from_third, first_from_second;
	rigid_move_grid(&second_from_third, &third, inverse, "");
	rigid_move_grid(&first_from_second, &second, turn_a, "");
	const struct mask *masks[] = {&mask};
	const struct uncertainty_errors errors = {.standard_error = &sigma};
	double variance[UNCERTAINTY_LANES];
	assert_ok(uncertainty_weights_of_masks(&w3, masks, 1, &made, &st), &st);
	assert_ok(uncertainty_weights_carry(&w2, &carried, &w3, &second_from_third, 2, &st), &st);
	assert_ok(uncertainty_weights_carry(&w1, &noise, &w2, &first_from_second, 2, &st), &st);
	assert_ok(uncertainty_variances(variance, &w1, &errors, 2, &st), &st);
	double computed = sqrt(variance[0]);
	assert_close(w2.sum[0], w3.sum[0], 0, 1e-6);
	assert_close(w1.sum[0], w3.sum[0], 0, 1e-6);

	/* the weights give the mean itself, too */
	double by_weights = 0;
	for (int k = 0; k < w1.size[2]; k++)
		for (int j = 0; j < w1.size[1]; j++)
			for (int i = 0; i < w1.size[0]; i++) {
				size_t v = voxel_at(&first, w1.first[0] + i, w1.first[1] + j,
						    w1.first[2] + k);
				float weight = w1.weight[(k * w1.size[1] + j) * w1.size[0] + i][0];
				if (weight > 0)
					by_weights +=
					    (double)(weight * noise.samples[v]) / w1.sum[0];
			}
	assert_close(by_weights, mean_of(&made, &mask), 1e-5, 0);

	const int draws = 1500;
	double squares = 0, sums = 0;
	values = noise;
	for (int n = 0; n < draws; n++) {
		volume_free(&carried);
		volume_free(&made);
		fill_with_noise(&values, &sigma);
		assert_ok(resample_trilinear(&carried, &second, &values, turn_a, 2, &st), &st);
		assert_ok(resample_trilinear(&made, &third, &carried, inverse, 2, &st), &st);
		double mean = mean_of(&made, &mask);
		sums += mean / draws;
		squares += mean * mean / draws;
	}
	double measured = sqrt(squares - sums * sums);
	/* the error of a scatter of 1500 draws is 1.8 % */
	assert_measured("coverage", "noise of a mean through two interpolations, of computed",
			measured / computed, 1, 0, 0.06, "1");
	uncertainty_weights_free(&w1);
	uncertainty_weights_free(&w2);
	uncertainty_weights_free(&w3);
	mask_free(&mask);
	volume_free(&sigma);
	volume_free(&noise);
	volume_free(&carried);
	volume_free(&made);
}

/* N voxels of one scan and one baseline, on one grid: sigma sqrt(2 / N), in gray. With another
 * specific activity at the second injection the first scan's noise comes in as well. */
static void random_part_on_one_grid(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	fill_scan(s, 0, 0.1, 0.3, 0.2);
	fill_scan(s, 1, 0.2, 0.6, 0.4);
	s->injection[1].specific_activity_mbq_per_mg = 10;
	for (int k = 3; k <= 5; k++) /* a voxel without a value counts for nothing */
		s->after[0].state[voxel_at(&s->grid, 4, 5, k)] = R2STAR_NOT_MEASURED;
	struct dosimetry_result result = scene_run(s);
	double f1 = 12 / SCENE_RELAXIVITY * 15.87 / 1.06, f2 = 10 / SCENE_RELAXIVITY * 15.87 / 1.06;
	const struct dosimetry_time_point *point = result.time_points;
	double right = 4 * 5 * 3, left = 4 * 6 * 3;
	assert_close(point[0].voi[TUMOUR_LEFT].uncertainty.random_gy, f1 * sqrt(2 / left), 0, 1e-5);
	assert_close(point[0].voi[TUMOUR_RIGHT].uncertainty.random_gy, f1 * sqrt(2 / (right - 3)),
		     0, 1e-5);
	assert_close(point[1].voi[TUMOUR_LEFT].uncertainty.random_gy,
		     sqrt((f2 * f2 + f1 * f1 + (f1 - f2) * (f1 - f2)) / left), 0, 1e-5);
	/* nothing else was configured: said so */
	assert_true(isnan(point[0].voi[TUMOUR_LEFT].uncertainty.relaxivity_gy) ==
		    isnan(s->params.uncertainty.relaxivity_percent));
	dosimetry_result_free(&result);
	scene_free(s);
}

/* The baseline on the grid of a scan that lay elsewhere, and both on the result's: even tissue, so
 * that only noise is carried. Scatter of the mean over 400 runs against what each of them states.
 */
static void random_part_of_a_moved_scan(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	double moved[RIGID_SIZE];
	rigid_from_angles(moved, (double[]){0.03, 0.02, -0.05}, (double[]){0.9, -1.1, 2.2},
			  (double[]){0, -10, 60});
	s->scan[0].to_result = moved;
	const int runs = 400;
	double sums[SCENE_VOIS] = {0}, squares[SCENE_VOIS] = {0}, stated[SCENE_VOIS] = {0};
	for (int n = 0; n < runs; n++) {
		for (size_t v = 0; v < grid_voxels(&s->grid); v++) {
			s->baseline.r2star_per_s.samples[v] = 45 + normal();
			s->after[0].r2star_per_s.samples[v] = 90 + normal();
		}
		struct dosimetry_result result = scene_run(s);
		for (int voi = 0; voi < SCENE_VOIS; voi++) {
			const struct dosimetry_voi_result *found = &result.time_points[0].voi[voi];
			sums[voi] += found->dose.mean / runs;
			squares[voi] += found->dose.mean * found->dose.mean / runs;
			stated[voi] += found->uncertainty.random_gy / runs;
		}
		dosimetry_result_free(&result);
	}
	for (int voi = TUMOUR_RIGHT; voi <= TUMOUR_LEFT; voi++) {
		double scatter = sqrt(squares[voi] - sums[voi] * sums[voi]);
		assert_measured("coverage", "moved scan: scatter of the mean, of stated",
				scatter / stated[voi], 1, 0, 0.12, "1");
	}
	scene_free(s);
}

/* ---- registration ---- */

static struct volume ramp(const struct grid *grid, double per_mm)
{
	struct status st = STATUS_INIT;
	struct volume volume;
	assert_ok(volume_new(&volume, grid, 0, &st), &st);
	for (size_t v = 0; v < grid_voxels(grid); v++)
		volume.samples[v] = (float)(50 + per_mm * grid->column_step_mm[0] *
						     (double)(v % (size_t)grid->columns));
	return volume;
}

/* On a slope the mean follows the shift: per_mm * residual / sqrt(3). A second map that moves along
 * adds its own slope. */
static void shift_on_a_slope(void **state)
{
	(void)state;
	struct grid grid = box_grid(40, 20, 10, 2, 2, 4);
	struct volume dose = ramp(&grid, 1.5), other = ramp(&grid, -0.4);
	struct mask mask = box_mask(&grid, (int[]){15, 8, 3}, (int[]){24, 12, 6});
	assert_close(change_of(&dose, NULL, 0, &mask, 2), 1.5 * 2 / sqrt(3), 0, 1e-5);
	assert_close(change_of(&dose, &other, 2, &mask, 2), 0.7 * 2 / sqrt(3), 0, 1e-5);
	assert_close(change_of(&dose, NULL, 0, &mask, 0), 0, 0, 0);
	assert_true(isnan(change_of(&dose, NULL, 0, &mask, (double)NAN)));
	for (size_t v = 0; v < grid_voxels(&grid); v++)
		dose.samples[v] = NAN;
	assert_true(isnan(change_of(&dose, NULL, 0, &mask, 2)));
	volume_free(&dose);
	volume_free(&other);
	mask_free(&mask);
}

/* A sharp hot box in cold tissue and its own VOI: along one axis it loses |x| / length, whichever
 * way it moves. Seen from a place that is displaced itself the root mean square is found within a
 * quarter, on average over 400 displacements: 15 % of it is for mixed voxels, which are linear
 * here.
 */
static void a_sharp_box_loses_either_way(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct grid grid = box_grid(40, 12, 8, 3, 3, 4);
	struct mask mask = box_mask(&grid, (int[]){12, 0, 0}, (int[]){27, 11, 7});
	struct volume dose;
	const int draws = 400;
	double stated = 0, squares = 0, sd_mm = 2 / sqrt(3);
	assert_ok(volume_new(&dose, &grid, 0, &st), &st);
	for (int n = 0; n < draws; n++) {
		double shift = sd_mm * (double)normal() / 3;
		for (size_t v = 0; v < grid_voxels(&grid); v++) {
			double at = (double)(v % 40);
			dose.samples[v] = (float)(100 * fmax(0, fmin(at + 0.5, 27.5 + shift) -
								    fmax(at - 0.5, 11.5 + shift)));
		}
		double gy = change_of(&dose, NULL, 0, &mask, 2);
		double error = mean_of(&dose, &mask) - 100;
		assert_close(error, -100 * fabs(shift) / 16, 1e-3, 0);
		squares += error * error / draws;
		stated += gy / draws;
	}
	assert_close(stated, sqrt(squares), 0, 0.25);
	volume_free(&dose);
	mask_free(&mask);
}

/* ---- together ---- */

static void parts_combine(void **state)
{
	(void)state;
	struct uncertainty u = {.random_gy = 1, .registration_gy = 2};
	const struct uncertainty_params all = {5, 3, 2}, none = {NAN, NAN, NAN};
	uncertainty_combine(&u, -100, &all);
	assert_close(u.relaxivity_gy, 5, 1e-12, 0);
	assert_close(u.specific_activity_gy, 3, 1e-12, 0);
	assert_close(u.combined_gy, sqrt(1 + 4 + 25 + 9), 1e-12, 0);
	assert_true(u.complete);
	uncertainty_combine(&u, 100, &none);
	assert_true(isnan(u.relaxivity_gy) && isnan(u.specific_activity_gy));
	assert_close(u.combined_gy, sqrt(5), 1e-12, 0);
	assert_false(u.complete);
	u.registration_gy = NAN;
	uncertainty_combine(&u, 100, &all);
	assert_false(u.complete);
	assert_close(u.combined_gy, sqrt(1 + 25 + 9), 1e-12, 0);
	u.random_gy = NAN;
	uncertainty_combine(&u, 100, &all);
	assert_true(isnan(u.combined_gy));
}

/* Through the chain: configured percentages, a residual that is not known, a tumour that has no
 * dose, and the recovery. */
static void uncertainty_of_a_treatment(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.1, 0.3, 0.2);
	s->injection[0].net_activity_mbq = 12 * scene_mass_mg(s, 0.1, 0.3, 0.2);
	s->params.uncertainty = (struct uncertainty_params){5, 3, 4};
	for (int k = 3; k <= 5; k++)
		for (int j = 5; j <= 9; j++)
			for (int i = 4; i <= 7; i++)
				s->after[0].state[voxel_at(&s->grid, i, j, k)] =
				    R2STAR_NOT_MEASURED;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	const struct uncertainty *left = &point->voi[TUMOUR_LEFT].uncertainty;
	assert_close(left->registration_gy, 0, 0, 0);
	assert_true(left->complete);
	assert_close(left->combined_gy,
		     sqrt(left->random_gy * left->random_gy +
			  left->relaxivity_gy * left->relaxivity_gy +
			  left->specific_activity_gy * left->specific_activity_gy),
		     1e-9, 0);
	assert_true(isnan(point->voi[TUMOUR_RIGHT].uncertainty.random_gy));
	assert_true(isnan(point->voi[TUMOUR_RIGHT].uncertainty.combined_gy));
	assert_false(point->voi[TUMOUR_RIGHT].uncertainty.complete);
	assert_true(point->healthy[0].figures.uncertainty.combined_gy > 0);
	assert_close(point->recovery_uncertainty,
		     point->recovery_ratio * sqrt(0.05 * 0.05 + 0.03 * 0.03 + 0.04 * 0.04), 0,
		     0.01);
	dosimetry_result_free(&result);

	s->scan[0].residual_mm = NAN;
	result = scene_run(s);
	assert_true(isnan(result.time_points[0].voi[TUMOUR_LEFT].uncertainty.registration_gy));
	assert_false(result.time_points[0].voi[TUMOUR_LEFT].uncertainty.complete);
	assert_true(result.time_points[0].voi[TUMOUR_LEFT].uncertainty.combined_gy > 0);
	assert_true(isnan(result.time_points[0].recovery_uncertainty));
	dosimetry_result_free(&result);

	/* a residual of the baseline against the anatomy counts as well, on its own */
	s->scan[0].residual_mm = 0;
	s->input.baseline.residual_mm = 2;
	result = scene_run(s);
	double of_baseline = result.time_points[0].voi[TUMOUR_LEFT].uncertainty.registration_gy;
	assert_true(of_baseline > 0);
	dosimetry_result_free(&result);
	/* a shift of the scan alone moves its R2*, in which the tumour stands out less: 25 + 44 in
	 * 45 + 22 per s */
	s->scan[0].residual_mm = 2;
	s->input.baseline.residual_mm = 0;
	result = scene_run(s);
	assert_true(result.time_points[0].voi[TUMOUR_LEFT].uncertainty.registration_gy <
		    0.5 * of_baseline);
	dosimetry_result_free(&result);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(noise_through_two_interpolations),
	    cmocka_unit_test(random_part_on_one_grid),
	    cmocka_unit_test(random_part_of_a_moved_scan),
	    cmocka_unit_test(shift_on_a_slope),
	    cmocka_unit_test(a_sharp_box_loses_either_way),
	    cmocka_unit_test(parts_combine),
	    cmocka_unit_test(uncertainty_of_a_treatment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
