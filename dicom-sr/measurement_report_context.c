/* measurement_report_context.c - what surrounds the measurements: warnings, administrations, time
 * points */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"

/* ---- flags and warnings ---- */

static const struct {
	enum dosimetry_flag flag;
	const char *code;
} flag_codes[] = {
    {DOSIMETRY_SATURATED_VOXELS, "HO102"}, {DOSIMETRY_S0_KNOWN_OFF, "HO117"},
    {DOSIMETRY_ORDER_UNCLEAR, "HO103"},	   {DOSIMETRY_RESIDUAL_PENDING, "HO104"},
    {DOSIMETRY_ACTIVITY_UNKNOWN, "HO112"}, {DOSIMETRY_CONTENT_UNSCALED, "HO107"},
    {DOSIMETRY_TR_FLIP_DIFFER, "HO106"},   {DOSIMETRY_NO_LIVER, "HO114"},
    {DOSIMETRY_NO_TUMOUR, "HO115"},	   {DOSIMETRY_TUMOURS_OVERLAP, "HO116"},
    {DOSIMETRY_RECOVERY_JUMP, "HO113"},	   {DOSIMETRY_TR_FLIP_UNKNOWN, "HO106"},
    {DOSIMETRY_HOT_OUTSIDE, "HO121"},	   {DOSIMETRY_REGISTRATION_UNCERTAIN, "HO130"},
    {DOSIMETRY_RECOVERY_OUTSIDE, "HO131"}, {DOSIMETRY_TN_BELOW_1, "HO132"},
    {DOSIMETRY_TUMOUR_LIMITED, "HO135"},   {DOSIMETRY_TUMOUR_NOT_MEASURABLE, "HO136"},
    {DOSIMETRY_OSCILLATION, "HO137"},	   {DOSIMETRY_POSITION_WITHOUT_VOI, "HO134"},
    {DOSIMETRY_MASS_NOT_KEPT, "HO141"},
};

const char *measurement_report_flag_code(enum dosimetry_flag flag)
{
	for (size_t i = 0; i < sizeof flag_codes / sizeof *flag_codes; i++)
		if (flag_codes[i].flag == flag)
			return flag_codes[i].code;
	return "HO119";
}

static void add_warning(struct sr_tree *tree, const char *code, const char *text)
{
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_WARNING), code_of_warning(code));
	sr_tree_enter(tree);
	sr_tree_text(tree, SR_HAS_PROPERTIES, code_get(CODE_COMMENT), text);
	sr_tree_leave(tree);
}

static bool already_given(const struct report_input *input, const char *code)
{
	for (int i = 0; i < input->n_warnings; i++)
		if (strcmp(input->warnings[i].code, code) == 0)
			return true;
	return false;
}

/* One flag with the time points that carry it: "saturated voxels ... (after injection 2, 3)".
 * False: none does. */
static bool flag_words(char text[400], const struct report_input *input, enum dosimetry_flag flag)
{
	int length = snprintf(text, 400, "%.200s (after injection", dosimetry_flag_text(flag));
	int carriers = 0;

	for (int t = 0; t < input->result->n_time_points; t++) {
		const struct dosimetry_time_point *point = &input->result->time_points[t];
		if (!(point->flags & (unsigned)flag))
			continue;
		length += snprintf(text + length, 400 - (size_t)length, "%s %d",
				   carriers ? "," : "", point->after_injection);
		carriers++;
	}
	snprintf(text + length, 400 - (size_t)length, ")");
	return carriers > 0;
}

void report_warnings(struct sr_tree *tree, const struct report_input *input)
{
	bool any = false;
	char text[400];

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_WARNINGS), NULL);
	if (input->relaxivity_provenance &&
	    strstr(input->relaxivity_provenance, "not calibrated") &&
	    !already_given(input, "HO101")) {
		snprintf(text, sizeof text, "relaxivity: %.300s", input->relaxivity_provenance);
		add_warning(tree, "HO101", text);
		any = true;
	}
	for (int i = 0; i < input->n_warnings; i++, any = true)
		add_warning(tree, input->warnings[i].code, input->warnings[i].text);
	if (isfinite(input->params->advice_limit_gy) && report_last(input)->n_healthy > 0 &&
	    !already_given(input, "HO142")) {
		add_warning(tree, "HO142",
			    "the report holds advice on activity: for research only, not a "
			    "prescription");
		any = true;
	}
	for (size_t i = 0; i < sizeof flag_codes / sizeof *flag_codes; i++) {
		/* What the record or the slots said in more words is not said twice; clock and mass
		 * are two different witnesses of an unclear order, another coil does not tell that
		 * TR was not given, nor one alignment what is wrong with another. */
		bool said = flag_codes[i].flag != DOSIMETRY_ORDER_UNCLEAR &&
			    flag_codes[i].flag != DOSIMETRY_TR_FLIP_UNKNOWN &&
			    flag_codes[i].flag != DOSIMETRY_REGISTRATION_UNCERTAIN &&
			    already_given(input, flag_codes[i].code);
		if (said || !flag_words(text, input, flag_codes[i].flag))
			continue;
		add_warning(tree, flag_codes[i].code, text);
		any = true;
	}
	if (!any)
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_COMMENT), "none");
	sr_tree_leave(tree);
}

/* ---- dates ---- */

/* DT: at least a date, digits with an optional fraction and zone. */
static bool is_datetime(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *rest = text + digits;

	if (digits < 8 || digits > 14 || digits % 2)
		return false;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (*rest == '+' || *rest == '-')
		return strlen(rest) == 5 && strspn(rest + 1, "0123456789") == 4;
	return *rest == '\0';
}

void report_datetime(struct sr_tree *tree, enum code_id name, const char *text)
{
	if (is_datetime(text))
		sr_tree_datetime(tree, SR_CONTAINS, code_get(name), text);
}

/* ---- administrations ---- */

static void add_administration(struct sr_tree *tree, const struct report_injection *injection)
{
	const struct dosimetry_injection *figures = &injection->figures;
	char position[340];

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_ADMINISTRATION), NULL);
	report_number(tree, code_get(CODE_ADMINISTRATION_NUMBER), figures->number, UNIT_ONE, NULL);
	report_datetime(tree, CODE_START, injection->start);
	snprintf(position, sizeof position, "%s%s%s", injection->position_id,
		 injection->position_id[0] && injection->position_description[0] ? ": " : "",
		 injection->position_description);
	report_text_if_any(tree, CODE_POSITION, position);
	report_text_if_any(tree, CODE_VIAL, injection->vial);
	if (injection->outside_scanner)
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_NOT_IMAGED),
			     "not imaged by itself: its dose comes with the next scan");
	report_number_or_words(tree, code_get(CODE_ADMINISTERED_ACTIVITY),
			       figures->net_activity_mbq, UNIT_MBQ,
			       "Net activity at the start of the injection", "unknown");
	report_number(tree, code_get(CODE_PREPARED_ACTIVITY), injection->prepared_activity_mbq,
		      UNIT_MBQ, "Activity as prepared, at the time it was measured");
	report_number(tree, code_get(CODE_RESIDUAL_ACTIVITY), injection->residual_activity_mbq,
		      UNIT_MBQ, "Residual activity, at the time it was measured");
	if (figures->residual_pending)
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_RESIDUAL_STATE),
			     "residual pending: the net activity is still the prepared one");
	report_number(tree, code_get(CODE_SPECIFIC_ACTIVITY), figures->specific_activity_mbq_per_mg,
		      UNIT_MBQ_PER_MG, NULL);
	report_number(tree, code_get(CODE_HOLMIUM_CONTENT), figures->holmium_percent, UNIT_PERCENT,
		      NULL);
	report_number(tree, code_get(CODE_PLANNED_ACTIVITY), injection->planned_activity_mbq,
		      UNIT_MBQ, NULL);
	report_number(tree, code_get(CODE_PLANNED_PERCENT), injection->planned_percent,
		      UNIT_PERCENT, NULL);
	sr_tree_leave(tree);
}

void report_administrations(struct sr_tree *tree, const struct report_input *input)
{
	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_ADMINISTRATIONS), NULL);
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_AGENT), code_get(CODE_MICROSPHERES));
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_RADIONUCLIDE), code_get(CODE_HOLMIUM_166));
	report_text_if_any(tree, CODE_PRODUCT, input->product);
	for (int i = 0; i < input->n_injections; i++)
		add_administration(tree, &input->injections[i]);
	sr_tree_leave(tree);
}

/* ---- time points ---- */

static const char *acquired_after(const struct report_input *input, int injection)
{
	for (int s = 0; s < input->evidence->n_series; s++) {
		const struct evidence_series *series = &input->evidence->series[s];
		if (series->role == EVIDENCE_AFTER && series->after_injection == injection)
			return series->acquired;
	}
	return "";
}

static void add_time_point(struct sr_tree *tree, const struct report_input *input, int index)
{
	const struct dosimetry_time_point *point = &input->result->time_points[index];

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_TIME_POINT), NULL);
	report_number(tree, code_get(CODE_AFTER_INJECTION), point->after_injection, UNIT_ONE, NULL);
	report_datetime(tree, CODE_ACQUIRED, acquired_after(input, point->after_injection));
	report_number(tree, code_get(CODE_INJECTED_ACTIVITY), point->injected_activity_mbq,
		      UNIT_MBQ, NULL);
	report_number(tree, code_get(CODE_INJECTED_MASS), point->injected_mass_mg, UNIT_MG, NULL);
	report_number(tree, code_get(CODE_RECOVERED_ACTIVITY), point->recovered_activity_mbq,
		      UNIT_MBQ,
		      "Activity found in liver and tumours, summed on the grid of the scan");
	report_number(tree, code_get(CODE_RECOVERED_MASS), point->recovered_mass_mg, UNIT_MG, NULL);
	report_number(tree, code_get(CODE_RECOVERY_RATIO), point->recovery_ratio, UNIT_RATIO, NULL);
	if (isfinite(point->recovery_ratio))
		report_number_or_words(
		    tree, code_get(CODE_RECOVERY_UNCERTAINTY), point->recovery_uncertainty,
		    UNIT_RATIO, "Standard uncertainty (k = 1) of the activity recovery ratio",
		    "not known");
	report_number(tree, code_get(CODE_MASS_INCREMENT_RATIO), point->mass_increment_ratio,
		      UNIT_RATIO, "Mass found since the scan before over mass injected since then");
	report_number(
	    tree, code_get(CODE_RESAMPLED_MASS_RATIO), point->resampled_mass_ratio, UNIT_RATIO,
	    "Mass in liver and tumours on the result grid over that on the grid of the scan");
	report_number(tree, code_get(CODE_BASELINE_R2STAR), point->region_baseline_r2star_per_s,
		      UNIT_PER_S, NULL);
	report_number(tree, code_get(CODE_NOISE_SD), point->sigma, UNIT_ONE,
		      "Standard deviation of the noise of the series, in its image units");
	report_number(tree, code_get(CODE_AIR_NOISE_SD), point->air_sigma, UNIT_ONE,
		      "To compare: as it is where no tissue is, for one receive coil");
	report_number(tree, code_get(CODE_S0_SCALE), point->s0_scale, UNIT_RATIO, NULL);
	report_number(tree, code_get(CODE_NOT_MEASURED_VOLUME), point->region_not_measured_ml,
		      UNIT_ML,
		      "Volume of liver and tumours, on the grid of the scan, that cannot add to "
		      "the recovery");
	report_number(tree, code_get(CODE_SATURATED_VOLUME), point->saturated_ml, UNIT_ML,
		      "Volume saturated in the fit (lower bound) in all that is evaluated, on the "
		      "grid of the scan");
	report_number(tree, code_get(CODE_S0_KNOWN_VOLUME), point->s0_known_ml, UNIT_ML,
		      "Volume estimated with the baseline signal in all that is evaluated, on the "
		      "grid of the scan");
	report_number(tree, code_get(CODE_OUTSIDE_MAXIMUM), point->outside_maximum_gy, UNIT_GY,
		      "Highest absorbed dose of the map outside liver and tumours");
	report_number(tree, code_get(CODE_OUTSIDE_HOT_VOLUME), point->outside_hot_ml, UNIT_ML,
		      NULL);
	if (input->params->kernel)
		report_number(tree, code_get(CODE_KERNEL_LOST_SHARE),
			      100.0 * point->kernel_lost_share, UNIT_PERCENT,
			      "Share of the energy that the beta kernel carries over the edges of "
			      "what is evaluated");
	report_alignments(tree, input, point->after_injection);
	if (report_has_dose(input, index))
		sr_tree_composite(tree, SR_CONTAINS, code_get(CODE_DOSE_IMAGE),
				  &input->rt_doses[index]);
	if (report_has_kernel_dose(input, index))
		sr_tree_composite(tree, SR_CONTAINS, code_get(CODE_DOSE_IMAGE),
				  &input->kernel_doses[index]);
	sr_tree_leave(tree);
}

void report_time_points(struct sr_tree *tree, const struct report_input *input)
{
	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_TIME_POINTS), NULL);
	report_alignments(tree, input, 0);
	for (int t = 0; t < input->result->n_time_points; t++)
		add_time_point(tree, input, t);
	sr_tree_leave(tree);
}
