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
};

/* points: after each injection in order of time; activity_mbq cumulative and rising.
 * threshold_percent: 10 in the paper. Pure. */
struct uptake_result uptake_assess(const double *activity_mbq, const double *dose_gy, int points,
				   double threshold_percent);

const char *uptake_trend_name(enum uptake_trend trend); /* "not assessed", "linear", ... */

#endif
