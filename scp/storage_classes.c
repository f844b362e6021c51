#include "storage_classes.h"

#include <string.h>

#include "screen.h"

#define STORAGE_ROOT "1.2.840.10008.5.1.4.1.1."
#define DICOM_ROOT   "1.2.840.10008."

const struct storage_class storage_classes[] = {
    {VERIFICATION_SOP_CLASS_UID, "Verification"},
    {STORAGE_ROOT "4", "MR Image"},
    {STORAGE_ROOT "4.1", "Enhanced MR Image"},
    {STORAGE_ROOT "4.3", "Enhanced MR Color Image"},
    {STORAGE_ROOT "4.4", "Legacy Converted Enhanced MR Image"},
    {STORAGE_ROOT "4.2", "MR Spectroscopy"},
    {STORAGE_ROOT "481.3", "RT Structure Set"},
    {STORAGE_ROOT "66.4", "Segmentation"},
    {STORAGE_ROOT "66.5", "Surface Segmentation"},
    {STORAGE_ROOT "66.1", "Spatial Registration"},
    {STORAGE_ROOT "66.3", "Deformable Spatial Registration"},
    {STORAGE_ROOT "66.2", "Spatial Fiducials"},
    {STORAGE_ROOT "66", "Raw Data"},
    {STORAGE_ROOT "67", "Real World Value Mapping"},
    {STORAGE_ROOT "30", "Parametric Map"},
    {STORAGE_ROOT "481.2", "RT Dose"},
    {STORAGE_ROOT "481.5", "RT Plan"},
    {STORAGE_ROOT "481.1", "RT Image"},
    {STORAGE_ROOT "481.4", "RT Beams Treatment Record"},
    {STORAGE_ROOT "481.6", "RT Brachy Treatment Record"},
    {STORAGE_ROOT "481.7", "RT Treatment Summary Record"},
    {STORAGE_ROOT "481.8", "RT Ion Plan"},
    {STORAGE_ROOT "88.68", "Radiopharmaceutical Radiation Dose SR"},
    {STORAGE_ROOT "88.73", "Patient Radiation Dose SR"},
    {STORAGE_ROOT "88.67", "X-Ray Radiation Dose SR"},
    {STORAGE_ROOT "88.11", "Basic Text SR"},
    {STORAGE_ROOT "88.22", "Enhanced SR"},
    {STORAGE_ROOT "88.33", "Comprehensive SR"},
    {STORAGE_ROOT "88.34", "Comprehensive 3D SR"},
    {STORAGE_ROOT "88.35", "Extensible SR"},
    {STORAGE_ROOT "88.59", "Key Object Selection Document"},
    {STORAGE_ROOT "11.1", "Grayscale Softcopy Presentation State"},
    {STORAGE_ROOT "11.2", "Color Softcopy Presentation State"},
    {STORAGE_ROOT "11.3", "Pseudo-Color Softcopy Presentation State"},
    {STORAGE_ROOT "11.4", "Blending Softcopy Presentation State"},
    {STORAGE_ROOT "2", "CT Image"},
    {STORAGE_ROOT "2.1", "Enhanced CT Image"},
    {STORAGE_ROOT "2.2", "Legacy Converted Enhanced CT Image"},
    {STORAGE_ROOT "128", "Positron Emission Tomography Image"},
    {STORAGE_ROOT "128.1", "Legacy Converted Enhanced PET Image"},
    {STORAGE_ROOT "130", "Enhanced PET Image"},
    {STORAGE_ROOT "20", "Nuclear Medicine Image"},
    {STORAGE_ROOT "12.1", "X-Ray Angiographic Image"},
    {STORAGE_ROOT "12.1.1", "Enhanced XA Image"},
    {STORAGE_ROOT "13.1.1", "X-Ray 3D Angiographic Image"},
    {STORAGE_ROOT "7", "Secondary Capture Image"},
    {STORAGE_ROOT "7.1", "Multi-frame Single Bit Secondary Capture Image"},
    {STORAGE_ROOT "7.2", "Multi-frame Grayscale Byte Secondary Capture Image"},
    {STORAGE_ROOT "7.3", "Multi-frame Grayscale Word Secondary Capture Image"},
    {STORAGE_ROOT "7.4", "Multi-frame True Color Secondary Capture Image"},
    {STORAGE_ROOT "104.1", "Encapsulated PDF"},
    {NULL, NULL},
};

const char *const storage_transfer_syntaxes[] = {
    "1.2.840.10008.1.2.1",    /* Explicit VR Little Endian */
    "1.2.840.10008.1.2",      /* Implicit VR Little Endian */
    "1.2.840.10008.1.2.5",    /* RLE Lossless */
    "1.2.840.10008.1.2.4.70", /* JPEG Lossless, first-order prediction */
    "1.2.840.10008.1.2.4.57", /* JPEG Lossless */
    "1.2.840.10008.1.2.4.80", /* JPEG-LS lossless */
    "1.2.840.10008.1.2.4.81", /* JPEG-LS near-lossless */
    "1.2.840.10008.1.2.4.90", /* JPEG 2000 lossless only */
    "1.2.840.10008.1.2.4.91", /* JPEG 2000 */
    NULL,
};

#define UNCOMPRESSED_SYNTAXES 2

const char *storage_class_name(const char *sop_class_uid)
{
	for (const struct storage_class *row = storage_classes; row->uid != NULL; row++) {
		if (strcmp(row->uid, sop_class_uid) == 0)
			return row->name;
	}
	return NULL;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

bool storage_class_is_accepted(const char *sop_class_uid, bool accept_unknown)
{
	if (storage_class_name(sop_class_uid) != NULL)
		return true;
	return accept_unknown && screen_uid_is_valid(sop_class_uid, strlen(sop_class_uid)) &&
	       (starts_with(sop_class_uid, STORAGE_ROOT) ||
		!starts_with(sop_class_uid, DICOM_ROOT));
}

int storage_choose_syntax(const char *sop_class_uid, const char *const *transfer_syntax_uids,
			  int count)
{
	bool verification = strcmp(sop_class_uid, VERIFICATION_SOP_CLASS_UID) == 0;
	for (int i = 0;
	     storage_transfer_syntaxes[i] != NULL && !(verification && i == UNCOMPRESSED_SYNTAXES);
	     i++) {
		for (int k = 0; k < count; k++) {
			if (strcmp(transfer_syntax_uids[k], storage_transfer_syntaxes[i]) == 0)
				return k;
		}
	}
	return -1;
}
