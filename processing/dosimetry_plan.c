/* dosimetry_plan.c - what follows from the VOIs alone: checks, which tumour is in which part,
 * healthy liver, regions. */
#include "dosimetry_parts.h"

#include <math.h>
#include <string.h>

#define OVERLAP_REFUSED 0.05 /* of the smaller VOI */
#define OVERLAP_FLAGGED 1e-3
#define PARTS_EQUAL                                                                                \
	0.05 /* difference of two overlaps, of the tumour's volume; of a group, what               \
		may lie in other parts */
#define GRID_TOLERANCE_MM 1e-3

/* ---- masks ---- */

static size_t row_start(const struct grid *grid, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns;
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

/* One position may feed the whole liver. With several, one that has no part of its own could have
 * fed anything. */
static unsigned flag_positions(const struct dosimetry_input *input)
{
	bool several = false, without_part = false;
	for (int i = 0; i < input->n_injections; i++) {
		several |= input->injections[i].position != input->injections[0].position;
		without_part |= input->injections[i].part_voi < 0;
	}
	return several && without_part ? DOSIMETRY_POSITION_WITHOUT_VOI : 0;
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
		      (plan->tumours == 0 ? DOSIMETRY_NO_TUMOUR : 0u) | flag_positions(input);
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

/* The members of a group may lie in several parts: then it is in none, and its healthy liver is the
 * whole one's. */
static int find_part_of_group(const struct dosimetry_input *input, int group)
{
	const struct mask *mask = input->vois[group].mask;
	for (int i = 0; i < input->n_vois; i++) {
		if (is_role(input, i, VOI_PART) && mask_overlap_ml(mask, input->vois[i].mask) >
						       (1 - PARTS_EQUAL) * mask_volume_ml(mask))
			return i;
	}
	return -1;
}

static enum status_code place_tumours(struct dosimetry_plan *plan,
				      const struct dosimetry_input *input, struct status *st)
{
	for (int i = 0; i < input->n_vois; i++) {
		plan->healthy_of[i] = -1;
		plan->part_of[i] = input->vois[i].part_voi;
		if (!is_role(input, i, VOI_TUMOUR) && !is_role(input, i, VOI_GROUP))
			plan->part_of[i] = -1;
		else if (plan->part_of[i] < 0 && is_role(input, i, VOI_GROUP))
			plan->part_of[i] = find_part_of_group(input, i);
		else if (plan->part_of[i] < 0 &&
			 find_part(&plan->part_of[i], input, i, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* Healthy tissue holds no tumour, also not one that counts to a neighbouring part, and nothing that
 * is dead. */
static enum status_code make_healthy(struct mask *healthy, const struct mask *of,
				     const struct mask *not_healthy, struct status *st)
{
	if (mask_copy(healthy, of, st) != STATUS_OK)
		return st->code;
	return mask_subtract(healthy, not_healthy, st);
}

/* 0: the liver (empty without one), then the parts in order. */
static enum status_code make_all_healthy(struct dosimetry_plan *plan,
					 const struct dosimetry_input *input,
					 const struct mask *not_healthy, struct status *st)
{
	if (plan->liver < 0 && plan->parts == 0)
		return STATUS_OK;
	plan->healthy_part[0] = -1;
	plan->n_healthy = 1;
	enum status_code code =
	    plan->liver >= 0
		? make_healthy(&plan->healthy[0], input->vois[plan->liver].mask, not_healthy, st)
		: mask_new(&plan->healthy[0], input->result_grid, st);
	for (int i = 0; i < input->n_vois && code == STATUS_OK; i++) {
		if (!is_role(input, i, VOI_PART))
			continue;
		int h = plan->n_healthy++;
		plan->healthy_part[h] = i;
		code = make_healthy(&plan->healthy[h], input->vois[i].mask, not_healthy, st);
	}
	return code;
}

static void divide_tumours_by_healthy(struct dosimetry_plan *plan,
				      const struct dosimetry_input *input)
{
	for (int i = 0; i < input->n_vois; i++) {
		if (!is_role(input, i, VOI_TUMOUR) && !is_role(input, i, VOI_GROUP))
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

static enum status_code join_necrosis(struct dosimetry_plan *plan,
				      const struct dosimetry_input *input, struct status *st)
{
	for (int i = 0; i < input->n_vois; i++) {
		if (!is_role(input, i, VOI_NECROSIS))
			continue;
		if (!plan->necrosis.coverage &&
		    mask_new(&plan->necrosis, input->result_grid, st) != STATUS_OK)
			return st->code;
		mask_join(&plan->necrosis, input->vois[i].mask, false);
	}
	return STATUS_OK;
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
	if (plan->liver >= 0) {
		if (mask_copy(&plan->liver_with_tumours, input->vois[plan->liver].mask, st) !=
		    STATUS_OK)
			return st->code;
		mask_join(&plan->liver_with_tumours, tumours, false);
	}
	if (join_necrosis(plan, input, st) != STATUS_OK)
		return st->code;
	if (plan->necrosis.coverage) /* from here on: all that is not healthy */
		mask_join(tumours, &plan->necrosis, false);
	return make_all_healthy(plan, input, tumours, st);
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
	mask_free(&plan->necrosis);
	for (int h = 0; h < DOSIMETRY_MAX_VOIS; h++)
		mask_free(&plan->healthy[h]);
}
