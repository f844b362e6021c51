/* deformation_cache.h - what a non-rigid registration answered, kept as <spool>/maps/<key>.def
 * (kept_file.h).
 *
 * The key holds the evidence of both S0 maps and of the region, the rigid transform it stands on,
 * the parameters and the version of the method. That nothing was kept of it is an answer too. */
#ifndef DEFORMATION_CACHE_H
#define DEFORMATION_CACHE_H

#include "deformation.h"

struct deformation_request {
	const char *fixed_evidence, *moving_evidence;
	const char *region_evidence; /* "" without a region */
	const double *rigid;	     /* fixed -> moving */
	struct deformation_params params;
};

struct deformation_answer {
	struct deformation deformation; /* owned */
	enum deformation_verdict verdict;
	char why[200]; /* not kept: the words */
};

/* key is "" without memory. */
void deformation_cache_key(char key[65], const struct deformation_request *request);

/* found false: absent or damaged; *answer is then untouched. STATUS_RETRY: memory, or the file
 * cannot be read just now. */
enum status_code deformation_cache_get(struct deformation_answer *answer, bool *found,
				       const char *spool, const char *key,
				       struct status *st) STATUS_CHECKED;
/* STATUS_RETRY: memory, disk full or not writable; nothing is left behind. */
enum status_code deformation_cache_put(const char *spool, const char *key,
				       const struct deformation_answer *answer,
				       struct status *st) STATUS_CHECKED;

#endif
