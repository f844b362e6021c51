/* mask.h - how much of each voxel of a grid belongs to a volume of interest (VOI).
 *
 * Coverage is the covered share of the voxel, 0 to 1: the share of the pixel's area inside the
 * contours, in the slice plane; a contour counts for the whole thickness of its slice. So a volume
 * is a sum of coverages times the voxel volume, and a mean is weighted with them. */
#ifndef MASK_H
#define MASK_H

#include <stdbool.h>
#include <stdint.h>

#include "volume.h"

struct mask {
	struct grid grid;
	float *coverage; /* grid_voxels() values, 0..1; owned by the mask, NULL when empty */
	int first[3];	 /* voxels outside first..last (inclusive) have coverage 0; */
	int last[3];	 /* an empty mask has last < first */
};

#define MASK_INIT                                                                                  \
	{                                                                                          \
		.coverage = NULL                                                                   \
	}

/* One closed planar contour: patient points, mm, x y z after each other; the last joins the first.
 */
struct mask_contour {
	const double *points_mm; /* 3 * points values, borrowed */
	int points;
};

/* Rasterises contours by the even-odd rule: a contour inside another is a hole, a keyhole works,
 * and contours of one slice combine as exclusive or, whatever direction they are drawn in. The
 * share of each pixel's area is exact (analytic), so the volume is that of the polygons times the
 * spacing of slices.
 *
 * Which slice. A contour belongs to the slice nearest to its mean position. Contours within a tenth
 * of a slice of each other are one plane. Several planes in one slice (contours drawn on thinner
 * slices than the grid's) are averaged, never combined by the even-odd rule.
 *
 * Gaps. One to three slices without a contour between two contoured ones (contours drawn on every
 * second slice) are filled: the outline is where the signed distances to the neighbours' outlines,
 * weighted by nearness, add up to nothing. They are counted in *interpolated_slices (may be NULL).
 * A larger gap is left empty, so that two parts of a VOI above each other stay apart; whether that
 * was meant only a person can tell, so mask_empty_slices() counts them.
 *
 * Contours partly outside the grid in-plane are clipped; those of fewer than three points are
 * passed over. STATUS_REFUSE, with the number of the contour (from 1) where there is one: a contour
 * that is not drawn in a slice plane (a point farther than a quarter slice from the mean), one
 * farther than half a slice off the grid in the slice direction, no contour of three points,
 * nothing enclosed inside the image. STATUS_RETRY: memory. The mask is untouched unless STATUS_OK;
 * the caller frees it with mask_free(). */
enum status_code mask_from_contours(struct mask *mask, const struct grid *grid,
				    const struct mask_contour *contours, int n_contours,
				    int *interpolated_slices, struct status *st) STATUS_CHECKED;

/* An empty mask on a grid; the caller may fill coverage and then calls mask_update_bounds(). */
enum status_code mask_new(struct mask *mask, const struct grid *grid,
			  struct status *st) STATUS_CHECKED;
void mask_update_bounds(struct mask *mask);
/* The same where nothing is covered outside these rows and slices. */
void mask_update_bounds_within(struct mask *mask, int first_row, int last_row, int first_slice,
			       int last_slice);
/* Voxels in first..last. */
size_t mask_box_voxels(const struct mask *mask);
/* Empty again, to be filled anew on the same grid. */
void mask_clear(struct mask *mask);

/* copy is untouched unless STATUS_OK; freed with mask_free(). */
enum status_code mask_copy(struct mask *copy, const struct mask *mask,
			   struct status *st) STATUS_CHECKED;

/* a := what either covers; both on one grid. At a rim that both cover partly the larger share
 * counts; `side_by_side`: both shares, up to the whole voxel (VOIs that touch do not overlap). */
void mask_join(struct mask *a, const struct mask *b, bool side_by_side);

/* a := a minus b, coverage max(0, a - b). Same grid, else STATUS_BUG. */
enum status_code mask_subtract(struct mask *a, const struct mask *b,
			       struct status *st) STATUS_CHECKED;

/* The mask as seen on another grid of the same frame of reference. Where the grids run along the
 * same axes, coverage is the exact share of source voxels in each target voxel. Else each target
 * voxel is sampled at sub x sub x sub points, evenly inside it (sub 1 to 32); a point takes the
 * coverage of the source voxel it lies in, and volume is kept within sampling error. What lies
 * outside the new grid is cut off. to_mask is untouched unless STATUS_OK; the caller frees it with
 * mask_free(). STATUS_REFUSE across frames of reference. STATUS_RETRY: memory. */
enum status_code mask_resample(struct mask *to_mask, const struct grid *to, const struct mask *from,
			       int sub, struct status *st) STATUS_CHECKED;

/* Slices without any coverage between the first and the last with some. */
int mask_empty_slices(const struct mask *mask);

double mask_volume_ml(const struct mask *mask);

/* Volume covered by both, sum of min(a, b). Same grid. */
double mask_overlap_ml(const struct mask *a, const struct mask *b);

void mask_free(struct mask *mask);

#endif
