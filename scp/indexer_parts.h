/* indexer_parts.h - what indexer.c (logs) and indexer_files.c share; not for other rooms. */
#ifndef INDEXER_PARTS_H
#define INDEXER_PARTS_H

#include "indexer.h"

/* Screens and parses one bare data set. STATUS_REFUSE: it cannot be read, and st says why. The
 * expected UIDs may be NULL. May run in several threads at once. */
enum status_code indexer_read_info(struct instance_info *info, const uint8_t *bytes, size_t size,
				   const char *transfer_syntax_uid, const char *expected_class_uid,
				   const char *expected_instance_uid,
				   struct status *st) STATUS_CHECKED;

#endif
