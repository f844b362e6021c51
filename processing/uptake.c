#include "uptake.h"

#include <math.h>

#include "student_t.h"

#define CONFIDENCE	 0.95
#define HARDLY_ANY_SHARE (1.0 / 3) /* of the targeted liver's mean dose; reasons in uptake.h */

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

/* Least-squares line with intercept. */
struct line {
	int points;
	double mean_x, mean_y, sum_xx, slope;
	double scatter; /* SD of the points about it, points - 2 degrees of freedom; NaN with two */
	double t;	/* Student's, for 95 %; NaN with two points */
};

static struct line line_fit(const double *x, const double *y, int points)
{
	struct line line = {.points = points, .scatter = NAN, .t = NAN};
	double sum_xy = 0, squares = 0;
	for (int i = 0; i < points; i++) {
		line.mean_x += x[i] / points;
		line.mean_y += y[i] / points;
	}
	for (int i = 0; i < points; i++) {
		double dx = x[i] - line.mean_x;
		line.sum_xx += dx * dx;
		sum_xy += dx * (y[i] - line.mean_y);
	}
	line.slope = sum_xy / line.sum_xx;
	for (int i = 0; i < points; i++) {
		double off = y[i] - line.mean_y - line.slope * (x[i] - line.mean_x);
		squares += off * off;
	}
	if (points > 2) {
		line.scatter = sqrt(squares / (points - 2));
		line.t = student_t_quantile(CONFIDENCE, points - 2);
	}
	return line;
}

static double line_at(const struct line *line, double x)
{
	return line->mean_y + line->slope * (x - line->mean_x);
}

/* Half the width of the prediction interval of a new point at x. */
static double half_band(const struct line *line, double x)
{
	double dx = x - line->mean_x;
	return line->t * line->scatter * sqrt(1 + 1.0 / line->points + dx * dx / line->sum_xx);
}

static void predict_next(struct uptake_result *result, const double *activity_mbq,
			 const double *dose_gy, int points, double next_activity_mbq)
{
	if (points < 2 || !(next_activity_mbq > activity_mbq[points - 1]))
		return;
	struct line line = line_fit(activity_mbq, dose_gy, points);
	result->next_gy = line_at(&line, next_activity_mbq);
	result->next_lower_gy = result->next_gy - half_band(&line, next_activity_mbq);
	result->next_upper_gy = result->next_gy + half_band(&line, next_activity_mbq);
}

struct uptake_result uptake_assess(const double *activity_mbq, const double *dose_gy, int points,
				   double threshold_percent, double next_activity_mbq)
{
	struct uptake_result result = {.trend = UPTAKE_NOT_ASSESSED,
				       .expected_gy = NAN,
				       .deviation_percent = NAN,
				       .expected_lower_gy = NAN,
				       .expected_upper_gy = NAN,
				       .slope_gy_per_mbq = NAN,
				       .intercept_gy = NAN,
				       .next_gy = NAN,
				       .next_lower_gy = NAN,
				       .next_upper_gy = NAN};
	if (!points_are_usable(activity_mbq, dose_gy, points))
		return result;
	predict_next(&result, activity_mbq, dose_gy, points, next_activity_mbq);
	if (points < UPTAKE_FEWEST_POINTS)
		return result;

	double last_mbq = activity_mbq[points - 1], last_gy = dose_gy[points - 1];
	struct line line = line_fit(activity_mbq, dose_gy, points - 1);
	double expected_gy = line_at(&line, last_mbq);
	/* a share of nothing, or of less, says nothing */
	if (!(expected_gy > 0))
		return result;
	result.expected_gy = expected_gy;
	result.expected_lower_gy = expected_gy - half_band(&line, last_mbq);
	result.expected_upper_gy = expected_gy + half_band(&line, last_mbq);
	result.slope_gy_per_mbq = line.slope;
	result.intercept_gy = line_at(&line, 0);
	result.deviation_percent = 100 * (last_gy - expected_gy) / expected_gy;
	if (result.deviation_percent <= -threshold_percent)
		result.trend = UPTAKE_SATURATING;
	else if (result.deviation_percent >= threshold_percent)
		result.trend = UPTAKE_RISING;
	else
		result.trend = UPTAKE_LINEAR;
	return result;
}

bool uptake_hardly_any(double tumour_gy, double targeted_liver_gy)
{
	return targeted_liver_gy > 0 && tumour_gy < HARDLY_ANY_SHARE * targeted_liver_gy;
}

/* Where the line meets the limit, from the mean of x: u = (limit - mean) / slope, and the roots of
 * (slope u - (limit - mean))^2 = t^2 scatter^2 (1 / n + u^2 / sum_xx). */
struct uptake_remaining uptake_until_limit(const double *activity_mbq, const double *healthy_gy,
					   int points, double limit_gy)
{
	struct uptake_remaining remaining = {NAN, NAN, NAN};
	if (points < 3 || !isfinite(limit_gy) ||
	    !points_are_usable(activity_mbq, healthy_gy, points))
		return remaining;
	if (healthy_gy[points - 1] >= limit_gy)
		return (struct uptake_remaining){0, 0, 0};
	struct line line = line_fit(activity_mbq, healthy_gy, points);
	double rise = limit_gy - line.mean_y;
	double noise = line.t * line.scatter;
	double square = line.slope * line.slope - noise * noise / line.sum_xx;
	if (!(line.slope > 0) || !(square > 0))
		return remaining;
	/* square * u^2 - 2 slope rise u + rise^2 - noise^2 / n = 0 */
	double middle = line.slope * rise / square;
	double spread = noise * sqrt(rise * rise / line.sum_xx + square / line.points) / square;
	double to_go = line.mean_x - activity_mbq[points - 1];
	remaining.activity_mbq = fmax(0, to_go + rise / line.slope);
	remaining.lower_mbq = fmax(0, to_go + middle - spread);
	remaining.upper_mbq = fmax(0, to_go + middle + spread);
	return remaining;
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
