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
 * A shift of scan k against the baseline moves R_k alone: the map that moves is D + f_k B. A shift
 * of the baseline against the anatomy moves all of it: D. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>

#include "parallel.h"
#include "resample.h"

#define GRID_TOLERANCE_MM 1e-3

struct job {
	struct dosimetry_time_point *point;
	struct dosimetry_noise *noise;
	int scan;
	const struct dosimetry_plan *plan;
	const struct dosimetry_delta *delta;
	const struct dosimetry_baseline_map *baseline;
	const struct dosimetry_input *input;
	const struct dosimetry_params *params;
	struct volume scan_stderr_per_s; /* of the scan alone, its grid; owned */
	struct grid result_in_scan, scan_in_baseline;
	bool on_scan_grid, on_baseline_grid; /* nothing was interpolated */
	struct uncertainty liver;	     /* of the liver with its tumours, for the recovery */
	double liver_mean_gy;
	struct status status[DOSIMETRY_NOISE_PIECES];
};

/* ---- random ---- */

/* Standard errors of the scan's own fits. A voxel with few echoes has that of its first one and of
 * the baseline's S0 together already. */
static enum status_code find_scan_stderr(struct job *job, struct status *st)
{
	const struct r2star_map *map = job->input->scans[job->scan].map;
	const struct volume *both = &job->delta->stderr_per_s;
	size_t voxels = grid_voxels(&both->grid);
	if (volume_new(&job->scan_stderr_per_s, &both->grid, NAN, st) != STATUS_OK)
		return st->code;
	for (size_t v = 0; v < voxels; v++) {
		if (isnan(both->samples[v]))
			continue;
		job->scan_stderr_per_s.samples[v] = job->delta->state[v] == R2STAR_FITTED
							? map->stderr_per_s.samples[v]
							: both->samples[v];
	}
	return STATUS_OK;
}

/* Variances of the mean R2* over a VOI, (1/s)^2: of the scan and of the baseline. */
static enum status_code find_variances(double *scan_variance, double *baseline_variance,
				       const struct job *job, const struct mask *mask,
				       struct status *st)
{
	struct uncertainty_weights on_result = {.weight = NULL}, on_scan = {.weight = NULL},
				   on_baseline = {.weight = NULL};
	const struct uncertainty_weights *weights = &on_result;
	bool voxelwise = job->params->baseline == BASELINE_VOXELWISE;
	if (uncertainty_weights_of_mask(&on_result, mask, &job->point->dose_gy, st) != STATUS_OK)
		goto out;
	if (!job->on_scan_grid) {
		if (uncertainty_weights_carry(&on_scan, &job->delta->delta_r2star_per_s, weights,
					      &job->result_in_scan, st) != STATUS_OK)
			goto out;
		weights = &on_scan;
	}
	*scan_variance = uncertainty_variance(weights, &job->scan_stderr_per_s);
	if (voxelwise && !job->on_baseline_grid) {
		if (uncertainty_weights_carry(&on_baseline, &job->baseline->r2star_per_s, weights,
					      &job->scan_in_baseline, st) != STATUS_OK)
			goto out;
		weights = &on_baseline;
	}
	/* the mean over a whole liver has no noise to speak of */
	*baseline_variance =
	    voxelwise ? uncertainty_variance(weights, &job->baseline->stderr_per_s) : 0;
out:
	uncertainty_weights_free(&on_result);
	uncertainty_weights_free(&on_scan);
	uncertainty_weights_free(&on_baseline);
	return st->code;
}

static double combine_scans(const struct job *job, int piece, double baseline_variance)
{
	const double *factor = job->noise->gy_per_delta;
	double variance = factor[0] * factor[0] * baseline_variance;
	for (int j = 0; j <= job->scan; j++) {
		double count = j < job->scan ? factor[j] - factor[j + 1] : factor[j];
		double of_scan = job->noise->scan_variance[j][piece];
		variance += isnan(of_scan) && j < job->scan ? 0 : count * count * of_scan;
	}
	return sqrt(variance);
}

/* ---- one VOI ---- */

static enum status_code find_uncertainty(struct uncertainty *found, struct job *job, int piece,
					 const struct mask *mask, double mean_gy, struct status *st)
{
	const struct dosimetry_scan *scan = &job->input->scans[job->scan];
	const struct volume *baseline = &job->noise->baseline_on_result;
	bool voxelwise = job->params->baseline == BASELINE_VOXELWISE;
	double baseline_variance = NAN, to_baseline_gy, to_result_gy;
	if (find_variances(&job->noise->scan_variance[job->scan][piece], &baseline_variance, job,
			   mask, st) != STATUS_OK ||
	    uncertainty_registration(&to_baseline_gy, &job->point->dose_gy,
				     voxelwise && baseline->samples ? baseline : NULL,
				     job->noise->gy_per_delta[job->scan], mask, scan->residual_mm,
				     st) != STATUS_OK ||
	    uncertainty_registration(&to_result_gy, &job->point->dose_gy, NULL, 0, mask,
				     job->input->baseline.residual_mm, st) != STATUS_OK)
		return st->code;
	found->random_gy = combine_scans(job, piece, baseline_variance);
	found->registration_gy = hypot(to_baseline_gy, to_result_gy);
	uncertainty_combine(found, mean_gy, &job->params->uncertainty);
	return STATUS_OK;
}

static const struct uncertainty UNKNOWN = {
    .random_gy = NAN,
    .registration_gy = NAN,
    .relaxivity_gy = NAN,
    .specific_activity_gy = NAN,
    .combined_gy = NAN,
};

static double measured_mean(const struct volume *dose_gy, const struct mask *mask)
{
	double sum = 0, weight = 0;
	size_t voxels = grid_voxels(&mask->grid);
	for (size_t v = 0; v < voxels; v++) {
		double coverage = (double)mask->coverage[v], gy = (double)dose_gy->samples[v];
		if (coverage > 0 && !isnan(gy)) {
			sum += coverage * gy;
			weight += coverage;
		}
	}
	if (!(weight > 0))
		return NAN;
	return sum / weight;
}

/* Pieces 0 .. n_vois - 1 are the VOIs, then the healthy livers, then the liver with its tumours. */
static void fill_some(void *user, size_t first, size_t last)
{
	struct job *job = user;
	int n_vois = job->input->n_vois, n_healthy = job->plan->n_healthy;
	for (int piece = (int)first; piece < (int)last; piece++) {
		if (piece == n_vois + n_healthy) {
			const struct mask *mask = &job->plan->liver_with_tumours;
			job->liver_mean_gy = mask->coverage
						 ? measured_mean(&job->point->dose_gy, mask)
						 : (double)NAN;
			job->liver = UNKNOWN;
			job->noise->scan_variance[job->scan][piece] = NAN;
			if (!isnan(job->liver_mean_gy))
				(void)!find_uncertainty(&job->liver, job, piece, mask,
							job->liver_mean_gy, &job->status[piece]);
			continue;
		}
		struct dosimetry_voi_result *voi =
		    piece < n_vois ? &job->point->voi[piece]
				   : &job->point->healthy[piece - n_vois].figures;
		const struct mask *mask = piece < n_vois ? job->input->vois[piece].mask
							 : &job->plan->healthy[piece - n_vois];
		voi->uncertainty = UNKNOWN;
		job->noise->scan_variance[job->scan][piece] = NAN;
		if (!isnan(voi->dose.mean))
			(void)!find_uncertainty(&voi->uncertainty, job, piece, mask, voi->dose.mean,
						&job->status[piece]);
	}
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

static enum status_code carry_baseline(struct dosimetry_noise *noise, const struct job *job,
				       struct status *st)
{
	const struct dosimetry_scan *scan = &job->input->scans[job->scan];
	struct grid moved;
	if (noise->baseline_on_result.samples || !(scan->residual_mm > 0) ||
	    job->params->baseline != BASELINE_VOXELWISE)
		return STATUS_OK;
	dosimetry_move_grid(&moved, job->input->result_grid, &job->input->baseline);
	if (resample_trilinear(&noise->baseline_on_result, &moved, &job->baseline->r2star_per_s,
			       NULL, job->params->threads, st) != STATUS_OK)
		return st->code;
	noise->baseline_on_result.grid = *job->input->result_grid;
	return STATUS_OK;
}

enum status_code dosimetry_uncertainties(struct dosimetry_time_point *point,
					 struct dosimetry_noise *noise, int scan,
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
	size_t pieces = (size_t)(input->n_vois + plan->n_healthy + 1);
	if (!job)
		return status_fail(st, STATUS_RETRY, "no memory for the uncertainty of %d VOIs",
				   input->n_vois);
	job->point = point;
	job->noise = noise;
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
	if (find_scan_stderr(job, st) != STATUS_OK || carry_baseline(noise, job, st) != STATUS_OK)
		goto out;
	parallel_for(pieces, 1, params->threads, fill_some, job);
	for (size_t i = 0; i < pieces; i++) {
		if (job->status[i].code != STATUS_OK)
			(void)status_fail(st, job->status[i].code, "%s", job->status[i].text);
	}
	point->recovery_uncertainty = recovery_uncertainty(job);
out:
	volume_free(&job->scan_stderr_per_s);
	free(job);
	return st->code;
}
