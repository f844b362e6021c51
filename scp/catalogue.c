#include "catalogue_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DESCRIBE(kind, column, member)                                                             \
	{CATALOGUE_##kind, offsetof(struct instance_info, member),                                 \
	 sizeof(((struct instance_info *)0)->member)},
const struct catalogue_column catalogue_columns[] = {CATALOGUE_COLUMNS(DESCRIBE)};
const int catalogue_n_columns = (int)(sizeof catalogue_columns / sizeof catalogue_columns[0]);

enum status_code catalogue_create_tables(struct store *store, struct status *st)
{
	return sql_script(
	    store,
	    "CREATE TABLE IF NOT EXISTS logs (name TEXT PRIMARY KEY, offset INTEGER NOT NULL, "
	    "attempts INTEGER NOT NULL, ended INTEGER NOT NULL) WITHOUT ROWID;"
	    "CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL, "
	    "patient_issuer TEXT NOT NULL, study_instance_uid TEXT NOT NULL, "
	    "series_instance_uid TEXT NOT NULL, modality TEXT NOT NULL, "
	    "UNIQUE (series_instance_uid, study_instance_uid, patient_id, patient_issuer));"
	    "CREATE INDEX IF NOT EXISTS series_patient ON series (patient_id, patient_issuer);"
	    "CREATE INDEX IF NOT EXISTS series_study ON series (study_instance_uid);"
	    "CREATE TABLE IF NOT EXISTS series_repeats (series_instance_uid TEXT PRIMARY KEY, "
	    "series_id INTEGER NOT NULL REFERENCES series) WITHOUT ROWID;"
	    "CREATE TABLE IF NOT EXISTS instances (id INTEGER PRIMARY KEY, "
	    "series_id INTEGER REFERENCES series, state INTEGER NOT NULL, reason TEXT NOT NULL, "
	    "path TEXT NOT NULL, log TEXT NOT NULL, data_offset INTEGER NOT NULL, "
	    "data_size INTEGER NOT NULL, transfer_syntax_uid TEXT NOT NULL, "
	    "received_s REAL NOT NULL, repeats INTEGER NOT NULL DEFAULT 0, last_repeat_s "
	    "REAL" CATALOGUE_COLUMNS(
		CATALOGUE_COLUMN_DEFINITION) ");"
					     "CREATE INDEX IF NOT EXISTS instances_series ON "
					     "instances (series_id, state);"
					     "CREATE INDEX IF NOT EXISTS instances_sop ON "
					     "instances (sop_instance_uid);"
					     "CREATE INDEX IF NOT EXISTS instances_evidence ON "
					     "instances (evidence_hash);"
					     "CREATE INDEX IF NOT EXISTS instances_log ON "
					     "instances (log);"
					     "CREATE INDEX IF NOT EXISTS instances_kept ON "
					     "instances (state, id) WHERE state <> 0;",
	    st);
}

/* ---- what is an input and what is not ---- */

static const char *const input_classes[] = {
    "1.2.840.10008.5.1.4.1.1.4",     /* MR Image */
    "1.2.840.10008.5.1.4.1.1.481.3", /* RT Structure Set */
    "1.2.840.10008.5.1.4.1.1.128",   /* PET Image */
    "1.2.840.10008.5.1.4.1.1.20",    /* Nuclear Medicine Image */
    "1.2.840.10008.5.1.4.1.1.66.1",  /* Spatial Registration */
};

/* Storage classes that PACS routes like to send along; anything else is named by its UID. */
static const struct {
	const char *uid, *words;
} kept_classes[] = {
    {"1.2.840.10008.5.1.4.1.1.4.1", "Enhanced MR image: only classic MR images are read"},
    {"1.2.840.10008.5.1.4.1.1.2", "CT image: not an input"},
    {"1.2.840.10008.5.1.4.1.1.7", "Secondary Capture: not an input"},
    {"1.2.840.10008.5.1.4.1.1.481.2", "RT Dose: not an input"},
    {"1.2.840.10008.5.1.4.1.1.481.5", "RT Plan: not an input"},
    {"1.2.840.10008.5.1.4.1.1.66.3", "Deformable Spatial Registration: only rigid ones are read"},
    {"1.2.840.10008.5.1.4.1.1.66.4", "Segmentation: only RT Structure Sets are read"},
    {"1.2.840.10008.5.1.4.1.1.88.11", "Structured Report: not an input"},
    {"1.2.840.10008.5.1.4.1.1.88.22", "Structured Report: not an input"},
    {"1.2.840.10008.5.1.4.1.1.88.33", "Structured Report: not an input"},
    {"1.2.840.10008.5.1.4.1.1.88.34", "Structured Report: not an input"},
    {"1.2.840.10008.5.1.4.1.1.88.59", "Key Object Selection: not an input"},
    {"1.2.840.10008.5.1.4.1.1.88.68", "Radiopharmaceutical Radiation Dose SR: not read"},
    {"1.2.840.10008.5.1.4.1.1.11.1", "Presentation State: not an input"},
};

/* "" for an input. */
static void unused_reason(char reason[240], const struct instance_info *info)
{
	reason[0] = '\0';
	if (info->patient_id[0] == '\0') {
		snprintf(reason, 240,
			 "no Patient ID: never assembled; correct it in the PACS and send again");
		return;
	}
	for (size_t i = 0; i < sizeof input_classes / sizeof input_classes[0]; i++)
		if (strcmp(info->sop_class_uid, input_classes[i]) == 0)
			return;
	for (size_t i = 0; i < sizeof kept_classes / sizeof kept_classes[0]; i++)
		if (strcmp(info->sop_class_uid, kept_classes[i].uid) == 0) {
			snprintf(reason, 240, "%s", kept_classes[i].words);
			return;
		}
	snprintf(reason, 240, "storage class %s: not an input", info->sop_class_uid);
}

/* ---- adding ---- */

static enum status_code series_find_or_add(int64_t *id, struct store *store,
					   const struct instance_info *info, struct status *st)
{
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT id FROM series WHERE series_instance_uid = ? AND "
		      "study_instance_uid = ? AND patient_id = ? AND patient_issuer = ?",
		      "tttt", info->series_instance_uid, info->study_instance_uid, info->patient_id,
		      info->patient_issuer);
	bool found = sql_row(store, query, st);
	if (found)
		*id = sql_int64(query, 0);
	sql_done(query);
	if (found || st->code != STATUS_OK)
		return st->code;
	if (sql_run(store, st,
		    "INSERT INTO series (series_instance_uid, study_instance_uid, patient_id, "
		    "patient_issuer, modality) VALUES (?, ?, ?, ?, ?)",
		    "ttttt", info->series_instance_uid, info->study_instance_uid, info->patient_id,
		    info->patient_issuer, info->modality) == STATUS_OK)
		*id = sql_last_id(store);
	return st->code;
}

static enum status_code instance_insert(struct store *store, enum catalogue_state state,
					const char *reason, int64_t series_id,
					const struct instance_info *info,
					const struct catalogue_location *where, double received_s,
					struct status *st)
{
	sqlite3_stmt *insert = sql_query(
	    store, st,
	    "INSERT INTO instances (series_id, state, reason, path, log, data_offset, "
	    "data_size, "
	    "transfer_syntax_uid, received_s" CATALOGUE_COLUMNS(
		CATALOGUE_COLUMN_NAME) ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
				       "?" CATALOGUE_COLUMNS(CATALOGUE_COLUMN_PLACE) ")",
	    "litttlltd", series_id, (int)state, reason, where->path, where->log,
	    (int64_t)where->offset, (int64_t)where->size, where->transfer_syntax_uid, received_s);
	if (insert == NULL)
		return st->code;
	for (int i = 0; i < catalogue_n_columns; i++) {
		const struct catalogue_column *column = &catalogue_columns[i];
		const char *member = (const char *)info + column->offset;
		double number = 0;
		int integer = 0;
		switch (column->kind) {
		case CATALOGUE_TEXT:
			sqlite3_bind_text(insert, 10 + i, member, -1, SQLITE_STATIC);
			break;
		case CATALOGUE_INTEGER:
			memcpy(&integer, member, sizeof integer);
			sqlite3_bind_int(insert, 10 + i, integer);
			break;
		case CATALOGUE_REAL:
			memcpy(&number, member, sizeof number);
			if (number == number)
				sqlite3_bind_double(insert, 10 + i, number);
			else
				sqlite3_bind_null(insert, 10 + i);
			break;
		}
	}
	while (sql_row(store, insert, st))
		;
	sqlite3_clear_bindings(insert); /* the texts were borrowed */
	return st->code;
}

/* A name or birth date that was corrected in the PACS takes the place of the older one, with the
 * bytes that carry it; nothing that a dose is made of differs. */
static enum status_code note_repeat(struct store *store, int64_t id,
				    const struct instance_info *info,
				    const struct catalogue_location *where, double received_s,
				    struct status *st)
{
	if (sql_run(store, st,
		    "UPDATE instances SET repeats = repeats + 1, last_repeat_s = ? WHERE id = ?",
		    "dl", received_s, id) != STATUS_OK)
		return st->code;
	return sql_run(store, st,
		       "UPDATE instances SET patient_name = ?2, patient_birth_date = ?3, path = "
		       "?4, log = ?5, data_offset = ?6, data_size = ?7, transfer_syntax_uid = ?8 "
		       "WHERE id = ?1 AND (patient_name <> ?2 OR patient_birth_date <> ?3) AND "
		       "sop_instance_uid = ?9",
		       "lttttlltt", id, info->patient_name, info->patient_birth_date, where->path,
		       where->log, (int64_t)where->offset, (int64_t)where->size,
		       where->transfer_syntax_uid, info->sop_instance_uid);
}

/* The SOP Instance UID is known: *outcome SAME or QUARANTINED; NEW when it is not known. */
static enum status_code compare_same_uid(enum catalogue_outcome *outcome, char reason[240],
					 struct store *store, const struct instance_info *info,
					 const struct catalogue_location *where, double received_s,
					 struct status *st)
{
	int64_t same = -1, nameless = -1;
	bool known = false, other_patient = false;
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT id, evidence_hash, patient_id, patient_issuer FROM instances "
		      "WHERE sop_instance_uid = ? AND state <> 3 ORDER BY id",
		      "t", info->sop_instance_uid);
	while (sql_row(store, query, st)) {
		struct catalogue_patient_key key;
		char hash[65];
		sql_text(query, 1, hash, sizeof hash);
		sql_text(query, 2, key.patient_id, sizeof key.patient_id);
		sql_text(query, 3, key.patient_issuer, sizeof key.patient_issuer);
		bool equal = strcmp(hash, info->evidence_hash) == 0;
		if (equal && key.patient_id[0] == '\0' && info->patient_id[0] != '\0') {
			nameless = sql_int64(query, 0);
			continue;
		}
		known = true;
		if (!equal)
			continue;
		if (strcmp(key.patient_id, info->patient_id) == 0 &&
		    strcmp(key.patient_issuer, info->patient_issuer) == 0)
			same = sql_int64(query, 0);
		else
			other_patient = true;
	}
	if (st->code != STATUS_OK)
		return st->code;
	*outcome = CATALOGUE_NEW;
	if (same >= 0) {
		*outcome = CATALOGUE_SAME;
		snprintf(reason, 240, "the same instance again");
		return note_repeat(store, same, info, where, received_s, st);
	}
	/* sent again as its words ask for: with a Patient ID now */
	if (!known && nameless >= 0)
		return sql_run(store, st,
			       "UPDATE instances SET state = 4, reason = 'sent again with a "
			       "Patient ID' WHERE id = ?",
			       "l", nameless);
	if (known) {
		*outcome = CATALOGUE_QUARANTINED;
		snprintf(reason, 240,
			 other_patient ? "the same instance is already here under another patient"
				       : "the SOP Instance UID is already here with other content");
	}
	return STATUS_OK;
}

/* The same evidence under other UIDs: *outcome SAME, and its series is remembered as a repeat.
 * Acquisition time and component are compared beside the hash: two empty slices of two series are
 * not one. */
static enum status_code compare_same_evidence(enum catalogue_outcome *outcome, char reason[240],
					      struct store *store, const struct instance_info *info,
					      const struct catalogue_location *where,
					      double received_s, struct status *st)
{
	int64_t same = -1, series_id = -1;
	char series_uid[65] = "";
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT id, series_id, series_instance_uid FROM instances WHERE evidence_hash = ? "
	    "AND patient_id = ? AND patient_issuer = ? AND acquisition_datetime = ? AND "
	    "component = ? AND state = 0",
	    "tttti", info->evidence_hash, info->patient_id, info->patient_issuer,
	    info->acquisition_datetime, (int)info->component);
	if (sql_row(store, query, st)) {
		same = sql_int64(query, 0);
		series_id = sql_int64(query, 1);
		sql_text(query, 2, series_uid, sizeof series_uid);
	}
	sql_done(query);
	if (st->code != STATUS_OK || same < 0)
		return st->code;
	*outcome = CATALOGUE_SAME;
	snprintf(reason, 240, "the same evidence again under other UIDs (first came as series %s)",
		 series_uid);
	if (strcmp(series_uid, info->series_instance_uid) != 0 &&
	    sql_run(store, st,
		    "INSERT OR IGNORE INTO series_repeats (series_instance_uid, series_id) VALUES "
		    "(?, ?)",
		    "tl", info->series_instance_uid, series_id) != STATUS_OK)
		return st->code;
	return note_repeat(store, same, info, where, received_s, st);
}

enum status_code catalogue_add(enum catalogue_outcome *outcome, char reason[240],
			       struct store *store, const struct instance_info *info,
			       const struct catalogue_location *where, double received_s,
			       struct status *st)
{
	int64_t series_id = 0;
	char alarm[128];
	reason[0] = '\0';
	*outcome = CATALOGUE_NEW;
	if (compare_same_uid(outcome, reason, store, info, where, received_s, st) != STATUS_OK)
		return st->code;
	if (*outcome == CATALOGUE_NEW) {
		unused_reason(reason, info);
		if (reason[0] != '\0')
			*outcome = CATALOGUE_UNUSED;
		else if (compare_same_evidence(outcome, reason, store, info, where, received_s,
					       st) != STATUS_OK)
			return st->code;
	}
	if (*outcome == CATALOGUE_SAME)
		return STATUS_OK;
	if (series_find_or_add(&series_id, store, info, st) != STATUS_OK)
		return st->code;
	enum catalogue_state state = *outcome == CATALOGUE_NEW	    ? CATALOGUE_STATE_USED
				     : *outcome == CATALOGUE_UNUSED ? CATALOGUE_STATE_UNUSED
								    : CATALOGUE_STATE_QUARANTINED;
	if (instance_insert(store, state, reason, series_id, info, where, received_s, st) !=
		STATUS_OK ||
	    *outcome != CATALOGUE_QUARANTINED)
		return st->code;
	char text[400];
	snprintf(alarm, sizeof alarm, "quarantine %" PRId64, sql_last_id(store));
	snprintf(text, sizeof text,
		 "instance %" PRId64 " quarantined: %s (%s); see `holmia quarantine list`",
		 sql_last_id(store), reason, info->sop_instance_uid);
	return store_raise_alarm(store, alarm, text, received_s, st);
}

enum status_code catalogue_add_unreadable(struct store *store,
					  const struct catalogue_location *where,
					  const char *sop_instance_uid, const char *reason,
					  double received_s, struct status *st)
{
	char alarm[128], text[400];
	if (sql_run(store, st,
		    "INSERT INTO instances (series_id, state, reason, path, log, data_offset, "
		    "data_size, "
		    "transfer_syntax_uid, received_s, sop_instance_uid) VALUES (NULL, 3, ?, ?, ?, "
		    "?, ?, ?, ?, ?)",
		    "tttlltdt", reason, where->path, where->log, (int64_t)where->offset,
		    (int64_t)where->size, where->transfer_syntax_uid, received_s,
		    sop_instance_uid) != STATUS_OK)
		return st->code;
	snprintf(alarm, sizeof alarm, "unreadable %" PRId64, sql_last_id(store));
	snprintf(text, sizeof text, "instance %" PRId64 " cannot be read: %.240s (%s)",
		 sql_last_id(store), reason, sop_instance_uid);
	return store_raise_alarm(store, alarm, text, received_s, st);
}

/* ---- quarantine ---- */

enum status_code catalogue_quarantine_release(struct catalogue_patient_key *key,
					      struct store *store, int64_t id, struct status *st)
{
	char uid[65], alarm[64];
	bool found = false;
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT sop_instance_uid, patient_id, patient_issuer FROM instances "
		      "WHERE id = ? AND state = 2",
		      "l", id);
	if (sql_row(store, query, st)) {
		found = true;
		sql_text(query, 0, uid, sizeof uid);
		sql_text(query, 1, key->patient_id, sizeof key->patient_id);
		sql_text(query, 2, key->patient_issuer, sizeof key->patient_issuer);
	}
	sql_done(query);
	if (st->code == STATUS_OK && !found)
		return status_fail(st, STATUS_REFUSE,
				   "nothing is quarantined as %" PRId64
				   "; `holmia quarantine list` shows what is",
				   id);
	snprintf(alarm, sizeof alarm, "quarantine %" PRId64, id);
	if (st->code == STATUS_OK &&
	    sql_run(
		store, st,
		"UPDATE instances SET state = 4, reason = 'replaced by a released instance' WHERE "
		"sop_instance_uid = ? AND state = 0",
		"t", uid) == STATUS_OK &&
	    sql_run(store, st, "UPDATE instances SET state = 0, reason = '' WHERE id = ?", "l",
		    id) == STATUS_OK)
		return store_clear_alarm(store, alarm, st);
	return st->code;
}

enum status_code catalogue_quarantine_drop(struct store *store, int64_t id, struct status *st)
{
	char alarm[64];
	if (sql_run(
		store, st,
		"UPDATE instances SET state = 4, reason = 'dropped: ' || reason WHERE id = ? AND "
		"state = 2",
		"l", id) != STATUS_OK)
		return st->code;
	if (sql_changes(store) == 0)
		return status_fail(st, STATUS_REFUSE,
				   "nothing is quarantined as %" PRId64
				   "; `holmia quarantine list` shows what is",
				   id);
	snprintf(alarm, sizeof alarm, "quarantine %" PRId64, id);
	return store_clear_alarm(store, alarm, st);
}

/* ---- reception logs ---- */

enum status_code catalogue_log_load(struct catalogue_log *log, struct store *store,
				    const char *name, struct status *st)
{
	*log = (struct catalogue_log){0};
	sqlite3_stmt *query = sql_query(
	    store, st, "SELECT offset, attempts, ended FROM logs WHERE name = ?", "t", name);
	if (sql_row(store, query, st)) {
		log->offset = (uint64_t)sql_int64(query, 0);
		log->attempts = sql_int(query, 1);
		log->ended = sql_int(query, 2) != 0;
	}
	sql_done(query);
	return st->code;
}

enum status_code catalogue_log_save(struct store *store, const char *name,
				    const struct catalogue_log *log, struct status *st)
{
	return sql_run(store, st,
		       "INSERT INTO logs (name, offset, attempts, ended) VALUES (?, ?, ?, ?) ON "
		       "CONFLICT (name) "
		       "DO UPDATE SET offset = excluded.offset, attempts = excluded.attempts, "
		       "ended = excluded.ended",
		       "tlii", name, (int64_t)log->offset, log->attempts, (int)log->ended);
}

enum status_code catalogue_log_attempt(struct store *store, const char *name,
				       const struct catalogue_log *log, struct status *st)
{
	struct status restore = STATUS_INIT;
	if (sql_run(store, st, "PRAGMA synchronous = NORMAL", "") == STATUS_OK)
		(void)!catalogue_log_save(store, name, log, st);
	if (sql_run(store, &restore, "PRAGMA synchronous = FULL", "") != STATUS_OK)
		return status_fail(st, restore.code, "%s", restore.text);
	return st->code;
}
