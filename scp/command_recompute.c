/* holmia recompute and holmia resend: the two ways to do something again. */
#include "command_common.h"
#include "commands.h"
#include "control.h"

static const char recompute_help[] =
    "usage: holmia recompute -c CONFIG TREATMENT\n"
    "\n"
    "Makes the results of a treatment again, from its images, as a new version that names its\n"
    "predecessor. TREATMENT is a record id or a Patient ID (holmia status). Neither a new\n"
    "software version nor the same images sent again ever recompute.\n"
    "\n"
    "exit: 0 queued, 1 no such treatment, 2 usage or configuration, 3 temporary, 4 bug\n";

static const char resend_help[] =
    "usage: holmia resend -c CONFIG (NUMBER | --all)\n"
    "\n"
    "Queues a delivery again, whatever became of it; --all: those that failed. holmia status\n"
    "shows the numbers.\n"
    "\n"
    "exit: 0 queued, 1 no such delivery, 2 usage or configuration, 3 temporary, 4 bug\n";

/* all NULL: the command has no --all */
static int ask(int argc, char **argv, const char *command, const char *help, bool *all,
	       const char *missing)
{
	struct config *config = NULL;
	const char *path = NULL;
	int first = 0;
	const struct command_option options[] = {{'c', "config", COMMAND_TEXT, &path},
						 {0, "all", COMMAND_FLAG, all}};
	int code = command_options(&first, argc, argv, help, options, all != NULL ? 2 : 1);
	if (code >= 0)
		return code;
	bool everything = all != NULL && *all;
	if (argc - first != (everything ? 0 : 1))
		return command_usage(command, missing);
	code = command_config(&config, path, command, false);
	if (config == NULL)
		return code;
	const char *const request[] = {command, everything ? "all" : argv[first]};
	code = control_run(config, 2, request);
	config_free(config);
	return code;
}

int command_recompute(int argc, char **argv)
{
	return ask(argc, argv, "recompute", recompute_help, NULL,
		   "name one treatment: a record id or a Patient ID");
}

int command_resend(int argc, char **argv)
{
	bool all = false;
	return ask(argc, argv, "resend", resend_help, &all,
		   "name one delivery by its number, or --all");
}
