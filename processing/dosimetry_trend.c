/* dosimetry_trend.c - uptake of each tumour over the injections. */
#include "dosimetry_parts.h"

#include <math.h>

static bool feeds(const struct dosimetry_injection *injection, int part)
{
	return injection->part_voi < 0 || part < 0 || injection->part_voi == part;
}

/* A line is drawn per catheter position, because each has its own way to the tumour: the points are
 * the scans after injections of the last position that fed it, after the last injection through
 * another (whose dose is then the line's intercept); x is what was injected there so far. */
static struct uptake_result assess_tumour(const struct dosimetry_time_point *points, int n_points,
					  int tumour, int part, const struct dosimetry_input *input,
					  const struct dosimetry_params *params)
{
	double activity_mbq[DOSIMETRY_MAX_SCANS], dose_gy[DOSIMETRY_MAX_SCANS], sum_mbq = 0;
	int used = 0, next = 0, position = -1;
	for (int k = 0; k < n_points; k++) {
		bool fed = false;
		for (; next < points[k].after_injection; next++) {
			const struct dosimetry_injection *injection = &input->injections[next];
			if (!feeds(injection, part))
				continue;
			if (position != injection->position) {
				position = injection->position;
				sum_mbq = 0;
				used = 0;
			}
			sum_mbq += injection->net_activity_mbq;
			fed = true;
		}
		if (!fed)
			continue;
		activity_mbq[used] = sum_mbq;
		dose_gy[used] = points[k].voi[tumour].dose.mean;
		used++;
	}
	return uptake_assess(activity_mbq, dose_gy, used, params->trend_threshold_percent,
			     (double)NAN);
}

void dosimetry_trends(struct dosimetry_time_point *points, int n_points,
		      const struct dosimetry_plan *plan, const struct dosimetry_input *input,
		      const struct dosimetry_params *params)
{
	for (int i = 0; i < input->n_vois; i++) {
		points[n_points - 1].trend[i] =
		    input->vois[i].role == VOI_TUMOUR
			? assess_tumour(points, n_points, i, plan->part_of[i], input, params)
			: (struct uptake_result){.trend = UPTAKE_NOT_ASSESSED,
						 .expected_gy = NAN,
						 .deviation_percent = NAN};
	}
}
