#include "outline.h"

#include <math.h>
#include <stdlib.h>

static const float INSIDE = 0.5F;

/* One slice, seen from one pixel outside the mask's box, where coverage is 0: every outline closes.
 * A cell has four neighbouring pixel centres as corners. Crossings sit on the lines between centres
 * and are numbered: 2 * centre for the line to the right, 2 * centre + 1 for the line downwards. */
struct tracing {
	const struct mask *mask;
	int slice;
	int left, top, width, height; /* centres looked at */
	int *next;     /* 2 * width * height: crossing -> following crossing, -1: none */
	float *points; /* as many points as crossings */
	struct outline_set *set;
	int room; /* outlines allocated */
};

static float coverage_at(const struct tracing *t, int x, int y)
{
	const struct grid *grid = &t->mask->grid;
	int column = t->left + x, row = t->top + y;

	if (column < 0 || row < 0 || column >= grid->columns || row >= grid->rows)
		return 0;
	return t->mask->coverage[((size_t)t->slice * (size_t)grid->rows + (size_t)row) *
				     (size_t)grid->columns +
				 (size_t)column];
}

/* Links the crossings of one cell, the inside on the right hand when rows grow downwards. */
static void link_cell(struct tracing *t, int x, int y)
{
	float a = coverage_at(t, x, y), b = coverage_at(t, x + 1, y);
	float c = coverage_at(t, x + 1, y + 1), d = coverage_at(t, x, y + 1);
	bool in_a = a >= INSIDE, in_b = b >= INSIDE, in_c = c >= INSIDE, in_d = d >= INSIDE;
	int centre = y * t->width + x;
	int above = 2 * centre, below = 2 * (centre + t->width);
	int before = 2 * centre + 1, after = 2 * (centre + 1) + 1;
	bool centre_inside = a + b + c + d >= 4 * INSIDE;

	switch ((in_a ? 1 : 0) | (in_b ? 2 : 0) | (in_c ? 4 : 0) | (in_d ? 8 : 0)) {
	case 1:
		t->next[above] = before;
		break;
	case 2:
		t->next[after] = above;
		break;
	case 3:
		t->next[after] = before;
		break;
	case 4:
		t->next[below] = after;
		break;
	case 5: /* two opposite corners: joined when the middle is inside */
		t->next[above] = centre_inside ? after : before;
		t->next[below] = centre_inside ? before : after;
		break;
	case 6:
		t->next[below] = above;
		break;
	case 7:
		t->next[below] = before;
		break;
	case 8:
		t->next[before] = below;
		break;
	case 9:
		t->next[above] = below;
		break;
	case 10:
		t->next[before] = centre_inside ? above : below;
		t->next[after] = centre_inside ? below : above;
		break;
	case 11:
		t->next[after] = below;
		break;
	case 12:
		t->next[before] = after;
		break;
	case 13:
		t->next[above] = after;
		break;
	case 14:
		t->next[before] = above;
		break;
	default:
		break;
	}
}

/* Where coverage is one half on the line of a crossing. */
static void crossing_point(const struct tracing *t, int crossing, float point[2])
{
	int centre = crossing / 2, x = centre % t->width, y = centre / t->width;
	bool down = crossing % 2 == 1;
	float here = coverage_at(t, x, y),
	      there = coverage_at(t, down ? x : x + 1, down ? y + 1 : y);
	float part = (INSIDE - here) / (there - here);

	point[0] = (float)(t->left + x) + (down ? 0 : part);
	point[1] = (float)(t->top + y) + (down ? part : 0);
}

static double signed_area_pixels(const float *points, int n)
{
	double twice = 0;

	for (int i = 0; i + 1 < n; i++) {
		const float *p = points + (ptrdiff_t)2 * i;

		twice += (double)p[0] * (double)p[3] - (double)p[2] * (double)p[1];
	}
	return twice / 2;
}

static enum status_code keep_outline(struct tracing *t, int n, struct status *st)
{
	const struct grid *grid = &t->mask->grid;
	struct outline_set *set = t->set;
	size_t bytes = 2 * (size_t)n * sizeof(float);
	struct outline *outline;

	if (set->count == t->room) {
		int room = t->room > 0 ? 2 * t->room : 64;
		struct outline *more = realloc(set->outlines, (size_t)room * sizeof *more);

		if (more == NULL)
			return status_fail(st, STATUS_RETRY, "no memory for outlines");
		set->outlines = more;
		t->room = room;
	}
	outline = &set->outlines[set->count];
	outline->slice = t->slice;
	outline->points = n;
	outline->area_mm2 =
	    signed_area_pixels(t->points, n) * grid_spacing_mm(grid, 0) * grid_spacing_mm(grid, 1);
	outline->column_row = malloc(bytes);
	if (outline->column_row == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for an outline");
	for (int i = 0; i < 2 * n; i++)
		outline->column_row[i] = t->points[i];
	set->count++;
	return STATUS_OK;
}

/* Follows the links from one crossing back to itself and unlinks them. A pixel of exactly one half
 * puts several crossings on one point: it is kept once. */
static enum status_code follow(struct tracing *t, int first, struct status *st)
{
	int n = 0;

	for (int at = first; t->next[at] >= 0;) {
		float *point = t->points + (ptrdiff_t)2 * n;
		int next = t->next[at];

		crossing_point(t, at, point);
		if (n == 0 || point[0] != point[-2] || point[1] != point[-1])
			n++;
		t->next[at] = -1;
		at = next;
	}
	if (n > 1 && t->points[0] == t->points[2 * n - 2] && t->points[1] == t->points[2 * n - 1])
		n--;
	if (n < 3)
		return STATUS_OK;
	t->points[2 * n] = t->points[0];
	t->points[2 * n + 1] = t->points[1];
	return keep_outline(t, n + 1, st);
}

static enum status_code trace_slice(struct tracing *t, struct status *st)
{
	int crossings = 2 * t->width * t->height;

	for (int i = 0; i < crossings; i++)
		t->next[i] = -1;
	for (int y = 0; y + 1 < t->height; y++) {
		for (int x = 0; x + 1 < t->width; x++)
			link_cell(t, x, y);
	}
	for (int i = 0; i < crossings; i++) {
		if (t->next[i] >= 0 && follow(t, i, st) != STATUS_OK)
			return STATUS_RETRY;
	}
	return STATUS_OK;
}

struct ranked {
	struct outline outline;
	double slice_area_mm2;
};

static int by_area(const void *a, const void *b)
{
	const struct ranked *p = a, *q = b;
	double area_p = fabs(p->outline.area_mm2), area_q = fabs(q->outline.area_mm2);

	if (p->outline.slice != q->outline.slice) {
		if (p->slice_area_mm2 != q->slice_area_mm2)
			return p->slice_area_mm2 > q->slice_area_mm2 ? -1 : 1;
		return p->outline.slice - q->outline.slice;
	}
	if (area_p != area_q)
		return area_p > area_q ? -1 : 1;
	if (p->outline.column_row[1] != q->outline.column_row[1])
		return p->outline.column_row[1] < q->outline.column_row[1] ? -1 : 1;
	return (p->outline.column_row[0] > q->outline.column_row[0]) -
	       (p->outline.column_row[0] < q->outline.column_row[0]);
}

/* The outlines of one slice stand together in the set as it was traced. */
static enum status_code sort_outlines(struct outline_set *set, struct status *st)
{
	struct ranked *ranked = malloc(((size_t)set->count + 1) * sizeof *ranked);

	if (ranked == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to sort outlines");
	for (int i = 0, end; i < set->count; i = end) {
		double area_mm2 = 0;

		for (end = i;
		     end < set->count && set->outlines[end].slice == set->outlines[i].slice; end++)
			area_mm2 += set->outlines[end].area_mm2;
		for (int o = i; o < end; o++)
			ranked[o] = (struct ranked){set->outlines[o], area_mm2};
	}
	qsort(ranked, (size_t)set->count, sizeof *ranked, by_area);
	for (int i = 0; i < set->count; i++)
		set->outlines[i] = ranked[i].outline;
	free(ranked);
	return STATUS_OK;
}

enum status_code outline_trace(struct outline_set *set, const struct mask *mask, struct status *st)
{
	struct outline_set found = {.outlines = NULL};
	struct tracing t = {.mask = mask,
			    .left = mask->first[0] - 1,
			    .top = mask->first[1] - 1,
			    .width = mask->last[0] - mask->first[0] + 3,
			    .height = mask->last[1] - mask->first[1] + 3,
			    .set = &found};
	enum status_code code = STATUS_OK;

	if (mask->last[2] >= mask->first[2]) {
		size_t crossings = 2 * (size_t)t.width * (size_t)t.height;

		t.next = malloc(crossings * sizeof *t.next);
		t.points = malloc(2 * (crossings + 2) * sizeof *t.points);
		if (t.next == NULL || t.points == NULL)
			code = status_fail(st, STATUS_RETRY, "no memory to trace outlines");
	}
	for (t.slice = mask->first[2]; code == STATUS_OK && t.slice <= mask->last[2]; t.slice++)
		code = trace_slice(&t, st);
	if (code == STATUS_OK)
		code = sort_outlines(&found, st);
	if (code == STATUS_OK)
		*set = found;
	else
		outline_set_free(&found);
	free(t.next);
	free(t.points);
	return code;
}

void outline_set_free(struct outline_set *set)
{
	for (int i = 0; i < set->count; i++)
		free(set->outlines[i].column_row);
	free(set->outlines);
	*set = (struct outline_set){.outlines = NULL};
}
