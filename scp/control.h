/* control.h - how the command line talks to the running node.
 *
 * A Unix socket <spool>/control.sock (mode 0600), served by the indexer, because it is the only
 * writer of the catalogue. One request per connection: a list of texts, as a program gets its
 * arguments; one answer: an exit code and text for people. Without a running node the same command
 * is executed directly on the database (control_run() decides), so a command means the same in both
 * cases.
 *
 *   treatment-add NAME XML    treatment-withdraw RECORD    recompute KEY    resend ID|all
 *   quarantine-release ID [series]    quarantine-drop ID [series]    ping
 *
 * Exit codes are those of the command line: 0 done, 1 refused, 2 usage, 3 temporary, 4 bug. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdio.h>

#include "config.h"
#include "store.h"

/* What a command started, for whoever has processes to wake. */
struct control_effects {
	int jobs;	 /* jobs added */
	bool deliveries; /* the outbox has something due */
};

/* ---- in the node ---- */

/* Listens (an old socket file is replaced). STATUS_CONFIG: the spool does not allow it. */
enum status_code control_listen(int *listen_fd, const char *spool,
				struct status *st) STATUS_CHECKED;
/* Serves every connection that waits; a caller that is silent for 5 s is dropped. */
void control_serve(int listen_fd, struct store *store, const struct config *config,
		   struct control_effects *effects);
void control_close(int listen_fd, const char *spool);

/* ---- the commands themselves ---- */

/* Executes one request on the database, plans what it changed, writes words to out, returns the
 * exit code. */
int control_execute(FILE *out, struct store *store, const struct config *config, int argc,
		    const char *const *argv, struct control_effects *effects);

/* ---- in the command line ---- */

/* True when a node answers on this spool. */
bool control_node_runs(const char *spool);
/* Sends a request to the running node, or executes it here; words go to stdout (exit code 0) or
 * stderr. Returns the exit code. */
int control_run(const struct config *config, int argc, const char *const *argv);

#endif
