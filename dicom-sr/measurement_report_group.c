/* measurement_report_group.c - one TID 1411 group per VOI: region and figures of the last time
 * point */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"
#include "tags.h"
#include "uid.h"

#define NOT_MEASURED "not measured"

const struct dosimetry_time_point *report_last(const struct report_input *input)
{
	return &input->result->time_points[input->result->n_time_points - 1];
}

bool report_has_dose(const struct report_input *input, int time_point)
{
	return input->rt_doses && input->rt_doses[time_point].sop_instance_uid[0];
}

void report_from_dose(struct sr_tree *tree, const struct report_input *input, int time_point)
{
	if (!report_has_dose(input, time_point))
		return;
	sr_tree_enter(tree);
	sr_tree_composite(tree, SR_INFERRED_FROM, code_get(CODE_DOSE_IMAGE),
			  &input->rt_doses[time_point]);
	sr_tree_leave(tree);
}

void report_number(struct sr_tree *tree, const struct code *name, double value, enum code_id unit,
		   const char *explanation)
{
	if (!isfinite(value))
		return;
	sr_tree_number(tree, SR_CONTAINS, name, value, code_get(unit));
	if (!explanation && strcmp(name->scheme, CODES_PRIVATE_SCHEME) != 0)
		return;
	sr_tree_enter(tree);
	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_EQUIVALENT_MEANING),
		     explanation ? explanation : name->meaning);
	sr_tree_leave(tree);
}

void report_number_or_words(struct sr_tree *tree, const struct code *name, double value,
			    enum code_id unit, const char *explanation, const char *words)
{
	if (isfinite(value))
		report_number(tree, name, value, unit, explanation);
	else
		sr_tree_text(tree, SR_CONTAINS, name, words);
}

/* An absorbed dose of one time point, with the object it comes from. */
static void add_mean_dose(struct sr_tree *tree, const struct report_input *input, int time_point,
			  const struct code *name, double mean_gy)
{
	if (!isfinite(mean_gy)) {
		sr_tree_text(tree, SR_CONTAINS, name, NOT_MEASURED);
		return;
	}
	sr_tree_number(tree, SR_CONTAINS, name, mean_gy, code_get(UNIT_GY));
	report_from_dose(tree, input, time_point);
}

/* The same region of one study keeps its tracking UID over versions and time points; regions of one
 * name are told apart by their number. */
static void tracking_uid(char uid[65], const struct report_input *input, int voi,
			 const char *study_uid)
{
	char purpose[400];
	bool twice = false;

	for (int i = 0; i < input->n_vois; i++)
		twice =
		    twice || (i != voi && strcmp(input->vois[i].name, input->vois[voi].name) == 0);
	if (twice)
		snprintf(purpose, sizeof purpose, "tracking:%s#%d", input->vois[voi].name,
			 input->vois[voi].roi_number);
	else
		snprintf(purpose, sizeof purpose, "tracking:%s", input->vois[voi].name);
	uid_derive(uid, study_uid, purpose);
}

static void add_finding(struct sr_tree *tree, enum voi_role role)
{
	bool tumour = role == VOI_TUMOUR;

	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_FINDING_CATEGORY),
		     code_get(tumour ? CODE_ABNORMAL_STRUCTURE : CODE_ANATOMICAL_STRUCTURE));
	if (role != VOI_OTHER)
		sr_tree_code(tree, SR_CONTAINS, code_get(CODE_FINDING),
			     code_get(tumour ? CODE_NEOPLASM : CODE_LIVER));
}

static void add_further_doses(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct voi_stats *dose = &report_last(input)->voi[voi].dose;

	report_number(tree, code_get(CODE_D90), dose->d90, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_MAXIMUM_DOSE), dose->maximum, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_MINIMUM_DOSE), dose->minimum, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_DOSE_SD), dose->standard_deviation, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D98), dose->d98, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D70), dose->d70, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D50), dose->d50, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D2), dose->d2, UNIT_GY, NULL);
	for (int i = 0; i < dose->levels; i++) {
		struct code_text text;
		char explanation[120];
		const struct code *name = code_volume_at_dose(&text, dose->level[i]);
		snprintf(explanation, sizeof explanation,
			 "Share of the measured volume with an absorbed dose of at least %.6g Gy",
			 dose->level[i]);
		report_number(tree, name,
			      100.0 * dose->volume_at_level_ml[i] / dose->measured_volume_ml,
			      UNIT_PERCENT, explanation);
	}
}

/* What the object's pixels say, next to what was measured: pixels cannot be negative. */
static void add_stored_mean(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const double *stored = input->vois[voi].stored_mean_gy;

	if (stored)
		report_number(
		    tree, code_get(CODE_STORED_MEAN_DOSE), stored[input->result->n_time_points - 1],
		    UNIT_GY,
		    "Mean of the pixels of the RT Dose object, where negative doses are 0");
}

static void add_volumes(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_voi_result *figures = &report_last(input)->voi[voi];
	char underdosed[80];

	snprintf(underdosed, sizeof underdosed, "Volume with an absorbed dose below %.6g Gy",
		 input->params->underdosed_below_gy[0]);
	report_number(tree, code_get(CODE_MASS), figures->mass_g, UNIT_G, NULL);
	report_number_or_words(
	    tree, code_get(CODE_ACTIVITY_IN_VOLUME), figures->activity_mbq, UNIT_MBQ,
	    "Activity found in the volume, summed over the injections, each at its own "
	    "time of injection",
	    NOT_MEASURED);
	report_number(tree, code_get(CODE_MEASURED_VOLUME), figures->dose.measured_volume_ml,
		      UNIT_ML, NULL);
	report_number(tree, code_get(CODE_NOT_MEASURED_VOLUME), figures->not_measured_volume_ml,
		      UNIT_ML, NULL);
	report_number(tree, code_get(CODE_SATURATED_VOLUME), figures->saturated_volume_ml, UNIT_ML,
		      NULL);
	report_number(tree, code_get(CODE_S0_KNOWN_VOLUME), figures->s0_known_volume_ml, UNIT_ML,
		      NULL);
	report_number(tree, code_get(CODE_UNDERDOSED_VOLUME), figures->underdosed_volume_ml[0],
		      UNIT_ML, underdosed);
}

/* One decimal first, then the class: 0.96 is 1.0 and in its class. */
static enum code_id tn_class(double ratio_one_decimal)
{
	if (ratio_one_decimal < 0.95)
		return CODE_TN_BELOW_1;
	if (ratio_one_decimal < 1.55)
		return CODE_TN_1_TO_1_5;
	if (ratio_one_decimal < 3.05)
		return CODE_TN_1_6_TO_3;
	return CODE_TN_ABOVE_3;
}

static void add_tumour_to_normal(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_time_point *last = report_last(input);
	const struct dosimetry_voi_result *figures = &last->voi[voi];
	double ratio = round(10.0 * figures->tumour_to_normal) / 10.0;
	int healthy = figures->healthy_voi;
	char explanation[420] = "";

	if (healthy >= 0 && healthy < last->n_healthy) {
		int part = last->healthy[healthy].part_voi;
		snprintf(explanation, sizeof explanation,
			 "Mean absorbed dose of the tumour divided by that of the healthy liver of "
			 "%.260s "
			 "(%.4g Gy)",
			 part >= 0 ? input->vois[part].name : "the whole liver",
			 last->healthy[healthy].figures.dose.mean);
	}
	report_number_or_words(tree, code_get(CODE_TN_RATIO), ratio, UNIT_RATIO, explanation,
			       healthy >= 0 ? NOT_MEASURED : "no healthy liver to compare with");
	if (isfinite(ratio))
		sr_tree_code(tree, SR_CONTAINS, code_get(CODE_TN_CLASS), code_get(tn_class(ratio)));
}

static void add_trend(struct sr_tree *tree, const struct uptake_result *trend)
{
	static const enum code_id meaning[] = {
	    [UPTAKE_NOT_ASSESSED] = CODE_TREND_NOT_ASSESSED,
	    [UPTAKE_LINEAR] = CODE_TREND_LINEAR,
	    [UPTAKE_SATURATING] = CODE_TREND_SATURATING,
	    [UPTAKE_RISING] = CODE_TREND_RISING,
	};

	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_TREND), code_get(meaning[trend->trend]));
	report_number(
	    tree, code_get(CODE_TREND_EXPECTED), trend->expected_gy, UNIT_GY,
	    "Line through the mean doses after the earlier injections, at the activity now");
	report_number(tree, code_get(CODE_TREND_DEVIATION), trend->deviation_percent, UNIT_PERCENT,
		      NULL);
}

static void add_dose_after_every_injection(struct sr_tree *tree, const struct report_input *input,
					   int voi)
{
	for (int t = 0; t < input->result->n_time_points; t++) {
		const struct dosimetry_time_point *point = &input->result->time_points[t];
		struct code_text text;
		add_mean_dose(tree, input, t,
			      code_dose_after_injection(&text, point->after_injection),
			      point->voi[voi].dose.mean);
	}
}

static void add_healthy(struct sr_tree *tree, const struct report_input *input, int part_voi)
{
	const struct dosimetry_time_point *last = report_last(input);

	for (int i = 0; i < last->n_healthy; i++) {
		const struct dosimetry_voi_result *figures = &last->healthy[i].figures;
		if (last->healthy[i].part_voi != part_voi)
			continue;
		report_number(tree, code_get(CODE_HEALTHY_MEAN_DOSE), figures->dose.mean, UNIT_GY,
			      "Mean absorbed dose of this region without all tumours");
		report_number(tree, code_get(CODE_HEALTHY_VOLUME), figures->dose.volume_ml, UNIT_ML,
			      NULL);
		report_number(tree, code_get(CODE_HEALTHY_MASS), figures->mass_g, UNIT_G, NULL);
		report_number(tree, code_get(CODE_HEALTHY_ACTIVITY), figures->activity_mbq,
			      UNIT_MBQ, NULL);
	}
}

/* Recovery belongs to the liver: what was found in it and its tumours over what was injected. */
static void add_recovery(struct sr_tree *tree, const struct report_input *input)
{
	const struct dosimetry_time_point *last = report_last(input);
	bool bound = last->flags & DOSIMETRY_SATURATED_VOXELS;
	char missing[80] = "", explanation[220];

	if (last->region_not_measured_ml > 0.0)
		snprintf(missing, sizeof missing, "; %.3g of %.4g mL are not measured",
			 last->region_not_measured_ml, last->region_volume_ml);
	snprintf(explanation, sizeof explanation,
		 "Activity found in liver and tumours over net activity injected so far%s%s",
		 bound ? "; a lower bound, because voxels are saturated" : "", missing);
	report_number(tree, code_get(CODE_RECOVERY_RATIO), last->recovery_ratio, UNIT_RATIO,
		      explanation);
	report_number(tree, code_get(CODE_RECOVERED_ACTIVITY), last->recovered_activity_mbq,
		      UNIT_MBQ, NULL);
	for (int t = 0; t < input->result->n_time_points; t++) {
		const struct dosimetry_time_point *point = &input->result->time_points[t];
		struct code_text text;
		report_number(tree, code_recovery_after_injection(&text, point->after_injection),
			      point->recovery_ratio, UNIT_RATIO, NULL);
	}
}

/* Whether to trust the figures, in words. */
static void add_reliability(struct sr_tree *tree, const struct dosimetry_voi_result *figures)
{
	char text[300];
	int length = 0;

	if (!(figures->dose.measured_volume_ml > 0.0)) {
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_RELIABILITY), NOT_MEASURED);
		return;
	}
	if (figures->saturated_volume_ml > 0.0)
		length += snprintf(text + length, sizeof text - (size_t)length,
				   "lower bound: %.3g mL of %.3g mL saturated; ",
				   figures->saturated_volume_ml, figures->dose.volume_ml);
	if (figures->s0_known_volume_ml > 0.0)
		length += snprintf(text + length, sizeof text - (size_t)length,
				   "%.3g mL estimated with the signal of the baseline; ",
				   figures->s0_known_volume_ml);
	if (figures->not_measured_volume_ml > 0.0)
		length += snprintf(text + length, sizeof text - (size_t)length,
				   "%.3g mL not measured; ", figures->not_measured_volume_ml);
	if (length == 0)
		snprintf(text, sizeof text, "measured in the whole volume");
	else
		text[length - 2] = '\0';
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_RELIABILITY), text);
}

/* What matters most comes first: viewers show the first five figures beside the outline. */
static void add_measurements(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_time_point *last = report_last(input);
	const struct voi_stats *dose = &last->voi[voi].dose;
	enum voi_role role = input->vois[voi].role;

	add_mean_dose(tree, input, input->result->n_time_points - 1, code_get(CODE_MEAN_DOSE),
		      dose->mean);
	report_number(tree, code_get(CODE_VOLUME), dose->volume_ml, UNIT_ML, NULL);
	if (role == VOI_TUMOUR)
		add_tumour_to_normal(tree, input, voi);
	if (role == VOI_LIVER) {
		add_recovery(tree, input);
		add_healthy(tree, input, -1);
	}
	if (role == VOI_PART) {
		report_number(tree, code_get(CODE_PART_RECOVERY_RATIO),
			      last->part_recovery_ratio[voi], UNIT_RATIO,
			      "Activity found in this part over net activity injected through "
			      "its catheter positions");
		add_healthy(tree, input, voi);
	}
	add_further_doses(tree, input, voi);
	add_volumes(tree, input, voi);
	add_stored_mean(tree, input, voi);
	add_dose_after_every_injection(tree, input, voi);
	if (role == VOI_TUMOUR)
		add_trend(tree, &last->trend[voi]);
	add_reliability(tree, &last->voi[voi]);
}

enum status_code report_groups(struct sr_tree *tree, const struct report_input *input,
			       struct status *st)
{
	char study_uid[65], uid[65];

	if (dataset_get_string(input->evidence->study_header, AT(TAG_StudyInstanceUID), study_uid,
			       sizeof study_uid, st) != STATUS_OK)
		return st->code;
	for (int voi = 0; voi < input->n_vois; voi++) {
		tracking_uid(uid, input, voi, study_uid);
		sr_tree_container(tree, SR_CONTAINS, code_get(CODE_MEASUREMENT_GROUP), "1411");
		sr_tree_text(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_TRACKING_IDENTIFIER),
			     input->vois[voi].name);
		sr_tree_uid(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_TRACKING_UID), uid);
		add_finding(tree, input->vois[voi].role);
		if (report_region(tree, input, voi, st) != STATUS_OK)
			return st->code;
		if (input->vois[voi].role != VOI_OTHER)
			sr_tree_code(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_FINDING_SITE),
				     code_get(CODE_LIVER));
		add_measurements(tree, input, voi);
		sr_tree_leave(tree);
	}
	return STATUS_OK;
}
