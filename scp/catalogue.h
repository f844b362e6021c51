/* catalogue.h - what there is: every indexed instance, grouped into series, per patient.
 *
 * Written by the indexer only; can be rebuilt from the reception logs. An instance is known by where its bytes are: a reception log
 * (node) or a file (holmia dose). Same evidence twice (same evidence_hash in the same series) is noted and not added; another content under a
 * known SOP Instance UID is quarantined: kept, listed, never used until released. */
#ifndef CATALOGUE_H
#define CATALOGUE_H

#include "instance_info.h"
#include "rt_structure_set.h"
#include "store.h"

struct catalogue_location {
	char path[1024];              /* absolute */
	uint64_t offset, size;        /* of the bare data set inside the file */
	char transfer_syntax_uid[65];
};

struct catalogue_instance {
	int64_t id;
	struct instance_info info;
	struct catalogue_location where;
	double received_s;            /* UTC */
};

/* One DICOM series of one patient. Duplicated evidence (the series sent again under other UIDs) is already left out. */
struct catalogue_series {
	int64_t id;
	char study_instance_uid[65], series_instance_uid[65], modality[17];
	struct catalogue_instance *instances; /* owned by the catalogue_patient */
	int n_instances;
	char evidence_hash[65];       /* over the sorted evidence hashes of its instances: changes with every later instance */
	double last_received_s;
	bool released;                /* the association that brought the last instance has ended */
};

struct catalogue_patient {
	char patient_id[200], patient_issuer[200], patient_name[400], patient_birth_date[17];
	char conflict[240];           /* "" or words: two names or birth dates under one PatientID; two patients in one study */
	struct catalogue_series *series; /* in order of first arrival */
	int n_series;
};

enum catalogue_outcome { CATALOGUE_NEW, CATALOGUE_SAME, CATALOGUE_QUARANTINED, CATALOGUE_UNUSED };

/* reason: words for SAME, QUARANTINED and UNUSED (unknown storage class, empty PatientID). Part of the caller's transaction. */
enum status_code catalogue_add(enum catalogue_outcome *outcome, char reason[240], struct store *store,
                               const struct instance_info *info, const struct catalogue_location *where,
                               double received_s, struct status *st) STATUS_CHECKED;

/* An instance that could not be read: kept by its place, named in `holmia status`. */
enum status_code catalogue_add_unreadable(struct store *store, const struct catalogue_location *where,
                                          const char *sop_instance_uid, const char *reason, double received_s,
                                          struct status *st) STATUS_CHECKED;

/* Everything usable of one patient. The caller frees it. */
enum status_code catalogue_load_patient(struct catalogue_patient **patient, struct store *store,
                                        const char *patient_id, const char *patient_issuer, struct status *st) STATUS_CHECKED;
void catalogue_patient_free(struct catalogue_patient *patient);

/* One series by its id with its instances, as above (for jobs). *patient holds just that series. */
enum status_code catalogue_load_series(struct catalogue_patient **patient, struct store *store, int64_t series_id,
                                       struct status *st) STATUS_CHECKED;

/* The data set of an instance: maps the file, screens, parses. The caller frees it. */
enum status_code catalogue_read(struct dataset **ds, const struct catalogue_location *where, struct status *st) STATUS_CHECKED;

#endif
