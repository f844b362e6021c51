#include "indexer_parts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "reception_log.h"
#include "screen.h"

#define MAX_ATTEMPTS 3

/* ---- touched patients ---- */

enum status_code indexer_touch(struct indexer_touched *touched, const char *patient_id,
			       const char *patient_issuer, struct status *st)
{
	for (int i = 0; i < touched->count; i++)
		if (strcmp(touched->patients[i].patient_id, patient_id) == 0 &&
		    strcmp(touched->patients[i].patient_issuer, patient_issuer) == 0)
			return STATUS_OK;
	if (touched->count == touched->capacity) {
		int larger = touched->capacity == 0 ? 8 : 2 * touched->capacity;
		void *moved =
		    realloc(touched->patients, (size_t)larger * sizeof *touched->patients);
		if (moved == NULL)
			return status_fail(st, STATUS_RETRY, "no memory for the list of patients");
		touched->patients = moved;
		touched->capacity = larger;
	}
	struct catalogue_patient_key *key = &touched->patients[touched->count++];
	memset(key, 0, sizeof *key);
	snprintf(key->patient_id, sizeof key->patient_id, "%s", patient_id);
	snprintf(key->patient_issuer, sizeof key->patient_issuer, "%s", patient_issuer);
	return STATUS_OK;
}

void indexer_touched_free(struct indexer_touched *touched)
{
	free(touched->patients);
	*touched = (struct indexer_touched){0};
}

/* ---- one data set ---- */

enum status_code indexer_read_info(struct instance_info *info, const uint8_t *bytes, size_t size,
				   const char *transfer_syntax_uid, const char *expected_class_uid,
				   const char *expected_instance_uid, struct status *st)
{
	struct screen_report report;
	struct dataset *ds = NULL;
	if (screen_dataset(&report, bytes, size, transfer_syntax_uid, expected_class_uid,
			   expected_instance_uid, st) != STATUS_OK ||
	    dataset_read_memory(&ds, bytes, size, transfer_syntax_uid, st) != STATUS_OK)
		return st->code;
	(void)!instance_info_read(info, ds, st);
	dataset_free(ds);
	return st->code;
}

/* ---- logs ---- */

struct pending {
	struct instance_info info;
	struct catalogue_location where;
	char sop_instance_uid[65];
	char fault[240]; /* "" or why it cannot be read */
	double received_s;
};

struct batch {
	struct store *store;
	const char *name;	 /* of the log */
	const char *folder;	 /* absolute */
	struct catalogue_log at; /* position and attempts */
	struct pending *pending;
	int count, max;
	bool full; /* stopped by max */
	bool association_ended;
};

/* Called for every record: the parse happens here, with the attempt already on disk; rows are
 * written later, in one short transaction. */
static enum status_code parse_record(void *user, const struct log_record_info *record,
				     uint64_t data_offset, const uint8_t *data, size_t size,
				     struct status *st)
{
	struct batch *batch = user;
	if (batch->count == batch->max) {
		batch->full = true;
		return status_fail(st, STATUS_RETRY, "batch full");
	}
	if (record->end_of_association) {
		batch->association_ended = true;
		return STATUS_OK;
	}
	if (batch->count == 0) {
		batch->at.attempts++;
		if (catalogue_log_attempt(batch->store, batch->name, &batch->at, st) != STATUS_OK)
			return st->code;
	}
	struct pending *next = &batch->pending[batch->count];
	memset(next, 0, sizeof *next);
	snprintf(next->where.path, sizeof next->where.path, "%s/%s", batch->folder, batch->name);
	snprintf(next->where.log, sizeof next->where.log, "%s", batch->name);
	next->where.offset = data_offset;
	next->where.size = size;
	memcpy(next->where.transfer_syntax_uid, record->transfer_syntax_uid,
	       sizeof next->where.transfer_syntax_uid);
	memcpy(next->sop_instance_uid, record->sop_instance_uid, sizeof next->sop_instance_uid);
	next->received_s = (double)record->received_us / 1e6;
	if (batch->at.attempts > MAX_ATTEMPTS) {
		snprintf(next->fault, sizeof next->fault,
			 "reading it crashed three times: please report it");
	} else {
		struct status own = STATUS_INIT;
		if (indexer_read_info(&next->info, data, size, record->transfer_syntax_uid,
				      record->sop_class_uid, record->sop_instance_uid,
				      &own) == STATUS_RETRY)
			return status_fail(st, STATUS_RETRY, "%s", own.text);
		if (own.code != STATUS_OK)
			snprintf(next->fault, sizeof next->fault, "%.239s", own.text);
	}
	batch->count++;
	return STATUS_OK;
}

struct counts {
	int outcome[4], unreadable;
};

static enum status_code add_pending(struct batch *batch, struct counts *counts,
				    struct indexer_touched *touched, struct status *st)
{
	for (int i = 0; i < batch->count; i++) {
		const struct pending *next = &batch->pending[i];
		enum catalogue_outcome outcome;
		char reason[240];
		if (next->fault[0] != '\0') {
			counts->unreadable++;
			log_line(LOG_WARN_LINE, "unreadable", "instance=%s why=\"%s\"",
				 next->sop_instance_uid, next->fault);
			if (catalogue_add_unreadable(batch->store, &next->where,
						     next->sop_instance_uid, next->fault,
						     next->received_s, st) != STATUS_OK)
				return st->code;
			continue;
		}
		if (catalogue_add(&outcome, reason, batch->store, &next->info, &next->where,
				  next->received_s, st) != STATUS_OK)
			return st->code;
		counts->outcome[outcome]++;
		if (outcome == CATALOGUE_QUARANTINED)
			log_line(LOG_WARN_LINE, "quarantined", "instance=%s why=\"%s\"",
				 next->sop_instance_uid, reason);
		/* a repeat may carry a corrected name, which ends a conflict */
		if ((outcome == CATALOGUE_NEW || outcome == CATALOGUE_SAME) &&
		    indexer_touch(touched, next->info.patient_id, next->info.patient_issuer, st) !=
			STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* Files of one association share their name up to the last '-'. */
static enum status_code end_association(struct batch *batch, struct indexer_touched *touched,
					struct status *st)
{
	char prefix[128];
	struct catalogue_patient_key *keys = NULL;
	int count = 0;
	snprintf(prefix, sizeof prefix, "%s", batch->name);
	char *dash = strrchr(prefix, '-');
	if (dash != NULL)
		dash[1] = '\0';
	if (catalogue_log_end(&keys, &count, batch->store, prefix, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count && st->code == STATUS_OK; i++)
		(void)!indexer_touch(touched, keys[i].patient_id, keys[i].patient_issuer, st);
	free(keys);
	return st->code;
}

static enum status_code save_batch(struct batch *batch, uint64_t next_offset,
				   struct indexer_touched *touched, struct status *st)
{
	struct counts counts = {0};
	if (store_begin(batch->store, st) != STATUS_OK)
		return st->code;
	batch->at =
	    (struct catalogue_log){.offset = next_offset, .ended = batch->association_ended};
	if (add_pending(batch, &counts, touched, st) == STATUS_OK &&
	    catalogue_log_save(batch->store, batch->name, &batch->at, st) == STATUS_OK &&
	    batch->association_ended)
		(void)!end_association(batch, touched, st);
	if (store_finish(batch->store, st) != STATUS_OK)
		return st->code;
	log_line(LOG_INFO_LINE, "indexed",
		 "log=%s new=%d same=%d unused=%d quarantined=%d unreadable=%d ended=%d",
		 batch->name, counts.outcome[CATALOGUE_NEW], counts.outcome[CATALOGUE_SAME],
		 counts.outcome[CATALOGUE_UNUSED], counts.outcome[CATALOGUE_QUARANTINED],
		 counts.unreadable, (int)batch->association_ended);
	return STATUS_OK;
}

static enum status_code index_log(struct batch *batch, const char *spool,
				  struct indexer_touched *touched, struct status *st)
{
	uint64_t next_offset = 0;
	struct status read_status = STATUS_INIT;
	int room = batch->max;
	if (catalogue_log_load(&batch->at, batch->store, batch->name, st) != STATUS_OK)
		return st->code;
	if (batch->at.attempts >
	    0) /* it crashed in here: one at a time shows which instance it is */
		batch->max = 1;
	batch->count = 0;
	batch->full = batch->association_ended = false;
	enum status_code code = log_read(spool, batch->name, batch->at.offset, &next_offset,
					 parse_record, batch, &read_status);
	batch->max = room;
	if (batch->count > 0 || batch->association_ended) {
		if (save_batch(batch, next_offset, touched, st) != STATUS_OK)
			return st->code;
	}
	if (code == STATUS_OK || batch->full)
		return STATUS_OK;
	if (code == STATUS_RETRY)
		return status_fail(st, STATUS_RETRY, "%s", read_status.text);
	char key[160];
	snprintf(key, sizeof key, "log %s", batch->name);
	log_line(LOG_ERROR_LINE, "log damaged", "log=%s why=\"%s\"", batch->name, read_status.text);
	return store_raise_alarm(batch->store, key, read_status.text, (double)time(NULL), st);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum status_code logs_folder(char folder[PATH_MAX], const char *spool, struct status *st)
{
	char joined[1100];
	snprintf(joined, sizeof joined, "%s/log", spool);
	if (realpath(joined, folder) == NULL) {
		folder[0] = '\0';
		if (errno == ENOENT) /* nothing was ever received */
			return STATUS_OK;
		return status_fail(st, STATUS_RETRY, "%s: %s", joined, strerror(errno));
	}
	if (strlen(folder) > 900)
		return status_fail(st, STATUS_CONFIG, "spool: path too long: %s", folder);
	return STATUS_OK;
}

enum status_code indexer_step(struct store *store, const struct config *config, int max_instances,
			      int *indexed, struct indexer_touched *touched, struct status *st)
{
	char **names = NULL;
	char(*ended)[128] = NULL;
	char folder[PATH_MAX] = "";
	int n_names = 0, n_ended = 0;
	*indexed = 0;
	struct batch batch = {.store = store, .folder = folder};
	if (logs_folder(folder, config->spool, st) != STATUS_OK ||
	    log_list(&names, &n_names, config->spool, st) != STATUS_OK)
		return st->code;
	batch.pending = malloc((size_t)max_instances * sizeof *batch.pending);
	if (batch.pending == NULL)
		status_fail(st, STATUS_RETRY, "no memory for a batch of %d instances",
			    max_instances);
	else
		(void)!catalogue_log_list_ended(&ended, &n_ended, store, st);
	for (int i = 0; i < n_names && *indexed < max_instances && st->code == STATUS_OK; i++) {
		if (n_ended > 0 && strlen(names[i]) < 128 &&
		    bsearch(names[i], ended, (size_t)n_ended, sizeof *ended, compare_names) != NULL)
			continue;
		batch.name = names[i];
		batch.max = max_instances - *indexed;
		if (index_log(&batch, config->spool, touched, st) == STATUS_OK)
			*indexed += batch.count;
	}
	for (int i = 0; i < n_names; i++)
		free(names[i]);
	free(names);
	free(ended);
	free(batch.pending);
	return st->code;
}
