/* log.h - one line per event on stderr: time, level, event, key=value. Control bytes are escaped, no patient names. */
#ifndef LOG_H
#define LOG_H

enum log_level { LOG_DEBUG_LINE, LOG_INFO_LINE, LOG_WARN_LINE, LOG_ERROR_LINE };

void log_set_level(enum log_level level);
void log_set_role(const char *role); /* "master", "receiver", ...; once per process */

/* log_line(LOG_INFO_LINE, "stored", "assoc=%s instances=%d", ...); the whole line is one write(2). */
void log_line(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
