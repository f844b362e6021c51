#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reception_log_format.h"

#define COPY_BYTES ((size_t)1 << 20)

/* One file while it is looked through. */
struct recovery {
	int fd;
	char path[1200];
	uint64_t size;
	uint64_t end;	     /* behind the last good record */
	uint64_t file_key;   /* of the first good record; 0 before */
	bool ended;	     /* the last record is the end of the association */
	uint64_t damaged_at; /* first damaged stretch */
	int damaged_stretches;
	bool cut;
};

static bool data_matches(int fd, uint64_t start, const struct record_header *header)
{
	char *buffer = malloc(COPY_BYTES);
	if (buffer == NULL)
		return false;
	uint32_t crc = 0;
	uint64_t done = 0;
	while (done < header->data_size) {
		size_t part = header->data_size - done < COPY_BYTES
				  ? (size_t)(header->data_size - done)
				  : COPY_BYTES;
		if (!record_pread(fd, buffer, part, start + done))
			break;
		crc = record_crc32(crc, buffer, part);
		done += part;
	}
	free(buffer);
	return done == header->data_size && crc == header->data_crc32;
}

/* A whole record of this file stands at offset. With its trailer it was durable once, and its data
 * are not read again here (log_read() checks them); without, only the checksum can tell. */
static bool record_is_good(const struct recovery *file, uint64_t offset,
			   struct record_header *header, bool *has_trailer)
{
	char trailer[8];
	if (offset + sizeof *header > file->size ||
	    !record_pread(file->fd, header, sizeof *header, offset) ||
	    !record_header_is_valid(header) ||
	    (file->file_key != 0 && header->file_key != file->file_key) ||
	    record_length(header) > file->size - offset ||
	    !record_pread(file->fd, trailer, sizeof trailer,
			  offset + record_length(header) - sizeof trailer))
		return false;
	*has_trailer = memcmp(trailer, RECORD_TRAILER, sizeof trailer) == 0;
	return *has_trailer || data_matches(file->fd, offset + sizeof *header, header);
}

/* Offset of the next good record behind a damaged place; file->size when there is none. */
static uint64_t find_good_record(const struct recovery *file, uint64_t from)
{
	char *buffer = malloc(COPY_BYTES + 8);
	if (buffer == NULL)
		return file->size;
	uint64_t found = file->size;
	for (uint64_t at = from; at + 8 <= file->size && found == file->size; at += COPY_BYTES) {
		size_t part = file->size - at < COPY_BYTES ? (size_t)(file->size - at) : COPY_BYTES;
		if (!record_pread(file->fd, buffer, part, at))
			break;
		for (size_t i = 0; i + 8 <= part; i += 8) {
			struct record_header header;
			bool has_trailer;
			if (memcmp(buffer + i, RECORD_MAGIC, 8) == 0 &&
			    record_is_good(file, at + i, &header, &has_trailer)) {
				found = at + i;
				break;
			}
		}
	}
	free(buffer);
	return found;
}

/* Keeps what was there as PATH.damaged, for a person to look at. */
static bool keep_copy(const struct recovery *file)
{
	char path[1300];
	snprintf(path, sizeof path, "%s.damaged", file->path);
	int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *buffer = malloc(COPY_BYTES);
	bool kept = to >= 0 && buffer != NULL;
	for (uint64_t at = 0; kept && at < file->size; at += COPY_BYTES) {
		size_t part = file->size - at < COPY_BYTES ? (size_t)(file->size - at) : COPY_BYTES;
		kept =
		    record_pread(file->fd, buffer, part, at) && record_pwrite(to, buffer, part, at);
	}
	kept = kept && fsync(to) == 0;
	free(buffer);
	if (to >= 0)
		close(to);
	return kept;
}

/* Makes the stretch [from, to) a record that readers pass over. */
static bool bridge(struct recovery *file, uint64_t from, uint64_t to)
{
	struct record_header header = {.version = RECORD_VERSION, .kind = RECORD_DAMAGED};
	uint64_t overhead = sizeof header + 8;
	if (to - from < overhead || (file->damaged_stretches == 0 && !keep_copy(file)))
		return false;
	memcpy(header.magic, RECORD_MAGIC, sizeof header.magic);
	header.data_size = to - from - overhead;
	header.file_key = file->file_key;
	header.header_crc32 = record_header_crc32(&header);
	if (file->damaged_stretches++ == 0)
		file->damaged_at = from;
	return record_pwrite(file->fd, RECORD_TRAILER, 8, to - 8) &&
	       record_pwrite(file->fd, &header, sizeof header, from);
}

/* Walks the records and mends what has to be. False with errno: the file cannot be read or written.
 */
static bool recover_file(struct recovery *file)
{
	while (file->end < file->size) {
		struct record_header header;
		bool has_trailer;
		if (record_is_good(file, file->end, &header, &has_trailer)) {
			uint64_t length = record_length(&header);
			if (!has_trailer &&
			    !record_pwrite(file->fd, RECORD_TRAILER, 8, file->end + length - 8))
				return false;
			file->file_key = header.file_key;
			file->ended = header.kind == RECORD_END;
			file->end += length;
			continue;
		}
		uint64_t next = find_good_record(file, file->end + 8);
		if (next < file->size) {
			if (!bridge(file, file->end, next))
				return false;
			file->end = next;
			continue;
		}
		if (ftruncate(file->fd, (off_t)file->end) != 0)
			return false;
		file->size = file->end;
		file->cut = true;
	}
	return true;
}

/* The files share everything before the last '-'. */
static bool same_association(const char *a, const char *b)
{
	const char *dash = strrchr(a, '-');
	return dash != NULL && strncmp(a, b, (size_t)(dash - a) + 1) == 0;
}

static bool append_end(struct recovery *file)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return record_write_end(file->fd, file->end, file->file_key,
				(int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, true);
}

enum status_code log_recover(const char *spool, int *cut, int *quarantined, char *words,
			     size_t words_size, struct status *st)
{
	*cut = *quarantined = 0;
	words[0] = '\0';
	char **names = NULL;
	int count = 0;
	enum status_code code = log_list(&names, &count, spool, st);
	for (int i = 0; i < count && code == STATUS_OK; i++) {
		struct recovery file = {.fd = -1};
		code = record_path(file.path, spool, names[i], st);
		if (code != STATUS_OK)
			break;
		struct stat on_disk;
		file.fd = open(file.path, O_RDWR | O_CLOEXEC);
		bool done = file.fd >= 0 && fstat(file.fd, &on_disk) == 0;
		if (done) {
			file.size = (uint64_t)on_disk.st_size;
			done = recover_file(&file);
		}
		bool last = i + 1 == count || !same_association(names[i], names[i + 1]);
		if (done && file.end == 0)
			done = unlink(file.path) == 0;
		else if (done && last && !file.ended)
			done = append_end(&file);
		else if (done && file.cut)
			done = fdatasync(file.fd) == 0;
		if (!done)
			code = status_fail(st, STATUS_RETRY, "reception log: cannot mend %s: %s",
					   file.path, strerror(errno));
		*cut += file.cut;
		if (file.damaged_stretches > 0) {
			*quarantined += 1;
			size_t used = strlen(words);
			snprintf(words + used, words_size - used,
				 "%s%s: damaged at byte %llu, kept as %s.damaged",
				 used > 0 ? "; " : "", names[i],
				 (unsigned long long)file.damaged_at, names[i]);
		}
		if (file.fd >= 0)
			close(file.fd);
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return code;
}
