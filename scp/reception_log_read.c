#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reception_log_format.h"

/* Fields are zero terminated by their writer; a damaged one is cut. */
static void copy_text(char *out, size_t size, const char *field, size_t field_size)
{
	size_t length = strnlen(field, field_size);
	if (length >= size)
		length = size - 1;
	memcpy(out, field, length);
	out[length] = '\0';
}

#define COPY_TEXT(out, field) copy_text(out, sizeof(out), field, sizeof(field))

static void describe(struct log_record_info *info, const struct record_header *header)
{
	memset(info, 0, sizeof *info);
	COPY_TEXT(info->sop_class_uid, header->sop_class_uid);
	COPY_TEXT(info->sop_instance_uid, header->sop_instance_uid);
	COPY_TEXT(info->transfer_syntax_uid, header->transfer_syntax_uid);
	COPY_TEXT(info->calling_ae, header->calling_ae);
	COPY_TEXT(info->called_ae, header->called_ae);
	COPY_TEXT(info->peer_address, header->peer_address);
	info->received_us = header->received_us;
	info->end_of_association = header->kind == RECORD_END;
}

/* Maps the data of one record, which a durable trailer follows: that part of a file is never
 * truncated. */
static enum status_code visit(int fd, const char *name, uint64_t offset,
			      const struct record_header *header, log_found *found, void *user,
			      struct status *st)
{
	struct log_record_info info;
	describe(&info, header);
	uint64_t start = offset + sizeof *header;
	if (header->data_size == 0)
		return found(user, &info, start, NULL, 0, st);
	uint64_t page = start & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
	size_t mapped = (size_t)(start - page + header->data_size);
	void *mapping = mmap(NULL, mapped, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (mapping == MAP_FAILED)
		return status_fail(st, STATUS_RETRY, "reception log %s: cannot map %zu bytes: %s",
				   name, mapped, strerror(errno));
	const uint8_t *data = (const uint8_t *)mapping + (start - page);
	enum status_code code;
	if (record_crc32(0, data, (size_t)header->data_size) != header->data_crc32)
		code =
		    status_fail(st, STATUS_REFUSE,
				"reception log %s: record at byte %llu does not match its checksum",
				name, (unsigned long long)offset);
	else
		code = found(user, &info, start, data, (size_t)header->data_size, st);
	munmap(mapping, mapped);
	return code;
}

/* True when a header stands at offset whose record the file can hold and whose trailer is there. */
static bool record_is_durable(int fd, uint64_t offset, struct record_header *header)
{
	char trailer[8];
	return record_pread(fd, header, sizeof *header, offset) && record_header_is_valid(header) &&
	       record_pread(fd, trailer, sizeof trailer,
			    offset + record_length(header) - sizeof trailer) &&
	       memcmp(trailer, RECORD_TRAILER, sizeof trailer) == 0;
}

enum status_code log_read(const char *spool, const char *name, uint64_t offset,
			  uint64_t *next_offset, log_found *found, void *user, struct status *st)
{
	*next_offset = offset;
	char path[1200];
	enum status_code code = record_path(path, spool, name, st);
	if (code != STATUS_OK)
		return code;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "reception log: cannot open %s: %s", path,
				   strerror(errno));
	struct record_header header;
	while (code == STATUS_OK && record_is_durable(fd, *next_offset, &header)) {
		if (header.kind != RECORD_DAMAGED)
			code = visit(fd, name, *next_offset, &header, found, user, st);
		if (code == STATUS_OK)
			*next_offset += record_length(&header);
	}
	close(fd);
	return code;
}

static int is_log_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	return length > 5 && strcmp(entry->d_name + length - 5, ".hlog") == 0;
}

enum status_code log_list(char ***names, int *count, const char *spool, struct status *st)
{
	*names = NULL;
	*count = 0;
	char folder[1200];
	enum status_code code = record_path(folder, spool, "", st);
	if (code != STATUS_OK)
		return code;
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_log_name, alphasort);
	if (n < 0 && errno == ENOENT)
		return STATUS_OK;
	if (n < 0)
		return status_fail(st, STATUS_RETRY, "reception log: cannot list %s: %s", folder,
				   strerror(errno));
	char **list = calloc((size_t)n + 1, sizeof *list);
	bool complete = list != NULL;
	for (int i = 0; i < n; i++) {
		if (complete)
			complete = (list[i] = strdup(entries[i]->d_name)) != NULL;
		free(entries[i]);
	}
	free(entries);
	if (!complete) {
		for (int i = 0; list != NULL && i < n; i++)
			free(list[i]);
		free(list);
		return status_fail(st, STATUS_RETRY, "reception log: out of memory");
	}
	*names = list;
	*count = n;
	return STATUS_OK;
}
