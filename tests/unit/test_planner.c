/* What is planned when: jobs follow from evidence and record, planning twice adds nothing, a change
 * remakes only what it changes. */
#include "check.h"

#include <stdlib.h>

#include "control.h"
#include "planner.h"
#include "queue.h"
#include "treatment_store.h"

#define MR     "1.2.840.10008.5.1.4.1.1.4"
#define SLICES 3
#define ECHOES 4

static struct config *config;
static struct store *store;
static const char *frame, *issuer, *patient_id; /* of the series that are added */
static double clock_s;

static int open_all(void **state)
{
	struct status st = STATUS_INIT;
	struct config_faults faults = {0};
	(void)state;
	frame = "1.9";
	issuer = "";
	patient_id = "P";
	clock_s = 1000;
	assert_ok(config_load(&config, &faults, SOURCE_DIR "/config/holmia.example.xml", &st), &st);
	config_faults_free(&faults);
	return store_open(&store, ":memory:", &st) != STATUS_OK;
}

static int close_all(void **state)
{
	(void)state;
	store_close(store);
	config_free(config);
	return 0;
}

/* One complete multi-echo series; hour and minute UTC of 2 March 2026. leave_out: index of an image
 * that is missing, -1 none. */
static void add_series(int number, const char *time, int leave_out)
{
	for (int image = 0; image < SLICES * ECHOES; image++) {
		struct status st = STATUS_INIT;
		struct instance_info info = {.series_number = number,
					     .instance_number = image,
					     .rows = 64,
					     .columns = 64,
					     .frames = 1,
					     .position_mm = {0, 0, 5.0 * (image / ECHOES)},
					     .orientation = {1, 0, 0, 0, 1, 0},
					     .pixel_spacing_mm = {2, 2},
					     .slice_thickness_mm = 5,
					     .te_ms = 1.5 + 2 * (image % ECHOES),
					     .tr_ms = 100,
					     .flip_deg = 20,
					     .field_strength_t = 3,
					     .component = IMAGE_MAGNITUDE,
					     .images_in_acquisition = SLICES * ECHOES};
		struct catalogue_location where = {.path = "/x", .offset = 0, .size = 1};
		enum catalogue_outcome outcome;
		char reason[240];
		strcpy(info.sop_class_uid, MR);
		strcpy(info.modality, "MR");
		strcpy(info.series_description, "T2* multi-echo");
		strcpy(info.scanning_sequence, "GR");
		strcpy(info.patient_id, patient_id);
		strcpy(info.patient_issuer, issuer);
		strcpy(info.study_instance_uid, "1.1");
		strcpy(info.frame_of_reference_uid, frame);
		strcpy(info.utc_offset, "+0000");
		snprintf(info.series_instance_uid, sizeof info.series_instance_uid, "2.%d", number);
		snprintf(info.sop_instance_uid, sizeof info.sop_instance_uid, "2.%d.%d", number,
			 image);
		snprintf(info.acquisition_datetime, sizeof info.acquisition_datetime, "20260302%s",
			 time);
		snprintf(info.evidence_hash, sizeof info.evidence_hash, "evidence %d %d", number,
			 image);
		if (image != leave_out)
			assert_ok(catalogue_add(&outcome, reason, store, &info, &where, 100, &st),
				  &st);
	}
}

static void add_record(int revision, const char *net2, const char *specific2)
{
	static const char format[] =
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<treatment "
	    "xmlns=\"urn:holmia:treatment:1\" id=\"T1\" "
	    "revision=\"%d\"><patient id=\"P\"/><product name=\"QuiremSpheres\" "
	    "holmium-content-percent=\"19.5\"/>"
	    "<position id=\"RHA\" description=\"right hepatic artery\">"
	    "<injection number=\"1\" start=\"2026-03-02T10:05:00Z\" net-activity-mbq=\"402\" "
	    "specific-activity-mbq-per-mg=\"12\" specific-activity-at=\"2026-03-02T10:05:00Z\"/>"
	    "<injection number=\"2\" start=\"2026-03-02T10:30:00Z\" net-activity-mbq=\"%s\" "
	    "specific-activity-mbq-per-mg=\"%s\" specific-activity-at=\"2026-03-02T10:05:00Z\"/>"
	    "</position></treatment>";
	struct status st = STATUS_INIT;
	struct config_faults faults = {0};
	char xml[2000];
	struct treatment_record *record = malloc(sizeof *record);
	assert_non_null(record);
	snprintf(xml, sizeof xml, format, revision, net2, specific2);
	enum status_code code =
	    treatment_record_read_memory(record, &faults, xml, strlen(xml), "test", &st);
	for (int i = 0; i < faults.count; i++)
		print_message("%s\n", faults.faults[i].text);
	assert_ok(code, &st);
	config_faults_free(&faults);
	assert_ok(record_add(store, record, xml, 100, &st), &st);
	free(record);
}

static int plan(double now_s, double *look_again_s)
{
	struct status st = STATUS_INIT;
	double ignored;
	int added = -1;
	assert_ok(planner_plan_patient(store, config, "P", "", now_s, &added,
				       look_again_s ? look_again_s : &ignored, &st),
		  &st);
	return added;
}

static int count(enum job_kind kind, enum job_state state)
{
	struct status st = STATUS_INIT;
	struct queue_row *rows = NULL;
	int n = 0, found = 0;
	assert_ok(queue_list(&rows, &n, store, NULL, &st), &st);
	for (int i = 0; i < n; i++)
		found += rows[i].kind == kind && rows[i].state == state;
	free(rows);
	return found;
}

static void expect_row(const char *key, const char *state_name, const char *waits_for)
{
	struct status st = STATUS_INIT;
	bool found = false;
	struct treatment_row *row = malloc(sizeof *row);
	assert_non_null(row);
	assert_ok(treatment_row_load(&found, row, store, key, &st), &st);
	assert_int_equal(found, state_name != NULL);
	if (state_name != NULL) {
		assert_string_equal(row->state, state_name);
		if (strstr(row->waits_for, waits_for) == NULL)
			fail_msg("waits for \"%s\", not \"%s\"", row->waits_for, waits_for);
	}
	free(row);
}

static void finish_all(void)
{
	struct status st = STATUS_INIT;
	struct result_identity identity = {.created_datetime = "20260302120000"};
	struct job job;
	bool found = true;
	while (found) {
		clock_s++;
		assert_ok(queue_claim(&found, &job, store, &identity, clock_s, &st), &st);
		if (found)
			assert_ok(queue_finish(store, &job, JOB_DONE, "", clock_s, &st), &st);
	}
}

static void test_jobs_follow_the_series(void **state)
{
	(void)state;
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 0);
	expect_row("T1|P|", "collecting", "baseline");
	add_series(1, "094000", -1);
	assert_int_equal(plan(1000, NULL), 1); /* its fit */
	add_series(2, "101500", -1);
	assert_int_equal(plan(1000, NULL), 2); /* fit and first map */
	add_series(3, "104500", -1);
	assert_int_equal(plan(1000, NULL), 2);
	assert_int_equal(count(JOB_FIT, JOB_QUEUED), 3);
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 2);
	assert_int_equal(count(JOB_REPORT, JOB_QUEUED), 0); /* no contours */
	assert_int_equal(plan(1000, NULL), 0);
	expect_row("T1|P|", "ready", "contours");
}

static void test_net_activity_alone_remakes_no_map(void **state)
{
	(void)state;
	add_series(1, "094000", -1), add_series(2, "101500", -1), add_series(3, "104500", -1);
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 5);
	finish_all();
	add_record(2, "1100", "12");
	assert_int_equal(plan(1000, NULL), 0);
	add_record(3, "1100",
		   "11.5"); /* the specific activity of the second injection: the second map only */
	assert_int_equal(plan(1000, NULL), 1);
	assert_int_equal(count(JOB_MAP, JOB_DONE), 2);
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 1);
}

/* Without a scan between them the two injections share one increment: their activities weigh its
 * specific activity. */
static void test_net_activity_weighs_shared_increments(void **state)
{
	(void)state;
	add_series(1, "094000", -1), add_series(3, "104500", -1);
	add_record(1, "1200", "11");
	assert_int_equal(plan(1000, NULL), 3);
	finish_all();
	add_record(2, "1100", "11");
	assert_int_equal(plan(1000, NULL), 1);
}

static void test_newer_plan_supersedes_what_waits(void **state)
{
	(void)state;
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	add_record(1, "1200", "12");
	plan(1000, NULL);
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 1);
	add_series(4, "095500", -1); /* a later baseline */
	assert_int_equal(plan(1000, NULL), 2);
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 1);
	assert_int_equal(count(JOB_MAP, JOB_SUPERSEDED), 1);
}

static void test_recompute_makes_everything_again(void **state)
{
	struct status st = STATUS_INIT;
	(void)state;
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	add_record(1, "1200", "12");
	plan(1000, NULL);
	finish_all();
	assert_int_equal(plan(1000, NULL), 0);
	assert_ok(treatment_recompute(store, "T1", &st), &st);
	assert_int_equal(plan(1000, NULL), 3);
	finish_all();
	assert_int_equal(plan(1000, NULL), 0);
}

/* A correction that is corrected back: the results that were sent last are of the wrong number, so
 * those of the right one are made, and sent, anew. */
static void test_way_back_makes_everything_again(void **state)
{
	(void)state;
	add_series(1, "094000", -1), add_series(2, "101500", -1), add_series(3, "104500", -1);
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 5);
	finish_all();
	add_record(2, "1200", "21");
	assert_int_equal(plan(1000, NULL), 1);
	finish_all();
	add_record(3, "1200", "12");
	assert_int_equal(plan(1000, NULL), 5);
	assert_int_equal(plan(1000, NULL), 0);
	finish_all();
	assert_int_equal(plan(1000, NULL), 0);
	add_record(4, "1200", "21");
	assert_int_equal(plan(1000, NULL),
			 1); /* a new hash anyway: the serial number has moved on */
	finish_all();
	assert_int_equal(plan(1000, NULL), 0);
}

/* One scan of another stay in the scanner, and no alignment: its map is refused, the other is made.
 */
static void test_refused_scan_leaves_the_other_maps(void **state)
{
	(void)state;
	config->register_rigid = false;
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	frame = "1.8";
	add_series(3, "104500", -1);
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 3); /* two fits and the map after injection 1 */
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 1);
	expect_row("T1|P|", "refused", "after injection 2 is in another frame of reference");
	finish_all();
	assert_int_equal(plan(1000, NULL), 0);
}

/* With alignment every map is planned; which of them can be made shows when it is tried. */
static void test_scan_of_another_stay_is_planned(void **state)
{
	(void)state;
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	frame = "1.8";
	add_series(3, "104500", -1);
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 5);
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 2);
}

static void test_missing_image_is_named(void **state)
{
	(void)state;
	add_series(1, "094000", 5), add_series(2, "101500", -1);
	add_record(1, "1200", "12");
	plan(1000, NULL);
	expect_row("T1|P|", "collecting", "echo 2 missing at slice 2");
	assert_int_equal(count(JOB_MAP, JOB_QUEUED), 0);
}

static void test_no_record_is_one_row(void **state)
{
	(void)state;
	add_series(1, "094000", -1);
	assert_int_equal(plan(1000, NULL), 0);
	expect_row("|P|", "collecting", "record");
	add_record(1, "1200", "12");
	plan(1000, NULL);
	expect_row("|P|", NULL, "");
	expect_row("T1|P|", "collecting", "");
}

/* A record without the issuer that the images have: nobody waits without a word. */
static void test_other_issuer_is_said_on_both_sides(void **state)
{
	struct status st = STATUS_INIT;
	int added = 0;
	double ignored;
	(void)state;
	issuer = "HOSPITAL";
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 0);
	expect_row("T1|P|", "refused", "the images are of issuer \"HOSPITAL\"");
	assert_ok(planner_plan_patient(store, config, "P", "HOSPITAL", 1000, &added, &ignored, &st),
		  &st);
	assert_int_equal(added, 0);
	expect_row("|P|HOSPITAL", "collecting", "record \"T1\" is of the same Patient ID");
}

/* A series under another Patient ID, corrected in the PACS and sent again with the same UIDs: set
 * aside image by image, taken over in one go. */
static void test_quarantine_is_released_by_series(void **state)
{
	struct status st = STATUS_INIT;
	struct catalogue_note *notes = NULL;
	struct control_effects effects = {0};
	int n = 0;
	char number[32];
	(void)state;
	patient_id = "Q";
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	patient_id = "P";
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	add_record(1, "1200", "12");
	assert_int_equal(plan(1000, NULL), 0);
	int added = 0;
	double ignored;
	assert_ok(planner_plan_patient(store, config, "Q", "", 1000, &added, &ignored, &st), &st);
	expect_row("|Q|", "collecting", "record");
	for (int series = 2; series > 0; series--) {
		assert_ok(catalogue_list_notes(&notes, &n, store, CATALOGUE_STATE_QUARANTINED, &st),
			  &st);
		assert_int_equal(n, series * SLICES * ECHOES);
		snprintf(number, sizeof number, "%lld", (long long)notes[0].id);
		free(notes);
		const char *const request[] = {"quarantine-release", number, "series"};
		FILE *out = fopen("/dev/null", "w");
		assert_int_equal(control_execute(out, store, config, 3, request, &effects), 0);
		fclose(out);
	}
	assert_int_equal(effects.jobs, 3); /* planned, and no patient is in the other's way */
	expect_row("|Q|", NULL, "");
	struct store_alarm *alarms = NULL;
	assert_ok(store_list_alarms(&alarms, &n, store, &st), &st);
	assert_int_equal(n, 0);
	free(alarms);
}

static void test_late_result_raises_an_alarm(void **state)
{
	struct status st = STATUS_INIT;
	struct store_alarm *alarms = NULL;
	double look_again_s;
	int n = 0;
	(void)state;
	add_series(1, "094000", -1), add_series(2, "101500", -1);
	add_record(1, "1200", "12");
	plan(1000, &look_again_s);
	assert_close(look_again_s, 1000 + config->alert_after_s, 0, 0);
	plan(look_again_s + 1, NULL);
	assert_ok(store_list_alarms(&alarms, &n, store, &st), &st);
	assert_int_equal(n, 1);
	assert_non_null(strstr(alarms[0].text, "no dose map"));
	free(alarms);
	/* withdrawing another row of the patient leaves it, withdrawing the treatment takes it away
	 */
	assert_ok(treatment_row_delete(store, "|P|", &st), &st);
	assert_ok(store_list_alarms(&alarms, &n, store, &st), &st);
	assert_int_equal(n, 1);
	free(alarms);
	assert_ok(treatment_row_delete(store, "T1|P|", &st), &st);
	assert_ok(store_list_alarms(&alarms, &n, store, &st), &st);
	assert_int_equal(n, 0);
	free(alarms);
	plan(1000, &look_again_s);
	plan(look_again_s + 1, NULL);
	finish_all();
	plan(look_again_s + 2, NULL);
	assert_ok(store_list_alarms(&alarms, &n, store, &st), &st);
	assert_int_equal(n, 0);
	free(alarms);
}

#define planner_test(function) cmocka_unit_test_setup_teardown(function, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    planner_test(test_jobs_follow_the_series),
	    planner_test(test_net_activity_alone_remakes_no_map),
	    planner_test(test_net_activity_weighs_shared_increments),
	    planner_test(test_newer_plan_supersedes_what_waits),
	    planner_test(test_recompute_makes_everything_again),
	    planner_test(test_way_back_makes_everything_again),
	    planner_test(test_refused_scan_leaves_the_other_maps),
	    planner_test(test_scan_of_another_stay_is_planned),
	    planner_test(test_missing_image_is_named),
	    planner_test(test_no_record_is_one_row),
	    planner_test(test_other_issuer_is_said_on_both_sides),
	    planner_test(test_quarantine_is_released_by_series),
	    planner_test(test_late_result_raises_an_alarm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
