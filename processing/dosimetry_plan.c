/* dosimetry_plan.c - what follows from the VOIs alone: checks, which tumour is in which part,
 * healthy liver, regions. */
#include "dosimetry_parts.h"

#include <math.h>
#include <string.h>

#define OVERLAP_REFUSED	  0.05 /* of the smaller VOI */
#define OVERLAP_FLAGGED	  1e-3
#define PARTS_EQUAL	  0.05 /* difference of two overlaps, of the tumour's volume */
#define GRID_TOLERANCE_MM 1e-3

/* ---- masks ---- */

static size_t row_start(const struct grid *grid, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns;
}

static enum status_code mask_copy(struct mask *copy, const struct mask *mask, struct status *st)
{
	if (mask_new(copy, &mask->grid, st) != STATUS_OK)
		return st->code;
	memcpy(copy->coverage, mask->coverage, grid_voxels(&mask->grid) * sizeof *mask->coverage);
	memcpy(copy->first, mask->first, sizeof copy->first);
	memcpy(copy->last, mask->last, sizeof copy->last);
	return STATUS_OK;
}

static void widen_bounds(struct mask *a, const struct mask *b)
{
	for (int axis = 0; axis < 3 && b->last[axis] >= b->first[axis]; axis++) {
		bool empty = a->last[axis] < a->first[axis];
		if (empty || b->first[axis] < a->first[axis])
			a->first[axis] = b->first[axis];
		if (empty || b->last[axis] > a->last[axis])
			a->last[axis] = b->last[axis];
	}
}

/* a := what either covers. At a rim that both cover partly the larger share counts; `side_by_side`:
 * both shares, up to the whole voxel (tumours that touch do not overlap). */
static void mask_join(struct mask *a, const struct mask *b, bool side_by_side)
{
	for (int k = b->first[2]; k <= b->last[2]; k++) {
		for (int j = b->first[1]; j <= b->last[1]; j++) {
			size_t row = row_start(&b->grid, j, k);
			for (int i = b->first[0]; i <= b->last[0]; i++) {
				float *own = &a->coverage[row + (size_t)i];
				float other = b->coverage[row + (size_t)i];
				if (side_by_side)
					*own = fminf(1, *own + other);
				else if (other > *own)
					*own = other;
			}
		}
	}
	widen_bounds(a, b);
}

/* What two masks cover at least in common: max(0, a + b - 1) per voxel. Two tumours that only touch
 * share rim voxels but no tissue, and have none. */
static double certain_overlap_ml(const struct mask *a, const struct mask *b)
{
	double sum = 0;
	for (int k = b->first[2]; k <= b->last[2]; k++) {
		for (int j = b->first[1]; j <= b->last[1]; j++) {
			size_t row = row_start(&b->grid, j, k);
			for (int i = b->first[0]; i <= b->last[0]; i++) {
				double both = (double)a->coverage[row + (size_t)i] +
					      (double)b->coverage[row + (size_t)i] - 1;
				if (both > 0)
					sum += both;
			}
		}
	}
	return sum * grid_voxel_volume_ml(&a->grid);
}

/* ---- the plan: what follows from the VOIs alone ---- */

static bool is_role(const struct dosimetry_input *input, int voi, enum voi_role role)
{
	return voi >= 0 && voi < input->n_vois && input->vois[voi].role == role;
}

static enum status_code check_vois(struct dosimetry_plan *plan, const struct dosimetry_input *input,
				   struct status *st)
{
	if (input->n_vois > DOSIMETRY_MAX_VOIS)
		return status_fail(st, STATUS_REFUSE, "%d VOIs; at most %d can be used",
				   input->n_vois, DOSIMETRY_MAX_VOIS);
	plan->liver = -1;
	for (int i = 0; i < input->n_vois; i++) {
		const struct dosimetry_voi *voi = &input->vois[i];
		if (!grid_same(&voi->mask->grid, input->result_grid, GRID_TOLERANCE_MM))
			return status_fail(st, STATUS_BUG, "VOI \"%s\" is not on the result grid",
					   voi->name);
		if (voi->part_voi >= 0 && !is_role(input, voi->part_voi, VOI_PART))
			return status_fail(st, STATUS_BUG, "VOI \"%s\": its part is not a part",
					   voi->name);
		if (voi->role == VOI_LIVER && plan->liver >= 0)
			return status_fail(
			    st, STATUS_REFUSE,
			    "two VOIs are the liver: \"%s\" and \"%s\"; leave one role to each",
			    input->vois[plan->liver].name, voi->name);
		if (voi->role == VOI_LIVER)
			plan->liver = i;
		plan->tumours += voi->role == VOI_TUMOUR;
		plan->parts += voi->role == VOI_PART;
	}
	for (int i = 0; i < input->n_injections; i++) {
		if (input->injections[i].part_voi >= 0 &&
		    !is_role(input, input->injections[i].part_voi, VOI_PART))
			return status_fail(st, STATUS_BUG, "injection %d: its part is not a part",
					   input->injections[i].number);
	}
	if (plan->parts >= DOSIMETRY_MAX_VOIS) /* one place is the whole liver's */
		return status_fail(st, STATUS_REFUSE, "%d liver parts; at most %d can be used",
				   plan->parts, DOSIMETRY_MAX_VOIS - 1);
	plan->flags = (plan->liver < 0 ? DOSIMETRY_NO_LIVER : 0u) |
		      (plan->tumours == 0 ? DOSIMETRY_NO_TUMOUR : 0u);
	return STATUS_OK;
}

static enum status_code check_tumour_overlaps(struct dosimetry_plan *plan,
					      const struct dosimetry_input *input,
					      struct status *st)
{
	for (int i = 0; i < input->n_vois; i++) {
		for (int j = i + 1; j < input->n_vois; j++) {
			if (!is_role(input, i, VOI_TUMOUR) || !is_role(input, j, VOI_TUMOUR))
				continue;
			const struct mask *a = input->vois[i].mask, *b = input->vois[j].mask;
			double smaller_ml = fmin(mask_volume_ml(a), mask_volume_ml(b));
			double overlap_ml = certain_overlap_ml(a, b);
			if (overlap_ml > OVERLAP_REFUSED * smaller_ml)
				return status_fail(
				    st, STATUS_REFUSE,
				    "tumours \"%s\" and \"%s\" overlap by %.2f mL, %.0f %% of the "
				    "smaller one: correct the contours",
				    input->vois[i].name, input->vois[j].name, overlap_ml,
				    100 * overlap_ml / smaller_ml);
			if (overlap_ml > OVERLAP_FLAGGED * smaller_ml)
				plan->flags |= DOSIMETRY_TUMOURS_OVERLAP;
		}
	}
	return STATUS_OK;
}

/* The part that holds most of a tumour; -1 when none does. */
static enum status_code find_part(int *part, const struct dosimetry_input *input, int tumour,
				  struct status *st)
{
	double most_ml = 0, second_ml = 0;
	int second = -1;
	*part = -1;
	for (int i = 0; i < input->n_vois; i++) {
		if (!is_role(input, i, VOI_PART))
			continue;
		double overlap_ml = mask_overlap_ml(input->vois[tumour].mask, input->vois[i].mask);
		if (overlap_ml > most_ml) {
			second_ml = most_ml;
			second = *part;
			most_ml = overlap_ml;
			*part = i;
		} else if (overlap_ml > second_ml) {
			second_ml = overlap_ml;
			second = i;
		}
	}
	double tumour_ml = mask_volume_ml(input->vois[tumour].mask);
	if (second >= 0 && most_ml - second_ml < PARTS_EQUAL * tumour_ml)
		return status_fail(
		    st, STATUS_REFUSE,
		    "tumour \"%s\" lies as much in \"%s\" as in \"%s\": name its part in the "
		    "treatment record",
		    input->vois[tumour].name, input->vois[*part].name, input->vois[second].name);
	return STATUS_OK;
}

static enum status_code place_tumours(struct dosimetry_plan *plan,
				      const struct dosimetry_input *input, struct status *st)
{
	for (int i = 0; i < input->n_vois; i++) {
		plan->part_of[i] = -1;
		plan->healthy_of[i] = -1;
		if (!is_role(input, i, VOI_TUMOUR))
			continue;
		plan->part_of[i] = input->vois[i].part_voi;
		if (plan->part_of[i] < 0 && find_part(&plan->part_of[i], input, i, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* Healthy tissue holds no tumour, also not one that counts to a neighbouring part. */
static enum status_code make_healthy(struct mask *healthy, const struct mask *of,
				     const struct mask *tumours, struct status *st)
{
	if (mask_copy(healthy, of, st) != STATUS_OK)
		return st->code;
	return mask_subtract(healthy, tumours, st);
}

/* 0: the liver (empty without one), then the parts in order. */
static enum status_code make_all_healthy(struct dosimetry_plan *plan,
					 const struct dosimetry_input *input,
					 const struct mask *tumours, struct status *st)
{
	if (plan->liver < 0 && plan->parts == 0)
		return STATUS_OK;
	plan->healthy_part[0] = -1;
	plan->n_healthy = 1;
	enum status_code code =
	    plan->liver >= 0
		? make_healthy(&plan->healthy[0], input->vois[plan->liver].mask, tumours, st)
		: mask_new(&plan->healthy[0], input->result_grid, st);
	for (int i = 0; i < input->n_vois && code == STATUS_OK; i++) {
		if (!is_role(input, i, VOI_PART))
			continue;
		int h = plan->n_healthy++;
		plan->healthy_part[h] = i;
		code = make_healthy(&plan->healthy[h], input->vois[i].mask, tumours, st);
	}
	return code;
}

static void divide_tumours_by_healthy(struct dosimetry_plan *plan,
				      const struct dosimetry_input *input)
{
	for (int i = 0; i < input->n_vois; i++) {
		if (!is_role(input, i, VOI_TUMOUR))
			continue;
		for (int h = 0; h < plan->n_healthy; h++) {
			if (plan->healthy_part[h] == plan->part_of[i] &&
			    (h > 0 || plan->liver >= 0))
				plan->healthy_of[i] = h;
		}
	}
}

static void find_parts_apart(struct dosimetry_plan *plan, const struct dosimetry_input *input)
{
	for (int i = 0; i < input->n_vois; i++) {
		plan->part_apart[i] = true;
		for (int n = 0; n < input->n_injections; n++) {
			int fed = input->injections[n].part_voi;
			if (fed < 0 || fed == i || !is_role(input, i, VOI_PART))
				continue;
			const struct mask *a = input->vois[i].mask, *b = input->vois[fed].mask;
			if (certain_overlap_ml(a, b) >
			    OVERLAP_REFUSED * fmin(mask_volume_ml(a), mask_volume_ml(b)))
				plan->part_apart[i] = false;
		}
	}
}

static enum status_code make_masks(struct dosimetry_plan *plan, const struct dosimetry_input *input,
				   struct mask *tumours, struct status *st)
{
	if (mask_new(tumours, input->result_grid, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < input->n_vois; i++) {
		if (is_role(input, i, VOI_TUMOUR))
			mask_join(tumours, input->vois[i].mask, true);
	}
	if (make_all_healthy(plan, input, tumours, st) != STATUS_OK || plan->liver < 0)
		return st->code;
	if (mask_copy(&plan->liver_with_tumours, input->vois[plan->liver].mask, st) != STATUS_OK)
		return st->code;
	mask_join(&plan->liver_with_tumours, tumours, false);
	return STATUS_OK;
}

enum status_code dosimetry_plan_make(struct dosimetry_plan *plan,
				     const struct dosimetry_input *input, struct status *st)
{
	struct mask tumours = MASK_INIT;

	if (check_vois(plan, input, st) != STATUS_OK ||
	    check_tumour_overlaps(plan, input, st) != STATUS_OK ||
	    place_tumours(plan, input, st) != STATUS_OK)
		return st->code;
	if (input->n_vois > 0)
		(void)!make_masks(plan, input, &tumours, st);
	mask_free(&tumours);
	divide_tumours_by_healthy(plan, input);
	find_parts_apart(plan, input);
	return st->code;
}

void dosimetry_plan_free(struct dosimetry_plan *plan)
{
	mask_free(&plan->liver_with_tumours);
	for (int h = 0; h < DOSIMETRY_MAX_VOIS; h++)
		mask_free(&plan->healthy[h]);
}

/* ---- the regions of recovery on a scan's grid ---- */

/* Points per voxel and axis when a result-grid mask is looked up on the scan grid: two per voxel of
 * the finer one. */
static int subsamples(const struct grid *scan_grid, const struct grid *result_grid)
{
	double coarser = 1;
	for (int axis = 0; axis < 3; axis++)
		coarser = fmax(coarser, grid_spacing_mm(scan_grid, axis) /
					    grid_spacing_mm(result_grid, axis));
	int sub = 2 * (int)ceil(coarser / 2 - 1e-6);
	return sub > 8 ? 8 : sub;
}

static enum status_code carry_mask(struct mask *to, const struct dosimetry_regions *regions,
				   const struct mask *mask, struct status *st)
{
	if (grid_same(&regions->moved, &regions->grid, GRID_TOLERANCE_MM))
		return mask_copy(to, mask, st);
	struct mask moved = *mask; /* the coverage is borrowed */
	moved.grid = regions->moved;
	return mask_resample(to, &regions->grid, &moved,
			     subsamples(&regions->grid, &regions->moved), st);
}

static enum status_code carry_part(struct mask *to, const struct dosimetry_regions *regions,
				   int part, const struct dosimetry_plan *plan,
				   const struct dosimetry_input *input, struct status *st)
{
	struct mask joined = MASK_INIT;
	if (mask_copy(&joined, input->vois[part].mask, st) == STATUS_OK) {
		for (int i = 0; i < input->n_vois; i++) {
			if (is_role(input, i, VOI_TUMOUR) && plan->part_of[i] == part)
				mask_join(&joined, input->vois[i].mask, false);
		}
		(void)carry_mask(to, regions, &joined, st);
	}
	mask_free(&joined);
	return st->code;
}

enum status_code dosimetry_regions_make(struct dosimetry_regions *regions,
					const struct dosimetry_scan *scan,
					const struct dosimetry_plan *plan,
					const struct dosimetry_input *input, struct status *st)
{
	struct grid moved;
	dosimetry_move_grid(&moved, input->result_grid, scan);
	if (regions->made &&
	    grid_same(&regions->grid, &scan->map->r2star_per_s.grid, GRID_TOLERANCE_MM) &&
	    grid_same(&regions->moved, &moved, GRID_TOLERANCE_MM))
		return STATUS_OK;

	dosimetry_regions_free(regions);
	regions->grid = scan->map->r2star_per_s.grid;
	regions->moved = moved;
	if (plan->liver >= 0 &&
	    (carry_mask(&regions->liver, regions, &plan->liver_with_tumours, st) != STATUS_OK ||
	     carry_mask(&regions->healthy, regions, &plan->healthy[0], st) != STATUS_OK))
		return st->code;
	for (int i = 0; i < input->n_vois; i++) {
		if (is_role(input, i, VOI_PART) &&
		    carry_part(&regions->part[i], regions, i, plan, input, st) != STATUS_OK)
			return st->code;
	}
	regions->made = true;
	return STATUS_OK;
}

void dosimetry_regions_free(struct dosimetry_regions *regions)
{
	mask_free(&regions->liver);
	mask_free(&regions->healthy);
	for (int i = 0; i < DOSIMETRY_MAX_VOIS; i++)
		mask_free(&regions->part[i]);
	regions->made = false;
}
