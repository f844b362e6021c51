/* measurement_report_parts.h - the parts of the measurement report; private to
 * measurement_report*.c.
 *
 * Each function adds its part below the current item of the tree. */
#ifndef MEASUREMENT_REPORT_PARTS_H
#define MEASUREMENT_REPORT_PARTS_H

#include "measurement_report.h"
#include "sr_tree.h"

/* The last time point: what the groups report. */
const struct dosimetry_time_point *report_last(const struct report_input *input);

/* A measurement, left out when it is NaN. 99HOLMIA names also get their meaning in words:
 * explanation, or the code's own meaning when NULL. */
void report_number(struct sr_tree *tree, const struct code *name, double value, enum code_id unit,
		   const char *explanation);
/* The same, but what is NaN is said: a text of that name, "not measured". (A number without a
 * value, which the standard allows, is an error to a validator inside TID 1411.) */
void report_number_or_words(struct sr_tree *tree, const struct code *name, double value,
			    enum code_id unit, const char *explanation, const char *words);

/* Inferred from: the RT Dose of a time point, when known. The measurement must be the last item
 * added. */
void report_from_dose(struct sr_tree *tree, const struct report_input *input, int time_point);
bool report_has_dose(const struct report_input *input, int time_point);

enum status_code report_groups(struct sr_tree *tree, const struct report_input *input,
			       struct status *st) STATUS_CHECKED;
/* Image Region polylines of one VOI, or Region in Space when it has no outline. */
enum status_code report_region(struct sr_tree *tree, const struct report_input *input, int voi,
			       struct status *st) STATUS_CHECKED;

void report_warnings(struct sr_tree *tree, const struct report_input *input);
void report_administrations(struct sr_tree *tree, const struct report_input *input);
void report_time_points(struct sr_tree *tree, const struct report_input *input);
void report_constants(struct sr_tree *tree, const struct report_input *input);
void report_inputs(struct sr_tree *tree, const struct report_input *input);

#endif
