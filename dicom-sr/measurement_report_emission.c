/* measurement_report_emission.c - what a SPECT or PET says beside MRI */
#include "measurement_report_emission.h"

#include <math.h>
#include <stdio.h>

#include "measurement_report_parts.h"

#define PARTIAL_VOLUME "partial volume is not corrected: small regions come out low"

/* ---- in a group ---- */

static void add_figures(struct sr_tree *tree, const struct report_emission_voi *figures,
			const struct report_emission *emission)
{
	char words[300];

	snprintf(
	    words, sizeof words,
	    "Local deposition of the activity in the %.16s image of %.14s, decayed back to the "
	    "injections; %s",
	    emission->modality, emission->acquired, PARTIAL_VOLUME);
	report_number_or_words(tree, code_get(CODE_EMISSION_MEAN_DOSE), figures->mean_gy, UNIT_GY,
			       words, "no figures of the emission image");
	report_number(tree, code_get(CODE_EMISSION_DIFFERENCE), figures->difference_percent,
		      UNIT_PERCENT, "(emission image - MRI) / MRI of the mean absorbed doses");
	report_number(tree, code_get(CODE_EMISSION_DOSE_SD), figures->standard_deviation_gy,
		      UNIT_GY, "Over the voxels of the emission image, with its noise");
	report_number(tree, code_get(CODE_EMISSION_ACTIVITY), figures->activity_mbq, UNIT_MBQ,
		      "At the injections");
}

/* No two measurements of a group share a name, so one image has its figures there: the first. */
void report_emission(struct sr_tree *tree, const struct report_input *input, int voi)
{
	const struct report_emission *emission = input->emissions;

	if (input->n_emissions < 1 || voi >= emission->n_vois ||
	    input->vois[voi].role == VOI_NECROSIS)
		return;
	add_figures(tree, &emission->vois[voi], emission);
	if (input->vois[voi].role != VOI_LIVER)
		return;
	report_number(tree, code_get(CODE_EMISSION_HEALTHY_DOSE), emission->healthy.mean_gy,
		      UNIT_GY,
		      "Liver without tumours; what the tumours' activity blurs into it is "
		      "in it");
	report_number(tree, code_get(CODE_EMISSION_HEALTHY_DIFFERENCE),
		      emission->healthy.difference_percent, UNIT_PERCENT,
		      "(emission image - MRI) / MRI of the mean absorbed doses");
}

/* ---- the image itself ---- */

static void add_worth(struct sr_tree *tree, const struct report_emission *emission)
{
	char words[200];

	if (isfinite(emission->cps_per_mbq))
		snprintf(words, sizeof words, "counts, %.6g counts/s per MBq as configured",
			 emission->cps_per_mbq);
	else
		snprintf(words, sizeof words, "Bq/mL by the image itself");
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_EMISSION_WORTH), words);
	snprintf(words, sizeof words, "attenuation %s, scatter %s, partial volume not corrected",
		 emission->attenuation_corrected ? "corrected" : "not said to be corrected",
		 emission->scatter_corrected ? "corrected" : "not said to be corrected");
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_EMISSION_CORRECTIONS), words);
	report_number(tree, code_get(CODE_EMISSION_VOXEL), emission->voxel_ml, UNIT_ML, NULL);
}

static void add_decay(struct sr_tree *tree, const struct report_emission *emission)
{
	report_text_if_any(tree, CODE_EMISSION_DECAY, emission->decay_words);
	report_number(tree, code_get(CODE_EMISSION_DECAY_FACTOR), emission->decay_factor,
		      UNIT_RATIO, "Sum of the activities at the injections over the activity seen");
	report_number(tree, code_get(CODE_EMISSION_UNEVEN), 100.0 * emission->injections_off,
		      UNIT_PERCENT,
		      "Of a voxel that one of the injections alone has filled: their common factor "
		      "is off by at most this");
	report_number(tree, code_get(CODE_HALF_LIFE), emission->half_life_h, UNIT_H, NULL);
	report_number(tree, code_get(CODE_DOSE_CONSTANT), emission->dose_constant_mj_per_mbq,
		      UNIT_MJ_PER_MBQ, NULL);
	report_number(tree, code_get(CODE_DENSITY), emission->density_g_per_ml, UNIT_G_PER_ML,
		      NULL);
}

static void add_emission(struct sr_tree *tree, const struct report_emission *emission)
{
	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_EMISSION), NULL);
	sr_tree_uid(tree, SR_CONTAINS, code_get(CODE_SERIES_UID), emission->series_uid);
	report_text_if_any(tree, CODE_INPUT_DESCRIPTION, emission->description);
	report_datetime(tree, CODE_ACQUIRED, emission->acquired);
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_RADIONUCLIDE), code_get(CODE_HOLMIUM_166));
	report_text_if_any(tree, CODE_EMISSION_ALIGNMENT, emission->alignment_words);
	add_worth(tree, emission);
	add_decay(tree, emission);
	report_number(tree, code_get(CODE_EMISSION_LIVER_ACTIVITY), emission->liver_activity_mbq,
		      UNIT_MBQ, "At the injections");
	report_number(tree, code_get(CODE_EMISSION_IMAGE_ACTIVITY), emission->image_activity_mbq,
		      UNIT_MBQ, "At the injections, everywhere in the image");
	report_number(tree, code_get(CODE_INJECTED_ACTIVITY), emission->injected_activity_mbq,
		      UNIT_MBQ, "Net, by the record");
	report_number(tree, code_get(CODE_EMISSION_RECOVERY), emission->recovery_ratio, UNIT_RATIO,
		      "Activity in liver and tumours / injected activity");
	sr_tree_leave(tree);
}

void report_emissions(struct sr_tree *tree, const struct report_input *input)
{
	for (int i = 0; i < input->n_emissions; i++)
		add_emission(tree, &input->emissions[i]);
}
