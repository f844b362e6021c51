/* phantom_truth.c - integrals of the continuous field over the continuous shapes, and what follows
 * from them.
 *
 * Lines parallel to the local z axis pass the middles of step_mm squares. On each, the liver's
 * surface is found by bisection, the tumours' and the dividing plane in closed form; between two
 * such cuts everything is smooth and two Gauss points per 2 mm integrate it. So only the spread
 * over lines carries an error, and it falls quickly with the step. */
#include "phantom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "phantom_shapes.h"

#define MAX_CUTS   64
#define ROW_CHUNK  4
#define GAUSS_SPAN 2.0

struct integration {
	const struct phantom_model *model;
	double step_mm;
	int columns;
	struct phantom_integrals *chunks;
};

static int compare_doubles(const void *a, const void *b)
{
	double x, y;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

static double surface_between(const struct phantom_model *model, const double point[3],
			      double inside_z, double outside_z)
{
	double probe[3] = {point[0], point[1], 0};
	for (int i = 0; i < 48; i++) {
		probe[2] = (inside_z + outside_z) / 2;
		if (phantom_liver_distance_mm(model, probe) <= 0)
			inside_z = probe[2];
		else
			outside_z = probe[2];
	}
	return (inside_z + outside_z) / 2;
}

/* Heights at which the line through (x, y) meets a surface, sorted, ends of the box included. */
static int line_cuts(double cuts[MAX_CUTS], const struct phantom_model *model, const double at[2])
{
	const double low = model->low_mm[2], high = model->high_mm[2], probe_mm = 2;
	int count = 0;
	double point[3] = {at[0], at[1], low};
	bool was_inside = phantom_liver_distance_mm(model, point) <= 0;

	cuts[count++] = low;
	cuts[count++] = high;
	int steps = (int)ceil((high - low) / probe_mm);
	for (int i = 1; i <= steps && count < MAX_CUTS - 10; i++) {
		double before = point[2];
		point[2] = low + (high - low) * i / steps;
		bool is_inside = phantom_liver_distance_mm(model, point) <= 0;
		if (is_inside != was_inside)
			cuts[count++] = is_inside ? surface_between(model, point, point[2], before)
						  : surface_between(model, point, before, point[2]);
		was_inside = is_inside;
	}
	if (model->has_parts && model->cut_normal[2] != 0) {
		double z = (model->cut_offset_mm - model->cut_normal[0] * at[0] -
			    model->cut_normal[1] * at[1]) /
			   model->cut_normal[2];
		if (z > low && z < high)
			cuts[count++] = z;
	}
	for (int i = 0; i < model->n_tumours; i++) {
		const struct phantom_ellipsoid *shape = &model->tumours[i].shape;
		double x = (at[0] - shape->centre_mm[0]) / shape->semi_mm[0];
		double y = (at[1] - shape->centre_mm[1]) / shape->semi_mm[1];
		double rest = 1 - x * x - y * y;
		if (rest <= 0 || isinf(shape->semi_mm[2]))
			continue;
		cuts[count++] = shape->centre_mm[2] - shape->semi_mm[2] * sqrt(rest);
		cuts[count++] = shape->centre_mm[2] + shape->semi_mm[2] * sqrt(rest);
	}
	qsort(cuts, (size_t)count, sizeof cuts[0], compare_doubles);
	return count;
}

static void add_segment(struct phantom_integrals *sum, const struct phantom_model *model,
			const double at[2], double from, double to, double area_ml_per_mm)
{
	static const double gauss = 0.57735026918962576451;
	double point[3] = {at[0], at[1], (from + to) / 2};
	if (to - from < 1e-9 || phantom_liver_distance_mm(model, point) > 0)
		return;
	int part = 0;
	if (model->has_parts)
		part = phantom_cut_distance_mm(model, point) < 0 ? 1 : 2;
	sum->volume_ml[0] += (to - from) * area_ml_per_mm;
	sum->volume_ml[part] += part ? (to - from) * area_ml_per_mm : 0;
	int pieces = (int)ceil((to - from) / GAUSS_SPAN);
	double half = (to - from) / pieces / 2;
	for (int i = 0; i < 2 * pieces; i++) {
		double weights[1 + PHANTOM_MAX_TUMOURS];
		point[2] = from + half * (2 * (i / 2) + 1) + (i % 2 ? gauss : -gauss) * half;
		phantom_local_weights(weights, model, point);
		for (int w = 0; w <= model->n_tumours; w++) {
			double value = weights[w] * half * area_ml_per_mm;
			sum->weight_ml[0][w] += value;
			sum->weight_ml[part][w] += part ? value : 0;
		}
	}
}

static void integrate_rows(void *user, size_t first, size_t last)
{
	const struct integration *job = user;
	const struct phantom_model *model = job->model;
	struct phantom_integrals *sum = &job->chunks[first / ROW_CHUNK];
	double area_ml_per_mm = job->step_mm * job->step_mm / 1000;
	for (size_t row = first; row < last; row++) {
		for (int column = 0; column < job->columns; column++) {
			double at[2] = {model->low_mm[0] + (column + 0.5) * job->step_mm,
					model->low_mm[1] + ((double)row + 0.5) * job->step_mm};
			double cuts[MAX_CUTS];
			int count = line_cuts(cuts, model, at);
			for (int i = 0; i + 1 < count; i++)
				add_segment(sum, model, at, cuts[i], cuts[i + 1], area_ml_per_mm);
		}
	}
}

enum status_code phantom_integrate(struct phantom_integrals *integrals,
				   const struct phantom_model *model, double step_mm, int threads,
				   struct status *st)
{
	size_t rows = (size_t)ceil((model->high_mm[1] - model->low_mm[1]) / step_mm);
	size_t chunks = (rows + ROW_CHUNK - 1) / ROW_CHUNK;
	struct integration job = {
	    .model = model,
	    .step_mm = step_mm,
	    .columns = (int)ceil((model->high_mm[0] - model->low_mm[0]) / step_mm),
	    .chunks = calloc(chunks, sizeof *job.chunks),
	};
	if (!job.chunks)
		return status_fail(st, STATUS_RETRY, "no memory for the phantom's integrals");
	parallel_for(rows, ROW_CHUNK, threads, integrate_rows, &job);

	*integrals = (struct phantom_integrals){.step_mm = step_mm};
	for (size_t chunk = 0; chunk < chunks; chunk++)
		for (int part = 0; part < 3; part++) {
			integrals->volume_ml[part] += job.chunks[chunk].volume_ml[part];
			for (int w = 0; w <= PHANTOM_MAX_TUMOURS; w++)
				integrals->weight_ml[part][w] +=
				    job.chunks[chunk].weight_ml[part][w];
		}
	free(job.chunks);
	return STATUS_OK;
}

enum status_code phantom_solve(struct phantom_course *course, const struct phantom_model *model,
			       const struct phantom_integrals *integrals, struct status *st)
{
	int n = course->injections;
	for (int j = 0; j < n; j++) {
		double mass_mg = course->activity_mbq[j] / course->specific_activity_mbq_per_mg[j];
		double *level = course->level_mg_per_ml[j];
		double rest_mg = mass_mg;
		for (int i = 0; i < model->n_tumours; i++) {
			const struct phantom_tumour *tumour = &model->tumours[i];
			double share = j == n - 1 && n >= 4 ? tumour->last_share : 1;
			level[1 + i] = tumour->uptake_per_ml * share * mass_mg;
			rest_mg -= level[1 + i] * integrals->weight_ml[0][1 + i];
		}
		level[0] = rest_mg / integrals->weight_ml[0][0];
		if (!(level[0] >= 0))
			return status_fail(
			    st, STATUS_REFUSE,
			    "injection %d: the tumours would take more than was injected", j + 1);
	}
	return STATUS_OK;
}

static double tumour_volume_ml(const struct phantom_model *model, int tumour)
{
	const double pi = 3.14159265358979323846;
	const double *semi = model->tumours[tumour].shape.semi_mm;
	if (isinf(semi[2]))
		return pi * semi[0] * semi[1] * (model->high_mm[2] - model->low_mm[2]) / 1000;
	return 4.0 / 3 * pi * semi[0] * semi[1] * semi[2] / 1000;
}

/* Integrals of the weights over a VOI, and its volume. Inside a tumour its own weight is 1. */
static double voi_integrals(double weight_ml[1 + PHANTOM_MAX_TUMOURS],
			    const struct phantom_model *model,
			    const struct phantom_integrals *integrals,
			    const struct phantom_voi *voi, bool healthy)
{
	for (int w = 0; w <= PHANTOM_MAX_TUMOURS; w++)
		weight_ml[w] = 0;
	if (voi->role == PHANTOM_TUMOUR) {
		weight_ml[1 + voi->tumour] = tumour_volume_ml(model, voi->tumour);
		return weight_ml[1 + voi->tumour];
	}
	int part = voi->role == PHANTOM_LIVER ? 0 : voi->role == PHANTOM_RIGHT ? 1 : 2;
	double volume_ml = integrals->volume_ml[part];
	memcpy(weight_ml, integrals->weight_ml[part], sizeof integrals->weight_ml[part]);
	for (int i = 0; healthy && i < model->n_tumours; i++) {
		double left = phantom_cut_distance_mm(model, model->tumours[i].shape.centre_mm);
		if (part != 0 && (left < 0) != (part == 1))
			continue;
		weight_ml[1 + i] -= tumour_volume_ml(model, i);
		volume_ml -= tumour_volume_ml(model, i);
	}
	return volume_ml;
}

static void accumulate(struct phantom_truth *truth, const struct phantom_course *course,
		       const double weight_ml[1 + PHANTOM_MAX_TUMOURS], double volume_ml)
{
	double gy_per_mbq_per_ml = course->dose_constant_mj_per_mbq / course->density_g_per_ml;
	double mass_mg = 0, activity_mbq = 0;
	truth->volume_ml = volume_ml;
	for (int j = 0; j < course->injections; j++) {
		double added_mg = 0;
		for (int w = 0; w <= PHANTOM_MAX_TUMOURS; w++)
			added_mg += course->level_mg_per_ml[j][w] * weight_ml[w];
		mass_mg += added_mg;
		activity_mbq += added_mg * course->specific_activity_mbq_per_mg[j];
		truth->activity_mbq[j] = activity_mbq;
		truth->mean_dose_gy[j] = activity_mbq / volume_ml * gy_per_mbq_per_ml;
		truth->delta_r2star_per_s[j] =
		    mass_mg / volume_ml * course->relaxivity_per_s_per_mg_per_ml;
		truth->tumour_to_normal[j] = NAN;
	}
}

void phantom_truth_healthy(struct phantom_truth *truth, const struct phantom_model *model,
			   const struct phantom_integrals *integrals,
			   const struct phantom_course *course, const struct phantom_voi *voi)
{
	double weight_ml[1 + PHANTOM_MAX_TUMOURS];
	double volume_ml = voi_integrals(weight_ml, model, integrals, voi, true);
	accumulate(truth, course, weight_ml, volume_ml);
}

void phantom_truth(struct phantom_truth *truth, const struct phantom_model *model,
		   const struct phantom_integrals *integrals, const struct phantom_course *course,
		   const struct phantom_voi *voi)
{
	double weight_ml[1 + PHANTOM_MAX_TUMOURS];
	double volume_ml = voi_integrals(weight_ml, model, integrals, voi, false);
	accumulate(truth, course, weight_ml, volume_ml);
	if (voi->role != PHANTOM_TUMOUR)
		return;
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_truth healthy;
	phantom_vois(vois, model);
	phantom_truth_healthy(&healthy, model, integrals, course,
			      &vois[voi->part < 0 ? 0 : voi->part]);
	for (int j = 0; j < course->injections; j++)
		truth->tumour_to_normal[j] = truth->mean_dose_gy[j] / healthy.mean_dose_gy[j];
}
