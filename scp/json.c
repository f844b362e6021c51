#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void write_text(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(file, "\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			fprintf(file, "\\u%04x", (unsigned)byte);
		else
			fputc(byte, file);
	}
	fputc('"', file);
}

/* Comma, new line, indentation and key of the next value. */
static void lead(struct json *json, const char *key)
{
	if (json->follows[json->depth])
		fputc(',', json->file);
	json->follows[json->depth] = true;
	if (json->depth > 0)
		fputc('\n', json->file);
	for (int i = 0; i < json->depth; i++)
		fputs("  ", json->file);
	if (key != NULL) {
		write_text(json->file, key);
		fputs(": ", json->file);
	}
}

static void begin(struct json *json, const char *key, char bracket)
{
	lead(json, key);
	fputc(bracket, json->file);
	if (json->depth < JSON_MAX_DEPTH)
		json->depth++;
	json->follows[json->depth] = false;
}

static void end(struct json *json, char bracket)
{
	bool follows = json->follows[json->depth];
	json->depth--;
	if (follows) {
		fputc('\n', json->file);
		for (int i = 0; i < json->depth; i++)
			fputs("  ", json->file);
	}
	fputc(bracket, json->file);
	if (json->depth == 0)
		fputc('\n', json->file);
}

void json_begin_object(struct json *json, const char *key)
{
	begin(json, key, '{');
}

void json_end_object(struct json *json)
{
	end(json, '}');
}

void json_begin_array(struct json *json, const char *key)
{
	begin(json, key, '[');
}

void json_end_array(struct json *json)
{
	end(json, ']');
}

void json_text(struct json *json, const char *key, const char *text)
{
	lead(json, key);
	write_text(json->file, text);
}

void json_number(struct json *json, const char *key, double value)
{
	char text[32];
	lead(json, key);
	if (!isfinite(value)) {
		fputs("null", json->file);
		return;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	fputs(text, json->file);
}

void json_integer(struct json *json, const char *key, int64_t value)
{
	lead(json, key);
	fprintf(json->file, "%" PRId64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	lead(json, key);
	fputs(value ? "true" : "false", json->file);
}

void json_raw(struct json *json, const char *key, const char *text)
{
	lead(json, key);
	fputs(text != NULL ? text : "null", json->file);
}

void json_lines(struct json *json, const char *key, const char *lines)
{
	json_begin_array(json, key);
	while (*lines != '\0') {
		char line[1024];
		size_t length = strcspn(lines, "\n");
		snprintf(line, sizeof line, "%.*s", (int)length, lines);
		if (length > 0)
			json_text(json, NULL, line);
		lines += length + (lines[length] == '\n');
	}
	json_end_array(json);
}
