/* command_images.h - private to the commands that work on files without a treatment (calibrate,
 * prescribe): what lies in files and folders, by series.
 *
 * Unlike the catalogue of `holmia dose` it takes images of any modality (plans are drawn on CT, and
 * simulations are SPECT) and keeps nothing on disk. Every file is screened before it is parsed. */
#ifndef COMMAND_IMAGES_H
#define COMMAND_IMAGES_H

#include "catalogue.h"
#include "mr_series.h"

struct command_image {
	struct instance_info info;
	struct catalogue_location where;
};

struct command_images {
	struct command_image *images; /* owned; in order of path */
	int count, capacity;
	int files, passed_over; /* looked at; not DICOM, or unreadable */
};

/* Zero it first; freed with command_images_free(). Walks files and folders (hidden ones are left
 * out); a DICOM file that cannot be used is named on stderr. STATUS_CONFIG: a path that is not
 * there. */
enum status_code command_images_read(struct command_images *images, const char *const *paths,
				     int n_paths, double max_instance_mb,
				     struct status *st) STATUS_CHECKED;
void command_images_free(struct command_images *images);

/* The one structure set; series referenced by it. STATUS_REFUSE: none, or several (their paths are
 * named). */
enum status_code command_images_structures(struct rt_structure_set *set,
					   const struct command_images *images,
					   struct status *st) STATUS_CHECKED;

/* The images of one series, arranged. */
struct command_series {
	struct mr_series arranged;
	struct instance_info *infos;	     /* owned; in order of path */
	const struct command_image **images; /* owned array, borrowed items */
	int count;
};

/* STATUS_REFUSE: no such series, or one that can never be arranged. */
enum status_code command_series_open(struct command_series *series,
				     const struct command_images *images, const char *series_uid,
				     struct status *st) STATUS_CHECKED;
void command_series_close(struct command_series *series);

/* For mr_series_load(): user is the command_series. */
enum status_code command_series_image(void *user, int index, struct dataset **ds,
				      struct status *st) STATUS_CHECKED;

/* A region's mask on a grid, drawn on another of the same frame of reference (or the same). */
enum status_code command_mask(struct mask *mask, const struct rt_roi *roi,
			      const struct grid *drawn_on, const struct grid *wanted,
			      struct status *st) STATUS_CHECKED;

#endif
