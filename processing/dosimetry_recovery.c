/* dosimetry_recovery.c - how much of what was injected is found, on the scans' own grids. */
#include "dosimetry_parts.h"

#include <math.h>

static double injected_through(const struct dosimetry_input *input, int part, int last_injection)
{
	double sum_mbq = 0;
	for (int i = 0; i < last_injection; i++) {
		if (input->injections[i].part_voi == part)
			sum_mbq += input->injections[i].net_activity_mbq;
		else if (input->injections[i].part_voi < 0)
			return NAN; /* an unknown share of it went here */
	}
	if (!(sum_mbq > 0))
		return NAN;
	return sum_mbq;
}

static void recover_parts(struct dosimetry_time_point *point, struct dosimetry_running *sums,
			  const struct dosimetry_interval *between,
			  const struct dosimetry_delta *delta,
			  const struct dosimetry_regions *regions,
			  const struct dosimetry_input *input)
{
	for (int i = 0; i < input->n_vois; i++) {
		point->part_recovered_mbq[i] = NAN;
		if (input->vois[i].role != VOI_PART || !regions->part[i].coverage)
			continue;
		double found =
		    dosimetry_integrate(&delta->delta_r2star_per_s, NULL, &regions->part[i])
			.delta_ml_per_s;
		sums->part_activity_mbq[i] += (found - sums->part_last_delta_ml_per_s[i]) /
					      between->relaxivity_per_s_per_mg_per_ml *
					      between->specific_activity_mbq_per_mg;
		sums->part_last_delta_ml_per_s[i] = found;
		point->part_recovered_mbq[i] = sums->part_activity_mbq[i];
	}
}

void dosimetry_part_recovery(struct dosimetry_time_point *point, const struct dosimetry_plan *plan,
			     const struct dosimetry_input *input)
{
	for (int i = 0; i < input->n_vois; i++) {
		point->part_recovery_ratio[i] = NAN;
		if (plan->part_apart[i])
			point->part_recovery_ratio[i] =
			    point->part_recovered_mbq[i] /
			    injected_through(input, i, point->after_injection);
	}
}

void dosimetry_recover(struct dosimetry_time_point *point, struct dosimetry_running *sums,
		       const struct dosimetry_interval *between, const struct dosimetry_plan *plan,
		       const struct dosimetry_delta *delta, const struct volume *carried,
		       const struct dosimetry_regions *regions, const struct dosimetry_input *input)
{
	sums->injected_mbq += between->activity_mbq;
	sums->injected_mg += between->mass_mg;
	point->injected_activity_mbq = sums->injected_mbq;
	point->injected_mass_mg = sums->injected_mg;
	point->recovered_activity_mbq = point->recovered_mass_mg = point->recovery_ratio = NAN;
	point->mass_increment_ratio = point->resampled_mass_ratio = NAN;
	point->region_volume_ml = point->region_not_measured_ml = point->region_saturated_ml = NAN;
	recover_parts(point, sums, between, delta, regions, input);
	if (!regions->liver.coverage)
		return;

	struct dosimetry_integral found =
	    dosimetry_integrate(&delta->delta_r2star_per_s, delta->state, &regions->liver);
	struct dosimetry_integral resampled =
	    dosimetry_integrate(carried, NULL, &plan->liver_with_tumours);
	double increment_mg = (found.delta_ml_per_s - sums->last_delta_ml_per_s) /
			      between->relaxivity_per_s_per_mg_per_ml;
	sums->last_delta_ml_per_s = found.delta_ml_per_s;
	sums->mass_mg += increment_mg;
	sums->activity_mbq += increment_mg * between->specific_activity_mbq_per_mg;

	point->recovered_mass_mg = sums->mass_mg;
	point->recovered_activity_mbq = sums->activity_mbq;
	point->recovery_ratio = sums->activity_mbq / sums->injected_mbq;
	point->mass_increment_ratio = increment_mg / between->mass_mg;
	point->resampled_mass_ratio = resampled.delta_ml_per_s / found.delta_ml_per_s;
	point->region_volume_ml = found.volume_ml;
	point->region_not_measured_ml = found.not_measured_ml;
	point->region_saturated_ml = found.saturated_ml;
}
