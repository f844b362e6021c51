#include "emission_series.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emission_series_parts.h"
#include "tags.h"

/* Nobody is given less than 0.1 MBq or more than 100 GBq: below is MBq, as NM cameras write it,
 * above Bq, as the standard has it. */
#define LEAST_BQ 1e5

double emission_datetime_s(const char *datetime)
{
	int year, month, day, hour, minute = 0;
	double second = 0;

	if (sscanf(datetime, "%4d%2d%2d%2d%2d%lf", &year, &month, &day, &hour, &minute, &second) <
	    4)
		return (double)NAN;
	/* days since 1970 of the Gregorian calendar, years counted from March */
	int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
	long days = 365L * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
	return 86400.0 * (double)days + 3600.0 * hour + 60.0 * minute + second;
}

/* ---- one image ---- */

static enum status_code read_radionuclide(struct emission_image *image, const struct dataset *ds,
					  struct status *st)
{
#define NUCLIDE(keyword)                                                                           \
	AT(TAG_RadiopharmaceuticalInformationSequence, 0, TAG_RadionuclideCodeSequence, 0,         \
	   TAG_##keyword)
#define PHARMACEUTICAL(keyword) AT(TAG_RadiopharmaceuticalInformationSequence, 0, TAG_##keyword)
	double total = dataset_get_double(ds, PHARMACEUTICAL(RadionuclideTotalDose), 0);
	enum status_code code;

	if (dataset_item_count(ds, AT(TAG_RadiopharmaceuticalInformationSequence)) > 1 ||
	    dataset_item_count(ds, PHARMACEUTICAL(RadionuclideCodeSequence)) > 1)
		return status_fail(st, STATUS_REFUSE,
				   "more than one radionuclide in the emission image");
	code =
	    dataset_get_string(ds, NUCLIDE(CodeMeaning), image->isotope, sizeof image->isotope, st);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, NUCLIDE(CodeValue), image->code_value,
					  sizeof image->code_value, st);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, NUCLIDE(CodingSchemeDesignator), image->code_scheme,
					  sizeof image->code_scheme, st);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, PHARMACEUTICAL(RadiopharmaceuticalStartDateTime),
					  image->administration, sizeof image->administration, st);
	image->half_life_h =
	    dataset_get_double(ds, PHARMACEUTICAL(RadionuclideHalfLife), 0) / 3600.0;
	if (!(image->half_life_h > 0))
		image->half_life_h = (double)NAN;
	image->injected_mbq = total >= LEAST_BQ ? total / 1e6 : total > 0 ? total : (double)NAN;
	return code;
}

static enum status_code read_image(struct emission_image *image, struct dataset *ds,
				   struct status *st)
{
	char date[17], time[33];
	enum status_code code = instance_info_read(&image->info, ds, st);

	if (code == STATUS_OK)
		code = dataset_get_string(ds, AT(TAG_SeriesDate), date, sizeof date, st);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, AT(TAG_SeriesTime), time, sizeof time, st);
	if (code == STATUS_OK && strlen(date) == 8 && strlen(time) >= 4)
		snprintf(image->series_datetime, sizeof image->series_datetime, "%.8s%.20s", date,
			 time);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, AT(TAG_Units), image->units, sizeof image->units, st);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, AT(TAG_DecayCorrection), image->decay_correction,
					  sizeof image->decay_correction, st);
	if (code == STATUS_OK)
		code = dataset_get_string(ds, AT(TAG_CorrectedImage), image->corrections,
					  sizeof image->corrections, st);
	if (code == STATUS_OK)
		code = read_radionuclide(image, ds, st);
	image->decay_factor = dataset_get_double(ds, AT(TAG_DecayFactor), 0);
	image->slices_expected = (int)dataset_get_int(ds, AT(TAG_NumberOfSlices), -1);
	return code;
}

void emission_take(struct emission_series *series, const struct emission_image *image)
{
	snprintf(series->series_uid, sizeof series->series_uid, "%s",
		 image->info.series_instance_uid);
	snprintf(series->station, sizeof series->station, "%s", image->info.station_name);
	snprintf(series->isotope, sizeof series->isotope, "%s", image->isotope);
	snprintf(series->code_value, sizeof series->code_value, "%s", image->code_value);
	snprintf(series->code_scheme, sizeof series->code_scheme, "%s", image->code_scheme);
	snprintf(series->administration, sizeof series->administration, "%s",
		 image->administration);
	snprintf(series->utc_offset, sizeof series->utc_offset, "%s", image->info.utc_offset);
	series->half_life_h = image->half_life_h;
	series->injected_mbq = image->injected_mbq;
	series->cps_per_mbq = (double)NAN;
	series->attenuation_corrected = strstr(image->corrections, "ATTN") != NULL;
	series->scatter_corrected = strstr(image->corrections, "SCAT") != NULL;
	series->slices_expected = image->slices_expected;
}

/* ---- the series ---- */

bool emission_series_is_class(const char *sop_class_uid)
{
	return strcmp(sop_class_uid, EMISSION_PET_STORAGE) == 0 ||
	       strcmp(sop_class_uid, EMISSION_NM_STORAGE) == 0;
}

static enum status_code read_images(struct emission_image *images, struct dataset *const *datasets,
				    int n, struct status *st)
{
	for (int i = 0; i < n; i++) {
		if (read_image(&images[i], datasets[i], st) != STATUS_OK)
			return status_prefix(st, "image %d of %d", i + 1, n);
		if (strcmp(images[i].info.series_instance_uid,
			   images[0].info.series_instance_uid) != 0)
			return status_fail(
			    st, STATUS_REFUSE, "images of two series, %s and %s, are no volume",
			    images[0].info.series_instance_uid, images[i].info.series_instance_uid);
	}
	return STATUS_OK;
}

enum status_code emission_series_read(struct emission_series *series,
				      struct dataset *const *datasets, int n_datasets,
				      double cps_per_mbq, struct status *st)
{
	struct emission_series made = {.activity_bq_per_ml = VOLUME_INIT};
	struct emission_image *images;
	const char *class_uid;

	if (n_datasets < 1)
		return status_fail(st, STATUS_REFUSE, "no emission images");
	images = calloc((size_t)n_datasets, sizeof *images);
	if (!images)
		return status_fail(st, STATUS_RETRY, "no memory for %d emission images",
				   n_datasets);
	if (read_images(images, datasets, n_datasets, st) != STATUS_OK)
		goto out;
	class_uid = images[0].info.sop_class_uid;
	emission_take(&made, &images[0]);
	if (strcmp(class_uid, EMISSION_PET_STORAGE) == 0)
		(void)!emission_read_pet(&made, datasets, images, n_datasets, st);
	else if (strcmp(class_uid, EMISSION_NM_STORAGE) == 0 && n_datasets == 1)
		(void)!emission_read_nm(&made, datasets[0], &images[0], cps_per_mbq, st);
	else if (strcmp(class_uid, EMISSION_NM_STORAGE) == 0)
		(void)status_fail(st, STATUS_REFUSE,
				  "%d NM images in the series: one multi-frame image is a volume",
				  n_datasets);
	else
		(void)status_fail(st, STATUS_REFUSE, "neither a PET nor an NM image (%s)",
				  class_uid);
	if (st->code != STATUS_OK)
		goto out;
	made.slices = made.activity_bq_per_ml.grid.slices;
	*series = made;
	made.activity_bq_per_ml.samples = NULL;
out:
	volume_free(&made.activity_bq_per_ml);
	free(images);
	return st->code;
}

void emission_series_free(struct emission_series *series)
{
	volume_free(&series->activity_bq_per_ml);
}
