#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "tags.h"
#include "uid.h"

#define PET_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.128"
#define NM_IMAGE_STORAGE  "1.2.840.10008.5.1.4.1.1.20"

/* What a classic image is: where it lies, how it was acquired, how its pixels become signal.
 * Numbers are compared by value ("1.50" is "1.5"). No UIDs, no names, no series or content
 * attributes: archives edit those. */
static const uint32_t image_numbers[] = {TAG_Rows,
					 TAG_Columns,
					 TAG_NumberOfFrames,
					 TAG_PixelRepresentation,
					 TAG_PixelSpacing,
					 TAG_SliceThickness,
					 TAG_ImagePositionPatient,
					 TAG_ImageOrientationPatient,
					 TAG_RescaleSlope,
					 TAG_RescaleIntercept,
					 TAG_EchoTime,
					 TAG_RepetitionTime,
					 TAG_FlipAngle,
					 TAG_MagneticFieldStrength};
static const uint32_t image_texts[] = {
    TAG_Modality,	 TAG_ComplexImageComponent, TAG_AcquisitionDate,
    TAG_AcquisitionTime, TAG_AcquisitionDateTime,   TAG_ScanningSequence,
    TAG_ReceiveCoilName, TAG_ContrastBolusAgent};

/* Contours, names, codes and what they were drawn on. */
static bool structure_set_keep(uint32_t tag)
{
	return tag == TAG_StructureSetROISequence || tag == TAG_ROIContourSequence ||
	       tag == TAG_RTROIObservationsSequence ||
	       tag == TAG_ReferencedFrameOfReferenceSequence;
}

/* What says how the values of a PET image become activity at what time. */
static bool emission_keep(uint32_t tag)
{
	return tag == TAG_Units || tag == TAG_DecayCorrection || tag == TAG_DecayFactor ||
	       tag == TAG_CorrectedImage || tag == TAG_ActualFrameDuration ||
	       tag == TAG_SeriesDate || tag == TAG_SeriesTime ||
	       tag == TAG_RadiopharmaceuticalInformationSequence;
}

/* Everything else: the whole data set without patient, identifiers, dates and persons. */
static bool other_keep(uint32_t tag)
{
	uint32_t group = tag >> 16, element = tag & 0xFFFF;

	if (group <= 0x0002 || group == 0x0010 || element == 0)
		return false;
	if (group == 0x0008)
		return tag == TAG_SOPClassUID || tag == TAG_ImageType || tag == TAG_Modality ||
		       element > 0x1100;
	return tag != TAG_StudyInstanceUID && tag != TAG_SeriesInstanceUID && tag != TAG_StudyID &&
	       tag != TAG_SeriesNumber && tag != TAG_InstanceNumber;
}

/* An NM image says in sequences where it lies and how long it took; when, and on which camera,
 * decides over its activity. */
static bool nm_keep(uint32_t tag)
{
	return other_keep(tag) || tag == TAG_AcquisitionDate || tag == TAG_AcquisitionTime ||
	       tag == TAG_AcquisitionDateTime || tag == TAG_SeriesDate || tag == TAG_SeriesTime ||
	       tag == TAG_TimezoneOffsetFromUTC || tag == TAG_StationName;
}

static bool is_classic_image(const struct dataset *ds)
{
	return dataset_presence(ds, AT(TAG_PixelData)) == DATASET_HAS_VALUE &&
	       dataset_presence(ds, AT(TAG_ImagePositionPatient)) == DATASET_HAS_VALUE &&
	       dataset_presence(ds, AT(TAG_GridFrameOffsetVector)) == DATASET_ABSENT &&
	       dataset_presence(ds, AT(TAG_SharedFunctionalGroupsSequence)) == DATASET_ABSENT &&
	       dataset_presence(ds, AT(TAG_PerFrameFunctionalGroupsSequence)) == DATASET_ABSENT &&
	       dataset_get_int(ds, AT(TAG_SamplesPerPixel), 1) == 1;
}

static enum status_code add_attributes(struct digest *digest, const struct dataset *ds,
				       struct status *st)
{
	char text[1024];

	for (size_t i = 0; i < sizeof(image_numbers) / sizeof(*image_numbers); i++) {
		double *values = NULL;
		size_t count = 0;
		if (dataset_get_doubles(ds, AT(image_numbers[i]), &values, &count, st) != STATUS_OK)
			return st->code;
		digest_double(digest, (double)count);
		for (size_t k = 0; k < count; k++)
			digest_double(digest, values[k]);
		free(values);
	}
	for (size_t i = 0; i < sizeof(image_texts) / sizeof(*image_texts); i++) {
		if (dataset_get_string(ds, AT(image_texts[i]), text, sizeof(text), st) != STATUS_OK)
			return st->code;
		digest_text(digest, text);
	}
	/* Compressors rewrite the first two values of Image Type (ORIGINAL -> DERIVED); the rest
	 * says what the image is. */
	if (dataset_get_string(ds, AT(TAG_ImageType), text, sizeof(text), st) != STATUS_OK)
		return st->code;
	const char *rest = strchr(text, '\\');
	rest = rest ? strchr(rest + 1, '\\') : NULL;
	digest_text(digest, rest ? rest : "");
	/* vendors' private attributes that change what the pixels mean */
	digest_double(digest, dataset_get_private_double(ds, 0x0043, "GEMS_PARM_01", 0x2F));
	digest_double(digest,
		      dataset_get_private_double(ds, 0x2005, "Philips MR Imaging DD 001", 0x0E));
	return STATUS_OK;
}

/* Stored values, not bytes: the same for every transfer syntax that is lossless. */
static enum status_code add_pixels(struct digest *digest, struct dataset *ds, struct status *st)
{
	int64_t rows = dataset_get_int(ds, AT(TAG_Rows), 0),
		columns = dataset_get_int(ds, AT(TAG_Columns), 0);
	int64_t frames = dataset_get_int(ds, AT(TAG_NumberOfFrames), 1);
	size_t count;
	uint16_t *words;
	enum status_code code = STATUS_OK;

	if (rows < 1 || columns < 1 || rows > 65535 || columns > 65535 || frames < 1 ||
	    frames > 1000000)
		return status_fail(st, STATUS_REFUSE,
				   "impossible image size: %lld rows, %lld columns, %lld frames",
				   (long long)rows, (long long)columns, (long long)frames);
	count = (size_t)rows * (size_t)columns;
	words = malloc(count * sizeof(*words));
	if (!words)
		code = status_fail(st, STATUS_RETRY, "no memory for an image of %zu pixels", count);
	for (unsigned frame = 0; code == STATUS_OK && frame < frames; frame++) {
		code = dataset_get_frame_words(ds, frame, words, count, st);
		if (code == STATUS_OK)
			digest_bytes(digest, words, count * sizeof(*words));
	}
	free(words);
	return code;
}

static enum status_code add_elements(struct digest *digest, struct dataset *ds,
				     bool (*keep)(uint32_t tag), struct status *st)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	enum status_code code = dataset_encode_elements(ds, keep, &bytes, &size, st);

	if (code == STATUS_OK)
		digest_bytes(digest, bytes, size);
	free(bytes);
	return code;
}

enum status_code dataset_evidence_hash(struct dataset *ds, char hex[65], struct status *st)
{
	struct digest *digest = digest_new();
	char sop_class[65];
	enum status_code code;

	hex[0] = '\0';
	if (!digest)
		return status_fail(st, STATUS_RETRY, "no memory for a digest");
	code = dataset_get_string(ds, AT(TAG_SOPClassUID), sop_class, sizeof(sop_class), st);
	digest_text(digest, sop_class);
	if (code == STATUS_OK && strcmp(sop_class, NM_IMAGE_STORAGE) == 0) {
		code = add_elements(digest, ds, nm_keep, st);
	} else if (code == STATUS_OK && is_classic_image(ds)) {
		code = add_attributes(digest, ds, st);
		if (code == STATUS_OK && strcmp(sop_class, PET_IMAGE_STORAGE) == 0)
			code = add_elements(digest, ds, emission_keep, st);
		if (code == STATUS_OK)
			code = add_pixels(digest, ds, st);
	} else if (code == STATUS_OK) {
		bool contours =
		    dataset_presence(ds, AT(TAG_StructureSetROISequence)) != DATASET_ABSENT;
		code = add_elements(digest, ds, contours ? structure_set_keep : other_keep, st);
	}
	digest_finish(digest, hex);
	if (code != STATUS_OK)
		hex[0] = '\0';
	return code;
}
