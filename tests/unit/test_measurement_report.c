/* The measurement report of a made-up result, read back item by item. The files for the validators
 * come from here too (HOLMIA_TEST_OUT). */
#include "check.h"

#include <time.h>

#include "codes.h"
#include "measurement_report.h"
#include "result_fixture.h"
#include "sr_tree.h"

enum { LIVER, PART, TUMOUR, SMALL, VOIS };

static struct result_fixture fixture;
static struct dosimetry_result result;
static struct dosimetry_params params;
static struct outline_set outlines[VOIS];
static struct report_voi vois[VOIS];
static struct report_injection injections[FIXTURE_SCANS];
static double stored_mean_gy[VOIS][FIXTURE_SCANS];

/* Ellipses of `points` points on several slices, the largest first. */
static void make_outlines(struct outline_set *set, int slices, int points, double radius)
{
	set->outlines = calloc((size_t)slices, sizeof *set->outlines);
	set->count = slices;
	for (int s = 0; s < slices; s++) {
		struct outline *outline = &set->outlines[s];
		double r = radius * (1.0 - 0.1 * s);
		outline->slice = s % FIXTURE_SLICES;
		outline->points = points + 1;
		outline->column_row = calloc(2 * (size_t)(points + 1), sizeof(float));
		outline->area_mm2 = r * r;
		for (int i = 0; i <= points; i++) {
			double angle = 2.0 * 3.14159265358979 * (i % points) / points;
			outline->column_row[2 * i] = (float)(15.0 + r * cos(angle));
			outline->column_row[2 * i + 1] = (float)(11.0 + 0.8 * r * sin(angle));
		}
	}
}

static void free_outlines(struct outline_set *set)
{
	for (int i = 0; i < set->count; i++)
		free(set->outlines[i].column_row);
	free(set->outlines);
	*set = (struct outline_set){NULL, 0};
}

static void make_figures(struct dosimetry_voi_result *figures, double mean_gy, double volume_ml)
{
	*figures = (struct dosimetry_voi_result){
	    .dose = {.volume_ml = volume_ml,
		     .measured_volume_ml = 0.9 * volume_ml,
		     .mean = mean_gy,
		     .minimum = -1.25,
		     .maximum = 2.0 * mean_gy,
		     .standard_deviation = 12.0,
		     .d98 = 0.2 * mean_gy,
		     .d90 = 0.4 * mean_gy,
		     .d70 = 0.7 * mean_gy,
		     .d50 = 0.95 * mean_gy,
		     .d2 = 1.8 * mean_gy,
		     .levels = 2,
		     .level = {60.0, 100.5},
		     .volume_at_level_ml = {0.45 * volume_ml, 0.225 * volume_ml}},
	    .mass_g = 1.06 * volume_ml,
	    .activity_mbq = mean_gy * volume_ml * 1.06 / 15.87,
	    .tumour_to_normal = NAN,
	    .healthy_voi = -1,
	    .underdosed_volume_ml = {NAN, NAN, NAN, NAN},
	    .not_measured_volume_ml = 0.1 * volume_ml,
	};
}

static void make_time_point(struct dosimetry_time_point *point, int k)
{
	struct status st = STATUS_INIT;

	assert_ok(volume_new(&point->dose_gy, &fixture.grid, 1.0f, &st), &st);
	point->after_injection = k;
	make_figures(&point->voi[LIVER], 10.0 * k, 1500.0);
	make_figures(&point->voi[PART], 15.0 * k, 900.0);
	make_figures(&point->voi[TUMOUR], 31.172 * k, 35.0);
	make_figures(&point->voi[SMALL], NAN, 0.5);
	point->voi[TUMOUR].tumour_to_normal = 2.34;
	point->voi[TUMOUR].healthy_voi = 1;
	point->voi[TUMOUR].saturated_volume_ml = 3.0;
	point->voi[TUMOUR].underdosed_volume_ml[0] = 8.5;
	point->voi[SMALL].dose.measured_volume_ml = 0.0;
	point->voi[SMALL].dose.minimum = point->voi[SMALL].dose.standard_deviation = NAN;
	point->n_healthy = 2;
	point->healthy[0].part_voi = -1;
	make_figures(&point->healthy[0].figures, 8.0 * k, 1460.0);
	point->healthy[1].part_voi = PART;
	make_figures(&point->healthy[1].figures, 13.3 * k, 860.0);
	for (int v = 0; v < VOIS; v++) {
		point->trend[v] = (struct uptake_result){
		    .trend = UPTAKE_NOT_ASSESSED, .expected_gy = NAN, .deviation_percent = NAN};
		point->part_recovery_ratio[v] = NAN;
	}
	if (k == FIXTURE_SCANS)
		point->trend[TUMOUR] = (struct uptake_result){
		    .trend = UPTAKE_SATURATING, .expected_gy = 150.0, .deviation_percent = -16.9};
	point->part_recovery_ratio[PART] = 0.93;
	point->injected_activity_mbq = 1000.0 * k;
	point->injected_mass_mg = 100.0 * k;
	point->recovered_activity_mbq = 945.6 * k;
	point->recovered_mass_mg = 94.0 * k;
	point->recovery_ratio = 0.9456;
	point->mass_increment_ratio = 0.94;
	point->resampled_mass_ratio = 1.001;
	point->region_baseline_r2star_per_s = 45.2;
	point->sigma = 3.1;
	point->air_sigma = 3.25;
	point->s0_scale = 1.01;
	point->region_not_measured_ml = 12.5;
	point->region_volume_ml = 1535;
	point->saturated_ml = 7.25;
	point->s0_known_ml = 8.75;
	point->outside_maximum_gy = 61.5;
	point->outside_hot_ml = 0.5;
	point->flags = DOSIMETRY_SATURATED_VOXELS | (k == 2 ? DOSIMETRY_ORDER_UNCLEAR : 0);
}

static void make_injections(void)
{
	for (int k = 1; k <= FIXTURE_SCANS; k++) {
		struct report_injection *injection = &injections[k - 1];
		*injection = (struct report_injection){
		    .figures = {.number = k,
				.net_activity_mbq = k == 4 ? (double)NAN : 1201.9,
				.specific_activity_mbq_per_mg = 10.0,
				.holmium_percent = 19.5,
				.residual_pending = k == 3},
		    .position_id = "P1",
		    .position_description = "right hepatic artery",
		    .planned_percent = 30.0,
		    .planned_activity_mbq = 4000.0,
		    .prepared_activity_mbq = k == 4 ? (double)NAN : 1260.0,
		    .residual_activity_mbq = k >= 3 ? (double)NAN : 58.0,
		};
		snprintf(injection->start, sizeof injection->start, "202611230%d2000+0100", 2 + k);
	}
}

static void make_result(void)
{
	static const char *const names[VOIS] = {"Liver", "Right hemiliver", "Tumour 1",
						"T\xc3\xbcmpel"};
	static const enum voi_role roles[VOIS] = {VOI_LIVER, VOI_PART, VOI_TUMOUR, VOI_TUMOUR};

	result.n_time_points = FIXTURE_SCANS;
	result.time_points = calloc(FIXTURE_SCANS, sizeof *result.time_points);
	for (int k = 1; k <= FIXTURE_SCANS; k++)
		make_time_point(&result.time_points[k - 1], k);
	result.relaxivity_used = 217.8;
	result.baseline_sigma = 3.0;
	result.baseline_air_sigma = NAN; /* zeroed */
	result.usable_sigma = 4.0;
	result.saturated_sigma = 2.0;
	result.evaluated_volume_ml = 8000.0;
	result.excluded_artefact_ml = 120.0;
	params = (struct dosimetry_params){.relaxivity_per_s_per_mg_per_ml = 217.8,
					   .relaxivity_holmium_percent = 19.5,
					   .dose_constant_mj_per_mbq = 15.87,
					   .density_g_per_ml = 1.06,
					   .baseline = BASELINE_VOXELWISE,
					   .body_snr = 5.0,
					   .artefact_r2star_per_s = 200.0,
					   .trend_threshold_percent = 10.0,
					   .underdosed_below_gy = {90.0},
					   .underdose_levels = 1};
	make_outlines(&outlines[LIVER], 6, 300, 10.0);
	make_outlines(&outlines[PART], 5, 200, 7.0);
	make_outlines(&outlines[TUMOUR], 3, 60, 2.5);
	for (int v = 0; v < VOIS; v++) {
		for (int t = 0; t < FIXTURE_SCANS; t++)
			stored_mean_gy[v][t] = v == SMALL
						   ? (double)NAN
						   : result.time_points[t].voi[v].dose.mean + 0.125;
		vois[v] = (struct report_voi){names[v], roles[v], 10 + v, &outlines[v],
					      stored_mean_gy[v]};
	}
	make_injections();
}

static struct report_input input_of(void)
{
	static const struct report_warning warnings[] = {
	    {"HO108", "region \"Spleen\" has no role"},
	    {"HO104", "residual of injection 3 is not known yet"}};
	static const char *const thresholds[] = {"healthy liver: 55 Gy (Ho-166)"};

	return (struct report_input){
	    .evidence = &fixture.evidence,
	    .result = &result,
	    .params = &params,
	    .vois = vois,
	    .n_vois = VOIS,
	    .injections = injections,
	    .n_injections = FIXTURE_SCANS,
	    .planned_injections = 4,
	    .record_id = "TEST-0001/1",
	    .record_revision = 2,
	    .record_entered_by = "physicist",
	    .product = "QuiremSpheres",
	    .field_strength_t = 3.0,
	    .relaxivity_configured = 217.8,
	    .relaxivity_temperature_k = 310.0,
	    .relaxivity_provenance = "theory, not calibrated",
	    .warnings = warnings,
	    .n_warnings = 2,
	    .rt_doses = fixture.doses,
	    .configuration_fingerprint = "0123abcd",
	    .threshold_labels = thresholds,
	    .n_thresholds = 1,
	};
}

/* ---- reading back ---- */

/* Finds the item with a concept name among the children of a content sequence path; -1. */
static int find_item(const struct dataset *ds, struct dataset_path content, const char *code_value,
		     int nth)
{
	unsigned count = dataset_item_count(ds, content);
	struct status st = STATUS_INIT;

	for (unsigned i = 0; i < count; i++) {
		struct dataset_path path = content;
		char value[20];
		path.step[path.count++] = i;
		path.step[path.count++] = TAG_ConceptNameCodeSequence;
		path.step[path.count++] = 0;
		path.step[path.count++] = TAG_CodeValue;
		assert_ok(dataset_get_string(ds, path, value, sizeof value, &st), &st);
		if (strcmp(value, code_value) == 0 && nth-- == 0)
			return (int)i;
	}
	return -1;
}

static struct dataset_path root(void)
{
	return AT(TAG_ContentSequence);
}

/* The content sequence of the nth child with that concept name. */
static struct dataset_path child(const struct dataset *ds, struct dataset_path content,
				 const char *code_value, int nth)
{
	int item = find_item(ds, content, code_value, nth);

	if (item < 0)
		fail_msg("no item %s number %d", code_value, nth);
	content.step[content.count++] = (uint32_t)item;
	content.step[content.count++] = TAG_ContentSequence;
	return content;
}

static struct dataset_path group(const struct dataset *ds, int voi)
{
	return child(ds, child(ds, root(), "126010", 0), "125007", voi);
}

/* The value of a NUM child; NaN when it is there without a value. */
static double number(const struct dataset *ds, struct dataset_path content, const char *code_value)
{
	struct dataset_path path = child(ds, content, code_value, 0);

	path.step[path.count - 1] = TAG_MeasuredValueSequence;
	path.step[path.count++] = 0;
	path.step[path.count++] = TAG_NumericValue;
	return dataset_get_double(ds, path, 0);
}

static bool has(const struct dataset *ds, struct dataset_path content, const char *code_value)
{
	return find_item(ds, content, code_value, 0) >= 0;
}

static void assert_code_value(const struct dataset *ds, struct dataset_path content,
			      const char *name, const char *expected)
{
	struct dataset_path path = child(ds, content, name, 0);

	path.step[path.count - 1] = TAG_ConceptCodeSequence;
	path.step[path.count++] = 0;
	path.step[path.count++] = TAG_CodeValue;
	fixture_assert_text(ds, path, expected);
}

static struct dataset *build(const struct report_input *input)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	char uid[65];

	assert_ok(measurement_report_build(&ds, uid, input, &st), &st);
	fixture_assert_text(ds, AT(TAG_SOPInstanceUID), uid);
	return ds;
}

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
	assert_close(number(ds, tumour, "HO037"), 8.5, 0, 1e-6);
	/* recovery in the liver only, per part in the part */
	assert_close(number(ds, liver, "HO020"), 0.9456, 0, 1e-6);
	struct dataset_path words = child(ds, liver, "HO020", 0);
	words.step[words.count++] = 0;
	words.step[words.count++] = TAG_TextValue;
	fixture_assert_text(
	    ds, words,
	    "Activity found in liver and tumours over net activity injected so far; a "
	    "lower bound, because voxels are saturated; 12.5 of 1535 mL are not "
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
		assert_true(numbers >= (v == SMALL ? 2 : 10));
		assert_string_equal(names[0], v == SMALL ? "118565006" : "128533");
	}
	dataset_free(ds);
}

/* The text of a child that stands where a number could not. */
static void assert_words(const struct dataset *ds, struct dataset_path content, const char *name,
			 const char *expected)
{
	struct dataset_path path = child(ds, content, name, 0);

	path.step[path.count - 1] = TAG_TextValue;
	fixture_assert_text(ds, path, expected);
}

/* Not measured is said in words, never a number. */
static void test_not_measured(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path small = group(ds, SMALL);

	(void)state;
	assert_words(ds, small, "128533", "not measured");
	assert_words(ds, small, "HOA02", "not measured");
	assert_words(ds, small, "HO010", "no healthy liver to compare with");
	assert_words(ds, small, "HO074", "not measured");
	assert_words(ds, group(ds, TUMOUR), "HO074",
		     "lower bound: 3 mL of 35 mL saturated; 3.5 mL not measured");
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
	    {"HO106", "after injection 1 other than at baseline: coil"}};
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
	input.n_warnings = 1;
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

static int make_fixture(void **state)
{
	struct status st = STATUS_INIT;

	(void)state;
	if (dataset_library_init(&st) != STATUS_OK)
		return -1;
	fixture_make(&fixture, false);
	make_result();
	return 0;
}

static int free_fixture(void **state)
{
	(void)state;
	for (int v = 0; v < VOIS; v++)
		free_outlines(&outlines[v]);
	for (int t = 0; t < FIXTURE_SCANS; t++)
		volume_free(&result.time_points[t].dose_gy);
	free(result.time_points);
	fixture_free(&fixture);
	return 0;
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
