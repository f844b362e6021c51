#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "instruction_set.h"
#include "parallel.h"
#include "registration_parts.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { MOST_REACH = 24, MOST_TAPS = 2 * MOST_REACH + 1 };

/* One direction of a separable filter. phase: place of the taps' middle, in parts of a sample. */
struct filter {
	struct volume *out;
	const struct volume *in;
	struct registration_change change;
	int axis, reach;
	bool gaps; /* samples without a value */
	float tap[2][MOST_TAPS + 1];
};

static int within(int i, int size)
{
	return i < 0 ? 0 : i >= size ? size - 1 : i;
}

ALWAYS_INLINE void add_known(float *restrict sum, float *restrict weight, float value, float tap)
{
	bool known = value == value;

	*sum += known ? tap * value : 0;
	*weight += known ? tap : 0;
}

ALWAYS_INLINE void add_row(const struct filter *filter, float *restrict sum, float *restrict weight,
			   const float *restrict row, int apart, int n, float tap)
{
	if (!filter->gaps && apart == 1) {
		for (int i = 0; i < n; i++)
			sum[i] += tap * row[i];
	} else if (!filter->gaps) {
		for (int i = 0; i < n; i++)
			sum[i] += tap * row[i * apart];
	} else if (apart == 1) {
		for (int i = 0; i < n; i++)
			add_known(&sum[i], &weight[i], row[i], tap);
	} else {
		for (int i = 0; i < n; i++)
			add_known(&sum[i], &weight[i], row[i * apart], tap);
	}
}

ALWAYS_INLINE void add_along_row(const struct filter *filter, const float *in, int n, float *sum,
				 float *weight, float *longer)
{
	const int reach = filter->reach, finer = filter->change.finer;

	memcpy(longer + reach, in, (size_t)n * sizeof *longer);
	for (int i = 0; i < reach; i++)
		longer[i] = in[0];
	for (int i = n + reach; i <= n + 2 * reach; i++)
		longer[i] = in[n - 1];
	for (int phase = 0; phase < finer; phase++) {
		int count = (filter->out->grid.columns - phase + finer - 1) / finer;

		for (int t = 0; finer == 1 && t <= 2 * reach; t++)
			add_row(filter, sum, weight, longer + t, filter->change.step, count,
				filter->tap[0][t]);
		for (int i = 0; finer > 1 && i < count; i++) {
			for (int t = 0; t <= 2 * reach + 1; t++)
				add_row(filter, sum + i * finer + phase, weight + i * finer + phase,
					longer + i + t, 1, 1, filter->tap[phase][t]);
		}
	}
}

/* The end samples are repeated beyond the ends. Samples without a value take no part; where less
 * than nine tenths of the weight remain the result has none either: it would be the mean of another
 * place. */
ALWAYS_INLINE void filter_row(const struct filter *filter, size_t row, float *restrict sum,
			      float *restrict weight, float *longer)
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
			add_row(filter, sum, weight,
				filter->in->samples +
				    (at[2] * (size_t)from->rows + at[1]) * (size_t)from->columns,
				1, to->columns, tap);
	}
	if (!filter->gaps)
		memcpy(out, sum, (size_t)to->columns * sizeof *out);
	for (int i = 0; filter->gaps && i < to->columns; i++)
		out[i] = weight[i] >= 0.9F ? sum[i] / weight[i] : NAN;
}

struct filter_job {
	const struct filter *filter;
	float *scratch; /* three rows for each range of rows */
	size_t chunk, length;
};

ALWAYS_INLINE void filter_range(const struct filter_job *job, size_t first, size_t last)
{
	float *scratch = job->scratch + first / job->chunk * 3 * job->length;

	for (size_t row = first; row < last; row++)
		filter_row(job->filter, row, scratch, scratch + job->length,
			   scratch + 2 * job->length);
}

#define CODE_FOR(set, target)                                                                      \
	target static void filter_##set(const struct filter_job *job, size_t first, size_t last)   \
	{                                                                                          \
		filter_range(job, first, last);                                                    \
	}
INSTRUCTION_SETS(CODE_FOR)

static void filter_rows(void *user, size_t first, size_t last)
{
	typedef void filter_code(const struct filter_job *job, size_t first, size_t last);
#define CODE_ROW(set, target) filter_##set,
	static filter_code *const codes[] = {INSTRUCTION_SETS(CODE_ROW)};

	codes[instruction_sets() - 1](user, first, last);
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

static bool has_gaps(const struct volume *volume)
{
	const size_t columns = (size_t)volume->grid.columns, n = grid_voxels(&volume->grid);

	for (size_t row = 0; row < n; row += columns) {
		int gaps = 0;

		for (size_t i = row; i < row + columns; i++)
			gaps += volume->samples[i] != volume->samples[i];
		if (gaps > 0)
			return true;
	}
	return false;
}

static enum status_code filter_axis(struct volume *out, const struct volume *in, int axis,
				    const struct registration_change *change, int threads,
				    struct status *st)
{
	struct filter filter = {.out = out, .in = in, .axis = axis, .change = *change};
	struct filter_job job = {.filter = &filter};
	struct grid grid = in->grid;
	double *steps_mm[3] = {grid.column_step_mm, grid.row_step_mm, grid.slice_step_mm};
	int *sizes[3] = {&grid.columns, &grid.rows, &grid.slices};
	size_t rows, longest;

	make_taps(&filter);
	filter.gaps = has_gaps(in);
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

/* Rows first, where whole rows are added and the image becomes smaller. */
enum status_code registration_smooth(struct volume *out, const struct volume *in,
				     const struct registration_change changes[3], int threads,
				     struct status *st)
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
