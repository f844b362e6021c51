/* store.h - the SQL behind one header: SQLite in <spool>/holmia.db (WAL, busy timeout, synchronous FULL).
 *
 * No connection crosses a fork: every process opens its own after it was forked. Tables: logs, instances, series, records, treatments, jobs,
 * job_needs, outbox, alarms, meta (schema version). All SQL of the node is in the .c files that include store_sql.h: store, catalogue, treatment_store,
 * queue, outbox; no other file names sqlite3.h. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct store;

/* Opens and, when new, creates the tables; a schema version newer than ours is STATUS_CONFIG. ":memory:" is allowed as spool for tests. */
enum status_code store_open(struct store **store, const char *spool, struct status *st) STATUS_CHECKED;
void store_close(struct store *store);

/* BEGIN IMMEDIATE ... COMMIT. store_end(commit = false) rolls back. */
enum status_code store_begin(struct store *store, struct status *st) STATUS_CHECKED;
enum status_code store_end(struct store *store, bool commit, struct status *st) STATUS_CHECKED;

/* An alarm is a line that `holmia status` shows until it is cleared: one per key. */
enum status_code store_raise_alarm(struct store *store, const char *key, const char *text, double now_s, struct status *st) STATUS_CHECKED;
enum status_code store_clear_alarm(struct store *store, const char *key, struct status *st) STATUS_CHECKED;

#endif
