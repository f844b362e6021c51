/* mask_raster.h - closed outlines in one plane -> the covered share of every pixel, by the even-odd
 * rule; a part of mask_contours.c, not for others.
 *
 * The rows of pixels are cut at every corner of every outline into slabs in which the edges are
 * straight and end nowhere. Sorted from left to right, edges of odd rank enter the region and those
 * of even rank leave it, whatever direction they were drawn in; each adds, with that sign, the
 * exact area to its right. Where edges cross inside a slab, the slab is cut again. */
#ifndef MASK_RASTER_H
#define MASK_RASTER_H

#include <stddef.h>

#include "status.h"

/* Pixel coordinates whose whole numbers are the *faces* of pixels; y0 < y1. */
struct raster_edge {
	double x0, y0, x1, y1;
};

struct raster_plane {
	double slice;		   /* mean position in slices, fractional */
	struct raster_edge *edges; /* by rising y0 */
	double *corners;	   /* y of every corner, rising, inside the grid */
	int n_edges, n_corners;
};

struct raster_crossing;

struct mask_raster {
	int columns, rows;
	double
	    *steps; /* columns + 1 values: what each pixel of this row adds to the running area */
	float *image;
	struct raster_crossing *crossings;
	const struct raster_edge **active;
	int first, last; /* steps of this row that are not 0 lie between them */
};

/* For planes with at most most_edges edges. STATUS_RETRY: memory; freed by mask_raster_free() in
 * any case. */
enum status_code mask_raster_new(struct mask_raster *raster, int columns, int rows,
				 size_t most_edges, struct status *st) STATUS_CHECKED;
void mask_raster_free(struct mask_raster *raster);

/* The image of one slice (rows * columns): the mean of its planes, where it was 0. */
void mask_raster_fill(struct mask_raster *raster, float *image, const struct raster_plane *planes,
		      int count);

/* Where an edge is at a height. */
double mask_raster_edge_x(const struct raster_edge *edge, double y);

#endif
