#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MOST_HELPERS = 63 };

struct loop {
	size_t count, chunk;
	atomic_size_t next; /* first index nobody has taken yet */
	void (*work)(void *user, size_t first, size_t last);
	void *user;
};

static void *take_ranges(void *argument)
{
	struct loop *loop = argument;

	for (;;) {
		size_t first = atomic_fetch_add(&loop->next, loop->chunk);
		size_t left;

		if (first >= loop->count)
			return NULL;
		left = loop->count - first;
		loop->work(loop->user, first, first + (left < loop->chunk ? left : loop->chunk));
	}
}

void parallel_for(size_t count, size_t chunk, int threads,
		  void (*work)(void *user, size_t first, size_t last), void *user)
{
	struct loop loop = {
	    .count = count, .chunk = chunk > 0 ? chunk : 1, .work = work, .user = user};
	pthread_t helpers[MOST_HELPERS];
	size_t ranges = (count + loop.chunk - 1) / loop.chunk;
	int started = 0;

	atomic_init(&loop.next, 0);
	while (started < threads - 1 && started < MOST_HELPERS && (size_t)started + 1 < ranges &&
	       pthread_create(&helpers[started], NULL, take_ranges, &loop) == 0)
		started++;
	take_ranges(&loop);
	for (int i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
}
