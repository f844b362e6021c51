#include "deformation_cache.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kept_file.h"
#include "uid.h"

/* Raised when deformation_find() gives another answer for the same images. */
#define DEFORMATION_METHOD "deformation-1"

static const struct kept_kind KIND = {{'H', 'O', 'L', 'M', 'I', 'A', 'D', 'F'}, 1, "def"};
enum { NUMBERS, DISPLACEMENTS, PARTS };

struct numbers {
	struct grid control;
	double rigid[RIGID_SIZE], jacobian_least, jacobian_most, metric_rigid, metric_end,
	    residual_mm;
	int64_t verdict;
	char why[200];
};

void deformation_cache_key(char key[65], const struct deformation_request *request)
{
	struct digest *digest = digest_new();
	digest_text(digest, DEFORMATION_METHOD);
	digest_text(digest, request->fixed_evidence);
	digest_text(digest, request->moving_evidence);
	for (int i = 0; i < RIGID_SIZE; i++)
		digest_double(digest, request->rigid[i]);
	digest_text(digest, request->region_evidence[0] ? request->region_evidence : "no region");
	digest_double(digest, request->region_evidence[0] ? request->params.region_margin_mm : 0);
	digest_double(digest, request->params.control_spacing_mm);
	digest_double(digest, request->params.bending_weight);
	digest_finish(digest, key);
}

/* ---- reading ---- */

static enum status_code take(struct deformation_answer *answer, bool *found,
			     const struct kept_file *file, struct status *st)
{
	struct deformation *field = &answer->deformation;
	struct numbers numbers;
	memcpy(&numbers, file->part[NUMBERS], sizeof numbers);
	const bool kept = numbers.verdict == DEFORMATION_KEPT;
	const size_t size = kept ? 3 * grid_voxels(&numbers.control) * sizeof(float) : 0;
	if (size != file->bytes[DISPLACEMENTS])
		return STATUS_OK;
	field->displacement_mm = NULL;
	if (kept) {
		field->displacement_mm = malloc(size);
		if (!field->displacement_mm)
			return status_fail(st, STATUS_RETRY, "no memory for a deformation");
		memcpy(field->displacement_mm, file->part[DISPLACEMENTS], size);
	}
	field->control = numbers.control;
	memcpy(field->rigid, numbers.rigid, sizeof field->rigid);
	field->jacobian_least = numbers.jacobian_least;
	field->jacobian_most = numbers.jacobian_most;
	field->metric_rigid = numbers.metric_rigid;
	field->metric_end = numbers.metric_end;
	field->residual_mm = numbers.residual_mm;
	answer->verdict = (enum deformation_verdict)numbers.verdict;
	memcpy(answer->why, numbers.why, sizeof answer->why);
	*found = true;
	return STATUS_OK;
}

enum status_code deformation_cache_get(struct deformation_answer *answer, bool *found,
				       const char *spool, const char *key, struct status *st)
{
	struct kept_file file;
	bool there = false;
	*found = false;
	if (kept_file_get(&file, &there, &KIND, spool, key, 1, st) != STATUS_OK || !there)
		return st->code;
	if (file.n_parts == PARTS && file.bytes[NUMBERS] == sizeof(struct numbers))
		(void)!take(answer, found, &file, st);
	kept_file_free(&file);
	return st->code;
}

/* ---- writing ---- */

enum status_code deformation_cache_put(const char *spool, const char *key,
				       const struct deformation_answer *answer, struct status *st)
{
	const struct deformation *field = &answer->deformation;
	const bool kept = answer->verdict == DEFORMATION_KEPT;
	struct numbers numbers;
	memset(&numbers, 0, sizeof numbers); /* the same bytes for the same answer */
	numbers.control = field->control;
	memcpy(numbers.rigid, field->rigid, sizeof numbers.rigid);
	numbers.jacobian_least = field->jacobian_least;
	numbers.jacobian_most = field->jacobian_most;
	numbers.metric_rigid = field->metric_rigid;
	numbers.metric_end = field->metric_end;
	numbers.residual_mm = field->residual_mm;
	numbers.verdict = answer->verdict;
	memcpy(numbers.why, answer->why, strnlen(answer->why, sizeof answer->why - 1));
	const void *const part[PARTS] = {&numbers, field->displacement_mm};
	const size_t bytes[PARTS] = {sizeof numbers,
				     kept ? 3 * grid_voxels(&field->control) * sizeof(float) : 0};
	return kept_file_put(&KIND, spool, key, part, bytes, PARTS, 1, st);
}
