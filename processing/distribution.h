/* distribution.h - the distributions of small samples: Student's t and Fisher's F.
 *
 * Both through the regularised incomplete beta function (continued fraction). Checked against
 * scipy's to nine digits for 1 to 10^6 degrees of freedom. Pure. */
#ifndef DISTRIBUTION_H
#define DISTRIBUTION_H

/* I_x(a, b) for a, b > 0 and x in [0, 1]; else NaN. */
double distribution_incomplete_beta(double a, double b, double x);

/* The t of so many degrees of freedom that lies above a share `probability` of the distribution:
 * 12.706 for 0.975 and 1, 1.960 for 0.975 and very many. NaN unless degrees > 0 and 0 < probability
 * < 1. */
double distribution_student_t_quantile(double probability, double degrees);

/* Share of the F distribution above f. NaN unless f >= 0 and both degrees of freedom are > 0. */
double distribution_f_tail(double f, double numerator_degrees, double denominator_degrees);

#endif
