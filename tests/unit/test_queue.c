/* Jobs as states: needs, order, exactly once, attempts, identity fixed at the first claim, versions
 * and predecessors. */
#include "check.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "queue.h"

static const struct result_identity now_identity = {.created_datetime = "20260302120000",
						    .utc_offset = "+0100",
						    .ae_title = "HOLMIA",
						    .intended_use = "test",
						    .software_version = "0.1.0"};

static struct store *open_store(void)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	assert_ok(store_open(&store, ":memory:", &st), &st);
	return store;
}

static struct job make_job(enum job_kind kind, const char *hash, int after)
{
	struct job job = {.kind = kind,
			  .after_injection = after,
			  .structure_set_id = -1,
			  .anatomy = {.series_id = -1}};
	snprintf(job.hash, sizeof job.hash, "%s", hash);
	strcpy(job.treatment_key, "T1|P|");
	strcpy(job.patient_id, "P");
	strcpy(job.record_id, "T1");
	job.baseline.series_id = 5;
	strcpy(job.baseline.evidence_hash, "base");
	job.n_scans = 1;
	job.scans[0].series_id = 6;
	job.scans[0].after_injection = after;
	return job;
}

static bool add(struct store *store, const struct job *job, const char *need)
{
	struct status st = STATUS_INIT;
	char needs[1][65] = {""};
	bool added = false;
	if (need != NULL)
		snprintf(needs[0], sizeof needs[0], "%s", need);
	assert_ok(queue_add(&added, store, job, (const char(*)[65])needs, need != NULL, 1000, &st),
		  &st);
	return added;
}

static bool claim(struct store *store, struct job *job, double now_s)
{
	struct status st = STATUS_INIT;
	bool found = false;
	assert_ok(queue_claim(&found, job, store, &now_identity, now_s, &st), &st);
	return found;
}

static void finish(struct store *store, const struct job *job, enum job_state state,
		   const char *why, double now_s)
{
	struct status st = STATUS_INIT;
	assert_ok(queue_finish(store, job, state, why, now_s, &st), &st);
}

static enum job_state state_of(struct store *store, const char *hash, char why[512])
{
	struct status st = STATUS_INIT;
	struct queue_row row;
	bool found = false;
	assert_ok(queue_find(&found, &row, store, hash, &st), &st);
	assert_true(found);
	if (why != NULL)
		strcpy(why, row.why);
	return row.state;
}

static void test_once_and_in_order(void **state)
{
	struct store *store = open_store();
	struct job map = make_job(JOB_MAP, "m1", 1), fit = make_job(JOB_FIT, "f1", 1), claimed;
	(void)state;
	assert_true(add(store, &map, "f1"));
	assert_false(add(store, &map, "f1"));
	assert_false(claim(store, &claimed, 1001)); /* its need is not even known */
	assert_true(add(store, &fit, NULL));
	assert_true(claim(store, &claimed, 1001));
	assert_string_equal(claimed.hash, "f1");
	assert_int_equal(claimed.baseline.series_id, 5);
	assert_string_equal(claimed.baseline.evidence_hash, "base");
	assert_int_equal(claimed.n_scans, 1);
	assert_int_equal(claimed.scans[0].series_id, 6);
	assert_int_equal(claimed.anatomy.series_id, -1);
	assert_int_equal(claimed.attempts, 1);
	struct job other;
	assert_false(claim(store, &other, 1001)); /* the map waits for the fit */
	finish(store, &claimed, JOB_DONE, "", 1002);
	assert_true(claim(store, &claimed, 1003));
	assert_string_equal(claimed.hash, "m1");
	finish(store, &claimed, JOB_DONE, "", 1004);
	assert_false(add(store, &map, "f1")); /* done: the same treatment again gives nothing new */
	assert_false(claim(store, &claimed, 1005));
	store_close(store);
}

static void test_failure_reaches_what_needs_it(void **state)
{
	struct store *store = open_store();
	struct job fit = make_job(JOB_FIT, "f", 0), map = make_job(JOB_MAP, "m", 1),
		   report = make_job(JOB_REPORT, "r", 1);
	struct job claimed;
	char why[512];
	(void)state;
	add(store, &fit, NULL);
	add(store, &map, "f");
	add(store, &report, "m");
	assert_true(claim(store, &claimed, 1001));
	finish(store, &claimed, JOB_FAILED, "noise cannot be estimated", 1002);
	assert_false(claim(store, &claimed, 1003));
	assert_int_equal(state_of(store, "r", why), JOB_FAILED);
	assert_string_equal(why, "noise cannot be estimated");
	store_close(store);
}

static void test_temporary_pauses_without_counting(void **state)
{
	struct store *store = open_store();
	struct job fit = make_job(JOB_FIT, "f", 0), claimed;
	double now_s = 1000;
	(void)state;
	add(store, &fit, NULL);
	for (int i = 0; i < 5; i++) {
		assert_true(claim(store, &claimed, now_s));
		assert_int_equal(claimed.attempts, 1);
		finish(store, &claimed, JOB_QUEUED, "disk full", now_s);
		assert_false(claim(store, &claimed, now_s + 4));
		now_s += 700;
	}
	store_close(store);
}

/* A worker is killed in the middle: the job comes back, three times at most, and its identity stays
 * the first one. */
static void test_crashes_are_counted_on_disk(void **state)
{
	struct status st = STATUS_INIT;
	char folder[] = "/tmp/holmia-queue-XXXXXX", path[128], why[512];
	(void)state;
	assert_non_null(mkdtemp(folder));
	struct store *store = NULL;
	assert_ok(store_open(&store, folder, &st), &st);
	struct job fit = make_job(JOB_FIT, "f", 0), claimed;
	add(store, &fit, NULL);
	for (int crash = 0; crash < 3; crash++) {
		assert_ok(queue_recover(store, &st), &st);
		pid_t child = fork();
		if (child == 0) {
			struct store *own = NULL;
			struct result_identity identity = now_identity;
			bool found = false;
			identity.created_datetime[13] = (char)('0' + crash);
			if (store_open(&own, folder, &st) != STATUS_OK ||
			    queue_claim(&found, &claimed, own, &identity, 1000, &st) != STATUS_OK ||
			    !found || claimed.attempts != crash + 1 ||
			    strcmp(claimed.identity.created_datetime, "20260302120000") != 0)
				_exit(1);
			_exit(0); /* dies while its job runs */
		}
		int result = -1;
		assert_int_equal(waitpid(child, &result, 0), child);
		assert_int_equal(result, 0);
		assert_int_equal(state_of(store, "f", NULL), JOB_RUNNING);
	}
	assert_ok(queue_recover(store, &st), &st);
	assert_false(claim(store, &claimed, 1001));
	assert_int_equal(state_of(store, "f", why), JOB_FAILED);
	assert_string_equal(why, "crashed three times");
	store_close(store);
	static const char *const names[] = {"holmia.db", "holmia.db-wal", "holmia.db-shm"};
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void test_recover_leaves_the_living_alone(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct job fit = make_job(JOB_FIT, "f", 0), claimed;
	(void)state;
	add(store, &fit, NULL);
	assert_true(claim(store, &claimed, 1000));
	assert_ok(queue_recover(store, &st), &st);
	assert_int_equal(state_of(store, "f", NULL), JOB_RUNNING);
	store_close(store);
}

static void test_reports_follow_each_other(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct job first = make_job(JOB_REPORT, "r1", 1), second = make_job(JOB_REPORT, "r2", 1),
		   claimed, other;
	(void)state;
	add(store, &first, NULL);
	add(store, &second, NULL);
	assert_true(claim(store, &claimed, 1000));
	assert_int_equal(claimed.identity.version, 1);
	assert_string_equal(claimed.predecessor.sop_instance_uid, "");
	assert_string_equal(claimed.identity.job_hash, "r1");
	assert_false(claim(store, &other, 1000)); /* not two reports of one treatment at once */
	assert_ok(queue_result(store, &claimed, "class", "1.2.3", "1.2", "1", "/r1/sr.dcm", &st),
		  &st);
	finish(store, &claimed, JOB_DONE, "", 1001);
	assert_true(claim(store, &claimed, 1002));
	assert_int_equal(claimed.identity.version, 2);
	assert_string_equal(claimed.predecessor.sop_instance_uid, "1.2.3");
	assert_string_equal(claimed.predecessor.study_instance_uid, "1");
	struct queue_result_row *rows = NULL;
	int count = 0;
	assert_ok(queue_list_results(&rows, &count, store, "T1|P|", &st), &st);
	assert_int_equal(count, 1); /* the second is not done */
	assert_string_equal(rows[0].path, "/r1/sr.dcm");
	free(rows);
	store_close(store);
}

static void test_superseded_and_back(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct job old = make_job(JOB_REPORT, "r1", 1), new = make_job(JOB_REPORT, "r2", 2),
		   claimed;
	const char keep[1][65] = {"r2"};
	(void)state;
	add(store, &old, NULL);
	add(store, &new, NULL);
	assert_ok(queue_supersede(store, "T1|P|", keep, 1, 1001, &st), &st);
	assert_int_equal(state_of(store, "r1", NULL), JOB_SUPERSEDED);
	assert_true(claim(store, &claimed, 1002));
	assert_string_equal(claimed.hash, "r2");
	finish(store, &claimed, JOB_DONE, "", 1003);
	assert_true(add(store, &old, NULL));
	assert_true(claim(store, &claimed, 1004));
	assert_string_equal(claimed.hash, "r1");
	store_close(store);
}

/* What ended superseded while it ran comes back after another report: it follows that one. */
static void test_superseded_gets_a_new_identity(void **state)
{
	struct status st = STATUS_INIT;
	struct store *store = open_store();
	struct job old = make_job(JOB_REPORT, "r1", 1), new = make_job(JOB_REPORT, "r2", 1),
		   claimed;
	struct catalogue_patient_key *keys = NULL;
	int count = 0;
	(void)state;
	add(store, &old, NULL);
	assert_true(claim(store, &claimed, 1000));
	finish(store, &claimed, JOB_SUPERSEDED, "a later revision of the record is in force", 1001);
	assert_ok(queue_list_superseded(&keys, &count, store, 1000, &st), &st);
	assert_int_equal(count, 1);
	assert_string_equal(keys[0].patient_id, "P");
	free(keys);
	add(store, &new, NULL);
	assert_true(claim(store, &claimed, 1002));
	assert_ok(queue_result(store, &claimed, "class", "1.2.4", "1.2", "1", "/r2/sr.dcm", &st),
		  &st);
	finish(store, &claimed, JOB_DONE, "", 1003);
	old.record_revision = 7;
	assert_true(add(store, &old, NULL));
	assert_true(claim(store, &claimed, 1004));
	assert_string_equal(claimed.predecessor.sop_instance_uid, "1.2.4");
	assert_int_equal(claimed.identity.version, 2);
	assert_int_equal(claimed.record_revision, 7);
	/* asked for again and again, it has not crashed, and follows its evidence to another series
	 */
	for (int round = 0; round < 4; round++) {
		finish(store, &claimed, JOB_SUPERSEDED, "a later revision", 1005);
		old.baseline.series_id = 70 + round;
		assert_true(add(store, &old, NULL));
		assert_true(claim(store, &claimed, 1006));
		assert_string_equal(claimed.hash, "r1");
		assert_int_equal(claimed.attempts, 1);
		assert_int_equal(claimed.baseline.series_id, 70 + round);
		assert_int_equal(claimed.n_scans, 1);
	}
	store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_once_and_in_order),
	    cmocka_unit_test(test_failure_reaches_what_needs_it),
	    cmocka_unit_test(test_temporary_pauses_without_counting),
	    cmocka_unit_test(test_crashes_are_counted_on_disk),
	    cmocka_unit_test(test_recover_leaves_the_living_alone),
	    cmocka_unit_test(test_reports_follow_each_other),
	    cmocka_unit_test(test_superseded_and_back),
	    cmocka_unit_test(test_superseded_gets_a_new_identity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
