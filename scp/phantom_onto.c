/* phantom_onto.c - microspheres written into a real multi-echo series.
 *
 * The baseline is the real images, pixels untouched; the images after each injection are the same
 * with phantom_add_microspheres(): real anatomy, coil, noise and artefacts, and still a known
 * truth. Only identity, UIDs, dates, times and series description of the headers change; geometry,
 * acquisition and private attributes stay as the scanner wrote them. "Liver" and tumours are
 * elliptic cylinders through the whole slab, put where the images hold the largest round piece of
 * well measured tissue; it need not be a liver. There is no anatomy series: the VOIs are drawn on
 * the multi-echo slices. */
#include "phantom_command.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holmium.h"
#include "mr_series.h"
#include "phantom_place.h"
#include "process.h"
#include "tags.h"
#include "uid.h"
#include "writer.h"

#define PATH_ROOM	 4096
#define MR_IMAGE_STORAGE "1.2.840.10008.5.1.4.1.1.4"

/* Doses at the end of the course when no activity is asked for: dR2* of 18 to 73 /s, which leaves
 * three echoes or more also where the first echo comes late. */
static const double tumour_dose_gy[PHANTOM_SLAB_TUMOURS] = {45, 55, 60, 40};
#define LIVER_DOSE_GY 15.0

struct source_images {
	struct instance_info *infos;
	char (*paths)[PATH_ROOM];
	int count, room;
	struct mr_series series; /* indices into infos */
};

static enum status_code grow(struct source_images *source, struct status *st)
{
	if (source->count < source->room)
		return STATUS_OK;
	int room = source->room ? 2 * source->room : 256;
	struct instance_info *infos = realloc(source->infos, (size_t)room * sizeof *infos);
	if (infos)
		source->infos = infos;
	char(*paths)[PATH_ROOM] = realloc(source->paths, (size_t)room * sizeof *paths);
	if (paths)
		source->paths = paths;
	if (!infos || !paths)
		return status_fail(st, STATUS_RETRY, "no memory for the images' names");
	source->room = room;
	return STATUS_OK;
}

/* Keeps a file when it is a classic MR image; anything else is passed over. */
static enum status_code take_file(struct source_images *source, const char *path, struct status *st)
{
	struct status ignored = STATUS_INIT;
	struct dataset *ds = NULL;
	if (grow(source, st) != STATUS_OK)
		return st->code;
	struct instance_info *info = &source->infos[source->count];
	if (dataset_read_file(&ds, path, &ignored) == STATUS_OK &&
	    instance_info_read(info, ds, &ignored) == STATUS_OK &&
	    strcmp(info->sop_class_uid, MR_IMAGE_STORAGE) == 0)
		snprintf(source->paths[source->count++], PATH_ROOM, "%s", path);
	dataset_free(ds);
	return STATUS_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum status_code take_folder(struct source_images *source, const char *folder,
				    struct status *st)
{
	size_t count = 0, room = 0;
	char(*names)[PATH_ROOM] = NULL;
	DIR *dir = opendir(folder);
	if (!dir)
		return status_fail(st, STATUS_CONFIG, "--onto %s: cannot open the folder", folder);
	for (struct dirent *entry; (entry = readdir(dir)) && st->code == STATUS_OK;) {
		if (entry->d_name[0] == '.')
			continue;
		if (count == room) {
			room = room ? 2 * room : 256;
			char(*grown)[PATH_ROOM] = realloc(names, room * sizeof *names);
			if (!grown) {
				status_fail(st, STATUS_RETRY, "no memory for file names");
				break;
			}
			names = grown;
		}
		snprintf(names[count++], PATH_ROOM, "%s/%s", folder, entry->d_name);
	}
	closedir(dir);
	/* Directories list in any order; the result must not depend on it. */
	if (count > 0)
		qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count && st->code == STATUS_OK; i++)
		(void)!take_file(source, names[i], st);
	free(names);
	return st->code;
}

static enum status_code read_image(void *user, int index, struct dataset **ds, struct status *st)
{
	const struct source_images *source = user;
	return dataset_read_file(ds, source->paths[index], st);
}

/* One complete multi-echo series must be there. */
static enum status_code find_series(struct source_images *source, const char *folder,
				    struct status *st)
{
	if (take_folder(source, folder, st) != STATUS_OK)
		return st->code;
	if (source->count == 0)
		return status_fail(st, STATUS_REFUSE, "--onto %s: no MR images in this folder",
				   folder);
	for (int i = 1; i < source->count; i++)
		if (strcmp(source->infos[i].series_instance_uid,
			   source->infos[0].series_instance_uid) != 0)
			return status_fail(
			    st, STATUS_REFUSE,
			    "--onto %s: more than one series; give a folder with one", folder);
	if (mr_series_arrange(&source->series, source->infos, source->count, st) != STATUS_OK)
		return status_prefix(st, "--onto %s", folder);
	if (!source->series.complete || source->series.echoes < 3)
		return status_fail(
		    st, STATUS_REFUSE, "--onto %s: not a complete multi-echo series: %s", folder,
		    source->series.complete ? "fewer than three echoes" : source->series.missing);
	return STATUS_OK;
}

/* ---- the plan ---- */

/* Shares that give the tumours their doses, and the activity for it unless one was asked for. */
static enum status_code set_uptake(struct phantom_treatment *treatment, struct status *st)
{
	const double gy_per_mbq_per_ml =
	    HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ / HOLMIUM_TISSUE_DENSITY_G_PER_ML;
	struct phantom_model *model = &treatment->model;
	struct phantom_integrals integrals;
	if (phantom_integrate(&integrals, model, 1, (int)treatment->options.threads, st) !=
	    STATUS_OK)
		return st->code;
	double gy_ml = LIVER_DOSE_GY * integrals.weight_ml[0][PHANTOM_FIELD_RIGHT];
	for (int i = 0; i < model->n_tumours; i++)
		gy_ml += tumour_dose_gy[i] * integrals.weight_ml[0][PHANTOM_FIELD_TUMOUR + i];
	double activity_mbq = round(gy_ml / gy_per_mbq_per_ml * 10) / 10;
	for (int i = 0; i < model->n_tumours; i++)
		model->tumours[i].uptake_per_ml =
		    tumour_dose_gy[i] / gy_per_mbq_per_ml / activity_mbq;
	if (!(treatment->options.activity_mbq > 0))
		treatment->options.activity_mbq = activity_mbq;
	return STATUS_OK;
}

static enum status_code plan_onto(struct phantom_treatment *treatment,
				  const struct phantom_options *options,
				  const struct source_images *source, double sigma,
				  const struct phantom_tissue_map *tissue, struct status *st)
{
	const struct mr_series *series = &source->series;
	*treatment = (struct phantom_treatment){.options = *options, .sigma = sigma};
	treatment->scan.grid = series->grid;
	treatment->scan.echoes = series->echoes;
	treatment->options.echoes = series->echoes;
	memcpy(treatment->scan.te_ms, series->te_ms,
	       (size_t)series->echoes * sizeof series->te_ms[0]);
	treatment->scan.snr = (double)INFINITY;
	treatment->options.snr = (double)INFINITY;
	treatment->scan.seed = (uint64_t)options->seed;
	treatment->tr_ms = series->tr_ms;
	treatment->flip_deg = series->flip_deg;
	treatment->field_strength_t = series->field_strength_t;

	struct digest *digest = digest_new();
	if (!digest)
		return status_fail(st, STATUS_RETRY, "no memory for a digest");
	digest_text(digest, "holmia phantom onto 1");
	digest_text(digest, options->patient_id);
	digest_text(digest, options->date);
	digest_double(digest, options->seed);
	digest_double(digest, options->activity_mbq);
	for (int j = 0; j < options->injections; j++)
		digest_double(digest, options->percent[j]);
	for (int i = 0; i < series->grid.slices * series->echoes; i++)
		digest_text(digest, source->infos[series->image[i]].sop_instance_uid);
	digest_finish(digest, treatment->hash);

	if (phantom_place_liver(&treatment->model, tissue, st) != STATUS_OK)
		return status_prefix(st, "--onto %s", options->onto);
	if (set_uptake(treatment, st) != STATUS_OK)
		return st->code;
	return phantom_plan_course(treatment, st);
}

/* ---- images ---- */

/* What makes the image one of the synthetic treatment; everything else stays as it came. */
static enum status_code relabel(struct dataset *ds, const struct phantom_treatment *treatment,
				int series, int slice, int echo, struct status *st)
{
	const struct phantom_series *into = &treatment->series[series];
	const struct phantom_session *session = &treatment->sessions[into->session];
	struct writer w = writer_begin(ds, st);
	char uid[65];
	phantom_image_uid(uid, treatment, series, slice, echo);
	writer_string(&w, AT(TAG_SOPInstanceUID), uid);
	writer_string(&w, AT(TAG_StudyInstanceUID), session->study_uid);
	writer_string(&w, AT(TAG_SeriesInstanceUID), into->uid);
	writer_string(&w, AT(TAG_FrameOfReferenceUID), session->grid.frame_of_reference);
	writer_string(&w, AT(TAG_PatientName), session->study.patient_name);
	writer_string(&w, AT(TAG_PatientID), session->study.patient_id);
	writer_string(&w, AT(TAG_IssuerOfPatientID), session->study.patient_issuer);
	writer_empty(&w, AT(TAG_PatientBirthDate));
	writer_string(&w, AT(TAG_PatientSex), "O");
	writer_empty(&w, AT(TAG_AccessionNumber));
	writer_string(&w, AT(TAG_StudyID), "1");
	writer_string(&w, AT(TAG_StudyDescription), session->study.study_description);
	writer_int(&w, AT(TAG_SeriesNumber), into->number);
	writer_string(&w, AT(TAG_SeriesDescription), into->description);
	writer_date_time(&w, TAG_StudyDate, TAG_StudyTime, session->datetime);
	writer_date_time(&w, TAG_SeriesDate, TAG_SeriesTime, into->datetime);
	writer_date_time(&w, TAG_AcquisitionDate, TAG_AcquisitionTime, into->datetime);
	writer_date_time(&w, TAG_ContentDate, TAG_ContentTime, into->datetime);
	writer_string(&w, AT(TAG_AcquisitionDateTime), into->datetime);
	writer_string(&w, AT(TAG_TimezoneOffsetFromUTC), session->study.utc_offset);
	writer_int(&w, AT(TAG_ImagesInAcquisition),
		   treatment->scan.grid.slices * treatment->scan.echoes);
	return w.code;
}

/* The image's stored values for new signals; its own scaling is found from what was stored and
 * read. */
static enum status_code replace_pixels(struct dataset *ds, const float *signals,
				       const float *samples, size_t area, struct status *st)
{
	double stored_sum = 0, sample_sum = 0, largest = 0, scale;
	int64_t bits = dataset_get_int(ds, AT(TAG_BitsStored), 16) -
		       dataset_get_int(ds, AT(TAG_PixelRepresentation), 0);
	float *stored = malloc(area * sizeof *stored);
	uint16_t *pixels = malloc(area * sizeof *pixels);
	if (!stored || !pixels)
		status_fail(st, STATUS_RETRY, "no memory for an image");
	else
		(void)!dataset_get_frame(ds, 0, stored, area, st);
	if (st->code != STATUS_OK)
		goto out;
	for (size_t at = 0; at < area; at++) {
		stored_sum += (double)stored[at];
		sample_sum += (double)samples[at];
		largest = fmax(largest, (double)stored[at]);
	}
	scale = sample_sum / stored_sum;
	for (size_t at = 0; at < area; at++) {
		if (!(fabs((double)samples[at] - scale * (double)stored[at]) <=
		      1e-4 * scale * largest)) {
			status_fail(st, STATUS_REFUSE,
				    "images with a rescale intercept cannot take microspheres");
			goto out;
		}
		double value =
		    fmax(0, fmin((double)signals[at] / scale + 0.5, (double)((1 << bits) - 1)));
		pixels[at] = (uint16_t)value;
	}
	(void)!dataset_set_pixels_u16(ds, pixels, area, st);
out:
	free(stored);
	free(pixels);
	return st->code;
}

/* All echoes of one slice of one series. injected: NULL for the baseline, else [echo][rows *
 * columns]. */
static enum status_code write_slice(const struct phantom_treatment *treatment,
				    const struct source_images *source, const char *folder,
				    int series, int slice, const float *injected,
				    const float *samples, struct status *st)
{
	size_t area = (size_t)treatment->scan.grid.columns * (size_t)treatment->scan.grid.rows;
	for (int echo = 0; echo < treatment->scan.echoes && st->code == STATUS_OK; echo++) {
		char path[PATH_ROOM];
		struct dataset *ds = NULL;
		int index = source->series.image[slice * treatment->scan.echoes + echo];
		size_t from = (size_t)echo * area;
		snprintf(path, sizeof path, "%s/%s/s%03d_e%02d.dcm", folder,
			 treatment->series[series].folder, slice + 1, echo + 1);
		if (dataset_read_file(&ds, source->paths[index], st) != STATUS_OK)
			return st->code;
		if (injected)
			(void)!replace_pixels(ds, injected + from, samples + from, area, st);
		if (st->code == STATUS_OK &&
		    relabel(ds, treatment, series, slice, echo, st) == STATUS_OK)
			(void)!dataset_write_file(ds, path, st);
		dataset_free(ds);
	}
	return st->code;
}

static enum status_code write_series(const struct phantom_treatment *treatment,
				     const struct source_images *source, const float *samples,
				     const char *folder, struct status *st)
{
	const struct phantom_scan *scan = &treatment->scan;
	size_t area = (size_t)scan->grid.columns * (size_t)scan->grid.rows;
	size_t values = (size_t)scan->echoes * area;
	float *slice_samples = malloc(values * sizeof *slice_samples);
	float *injected = malloc(values * sizeof *injected);
	if (!slice_samples || !injected)
		status_fail(st, STATUS_RETRY, "no memory for a slice");
	for (int series = 0; series < treatment->n_series && st->code == STATUS_OK; series++) {
		int after = treatment->series[series].after_injection;
		char path[PATH_ROOM];
		snprintf(path, sizeof path, "%s/%s", folder, treatment->series[series].folder);
		(void)!phantom_make_folder(path, st);
		for (int slice = 0; slice < scan->grid.slices && st->code == STATUS_OK; slice++) {
			for (int echo = 0; echo < scan->echoes; echo++)
				memcpy(slice_samples + (size_t)echo * area,
				       samples + ((size_t)echo * (size_t)scan->grid.slices +
						  (size_t)slice) *
						     area,
				       area * sizeof *samples);
			if (after > 0)
				phantom_add_microspheres(injected, slice_samples, &treatment->model,
							 &treatment->course, after, scan,
							 treatment->sigma, slice);
			(void)!write_slice(treatment, source, folder, series, slice,
					   after > 0 ? injected : NULL, slice_samples, st);
			if (process_stop)
				status_fail(st, STATUS_RETRY, "interrupted");
		}
		if (st->code == STATUS_OK)
			phantom_progress("series", series + 1, treatment->n_series);
	}
	free(slice_samples);
	free(injected);
	return st->code;
}

static enum status_code load_series(float **samples, struct source_images *source,
				    const struct phantom_options *options, struct status *st)
{
	if (find_series(source, options->onto, st) != STATUS_OK)
		return st->code;
	const struct mr_series *series = &source->series;
	*samples = malloc((size_t)series->echoes * grid_voxels(&series->grid) * sizeof **samples);
	if (!*samples)
		return status_fail(st, STATUS_RETRY, "no memory for the images");
	return mr_series_load(*samples, series, read_image, source, (int)options->threads, st);
}

enum status_code phantom_write_onto(struct phantom_treatment *treatment,
				    const struct phantom_options *options, const char *folder,
				    struct status *st)
{
	struct source_images source = {.count = 0};
	struct phantom_tissue_map tissue = {NULL, NULL, NULL};
	float *samples = NULL;
	double sigma = 0;
	if (load_series(&samples, &source, options, st) == STATUS_OK &&
	    phantom_study_tissue(&tissue, &sigma, &source.series, samples, (int)options->threads,
				 st) == STATUS_OK &&
	    plan_onto(treatment, options, &source, sigma, &tissue, st) == STATUS_OK)
		(void)!write_series(treatment, &source, samples, folder, st);
	mr_series_free(&source.series);
	phantom_tissue_map_free(&tissue);
	free(source.infos);
	free(source.paths);
	free(samples);
	return st->code;
}
