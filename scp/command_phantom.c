/* command_phantom.c - holmia phantom: a synthetic treatment on disk. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "commands.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phantom_command.h"
#include "process.h"

#define PATH_ROOM 3072

void phantom_progress(const char *what, int done, int of)
{
	int step = of >= 10 ? of / 10 : 1;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rphantom: %s: %d of %d%s", what, done, of,
			done == of ? "\n" : "");
	else if (done % step == 0 || done == of)
		fprintf(stderr, "phantom: %s: %d of %d\n", what, done, of);
}

enum status_code phantom_close_file(FILE *file, const char *path, struct status *st)
{
	bool failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed)
		return status_fail(st, STATUS_RETRY, "cannot write %s: %s", path, strerror(errno));
	return STATUS_OK;
}

const char *phantom_role_name(enum phantom_role role)
{
	static const char *const names[] = {[PHANTOM_LIVER] = "liver",
					    [PHANTOM_RIGHT] = "part",
					    [PHANTOM_LEFT] = "part",
					    [PHANTOM_TUMOUR] = "tumour",
					    [PHANTOM_NECROSIS] = "necrosis"};
	return names[role];
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
	(void)info;
	(void)kind;
	(void)walk;
	return remove(path);
}

/* Makes the DICOM files in unfinished, then the record and the truth. */
static enum status_code make_treatment(struct phantom_treatment *treatment,
				       const struct phantom_options *options,
				       const char *unfinished, struct status *st)
{
	char path[PATH_ROOM + 32];
	if (options->vials)
		return phantom_write_rack(options, unfinished, st);
	if (options->onto) {
		if (phantom_write_onto(treatment, options, unfinished, st) != STATUS_OK)
			return st->code;
	} else {
		if (phantom_plan_abdomen(treatment, options, st) != STATUS_OK ||
		    phantom_write_abdomen(treatment, unfinished, st) != STATUS_OK)
			return st->code;
	}
	if (phantom_write_structures(treatment, unfinished, st) != STATUS_OK ||
	    (options->emission && phantom_write_emission(treatment, unfinished, st) != STATUS_OK))
		return st->code;
	snprintf(path, sizeof path, "%s/treatment.xml", options->out);
	if (phantom_write_record(treatment, path, st) != STATUS_OK)
		return st->code;
	snprintf(path, sizeof path, "%s/truth.json", options->out);
	if (phantom_write_truth(treatment, path, st) != STATUS_OK)
		return st->code;
	return STATUS_OK;
}

static enum status_code run(const struct phantom_options *options, struct status *st)
{
	char unfinished[PATH_ROOM + 32], finished[PATH_ROOM + 32];
	if (strlen(options->out) >= PATH_ROOM)
		return status_fail(st, STATUS_CONFIG, "the name of the folder is too long");
	snprintf(finished, sizeof finished, "%s/dicom", options->out);
	snprintf(unfinished, sizeof unfinished, "%s/.unfinished", options->out);
	if (phantom_make_folder(options->out, st) != STATUS_OK)
		return st->code;
	if (access(finished, F_OK) == 0)
		return status_fail(st, STATUS_CONFIG,
				   "%s exists; remove it or choose another folder", finished);
	(void)nftw(unfinished, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (phantom_make_folder(unfinished, st) != STATUS_OK)
		return st->code;

	struct phantom_treatment *treatment = calloc(1, sizeof *treatment);
	if (!treatment)
		status_fail(st, STATUS_RETRY, "no memory");
	else
		(void)!make_treatment(treatment, options, unfinished, st);
	if (st->code == STATUS_OK && rename(unfinished, finished) != 0)
		status_fail(st, STATUS_CONFIG, "cannot name %s: %s", finished, strerror(errno));
	if (st->code != STATUS_OK)
		(void)nftw(unfinished, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(treatment);
	return st->code;
}

static int exit_code(enum status_code code)
{
	switch (code) {
	case STATUS_OK:
		return 0;
	case STATUS_REFUSE:
		return 1;
	case STATUS_CONFIG:
		return 2;
	case STATUS_RETRY:
		return 3;
	case STATUS_BUG:
		break;
	}
	return 4;
}

int command_phantom(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct phantom_options options;
	if (!phantom_parse_options(&options, argc, argv, &st)) {
		fputs(phantom_usage(), stdout);
		return 0;
	}
	if (st.code == STATUS_OK && dataset_library_init(&st) == STATUS_OK) {
		process_catch_signals();
		(void)!run(&options, &st);
	}
	if (st.code != STATUS_OK)
		fprintf(stderr, "holmia phantom: %s\n", st.text);
	else
		fprintf(stderr, "phantom: done: %s/dicom, %s\n", options.out,
			options.vials ? "vials.csv, vials.json" : "treatment.xml, truth.json");
	return exit_code(st.code);
}
