/* Deliveries as states: one destination per claim, backoff, expiry, failure with alarm, resend. */
#include "check.h"

#include <stdlib.h>

#include "outbox.h"

static struct store *store_with(int rows_to_a, int rows_to_b)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	char uid[16];
	assert_ok(store_open(&store, ":memory:", &st), &st);
	for (int i = 0; i < rows_to_a + rows_to_b; i++) {
		snprintf(uid, sizeof uid, "1.%d", i);
		assert_ok(outbox_add(store, i < rows_to_a ? "A" : "B", "hash", "class", uid, "/x",
				     1000, &st),
			  &st);
	}
	return store;
}

static int claim(struct store *store, struct outbox_entry *entries, int max, double now_s,
		 double *next_due_s)
{
	struct status st = STATUS_INIT;
	int count = -1;
	assert_ok(outbox_claim(store, entries, max, &count, now_s, next_due_s, &st), &st);
	return count;
}

static void test_one_destination_at_a_time(void **state)
{
	struct status st = STATUS_INIT;
	struct outbox_entry entries[8];
	double next_s;
	struct store *store = store_with(3, 2);
	(void)state;
	assert_ok(outbox_add(store, "A", "hash", "class", "1.0", "/x", 1000, &st),
		  &st); /* known: no second row */
	assert_int_equal(claim(store, entries, 2, 1000, &next_s), 2);
	assert_string_equal(entries[1].destination, "A");
	assert_int_equal(entries[0].attempts, 1);
	assert_int_equal(claim(store, entries, 8, 1000, &next_s), 1);
	assert_string_equal(entries[0].destination, "A");
	assert_int_equal(claim(store, entries, 8, 1000, &next_s), 2);
	assert_string_equal(entries[0].destination, "B");
	assert_int_equal(claim(store, entries, 8, 1000, &next_s), 0);
	assert_true(isnan(next_s));
	assert_ok(outbox_recover(store, &st), &st); /* the sender died: nothing is lost */
	assert_int_equal(claim(store, entries, 8, 1000, &next_s), 3);
	store_close(store);
}

/* A cannot be reached: what is queued for it later waits behind B. */
static void test_unreachable_destination_comes_last(void **state)
{
	struct status st = STATUS_INIT;
	struct outbox_entry entries[8];
	double next_s;
	struct store *store = store_with(2, 0);
	(void)state;
	assert_int_equal(claim(store, entries, 8, 1000, &next_s), 2);
	for (int i = 0; i < 2; i++)
		assert_ok(outbox_retry(store, entries[i].id, "no answer", 10, 3600, 1000, &st),
			  &st);
	assert_ok(outbox_add(store, "A", "hash", "class", "1.8", "/x", 1000, &st), &st);
	assert_ok(outbox_add(store, "B", "hash", "class", "1.9", "/x", 1000, &st), &st);
	assert_int_equal(claim(store, entries, 8, 1000, &next_s), 1);
	assert_string_equal(entries[0].destination, "B");
	/* all of A is due: the one that never failed first */
	assert_int_equal(claim(store, entries, 8, 1020, &next_s), 3);
	assert_string_equal(entries[0].sop_instance_uid, "1.8");
	store_close(store);
}

static void test_retry_backs_off_and_expires(void **state)
{
	struct status st = STATUS_INIT;
	struct outbox_entry entry;
	struct outbox_row *rows = NULL;
	struct store_alarm *alarms = NULL;
	double next_s, now_s = 1000;
	int count = 0;
	struct store *store = store_with(1, 0);
	(void)state;
	for (int attempt = 1; attempt <= 4; attempt++) {
		assert_int_equal(claim(store, &entry, 1, now_s, &next_s), 1);
		assert_int_equal(entry.attempts, attempt);
		assert_ok(outbox_retry(store, entry.id, "no route", 10, 3600, now_s, &st), &st);
		assert_int_equal(claim(store, &entry, 1, now_s, &next_s), 0);
		assert_true(next_s >= now_s + 7.9 * attempt * attempt &&
			    next_s <= now_s + 12.1 * attempt * attempt);
		now_s = next_s;
	}
	now_s = 1000 + 3601;
	assert_int_equal(claim(store, &entry, 1, now_s, &next_s), 1);
	assert_ok(outbox_retry(store, entry.id, "no route", 10, 3600, now_s, &st), &st);
	assert_ok(outbox_list(&rows, &count, store, false, &st), &st);
	assert_int_equal(count, 1);
	assert_int_equal(rows[0].state, OUTBOX_FAILED);
	assert_non_null(strstr(rows[0].why, "no route"));
	free(rows);
	assert_ok(store_list_alarms(&alarms, &count, store, &st), &st);
	assert_int_equal(count, 1);
	free(alarms);
	store_close(store);
}

static void test_failed_waits_for_resend(void **state)
{
	struct status st = STATUS_INIT;
	struct outbox_entry entries[2];
	struct outbox_row *rows = NULL;
	struct store_alarm *alarms = NULL;
	double next_s;
	int count = 0;
	struct store *store = store_with(2, 0);
	(void)state;
	assert_int_equal(claim(store, entries, 2, 1000, &next_s), 2);
	assert_ok(outbox_sent(store, entries[0].id, 0xB000, 1001, &st), &st);
	assert_ok(outbox_fail(store, entries[1].id, "C000", 1001, &st), &st);
	assert_int_equal(claim(store, entries, 2, 9000, &next_s), 0);
	assert_ok(outbox_resend(store, -1, &count, 9000, &st), &st);
	assert_int_equal(count, 1);
	assert_ok(store_list_alarms(&alarms, &count, store, &st), &st);
	assert_int_equal(count, 0);
	free(alarms);
	assert_int_equal(claim(store, entries, 2, 9000, &next_s), 1);
	assert_ok(outbox_sent(store, entries[0].id, 0, 9001, &st), &st);
	assert_ok(outbox_list(&rows, &count, store, false, &st), &st);
	assert_int_equal(count, 0);
	free(rows);
	assert_ok(outbox_list(&rows, &count, store, true, &st), &st);
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].dimse_status, 0xB000);
	free(rows);
	assert_int_equal(outbox_resend(store, 77, &count, 9000, &st), STATUS_REFUSE);
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_destination_at_a_time),
	    cmocka_unit_test(test_unreachable_destination_comes_last),
	    cmocka_unit_test(test_retry_backs_off_and_expires),
	    cmocka_unit_test(test_failed_waits_for_resend),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
