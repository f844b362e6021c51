#include "kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "result_file.h"

#define BYTE_ORDER_MARK 0x01020304u
#define HEADER_SIZE	4096
#define PART_ALIGNMENT	64
#define PATH_SIZE	1400

struct header {
	char magic[8];
	uint32_t version, byte_order;
	char key[72];
	uint64_t n_parts, bytes[KEPT_FILE_PARTS], checksum[KEPT_FILE_PARTS];
	uint64_t header_checksum; /* of everything above */
};

/* Against damage, not against intent: four running sums of mixed words, so that it keeps up with
 * memory. */
static uint64_t checksum_of(const void *bytes, size_t size)
{
	const uint64_t odd = 0x9e3779b97f4a7c15u;
	uint64_t lane[4] = {size, size ^ odd, size + odd, ~size};
	const char *at = bytes;

	for (; size >= 32; at += 32, size -= 32) {
		uint64_t word[4];
		memcpy(word, at, sizeof word);
		for (int i = 0; i < 4; i++) {
			lane[i] = (lane[i] ^ word[i]) * odd;
			lane[i] ^= lane[i] >> 29;
		}
	}
	for (; size > 0; at++, size--)
		lane[0] = (lane[0] ^ (unsigned char)*at) * odd;
	uint64_t sum = 0;
	for (int i = 0; i < 4; i++)
		sum = (sum ^ lane[i]) * odd + (sum >> 31);
	return sum;
}

static uint64_t header_checksum(const struct header *header)
{
	return checksum_of(header, offsetof(struct header, header_checksum));
}

static size_t aligned(size_t bytes)
{
	return (bytes + PART_ALIGNMENT - 1) / PART_ALIGNMENT * PART_ALIGNMENT;
}

static enum status_code find_path(char path[PATH_SIZE], const struct kept_kind *kind,
				  const char *spool, const char *key, struct status *st)
{
	if (key[0] == '\0' ||
	    snprintf(path, PATH_SIZE, "%s/maps/%s.%s", spool, key, kind->extension) >= PATH_SIZE)
		return status_fail(st, STATUS_RETRY, "no usable name for a file in %s/maps", spool);
	return STATUS_OK;
}

/* ---- reading ---- */

static bool find_parts(struct kept_file *file, const struct kept_kind *kind, const char *key)
{
	const struct header *header = file->mapping;
	size_t at = HEADER_SIZE;
	if (memcmp(header->magic, kind->magic, sizeof header->magic) != 0 ||
	    header->version != kind->version || header->byte_order != BYTE_ORDER_MARK ||
	    header->header_checksum != header_checksum(header) ||
	    header->n_parts > KEPT_FILE_PARTS || strncmp(header->key, key, sizeof header->key) != 0)
		return false;
	file->n_parts = (int)header->n_parts;
	for (int i = 0; i < file->n_parts; i++) {
		if (header->bytes[i] > file->size)
			return false;
		file->bytes[i] = header->bytes[i];
		file->part[i] = (const char *)file->mapping + at;
		at += aligned(file->bytes[i]);
	}
	return at == file->size;
}

enum status_code kept_file_get(struct kept_file *file, bool *found, const struct kept_kind *kind,
			       const char *spool, const char *key, struct status *st)
{
	char path[PATH_SIZE];
	struct stat about;

	*found = false;
	*file = (struct kept_file){.mapping = NULL};
	if (find_path(path, kind, spool, key, st) != STATUS_OK)
		return st->code;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return STATUS_OK;
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
	if (fstat(fd, &about) == 0 && about.st_size >= HEADER_SIZE) {
		void *mapping = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (mapping == MAP_FAILED) {
			(void)status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
		} else {
			file->mapping = mapping;
			file->size = (size_t)about.st_size;
		}
	}
	close(fd);
	*found = file->mapping && find_parts(file, kind, key);
	if (!*found)
		kept_file_free(file);
	return st->code;
}

bool kept_file_is_whole(const struct kept_file *file, int part)
{
	const struct header *header = file->mapping;
	return header && part < file->n_parts &&
	       checksum_of(file->part[part], file->bytes[part]) == header->checksum[part];
}

void kept_file_free(struct kept_file *file)
{
	if (file->mapping)
		munmap(file->mapping, file->size);
	*file = (struct kept_file){.mapping = NULL};
}

/* ---- writing ---- */

static int write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t written = write(fd, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return -1;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

enum status_code kept_file_put(const struct kept_kind *kind, const char *spool, const char *key,
			       const void *const *part, const size_t *bytes, int n_parts,
			       struct status *st)
{
	static const char nothing[PART_ALIGNMENT];
	char path[PATH_SIZE], temporary[PATH_SIZE + 16], folder[PATH_SIZE];
	union {
		struct header header;
		char bytes[HEADER_SIZE];
	} first = {.bytes = {0}};

	if (find_path(path, kind, spool, key, st) != STATUS_OK)
		return st->code;
	snprintf(folder, sizeof folder, "%s/maps", spool);
	snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
	if (result_folder_make(folder, st) != STATUS_OK)
		return st->code;
	memcpy(first.header.magic, kind->magic, sizeof first.header.magic);
	first.header.version = kind->version;
	first.header.byte_order = BYTE_ORDER_MARK;
	snprintf(first.header.key, sizeof first.header.key, "%s", key);
	first.header.n_parts = (uint64_t)n_parts;
	for (int i = 0; i < n_parts; i++) {
		first.header.bytes[i] = bytes[i];
		first.header.checksum[i] = checksum_of(part[i], bytes[i]);
	}
	first.header.header_checksum = header_checksum(&first.header);

	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "%s cannot be written: %s", temporary,
				   strerror(errno));
	int failed = write_all(fd, first.bytes, sizeof first.bytes);
	for (int i = 0; i < n_parts && !failed; i++)
		failed = write_all(fd, part[i], bytes[i]) != 0 ||
			 write_all(fd, nothing, aligned(bytes[i]) - bytes[i]) != 0;
	/* not synced: after a crash the checksum tells */
	if (close(fd) != 0 || failed || rename(temporary, path) != 0) {
		(void)status_fail(st, STATUS_RETRY, "%s cannot be written: %s", path,
				  strerror(errno));
		unlink(temporary);
	}
	return st->code;
}
