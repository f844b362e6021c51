#include "course_cache.h"

#include <stdlib.h>
#include <string.h>

#include "kept_file.h"

/* The structures are kept as they are. Whoever changes one of them changes its size here, and
 * raises the version. */
static const struct kept_kind COURSE = {{'H', 'O', 'L', 'M', 'I', 'A', 'C', 'O'}, 1, "course"};

/* Of the sums only the voxels that some scan has measured, in order: last_scan says which. The
 * rest, air, is 0 and more than half of a grid. */
enum { FIGURES, TIME_POINTS, ACTIVITY, LAST_DELTA, LAST_SCAN, PARTS };

_Static_assert(sizeof(struct dosimetry_time_point) == 116384 &&
		   sizeof(struct dosimetry_running) == 17704,
	       "another layout: raise the version of COURSE and set the sizes here");

struct course_figures {
	int32_t n_time_points, time_point_bytes;
	uint64_t voxels, measured;
	double relaxivity_used, baseline_sigma, baseline_air_sigma, usable_sigma, saturated_sigma,
	    evaluated_volume_ml, excluded_artefact_ml;
	struct dosimetry_running running;
	double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS];
};

static uint64_t count_measured(const uint8_t *last_scan, size_t voxels)
{
	uint64_t measured = 0;
	for (size_t v = 0; v < voxels; v++)
		measured += last_scan[v] > 0;
	return measured;
}

/* ---- reading ---- */

static bool take_figures(struct dosimetry_result *result,
			 double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS],
			 const struct kept_file *file)
{
	struct course_figures figures;
	if (file->n_parts != PARTS || file->bytes[FIGURES] != sizeof figures)
		return false;
	memcpy(&figures, file->part[FIGURES], sizeof figures);
	size_t points = (size_t)figures.n_time_points, floats = figures.measured * sizeof(float);
	if (figures.n_time_points < 1 || figures.n_time_points > DOSIMETRY_MAX_SCANS ||
	    figures.time_point_bytes != (int32_t)sizeof *result->time_points ||
	    file->bytes[TIME_POINTS] != points * sizeof *result->time_points ||
	    file->bytes[ACTIVITY] != floats || file->bytes[LAST_DELTA] != floats ||
	    file->bytes[LAST_SCAN] != figures.voxels)
		return false;
	if (count_measured(file->part[LAST_SCAN], figures.voxels) != figures.measured)
		return false;
	result->n_time_points = figures.n_time_points;
	result->sums.voxels = figures.voxels;
	result->sums.running = figures.running;
	result->relaxivity_used = figures.relaxivity_used;
	result->baseline_sigma = figures.baseline_sigma;
	result->baseline_air_sigma = figures.baseline_air_sigma;
	result->usable_sigma = figures.usable_sigma;
	result->saturated_sigma = figures.saturated_sigma;
	result->evaluated_volume_ml = figures.evaluated_volume_ml;
	result->excluded_artefact_ml = figures.excluded_artefact_ml;
	memcpy(stored_mean_gy, figures.stored_mean_gy, sizeof figures.stored_mean_gy);
	return true;
}

/* The sums and time points, each in memory of its own. */
static enum status_code unpack(struct dosimetry_result *result, const struct kept_file *file,
			       struct status *st)
{
	struct dosimetry_sums *sums = &result->sums;
	const float *activity = file->part[ACTIVITY], *delta = file->part[LAST_DELTA];
	result->time_points = malloc(file->bytes[TIME_POINTS]);
	sums->activity_mbq_per_ml = calloc(sums->voxels, sizeof(float));
	sums->last_delta_per_s = calloc(sums->voxels, sizeof(float));
	sums->last_scan = malloc(sums->voxels);
	if (!sums->activity_mbq_per_ml || !sums->last_delta_per_s || !sums->last_scan ||
	    !result->time_points)
		return status_fail(st, STATUS_RETRY, "no memory for the time points before");
	memcpy(result->time_points, file->part[TIME_POINTS], file->bytes[TIME_POINTS]);
	memcpy(sums->last_scan, file->part[LAST_SCAN], sums->voxels);
	for (size_t v = 0, n = 0; v < sums->voxels; v++) {
		if (sums->last_scan[v] == 0)
			continue;
		sums->activity_mbq_per_ml[v] = activity[n];
		sums->last_delta_per_s[v] = delta[n++];
	}
	return STATUS_OK;
}

enum status_code course_cache_get(struct dosimetry_result *result,
				  double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS],
				  bool *found, const char *spool, const char *key, int threads,
				  struct status *st)
{
	struct kept_file file;
	if (kept_file_get(&file, found, &COURSE, spool, key, threads, st) != STATUS_OK || !*found)
		return st->code;
	*found = take_figures(result, stored_mean_gy, &file);
	if (*found && unpack(result, &file, st) != STATUS_OK) {
		free(result->time_points);
		result->time_points = NULL;
		dosimetry_result_free(result);
	}
	kept_file_free(&file);
	return st->code;
}

/* ---- writing ---- */

static void fill_figures(struct course_figures *figures, const struct dosimetry_result *result,
			 double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS])
{
	*figures = (struct course_figures){
	    .n_time_points = result->n_time_points,
	    .time_point_bytes = (int32_t)sizeof *result->time_points,
	    .voxels = result->sums.voxels,
	    .relaxivity_used = result->relaxivity_used,
	    .baseline_sigma = result->baseline_sigma,
	    .baseline_air_sigma = result->baseline_air_sigma,
	    .usable_sigma = result->usable_sigma,
	    .saturated_sigma = result->saturated_sigma,
	    .evaluated_volume_ml = result->evaluated_volume_ml,
	    .excluded_artefact_ml = result->excluded_artefact_ml,
	    .running = result->sums.running,
	};
	memcpy(figures->stored_mean_gy, stored_mean_gy, sizeof figures->stored_mean_gy);
}

/* Time points without what they point to. */
static void forget_pointers(struct dosimetry_time_point *points, int count)
{
	for (int i = 0; i < count; i++) {
		memset(&points[i].dose_gy, 0, sizeof points[i].dose_gy);
		memset(&points[i].kernel_dose_gy, 0, sizeof points[i].kernel_dose_gy);
		memset(points[i].underdosed, 0, sizeof points[i].underdosed);
	}
}

static void pack(float *activity, float *delta, const struct dosimetry_sums *sums)
{
	for (size_t v = 0, n = 0; v < sums->voxels; v++) {
		if (sums->last_scan[v] == 0)
			continue;
		activity[n] = sums->activity_mbq_per_ml[v];
		delta[n++] = sums->last_delta_per_s[v];
	}
}

enum status_code course_cache_put(const char *spool, const char *key,
				  const struct dosimetry_result *result,
				  double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS],
				  int threads, struct status *st)
{
	const struct dosimetry_sums *sums = &result->sums;
	const size_t points_size = (size_t)result->n_time_points * sizeof *result->time_points;
	const size_t measured = count_measured(sums->last_scan, sums->voxels);
	struct dosimetry_time_point *points = malloc(points_size);
	struct course_figures *figures = malloc(sizeof *figures);
	float *packed = malloc(2 * measured * sizeof *packed + 1);
	if (points && figures && packed) {
		memcpy(points, result->time_points, points_size);
		forget_pointers(points, result->n_time_points);
		fill_figures(figures, result, stored_mean_gy);
		figures->measured = measured;
		pack(packed, packed + measured, sums);
		const void *part[PARTS] = {figures, points, packed, packed + measured,
					   sums->last_scan};
		const size_t floats = measured * sizeof(float);
		const size_t bytes[PARTS] = {sizeof *figures, points_size, floats, floats,
					     sums->voxels};
		(void)!kept_file_put(&COURSE, spool, key, part, bytes, PARTS, threads, st);
	} else {
		(void)status_fail(st, STATUS_RETRY, "no memory to keep the time points");
	}
	free(points);
	free(figures);
	free(packed);
	return st->code;
}
