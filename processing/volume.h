/* volume.h - one float per voxel of a grid.
 *
 * NaN means "not measured" and is never turned into 0: every sum says how many voxels it left out.
 */
#ifndef VOLUME_H
#define VOLUME_H

#include "grid.h"

struct volume {
	struct grid grid;
	float *samples; /* grid_voxels() values, columns fastest; owned by the volume */
};

#define VOLUME_INIT                                                                                \
	{                                                                                          \
		.samples = NULL                                                                    \
	}

/* Allocates samples, all set to fill. STATUS_RETRY without memory; volume is then empty.
 * The caller frees with volume_free(). */
enum status_code volume_new(struct volume *volume, const struct grid *grid, float fill,
			    struct status *st) STATUS_CHECKED;

/* Frees the samples; an empty volume is fine. */
void volume_free(struct volume *volume);

#endif
