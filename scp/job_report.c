/* job_report.c - what the measurement report has that the dose object has not: outlines, the
 * record, the doses it was made beside and the report it replaces. */
#include "job_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "job_emission.h"
#include "parallel.h"

struct report_parts {
	struct outline_set outlines[DOSIMETRY_MAX_VOIS], underdosed[DOSIMETRY_MAX_VOIS];
	struct status outline_status[DOSIMETRY_MAX_VOIS];
	struct report_voi vois[DOSIMETRY_MAX_VOIS];
	struct report_injection injections[DOSIMETRY_MAX_INJECTIONS];
	struct evidence_instance rt_doses[DOSIMETRY_MAX_SCANS], kernel_doses[DOSIMETRY_MAX_SCANS],
	    predecessor;
	char threshold_words[64][340];
	const char *thresholds[64];
	int n_thresholds;
	char members[DOSIMETRY_MAX_VOIS][400]; /* of groups of tumours */
};

/* ---- regions ---- */

struct tracing {
	struct report_parts *parts;
	const struct job_case *c;
};

static void trace_some(void *user, size_t first, size_t last)
{
	struct tracing *t = user;
	const struct dosimetry_result *result = &t->c->result;
	const struct mask *underdosed = result->time_points[result->n_time_points - 1].underdosed;
	for (size_t i = first; i < last; i++) {
		struct status *st = &t->parts->outline_status[i];
		if (outline_trace(&t->parts->outlines[i], &t->c->mask[i], st) == STATUS_OK &&
		    underdosed[i].coverage)
			(void)!outline_trace(&t->parts->underdosed[i], &underdosed[i], st);
	}
}

/* "Tumour 1, Tumour 2": who belongs to a group. */
static void list_members(char text[400], const struct treatment_slots *slots, int group)
{
	size_t length = 0;

	text[0] = '\0';
	for (int i = 0; i < slots->n_vois && length < 399; i++)
		if (i != group && strcasecmp(slots->vois[i].group, slots->vois[group].name) == 0)
			length += (size_t)snprintf(text + length, 400 - length, "%s%s",
						   length ? ", " : "", slots->vois[i].name);
}

static enum status_code fill_vois(struct report_parts *parts, const struct job_case *c,
				  struct status *st)
{
	struct tracing tracing = {parts, c};
	parallel_for((size_t)c->input.n_vois, 1, c->config->threads_per_worker, trace_some,
		     &tracing);
	for (int i = 0; i < c->input.n_vois; i++) {
		if (parts->outline_status[i].code != STATUS_OK)
			(void)status_fail(st, parts->outline_status[i].code, "VOI \"%s\": %s",
					  c->voi[i].name, parts->outline_status[i].text);
		parts->vois[i] = (struct report_voi){
		    .name = c->voi[i].name,
		    .role = c->voi[i].role,
		    .roi_number = c->slots.vois[i].roi < 0
				      ? -1
				      : c->structure_set.rois[c->slots.vois[i].roi].number,
		    .outlines = &parts->outlines[i],
		    .stored_mean_gy = c->stored_mean_gy[i],
		    .underdosed_outlines = &parts->underdosed[i],
		};
		if (c->voi[i].role == VOI_GROUP) {
			list_members(parts->members[i], &c->slots, i);
			parts->vois[i].members = parts->members[i];
		}
	}
	return st->code;
}

/* ---- the record ---- */

static void fill_injections(struct report_parts *parts, const struct job_case *c)
{
	for (int i = 0; i < c->input.n_injections; i++) {
		struct report_injection *injection = &parts->injections[i];
		const struct record_injection *recorded = &c->record.injections[i];
		char datetime[33], offset[8];
		injection->figures = c->injection[i];
		injection->planned_percent = recorded->planned_percent;
		injection->planned_activity_mbq = (double)NAN;
		injection->prepared_activity_mbq = recorded->prepared_activity_mbq;
		injection->residual_activity_mbq = recorded->residual_activity_mbq;
		memcpy(injection->vial, recorded->vial, sizeof injection->vial);
		injection->outside_scanner = !recorded->imaged;
		if (recorded->position >= 0 && recorded->position < c->record.n_positions) {
			const struct record_position *position =
			    &c->record.positions[recorded->position];
			memcpy(injection->position_id, position->id, sizeof injection->position_id);
			memcpy(injection->position_description, position->description,
			       sizeof injection->position_description);
			injection->planned_activity_mbq =
			    position->planned_activity_mbq * recorded->planned_percent / 100;
		}
		site_time_from_utc(recorded->start_s, c->config->time_zone, datetime, offset);
		snprintf(injection->start, sizeof injection->start, "%.20s%.7s", datetime, offset);
	}
}

/* ---- the doses and the report before ---- */

/* The newest RT Dose of a time point; a map's second object is that by the kernel. NULL: none. */
static const struct queue_result_row *newest_dose(const struct queue_result_row *rows, int count,
						  int after_injection, bool kernel)
{
	const struct queue_result_row *newest = NULL;
	for (int i = 0; i < count; i++) {
		bool second = i > 0 && strcmp(rows[i].job_hash, rows[i - 1].job_hash) == 0;
		if (rows[i].kind == JOB_MAP && rows[i].after_injection == after_injection &&
		    second == kernel && (!newest || rows[i].version >= newest->version))
			newest = &rows[i];
	}
	return newest;
}

static void cite_dose(struct job_evidence *e, struct evidence_instance *dose,
		      const struct queue_result_row *row, bool kernel)
{
	struct evidence_series *series = &e->series[e->evidence.n_series++];
	memcpy(dose->sop_class_uid, row->sop_class_uid, 65);
	memcpy(dose->sop_instance_uid, row->sop_instance_uid, 65);
	series->role = kernel ? EVIDENCE_KERNEL_RESULT : EVIDENCE_RESULT;
	series->after_injection = row->after_injection;
	memcpy(series->study_instance_uid, row->study_instance_uid, 65);
	memcpy(series->series_instance_uid, row->series_instance_uid, 65);
	strcpy(series->modality, "RTDOSE");
	series->n_instances = 1;
	series->instances = dose;
}

/* As evidence too. */
static enum status_code find_doses(struct report_parts *parts, struct job_evidence *e,
				   const struct job_case *c, struct status *st)
{
	struct queue_result_row *rows = NULL;
	int count = 0;
	if (queue_list_results(&rows, &count, c->store, c->job->treatment_key, st) != STATUS_OK)
		return st->code;
	for (int k = 0; k < c->result.n_time_points; k++) {
		for (int kernel = 0; kernel <= c->config->kernel; kernel++) {
			const struct queue_result_row *row = newest_dose(
			    rows, count, c->result.time_points[k].after_injection, kernel);
			if (row)
				cite_dose(e, kernel ? &parts->kernel_doses[k] : &parts->rt_doses[k],
					  row, kernel);
		}
	}
	free(rows);
	return STATUS_OK;
}

/* Gray of one isotope are not gray of another: the isotope stands beside every threshold, whatever
 * its label says. */
static void list_thresholds(struct report_parts *parts, const struct config *config)
{
	int most = (int)(sizeof parts->thresholds / sizeof parts->thresholds[0]);
	for (int i = 0; i < config->n_thresholds && i < most; i++) {
		const struct config_threshold *threshold = &config->thresholds[i];
		char *words = parts->threshold_words[i];
		snprintf(words, sizeof parts->threshold_words[i],
			 "%s (%s, %.6g Gy of %s microspheres%s%.120s)", threshold->label,
			 threshold->role, threshold->dose_gy, threshold->isotope,
			 threshold->source[0] ? "; " : "", threshold->source);
		parts->thresholds[parts->n_thresholds++] = words;
	}
}

static enum status_code build_with(struct dataset **ds, char uid[65], struct report_parts *parts,
				   const struct job_evidence *e, const struct job_case *c,
				   struct status *st)
{
	const struct job_predecessor *predecessor = &c->job->predecessor;

	char alignment[120];
	if (c->config->register_rigid)
		snprintf(alignment, sizeof alignment,
			 "rigid, on S0 maps, liver with %.6g mm around it where there are "
			 "contours",
			 c->config->registration_margin_mm);
	else
		snprintf(alignment, sizeof alignment, "none but what the site gives");
	memcpy(parts->predecessor.sop_class_uid, predecessor->sop_class_uid, 65);
	memcpy(parts->predecessor.sop_instance_uid, predecessor->sop_instance_uid, 65);
	struct report_input input = {
	    .evidence = &e->evidence,
	    .result = &c->result,
	    .params = &c->params,
	    .vois = parts->vois,
	    .n_vois = c->input.n_vois,
	    .injections = parts->injections,
	    .n_injections = c->input.n_injections,
	    .planned_injections = c->slots.planned_injections,
	    .record_id = c->record.id,
	    .record_revision = c->record.revision,
	    .record_entered_by = c->record.entered_by,
	    .product = c->record.product,
	    .field_strength_t = c->slots.field_strength_t,
	    .relaxivity_configured = c->slots.relaxivity->per_s_per_mg_per_ml,
	    .relaxivity_temperature_k = c->slots.relaxivity->temperature_k,
	    .relaxivity_provenance = c->slots.relaxivity->provenance,
	    .warnings = c->warnings,
	    .n_warnings = c->n_warnings,
	    .rt_doses = parts->rt_doses,
	    .kernel_doses = c->config->kernel ? parts->kernel_doses : NULL,
	    .alignments = c->alignments,
	    .n_alignments = c->n_alignments,
	    .emissions = c->emission ? &c->emission->report : NULL,
	    .n_emissions = c->emission ? 1 : 0,
	    .alignment_method = alignment,
	    .predecessor = predecessor->sop_instance_uid[0] != '\0' ? &parts->predecessor : NULL,
	    .predecessor_study_uid = predecessor->study_instance_uid,
	    .predecessor_series_uid = predecessor->series_instance_uid,
	    .configuration_fingerprint = c->config->fingerprint,
	    .threshold_labels = parts->thresholds,
	    .n_thresholds = parts->n_thresholds,
	};
	return measurement_report_build(ds, uid, &input, st);
}

enum status_code job_build_report(struct dataset **ds, char uid[65], struct job_evidence *e,
				  const struct job_case *c, struct status *st)
{
	struct report_parts *parts = calloc(1, sizeof *parts);

	if (!parts)
		return status_fail(st, STATUS_RETRY, "no memory for a report");
	fill_injections(parts, c);
	list_thresholds(parts, c->config);
	if (fill_vois(parts, c, st) == STATUS_OK && find_doses(parts, e, c, st) == STATUS_OK)
		(void)!build_with(ds, uid, parts, e, c, st);
	for (int i = 0; i < DOSIMETRY_MAX_VOIS; i++) {
		outline_set_free(&parts->outlines[i]);
		outline_set_free(&parts->underdosed[i]);
	}
	free(parts);
	return st->code;
}
