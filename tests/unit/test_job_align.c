/* Where scans are put without a registration: by what the site gives, and by frames of reference;
 * and their maps on the way there. */
#include "check.h"

#include "job_parts.h"

#include <stdlib.h>
#include <unistd.h>

#define A "2.25.1"
#define B "2.25.2"

static struct job_case *c;
static struct config config;
static struct job job;
static struct catalogue_series rows[3];

static struct job_scan scan_in(const char *frame, struct catalogue_series *series)
{
	struct job_scan scan = {.series = series,
				.arranged.grid = {.columns = 10,
						  .rows = 10,
						  .slices = 10,
						  .column_step_mm = {2, 0, 0},
						  .row_step_mm = {0, 2, 0},
						  .slice_step_mm = {0, 0, 2}}};
	snprintf(scan.arranged.grid.frame_of_reference, 65, "%s", frame);
	return scan;
}

/* Anatomy in frame A, baseline in frame B 40 mm to the side, one scan. */
static int begin(void **state)
{
	(void)state;
	c = calloc(1, sizeof *c);
	config = (struct config){.register_rigid = false};
	job = (struct job){.n_scans = 1, .after_injection = 1};
	for (int i = 0; i < 3; i++)
		rows[i].id = i + 1;
	c->config = &config;
	c->job = &job;
	c->has_anatomy = true;
	c->anatomy = scan_in(A, &rows[0]);
	c->baseline = scan_in(B, &rows[1]);
	c->shown_over = &c->anatomy;
	c->slots.n_after = 1;
	c->slots.after[0].after_injection = 1;
	c->slots.baseline.transform.given = TREATMENT_FROM_ANATOMY;
	rigid_identity(c->slots.baseline.transform.matrix);
	c->slots.baseline.transform.matrix[3] = 40;
	return c == NULL;
}

static int end(void **state)
{
	(void)state;
	free(c);
	return 0;
}

static void align(const char *frame)
{
	struct status st = STATUS_INIT;
	c->after[0] = scan_in(frame, &rows[2]);
	c->after[0].after_injection = 1;
	c->n_alignments = 0;
	assert_ok(job_align(c, &st), &st);
}

static void a_scan_lies_where_its_frame_does(void **state)
{
	(void)state;
	align(B);
	assert_true(c->after[0].moved);
	assert_float_equal(c->after[0].to_result[3], 40, 0);
	/* back in the frame of the anatomy: not where the baseline is */
	align(A);
	assert_false(c->after[0].moved);
	assert_float_equal(c->after[0].to_result[3], 0, 0);
	assert_int_equal(c->n_alignments, 2);
	assert_string_equal(c->alignments[1].from, "anatomy");
	assert_int_equal(c->alignments[1].origin, REPORT_ALIGNMENT_IDENTITY);
}

static void a_frame_of_its_own_is_never_taken_as_the_same(void **state)
{
	struct status st = STATUS_INIT;
	(void)state;
	c->after[0] = scan_in("2.25.3", &rows[2]);
	c->after[0].after_injection = 1;
	assert_int_equal(job_align(c, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "nothing says where"));
}

static void given_transforms_are_composed(void **state)
{
	struct treatment_transform *given = &c->slots.after[0].transform;
	(void)state;
	*given = (struct treatment_transform){.given = TREATMENT_FROM_BASELINE};
	/* a quarter turn about z: does not commute with the shift */
	const double turned[RIGID_SIZE] = {0, -1, 0, 5, 1, 0, 0, 0, 0, 0, 1, 0};
	memcpy(given->matrix, turned, sizeof turned);
	align("2.25.3");
	double at_mm[3];
	const double from_mm[3] = {1, 2, 3};
	rigid_apply(at_mm, c->after[0].to_result, from_mm);
	/* to the baseline: (41, 2, 3); turned: (-2, 41, 3); shifted: (3, 41, 3) */
	assert_float_equal(at_mm[0], 3, 1e-12);
	assert_float_equal(at_mm[1], 41, 1e-12);
	assert_float_equal(at_mm[2], 3, 1e-12);
	assert_true(isnan(c->after[0].residual_mm));
	/* from the anatomy: as given */
	given->given = TREATMENT_FROM_ANATOMY;
	align("2.25.3");
	rigid_apply(at_mm, c->after[0].to_result, from_mm);
	assert_float_equal(at_mm[0], 3, 1e-12);
	assert_float_equal(at_mm[1], 1, 1e-12);
}

/* ---- maps ---- */

static char spool[64];

static int begin_in_spool(void **state)
{
	strcpy(spool, "/tmp/holmia-job-align-XXXXXX");
	if (begin(state) != 0 || !mkdtemp(spool))
		return 1;
	strcpy(config.spool, spool);
	config.usable_echo_sigma = 4;
	config.saturated_sigma = 2;
	for (int i = 0; i < 3; i++)
		memset(rows[i].evidence_hash, 'a' + i, sizeof rows[i].evidence_hash - 1);
	return 0;
}

static int end_in_spool(void **state)
{
	char command[100];
	snprintf(command, sizeof command, "rm -rf %s", spool);
	return end(state) != 0 || system(command) != 0;
}

/* A series without a map is not one that could not be aligned: nothing is left out for it. */
static void a_scan_without_a_map_is_not_left_out(void **state)
{
	struct status st = STATUS_INIT;
	(void)state;
	config.register_rigid = true;
	job.n_scans = job.after_injection = 2;
	for (int i = 0; i < 2; i++) { /* without a single echo */
		c->after[i] = scan_in(B, &rows[2]);
		c->after[i].after_injection = i + 1;
	}
	assert_int_equal(job_align(c, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "0 echoes"));
	assert_false(c->after[0].left_out);
	assert_int_equal(c->n_warnings, 0);
	/* nor is it the contours' fault */
	config.baseline_voxelwise = true;
	job.kind = JOB_MAP;
	c->has_structure_set = true;
	assert_false(job_drop_contours(c, &st));
	kept_map_free(&c->baseline.kept);
}

/* The same images sent in two frames of reference share a map, but not the frame. */
static void a_map_lies_in_the_frame_of_its_series(void **state)
{
	struct status st = STATUS_INIT;
	char key[65];
	uint8_t states[1000] = {0};
	struct r2star_map map = {.state = states};
	struct volume *const volumes[] = {&map.r2star_per_s, &map.stderr_per_s, &map.s0,
					  &map.first_echo};
	(void)state;
	for (int i = 0; i < 4; i++)
		assert_ok(volume_new(volumes[i], &c->baseline.arranged.grid, 1, &st), &st);
	map_cache_key(key, rows[1].evidence_hash, config.usable_echo_sigma, config.saturated_sigma);
	assert_ok(map_cache_put(spool, key, &map, 1, &st), &st);
	for (int i = 0; i < 4; i++)
		volume_free(volumes[i]);

	strcpy(c->baseline.arranged.grid.frame_of_reference, "2.25.7");
	assert_ok(job_need_map(c, &c->baseline, &st), &st);
	const struct r2star_map *taken = &c->baseline.kept.map;
	assert_string_equal(taken->r2star_per_s.grid.frame_of_reference, "2.25.7");
	assert_string_equal(taken->stderr_per_s.grid.frame_of_reference, "2.25.7");
	assert_string_equal(taken->s0.grid.frame_of_reference, "2.25.7");
	assert_string_equal(taken->first_echo.grid.frame_of_reference, "2.25.7");
	kept_map_free(&c->baseline.kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_scan_lies_where_its_frame_does, begin, end),
	    cmocka_unit_test_setup_teardown(a_frame_of_its_own_is_never_taken_as_the_same, begin,
					    end),
	    cmocka_unit_test_setup_teardown(given_transforms_are_composed, begin, end),
	    cmocka_unit_test_setup_teardown(a_scan_without_a_map_is_not_left_out, begin_in_spool,
					    end_in_spool),
	    cmocka_unit_test_setup_teardown(a_map_lies_in_the_frame_of_its_series, begin_in_spool,
					    end_in_spool),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
