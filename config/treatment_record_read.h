/* treatment_record_read.h - the parts of reading a treatment record, private to config/.
 *
 * treatment_record_check() looks at the injections in the order of the file, before they are
 * sorted by time: what a person who typed it would want to know at once
 * (treatment_record_check.c). */
#ifndef TREATMENT_RECORD_READ_H
#define TREATMENT_RECORD_READ_H

#include "config_xml.h"
#include "treatment_record.h"

void treatment_record_check(const struct treatment_record *record, const struct config_xml *xml);

/* Fills record->fingerprint. STATUS_RETRY: libcrypto gave none. */
enum status_code treatment_record_fingerprint(struct treatment_record *record,
					      struct status *st) STATUS_CHECKED;

#endif
