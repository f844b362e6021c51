/* dataset.h - the wall to DCMTK's dcmdata: one DICOM data set, seen from C.
 *
 * Elements are addressed by path: AT(tag) or AT(sequence, item, tag) or deeper; tags come from tags.h and only from
 * there. There are no child handles, hence no child lifetimes. Text crosses as UTF-8, whatever the Specific Character
 * Set was; numbers cross as double or int64. "Absent", "empty" and "has a value" are three things. Nothing throws.
 * Not supported here: networking, big endian output, DICOMDIR, Enhanced objects' functional groups as such. */
#ifndef DATASET_H
#define DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What crosses the wall throws nothing. */
#ifdef __cplusplus
#define DATASET_NOTHROW noexcept
#else
#define DATASET_NOTHROW
#endif

struct dataset; /* owned by whoever made it; freed with dataset_free() */

struct dataset_path {
	int count;
	uint32_t step[9]; /* tag, (item, tag)* */
};
/* AT(TAG_PatientID), AT(TAG_DVHSequence, item, TAG_DVHData); items count from 0, unsigned. */
#define AT(...)                                                                                    \
	((struct dataset_path){(int)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)),        \
	                       {__VA_ARGS__}})

enum dataset_presence { DATASET_ABSENT, DATASET_EMPTY, DATASET_HAS_VALUE };

/* Once per process, before anything else: sets DCMTK's process-wide switches (listed in dataset.cc), silences its logger,
 * registers decoders, and checks that the data dictionary is there. STATUS_CONFIG with words otherwise. */
enum status_code dataset_library_init(struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* ---- life ---- */
enum status_code dataset_new(struct dataset **ds, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* A DICOM file (with or without preamble and meta header). STATUS_REFUSE when unreadable. */
enum status_code dataset_read_file(struct dataset **ds, const char *path, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* A bare data set in a known transfer syntax, as it crosses the network. bytes are copied. */
enum status_code dataset_read_memory(struct dataset **ds, const uint8_t *bytes, size_t size,
                                     const char *transfer_syntax_uid, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
void dataset_free(struct dataset *ds) DATASET_NOTHROW;

/* ---- look ---- */
enum dataset_presence dataset_presence(const struct dataset *ds, struct dataset_path path) DATASET_NOTHROW;
/* Whole value as UTF-8 (multi-values with backslashes), trailing padding removed. Absent or empty: out = "" and STATUS_OK.
 * Longer than size - 1 bytes: cut at a character and STATUS_OK. */
enum status_code dataset_get_string(const struct dataset *ds, struct dataset_path path, char *out,
                                    size_t size, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* value_index-th value; absent, empty or unreadable: NaN / fallback. */
double dataset_get_double(const struct dataset *ds, struct dataset_path path, unsigned value_index) DATASET_NOTHROW;
int64_t dataset_get_int(const struct dataset *ds, struct dataset_path path, int64_t fallback) DATASET_NOTHROW;
/* All numbers of a DS/FD/FL/IS element: *values is malloc'd for the caller, NULL and 0 when there are none. */
enum status_code dataset_get_doubles(const struct dataset *ds, struct dataset_path path,
                                     double **values, size_t *count, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* Number of items of a sequence; 0 when absent. */
unsigned dataset_item_count(const struct dataset *ds, struct dataset_path path) DATASET_NOTHROW;
/* Private element: its block is found by its creator; element is the low byte. NaN / "" when absent. */
double dataset_get_private_double(const struct dataset *ds, uint16_t group, const char *creator, uint8_t element) DATASET_NOTHROW;

/* ---- write: sequences and items on the way are made as needed ---- */
enum status_code dataset_set_string(struct dataset *ds, struct dataset_path path, const char *utf8,
                                    struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* Decimal strings get at most 16 characters, the closest that fit. */
enum status_code dataset_set_double(struct dataset *ds, struct dataset_path path, double value,
                                    struct status *st) DATASET_NOTHROW STATUS_CHECKED;
enum status_code dataset_set_doubles(struct dataset *ds, struct dataset_path path,
                                     const double *values, size_t count, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
enum status_code dataset_set_int(struct dataset *ds, struct dataset_path path, int64_t value,
                                 struct status *st) DATASET_NOTHROW STATUS_CHECKED;
enum status_code dataset_set_empty(struct dataset *ds, struct dataset_path path, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* An attribute tag as value (Frame Increment Pointer). */
enum status_code dataset_set_tag(struct dataset *ds, struct dataset_path path, uint32_t tag,
                                 struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* Private element in the block of its creator, which is reserved when it is not there yet. vr is its
 * representation: "SS", "US", "FL", "FD", "IS" or "DS". */
enum status_code dataset_set_private(struct dataset *ds, uint16_t group, const char *creator, uint8_t element,
                                     const char *vr, double value, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* Copies an element (with its items, recoded to UTF-8) from another data set; absent there: nothing happens. */
enum status_code dataset_copy(struct dataset *to, const struct dataset *from, uint32_t tag,
                              struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* ---- pixels ---- */
/* One frame as stored values (sign by Pixel Representation), decoded where DCMTK has the decoder. values must hold
 * count = Rows * Columns; STATUS_REFUSE when sizes disagree, bits are impossible, or the syntax cannot be decoded. */
enum status_code dataset_get_frame(struct dataset *ds, unsigned frame, float *values, size_t count,
                                   struct status *st) DATASET_NOTHROW STATUS_CHECKED;
enum status_code dataset_set_pixels_u16(struct dataset *ds, const uint16_t *values, size_t count,
                                        struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* ---- out ---- */
/* DICOM file, Explicit VR Little Endian, zero preamble, in memory; malloc'd for the caller. Same data set, same bytes. */
enum status_code dataset_write_file_memory(struct dataset *ds, uint8_t **bytes, size_t *size,
                                           struct status *st) DATASET_NOTHROW STATUS_CHECKED;
/* The bare top-level elements for which keep() is true, Implicit VR Little Endian, text as UTF-8, pixels decoded:
 * the same content gives the same bytes whatever transfer syntax it came in (only pixels that cannot be decoded stay as they
 * are, in that syntax). For hashing. malloc'd for the caller. */
enum status_code dataset_encode_elements(struct dataset *ds, bool (*keep)(uint32_t tag), uint8_t **bytes,
                                         size_t *size, struct status *st) DATASET_NOTHROW STATUS_CHECKED;
enum status_code dataset_write_file(struct dataset *ds, const char *path, struct status *st) DATASET_NOTHROW STATUS_CHECKED;

/* SHA-256 as 64 hex digits of what makes two instances the same evidence: decoded pixels, geometry and acquisition
 * attributes for images; contours, names, codes and references for structure sets; the whole data set without groups 0002, 0010 and the
 * identifiers and dates of 0008 for anything else. Header edits, another transfer syntax or another UID do not change it. */
enum status_code dataset_evidence_hash(struct dataset *ds, char hex[65], struct status *st) DATASET_NOTHROW STATUS_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
