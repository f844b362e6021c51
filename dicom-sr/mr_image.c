/* mr_image.c - see mr_image.h; attributes in module order of PS3.3 A.4. */
#include "mr_image.h"

#include <math.h>

#include "mr_image_parts.h"
#include "tags.h"

#define MR_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.4"

void mr_image_write_study(struct writer *w, const struct mr_image_study *study)
{
	writer_string(w, AT(TAG_PatientName), study->patient_name);
	writer_string(w, AT(TAG_PatientID), study->patient_id);
	writer_string(w, AT(TAG_IssuerOfPatientID), study->patient_issuer);
	writer_empty(w, AT(TAG_PatientBirthDate));
	writer_string(w, AT(TAG_PatientSex), "O");
	writer_string(w, AT(TAG_PatientComments), "synthetic phantom, no person");

	writer_string(w, AT(TAG_StudyInstanceUID), study->study_instance_uid);
	writer_date_time(w, TAG_StudyDate, TAG_StudyTime, study->study_datetime);
	writer_empty(w, AT(TAG_ReferringPhysicianName));
	writer_string(w, AT(TAG_StudyID), "1");
	writer_empty(w, AT(TAG_AccessionNumber));
	writer_string(w, AT(TAG_StudyDescription), study->study_description);
}

void mr_image_write_equipment(struct writer *w)
{
	writer_string(w, AT(TAG_Manufacturer), "holmia");
	writer_string(w, AT(TAG_ManufacturerModelName), "synthetic phantom");
	writer_string(w, AT(TAG_SoftwareVersions), HOLMIA_VERSION);
	writer_string(w, AT(TAG_StationName), "PHANTOM");
}

static void write_series(struct writer *w, const struct mr_image_series *series)
{
	writer_string(w, AT(TAG_Modality), "MR");
	writer_string(w, AT(TAG_SeriesInstanceUID), series->series_instance_uid);
	writer_int(w, AT(TAG_SeriesNumber), series->number);
	writer_date_time(w, TAG_SeriesDate, TAG_SeriesTime, series->acquisition_datetime);
	writer_string(w, AT(TAG_SeriesDescription), series->description);
	writer_string(w, AT(TAG_ProtocolName), series->description);
	writer_string(w, AT(TAG_BodyPartExamined), "LIVER");
	writer_string(w, AT(TAG_PatientPosition), "HFS");
	writer_string(w, AT(TAG_FrameOfReferenceUID), series->grid->frame_of_reference);
	writer_empty(w, AT(TAG_PositionReferenceIndicator));
	mr_image_write_equipment(w);
}

static void write_acquisition(struct writer *w, const struct mr_image_series *series)
{
	writer_string(w, AT(TAG_ImageType), "ORIGINAL\\PRIMARY\\M\\NONE");
	writer_date_time(w, TAG_AcquisitionDate, TAG_AcquisitionTime, series->acquisition_datetime);
	writer_string(w, AT(TAG_AcquisitionDateTime), series->acquisition_datetime);
	writer_date_time(w, TAG_ContentDate, TAG_ContentTime, series->acquisition_datetime);
	writer_int(w, AT(TAG_AcquisitionNumber), 1);
	writer_int(w, AT(TAG_ImagesInAcquisition), series->images);
	writer_string(w, AT(TAG_ImageComments), series->study->comment);

	writer_string(w, AT(TAG_ScanningSequence), "GR");
	writer_string(w, AT(TAG_SequenceVariant), "SP");
	writer_empty(w, AT(TAG_ScanOptions));
	writer_string(w, AT(TAG_MRAcquisitionType), "2D");
	writer_string(w, AT(TAG_SequenceName), series->sequence_name);
	writer_doubles(w, AT(TAG_RepetitionTime), &series->tr_ms, 1);
	writer_int(w, AT(TAG_EchoTrainLength), series->echoes);
	writer_doubles(w, AT(TAG_FlipAngle), &series->flip_deg, 1);
	writer_doubles(w, AT(TAG_MagneticFieldStrength), &series->field_strength_t, 1);
	writer_string(w, AT(TAG_ImagedNucleus), "1H");
	writer_int(w, AT(TAG_NumberOfAverages), 1);
	writer_string(w, AT(TAG_ReceiveCoilName), "none (synthetic)");
}

void mr_image_unit_vector(double unit[3], const double step_mm[3], double length_mm)
{
	for (int axis = 0; axis < 3; axis++)
		unit[axis] = round(step_mm[axis] / length_mm * 1e12) / 1e12 + 0.0; /* no -0 */
}

void mr_image_write_plane(struct writer *w, const struct grid *grid, int slice)
{
	const double voxel[3] = {0, 0, slice};
	double position[3], orientation[6], location = 0;
	double spacing[2] = {grid_spacing_mm(grid, 1), grid_spacing_mm(grid, 0)};
	double thickness = grid_spacing_mm(grid, 2);
	grid_to_patient(grid, voxel, position);
	mr_image_unit_vector(orientation, grid->column_step_mm, spacing[1]);
	mr_image_unit_vector(orientation + 3, grid->row_step_mm, spacing[0]);
	for (int axis = 0; axis < 3; axis++) {
		location += position[axis] * grid->slice_step_mm[axis] / thickness;
		position[axis] = round(position[axis] * 1e9) / 1e9 + 0.0;
	}
	location = round(location * 1e6) / 1e6 + 0.0;
	writer_doubles(w, AT(TAG_ImagePositionPatient), position, 3);
	writer_doubles(w, AT(TAG_ImageOrientationPatient), orientation, 6);
	writer_doubles(w, AT(TAG_PixelSpacing), spacing, 2);
	writer_doubles(w, AT(TAG_SliceThickness), &thickness, 1);
	writer_doubles(w, AT(TAG_SpacingBetweenSlices), &thickness, 1);
	writer_doubles(w, AT(TAG_SliceLocation), &location, 1);
}

void mr_image_write_pixel_form(struct writer *w, const struct grid *grid)
{
	writer_int(w, AT(TAG_SamplesPerPixel), 1);
	writer_string(w, AT(TAG_PhotometricInterpretation), "MONOCHROME2");
	writer_int(w, AT(TAG_Rows), grid->rows);
	writer_int(w, AT(TAG_Columns), grid->columns);
	writer_int(w, AT(TAG_BitsAllocated), 16);
	writer_int(w, AT(TAG_BitsStored), 16);
	writer_int(w, AT(TAG_HighBit), 15);
	writer_int(w, AT(TAG_PixelRepresentation), 0);
}

static void write_pixels(struct writer *w, const struct mr_image_series *series,
			 const uint16_t *pixels)
{
	const struct grid *grid = series->grid;
	mr_image_write_pixel_form(w, grid);
	writer_doubles(w, AT(TAG_WindowCenter), &series->window_centre, 1);
	writer_doubles(w, AT(TAG_WindowWidth), &series->window_width, 1);
	if (w->code == STATUS_OK)
		w->code = dataset_set_pixels_u16(w->ds, pixels,
						 (size_t)grid->rows * (size_t)grid->columns, w->st);
}

enum status_code mr_image_build(struct dataset **ds, const struct mr_image_series *series,
				const char *sop_instance_uid, int slice, int echo, double te_ms,
				int instance_number, const uint16_t *pixels, struct status *st)
{
	struct dataset *made = NULL;
	if (dataset_new(&made, st) != STATUS_OK)
		return st->code;
	struct writer w = writer_begin(made, st);
	writer_string(&w, AT(TAG_SOPClassUID), MR_IMAGE_STORAGE);
	writer_string(&w, AT(TAG_SOPInstanceUID), sop_instance_uid);
	writer_string(&w, AT(TAG_TimezoneOffsetFromUTC), series->study->utc_offset);
	mr_image_write_study(&w, series->study);
	write_series(&w, series);
	write_acquisition(&w, series);
	writer_int(&w, AT(TAG_InstanceNumber), instance_number);
	writer_doubles(&w, AT(TAG_EchoTime), &te_ms, 1);
	writer_int(&w, AT(TAG_EchoNumbers), echo + 1);
	mr_image_write_plane(&w, series->grid, slice);
	write_pixels(&w, series, pixels);
	if (w.code != STATUS_OK) {
		dataset_free(made);
		return w.code;
	}
	*ds = made;
	return STATUS_OK;
}
