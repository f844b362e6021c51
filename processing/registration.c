#include "registration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "registration_parts.h"

enum {
	FEWEST_VOXELS = 1000,
	MOST_STEPS = 40,
	/* of more voxels a part of the rows is looked at */
	ENOUGH_VOXELS = 300000,
	ENOUGH_VOXELS_MUTUAL = 900000,
	ENOUGH_VOXELS_SPREAD = 30000,
	RESTARTS = 6,
	SPREAD_VOXELS = 100000 /* the spread is looked at on the finest level with no more */
};

/* A search ends when a step would move no corner by this share of the level's voxel. */
static const double TOLERANCE_VOXELS = 0.02, FINEST_TOLERANCE_MM = 0.01;
/* Residuals this many (robust) standard deviations large count a quarter of what they would. */
static const double OUTLIER_SPREADS = 4;
/* In an image without noise an outlier is still more than this share of its range. */
static const double LEAST_OUTLIER = 0.01;
/* How far restarts begin from the answer. */
static const double RESTART_MM = 12, RESTART_RAD = 0.1;
/* Six numbers fitted to noise alone win chi-square with six degrees of freedom: 22 once in a
 * thousand. */
static const double CHI_SQUARE = 22;
/* A place where less of the region than this share has a value in the moving image is none; and of
 * two places one with less than half of the other's voxels is not compared. */
static const double LEAST_OVERLAP = 1.0 / 3;
/* A restart that ends with a metric worse by this share says nothing about the answer. */
static const double CLEARLY_WORSE = 0.1;

static bool finite_transform(const double *m)
{
	return rigid_is_valid(m, 1e-3);
}

static enum status_code check_input(const struct registration_input *input, struct status *st)
{
	const struct grid *fixed = &input->fixed->grid, *moving = &input->moving->grid;

	if (grid_check(fixed, st) != STATUS_OK)
		return status_prefix(st, "fixed image");
	if (grid_check(moving, st) != STATUS_OK)
		return status_prefix(st, "moving image");
	if (moving->columns < 2 || moving->rows < 2 || moving->slices < 2)
		return status_fail(st, STATUS_REFUSE,
				   "the moving image is a single plane: no motion in space can be "
				   "found");
	if (input->start != NULL && !finite_transform(input->start))
		return status_fail(st, STATUS_REFUSE,
				   "the start of the registration is not a rigid transform");
	if (input->region != NULL &&
	    strcmp(input->region->grid.frame_of_reference, fixed->frame_of_reference) != 0)
		return status_fail(st, STATUS_REFUSE,
				   "the region of the registration is in another frame of "
				   "reference than the fixed image");
	if (!(input->region_margin_mm >= 0))
		return status_fail(st, STATUS_REFUSE, "the margin of the region is negative");
	return STATUS_OK;
}

/* Mean place of what is bright, over the image. False where nothing is. */
static bool bright_centre(double centre_mm[3], const struct volume *volume, const float range[2])
{
	const struct grid *grid = &volume->grid;
	double sum = 0, place[3] = {0, 0, 0};

	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j += 2) {
			const float *row =
			    volume->samples +
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			double in_row = 0, along = 0;

			for (int i = 0; i < grid->columns; i++) {
				double bright = (double)(fminf(row[i], range[1]) - range[0]);

				if (bright > 0) {
					in_row += bright;
					along += bright * i;
				}
			}
			sum += in_row;
			place[0] += along;
			place[1] += in_row * j;
			place[2] += in_row * k;
		}
	}
	for (int a = 0; a < 3; a++)
		place[a] /= sum;
	grid_to_patient(grid, place, centre_mm);
	return sum > 0;
}

/* Centre of the region and a box around it, from a level. */
static void describe_region(struct registration_problem *problem)
{
	const struct volume *fixed = &problem->levels[0].fixed;
	const struct grid *grid = &fixed->grid;
	int first[3] = {grid->columns, grid->rows, grid->slices}, last[3] = {-1, -1, -1};
	double middle[3];

	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j++) {
			const struct registration_extent *extent =
			    &problem->levels[0].rows[k * grid->rows + j];
			const int from = extent->begin, to = extent->end - 1;

			if (from > to)
				continue;
			first[0] = from < first[0] ? from : first[0];
			last[0] = to > last[0] ? to : last[0];
			first[1] = j < first[1] ? j : first[1];
			last[1] = j > last[1] ? j : last[1];
			first[2] = k < first[2] ? k : first[2];
			last[2] = k;
		}
	}
	for (int a = 0; a < 3; a++)
		middle[a] = (first[a] + last[a]) / 2.0;
	grid_to_patient(grid, middle, problem->centre_mm);
	for (int corner = 0; corner < 8; corner++) {
		double voxel[3];

		for (int a = 0; a < 3; a++)
			voxel[a] = corner & 1 << a ? last[a] : first[a];
		grid_to_patient(grid, voxel, problem->corners_mm[corner]);
	}
}

/* At least so many voxels of the region with a value in both, nearest neighbours; counts no
 * farther.
 */
static bool images_meet(const struct registration_problem *problem,
			const struct registration_input *input, const double transform[RIGID_SIZE])
{
	const struct volume *fixed = input->fixed, *moving = input->moving;
	const int size[3] = {moving->grid.columns, moving->grid.rows, moving->grid.slices};
	size_t n = grid_voxels(&fixed->grid), columns = (size_t)fixed->grid.columns;
	double matrix[3][3], offset[3];
	struct grid moved;
	int met = 0;

	rigid_move_grid(&moved, &fixed->grid, transform, moving->grid.frame_of_reference);
	grid_map(&moved, &moving->grid, matrix, offset);
	for (size_t at = 0; at < n && met < FEWEST_VOXELS; at++) {
		const double voxel[3] = {(double)(at % columns),
					 (double)(at / columns % (size_t)fixed->grid.rows),
					 (double)(at / columns / (size_t)fixed->grid.rows)};
		size_t index = 0, stride = 1;
		double point_mm[3];
		bool inside = !isnan(fixed->samples[at]);

		for (int a = 0; a < 3 && inside; a++) {
			double near =
			    floor(offset[a] + matrix[a][0] * voxel[0] + matrix[a][1] * voxel[1] +
				  matrix[a][2] * voxel[2] + 0.5);

			inside = near >= 0 && near < size[a];
			index += inside ? (size_t)near * stride : 0;
			stride *= (size_t)size[a];
		}
		if (!inside || isnan(moving->samples[index]))
			continue;
		grid_to_patient(&fixed->grid, voxel, point_mm);
		met += registration_region_has(&problem->region, point_mm);
	}
	return met >= FEWEST_VOXELS;
}

/* The threshold of outliers from the residuals as they are; brightness too where not known yet. */
static enum status_code look_around(struct registration_search *search,
				    struct registration_place *place, struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	double least = LEAST_OUTLIER * (double)(problem->fixed_range[1] - problem->fixed_range[0]);
	struct registration_view view = search->view;
	struct registration_slope slope;

	view.spread = true;
	if (problem->metric != REGISTRATION_LEAST_SQUARES)
		return STATUS_OK;
	if (view.level->voxels > ENOUGH_VOXELS / 4)
		view.sparse *= 4;
	if (!(place->brightness > 0)) {
		place->brightness = 1;
		place->inverse_square = 0;
		search->evaluations++;
		if (registration_evaluate(&slope, &view, place, st) != STATUS_OK)
			return st->code;
		if (slope.curvature[6][6] > 0)
			place->brightness -= slope.slope[6] / slope.curvature[6][6];
	}
	search->evaluations++;
	if (registration_evaluate(&slope, &view, place, st) != STATUS_OK)
		return st->code;
	double threshold = fmax(OUTLIER_SPREADS * slope.spread, least);
	place->inverse_square = 1 / (threshold * threshold);
	return STATUS_OK;
}

static enum status_code search_level(struct registration_search *search,
				     struct registration_place *place, int level, struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	double spacing_mm = problem->levels[level].spacing_mm;

	search->view.level = &problem->levels[level];
	search->view.sparse = (int)(search->view.level->voxels / search->enough) + 1;
	search->tolerance_mm = level == 0 ? FINEST_TOLERANCE_MM : TOLERANCE_VOXELS * spacing_mm;
	search->most_steps = MOST_STEPS;
	/* twice: the residuals at the start are those of the misplacement */
	for (int round = 0; round < 2; round++) {
		double before = place->inverse_square;

		if (look_around(search, place, st) != STATUS_OK)
			return st->code;
		if (round == 1 && place->inverse_square < 1.5 * before) {
			place->inverse_square = before;
			break;
		}
		if (registration_descend(search, place, st) != STATUS_OK)
			return st->code;
		if (problem->metric != REGISTRATION_LEAST_SQUARES)
			break;
	}
	return STATUS_OK;
}

/* The coarsest level that still has enough voxels. */
static int coarsest(const struct registration_problem *problem)
{
	int level = problem->n_levels - 1;

	while (level > 0 && problem->levels[level].voxels < FEWEST_VOXELS)
		level--;
	return level;
}

/* A search from the coarsest level to the one where the spread is looked at, and the metric there
 * with the answer's threshold of outliers. */
static enum status_code search_coarse(double *value, struct registration_search *search,
				      struct registration_place *place, double inverse_square,
				      struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	struct registration_place at;
	struct registration_slope slope;

	for (int level = coarsest(problem); level >= 0; level--) {
		if (search_level(search, place, level, st) != STATUS_OK)
			return st->code;
		if (level == 0 || problem->levels[level - 1].voxels > SPREAD_VOXELS)
			break;
	}
	at = *place;
	at.inverse_square = inverse_square > 0 ? inverse_square : place->inverse_square;
	search->evaluations++;
	if (registration_evaluate(&slope, &search->view, &at, st) != STATUS_OK)
		return st->code;
	*value = slope.value;
	return STATUS_OK;
}

/* Largest distance between the answers of starts around the answer, at the coarse levels. */
static enum status_code capture_spread(double *spread_mm, struct registration_search *search,
				       const struct registration_place *answer, struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	struct registration_place found[RESTARTS + 1];
	double value[RESTARTS + 1], best = INFINITY;

	search->enough = ENOUGH_VOXELS_SPREAD;
	for (int i = 0; i <= RESTARTS; i++) { /* the first from the answer itself */
		double shift_mm[3] = {0, 0, 0}, angle_rad[3] = {0, 0, 0}, centre_mm[3];
		double aside[RIGID_SIZE];
		int axis = (i + 2) % 3, sign = i % 2 ? 1 : -1;

		if (i > 0) {
			shift_mm[axis] = sign * RESTART_MM;
			angle_rad[(axis + 1) % 3] = sign * RESTART_RAD;
		}
		found[i] = *answer;
		rigid_apply(centre_mm, answer->transform, problem->centre_mm);
		rigid_from_angles(aside, angle_rad, shift_mm, centre_mm);
		rigid_compose(found[i].transform, aside, answer->transform);
		if (search_coarse(&value[i], search, &found[i], i > 0 ? found[0].inverse_square : 0,
				  st) != STATUS_OK)
			return st->code;
		best = fmin(best, value[i]);
	}
	for (int i = 0; i <= RESTARTS; i++) {
		for (int j = 0; j < i; j++) {
			double limit = best + CLEARLY_WORSE * fabs(best);

			if (value[i] <= limit && value[j] <= limit)
				*spread_mm = fmax(*spread_mm,
						  registration_apart_mm(problem, found[i].transform,
									found[j].transform));
		}
	}
	return STATUS_OK;
}

/* Start and answer on the voxels that have a value with both; brightness at its best for each. */
static enum status_code compare(struct registration_result *result,
				struct registration_search *search,
				const struct registration_place *start,
				const struct registration_place *answer, struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	struct registration_place places[2] = {*start, *answer};
	struct registration_slope slope;
	double value[2], voxels = 0, gain;

	search->view.level = &problem->levels[0];
	search->view.sparse = (int)(search->view.level->voxels / search->enough) + 1;
	for (int i = 0; i < 2; i++) {
		places[i].inverse_square = answer->inverse_square;
		places[i].brightness = answer->brightness;
		search->view.also = places[1 - i].transform;
		for (int round = 0; round < 3; round++) {
			search->evaluations++;
			if (registration_evaluate(&slope, &search->view, &places[i], st) !=
			    STATUS_OK)
				return st->code;
			if (problem->metric != REGISTRATION_LEAST_SQUARES || i == 1 || round == 2 ||
			    !(slope.curvature[6][6] > 0))
				break;
			places[i].brightness -= slope.slope[6] / slope.curvature[6][6];
		}
		value[i] = slope.value;
		voxels = slope.voxels;
	}
	search->view.also = NULL;
	result->metric_start = value[0];
	result->metric_end = value[1];
	gain = value[0] - value[1];
	if (problem->metric == REGISTRATION_LEAST_SQUARES)
		gain = value[1] > 0 ? gain / value[1] : gain > 0 ? (double)INFINITY : 0;
	else
		gain *= 2; /* twice the logarithm of the likelihood */
	result->better =
	    gain * voxels * search->view.sparse / problem->levels[0].alike > CHI_SQUARE;
	return STATUS_OK;
}

/* The start, and across frames of reference the alignment of centres, after a search at the
 * coarsest level: the better one. */
static enum status_code begin(struct registration_search *search, struct registration_place *place,
			      const struct registration_input *input, struct status *st)
{
	const struct registration_problem *problem = search->view.problem;
	struct registration_place starts[2] = {*place, *place};
	double fixed_mm[3], moving_mm[3], best = INFINITY, voxels = 0;
	const int level = coarsest(problem);
	int n = 1;

	if (strcmp(input->fixed->grid.frame_of_reference, input->moving->grid.frame_of_reference) !=
		0 &&
	    bright_centre(fixed_mm, input->fixed, problem->fixed_range) &&
	    bright_centre(moving_mm, input->moving, problem->moving_range)) {
		rigid_identity(starts[1].transform);
		for (int a = 0; a < 3; a++)
			starts[1].transform[4 * a + 3] = moving_mm[a] - fixed_mm[a];
		n = 2;
	}
	for (int i = 0; i < n; i++) {
		struct registration_place at = starts[i];

		if (!images_meet(problem, input, at.transform))
			continue;
		if (search_level(search, &at, level, st) != STATUS_OK)
			return st->code;
		if (search->at.voxels >= 2 * voxels ||
		    (search->at.value < best && search->at.voxels >= voxels / 2)) {
			best = search->at.value;
			voxels = search->at.voxels;
			*place = at;
		}
	}
	if (!isfinite(best))
		return status_fail(st, STATUS_REFUSE,
				   "fewer than %d voxels of the region have a value in both images",
				   FEWEST_VOXELS);
	return STATUS_OK;
}

static enum status_code run(struct registration_result *result,
			    struct registration_problem *problem,
			    const struct registration_input *input,
			    const struct registration_place *start, struct status *st)
{
	struct registration_joint *joint = malloc(sizeof *joint);
	struct registration_search search = {.view = {.problem = problem, .joint = joint}};
	struct registration_place place = *start;
	enum status_code code = STATUS_RETRY;

	search.enough =
	    problem->metric == REGISTRATION_LEAST_SQUARES ? ENOUGH_VOXELS : ENOUGH_VOXELS_MUTUAL;

	if (joint == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to register two images");
	code = begin(&search, &place, input, st);
	for (int level = coarsest(problem) - 1; code == STATUS_OK && level >= 0; level--)
		code = search_level(&search, &place, level, st);
	if (code != STATUS_OK)
		goto out;
	/* of every sparse-th row */
	result->converged =
	    search.converged && search.at.voxels * search.view.sparse >=
				    LEAST_OVERLAP * (double)problem->levels[0].voxels;
	memcpy(result->transform, place.transform, sizeof place.transform);
	code = compare(result, &search, start, &place, st);
	if (code == STATUS_OK)
		code = registration_residual(&result->residual_mm, problem, &place, st);
	if (code == STATUS_OK)
		code = capture_spread(&result->capture_spread_mm, &search, &place, st);
	result->evaluations = search.evaluations;
out:
	free(joint);
	return code;
}

enum status_code registration_rigid(struct registration_result *result,
				    const struct registration_input *input, struct status *st)
{
	struct registration_problem problem;
	struct registration_result made;
	struct registration_place start;

	memset(&problem, 0, sizeof problem);
	memset(&made, 0, sizeof made);
	memset(&start, 0, sizeof start);
	if (check_input(input, st) != STATUS_OK)
		return st->code;
	if (input->start != NULL)
		memcpy(start.transform, input->start, sizeof start.transform);
	else
		rigid_identity(start.transform);
	problem.metric = input->metric;
	problem.threads = input->threads;
	problem.code = registration_code_best();
	if (registration_levels_new(&problem, input, start.transform, st) != STATUS_OK)
		return st->code;
	describe_region(&problem);
	if (run(&made, &problem, input, &start, st) == STATUS_OK)
		*result = made;
	registration_problem_free(&problem);
	return st->code;
}

const char *registration_metric_name(enum registration_metric metric)
{
	return metric == REGISTRATION_LEAST_SQUARES ? "least squares" : "mutual information";
}
