/* Contour sets, made up and as other programs write them. Volumes and means on real data:
 * test_real_rt.c. */
#include "check.h"

#include "rt_structure_set.h"
#include "tags.h"

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

static void put(struct dataset *ds, struct dataset_path path, const char *text)
{
	assert_ok(dataset_set_string(ds, path, text, &st), &st);
}

/* Two ROIs in one order, contours and observations in another; the second ROI has none. */
static struct dataset *structure_set(void)
{
	struct dataset *ds = NULL;

	assert_ok(dataset_new(&ds, &st), &st);
	put(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.481.3");
	put(ds, AT(TAG_SOPInstanceUID), "1.2.3");
	put(ds, AT(TAG_StructureSetLabel), "liver");
	put(ds, AT(TAG_StructureSetDate), "20260302");
	put(ds, AT(TAG_StructureSetTime), "093000");
	put(ds, AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_FrameOfReferenceUID), "1.2.3.9");
	put(ds,
	    AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_RTReferencedStudySequence, 0,
	       TAG_RTReferencedSeriesSequence, 0, TAG_SeriesInstanceUID),
	    "1.2.3.8");
	put(ds, AT(TAG_StructureSetROISequence, 0, TAG_ROINumber), "7");
	put(ds, AT(TAG_StructureSetROISequence, 0, TAG_ROIName), "Tumeur n°1");
	put(ds, AT(TAG_StructureSetROISequence, 0, TAG_ReferencedFrameOfReferenceUID), "1.2.3.9");
	put(ds, AT(TAG_StructureSetROISequence, 1, TAG_ROINumber), "3");
	put(ds, AT(TAG_StructureSetROISequence, 1, TAG_ROIName), "empty");
	put(ds, AT(TAG_ROIContourSequence, 0, TAG_ReferencedROINumber), "3");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ReferencedROINumber), "7");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ContourSequence, 0, TAG_ContourGeometricType),
	    "POINT");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ContourSequence, 0, TAG_ContourData), "1\\2\\3");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ContourSequence, 1, TAG_ContourGeometricType),
	    "CLOSED_PLANAR");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ContourSequence, 1, TAG_ContourData),
	    "-123.45678901234\\+2.5E+1\\5 \\ 0\\0\\5\\1\\1\\5");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ContourSequence, 2, TAG_ContourGeometricType),
	    "CLOSEDPLANAR_XOR");
	put(ds, AT(TAG_ROIContourSequence, 1, TAG_ContourSequence, 2, TAG_ContourData),
	    "0\\0\\5\\1\\0\\5\\1\\1\\5\\0\\1\\5");
	put(ds, AT(TAG_RTROIObservationsSequence, 0, TAG_ReferencedROINumber), "7");
	put(ds, AT(TAG_RTROIObservationsSequence, 0, TAG_RTROIInterpretedType), "GTV");
	put(ds,
	    AT(TAG_RTROIObservationsSequence, 0, TAG_RTROIIdentificationCodeSequence, 0,
	       TAG_CodeValue),
	    "108369006");
	put(ds,
	    AT(TAG_RTROIObservationsSequence, 0, TAG_RTROIIdentificationCodeSequence, 0,
	       TAG_CodingSchemeDesignator),
	    "SCT");
	return ds;
}

static void everything_is_read(void **state)
{
	struct dataset *ds = structure_set();
	struct rt_structure_set set;

	(void)state;
	assert_ok(rt_structure_set_read(&set, ds, &st), &st);
	assert_string_equal(set.label, "liver");
	assert_string_equal(set.datetime, "20260302093000");
	assert_string_equal(set.frame_of_reference_uid, "1.2.3.9");
	assert_string_equal(set.referenced_series_uid, "1.2.3.8");
	assert_int_equal(set.n_rois, 2);
	assert_int_equal(set.rois[0].number, 7);
	assert_string_equal(set.rois[0].name, "Tumeur n°1");
	assert_string_equal(set.rois[0].interpreted_type, "GTV");
	assert_string_equal(set.rois[0].code_value, "108369006");
	assert_string_equal(set.rois[0].code_scheme, "SCT");
	assert_int_equal(set.rois[0].n_contours, 2);
	assert_int_equal(set.rois[0].ignored_contours, 1);
	assert_int_equal(set.rois[0].contours[0].points, 3);
	assert_close(set.rois[0].contours[0].points_mm[0], -123.45678901234, 1e-12, 0);
	assert_close(set.rois[0].contours[0].points_mm[1], 25, 1e-12, 0);
	assert_int_equal(set.rois[0].contours[1].points, 4);
	assert_int_equal(set.rois[1].n_contours, 0);
	assert_string_equal(set.rois[1].name, "empty");
	rt_structure_set_free(&set);
	dataset_free(ds);
}

static void refused_with_words(void **state)
{
	static const struct {
		struct dataset_path path;
		const char *value, *words;
	} rows[] = {
	    {{1, {TAG_SOPClassUID}}, "1.2.840.10008.5.1.4.1.1.4", "not an RT Structure Set"},
	    {{5, {TAG_ROIContourSequence, 1, TAG_ContourSequence, 1, TAG_ContourData}},
	     "1\\2\\3\\4",
	     "multiple of three"},
	    {{5, {TAG_ROIContourSequence, 1, TAG_ContourSequence, 1, TAG_ContourData}},
	     "1\\2\\x",
	     "value 3 is not a number"},
	    {{5, {TAG_ROIContourSequence, 1, TAG_ContourSequence, 1, TAG_ContourData}},
	     "1\\\\3",
	     "value 2"},
	    {{3, {TAG_StructureSetROISequence, 1, TAG_ROINumber}}, "7", "used twice"},
	    {{1, {TAG_StructureSetROISequence}}, "", "without any ROI"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dataset *ds = structure_set();
		struct rt_structure_set set;
		put(ds, rows[i].path, rows[i].value);
		assert_int_equal(rt_structure_set_read(&set, ds, &st), STATUS_REFUSE);
		if (!strstr(st.text, rows[i].words))
			fail_msg("\"%s\" does not say \"%s\"", st.text, rows[i].words);
		status_clear(&st);
		dataset_free(ds);
	}
}

static void points_are_counted_and_left_out(void **state)
{
	struct dataset *ds = NULL;
	struct rt_structure_set set;

	(void)state;
	require_data("02_rt/pydicom_rtstruct.dcm");
	assert_ok(dataset_read_file(&ds, DATA_DIR "/02_rt/pydicom_rtstruct.dcm", &st), &st);
	assert_ok(rt_structure_set_read(&set, ds, &st), &st);
	assert_int_equal(set.n_rois, 3);
	assert_int_equal(set.rois[0].n_contours + set.rois[1].n_contours + set.rois[2].n_contours,
			 3);
	assert_int_equal(set.rois[0].ignored_contours + set.rois[1].ignored_contours +
			     set.rois[2].ignored_contours,
			 2);
	rt_structure_set_free(&set);
	dataset_free(ds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(everything_is_read, set_up),
	    cmocka_unit_test_setup(refused_with_words, set_up),
	    cmocka_unit_test_setup(points_are_counted_and_left_out, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
