/* Several catheter positions and vials. Closed forms on the treatment made by hand. */
#include "dosimetry_scene.h"

static const double GY_PER_MBQ_PER_ML = 15.87 / 1.06;

static double dose_gy(double mg_per_ml, double mbq_per_mg)
{
	return mg_per_ml * mbq_per_mg * GY_PER_MBQ_PER_ML;
}

/* The first `count` voxels of the right tumour (60 voxels: 4 x 5 x 3), in storage order. */
static size_t tumour_voxel(const struct scene *s, int n)
{
	return voxel_at(&s->grid, 4 + n % 4, 5 + n / 4 % 5, 3 + n / 20);
}

/* Right half, left half, whole liver; three vials with their own specific activity and holmium
 * content. The scan after the second injection was not made. */
static void three_positions_one_not_imaged(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	static const double specific[] = {12, 11, 10.5, 14}, content[] = {19.5, 19.5, 18.5, 20.5};
	static const int position[] = {0, 1, 2, 0}, part[] = {RIGHT, LEFT, -1, RIGHT};
	/* mg/mL after each injection: right tumour, left tumour, liver */
	static const double right[] = {0.5, 0.5, 0.6, 0.9}, left[] = {0, 0.4, 0.5, 0.5},
			    liver[] = {0.05, 0.1, 0.15, 0.2};
	double mass_mg[4], before = 0, r_of[4];
	for (int k = 0; k < 4; k++) {
		double all = scene_mass_mg(s, liver[k], right[k], left[k]);
		mass_mg[k] = all - before;
		before = all;
		r_of[k] = SCENE_RELAXIVITY * content[k] / 19.5;
		s->injection[k].position = position[k];
		s->injection[k].part_voi = part[k];
		s->injection[k].specific_activity_mbq_per_mg = specific[k];
		s->injection[k].holmium_percent = content[k];
		s->injection[k].net_activity_mbq = mass_mg[k] * specific[k];
	}
	/* signal of each injection by its own holmium content */
	for (size_t v = 0; v < grid_voxels(&s->grid); v++) {
		double sum = 0, last = 0;
		for (int k = 0; k < 4; k++) {
			double c = s->mask[TUMOUR_RIGHT].coverage[v] > 0  ? right[k]
				   : s->mask[TUMOUR_LEFT].coverage[v] > 0 ? left[k]
				   : s->mask[LIVER].coverage[v] > 0	  ? liver[k]
									  : 0;
			sum += (c - last) * r_of[k];
			last = c;
			s->after[k].r2star_per_s.samples[v] =
			    s->baseline.r2star_per_s.samples[v] + (float)sum;
		}
	}
	/* scans after 1, 3 and 4 */
	s->scan[1] = s->scan[2];
	s->scan[2] = s->scan[3];
	s->input.n_scans = 3;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = result.time_points;
	assert_int_equal(point[1].after_injection, 3);

	/* what came between is converted with sum A / sum (A / SA) and the mean content by mass */
	double m2 = mass_mg[1], m3 = mass_mg[2];
	double joined = (m2 * 11 + m3 * 10.5) / (m2 + m3);
	double r_joined = SCENE_RELAXIVITY * (m2 * 19.5 + m3 * 18.5) / (m2 + m3) / 19.5;
	double d1 = dose_gy(0.5, 12);
	double d2 = d1 + dose_gy((0.1 * r_of[2]) / r_joined, joined);
	double d3 = d2 + dose_gy(0.3, 14);
	assert_close(point[0].voi[TUMOUR_RIGHT].dose.mean, d1, 0, 1e-5);
	assert_close(point[1].voi[TUMOUR_RIGHT].dose.mean, d2, 0, 1e-5);
	assert_close(point[2].voi[TUMOUR_RIGHT].dose.mean, d3, 0, 1e-5);
	assert_close(point[2].injected_mass_mg, before, 0, 1e-9);
	assert_close(point[0].recovery_ratio, 1, 1e-5, 0);
	/* joined vials are an approximation where their uptakes differ; total mass is not */
	assert_close(point[2].recovery_ratio, 1, 2e-3, 0);

	/* by position: 0 alone before the first and the last scan; 1 and 2 only together */
	const double *by_position = point[2].voi[TUMOUR_RIGHT].position_dose_gy;
	assert_close(by_position[0], d1 + d3 - d2, 0, 1e-5);
	assert_true(isnan(by_position[1]) && isnan(by_position[2]) && isnan(by_position[3]));
	assert_close(point[0].voi[TUMOUR_RIGHT].position_dose_gy[0], d1, 0, 1e-5);
	assert_close(point[2].healthy[1].figures.position_dose_gy[0],
		     dose_gy(0.05, 12) + dose_gy(0.05, 14), 0, 1e-4);
	/* one of several positions feeds everything: said */
	assert_true(point[0].flags & DOSIMETRY_POSITION_WITHOUT_VOI);
	/* the part's recovery before the whole liver was fed, and not after */
	assert_true(isfinite(point[0].part_recovery_ratio[RIGHT]));
	assert_true(isnan(point[1].part_recovery_ratio[RIGHT]));
	dosimetry_result_free(&result);
	scene_free(s);
}

static void a_position_has_its_own_dose_where_it_was_imaged(void **state)
{
	(void)state;
	struct scene *s = scene_new(3);
	static const int position[] = {0, 1, 1};
	for (int k = 0; k < 3; k++) {
		s->injection[k].position = position[k];
		s->injection[k].part_voi = k == 0 ? RIGHT : LEFT;
	}
	fill_scan(s, 0, 0.1, 0.5, 0.05);
	fill_scan(s, 1, 0.2, 0.5, 0.35);
	fill_scan(s, 2, 0.3, 0.55, 0.65);
	/* in the second scan the right tumour is lost: position 1's intervals are joined, and its
	 * own still */
	for (int n = 0; n < 60; n++)
		s->after[1].state[tumour_voxel(s, n)] = R2STAR_NOT_MEASURED;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = result.time_points;
	const struct dosimetry_voi_result *left = &point[2].voi[TUMOUR_LEFT],
					  *right = &point[2].voi[TUMOUR_RIGHT];
	assert_close(left->position_dose_gy[0], dose_gy(0.05, 12), 0, 1e-4);
	assert_close(left->position_dose_gy[1], dose_gy(0.60, 12), 0, 1e-4);
	assert_true(isnan(point[0].voi[TUMOUR_LEFT].position_dose_gy[1]));
	assert_close(right->position_dose_gy[0], dose_gy(0.5, 12), 0, 1e-4);
	assert_close(right->position_dose_gy[1], dose_gy(0.05, 12), 0, 1e-3);
	assert_int_equal(point[1].voi[TUMOUR_RIGHT].measurable, VOI_NOT_MEASURABLE);
	assert_true(isnan(point[1].voi[TUMOUR_RIGHT].position_dose_gy[0]));
	assert_false(point[2].flags & DOSIMETRY_POSITION_WITHOUT_VOI);
	dosimetry_result_free(&result);

	s->injection[2].position = DOSIMETRY_MAX_POSITIONS;
	struct status st = STATUS_INIT;
	assert_int_equal(dosimetry_run(&result, &s->input, &s->params, &st), STATUS_REFUSE);
	scene_free(s);
}

/* Alone once and together once: half of a position's dose is not its dose. */
static void a_position_that_was_also_mixed_has_no_dose_of_its_own(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	static const int position[] = {0, 0, 1, 2};
	for (int k = 0; k < 4; k++) {
		s->injection[k].position = position[k];
		fill_scan(s, k, 0.1 * (k + 1), 0.2 * (k + 1), 0.3 * (k + 1));
	}
	s->scan[1] = s->scan[2]; /* none between injections 2 and 3 */
	s->scan[2] = s->scan[3];
	s->input.n_scans = 3;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = result.time_points;
	assert_close(point[0].voi[TUMOUR_RIGHT].position_dose_gy[0], dose_gy(0.2, 12), 0, 1e-5);
	assert_true(isnan(point[1].voi[TUMOUR_RIGHT].position_dose_gy[0]));
	assert_true(isnan(point[2].voi[TUMOUR_RIGHT].position_dose_gy[0]));
	assert_true(isnan(point[2].voi[TUMOUR_RIGHT].position_dose_gy[1]));
	assert_close(point[2].voi[TUMOUR_RIGHT].position_dose_gy[2], dose_gy(0.2, 12), 0, 1e-5);
	dosimetry_result_free(&result);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(three_positions_one_not_imaged),
	    cmocka_unit_test(a_position_has_its_own_dose_where_it_was_imaged),
	    cmocka_unit_test(a_position_that_was_also_mixed_has_no_dose_of_its_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
