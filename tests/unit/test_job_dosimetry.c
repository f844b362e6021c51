/* The key of a kept course: every input of its numbers is in it, and nothing else. A result of
 * other inputs taken for this one would be a wrong number that looks right. */
#include "check.h"
#include "deformation.h"
#include "job_parts.h"

#include <stddef.h>
#include <stdlib.h>

#define SCANS 2
#define VOIS  2

struct given {
	struct job_case c;
	struct config config;
	struct catalogue_series series[SCANS + 1];
	struct grid result_grid;
	struct deformation deformation;
	float displacement_mm[3];
	double transform[RIGID_SIZE];
};

static struct grid grid_of(double spacing_mm)
{
	struct grid grid = {.columns = 4, .rows = 3, .slices = 2};
	grid.column_step_mm[0] = grid.row_step_mm[1] = grid.slice_step_mm[2] = spacing_mm;
	strcpy(grid.frame_of_reference, "1.2.3");
	return grid;
}

static void give_scan(struct given *g, struct job_scan *scan, int n)
{
	memset(g->series[n].evidence_hash, 'a' + n, 64);
	scan->series = &g->series[n];
	scan->arranged.grid = grid_of(2);
}

static struct given *given_new(void)
{
	struct given *g = calloc(1, sizeof *g);
	struct job_case *c = &g->c;
	struct status st = STATUS_INIT;
	assert_non_null(g);
	c->config = &g->config;
	g->config.usable_echo_sigma = 4;
	g->config.saturated_sigma = 2;
	g->config.threads_per_worker = 2;
	g->result_grid = grid_of(1.5);
	c->params = (struct dosimetry_params){.relaxivity_per_s_per_mg_per_ml = 217.8,
					      .dose_constant_mj_per_mbq = 15.87,
					      .density_g_per_ml = 1.06,
					      .dose_levels = 1,
					      .dose_level_gy = {70},
					      .underdose_levels = 1,
					      .underdosed_below_gy = {100},
					      .trend_threshold_percent = 10,
					      .threads = 2};
	give_scan(g, &c->baseline, 0);
	c->shown_over = &c->baseline;
	for (int i = 0; i < SCANS; i++) {
		give_scan(g, &c->after[i], i + 1);
		c->scan_of[i] = &c->after[i];
		c->scan[i] = (struct dosimetry_scan){
		    .after_injection = i + 1, .time_s = 1000 * i, .tr_ms = 150, .flip_deg = 30};
		c->injection[i] = (struct dosimetry_injection){.number = i + 1,
							       .start_s = 900 * i,
							       .net_activity_mbq = 500,
							       .specific_activity_mbq_per_mg = 12,
							       .holmium_percent = 19,
							       .part_voi = -1};
	}
	for (int i = 0; i < VOIS; i++) {
		snprintf(c->slots.vois[i].name, sizeof c->slots.vois[i].name, "VOI %d", i);
		c->slots.vois[i].roi = i;
		c->voi[i] =
		    (struct dosimetry_voi){c->slots.vois[i].name, VOI_LIVER, -1, &c->mask[i]};
		assert_ok(mask_new(&c->mask[i], &g->result_grid, &st), &st);
		c->mask[i].coverage[i] = 1;
		mask_update_bounds(&c->mask[i]);
	}
	c->slots.n_vois = VOIS;
	c->slots.anatomy.index = -1;
	c->has_structure_set = true;
	strcpy(c->structure_instance.info.evidence_hash, "contours");
	c->input = (struct dosimetry_input){.result_grid = &g->result_grid,
					    .baseline = {.tr_ms = 150, .flip_deg = 30},
					    .scans = c->scan,
					    .n_scans = SCANS,
					    .injections = c->injection,
					    .n_injections = SCANS,
					    .n_vois = VOIS,
					    .vois = c->voi};
	g->deformation.control = (struct grid){.columns = 1, .rows = 1, .slices = 1};
	g->deformation.displacement_mm = g->displacement_mm;
	rigid_identity(g->transform);
	return g;
}

static void given_free(struct given *g)
{
	for (int i = 0; i < VOIS; i++)
		mask_free(&g->c.mask[i]);
	free(g);
}

/* Inputs of the first scan's numbers; the lowest bit of the first byte of each is turned. */
#define INPUT(field)                                                                               \
	{                                                                                          \
#field, offsetof(struct given, field)                                              \
	}
static const struct {
	const char *name;
	size_t offset;
} INPUTS[] = {
    INPUT(c.params.relaxivity_per_s_per_mg_per_ml),
    INPUT(c.params.relaxivity_holmium_percent),
    INPUT(c.params.dose_constant_mj_per_mbq),
    INPUT(c.params.density_g_per_ml),
    INPUT(c.params.baseline),
    INPUT(c.params.body_snr),
    INPUT(c.params.artefact_r2star_per_s),
    INPUT(c.params.limited_above_percent),
    INPUT(c.params.not_measurable_above_percent),
    INPUT(c.params.recovery_low_percent),
    INPUT(c.params.recovery_high_percent),
    INPUT(c.params.registration_limit_mm),
    INPUT(c.params.uncertainty.relaxivity_percent),
    INPUT(c.params.uncertainty.specific_activity_percent),
    INPUT(c.params.uncertainty.injected_activity_percent),
    INPUT(c.params.kernel),
    INPUT(c.params.dose_levels),
    INPUT(c.params.dose_level_gy[0]),
    INPUT(c.params.underdose_levels),
    INPUT(c.params.underdosed_below_gy[0]),
    INPUT(c.recompute_serial),
    INPUT(config.usable_echo_sigma),
    INPUT(config.saturated_sigma),
    INPUT(result_grid.slices),
    INPUT(result_grid.origin_mm[1]),
    INPUT(result_grid.row_step_mm[1]),
    INPUT(result_grid.frame_of_reference),
    INPUT(c.structure_instance.info.evidence_hash),
    INPUT(c.slots.vois[0].roi),
    INPUT(c.slots.vois[0].name),
    INPUT(c.slots.vois[0].group),
    INPUT(c.voi[1].role),
    INPUT(c.voi[1].part_voi),
    INPUT(series[0].evidence_hash),
    INPUT(series[1].evidence_hash),
    INPUT(c.baseline.arranged.grid.origin_mm[2]),
    INPUT(c.after[0].arranged.grid.origin_mm[0]),
    INPUT(c.input.baseline.tr_ms),
    INPUT(c.input.baseline.flip_deg),
    INPUT(c.input.baseline.residual_mm),
    INPUT(c.scan[0].tr_ms),
    INPUT(c.scan[0].flip_deg),
    INPUT(c.scan[0].residual_mm),
    INPUT(c.injection[0].number),
    INPUT(c.injection[0].start_s),
    INPUT(c.injection[0].net_activity_mbq),
    INPUT(c.injection[0].specific_activity_mbq_per_mg),
    INPUT(c.injection[0].holmium_percent),
    INPUT(c.injection[0].position),
    INPUT(c.injection[0].part_voi),
    INPUT(c.injection[0].residual_pending),
};

static void every_input_is_in_the_key(void **state)
{
	char plain[65], changed[65];
	(void)state;
	struct given *g = given_new();
	job_course_key(plain, &g->c, 1);
	assert_int_equal(strlen(plain), 64);
	for (size_t i = 0; i < sizeof INPUTS / sizeof *INPUTS; i++) {
		unsigned char *byte = (unsigned char *)g + INPUTS[i].offset;
		*byte ^= 1;
		job_course_key(changed, &g->c, 1);
		if (strcmp(changed, plain) == 0)
			fail_msg("%s is not in the key", INPUTS[i].name);
		*byte ^= 1;
	}
	job_course_key(changed, &g->c, 1);
	assert_string_equal(changed, plain);

	g->c.mask[0].coverage[0] = 0.5F;
	job_course_key(changed, &g->c, 1);
	assert_string_not_equal(changed, plain);
	g->c.mask[0].coverage[0] = 1;
	g->c.input.n_vois = 1;
	job_course_key(changed, &g->c, 1);
	assert_string_not_equal(changed, plain);
	given_free(g);
}

/* What the transform and the field say, not only that there are some. */
static void transforms_are_in_the_key(void **state)
{
	char plain[65], keys[4][65];
	(void)state;
	struct given *g = given_new();
	job_course_key(plain, &g->c, 1);
	g->c.scan[0].to_result = g->transform;
	g->c.scan[0].deformation = &g->deformation;
	job_course_key(keys[0], &g->c, 1);
	g->transform[3] += 1e-9;
	job_course_key(keys[1], &g->c, 1);
	g->displacement_mm[2] = 1;
	job_course_key(keys[2], &g->c, 1);
	g->deformation.rigid[0] = 1;
	job_course_key(keys[3], &g->c, 1);
	assert_string_not_equal(plain, keys[0]);
	for (int i = 0; i < 3; i++)
		assert_string_not_equal(keys[i], keys[i + 1]);
	given_free(g);
}

/* Later scans and injections, threads, and what is found anew for every time point. */
static void what_comes_later_is_not(void **state)
{
	char before[65], after[65];
	(void)state;
	struct given *g = given_new();
	job_course_key(before, &g->c, 1);
	g->c.params.threads = 7;
	g->c.params.trend_threshold_percent = 20;
	g->c.params.advice_limit_gy = 55;
	g->c.scan[1].residual_mm = 3;
	g->series[2].evidence_hash[0] = 'z';
	g->c.injection[1].net_activity_mbq = 1;
	g->c.input.n_injections = 1;
	job_course_key(after, &g->c, 1);
	assert_string_equal(before, after);
	job_course_key(after, &g->c, 2);
	assert_string_not_equal(before, after);
	given_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_input_is_in_the_key),
	    cmocka_unit_test(transforms_are_in_the_key),
	    cmocka_unit_test(what_comes_later_is_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
