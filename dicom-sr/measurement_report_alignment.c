/* measurement_report_alignment.c - how the images were brought together, and what that left */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "measurement_report_parts.h"

/* Twelve numbers, row after row: what a physicist needs to apply it again. */
static void transform_words(char text[400], const double transform[RIGID_SIZE])
{
	int length = 0;

	for (int i = 0; i < RIGID_SIZE; i++)
		length += snprintf(text + length, 400 - (size_t)length, "%.9g%s",
				   transform[i] == 0.0 ? 0.0 : transform[i],
				   i + 1 == RIGID_SIZE ? ""
				   : i % 4 == 3	       ? "; "
						       : " ");
}

static bool is_known(const double transform[RIGID_SIZE])
{
	for (int i = 0; i < RIGID_SIZE; i++)
		if (!isfinite(transform[i]))
			return false;
	return true;
}

static void add_numbers(struct sr_tree *tree, const double transform[RIGID_SIZE],
			double residual_mm)
{
	char text[400];

	if (is_known(transform)) {
		transform_words(text, transform);
		sr_tree_text(tree, SR_CONTAINS, code_get(CODE_ALIGNMENT_TRANSFORM), text);
	}
	report_number_or_words(
	    tree, code_get(CODE_ALIGNMENT_RESIDUAL), residual_mm, UNIT_MM,
	    "What is left of motion after the alignment, root mean square over the region",
	    "not known");
}

const struct code *measurement_report_alignment_origin(enum report_alignment_origin origin)
{
	static const enum code_id codes[] = {
	    [REPORT_ALIGNMENT_SAME_GRID] = CODE_ALIGNMENT_SAME_GRID,
	    [REPORT_ALIGNMENT_REGISTERED] = CODE_ALIGNMENT_REGISTERED,
	    [REPORT_ALIGNMENT_NONRIGID] = CODE_ALIGNMENT_NONRIGID,
	    [REPORT_ALIGNMENT_IDENTITY] = CODE_ALIGNMENT_IDENTITY,
	    [REPORT_ALIGNMENT_GIVEN] = CODE_ALIGNMENT_GIVEN,
	};

	return code_get(codes[origin]);
}

static void add_alignment(struct sr_tree *tree, const struct report_alignment *alignment)
{
	char images[200];

	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_ALIGNMENT), NULL);
	snprintf(images, sizeof images, "takes a point of %s to %s", alignment->from,
		 alignment->to);
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_ALIGNED_IMAGES), images);
	sr_tree_code(tree, SR_CONTAINS, code_get(CODE_ALIGNMENT_ORIGIN),
		     measurement_report_alignment_origin(alignment->origin));
	report_text_if_any(tree, CODE_ALIGNMENT_WORDS, alignment->words);
	add_numbers(tree, alignment->transform, alignment->residual_mm);
	report_number(tree, code_get(CODE_ALIGNMENT_SPREAD), alignment->capture_spread_mm, UNIT_MM,
		      "Largest distance, over the region, between the answers of searches begun at "
		      "several places");
	sr_tree_leave(tree);
}

/* What the computation itself used, where nobody described it. */
static void add_used(struct sr_tree *tree, const struct dosimetry_time_point *point)
{
	sr_tree_container(tree, SR_CONTAINS, code_get(CODE_ALIGNMENT), NULL);
	sr_tree_text(tree, SR_CONTAINS, code_get(CODE_ALIGNED_IMAGES),
		     "takes a point of the result grid to the scan");
	add_numbers(tree, point->to_result, point->residual_mm);
	sr_tree_leave(tree);
}

void report_alignments(struct sr_tree *tree, const struct report_input *input, int after_injection)
{
	bool any = false;

	for (int i = 0; i < input->n_alignments; i++)
		if (input->alignments[i].after_injection == after_injection) {
			add_alignment(tree, &input->alignments[i]);
			any = true;
		}
	for (int t = 0; !any && t < input->result->n_time_points; t++)
		if (input->result->time_points[t].after_injection == after_injection)
			add_used(tree, &input->result->time_points[t]);
}
