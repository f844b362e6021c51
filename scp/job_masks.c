/* job_masks.c - contours to masks on the result grid. */
#include "job_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "parallel.h"

#define GRID_TOLERANCE_MM 1e-2
#define CUT_OFF_TOLD	  0.01 /* of a region's volume, outside the result grid */

struct rasterising {
	struct job_case *c;
	const struct grid *drawn_on;
	int interpolated[DOSIMETRY_MAX_VOIS], empty[DOSIMETRY_MAX_VOIS];
	double drawn_ml[DOSIMETRY_MAX_VOIS]; /* before it was carried to the result grid */
	struct status status[DOSIMETRY_MAX_VOIS];
};

static void rasterise_one(struct rasterising *r, int index)
{
	struct job_case *c = r->c;
	struct status *st = &r->status[index];
	const struct treatment_voi *voi = &c->slots.vois[index];
	const struct rt_roi *roi = &c->structure_set.rois[voi->roi];
	const struct grid *result_grid = &c->shown_over->arranged.grid;
	struct mask drawn = MASK_INIT;

	if (roi->frame_of_reference_uid[0] != '\0' &&
	    strcmp(roi->frame_of_reference_uid, r->drawn_on->frame_of_reference) != 0) {
		(void)status_fail(
		    st, STATUS_REFUSE,
		    "VOI \"%s\" lies in another frame of reference (%s) than the images (%s)",
		    voi->name, roi->frame_of_reference_uid, r->drawn_on->frame_of_reference);
		return;
	}
	if (mask_from_contours(&drawn, r->drawn_on, roi->contours, roi->n_contours,
			       &r->interpolated[index], st) != STATUS_OK) {
		(void)status_prefix(st, "VOI \"%s\"", voi->name);
		return;
	}
	r->empty[index] = mask_empty_slices(&drawn);
	r->drawn_ml[index] = mask_volume_ml(&drawn);
	if (grid_same(r->drawn_on, result_grid, GRID_TOLERANCE_MM)) {
		c->mask[index] = drawn;
		drawn = (struct mask)MASK_INIT;
	} else if (mask_resample(&c->mask[index], result_grid, &drawn, 4, st) != STATUS_OK) {
		(void)status_prefix(st, "VOI \"%s\"", voi->name);
	}
	mask_free(&drawn);
}

static void rasterise_some(void *user, size_t first, size_t last)
{
	struct rasterising *r = user;
	for (size_t i = first; i < last; i++) {
		if (r->c->slots.vois[i].roi >= 0)
			rasterise_one(r, (int)i);
	}
}

void job_join_mask(struct mask *joined, const struct mask *part)
{
	const struct grid *grid = &part->grid;
	for (int k = part->first[2]; k <= part->last[2]; k++) {
		for (int j = part->first[1]; j <= part->last[1]; j++) {
			size_t row =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			for (int i = part->first[0]; i <= part->last[0]; i++) {
				float *to = &joined->coverage[row + (size_t)i];
				float from = part->coverage[row + (size_t)i];
				*to = from > *to ? from : *to;
			}
		}
	}
}

/* A group is the union of its tumours. */
static enum status_code make_group(struct job_case *c, int index, struct status *st)
{
	struct mask *group = &c->mask[index];
	if (mask_new(group, &c->shown_over->arranged.grid, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < index; i++) {
		if (strcasecmp(c->slots.vois[i].group, c->slots.vois[index].name) == 0 &&
		    c->mask[i].coverage)
			job_join_mask(group, &c->mask[i]);
	}
	mask_update_bounds(group);
	return STATUS_OK;
}

const struct grid *job_drawn_on(const struct job_case *c)
{
	const struct job_scan *scans[] = {&c->anatomy, &c->baseline};
	for (int i = c->has_anatomy ? 0 : 1; i < 2; i++) {
		if (strcmp(scans[i]->series->series_instance_uid,
			   c->structure_set.referenced_series_uid) == 0)
			return &scans[i]->arranged.grid;
	}
	if (c->slots.anatomy.index >= 0)
		return &c->slots.anatomy.arranged.grid;
	return &c->shown_over->arranged.grid;
}

static int find_part(const struct job_case *c, const char *name)
{
	for (int i = 0; name[0] != '\0' && i < c->slots.n_vois; i++) {
		if (c->slots.vois[i].role == VOI_PART &&
		    strcasecmp(c->slots.vois[i].name, name) == 0)
			return i;
	}
	return -1;
}

enum status_code job_make_masks(struct job_case *c, struct status *st)
{
	int n_vois = c->has_structure_set ? c->slots.n_vois : 0;
	struct rasterising *r = calloc(1, sizeof *r);
	if (!r)
		return status_fail(st, STATUS_RETRY, "no memory for %d VOIs", n_vois);
	r->c = c;
	r->drawn_on = job_drawn_on(c);
	parallel_for((size_t)n_vois, 1, c->config->threads_per_worker, rasterise_some, r);
	for (int i = 0; i < n_vois; i++) {
		const struct treatment_voi *voi = &c->slots.vois[i];
		if (voi->roi < 0 && make_group(c, i, st) != STATUS_OK)
			break;
		if (r->status[i].code != STATUS_OK)
			(void)status_fail(st, r->status[i].code, "%s", r->status[i].text);
		if (r->interpolated[i] > 0)
			job_warn(c, "HO118",
				 "\"%s\": %d slices without a contour of their own were "
				 "interpolated",
				 voi->name, r->interpolated[i]);
		if (r->empty[i] > 0)
			job_warn(c, "HO119",
				 "\"%s\": %d slices between its contours have none and are left "
				 "empty: draw them if it is one region",
				 voi->name, r->empty[i]);
		double used_ml = c->mask[i].coverage ? mask_volume_ml(&c->mask[i]) : 0;
		if (used_ml < (1 - CUT_OFF_TOLD) * r->drawn_ml[i])
			job_warn(c, "HO119",
				 "\"%s\": %.3g of its %.3g mL lie outside the result grid and have "
				 "no dose",
				 voi->name, r->drawn_ml[i] - used_ml, r->drawn_ml[i]);
		c->voi[i] = (struct dosimetry_voi){voi->name, voi->role,
						   find_part(c, voi->part_name), &c->mask[i]};
	}
	c->n_contoured = n_vois;
	free(r);
	return st->code;
}
