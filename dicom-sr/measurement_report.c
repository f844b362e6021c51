/* measurement_report.c - see measurement_report.h; the document and its parts in order */
#include "measurement_report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "holmium.h"
#include "measurement_report_parts.h"
#include "tags.h"
#include "uid.h"
#include "writer.h"

#define COMPREHENSIVE_3D_SR "1.2.840.10008.5.1.4.1.1.88.34"
#define SERIES_NUMBER_BASE  9100

/* ---- content ---- */

static void add_observer(struct sr_tree *tree, const struct result_identity *identity)
{
	char node[100], uid[65];

	/* The same node is the same device in every report. */
	snprintf(node, sizeof node, "%s@%s", identity->ae_title, identity->station_name);
	uid_derive(uid, node, "device");
	sr_tree_code(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_OBSERVER_TYPE), code_get(CODE_DEVICE));
	sr_tree_uid(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_DEVICE_UID), uid);
	sr_tree_text(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_DEVICE_NAME), node);
	sr_tree_text(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_DEVICE_MANUFACTURER),
		     EVIDENCE_MANUFACTURER);
	sr_tree_text(tree, SR_HAS_OBS_CONTEXT, code_get(CODE_DEVICE_MODEL), EVIDENCE_MODEL);
}

static void add_parameter(struct sr_tree *tree, const char *text)
{
	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_ALGORITHM_PARAMETERS), text);
}

/* By what rules a dose is called limited, under-dosed or uncertain. */
static void add_judgement(struct sr_tree *tree, const struct dosimetry_params *params)
{
	char text[420];
	int length;

	if (params->kernel)
		add_parameter(tree, "beta kernel: the map of local deposition convolved with a "
				    "holmium-166 voxel kernel of the same total energy; reported "
				    "beside local deposition, under names of its own");
	snprintf(
	    text, sizeof text,
	    "measurability: no dose where more than %.6g %% of a region's volume has no value "
	    "(artefact, no signal, beyond the slices); limited where more than %.6g %% has no "
	    "value or a doubtful one (saturated in the fit, few echoes, oscillating), or where "
	    "the alignment left more than %.6g mm",
	    params->not_measurable_above_percent, params->limited_above_percent,
	    params->registration_limit_mm);
	add_parameter(tree, text);
	add_parameter(tree, "standard uncertainty of a mean dose (k = 1): root of the sum of "
			    "squares of random errors of the fits, of the residual of the "
			    "alignment, and of the configured uncertainties of relaxivity and "
			    "specific activity; what is unknown or not configured is named");
	length = snprintf(text, sizeof text, "under-dosed: measured part of a tumour below");
	for (int i = 0; i < params->underdose_levels; i++)
		length += snprintf(text + length, sizeof text - (size_t)length, "%s %.6g Gy",
				   i ? "," : "", params->underdosed_below_gy[i]);
	if (params->underdose_levels > 0)
		add_parameter(tree, text);
}

/* TID 4019: how the numbers came about, in words a physicist can check. */
static void add_algorithm(struct sr_tree *tree, const struct report_input *input)
{
	const struct dosimetry_params *params = input->params;
	char text[420];

	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_ALGORITHM_NAME), EVIDENCE_MODEL);
	sr_tree_text(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_ALGORITHM_VERSION),
		     input->evidence->identity->software_version);
	snprintf(text, sizeof text,
		 "R2* per voxel: nonlinear fit of the magnitude echoes above %.6g times the noise, "
		 "with three or more; with fewer from the first echo and the signal of the "
		 "baseline, saturated below %.6g times the noise",
		 input->result->usable_sigma, input->result->saturated_sigma);
	add_parameter(tree, text);
	add_parameter(tree,
		      params->baseline == BASELINE_VOXELWISE
			  ? "baseline = voxelwise R2* before injection"
			  : "baseline = mean R2* before injection over the liver without tumours");
	snprintf(
	    text, sizeof text,
	    "relaxivity = %.6g 1/s per mg/mL at %.3g T (%.200s); used after scaling for holmium "
	    "content: %.6g",
	    input->relaxivity_configured, input->field_strength_t,
	    input->relaxivity_provenance ? input->relaxivity_provenance : "provenance not given",
	    input->result->relaxivity_used);
	add_parameter(tree, text);
	snprintf(text, sizeof text,
		 "absorbed dose = activity concentration x %.6g mJ/MBq / %.6g g/mL: local "
		 "deposition, decay "
		 "to the end, half-life %.6g h",
		 params->dose_constant_mj_per_mbq, params->density_g_per_ml, HOLMIUM_HALF_LIFE_H);
	add_parameter(tree, text);
	snprintf(text, sizeof text,
		 "evaluated where the baseline signal is at least %.6g times its noise and the "
		 "baseline R2* "
		 "at most %.6g 1/s",
		 params->body_snr, params->artefact_r2star_per_s);
	add_parameter(tree, text);
	add_parameter(
	    tree,
	    "recovery = activity found in liver and tumours / net injected activity, on the grid "
	    "of each scan, no scaling");
	snprintf(text, sizeof text,
		 "uptake is not linear from %.6g %% off the line of the earlier injections",
		 params->trend_threshold_percent);
	add_parameter(tree, text);
	add_judgement(tree, params);
	for (int i = 0; i < input->n_thresholds; i++) {
		snprintf(text, sizeof text, "threshold named by the site: %.340s",
			 input->threshold_labels[i]);
		add_parameter(tree, text);
	}
	if (input->configuration_fingerprint && input->configuration_fingerprint[0]) {
		snprintf(text, sizeof text, "configuration = %.100s",
			 input->configuration_fingerprint);
		add_parameter(tree, text);
	}
}

static enum status_code write_content(struct dataset *ds, const struct report_input *input,
				      struct status *st)
{
	const struct result_identity *identity = input->evidence->identity;
	struct sr_tree *tree = NULL;

	if (sr_tree_new(&tree, code_get(CODE_MEASUREMENT_REPORT), "1500", st) != STATUS_OK)
		return st->code;
	sr_tree_code(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_LANGUAGE), code_get(CODE_ENGLISH));
	add_observer(tree, identity);
	sr_tree_code(tree, SR_HAS_CONCEPT_MOD, code_get(CODE_PROCEDURE_REPORTED),
		     code_get(CODE_MRI));
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_INTENDED_USE), identity->intended_use);
	report_warnings(tree, input);

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_IMAGING_MEASUREMENTS), NULL);
	add_algorithm(tree, input);
	if (report_groups(tree, input, st) != STATUS_OK)
		goto out;
	sr_tree_leave(tree);

	report_administrations(tree, input);
	report_time_points(tree, input);
	report_emissions(tree, input);
	report_constants(tree, input);
	report_inputs(tree, input);
	st->code = sr_tree_write(tree, ds, st);
out:
	sr_tree_free(tree);
	return st->code;
}

/* ---- document ---- */

static void write_coding_scheme(struct writer *w)
{
	const uint32_t sequence = TAG_CodingSchemeIdentificationSequence;
	char uid[65];

	uid_derive(uid, CODES_PRIVATE_SCHEME, "coding-scheme");
	writer_string(w, AT(sequence, 0, TAG_CodingSchemeDesignator), CODES_PRIVATE_SCHEME);
	writer_string(w, AT(sequence, 0, TAG_CodingSchemeUID), uid);
	writer_string(w, AT(sequence, 0, TAG_CodingSchemeName), "holmia holmium-166 dosimetry");
	writer_string(w, AT(sequence, 0, TAG_CodingSchemeResponsibleOrganization),
		      EVIDENCE_MANUFACTURER);
}

static void write_predecessor(struct writer *w, const struct report_input *input)
{
	const uint32_t sequence = TAG_PredecessorDocumentsSequence;

	if (!input->predecessor || !input->predecessor->sop_instance_uid[0])
		return;
	writer_string(w, AT(sequence, 0, TAG_StudyInstanceUID), input->predecessor_study_uid);
	writer_string(w, AT(sequence, 0, TAG_ReferencedSeriesSequence, 0, TAG_SeriesInstanceUID),
		      input->predecessor_series_uid);
	writer_reference(
	    w, AT(sequence, 0, TAG_ReferencedSeriesSequence, 0, TAG_ReferencedSOPSequence), 0,
	    input->predecessor);
}

static void write_document_general(struct writer *w, const struct report_input *input)
{
	int reported = report_last(input)->after_injection;

	writer_empty(w, AT(TAG_ReferencedPerformedProcedureStepSequence));
	writer_int(w, AT(TAG_InstanceNumber), 1);
	writer_date_time(w, TAG_ContentDate, TAG_ContentTime,
			 input->evidence->identity->created_datetime);
	writer_string(w, AT(TAG_CompletionFlag), "COMPLETE");
	writer_string(w, AT(TAG_VerificationFlag), "UNVERIFIED");
	if (input->planned_injections > 0)
		writer_string(w, AT(TAG_PreliminaryFlag),
			      reported < input->planned_injections ? "PRELIMINARY" : "FINAL");
	writer_code(w, AT(TAG_PerformedProcedureCodeSequence), 0, code_get(CODE_PROCEDURE));
	write_predecessor(w, input);
	write_coding_scheme(w);
}

static void describe(char text[120], const struct report_input *input)
{
	char of[24] = "";

	if (input->planned_injections > 0)
		snprintf(of, sizeof of, " of %d", input->planned_injections);
	snprintf(text, 120, "Ho-166 dosimetry after injection %d%s, v%d",
		 report_last(input)->after_injection, of, input->evidence->identity->version);
}

/* ---- what is asked for ---- */

static enum status_code check_reference(const struct evidence *evidence,
					const struct evidence_instance *instance, const char *what,
					struct status *st)
{
	if (evidence_find(evidence, instance->sop_instance_uid))
		return STATUS_OK;
	return status_fail(st, STATUS_BUG, "report: the %s %s is not among the evidence", what,
			   instance->sop_instance_uid);
}

static enum status_code check(const struct report_input *input, struct status *st)
{
	const struct evidence *evidence = input->evidence;

	if (input->result->n_time_points < 1)
		return status_fail(st, STATUS_BUG, "report: no time point");
	if (input->n_vois < 1)
		return status_fail(st, STATUS_REFUSE,
				   "no volume of interest: there is nothing to report");
	if (evidence->n_grid_images != report_last(input)->dose_gy.grid.slices)
		return status_fail(st, STATUS_BUG, "report: %d images for a dose grid of %d slices",
				   evidence->n_grid_images,
				   report_last(input)->dose_gy.grid.slices);
	for (int i = 0; i < evidence->n_grid_images; i++)
		if (check_reference(evidence, &evidence->grid_images[i], "image", st) != STATUS_OK)
			return st->code;
	for (int t = 0; t < input->result->n_time_points; t++)
		if (report_has_dose(input, t) &&
		    check_reference(evidence, &input->rt_doses[t], "RT Dose", st) != STATUS_OK)
			return st->code;
	return STATUS_OK;
}

enum status_code measurement_report_build(struct dataset **ds, char uid[65],
					  const struct report_input *input, struct status *st)
{
	struct dataset *built = NULL;
	char description[120];
	struct writer w;

	if (check(input, st) != STATUS_OK || dataset_new(&built, st) != STATUS_OK)
		return st->code;
	w = writer_begin(built, st);
	describe(description, input);
	w.code = evidence_write_common(built, input->evidence, COMPREHENSIVE_3D_SR, "sr", "SR",
				       SERIES_NUMBER_BASE + report_last(input)->after_injection,
				       description, st);
	write_document_general(&w, input);
	if (w.code == STATUS_OK)
		w.code = evidence_write_report_evidence(built, input->evidence, st);
	if (w.code == STATUS_OK)
		w.code = write_content(built, input, st);
	if (w.code == STATUS_OK)
		w.code = dataset_get_string(built, AT(TAG_SOPInstanceUID), uid, 65, st);
	if (w.code == STATUS_OK)
		*ds = built;
	else
		dataset_free(built);
	return w.code;
}
