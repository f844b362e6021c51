/* emission_series_pet.c - one image per slice, in BQML. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emission_series_parts.h"
#include "mr_series.h"
#include "tags.h"

#define DECAY_FACTOR_AGREES 0.01 /* of it */
#define SERIES_TIME_LATER_S 60	 /* than the earliest image, by another clock of the scanner */
#define SAME_SCAN_S	    1

/* ---- what all slices must share ---- */

static enum status_code check_slice(const struct emission_image *first,
				    const struct emission_image *image, struct status *st)
{
	if (strcmp(image->units, "BQML") != 0)
		return status_fail(st, STATUS_REFUSE,
				   "units of the emission image are %s, not Bq/mL (BQML): its "
				   "values are no activity",
				   image->units[0] ? image->units : "not said");
	if (image->info.frames != 1)
		return status_fail(st, STATUS_REFUSE, "a PET slice with %d frames",
				   image->info.frames);
	if (strcmp(image->decay_correction, first->decay_correction) != 0)
		return status_fail(st, STATUS_REFUSE, "mixed decay correction: %s and %s",
				   first->decay_correction, image->decay_correction);
	if (strcmp(image->isotope, first->isotope) != 0 ||
	    strcmp(image->code_value, first->code_value) != 0 ||
	    fabs(image->half_life_h - first->half_life_h) > 1e-4 * first->half_life_h ||
	    isnan(image->half_life_h) != isnan(first->half_life_h))
		return status_fail(st, STATUS_REFUSE,
				   "slices of two radionuclides: %s (half-life %g h) and %s (%g h)",
				   first->isotope, first->half_life_h, image->isotope,
				   image->half_life_h);
	if (strcmp(image->administration, first->administration) != 0)
		return status_fail(st, STATUS_REFUSE, "slices of two administrations: %s and %s",
				   first->administration, image->administration);
	return STATUS_OK;
}

static enum status_code read_decay_correction(enum emission_decay *corrected_to,
					      const char *as_written, struct status *st)
{
	if (strcmp(as_written, "START") == 0)
		*corrected_to = EMISSION_DECAY_START;
	else if (strcmp(as_written, "ADMIN") == 0)
		*corrected_to = EMISSION_DECAY_ADMINISTRATION;
	else if (strcmp(as_written, "NONE") == 0)
		*corrected_to = EMISSION_DECAY_NONE;
	else
		return status_fail(st, STATUS_REFUSE,
				   "decay correction \"%s\": not said to what time the activity "
				   "belongs",
				   as_written);
	return STATUS_OK;
}

/* ---- when ---- */

/* What the values of an image would have been multiplied by, to be those of the reference time:
 * from the mean over its frame to the frame's start, and on. */
static double expected_decay_factor(const struct emission_image *image, double duration_s,
				    double reference_s)
{
	double lambda_per_s = log(2.0) / (image->half_life_h * 3600.0);
	double x = lambda_per_s * duration_s;
	double start_s = emission_datetime_s(image->info.acquisition_datetime);

	return exp(lambda_per_s * (start_s - reference_s)) * (x > 0 ? x / -expm1(-x) : 1);
}

/* False when an image contradicts the reference time. A factor of exactly 1 says nothing: images
 * that were made anew carry it, whatever they were corrected for. */
static bool decay_factors_agree(const struct emission_image *images, const double *duration_s,
				int n, double reference_s)
{
	for (int i = 0; i < n; i++) {
		double factor = images[i].decay_factor;
		double expected = expected_decay_factor(&images[i], duration_s[i], reference_s);
		if (factor > 0 && factor != 1 &&
		    fabs(factor - expected) > DECAY_FACTOR_AGREES * expected)
			return false;
	}
	return true;
}

static enum status_code find_start(struct emission_series *series,
				   const struct emission_image *images, const double *duration_s,
				   int n, struct status *st)
{
	const char *candidates[2] = {images[0].series_datetime, ""};
	double series_s = emission_datetime_s(candidates[0]), earliest_s, latest_s;
	int chosen = 0;

	earliest_s = latest_s = (double)NAN;
	for (int i = 0; i < n; i++) {
		double at_s = emission_datetime_s(images[i].info.acquisition_datetime);
		if (at_s < earliest_s || isnan(earliest_s)) {
			earliest_s = at_s;
			candidates[1] = images[i].info.acquisition_datetime;
		}
		latest_s = fmax(latest_s, at_s);
	}
	if (series->corrected_to == EMISSION_DECAY_NONE && latest_s - earliest_s > SAME_SCAN_S)
		return status_fail(st, STATUS_REFUSE,
				   "slices acquired up to %.0f s apart and not corrected for "
				   "decay: no activity of one time",
				   latest_s - earliest_s);
	if (series->corrected_to != EMISSION_DECAY_START || isnan(series_s) ||
	    series_s > earliest_s + SERIES_TIME_LATER_S)
		chosen = isnan(earliest_s) ? 0 : 1;
	if (series->corrected_to == EMISSION_DECAY_START && !isnan(earliest_s) &&
	    !isnan(series_s)) {
		const double at_s[2] = {series_s, earliest_s};
		if (!decay_factors_agree(images, duration_s, n, at_s[chosen]))
			chosen = 1 - chosen;
		if (!decay_factors_agree(images, duration_s, n, at_s[chosen]))
			return status_fail(
			    st, STATUS_REFUSE,
			    "decay factors of the images (%g) fit neither the series time %s nor "
			    "the acquisition time %s: not known what the activity is corrected to",
			    images[0].decay_factor, candidates[0], candidates[1]);
	}
	snprintf(series->scan_start, sizeof series->scan_start, "%s", candidates[chosen]);
	return STATUS_OK;
}

static enum status_code find_duration(struct emission_series *series, const double *duration_s,
				      int n, struct status *st)
{
	series->scan_duration_s = duration_s[0];
	for (int i = 1; i < n; i++) {
		if (fabs(duration_s[i] - duration_s[0]) <= SAME_SCAN_S)
			continue;
		if (series->corrected_to == EMISSION_DECAY_NONE)
			return status_fail(st, STATUS_REFUSE,
					   "slices of %g s and %g s, not corrected for decay",
					   duration_s[0], duration_s[i]);
		series->scan_duration_s = (double)NAN;
	}
	return STATUS_OK;
}

/* ---- where and how much ---- */

static enum status_code read_slice(float *out, size_t pixels, struct dataset *ds, struct status *st)
{
	double slope = dataset_get_double(ds, AT(TAG_RescaleSlope), 0);
	double intercept = dataset_get_double(ds, AT(TAG_RescaleIntercept), 0);

	if (!(slope > 0) || isnan(intercept))
		return status_fail(st, STATUS_REFUSE,
				   "rescale slope %g and intercept %g: no activity", slope,
				   intercept);
	if (dataset_get_frame(ds, 0, out, pixels, st) != STATUS_OK)
		return st->code;
	for (size_t i = 0; i < pixels; i++)
		out[i] = (float)((double)out[i] * slope + intercept);
	return STATUS_OK;
}

static enum status_code read_volume(struct volume *volume, struct dataset *const *datasets,
				    const struct mr_series *arranged, struct status *st)
{
	size_t pixels = (size_t)arranged->grid.rows * (size_t)arranged->grid.columns;

	if (grid_check(&arranged->grid, st) != STATUS_OK ||
	    volume_new(volume, &arranged->grid, NAN, st) != STATUS_OK)
		return st->code;
	for (int k = 0; k < arranged->grid.slices; k++)
		if (read_slice(volume->samples + (size_t)k * pixels, pixels,
			       datasets[arranged->image[k]], st) != STATUS_OK)
			return status_prefix(st, "slice %d", k + 1);
	return STATUS_OK;
}

static enum status_code arrange_and_read(struct emission_series *series,
					 struct dataset *const *datasets,
					 const struct instance_info *infos, int n,
					 struct status *st)
{
	struct mr_series arranged = {.image = NULL};

	if (mr_series_arrange(&arranged, infos, n, st) != STATUS_OK)
		return st->code;
	if (arranged.echoes != 1)
		(void)status_fail(st, STATUS_REFUSE, "PET images with %d echo times",
				  arranged.echoes);
	else if (!arranged.complete)
		(void)status_fail(st, STATUS_REFUSE, "emission images: %s", arranged.missing);
	else
		(void)!read_volume(&series->activity_bq_per_ml, datasets, &arranged, st);
	mr_series_free(&arranged);
	return st->code;
}

enum status_code emission_read_pet(struct emission_series *series, struct dataset *const *datasets,
				   const struct emission_image *images, int n, struct status *st)
{
	double *duration_s = malloc((size_t)n * sizeof *duration_s);
	struct instance_info *infos = malloc((size_t)n * sizeof *infos);

	if (!duration_s || !infos) {
		(void)status_fail(st, STATUS_RETRY, "no memory for %d emission images", n);
		goto out;
	}
	for (int i = 0; i < n && st->code == STATUS_OK; i++) {
		infos[i] = images[i].info;
		duration_s[i] =
		    dataset_get_double(datasets[i], AT(TAG_ActualFrameDuration), 0) / 1000.0;
		series->lossy |= images[i].info.lossy;
		if (images[i].slices_expected != series->slices_expected)
			series->slices_expected = -1;
		(void)!check_slice(&images[0], &images[i], st);
	}
	if (st->code != STATUS_OK ||
	    read_decay_correction(&series->corrected_to, images[0].decay_correction, st) !=
		STATUS_OK ||
	    find_duration(series, duration_s, n, st) != STATUS_OK ||
	    find_start(series, images, duration_s, n, st) != STATUS_OK)
		goto out;
	series->calibrated = true;
	(void)!arrange_and_read(series, datasets, infos, n, st);
out:
	free(duration_s);
	free(infos);
	return st->code;
}
