#include "config_xml.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE_BYTES (4L * 1024 * 1024)

enum status_code config_xml_read_file(char **text, size_t *size, const char *path,
				      struct status *st)
{
	enum status_code code = STATUS_OK;
	char *bytes = NULL;
	FILE *file = fopen(path, "rb");
	struct stat about;
	if (!file)
		return status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode)) {
		code = status_fail(st, STATUS_CONFIG, "%s: not a file", path);
		goto out;
	}
	if (about.st_size > MAX_FILE_BYTES) {
		code = status_fail(st, STATUS_CONFIG, "%s: larger than 4 MiB", path);
		goto out;
	}
	bytes = malloc((size_t)about.st_size + 1);
	if (!bytes) {
		code = status_fail(st, STATUS_RETRY, "%s: no memory", path);
		goto out;
	}
	*size = fread(bytes, 1, (size_t)about.st_size, file);
	if (ferror(file)) {
		code = status_fail(st, STATUS_CONFIG, "%s: cannot be read", path);
		goto out;
	}
	bytes[*size] = '\0';
	*text = bytes;
	bytes = NULL;
out:
	free(bytes);
	fclose(file);
	return code;
}

/* ---- lines ---- */

/* libxml2 gives an element the line where its start tag ends, and an attribute none. The start tag
 * is therefore walked back from there to find the attribute's own line, or the line of the tag's
 * beginning. */
int config_xml_line(const struct config_xml *xml, const struct _xmlNode *element,
		    const char *attribute)
{
	long end_line = xmlGetLineNo(element);
	if (end_line <= 0)
		return 0;
	const char *end = xml->text, *stop = xml->text + xml->size;
	for (long line = 1; end < stop; end++) {
		if (*end == '\n' && line++ == end_line)
			break;
	}
	char opening[80];
	int opening_length = snprintf(opening, sizeof opening, "<%s", (const char *)element->name);
	size_t attribute_length = attribute ? strlen(attribute) : 0;
	int line = (int)end_line;
	for (const char *at = end; at-- > xml->text;) {
		size_t left = (size_t)(stop - at);
		if (*at == '\n' && at != end)
			line--;
		if (attribute && left > attribute_length + 1 && at > xml->text &&
		    strchr(" \t\r\n", at[-1]) && memcmp(at, attribute, attribute_length) == 0 &&
		    strchr(" \t\r\n=", at[attribute_length]))
			return line;
		if (left > (size_t)opening_length &&
		    memcmp(at, opening, (size_t)opening_length) == 0 &&
		    strchr(" \t\r\n/>", at[opening_length]))
			return line;
	}
	return (int)end_line;
}

static void add(const struct config_xml *xml, const struct _xmlNode *element, const char *attribute,
		bool warning, const char *format, va_list arguments)
{
	char text[320];
	vsnprintf(text, sizeof text, format, arguments);
	config_faults_add(xml->faults, element ? config_xml_line(xml, element, attribute) : 0,
			  warning, text);
}

void config_xml_error(const struct config_xml *xml, const struct _xmlNode *element,
		      const char *attribute, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(xml, element, attribute, false, format, arguments);
	va_end(arguments);
}

void config_xml_warning(const struct config_xml *xml, const struct _xmlNode *element,
			const char *attribute, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(xml, element, attribute, true, format, arguments);
	va_end(arguments);
}

/* ---- parsing ---- */

/* Copies a message of libxml2 without its "{namespace}" marks and line ends. */
static void tidy(char *out, size_t size, const char *message)
{
	size_t n = 0;
	for (const char *c = message; *c && n + 1 < size; c++) {
		if (strncmp(c, "{urn:", 5) == 0) {
			const char *close = strchr(c, '}');
			if (close) {
				c = close;
				continue;
			}
		}
		out[n++] = *c == '\n' ? ' ' : *c;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

static void on_parse_error(void *context, xmlErrorPtr error)
{
	xmlParserCtxtPtr parser = context;
	struct config_xml *xml = parser->_private;
	if (!xml || !error->message)
		return;
	char text[320];
	tidy(text, sizeof text, error->message);
	config_faults_add(xml->faults, error->line, error->level == XML_ERR_WARNING, text);
}

/* Called where a DOCTYPE starts, before anything of it is read. */
static void on_doctype(void *context, const xmlChar *name, const xmlChar *external,
		       const xmlChar *system)
{
	(void)name;
	(void)external;
	(void)system;
	xmlParserCtxtPtr parser = context;
	struct config_xml *xml = parser->_private;
	config_faults_add(xml->faults, parser->input ? parser->input->line : 0, false,
			  "a DOCTYPE is not allowed here: no entities, no external files");
	xmlStopParser(parser);
}

static void on_schema_error(void *context, xmlErrorPtr error)
{
	struct config_xml *xml = context;
	char text[320], attribute[80] = "";
	if (!error->message)
		return;
	tidy(text, sizeof text, error->message);
	/* A broken facet comes twice: with its reason, then as "not a valid value of the type". */
	if (strstr(text, "is not a valid value of the") && strstr(text, "local atomic type"))
		return;
	const xmlNode *node = error->node;
	const char *named = strstr(text, "attribute '");
	if (named)
		sscanf(named, "attribute '%79[^']", attribute);
	if (node && node->type == XML_ATTRIBUTE_NODE)
		node = node->parent;
	int line = error->line;
	if (node && node->type == XML_ELEMENT_NODE)
		line = config_xml_line(xml, node, attribute[0] ? attribute : NULL);
	config_faults_add(xml->faults, line, false, text);
}

static enum status_code validate(struct config_xml *xml, const unsigned char *schema_text,
				 size_t schema_size, struct status *st)
{
	enum status_code code = STATUS_OK;
	const int before = xml->faults->errors;
	int result;
	xmlSchemaPtr schema = NULL;
	xmlSchemaValidCtxtPtr validator = NULL;
	xmlSchemaParserCtxtPtr parser =
	    xmlSchemaNewMemParserCtxt((const char *)schema_text, (int)schema_size);
	if (parser)
		schema = xmlSchemaParse(parser);
	if (schema)
		validator = xmlSchemaNewValidCtxt(schema);
	if (!validator) {
		code = status_fail(st, STATUS_BUG, "the built-in schema cannot be read");
		goto out;
	}
	xmlSchemaSetValidStructuredErrors(validator, on_schema_error, xml);
	result = xmlSchemaValidateDoc(validator, xml->doc);
	if (result < 0)
		code = status_fail(st, STATUS_BUG, "the schema check failed inside libxml2");
	else if (result > 0 && xml->faults->errors == before)
		config_faults_add(xml->faults, 0, false, "does not follow the schema");
out:
	xmlSchemaFreeValidCtxt(validator);
	xmlSchemaFree(schema);
	xmlSchemaFreeParserCtxt(parser);
	return code;
}

enum status_code config_xml_parse(struct config_xml *xml, struct config_faults *faults,
				  const char *text, size_t size, const unsigned char *schema,
				  size_t schema_size, struct status *st)
{
	*xml = (struct config_xml){.text = text, .size = size, .faults = faults};
	if (size > (size_t)MAX_FILE_BYTES)
		return status_fail(st, STATUS_CONFIG, "larger than 4 MiB");
	xmlParserCtxtPtr parser = xmlNewParserCtxt();
	if (!parser)
		return status_fail(st, STATUS_RETRY, "no memory");
	parser->_private = xml;
	parser->sax->initialized = XML_SAX2_MAGIC;
	parser->sax->serror = on_parse_error;
	parser->sax->internalSubset = on_doctype;
	xml->doc = xmlCtxtReadMemory(parser, text, (int)size, NULL, NULL,
				     XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES);
	xmlFreeParserCtxt(parser);
	if (!xml->doc || !xmlDocGetRootElement(xml->doc)) {
		if (faults->errors == 0)
			config_faults_add(faults, 0, false, "not an XML document");
		config_xml_free(xml);
		return status_fail(st, STATUS_CONFIG, "not well-formed XML");
	}
	return validate(xml, schema, schema_size, st);
}

void config_xml_free(struct config_xml *xml)
{
	xmlFreeDoc(xml->doc);
	xml->doc = NULL;
}

/* ---- looking ---- */

struct _xmlNode *config_xml_root(const struct config_xml *xml)
{
	return xmlDocGetRootElement(xml->doc);
}

static struct _xmlNode *this_or_next(struct _xmlNode *node, const char *name)
{
	for (; node; node = node->next) {
		if (node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0)
			return node;
	}
	return NULL;
}

struct _xmlNode *config_xml_child(const struct _xmlNode *parent, const char *name)
{
	return parent ? this_or_next(parent->children, name) : NULL;
}

struct _xmlNode *config_xml_next(const struct _xmlNode *element)
{
	return this_or_next(element->next, (const char *)element->name);
}

int config_xml_count(const struct _xmlNode *parent, const char *name)
{
	int count = 0;
	for (struct _xmlNode *e = config_xml_child(parent, name); e; e = config_xml_next(e))
		count++;
	return count;
}

bool config_xml_text(const struct config_xml *xml, const struct _xmlNode *element,
		     const char *attribute, char *out, size_t size)
{
	out[0] = '\0';
	xmlChar *value = element ? xmlGetNoNsProp(element, (const xmlChar *)attribute) : NULL;
	if (!value)
		return false;
	const char *first = (const char *)value;
	while (*first && strchr(" \t\r\n", *first))
		first++;
	size_t length = strlen(first);
	while (length > 0 && strchr(" \t\r\n", first[length - 1]))
		length--;
	bool fits = length < size;
	if (fits) {
		memcpy(out, first, length);
		out[length] = '\0';
	} else {
		config_xml_error(xml, element, attribute, "%s is longer than %zu bytes", attribute,
				 size - 1);
	}
	xmlFree(value);
	return fits;
}

/* True when text is a number of the allowed range; a fault is written when it is outside. A
 * malformed one is the schema's. */
static bool read_number(const struct config_xml *xml, const struct _xmlNode *element,
			const struct setting *row, const char *text, double *value)
{
	char *end;
	*value = strtod(text, &end);
	if (end == text || *end || strspn(text, "+-.0123456789") != strlen(text))
		return false;
	if (*value >= row->least && *value <= row->most)
		return true;
	const char *space = row->unit[0] ? " " : "";
	if (isinf(row->most))
		config_xml_error(xml, element, row->attribute, "%s \"%s\" must be at least %g%s%s",
				 row->attribute, text, row->least, space, row->unit);
	else
		config_xml_error(xml, element, row->attribute, "%s \"%s\" must be %g to %g%s%s",
				 row->attribute, text, row->least, row->most, space, row->unit);
	return false;
}

void config_xml_settings(const struct config_xml *xml, const struct _xmlNode *element,
			 const struct setting *rows, size_t count, void *base)
{
	for (const struct setting *row = rows; row < rows + count; row++) {
		char *field = (char *)base + row->offset, text[128];
		double value = row->otherwise;
		if (row->kind == SETTING_TEXT) {
			(void)config_xml_text(xml, element, row->attribute, field, row->size);
			continue;
		}
		if (config_xml_text(xml, element, row->attribute, text, sizeof text)) {
			if (row->kind == SETTING_YES_NO)
				value = strcmp(text, "yes") == 0;
			else if (!read_number(xml, element, row, text, &value))
				value = row->otherwise;
		}
		if (row->kind == SETTING_NUMBER)
			memcpy(field, &value, sizeof value);
		else if (row->kind == SETTING_INTEGER)
			memcpy(field, &(int){isnan(value) ? 0 : (int)value}, sizeof(int));
		else
			memcpy(field, &(bool){value != 0}, sizeof(bool));
	}
}

void config_sha256(char hex[65], const char *text, size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	hex[0] = '\0';
	if (EVP_Digest(text, size, digest, &length, EVP_sha256(), NULL) != 1)
		return;
	for (unsigned int i = 0; i < length && i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
