/* spatial_registration.h - Spatial Registration objects (1.2.840.10008.5.1.4.1.1.66.1).
 *
 * Each item of the Registration Sequence takes points of a source (a frame of reference, or the one
 * of the images it names) to the registered frame of reference of the object. Only RIGID matrices
 * are used; RIGID_SCALE and AFFINE are refused in words, because they would change volumes, and so
 * are reflections and matrices that are called rigid and are not (R'R off by more than 5e-4). */
#ifndef SPATIAL_REGISTRATION_H
#define SPATIAL_REGISTRATION_H

#include "dataset.h"
#include "rigid.h"

#define SPATIAL_REGISTRATION_STORAGE   "1.2.840.10008.5.1.4.1.1.66.1"
#define SPATIAL_REGISTRATION_MAX_ITEMS 16

struct spatial_registration_item {
	char frame_of_reference_uid[65];  /* of the source; "" only its images are known */
	char series_uid[65];		  /* of the images it names; "" the whole frame */
	double to_registered[RIGID_SIZE]; /* point of the source -> point of the registered frame */
};

struct spatial_registration {
	char sop_instance_uid[65], patient_id[200];
	char registered_frame_uid[65];
	char content_datetime[33]; /* YYYYMMDDHHMMSS as far as written; "" */
	struct spatial_registration_item items[SPATIAL_REGISTRATION_MAX_ITEMS];
	int n_items;
};

/* registration is untouched unless STATUS_OK. STATUS_REFUSE with words that name the item: no or a
 * deformable registration object, no registered frame, no items or too many, an item without a
 * source, several matrices that are not the identity in one item (their order is read in two ways),
 * anything but a rigid matrix. */
enum status_code spatial_registration_read(struct spatial_registration *registration,
					   struct dataset *ds, struct status *st) STATUS_CHECKED;

/* The transform that takes points of `from` to points of `to` (UIDs of frames of reference or
 * series; series "" for the whole frame), through the object's registered frame; found false when
 * the object does not join them. An item that names the series comes before one of its frame; the
 * registered frame itself needs no item. Two different transforms of one source: not found. */
void spatial_registration_find(bool *found, double transform[RIGID_SIZE],
			       const struct spatial_registration *registration,
			       const char *from_frame_uid, const char *from_series_uid,
			       const char *to_frame_uid, const char *to_series_uid);

#endif
