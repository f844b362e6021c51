/* parallel.h - one loop over independent pieces on a few threads.
 *
 * Calls work(user, first, last) for consecutive ranges [first, last) that cover [0, count) exactly
 * once, in any order and at the same time; work must not write what another range reads. Ranges are
 * `chunk` long (the last one may be shorter) whatever the number of threads, so that a caller that
 * keeps one partial sum per range and adds them in order gets the same bits at any thread count.
 *
 * The calling thread takes part; threads - 1 others (63 at most) live only as long as the call.
 * Where none can be made the calling thread does it all. */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stddef.h>

void parallel_for(size_t count, size_t chunk, int threads,
		  void (*work)(void *user, size_t first, size_t last), void *user);

#endif
