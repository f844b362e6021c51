/* dicom_file.h - where the bare data set lies inside a DICOM file.
 *
 * A file is a preamble, "DICM", File Meta Information (group 0002, always explicit little endian)
 * and the data set (PS3.10); files that start with group 0002 or directly with a data set are
 * understood as well. Bounded: reads at most the first 64 KiB, allocates nothing, trusts no length.
 */
#ifndef DICOM_FILE_H
#define DICOM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes: the beginning of the file (all of it when shorter than 64 KiB). True: *offset of the data
 * set and its transfer syntax, which for a bare data set is told from its first element. False: not
 * a DICOM file. */
bool dicom_file_locate(uint64_t *offset, char transfer_syntax_uid[65], const uint8_t *bytes,
		       size_t size);

#endif
