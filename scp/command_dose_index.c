#include "command_dose.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"

#define PROGRESS_FILES 1000
#define MAX_DEPTH      32

static enum status_code index_path(struct dose_run *run, const char *path, int depth,
				   struct status *st);

static enum status_code index_file(struct dose_run *run, const char *path, struct status *st)
{
	char words[240];
	bool used = false;
	struct status own = STATUS_INIT;
	run->files++;
	if (indexer_add_file(&used, words, run->store, run->config, path, &run->touched, &own) !=
	    STATUS_OK) {
		/* a file that cannot be opened may be one of the images: not silently passed over
		 */
		return status_fail(st, own.code, "%s", own.text);
	}
	run->used += used;
	run->passed_over += !used;
	if (!used && strcmp(words, "not DICOM") != 0 && strstr(words, "not an input") == NULL)
		fprintf(stderr, "passed over: %s: %s\n", path, words);
	if (run->files % PROGRESS_FILES == 0)
		fprintf(stderr, "read %d files, %d used\n", run->files, run->used);
	return STATUS_OK;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static enum status_code index_folder(struct dose_run *run, const char *path, int depth,
				     struct status *st)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, visible, alphasort);
	if (count < 0)
		return status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *inner = malloc(strlen(path) + strlen(entries[i]->d_name) + 2);
		if (inner == NULL)
			status_fail(st, STATUS_RETRY, "no memory for a path");
		if (inner != NULL && st->code == STATUS_OK) {
			sprintf(inner, "%s/%s", path, entries[i]->d_name);
			(void)!index_path(run, inner, depth + 1, st);
		}
		free(inner);
		free(entries[i]);
	}
	free(entries);
	return st->code;
}

static enum status_code index_path(struct dose_run *run, const char *path, int depth,
				   struct status *st)
{
	struct stat about, out;
	if (process_stop)
		return status_fail(st, STATUS_RETRY, "interrupted");
	if (stat(path, &about) != 0) {
		if (depth > 0) /* a dangling link inside a folder */
			return STATUS_OK;
		return status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
	}
	if (S_ISREG(about.st_mode))
		return index_file(run, path, st);
	if (!S_ISDIR(about.st_mode))
		return STATUS_OK;
	if (stat(run->out, &out) == 0 && out.st_dev == about.st_dev && out.st_ino == about.st_ino)
		return STATUS_OK; /* results of an earlier run are no input */
	if (depth > MAX_DEPTH)
		return status_fail(st, STATUS_CONFIG, "%s: more than %d folders deep", path,
				   MAX_DEPTH);
	return index_folder(run, path, depth, st);
}

enum status_code dose_index(struct dose_run *run, char **paths, int count, struct status *st)
{
	if (store_begin(run->store, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < count && st->code == STATUS_OK; i++)
		(void)!index_path(run, paths[i], 0, st);
	return store_finish(run->store, st);
}

void dose_remove_folder(const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < count; i++) {
		char inner[2400];
		struct stat about;
		const char *name = entries[i]->d_name;
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    snprintf(inner, sizeof inner, "%s/%s", path, name) < (int)sizeof inner &&
		    lstat(inner, &about) == 0) {
			if (S_ISDIR(about.st_mode))
				dose_remove_folder(inner);
			else
				unlink(inner);
		}
		free(entries[i]);
	}
	free(entries);
	rmdir(path);
}
