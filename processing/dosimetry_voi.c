/* dosimetry_voi.c - on the result grid: the figures of each VOI at one time point. */
#include "dosimetry_warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dose.h"
#include "mask_piece.h"
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
	bool warped;			/* not by these, but by: */
	struct dosimetry_warp_way way;
	double residual_mm; /* the larger of the scan's and the baseline's; NaN: neither known */
	bool doubts_matter; /* some voxel has a value with a doubt */
	/* The box of all VOIs, and enum doubt_kind of each of its voxels. VOIs overlap (the liver,
	 * its parts, their healthy rest), and the way to the scan's voxel is asked for once. */
	int first[3], last[3];
	uint8_t *doubts;
	struct piece {
		int number;
		size_t voxels;		 /* of its box */
	} order[2 * DOSIMETRY_MAX_VOIS]; /* the largest first: threads end together */
	struct status status[2 * DOSIMETRY_MAX_VOIS];
};

/* The scan's voxel nearest to a result voxel; false outside its grid. */
static bool nearest_voxel(size_t *voxel, const struct figures *f, int column, int row, int slice)
{
	const struct grid *grid = &f->delta->delta_r2star_per_s.grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	const double result_voxel[3] = {column, row, slice};
	double warped[3], unused;
	int at[3];
	if (f->warped && !dosimetry_warp_back(warped, &unused, &f->way, result_voxel, NULL))
		return false;
	for (int axis = 0; axis < 3; axis++) {
		double place = f->warped ? warped[axis]
					 : f->matrix[axis][0] * column + f->matrix[axis][1] * row +
					       f->matrix[axis][2] * slice + f->offset[axis];
		if (!(place >= -0.5 && place < size[axis] - 0.5))
			return false;
		at[axis] = (int)(place + 0.5);
	}
	*voxel = row_start(grid, at[1], at[2]) + (size_t)at[0];
	return true;
}

/* Why a voxel has no value (one of the first three), or what is doubtful about its value. Bits. */
enum doubt_kind {
	DOUBT_ARTEFACT = 1 << 0,
	DOUBT_OUTSIDE = 1 << 1,
	DOUBT_NO_SIGNAL = 1 << 2,
	DOUBT_SATURATED = 1 << 3,
	DOUBT_S0_KNOWN = 1 << 4,
	DOUBT_OSCILLATES = 1 << 5
};
enum { DOUBT_KINDS = 1 << 6 };

static uint8_t doubt_of_missing(const struct figures *f, bool inside, size_t nearest)
{
	uint8_t marks = inside ? f->delta->marks[nearest] : DOSIMETRY_MARK_OUTSIDE;
	if (marks & DOSIMETRY_MARK_ARTEFACT)
		return DOUBT_ARTEFACT;
	return marks & DOSIMETRY_MARK_OUTSIDE ? DOUBT_OUTSIDE : DOUBT_NO_SIGNAL;
}

static uint8_t doubt_of_measured(const struct figures *f, size_t nearest)
{
	uint8_t state = f->delta->state[nearest];
	return (
	    uint8_t)((state == R2STAR_SATURATED ? DOUBT_SATURATED : 0) |
		     (state == R2STAR_S0_KNOWN ? DOUBT_S0_KNOWN : 0) |
		     (f->delta->marks[nearest] & DOSIMETRY_MARK_OSCILLATES ? DOUBT_OSCILLATES : 0));
}

static uint8_t *doubt_row(const struct figures *f, int row, int slice)
{
	const size_t columns = (size_t)(f->last[0] - f->first[0] + 1);
	const size_t rows = (size_t)(f->last[1] - f->first[1] + 1);
	return f->doubts +
	       ((size_t)(slice - f->first[2]) * rows + (size_t)(row - f->first[1])) * columns;
}

static void look_at_slices(void *user, size_t first, size_t last)
{
	const struct figures *f = user;
	for (int k = f->first[2] + (int)first; k < f->first[2] + (int)last; k++) {
		for (int j = f->first[1]; j <= f->last[1]; j++) {
			const float *dose_gy =
			    f->point->dose_gy.samples + row_start(&f->point->dose_gy.grid, j, k);
			uint8_t *doubts = doubt_row(f, j, k);
			for (int i = f->first[0]; i <= f->last[0]; i++) {
				size_t nearest = 0;
				bool missing = isnan(dose_gy[i]);
				doubts[i - f->first[0]] = 0;
				if (!missing && !f->doubts_matter)
					continue;
				bool inside = nearest_voxel(&nearest, f, i, j, k);
				if (missing)
					doubts[i - f->first[0]] =
					    doubt_of_missing(f, inside, nearest);
				else if (inside)
					doubts[i - f->first[0]] = doubt_of_measured(f, nearest);
			}
		}
	}
}

/* The mask of a piece: 0 .. n_vois - 1 are the VOIs, then the healthy livers. */
static const struct mask *mask_of(const struct figures *f, size_t piece)
{
	size_t n_vois = (size_t)f->input->n_vois;
	return piece < n_vois ? f->input->vois[piece].mask : &f->plan->healthy[piece - n_vois];
}

static enum status_code look_for_doubts(struct figures *f, size_t pieces, struct status *st)
{
	size_t voxels = 1;
	bool any = false;
	for (size_t p = 0; p < pieces; p++) {
		const struct mask *mask = mask_of(f, p);
		for (int a = 0; a < 3 && mask_box_voxels(mask) > 0; a++) {
			if (!any || mask->first[a] < f->first[a])
				f->first[a] = mask->first[a];
			if (!any || mask->last[a] > f->last[a])
				f->last[a] = mask->last[a];
		}
		any = any || mask_box_voxels(mask) > 0;
	}
	if (!any)
		return STATUS_OK;
	for (int a = 0; a < 3; a++)
		voxels *= (size_t)(f->last[a] - f->first[a] + 1);
	f->doubts = malloc(voxels);
	if (!f->doubts)
		return status_fail(st, STATUS_RETRY, "no memory for the doubts of %zu voxels",
				   voxels);
	parallel_for((size_t)(f->last[2] - f->first[2] + 1), 1, f->params->threads, look_at_slices,
		     f);
	return STATUS_OK;
}

static struct dosimetry_doubt find_doubt(const struct figures *f, const struct mask *mask)
{
	struct dosimetry_doubt doubt = {0};
	double sum[DOUBT_KINDS] = {0};
	for (int k = mask->first[2]; k <= mask->last[2]; k++) {
		for (int j = mask->first[1]; j <= mask->last[1]; j++) {
			const float *coverage = mask->coverage + row_start(&mask->grid, j, k);
			const uint8_t *doubts = doubt_row(f, j, k) - f->first[0];
			for (int i = mask->first[0]; i <= mask->last[0]; i++) {
				if (doubts[i])
					sum[doubts[i]] += (double)coverage[i];
			}
		}
	}
	for (int kind = 1; kind < DOUBT_KINDS; kind++) {
		double ml = sum[kind] * grid_voxel_volume_ml(&mask->grid);
		doubt.artefact_ml += kind & DOUBT_ARTEFACT ? ml : 0;
		doubt.outside_ml += kind & DOUBT_OUTSIDE ? ml : 0;
		doubt.no_signal_ml += kind & DOUBT_NO_SIGNAL ? ml : 0;
		doubt.saturated_ml += kind & DOUBT_SATURATED ? ml : 0;
		doubt.s0_known_ml += kind & DOUBT_S0_KNOWN ? ml : 0;
		doubt.oscillating_ml += kind & DOUBT_OSCILLATES ? ml : 0;
		if (kind & (DOUBT_SATURATED | DOUBT_S0_KNOWN | DOUBT_OSCILLATES))
			doubt.doubtful_ml += ml;
	}
	return doubt;
}

/* What lies below each level, and its largest piece; the first level is kept as a mask. */
static void find_underdosed(struct dosimetry_voi_result *result, struct mask *kept,
			    const struct figures *f, const struct mask *mask, struct status *st)
{
	for (int level = 0; level < f->params->underdose_levels; level++) {
		double volume_ml, piece_ml, below_gy = f->params->underdosed_below_gy[level];
		if (mask_below_volumes(&volume_ml, &piece_ml, mask, &f->point->dose_gy, below_gy,
				       st) != STATUS_OK ||
		    (level == 0 && volume_ml > 0 &&
		     mask_below(kept, mask, &f->point->dose_gy, below_gy, st) != STATUS_OK))
			return;
		result->underdosed_volume_ml[level] = volume_ml;
		result->underdosed_piece_ml[level] = piece_ml;
	}
}

static void fill_figures(struct dosimetry_voi_result *result, const struct figures *f,
			 const struct mask *mask, struct status *st)
{
	*result = (struct dosimetry_voi_result){
	    .tumour_to_normal = NAN,
	    .healthy_voi = -1,
	};
	for (int level = 0; level < DOSIMETRY_UNDERDOSE_LEVELS; level++)
		result->underdosed_volume_ml[level] = result->underdosed_piece_ml[level] = NAN;
	for (int position = 0; position < DOSIMETRY_MAX_POSITIONS; position++)
		result->position_dose_gy[position] = NAN;
	if (voi_stats_compute(&result->dose, &f->point->dose_gy, mask, f->params->dose_level_gy,
			      f->params->dose_levels, st) != STATUS_OK)
		return;
	double gy_per_mbq_per_ml = dose_gy_per_mbq_per_ml(f->params->dose_constant_mj_per_mbq,
							  f->params->density_g_per_ml);
	result->mass_g = result->dose.volume_ml * f->params->density_g_per_ml;
	result->activity_mbq =
	    result->dose.mean / gy_per_mbq_per_ml * result->dose.measured_volume_ml;
	result->not_measured_volume_ml = result->dose.not_measured_volume_ml;

	struct dosimetry_doubt doubt = find_doubt(f, mask);
	result->saturated_volume_ml = doubt.saturated_ml;
	result->s0_known_volume_ml = doubt.s0_known_ml;
	result->excluded_volume_ml = doubt.artefact_ml;
	result->oscillating_volume_ml = doubt.oscillating_ml;
	dosimetry_judge_voi(result, &doubt, f->residual_mm, f->params);
}

static void fill_voi(const struct figures *f, int voi, struct status *st)
{
	const struct mask *mask = f->input->vois[voi].mask;
	enum voi_role role = f->input->vois[voi].role;
	struct dosimetry_voi_result *result = &f->point->voi[voi];
	fill_figures(result, f, mask, st);
	if (st->code != STATUS_OK)
		return;
	if ((role == VOI_LIVER || role == VOI_PART) && f->plan->necrosis.coverage) {
		result->necrotic_volume_ml = mask_overlap_ml(mask, &f->plan->necrosis);
		result->mass_g -= result->necrotic_volume_ml * f->params->density_g_per_ml;
	}
	if ((role == VOI_TUMOUR || role == VOI_GROUP) && result->measurable != VOI_NOT_MEASURABLE)
		find_underdosed(result, &f->point->underdosed[voi], f, mask, st);
}

static void fill_some_figures(void *user, size_t first, size_t last)
{
	struct figures *f = user;
	int n_vois = f->input->n_vois;
	for (size_t i = first; i < last; i++) {
		int piece = f->order[i].number;
		if (piece < n_vois)
			fill_voi(f, piece, &f->status[piece]);
		else
			fill_figures(&f->point->healthy[piece - n_vois].figures, f,
				     mask_of(f, (size_t)piece), &f->status[piece]);
	}
}

static int larger_first(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	if (x->voxels != y->voxels)
		return x->voxels > y->voxels ? -1 : 1;
	return x->number < y->number ? -1 : 1;
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

/* The highest doses of a slice, in and outside the liver with its tumours. */
struct slice_maxima {
	const struct figures *f;
	float *inside, *outside; /* per slice */
};

static float maximum_of(float most, const float *values, size_t first, size_t end)
{
	for (size_t v = first; v < end; v++)
		most = values[v] > most ? values[v] : most;
	return most;
}

static void find_maxima(void *user, size_t first, size_t last)
{
	const struct slice_maxima *maxima = user;
	const struct mask *inside = &maxima->f->plan->liver_with_tumours;
	const float *dose_gy = maxima->f->point->dose_gy.samples;
	const size_t pixels = (size_t)inside->grid.columns * (size_t)inside->grid.rows;
	for (size_t k = first; k < last; k++) {
		float most_inside = -INFINITY, most_outside = -INFINITY;
		bool some = (int)k >= inside->first[2] && (int)k <= inside->last[2];
		size_t from = k * pixels, to = (k + 1) * pixels; /* the rows of the mask */
		if (some) {
			from = row_start(&inside->grid, inside->first[1], (int)k);
			to = row_start(&inside->grid, inside->last[1] + 1, (int)k);
		}
		for (size_t v = from; some && v < to; v++) {
			float in = inside->coverage[v] > 0 ? dose_gy[v] : -INFINITY;
			float out = inside->coverage[v] > 0 ? -INFINITY : dose_gy[v];
			/* false for NaN */
			most_inside = in > most_inside ? in : most_inside;
			most_outside = out > most_outside ? out : most_outside;
		}
		most_outside = maximum_of(most_outside, dose_gy, k * pixels, from);
		most_outside =
		    maximum_of(most_outside, dose_gy, some ? to : from, (k + 1) * pixels);
		maxima->inside[k] = most_inside;
		maxima->outside[k] = most_outside;
	}
}

/* Hotter than any voxel inside: how much, and whether few-echo voxels are among it. */
static void look_at_hot(const struct figures *f, float most_inside, const float *most_outside)
{
	const struct mask *inside = &f->plan->liver_with_tumours;
	const struct grid *grid = &f->point->dose_gy.grid;
	const size_t columns = (size_t)grid->columns, pixels = columns * (size_t)grid->rows;
	size_t hotter = 0;
	for (int k = 0; k < grid->slices; k++) {
		if (!(most_outside[k] > most_inside))
			continue;
		for (size_t p = 0; p < pixels; p++) {
			size_t v = (size_t)k * pixels + p, nearest;
			if (inside->coverage[v] > 0 ||
			    !(f->point->dose_gy.samples[v] > most_inside))
				continue;
			hotter++;
			uint8_t state =
			    nearest_voxel(&nearest, f, (int)(p % columns), (int)(p / columns), k)
				? f->delta->state[nearest]
				: R2STAR_NOT_MEASURED;
			if (state == R2STAR_SATURATED || state == R2STAR_S0_KNOWN)
				f->point->flags |= DOSIMETRY_HOT_OUTSIDE;
		}
	}
	f->point->outside_hot_ml = (double)hotter * grid_voxel_volume_ml(grid);
}

/* The highest dose outside the liver with its tumours, against the highest inside. */
static enum status_code look_outside(const struct figures *f, struct status *st)
{
	const int slices = f->point->dose_gy.grid.slices;
	float most_inside = -INFINITY, most_outside = -INFINITY;
	f->point->outside_maximum_gy = f->point->outside_hot_ml = NAN;
	if (!f->plan->liver_with_tumours.coverage)
		return STATUS_OK;
	struct slice_maxima maxima = {f, malloc(2 * (size_t)slices * sizeof *maxima.inside), NULL};
	if (!maxima.inside)
		return status_fail(st, STATUS_RETRY, "no memory for %d slices", slices);
	maxima.outside = maxima.inside + slices;
	parallel_for((size_t)slices, 1, f->params->threads, find_maxima, &maxima);
	for (int k = 0; k < slices; k++) {
		most_inside = fmaxf(most_inside, maxima.inside[k]);
		most_outside = fmaxf(most_outside, maxima.outside[k]);
	}
	if (isfinite(most_inside) && isfinite(most_outside)) {
		f->point->outside_maximum_gy = (double)most_outside;
		look_at_hot(f, most_inside, maxima.outside);
	}
	free(maxima.inside);
	return STATUS_OK;
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
	f->warped = scan->deformation != NULL;
	if (f->warped)
		dosimetry_warp_find_way(&f->way, scan, input);
	size_t voxels = grid_voxels(&delta->delta_r2star_per_s.grid);
	f->residual_mm = fmax(scan->residual_mm, input->baseline.residual_mm);
	f->doubts_matter = memchr(delta->state, R2STAR_SATURATED, voxels) ||
			   memchr(delta->state, R2STAR_S0_KNOWN, voxels);
	for (size_t v = 0; v < voxels && !f->doubts_matter; v++)
		f->doubts_matter = delta->marks[v] & DOSIMETRY_MARK_OSCILLATES;

	point->n_healthy = plan->n_healthy;
	for (int h = 0; h < plan->n_healthy; h++)
		point->healthy[h].part_voi = plan->healthy_part[h];
	size_t pieces = (size_t)(input->n_vois + plan->n_healthy);
	if (look_for_doubts(f, pieces, st) != STATUS_OK)
		goto out;
	for (size_t i = 0; i < pieces; i++)
		f->order[i] = (struct piece){(int)i, mask_box_voxels(mask_of(f, i))};
	qsort(f->order, pieces, sizeof *f->order, larger_first);
	parallel_for(pieces, 1, params->threads, fill_some_figures, f);
	for (size_t i = 0; i < pieces; i++) {
		if (f->status[i].code != STATUS_OK)
			(void)status_fail(st, f->status[i].code, "%s", f->status[i].text);
	}
	if (st->code == STATUS_OK)
		divide_by_healthy(point, plan, input);
	if (st->code == STATUS_OK)
		(void)!look_outside(f, st);
	point->flags |= dosimetry_voi_flags(point, input);
out:
	free(f->doubts);
	free(f);
	return st->code;
}
