/* dvh_bench.c - contours to dose-volume histograms, as a whole process, to time beside other
 * programs.
 *
 *   dvh_bench FOLDER RTSTRUCT RTDOSE OUT.csv BIN_GY
 *       FOLDER: the images the contours were drawn on. Reads all three from files, rasterises every
 *       ROI on the images' grid, carries the masks to the dose grid where it differs, and writes
 * per ROI: name, volume mL, mean Gy, D90 Gy, V at 100 Gy mL, then the cumulative histogram in mL */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instance_info.h"
#include "mr_series.h"
#include "parallel.h"
#include "rt_structure_set.h"
#include "tags.h"
#include "voi_stats.h"

enum { MOST_IMAGES = 2048, MOST_ROIS = 64, BINS = 2560, THREADS = 2 };

static int fail(const char *what)
{
	fprintf(stderr, "dvh_bench: %s\n", what);
	return 1;
}

/* ---- input ---- */

static int read_grid(struct grid *grid, const char *folder, struct status *st)
{
	struct instance_info *infos = calloc(MOST_IMAGES, sizeof *infos);
	struct mr_series series;
	DIR *dir = opendir(folder);
	int n = 0;

	if (infos == NULL || dir == NULL)
		return fail("cannot read the folder of images");
	for (struct dirent *entry; (entry = readdir(dir)) != NULL && n < MOST_IMAGES;) {
		char path[4096];
		struct dataset *ds = NULL;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		if (dataset_read_file(&ds, path, st) != STATUS_OK ||
		    instance_info_read(&infos[n++], ds, st) != STATUS_OK)
			return fail(st->text);
		dataset_free(ds);
	}
	closedir(dir);
	if (mr_series_arrange(&series, infos, n, st) != STATUS_OK)
		return fail(st->text);
	*grid = series.grid;
	mr_series_free(&series);
	free(infos);
	return 0;
}

static int read_dose(struct volume *dose_gy, struct dataset *ds, struct status *st)
{
	struct grid grid = {.columns = (int)dataset_get_int(ds, AT(TAG_Columns), 0),
			    .rows = (int)dataset_get_int(ds, AT(TAG_Rows), 0),
			    .slices = (int)dataset_get_int(ds, AT(TAG_NumberOfFrames), 0)};
	double orientation[6], spacing_mm[2], scaling, step_mm;
	size_t in_frame;

	for (unsigned i = 0; i < 3; i++)
		grid.origin_mm[i] = dataset_get_double(ds, AT(TAG_ImagePositionPatient), i);
	for (unsigned i = 0; i < 6; i++)
		orientation[i] = dataset_get_double(ds, AT(TAG_ImageOrientationPatient), i);
	for (unsigned i = 0; i < 2; i++)
		spacing_mm[i] = dataset_get_double(ds, AT(TAG_PixelSpacing), i);
	step_mm = dataset_get_double(ds, AT(TAG_GridFrameOffsetVector), 1);
	scaling = dataset_get_double(ds, AT(TAG_DoseGridScaling), 0);
	for (int i = 0; i < 3; i++) {
		int a = (i + 1) % 3, b = (i + 2) % 3;

		grid.column_step_mm[i] = orientation[i] * spacing_mm[1];
		grid.row_step_mm[i] = orientation[3 + i] * spacing_mm[0];
		grid.slice_step_mm[i] = step_mm * (orientation[a] * orientation[3 + b] -
						   orientation[b] * orientation[3 + a]);
	}
	if (dataset_get_string(ds, AT(TAG_FrameOfReferenceUID), grid.frame_of_reference,
			       sizeof grid.frame_of_reference, st) != STATUS_OK ||
	    grid_check(&grid, st) != STATUS_OK || volume_new(dose_gy, &grid, 0, st) != STATUS_OK)
		return fail(st->text);
	in_frame = (size_t)grid.columns * (size_t)grid.rows;
	for (unsigned frame = 0; frame < (unsigned)grid.slices; frame++) {
		if (dataset_get_frame(ds, frame, dose_gy->samples + frame * in_frame, in_frame,
				      st) != STATUS_OK)
			return fail(st->text);
	}
	for (size_t v = 0; v < grid_voxels(&grid); v++)
		dose_gy->samples[v] *= (float)scaling;
	return 0;
}

/* ---- one histogram per region ---- */

struct histograms {
	const struct rt_structure_set *set;
	const struct grid *drawn_on;
	const struct volume *dose_gy;
	double bin_gy;
	struct voi_stats stats[MOST_ROIS];
	double volume_ml[MOST_ROIS][BINS];
	struct status status[MOST_ROIS];
};

static void make_one(struct histograms *h, int roi)
{
	const double level_gy = 100;
	struct status *st = &h->status[roi];
	struct mask drawn = MASK_INIT, carried = MASK_INIT;
	const struct mask *used = &drawn;

	if (mask_from_contours(&drawn, h->drawn_on, h->set->rois[roi].contours,
			       h->set->rois[roi].n_contours, NULL, st) != STATUS_OK)
		return;
	if (!grid_same(h->drawn_on, &h->dose_gy->grid, 1e-3)) {
		if (mask_resample(&carried, &h->dose_gy->grid, &drawn, 4, st) != STATUS_OK)
			goto out;
		used = &carried;
	}
	if (voi_stats_compute(&h->stats[roi], h->dose_gy, used, &level_gy, 1, st) == STATUS_OK)
		(void)!voi_dvh(h->volume_ml[roi], BINS, h->bin_gy, h->dose_gy, used, st);
out:
	mask_free(&drawn);
	mask_free(&carried);
}

static void make_some(void *user, size_t first, size_t last)
{
	for (size_t i = first; i < last; i++)
		make_one(user, (int)i);
}

static int write_all(const struct histograms *h, const char *path)
{
	FILE *file = fopen(path, "w");

	if (file == NULL)
		return fail("cannot write the result");
	for (int roi = 0; roi < h->set->n_rois; roi++) {
		const struct voi_stats *stats = &h->stats[roi];

		if (h->status[roi].code != STATUS_OK)
			return fail(h->status[roi].text);
		fprintf(file, "%s,%.6f,%.6f,%.6f,%.6f", h->set->rois[roi].name, stats->volume_ml,
			stats->mean, stats->d90, stats->volume_at_level_ml[0]);
		for (int bin = 0; bin < BINS; bin++)
			fprintf(file, ",%.5f", h->volume_ml[roi][bin]);
		fprintf(file, "\n");
	}
	return fclose(file) != 0 ? fail("cannot write the result") : 0;
}

int main(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct dataset *contours = NULL, *dose = NULL;
	struct histograms *h = calloc(1, sizeof *h);
	struct rt_structure_set set;
	struct volume dose_gy = VOLUME_INIT;
	struct grid grid;

	if (argc != 6 || h == NULL) {
		fprintf(stderr, "usage: dvh_bench FOLDER RTSTRUCT RTDOSE OUT.csv BIN_GY\n");
		return 2;
	}
	if (dataset_library_init(&st) != STATUS_OK ||
	    dataset_read_file(&contours, argv[2], &st) != STATUS_OK ||
	    rt_structure_set_read(&set, contours, &st) != STATUS_OK ||
	    dataset_read_file(&dose, argv[3], &st) != STATUS_OK)
		return fail(st.text);
	if (read_grid(&grid, argv[1], &st) != 0 || read_dose(&dose_gy, dose, &st) != 0)
		return 1;
	if (set.n_rois > MOST_ROIS)
		return fail("too many regions");
	*h = (struct histograms){
	    .set = &set, .drawn_on = &grid, .dose_gy = &dose_gy, .bin_gy = atof(argv[5])};
	parallel_for((size_t)set.n_rois, 1, THREADS, make_some, h);
	return write_all(h, argv[4]);
}
