/* outline.h - the outlines of a mask, slice by slice, for objects that show a region as polylines.
 *
 * Marching squares at half coverage: the outline runs where the linearly interpolated coverage is 0.5,
 * which is the drawn contour to about a tenth of a pixel. */
#ifndef OUTLINE_H
#define OUTLINE_H

#include "mask.h"

struct outline {
	int slice;
	int points;
	float *column_row; /* 2 * points: fractional voxel column, row; the first point is repeated last */
	double area_mm2;   /* signed: positive outer outline, negative hole */
};

struct outline_set {
	struct outline *outlines; /* slice with the largest area first, then by falling area */
	int count;
};

/* All closed outlines of the mask. The caller frees with outline_set_free(). STATUS_RETRY: memory. */
enum status_code outline_trace(struct outline_set *set, const struct mask *mask, struct status *st)
        STATUS_CHECKED;
void outline_set_free(struct outline_set *set);

#endif
