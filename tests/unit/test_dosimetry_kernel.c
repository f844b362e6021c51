/* The dose by the beta kernel through the whole chain: on when asked for, beside local deposition.
 */
#include "dosimetry_scene.h"

static void off_means_not_there(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.1, 0.3, 0.2);
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	assert_null(point->kernel_dose_gy.samples);
	assert_true(isnan(point->kernel_lost_share));
	assert_true(isnan(point->voi[TUMOUR_LEFT].kernel_dose.mean));
	assert_true(isnan(point->healthy[0].figures.kernel_dose.d90));
	dosimetry_result_free(&result);
	scene_free(s);
}

/* Two scans: energy is what local deposition has, tumours lose and the liver around them gains; the
 * local dose is not touched. */
static void both_doses(void **state)
{
	(void)state;
	struct scene *s = scene_new(2);
	fill_scan(s, 0, 0.1, 0.3, 0.2);
	fill_scan(s, 1, 0.2, 0.6, 0.4);
	struct dosimetry_result local = scene_run(s);
	s->params.kernel = true;
	struct dosimetry_result result = scene_run(s);
	size_t voxels = grid_voxels(&s->grid);
	for (int k = 0; k < 2; k++) {
		const struct dosimetry_time_point *point = &result.time_points[k];
		double energy = 0, spread = 0;
		assert_memory_equal(point->dose_gy.samples, local.time_points[k].dose_gy.samples,
				    voxels * sizeof *point->dose_gy.samples);
		for (size_t v = 0; v < voxels; v++) {
			energy += (double)point->dose_gy.samples[v];
			spread += (double)point->kernel_dose_gy.samples[v];
		}
		assert_close(1 - spread / energy, point->kernel_lost_share, 1e-6, 0);
		assert_true(point->kernel_lost_share > 0 && point->kernel_lost_share < 0.05);
		const struct dosimetry_voi_result *tumour = &point->voi[TUMOUR_RIGHT];
		assert_true(tumour->kernel_dose.mean < 0.95 * tumour->dose.mean);
		assert_true(tumour->kernel_dose.d98 < tumour->kernel_dose.mean);
		assert_close(tumour->kernel_dose.volume_ml, tumour->dose.volume_ml, 1e-9, 0);
	}
	/* twice the dose everywhere: twice the dose by the kernel */
	assert_close(result.time_points[1].voi[TUMOUR_LEFT].kernel_dose.mean,
		     2 * result.time_points[0].voi[TUMOUR_LEFT].kernel_dose.mean, 0, 1e-5);
	dosimetry_result_free(&local);
	dosimetry_result_free(&result);
	scene_free(s);
}

static void not_measurable_has_neither(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	fill_scan(s, 0, 0.1, 0.3, 0.2);
	s->params.kernel = true;
	for (int k = 3; k <= 5; k++)
		for (int j = 5; j <= 9; j++)
			for (int i = 4; i <= 7; i++)
				s->after[0].state[voxel_at(&s->grid, i, j, k)] =
				    R2STAR_NOT_MEASURED;
	struct dosimetry_result result = scene_run(s);
	const struct dosimetry_time_point *point = &result.time_points[0];
	assert_true(isnan(point->voi[TUMOUR_RIGHT].kernel_dose.mean));
	assert_true(point->voi[TUMOUR_LEFT].kernel_dose.mean > 0);
	assert_true(isnan(point->kernel_dose_gy.samples[voxel_at(&s->grid, 5, 6, 4)]));
	dosimetry_result_free(&result);
	scene_free(s);
}

static void a_grid_without_kernel_is_refused(void **state)
{
	(void)state;
	struct scene *s = scene_new(1);
	struct dosimetry_result result = {.n_time_points = 0};
	struct status st = STATUS_INIT;
	fill_scan(s, 0, 0.1, 0.3, 0.2);
	s->params.kernel = true;
	s->params.density_g_per_ml = 0.26; /* lung */
	assert_int_equal(dosimetry_run(&result, &s->input, &s->params, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "beta kernel"));
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(off_means_not_there),
	    cmocka_unit_test(both_doses),
	    cmocka_unit_test(not_measurable_has_neither),
	    cmocka_unit_test(a_grid_without_kernel_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
