/* Assembly of contours: which set, on which images, and what each region is. */
#include "treatment_scene.h"

/* ---- contours ---- */

static void test_contours_on_another_frame_are_refused(void **state)
{
	struct fixture *f = *state;
	f->config->register_rigid = false;
	make_whole(f);
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "contours \"contours\" are in another frame of reference (2.25.1002) than "
			"the scans (2.25.1001)");
	assert_true(s->maps_ready); /* the maps need no contours */
	assert_int_equal(s->n_after, 2);
	assert_false(s->report_ready);
	/* and of a series that never came */
	copy(f->sets[0].referenced_series_uid, 65, "2.25.404");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "in another frame of reference");
	/* but an old planning set is simply not for this treatment */
	site_clock(-60 * 24 * 14, f->sets[0].datetime, (char[8]){0});
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_true(leaves(s, "contours \"contours\""));
	assert_waits(s, "contours (RT Structure Set)");
}

static void to_other_frame(struct instance_info *info)
{
	copy(info->frame_of_reference_uid, 65, OTHER_FRAME);
}

static void test_anatomy_in_another_frame_is_refused(void **state)
{
	struct fixture *f = *state;
	f->config->register_rigid = false;
	make_whole(f);
	each_instance(&f->series[0], to_other_frame);
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(
	    s,
	    "another frame of reference (2.25.1002) than the scans (2.25.1001), drawn on series 1");
	/* without contours it is only not taken */
	f->input.n_structure_sets = 0;
	s = assess(f);
	f->input.n_structure_sets = 1;
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->anatomy.index, -1);
	assert_true(leaves(s, "series 1 \"T1w VIBE\": another frame of reference than"));
}

static void test_earlier_baseline_of_another_stay(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(add_holmium(f, 5, -90), to_other_frame);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->baseline.index, 1);
	assert_int_equal(s->structure_set, 0);
	assert_true(s->report_ready);
	assert_true(warns(s, "HO109", "series 5 \"T2* multi-echo\" is there too"));
}

static void test_scan_in_another_frame_is_refused(void **state)
{
	struct fixture *f = *state;
	f->config->register_rigid = false;
	make_whole(f);
	each_instance(&f->series[3], to_other_frame);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(
	    s, "the series after injection 2 is in another frame of reference than the anatomy");
	assert_int_equal(s->n_after, 1); /* the map before the patient moved stands */
	assert_true(s->maps_ready);
	assert_false(s->report_ready);
}

/* ---- another stay in the scanner, with alignment ---- */

static void test_anatomy_of_another_stay_is_aligned(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[0], to_other_frame);
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->anatomy.index, 0);
	assert_int_equal(s->n_after, 2);
	assert_true(s->report_ready);
	assert_int_equal(s->baseline.transform.given, TREATMENT_NOT_GIVEN);
	/* a set whose own frame is not that of the series it names contradicts itself */
	copy(f->sets[0].frame_of_reference_uid, 65, "2.25.1003");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "in another frame of reference");
	/* a planning scan of days before is used when the record names its study, and only then */
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	for (int i = 0; i < f->series[0].n_instances; i++)
		site_clock(-60 * 24 * 5, f->series[0].instances[i].info.acquisition_datetime,
			   (char[8]){0});
	copy(f->series[0].study_instance_uid, 65, "2.25.76");
	s = assess(f);
	assert_int_equal(s->anatomy.index, -1);
	assert_true(leaves(s, "contours \"contours\""));
	f->record.n_studies = 2;
	copy(f->record.study_uid[0], 65, "2.25.77");
	copy(f->record.study_uid[1], 65, "2.25.76");
	s = assess(f);
	assert_int_equal(s->anatomy.index, 0);
	assert_true(s->report_ready);
}

static void test_scan_of_another_stay_is_aligned(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[3], to_other_frame);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->n_after, 2);
	assert_true(s->report_ready);
}

/* ---- transforms of the site ---- */

static void give(struct fixture *f, const char *from, const char *to, double x_mm)
{
	struct record_transform *t = &f->record.transforms[f->record.n_transforms++];
	rigid_identity(t->matrix);
	t->matrix[3] = x_mm;
	copy(t->from_uid, 65, from);
	copy(t->to_uid, 65, to);
	copy(t->provenance, 200, "fiducials");
}

static void test_transform_of_the_record_is_taken(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->config->register_rigid = false;
	each_instance(&f->series[3], to_other_frame);
	give(f, FRAME, OTHER_FRAME, 10);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->baseline.transform.given, TREATMENT_NOT_GIVEN); /* one frame */
	assert_int_equal(s->after[0].transform.given, TREATMENT_NOT_GIVEN);
	assert_int_equal(s->after[1].transform.given, TREATMENT_FROM_BASELINE);
	assert_float_equal(s->after[1].transform.matrix[3], 10, 0);
	assert_true(warns(s, "HO138",
			  "baseline to series after injection 2: transform of the record: "
			  "fiducials"));
	/* one that names the series itself goes before one of the whole frame, here backward */
	give(f, "2.25.4", "2.25.2", 7);
	s = assess(f);
	assert_float_equal(s->after[1].transform.matrix[3], -7, 1e-12);
	/* from the anatomy straight to the scan */
	f->record.n_transforms = 0;
	give(f, "2.25.1", "2.25.4", 5);
	s = assess(f);
	assert_int_equal(s->after[1].transform.given, TREATMENT_FROM_ANATOMY);
	assert_float_equal(s->after[1].transform.matrix[3], 5, 0);
	/* within one frame of reference only a series can be meant */
	f->record.n_transforms = 0;
	give(f, FRAME, "2.25.3", 3);
	give(f, OTHER_FRAME, FRAME, 2);
	s = assess(f);
	assert_float_equal(s->after[0].transform.matrix[3], 3, 0);
	assert_float_equal(s->after[1].transform.matrix[3], -2, 1e-12);
}

static void test_baseline_carries_its_stay_along(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->config->register_rigid = false;
	each_instance(&f->series[0], to_other_frame);
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	give(f, OTHER_FRAME, FRAME, 4);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->baseline.transform.given, TREATMENT_FROM_ANATOMY);
	assert_float_equal(s->baseline.transform.matrix[3], 4, 0);
	/* the stay as a whole was moved: where the scans lie to its baseline is still to be found
	 */
	assert_int_equal(s->after[0].transform.given, TREATMENT_NOT_GIVEN);
	/* a scan that is named itself lies where it is said to lie */
	give(f, "2.25.1", "2.25.3", 4);
	s = assess(f);
	assert_int_equal(s->after[0].transform.given, TREATMENT_FROM_ANATOMY);
	assert_int_equal(s->after[1].transform.given, TREATMENT_NOT_GIVEN);
}

static void test_regions_without_contours_or_role_are_listed(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct rt_structure_set *set = &f->sets[0];
	set->rois[set->n_rois++] = make_roi("ROI 17");
	set->rois[set->n_rois++] = make_roi("Tumour 2");
	set->rois[set->n_rois - 1].n_contours = 0;
	set->rois[set->n_rois++] = make_roi("Body");
	const struct treatment_slots *s = assess(f);
	assert_true(s->report_ready);
	assert_int_equal(s->n_vois, 3);
	assert_true(warns(s, "HO108", "region \"ROI 17\" has no role"));
	assert_true(warns(s, "HO108", "region \"Tumour 2\" (tumour) has no closed contours"));
	assert_int_equal(s->n_warnings, 3);
}

static void test_two_roles_are_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct rt_structure_set *set = &f->sets[0];
	set->rois[set->n_rois++] = make_roi("Liver minus GTV");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "\"Liver minus GTV\" matches both tumour");
	assert_true(s->maps_ready);
	assert_false(s->report_ready);
	/* the record has the first word */
	f->record.n_vois = 1;
	copy(f->record.vois[0].name, 260, "liver minus gtv");
	f->record.vois[0].role = CONFIG_VOI_IGNORE;
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_true(s->report_ready);
}

static void test_two_livers_are_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->sets[0].rois[f->sets[0].n_rois++] = make_roi("whole liver");
	assert_int_equal(assess(f)->state, TREATMENT_REFUSED);
	assert_waits(&f->slots, "both \"Liver\" and \"whole liver\" are the liver");
}

static void test_record_gives_roles_and_parts(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->sets[0].rois[f->sets[0].n_rois++] = make_roi("ROI 17");
	f->record.n_vois = 2;
	copy(f->record.vois[0].name, 260, "ROI 17");
	copy(f->record.vois[0].part, 260, "Right hemiliver");
	f->record.vois[0].role = CONFIG_VOI_TUMOUR;
	copy(f->record.vois[1].name, 260, "Tumour 3");
	f->record.vois[1].role = CONFIG_VOI_TUMOUR;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_vois, 4);
	assert_int_equal(s->vois[3].role, VOI_TUMOUR);
	assert_int_equal(s->vois[3].roi, 3);
	assert_string_equal(s->vois[3].part_name, "Right hemiliver");
	assert_true(warns(s, "HO119", "the record names \"Tumour 3\""));
}

/* Tumours that are summed up together, and a dead core. */
static void test_groups(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->sets[0].rois[f->sets[0].n_rois++] = make_roi("Tumour 2");
	f->sets[0].rois[f->sets[0].n_rois++] = make_roi("Core");
	f->record.n_vois = 3;
	for (int i = 0; i < 2; i++) {
		copy(f->record.vois[i].name, 260, i ? "Tumour 2" : "Tumour 1");
		copy(f->record.vois[i].group, 68, "A");
		f->record.vois[i].role = CONFIG_VOI_TUMOUR;
	}
	copy(f->record.vois[2].name, 260, "Core");
	f->record.vois[2].role = CONFIG_VOI_NECROSIS;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_vois, 6);
	assert_int_equal(s->vois[4].role, VOI_NECROSIS);
	assert_int_equal(s->vois[5].role, VOI_GROUP);
	assert_int_equal(s->vois[5].roi, -1);
	assert_string_equal(s->vois[5].name, "A");
	assert_true(s->report_ready);
	/* one alone is none; and no name for two things */
	f->record.vois[1].group[0] = '\0';
	s = assess(f);
	assert_int_equal(s->n_vois, 5);
	assert_true(warns(s, "HO119", "group \"A\" has one tumour only"));
	copy(f->record.vois[0].group, 68, "liver");
	copy(f->record.vois[1].group, 68, "liver");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "group \"liver\" has the name of a region");
	assert_true(s->maps_ready);
}

static void test_newest_contours_win(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_contours(f, "second look", 1, 90);
	add_contours(f, "of nothing here", 404, 95);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->structure_set, 1);
	assert_true(warns(s, "HO110", "contours \"contours\" of 20260302110500 are older"));
	assert_true(warns(
	    s, "HO110", "contours \"of nothing here\" of 20260302114000 are not used: the series"));
	assert_true(s->report_ready);
}

static void test_contours_whose_series_has_not_come(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->sets[0].referenced_series_uid, 65, "2.25.404");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_false(s->report_ready);
	assert_waits(
	    s,
	    "anatomy: series 2.25.404, on which the contours \"contours\" are drawn, has not come");
}

static void test_contours_on_the_baseline(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->sets[0].referenced_series_uid, 65, "2.25.2");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->anatomy.index, 1);
	assert_int_equal(s->baseline.index, 1);
	assert_ptr_not_equal(s->anatomy.arranged.image, s->baseline.arranged.image);
	assert_true(s->report_ready);
	assert_true(leaves(s, "series 1 \"T1w VIBE\": series 2 \"T2* multi-echo\" is the anatomy"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_contours_on_another_frame_are_refused),
	    TEST(test_anatomy_in_another_frame_is_refused),
	    TEST(test_earlier_baseline_of_another_stay),
	    TEST(test_scan_in_another_frame_is_refused),
	    TEST(test_anatomy_of_another_stay_is_aligned),
	    TEST(test_scan_of_another_stay_is_aligned),
	    TEST(test_transform_of_the_record_is_taken),
	    TEST(test_baseline_carries_its_stay_along),
	    TEST(test_regions_without_contours_or_role_are_listed),
	    TEST(test_two_roles_are_refused),
	    TEST(test_two_livers_are_refused),
	    TEST(test_record_gives_roles_and_parts),
	    TEST(test_groups),
	    TEST(test_newest_contours_win),
	    TEST(test_contours_whose_series_has_not_come),
	    TEST(test_contours_on_the_baseline),
	};
	return cmocka_run_group_tests_name("treatment_contours", tests, NULL, NULL);
}
