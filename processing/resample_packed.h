/* resample_packed.h - several values per voxel, looked up together at the voxels of another grid.
 *
 * The rule is that of resample.h, for each value by itself, and so are the bits; what is shared is
 * the way there: place, weights, and one load for all values of a neighbour. Made for loops that
 * use the values at once, so that no volume of them has to be written. */
#ifndef RESAMPLE_PACKED_H
#define RESAMPLE_PACKED_H

#include "volume.h"

enum { RESAMPLE_PACKED_VALUES = 3 };

/* Four floats, the last unused: one register. */
typedef float packed_values __attribute__((vector_size(16)));

/* The box of voxels where the first value is a number, and one voxel around it. */
struct resample_packed {
	struct grid grid;
	int first[3], last[3];	/* last < first: no value anywhere */
	packed_values *samples; /* of the box; owned */
};

/* values: volumes on one grid. Freed with resample_packed_free(). STATUS_RETRY: memory. */
enum status_code resample_packed_new(struct resample_packed *packed,
				     const struct volume *const values[RESAMPLE_PACKED_VALUES],
				     struct status *st) STATUS_CHECKED;
void resample_packed_free(struct resample_packed *packed);

/* From the voxels of a target grid to those of the source. */
struct resample_way {
	double matrix[3][3], offset[3];
};

/* to: the target as the source's frame of reference sees it. */
void resample_packed_find_way(struct resample_way *way, const struct grid *to,
			      const struct resample_packed *packed);

/* The columns first..last (none: last < first) of a row of the target that may have values; all
 * others have none. */
void resample_packed_reach(int *first, int *last, const struct resample_packed *packed,
			   const struct resample_way *way, int columns, int row, int slice);

/* The columns first..last of a row. */
void resample_packed_row(packed_values *values, const struct resample_packed *packed,
			 const struct resample_way *way, int first, int last, int row, int slice);
packed_values resample_packed_at(const struct resample_packed *packed,
				 const struct resample_way *way, int column, int row, int slice);

#endif
