/* The figures of an emission image against closed forms: its unit, its decay, which way it lies. */
#include "check.h"

#include <stdlib.h>

#include "job_emission_parts.h"

#define N 12

static struct job_case *c;
static struct config config;
static struct job job;
static struct dosimetry_time_point point;
static struct emission_work work;
static float bq_per_ml[N * N * N];

static struct grid make_grid(const char *frame)
{
	struct grid grid = {N, N, N, {0, 0, 0}, {5, 0, 0}, {0, 5, 0}, {0, 0, 5}, ""};
	snprintf(grid.frame_of_reference, sizeof grid.frame_of_reference, "%s", frame);
	return grid;
}

/* 2 MBq/mL beyond the plane x = 27.5 mm of the image, nothing before it; a tumour of 3 x 3 x 3
 * voxels of MRI from x = 5 mm on, 30 mm farther in the image. One half-life after the injection. */
static int begin(void **state)
{
	struct status st = STATUS_INIT;
	(void)state;
	c = calloc(1, sizeof *c);
	memset(&work, 0, sizeof work);
	memset(&point, 0, sizeof point);
	work.made = calloc(1, sizeof *work.made);
	if (!c || !work.made)
		return -1;
	job = (struct job){.n_scans = 1, .after_injection = 1};
	c->config = &config;
	c->job = &job;
	c->params.dose_constant_mj_per_mbq = 15.87;
	c->params.density_g_per_ml = 1.06;
	c->slots.n_injections = 1;
	c->slots.injections[0] =
	    (struct dosimetry_injection){.number = 1, .net_activity_mbq = 500, .part_voi = -1};
	c->n_contoured = 1;
	c->voi[0] = (struct dosimetry_voi){"Tumour 1", VOI_TUMOUR, -1, &c->mask[0]};
	c->result.n_time_points = 1;
	c->result.time_points = &point;
	point.voi[0].dose.mean = 50;
	struct grid grid = make_grid("2.25.1");
	assert_ok(mask_new(&c->mask[0], &grid, &st), &st);
	for (int k = 1; k < 4; k++)
		for (int j = 1; j < 4; j++)
			for (int i = 1; i < 4; i++)
				c->mask[0].coverage[(k * N + j) * N + i] = 1;
	mask_update_bounds(&c->mask[0]);

	work.c = c;
	work.isotope = isotope_find("Ho-166", "", "");
	work.activities_known = true;
	work.timing = (struct emission_timing){.corrected_to = EMISSION_DECAY_START,
					       .scan_start_s = 3600 * work.isotope->half_life_h,
					       .half_life_h = (double)NAN};
	work.image.activity_bq_per_ml = (struct volume){make_grid("2.25.2"), bq_per_ml};
	for (int v = 0; v < N * N * N; v++)
		bq_per_ml[v] = v % N > 5 ? 2e6F : 0;
	rigid_identity(work.to_image);
	work.to_image[3] = 30;
	work.made->report.decay_factor = emission_factor(work.isotope, &work.timing, 0);
	work.made->report.injected_activity_mbq = 500;
	return 0;
}

static int end(void **state)
{
	(void)state;
	mask_free(&c->mask[0]);
	free(work.made);
	free(c);
	return 0;
}

static void the_dose_is_that_of_the_activity_at_injection(void **state)
{
	struct status st = STATUS_INIT;
	const struct report_emission_voi *tumour = &work.made->vois[0];
	/* 2 MBq/mL after one half-life were 4 */
	const double mean_gy = 4 * 15.87 / 1.06, volume_ml = 27 * 0.125;
	(void)state;
	assert_ok(emission_make_figures(&work, &st), &st);
	assert_close(tumour->volume_ml, volume_ml, 1e-3, 0);
	assert_close(tumour->mean_gy, mean_gy, 0, 1e-4);
	assert_close(tumour->activity_mbq, 4 * volume_ml, 0, 1e-3);
	assert_close(tumour->difference_percent, 100 * (mean_gy / 50 - 1), 0.02, 0);
	assert_close(work.made->report.image_activity_mbq, 4 * 0.125 * 6 * N * N, 0, 1e-4);
	assert_int_equal(c->n_warnings, 0);
}

/* The image shows every injection, the newest scan those before it. */
static void an_injection_without_a_scan_is_not_compared(void **state)
{
	struct status st = STATUS_INIT;
	(void)state;
	c->slots.n_injections = 2;
	c->slots.injections[1] = c->slots.injections[0];
	assert_ok(emission_make_figures(&work, &st), &st);
	assert_true(isfinite(work.made->vois[0].mean_gy));
	assert_true(isnan(work.made->vois[0].difference_percent));
	assert_int_equal(c->n_warnings, 1);
	assert_string_equal(c->warnings[0].code, "HO140");
	assert_non_null(strstr(c->warnings[0].text, "up to injection 1"));
}

static void give(const char *from, const char *to, double x_mm)
{
	struct record_transform *t = &c->record.transforms[c->record.n_transforms++];
	*t = (struct record_transform){.provenance = "fiducials"};
	snprintf(t->from_uid, sizeof t->from_uid, "%s", from);
	snprintf(t->to_uid, sizeof t->to_uid, "%s", to);
	rigid_identity(t->matrix);
	t->matrix[3] = x_mm;
}

static double aligned_mm(void)
{
	struct status st = STATUS_INIT;
	assert_ok(emission_align(&work, &st), &st);
	assert_int_equal(work.made->report.alignment, REPORT_EMISSION_RECORD);
	return work.to_image[3];
}

static void the_transform_that_names_both_best_is_taken(void **state)
{
	static struct catalogue_series row;
	struct status st = STATUS_INIT;
	(void)state;
	snprintf(row.series_instance_uid, sizeof row.series_instance_uid, "2.25.11");
	c->anatomy.series = &row;
	c->anatomy.arranged.grid = c->mask[0].grid;
	c->shown_over = &c->anatomy;
	c->slots.emission.registration = -1;
	snprintf(work.image.series_uid, sizeof work.image.series_uid, "2.25.12");
	/* across frames of reference nothing is never the identity */
	assert_int_equal(emission_align(&work, &st), STATUS_REFUSE);
	give("2.25.1", "2.25.2", 10);
	assert_close(aligned_mm(), 10, 0, 0);
	give("2.25.12", "2.25.11", 7); /* the series themselves, backward */
	assert_close(aligned_mm(), -7, 1e-12, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_dose_is_that_of_the_activity_at_injection, begin,
					    end),
	    cmocka_unit_test_setup_teardown(the_transform_that_names_both_best_is_taken, begin,
					    end),
	    cmocka_unit_test_setup_teardown(an_injection_without_a_scan_is_not_compared, begin,
					    end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
