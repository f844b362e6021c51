/* store.h - the SQL behind one header: SQLite in <spool>/holmia.db.
 *
 * Tables: logs, instances, series (catalogue.h) · records, treatments (treatment_store.h) · jobs,
 * job_series, job_needs, results (queue.h) · outbox (outbox.h) · alarms (here). All SQL of the node
 * is in the .c files that include store_sql.h: store, catalogue, catalogue_read, treatment_store,
 * queue, outbox; no other file names sqlite3.h, so that the same tables can move to another engine
 * later.
 *
 * Durability: write-ahead log with synchronous=FULL: a transition that was committed is on stable
 * storage. Several processes work on one file; whoever finds it busy waits up to 10 s and then gets
 * STATUS_RETRY. No connection crosses a fork: every process opens its own after it was forked
 * (using one from before is STATUS_BUG). A struct store belongs to one thread at a time.
 *
 * Status of every function here and in the rooms above: STATUS_RETRY busy, disk full, memory or
 * I/O; STATUS_CONFIG the file is of a newer holmia, damaged, or cannot be opened; STATUS_BUG for
 * what the schema forbids. Times are UTC seconds since 1970. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct store;

/* Opens and, when new, creates the tables (the folder must exist); a schema version newer than ours
 * is STATUS_CONFIG. ":memory:" is allowed as spool for tests. */
enum status_code store_open(struct store **store, const char *spool,
			    struct status *st) STATUS_CHECKED;

/* For looking only (holmia status): never creates a file, every write fails. STATUS_CONFIG when
 * there is no database yet. */
enum status_code store_open_reader(struct store **store, const char *spool,
				   struct status *st) STATUS_CHECKED;
void store_close(struct store *store); /* NULL is fine */

/* BEGIN IMMEDIATE ... COMMIT. store_end(commit = false) rolls back. Not nested: a second begin is
 * STATUS_BUG. */
enum status_code store_begin(struct store *store, struct status *st) STATUS_CHECKED;
enum status_code store_end(struct store *store, bool commit, struct status *st) STATUS_CHECKED;
/* What every caller does at the end of a transaction: commits when st is OK, else rolls back and
 * keeps the fault. */
enum status_code store_finish(struct store *store, struct status *st) STATUS_CHECKED;

/* An alarm is a line that `holmia status` shows until it is cleared: one per key; raising it again
 * keeps the first time. */
enum status_code store_raise_alarm(struct store *store, const char *key, const char *text,
				   double now_s, struct status *st) STATUS_CHECKED;
enum status_code store_clear_alarm(struct store *store, const char *key,
				   struct status *st) STATUS_CHECKED;

struct store_alarm {
	char key[200], text[400];
	double since_s;
};
/* All alarms, oldest first; *alarms is malloc'd for the caller. */
enum status_code store_list_alarms(struct store_alarm **alarms, int *count, struct store *store,
				   struct status *st) STATUS_CHECKED;

#endif
