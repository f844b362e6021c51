/* status.h - how every function of holmia says what happened.
 *
 * The code says what the *caller* has to do, the text says what, where and what to do next, for a
 * person. The struct belongs to the caller and needs no memory, so that lack of memory can be
 * reported too. The values are also the exit codes of the command line. The first fault written
 * wins: a later status_fail() on the same struct keeps the first text and code. Libraries never log
 * and never exit; they return one of these. */
#ifndef STATUS_H
#define STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

enum status_code {
	STATUS_OK = 0,
	STATUS_REFUSE =
	    1, /* bad input, for good: tell the sender or the physicist; do not try again */
	STATUS_CONFIG = 2, /* usage or configuration: an administrator has to change something */
	STATUS_RETRY = 3,  /* temporary (memory, disk, network, a busy database): try again later */
	STATUS_BUG = 4	   /* must not happen: report it */
};

struct status {
	enum status_code code;
	char text[512];
};

#define STATUS_INIT                                                                                \
	{                                                                                          \
		STATUS_OK, ""                                                                      \
	}

#ifdef __GNUC__
#define STATUS_PRINTF(format_index, first_argument)                                                \
	__attribute__((format(printf, format_index, first_argument)))
#define STATUS_CHECKED __attribute__((warn_unused_result))
#else
#define STATUS_PRINTF(format_index, first_argument)
#define STATUS_CHECKED
#endif

/* Writes code and text unless a fault stands there already; returns the code that stands. */
enum status_code status_fail(struct status *st, enum status_code code, const char *format, ...)
    STATUS_PRINTF(3, 4);

/* Makes st OK again. */
void status_clear(struct status *st);

/* Puts "text: " before what stands in st ("series 4: echo 7 missing at slice 31"). Returns the
 * code. */
enum status_code status_prefix(struct status *st, const char *format, ...) STATUS_PRINTF(2, 3);

/* "ok", "refused", "temporary", "configuration", "bug". */
const char *status_name(enum status_code code);

#ifdef __cplusplus
}
#endif
#endif
