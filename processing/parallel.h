/* parallel.h - one loop over independent pieces on a few threads.
 *
 * Calls work(user, first, last) for consecutive ranges [first, last) that cover [0, count) exactly once.
 * The ranges depend only on count and chunk, never on the number of threads, so that a caller that keeps
 * one partial sum per range and adds them in order gets the same bits at any thread count.
 * Falls back to the calling thread when no thread can be made. */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stddef.h>

void parallel_for(size_t count, size_t chunk, int threads,
                  void (*work)(void *user, size_t first, size_t last), void *user);

#endif
