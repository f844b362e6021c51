/* queue.h - jobs as states in the database.
 *
 *   queued --queue_claim--> running --queue_finish(DONE)--> done
 *     ^                        |--queue_finish(FAILED)--> failed          (refused, or crashed 3
 * times) |                        |--queue_finish(QUEUED)--> queued          (temporary: after a
 * pause) |                        |--queue_finish(SUPERSEDED)--> superseded  (its evidence changed)
 *     +------ queue_recover: running when its process died
 *   queued --queue_supersede--> superseded   (a newer plan of the treatment no longer asks for it)
 *   superseded --queue_add--> queued         (a later plan asks for it again)
 *
 * What is true: a job has one row for ever, under its hash. The hash is made of the job's own
 * evidence and of what of the configuration can change its numbers (job.h), so a job that is known
 * in any state is not added again: the same treatment sent twice gives no second result. The
 * identity (dates, node, version, predecessor) is fixed in the row at the first claim, so that a
 * re-run writes the same bytes. A job runs only when all jobs it needs are done; when one of those
 * failed, it fails with the same reason. A report waits for every map of its treatment
 * that is queued or runs, so that it can name them. Two reports of one treatment never run at once,
 * nor two versions of one map, because the later names the earlier as its predecessor. */
#ifndef QUEUE_H
#define QUEUE_H

#include "catalogue.h"
#include "evidence.h"
#include "store.h"
#include "dosimetry.h"

enum job_kind { JOB_FIT, JOB_MAP, JOB_REPORT };
enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_SUPERSEDED };

#define QUEUE_MAX_ATTEMPTS 3

struct job_series {
	int64_t series_id;
	/* Of the catalogue_series when the job was made; another one now: the job is superseded. */
	char evidence_hash[65];
	int after_injection; /* 0 baseline */
};

struct job_predecessor {
	char sop_class_uid[65], sop_instance_uid[65]; /* "" none */
	char series_instance_uid[65], study_instance_uid[65];
};

/* Everything a worker needs to know; saved in the job row. */
struct job {
	int64_t id;
	enum job_kind kind;
	enum job_state state;
	char hash[65];
	char treatment_key[420]; /* record id, patient id and issuer: treatment_store.h */
	char patient_id[200], patient_issuer[200];
	char record_id[132];
	int record_revision;
	int after_injection;	    /* FIT: of its series; MAP, REPORT: newest time point */
	struct job_series baseline; /* FIT: the one series, whatever its role */
	struct job_series scans[DOSIMETRY_MAX_SCANS];
	int n_scans;
	struct job_series anatomy;	 /* series_id -1: results on the baseline grid */
	int64_t structure_set_id;	 /* catalogue instance; -1 none */
	struct result_identity identity; /* filled at the first claim */
	struct job_predecessor
	    predecessor; /* REPORT: the newest report of the treatment that was done before */
	int attempts;
	bool forced; /* holmia recompute: the hash carries a serial number; a FIT ignores its kept
			map */
};

/* Adds unless the hash is known (a superseded one is queued again; one that nobody claimed yet
 * takes over record_revision and structure_set_id, which the hash may leave out). needs: hashes of
 * jobs that must be done first. *added tells whether there is something new to do. Part of the
 * caller's transaction. */
enum status_code queue_add(bool *added, struct store *store, const struct job *job,
			   const char (*needs)[65], int n_needs, double now_s,
			   struct status *st) STATUS_CHECKED;

/* Claims the oldest runnable job (FIT before MAP before REPORT). found false: nothing to do now.
 * Counts the attempt on disk before returning; a job with three attempts already is failed instead
 * ("crashed three times"). identity_now fills the identity at the first claim (created time, zone,
 * AE, station, intended use, software version; its version and job hash are ignored); version (1,
 * 2, ... of this time point) and predecessor come from what the treatment already has. */
enum status_code queue_claim(bool *found, struct job *job, struct store *store,
			     const struct result_identity *identity_now, double now_s,
			     struct status *st) STATUS_CHECKED;

/* Results belong in the same transaction: the caller calls store_begin, outbox_add, queue_result,
 * queue_finish, store_end. path: where the object's file is. A re-run of a job replaces its rows.
 */
enum status_code queue_result(struct store *store, const struct job *job, const char *sop_class_uid,
			      const char *sop_instance_uid, const char *series_instance_uid,
			      const char *study_instance_uid, const char *path,
			      struct status *st) STATUS_CHECKED;
/* A failed job raises an alarm; the same job kind of the same time point done later clears it. */
enum status_code queue_finish(struct store *store, const struct job *job, enum job_state state,
			      const char *why, double now_s, struct status *st) STATUS_CHECKED;

/* Running jobs whose process is gone (or was of another boot) are queued again. Safe while other
 * workers run: called at node start and by every worker when it starts. */
enum status_code queue_recover(struct store *store, struct status *st) STATUS_CHECKED;

/* Queued jobs of a treatment whose hash is not in keep[] become superseded: a plan that is newer
 * does not ask for them. FIT jobs stay. Part of the caller's transaction. */
enum status_code queue_supersede(struct store *store, const char *treatment_key,
				 const char (*keep)[65], int n_keep, double now_s,
				 struct status *st) STATUS_CHECKED;

/* ---- looking ---- */

struct queue_row {
	int64_t id;
	enum job_kind kind;
	enum job_state state;
	char hash[65], treatment_key[420], why[512];
	int after_injection, attempts, version;
	double queued_s, started_s, finished_s; /* UTC; NaN not yet */
};
/* Rows of one treatment (NULL: all), oldest first; malloc'd for the caller. */
enum status_code queue_list(struct queue_row **rows, int *count, struct store *store,
			    const char *treatment_key, struct status *st) STATUS_CHECKED;
/* found false: the hash is not known. */
enum status_code queue_find(bool *found, struct queue_row *row, struct store *store,
			    const char *hash, struct status *st) STATUS_CHECKED;

/* Patients of jobs that ended superseded while they ran, since then: they are to be planned again.
 * malloc'd for the caller. */
enum status_code queue_list_superseded(struct catalogue_patient_key **keys, int *count,
				       struct store *store, double since_s,
				       struct status *st) STATUS_CHECKED;

struct queue_result_row {
	char job_hash[65];
	enum job_kind kind;
	int after_injection, version;
	char sop_class_uid[65], sop_instance_uid[65], series_instance_uid[65],
	    study_instance_uid[65];
	char path[1024];
};
/* Results of done jobs of one treatment (NULL: all), in order of completion; malloc'd for the
 * caller. */
enum status_code queue_list_results(struct queue_result_row **rows, int *count, struct store *store,
				    const char *treatment_key, struct status *st) STATUS_CHECKED;

const char *job_kind_name(enum job_kind kind);	  /* "fit", "map", "report" */
const char *job_state_name(enum job_state state); /* "queued", ... */

#endif
