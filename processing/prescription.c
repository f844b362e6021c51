#include "prescription.h"

#include <math.h>
#include <string.h>

#include "dose.h"

#define ML_PER_L 1000.0

static enum status_code check_number(const char *what, double value, double above, double most,
				     struct status *st)
{
	if (value > above && value <= most) /* written so that NaN fails too */
		return STATUS_OK;
	if (isfinite(most))
		return status_fail(st, STATUS_REFUSE,
				   "prescription: %s %g: needs to be above %g, up to %g", what,
				   value, above, most);
	return status_fail(st, STATUS_REFUSE, "prescription: %s %g: needs to be above %g", what,
			   value, above);
}

static enum status_code check_position(const struct prescription_position *p, struct status *st)
{
	double vital_ml = p->targeted_volume_ml - p->necrotic_volume_ml;
	bool any_counts = !isnan(p->tumour_counts) || !isnan(p->normal_counts);
	if (check_number("targeted volume (mL)", p->targeted_volume_ml, 0, INFINITY, st) !=
		STATUS_OK ||
	    check_number("reduction", p->reduction, 0, 1, st) != STATUS_OK)
		return status_prefix(st, "position \"%s\"", p->name);
	if (!(p->necrotic_volume_ml >= 0) || !(vital_ml > 0))
		return status_fail(st, STATUS_REFUSE,
				   "prescription: position \"%s\": necrosis of %g mL in a volume "
				   "of %g mL: nothing is left to treat",
				   p->name, p->necrotic_volume_ml, p->targeted_volume_ml);
	if (!isnan(p->tumour_volume_ml) &&
	    !(p->tumour_volume_ml >= 0 && p->tumour_volume_ml <= vital_ml))
		return status_fail(st, STATUS_REFUSE,
				   "prescription: position \"%s\": tumours of %g mL in %g mL "
				   "without necrosis",
				   p->name, p->tumour_volume_ml, vital_ml);
	if (any_counts && (!(p->tumour_counts >= 0) || !(p->normal_counts >= 0) ||
			   !(p->tumour_counts + p->normal_counts > 0)))
		return status_fail(st, STATUS_REFUSE,
				   "prescription: position \"%s\": the simulation has %g counts in "
				   "tumours and %g in the rest: no ratio can be told",
				   p->name, p->tumour_counts, p->normal_counts);
	return STATUS_OK;
}

static enum status_code check_input(const struct prescription_input *input, struct status *st)
{
	if (check_number("target dose (Gy)", input->target_dose_gy, 0, INFINITY, st) != STATUS_OK ||
	    check_number("dose constant (mJ/MBq)", input->dose_constant_mj_per_mbq, 0, INFINITY,
			 st) != STATUS_OK ||
	    check_number("density (g/mL)", input->density_g_per_ml, 0, INFINITY, st) != STATUS_OK)
		return st->code;
	if (!isnan(input->specific_activity_mbq_per_mg) &&
	    check_number("specific activity (MBq/mg)", input->specific_activity_mbq_per_mg, 0,
			 INFINITY, st) != STATUS_OK)
		return st->code;
	if (!isnan(input->delivered_share) &&
	    check_number("delivered share", input->delivered_share, 0, 1, st) != STATUS_OK)
		return st->code;
	if (!isnan(input->lung_shunt)) {
		if (!(input->lung_shunt >= 0 && input->lung_shunt < 1))
			return status_fail(st, STATUS_REFUSE,
					   "prescription: lung shunt %g: needs to be a fraction "
					   "from 0 to below 1",
					   input->lung_shunt);
		if (check_number("lung mass (kg)", input->lung_mass_kg, 0, INFINITY, st) !=
		    STATUS_OK)
			return st->code;
	}
	if (input->n_positions < 1 || input->n_positions > PRESCRIPTION_MAX_POSITIONS)
		return status_fail(st, STATUS_REFUSE, "prescription: %d positions: 1 to %d",
				   input->n_positions, PRESCRIPTION_MAX_POSITIONS);
	for (int i = 0; i < input->n_positions; i++) {
		if (check_position(&input->positions[i], st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* The share of the counts that lies in the tumours gets that share of the activity: the same as the
 * formula with T/N, and defined too where the rest has no counts at all. */
static void predict(struct prescription_position_plan *plan, const struct prescription_position *p,
		    double in_liver_mbq, const struct prescription_input *input)
{
	double tumour_kg = p->tumour_volume_ml * input->density_g_per_ml / ML_PER_L;
	double normal_kg = plan->targeted_mass_kg - tumour_kg;
	double tumour_share = p->tumour_counts / (p->tumour_counts + p->normal_counts);

	if (isnan(tumour_share) || !(tumour_kg > 0) || !(normal_kg > 0))
		return;
	plan->predicted_tumour_to_normal =
	    (p->tumour_counts / tumour_kg) / (p->normal_counts / normal_kg);
	plan->predicted_tumour_gy = dose_organ_mean_gy(in_liver_mbq * tumour_share, 1e3 * tumour_kg,
						       input->dose_constant_mj_per_mbq);
	plan->predicted_normal_gy = dose_organ_mean_gy(
	    in_liver_mbq * (1 - tumour_share), 1e3 * normal_kg, input->dose_constant_mj_per_mbq);
}

static void plan_position(struct prescription_position_plan *plan,
			  const struct prescription_position *p,
			  const struct prescription_input *input)
{
	double in_liver = isnan(input->lung_shunt) ? 1 : 1 - input->lung_shunt;
	double mass_kg =
	    (p->targeted_volume_ml - p->necrotic_volume_ml) * input->density_g_per_ml / ML_PER_L;
	double activity_mbq =
	    1e3 * input->target_dose_gy * mass_kg * p->reduction / input->dose_constant_mj_per_mbq;

	*plan = (struct prescription_position_plan){
	    .targeted_mass_kg = mass_kg,
	    .activity_mbq = activity_mbq,
	    .vial_activity_mbq = activity_mbq / input->delivered_share, /* NaN stays NaN */
	    .microspheres_mg = activity_mbq / input->specific_activity_mbq_per_mg,
	    .mean_dose_gy = dose_organ_mean_gy(activity_mbq * in_liver, 1e3 * mass_kg,
					       input->dose_constant_mj_per_mbq),
	    .predicted_tumour_to_normal = NAN,
	    .predicted_tumour_gy = NAN,
	    .predicted_normal_gy = NAN,
	};
	predict(plan, p, activity_mbq * in_liver, input);
}

enum status_code prescription_make(struct prescription_plan *plan,
				   const struct prescription_input *input, struct status *st)
{
	if (check_input(input, st) != STATUS_OK)
		return st->code;
	memset(plan, 0, sizeof *plan);
	for (int i = 0; i < input->n_positions; i++) {
		struct prescription_position_plan *position = &plan->positions[i];
		plan_position(position, &input->positions[i], input);
		plan->targeted_mass_kg += position->targeted_mass_kg;
		plan->activity_mbq += position->activity_mbq;
	}
	plan->unreduced_activity_mbq =
	    1e3 * input->target_dose_gy * plan->targeted_mass_kg / input->dose_constant_mj_per_mbq;
	plan->lung_gy =
	    isnan(input->lung_shunt)
		? (double)NAN
		: dose_organ_mean_gy(plan->activity_mbq * input->lung_shunt,
				     1e3 * input->lung_mass_kg, input->dose_constant_mj_per_mbq);
	return STATUS_OK;
}

double prescription_lung_shunt(double lung_counts, double liver_counts)
{
	if (!(lung_counts >= 0) || !(liver_counts > 0))
		return NAN;
	return lung_counts / (lung_counts + liver_counts);
}
