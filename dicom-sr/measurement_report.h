/* measurement_report.h - the figures -> a TID 1500 Measurement Report (Comprehensive 3D SR).
 *
 * Per VOI one TID 1411 group whose region is SCOORD "Image Region" polylines, largest slice first, each selected from its image; no two
 * NUMs of a group share a concept name; mean dose first. Every input, constant, method, flag and version is in it. */
#ifndef MEASUREMENT_REPORT_H
#define MEASUREMENT_REPORT_H

#include "dosimetry.h"
#include "evidence.h"
#include "outline.h"

struct report_voi {
	const char *name;
	enum voi_role role;
	int roi_number;
	const struct outline_set *outlines;   /* on the result grid */
	const double *stored_mean_gy;         /* per time point: mean of the stored pixels (clamped) */
};

/* A line of the "Flags and warnings" part: a code of 99HOLMIA and words. */
struct report_warning {
	const char *code;                     /* "HO101" ... from codes.h */
	char text[240];
};

struct report_injection {
	struct dosimetry_injection figures;
	char position_id[68], position_description[260];
	double planned_percent, planned_activity_mbq;   /* NaN */
	double prepared_activity_mbq, residual_activity_mbq; /* NaN when the net activity was given */
	char start[33];                       /* DICOM DT with offset */
};

struct report_input {
	const struct evidence *evidence;
	const struct dosimetry_result *result;
	const struct dosimetry_params *params;
	const struct report_voi *vois;        /* same order as in the dosimetry input */
	int n_vois;
	const struct report_injection *injections;
	int n_injections;
	int planned_injections;               /* PRELIMINARY before the last; 0: unknown */
	const char *record_id;
	int record_revision;
	const char *record_entered_by;
	const char *product;
	double field_strength_t;
	double relaxivity_configured, relaxivity_temperature_k;
	const char *relaxivity_provenance;    /* "theory, not calibrated" */
	const struct report_warning *warnings;
	int n_warnings;
	const struct evidence_instance *rt_doses; /* per time point; empty uid when unknown */
	const struct evidence_instance *predecessor; /* SR that this one replaces, NULL: none */
	const char *predecessor_study_uid, *predecessor_series_uid;
	const char *configuration_fingerprint;
	/* thresholds to name beside the figures, as configured: label with isotope */
	const char *const *threshold_labels;
	int n_thresholds;
};

enum status_code measurement_report_build(struct dataset **ds, char uid[65], const struct report_input *input,
                                          struct status *st) STATUS_CHECKED;

#endif
