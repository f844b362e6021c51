#include "rt_structure_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tags.h"

#define RT_STRUCTURE_SET_STORAGE "1.2.840.10008.5.1.4.1.1.481.3"

static enum status_code read_contours(struct rt_roi *roi, const struct dataset *ds, unsigned item,
				      struct status *st)
{
	unsigned count =
	    dataset_item_count(ds, AT(TAG_ROIContourSequence, item, TAG_ContourSequence));
	struct mask_contour *contours;

	if (count == 0)
		return STATUS_OK;
	/* A ROI may have its contours in two items: these come behind the ones that are there. */
	contours = realloc(roi->contours, ((size_t)roi->n_contours + count) * sizeof(*contours));
	if (!contours)
		return status_fail(st, STATUS_RETRY, "no memory for %u contours", count);
	roi->contours = contours;
	for (unsigned c = 0; c < count; c++) {
		struct mask_contour *contour = &roi->contours[roi->n_contours];
		char type[20];
		double *points_mm = NULL;
		size_t values = 0;
		enum status_code code =
		    dataset_get_string(ds,
				       AT(TAG_ROIContourSequence, item, TAG_ContourSequence, c,
					  TAG_ContourGeometricType),
				       type, sizeof(type), st);
		if (code != STATUS_OK)
			return code;
		if (strcmp(type, "CLOSED_PLANAR") != 0 && strcmp(type, "CLOSEDPLANAR_XOR") != 0) {
			roi->ignored_contours++;
			continue;
		}
		code = dataset_get_doubles(
		    ds, AT(TAG_ROIContourSequence, item, TAG_ContourSequence, c, TAG_ContourData),
		    &points_mm, &values, st);
		if (code == STATUS_OK && (values % 3 != 0 || values > 3 * (size_t)INT32_MAX))
			code = status_fail(st, STATUS_REFUSE,
					   "%zu coordinates are not a multiple of three", values);
		if (code != STATUS_OK) {
			free(points_mm);
			return status_prefix(st, "ROI \"%s\", contour %u", roi->name, c + 1);
		}
		if (values == 0) {
			roi->ignored_contours++;
			continue;
		}
		contour->points_mm = points_mm;
		contour->points = (int)(values / 3);
		roi->n_contours++;
	}
	return STATUS_OK;
}

static struct rt_roi *find_roi(struct rt_structure_set *set, int64_t number)
{
	for (int i = 0; i < set->n_rois; i++)
		if (set->rois[i].number == number)
			return &set->rois[i];
	return NULL;
}

static enum status_code read_rois(struct rt_structure_set *set, const struct dataset *ds,
				  struct status *st)
{
	unsigned count = dataset_item_count(ds, AT(TAG_StructureSetROISequence));

	if (count == 0)
		return status_fail(st, STATUS_REFUSE, "structure set without any ROI");
	set->rois = calloc(count, sizeof(*set->rois));
	if (!set->rois)
		return status_fail(st, STATUS_RETRY, "no memory for %u ROIs", count);
	for (unsigned i = 0; i < count; i++) {
		struct rt_roi *roi = &set->rois[i];
		int64_t number =
		    dataset_get_int(ds, AT(TAG_StructureSetROISequence, i, TAG_ROINumber), -1);
		enum status_code code =
		    dataset_get_string(ds, AT(TAG_StructureSetROISequence, i, TAG_ROIName),
				       roi->name, sizeof(roi->name), st);
		if (code == STATUS_OK)
			code = dataset_get_string(
			    ds,
			    AT(TAG_StructureSetROISequence, i, TAG_ReferencedFrameOfReferenceUID),
			    roi->frame_of_reference_uid, sizeof(roi->frame_of_reference_uid), st);
		if (code != STATUS_OK)
			return code;
		if (number < 0 || number > INT32_MAX || find_roi(set, number))
			return status_fail(st, STATUS_REFUSE,
					   "ROI \"%s\": its number is missing or used twice",
					   roi->name);
		roi->number = (int)number;
		set->n_rois++;
	}
	return STATUS_OK;
}

static enum status_code read_all_contours(struct rt_structure_set *set, const struct dataset *ds,
					  struct status *st)
{
	unsigned count = dataset_item_count(ds, AT(TAG_ROIContourSequence));

	for (unsigned i = 0; i < count; i++) {
		int64_t number =
		    dataset_get_int(ds, AT(TAG_ROIContourSequence, i, TAG_ReferencedROINumber), -1);
		struct rt_roi *roi = find_roi(set, number);
		if (roi && read_contours(roi, ds, i, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

static enum status_code read_observations(struct rt_structure_set *set, const struct dataset *ds,
					  struct status *st)
{
	unsigned count = dataset_item_count(ds, AT(TAG_RTROIObservationsSequence));
	enum status_code code = STATUS_OK;

	for (unsigned i = 0; i < count && code == STATUS_OK; i++) {
		int64_t number = dataset_get_int(
		    ds, AT(TAG_RTROIObservationsSequence, i, TAG_ReferencedROINumber), -1);
		struct rt_roi *roi = find_roi(set, number);
		if (!roi)
			continue;
		code = dataset_get_string(
		    ds, AT(TAG_RTROIObservationsSequence, i, TAG_RTROIInterpretedType),
		    roi->interpreted_type, sizeof(roi->interpreted_type), st);
		if (code == STATUS_OK)
			code = dataset_get_string(ds,
						  AT(TAG_RTROIObservationsSequence, i,
						     TAG_RTROIIdentificationCodeSequence, 0,
						     TAG_CodeValue),
						  roi->code_value, sizeof(roi->code_value), st);
		if (code == STATUS_OK)
			code = dataset_get_string(ds,
						  AT(TAG_RTROIObservationsSequence, i,
						     TAG_RTROIIdentificationCodeSequence, 0,
						     TAG_CodingSchemeDesignator),
						  roi->code_scheme, sizeof(roi->code_scheme), st);
	}
	return code;
}

static enum status_code read_header(struct rt_structure_set *set, const struct dataset *ds,
				    struct status *st)
{
	char date[20], time[20];
	const struct {
		struct dataset_path path;
		char *out;
		size_t size;
	} rows[] = {
	    {AT(TAG_SOPClassUID), set->sop_class_uid, sizeof(set->sop_class_uid)},
	    {AT(TAG_SOPInstanceUID), set->sop_instance_uid, sizeof(set->sop_instance_uid)},
	    {AT(TAG_StudyInstanceUID), set->study_instance_uid, sizeof(set->study_instance_uid)},
	    {AT(TAG_SeriesInstanceUID), set->series_instance_uid, sizeof(set->series_instance_uid)},
	    {AT(TAG_StructureSetLabel), set->label, sizeof(set->label)},
	    {AT(TAG_StructureSetDate), date, sizeof(date)},
	    {AT(TAG_StructureSetTime), time, sizeof(time)},
	    {AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_FrameOfReferenceUID),
	     set->frame_of_reference_uid, sizeof(set->frame_of_reference_uid)},
	    {AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_RTReferencedStudySequence, 0,
		TAG_ReferencedSOPInstanceUID),
	     set->referenced_study_uid, sizeof(set->referenced_study_uid)},
	    {AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_RTReferencedStudySequence, 0,
		TAG_RTReferencedSeriesSequence, 0, TAG_SeriesInstanceUID),
	     set->referenced_series_uid, sizeof(set->referenced_series_uid)},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (dataset_get_string(ds, rows[i].path, rows[i].out, rows[i].size, st) !=
		    STATUS_OK)
			return st->code;
	if (strcmp(set->sop_class_uid, RT_STRUCTURE_SET_STORAGE) != 0)
		return status_fail(st, STATUS_REFUSE,
				   "not an RT Structure Set but SOP class \"%s\"",
				   set->sop_class_uid);
	if (strlen(date) == 8)
		snprintf(set->datetime, sizeof(set->datetime), "%.8s%.16s", date, time);
	return STATUS_OK;
}

enum status_code rt_structure_set_read(struct rt_structure_set *set, const struct dataset *ds,
				       struct status *st)
{
	struct rt_structure_set made;
	enum status_code code;

	memset(&made, 0, sizeof(made));
	code = read_header(&made, ds, st);
	if (code == STATUS_OK)
		code = read_rois(&made, ds, st);
	if (code == STATUS_OK)
		code = read_all_contours(&made, ds, st);
	if (code == STATUS_OK)
		code = read_observations(&made, ds, st);
	if (code != STATUS_OK) {
		rt_structure_set_free(&made);
		return code;
	}
	if (!made.frame_of_reference_uid[0])
		snprintf(made.frame_of_reference_uid, sizeof(made.frame_of_reference_uid), "%s",
			 made.rois[0].frame_of_reference_uid);
	*set = made;
	return STATUS_OK;
}

void rt_structure_set_free(struct rt_structure_set *set)
{
	for (int i = 0; i < set->n_rois; i++) {
		for (int c = 0; c < set->rois[i].n_contours; c++)
			/* handed out as const for the mask; made here by dataset_get_doubles() */
			free((void *)(uintptr_t)set->rois[i].contours[c].points_mm);
		free(set->rois[i].contours);
	}
	free(set->rois);
	set->rois = NULL;
	set->n_rois = 0;
}
