#include "student_t.h"

#include <math.h>

#define HALVINGS 60 /* of an interval of pi / 2: to the last bit of a double */

/* With t = sqrt(n) tan(angle) both series are finite sums of powers of cos(angle). */
static double share_within_angle(double angle, int n)
{
	double cosine = cos(angle), square = cosine * cosine;
	double term = n % 2 ? cosine : 1, sum = 0;
	for (int power = n % 2 ? 3 : 2; power <= n; power += 2) {
		sum += term;
		term *= square * (power - 1) / power;
	}
	if (n % 2 == 0)
		return sin(angle) * sum;
	return 2 / acos(-1.0) * (angle + sin(angle) * sum);
}

double student_t_central_share(double t, int degrees_of_freedom)
{
	if (degrees_of_freedom < 1 || !(t >= 0))
		return NAN;
	return share_within_angle(atan(t / sqrt(degrees_of_freedom)), degrees_of_freedom);
}

double student_t_quantile(double central_share, int degrees_of_freedom)
{
	if (degrees_of_freedom < 1 || !(central_share > 0 && central_share < 1))
		return NAN;
	double low = 0, high = acos(-1.0) / 2;
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (low + high) / 2;
		if (share_within_angle(middle, degrees_of_freedom) < central_share)
			low = middle;
		else
			high = middle;
	}
	return sqrt(degrees_of_freedom) * tan((low + high) / 2);
}
