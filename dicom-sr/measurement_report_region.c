/* measurement_report_region.c - the region of a group: outlines as polylines on images */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measurement_report_parts.h"

#define THINNING_PIXELS                                                                            \
	0.05 /* no point of an outline is farther than this from what is written                   \
	      */
#define THINNING_MAX_PIXELS 0.1
#define POINTS_WANTED	    200 /* per outline; more only where 0.1 pixel cannot be kept otherwise */

static double distance_to_segment(const float *point, const float *from, const float *to)
{
	double along[2] = {(double)to[0] - (double)from[0], (double)to[1] - (double)from[1]};
	double way[2] = {(double)point[0] - (double)from[0], (double)point[1] - (double)from[1]};
	double length2 = along[0] * along[0] + along[1] * along[1];
	double share = length2 > 0.0 ? (way[0] * along[0] + way[1] * along[1]) / length2 : 0.0;

	share = fmin(fmax(share, 0.0), 1.0);
	return hypot(way[0] - share * along[0], way[1] - share * along[1]);
}

/* Marks what must stay between two kept points: the farthest point, while it is farther than the
 * tolerance, and so on in both halves. todo holds pairs of ends still to be looked at: never more
 * than the points there are. */
static int keep_between(bool *keep, const float *points, int first, int last, double tolerance,
			int *todo)
{
	int kept = 0, pending = 0;

	todo[pending++] = first;
	todo[pending++] = last;
	while (pending > 0) {
		int to = todo[--pending], from = todo[--pending], farthest = -1;
		double most = tolerance;
		for (int i = from + 1; i < to; i++) {
			double distance =
			    distance_to_segment(points + 2 * i, points + 2 * from, points + 2 * to);
			if (distance > most) {
				most = distance;
				farthest = i;
			}
		}
		if (farthest < 0)
			continue;
		keep[farthest] = true;
		kept++;
		todo[pending++] = from;
		todo[pending++] = farthest;
		todo[pending++] = farthest;
		todo[pending++] = to;
	}
	return kept;
}

/* A closed line has no ends: it is cut at its first point and at the one farthest from it. */
static int mark_points(bool *keep, const float *points, int count, double tolerance, int *todo)
{
	int opposite = 1;
	double most = -1.0;

	memset(keep, 0, (size_t)count * sizeof *keep);
	for (int i = 1; i < count - 1; i++) {
		double distance = hypot((double)points[2 * i] - (double)points[0],
					(double)points[2 * i + 1] - (double)points[1]);
		if (distance > most) {
			most = distance;
			opposite = i;
		}
	}
	keep[0] = keep[opposite] = keep[count - 1] = true;
	return 3 + keep_between(keep, points, 0, opposite, tolerance, todo) +
	       keep_between(keep, points, opposite, count - 1, tolerance, todo);
}

/* Thins an outline into written (pixel coordinates of an image: centres at .5). Returns the number
 * of points. */
static int thin(float *written, bool *keep, int *todo, const struct outline *outline)
{
	const float *points = outline->column_row;
	int count = outline->points, kept, out = 0;

	kept = mark_points(keep, points, count, THINNING_PIXELS, todo);
	if (kept > POINTS_WANTED)
		kept = mark_points(keep, points, count, THINNING_MAX_PIXELS, todo);
	for (int i = 0; i < count; i++) {
		if (!keep[i] && kept >= 4) /* a region needs three corners */
			continue;
		written[2 * out] = points[2 * i] + 0.5f;
		written[2 * out + 1] = points[2 * i + 1] + 0.5f;
		out++;
	}
	return out;
}

/* The region as the structure set has it; for VOIs too small for an outline at half coverage. */
static void region_in_space(struct sr_tree *tree, const struct report_input *input, int voi)
{
	char number[16];

	for (int s = 0; s < input->evidence->n_series; s++) {
		const struct evidence_series *series = &input->evidence->series[s];
		if (series->role != EVIDENCE_VOIS || series->n_instances == 0)
			continue;
		sr_tree_composite(tree, SR_CONTAINS, code_get(CODE_REGION_IN_SPACE),
				  &series->instances[0]);
		if (input->vois[voi].roi_number < 0)
			return; /* a group of regions has none of its own */
		snprintf(number, sizeof number, "%d", input->vois[voi].roi_number);
		sr_tree_enter(tree);
		sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_ROI_IDENTIFIER), number);
		sr_tree_leave(tree);
		return;
	}
}

enum status_code report_outlines(struct sr_tree *tree, int *shown, const struct report_input *input,
				 const struct outline_set *set, const char *name, struct status *st)
{
	int most = 0;
	float *written = NULL;
	bool *keep = NULL;
	int *todo = NULL;

	*shown = 0;
	for (int i = 0; set && i < set->count; i++)
		most = set->outlines[i].points > most ? set->outlines[i].points : most;
	if (most == 0)
		return STATUS_OK;
	written = malloc(2 * (size_t)most * sizeof *written);
	keep = malloc((size_t)most * sizeof *keep);
	todo = malloc((4 * (size_t)most + 4) * sizeof *todo);
	if (!written || !keep || !todo) {
		status_fail(st, STATUS_RETRY, "out of memory for the outlines of a report");
		goto out;
	}
	for (int i = 0; i < set->count; i++) {
		const struct outline *outline = &set->outlines[i];
		int points;
		if (outline->slice < 0 || outline->slice >= input->evidence->n_grid_images) {
			status_fail(st, STATUS_BUG, "outline of \"%s\" on slice %d of %d", name,
				    outline->slice, input->evidence->n_grid_images);
			goto out;
		}
		if (outline->points < REPORT_OUTLINE_POINTS)
			continue;
		points = thin(written, keep, todo, outline);
		sr_tree_polyline(tree, SR_CONTAINS, code_get(CODE_IMAGE_REGION), written, points);
		sr_tree_enter(tree);
		sr_tree_image(tree, SR_SELECTED_FROM, NULL,
			      &input->evidence->grid_images[outline->slice]);
		sr_tree_leave(tree);
		++*shown;
	}
out:
	free(written);
	free(keep);
	free(todo);
	return st->code;
}

enum status_code report_region(struct sr_tree *tree, const struct report_input *input, int voi,
			       struct status *st)
{
	int shown;

	if (report_outlines(tree, &shown, input, input->vois[voi].outlines, input->vois[voi].name,
			    st) != STATUS_OK)
		return st->code;
	if (shown == 0)
		region_in_space(tree, input, voi);
	return STATUS_OK;
}
