/* planner.h - from a patient's catalogue to jobs: load, treatment_assess(), queue_add().
 *
 * Runs in the indexer after every batch, after a record came, when a series may have settled, and in `holmia dose`. Also keeps the treatments
 * table, which `holmia status` shows (state, slots, what it waits for), and raises the alarm "complete series without a result". */
#ifndef PLANNER_H
#define PLANNER_H

#include "config.h"
#include "store.h"

/* Plans every treatment of one patient. *jobs_added tells whether workers should be woken; *look_again_s (NaN none) when to come back. */
enum status_code planner_plan_patient(struct store *store, const struct config *config, const char *patient_id,
                                      const char *patient_issuer, double now_s, int *jobs_added, double *look_again_s,
                                      struct status *st) STATUS_CHECKED;

#endif
