#include "instance_info.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tags.h"

#define MR_IMAGE_STORAGE  "1.2.840.10008.5.1.4.1.1.4"
#define PET_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.128"

/* ---- which part of the complex signal ---- */

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* One value of Image Type or Complex Image Component, in any vendor's words. */
static enum image_component component_of_word(const char *word)
{
	static const char *const derived[] = {"MIP",
					      "MNIP",
					      "MINIP",
					      "SWI",
					      "MPR",
					      "ADC",
					      "TRACEW",
					      "FA",
					      "SUB",
					      "T1MAP",
					      "T2MAP",
					      "T2STARMAP",
					      "R2STARMAP",
					      "WATER",
					      "FAT",
					      "W",
					      "F",
					      "FF",
					      "PROJECTION IMAGE",
					      "SUBTRACTION"};

	if (strcmp(word, "M") == 0 || strcmp(word, "MAGNITUDE") == 0 || starts_with(word, "M_"))
		return IMAGE_MAGNITUDE;
	if (strcmp(word, "P") == 0 || starts_with(word, "PHASE") || starts_with(word, "P_"))
		return IMAGE_PHASE;
	if (strcmp(word, "R") == 0 || strcmp(word, "REAL") == 0 || strcmp(word, "R_FFE") == 0)
		return IMAGE_REAL;
	if (strcmp(word, "I") == 0 || strcmp(word, "IMAGINARY") == 0 || strcmp(word, "I_FFE") == 0)
		return IMAGE_IMAGINARY;
	for (size_t i = 0; i < sizeof(derived) / sizeof(*derived); i++)
		if (strcmp(word, derived[i]) == 0)
			return IMAGE_DERIVED;
	/* R2_STAR MAP, T2_STAR_MAP, T1 MAP, VELOCITY MAP, FIELD MAP ... */
	if (strstr(word, " MAP") || strstr(word, "_MAP") || strstr(word, "_STAR"))
		return IMAGE_DERIVED;
	return IMAGE_UNKNOWN;
}

/* Values 3 and later of Image Type. A derived map anywhere wins over the component it was made
 * from. */
static enum image_component component_of_image_type(char *image_type)
{
	enum image_component component = IMAGE_UNKNOWN;
	char *rest = NULL;
	int index = 0;

	for (char *word = strtok_r(image_type, "\\", &rest); word;
	     word = strtok_r(NULL, "\\", &rest), index++) {
		enum image_component found;
		size_t length = strlen(word);
		while (length > 0 && word[length - 1] == ' ')
			word[--length] = '\0';
		for (char *c = word; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		found = index < 2 ? IMAGE_UNKNOWN : component_of_word(word);
		if (found == IMAGE_DERIVED)
			return IMAGE_DERIVED;
		if (component == IMAGE_UNKNOWN && index < 4)
			component = found;
	}
	return component;
}

static enum status_code read_component(enum image_component *component, const struct dataset *ds,
				       struct status *st)
{
	static const enum image_component ge[] = {IMAGE_MAGNITUDE, IMAGE_PHASE, IMAGE_REAL,
						  IMAGE_IMAGINARY};
	char text[260];
	double private_value = dataset_get_private_double(ds, 0x0043, "GEMS_PARM_01", 0x2F);
	enum image_component by_type;
	enum status_code code = dataset_get_string(ds, AT(TAG_ImageType), text, sizeof(text), st);

	if (code != STATUS_OK)
		return code;
	by_type = component_of_image_type(text);
	code = dataset_get_string(ds, AT(TAG_ComplexImageComponent), text, sizeof(text), st);
	*component = component_of_word(text);
	/* Image Type says ORIGINAL\PRIMARY\OTHER for all of GE's four; only the private element
	 * tells. */
	if (*component == IMAGE_UNKNOWN && private_value >= 0 && private_value <= 3 &&
	    private_value == floor(private_value))
		*component = ge[(int)private_value];
	if (by_type == IMAGE_DERIVED || *component == IMAGE_UNKNOWN)
		*component = by_type;
	return code;
}

/* ---- times ---- */

/* Keeps digits and the fraction: old writers put colons into times and dots into dates. */
static void copy_digits(char *out, size_t size, const char *text, bool fraction)
{
	size_t length = 0;

	for (; *text && length + 1 < size; text++) {
		bool keep = isdigit((unsigned char)*text) || (fraction && *text == '.');
		if (keep)
			out[length++] = *text;
		else if (*text != ':' && *text != '.' && *text != ' ')
			break;
	}
	out[length] = '\0';
}

/* Splits "YYYYMMDDHHMMSS.FFFFFF+HHMM" at its offset, if it has one. */
static void split_offset(char *datetime, char offset[8])
{
	char *sign = strpbrk(datetime, "+-");

	if (!sign)
		return;
	if (strlen(sign) == 5)
		snprintf(offset, 8, "%s", sign);
	*sign = '\0';
}

static enum status_code read_date_and_time(char out[33], const struct dataset *ds,
					   uint32_t date_tag, uint32_t time_tag, struct status *st)
{
	char date[33], time[33], date_digits[12], time_digits[20];
	enum status_code code = dataset_get_string(ds, AT(date_tag), date, sizeof(date), st);

	out[0] = '\0';
	if (code == STATUS_OK)
		code = dataset_get_string(ds, AT(time_tag), time, sizeof(time), st);
	if (code != STATUS_OK)
		return code;
	copy_digits(date_digits, sizeof(date_digits), date, false);
	copy_digits(time_digits, sizeof(time_digits), time, true);
	if (strlen(date_digits) == 8 && strlen(time_digits) >= 4)
		snprintf(out, 33, "%s%s", date_digits, time_digits);
	return STATUS_OK;
}

static enum status_code read_acquisition_time(struct instance_info *info, const struct dataset *ds,
					      struct status *st)
{
	char datetime[40];
	enum status_code code =
	    dataset_get_string(ds, AT(TAG_AcquisitionDateTime), datetime, sizeof(datetime), st);

	if (code != STATUS_OK)
		return code;
	split_offset(datetime, info->utc_offset);
	/* an hour at least, or it does not say when */
	if (strlen(datetime) >= 10)
		snprintf(info->acquisition_datetime, sizeof(info->acquisition_datetime), "%.32s",
			 datetime);
	else
		code = read_date_and_time(info->acquisition_datetime, ds, TAG_AcquisitionDate,
					  TAG_AcquisitionTime, st);
	if (code == STATUS_OK && !info->utc_offset[0])
		code = dataset_get_string(ds, AT(TAG_TimezoneOffsetFromUTC), info->utc_offset,
					  sizeof(info->utc_offset), st);
	return code;
}

/* ---- everything ---- */

static int read_count(const struct dataset *ds, uint32_t tag, int fallback)
{
	int64_t value = dataset_get_int(ds, AT(tag), fallback);

	return value < 0 || value > INT32_MAX ? fallback : (int)value;
}

static void read_vector(double *values, unsigned count, const struct dataset *ds, uint32_t tag)
{
	for (unsigned i = 0; i < count; i++)
		values[i] = dataset_get_double(ds, AT(tag), i);
}

static enum status_code read_texts(struct instance_info *info, const struct dataset *ds,
				   struct status *st)
{
	const struct {
		uint32_t tag;
		char *out;
		size_t size;
	} rows[] = {
#define ROW(keyword, member) {TAG_##keyword, info->member, sizeof(info->member)}
	    ROW(SOPClassUID, sop_class_uid),
	    ROW(SOPInstanceUID, sop_instance_uid),
	    ROW(StudyInstanceUID, study_instance_uid),
	    ROW(SeriesInstanceUID, series_instance_uid),
	    ROW(FrameOfReferenceUID, frame_of_reference_uid),
	    ROW(PatientID, patient_id),
	    ROW(IssuerOfPatientID, patient_issuer),
	    ROW(PatientName, patient_name),
	    ROW(PatientBirthDate, patient_birth_date),
	    ROW(Modality, modality),
	    ROW(SeriesDescription, series_description),
	    ROW(ProtocolName, protocol_name),
	    ROW(SequenceName, sequence_name),
	    ROW(Manufacturer, manufacturer),
	    ROW(StationName, station_name),
	    ROW(ScanningSequence, scanning_sequence),
	    ROW(ReceiveCoilName, receive_coil),
	    ROW(ContrastBolusAgent, contrast_agent),
#undef ROW
	};
	enum status_code code = STATUS_OK;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && code == STATUS_OK; i++)
		code = dataset_get_string(ds, AT(rows[i].tag), rows[i].out, rows[i].size, st);
	if (code == STATUS_OK && !info->sequence_name[0])
		code = dataset_get_string(ds, AT(TAG_PulseSequenceName), info->sequence_name,
					  sizeof(info->sequence_name), st);
	return code;
}

static void read_numbers(struct instance_info *info, const struct dataset *ds)
{
	info->series_number = read_count(ds, TAG_SeriesNumber, -1);
	info->instance_number = read_count(ds, TAG_InstanceNumber, -1);
	info->rows = read_count(ds, TAG_Rows, 0);
	info->columns = read_count(ds, TAG_Columns, 0);
	info->frames = info->rows > 0 ? read_count(ds, TAG_NumberOfFrames, 1) : 0;
	read_vector(info->position_mm, 3, ds, TAG_ImagePositionPatient);
	read_vector(info->orientation, 6, ds, TAG_ImageOrientationPatient);
	read_vector(info->pixel_spacing_mm, 2, ds, TAG_PixelSpacing);
	read_vector(&info->slice_thickness_mm, 1, ds, TAG_SliceThickness);
	read_vector(&info->te_ms, 1, ds, TAG_EchoTime);
	read_vector(&info->tr_ms, 1, ds, TAG_RepetitionTime);
	read_vector(&info->flip_deg, 1, ds, TAG_FlipAngle);
	read_vector(&info->field_strength_t, 1, ds, TAG_MagneticFieldStrength);
	info->images_in_acquisition = read_count(ds, TAG_ImagesInAcquisition, -1);
	info->lossy = info->frames > 0 && dataset_is_lossy(ds);
}

static enum status_code read_references(struct instance_info *info, const struct dataset *ds,
					struct status *st)
{
	bool contours = dataset_presence(ds, AT(TAG_StructureSetROISequence)) != DATASET_ABSENT;
	bool segments = dataset_presence(ds, AT(TAG_SegmentSequence)) != DATASET_ABSENT;
	struct dataset_path series =
	    AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_RTReferencedStudySequence, 0,
	       TAG_RTReferencedSeriesSequence, 0, TAG_SeriesInstanceUID);
	enum status_code code = STATUS_OK;

	if (contours)
		code = read_date_and_time(info->content_datetime, ds, TAG_StructureSetDate,
					  TAG_StructureSetTime, st);
	else if (segments)
		code = read_date_and_time(info->content_datetime, ds, TAG_ContentDate,
					  TAG_ContentTime, st);
	if (segments)
		series = AT(TAG_ReferencedSeriesSequence, 0, TAG_SeriesInstanceUID);
	if (code == STATUS_OK && (contours || segments))
		code = dataset_get_string(ds, series, info->referenced_series_uid,
					  sizeof(info->referenced_series_uid), st);
	if (code == STATUS_OK && contours && !info->frame_of_reference_uid[0])
		code = dataset_get_string(
		    ds, AT(TAG_ReferencedFrameOfReferenceSequence, 0, TAG_FrameOfReferenceUID),
		    info->frame_of_reference_uid, sizeof(info->frame_of_reference_uid), st);
	return code;
}

static enum status_code check(const struct instance_info *info, const struct dataset *ds,
			      struct status *st)
{
	if (!info->sop_class_uid[0] || !info->sop_instance_uid[0])
		return status_fail(st, STATUS_REFUSE, "no SOP %s UID in the data set",
				   info->sop_class_uid[0] ? "Instance" : "Class");
	if (!info->study_instance_uid[0] || !info->series_instance_uid[0])
		return status_fail(st, STATUS_REFUSE, "no %s Instance UID in the data set",
				   info->study_instance_uid[0] ? "Series" : "Study");
	if (strcmp(info->sop_class_uid, MR_IMAGE_STORAGE) != 0)
		return STATUS_OK;
	if (info->rows < 1 || info->columns < 1 || info->rows > 65535 || info->columns > 65535)
		return status_fail(st, STATUS_REFUSE, "MR image with %d rows and %d columns",
				   info->rows, info->columns);
	if (dataset_presence(ds, AT(TAG_PixelData)) != DATASET_HAS_VALUE)
		return status_fail(st, STATUS_REFUSE, "MR image without pixel data");
	return STATUS_OK;
}

enum status_code instance_info_read(struct instance_info *info, struct dataset *ds,
				    struct status *st)
{
	enum status_code code;

	memset(info, 0, sizeof(*info));
	read_numbers(info, ds);
	code = read_texts(info, ds, st);
	if (strcmp(info->sop_class_uid, PET_IMAGE_STORAGE) == 0 && info->images_in_acquisition < 0)
		info->images_in_acquisition = read_count(ds, TAG_NumberOfSlices, -1);
	if (code == STATUS_OK)
		code = read_component(&info->component, ds, st);
	if (code == STATUS_OK)
		code = read_acquisition_time(info, ds, st);
	if (code == STATUS_OK)
		code = read_references(info, ds, st);
	if (code == STATUS_OK)
		code = check(info, ds, st);
	if (code == STATUS_OK)
		code = dataset_evidence_hash(ds, info->evidence_hash, st);
	return code;
}

double field_strength_tesla(double as_written)
{
	static const double clinical_t[] = {1.0, 1.5, 3.0, 7.0};

	if (as_written >= 0.01 && as_written <= 15)
		return as_written;
	if (as_written >= 200 && as_written < 1000)
		return as_written / 1e3;
	/* 1500 is millitesla, but 5000 could as well be gauss: taken only where a clinical magnet
	 * is meant */
	for (size_t i = 0; i < sizeof(clinical_t) / sizeof(*clinical_t); i++)
		if (fabs(as_written / 1e3 - clinical_t[i]) <= 0.12)
			return as_written / 1e3;
	if (as_written >= 10000 && as_written <= 150000)
		return as_written / 1e4;
	return (double)NAN;
}
