/* uptake.h - does a tumour still take up microspheres as it did?
 *
 * Source paper: a straight line (with intercept) through the mean doses after all injections but the last, against
 * cumulative injected activity; uptake is not linear when the last dose is 10 % or more off the line. */
#ifndef UPTAKE_H
#define UPTAKE_H

enum uptake_trend {
	UPTAKE_NOT_ASSESSED = 0, /* fewer than four points, a dose missing, or equal activities */
	UPTAKE_LINEAR,
	UPTAKE_SATURATING, /* last dose >= 10 % below the line */
	UPTAKE_RISING      /* last dose >= 10 % above the line */
};

struct uptake_result {
	enum uptake_trend trend;
	double expected_gy;       /* the line at the last activity; NaN when not assessed */
	double deviation_percent; /* 100 * (last - expected) / expected */
};

/* points: after each injection in order of time; activity_mbq rising. threshold_percent: 10. */
struct uptake_result uptake_assess(const double *activity_mbq, const double *dose_gy, int points,
                                   double threshold_percent);

const char *uptake_trend_name(enum uptake_trend trend); /* "not assessed", "linear", ... */

#endif
