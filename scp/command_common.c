#define _GNU_SOURCE /* getopt_long */
#include "command_common.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_OPTIONS 14
#define LONG_ONLY   256

/* False: a list is full. */
static bool take(const struct command_option *option, const char *text)
{
	struct command_list *list;
	switch (option->kind) {
	case COMMAND_FLAG:
		*(bool *)option->target = true;
		return true;
	case COMMAND_TEXT:
		*(const char **)option->target = text;
		return true;
	case COMMAND_LIST:
		break;
	}
	list = option->target;
	if (list->count == COMMAND_LIST_ROOM)
		return false;
	list->items[list->count++] = text;
	return true;
}

int command_options(int *first, int argc, char **argv, const char *help,
		    const struct command_option *options, int n_options)
{
	struct option longs[MAX_OPTIONS + 2] = {{0}};
	char letters[2 * MAX_OPTIONS + 4] = "h";
	size_t length = 1;
	for (int i = 0; i < n_options && i < MAX_OPTIONS; i++) {
		bool text = options[i].kind != COMMAND_FLAG;
		longs[i] = (struct option){options[i].name, text ? required_argument : no_argument,
					   NULL, LONG_ONLY + i};
		if (options[i].letter != 0) {
			letters[length++] = options[i].letter;
			if (text)
				letters[length++] = ':';
		}
	}
	letters[length] = '\0';
	longs[n_options] = (struct option){"help", no_argument, NULL, 'h'};
	optind = 1;
	int found;
	while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (found == 'h') {
			fputs(help, stdout);
			return 0;
		}
		int index = found >= LONG_ONLY ? found - LONG_ONLY : -1;
		for (int i = 0; i < n_options && index < 0; i++)
			if (options[i].letter == found)
				index = i;
		if (index < 0) { /* getopt has named the option on stderr */
			fprintf(stderr, "%s", help);
			return 2;
		}
		if (!take(&options[index], optarg)) {
			fprintf(stderr, "--%s: given more than %d times\n", options[index].name,
				COMMAND_LIST_ROOM);
			return 2;
		}
	}
	*first = optind;
	return -1;
}

int command_usage(const char *command, const char *words)
{
	fprintf(stderr, "holmia %s: %s\nTry `holmia %s --help`.\n", command, words, command);
	return 2;
}

int command_number(double *value, const char *command, const char *option, const char *text,
		   double least, double most)
{
	char *end, words[200];
	if (text == NULL)
		return -1;
	double number = strtod(text, &end);
	if (end != text && *end == '\0' && number >= least && number <= most) {
		*value = number;
		return -1;
	}
	snprintf(words, sizeof words, "--%s %.60s: expected a number from %g to %g", option, text,
		 least, most);
	return command_usage(command, words);
}

int command_config(struct config **config, const char *path, const char *command,
		   bool with_warnings)
{
	struct status st = STATUS_INIT;
	struct config_faults faults = {0};
	*config = NULL;
	if (path == NULL)
		return command_usage(command,
				     "-c CONFIG is needed: no clinical number has a default. "
				     "config/holmia.example.xml is a configuration to start from.");
	enum status_code code = config_load(config, &faults, path, &st);
	for (int i = 0; i < faults.count; i++) {
		char line[1500];
		if (faults.faults[i].warning && !with_warnings)
			continue;
		config_fault_format(line, sizeof line, path, &faults.faults[i]);
		fprintf(stderr, "%s\n", line);
	}
	if (code != STATUS_OK && faults.errors == 0)
		fprintf(stderr, "holmia %s: %s\n", command, st.text);
	config_faults_free(&faults);
	return (int)code;
}

const char *command_time(char text[32], double utc_s)
{
	struct tm parts;
	time_t seconds = isfinite(utc_s) ? (time_t)utc_s : 0;
	if (!isfinite(utc_s) || localtime_r(&seconds, &parts) == NULL ||
	    strftime(text, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0)
		snprintf(text, 32, "-");
	return text;
}
