/* dosimetry_scan.c - on the scans' own grids: dR2*, and sums over the liver. */
#include "dosimetry_warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

#define VOXELS_PER_PIECE 65536
#define ROWS_PER_PIECE	 64
#define STRETCH		 64 /* voxels of a row looked up together */
#define S0_RATIOS_ASKED	 500000
#define S0_GONE		 0.5F /* of the baseline's: gone dark */

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

/* The baseline as the voxels of a scan see it. */
struct local_baseline {
	const struct resample_packed *packed; /* R2*, S0, standard error; NaN: not evaluated */
	struct resample_way way;
	const struct r2star_map *after;
	float region_mean_per_s; /* taken off everywhere instead; NaN: voxelwise */
};

static packed_values local_at(const struct local_baseline *local, size_t v)
{
	const struct grid *grid = &local->after->r2star_per_s.grid;
	const size_t columns = (size_t)grid->columns, rows = (size_t)grid->rows;
	return resample_packed_at(local->packed, &local->way, (int)(v % columns),
				  (int)(v / columns % rows), (int)(v / columns / rows));
}

static float baseline_at(const struct local_baseline *local, packed_values here)
{
	return isnan(local->region_mean_per_s) ? here[0] : local->region_mean_per_s;
}

/* Of dR2*: both fits in quadrature. A mean over the whole liver has no noise to speak of. */
static float stderr_at(const struct local_baseline *local, float baseline_stderr_per_s,
		       float scan_stderr_per_s)
{
	float baseline = isnan(local->region_mean_per_s) ? baseline_stderr_per_s : 0;
	return sqrtf(scan_stderr_per_s * scan_stderr_per_s + baseline * baseline);
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

/* S0 after / baseline of every `step`-th voxel, as bits; 0 where it was not fitted in both. Bit
 * patterns of positive floats rise with the value. */
struct s0_ratios {
	const struct local_baseline *local;
	size_t step;
	uint32_t *bits;
};

static void find_s0_ratios(void *user, size_t first, size_t last)
{
	const struct s0_ratios *ratios = user;
	const struct r2star_map *after = ratios->local->after;
	for (size_t n = first; n < last; n++) {
		size_t v = n * ratios->step;
		float s0 = after->state[v] == R2STAR_FITTED ? local_at(ratios->local, v)[1] : 0;
		float ratio = s0 > 0 ? after->s0.samples[v] / s0 : 0;
		ratios->bits[n] = 0;
		if (ratio > 0 && isfinite(ratio))
			memcpy(&ratios->bits[n], &ratio, sizeof ratio);
	}
}

/* Median ratio of S0 after / baseline over voxels fitted in both; 1 when there is none. Without
 * sorting: the upper halves of the bit patterns are counted, then the lower ones of the half that
 * holds the middle. Of an even number the upper of the middle two. Of a large scan every n-th voxel
 * is asked: a quarter of a million ratios of 3 % spread fix their median to 0.01 %. */
static enum status_code find_s0_scale(double *s0_scale, const struct local_baseline *local,
				      int threads, struct status *st)
{
	size_t voxels = grid_voxels(&local->after->s0.grid), count = 0, rank;
	struct s0_ratios ratios = {.local = local, .step = voxels / S0_RATIOS_ASKED + 1};
	size_t asked = (voxels + ratios.step - 1) / ratios.step;
	uint32_t *upper = calloc(2 * 65536, sizeof *upper), high = 0, low = 0;
	ratios.bits = malloc(asked * sizeof *ratios.bits);
	uint32_t *lower = upper + 65536;
	if (!upper || !ratios.bits) {
		(void)status_fail(st, STATUS_RETRY, "no memory for the ratios of S0");
		goto out;
	}
	parallel_for(asked, VOXELS_PER_PIECE / 4, threads, find_s0_ratios, &ratios);
	for (size_t n = 0; n < asked; n++) {
		upper[ratios.bits[n] >> 16] += ratios.bits[n] != 0;
		count += ratios.bits[n] != 0;
	}
	*s0_scale = 1;
	if (count > 0) {
		for (rank = count / 2; rank >= upper[high]; high++)
			rank -= upper[high];
		for (size_t n = 0; n < asked; n++)
			lower[ratios.bits[n] & 0xffff] +=
			    ratios.bits[n] != 0 && ratios.bits[n] >> 16 == high;
		for (; rank >= lower[low]; low++)
			rank -= lower[low];
		uint32_t middle = high << 16 | low;
		float median;
		memcpy(&median, &middle, sizeof median);
		*s0_scale = (double)median;
	}
out:
	free(upper);
	free(ratios.bits);
	return st->code;
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

/* Left by subtract_rows() for subtract_few_echo_voxels(). */
static bool is_waiting(uint8_t state)
{
	return state == R2STAR_FEW_ECHOES || state == R2STAR_NO_ECHO;
}

static enum status_code gather_few_echo_voxels(struct few_echo_voxels *few,
					       const struct dosimetry_delta *delta,
					       const struct local_baseline *local,
					       struct status *st)
{
	const struct r2star_map *map = local->after;
	size_t voxels = grid_voxels(&map->r2star_per_s.grid), count = 0;
	for (size_t v = 0; v < voxels; v++)
		count += is_waiting(delta->state[v]);
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
		if (!is_waiting(delta->state[v]))
			continue;
		few->voxel[at] = v;
		few->row.state[at] = map->state[v];
		few->row.first_echo.samples[at] = map->first_echo.samples[v];
		few->baseline_s0.samples[at] = local_at(local, v)[1];
		at++;
	}
	return STATUS_OK;
}

static enum status_code subtract_few_echo_voxels(struct dosimetry_delta *delta,
						 const struct local_baseline *local,
						 struct status *st)
{
	struct few_echo_voxels few = {.count = 0};
	bool s0_known = !(delta->flags & DOSIMETRY_S0_KNOWN_OFF);
	if (gather_few_echo_voxels(&few, delta, local, st) != STATUS_OK || few.count == 0)
		goto out;
	if (r2star_resolve(&few.row, &few.baseline_s0, delta->s0_scale, s0_known, st) != STATUS_OK)
		goto out;
	for (size_t i = 0; i < few.count; i++) {
		size_t v = few.voxel[i];
		/* what is there so far is the baseline's */
		delta->delta_r2star_per_s.samples[v] =
		    few.row.r2star_per_s.samples[i] - delta->delta_r2star_per_s.samples[v];
		delta->stderr_per_s.samples[v] = stderr_at(local, delta->stderr_per_s.samples[v],
							   few.row.stderr_per_s.samples[i]);
		delta->state[v] = few.row.state[i];
	}
out:
	few_echo_voxels_free(&few);
	return st->code;
}

struct subtraction {
	struct dosimetry_delta *delta;
	const struct local_baseline *local;
	float gone_below; /* S0 after / baseline */
};

static void subtract_voxel(const struct subtraction *job, size_t v, packed_values here)
{
	const struct r2star_map *map = job->local->after;
	struct dosimetry_delta *delta = job->delta;
	uint8_t state = map->state[v];
	if (state == R2STAR_FITTED && map->s0.samples[v] < job->gone_below * here[1])
		delta->marks[v] |= DOSIMETRY_MARK_GONE_DARK;
	if (isnan(here[0]) || delta->marks[v] & DOSIMETRY_MARK_ARTEFACT)
		return;
	if (state == R2STAR_FITTED) {
		delta->delta_r2star_per_s.samples[v] =
		    map->r2star_per_s.samples[v] - baseline_at(job->local, here);
		delta->stderr_per_s.samples[v] =
		    stderr_at(job->local, here[2], map->stderr_per_s.samples[v]);
		delta->state[v] = R2STAR_FITTED;
	} else if (is_waiting(state)) {
		delta->delta_r2star_per_s.samples[v] = baseline_at(job->local, here);
		delta->stderr_per_s.samples[v] = here[2];
		delta->state[v] = state;
	}
}

static void subtract_rows(void *user, size_t first, size_t last)
{
	const struct subtraction *job = user;
	const struct r2star_map *map = job->local->after;
	struct dosimetry_delta *delta = job->delta;
	const size_t columns = (size_t)map->r2star_per_s.grid.columns;
	const size_t rows = (size_t)map->r2star_per_s.grid.rows;
	for (size_t row = first; row < last; row++) {
		const int j = (int)(row % rows), k = (int)(row / rows);
		int from, to;
		for (size_t v = row * columns; v < (row + 1) * columns; v++) {
			delta->delta_r2star_per_s.samples[v] = NAN;
			delta->stderr_per_s.samples[v] = NAN;
			delta->state[v] = R2STAR_NOT_MEASURED;
			if (map->quality && map->quality[v] & R2STAR_OSCILLATES)
				delta->marks[v] |= DOSIMETRY_MARK_OSCILLATES;
		}
		resample_packed_reach(&from, &to, job->local->packed, &job->local->way,
				      (int)columns, j, k);
		for (int i = from; i <= to; i += STRETCH) {
			packed_values here[STRETCH];
			int last_here = to - i < STRETCH ? to : i + STRETCH - 1;
			resample_packed_row(here, job->local->packed, &job->local->way, i,
					    last_here, j, k);
			for (int n = i; n <= last_here; n++)
				subtract_voxel(job, row * columns + (size_t)n, here[n - i]);
		}
	}
}

/* Mean over a mask of what is measured, slice by slice. */
struct region_mean {
	const struct local_baseline *local;
	const struct mask *mask;
	double *sum, *weight; /* per slice */
};

static void add_slices(void *user, size_t first, size_t last)
{
	const struct region_mean *mean = user;
	const struct mask *mask = mean->mask;
	const struct grid *grid = &mask->grid;
	for (int k = (int)first; k < (int)last; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			const float *coverage =
			    mask->coverage +
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				if (!(coverage[i] > 0))
					continue;
				float value = resample_packed_at(mean->local->packed,
								 &mean->local->way, i, j, k)[0];
				if (isnan(value))
					continue;
				mean->sum[k] += (double)coverage[i] * (double)value;
				mean->weight[k] += (double)coverage[i];
			}
		}
	}
}

/* NaN when nothing is measured. */
static enum status_code masked_mean(double *mean_per_s, const struct local_baseline *local,
				    const struct mask *mask, int threads, struct status *st)
{
	const int slices = mask->grid.slices;
	double sum = 0, weight = 0;
	struct region_mean mean = {local, mask, calloc(2 * (size_t)slices, sizeof *mean.sum), NULL};
	if (!mean.sum)
		return status_fail(st, STATUS_RETRY, "no memory for a mean over %d slices", slices);
	mean.weight = mean.sum + slices;
	parallel_for((size_t)slices, 1, threads, add_slices, &mean);
	for (int k = 0; k < slices; k++) {
		sum += mean.sum[k];
		weight += mean.weight[k];
	}
	*mean_per_s = weight > 0 ? sum / weight : (double)NAN;
	free(mean.sum);
	return STATUS_OK;
}

/* The mean over healthy liver is found for every method, and takes the voxels' place for one. */
static enum status_code find_region_mean(struct local_baseline *local, double *mean_per_s,
					 const struct dosimetry_regions *regions,
					 const struct dosimetry_params *params, struct status *st)
{
	*mean_per_s = NAN;
	if (regions->healthy.coverage &&
	    masked_mean(mean_per_s, local, &regions->healthy, params->threads, st) != STATUS_OK)
		return st->code;
	if (params->baseline != BASELINE_REGION_MEAN)
		return STATUS_OK;
	if (isnan(*mean_per_s))
		return status_fail(st, STATUS_REFUSE,
				   "the region-mean baseline needs a liver VOI with measured "
				   "voxels outside the tumours");
	local->region_mean_per_s = (float)*mean_per_s;
	return STATUS_OK;
}

/* Room for a scan, unset; that of the scan before where it fits. */
static enum status_code make_room(struct dosimetry_delta *delta, const struct grid *grid,
				  struct status *st)
{
	size_t voxels = grid_voxels(grid);
	if (!delta->marks || grid_voxels(&delta->delta_r2star_per_s.grid) != voxels) {
		dosimetry_delta_free(delta);
		delta->delta_r2star_per_s.samples = malloc(voxels * sizeof(float));
		delta->stderr_per_s.samples = malloc(voxels * sizeof(float));
		delta->state = malloc(voxels);
		delta->marks = malloc(voxels);
	}
	delta->delta_r2star_per_s.grid = delta->stderr_per_s.grid = *grid;
	if (!delta->delta_r2star_per_s.samples || !delta->stderr_per_s.samples || !delta->state ||
	    !delta->marks)
		return status_fail(st, STATUS_RETRY, "no memory for dR2* of %zu voxels", voxels);
	return STATUS_OK;
}

enum status_code dosimetry_subtract(struct dosimetry_delta *delta,
				    const struct dosimetry_scan *scan,
				    const struct dosimetry_baseline_map *baseline,
				    const struct dosimetry_regions *regions,
				    const struct dosimetry_input *input,
				    const struct dosimetry_params *params, struct status *st)
{
	const struct grid *grid = &scan->map->r2star_per_s.grid;
	struct local_baseline local = {
	    .packed = &baseline->packed, .after = scan->map, .region_mean_per_s = NAN};
	struct subtraction subtraction = {.delta = delta, .local = &local};
	struct resample_packed warped = {.samples = NULL};
	struct grid moved;

	dosimetry_move_to_baseline(&moved, scan, input);
	if (scan->deformation) {
		if (dosimetry_warp_check(scan, input, st) != STATUS_OK ||
		    dosimetry_warp_baseline(&warped, baseline, scan, params->threads, st) !=
			STATUS_OK)
			return st->code;
		local.packed = &warped;
		moved = *grid;
	}
	resample_packed_find_way(&local.way, &moved, local.packed);
	if (make_room(delta, grid, st) != STATUS_OK ||
	    dosimetry_carry_marks(delta->marks, baseline, scan, input, params->threads, st) !=
		STATUS_OK ||
	    find_region_mean(&local, &delta->region_baseline_r2star_per_s, regions, params, st) !=
		STATUS_OK ||
	    find_s0_scale(&delta->s0_scale, &local, params->threads, st) != STATUS_OK)
		goto out;
	delta->flags = compare_protocol(&input->baseline, scan);
	subtraction.gone_below = S0_GONE * (float)delta->s0_scale;
	parallel_for((size_t)grid->rows * (size_t)grid->slices, ROWS_PER_PIECE, params->threads,
		     subtract_rows, &subtraction);
	if (subtract_few_echo_voxels(delta, &local, st) == STATUS_OK)
		(void)!dosimetry_find_moved_void(delta, scan, baseline, &regions->liver, st);
out:
	resample_packed_free(&warped);
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
