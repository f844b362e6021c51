/* ball.h - the voxels within a distance of a voxel, as steps on a grid; the nearest first. */
#ifndef BALL_H
#define BALL_H

#include "grid.h"

struct ball_step {
	int by[3]; /* columns, rows, slices */
	float distance_mm;
};

struct ball {
	struct ball_step *steps; /* by rising distance, the voxel itself first; owned */
	size_t count;
};

/* Centres within radius_mm (>= 0, finite). STATUS_RETRY: memory. Freed with ball_free(). */
enum status_code ball_make(struct ball *ball, const struct grid *grid, double radius_mm,
			   struct status *st) STATUS_CHECKED;
void ball_free(struct ball *ball);

#endif
