/* measurement_report_dose.c - doses and volumes of one region: what viewers show first, and the
 * rest */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"

/* ---- first ---- */

/* An absorbed dose of one time point, with the object it comes from. */
static void add_mean_dose(struct sr_tree *tree, const struct report_input *input, int time_point,
			  const struct code *name, const struct dosimetry_voi_result *figures)
{
	char words[420];

	if (!isfinite(figures->dose.mean)) {
		report_unmeasured_words(words, figures);
		sr_tree_text(tree, SR_CONTAINS, name, words);
		return;
	}
	sr_tree_number(tree, SR_CONTAINS, name, figures->dose.mean, code_get(UNIT_GY));
	report_from_dose(tree, input, time_point);
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
	char explanation[420] = "", unmeasured[420];
	const char *words = "no healthy liver to compare with";

	if (healthy >= 0 && healthy < last->n_healthy) {
		int part = last->healthy[healthy].part_voi;
		double healthy_gy = last->healthy[healthy].figures.dose.mean;
		snprintf(explanation, sizeof explanation,
			 "Mean absorbed dose of the tumour divided by that of the healthy liver of "
			 "%.260s "
			 "(%.4g Gy)",
			 part >= 0 ? input->vois[part].name : "the whole liver", healthy_gy);
		report_unmeasured_words(unmeasured, figures);
		words = isfinite(figures->dose.mean) && isfinite(healthy_gy)
			    ? "none: the healthy liver has no dose above 0"
			    : unmeasured;
	}
	report_number_or_words(tree, code_get(CODE_TN_RATIO), ratio, UNIT_RATIO, explanation,
			       words);
	if (isfinite(ratio))
		sr_tree_code(tree, SR_CONTAINS, code_get(CODE_TN_CLASS), code_get(tn_class(ratio)));
}

static void recovery_words(char text[420], const struct report_input *input)
{
	const struct dosimetry_time_point *last = report_last(input);
	bool bound = last->flags & DOSIMETRY_SATURATED_VOXELS;
	char missing[80] = "", band[80] = "";

	if (last->region_not_measured_ml > 0.0)
		snprintf(missing, sizeof missing, "; %.3g of %.4g mL are not measured",
			 last->region_not_measured_ml, last->region_volume_ml);
	if (last->flags & DOSIMETRY_RECOVERY_OUTSIDE)
		snprintf(band, sizeof band, "; outside the configured band of %.4g to %.4g %%",
			 input->params->recovery_low_percent, input->params->recovery_high_percent);
	snprintf(text, 420,
		 "Activity found in liver and tumours over net activity injected so far%s%s%s",
		 bound ? "; a lower bound, because voxels are saturated in the fit" : "", missing,
		 band);
}

/* Recovery belongs to the liver: what was found in it and its tumours over what was injected. */
static void add_recovery(struct sr_tree *tree, const struct report_input *input)
{
	char explanation[420];

	recovery_words(explanation, input);
	report_number(tree, code_get(CODE_RECOVERY_RATIO), report_last(input)->recovery_ratio,
		      UNIT_RATIO, explanation);
}

void report_doses_first(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_time_point *last = report_last(input);
	const struct dosimetry_voi_result *figures = &last->voi[voi];
	enum voi_role role = input->vois[voi].role;

	add_mean_dose(tree, input, input->result->n_time_points - 1, code_get(CODE_MEAN_DOSE),
		      figures);
	report_uncertainty(tree, CODE_UNCERTAINTY, figures);
	report_number(tree, code_get(CODE_VOLUME), figures->dose.volume_ml, UNIT_ML, NULL);
	if (report_is_tumour(role))
		add_tumour_to_normal(tree, input, voi);
	if (role == VOI_LIVER) {
		add_recovery(tree, input);
		report_healthy(tree, input, -1);
	}
	if (role == VOI_PART) {
		report_number(tree, code_get(CODE_PART_RECOVERY_RATIO),
			      last->part_recovery_ratio[voi], UNIT_RATIO,
			      "Activity found in this part over net activity injected through "
			      "its catheter positions");
		report_healthy(tree, input, voi);
	}
}

/* ---- further ---- */

static void add_dose_metrics(struct sr_tree *tree, const struct voi_stats *dose)
{
	double variation_percent =
	    dose->mean > 0.0 ? 100.0 * dose->standard_deviation / dose->mean : (double)NAN;

	report_number(tree, code_get(CODE_D90), dose->d90, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_MAXIMUM_DOSE), dose->maximum, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_MINIMUM_DOSE), dose->minimum, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_DOSE_SD), dose->standard_deviation, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_DOSE_VARIATION), variation_percent, UNIT_PERCENT,
		      "Heterogeneity: standard deviation over the voxels, image noise included, "
		      "divided by the mean");
	report_number(tree, code_get(CODE_D98), dose->d98, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D70), dose->d70, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D50), dose->d50, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_D2), dose->d2, UNIT_GY, NULL);
	for (int i = 0; isfinite(dose->mean) && i < dose->levels; i++) {
		struct code_text text;
		if (dose->measured_volume_ml > 0.0)
			report_number(tree, code_volume_at_dose(&text, dose->level[i]),
				      100.0 * dose->volume_at_level_ml[i] /
					  dose->measured_volume_ml,
				      UNIT_PERCENT, NULL);
	}
}

static void add_underdosed(struct sr_tree *tree, const struct report_input *input,
			   const struct dosimetry_voi_result *figures)
{
	for (int i = 0; i < input->params->underdose_levels; i++) {
		double below_gy = input->params->underdosed_below_gy[i];
		struct code_text text;
		report_number(tree, code_volume_below_dose(&text, below_gy),
			      figures->underdosed_volume_ml[i], UNIT_ML,
			      "Under-dosed: volume of the measured part of the tumour below that "
			      "dose");
		report_number(tree, code_piece_below_dose(&text, below_gy),
			      figures->underdosed_piece_ml[i], UNIT_ML,
			      "Largest connected piece of the under-dosed volume");
	}
}

static void add_kernel(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct voi_stats *dose = &report_last(input)->voi[voi].kernel_dose;
	int t = input->result->n_time_points - 1;

	if (!input->params->kernel || !isfinite(dose->mean) ||
	    !isfinite(report_last(input)->voi[voi].dose.mean))
		return; /* what cannot be measured has no dose by any method */
	sr_tree_number(tree, SR_CONTAINS, code_get(CODE_KERNEL_MEAN_DOSE), dose->mean,
		       code_get(UNIT_GY));
	sr_tree_enter(tree);
	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_EQUIVALENT_MEANING),
		     "Mean absorbed dose with the range of the beta particles: local deposition "
		     "convolved with a holmium-166 voxel kernel");
	if (report_has_kernel_dose(input, t))
		sr_tree_composite(tree, SR_INFERRED_FROM, code_get(CODE_DOSE_IMAGE),
				  &input->kernel_doses[t]);
	sr_tree_leave(tree);
	report_number(tree, code_get(CODE_KERNEL_D90), dose->d90, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_KERNEL_D70), dose->d70, UNIT_GY, NULL);
	report_number(tree, code_get(CODE_KERNEL_MAXIMUM_DOSE), dose->maximum, UNIT_GY, NULL);
}

static const char *position_name(const struct report_input *input, int position)
{
	for (int i = 0; i < input->n_injections; i++)
		if (input->injections[i].figures.position == position)
			return input->injections[i].position_id;
	return NULL;
}

/* With one catheter position only it would say the mean dose again. */
static void add_dose_by_position(struct sr_tree *tree, const struct report_input *input,
				 const struct dosimetry_voi_result *figures)
{
	if (!isfinite(figures->dose.mean) || !position_name(input, 1))
		return;
	for (int p = 0; p < DOSIMETRY_MAX_POSITIONS; p++) {
		const char *name = position_name(input, p);
		struct code_text text;
		char words[300];
		if (!name)
			continue;
		snprintf(words, sizeof words,
			 "Part of the mean absorbed dose that the injections through catheter "
			 "position \"%.68s\" brought",
			 name);
		report_number_or_words(tree, code_dose_of_position(&text, p + 1),
				       figures->position_dose_gy[p], UNIT_GY, words,
				       "not known: no scan lies between its injections and those "
				       "of another position");
	}
}

static void add_volumes(struct sr_tree *tree, const struct dosimetry_voi_result *figures)
{
	char unmeasured[420];

	report_unmeasured_words(unmeasured, figures);
	report_number(tree, code_get(CODE_MASS), figures->mass_g, UNIT_G, NULL);
	report_number_or_words(
	    tree, code_get(CODE_ACTIVITY_IN_VOLUME), figures->activity_mbq, UNIT_MBQ,
	    "Activity found in the volume, summed over the injections, each at its own "
	    "time of injection",
	    unmeasured);
	report_number(tree, code_get(CODE_MEASURED_VOLUME), figures->dose.measured_volume_ml,
		      UNIT_ML, NULL);
	report_number(tree, code_get(CODE_NOT_MEASURED_VOLUME), figures->not_measured_volume_ml,
		      UNIT_ML, "Volume without a dose, all causes together");
	report_number(tree, code_get(CODE_EXCLUDED_VOLUME), figures->excluded_volume_ml, UNIT_ML,
		      "Of the volume not measured: susceptibility artefact (gas, metal), there "
		      "before any microspheres, with the margin that the alignment needs");
	report_number(tree, code_get(CODE_SATURATED_VOLUME), figures->saturated_volume_ml, UNIT_ML,
		      "No signal left to fit at the first echo: the dose there is a lower bound. "
		      "This is the limit of the fit, not a saturation of the tumour's uptake");
	report_number(tree, code_get(CODE_S0_KNOWN_VOLUME), figures->s0_known_volume_ml, UNIT_ML,
		      "Fewer than three usable echoes: R2* from the first echo and the signal of "
		      "the baseline");
	report_number(tree, code_get(CODE_OSCILLATING_VOLUME), figures->oscillating_volume_ml,
		      UNIT_ML,
		      "Signal oscillates over the echoes, as fat makes it: R2* is doubtful there");
	if (figures->necrotic_volume_ml > 0.0)
		report_number(tree, code_get(CODE_NECROTIC_VOLUME), figures->necrotic_volume_ml,
			      UNIT_ML, NULL);
}

/* A region that cannot be measured is stored as 0: as a mean that would be the 0 Gy it must not
 * have.
 */
static void add_stored_mean(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const double *stored = input->vois[voi].stored_mean_gy;

	if (stored && isfinite(report_last(input)->voi[voi].dose.mean))
		report_number(
		    tree, code_get(CODE_STORED_MEAN_DOSE), stored[input->result->n_time_points - 1],
		    UNIT_GY,
		    "Mean of the pixels of the RT Dose object, where negative doses and voxels "
		    "without a dose are 0");
}

static void add_dose_after_every_injection(struct sr_tree *tree, const struct report_input *input,
					   int voi)
{
	for (int t = 0; t < input->result->n_time_points; t++) {
		const struct dosimetry_time_point *point = &input->result->time_points[t];
		struct code_text text;
		add_mean_dose(tree, input, t,
			      code_dose_after_injection(&text, point->after_injection),
			      &point->voi[voi]);
	}
}

static void add_recovery_after_every_injection(struct sr_tree *tree,
					       const struct report_input *input)
{
	const struct dosimetry_time_point *last = report_last(input);

	if (isfinite(last->recovery_ratio))
		report_number_or_words(
		    tree, code_get(CODE_RECOVERY_UNCERTAINTY), last->recovery_uncertainty,
		    UNIT_RATIO, "Standard uncertainty (k = 1) of the activity recovery ratio",
		    "not known");
	report_number(tree, code_get(CODE_RECOVERED_ACTIVITY), last->recovered_activity_mbq,
		      UNIT_MBQ, NULL);
	for (int t = 0; t < input->result->n_time_points; t++) {
		const struct dosimetry_time_point *point = &input->result->time_points[t];
		struct code_text text;
		report_number(tree, code_recovery_after_injection(&text, point->after_injection),
			      point->recovery_ratio, UNIT_RATIO, NULL);
	}
}

void report_healthy(struct sr_tree *tree, const struct report_input *input, int part_voi)
{
	const struct dosimetry_time_point *last = report_last(input);

	for (int i = 0; i < last->n_healthy; i++) {
		const struct dosimetry_voi_result *figures = &last->healthy[i].figures;
		char unmeasured[420];
		if (last->healthy[i].part_voi != part_voi)
			continue;
		report_unmeasured_words(unmeasured, figures);
		report_number_or_words(
		    tree, code_get(CODE_HEALTHY_MEAN_DOSE), figures->dose.mean, UNIT_GY,
		    "Mean absorbed dose of this region without all tumours", unmeasured);
		report_uncertainty(tree, CODE_HEALTHY_UNCERTAINTY, figures);
		report_number(tree, code_get(CODE_HEALTHY_VOLUME), figures->dose.volume_ml, UNIT_ML,
			      NULL);
		report_number(tree, code_get(CODE_HEALTHY_MASS), figures->mass_g, UNIT_G, NULL);
		report_number(tree, code_get(CODE_HEALTHY_ACTIVITY), figures->activity_mbq,
			      UNIT_MBQ, NULL);
		if (input->params->kernel && isfinite(figures->dose.mean))
			report_number(tree, code_get(CODE_KERNEL_HEALTHY_MEAN_DOSE),
				      figures->kernel_dose.mean, UNIT_GY, NULL);
		report_reliability(tree, CODE_HEALTHY_RELIABILITY, figures);
		report_advice(tree, input, i);
	}
}

void report_doses_further(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct dosimetry_voi_result *figures = &report_last(input)->voi[voi];
	enum voi_role role = input->vois[voi].role;

	add_dose_metrics(tree, &figures->dose);
	if (report_is_tumour(role) && isfinite(figures->dose.mean))
		add_underdosed(tree, input, figures);
	add_kernel(tree, input, voi);
	add_dose_by_position(tree, input, figures);
	add_volumes(tree, figures);
	add_stored_mean(tree, input, voi);
	if (role == VOI_LIVER)
		add_recovery_after_every_injection(tree, input);
	add_dose_after_every_injection(tree, input, voi);
}
