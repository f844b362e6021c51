/* resample_place.h - where a position falls between the samples of an axis; for the files of
 * resampling only. */
#ifndef RESAMPLE_PLACE_H
#define RESAMPLE_PLACE_H

#include <math.h>
#include <stdbool.h>

/* Positions are compared in voxels of the source. Rounding of the two grids' decimals (about 1e-9)
 * must not blur an identity nor push the outermost face out of the volume. */
static const double SNAP_VOXEL = 1e-6;

/* Where one coordinate falls: between samples `low` and `low + step`, `part` of the way. */
struct between {
	int low;
	int step; /* 0 at the last sample, else 1 */
	float part;
};

/* False outside the volume. */
static inline bool locate(double position, int size, struct between *where)
{
	double whole = floor(position + 0.5);

	if (!(position >= -0.5 - SNAP_VOXEL && position <= size - 0.5 + SNAP_VOXEL))
		return false;
	if (fabs(position - whole) <= SNAP_VOXEL)
		position = whole;
	if (position <= 0) {
		*where = (struct between){.low = 0, .step = 0, .part = 0};
	} else if (position >= size - 1) {
		*where = (struct between){.low = size - 1, .step = 0, .part = 0};
	} else {
		int low = (int)position;

		*where = (struct between){.low = low, .step = 1, .part = (float)(position - low)};
	}
	return true;
}

#endif
