#include "catalogue_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "emission_series.h"
#include "screen.h"
#include "spatial_registration.h"
#include "uid.h"

/* ---- rows -> structs ---- */

static void instance_from_row(struct catalogue_instance *instance, sqlite3_stmt *query)
{
	memset(instance, 0, sizeof *instance);
	instance->id = sql_int64(query, 0);
	sql_text(query, 2, instance->where.path, sizeof instance->where.path);
	sql_text(query, 3, instance->where.log, sizeof instance->where.log);
	instance->where.offset = (uint64_t)sql_int64(query, 4);
	instance->where.size = (uint64_t)sql_int64(query, 5);
	sql_text(query, 6, instance->where.transfer_syntax_uid,
		 sizeof instance->where.transfer_syntax_uid);
	instance->received_s = sql_double(query, 7);
	for (int i = 0; i < catalogue_n_columns; i++) {
		const struct catalogue_column *column = &catalogue_columns[i];
		char *member = (char *)&instance->info + column->offset;
		int at = CATALOGUE_FIRST_COLUMN + i, integer;
		double number;
		switch (column->kind) {
		case CATALOGUE_TEXT:
			sql_text(query, at, member, column->size);
			break;
		case CATALOGUE_INTEGER:
			integer = sql_int(query, at);
			memcpy(member, &integer, sizeof integer);
			break;
		case CATALOGUE_REAL:
			number = sql_double(query, at);
			memcpy(member, &number, sizeof number);
			break;
		}
	}
}

static int compare_hashes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Over the sorted evidence of the instances: the order of arrival does not matter. */
static enum status_code series_hash(struct catalogue_series *series, struct status *st)
{
	const char **hashes = malloc((size_t)series->n_instances * sizeof *hashes);
	struct digest *digest = digest_new();
	if (hashes == NULL || digest == NULL) {
		free(hashes);
		if (digest != NULL)
			digest_finish(digest, series->evidence_hash);
		return status_fail(st, STATUS_RETRY, "no memory for the evidence hash of a series");
	}
	for (int i = 0; i < series->n_instances; i++)
		hashes[i] = series->instances[i].info.evidence_hash;
	qsort(hashes, (size_t)series->n_instances, sizeof *hashes, compare_hashes);
	for (int i = 0; i < series->n_instances; i++)
		digest_text(digest, hashes[i]);
	digest_finish(digest, series->evidence_hash);
	free(hashes);
	return STATUS_OK;
}

/* ---- one person, or two? ---- */

/* "DOE^JOHN" and "Doe^John^^^" are the same name: letters without case, no empty components at the
 * end, alphabetic group only. */
static void name_key(char key[400], const char *name)
{
	size_t length = 0;
	for (; *name != '\0' && *name != '=' && length + 1 < 400; name++)
		if (!(*name == ' ' &&
		      (length == 0 || key[length - 1] == ' ' || key[length - 1] == '^')))
			key[length++] = *name;
	while (length > 0 && (key[length - 1] == '^' || key[length - 1] == ' '))
		length--;
	key[length] = '\0';
}

/* The images and contours of the treatment decide who the patient is. Follow-up images come from
 * another department, which may spell a name in its own way: that must not take the treatment's
 * results away, so they are compared where they are used (treatment_emission.h). */
static void check_identity(struct catalogue_patient *patient, const struct instance_info *info)
{
	char known[400], other[400];
	if (emission_series_is_class(info->sop_class_uid) ||
	    strcmp(info->sop_class_uid, SPATIAL_REGISTRATION_STORAGE) == 0)
		return;
	name_key(known, patient->patient_name);
	name_key(other, info->patient_name);
	if (known[0] == '\0')
		snprintf(patient->patient_name, sizeof patient->patient_name, "%s",
			 info->patient_name);
	else if (other[0] != '\0' && strcasecmp(known, other) != 0 && patient->conflict[0] == '\0')
		snprintf(patient->conflict, sizeof patient->conflict,
			 "two names under Patient ID \"%.40s\": \"%.50s\" and \"%.50s\"; correct "
			 "one in the PACS",
			 patient->patient_id, patient->patient_name, info->patient_name);
	if (patient->patient_birth_date[0] == '\0')
		snprintf(patient->patient_birth_date, sizeof patient->patient_birth_date, "%s",
			 info->patient_birth_date);
	else if (info->patient_birth_date[0] != '\0' &&
		 strcmp(patient->patient_birth_date, info->patient_birth_date) != 0 &&
		 patient->conflict[0] == '\0')
		snprintf(patient->conflict, sizeof patient->conflict,
			 "two birth dates under Patient ID \"%.60s\": %s and %s; correct one in "
			 "the PACS",
			 patient->patient_id, patient->patient_birth_date,
			 info->patient_birth_date);
}

/* As for names: a registration that a workstation put into the study of the scans without an issuer
 * must not take their results away. */
#define DECIDES "i.sop_class_uid IN ('1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.5.1.4.1.1.481.3')"

static enum status_code check_studies(struct catalogue_patient *patient, struct store *store,
				      struct status *st)
{
	sqlite3_stmt *query = sql_query(store, st,
					"SELECT other.patient_id, other.patient_issuer, "
					"other.study_instance_uid FROM series mine JOIN "
					"series other ON other.study_instance_uid = "
					"mine.study_instance_uid AND (other.patient_id <> "
					"mine.patient_id OR other.patient_issuer <> "
					"mine.patient_issuer) WHERE mine.patient_id = ? AND "
					"mine.patient_issuer = ? AND EXISTS (SELECT 1 FROM "
					"instances i WHERE i.series_id = mine.id AND "
					"i.state = 0 AND " DECIDES ") AND EXISTS (SELECT 1 FROM "
					"instances i WHERE i.series_id = other.id AND "
					"i.state = 0 AND " DECIDES ") "
					"ORDER BY other.id LIMIT 1",
					"tt", patient->patient_id, patient->patient_issuer);
	if (sql_row(store, query, st) && patient->conflict[0] == '\0') {
		char other[200], issuer[200], study[65];
		sql_text(query, 0, other, sizeof other);
		sql_text(query, 1, issuer, sizeof issuer);
		sql_text(query, 2, study, sizeof study);
		snprintf(patient->conflict, sizeof patient->conflict,
			 "two patients in study %s: \"%.32s\"%s%.16s and \"%.32s\"%s%.16s; correct "
			 "one in the PACS",
			 study, patient->patient_id, patient->patient_issuer[0] ? " of " : "",
			 patient->patient_issuer, other, issuer[0] ? " of " : "", issuer);
	}
	sql_done(query);
	return st->code;
}

/* ---- loading ---- */

static enum status_code series_finish(struct catalogue_patient *patient, struct store *store,
				      struct status *st)
{
	struct catalogue_instance *next = patient->instances;
	for (int i = 0; i < patient->n_series && st->code == STATUS_OK; i++) {
		struct catalogue_series *series = &patient->series[i];
		series->instances = next;
		next += series->n_instances;
		const struct catalogue_instance *last = &series->instances[series->n_instances - 1];
		series->last_received_s = last->received_s;
		series->released = last->where.log[0] == '\0';
		if (!series->released) {
			struct catalogue_log log;
			if (catalogue_log_load(&log, store, last->where.log, st) != STATUS_OK)
				return st->code;
			series->released = log.ended;
		}
		if (series_hash(series, st) != STATUS_OK)
			return st->code;
	}
	return st->code;
}

/* query: CATALOGUE_SELECT ordered by series, then arrival; about `expected` rows, so that megabytes
 * are not moved again and again while they come. */
static enum status_code patient_from_rows(struct catalogue_patient *patient, struct store *store,
					  sqlite3_stmt *query, int expected, struct status *st)
{
	int instances = 0, instance_capacity = 0, series_capacity = 0;
	void *instance_array = NULL, *series_array = NULL;
	if (expected > 0)
		instance_array = malloc((size_t)expected * sizeof *patient->instances);
	if (instance_array != NULL)
		instance_capacity = expected;
	while (sql_row(store, query, st)) {
		int64_t series_id = sql_int64(query, 1);
		if (sql_grow(&instance_array, instances, &instance_capacity,
			     sizeof *patient->instances, st) != STATUS_OK ||
		    sql_grow(&series_array, patient->n_series, &series_capacity,
			     sizeof *patient->series, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		patient->instances = instance_array;
		patient->series = series_array;
		struct catalogue_instance *instance = &patient->instances[instances++];
		instance_from_row(instance, query);
		const struct instance_info *info = &instance->info;
		if (patient->n_series == 0 ||
		    patient->series[patient->n_series - 1].id != series_id) {
			struct catalogue_series *series = &patient->series[patient->n_series++];
			memset(series, 0, sizeof *series);
			series->id = series_id;
			memcpy(series->study_instance_uid, info->study_instance_uid,
			       sizeof series->study_instance_uid);
			memcpy(series->series_instance_uid, info->series_instance_uid,
			       sizeof series->series_instance_uid);
			memcpy(series->modality, info->modality, sizeof series->modality);
		}
		patient->series[patient->n_series - 1].n_instances++;
		check_identity(patient, info);
	}
	patient->instances = instance_array;
	patient->series = series_array;
	if (st->code != STATUS_OK)
		return st->code;
	return series_finish(patient, store, st);
}

#define OF_PATIENT                                                                                 \
	" FROM series s JOIN instances i ON i.series_id = s.id AND i.state = 0 "                   \
	"WHERE s.patient_id = ? AND s.patient_issuer = ?"
#define OF_SERIES " FROM instances i WHERE i.series_id = ? AND i.state = 0"

enum status_code catalogue_load_patient(struct catalogue_patient **patient, struct store *store,
					const char *patient_id, const char *patient_issuer,
					struct status *st)
{
	struct catalogue_patient *loaded = calloc(1, sizeof *loaded);
	if (loaded == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for the catalogue");
	snprintf(loaded->patient_id, sizeof loaded->patient_id, "%s", patient_id);
	snprintf(loaded->patient_issuer, sizeof loaded->patient_issuer, "%s", patient_issuer);
	sqlite3_stmt *count =
	    sql_query(store, st, "SELECT count(*)" OF_PATIENT, "tt", patient_id, patient_issuer);
	int expected = sql_row(store, count, st) ? sql_int(count, 0) : 0;
	sql_done(count);
	sqlite3_stmt *query =
	    sql_query(store, st, CATALOGUE_SELECT OF_PATIENT " ORDER BY s.id, i.id", "tt",
		      patient_id, patient_issuer);
	if (patient_from_rows(loaded, store, query, expected, st) != STATUS_OK ||
	    check_studies(loaded, store, st) != STATUS_OK) {
		catalogue_patient_free(loaded);
		return st->code;
	}
	*patient = loaded;
	return STATUS_OK;
}

enum status_code catalogue_load_series(struct catalogue_patient **patient, struct store *store,
				       int64_t series_id, struct status *st)
{
	struct catalogue_patient *loaded = calloc(1, sizeof *loaded);
	if (loaded == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for the catalogue");
	sqlite3_stmt *count = sql_query(store, st, "SELECT count(*)" OF_SERIES, "l", series_id);
	int expected = sql_row(store, count, st) ? sql_int(count, 0) : 0;
	sql_done(count);
	sqlite3_stmt *query =
	    sql_query(store, st, CATALOGUE_SELECT OF_SERIES " ORDER BY i.id", "l", series_id);
	if (patient_from_rows(loaded, store, query, expected, st) == STATUS_OK &&
	    loaded->n_series == 0)
		status_fail(st, STATUS_REFUSE, "series %lld has no usable instance any more",
			    (long long)series_id);
	if (st->code != STATUS_OK) {
		catalogue_patient_free(loaded);
		return st->code;
	}
	memcpy(loaded->patient_id, loaded->instances[0].info.patient_id, sizeof loaded->patient_id);
	memcpy(loaded->patient_issuer, loaded->instances[0].info.patient_issuer,
	       sizeof loaded->patient_issuer);
	*patient = loaded;
	return STATUS_OK;
}

void catalogue_patient_free(struct catalogue_patient *patient)
{
	if (patient == NULL)
		return;
	free(patient->instances);
	free(patient->series);
	free(patient);
}

enum status_code catalogue_load_instance(struct catalogue_instance *instance, struct store *store,
					 int64_t id, struct status *st)
{
	sqlite3_stmt *query =
	    sql_query(store, st, CATALOGUE_SELECT " FROM instances i WHERE i.id = ?", "l", id);
	bool found = sql_row(store, query, st);
	if (found)
		instance_from_row(instance, query);
	sql_done(query);
	if (st->code == STATUS_OK && !found)
		return status_fail(st, STATUS_REFUSE, "instance %lld is not in the catalogue",
				   (long long)id);
	return st->code;
}

enum status_code catalogue_resolve_series(char original[65], struct store *store,
					  const char *series_uid, struct status *st)
{
	snprintf(original, 65, "%s", series_uid);
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT s.series_instance_uid FROM series_repeats r JOIN series s ON s.id = "
		      "r.series_id WHERE r.series_instance_uid = ?",
		      "t", series_uid);
	if (sql_row(store, query, st))
		sql_text(query, 0, original, 65);
	sql_done(query);
	return st->code;
}

/* ---- lists ---- */

static enum status_code keys_from_rows(struct catalogue_patient_key **keys, int *count,
				       struct store *store, sqlite3_stmt *query, struct status *st)
{
	int found = 0, capacity = 0;
	void *array = NULL;
	while (sql_row(store, query, st)) {
		if (sql_grow(&array, found, &capacity, sizeof **keys, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		struct catalogue_patient_key *key = (struct catalogue_patient_key *)array + found++;
		sql_text(query, 0, key->patient_id, sizeof key->patient_id);
		sql_text(query, 1, key->patient_issuer, sizeof key->patient_issuer);
	}
	if (st->code != STATUS_OK) {
		free(array);
		return st->code;
	}
	*keys = array;
	*count = found;
	return STATUS_OK;
}

enum status_code catalogue_list_patients(struct catalogue_patient_key **keys, int *count,
					 struct store *store, struct status *st)
{
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT DISTINCT patient_id, patient_issuer FROM series s WHERE EXISTS "
		      "(SELECT 1 FROM instances i WHERE i.series_id = s.id AND i.state = 0) "
		      "ORDER BY 1, 2",
		      "");
	return keys_from_rows(keys, count, store, query, st);
}

enum status_code catalogue_list_study_mates(struct catalogue_patient_key **keys, int *count,
					    struct store *store, const char *patient_id,
					    const char *patient_issuer, struct status *st)
{
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT DISTINCT other.patient_id, other.patient_issuer FROM series mine "
		      "JOIN series other ON other.study_instance_uid = mine.study_instance_uid "
		      "AND (other.patient_id <> mine.patient_id OR other.patient_issuer <> "
		      "mine.patient_issuer) WHERE mine.patient_id = ? AND mine.patient_issuer = ? "
		      "ORDER BY 1, 2",
		      "tt", patient_id, patient_issuer);
	return keys_from_rows(keys, count, store, query, st);
}

enum status_code catalogue_log_end(struct catalogue_patient_key **keys, int *count,
				   struct store *store, const char *prefix, struct status *st)
{
	/* '~' sorts behind every character of a log's name */
	if (sql_run(store, st, "UPDATE logs SET ended = 1 WHERE name >= ?1 AND name < ?1 || '~'",
		    "t", prefix) != STATUS_OK)
		return st->code;
	sqlite3_stmt *query = sql_query(
	    store, st,
	    "SELECT DISTINCT patient_id, patient_issuer FROM instances WHERE log >= ?1 AND "
	    "log < ?1 || '~' AND state = 0",
	    "t", prefix);
	return keys_from_rows(keys, count, store, query, st);
}

enum status_code catalogue_list_notes(struct catalogue_note **notes, int *count,
				      struct store *store, enum catalogue_state state,
				      struct status *st)
{
	int found = 0, capacity = 0;
	void *array = NULL;
	sqlite3_stmt *query =
	    sql_query(store, st,
		      "SELECT min(id), count(*), reason, patient_id, series_description, modality, "
		      "series_instance_uid, sop_instance_uid, path, received_s FROM instances "
		      "WHERE state = ? "
		      "GROUP BY CASE WHEN state = 1 THEN series_id ELSE -id END, reason ORDER BY 1",
		      "i", (int)state);
	while (sql_row(store, query, st)) {
		if (sql_grow(&array, found, &capacity, sizeof **notes, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		struct catalogue_note *note = (struct catalogue_note *)array + found++;
		note->id = sql_int64(query, 0);
		note->instances = sql_int(query, 1);
		sql_text(query, 2, note->reason, sizeof note->reason);
		sql_text(query, 3, note->patient_id, sizeof note->patient_id);
		sql_text(query, 4, note->series_description, sizeof note->series_description);
		sql_text(query, 5, note->modality, sizeof note->modality);
		sql_text(query, 6, note->series_instance_uid, sizeof note->series_instance_uid);
		sql_text(query, 7, note->sop_instance_uid, sizeof note->sop_instance_uid);
		sql_text(query, 8, note->path, sizeof note->path);
		note->received_s = sql_double(query, 9);
	}
	if (st->code != STATUS_OK) {
		free(array);
		return st->code;
	}
	*notes = array;
	*count = found;
	return STATUS_OK;
}

enum status_code catalogue_log_list_ended(char (**names)[128], int *count, struct store *store,
					  struct status *st)
{
	int found = 0, capacity = 0;
	void *array = NULL;
	sqlite3_stmt *query =
	    sql_query(store, st, "SELECT name FROM logs WHERE ended = 1 ORDER BY name", "");
	while (sql_row(store, query, st)) {
		if (sql_grow(&array, found, &capacity, sizeof **names, st) != STATUS_OK) {
			sql_done(query);
			break;
		}
		sql_text(query, 0, ((char(*)[128])array)[found++], 128);
	}
	if (st->code != STATUS_OK) {
		free(array);
		return st->code;
	}
	*names = array;
	*count = found;
	return STATUS_OK;
}

/* ---- bytes ---- */

static enum status_code read_bytes(uint8_t *bytes, const struct catalogue_location *where,
				   struct status *st)
{
	int fd = open(where->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "%s: %s", where->path, strerror(errno));
	uint64_t done = 0;
	while (done < where->size) {
		ssize_t got =
		    pread(fd, bytes + done, where->size - done, (off_t)(where->offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			status_fail(st, STATUS_RETRY, "%s: %s at byte %llu", where->path,
				    got < 0 ? strerror(errno) : "shorter than catalogued",
				    (unsigned long long)(where->offset + done));
			break;
		}
		done += (uint64_t)got;
	}
	close(fd);
	return st->code;
}

enum status_code catalogue_read(struct dataset **ds, const struct catalogue_location *where,
				struct status *st)
{
	struct screen_report report;
	uint8_t *bytes = malloc(where->size > 0 ? where->size : 1);
	if (bytes == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for an instance of %llu bytes",
				   (unsigned long long)where->size);
	if (read_bytes(bytes, where, st) == STATUS_OK &&
	    screen_dataset(&report, bytes, where->size, where->transfer_syntax_uid, NULL, NULL,
			   st) == STATUS_OK)
		(void)!dataset_read_memory(ds, bytes, where->size, where->transfer_syntax_uid, st);
	free(bytes);
	return st->code;
}
