/* phantom_images.c - the synthetic treatment's DICOM files. */
#include "phantom_command.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parallel.h"
#include "process.h"
#include "rt_structure_set_writer.h"
#include "uid.h"

#define PATH_ROOM 4096

enum status_code phantom_make_folder(const char *path, struct status *st)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return STATUS_OK;
	return status_fail(st, STATUS_CONFIG, "cannot make the folder %s: %s", path,
			   strerror(errno));
}

void phantom_image_uid(char uid[65], const struct phantom_treatment *treatment, int series,
		       int slice, int echo)
{
	char purpose[80];
	snprintf(purpose, sizeof purpose, "image:%s:%d:%d", treatment->series[series].folder, slice,
		 echo);
	uid_derive(uid, treatment->hash, purpose);
}

void phantom_mr_series(struct mr_image_series *out, const struct phantom_treatment *treatment,
		       int series)
{
	const struct phantom_series *from = &treatment->series[series];
	bool anatomy = from->after_injection < 0;
	const struct phantom_session *session = &treatment->sessions[from->session];
	const struct grid *grid = anatomy ? &session->anatomy_grid : &session->grid;
	int echoes = anatomy ? 1 : treatment->scan.echoes;
	*out = (struct mr_image_series){
	    .study = &session->study,
	    .series_instance_uid = from->uid,
	    .description = from->description,
	    .sequence_name = anatomy ? "fl3d1" : "fl2d_me",
	    .acquisition_datetime = from->datetime,
	    .number = from->number,
	    .grid = grid,
	    .tr_ms = anatomy ? 4.1 : treatment->tr_ms,
	    .flip_deg = anatomy ? 10 : treatment->flip_deg,
	    .field_strength_t = treatment->field_strength_t,
	    .echoes = echoes,
	    .images = grid->slices * echoes,
	    .window_centre = 0.8 * PHANTOM_LIVER_SIGNAL,
	    .window_width = 1.6 * PHANTOM_LIVER_SIGNAL,
	};
}

enum status_code phantom_write_image(const struct phantom_treatment *treatment, const char *folder,
				     int series, int slice, int echo, const uint16_t *pixels,
				     struct status *st)
{
	struct mr_image_series mr;
	struct dataset *ds = NULL;
	char uid[65], path[PATH_ROOM];
	phantom_mr_series(&mr, treatment, series);
	phantom_image_uid(uid, treatment, series, slice, echo);
	bool anatomy = treatment->series[series].after_injection < 0;
	double te_ms = anatomy ? 1.9 : treatment->scan.te_ms[echo];
	snprintf(path, sizeof path, "%s/%s/s%03d_e%02d.dcm", folder,
		 treatment->series[series].folder, slice + 1, echo + 1);
	if (mr_image_build(&ds, &mr, uid, slice, echo, te_ms, echo * mr.grid->slices + slice + 1,
			   pixels, st) == STATUS_OK)
		(void)!dataset_write_file(ds, path, st);
	dataset_free(ds);
	return st->code;
}

/* Slices are independent: each worker makes and writes whole ones; the first fault stops all. */
struct slice_work {
	const struct phantom_treatment *treatment;
	const char *folder, *what;
	bool anatomy;
	int slices;
	int series_of[PHANTOM_MAX_SERIES]; /* series index of the anatomy, or of the multi-echo ones
					    */
	int n_series;
	pthread_mutex_t lock; /* guards done and st */
	int done;
	struct status *st;
};

/* The series from `first` on that see the patient alike; returns how many. */
static int gather_view(struct phantom_view *view, const struct slice_work *work, int first)
{
	const struct phantom_series *all = work->treatment->series;
	*view = (struct phantom_view){.pose = &all[work->series_of[first]].pose};
	for (int i = first; i < work->n_series; i++) {
		const struct phantom_series *series = &all[work->series_of[i]];
		if (memcmp(&series->pose, view->pose, sizeof series->pose) != 0)
			break;
		view->after[view->n_series++] = series->after_injection;
	}
	return view->n_series;
}

static enum status_code write_images(const struct slice_work *work, int first, int n_series,
				     int slice, const uint16_t *pixels, size_t area,
				     struct status *st)
{
	int echoes = work->anatomy ? 1 : work->treatment->scan.echoes;
	for (int image = 0; image < n_series * echoes && st->code == STATUS_OK; image++)
		(void)!phantom_write_image(work->treatment, work->folder,
					   work->series_of[first + image / echoes], slice,
					   image % echoes, pixels + (size_t)image * area, st);
	return st->code;
}

static enum status_code make_slice(const struct slice_work *work, int slice, struct status *st)
{
	const struct phantom_treatment *treatment = work->treatment;
	const struct phantom_scan *scan = work->anatomy ? &treatment->anatomy : &treatment->scan;
	size_t area = (size_t)scan->grid.rows * (size_t)scan->grid.columns;
	int echoes = work->anatomy ? 1 : scan->echoes;
	uint16_t *pixels = malloc((size_t)(work->n_series * echoes) * area * sizeof *pixels);
	if (!pixels)
		return status_fail(st, STATUS_RETRY, "no memory for a slice");
	if (work->anatomy) {
		if (phantom_anatomy_slice(pixels, &treatment->model, scan, slice, st) == STATUS_OK)
			(void)!write_images(work, 0, 1, slice, pixels, area, st);
	} else {
		struct phantom_view view;
		for (int first = 0; first < work->n_series && st->code == STATUS_OK;
		     first += view.n_series) {
			int count = gather_view(&view, work, first);
			if (phantom_multi_echo_slice(pixels, &treatment->model, &treatment->course,
						     scan, &view, slice, st) == STATUS_OK)
				(void)!write_images(work, first, count, slice, pixels, area, st);
		}
	}
	free(pixels);
	return st->code;
}

static void make_slices(void *user, size_t first, size_t last)
{
	struct slice_work *work = user;
	for (size_t slice = first; slice < last; slice++) {
		struct status own = STATUS_INIT;
		pthread_mutex_lock(&work->lock);
		bool stop = work->st->code != STATUS_OK || process_stop;
		pthread_mutex_unlock(&work->lock);
		if (stop)
			return;
		(void)!make_slice(work, (int)slice, &own);
		pthread_mutex_lock(&work->lock);
		if (own.code != STATUS_OK)
			status_fail(work->st, own.code, "%s", own.text);
		phantom_progress(work->what, ++work->done, work->slices);
		pthread_mutex_unlock(&work->lock);
	}
}

static enum status_code run_slices(struct slice_work *work, struct status *st)
{
	work->st = st;
	pthread_mutex_init(&work->lock, NULL);
	parallel_for((size_t)work->slices, 1, (int)work->treatment->options.threads, make_slices,
		     work);
	pthread_mutex_destroy(&work->lock);
	if (process_stop)
		status_fail(st, STATUS_RETRY, "interrupted");
	return st->code;
}

enum status_code phantom_write_abdomen(const struct phantom_treatment *treatment,
				       const char *folder, struct status *st)
{
	struct slice_work multi_echo = {.treatment = treatment,
					.folder = folder,
					.what = "multi-echo slices, all series",
					.slices = treatment->scan.grid.slices};
	struct slice_work anatomy = {.treatment = treatment,
				     .folder = folder,
				     .what = "T1w slices",
				     .anatomy = true,
				     .slices = treatment->anatomy.grid.slices};
	for (int i = 0; i < treatment->n_series; i++) {
		char path[PATH_ROOM];
		snprintf(path, sizeof path, "%s/%s", folder, treatment->series[i].folder);
		if (phantom_make_folder(path, st) != STATUS_OK)
			return st->code;
		if (treatment->series[i].after_injection < 0)
			anatomy.series_of[anatomy.n_series++] = i;
		else
			multi_echo.series_of[multi_echo.n_series++] = i;
	}
	if (run_slices(&multi_echo, st) != STATUS_OK)
		return st->code;
	return run_slices(&anatomy, st);
}

/* ---- the VOIs ---- */

struct drawn_regions {
	struct phantom_voi vois[PHANTOM_MAX_VOIS];
	struct phantom_contour_set sets[PHANTOM_MAX_VOIS];
	struct rt_structure_contour *contours[PHANTOM_MAX_VOIS];
	struct rt_structure_region regions[PHANTOM_MAX_VOIS];
	int count;
};

static enum status_code draw_regions(struct drawn_regions *drawn,
				     const struct phantom_treatment *treatment,
				     const struct grid *grid, struct status *st)
{
	static const int colours[PHANTOM_MAX_VOIS][3] = {
	    {160, 80, 40}, {80, 160, 200}, {200, 160, 80}, {255, 0, 0},	   {0, 200, 0},
	    {255, 200, 0}, {200, 0, 255},  {0, 120, 255},  {120, 120, 120}};
	drawn->count = phantom_vois(drawn->vois, &treatment->model);
	for (int i = 0; i < drawn->count; i++) {
		const struct phantom_voi *voi = &drawn->vois[i];
		struct phantom_contour_set *set = &drawn->sets[i];
		bool tumour = voi->role == PHANTOM_TUMOUR;
		if (phantom_contours(set, &treatment->model, voi, grid, tumour ? 0.5 : 1, st) !=
		    STATUS_OK)
			return st->code;
		drawn->contours[i] = calloc((size_t)set->count + 1, sizeof *drawn->contours[i]);
		if (!drawn->contours[i])
			return status_fail(st, STATUS_RETRY, "no memory for contours");
		for (int c = 0; c < set->count; c++)
			drawn->contours[i][c] = (struct rt_structure_contour){
			    set->contours[c].slice, set->contours[c].points,
			    set->contours[c].points_mm};
		drawn->regions[i] = (struct rt_structure_region){
		    .name = voi->name,
		    .interpreted_type = tumour ? "GTV" : "ORGAN",
		    .colour = {colours[i][0], colours[i][1], colours[i][2]},
		    .contours = drawn->contours[i],
		    .n_contours = set->count,
		};
	}
	return STATUS_OK;
}

static enum status_code write_drawn(const struct drawn_regions *drawn, char (*image_uids)[65],
				    const struct phantom_treatment *treatment,
				    const struct grid *grid, const char *folder, struct status *st)
{
	char sop_uid[65], series_uid[65], datetime[24], path[PATH_ROOM];
	struct dataset *ds = NULL;
	uid_derive(sop_uid, treatment->hash, "structure-set");
	uid_derive(series_uid, treatment->hash, "structure-set-series");
	phantom_datetime(datetime, treatment->options.date, treatment->injection_min[0] - 2);
	const struct rt_structure_input input = {
	    .study = &treatment->sessions[0].study,
	    .sop_instance_uid = sop_uid,
	    .series_instance_uid = series_uid,
	    .series_number = 90,
	    .label = "Liver VOIs",
	    .datetime = datetime,
	    .frame_of_reference_uid = grid->frame_of_reference,
	    .image_series_uid = treatment->series[treatment->drawn_on].uid,
	    .image_uids = (const char(*)[65])image_uids,
	    .n_images = grid->slices,
	    .regions = drawn->regions,
	    .n_regions = drawn->count,
	};
	snprintf(path, sizeof path, "%s/90_rtstruct", folder);
	if (phantom_make_folder(path, st) != STATUS_OK)
		return st->code;
	if (rt_structure_set_build(&ds, &input, st) != STATUS_OK)
		return st->code;
	snprintf(path, sizeof path, "%s/90_rtstruct/rtstruct.dcm", folder);
	(void)!dataset_write_file(ds, path, st);
	dataset_free(ds);
	return st->code;
}

enum status_code phantom_write_structures(const struct phantom_treatment *treatment,
					  const char *folder, struct status *st)
{
	bool on_anatomy = treatment->series[treatment->drawn_on].after_injection < 0;
	const struct phantom_session *session = &treatment->sessions[0];
	const struct grid *grid = on_anatomy ? &session->anatomy_grid : &session->grid;
	struct drawn_regions drawn = {.count = 0};
	char(*image_uids)[65] = calloc((size_t)grid->slices, sizeof *image_uids);
	if (!image_uids)
		return status_fail(st, STATUS_RETRY, "no memory for references");
	for (int slice = 0; slice < grid->slices; slice++)
		phantom_image_uid(image_uids[slice], treatment, treatment->drawn_on, slice, 0);
	if (draw_regions(&drawn, treatment, grid, st) == STATUS_OK)
		(void)!write_drawn(&drawn, image_uids, treatment, grid, folder, st);
	for (int i = 0; i < drawn.count; i++) {
		phantom_contour_set_free(&drawn.sets[i]);
		free(drawn.contours[i]);
	}
	free(image_uids);
	return st->code;
}
