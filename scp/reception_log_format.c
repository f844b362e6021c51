#include "reception_log_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum status_code record_path(char path[1200], const char *spool, const char *name,
			     struct status *st)
{
	int length = name[0] == '\0' ? snprintf(path, 1200, "%s/log", spool)
				     : snprintf(path, 1200, "%s/log/%s", spool, name);
	if (length < 0 || length >= 1200)
		return status_fail(st, STATUS_CONFIG, "spool: the path %.80s... is too long",
				   spool);
	return STATUS_OK;
}

uint64_t record_padded(uint64_t data_size)
{
	return (data_size + 7) & ~(uint64_t)7;
}

uint64_t record_length(const struct record_header *header)
{
	return sizeof *header + record_padded(header->data_size) + sizeof header->magic;
}

uint32_t record_crc32(uint32_t crc, const void *bytes, size_t size)
{
	return (uint32_t)crc32_z(crc, bytes, size);
}

uint32_t record_header_crc32(const struct record_header *header)
{
	struct record_header copy = *header;
	copy.header_crc32 = 0;
	return record_crc32(0, &copy, sizeof copy);
}

bool record_header_is_valid(const struct record_header *header)
{
	return memcmp(header->magic, RECORD_MAGIC, sizeof header->magic) == 0 &&
	       header->version == RECORD_VERSION && header->kind >= RECORD_INSTANCE &&
	       header->kind <= RECORD_DAMAGED && header->data_size < (uint64_t)1 << 48 &&
	       header->header_crc32 == record_header_crc32(header);
}

bool record_pwrite(int fd, const void *bytes, size_t size, uint64_t offset)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t written = pwrite(fd, at, size, (off_t)offset);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			if (written == 0)
				errno = ENOSPC;
			return false;
		}
		at += written;
		size -= (size_t)written;
		offset += (uint64_t)written;
	}
	return true;
}

bool record_pread(int fd, void *bytes, size_t size, uint64_t offset)
{
	char *at = bytes;
	while (size > 0) {
		ssize_t got = pread(fd, at, size, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		size -= (size_t)got;
		offset += (uint64_t)got;
	}
	return true;
}

bool record_write_end(int fd, uint64_t offset, uint64_t file_key, int64_t received_us, bool sync)
{
	struct {
		struct record_header header;
		char trailer[8];
	} end = {.header = {.version = RECORD_VERSION,
			    .kind = RECORD_END,
			    .received_us = received_us,
			    .file_key = file_key}};
	memcpy(end.header.magic, RECORD_MAGIC, sizeof end.header.magic);
	memcpy(end.trailer, RECORD_TRAILER, sizeof end.trailer);
	end.header.header_crc32 = record_header_crc32(&end.header);
	return record_pwrite(fd, &end, sizeof end, offset) && (!sync || fdatasync(fd) == 0);
}
