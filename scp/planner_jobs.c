#include "planner_jobs.h"

#include <stdio.h>
#include <string.h>

#include "job.h"
#include "treatment_store.h"

static bool series_is_usable(const struct treatment_series *series)
{
	return series->index >= 0 &&
	       (series->completeness == SERIES_SETTLED || series->completeness == SERIES_COMPLETE);
}

static struct job_series job_series_of(const struct catalogue_patient *patient,
				       const struct treatment_series *slot)
{
	struct job_series series = {.series_id = patient->series[slot->index].id,
				    .after_injection = slot->after_injection};
	memcpy(series.evidence_hash, patient->series[slot->index].evidence_hash,
	       sizeof series.evidence_hash);
	return series;
}

static struct planned_job *add_job(struct plan *plan, enum job_kind kind,
				   const struct catalogue_patient *patient,
				   const struct treatment_record *record)
{
	struct planned_job *planned = &plan->jobs[plan->n_jobs++];
	struct job *job = &planned->job;
	memset(planned, 0, sizeof *planned);
	job->kind = kind;
	job->structure_set_id = -1;
	job->anatomy.series_id = -1;
	snprintf(job->patient_id, sizeof job->patient_id, "%s", patient->patient_id);
	snprintf(job->patient_issuer, sizeof job->patient_issuer, "%s", patient->patient_issuer);
	snprintf(job->record_id, sizeof job->record_id, "%s", record->id);
	job->record_revision = record->revision;
	treatment_key_make(job->treatment_key, record->id, patient->patient_id,
			   patient->patient_issuer);
	return planned;
}

static void add_need(struct planned_job *planned, const struct job *need)
{
	memcpy(planned->needs[planned->n_needs++], need->hash, sizeof need->hash);
}

static void add_fit(struct plan *plan, const struct config *config,
		    const struct catalogue_patient *patient, const struct treatment_record *record,
		    const struct treatment_series *slot, int serial)
{
	struct job *job = &add_job(plan, JOB_FIT, patient, record)->job;
	job->baseline = job_series_of(patient, slot);
	job->after_injection = slot->after_injection;
	job_hash(job, config, "", "", serial);
}

void plan_jobs(struct plan *plan, const struct config *config,
	       const struct catalogue_patient *patient, const struct treatment_record *record,
	       const struct treatment_slots *slots, int64_t structure_set_id,
	       const char *structure_set_evidence, int recompute_serial)
{
	plan->n_jobs = 0;
	if (slots->state == TREATMENT_REFUSED && !slots->maps_ready)
		return;
	if (series_is_usable(&slots->baseline))
		add_fit(plan, config, patient, record, &slots->baseline, recompute_serial);
	for (int i = 0; i < slots->n_after; i++)
		add_fit(plan, config, patient, record, &slots->after[i], recompute_serial);
	if (!slots->maps_ready || !series_is_usable(&slots->baseline))
		return;
	for (int last = 0; last <= slots->n_after; last++) {
		bool report = last == slots->n_after;
		int n_scans = report ? last : last + 1;
		char fingerprint[65];
		if (report && !slots->report_ready)
			break;
		struct planned_job *planned =
		    add_job(plan, report ? JOB_REPORT : JOB_MAP, patient, record);
		struct job *job = &planned->job;
		job->baseline = job_series_of(patient, &slots->baseline);
		for (int i = 0; i < n_scans; i++)
			job->scans[i] = job_series_of(patient, &slots->after[i]);
		job->n_scans = n_scans;
		job->after_injection = slots->after[n_scans - 1].after_injection;
		if (series_is_usable(&slots->anatomy))
			job->anatomy = job_series_of(patient, &slots->anatomy);
		job->structure_set_id = structure_set_id;
		if (report)
			job_report_fingerprint(fingerprint, record, slots);
		else
			job_map_fingerprint(fingerprint, job, slots);
		job_hash(job, config, slots->contours_refused ? "" : structure_set_evidence,
			 fingerprint, recompute_serial);
		/* The fits of the baseline and of its scans; a report also the newest map. An
		 * earlier one that failed (its scan could not be aligned) takes no report away; one
		 * that still runs is waited for (queue_claim()). */
		for (int i = 0; i < 1 + n_scans; i++)
			add_need(planned, &plan->jobs[i].job);
		if (report)
			add_need(planned, &plan->jobs[plan->n_jobs - 2].job);
	}
}
