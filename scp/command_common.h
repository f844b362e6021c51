/* command_common.h - private to the commands: options and configuration, said the same way
 * everywhere. */
#ifndef COMMAND_COMMON_H
#define COMMAND_COMMON_H

#include <stdbool.h>

#include "config.h"

enum command_option_kind { COMMAND_FLAG, COMMAND_TEXT, COMMAND_LIST };

/* An option that may be given several times. */
#define COMMAND_LIST_ROOM 16
struct command_list {
	const char *items[COMMAND_LIST_ROOM];
	int count;
};

struct command_option {
	char letter;	  /* 0: only the long name */
	const char *name; /* long name */
	enum command_option_kind kind;
	void *target; /* bool *, const char ** or struct command_list * */
};

/* Parses up to 14 options; help is printed for --help. Returns -1 to go on (operands are
 * argv[*first] ...), else the exit code. */
int command_options(int *first, int argc, char **argv, const char *help,
		    const struct command_option *options, int n_options);

/* "holmia COMMAND: WORDS" and where to look; returns 2. */
int command_usage(const char *command, const char *words);

/* *value of the option as a number from least to most. Returns -1 to go on (text NULL: *value is
 * left alone), else 2, with words on stderr. */
int command_number(double *value, const char *command, const char *option, const char *text,
		   double least, double most);

/* Loads the configuration and prints its errors to stderr (warnings only when asked). path NULL:
 * says that -c is needed. Returns 0, or the exit code with *config NULL. */
int command_config(struct config **config, const char *path, const char *command,
		   bool with_warnings);

/* "2026-03-02 10:05:00" in the machine's zone; "-" for NaN. */
const char *command_time(char text[32], double utc_s);

#endif
