/* treatment_record.h - what the DICOM images do not say: the injections of one treatment, from XML.
 *
 * One record = one patient, one course of injections. Activities in MBq at the time beside
 * them; every time carries its zone and becomes seconds since 1970-01-01 UTC here. A record
 * with the same id and a higher revision replaces the older one. */
#ifndef TREATMENT_RECORD_H
#define TREATMENT_RECORD_H

#include "config.h"

#define RECORD_MAX_STUDIES    16
#define RECORD_MAX_POSITIONS  8
#define RECORD_MAX_INJECTIONS 32
#define RECORD_MAX_VOIS	      64
#define RECORD_MAX_TRANSFORMS 16

struct record_injection {
	int number;		/* within its position as written */
	int position;		/* index into positions */
	double planned_percent; /* NaN */
	double start_s;
	double net_activity_mbq; /* NaN when given as two measurements */
	/* NaN when not given */
	double prepared_activity_mbq, prepared_at_s, residual_activity_mbq, residual_at_s;
	double specific_activity_mbq_per_mg, specific_activity_at_s; /* NaN: missing, no dose */
	double holmium_percent; /* of this vial; NaN: the product's */
	char vial[68];
	char after_series_uid[65]; /* "" : found by time */
	bool imaged;		   /* false: injected outside the scanner, no series expected */
	int line;
};

struct record_position {
	char id[68], description[260], part[260]; /* part: name of a VOI */
	double planned_activity_mbq;		  /* NaN */
	int planned_injections;			  /* 0: not said */
};

struct record_voi {
	char name[260];
	enum config_voi_role role;
	char part[260], group[68]; /* group: tumours that are also summed up together */
	bool necrosis;		   /* said as necrosis="yes"; role is CONFIG_VOI_NECROSIS then */
};

/* Given by the site in place of a registration: point of "from" -> point of "to", rows of a 3x4
 * matrix, mm. Each UID is a series' or a frame of reference's. */
struct record_transform {
	char from_uid[65], to_uid[65];
	double matrix[12];
	char provenance[200];
};

struct treatment_record {
	char id[132]; /* as given; else "PATIENT/2026-03-02T09:05:00Z", the first start in UTC */
	int revision; /* >= 1 */
	char entered_by[132];
	char patient_id[200], patient_issuer[200];
	char study_uid[RECORD_MAX_STUDIES][65];
	int n_studies;
	char product[68];
	double holmium_percent; /* NaN */
	double target_dose_gy;	/* NaN */
	char targeted_part[260];
	char baseline_series_uid[65]; /* "" : found by time */
	struct record_position positions[RECORD_MAX_POSITIONS];
	int n_positions;
	/* In order of start over all positions. */
	struct record_injection injections[RECORD_MAX_INJECTIONS];
	int n_injections;
	struct record_voi vois[RECORD_MAX_VOIS];
	int n_vois;
	struct record_transform transforms[RECORD_MAX_TRANSFORMS];
	int n_transforms;
	char fingerprint[65]; /* of the content, for audit */
};

/* From a file, or from memory (name is used in faults). Faults as for config_load(): missing
 * specific activity is a warning (the treatment waits for it), everything contradictory an
 * error (residual above prepared, times without zone, two injections at one time, negative
 * activity). */
enum status_code treatment_record_read_file(struct treatment_record *record,
					    struct config_faults *faults, const char *path,
					    struct status *st) STATUS_CHECKED;
enum status_code treatment_record_read_memory(struct treatment_record *record,
					      struct config_faults *faults, const char *xml,
					      unsigned long size, const char *name,
					      struct status *st) STATUS_CHECKED;

/* ISO 8601 with zone ("2026-03-02T10:05:00+01:00", "...Z") -> seconds since 1970 UTC; NaN when
 * malformed. */
double record_parse_time(const char *text);

#endif
