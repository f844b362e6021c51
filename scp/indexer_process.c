/* The indexer process: catalogues what the receivers wrote, plans the treatments it touched,
 * answers the command line. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "dataset.h"
#include "indexer.h"
#include "log.h"
#include "planner.h"
#include "process.h"
#include "treatment_store.h"
#include "worker.h"

#define BATCH	  200
#define POLL_MS	  1000
#define GATHER_MS 200
/* In a stream that never pauses, treatments are looked at this often. */
#define PLAN_AT_LEAST_S 2.0
#define NICENESS	5
#define MAX_WAKES	16

/* Patients to come back to because time alone may change something: a series settles, a result is
 * late. */
struct deferred_patient {
	struct catalogue_patient_key key;
	double due_s;
};

struct deferred {
	struct deferred_patient *patients;
	int count, capacity;
};

struct indexer {
	const struct config *config;
	const struct wake_pipes *wake;
	struct store *store;
	struct indexer_touched touched;
	struct deferred deferred;
	int listen_fd;
	double planned_s;    /* when touched patients were planned last */
	double superseded_s; /* superseded jobs were looked for until then */
};

static void defer(struct deferred *deferred, const struct catalogue_patient_key *key, double due_s)
{
	int at = 0;
	while (at < deferred->count && memcmp(&deferred->patients[at].key, key, sizeof *key) != 0)
		at++;
	if (isnan(due_s)) {
		if (at < deferred->count)
			deferred->patients[at] = deferred->patients[--deferred->count];
		return;
	}
	if (at == deferred->capacity) {
		int larger = deferred->capacity == 0 ? 16 : 2 * deferred->capacity;
		void *moved =
		    realloc(deferred->patients, (size_t)larger * sizeof *deferred->patients);
		if (moved == NULL) {
			log_line(LOG_ERROR_LINE, "no memory", "patients=%d", larger);
			return;
		}
		deferred->patients = moved;
		deferred->capacity = larger;
	}
	if (at == deferred->count)
		deferred->patients[deferred->count++].key = *key;
	deferred->patients[at].due_s = due_s;
}

/* Those whose time has come are touched. Returns how long to wait for the next one, at most
 * POLL_MS. */
static int touch_due(struct indexer *indexer, double now_s, struct status *st)
{
	int wait_ms = POLL_MS;
	for (int i = 0; i < indexer->deferred.count; i++) {
		double left_s = indexer->deferred.patients[i].due_s - now_s;
		const struct catalogue_patient_key *key = &indexer->deferred.patients[i].key;
		if (left_s <= 0 && indexer_touch(&indexer->touched, key->patient_id,
						 key->patient_issuer, st) != STATUS_OK)
			return 0;
		if (left_s > 0 && left_s * 1000 < wait_ms)
			wait_ms = (int)(left_s * 1000) + 1;
	}
	return wait_ms;
}

static void wake_workers(const struct indexer *indexer, int jobs)
{
	for (int i = 0; i < jobs && i < MAX_WAKES; i++)
		process_wake(indexer->wake->worker[1]);
}

/* Two patients in one study: what the later one brought stops the earlier one too. */
static void touch_study_mates(struct indexer *indexer, struct status *st)
{
	int touched = indexer->touched.count;
	for (int i = 0; i < touched && st->code == STATUS_OK; i++) {
		const struct catalogue_patient_key key = indexer->touched.patients[i];
		struct catalogue_patient_key *mates = NULL;
		int count = 0;
		if (catalogue_list_study_mates(&mates, &count, indexer->store, key.patient_id,
					       key.patient_issuer, st) != STATUS_OK)
			return;
		for (int m = 0; m < count && st->code == STATUS_OK; m++)
			(void)!indexer_touch(&indexer->touched, mates[m].patient_id,
					     mates[m].patient_issuer, st);
		free(mates);
	}
}

/* A patient that cannot be planned now (temporary) is tried again in a second; any other fault is
 * an alarm, and the others go on. */
static void plan_touched(struct indexer *indexer)
{
	for (int i = 0; i < indexer->touched.count && !process_stop; i++) {
		const struct catalogue_patient_key *key = &indexer->touched.patients[i];
		struct status st = STATUS_INIT, ignored = STATUS_INIT;
		char alarm[420];
		int jobs = 0;
		double now_s = worker_clock_s(), look_again_s = NAN;
		(void)!planner_plan_patient(indexer->store, indexer->config, key->patient_id,
					    key->patient_issuer, now_s, &jobs, &look_again_s, &st);
		wake_workers(indexer, jobs);
		snprintf(alarm, sizeof alarm, "plan %s|%s", key->patient_id, key->patient_issuer);
		if (st.code == STATUS_OK) {
			(void)!store_clear_alarm(indexer->store, alarm, &ignored);
			log_line(LOG_INFO_LINE, "planned", "jobs=%d seconds=%.3f", jobs,
				 worker_clock_s() - now_s);
		} else {
			log_line(LOG_ERROR_LINE, "not planned", "because=%s why=\"%s\"",
				 status_name(st.code), st.text);
			(void)!store_raise_alarm(indexer->store, alarm, st.text, now_s, &ignored);
			look_again_s = st.code == STATUS_RETRY ? now_s + 1 : (double)NAN;
		}
		defer(&indexer->deferred, key, look_again_s);
	}
	indexer->touched.count = 0;
	indexer->planned_s = worker_clock_s();
}

/* At start everything is looked at once: configuration or version may be new, and what was planned
 * last is not known. */
static enum status_code touch_all(struct indexer *indexer, struct status *st)
{
	struct catalogue_patient_key *keys = NULL;
	struct record_row *records = NULL;
	int n_keys = 0, n_records = 0;
	if (catalogue_list_patients(&keys, &n_keys, indexer->store, st) == STATUS_OK)
		(void)!record_list(&records, &n_records, indexer->store, NULL, NULL, st);
	for (int i = 0; i < n_keys && st->code == STATUS_OK; i++)
		(void)!indexer_touch(&indexer->touched, keys[i].patient_id, keys[i].patient_issuer,
				     st);
	for (int i = 0; i < n_records && st->code == STATUS_OK; i++)
		(void)!indexer_touch(&indexer->touched, records[i].patient_id,
				     records[i].patient_issuer, st);
	free(keys);
	free(records);
	return st->code;
}

/* A job that found its evidence changed ends superseded; its treatment is planned again. */
static void touch_superseded(struct indexer *indexer, struct status *st)
{
	struct catalogue_patient_key *keys = NULL;
	int count = 0;
	double now_s = worker_clock_s();
	if (queue_list_superseded(&keys, &count, indexer->store, indexer->superseded_s, st) ==
	    STATUS_OK)
		indexer->superseded_s = now_s;
	for (int i = 0; i < count && st->code == STATUS_OK; i++)
		(void)!indexer_touch(&indexer->touched, keys[i].patient_id, keys[i].patient_issuer,
				     st);
	free(keys);
}

static void serve_commands(struct indexer *indexer)
{
	struct control_effects effects = {0};
	control_serve(indexer->listen_fd, indexer->store, indexer->config, &effects);
	wake_workers(indexer, effects.jobs);
	if (effects.deliveries)
		process_wake(indexer->wake->sender[1]);
}

static void loop(struct indexer *indexer)
{
	while (!process_stop) {
		struct status st = STATUS_INIT;
		int indexed = 0, wait_ms;
		serve_commands(indexer);
		if (indexer_step(indexer->store, indexer->config, BATCH, &indexed,
				 &indexer->touched, &st) != STATUS_OK)
			log_line(LOG_ERROR_LINE, "not indexed", "because=%s why=\"%s\"",
				 status_name(st.code), st.text);
		status_clear(&st);
		double now_s = worker_clock_s();
		if (indexed > 0 && now_s - indexer->planned_s < PLAN_AT_LEAST_S) {
			/* More is coming: plan once it is quiet. Small batches would cost a flush
			 * each beside the receivers' own, so instances gather until a stream pauses
			 * or ends (which wakes) or GATHER_MS have passed. */
			if (indexed < BATCH)
				process_wait(indexer->wake->indexer[0], indexer->listen_fd,
					     GATHER_MS);
			continue;
		}
		touch_superseded(indexer, &st);
		wait_ms = touch_due(indexer, now_s, &st);
		if (indexer->touched.count > 0) {
			touch_study_mates(indexer, &st);
			plan_touched(indexer);
			continue;
		}
		if (indexed == 0)
			process_wait(indexer->wake->indexer[0], indexer->listen_fd, wait_ms);
	}
}

int indexer_main(const struct config *config, const struct wake_pipes *wake)
{
	struct status st = STATUS_INIT, no_commands = STATUS_INIT;
	struct indexer indexer = {.config = config, .wake = wake, .listen_fd = -1};
	log_set_role("indexer");
	/* Receivers first: what is not indexed yet is safe in the logs, and a sender waits for each
	 * answer. */
	if (nice(NICENESS) == -1)
		log_line(LOG_DEBUG_LINE, "not nicer", "niceness=%d", NICENESS);
	if (dataset_library_init(&st) != STATUS_OK ||
	    store_open(&indexer.store, config->spool, &st) != STATUS_OK ||
	    touch_all(&indexer, &st) != STATUS_OK) {
		log_line(LOG_ERROR_LINE, "indexer cannot start", "why=\"%s\"", st.text);
		store_close(indexer.store);
		return (int)st.code;
	}
	if (control_listen(&indexer.listen_fd, config->spool, &no_commands) != STATUS_OK)
		log_line(LOG_ERROR_LINE, "no commands", "why=\"%s\"", no_commands.text);
	loop(&indexer);
	control_close(indexer.listen_fd, config->spool);
	indexer_touched_free(&indexer.touched);
	free(indexer.deferred.patients);
	store_close(indexer.store);
	return 0;
}
