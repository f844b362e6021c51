#include "screen.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define UNDEFINED_LENGTH 0xffffffffu
#define TAG_ITEM	 0xfffee000u
#define TAG_ITEM_END	 0xfffee00du
#define TAG_SEQUENCE_END 0xfffee0ddu
#define TAG_PIXEL_DATA	 0x7fe00010u

enum level_kind {
	LEVEL_ELEMENTS, /* the data set itself, or an item */
	LEVEL_ITEMS,	/* a sequence: items, perhaps a delimiter */
	LEVEL_FRAGMENTS /* encapsulated pixel data */
};

struct level {
	enum level_kind kind;
	bool implicit;
	bool undefined; /* ends with a delimiter; end is then only the bound from outside */
	bool tentative; /* a value that may be no sequence at all */
	size_t start, end;
};

/* A sequence and its item are two levels. */
#define MAX_LEVELS (2 * SCREEN_MAX_NESTING + 1)

struct walk {
	struct screen_report *report;
	const uint8_t *bytes;
	size_t at;
	struct level levels[MAX_LEVELS];
	int depth; /* of the innermost level */
	bool encapsulated;
	uint32_t last_tag; /* at the top level */
	uint32_t elements;
	bool too_deep; /* a fault that no tentative level may hide */
	const char *class_uid, *instance_uid;
	struct status *st;
};

struct element {
	uint32_t tag;
	char vr[3]; /* "" where none is written */
	uint32_t length;
	size_t value; /* offset */
};

static uint16_t read_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t read_u32(const uint8_t *bytes)
{
	return read_u16(bytes) | (uint32_t)read_u16(bytes + 2) << 16;
}

static enum status_code fault(struct walk *walk, const char *what, uint32_t tag)
{
	walk->report->verdict = SCREEN_CANNOT_UNDERSTAND;
	walk->report->offset = walk->at;
	return status_fail(walk->st, STATUS_REFUSE,
			   "malformed data set: (%04X,%04X) at byte %zu: %s", tag >> 16,
			   tag & 0xffff, walk->at, what);
}

int screen_uid_is_valid(const char *uid, size_t length)
{
	if (length < 1 || length > 64)
		return 0;
	size_t component = 0; /* digits in this component so far */
	bool starts_with_zero = false;
	for (size_t i = 0; i < length; i++) {
		if (uid[i] == '.') {
			if (component == 0)
				return 0;
			component = 0;
			continue;
		}
		if (uid[i] < '0' || uid[i] > '9' || (component > 0 && starts_with_zero))
			return 0;
		if (component == 0)
			starts_with_zero = uid[i] == '0';
		component++;
	}
	return component > 0;
}

/* VRs with a 32-bit length, then those with a 16-bit one (PS3.5 7.1.2). */
static bool vr_is_long(const char *vr)
{
	static const char names[] = "OB OD OF OL OV OW SQ SV UC UN UR UT UV ";
	const char *found = strstr(names, vr);
	return vr[0] != '\0' && found != NULL && (found - names) % 3 == 0;
}

static bool vr_is_short(const char *vr)
{
	static const char names[] =
	    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US ";
	const char *found = strstr(names, vr);
	return vr[0] != '\0' && found != NULL && (found - names) % 3 == 0;
}

/* Tag, VR and length at walk->at, within the level's end. */
static enum status_code read_element(struct walk *walk, struct element *element)
{
	const struct level *level = &walk->levels[walk->depth];
	const uint8_t *bytes = walk->bytes + walk->at;
	size_t left = level->end - walk->at;
	memset(element, 0, sizeof *element);
	if (left < 8)
		return fault(walk, "cut off inside an element header", 0);
	element->tag = (uint32_t)read_u16(bytes) << 16 | read_u16(bytes + 2);
	element->length = read_u32(bytes + 4);
	element->value = walk->at + 8;
	if (++walk->elements > SCREEN_MAX_ELEMENTS)
		return fault(walk, "too many elements", element->tag);
	if (level->implicit || element->tag >> 16 == 0xfffe)
		return STATUS_OK;

	memcpy(element->vr, bytes + 4, 2);
	if (vr_is_short(element->vr)) {
		element->length = read_u16(bytes + 6);
	} else if (vr_is_long(element->vr)) {
		if (left < 12)
			return fault(walk, "cut off inside an element header", element->tag);
		element->length = read_u32(bytes + 8);
		element->value = walk->at + 12;
	} else {
		return fault(walk, "unknown value representation", element->tag);
	}
	return STATUS_OK;
}

/* Goes into [value, value + length), or up to a delimiter. */
static enum status_code push(struct walk *walk, const struct element *element, struct level level)
{
	const struct level *outer = &walk->levels[walk->depth];
	level.undefined = element->length == UNDEFINED_LENGTH;
	level.start = element->value;
	level.end = level.undefined ? outer->end : element->value + element->length;
	if (walk->depth + 1 >= MAX_LEVELS) {
		walk->too_deep = true;
		return fault(walk, "sequences nested too deep", element->tag);
	}
	walk->levels[++walk->depth] = level;
	walk->at = element->value;
	return STATUS_OK;
}

static enum status_code keep_text(struct walk *walk, char out[65], const struct element *element)
{
	if (element->length == UNDEFINED_LENGTH)
		return fault(walk, "undefined length where it is not allowed", element->tag);
	size_t kept = element->length < 64 ? element->length : 64;
	memcpy(out, walk->bytes + element->value, kept);
	out[kept] = '\0';
	return STATUS_OK;
}

static enum status_code keep_uid(struct walk *walk, char out[65], const struct element *element,
				 const char *expected)
{
	if (element->length == UNDEFINED_LENGTH)
		return fault(walk, "undefined length where it is not allowed", element->tag);
	const uint8_t *value = walk->bytes + element->value;
	size_t length = element->length;
	while (length > 0 && (value[length - 1] == '\0' || value[length - 1] == ' '))
		length--;
	if (length > 0 && !screen_uid_is_valid((const char *)value, length))
		return fault(walk, "not a UID", element->tag);
	memcpy(out, value, length);
	out[length] = '\0';
	if (expected == NULL || strcmp(out, expected) == 0)
		return STATUS_OK;
	walk->report->verdict = SCREEN_MISMATCH;
	walk->report->offset = walk->at;
	return status_fail(
	    walk->st, STATUS_REFUSE, "(%04X,%04X) of the data set is %s, of the command %s",
	    element->tag >> 16, element->tag & 0xffff, length > 0 ? out : "empty", expected);
}

static enum status_code look_at_top_level(struct walk *walk, const struct element *element)
{
	uint32_t group = element->tag >> 16;
	if (group < 0x0008 || group == 0xffff)
		return fault(walk, "no such group in a data set", element->tag);
	if (element->tag <= walk->last_tag)
		return fault(walk, "elements not in rising order", element->tag);
	walk->last_tag = element->tag;
	struct screen_report *report = walk->report;
	switch (element->tag) {
	case 0x00080016:
		return keep_uid(walk, report->sop_class_uid, element, walk->class_uid);
	case 0x00080018:
		return keep_uid(walk, report->sop_instance_uid, element, walk->instance_uid);
	case 0x0020000d:
		return keep_uid(walk, report->study_instance_uid, element, NULL);
	case 0x0020000e:
		return keep_uid(walk, report->series_instance_uid, element, NULL);
	case 0x00100020:
		return keep_text(walk, report->patient_id, element);
	default:
		return STATUS_OK;
	}
}

/* The value begins with an item or a delimiter, in either byte order: DCMTK may go in. */
static bool looks_like_sequence(const struct walk *walk, const struct element *element)
{
	const uint8_t *value = walk->bytes + element->value;
	if (element->length < 8 || element->tag >> 16 == 0x7fe0)
		return false;
	return (value[0] == 0xfe && value[1] == 0xff && (value[3] == 0xe0)) ||
	       (value[0] == 0xff && value[1] == 0xfe && (value[2] == 0xe0));
}

static enum status_code walk_undefined_length(struct walk *walk, const struct element *element)
{
	const struct level *level = &walk->levels[walk->depth];
	if (element->tag == TAG_PIXEL_DATA) {
		bool allowed = walk->encapsulated && !level->implicit &&
			       (strcmp(element->vr, "OB") == 0 || strcmp(element->vr, "OW") == 0);
		if (!allowed)
			return fault(walk, "encapsulated pixel data in a native transfer syntax",
				     element->tag);
		return push(walk, element, (struct level){.kind = LEVEL_FRAGMENTS});
	}
	bool unknown =
	    strcmp(element->vr, "UN") == 0; /* its items are in Implicit VR (PS3.5 6.2.2) */
	if (!level->implicit && !unknown && strcmp(element->vr, "SQ") != 0)
		return fault(walk, "undefined length where it is not allowed", element->tag);
	return push(walk, element,
		    (struct level){.kind = LEVEL_ITEMS, .implicit = level->implicit || unknown});
}

static enum status_code walk_element(struct walk *walk)
{
	const struct level level = walk->levels[walk->depth];
	struct element element;
	enum status_code code = read_element(walk, &element);
	if (code != STATUS_OK)
		return code;
	if (element.tag == TAG_ITEM_END && level.undefined && walk->depth > 0) {
		if (element.length != 0)
			return fault(walk, "delimiter with a length", element.tag);
		walk->at = element.value;
		walk->depth--;
		return STATUS_OK;
	}
	if (element.tag >> 16 == 0xfffe)
		return fault(walk, "item or delimiter out of place", element.tag);
	bool undefined = element.length == UNDEFINED_LENGTH;
	if (!undefined && element.length > level.end - element.value)
		return fault(walk, "longer than what surrounds it", element.tag);
	if (walk->depth == 0) {
		code = look_at_top_level(walk, &element);
		if (code != STATUS_OK)
			return code;
	}
	if (undefined)
		return walk_undefined_length(walk, &element);
	bool private_or_unknown = (element.tag >> 16 & 1) != 0 || strcmp(element.vr, "UN") == 0;
	if (strcmp(element.vr, "SQ") == 0)
		return push(walk, &element, (struct level){.kind = LEVEL_ITEMS});
	if ((level.implicit || private_or_unknown) &&
	    (element.vr[0] == '\0' || strcmp(element.vr, "UN") == 0) &&
	    looks_like_sequence(walk, &element))
		return push(walk, &element,
			    (struct level){.kind = LEVEL_ITEMS,
					   .implicit = true,
					   .tentative = private_or_unknown});
	walk->at = element.value + element.length;
	return STATUS_OK;
}

/* Inside a sequence or encapsulated pixel data: items, and the delimiter where the length is
 * undefined. */
static enum status_code walk_item(struct walk *walk)
{
	const struct level level = walk->levels[walk->depth];
	struct element item;
	enum status_code code = read_element(walk, &item);
	if (code != STATUS_OK)
		return code;
	if (item.tag == TAG_SEQUENCE_END && level.undefined && item.length == 0) {
		walk->at = item.value;
		walk->depth--;
		return STATUS_OK;
	}
	if (item.tag != TAG_ITEM)
		return fault(walk, "not an item of the sequence it stands in", item.tag);
	bool undefined = item.length == UNDEFINED_LENGTH;
	if (!undefined && item.length > level.end - item.value)
		return fault(walk, "longer than what surrounds it", item.tag);
	if (level.kind == LEVEL_ITEMS)
		return push(walk, &item,
			    (struct level){.kind = LEVEL_ELEMENTS, .implicit = level.implicit});
	if (undefined)
		return fault(walk, "pixel fragment of undefined length", item.tag);
	walk->at = item.value + item.length;
	return STATUS_OK;
}

/* However a reader takes these bytes, each level of nesting needs an item tag, in one byte order or
 * the other. */
static bool has_few_item_tags(const struct walk *walk, const struct level *level)
{
	int count = 0;
	for (size_t at = level->start; at + 4 <= level->end; at++) {
		const uint8_t *tag = walk->bytes + at;
		if ((tag[0] == 0xfe && tag[1] == 0xff && tag[2] == 0x00 && tag[3] == 0xe0) ||
		    (tag[0] == 0xff && tag[1] == 0xfe && tag[2] == 0xe0 && tag[3] == 0x00))
			count++;
	}
	return count <= SCREEN_MAX_HIDDEN_ITEMS;
}

/* A fault inside a value that may be no sequence at all: then it is bytes, and the walk goes on
 * behind it. A reader that forgives the fault could still go in, so there must not be much to go
 * into. */
static bool leave_tentative(struct walk *walk)
{
	if (walk->too_deep || walk->elements > SCREEN_MAX_ELEMENTS)
		return false;
	for (int i = 1; i <= walk->depth; i++) {
		if (!walk->levels[i].tentative)
			continue;
		if (!has_few_item_tags(walk, &walk->levels[i]))
			return false;
		walk->at = walk->levels[i].end;
		walk->depth = i - 1;
		walk->report->verdict = SCREEN_PASSED;
		status_clear(walk->st);
		return true;
	}
	return false;
}

static enum status_code walk_all(struct walk *walk)
{
	for (;;) {
		struct level *level = &walk->levels[walk->depth];
		enum status_code code;
		if (walk->at < level->end)
			code = level->kind == LEVEL_ELEMENTS ? walk_element(walk) : walk_item(walk);
		else if (level->undefined)
			code = fault(walk, "ends without its delimiter", 0);
		else if (walk->depth-- == 0)
			return STATUS_OK;
		else
			code = STATUS_OK;
		if (code != STATUS_OK && !leave_tentative(walk))
			return code;
	}
}

enum status_code screen_dataset(struct screen_report *report, const uint8_t *bytes, size_t size,
				const char *transfer_syntax_uid, const char *expected_class_uid,
				const char *expected_instance_uid, struct status *st)
{
	memset(report, 0, sizeof *report);
	struct walk walk = {.report = report,
			    .bytes = bytes,
			    .class_uid = expected_class_uid,
			    .instance_uid = expected_instance_uid,
			    .st = st};
	bool implicit = strcmp(transfer_syntax_uid, "1.2.840.10008.1.2") == 0;
	walk.levels[0] = (struct level){.kind = LEVEL_ELEMENTS, .implicit = implicit, .end = size};
	walk.encapsulated = !implicit && strcmp(transfer_syntax_uid, "1.2.840.10008.1.2.1") != 0;
	if (strcmp(transfer_syntax_uid, "1.2.840.10008.1.2.1.99") == 0 ||
	    strcmp(transfer_syntax_uid, "1.2.840.10008.1.2.2") == 0) {
		report->verdict = SCREEN_CANNOT_UNDERSTAND;
		return status_fail(st, STATUS_REFUSE, "transfer syntax %s is not accepted",
				   transfer_syntax_uid);
	}
	enum status_code code = walk_all(&walk);
	if (code != STATUS_OK)
		return code;
	if ((expected_class_uid != NULL && report->sop_class_uid[0] == '\0') ||
	    (expected_instance_uid != NULL && report->sop_instance_uid[0] == '\0')) {
		report->verdict = SCREEN_CANNOT_UNDERSTAND;
		return status_fail(st, STATUS_REFUSE,
				   "malformed data set: SOP Class or Instance UID is absent");
	}
	return STATUS_OK;
}
