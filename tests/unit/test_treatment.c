/* Assembly as a whole: what a treatment is, who it is of, and its numbers. */
#include "treatment_scene.h"

/* ---- the whole ---- */

static void test_whole_treatment(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	const struct treatment_slots *s = assess(f);
	if (s->state != TREATMENT_READY || s->waits_for[0])
		print_slots(s);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_string_equal(s->waits_for, "");
	assert_true(s->maps_ready && s->report_ready);
	assert_true(isnan(s->look_again_s));
	assert_int_equal(s->anatomy.index, 0);
	assert_int_equal(s->baseline.index, 1);
	assert_int_equal(s->baseline.completeness, SERIES_COMPLETE);
	assert_close(s->baseline.acquired_s, FIRST_INJECTION_S - 15 * MINUTE_S, 0, 0);
	assert_int_equal(s->baseline.arranged.echoes, ECHOES);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->after[0].index, 2);
	assert_int_equal(s->after[0].after_injection, 1);
	assert_int_equal(s->after[1].index, 3);
	assert_int_equal(s->after[1].after_injection, 2);
	assert_int_equal(s->structure_set, 0);
	assert_int_equal(s->n_vois, 3);
	assert_int_equal(s->vois[0].role, VOI_LIVER);
	assert_int_equal(s->vois[1].role, VOI_PART);
	assert_int_equal(s->vois[2].role, VOI_TUMOUR);
	assert_int_equal(s->planned_injections, 2);
	assert_close(s->relaxivity->per_s_per_mg_per_ml, 217.8, 0, 0);
	assert_int_equal(s->n_unused, 0);
	assert_int_equal(s->n_warnings, 1);
	assert_true(warns(s, "HO101", "not calibrated: theory"));
}

static void test_injections_are_at_their_start(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct record_injection *two = &f->record.injections[1];
	/* the second injection of the documentation's record */
	two->start_s = FIRST_INJECTION_S + 16 * MINUTE_S;
	two->net_activity_mbq = NAN;
	two->prepared_activity_mbq = 1290;
	two->prepared_at_s = two->start_s - 51 * MINUTE_S;
	two->residual_activity_mbq = 58;
	two->residual_at_s = two->start_s + 79 * MINUTE_S;
	two->holmium_percent = 19.1;
	site_clock(8, f->series[2].instances[0].info.acquisition_datetime, (char[8]){0});
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_injections, 2);
	assert_close(s->injections[0].net_activity_mbq, 400, 0, 0);
	assert_close(s->injections[0].specific_activity_mbq_per_mg, 12, 1e-12, 0);
	assert_close(s->injections[1].net_activity_mbq, 1201.9, 0.05, 0);
	/* 16 minutes: 12 * 2^(-16/60/26.8) */
	assert_close(s->injections[1].specific_activity_mbq_per_mg, 11.91752, 1e-4, 0);
	assert_close(s->injections[0].holmium_percent, 19.5, 0, 0);
	assert_close(s->injections[1].holmium_percent, 19.1, 0, 0);
	assert_int_equal(s->injections[1].number, 2);
	assert_int_equal(s->injections[1].part_voi, 1);
	assert_false(s->injections[1].residual_pending);
}

static void test_nothing_but_the_record(void **state)
{
	struct fixture *f = *state;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline; series after injection 1; series after injection 2; contours");
	assert_false(s->maps_ready);
}

static void test_no_record(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->input.record = NULL;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "a treatment record with injections (3 holmium series are here)");
	assert_int_equal(s->baseline.index, -1);
	f->input.record = &f->record;
	f->record.n_injections = 0;
	assert_waits(assess(f), "the first injection in the treatment record");
}

static void test_maps_before_all_is_there(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->anatomy.index, -1);
	assert_false(s->report_ready);
	assert_waits(s, "series after injection 2; contours (RT Structure Set)");
}

static void test_same_input_same_slots_in_any_order(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 4, 45);
	add_holmium(f, 3, 15);
	add_anatomy(f, 1, -25);
	add_holmium(f, 2, -15);
	add_contours(f, "contours", 1, 60);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 3);
	assert_int_equal(s->after[0].index, 1);
	assert_int_equal(s->after[1].index, 0);
	assert_int_equal(s->anatomy.index, 2);
	assert_true(s->report_ready);
}

/* ---- who ---- */

static void test_empty_patient_id_is_never_assembled(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->patient.patient_id[0] = '\0';
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "images without a Patient ID are never put together");
	assert_false(s->maps_ready);
}

static void test_conflict_of_patients_is_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->patient.conflict, 240, "two birth dates under Patient ID P1");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "two birth dates under Patient ID P1");
	assert_int_equal(s->n_after, 0);
}

static void test_record_of_another_patient_is_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->record.patient_id, 200, "P2");
	assert_int_equal(assess(f)->state, TREATMENT_REFUSED);
	assert_waits(&f->slots, "the record is of patient P2, the images are of P1");
	copy(f->record.patient_id, 200, "P1");
	copy(f->record.patient_issuer, 200, "A");
	assert_int_equal(assess(f)->state, TREATMENT_READY);
	copy(f->patient.patient_issuer, 200, "B");
	assert_int_equal(assess(f)->state, TREATMENT_REFUSED);
}

/* ---- numbers ---- */

static void test_injection_without_specific_activity(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->record.injections[1].specific_activity_mbq_per_mg = NAN;
	f->record.injections[1].specific_activity_at_s = NAN;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].after_injection, 1);
	assert_waits(s, "injection 2: specific activity");
	f->record.injections[0].specific_activity_mbq_per_mg = NAN;
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "injection 1: specific activity; injection 2: specific activity");
}

static void test_residual_pending(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct record_injection *one = &f->record.injections[0];
	one->net_activity_mbq = NAN;
	one->prepared_activity_mbq = 400;
	one->prepared_at_s = one->start_s;
	f->record.injections[1].net_activity_mbq = NAN;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_close(s->injections[0].net_activity_mbq, 400, 1e-9, 0);
	assert_true(s->injections[0].residual_pending);
	assert_true(isnan(s->injections[1].net_activity_mbq));
	assert_false(s->injections[1].residual_pending);
	assert_true(warns(s, "HO104", "injection 1: residual pending"));
	assert_true(warns(s, "HO112", "injection 2: activity unknown"));
}

static double field_of_all;
static void set_field(struct instance_info *info)
{
	info->field_strength_t = field_of_all;
}

static void test_field_strengths(void **state)
{
	struct fixture *f = *state;
	static const struct {
		double written, relaxivity; /* NaN: refused */
		const char *words;
	} rows[] = {
	    {2.89, 217.8, ""},
	    {30000, 217.8, ""},
	    {1.494, 108.9, ""},
	    {15000, 108.9, ""},
	    {7, NAN, "no relaxivity for QuiremSpheres at 7 T"},
	    {0.35, NAN, "no relaxivity for QuiremSpheres at 0.35 T"},
	    {NAN, NAN, "no magnetic field strength"},
	};
	make_whole(f);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		field_of_all = rows[i].written;
		for (int s = 0; s < f->patient.n_series; s++)
			each_instance(&f->series[s], set_field);
		const struct treatment_slots *slots = assess(f);
		if (isnan(rows[i].relaxivity)) {
			assert_int_equal(slots->state, TREATMENT_REFUSED);
			assert_waits(slots, rows[i].words);
			assert_int_equal(slots->n_after, 0);
			assert_null(slots->relaxivity);
		} else {
			assert_int_equal(slots->state, TREATMENT_READY);
			assert_close(slots->relaxivity->per_s_per_mg_per_ml, rows[i].relaxivity, 0,
				     0);
		}
	}
}

static void test_field_strengths_are_not_mixed(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	field_of_all = 1.5;
	each_instance(&f->series[3], set_field);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_waits(s, "series after injection 2: series 4 \"T2* multi-echo\": 1.5 T, but series "
			"2 \"T2* multi-echo\" "
			"is at 3 T");
}

static void other_flip(struct instance_info *info)
{
	info->flip_deg = 40;
	copy(info->contrast_agent, 260, "Primovist");
}

static void test_scans_that_differ_from_the_baseline(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[3], other_flip);
	const struct treatment_slots *s = assess(f);
	assert_true(warns(s, "HO106",
			  "after injection 2 other than at baseline: flip angle, contrast agent"));
	assert_true(s->report_ready);
}

static void lossy_late_echo(struct instance_info *info)
{
	info->lossy = info->te_ms > 3;
}

static void test_lossy_images_are_told(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	assert_false(warns(assess(f), "HO122", ""));
	each_instance(&f->series[2], lossy_late_echo);
	assert_true(warns(assess(f), "HO122", "images were lossy compressed"));
	assert_int_equal(f->slots.state, TREATMENT_READY);
}

static void test_planned_injections(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->record.injections[0].planned_percent = 10;
	f->record.injections[1].planned_percent = 30;
	assert_int_equal(assess(f)->planned_injections, 0);
	assert_true(warns(&f->slots, "HO119", "planned shares add up to 40 %"));
	f->record.positions[0].planned_injections = 4;
	assert_int_equal(assess(f)->planned_injections, 4);
}

static void test_old_specific_activity(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->record.injections[0].specific_activity_at_s = FIRST_INJECTION_S - 23 * 60 * MINUTE_S;
	const struct treatment_slots *s = assess(f);
	for (int i = 0; i < s->n_warnings; i++)
		assert_string_not_equal(s->warnings[i].code, "HO133");
	f->record.injections[0].specific_activity_at_s = FIRST_INJECTION_S - 25 * 60 * MINUTE_S;
	s = assess(f);
	assert_true(warns(s, "HO133", "injection 1: its specific activity was measured 25.0 h"));
	assert_true(s->maps_ready);
}

static void test_position_without_its_part(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->record.positions[0].part, 260, "Left hemiliver");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->injections[0].part_voi, -1);
	assert_true(
	    warns(s, "HO134", "position RHA feeds \"Left hemiliver\", but no contour is a part"));
	copy(f->record.positions[0].part, 260, "liver");
	s = assess(f);
	assert_int_equal(s->injections[0].part_voi, -1);
	assert_int_equal(s->n_warnings, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_whole_treatment),
	    TEST(test_injections_are_at_their_start),
	    TEST(test_nothing_but_the_record),
	    TEST(test_no_record),
	    TEST(test_maps_before_all_is_there),
	    TEST(test_same_input_same_slots_in_any_order),
	    TEST(test_empty_patient_id_is_never_assembled),
	    TEST(test_conflict_of_patients_is_refused),
	    TEST(test_record_of_another_patient_is_refused),
	    TEST(test_injection_without_specific_activity),
	    TEST(test_residual_pending),
	    TEST(test_field_strengths),
	    TEST(test_field_strengths_are_not_mixed),
	    TEST(test_scans_that_differ_from_the_baseline),
	    TEST(test_lossy_images_are_told),
	    TEST(test_planned_injections),
	    TEST(test_old_specific_activity),
	    TEST(test_position_without_its_part),
	};
	return cmocka_run_group_tests_name("treatment", tests, NULL, NULL);
}
