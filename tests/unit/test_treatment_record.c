#include "treatment_record.h"

#include "check.h"

#include <stdlib.h>

/* The same words as the record of the documentation, one element per line. */
static const char EXAMPLE[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<treatment xmlns=\"urn:holmia:treatment:1\">\n"
    "<patient id=\"PHANTOM-1\" issuer=\"HOLMIA\"/>\n"
    "<study uid=\"2.25.281474976710657\"/>\n"
    "<product name=\"QuiremSpheres\" holmium-content-percent=\"19.5\"/>\n"
    "<prescription target-dose-gy=\"60\" targeted-part=\"Right hemiliver\"/>\n"
    "<position id=\"RHA\" description=\"right hepatic artery\" part=\"Right hemiliver\" "
    "planned-activity-mbq=\"4020\">\n"
    "<injection number=\"1\" planned-percent=\"10\" start=\"2026-03-02T10:05:00+01:00\" "
    "net-activity-mbq=\"402\""
    " specific-activity-mbq-per-mg=\"12.0\" specific-activity-at=\"2026-03-02T10:05:00+01:00\"/>\n"
    "<injection number=\"2\" planned-percent=\"30\" start=\"2026-03-02T10:21:00+01:00\""
    " prepared-activity-mbq=\"1290\" prepared-at=\"2026-03-02T09:30:00+01:00\""
    " residual-activity-mbq=\"58\" residual-at=\"2026-03-02T11:40:00+01:00\""
    " specific-activity-mbq-per-mg=\"12.0\" specific-activity-at=\"2026-03-02T10:05:00+01:00\"/>\n"
    "</position>\n"
    "<voi name=\"Liver\" role=\"liver\"/>\n"
    "<voi name=\"Right hemiliver\" role=\"part\"/>\n"
    "<voi name=\"Tumour 1\" role=\"tumour\" part=\"Right hemiliver\"/>\n"
    "</treatment>\n";

/* The example with the first `old` replaced; the caller frees it. *line: of the change. */
static char *variant(const char *old, const char *new, int *line)
{
	const char *at = strstr(EXAMPLE, old);
	assert_non_null(at);
	size_t size = sizeof EXAMPLE + strlen(new) + 1;
	char *text = malloc(size);
	assert_non_null(text);
	snprintf(text, size, "%.*s%s%s", (int)(at - EXAMPLE), EXAMPLE, new, at + strlen(old));
	*line = 1;
	for (const char *c = EXAMPLE; c < at; c++)
		*line += *c == '\n';
	return text;
}

static const struct config_fault *find_fault(const struct config_faults *faults, const char *words)
{
	for (int i = 0; i < faults->count; i++) {
		if (strstr(faults->faults[i].text, words))
			return &faults->faults[i];
	}
	for (int i = 0; i < faults->count; i++)
		print_message("  %d: %s\n", faults->faults[i].line, faults->faults[i].text);
	print_message("  no \"%s\"\n", words);
	return NULL;
}

static void expect(const char *old, const char *new, const char *words, bool warning)
{
	static struct treatment_record record;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	int line;
	char *text = variant(old, new, &line);
	enum status_code code =
	    treatment_record_read_memory(&record, &faults, text, strlen(text), "record.xml", &st);
	const struct config_fault *fault = find_fault(&faults, words);
	if (!fault) {
		fail();
		return;
	}
	assert_int_equal(fault->line, line);
	assert_int_equal(fault->warning, warning);
	assert_int_equal(code, warning ? STATUS_OK : STATUS_CONFIG);
	config_faults_free(&faults);
	free(text);
}

static void expect_error(const char *old, const char *new, const char *words)
{
	expect(old, new, words, false);
}

static void expect_warning(const char *old, const char *new, const char *words)
{
	expect(old, new, words, true);
}

static void check_example(const struct treatment_record *record)
{
	assert_string_equal(record->id, "PHANTOM-1/2026-03-02T09:05:00Z");
	assert_int_equal(record->revision, 1);
	assert_string_equal(record->patient_id, "PHANTOM-1");
	assert_string_equal(record->patient_issuer, "HOLMIA");
	assert_int_equal(record->n_studies, 1);
	assert_string_equal(record->product, "QuiremSpheres");
	assert_close(record->holmium_percent, 19.5, 0, 0);
	assert_close(record->target_dose_gy, 60, 0, 0);
	assert_int_equal(record->n_positions, 1);
	assert_string_equal(record->positions[0].part, "Right hemiliver");
	assert_int_equal(record->n_injections, 2);
	const struct record_injection *one = &record->injections[0], *two = &record->injections[1];
	assert_close(one->start_s, 1772442300, 0, 0); /* date -d 2026-03-02T09:05:00Z +%s */
	assert_close(one->net_activity_mbq, 402, 0, 0);
	assert_true(isnan(one->prepared_activity_mbq) && isnan(one->residual_at_s));
	assert_true(isnan(two->net_activity_mbq));
	assert_close(two->start_s - one->start_s, 16 * 60, 0, 0);
	assert_close(two->prepared_activity_mbq, 1290, 0, 0);
	assert_close(two->start_s - two->prepared_at_s, 51 * 60, 0, 0);
	assert_close(two->residual_at_s - two->start_s, 79 * 60, 0, 0);
	assert_true(two->imaged);
	assert_int_equal(record->n_vois, 3);
	assert_int_equal(record->vois[2].role, CONFIG_VOI_TUMOUR);
	assert_string_equal(record->vois[2].part, "Right hemiliver");
	assert_int_equal(strlen(record->fingerprint), 64);
}

static void test_example_in_memory(void **state)
{
	(void)state;
	static struct treatment_record record;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	assert_ok(treatment_record_read_memory(&record, &faults, EXAMPLE, strlen(EXAMPLE),
					       "record.xml", &st),
		  &st);
	assert_int_equal(faults.count, 0);
	check_example(&record);
	config_faults_free(&faults);
}

static void test_example_of_the_documentation(void **state)
{
	(void)state;
	require_data("../treatment.example.xml");
	static struct treatment_record record;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	assert_ok(
	    treatment_record_read_file(&record, &faults, DATA_DIR "/../treatment.example.xml", &st),
	    &st);
	assert_int_equal(faults.count, 0);
	check_example(&record);
	config_faults_free(&faults);
}

static void test_optional_names_are_read(void **state)
{
	(void)state;
	static struct treatment_record record;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	static const char text[] =
	    "<treatment xmlns=\"urn:holmia:treatment:1\" id=\"T-7\" revision=\"3\" entered-by=\"A. "
	    "Bé\">"
	    "<patient id=\"P\"/><product name=\"Q\"/><baseline series=\"1.2.3\"/>"
	    "<position id=\"LHA\" planned-injections=\"2\">"
	    "<injection number=\"2\" start=\"2026-03-02T12:00:00Z\" net-activity-mbq=\"10\" "
	    "imaged=\"no\" vial=\"V2\""
	    " specific-activity-mbq-per-mg=\"11\" "
	    "specific-activity-at=\"2026-03-02T12:00:00Z\"/></position>"
	    "<position id=\"RHA\">"
	    "<injection number=\"1\" start=\"2026-03-02T12:00:00+02:00\" net-activity-mbq=\"10\" "
	    "series=\"1.2.4\""
	    " holmium-content-percent=\"19.1\""
	    " specific-activity-mbq-per-mg=\"11\" "
	    "specific-activity-at=\"2026-03-02T12:00:00Z\"/></position>"
	    "<voi name=\"T\" role=\"tumour\" group=\"g\"/><voi name=\"M\" role=\"necrosis\"/>"
	    "<voi name=\"N\" role=\"tumour\" necrosis=\"yes\" part=\"Right\"/></treatment>";
	assert_ok(treatment_record_read_memory(&record, &faults, text, strlen(text), "r", &st),
		  &st);
	assert_string_equal(record.id, "T-7");
	assert_int_equal(record.revision, 3);
	assert_string_equal(record.entered_by, "A. B\303\251");
	assert_string_equal(record.baseline_series_uid, "1.2.3");
	assert_int_equal(record.positions[0].planned_injections, 2);
	/* in order of time over the positions */
	assert_int_equal(record.injections[0].position, 1);
	assert_string_equal(record.injections[0].after_series_uid, "1.2.4");
	assert_close(record.injections[0].holmium_percent, 19.1, 0, 0);
	assert_int_equal(record.injections[1].position, 0);
	assert_false(record.injections[1].imaged);
	assert_string_equal(record.injections[1].vial, "V2");
	assert_true(isnan(record.injections[1].holmium_percent));
	assert_string_equal(record.vois[0].group, "g");
	assert_int_equal(record.vois[1].role, CONFIG_VOI_NECROSIS);
	assert_int_equal(record.vois[2].role, CONFIG_VOI_NECROSIS); /* the other way to say it */
	assert_string_equal(record.vois[2].part, "Right");
	config_faults_free(&faults);
}

static void test_contradictions_are_errors(void **state)
{
	(void)state;
	expect_error("start=\"2026-03-02T10:05:00+01:00\"", "start=\"2026-03-02T10:05:00\"",
		     "needs date, time and zone");
	expect_error("start=\"2026-03-02T10:05:00+01:00\"", "start=\"2026-02-30T10:05:00Z\"",
		     "needs date, time and zone");
	expect_error("residual-activity-mbq=\"58\"", "residual-activity-mbq=\"1400\"",
		     "the residual is as much as what was prepared");
	expect_error("net-activity-mbq=\"402\"", "net-activity-mbq=\"-402\"",
		     "net-activity-mbq \"-402\" must be");
	expect_error("net-activity-mbq=\"402\"",
		     "net-activity-mbq=\"402\" residual-activity-mbq=\"3\" "
		     "residual-at=\"2026-03-02T10:30:00Z\"",
		     "not both");
	expect_error("prepared-at=\"2026-03-02T09:30:00+01:00\"", "", "belong together");
	expect_error("prepared-at=\"2026-03-02T09:30:00+01:00\"",
		     "prepared-at=\"2026-03-02T10:30:00+01:00\"", "prepared-at is after start");
	expect_error("residual-at=\"2026-03-02T11:40:00+01:00\"",
		     "residual-at=\"2026-03-02T10:20:00+01:00\"", "residual-at is before start");
	expect_error("start=\"2026-03-02T10:21:00+01:00\"", "start=\"2026-03-02T09:05:00Z\"",
		     "starts at the same time");
	expect_error("number=\"2\"", "number=\"1\"", "injection 1 is there twice");
	expect_error("start=\"2026-03-02T10:21:00+01:00\"", "start=\"2026-03-02T10:01:00+01:00\"",
		     "out of order");
	expect_error("specific-activity-at=\"2026-03-02T10:05:00+01:00\"", "",
		     "the specific activity needs the time");
	expect_error("planned-percent=\"10\"", "planned-percent=\"101\"", "planned-percent");
	expect_error("<voi name=\"Right hemiliver\" role=\"part\"/>",
		     "<voi name=\"Liver\" role=\"part\"/>", "there twice (as liver and as part)");
	expect_error("uid=\"2.25.281474976710657\"", "uid=\"2.25.0281\"", "not a DICOM UID");
	expect_error("<voi name=\"Liver\" role=\"liver\"/>",
		     "<voi name=\"Liver\" role=\"spleen\"/>", "role");
	expect_error("id=\"PHANTOM-1\"", "id=\" \"", "id");
	expect_error("role=\"part\"/>", "role=\"part\" group=\"g\"/>",
		     "only tumours that are alive");
	expect_error("role=\"part\"/>", "role=\"part\" necrosis=\"yes\"/>",
		     "only a tumour is marked as necrosis");
	expect_error("role=\"tumour\" part", "role=\"tumour\" group=\"g\" necrosis=\"yes\" part",
		     "only tumours that are alive");
	expect_error("role=\"liver\"/>", "role=\"liver\" part=\"Right hemiliver\"/>",
		     "only a tumour or necrosis lies in a part");
	expect_error("<patient", "<pateint id=\"X\"/><patient", "pateint");
}

/* A quarter turn about z and a shift: where a point of one frame is in the other. */
#define QUARTER_TURN "0 -1 0 10  1 0 0 -20.5  0 0 1 3e1"

static void test_transforms(void **state)
{
	(void)state;
	static struct treatment_record record, other;
	static const double expected[12] = {0, -1, 0, 10, 1, 0, 0, -20.5, 0, 0, 1, 30};
	struct config_faults faults;
	struct status st = STATUS_INIT;
	int line;
	char *text = variant("</treatment>",
			     "<transform from=\"1.2.3\" to=\"1.2.4\" matrix=\"" QUARTER_TURN
			     "\" provenance=\"by hand, A. B.\"/></treatment>",
			     &line);
	assert_ok(treatment_record_read_memory(&record, &faults, text, strlen(text), "r", &st),
		  &st);
	assert_int_equal(record.n_transforms, 1);
	assert_string_equal(record.transforms[0].from_uid, "1.2.3");
	assert_string_equal(record.transforms[0].to_uid, "1.2.4");
	assert_string_equal(record.transforms[0].provenance, "by hand, A. B.");
	for (int i = 0; i < 12; i++)
		assert_close(record.transforms[0].matrix[i], expected[i], 0, 0);
	config_faults_free(&faults);
	free(text);

	/* another shift is another record */
	text = variant("</treatment>",
		       "<transform from=\"1.2.3\" to=\"1.2.4\" matrix=\"0 -1 0 11 1 0 0 -20.5 0 0 "
		       "1 30\" provenance=\"by hand, A. B.\"/></treatment>",
		       &line);
	assert_ok(treatment_record_read_memory(&other, &faults, text, strlen(text), "r", &st), &st);
	assert_string_not_equal(record.fingerprint, other.fingerprint);
	config_faults_free(&faults);
	free(text);
}

static void test_transforms_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *matrix, *words;
	} rows[] = {
	    {"1.2", "1.3", "1 0 0 0 0 1 0 0 0 0 1", "needs twelve numbers"},
	    {"1.2", "1.3", "1 0 0 0 0 1 0 0 0 0 1 0 7", "needs twelve numbers"},
	    {"1.2", "1.3", "1 0 0 0 0 1 0 0 0 0 one 0", "needs twelve numbers"},
	    {"1.2", "1.3", "1 0 0 0 0 1 0 0 0 0 1 nan", "needs twelve numbers"},
	    {"1.2", "1.3", "2 0 0 0 0 1 0 0 0 0 1 0", "a rotation and a shift"},   /* scaled */
	    {"1.2", "1.3", "-1 0 0 0 0 1 0 0 0 0 1 0", "a rotation and a shift"},  /* mirrored */
	    {"1.2", "1.3", "1 0.1 0 0 0 1 0 0 0 0 1 0", "a rotation and a shift"}, /* sheared */
	    {"1.2", "1.2", QUARTER_TURN, "from and to are the same"},
	    {"1.02", "1.3", QUARTER_TURN, "is not a DICOM UID"},
	    {"1.2", "x", QUARTER_TURN, "is not a DICOM UID"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char element[400];
		snprintf(element, sizeof element,
			 "<transform from=\"%s\" to=\"%s\" matrix=\"%s\" provenance=\"p\"/>"
			 "</treatment>",
			 rows[i].from, rows[i].to, rows[i].matrix);
		expect_error("</treatment>", element, rows[i].words);
	}
	expect_error("</treatment>",
		     "<transform from=\"1.2\" to=\"1.3\" matrix=\"" QUARTER_TURN
		     "\" provenance=\"p\"/><transform from=\"1.3\" to=\"1.2\" "
		     "matrix=\"" QUARTER_TURN "\" provenance=\"p\"/></treatment>",
		     "a second one between 1.3 and 1.2");
	expect_error("</treatment>",
		     "<transform from=\"1.2\" to=\"1.3\" matrix=\"" QUARTER_TURN "\"/></treatment>",
		     "provenance");
}

static void test_what_is_missing_is_a_warning(void **state)
{
	(void)state;
	expect_warning(" specific-activity-mbq-per-mg=\"12.0\" "
		       "specific-activity-at=\"2026-03-02T10:05:00+01:00\"/>",
		       "/>", "no specific activity: no dose from this injection on");
	expect_warning(" residual-activity-mbq=\"58\" residual-at=\"2026-03-02T11:40:00+01:00\"",
		       "", "residual not measured yet");
	expect_warning("specific-activity-mbq-per-mg=\"12.0\"",
		       "specific-activity-mbq-per-mg=\"61.5\"", "is it per mg of microspheres?");
	expect_warning(" net-activity-mbq=\"402\"", "", "no activity");
}

static void test_numbers_are_nan_when_not_given(void **state)
{
	(void)state;
	static struct treatment_record record;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	int line;
	char *text = variant(" holmium-content-percent=\"19.5\"", "", &line);
	assert_ok(treatment_record_read_memory(&record, &faults, text, strlen(text), "r", &st),
		  &st);
	assert_true(isnan(record.holmium_percent));
	config_faults_free(&faults);
	free(text);
}

static void test_fingerprint_is_of_the_content(void **state)
{
	(void)state;
	static struct treatment_record first, second;
	struct config_faults faults;
	struct status st = STATUS_INIT;
	int line;
	assert_ok(treatment_record_read_memory(&first, &faults, EXAMPLE, strlen(EXAMPLE), "r", &st),
		  &st);
	config_faults_free(&faults);
	char *text =
	    variant("\n<product ", "\n<!-- another way to write it -->\n\n<product   ", &line);
	assert_ok(treatment_record_read_memory(&second, &faults, text, strlen(text), "r", &st),
		  &st);
	assert_string_equal(first.fingerprint, second.fingerprint);
	config_faults_free(&faults);
	free(text);
	text = variant("\"402\"", "\"403\"", &line);
	assert_ok(treatment_record_read_memory(&second, &faults, text, strlen(text), "r", &st),
		  &st);
	assert_string_not_equal(first.fingerprint, second.fingerprint);
	config_faults_free(&faults);
	free(text);
}

static void test_hostile_text(void **state)
{
	(void)state;
	static struct treatment_record record;
	static const char *const texts[] = {
	    "",
	    "<",
	    "<treatment/>",
	    "\0\0\0",
	    "no xml at all",
	    "<?xml version=\"1.0\"?><!DOCTYPE t SYSTEM \"http://127.0.0.1:1/x.dtd\"><treatment/>",
	    "<!DOCTYPE t [<!ENTITY a \"b\">]><treatment "
	    "xmlns=\"urn:holmia:treatment:1\">&a;</treatment>",
	    "<treatment xmlns=\"urn:other\"/>",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct config_faults faults;
		struct status st = STATUS_INIT;
		assert_int_equal(treatment_record_read_memory(&record, &faults, texts[i],
							      strlen(texts[i]), "r", &st),
				 STATUS_CONFIG);
		assert_true(faults.errors > 0);
		config_faults_free(&faults);
	}
}

static void test_times(void **state)
{
	(void)state;
	/* expected values from date(1) */
	assert_close(record_parse_time("1990-01-01T00:00:00Z"), 631152000, 0, 0);
	assert_close(record_parse_time("2024-02-29T23:59:59Z"), 1709251199, 0, 0);
	assert_close(record_parse_time("2026-03-02T10:05:00+01:00"), 1772442300, 0, 0);
	assert_close(record_parse_time("2026-03-02T03:35:00.250-05:30"), 1772442300.25, 1e-6, 0);
	assert_close(record_parse_time("2100-03-01T00:00:00Z"), 4107542400.0, 0, 0);
	static const char *const malformed[] = {
	    "",
	    "2026-03-02",
	    "2026-03-02T10:05:00",
	    "2026-03-02 10:05:00Z",
	    "2026-3-2T10:05:00Z",
	    "2026-03-02T24:00:00Z",
	    "2026-03-02T10:60:00Z",
	    "2026-13-02T10:05:00Z",
	    "2025-02-29T10:05:00Z",
	    "2026-03-02T10:05:00+0100",
	    "2026-03-02T10:05:00+01:00x",
	    "2026-03-02T10:05:00+1:00",
	    "2026-03-02T10:05:00+99:00",
	    "2026-03-02T10:05:00nanZ",
	};
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		if (!isnan(record_parse_time(malformed[i])))
			print_message("accepted: %s\n", malformed[i]);
		assert_true(isnan(record_parse_time(malformed[i])));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_example_in_memory),
	    cmocka_unit_test(test_example_of_the_documentation),
	    cmocka_unit_test(test_optional_names_are_read),
	    cmocka_unit_test(test_contradictions_are_errors),
	    cmocka_unit_test(test_transforms),
	    cmocka_unit_test(test_transforms_that_are_none),
	    cmocka_unit_test(test_what_is_missing_is_a_warning),
	    cmocka_unit_test(test_numbers_are_nan_when_not_given),
	    cmocka_unit_test(test_fingerprint_is_of_the_content),
	    cmocka_unit_test(test_hostile_text),
	    cmocka_unit_test(test_times),
	};
	return cmocka_run_group_tests_name("treatment_record", tests, NULL, NULL);
}
