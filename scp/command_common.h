/* command_common.h - private to the commands: options and configuration, said the same way
 * everywhere. */
#ifndef COMMAND_COMMON_H
#define COMMAND_COMMON_H

#include <stdbool.h>

#include "config.h"

enum command_option_kind { COMMAND_FLAG, COMMAND_TEXT };

struct command_option {
	char letter;	  /* 0: only the long name */
	const char *name; /* long name */
	enum command_option_kind kind;
	void *target; /* bool * or const char ** */
};

/* Parses up to 12 options; help is printed for --help. Returns -1 to go on (operands are
 * argv[*first] ...), else the exit code. */
int command_options(int *first, int argc, char **argv, const char *help,
		    const struct command_option *options, int n_options);

/* "holmia COMMAND: WORDS" and where to look; returns 2. */
int command_usage(const char *command, const char *words);

/* Loads the configuration and prints its errors to stderr (warnings only when asked). path NULL:
 * says that -c is needed. Returns 0, or the exit code with *config NULL. */
int command_config(struct config **config, const char *path, const char *command,
		   bool with_warnings);

/* "2026-03-02 10:05:00" in the machine's zone; "-" for NaN. */
const char *command_time(char text[32], double utc_s);

#endif
