/* queue.h - jobs as states in the database.
 *
 *   queued --queue_claim--> running --queue_finish(done)--> done
 *     ^                        |--queue_finish(failed, why)--> failed   (refused input, or three crashes)
 *     |                        |--queue_finish(retry)--> queued          (temporary)
 *     +------ queue_recover: running when its worker died; attempts are counted at the claim, before the job runs
 *
 * A job's hash is made of its own evidence and of what of the configuration can change it; a second job with a known hash is not added
 * (the same treatment sent twice gives no second result). Its identity (dates, node, version, predecessor) is fixed at the first claim, so
 * that a re-run writes the same bytes. A job runs only when the jobs it needs are done. */
#ifndef QUEUE_H
#define QUEUE_H

#include "evidence.h"
#include "store.h"
#include "dosimetry.h"

enum job_kind { JOB_FIT, JOB_MAP, JOB_REPORT };
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED };

struct job_series {
	int64_t series_id;
	char evidence_hash[65]; /* of the catalogue_series when the job was made; another one now: the job is superseded */
	int after_injection;    /* 0 baseline */
};

struct job_predecessor {
	char sop_class_uid[65], sop_instance_uid[65], series_instance_uid[65], study_instance_uid[65]; /* "" none */
};

/* Everything a worker needs to know; saved as text in the job row. */
struct job {
	int64_t id;
	enum job_kind kind;
	enum job_state state;
	char hash[65];
	char treatment_key[420];         /* patient id and issuer, and record id */
	char patient_id[200], patient_issuer[200];
	char record_id[132];
	int record_revision;
	int after_injection;             /* FIT: of its series; MAP, REPORT: newest time point */
	struct job_series baseline;      /* FIT: the one series, whatever its role */
	struct job_series scans[DOSIMETRY_MAX_SCANS];
	int n_scans;
	struct job_series anatomy;       /* series_id -1: results on the baseline grid */
	int64_t structure_set_id;        /* catalogue instance; -1 none */
	struct result_identity identity; /* filled at the first claim */
	struct job_predecessor predecessor;
	int attempts;
	bool forced;                     /* holmia recompute: the hash carries a serial number */
};

/* Adds unless the hash is known. needs: hashes of jobs that must be done first. *added tells. Part of the caller's transaction. */
enum status_code queue_add(bool *added, struct store *store, const struct job *job, const char (*needs)[65],
                           int n_needs, double now_s, struct status *st) STATUS_CHECKED;

/* Claims the oldest runnable job (FIT before MAP before REPORT). found false: nothing to do. Counts the attempt on disk before returning; a job with
 * three attempts already is failed instead ("crashed three times"). identity_now fills the identity at the first claim (created time, zone, AE,
 * station, intended use, software version); version and predecessor come from what the treatment already has. */
enum status_code queue_claim(bool *found, struct job *job, struct store *store,
                             const struct result_identity *identity_now, double now_s, struct status *st) STATUS_CHECKED;

/* Results belong in the same transaction: the caller calls store_begin, outbox_add, queue_result, queue_finish, store_end. */
enum status_code queue_result(struct store *store, const struct job *job, const char *sop_class_uid, const char *sop_instance_uid,
                              const char *series_instance_uid, const char *study_instance_uid, const char *path, struct status *st) STATUS_CHECKED;
enum status_code queue_finish(struct store *store, const struct job *job, enum job_state state, const char *why,
                              double now_s, struct status *st) STATUS_CHECKED;
enum status_code queue_recover(struct store *store, struct status *st) STATUS_CHECKED;

#endif
