/* outline.h - the outlines of a mask, slice by slice, for objects that show a region as polylines.
 *
 * Marching squares: the outline runs where the coverage, interpolated linearly between pixel
 * centres, is one half. On exact area coverage that is the drawn contour to about a tenth of a
 * pixel. What is thinner than about half a pixel everywhere has no outline. Outside the grid
 * coverage is 0, so every outline closes; it may reach half a pixel beyond the outermost centres.
 *
 * Pure function; may run at the same time on different masks. */
#ifndef OUTLINE_H
#define OUTLINE_H

#include "mask.h"

struct outline {
	int slice;
	int points;
	float *column_row; /* 2 * points: fractional voxel column, row; the first point is repeated
			      last */
	double area_mm2;   /* signed: positive outer outline, negative hole */
};

struct outline_set {
	struct outline *outlines; /* the slice with the largest area (holes taken off) first, then
				   * the next; within a slice the largest outline first */
	int count;
};

/* All closed outlines of the mask; none for an empty one. set is untouched unless STATUS_OK; the
 * caller frees it with outline_set_free(). STATUS_RETRY: memory. */
enum status_code outline_trace(struct outline_set *set, const struct mask *mask,
			       struct status *st) STATUS_CHECKED;
void outline_set_free(struct outline_set *set);

#endif
