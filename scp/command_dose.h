/* command_dose.h - private to `holmia dose`: its input, collected before anything is computed, and
 * its output. */
#ifndef COMMAND_DOSE_H
#define COMMAND_DOSE_H

#include "config.h"
#include "indexer.h"
#include "queue.h"
#include "store.h"
#include "treatment_record.h"
#include "treatment_store.h"

struct dose_run {
	struct config *config;
	struct store *store;
	const char *out;  /* folder of the results */
	char spool[1024]; /* temporary, inside out */
	struct indexer_touched touched;
	struct treatment_record *record; /* NULL: none given */
	struct treatment_row *row;	 /* of the treatment, after planning */
	int files, used, passed_over;
	bool json;
};

/* Walks files and folders (sorted by name; out itself is left out) and catalogues what is DICOM.
 * Fault of one file: a line on stderr. */
enum status_code dose_index(struct dose_run *run, char **paths, int count,
			    struct status *st) STATUS_CHECKED;

/* Copies result objects to OUT under friendly names and prints the summary, or says what is
 * missing. Returns the exit code. */
int dose_output(struct dose_run *run, const struct status *failed_job, struct status *st);

/* --json when nothing could be planned: state and words, figures null. */
void dose_print_fault(const struct status *st);

/* Removes a folder and everything in it; symbolic links are not followed. */
void dose_remove_folder(const char *path);

#endif
