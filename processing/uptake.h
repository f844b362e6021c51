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
	/* 95 % prediction interval of the expected dose (a new point about the line, Student's t);
	 * NaN when not assessed. With three points on the line there is one degree of freedom and t
	 * is 12.7: a wide band is the truth about three points, and the verdict does not use it. */
	double expected_lower_gy, expected_upper_gy;
	double slope_gy_per_mbq, intercept_gy; /* of that line; NaN when not assessed */
	/* The line through all points so far, at the next injection's activity; NaN without one or
	 * with fewer than two points. Its band needs three. */
	double next_gy, next_lower_gy, next_upper_gy;
	/* uptake_hardly_any() of the last dose, where there are points enough for a verdict: set by
	 * who knows the reference. A trend may be linear beside it, or not assessed. */
	bool hardly_any;
};

/* Activity still to inject until a limit is met; research only. NaN: unknown. */
struct uptake_remaining {
	double activity_mbq, lower_mbq, upper_mbq; /* 95 % interval; 0 when the limit is reached */
};

/* Fewest points for a verdict: three for the line, as in the source paper, and the one judged. */
#define UPTAKE_FEWEST_POINTS 4

/* points: after each injection in order of time; activity_mbq cumulative and rising.
 * threshold_percent: 10 in the paper. next_activity_mbq: cumulative activity after the injection to
 * come; NaN: none known. Without points everything is NaN and nothing assessed. Pure. */
struct uptake_result uptake_assess(const double *activity_mbq, const double *dose_gy, int points,
				   double threshold_percent, double next_activity_mbq);

/* Hardly any uptake: the tumour's mean dose is below a third of the mean dose of the liver that was
 * targeted (the part that holds it, tumours included; the whole liver where there is no part). The
 * source paper says "hardly any uptake" of a tumour with 17 Gy, and of no other; the lowest of its
 * other tumours had 25.8 Gy. Prescribed were 60 Gy for the targeted liver (its Eq. 1), so 0.28 is
 * hardly any and 0.43 is not: the third between them is ours. A ratio of two doses of one map: the
 * relaxivity and the specific activity cancel. A tumour below its healthy liver (T/N < 1) is
 * another matter, and has its own flag. False where a dose is NaN or the reference not above 0. */
bool uptake_hardly_any(double tumour_gy, double targeted_liver_gy);

/* Activity until the healthy liver reaches limit_gy: the line through all points, x where it meets
 * the limit, with the 95 % interval that the scatter about the line gives (Fieller's theorem for
 * the ratio (limit - intercept) / slope). All 0 once the last dose is at the limit. All NaN with
 * fewer than three points, or where the slope is not above 0 by that scatter: then the interval has
 * no end, and a number without one is not given. Advice for research, never a prescription. */
struct uptake_remaining uptake_until_limit(const double *activity_mbq, const double *healthy_gy,
					   int points, double limit_gy);

const char *uptake_trend_name(enum uptake_trend trend); /* "not assessed", "linear", ... */

#endif
