#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "registration_parts.h"

/* Spacing that the fixed and the moving image of the finest level are brought near to, mm; each
 * coarser level is twice that. The fixed image is only looked at where its samples are, the moving
 * one between them too. */
static const double FIXED_MM = 4, MOVING_MM = 3, NEAR = 1.4;
/* Variance of the smoothing in spacings squared, for the widest spacing of the two images. Both are
 * smoothed alike in every direction: an image that is sharper in its slices than across them looks
 * stretched along its own axes, whatever way the body is turned, and would be turned too little.
 * With a Gaussian so wide the samples' places no longer show in what lies between them. */
static const double SMOOTHING = 0.35;
/* Variance of trilinear interpolation, averaged over the places between samples, in the same. */
static const double INTERPOLATION = 1.0 / 6;

enum {
	RANGE_SAMPLES = 16384,
	FEWEST_RANGE = 256,
	SMALLEST_HALVED = 8,
	MOST_REACH = 24,
	MOST_TAPS = 2 * MOST_REACH + 1
};

/* What happens to one axis: every step-th sample is kept, or finer - 1 are put between two. */
struct change {
	int step, finer;
	double variance; /* samples squared */
};

/* One direction of a separable filter. phase: place of the taps' middle, in parts of a sample. */
struct filter {
	struct volume *out;
	const struct volume *in;
	struct change change;
	int axis, reach;
	float tap[2][MOST_TAPS + 1];
};

static int within(int i, int size)
{
	return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static void add_row(float *restrict sum, float *restrict weight, const float *restrict row,
		    int apart, int n, float tap)
{
	for (int i = 0; i < n; i++) {
		float value = row[i * apart];
		bool known = value == value;

		sum[i] += known ? tap * value : 0;
		weight[i] += known ? tap : 0;
	}
}

static void add_along_row(const struct filter *filter, const float *in, int n, float *sum,
			  float *weight, float *longer)
{
	const int reach = filter->reach, finer = filter->change.finer;

	for (int i = -reach; i <= n + reach; i++)
		longer[i + reach] = in[within(i, n)];
	for (int phase = 0; phase < finer; phase++) {
		int count = (filter->out->grid.columns - phase + finer - 1) / finer;

		for (int t = 0; finer == 1 && t <= 2 * reach; t++)
			add_row(sum, weight, longer + t, filter->change.step, count,
				filter->tap[0][t]);
		for (int i = 0; finer > 1 && i < count; i++) {
			for (int t = 0; t <= 2 * reach + 1; t++)
				add_row(sum + i * finer + phase, weight + i * finer + phase,
					longer + i + t, 1, 1, filter->tap[phase][t]);
		}
	}
}

/* The end samples are repeated beyond the ends. Samples without a value take no part; where less
 * than half of the weight remains the result has none either. */
static void filter_row(const struct filter *filter, size_t row, float *sum, float *weight,
		       float *longer)
{
	const struct grid *to = &filter->out->grid, *from = &filter->in->grid;
	const int place[3] = {0, (int)(row % (size_t)to->rows), (int)(row / (size_t)to->rows)};
	const int size[3] = {from->columns, from->rows, from->slices};
	const int axis = filter->axis, finer = filter->change.finer;
	float *out = filter->out->samples + row * (size_t)to->columns;

	memset(sum, 0, (size_t)to->columns * sizeof *sum);
	memset(weight, 0, (size_t)to->columns * sizeof *weight);
	if (axis == 0)
		add_along_row(filter, filter->in->samples + row * (size_t)from->columns,
			      from->columns, sum, weight, longer);
	for (int t = 0; axis > 0 && t <= 2 * filter->reach + 1; t++) {
		float tap = filter->tap[place[axis] % finer][t];
		size_t at[3] = {0, (size_t)place[1], (size_t)place[2]};

		at[axis] = (size_t)within(
		    place[axis] * filter->change.step / finer + t - filter->reach, size[axis]);
		if (tap > 0)
			add_row(sum, weight,
				filter->in->samples +
				    (at[2] * (size_t)from->rows + at[1]) * (size_t)from->columns,
				1, to->columns, tap);
	}
	for (int i = 0; i < to->columns; i++)
		out[i] = weight[i] >= 0.5F ? sum[i] / weight[i] : NAN;
}

struct filter_job {
	const struct filter *filter;
	float *scratch; /* three rows for each range of rows */
	size_t chunk, length;
};

static void filter_rows(void *user, size_t first, size_t last)
{
	const struct filter_job *job = user;
	float *scratch = job->scratch + first / job->chunk * 3 * job->length;

	for (size_t row = first; row < last; row++)
		filter_row(job->filter, row, scratch, scratch + job->length,
			   scratch + 2 * job->length);
}

/* Gaussian taps around each phase; they add up to 1. */
static void make_taps(struct filter *filter)
{
	double variance = filter->change.variance;

	filter->reach = (int)ceil(2.8 * sqrt(variance));
	filter->reach = filter->reach > MOST_REACH ? MOST_REACH : filter->reach;
	for (int phase = 0; phase < filter->change.finer; phase++) {
		double part = (double)phase / filter->change.finer, sum = 0, tap[MOST_TAPS + 1];

		for (int t = 0; t <= 2 * filter->reach + 1; t++) {
			double away = t - filter->reach - part;

			tap[t] = phase == 0 && t > 2 * filter->reach
				     ? 0
				     : exp(-away * away / (2 * variance));
			sum += tap[t];
		}
		for (int t = 0; t <= 2 * filter->reach + 1; t++)
			filter->tap[phase][t] = (float)(tap[t] / sum);
	}
}

static enum status_code filter_axis(struct volume *out, const struct volume *in, int axis,
				    const struct change *change, int threads, struct status *st)
{
	struct filter filter = {.out = out, .in = in, .axis = axis, .change = *change};
	struct filter_job job = {.filter = &filter};
	struct grid grid = in->grid;
	double *steps_mm[3] = {grid.column_step_mm, grid.row_step_mm, grid.slice_step_mm};
	int *sizes[3] = {&grid.columns, &grid.rows, &grid.slices};
	size_t rows, longest;

	make_taps(&filter);
	*sizes[axis] = ((*sizes[axis] - 1) * change->finer) / change->step + 1;
	for (int a = 0; a < 3; a++)
		steps_mm[axis][a] *= (double)change->step / change->finer;
	if (volume_new(out, &grid, NAN, st) != STATUS_OK)
		return st->code;
	rows = (size_t)grid.rows * (size_t)grid.slices;
	longest = (size_t)(grid.columns > in->grid.columns ? grid.columns : in->grid.columns);
	job.chunk = rows / 64 + 1;
	job.length = longest + MOST_TAPS + 1;
	job.scratch = malloc((rows / job.chunk + 1) * 3 * job.length * sizeof(float));
	if (job.scratch == NULL) {
		volume_free(out);
		return status_fail(st, STATUS_RETRY, "no memory to smooth an image");
	}
	parallel_for(rows, job.chunk, threads, filter_rows, &job);
	free(job.scratch);
	return STATUS_OK;
}

/* All three axes; rows first, where whole rows are added and the image becomes smaller. An axis
 * without variance is left as it is; out is empty if all are. */
static enum status_code filter_all(struct volume *out, const struct volume *in,
				   const struct change changes[3], int threads, struct status *st)
{
	static const int order[3] = {1, 0, 2};
	struct volume made = VOLUME_INIT;
	const struct volume *from = in;

	for (int i = 0; i < 3; i++) {
		struct volume next;

		if (!(changes[order[i]].variance > 0))
			continue;
		if (filter_axis(&next, from, order[i], &changes[order[i]], threads, st) !=
		    STATUS_OK) {
			volume_free(&made);
			return st->code;
		}
		volume_free(&made);
		made = next;
		from = &made;
	}
	*out = made;
	return STATUS_OK;
}

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
	double widest_mm = MOVING_MM;

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
	struct change changes[3];

	for (int a = 0; a < 3; a++) {
		int step = step_along(&in->grid, a, level_mm);

		/* what a Gaussian needs so that nothing finer than the new spacing stays */
		changes[a] = (struct change){
		    .step = step, .finer = 1, .variance = step > 1 ? 0.25 * step * step : 0};
	}
	return filter_all(out, in, changes, threads, st);
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

/* Cut, clipped and smoothed; the moving image also made finer, and smoothed less by what
 * interpolation is going to smooth. */
static enum status_code finest_level(struct volume *out, const struct volume *in,
				     const int first[3], const int last[3], const float range[2],
				     double variance_mm2, bool moving, int threads,
				     struct status *st)
{
	struct volume clipped = VOLUME_INIT;
	struct change changes[3];

	for (int a = 0; a < 3; a++) {
		struct change *change = &changes[a];
		double spacing_mm = grid_spacing_mm(&in->grid, a), level;

		change->step = step_along(&in->grid, a, moving ? MOVING_MM : FIXED_MM);
		change->finer = moving && spacing_mm > NEAR * MOVING_MM ? 2 : 1;
		level = (double)change->step / change->finer;
		change->variance = variance_mm2 / (spacing_mm * spacing_mm) -
				   (moving ? INTERPOLATION * level * level : 0);
	}
	if (clip_part(&clipped, in, first, last, range, threads, st) == STATUS_OK &&
	    filter_all(out, &clipped, changes, threads, st) != STATUS_OK)
		out->samples = NULL;
	volume_free(&clipped);
	return st->code;
}

static int by_value(const void *a, const void *b)
{
	const float *p = a, *q = b;

	return (*p > *q) - (*p < *q);
}

bool registration_range(float range[2], float *values, size_t n, double wider)
{
	float more;

	if (n < 2)
		return false;
	qsort(values, n, sizeof *values, by_value);
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
	float *values = malloc((size_t)2 * RANGE_SAMPLES * sizeof *values);
	enum status_code code = STATUS_OK;

	if (values == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to look at an image's values");
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
	if (!registration_range(problem->fixed_range, values, n_fixed, wider))
		code = status_fail(st, STATUS_REFUSE,
				   "the fixed image has no structure to register: all values of "
				   "the region are alike or missing");
	else if (!registration_range(problem->moving_range, values + RANGE_SAMPLES, n_moving,
				     wider))
		code = status_fail(st, STATUS_REFUSE,
				   "the moving image has no structure to register: all its values "
				   "are alike or missing");
	free(values);
	return code;
}

/* Counts voxels with a value. */
static void describe(struct registration_level *level)
{
	size_t n = grid_voxels(&level->fixed.grid), known = 0;

	for (size_t i = 0; i < n; i++)
		known += isnan(level->fixed.samples[i]) ? 0 : 1;
	level->voxels = known;
	level->spacing_mm = cbrt(1000 * grid_voxel_volume_ml(&level->fixed.grid));
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
	double variance_mm2;

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
	variance_mm2 = common_variance_mm2(fixed, moving);
	if (ranges(problem, input, first, last, start, st) != STATUS_OK ||
	    finest_level(&problem->levels[0].fixed, input->fixed, first, last, problem->fixed_range,
			 variance_mm2, 0, input->threads, st) != STATUS_OK ||
	    finest_level(&problem->levels[0].moving, input->moving, moving_first, moving_last,
			 problem->moving_range, variance_mm2, true, input->threads,
			 st) != STATUS_OK)
		return fail_levels(problem, st);
	problem->n_levels = 1;
	for (int l = 1; l < REGISTRATION_MOST_LEVELS; l++) {
		struct registration_level *finer = &problem->levels[l - 1],
					  *level = &problem->levels[l];
		const double coarser = (double)(1 << l);

		if (next_level(&level->fixed, &finer->fixed, FIXED_MM * coarser, input->threads,
			       st) != STATUS_OK ||
		    next_level(&level->moving, &finer->moving, MOVING_MM * coarser, input->threads,
			       st) != STATUS_OK)
			return fail_levels(problem, st);
		if (level->fixed.samples == NULL || level->moving.samples == NULL)
			break;
		problem->n_levels = l + 1;
	}
	for (int l = 0; l < problem->n_levels; l++) {
		if (input->region != NULL)
			registration_region_cut(&problem->levels[l].fixed, &problem->region,
						input->threads);
		describe(&problem->levels[l]);
	}
	return STATUS_OK;
}

void registration_problem_free(struct registration_problem *problem)
{
	for (int l = 0; l < REGISTRATION_MOST_LEVELS; l++) {
		volume_free(&problem->levels[l].fixed);
		volume_free(&problem->levels[l].moving);
	}
	free(problem->region.inside);
	problem->region.inside = NULL;
}
