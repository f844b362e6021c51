#include "distribution.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#define MOST_STEPS 10000

/* ln Gamma(x), x > 0, by Stirling's series after the argument was raised beyond 15: lgamma() writes
 * a global. */
static double log_gamma(double x)
{
	static const double half_log_two_pi = 0.91893853320467274178;
	double raised = 1;
	while (x < 15) {
		raised *= x;
		x += 1;
	}
	double inverse = 1 / x, square = inverse * inverse;
	double series =
	    inverse *
	    (1.0 / 12 -
	     square * (1.0 / 360 - square * (1.0 / 1260 - square * (1.0 / 1680 - square / 1188))));
	return (x - 0.5) * log(x) - x + half_log_two_pi + series - log(raised);
}

/* The continued fraction of the incomplete beta function, evaluated from the front (Lentz). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1);
	d = 1 / (fabs(d) < tiny ? tiny : d);
	double value = d;
	for (int m = 1; m <= MOST_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		const double terms[2] = {even, odd};
		double change = 1;
		for (int i = 0; i < 2; i++) {
			d = 1 + terms[i] * d;
			c = 1 + terms[i] / c;
			d = 1 / (fabs(d) < tiny ? tiny : d);
			c = fabs(c) < tiny ? tiny : c;
			change = c * d;
			value *= change;
		}
		if (fabs(change - 1) < 2 * DBL_EPSILON)
			break;
	}
	return value;
}

double distribution_incomplete_beta(double a, double b, double x)
{
	if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1))
		return NAN;
	if (x <= 0 || x >= 1)
		return x;
	double front =
	    exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
	/* the fraction converges fast on this side of the mean */
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/* Share of the t distribution above t >= 0. */
static double student_t_tail(double t, double degrees)
{
	return 0.5 * distribution_incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t));
}

double distribution_student_t_quantile(double probability, double degrees)
{
	if (!(probability > 0 && probability < 1) || !(degrees > 0))
		return NAN;
	bool upper = probability >= 0.5;
	double tail = upper ? 1 - probability : probability;
	double low = 0, high = 1;
	while (student_t_tail(high, degrees) > tail && high < 1e150)
		high *= 2;
	for (int i = 0; i < 200 && high - low > 4 * DBL_EPSILON * high; i++) {
		double middle = 0.5 * (low + high);
		if (student_t_tail(middle, degrees) > tail)
			low = middle;
		else
			high = middle;
	}
	return (upper ? 0.5 : -0.5) * (low + high);
}

double distribution_f_tail(double f, double numerator_degrees, double denominator_degrees)
{
	if (!(f >= 0) || !(numerator_degrees > 0) || !(denominator_degrees > 0))
		return NAN;
	return distribution_incomplete_beta(denominator_degrees / 2, numerator_degrees / 2,
					    denominator_degrees /
						(denominator_degrees + numerator_degrees * f));
}
