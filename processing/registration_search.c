#include <math.h>
#include <string.h>

#include "registration_parts.h"

/* Damping of Levenberg and Marquardt, relative to the curvature. */
static const double FIRST_DAMPING = 1e-3, LEAST_DAMPING = 1e-4, MOST_DAMPING = 1e5;
/* No step moves a corner farther than so many voxels of the level: the metric does not see beyond.
 */
static const double LONGEST_STEP_VOXELS = 3;

bool registration_solve(double *x, double matrix[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS],
			const double *right, int n)
{
	double lower[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS];

	for (int i = 0; i < n; i++) {
		for (int j = 0; j <= i; j++) {
			double sum = matrix[i][j];

			for (int k = 0; k < j; k++)
				sum -= lower[i][k] * lower[j][k];
			if (i == j && !(sum > 1e-14 * matrix[i][i]))
				return false;
			lower[i][j] = i == j ? sqrt(sum) : sum / lower[j][j];
		}
	}
	for (int i = 0; i < n; i++) {
		x[i] = right[i];
		for (int k = 0; k < i; k++)
			x[i] -= lower[i][k] * x[k];
		x[i] /= lower[i][i];
	}
	for (int i = n - 1; i >= 0; i--) {
		for (int k = i + 1; k < n; k++)
			x[i] -= lower[k][i] * x[k];
		x[i] /= lower[i][i];
	}
	return true;
}

double registration_apart_mm(const struct registration_problem *problem, const double a[RIGID_SIZE],
			     const double b[RIGID_SIZE])
{
	double largest_mm = 0;

	for (int corner = 0; corner < 8; corner++) {
		double in_a[3], in_b[3];

		rigid_apply(in_a, a, problem->corners_mm[corner]);
		rigid_apply(in_b, b, problem->corners_mm[corner]);
		largest_mm = fmax(largest_mm, sqrt((in_a[0] - in_b[0]) * (in_a[0] - in_b[0]) +
						   (in_a[1] - in_b[1]) * (in_a[1] - in_b[1]) +
						   (in_a[2] - in_b[2]) * (in_a[2] - in_b[2])));
	}
	return largest_mm;
}

/* The place after a step. */
static void step_to(struct registration_place *to, const struct registration_problem *problem,
		    const struct registration_place *from, const double step[REGISTRATION_UNKNOWNS])
{
	double centre_mm[3], increment[RIGID_SIZE];

	*to = *from;
	rigid_apply(centre_mm, from->transform, problem->centre_mm);
	rigid_from_angles(increment, step + 3, step, centre_mm);
	rigid_compose(to->transform, increment, from->transform);
	to->brightness += step[6];
}

/* The damped step of Newton's method, not longer than the level can see; false where the metric
 * does not depend on something. */
static bool find_step(double step[REGISTRATION_UNKNOWNS], const struct registration_search *search,
		      const struct registration_place *place, double damping)
{
	const struct registration_problem *problem = search->view.problem;
	const int n = problem->metric == REGISTRATION_LEAST_SQUARES ? 7 : 6;
	double matrix[REGISTRATION_UNKNOWNS][REGISTRATION_UNKNOWNS], right[REGISTRATION_UNKNOWNS];
	struct registration_place to;
	double longest_mm = LONGEST_STEP_VOXELS * search->view.level->spacing_mm, moved_mm;

	for (int a = 0; a < n; a++) {
		for (int b = 0; b < n; b++)
			matrix[a][b] = search->at.curvature[a][b];
		matrix[a][a] *= 1 + damping;
		right[a] = -search->at.slope[a];
	}
	memset(step, 0, sizeof(double) * REGISTRATION_UNKNOWNS);
	if (!registration_solve(step, matrix, right, n))
		return false;
	step_to(&to, problem, place, step);
	moved_mm = registration_apart_mm(problem, to.transform, place->transform);
	if (!isfinite(moved_mm))
		return false;
	for (int a = 0; moved_mm > longest_mm && a < 6; a++)
		step[a] *= longest_mm / moved_mm;
	return true;
}

/* Corrects the curvature at the new place by how the slope changed on the way there (the rule of
 * Broyden, Fletcher, Goldfarb and Shanno). The metric's own curvature leaves out how the residual
 * bends, and for mutual information its size is a guess: it is scaled first. */
static void learn_curvature(struct registration_slope *after,
			    const struct registration_slope *before,
			    const double step[REGISTRATION_UNKNOWNS], int n)
{
	double change[REGISTRATION_UNKNOWNS], bent[REGISTRATION_UNKNOWNS], seen = 0, expected = 0;
	double factor = 1;

	for (int a = 0; a < n; a++) {
		change[a] = after->slope[a] - before->slope[a];
		bent[a] = 0;
		for (int b = 0; b < n; b++)
			bent[a] += after->curvature[a][b] * step[b];
		seen += step[a] * change[a];
		expected += step[a] * bent[a];
	}
	if (!(expected > 0) || !(seen > 0.02 * expected) || !(seen < 50 * expected))
		return;
	if (n < REGISTRATION_UNKNOWNS)
		factor = seen / expected;
	for (int a = 0; a < n; a++) {
		for (int b = 0; b < n; b++)
			after->curvature[a][b] =
			    factor * (after->curvature[a][b] - bent[a] * bent[b] / expected) +
			    change[a] * change[b] / seen;
	}
}

enum status_code registration_descend(struct registration_search *search,
				      struct registration_place *place, struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	const int n = problem->metric == REGISTRATION_LEAST_SQUARES ? 7 : 6;
	double damping = FIRST_DAMPING, voxels_at_first;

	search->converged = false;
	search->evaluations++;
	if (registration_evaluate(&search->at, &search->view, place, st) != STATUS_OK)
		return st->code;
	voxels_at_first = search->at.voxels;
	for (int i = 0; i < search->most_steps; i++) {
		double step[REGISTRATION_UNKNOWNS], moved_mm;
		struct registration_slope trial;
		struct registration_place to;

		if (!find_step(step, search, place, damping))
			return STATUS_OK;
		step_to(&to, problem, place, step);
		moved_mm = registration_apart_mm(problem, to.transform, place->transform);
		if (moved_mm < search->tolerance_mm &&
		    fabs(step[6]) <= 1e-3 * fabs(place->brightness)) {
			search->converged = true;
			return STATUS_OK;
		}
		search->evaluations++;
		if (registration_evaluate(&trial, &search->view, &to, st) != STATUS_OK)
			return st->code;
		if (trial.value < search->at.value && trial.voxels >= voxels_at_first / 2) {
			if (moved_mm < search->view.level->spacing_mm)
				learn_curvature(&trial, &search->at, step, n);
			*place = to;
			search->at = trial;
			damping = fmax(damping / 10, LEAST_DAMPING);
		} else if (damping < MOST_DAMPING) {
			damping = fmax(damping * 10, 0.1);
		} else {
			return STATUS_OK;
		}
	}
	return STATUS_OK;
}
