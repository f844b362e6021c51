#include "alignment.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alignment_cache.h"

/* The registration tries its several starts on coarse voxels of about 10 mm: so many configured
 * limits apart is one answer. */
#define SPREAD_LIMITS 3.0
/* Farther apart, whole searches begin this far from the answer. All but one must come back to it,
 * and one that ends elsewhere counts when its metric is about as good. */
#define SECOND_STARTS	4
#define SECOND_START_MM 15.0
#define ABOUT_AS_GOOD	0.02 /* of the metric */
/* Between two frames of reference, where nothing else can tell a wrong answer: */
#define REFUSED_AT_LIMITS 2.0  /* residual above so many configured limits */
#define LARGEST_TURN_DEG  45.0 /* a patient who lies down again does not turn as far */

/* ---- judging ---- */

static bool same_frame(const struct alignment_request *request)
{
	return strcmp(request->fixed.volume->grid.frame_of_reference,
		      request->moving.volume->grid.frame_of_reference) == 0;
}

static enum status_code refuse(const struct alignment_request *request, const char *why,
			       struct status *st)
{
	return status_fail(
	    st, STATUS_REFUSE,
	    "%s lies in another frame of reference than %s and could not be aligned: %s; give a "
	    "transform in the record, or send a Spatial Registration",
	    request->moving.name, request->fixed.name, why);
}

/* What makes an answer doubtful whatever the frames; "" when nothing does. */
static void find_doubt(char why[120], const struct registration_result *answer,
		       const struct alignment_request *request)
{
	why[0] = '\0';
	if (!answer->converged)
		snprintf(why, 120, "the search did not converge");
	else if (!same_frame(request) &&
		 !(answer->capture_spread_mm <= SPREAD_LIMITS * request->limit_mm))
		snprintf(why, 120, "several starts end %.3g mm apart (limit %.3g mm)",
			 answer->capture_spread_mm, SPREAD_LIMITS * request->limit_mm);
	else if (!isfinite(answer->residual_mm))
		snprintf(why, 120, "too little structure to tell what is left");
	else if (!(answer->residual_mm <= request->limit_mm))
		snprintf(why, 120, "%.3g mm are left (limit %.3g mm)", answer->residual_mm,
			 request->limit_mm);
}

static enum status_code judge_two_frames(struct alignment *alignment,
					 const struct registration_result *answer,
					 const struct alignment_request *request, struct status *st)
{
	char doubt[120], why[160];
	find_doubt(doubt, answer, request);
	bool close = answer->converged &&
		     answer->capture_spread_mm <= SPREAD_LIMITS * request->limit_mm &&
		     answer->residual_mm <= REFUSED_AT_LIMITS * request->limit_mm;
	if (!close)
		return refuse(request, doubt, st);
	if (!(rigid_angle_deg(answer->transform) <= LARGEST_TURN_DEG)) {
		snprintf(why, sizeof why, "it would turn the patient by %.0f degrees",
			 rigid_angle_deg(answer->transform));
		return refuse(request, why, st);
	}
	memcpy(alignment->transform, answer->transform, sizeof alignment->transform);
	alignment->moved = true;
	alignment->residual_mm = answer->residual_mm;
	alignment->uncertain = doubt[0] != '\0';
	if (alignment->uncertain)
		snprintf(alignment->words, sizeof alignment->words, "%s: %s", request->moving.name,
			 doubt);
	return STATUS_OK;
}

static void judge_one_frame(struct alignment *alignment, const struct registration_result *answer,
			    const struct alignment_request *request)
{
	char doubt[120];
	find_doubt(doubt, answer, request);
	if (answer->converged) {
		alignment->residual_mm = answer->residual_mm;
		alignment->moved = answer->better;
	}
	if (alignment->moved)
		memcpy(alignment->transform, answer->transform, sizeof alignment->transform);
	alignment->uncertain = doubt[0] != '\0';
	if (alignment->uncertain)
		snprintf(alignment->words, sizeof alignment->words, "%s%s: %s",
			 request->moving.name, alignment->moved ? "" : " taken as not moved",
			 doubt);
}

enum status_code alignment_judge(struct alignment *alignment,
				 const struct registration_result *answer, const char *failed,
				 const struct alignment_request *request, struct status *st)
{
	*alignment = (struct alignment){.residual_mm = (double)NAN,
					.capture_spread_mm = answer->capture_spread_mm,
					.metric_start = answer->metric_start,
					.metric_end = answer->metric_end};
	rigid_identity(alignment->transform);
	if (failed[0] == '\0' && !same_frame(request))
		return judge_two_frames(alignment, answer, request, st);
	if (failed[0] == '\0') {
		judge_one_frame(alignment, answer, request);
		return STATUS_OK;
	}
	if (!same_frame(request))
		return refuse(request, failed, st);
	alignment->uncertain = true;
	snprintf(alignment->words, sizeof alignment->words, "%s taken as not moved: %.140s",
		 request->moving.name, failed);
	return STATUS_OK;
}

/* ---- finding ---- */

static enum status_code load(const struct alignment_image *image, struct status *st)
{
	return image->load ? image->load(image->user, st) : STATUS_OK;
}

/* How far two transforms put the corners of a grid apart. */
static double apart_mm(const double a[RIGID_SIZE], const double b[RIGID_SIZE],
		       const struct grid *grid)
{
	double back[RIGID_SIZE], between[RIGID_SIZE];
	rigid_invert(back, b);
	rigid_compose(between, back, a);
	return rigid_largest_shift_mm(between, grid);
}

/* Between two frames of reference, where coarse starts disagree: which of them the whole search
 * cannot tell from the answer. */
static enum status_code look_again(struct registration_result *answer,
				   const struct registration_input *input, double limit_mm,
				   struct status *st)
{
	double spread_mm = 0, zero[3] = {0, 0, 0};
	int came_back = 0;
	for (int i = 0; i < SECOND_STARTS; i++) {
		struct registration_input again = *input;
		struct registration_result other;
		double aside[RIGID_SIZE], start[RIGID_SIZE], shift_mm[3] = {0, 0, 0};
		shift_mm[i < 2 ? 2 : 0] = i % 2 ? SECOND_START_MM : -SECOND_START_MM;
		rigid_from_angles(aside, zero, shift_mm, zero);
		rigid_compose(start, aside, answer->transform);
		again.start = start;
		if (registration_rigid(&other, &again, st) == STATUS_REFUSE) {
			status_clear(st); /* too far aside to begin */
			continue;
		}
		if (st->code != STATUS_OK)
			return st->code;
		double as_good = answer->metric_end + ABOUT_AS_GOOD * fabs(answer->metric_end);
		double way_mm = apart_mm(other.transform, answer->transform, &input->fixed->grid);
		came_back += other.converged && way_mm <= limit_mm;
		if (other.converged && other.metric_end <= as_good)
			spread_mm = fmax(spread_mm, way_mm);
	}
	if (came_back >= SECOND_STARTS - 1)
		answer->capture_spread_mm = spread_mm;
	return STATUS_OK;
}

static enum status_code find_anew(struct registration_result *answer, char failed[200],
				  const struct alignment_request *request, struct status *st)
{
	if (load(&request->fixed, st) != STATUS_OK || load(&request->moving, st) != STATUS_OK)
		return st->code;
	struct registration_input input = {
	    .fixed = request->fixed.volume,
	    .moving = request->moving.volume,
	    .region = request->region,
	    .region_margin_mm = request->margin_mm,
	    .metric = request->metric,
	    .start = NULL,
	    .threads = request->threads,
	};
	failed[0] = '\0';
	*answer = (struct registration_result){.metric_start = (double)NAN,
					       .metric_end = (double)NAN,
					       .residual_mm = (double)NAN,
					       .capture_spread_mm = (double)NAN};
	rigid_identity(answer->transform);
	if (registration_rigid(answer, &input, st) == STATUS_OK && answer->converged &&
	    !same_frame(request) && answer->capture_spread_mm > SPREAD_LIMITS * request->limit_mm)
		return look_again(answer, &input, request->limit_mm, st);
	if (st->code != STATUS_REFUSE)
		return st->code;
	snprintf(failed, 200, "%.199s", st->text); /* nothing to hold on to: an answer too */
	failed[strcspn(failed, "\n")] = '\0';
	status_clear(st);
	return STATUS_OK;
}

enum status_code alignment_find(struct alignment *alignment,
				const struct alignment_request *request, struct status *st)
{
	struct registration_result answer;
	char key[65], failed[200];
	bool found = false;
	alignment_cache_key(key, request);
	if (!request->anew &&
	    alignment_cache_get(&answer, failed, &found, request->spool, key, st) != STATUS_OK)
		return st->code;
	if (!found && (find_anew(&answer, failed, request, st) != STATUS_OK ||
		       alignment_cache_put(request->spool, key, &answer, failed, st) != STATUS_OK))
		return st->code;
	if (alignment_judge(alignment, &answer, failed, request, st) == STATUS_OK)
		alignment->kept = found;
	return st->code;
}
