/* phantom_truth.c - what the integrals and the injections make of the dose. */
#include <math.h>
#include <string.h>

#include "phantom.h"
#include "phantom_shapes.h"

static bool feeds_part(enum phantom_feeds feeds, int part)
{
	return feeds == PHANTOM_FEEDS_ALL || part == 0 ||
	       (feeds == PHANTOM_FEEDS_RIGHT) == (part == 1);
}

bool phantom_feeds_tumour(const struct phantom_course *course, const struct phantom_model *model,
			  int injection, int tumour)
{
	return feeds_part(course->feeds[injection], phantom_part_of(model, tumour));
}

/* The last of four or more injections of one catheter position. */
static bool is_last_of_many(const struct phantom_course *course, int injection)
{
	int of_position = 0;
	for (int j = 0; j < course->injections; j++) {
		bool same = course->position[j] == course->position[injection];
		if (same && j > injection)
			return false;
		of_position += same;
	}
	return of_position >= 4;
}

enum status_code phantom_solve(struct phantom_course *course, const struct phantom_model *model,
			       const struct phantom_integrals *integrals, struct status *st)
{
	for (int j = 0; j < course->injections; j++) {
		double mass_mg = course->activity_mbq[j] / course->specific_activity_mbq_per_mg[j];
		double *level = course->level_mg_per_ml[j];
		double rest_mg = mass_mg, healthy_ml = 0;
		for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
			level[w] = 0;
		for (int i = 0; i < model->n_tumours; i++) {
			const struct phantom_tumour *tumour = &model->tumours[i];
			int field = PHANTOM_FIELD_TUMOUR + i;
			double share = is_last_of_many(course, j) ? tumour->last_share : 1;
			if (!phantom_feeds_tumour(course, model, j, i))
				continue;
			level[field] = tumour->uptake_per_ml * share * mass_mg;
			rest_mg -= level[field] * integrals->weight_ml[0][field];
		}
		for (int field = PHANTOM_FIELD_RIGHT; field <= PHANTOM_FIELD_LEFT; field++)
			if (feeds_part(course->feeds[j], model->has_parts ? 1 + field : 0))
				healthy_ml += integrals->weight_ml[0][field];
		for (int field = PHANTOM_FIELD_RIGHT; field <= PHANTOM_FIELD_LEFT; field++)
			if (feeds_part(course->feeds[j], model->has_parts ? 1 + field : 0))
				level[field] = rest_mg / healthy_ml;
		if (!(rest_mg >= 0))
			return status_fail(
			    st, STATUS_REFUSE,
			    "injection %d: the tumours would take more than was injected", j + 1);
	}
	return STATUS_OK;
}

/* Integrals of the weights over a VOI, and its volume. */
static double voi_integrals(double weight_ml[PHANTOM_MAX_FIELDS], const struct phantom_model *model,
			    const struct phantom_integrals *integrals,
			    const struct phantom_voi *voi, bool healthy)
{
	for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
		weight_ml[w] = 0;
	if (voi->role == PHANTOM_NECROSIS) {
		double share = model->tumours[voi->tumour].core_from;
		return integrals->tumour_ml[voi->tumour] * share * share * share;
	}
	if (voi->role == PHANTOM_TUMOUR) {
		weight_ml[PHANTOM_FIELD_TUMOUR + voi->tumour] =
		    integrals->tumour_weight_ml[voi->tumour];
		return integrals->tumour_ml[voi->tumour];
	}
	int part = voi->role == PHANTOM_LIVER ? 0 : voi->role == PHANTOM_RIGHT ? 1 : 2;
	double volume_ml = integrals->volume_ml[part];
	memcpy(weight_ml, integrals->weight_ml[part], sizeof integrals->weight_ml[part]);
	for (int i = 0; healthy && i < model->n_tumours; i++) {
		if (part != 0 && phantom_part_of(model, i) != part)
			continue;
		weight_ml[PHANTOM_FIELD_TUMOUR + i] -= integrals->tumour_weight_ml[i];
		volume_ml -= integrals->tumour_ml[i];
	}
	return volume_ml;
}

static double gy_per_mbq_per_ml(const struct phantom_course *course)
{
	return course->dose_constant_mj_per_mbq / course->density_g_per_ml;
}

static void accumulate(struct phantom_truth *truth, const struct phantom_course *course,
		       const double weight_ml[PHANTOM_MAX_FIELDS], double volume_ml)
{
	double mass_mg = 0, activity_mbq = 0;
	truth->volume_ml = volume_ml;
	for (int j = 0; j < course->injections; j++) {
		double added_mg = 0;
		for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
			added_mg += course->level_mg_per_ml[j][w] * weight_ml[w];
		mass_mg += added_mg;
		activity_mbq += added_mg * course->specific_activity_mbq_per_mg[j];
		truth->activity_mbq[j] = activity_mbq;
		truth->mean_dose_gy[j] = activity_mbq / volume_ml * gy_per_mbq_per_ml(course);
		truth->delta_r2star_per_s[j] =
		    mass_mg / volume_ml * course->relaxivity_per_s_per_mg_per_ml;
		truth->tumour_to_normal[j] = NAN;
	}
}

void phantom_truth_healthy(struct phantom_truth *truth, const struct phantom_model *model,
			   const struct phantom_integrals *integrals,
			   const struct phantom_course *course, const struct phantom_voi *voi)
{
	double weight_ml[PHANTOM_MAX_FIELDS];
	double volume_ml = voi_integrals(weight_ml, model, integrals, voi, true);
	accumulate(truth, course, weight_ml, volume_ml);
}

void phantom_truth(struct phantom_truth *truth, const struct phantom_model *model,
		   const struct phantom_integrals *integrals, const struct phantom_course *course,
		   const struct phantom_voi *voi)
{
	double weight_ml[PHANTOM_MAX_FIELDS];
	double volume_ml = voi_integrals(weight_ml, model, integrals, voi, false);
	accumulate(truth, course, weight_ml, volume_ml);
	if (voi->role != PHANTOM_TUMOUR)
		return;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth healthy;
	phantom_vois(vois, model);
	phantom_truth_healthy(&healthy, model, integrals, course,
			      &vois[voi->part < 0 ? 0 : voi->part]);
	for (int j = 0; j < course->injections; j++)
		if (healthy.mean_dose_gy[j] > 0)
			truth->tumour_to_normal[j] =
			    truth->mean_dose_gy[j] / healthy.mean_dose_gy[j];
}

void phantom_underdosed_ml(double volume_ml[PHANTOM_MAX_INJECTIONS],
			   const struct phantom_integrals *integrals,
			   const struct phantom_course *course, int tumour, double below_gy)
{
	const double *below_ml = integrals->tumour_below_ml[tumour];
	double plateau_gy = 0;
	for (int j = 0; j < course->injections; j++) {
		plateau_gy += course->level_mg_per_ml[j][PHANTOM_FIELD_TUMOUR + tumour] *
			      course->specific_activity_mbq_per_mg[j] * gy_per_mbq_per_ml(course);
		double at =
		    plateau_gy > 0 ? below_gy / plateau_gy / PHANTOM_LEVEL_WIDTH : PHANTOM_LEVELS;
		at = fmin(at, PHANTOM_LEVELS - 1e-9);
		int n = (int)at;
		volume_ml[j] = below_ml[n] + (at - n) * (below_ml[n + 1] - below_ml[n]);
	}
}
