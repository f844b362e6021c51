/* dosimetry_kernel.c - beside local deposition: the dose by the beta kernel, and its figures. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>

#include "parallel.h"

/* What is said of a dose that was not asked for, or cannot be believed. */
static void forget(struct voi_stats *stats)
{
	*stats = (struct voi_stats){.mean = NAN,
				    .minimum = NAN,
				    .maximum = NAN,
				    .standard_deviation = NAN,
				    .d98 = NAN,
				    .d90 = NAN,
				    .d70 = NAN,
				    .d50 = NAN,
				    .d2 = NAN,
				    .volume_ml = NAN,
				    .measured_volume_ml = NAN,
				    .not_measured_volume_ml = NAN};
}

struct kernel_figures {
	struct dosimetry_time_point *point;
	const struct dosimetry_plan *plan;
	const struct dosimetry_input *input;
	const struct dosimetry_params *params;
	struct status status[2 * DOSIMETRY_MAX_VOIS];
};

/* Pieces 0 .. n_vois - 1 are the VOIs, then the healthy livers. */
static void fill_some(void *user, size_t first, size_t last)
{
	struct kernel_figures *f = user;
	size_t n_vois = (size_t)f->input->n_vois;
	for (size_t i = first; i < last; i++) {
		struct dosimetry_voi_result *voi =
		    i < n_vois ? &f->point->voi[i] : &f->point->healthy[i - n_vois].figures;
		const struct mask *mask =
		    i < n_vois ? f->input->vois[i].mask : &f->plan->healthy[i - n_vois];
		forget(&voi->kernel_dose);
		if (f->params->kernel && voi->measurable != VOI_NOT_MEASURABLE)
			(void)!voi_stats_compute(&voi->kernel_dose, &f->point->kernel_dose_gy, mask,
						 f->params->dose_level_gy, f->params->dose_levels,
						 &f->status[i]);
	}
}

static enum status_code convolve(struct dosimetry_time_point *point, struct kernel *kernel,
				 const struct dosimetry_params *params, struct status *st)
{
	const struct grid *grid = &point->dose_gy.grid;
	const double spacing_mm[3] = {grid_spacing_mm(grid, 0), grid_spacing_mm(grid, 1),
				      grid_spacing_mm(grid, 2)};
	if (!kernel->share &&
	    kernel_build(kernel, spacing_mm, params->density_g_per_ml, st) != STATUS_OK)
		return st->code;
	return kernel_convolve(&point->kernel_dose_gy, &point->kernel_lost_share, &point->dose_gy,
			       kernel, params->threads, st);
}

enum status_code dosimetry_kernel_dose(struct dosimetry_time_point *point, struct kernel *kernel,
				       const struct dosimetry_plan *plan,
				       const struct dosimetry_input *input,
				       const struct dosimetry_params *params, struct status *st)
{
	struct kernel_figures *f = calloc(1, sizeof *f);
	size_t pieces = (size_t)(input->n_vois + plan->n_healthy);
	if (!f)
		return status_fail(st, STATUS_RETRY, "no memory for the figures of %d VOIs",
				   input->n_vois);
	f->point = point;
	f->plan = plan;
	f->input = input;
	f->params = params;
	point->kernel_lost_share = NAN;
	if (params->kernel && convolve(point, kernel, params, st) != STATUS_OK)
		goto out;
	parallel_for(pieces, 1, params->threads, fill_some, f);
	for (size_t i = 0; i < pieces; i++) {
		if (f->status[i].code != STATUS_OK)
			(void)status_fail(st, f->status[i].code, "%s", f->status[i].text);
	}
out:
	free(f);
	return st->code;
}
