/* result_file.h - a file is there whole, and durable, or not at all.
 *
 * result_file_put(): write to a temporary name in the same folder, fsync, rename, fsync the folder.
 * When it returns STATUS_OK the bytes survive a crash of the machine; until then the old file of
 * that name, or none, is what there is. Writing the same bytes again changes nothing. Names are
 * made by the caller from hashes and fixed words, never from what the network said. */
#ifndef RESULT_FILE_H
#define RESULT_FILE_H

#include <stddef.h>

#include "status.h"

/* Makes a folder and the missing folders above it, each durable. STATUS_RETRY. */
enum status_code result_folder_make(const char *path, struct status *st) STATUS_CHECKED;

/* STATUS_RETRY: disk full, not writable; the temporary file is removed. */
enum status_code result_file_put(const char *folder, const char *name, const void *bytes,
				 size_t size, struct status *st) STATUS_CHECKED;

#endif
