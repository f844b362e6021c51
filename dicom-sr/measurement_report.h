/* measurement_report.h - the figures -> a TID 1500 Measurement Report (Comprehensive 3D SR).
 *
 * What the document holds, from the top (one page per attribute:
 * conformance/objects/structured-report.md):
 *
 *   language, device observer, procedure reported (TID 1204, 1002, 1004)
 *   intended use
 *   flags and warnings    each a code HO1xx of codes.h with words; "none" when there are none;
 * every flag of dosimetry.h has one imaging measurements  algorithm and parameters (TID 4019), then
 * one TID 1411 group per VOI administrations       per injection: start, activities, specific
 * activity, position time points           per scan: injected and recovered activity, noise, what
 * was not measured or hangs on few echoes, the highest dose outside the liver, the RT Dose
 *   emission images       SPECT or PET of the days after, where there is one
 *   constants             relaxivity, dose constant, density, thresholds
 *   inputs                treatment record, series
 *
 * A group's region is SCOORD "Image Region" polylines on the images of the result grid, largest
 * slice first (a viewer opens the first). First it says whether its dose can be believed (coded,
 * with coded reasons), then come, for viewers that show five figures: mean dose, its standard
 * uncertainty, volume, T/N or recovery. No two measurements of a group share a concept name,
 * because viewers label by it. Healthy liver (without tumours) has no outline of its own: its
 * figures stand in the group of the liver or part it is taken from. The under-dosed part of a
 * tumour has a group of its own behind the tumour's; a necrosis is a region with a volume and no
 * dose.
 *
 * What was not measured is never a number: for mean doses, activity and T/N a text of the
 * measurement's name then says so and why; other figures without a value, and what was not asked,
 * are left out. A region that is not measurable also carries the mean dose as a number without a
 * value, qualified as measurement failure, below its coded measurability: as a direct child of the
 * group a validator calls it an error.
 *
 * Two saturations are told apart in words and codes: of the fit (a lower bound), of the uptake.
 *
 * The document is COMPLETE and UNVERIFIED; PRELIMINARY while planned injections are to come, FINAL
 * after the last, without that flag when their number is unknown. Same input, same bytes.
 *
 * Split: measurement_report.c document and its parts in order; _group.c the TID 1411 groups,
 * _dose.c their doses and volumes, _trend.c uptake over the injections, _reliability.c
 * measurability and uncertainty, _region.c outlines; _context.c warnings, administrations and time
 * points, _alignment.c how images were brought together, _emission.c SPECT or PET, _constants.c
 * constants and inputs. */
#ifndef MEASUREMENT_REPORT_H
#define MEASUREMENT_REPORT_H

#include "codes.h"
#include "dosimetry.h"
#include "evidence.h"
#include "outline.h"

struct report_emission; /* measurement_report_emission.h */

struct report_voi {
	const char *name; /* also the tracking identifier */
	enum voi_role role;
	int roi_number; /* -1: a group, which the structure set does not have */
	/* On the result grid; none: the region of the structure set is referenced. */
	const struct outline_set *outlines;
	/* Per time point: mean of the stored pixels (clamped); NULL or NaN: left out. */
	const double *stored_mean_gy;
	/* Tumours: of dosimetry_time_point.underdosed at the last time point. NULL or empty: no
	 * group of its own. */
	const struct outline_set *underdosed_outlines;
	const char *members; /* groups: "Tumour 1, Tumour 2"; NULL: not said */
};

enum report_alignment_origin {
	REPORT_ALIGNMENT_SAME_GRID, /* the same images: nothing to align */
	REPORT_ALIGNMENT_REGISTERED,
	REPORT_ALIGNMENT_NONRIGID, /* rigid, and non-rigid on top */
	REPORT_ALIGNMENT_IDENTITY, /* tried and not better, or switched off */
	REPORT_ALIGNMENT_GIVEN	   /* by the site: record or Spatial Registration object */
};

/* How one image was brought onto another. */
struct report_alignment {
	int after_injection;   /* the scan it belongs to; 0: the baseline */
	char from[80], to[80]; /* "baseline", "anatomy \"T1w\"", "scan after injection 2" */
	enum report_alignment_origin origin;
	/* For a reader: metric and what drove it, why identity was kept, who gave the transform;
	 * with its numbers, "mutual information -0.91 -> -1.14 nats". "" : none. */
	char words[400];
	double transform[RIGID_SIZE];	       /* point of from -> point of to; NaN: not known */
	double residual_mm, capture_spread_mm; /* registration.h; NaN: not known */
};

/* A line of the "Flags and warnings" part: a code of 99HOLMIA and words. */
struct report_warning {
	const char *code; /* "HO101" ... from codes.h */
	char text[240];
};

struct report_injection {
	struct dosimetry_injection figures;
	char position_id[68], position_description[260];
	double planned_percent, planned_activity_mbq; /* NaN */
	/* NaN when the net activity was given. */
	double prepared_activity_mbq, residual_activity_mbq;
	char start[33];	      /* DICOM DT with offset */
	char vial[68];	      /* "" : not said */
	bool outside_scanner; /* the record says that no series follows it */
};

/* Everything is borrowed for the length of the call. Numbers that are not known are NaN and left
 * out. */
struct report_input {
	const struct evidence *evidence;
	/* The last time point is the one reported in the groups. */
	const struct dosimetry_result *result;
	const struct dosimetry_params *params;
	const struct report_voi *vois; /* same order as in the dosimetry input */
	int n_vois;
	const struct report_injection *injections;
	int n_injections;
	int planned_injections; /* PRELIMINARY before the last; 0: unknown */
	const char *record_id;
	int record_revision;
	const char *record_entered_by;
	const char *product;
	double field_strength_t;
	double relaxivity_configured, relaxivity_temperature_k;
	const char *relaxivity_provenance; /* "theory, not calibrated" */
	const struct report_warning *warnings;
	int n_warnings;
	/* Per time point; NULL or empty UID when unknown; else it also stands in a series of the
	 * evidence. */
	const struct evidence_instance *rt_doses;
	const struct evidence_instance *kernel_doses; /* the same of the beta kernel; NULL: none */
	/* In any order. Without an entry for a scan, the transform and residual of the result are
	 * reported in its place. */
	const struct report_alignment *alignments;
	int n_alignments;
	/* SPECT or PET of this treatment: their figures stand beside those from MRI in every group.
	 */
	const struct report_emission *emissions;
	int n_emissions;
	/* "rigid, liver with 10 mm around it", as configured; NULL: not said */
	const char *alignment_method;
	const struct evidence_instance *predecessor; /* SR that this one replaces, NULL: none */
	const char *predecessor_study_uid, *predecessor_series_uid;
	const char *configuration_fingerprint;
	/* Thresholds to name beside the figures, as configured: label, role, dose, isotope, source.
	 */
	const char *const *threshold_labels;
	int n_thresholds;
};

/* *ds belongs to the caller (dataset_free()); uid receives the SOP Instance UID; both untouched
 * unless STATUS_OK. STATUS_REFUSE: no VOI (then there is nothing to report: RT Dose only), a bad
 * evidence header. STATUS_BUG: no time point, not one image per slice, a referenced instance that
 * is not among the evidence. STATUS_RETRY: memory. */
enum status_code measurement_report_build(struct dataset **ds, char uid[65],
					  const struct report_input *input,
					  struct status *st) STATUS_CHECKED;

/* "Found by registration", "Given by the site", ... with their codes. Static storage. */
const struct code *measurement_report_alignment_origin(enum report_alignment_origin origin);

/* The code of codes.h for one dosimetry flag bit: DOSIMETRY_SATURATED_VOXELS -> "HO102". */
const char *measurement_report_flag_code(enum dosimetry_flag flag);

#endif
