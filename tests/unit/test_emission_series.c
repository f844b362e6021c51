/* PET and NM data sets made here, to a volume: order, scaling, times, and every refusal. */
#include "check.h"

#include <stdlib.h>

#include "emission_series.h"
#include "tags.h"

#define SLICES	4
#define COLUMNS 3
#define ROWS	2
#define PIXELS	(COLUMNS * ROWS)

static struct status st;
static struct dataset *images[SLICES];
static int n_images;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < n_images; i++)
		dataset_free(images[i]);
	n_images = 0;
	return 0;
}

static void put(struct dataset *ds, struct dataset_path path, const char *text)
{
	assert_ok(dataset_set_string(ds, path, text, &st), &st);
}

static void put_numbers(struct dataset *ds, struct dataset_path path, const double *values,
			size_t count)
{
	assert_ok(dataset_set_doubles(ds, path, values, count, &st), &st);
}

static void put_number(struct dataset *ds, struct dataset_path path, double value)
{
	put_numbers(ds, path, &value, 1);
}

static void put_whole(struct dataset *ds, struct dataset_path path, int value)
{
	char text[13];
	snprintf(text, sizeof text, "%d", value);
	put(ds, path, text);
}

#define NUCLIDE(keyword)                                                                           \
	AT(TAG_RadiopharmaceuticalInformationSequence, 0, TAG_RadionuclideCodeSequence, 0,         \
	   TAG_##keyword)
#define PHARMACEUTICAL(keyword) AT(TAG_RadiopharmaceuticalInformationSequence, 0, TAG_##keyword)

static struct dataset *new_image(const char *class_uid, const char *instance)
{
	struct dataset *ds = NULL;
	const double spacing_mm[2] = {4, 5};
	assert_ok(dataset_new(&ds, &st), &st);
	put(ds, AT(TAG_SOPClassUID), class_uid);
	put(ds, AT(TAG_SOPInstanceUID), instance);
	put(ds, AT(TAG_StudyInstanceUID), "1.2");
	put(ds, AT(TAG_SeriesInstanceUID), "1.2.3");
	put(ds, AT(TAG_FrameOfReferenceUID), "1.9");
	put(ds, AT(TAG_StationName), "CAMERA1");
	put(ds, AT(TAG_SeriesDate), "20260304");
	put(ds, AT(TAG_SeriesTime), "100000");
	put(ds, AT(TAG_AcquisitionDate), "20260304");
	put(ds, AT(TAG_AcquisitionTime), "100000");
	put(ds, AT(TAG_TimezoneOffsetFromUTC), "+0100");
	put(ds, NUCLIDE(CodeValue), "C1943");
	put(ds, NUCLIDE(CodingSchemeDesignator), "NCIt");
	put(ds, NUCLIDE(CodeMeaning), "^166^Holmium");
	put(ds, PHARMACEUTICAL(RadiopharmaceuticalStartDateTime), "20260302100000+0100");
	put_numbers(ds, AT(TAG_PixelSpacing), spacing_mm, 2);
	assert_ok(dataset_set_int(ds, AT(TAG_Rows), ROWS, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Columns), COLUMNS, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_SamplesPerPixel), 1, &st), &st);
	put(ds, AT(TAG_PhotometricInterpretation), "MONOCHROME2");
	assert_ok(dataset_set_int(ds, AT(TAG_BitsAllocated), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsStored), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_HighBit), 15, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_PixelRepresentation), 0, &st), &st);
	images[n_images++] = ds;
	return ds;
}

static void put_pixels(struct dataset *ds, int count, int first)
{
	uint16_t values[SLICES * PIXELS];
	for (int i = 0; i < count; i++)
		values[i] = (uint16_t)(first + i);
	assert_ok(dataset_set_pixels_u16(ds, values, (size_t)count, &st), &st);
}

/* Slice k at z = -40 + 6 k, values (100 k + i) * (k + 1): each slice has its own slope. */
static void make_pet(void)
{
	static const int order[SLICES] = {2, 0, 3, 1};
	for (int n = 0; n < SLICES; n++) {
		int k = order[n];
		const double orientation[6] = {1, 0, 0, 0, 1, 0};
		const double position_mm[3] = {-10, -20, -40 + 6 * k};
		char uid[20];
		snprintf(uid, sizeof uid, "1.2.3.%d", k);
		struct dataset *ds = new_image("1.2.840.10008.5.1.4.1.1.128", uid);
		put_numbers(ds, AT(TAG_ImageOrientationPatient), orientation, 6);
		put_numbers(ds, AT(TAG_ImagePositionPatient), position_mm, 3);
		put_number(ds, AT(TAG_SliceThickness), 6);
		put(ds, AT(TAG_Units), "BQML");
		put(ds, AT(TAG_DecayCorrection), "START");
		put(ds, AT(TAG_CorrectedImage), "DECY\\ATTN");
		put_number(ds, AT(TAG_RescaleSlope), k + 1);
		put_number(ds, AT(TAG_RescaleIntercept), 0);
		put_whole(ds, AT(TAG_ActualFrameDuration), 600000);
		put_whole(ds, AT(TAG_NumberOfSlices), SLICES);
		put_number(ds, PHARMACEUTICAL(RadionuclideHalfLife), 96480);
		put_number(ds, PHARMACEUTICAL(RadionuclideTotalDose), 6.8e9);
		put_pixels(ds, PIXELS, 100 * k);
	}
}

static struct emission_series read_series(double cps_per_mbq)
{
	struct emission_series series;
	assert_ok(emission_series_read(&series, images, n_images, cps_per_mbq, &st), &st);
	return series;
}

static void refused(const char *words)
{
	struct emission_series series = {.activity_bq_per_ml = VOLUME_INIT};
	enum status_code code = emission_series_read(&series, images, n_images, (double)NAN, &st);
	if (code != STATUS_REFUSE || !strstr(st.text, words))
		fail_msg("code %d: %s", (int)code, st.text);
	assert_null(series.activity_bq_per_ml.samples);
	status_clear(&st);
}

/* ---- PET ---- */

static void pet_slices_are_put_in_order_with_their_own_slopes(void **state)
{
	(void)state;
	make_pet();
	struct emission_series series = read_series((double)NAN);
	const struct volume *volume = &series.activity_bq_per_ml;
	assert_int_equal(series.slices, SLICES);
	assert_int_equal(series.slices_expected, SLICES);
	for (int k = 0; k < SLICES; k++)
		for (int i = 0; i < PIXELS; i++)
			assert_close((double)volume->samples[k * PIXELS + i],
				     (100 * k + i) * (k + 1), 0, 1e-7);
	const double last[3] = {COLUMNS - 1, ROWS - 1, SLICES - 1};
	double at_mm[3];
	grid_to_patient(&volume->grid, last, at_mm);
	assert_close(at_mm[0], -10 + 2 * 5, 1e-9, 0);
	assert_close(at_mm[1], -20 + 4, 1e-9, 0);
	assert_close(at_mm[2], -40 + 18, 1e-9, 0);
	assert_true(series.calibrated);
	assert_true(series.attenuation_corrected);
	assert_false(series.scatter_corrected);
	assert_string_equal(series.series_uid, "1.2.3");
	assert_string_equal(series.station, "CAMERA1");
	assert_string_equal(series.utc_offset, "+0100");
	assert_string_equal(series.scan_start, "20260304100000");
	assert_string_equal(series.administration, "20260302100000+0100");
	assert_int_equal(series.corrected_to, EMISSION_DECAY_START);
	assert_close(series.half_life_h, 26.8, 0, 1e-12);
	assert_close(series.injected_mbq, 6800, 0, 1e-12);
	assert_close(series.scan_duration_s, 600, 0, 1e-12);
	emission_series_free(&series);
}

static void pet_that_is_no_volume_of_activity_is_refused(void **state)
{
	static const struct {
		uint32_t tag;
		const char *value, *words;
	} rows[] = {
	    {TAG_Units, "GML", "units of the emission image are GML"},
	    {TAG_Units, "CNTS", "units of the emission image are CNTS"},
	    {TAG_Units, "", "units of the emission image are not said"},
	    {TAG_DecayCorrection, "NONE", "mixed decay correction"},
	    {TAG_ImagePositionPatient, "-10\\-20\\-37.5", "unequal slice spacing"},
	    {TAG_ImagePositionPatient, "-10\\-20\\-40", "two different images at slice 1"},
	    {TAG_ImagePositionPatient, "-10\\-20\\20", "gap of"},
	    {TAG_RescaleSlope, "0", "rescale slope 0"},
	    {TAG_RescaleSlope, "-1", "rescale slope -1"},
	    {TAG_FrameOfReferenceUID, "1.8", "two frames of reference"},
	    {TAG_SeriesInstanceUID, "1.2.4", "images of two series"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		make_pet();
		/* the second of the slices, at z = -34 */
		put(images[3], AT(rows[i].tag), rows[i].value);
		refused(rows[i].words);
		tear_down(state);
	}
	make_pet();
	put(images[1], NUCLIDE(CodeMeaning), "^90^Yttrium");
	refused("slices of two radionuclides");
	tear_down(state);
	make_pet();
	put_number(images[1], PHARMACEUTICAL(RadionuclideHalfLife), 90000);
	refused("slices of two radionuclides");
	tear_down(state);
	make_pet();
	put(images[1], PHARMACEUTICAL(RadiopharmaceuticalStartDateTime), "20260302100001+0100");
	refused("slices of two administrations");
	tear_down(state);
	make_pet();
	put(images[0], AT(TAG_RadiopharmaceuticalInformationSequence, 1, TAG_RadionuclideHalfLife),
	    "100");
	refused("more than one radionuclide");
	tear_down(state);
	make_pet();
	for (int i = 0; i < SLICES; i++)
		put(images[i], AT(TAG_DecayCorrection), "SCAN");
	refused("not said to what time");
	refused("decay correction \"SCAN\"");
}

static void without_decay_correction_all_slices_need_one_time(void **state)
{
	(void)state;
	make_pet();
	for (int i = 0; i < SLICES; i++)
		put(images[i], AT(TAG_DecayCorrection), "NONE");
	struct emission_series series = read_series((double)NAN);
	assert_int_equal(series.corrected_to, EMISSION_DECAY_NONE);
	emission_series_free(&series);
	put(images[2], AT(TAG_AcquisitionTime), "101000");
	refused("slices acquired up to 600 s apart");
	put(images[2], AT(TAG_AcquisitionTime), "100000");
	put_whole(images[2], AT(TAG_ActualFrameDuration), 700000);
	refused("600 s and 700 s");
}

static void set_times(const char *series_time, const char *acquisition_time, double decay_factor)
{
	for (int i = 0; i < SLICES; i++) {
		put(images[i], AT(TAG_SeriesTime), series_time);
		put(images[i], AT(TAG_AcquisitionTime), acquisition_time);
		put_number(images[i], AT(TAG_DecayFactor), decay_factor);
	}
}

static void starts_at(const char *scan_start)
{
	struct emission_series series = read_series((double)NAN);
	assert_string_equal(series.scan_start, scan_start);
	emission_series_free(&series);
}

/* Second bed, three hours after the first, frames of 600 s: the factor to the series' start is
 * exp(lambda 10800 s) x / (1 - exp(-x)). */
static void the_decay_factor_tells_the_reference_time(void **state)
{
	(void)state;
	const double lambda = log(2) / 96480, x = lambda * 600, frame = x / (1 - exp(-x));
	make_pet();
	set_times("100000", "130000", exp(lambda * 10800) * frame);
	starts_at("20260304100000");
	/* a series made anew hours later: its time is no start */
	set_times("180000", "130000", frame);
	starts_at("20260304130000");
	/* the start that its time suggests is not the one it was corrected to */
	set_times("100000", "130000", frame);
	starts_at("20260304130000");
	set_times("100000", "130000", 1.5);
	refused("fit neither the series time");
	/* a factor of 1 says nothing */
	set_times("100000", "130000", 1);
	starts_at("20260304100000");
}

/* ---- NM ---- */

static struct dataset *make_nm(double spacing_mm)
{
	const double orientation[6] = {1, 0, 0, 0, 1, 0}, position_mm[3] = {-10, -20, -40};
	struct dataset *ds = new_image("1.2.840.10008.5.1.4.1.1.20", "1.2.3.1");
	put(ds, AT(TAG_ImageType), "ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION");
	put_whole(ds, AT(TAG_NumberOfFrames), SLICES);
	put_whole(ds, AT(TAG_NumberOfSlices), SLICES);
	put_number(ds, AT(TAG_SpacingBetweenSlices), spacing_mm);
	put_numbers(ds, AT(TAG_DetectorInformationSequence, 0, TAG_ImageOrientationPatient),
		    orientation, 6);
	put_numbers(ds, AT(TAG_DetectorInformationSequence, 0, TAG_ImagePositionPatient),
		    position_mm, 3);
	put_whole(ds, AT(TAG_RotationInformationSequence, 0, TAG_ActualFrameDuration), 20000);
	put_whole(ds, AT(TAG_RotationInformationSequence, 0, TAG_NumberOfFramesInRotation), 60);
	put_number(ds, PHARMACEUTICAL(RadionuclideTotalDose), 150);
	put_pixels(ds, SLICES * PIXELS, 0);
	return ds;
}

static void nm_counts_need_a_sensitivity(void **state)
{
	(void)state;
	make_nm(6);
	struct emission_series series = read_series((double)NAN);
	assert_false(series.calibrated);
	assert_true(isnan(series.cps_per_mbq));
	assert_close(series.injected_mbq, 150, 0, 1e-12);
	assert_close((double)series.activity_bq_per_ml.samples[PIXELS + 2], PIXELS + 2, 0, 0);
	emission_series_free(&series);
	/* 60 views of 20 s at 25 cps/MBq: 30000 counts per MBq; voxels of 4 x 5 x 6 mm, 0.12 mL */
	series = read_series(25);
	assert_true(series.calibrated);
	assert_close(series.cps_per_mbq, 25, 0, 0);
	assert_close(series.scan_duration_s, 1200, 0, 0);
	assert_close((double)series.activity_bq_per_ml.samples[PIXELS + 2],
		     (PIXELS + 2) / 30000.0 * 1e6 / 0.12, 0, 1e-6);
	assert_int_equal(series.corrected_to, EMISSION_DECAY_NONE);
	emission_series_free(&series);
}

static void nm_slices_are_stacked_by_the_sign_of_their_spacing(void **state)
{
	const double spacings_mm[2] = {6, -6};
	for (int i = 0; i < 2; i++) {
		make_nm(spacings_mm[i]);
		struct emission_series series = read_series((double)NAN);
		const double second[3] = {1, 1, 1};
		double at_mm[3];
		grid_to_patient(&series.activity_bq_per_ml.grid, second, at_mm);
		assert_close(at_mm[0], -10 + 5, 1e-9, 0);
		assert_close(at_mm[1], -20 + 4, 1e-9, 0);
		assert_close(at_mm[2], -40 + spacings_mm[i], 1e-9, 0);
		assert_close(grid_voxel_volume_ml(&series.activity_bq_per_ml.grid), 0.12, 0, 1e-9);
		emission_series_free(&series);
		tear_down(state);
	}
}

static void nm_frames_go_where_the_slice_vector_says(void **state)
{
	(void)state;
	struct dataset *ds = make_nm(6);
	put(ds, AT(TAG_SliceVector), "4\\3\\2\\1");
	struct emission_series series = read_series((double)NAN);
	assert_close((double)series.activity_bq_per_ml.samples[0], 3 * PIXELS, 0, 0);
	assert_close((double)series.activity_bq_per_ml.samples[3 * PIXELS], 0, 0, 0);
	emission_series_free(&series);
	put(ds, AT(TAG_SliceVector), "1\\2\\2\\4");
	refused("frame 3 is of slice 2");
	put(ds, AT(TAG_SliceVector), "4\\3\\2");
	refused("slice vector of 3 values");
}

static void nm_with_its_own_mapping_needs_no_sensitivity(void **state)
{
	(void)state;
#define MAPPING(...) AT(TAG_RealWorldValueMappingSequence, 0, __VA_ARGS__)
	struct dataset *ds = make_nm(6);
	put(ds, MAPPING(TAG_MeasurementUnitsCodeSequence, 0, TAG_CodeValue), "Bq/ml");
	put_number(ds, MAPPING(TAG_RealWorldValueSlope), 250);
	put_number(ds, MAPPING(TAG_RealWorldValueIntercept), 10);
	struct emission_series series = read_series((double)NAN);
	assert_true(series.calibrated);
	assert_close((double)series.activity_bq_per_ml.samples[3], 760, 0, 1e-7);
	emission_series_free(&series);
	put(ds, MAPPING(TAG_MeasurementUnitsCodeSequence, 0, TAG_CodeValue), "{counts}");
	series = read_series((double)NAN);
	assert_false(series.calibrated);
	assert_close((double)series.activity_bq_per_ml.samples[3], 3, 0, 0);
	emission_series_free(&series);
}

static void nm_that_is_no_volume_is_refused(void **state)
{
	struct dataset *ds = make_nm(6);
	put(ds, AT(TAG_ImageType), "ORIGINAL\\PRIMARY\\RECON GATED TOMO\\EMISSION");
	refused("\"RECON GATED TOMO\" is no reconstructed tomography");
	put(ds, AT(TAG_ImageType), "ORIGINAL\\PRIMARY\\TOMO\\EMISSION");
	refused("\"TOMO\" is no reconstructed tomography");
	tear_down(state);
	ds = make_nm(6);
	put_whole(ds, AT(TAG_NumberOfEnergyWindows), 2);
	refused("2 energy windows");
	tear_down(state);
	ds = make_nm(6);
	put_whole(ds, AT(TAG_NumberOfSlices), 2);
	refused("2 slices in 4 frames");
	tear_down(state);
	ds = make_nm(6);
	assert_ok(dataset_set_empty(ds, AT(TAG_SpacingBetweenSlices), &st), &st);
	refused("without spacing between slices");
	tear_down(state);
	ds = make_nm(6);
	assert_ok(dataset_set_empty(ds, AT(TAG_DetectorInformationSequence), &st), &st);
	refused("without position or orientation");
	tear_down(state);
	make_nm(6);
	make_nm(6);
	refused("2 NM images");
}

static void calibrated_nm_needs_its_times(void **state)
{
	struct emission_series series;
	struct dataset *ds = make_nm(6);
	put(ds, AT(TAG_CorrectedImage), "DECY\\ATTN");
	assert_int_equal(emission_series_read(&series, images, n_images, 25, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "not said to what time"));
	status_clear(&st);
	/* for ratios it does not matter */
	series = read_series((double)NAN);
	emission_series_free(&series);
	put(ds, AT(TAG_DecayCorrection), "START");
	series = read_series(25);
	assert_int_equal(series.corrected_to, EMISSION_DECAY_START);
	emission_series_free(&series);
	tear_down(state);
	/* two rotations: beds or repetitions, nobody says */
	ds = make_nm(6);
	put_whole(ds, AT(TAG_RotationInformationSequence, 1, TAG_ActualFrameDuration), 20000);
	assert_int_equal(emission_series_read(&series, images, n_images, 25, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "how long its one rotation took"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(pet_slices_are_put_in_order_with_their_own_slopes),
	    TEST(pet_that_is_no_volume_of_activity_is_refused),
	    TEST(without_decay_correction_all_slices_need_one_time),
	    TEST(the_decay_factor_tells_the_reference_time),
	    TEST(nm_counts_need_a_sensitivity),
	    TEST(nm_slices_are_stacked_by_the_sign_of_their_spacing),
	    TEST(nm_frames_go_where_the_slice_vector_says),
	    TEST(nm_with_its_own_mapping_needs_no_sensitivity),
	    TEST(nm_that_is_no_volume_is_refused),
	    TEST(calibrated_nm_needs_its_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
