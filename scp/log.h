/* log.h - one line per event on stderr, for people and for journald.
 *
 *   2026-11-23T01:05:33.123Z info receiver[4711] stored peer=127.0.0.1 instances=640
 *
 * Time is UTC; then level, role of the process with its number, the event (one word), key=value
 * pairs. Control bytes are escaped as \xNN, so that nothing a peer sends can make a line of its
 * own. No patient names or numbers: UIDs are as far as it goes. A line is cut at 2000 bytes.
 *
 * Thread rule: any thread, any time after log_set_role(); the whole line is one write(2), so lines
 * of several processes do not mix. */
#ifndef LOG_H
#define LOG_H

enum log_level { LOG_DEBUG_LINE, LOG_INFO_LINE, LOG_WARN_LINE, LOG_ERROR_LINE };

void log_set_level(enum log_level level); /* lines below are dropped; starts at LOG_INFO_LINE */
void log_set_role(
    const char *role); /* "master", "receiver", ...; once per process, at most 15 bytes */

void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
