/* phantom_rack.c - holmia phantom --vials: a scan of vials, for `holmia calibrate`.
 *
 *   OUT/dicom/01_vials       one multi-echo series
 *   OUT/dicom/90_rtstruct    a circle per vial, "Vial 0.50 mg/mL"
 *   OUT/vials.csv            name,mg_per_ml
 *   OUT/vials.json           the same with the slope and intercept that are true */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phantom_command.h"
#include "phantom_vials.h"
#include "process.h"
#include "rt_structure_set_writer.h"
#include "uid.h"

#define PATH_ROOM     4096
#define SIZE	      128
#define SLICES	      10
#define PIXEL_MM      1.5
#define SLICE_MM      5.0
#define DRAWN_MM      8.0 /* radius of the contours: clear of the walls */
#define CORNERS	      48
#define RELAXIVITY    228.9 /* theory, 3 T, 295 K, 19.5 % holmium */
#define TEMPERATURE_K 295.0
#define HOLMIUM	      19.5 /* percent */

struct rack_files {
	struct phantom_rack rack;
	struct phantom_scan scan;
	struct mr_image_study study;
	struct mr_image_series series;
	char hash[65], study_uid[65], series_uid[65], image_uids[SLICES][65];
	char datetime[24], comment[96];
	char names[PHANTOM_MAX_VIALS][32];
};

static enum status_code plan_rack(struct rack_files *files, const struct phantom_options *options,
				  struct status *st)
{
	struct digest *digest = digest_new();
	if (!digest)
		return status_fail(st, STATUS_RETRY, "no memory for a digest");
	const double numbers[] = {options->seed, options->snr, options->echoes, options->te1_ms,
				  options->echo_spacing_ms};
	digest_text(digest, "holmia phantom vials 1");
	digest_text(digest, options->patient_id);
	digest_text(digest, options->date);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		digest_double(digest, numbers[i]);
	digest_finish(digest, files->hash);

	phantom_rack_make(&files->rack, RELAXIVITY);
	for (int i = 0; i < files->rack.n_vials; i++)
		snprintf(files->names[i], sizeof files->names[i], "Vial %.2f mg/mL",
			 files->rack.vials[i].microspheres_mg_per_ml);
	files->scan = (struct phantom_scan){
	    .grid = {.columns = SIZE,
		     .rows = SIZE,
		     .slices = SLICES,
		     .origin_mm = {-(SIZE - 1) * PIXEL_MM / 2, -(SIZE - 1) * PIXEL_MM / 2,
				   -(SLICES - 1) * SLICE_MM / 2},
		     .column_step_mm = {PIXEL_MM, 0, 0},
		     .row_step_mm = {0, PIXEL_MM, 0},
		     .slice_step_mm = {0, 0, SLICE_MM}},
	    .echoes = (int)options->echoes,
	    .snr = options->snr,
	    .seed = (uint64_t)options->seed};
	for (int e = 0; e < files->scan.echoes; e++)
		files->scan.te_ms[e] =
		    round((options->te1_ms + e * options->echo_spacing_ms) * 1e6) / 1e6;
	uid_derive(files->study_uid, files->hash, "study");
	uid_derive(files->series_uid, files->hash, "series");
	uid_derive(files->scan.grid.frame_of_reference, files->hash, "frame-of-reference");
	phantom_datetime(files->datetime, options->date, 9 * 60);
	snprintf(files->comment, sizeof files->comment, "synthetic: vials, seed %.0f, SNR %g",
		 options->seed, options->snr);
	files->study = (struct mr_image_study){
	    .patient_id = options->patient_id,
	    .patient_issuer = "HOLMIA",
	    .patient_name = "Vials^Synthetic",
	    .study_instance_uid = files->study_uid,
	    .study_description = "Calibration vials (synthetic)",
	    .study_datetime = files->datetime,
	    .utc_offset = PHANTOM_UTC_OFFSET,
	    .comment = files->comment,
	};
	files->series = (struct mr_image_series){
	    .study = &files->study,
	    .series_instance_uid = files->series_uid,
	    .description = "T2* multi-echo vials",
	    .sequence_name = "fl2d_me",
	    .acquisition_datetime = files->datetime,
	    .number = 1,
	    .grid = &files->scan.grid,
	    .tr_ms = 1000,
	    .flip_deg = 70,
	    .field_strength_t = 3,
	    .echoes = files->scan.echoes,
	    .images = SLICES * files->scan.echoes,
	    .window_centre = 0.8 * PHANTOM_LIVER_SIGNAL,
	    .window_width = 1.6 * PHANTOM_LIVER_SIGNAL,
	};
	return STATUS_OK;
}

static enum status_code write_slice(struct rack_files *files, const char *folder, int slice,
				    uint16_t *pixels, struct status *st)
{
	phantom_rack_slice(pixels, &files->rack, &files->scan, slice);
	for (int e = 0; e < files->scan.echoes && st->code == STATUS_OK; e++) {
		char uid[65], purpose[64], path[PATH_ROOM];
		struct dataset *ds = NULL;
		snprintf(purpose, sizeof purpose, "image:%d:%d", slice, e);
		uid_derive(uid, files->hash, purpose);
		if (e == 0)
			memcpy(files->image_uids[slice], uid, sizeof uid);
		snprintf(path, sizeof path, "%s/s%03d_e%02d.dcm", folder, slice + 1, e + 1);
		if (mr_image_build(&ds, &files->series, uid, slice, e, files->scan.te_ms[e],
				   e * SLICES + slice + 1, pixels + (size_t)e * SIZE * SIZE,
				   st) == STATUS_OK)
			(void)!dataset_write_file(ds, path, st);
		dataset_free(ds);
	}
	return st->code;
}

static enum status_code write_scan(struct rack_files *files, const char *unfinished,
				   struct status *st)
{
	char folder[PATH_ROOM - 32];
	snprintf(folder, sizeof folder, "%s/01_vials", unfinished);
	if (phantom_make_folder(folder, st) != STATUS_OK)
		return st->code;
	uint16_t *pixels = malloc((size_t)files->scan.echoes * SIZE * SIZE * sizeof *pixels);
	if (!pixels)
		return status_fail(st, STATUS_RETRY, "no memory for a slice");
	for (int slice = 0; slice < SLICES && st->code == STATUS_OK; slice++) {
		if (process_stop)
			status_fail(st, STATUS_RETRY, "interrupted");
		else if (write_slice(files, folder, slice, pixels, st) == STATUS_OK)
			phantom_progress("slices", slice + 1, SLICES);
	}
	free(pixels);
	return st->code;
}

/* A circle per vial on every slice but the first and the last. */
static enum status_code write_circles(const struct rack_files *files, const char *unfinished,
				      const char *date, struct status *st)
{
	enum { DRAWN = SLICES - 2 };
	struct rt_structure_region regions[PHANTOM_MAX_VIALS];
	struct rt_structure_contour contours[PHANTOM_MAX_VIALS][DRAWN];
	static const double first_mm = -(SLICES - 1) * SLICE_MM / 2;
	double(*corners)[DRAWN][CORNERS * 3] = calloc(PHANTOM_MAX_VIALS, sizeof *corners);
	char sop_uid[65], series_uid[65], datetime[24], path[PATH_ROOM];
	struct dataset *ds = NULL;
	if (!corners)
		return status_fail(st, STATUS_RETRY, "no memory for contours");
	for (int i = 0; i < files->rack.n_vials; i++) {
		const double *centre = files->rack.vials[i].centre_mm;
		for (int k = 0; k < DRAWN; k++) {
			for (int c = 0; c < CORNERS; c++) {
				double angle = 2 * 3.14159265358979323846 * c / CORNERS;
				corners[i][k][3 * c] = centre[0] + DRAWN_MM * cos(angle);
				corners[i][k][3 * c + 1] = centre[1] + DRAWN_MM * sin(angle);
				corners[i][k][3 * c + 2] = first_mm + (k + 1) * SLICE_MM;
			}
			contours[i][k] =
			    (struct rt_structure_contour){k + 1, CORNERS, corners[i][k]};
		}
		regions[i] = (struct rt_structure_region){.name = files->names[i],
							  .interpreted_type = "ORGAN",
							  .colour = {255, 25 * i, 0},
							  .contours = contours[i],
							  .n_contours = DRAWN};
	}
	uid_derive(sop_uid, files->hash, "structure-set");
	uid_derive(series_uid, files->hash, "structure-set-series");
	phantom_datetime(datetime, date, 10 * 60);
	const struct rt_structure_input input = {
	    .study = &files->study,
	    .sop_instance_uid = sop_uid,
	    .series_instance_uid = series_uid,
	    .series_number = 90,
	    .label = "Vials",
	    .datetime = datetime,
	    .frame_of_reference_uid = files->scan.grid.frame_of_reference,
	    .image_series_uid = files->series_uid,
	    .image_uids = files->image_uids,
	    .n_images = SLICES,
	    .regions = regions,
	    .n_regions = files->rack.n_vials,
	};
	snprintf(path, sizeof path, "%s/90_rtstruct", unfinished);
	if (phantom_make_folder(path, st) == STATUS_OK &&
	    rt_structure_set_build(&ds, &input, st) == STATUS_OK) {
		snprintf(path, sizeof path, "%s/90_rtstruct/rtstruct.dcm", unfinished);
		(void)!dataset_write_file(ds, path, st);
	}
	dataset_free(ds);
	free(corners);
	return st->code;
}

static enum status_code write_truth(const struct rack_files *files, const char *out,
				    struct status *st)
{
	char path[PATH_ROOM];
	snprintf(path, sizeof path, "%s/vials.csv", out);
	FILE *file = fopen(path, "w");
	if (!file)
		return status_fail(st, STATUS_CONFIG, "cannot write %s: %s", path, strerror(errno));
	fputs("name,mg_per_ml\n", file);
	for (int i = 0; i < files->rack.n_vials; i++)
		fprintf(file, "%s,%.9g\n", files->names[i],
			files->rack.vials[i].microspheres_mg_per_ml);
	if (phantom_close_file(file, path, st) != STATUS_OK)
		return st->code;

	snprintf(path, sizeof path, "%s/vials.json", out);
	file = fopen(path, "w");
	if (!file)
		return status_fail(st, STATUS_CONFIG, "cannot write %s: %s", path, strerror(errno));
	fprintf(file,
		"{\"format\": \"holmia phantom vials 1\",\n"
		" \"relaxivity_per_s_per_mg_per_ml\": %.9g, \"intercept_per_s\": %.9g,\n"
		" \"temperature_k\": %g, \"holmium_percent\": %g, \"field_strength_t\": 3,\n"
		" \"vials\": [\n",
		files->rack.relaxivity_per_s_per_mg_per_ml, files->rack.gel_r2star_per_s,
		TEMPERATURE_K, HOLMIUM);
	for (int i = 0; i < files->rack.n_vials; i++) {
		double mg_per_ml = files->rack.vials[i].microspheres_mg_per_ml;
		fprintf(file,
			"  {\"name\": \"%s\", \"mg_per_ml\": %.9g, \"r2star_per_s\": %.9g}%s\n",
			files->names[i], mg_per_ml,
			files->rack.gel_r2star_per_s +
			    files->rack.relaxivity_per_s_per_mg_per_ml * mg_per_ml,
			i + 1 < files->rack.n_vials ? "," : "");
	}
	fputs(" ]}\n", file);
	return phantom_close_file(file, path, st);
}

enum status_code phantom_write_rack(const struct phantom_options *options, const char *unfinished,
				    struct status *st)
{
	struct rack_files *files = calloc(1, sizeof *files);
	if (!files)
		return status_fail(st, STATUS_RETRY, "no memory");
	if (plan_rack(files, options, st) == STATUS_OK &&
	    write_scan(files, unfinished, st) == STATUS_OK &&
	    write_circles(files, unfinished, options->date, st) == STATUS_OK)
		(void)!write_truth(files, options->out, st);
	free(files);
	return st->code;
}
