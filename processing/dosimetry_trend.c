/* dosimetry_trend.c - uptake of each tumour over the injections, and research advice. */
#include "dosimetry_parts.h"

#include <math.h>

static bool feeds(const struct dosimetry_injection *injection, int part)
{
	return injection->part_voi < 0 || part < 0 || injection->part_voi == part;
}

/* Dose against activity for what lies in one part (-1: anywhere in the liver). */
struct uptake_course {
	double activity_mbq[DOSIMETRY_MAX_SCANS], dose_gy[DOSIMETRY_MAX_SCANS];
	int points;
	double next_mbq; /* cumulative, after the injection to come; NaN: none that goes on there */
};

/* A line is drawn per catheter position, because each has its own way to the tumour: the points are
 * the scans after injections of the last position that fed it, after the last injection through
 * another (whose dose is then the line's intercept); x is what was injected there so far. */
static struct uptake_course follow_course(const struct dosimetry_time_point *points,
					  const double *dose_gy, int n_points, int part,
					  const struct dosimetry_input *input)
{
	struct uptake_course course = {.points = 0, .next_mbq = NAN};
	double sum_mbq = 0;
	int next = 0, position = -1;
	for (int k = 0; k < n_points; k++) {
		bool fed = false;
		for (; next < points[k].after_injection; next++) {
			const struct dosimetry_injection *injection = &input->injections[next];
			if (!feeds(injection, part))
				continue;
			if (position != injection->position) {
				position = injection->position;
				sum_mbq = 0;
				course.points = 0;
			}
			sum_mbq += injection->net_activity_mbq;
			fed = true;
		}
		if (!fed)
			continue;
		course.activity_mbq[course.points] = sum_mbq;
		course.dose_gy[course.points] = dose_gy[k];
		course.points++;
	}
	const struct dosimetry_injection *coming =
	    next < input->n_injections ? &input->injections[next] : input->planned;
	if (coming && feeds(coming, part) && coming->position == position)
		course.next_mbq = sum_mbq + coming->net_activity_mbq;
	return course;
}

static struct uptake_result assess_tumour(const struct dosimetry_time_point *points, int n_points,
					  int tumour, const struct dosimetry_plan *plan,
					  const struct dosimetry_input *input,
					  const struct dosimetry_params *params)
{
	double dose_gy[DOSIMETRY_MAX_SCANS];
	int part = plan->part_of[tumour], targeted = part >= 0 ? part : plan->liver;
	const struct dosimetry_time_point *last = &points[n_points - 1];
	for (int k = 0; k < n_points; k++)
		dose_gy[k] = points[k].voi[tumour].dose.mean;
	struct uptake_course course = follow_course(points, dose_gy, n_points, part, input);
	struct uptake_result result =
	    uptake_assess(course.activity_mbq, course.dose_gy, course.points,
			  params->trend_threshold_percent, course.next_mbq);
	result.hardly_any =
	    course.points >= UPTAKE_FEWEST_POINTS && targeted >= 0 &&
	    uptake_hardly_any(last->voi[tumour].dose.mean, last->voi[targeted].dose.mean);
	return result;
}

static struct uptake_remaining advise(const struct dosimetry_time_point *points, int n_points,
				      int healthy, const struct dosimetry_input *input,
				      double limit_gy)
{
	double dose_gy[DOSIMETRY_MAX_SCANS];
	for (int k = 0; k < n_points; k++)
		dose_gy[k] = points[k].healthy[healthy].figures.dose.mean;
	struct uptake_course course = follow_course(
	    points, dose_gy, n_points, points[n_points - 1].healthy[healthy].part_voi, input);
	return uptake_until_limit(course.activity_mbq, course.dose_gy, course.points, limit_gy);
}

void dosimetry_trends(struct dosimetry_time_point *points, int n_points,
		      const struct dosimetry_plan *plan, const struct dosimetry_input *input,
		      const struct dosimetry_params *params)
{
	struct dosimetry_time_point *last = &points[n_points - 1];
	for (int i = 0; i < input->n_vois; i++) {
		enum voi_role role = input->vois[i].role;
		last->trend[i] = role == VOI_TUMOUR || role == VOI_GROUP
				     ? assess_tumour(points, n_points, i, plan, input, params)
				     : uptake_assess(NULL, NULL, 0, 0, (double)NAN);
	}
	for (int h = 0; h < DOSIMETRY_MAX_VOIS; h++)
		last->advice[h] = h < last->n_healthy && !isnan(params->advice_limit_gy)
				      ? advise(points, n_points, h, input, params->advice_limit_gy)
				      : (struct uptake_remaining){NAN, NAN, NAN};
}
