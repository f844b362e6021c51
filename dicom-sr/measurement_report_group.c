/* measurement_report_group.c - the TID 1411 groups: one per VOI, one per under-dosed part */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"
#include "tags.h"
#include "uid.h"

/* ---- what all parts use ---- */

const struct dosimetry_time_point *report_last(const struct report_input *input)
{
	return &input->result->time_points[input->result->n_time_points - 1];
}

bool report_is_tumour(enum voi_role role)
{
	return role == VOI_TUMOUR || role == VOI_GROUP;
}

bool report_has_dose(const struct report_input *input, int time_point)
{
	return input->rt_doses && input->rt_doses[time_point].sop_instance_uid[0];
}

bool report_has_kernel_dose(const struct report_input *input, int time_point)
{
	return input->kernel_doses && input->kernel_doses[time_point].sop_instance_uid[0];
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

void report_number_interval(struct sr_tree *tree, const enum code_id names[3], double value,
			    double lower, double upper, enum code_id unit, const char *explanation)
{
	const char *symbol = code_get(unit)->value;
	char text[420];

	if (!isfinite(value))
		return;
	if (isfinite(lower) && isfinite(upper))
		snprintf(text, sizeof text, "%.300s; 95 %% interval %.4g to %.4g %.16s",
			 explanation, lower, upper, symbol);
	else
		snprintf(text, sizeof text, "%.300s; too few points for an interval", explanation);
	report_number(tree, code_get(names[0]), value, unit, text);
	report_number(tree, code_get(names[1]), lower, unit, "Prediction interval of the line");
	report_number(tree, code_get(names[2]), upper, unit, "Prediction interval of the line");
}

void report_text_if_any(struct sr_tree *tree, enum code_id name, const char *text)
{
	if (text && text[0])
		sr_tree_text(tree, SR_CONTAINS, code_get(name), text);
}

/* ---- a group ---- */

/* The same region of one study keeps its tracking UID over versions and time points; regions of one
 * name are told apart by their number. */
static void tracking_uid(char uid[65], const struct report_input *input, int voi, const char *kind,
			 const char *study_uid)
{
	char purpose[400];
	bool twice = false;

	for (int i = 0; i < input->n_vois; i++)
		twice =
		    twice || (i != voi && strcmp(input->vois[i].name, input->vois[voi].name) == 0);
	if (twice)
		snprintf(purpose, sizeof purpose, "%s:%s#%d", kind, input->vois[voi].name,
			 input->vois[voi].roi_number);
	else
		snprintf(purpose, sizeof purpose, "%s:%s", kind, input->vois[voi].name);
	uid_derive(uid, study_uid, purpose);
}

static void begin_group(struct sr_tree *tree, const char *name, const char *uid,
			enum code_id category, const enum code_id *finding)
{
	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_MEASUREMENT_GROUP), "1411");
	sr_tree_text(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_TRACKING_IDENTIFIER), name);
	sr_tree_uid(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_TRACKING_UID), uid);
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_FINDING_CATEGORY), code_get(category));
	if (finding)
		sr_tree_code(tree, SR_CONTAINS, code_get(CODE_FINDING), code_get(*finding));
}

static void begin_voi_group(struct sr_tree *tree, const char *name, const char *uid,
			    enum voi_role role)
{
	static const enum code_id liver = CODE_LIVER, neoplasm = CODE_NEOPLASM,
				  necrosis = CODE_NECROSIS;

	switch (role) {
	case VOI_TUMOUR:
	case VOI_GROUP:
		begin_group(tree, name, uid, CODE_ABNORMAL_STRUCTURE, &neoplasm);
		return;
	case VOI_NECROSIS:
		begin_group(tree, name, uid, CODE_ABNORMAL_STRUCTURE, &necrosis);
		return;
	case VOI_LIVER:
	case VOI_PART:
		begin_group(tree, name, uid, CODE_ANATOMICAL_STRUCTURE, &liver);
		return;
	case VOI_OTHER:
		break;
	}
	begin_group(tree, name, uid, CODE_ANATOMICAL_STRUCTURE, NULL);
}

/* What matters most comes first: viewers show the first five figures beside the outline. */
static void add_measurements(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_voi_result *figures = &report_last(input)->voi[voi];

	if (input->vois[voi].role == VOI_NECROSIS) {
		report_number(
		    tree, code_get(CODE_VOLUME), figures->dose.volume_ml, UNIT_ML,
		    "Volume of the necrosis; it is not perfused: no dose is given, and it "
		    "is left out of the mass of the liver and of healthy liver");
		return;
	}
	report_text_if_any(tree, CODE_GROUP_MEMBERS, input->vois[voi].members);
	report_measurability(tree, figures);
	report_doses_first(tree, input, voi);
	report_doses_further(tree, input, voi);
	if (report_is_tumour(input->vois[voi].role))
		report_trend(tree, input, voi);
	report_reliability(tree, CODE_RELIABILITY, figures);
}

static bool can_be_shown(const struct outline_set *set)
{
	for (int i = 0; set && i < set->count; i++)
		if (set->outlines[i].points >= REPORT_OUTLINE_POINTS)
			return true;
	return false;
}

/* Less is a few voxels of noise: its volume stands in the group of the tumour. */
#define UNDERDOSED_PIECE_ML 0.1

/* The part of a tumour below the first level, as a region of its own that viewers can open: the
 * untreated part of a tumour is what another injection would aim at. */
static enum status_code add_underdosed(struct sr_tree *tree, const struct report_input *input,
				       int voi, const char *study_uid, struct status *st)
{
	static const enum code_id finding = CODE_UNDERDOSED_VOLUME;
	const struct report_voi *tumour = &input->vois[voi];
	const struct dosimetry_voi_result *figures = &report_last(input)->voi[voi];
	double below_gy = input->params->underdosed_below_gy[0];
	struct code_text text;
	char name[300], uid[65], words[420];
	int shown = 0;

	if (!report_is_tumour(tumour->role) || !isfinite(figures->dose.mean) ||
	    input->params->underdose_levels < 1 || !can_be_shown(tumour->underdosed_outlines) ||
	    !(figures->underdosed_piece_ml[0] >= UNDERDOSED_PIECE_ML))
		return STATUS_OK;
	snprintf(name, sizeof name, "Under-dosed part of %.260s", tumour->name);
	tracking_uid(uid, input, voi, "tracking-underdosed", study_uid);
	begin_group(tree, name, uid, CODE_ABNORMAL_STRUCTURE, &finding);
	if (report_outlines(tree, &shown, input, tumour->underdosed_outlines, name, st) !=
	    STATUS_OK)
		return st->code;
	sr_tree_code(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_FINDING_SITE), code_get(CODE_LIVER));
	snprintf(words, sizeof words,
		 "Part of %.200s with an absorbed dose below %.6g Gy after injection %d; what was "
		 "not measured is not in it",
		 tumour->name, below_gy, report_last(input)->after_injection);
	report_number(tree, code_get(CODE_VOLUME), figures->underdosed_volume_ml[0], UNIT_ML,
		      words);
	report_number(tree, code_piece_below_dose(&text, below_gy), figures->underdosed_piece_ml[0],
		      UNIT_ML, NULL);
	sr_tree_leave(tree);
	return STATUS_OK;
}

enum status_code report_groups(struct sr_tree *tree, const struct report_input *input,
			       struct status *st)
{
	char study_uid[65], uid[65];

	if (dataset_get_string(input->evidence->study_header, AT(TAG_StudyInstanceUID), study_uid,
			       sizeof study_uid, st) != STATUS_OK)
		return st->code;
	for (int voi = 0; voi < input->n_vois; voi++) {
		tracking_uid(uid, input, voi, "tracking", study_uid);
		begin_voi_group(tree, input->vois[voi].name, uid, input->vois[voi].role);
		if (report_region(tree, input, voi, st) != STATUS_OK)
			return st->code;
		if (input->vois[voi].role != VOI_OTHER)
			sr_tree_code(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_FINDING_SITE),
				     code_get(CODE_LIVER));
		add_measurements(tree, input, voi);
		report_emission(tree, input, voi);
		sr_tree_leave(tree);
		if (add_underdosed(tree, input, voi, study_uid, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}
