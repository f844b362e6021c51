#include "holmium.h"

#include <math.h>

double holmium_decay_factor(double from_s, double to_s)
{
	return exp(-log(2.0) * (to_s - from_s) / (HOLMIUM_HALF_LIFE_H * 3600.0));
}

double holmium_net_activity_mbq(double start_s, double prepared_mbq, double prepared_at_s,
				double residual_mbq, double residual_at_s)
{
	double net_mbq = prepared_mbq * holmium_decay_factor(prepared_at_s, start_s);
	if (!isnan(residual_mbq))
		net_mbq -= residual_mbq * holmium_decay_factor(residual_at_s, start_s);
	return net_mbq;
}

double holmium_microspheres_mg_per_ml(double delta_r2star_per_s,
				      double relaxivity_per_s_per_mg_per_ml)
{
	return delta_r2star_per_s / relaxivity_per_s_per_mg_per_ml;
}

double holmium_relaxivity_for_content(double relaxivity, double batch_percent,
				      double calibration_percent)
{
	if (isnan(batch_percent) || isnan(calibration_percent))
		return relaxivity;
	return relaxivity * batch_percent / calibration_percent;
}

double holmium_effective_specific_activity(const double *activity_mbq,
					   const double *specific_activity_mbq_per_mg, int count)
{
	double sum_mbq = 0, sum_mg = 0;

	for (int i = 0; i < count; i++) {
		/* written so that NaN fails too */
		if (!(activity_mbq[i] > 0) || !(specific_activity_mbq_per_mg[i] > 0))
			return NAN;
		sum_mbq += activity_mbq[i];
		sum_mg += activity_mbq[i] / specific_activity_mbq_per_mg[i];
	}
	if (count < 1)
		return NAN;
	return sum_mbq / sum_mg;
}
