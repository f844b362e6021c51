/* command_run.c - holmia run: the node, in the foreground. */
#include "commands.h"

#include <stdio.h>

#include "command_common.h"
#include "dataset.h"
#include "log.h"
#include "process.h"

static const char help[] =
    "usage: holmia run -c CONFIG [--verbose]\n"
    "\n"
    "The node, in the foreground: receives series by C-STORE, computes, delivers to the "
    "configured\n"
    "destinations. Events go to stderr, one line each. SIGTERM or SIGINT stops it in order.\n"
    "\n"
    "  -c, --config CONFIG   the configuration (`holmia check -c CONFIG` says what is wrong with "
    "it)\n"
    "  -v, --verbose         more lines\n"
    "  -h, --help\n"
    "\n"
    "exit: 0 stopped, 2 configuration, 3 port or spool in use, or no memory, 4 bug\n";

static void say_listening(const struct config *config)
{
	printf("listening on %s port %d as %s, spool %s\n", config->bind_address, config->port,
	       config->ae_title, config->spool);
	fflush(stdout);
}

int command_run(int argc, char **argv)
{
	const char *path = NULL;
	bool verbose = false;
	const struct command_option options[] = {
	    {'c', "config", COMMAND_TEXT, &path},
	    {'v', "verbose", COMMAND_FLAG, &verbose},
	};
	int first = 0;
	int exit_code = command_options(&first, argc, argv, help, options, 2);
	if (exit_code >= 0)
		return exit_code;
	if (first < argc)
		return command_usage("run", "takes no operands");
	struct config *config = NULL;
	exit_code = command_config(&config, path, "run", true);
	if (exit_code != 0)
		return exit_code;
	if (verbose)
		log_set_level(LOG_DEBUG_LINE);
	log_set_role("master");
	struct status st = STATUS_INIT;
	enum status_code code = dataset_library_init(&st);
	if (code == STATUS_OK)
		code = node_run(config, say_listening, &st);
	if (code != STATUS_OK)
		fprintf(stderr, "holmia run: %s\n", st.text);
	config_free(config);
	return (int)code;
}
