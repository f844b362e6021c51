#include "deformation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deformation_fit.h"
#include "deformation_parts.h"

/* A part that moved by itself is an outlier to the rigid answer: the threshold is so many robust
 * standard deviations here. */
static const double OUTLIER_SPREADS = 12;
/* A field of n numbers gains n on noise, and some times that by moving to where interpolation has
 * averaged it: it has to gain so many times as much. Below that a field was found to put dose in
 * worse places than the rigid answer did (the small phantom that breathes). */
static const double OVER_NOISE = 12;

/* Control points along the axes of the fixed image, one more than needed at every side. */
static enum status_code lay_control_points(struct deformation *field, const struct grid *fixed,
					   double spacing_mm, struct status *st)
{
	const int size[3] = {fixed->columns, fixed->rows, fixed->slices};
	const double *steps_mm[3] = {fixed->column_step_mm, fixed->row_step_mm,
				     fixed->slice_step_mm};
	double *control_steps_mm[3] = {field->control.column_step_mm, field->control.row_step_mm,
				       field->control.slice_step_mm};
	int *counts[3] = {&field->control.columns, &field->control.rows, &field->control.slices};

	field->control = *fixed;
	for (int a = 0; a < 3; a++) {
		double in_voxels = spacing_mm / grid_spacing_mm(fixed, a);
		double spans = ceil((size[a] - 1) / in_voxels) + 1;

		*counts[a] = (int)spans + 3;
		for (int b = 0; b < 3; b++) {
			double first = ((size[a] - 1) - spans * in_voxels) / 2 - in_voxels;

			field->control.origin_mm[b] += first * steps_mm[a][b];
			control_steps_mm[a][b] = in_voxels * steps_mm[a][b];
		}
	}
	field->displacement_mm =
	    calloc(3 * grid_voxels(&field->control), sizeof *field->displacement_mm);
	return field->displacement_mm != NULL
		   ? STATUS_OK
		   : status_fail(st, STATUS_RETRY, "no memory for a deformation");
}

/* Brightness and threshold at the rigid answer. */
static enum status_code settle(struct deformation_fit *fit, struct status *st)
{
	struct registration_view view = {
	    .problem = fit->problem, .level = fit->level, .sparse = 1, .spread = true};
	struct registration_slope slope;

	fit->place.brightness = 1;
	fit->place.inverse_square = 0;
	for (int round = 0; round < 2; round++) {
		if (registration_evaluate(&slope, &view, &fit->place, st) != STATUS_OK)
			return st->code;
		if (slope.curvature[6][6] > 0)
			fit->place.brightness -= slope.slope[6] / slope.curvature[6][6];
	}
	if (slope.spread > 0)
		fit->place.inverse_square =
		    1 / (OUTLIER_SPREADS * OUTLIER_SPREADS * slope.spread * slope.spread);
	if (registration_evaluate(&slope, &view, &fit->place, st) != STATUS_OK)
		return st->code;
	fit->scale = slope.value > 0 ? 1 / slope.value : 0;
	return STATUS_OK;
}

/* Range of the Jacobian determinant over the region, from the finest level's voxels. */
static void find_jacobian(struct deformation *field, const struct volume *fixed)
{
	size_t columns = (size_t)fixed->grid.columns, rows = (size_t)fixed->grid.rows;
	struct deformation_view view;

	deformation_view_of(&view, field);
	field->jacobian_least = INFINITY;
	field->jacobian_most = -INFINITY;
	for (size_t at = 0; at < grid_voxels(&fixed->grid); at++) {
		const double voxel[3] = {(double)(at % columns), (double)(at / columns % rows),
					 (double)(at / columns / rows)};
		double point_mm[3], shift_mm[3], gradient[3][3], determinant;

		if (isnan(fixed->samples[at]))
			continue;
		grid_to_patient(&fixed->grid, voxel, point_mm);
		deformation_view_displacement(shift_mm, gradient, &view, point_mm);
		determinant = deformation_jacobian(gradient);
		field->jacobian_least = fmin(field->jacobian_least, determinant);
		field->jacobian_most = fmax(field->jacobian_most, determinant);
	}
}

/* What is left after the deformation: the moving image as the field sees it, block by block. */
static enum status_code find_residual(struct deformation_fit *fit, struct status *st)
{
	struct registration_problem warped = *fit->problem;
	struct registration_place place = fit->place;
	struct volume seen;

	if (deformation_resample(&seen, &fit->level->fixed.grid, &fit->level->moving, fit->field,
				 fit->problem->threads, st) != STATUS_OK)
		return st->code;
	warped.n_levels = 1;
	warped.levels[0].moving = seen;
	rigid_identity(place.transform);
	if (registration_residual(&fit->field->residual_mm, &warped, &place, st) != STATUS_OK)
		fit->field->residual_mm = INFINITY;
	volume_free(&seen);
	return st->code;
}

/* Metric with and without the field on the voxels that have a value with both; false where the gain
 * is what so many numbers gain on noise. */
static bool compare(struct deformation_fit *fit, const double *field, double *zero)
{
	const struct grid *control = &fit->field->control;
	const double voxel_mm3 = 1000 * grid_voxel_volume_ml(&fit->level->fixed.grid);
	double with, without, told, numbers, seen;
	with = deformation_fit_metric(fit);
	seen = deformation_fit_voxels(fit);
	memset(zero, 0, fit->numbers * sizeof *zero);
	(void)deformation_fit_look(fit, zero);
	without = deformation_fit_metric(fit);
	(void)deformation_fit_look(fit, field);
	fit->field->metric_rigid = without;
	fit->field->metric_end = with;
	told = seen / fit->level->alike;
	numbers = 3 * seen * voxel_mm3 / (1000 * grid_voxel_volume_ml(control));
	return with > 0 && (without - with) / with * told > OVER_NOISE * numbers;
}

static enum status_code fit_levels(struct deformation_fit *fit, double *field, double *work,
				   struct status *st)
{
	for (int l = fit->problem->n_levels > 1 ? 1 : 0; l >= 0; l--) {
		fit->level = &fit->problem->levels[l];
		if (settle(fit, st) != STATUS_OK || deformation_fit_prepare(fit, st) != STATUS_OK) {
			deformation_fit_leave(fit);
			return st->code;
		}
		deformation_fit_descend(fit, field, work);
		if (l > 0)
			deformation_fit_leave(fit);
	}
	return STATUS_OK;
}

static enum deformation_verdict judge(char why[200], const struct deformation *field, bool better)
{
	if (!better) {
		snprintf(why, 200, "the deformation is not better than the rigid answer");
		return DEFORMATION_NOT_BETTER;
	}
	if (field->jacobian_least >= DEFORMATION_JACOBIAN_LEAST &&
	    field->jacobian_most <= DEFORMATION_JACOBIAN_MOST)
		return DEFORMATION_KEPT;
	snprintf(why, 200,
		 "the deformation changes volumes by a factor of %.2f to %.2f, outside %.1f to "
		 "%.1f",
		 field->jacobian_least, field->jacobian_most, DEFORMATION_JACOBIAN_LEAST,
		 DEFORMATION_JACOBIAN_MOST);
	return DEFORMATION_OUT_OF_RANGE;
}

static enum status_code find(struct deformation *made, enum deformation_verdict *verdict,
			     char why[200], struct registration_problem *problem,
			     const struct deformation_params *params, struct status *st)
{
	struct deformation_fit fit = {.problem = problem, .field = made};
	double *vectors = NULL;
	enum status_code code;

	code = lay_control_points(made, &problem->levels[0].fixed.grid, params->control_spacing_mm,
				  st);
	if (code != STATUS_OK)
		return code;
	fit.numbers = 3 * grid_voxels(&made->control);
	fit.penalty = params->bending_weight / (double)grid_voxels(&made->control);
	memcpy(fit.place.transform, made->rigid, sizeof made->rigid);
	vectors = calloc(6 * fit.numbers, sizeof *vectors);
	fit.ranges = malloc(DEFORMATION_RANGES * fit.numbers * sizeof *fit.ranges);
	if (vectors == NULL || fit.ranges == NULL) {
		code = status_fail(st, STATUS_RETRY, "no memory for a deformation");
		goto out;
	}
	code = fit_levels(&fit, vectors, vectors + fit.numbers, st);
	if (code != STATUS_OK)
		goto out;
	find_jacobian(made, &problem->levels[0].fixed);
	*verdict = judge(why, made, compare(&fit, vectors, vectors + fit.numbers));
	if (*verdict == DEFORMATION_KEPT)
		code = find_residual(&fit, st);
out:
	deformation_fit_leave(&fit);
	free(fit.ranges);
	free(vectors);
	return code;
}

enum status_code deformation_find(struct deformation *deformation,
				  enum deformation_verdict *verdict, char why[200],
				  const struct volume *fixed, const struct volume *moving,
				  const struct mask *region, const double rigid[RIGID_SIZE],
				  const struct deformation_params *params, struct status *st)
{
	const struct registration_input input = {.fixed = fixed,
						 .moving = moving,
						 .region = region,
						 .region_margin_mm = params->region_margin_mm,
						 .metric = REGISTRATION_LEAST_SQUARES,
						 .threads = params->threads};
	struct registration_problem problem;
	struct deformation made = {.residual_mm = (double)NAN};

	memset(&problem, 0, sizeof problem);
	memset(deformation, 0, sizeof *deformation);
	*verdict = DEFORMATION_NOT_BETTER;
	why[0] = '\0';
	if (!(params->control_spacing_mm >= 10) || !(params->bending_weight >= 0))
		return status_fail(st, STATUS_REFUSE,
				   "control points of a deformation must be 10 mm apart or more, "
				   "its bending weight not negative");
	problem.metric = input.metric;
	problem.threads = params->threads;
	problem.code = registration_code_best();
	if (registration_levels_new(&problem, &input, rigid, st) != STATUS_OK)
		return st->code;
	memcpy(made.rigid, rigid, sizeof made.rigid);
	if (find(&made, verdict, why, &problem, params, st) != STATUS_OK ||
	    *verdict != DEFORMATION_KEPT)
		deformation_free(&made);
	if (st->code == STATUS_OK)
		*deformation = made;
	registration_problem_free(&problem);
	return st->code;
}
