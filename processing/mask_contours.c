/* mask_contours.c - closed contours to the covered share of every pixel, by the even-odd rule.
 *
 * In a plane: the rows of pixels are cut at every corner of every contour into slabs in which the
 * edges are straight and end nowhere. Sorted from left to right, edges of odd rank enter the region
 * and those of even rank leave it, whatever direction they were drawn in; each adds, with that
 * sign, the exact area to its right. Where edges cross inside a slab, the slab is cut again. */
#include "mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A contour is planar when each point is this close to the mean, in slices; contours so close to
 * each other belong to one plane and combine by the even-odd rule. */
static const double PLANAR_WITHIN = 0.25;
static const double ONE_PLANE_WITHIN = 0.1;
static const double EDGE_OF_GRID = 1e-3;

/* What rounding leaves behind in a running sum of areas. */
static const double NOTHING_BELOW = 1e-7;

enum { LARGEST_GAP = 3, DEEPEST_CUT = 10 };

/* Pixel coordinates whose whole numbers are the *faces* of pixels; y0 < y1. */
struct edge {
	double x0, y0, x1, y1;
};

struct plane {
	double slice; /* mean position in slices, fractional */
	struct edge *edges;
	double *corners; /* y of every corner, rising, inside the grid */
	int n_edges, n_corners;
};

struct contour_place {
	double slice;
	int contour;
};

struct crossing {
	double top, bottom; /* x at both ends of the slab */
	const struct edge *edge;
};

struct raster {
	int columns, rows;
	double
	    *steps; /* columns + 1 values: what each pixel of this row adds to the running area */
	float *image;
	struct crossing *crossings;
	const struct edge **active;
	int first, last; /* steps of this row that are not 0 lie between them */
};

static int slice_of(const struct plane *plane)
{
	return (int)floor(plane->slice + 0.5);
}

static int by_slice(const void *a, const void *b)
{
	const struct contour_place *p = a, *q = b;

	if (p->slice != q->slice)
		return p->slice < q->slice ? -1 : 1;
	return p->contour - q->contour;
}

static int by_value(const void *a, const void *b)
{
	const double *p = a, *q = b;

	return (*p > *q) - (*p < *q);
}

static int by_top(const void *a, const void *b)
{
	const struct edge *p = a, *q = b;

	return (p->y0 > q->y0) - (p->y0 < q->y0);
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
static void add_edge(struct raster *raster, struct crossing edge, double weight)
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

static double x_at(const struct edge *edge, double y)
{
	return edge->x0 + (edge->x1 - edge->x0) * ((y - edge->y0) / (edge->y1 - edge->y0));
}

/* The order hardly changes from one slab to the next: insertion sort. */
static void sort_crossings(struct crossing *crossings, int n)
{
	for (int i = 1; i < n; i++) {
		struct crossing moving = crossings[i];
		int at = i;

		while (at > 0 && crossings[at - 1].top + crossings[at - 1].bottom >
				     moving.top + moving.bottom) {
			crossings[at] = crossings[at - 1];
			at--;
		}
		crossings[at] = moving;
	}
}

static void add_slab(struct raster *raster, int n_active, double top, double bottom, int depth)
{
	bool crossed = false;

	for (int i = 0; i < n_active; i++)
		raster->crossings[i] =
		    (struct crossing){x_at(raster->active[i], top), x_at(raster->active[i], bottom),
				      raster->active[i]};
	sort_crossings(raster->crossings, n_active);
	for (int i = 0; i < n_active; i++) {
		const struct crossing *here = &raster->crossings[i];

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
static void finish_row(struct raster *raster, int row, float weight)
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
static void add_plane(struct raster *raster, const struct plane *plane, float weight)
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
static void clear_rows(const struct raster *raster, const struct plane *planes, int count)
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

/* Signed distance of a pixel centre to the outline of a plane, mm; positive inside. */
static double distance_mm(const struct plane *plane, double x, double y, const double pixel_mm[2])
{
	double nearest = INFINITY;
	bool inside = false;

	for (int i = 0; i < plane->n_edges; i++) {
		const struct edge *edge = &plane->edges[i];
		double dx = (edge->x1 - edge->x0) * pixel_mm[0],
		       dy = (edge->y1 - edge->y0) * pixel_mm[1];
		double px = (x - edge->x0) * pixel_mm[0], py = (y - edge->y0) * pixel_mm[1];
		double along =
		    dx * dx + dy * dy > 0 ? (px * dx + py * dy) / (dx * dx + dy * dy) : 0;

		along = fmin(fmax(along, 0), 1);
		px -= along * dx;
		py -= along * dy;
		nearest = fmin(nearest, px * px + py * py);
		if (edge->y0 <= y && y < edge->y1 && x_at(edge, y) < x)
			inside = !inside;
	}
	return inside ? sqrt(nearest) : -sqrt(nearest);
}

/* One slice between two drawn ones: the outline is where the signed distances, weighted by
 * nearness, add up to nothing. Only pixels that the neighbours do not agree on need the distances.
 */
static void fill_between(struct mask *mask, const struct plane *before, const struct plane *after,
			 int slice)
{
	const struct grid *grid = &mask->grid;
	const size_t pixels = (size_t)grid->columns * (size_t)grid->rows;
	const double pixel_mm[2] = {grid_spacing_mm(grid, 0), grid_spacing_mm(grid, 1)};
	const double part = (slice - before->slice) / (after->slice - before->slice);
	const float *lower = mask->coverage + pixels * (size_t)slice_of(before);
	const float *upper = mask->coverage + pixels * (size_t)slice_of(after);
	float *image = mask->coverage + pixels * (size_t)slice;

	for (size_t at = 0; at < pixels; at++) {
		double x = (double)(at % (size_t)grid->columns) + 0.5;
		double y = (double)(at / (size_t)grid->columns) + 0.5;

		if ((lower[at] >= 1 && upper[at] >= 1) || (lower[at] <= 0 && upper[at] <= 0)) {
			image[at] = lower[at];
		} else {
			double mm = (1 - part) * distance_mm(before, x, y, pixel_mm) +
				    part * distance_mm(after, x, y, pixel_mm);
			double covered = 0.5 + mm / sqrt(pixel_mm[0] * pixel_mm[1]);

			image[at] = (float)fmin(fmax(covered, 0), 1);
		}
	}
}

/* Mean position of a contour in slices; refuses what is not drawn in a slice plane of the grid. */
static enum status_code place_contour(struct contour_place *place, const struct grid *grid,
				      const struct mask_contour *contour, int number,
				      struct status *st)
{
	double lowest = INFINITY, highest = -INFINITY, sum = 0;

	for (int i = 0; i < contour->points; i++) {
		double voxel[3];

		grid_to_voxel(grid, contour->points_mm + (ptrdiff_t)3 * i, voxel);
		if (!(fabs(voxel[0]) < 1e6 && fabs(voxel[1]) < 1e6 && fabs(voxel[2]) < 1e6))
			return status_fail(st, STATUS_REFUSE,
					   "contour %d has a point that is nowhere near the image",
					   number);
		lowest = fmin(lowest, voxel[2]);
		highest = fmax(highest, voxel[2]);
		sum += voxel[2];
	}
	place->slice = sum / contour->points;
	if (highest - place->slice > PLANAR_WITHIN || place->slice - lowest > PLANAR_WITHIN)
		return status_fail(
		    st, STATUS_REFUSE,
		    "contour %d is not drawn in a slice of the image: its points span "
		    "%.2f slices",
		    number, highest - lowest);
	if (place->slice < -0.5 - EDGE_OF_GRID || place->slice > grid->slices - 0.5 + EDGE_OF_GRID)
		return status_fail(st, STATUS_REFUSE,
				   "contour %d lies outside the image, at slice %.2f of 1 to %d",
				   number, place->slice + 1, grid->slices);
	place->slice = fmin(fmax(place->slice, -0.499999), grid->slices - 0.500001);
	return STATUS_OK;
}

static void add_contour(struct plane *plane, const struct grid *grid,
			const struct mask_contour *contour)
{
	double last[3], here[3];

	grid_to_voxel(grid, contour->points_mm + (ptrdiff_t)3 * (contour->points - 1), last);
	for (int i = 0; i < contour->points; i++) {
		grid_to_voxel(grid, contour->points_mm + (ptrdiff_t)3 * i, here);
		if (here[1] > last[1])
			plane->edges[plane->n_edges++] = (struct edge){
			    last[0] + 0.5, last[1] + 0.5, here[0] + 0.5, here[1] + 0.5};
		else if (here[1] < last[1])
			plane->edges[plane->n_edges++] = (struct edge){
			    here[0] + 0.5, here[1] + 0.5, last[0] + 0.5, last[1] + 0.5};
		memcpy(last, here, sizeof last);
	}
}

/* Corners cut the rows; those above and below the grid are its faces. */
static void sort_plane(struct plane *plane, int rows)
{
	plane->n_corners = 0;
	qsort(plane->edges, (size_t)plane->n_edges, sizeof *plane->edges, by_top);
	for (int i = 0; i < plane->n_edges; i++) {
		plane->corners[plane->n_corners++] = fmin(fmax(plane->edges[i].y0, 0), rows);
		plane->corners[plane->n_corners++] = fmin(fmax(plane->edges[i].y1, 0), rows);
	}
	qsort(plane->corners, (size_t)plane->n_corners, sizeof *plane->corners, by_value);
}

/* All contours, sorted by position, as planes that share two arrays. */
struct drawing {
	struct plane *planes;
	int n_planes;
	struct edge *edges;
	double *corners;
	struct contour_place *places;
};

static void drawing_free(struct drawing *drawing)
{
	free(drawing->planes);
	free(drawing->edges);
	free(drawing->corners);
	free(drawing->places);
}

static enum status_code drawing_new(struct drawing *drawing, const struct grid *grid,
				    const struct mask_contour *contours, int n_contours,
				    struct status *st)
{
	size_t points = 0, used = 0;
	int usable = 0;

	for (int c = 0; c < n_contours; c++)
		points += contours[c].points >= 3 ? (size_t)contours[c].points : 0;
	if (points == 0)
		return status_fail(st, STATUS_REFUSE, "no closed contour of three points or more");
	drawing->planes = calloc((size_t)n_contours, sizeof *drawing->planes);
	drawing->places = calloc((size_t)n_contours, sizeof *drawing->places);
	drawing->edges = malloc(points * sizeof *drawing->edges);
	drawing->corners = malloc(2 * points * sizeof *drawing->corners);
	if (drawing->planes == NULL || drawing->places == NULL || drawing->edges == NULL ||
	    drawing->corners == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for %zu contour points", points);
	for (int c = 0; c < n_contours; c++) {
		if (contours[c].points < 3)
			continue;
		drawing->places[usable].contour = c;
		if (place_contour(&drawing->places[usable], grid, &contours[c], c + 1, st) !=
		    STATUS_OK)
			return STATUS_REFUSE;
		usable++;
	}
	qsort(drawing->places, (size_t)usable, sizeof *drawing->places, by_slice);
	for (int p = 0; p < usable; p++) {
		const struct contour_place *place = &drawing->places[p];
		struct plane *plane = &drawing->planes[drawing->n_planes];

		if (drawing->n_planes > 0 && place->slice - plane[-1].slice <= ONE_PLANE_WITHIN) {
			plane--;
		} else {
			*plane = (struct plane){.slice = place->slice,
						.edges = drawing->edges + used,
						.corners = drawing->corners + 2 * used};
			drawing->n_planes++;
		}
		add_contour(plane, grid, &contours[place->contour]);
		used += (size_t)contours[place->contour].points;
	}
	for (int p = 0; p < drawing->n_planes; p++)
		sort_plane(&drawing->planes[p], grid->rows);
	return STATUS_OK;
}

static enum status_code rasterise(struct mask *mask, const struct drawing *drawing,
				  int *interpolated, struct status *st)
{
	const struct grid *grid = &mask->grid;
	const size_t pixels = (size_t)grid->columns * (size_t)grid->rows;
	struct raster raster = {
	    .columns = grid->columns, .rows = grid->rows, .first = grid->columns, .last = -1};
	enum status_code code = STATUS_OK;
	size_t most_edges = 1;

	for (int p = 0; p < drawing->n_planes; p++)
		most_edges += (size_t)drawing->planes[p].n_edges;
	raster.steps = calloc((size_t)grid->columns + 1, sizeof *raster.steps);
	raster.crossings = malloc(most_edges * sizeof *raster.crossings);
	raster.active = malloc(most_edges * sizeof *raster.active);
	if (raster.steps == NULL || raster.crossings == NULL || raster.active == NULL) {
		code = status_fail(st, STATUS_RETRY, "no memory to rasterise contours");
		goto out;
	}
	for (int p = 0, next; p < drawing->n_planes; p = next) {
		int slice = slice_of(&drawing->planes[p]);

		for (next = p + 1;
		     next < drawing->n_planes && slice_of(&drawing->planes[next]) == slice;)
			next++;
		raster.image = mask->coverage + pixels * (size_t)slice;
		clear_rows(&raster, &drawing->planes[p], next - p);
		for (int q = p; q < next; q++)
			add_plane(&raster, &drawing->planes[q], 1 / (float)(next - p));
	}
	for (int p = 1; p < drawing->n_planes; p++) {
		const struct plane *before = &drawing->planes[p - 1], *after = &drawing->planes[p];
		int gap = slice_of(after) - slice_of(before) - 1;

		for (int k = 1; gap <= LARGEST_GAP && k <= gap; k++, ++*interpolated)
			fill_between(mask, before, after, slice_of(before) + k);
	}
out:
	free(raster.steps);
	free(raster.crossings);
	free(raster.active);
	return code;
}

/* Only the rows and slices that an outline reaches are looked at: the rest of a fine grid is memory
 * that nobody has touched yet. */
static void update_bounds(struct mask *mask, const struct drawing *drawing)
{
	int first_row = mask->grid.rows, last_row = -1;

	for (int p = 0; p < drawing->n_planes; p++) {
		const struct plane *plane = &drawing->planes[p];

		if (plane->n_corners < 2)
			continue;
		int top = (int)plane->corners[0];
		int bottom = (int)plane->corners[plane->n_corners - 1];

		first_row = top < first_row ? top : first_row;
		last_row = bottom > last_row ? bottom : last_row;
	}
	if (last_row >= mask->grid.rows)
		last_row = mask->grid.rows - 1;
	mask_update_bounds_within(mask, first_row, last_row, slice_of(&drawing->planes[0]),
				  slice_of(&drawing->planes[drawing->n_planes - 1]));
}

enum status_code mask_from_contours(struct mask *mask, const struct grid *grid,
				    const struct mask_contour *contours, int n_contours,
				    int *interpolated_slices, struct status *st)
{
	struct drawing drawing = {.n_planes = 0};
	struct mask result = MASK_INIT;
	int interpolated = 0;
	enum status_code code = drawing_new(&drawing, grid, contours, n_contours, st);

	if (code == STATUS_OK)
		code = mask_new(&result, grid, st);
	if (code == STATUS_OK)
		code = rasterise(&result, &drawing, &interpolated, st);
	if (code == STATUS_OK) {
		update_bounds(&result, &drawing);
		if (result.last[2] < 0)
			code = status_fail(st, STATUS_REFUSE,
					   "the contours enclose nothing inside the image");
	}
	if (code == STATUS_OK) {
		*mask = result;
		if (interpolated_slices != NULL)
			*interpolated_slices = interpolated;
	} else {
		mask_free(&result);
	}
	drawing_free(&drawing);
	return code;
}
