/* writer.h - attributes written one after another, in module order; the first fault sticks.
 *
 * A builder writes some eighty attributes; checking each call would hide which ones. A writer keeps
 * the first fault and does nothing after it, so the builder reads as the module table does and
 * checks writer.code once, at the end. The data set and the status are borrowed. Not for reading.
 */
#ifndef WRITER_H
#define WRITER_H

#include "codes.h"
#include "dataset.h"

struct evidence_instance;

struct writer {
	struct dataset *ds;
	struct status *st;
	enum status_code code; /* STATUS_OK until something fails */
};

struct writer writer_begin(struct dataset *ds, struct status *st);

/* AT(sequence, item, tag), one level deeper: path + (item, tag). */
struct dataset_path writer_below(struct dataset_path sequence, uint32_t item, uint32_t tag);

void writer_string(struct writer *w, struct dataset_path path, const char *utf8);
/* Text cut to at most characters (not bytes): LO holds 64, SH 16. */
void writer_string_cut(struct writer *w, struct dataset_path path, const char *utf8,
		       int characters);
/* Type 3: an empty text is not written. */
void writer_string_if_any(struct writer *w, struct dataset_path path, const char *utf8);
void writer_int(struct writer *w, struct dataset_path path, int64_t value);
void writer_doubles(struct writer *w, struct dataset_path path, const double *values, size_t count);
void writer_empty(struct writer *w, struct dataset_path path);
/* Type 3: copied when the source has it. */
void writer_copy(struct writer *w, const struct dataset *from, uint32_t tag);
/* Type 2: copied, or present without a value. */
void writer_copy_or_empty(struct writer *w, const struct dataset *from, uint32_t tag);
/* Code Value, Coding Scheme Designator, Code Meaning into item of a code sequence. */
void writer_code(struct writer *w, struct dataset_path sequence, uint32_t item,
		 const struct code *code);
/* Referenced SOP Class and Instance UID into item of a sequence. */
void writer_reference(struct writer *w, struct dataset_path sequence, uint32_t item,
		      const struct evidence_instance *instance);
/* YYYYMMDDHHMMSS -> a date and a time attribute. */
void writer_date_time(struct writer *w, uint32_t date_tag, uint32_t time_tag, const char *datetime);

#endif
