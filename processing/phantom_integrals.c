/* phantom_integrals.c - integrals of the continuous fields over the continuous shapes.
 *
 * Lines parallel to the local z axis pass the middles of step_mm squares. On each, the liver's
 * surface is found by bisection, the tumours' and the dividing plane in closed form; between two
 * such cuts everything is smooth and two Gauss points per 2 mm integrate it. So only the spread
 * over lines carries an error, and it falls quickly with the step.
 *
 * Inside a tumour its own field is 1; one that is uneven is integrated in coordinates that make it
 * a ball, so that its surface is exact too. */
#include "phantom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "phantom_shapes.h"

#define MAX_CUTS   64
#define ROW_CHUNK  4
#define GAUSS_SPAN 2.0
#define PI	   3.14159265358979323846

#define SHELLS	80
#define RINGS	80
#define SECTORS 40

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
		double weights[PHANTOM_MAX_FIELDS];
		point[2] = from + half * (2 * (i / 2) + 1) + (i % 2 ? gauss : -gauss) * half;
		phantom_local_weights(weights, model, point);
		for (int w = 0; w < PHANTOM_MAX_FIELDS; w++) {
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

static double closed_volume_ml(const struct phantom_model *model, const double semi_mm[3])
{
	if (isinf(semi_mm[2]))
		return PI * semi_mm[0] * semi_mm[1] * (model->high_mm[2] - model->low_mm[2]) / 1000;
	return 4.0 / 3 * PI * semi_mm[0] * semi_mm[1] * semi_mm[2] / 1000;
}

/* Shells, rings and sectors of equal volume each, the field at the middle of every piece. */
static void integrate_uneven(struct phantom_integrals *integrals, const struct phantom_model *model,
			     int tumour)
{
	const struct phantom_ellipsoid *shape = &model->tumours[tumour].shape;
	double *below = integrals->tumour_below_ml[tumour];
	double piece_ml = integrals->tumour_ml[tumour] / (SHELLS * RINGS * SECTORS), sum = 0;
	for (int at = 0; at < SHELLS * RINGS * SECTORS; at++) {
		double radius = cbrt((at / (RINGS * SECTORS) + 0.5) / SHELLS);
		double up = 2 * (at / SECTORS % RINGS + 0.5) / RINGS - 1;
		double turn = 2 * PI * (at % SECTORS + 0.5) / SECTORS, flat = sqrt(1 - up * up);
		const double unit[3] = {flat * cos(turn), up, flat * sin(turn)};
		double point[3], weights[PHANTOM_MAX_FIELDS];
		for (int axis = 0; axis < 3; axis++)
			point[axis] =
			    shape->centre_mm[axis] + shape->semi_mm[axis] * radius * unit[axis];
		phantom_local_weights(weights, model, point);
		double value = weights[PHANTOM_FIELD_TUMOUR + tumour];
		sum += value;
		int level = (int)fmin(value / PHANTOM_LEVEL_WIDTH, PHANTOM_LEVELS - 1);
		below[level + 1] += piece_ml;
	}
	for (int n = 0; n < PHANTOM_LEVELS; n++)
		below[n + 1] += below[n];
	integrals->tumour_weight_ml[tumour] = sum * piece_ml;
}

static void integrate_tumour(struct phantom_integrals *integrals, const struct phantom_model *model,
			     int tumour)
{
	double volume_ml = closed_volume_ml(model, model->tumours[tumour].shape.semi_mm);
	integrals->tumour_ml[tumour] = volume_ml;
	if (phantom_tumour_uneven(&model->tumours[tumour])) {
		integrate_uneven(integrals, model, tumour);
		return;
	}
	integrals->tumour_weight_ml[tumour] = volume_ml;
	for (int n = 0; n <= PHANTOM_LEVELS; n++)
		integrals->tumour_below_ml[tumour][n] = n * PHANTOM_LEVEL_WIDTH > 1 ? volume_ml : 0;
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
			for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
				integrals->weight_ml[part][w] +=
				    job.chunks[chunk].weight_ml[part][w];
		}
	free(job.chunks);
	for (int i = 0; i < model->n_tumours; i++)
		integrate_tumour(integrals, model, i);
	return STATUS_OK;
}
