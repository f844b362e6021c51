/* rt_structure_set_writer.h - contours -> RT Structure Set, as a contouring station would send it.
 *
 * Regions are closed planar polygons, each on the plane of one image of the series they were drawn
 * on (PS3.3 A.19: Structure Set, ROI Contour and RT ROI Observations modules). Everything is
 * borrowed. */
#ifndef RT_STRUCTURE_SET_WRITER_H
#define RT_STRUCTURE_SET_WRITER_H

#include "mr_image.h"

struct rt_structure_contour {
	int slice; /* of the series drawn on */
	int points;
	const double *points_mm; /* 3 * points, patient */
};

struct rt_structure_region {
	const char *name;
	const char *interpreted_type; /* GTV, ORGAN */
	int colour[3];		      /* 0..255 */
	const struct rt_structure_contour *contours;
	int n_contours;
};

struct rt_structure_input {
	const struct mr_image_study *study;
	const char *sop_instance_uid, *series_instance_uid;
	int series_number;
	const char *label;
	const char *datetime; /* YYYYMMDDHHMMSS: when it was drawn */
	const char *frame_of_reference_uid;
	const char *image_series_uid; /* the MR series drawn on */
	const char (*image_uids)[65]; /* per slice */
	int n_images;
	const struct rt_structure_region *regions;
	int n_regions;
};

/* Coordinates are written to 0.001 mm. STATUS_BUG when a contour is too long for one element (65534
 * bytes). */
enum status_code rt_structure_set_build(struct dataset **ds, const struct rt_structure_input *input,
					struct status *st) STATUS_CHECKED;

#endif
