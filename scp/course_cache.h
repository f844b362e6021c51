/* course_cache.h - what is computed of a treatment up to a scan, kept as <spool>/maps/<key>.course.
 *
 * The dosimetry of a scan goes on from that of the scans before it (dosimetry.h: dosimetry_run()),
 * and the report of a map's job begins where the map ended. Kept are the figures of every time
 * point, the sums that the next increment needs, and the means of the stored dose that a report
 * cites. The key (job_dosimetry.c) holds every input of these numbers. */
#ifndef COURSE_CACHE_H
#define COURSE_CACHE_H

#include "dosimetry.h"

/* result: empty; then owned by the caller. stored_mean_gy: by region and time point.
 * found false: absent or damaged; result stays empty. STATUS_RETRY: cannot be read just now, or no
 * memory. */
enum status_code course_cache_get(struct dosimetry_result *result,
				  double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS],
				  bool *found, const char *spool, const char *key, int threads,
				  struct status *st) STATUS_CHECKED;

enum status_code course_cache_put(const char *spool, const char *key,
				  const struct dosimetry_result *result,
				  double stored_mean_gy[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS],
				  int threads, struct status *st) STATUS_CHECKED;

#endif
