/* measurement_report_emission.h - what an emission image (SPECT, PET) says beside MRI.
 *
 * Means over a VOI of activity concentration, taken back to the injections and turned into dose by
 * the same local deposition and constants as from MRI (emission.h). Partial volume is in them, not
 * corrected: small or thin regions come out low (conformance/limits.md). */
#ifndef MEASUREMENT_REPORT_EMISSION_H
#define MEASUREMENT_REPORT_EMISSION_H

#include <stdbool.h>

enum report_emission_alignment {
	REPORT_EMISSION_SAME_FRAME,   /* one frame of reference, taken as it is */
	REPORT_EMISSION_RECORD,	      /* transform of the treatment record */
	REPORT_EMISSION_REGISTRATION, /* Spatial Registration object */
	REPORT_EMISSION_OWN_CONTOURS  /* regions of the same names drawn in its own frame */
};

/* NaN: the region is not there, or not within the image. */
struct report_emission_voi {
	double volume_ml; /* of the region as it lies in the image */
	double mean_gy, standard_deviation_gy, activity_mbq;
	double difference_percent; /* of the mean from MRI's, of MRI's */
};

struct report_emission {
	char isotope[17]; /* "Ho-166" */
	char modality[17];
	char series_uid[65], description[260];
	char acquired[33]; /* reference time of its values, DICOM DT with offset */
	enum report_emission_alignment alignment;
	char alignment_words[240]; /* who gave it, which object, when it was drawn */
	char decay_words[160];	   /* "corrected to the start of the scan ..." */
	double half_life_h;
	double decay_factor;   /* from the image's values to the injections */
	double injections_off; /* largest relative error of a voxel of one injection alone */
	double dose_constant_mj_per_mbq, density_g_per_ml;
	double cps_per_mbq; /* NaN: the image is in Bq/mL itself */
	bool attenuation_corrected, scatter_corrected;
	double voxel_ml;
	/* At the injections: everywhere in the image, and in the liver with its tumours (NaN
	 * without a liver); over the injected one (NaN unknown). */
	double image_activity_mbq, liver_activity_mbq, injected_activity_mbq, recovery_ratio;
	const struct report_emission_voi *vois; /* in order of the report's VOIs */
	int n_vois;
	/* Of the healthy liver (liver without tumours). */
	struct report_emission_voi healthy;
};

#endif
