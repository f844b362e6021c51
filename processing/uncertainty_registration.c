/* uncertainty_registration.c - what shifts change in the means of VOIs (uncertainty.h). */
#include "uncertainty.h"

#include <math.h>
#include <stdlib.h>

#include "parallel.h"

#define SAME_GRID_MM 1e-3
#define LEAST_WEIGHT 0.5  /* of eight neighbours: resample.h */
#define MIXED_VOXELS 1.15 /* loss at edges, against that of linear interpolation: uncertainty.h */
#define PROBE_SD     3.0  /* how far the mean is probed, in standard deviations of the shift */

/* A shift along an axis of the grid: whole voxels and a part of one. */
struct probe {
	int axis, whole;
	double part;
};
enum { PROBES = 7 }; /* none; up and down each axis */

static double probe_voxels(const struct grid *grid, int axis, double residual_mm)
{
	return PROBE_SD * residual_mm / sqrt(3.0) / grid_spacing_mm(grid, axis);
}

static int clamp(int at, int size)
{
	return at < 0 ? 0 : at >= size ? size - 1 : at;
}

static size_t row_of(const struct grid *grid, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns;
}

static void find_box(int first[3], int last[3], const struct mask *const *masks, int n_masks)
{
	for (int a = 0; a < 3; a++) {
		first[a] = 0;
		last[a] = -1;
	}
	for (int m = 0; m < n_masks; m++) {
		bool empty = last[2] < first[2];
		for (int a = 0; a < 3 && mask_box_voxels(masks[m]) > 0; a++) {
			if (empty || masks[m]->first[a] < first[a])
				first[a] = masks[m]->first[a];
			if (empty || masks[m]->last[a] > last[a])
				last[a] = masks[m]->last[a];
		}
	}
}

void uncertainty_reach(int first[3], int last[3], const struct mask *const *masks, int n_masks,
		       double residual_mm)
{
	find_box(first, last, masks, n_masks);
	if (last[2] < first[2] || !(residual_mm > 0))
		return;
	const struct grid *grid = &masks[0]->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	for (int a = 0; a < 3; a++) {
		int most = (int)fmin(ceil(probe_voxels(grid, a, residual_mm)) + 1, size[a]);
		first[a] = clamp(first[a] - most, size[a]);
		last[a] = clamp(last[a] + most, size[a]);
	}
}

/* ---- one row ---- */

struct shifting {
	const struct volume *dose_gy;
	const struct uncertainty_shifted *shifted;
	const struct mask *const *masks;
	int n_masks;
	struct probe probes[PROBES];
	int n_probes;
	int first[3], last[3]; /* box of the masks */
	double *sums;	       /* per slice, probe and mask: of value times coverage, of coverage */
	double *rooms;	       /* per slice: ROOMS rows */
	size_t room;	       /* values of a row */
};
enum { ROOMS = 3 };

/* Values of columns from .. to of a row, as if the grid's edge went on for ever. */
static void load_row(double *values, const struct shifting *s, int from, int to, int row, int slice)
{
	const struct grid *grid = &s->dose_gy->grid;
	const int j = clamp(row, grid->rows), k = clamp(slice, grid->slices);
	const float *dose_gy = s->dose_gy->samples + row_of(grid, j, k);
	const int inner_from = clamp(from, grid->columns), inner_to = clamp(to, grid->columns);
	int count = inner_to - inner_from + 1, before = inner_from - from;
	if (before < 0 || to < inner_from) /* all of it beyond the edge: one voxel, for all */
		before = 0;
	double *inner = values + before;
	for (int i = 0; i < count; i++)
		inner[i] = (double)dose_gy[inner_from + i];
	if (s->shifted) {
		const struct uncertainty_shifted *other = s->shifted;
		const float *map =
		    other->map->samples +
		    row_of(&other->map->grid, j - other->first[1], k - other->first[2]) +
		    (inner_from - other->first[0]);
		for (int i = 0; i < count; i++)
			inner[i] += other->scale * (double)map[i];
	}
	for (int i = 0; i < before; i++)
		values[i] = inner[0];
	for (int i = before + count; i <= to - from; i++)
		values[i] = inner[count - 1];
}

/* Linear between two voxels; one that was not measured is left out while the other has at least
 * half of the weight. */
static double between(double near, double far, double part)
{
	if (isnan(near))
		return part >= LEAST_WEIGHT ? far : (double)NAN;
	if (isnan(far))
		return part <= 1 - LEAST_WEIGHT ? near : (double)NAN;
	return near + part * (far - near);
}

/* Columns from .. to of a row as a probe sees them, 0 where nothing was measured; known: 1 where
 * something was. False when all of it was, and known is not written then. */
static bool move_row(double *values, double *known, double *room, const struct shifting *s,
		     const struct probe *probe, int from, int to, int row, int slice)
{
	const int count = to - from + 1;
	const double *near = values, *far = room;
	bool gaps = false;
	if (probe->axis == 0) {
		load_row(room, s, from + probe->whole, to + probe->whole + 1, row, slice);
		near = room;
		far = room + 1;
	} else {
		int j = row + (probe->axis == 1 ? probe->whole : 0);
		int k = slice + (probe->axis == 2 ? probe->whole : 0);
		load_row(values, s, from, to, j, k);
		load_row(room, s, from, to, j + (probe->axis == 1), k + (probe->axis == 2));
	}
	for (int i = 0; i < count; i++) {
		double value = near[i] + probe->part * (far[i] - near[i]);
		gaps |= isnan(value);
		known[i] = value;
	}
	for (int i = 0; i < count && gaps; i++) {
		double value = isnan(known[i]) ? between(near[i], far[i], probe->part) : known[i];
		known[i] = isnan(value) ? 0 : 1;
		values[i] = isnan(value) ? 0 : value;
	}
	for (int i = 0; i < count && !gaps; i++)
		values[i] = known[i];
	return gaps;
}

/* Four sums side by side, for loops that take several values at once. */
static double weighted_sum(const float *weight, const double *values, int count)
{
	double sums[4] = {0, 0, 0, 0};
	int i = 0;
	for (; i + 4 <= count; i += 4) {
		for (int l = 0; l < 4; l++)
			sums[l] += (double)weight[i + l] * values[i + l];
	}
	for (; i < count; i++)
		sums[0] += (double)weight[i] * values[i];
	return sums[0] + sums[1] + (sums[2] + sums[3]);
}

static double sum_of(const float *weight, int count)
{
	double sum = 0;
	for (int i = 0; i < count; i++)
		sum += (double)weight[i];
	return sum;
}

/* ---- all rows ---- */

/* What a mask covers of a row. */
struct span {
	int mask, first, count;
	const float *coverage; /* of first */
	double sum;
};

static int find_spans(struct span *spans, const struct shifting *s, int row, int slice)
{
	int count = 0;
	for (int m = 0; m < s->n_masks; m++) {
		const struct mask *mask = s->masks[m];
		if (row < mask->first[1] || row > mask->last[1] || slice < mask->first[2] ||
		    slice > mask->last[2])
			continue;
		const float *coverage = mask->coverage + row_of(&mask->grid, row, slice);
		int first = mask->first[0], last = mask->last[0];
		while (first <= last && !(coverage[first] > 0))
			first++;
		while (last > first && !(coverage[last] > 0))
			last--;
		if (first > last)
			continue;
		spans[count++] = (struct span){m, first, last - first + 1, coverage + first,
					       sum_of(coverage + first, last - first + 1)};
	}
	return count;
}

static void add_slices(void *user, size_t first, size_t last)
{
	const struct shifting *s = user;
	for (size_t n = first; n < last; n++) {
		double *room = s->rooms + n * ROOMS * s->room;
		double *values = room + s->room, *known = values + s->room;
		double *sums = s->sums + n * (size_t)(s->n_probes * s->n_masks) * 2;
		for (int j = s->first[1]; j <= s->last[1]; j++) {
			struct span spans[UNCERTAINTY_MOST_MASKS];
			int k = s->first[2] + (int)n, n_spans = find_spans(spans, s, j, k);
			int from = s->last[0], to = s->first[0];
			for (int i = 0; i < n_spans; i++) {
				int end = spans[i].first + spans[i].count - 1;
				from = spans[i].first < from ? spans[i].first : from;
				to = end > to ? end : to;
			}
			for (int p = 0; p < s->n_probes && n_spans > 0; p++) {
				bool gaps =
				    move_row(values, known, room, s, &s->probes[p], from, to, j, k);
				for (int i = 0; i < n_spans; i++) {
					const struct span *span = &spans[i];
					const int at = span->first - from;
					double *sum = sums + 2 * (p * s->n_masks + span->mask);
					sum[0] +=
					    weighted_sum(span->coverage, values + at, span->count);
					sum[1] += gaps ? weighted_sum(span->coverage, known + at,
								      span->count)
						       : span->sum;
				}
			}
		}
	}
}

static double mean_of(const struct shifting *s, int probe, int mask)
{
	double sum = 0, weight = 0;
	for (int k = 0; k <= s->last[2] - s->first[2]; k++) {
		const double *sums = s->sums + 2 * ((k * s->n_probes + probe) * s->n_masks + mask);
		sum += sums[0];
		weight += sums[1];
	}
	return weight > 0 ? sum / weight : (double)NAN;
}

static double change_of_mean(const struct shifting *s, int mask)
{
	const double mean_size = sqrt(2 / acos(-1.0)); /* of a standard normal number */
	double still = mean_of(s, 0, mask), spread = 0, bias = 0;
	if (isnan(still))
		return NAN;
	for (int p = 1; p + 1 < s->n_probes; p += 2) {
		double up = mean_of(s, p, mask) - still, down = mean_of(s, p + 1, mask) - still;
		/* per standard deviation of the shift */
		double slope = (up - down) / 2 / PROBE_SD;
		double loss = MIXED_VOXELS * (up + down) / 2 / (PROBE_SD - mean_size);
		spread += slope * slope + (1 - mean_size * mean_size) * loss * loss;
		bias += mean_size * loss;
	}
	return sqrt(spread + bias * bias);
}

static bool reaches(const struct uncertainty_shifted *shifted, const struct shifting *s,
		    double residual_mm)
{
	const struct grid *grid = &shifted->map->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	int first[3], last[3];
	uncertainty_reach(first, last, s->masks, s->n_masks, residual_mm);
	for (int a = 0; a < 3; a++) {
		if (first[a] < shifted->first[a] || last[a] >= shifted->first[a] + size[a])
			return false;
	}
	return true;
}

static void make_probes(struct shifting *s, double residual_mm)
{
	s->n_probes = residual_mm > 0 ? PROBES : 1;
	for (int p = 1; p < s->n_probes; p++) {
		const int axis = (p - 1) / 2;
		double voxels = probe_voxels(&s->dose_gy->grid, axis, residual_mm);
		double by = p % 2 ? voxels : -voxels;
		s->probes[p] = (struct probe){axis, (int)floor(by), by - floor(by)};
	}
}

enum status_code uncertainty_registrations(double *gy, const struct volume *dose_gy,
					   const struct uncertainty_shifted *shifted,
					   const struct mask *const *masks, int n_masks,
					   double residual_mm, int threads, struct status *st)
{
	struct shifting s = {.dose_gy = dose_gy,
			     .shifted = residual_mm > 0 ? shifted : NULL, /* else nothing moves */
			     .masks = masks,
			     .n_masks = n_masks};
	if (n_masks > UNCERTAINTY_MOST_MASKS)
		return status_fail(st, STATUS_BUG, "uncertainty: %d masks", n_masks);
	for (int m = 0; m < n_masks; m++) {
		gy[m] = NAN;
		if (!grid_same(&dose_gy->grid, &masks[m]->grid, SAME_GRID_MM))
			return status_fail(st, STATUS_BUG,
					   "uncertainty: dose and mask on other grids");
	}
	find_box(s.first, s.last, masks, n_masks);
	if (s.last[2] < s.first[2] || isnan(residual_mm))
		return STATUS_OK;
	if (shifted && !reaches(shifted, &s, residual_mm))
		return status_fail(st, STATUS_BUG, "uncertainty: a map that ends too early");
	make_probes(&s, residual_mm);
	size_t slices = (size_t)(s.last[2] - s.first[2] + 1);
	s.room = (size_t)(s.last[0] - s.first[0] + 2);
	s.sums = calloc(slices * (size_t)(s.n_probes * n_masks) * 2, sizeof *s.sums);
	s.rooms = malloc(slices * ROOMS * s.room * sizeof *s.rooms);
	if (!s.sums || !s.rooms) {
		(void)status_fail(st, STATUS_RETRY, "no memory for the shifts of %d VOIs", n_masks);
		goto out;
	}
	parallel_for(slices, 1, threads, add_slices, &s);
	for (int m = 0; m < n_masks; m++)
		gy[m] = change_of_mean(&s, m);
out:
	free(s.sums);
	free(s.rooms);
	return st->code;
}
