/* emission_image.c - see emission_image.h; attributes in module order. */
#include "emission_image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mr_image_parts.h"
#include "tags.h"

#define PET_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.128"
#define NM_IMAGE_STORAGE  "1.2.840.10008.5.1.4.1.1.20"

#define MAX_SLICES 400 /* of one NM image: four characters each in the slice vector's text */

static const struct code holmium_166 = {"C1943", "NCIt", "Holmium-166"};
static const struct code recumbent = {"102538003", "SCT", "recumbent"};
static const struct code supine = {"40199007", "SCT", "supine"};
static const struct code headfirst = {"102540008", "SCT", "headfirst"};

static void write_series(struct writer *w, const struct emission_image_series *series,
			 const char *modality)
{
	writer_string(w, AT(TAG_Modality), modality);
	writer_string(w, AT(TAG_SeriesInstanceUID), series->series_instance_uid);
	writer_int(w, AT(TAG_SeriesNumber), series->number);
	writer_date_time(w, TAG_SeriesDate, TAG_SeriesTime, series->scan_start);
	writer_string(w, AT(TAG_SeriesDescription), series->description);
	writer_string(w, AT(TAG_BodyPartExamined), "LIVER");
	writer_string(w, AT(TAG_FrameOfReferenceUID), series->grid->frame_of_reference);
	writer_empty(w, AT(TAG_PositionReferenceIndicator));
	mr_image_write_equipment(w);
	writer_date_time(w, TAG_AcquisitionDate, TAG_AcquisitionTime, series->scan_start);
	writer_date_time(w, TAG_ContentDate, TAG_ContentTime, series->scan_start);
	writer_string(w, AT(TAG_ImageComments), series->study->comment);
}

/* Who lies how in the gantry, and with what inside. */
static void write_isotope(struct writer *w, const struct emission_image_series *series)
{
#define PHARMACEUTICAL(keyword) AT(TAG_RadiopharmaceuticalInformationSequence, 0, TAG_##keyword)
	double dose_bq = series->injected_mbq * 1e6, half_life_s = series->half_life_h * 3600;
	writer_string(w, PHARMACEUTICAL(Radiopharmaceutical), "Ho-166 microspheres");
	writer_doubles(w, PHARMACEUTICAL(RadionuclideTotalDose), &dose_bq, 1);
	writer_doubles(w, PHARMACEUTICAL(RadionuclideHalfLife), &half_life_s, 1);
	writer_string(w, PHARMACEUTICAL(RadiopharmaceuticalStartDateTime), series->administration);
	writer_code(w, PHARMACEUTICAL(RadionuclideCodeSequence), 0, &holmium_166);
	writer_code(w, AT(TAG_PatientOrientationCodeSequence), 0, &recumbent);
	writer_code(
	    w,
	    AT(TAG_PatientOrientationCodeSequence, 0, TAG_PatientOrientationModifierCodeSequence),
	    0, &supine);
	writer_code(w, AT(TAG_PatientGantryRelationshipCodeSequence), 0, &headfirst);
}

static void write_window(struct writer *w, const struct emission_image_series *series)
{
#define WINDOW(...) AT(TAG_EnergyWindowInformationSequence, 0, __VA_ARGS__)
	double low = series->window_kev[0], high = series->window_kev[1];
	writer_doubles(w, WINDOW(TAG_EnergyWindowRangeSequence, 0, TAG_EnergyWindowLowerLimit),
		       &low, 1);
	writer_doubles(w, WINDOW(TAG_EnergyWindowRangeSequence, 0, TAG_EnergyWindowUpperLimit),
		       &high, 1);
	writer_string(w, WINDOW(TAG_EnergyWindowName), "photopeak");
}

static enum status_code finish(struct dataset **ds, struct dataset *made, const struct writer *w)
{
	if (w->code != STATUS_OK)
		dataset_free(made);
	else
		*ds = made;
	return w->code;
}

/* ---- PET ---- */

static void write_pet_pixels(struct writer *w, const struct emission_image_series *series,
			     const float *bq_per_ml)
{
	size_t area = (size_t)series->grid->rows * (size_t)series->grid->columns;
	uint16_t *stored = malloc(area * sizeof *stored);
	double most = 0, zero = 0, slope;
	if (!stored) {
		w->code = status_fail(w->st, STATUS_RETRY, "no memory for an image");
		return;
	}
	for (size_t at = 0; at < area; at++)
		most = fmax(most, (double)bq_per_ml[at]);
	/* of the digits that a decimal string keeps */
	slope = most > 0 ? ceil(most / 65535 * 1e6) / 1e6 : 1;
	for (size_t at = 0; at < area; at++)
		stored[at] = (uint16_t)fmin(fmax((double)bq_per_ml[at], 0) / slope + 0.5, 65535);
	mr_image_write_pixel_form(w, series->grid);
	writer_doubles(w, AT(TAG_RescaleIntercept), &zero, 1);
	writer_doubles(w, AT(TAG_RescaleSlope), &slope, 1);
	if (w->code == STATUS_OK)
		w->code = dataset_set_pixels_u16(w->ds, stored, area, w->st);
	free(stored);
}

enum status_code emission_image_build_pet(struct dataset **ds,
					  const struct emission_image_series *series,
					  const char *sop_instance_uid, int slice,
					  const float *bq_per_ml, struct status *st)
{
	struct dataset *made = NULL;
	double lambda_t = log(2) / (series->half_life_h * 3600) * series->scan_duration_s;
	/* from the mean over the scan to its start */
	double decay_factor = lambda_t / -expm1(-lambda_t), reference_ms = 0;
	if (dataset_new(&made, st) != STATUS_OK)
		return st->code;
	struct writer w = writer_begin(made, st);
	writer_string(&w, AT(TAG_SOPClassUID), PET_IMAGE_STORAGE);
	writer_string(&w, AT(TAG_SOPInstanceUID), sop_instance_uid);
	writer_string(&w, AT(TAG_TimezoneOffsetFromUTC), series->study->utc_offset);
	mr_image_write_study(&w, series->study);
	write_series(&w, series, "PT");
	writer_string(&w, AT(TAG_Units), "BQML");
	writer_string(&w, AT(TAG_CountsSource), "EMISSION");
	writer_string(&w, AT(TAG_SeriesType), "STATIC\\IMAGE");
	writer_int(&w, AT(TAG_NumberOfSlices), series->grid->slices);
	writer_string(&w, AT(TAG_CorrectedImage), "DECY\\ATTN\\SCAT");
	writer_string(&w, AT(TAG_RandomsCorrectionMethod), "NONE");
	writer_string(&w, AT(TAG_AttenuationCorrectionMethod), "known (synthetic)");
	writer_string(&w, AT(TAG_ScatterCorrectionMethod), "none needed (synthetic)");
	writer_string(&w, AT(TAG_DecayCorrection), "START");
	writer_string(&w, AT(TAG_CollimatorType), "NONE");
	write_isotope(&w, series);
	writer_string(&w, AT(TAG_ImageType), "ORIGINAL\\PRIMARY");
	writer_doubles(&w, AT(TAG_FrameReferenceTime), &reference_ms, 1);
	writer_int(&w, AT(TAG_ActualFrameDuration), (int64_t)(series->scan_duration_s * 1000));
	writer_doubles(&w, AT(TAG_DecayFactor), &decay_factor, 1);
	writer_int(&w, AT(TAG_ImageIndex), slice + 1);
	writer_int(&w, AT(TAG_InstanceNumber), slice + 1);
	mr_image_write_plane(&w, series->grid, slice);
	write_pet_pixels(&w, series, bq_per_ml);
	return finish(ds, made, &w);
}

/* ---- NM ---- */

static void write_detector(struct writer *w, const struct emission_image_series *series)
{
#define DETECTOR(keyword) AT(TAG_DetectorInformationSequence, 0, TAG_##keyword)
#define ROTATION(keyword) AT(TAG_RotationInformationSequence, 0, TAG_##keyword)
	const struct grid *grid = series->grid;
	enum { VIEWS = 120 };
	double first[3], orientation[6];
	double start_deg = 0, step_deg = 3, arc_deg = 360, radius_mm = 250;
	const double voxel[3] = {0, 0, 0};
	grid_to_patient(grid, voxel, first);
	mr_image_unit_vector(orientation, grid->column_step_mm, grid_spacing_mm(grid, 0));
	mr_image_unit_vector(orientation + 3, grid->row_step_mm, grid_spacing_mm(grid, 1));
	writer_int(w, AT(TAG_NumberOfEnergyWindows), 1);
	write_window(w, series);
	writer_int(w, AT(TAG_NumberOfDetectors), 1);
	writer_string(w, DETECTOR(CollimatorType), "PARA");
	writer_doubles(w, DETECTOR(ImagePositionPatient), first, 3);
	writer_doubles(w, DETECTOR(ImageOrientationPatient), orientation, 6);
	writer_int(w, AT(TAG_NumberOfRotations), 1);
	writer_doubles(w, ROTATION(StartAngle), &start_deg, 1);
	writer_doubles(w, ROTATION(AngularStep), &step_deg, 1);
	writer_string(w, ROTATION(RotationDirection), "CW");
	writer_doubles(w, ROTATION(ScanArc), &arc_deg, 1);
	writer_int(w, ROTATION(ActualFrameDuration),
		   (int64_t)(series->scan_duration_s * 1000 / VIEWS));
	writer_doubles(w, ROTATION(RadialPosition), &radius_mm, 1);
	writer_int(w, ROTATION(NumberOfFramesInRotation), VIEWS);
	writer_string(w, AT(TAG_TypeOfDetectorMotion), "STEP AND SHOOT");
}

static void write_slice_vector(struct writer *w, int slices)
{
	char text[MAX_SLICES * 4];
	int at = 0;
	if (slices > MAX_SLICES) {
		w->code = status_fail(w->st, STATUS_BUG, "%d slices in one NM image", slices);
		return;
	}
	for (int slice = 1; slice <= slices; slice++)
		at += snprintf(text + at, sizeof text - (size_t)at, "%s%d", at ? "\\" : "", slice);
	writer_string(w, AT(TAG_SliceVector), text);
	writer_int(w, AT(TAG_NumberOfSlices), slices);
}

enum status_code emission_image_build_nm(struct dataset **ds,
					 const struct emission_image_series *series,
					 const char *sop_instance_uid, const uint16_t *counts,
					 struct status *st)
{
	const struct grid *grid = series->grid;
	struct dataset *made = NULL;
	double between_mm = grid_spacing_mm(grid, 2);
	double spacing_mm[2] = {grid_spacing_mm(grid, 1), grid_spacing_mm(grid, 0)};
	if (dataset_new(&made, st) != STATUS_OK)
		return st->code;
	struct writer w = writer_begin(made, st);
	writer_string(&w, AT(TAG_SOPClassUID), NM_IMAGE_STORAGE);
	writer_string(&w, AT(TAG_SOPInstanceUID), sop_instance_uid);
	writer_string(&w, AT(TAG_TimezoneOffsetFromUTC), series->study->utc_offset);
	mr_image_write_study(&w, series->study);
	write_series(&w, series, "NM");
	write_isotope(&w, series);
	writer_string(&w, AT(TAG_ImageType), "ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION");
	writer_string(&w, AT(TAG_CorrectedImage), "ATTN\\SCAT");
	writer_int(&w, AT(TAG_InstanceNumber), 1);
	writer_string(&w, AT(TAG_AcquisitionTerminationCondition), "TIME");
	writer_empty(&w, AT(TAG_CountsAccumulated));
	writer_doubles(&w, AT(TAG_PixelSpacing), spacing_mm, 2);
	writer_doubles(&w, AT(TAG_SliceThickness), &between_mm, 1);
	writer_doubles(&w, AT(TAG_SpacingBetweenSlices), &between_mm, 1);
	write_detector(&w, series);
	writer_int(&w, AT(TAG_NumberOfFrames), grid->slices);
	if (w.code == STATUS_OK)
		w.code = dataset_set_tag(made, AT(TAG_FrameIncrementPointer), TAG_SliceVector, st);
	write_slice_vector(&w, grid->slices);
	mr_image_write_pixel_form(&w, grid);
	if (w.code == STATUS_OK)
		w.code = dataset_set_pixels_u16(made, counts, grid_voxels(grid), st);
	return finish(ds, made, &w);
}
