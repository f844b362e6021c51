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
#define FILES_AT_ONCE  256

/* Files found by the walk that were not read yet: several are read at once. */
struct waiting {
	struct dose_run *run;
	struct indexer_file files[FILES_AT_ONCE];
	char *paths[FILES_AT_ONCE]; /* owned */
	int count;
};

static enum status_code index_path(struct waiting *waiting, const char *path, int depth,
				   struct status *st);

/* A file that cannot be opened may be one of the images: that is not silently passed over. */
static enum status_code index_waiting(struct waiting *waiting, struct status *st)
{
	struct dose_run *run = waiting->run;
	if (st->code == STATUS_OK)
		(void)!indexer_add_files(waiting->files, waiting->count, run->store, run->config,
					 &run->touched, st);
	for (int i = 0; i < waiting->count && st->code == STATUS_OK; i++) {
		const struct indexer_file *file = &waiting->files[i];
		run->files++;
		run->used += file->used;
		run->passed_over += !file->used;
		if (!file->used && strcmp(file->words, "not DICOM") != 0 &&
		    strstr(file->words, "not an input") == NULL)
			fprintf(stderr, "passed over: %s: %s\n", file->path, file->words);
		if (run->files % PROGRESS_FILES == 0)
			fprintf(stderr, "read %d files, %d used\n", run->files, run->used);
	}
	for (int i = 0; i < waiting->count; i++)
		free(waiting->paths[i]);
	waiting->count = 0;
	return st->code;
}

static enum status_code index_file(struct waiting *waiting, const char *path, struct status *st)
{
	char *copy = strdup(path);
	if (copy == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for a path");
	waiting->paths[waiting->count] = copy;
	waiting->files[waiting->count++].path = copy;
	return waiting->count == FILES_AT_ONCE ? index_waiting(waiting, st) : STATUS_OK;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static enum status_code index_folder(struct waiting *waiting, const char *path, int depth,
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
			(void)!index_path(waiting, inner, depth + 1, st);
		}
		free(inner);
		free(entries[i]);
	}
	free(entries);
	return st->code;
}

static enum status_code index_path(struct waiting *waiting, const char *path, int depth,
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
		return index_file(waiting, path, st);
	if (!S_ISDIR(about.st_mode))
		return STATUS_OK;
	if (stat(waiting->run->out, &out) == 0 && out.st_dev == about.st_dev &&
	    out.st_ino == about.st_ino)
		return STATUS_OK; /* results of an earlier run are no input */
	if (depth > MAX_DEPTH)
		return status_fail(st, STATUS_CONFIG, "%s: more than %d folders deep", path,
				   MAX_DEPTH);
	return index_folder(waiting, path, depth, st);
}

enum status_code dose_index(struct dose_run *run, char **paths, int count, struct status *st)
{
	struct waiting *waiting = malloc(sizeof *waiting);
	if (waiting == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for a list of files");
	waiting->run = run;
	waiting->count = 0;
	if (store_begin(run->store, st) == STATUS_OK) {
		for (int i = 0; i < count && st->code == STATUS_OK; i++)
			(void)!index_path(waiting, paths[i], 0, st);
		(void)!index_waiting(waiting, st);
		(void)!store_finish(run->store, st);
	}
	free(waiting);
	return st->code;
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
