/* holmia treatment: records of the running node (or of its spool, when it does not run). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_common.h"
#include "commands.h"
#include "control.h"
#include "treatment_store.h"

static const char help[] =
    "usage: holmia treatment add      -c CONFIG RECORD.xml...  a record, or a higher revision\n"
    "       holmia treatment replace  -c CONFIG RECORD.xml     the same as add\n"
    "       holmia treatment list     -c CONFIG                id, revision, patient, when, who\n"
    "       holmia treatment show     -c CONFIG ID             the record in force, as XML\n"
    "       holmia treatment withdraw -c CONFIG ID             compute nothing more from it; "
    "results\n"
    "                                                         made so far stay in the PACS\n"
    "\n"
    "A record says what the images do not: injections with times and activities\n"
    "(config/treatment.xsd). Which series belongs to which injection follows from the times; a\n"
    "record may name series and then decides: there is no assign, name the series in a higher\n"
    "revision. Works with the running node, and without it on\n"
    "its spool.\n"
    "\n"
    "exit: 0 done, 1 refused (words say why), 2 usage or configuration, 3 temporary, 4 bug\n";

static int add_file(const struct config *config, const char *path)
{
	char *xml = NULL;
	size_t size = 0;
	int byte, code = 3;
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		fprintf(stderr, "holmia treatment: %s: %s\n", path, strerror(errno));
		return 2;
	}
	FILE *memory = open_memstream(&xml, &size);
	while (memory != NULL && (byte = getc(file)) != EOF)
		putc(byte, memory);
	fclose(file);
	if (memory != NULL && fclose(memory) == 0 && strlen(xml) == size) {
		const char *const request[] = {"treatment-add", path, xml};
		code = control_run(config, 3, request);
	} else {
		fprintf(stderr, "holmia treatment: %s: not a text file, or no memory\n", path);
		code = 1;
	}
	free(xml);
	return code;
}

static enum status_code list(struct store *store, struct status *st)
{
	struct record_row *rows = NULL;
	int count = 0;
	if (record_list(&rows, &count, store, NULL, NULL, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count; i++) {
		char when[32];
		printf("%s  revision %d%s  patient \"%s\"%s%s  entered %s%s%s\n", rows[i].record_id,
		       rows[i].revision, rows[i].withdrawn ? " (withdrawn)" : "",
		       rows[i].patient_id, rows[i].patient_issuer[0] ? " of " : "",
		       rows[i].patient_issuer, command_time(when, rows[i].added_s),
		       rows[i].entered_by[0] ? " by " : "", rows[i].entered_by);
	}
	if (count == 0)
		puts("no treatment records");
	free(rows);
	return STATUS_OK;
}

static enum status_code show(struct store *store, const char *record_id, struct status *st)
{
	char *xml = NULL;
	if (record_text(&xml, store, record_id, st) == STATUS_OK)
		fputs(xml, stdout);
	free(xml);
	return st->code;
}

/* list and show look into the database themselves: that works beside the running node. */
static int look(const struct config *config, const char *record_id)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	if (store_open_reader(&store, config->spool, &st) == STATUS_OK)
		(void)!(record_id == NULL ? list(store, &st) : show(store, record_id, &st));
	store_close(store);
	if (st.code != STATUS_OK)
		fprintf(stderr, "holmia treatment: %s\n", st.text);
	return (int)st.code;
}

static int act(const struct config *config, const char *action, int count, char **operands)
{
	int worst = 0;
	if (strcmp(action, "list") == 0 && count == 0)
		return look(config, NULL);
	if (strcmp(action, "show") == 0 && count == 1)
		return look(config, operands[0]);
	if (strcmp(action, "withdraw") == 0 && count == 1) {
		const char *const request[] = {"treatment-withdraw", operands[0]};
		return control_run(config, 2, request);
	}
	if ((strcmp(action, "add") == 0 || strcmp(action, "replace") == 0) && count >= 1) {
		for (int i = 0; i < count; i++) {
			int code = add_file(config, operands[i]);
			worst = code > worst ? code : worst;
		}
		return worst;
	}
	if (strcmp(action, "assign") == 0)
		return command_usage(
		    "treatment",
		    "assign: name the series in the record (baseline and after-injection "
		    "series UIDs) and add it with a higher revision");
	return command_usage("treatment", "add | replace RECORD.xml, list, show ID, withdraw ID");
}

int command_treatment(int argc, char **argv)
{
	struct config *config = NULL;
	const char *path = NULL;
	int first = 0;
	const struct command_option options[] = {{'c', "config", COMMAND_TEXT, &path}};
	int code = command_options(&first, argc, argv, help, options, 1);
	if (code >= 0)
		return code;
	if (first == argc)
		return command_usage("treatment", "add | list | show | replace | withdraw?");
	code = command_config(&config, path, "treatment", false);
	if (config == NULL)
		return code;
	code = act(config, argv[first], argc - first - 1, argv + first + 1);
	config_free(config);
	return code;
}
