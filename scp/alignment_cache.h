/* alignment_cache.h - what a registration answered, kept as <spool>/maps/<key>.rig.
 *
 * A cache like that of the maps (map_cache.h): every file can be made again. The key holds the
 * evidence of both images and of the region, the parameters and the version of the method, so a
 * file never has to be changed. It is text: a line with the version, the key, the numbers in
 * hexadecimal so that they come back bit by bit, and a checksum; what is cut, damaged or of another
 * version counts as absent. */
#ifndef ALIGNMENT_CACHE_H
#define ALIGNMENT_CACHE_H

#include "alignment.h"

/* key is "" without memory. */
void alignment_cache_key(char key[65], const struct alignment_request *request);

/* found false: absent or damaged. STATUS_RETRY: the file cannot be read just now. failed: as
 * written. */
enum status_code alignment_cache_get(struct registration_result *answer, char failed[200],
				     bool *found, const char *spool, const char *key,
				     struct status *st) STATUS_CHECKED;

/* failed: words of a registration that could not begin, which is an answer too; else "".
 * STATUS_RETRY: disk full or not writable; nothing is left behind. */
enum status_code alignment_cache_put(const char *spool, const char *key,
				     const struct registration_result *answer, const char *failed,
				     struct status *st) STATUS_CHECKED;

#endif
