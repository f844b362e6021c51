/* indexer_files.c - files instead of reception logs. Reading, screening, parsing and hashing, which
 * is nearly all of the work, goes on for several files at once; the catalogue gets its rows from
 * one thread, in the order of the files. */
#include "indexer_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dicom_file.h"
#include "parallel.h"

#define FILES_AT_ONCE 128 /* bounds the memory for what was parsed and has no row yet */

enum file_kind {
	FILE_PASSED_OVER, /* not DICOM, or too large: words say it */
	FILE_UNREADABLE,  /* DICOM that cannot be read: words say why */
	FILE_READ
};

struct file_reading {
	struct indexer_file *file;
	enum file_kind kind;
	struct catalogue_location where;
	struct instance_info info;
	struct status st; /* a fault that is not the file's: memory, disk */
};

struct reading {
	const struct config *config;
	struct file_reading *files;
};

/* ---- in several threads ---- */

static enum status_code read_on(int fd, uint8_t *bytes, size_t have, size_t size, const char *path,
				struct status *st)
{
	while (have < size) {
		ssize_t got = pread(fd, bytes + have, size - have, (off_t)have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return status_fail(st, STATUS_RETRY, "%s: %s", path,
					   got < 0 ? strerror(errno) : "has become shorter");
		have += (size_t)got;
	}
	return STATUS_OK;
}

/* All bytes of a DICOM file; *bytes stays NULL for any other, told from its beginning, whatever its
 * size. */
static enum status_code read_file(uint8_t **bytes, size_t *size, const char *path, double max_mb,
				  struct status *st)
{
	struct stat about;
	uint8_t start[65536];
	uint64_t offset;
	char syntax[65];
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &about) != 0) {
		status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(about.st_mode) || about.st_size < 16)
		goto out;
	got = pread(fd, start, sizeof start, 0);
	if (got < 16 || !dicom_file_locate(&offset, syntax, start, (size_t)got))
		goto out;
	if ((double)about.st_size > max_mb * 1048576) {
		status_fail(st, STATUS_REFUSE, "larger than max-instance-mb");
		goto out;
	}
	*size = (size_t)about.st_size;
	if ((size_t)got > *size)
		got = (ssize_t)*size;
	*bytes = malloc(*size);
	if (*bytes == NULL) {
		status_fail(st, STATUS_RETRY, "no memory for %s", path);
		goto out;
	}
	memcpy(*bytes, start, (size_t)got);
	(void)!read_on(fd, *bytes, (size_t)got, *size, path, st);
out:
	if (fd >= 0)
		close(fd);
	return st->code;
}

static void parse_bytes(struct file_reading *reading, const uint8_t *bytes, size_t size)
{
	struct catalogue_location *where = &reading->where;
	struct status own = STATUS_INIT;
	if (bytes == NULL ||
	    !dicom_file_locate(&where->offset, where->transfer_syntax_uid, bytes, size)) {
		snprintf(reading->file->words, sizeof reading->file->words, "not DICOM");
		return;
	}
	where->size = size - where->offset;
	if (indexer_read_info(&reading->info, bytes + where->offset, where->size,
			      where->transfer_syntax_uid, NULL, NULL, &own) == STATUS_OK) {
		reading->kind = FILE_READ;
	} else if (own.code == STATUS_RETRY) {
		reading->st = own;
	} else {
		reading->kind = FILE_UNREADABLE;
		snprintf(reading->file->words, sizeof reading->file->words, "%.239s", own.text);
	}
}

static void read_one(struct file_reading *reading, const struct config *config)
{
	char resolved[PATH_MAX];
	uint8_t *bytes = NULL;
	size_t size = 0;
	struct status own = STATUS_INIT;
	const char *path = reading->file->path;
	if (realpath(path, resolved) == NULL || strlen(resolved) >= sizeof reading->where.path) {
		status_fail(&reading->st, STATUS_RETRY, "%s: %s", path, strerror(errno));
		return;
	}
	memcpy(reading->where.path, resolved, strlen(resolved) + 1);
	if (read_file(&bytes, &size, resolved, config->max_instance_mb, &own) == STATUS_OK)
		parse_bytes(reading, bytes, size);
	else if (own.code == STATUS_REFUSE)
		snprintf(reading->file->words, sizeof reading->file->words, "%.239s", own.text);
	else
		reading->st = own;
	free(bytes);
}

static void read_some(void *user, size_t first, size_t last)
{
	struct reading *reading = user;
	for (size_t i = first; i < last; i++)
		read_one(&reading->files[i], reading->config);
}

/* ---- in one ---- */

static enum status_code add_one(struct file_reading *reading, struct store *store,
				struct indexer_touched *touched, struct status *st)
{
	enum catalogue_outcome outcome;
	struct indexer_file *file = reading->file;
	const struct instance_info *info = &reading->info;
	if (reading->st.code != STATUS_OK)
		return status_fail(st, reading->st.code, "%s", reading->st.text);
	if (reading->kind == FILE_PASSED_OVER)
		return STATUS_OK;
	if (reading->kind == FILE_UNREADABLE)
		return catalogue_add_unreadable(store, &reading->where, "", file->words, 0, st);
	if (catalogue_add(&outcome, file->words, store, info, &reading->where, 0, st) != STATUS_OK)
		return st->code;
	file->used = outcome == CATALOGUE_NEW;
	if (file->used)
		return indexer_touch(touched, info->patient_id, info->patient_issuer, st);
	return STATUS_OK;
}

enum status_code indexer_add_files(struct indexer_file *files, int count, struct store *store,
				   const struct config *config, struct indexer_touched *touched,
				   struct status *st)
{
	struct reading reading = {.config = config};
	int at_once = count < FILES_AT_ONCE ? count : FILES_AT_ONCE;
	if (count < 1)
		return STATUS_OK;
	reading.files = malloc((size_t)at_once * sizeof *reading.files);
	if (reading.files == NULL)
		return status_fail(st, STATUS_RETRY, "no memory to read %d files", at_once);
	for (int first = 0; first < count && st->code == STATUS_OK; first += at_once) {
		int n = count - first < at_once ? count - first : at_once;
		for (int i = 0; i < n; i++) {
			memset(&reading.files[i], 0, sizeof reading.files[i]);
			reading.files[i].file = &files[first + i];
			files[first + i].used = false;
			files[first + i].words[0] = '\0';
		}
		parallel_for((size_t)n, 1, config->threads_per_worker, read_some, &reading);
		for (int i = 0; i < n && st->code == STATUS_OK; i++)
			(void)!add_one(&reading.files[i], store, touched, st);
	}
	free(reading.files);
	return st->code;
}
