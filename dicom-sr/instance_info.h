/* instance_info.h - what the catalogue needs to know of one instance, as plain values.
 *
 * Read once, when the data set is indexed; series are later assembled from these alone, and pixels
 * are read again only by the job. Unknown numbers are NaN (counts -1), unknown texts "". Texts are
 * UTF-8. The struct holds no pointers: it can be stored and copied as it is. */
#ifndef INSTANCE_INFO_H
#define INSTANCE_INFO_H

#include "dataset.h"

/* IMAGE_DERIVED: a map or projection computed from others (R2* map, MIP, SWI ...). */
enum image_component {
	IMAGE_UNKNOWN,
	IMAGE_MAGNITUDE,
	IMAGE_PHASE,
	IMAGE_REAL,
	IMAGE_IMAGINARY,
	IMAGE_DERIVED
};

struct instance_info {
	char sop_class_uid[65], sop_instance_uid[65];
	char study_instance_uid[65], series_instance_uid[65], frame_of_reference_uid[65];
	char patient_id[200], patient_issuer[200], patient_name[400], patient_birth_date[17];
	char modality[17], series_description[260], protocol_name[260], sequence_name[68];
	char manufacturer[260], station_name[68];
	int series_number, instance_number; /* -1 unknown */

	/* Acquisition Date Time, else Acquisition Date + Time: YYYYMMDDHHMMSS.FFFFFF as far as
	 * written, without offset; "" when absent. Never series or content time. utc_offset: +HHMM
	 * of the value itself or of (0008,0201), "" when neither. */
	char acquisition_datetime[33], utc_offset[8];
	char content_datetime[33]; /* structure sets: date and time of the set; else "" */

	/* images */
	int rows, columns, frames; /* 0: no image */
	double position_mm[3], orientation[6], pixel_spacing_mm[2], slice_thickness_mm;
	/* Complex Image Component, else GE's private (0043,xx2f) by its creator (0 magnitude, 1
	 * phase, 2 real, 3 imaginary), else values 3 and later of Image Type. */
	enum image_component component;
	int lossy; /* 1: the pixels were lossy compressed at some time, dataset_is_lossy() */
	double te_ms, tr_ms, flip_deg;
	double field_strength_t;   /* as written; unit repair is field_strength_tesla() */
	int images_in_acquisition; /* (0020,1002), of PET Number of Slices; -1 unknown */
	char scanning_sequence[68], receive_coil[68], contrast_agent[260];

	/* structure sets and segmentations: the series their regions were drawn on */
	char referenced_series_uid[65];

	char evidence_hash[65]; /* dataset_evidence_hash() */
};

/* STATUS_REFUSE with words: no SOP, study or series UID; MR image with impossible rows, columns or
 * pixel data, or pixels that cannot be decoded. Whatever could be read is in info even then. */
enum status_code instance_info_read(struct instance_info *info, struct dataset *ds,
				    struct status *st) STATUS_CHECKED;

/* Tesla from what vendors write: 2.89 -> 2.89, 30000 (gauss) -> 3.0, 3000 (millitesla) -> 3.0. NaN
 * when absent, absurd, or ambiguous (5000 is 0.5 T or 5 T). */
double field_strength_tesla(double as_written);

#endif
