/* json.h - writes JSON to a stream: objects and arrays by begin and end, values by kind. Commas and
 * indentation come by themselves; a key is NULL inside arrays. NaN and infinities become null,
 * texts are escaped (they are UTF-8). No reading. */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_MAX_DEPTH 16

struct json {
	FILE *file;
	int depth;
	bool
	    follows[JSON_MAX_DEPTH + 1]; /* something stands before at this depth: a comma is due */
};

void json_begin_object(struct json *json, const char *key);
void json_end_object(struct json *json);
void json_begin_array(struct json *json, const char *key);
void json_end_array(struct json *json);
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key,
		 double value); /* shortest text that reads back the same */
void json_integer(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* An array of texts, one per line of lines; empty lines are left out. */
void json_lines(struct json *json, const char *key, const char *lines);
/* text is JSON already; NULL: null */
void json_raw(struct json *json, const char *key, const char *text);

#endif
