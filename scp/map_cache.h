/* map_cache.h - fitted R2* maps kept as files, <spool>/maps/<key>.r2s.
 *
 * A cache: every file can be made again from the images. The key is made of the evidence of the
 * series, the parameters of the fit and the version of its method, so a file never has to be
 * changed: another series or another method has another key. What is cut, damaged, of another
 * version or of another machine counts as absent (kept_file.h).
 *
 * Thread rule: any number at once; two processes that make the same map write the same file. */
#ifndef MAP_CACHE_H
#define MAP_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "kept_file.h"
#include "r2star.h"

/* A map whose numbers lie in the mapped file: only for reading. */
struct kept_map {
	struct r2star_map map;
	struct kept_file file; /* owned; no mapping: empty */
};

/* evidence_hash: of the series, as in the catalogue. */
void map_cache_key(char key[65], const char *evidence_hash, double usable_sigma,
		   double saturated_sigma);

/* found false: absent or damaged. STATUS_RETRY: the file cannot be read just now. */
enum status_code map_cache_get(struct kept_map *kept, bool *found, const char *spool,
			       const char *key, int threads, struct status *st) STATUS_CHECKED;
void kept_map_free(struct kept_map *kept);

/* STATUS_RETRY: disk full or not writable; nothing is left behind. */
enum status_code map_cache_put(const char *spool, const char *key, const struct r2star_map *map,
			       int threads, struct status *st) STATUS_CHECKED;

#endif
