#include "dicom_file.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define IMPLICIT_LITTLE_ENDIAN "1.2.840.10008.1.2"
#define EXPLICIT_LITTLE_ENDIAN "1.2.840.10008.1.2.1"

static unsigned u16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] | (unsigned)bytes[1] << 8;
}

static uint32_t u32(const uint8_t *bytes)
{
	return (uint32_t)u16(bytes) | (uint32_t)u16(bytes + 2) << 16;
}

static bool is_vr(const uint8_t *bytes)
{
	return isupper(bytes[0]) && isupper(bytes[1]);
}

static bool has_long_length(const uint8_t *vr)
{
	static const char *const long_vrs[] = {"OB", "OD", "OF", "OL", "OW",
					       "SQ", "UC", "UN", "UR", "UT"};
	for (size_t i = 0; i < sizeof long_vrs / sizeof long_vrs[0]; i++)
		if (memcmp(vr, long_vrs[i], 2) == 0)
			return true;
	return false;
}

/* Walks group 0002; stops at the first element of another group. */
static bool walk_meta(uint64_t *offset, char transfer_syntax_uid[65], const uint8_t *bytes,
		      size_t size, size_t at)
{
	transfer_syntax_uid[0] = '\0';
	while (at + 8 <= size && u16(bytes + at) == 0x0002) {
		unsigned element = u16(bytes + at + 2);
		size_t header = 8, length = 0;
		if (!is_vr(bytes + at + 4))
			return false;
		if (has_long_length(bytes + at + 4)) {
			header = 12;
			if (at + header > size)
				return false;
			length = u32(bytes + at + 8);
		} else {
			length = u16(bytes + at + 6);
		}
		if (length > size - at - header)
			return false;
		if (element == 0x0010) {
			snprintf(transfer_syntax_uid, 65, "%.*s", (int)(length < 64 ? length : 64),
				 (const char *)bytes + at + header);
			transfer_syntax_uid[strcspn(transfer_syntax_uid, " ")] = '\0';
		}
		at += header + length;
	}
	*offset = at;
	return transfer_syntax_uid[0] != '\0';
}

bool dicom_file_locate(uint64_t *offset, char transfer_syntax_uid[65], const uint8_t *bytes,
		       size_t size)
{
	if (size >= 132 && memcmp(bytes + 128, "DICM", 4) == 0)
		return walk_meta(offset, transfer_syntax_uid, bytes, size, 132);
	if (size < 16)
		return false;
	if (u16(bytes) == 0x0002)
		return walk_meta(offset, transfer_syntax_uid, bytes, size, 0);
	/* a bare data set begins with group 0008 and a low element: group length, character set,
	 * image type ... */
	if (u16(bytes) != 0x0008 || u16(bytes + 2) > 0x0018)
		return false;
	*offset = 0;
	if (is_vr(bytes + 4)) {
		snprintf(transfer_syntax_uid, 65, EXPLICIT_LITTLE_ENDIAN);
		return true;
	}
	snprintf(transfer_syntax_uid, 65, IMPLICIT_LITTLE_ENDIAN);
	return u32(bytes + 4) < size;
}
