/* mask.h - how much of each voxel of a grid belongs to a volume of interest (VOI).
 *
 * Coverage is the covered share of the voxel, 0 to 1: the share of the pixel's area inside the
 * contours, in the slice plane; a contour counts for the whole thickness of its slice. So a volume
 * is a sum of coverages times the voxel volume, and a mean is weighted with them. */
#ifndef MASK_H
#define MASK_H

#include <stdint.h>

#include "volume.h"

struct mask {
	struct grid grid;
	float *coverage; /* grid_voxels() values, 0..1; owned by the mask */
	int first[3];    /* voxels outside first..last (inclusive) have coverage 0; */
	int last[3];     /* an empty mask has last < first */
};

#define MASK_INIT                                                                                  \
	{                                                                                          \
		.coverage = NULL                                                                   \
	}

/* One closed planar contour: patient points, mm, x y z after each other; the last joins the first. */
struct mask_contour {
	const double *points_mm; /* 3 * points values, borrowed */
	int points;
};

/* Rasterises contours by the even-odd rule (a contour inside another is a hole; a keyhole works; XOR
 * contours of one slice combine the same way), with exact area coverage in the plane of the slice.
 * Each contour belongs to the slice nearest to its mean position; contours must lie in a slice plane:
 * STATUS_REFUSE with the contour's number when it is tilted, or farther than half a slice off the
 * grid in the slice direction, and when no contour has three points. Contours partly outside the
 * grid in-plane are clipped.
 * Slices between two contoured slices that have no contour of their own (contours drawn on every
 * second slice) are filled by shape-based interpolation (signed distance) between the neighbours when the
 * gap is at most three slices, and counted in *interpolated_slices (may be NULL); a larger gap is left
 * empty. Two separate parts along the slice direction with a larger gap are therefore kept apart.
 * The caller frees with mask_free(). */
enum status_code mask_from_contours(struct mask *mask, const struct grid *grid,
                                    const struct mask_contour *contours, int n_contours,
                                    int *interpolated_slices, struct status *st) STATUS_CHECKED;

/* An empty mask on a grid; the caller may fill coverage and then calls mask_update_bounds(). */
enum status_code mask_new(struct mask *mask, const struct grid *grid, struct status *st) STATUS_CHECKED;
void mask_update_bounds(struct mask *mask);

/* a := a minus b, coverage max(0, a - b). Same grid, else STATUS_BUG. */
enum status_code mask_subtract(struct mask *a, const struct mask *b, struct status *st) STATUS_CHECKED;

/* The mask as seen on another grid of the same frame: each voxel of `to` is sub-sampled
 * (sub x sub x sub points); a point takes the coverage of the source voxel it lies in. Volume is kept within
 * sampling error. STATUS_REFUSE across frames of reference. */
enum status_code mask_resample(struct mask *to_mask, const struct grid *to, const struct mask *from,
                               int sub, struct status *st) STATUS_CHECKED;

double mask_volume_ml(const struct mask *mask);

/* Volume covered by both, sum of min(a, b). Same grid. */
double mask_overlap_ml(const struct mask *a, const struct mask *b);

void mask_free(struct mask *mask);

#endif
