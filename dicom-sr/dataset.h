/* dataset.h - the wall to DCMTK's dcmdata: one DICOM data set, seen from C.
 *
 * Elements are addressed by path: AT(tag), or AT(sequence, item, tag), or deeper. Tags come from
 * tags.h and only from there. There are no handles to items or elements, hence no lifetimes but
 * that of the data set. Text crosses as UTF-8, whatever the Specific Character Set was; numbers
 * cross as double or int64. "Absent", "empty" and "has a value" are three things. Nothing throws.
 *
 * Status: STATUS_REFUSE is the data set's fault (its sender has to know), STATUS_RETRY lack of
 * memory or disk, STATUS_BUG ours (an attribute that cannot hold what we put into it).
 *
 * Threads: a data set belongs to one thread at a time, also for looking only (DCMTK moves cursors
 * when it looks). Different data sets may be used in different threads at once.
 *
 * Not here: networking, big endian or compressed output, deflated input, JPEG 2000, DICOMDIR,
 * colour, more than 16 bits per pixel, the functional groups of Enhanced objects as such. The
 * parser below recurses with the nesting of sequences: on bytes from the network screen.h comes
 * first. */
#ifndef DATASET_H
#define DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#define DATASET_NOTHROW noexcept
#else
#define DATASET_NOTHROW
#endif

struct dataset; /* owned by whoever made it; freed with dataset_free() */

struct dataset_path {
	int count;
	uint32_t step[13]; /* tag, (item, tag)*: as deep as a report goes */
};
/* AT(TAG_PatientID), AT(TAG_DVHSequence, item, TAG_DVHData); items count from 0, unsigned. */
#define AT(...)                                                                                    \
	((struct dataset_path){(int)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)),        \
			       {__VA_ARGS__}})

enum dataset_presence { DATASET_ABSENT, DATASET_EMPTY, DATASET_HAS_VALUE };

/* Before anything else; safe to call again, from any thread. Sets DCMTK's process-wide switches
 * (listed in dataset.cc), silences its logger, registers its decoders, and checks that the data
 * dictionary is there: without it DCMTK takes every element for unknown. STATUS_CONFIG with words
 * then. */
enum status_code dataset_library_init(struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* ---- life ---- */

/* Empty, its character set UTF-8 (ISO_IR 192). */
enum status_code dataset_new(struct dataset **ds, struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* A DICOM file, with or without preamble and meta header. The whole file is read at once; nothing
 * is fetched from it later. STATUS_REFUSE when it cannot be opened or parsed, or ends too early. */
enum status_code dataset_read_file(struct dataset **ds, const char *path,
				   struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* A bare data set in a known transfer syntax, as it crosses the network. bytes are copied.
 * STATUS_REFUSE when it cannot be parsed, ends too early, or the syntax is unknown or deflated. */
enum status_code dataset_read_memory(struct dataset **ds, const uint8_t *bytes, size_t size,
				     const char *transfer_syntax_uid,
				     struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* NULL is fine. */
void dataset_free(struct dataset *ds) DATASET_NOTHROW;

/* ---- look ---- */

enum dataset_presence dataset_presence(const struct dataset *ds,
				       struct dataset_path path) DATASET_NOTHROW;

/* The whole value as UTF-8 (several values with backslashes between them), padding removed. Absent,
 * empty or not text: out = "" and STATUS_OK. Longer than size - 1 bytes: cut between characters
 * and STATUS_OK. Bytes that the character set does not explain become U+FFFD. */
enum status_code dataset_get_string(const struct dataset *ds, struct dataset_path path, char *out,
				    size_t size, struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* The value_index-th value, of a text or binary number; absent, empty, not finite or not a number:
 * NaN. For integers the fallback, also where the value is not whole. */
double dataset_get_double(const struct dataset *ds, struct dataset_path path,
			  unsigned value_index) DATASET_NOTHROW;
int64_t dataset_get_int(const struct dataset *ds, struct dataset_path path,
			int64_t fallback) DATASET_NOTHROW;

/* All numbers of an element. *values is malloc'd for the caller, NULL and 0 when there are none.
 * STATUS_REFUSE, naming attribute and value, when one of them is not a number. */
enum status_code dataset_get_doubles(const struct dataset *ds, struct dataset_path path,
				     double **values, size_t *count,
				     struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* Number of items of a sequence; 0 when absent. */
unsigned dataset_item_count(const struct dataset *ds, struct dataset_path path) DATASET_NOTHROW;

/* A private element of the top level: its block is found by its creator, element is the low byte.
 * Where nobody told its representation (Implicit VR), digits are read as text, and two, four and
 * eight bytes as SS, FL and FD. NaN when absent. */
double dataset_get_private_double(const struct dataset *ds, uint16_t group, const char *creator,
				  uint8_t element) DATASET_NOTHROW;

/* ---- write: sequences and items on the way are made as needed ---- */

enum status_code dataset_set_string(struct dataset *ds, struct dataset_path path, const char *utf8,
				    struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* Decimal strings get at most 16 characters (PS3.5 6.2): of all notations that fit, the closest.
 * NaN and infinity are STATUS_BUG: "not measured" has to be said otherwise. */
enum status_code dataset_set_double(struct dataset *ds, struct dataset_path path, double value,
				    struct status *st) DATASET_NOTHROW STATUS_CHECKED;
enum status_code dataset_set_doubles(struct dataset *ds, struct dataset_path path,
				     const double *values, size_t count,
				     struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* STATUS_BUG when the value does not fit the attribute's representation. */
enum status_code dataset_set_int(struct dataset *ds, struct dataset_path path, int64_t value,
				 struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* Zero length: type 2 attributes without a value, sequences without items. Not for pixel data. */
enum status_code dataset_set_empty(struct dataset *ds, struct dataset_path path,
				   struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* An attribute tag as value (Frame Increment Pointer). */
enum status_code dataset_set_tag(struct dataset *ds, struct dataset_path path, uint32_t tag,
				 struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* A private element in the block of its creator, which is reserved when it is not there yet. vr is
 * its representation: "SS", "US", "FL", "FD", "IS" or "DS". */
enum status_code dataset_set_private(struct dataset *ds, uint16_t group, const char *creator,
				     uint8_t element, const char *vr, double value,
				     struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* Copies a top-level element, with its items and recoded to UTF-8, from another data set. Absent
 * there: nothing happens. */
enum status_code dataset_copy(struct dataset *to, const struct dataset *from, uint32_t tag,
			      struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* ---- pixels ---- */

/* True when the pixels were ever lossy compressed: Lossy Image Compression (0028,2110) says so,
 * or the transfer syntax they came in is a lossy one. */
bool dataset_is_lossy(const struct dataset *ds) DATASET_NOTHROW;

/* One frame as stored values: bits outside Bits Stored dropped, sign by Pixel Representation,
 * before any rescaling. Compressed pixels are decoded in place at the first call. values must hold
 * count = Rows * Columns. STATUS_REFUSE when sizes disagree by a single byte, bits are impossible,
 * the image is in colour, or the syntax cannot be decoded (JPEG 2000). */
enum status_code dataset_get_frame(struct dataset *ds, unsigned frame, float *values, size_t count,
				   struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* The same as words; a negative value is its two's complement. */
enum status_code dataset_get_frame_words(struct dataset *ds, unsigned frame, uint16_t *words,
					 size_t count,
					 struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* The attributes of Image Pixel are the caller's. */
enum status_code dataset_set_pixels_u16(struct dataset *ds, const uint16_t *values, size_t count,
					struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* ---- out ---- */

/* A DICOM file in memory: Explicit VR Little Endian, zero preamble, our own meta header, explicit
 * lengths, no group lengths, no padding. malloc'd for the caller. Same data set, same bytes. */
enum status_code dataset_write_file_memory(struct dataset *ds, uint8_t **bytes, size_t *size,
					   struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* The bare top-level elements for which keep() is true, in Implicit VR Little Endian, text as
 * UTF-8, pixels decoded: the same content gives the same bytes whatever transfer syntax it came in
 * (pixels that cannot be decoded stay as they are, in that syntax). For hashing. malloc'd for the
 * caller. */
enum status_code dataset_encode_elements(struct dataset *ds, bool (*keep)(uint32_t tag),
					 uint8_t **bytes, size_t *size,
					 struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* The bytes of dataset_write_file_memory() into a file: written in place, not synchronised; what
 * has to survive a crash goes through the spool. */
enum status_code dataset_write_file(struct dataset *ds, const char *path,
				    struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* SHA-256, 64 hex digits, of what makes two instances the same evidence:
 *   images         stored values of the pixels, geometry, acquisition attributes (echo, repetition
 *                  and acquisition time, flip angle, field, rescale, component); of PET also
 *                  units, decay correction and radiopharmaceutical
 *   contour sets   ROIs, contours, observations, what they were drawn on
 *   anything else  the whole data set without patient, identifiers, persons and dates
 * Header edits, another lossless transfer syntax, another UID or another writing of the same number
 * do not change it. STATUS_REFUSE for an image whose pixels cannot be read. */
enum status_code dataset_evidence_hash(struct dataset *ds, char hex[65],
				       struct status *st) DATASET_NOTHROW STATUS_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
