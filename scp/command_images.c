#include "command_images.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dicom_file.h"
#include "process.h"

#define MAX_DEPTH	     32
#define HEAD_BYTES	     65536
#define SAME_GRID_MM	     1e-2
#define SUBSAMPLES	     4 /* per axis, where grids are turned against each other */
#define RT_STRUCTURE_STORAGE "1.2.840.10008.5.1.4.1.1.481.3"

/* ---- files ---- */

/* False: not a DICOM file. */
static bool locate(struct catalogue_location *where, const char *path, const struct stat *about,
		   struct status *st)
{
	uint8_t *head = malloc(HEAD_BYTES);
	ssize_t got = -1;
	bool found = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (head != NULL && fd >= 0)
		got = read(fd, head, HEAD_BYTES);
	if (head == NULL || got < 0)
		status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
	else
		found = dicom_file_locate(&where->offset, where->transfer_syntax_uid, head,
					  (size_t)got);
	if (fd >= 0)
		close(fd);
	free(head);
	if (found && realpath(path, where->path) == NULL)
		status_fail(st, STATUS_RETRY, "%s: %s", path, strerror(errno));
	where->size = (uint64_t)about->st_size - where->offset;
	return found && st->code == STATUS_OK;
}

static struct command_image *next_image(struct command_images *images, struct status *st)
{
	if (images->count == images->capacity) {
		int capacity = images->capacity == 0 ? 256 : 2 * images->capacity;
		struct command_image *grown =
		    realloc(images->images, (size_t)capacity * sizeof *grown);
		if (grown == NULL) {
			status_fail(st, STATUS_RETRY, "no memory for %d images", capacity);
			return NULL;
		}
		images->images = grown;
		images->capacity = capacity;
	}
	return memset(&images->images[images->count], 0, sizeof *images->images);
}

static enum status_code read_file(struct command_images *images, const char *path,
				  const struct stat *about, double max_instance_mb,
				  struct status *st)
{
	struct status own = STATUS_INIT;
	struct dataset *ds = NULL;
	struct command_image *image = next_image(images, st);
	images->files++;
	if (image == NULL)
		return st->code;
	if (strlen(path) >= sizeof image->where.path ||
	    !locate(&image->where, path, about, st)) { /* not DICOM */
		images->passed_over++;
		return st->code;
	}
	if ((double)about->st_size > max_instance_mb * 1e6)
		status_fail(&own, STATUS_REFUSE,
			    "larger than max-instance-mb of the configuration");
	else if (catalogue_read(&ds, &image->where, &own) == STATUS_OK)
		(void)!instance_info_read(&image->info, ds, &own);
	dataset_free(ds);
	if (own.code == STATUS_RETRY)
		return status_fail(st, STATUS_RETRY, "%s: %s", path, own.text);
	if (own.code != STATUS_OK) {
		fprintf(stderr, "passed over: %s: %s\n", path, own.text);
		images->passed_over++;
		return STATUS_OK;
	}
	images->count++;
	return STATUS_OK;
}

static enum status_code read_path(struct command_images *images, const char *path, int depth,
				  double max_instance_mb, struct status *st);

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static enum status_code read_folder(struct command_images *images, const char *path, int depth,
				    double max_instance_mb, struct status *st)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, visible, alphasort);
	if (count < 0)
		return status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		char inner[PATH_MAX];
		int length = snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
		if (st->code == STATUS_OK && length < (int)sizeof inner)
			(void)!read_path(images, inner, depth + 1, max_instance_mb, st);
		free(entries[i]);
	}
	free(entries);
	return st->code;
}

static enum status_code read_path(struct command_images *images, const char *path, int depth,
				  double max_instance_mb, struct status *st)
{
	struct stat about;
	if (process_stop)
		return status_fail(st, STATUS_RETRY, "interrupted");
	if (stat(path, &about) != 0) {
		if (depth > 0) /* a dangling link inside a folder */
			return STATUS_OK;
		return status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
	}
	if (S_ISREG(about.st_mode))
		return read_file(images, path, &about, max_instance_mb, st);
	if (!S_ISDIR(about.st_mode))
		return STATUS_OK;
	if (depth > MAX_DEPTH)
		return status_fail(st, STATUS_CONFIG, "%s: more than %d folders deep", path,
				   MAX_DEPTH);
	return read_folder(images, path, depth, max_instance_mb, st);
}

enum status_code command_images_read(struct command_images *images, const char *const *paths,
				     int n_paths, double max_instance_mb, struct status *st)
{
	for (int i = 0; i < n_paths && st->code == STATUS_OK; i++)
		(void)!read_path(images, paths[i], 0, max_instance_mb, st);
	return st->code;
}

void command_images_free(struct command_images *images)
{
	free(images->images);
	memset(images, 0, sizeof *images);
}

/* ---- contours ---- */

enum status_code command_images_structures(struct rt_structure_set *set,
					   const struct command_images *images, struct status *st)
{
	const struct command_image *found = NULL;
	struct dataset *ds = NULL;
	for (int i = 0; i < images->count; i++) {
		const struct command_image *image = &images->images[i];
		if (strcmp(image->info.sop_class_uid, RT_STRUCTURE_STORAGE) != 0)
			continue;
		if (found != NULL &&
		    strcmp(found->info.evidence_hash, image->info.evidence_hash) != 0)
			return status_fail(st, STATUS_REFUSE,
					   "two structure sets (%s and %s): give only the one that "
					   "counts",
					   found->where.path, image->where.path);
		found = image;
	}
	if (found == NULL)
		return status_fail(st, STATUS_REFUSE,
				   "no RT Structure Set among %d DICOM files: the contours say "
				   "where to measure",
				   images->count);
	if (catalogue_read(&ds, &found->where, st) == STATUS_OK)
		(void)!rt_structure_set_read(set, ds, st);
	dataset_free(ds);
	if (st->code != STATUS_OK)
		return status_prefix(st, "%s", found->where.path);
	return STATUS_OK;
}

enum status_code command_mask(struct mask *mask, const struct rt_roi *roi,
			      const struct grid *drawn_on, const struct grid *wanted,
			      struct status *st)
{
	struct mask drawn = MASK_INIT;
	if (roi->frame_of_reference_uid[0] != '\0' &&
	    strcmp(roi->frame_of_reference_uid, drawn_on->frame_of_reference) != 0)
		return status_fail(st, STATUS_REFUSE,
				   "contour \"%s\" lies in another frame of reference (%s) than "
				   "the images (%s)",
				   roi->name, roi->frame_of_reference_uid,
				   drawn_on->frame_of_reference);
	if (mask_from_contours(&drawn, drawn_on, roi->contours, roi->n_contours, NULL, st) !=
	    STATUS_OK)
		return status_prefix(st, "contour \"%s\"", roi->name);
	if (grid_same(drawn_on, wanted, SAME_GRID_MM)) {
		*mask = drawn;
		return STATUS_OK;
	}
	if (mask_resample(mask, wanted, &drawn, SUBSAMPLES, st) != STATUS_OK)
		(void)status_prefix(st, "contour \"%s\"", roi->name);
	mask_free(&drawn);
	return st->code;
}

/* ---- series ---- */

enum status_code command_series_open(struct command_series *series,
				     const struct command_images *images, const char *series_uid,
				     struct status *st)
{
	int count = 0;
	*series = (struct command_series){.count = 0};
	for (int i = 0; i < images->count; i++)
		count += strcmp(images->images[i].info.series_instance_uid, series_uid) == 0;
	if (count == 0)
		return status_fail(st, STATUS_REFUSE, "no image of series %s among the files",
				   series_uid);
	series->infos = malloc((size_t)count * sizeof *series->infos);
	series->images = malloc((size_t)count * sizeof *series->images);
	if (series->infos == NULL || series->images == NULL) {
		command_series_close(series);
		return status_fail(st, STATUS_RETRY, "no memory for %d images", count);
	}
	for (int i = 0; i < images->count; i++) {
		const struct command_image *image = &images->images[i];
		if (strcmp(image->info.series_instance_uid, series_uid) != 0)
			continue;
		series->infos[series->count] = image->info;
		series->images[series->count++] = image;
	}
	if (mr_series_arrange(&series->arranged, series->infos, series->count, st) != STATUS_OK) {
		command_series_close(series);
		return status_prefix(st, "series %s", series_uid);
	}
	return STATUS_OK;
}

void command_series_close(struct command_series *series)
{
	mr_series_free(&series->arranged);
	free(series->infos);
	free(series->images);
	*series = (struct command_series){.count = 0};
}

enum status_code command_series_image(void *user, int index, struct dataset **ds, struct status *st)
{
	const struct command_series *series = user;
	return catalogue_read(ds, &series->images[index]->where, st);
}
