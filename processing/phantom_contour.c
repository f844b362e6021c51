/* phantom_contour.c - where the phantom's surfaces cut a slice plane.
 *
 * The distance function is sampled on a square lattice in the plane; wherever it changes sign along
 * a lattice edge, bisection puts a corner on the surface; the corners of each cell are joined.
 * Every edge with a corner has two neighbours, so following them gives closed polygons. */
#include "phantom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phantom_shapes.h"

struct lattice {
	const struct phantom_model *model;
	const struct phantom_voi *voi;
	double corner[3], across[3], down[3]; /* patient point of node (0, 0) and steps */
	int width, height;		      /* nodes */
	float *value;			      /* distance at the nodes */
	int32_t *link;			      /* per edge: its two neighbours, -1 none */
	double *cut;			      /* per edge: share along it */
};

/* Edges are numbered 2 * node (to the right) and 2 * node + 1 (downwards). */
static void edge_point(const struct lattice *lattice, int32_t edge, double share, double point[3])
{
	int node = edge / 2;
	double x = node % lattice->width + (edge % 2 == 0 ? share : 0);
	double y = node / lattice->width + (edge % 2 == 0 ? 0 : share);
	for (int axis = 0; axis < 3; axis++)
		point[axis] =
		    lattice->corner[axis] + x * lattice->across[axis] + y * lattice->down[axis];
}

static void cut_edge(struct lattice *lattice, int32_t edge, bool starts_inside)
{
	double in = starts_inside ? 0 : 1, out = 1 - in;
	for (int i = 0; i < 30; i++) {
		double point[3], middle = (in + out) / 2;
		edge_point(lattice, edge, middle, point);
		if (phantom_distance_mm(lattice->model, lattice->voi, point) <= 0)
			in = middle;
		else
			out = middle;
	}
	lattice->cut[edge] = (in + out) / 2;
}

static void link_edges(struct lattice *lattice, int32_t a, int32_t b)
{
	int32_t *links = lattice->link;
	links[2 * a + (links[2 * a] >= 0)] = b;
	links[2 * b + (links[2 * b] >= 0)] = a;
}

/* Joins the cut edges of the cell whose first corner is (x, y). */
static void join_cell(struct lattice *lattice, int x, int y)
{
	int node = y * lattice->width + x;
	const int corner[4] = {node, node + 1, node + 1 + lattice->width, node + lattice->width};
	const int32_t edge[4] = {2 * node, 2 * (node + 1) + 1, 2 * (node + lattice->width),
				 2 * node + 1};
	bool inside[4];
	int32_t crossed[4];
	int count = 0;
	for (int i = 0; i < 4; i++)
		inside[i] = lattice->value[corner[i]] <= 0;
	for (int i = 0; i < 4; i++)
		if (inside[i] != inside[(i + 1) % 4])
			crossed[count++] = edge[i];
	if (count == 2) {
		link_edges(lattice, crossed[0], crossed[1]);
	} else if (count == 4) {
		/* A saddle: the middle decides which corners belong together. */
		double mean = 0;
		for (int i = 0; i < 4; i++)
			mean += (double)lattice->value[corner[i]];
		int turn = (mean <= 0) == inside[0] ? 0 : 3;
		link_edges(lattice, edge[turn], edge[(turn + 1) % 4]);
		link_edges(lattice, edge[(turn + 2) % 4], edge[(turn + 3) % 4]);
	}
}

static enum status_code add_contour(struct phantom_contour_set *set, const double *points,
				    int count, int slice, struct status *st)
{
	struct phantom_contour *grown =
	    realloc(set->contours, (size_t)(set->count + 1) * sizeof *grown);
	if (grown)
		set->contours = grown;
	double *copy = malloc((size_t)count * 3 * sizeof *copy);
	if (!grown || !copy) {
		free(copy);
		return status_fail(st, STATUS_RETRY, "no memory for contours");
	}
	memcpy(copy, points, (size_t)count * 3 * sizeof *copy);
	set->contours[set->count++] = (struct phantom_contour){slice, count, copy};
	return STATUS_OK;
}

/* Follows every chain of linked edges once. */
static enum status_code follow_chains(struct phantom_contour_set *set, struct lattice *lattice,
				      int slice, struct status *st)
{
	int32_t edges = 2 * lattice->width * lattice->height;
	double *points = malloc((size_t)edges * 3 * sizeof *points);
	if (!points)
		return status_fail(st, STATUS_RETRY, "no memory for contours");
	for (int32_t start = 0; start < edges && st->code == STATUS_OK; start++) {
		int count = 0;
		for (int32_t edge = start; lattice->link[2 * edge] >= 0;) {
			int32_t *links = &lattice->link[2 * edge];
			int32_t next = lattice->link[2 * links[0]] >= 0 ? links[0] : links[1];
			edge_point(lattice, edge, lattice->cut[edge], &points[3 * count++]);
			links[0] = -1;
			edge = next;
		}
		if (count >= 3)
			(void)!add_contour(set, points, count, slice, st);
	}
	free(points);
	return st->code;
}

static enum status_code contour_slice(struct phantom_contour_set *set, struct lattice *lattice,
				      int slice, struct status *st)
{
	int nodes = lattice->width * lattice->height;
	bool any = false;
	for (int node = 0; node < nodes; node++) {
		double point[3];
		edge_point(lattice, 2 * node, 0, point);
		lattice->value[node] =
		    (float)phantom_distance_mm(lattice->model, lattice->voi, point);
		any = any || lattice->value[node] <= 0;
	}
	if (!any)
		return STATUS_OK;
	memset(lattice->link, 0xff, (size_t)nodes * 4 * sizeof *lattice->link);
	for (int node = 0; node < nodes; node++) {
		bool in = lattice->value[node] <= 0;
		bool last_column = node % lattice->width == lattice->width - 1;
		if (!last_column && in != (lattice->value[node + 1] <= 0))
			cut_edge(lattice, 2 * node, in);
		if (node + lattice->width < nodes &&
		    in != (lattice->value[node + lattice->width] <= 0))
			cut_edge(lattice, 2 * node + 1, in);
	}
	for (int y = 0; y + 1 < lattice->height; y++)
		for (int x = 0; x + 1 < lattice->width; x++)
			join_cell(lattice, x, y);
	return follow_chains(set, lattice, slice, st);
}

/* Box of the VOI in columns and rows of the grid, over all slices, with a margin. */
static void plane_box(double low[2], double high[2], const struct phantom_model *model,
		      const struct phantom_voi *voi, const struct grid *grid)
{
	double from[3], to[3];
	for (int axis = 0; axis < 3; axis++) {
		from[axis] = model->low_mm[axis];
		to[axis] = model->high_mm[axis];
		if (voi->role == PHANTOM_TUMOUR) {
			const struct phantom_ellipsoid *shape = &model->tumours[voi->tumour].shape;
			from[axis] =
			    fmax(from[axis], shape->centre_mm[axis] - shape->semi_mm[axis]);
			to[axis] = fmin(to[axis], shape->centre_mm[axis] + shape->semi_mm[axis]);
		}
	}
	low[0] = low[1] = INFINITY;
	high[0] = high[1] = -INFINITY;
	for (int corner = 0; corner < 8; corner++) {
		double patient[3], voxel[3];
		for (int axis = 0; axis < 3; axis++) {
			patient[axis] = model->origin_mm[axis];
			for (int row = 0; row < 3; row++)
				patient[axis] += model->axes[row][axis] *
						 (corner & (1 << row) ? to[row] : from[row]);
		}
		grid_to_voxel(grid, patient, voxel);
		for (int axis = 0; axis < 2; axis++) {
			low[axis] = fmin(low[axis], voxel[axis] - 2);
			high[axis] = fmax(high[axis], voxel[axis] + 2);
		}
	}
}

enum status_code phantom_contours(struct phantom_contour_set *set,
				  const struct phantom_model *model, const struct phantom_voi *voi,
				  const struct grid *grid, double step_mm, struct status *st)
{
	double low[2], high[2], step[2];
	plane_box(low, high, model, voi, grid);
	struct lattice lattice = {.model = model, .voi = voi};
	for (int axis = 0; axis < 2; axis++)
		step[axis] = step_mm / grid_spacing_mm(grid, axis);
	for (int axis = 0; axis < 3; axis++) {
		lattice.across[axis] = grid->column_step_mm[axis] * step[0];
		lattice.down[axis] = grid->row_step_mm[axis] * step[1];
	}
	lattice.width = (int)ceil((high[0] - low[0]) / step[0]) + 1;
	lattice.height = (int)ceil((high[1] - low[1]) / step[1]) + 1;
	size_t nodes = (size_t)lattice.width * (size_t)lattice.height;
	lattice.value = malloc(nodes * sizeof *lattice.value);
	lattice.link = malloc(nodes * 4 * sizeof *lattice.link);
	lattice.cut = malloc(nodes * 2 * sizeof *lattice.cut);
	*set = (struct phantom_contour_set){NULL, 0};

	if (!lattice.value || !lattice.link || !lattice.cut)
		(void)!status_fail(st, STATUS_RETRY, "no memory for contours");
	for (int slice = 0; slice < grid->slices && st->code == STATUS_OK; slice++) {
		double first[3] = {low[0], low[1], slice};
		grid_to_patient(grid, first, lattice.corner);
		(void)!contour_slice(set, &lattice, slice, st);
	}
	free(lattice.value);
	free(lattice.link);
	free(lattice.cut);
	if (st->code != STATUS_OK)
		phantom_contour_set_free(set);
	return st->code;
}

void phantom_contour_set_free(struct phantom_contour_set *set)
{
	for (int i = 0; i < set->count; i++)
		free(set->contours[i].points_mm);
	free(set->contours);
	*set = (struct phantom_contour_set){NULL, 0};
}
