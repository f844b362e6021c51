/* uptake.h - does a tumour still take up microspheres as it did?
 *
 * Source paper (doi 10.1007/s00259-022-05902-w): a straight line through the mean doses after all
 * injections but the last, against cumulative injected activity; uptake is not linear when the
 * last dose is 10 % or more off the line. The paper's injections bring 10, 40, 70 and 100 % of the
 * activity and its line goes through the first three points. Its intercept is taken as free
 * ("linear trend line"); forced through zero is not stated. So the first verdict falls at the
 * fourth point. */
#ifndef UPTAKE_H
#define UPTAKE_H

#include <stdbool.h>

enum uptake_trend {
	UPTAKE_NOT_ASSESSED = 0, /* fewer than four points, a number missing, activity not rising,
				    or an expected dose that is not above 0 */
	UPTAKE_LINEAR,
	UPTAKE_SATURATING, /* last dose threshold_percent or more below the line */
	UPTAKE_RISING	   /* last dose threshold_percent or more above the line */
};

struct uptake_result {
	enum uptake_trend trend;
	double expected_gy;	  /* the line at the last activity; NaN when not assessed */
	double deviation_percent; /* 100 * (last - expected) / expected; NaN when not assessed */
	/* 95 % band of the expected dose (prediction interval of the line, Student's t); NaN with
	 * fewer than three points on the line. */
	double expected_lower_gy, expected_upper_gy;
	double slope_gy_per_mbq, intercept_gy; /* of the line; NaN */
	/* The line through all points so far, at the next injection's activity; NaN without one. */
	double next_gy, next_lower_gy, next_upper_gy;
	/* The tumour takes up hardly more than nothing, although the trend may be linear: the dose
	 * it got is below uptake_hardly_any_share of the healthy liver's. */
	bool hardly_any;
};

/* Activity still to inject until a limit is met; research only. NaN: unknown. */
struct uptake_remaining {
	double activity_mbq, lower_mbq, upper_mbq; /* 95 % interval; 0 when the limit is reached */
};

/* points: after each injection in order of time; activity_mbq cumulative and rising.
 * threshold_percent: 10 in the paper. next_activity_mbq: cumulative activity after the injection to
 * come; NaN: none known. Pure. */
struct uptake_result uptake_assess(const double *activity_mbq, const double *dose_gy, int points,
				   double threshold_percent, double next_activity_mbq);

/* Activity until the healthy liver reaches limit_gy: the line through all points, x where it meets
 * the limit, with the interval that the scatter about the line gives (Fieller). NaN with fewer than
 * three points or without a rise. Advice for research, never a prescription. */
struct uptake_remaining uptake_until_limit(const double *activity_mbq, const double *healthy_gy,
					   int points, double limit_gy);

const char *uptake_trend_name(enum uptake_trend trend); /* "not assessed", "linear", ... */

#endif
