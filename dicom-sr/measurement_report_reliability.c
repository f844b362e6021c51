/* measurement_report_reliability.c - whether a dose can be believed, and how far */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"

static const struct {
	enum voi_reason reason;
	enum code_id code;
} reasons[] = {
    {VOI_REASON_ARTEFACT, CODE_REASON_ARTEFACT},
    {VOI_REASON_NO_SIGNAL, CODE_REASON_NO_SIGNAL},
    {VOI_REASON_OUTSIDE, CODE_REASON_OUTSIDE},
    {VOI_REASON_FIT_SATURATED, CODE_REASON_FIT_SATURATED},
    {VOI_REASON_FEW_ECHOES, CODE_REASON_FEW_ECHOES},
    {VOI_REASON_OSCILLATION, CODE_REASON_OSCILLATION},
    {VOI_REASON_REGISTRATION, CODE_REASON_REGISTRATION},
};
#define REASONS (sizeof reasons / sizeof *reasons)

/* Words after words, cut where the text is full. */
struct words {
	char *text;
	size_t size, length;
};

static void add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *words, const char *format, ...)
{
	size_t room = words->size - words->length;
	va_list arguments;
	int more;

	va_start(arguments, format);
	more = vsnprintf(words->text + words->length, room, format, arguments);
	va_end(arguments);
	if (more > 0)
		words->length += (size_t)more < room ? (size_t)more : room - 1;
}

/* ---- measurability ---- */

void report_measurability(struct sr_tree *tree, const struct dosimetry_voi_result *figures)
{
	static const enum code_id value[] = {
	    [VOI_MEASURABLE] = CODE_MEASURABLE,
	    [VOI_LIMITED] = CODE_LIMITED,
	    [VOI_NOT_MEASURABLE] = CODE_NOT_MEASURABLE,
	};

	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_MEASURABILITY),
		     code_get(value[figures->measurable]));
	sr_tree_enter(tree);
	/* Without a value, qualified as failed: never 0. */
	if (figures->measurable == VOI_NOT_MEASURABLE)
		sr_tree_number(tree, SR_HAS_PROPERTIES, code_get(CODE_MEAN_DOSE), (double)NAN,
			       code_get(UNIT_GY));
	for (size_t i = 0; i < REASONS; i++)
		if (figures->reasons & (unsigned)reasons[i].reason)
			sr_tree_code(tree, SR_HAS_PROPERTIES, code_get(CODE_REASON),
				     code_get(reasons[i].code));
	sr_tree_leave(tree);
}

static void add_reasons(struct words *words, unsigned set)
{
	const char *between = "";

	for (size_t i = 0; i < REASONS; i++)
		if (set & (unsigned)reasons[i].reason) {
			add(words, "%s%s", between, voi_reason_text(reasons[i].reason));
			between = ", ";
		}
}

void report_unmeasured_words(char text[420], const struct dosimetry_voi_result *figures)
{
	struct words words = {text, 420, 0};

	if (figures->measurable != VOI_NOT_MEASURABLE) {
		add(&words, "not measured");
		return;
	}
	add(&words, "not measurable%s", figures->reasons ? ": " : "");
	add_reasons(&words, figures->reasons);
}

void report_reliability(struct sr_tree *tree, enum code_id name,
			const struct dosimetry_voi_result *figures)
{
	char text[900];
	struct words words = {text, sizeof text, 0};
	double volume_ml = figures->dose.volume_ml;
	size_t before;

	text[0] = '\0';
	if (figures->measurable != VOI_MEASURABLE) {
		add(&words, "%s: ", voi_measurable_name(figures->measurable));
		add_reasons(&words, figures->reasons);
		add(&words, "; ");
	} else if (!(figures->dose.measured_volume_ml > 0.0)) {
		sr_tree_text(tree, SR_CONTAINS, code_get(name), "not measured");
		return;
	}
	before = words.length;
	if (figures->saturated_volume_ml > 0.0)
		add(&words, "lower bound: %.3g mL of %.3g mL saturated in the fit; ",
		    figures->saturated_volume_ml, volume_ml);
	if (figures->s0_known_volume_ml > 0.0)
		add(&words, "%.3g mL estimated with the signal of the baseline; ",
		    figures->s0_known_volume_ml);
	if (figures->not_measured_volume_ml > 0.0)
		add(&words, "%.3g mL not measured", figures->not_measured_volume_ml);
	if (figures->not_measured_volume_ml > 0.0 && figures->excluded_volume_ml > 0.0)
		add(&words, ", %.3g mL of it artefact", figures->excluded_volume_ml);
	if (figures->not_measured_volume_ml > 0.0)
		add(&words, "; ");
	if (figures->oscillating_volume_ml > 0.0)
		add(&words, "%.3g mL with oscillating signal (fat); ",
		    figures->oscillating_volume_ml);
	if (words.length == before)
		add(&words, "measured in the whole volume; ");
	text[words.length - 2] = '\0';
	sr_tree_text(tree, SR_CONTAINS, code_get(name), text);
}

/* ---- uncertainty ---- */

static void uncertainty_words(char text[420], const struct uncertainty *uncertainty)
{
	struct words words = {text, 420, 0};
	const char *between = "; not in it: ";

	add(&words, "Standard uncertainty (k = 1): root of the sum of squares of its components");
	if (!isfinite(uncertainty->registration_gy)) {
		add(&words, "%salignment (its residual is not known)", between);
		between = ", ";
	}
	if (!isfinite(uncertainty->relaxivity_gy)) {
		add(&words, "%srelaxivity (not configured)", between);
		between = ", ";
	}
	if (!isfinite(uncertainty->specific_activity_gy))
		add(&words, "%sspecific activity (not configured)", between);
	if (!uncertainty->complete)
		add(&words, ": this is not the uncertainty of an absolute dose");
}

/* Inferred from: the relation that the template has for numbers below a number. */
static void add_component(struct sr_tree *tree, enum code_id name, double component_gy)
{
	if (isfinite(component_gy))
		sr_tree_number(tree, SR_INFERRED_FROM, code_get(name), component_gy,
			       code_get(UNIT_GY));
}

void report_uncertainty(struct sr_tree *tree, enum code_id name,
			const struct dosimetry_voi_result *figures)
{
	const struct uncertainty *uncertainty = &figures->uncertainty;
	char text[420];

	if (!isfinite(figures->dose.mean))
		return;
	if (!isfinite(uncertainty->combined_gy)) {
		sr_tree_text(tree, SR_CONTAINS, code_get(name), "not known");
		return;
	}
	uncertainty_words(text, uncertainty);
	sr_tree_number(tree, SR_CONTAINS, code_get(name), uncertainty->combined_gy,
		       code_get(UNIT_GY));
	sr_tree_enter(tree);
	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_EQUIVALENT_MEANING), text);
	add_component(tree, CODE_UNCERTAINTY_RANDOM, uncertainty->random_gy);
	add_component(tree, CODE_UNCERTAINTY_REGISTRATION, uncertainty->registration_gy);
	add_component(tree, CODE_UNCERTAINTY_RELAXIVITY, uncertainty->relaxivity_gy);
	add_component(tree, CODE_UNCERTAINTY_SPECIFIC_ACTIVITY, uncertainty->specific_activity_gy);
	sr_tree_leave(tree);
}
