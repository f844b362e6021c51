/* mask_piece.h - the part of a mask where a value is low, and its largest connected piece.
 *
 * For the under-dosed part of a tumour (the untreated dorsal part of the source paper's patient 4:
 * a good mean dose hid it). Pieces are connected over voxel faces. */
#ifndef MASK_PIECE_H
#define MASK_PIECE_H

#include "mask.h"

/* The mask's own coverage where the value is measured and below the limit, else 0. NaN is not low.
 * part is untouched unless STATUS_OK; freed with mask_free(). STATUS_BUG: other grids. */
enum status_code mask_below(struct mask *part, const struct mask *mask, const struct volume *values,
			    double limit, struct status *st) STATUS_CHECKED;

/* Largest face-connected piece of a mask, volume counted with coverage; of equal ones the first in
 * storage order. An empty mask has an empty piece. */
enum status_code mask_largest_piece(struct mask *piece, const struct mask *mask,
				    struct status *st) STATUS_CHECKED;

/* The volumes of both at once, of mask_below() and of its largest piece, without either mask.
 * Statuses as there. */
enum status_code mask_below_volumes(double *volume_ml, double *piece_ml, const struct mask *mask,
				    const struct volume *values, double limit,
				    struct status *st) STATUS_CHECKED;

/* Grown by radius_mm in every direction (distance between voxel centres); full coverage. */
enum status_code mask_grow(struct mask *grown, const struct mask *mask, double radius_mm,
			   struct status *st) STATUS_CHECKED;

#endif
