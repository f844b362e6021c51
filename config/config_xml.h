/* config_xml.h - one XML file -> faults and values; what the configuration and the treatment
 * record share.
 *
 * Private to config/. A document is read from memory only: nothing is fetched, a DOCTYPE is
 * refused where it starts (so there is no entity to expand), and the schema comes from the binary.
 * Faults of shape (the schema) and of meaning (the callers) go to one list, which
 * config_faults_sort() puts in order of line. An attribute on a line of its own gets that line,
 * not the line of its element.
 *
 * Values are read by tables: one row per attribute says where it goes, its bounds with their
 * unit, and its value when absent. A value that is absent, malformed or out of bounds leaves
 * the row's `otherwise` (numbers: NaN where there is none). */
#ifndef CONFIG_XML_H
#define CONFIG_XML_H

#include <stddef.h>

#include "config.h"

struct _xmlDoc;
struct _xmlNode;

struct config_xml {
	struct _xmlDoc *doc; /* owned; NULL when not well-formed */
	const char *text;    /* borrowed: the bytes, for line numbers */
	size_t size;
	struct config_faults *faults; /* borrowed */
};

enum setting_kind { SETTING_TEXT, SETTING_INTEGER, SETTING_NUMBER, SETTING_YES_NO };

/* One attribute: destination is base + offset: char[size], int, double or bool by kind. */
struct setting {
	const char *attribute;
	enum setting_kind kind;
	size_t offset, size;
	double least, most; /* numbers and integers: allowed range, both ends allowed */
	double otherwise;   /* when absent: numbers (NAN none), integers, 1 or 0 for yes and no */
	const char *unit;   /* "s", "Gy"; "" none */
};

/* Reads a whole regular file; the caller frees *text. STATUS_CONFIG with words, STATUS_RETRY
 * for memory. */
enum status_code config_xml_read_file(char **text, size_t *size, const char *path,
				      struct status *st) STATUS_CHECKED;

/* Parses and validates; all faults of shape are in xml->faults. STATUS_OK when there is a
 * document to look at (faults or not), STATUS_CONFIG when there is none, STATUS_BUG when the
 * built-in schema cannot be read. Freed with config_xml_free(). */
enum status_code config_xml_parse(struct config_xml *xml, struct config_faults *faults,
				  const char *text, size_t size, const unsigned char *schema,
				  size_t schema_size, struct status *st) STATUS_CHECKED;
void config_xml_free(struct config_xml *xml);

struct _xmlNode *config_xml_root(const struct config_xml *xml);
/* First or next child element of this name; NULL none. */
struct _xmlNode *config_xml_child(const struct _xmlNode *parent, const char *name);
struct _xmlNode *config_xml_next(const struct _xmlNode *element);
int config_xml_count(const struct _xmlNode *parent, const char *name);

/* The attribute with outer white space taken off; false when absent or, after a fault, too long. */
bool config_xml_text(const struct config_xml *xml, const struct _xmlNode *element,
		     const char *attribute, char *out, size_t size);
/* Fills base by the rows of the table. */
void config_xml_settings(const struct config_xml *xml, const struct _xmlNode *element,
			 const struct setting *rows, size_t count, void *base);

/* Line of an attribute, or (NULL) of the element's start tag. */
int config_xml_line(const struct config_xml *xml, const struct _xmlNode *element,
		    const char *attribute);

/* Adds a fault at the line of an attribute (NULL: of the element; element NULL: of the whole
 * file). */
void config_xml_error(const struct config_xml *xml, const struct _xmlNode *element,
		      const char *attribute, const char *format, ...) STATUS_PRINTF(4, 5);
void config_xml_warning(const struct config_xml *xml, const struct _xmlNode *element,
			const char *attribute, const char *format, ...) STATUS_PRINTF(4, 5);

/* config_faults.c */
void config_faults_add(struct config_faults *faults, int line, bool warning, const char *text);
void config_faults_sort(struct config_faults *faults);

/* SHA-256 of a text as 64 lower-case hexadecimal digits. */
void config_sha256(char hex[65], const char *text, size_t size);

#endif
