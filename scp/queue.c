#include "queue.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_sql.h"

/* States in SQL below: 0 queued, 1 running, 2 done, 3 failed, 4 superseded (enum job_state). Series
 * slots: 0 baseline, 1.. scans, SLOT_ANATOMY. */
#define SLOT_ANATOMY 1000

/* A temporary failure is tried again after 5 s, 20 s, 45 s ... at most 10 min. */
#define RETRY_PAUSE_S	  5.0
#define RETRY_PAUSE_MAX_S 600.0

enum status_code queue_create_tables(struct store *store, struct status *st)
{
	return sql_script(
	    store,
	    "CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, "
	    "kind INTEGER NOT NULL, state INTEGER NOT NULL, treatment_key TEXT NOT NULL, "
	    "patient_id TEXT NOT NULL, patient_issuer TEXT NOT NULL, record_id TEXT NOT NULL, "
	    "record_revision INTEGER NOT NULL, after_injection INTEGER NOT NULL, "
	    "structure_set_id INTEGER NOT NULL, forced INTEGER NOT NULL, attempts INTEGER NOT NULL "
	    "DEFAULT 0, "
	    "retries INTEGER NOT NULL DEFAULT 0, not_before_s REAL NOT NULL DEFAULT 0, process "
	    "TEXT, "
	    "why TEXT NOT NULL DEFAULT '', queued_s REAL NOT NULL, started_s REAL, finished_s "
	    "REAL, "
	    "created_datetime TEXT, utc_offset TEXT, ae_title TEXT, station_name TEXT, "
	    "intended_use TEXT, "
	    "version INTEGER, software_version TEXT, predecessor_class_uid TEXT, "
	    "predecessor_instance_uid TEXT, predecessor_series_uid TEXT, predecessor_study_uid "
	    "TEXT);"
	    "CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state, kind, id);"
	    "CREATE INDEX IF NOT EXISTS jobs_treatment ON jobs (treatment_key);"
	    "CREATE TABLE IF NOT EXISTS job_series (job_id INTEGER NOT NULL REFERENCES jobs, "
	    "slot INTEGER NOT NULL, series_id INTEGER NOT NULL, evidence_hash TEXT NOT NULL, "
	    "after_injection INTEGER NOT NULL, PRIMARY KEY (job_id, slot)) WITHOUT ROWID;"
	    "CREATE TABLE IF NOT EXISTS job_needs (job_id INTEGER NOT NULL REFERENCES jobs, "
	    "hash TEXT NOT NULL, PRIMARY KEY (job_id, hash)) WITHOUT ROWID;"
	    "CREATE TABLE IF NOT EXISTS results (id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL "
	    "REFERENCES "
	    "jobs, sop_class_uid TEXT NOT NULL, sop_instance_uid TEXT NOT NULL, "
	    "series_instance_uid TEXT NOT NULL, study_instance_uid TEXT NOT NULL, path TEXT NOT "
	    "NULL, "
	    "UNIQUE (job_id, sop_instance_uid));",
	    st);
}

const char *job_kind_name(enum job_kind kind)
{
	switch (kind) {
	case JOB_FIT:
		return "fit";
	case JOB_MAP:
		return "map";
	case JOB_REPORT:
		break;
	}
	return "report";
}

const char *job_state_name(enum job_state state)
{
	switch (state) {
	case JOB_QUEUED:
		return "queued";
	case JOB_RUNNING:
		return "running";
	case JOB_DONE:
		return "done";
	case JOB_FAILED:
		return "failed";
	case JOB_SUPERSEDED:
		break;
	}
	return "superseded";
}

/* ---- adding ---- */

static enum status_code series_save(struct store *store, int64_t job_id, int slot,
				    const struct job_series *series, struct status *st)
{
	return sql_run(
	    store, st,
	    "INSERT INTO job_series (job_id, slot, series_id, evidence_hash, after_injection) "
	    "VALUES (?, ?, ?, ?, ?)",
	    "lilti", job_id, slot, series->series_id, series->evidence_hash,
	    series->after_injection);
}

static enum status_code all_series_save(struct store *store, int64_t id, const struct job *job,
					struct status *st)
{
	if (series_save(store, id, 0, &job->baseline, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < job->n_scans; i++)
		if (series_save(store, id, 1 + i, &job->scans[i], st) != STATUS_OK)
			return st->code;
	if (job->anatomy.series_id >= 0)
		(void)!series_save(store, id, SLOT_ANATOMY, &job->anatomy, st);
	return st->code;
}

/* What the hash leaves out follows the newest plan until the first claim: revision, contours, and
 * under which patient and series the evidence stands. One that ended superseded has no results and
 * gets its identity anew. */
static enum status_code queue_again(bool *added, struct store *store, const struct job *job,
				    const struct queue_row *row, struct status *st)
{
	*added = row->state == JOB_SUPERSEDED;
	if (!*added && !(row->state == JOB_QUEUED && row->attempts == 0))
		return st->code;
	if (sql_run(store, st,
		    "UPDATE jobs SET state = 0, why = '', not_before_s = 0, finished_s = NULL, "
		    "attempts = 0, record_revision = ?2, structure_set_id = ?3, "
		    "created_datetime = NULL, treatment_key = ?4, patient_id = ?5, patient_issuer "
		    "= ?6, record_id = ?7 WHERE id = ?1",
		    "liltttt", row->id, job->record_revision, job->structure_set_id,
		    job->treatment_key, job->patient_id, job->patient_issuer,
		    job->record_id) != STATUS_OK ||
	    sql_run(store, st, "DELETE FROM job_series WHERE job_id = ?", "l", row->id) !=
		STATUS_OK)
		return st->code;
	return all_series_save(store, row->id, job, st);
}

enum status_code queue_add(bool *added, struct store *store, const struct job *job,
			   const char (*needs)[65], int n_needs, double now_s, struct status *st)
{
	bool known = false;
	struct queue_row row;
	*added = false;
	if (queue_find(&known, &row, store, job->hash, st) != STATUS_OK)
		return st->code;
	if (known)
		return queue_again(added, store, job, &row, st);
	if (sql_run(store, st,
		    "INSERT INTO jobs (hash, kind, state, treatment_key, patient_id, "
		    "patient_issuer, record_id, "
		    "record_revision, after_injection, structure_set_id, forced, queued_s) "
		    "VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    "tittttiilid", job->hash, (int)job->kind, job->treatment_key, job->patient_id,
		    job->patient_issuer, job->record_id, job->record_revision, job->after_injection,
		    job->structure_set_id, (int)job->forced, now_s) != STATUS_OK)
		return st->code;
	int64_t id = sql_last_id(store);
	if (all_series_save(store, id, job, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < n_needs; i++)
		if (sql_run(store, st,
			    "INSERT OR IGNORE INTO job_needs (job_id, hash) VALUES (?, ?)", "lt",
			    id, needs[i]) != STATUS_OK)
			return st->code;
	*added = true;
	return STATUS_OK;
}

enum status_code queue_supersede(struct store *store, const char *treatment_key,
				 const char (*keep)[65], int n_keep, double now_s,
				 struct status *st)
{
	struct queue_row *rows = NULL;
	int count = 0;
	if (queue_list(&rows, &count, store, treatment_key, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count && st->code == STATUS_OK; i++) {
		bool kept = rows[i].state != JOB_QUEUED || rows[i].kind == JOB_FIT;
		for (int k = 0; k < n_keep && !kept; k++)
			kept = strcmp(rows[i].hash, keep[k]) == 0;
		if (!kept)
			(void)!sql_run(store, st,
				       "UPDATE jobs SET state = 4, finished_s = ?, why = "
				       "'superseded by a newer plan' "
				       "WHERE id = ?",
				       "dl", now_s, rows[i].id);
	}
	free(rows);
	return st->code;
}

/* ---- whose job is it: process, start time, boot ---- */

static void process_tag(char tag[120], pid_t pid)
{
	char path[64], text[1024] = "", boot[40] = "";
	unsigned long long started = 0;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "r");
	if (file != NULL) {
		if (fgets(boot, sizeof boot, file) != NULL)
			boot[strcspn(boot, "\n")] = '\0';
		fclose(file);
	}
	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	file = fopen(path, "r");
	if (file != NULL) {
		size_t got = fread(text, 1, sizeof text - 1, file);
		text[got] = '\0';
		fclose(file);
		/* the name in parentheses may hold anything; the start time is the 20th word after
		 * it */
		const char *word = strrchr(text, ')');
		for (int i = 0; word != NULL && i < 20; i++)
			word = strchr(word + 1, ' ');
		if (word != NULL)
			started = strtoull(word + 1, NULL, 10);
	}
	snprintf(tag, 120, "%s %ld %llu", boot, (long)pid, started);
}

static bool process_is_gone(const char *tag)
{
	char now[120];
	const char *pid = strchr(tag, ' ');
	if (pid == NULL)
		return true;
	process_tag(now, (pid_t)strtol(pid + 1, NULL, 10));
	return strcmp(now, tag) != 0;
}

enum status_code queue_recover(struct store *store, struct status *st)
{
	int64_t gone[64];
	int n_gone = 0;
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	sqlite3_stmt *query =
	    sql_query(store, st, "SELECT id, process FROM jobs WHERE state = 1", "");
	while (sql_row(store, query, st)) {
		char tag[120];
		sql_text(query, 1, tag, sizeof tag);
		if (process_is_gone(tag) && n_gone < 64)
			gone[n_gone++] = sql_int64(query, 0);
	}
	for (int i = 0; i < n_gone && st->code == STATUS_OK; i++)
		(void)!sql_run(store, st, "UPDATE jobs SET state = 0, process = NULL WHERE id = ?",
			       "l", gone[i]);
	return store_finish(store, st);
}

/* ---- claiming ---- */

/* Jobs that can never run because one they need did not succeed take over its reason; three rounds
 * reach from a fit to a report. */
static enum status_code fail_dependents(struct store *store, double now_s, struct status *st)
{
	for (int round = 0; round < 3 && st->code == STATUS_OK; round++)
		if (sql_run(store, st,
			    "UPDATE jobs SET finished_s = ?, (state, why) = (SELECT n.state, n.why "
			    "FROM job_needs d "
			    "JOIN jobs n ON n.hash = d.hash WHERE d.job_id = jobs.id AND n.state "
			    "IN (3, 4) LIMIT 1) "
			    "WHERE state = 0 AND EXISTS (SELECT 1 FROM job_needs d JOIN jobs n ON "
			    "n.hash = d.hash "
			    "WHERE d.job_id = jobs.id AND n.state IN (3, 4))",
			    "d", now_s) == STATUS_OK &&
		    sql_changes(store) == 0)
			break;
	return st->code;
}

static void series_from_row(struct job_series *series, sqlite3_stmt *query)
{
	series->series_id = sql_int64(query, 1);
	sql_text(query, 2, series->evidence_hash, sizeof series->evidence_hash);
	series->after_injection = sql_int(query, 3);
}

static enum status_code job_load(struct job *job, struct store *store, int64_t id,
				 struct status *st)
{
	memset(job, 0, sizeof *job);
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT id, kind, state, hash, treatment_key, patient_id, patient_issuer, record_id, "
	    "record_revision, after_injection, structure_set_id, forced, attempts, "
	    "created_datetime, utc_offset, ae_title, station_name, intended_use, version, "
	    "software_version, predecessor_class_uid, predecessor_instance_uid, "
	    "predecessor_series_uid, predecessor_study_uid FROM jobs WHERE id = ?",
	    "l", id);
	if (sql_row(store, query, st)) {
		struct result_identity *identity = &job->identity;
		struct job_predecessor *before = &job->predecessor;
		job->id = sql_int64(query, 0);
		job->kind = (enum job_kind)sql_int(query, 1);
		job->state = (enum job_state)sql_int(query, 2);
		sql_text(query, 3, job->hash, sizeof job->hash);
		sql_text(query, 4, job->treatment_key, sizeof job->treatment_key);
		sql_text(query, 5, job->patient_id, sizeof job->patient_id);
		sql_text(query, 6, job->patient_issuer, sizeof job->patient_issuer);
		sql_text(query, 7, job->record_id, sizeof job->record_id);
		job->record_revision = sql_int(query, 8);
		job->after_injection = sql_int(query, 9);
		job->structure_set_id = sql_int64(query, 10);
		job->forced = sql_int(query, 11) != 0;
		job->attempts = sql_int(query, 12);
		sql_text(query, 3, identity->job_hash, sizeof identity->job_hash);
		sql_text(query, 13, identity->created_datetime, sizeof identity->created_datetime);
		sql_text(query, 14, identity->utc_offset, sizeof identity->utc_offset);
		sql_text(query, 15, identity->ae_title, sizeof identity->ae_title);
		sql_text(query, 16, identity->station_name, sizeof identity->station_name);
		sql_text(query, 17, identity->intended_use, sizeof identity->intended_use);
		identity->version = sql_int(query, 18);
		sql_text(query, 19, identity->software_version, sizeof identity->software_version);
		sql_text(query, 20, before->sop_class_uid, sizeof before->sop_class_uid);
		sql_text(query, 21, before->sop_instance_uid, sizeof before->sop_instance_uid);
		sql_text(query, 22, before->series_instance_uid,
			 sizeof before->series_instance_uid);
		sql_text(query, 23, before->study_instance_uid, sizeof before->study_instance_uid);
	}
	sql_done(query);
	job->anatomy.series_id = -1;
	query = sql_query(store, st,
			  "SELECT slot, series_id, evidence_hash, after_injection FROM job_series "
			  "WHERE job_id = ? "
			  "ORDER BY slot",
			  "l", id);
	while (sql_row(store, query, st)) {
		int slot = sql_int(query, 0);
		if (slot == 0)
			series_from_row(&job->baseline, query);
		else if (slot == SLOT_ANATOMY)
			series_from_row(&job->anatomy, query);
		else if (job->n_scans < DOSIMETRY_MAX_SCANS)
			series_from_row(&job->scans[job->n_scans++], query);
	}
	return st->code;
}

/* At the first claim: what makes the result's bytes, from now on fixed. */
static enum status_code identity_fix(struct store *store, int64_t id,
				     const struct result_identity *now, struct status *st)
{
	return sql_run(
	    store, st,
	    "UPDATE jobs SET created_datetime = ?, utc_offset = ?, ae_title = ?, station_name = ?, "
	    "intended_use = ?, software_version = ?, "
	    "version = 1 + (SELECT count(*) FROM jobs o WHERE o.state = 2 AND o.treatment_key = "
	    "jobs.treatment_key AND o.kind = jobs.kind AND o.after_injection = "
	    "jobs.after_injection), "
	    "(predecessor_class_uid, predecessor_instance_uid, predecessor_series_uid, "
	    "predecessor_study_uid) = (SELECT r.sop_class_uid, r.sop_instance_uid, "
	    "r.series_instance_uid, r.study_instance_uid FROM jobs o JOIN results r ON r.job_id = "
	    "o.id "
	    "WHERE jobs.kind = 2 AND o.kind = 2 AND o.state = 2 AND o.treatment_key = "
	    "jobs.treatment_key ORDER BY o.finished_s DESC, o.id DESC, r.id LIMIT 1) "
	    "WHERE id = ? AND created_datetime IS NULL",
	    "ttttttl", now->created_datetime, now->utc_offset, now->ae_title, now->station_name,
	    now->intended_use, now->software_version, id);
}

static enum status_code claim_inside(int64_t *id, struct store *store,
				     const struct result_identity *identity_now, double now_s,
				     struct status *st)
{
	char tag[120];
	*id = -1;
	if (sql_run(store, st,
		    "UPDATE jobs SET state = 3, finished_s = ?, why = 'crashed three times' WHERE "
		    "state = 0 AND "
		    "attempts >= 3",
		    "d", now_s) != STATUS_OK)
		return st->code;
	if (sql_changes(store) > 0 &&
	    sql_run(
		store, st,
		"INSERT INTO alarms (key, text, since_s) SELECT 'job ' || kind || ' ' || "
		"after_injection || ' ' "
		"|| treatment_key, 'job ' || id || ' crashed three times: please report it', ? "
		"FROM jobs WHERE "
		"state = 3 AND attempts >= 3 ON CONFLICT (key) DO UPDATE SET text = excluded.text",
		"d", now_s) != STATUS_OK)
		return st->code;
	if (fail_dependents(store, now_s, st) != STATUS_OK)
		return st->code;
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT j.id FROM jobs j WHERE j.state = 0 AND j.not_before_s <= ? AND NOT EXISTS "
	    "(SELECT "
	    "1 FROM job_needs d LEFT JOIN jobs n ON n.hash = d.hash WHERE d.job_id = j.id AND "
	    "(n.state IS NULL OR n.state <> 2)) AND NOT (j.kind = 2 AND EXISTS (SELECT 1 FROM jobs "
	    "m WHERE m.treatment_key = j.treatment_key AND m.kind = 1 AND m.state IN (0, 1))) AND "
	    "NOT EXISTS (SELECT 1 FROM jobs r WHERE r.state "
	    "= 1 "
	    "AND r.treatment_key = j.treatment_key AND r.kind = j.kind AND (r.kind = 2 OR (r.kind "
	    "= 1 "
	    "AND r.after_injection = j.after_injection))) ORDER BY j.kind, j.id LIMIT 1",
	    "d", now_s);
	if (sql_row(store, query, st))
		*id = sql_int64(query, 0);
	sql_done(query);
	if (*id < 0 || st->code != STATUS_OK)
		return st->code;
	process_tag(tag, getpid());
	if (sql_run(store, st,
		    "UPDATE jobs SET state = 1, attempts = attempts + 1, process = ?, started_s = "
		    "? WHERE id = ?",
		    "tdl", tag, now_s, *id) != STATUS_OK)
		return st->code;
	return identity_fix(store, *id, identity_now, st);
}

enum status_code queue_claim(bool *found, struct job *job, struct store *store,
			     const struct result_identity *identity_now, double now_s,
			     struct status *st)
{
	int64_t id = -1;
	*found = false;
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!claim_inside(&id, store, identity_now, now_s, st);
	if (store_finish(store, st) != STATUS_OK || id < 0)
		return st->code;
	*found = job_load(job, store, id, st) == STATUS_OK;
	return st->code;
}

/* ---- ending ---- */

enum status_code queue_result(struct store *store, const struct job *job, const char *sop_class_uid,
			      const char *sop_instance_uid, const char *series_instance_uid,
			      const char *study_instance_uid, const char *path, struct status *st)
{
	return sql_run(
	    store, st,
	    "INSERT INTO results (job_id, sop_class_uid, sop_instance_uid, series_instance_uid, "
	    "study_instance_uid, path) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (job_id, "
	    "sop_instance_uid) "
	    "DO UPDATE SET path = excluded.path",
	    "lttttt", job->id, sop_class_uid, sop_instance_uid, series_instance_uid,
	    study_instance_uid, path);
}

enum status_code queue_finish(struct store *store, const struct job *job, enum job_state state,
			      const char *why, double now_s, struct status *st)
{
	char alarm[480], text[400];
	if (state == JOB_RUNNING)
		return status_fail(st, STATUS_BUG, "queue: a job cannot finish as running");
	if (state == JOB_QUEUED) /* temporary: not a crash, so the attempt is given back */
		return sql_run(store, st,
			       "UPDATE jobs SET state = 0, attempts = max(attempts - 1, 0), "
			       "retries = retries + 1, "
			       "why = ?, process = NULL, not_before_s = ? + min(?, ? * (retries + "
			       "1) * (retries + 1)) "
			       "WHERE id = ?",
			       "tdddl", why, now_s, RETRY_PAUSE_MAX_S, RETRY_PAUSE_S, job->id);
	if (sql_run(
		store, st,
		"UPDATE jobs SET state = ?, why = ?, process = NULL, finished_s = ? WHERE id = ?",
		"itdl", (int)state, why, now_s, job->id) != STATUS_OK)
		return st->code;
	snprintf(alarm, sizeof alarm, "job %d %d %s", (int)job->kind, job->after_injection,
		 job->treatment_key);
	if (state == JOB_DONE)
		return store_clear_alarm(store, alarm, st);
	if (state != JOB_FAILED)
		return st->code;
	snprintf(text, sizeof text, "%s after injection %d failed (job %" PRId64 "): %.300s",
		 job_kind_name(job->kind), job->after_injection, job->id, why);
	return store_raise_alarm(store, alarm, text, now_s, st);
}
