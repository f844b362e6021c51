/* resample.h - values of one volume at the voxels of another grid.
 *
 * Trilinear. A point up to half a voxel outside the outermost centres takes the edge value (a volume
 * reaches to the outer faces of its voxels); farther out is NaN. NaN neighbours are left out and the
 * weights renormalised when at least half of the weight remains, else the result is NaN.
 * transform (may be NULL: identity): rigid, patient point in the target's frame -> patient point in the
 * source's frame, row-major 3x4, mm. With NULL both grids must share their frame of reference, else
 * STATUS_REFUSE. Same bits at any thread count. */
#ifndef RESAMPLE_H
#define RESAMPLE_H

#include "volume.h"

enum status_code resample_trilinear(struct volume *out, const struct grid *to,
                                    const struct volume *from, const double *transform, int threads,
                                    struct status *st) STATUS_CHECKED;

#endif
