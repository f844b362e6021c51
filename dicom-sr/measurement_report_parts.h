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
bool report_is_tumour(enum voi_role role); /* or a group of them */

/* A measurement, left out when it is NaN. 99HOLMIA names also get their meaning in words:
 * explanation, or the code's own meaning when NULL. */
void report_number(struct sr_tree *tree, const struct code *name, double value, enum code_id unit,
		   const char *explanation);
/* The same, but what is NaN is said: a text of that name, "not measured". (A number without a
 * value, which the standard allows, is an error to a validator inside TID 1411.) */
void report_number_or_words(struct sr_tree *tree, const struct code *name, double value,
			    enum code_id unit, const char *explanation, const char *words);
/* A measurement and behind it the limits of its 95 % interval: names[0] value, [1] lower, [2]
 * upper limit. The words hold the interval too, or say that there is none. */
void report_number_interval(struct sr_tree *tree, const enum code_id names[3], double value,
			    double lower, double upper, enum code_id unit, const char *explanation);
void report_text_if_any(struct sr_tree *tree, enum code_id name, const char *text);

/* Inferred from: the RT Dose of a time point, when known. The measurement must be the last item
 * added. */
void report_from_dose(struct sr_tree *tree, const struct report_input *input, int time_point);
bool report_has_dose(const struct report_input *input, int time_point);
bool report_has_kernel_dose(const struct report_input *input, int time_point);

enum status_code report_groups(struct sr_tree *tree, const struct report_input *input,
			       struct status *st) STATUS_CHECKED;
#define REPORT_OUTLINE_POINTS 4 /* a triangle and its first point again: fewer enclose nothing */
/* Image Region polylines of an outline set, largest first; *shown: how many. name: for faults. */
enum status_code report_outlines(struct sr_tree *tree, int *shown, const struct report_input *input,
				 const struct outline_set *set, const char *name,
				 struct status *st) STATUS_CHECKED;
/* Those of a VOI, or Region in Space when it has no outline. */
enum status_code report_region(struct sr_tree *tree, const struct report_input *input, int voi,
			       struct status *st) STATUS_CHECKED;

/* The figures of one VOI at the last time point, in the order of a group. */
void report_doses_first(struct sr_tree *tree, const struct report_input *input, int voi);
void report_doses_further(struct sr_tree *tree, const struct report_input *input, int voi);
void report_trend(struct sr_tree *tree, const struct report_input *input, int voi);
/* Healthy liver of the whole liver (part_voi -1) or of a part: mean, uncertainty, kernel, advice.
 */
void report_healthy(struct sr_tree *tree, const struct report_input *input, int part_voi);
void report_advice(struct sr_tree *tree, const struct report_input *input, int healthy);

/* Coded, with coded reasons. */
void report_measurability(struct sr_tree *tree, const struct dosimetry_voi_result *figures);
/* "not measured", or "not measurable: REASONS". */
void report_unmeasured_words(char text[420], const struct dosimetry_voi_result *figures);
/* Standard uncertainty of a mean dose with its components; says what is not in it. */
void report_uncertainty(struct sr_tree *tree, enum code_id name,
			const struct dosimetry_voi_result *figures);
/* Whether to trust the figures, in words. */
void report_reliability(struct sr_tree *tree, enum code_id name,
			const struct dosimetry_voi_result *figures);

/* At the end of a group: what emission images say of the VOI; nothing without any. */
void report_emission(struct sr_tree *tree, const struct report_input *input, int voi);
/* A part of the document for each emission image: what it is, how its decay and place were taken,
 * what it finds in the liver. */
void report_emissions(struct sr_tree *tree, const struct report_input *input);

void report_warnings(struct sr_tree *tree, const struct report_input *input);
void report_administrations(struct sr_tree *tree, const struct report_input *input);
void report_time_points(struct sr_tree *tree, const struct report_input *input);
/* Every alignment of the scan after an injection (0: of the baseline). */
void report_alignments(struct sr_tree *tree, const struct report_input *input, int after_injection);
void report_constants(struct sr_tree *tree, const struct report_input *input);
void report_inputs(struct sr_tree *tree, const struct report_input *input);
void report_datetime(struct sr_tree *tree, enum code_id name, const char *text);

#endif
