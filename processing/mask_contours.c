/* mask_contours.c - closed contours -> planes, slices, and what lies between them; mask_raster.h
 * fills a plane. */
#include "mask.h"
#include "mask_raster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A contour is planar when each point is this close to the mean, in slices; contours so close to
 * each other belong to one plane and combine by the even-odd rule. */
static const double PLANAR_WITHIN = 0.25;
static const double ONE_PLANE_WITHIN = 0.1;
static const double EDGE_OF_GRID = 1e-3;

enum { LARGEST_GAP = 3 };

struct contour_place {
	double slice;
	int contour;
};

static int slice_of(const struct raster_plane *plane)
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
	const struct raster_edge *p = a, *q = b;

	return (p->y0 > q->y0) - (p->y0 < q->y0);
}

/* Signed distance of a pixel centre to the outline of a plane, mm; positive inside. */
static double distance_mm(const struct raster_plane *plane, double x, double y,
			  const double pixel_mm[2])
{
	double nearest = INFINITY;
	bool inside = false;

	for (int i = 0; i < plane->n_edges; i++) {
		const struct raster_edge *edge = &plane->edges[i];
		double dx = (edge->x1 - edge->x0) * pixel_mm[0],
		       dy = (edge->y1 - edge->y0) * pixel_mm[1];
		double px = (x - edge->x0) * pixel_mm[0], py = (y - edge->y0) * pixel_mm[1];
		double along =
		    dx * dx + dy * dy > 0 ? (px * dx + py * dy) / (dx * dx + dy * dy) : 0;

		along = fmin(fmax(along, 0), 1);
		px -= along * dx;
		py -= along * dy;
		nearest = fmin(nearest, px * px + py * py);
		if (edge->y0 <= y && y < edge->y1 && mask_raster_edge_x(edge, y) < x)
			inside = !inside;
	}
	return inside ? sqrt(nearest) : -sqrt(nearest);
}

/* One slice between two drawn ones: the outline is where the signed distances, weighted by
 * nearness, add up to nothing. Only pixels that the neighbours do not agree on need the distances.
 */
static void fill_between(struct mask *mask, const struct raster_plane *before,
			 const struct raster_plane *after, int slice)
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

static void add_contour(struct raster_plane *plane, const struct grid *grid,
			const struct mask_contour *contour)
{
	double last[3], here[3];

	grid_to_voxel(grid, contour->points_mm + (ptrdiff_t)3 * (contour->points - 1), last);
	for (int i = 0; i < contour->points; i++) {
		grid_to_voxel(grid, contour->points_mm + (ptrdiff_t)3 * i, here);
		if (here[1] > last[1])
			plane->edges[plane->n_edges++] = (struct raster_edge){
			    last[0] + 0.5, last[1] + 0.5, here[0] + 0.5, here[1] + 0.5};
		else if (here[1] < last[1])
			plane->edges[plane->n_edges++] = (struct raster_edge){
			    here[0] + 0.5, here[1] + 0.5, last[0] + 0.5, last[1] + 0.5};
		memcpy(last, here, sizeof last);
	}
}

/* Corners cut the rows; those above and below the grid are its faces. */
static void sort_plane(struct raster_plane *plane, int rows)
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
	struct raster_plane *planes;
	int n_planes;
	struct raster_edge *edges;
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
		struct raster_plane *plane = &drawing->planes[drawing->n_planes];

		if (drawing->n_planes > 0 && place->slice - plane[-1].slice <= ONE_PLANE_WITHIN) {
			plane--;
		} else {
			*plane = (struct raster_plane){.slice = place->slice,
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
	struct mask_raster raster;
	size_t most_edges = 0;

	for (int p = 0; p < drawing->n_planes; p++)
		most_edges += (size_t)drawing->planes[p].n_edges;
	if (mask_raster_new(&raster, grid->columns, grid->rows, most_edges, st) != STATUS_OK)
		goto out;
	for (int p = 0, next; p < drawing->n_planes; p = next) {
		int slice = slice_of(&drawing->planes[p]);

		for (next = p + 1;
		     next < drawing->n_planes && slice_of(&drawing->planes[next]) == slice;)
			next++;
		mask_raster_fill(&raster, mask->coverage + pixels * (size_t)slice,
				 &drawing->planes[p], next - p);
	}
	for (int p = 1; p < drawing->n_planes; p++) {
		const struct raster_plane *before = &drawing->planes[p - 1],
					  *after = &drawing->planes[p];
		int gap = slice_of(after) - slice_of(before) - 1;

		for (int k = 1; gap <= LARGEST_GAP && k <= gap; k++, ++*interpolated)
			fill_between(mask, before, after, slice_of(before) + k);
	}
out:
	mask_raster_free(&raster);
	return st->code;
}

/* Only the rows and slices that an outline reaches are looked at: the rest of a fine grid is memory
 * that nobody has touched yet. */
static void update_bounds(struct mask *mask, const struct drawing *drawing)
{
	int first_row = mask->grid.rows, last_row = -1;

	for (int p = 0; p < drawing->n_planes; p++) {
		const struct raster_plane *plane = &drawing->planes[p];

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
