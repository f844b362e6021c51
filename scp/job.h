/* job.h - the whole computation on one page: load -> dosimetry_run -> build -> put.
 *
 * job_run() does one claimed job; job.c is that page. There are three kinds:
 *
 *   FIT     one series -> its R2* map, kept in <spool>/maps (map_cache.h: made again when it is
 *           absent or damaged, so losing it costs time and nothing else)
 *   MAP     baseline and the series after injection 1..k -> dose after injection k -> RT Dose
 *   REPORT  the same with VOIs, every time point -> Structured Report
 *
 * MAP and REPORT write their objects, and the figures as JSON and as a table (figures.h), into
 * <spool>/results/<job hash>/ (result_file.h: durable before they are named). All dates, UIDs and
 * node names come from the job row, so a job that is run again after a crash writes the same bytes.
 * Only then come the rows, in one transaction: results, one delivery per object and destination,
 * the job as done.
 *
 * Maps are made before there are contours. When these come they change the numbers: the liver is
 * what the scans are aligned by, artefacts are looked for around it, and with the region-mean
 * baseline its mean is taken off. So the structure set is part of a map's hash, and later contours
 * give a new version of every map: a report and the dose it names hold the same numbers. An RT Dose
 * carries DVHs when a structure set was known; the report carries the figures in every case.
 *
 * What is loaded is checked against what the job was made for: when a later image, a later record
 * or another configuration changed it, so that its hash would be another, the job ends SUPERSEDED,
 * in words, and the planner's next plan takes its place. What is kept under a hash is of that
 * evidence.
 *
 * Test hook: when the environment variable HOLMIA_FAULT is "job-before-commit", the process kills
 * itself between the last file and the transaction, once: it first makes the file named by
 * HOLMIA_FAULT_ONCE, and does nothing when that exists already. */
#ifndef JOB_H
#define JOB_H

#include "config.h"
#include "queue.h"
#include "treatment.h"

/* Runs a job from queue_claim(). STATUS_OK: the job row is finished (done, or superseded with
 * words) and its results are queued for delivery. Otherwise nothing of it is visible, the row is
 * still RUNNING and the caller ends it with queue_finish(): STATUS_RETRY as queued, everything else
 * as failed; st has the words. */
enum status_code job_run(const struct config *config, struct store *store, const struct job *job,
			 struct status *st) STATUS_CHECKED;

/* watch hears of the stages inside a job that take long: "alignment", injection 0 for the baseline.
 * For `holmia dose`, which shows what it does; of the whole process, NULL nobody. */
void job_watch(void (*watch)(const char *stage, int after_injection, double seconds));

/* Raised when the same evidence would give other numbers by design; not with every release. */
const char *job_dosimetry_method(void);

/* Writes job->hash and job->forced: from kind, evidence of the series, and what of the
 * configuration can change the numbers. structure_set_evidence "" without one. fingerprint: of the
 * two below, "" for a FIT. recompute_serial: of the treatment, 0 when nobody asked for `holmia
 * recompute`. The planner names a job by it, and the job compares before it computes. */
void job_hash(struct job *job, const struct config *config, const char *structure_set_evidence,
	      const char *fingerprint, int recompute_serial);

/* What of the record, of transforms the site gives and of the relaxivity entry in use can change a
 * dose map: relaxivity, transforms, specific activities, starts and holmium contents up to its last
 * scan, so that a record that grows by an injection changes no earlier map; net activities only
 * where they weigh the specific activity of several injections between two scans, so that a
 * residual that comes late changes the report alone; the roles of the VOIs. hex is "" without
 * memory. */
void job_map_fingerprint(char hex[65], const struct job *job, const struct treatment_slots *slots);
/* The same for a report: the whole record, all transforms, the relaxivity with its provenance. */
void job_report_fingerprint(char hex[65], const struct treatment_record *record,
			    const struct treatment_slots *slots);

#endif
