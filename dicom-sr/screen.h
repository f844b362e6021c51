/* screen.h - our own bounded walk over the bytes of a data set, before DCMTK may see them.
 *
 * Iterative (an explicit stack), never allocates, never reads outside bytes[0..size). It checks: sequences nested at most
 * SCREEN_MAX_NESTING deep, every length inside what surrounds it (undefined lengths closed by their delimiters), elements in
 * rising order of tag at the top level, at most SCREEN_MAX_ELEMENTS elements, group 0002 absent, the grammar of SOP/Study/Series UIDs,
 * and that SOP Class and Instance UID equal those of the command. In Implicit VR it descends into any value that starts with (FFFE,E000),
 * because DCMTK may do so: nested sequences of defined length kill it just as well. Encapsulated pixel data: fragments walked.
 * Deflated data sets are refused (STATUS_REFUSE) until a bounded inflate exists. */
#ifndef SCREEN_H
#define SCREEN_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define SCREEN_MAX_NESTING  64
#define SCREEN_MAX_ELEMENTS 2000000

enum screen_verdict {
	SCREEN_PASSED = 0,
	SCREEN_CANNOT_UNDERSTAND, /* C000: malformed */
	SCREEN_MISMATCH           /* A900: SOP class or instance differ from the command's */
};

struct screen_report {
	enum screen_verdict verdict;
	size_t offset;         /* of the fault */
	char sop_class_uid[65], sop_instance_uid[65], study_instance_uid[65], series_instance_uid[65];
	char patient_id[65];   /* raw bytes, for a message only */
};

/* expected_* may be NULL (files without a command: then only grammar is checked). STATUS_OK or STATUS_REFUSE with words; the
 * report is filled in both cases. */
enum status_code screen_dataset(struct screen_report *report, const uint8_t *bytes, size_t size,
                                const char *transfer_syntax_uid, const char *expected_class_uid,
                                const char *expected_instance_uid, struct status *st) STATUS_CHECKED;

/* 1..64 characters of [0-9.], no empty component, no leading zero in a longer component (PS3.5 9.1). */
int screen_uid_is_valid(const char *uid, size_t length);

#endif
