/* reception_log.h - where acknowledged instances live: append-only files, one per association.
 *
 *   <spool>/log/<UTC start>-<pid>-<n>.hlog      n = 0000, 0001, ... : rolled at 256 MiB
 *
 * Names sort by age, and files of one association share everything before the last '-'. A file is
 * nothing but records, each at a multiple of 8 (little endian, layout in reception_log_format.h):
 *
 *   header 384 bytes   magic, version, kind, data size, time, CRC-32 of the data and of the header,
 *                      a random key of the file, SOP class and instance UID, transfer syntax,
 *                      AE titles, peer address
 *   data               the data set, byte for byte as it came over the wire, padded to 8
 *   trailer 8 bytes    written after fdatasync() returned: only now do readers see the record
 *
 *   (no record) --log_writer_begin--> open record --log_writer_write*, log_writer_commit--> durable
 *                                        |--log_writer_cancel--> (space reused, nothing visible)
 *
 * The header is written last, so a torn record has none; the checksums tell when a disk lied. The
 * trailer costs no flush of its own (it shares its page with the next record) and keeps readers
 * away from bytes that a power cut could still take back. The last record of an association is its
 * end: no data, log_record_info.end_of_association set. log_recover() writes it where a crash
 * prevented that, so that every association ends for the indexer.
 *
 * Space is preallocated in steps and given back on close. The directory is fsynced before the first
 * commit returns. If fdatasync fails the file is abandoned: STATUS_RETRY now and for every later
 * call, because a second try may report success for pages that were dropped; the caller answers
 * A700, closes, and opens another.
 *
 * Thread rule: a writer belongs to one process and thread. Reading needs no lock and may go on
 * while a file grows. */
#ifndef RECEPTION_LOG_H
#define RECEPTION_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* What the record says besides the bytes. Text is cut to its field; whoever fills it has checked
 * the grammar of the UIDs. */
struct log_record_info {
	char sop_class_uid[65], sop_instance_uid[65], transfer_syntax_uid[65];
	char calling_ae[17], called_ae[17], peer_address[64];
	int64_t received_us;	 /* microseconds since 1970 UTC */
	bool end_of_association; /* set by the reader only: no data; all instances of the files that
				  * share this file's name before the last '-' have arrived */
};

struct log_writer; /* owned by whoever opened it */

/* Prepares a writer; the file itself is made by the first log_writer_begin(), so that an
 * association without a C-STORE leaves nothing behind. STATUS_RETRY: memory, or <spool>/log cannot
 * be made. */
enum status_code log_writer_open(struct log_writer **writer, const char *spool,
				 struct status *st) STATUS_CHECKED;

/* Starts a record (rolls the file first when it is full). STATUS_RETRY: no room, or the file was
 * abandoned. */
enum status_code log_writer_begin(struct log_writer *writer, const struct log_record_info *info,
				  struct status *st) STATUS_CHECKED;

/* Appends to the open record. After STATUS_RETRY (no room) the record can only be cancelled; the
 * writer stays usable. */
enum status_code log_writer_write(struct log_writer *writer, const void *bytes, size_t size,
				  struct status *st) STATUS_CHECKED;

/* The bytes of the open record so far, mapped, to screen them: valid until the next call. NULL when
 * they cannot be mapped (memory) and for an empty record, *size being 0 then. */
const uint8_t *log_writer_bytes(struct log_writer *writer, size_t *size);

/* Makes the open record durable and visible. Anything but STATUS_OK: do not acknowledge it. */
enum status_code log_writer_commit(struct log_writer *writer, struct status *st) STATUS_CHECKED;
void log_writer_cancel(struct log_writer *writer);

/* A flush failed: nothing more can be written through this writer. */
bool log_writer_is_abandoned(const struct log_writer *writer);

/* File name without folder; "" before the first record. */
const char *log_writer_name(const struct log_writer *writer);

/* Cancels what is open, writes the end-of-association record, gives the unused space back. A file
 * without a committed record is removed. Frees the writer; NULL is fine. */
void log_writer_close(struct log_writer *writer);

/* Called per record with the data and its place in the file. data points into a mapping that is
 * valid during the call only; for an end of association it is NULL and size 0. */
typedef enum status_code log_found(void *user, const struct log_record_info *info,
				   uint64_t data_offset, const uint8_t *data, size_t size,
				   struct status *st);

/* Calls found for every durable record at or after offset (0, or an earlier *next_offset), in
 * order, and stops at the end of what is durable now. *next_offset is where to go on; it is behind
 * the last record for which found returned STATUS_OK. found returning anything else stops and is
 * returned. STATUS_REFUSE: a durable record's data does not match its checksum (the disk lost it).
 */
enum status_code log_read(const char *spool, const char *name, uint64_t offset,
			  uint64_t *next_offset, log_found *found, void *user,
			  struct status *st) STATUS_CHECKED;

/* Names of all log files, oldest first; malloc'd array of malloc'd strings. */
enum status_code log_list(char ***names, int *count, const char *spool,
			  struct status *st) STATUS_CHECKED;

/* At start, before any writer exists. For every file: complete records without trailer get it (they
 * were durable, perhaps not acknowledged: the sender's second try is then the same evidence); a bad
 * tail is cut when no valid record follows it (*cut counts these). Otherwise a damaged stretch lies
 * between good records: the file is copied to NAME.damaged, the stretch becomes a record that
 * readers pass over, the good ones stay readable under their name, and the file counts in
 * *quarantined; words then says which and where ("" none). Associations without an end get it.
 * STATUS_RETRY: a file could not be read or written. */
enum status_code log_recover(const char *spool, int *cut, int *quarantined, char *words,
			     size_t words_size, struct status *st) STATUS_CHECKED;

#endif
