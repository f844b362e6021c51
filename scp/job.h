/* job.h - the whole computation on one page: load -> dosimetry_run -> build -> put.
 *
 * job_run() does one claimed job. FIT: one series -> R2* map, kept as <spool>/maps/<evidence hash and fit parameters>.r2s (a cache: made again when absent).
 * MAP: dose after injection k -> RT Dose. REPORT: all time points with VOIs -> Structured Report. Result files are made as temp, fsync, rename,
 * fsync(dir) under <spool>/results/<job hash>/, and are the same bytes on every run of the same job. The rows (results, outbox, job done) are
 * one transaction after that. Stage times go to the log line. */
#ifndef JOB_H
#define JOB_H

#include "config.h"
#include "queue.h"

enum status_code job_run(const struct config *config, struct store *store, const struct job *job, struct status *st) STATUS_CHECKED;

/* Hashes for queue_add(), from evidence and the parts of the configuration that can change the numbers. job->hash is written. */
void job_hash(struct job *job, const struct config *config, const char *structure_set_evidence,
              const char *record_dose_fingerprint);

#endif
