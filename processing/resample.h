/* resample.h - values of one volume at the voxels of another grid.
 *
 * Trilinear between voxel centres. A volume reaches to the outer faces of its voxels: a point up to
 * half a voxel outside the outermost centres takes the edge value, farther out it is NaN. Positions
 * within a millionth of a voxel of a centre are that centre, so a volume on its own grid comes back
 * bit by bit.
 *
 * Neighbours that were not measured (NaN) are left out and the other weights scaled up while at
 * least half of the weight remains; else the result is NaN. Nothing is invented: a value lies
 * between its neighbours' values.
 *
 * transform (may be NULL: identity): rigid, patient point in the target's frame of reference ->
 * patient point in the source's, three rows of four numbers, mm. With NULL both grids must share
 * their frame of reference, else STATUS_REFUSE; a transform with a value that is no number is
 * refused too.
 *
 * out is untouched unless STATUS_OK (an old volume in it is not freed); the caller frees it with
 * volume_free(). STATUS_RETRY: memory. Same bits at any thread count. */
#ifndef RESAMPLE_H
#define RESAMPLE_H

#include "volume.h"

enum status_code resample_trilinear(struct volume *out, const struct grid *to,
				    const struct volume *from, const double *transform, int threads,
				    struct status *st) STATUS_CHECKED;

/* One value, by the same rules, at a (fractional) voxel position of the volume. */
float resample_point(const struct volume *from, const double voxel[3]);

#endif
