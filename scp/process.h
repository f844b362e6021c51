/* process.h - what the node's processes share.
 *
 *   master (node.c)  listens, forks one receiver per association, keeps indexer, workers and sender alive
 *   receiver         one association; appends to its reception log; wakes the indexer
 *   indexer          the only writer of the catalogue; assesses treatments; queues jobs; wakes the workers; answers the command line
 *   worker           one job at a time; wakes the sender (and the indexer, to look again)
 *   sender           delivers the outbox
 *
 * Waking is one byte down a pipe that the master made before it forked; a lost byte only costs the poll interval (1 s).
 * On SIGTERM (g_stop set) each ends its current step and returns; the master gives them 5 s. */
#ifndef PROCESS_H
#define PROCESS_H

#include <signal.h>

#include "config.h"

struct wake_pipes {
	int indexer[2], worker[2], sender[2]; /* [0] read, [1] write; non-blocking, close-on-exec */
};

extern volatile sig_atomic_t process_stop; /* set by SIGTERM and SIGINT; the one global besides the log level */

/* Waits for a byte (all waiting bytes are eaten) or timeout; returns at once when process_stop is set. extra_fd (-1 none) wakes too. */
void process_wait(int read_fd, int extra_fd, int timeout_ms);
void process_wake(int write_fd);

/* Bodies of the forked processes; they return the exit code. */
int indexer_main(const struct config *config, const struct wake_pipes *wake);
int worker_main(const struct config *config, const struct wake_pipes *wake, int worker_number);
int sender_main(const struct config *config, const struct wake_pipes *wake);
/* fd: the accepted connection. */
int receiver_main(const struct config *config, const struct wake_pipes *wake, int fd, const char *peer_address);

/* holmia run: listens until SIGTERM. */
enum status_code node_run(const struct config *config, struct status *st) STATUS_CHECKED;

#endif
