/* catalogue.h - what there is: every indexed instance, grouped into series, per patient.
 *
 * Written by the indexer only; can be rebuilt from the reception logs. An instance is known by
 * where its bytes are: a reception log (node) or a file (holmia dose); the catalogue holds
 * attributes, never pixels. Each instance is in one state:
 *
 *   catalogue_add --> USED         an MR, PET or NM image, RT Structure Set or Spatial Registration
 * that treatments are assembled from
 *                 --> UNUSED       kept, named in `holmia status`: no input, or no Patient ID
 *                 --> QUARANTINED  its SOP Instance UID is known with other evidence, or with the
 *                                  same under another patient; alarm
 *   catalogue_add_unreadable --> UNREADABLE   kept by its place; nothing of it could be read
 *   QUARANTINED --catalogue_quarantine_release--> USED; the older one becomes DROPPED
 *               --catalogue_quarantine_drop--> DROPPED
 *
 * What came twice is not added but noted on the row it repeats (which takes over a patient's name
 * or birth date that was corrected in between): the same SOP Instance UID with the same evidence,
 * or the same evidence (evidence_hash, component and acquisition time of one patient) under other
 * UIDs, in whatever series. The series UID of such a repeat is remembered, so that contours drawn
 * on the second sending are found to belong to the first (catalogue_resolve_series). */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include "instance_info.h"
#include "rt_structure_set.h"
#include "store.h"

struct catalogue_location {
	char path[1024];       /* absolute */
	uint64_t offset, size; /* of the bare data set inside the file, bytes */
	char transfer_syntax_uid[65];
	char log[128]; /* name of the reception log, "" for a file of `holmia dose` */
};

struct catalogue_instance {
	int64_t id;
	struct instance_info info;
	struct catalogue_location where;
	double received_s; /* UTC */
};

/* One DICOM series of one patient. Duplicated evidence (the series sent again under other UIDs) is
 * already left out. */
struct catalogue_series {
	int64_t id;
	char study_instance_uid[65], series_instance_uid[65], modality[17];
	struct catalogue_instance
	    *instances; /* owned by the catalogue_patient; in order of arrival */
	int n_instances;
	/* Over the sorted evidence hashes of its instances: changes with every later instance. */
	char evidence_hash[65];
	double last_received_s;
	bool released; /* the association that brought the last instance has ended */
};

struct catalogue_patient {
	char patient_id[200], patient_issuer[200], patient_name[400], patient_birth_date[17];
	/* "" or words: two names or birth dates under one Patient ID; two patients in one study. */
	char conflict[240];
	struct catalogue_series *series; /* in order of first arrival */
	int n_series;
	struct catalogue_instance *instances; /* owned: all of them, series by series */
};

enum catalogue_outcome { CATALOGUE_NEW, CATALOGUE_SAME, CATALOGUE_QUARANTINED, CATALOGUE_UNUSED };

/* reason: words for SAME, QUARANTINED and UNUSED (unknown storage class, empty PatientID). Part of
 * the caller's transaction. */
enum status_code catalogue_add(enum catalogue_outcome *outcome, char reason[240],
			       struct store *store, const struct instance_info *info,
			       const struct catalogue_location *where, double received_s,
			       struct status *st) STATUS_CHECKED;

/* An instance that could not be read: kept by its place, named in `holmia status`, and an alarm.
 * Part of the caller's transaction. */
enum status_code catalogue_add_unreadable(struct store *store,
					  const struct catalogue_location *where,
					  const char *sop_instance_uid, const char *reason,
					  double received_s, struct status *st) STATUS_CHECKED;

/* Everything usable of one patient. The caller frees it. A patient without anything gives n_series
 * 0. */
enum status_code catalogue_load_patient(struct catalogue_patient **patient, struct store *store,
					const char *patient_id, const char *patient_issuer,
					struct status *st) STATUS_CHECKED;
void catalogue_patient_free(struct catalogue_patient *patient); /* NULL is fine */

/* One series by its id with its instances, as above (for jobs). *patient holds just that series;
 * STATUS_REFUSE when it has nothing usable (any more). */
enum status_code catalogue_load_series(struct catalogue_patient **patient, struct store *store,
				       int64_t series_id, struct status *st) STATUS_CHECKED;

/* One instance by its id, in whatever state (a structure set, for jobs). STATUS_REFUSE: no such
 * row. */
enum status_code catalogue_load_instance(struct catalogue_instance *instance, struct store *store,
					 int64_t id, struct status *st) STATUS_CHECKED;

/* The data set of an instance: reads its bytes, screens, parses. The caller frees it. STATUS_REFUSE
 * when malformed, STATUS_RETRY when the file cannot be read. May run in several threads at once. */
enum status_code catalogue_read(struct dataset **ds, const struct catalogue_location *where,
				struct status *st) STATUS_CHECKED;

/* original: the Series Instance UID under which the evidence of series_uid is catalogued;
 * series_uid itself when it is no repeat. */
enum status_code catalogue_resolve_series(char original[65], struct store *store,
					  const char *series_uid, struct status *st) STATUS_CHECKED;

/* Every patient with something usable. malloc'd for the caller. */
struct catalogue_patient_key {
	char patient_id[200], patient_issuer[200];
};
enum status_code catalogue_list_patients(struct catalogue_patient_key **keys, int *count,
					 struct store *store, struct status *st) STATUS_CHECKED;

/* The other patients who have or had something in a study of this one: a conflict of two patients
 * in one study is a conflict of both, and over for both. malloc'd for the caller. */
enum status_code catalogue_list_study_mates(struct catalogue_patient_key **keys, int *count,
					    struct store *store, const char *patient_id,
					    const char *patient_issuer,
					    struct status *st) STATUS_CHECKED;

/* ---- what is kept but not used, for `holmia status` and `holmia quarantine` ---- */

enum catalogue_state {
	CATALOGUE_STATE_USED = 0,
	CATALOGUE_STATE_UNUSED = 1,
	CATALOGUE_STATE_QUARANTINED = 2,
	CATALOGUE_STATE_UNREADABLE = 3,
	CATALOGUE_STATE_DROPPED = 4
};

struct catalogue_note {
	int64_t id;    /* of the (first) instance */
	int instances; /* unused: rows of one series with one reason; else 1 */
	char reason[240];
	char patient_id[200], series_description[260], modality[17];
	char series_instance_uid[65], sop_instance_uid[65];
	char path[1024];
	double received_s;
};
/* Oldest first. malloc'd for the caller. */
enum status_code catalogue_list_notes(struct catalogue_note **notes, int *count,
				      struct store *store, enum catalogue_state state,
				      struct status *st) STATUS_CHECKED;

/* STATUS_REFUSE: nothing quarantined under this id. key receives the patient, to be planned again.
 * Own transaction of the caller. */
enum status_code catalogue_quarantine_release(struct catalogue_patient_key *key,
					      struct store *store, int64_t id,
					      struct status *st) STATUS_CHECKED;
enum status_code catalogue_quarantine_drop(struct store *store, int64_t id,
					   struct status *st) STATUS_CHECKED;

/* ---- how far each reception log has been read ---- */

struct catalogue_log {
	uint64_t offset; /* where to read on */
	int attempts;	 /* batches from here that were begun and not finished */
	bool ended;	 /* its association is over and everything is read */
};
/* An unknown log gives zeros. */
enum status_code catalogue_log_load(struct catalogue_log *log, struct store *store,
				    const char *name, struct status *st) STATUS_CHECKED;
enum status_code catalogue_log_save(struct store *store, const char *name,
				    const struct catalogue_log *log,
				    struct status *st) STATUS_CHECKED;
/* The same for an attempt that begins now: outlives a crash of the process, and costs no flush,
 * because a power cut is no crash. Not inside a transaction. */
enum status_code catalogue_log_attempt(struct store *store, const char *name,
				       const struct catalogue_log *log,
				       struct status *st) STATUS_CHECKED;
/* Names of the logs that have ended, sorted by name; malloc'd array of fixed-size names. */
enum status_code catalogue_log_list_ended(char (**names)[128], int *count, struct store *store,
					  struct status *st) STATUS_CHECKED;
/* The association whose logs' names begin with prefix is over: its logs are marked, and the
 * patients with usable instances in them listed (malloc'd for the caller), because their series may
 * be complete now. Part of the caller's transaction. */
enum status_code catalogue_log_end(struct catalogue_patient_key **keys, int *count,
				   struct store *store, const char *prefix,
				   struct status *st) STATUS_CHECKED;

#endif
