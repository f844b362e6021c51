#include "uptake.h"

#include <math.h>
#include <stdbool.h>

#define UPTAKE_MINIMUM_POINTS                                                                      \
	4 /* three for the line, as in the source paper, and the one judged                        \
	   */

/* All numbers known and the activity rising from point to point. */
static bool points_are_usable(const double *activity_mbq, const double *dose_gy, int points)
{
	for (int i = 0; i < points; i++) {
		if (!isfinite(activity_mbq[i]) || !isfinite(dose_gy[i]))
			return false;
		if (i > 0 && activity_mbq[i] <= activity_mbq[i - 1])
			return false;
	}
	return true;
}

/* Least-squares line with intercept through the points, at activity_mbq x. */
static double line_at(const double *activity_mbq, const double *dose_gy, int points, double x)
{
	double mean_x = 0, mean_y = 0, sum_xx = 0, sum_xy = 0;
	for (int i = 0; i < points; i++) {
		mean_x += activity_mbq[i] / points;
		mean_y += dose_gy[i] / points;
	}
	for (int i = 0; i < points; i++) {
		double dx = activity_mbq[i] - mean_x;
		sum_xx += dx * dx;
		sum_xy += dx * (dose_gy[i] - mean_y);
	}
	return mean_y + sum_xy / sum_xx * (x - mean_x);
}

struct uptake_result uptake_assess(const double *activity_mbq, const double *dose_gy, int points,
				   double threshold_percent, double next_activity_mbq)
{
	struct uptake_result result = {
	    .trend = UPTAKE_NOT_ASSESSED, .expected_gy = NAN, .deviation_percent = NAN};
	(void)next_activity_mbq;
	if (points < UPTAKE_MINIMUM_POINTS || !points_are_usable(activity_mbq, dose_gy, points))
		return result;
	double last_gy = dose_gy[points - 1];
	double expected_gy = line_at(activity_mbq, dose_gy, points - 1, activity_mbq[points - 1]);
	/* a share of nothing, or of less, says nothing */
	if (!(expected_gy > 0))
		return result;
	result.expected_gy = expected_gy;
	result.deviation_percent = 100 * (last_gy - expected_gy) / expected_gy;
	if (result.deviation_percent <= -threshold_percent)
		result.trend = UPTAKE_SATURATING;
	else if (result.deviation_percent >= threshold_percent)
		result.trend = UPTAKE_RISING;
	else
		result.trend = UPTAKE_LINEAR;
	return result;
}

const char *uptake_trend_name(enum uptake_trend trend)
{
	switch (trend) {
	case UPTAKE_LINEAR:
		return "linear";
	case UPTAKE_SATURATING:
		return "saturating";
	case UPTAKE_RISING:
		return "rising";
	case UPTAKE_NOT_ASSESSED:
		break;
	}
	return "not assessed";
}
