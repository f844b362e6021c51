/* measurement_report_trend.c - uptake over the injections: the line, what it predicts, and advice
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"

static const enum code_id expected[3] = {CODE_TREND_EXPECTED, CODE_EXPECTED_LOWER,
					 CODE_EXPECTED_UPPER};
static const enum code_id next[3] = {CODE_PREDICTED_NEXT, CODE_PREDICTED_NEXT_LOWER,
				     CODE_PREDICTED_NEXT_UPPER};
static const enum code_id foretold[3] = {CODE_PREDICTED_BEFORE, CODE_PREDICTED_BEFORE_LOWER,
					 CODE_PREDICTED_BEFORE_UPPER};

static void add_class(struct sr_tree *tree, const struct report_input *input,
		      const struct uptake_result *trend)
{
	static const enum code_id meaning[] = {
	    [UPTAKE_NOT_ASSESSED] = CODE_TREND_NOT_ASSESSED,
	    [UPTAKE_LINEAR] = CODE_TREND_LINEAR,
	    [UPTAKE_SATURATING] = CODE_TREND_SATURATING,
	    [UPTAKE_RISING] = CODE_TREND_RISING,
	};
	char text[300];

	switch (trend->trend) {
	case UPTAKE_NOT_ASSESSED:
		snprintf(text, sizeof text,
			 "needs a measured dose after four injections or more, and their "
			 "activities");
		break;
	case UPTAKE_LINEAR:
		snprintf(text, sizeof text, "within %.4g %% of the line",
			 input->params->trend_threshold_percent);
		break;
	case UPTAKE_SATURATING:
		snprintf(text, sizeof text,
			 "%.4g %% or more below the line: the tumour's uptake saturates. This is "
			 "about the tumour; the saturation of the fit is given as a volume",
			 input->params->trend_threshold_percent);
		break;
	case UPTAKE_RISING:
		snprintf(text, sizeof text, "%.4g %% or more above the line",
			 input->params->trend_threshold_percent);
		break;
	}
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_TREND), code_get(meaning[trend->trend]));
	sr_tree_enter(tree);
	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_EQUIVALENT_MEANING), text);
	sr_tree_leave(tree);
}

/* What the time point before had foretold for this injection, and how it turned out. */
static void add_past_prediction(struct sr_tree *tree, const struct report_input *input, int voi)
{
	int t = input->result->n_time_points - 1;
	const struct dosimetry_time_point *last = report_last(input);
	const struct uptake_result *before;
	double mean_gy = last->voi[voi].dose.mean;
	char text[300];
	bool within;

	if (t < 1 || last[-1].after_injection + 1 != last->after_injection)
		return; /* it was for an injection that was not imaged */
	before = &last[-1].trend[voi];
	if (!isfinite(before->next_gy) || !isfinite(mean_gy))
		return;
	snprintf(text, sizeof text,
		 "From the line through the doses up to injection %d, at the activity after "
		 "injection %d",
		 last[-1].after_injection, last->after_injection);
	report_number_interval(tree, foretold, before->next_gy, before->next_lower_gy,
			       before->next_upper_gy, UNIT_GY, text);
	within = mean_gy >= before->next_lower_gy && mean_gy <= before->next_upper_gy;
	snprintf(text, sizeof text, "Mean dose now, %.4g Gy, minus what was predicted%s", mean_gy,
		 !isfinite(before->next_lower_gy) || !isfinite(before->next_upper_gy) ? ""
		 : within ? "; inside the 95 % interval"
			  : "; outside the 95 % interval");
	report_number(tree, code_get(CODE_PREDICTION_DIFFERENCE), mean_gy - before->next_gy,
		      UNIT_GY, text);
}

void report_trend(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_time_point *last = report_last(input);
	const struct uptake_result *trend = &last->trend[voi];
	char text[200];

	add_class(tree, input, trend);
	if (trend->trend != UPTAKE_NOT_ASSESSED) {
		report_number_interval(tree, expected, trend->expected_gy, trend->expected_lower_gy,
				       trend->expected_upper_gy, UNIT_GY,
				       "Line through the mean doses after the earlier injections "
				       "of the positions that feed it, at the activity now");
		report_number(tree, code_get(CODE_TREND_DEVIATION), trend->deviation_percent,
			      UNIT_PERCENT, "Mean dose now against the expected one");
	}
	if (trend->hardly_any) {
		sr_tree_code(tree, SR_CONTAINS, code_get(CODE_UPTAKE_AMOUNT),
			     code_get(CODE_UPTAKE_HARDLY_ANY));
		sr_tree_enter(tree);
		sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_EQUIVALENT_MEANING),
			     "The tumour gets little beside the healthy liver, however straight "
			     "its line is");
		sr_tree_leave(tree);
	}
	add_past_prediction(tree, input, voi);
	snprintf(text, sizeof text,
		 "The line through the mean doses up to injection %d, at the activity after the "
		 "next injection of the record",
		 last->after_injection);
	report_number_interval(tree, next, trend->next_gy, trend->next_lower_gy,
			       trend->next_upper_gy, UNIT_GY, text);
}

/* Words only: a number of MBq that a viewer shows by itself, without its interval, would read as a
 * prescription. */
void report_advice(struct sr_tree *tree, const struct report_input *input, int healthy)
{
	const struct uptake_remaining *left = &report_last(input)->advice[healthy];
	double limit_gy = input->params->advice_limit_gy;
	char text[420];

	if (!isfinite(limit_gy))
		return;
	if (!isfinite(left->activity_mbq) || !isfinite(left->lower_mbq) ||
	    !isfinite(left->upper_mbq))
		snprintf(text, sizeof text,
			 "For research only. No activity with an interval can be given until the "
			 "mean dose to healthy liver reaches %.4g Gy: too few points, or no rise",
			 limit_gy);
	else if (left->upper_mbq <= 0.0)
		snprintf(text, sizeof text,
			 "For research only. The mean dose to healthy liver has reached the "
			 "configured %.4g Gy",
			 limit_gy);
	else
		snprintf(text, sizeof text,
			 "For research only. On the line of the injections so far the mean dose to "
			 "healthy liver would reach the configured %.4g Gy after another %.4g to "
			 "%.4g MBq (95 %% interval; middle %.4g MBq)",
			 limit_gy, left->lower_mbq, left->upper_mbq, left->activity_mbq);
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_ADVICE), text);
}
