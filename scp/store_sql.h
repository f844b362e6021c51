/* store_sql.h - private to the rooms that hold SQL: prepared statements without ceremony.
 *
 * A statement is prepared once per connection and found again by the address of its text, so sql
 * must be a string that lives as long as the store (a literal). types says how each argument after
 * it is bound, one letter each:
 *
 *   t const char * (NULL: SQL NULL)   i int   l int64_t   d double (NaN: SQL NULL)
 *
 *   sql_run(store, st, "UPDATE t SET a = ? WHERE id = ?", "dl", a_s, id);
 *
 *   sqlite3_stmt *q = sql_query(store, st, "SELECT name FROM t WHERE id = ?", "l", id);
 *   while (sql_row(store, q, st))
 *           sql_text(q, 0, name, sizeof name);
 *
 * sql_row() is false at the end and on a fault (st says which); it resets the statement then.
 * Whoever leaves the loop early calls sql_done(). All take q NULL (a failed sql_query) and do
 * nothing. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <sqlite3.h>
#include <stddef.h>

#include "store.h"

enum status_code sql_run(struct store *store, struct status *st, const char *sql, const char *types,
			 ...) STATUS_CHECKED;
sqlite3_stmt *sql_query(struct store *store, struct status *st, const char *sql, const char *types,
			...) STATUS_CHECKED;
bool sql_row(struct store *store, sqlite3_stmt *query, struct status *st);
void sql_done(sqlite3_stmt *query);

void sql_text(sqlite3_stmt *query, int column, char *out,
	      size_t size); /* NULL: ""; cut when too long */
int sql_int(sqlite3_stmt *query, int column);
int64_t sql_int64(sqlite3_stmt *query, int column);
double sql_double(sqlite3_stmt *query, int column); /* NULL: NaN */

int sql_changes(struct store *store);	  /* rows of the last sql_run */
int64_t sql_last_id(struct store *store); /* of the last INSERT */

/* Makes room for one more element of a growing array (doubling); the old array stays valid on
 * STATUS_RETRY. */
enum status_code sql_grow(void **array, int count, int *capacity, size_t size,
			  struct status *st) STATUS_CHECKED;

/* Several statements from a text that is built at run time (schema only). */
enum status_code sql_script(struct store *store, const char *script,
			    struct status *st) STATUS_CHECKED;

/* Each room's tables; CREATE ... IF NOT EXISTS, called by store_open() inside one transaction. */
enum status_code catalogue_create_tables(struct store *store, struct status *st) STATUS_CHECKED;
enum status_code treatment_store_create_tables(struct store *store,
					       struct status *st) STATUS_CHECKED;
enum status_code queue_create_tables(struct store *store, struct status *st) STATUS_CHECKED;
enum status_code outbox_create_tables(struct store *store, struct status *st) STATUS_CHECKED;

#endif
