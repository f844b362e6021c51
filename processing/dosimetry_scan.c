/* dosimetry_scan.c - on the scans' own grids: dR2*, and sums over the liver. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "resample.h"

#define GRID_TOLERANCE_MM 1e-3
#define VOXELS_PER_PIECE  65536
#define S0_RATIOS_ASKED	  500000

/* ---- geometry ---- */

void dosimetry_move_grid(struct grid *moved, const struct grid *result_grid,
			 const struct dosimetry_scan *scan)
{
	*moved = *result_grid;
	if (scan->to_result)
		rigid_move_grid(moved, result_grid, scan->to_result,
				scan->map->r2star_per_s.grid.frame_of_reference);
}

/* Back to the result's frame, then on to the baseline's. */
void dosimetry_move_to_baseline(struct grid *moved, const struct dosimetry_scan *scan,
				const struct dosimetry_input *input)
{
	double on[RIGID_SIZE];
	rigid_identity(on);
	*moved = scan->map->r2star_per_s.grid;
	if (scan->to_result)
		rigid_invert(on, scan->to_result);
	if (input->baseline.to_result)
		rigid_compose(on, input->baseline.to_result, on);
	if (scan->to_result || input->baseline.to_result)
		rigid_move_grid(moved, &scan->map->r2star_per_s.grid, on,
				input->baseline.map->r2star_per_s.grid.frame_of_reference);
}

/* ---- one scan ---- */

/* Baseline values at the scan's voxels: borrowed as they are where both grids are the same, else
 * resampled. */
struct local_baseline {
	const float *r2star_per_s, *s0, *stderr_per_s; /* NaN: not evaluated */
	const uint8_t *marks;
	float region_mean_per_s; /* taken off everywhere instead; NaN: voxelwise */
	struct volume made_r2star, made_s0, made_stderr; /* owned; empty when borrowed */
};

static bool is_evaluated(const struct local_baseline *local, size_t v)
{
	return !isnan(local->r2star_per_s[v]) && !(local->marks[v] & DOSIMETRY_MARK_ARTEFACT);
}

static float baseline_at(const struct local_baseline *local, size_t v)
{
	return isnan(local->region_mean_per_s) ? local->r2star_per_s[v] : local->region_mean_per_s;
}

/* Of dR2*: both fits in quadrature. A mean over the whole liver has no noise to speak of. */
static float stderr_at(const struct local_baseline *local, size_t v, float scan_stderr_per_s)
{
	float baseline = isnan(local->region_mean_per_s) ? local->stderr_per_s[v] : 0;
	return sqrtf(scan_stderr_per_s * scan_stderr_per_s + baseline * baseline);
}

static enum status_code find_local_baseline(struct local_baseline *local,
					    const struct dosimetry_scan *scan,
					    const struct dosimetry_baseline_map *baseline,
					    const struct dosimetry_input *input, int threads,
					    struct status *st)
{
	struct grid moved;
	dosimetry_move_to_baseline(&moved, scan, input);
	if (grid_same(&moved, &baseline->r2star_per_s.grid, GRID_TOLERANCE_MM)) {
		local->r2star_per_s = baseline->r2star_per_s.samples;
		local->s0 = baseline->s0.samples;
		local->stderr_per_s = baseline->stderr_per_s.samples;
		return STATUS_OK;
	}
	if (resample_trilinear(&local->made_r2star, &moved, &baseline->r2star_per_s, NULL, threads,
			       st) != STATUS_OK ||
	    resample_trilinear(&local->made_s0, &moved, &baseline->s0, NULL, threads, st) !=
		STATUS_OK ||
	    resample_trilinear(&local->made_stderr, &moved, &baseline->stderr_per_s, NULL, threads,
			       st) != STATUS_OK)
		return st->code;
	local->r2star_per_s = local->made_r2star.samples;
	local->s0 = local->made_s0.samples;
	local->stderr_per_s = local->made_stderr.samples;
	return STATUS_OK;
}

/* Is the signal without decay comparable with the baseline's? Unknown TR or flip is taken as equal
 * and flagged: the hottest voxels hang on it, and s0_scale still takes out what is common to all
 * voxels. */
static unsigned compare_protocol(const struct dosimetry_scan *baseline,
				 const struct dosimetry_scan *scan)
{
	const double relative_tolerance = 1e-3; /* decimals of the header */
	bool unknown = isnan(baseline->tr_ms) || isnan(scan->tr_ms) || isnan(baseline->flip_deg) ||
		       isnan(scan->flip_deg);
	/* a comparison with NaN is false: what is unknown does not count as different */
	bool differ =
	    fabs(baseline->tr_ms - scan->tr_ms) > relative_tolerance * baseline->tr_ms ||
	    fabs(baseline->flip_deg - scan->flip_deg) > relative_tolerance * baseline->flip_deg;
	if (differ)
		return DOSIMETRY_TR_FLIP_DIFFER | DOSIMETRY_S0_KNOWN_OFF;
	return unknown ? DOSIMETRY_TR_FLIP_UNKNOWN : 0;
}

/* The bits of S0 after / baseline where both were fitted, else 0. Bit patterns of positive floats
 * rise with the value. */
static uint32_t s0_ratio_bits(const struct r2star_map *after, const struct local_baseline *local,
			      size_t v)
{
	uint32_t bits = 0;
	if (after->state[v] != R2STAR_FITTED || !(local->s0[v] > 0))
		return 0;
	float ratio = after->s0.samples[v] / local->s0[v];
	if (ratio > 0 && isfinite(ratio))
		memcpy(&bits, &ratio, sizeof bits);
	return bits;
}

/* Median ratio of S0 after / baseline over voxels fitted in both; 1 when there is none. Without
 * sorting: the upper halves of the bit patterns are counted, then the lower ones of the half that
 * holds the middle. Of an even number the upper of the middle two. Of a large scan every n-th voxel
 * is asked: a quarter of a million ratios of 3 % spread fix their median to 0.01 %. */
static enum status_code find_s0_scale(double *s0_scale, const struct r2star_map *after,
				      const struct local_baseline *local, struct status *st)
{
	size_t voxels = grid_voxels(&after->s0.grid), count = 0, rank;
	size_t step = voxels / S0_RATIOS_ASKED + 1;
	uint32_t *upper = calloc(2 * 65536, sizeof *upper), high = 0, low = 0;
	if (!upper)
		return status_fail(st, STATUS_RETRY, "no memory for the ratios of S0");
	uint32_t *lower = upper + 65536;
	for (size_t v = 0; v < voxels; v += step) {
		uint32_t bits = s0_ratio_bits(after, local, v);
		upper[bits >> 16] += bits != 0;
		count += bits != 0;
	}
	*s0_scale = 1;
	if (count > 0) {
		for (rank = count / 2; rank >= upper[high]; high++)
			rank -= upper[high];
		for (size_t v = 0; v < voxels; v += step) {
			uint32_t bits = s0_ratio_bits(after, local, v);
			lower[bits & 0xffff] += bits != 0 && bits >> 16 == high;
		}
		for (; rank >= lower[low]; low++)
			rank -= lower[low];
		uint32_t middle = high << 16 | low;
		float median;
		memcpy(&median, &middle, sizeof median);
		*s0_scale = (double)median;
	}
	free(upper);
	return STATUS_OK;
}

/* The few-echo voxels of the evaluated region, side by side in a map of one row: r2star_resolve()
 * changes what it is given, and the scan's map is borrowed. */
struct few_echo_voxels {
	struct r2star_map row;
	struct volume baseline_s0;
	size_t *voxel; /* where each came from */
	size_t count;
};

static void few_echo_voxels_free(struct few_echo_voxels *few)
{
	r2star_map_free(&few->row);
	volume_free(&few->baseline_s0);
	free(few->voxel);
}

static bool is_few_echo(const struct r2star_map *map, const struct local_baseline *local, size_t v)
{
	return (map->state[v] == R2STAR_FEW_ECHOES || map->state[v] == R2STAR_NO_ECHO) &&
	       is_evaluated(local, v);
}

static enum status_code gather_few_echo_voxels(struct few_echo_voxels *few,
					       const struct r2star_map *map,
					       const struct local_baseline *local,
					       struct status *st)
{
	size_t voxels = grid_voxels(&map->r2star_per_s.grid), count = 0;
	for (size_t v = 0; v < voxels; v++)
		count += is_few_echo(map, local, v);
	few->count = count;
	if (count == 0)
		return STATUS_OK;

	struct grid row = {.columns = (int)count, .rows = 1, .slices = 1};
	row.column_step_mm[0] = row.row_step_mm[1] = row.slice_step_mm[2] = 1;
	few->row.sigma = map->sigma;
	few->row.te1_ms = map->te1_ms;
	few->row.usable_sigma = map->usable_sigma;
	few->row.saturated_sigma = map->saturated_sigma;
	few->row.air_sigma = map->air_sigma;
	few->row.state = malloc(count);
	few->voxel = malloc(count * sizeof *few->voxel);
	if (!few->row.state || !few->voxel)
		return status_fail(st, STATUS_RETRY, "no memory for %zu few-echo voxels", count);
	if (volume_new(&few->row.r2star_per_s, &row, NAN, st) != STATUS_OK ||
	    volume_new(&few->row.stderr_per_s, &row, NAN, st) != STATUS_OK ||
	    volume_new(&few->row.s0, &row, NAN, st) != STATUS_OK ||
	    volume_new(&few->row.first_echo, &row, NAN, st) != STATUS_OK ||
	    volume_new(&few->baseline_s0, &row, NAN, st) != STATUS_OK)
		return st->code;
	size_t at = 0;
	for (size_t v = 0; v < voxels; v++) {
		if (!is_few_echo(map, local, v))
			continue;
		few->voxel[at] = v;
		few->row.state[at] = map->state[v];
		few->row.first_echo.samples[at] = map->first_echo.samples[v];
		few->baseline_s0.samples[at] = local->s0[v];
		at++;
	}
	return STATUS_OK;
}

static enum status_code subtract_few_echo_voxels(struct dosimetry_delta *delta,
						 const struct r2star_map *map,
						 const struct local_baseline *local,
						 struct status *st)
{
	struct few_echo_voxels few = {.count = 0};
	bool s0_known = !(delta->flags & DOSIMETRY_S0_KNOWN_OFF);
	if (gather_few_echo_voxels(&few, map, local, st) != STATUS_OK || few.count == 0)
		goto out;
	if (r2star_resolve(&few.row, &few.baseline_s0, delta->s0_scale, s0_known, st) != STATUS_OK)
		goto out;
	for (size_t i = 0; i < few.count; i++) {
		size_t v = few.voxel[i];
		delta->delta_r2star_per_s.samples[v] =
		    few.row.r2star_per_s.samples[i] - baseline_at(local, v);
		delta->stderr_per_s.samples[v] =
		    stderr_at(local, v, few.row.stderr_per_s.samples[i]);
		delta->state[v] = few.row.state[i];
	}
out:
	few_echo_voxels_free(&few);
	return st->code;
}

struct subtraction {
	struct dosimetry_delta *delta;
	const struct r2star_map *map;
	const struct local_baseline *local;
};

static void subtract_fitted_voxels(void *user, size_t first, size_t last)
{
	const struct subtraction *job = user;
	for (size_t v = first; v < last; v++) {
		if (job->map->quality && job->map->quality[v] & R2STAR_OSCILLATES)
			job->delta->marks[v] |= DOSIMETRY_MARK_OSCILLATES;
		if (job->map->state[v] != R2STAR_FITTED || !is_evaluated(job->local, v))
			continue;
		job->delta->delta_r2star_per_s.samples[v] =
		    job->map->r2star_per_s.samples[v] - baseline_at(job->local, v);
		job->delta->stderr_per_s.samples[v] =
		    stderr_at(job->local, v, job->map->stderr_per_s.samples[v]);
		job->delta->state[v] = R2STAR_FITTED;
	}
}

/* Mean over a mask of what is measured; NaN when nothing is. */
static double masked_mean(const float *values, const struct mask *mask)
{
	double sum = 0, weight = 0;
	const struct grid *grid = &mask->grid;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				double value = (double)values[row + (size_t)i];
				double coverage = (double)mask->coverage[row + (size_t)i];
				if (coverage > 0 && !isnan(value)) {
					sum += coverage * value;
					weight += coverage;
				}
			}
		}
	}
	if (!(weight > 0))
		return NAN;
	return sum / weight;
}

/* The mean over healthy liver is found for every method, and takes the voxels' place for one. */
static enum status_code find_region_mean(struct local_baseline *local, double *mean_per_s,
					 const struct dosimetry_regions *regions,
					 const struct dosimetry_params *params, struct status *st)
{
	*mean_per_s = NAN;
	if (regions->healthy.coverage)
		*mean_per_s = masked_mean(local->r2star_per_s, &regions->healthy);
	if (params->baseline != BASELINE_REGION_MEAN)
		return STATUS_OK;
	if (isnan(*mean_per_s))
		return status_fail(st, STATUS_REFUSE,
				   "the region-mean baseline needs a liver VOI with measured "
				   "voxels outside the tumours");
	local->region_mean_per_s = (float)*mean_per_s;
	return STATUS_OK;
}

enum status_code dosimetry_subtract(struct dosimetry_delta *delta,
				    const struct dosimetry_scan *scan,
				    const struct dosimetry_baseline_map *baseline,
				    const struct dosimetry_regions *regions,
				    const struct dosimetry_input *input,
				    const struct dosimetry_params *params, struct status *st)
{
	const struct r2star_map *map = scan->map;
	const struct grid *grid = &map->r2star_per_s.grid;
	size_t voxels = grid_voxels(grid);
	struct local_baseline local = {.region_mean_per_s = NAN};
	struct subtraction subtraction = {delta, map, &local};

	if (find_local_baseline(&local, scan, baseline, input, params->threads, st) != STATUS_OK ||
	    dosimetry_carry_marks(&delta->marks, baseline, scan, input, params->threads, st) !=
		STATUS_OK ||
	    find_region_mean(&local, &delta->region_baseline_r2star_per_s, regions, params, st) !=
		STATUS_OK ||
	    find_s0_scale(&delta->s0_scale, map, &local, st) != STATUS_OK ||
	    volume_new(&delta->delta_r2star_per_s, grid, NAN, st) != STATUS_OK ||
	    volume_new(&delta->stderr_per_s, grid, NAN, st) != STATUS_OK)
		goto out;
	delta->state = calloc(voxels, 1);
	if (!delta->state) {
		(void)status_fail(st, STATUS_RETRY, "no memory for the states of %zu voxels",
				  voxels);
		goto out;
	}
	local.marks = delta->marks;
	delta->flags = compare_protocol(&input->baseline, scan);
	parallel_for(voxels, VOXELS_PER_PIECE, params->threads, subtract_fitted_voxels,
		     &subtraction);
	if (subtract_few_echo_voxels(delta, map, &local, st) != STATUS_OK)
		goto out;
	(void)!dosimetry_find_moved_void(delta, scan, local.s0, baseline, &regions->liver, st);
out:
	volume_free(&local.made_r2star);
	volume_free(&local.made_s0);
	volume_free(&local.made_stderr);
	return st->code;
}

void dosimetry_delta_free(struct dosimetry_delta *delta)
{
	volume_free(&delta->delta_r2star_per_s);
	volume_free(&delta->stderr_per_s);
	free(delta->state);
	free(delta->marks);
	delta->state = delta->marks = NULL;
}

struct dosimetry_integral dosimetry_integrate(const struct volume *delta_r2star_per_s,
					      const uint8_t *state, const struct mask *mask)
{
	struct dosimetry_integral sum = {0, 0, 0, 0};
	const struct grid *grid = &mask->grid;
	double voxel_ml = grid_voxel_volume_ml(grid);
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				size_t v = row + (size_t)i;
				double ml = (double)mask->coverage[v] * voxel_ml;
				double value = (double)delta_r2star_per_s->samples[v];
				if (!(ml > 0))
					continue;
				sum.volume_ml += ml;
				if (isnan(value))
					sum.not_measured_ml += ml;
				else
					sum.delta_ml_per_s += ml * value;
				if (state && state[v] == R2STAR_SATURATED)
					sum.saturated_ml += ml;
			}
		}
	}
	return sum;
}
