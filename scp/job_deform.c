/* job_deform.c - a series after an injection bent onto the baseline, on top of what the rigid
 * registration found (deformation.h), where the configuration says so.
 *
 * Driven by the same S0 maps inside the same region. Not where the site gave the transform, nor
 * where nothing was registered: there is no rigid answer of ours to stand on. What was found is
 * kept in <spool>/maps (deformation_cache.h), so that the maps and the report of a treatment share
 * it. Not kept, the rigid answer stands, and the report says why. */
#include "job_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deformation_cache.h"
#include "log.h"
#include "uid.h"

static void map_evidence(char key[65], const struct job_case *c, const struct job_scan *scan)
{
	map_cache_key(key, scan->series->evidence_hash, c->config->usable_echo_sigma,
		      c->config->saturated_sigma);
}

/* The region as the scan sees it. */
static void move_region(struct mask *moved, char evidence[65], const struct job_scan *scan,
			const struct mask *region, const char *region_evidence)
{
	struct digest *digest = digest_new();
	*moved = *region;
	rigid_move_grid(&moved->grid, &region->grid, scan->to_result,
			scan->arranged.grid.frame_of_reference);
	digest_text(digest, region_evidence);
	for (int i = 0; i < RIGID_SIZE; i++)
		digest_double(digest, scan->to_result[i]);
	digest_finish(digest, evidence);
}

static enum status_code compute(struct deformation_answer *answer, struct job_case *c,
				struct job_scan *scan, const struct mask *region,
				const struct deformation_request *request, struct status *st)
{
	if (job_need_map(c, scan, st) != STATUS_OK ||
	    job_need_map(c, &c->baseline, st) != STATUS_OK)
		return st->code;
	if (deformation_find(&answer->deformation, &answer->verdict, answer->why,
			     &scan->kept.map.s0, &c->baseline.kept.map.s0, region, request->rigid,
			     &request->params, st) != STATUS_REFUSE)
		return st->code;
	/* nothing to hold on to: an answer too */
	snprintf(answer->why, sizeof answer->why, "%.199s", st->text);
	answer->why[strcspn(answer->why, "\n")] = '\0';
	status_clear(st);
	return STATUS_OK;
}

static enum status_code find(struct deformation_answer *answer, struct job_case *c,
			     struct job_scan *scan, const struct mask *region,
			     const struct deformation_request *request, struct status *st)
{
	char key[65];
	bool found = false;
	double start_s = job_clock_s(), took_s;
	deformation_cache_key(key, request);
	if (!c->job->forced &&
	    deformation_cache_get(answer, &found, c->config->spool, key, st) != STATUS_OK)
		return st->code;
	if (!found && (compute(answer, c, scan, region, request, st) != STATUS_OK ||
		       deformation_cache_put(c->config->spool, key, answer, st) != STATUS_OK)) {
		deformation_free(&answer->deformation);
		return st->code;
	}
	took_s = job_clock_s() - start_s;
	c->align_s += took_s;
	if (!found)
		job_tell("deformation", scan->after_injection, took_s);
	log_line(found ? LOG_DEBUG_LINE : LOG_INFO_LINE, "deformed",
		 "after=%d kept=%d jacobian=%.3f..%.3f metric=%.6g..%.6g residual_mm=%.2f ms=%.0f",
		 scan->after_injection, answer->verdict == DEFORMATION_KEPT,
		 answer->deformation.jacobian_least, answer->deformation.jacobian_most,
		 answer->deformation.metric_rigid, answer->deformation.metric_end,
		 answer->deformation.residual_mm, 1e3 * took_s);
	return STATUS_OK;
}

static void add_words(char *words, size_t size, const char *more)
{
	size_t length = strlen(words);
	snprintf(words + length, size - length, "%s", more);
}

/* The scan takes the deformation over, and the line of the report says what it is. */
static void take(struct job_case *c, struct job_scan *scan, struct deformation_answer *answer,
		 struct report_alignment *line, struct report_warning *doubt)
{
	const struct deformation *field = &answer->deformation;
	char more[240];
	scan->deformation = *field;
	scan->residual_mm = field->residual_mm;
	line->origin = REPORT_ALIGNMENT_NONRIGID;
	line->residual_mm = field->residual_mm;
	snprintf(more, sizeof more,
		 "; then B-splines with control points %.4g mm apart, bending weight %.4g, least "
		 "squares %.6g -> %.6g, volumes changed by factors of %.3f to %.3f; the transform "
		 "here is the rigid part",
		 c->config->control_spacing_mm, c->config->bending_weight, field->metric_rigid,
		 field->metric_end, field->jacobian_least, field->jacobian_most);
	add_words(line->words, sizeof line->words, more);
	if (doubt) {
		snprintf(more, sizeof more, "; after the non-rigid part %.3g mm",
			 field->residual_mm);
		add_words(doubt->text, sizeof doubt->text, more);
	}
}

static void leave(struct job_case *c, const struct job_scan *scan,
		  const struct deformation_answer *answer, struct report_alignment *line)
{
	char more[240];
	snprintf(more, sizeof more, "; no non-rigid part: %.200s", answer->why);
	add_words(line->words, sizeof line->words, more);
	if (answer->verdict == DEFORMATION_OUT_OF_RANGE)
		job_warn(c, "HO139",
			 "series after injection %d: %.140s; its rigid alignment stands",
			 scan->after_injection, answer->why);
}

enum status_code job_deform(struct job_case *c, struct job_scan *scan,
			    const double found[RIGID_SIZE], const struct mask *region,
			    const char *region_evidence, struct report_warning *doubt,
			    struct status *st)
{
	struct report_alignment *line = &c->alignments[c->n_alignments - 1];
	struct deformation_answer answer = {.verdict = DEFORMATION_NOT_BETTER};
	char evidence[65], baseline_evidence[65], moved_evidence[65] = "";
	struct mask moved = MASK_INIT; /* borrows the region's coverage */
	double rigid[RIGID_SIZE];
	const struct deformation_request request = {
	    .fixed_evidence = evidence,
	    .moving_evidence = baseline_evidence,
	    .region_evidence = moved_evidence,
	    .rigid = rigid,
	    .params = {.control_spacing_mm = c->config->control_spacing_mm,
		       .bending_weight = c->config->bending_weight,
		       .region_margin_mm = c->config->registration_margin_mm,
		       .threads = c->config->threads_per_worker},
	};

	rigid_invert(rigid, found);
	map_evidence(evidence, c, scan);
	map_evidence(baseline_evidence, c, &c->baseline);
	if (region->coverage)
		move_region(&moved, moved_evidence, scan, region, region_evidence);
	if (find(&answer, c, scan, region->coverage ? &moved : NULL, &request, st) != STATUS_OK)
		return st->code;
	if (answer.verdict == DEFORMATION_KEPT)
		take(c, scan, &answer, line, doubt);
	else
		leave(c, scan, &answer, line);
	return STATUS_OK;
}
