/* holmia quarantine: instances that were set aside because their UID was known with other content.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "command_common.h"
#include "commands.h"
#include "control.h"

static const char help[] =
    "usage: holmia quarantine list    -c CONFIG\n"
    "       holmia quarantine release -c CONFIG [--series] NUMBER   use it, not the older one\n"
    "       holmia quarantine drop    -c CONFIG [--series] NUMBER   never use it; its bytes stay\n"
    "                                                               in the reception log\n"
    "\n"
    "  --series   every quarantined instance of the same series and patient as well\n"
    "\n"
    "Instances whose SOP Instance UID was here before with other content or under another "
    "patient:\n"
    "the first one counts until somebody decides. The list names what cannot be read as well; "
    "that\n"
    "can be neither released nor dropped.\n"
    "\n"
    "exit: 0 done, 1 no such instance, 2 usage or configuration, 3 temporary, 4 bug\n";

static enum status_code print_notes(struct store *store, enum catalogue_state state,
				    const char *what, int *total, struct status *st)
{
	struct catalogue_note *notes = NULL;
	int count = 0;
	if (catalogue_list_notes(&notes, &count, store, state, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count; i++) {
		char when[32];
		printf("%" PRId64 "  %s  %s  %s\n    instance %s  patient \"%s\"\n", notes[i].id,
		       command_time(when, notes[i].received_s), what, notes[i].reason,
		       notes[i].sop_instance_uid, notes[i].patient_id);
	}
	*total += count;
	free(notes);
	return STATUS_OK;
}

static int list(const struct config *config)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	int total = 0;
	if (store_open_reader(&store, config->spool, &st) == STATUS_OK &&
	    print_notes(store, CATALOGUE_STATE_QUARANTINED, "quarantined:", &total, &st) ==
		STATUS_OK)
		(void)!print_notes(store, CATALOGUE_STATE_UNREADABLE, "unreadable:", &total, &st);
	store_close(store);
	if (st.code != STATUS_OK)
		fprintf(stderr, "holmia quarantine: %s\n", st.text);
	else if (total == 0)
		puts("nothing is set aside");
	return (int)st.code;
}

int command_quarantine(int argc, char **argv)
{
	struct config *config = NULL;
	const char *path = NULL;
	int first = 0;
	bool series = false;
	const struct command_option options[] = {{'c', "config", COMMAND_TEXT, &path},
						 {0, "series", COMMAND_FLAG, &series}};
	int code = command_options(&first, argc, argv, help, options, 2);
	if (code >= 0)
		return code;
	int count = argc - first;
	bool listing = count == 1 && strcmp(argv[first], "list") == 0;
	bool release = count == 2 && strcmp(argv[first], "release") == 0;
	bool drop = count == 2 && strcmp(argv[first], "drop") == 0;
	if (!listing && !release && !drop)
		return command_usage("quarantine", "list, release NUMBER, or drop NUMBER");
	code = command_config(&config, path, "quarantine", false);
	if (config == NULL)
		return code;
	if (listing) {
		code = list(config);
	} else {
		const char *const request[] = {release ? "quarantine-release" : "quarantine-drop",
					       argv[first + 1], "series"};
		code = control_run(config, series ? 3 : 2, request);
	}
	config_free(config);
	return code;
}
