/* What is kept between the jobs of a treatment: the same bits, or nothing. */
#include "course_cache.h"
#include "dosimetry_scene.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

static char spool[] = "/tmp/holmia-course-XXXXXX";
static const char KEY[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static double means[DOSIMETRY_MAX_VOIS][DOSIMETRY_MAX_SCANS];

static int make_spool(void **state)
{
	(void)state;
	return mkdtemp(spool) ? 0 : -1;
}

static int remove_spool(void **state)
{
	char command[80];
	(void)state;
	snprintf(command, sizeof command, "rm -r %s", spool);
	return system(command);
}

static void path_of(char path[300], const char *key)
{
	snprintf(path, 300, "%s/maps/%s.course", spool, key);
}

static struct scene *two_scans(void)
{
	struct scene *s = scene_new(2);
	fill_scan(s, 0, 0.1, 0.4, 0.2);
	fill_scan(s, 1, 0.2, 0.9, 0.5);
	for (int voi = 0; voi < DOSIMETRY_MAX_VOIS; voi++) {
		for (int scan = 0; scan < DOSIMETRY_MAX_SCANS; scan++)
			means[voi][scan] = voi + scan / 16.0;
	}
	return s;
}

static void keep(const struct dosimetry_result *result, const char *key)
{
	struct status st = STATUS_INIT;
	assert_ok(course_cache_put(spool, key, result, means, 2, &st), &st);
}

static bool get(struct dosimetry_result *result, const char *key)
{
	struct status st = STATUS_INIT;
	bool found = true;
	*result = (struct dosimetry_result){.n_time_points = 0};
	assert_ok(course_cache_get(result, means, &found, spool, key, 3, &st), &st);
	return found;
}

/* The second scan computed from the file is the second scan computed at once. */
static void goes_on_from_the_file(void **state)
{
	(void)state;
	struct scene *s = two_scans();
	struct status st = STATUS_INIT;
	struct dosimetry_result whole = scene_run(s), first, kept;
	s->input.n_scans = 1;
	first = scene_run(s);
	keep(&first, KEY);
	memset(means, 0, sizeof means);
	assert_true(get(&kept, KEY));
	assert_true(means[63][15] == 63 + 15 / 16.0);
	assert_null(kept.time_points[0].dose_gy.samples);
	assert_memory_equal(&kept.sums.running, &first.sums.running, sizeof first.sums.running);
	assert_true(kept.baseline_sigma == first.baseline_sigma &&
		    kept.evaluated_volume_ml == first.evaluated_volume_ml);

	s->input.n_scans = 2;
	s->scan[0].map = NULL;
	assert_ok(dosimetry_run(&kept, &s->input, &s->params, &st), &st);
	assert_memory_equal(kept.time_points[1].dose_gy.samples,
			    whole.time_points[1].dose_gy.samples,
			    grid_voxels(&s->grid) * sizeof(float));
	assert_memory_equal(kept.time_points[1].voi, whole.time_points[1].voi,
			    sizeof whole.time_points[1].voi);
	assert_memory_equal(kept.time_points[0].voi, whole.time_points[0].voi,
			    sizeof whole.time_points[0].voi);
	dosimetry_result_free(&whole);
	dosimetry_result_free(&first);
	dosimetry_result_free(&kept);
	scene_free(s);
}

static void change_byte(const char *path, long at)
{
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	int byte = fgetc(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_true(fputc(byte ^ 0x10, file) != EOF);
	assert_int_equal(fclose(file), 0);
}

/* Header, figures, time points, every volume of sums, the last byte: each of them is looked at. */
static void a_damaged_file_is_none(void **state)
{
	(void)state;
	struct scene *s = two_scans();
	struct dosimetry_result result = scene_run(s), read;
	struct stat about;
	char path[300];
	keep(&result, KEY);
	path_of(path, KEY);
	assert_int_equal(stat(path, &about), 0);
	const long voxels = (long)grid_voxels(&s->grid), end = (long)about.st_size;
	const long places[] = {0,
			       9,
			       100,
			       4096,
			       4096 + 20000,
			       4096 + 40000,
			       end - voxels - 4 * voxels - 100,
			       end - voxels - 100,
			       end - 60};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		change_byte(path, places[i]);
		assert_false(get(&read, KEY));
		assert_int_equal(read.n_time_points, 0);
		assert_null(read.time_points);
		change_byte(path, places[i]);
		assert_true(get(&read, KEY));
		dosimetry_result_free(&read);
	}
	assert_int_equal(truncate(path, end - 64), 0);
	assert_false(get(&read, KEY));
	assert_int_equal(truncate(path, 100), 0);
	assert_false(get(&read, KEY));
	dosimetry_result_free(&result);
	scene_free(s);
}

/* A file under another name than its own is not that course. */
static void a_file_of_another_key_is_none(void **state)
{
	static const char other[] =
	    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	char from[300], to[300];
	(void)state;
	struct scene *s = two_scans();
	struct dosimetry_result result = scene_run(s), read;
	keep(&result, KEY);
	assert_false(get(&read, other));
	path_of(from, KEY);
	path_of(to, other);
	assert_int_equal(rename(from, to), 0);
	assert_false(get(&read, other));
	dosimetry_result_free(&result);
	scene_free(s);
}

static void a_spool_that_cannot_be_written_says_so(void **state)
{
	(void)state;
	struct scene *s = two_scans();
	struct status st = STATUS_INIT;
	struct dosimetry_result result = scene_run(s);
	assert_int_equal(course_cache_put("/proc/none", KEY, &result, means, 2, &st), STATUS_RETRY);
	assert_non_null(strstr(st.text, "/proc/none"));
	dosimetry_result_free(&result);
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_on_from_the_file),
	    cmocka_unit_test(a_damaged_file_is_none),
	    cmocka_unit_test(a_file_of_another_key_is_none),
	    cmocka_unit_test(a_spool_that_cannot_be_written_says_so),
	};
	return cmocka_run_group_tests(tests, make_spool, remove_spool);
}
