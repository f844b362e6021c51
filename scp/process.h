/* process.h - what the node's processes share.
 *
 *   master (node.c)  listens, forks one receiver per association, keeps the others alive
 *   receiver         one association; appends to its reception log; wakes the indexer
 *   indexer          the only writer of the catalogue; assesses treatments; queues jobs; wakes the
 *                    workers; answers the command line
 *   worker           one job at a time; wakes the sender
 *   sender           delivers the outbox
 *
 * Waking is one byte down a pipe that the master made before it forked; a lost byte only costs the
 * poll interval (1 s). Only one of several readers of a pipe gets a byte: whoever wakes n workers
 * sends n bytes, and a worker that found a job looks for another one.
 *
 * On SIGTERM (process_stop set) each ends its current step and returns; the master gives them 5 s.
 * When the master dies its children get SIGTERM from the kernel. */
#ifndef PROCESS_H
#define PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct wake_pipes {
	int indexer[2], worker[2], sender[2]; /* [0] read, [1] write; non-blocking, close-on-exec */
};

/* Set by SIGTERM and SIGINT; the one global besides the log level. */
extern volatile sig_atomic_t process_stop;

/* Installs the handlers of SIGTERM and SIGINT (they interrupt system calls) and ignores SIGPIPE. */
void process_catch_signals(void);

/* All three pipes; STATUS_RETRY when the process has no descriptors left. */
enum status_code process_make_pipes(struct wake_pipes *wake, struct status *st) STATUS_CHECKED;

/* Waits for a byte (all waiting bytes are eaten) or timeout; returns at once when process_stop is
 * set. extra_fd (-1 none) being readable wakes too, and is not read. A signal ends the wait. */
void process_wait(int read_fd, int extra_fd, int timeout_ms);
void process_wake(int write_fd);

/* Bodies of the forked processes; they return the exit code. Each opens its own database
 * connection. */
int indexer_main(const struct config *config, const struct wake_pipes *wake);
int worker_main(const struct config *config, const struct wake_pipes *wake, int worker_number);
int sender_main(const struct config *config, const struct wake_pipes *wake);
/* fd: the accepted connection, closed here. over_limit: the node has enough associations; this one
 * is answered with a temporary rejection. */
int receiver_main(const struct config *config, const struct wake_pipes *wake, int fd,
		  const char *peer_address, bool over_limit);

/* holmia run: listens until SIGTERM. STATUS_CONFIG: address or spool unusable; STATUS_RETRY: port
 * in use, spool in use by another node, no memory. listening (may be NULL) is called once
 * connections are accepted. */
enum status_code node_run(const struct config *config,
			  void (*listening)(const struct config *config),
			  struct status *st) STATUS_CHECKED;

#endif
