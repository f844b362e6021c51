#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 2000

static enum log_level lowest_level = LOG_INFO_LINE;
static char process_role[16] = "holmia";

void log_set_level(enum log_level level)
{
	lowest_level = level;
}

void log_set_role(const char *role)
{
	snprintf(process_role, sizeof process_role, "%s", role);
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_DEBUG_LINE:
		return "debug";
	case LOG_INFO_LINE:
		return "info";
	case LOG_WARN_LINE:
		return "warning";
	case LOG_ERROR_LINE:
		break;
	}
	return "error";
}

/* Appends text to line, control bytes (and DEL) as \xNN; returns the new length. */
static size_t append_escaped(char *line, size_t length, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	for (const char *at = text; *at != '\0' && length + 5 < LINE_BYTES; at++) {
		unsigned char byte = (unsigned char)*at;
		if (byte >= 0x20 && byte != 0x7f) {
			line[length++] = *at;
			continue;
		}
		line[length++] = '\\';
		line[length++] = 'x';
		line[length++] = hex[byte >> 4];
		line[length++] = hex[byte & 15];
	}
	return length;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
	if (level < lowest_level)
		return;
	char text[LINE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);

	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct tm utc;
	gmtime_r(&now.tv_sec, &utc);
	char second[32];
	strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);

	char line[LINE_BYTES + 2];
	int head = snprintf(line, LINE_BYTES, "%s.%03dZ %s %s[%ld] %s ", second,
			    (int)(now.tv_nsec / 1000000), level_name(level), process_role,
			    (long)getpid(), event);
	if (head < 0 || head >= LINE_BYTES)
		return;
	size_t length = append_escaped(line, (size_t)head, text);
	line[length++] = '\n';
	/* Nothing can be done about a log that cannot be written. */
	ssize_t written = write(STDERR_FILENO, line, length);
	(void)written;
}
