#include "worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "dataset.h"
#include "job.h"
#include "log.h"
#include "process.h"
#include "treatment.h"

#define POLL_MS		 1000
#define MEMORY_LIMIT_GIB 8

double worker_clock_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void worker_identity(struct result_identity *identity, const struct config *config, double now_s)
{
	memset(identity, 0, sizeof *identity);
	site_time_from_utc(now_s, config->time_zone, identity->created_datetime,
			   identity->utc_offset);
	snprintf(identity->ae_title, sizeof identity->ae_title, "%s", config->ae_title);
	snprintf(identity->station_name, sizeof identity->station_name, "%s", config->station_name);
	snprintf(identity->intended_use, sizeof identity->intended_use, "%s", config->intended_use);
	snprintf(identity->software_version, sizeof identity->software_version, "%s",
		 HOLMIA_VERSION);
}

enum status_code worker_run_one(bool *worked, struct job *job, struct status *outcome,
				const struct config *config, struct store *store, struct status *st)
{
	struct result_identity identity;
	double started_s = worker_clock_s();
	status_clear(outcome);
	worker_identity(&identity, config, started_s);
	if (queue_claim(worked, job, store, &identity, started_s, st) != STATUS_OK || !*worked)
		return st->code;
	log_line(LOG_INFO_LINE, "job starts",
		 "job=%" PRId64 " kind=%s after=%d attempt=%d hash=%.12s", job->id,
		 job_kind_name(job->kind), job->after_injection, job->attempts, job->hash);
	enum status_code code = job_run(config, store, job, outcome);
	double took_s = worker_clock_s() - started_s;
	if (code == STATUS_OK) {
		log_line(LOG_INFO_LINE, "job done", "job=%" PRId64 " kind=%s after=%d seconds=%.3f",
			 job->id, job_kind_name(job->kind), job->after_injection, took_s);
		return STATUS_OK;
	}
	log_line(code == STATUS_RETRY ? LOG_WARN_LINE : LOG_ERROR_LINE, "job not done",
		 "job=%" PRId64 " kind=%s after=%d seconds=%.3f because=%s why=\"%s\"", job->id,
		 job_kind_name(job->kind), job->after_injection, took_s, status_name(code),
		 outcome->text);
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!queue_finish(store, job, code == STATUS_RETRY ? JOB_QUEUED : JOB_FAILED,
			    outcome->text, worker_clock_s(), st);
	return store_finish(store, st);
}

/* A job that runs away takes itself down, not the machine. Sanitizers map terabytes and are left
 * alone. */
static void limit_memory(void)
{
#ifndef __SANITIZE_ADDRESS__
	const struct rlimit limit = {(rlim_t)MEMORY_LIMIT_GIB << 30,
				     (rlim_t)MEMORY_LIMIT_GIB << 30};
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		log_line(LOG_WARN_LINE, "no memory limit", "gib=%d", MEMORY_LIMIT_GIB);
#endif
}

int worker_main(const struct config *config, const struct wake_pipes *wake, int worker_number)
{
	struct status st = STATUS_INIT, outcome;
	struct store *store = NULL;
	char role[24];
	snprintf(role, sizeof role, "worker-%d", worker_number);
	log_set_role(role);
	limit_memory();
	if (dataset_library_init(&st) != STATUS_OK ||
	    store_open(&store, config->spool, &st) != STATUS_OK ||
	    queue_recover(store, &st) != STATUS_OK) {
		log_line(LOG_ERROR_LINE, "worker cannot start", "why=\"%s\"", st.text);
		store_close(store);
		return (int)st.code;
	}
	while (!process_stop) {
		struct job job;
		bool worked = false;
		if (worker_run_one(&worked, &job, &outcome, config, store, &st) != STATUS_OK) {
			log_line(LOG_ERROR_LINE, "queue", "why=\"%s\"", st.text);
			status_clear(&st);
			worked = false;
		}
		if (worked) {
			process_wake(wake->sender[1]);
			process_wake(wake->indexer[1]);
			process_wake(
			    wake->worker[1]); /* what needed this job may run beside the next */
		} else {
			process_wait(wake->worker[0], -1, POLL_MS);
		}
	}
	store_close(store);
	return 0;
}
