#include "kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel.h"
#include "result_file.h"

#define BYTE_ORDER_MARK 0x01020304u
#define HEADER_SIZE	4096
#define PART_ALIGNMENT	64
#define PIECES		8 /* of each part, for the checksum: by several threads */
#define PATH_SIZE	1400

struct header {
	char magic[8];
	uint32_t version, byte_order;
	char key[72];
	uint64_t n_parts, bytes[KEPT_FILE_PARTS], payload_checksum;
	uint64_t header_checksum; /* of everything above */
};

/* Against damage, not against intent: four running sums of mixed words, so that it keeps up with
 * memory. */
static uint64_t checksum_of(uint64_t seed, const void *bytes, size_t size)
{
	const uint64_t odd = 0x9e3779b97f4a7c15u;
	uint64_t lane[4] = {seed, seed ^ odd, seed + odd, ~seed};
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
	return checksum_of(0, header, offsetof(struct header, header_checksum));
}

struct payload {
	const void *const *part;
	const size_t *bytes;
	int n_parts;
	uint64_t sum[KEPT_FILE_PARTS * PIECES];
};

static void sum_piece(struct payload *payload, size_t index)
{
	const char *part = payload->part[index / PIECES];
	size_t bytes = payload->bytes[index / PIECES], piece = index % PIECES;
	size_t first = bytes / PIECES * piece;
	size_t last = piece + 1 < PIECES ? first + bytes / PIECES : bytes;
	payload->sum[index] = checksum_of(index, bytes > 0 ? part + first : NULL, last - first);
}

static void sum_pieces(void *user, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		sum_piece(user, i);
}

static uint64_t payload_checksum(const struct payload *payload)
{
	return checksum_of(1, payload->sum,
			   (size_t)payload->n_parts * PIECES * sizeof *payload->sum);
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

static bool is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* Every byte counts: what is between the parts is 0. */
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
		file->part[i] = file->bytes[i] > 0 ? (const char *)file->mapping + at : NULL;
		at += aligned(file->bytes[i]);
		size_t rest = aligned(file->bytes[i]) - file->bytes[i];
		if (at > file->size || !is_zero((const char *)file->mapping + at - rest, rest))
			return false;
	}
	return at == file->size &&
	       is_zero((const char *)file->mapping + sizeof *header, HEADER_SIZE - sizeof *header);
}

static bool is_whole(const struct kept_file *file, int threads)
{
	struct payload payload = {file->part, file->bytes, file->n_parts, {0}};
	const struct header *header = file->mapping;
	parallel_for((size_t)file->n_parts * PIECES, 1, threads, sum_pieces, &payload);
	bool whole = payload_checksum(&payload) == header->payload_checksum;
	/* what is used comes back from the page cache; air is most of a map */
	(void)madvise(file->mapping, file->size, MADV_DONTNEED);
	return whole;
}

enum status_code kept_file_get(struct kept_file *file, bool *found, const struct kept_kind *kind,
			       const char *spool, const char *key, int threads, struct status *st)
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
	*found = file->mapping && find_parts(file, kind, key) && is_whole(file, threads);
	if (!*found)
		kept_file_free(file);
	return st->code;
}

void kept_file_free(struct kept_file *file)
{
	if (file->mapping)
		munmap(file->mapping, file->size);
	*file = (struct kept_file){.mapping = NULL};
}

/* ---- writing ---- */

/* 0, or errno. */
static int write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t written = write(fd, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? errno : EIO;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

/* The payload goes into the file while its checksum is made; the header, which needs it, last. */
struct writing {
	struct payload payload;
	int fd;
	int error; /* of the thread that wrote; 0 none */
};

static int write_payload(const struct payload *payload, int fd)
{
	static const char nothing[PART_ALIGNMENT];
	int error = lseek(fd, HEADER_SIZE, SEEK_SET) < 0 ? errno : 0;
	for (int i = 0; i < payload->n_parts && error == 0; i++) {
		size_t bytes = payload->bytes[i];
		error = write_all(fd, payload->part[i], bytes);
		if (error == 0)
			error = write_all(fd, nothing, aligned(bytes) - bytes);
	}
	return error;
}

static void write_or_sum(void *user, size_t first, size_t last)
{
	struct writing *writing = user;
	for (size_t i = first; i < last; i++) {
		if (i == 0)
			writing->error = write_payload(&writing->payload, writing->fd);
		else
			sum_piece(&writing->payload, i - 1);
	}
}

static int write_header(int fd, const struct payload *payload, const struct kept_kind *kind,
			const char *key)
{
	union {
		struct header header;
		char bytes[HEADER_SIZE];
	} first = {.bytes = {0}};
	struct header *header = &first.header;
	memcpy(header->magic, kind->magic, sizeof header->magic);
	header->version = kind->version;
	header->byte_order = BYTE_ORDER_MARK;
	snprintf(header->key, sizeof header->key, "%s", key);
	header->n_parts = (uint64_t)payload->n_parts;
	for (int i = 0; i < payload->n_parts; i++)
		header->bytes[i] = payload->bytes[i];
	header->payload_checksum = payload_checksum(payload);
	header->header_checksum = header_checksum(header);
	return lseek(fd, 0, SEEK_SET) == 0 ? write_all(fd, first.bytes, sizeof first.bytes) : errno;
}

enum status_code kept_file_put(const struct kept_kind *kind, const char *spool, const char *key,
			       const void *const *part, const size_t *bytes, int n_parts,
			       int threads, struct status *st)
{
	char path[PATH_SIZE], temporary[PATH_SIZE + 16], folder[PATH_SIZE];
	struct writing writing = {.payload = {part, bytes, n_parts, {0}}};

	if (find_path(path, kind, spool, key, st) != STATUS_OK)
		return st->code;
	snprintf(folder, sizeof folder, "%s/maps", spool);
	snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
	if (result_folder_make(folder, st) != STATUS_OK)
		return st->code;
	writing.fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (writing.fd < 0)
		return status_fail(st, STATUS_RETRY, "%s cannot be written: %s", temporary,
				   strerror(errno));
	parallel_for(1 + (size_t)n_parts * PIECES, 1, threads, write_or_sum, &writing);
	if (writing.error == 0)
		writing.error = write_header(writing.fd, &writing.payload, kind, key);
	/* not synced: after a crash the checksum tells */
	if (close(writing.fd) != 0 && writing.error == 0)
		writing.error = errno;
	if (writing.error == 0 && rename(temporary, path) != 0)
		writing.error = errno;
	if (writing.error != 0) {
		(void)status_fail(st, STATUS_RETRY, "%s cannot be written: %s", path,
				  strerror(writing.error));
		unlink(temporary);
	}
	return st->code;
}
