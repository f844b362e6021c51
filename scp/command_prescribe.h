/* command_prescribe.h - private to `holmia prescribe`: the plan and where its numbers come from.
 *
 *   command_prescribe.c             options and positions as typed
 *   command_prescribe_contours.c    volumes and, of a simulation, counts from contours
 *   command_prescribe_output.c      the table and the JSON */
#ifndef COMMAND_PRESCRIBE_H
#define COMMAND_PRESCRIBE_H

#include <stdio.h>

#include "config.h"
#include "prescription.h"

#define PRESCRIBE_MAX_FRACTIONS 16
#define PRESCRIBE_MAX_NOTES	24

/* How much of a position was typed; the rest comes from contours. */
struct prescribe_typed {
	bool volume, necrosis, tumour;
	double tumour_to_normal; /* known otherwise; 0 not typed */
};

struct prescribe_run {
	const struct config *config;
	struct prescription_input input; /* its positions: the array below */
	struct prescription_position positions[PRESCRIPTION_MAX_POSITIONS];
	struct prescribe_typed typed[PRESCRIPTION_MAX_POSITIONS];
	char names[PRESCRIPTION_MAX_POSITIONS][260];
	double fraction_percent[PRESCRIBE_MAX_FRACTIONS];
	int fractions;
	struct prescription_plan plan;

	/* of a simulation */
	bool simulated;
	char simulation[420];		  /* what it is, in words */
	double lung_counts, liver_counts; /* NaN: no lungs */

	char notes[PRESCRIBE_MAX_NOTES][300]; /* to read before deciding */
	int n_notes;
};

void prescribe_note(struct prescribe_run *run, const char *format, ...) STATUS_PRINTF(2, 3);

/* A new position with nothing known but its name. STATUS_REFUSE: too many, or there already. */
enum status_code prescribe_add_position(struct prescribe_run *run, const char *name,
					struct status *st) STATUS_CHECKED;

/* Files that hold the contours and the images they were drawn on, the folder of a simulation (NULL
 * none), names of the contours of the lungs. Fills what was not typed, and adds positions where
 * none was typed: the parts, else the liver. */
struct prescribe_files {
	char **paths;
	int n_paths;
	const char *structures; /* NULL: among paths */
	const char *simulation;
	const char *const *lungs;
	int n_lungs;
};
enum status_code prescribe_read_files(struct prescribe_run *run,
				      const struct prescribe_files *files,
				      struct status *st) STATUS_CHECKED;

void prescribe_print_table(FILE *out, const struct prescribe_run *run);
void prescribe_print_json(FILE *out, const struct prescribe_run *run);

#endif
