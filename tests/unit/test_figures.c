/* The figures as JSON and as a table: every key that figures.h promises, null for what is not
 * known, and lines that fit a page. */
#include "check.h"

#include "figures.h"
#include "measurement_report_emission.h"
#include "report_scene.h"

static struct figures_voi named[VOIS];
static struct report_alignment alignment;

static struct figures_input figures_of_scene(void)
{
	static struct dosimetry_injection given[FIXTURE_SCANS];
	static const char *const warnings[] = {"region \"Spleen\" has no role"};

	for (int v = 0; v < VOIS; v++)
		named[v] = (struct figures_voi){vois[v].name, vois[v].role};
	for (int k = 0; k < FIXTURE_SCANS; k++)
		given[k] = injections[k].figures;
	given[3].position = 1;
	alignment = (struct report_alignment){.after_injection = 2,
					      .from = "baseline",
					      .to = "scan after injection 2",
					      .origin = REPORT_ALIGNMENT_REGISTERED,
					      .words = "least squares",
					      .residual_mm = 0.75,
					      .capture_spread_mm = NAN};
	rigid_identity(alignment.transform);
	return (struct figures_input){.patient_id = "TEST-0001",
				      .record_id = "TEST-0001/1",
				      .software_version = "0.1.0",
				      .record_revision = 2,
				      .planned_injections = 4,
				      .result = &result,
				      .injections = given,
				      .n_injections = FIXTURE_SCANS,
				      .vois = named,
				      .n_vois = VOIS,
				      .warnings = warnings,
				      .n_warnings = 1,
				      .params = &params,
				      .alignments = &alignment,
				      .n_alignments = 1};
}

static char *written(void (*write)(FILE *, const struct figures_input *),
		     const struct figures_input *input)
{
	static char *text;
	static size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	write(file, input);
	assert_int_equal(fclose(file), 0);
	return text;
}

/* What stands for a key behind a place in the text; up to the end of its line. */
static void assert_value(const char *text, const char *from, const char *key, const char *expected)
{
	char wanted[200];
	const char *at = strstr(text, from);

	assert_non_null(at);
	snprintf(wanted, sizeof wanted, "\"%s\": ", key);
	at = strstr(at, wanted);
	if (!at)
		fail_msg("no %s after %s", key, from);
	at += strlen(wanted);
	if (strncmp(at, expected, strlen(expected)) != 0 || !strchr(",\n", at[strlen(expected)]))
		fail_msg("%s after %s: %.40s, not %s", key, from, at, expected);
}

static const char *last_time_point(const char *json)
{
	return strstr(json, "\"after_injection\": 4");
}

static void test_json(void **state)
{
	struct figures_input input = figures_of_scene();
	char *json = written(figures_write_json, &input);
	const char *last = last_time_point(json);

	(void)state;
	assert_non_null(last);
	assert_value(last, "", "recovery_standard_uncertainty", "0.055");
	assert_value(last, "", "residual_mm", "0.75");
	assert_value(last, "", "kernel_lost_share", "null");
	assert_value(last, "\"Tumour 1\"", "role", "\"tumour\"");
	assert_value(last, "\"Tumour 1\"", "measurable", "\"limited\"");
	assert_non_null(strstr(last, voi_reason_text(VOI_REASON_ARTEFACT)));
	assert_value(last, "\"Tumour 1\"", "mean_gy", "124.688");
	assert_value(last, "\"Tumour 1\"", "excluded_volume_ml", "2");
	assert_value(last, "\"Tumour 1\"", "oscillating_volume_ml", "1.5");
	assert_value(last, "\"Tumour 1\"", "underdosed_volume_ml", "8.5");
	assert_value(last, "\"Tumour 1\"", "below_gy", "90");
	assert_value(last, "\"Tumour 1\"", "largest_piece_ml", "6.5");
	assert_value(last, "\"Tumour 1\"", "random_gy", "0.3");
	assert_value(last, "\"Tumour 1\"", "relaxivity_gy", "null");
	assert_value(last, "\"Tumour 1\"", "complete", "false");
	assert_value(last, "\"Tumour 1\"", "kernel_mean_gy", "null");
	assert_value(last, "\"Tumour 1\"", "trend", "\"saturating\"");
	assert_value(last, "\"Tumour 1\"", "trend_expected_lower_gy", "140");
	assert_value(last, "\"Tumour 1\"", "predicted_next_gy", "null");
	assert_value(last, "\"Tumour 1\"", "hardly_any_uptake", "false");
	assert_value(last, "\"position_dose_gy\"", "position", "1");
	assert_value(last, "\"position_dose_gy\"", "gy", "null");
	assert_value(last, "\"T\xc3\xbcmpel\"", "measurable", "\"not measurable\"");
	assert_value(last, "\"T\xc3\xbcmpel\"", "mean_gy", "null");
	assert_value(last, "\"Tumours of segment 8\"", "role", "\"group\"");
	assert_value(last, "\"Core\"", "role", "\"necrosis\"");
	assert_value(last, "\"Healthy liver\"", "advice", "null");
	assert_value(json, "\"alignments\"", "origin", "\"Found by registration\"");
	assert_value(json, "\"alignments\"", "capture_spread_mm", "null");
	assert_null(strstr(json, "nan"));
	free(json);

	params.advice_limit_gy = 55.0;
	result.time_points[FIXTURE_SCANS - 1].advice[0] =
	    (struct uptake_remaining){1234.0, 800.0, 2100.0};
	json = written(figures_write_json, &input);
	assert_value(last_time_point(json), "\"Healthy liver\"", "limit_gy", "55");
	assert_value(last_time_point(json), "\"Healthy liver\"", "upper_mbq", "2100");
	free(json);
	params.advice_limit_gy = NAN;
}

static int columns_of(const char *line, size_t length)
{
	int columns = 0;

	for (size_t i = 0; i < length; i++)
		columns += ((unsigned char)line[i] & 0xc0) != 0x80;
	return columns;
}

static void test_table(void **state)
{
	static const char *const wanted[] = {
	    "Tumour 1                      35.0    124.7     6.3    49.9    249.4      291.5   "
	    "2.3  saturating (-16.9 %)",
	    "under-dosed, below 90 Gy: 8.5 mL, largest piece 6.5 mL\n",
	    "under-dosed, below 50 Gy: 2.2 mL, largest piece 1.8 mL\n",
	    "without that of the relaxivity: not of an absolute dose",
	    "Core                           9.0                                                "
	    "     necrosis: no dose",
	};
	struct figures_input input = figures_of_scene();
	char *table = written(figures_write_table, &input), *end;

	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
		if (!strstr(table, wanted[i]))
			fail_msg("not in the table: %s", wanted[i]);
	assert_non_null(strstr(table, voi_reason_text(VOI_REASON_OUTSIDE)));
	assert_null(strstr(table, "nan"));
	for (const char *line = table; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		if (!strstr(line, "! ") || strstr(line, "! ") > end) /* flags are sentences */
			assert_true(columns_of(line, (size_t)(end - line)) <= 110);
	}
	free(table);

	/* nothing configured to compare with: no levels, no promise about the uncertainty */
	input.params = NULL;
	table = written(figures_write_table, &input);
	assert_null(strstr(table, "under-dosed"));
	free(table);
}

/* What a map skips is zero in the result: it must not come out as a figure. */
static void test_a_map_has_no_figures_of_regions(void **state)
{
	struct figures_input input = figures_of_scene();
	char *text;

	(void)state;
	input.regions_left_out = true;
	text = written(figures_write_json, &input);
	assert_value(last_time_point(text), "", "recovery_standard_uncertainty", "null");
	assert_null(strstr(text, "Healthy"));
	assert_null(strstr(text, "Tumour 1"));
	assert_null(strstr(text, "mean_gy"));
	free(text);
	text = written(figures_write_table, &input);
	assert_null(strstr(text, "Healthy"));
	assert_null(strstr(text, "no contours"));
	assert_null(strstr(text, " 5.5 "));
	assert_non_null(strstr(text, "figures of regions are in the report"));
	free(text);
	input.regions_left_out = false;
}

/* What MRI cannot measure and the SPECT can: a dash beside its dose, never "nan". */
static void test_an_emission_image_alone(void **state)
{
	struct figures_input input = figures_of_scene();
	struct report_emission_voi seen[VOIS];
	struct report_emission emission = {.modality = "NM",
					   .acquired = "20260305100000+0100",
					   .vois = seen,
					   .n_vois = VOIS,
					   .healthy = {NAN, NAN, NAN, NAN, NAN},
					   .recovery_ratio = NAN};
	char *text;

	(void)state;
	for (int v = 0; v < VOIS; v++)
		seen[v] = (struct report_emission_voi){10, 31.5, 2, 21, NAN};
	input.emission = &emission;
	text = written(figures_write_table, &input);
	assert_null(strstr(text, "nan"));
	assert_non_null(strstr(text, "    31.5        -        -         21.0\n"));
	free(text);
	text = written(figures_write_json, &input);
	assert_null(strstr(text, "nan"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_an_emission_image_alone),
	    cmocka_unit_test(test_a_map_has_no_figures_of_regions),
	};
	return cmocka_run_group_tests(tests, make_fixture, free_fixture);
}
