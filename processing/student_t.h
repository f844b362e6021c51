/* student_t.h - quantiles of Student's t, for intervals about a fitted line.
 *
 * Pure. */
#ifndef STUDENT_T_H
#define STUDENT_T_H

/* Share of the distribution between -t and t (t >= 0), by the finite series for whole degrees of
 * freedom (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4). NaN for
 * fewer than one degree of freedom. */
double student_t_central_share(double t, int degrees_of_freedom);

/* The t that leaves (1 - central_share) / 2 on either side: 12.706 for 0.95 and 1. Relative error
 * below 1e-10 for shares up to 0.9999. NaN for a share outside (0, 1) or fewer than one degree of
 * freedom. */
double student_t_quantile(double central_share, int degrees_of_freedom);

#endif
