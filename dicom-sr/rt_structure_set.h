/* rt_structure_set.h - regions of interest as contours, from an RT Structure Set.
 *
 * CLOSED_PLANAR and CLOSEDPLANAR_XOR contours are kept (both combine by even-odd in
 * mask_from_contours()); points and open contours are counted and left out. The three sequences of
 * the object (ROIs, contours, observations) are joined by ROI number, in whatever order they are.
 * Which ROI is a tumour or the liver is not decided here. */
#ifndef RT_STRUCTURE_SET_H
#define RT_STRUCTURE_SET_H

#include "dataset.h"
#include "mask.h"

struct rt_roi {
	int number;
	char name[260];
	char interpreted_type[17];	      /* GTV, ORGAN, ...; "" */
	char code_value[17], code_scheme[17]; /* identification code; "" */
	char frame_of_reference_uid[65];
	int n_contours, ignored_contours;
	struct mask_contour *contours; /* patient mm; owned, points too */
};

struct rt_structure_set {
	char sop_class_uid[65], sop_instance_uid[65];
	char study_instance_uid[65], series_instance_uid[65];
	char label[68];
	char datetime[33];		 /* of the set, YYYYMMDDHHMMSS as far as written; "" */
	char frame_of_reference_uid[65]; /* the referenced frame, else the first ROI's */
	char referenced_study_uid[65], referenced_series_uid[65];
	int n_rois;
	struct rt_roi *rois; /* owned; ROIs without contours are kept with n_contours 0 */
};

/* STATUS_REFUSE with words: not a structure set, no ROI, a ROI number missing or used twice,
 * contour data that are not numbers or not a multiple of three (names ROI and contour). set is
 * untouched unless STATUS_OK; freed with rt_structure_set_free(). */
enum status_code rt_structure_set_read(struct rt_structure_set *set, const struct dataset *ds,
				       struct status *st) STATUS_CHECKED;
void rt_structure_set_free(struct rt_structure_set *set);

#endif
