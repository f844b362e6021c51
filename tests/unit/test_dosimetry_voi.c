/* Which VOIs can be believed, and what is said of those that cannot; groups, necrosis, under-dosed
 * parts. Closed forms on the treatment made by hand. */
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

static void assert_no_dose(const struct dosimetry_voi_result *voi)
{
	const struct voi_stats *dose = &voi->dose;
	assert_int_equal(voi->measurable, VOI_NOT_MEASURABLE);
	assert_true(isnan(dose->mean) && isnan(dose->minimum) && isnan(dose->maximum));
	assert_true(isnan(dose->standard_deviation) && isnan(dose->d98) && isnan(dose->d90));
	assert_true(isnan(dose->d70) && isnan(dose->d50) && isnan(dose->d2));
	assert_true(isnan(dose->volume_at_level_ml[0]) && isnan(voi->activity_mbq));
	assert_true(isnan(voi->tumour_to_normal) && isnan(voi->underdosed_volume_ml[0]));
	assert_true(isnan(voi->underdosed_piece_ml[0]) && isnan(voi->position_dose_gy[0]));
}

/* ---- measurable, limited, not measurable ---- */

static void the_share_without_a_value_decides(void **state)
{
	(void)state;
	/* 60 voxels; limited above 5 % (3 voxels), none above 50 % (30); not asked at the very
	 * limit, where rounding decides */
	static const struct {
		int lost;
		enum voi_measurable expected;
	} cases[] = {{0, VOI_MEASURABLE}, {2, VOI_MEASURABLE},	    {4, VOI_LIMITED},
		     {29, VOI_LIMITED},	  {31, VOI_NOT_MEASURABLE}, {60, VOI_NOT_MEASURABLE}};
	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		struct scene *s = scene_new(1);
		fill_scan(s, 0, 0.2, 0.8, 0.5);
		for (int n = 0; n < cases[c].lost; n++)
			s->baseline.r2star_per_s.samples[tumour_voxel(s, n)] = 300;
		struct dosimetry_result result = scene_run(s);
		const struct dosimetry_time_point *point = &result.time_points[0];
		const struct dosimetry_voi_result *voi = &point->voi[TUMOUR_RIGHT];

		assert_int_equal(voi->measurable, cases[c].expected);
		assert_close(voi->excluded_volume_ml, cases[c].lost * 0.02, 1e-9, 0);
		assert_close(voi->not_measured_volume_ml, cases[c].lost * 0.02, 1e-9, 0);
		assert_close(voi->dose.volume_ml, 1.2, 1e-9, 0);
		if (cases[c].expected == VOI_MEASURABLE) {
			assert_int_equal(voi->reasons, 0);
			assert_false(point->flags &
				     (DOSIMETRY_TUMOUR_LIMITED | DOSIMETRY_TUMOUR_NOT_MEASURABLE));
		} else {
			assert_int_equal(voi->reasons, VOI_REASON_ARTEFACT);
		}
		if (cases[c].expected == VOI_NOT_MEASURABLE) {
			assert_no_dose(voi);
			assert_null(point->underdosed[TUMOUR_RIGHT].coverage);
			assert_true(point->flags & DOSIMETRY_TUMOUR_NOT_MEASURABLE);
			assert_false(point->flags & DOSIMETRY_TUMOUR_LIMITED);
		} else {
			assert_close(voi->dose.mean, dose_gy(0.8, 12), 0, 1e-5);
		}
		if (cases[c].expected == VOI_LIMITED)
			assert_true(point->flags & DOSIMETRY_TUMOUR_LIMITED);
		/* the other tumour knows nothing of it */
		assert_int_equal(point->voi[TUMOUR_LEFT].measurable, VOI_MEASURABLE);
		assert_close(point->voi[TUMOUR_LEFT].tumour_to_normal, 2.5, 0, 1e-5);
		dosimetry_result_free(&result);
		scene_free(s);
	}
}

static void each_cause_has_its_reason(void **state)
{
	(void)state;
	static const unsigned expected[] = {VOI_REASON_ARTEFACT,      VOI_REASON_NO_SIGNAL,
					    VOI_REASON_FIT_SATURATED, VOI_REASON_FEW_ECHOES,
					    VOI_REASON_OSCILLATION,   VOI_REASON_OSCILLATION};
	for (int cause = 0; cause < 6; cause++) {
		struct scene *s = scene_new(1);
		size_t voxels = grid_voxels(&s->grid);
		fill_scan(s, 0, 0.2, 0.8, 0.5);
		s->after[0].quality = calloc(voxels, 1);
		s->baseline.quality = calloc(voxels, 1);
		for (int n = 0; n < 12; n++) { /* a fifth of the tumour */
			size_t v = tumour_voxel(s, n);
			if (cause == 0)
				s->baseline.r2star_per_s.samples[v] = 300;
			if (cause == 1)
				s->baseline.s0.samples[v] = 4;
			if (cause == 2) {
				s->after[0].state[v] = R2STAR_NO_ECHO;
				s->after[0].first_echo.samples[v] = 1;
			}
			if (cause == 3) {
				s->after[0].state[v] = R2STAR_FEW_ECHOES;
				s->after[0].first_echo.samples[v] = 50;
			}
			if (cause == 4)
				s->baseline.quality[v] = R2STAR_OSCILLATES;
			if (cause == 5)
				s->after[0].quality[v] = R2STAR_OSCILLATES;
		}
		struct dosimetry_result result = scene_run(s);
		const struct dosimetry_time_point *point = &result.time_points[0];
		const struct dosimetry_voi_result *voi = &point->voi[TUMOUR_RIGHT];
		assert_int_equal(voi->measurable, VOI_LIMITED);
		assert_int_equal(voi->reasons, expected[cause]);
		assert_close(voi->excluded_volume_ml, cause == 0 ? 0.24 : 0, 1e-9, 0);
		assert_close(voi->not_measured_volume_ml, cause < 2 ? 0.24 : 0, 1e-9, 0);
		assert_close(voi->saturated_volume_ml, cause == 2 ? 0.24 : 0, 1e-9, 0);
		assert_close(voi->s0_known_volume_ml, cause == 3 ? 0.24 : 0, 1e-9, 0);
		assert_close(voi->oscillating_volume_ml, cause > 3 ? 0.24 : 0, 1e-9, 0);
		assert_int_equal(point->flags & DOSIMETRY_OSCILLATION,
				 cause > 3 ? DOSIMETRY_OSCILLATION : 0);
		assert_true(isfinite(voi->dose.mean));
		dosimetry_result_free(&result);
		scene_free(s);
	}
}

static void a_tumour_beyond_the_slices_is_not_measurable(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	/* the scans end below slice 4: of the right tumour (3..5) one third is left */
	struct grid shorter = s->grid;
	shorter.slices = 4;
	s->baseline.r2star_per_s.grid = s->baseline.s0.grid = s->baseline.stderr_per_s.grid =
	    s->baseline.first_echo.grid = shorter;
	s->after[0].r2star_per_s.grid = s->after[0].s0.grid = s->after[0].stderr_per_s.grid =
	    s->after[0].first_echo.grid = shorter;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_voi_result *voi = &result.time_points[0].voi[TUMOUR_RIGHT];
	assert_no_dose(voi);
	assert_int_equal(voi->reasons, VOI_REASON_OUTSIDE);
	assert_close(voi->excluded_volume_ml, 0, 0, 0);
	assert_close(voi->not_measured_volume_ml, 0.8, 1e-6, 0);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void what_alignment_left_limits_every_voi(void **state)
{
	(void)state;
	double identity[RIGID_SIZE];
	rigid_identity(identity);
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	s->scan[0].residual_mm = 3.1;
	struct dosimetry_result result = scene_run(s);
	assert_true(result.time_points[0].flags & DOSIMETRY_REGISTRATION_UNCERTAIN);
	assert_int_equal(result.time_points[0].voi[TUMOUR_RIGHT].measurable, VOI_LIMITED);
	assert_int_equal(result.time_points[0].voi[LIVER].reasons, VOI_REASON_REGISTRATION);
	assert_close(result.time_points[0].residual_mm, 3.1, 0, 0);
	dosimetry_result_free(&result);

	s->scan[0].residual_mm = 0;
	s->input.baseline.residual_mm = 3.1; /* the VOIs lie as far off */
	result = scene_run(s);
	assert_true(result.time_points[0].flags & DOSIMETRY_REGISTRATION_UNCERTAIN);
	assert_int_equal(result.time_points[0].voi[TUMOUR_RIGHT].measurable, VOI_LIMITED);
	dosimetry_result_free(&result);

	/* unknown: said where something was moved, and held still else */
	s->input.baseline.residual_mm = 0;
	s->scan[0].residual_mm = NAN;
	result = scene_run(s);
	assert_false(result.time_points[0].flags & DOSIMETRY_REGISTRATION_UNCERTAIN);
	dosimetry_result_free(&result);
	s->scan[0].to_result = identity;
	result = scene_run(s);
	assert_true(result.time_points[0].flags & DOSIMETRY_REGISTRATION_UNCERTAIN);
	assert_int_equal(result.time_points[0].voi[TUMOUR_RIGHT].measurable, VOI_MEASURABLE);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void what_cannot_be_measured_has_no_trend(void **state)
{
	(void)state;
	struct scene *s = scene_new(4);
	for (int k = 0; k < 4; k++)
		fill_scan(s, k, 0.1 * (k + 1), 0.2 * (k + 1), 0.3 * (k + 1));
	for (int n = 0; n < 40; n++)
		s->after[3].state[tumour_voxel(s, n)] = R2STAR_NOT_MEASURED;
	struct dosimetry_result result = scene_run(s);
	assert_no_dose(&result.time_points[3].voi[TUMOUR_RIGHT]);
	assert_int_equal(result.time_points[3].trend[TUMOUR_RIGHT].trend, UPTAKE_NOT_ASSESSED);
	assert_true(isfinite(result.time_points[2].voi[TUMOUR_RIGHT].dose.mean));
	assert_int_equal(result.time_points[3].trend[TUMOUR_LEFT].trend, UPTAKE_LINEAR);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void a_ratio_below_one_and_a_recovery_outside_are_said(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.3, 0.2, 0.5);
	double mass_mg = scene_mass_mg(s, 0.3, 0.2, 0.5);
	s->injection[0].net_activity_mbq = 12 * mass_mg / 1.16;
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(result.time_points[0].flags,
			 DOSIMETRY_TN_BELOW_1 | DOSIMETRY_RECOVERY_OUTSIDE);
	assert_close(result.time_points[0].voi[TUMOUR_RIGHT].tumour_to_normal, 2.0 / 3, 0, 1e-5);
	dosimetry_result_free(&result);

	s->injection[0].net_activity_mbq = 12 * mass_mg / 0.84;
	result = scene_run(s);
	assert_true(result.time_points[0].flags & DOSIMETRY_RECOVERY_OUTSIDE);
	dosimetry_result_free(&result);
	s->params.recovery_low_percent = s->params.recovery_high_percent = NAN;
	result = scene_run(s);
	assert_false(result.time_points[0].flags & DOSIMETRY_RECOVERY_OUTSIDE);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* ---- groups and necrosis ---- */

static struct mask mask_of_box(const struct scene *s, const int low[3], const int high[3])
{
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	assert_ok(mask_new(&mask, &s->grid, &st), &st);
	for (int k = low[2]; k <= high[2]; k++) {
		for (int j = low[1]; j <= high[1]; j++) {
			for (int i = low[0]; i <= high[0]; i++)
				mask.coverage[voxel_at(&s->grid, i, j, k)] = 1;
		}
	}
	mask_update_bounds(&mask);
	return mask;
}

static void a_group_has_a_tumours_figures_and_takes_nothing(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	struct dosimetry_voi vois[SCENE_VOIS + 2];
	struct status st = STATUS_INIT;
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	s->injection[0].net_activity_mbq = 12 * scene_mass_mg(s, 0.2, 0.8, 0.5);
	struct dosimetry_result alone = scene_run(s);

	struct mask both = MASK_INIT;
	assert_ok(mask_copy(&both, &s->mask[TUMOUR_RIGHT], &st), &st);
	mask_join(&both, &s->mask[TUMOUR_LEFT], false);
	memcpy(vois, s->voi, sizeof s->voi);
	vois[SCENE_VOIS] = (struct dosimetry_voi){"Both", VOI_GROUP, -1, &both};
	/* the same tissue as one of its members: no overlap is found fault with */
	vois[SCENE_VOIS + 1] =
	    (struct dosimetry_voi){"Right ones", VOI_GROUP, -1, &s->mask[TUMOUR_RIGHT]};
	s->input.vois = vois;
	s->input.n_vois = SCENE_VOIS + 2;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	const struct dosimetry_voi_result *group = &point->voi[SCENE_VOIS];

	double right_ml = 60 * 0.02, left_ml = mask_volume_ml(&s->mask[TUMOUR_LEFT]);
	double mean = (0.8 * right_ml + 0.5 * left_ml) / (right_ml + left_ml);
	assert_close(group->dose.mean, dose_gy(mean, 12), 0, 1e-5);
	assert_close(group->tumour_to_normal, mean / 0.2, 0, 1e-5); /* in no part: whole liver */
	assert_int_equal(group->healthy_voi, 0);
	assert_close(group->underdosed_volume_ml[0], 0, 0, 0);
	assert_close(point->voi[SCENE_VOIS + 1].tumour_to_normal, 4, 0, 1e-5);
	assert_int_equal(point->voi[SCENE_VOIS + 1].healthy_voi, 1);
	assert_int_equal(point->flags, alone.time_points[0].flags);
	for (int h = 0; h < 3; h++)
		assert_close(point->healthy[h].figures.dose.volume_ml,
			     alone.time_points[0].healthy[h].figures.dose.volume_ml, 1e-12, 0);
	assert_close(point->recovery_ratio, 1, 1e-5, 0);
	mask_free(&both);
	dosimetry_result_free(&alone);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* Patient 1 of the source paper: 4.9 kg of liver, 1.2 kg of it dead. */
static void necrosis_is_neither_healthy_nor_mass(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	struct dosimetry_voi vois[SCENE_VOIS + 2];
	fill_scan(s, 0, 0.2, 0.8, 0.5);
	/* one core inside the left tumour, one in liver tissue of the right half: 0 mg there */
	const int low[2][3] = {{16, 9, 4}, {3, 12, 2}}, high[2][3] = {{17, 11, 5}, {9, 15, 7}};
	struct mask core[2] = {mask_of_box(s, low[0], high[0]), mask_of_box(s, low[1], high[1])};
	for (size_t v = 0; v < grid_voxels(&s->grid); v++) {
		if (core[1].coverage[v] > 0)
			s->after[0].r2star_per_s.samples[v] = s->baseline.r2star_per_s.samples[v];
	}
	memcpy(vois, s->voi, sizeof s->voi);
	for (int n = 0; n < 2; n++)
		vois[SCENE_VOIS + n] = (struct dosimetry_voi){"Core", VOI_NECROSIS, -1, &core[n]};
	s->input.vois = vois;
	s->input.n_vois = SCENE_VOIS + 2;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];

	double in_tumour_ml = 2 * 3 * 2 * 0.02, in_liver_ml = 7 * 4 * 6 * 0.02;
	double liver_ml = 20 * 16 * 8 * 0.02, right_ml = 60 * 0.02;
	double left_ml = mask_volume_ml(&s->mask[TUMOUR_LEFT]);
	assert_close(point->voi[LIVER].necrotic_volume_ml, in_tumour_ml + in_liver_ml, 1e-9, 0);
	assert_close(point->voi[RIGHT].necrotic_volume_ml, in_liver_ml, 1e-9, 0);
	assert_close(point->voi[LEFT].necrotic_volume_ml, in_tumour_ml, 1e-9, 0);
	assert_close(point->voi[TUMOUR_LEFT].necrotic_volume_ml, 0, 0, 0);
	assert_close(point->voi[LIVER].mass_g, 1.06 * (liver_ml - in_tumour_ml - in_liver_ml), 1e-9,
		     0);
	assert_close(point->voi[TUMOUR_LEFT].mass_g, 1.06 * left_ml, 1e-9, 0);
	/* healthy liver: without it, so its mean is that of the living tissue */
	assert_close(point->healthy[0].figures.dose.volume_ml,
		     liver_ml - right_ml - left_ml - in_liver_ml, 1e-6, 0);
	assert_close(point->healthy[0].figures.mass_g,
		     1.06 * (liver_ml - right_ml - left_ml - in_liver_ml), 1e-6, 0);
	assert_close(point->healthy[0].figures.dose.mean, dose_gy(0.2, 12), 0, 1e-5);
	assert_close(point->voi[TUMOUR_RIGHT].tumour_to_normal, 4, 0, 1e-5);
	mask_free(&core[0]);
	mask_free(&core[1]);
	dosimetry_result_free(&result);
	scene_free(s);
}

/* ---- under-dosed ---- */

static void the_untreated_part_of_a_good_mean_is_found(void **state)
{
	(void)state;
	for (int board = 0; board < 2; board++) {
		struct scene *s = scene_new(1);
		s->params.underdose_levels = 2;
		s->params.underdosed_below_gy[0] = 60;
		s->params.underdosed_below_gy[1] = 5;
		fill_scan(s, 0, 0.2, 0.9, 0.5);
		/* 18 of 60 voxels without microspheres: the last slice but two, or every third
		 * voxel so that no two share a face */
		int bare = 0;
		for (int n = 0; n < 60 && bare < 18; n++) {
			int i = n % 4, j = n / 4 % 5, k = n / 20;
			if (board ? (i + j + k) % 2 != 0 : n < 42)
				continue;
			size_t v = tumour_voxel(s, n);
			s->after[0].r2star_per_s.samples[v] =
			    s->baseline.r2star_per_s.samples[v] + 10;
			bare++;
		}
		assert_int_equal(bare, 18);
		struct dosimetry_result result = scene_run(s);
		const struct dosimetry_time_point *point = &result.time_points[0];
		const struct dosimetry_voi_result *voi = &point->voi[TUMOUR_RIGHT];
		double low_gy = dose_gy(10 / SCENE_RELAXIVITY, 12);
		assert_close(voi->dose.mean, 0.7 * dose_gy(0.9, 12) + 0.3 * low_gy, 0, 1e-5);
		assert_true(voi->dose.mean > 110); /* nothing in the mean gives it away */
		assert_close(voi->underdosed_volume_ml[0], 0.36, 1e-9, 0);
		assert_close(voi->underdosed_piece_ml[0], board ? 0.02 : 0.36, 1e-9, 0);
		assert_close(voi->underdosed_volume_ml[1], 0, 0, 0); /* 8.2 Gy */
		assert_close(voi->underdosed_piece_ml[1], 0, 0, 0);
		assert_true(isnan(voi->underdosed_volume_ml[2]));
		const struct mask *part = &point->underdosed[TUMOUR_RIGHT];
		assert_close(mask_volume_ml(part), 0.36, 1e-9, 0);
		assert_int_equal(part->first[2], board ? 3 : 5);
		assert_null(point->underdosed[TUMOUR_LEFT].coverage); /* nothing low: 90 Gy */
		assert_null(point->underdosed[LIVER].coverage);
		dosimetry_result_free(&result);
		scene_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_share_without_a_value_decides),
	    cmocka_unit_test(each_cause_has_its_reason),
	    cmocka_unit_test(a_tumour_beyond_the_slices_is_not_measurable),
	    cmocka_unit_test(what_alignment_left_limits_every_voi),
	    cmocka_unit_test(what_cannot_be_measured_has_no_trend),
	    cmocka_unit_test(a_ratio_below_one_and_a_recovery_outside_are_said),
	    cmocka_unit_test(a_group_has_a_tumours_figures_and_takes_nothing),
	    cmocka_unit_test(necrosis_is_neither_healthy_nor_mass),
	    cmocka_unit_test(the_untreated_part_of_a_good_mean_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
