/* Real emission images: a 177Lu patient with two liver lesions, whose figures two other programs
 * found on the same files (data/MANIFEST.md: its own, and plastimatch's), and images that must be
 * refused in words. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>

#include "emission_series.h"
#include "rt_structure_set.h"
#include "voi_stats.h"

#define FOLDER	   DATA_DIR "/04_nm_pet_rrdsr/"
#define MAX_IMAGES 200

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

static enum status_code read_files(struct emission_series *series, const char *const *paths, int n)
{
	struct dataset *datasets[MAX_IMAGES] = {NULL};
	for (int i = 0; i < n; i++)
		assert_ok(dataset_read_file(&datasets[i], paths[i], &st), &st);
	enum status_code code = emission_series_read(series, datasets, n, (double)NAN, &st);
	for (int i = 0; i < n; i++)
		dataset_free(datasets[i]);
	return code;
}

static enum status_code read_folder(struct emission_series *series, const char *folder, int skip)
{
	static char names[MAX_IMAGES][400];
	const char *paths[MAX_IMAGES];
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int n = 0;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || n == MAX_IMAGES)
			continue;
		snprintf(names[n], sizeof names[n], "%s/%s", folder, entry->d_name);
		paths[n] = names[n];
		n++;
	}
	closedir(dir);
	for (int i = 0; skip > 0 && i < n; i++) {
		char name[20];
		snprintf(name, sizeof name, "/i%03d.dcm", skip);
		if (strstr(paths[i], name))
			paths[i] = paths[--n];
	}
	return read_files(series, paths, n);
}

/* Voxels whose centre lies inside the contours of their slice, as the programs count that the
 * published figures come from. */
static void whole_voxels(const struct volume *volume, const struct rt_roi *roi, double *volume_ml,
			 double *mean)
{
	const struct grid *grid = &volume->grid;
	double sum = 0, count = 0;
	for (int c = 0; c < roi->n_contours; c++) {
		const struct mask_contour *contour = &roi->contours[c];
		double first[3];
		grid_to_voxel(grid, contour->points_mm, first);
		int k = (int)lround(first[2]);
		double(*at)[3] = malloc((size_t)contour->points * sizeof *at);
		assert_non_null(at);
		for (int p = 0; p < contour->points; p++)
			grid_to_voxel(grid, contour->points_mm + 3 * p, at[p]);
		for (int j = 0; j < grid->rows; j++) {
			for (int i = 0; i < grid->columns; i++) {
				bool inside = false;
				for (int p = 0; p < contour->points; p++) {
					const double *a = at[p], *b = at[(p + 1) % contour->points];
					if ((a[1] > j) != (b[1] > j) &&
					    i < a[0] + (j - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
						inside = !inside;
				}
				if (!inside)
					continue;
				sum += (double)volume
					   ->samples[((size_t)k * (size_t)grid->rows + (size_t)j) *
							 (size_t)grid->columns +
						     (size_t)i];
				count++;
			}
		}
		free(at);
	}
	*volume_ml = count * grid_voxel_volume_ml(grid);
	*mean = sum / count;
}

/* Published: whole voxels. Ours: the drawn area, which is 2 % less for the small lesion; both must
 * give the mean. */
static void lesion(const struct emission_series *series, const struct rt_structure_set *set,
		   const char *name, int contours, double published_ml, double drawn_ml,
		   double mean_bq_per_ml)
{
	const struct volume *volume = &series->activity_bq_per_ml;
	const struct rt_roi *roi = NULL;
	struct mask mask = MASK_INIT;
	struct voi_stats stats;
	double counted_ml, counted_mean;
	for (int i = 0; i < set->n_rois; i++)
		if (strstr(set->rois[i].name, name))
			roi = &set->rois[i];
	if (!roi) {
		fail_msg("no contours of \"%s\"", name);
		return;
	}
	assert_int_equal(roi->n_contours, contours);
	assert_string_equal(roi->frame_of_reference_uid, volume->grid.frame_of_reference);
	assert_ok(
	    mask_from_contours(&mask, &volume->grid, roi->contours, roi->n_contours, NULL, &st),
	    &st);
	assert_ok(voi_stats_compute(&stats, volume, &mask, NULL, 0, &st), &st);
	whole_voxels(volume, roi, &counted_ml, &counted_mean);
	print_message("%s: %.2f mL drawn, %.2f mL in whole voxels (%.2f); mean %.6g and %.6g Bq/mL "
		      "(%.6g)\n",
		      roi->name, stats.volume_ml, counted_ml, published_ml, stats.mean,
		      counted_mean, mean_bq_per_ml);
	assert_measured("177Lu", name, counted_ml, published_ml, 0, 0.01, "mL");
	assert_measured("177Lu", name, counted_mean, mean_bq_per_ml, 0, 0.0005, "Bq/mL");
	assert_close(stats.volume_ml, drawn_ml, 0, 0.001);
	assert_close(stats.mean, mean_bq_per_ml, 0, 0.005);
	mask_free(&mask);
}

static void lutetium_patient_has_the_known_lesions(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/lu177_spect_tp1");
	struct emission_series series;
	struct rt_structure_set set;
	struct dataset *ds = NULL;

	assert_ok(read_folder(&series, FOLDER "lu177_spect_tp1", 0), &st);
	assert_int_equal(series.slices, 50);
	assert_int_equal(series.slices_expected, 199);
	assert_true(series.calibrated);
	assert_true(series.attenuation_corrected);
	assert_true(series.scatter_corrected);
	assert_close(series.activity_bq_per_ml.grid.slice_step_mm[2], 1.953, 0.001, 0);
	assert_close(series.activity_bq_per_ml.grid.origin_mm[2], 1397.16, 0.1, 0);

	assert_ok(dataset_read_file(&ds, FOLDER "lu177_spect_tp1_rtstruct.dcm", &st), &st);
	assert_ok(rt_structure_set_read(&set, ds, &st), &st);
	dataset_free(ds);
	/* the first row is the manifest's own, the second plastimatch's; the drawn volumes are the
	 * polygons' areas times the spacing, by the shoelace formula in another program */
	lesion(&series, &set, "lesion1 liver R lobe", 35, 107.02, 106.9393, 1.14254e6);
	lesion(&series, &set, "lesion1 liver R lobe", 35, 107.10, 106.9393, 1.142164e6);
	lesion(&series, &set, "lesion2 liver L lateral", 10, 2.861, 2.80427, 1.474734e6);
	rt_structure_set_free(&set);
	emission_series_free(&series);
}

/* Corrected to the administration at 09:22:00 for a scan at 13:06:28 with a half-life of 574300 s:
 * the factor to the administration is 1, and what is seen at the scan 2^(-13468.148/574300). */
static void lutetium_patient_is_corrected_to_the_administration(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/lu177_spect_tp1");
	struct emission_series series;
	assert_ok(read_folder(&series, FOLDER "lu177_spect_tp1", 0), &st);
	assert_int_equal(series.corrected_to, EMISSION_DECAY_ADMINISTRATION);
	assert_string_equal(series.administration, "20181115092200.000000");
	assert_string_equal(series.scan_start, "20181115130628.148000");
	assert_close(series.half_life_h, 574300 / 3600.0, 0, 1e-12);
	assert_close(series.injected_mbq, 7210.4255996395, 0, 1e-12);
	assert_close(series.scan_duration_s, 1506.277, 0, 1e-9);
	const struct isotope *isotope =
	    isotope_find(series.isotope, series.code_value, series.code_scheme);
	assert_non_null(isotope);
	assert_string_equal(isotope->name, "Lu-177");
	struct emission_timing timing = {.corrected_to = series.corrected_to,
					 .scan_start_s = 13 * 3600 + 6 * 60 + 28.148,
					 .scan_duration_s = series.scan_duration_s,
					 .administration_s = 9 * 3600 + 22 * 60,
					 .half_life_h = series.half_life_h};
	assert_close(emission_factor_to_administration(isotope, &timing), 1, 0, 0);
	assert_close(emission_factor(isotope, &timing, timing.scan_start_s),
		     exp(-log(2) * 13468.148 / 574300), 0, 1e-6);
	struct volume dose = VOLUME_INIT;
	assert_int_equal(
	    emission_dose(&dose, &series.activity_bq_per_ml, 1, isotope, 23.6, 1.06, &st),
	    STATUS_REFUSE);
	emission_series_free(&series);
}

static void refused(enum status_code code, const char *words)
{
	if (code != STATUS_REFUSE || !strstr(st.text, words))
		fail_msg("code %d: %s", (int)code, st.text);
	status_clear(&st);
}

static void a_missing_slice_is_a_gap(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/lu177_spect_tp1");
	struct emission_series series;
	refused(read_folder(&series, FOLDER "lu177_spect_tp1", 140),
		"gap of 1 slice after slice 16");
}

static void standard_uptake_values_are_refused(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/sts002_pet");
	struct emission_series series;
	refused(read_folder(&series, FOLDER "sts002_pet", 0),
		"units of the emission image are GML");
}

static void planar_scintigraphy_is_refused(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/NM-NmIm-Siemens.dcm");
	struct emission_series series;
	const char *path = FOLDER "NM-NmIm-Siemens.dcm";
	refused(read_files(&series, &path, 1),
		"type \"WHOLE BODY\" is no reconstructed tomography");
}

static void a_dose_report_is_no_emission_image(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/NM-RRDSR-Siemens.dcm");
	struct emission_series series;
	const char *path = FOLDER "NM-RRDSR-Siemens.dcm";
	refused(read_files(&series, &path, 1), "neither a PET nor an NM image");
}

/* Single slices of whole-body scans. The decay factor of the Siemens one fits its series time (not
 * the acquisition time a second before), that of the GE one both. Fluorine is none of ours. */
static void single_pet_slices_are_read(void **state)
{
	(void)state;
	require_data("04_nm_pet_rrdsr/NM-PetIm-Siemens.dcm");
	const struct {
		const char *path, *scan_start, *administration;
		double injected_mbq, half_life_s;
		int columns, slices_expected;
	} rows[] = {
	    {FOLDER "NM-PetIm-Siemens.dcm", "20220224115600.000000", "20220224104830.000000", 394,
	     6586.2, 440, 476},
	    {FOLDER "NM-PetIm-GE.dcm", "20220310133155", "20220310124100.00", 221.596288,
	     6586.2001953125, 192, 313},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct emission_series series;
		assert_ok(read_files(&series, &rows[i].path, 1), &st);
		assert_int_equal(series.corrected_to, EMISSION_DECAY_START);
		assert_string_equal(series.scan_start, rows[i].scan_start);
		assert_string_equal(series.administration, rows[i].administration);
		assert_close(series.injected_mbq, rows[i].injected_mbq, 0, 1e-12);
		assert_close(series.half_life_h, rows[i].half_life_s / 3600, 0, 1e-12);
		assert_int_equal(series.slices_expected, rows[i].slices_expected);
		assert_int_equal(series.activity_bq_per_ml.grid.columns, rows[i].columns);
		assert_null(isotope_find(series.isotope, series.code_value, series.code_scheme));
		emission_series_free(&series);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(lutetium_patient_has_the_known_lesions, set_up),
	    cmocka_unit_test_setup(lutetium_patient_is_corrected_to_the_administration, set_up),
	    cmocka_unit_test_setup(a_missing_slice_is_a_gap, set_up),
	    cmocka_unit_test_setup(standard_uptake_values_are_refused, set_up),
	    cmocka_unit_test_setup(planar_scintigraphy_is_refused, set_up),
	    cmocka_unit_test_setup(a_dose_report_is_no_emission_image, set_up),
	    cmocka_unit_test_setup(single_pet_slices_are_read, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
