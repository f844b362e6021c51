/* Real images of three vendors, and one image in eight encodings. Expected figures:
 * data/MANIFEST.md, computed there with other programs on the same files. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#include "mr_series.h"
#include "tags.h"

#define MR "01_mr_multiecho/"

static struct status st;

struct folder {
	char path[300][400];
	struct instance_info infos[300];
	int count;
};
static struct folder folder;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* All files of a folder whose name contains `part`, in order of name. */
static void read_folder(const char *directory, const char *part)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	assert_non_null(dir);
	folder.count = 0;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strstr(entry->d_name, part))
			snprintf(folder.path[folder.count++], sizeof(folder.path[0]), "%s/%s",
				 directory, entry->d_name);
	closedir(dir);
	qsort(folder.path, (size_t)folder.count, sizeof(folder.path[0]), compare_paths);
	for (int i = 0; i < folder.count; i++) {
		struct dataset *ds = NULL;
		assert_ok(dataset_read_file(&ds, folder.path[i], &st), &st);
		assert_ok(instance_info_read(&folder.infos[i], ds, &st), &st);
		dataset_free(ds);
	}
}

static enum status_code read_image(void *user, int index, struct dataset **ds,
				   struct status *status)
{
	const struct folder *from = user;

	return dataset_read_file(ds, from->path[index], status);
}

static struct mr_series arranged(void)
{
	struct mr_series series;

	assert_ok(mr_series_arrange(&series, folder.infos, folder.count, &st), &st);
	return series;
}

static float *loaded(const struct mr_series *series)
{
	float *samples =
	    malloc((size_t)series->echoes * grid_voxels(&series->grid) * sizeof(*samples));

	assert_non_null(samples);
	assert_ok(mr_series_load(samples, series, read_image, &folder, 2, &st), &st);
	return samples;
}

static int compare_floats(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void ge_multi_echo(void **state)
{
	static const double te_ms[12] = {4.6,	 9.212,	 13.824, 18.436, 23.048, 27.66,
					 32.272, 36.884, 41.496, 46.108, 50.72,	 55.332};
	(void)state;
	require_data(MR "ge_mr750_r2star_s16_noFS");
	read_folder(DATA_DIR "/" MR "ge_mr750_r2star_s16_noFS", "");
	assert_int_equal(folder.count, 108);
	struct mr_series series = arranged();
	assert_int_equal(series.echoes, 12);
	assert_int_equal(series.grid.slices, 3);
	assert_int_equal(series.magnitude, 36);
	assert_int_equal(series.other_component, 72);
	assert_true(series.complete);
	/* 180 images were acquired; three of five slices are in the test data */
	assert_int_equal(series.images_expected, 180);
	assert_false(series.count_confirmed);
	for (int e = 0; e < 12; e++)
		assert_close(series.te_ms[e], te_ms[e], 1e-9, 0);
	assert_close(series.tr_ms, 125, 1e-9, 0);
	assert_close(series.field_strength_t, 3, 1e-9, 0);
	assert_close(grid_spacing_mm(&series.grid, 0), 1.5, 1e-3, 0);

	float *samples = loaded(&series);
	size_t voxels = grid_voxels(&series.grid);
	struct echo_series echoes = {
	    .grid = series.grid, .echoes = 12, .te_ms = series.te_ms, .samples = samples};
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct r2star_map map;
	assert_ok(r2star_fit(&map, &echoes, &params, &st), &st);

	/* The manifest's tissue: first echo above 20 % of its 99th percentile; its figure is a
	 * weighted log-linear fit. The few voxels without three usable echoes have no value here.
	 */
	float *sorted = malloc(voxels * sizeof(*sorted));
	assert_non_null(sorted);
	memcpy(sorted, samples, voxels * sizeof(*sorted));
	qsort(sorted, voxels, sizeof(*sorted), compare_floats);
	float threshold = 0.2f * sorted[(voxels - 1) * 99 / 100];
	size_t tissue = 0;
	for (size_t v = 0; v < voxels; v++)
		if (samples[v] > threshold && map.state[v] == R2STAR_FITTED)
			sorted[tissue++] = map.r2star_per_s.samples[v];
	qsort(sorted, tissue, sizeof(*sorted), compare_floats);
	print_message("R2* median %.2f /s of %zu voxels, sigma %.1f\n", (double)sorted[tissue / 2],
		      tissue, map.sigma);
	assert_close((double)sorted[tissue / 2], 45.5, 0, 0.05);
	free(sorted);
	free(samples);
	r2star_map_free(&map);
	mr_series_free(&series);
}

static void philips_dual_echo(void **state)
{
	static const double sums[2] = {2131074.36, 1663478.97};

	(void)state;
	require_data(MR "philips_dual_echo/classic");
	read_folder(DATA_DIR "/" MR "philips_dual_echo/classic", "");
	assert_int_equal(folder.count, 212);
	struct mr_series series = arranged();
	assert_int_equal(series.echoes, 2);
	assert_int_equal(series.grid.slices, 53);
	assert_int_equal(series.other_component, 106);
	assert_true(series.complete);
	float *samples = loaded(&series);
	size_t plane = (size_t)series.grid.rows * (size_t)series.grid.columns;
	int slice = -1;
	for (int k = 0; k < 53; k++)
		if (fabs(folder.infos[series.image[2 * k]].position_mm[2] + 54.52) < 0.01)
			slice = k;
	assert_true(slice >= 0);
	for (int e = 0; e < 2; e++) {
		const float *image = samples + ((size_t)(53 * e + slice)) * plane;
		double sum = 0;
		for (size_t i = 0; i < plane; i++)
			sum += (double)image[i];
		/* the manifest sums PV * RS + RI; ours are divided by RS * SS */
		assert_close(sum * 1.29157509157509 * 0.000237989, sums[e], 0, 2e-6);
	}
	free(samples);
	mr_series_free(&series);
}

static void siemens_echoes_share_instance_numbers(void **state)
{
	struct instance_info magnitude[20];
	int n = 0, phase = 0;

	(void)state;
	require_data(MR "siemens_me_fieldmap");
	read_folder(DATA_DIR "/" MR "siemens_me_fieldmap", "");
	assert_int_equal(folder.count, 18);
	for (int i = 0; i < folder.count; i++) {
		if (folder.infos[i].component == IMAGE_MAGNITUDE)
			magnitude[n++] = folder.infos[i];
		phase += folder.infos[i].component == IMAGE_PHASE;
	}
	assert_int_equal(n, 16);
	assert_int_equal(phase, 2);
	struct mr_series series;
	assert_ok(mr_series_arrange(&series, magnitude, n, &st), &st);
	assert_int_equal(series.echoes, 2);
	assert_int_equal(series.grid.slices, 8);
	assert_close(series.te_ms[0], 5.19, 1e-9, 0);
	assert_close(series.te_ms[1], 7.65, 1e-9, 0);
	assert_true(series.complete);
	mr_series_free(&series);
}

static struct instance_info info_of(const char *path, enum status_code expected)
{
	struct instance_info info;
	struct dataset *ds = NULL;

	status_clear(&st);
	assert_ok(dataset_read_file(&ds, path, &st), &st);
	assert_int_equal(instance_info_read(&info, ds, &st), expected);
	dataset_free(ds);
	return info;
}

static void real_part_is_no_magnitude(void **state)
{
	(void)state;
	require_data(MR "siemens_decimal_rescale.dcm");
	/* it has no SOP Class UID either */
	assert_int_equal(
	    info_of(DATA_DIR "/" MR "siemens_decimal_rescale.dcm", STATUS_REFUSE).component,
	    IMAGE_REAL);
	assert_non_null(strstr(st.text, "SOP Class"));
}

static void enhanced_without_groups_is_refused(void **state)
{
	static const char *const names[] = {"", "_big_endian", "_RLE"};
	char path[400], hash[65] = "";

	(void)state;
	require_data(MR "emri_small.dcm");
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%semri_small%s.dcm", DATA_DIR, MR, names[i]);
		struct instance_info info = info_of(path, STATUS_OK);
		struct mr_series series;
		assert_int_equal(info.frames, 10);
		assert_string_equal(info.sop_class_uid, "1.2.840.10008.5.1.4.1.1.4.1");
		if (i > 0)
			assert_string_equal(info.evidence_hash, hash);
		memcpy(hash, info.evidence_hash, sizeof(hash));
		assert_int_equal(mr_series_arrange(&series, &info, 1, &st), STATUS_REFUSE);
		status_clear(&st);
	}
}

/* One image in several transfer syntaxes: equal pixels, equal evidence. */
static void same_in_every_syntax(const char *base, const char *const *endings, size_t count,
				 size_t pixels)
{
	float *first = malloc(pixels * sizeof(*first)), *other = malloc(pixels * sizeof(*other));
	char path[400], hash[65];

	assert_non_null(first);
	assert_non_null(other);
	for (size_t i = 0; i < count; i++) {
		struct dataset *ds = NULL;
		char own[65];
		snprintf(path, sizeof(path), "%s/05_transfer_syntax/%s%s.dcm", DATA_DIR, base,
			 endings[i]);
		assert_ok(dataset_read_file(&ds, path, &st), &st);
		assert_ok(dataset_get_frame(ds, 0, i ? other : first, pixels, &st), &st);
		assert_ok(dataset_evidence_hash(ds, own, &st), &st);
		if (i == 0)
			memcpy(hash, own, sizeof(hash));
		else if (memcmp(first, other, pixels * sizeof(*first)) != 0 ||
			 strcmp(hash, own) != 0)
			fail_msg("%s differs", path);
		dataset_free(ds);
	}
	free(first);
	free(other);
}

static void transfer_syntaxes(void **state)
{
	static const char *const wg04[] = {"_UNC", "_JPLL", "_JLSL", "_RLE"};
	static const char *const small[] = {"",	     "_RLE",	  "_bigendian",
					    "_expb", "_implicit", "_jpeg_ls_lossless"};

	(void)state;
	require_data("05_transfer_syntax/wg04/MR1_UNC.dcm");
	same_in_every_syntax("wg04/MR1", wg04, 4, 512 * 512);
	same_in_every_syntax("wg04/MR3", wg04, 4, 512 * 512);
	same_in_every_syntax("wg04/MR4", wg04, 4, 512 * 512);
	same_in_every_syntax("pydicom/MR_small", small, 6, 64 * 64);
}

/* One row more than the header says: nobody knows which of the two is right. */
static void surplus_pixels_are_refused(void **state)
{
	float values[64 * 64];
	struct dataset *ds = NULL;

	(void)state;
	require_data("05_transfer_syntax/pydicom/MR_small_padded.dcm");
	assert_ok(
	    dataset_read_file(&ds, DATA_DIR "/05_transfer_syntax/pydicom/MR_small_padded.dcm", &st),
	    &st);
	assert_int_equal(dataset_get_frame(ds, 0, values, 64 * 64, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "8320 bytes"));
	dataset_free(ds);
}

static void jpeg2000_is_refused_with_words(void **state)
{
	(void)state;
	require_data("05_transfer_syntax/wg04/MR1_J2KR.dcm");
	info_of(DATA_DIR "/05_transfer_syntax/wg04/MR1_J2KR.dcm", STATUS_REFUSE);
	assert_non_null(strstr(st.text, "JPEG 2000"));
}

/* What is no image of ours is only kept: it needs a hash, not pixels. */
static void other_objects_need_no_decoder(void **state)
{
	char first[65];

	(void)state;
	require_data("03_seg_sr/pydicom_liver_j2k.dcm");
	struct instance_info info = info_of(DATA_DIR "/03_seg_sr/pydicom_liver_j2k.dcm", STATUS_OK);
	assert_string_equal(info.modality, "SEG");
	memcpy(first, info.evidence_hash, sizeof(first));
	assert_string_equal(
	    info_of(DATA_DIR "/03_seg_sr/pydicom_liver_j2k.dcm", STATUS_OK).evidence_hash, first);
	info = info_of(DATA_DIR "/03_seg_sr/pydicom_liver.dcm", STATUS_OK);
	memcpy(first, info.evidence_hash, sizeof(first));
	assert_string_equal(
	    info_of(DATA_DIR "/03_seg_sr/pydicom_liver_expb.dcm", STATUS_OK).evidence_hash, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(ge_multi_echo, set_up),
	    cmocka_unit_test_setup(philips_dual_echo, set_up),
	    cmocka_unit_test_setup(siemens_echoes_share_instance_numbers, set_up),
	    cmocka_unit_test_setup(real_part_is_no_magnitude, set_up),
	    cmocka_unit_test_setup(enhanced_without_groups_is_refused, set_up),
	    cmocka_unit_test_setup(transfer_syntaxes, set_up),
	    cmocka_unit_test_setup(surplus_pixels_are_refused, set_up),
	    cmocka_unit_test_setup(other_objects_need_no_decoder, set_up),
	    cmocka_unit_test_setup(jpeg2000_is_refused_with_words, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
