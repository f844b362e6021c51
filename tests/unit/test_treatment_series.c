/* Assembly of series: which, when, and whether all of each is there. */
#include "treatment_scene.h"

/* ---- which series ---- */

static void test_unused_series_say_why(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct series_options o = {.number = 11,
				   .description = "DWI b800",
				   .minutes = -20,
				   .echoes = 1,
				   .slices = 2,
				   .first_te_ms = 60};
	add_series(f, o);
	o.number = 12;
	o.description = "T2* map";
	add_series(f, o);
	o.number = 13;
	o.description = "T2* two echoes";
	o.echoes = 2;
	add_series(f, o);
	copy(add_series(
		 f,
		 (struct series_options){
		     .number = 14, .description = "CT", .minutes = 0, .echoes = 1, .slices = 1})
		 ->modality,
	     17, "CT");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_true(leaves(s, "series 11 \"DWI b800\": no rule for its description"));
	assert_true(leaves(s, "series 12 \"T2* map\": single echo"));
	assert_true(leaves(s, "series 13 \"T2* two echoes\": 2 echoes: too few"));
	assert_true(leaves(s, "2.25.14: CT"));
}

static void to_phase(struct instance_info *info)
{
	info->component = IMAGE_PHASE;
}

static void test_phase_only_series(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[1], to_phase);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\":");
	assert_waits(s, "phase");
	assert_true(leaves(s, "phase"));
}

static void test_missing_image_is_named(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	remove_instance(&f->series[1], 2, 3);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": echo 4 missing at slice 3");
}

static void test_missing_slice_is_named(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	for (int echo = 0; echo < ECHOES; echo++)
		remove_instance(&f->series[3], 2, echo);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY); /* the map after injection 1 */
	assert_int_equal(s->n_after, 1);
	assert_waits(s, "series after injection 2: series 4 \"T2* multi-echo\": gap");
}

static void test_other_echo_times_are_not_mixed(void **state)
{
	struct fixture *f = *state;
	add_series(f, (struct series_options){.number = 2,
					      .description = "T2* multi-echo",
					      .minutes = -15,
					      .echoes = 6,
					      .slices = SLICES,
					      .first_te_ms = 1.5});
	add_holmium(f, 3, 15);
	add_holmium(f, 4, 45);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": echo times differ from series 3 "
			"\"T2* multi-echo\" "
			"(6 from 1.50 ms, there 4 from 1.33 ms)");
	assert_true(leaves(s, "echo times differ"));
}

static void to_coronal(struct instance_info *info)
{
	const double coronal[6] = {1, 0, 0, 0, 0, -1};
	memcpy(info->orientation, coronal, sizeof coronal);
	info->position_mm[1] = info->position_mm[2];
	info->position_mm[2] = 0;
}

static void test_other_orientation_is_not_mixed(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(add_holmium(f, 5, -10), to_coronal);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 1);
	assert_true(
	    leaves(s, "series 5 \"T2* multi-echo\": other slice orientation than series 2"));
}

/* ---- when ---- */

static void test_follow_up_three_months_later(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 9, 92 * 24 * 60.0);
	add_holmium(f, 8, -7 * 60.0 * 24);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->after[1].index, 3);
	assert_int_equal(s->baseline.index, 1);
	assert_true(
	    leaves(s, "series 9 \"T2* multi-echo\": acquired 92 days after the last injection"));
	assert_true(
	    leaves(s, "series 8 \"T2* multi-echo\": acquired 7 days before the first injection"));
}

static void test_second_treatment_months_later(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	const double later = 120 * 24 * 60.0;
	f->input.now_s += (later + 20) * MINUTE_S;
	add_holmium(f, 12, later - 15);
	add_holmium(f, 13, later + 15);
	f->record.n_injections = 0;
	add_injection(f, later, 500);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].index, 5);
	assert_true(
	    leaves(s, "series 4 \"T2* multi-echo\": acquired 120 days before the first injection"));
}

static void test_clock_tolerance(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	/* a fifth series, 2 minutes after the second injection by its own clock */
	add_holmium(f, 5, 32);
	const struct treatment_slots *s = assess(f);
	/* it may be the last before injection 2; after injection 2 series 4 is later in any case */
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].after_injection, 2);
	assert_waits(
	    s, "series after injection 1: series 5 \"T2* multi-echo\" began at 10:37:00 by the "
	       "scanner's clock, "
	       "injection 2 at 10:35:00 by the record's: within the clock tolerance of 180 s");
	assert_false(s->report_ready);
	assert_true(warns(s, "HO119", "no usable series after injection 1"));
}

static void test_clock_tolerance_after_the_last(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	add_holmium(f, 5, 32);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 5 \"T2* multi-echo\" began at 10:37:00");
	assert_waits(s, "series after injection 2: series 5 \"T2* multi-echo\" began at 10:37:00");
}

static void test_clock_tolerance_before_the_first(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -1);
	add_holmium(f, 3, 15);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_int_equal(s->baseline.index, -1);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\" began at 10:04:00");
}

static void test_record_settles_the_clocks(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 5, 32);
	copy(f->record.injections[0].after_series_uid, 65, "2.25.5");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->after[0].index, 4);
	assert_int_equal(s->after[0].after_injection, 1);
	assert_int_equal(s->after[1].index, 3);
	assert_true(warns(s, "HO103", "injection 2 at 10:35:00 by the record's"));
	assert_true(leaves(s, "series 3 \"T2* multi-echo\": series 5"));
}

static void test_record_names_series_against_time(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 5, -40);
	copy(f->record.baseline_series_uid, 65, "2.25.5");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_true(s->report_ready);
	copy(f->record.baseline_series_uid, 65, "2.25.404");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2.25.404, which the record names, has not come");
	copy(f->record.baseline_series_uid, 65, "");
	copy(f->record.injections[0].after_series_uid, 65, "2.25.1");
	assert_false(assess(f)->maps_ready); /* nor after injection 2: the record is at odds */
	copy(f->record.injections[0].after_series_uid, 65, "");
	copy(f->record.baseline_series_uid, 65, "2.25.1");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "series 1 \"T1w VIBE\", which the record names: single echo");
}

static void test_record_decides_which_kind_counts(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_series(f, (struct series_options){.number = 5,
					      .description = "T2* multi-echo",
					      .minutes = -16,
					      .echoes = 6,
					      .slices = SLICES,
					      .first_te_ms = 1.5});
	assert_int_equal(assess(f)->baseline.index, 1);
	copy(f->record.baseline_series_uid, 65, "2.25.5");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 3 \"T2* multi-echo\": echo times differ "
			"from series 5");
}

static void test_repeats_are_named(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 5, -10);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_true(warns(s, "HO109", "baseline: series 5 \"T2* multi-echo\" is used, series 2"));
	assert_true(
	    leaves(s, "series 2 \"T2* multi-echo\": series 5 \"T2* multi-echo\" is used instead"));
	assert_true(s->report_ready);
}

static void test_last_complete_one_is_taken(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	remove_instance(add_holmium(f, 5, -10), 1, 1);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 1);
	assert_true(leaves(s, "series 5 \"T2* multi-echo\": echo 2 missing at slice 2; series 2"));
}

static void test_not_imaged(void **state)
{
	struct fixture *f = *state;
	add_anatomy(f, 1, -25);
	add_holmium(f, 2, -15);
	add_holmium(f, 4, 45);
	add_contours(f, "contours", 1, 60);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_false(s->report_ready);
	assert_waits(s, "series after injection 1");
	f->record.injections[0].imaged = false;
	s = assess(f);
	assert_true(s->report_ready);
	assert_string_equal(s->waits_for, "");
}

static void no_time(struct instance_info *info)
{
	info->acquisition_datetime[0] = '\0';
}

static void no_zone(struct instance_info *info)
{
	info->utc_offset[0] = '\0';
}

static void test_times(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[3], no_time);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_true(leaves(s, "series 4 \"T2* multi-echo\": no acquisition date and time"));
	each_instance(&f->series[1], no_zone);
	s = assess(f);
	assert_int_equal(s->baseline.index, 1);
	assert_close(s->baseline.acquired_s, FIRST_INJECTION_S - 15 * MINUTE_S, 0, 0);
	assert_true(warns(s, "HO111", "1 series carry no time zone: Europe/Amsterdam is assumed"));
}

static void test_studies_of_the_record(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->record.study_uid[0], 65, "2.25.78");
	f->record.n_studies = 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "its study is none that the record names");
	copy(f->record.study_uid[0], 65, "2.25.77");
	assert_int_equal(assess(f)->state, TREATMENT_READY);
}

/* ---- all of it? ---- */

static void no_count(struct instance_info *info)
{
	info->images_in_acquisition = -1;
}

static void test_unconfirmed_series_settles(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *baseline = add_holmium(f, 2, -15);
	each_instance(baseline, no_count);
	f->input.now_s = baseline->last_received_s + 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, -1);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": 4 slices came, nothing says yet "
			"that these are all");
	assert_close(s->look_again_s, baseline->last_received_s + 30, 0, 0);
	f->input.now_s = baseline->last_received_s + 30;
	s = assess(f);
	assert_int_equal(s->baseline.index, 0);
	assert_int_equal(s->baseline.completeness, SERIES_SETTLED);
	assert_true(warns(s, "HO105", "complete, unconfirmed (4 slices)"));
	f->input.now_s = baseline->last_received_s + 1;
	baseline->released = true;
	s = assess(f);
	assert_int_equal(s->baseline.completeness, SERIES_SETTLED);
	assert_true(isnan(s->look_again_s));
}

static void owes_images(struct instance_info *info)
{
	info->images_in_acquisition = ECHOES * (SLICES + 1);
}

static void test_count_that_is_not_met(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *baseline = add_holmium(f, 2, -15);
	each_instance(baseline, owes_images);
	baseline->released = true; /* one association of several */
	f->input.now_s = baseline->last_received_s + 1;
	assert_int_equal(assess(f)->baseline.index, -1);
	f->input.now_s = baseline->last_received_s + 31;
	assert_int_equal(assess(f)->baseline.completeness, SERIES_SETTLED);
	assert_true(warns(&f->slots, "HO105", "16 of 20 images came"));
}

static void test_confirmed_by_another_series(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	struct catalogue_series *after = add_holmium(f, 3, 15);
	each_instance(after, no_count);
	f->input.now_s = after->last_received_s + 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].completeness, SERIES_COMPLETE);
	/* a slice short of the other: not the same slices, so nothing confirms it */
	for (int echo = 0; echo < ECHOES; echo++)
		remove_instance(after, SLICES - 1, echo);
	s = assess(f);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 3 \"T2* multi-echo\": 3 slices came");
}

static void test_confirmed_by_the_contours(void **state)
{
	struct fixture *f = *state;
	add_anatomy(f, 1, -25);
	each_instance(add_holmium(f, 2, -15), no_count);
	f->input.now_s = f->series[1].last_received_s + 1;
	assert_int_equal(assess(f)->baseline.index, -1);
	struct rt_structure_set *set = add_contours(f, "contours", 1, -5);
	/* while images come in, every batch would be another version of the whole */
	assert_int_equal(assess(f)->baseline.index, -1);
	f->series[1].released = true;
	assert_int_equal(assess(f)->baseline.completeness, SERIES_COMPLETE);
	/* a contour above the last slice that came */
	static const double above[12] = {10, 10, 25, 30, 10, 25, 30, 30, 25, 10, 30, 25};
	set->rois[2].contours->points_mm = above;
	assert_int_equal(assess(f)->baseline.completeness, SERIES_SETTLED);
}

/* ---- while it is still coming in ---- */

static void received(struct catalogue_series *series, const char *log, double first_s,
		     double last_s)
{
	for (int i = 0; i < series->n_instances; i++) {
		copy(series->instances[i].where.log, sizeof series->instances[i].where.log, log);
		series->instances[i].received_s = i == 0 ? first_s : last_s;
	}
	series->last_received_s = last_s;
	series->released = false;
}

static void counts_slices(struct instance_info *info)
{
	info->images_in_acquisition = 4 * SLICES;
}

/* The first 4 echoes of 4 slices where (0020,1002) says 16 slices: as many images as there are
 * slices. */
static void test_part_that_meets_the_count_waits(void **state)
{
	struct fixture *f = *state;
	struct series_options part = {.number = 2,
				      .description = "T2* multi-echo",
				      .minutes = -15,
				      .echoes = 4,
				      .slices = SLICES,
				      .first_te_ms = 1.33};
	struct catalogue_series *baseline = add_series(f, part);
	each_instance(baseline, counts_slices);
	f->input.now_s = FIRST_INJECTION_S;
	received(baseline, "20260302-a-0", f->input.now_s - 2, f->input.now_s - 1);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, -1);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": 4 slices came, nothing says yet "
			"that these are all: its association goes on");
	assert_close(s->look_again_s, f->input.now_s - 1 + 30, 1e-6, 0);
	baseline->released = true;
	assert_int_equal(assess(f)->baseline.completeness, SERIES_COMPLETE);
	/* the count is met, so quiet is no doubt either */
	baseline->released = false;
	f->input.now_s += 30;
	assert_int_equal(assess(f)->baseline.completeness, SERIES_COMPLETE);
}

static void test_next_series_of_its_association_confirms_the_count(void **state)
{
	struct fixture *f = *state;
	double now_s = f->input.now_s = FIRST_INJECTION_S;
	struct catalogue_series *baseline = add_holmium(f, 2, -15);
	struct catalogue_series *next = add_anatomy(f, 1, -12);
	received(baseline, "20260302-a-0", now_s - 3, now_s - 2);
	received(next, "20260302-b-0", now_s - 1, now_s);
	assert_int_equal(assess(f)->baseline.index, -1); /* of another association */
	received(next, "20260302-a-1", now_s - 1, now_s);
	assert_int_equal(assess(f)->baseline.completeness, SERIES_COMPLETE);
	received(next, "20260302-a-1", now_s - 2.5, now_s); /* one image of each by turns */
	assert_int_equal(assess(f)->baseline.index, -1);
}

/* No timer and no release: the last image of the last scan is enough. */
static void test_scan_like_another_is_whole_at_once(void **state)
{
	struct fixture *f = *state;
	double now_s = f->input.now_s;
	struct catalogue_series *baseline = add_holmium(f, 2, -15);
	struct catalogue_series *after = add_holmium(f, 3, 15);
	received(baseline, "20260302-a-0", now_s - 4, now_s - 3);
	received(after, "20260302-b-0", now_s - 1, now_s);
	/* the earlier one is not known to be whole by itself, but by having met its count first */
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->after[0].completeness, SERIES_COMPLETE);
	received(baseline, "20260302-a-0", now_s - 1000, now_s - 999);
	s = assess(f);
	assert_int_equal(s->n_after, 1);
	/* fewer echo times than the other: nothing confirms it */
	copy(f->record.injections[0].after_series_uid, 65, "2.25.3");
	for (int slice = 0; slice < SLICES; slice++)
		remove_instance(after, slice, ECHOES - 1);
	received(after, "20260302-b-0", now_s - 1, now_s);
	s = assess(f);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 3 \"T2* multi-echo\": 4 slices came");
}

static void test_by_turns_they_confirm_nothing(void **state)
{
	struct fixture *f = *state;
	double now_s = f->input.now_s;
	received(add_holmium(f, 2, -15), "20260302-a-0", now_s - 4, now_s - 1);
	received(add_holmium(f, 3, 15), "20260302-a-0", now_s - 3.9, now_s);
	assert_int_equal(assess(f)->n_after, 0);
	f->series[0].released = f->series[1].released = true;
	assert_int_equal(assess(f)->n_after, 1);
}

static void test_anatomy_that_is_still_coming(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	struct catalogue_series *anatomy =
	    add_series(f, (struct series_options){.number = 1,
						  .description = "T1w VIBE",
						  .minutes = -25,
						  .echoes = 1,
						  .slices = SLICES + 2,
						  .first_te_ms = 1});
	each_instance(anatomy, no_count);
	anatomy->last_received_s = f->input.now_s - 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 0); /* the grid of the results may still grow */
	assert_waits(s, "anatomy: series 1 \"T1w VIBE\": 6 slices came");
	assert_close(s->look_again_s, f->input.now_s + 29, 1e-6, 0);
	anatomy->released = true;
	assert_int_equal(assess(f)->n_after, 1);
	assert_int_equal(f->slots.anatomy.index, 2);
	assert_true(warns(&f->slots, "HO105", "anatomy series 1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_unused_series_say_why),
	    TEST(test_phase_only_series),
	    TEST(test_missing_image_is_named),
	    TEST(test_missing_slice_is_named),
	    TEST(test_other_echo_times_are_not_mixed),
	    TEST(test_other_orientation_is_not_mixed),
	    TEST(test_follow_up_three_months_later),
	    TEST(test_second_treatment_months_later),
	    TEST(test_clock_tolerance),
	    TEST(test_clock_tolerance_after_the_last),
	    TEST(test_clock_tolerance_before_the_first),
	    TEST(test_record_settles_the_clocks),
	    TEST(test_record_names_series_against_time),
	    TEST(test_record_decides_which_kind_counts),
	    TEST(test_repeats_are_named),
	    TEST(test_last_complete_one_is_taken),
	    TEST(test_not_imaged),
	    TEST(test_times),
	    TEST(test_studies_of_the_record),
	    TEST(test_unconfirmed_series_settles),
	    TEST(test_count_that_is_not_met),
	    TEST(test_confirmed_by_another_series),
	    TEST(test_confirmed_by_the_contours),
	    TEST(test_part_that_meets_the_count_waits),
	    TEST(test_next_series_of_its_association_confirms_the_count),
	    TEST(test_scan_like_another_is_whole_at_once),
	    TEST(test_by_turns_they_confirm_nothing),
	    TEST(test_anatomy_that_is_still_coming),
	};
	return cmocka_run_group_tests_name("treatment_series", tests, NULL, NULL);
}
