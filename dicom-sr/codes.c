/* codes.c - see codes.h */
#include "codes.h"

#include <stdio.h>
#include <string.h>

#define DCM(value, meaning)                                                                        \
	{                                                                                          \
		value, "DCM", meaning                                                              \
	}
#define SCT(value, meaning)                                                                        \
	{                                                                                          \
		value, "SCT", meaning                                                              \
	}
#define UCUM(value, meaning)                                                                       \
	{                                                                                          \
		value, "UCUM", meaning                                                             \
	}
#define OURS(value, meaning)                                                                       \
	{                                                                                          \
		value, CODES_PRIVATE_SCHEME, meaning                                               \
	}

static const struct code table[CODE_COUNT] = {
    [CODE_MEASUREMENT_REPORT] = DCM("126000", "Imaging Measurement Report"),
    [CODE_LANGUAGE] = DCM("121049", "Language of Content Item and Descendants"),
    [CODE_ENGLISH] = {"eng", "RFC5646", "English"},
    [CODE_OBSERVER_TYPE] = DCM("121005", "Observer Type"),
    [CODE_DEVICE] = DCM("121007", "Device"),
    [CODE_DEVICE_UID] = DCM("121012", "Device Observer UID"),
    [CODE_DEVICE_NAME] = DCM("121013", "Device Observer Name"),
    [CODE_DEVICE_MANUFACTURER] = DCM("121014", "Device Observer Manufacturer"),
    [CODE_DEVICE_MODEL] = DCM("121015", "Device Observer Model Name"),
    [CODE_PROCEDURE_REPORTED] = DCM("121058", "Procedure reported"),
    [CODE_MRI] = {"25056-3", "LN", "MRI unspecified body region"},
    [CODE_IMAGING_MEASUREMENTS] = DCM("126010", "Imaging Measurements"),
    [CODE_ALGORITHM_NAME] = DCM("111001", "Algorithm Name"),
    [CODE_ALGORITHM_VERSION] = DCM("111003", "Algorithm Version"),
    [CODE_ALGORITHM_PARAMETERS] = DCM("111002", "Algorithm Parameters"),
    [CODE_COMMENT] = DCM("121106", "Comment"),
    [CODE_EQUIVALENT_MEANING] = DCM("121050", "Equivalent Meaning of Concept Name"),

    [CODE_ACQUISITION_EQUIPMENT] = DCM("109101", "Acquisition Equipment"),
    [CODE_ANATOMIC_IMAGE] = DCM("121338", "Anatomic image"),
    [CODE_SOURCE_IMAGE] = DCM("121322", "Source image for image processing operation"),

    [CODE_MEASUREMENT_GROUP] = DCM("125007", "Measurement Group"),
    [CODE_TRACKING_IDENTIFIER] = DCM("112039", "Tracking Identifier"),
    [CODE_TRACKING_UID] = DCM("112040", "Tracking Unique Identifier"),
    [CODE_FINDING_CATEGORY] = SCT("276214006", "Finding category"),
    [CODE_FINDING] = DCM("121071", "Finding"),
    [CODE_FINDING_SITE] = SCT("363698007", "Finding Site"),
    [CODE_IMAGE_REGION] = DCM("111030", "Image Region"),
    [CODE_REGION_IN_SPACE] = DCM("130488", "Region in Space"),
    [CODE_ROI_IDENTIFIER] = DCM("130489", "Referenced Region of Interest Identifier"),
    [CODE_ANATOMICAL_STRUCTURE] = SCT("123037004", "Anatomical Structure"),
    [CODE_ABNORMAL_STRUCTURE] = SCT("49755003", "Morphologically Abnormal Structure"),
    [CODE_NEOPLASM] = SCT("108369006", "Neoplasm"),
    [CODE_LIVER] = SCT("10200004", "Liver"),
    [CODE_DOSE_IMAGE] = DCM("121342", "Dose Image"),

    [CODE_MEAN_DOSE] = DCM("128533", "Mean Absorbed Radiation Dose"),
    [CODE_MINIMUM_DOSE] = DCM("128532", "Minimum Absorbed Radiation Dose"),
    [CODE_MAXIMUM_DOSE] = DCM("128531", "Maximum Absorbed Radiation Dose"),
    [CODE_VOLUME] = SCT("118565006", "Volume"),
    [CODE_MASS] = SCT("118538004", "Mass"),
    [CODE_MEASUREMENT_FAILURE] = DCM("114006", "Measurement failure"),
    [CODE_NECROSIS] = SCT("6574001", "Necrosis"),

    [CODE_AGENT] = SCT("349358000", "Radiopharmaceutical agent"),
    [CODE_RADIONUCLIDE] = SCT("89457008", "Radionuclide"),
    [CODE_HOLMIUM_166] = {"C1943", "NCIt", "^166^Holmium"},
    [CODE_START] = DCM("123003", "Radiopharmaceutical Start DateTime"),
    [CODE_ADMINISTERED_ACTIVITY] = DCM("113507", "Administered activity"),
    [CODE_PREPARED_ACTIVITY] = DCM("113508", "Pre-Administration Measured Activity"),
    [CODE_RESIDUAL_ACTIVITY] = DCM("113509", "Post-Administration Measured Activity"),
    [CODE_HALF_LIFE] = SCT("304283002", "Radionuclide Half Life"),

    [CODE_SERIES_UID] = DCM("112002", "Series Instance UID"),
    [CODE_FIELD_STRENGTH] = OURS("HO058", "Magnetic field strength"),

    [CODE_PROCEDURE] = OURS("HO001", "Ho-166 radioembolization MR dosimetry"),
    [CODE_MICROSPHERES] = OURS("HO002", "Holmium-166 microspheres"),
    [CODE_INTENDED_USE] = OURS("HO003", "Intended use"),

    [CODE_TN_RATIO] = OURS("HO010", "Tumour to non-tumour absorbed dose ratio"),
    [CODE_TN_CLASS] = OURS("HO012", "Tumour to non-tumour ratio class"),
    [CODE_TN_BELOW_1] = OURS("HO013", "< 1.0"),
    [CODE_TN_1_TO_1_5] = OURS("HO014", "1.0-1.5"),
    [CODE_TN_1_6_TO_3] = OURS("HO015", "1.6-3.0"),
    [CODE_TN_ABOVE_3] = OURS("HO016", "> 3.0"),

    [CODE_RECOVERY_RATIO] = OURS("HO020", "Activity recovery ratio"),
    [CODE_RECOVERED_ACTIVITY] = OURS("HO021", "Recovered activity in liver and tumours"),
    [CODE_ACTIVITY_IN_VOLUME] = OURS("HO022", "Activity in volume, at injection times"),
    [CODE_INJECTED_ACTIVITY] = OURS("HO023", "Net injected activity so far"),
    [CODE_INJECTED_MASS] = OURS("HO024", "Injected mass of microspheres so far"),
    [CODE_RECOVERED_MASS] = OURS("HO025", "Recovered mass of microspheres in liver and tumours"),
    [CODE_PART_RECOVERY_RATIO] = OURS("HO026", "Activity recovery ratio of the liver part"),
    [CODE_MASS_INCREMENT_RATIO] = OURS("HO027", "Found to injected mass increment ratio"),
    [CODE_RESAMPLED_MASS_RATIO] = OURS("HO028", "Mass after to before resampling ratio"),

    [CODE_D98] = OURS("HO030", "Minimum dose to the hottest 98 % of volume (D98)"),
    [CODE_D90] = OURS("HO031", "Minimum dose to the hottest 90 % of volume (D90)"),
    [CODE_D70] = OURS("HO032", "Minimum dose to the hottest 70 % of volume (D70)"),
    [CODE_D50] = OURS("HO033", "Minimum dose to the hottest 50 % of volume (D50)"),
    [CODE_D2] = OURS("HO034", "Minimum dose to the hottest 2 % of volume (D2)"),
    [CODE_DOSE_SD] = OURS("HO035", "Standard deviation of absorbed dose"),
    [CODE_STORED_MEAN_DOSE] = OURS("HO036", "Mean of stored RT Dose pixels (no negatives)"),
    [CODE_UNDERDOSED_VOLUME] = OURS("HO037", "Under-dosed volume"),

    [CODE_HEALTHY_MEAN_DOSE] =
	OURS("HO040", "Mean absorbed dose to healthy liver (without tumours)"),
    [CODE_HEALTHY_VOLUME] = OURS("HO041", "Volume of healthy liver (without tumours)"),
    [CODE_HEALTHY_MASS] = OURS("HO042", "Mass of healthy liver (without tumours)"),
    [CODE_HEALTHY_ACTIVITY] = OURS("HO043", "Activity in healthy liver (without tumours)"),

    [CODE_SPECIFIC_ACTIVITY] = OURS("HO050", "Specific activity per mass of microspheres at start"),
    [CODE_RELAXIVITY] = OURS("HO051", "Relaxivity of microspheres, as configured"),
    [CODE_RELAXIVITY_USED] = OURS("HO052", "Relaxivity of microspheres, as used"),
    [CODE_HOLMIUM_CONTENT] = OURS("HO053", "Holmium content of microspheres"),
    [CODE_CALIBRATION_CONTENT] = OURS("HO054", "Holmium content the relaxivity was found with"),
    [CODE_TEMPERATURE] = OURS("HO055", "Temperature the relaxivity was found at"),
    [CODE_DOSE_CONSTANT] = OURS("HO056", "Absorbed dose constant of holmium-166"),
    [CODE_DENSITY] = OURS("HO057", "Mass density of liver and tumour"),
    [CODE_BODY_SNR] = OURS("HO059", "Least signal to noise ratio of the evaluated region"),
    [CODE_ARTEFACT_R2STAR] = OURS("HO060", "Baseline R2* above which nothing is evaluated"),
    [CODE_TREND_THRESHOLD] = OURS("HO061", "Deviation from which uptake is not linear"),
    [CODE_BASELINE_R2STAR] = OURS("HO062", "Mean baseline R2* of liver without tumours"),
    [CODE_NOISE_SD] = OURS("HO063", "Standard deviation of image noise"),
    [CODE_AIR_NOISE_SD] = OURS("HO125", "Standard deviation of image noise, from air"),
    [CODE_S0_SCALE] = OURS("HO064", "Signal scale, after injection to baseline"),
    [CODE_EVALUATED_VOLUME] = OURS("HO065", "Evaluated volume"),
    [CODE_EXCLUDED_ARTEFACT] = OURS("HO066", "Volume excluded as artefact"),
    [CODE_METHOD] = OURS("HO067", "Constants and thresholds of the dose estimation"),

    [CODE_MEASURED_VOLUME] = OURS("HO070", "Measured volume"),
    [CODE_NOT_MEASURED_VOLUME] = OURS("HO071", "Volume not measured"),
    [CODE_OUTSIDE_MAXIMUM] = OURS("HO123", "Highest absorbed dose outside the liver"),
    [CODE_OUTSIDE_HOT_VOLUME] = OURS("HO124", "Volume outside the liver hotter than any inside"),
    [CODE_SATURATED_VOLUME] = OURS("HO072", "Volume saturated in the fit (lower bound)"),
    [CODE_S0_KNOWN_VOLUME] = OURS("HO073", "Volume estimated with the baseline signal"),
    [CODE_RELIABILITY] = OURS("HO074", "Reliability"),
    [CODE_TREND] = OURS("HO075", "Uptake over the injections"),
    [CODE_TREND_NOT_ASSESSED] = OURS("HO076", "Not assessed"),
    [CODE_TREND_LINEAR] = OURS("HO077", "Linear uptake"),
    [CODE_TREND_SATURATING] = OURS("HO078", "Saturating uptake"),
    [CODE_TREND_RISING] = OURS("HO079", "Rising uptake"),
    [CODE_TREND_EXPECTED] = OURS("HO080", "Mean dose expected from earlier injections"),
    [CODE_TREND_DEVIATION] = OURS("HO081", "Deviation from the expected mean dose"),
    [CODE_EXPECTED_LOWER] = OURS("HO180", "Expected mean dose, lower limit (95 %)"),
    [CODE_EXPECTED_UPPER] = OURS("HO181", "Expected mean dose, upper limit (95 %)"),
    [CODE_UPTAKE_AMOUNT] = OURS("HO182", "Amount of uptake"),
    [CODE_UPTAKE_HARDLY_ANY] = OURS("HO183", "Hardly any uptake"),
    [CODE_PREDICTED_NEXT] = OURS("HO184", "Mean dose predicted after the next injection"),
    [CODE_PREDICTED_NEXT_LOWER] =
	OURS("HO185", "Mean dose after the next injection, lower limit (95 %)"),
    [CODE_PREDICTED_NEXT_UPPER] =
	OURS("HO186", "Mean dose after the next injection, upper limit (95 %)"),
    [CODE_PREDICTED_BEFORE] = OURS("HO187", "Mean dose predicted before the last injection"),
    [CODE_PREDICTED_BEFORE_LOWER] = OURS("HO203", "Mean dose predicted before, lower limit (95 %)"),
    [CODE_PREDICTED_BEFORE_UPPER] = OURS("HO204", "Mean dose predicted before, upper limit (95 %)"),
    [CODE_PREDICTION_DIFFERENCE] = OURS("HO188", "Mean dose minus its prediction"),
    [CODE_ADVICE] = OURS("HO190", "Research advice, not a prescription"),

    [CODE_MEASURABILITY] = OURS("HO150", "Measurability of the absorbed dose"),
    [CODE_MEASURABLE] = OURS("HO151", "Measurable"),
    [CODE_LIMITED] = OURS("HO152", "Limited"),
    [CODE_NOT_MEASURABLE] = OURS("HO153", "Not measurable"),
    [CODE_REASON] = OURS("HO154", "Reason"),
    [CODE_REASON_ARTEFACT] = OURS("HO155", "Susceptibility artefact before any microspheres"),
    [CODE_REASON_NO_SIGNAL] = OURS("HO156", "No signal before any microspheres"),
    [CODE_REASON_OUTSIDE] = OURS("HO157", "Beyond the slices of the scan"),
    [CODE_REASON_FIT_SATURATED] = OURS("HO158", "Saturated in the fit"),
    [CODE_REASON_FEW_ECHOES] = OURS("HO159", "Fewer than three usable echoes"),
    [CODE_REASON_OSCILLATION] = OURS("HO160", "Signal oscillates over the echoes (fat)"),
    [CODE_REASON_REGISTRATION] = OURS("HO161", "Residual of the alignment above its limit"),

    [CODE_UNCERTAINTY] = OURS("HO162", "Standard uncertainty of mean absorbed dose"),
    [CODE_UNCERTAINTY_RANDOM] = OURS("HO163", "Component: random, from the fits of R2*"),
    [CODE_UNCERTAINTY_REGISTRATION] = OURS("HO164", "Component: alignment of the images"),
    [CODE_UNCERTAINTY_RELAXIVITY] = OURS("HO165", "Component: relaxivity"),
    [CODE_UNCERTAINTY_SPECIFIC_ACTIVITY] = OURS("HO166", "Component: specific activity"),
    [CODE_HEALTHY_UNCERTAINTY] =
	OURS("HO168", "Standard uncertainty of mean dose to healthy liver"),
    [CODE_RECOVERY_UNCERTAINTY] = OURS("HO169", "Standard uncertainty of activity recovery ratio"),

    [CODE_HEALTHY_RELIABILITY] = OURS("HO205", "Reliability of healthy liver (without tumours)"),

    [CODE_EXCLUDED_VOLUME] = OURS("HO170", "Volume of the region excluded as artefact"),
    [CODE_OSCILLATING_VOLUME] = OURS("HO171", "Volume with in- and out-of-phase oscillation"),
    [CODE_NECROTIC_VOLUME] = OURS("HO172", "Volume of necrosis, not in the mass"),
    [CODE_DOSE_VARIATION] = OURS("HO173", "Coefficient of variation of absorbed dose"),
    [CODE_GROUP_MEMBERS] = OURS("HO208", "Members of the group of tumours"),
    [CODE_KERNEL_MEAN_DOSE] = OURS("HO174", "Mean absorbed dose by beta kernel"),
    [CODE_KERNEL_D90] = OURS("HO175", "D90 by beta kernel"),
    [CODE_KERNEL_D70] = OURS("HO176", "D70 by beta kernel"),
    [CODE_KERNEL_MAXIMUM_DOSE] = OURS("HO177", "Maximum absorbed dose by beta kernel"),
    [CODE_KERNEL_HEALTHY_MEAN_DOSE] =
	OURS("HO178", "Mean absorbed dose to healthy liver by beta kernel"),
    [CODE_KERNEL_LOST_SHARE] = OURS("HO179", "Energy lost from the map of the beta kernel"),

    [CODE_ALIGNMENT] = OURS("HO191", "Alignment"),
    [CODE_ALIGNED_IMAGES] = OURS("HO192", "Images aligned"),
    [CODE_ALIGNMENT_ORIGIN] = OURS("HO193", "Origin of the alignment"),
    [CODE_ALIGNMENT_REGISTERED] = OURS("HO194", "Found by registration"),
    [CODE_ALIGNMENT_IDENTITY] = OURS("HO195", "Identity kept"),
    [CODE_ALIGNMENT_GIVEN] = OURS("HO196", "Given by the site"),
    [CODE_ALIGNMENT_SAME_GRID] = OURS("HO197", "Same images, nothing to align"),
    [CODE_ALIGNMENT_NONRIGID] = OURS("HO198", "Found by registration, non-rigid on top"),
    [CODE_ALIGNMENT_TRANSFORM] = OURS("HO199", "Transform, three rows of four, mm"),
    [CODE_ALIGNMENT_RESIDUAL] = OURS("HO200", "Residual of the alignment, root mean square"),
    [CODE_ALIGNMENT_SPREAD] = OURS("HO201", "Spread of the answers of several starts"),
    [CODE_ALIGNMENT_WORDS] = OURS("HO202", "How the alignment came about"),

    [CODE_RELAXIVITY_UNCERTAINTY] = OURS("HO210", "Standard uncertainty of the relaxivity"),
    [CODE_SPECIFIC_ACTIVITY_UNCERTAINTY] =
	OURS("HO211", "Standard uncertainty of the specific activity"),
    [CODE_INJECTED_ACTIVITY_UNCERTAINTY] =
	OURS("HO212", "Standard uncertainty of the injected activity"),
    [CODE_LIMITED_ABOVE] = OURS("HO213", "Share missing or doubtful above which a dose is limited"),
    [CODE_NOT_MEASURABLE_ABOVE] = OURS("HO214", "Share missing above which there is no dose"),
    [CODE_RECOVERY_LOW] = OURS("HO215", "Lower end of the band for recovery"),
    [CODE_RECOVERY_HIGH] = OURS("HO216", "Upper end of the band for recovery"),
    [CODE_ALIGNMENT_LIMIT] = OURS("HO217", "Residual above which an alignment is uncertain"),
    [CODE_ALIGNMENT_METHOD] = OURS("HO218", "Method of alignment"),
    [CODE_ADVICE_LIMIT] = OURS("HO219", "Limit of healthy liver for the research advice"),

    [CODE_ADMINISTRATIONS] = OURS("HO082", "Administrations"),
    [CODE_ADMINISTRATION] = OURS("HO083", "Administration"),
    [CODE_ADMINISTRATION_NUMBER] = OURS("HO084", "Number of the injection"),
    [CODE_POSITION] = OURS("HO085", "Catheter position"),
    [CODE_PLANNED_ACTIVITY] = OURS("HO086", "Planned activity"),
    [CODE_PLANNED_PERCENT] = OURS("HO087", "Planned share of the position's activity"),
    [CODE_RESIDUAL_STATE] = OURS("HO088", "State of the residual activity"),
    [CODE_VIAL] = OURS("HO206", "Vial"),
    [CODE_NOT_IMAGED] = OURS("HO207", "Imaging of the injection"),
    [CODE_RECORD] = OURS("HO089", "Treatment record"),
    [CODE_TIME_POINTS] = OURS("HO090", "Time points"),
    [CODE_TIME_POINT] = OURS("HO091", "Time point"),
    [CODE_AFTER_INJECTION] = OURS("HO092", "After injection"),
    [CODE_ACQUIRED] = OURS("HO093", "Acquisition date and time"),
    [CODE_INPUTS] = OURS("HO094", "Inputs"),
    [CODE_INPUT_SERIES] = OURS("HO095", "Input series"),
    [CODE_INPUT_ROLE] = OURS("HO096", "Role of the series"),
    [CODE_INPUT_DESCRIPTION] = OURS("HO097", "Description of the series"),
    [CODE_INPUT_INSTANCES] = OURS("HO098", "Number of instances"),
    [CODE_PRODUCT] = OURS("HO099", "Microsphere product"),
    [CODE_WARNINGS] = OURS("HO100", "Flags and warnings"),
    [CODE_WARNING] = OURS("HO120", "Warning"),

    /* emission image */
    [CODE_EMISSION] = OURS("HO220", "SPECT or PET of the microspheres"),
    [CODE_EMISSION_MEAN_DOSE] = OURS("HO221", "Mean absorbed dose by emission image"),
    [CODE_EMISSION_DOSE_SD] =
	OURS("HO222", "Standard deviation of absorbed dose by emission image"),
    [CODE_EMISSION_ACTIVITY] = OURS("HO223", "Activity in volume by emission image"),
    [CODE_EMISSION_DIFFERENCE] = OURS("HO224", "Mean dose by emission image, difference from MRI"),
    [CODE_EMISSION_HEALTHY_DOSE] =
	OURS("HO225", "Mean absorbed dose to healthy liver by emission image"),
    [CODE_EMISSION_HEALTHY_DIFFERENCE] =
	OURS("HO226", "Healthy liver by emission image, difference from MRI"),
    [CODE_EMISSION_LIVER_ACTIVITY] =
	OURS("HO227", "Activity in liver and tumours by emission image"),
    [CODE_EMISSION_IMAGE_ACTIVITY] = OURS("HO228", "Activity in the whole emission image"),
    [CODE_EMISSION_RECOVERY] = OURS("HO229", "Recovery ratio by emission image"),
    [CODE_EMISSION_DECAY] = OURS("HO230", "Decay correction of the emission image"),
    [CODE_EMISSION_DECAY_FACTOR] =
	OURS("HO231", "Factor from the emission image to the injections"),
    [CODE_EMISSION_UNEVEN] = OURS("HO232", "Largest error of decay of one injection alone"),
    [CODE_EMISSION_ALIGNMENT] = OURS("HO233", "Alignment of the emission image with MRI"),
    [CODE_EMISSION_WORTH] = OURS("HO234", "Unit and calibration of the emission image"),
    [CODE_EMISSION_CORRECTIONS] = OURS("HO235", "Corrections of the emission image"),
    [CODE_EMISSION_VOXEL] = OURS("HO236", "Volume of a voxel of the emission image"),
    [UNIT_GY] = UCUM("Gy", "Gy"),
    [UNIT_ML] = UCUM("ml", "milliliter"),
    [UNIT_G] = UCUM("g", "gram"),
    [UNIT_MG] = UCUM("mg", "milligram"),
    [UNIT_MBQ] = UCUM("MBq", "megabecquerel"),
    [UNIT_MBQ_PER_MG] = UCUM("MBq/mg", "megabecquerel per milligram"),
    [UNIT_RATIO] = UCUM("{ratio}", "ratio"),
    [UNIT_PERCENT] = UCUM("%", "Percent"),
    [UNIT_ONE] = UCUM("1", "no units"),
    [UNIT_PER_S] = UCUM("/s", "/s"),
    [UNIT_H] = UCUM("h", "hour"),
    [UNIT_K] = UCUM("K", "kelvin"),
    [UNIT_TESLA] = UCUM("T", "tesla"),
    [UNIT_RELAXIVITY] = UCUM("ml/mg/s", "per second per milligram per milliliter"),
    [UNIT_MJ_PER_MBQ] = UCUM("mJ/MBq", "millijoule per megabecquerel"),
    [UNIT_G_PER_ML] = UCUM("g/ml", "gram per milliliter"),
    [UNIT_MM] = UCUM("mm", "millimeter"),
};

static const struct code warnings[] = {
    OURS("HO101", "Relaxivity not calibrated"),
    OURS("HO102", "Saturated in the fit: lower bound"),
    OURS("HO103", "Order of injection and scan unclear"),
    OURS("HO104", "Residual activity pending"),
    OURS("HO105", "Series complete but unconfirmed"),
    OURS("HO106", "TR, flip angle, coil or contrast agent differ"),
    OURS("HO107", "Holmium content not scaled"),
    OURS("HO108", "Region without a role"),
    OURS("HO109", "Another series could serve"),
    OURS("HO110", "Older structure set"),
    OURS("HO111", "Site time zone assumed"),
    OURS("HO112", "Activity unknown"),
    OURS("HO113", "Recovery changed between scans"),
    OURS("HO114", "No liver region"),
    OURS("HO115", "No tumour region"),
    OURS("HO116", "Tumours overlap"),
    OURS("HO117", "Estimate with the baseline signal not possible"),
    OURS("HO118", "Interpolated contours"),
    OURS("HO121", "Hot voxels outside the liver"),
    OURS("HO122", "Lossy compressed images"),
    OURS("HO130", "Alignment uncertain"),
    OURS("HO131", "Recovery outside the configured band"),
    OURS("HO132", "Tumour-to-normal ratio below 1"),
    OURS("HO133", "Specific activity older than a day"),
    OURS("HO134", "Catheter position without a region"),
    OURS("HO135", "Tumour measured in part"),
    OURS("HO136", "Tumour not measurable"),
    OURS("HO137", "In- and out-of-phase oscillation (fat)"),
    OURS("HO138", "Alignment given by the site"),
    OURS("HO139", "Non-rigid alignment"),
    OURS("HO140", "Emission image"),
    OURS("HO141", "Mass not kept by resampling"),
    OURS("HO142", "Research advice"),
    OURS("HO119", "Other warning"), /* last: also for codes that are not here */
};

const struct code *code_get(enum code_id id)
{
	return &table[id];
}

const struct code *code_of_warning(const char *value)
{
	size_t count = sizeof warnings / sizeof *warnings;

	for (size_t i = 0; i < count; i++)
		if (value && strcmp(warnings[i].value, value) == 0)
			return &warnings[i];
	return &warnings[count - 1];
}

const struct code *code_warning_row(size_t index)
{
	return index < sizeof warnings / sizeof *warnings ? &warnings[index] : NULL;
}

static const struct code *text_row(struct code_text *text)
{
	text->code.value = text->value;
	text->code.scheme = CODES_PRIVATE_SCHEME;
	text->code.meaning = text->meaning;
	return &text->code;
}

const struct code *code_volume_at_dose(struct code_text *text, double dose_gy)
{
	snprintf(text->value, sizeof text->value, "HOV%.6g", dose_gy);
	snprintf(text->meaning, sizeof text->meaning, "Volume with at least %.6g Gy", dose_gy);
	return text_row(text);
}

const struct code *code_dose_after_injection(struct code_text *text, int injection)
{
	snprintf(text->value, sizeof text->value, "HOA%02d", injection);
	snprintf(text->meaning, sizeof text->meaning, "Mean absorbed dose after injection %d",
		 injection);
	return text_row(text);
}

const struct code *code_recovery_after_injection(struct code_text *text, int injection)
{
	snprintf(text->value, sizeof text->value, "HOR%02d", injection);
	snprintf(text->meaning, sizeof text->meaning, "Activity recovery ratio after injection %d",
		 injection);
	return text_row(text);
}

const struct code *code_volume_below_dose(struct code_text *text, double dose_gy)
{
	snprintf(text->value, sizeof text->value, "HOU%.6g", dose_gy);
	snprintf(text->meaning, sizeof text->meaning, "Volume with less than %.6g Gy", dose_gy);
	return text_row(text);
}

const struct code *code_piece_below_dose(struct code_text *text, double dose_gy)
{
	snprintf(text->value, sizeof text->value, "HOP%.6g", dose_gy);
	snprintf(text->meaning, sizeof text->meaning,
		 "Largest connected piece with less than %.6g Gy", dose_gy);
	return text_row(text);
}

const struct code *code_dose_of_position(struct code_text *text, int position)
{
	snprintf(text->value, sizeof text->value, "HOQ%02d", position);
	snprintf(text->meaning, sizeof text->meaning,
		 "Mean absorbed dose from catheter position %d", position);
	return text_row(text);
}
