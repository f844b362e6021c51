/* planner.h - from a patient's catalogue to jobs: load, treatment_assess(), queue_add().
 *
 * Runs in the indexer after every batch, after a record came, when a series may have settled, after
 * a job, and in `holmia dose`. What it plans for one treatment (patient and record):
 *
 *   FIT     one per complete holmium series of a slot, as soon as the series is complete
 *   MAP     one per after-slot, in order; needs the fits of the baseline and of every scan up to it
 *   REPORT  one for the newest time point when VOIs and slots are there; needs all fits and the
 *           newest map
 *
 * Planning again what is planned changes nothing: a job's hash holds its evidence and the parts of
 * record and configuration that can change its numbers. So a later contour set gives new
 * MAPs and a new REPORT (conformance/decisions/07); a record revision
 * that changes specific activities or starts gives new MAPs and a new REPORT; one that changes only
 * net activities gives a new REPORT, unless several injections lie between two scans, where they
 * weigh the specific activity. Queued jobs that the newest plan does not ask for are superseded.
 * Where a plan goes back to what was made before the results that were sent last (a record
 * corrected back), everything is made anew, so that the newest results are the ones that hold.
 *
 * A treatment that is refused still gets the maps that need nothing of what refuses it
 * (treatment.h: maps_ready).
 *
 * It also keeps the treatments table, which `holmia status` shows (state, slots, what it waits
 * for), and raises the alarm "late" for a complete after-series without a dose map after
 * alert-after-s. */
#ifndef PLANNER_H
#define PLANNER_H

#include "config.h"
#include "store.h"

/* Plans every treatment of one patient, in a transaction of its own. *jobs_added tells whether
 * workers should be woken; *look_again_s (UTC, NaN none) when to come back because time alone may
 * change something. */
enum status_code planner_plan_patient(struct store *store, const struct config *config,
				      const char *patient_id, const char *patient_issuer,
				      double now_s, int *jobs_added, double *look_again_s,
				      struct status *st) STATUS_CHECKED;

#endif
