/* holmia - the command line. The only file that ends the process on purpose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *words;
} commands[] = {
    {"run", command_run, "the node: receives, computes, delivers (in the foreground)"},
    {"check", command_check, "every fault of a configuration and its surroundings at once"},
    {"dose", command_dose, "the same computation on files and folders, without a network"},
    {"treatment", command_treatment, "add | list | show | replace | withdraw: treatment records"},
    {"status", command_status, "what each treatment has and waits for; jobs, deliveries, alarms"},
    {"recompute", command_recompute, "make the results of a treatment again, as a new version"},
    {"resend", command_resend, "queue deliveries again"},
    {"quarantine", command_quarantine, "list | release | drop: instances set aside"},
    {"prescribe", command_prescribe, "a plan: activity per catheter position, predicted doses"},
    {"calibrate", command_calibrate, "a relaxivity of your own from a scan of vials"},
    {"phantom", command_phantom, "write a synthetic treatment whose truth is known"},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void help(FILE *file)
{
	fputs("holmia - a DICOM node that computes where holmium-166 microspheres went and what "
	      "dose they give\n\n"
	      "usage: holmia COMMAND [OPTIONS]\n\n",
	      file);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].words);
	fputs("\n  holmia COMMAND --help says more; holmia --version\n\n"
	      "To see it work without a PACS:\n"
	      "  holmia phantom -o /tmp/p --small\n"
	      "  holmia dose -c config/holmia.example.xml -t /tmp/p/treatment.xml -o /tmp/r "
	      "/tmp/p/dicom\n\n"
	      "Exit codes: 0 done, 1 refused input, 2 usage or configuration, 3 temporary, 4 bug.\n"
	      "For research; not a certified medical device.\n",
	      file);
}

int main(int argc, char **argv)
{
	umask(077);
	if (argc < 2) {
		help(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("holmia " HOLMIA_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		help(stdout);
		return 0;
	}
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			exit(commands[i].run(argc - 1, argv + 1));
	fprintf(stderr, "holmia: there is no command \"%s\". Try `holmia --help`.\n", argv[1]);
	return 2;
}
