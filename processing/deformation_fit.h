/* deformation_fit.h - the field of a deformation that fits two images best at one level: Gauss and
 * Newton's steps, solved by conjugate gradients. Part of deformation.h. */
#ifndef DEFORMATION_FIT_H
#define DEFORMATION_FIT_H

#include "deformation.h"
#include "registration_parts.h"

enum { DEFORMATION_RANGES = 16 }; /* pieces of the rows, whatever the threads */

/* What one voxel says: residual and slope, each with its weight, at the present field. */
struct deformation_term {
	float slope[3], weight, residual;
};

struct deformation_axis {
	int first;
	double weight[4];
};

struct deformation_fit {
	const struct registration_problem *problem;
	const struct registration_level *level;
	struct deformation *field;
	struct registration_place place;  /* brightness and threshold */
	struct deformation_axis *axis[3]; /* per voxel of the level along each axis */
	struct deformation_term *terms;	  /* per voxel of the level */
	uint8_t *told;			  /* per row of it: has a voxel with a value */
	double *lines;			  /* rows of control points, two for each range */
	size_t numbers;			  /* 3 per control point */
	double penalty;			  /* per squared second difference, mm^2 */
	double scale;			  /* of the metric: 1 / (its value with the rigid answer) */
	const double *vector;		  /* of the product that is being made */
	double *ranges;			  /* sums of the ranges */
	double cost[DEFORMATION_RANGES], voxels[DEFORMATION_RANGES];
};

/* Before and after a level is used. STATUS_RETRY: memory. Freed with deformation_fit_leave(), also
 * after a fault. */
enum status_code deformation_fit_prepare(struct deformation_fit *fit,
					 struct status *st) STATUS_CHECKED;
void deformation_fit_leave(struct deformation_fit *fit);

/* Puts a field in place: terms, and the metric (times scale) plus the penalty. */
double deformation_fit_look(struct deformation_fit *fit, const double *field);

/* The metric per voxel and the voxels with a value, of the field in place. */
double deformation_fit_metric(const struct deformation_fit *fit);
double deformation_fit_voxels(const struct deformation_fit *fit);

/* Improves a field and leaves it in place. work: five vectors. */
void deformation_fit_descend(struct deformation_fit *fit, double *field, double *work);

#endif
