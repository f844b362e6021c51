#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "registration_parts.h"
#include "sort.h"

/* Spacing that the fixed and the moving image of the finest level are brought near to, mm; each
 * coarser level is twice that. The fixed image is only looked at where its samples are, the moving
 * one between them too. */
static const double FIXED_MM = 4, MOVING_MM = 1.5, NEAR = 1.4;
/* Variance of the smoothing in spacings squared, for the widest spacing of the two images. Both are
 * smoothed alike in every direction: an image that is sharper in its slices than across them looks
 * stretched along its own axes, whatever way the body is turned, and would be turned too little.
 * With a Gaussian so wide the samples' places no longer show in what lies between them. */
static const double SMOOTHING = 0.35;
/* Neighbours that interpolation alone makes alike. */
static const double INTERPOLATED_ALIKE = 3;

enum { RANGE_SAMPLES = 16384, FEWEST_RANGE = 256, SMALLEST_HALVED = 8 };

/* How many samples of an axis become one. */
static int step_along(const struct grid *grid, int axis, double level_mm)
{
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	int step = 1;

	while (grid_spacing_mm(grid, axis) * step * 2 <= NEAR * level_mm &&
	       size[axis] / step >= SMALLEST_HALVED)
		step *= 2;
	return step;
}

static double common_variance_mm2(const struct grid *fixed, const struct grid *moving)
{
	double widest_mm = 2 * MOVING_MM;

	for (int a = 0; a < 3; a++) {
		widest_mm = fmax(widest_mm, grid_spacing_mm(fixed, a));
		widest_mm = fmax(widest_mm, grid_spacing_mm(moving, a));
	}
	return SMOOTHING * widest_mm * widest_mm;
}

/* The next level: axes that are finer than it are halved. */
static enum status_code next_level(struct volume *out, const struct volume *in, double level_mm,
				   int threads, struct status *st)
{
	struct registration_change changes[3];

	for (int a = 0; a < 3; a++) {
		int step = step_along(&in->grid, a, level_mm);

		/* what a Gaussian needs so that nothing finer than the new spacing stays */
		changes[a] = (struct registration_change){
		    .step = step, .finer = 1, .variance = step > 1 ? 0.25 * step * step : 0};
	}
	return registration_smooth(out, in, changes, threads, st);
}

struct clip {
	struct volume *to;
	const struct volume *from;
	int first[3];
	float range[2];
};

static void clip_rows(void *user, size_t first, size_t last)
{
	const struct clip *clip = user;
	const struct grid *to = &clip->to->grid, *from = &clip->from->grid;
	const float low = clip->range[0], high = clip->range[1];

	for (size_t at = first; at < last; at++) {
		size_t j = at % (size_t)to->rows + (size_t)clip->first[1];
		size_t k = at / (size_t)to->rows + (size_t)clip->first[2];
		const float *restrict in = clip->from->samples +
					   (k * (size_t)from->rows + j) * (size_t)from->columns +
					   clip->first[0];
		float *restrict out = clip->to->samples + at * (size_t)to->columns;

		for (int i = 0; i < to->columns; i++) {
			float value = in[i];

			value = value < low ? low : value;
			out[i] = value > high ? high : value;
		}
	}
}

/* Part of a volume, its values within a range; NaN stays. */
static enum status_code clip_part(struct volume *to, const struct volume *from, const int first[3],
				  const int last[3], const float range[2], int threads,
				  struct status *st)
{
	struct clip clip = {.to = to, .from = from, .range = {range[0], range[1]}};
	const double corner[3] = {first[0], first[1], first[2]};
	struct grid grid = from->grid;

	memcpy(clip.first, first, sizeof clip.first);
	grid.columns = last[0] - first[0] + 1;
	grid.rows = last[1] - first[1] + 1;
	grid.slices = last[2] - first[2] + 1;
	grid_to_patient(&from->grid, corner, grid.origin_mm);
	if (volume_new(to, &grid, NAN, st) != STATUS_OK)
		return st->code;
	parallel_for((size_t)grid.rows * (size_t)grid.slices, 64, threads, clip_rows, &clip);
	return STATUS_OK;
}

/* The finest smoothed level of one image. The moving one is also made finer, so that interpolation
 * adds next to nothing: an image over itself has its best place where it is. */
static enum status_code finest_level(struct volume *out, const struct volume *in,
				     double variance_mm2, bool moving, int threads,
				     struct status *st)
{
	struct registration_change changes[3];

	for (int a = 0; a < 3; a++) {
		struct registration_change *change = &changes[a];
		double spacing_mm = grid_spacing_mm(&in->grid, a);

		change->step = step_along(&in->grid, a, moving ? MOVING_MM : FIXED_MM);
		change->finer = moving && spacing_mm > NEAR * MOVING_MM ? 2 : 1;
		change->variance = variance_mm2 / (spacing_mm * spacing_mm);
	}
	return registration_smooth(out, in, changes, threads, st);
}

/* The levels from the two images, which are used up. Mutual information ends with the images as
 * they are: smoothing mixes values, and of mixtures of unlike contrasts it makes a little too much.
 */
static enum status_code smooth_levels(struct registration_problem *problem, struct volume *fixed,
				      struct volume *moving, struct status *st)
{
	const bool as_they_are = problem->metric == REGISTRATION_MUTUAL_INFORMATION;
	const double variance_mm2 = problem->variance_mm2 =
	    common_variance_mm2(&fixed->grid, &moving->grid);
	const int finest = as_they_are ? 1 : 0, threads = problem->threads;
	struct registration_level *level = &problem->levels[finest];

	if (finest_level(&level->fixed, fixed, variance_mm2, false, threads, st) != STATUS_OK ||
	    finest_level(&level->moving, moving, variance_mm2, true, threads, st) != STATUS_OK)
		return st->code;
	for (problem->n_levels = finest + 1; problem->n_levels < REGISTRATION_MOST_LEVELS;
	     problem->n_levels++, level++) {
		const double coarser = (double)(1 << (problem->n_levels - finest));

		if (next_level(&level[1].fixed, &level->fixed, FIXED_MM * coarser, threads, st) !=
			STATUS_OK ||
		    next_level(&level[1].moving, &level->moving, MOVING_MM * coarser, threads,
			       st) != STATUS_OK)
			return st->code;
		if (level[1].fixed.samples == NULL || level[1].moving.samples == NULL)
			break;
	}
	if (as_they_are) {
		problem->levels[0].fixed = *fixed;
		problem->levels[0].moving = *moving;
		fixed->samples = moving->samples = NULL;
	}
	volume_free(fixed);
	volume_free(moving);
	return STATUS_OK;
}

bool registration_range(float range[2], float *values, size_t n, float *scratch, double wider)
{
	float more;

	if (n < 2)
		return false;
	sort_floats(values, n, scratch);
	range[0] = values[n / 200];
	range[1] = values[n - 1 - n / 200];
	if (!(range[1] > range[0])) { /* a thing too small for these shares */
		range[0] = values[0];
		range[1] = values[n - 1];
	}
	if (!(range[1] - range[0] > 1e-6F * (fabsf(range[0]) + fabsf(range[1]))))
		return false;
	more = (float)wider * (range[1] - range[0]);
	range[0] -= more;
	range[1] += more;
	return true;
}

static size_t index_of(const struct grid *grid, const int voxel[3])
{
	return ((size_t)voxel[2] * (size_t)grid->rows + (size_t)voxel[1]) * (size_t)grid->columns +
	       (size_t)voxel[0];
}

/* Values of both images over the region, evenly taken. */
static enum status_code ranges(struct registration_problem *problem,
			       const struct registration_input *input, const int first[3],
			       const int last[3], const double start[RIGID_SIZE], struct status *st)
{
	const struct grid *fixed = &input->fixed->grid, *moving = &input->moving->grid;
	const int size[3] = {last[0] - first[0] + 1, last[1] - first[1] + 1,
			     last[2] - first[2] + 1};
	/* of bins there are not many: they are kept for what most voxels have */
	const double wider = problem->metric == REGISTRATION_MUTUAL_INFORMATION ? 0 : 0.25;
	size_t count = (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
	/* odd and no divisor of usual sizes, so that it does not stay in a few columns */
	size_t apart = count / (4 * RANGE_SAMPLES) | 1, n_fixed = 0, n_moving = 0;
	float *values = malloc((size_t)3 * RANGE_SAMPLES * sizeof *values), *scratch;
	enum status_code code = STATUS_OK;

	if (values == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to look at an image's values");
	scratch = values + (size_t)2 * RANGE_SAMPLES;
	while (count / apart >= RANGE_SAMPLES)
		apart += 2;
	for (size_t at = 0; at < count; at += apart) {
		const int voxel[3] = {(int)(at % (size_t)size[0]) + first[0],
				      (int)(at / (size_t)size[0] % (size_t)size[1]) + first[1],
				      (int)(at / ((size_t)size[0] * (size_t)size[1])) + first[2]};
		const double place[3] = {voxel[0], voxel[1], voxel[2]};
		float value = input->fixed->samples[index_of(fixed, voxel)];
		double point_mm[3], in_moving[3];
		int near[3];

		grid_to_patient(fixed, place, point_mm);
		if (isnan(value) || !registration_region_has(&problem->region, point_mm))
			continue;
		values[n_fixed++] = value;
		rigid_apply(point_mm, start, point_mm);
		grid_to_voxel(moving, point_mm, in_moving);
		for (int a = 0; a < 3; a++)
			near[a] = (int)floor(fmin(fmax(in_moving[a], -2), 1e6) + 0.5);
		if (near[0] < 0 || near[1] < 0 || near[2] < 0 || near[0] >= moving->columns ||
		    near[1] >= moving->rows || near[2] >= moving->slices)
			continue;
		value = input->moving->samples[index_of(moving, near)];
		if (!isnan(value))
			values[RANGE_SAMPLES + n_moving++] = value;
	}
	if (n_moving < FEWEST_RANGE) { /* far apart at the start: the whole image */
		count = grid_voxels(moving);
		apart = count / RANGE_SAMPLES + 1;
		n_moving = 0;
		for (size_t at = 0; at < count; at += apart) {
			if (!isnan(input->moving->samples[at]))
				values[RANGE_SAMPLES + n_moving++] = input->moving->samples[at];
		}
	}
	if (!registration_range(problem->fixed_range, values, n_fixed, scratch, wider))
		code = status_fail(st, STATUS_REFUSE,
				   "the fixed image has no structure to register: all values of "
				   "the region are alike or missing");
	else if (!registration_range(problem->moving_range, values + RANGE_SAMPLES, n_moving,
				     scratch, wider))
		code = status_fail(st, STATUS_REFUSE,
				   "the moving image has no structure to register: all its values "
				   "are alike or missing");
	free(values);
	return code;
}

/* Counts voxels with a value and notes where they are. Noise smoothed with a Gaussian is alike over
 * (4 pi variance)^(3/2). */
static enum status_code describe(struct registration_level *level, double variance_mm2,
				 struct status *st)
{
	const struct grid *grid = &level->fixed.grid;
	const double voxel_mm3 = 1000 * grid_voxel_volume_ml(grid);
	const size_t rows = (size_t)grid->rows * (size_t)grid->slices;

	level->rows = malloc(rows * sizeof *level->rows);
	if (level->rows == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to register two images");
	for (size_t row = 0; row < rows; row++) {
		const float *samples = level->fixed.samples + row * (size_t)grid->columns;
		struct registration_extent extent = {0, grid->columns};
		int known = 0;

		for (int i = 0; i < grid->columns; i++)
			known += samples[i] == samples[i];
		while (extent.begin < extent.end && isnan(samples[extent.begin]))
			extent.begin++;
		while (extent.end > extent.begin && isnan(samples[extent.end - 1]))
			extent.end--;
		level->rows[row] = extent;
		level->voxels += (size_t)known;
	}
	level->spacing_mm = cbrt(voxel_mm3);
	level->alike =
	    fmax(INTERPOLATED_ALIKE, pow(4 * acos(-1.0) * variance_mm2, 1.5) / voxel_mm3);
	return STATUS_OK;
}

static enum status_code fail_levels(struct registration_problem *problem, struct status *st)
{
	registration_problem_free(problem);
	return st->code;
}

enum status_code registration_levels_new(struct registration_problem *problem,
					 const struct registration_input *input,
					 const double start[RIGID_SIZE], struct status *st)
{
	static const double pad_mm = 36; /* what smoothing to the coarsest level reaches */
	const struct grid *fixed = &input->fixed->grid, *moving = &input->moving->grid;
	int first[3] = {0, 0, 0},
	    last[3] = {fixed->columns - 1, fixed->rows - 1, fixed->slices - 1};
	const int moving_first[3] = {0, 0, 0},
		  moving_last[3] = {moving->columns - 1, moving->rows - 1, moving->slices - 1};
	struct volume fixed_part = VOLUME_INIT, moving_part = VOLUME_INIT;

	if (input->region != NULL &&
	    registration_region_new(&problem->region, input->region, input->region_margin_mm, st) !=
		STATUS_OK)
		return st->code;
	if (input->region != NULL &&
	    !registration_region_bounds(&problem->region, fixed, pad_mm, first, last)) {
		status_fail(st, STATUS_REFUSE,
			    "the region of the registration lies outside the fixed image");
		return fail_levels(problem, st);
	}
	if (ranges(problem, input, first, last, start, st) != STATUS_OK ||
	    clip_part(&fixed_part, input->fixed, first, last, problem->fixed_range, input->threads,
		      st) != STATUS_OK ||
	    clip_part(&moving_part, input->moving, moving_first, moving_last, problem->moving_range,
		      input->threads, st) != STATUS_OK ||
	    smooth_levels(problem, &fixed_part, &moving_part, st) != STATUS_OK) {
		volume_free(&fixed_part);
		volume_free(&moving_part);
		return fail_levels(problem, st);
	}
	for (int l = 0; l < problem->n_levels; l++) {
		if (input->region != NULL)
			registration_region_cut(&problem->levels[l].fixed, &problem->region,
						input->threads);
		if (describe(&problem->levels[l],
			     l == 0 && problem->metric == REGISTRATION_MUTUAL_INFORMATION
				 ? 0
				 : problem->variance_mm2,
			     st) != STATUS_OK)
			return fail_levels(problem, st);
	}
	return STATUS_OK;
}

void registration_problem_free(struct registration_problem *problem)
{
	for (int l = 0; l < REGISTRATION_MOST_LEVELS; l++) {
		volume_free(&problem->levels[l].fixed);
		volume_free(&problem->levels[l].moving);
		free(problem->levels[l].rows);
		problem->levels[l].rows = NULL;
	}
	free(problem->region.inside);
	problem->region.inside = NULL;
}
