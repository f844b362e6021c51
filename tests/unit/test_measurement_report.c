/* The measurement report of a made-up result, read back item by item. The files for the validators
 * come from here too (HOLMIA_TEST_OUT). */
#include "check.h"

#include <time.h>

#include "report_scene.h"
#include "sr_tree.h"

/* ---- tests ---- */

static void test_document(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);

	(void)state;
	fixture_keep(ds, "report.dcm");
	fixture_assert_text(ds, AT(TAG_SOPClassUID), "1.2.840.10008.5.1.4.1.1.88.34");
	fixture_assert_text(ds, AT(TAG_Modality), "SR");
	fixture_assert_text(ds, AT(TAG_CompletionFlag), "COMPLETE");
	fixture_assert_text(ds, AT(TAG_VerificationFlag), "UNVERIFIED");
	fixture_assert_text(ds, AT(TAG_PreliminaryFlag), "FINAL");
	fixture_assert_text(ds, AT(TAG_SeriesDescription),
			    "Ho-166 dosimetry after injection 4 of 4, v1");
	fixture_assert_text(ds, AT(TAG_ContentTemplateSequence, 0, TAG_TemplateIdentifier), "1500");
	fixture_assert_text(
	    ds, AT(TAG_CodingSchemeIdentificationSequence, 0, TAG_CodingSchemeDesignator),
	    "99HOLMIA");
	assert_int_equal(dataset_presence(ds, AT(TAG_PredecessorDocumentsSequence)),
			 DATASET_ABSENT);
	assert_int_equal(dataset_item_count(ds, AT(TAG_CurrentRequestedProcedureEvidenceSequence, 0,
						   TAG_ReferencedSeriesSequence)),
			 2 + 2 * FIXTURE_SCANS);
	assert_int_equal(dataset_item_count(ds, AT(TAG_PertinentOtherEvidenceSequence)), 1);
	dataset_free(ds);
}

static void test_groups(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path tumour = group(ds, TUMOUR), liver = group(ds, LIVER),
			    part = group(ds, PART);

	(void)state;
	/* the last time point, 4 x 31.172 */
	assert_close(number(ds, tumour, "128533"), 124.688, 0, 1e-6);
	assert_close(number(ds, tumour, "128532"), -1.25, 0, 1e-6);
	assert_close(number(ds, tumour, "128531"), 249.376, 0, 1e-6);
	assert_close(number(ds, tumour, "118565006"), 35.0, 0, 1e-6);
	assert_close(number(ds, tumour, "118538004"), 37.1, 0, 1e-6);
	assert_close(number(ds, tumour, "HO031"), 0.4 * 124.688, 0, 1e-6);
	/* of the measured volume: 0.45 / 0.9 */
	assert_close(number(ds, tumour, "HOV60"), 50.0, 0, 1e-6);
	assert_close(number(ds, tumour, "HOV100.5"), 25.0, 0, 1e-6);
	assert_close(number(ds, tumour, "HO010"), 2.3, 0, 1e-9);
	assert_code_value(ds, tumour, "HO012", "HO015");
	assert_close(number(ds, tumour, "HO036"), 124.813, 0, 1e-6);
	assert_close(number(ds, tumour, "HOA01"), 31.172, 0, 1e-6);
	assert_close(number(ds, tumour, "HOA04"), 124.688, 0, 1e-6);
	assert_code_value(ds, tumour, "HO075", "HO078");
	assert_close(number(ds, tumour, "HO081"), -16.9, 0, 1e-6);
	assert_close(number(ds, tumour, "HOU90"), 8.5, 0, 1e-6);
	assert_close(number(ds, tumour, "HOP90"), 6.5, 0, 1e-6);
	assert_close(number(ds, tumour, "HOU50"), 2.25, 0, 1e-6);
	assert_close(number(ds, tumour, "HOP50"), 1.75, 0, 1e-6);
	assert_close(number(ds, tumour, "HO170"), 2.0, 0, 1e-6);
	assert_close(number(ds, tumour, "HO171"), 1.5, 0, 1e-6);
	/* 12 of 124.688 */
	assert_close(number(ds, tumour, "HO173"), 9.624022, 0, 1e-5);
	assert_close(number(ds, liver, "HO172"), 9.0, 0, 1e-6);
	assert_false(has(ds, liver, "HOU90"));
	/* recovery in the liver only, per part in the part */
	assert_close(number(ds, liver, "HO020"), 0.9456, 0, 1e-6);
	struct dataset_path words = child(ds, liver, "HO020", 0);
	words.step[words.count++] = 0;
	words.step[words.count++] = TAG_TextValue;
	fixture_assert_text(
	    ds, words,
	    "Activity found in liver and tumours over net activity injected so far; a "
	    "lower bound, because voxels are saturated in the fit; 12.5 of 1535 mL are not "
	    "measured");
	assert_close(number(ds, liver, "HO040"), 32.0, 0, 1e-6);
	assert_close(number(ds, liver, "HOR02"), 0.9456, 0, 1e-6);
	assert_false(has(ds, tumour, "HO020"));
	assert_false(has(ds, liver, "HO010"));
	assert_close(number(ds, part, "HO026"), 0.93, 0, 1e-6);
	assert_close(number(ds, part, "HO040"), 53.2, 0, 1e-6);
	dataset_free(ds);
}

/* Viewers label by concept name and take the first measurement: mean first, none twice. */
static void test_no_concept_name_twice(void **state)
{
	/* what a viewer of five figures shows: dose, how sure, volume, ratio, what decides next */
	static const char *const first[VOIS][5] = {
	    [LIVER] = {"128533", "HO162", "118565006", "HO020", "HO040"},
	    [PART] = {"128533", "HO162", "118565006", "HO026", "HO040"},
	    [TUMOUR] = {"128533", "HO162", "118565006", "HO010", "HO031"},
	};
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct status st = STATUS_INIT;

	(void)state;
	for (int v = 0; v < VOIS; v++) {
		struct dataset_path content = group(ds, v);
		unsigned count = dataset_item_count(ds, content), numbers = 0;
		char names[80][20];
		for (unsigned i = 0; i < count; i++) {
			struct dataset_path type = content, name = content;
			char text[20];
			type.step[type.count++] = i;
			type.step[type.count++] = TAG_ValueType;
			assert_ok(dataset_get_string(ds, type, text, sizeof text, &st), &st);
			if (strcmp(text, "NUM") != 0)
				continue;
			name.step[name.count++] = i;
			name.step[name.count++] = TAG_ConceptNameCodeSequence;
			name.step[name.count++] = 0;
			name.step[name.count++] = TAG_CodeValue;
			assert_ok(dataset_get_string(ds, name, names[numbers], 20, &st), &st);
			for (unsigned j = 0; j < numbers; j++)
				assert_string_not_equal(names[j], names[numbers]);
			numbers++;
		}
		assert_true(numbers >= (v == CORE ? 1 : v == SMALL ? 2 : 10));
		assert_string_equal(names[0], v == SMALL || v == CORE ? "118565006" : "128533");
		for (unsigned i = 0; i < 5 && first[v][0]; i++)
			assert_string_equal(names[i], first[v][i]);
	}
	dataset_free(ds);
}

/* Not measured is said in words, never a number. */
static void test_not_measured(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path small = group(ds, SMALL);
	char words[400];

	(void)state;
	snprintf(words, sizeof words, "not measurable: %s, %s",
		 voi_reason_text(VOI_REASON_ARTEFACT), voi_reason_text(VOI_REASON_OUTSIDE));
	assert_words(ds, small, "128533", words);
	assert_words(ds, small, "HOA02", words);
	assert_words(ds, small, "HO022", words);
	assert_words(ds, small, "HO010", "no healthy liver to compare with");
	snprintf(words + strlen(words), 40, "; 0.05 mL not measured");
	assert_words(ds, small, "HO074", words);
	snprintf(words, sizeof words,
		 "limited: %s, %s; lower bound: 3 mL of 35 mL saturated in the fit; 3.5 mL not "
		 "measured, 2 mL of it artefact; 1.5 mL with oscillating signal (fat)",
		 voi_reason_text(VOI_REASON_ARTEFACT), voi_reason_text(VOI_REASON_FIT_SATURATED));
	assert_words(ds, group(ds, TUMOUR), "HO074", words);
	assert_close(number(ds, small, "118565006"), 0.5, 0, 1e-6);
	assert_false(has(ds, small, "128531"));
	assert_false(has(ds, small, "HO031"));
	assert_false(has(ds, small, "HO012"));
	/* no outline at half coverage: the structure set's own region */
	assert_true(has(ds, small, "130488"));
	assert_false(has(ds, small, "111030"));
	dataset_free(ds);
}

/* The wall itself never writes NaN: an empty value with a qualifier. */
static void test_tree_has_no_nan(void **state)
{
	struct status st = STATUS_INIT;
	struct sr_tree *tree = NULL;
	struct dataset *ds = NULL;

	(void)state;
	assert_ok(dataset_new(&ds, &st), &st);
	assert_ok(sr_tree_new(&tree, code_get(CODE_MEASUREMENT_REPORT), "1500", &st), &st);
	sr_tree_number(tree, SR_CONTAINS, code_get(CODE_MEAN_DOSE), (double)NAN, code_get(UNIT_GY));
	assert_ok(sr_tree_write(tree, ds, &st), &st);
	assert_int_equal(
	    dataset_item_count(ds, AT(TAG_ContentSequence, 0, TAG_MeasuredValueSequence)), 0);
	fixture_assert_text(
	    ds, AT(TAG_ContentSequence, 0, TAG_NumericValueQualifierCodeSequence, 0, TAG_CodeValue),
	    "114006");

	/* the first fault sticks: a text may not be selected from a container */
	sr_tree_text(tree, SR_SELECTED_FROM, code_get(CODE_COMMENT), "x");
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_COMMENT), "y");
	assert_int_equal(sr_tree_write(tree, ds, &st), STATUS_BUG);
	assert_non_null(strstr(st.text, "Comment"));
	sr_tree_free(tree);
	dataset_free(ds);
}

static void test_regions(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path liver = group(ds, LIVER);
	struct status st = STATUS_INIT;

	(void)state;
	for (int i = 0; i < outlines[LIVER].count; i++) {
		const struct outline *outline = &outlines[LIVER].outlines[i];
		struct dataset_path data = child(ds, liver, "111030", i), image = data;
		double *values;
		size_t count;
		data.step[data.count - 1] = TAG_GraphicData;
		assert_ok(dataset_get_doubles(ds, data, &values, &count, &st), &st);
		assert_true(count >= 8 && count / 2 <= 200);
		/* closed, and half a pixel from voxel centres to pixel coordinates */
		assert_close(values[0], values[count - 2], 0, 0);
		assert_close(values[0], (double)outline->column_row[0] + 0.5, 1e-5, 0);
		/* every original point is within 0.1 pixel of the written polyline */
		for (int p = 0; p < outline->points; p++) {
			double least = 1e9, x = (double)outline->column_row[2 * p] + 0.5,
			       y = (double)outline->column_row[2 * p + 1] + 0.5;
			for (size_t s = 0; s + 3 < count; s += 2) {
				double dx = values[s + 2] - values[s],
				       dy = values[s + 3] - values[s + 1];
				double share = ((x - values[s]) * dx + (y - values[s + 1]) * dy) /
					       (dx * dx + dy * dy);
				share = fmin(fmax(share, 0), 1);
				least = fmin(least, hypot(x - values[s] - share * dx,
							  y - values[s + 1] - share * dy));
			}
			assert_true(least <= 0.1);
		}
		free(values);
		image.step[image.count++] = 0;
		image.step[image.count++] = TAG_ReferencedSOPSequence;
		assert_true(image.count <= 9);
		/* AT has room for this and no deeper; the instance is checked by the validators'
		 * evidence rule */
		assert_int_equal(dataset_item_count(ds, image), 1);
	}
	dataset_free(ds);
}

static void test_warnings(void **state)
{
	static const char *const expected[] = {"HO101", "HO108", "HO104", "HO102", "HO103"};
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path warnings = child(ds, root(), "HO100", 0);

	(void)state;
	assert_int_equal(dataset_item_count(ds, warnings), 5);
	for (unsigned i = 0; i < 5; i++) {
		struct dataset_path code = warnings;
		code.step[code.count++] = i;
		code.step[code.count++] = TAG_ConceptCodeSequence;
		code.step[code.count++] = 0;
		code.step[code.count++] = TAG_CodeValue;
		fixture_assert_text(ds, code, expected[i]);
	}
	struct dataset_path words = child(ds, warnings, "HO120", 4);
	words.step[words.count++] = 0;
	words.step[words.count++] = TAG_TextValue;
	char text[400];
	struct status st = STATUS_INIT;
	assert_ok(dataset_get_string(ds, words, text, sizeof text, &st), &st);
	assert_non_null(strstr(text, "(after injection 2)"));
	dataset_free(ds);
}

/* A flag without a code would never reach the report. */
static void test_every_flag_reaches_the_report(void **state)
{
	static const struct report_warning coil[] = {
	    {"HO106", "after injection 1 other than at baseline: coil"},
	    {"HO130", "series after injection 1: 3.5 mm are left (limit 3 mm)"}};
	struct report_input input = input_of();
	struct dosimetry_time_point *point = calloc(1, sizeof *point);
	struct dosimetry_result flagged = result;
	struct status st = STATUS_INIT;
	int flags = 0, found = 0;

	(void)state;
	*point = result.time_points[0];
	flagged.time_points = point;
	flagged.n_time_points = 1;
	input.result = &flagged;
	input.rt_doses = NULL;
	input.warnings = coil;
	input.n_warnings = 2;
	for (unsigned bit = 1; bit <= DOSIMETRY_LAST_FLAG; bit <<= 1) {
		const char *words = dosimetry_flag_text((enum dosimetry_flag)bit);
		if (bit == DOSIMETRY_TR_FLIP_DIFFER)
			continue; /* the slots say it in more words */
		point->flags |= bit;
		flags++;
		assert_string_not_equal(measurement_report_flag_code((enum dosimetry_flag)bit),
					"HO119");
		assert_string_not_equal(
		    code_of_warning(measurement_report_flag_code((enum dosimetry_flag)bit))->value,
		    "HO119");
		assert_true(strlen(words) < 200);
	}
	struct dataset *ds = build(&input);
	struct dataset_path warnings = child(ds, root(), "HO100", 0);
	unsigned count = dataset_item_count(ds, warnings);
	for (unsigned i = 0; i < count; i++) {
		struct dataset_path words = child(ds, warnings, "HO120", (int)i);
		char text[400];
		words.step[words.count++] = 0;
		words.step[words.count++] = TAG_TextValue;
		assert_ok(dataset_get_string(ds, words, text, sizeof text, &st), &st);
		for (unsigned bit = 1; bit <= DOSIMETRY_LAST_FLAG; bit <<= 1) {
			const char *expected = dosimetry_flag_text((enum dosimetry_flag)bit);
			found += strncmp(text, expected, strlen(expected)) == 0;
		}
	}
	assert_int_equal(found, flags);
	dataset_free(ds);
	free(point);
}

static void test_surroundings(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path given = child(ds, root(), "HO082", 0);
	struct dataset_path point = child(ds, child(ds, root(), "HO090", 0), "HO091", 1);
	struct dataset_path constants = child(ds, root(), "HO067", 0);

	(void)state;
	assert_close(number(ds, child(ds, given, "HO083", 1), "113507"), 1201.9, 0, 1e-6);
	assert_close(number(ds, child(ds, given, "HO083", 1), "113509"), 58.0, 0, 1e-6);
	assert_true(has(ds, child(ds, given, "HO083", 2), "HO088"));
	assert_words(ds, child(ds, given, "HO083", 3), "113507", "unknown");
	assert_close(number(ds, point, "HO092"), 2.0, 0, 0);
	assert_close(number(ds, point, "HO021"), 1891.2, 0, 1e-6);
	assert_close(number(ds, point, "HO125"), 3.25, 0, 1e-6);
	assert_false(has(ds, constants, "HO125"));
	assert_close(number(ds, point, "HO071"), 12.5, 0, 1e-6);
	assert_close(number(ds, point, "HO072"), 7.25, 0, 1e-6);
	assert_close(number(ds, point, "HO073"), 8.75, 0, 1e-6);
	assert_close(number(ds, point, "HO123"), 61.5, 0, 1e-6);
	assert_close(number(ds, point, "HO124"), 0.5, 0, 1e-6);
	assert_close(number(ds, constants, "HO051"), 217.8, 0, 1e-6);
	assert_close(number(ds, constants, "HO056"), 15.87, 0, 1e-6);
	assert_true(has(ds, root(), "HO003"));
	assert_int_equal(dataset_item_count(ds, child(ds, root(), "HO094", 0)),
			 1 + 3 + 2 * FIXTURE_SCANS);
	dataset_free(ds);
}

static void test_preliminary_and_predecessor(void **state)
{
	struct evidence_instance old = {"1.2.840.10008.5.1.4.1.1.88.34", "2.25.777"};
	struct report_input input = input_of();
	struct dosimetry_result shorter = result;
	struct dataset *ds;

	(void)state;
	shorter.n_time_points = 2;
	input.result = &shorter;
	input.predecessor = &old;
	input.predecessor_study_uid = FIXTURE_STUDY;
	input.predecessor_series_uid = "2.25.778";
	ds = build(&input);
	fixture_keep(ds, "report-preliminary.dcm");
	fixture_assert_text(ds, AT(TAG_PreliminaryFlag), "PRELIMINARY");
	fixture_assert_text(ds,
			    AT(TAG_PredecessorDocumentsSequence, 0, TAG_ReferencedSeriesSequence, 0,
			       TAG_ReferencedSOPSequence, 0, TAG_ReferencedSOPInstanceUID),
			    "2.25.777");
	dataset_free(ds);

	input.planned_injections = 0;
	ds = build(&input);
	assert_int_equal(dataset_presence(ds, AT(TAG_PreliminaryFlag)), DATASET_ABSENT);
	dataset_free(ds);
}

/* No tumour, no liver, no record, no warning, nothing known: still a valid report. */
static void test_barest(void **state)
{
	struct report_input input = input_of();
	struct dosimetry_result bare = result;
	struct dosimetry_time_point *point = calloc(1, sizeof *point);
	struct dataset *ds;

	(void)state;
	*point = result.time_points[0];
	point->flags = 0;
	point->recovery_ratio = point->injected_activity_mbq = point->recovered_activity_mbq = NAN;
	bare.time_points = point;
	bare.n_time_points = 1;
	input.result = &bare;
	input.vois = vois + PART;
	input.n_vois = 1;
	input.n_injections = input.n_warnings = input.n_thresholds = 0;
	input.record_id = input.product = NULL;
	input.relaxivity_provenance = "phantom of 2026";
	input.rt_doses = NULL;
	ds = build(&input);
	fixture_keep(ds, "report-barest.dcm");
	struct dataset_path warnings = child(ds, root(), "HO100", 0);
	assert_int_equal(dataset_item_count(ds, warnings), 1);
	assert_true(has(ds, warnings, "121106"));
	dataset_free(ds);
	free(point);
}

static void test_same_input_same_bytes(void **state)
{
	struct report_input input = input_of();
	struct status st = STATUS_INIT;
	uint8_t *bytes[2];
	size_t size[2];

	(void)state;
	for (int run = 0; run < 2; run++) {
		struct dataset *ds = build(&input);
		assert_ok(dataset_write_file_memory(ds, &bytes[run], &size[run], &st), &st);
		dataset_free(ds);
		if (run == 0)
			usleep(1100000); /* over a second's edge: no clock may show */
	}
	assert_int_equal(size[0], size[1]);
	assert_memory_equal(bytes[0], bytes[1], size[0]);
	free(bytes[0]);
	free(bytes[1]);
}

static void test_refusals(void **state)
{
	struct report_input input = input_of();
	struct evidence_instance stranger[FIXTURE_SCANS];
	struct evidence evidence = fixture.evidence;
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	char uid[65];

	(void)state;
	input.n_vois = 0;
	assert_int_equal(measurement_report_build(&ds, uid, &input, &st), STATUS_REFUSE);
	input.n_vois = VOIS;

	status_clear(&st);
	memcpy(stranger, fixture.doses, sizeof stranger);
	strcpy(stranger[1].sop_instance_uid, "2.25.999");
	input.rt_doses = stranger;
	assert_int_equal(measurement_report_build(&ds, uid, &input, &st), STATUS_BUG);
	assert_non_null(strstr(st.text, "2.25.999"));
	input.rt_doses = fixture.doses;

	status_clear(&st);
	evidence.n_grid_images = FIXTURE_SLICES - 1;
	input.evidence = &evidence;
	assert_int_equal(measurement_report_build(&ds, uid, &input, &st), STATUS_BUG);
	assert_null(ds);
}

/* Seven regions, the liver on 60 slices of 300 points: well under 0.3 s. */
static void test_time_of_a_large_report(void **state)
{
	struct report_voi many[7];
	struct outline_set sets[7];
	struct report_input input = input_of();
	struct timespec begin, end;
	struct dosimetry_result wide = result;
	struct dataset *ds;

	(void)state;
	for (int v = 0; v < 7; v++) {
		make_outlines(&sets[v], v == 0 ? 60 : 25, v == 0 ? 300 : 120, 9.0);
		many[v] = vois[v == 0 ? LIVER : TUMOUR];
		many[v].outlines = &sets[v];
	}
	input.result = &wide;
	input.vois = many;
	input.n_vois = 7;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	ds = build(&input);
	clock_gettime(CLOCK_MONOTONIC, &end);
	double took_s =
	    (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
	print_message("seven regions: %.3f s\n", took_s);
	assert_true(took_s < 3.0); /* generous: sanitizers and a loaded machine */
	dataset_free(ds);
	for (int v = 0; v < 7; v++)
		free_outlines(&sets[v]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_document),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_no_concept_name_twice),
	    cmocka_unit_test(test_not_measured),
	    cmocka_unit_test(test_tree_has_no_nan),
	    cmocka_unit_test(test_regions),
	    cmocka_unit_test(test_warnings),
	    cmocka_unit_test(test_every_flag_reaches_the_report),
	    cmocka_unit_test(test_surroundings),
	    cmocka_unit_test(test_preliminary_and_predecessor),
	    cmocka_unit_test(test_barest),
	    cmocka_unit_test(test_same_input_same_bytes),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_time_of_a_large_report),
	};
	return cmocka_run_group_tests(tests, make_fixture, free_fixture);
}
