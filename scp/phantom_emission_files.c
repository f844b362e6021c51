/* phantom_emission_files.c - holmia phantom --emission: the follow-up scan two days later. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emission_image.h"
#include "holmium.h"
#include "phantom_command.h"
#include "phantom_emission.h"
#include "uid.h"

#define PATH_ROOM	4096
#define VOXEL_MM	4.8
#define SIZE		80
#define SLICES		42
#define SCAN_S		1800.0
#define CPS_PER_MBQ	20.0
#define SCAN_AFTER_DAYS 2

/* The follow-up is a study of its own, in the first session's frame of reference. */
void phantom_plan_emission(struct phantom_treatment *treatment)
{
	struct phantom_emission_scan *scan = &treatment->emission;
	const char *kind = treatment->options.emission;
	if (!kind)
		return;
	scan->pet = strcmp(kind, "pet") == 0;
	scan->start_min = treatment->injection_min[0] + SCAN_AFTER_DAYS * 24 * 60;
	scan->cps_per_mbq = CPS_PER_MBQ;
	scan->duration_s = SCAN_S;
	uid_derive(scan->study_uid, treatment->hash, "emission-study");
	uid_derive(scan->series_uid, treatment->hash, "emission-series");
	phantom_datetime(scan->datetime, treatment->options.date, scan->start_min);
	scan->grid =
	    (struct grid){.columns = SIZE,
			  .rows = SIZE,
			  .slices = SLICES,
			  .origin_mm = {-(SIZE - 1) * VOXEL_MM / 2, -(SIZE - 1) * VOXEL_MM / 2,
					-(SLICES - 1) * VOXEL_MM / 2},
			  .column_step_mm = {VOXEL_MM, 0, 0},
			  .row_step_mm = {0, VOXEL_MM, 0},
			  .slice_step_mm = {0, 0, VOXEL_MM}};
	memcpy(scan->grid.frame_of_reference, treatment->sessions[0].grid.frame_of_reference,
	       sizeof scan->grid.frame_of_reference);
}

static enum status_code write_pet(const struct phantom_treatment *treatment, const char *folder,
				  const struct emission_image_series *series, struct volume *counts,
				  double counts_per_mbq, struct status *st)
{
	size_t area = (size_t)SIZE * SIZE;
	double bq_per_ml = 1e6 / counts_per_mbq / grid_voxel_volume_ml(&counts->grid);
	for (size_t at = 0; at < area * SLICES; at++)
		counts->samples[at] = (float)((double)counts->samples[at] * bq_per_ml);
	for (int slice = 0; slice < SLICES && st->code == STATUS_OK; slice++) {
		char uid[65], purpose[40], path[PATH_ROOM];
		struct dataset *ds = NULL;
		snprintf(purpose, sizeof purpose, "emission:%d", slice);
		uid_derive(uid, treatment->hash, purpose);
		snprintf(path, sizeof path, "%s/s%03d.dcm", folder, slice + 1);
		if (emission_image_build_pet(&ds, series, uid, slice,
					     counts->samples + (size_t)slice * area,
					     st) == STATUS_OK)
			(void)!dataset_write_file(ds, path, st);
		dataset_free(ds);
	}
	return st->code;
}

static enum status_code write_nm(const struct phantom_treatment *treatment, const char *folder,
				 const struct emission_image_series *series,
				 const struct volume *counts, struct status *st)
{
	size_t voxels = grid_voxels(&counts->grid);
	uint16_t *stored = malloc(voxels * sizeof *stored);
	char uid[65], path[PATH_ROOM];
	struct dataset *ds = NULL;
	if (!stored)
		return status_fail(st, STATUS_RETRY, "no memory for the emission image");
	for (size_t at = 0; at < voxels; at++)
		stored[at] = (uint16_t)fmin((double)counts->samples[at] + 0.5, 65535);
	uid_derive(uid, treatment->hash, "emission:0");
	snprintf(path, sizeof path, "%s/spect.dcm", folder);
	if (emission_image_build_nm(&ds, series, uid, stored, st) == STATUS_OK)
		(void)!dataset_write_file(ds, path, st);
	dataset_free(ds);
	free(stored);
	return st->code;
}

enum status_code phantom_write_emission(const struct phantom_treatment *treatment,
					const char *unfinished, struct status *st)
{
	const struct phantom_emission_scan *scan = &treatment->emission;
	const struct phantom_course *course = &treatment->course;
	char folder[PATH_ROOM - 32], administration[24];
	double lambda_t = log(2) / (HOLMIUM_HALF_LIFE_H * 3600) * scan->duration_s;
	struct phantom_emission emission = {.grid = scan->grid,
					    .half_life_h = HOLMIUM_HALF_LIFE_H,
					    .counts_per_mbq = scan->cps_per_mbq * scan->duration_s *
							      -expm1(-lambda_t) / lambda_t,
					    .fwhm_mm = treatment->options.psf_mm,
					    .noisy = isfinite(treatment->options.snr),
					    .seed = (uint64_t)treatment->options.seed,
					    .threads = (int)treatment->options.threads};
	struct volume counts = VOLUME_INIT;
	double injected_mbq = 0;
	for (int j = 0; j < course->injections; j++) {
		emission.age_h[j] = (scan->start_min - treatment->injection_min[j]) / 60.0;
		injected_mbq += course->activity_mbq[j];
	}
	phantom_datetime(administration, treatment->options.date, treatment->injection_min[0]);
	struct mr_image_study study = treatment->sessions[0].study;
	study.study_instance_uid = scan->study_uid;
	study.study_description = "166Ho follow-up (synthetic)";
	study.study_datetime = scan->datetime;
	const struct emission_image_series series = {
	    .study = &study,
	    .series_instance_uid = scan->series_uid,
	    .description = scan->pet ? "Ho-166 SPECT quantitative" : "Ho-166 SPECT",
	    .scan_start = scan->datetime,
	    .administration = administration,
	    .number = 1,
	    .grid = &scan->grid,
	    .scan_duration_s = scan->duration_s,
	    .half_life_h = HOLMIUM_HALF_LIFE_H,
	    .injected_mbq = injected_mbq,
	    .window_kev = {75, 87},
	};
	snprintf(folder, sizeof folder, "%s/80_emission", unfinished);
	if (phantom_make_folder(folder, st) != STATUS_OK ||
	    phantom_emission_counts(&counts, &treatment->model, course, &emission, st) != STATUS_OK)
		return st->code;
	if (scan->pet)
		(void)!write_pet(treatment, folder, &series, &counts, emission.counts_per_mbq, st);
	else
		(void)!write_nm(treatment, folder, &series, &counts, st);
	volume_free(&counts);
	return st->code;
}
