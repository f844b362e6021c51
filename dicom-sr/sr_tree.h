/* sr_tree.h - the wall to DCMTK's dcmsr: the content tree of a structured report, built from C.
 *
 * A tree is written from the root downwards. Each call adds one content item after the last one;
 * sr_tree_enter() makes the next ones children of the item added last, sr_tree_leave() goes back to
 * its parent. sr_tree_container() enters by itself.
 *
 *     sr_tree_container(tree, SR_CONTAINS, group);
 *     sr_tree_number(tree, SR_CONTAINS, mean_dose, 124.7, gray);
 *     sr_tree_enter(tree);
 *     sr_tree_text(tree, SR_HAS_CONCEPT_MOD, meaning, "...");
 *     sr_tree_leave(tree);
 *     sr_tree_leave(tree);
 *
 * The first fault sticks inside the tree, so adding needs no check; sr_tree_write() returns it.
 * dcmsr refuses what the information object (Comprehensive 3D SR) does not allow: a wrong
 * relationship is STATUS_BUG with the name of the item. What templates demand is the caller's
 * affair. Texts are UTF-8. Nothing throws. Thread rule: one tree, one thread.
 *
 * Not supported: by-reference relationships, 3D and temporal coordinates, waveforms, digital
 * signatures, reading. */
#ifndef SR_TREE_H
#define SR_TREE_H

#include "codes.h"
#include "dataset.h"
#include "evidence.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sr_tree; /* freed with sr_tree_free() */

enum sr_relation {
	SR_CONTAINS,
	SR_HAS_OBS_CONTEXT,
	SR_HAS_ACQ_CONTEXT,
	SR_HAS_CONCEPT_MOD,
	SR_HAS_PROPERTIES,
	SR_INFERRED_FROM,
	SR_SELECTED_FROM
};

/* A tree with its root container, entered. template_id: "1500" of DCMR. STATUS_RETRY: memory. */
enum status_code sr_tree_new(struct sr_tree **tree, const struct code *root,
			     const char *template_id,
			     struct status *st) DATASET_NOTHROW STATUS_CHECKED;
void sr_tree_free(struct sr_tree *tree) DATASET_NOTHROW;

void sr_tree_enter(struct sr_tree *tree) DATASET_NOTHROW;
void sr_tree_leave(struct sr_tree *tree) DATASET_NOTHROW;

/* template_id may be NULL. */
void sr_tree_container(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		       const char *template_id) DATASET_NOTHROW;
void sr_tree_text(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		  const char *utf8) DATASET_NOTHROW;
void sr_tree_code(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		  const struct code *value) DATASET_NOTHROW;
void sr_tree_uid(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		 const char *uid) DATASET_NOTHROW;
/* DICOM DT. */
void sr_tree_datetime(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		      const char *datetime) DATASET_NOTHROW;
/* Seven significant digits. NaN (and infinity) is never written as a number: the item then has no
 * value but the qualifier (114006, DCM, "Measurement failure"). */
void sr_tree_number(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		    double value, const struct code *unit) DATASET_NOTHROW;
/* A closed polyline, fractional columns and rows after each other; 0.5 is the middle of the first
 * pixel (PS3.3 C.18.6.1.2). */
void sr_tree_polyline(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		      const float *column_row, int points) DATASET_NOTHROW;
/* name NULL: an image without a concept name, as templates ask for it below coordinates. */
void sr_tree_image(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		   const struct evidence_instance *instance) DATASET_NOTHROW;
void sr_tree_composite(struct sr_tree *tree, enum sr_relation relation, const struct code *name,
		       const struct evidence_instance *instance) DATASET_NOTHROW;

/* Puts the content (root item, template, content sequence) into a data set; other attributes stay
 * as they are. Returns the first fault of all calls on this tree. */
enum status_code sr_tree_write(struct sr_tree *tree, struct dataset *ds,
			       struct status *st) DATASET_NOTHROW STATUS_CHECKED;

#ifdef __cplusplus
}
#endif
#endif
