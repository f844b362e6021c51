/* writer.c - see writer.h */
#include "writer.h"

#include <stdio.h>
#include <string.h>

#include "evidence.h"
#include "tags.h"

struct writer writer_begin(struct dataset *ds, struct status *st)
{
	return (struct writer){.ds = ds, .st = st, .code = STATUS_OK};
}

struct dataset_path writer_below(struct dataset_path sequence, uint32_t item, uint32_t tag)
{
	struct dataset_path path = sequence;

	path.step[path.count++] = item;
	path.step[path.count++] = tag;
	return path;
}

void writer_string(struct writer *w, struct dataset_path path, const char *utf8)
{
	if (w->code == STATUS_OK)
		w->code = dataset_set_string(w->ds, path, utf8, w->st);
}

void writer_string_cut(struct writer *w, struct dataset_path path, const char *utf8, int characters)
{
	char text[1100];
	size_t length = 0;

	for (int left = characters; utf8[length] && length < sizeof text - 5; left--) {
		if (left == 0)
			break;
		text[length] = utf8[length];
		length++;
		while (((unsigned char)utf8[length] & 0xc0) == 0x80 && length < sizeof text - 1) {
			text[length] = utf8[length];
			length++;
		}
	}
	text[length] = '\0';
	writer_string(w, path, text);
}

void writer_string_if_any(struct writer *w, struct dataset_path path, const char *utf8)
{
	if (utf8 && utf8[0])
		writer_string(w, path, utf8);
}

void writer_int(struct writer *w, struct dataset_path path, int64_t value)
{
	if (w->code == STATUS_OK)
		w->code = dataset_set_int(w->ds, path, value, w->st);
}

void writer_doubles(struct writer *w, struct dataset_path path, const double *values, size_t count)
{
	if (w->code == STATUS_OK)
		w->code = dataset_set_doubles(w->ds, path, values, count, w->st);
}

void writer_empty(struct writer *w, struct dataset_path path)
{
	if (w->code == STATUS_OK)
		w->code = dataset_set_empty(w->ds, path, w->st);
}

void writer_copy(struct writer *w, const struct dataset *from, uint32_t tag)
{
	if (w->code == STATUS_OK && from)
		w->code = dataset_copy(w->ds, from, tag, w->st);
}

void writer_copy_or_empty(struct writer *w, const struct dataset *from, uint32_t tag)
{
	if (from && dataset_presence(from, AT(tag)) == DATASET_HAS_VALUE)
		writer_copy(w, from, tag);
	else
		writer_empty(w, AT(tag));
}

void writer_code(struct writer *w, struct dataset_path sequence, uint32_t item,
		 const struct code *code)
{
	writer_string(w, writer_below(sequence, item, TAG_CodeValue), code->value);
	writer_string(w, writer_below(sequence, item, TAG_CodingSchemeDesignator), code->scheme);
	writer_string(w, writer_below(sequence, item, TAG_CodeMeaning), code->meaning);
}

void writer_reference(struct writer *w, struct dataset_path sequence, uint32_t item,
		      const struct evidence_instance *instance)
{
	writer_string(w, writer_below(sequence, item, TAG_ReferencedSOPClassUID),
		      instance->sop_class_uid);
	writer_string(w, writer_below(sequence, item, TAG_ReferencedSOPInstanceUID),
		      instance->sop_instance_uid);
}

void writer_date_time(struct writer *w, uint32_t date_tag, uint32_t time_tag, const char *datetime)
{
	char date[9] = "", time[17] = "";

	if (strlen(datetime) >= 14) {
		snprintf(date, sizeof date, "%.8s", datetime);
		snprintf(time, sizeof time, "%.6s", datetime + 8);
	}
	writer_string(w, AT(date_tag), date);
	writer_string(w, AT(time_tag), time);
}
