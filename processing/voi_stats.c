#include "voi_stats.h"

#include <math.h>
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

static size_t voxels_in_bounds(const struct mask *mask)
{
	size_t count = 1;
	for (int axis = 0; axis < 3; axis++) {
		if (mask->last[axis] < mask->first[axis])
			return 0;
		count *= (size_t)(mask->last[axis] - mask->first[axis] + 1);
	}
	return count;
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

/* Floats as integers in the same order: negative ones reversed, all below the positive. */
static uint32_t order_key(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* Rising by value: a stable radix sort in three passes of 11 bits, in linear time because a liver
 * has half a million voxels. Ends in `spare`, which is returned. */
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

/* The doses that shares of the measured volume get at least; falling shares, rising doses. Every
 * voxel stands at the middle of its own piece of the cumulative volume; between two middles the
 * dose is linear. */
static void doses_at_volumes(double *const *doses, const double *shares, int n_shares,
			     const struct sample *rising, size_t count, double total)
{
	double before = 0, previous_middle = 0; /* volume from the cold end */
	int found = 0;
	for (size_t i = 0; i < count && found < n_shares; i++) {
		double middle = before + (double)rising[i].weight / 2;
		double value = (double)rising[i].value;
		double below = i > 0 ? (double)rising[i - 1].value : value;
		for (; found < n_shares && middle >= (1 - shares[found]) * total; found++) {
			double wanted = (1 - shares[found]) * total;
			*doses[found] = i == 0
					    ? value
					    : below + (value - below) * (wanted - previous_middle) /
							  (middle - previous_middle);
		}
		before += (double)rising[i].weight;
		previous_middle = middle;
	}
	for (; found < n_shares; found++)
		*doses[found] = (double)rising[count - 1].value;
}

static void fill_moments(struct voi_stats *stats, const struct sample *rising, size_t count,
			 double total)
{
	double sum = 0, squares = 0;
	for (size_t i = 0; i < count; i++)
		sum += (double)rising[i].weight * (double)rising[i].value;
	stats->mean = sum / total;
	for (size_t i = 0; i < count; i++) {
		double off = (double)rising[i].value - stats->mean;
		squares += (double)rising[i].weight * off * off;
	}
	stats->standard_deviation = sqrt(squares / total);
	stats->minimum = (double)rising[0].value;
	stats->maximum = (double)rising[count - 1].value;
}

static void fill_levels(struct voi_stats *stats, const struct sample *rising, size_t count,
			double voxel_ml)
{
	for (int level = 0; level < stats->levels; level++) {
		double covered = 0;
		for (size_t i = count; i > 0 && (double)rising[i - 1].value >= stats->level[level];
		     i--)
			covered += (double)rising[i - 1].weight;
		stats->volume_at_level_ml[level] = covered * voxel_ml;
	}
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

	size_t bound = voxels_in_bounds(mask);
	if (bound == 0) {
		*stats = made;
		return STATUS_OK;
	}
	struct sample *samples = malloc(2 * bound * sizeof *samples);
	if (!samples)
		return status_fail(st, STATUS_RETRY, "no memory for the statistics of a VOI");

	double voxel_ml = grid_voxel_volume_ml(&mask->grid), covered, not_measured, total = 0;
	size_t count = gather_samples(samples, &covered, &not_measured, values, mask);
	made.volume_ml = covered * voxel_ml;
	made.not_measured_volume_ml = not_measured * voxel_ml;
	if (count > 0) {
		const struct sample *rising = sort_samples(samples, samples + bound, count);
		for (size_t i = 0; i < count; i++)
			total += (double)rising[i].weight;
		made.measured_volume_ml = total * voxel_ml;
		fill_moments(&made, rising, count, total);
		fill_levels(&made, rising, count, voxel_ml);
		double *const doses[] = {&made.d98, &made.d90, &made.d70, &made.d50, &made.d2};
		const double shares[] = {0.98, 0.90, 0.70, 0.50, 0.02};
		doses_at_volumes(doses, shares, 5, rising, count, total);
	}
	free(samples);
	*stats = made;
	return STATUS_OK;
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
