/* treatment_parts.h - the steps of treatment_assess(), private to treatment*.c.
 *
 *   treatment_gather    every series of the patient as a candidate: what it is, when it was, why
 *                       it cannot be used
 *   treatment_fill      candidates -> baseline and after-slots
 *                       (treatment_slots.c)
 *   treatment_contours  structure sets and rules -> structure set, anatomy, VOIs
 *                       (treatment_vois.c)
 *   treatment_transforms, treatment_check_frames
 *                       record and Spatial Registrations -> transforms of the slots; scans that
 *                       cannot be put on the result grid are refused (treatment_transforms.c)
 *   treatment_inject    record -> injections at their start
 *                       (treatment_injections.c)
 *   treatment_find_emission  SPECT or PET of the days after
 *                       (treatment_emission.c)
 *
 * Each step writes into the slots and says what it waits for, refuses, warns of and leaves
 * unused. Nothing is freed on the way; treatment_assess() frees the candidates at the end. */
#ifndef TREATMENT_PARTS_H
#define TREATMENT_PARTS_H

#include "treatment.h"

/* One MR series of the patient. */
struct treatment_candidate {
	int index; /* into patient->series */
	const struct catalogue_series *series;
	char label[120];     /* series 7 "T2* multi-echo" */
	double acquired_s;   /* UTC; NaN unknown */
	bool zone_assumed;   /* the time carried no zone */
	bool arranged_owned; /* arranged is filled and still ours to free */
	struct mr_series arranged;
	bool meant;	    /* a holmium rule or the record names it, usable or not */
	bool holmium;	    /* may fill a slot */
	bool anatomy_rule;  /* may be the anatomy */
	int named_slot;	    /* slot that the record gives it; -1 none */
	int slot;	    /* slot by its time: number of injections before it */
	int near_injection; /* starts within the clock tolerance of this injection; 0 none */
	enum series_completeness completeness;
	bool used;
	char why[240]; /* why it is incomplete or not used; "" */
};

struct treatment_assessment {
	const struct treatment_input *input;
	struct treatment_slots *slots;
	struct treatment_candidate *candidates; /* owned */
	int n_candidates;
	/* What the slots' echo times and frame are compared with; NULL none. */
	const struct treatment_candidate *reference;
	char refusal[512]; /* why this can never be computed; "" */
	bool results_wait; /* the result grid may still change: no map yet */
	bool no_maps;	   /* what refuses the treatment takes its maps away too */
	bool report_waits; /* the series under the contours is not whole: no report yet */
};

/* ---- saying (treatment.c) ---- */
void treatment_wait(struct treatment_assessment *a, const char *format, ...) STATUS_PRINTF(2, 3);
void treatment_refuse(struct treatment_assessment *a, const char *format, ...) STATUS_PRINTF(2, 3);
void treatment_warn(struct treatment_assessment *a, const char *code, const char *format, ...)
    STATUS_PRINTF(3, 4);
/* One more of slots->unused. */
void treatment_leave(struct treatment_assessment *a, const char *label, const char *why);
/* Local clock reading of the site, HH:MM:SS. */
void treatment_clock(const struct treatment_assessment *a, double utc_s, char text[16]);

/* ---- series (treatment_series.c) ---- */
enum status_code treatment_gather(struct treatment_assessment *a, struct status *st) STATUS_CHECKED;
void treatment_candidates_free(struct treatment_assessment *a);
struct treatment_candidate *treatment_find_series(const struct treatment_assessment *a,
						  const char *series_uid);
const char *treatment_frame(const struct treatment_candidate *candidate);
/* Arranges a candidate that gather had no reason to arrange; false with why when it cannot be. */
bool treatment_arrange(struct treatment_candidate *candidate, struct status *st);
/* Its sender has gone, or it has been quiet for settle-s. */
bool treatment_has_ended(const struct treatment_assessment *a,
			 const struct treatment_candidate *candidate);
bool treatment_same_echo_times(const struct mr_series *a, const struct mr_series *b);
void treatment_look_again(struct treatment_assessment *a,
			  const struct treatment_candidate *candidate);
/* Puts it into a slot; the arranged series goes along. */
void treatment_take(struct treatment_series *slot, struct treatment_candidate *candidate,
		    int after_injection);

/* ---- steps ---- */
void treatment_choose_contours(struct treatment_assessment *a);
/* Whether every contour of the chosen structure set that has a role lies within the slices of
 * this grid. */
bool treatment_contours_inside(const struct treatment_assessment *a, const struct grid *grid);
enum status_code treatment_contours(struct treatment_assessment *a,
				    struct status *st) STATUS_CHECKED;
void treatment_complete(struct treatment_assessment *a, struct treatment_candidate *candidate);
void treatment_transforms(struct treatment_assessment *a);
/* Scans outside the frame of reference of the result grid without a way there: refused, and taken
 * out. */
void treatment_check_frames(struct treatment_assessment *a);
/* Without a baseline, a relaxivity or a settled grid there is no map. */
void treatment_drop_scans(struct treatment_slots *slots);
void treatment_group(struct treatment_assessment *a);
void treatment_fill(struct treatment_assessment *a);
void treatment_compare_scans(struct treatment_assessment *a);
void treatment_inject(struct treatment_assessment *a);
enum status_code treatment_find_emission(struct treatment_assessment *a,
					 struct status *st) STATUS_CHECKED;
bool treatment_is_emission(const struct catalogue_series *series);
/* Whether a frame of reference is that of an emission image: contours drawn there are not meant for
 * the scans. */
bool treatment_is_drawn_on_emission(const struct catalogue_patient *patient, const char *frame_uid);

#endif
