#include "treatment_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_sql.h"

enum status_code treatment_store_create_tables(struct store *store, struct status *st)
{
	return sql_script(
	    store,
	    "CREATE TABLE IF NOT EXISTS records (record_id TEXT NOT NULL, revision INTEGER NOT "
	    "NULL, "
	    "patient_id TEXT NOT NULL, patient_issuer TEXT NOT NULL, entered_by TEXT NOT NULL, "
	    "fingerprint TEXT NOT NULL, xml TEXT NOT NULL, added_s REAL NOT NULL, withdrawn_s "
	    "REAL, "
	    "PRIMARY KEY (record_id, revision));"
	    "CREATE INDEX IF NOT EXISTS records_patient ON records (patient_id, patient_issuer);"
	    "CREATE TABLE IF NOT EXISTS treatments (treatment_key TEXT PRIMARY KEY, patient_id "
	    "TEXT NOT NULL, "
	    "patient_issuer TEXT NOT NULL, record_id TEXT NOT NULL, record_revision INTEGER NOT "
	    "NULL, "
	    "state TEXT NOT NULL, waits_for TEXT NOT NULL, slots TEXT NOT NULL, warnings TEXT NOT "
	    "NULL, "
	    "unused TEXT NOT NULL, n_after INTEGER NOT NULL, planned_injections INTEGER NOT NULL, "
	    "report_ready INTEGER NOT NULL, updated_s REAL NOT NULL, complete_since_s REAL, "
	    "complete_n_after INTEGER NOT NULL, recompute_serial INTEGER NOT NULL DEFAULT 0) "
	    "WITHOUT ROWID;",
	    st);
}

void treatment_key_make(char key[420], const char *record_id, const char *patient_id,
			const char *patient_issuer)
{
	snprintf(key, 420, "%.131s|%.199s|%.86s", record_id, patient_id, patient_issuer);
}

/* ---- records ---- */

/* The row that is in force: the highest revision of an id. */
#define IN_FORCE "revision = (SELECT max(revision) FROM records n WHERE n.record_id = r.record_id)"

#define RECORD_COLUMNS                                                                             \
	"record_id, patient_id, patient_issuer, entered_by, fingerprint, revision, "               \
	"withdrawn_s IS NOT NULL, added_s"

/* A row of RECORD_COLUMNS. */
static void read_record_row(struct record_row *row, sqlite3_stmt *query)
{
	sql_text(query, 0, row->record_id, sizeof row->record_id);
	sql_text(query, 1, row->patient_id, sizeof row->patient_id);
	sql_text(query, 2, row->patient_issuer, sizeof row->patient_issuer);
	sql_text(query, 3, row->entered_by, sizeof row->entered_by);
	sql_text(query, 4, row->fingerprint, sizeof row->fingerprint);
	row->revision = sql_int(query, 5);
	row->withdrawn = sql_int(query, 6) != 0;
	row->added_s = sql_double(query, 7);
}

static enum status_code record_row_find(bool *found, struct record_row *row, struct store *store,
					const char *record_id, struct status *st)
{
	memset(row, 0, sizeof *row);
	sqlite3_stmt *query = sql_query(
	    store, st, "SELECT " RECORD_COLUMNS " FROM records r WHERE record_id = ? AND " IN_FORCE,
	    "t", record_id);
	*found = sql_row(store, query, st);
	if (*found)
		read_record_row(row, query);
	sql_done(query);
	return st->code;
}

enum status_code record_add(struct store *store, const struct treatment_record *record,
			    const char *xml, double now_s, struct status *st)
{
	bool found = false;
	struct record_row row;
	if (record_row_find(&found, &row, store, record->id, st) != STATUS_OK)
		return st->code;
	if (found && (strcmp(row.patient_id, record->patient_id) != 0 ||
		      strcmp(row.patient_issuer, record->patient_issuer) != 0))
		return status_fail(
		    st, STATUS_REFUSE,
		    "record \"%s\" is here for patient \"%s\", not for \"%s\"; give the new record "
		    "another id",
		    record->id, row.patient_id, record->patient_id);
	if (found && record->revision <= row.revision)
		return status_fail(st, STATUS_REFUSE,
				   "record \"%s\" is here with revision %d%s; a change needs a "
				   "higher revision than %d",
				   record->id, row.revision,
				   strcmp(row.fingerprint, record->fingerprint) == 0
				       ? " and the same content"
				       : "",
				   row.revision);
	return sql_run(store, st,
		       "INSERT INTO records (record_id, revision, patient_id, patient_issuer, "
		       "entered_by, fingerprint, "
		       "xml, added_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		       "titttttd", record->id, record->revision, record->patient_id,
		       record->patient_issuer, record->entered_by, record->fingerprint, xml, now_s);
}

enum status_code record_text(char **xml, struct store *store, const char *record_id,
			     struct status *st)
{
	char *text = NULL;
	bool found = false;
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT xml FROM records r WHERE record_id = ? AND withdrawn_s IS NULL AND " IN_FORCE,
	    "t", record_id);
	if (sql_row(store, query, st)) {
		found = true;
		text = strdup((const char *)sqlite3_column_text(query, 0));
		if (text == NULL)
			status_fail(st, STATUS_RETRY, "no memory for a treatment record");
	}
	sql_done(query);
	if (st->code == STATUS_OK && !found)
		status_fail(st, STATUS_REFUSE,
			    "no record \"%s\" in force; `holmia treatment list` shows what is here",
			    record_id);
	if (st->code == STATUS_OK)
		*xml = text;
	else
		free(text);
	return st->code;
}

enum status_code record_load(struct treatment_record *record, struct store *store,
			     const char *record_id, struct status *st)
{
	char *xml = NULL;
	struct config_faults faults = {0};
	if (record_text(&xml, store, record_id, st) != STATUS_OK)
		return st->code;
	(void)!treatment_record_read_memory(record, &faults, xml, strlen(xml), record_id, st);
	config_faults_free(&faults);
	free(xml);
	return st->code;
}

enum status_code record_withdraw(struct store *store, const char *record_id, double now_s,
				 struct status *st)
{
	if (sql_run(store, st,
		    "UPDATE records AS r SET withdrawn_s = ? WHERE record_id = ? AND withdrawn_s "
		    "IS NULL AND " IN_FORCE,
		    "dt", now_s, record_id) == STATUS_OK &&
	    sql_changes(store) == 0)
		return status_fail(
		    st, STATUS_REFUSE,
		    "no record \"%s\" in force; `holmia treatment list` shows what is here",
		    record_id);
	return st->code;
}

enum status_code record_list(struct record_row **rows, int *count, struct store *store,
			     const char *patient_id, const char *patient_issuer, struct status *st)
{
	int found = 0, capacity = 0;
	struct record_row *list = NULL;
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT " RECORD_COLUMNS " FROM records r WHERE " IN_FORCE
	    " AND (?1 IS NULL OR (patient_id = ?1 AND patient_issuer = ?2 AND withdrawn_s IS "
	    "NULL)) ORDER BY added_s, record_id",
	    "tt", patient_id, patient_issuer);
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		struct record_row *row = &list[found++];
		read_record_row(row, query);
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*rows = list;
	*count = found;
	return STATUS_OK;
}

/* ---- treatments ---- */

enum status_code treatment_row_save(struct store *store, const struct treatment_row *row,
				    struct status *st)
{
	return sql_run(
	    store, st,
	    "INSERT INTO treatments (treatment_key, patient_id, patient_issuer, record_id, "
	    "record_revision, "
	    "state, waits_for, slots, warnings, unused, n_after, planned_injections, report_ready, "
	    "updated_s, "
	    "complete_since_s, complete_n_after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
	    "?, ?) "
	    "ON CONFLICT (treatment_key) DO UPDATE SET record_revision = excluded.record_revision, "
	    "state = excluded.state, waits_for = excluded.waits_for, slots = excluded.slots, "
	    "warnings = excluded.warnings, unused = excluded.unused, n_after = excluded.n_after, "
	    "planned_injections = excluded.planned_injections, report_ready = "
	    "excluded.report_ready, "
	    "updated_s = excluded.updated_s, complete_since_s = excluded.complete_since_s, "
	    "complete_n_after = excluded.complete_n_after",
	    "ttttitttttiiiddi", row->treatment_key, row->patient_id, row->patient_issuer,
	    row->record_id, row->record_revision, row->state, row->waits_for, row->slots,
	    row->warnings, row->unused, row->n_after, row->planned_injections,
	    (int)row->report_ready, row->updated_s, row->complete_since_s, row->complete_n_after);
}

#define TREATMENT_COLUMNS                                                                          \
	"SELECT treatment_key, patient_id, patient_issuer, record_id, record_revision, state, "    \
	"waits_for, slots, warnings, unused, n_after, planned_injections, report_ready, "          \
	"updated_s, complete_since_s, complete_n_after, recompute_serial FROM treatments "

static void treatment_row_read(struct treatment_row *row, sqlite3_stmt *query)
{
	sql_text(query, 0, row->treatment_key, sizeof row->treatment_key);
	sql_text(query, 1, row->patient_id, sizeof row->patient_id);
	sql_text(query, 2, row->patient_issuer, sizeof row->patient_issuer);
	sql_text(query, 3, row->record_id, sizeof row->record_id);
	row->record_revision = sql_int(query, 4);
	sql_text(query, 5, row->state, sizeof row->state);
	sql_text(query, 6, row->waits_for, sizeof row->waits_for);
	sql_text(query, 7, row->slots, sizeof row->slots);
	sql_text(query, 8, row->warnings, sizeof row->warnings);
	sql_text(query, 9, row->unused, sizeof row->unused);
	row->n_after = sql_int(query, 10);
	row->planned_injections = sql_int(query, 11);
	row->report_ready = sql_int(query, 12) != 0;
	row->updated_s = sql_double(query, 13);
	row->complete_since_s = sql_double(query, 14);
	row->complete_n_after = sql_int(query, 15);
	row->recompute_serial = sql_int(query, 16);
}

enum status_code treatment_row_load(bool *found, struct treatment_row *row, struct store *store,
				    const char *key, struct status *st)
{
	memset(row, 0, sizeof *row);
	sqlite3_stmt *query =
	    sql_query(store, st, TREATMENT_COLUMNS "WHERE treatment_key = ?", "t", key);
	*found = sql_row(store, query, st);
	if (*found)
		treatment_row_read(row, query);
	sql_done(query);
	return st->code;
}

enum status_code treatment_row_delete(struct store *store, const char *key, struct status *st)
{
	/* "late KEY" and "job KIND INJECTION KEY" */
	if (sql_run(store, st,
		    "DELETE FROM alarms WHERE (key LIKE 'late %' OR key LIKE 'job %') AND "
		    "substr(key, -length(?1) - 1) = ' ' || ?1",
		    "t", key) != STATUS_OK)
		return st->code;
	return sql_run(store, st, "DELETE FROM treatments WHERE treatment_key = ?", "t", key);
}

enum status_code treatment_row_list(struct treatment_row **rows, int *count, struct store *store,
				    struct status *st)
{
	int found = 0, capacity = 0;
	struct treatment_row *list = NULL;
	sqlite3_stmt *query =
	    sql_query(store, st, TREATMENT_COLUMNS "ORDER BY patient_id, treatment_key", "");
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		treatment_row_read(&list[found++], query);
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*rows = list;
	*count = found;
	return STATUS_OK;
}

enum status_code treatment_recompute(struct store *store, const char *key, struct status *st)
{
	if (sql_run(store, st,
		    "UPDATE treatments SET recompute_serial = recompute_serial + 1 WHERE "
		    "treatment_key = ?1 OR "
		    "(record_id <> '' AND (record_id = ?1 OR patient_id = ?1))",
		    "t", key) == STATUS_OK &&
	    sql_changes(store) == 0)
		return status_fail(st, STATUS_REFUSE,
				   "no treatment \"%s\"; `holmia status` lists them", key);
	return st->code;
}
