/* codes.h - the coded concepts holmia writes: value, scheme, meaning.
 *
 * One table (codes.c), for a person without C in conformance/codes.md. Standard codes come from
 * DCM, SCT, NCIt, LN and UCUM; 99HOLMIA is for what has no standard code. A value of 99HOLMIA keeps
 * its meaning for ever; new meanings get new values.
 *
 * Warnings, as `holmia status`, the log and the report's part "Flags and warnings" name them:
 *
 *   HO101 relaxivity not calibrated            HO111 site time zone assumed
 *   HO102 saturated voxels                     HO112 activity unknown
 *   HO103 order of injection and scan unclear  HO113 recovery changed between scans
 *   HO104 residual activity pending            HO114 no liver
 *   HO105 series complete but unconfirmed      HO115 no tumour
 *   HO106 TR, flip, coil or contrast differ    HO116 tumours overlap
 *   HO107 holmium content not scaled           HO117 S0-known estimate off
 *   HO108 region without a role                HO118 interpolated contours
 *   HO109 another series could serve           HO119 other
 *   HO110 older structure set                  HO121 hot voxels outside the liver
 *                                              HO122 lossy compressed images
 *   HO130 alignment uncertain                  HO137 oscillation of the signal (fat)
 *   HO131 recovery outside the band            HO138 alignment given by the site
 *   HO132 T/N below 1                          HO139 non-rigid alignment
 *   HO133 specific activity older than a day   HO140 emission image
 *   HO134 catheter position without a region   HO141 mass not kept by resampling
 *   HO135 tumour measured in part              HO142 research advice
 *   HO136 tumour not measurable
 *
 * Two saturations, never one word for both: that of the *fit* (no signal left to fit; a lower bound
 * of the dose) is HO072, HO102 and HO158, that of the tumour's *uptake* (dose below the line of the
 * injections before) is HO078. */
#ifndef CODES_H
#define CODES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CODES_PRIVATE_SCHEME "99HOLMIA"

struct code {
	const char *value;   /* <= 16 characters */
	const char *scheme;  /* coding scheme designator */
	const char *meaning; /* <= 64 characters */
};

enum code_id {
	/* document and observer */
	CODE_MEASUREMENT_REPORT,
	CODE_LANGUAGE,
	CODE_ENGLISH,
	CODE_OBSERVER_TYPE,
	CODE_DEVICE,
	CODE_DEVICE_UID,
	CODE_DEVICE_NAME,
	CODE_DEVICE_MANUFACTURER,
	CODE_DEVICE_MODEL,
	CODE_PROCEDURE_REPORTED,
	CODE_MRI,
	CODE_IMAGING_MEASUREMENTS,
	CODE_ALGORITHM_NAME,
	CODE_ALGORITHM_VERSION,
	CODE_ALGORITHM_PARAMETERS,
	CODE_COMMENT,
	CODE_EQUIVALENT_MEANING,
	/* purposes of references, equipment */
	CODE_ACQUISITION_EQUIPMENT,
	CODE_ANATOMIC_IMAGE,
	CODE_SOURCE_IMAGE,
	/* group */
	CODE_MEASUREMENT_GROUP,
	CODE_TRACKING_IDENTIFIER,
	CODE_TRACKING_UID,
	CODE_FINDING_CATEGORY,
	CODE_FINDING,
	CODE_FINDING_SITE,
	CODE_IMAGE_REGION,
	CODE_REGION_IN_SPACE,
	CODE_ROI_IDENTIFIER,
	CODE_ANATOMICAL_STRUCTURE,
	CODE_ABNORMAL_STRUCTURE,
	CODE_NEOPLASM,
	CODE_LIVER,
	CODE_DOSE_IMAGE,
	/* measurements */
	CODE_MEAN_DOSE,
	CODE_MINIMUM_DOSE,
	CODE_MAXIMUM_DOSE,
	CODE_VOLUME,
	CODE_MASS,
	CODE_MEASUREMENT_FAILURE,
	CODE_NECROSIS,
	/* administrations */
	CODE_AGENT,
	CODE_RADIONUCLIDE,
	CODE_HOLMIUM_166,
	CODE_START,
	CODE_ADMINISTERED_ACTIVITY,
	CODE_PREPARED_ACTIVITY,
	CODE_RESIDUAL_ACTIVITY,
	CODE_HALF_LIFE,
	/* inputs */
	CODE_SERIES_UID,
	CODE_FIELD_STRENGTH,
	/* 99HOLMIA: procedure, agent, intended use */
	CODE_PROCEDURE,
	CODE_MICROSPHERES,
	CODE_INTENDED_USE,
	/* 99HOLMIA: tumour to non-tumour */
	CODE_TN_RATIO,
	CODE_TN_CLASS,
	CODE_TN_BELOW_1,
	CODE_TN_1_TO_1_5,
	CODE_TN_1_6_TO_3,
	CODE_TN_ABOVE_3,
	/* 99HOLMIA: activity and recovery */
	CODE_RECOVERY_RATIO,
	CODE_RECOVERED_ACTIVITY,
	CODE_RECOVERED_MASS,
	CODE_ACTIVITY_IN_VOLUME,
	CODE_INJECTED_ACTIVITY,
	CODE_INJECTED_MASS,
	CODE_PART_RECOVERY_RATIO,
	CODE_MASS_INCREMENT_RATIO,
	CODE_RESAMPLED_MASS_RATIO,
	/* 99HOLMIA: dose figures */
	CODE_DOSE_SD,
	CODE_D98,
	CODE_D90,
	CODE_D70,
	CODE_D50,
	CODE_D2,
	CODE_STORED_MEAN_DOSE,
	CODE_UNDERDOSED_VOLUME,
	/* 99HOLMIA: healthy liver */
	CODE_HEALTHY_MEAN_DOSE,
	CODE_HEALTHY_VOLUME,
	CODE_HEALTHY_MASS,
	CODE_HEALTHY_ACTIVITY,
	/* 99HOLMIA: method and constants */
	CODE_METHOD,
	CODE_SPECIFIC_ACTIVITY,
	CODE_RELAXIVITY,
	CODE_RELAXIVITY_USED,
	CODE_HOLMIUM_CONTENT,
	CODE_CALIBRATION_CONTENT,
	CODE_TEMPERATURE,
	CODE_DOSE_CONSTANT,
	CODE_DENSITY,
	CODE_BODY_SNR,
	CODE_ARTEFACT_R2STAR,
	CODE_TREND_THRESHOLD,
	CODE_BASELINE_R2STAR,
	CODE_NOISE_SD,
	CODE_AIR_NOISE_SD,
	CODE_S0_SCALE,
	CODE_EVALUATED_VOLUME,
	CODE_EXCLUDED_ARTEFACT,
	/* 99HOLMIA: what was not measured, trend */
	CODE_MEASURED_VOLUME,
	CODE_NOT_MEASURED_VOLUME,
	CODE_OUTSIDE_MAXIMUM,
	CODE_OUTSIDE_HOT_VOLUME,
	CODE_SATURATED_VOLUME,
	CODE_S0_KNOWN_VOLUME,
	CODE_RELIABILITY,
	CODE_TREND,
	CODE_TREND_NOT_ASSESSED,
	CODE_TREND_LINEAR,
	CODE_TREND_SATURATING,
	CODE_TREND_RISING,
	CODE_TREND_EXPECTED,
	CODE_TREND_DEVIATION,
	CODE_EXPECTED_LOWER,
	CODE_EXPECTED_UPPER,
	CODE_UPTAKE_AMOUNT,
	CODE_UPTAKE_HARDLY_ANY,
	CODE_PREDICTED_NEXT,
	CODE_PREDICTED_NEXT_LOWER,
	CODE_PREDICTED_NEXT_UPPER,
	CODE_PREDICTED_BEFORE,
	CODE_PREDICTED_BEFORE_LOWER,
	CODE_PREDICTED_BEFORE_UPPER,
	CODE_PREDICTION_DIFFERENCE,
	CODE_ADVICE,
	/* 99HOLMIA: can it be believed; the reasons in the order of enum voi_reason */
	CODE_MEASURABILITY,
	CODE_MEASURABLE,
	CODE_LIMITED,
	CODE_NOT_MEASURABLE,
	CODE_REASON,
	CODE_REASON_ARTEFACT,
	CODE_REASON_NO_SIGNAL,
	CODE_REASON_OUTSIDE,
	CODE_REASON_FIT_SATURATED,
	CODE_REASON_FEW_ECHOES,
	CODE_REASON_OSCILLATION,
	CODE_REASON_REGISTRATION,
	/* 99HOLMIA: uncertainty */
	CODE_UNCERTAINTY,
	CODE_UNCERTAINTY_RANDOM,
	CODE_UNCERTAINTY_REGISTRATION,
	CODE_UNCERTAINTY_RELAXIVITY,
	CODE_UNCERTAINTY_SPECIFIC_ACTIVITY,
	CODE_HEALTHY_UNCERTAINTY,
	CODE_RECOVERY_UNCERTAINTY,
	CODE_HEALTHY_RELIABILITY,
	/* 99HOLMIA: more of a region */
	CODE_EXCLUDED_VOLUME,
	CODE_OSCILLATING_VOLUME,
	CODE_NECROTIC_VOLUME,
	CODE_DOSE_VARIATION,
	CODE_GROUP_MEMBERS,
	CODE_KERNEL_MEAN_DOSE,
	CODE_KERNEL_D90,
	CODE_KERNEL_D70,
	CODE_KERNEL_MAXIMUM_DOSE,
	CODE_KERNEL_HEALTHY_MEAN_DOSE,
	CODE_KERNEL_LOST_SHARE,
	/* 99HOLMIA: alignment of images */
	CODE_ALIGNMENT,
	CODE_ALIGNED_IMAGES,
	CODE_ALIGNMENT_ORIGIN,
	CODE_ALIGNMENT_REGISTERED,
	CODE_ALIGNMENT_IDENTITY,
	CODE_ALIGNMENT_GIVEN,
	CODE_ALIGNMENT_SAME_GRID,
	CODE_ALIGNMENT_NONRIGID,
	CODE_ALIGNMENT_TRANSFORM,
	CODE_ALIGNMENT_RESIDUAL,
	CODE_ALIGNMENT_SPREAD,
	CODE_ALIGNMENT_WORDS,
	/* 99HOLMIA: settings */
	CODE_RELAXIVITY_UNCERTAINTY,
	CODE_SPECIFIC_ACTIVITY_UNCERTAINTY,
	CODE_INJECTED_ACTIVITY_UNCERTAINTY,
	CODE_LIMITED_ABOVE,
	CODE_NOT_MEASURABLE_ABOVE,
	CODE_RECOVERY_LOW,
	CODE_RECOVERY_HIGH,
	CODE_ALIGNMENT_LIMIT,
	CODE_ALIGNMENT_METHOD,
	CODE_ADVICE_LIMIT,
	/* 99HOLMIA: parts of the report */
	CODE_ADMINISTRATIONS,
	CODE_ADMINISTRATION,
	CODE_ADMINISTRATION_NUMBER,
	CODE_POSITION,
	CODE_PLANNED_ACTIVITY,
	CODE_PLANNED_PERCENT,
	CODE_RESIDUAL_STATE,
	CODE_VIAL,
	CODE_NOT_IMAGED,
	CODE_RECORD,
	CODE_TIME_POINTS,
	CODE_TIME_POINT,
	CODE_AFTER_INJECTION,
	CODE_ACQUIRED,
	CODE_INPUTS,
	CODE_INPUT_SERIES,
	CODE_INPUT_ROLE,
	CODE_INPUT_DESCRIPTION,
	CODE_INPUT_INSTANCES,
	CODE_WARNINGS,
	CODE_WARNING,
	CODE_PRODUCT,
	/* 99HOLMIA: emission image */
	CODE_EMISSION,
	CODE_EMISSION_MEAN_DOSE,
	CODE_EMISSION_DOSE_SD,
	CODE_EMISSION_ACTIVITY,
	CODE_EMISSION_DIFFERENCE,
	CODE_EMISSION_HEALTHY_DOSE,
	CODE_EMISSION_HEALTHY_DIFFERENCE,
	CODE_EMISSION_LIVER_ACTIVITY,
	CODE_EMISSION_IMAGE_ACTIVITY,
	CODE_EMISSION_RECOVERY,
	CODE_EMISSION_DECAY,
	CODE_EMISSION_DECAY_FACTOR,
	CODE_EMISSION_UNEVEN,
	CODE_EMISSION_ALIGNMENT,
	CODE_EMISSION_WORTH,
	CODE_EMISSION_CORRECTIONS,
	CODE_EMISSION_VOXEL,
	/* units, UCUM */
	UNIT_GY,
	UNIT_ML,
	UNIT_G,
	UNIT_MG,
	UNIT_MBQ,
	UNIT_MBQ_PER_MG,
	UNIT_RATIO,
	UNIT_PERCENT,
	UNIT_ONE,
	UNIT_PER_S,
	UNIT_H,
	UNIT_K,
	UNIT_TESLA,
	UNIT_RELAXIVITY,
	UNIT_MJ_PER_MBQ,
	UNIT_G_PER_ML,
	UNIT_MM,
	CODE_COUNT
};

/* The table's row; never NULL for an id of the enum. Static storage. */
const struct code *code_get(enum code_id id);

/* Row by row, for a list of all: NULL at and beyond the end. */
const struct code *code_warning_row(size_t index);

/* "HO101" ... "HO142" -> its row; an unknown code gives HO119, "Other warning". Static storage. */
const struct code *code_of_warning(const char *value);

/* Concept names that carry a number, so that no two measurements of a group share a name. The texts
 * are written into the caller's struct, which must outlive the returned row. Value and meaning
 * belong together: "HOV100" is always the volume at 100 Gy, "HOA02" always the dose after
 * injection 2. */
struct code_text {
	struct code code;
	char value[17], meaning[65];
};
const struct code *code_volume_at_dose(struct code_text *text, double dose_gy);	     /* HOV100 */
const struct code *code_dose_after_injection(struct code_text *text, int injection); /* HOA02 */
const struct code *code_recovery_after_injection(struct code_text *text, int injection); /* HOR02 */
const struct code *code_volume_below_dose(struct code_text *text, double dose_gy); /* HOU100 */
const struct code *code_piece_below_dose(struct code_text *text, double dose_gy);  /* HOP100 */
const struct code *code_dose_of_position(struct code_text *text, int position);	   /* HOQ02 */

#ifdef __cplusplus
}
#endif
#endif
