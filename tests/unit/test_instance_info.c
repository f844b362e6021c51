/* What the catalogue learns of one instance, on made-up headers and on what vendors really send. */
#include "check.h"

#include <stdlib.h>

#include "instance_info.h"
#include "tags.h"

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

static struct dataset *mr_image(void)
{
	static const char *const texts[][2] = {{"1.2.840.10008.5.1.4.1.1.4", "1.2.3.4"}};
	const double zero[3] = {0, 0, 0}, axes[6] = {1, 0, 0, 0, 1, 0}, spacing[2] = {1.5, 1.5};
	uint16_t pixels[4] = {1, 2, 3, 4};
	struct dataset *ds = NULL;

	assert_ok(dataset_new(&ds, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPClassUID), texts[0][0], &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPInstanceUID), texts[0][1], &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_StudyInstanceUID), "1.2.3", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SeriesInstanceUID), "1.2.3.1", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_Modality), "MR", &st), &st);
	assert_ok(dataset_set_doubles(ds, AT(TAG_ImagePositionPatient), zero, 3, &st), &st);
	assert_ok(dataset_set_doubles(ds, AT(TAG_ImageOrientationPatient), axes, 6, &st), &st);
	assert_ok(dataset_set_doubles(ds, AT(TAG_PixelSpacing), spacing, 2, &st), &st);
	assert_ok(dataset_set_double(ds, AT(TAG_EchoTime), 1.33, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Rows), 2, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Columns), 2, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsAllocated), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsStored), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_HighBit), 15, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_PixelRepresentation), 0, &st), &st);
	assert_ok(dataset_set_pixels_u16(ds, pixels, 4, &st), &st);
	return ds;
}

static struct instance_info info_of(struct dataset *ds)
{
	struct instance_info info;
	status_clear(&st);
	assert_ok(instance_info_read(&info, ds, &st), &st);
	return info;
}

static void fields_of_an_image(void **state)
{
	struct dataset *ds = mr_image();
	struct instance_info info;

	(void)state;
	assert_ok(
	    dataset_set_string(ds, AT(TAG_AcquisitionDateTime), "20260302101530.25+0100", &st),
	    &st);
	info = info_of(ds);
	assert_string_equal(info.sop_instance_uid, "1.2.3.4");
	assert_int_equal(info.rows, 2);
	assert_int_equal(info.frames, 1);
	assert_int_equal(info.images_in_acquisition, -1);
	assert_close(info.te_ms, 1.33, 0, 1e-12);
	assert_true(isnan(info.tr_ms));
	assert_close(info.pixel_spacing_mm[1], 1.5, 0, 0);
	assert_string_equal(info.acquisition_datetime, "20260302101530.25");
	assert_string_equal(info.utc_offset, "+0100");
	assert_int_equal(strlen(info.evidence_hash), 64);
	dataset_free(ds);
}

static void lossy_compression_is_kept(void **state)
{
	struct dataset *ds = mr_image();

	(void)state;
	assert_int_equal(info_of(ds).lossy, 0);
	assert_ok(dataset_set_string(ds, AT(TAG_LossyImageCompression), "00", &st), &st);
	assert_int_equal(info_of(ds).lossy, 0);
	assert_ok(dataset_set_string(ds, AT(TAG_LossyImageCompression), "01", &st), &st);
	assert_int_equal(info_of(ds).lossy, 1);
	dataset_free(ds);
}

static void acquisition_time_is_never_series_time(void **state)
{
	struct dataset *ds = mr_image();

	(void)state;
	assert_ok(dataset_set_string(ds, AT(TAG_SeriesDate), "20260101", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SeriesTime), "101500", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_ContentDate), "20260101", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_ContentTime), "101500", &st), &st);
	assert_string_equal(info_of(ds).acquisition_datetime, "");
	assert_ok(dataset_set_string(ds, AT(TAG_AcquisitionDate), "20260302", &st), &st);
	assert_string_equal(info_of(ds).acquisition_datetime, "");
	assert_ok(dataset_set_string(ds, AT(TAG_AcquisitionTime), "101530.5", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_TimezoneOffsetFromUTC), "-0500", &st), &st);
	assert_string_equal(info_of(ds).acquisition_datetime, "20260302101530.5");
	assert_string_equal(info_of(ds).utc_offset, "-0500");
	dataset_free(ds);
}

static void components_in_vendors_words(void **state)
{
	static const struct {
		const char *image_type, *complex;
		double ge;
		enum image_component component;
	} rows[] = {
	    {"ORIGINAL\\PRIMARY\\M\\ND\\NORM", "", -1, IMAGE_MAGNITUDE},
	    {"ORIGINAL\\PRIMARY\\P\\ND", "", -1, IMAGE_PHASE},
	    {"ORIGINAL\\PRIMARY\\R\\ND", "", -1, IMAGE_REAL},
	    {"ORIGINAL\\PRIMARY\\I\\ND", "", -1, IMAGE_IMAGINARY},
	    {"ORIGINAL\\PRIMARY\\M_FFE\\M\\FFE", "", -1, IMAGE_MAGNITUDE},
	    {"ORIGINAL\\PRIMARY\\PHASE MAP\\P\\FFE", "", -1, IMAGE_PHASE},
	    {"DERIVED\\PRIMARY\\R2_STAR MAP\\R2_STAR\\UNSPECIFIED", "", -1, IMAGE_DERIVED},
	    {"DERIVED\\PRIMARY\\T2_STAR MAP\\T2_STAR\\FFE", "", -1, IMAGE_DERIVED},
	    {"DERIVED\\PRIMARY\\M\\ND\\MIP", "", -1, IMAGE_DERIVED},
	    {"ORIGINAL\\PRIMARY\\OTHER", "", -1, IMAGE_UNKNOWN},
	    {"ORIGINAL\\PRIMARY\\OTHER", "", 0, IMAGE_MAGNITUDE},
	    {"ORIGINAL\\PRIMARY\\OTHER", "", 1, IMAGE_PHASE},
	    {"ORIGINAL\\PRIMARY\\OTHER", "", 2, IMAGE_REAL},
	    {"ORIGINAL\\PRIMARY\\OTHER", "", 3, IMAGE_IMAGINARY},
	    {"ORIGINAL\\PRIMARY\\OTHER", "IMAGINARY", -1, IMAGE_IMAGINARY},
	    {"", "MAGNITUDE", -1, IMAGE_MAGNITUDE},
	    {"", "", -1, IMAGE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dataset *ds = mr_image();
		assert_ok(dataset_set_string(ds, AT(TAG_ImageType), rows[i].image_type, &st), &st);
		assert_ok(
		    dataset_set_string(ds, AT(TAG_ComplexImageComponent), rows[i].complex, &st),
		    &st);
		if (rows[i].ge >= 0)
			assert_ok(dataset_set_private(ds, 0x0043, "GEMS_PARM_01", 0x2F, "SS",
						      rows[i].ge, &st),
				  &st);
		if (info_of(ds).component != rows[i].component)
			fail_msg("row %zu: component %d, expected %d", i,
				 (int)info_of(ds).component, (int)rows[i].component);
		dataset_free(ds);
	}
}

static void evidence_is_content_not_header(void **state)
{
	static const struct {
		uint32_t tag;
		const char *value;
		bool same;
	} rows[] = {
	    {TAG_SOPInstanceUID, "1.2.3.5", true},
	    {TAG_StudyInstanceUID, "1.2.9", true},
	    {TAG_PatientName, "Somebody^Else", true},
	    {TAG_InstanceNumber, "17", true},
	    {TAG_StudyDate, "20200101", true},
	    {TAG_SeriesDescription, "edited", true},
	    {TAG_PixelSpacing, "1.50\\1.500", true},
	    {TAG_PixelSpacing, "1.5\\1.6", false},
	    {TAG_ImagePositionPatient, "0\\0\\5", false},
	    {TAG_EchoTime, "2.48", false},
	    {TAG_RescaleSlope, "2", false},
	    {TAG_AcquisitionDateTime, "20260302101530", false},
	    {TAG_ImageType, "ORIGINAL\\PRIMARY\\P", false},
	};
	uint16_t other[4] = {1, 2, 3, 5};
	struct dataset *ds = mr_image();
	struct instance_info first = info_of(ds);

	(void)state;
	assert_ok(dataset_set_pixels_u16(ds, other, 4, &st), &st);
	assert_string_not_equal(info_of(ds).evidence_hash, first.evidence_hash);
	dataset_free(ds);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ds = mr_image();
		assert_ok(dataset_set_string(ds, AT(rows[i].tag), rows[i].value, &st), &st);
		bool same = strcmp(info_of(ds).evidence_hash, first.evidence_hash) == 0;
		if (same != rows[i].same)
			fail_msg("row %zu (%s)", i, rows[i].value);
		dataset_free(ds);
	}
}

static struct dataset *nm_image(void)
{
	struct dataset *ds = mr_image();
	assert_ok(dataset_set_string(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.20", &st),
		  &st);
	/* it stands in the detector's sequence */
	assert_ok(dataset_set_empty(ds, AT(TAG_ImagePositionPatient), &st), &st);
	return ds;
}

/* When a SPECT was acquired decides over its activity: one sent again with its time corrected is
 * another one. */
static void evidence_of_a_spect_holds_its_times(void **state)
{
	static const struct {
		uint32_t tag;
		const char *value;
		bool same;
	} rows[] = {
	    {TAG_SOPInstanceUID, "1.2.3.5", true},
	    {TAG_SeriesDescription, "edited", true},
	    {TAG_StudyDate, "20200101", true},
	    {TAG_AcquisitionDate, "20260303", false},
	    {TAG_AcquisitionTime, "111111", false},
	    {TAG_AcquisitionDateTime, "20260302101530", false},
	    {TAG_SeriesTime, "101530", false},
	    {TAG_StationName, "CAMERA2", false},
	    {TAG_PixelSpacing, "1.5\\1.6", false},
	};
	struct dataset *ds = nm_image();
	struct instance_info first = info_of(ds);

	(void)state;
	dataset_free(ds);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ds = nm_image();
		assert_ok(dataset_set_string(ds, AT(rows[i].tag), rows[i].value, &st), &st);
		bool same = strcmp(info_of(ds).evidence_hash, first.evidence_hash) == 0;
		if (same != rows[i].same)
			fail_msg("row %zu (%s)", i, rows[i].value);
		dataset_free(ds);
	}
}

static void refused_with_words(void **state)
{
	static const uint32_t needed[] = {TAG_SOPClassUID, TAG_SOPInstanceUID, TAG_StudyInstanceUID,
					  TAG_SeriesInstanceUID, TAG_Rows};
	struct instance_info info;

	(void)state;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
		struct dataset *ds = mr_image();
		assert_ok(dataset_set_empty(ds, AT(needed[i]), &st), &st);
		assert_int_equal(instance_info_read(&info, ds, &st), STATUS_REFUSE);
		assert_true(strlen(st.text) > 10);
		status_clear(&st);
		dataset_free(ds);
	}
}

static void field_strength_units(void **state)
{
	(void)state;
	assert_close(field_strength_tesla(2.89), 2.89, 0, 1e-12);
	assert_close(field_strength_tesla(30000), 3, 0, 1e-12);
	assert_close(field_strength_tesla(15000), 1.5, 0, 1e-12);
	assert_close(field_strength_tesla(3000), 3, 0, 1e-12);
	assert_close(field_strength_tesla(1494), 1.494, 0, 1e-12);
	assert_true(isnan(field_strength_tesla(5000)));
	assert_true(isnan(field_strength_tesla(0)));
	assert_true(isnan(field_strength_tesla(-3)));
	assert_true(isnan(field_strength_tesla(100)));
	assert_true(isnan(field_strength_tesla((double)NAN)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(fields_of_an_image, set_up),
	    cmocka_unit_test_setup(lossy_compression_is_kept, set_up),
	    cmocka_unit_test_setup(acquisition_time_is_never_series_time, set_up),
	    cmocka_unit_test_setup(components_in_vendors_words, set_up),
	    cmocka_unit_test_setup(evidence_is_content_not_header, set_up),
	    cmocka_unit_test_setup(evidence_of_a_spect_holds_its_times, set_up),
	    cmocka_unit_test_setup(refused_with_words, set_up),
	    cmocka_unit_test_setup(field_strength_units, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
