/* holmia check: every fault of the configuration and of its surroundings at once. */
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "association.h"
#include "command_common.h"
#include "commands.h"
#include "control.h"
#include "dataset.h"
#include "treatment.h"

#define ECHO_TIMEOUT_S 5

static const char help[] =
    "usage: holmia check -c CONFIG\n"
    "\n"
    "Reports every fault of the configuration, with file and line, and tests its surroundings:\n"
    "spool and disk space, port, time zone, DICOM dictionary, and each destination by C-ECHO.\n"
    "Changes nothing (the spool folder is not made).\n"
    "\n"
    "exit: 0 usable (warnings may stand), 2 faults\n";

struct check {
	int faults, warnings;
	bool node_runs;
};

static void say(struct check *check, const char *kind, const char *words)
{
	/* by their letters: GCC's sanitizer build takes strcmp() of two literals as a mistake */
	check->faults += kind[0] == 'e';
	check->warnings += kind[0] == 'w';
	printf("%-8s %s\n", kind, words);
}

static void check_spool(struct check *check, const struct config *config)
{
	char words[1500], folder[1024];
	struct statvfs disk;
	struct stat about;
	snprintf(folder, sizeof folder, "%s", config->spool);
	if (stat(folder, &about) != 0) { /* it is made at the start: its parent has to be there */
		char *slash = strrchr(folder, '/');
		if (slash == NULL)
			snprintf(folder, sizeof folder, ".");
		else
			slash[slash == folder] = '\0';
	} else if (!S_ISDIR(about.st_mode)) {
		snprintf(words, sizeof words, "spool %s is not a folder", folder);
		say(check, "error", words);
		return;
	}
	if (access(folder, R_OK | W_OK | X_OK) != 0 || statvfs(folder, &disk) != 0) {
		snprintf(words, sizeof words, "spool: %s cannot be used: %s", folder,
			 strerror(errno));
		say(check, "error", words);
		return;
	}
	double free_mb = (double)disk.f_bavail * (double)disk.f_frsize / 1e6;
	snprintf(words, sizeof words,
		 "spool %s: %.0f MB free (the node refuses instances below %.0f MB)", config->spool,
		 free_mb, config->min_free_disk_mb);
	say(check, free_mb < config->min_free_disk_mb ? "error" : "ok", words);
	check->node_runs = control_node_runs(config->spool);
}

static void check_port(struct check *check, const struct config *config)
{
	char port[16], words[600];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
			*address = NULL;
	const int yes = 1;
	if (check->node_runs) {
		snprintf(words, sizeof words, "port %d: the node is running", config->port);
		say(check, "ok", words);
		return;
	}
	snprintf(port, sizeof port, "%d", config->port);
	int failed = getaddrinfo(config->bind_address[0] ? config->bind_address : NULL, port,
				 &hints, &address);
	int fd = failed == 0 ? socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (failed != 0) {
		snprintf(words, sizeof words, "bind-address %s: %s", config->bind_address,
			 gai_strerror(failed));
		say(check, "error", words);
	} else if (fd < 0 || bind(fd, address->ai_addr, address->ai_addrlen) != 0) {
		snprintf(words, sizeof words,
			 "%s port %d: %s; choose another port or end what uses it",
			 config->bind_address, config->port, strerror(errno));
		say(check, "error", words);
	} else {
		snprintf(words, sizeof words, "%s port %d is free", config->bind_address,
			 config->port);
		say(check, "ok", words);
	}
	if (fd >= 0)
		close(fd);
	if (address != NULL)
		freeaddrinfo(address);
}

static void check_clock(struct check *check, const struct config *config)
{
	char datetime[33], offset[8], words[200];
	site_time_from_utc((double)time(NULL), config->time_zone, datetime, offset);
	snprintf(words, sizeof words, "time zone %s: it is now %.4s-%.2s-%.2s %.2s:%.2s %s",
		 config->time_zone, datetime, datetime + 4, datetime + 6, datetime + 8,
		 datetime + 10, offset);
	say(check, strlen(datetime) >= 14 ? "ok" : "error", words);
}

/* A destination that does not answer is a warning: results wait for it. */
static void check_destination(struct check *check, const struct config *config,
			      const struct config_destination *destination)
{
	struct status st = STATUS_INIT;
	struct association *association = NULL;
	char words[1200];
	const struct association_peer peer = {.host = destination->host,
					      .port = destination->port,
					      .calling_ae = config->ae_title,
					      .called_ae = destination->ae_title};
	const struct association_limits limits = {.request_timeout_s = ECHO_TIMEOUT_S,
						  .idle_timeout_s = ECHO_TIMEOUT_S,
						  .total_timeout_s = 2 * ECHO_TIMEOUT_S,
						  .max_bytes = 1 << 20};
	static const char *const classes[] = {"1.2.840.10008.5.1.4.1.1.481.2",
					      "1.2.840.10008.5.1.4.1.1.88.34"};
	if (association_open(&association, &peer, classes, 2, &limits, &st) == STATUS_OK &&
	    association_echo(association, &st) == STATUS_OK)
		association_release(association);
	association_free(association);
	snprintf(words, sizeof words, "destination %s (%s at %s port %d)%s%s", destination->name,
		 destination->ae_title, destination->host, destination->port,
		 st.code == STATUS_OK ? " answers C-ECHO" : ": ", st.text);
	say(check, st.code == STATUS_OK ? "ok" : "warning", words);
}

int command_check(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct check check = {0};
	struct config *config = NULL;
	const char *path = NULL;
	int first = 0;
	const struct command_option options[] = {{'c', "config", COMMAND_TEXT, &path}};
	int code = command_options(&first, argc, argv, help, options, 1);
	if (code >= 0)
		return code;
	if (first != argc)
		return command_usage("check", "takes only -c CONFIG");
	code = command_config(&config, path, "check", true);
	if (config == NULL)
		return code;
	signal(SIGPIPE, SIG_IGN);
	check_spool(&check, config);
	check_port(&check, config);
	check_clock(&check, config);
	if (dataset_library_init(&st) != STATUS_OK)
		say(&check, "error", st.text);
	else
		say(&check, "ok", "DICOM dictionary and decoders");
	for (int i = 0; i < config->n_destinations; i++)
		check_destination(&check, config, &config->destinations[i]);
	if (config->n_destinations == 0)
		say(&check, "warning", "no destination: results stay in the spool");
	printf("%d errors, %d warnings\n", check.faults, check.warnings);
	config_free(config);
	return check.faults > 0 ? 2 : 0;
}
