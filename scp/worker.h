/* worker.h - takes jobs from the queue and runs them; used by the worker processes and, without any
 * other process, by `holmia dose`.
 *
 * What becomes of a job follows from what job_run() says: OK: done or superseded (job_run() wrote
 * the rows in one transaction); STATUS_RETRY: queued again after a pause; anything else: failed,
 * with the words. */
#ifndef WORKER_H
#define WORKER_H

#include "config.h"
#include "queue.h"

/* Claims and runs one job. *worked false: nothing is runnable now. *job is what was run, *outcome
 * what it said. STATUS other than OK: the queue itself could not be read or written. */
enum status_code worker_run_one(bool *worked, struct job *job, struct status *outcome,
				const struct config *config, struct store *store,
				struct status *st) STATUS_CHECKED;

/* What a result first claimed now carries: site time, node, version. */
void worker_identity(struct result_identity *identity, const struct config *config, double now_s);

/* UTC seconds since 1970. */
double worker_clock_s(void);

#endif
