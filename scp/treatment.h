/* treatment.h - which series is what, and what a treatment waits for.
 *
 * A treatment = one patient, one course of injections. Typed slots are filled from the catalogue
 * and the record; nothing here reads pixels, the clock or the database: the same input gives the
 * same slots. (The one thing looked up is the site's zone, for series that carry none.)
 *
 *   slot          filled by
 *   baseline      the record's series, else the last complete holmium series before the first
 *                 injection
 *   after k       the record's series, else the last complete holmium series between injection k
 *                 and k+1 (repeats are named)
 *   anatomy       the series that the VOIs reference, else by the configured rule the last in the
 *                 scans' frame of reference before the first injection
 *   VOIs          newest RT Structure Set drawn in the scans' frame of reference, or on a series of
 *                 the treatment in another one that can be aligned (older ones are named)
 *   injections    the record, numbered on over the positions in order of time
 *   emission      the SPECT or PET by the configured rule, of the days after the last injection;
 *                 PET before NM, then the latest (others are named)
 *
 * Holmium series: magnitude multi-echo gradient echo, >= 3 echoes, matching a configured rule, of
 * one kind (echo times, slice orientation and field strength: the kind that fills most slots, or
 * that the record names), inside the window around the injections and, where the record names
 * studies, in one of them. Anything else is "unused: why". Times are acquisition times, never
 * series or content times. Slots never group by study: between positions the patient leaves the
 * scanner and comes back in a new one.
 *
 * Between positions the frame of reference changes too. A series in another frame than the anatomy
 * (without one: than the baseline) is used where the configuration aligns series, or where the site
 * gives a transform for it; else it is refused.
 *
 * Clocks differ: a series that starts within the clock tolerance of an injection is not assigned.
 * The slot before that injection (where it would be the last) and, unless a later series fills it,
 * the one after it stay empty until the record names the series; both clocks are said.
 *
 * Complete = no gap, every slice has every echo, and the number of slices is confirmed:
 *
 *   at once, by another whole series of the treatment with the same slices and echo times, or for
 *   a single echo by (0020,1002);
 *   when its sender has gone on to another series, by (0020,1002). Vendors count images in three
 *   ways, so a part of a multi-echo series can meet the count in one of them while it comes in;
 *   when its association has ended or it has been quiet for settle-s, by (0020,1002) or by
 *   contours that all lie within the slices. Without either it counts then as "complete,
 *   unconfirmed" (HO105); where (0020,1002) says that images are owed, only the quiet counts.
 *
 * So a scan after an injection is whole with its last image, as soon as another scan is there to
 * compare it with.
 *
 * State of the whole, in words that `holmia status` shows:
 *
 *   COLLECTING  nothing can be made yet; waits_for says what is missing ("baseline: series 4
 *               "T2*": echo 7 missing at slice 31")
 *   READY       a dose map can be made of every entry of after[]; waits_for says what else is to
 *               come (further scans, contours)
 *   REFUSED     something here can never be computed as it stands; waits_for begins with why and
 *               what to do. maps_ready may still be true: contours that are refused, or one scan
 *               in another frame of reference, do not take away the maps of the other scans
 *
 *   A patient without ID or with two names, a record of another patient, no relaxivity, a named
 *   series that is none, no frame of reference: REFUSED, no map.
 *   Regions that contradict each other: REFUSED; no map where the baseline is a region's mean.
 *   An injection without specific activity: maps up to the scan before it.
 *
 * Warnings carry the codes of codes.h: HO101 relaxivity not calibrated, HO103 a named series
 * within the clock tolerance, HO104 residual pending, HO105 complete but unconfirmed, HO106 TR,
 * flip, coil, contrast agent or scanner other than at baseline, HO108 region without a role or
 * without contours, HO109 another series could serve, HO110 other structure sets, HO111 site
 * zone assumed, HO112 activity unknown, HO122 lossy compressed images, HO133 specific activity
 * measured more than a day before its injection, HO134 a position without a region, HO138 a
 * transform of the site is used, HO119 the rest. */
#ifndef TREATMENT_H
#define TREATMENT_H

#include "catalogue.h"
#include "config.h"
#include "dosimetry.h"
#include "mr_series.h"
#include "rigid.h"
#include "site_time.h"
#include "spatial_registration.h"
#include "treatment_record.h"

#define TREATMENT_MAX_WARNINGS 32
#define TREATMENT_MAX_UNUSED   64

enum treatment_state { TREATMENT_COLLECTING, TREATMENT_READY, TREATMENT_REFUSED };

enum series_completeness {
	SERIES_INCOMPLETE,
	SERIES_UNCONFIRMED, /* no gap, but nothing says yet how many slices there should be */
	SERIES_SETTLED,	    /* "complete, unconfirmed", said in the report */
	SERIES_COMPLETE	    /* confirmed */
};

/* Where a series lies, as the site says it: in the record, else in a Spatial Registration object,
 * the newest first. It takes the place of what would be computed (alignment.h). What moves a whole
 * stay in the scanner is the baseline's alone: where the scans of that stay lie to it is still to
 * be found. */
enum treatment_given { TREATMENT_NOT_GIVEN, TREATMENT_FROM_ANATOMY, TREATMENT_FROM_BASELINE };
struct treatment_transform {
	enum treatment_given given;
	double matrix[RIGID_SIZE]; /* point of the anatomy or of the baseline -> of this series */
	char provenance[300];	   /* "the record: fiducials, J. Doe" */
	char object_uid[65];	   /* of the Spatial Registration; "" from the record */
};

/* A holmium or anatomy series as assessed. */
struct treatment_series {
	int index; /* into catalogue_patient.series; -1: slot empty */
	enum series_completeness completeness;
	double acquired_s;   /* UTC; NaN unknown */
	int after_injection; /* 0 baseline, k after injection k */
	struct treatment_transform transform;
	struct mr_series arranged; /* freed with the slots */
};

struct treatment_warning {
	char code[16]; /* of codes.h, for the report */
	char text[240];
};

#define TREATMENT_EMISSION_MAX_NOTES 4

/* A SPECT or PET of the microspheres after the last injection. It never stands in the way of maps
 * or of a report: what cannot be used is said beside them. */
struct treatment_emission {
	int index; /* into catalogue_patient.series; -1: none, or still coming in */
	double acquired_s;
	char label[120];
	char refusal[240]; /* why nothing can be said of it; "" */
	/* Drawn in its frame of reference, the newest; NULL none. Borrowed from the patient. */
	const struct catalogue_instance *contours;
	/* The newest Spatial Registration that joins it with the result grid, into the
	 * registrations given; -1 none. */
	int registration;
	char notes[TREATMENT_EMISSION_MAX_NOTES][240]; /* for the report, HO140 */
	int n_notes;
	/* Of all of these and of what the configuration says of such images: another one makes
	 * another report; "" none. */
	char evidence[65];
};

struct treatment_voi {
	int roi; /* index into the structure set's rois; -1: a group */
	enum voi_role role;
	char name[260];
	char part_name[260]; /* tumours: "" find by overlap */
	char group[68];	     /* tumours: name of the group they belong to, which follows; "" none */
};

struct treatment_slots {
	enum treatment_state state;
	char waits_for[512]; /* "" when nothing is missing */
	double look_again_s; /* UTC time at which an unconfirmed series settles; NaN: no timer */

	struct treatment_series baseline;
	struct treatment_series after[DOSIMETRY_MAX_SCANS];
	int n_after;			 /* those that can be mapped, in order of injection */
	struct treatment_series anatomy; /* index -1: results on the baseline grid */
	int structure_set;		 /* index into the structure sets given; -1 none */
	struct treatment_voi vois[DOSIMETRY_MAX_VOIS];
	int n_vois;
	bool contours_refused; /* its regions contradict each other: good for nothing */
	bool maps_ready;   /* a dose map can be made of every entry of after[], REFUSED or not */
	bool report_ready; /* VOIs, and every scan before the newest map's, are there */

	struct treatment_emission emission;

	struct dosimetry_injection injections[DOSIMETRY_MAX_INJECTIONS];
	int n_injections;	/* of the record, numbered on over positions by time */
	int planned_injections; /* 0: the record does not say how many are to come */

	const struct config_relaxivity *relaxivity; /* NULL: none fits */
	double field_strength_t;		    /* after unit repair; NaN unknown */

	struct treatment_warning warnings[TREATMENT_MAX_WARNINGS];
	int n_warnings;
	char unused[TREATMENT_MAX_UNUSED][240]; /* "series 7 \"DWI\": single echo" */
	int n_unused;
};

struct treatment_input {
	const struct config *config;
	const struct catalogue_patient *patient;
	const struct treatment_record *record;	       /* NULL: none yet */
	const struct rt_structure_set *structure_sets; /* of this patient, any order */
	int n_structure_sets;
	const struct spatial_registration *registrations; /* of this patient, any order */
	int n_registrations;
	double now_s; /* only to decide whether an unconfirmed series has settled */
};

/* Fills *slots (freed by treatment_slots_free()). STATUS_OK also when it waits or is refused;
 * STATUS_RETRY: memory. relaxivity points into the configuration; nothing else is borrowed. Any
 * thread, on different slots. */
enum status_code treatment_assess(struct treatment_slots *slots,
				  const struct treatment_input *input,
				  struct status *st) STATUS_CHECKED;
void treatment_slots_free(struct treatment_slots *slots);

#endif
