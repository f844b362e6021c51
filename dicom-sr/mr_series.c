#include "mr_series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Positions this close along the normal are one slice; echo times this close are one echo. */
#define SAME_POSITION_MM  0.01
#define SAME_ECHO_TIME_MS 0.005
#define SAME_DIRECTION	  1e-4

/* The images that take part, with what they are sorted by. */
struct taking_part {
	const struct instance_info *infos;
	int *index;	   /* into infos */
	int *slice, *echo; /* per image */
	double *along_mm;  /* position along the normal, per image */
	int count;
	double *slice_mm; /* distinct positions, rising */
	int slices;
	double normal[3];
};

static const struct instance_info *part(const struct taking_part *all, int i)
{
	return &all->infos[all->index[i]];
}

/* ---- which images ---- */

/* An image that says nothing of its component is taken for magnitude only when none says it is one.
 */
static enum status_code choose_images(struct taking_part *all, struct mr_series *series,
				      int n_infos, struct status *st)
{
	int of[IMAGE_DERIVED + 1] = {0};
	enum image_component wanted;

	for (int i = 0; i < n_infos; i++)
		of[all->infos[i].component]++;
	wanted = of[IMAGE_MAGNITUDE] > 0 ? IMAGE_MAGNITUDE : IMAGE_UNKNOWN;
	for (int i = 0; i < n_infos; i++)
		if (all->infos[i].component == wanted)
			all->index[all->count++] = i;
	series->magnitude = all->count;
	series->other_component = n_infos - all->count;
	if (all->count > 0)
		return STATUS_OK;
	if (n_infos > 0 && of[IMAGE_PHASE] == n_infos)
		return status_fail(st, STATUS_REFUSE, "phase images only, no magnitude images");
	return status_fail(st, STATUS_REFUSE,
			   "no magnitude images (%d phase, %d real, %d imaginary, %d derived maps)",
			   of[IMAGE_PHASE], of[IMAGE_REAL], of[IMAGE_IMAGINARY], of[IMAGE_DERIVED]);
}

static bool differ(double a, double b, double tolerance)
{
	if (isnan(a) || isnan(b))
		return isnan(a) != isnan(b);
	return fabs(a - b) > tolerance;
}

/* Everything but position and echo time has to be the same in all images. */
static enum status_code check_same(const struct instance_info *first,
				   const struct instance_info *info, struct status *st)
{
	if (info->frames > 1)
		return status_fail(st, STATUS_REFUSE,
				   "multi-frame images (Enhanced MR) are not read yet");
	for (int a = 0; a < 6; a++)
		if (isnan(info->orientation[a]) || isnan(info->position_mm[a % 3]))
			return status_fail(st, STATUS_REFUSE,
					   "an image without position or orientation");
	if (!(info->pixel_spacing_mm[0] > 0) || !(info->pixel_spacing_mm[1] > 0))
		return status_fail(st, STATUS_REFUSE, "an image without pixel spacing");
	if (info->rows != first->rows || info->columns != first->columns)
		return status_fail(st, STATUS_REFUSE, "mixed matrix: %d x %d and %d x %d",
				   first->rows, first->columns, info->rows, info->columns);
	for (int a = 0; a < 6; a++)
		if (differ(info->orientation[a], first->orientation[a], SAME_DIRECTION))
			return status_fail(st, STATUS_REFUSE, "mixed orientation of slices");
	for (int a = 0; a < 2; a++)
		if (differ(info->pixel_spacing_mm[a], first->pixel_spacing_mm[a],
			   1e-4 * first->pixel_spacing_mm[a]))
			return status_fail(st, STATUS_REFUSE, "mixed pixel spacing: %g and %g mm",
					   first->pixel_spacing_mm[a], info->pixel_spacing_mm[a]);
	if (strcmp(info->frame_of_reference_uid, first->frame_of_reference_uid) != 0)
		return status_fail(st, STATUS_REFUSE, "images on two frames of reference");
	if (differ(info->tr_ms, first->tr_ms, 1e-3 * fabs(first->tr_ms)))
		return status_fail(st, STATUS_REFUSE, "mixed repetition times: %g and %g ms",
				   first->tr_ms, info->tr_ms);
	if (differ(info->flip_deg, first->flip_deg, 1e-3 * fabs(first->flip_deg)))
		return status_fail(st, STATUS_REFUSE, "mixed flip angles: %g and %g degrees",
				   first->flip_deg, info->flip_deg);
	if (isnan(info->te_ms) != isnan(first->te_ms))
		return status_fail(st, STATUS_REFUSE,
				   "some images have an echo time, others have none");
	return STATUS_OK;
}

/* ---- slices and echoes ---- */

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts values and keeps one of each group that lies within tolerance of its first. Returns the
 * number kept. */
static int distinct(double *values, int count, double tolerance)
{
	int kept = 0;

	qsort(values, (size_t)count, sizeof(*values), compare_doubles);
	for (int i = 0; i < count; i++)
		if (kept == 0 || values[i] - values[kept - 1] > tolerance)
			values[kept++] = values[i];
	return kept;
}

/* The entry of a sorted list that value belongs to. */
static int which(const double *list, int count, double value, double tolerance)
{
	for (int i = 0; i < count; i++)
		if (value >= list[i] && value - list[i] <= tolerance)
			return i;
	return 0;
}

static void find_slices(struct taking_part *all)
{
	const double *o = part(all, 0)->orientation;

	all->normal[0] = o[1] * o[5] - o[2] * o[4];
	all->normal[1] = o[2] * o[3] - o[0] * o[5];
	all->normal[2] = o[0] * o[4] - o[1] * o[3];
	for (int i = 0; i < all->count; i++) {
		const double *p = part(all, i)->position_mm;
		all->along_mm[i] =
		    p[0] * all->normal[0] + p[1] * all->normal[1] + p[2] * all->normal[2];
		all->slice_mm[i] = all->along_mm[i];
	}
	all->slices = distinct(all->slice_mm, all->count, SAME_POSITION_MM);
	for (int i = 0; i < all->count; i++)
		all->slice[i] =
		    which(all->slice_mm, all->slices, all->along_mm[i], SAME_POSITION_MM);
}

static enum status_code find_echoes(struct taking_part *all, struct mr_series *series,
				    struct status *st)
{
	double *te_ms = malloc((size_t)all->count * sizeof(*te_ms));
	int echoes;

	if (!te_ms)
		return status_fail(st, STATUS_RETRY, "no memory for %d echo times", all->count);
	for (int i = 0; i < all->count; i++)
		te_ms[i] = part(all, i)->te_ms;
	/* no echo time at all: anatomy that was exported without one */
	echoes = isnan(te_ms[0]) ? 1 : distinct(te_ms, all->count, SAME_ECHO_TIME_MS);
	if (echoes <= MR_SERIES_MAX_ECHOES) {
		memcpy(series->te_ms, te_ms, (size_t)echoes * sizeof(*te_ms));
		series->echoes = echoes;
		for (int i = 0; i < all->count; i++)
			all->echo[i] = echoes == 1 ? 0
						   : which(te_ms, echoes, part(all, i)->te_ms,
							   SAME_ECHO_TIME_MS);
	}
	free(te_ms);
	if (echoes > MR_SERIES_MAX_ECHOES)
		return status_fail(st, STATUS_REFUSE, "mixed echo times: %d different ones",
				   echoes);
	return STATUS_OK;
}

/* Two images of one slice and echo: a re-send when their evidence is the same, otherwise a
 * repetition. */
static enum status_code place_images(struct taking_part *all, struct mr_series *series,
				     struct status *st)
{
	size_t cells = (size_t)all->slices * (size_t)series->echoes;

	series->image = malloc(cells * sizeof(*series->image));
	if (!series->image)
		return status_fail(st, STATUS_RETRY, "no memory for %zu images", cells);
	for (size_t c = 0; c < cells; c++)
		series->image[c] = -1;
	for (int i = 0; i < all->count; i++) {
		int *cell = &series->image[all->slice[i] * series->echoes + all->echo[i]];
		const struct instance_info *here = *cell < 0 ? NULL : &all->infos[*cell],
					   *info = part(all, i);
		if (here && strcmp(here->evidence_hash, info->evidence_hash) != 0)
			return status_fail(
			    st, STATUS_REFUSE,
			    "two different images at slice %d, echo %d (TE %g ms): a repeated or "
			    "dynamic acquisition, or components that cannot be told apart",
			    all->slice[i] + 1, all->echo[i] + 1, info->te_ms);
		if (here)
			series->magnitude--;
		/* of equal ones always the same, whatever the order of arrival */
		if (!here || strcmp(info->sop_instance_uid, here->sop_instance_uid) < 0)
			*cell = all->index[i];
	}
	return STATUS_OK;
}

/* ---- is it a series, is it whole ---- */

/* Slices differ in their echo times in a way that later images cannot explain: every slice has one
 * of two or three sets of equal size that interleave in time and of which none holds another. */
static bool mixed_echo_times(const struct mr_series *series, int slices, char *text, size_t size)
{
	int sets[3], n_sets = 0, echoes = series->echoes, in_first = 0;
	const int *image = series->image;

	for (int s = 0; s < slices; s++) {
		int known = 0;
		for (; known < n_sets; known++) {
			int same = 0;
			for (int e = 0; e < echoes; e++)
				same += (image[s * echoes + e] < 0) ==
					(image[sets[known] * echoes + e] < 0);
			if (same == echoes)
				break;
		}
		if (known == n_sets) {
			if (n_sets == 3)
				return false;
			sets[n_sets++] = s;
		}
		in_first += known == 0;
	}
	if (n_sets < 2)
		return false;
	for (int k = 1; k < n_sets; k++) {
		int only_first = 0, only_other = 0, first_of[2] = {-1, -1}, last_of[2] = {-1, -1};
		for (int e = 0; e < echoes; e++) {
			bool has[2] = {image[sets[0] * echoes + e] >= 0,
				       image[sets[k] * echoes + e] >= 0};
			only_first += has[0] && !has[1];
			only_other += has[1] && !has[0];
			for (int b = 0; b < 2; b++) {
				if (has[b] && first_of[b] < 0)
					first_of[b] = e;
				if (has[b])
					last_of[b] = e;
			}
		}
		if (only_first != only_other || last_of[0] < first_of[1] ||
		    last_of[1] < first_of[0])
			return false;
	}
	for (int e = 0; e < echoes; e++) {
		bool a = image[sets[0] * echoes + e] >= 0, b = image[sets[1] * echoes + e] >= 0;
		if (a != b) {
			snprintf(text, size, "TE %g ms in %d of %d slices (first: slice %d)",
				 series->te_ms[e], a ? in_first : slices - in_first, slices,
				 (a ? sets[0] : sets[1]) + 1);
			break;
		}
	}
	return true;
}

static void describe_missing_images(struct mr_series *series, int slices)
{
	int missing = 0, first = -1;
	size_t used;

	for (int c = 0; c < slices * series->echoes; c++)
		if (series->image[c] < 0 && missing++ == 0)
			first = c;
	if (missing == 0)
		return;
	snprintf(series->missing, sizeof(series->missing), "echo %d missing at slice %d",
		 first % series->echoes + 1, first / series->echoes + 1);
	used = strlen(series->missing);
	if (missing > 1)
		snprintf(series->missing + used, sizeof(series->missing) - used, " and %d more",
			 missing - 1);
}

/* The smallest step is taken for the spacing; larger ones must be whole multiples of it. */
static void describe_gaps(struct mr_series *series, const struct taking_part *all)
{
	double step_mm = INFINITY, tolerance_mm;
	size_t used = strlen(series->missing);
	const char *separator = used ? "; " : "";

	for (int s = 1; s < all->slices; s++)
		step_mm = fmin(step_mm, all->slice_mm[s] - all->slice_mm[s - 1]);
	tolerance_mm = fmax(0.05, 0.01 * step_mm);
	for (int s = 1; s < all->slices; s++) {
		double gap_mm = all->slice_mm[s] - all->slice_mm[s - 1];
		double steps = round(gap_mm / step_mm);
		if (fabs(gap_mm - steps * step_mm) > tolerance_mm * steps)
			snprintf(
			    series->missing + used, sizeof(series->missing) - used,
			    "%sunequal slice spacing: %.4g mm after slice %d, elsewhere %.4g mm",
			    separator, gap_mm, s, step_mm);
		else if (steps > 1)
			snprintf(series->missing + used, sizeof(series->missing) - used,
				 "%sgap of %d slice%s after slice %d", separator, (int)steps - 1,
				 steps > 2 ? "s" : "", s);
		else
			continue;
		return;
	}
}

/* ---- the result ---- */

/* Origin and step from the first and last slice; every slice must lie on that line. */
static enum status_code make_grid(struct mr_series *series, const struct taking_part *all,
				  struct status *st)
{
	const struct instance_info *first = part(all, 0), *last = first;
	struct grid *grid = &series->grid;
	double thickness_mm;

	for (int i = 0; i < all->count; i++) {
		if (all->slice[i] == 0)
			first = part(all, i);
		if (all->slice[i] == all->slices - 1)
			last = part(all, i);
	}
	grid->columns = first->columns;
	grid->rows = first->rows;
	grid->slices = all->slices;
	thickness_mm = first->slice_thickness_mm > 0 ? first->slice_thickness_mm : (double)NAN;
	for (int a = 0; a < 3; a++) {
		grid->origin_mm[a] = first->position_mm[a];
		grid->column_step_mm[a] = first->orientation[a] * first->pixel_spacing_mm[1];
		grid->row_step_mm[a] = first->orientation[a + 3] * first->pixel_spacing_mm[0];
		grid->slice_step_mm[a] =
		    all->slices > 1
			? (last->position_mm[a] - first->position_mm[a]) / (all->slices - 1)
			: all->normal[a] * thickness_mm;
	}
	snprintf(grid->frame_of_reference, sizeof(grid->frame_of_reference), "%s",
		 first->frame_of_reference_uid);
	for (int i = 0; i < all->count && all->slices > 1; i++) {
		double off_mm[3], square = 0, along = all->along_mm[i] - all->slice_mm[0];
		double whole = all->slice_mm[all->slices - 1] - all->slice_mm[0];
		for (int a = 0; a < 3; a++) {
			double line =
			    (last->position_mm[a] - first->position_mm[a]) * along / whole;
			off_mm[a] = part(all, i)->position_mm[a] - first->position_mm[a] - line;
			square += off_mm[a] * off_mm[a];
		}
		if (sqrt(square) > 0.1)
			return status_fail(
			    st, STATUS_REFUSE,
			    "slice %d is shifted %.2f mm within its plane: not one stack of slices",
			    all->slice[i] + 1, sqrt(square));
	}
	return STATUS_OK;
}

static void confirm_count(struct mr_series *series, const struct instance_info *infos, int n_infos)
{
	int slices = series->grid.slices, echoes = series->echoes;

	series->images_expected = infos[0].images_in_acquisition;
	for (int i = 1; i < n_infos; i++)
		if (infos[i].images_in_acquisition != series->images_expected)
			series->images_expected = -1;
	if (series->images_expected < 1)
		series->images_expected = -1;
	series->count_confirmed =
	    series->complete &&
	    (series->images_expected == slices * echoes || series->images_expected == slices ||
	     series->images_expected == slices * echoes + series->other_component);
}

static void take_times(struct mr_series *series, const struct taking_part *all)
{
	const struct instance_info *earliest = NULL;

	for (int i = 0; i < all->count; i++) {
		const struct instance_info *info = part(all, i);
		if (info->acquisition_datetime[0] &&
		    (!earliest ||
		     strcmp(info->acquisition_datetime, earliest->acquisition_datetime) < 0))
			earliest = info;
	}
	if (!earliest)
		return;
	snprintf(series->acquisition_datetime, sizeof(series->acquisition_datetime), "%s",
		 earliest->acquisition_datetime);
	snprintf(series->utc_offset, sizeof(series->utc_offset), "%s", earliest->utc_offset);
}

static enum status_code arrange(struct mr_series *series, struct taking_part *all, int n_infos,
				struct status *st)
{
	enum status_code code = choose_images(all, series, n_infos, st);
	char text[120];

	for (int i = 0; i < all->count && code == STATUS_OK; i++)
		code = check_same(part(all, 0), part(all, i), st);
	if (code != STATUS_OK)
		return code;
	find_slices(all);
	code = find_echoes(all, series, st);
	if (code == STATUS_OK)
		code = place_images(all, series, st);
	if (code == STATUS_OK)
		code = make_grid(series, all, st);
	if (code != STATUS_OK)
		return code;
	describe_missing_images(series, all->slices);
	describe_gaps(series, all);
	series->complete = series->missing[0] == '\0';
	confirm_count(series, all->infos, n_infos);
	if (series->images_expected <= series->magnitude &&
	    mixed_echo_times(series, all->slices, text, sizeof(text)))
		return status_fail(st, STATUS_REFUSE, "mixed echo times: %s", text);
	series->tr_ms = part(all, 0)->tr_ms;
	series->flip_deg = part(all, 0)->flip_deg;
	series->field_strength_t = field_strength_tesla(part(all, 0)->field_strength_t);
	take_times(series, all);
	return STATUS_OK;
}

enum status_code mr_series_arrange(struct mr_series *series, const struct instance_info *infos,
				   int n_infos, struct status *st)
{
	size_t count = n_infos > 0 ? (size_t)n_infos : 1;
	struct taking_part all = {.infos = infos};
	struct mr_series made = {.image = NULL};
	enum status_code code;

	all.index = calloc(count, 3 * sizeof(*all.index));
	all.along_mm = calloc(count, 2 * sizeof(*all.along_mm));
	if (all.index && all.along_mm) {
		all.slice = all.index + count;
		all.echo = all.slice + count;
		all.slice_mm = all.along_mm + count;
		code = arrange(&made, &all, n_infos, st);
	} else {
		code = status_fail(st, STATUS_RETRY, "no memory for %d images", n_infos);
	}
	free(all.index);
	free(all.along_mm);
	if (code == STATUS_OK)
		*series = made;
	else
		mr_series_free(&made);
	return code;
}

void mr_series_free(struct mr_series *series)
{
	free(series->image);
	series->image = NULL;
}
