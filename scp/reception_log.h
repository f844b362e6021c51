/* reception_log.h - where acknowledged instances live: one append-only file per association.
 *
 *   <spool>/log/<time>-<pid>-<n>.hlog, rolled at 256 MiB. A record per instance:
 *   header (magic, version, lengths, SOP class and instance UID, transfer syntax, calling and called AE, peer address, time, checksum
 *   of header, checksum of data), then the data set bytes exactly as received. Records start at multiples of 8.
 *
 *   writing --log_writer_begin--> open record --log_writer_write*--> --log_writer_commit (checksum, fdatasync)--> durable
 *                                    |--log_writer_cancel--> (space reused, nothing visible)
 *
 * The file is preallocated and truncated on close; the directory is fsynced before the first commit returns. If fdatasync fails the file
 * is abandoned (STATUS_RETRY now and for every later call: the caller answers A700 and opens another; a retry could lie).
 * Recovery at start: a bad tail is cut only when no valid record follows; otherwise the file is quarantined (renamed, alarm) and its valid
 * records stay readable. Readers map files; a record is visible once its header is written with a valid checksum. */
#ifndef RECEPTION_LOG_H
#define RECEPTION_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct log_record_info {
	char sop_class_uid[65], sop_instance_uid[65], transfer_syntax_uid[65];
	char calling_ae[17], called_ae[17], peer_address[64];
	int64_t received_us; /* microseconds since 1970 UTC */
};

struct log_writer;

enum status_code log_writer_open(struct log_writer **writer, const char *spool, struct status *st) STATUS_CHECKED;
enum status_code log_writer_begin(struct log_writer *writer, const struct log_record_info *info, struct status *st) STATUS_CHECKED;
enum status_code log_writer_write(struct log_writer *writer, const void *bytes, size_t size, struct status *st) STATUS_CHECKED;
/* The bytes of the open record so far (to screen them); valid until the next call. */
const uint8_t *log_writer_bytes(struct log_writer *writer, size_t *size);
enum status_code log_writer_commit(struct log_writer *writer, struct status *st) STATUS_CHECKED;
void log_writer_cancel(struct log_writer *writer);
const char *log_writer_name(const struct log_writer *writer); /* file name without folder */
void log_writer_close(struct log_writer *writer);             /* truncates to the last commit; NULL is fine */

/* Reading: calls found for every valid record at or after offset, in order; stops at the first that is not (yet) valid. *next_offset is
 * where to go on. data points into a mapping that is valid during the call only. found returning other than STATUS_OK stops. */
enum status_code log_read(const char *spool, const char *name, uint64_t offset, uint64_t *next_offset,
                          enum status_code (*found)(void *user, const struct log_record_info *info, uint64_t data_offset,
                                                    const uint8_t *data, size_t size, struct status *st),
                          void *user, struct status *st) STATUS_CHECKED;

/* Names of all log files, oldest first; malloc'd array of malloc'd strings. */
enum status_code log_list(char ***names, int *count, const char *spool, struct status *st) STATUS_CHECKED;

/* After a crash, for every file: see above. quarantined counts the files set aside; words says which ("" none). */
enum status_code log_recover(const char *spool, int *cut, int *quarantined, char *words, size_t words_size,
                             struct status *st) STATUS_CHECKED;

#endif
