/* command_calibrate.h - private to `holmia calibrate`: what was measured, and the page about it. */
#ifndef COMMAND_CALIBRATE_H
#define COMMAND_CALIBRATE_H

#include <stdio.h>

#include "calibration.h"
#include "config.h"
#include "mr_series.h"

struct calibrate_run {
	const struct config *config;
	const char *product; /* "" any */
	double temperature_k, holmium_percent, deviation_limit_percent;

	struct calibration_vial vials[CALIBRATION_MAX_VIALS];
	char names[CALIBRATION_MAX_VIALS][260];
	int n_vials;
	struct calibration_result result;

	/* of the scan */
	struct mr_series scan;	    /* without its images */
	struct instance_info first; /* of its images */
	double sigma;
};

/* mg/mL from a name such as "Vial 0.50 mg/mL" or "0,5 mg/ml"; NaN when it says none. */
double calibrate_concentration(const char *name);

/* The concentrations of a file "name,mg_per_ml" with one vial per line (a heading without a number
 * and lines that start with # are passed over). Fills names, concentrations and n_vials.
 * STATUS_CONFIG: cannot be read; STATUS_REFUSE, with the line: not a number, a name twice. */
enum status_code calibrate_read_table(struct calibrate_run *run, const char *path,
				      struct status *st) STATUS_CHECKED;

void calibrate_print_page(FILE *out, const struct calibrate_run *run);
void calibrate_print_json(FILE *out, const struct calibrate_run *run);

/* The element for the configuration; also in the page and, as text, in the JSON. */
void calibrate_print_element(FILE *out, const struct calibrate_run *run);

#endif
