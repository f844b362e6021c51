#include "outbox.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_sql.h"

/* States in SQL below: 0 queued, 1 sending, 2 done, 3 failed (enum outbox_state). */

enum status_code outbox_create_tables(struct store *store, struct status *st)
{
	return sql_script(
	    store,
	    "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, destination TEXT NOT NULL, "
	    "job_hash TEXT NOT NULL, sop_class_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, "
	    "path TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL "
	    "DEFAULT 0, "
	    "not_before_s REAL NOT NULL DEFAULT 0, queued_s REAL NOT NULL, sent_s REAL, "
	    "dimse_status INTEGER NOT NULL DEFAULT -1, why TEXT NOT NULL DEFAULT '', "
	    "UNIQUE (destination, sop_instance_uid));"
	    "CREATE INDEX IF NOT EXISTS outbox_state ON outbox (state, id);",
	    st);
}

const char *outbox_state_name(enum outbox_state state)
{
	switch (state) {
	case OUTBOX_QUEUED:
		return "queued";
	case OUTBOX_SENDING:
		return "sending";
	case OUTBOX_DONE:
		return "done";
	case OUTBOX_FAILED:
		break;
	}
	return "failed";
}

enum status_code outbox_add(struct store *store, const char *destination, const char *job_hash,
			    const char *sop_class_uid, const char *sop_instance_uid,
			    const char *path, double now_s, struct status *st)
{
	return sql_run(store, st,
		       "INSERT OR IGNORE INTO outbox (destination, job_hash, sop_class_uid, "
		       "sop_instance_uid, path, "
		       "queued_s) VALUES (?, ?, ?, ?, ?, ?)",
		       "tttttd", destination, job_hash, sop_class_uid, sop_instance_uid, path,
		       now_s);
}

static enum status_code claim_inside(struct store *store, struct outbox_entry *entries, int max,
				     int *count, double now_s, double *next_due_s,
				     struct status *st)
{
	sqlite3_stmt *query = sql_query(store, st,
					"SELECT id, destination, sop_class_uid, sop_instance_uid, "
					"path, attempts, queued_s FROM "
					"outbox WHERE state = 0 AND not_before_s <= ?1 AND "
					"destination = (SELECT destination FROM outbox WHERE state "
					"= 0 GROUP BY destination HAVING min(not_before_s) <= ?1 "
					"ORDER BY max(attempts), min(id) LIMIT 1) ORDER BY "
					"attempts, id LIMIT ?2",
					"di", now_s, max);
	while (*count < max && sql_row(store, query, st)) {
		struct outbox_entry *entry = &entries[(*count)++];
		entry->id = sql_int64(query, 0);
		sql_text(query, 1, entry->destination, sizeof entry->destination);
		sql_text(query, 2, entry->sop_class_uid, sizeof entry->sop_class_uid);
		sql_text(query, 3, entry->sop_instance_uid, sizeof entry->sop_instance_uid);
		sql_text(query, 4, entry->path, sizeof entry->path);
		entry->attempts = sql_int(query, 5) + 1;
		entry->queued_s = sql_double(query, 6);
	}
	sql_done(query);
	for (int i = 0; i < *count && st->code == STATUS_OK; i++)
		(void)!sql_run(store, st,
			       "UPDATE outbox SET state = 1, attempts = attempts + 1 WHERE id = ?",
			       "l", entries[i].id);
	query = sql_query(store, st, "SELECT min(not_before_s) FROM outbox WHERE state = 0", "");
	if (sql_row(store, query, st))
		*next_due_s = sql_double(query, 0);
	sql_done(query);
	return st->code;
}

enum status_code outbox_claim(struct store *store, struct outbox_entry *entries, int max,
			      int *count, double now_s, double *next_due_s, struct status *st)
{
	*count = 0;
	*next_due_s = NAN;
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!claim_inside(store, entries, max, count, now_s, next_due_s, st);
	if (store_finish(store, st) != STATUS_OK)
		*count = 0;
	return st->code;
}

static enum status_code alarm_clear(struct store *store, int64_t id, struct status *st)
{
	char key[64];
	snprintf(key, sizeof key, "delivery %" PRId64, id);
	return store_clear_alarm(store, key, st);
}

enum status_code outbox_sent(struct store *store, int64_t id, int dimse_status, double now_s,
			     struct status *st)
{
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	if (sql_run(
		store, st,
		"UPDATE outbox SET state = 2, dimse_status = ?, sent_s = ?, why = '' WHERE id = ?",
		"idl", dimse_status, now_s, id) == STATUS_OK)
		(void)!alarm_clear(store, id, st);
	return store_finish(store, st);
}

static enum status_code fail_inside(struct store *store, int64_t id, const char *why, double now_s,
				    struct status *st)
{
	char key[64], text[400];
	if (sql_run(store, st, "UPDATE outbox SET state = 3, why = ? WHERE id = ?", "tl", why,
		    id) != STATUS_OK)
		return st->code;
	snprintf(key, sizeof key, "delivery %" PRId64, id);
	snprintf(text, sizeof text,
		 "delivery %" PRId64 " failed: %.200s; `holmia resend %" PRId64 "` tries again", id,
		 why, id);
	return store_raise_alarm(store, key, text, now_s, st);
}

/* 0.8 to 1.2, from the row and the attempt: rows that failed together do not come back together,
 * and no random state is kept. */
static double jitter(int64_t id, int attempts)
{
	uint64_t bits =
	    (uint64_t)id * 0x9e3779b97f4a7c15u + (uint64_t)attempts * 0xbf58476d1ce4e5b9u;
	bits ^= bits >> 29;
	return 0.8 + 0.4 * (double)(bits % 1024) / 1023.0;
}

static enum status_code retry_inside(struct store *store, int64_t id, const char *why,
				     double base_s, double expiry_s, double now_s,
				     struct status *st)
{
	int attempts = 0;
	double queued_s = now_s;
	sqlite3_stmt *query =
	    sql_query(store, st, "SELECT attempts, queued_s FROM outbox WHERE id = ?", "l", id);
	if (sql_row(store, query, st)) {
		attempts = sql_int(query, 0);
		queued_s = sql_double(query, 1);
	}
	sql_done(query);
	if (st->code != STATUS_OK)
		return st->code;
	if (now_s - queued_s >= expiry_s) {
		char words[512];
		snprintf(words, sizeof words, "expired after %.1f h and %d attempts: %.400s",
			 (now_s - queued_s) / 3600, attempts, why);
		return fail_inside(store, id, words, now_s, st);
	}
	double pause_s = base_s * attempts * attempts * jitter(id, attempts);
	return sql_run(store, st,
		       "UPDATE outbox SET state = 0, why = ?, not_before_s = ? WHERE id = ?", "tdl",
		       why, now_s + pause_s, id);
}

enum status_code outbox_retry(struct store *store, int64_t id, const char *why, double base_s,
			      double expiry_s, double now_s, struct status *st)
{
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!retry_inside(store, id, why, base_s, expiry_s, now_s, st);
	return store_finish(store, st);
}

enum status_code outbox_fail(struct store *store, int64_t id, const char *why, double now_s,
			     struct status *st)
{
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!fail_inside(store, id, why, now_s, st);
	return store_finish(store, st);
}

enum status_code outbox_recover(struct store *store, struct status *st)
{
	return sql_run(store, st, "UPDATE outbox SET state = 0, not_before_s = 0 WHERE state = 1",
		       "");
}

enum status_code outbox_resend(struct store *store, int64_t id_or_all, int *count, double now_s,
			       struct status *st)
{
	*count = 0;
	if (sql_run(store, st,
		    "UPDATE outbox SET state = 0, attempts = 0, not_before_s = 0, queued_s = ?2 "
		    "WHERE id = ?1 OR "
		    "(?1 < 0 AND state = 3)",
		    "ld", id_or_all, now_s) != STATUS_OK)
		return st->code;
	*count = sql_changes(store);
	if (*count == 0 && id_or_all >= 0)
		return status_fail(st, STATUS_REFUSE,
				   "no delivery %" PRId64
				   "; `holmia status` lists deliveries with their numbers",
				   id_or_all);
	return sql_run(store, st,
		       "DELETE FROM alarms WHERE key IN (SELECT 'delivery ' || id FROM outbox "
		       "WHERE state = 0)",
		       "");
}

enum status_code outbox_list(struct outbox_row **rows, int *count, struct store *store,
			     bool with_done, struct status *st)
{
	int found = 0, capacity = 0;
	struct outbox_row *list = NULL;
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT id, state, destination, job_hash, sop_class_uid, sop_instance_uid, why, "
	    "attempts, dimse_status, queued_s, not_before_s, sent_s FROM outbox WHERE "
	    "state <> 2 OR ? ORDER BY id",
	    "i", (int)with_done);
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		struct outbox_row *row = &list[found++];
		row->id = sql_int64(query, 0);
		row->state = (enum outbox_state)sql_int(query, 1);
		sql_text(query, 2, row->destination, sizeof row->destination);
		sql_text(query, 3, row->job_hash, sizeof row->job_hash);
		sql_text(query, 4, row->sop_class_uid, sizeof row->sop_class_uid);
		sql_text(query, 5, row->sop_instance_uid, sizeof row->sop_instance_uid);
		sql_text(query, 6, row->why, sizeof row->why);
		row->attempts = sql_int(query, 7);
		row->dimse_status = sql_int(query, 8);
		row->queued_s = sql_double(query, 9);
		row->not_before_s = sql_double(query, 10);
		row->sent_s = sql_double(query, 11);
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*rows = list;
	*count = found;
	return STATUS_OK;
}
