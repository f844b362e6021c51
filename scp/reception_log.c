#include "reception_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reception_log_format.h"

#define ROLL_AT_BYTES	   ((uint64_t)256 << 20)
#define FIRST_STEP_BYTES   ((uint64_t)8 << 20)
#define LARGEST_STEP_BYTES ((uint64_t)64 << 20)

struct log_writer {
	char spool[1024];
	char association[64]; /* name without "-n.hlog" */
	char name[80];
	int n_files;
	int fd; /* -1: no file yet */
	uint64_t file_key;
	uint64_t end;	    /* behind the last committed record */
	uint64_t allocated; /* the file's size now */
	bool directory_synced, abandoned;

	bool record_open;
	struct record_header header; /* of the open record */
	uint64_t data_written;
	void *mapping; /* of the open record, see log_writer_bytes() */
	size_t mapping_size;
};

static int64_t clock_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void unmap_record(struct log_writer *writer)
{
	if (writer->mapping != NULL)
		munmap(writer->mapping, writer->mapping_size);
	writer->mapping = NULL;
}

enum status_code log_writer_open(struct log_writer **writer, const char *spool, struct status *st)
{
	char folder[1200];
	enum status_code code = record_path(folder, spool, "", st);
	if (code != STATUS_OK)
		return code;
	if (mkdir(folder, 0700) != 0 && errno != EEXIST)
		return status_fail(st, STATUS_RETRY, "reception log: cannot make %s: %s", folder,
				   strerror(errno));
	struct log_writer *made = calloc(1, sizeof *made);
	if (made == NULL)
		return status_fail(st, STATUS_RETRY, "reception log: out of memory");
	snprintf(made->spool, sizeof made->spool, "%s", spool);
	int64_t now_us = clock_now_us();
	time_t now_s = (time_t)(now_us / 1000000);
	struct tm utc;
	gmtime_r(&now_s, &utc);
	char second[32];
	strftime(second, sizeof second, "%Y%m%dT%H%M%S", &utc);
	snprintf(made->association, sizeof made->association, "%s.%06d-%ld", second,
		 (int)(now_us % 1000000), (long)getpid());
	made->fd = -1;
	*writer = made;
	return STATUS_OK;
}

/* Gives the unused space back; a file nothing was committed to is removed. */
static void close_file(struct log_writer *writer)
{
	if (writer->fd < 0)
		return;
	struct status ignored = STATUS_INIT;
	char path[1200];
	if (writer->end > 0) {
		/* A failure leaves a tail of zeros, which recovery cuts. */
		if (ftruncate(writer->fd, (off_t)writer->end) == 0)
			writer->allocated = writer->end;
	} else if (record_path(path, writer->spool, writer->name, &ignored) == STATUS_OK) {
		unlink(path);
	}
	close(writer->fd);
	writer->fd = -1;
}

static enum status_code open_file(struct log_writer *writer, struct status *st)
{
	char path[1200];
	snprintf(writer->name, sizeof writer->name, "%s-%04d.hlog", writer->association,
		 writer->n_files);
	enum status_code code = record_path(path, writer->spool, writer->name, st);
	if (code != STATUS_OK)
		return code;
	if (getrandom(&writer->file_key, sizeof writer->file_key, 0) != sizeof writer->file_key)
		return status_fail(st, STATUS_RETRY, "reception log: no random key: %s",
				   strerror(errno));
	writer->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return status_fail(st, STATUS_RETRY, "reception log: cannot make %s: %s", path,
				   strerror(errno));
	writer->n_files++;
	writer->end = writer->allocated = 0;
	writer->directory_synced = false;
	return STATUS_OK;
}

/* Room for size more bytes of the open record and what closes it: in growing steps, or exactly when
 * the disk is nearly full. */
static enum status_code make_room(struct log_writer *writer, size_t size, struct status *st)
{
	uint64_t needed = writer->end + sizeof writer->header +
			  record_padded(writer->data_written + size) + sizeof writer->header.magic;
	if (needed <= writer->allocated)
		return STATUS_OK;
	uint64_t step = writer->allocated < FIRST_STEP_BYTES ? FIRST_STEP_BYTES : writer->allocated;
	if (step > LARGEST_STEP_BYTES)
		step = LARGEST_STEP_BYTES;
	uint64_t wished = writer->allocated + step;
	if (wished < needed)
		wished = needed;
	int error = posix_fallocate(writer->fd, (off_t)writer->allocated,
				    (off_t)(wished - writer->allocated));
	if (error != 0 && wished > needed) {
		wished = needed;
		error = posix_fallocate(writer->fd, (off_t)writer->allocated,
					(off_t)(wished - writer->allocated));
	}
	if (error != 0) {
		/* What a failed attempt took is given back, so that others can go on. */
		if (ftruncate(writer->fd, (off_t)writer->allocated) != 0)
			writer->abandoned = true;
		return status_fail(st, STATUS_RETRY, "reception log: no room in %s: %s",
				   writer->spool, strerror(error));
	}
	writer->allocated = wished;
	return STATUS_OK;
}

enum status_code log_writer_begin(struct log_writer *writer, const struct log_record_info *info,
				  struct status *st)
{
	if (writer->abandoned)
		return status_fail(st, STATUS_RETRY,
				   "reception log: %s was abandoned after a disk error",
				   writer->name);
	log_writer_cancel(writer);
	if (writer->fd >= 0 && writer->end >= ROLL_AT_BYTES)
		close_file(writer);
	if (writer->fd < 0) {
		enum status_code code = open_file(writer, st);
		if (code != STATUS_OK)
			return code;
	}
	struct record_header *header = &writer->header;
	memset(header, 0, sizeof *header);
	memcpy(header->magic, RECORD_MAGIC, sizeof header->magic);
	header->version = RECORD_VERSION;
	header->kind = RECORD_INSTANCE;
	header->received_us = info->received_us;
	header->file_key = writer->file_key;
	snprintf(header->sop_class_uid, sizeof header->sop_class_uid, "%s", info->sop_class_uid);
	snprintf(header->sop_instance_uid, sizeof header->sop_instance_uid, "%s",
		 info->sop_instance_uid);
	snprintf(header->transfer_syntax_uid, sizeof header->transfer_syntax_uid, "%s",
		 info->transfer_syntax_uid);
	snprintf(header->calling_ae, sizeof header->calling_ae, "%s", info->calling_ae);
	snprintf(header->called_ae, sizeof header->called_ae, "%s", info->called_ae);
	snprintf(header->peer_address, sizeof header->peer_address, "%s", info->peer_address);
	writer->data_written = 0;
	writer->record_open = true;
	return make_room(writer, 0, st);
}

enum status_code log_writer_write(struct log_writer *writer, const void *bytes, size_t size,
				  struct status *st)
{
	if (!writer->record_open)
		return status_fail(st, STATUS_BUG, "reception log: write without an open record");
	unmap_record(writer);
	enum status_code code = make_room(writer, size, st);
	if (code != STATUS_OK)
		return code;
	if (!record_pwrite(writer->fd, bytes, size,
			   writer->end + sizeof writer->header + writer->data_written))
		return status_fail(st, STATUS_RETRY, "reception log: cannot write %s: %s",
				   writer->name, strerror(errno));
	writer->header.data_crc32 = record_crc32(writer->header.data_crc32, bytes, size);
	writer->data_written += size;
	return STATUS_OK;
}

const uint8_t *log_writer_bytes(struct log_writer *writer, size_t *size)
{
	*size = 0;
	if (!writer->record_open || writer->data_written == 0)
		return NULL;
	uint64_t start = writer->end + sizeof writer->header;
	uint64_t page = start & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
	if (writer->mapping == NULL) {
		writer->mapping_size = (size_t)(start - page + writer->data_written);
		writer->mapping = mmap(NULL, writer->mapping_size, PROT_READ, MAP_SHARED,
				       writer->fd, (off_t)page);
		if (writer->mapping == MAP_FAILED) {
			writer->mapping = NULL;
			return NULL;
		}
	}
	*size = (size_t)writer->data_written;
	return (const uint8_t *)writer->mapping + (start - page);
}

static bool sync_directory(struct log_writer *writer)
{
	struct status ignored = STATUS_INIT;
	char folder[1200];
	if (record_path(folder, writer->spool, "", &ignored) != STATUS_OK)
		return false;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool synced = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return synced;
}

enum status_code log_writer_commit(struct log_writer *writer, struct status *st)
{
	if (!writer->record_open)
		return status_fail(st, STATUS_BUG, "reception log: commit without an open record");
	unmap_record(writer);
	writer->record_open = false;
	struct record_header *header = &writer->header;
	header->data_size = writer->data_written;
	header->header_crc32 = record_header_crc32(header);
	uint64_t trailer = writer->end + sizeof *header + record_padded(header->data_size);

	/* The space may hold bytes of a cancelled record: a stale trailer must not show this one
	 * early. */
	static const char zeros[8];
	bool durable = record_pwrite(writer->fd, zeros, sizeof zeros, trailer) &&
		       record_pwrite(writer->fd, header, sizeof *header, writer->end) &&
		       fdatasync(writer->fd) == 0;
	if (durable && !writer->directory_synced)
		durable = writer->directory_synced = sync_directory(writer);
	if (durable)
		durable = record_pwrite(writer->fd, RECORD_TRAILER, sizeof zeros, trailer);
	if (!durable) {
		int error = errno;
		writer->abandoned = true;
		/* Nobody will acknowledge it: recovery must not find it either. */
		static const struct record_header no_header;
		(void)record_pwrite(writer->fd, &no_header, sizeof no_header, writer->end);
		return status_fail(st, STATUS_RETRY,
				   "reception log: %s is abandoned, the disk failed: %s",
				   writer->name, strerror(error));
	}
	writer->end = trailer + sizeof zeros;
	return STATUS_OK;
}

void log_writer_cancel(struct log_writer *writer)
{
	unmap_record(writer);
	writer->record_open = false;
	writer->data_written = 0;
}

bool log_writer_is_abandoned(const struct log_writer *writer)
{
	return writer->abandoned;
}

const char *log_writer_name(const struct log_writer *writer)
{
	return writer->name;
}

void log_writer_close(struct log_writer *writer)
{
	if (writer == NULL)
		return;
	log_writer_cancel(writer);
	/* Not flushed: lost in a crash, recovery writes it again. An abandoned file may not take
	 * another byte. */
	bool any = writer->end > 0 || writer->n_files > 1;
	if (writer->fd >= 0 && any && !writer->abandoned &&
	    record_write_end(writer->fd, writer->end, writer->file_key, clock_now_us(), false))
		writer->end += sizeof(struct record_header) + sizeof RECORD_TRAILER - 1;
	close_file(writer);
	free(writer);
}
