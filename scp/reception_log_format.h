/* reception_log_format.h - the bytes of a reception log; shared by its writer, its reader and its
 * recovery only.
 *
 * Version 1. Little endian, as on every machine this runs on (asserted). All text fields are zero
 * padded and zero terminated. */
#ifndef RECEPTION_LOG_FORMAT_H
#define RECEPTION_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reception_log.h"

#define RECORD_MAGIC   "HOLMREC\n"
#define RECORD_TRAILER "durable\n"
#define RECORD_VERSION 1

enum record_kind {
	RECORD_INSTANCE = 1,
	RECORD_END = 2,	   /* of the association */
	RECORD_DAMAGED = 3 /* made by recovery: its data are what was damaged */
};

struct record_header {
	char magic[8];
	uint32_t version;
	uint32_t kind;
	uint64_t data_size;
	int64_t received_us;
	uint64_t file_key; /* the same in all records of a file: bytes sent by a peer cannot pass
			      for a record */
	uint32_t data_crc32;
	uint32_t header_crc32; /* over the header with this field 0 */
	char sop_class_uid[72], sop_instance_uid[72], transfer_syntax_uid[72];
	char calling_ae[24], called_ae[24], peer_address[64];
	char reserved[8];
};

_Static_assert(sizeof(struct record_header) == 384, "the header is 384 bytes on disk");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "logs are little endian");

/* <spool>/log or <spool>/log/NAME; STATUS_CONFIG when that is too long. */
enum status_code record_path(char path[1200], const char *spool, const char *name,
			     struct status *st);

uint64_t record_padded(uint64_t data_size);		    /* rounded up to 8 */
uint64_t record_length(const struct record_header *header); /* header, data, padding, trailer */
uint32_t record_header_crc32(const struct record_header *header);
uint32_t record_crc32(uint32_t crc, const void *bytes, size_t size); /* starts with 0 */

/* Magic, version, kind and checksum are right, and the sizes cannot overflow. */
bool record_header_is_valid(const struct record_header *header);

/* All of it or nothing: errno is set on false. */
bool record_pwrite(int fd, const void *bytes, size_t size, uint64_t offset);
/* False when the file ends before. */
bool record_pread(int fd, void *bytes, size_t size, uint64_t offset);

/* Appends an end-of-association record at offset, and makes it durable when sync is set. */
bool record_write_end(int fd, uint64_t offset, uint64_t file_key, int64_t received_us, bool sync);

#endif
