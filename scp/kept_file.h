/* kept_file.h - numbers that can be made again, as files: <spool>/maps/<key>.<kind>.
 *
 * The key is made of everything that determines the numbers, so a file never has to be changed:
 * another input or another method has another key. A file is a header of 4096 bytes (magic,
 * version, byte order, key, sizes, checksums), then up to KEPT_FILE_PARTS parts, each beginning at
 * a multiple of 64 bytes; numbers in the byte order of the machine. It is written beside and
 * renamed, not synced: what is cut, damaged, of another version or of another machine counts as
 * absent.
 *
 * Thread rule: any number at once; two processes that make the same numbers write the same file. */
#ifndef KEPT_FILE_H
#define KEPT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define KEPT_FILE_PARTS 8

struct kept_kind {
	char magic[8];
	uint32_t version; /* raised when the parts are laid out otherwise */
	const char *extension;
};

/* A file mapped into memory; its parts are only for reading. */
struct kept_file {
	void *mapping; /* owned; NULL when empty */
	size_t size;
	int n_parts;
	const void *part[KEPT_FILE_PARTS]; /* NULL: of no bytes */
	size_t bytes[KEPT_FILE_PARTS];
};

/* found false: absent, or not whole. STATUS_RETRY: the file cannot be read just now. */
enum status_code kept_file_get(struct kept_file *file, bool *found, const struct kept_kind *kind,
			       const char *spool, const char *key, int threads,
			       struct status *st) STATUS_CHECKED;
void kept_file_free(struct kept_file *file);

/* STATUS_RETRY: disk full or not writable; nothing is left behind. */
enum status_code kept_file_put(const struct kept_kind *kind, const char *spool, const char *key,
			       const void *const *part, const size_t *bytes, int n_parts,
			       int threads, struct status *st) STATUS_CHECKED;

#endif
