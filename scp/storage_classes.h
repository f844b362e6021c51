/* storage_classes.h - the one table of what this node accepts over the network.
 *
 * SOP classes: Verification, and the storage classes whose objects a treatment can use or that
 * commonly travel in the same study (kept, unused). Where the configuration allows it
 * (accept-unknown-storage) any other storage class is accepted as well, because a refusal makes the
 * routes of a PACS try for ever: a UID below 1.2.840.10008.5.1.4.1.1, or one outside DICOM's root.
 *
 * Transfer syntaxes, most wanted first: Explicit and Implicit VR Little Endian; RLE, JPEG Lossless
 * (57, 70), JPEG-LS (80, 81), JPEG 2000 (90, 91). All of them are kept as received. Not accepted:
 * big endian (retired), deflated (no bounded inflate yet), JPEG baseline and extended (lossy: no
 * place in quantitative images), HTJ2K and JPEG XL (unknown to DCMTK 3.6.7). */
#ifndef STORAGE_CLASSES_H
#define STORAGE_CLASSES_H

#include <stdbool.h>

#define VERIFICATION_SOP_CLASS_UID "1.2.840.10008.1.1"

struct storage_class {
	const char *uid, *name;
};

/* The table, ended by a NULL uid; for the conformance statement's test and `holmia check`. */
extern const struct storage_class storage_classes[];
extern const char *const storage_transfer_syntaxes[]; /* ended by NULL, most wanted first */

/* The table's name, or NULL for a class it does not hold. */
const char *storage_class_name(const char *sop_class_uid);

/* The contexts policy: whether a SOP class is accepted at all. */
bool storage_class_is_accepted(const char *sop_class_uid, bool accept_unknown);

/* Index of the most wanted of the proposed transfer syntaxes, -1: none is accepted. Verification
 * takes the uncompressed ones only. */
int storage_choose_syntax(const char *sop_class_uid, const char *const *transfer_syntax_uids,
			  int count);

#endif
