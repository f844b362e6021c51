#include "result_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 1400

static enum status_code sync_folder(const char *path, struct status *st)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		(void)status_fail(st, STATUS_RETRY, "%s: cannot be synced: %s", path,
				  strerror(errno));
	if (fd >= 0)
		close(fd);
	return st->code;
}

/* Up to and including the last missing folder above path. */
static enum status_code make_above(const char *path, struct status *st)
{
	char above[PATH_SIZE];
	memcpy(above, path, strlen(path) + 1);
	char *slash = strrchr(above, '/');
	if (!slash || slash == above)
		return STATUS_OK;
	*slash = '\0';
	return result_folder_make(above, st);
}

enum status_code result_folder_make(const char *path, struct status *st)
{
	char above[PATH_SIZE];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof above)
		return status_fail(st, STATUS_CONFIG, "\"%s\" is no usable folder name", path);
	int made = mkdir(path, 0750);
	if (made != 0 && errno == ENOENT) {
		if (make_above(path, st) != STATUS_OK)
			return st->code;
		made = mkdir(path, 0750);
	}
	if (made != 0 && errno == EEXIST)
		return STATUS_OK;
	if (made != 0)
		return status_fail(st, STATUS_RETRY, "folder %s cannot be made: %s", path,
				   strerror(errno));
	memcpy(above, path, length + 1);
	char *slash = strrchr(above, '/');
	if (!slash)
		return sync_folder(".", st);
	*slash = '\0';
	return sync_folder(slash == above ? "/" : above, st);
}

static enum status_code write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, bytes, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return STATUS_RETRY;
		bytes += written;
		size -= (size_t)written;
	}
	return STATUS_OK;
}

enum status_code result_file_put(const char *folder, const char *name, const void *bytes,
				 size_t size, struct status *st)
{
	char path[PATH_SIZE], temporary[PATH_SIZE];
	int fd = -1;

	if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path ||
	    snprintf(temporary, sizeof temporary, "%s/.%s.%ld", folder, name, (long)getpid()) >=
		(int)sizeof temporary)
		return status_fail(st, STATUS_CONFIG, "path too long: %s/%s", folder, name);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "%s cannot be written: %s", temporary,
				   strerror(errno));
	if (write_all(fd, bytes, size) != STATUS_OK || fsync(fd) != 0)
		(void)status_fail(st, STATUS_RETRY, "%s cannot be written: %s", temporary,
				  strerror(errno));
	if (close(fd) != 0)
		(void)status_fail(st, STATUS_RETRY, "%s cannot be written: %s", temporary,
				  strerror(errno));
	if (st->code == STATUS_OK && rename(temporary, path) != 0)
		(void)status_fail(st, STATUS_RETRY, "%s cannot be renamed: %s", temporary,
				  strerror(errno));
	if (st->code != STATUS_OK) {
		unlink(temporary);
		return st->code;
	}
	return sync_folder(folder, st);
}
