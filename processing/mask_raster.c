#include "mask_raster.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What rounding leaves behind in a running sum of areas. */
static const double NOTHING_BELOW = 1e-7;

enum { DEEPEST_CUT = 10 };

struct raster_crossing {
	double top, bottom; /* x at both ends of the slab */
	const struct raster_edge *edge;
};

double mask_raster_edge_x(const struct raster_edge *edge, double y)
{
	return edge->x0 + (edge->x1 - edge->x0) * ((y - edge->y0) / (edge->y1 - edge->y0));
}

/* Area to the right of an edge within columns below x = t, for an edge that runs evenly from
 * left to right over a slab of height 1. */
static double area_left_of(double t, double left, double right)
{
	if (t <= left)
		return 0;
	if (t >= right)
		return t - (left + right) / 2;
	return (t - left) * (t - left) / (2 * (right - left));
}

/* Adds `weight` times the area right of one edge, as steps between neighbouring pixels. */
static void add_edge(struct mask_raster *raster, struct raster_crossing edge, double weight)
{
	double left = fmin(edge.top, edge.bottom), right = fmax(edge.top, edge.bottom);
	double before = 0;
	int first, last;

	if (left >= raster->columns) { /* clipped: covered up to the last column */
		raster->last = raster->columns;
		return;
	}
	first = left > 0 ? (int)left : 0;
	last = right >= raster->columns ? raster->columns - 1 : right > 0 ? (int)right : 0;
	for (int i = first; i <= last; i++) {
		double covered = area_left_of(i + 1, left, right) - area_left_of(i, left, right);

		raster->steps[i] += weight * (covered - before);
		before = covered;
	}
	raster->steps[last + 1] += weight * (1 - before);
	raster->first = first < raster->first ? first : raster->first;
	raster->last = last + 1 > raster->last ? last + 1 : raster->last;
}

/* The order hardly changes from one slab to the next: insertion sort. */
static void sort_crossings(struct raster_crossing *crossings, int n)
{
	for (int i = 1; i < n; i++) {
		struct raster_crossing moving = crossings[i];
		int at = i;

		while (at > 0 && crossings[at - 1].top + crossings[at - 1].bottom >
				     moving.top + moving.bottom) {
			crossings[at] = crossings[at - 1];
			at--;
		}
		crossings[at] = moving;
	}
}

static void add_slab(struct mask_raster *raster, int n_active, double top, double bottom, int depth)
{
	bool crossed = false;

	for (int i = 0; i < n_active; i++)
		raster->crossings[i] = (struct raster_crossing){
		    mask_raster_edge_x(raster->active[i], top),
		    mask_raster_edge_x(raster->active[i], bottom), raster->active[i]};
	sort_crossings(raster->crossings, n_active);
	for (int i = 0; i < n_active; i++) {
		const struct raster_crossing *here = &raster->crossings[i];

		raster->active[i] = here->edge;
		if (i > 0 && (here[-1].top > here->top + NOTHING_BELOW ||
			      here[-1].bottom > here->bottom + NOTHING_BELOW))
			crossed = true;
	}
	if (crossed && depth < DEEPEST_CUT) {
		double middle = (top + bottom) / 2;

		add_slab(raster, n_active, top, middle, depth + 1);
		add_slab(raster, n_active, middle, bottom, depth + 1);
		return;
	}
	for (int i = 0; i < n_active; i++)
		add_edge(raster, raster->crossings[i], i % 2 == 0 ? bottom - top : top - bottom);
}

/* Edges come in pairs: behind the last of them nothing is covered. */
static void finish_row(struct mask_raster *raster, int row, float weight)
{
	float *pixels = raster->image + (size_t)row * (size_t)raster->columns;
	double covered = 0;

	for (int i = raster->first; i <= raster->last; i++) {
		covered += raster->steps[i];
		raster->steps[i] = 0;
		if (i == raster->columns)
			break;
		if (covered > 1 - NOTHING_BELOW)
			pixels[i] = fminf(pixels[i] + weight, 1);
		else if (covered > NOTHING_BELOW)
			pixels[i] += weight * (float)covered;
	}
	raster->first = raster->columns;
	raster->last = -1;
}

/* Adds one plane's coverage times weight to the slice image of the raster. */
static void add_plane(struct mask_raster *raster, const struct raster_plane *plane, float weight)
{
	int next_edge = 0, next_corner = 0, n_active = 0;
	double top;

	if (plane->n_corners < 2)
		return;
	top = plane->corners[0];
	while (top < plane->corners[plane->n_corners - 1]) {
		int row = (int)top, kept = 0;
		double bottom = row + 1;

		while (plane->corners[next_corner] <= top)
			next_corner++;
		bottom = fmin(bottom, plane->corners[next_corner]);
		while (next_edge < plane->n_edges && plane->edges[next_edge].y0 <= top)
			raster->active[n_active++] = &plane->edges[next_edge++];
		for (int i = 0; i < n_active; i++) {
			if (raster->active[i]->y1 > top)
				raster->active[kept++] = raster->active[i];
		}
		n_active = kept;
		add_slab(raster, n_active, top, bottom, 0);
		if (bottom >= row + 1 || bottom >= plane->corners[plane->n_corners - 1])
			finish_row(raster, row, weight);
		top = bottom;
	}
}

/* The rows of a slice that its planes reach are written before they are read and added to: a page
 * of fresh memory that is read first is mapped twice. */
static void clear_rows(const struct mask_raster *raster, const struct raster_plane *planes,
		       int count)
{
	int first = raster->rows, last = -1;
	for (int p = 0; p < count; p++) {
		if (planes[p].n_corners < 2)
			continue;
		first = (int)fmin(first, planes[p].corners[0]);
		last = (int)fmax(last, planes[p].corners[planes[p].n_corners - 1]);
	}
	first = first > 0 ? first : 0;
	last = last < raster->rows ? last : raster->rows - 1;
	if (last >= first)
		memset(raster->image + (size_t)first * (size_t)raster->columns, 0,
		       (size_t)(last - first + 1) * (size_t)raster->columns *
			   sizeof *raster->image);
}

void mask_raster_fill(struct mask_raster *raster, float *image, const struct raster_plane *planes,
		      int count)
{
	raster->image = image;
	clear_rows(raster, planes, count);
	for (int p = 0; p < count; p++)
		add_plane(raster, &planes[p], 1 / (float)count);
}

enum status_code mask_raster_new(struct mask_raster *raster, int columns, int rows,
				 size_t most_edges, struct status *st)
{
	*raster =
	    (struct mask_raster){.columns = columns, .rows = rows, .first = columns, .last = -1};
	raster->steps = calloc((size_t)columns + 1, sizeof *raster->steps);
	raster->crossings = malloc((most_edges + 1) * sizeof *raster->crossings);
	raster->active = malloc((most_edges + 1) * sizeof *raster->active);
	if (!raster->steps || !raster->crossings || !raster->active)
		return status_fail(st, STATUS_RETRY, "no memory to rasterise contours");
	return STATUS_OK;
}

void mask_raster_free(struct mask_raster *raster)
{
	free(raster->steps);
	free(raster->crossings);
	free(raster->active);
}
