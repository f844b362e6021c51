/* evidence.h - what every result object copies and cites.
 *
 * A result belongs to the study of the injections: patient and study are copied from one instance
 * of it, the equipment is this node's own, and every input is referenced. Nothing here knows a
 * clock: dates and times are those of the result_identity, which the job fixed at its first claim,
 * so the same job writes the same bytes.
 *
 * Filled by scp/job, read by the builders; every pointer is borrowed for the length of the call. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* This node, as maker of its results. */
#define EVIDENCE_MANUFACTURER "holmia"
#define EVIDENCE_MODEL	      "holmia dosimetry node"

enum evidence_role {
	EVIDENCE_ANATOMY,
	EVIDENCE_BASELINE,
	EVIDENCE_AFTER,
	EVIDENCE_VOIS,
	EVIDENCE_RESULT,
	EVIDENCE_KERNEL_RESULT, /* RT Dose by the beta kernel */
	EVIDENCE_REGISTRATION,	/* Spatial Registration given by the site */
	EVIDENCE_EMISSION	/* SPECT or PET */
};

struct evidence_instance {
	char sop_class_uid[65], sop_instance_uid[65];
};

struct evidence_series {
	enum evidence_role role;
	int after_injection; /* EVIDENCE_AFTER, EVIDENCE_RESULT, EVIDENCE_KERNEL_RESULT */
	char study_instance_uid[65], series_instance_uid[65], modality[17], description[260];
	char acquired[33]; /* DICOM DT, YYYYMMDDHHMMSS[.FFFFFF][+HHMM]; "" unknown */
	int n_instances;
	struct evidence_instance *instances; /* borrowed */
};

/* Fixed when the job is first claimed, so that a re-run writes the same bytes. */
struct result_identity {
	char job_hash[65];
	char created_datetime[33]; /* YYYYMMDDHHMMSS, site time */
	char utc_offset[8];	   /* +HHMM */
	char ae_title[17], station_name[68];
	char intended_use[200];	   /* configured, never empty */
	int version;		   /* 1, 2, ... of this time point's result */
	char software_version[32]; /* HOLMIA_VERSION of the binary that claimed it first */
};

struct evidence {
	/* An instance of the study of the injections: patient and study are copied from it. */
	const struct dataset *study_header;
	char frame_of_reference_uid[65];      /* of the result grid */
	const struct evidence_series *series; /* one entry per series; no series twice */
	int n_series;
	const struct result_identity *identity;
	/* The image of every slice of the result grid, in grid order; each also stands in one of
	 * the series. */
	const struct evidence_instance *grid_images;
	int n_grid_images;
};

/* Patient, General Study, Patient Study, General Equipment, SOP Common and the series of one
 * result. purpose names it in the derived UIDs: "rt-dose" gives "rt-dose-series" and
 * "rt-dose-instance". Text is cut to what its attribute holds. STATUS_REFUSE: no study header, no
 * Study Instance UID or no Patient ID in it, an empty intended use, a creation time that is not
 * YYYYMMDDHHMMSS. STATUS_RETRY: memory. */
enum status_code evidence_write_common(struct dataset *ds, const struct evidence *evidence,
				       const char *sop_class_uid, const char *purpose,
				       const char *modality, int series_number,
				       const char *series_description,
				       struct status *st) STATUS_CHECKED;

/* Common Instance Reference module: series of the same study, then other studies. */
enum status_code evidence_write_references(struct dataset *ds, const struct evidence *evidence,
					   struct status *st) STATUS_CHECKED;

/* The same list as a structured report wants it: Current Requested Procedure Evidence Sequence for
 * the study of the result, Pertinent Other Evidence Sequence for other studies. */
enum status_code evidence_write_report_evidence(struct dataset *ds, const struct evidence *evidence,
						struct status *st) STATUS_CHECKED;

/* The series that holds an instance; NULL when none does. */
const struct evidence_series *evidence_find(const struct evidence *evidence,
					    const char *sop_instance_uid);

#ifdef __cplusplus
}
#endif
#endif
