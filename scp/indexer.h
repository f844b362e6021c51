/* indexer.h - from bytes received to rows of the catalogue.
 *
 * indexer_step() reads every log from where it stopped last, screens (again: logs may be old), parses, catalogues; each log's position is saved in the
 * same transaction as its rows. Attempts are counted on disk before a parse: an instance that killed the indexer three times is
 * quarantined and passed over. indexer_add_file() does the same for one DICOM file (holmia dose). */
#ifndef INDEXER_H
#define INDEXER_H

#include "config.h"
#include "store.h"

/* Indexes what is new, up to max_instances. Touched patients are planned by the caller: their keys are appended to *touched. */
struct indexer_touched {
	struct { char patient_id[200], patient_issuer[200]; } *patients; /* owned */
	int count;
};
enum status_code indexer_step(struct store *store, const struct config *config, int max_instances, int *indexed,
                              struct indexer_touched *touched, struct status *st) STATUS_CHECKED;
/* used false with words for files that are not DICOM or not usable: "not DICOM". */
enum status_code indexer_add_file(bool *used, char words[240], struct store *store, const struct config *config,
                                  const char *path, struct indexer_touched *touched, struct status *st) STATUS_CHECKED;
void indexer_touched_free(struct indexer_touched *touched);

#endif
