#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status_code status_fail(struct status *st, enum status_code code, const char *format, ...)
{
	if (st->code != STATUS_OK)
		return st->code;
	st->code = code;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(st->text, sizeof st->text, format, arguments);
	va_end(arguments);
	return code;
}

void status_clear(struct status *st)
{
	st->code = STATUS_OK;
	st->text[0] = '\0';
}

enum status_code status_prefix(struct status *st, const char *format, ...)
{
	char prefix[sizeof st->text];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(prefix, sizeof prefix, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length + 3 >= sizeof prefix)
		return st->code;
	size_t at = (size_t)length;
	prefix[at++] = ':';
	prefix[at++] = ' ';
	size_t rest = strlen(st->text);
	if (rest > sizeof prefix - at - 1)
		rest = sizeof prefix - at - 1;
	memcpy(prefix + at, st->text, rest);
	prefix[at + rest] = '\0';
	memcpy(st->text, prefix, at + rest + 1);
	return st->code;
}

const char *status_name(enum status_code code)
{
	switch (code) {
	case STATUS_OK:
		return "ok";
	case STATUS_REFUSE:
		return "refused";
	case STATUS_RETRY:
		return "temporary";
	case STATUS_CONFIG:
		return "configuration";
	case STATUS_BUG:
		break;
	}
	return "bug";
}
