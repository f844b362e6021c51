#include "alignment_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "result_file.h"
#include "uid.h"

/* Raised when registration_rigid() gives another answer for the same images. */
#define ALIGNMENT_METHOD "registration-1"
#define PATH_SIZE	 1400
#define TEXT_SIZE	 4000

static const char FIRST_LINE[] = "holmia alignment 1";

void alignment_cache_key(char key[65], const struct alignment_request *request)
{
	struct digest *digest = digest_new();
	digest_text(digest, ALIGNMENT_METHOD);
	digest_text(digest, registration_metric_name(request->metric));
	digest_text(digest, request->fixed.evidence);
	digest_text(digest, request->moving.evidence);
	/* the search begins otherwise between two frames */
	digest_text(digest, strcmp(request->fixed.volume->grid.frame_of_reference,
				   request->moving.volume->grid.frame_of_reference) == 0
				? "one frame"
				: "two frames");
	digest_double(digest, request->limit_mm); /* of the second look between two frames */
	digest_text(digest, request->region ? request->region_evidence : "no region");
	digest_double(digest, request->region ? request->margin_mm : 0);
	digest_finish(digest, key);
}

static bool file_path(char path[PATH_SIZE], const char *spool, const char *key)
{
	return key[0] != '\0' &&
	       snprintf(path, PATH_SIZE, "%s/maps/%s.rig", spool, key) < PATH_SIZE;
}

static void checksum_of(char hex[65], const char *text, size_t length)
{
	struct digest *digest = digest_new();
	digest_bytes(digest, text, length);
	digest_finish(digest, hex);
}

/* ---- reading ---- */

/* The value behind a name at the start of a line; NULL when it is not there. */
static const char *value_of(const char *text, const char *name)
{
	size_t length = strlen(name);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return line + length + 1;
	}
	return NULL;
}

static bool read_numbers(double *values, int count, const char *text, const char *name)
{
	const char *at = value_of(text, name);
	for (int i = 0; i < count && at; i++) {
		char *end;
		values[i] = strtod(at, &end);
		at = end == at ? NULL : end;
	}
	return at != NULL;
}

static bool parse(struct registration_result *answer, char failed[200], const char *text,
		  const char *key)
{
	char sum[65];
	double flags[3];
	const char *checksum = value_of(text, "checksum"), *own_key = value_of(text, "key"),
		   *words = value_of(text, "failed");
	if (strncmp(text, FIRST_LINE, sizeof FIRST_LINE - 1) != 0 || !checksum || !own_key ||
	    !words || strncmp(own_key, key, 64) != 0)
		return false;
	checksum_of(sum, text, (size_t)(checksum - text) - strlen("checksum "));
	if (sum[0] == '\0' || strncmp(sum, checksum, 64) != 0)
		return false;
	size_t length = strcspn(words, "\n");
	if (length >= 200 || !read_numbers(answer->transform, RIGID_SIZE, text, "transform") ||
	    !read_numbers(&answer->metric_start, 1, text, "metric_start") ||
	    !read_numbers(&answer->metric_end, 1, text, "metric_end") ||
	    !read_numbers(&answer->residual_mm, 1, text, "residual_mm") ||
	    !read_numbers(&answer->capture_spread_mm, 1, text, "capture_spread_mm") ||
	    !read_numbers(flags, 3, text, "converged_better_evaluations"))
		return false;
	answer->converged = flags[0] > 0;
	answer->better = flags[1] > 0;
	answer->evaluations = (int)flags[2];
	memcpy(failed, words, length);
	failed[length] = '\0';
	return true;
}

enum status_code alignment_cache_get(struct registration_result *answer, char failed[200],
				     bool *found, const char *spool, const char *key,
				     struct status *st)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	struct registration_result read = {.evaluations = 0};
	*found = false;
	if (!file_path(path, spool, key))
		return status_fail(st, STATUS_RETRY, "no usable name for an alignment in %s",
				   spool);
	FILE *file = fopen(path, "rb");
	if (!file && errno == ENOENT)
		return STATUS_OK;
	if (!file)
		return status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
	size_t size = fread(text, 1, sizeof text - 1, file);
	text[size] = '\0';
	fclose(file);
	*found = parse(&read, failed, text, key);
	if (*found)
		*answer = read;
	return STATUS_OK;
}

/* ---- writing ---- */

enum status_code alignment_cache_put(const char *spool, const char *key,
				     const struct registration_result *answer, const char *failed,
				     struct status *st)
{
	char path[PATH_SIZE], folder[PATH_SIZE], name[80], text[TEXT_SIZE], sum[65];
	if (!file_path(path, spool, key))
		return status_fail(st, STATUS_RETRY, "no usable name for an alignment in %s",
				   spool);
	snprintf(folder, sizeof folder, "%s/maps", spool);
	snprintf(name, sizeof name, "%s.rig", key);
	int length = snprintf(text, sizeof text, "%s\nkey %s\nfailed %.199s\ntransform", FIRST_LINE,
			      key, failed);
	for (int i = 0; i < RIGID_SIZE; i++)
		length += snprintf(text + length, sizeof text - (size_t)length, " %a",
				   answer->transform[i]);
	length += snprintf(
	    text + length, sizeof text - (size_t)length,
	    "\nmetric_start %a\nmetric_end %a\nresidual_mm %a\ncapture_spread_mm %a\n"
	    "converged_better_evaluations %d %d %d\n",
	    answer->metric_start, answer->metric_end, answer->residual_mm,
	    answer->capture_spread_mm, answer->converged, answer->better, answer->evaluations);
	checksum_of(sum, text, (size_t)length);
	length += snprintf(text + length, sizeof text - (size_t)length, "checksum %s\n", sum);
	if (sum[0] == '\0')
		return status_fail(st, STATUS_RETRY, "no memory for a checksum");
	if (result_folder_make(folder, st) != STATUS_OK)
		return st->code;
	return result_file_put(folder, name, text, (size_t)length, st);
}
