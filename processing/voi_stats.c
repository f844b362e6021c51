#include "voi_stats.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The measured voxels of a mask: a dose and the covered share of the voxel. */
struct sample {
	float value, weight;
};

static size_t voxel_index(const struct grid *grid, int column, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns +
	       (size_t)column;
}

/* Gathers the measured voxels in storage order; *covered and *not_measured are the sums of the
 * coverages of all voxels and of those without a value. */
static size_t gather_samples(struct sample *samples, double *covered, double *not_measured,
			     const struct volume *values, const struct mask *mask)
{
	size_t count = 0;
	*covered = *not_measured = 0;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row = voxel_index(&mask->grid, 0, j, k);
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				float weight = mask->coverage[row + (size_t)i];
				if (!(weight > 0))
					continue;
				*covered += (double)weight;
				float value = values->samples[row + (size_t)i];
				if (isnan(value))
					*not_measured += (double)weight;
				else
					samples[count++] = (struct sample){value, weight};
			}
		}
	}
	return count;
}

/* Floats as integers in the same order: negative ones reversed, all below the positive; -0 is 0. */
static uint32_t order_key(float value)
{
	float whole = value + 0.0F;
	uint32_t bits;
	memcpy(&bits, &whole, sizeof bits);
	return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* Rising by value: a stable radix sort in three passes of 11 bits. Ends in `spare`, which is
 * returned. */
static struct sample *sort_samples(struct sample *samples, struct sample *spare, size_t count)
{
	enum { BITS = 11, BUCKETS = 1 << BITS };
	for (int pass = 0; pass < 3; pass++) {
		size_t start[BUCKETS + 1] = {0};
		int shift = pass * BITS;
		for (size_t i = 0; i < count; i++)
			start[((order_key(samples[i].value) >> shift) & (BUCKETS - 1)) + 1]++;
		for (size_t b = 0; b < BUCKETS; b++)
			start[b + 1] += start[b];
		for (size_t i = 0; i < count; i++) {
			uint32_t bucket = (order_key(samples[i].value) >> shift) & (BUCKETS - 1);
			spare[start[bucket]++] = samples[i];
		}
		struct sample *swap = samples;
		samples = spare;
		spare = swap;
	}
	return samples;
}

/* ---- the figures ---- */

/* Few figures hang on single voxels, and a liver has half a million: so voxels are only counted by
 * the upper half of their value's bits (8 bits of exponent, 7 of mantissa), and those in buckets
 * where a figure lies are sorted. */
enum { BUCKETS = 1 << 16 };

static uint32_t bucket_of(float value)
{
	return order_key(value) >> 16;
}

struct buckets {
	double *weight;	      /* per bucket: sum of coverages */
	bool *looked_at;      /* its voxels are among those sorted */
	uint32_t first, last; /* those with voxels lie here */
	double total;
};

static void fill_buckets(struct buckets *buckets, const struct sample *samples, size_t count)
{
	buckets->first = BUCKETS - 1;
	buckets->last = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t bucket = bucket_of(samples[i].value);
		buckets->weight[bucket] += (double)samples[i].weight;
		buckets->first = bucket < buckets->first ? bucket : buckets->first;
		buckets->last = bucket > buckets->last ? bucket : buckets->last;
	}
	buckets->total = 0;
	for (uint32_t b = buckets->first; b <= buckets->last; b++)
		buckets->total += buckets->weight[b];
}

static void fill_moments(struct voi_stats *stats, const struct sample *samples, size_t count,
			 double total)
{
	double sum = 0, squares = 0;
	float least = samples[0].value, most = samples[0].value;
	for (size_t i = 0; i < count; i++) {
		sum += (double)samples[i].weight * (double)samples[i].value;
		least = samples[i].value < least ? samples[i].value : least;
		most = samples[i].value > most ? samples[i].value : most;
	}
	stats->mean = sum / total;
	for (size_t i = 0; i < count; i++) {
		double off = (double)samples[i].value - stats->mean;
		squares += (double)samples[i].weight * off * off;
	}
	stats->standard_deviation = sqrt(squares / total);
	stats->minimum = (double)least;
	stats->maximum = (double)most;
}

/* The bucket where the volume from the cold end reaches `wanted`, and the ones with voxels next to
 * it: a dose between two voxels needs both, and the middle of a voxel lies below its end. */
static void look_at_volume(struct buckets *buckets, double wanted)
{
	double before = 0;
	uint32_t previous = buckets->first;
	for (uint32_t b = buckets->first; b <= buckets->last; b++) {
		if (!(buckets->weight[b] > 0))
			continue;
		bool beyond = before > wanted; /* one more is enough */
		buckets->looked_at[b] |= beyond || before + buckets->weight[b] >= wanted;
		if (buckets->looked_at[b])
			buckets->looked_at[previous] = true;
		if (beyond)
			return;
		before += buckets->weight[b];
		previous = b;
	}
	buckets->looked_at[previous] = true; /* wanted is all but rounding */
}

static uint32_t bucket_of_level(double level)
{
	if (!(level <= (double)FLT_MAX)) /* NaN too, which no voxel reaches */
		return bucket_of(INFINITY);
	if (level < -(double)FLT_MAX)
		return bucket_of(-INFINITY);
	return bucket_of((float)level);
}

/* The doses that shares of the measured volume get at least; falling shares, rising doses. Every
 * voxel stands at the middle of its own piece of the cumulative volume; between two middles the
 * dose is linear. rising: the voxels of all buckets looked at. */
static void doses_at_volumes(double *const *doses, const double *shares, int n_shares,
			     const struct buckets *buckets, const struct sample *rising,
			     size_t count, double maximum)
{
	double before = 0, previous_middle = 0; /* volume from the cold end */
	double below = NAN;
	int found = 0;
	size_t i = 0;
	for (uint32_t b = buckets->first; b <= buckets->last && found < n_shares; b++) {
		if (!buckets->looked_at[b]) {
			before += buckets->weight[b];
			continue;
		}
		double end = before + buckets->weight[b];
		for (; i < count && bucket_of(rising[i].value) == b; i++) {
			double middle = before + (double)rising[i].weight / 2;
			double value = (double)rising[i].value;
			for (; found < n_shares && middle >= (1 - shares[found]) * buckets->total;
			     found++) {
				double wanted = (1 - shares[found]) * buckets->total;
				*doses[found] = isnan(below)
						    ? value
						    : below + (value - below) *
								  (wanted - previous_middle) /
								  (middle - previous_middle);
			}
			before += (double)rising[i].weight;
			previous_middle = middle;
			below = value;
		}
		before = end;
	}
	for (; found < n_shares; found++)
		*doses[found] = maximum;
}

/* The voxels of the buckets looked at, rising; *looked of them. Both halves of the room are used.
 */
static const struct sample *sort_looked_at(size_t *looked, struct sample *samples,
					   struct sample *spare, size_t count,
					   const struct buckets *buckets)
{
	*looked = 0;
	for (size_t i = 0; i < count; i++) {
		samples[*looked] = samples[i];
		*looked += buckets->looked_at[bucket_of(samples[i].value)];
	}
	return sort_samples(samples, spare, *looked);
}

static void fill_levels(struct voi_stats *stats, const struct buckets *buckets,
			const struct sample *rising, size_t count, double voxel_ml)
{
	for (int level = 0; level < stats->levels; level++) {
		uint32_t within = bucket_of_level(stats->level[level]);
		double covered = 0;
		for (uint32_t b = buckets->last; b > within && b >= buckets->first; b--)
			covered += buckets->weight[b];
		for (size_t i = 0; i < count; i++) {
			if (bucket_of(rising[i].value) == within &&
			    (double)rising[i].value >= stats->level[level])
				covered += (double)rising[i].weight;
		}
		stats->volume_at_level_ml[level] = covered * voxel_ml;
	}
}

static void fill_figures(struct voi_stats *stats, struct buckets *buckets, struct sample *samples,
			 struct sample *spare, size_t count, double voxel_ml)
{
	double *const doses[] = {&stats->d98, &stats->d90, &stats->d70, &stats->d50, &stats->d2};
	const double shares[] = {0.98, 0.90, 0.70, 0.50, 0.02};
	const int n_shares = sizeof shares / sizeof *shares;
	size_t looked;
	fill_buckets(buckets, samples, count);
	stats->measured_volume_ml = buckets->total * voxel_ml;
	fill_moments(stats, samples, count, buckets->total);
	for (int s = 0; s < n_shares; s++)
		look_at_volume(buckets, (1 - shares[s]) * buckets->total);
	for (int level = 0; level < stats->levels; level++)
		buckets->looked_at[bucket_of_level(stats->level[level])] = true;
	const struct sample *rising = sort_looked_at(&looked, samples, spare, count, buckets);
	fill_levels(stats, buckets, rising, looked, voxel_ml);
	doses_at_volumes(doses, shares, n_shares, buckets, rising, looked, stats->maximum);
}

enum status_code voi_stats_compute(struct voi_stats *stats, const struct volume *values,
				   const struct mask *mask, const double *levels, int n_levels,
				   struct status *st)
{
	if (!grid_same(&values->grid, &mask->grid, 1e-3))
		return status_fail(st, STATUS_BUG,
				   "VOI statistics: mask and dose on different grids");
	if (n_levels < 0 || n_levels > VOI_DOSE_LEVELS)
		return status_fail(st, STATUS_BUG, "VOI statistics: %d dose levels, at most %d",
				   n_levels, VOI_DOSE_LEVELS);

	struct voi_stats made = {
	    .mean = NAN,
	    .minimum = NAN,
	    .maximum = NAN,
	    .standard_deviation = NAN,
	    .d98 = NAN,
	    .d90 = NAN,
	    .d70 = NAN,
	    .d50 = NAN,
	    .d2 = NAN,
	    .levels = n_levels,
	};
	for (int i = 0; i < n_levels; i++)
		made.level[i] = levels[i];

	size_t bound = mask_box_voxels(mask);
	if (bound == 0) {
		*stats = made;
		return STATUS_OK;
	}
	double covered, not_measured;
	const double voxel_ml = grid_voxel_volume_ml(&mask->grid);
	size_t count;
	struct sample *samples = malloc(2 * bound * sizeof *samples);
	struct buckets buckets = {
	    .weight = calloc(BUCKETS, sizeof *buckets.weight),
	    .looked_at = calloc(BUCKETS, sizeof *buckets.looked_at),
	};
	if (!samples || !buckets.weight || !buckets.looked_at) {
		(void)status_fail(st, STATUS_RETRY, "no memory for the statistics of a VOI");
		goto out;
	}
	count = gather_samples(samples, &covered, &not_measured, values, mask);
	made.volume_ml = covered * voxel_ml;
	made.not_measured_volume_ml = not_measured * voxel_ml;
	if (count > 0)
		fill_figures(&made, &buckets, samples, samples + bound, count, voxel_ml);
	*stats = made;
out:
	free(samples);
	free(buckets.weight);
	free(buckets.looked_at);
	return st->code;
}

enum status_code voi_dvh(double *volume_ml, int bins, double bin_width_gy,
			 const struct volume *dose_gy, const struct mask *mask, struct status *st)
{
	if (!grid_same(&dose_gy->grid, &mask->grid, 1e-3))
		return status_fail(st, STATUS_BUG, "DVH: mask and dose on different grids");
	if (bins < 1 || !(bin_width_gy > 0))
		return status_fail(st, STATUS_BUG, "DVH: %d bins of %g Gy", bins, bin_width_gy);

	for (int bin = 0; bin < bins; bin++)
		volume_ml[bin] = 0;
	double voxel_ml = grid_voxel_volume_ml(&mask->grid);
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row = voxel_index(&mask->grid, 0, j, k);
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				double weight = (double)mask->coverage[row + (size_t)i];
				double dose = (double)dose_gy->samples[row + (size_t)i];
				if (!(weight > 0) || isnan(dose))
					continue;
				/* the last bin whose lower edge the dose reaches, by the same
				 * product that a reader of the histogram uses */
				double at = dose / bin_width_gy;
				int bin = at <= 0 ? 0 : at >= bins - 1 ? bins - 1 : (int)at;
				if (bin < bins - 1 && dose >= (bin + 1) * bin_width_gy)
					bin++;
				else if (bin > 0 && dose < bin * bin_width_gy)
					bin--;
				volume_ml[bin] += weight * voxel_ml;
			}
		}
	}
	for (int bin = bins - 1; bin > 0; bin--)
		volume_ml[bin - 1] += volume_ml[bin];
	return STATUS_OK;
}
