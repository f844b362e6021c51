/* rt_structure_set_writer.c - see rt_structure_set_writer.h; attributes in module order of PS3.3
 * A.19. */
#include "rt_structure_set_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tags.h"
#include "writer.h"

#define RT_STRUCTURE_SET_STORAGE "1.2.840.10008.5.1.4.1.1.481.3"
#define MR_IMAGE_STORAGE	 "1.2.840.10008.5.1.4.1.1.4"
#define STUDY_COMPONENT		 "1.2.840.10008.3.1.2.3.1" /* class of a study */
#define LONGEST_ELEMENT		 65534

static void write_head(struct writer *w, const struct rt_structure_input *input)
{
	const struct mr_image_study *study = input->study;
	writer_string(w, AT(TAG_SOPClassUID), RT_STRUCTURE_SET_STORAGE);
	writer_string(w, AT(TAG_SOPInstanceUID), input->sop_instance_uid);
	writer_string(w, AT(TAG_TimezoneOffsetFromUTC), study->utc_offset);
	writer_date_time(w, TAG_InstanceCreationDate, TAG_InstanceCreationTime, input->datetime);
	writer_string(w, AT(TAG_PatientName), study->patient_name);
	writer_string(w, AT(TAG_PatientID), study->patient_id);
	writer_string(w, AT(TAG_IssuerOfPatientID), study->patient_issuer);
	writer_empty(w, AT(TAG_PatientBirthDate));
	writer_string(w, AT(TAG_PatientSex), "O");
	writer_string(w, AT(TAG_StudyInstanceUID), study->study_instance_uid);
	writer_date_time(w, TAG_StudyDate, TAG_StudyTime, study->study_datetime);
	writer_empty(w, AT(TAG_ReferringPhysicianName));
	writer_string(w, AT(TAG_StudyID), "1");
	writer_empty(w, AT(TAG_AccessionNumber));
	writer_string(w, AT(TAG_StudyDescription), study->study_description);
	writer_string(w, AT(TAG_Modality), "RTSTRUCT");
	writer_string(w, AT(TAG_SeriesInstanceUID), input->series_instance_uid);
	writer_int(w, AT(TAG_SeriesNumber), input->series_number);
	writer_string(w, AT(TAG_SeriesDescription), input->label);
	writer_date_time(w, TAG_SeriesDate, TAG_SeriesTime, input->datetime);
	writer_empty(w, AT(TAG_OperatorsName));
	writer_string(w, AT(TAG_Manufacturer), "holmia");
	writer_string(w, AT(TAG_ManufacturerModelName), "synthetic phantom");
	writer_string(w, AT(TAG_SoftwareVersions), HOLMIA_VERSION);
	writer_string(w, AT(TAG_FrameOfReferenceUID), input->frame_of_reference_uid);
	writer_empty(w, AT(TAG_PositionReferenceIndicator));
	writer_string(w, AT(TAG_StructureSetLabel), "PHANTOM");
	writer_string(w, AT(TAG_StructureSetName), input->label);
	writer_date_time(w, TAG_StructureSetDate, TAG_StructureSetTime, input->datetime);
}

static void write_image(struct writer *w, struct dataset_path sequence, uint32_t item,
			const char *uid)
{
	writer_string(w, writer_below(sequence, item, TAG_ReferencedSOPClassUID), MR_IMAGE_STORAGE);
	writer_string(w, writer_below(sequence, item, TAG_ReferencedSOPInstanceUID), uid);
}

static void write_references(struct writer *w, const struct rt_structure_input *input)
{
	struct dataset_path frame = AT(TAG_ReferencedFrameOfReferenceSequence);
	struct dataset_path study = writer_below(frame, 0, TAG_RTReferencedStudySequence);
	struct dataset_path series = writer_below(study, 0, TAG_RTReferencedSeriesSequence);
	struct dataset_path images = writer_below(series, 0, TAG_ContourImageSequence);
	writer_string(w, writer_below(frame, 0, TAG_FrameOfReferenceUID),
		      input->frame_of_reference_uid);
	writer_string(w, writer_below(study, 0, TAG_ReferencedSOPClassUID), STUDY_COMPONENT);
	writer_string(w, writer_below(study, 0, TAG_ReferencedSOPInstanceUID),
		      input->study->study_instance_uid);
	writer_string(w, writer_below(series, 0, TAG_SeriesInstanceUID), input->image_series_uid);
	for (int i = 0; i < input->n_images; i++)
		write_image(w, images, (uint32_t)i, input->image_uids[i]);
}

static void write_points(struct writer *w, struct dataset_path path,
			 const struct rt_structure_contour *contour)
{
	size_t values = 3 * (size_t)contour->points, used = 0, room = values * 13 + 1;
	char *text = w->code == STATUS_OK ? malloc(room) : NULL;
	if (!text) {
		if (w->code == STATUS_OK)
			w->code = status_fail(w->st, STATUS_RETRY, "no memory for a contour");
		return;
	}
	for (size_t i = 0; i < values; i++)
		used += (size_t)snprintf(text + used, room - used, i ? "\\%.3f" : "%.3f",
					 contour->points_mm[i] + 0.0);
	if (used > LONGEST_ELEMENT)
		w->code = status_fail(w->st, STATUS_BUG,
				      "a contour of %d points is too long for one element",
				      contour->points);
	writer_string(w, path, text);
	free(text);
}

static void write_region(struct writer *w, const struct rt_structure_input *input, int at)
{
	const struct rt_structure_region *region = &input->regions[at];
	struct dataset_path contours =
	    AT(TAG_ROIContourSequence, (uint32_t)at, TAG_ContourSequence);
	char colour[40];
	snprintf(colour, sizeof colour, "%d\\%d\\%d", region->colour[0], region->colour[1],
		 region->colour[2]);
	writer_string(w, AT(TAG_ROIContourSequence, (uint32_t)at, TAG_ROIDisplayColor), colour);
	for (int i = 0; i < region->n_contours; i++) {
		const struct rt_structure_contour *contour = &region->contours[i];
		uint32_t item = (uint32_t)i;
		write_image(w, writer_below(contours, item, TAG_ContourImageSequence), 0,
			    input->image_uids[contour->slice]);
		writer_string(w, writer_below(contours, item, TAG_ContourGeometricType),
			      "CLOSED_PLANAR");
		writer_int(w, writer_below(contours, item, TAG_NumberOfContourPoints),
			   contour->points);
		writer_int(w, writer_below(contours, item, TAG_ContourNumber), i + 1);
		write_points(w, writer_below(contours, item, TAG_ContourData), contour);
	}
	writer_int(w, AT(TAG_ROIContourSequence, (uint32_t)at, TAG_ReferencedROINumber), at + 1);
}

enum status_code rt_structure_set_build(struct dataset **ds, const struct rt_structure_input *input,
					struct status *st)
{
	struct dataset *made = NULL;
	if (dataset_new(&made, st) != STATUS_OK)
		return st->code;
	struct writer w = writer_begin(made, st);
	write_head(&w, input);
	write_references(&w, input);
	for (int i = 0; i < input->n_regions; i++) {
		const uint32_t item = (uint32_t)i;
		const struct dataset_path roi = AT(TAG_StructureSetROISequence);
		writer_int(&w, writer_below(roi, item, TAG_ROINumber), i + 1);
		writer_string(&w, writer_below(roi, item, TAG_ReferencedFrameOfReferenceUID),
			      input->frame_of_reference_uid);
		writer_string(&w, writer_below(roi, item, TAG_ROIName), input->regions[i].name);
		writer_string(&w, writer_below(roi, item, TAG_ROIGenerationAlgorithm), "AUTOMATIC");
	}
	for (int i = 0; i < input->n_regions; i++)
		write_region(&w, input, i);
	for (int i = 0; i < input->n_regions; i++) {
		const uint32_t item = (uint32_t)i;
		const struct dataset_path seen = AT(TAG_RTROIObservationsSequence);
		writer_int(&w, writer_below(seen, item, TAG_ObservationNumber), i + 1);
		writer_int(&w, writer_below(seen, item, TAG_ReferencedROINumber), i + 1);
		writer_string(&w, writer_below(seen, item, TAG_RTROIInterpretedType),
			      input->regions[i].interpreted_type);
		writer_empty(&w, writer_below(seen, item, TAG_ROIInterpreter));
	}
	writer_string(&w, AT(TAG_ApprovalStatus), "UNAPPROVED");
	if (w.code != STATUS_OK) {
		dataset_free(made);
		return w.code;
	}
	*ds = made;
	return STATUS_OK;
}
