/* evidence.h - what every result object copies and cites.
 *
 * Patient and study come from one instance of the study of the injections; equipment is this node's; every input is
 * referenced. Filled by scp/job, read by the builders. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "dataset.h"

enum evidence_role { EVIDENCE_ANATOMY, EVIDENCE_BASELINE, EVIDENCE_AFTER, EVIDENCE_VOIS, EVIDENCE_RESULT };

struct evidence_instance {
	char sop_class_uid[65], sop_instance_uid[65];
};

struct evidence_series {
	enum evidence_role role;
	int after_injection;        /* EVIDENCE_AFTER, EVIDENCE_RESULT */
	char study_instance_uid[65], series_instance_uid[65], modality[17], description[260];
	char acquired[33];          /* DICOM DT, for the report */
	int n_instances;
	struct evidence_instance *instances; /* borrowed */
};

/* Fixed when the job is first claimed, so that a re-run writes the same bytes. */
struct result_identity {
	char job_hash[65];
	char created_datetime[33];  /* YYYYMMDDHHMMSS, site time */
	char utc_offset[8];         /* +HHMM */
	char ae_title[17], station_name[68];
	char intended_use[200];     /* configured, never empty */
	int version;                /* 1, 2, ... of this time point's result */
	char software_version[32];  /* HOLMIA_VERSION of the binary that claimed it first */
};

struct evidence {
	const struct dataset *study_header; /* an instance of the study of the injections: patient, study, frame of reference */
	char frame_of_reference_uid[65];    /* of the result grid */
	const struct evidence_series *series;
	int n_series;
	const struct result_identity *identity;
	/* the image of every slice of the result grid, in grid order */
	const struct evidence_instance *grid_images;
	int n_grid_images;
};

/* Patient, General Study, General Equipment, SOP Common and series of one result. purpose names it in the derived UIDs. */
enum status_code evidence_write_common(struct dataset *ds, const struct evidence *evidence,
                                       const char *sop_class_uid, const char *purpose, const char *modality,
                                       int series_number, const char *series_description, struct status *st) STATUS_CHECKED;

/* Common Instance Reference module: series of the same study, then other studies. */
enum status_code evidence_write_references(struct dataset *ds, const struct evidence *evidence,
                                           struct status *st) STATUS_CHECKED;

#endif
