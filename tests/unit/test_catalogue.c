/* The catalogue: every column comes back, what came twice is found, other content under a known UID
 * is set aside, and conflicts of identity are named. */
#include "check.h"

#include <stdlib.h>

#include "catalogue.h"

#define MR "1.2.840.10008.5.1.4.1.1.4"

static struct store *open_store(void)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	assert_ok(store_open(&store, ":memory:", &st), &st);
	return store;
}

static struct instance_info make_info(const char *series, int number)
{
	struct instance_info info = {.series_number = 3,
				     .instance_number = number,
				     .rows = 256,
				     .columns = 128,
				     .frames = 1,
				     .position_mm = {1.5, -2.25, number},
				     .orientation = {1, 0, 0, 0, 1, 0},
				     .pixel_spacing_mm = {1.5, 1.25},
				     .slice_thickness_mm = NAN,
				     .te_ms = 1.33,
				     .tr_ms = 100,
				     .flip_deg = 30,
				     .field_strength_t = 3,
				     .component = IMAGE_MAGNITUDE,
				     .images_in_acquisition = -1};
	strcpy(info.sop_class_uid, MR);
	snprintf(info.sop_instance_uid, sizeof info.sop_instance_uid, "%s.%d", series, number);
	strcpy(info.series_instance_uid, series);
	strcpy(info.study_instance_uid, "1.1");
	strcpy(info.patient_id, "P");
	strcpy(info.patient_name, "Doe^J\xc3\xb6rg");
	strcpy(info.patient_birth_date, "19600101");
	strcpy(info.acquisition_datetime, "20260302101500");
	snprintf(info.evidence_hash, sizeof info.evidence_hash, "evidence %s %d", series, number);
	return info;
}

static enum catalogue_outcome add(struct store *store, const struct instance_info *info)
{
	struct status st = STATUS_INIT;
	struct catalogue_location where = {.path = "/spool/log/a",
					   .log = "a",
					   .offset = 128,
					   .size = 1000,
					   .transfer_syntax_uid = "1.2.840.10008.1.2"};
	enum catalogue_outcome outcome;
	char reason[240];
	assert_ok(catalogue_add(&outcome, reason, store, info, &where, 5000, &st), &st);
	assert_int_equal(reason[0] == '\0', outcome == CATALOGUE_NEW);
	return outcome;
}

static struct catalogue_patient *load(struct store *store)
{
	struct status st = STATUS_INIT;
	struct catalogue_patient *patient = NULL;
	assert_ok(catalogue_load_patient(&patient, store, "P", "", &st), &st);
	return patient;
}

static void test_every_column_comes_back(void **state)
{
	struct store *store = open_store();
	struct instance_info info = make_info("2.1", 7);
	(void)state;
	assert_int_equal(add(store, &info), CATALOGUE_NEW);
	struct catalogue_patient *patient = load(store);
	assert_int_equal(patient->n_series, 1);
	const struct catalogue_instance *back = &patient->series[0].instances[0];
	assert_true(isnan(back->info.slice_thickness_mm));
	struct instance_info copy = back->info;
	copy.slice_thickness_mm = info.slice_thickness_mm = 0;
	assert_memory_equal(&copy, &info, sizeof info);
	assert_string_equal(back->where.path, "/spool/log/a");
	assert_int_equal(back->where.offset, 128);
	assert_int_equal(back->where.size, 1000);
	assert_false(patient->series[0].released);
	catalogue_patient_free(patient);
	store_close(store);
}

static void test_sent_twice(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct instance_info first = make_info("2.1", 1), again = make_info("2.2", 1);
	char original[65];
	(void)state;
	assert_int_equal(add(store, &first), CATALOGUE_NEW);
	assert_int_equal(add(store, &first), CATALOGUE_SAME);
	strcpy(again.evidence_hash, first.evidence_hash); /* new UIDs, the same evidence */
	assert_int_equal(add(store, &again), CATALOGUE_SAME);
	assert_ok(catalogue_resolve_series(original, store, "2.2", &st), &st);
	assert_string_equal(original, "2.1");
	struct catalogue_patient *patient = load(store);
	assert_int_equal(patient->n_series, 1);
	assert_int_equal(patient->series[0].n_instances, 1);
	catalogue_patient_free(patient);
	/* an empty slice of a later series has the same pixels and place, but was acquired later:
	 * it is another one */
	strcpy(again.acquisition_datetime, "20260302111500");
	assert_int_equal(add(store, &again), CATALOGUE_NEW);
	store_close(store);
}

/* Follow-up images and registrations are inputs, but another department's way to write a name takes
 * nothing away from the treatment. */
static void test_follow_up_objects_are_inputs(void **state)
{
	static const char *const classes[] = {"1.2.840.10008.5.1.4.1.1.128",
					      "1.2.840.10008.5.1.4.1.1.20",
					      "1.2.840.10008.5.1.4.1.1.66.1"};
	struct store *store = open_store();
	(void)state;
	for (int i = 0; i < 3; i++) {
		char series[10];
		snprintf(series, sizeof series, "3.%d", i);
		struct instance_info info = make_info(series, 1);
		strcpy(info.sop_class_uid, classes[i]);
		strcpy(info.patient_name, "DOE JOERG");
		assert_int_equal(add(store, &info), CATALOGUE_NEW);
	}
	/* one without an issuer, in the study of the scans */
	struct instance_info elsewhere = make_info("3.5", 1);
	strcpy(elsewhere.sop_class_uid, classes[2]);
	strcpy(elsewhere.patient_id, "Q");
	assert_int_equal(add(store, &elsewhere), CATALOGUE_NEW);
	struct instance_info scan = make_info("2.1", 1), deformed = make_info("3.4", 1);
	assert_int_equal(add(store, &scan), CATALOGUE_NEW);
	strcpy(deformed.sop_class_uid, "1.2.840.10008.5.1.4.1.1.66.3");
	assert_int_equal(add(store, &deformed), CATALOGUE_UNUSED);
	struct catalogue_patient *patient = load(store);
	assert_int_equal(patient->n_series, 4);
	assert_string_equal(patient->conflict, "");
	assert_string_equal(patient->patient_name, scan.patient_name);
	catalogue_patient_free(patient);
	store_close(store);
}

static void test_series_hash_needs_no_order(void **state)
{
	struct store *a = open_store(), *b = open_store();
	struct instance_info one = make_info("2.1", 1), two = make_info("2.1", 2),
			     three = make_info("2.1", 3);
	(void)state;
	add(a, &one), add(a, &two);
	add(b, &two), add(b, &one);
	struct catalogue_patient *in_a = load(a), *in_b = load(b);
	assert_string_equal(in_a->series[0].evidence_hash, in_b->series[0].evidence_hash);
	add(b, &three);
	catalogue_patient_free(in_b);
	in_b = load(b);
	assert_string_not_equal(in_a->series[0].evidence_hash, in_b->series[0].evidence_hash);
	catalogue_patient_free(in_a);
	catalogue_patient_free(in_b);
	store_close(a);
	store_close(b);
}

static void test_other_content_is_quarantined(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct instance_info info = make_info("2.1", 1);
	struct catalogue_note *notes = NULL;
	struct store_alarm *alarms = NULL;
	struct catalogue_patient_key key;
	int count = 0;
	(void)state;
	add(store, &info);
	strcpy(info.evidence_hash, "other pixels");
	assert_int_equal(add(store, &info), CATALOGUE_QUARANTINED);
	assert_int_equal(add(store, &info), CATALOGUE_SAME); /* once is enough */
	struct catalogue_patient *patient = load(store);
	assert_int_equal(patient->series[0].n_instances, 1);
	assert_string_equal(patient->instances[0].info.evidence_hash, "evidence 2.1 1");
	catalogue_patient_free(patient);
	assert_ok(store_list_alarms(&alarms, &count, store, &st), &st);
	assert_int_equal(count, 1);
	free(alarms);
	assert_ok(catalogue_list_notes(&notes, &count, store, CATALOGUE_STATE_QUARANTINED, &st),
		  &st);
	assert_int_equal(count, 1);
	assert_ok(catalogue_quarantine_release(&key, store, notes[0].id, &st), &st);
	assert_string_equal(key.patient_id, "P");
	patient = load(store);
	assert_int_equal(patient->series[0].n_instances, 1);
	assert_string_equal(patient->instances[0].info.evidence_hash, "other pixels");
	catalogue_patient_free(patient);
	assert_int_equal(catalogue_quarantine_drop(store, notes[0].id, &st), STATUS_REFUSE);
	status_clear(&st);
	free(notes);
	strcpy(info.patient_id, "Q"); /* the same instance under another patient */
	assert_int_equal(add(store, &info), CATALOGUE_QUARANTINED);
	store_close(store);
}

static void test_kept_but_unused(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct instance_info nobody = make_info("2.1", 1), dose = make_info("2.2", 1),
			     dose2 = make_info("2.2", 2);
	struct catalogue_note *notes = NULL;
	int count = 0;
	(void)state;
	nobody.patient_id[0] = '\0';
	strcpy(dose.sop_class_uid, "1.2.840.10008.5.1.4.1.1.481.2");
	strcpy(dose2.sop_class_uid, "1.2.840.10008.5.1.4.1.1.481.2");
	assert_int_equal(add(store, &nobody), CATALOGUE_UNUSED);
	assert_int_equal(add(store, &dose), CATALOGUE_UNUSED);
	assert_int_equal(add(store, &dose2), CATALOGUE_UNUSED);
	assert_ok(catalogue_list_notes(&notes, &count, store, CATALOGUE_STATE_UNUSED, &st), &st);
	assert_int_equal(count, 2);
	assert_non_null(strstr(notes[0].reason, "no Patient ID"));
	assert_int_equal(notes[1].instances, 2);
	free(notes);
	struct catalogue_patient *patient = load(store);
	assert_int_equal(patient->n_series, 0);
	catalogue_patient_free(patient);
	store_close(store);
}

static void test_conflicts_have_words(void **state)
{
	struct store *store = open_store();
	struct instance_info one = make_info("2.1", 1), same = make_info("2.2", 1),
			     other = make_info("2.3", 1);
	(void)state;
	add(store, &one);
	strcpy(same.patient_name, "DOE^J\xc3\xb6RG^^^"); /* written differently, the same person */
	add(store, &same);
	struct catalogue_patient *patient = load(store);
	assert_string_equal(patient->conflict, "");
	catalogue_patient_free(patient);
	strcpy(other.patient_id, "Q"); /* another patient in the same study */
	add(store, &other);
	patient = load(store);
	assert_non_null(strstr(patient->conflict, "two patients in study 1.1"));
	catalogue_patient_free(patient);
	/* the conflict is both patients' */
	struct status st = STATUS_INIT;
	struct catalogue_patient_key *mates = NULL;
	int count = 0;
	assert_ok(catalogue_list_study_mates(&mates, &count, store, "Q", other.patient_issuer, &st),
		  &st);
	assert_int_equal(count, 1);
	assert_string_equal(mates[0].patient_id, one.patient_id);
	free(mates);
	strcpy(other.patient_id, "R"); /* in a study of its own */
	strcpy(other.sop_instance_uid, "2.9");
	strcpy(other.study_instance_uid, "1.99");
	strcpy(other.series_instance_uid, "1.98");
	add(store, &other);
	assert_ok(catalogue_list_study_mates(&mates, &count, store, "R", other.patient_issuer, &st),
		  &st);
	assert_int_equal(count, 0);
	free(mates);
	struct instance_info renamed = make_info("2.4", 1);
	strcpy(renamed.patient_name, "Roe^Jane");
	add(store, &renamed);
	patient = load(store);
	assert_non_null(strstr(patient->conflict, "two names"));
	catalogue_patient_free(patient);
	store_close(store);
}

/* What the words ask for helps: corrected in the PACS and sent again under the same UID. */
static void test_corrections_are_taken(void **state)
{
	struct store *store = open_store();
	struct instance_info one = make_info("2.1", 1), renamed = make_info("2.1", 2),
			     nameless = make_info("2.1", 3);
	(void)state;
	strcpy(renamed.patient_name, "Roe^Jane");
	strcpy(nameless.patient_id, "");
	assert_int_equal(add(store, &one), CATALOGUE_NEW);
	assert_int_equal(add(store, &renamed), CATALOGUE_NEW);
	assert_int_equal(add(store, &nameless), CATALOGUE_UNUSED);
	struct catalogue_patient *patient = load(store);
	assert_non_null(strstr(patient->conflict, "two names"));
	catalogue_patient_free(patient);
	strcpy(renamed.patient_name, one.patient_name);
	assert_int_equal(add(store, &renamed), CATALOGUE_SAME);
	strcpy(nameless.patient_id, "P");
	assert_int_equal(add(store, &nameless), CATALOGUE_NEW);
	patient = load(store);
	assert_string_equal(patient->conflict, "");
	assert_int_equal(patient->series[0].n_instances, 3);
	catalogue_patient_free(patient);
	struct status st = STATUS_INIT;
	struct catalogue_note *notes = NULL;
	int count = -1;
	assert_ok(catalogue_list_notes(&notes, &count, store, CATALOGUE_STATE_UNUSED, &st), &st);
	assert_int_equal(count, 0);
	free(notes);
	store_close(store);
}

static void test_log_positions(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct catalogue_log log = {.offset = 99};
	struct instance_info info = make_info("2.1", 1);
	char(*names)[128] = NULL;
	int count = 0;
	(void)state;
	add(store, &info);
	assert_ok(catalogue_log_load(&log, store, "a", &st), &st);
	assert_int_equal(log.offset, 0);
	log.offset = 5000000000u;
	log.ended = true;
	assert_ok(catalogue_log_save(store, "a", &log, &st), &st);
	assert_ok(catalogue_log_load(&log, store, "a", &st), &st);
	assert_true(log.offset == 5000000000u && log.ended);
	assert_ok(catalogue_log_list_ended(&names, &count, store, &st), &st);
	assert_int_equal(count, 1);
	assert_string_equal(names[0], "a");
	free(names);
	struct catalogue_patient *patient = load(store);
	assert_true(patient->series[0].released);
	catalogue_patient_free(patient);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_column_comes_back),
	    cmocka_unit_test(test_sent_twice),
	    cmocka_unit_test(test_follow_up_objects_are_inputs),
	    cmocka_unit_test(test_series_hash_needs_no_order),
	    cmocka_unit_test(test_other_content_is_quarantined),
	    cmocka_unit_test(test_kept_but_unused),
	    cmocka_unit_test(test_conflicts_have_words),
	    cmocka_unit_test(test_corrections_are_taken),
	    cmocka_unit_test(test_log_positions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
