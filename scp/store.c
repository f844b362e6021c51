#include "store_sql.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCHEMA_VERSION	    1
#define SCHEMA_VERSION_TEXT "1"
#define BUSY_TIMEOUT_MS	    10000
#define MAX_STATEMENTS	    128

struct store {
	sqlite3 *db;
	pid_t owner;
	bool in_transaction;
	int n_statements;
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} statements[MAX_STATEMENTS];
};

/* What SQLite says -> what the caller must do. */
static enum status_code sql_fail(struct store *store, int code, const char *what, struct status *st)
{
	const char *words = sqlite3_errmsg(store->db);
	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_INTERRUPT:
		return status_fail(st, STATUS_RETRY, "database: %s (%s)", words, what);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return status_fail(
		    st, STATUS_CONFIG,
		    "database damaged: %s; stop the node, move holmia.db away and start: the "
		    "catalogue is rebuilt from the reception logs",
		    words);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return status_fail(st, STATUS_CONFIG, "database: %s (%s)", words, what);
	default:
		return status_fail(st, STATUS_BUG, "database: %s (%s)", words, what);
	}
}

enum status_code sql_script(struct store *store, const char *script, struct status *st)
{
	int code = sqlite3_exec(store->db, script, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return sql_fail(store, code, "schema", st);
	return STATUS_OK;
}

static sqlite3_stmt *statement_find(struct store *store, const char *sql, struct status *st)
{
	if (store->owner != getpid()) {
		status_fail(st, STATUS_BUG, "database connection used across a fork");
		return NULL;
	}
	for (int i = 0; i < store->n_statements; i++)
		if (store->statements[i].sql == sql)
			return store->statements[i].stmt;
	if (store->n_statements == MAX_STATEMENTS) {
		status_fail(st, STATUS_BUG, "database: more than %d statements", MAX_STATEMENTS);
		return NULL;
	}
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	if (code != SQLITE_OK) {
		sql_fail(store, code, sql, st);
		return NULL;
	}
	store->statements[store->n_statements].sql = sql;
	store->statements[store->n_statements++].stmt = stmt;
	return stmt;
}

static sqlite3_stmt *statement_bind(struct store *store, struct status *st, const char *sql,
				    const char *types, va_list arguments)
{
	if (st->code != STATUS_OK)
		return NULL;
	sqlite3_stmt *stmt = statement_find(store, sql, st);
	if (stmt == NULL)
		return NULL;
	sqlite3_reset(stmt);
	int code = SQLITE_OK;
	for (int i = 1; *types != '\0' && code == SQLITE_OK; types++, i++) {
		double number;
		switch (*types) {
		case 't':
			code = sqlite3_bind_text(stmt, i, va_arg(arguments, const char *), -1,
						 SQLITE_TRANSIENT);
			break;
		case 'i':
			code = sqlite3_bind_int(stmt, i, va_arg(arguments, int));
			break;
		case 'l':
			code = sqlite3_bind_int64(stmt, i, va_arg(arguments, int64_t));
			break;
		case 'd':
			number = va_arg(arguments, double);
			code = isnan(number) ? sqlite3_bind_null(stmt, i)
					     : sqlite3_bind_double(stmt, i, number);
			break;
		default:
			code = SQLITE_MISUSE;
		}
	}
	if (code != SQLITE_OK) {
		sql_fail(store, code, sql, st);
		return NULL;
	}
	return stmt;
}

sqlite3_stmt *sql_query(struct store *store, struct status *st, const char *sql, const char *types,
			...)
{
	va_list arguments;
	va_start(arguments, types);
	sqlite3_stmt *stmt = statement_bind(store, st, sql, types, arguments);
	va_end(arguments);
	return stmt;
}

bool sql_row(struct store *store, sqlite3_stmt *query, struct status *st)
{
	if (query == NULL)
		return false;
	int code = sqlite3_step(query);
	if (code == SQLITE_ROW)
		return true;
	if (code != SQLITE_DONE)
		sql_fail(store, code, sqlite3_sql(query), st);
	sqlite3_reset(query);
	return false;
}

void sql_done(sqlite3_stmt *query)
{
	if (query != NULL)
		sqlite3_reset(query);
}

enum status_code sql_run(struct store *store, struct status *st, const char *sql, const char *types,
			 ...)
{
	va_list arguments;
	va_start(arguments, types);
	sqlite3_stmt *stmt = statement_bind(store, st, sql, types, arguments);
	va_end(arguments);
	while (sql_row(store, stmt, st))
		;
	return st->code;
}

void sql_text(sqlite3_stmt *query, int column, char *out, size_t size)
{
	const unsigned char *text = sqlite3_column_text(query, column);
	size_t length = text == NULL ? 0 : strnlen((const char *)text, size - 1);
	if (length > 0)
		memcpy(out, text, length);
	out[length] = '\0';
}

int sql_int(sqlite3_stmt *query, int column)
{
	return sqlite3_column_int(query, column);
}

int64_t sql_int64(sqlite3_stmt *query, int column)
{
	return sqlite3_column_int64(query, column);
}

double sql_double(sqlite3_stmt *query, int column)
{
	if (sqlite3_column_type(query, column) == SQLITE_NULL)
		return NAN;
	return sqlite3_column_double(query, column);
}

int sql_changes(struct store *store)
{
	return sqlite3_changes(store->db);
}

int64_t sql_last_id(struct store *store)
{
	return sqlite3_last_insert_rowid(store->db);
}

enum status_code sql_grow(void **array, int count, int *capacity, size_t size, struct status *st)
{
	if (count < *capacity)
		return STATUS_OK;
	int larger = *capacity == 0 ? 16 : 2 * *capacity;
	void *moved = realloc(*array, (size_t)larger * size);
	if (moved == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for %d rows of the database",
				   larger);
	*array = moved;
	*capacity = larger;
	return STATUS_OK;
}

/* ---- life ---- */

static enum status_code schema_version(int *version, struct store *store, struct status *st)
{
	sqlite3_stmt *query = sql_query(store, st, "PRAGMA user_version", "");
	if (sql_row(store, query, st))
		*version = sql_int(query, 0);
	sql_done(query);
	if (st->code == STATUS_OK && *version > SCHEMA_VERSION)
		return status_fail(
		    st, STATUS_CONFIG,
		    "database has schema version %d, this holmia knows %d: it was written by a "
		    "newer holmia; use that one",
		    *version, SCHEMA_VERSION);
	return st->code;
}

static enum status_code schema_create(struct store *store, struct status *st)
{
	int version = 0;
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	if (schema_version(&version, store, st) == STATUS_OK && version < SCHEMA_VERSION &&
	    sql_script(
		store,
		"CREATE TABLE IF NOT EXISTS alarms (key TEXT PRIMARY KEY, text TEXT NOT NULL, "
		"since_s REAL NOT NULL);"
		"PRAGMA user_version = " SCHEMA_VERSION_TEXT ";",
		st) == STATUS_OK &&
	    catalogue_create_tables(store, st) == STATUS_OK &&
	    treatment_store_create_tables(store, st) == STATUS_OK &&
	    queue_create_tables(store, st) == STATUS_OK)
		(void)!outbox_create_tables(store, st);
	return store_finish(store, st);
}

static enum status_code store_connect(struct store **store, const char *spool, int flags,
				      struct status *st)
{
	char path[1100];
	int length = strcmp(spool, ":memory:") == 0
			 ? snprintf(path, sizeof path, ":memory:")
			 : snprintf(path, sizeof path, "%s/holmia.db", spool);
	if (length < 0 || (size_t)length >= sizeof path)
		return status_fail(st, STATUS_CONFIG, "spool: path too long: %s", spool);
	struct store *opened = calloc(1, sizeof *opened);
	if (opened == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for the database connection");
	opened->owner = getpid();
	int code = sqlite3_open_v2(path, &opened->db, flags, NULL);
	if (code != SQLITE_OK) {
		status_fail(st, STATUS_CONFIG,
			    "%s: %s; does the spool folder exist, and may this user write "
			    "to it?",
			    path, opened->db != NULL ? sqlite3_errmsg(opened->db) : "no memory");
		store_close(opened);
		return st->code;
	}
	sqlite3_busy_timeout(opened->db, BUSY_TIMEOUT_MS);
	sqlite3_extended_result_codes(opened->db, 1);
	*store = opened;
	return STATUS_OK;
}

enum status_code store_open(struct store **store, const char *spool, struct status *st)
{
	struct store *opened = NULL;
	if (store_connect(&opened, spool, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, st) !=
	    STATUS_OK)
		return st->code;
	if (sql_script(opened,
		       "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		       "PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384;",
		       st) != STATUS_OK ||
	    schema_create(opened, st) != STATUS_OK) {
		store_close(opened);
		return st->code;
	}
	*store = opened;
	return STATUS_OK;
}

enum status_code store_open_reader(struct store **store, const char *spool, struct status *st)
{
	struct store *opened = NULL;
	int version = 0;
	if (store_connect(&opened, spool, SQLITE_OPEN_READWRITE, st) != STATUS_OK)
		return st->code;
	if (sql_script(opened, "PRAGMA query_only = ON;", st) != STATUS_OK ||
	    schema_version(&version, opened, st) != STATUS_OK) {
		store_close(opened);
		return st->code;
	}
	*store = opened;
	return STATUS_OK;
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	for (int i = 0; i < store->n_statements; i++)
		sqlite3_finalize(store->statements[i].stmt);
	sqlite3_close(store->db);
	free(store);
}

enum status_code store_begin(struct store *store, struct status *st)
{
	if (store->in_transaction)
		return status_fail(st, STATUS_BUG, "database: transaction inside a transaction");
	if (sql_run(store, st, "BEGIN IMMEDIATE", "") == STATUS_OK)
		store->in_transaction = true;
	return st->code;
}

enum status_code store_end(struct store *store, bool commit, struct status *st)
{
	store->in_transaction = false;
	if (commit && sql_run(store, st, "COMMIT", "") == STATUS_OK)
		return STATUS_OK;
	/* SQLite has already rolled back after some faults; a second ROLLBACK then fails
	 * harmlessly. */
	struct status ignored = STATUS_INIT;
	(void)!sql_run(store, &ignored, "ROLLBACK", "");
	return st->code;
}

enum status_code store_finish(struct store *store, struct status *st)
{
	return store_end(store, st->code == STATUS_OK, st);
}

/* ---- alarms ---- */

enum status_code store_raise_alarm(struct store *store, const char *key, const char *text,
				   double now_s, struct status *st)
{
	return sql_run(store, st,
		       "INSERT INTO alarms (key, text, since_s) VALUES (?, ?, ?) "
		       "ON CONFLICT (key) DO UPDATE SET text = excluded.text",
		       "ttd", key, text, now_s);
}

enum status_code store_clear_alarm(struct store *store, const char *key, struct status *st)
{
	return sql_run(store, st, "DELETE FROM alarms WHERE key = ?", "t", key);
}

enum status_code store_list_alarms(struct store_alarm **alarms, int *count, struct store *store,
				   struct status *st)
{
	int capacity = 0, found = 0;
	struct store_alarm *list = NULL;
	sqlite3_stmt *query =
	    sql_query(store, st, "SELECT key, text, since_s FROM alarms ORDER BY since_s, key", "");
	while (sql_row(store, query, st)) {
		if (sql_grow((void **)&list, found, &capacity, sizeof *list, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		sql_text(query, 0, list[found].key, sizeof list[found].key);
		sql_text(query, 1, list[found].text, sizeof list[found].text);
		list[found++].since_s = sql_double(query, 2);
	}
	if (st->code != STATUS_OK) {
		free(list);
		return st->code;
	}
	*alarms = list;
	*count = found;
	return STATUS_OK;
}
