/* planner_jobs.h - private to the planner: an assessed treatment -> the jobs it asks for, with what
 * they need. Pure but for memory. */
#ifndef PLANNER_JOBS_H
#define PLANNER_JOBS_H

#include "queue.h"
#include "treatment.h"

/* fits of the baseline and every scan, a map per scan, a report */
#define PLANNER_MAX_JOBS  (2 * DOSIMETRY_MAX_SCANS + 2)
#define PLANNER_MAX_NEEDS (2 * DOSIMETRY_MAX_SCANS + 1)

struct planned_job {
	struct job job;
	char needs[PLANNER_MAX_NEEDS][65];
	int n_needs;
};

struct plan {
	struct planned_job jobs[PLANNER_MAX_JOBS]; /* in the order of the chain */
	int n_jobs;
};

/* structure_set_id and _evidence: of slots->structure_set (-1 and "" none). recompute_serial 0: not
 * forced. */
void plan_jobs(struct plan *plan, const struct config *config,
	       const struct catalogue_patient *patient, const struct treatment_record *record,
	       const struct treatment_slots *slots, int64_t structure_set_id,
	       const char *structure_set_evidence, int recompute_serial);

#endif
