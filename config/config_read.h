/* config_read.h - the two halves of config_load(), private to config/.
 *
 * config_read() fills the structure from the document by tables (config_table.c);
 * config_check() looks at what bounds alone cannot say: names, addresses, patterns, uniqueness,
 * what contradicts what (config_check.c). Both write faults and go on. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include "config_xml.h"

/* STATUS_RETRY: memory. */
enum status_code config_read(struct config *config, const struct config_xml *xml,
			     struct status *st) STATUS_CHECKED;
void config_check(struct config *config, const struct config_xml *xml);

#endif
