/* dosimetry_measurable.c - can the dose of a VOI be believed, and what follows from the answers. */
#include "dosimetry_parts.h"

#include <math.h>

#define REASON_FROM	  0.01 /* of the VOI: a cause below it is not worth a word */
#define OSCILLATION_SHARE 0.10 /* of the liver or a tumour */

/* ---- one VOI ---- */

static void forget_dose(struct dosimetry_voi_result *result)
{
	struct voi_stats *dose = &result->dose;
	dose->mean = dose->minimum = dose->maximum = dose->standard_deviation = NAN;
	dose->d98 = dose->d90 = dose->d70 = dose->d50 = dose->d2 = NAN;
	for (int level = 0; level < dose->levels; level++)
		dose->volume_at_level_ml[level] = NAN;
	result->activity_mbq = result->tumour_to_normal = NAN;
}

void dosimetry_judge_voi(struct dosimetry_voi_result *result, const struct dosimetry_doubt *doubt,
			 double residual_mm, const struct dosimetry_params *params)
{
	const struct {
		double ml;
		unsigned reason;
	} causes[] = {
	    {doubt->artefact_ml, VOI_REASON_ARTEFACT},
	    {doubt->no_signal_ml, VOI_REASON_NO_SIGNAL},
	    {doubt->outside_ml, VOI_REASON_OUTSIDE},
	    {doubt->saturated_ml, VOI_REASON_FIT_SATURATED},
	    {doubt->s0_known_ml, VOI_REASON_FEW_ECHOES},
	    {doubt->oscillating_ml, VOI_REASON_OSCILLATION},
	};
	const double volume_ml = result->dose.volume_ml;
	double missing_ml = doubt->artefact_ml + doubt->no_signal_ml + doubt->outside_ml;
	bool shifted = residual_mm > params->registration_limit_mm; /* not where it is unknown */

	result->measurable = VOI_MEASURABLE;
	result->reasons = 0;
	if (!(volume_ml > 0)) /* an empty mask: there is nothing to measure, and no dose */
		return;
	if (100 * missing_ml > params->not_measurable_above_percent * volume_ml ||
	    isnan(result->dose.mean))
		result->measurable = VOI_NOT_MEASURABLE;
	else if (100 * (missing_ml + doubt->doubtful_ml) >
		     params->limited_above_percent * volume_ml ||
		 shifted)
		result->measurable = VOI_LIMITED;
	if (result->measurable == VOI_MEASURABLE)
		return;

	size_t largest = 0;
	for (size_t c = 0; c < sizeof causes / sizeof *causes; c++) {
		if (causes[c].ml >= REASON_FROM * volume_ml)
			result->reasons |= causes[c].reason;
		if (causes[c].ml > causes[largest].ml)
			largest = c;
	}
	if (causes[largest].ml > 0)
		result->reasons |= causes[largest].reason;
	if (shifted)
		result->reasons |= VOI_REASON_REGISTRATION;
	if (result->measurable == VOI_NOT_MEASURABLE)
		forget_dose(result);
}

/* ---- all of them ---- */

unsigned dosimetry_voi_flags(const struct dosimetry_time_point *point,
			     const struct dosimetry_input *input)
{
	unsigned flags = 0;
	for (int i = 0; i < input->n_vois; i++) {
		const struct dosimetry_voi_result *voi = &point->voi[i];
		enum voi_role role = input->vois[i].role;
		bool tumour = role == VOI_TUMOUR || role == VOI_GROUP;
		if (tumour && voi->measurable == VOI_LIMITED)
			flags |= DOSIMETRY_TUMOUR_LIMITED;
		if (tumour && voi->measurable == VOI_NOT_MEASURABLE)
			flags |= DOSIMETRY_TUMOUR_NOT_MEASURABLE;
		if (tumour && voi->tumour_to_normal < 1) /* false for NaN */
			flags |= DOSIMETRY_TN_BELOW_1;
		if ((tumour || role == VOI_LIVER) &&
		    voi->oscillating_volume_ml > OSCILLATION_SHARE * voi->dose.volume_ml)
			flags |= DOSIMETRY_OSCILLATION;
	}
	return flags;
}

/* ---- dose by catheter position ---- */

/* Positions of the injections with first < number <= last, as bits. */
static unsigned positions_between(const struct dosimetry_input *input, int first, int last)
{
	unsigned positions = 0;
	for (int i = first; i < last; i++)
		positions |= 1u << input->injections[i].position;
	return positions;
}

static bool is_one(unsigned positions)
{
	return positions != 0 && (positions & (positions - 1)) == 0;
}

/* What came between two scans is a position's own where it alone was injected between them. One
 * that was also injected together with another has no dose of its own. */
static void divide_dose(struct dosimetry_voi_result *result, const double *mean_gy,
			const unsigned *positions, int n_points)
{
	double sum_gy[DOSIMETRY_MAX_POSITIONS] = {0}, before_gy = 0;
	unsigned alone = 0, mixed = 0, since = 0;
	for (int k = 0; k < n_points; k++) {
		since |= positions[k];
		if (isnan(mean_gy[k])) /* the next interval reaches back over this one */
			continue;
		for (int p = 0; p < DOSIMETRY_MAX_POSITIONS; p++) {
			if (since == 1u << p)
				sum_gy[p] += mean_gy[k] - before_gy;
		}
		*(is_one(since) ? &alone : &mixed) |= since;
		before_gy = mean_gy[k];
		since = 0;
	}
	for (int p = 0; p < DOSIMETRY_MAX_POSITIONS; p++)
		result->position_dose_gy[p] =
		    (alone & ~mixed & ~since) & 1u << p ? sum_gy[p] : (double)NAN;
}

void dosimetry_position_doses(struct dosimetry_time_point *points, int n_points,
			      const struct dosimetry_input *input)
{
	unsigned positions[DOSIMETRY_MAX_SCANS];
	double mean_gy[DOSIMETRY_MAX_SCANS];
	struct dosimetry_time_point *now = &points[n_points - 1];
	for (int k = 0; k < n_points; k++)
		positions[k] = positions_between(input, k == 0 ? 0 : points[k - 1].after_injection,
						 points[k].after_injection);
	for (int i = 0; i < input->n_vois; i++) {
		for (int k = 0; k < n_points; k++)
			mean_gy[k] = points[k].voi[i].dose.mean;
		if (now->voi[i].measurable != VOI_NOT_MEASURABLE)
			divide_dose(&now->voi[i], mean_gy, positions, n_points);
	}
	for (int h = 0; h < now->n_healthy; h++) {
		for (int k = 0; k < n_points; k++)
			mean_gy[k] = points[k].healthy[h].figures.dose.mean;
		if (now->healthy[h].figures.measurable != VOI_NOT_MEASURABLE)
			divide_dose(&now->healthy[h].figures, mean_gy, positions, n_points);
	}
}
