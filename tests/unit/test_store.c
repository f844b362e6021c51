/* The store: transactions, alarms, durability across a reopen, and the guards. */
#include "check.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "store.h"
#include "treatment_store.h"

static char folder[] = "/tmp/holmia-store-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/holmia-store-XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
	char path[128];
	static const char *const names[] = {"holmia.db", "holmia.db-wal", "holmia.db-shm"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static void test_alarms_are_one_per_key_and_survive(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	struct store_alarm *alarms = NULL;
	int count = 0;
	(void)state;
	assert_ok(store_open(&store, folder, &st), &st);
	assert_ok(store_raise_alarm(store, "disk", "first", 10, &st), &st);
	assert_ok(store_raise_alarm(store, "disk", "second", 20, &st), &st);
	assert_ok(store_raise_alarm(store, "log", "tail", 15, &st), &st);
	store_close(store);
	assert_ok(store_open(&store, folder, &st), &st);
	assert_ok(store_list_alarms(&alarms, &count, store, &st), &st);
	assert_int_equal(count, 2);
	assert_string_equal(alarms[0].key, "disk");
	assert_string_equal(alarms[0].text, "second");
	assert_close(alarms[0].since_s, 10, 0, 0);
	free(alarms);
	assert_ok(store_clear_alarm(store, "disk", &st), &st);
	assert_ok(store_list_alarms(&alarms, &count, store, &st), &st);
	assert_int_equal(count, 1);
	free(alarms);
	store_close(store);
}

static void test_rollback_and_nesting(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	struct store_alarm *alarms = NULL;
	int count = 0;
	(void)state;
	assert_ok(store_open(&store, ":memory:", &st), &st);
	assert_ok(store_begin(store, &st), &st);
	assert_ok(store_raise_alarm(store, "a", "a", 1, &st), &st);
	assert_int_equal(store_begin(store, &st), STATUS_BUG);
	assert_int_equal(store_finish(store, &st),
			 STATUS_BUG); /* the fault stands, so it rolls back */
	status_clear(&st);
	assert_ok(store_list_alarms(&alarms, &count, store, &st), &st);
	assert_int_equal(count, 0);
	free(alarms);
	store_close(store);
}

static void test_reader_cannot_write(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	(void)state;
	assert_int_equal(store_open_reader(&store, "/nonexistent/spool", &st), STATUS_CONFIG);
	status_clear(&st);
	assert_ok(store_open(&store, folder, &st), &st);
	store_close(store);
	assert_ok(store_open_reader(&store, folder, &st), &st);
	assert_int_not_equal(store_raise_alarm(store, "a", "a", 1, &st), STATUS_OK);
	store_close(store);
}

static void test_connection_does_not_cross_a_fork(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	(void)state;
	assert_ok(store_open(&store, folder, &st), &st);
	pid_t child = fork();
	if (child == 0)
		_exit(store_raise_alarm(store, "a", "a", 1, &st) == STATUS_BUG ? 0 : 1);
	int result = -1;
	assert_int_equal(waitpid(child, &result, 0), child);
	assert_int_equal(result, 0);
	store_close(store);
}

static void test_record_revisions(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	struct treatment_record *record = calloc(1, sizeof *record);
	struct record_row *rows = NULL;
	char *xml = NULL;
	int count = 0;
	(void)state;
	assert_non_null(record);
	assert_ok(store_open(&store, ":memory:", &st), &st);
	strcpy(record->id, "T1");
	strcpy(record->patient_id, "P");
	strcpy(record->fingerprint, "f1");
	record->revision = 1;
	assert_ok(record_add(store, record, "<one/>", 100, &st), &st);
	assert_int_equal(record_add(store, record, "<one/>", 101, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "revision 1 and the same content"));
	status_clear(&st);
	record->revision = 2;
	assert_ok(record_add(store, record, "<two/>", 102, &st), &st);
	assert_ok(record_text(&xml, store, "T1", &st), &st);
	assert_string_equal(xml, "<two/>");
	free(xml);
	strcpy(record->patient_id, "Q");
	record->revision = 3;
	assert_int_equal(record_add(store, record, "<three/>", 103, &st), STATUS_REFUSE);
	status_clear(&st);
	assert_ok(record_list(&rows, &count, store, "P", "", &st), &st);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].revision, 2);
	free(rows);
	assert_ok(record_withdraw(store, "T1", 104, &st), &st);
	assert_int_equal(record_text(&xml, store, "T1", &st), STATUS_REFUSE);
	status_clear(&st);
	assert_ok(record_list(&rows, &count, store, "P", "", &st), &st);
	assert_int_equal(count, 0);
	free(rows);
	assert_ok(record_list(&rows, &count, store, NULL, NULL, &st), &st);
	assert_int_equal(count, 1);
	assert_true(rows[0].withdrawn);
	free(rows);
	free(record);
	store_close(store);
}

static void test_treatment_rows_keep_their_serial(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	struct treatment_row *row = calloc(1, sizeof *row);
	bool found = false;
	(void)state;
	assert_non_null(row);
	assert_ok(store_open(&store, ":memory:", &st), &st);
	treatment_key_make(row->treatment_key, "T1", "P", "");
	strcpy(row->record_id, "T1");
	strcpy(row->state, "collecting");
	row->complete_since_s = NAN;
	assert_ok(treatment_row_save(store, row, &st), &st);
	assert_ok(treatment_recompute(store, "T1", &st), &st);
	strcpy(row->state, "ready");
	assert_ok(treatment_row_save(store, row, &st), &st);
	assert_ok(treatment_row_load(&found, row, store, "T1|P|", &st), &st);
	assert_true(found);
	assert_int_equal(row->recompute_serial, 1);
	assert_string_equal(row->state, "ready");
	assert_true(isnan(row->complete_since_s));
	assert_int_equal(treatment_recompute(store, "T2", &st), STATUS_REFUSE);
	store_close(store);
	free(row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_alarms_are_one_per_key_and_survive, make_folder,
					    remove_folder),
	    cmocka_unit_test(test_rollback_and_nesting),
	    cmocka_unit_test_setup_teardown(test_reader_cannot_write, make_folder, remove_folder),
	    cmocka_unit_test_setup_teardown(test_connection_does_not_cross_a_fork, make_folder,
					    remove_folder),
	    cmocka_unit_test(test_record_revisions),
	    cmocka_unit_test(test_treatment_rows_keep_their_serial),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
