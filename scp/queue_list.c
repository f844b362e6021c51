/* queue_list.c - the queue as others see it: rows, results, states. */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

#include "store_sql.h"

#define ROW_COLUMNS                                                                                \
	"SELECT id, kind, state, hash, treatment_key, why, after_injection, attempts, version, "   \
	"queued_s, started_s, finished_s FROM jobs "

static void row_read(struct queue_row *row, sqlite3_stmt *query)
{
	row->id = sql_int64(query, 0);
	row->kind = (enum job_kind)sql_int(query, 1);
	row->state = (enum job_state)sql_int(query, 2);
	sql_text(query, 3, row->hash, sizeof row->hash);
	sql_text(query, 4, row->treatment_key, sizeof row->treatment_key);
	sql_text(query, 5, row->why, sizeof row->why);
	row->after_injection = sql_int(query, 6);
	row->attempts = sql_int(query, 7);
	row->version = sql_int(query, 8);
	row->queued_s = sql_double(query, 9);
	row->started_s = sql_double(query, 10);
	row->finished_s = sql_double(query, 11);
}

enum status_code queue_find(bool *found, struct queue_row *row, struct store *store,
			    const char *hash, struct status *st)
{
	sqlite3_stmt *query = sql_query(store, st, ROW_COLUMNS "WHERE hash = ?", "t", hash);
	*found = sql_row(store, query, st);
	if (*found)
		row_read(row, query);
	sql_done(query);
	return st->code;
}

enum status_code queue_list(struct queue_row **rows, int *count, struct store *store,
			    const char *treatment_key, struct status *st)
{
	int found = 0, capacity = 0;
	struct queue_row *list = NULL;
	sqlite3_stmt *query =
	    sql_query(store, st, ROW_COLUMNS "WHERE ?1 IS NULL OR treatment_key = ?1 ORDER BY id",
		      "t", treatment_key);
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		row_read(&list[found++], query);
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*rows = list;
	*count = found;
	return STATUS_OK;
}

enum status_code queue_list_superseded(struct catalogue_patient_key **keys, int *count,
				       struct store *store, double since_s, struct status *st)
{
	int found = 0, capacity = 0;
	struct catalogue_patient_key *list = NULL;
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT DISTINCT patient_id, patient_issuer FROM jobs WHERE state = 4 AND attempts "
	    "> 0 AND finished_s >= ?",
	    "d", since_s);
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		sql_text(query, 0, list[found].patient_id, sizeof list[found].patient_id);
		sql_text(query, 1, list[found].patient_issuer, sizeof list[found].patient_issuer);
		found++;
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*keys = list;
	*count = found;
	return STATUS_OK;
}

enum status_code queue_list_results(struct queue_result_row **rows, int *count, struct store *store,
				    const char *treatment_key, struct status *st)
{
	int found = 0, capacity = 0;
	struct queue_result_row *list = NULL;
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT j.hash, j.kind, j.after_injection, j.version, r.sop_class_uid, "
		      "r.sop_instance_uid, r.series_instance_uid, r.study_instance_uid, r.path "
		      "FROM results r "
		      "JOIN jobs j ON j.id = r.job_id WHERE j.state = 2 AND (?1 IS NULL OR "
		      "j.treatment_key = ?1) "
		      "ORDER BY j.finished_s, j.id, r.id",
		      "t", treatment_key);
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		struct queue_result_row *row = &list[found++];
		sql_text(query, 0, row->job_hash, sizeof row->job_hash);
		row->kind = (enum job_kind)sql_int(query, 1);
		row->after_injection = sql_int(query, 2);
		row->version = sql_int(query, 3);
		sql_text(query, 4, row->sop_class_uid, sizeof row->sop_class_uid);
		sql_text(query, 5, row->sop_instance_uid, sizeof row->sop_instance_uid);
		sql_text(query, 6, row->series_instance_uid, sizeof row->series_instance_uid);
		sql_text(query, 7, row->study_instance_uid, sizeof row->study_instance_uid);
		sql_text(query, 8, row->path, sizeof row->path);
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*rows = list;
	*count = found;
	return STATUS_OK;
}
