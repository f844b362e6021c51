/* dosimetry_voi.c - on the result grid: the figures of each VOI at one time point. */
#include "dosimetry_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dose.h"
#include "parallel.h"

static size_t row_start(const struct grid *grid, int row, int slice)
{
	return ((size_t)slice * (size_t)grid->rows + (size_t)row) * (size_t)grid->columns;
}

/* ---- figures ---- */

struct figures {
	struct dosimetry_time_point *point;
	const struct dosimetry_plan *plan;
	const struct dosimetry_input *input;
	const struct dosimetry_params *params;
	const struct dosimetry_delta *delta;
	double matrix[3][3], offset[3]; /* result voxel -> scan voxel */
	bool states_matter;		/* some voxel is saturated or S0-known */
	struct status status[2 * DOSIMETRY_MAX_VOIS];
};

/* State of the scan's voxel nearest to a result voxel. */
static uint8_t nearest_state(const struct figures *f, int column, int row, int slice)
{
	const struct grid *grid = &f->delta->delta_r2star_per_s.grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	int at[3];
	for (int axis = 0; axis < 3; axis++) {
		double place = f->matrix[axis][0] * column + f->matrix[axis][1] * row +
			       f->matrix[axis][2] * slice + f->offset[axis];
		if (!(place >= -0.5 && place < size[axis] - 0.5))
			return R2STAR_NOT_MEASURED;
		at[axis] = (int)floor(place + 0.5);
	}
	return f->delta->state[row_start(grid, at[1], at[2]) + (size_t)at[0]];
}

/* Volumes of the mask by state, and below the dose asked for. */
static void add_volumes(struct dosimetry_voi_result *result, const struct figures *f,
			const struct mask *mask, bool underdosed_asked)
{
	double voxel_ml = grid_voxel_volume_ml(&mask->grid);
	int levels = f->params->underdose_levels;
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			size_t row = row_start(&mask->grid, j, k);
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				double ml = (double)mask->coverage[row + (size_t)i] * voxel_ml;
				double dose_gy = (double)f->point->dose_gy.samples[row + (size_t)i];
				if (!(ml > 0) || isnan(dose_gy))
					continue;
				for (int level = 0; underdosed_asked && level < levels; level++) {
					if (dose_gy < f->params->underdosed_below_gy[level])
						result->underdosed_volume_ml[level] += ml;
				}
				if (!f->states_matter)
					continue;
				uint8_t state = nearest_state(f, i, j, k);
				if (state == R2STAR_SATURATED)
					result->saturated_volume_ml += ml;
				else if (state == R2STAR_S0_KNOWN)
					result->s0_known_volume_ml += ml;
			}
		}
	}
}

static void fill_figures(struct dosimetry_voi_result *result, const struct figures *f,
			 const struct mask *mask, bool tumour, struct status *st)
{
	bool underdosed_asked = tumour && f->params->underdose_levels > 0;
	*result = (struct dosimetry_voi_result){
	    .tumour_to_normal = NAN,
	    .healthy_voi = -1,
	};
	for (int level = 0; level < DOSIMETRY_UNDERDOSE_LEVELS; level++) {
		bool asked = underdosed_asked && level < f->params->underdose_levels;
		result->underdosed_volume_ml[level] = asked ? 0 : NAN;
		result->underdosed_piece_ml[level] = NAN;
	}
	if (voi_stats_compute(&result->dose, &f->point->dose_gy, mask, f->params->dose_level_gy,
			      f->params->dose_levels, st) != STATUS_OK)
		return;
	double gy_per_mbq_per_ml = dose_gy_per_mbq_per_ml(f->params->dose_constant_mj_per_mbq,
							  f->params->density_g_per_ml);
	result->mass_g = result->dose.volume_ml * f->params->density_g_per_ml;
	result->activity_mbq =
	    result->dose.mean / gy_per_mbq_per_ml * result->dose.measured_volume_ml;
	result->not_measured_volume_ml = result->dose.not_measured_volume_ml;
	add_volumes(result, f, mask, underdosed_asked);
}

/* Pieces 0 .. n_vois - 1 are the VOIs, then the healthy livers. */
static void fill_some_figures(void *user, size_t first, size_t last)
{
	struct figures *f = user;
	size_t n_vois = (size_t)f->input->n_vois;
	for (size_t i = first; i < last; i++) {
		if (i < n_vois)
			fill_figures(&f->point->voi[i], f, f->input->vois[i].mask,
				     f->input->vois[i].role == VOI_TUMOUR, &f->status[i]);
		else
			fill_figures(&f->point->healthy[i - n_vois].figures, f,
				     &f->plan->healthy[i - n_vois], false, &f->status[i]);
	}
}

static void divide_by_healthy(struct dosimetry_time_point *point, const struct dosimetry_plan *plan,
			      const struct dosimetry_input *input)
{
	for (int i = 0; i < input->n_vois; i++) {
		int healthy = plan->healthy_of[i];
		if (healthy < 0)
			continue;
		double normal_gy = point->healthy[healthy].figures.dose.mean;
		point->voi[i].healthy_voi = healthy;
		if (normal_gy > 0)
			point->voi[i].tumour_to_normal = point->voi[i].dose.mean / normal_gy;
	}
}

/* The highest dose outside the liver with its tumours, against the highest inside. */
static void look_outside(const struct figures *f)
{
	const struct mask *inside = &f->plan->liver_with_tumours;
	const struct grid *grid = &f->point->dose_gy.grid;
	const float *dose_gy = f->point->dose_gy.samples;
	size_t voxels = grid_voxels(grid), hotter = 0;
	float most_inside = -INFINITY, most_outside = -INFINITY;

	f->point->outside_maximum_gy = f->point->outside_hot_ml = NAN;
	for (size_t v = 0; inside->coverage && v < voxels; v++) {
		if (inside->coverage[v] > 0)
			most_inside = dose_gy[v] > most_inside ? dose_gy[v] : most_inside;
		else
			most_outside = dose_gy[v] > most_outside ? dose_gy[v] : most_outside;
	}
	if (!isfinite(most_inside) || !isfinite(most_outside))
		return;
	f->point->outside_maximum_gy = (double)most_outside;
	for (size_t v = 0; most_outside > most_inside && v < voxels; v++) {
		if (inside->coverage[v] > 0 || !(dose_gy[v] > most_inside))
			continue;
		hotter++;
		int column = (int)(v % (size_t)grid->columns);
		int row = (int)(v / (size_t)grid->columns % (size_t)grid->rows);
		int slice = (int)(v / (size_t)grid->columns / (size_t)grid->rows);
		uint8_t state = nearest_state(f, column, row, slice);
		if (state == R2STAR_SATURATED || state == R2STAR_S0_KNOWN)
			f->point->flags |= DOSIMETRY_HOT_OUTSIDE;
	}
	f->point->outside_hot_ml = (double)hotter * grid_voxel_volume_ml(grid);
}

enum status_code dosimetry_figures(struct dosimetry_time_point *point,
				   const struct dosimetry_plan *plan,
				   const struct dosimetry_scan *scan,
				   const struct dosimetry_delta *delta,
				   const struct dosimetry_input *input,
				   const struct dosimetry_params *params, struct status *st)
{
	struct figures *f = calloc(1, sizeof *f);
	if (!f)
		return status_fail(st, STATUS_RETRY, "no memory for the figures of %d VOIs",
				   input->n_vois);
	f->point = point;
	f->plan = plan;
	f->input = input;
	f->params = params;
	f->delta = delta;
	struct grid moved;
	dosimetry_move_grid(&moved, input->result_grid, scan);
	grid_map(&moved, &delta->delta_r2star_per_s.grid, f->matrix, f->offset);
	size_t voxels = grid_voxels(&delta->delta_r2star_per_s.grid);
	f->states_matter = memchr(delta->state, R2STAR_SATURATED, voxels) ||
			   memchr(delta->state, R2STAR_S0_KNOWN, voxels);

	point->n_healthy = plan->n_healthy;
	for (int h = 0; h < plan->n_healthy; h++)
		point->healthy[h].part_voi = plan->healthy_part[h];
	size_t pieces = (size_t)(input->n_vois + plan->n_healthy);
	parallel_for(pieces, 1, params->threads, fill_some_figures, f);
	for (size_t i = 0; i < pieces; i++) {
		if (f->status[i].code != STATUS_OK)
			(void)status_fail(st, f->status[i].code, "%s", f->status[i].text);
	}
	if (st->code == STATUS_OK)
		divide_by_healthy(point, plan, input);
	look_outside(f);
	free(f);
	return st->code;
}
