#include "volume.h"

#include <stdlib.h>

enum status_code volume_new(struct volume *volume, const struct grid *grid, float fill,
			    struct status *st)
{
	size_t voxels = grid_voxels(grid);

	volume->grid = *grid;
	volume->samples = malloc(voxels * sizeof *volume->samples);
	if (volume->samples == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for a volume of %zu voxels",
				   voxels);
	for (size_t i = 0; i < voxels; i++)
		volume->samples[i] = fill;
	return STATUS_OK;
}

void volume_free(struct volume *volume)
{
	free(volume->samples);
	volume->samples = NULL;
}
