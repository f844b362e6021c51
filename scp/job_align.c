/* job_align.c - where the scans lie to the result grid.
 *
 *   result grid --(anatomy to baseline, mutual information)--> baseline
 *   baseline    --(baseline to series after injection k, least squares)--> that series
 *
 * driven by the S0 maps of the fit, inside the liver where there are contours, and composed. What
 * the site gives (treatment.h: treatment_transform) is taken instead. What a rigid registration of
 * a series leaves is then taken out by job_deform.c, where that is asked for. Without rigid
 * registration in the configuration, and where the result grid is the baseline's own, nothing
 * moves: a scan lies where the series of its own frame of reference does, the baseline or the
 * anatomy. */
#include "job_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "uid.h"

/* The first echo of a series as an image, read when it is needed. */
struct anatomy_image {
	const struct config *config;
	const struct job_scan *scan;
	struct volume volume;
};

static enum status_code load_anatomy(void *user, struct status *st)
{
	struct anatomy_image *image = user;
	const struct mr_series *arranged = &image->scan->arranged;
	size_t values = (size_t)arranged->echoes * grid_voxels(&arranged->grid);
	if (image->volume.samples)
		return STATUS_OK;
	image->volume.samples = malloc(values * sizeof *image->volume.samples);
	if (!image->volume.samples)
		return status_fail(st, STATUS_RETRY, "no memory for the anatomy");
	if (job_load_samples(image->volume.samples, image->config, image->scan, st) != STATUS_OK)
		(void)status_prefix(st, "anatomy: series %s",
				    image->scan->series->series_instance_uid);
	return st->code;
}

/* ---- the region that is held on to ---- */

struct region {
	struct mask mask; /* on the result grid; empty: everything */
	char evidence[65];
};

/* Liver, parts and tumours together. A tumour alone is too little to hold on to. */
static enum status_code make_region(struct region *region, const struct job_case *c,
				    struct status *st)
{
	bool liver = false;
	region->mask = (struct mask)MASK_INIT;
	region->evidence[0] = '\0';
	for (int i = 0; i < c->n_contoured; i++)
		liver = liver || c->voi[i].role == VOI_LIVER || c->voi[i].role == VOI_PART;
	if (!liver)
		return STATUS_OK;
	if (mask_new(&region->mask, &c->shown_over->arranged.grid, st) != STATUS_OK)
		return st->code;
	struct digest *digest = digest_new();
	digest_text(digest, c->structure_instance.info.evidence_hash);
	digest_text(digest, c->shown_over->series->evidence_hash);
	for (int i = 0; i < c->n_contoured; i++) {
		enum voi_role role = c->voi[i].role;
		if (role != VOI_LIVER && role != VOI_PART && role != VOI_TUMOUR)
			continue;
		job_join_mask(&region->mask, &c->mask[i]);
		digest_text(digest, c->voi[i].name);
	}
	digest_finish(digest, region->evidence);
	mask_update_bounds(&region->mask);
	return STATUS_OK;
}

/* ---- what a report says of it ---- */

static struct report_alignment *note(struct job_case *c, int after_injection, const char *from,
				     enum report_alignment_origin origin,
				     const double transform[RIGID_SIZE])
{
	struct report_alignment *line = &c->alignments[c->n_alignments++];
	*line = (struct report_alignment){.after_injection = after_injection,
					  .origin = origin,
					  .residual_mm = (double)NAN,
					  .capture_spread_mm = (double)NAN};
	snprintf(line->from, sizeof line->from, "%s", from);
	if (after_injection > 0)
		snprintf(line->to, sizeof line->to, "scan after injection %d", after_injection);
	else
		snprintf(line->to, sizeof line->to, "baseline");
	memcpy(line->transform, transform, sizeof line->transform);
	return line;
}

static void note_given(struct job_case *c, int after_injection, const char *from,
		       const struct treatment_transform *given)
{
	char words[sizeof((struct report_alignment *)0)->words];
	snprintf(words, sizeof words, "transform of %s", given->provenance);
	struct report_alignment *line =
	    note(c, after_injection, from, REPORT_ALIGNMENT_GIVEN, given->matrix);
	memcpy(line->words, words, sizeof line->words);
}

static void note_found(struct job_case *c, int after_injection, const char *from,
		       const struct alignment *found, const struct alignment_request *request)
{
	struct report_alignment *line =
	    note(c, after_injection, from,
		 found->moved ? REPORT_ALIGNMENT_REGISTERED : REPORT_ALIGNMENT_IDENTITY,
		 found->transform);
	line->residual_mm = found->residual_mm;
	line->capture_spread_mm = found->capture_spread_mm;
	int length =
	    snprintf(line->words, sizeof line->words, "%s %.6g -> %.6g, %s",
		     registration_metric_name(request->metric), found->metric_start,
		     found->metric_end, request->region ? "liver with a margin" : "whole images");
	if (length < (int)sizeof line->words && found->words[0])
		snprintf(line->words + length, sizeof line->words - (size_t)length, "; %s",
			 found->words);
	else if (length < (int)sizeof line->words && !found->moved)
		snprintf(line->words + length, sizeof line->words - (size_t)length,
			 "; not better than no motion");
}

/* ---- one pair ---- */

static void fill_request(struct alignment_request *request, const struct job_case *c)
{
	*request = (struct alignment_request){
	    .region_evidence = "",
	    .margin_mm = c->config->registration_margin_mm,
	    .limit_mm = c->config->registration_limit_mm,
	    .spool = c->config->spool,
	    .anew = c->job->forced,
	    .threads = c->config->threads_per_worker,
	};
}

static enum status_code find(struct alignment *alignment, struct job_case *c,
			     const struct alignment_request *request, int after_injection,
			     struct status *st)
{
	double start_s = job_clock_s();
	(void)!alignment_find(alignment, request, st);
	double took_s = job_clock_s() - start_s;
	c->align_s += took_s;
	if (st->code != STATUS_OK)
		return st->code;
	if (!alignment->kept)
		job_tell("alignment", after_injection, took_s);
	log_line(alignment->kept ? LOG_DEBUG_LINE : LOG_INFO_LINE, "aligned",
		 "after=%d moved_mm=%.2f turned_deg=%.2f residual_mm=%.2f uncertain=%d ms=%.0f",
		 after_injection,
		 rigid_largest_shift_mm(alignment->transform, &request->fixed.volume->grid),
		 rigid_angle_deg(alignment->transform), alignment->residual_mm,
		 alignment->uncertain, 1e3 * took_s);
	note_found(c, after_injection, request->fixed.name, alignment, request);
	if (alignment->uncertain)
		job_warn(c, "HO130", "%s", alignment->words);
	return STATUS_OK;
}

/* The S0 map of a series, read when it is needed: not where the answer is kept. */
struct s0_image {
	struct job_case *c;
	struct job_scan *scan;
	struct volume volume; /* borrows its samples */
};

static enum status_code load_s0(void *user, struct status *st)
{
	struct s0_image *image = user;
	if (job_need_map(image->c, image->scan, st) == STATUS_OK)
		image->volume = image->scan->kept.map.s0;
	return st->code;
}

static struct alignment_image s0_of(struct s0_image *image, const char *name, const char *evidence)
{
	return (struct alignment_image){&image->volume, name, evidence, load_s0, image};
}

/* What an S0 map was made of. */
static void map_evidence(char key[65], const struct job_case *c, const struct job_scan *scan)
{
	map_cache_key(key, scan->series->evidence_hash, c->config->usable_echo_sigma,
		      c->config->saturated_sigma);
}

static void place(struct job_scan *scan, const double to_result[RIGID_SIZE], bool moved,
		  double residual_mm)
{
	memcpy(scan->to_result, to_result, sizeof scan->to_result);
	scan->moved = moved;
	scan->residual_mm = residual_mm;
}

/* Identity unless something is found. */
static enum status_code place_baseline(struct job_case *c, const struct region *region,
				       struct status *st)
{
	const struct treatment_transform *given = &c->slots.baseline.transform;
	struct job_scan *baseline = &c->baseline;
	struct alignment_request request;
	struct alignment found;
	char evidence[65];
	double identity[RIGID_SIZE];

	rigid_identity(identity);
	/* its own grid lies still by definition */
	bool own_grid = !c->has_anatomy || c->anatomy.series->id == baseline->series->id;
	place(baseline, identity, false, own_grid ? 0 : (double)NAN);
	if (own_grid) {
		note(c, 0, c->has_anatomy ? "anatomy" : "result grid", REPORT_ALIGNMENT_SAME_GRID,
		     identity)
		    ->residual_mm = 0;
		return STATUS_OK;
	}
	if (given->given != TREATMENT_NOT_GIVEN) {
		note_given(c, 0, "anatomy", given);
		place(baseline, given->matrix, true, (double)NAN);
		return STATUS_OK;
	}
	if (!c->config->register_rigid) {
		note(c, 0, "anatomy", REPORT_ALIGNMENT_IDENTITY, identity);
		return STATUS_OK;
	}
	struct anatomy_image anatomy = {c->config, &c->anatomy, {c->anatomy.arranged.grid, NULL}};
	struct s0_image s0 = {c, baseline, {baseline->arranged.grid, NULL}};
	map_evidence(evidence, c, baseline);
	fill_request(&request, c);
	request.metric = REGISTRATION_MUTUAL_INFORMATION;
	request.fixed = (struct alignment_image){
	    &anatomy.volume, "anatomy", c->anatomy.series->evidence_hash, load_anatomy, &anatomy};
	request.moving = s0_of(&s0, "baseline", evidence);
	if (region->mask.coverage) {
		request.region = &region->mask;
		request.region_evidence = region->evidence;
	}
	if (find(&found, c, &request, 0, st) == STATUS_OK)
		place(baseline, found.transform, found.moved, found.residual_mm);
	volume_free(&anatomy.volume);
	return st->code;
}

/* The region as the baseline sees it: the same voxels, moved. */
static void move_region(struct mask *moved, char evidence[65], const struct job_case *c,
			const struct region *region)
{
	const struct job_scan *baseline = &c->baseline;
	struct digest *digest = digest_new();
	*moved = region->mask;
	rigid_move_grid(&moved->grid, &region->mask.grid, baseline->to_result,
			baseline->arranged.grid.frame_of_reference);
	digest_text(digest, region->evidence);
	for (int i = 0; i < RIGID_SIZE; i++)
		digest_double(digest, baseline->to_result[i]);
	digest_finish(digest, evidence);
}

static enum status_code compute_after(struct alignment *found, struct job_case *c,
				      struct job_scan *scan, const struct region *region,
				      struct status *st)
{
	struct alignment_request request;
	struct mask moved = MASK_INIT; /* borrows the region's coverage */
	char name[60], evidence[65], baseline_evidence[65], region_evidence[65];

	snprintf(name, sizeof name, "series after injection %d", scan->after_injection);
	map_evidence(evidence, c, scan);
	map_evidence(baseline_evidence, c, &c->baseline);
	fill_request(&request, c);
	request.metric = REGISTRATION_LEAST_SQUARES;
	struct s0_image before = {c, &c->baseline, {c->baseline.arranged.grid, NULL}};
	struct s0_image after = {c, scan, {scan->arranged.grid, NULL}};
	request.fixed = s0_of(&before, "baseline", baseline_evidence);
	request.moving = s0_of(&after, name, evidence);
	if (region->mask.coverage) {
		move_region(&moved, region_evidence, c, region);
		request.region = &moved;
		request.region_evidence = region_evidence;
	}
	return find(found, c, &request, scan->after_injection, st);
}

static bool same_frame(const struct job_scan *a, const struct job_scan *b)
{
	return strcmp(a->arranged.grid.frame_of_reference, b->arranged.grid.frame_of_reference) ==
	       0;
}

/* Not computed and not given, in another frame of reference than the baseline: that of the result
 * (treatment_check_frames() lets nothing else through). */
static enum status_code place_in_result_frame(struct job_case *c, struct job_scan *scan,
					      struct status *st)
{
	double identity[RIGID_SIZE];
	if (!same_frame(scan, c->shown_over))
		return status_fail(st, STATUS_REFUSE,
				   "the series after injection %d is in a frame of reference of "
				   "its own, and nothing says where",
				   scan->after_injection);
	rigid_identity(identity);
	note(c, scan->after_injection, "anatomy", REPORT_ALIGNMENT_IDENTITY, identity);
	place(scan, identity, false, (double)NAN);
	return STATUS_OK;
}

static enum status_code place_after(struct job_case *c, struct job_scan *scan,
				    const struct treatment_transform *given,
				    const struct region *region, struct status *st)
{
	const struct job_scan *baseline = &c->baseline;
	struct alignment found = {.residual_mm = (double)NAN};
	double to_result[RIGID_SIZE];
	bool computed = false;
	int warned = c->n_warnings;

	if (given && given->given == TREATMENT_FROM_ANATOMY) {
		note_given(c, scan->after_injection, "anatomy", given);
		place(scan, given->matrix, true, (double)NAN);
		return STATUS_OK;
	}
	rigid_identity(found.transform);
	if (given && given->given == TREATMENT_FROM_BASELINE) {
		memcpy(found.transform, given->matrix, sizeof found.transform);
		found.moved = true;
		note_given(c, scan->after_injection, "baseline", given);
	} else if (!c->config->register_rigid && !same_frame(scan, baseline)) {
		return place_in_result_frame(c, scan, st);
	} else if (!c->config->register_rigid) {
		note(c, scan->after_injection, "baseline", REPORT_ALIGNMENT_IDENTITY,
		     found.transform);
	} else if (compute_after(&found, c, scan, region, st) != STATUS_OK) {
		return st->code;
	} else {
		computed = isfinite(found.residual_mm); /* else nothing that a field can stand on */
	}
	rigid_compose(to_result, found.transform, baseline->to_result);
	place(scan, to_result, found.moved || baseline->moved, found.residual_mm);
	if (!computed || !c->config->register_nonrigid)
		return STATUS_OK;
	return job_deform(c, scan, found.transform, &region->mask, region->evidence,
			  c->n_warnings > warned ? &c->warnings[warned] : NULL, st);
}

static const struct treatment_transform *given_for(const struct job_case *c,
						   const struct job_scan *scan)
{
	for (int i = 0; i < c->slots.n_after; i++) {
		if (c->slots.after[i].after_injection == scan->after_injection)
			return &c->slots.after[i].transform;
	}
	return NULL;
}

/* A series that cannot be aligned has no dose of its own. The newest one is what the job is for; an
 * earlier one is left out, and its microspheres are counted with those of the next. One that has no
 * map refuses the job, as it does where its alignment is known. */
static enum status_code place_scans(struct job_case *c, const struct region *region,
				    struct status *st)
{
	int newest = c->job->n_scans - 1;
	for (int i = 0; i <= newest; i++) {
		struct job_scan *scan = &c->after[i];
		if (place_after(c, scan, given_for(c, scan), region, st) == STATUS_OK)
			continue;
		if (st->code != STATUS_REFUSE || i == newest || c->no_map)
			return st->code;
		scan->left_out = true;
		job_warn(c, "HO130", "left out, its microspheres are counted with the next: %.140s",
			 st->text);
		status_clear(st);
	}
	return STATUS_OK;
}

enum status_code job_align(struct job_case *c, struct status *st)
{
	struct region region;
	if (make_region(&region, c, st) == STATUS_OK && place_baseline(c, &region, st) == STATUS_OK)
		(void)!place_scans(c, &region, st);
	mask_free(&region.mask);
	return st->code;
}
