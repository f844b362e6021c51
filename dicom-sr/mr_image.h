/* mr_image.h - pixels of a synthetic acquisition -> classic MR Image objects.
 *
 * One object per slice and echo, as a scanner would send it: modules Patient, General Study,
 * General Series, Frame of Reference, General Equipment, General Image, Image Plane, Image Pixel,
 * MR Image, VOI LUT, SOP Common (PS3.3 A.4). Only the phantom writes them; a person must be able to
 * tell them from a patient's, so the manufacturer is holmia and the comment says "synthetic".
 *
 * All texts are UTF-8, borrowed, and must fit their value representation; times are local with
 * utc_offset beside them. Functions may run at the same time on different data sets. */
#ifndef MR_IMAGE_H
#define MR_IMAGE_H

#include "dataset.h"
#include "grid.h"

/* What all objects of one synthetic treatment share. */
struct mr_image_study {
	const char *patient_id, *patient_issuer, *patient_name;
	const char *study_instance_uid, *study_description;
	const char *study_datetime; /* YYYYMMDDHHMMSS */
	const char *utc_offset;	    /* +HHMM */
	const char *comment;	    /* parameters of the phantom, for a person */
};

struct mr_image_series {
	const struct mr_image_study *study;
	const char *series_instance_uid, *description, *sequence_name;
	const char *acquisition_datetime; /* YYYYMMDDHHMMSS, of the whole series */
	int number;			  /* Series Number */
	const struct grid *grid;	  /* with the frame of reference */
	double tr_ms, flip_deg, field_strength_t;
	int echoes; /* Echo Train Length */
	int images; /* Images in Acquisition: slices * echoes */
	double window_centre, window_width;
};

/* The object of one slice and echo. pixels: rows * columns counts. instance_number: any, unique in
 * the series. The caller frees *ds with dataset_free(). */
enum status_code mr_image_build(struct dataset **ds, const struct mr_image_series *series,
				const char *sop_instance_uid, int slice, int echo, double te_ms,
				int instance_number, const uint16_t *pixels,
				struct status *st) STATUS_CHECKED;

#endif
