/* screen.h - our own bounded walk over the bytes of a data set, before DCMTK may see them.
 *
 * DCMTK reads nested sequences by recursion and trusts lengths: 20,000 nested sequences in 320 kB
 * end the process. This walk is iterative (an explicit stack), never allocates, and never reads
 * outside bytes[0..size). It checks
 *
 *   - sequences nested at most SCREEN_MAX_NESTING deep, at most SCREEN_MAX_ELEMENTS elements and
 *     items;
 *   - every length inside what surrounds it; undefined lengths only where the standard has them,
 *     and closed by their delimiter;
 *   - elements in rising order of tag at the top level, groups below 0008 and FFFF absent, only VRs
 *     of the standard;
 *   - the grammar of SOP Class, SOP Instance, Study and Series Instance UID (absent or empty ones
 *     are left to the reader of a file);
 *   - that SOP Class and Instance UID equal those of the C-STORE command.
 *
 * In Implicit VR any value that starts with an item or a delimiter is taken for a sequence, because
 * DCMTK does so for tags it knows: nested sequences of defined length kill it just as well. The
 * same for UN values. Where the tag is private or UN, a value that is no well-formed sequence after
 * all is left alone as bytes, provided that it holds at most SCREEN_MAX_HIDDEN_ITEMS item tags, so
 * that a more forgiving reader cannot go deep either; elsewhere it is a fault. Values of group 7FE0
 * are never taken for sequences. Encapsulated pixel data: the fragments are walked.
 *
 * Deflated data sets are refused until a bounded inflate exists, big endian ones because they are
 * not offered. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define SCREEN_MAX_NESTING	64
#define SCREEN_MAX_ELEMENTS	2000000
#define SCREEN_MAX_HIDDEN_ITEMS 512 /* DCMTK survives about 5000 levels on an 8 MiB stack */

enum screen_verdict {
	SCREEN_PASSED = 0,
	SCREEN_CANNOT_UNDERSTAND, /* C000: malformed */
	SCREEN_MISMATCH		  /* A900: SOP class or instance differ from the command's */
};

struct screen_report {
	enum screen_verdict verdict;
	size_t offset; /* of the element at fault */
	/* As found at the top level up to the fault, without padding; "" absent, empty or
	 * malformed. */
	char sop_class_uid[65], sop_instance_uid[65], study_instance_uid[65],
	    series_instance_uid[65];
	char patient_id[65]; /* raw bytes, cut, for a message only */
};

/* expected_* may be NULL (files without a command: then an absent SOP UID is no fault here).
 * STATUS_OK, or STATUS_REFUSE with words; the report is filled in both cases. */
enum status_code screen_dataset(struct screen_report *report, const uint8_t *bytes, size_t size,
				const char *transfer_syntax_uid, const char *expected_class_uid,
				const char *expected_instance_uid,
				struct status *st) STATUS_CHECKED;

/* 1..64 characters of [0-9.], no empty component, no leading zero in a longer component
 * (PS3.5 9.1). */
int screen_uid_is_valid(const char *uid, size_t length);

#endif
