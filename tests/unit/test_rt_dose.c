/* RT Dose objects of made-up volumes, read back element by element. The files for the validators
 * come from here too (HOLMIA_TEST_OUT). */
#include "check.h"

#include "result_fixture.h"
#include "rt_dose.h"
#include "volume.h"

static struct result_fixture fixture;

/* A dose with a maximum of 195.507 Gy, negatives, and a slice that was not evaluated. */
static void make_dose(struct volume *dose_gy, const struct grid *grid)
{
	struct status st = STATUS_INIT;

	assert_ok(volume_new(dose_gy, grid, 0.0f, &st), &st);
	for (int k = 0; k < grid->slices; k++)
		for (int j = 0; j < grid->rows; j++)
			for (int i = 0; i < grid->columns; i++) {
				float *value =
				    &dose_gy->samples[(k * grid->rows + j) * grid->columns + i];
				*value = (float)(k * 20 + j) + 0.01f * (float)i - 5.0f;
				if (k == 1)
					*value = NAN;
			}
	dose_gy->samples[(3 * grid->rows + 2) * grid->columns + 7] = 195.507f;
}

static struct rt_dose_input input_of(const struct volume *dose_gy)
{
	return (struct rt_dose_input){
	    .evidence = &fixture.evidence,
	    .dose_gy = dose_gy,
	    .after_injection = 3,
	    .planned_injections = 4,
	    .method = "166Ho local deposition, 15.87 mJ/MBq, 1.06 g/mL",
	};
}

/* Without VOIs no report follows: the map has to say itself how far to trust it. */
static void test_remarks_stand_in_the_map(void **state)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct volume dose;
	char uid[65], text[1025], longest[1200];

	(void)state;
	assert_ok(volume_new(&dose, &fixture.grid, 1.0f, &st), &st);
	struct rt_dose_input input = input_of(&dose);
	input.remarks = "Relaxivity 217.8 /s per mg/mL, not calibrated.";
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	assert_ok(dataset_get_string(ds, AT(TAG_DerivationDescription), text, sizeof text, &st),
		  &st);
	assert_non_null(strstr(text, "not calibrated."));
	assert_non_null(strstr(text, fixture.identity.intended_use));
	dataset_free(ds);

	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	input.remarks = longest;
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	assert_ok(dataset_get_string(ds, AT(TAG_DerivationDescription), text, sizeof text, &st),
		  &st);
	assert_int_equal(strlen(text), 1024);
	assert_non_null(strstr(text, fixture.identity.intended_use));
	dataset_free(ds);
	volume_free(&dose);
}

/* The dose by the beta kernel stands beside the local one: nothing that tells objects apart may be
 * shared, and each says how its energy was laid down. */
static void test_kernel_dose_is_another_object(void **state)
{
	static const uint32_t apart[] = {TAG_SOPInstanceUID, TAG_SeriesInstanceUID,
					 TAG_SeriesNumber,   TAG_SeriesDescription,
					 TAG_DoseComment,    TAG_DerivationDescription};
	struct status st = STATUS_INIT;
	struct dataset *ds[2] = {NULL, NULL};
	struct volume dose;
	char uid[65], text[2][1025];

	(void)state;
	make_dose(&dose, &fixture.grid);
	struct rt_dose_input input = input_of(&dose);
	assert_ok(rt_dose_build(&ds[0], uid, &input, &st), &st);
	input.kernel = true;
	input.kernel_lost_share = 0.0123;
	input.method = "166Ho beta kernel, 15.87 mJ/MBq, 1.06 g/mL";
	assert_ok(rt_dose_build(&ds[1], uid, &input, &st), &st);
	fixture_keep(ds[1], "dose-kernel.dcm");
	for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
		for (int k = 0; k < 2; k++)
			assert_ok(dataset_get_string(ds[k], AT(apart[i]), text[k], 1025, &st), &st);
		assert_string_not_equal(text[0], text[1]);
	}
	fixture_assert_text(ds[0], AT(TAG_SeriesDescription),
			    "Ho-166 dose after injection 3 of 4, v1 (cumulative)");
	fixture_assert_text(ds[1], AT(TAG_SeriesDescription),
			    "Ho-166 kernel dose after injection 3 of 4, v1 (cumulative)");
	fixture_assert_text(ds[1], AT(TAG_SeriesNumber), "9053");
	assert_non_null(strstr(text[0], "left in its voxel"));
	assert_non_null(strstr(text[1], "1.2 % of the energy leaves"));
	dataset_free(ds[1]);

	input.kernel_lost_share = NAN;
	assert_ok(rt_dose_build(&ds[1], uid, &input, &st), &st);
	assert_ok(dataset_get_string(ds[1], AT(TAG_DerivationDescription), text[1], 1025, &st),
		  &st);
	assert_null(strstr(text[1], "nan"));
	dataset_free(ds[0]);
	dataset_free(ds[1]);
	volume_free(&dose);
}

static void test_quantised_dose_is_within_half_a_step(void **state)
{
	static const float maxima[] = {195.507f, 1e-3f, 1.0f, 65535.0f, 399.9999f, 12345.678f};
	struct grid grid = fixture.grid;
	uint16_t stored[FIXTURE_COLUMNS * FIXTURE_ROWS * FIXTURE_SLICES];
	struct status st = STATUS_INIT;
	struct volume dose;

	(void)state;
	for (size_t m = 0; m < sizeof maxima / sizeof *maxima; m++) {
		double scaling;
		char text[40];
		assert_ok(volume_new(&dose, &grid, 0.0f, &st), &st);
		for (size_t i = 0; i < grid_voxels(&grid); i++)
			dose.samples[i] = maxima[m] * (float)i / (float)(grid_voxels(&grid) - 1);
		assert_ok(rt_dose_quantise(stored, &scaling, &dose, &st), &st);
		assert_int_equal(stored[grid_voxels(&grid) - 1], 65535);
		for (size_t i = 0; i < grid_voxels(&grid); i++)
			assert_close(stored[i] * scaling, (double)dose.samples[i], 0.5 * scaling,
				     1e-9);
		/* what a reader gets from 16 characters is the very same number */
		snprintf(text, sizeof text, "%.10e", scaling);
		assert_true(strlen(text) <= 16);
		assert_true(strtod(text, NULL) == scaling);
		assert_true(scaling * 65535 >= (double)maxima[m] * (1 - 1e-12));
		volume_free(&dose);
	}
}

static void test_nothing_measured_still_scales(void **state)
{
	uint16_t stored[FIXTURE_COLUMNS * FIXTURE_ROWS * FIXTURE_SLICES];
	struct status st = STATUS_INIT;
	struct volume dose;
	double scaling;

	(void)state;
	assert_ok(volume_new(&dose, &fixture.grid, NAN, &st), &st);
	assert_ok(rt_dose_quantise(stored, &scaling, &dose, &st), &st);
	assert_true(scaling > 0.0);
	assert_int_equal(stored[0], 0);
	dose.samples[5] = INFINITY;
	assert_int_equal(rt_dose_quantise(stored, &scaling, &dose, &st), STATUS_REFUSE);
	volume_free(&dose);
}

static void test_attributes(void **state)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct volume dose;
	char uid[65];

	(void)state;
	make_dose(&dose, &fixture.grid);
	struct rt_dose_input input = input_of(&dose);
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	fixture_keep(ds, "dose.dcm");

	fixture_assert_text(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.481.2");
	fixture_assert_text(ds, AT(TAG_SOPInstanceUID), uid);
	fixture_assert_text(ds, AT(TAG_Modality), "RTDOSE");
	fixture_assert_text(ds, AT(TAG_DoseUnits), "GY");
	fixture_assert_text(ds, AT(TAG_DoseType), "PHYSICAL");
	fixture_assert_text(ds, AT(TAG_DoseSummationType), "PLAN_OVERVIEW");
	fixture_assert_text(ds, AT(TAG_SeriesDescription),
			    "Ho-166 dose after injection 3 of 4, v1 (cumulative)");
	fixture_assert_text(ds, AT(TAG_PatientName), "J\xc3\xb8rgensen^\xc3\x85se");
	fixture_assert_text(ds, AT(TAG_PatientID), "TEST-0001");
	fixture_assert_text(ds, AT(TAG_IssuerOfPatientID), "HOSPITAL");
	fixture_assert_text(ds, AT(TAG_AccessionNumber), "ACC42");
	fixture_assert_text(ds, AT(TAG_StudyInstanceUID), FIXTURE_STUDY);
	fixture_assert_text(ds, AT(TAG_FrameOfReferenceUID), FIXTURE_FRAME);
	fixture_assert_text(ds, AT(TAG_TimezoneOffsetFromUTC), "+0100");
	fixture_assert_text(ds, AT(TAG_ContentDate), "20261123");
	fixture_assert_text(ds, AT(TAG_ContentTime), "143005");
	fixture_assert_text(ds, AT(TAG_ImageComments),
			    "For research; not a certified medical device");
	fixture_assert_text(ds, AT(TAG_ContributingEquipmentSequence, 0, TAG_Manufacturer),
			    "Maker");
	assert_int_equal(dataset_presence(ds, AT(TAG_ReferringPhysicianName)), DATASET_EMPTY);
	assert_int_equal(
	    dataset_get_int(ds, AT(TAG_PlanOverviewSequence, 0, TAG_NumberOfFractionsIncluded), -1),
	    3);
	assert_int_equal(dataset_get_int(ds, AT(TAG_NumberOfFrames), -1), FIXTURE_SLICES);
	assert_int_equal(dataset_get_int(ds, AT(TAG_BitsAllocated), -1), 16);

	/* rows are 2 mm apart, columns 3 mm: Pixel Spacing names the rows first */
	assert_close(dataset_get_double(ds, AT(TAG_PixelSpacing), 0), 2.0, 0, 0);
	assert_close(dataset_get_double(ds, AT(TAG_PixelSpacing), 1), 3.0, 0, 0);
	assert_close(dataset_get_double(ds, AT(TAG_ImagePositionPatient), 0), -48.25, 0, 0);
	assert_close(dataset_get_double(ds, AT(TAG_ImagePositionPatient), 2), 0.0, 0, 0);
	for (unsigned f = 0; f < FIXTURE_SLICES; f++)
		assert_close(dataset_get_double(ds, AT(TAG_GridFrameOffsetVector), f), 5.0 * f, 0,
			     0);

	/* references: anatomy per frame, sources, other study apart */
	assert_int_equal(dataset_item_count(ds, AT(TAG_ReferencedImageSequence)), FIXTURE_SLICES);
	fixture_assert_text(ds, AT(TAG_ReferencedImageSequence, 2, TAG_ReferencedSOPInstanceUID),
			    fixture.anatomy[2].sop_instance_uid);
	assert_int_equal(dataset_item_count(ds, AT(TAG_SourceImageSequence)),
			 (1 + FIXTURE_SCANS) * FIXTURE_SLICES);
	assert_int_equal(dataset_item_count(ds, AT(TAG_ReferencedSeriesSequence)),
			 2 + 2 * FIXTURE_SCANS);
	fixture_assert_text(ds,
			    AT(TAG_StudiesContainingOtherReferencedInstancesSequence, 0,
			       TAG_ReferencedSeriesSequence, 0, TAG_ReferencedInstanceSequence, 0,
			       TAG_ReferencedSOPInstanceUID),
			    fixture.structure_set.sop_instance_uid);
	assert_int_equal(dataset_presence(ds, AT(TAG_DVHSequence)), DATASET_ABSENT);
	dataset_free(ds);
	volume_free(&dose);
}

/* Reads the object's pixels as a viewer would and compares with the dose at the same point of the
 * patient. */
static void check_pixels(struct dataset *ds, const struct volume *dose)
{
	double scaling = dataset_get_double(ds, AT(TAG_DoseGridScaling), 0);
	double z0 = dataset_get_double(ds, AT(TAG_ImagePositionPatient), 2);
	float frame[FIXTURE_COLUMNS * FIXTURE_ROWS];
	struct status st = STATUS_INIT;

	for (unsigned f = 0; f < FIXTURE_SLICES; f++) {
		double z = z0 + dataset_get_double(ds, AT(TAG_GridFrameOffsetVector), f);
		double patient[3] = {0, 0, z}, voxel[3];
		grid_to_voxel(&dose->grid, patient, voxel);
		int slice = (int)lround(voxel[2]);
		assert_ok(dataset_get_frame(ds, f, frame, FIXTURE_COLUMNS * FIXTURE_ROWS, &st),
			  &st);
		for (int i = 0; i < FIXTURE_COLUMNS * FIXTURE_ROWS; i++) {
			double value =
			    (double)dose->samples[slice * FIXTURE_COLUMNS * FIXTURE_ROWS + i];
			double expected = value > 0 ? value : 0.0;
			assert_close((double)frame[i] * scaling, expected, 0.5 * scaling, 1e-9);
		}
	}
}

static void test_pixels_lie_where_the_dose_is(void **state)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct volume dose;
	char uid[65];

	(void)state;
	make_dose(&dose, &fixture.grid);
	struct rt_dose_input input = input_of(&dose);
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	check_pixels(ds, &dose);
	dataset_free(ds);
	volume_free(&dose);
}

/* Slices stacked against the normal: the frames are turned round, offsets still rise from 0. */
static void test_reversed_grid(void **state)
{
	struct result_fixture *reversed = malloc(sizeof *reversed);
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct volume dose;
	char uid[65];

	(void)state;
	assert_non_null(reversed);
	fixture_make(reversed, true);
	make_dose(&dose, &reversed->grid);
	struct rt_dose_input input = input_of(&dose);
	input.evidence = &reversed->evidence;
	input.after_injection = 1;
	input.planned_injections = 0;
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	fixture_keep(ds, "dose-reversed.dcm");
	fixture_assert_text(ds, AT(TAG_SeriesDescription),
			    "Ho-166 dose after injection 1, v1 (cumulative)");
	assert_close(dataset_get_double(ds, AT(TAG_ImagePositionPatient), 2), 0.0, 1e-12, 0);
	assert_close(dataset_get_double(ds, AT(TAG_GridFrameOffsetVector), 1), 5.0, 0, 0);
	/* frame 0 is the grid's last slice, and so is its image */
	fixture_assert_text(ds, AT(TAG_ReferencedImageSequence, 0, TAG_ReferencedSOPInstanceUID),
			    reversed->anatomy[FIXTURE_SLICES - 1].sop_instance_uid);
	check_pixels(ds, &dose);
	dataset_free(ds);
	volume_free(&dose);
	fixture_free(reversed);
	free(reversed);
}

static void test_histogram(void **state)
{
	double volume_ml[5000];
	struct rt_dose_dvh dvhs[2] = {
	    {.roi_number = 7,
	     .volume_ml = volume_ml,
	     .bins = 100,
	     .bin_width_gy = 2.0,
	     .minimum_gy = -1.5,
	     .maximum_gy = 195.507,
	     .mean_gy = 80.25},
	    {.roi_number = 8,
	     .volume_ml = volume_ml,
	     .bins = 5000,
	     .bin_width_gy = 0.04,
	     .minimum_gy = NAN,
	     .maximum_gy = NAN,
	     .mean_gy = NAN},
	};
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct volume dose;
	char uid[65];

	(void)state;
	for (int i = 0; i < 5000; i++)
		volume_ml[i] = 5000.0 - i;
	make_dose(&dose, &fixture.grid);
	struct rt_dose_input input = input_of(&dose);
	input.dvhs = dvhs;
	input.n_dvhs = 2;
	input.structure_set = &fixture.structure_set;
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	fixture_keep(ds, "dose-dvh.dcm");
	fixture_assert_text(ds,
			    AT(TAG_ReferencedStructureSetSequence, 0, TAG_ReferencedSOPInstanceUID),
			    fixture.structure_set.sop_instance_uid);
	assert_int_equal(dataset_item_count(ds, AT(TAG_DVHSequence)), 2);
	assert_int_equal(dataset_get_int(ds,
					 AT(TAG_DVHSequence, 0, TAG_DVHReferencedROISequence, 0,
					    TAG_ReferencedROINumber),
					 -1),
			 7);
	fixture_assert_text(ds, AT(TAG_DVHSequence, 0, TAG_DVHType), "CUMULATIVE");
	assert_close(dataset_get_double(ds, AT(TAG_DVHSequence, 0, TAG_DVHData), 2), 2.0, 0, 0);
	assert_close(dataset_get_double(ds, AT(TAG_DVHSequence, 0, TAG_DVHData), 3), 4999.0, 0, 0);
	assert_close(dataset_get_double(ds, AT(TAG_DVHSequence, 0, TAG_DVHMeanDose), 0), 80.25, 0,
		     0);
	/* 5000 bins are too many for one element: every second one is kept */
	assert_int_equal(dataset_get_int(ds, AT(TAG_DVHSequence, 1, TAG_DVHNumberOfBins), -1),
			 2500);
	assert_close(dataset_get_double(ds, AT(TAG_DVHSequence, 1, TAG_DVHData), 2), 0.08, 0,
		     1e-12);
	assert_close(dataset_get_double(ds, AT(TAG_DVHSequence, 1, TAG_DVHData), 3), 4998.0, 0, 0);
	assert_int_equal(dataset_presence(ds, AT(TAG_DVHSequence, 1, TAG_DVHMeanDose)),
			 DATASET_ABSENT);
	dataset_free(ds);
	volume_free(&dose);
}

static void test_same_input_same_bytes(void **state)
{
	struct status st = STATUS_INIT;
	uint8_t *bytes[2] = {NULL, NULL};
	size_t size[2];
	struct volume dose;

	(void)state;
	make_dose(&dose, &fixture.grid);
	for (int run = 0; run < 2; run++) {
		struct rt_dose_input input = input_of(&dose);
		struct dataset *ds = NULL;
		char uid[65];
		assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
		assert_ok(dataset_write_file_memory(ds, &bytes[run], &size[run], &st), &st);
		dataset_free(ds);
		if (run == 0)
			usleep(1100000); /* over a second's edge: no clock may show */
	}
	assert_int_equal(size[0], size[1]);
	assert_memory_equal(bytes[0], bytes[1], size[0]);
	free(bytes[0]);
	free(bytes[1]);
	volume_free(&dose);
}

static void test_refusals(void **state)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct grid sheared = fixture.grid;
	struct evidence evidence = fixture.evidence;
	struct result_identity identity = fixture.identity;
	struct volume dose;
	char uid[65];

	(void)state;
	sheared.slice_step_mm[0] = 0.5; /* a tilted gantry */
	assert_ok(volume_new(&dose, &sheared, 1.0f, &st), &st);
	struct rt_dose_input input = input_of(&dose);
	assert_int_equal(rt_dose_build(&ds, uid, &input, &st), STATUS_REFUSE);
	/* a sixth of a degree, but a millimetre at the end of a long stack */
	status_clear(&st);
	dose.grid.slice_step_mm[2] = 50;
	dose.grid.slice_step_mm[0] = 0.15;
	assert_int_equal(rt_dose_build(&ds, uid, &input, &st), STATUS_REFUSE);
	/* the decimals of a header are no tilt */
	status_clear(&st);
	dose.grid.slice_step_mm[2] = 5;
	dose.grid.slice_step_mm[0] = 0.01;
	assert_ok(rt_dose_build(&ds, uid, &input, &st), &st);
	dataset_free(ds);
	ds = NULL;
	status_clear(&st);
	dose.grid.slice_step_mm[0] = 0.5;
	assert_int_equal(rt_dose_build(&ds, uid, &input, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "normal"));
	assert_null(ds);

	status_clear(&st);
	dose.grid = fixture.grid;
	evidence.n_grid_images = 3;
	input.evidence = &evidence;
	assert_int_equal(rt_dose_build(&ds, uid, &input, &st), STATUS_BUG);

	status_clear(&st);
	evidence.n_grid_images = FIXTURE_SLICES;
	evidence.identity = &identity;
	identity.intended_use[0] = '\0';
	assert_int_equal(rt_dose_build(&ds, uid, &input, &st), STATUS_CONFIG);
	volume_free(&dose);
}

static int make_fixture(void **state)
{
	struct status st = STATUS_INIT;

	(void)state;
	if (dataset_library_init(&st) != STATUS_OK)
		return -1;
	fixture_make(&fixture, false);
	return 0;
}

static int free_fixture(void **state)
{
	(void)state;
	fixture_free(&fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quantised_dose_is_within_half_a_step),
	    cmocka_unit_test(test_remarks_stand_in_the_map),
	    cmocka_unit_test(test_kernel_dose_is_another_object),
	    cmocka_unit_test(test_nothing_measured_still_scales),
	    cmocka_unit_test(test_attributes),
	    cmocka_unit_test(test_pixels_lie_where_the_dose_is),
	    cmocka_unit_test(test_reversed_grid),
	    cmocka_unit_test(test_histogram),
	    cmocka_unit_test(test_same_input_same_bytes),
	    cmocka_unit_test(test_refusals),
	};
	return cmocka_run_group_tests(tests, make_fixture, free_fixture);
}
