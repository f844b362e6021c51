#include "uncertainty.h"

#include <math.h>
#include <stdlib.h>

#include "parallel.h"

#define LEAST_WEIGHT 0.5 /* of eight neighbours: resample.h */
#define MOST_SLABS   8	 /* that a box is dealt out in */

static size_t voxel_at(const struct grid *grid, int column, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns +
	       (size_t)column;
}

/* ---- weights of means ---- */

static enum status_code weights_new(struct uncertainty_weights *weights, const int first[3],
				    const int last[3], struct status *st)
{
	size_t voxels = 1;
	*weights = (struct uncertainty_weights){.weight = NULL};
	for (int a = 0; a < 3; a++) {
		weights->first[a] = first[a];
		weights->size[a] = last[a] < first[a] ? 0 : last[a] - first[a] + 1;
		voxels *= (size_t)weights->size[a];
	}
	if (voxels == 0)
		return STATUS_OK;
	weights->weight = calloc(voxels, sizeof *weights->weight);
	if (!weights->weight)
		return status_fail(st, STATUS_RETRY, "no memory for the weights of %zu voxels",
				   voxels);
	return STATUS_OK;
}

void uncertainty_weights_free(struct uncertainty_weights *weights)
{
	free(weights->weight);
	weights->weight = NULL;
}

static uncertainty_lanes *weight_row(const struct uncertainty_weights *weights, int row, int slice)
{
	return weights->weight +
	       ((size_t)slice * (size_t)weights->size[1] + (size_t)row) * (size_t)weights->size[0];
}

static bool any_weight(uncertainty_lanes weight)
{
	return weight[0] + weight[1] + weight[2] + weight[3] > 0;
}

/* The measured voxels of a mask in a row: its lane of weights, `first` being the first of them.
 * Returns their sum. */
static double add_row(uncertainty_lanes *weights, int first, int lane, const struct mask *mask,
		      const struct volume *values, int row, int slice)
{
	const size_t from = voxel_at(&mask->grid, 0, row, slice);
	const float *coverage = mask->coverage + from, *value = values->samples + from;
	double sum = 0;
	for (int i = mask->first[0]; i <= mask->last[0]; i++) {
		if (!(coverage[i] > 0) || isnan(value[i]))
			continue;
		weights[i - first][lane] = coverage[i];
		sum += (double)coverage[i];
	}
	return sum;
}

static bool has_row(const struct mask *mask, int row, int slice)
{
	return row >= mask->first[1] && row <= mask->last[1] && slice >= mask->first[2] &&
	       slice <= mask->last[2];
}

static void add_mask(struct uncertainty_weights *weights, int lane, const struct mask *mask,
		     const struct volume *values)
{
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			uncertainty_lanes *to =
			    weight_row(weights, j - weights->first[1], k - weights->first[2]);
			weights->sum[lane] +=
			    add_row(to, weights->first[0], lane, mask, values, j, k);
		}
	}
}

enum status_code uncertainty_weights_of_masks(struct uncertainty_weights *weights,
					      const struct mask *const *masks, int n_masks,
					      const struct volume *values, struct status *st)
{
	int first[3], last[3];
	*weights = (struct uncertainty_weights){.weight = NULL};
	if (n_masks > UNCERTAINTY_LANES)
		return status_fail(st, STATUS_BUG, "uncertainty: %d masks at once", n_masks);
	uncertainty_reach(first, last, masks, n_masks, 0);
	if (weights_new(weights, first, last, st) != STATUS_OK)
		return st->code;
	for (int m = 0; m < n_masks && weights->weight; m++)
		add_mask(weights, m, masks[m], values);
	return STATUS_OK;
}

/* ---- carrying ---- */

/* Slices of the target, first to last of its box, and the source's voxels that they can reach. */
struct slab {
	int from, to;
	int first[3], last[3];
	double sum[UNCERTAINTY_LANES];
};

/* What is dealt out: weights, or the masks of which they are made row by row. */
struct carrying {
	struct uncertainty_weights *to;
	const struct volume *source;
	const struct uncertainty_weights *weights; /* NULL: masks */
	const struct mask *const *masks;
	int n_masks;
	const struct volume *values;
	uncertainty_lanes *rooms;	/* a row per slab, for those of masks */
	int first[3], size[3];		/* the box of what is dealt out */
	double matrix[3][3], offset[3]; /* target voxel -> source voxel */
	struct slab slabs[MOST_SLABS];
	int n_slabs;
	int next; /* 0 or 1: the slabs dealt out now are this one and every second after it */
};

static void find_reach(struct slab *slab, const struct carrying *c)
{
	const struct grid *grid = &c->source->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	for (int a = 0; a < 3; a++) {
		double low = INFINITY, high = -INFINITY;
		for (int corner = 0; corner < 8; corner++) {
			const int at[3] = {c->first[0] + (corner & 1 ? c->size[0] - 1 : 0),
					   c->first[1] + (corner & 2 ? c->size[1] - 1 : 0),
					   c->first[2] + (corner & 4 ? slab->to : slab->from)};
			double place = c->offset[a];
			for (int b = 0; b < 3; b++)
				place += c->matrix[a][b] * at[b];
			low = fmin(low, place);
			high = fmax(high, place);
		}
		/* rounding must not lead out of it */
		slab->first[a] = (int)fmin(fmax(floor(low - 1e-6), 0), size[a] - 1);
		slab->last[a] = (int)fmin(fmax(floor(high + 1e-6) + 1, 0), size[a] - 1);
	}
}

static bool apart(const struct slab *a, const struct slab *b)
{
	for (int axis = 0; axis < 3; axis++) {
		if (a->last[axis] < b->first[axis] || b->last[axis] < a->first[axis])
			return true;
	}
	return false;
}

/* As many slabs as there can be while every second one reaches voxels of its own: those are dealt
 * out at the same time, and then the ones between them. So the order of every sum hangs on the
 * geometry alone. */
static void find_slabs(struct carrying *c)
{
	const int slices = c->size[2];
	bool fits = false;
	for (int n = slices < MOST_SLABS ? slices : MOST_SLABS; n > 0 && !fits; n--) {
		c->n_slabs = n;
		for (int s = 0; s < n; s++) {
			c->slabs[s] =
			    (struct slab){.from = s * slices / n, .to = (s + 1) * slices / n - 1};
			find_reach(&c->slabs[s], c);
		}
		fits = true;
		for (int s = 0; s < n; s++) {
			for (int other = s + 2; other < n; other += 2)
				fits = fits && apart(&c->slabs[s], &c->slabs[other]);
		}
	}
}

static uncertainty_lanes times(uncertainty_lanes weight, double share)
{
	const float s = (float)share;
	return weight * (uncertainty_lanes){s, s, s, s};
}

/* deal_out() where all eight neighbours are there and measured, which is nearly everywhere; false
 * elsewhere. */
static bool deal_out_inside(struct uncertainty_weights *to, const struct volume *source,
			    const double place[3], uncertainty_lanes weight)
{
	const struct grid *grid = &source->grid;
	const size_t row = (size_t)grid->columns, slice = row * (size_t)grid->rows;
	const size_t to_row = (size_t)to->size[0], to_slice = to_row * (size_t)to->size[1];
	if (!(place[0] >= 0 && place[0] < grid->columns - 1 && place[1] >= 0 &&
	      place[1] < grid->rows - 1 && place[2] >= 0 && place[2] < grid->slices - 1))
		return false;
	const int low[3] = {(int)place[0], (int)place[1], (int)place[2]};
	const float *at = source->samples + voxel_at(grid, low[0], low[1], low[2]);
	/* NaN when any of them is */
	const float any = at[0] + at[1] + at[row] + at[row + 1] + at[slice] + at[slice + 1] +
			  at[slice + row] + at[slice + row + 1];
	if (isnan(any))
		return false;
	const double x = place[0] - low[0], y = place[1] - low[1], z = place[2] - low[2];
	const uncertainty_lanes far = times(weight, x), near = times(weight, 1 - x);
	uncertainty_lanes *dealt =
	    weight_row(to, low[1] - to->first[1], low[2] - to->first[2]) + low[0] - to->first[0];
	dealt[0] += times(near, (1 - y) * (1 - z));
	dealt[1] += times(far, (1 - y) * (1 - z));
	if (y > 0) {
		dealt[to_row] += times(near, y * (1 - z));
		dealt[to_row + 1] += times(far, y * (1 - z));
	}
	if (z > 0) {
		dealt[to_slice] += times(near, (1 - y) * z);
		dealt[to_slice + 1] += times(far, (1 - y) * z);
	}
	if (y > 0 && z > 0) {
		dealt[to_slice + to_row] += times(near, y * z);
		dealt[to_slice + to_row + 1] += times(far, y * z);
	}
	return true;
}

/* Deals the weights of one interpolated value out to the voxels it came from; false where it came
 * from too few. */
static bool deal_out(struct uncertainty_weights *to, const struct volume *source,
		     const double place[3], uncertainty_lanes weight)
{
	const int size[3] = {source->grid.columns, source->grid.rows, source->grid.slices};
	int low[3];
	double part[3], shares[8], sum = 0;
	for (int a = 0; a < 3; a++) {
		double inside = fmin(fmax(place[a], 0), size[a] - 1);
		low[a] = (int)inside < size[a] - 1 ? (int)inside : size[a] - 1;
		part[a] = inside - low[a];
	}
	for (int corner = 0; corner < 8; corner++) {
		int at[3];
		shares[corner] = 1;
		for (int a = 0; a < 3; a++) {
			bool far = corner >> a & 1;
			at[a] = low[a] + (far && low[a] < size[a] - 1);
			shares[corner] *= far ? part[a] : 1 - part[a];
		}
		if (isnan(source->samples[voxel_at(&source->grid, at[0], at[1], at[2])]))
			shares[corner] = 0;
		sum += shares[corner];
	}
	if (!(sum >= LEAST_WEIGHT - 1e-6))
		return false;
	for (int corner = 0; corner < 8; corner++) {
		int at[3];
		for (int a = 0; a < 3; a++)
			at[a] = low[a] + ((corner >> a & 1) && low[a] < size[a] - 1) - to->first[a];
		if (shares[corner] > 0)
			weight_row(to, at[1], at[2])[at[0]] += times(weight, shares[corner] / sum);
	}
	return true;
}

/* A row of the box; its columns from .. to have all that it has. */
static const uncertainty_lanes *find_row(int *from, int *to, const struct carrying *c, int number,
					 int row, int slice)
{
	*from = 0;
	*to = c->size[0] - 1;
	if (c->weights)
		return weight_row(c->weights, row, slice);
	uncertainty_lanes *room = c->rooms + (size_t)number * (size_t)c->size[0];
	*from = c->size[0];
	*to = -1;
	for (int m = 0; m < c->n_masks; m++) {
		const struct mask *mask = c->masks[m];
		if (!has_row(mask, c->first[1] + row, c->first[2] + slice))
			continue;
		int first = mask->first[0] - c->first[0], last = mask->last[0] - c->first[0];
		*from = first < *from ? first : *from;
		*to = last > *to ? last : *to;
	}
	for (int i = *from; i <= *to; i++)
		room[i] = (uncertainty_lanes){0, 0, 0, 0};
	for (int m = 0; m < c->n_masks; m++) {
		if (has_row(c->masks[m], c->first[1] + row, c->first[2] + slice))
			(void)add_row(room, c->first[0], m, c->masks[m], c->values,
				      c->first[1] + row, c->first[2] + slice);
	}
	return room;
}

static void deal_out_row(struct slab *slab, const struct carrying *c, int number, int row,
			 int slice)
{
	int from, to;
	const uncertainty_lanes *weights = find_row(&from, &to, c, number, row, slice);
	double start[3];
	for (int a = 0; a < 3; a++)
		start[a] = c->offset[a] + c->matrix[a][0] * c->first[0] +
			   c->matrix[a][1] * (c->first[1] + row) +
			   c->matrix[a][2] * (c->first[2] + slice);
	for (int i = from; i <= to; i++) {
		const uncertainty_lanes weight = weights[i];
		if (!any_weight(weight))
			continue;
		const double place[3] = {start[0] + c->matrix[0][0] * i,
					 start[1] + c->matrix[1][0] * i,
					 start[2] + c->matrix[2][0] * i};
		if (!deal_out_inside(c->to, c->source, place, weight) &&
		    !deal_out(c->to, c->source, place, weight))
			continue;
		for (int l = 0; l < UNCERTAINTY_LANES; l++)
			slab->sum[l] += (double)weight[l];
	}
}

static void deal_out_slabs(void *user, size_t first, size_t last)
{
	struct carrying *c = user;
	for (size_t n = first; n < last; n++) {
		const int number = 2 * (int)n + c->next;
		struct slab *slab = &c->slabs[number];
		for (int k = slab->from; k <= slab->to; k++) {
			for (int j = 0; j < c->size[1]; j++)
				deal_out_row(slab, c, number, j, k);
		}
	}
}

static enum status_code carry(struct carrying *c, const struct grid *grid, int threads,
			      struct status *st)
{
	struct uncertainty_weights *to = c->to;
	int first[3] = {0, 0, 0}, last[3] = {-1, -1, -1};
	grid_map(grid, &c->source->grid, c->matrix, c->offset);
	find_slabs(c);
	for (int s = 0; s < c->n_slabs; s++) {
		for (int a = 0; a < 3; a++) {
			if (s == 0 || c->slabs[s].first[a] < first[a])
				first[a] = c->slabs[s].first[a];
			if (s == 0 || c->slabs[s].last[a] > last[a])
				last[a] = c->slabs[s].last[a];
		}
	}
	if (weights_new(to, first, last, st) != STATUS_OK)
		return st->code;
	for (c->next = 0; c->next < 2; c->next++)
		parallel_for((size_t)(c->n_slabs - c->next + 1) / 2, 1, threads, deal_out_slabs, c);
	for (int s = 0; s < c->n_slabs; s++) {
		for (int l = 0; l < UNCERTAINTY_LANES; l++)
			to->sum[l] += c->slabs[s].sum[l];
	}
	return STATUS_OK;
}

enum status_code uncertainty_weights_carry(struct uncertainty_weights *source_weights,
					   const struct volume *source,
					   const struct uncertainty_weights *weights,
					   const struct grid *grid, int threads, struct status *st)
{
	struct carrying c = {.to = source_weights, .source = source, .weights = weights};
	for (int a = 0; a < 3; a++) {
		c.first[a] = weights->first[a];
		c.size[a] = weights->size[a];
	}
	return carry(&c, grid, threads, st);
}

enum status_code uncertainty_weights_carry_masks(struct uncertainty_weights *source_weights,
						 const struct volume *source,
						 const struct mask *const *masks, int n_masks,
						 const struct volume *values,
						 const struct grid *grid, int threads,
						 struct status *st)
{
	struct carrying c = {.to = source_weights,
			     .source = source,
			     .masks = masks,
			     .n_masks = n_masks,
			     .values = values};
	int last[3];
	*source_weights = (struct uncertainty_weights){.weight = NULL};
	if (n_masks > UNCERTAINTY_LANES)
		return status_fail(st, STATUS_BUG, "uncertainty: %d masks at once", n_masks);
	uncertainty_reach(c.first, last, masks, n_masks, 0);
	for (int a = 0; a < 3; a++)
		c.size[a] = last[a] < c.first[a] ? 0 : last[a] - c.first[a] + 1;
	c.rooms = malloc(MOST_SLABS * (size_t)(c.size[0] + 1) * sizeof *c.rooms);
	if (!c.rooms)
		return status_fail(st, STATUS_RETRY, "no memory for rows of %d voxels", c.size[0]);
	(void)!carry(&c, grid, threads, st);
	free(c.rooms);
	return st->code;
}

/* ---- variances ---- */

struct squares {
	const struct uncertainty_weights *weights;
	const struct uncertainty_errors *errors;
	double (*sum)[UNCERTAINTY_LANES]; /* per slice */
};

static float error_at(const struct uncertainty_errors *errors, size_t v)
{
	float error = errors->standard_error->samples[v];
	if (errors->where && errors->where[v] == errors->is && !isnan(error))
		return errors->instead->samples[v];
	return error;
}

static void add_squares(void *user, size_t first, size_t last)
{
	const struct squares *squares = user;
	const struct uncertainty_weights *weights = squares->weights;
	for (size_t k = first; k < last; k++) {
		double *sum = squares->sum[k];
		for (int j = 0; j < weights->size[1]; j++) {
			const uncertainty_lanes *row = weight_row(weights, j, (int)k);
			const size_t from =
			    voxel_at(&squares->errors->standard_error->grid, weights->first[0],
				     weights->first[1] + j, weights->first[2] + (int)k);
			for (int i = 0; i < weights->size[0]; i++) {
				if (!any_weight(row[i]))
					continue;
				const double error =
				    (double)error_at(squares->errors, from + (size_t)i);
				if (isnan(error))
					continue;
				for (int l = 0; l < UNCERTAINTY_LANES; l++) {
					double part = (double)row[i][l] * error;
					sum[l] += row[i][l] > 0 ? part * part : 0;
				}
			}
		}
	}
}

enum status_code uncertainty_variances(double variance[UNCERTAINTY_LANES],
				       const struct uncertainty_weights *weights,
				       const struct uncertainty_errors *errors, int threads,
				       struct status *st)
{
	const size_t slices = weights->weight ? (size_t)weights->size[2] : 0;
	struct squares squares = {weights, errors, calloc(slices + 1, sizeof *squares.sum)};
	if (!squares.sum)
		return status_fail(st, STATUS_RETRY, "no memory for the variances of %zu slices",
				   slices);
	parallel_for(slices, 1, threads, add_squares, &squares);
	for (int l = 0; l < UNCERTAINTY_LANES; l++) {
		double sum = 0;
		for (size_t k = 0; k < slices; k++)
			sum += squares.sum[k][l];
		variance[l] =
		    weights->sum[l] > 0 ? sum / (weights->sum[l] * weights->sum[l]) : (double)NAN;
	}
	free(squares.sum);
	return STATUS_OK;
}

/* ---- together ---- */

void uncertainty_combine(struct uncertainty *uncertainty, double mean_gy,
			 const struct uncertainty_params *params)
{
	uncertainty->relaxivity_gy = fabs(mean_gy) * params->relaxivity_percent / 100;
	uncertainty->specific_activity_gy = fabs(mean_gy) * params->specific_activity_percent / 100;
	const double parts[] = {uncertainty->random_gy, uncertainty->registration_gy,
				uncertainty->relaxivity_gy, uncertainty->specific_activity_gy};
	double squares = 0;
	uncertainty->complete = true;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		uncertainty->complete = uncertainty->complete && !isnan(parts[i]);
		squares += isnan(parts[i]) ? 0 : parts[i] * parts[i];
	}
	uncertainty->combined_gy = isnan(uncertainty->random_gy) ? (double)NAN : sqrt(squares);
}
