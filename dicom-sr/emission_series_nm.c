/* emission_series_nm.c - one multi-frame image of a reconstructed tomography, in counts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emission_series_parts.h"
#include "tags.h"

/* ---- which frames ---- */

static enum status_code check_kind(const struct dataset *ds, const struct emission_image *image,
				   struct status *st)
{
	char type[260], kind[40] = "";
	int64_t windows = dataset_get_int(ds, AT(TAG_NumberOfEnergyWindows), 1);
	const char *third;

	if (dataset_get_string(ds, AT(TAG_ImageType), type, sizeof type, st) != STATUS_OK)
		return st->code;
	third = strchr(type, '\\');
	third = third ? strchr(third + 1, '\\') : NULL;
	if (third)
		snprintf(kind, sizeof kind, "%.*s", (int)strcspn(third + 1, "\\"), third + 1);
	if (strcmp(kind, "RECON TOMO") != 0)
		return status_fail(st, STATUS_REFUSE,
				   "NM image of the type \"%s\" is no reconstructed tomography "
				   "(RECON TOMO)",
				   kind[0] ? kind : type);
	if (windows != 1)
		return status_fail(st, STATUS_REFUSE,
				   "NM image of %lld energy windows: one volume of one window is "
				   "read",
				   (long long)windows);
	if (image->info.frames < 1 || image->info.rows < 1 || image->info.columns < 1)
		return status_fail(st, STATUS_REFUSE, "NM image with %d frames of %d x %d",
				   image->info.frames, image->info.rows, image->info.columns);
	if (image->slices_expected >= 0 && image->slices_expected != image->info.frames)
		return status_fail(
		    st, STATUS_REFUSE,
		    "NM image of %d slices in %d frames: gated, dynamic or incomplete",
		    image->slices_expected, image->info.frames);
	return STATUS_OK;
}

/* Slice of each frame, from 0; in order where the image does not say. */
static enum status_code read_order(int *slice_of, const struct dataset *ds, int frames,
				   struct status *st)
{
	double *vector = NULL;
	size_t count = 0;
	bool *taken = calloc((size_t)frames, sizeof *taken);

	if (!taken)
		return status_fail(st, STATUS_RETRY, "no memory for %d frames", frames);
	if (dataset_get_doubles(ds, AT(TAG_SliceVector), &vector, &count, st) != STATUS_OK)
		goto out;
	if (count != 0 && count != (size_t)frames) {
		(void)status_fail(st, STATUS_REFUSE, "slice vector of %zu values for %d frames",
				  count, frames);
		goto out;
	}
	for (int f = 0; f < frames; f++) {
		double slice = count ? vector[f] : f + 1;
		if (!(slice >= 1 && slice <= frames) || taken[(int)slice - 1]) {
			(void)status_fail(st, STATUS_REFUSE,
					  "frame %d is of slice %g: not one frame for each of %d "
					  "slices",
					  f + 1, slice, frames);
			goto out;
		}
		slice_of[f] = (int)slice - 1;
		taken[slice_of[f]] = true;
	}
out:
	free(taken);
	free(vector);
	return st->code;
}

/* ---- where ---- */

static bool read_vector(double *values, unsigned count, const struct dataset *ds, uint32_t tag)
{
	bool all = true;

	for (unsigned i = 0; i < count; i++) {
		values[i] = dataset_get_double(ds, AT(TAG_DetectorInformationSequence, 0, tag), i);
		if (isnan(values[i]))
			values[i] = dataset_get_double(ds, AT(tag), i);
		all = all && !isnan(values[i]);
	}
	return all;
}

static enum status_code make_grid(struct grid *grid, const struct dataset *ds,
				  const struct emission_image *image, struct status *st)
{
	const double *spacing_mm = image->info.pixel_spacing_mm;
	double step_mm = dataset_get_double(ds, AT(TAG_SpacingBetweenSlices), 0), o[6];

	if (!read_vector(o, 6, ds, TAG_ImageOrientationPatient) ||
	    !read_vector(grid->origin_mm, 3, ds, TAG_ImagePositionPatient))
		return status_fail(st, STATUS_REFUSE,
				   "NM image without position or orientation in the patient");
	if (isnan(step_mm) && image->info.frames == 1)
		step_mm = image->info.slice_thickness_mm;
	if (isnan(step_mm))
		return status_fail(st, STATUS_REFUSE, "NM image without spacing between slices");
	const double normal[3] = {o[1] * o[5] - o[2] * o[4], o[2] * o[3] - o[0] * o[5],
				  o[0] * o[4] - o[1] * o[3]};
	grid->columns = image->info.columns;
	grid->rows = image->info.rows;
	grid->slices = image->info.frames;
	for (int a = 0; a < 3; a++) {
		grid->column_step_mm[a] = o[a] * spacing_mm[1];
		grid->row_step_mm[a] = o[a + 3] * spacing_mm[0];
		grid->slice_step_mm[a] = normal[a] * step_mm; /* negative: against the normal */
	}
	snprintf(grid->frame_of_reference, sizeof grid->frame_of_reference, "%s",
		 image->info.frame_of_reference_uid);
	return grid_check(grid, st);
}

/* ---- how much ---- */

/* Duration of the only rotation; several of them may be beds or repetitions, which counts
 * differently for the sensitivity. */
static double rotation_s(const struct dataset *ds)
{
	double frame_ms = dataset_get_double(
	    ds, AT(TAG_RotationInformationSequence, 0, TAG_ActualFrameDuration), 0);
	double frames = dataset_get_double(
	    ds, AT(TAG_RotationInformationSequence, 0, TAG_NumberOfFramesInRotation), 0);

	if (dataset_item_count(ds, AT(TAG_RotationInformationSequence)) != 1 || !(frame_ms > 0) ||
	    !(frames > 0))
		return (double)NAN;
	return frame_ms / 1000.0 * frames;
}

/* Stored value -> value * factor + offset. */
struct worth {
	double factor, offset;
	bool calibrated;
};

static bool maps_to_bq_per_ml(struct worth *worth, const struct dataset *ds, struct status *st)
{
#define MAPPING(...) AT(TAG_RealWorldValueMappingSequence, 0, __VA_ARGS__)
	char unit[17] = "";

	if (dataset_get_string(ds, MAPPING(TAG_MeasurementUnitsCodeSequence, 0, TAG_CodeValue),
			       unit, sizeof unit, st) != STATUS_OK ||
	    (strcmp(unit, "Bq/ml") != 0 && strcmp(unit, "Bq/mL") != 0))
		return false;
	worth->factor = dataset_get_double(ds, MAPPING(TAG_RealWorldValueSlope), 0);
	worth->offset = dataset_get_double(ds, MAPPING(TAG_RealWorldValueIntercept), 0);
	worth->calibrated = worth->factor > 0 && isfinite(worth->offset);
	return worth->calibrated;
}

static enum status_code find_worth(struct worth *worth, struct emission_series *series,
				   const struct dataset *ds, double cps_per_mbq,
				   const struct grid *grid, struct status *st)
{
	double slope = dataset_get_double(ds, AT(TAG_RescaleSlope), 0);
	double intercept = dataset_get_double(ds, AT(TAG_RescaleIntercept), 0);

	series->scan_duration_s = rotation_s(ds);
	if (maps_to_bq_per_ml(worth, ds, st) || st->code != STATUS_OK)
		return st->code;
	worth->factor = isnan(slope) ? 1 : slope;
	worth->offset = isnan(intercept) ? 0 : intercept;
	if (!(worth->factor > 0))
		return status_fail(st, STATUS_REFUSE, "rescale slope is %g", worth->factor);
	if (isnan(cps_per_mbq))
		return STATUS_OK;
	if (!(cps_per_mbq > 0))
		return status_fail(st, STATUS_REFUSE, "sensitivity of %g cps/MBq", cps_per_mbq);
	if (isnan(series->scan_duration_s))
		return status_fail(st, STATUS_REFUSE,
				   "NM image does not say how long its one rotation took: counts "
				   "are no activity");
	double bq_per_ml_per_count =
	    1e6 / (series->scan_duration_s * cps_per_mbq) / grid_voxel_volume_ml(grid);
	worth->factor *= bq_per_ml_per_count;
	worth->offset *= bq_per_ml_per_count;
	worth->calibrated = true;
	series->cps_per_mbq = cps_per_mbq;
	return STATUS_OK;
}

static enum status_code find_decay_correction(struct emission_series *series,
					      const struct emission_image *image, struct status *st)
{
	const char *as_written = image->decay_correction;

	series->corrected_to = EMISSION_DECAY_NONE;
	if (strcmp(as_written, "START") == 0)
		series->corrected_to = EMISSION_DECAY_START;
	else if (strcmp(as_written, "ADMIN") == 0)
		series->corrected_to = EMISSION_DECAY_ADMINISTRATION;
	else if (series->calibrated && strcmp(as_written, "NONE") != 0 &&
		 (as_written[0] || strstr(image->corrections, "DECY")))
		return status_fail(st, STATUS_REFUSE,
				   "NM image is corrected for decay, but not said to what time");
	return STATUS_OK;
}

static enum status_code read_frames(struct volume *volume, struct dataset *ds, const int *slice_of,
				    const struct worth *worth, struct status *st)
{
	size_t pixels = (size_t)volume->grid.rows * (size_t)volume->grid.columns;

	for (int f = 0; f < volume->grid.slices; f++) {
		float *out = volume->samples + (size_t)slice_of[f] * pixels;
		if (dataset_get_frame(ds, (unsigned)f, out, pixels, st) != STATUS_OK)
			return status_prefix(st, "frame %d", f + 1);
		for (size_t i = 0; i < pixels; i++)
			out[i] = (float)((double)out[i] * worth->factor + worth->offset);
	}
	return STATUS_OK;
}

enum status_code emission_read_nm(struct emission_series *series, struct dataset *ds,
				  const struct emission_image *image, double cps_per_mbq,
				  struct status *st)
{
	struct worth worth = {.calibrated = false};
	struct grid grid = {.columns = 0};
	int *slice_of;

	if (check_kind(ds, image, st) != STATUS_OK ||
	    make_grid(&grid, ds, image, st) != STATUS_OK ||
	    find_worth(&worth, series, ds, cps_per_mbq, &grid, st) != STATUS_OK)
		return st->code;
	series->calibrated = worth.calibrated;
	series->lossy = image->info.lossy;
	snprintf(series->scan_start, sizeof series->scan_start, "%s",
		 image->info.acquisition_datetime[0] ? image->info.acquisition_datetime
						     : image->series_datetime);
	if (find_decay_correction(series, image, st) != STATUS_OK)
		return st->code;
	slice_of = malloc((size_t)grid.slices * sizeof *slice_of);
	if (!slice_of)
		return status_fail(st, STATUS_RETRY, "no memory for %d frames", grid.slices);
	if (read_order(slice_of, ds, grid.slices, st) == STATUS_OK &&
	    volume_new(&series->activity_bq_per_ml, &grid, NAN, st) == STATUS_OK)
		(void)!read_frames(&series->activity_bq_per_ml, ds, slice_of, &worth, st);
	free(slice_of);
	return st->code;
}
