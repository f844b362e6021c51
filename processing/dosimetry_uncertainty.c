/* dosimetry_uncertainty.c - the uncertainty of every mean dose, and of the recovery.
 *
 * With f_j the factor from dR2* to dose of the interval before scan j, the dose after scan k is
 *
 *   D = f_k R_k + sum over j < k of (f_j - f_(j+1)) R_j - f_1 B
 *
 * R_j being the scans' R2* and B the baseline's: the scan itself, what another specific activity
 * left of the scans before it, and the baseline once. Their noise is independent. (A voxel without
 * a value in one of the scans has another sum; that is a second-order matter here.)
 *
 * Where a deformation joins scan and baseline the weights are carried by the rigid transforms all
 * the same: they are for noise alone, which is much alike some millimetres away.
 *
 * A shift of scan k against the baseline moves R_k alone: the map that moves is D + f_k B. A shift
 * of the baseline against the anatomy moves all of it: D. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"

#define GRID_TOLERANCE_MM 1e-3

/* A region whose mean dose has an uncertainty. */
struct piece {
	int number; /* VOIs, then the healthy livers, then the liver with its tumours */
	const struct mask *mask;
	double mean_gy;
	struct uncertainty *found;
};

struct job {
	struct dosimetry_time_point *point;
	struct dosimetry_running *running;
	int scan;
	const struct dosimetry_plan *plan;
	const struct dosimetry_delta *delta;
	const struct dosimetry_baseline_map *baseline;
	const struct dosimetry_input *input;
	const struct dosimetry_params *params;
	struct grid result_in_scan, scan_in_baseline;
	bool on_scan_grid, on_baseline_grid; /* nothing was interpolated */
	struct uncertainty liver;	     /* of the liver with its tumours, for the recovery */
	double liver_mean_gy;
	bool liver_is_voi; /* the tumours add nothing to it: it is that of the VOI */
	struct piece pieces[DOSIMETRY_NOISE_PIECES]; /* those with a mean, the largest first */
	const struct mask *masks[DOSIMETRY_NOISE_PIECES];
	int n_pieces;
	double baseline_variance[DOSIMETRY_NOISE_PIECES]; /* per piece, (1/s)^2 */
	double to_baseline_gy[DOSIMETRY_NOISE_PIECES], to_result_gy[DOSIMETRY_NOISE_PIECES];
};

/* ---- the pieces ---- */

static const struct uncertainty UNKNOWN = {
    .random_gy = NAN,
    .registration_gy = NAN,
    .relaxivity_gy = NAN,
    .specific_activity_gy = NAN,
    .combined_gy = NAN,
};

static double measured_mean(const struct volume *dose_gy, const struct mask *mask)
{
	const struct grid *grid = &mask->grid;
	double sum = 0, weight = 0;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns;
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				double coverage = (double)mask->coverage[row + (size_t)i];
				double gy = (double)dose_gy->samples[row + (size_t)i];
				if (coverage > 0 && !isnan(gy)) {
					sum += coverage * gy;
					weight += coverage;
				}
			}
		}
	}
	return weight > 0 ? sum / weight : (double)NAN;
}

static void add_piece(struct job *job, int number, const struct mask *mask, double mean_gy,
		      struct uncertainty *found)
{
	*found = UNKNOWN;
	job->running->scan_variance[job->scan][number] = NAN;
	if (!isnan(mean_gy))
		job->pieces[job->n_pieces++] = (struct piece){number, mask, mean_gy, found};
}

static int larger_first(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	size_t x_voxels = mask_box_voxels(x->mask), y_voxels = mask_box_voxels(y->mask);
	if (x_voxels != y_voxels)
		return x_voxels > y_voxels ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static bool same_coverage(const struct mask *a, const struct mask *b)
{
	const struct grid *grid = &a->grid;
	const size_t columns = (size_t)(a->last[0] - a->first[0] + 1);
	if (memcmp(a->first, b->first, sizeof a->first) != 0 ||
	    memcmp(a->last, b->last, sizeof a->last) != 0)
		return false;
	for (int k = a->first[2]; k <= a->last[2]; k++) {
		for (int j = a->first[1]; j <= a->last[1]; j++) {
			size_t row =
			    ((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns +
			    (size_t)a->first[0];
			if (memcmp(a->coverage + row, b->coverage + row, columns * sizeof(float)) !=
			    0)
				return false;
		}
	}
	return true;
}

/* The liver with its tumours; seldom more than the liver, and then not looked at twice. */
static void add_liver(struct job *job, int number)
{
	const struct mask *liver = &job->plan->liver_with_tumours;
	const int voi = job->plan->liver;
	job->liver_mean_gy = NAN;
	job->liver_is_voi = voi >= 0 && !isnan(job->point->voi[voi].dose.mean) &&
			    same_coverage(liver, job->input->vois[voi].mask);
	if (job->liver_is_voi)
		job->liver_mean_gy = job->point->voi[voi].dose.mean;
	else if (liver->coverage)
		job->liver_mean_gy = measured_mean(&job->point->dose_gy, liver);
	add_piece(job, number, liver, job->liver_is_voi ? (double)NAN : job->liver_mean_gy,
		  &job->liver);
}

static void find_pieces(struct job *job)
{
	int n_vois = job->input->n_vois, n_healthy = job->plan->n_healthy;
	for (int i = 0; i < n_vois; i++) {
		struct dosimetry_voi_result *voi = &job->point->voi[i];
		add_piece(job, i, job->input->vois[i].mask, voi->dose.mean, &voi->uncertainty);
	}
	for (int h = 0; h < n_healthy; h++) {
		struct dosimetry_voi_result *figures = &job->point->healthy[h].figures;
		add_piece(job, n_vois + h, &job->plan->healthy[h], figures->dose.mean,
			  &figures->uncertainty);
	}
	add_liver(job, n_vois + n_healthy);
	qsort(job->pieces, (size_t)job->n_pieces, sizeof *job->pieces, larger_first);
	for (int i = 0; i < job->n_pieces; i++)
		job->masks[i] = job->pieces[i].mask;
}

/* ---- random ---- */

/* Variances of the mean R2* over some pieces, (1/s)^2: of the scan and of the baseline. The scan's
 * are those of its own fits; a voxel with few echoes has that of its first one and of the
 * baseline's S0 together already. */
static enum status_code find_some_variances(struct job *job, int first, int count,
					    struct status *st)
{
	const struct uncertainty_errors of_scan = {
	    .standard_error = &job->delta->stderr_per_s,
	    .instead = &job->input->scans[job->scan].map->stderr_per_s,
	    .where = job->delta->state,
	    .is = R2STAR_FITTED,
	};
	const struct uncertainty_errors of_baseline = {.standard_error =
							   &job->baseline->stderr_per_s};
	struct uncertainty_weights made = {.weight = NULL}, carried = {.weight = NULL};
	const int threads = job->params->threads;
	const struct volume *dose_gy = &job->point->dose_gy;
	double variance[UNCERTAINTY_LANES];
	if (job->on_scan_grid
		? uncertainty_weights_of_masks(&made, job->masks + first, count, dose_gy, st) !=
		      STATUS_OK
		: uncertainty_weights_carry_masks(&made, &job->delta->delta_r2star_per_s,
						  job->masks + first, count, dose_gy,
						  &job->result_in_scan, threads, st) != STATUS_OK)
		goto out;
	if (uncertainty_variances(variance, &made, &of_scan, threads, st) != STATUS_OK)
		goto out;
	for (int i = 0; i < count; i++)
		job->running->scan_variance[job->scan][job->pieces[first + i].number] = variance[i];
	/* the mean over a whole liver has no noise to speak of */
	if (job->params->baseline != BASELINE_VOXELWISE)
		goto out;
	if (!job->on_baseline_grid) {
		if (uncertainty_weights_carry(&carried, &job->baseline->r2star_per_s, &made,
					      &job->scan_in_baseline, threads, st) != STATUS_OK)
			goto out;
		uncertainty_weights_free(&made);
		made = carried;
		carried.weight = NULL;
	}
	if (uncertainty_variances(variance, &made, &of_baseline, threads, st) == STATUS_OK) {
		for (int i = 0; i < count; i++)
			job->baseline_variance[first + i] = variance[i];
	}
out:
	uncertainty_weights_free(&made);
	uncertainty_weights_free(&carried);
	return st->code;
}

static double combine_scans(const struct job *job, int piece, double baseline_variance)
{
	const double *factor = job->running->gy_per_delta;
	double variance = factor[0] * factor[0] * baseline_variance;
	for (int j = 0; j <= job->scan; j++) {
		double count = j < job->scan ? factor[j] - factor[j + 1] : factor[j];
		double of_scan = job->running->scan_variance[j][piece];
		variance += isnan(of_scan) && j < job->scan ? 0 : count * count * of_scan;
	}
	return sqrt(variance);
}

/* ---- registration ---- */

/* The baseline on the result grid, as far as shifts of the scan reach from the VOIs. */
static enum status_code carry_baseline(struct volume *carried, struct uncertainty_shifted *shifted,
				       const struct job *job, double residual_mm, struct status *st)
{
	struct grid moved;
	int first[3], last[3];
	uncertainty_reach(first, last, job->masks, job->n_pieces, residual_mm);
	dosimetry_move_grid(&moved, job->input->result_grid, &job->input->baseline);
	for (int a = 0; a < 3; a++) {
		moved.origin_mm[a] += first[0] * moved.column_step_mm[a] +
				      first[1] * moved.row_step_mm[a] +
				      first[2] * moved.slice_step_mm[a];
		shifted->first[a] = first[a];
	}
	moved.columns = last[0] - first[0] + 1;
	moved.rows = last[1] - first[1] + 1;
	moved.slices = last[2] - first[2] + 1;
	shifted->map = carried;
	shifted->scale = job->running->gy_per_delta[job->scan];
	return resample_trilinear(carried, &moved, &job->baseline->r2star_per_s, NULL,
				  job->params->threads, st);
}

static enum status_code find_changes(struct job *job, struct status *st)
{
	const double residual_mm = job->input->scans[job->scan].residual_mm;
	const int threads = job->params->threads;
	struct volume carried = VOLUME_INIT;
	struct uncertainty_shifted shifted;
	bool both = residual_mm > 0 && job->params->baseline == BASELINE_VOXELWISE;
	if ((both && carry_baseline(&carried, &shifted, job, residual_mm, st) != STATUS_OK) ||
	    uncertainty_registrations(job->to_baseline_gy, &job->point->dose_gy,
				      both ? &shifted : NULL, job->masks, job->n_pieces,
				      residual_mm, threads, st) != STATUS_OK)
		goto out;
	(void)!uncertainty_registrations(job->to_result_gy, &job->point->dose_gy, NULL, job->masks,
					 job->n_pieces, job->input->baseline.residual_mm, threads,
					 st);
out:
	volume_free(&carried);
	return st->code;
}

/* ---- all of them ---- */

/* Found / injected. The share of the specific activity is taken as independent of the injected
 * activity's: one calibrator that measured both would make it smaller. */
static double recovery_uncertainty(const struct job *job)
{
	double injected = job->params->uncertainty.injected_activity_percent / 100;
	double found = job->liver.combined_gy / fabs(job->liver_mean_gy);
	if (!job->liver.complete)
		return NAN;
	return fabs(job->point->recovery_ratio) * hypot(found, injected);
}

static enum status_code fill_all(struct job *job, struct status *st)
{
	find_pieces(job);
	if (job->n_pieces == 0)
		return STATUS_OK;
	for (int i = 0; i < job->n_pieces; i += UNCERTAINTY_LANES) {
		int left = job->n_pieces - i;
		if (find_some_variances(job, i, left < UNCERTAINTY_LANES ? left : UNCERTAINTY_LANES,
					st) != STATUS_OK)
			return st->code;
	}
	if (find_changes(job, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < job->n_pieces; i++) {
		const struct piece *piece = &job->pieces[i];
		piece->found->random_gy =
		    combine_scans(job, piece->number, job->baseline_variance[i]);
		piece->found->registration_gy = hypot(job->to_baseline_gy[i], job->to_result_gy[i]);
		uncertainty_combine(piece->found, piece->mean_gy, &job->params->uncertainty);
	}
	if (job->liver_is_voi) {
		double *of_scan = job->running->scan_variance[job->scan];
		of_scan[job->input->n_vois + job->plan->n_healthy] = of_scan[job->plan->liver];
		job->liver = job->point->voi[job->plan->liver].uncertainty;
	}
	return STATUS_OK;
}

enum status_code dosimetry_uncertainties(struct dosimetry_time_point *point,
					 struct dosimetry_running *running, int scan,
					 const struct dosimetry_plan *plan,
					 const struct dosimetry_delta *delta,
					 const struct dosimetry_baseline_map *baseline,
					 const struct dosimetry_input *input,
					 const struct dosimetry_params *params, struct status *st)
{
	point->recovery_uncertainty = NAN;
	if (input->n_vois == 0)
		return STATUS_OK;
	struct job *job = calloc(1, sizeof *job);
	if (!job)
		return status_fail(st, STATUS_RETRY, "no memory for the uncertainty of %d VOIs",
				   input->n_vois);
	job->point = point;
	job->running = running;
	job->scan = scan;
	job->plan = plan;
	job->delta = delta;
	job->baseline = baseline;
	job->input = input;
	job->params = params;
	dosimetry_move_grid(&job->result_in_scan, input->result_grid, &input->scans[scan]);
	dosimetry_move_to_baseline(&job->scan_in_baseline, &input->scans[scan], input);
	job->on_scan_grid =
	    grid_same(&job->result_in_scan, &delta->delta_r2star_per_s.grid, GRID_TOLERANCE_MM);
	job->on_baseline_grid =
	    grid_same(&job->scan_in_baseline, &baseline->r2star_per_s.grid, GRID_TOLERANCE_MM);
	if (fill_all(job, st) == STATUS_OK)
		point->recovery_uncertainty = recovery_uncertainty(job);
	free(job);
	return st->code;
}
