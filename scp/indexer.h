/* indexer.h - from bytes received to rows of the catalogue.
 *
 * indexer_step() reads every reception log from where it stopped last, screens (again: logs may be
 * old), parses, and catalogues; each log's position is saved in the same transaction as its rows,
 * so nothing is catalogued twice or left out. Attempts are counted on disk before a batch is
 * parsed. After a crash the log goes on one instance at a time, and an instance that has killed the
 * indexer three times is catalogued as unreadable, with an alarm, and passed over.
 * indexer_add_files() does the same for DICOM files (holmia dose).
 *
 *   log record --screen, parse--> info --catalogue_add--> used | the same again | unused |
 * quarantined
 *                   |--cannot be read--> unreadable (kept by its place)
 *
 * One process only: the catalogue has one writer. Status: STATUS_RETRY disk, memory, database; what
 * is wrong with a single instance never fails a step. */
#ifndef INDEXER_H
#define INDEXER_H

#include "catalogue.h"
#include "config.h"
#include "store.h"

/* Patients whose catalogue changed (or whose association ended): to be planned by the caller. Zero
 * it first; freed with indexer_touched_free(). Each patient once. */
struct indexer_touched {
	struct catalogue_patient_key *patients; /* owned */
	int count, capacity;
};

/* Indexes what is new, up to max_instances. *indexed is how many records were read (0: nothing is
 * pending). */
enum status_code indexer_step(struct store *store, const struct config *config, int max_instances,
			      int *indexed, struct indexer_touched *touched,
			      struct status *st) STATUS_CHECKED;

/* A file to be catalogued, and what became of it: used false with words for files that are not
 * DICOM ("not DICOM"), cannot be read, are no input, or repeat what is there. */
struct indexer_file {
	const char *path; /* borrowed */
	bool used;
	char words[240];
};
/* Catalogues files in their order, the same whatever the number of threads that read them; part of
 * the caller's transaction. STATUS_RETRY: a file cannot be opened, memory; those before it are
 * catalogued then. */
enum status_code indexer_add_files(struct indexer_file *files, int count, struct store *store,
				   const struct config *config, struct indexer_touched *touched,
				   struct status *st) STATUS_CHECKED;

enum status_code indexer_touch(struct indexer_touched *touched, const char *patient_id,
			       const char *patient_issuer, struct status *st) STATUS_CHECKED;
void indexer_touched_free(struct indexer_touched *touched);

#endif
