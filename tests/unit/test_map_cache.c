/* Kept maps come back as they were, or not at all. */
#include "check.h"
#include "map_cache.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char spool[64];
static const char KEY[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static struct r2star_map make_map(void)
{
	struct status st = STATUS_INIT;
	struct grid grid = {.columns = 5, .rows = 4, .slices = 3, .origin_mm = {-1.25, 2, 1e3}};
	struct r2star_map map = {.sigma = 1.5,
				 .te1_ms = 1.33,
				 .usable_sigma = 4,
				 .saturated_sigma = 2,
				 .air_sigma = NAN};
	grid.column_step_mm[0] = 1.5;
	grid.row_step_mm[1] = 1.5;
	grid.slice_step_mm[2] = 5;
	strcpy(grid.frame_of_reference, "1.2.840.1");
	assert_ok(volume_new(&map.r2star_per_s, &grid, NAN, &st), &st);
	assert_ok(volume_new(&map.stderr_per_s, &grid, 2, &st), &st);
	assert_ok(volume_new(&map.s0, &grid, 100, &st), &st);
	assert_ok(volume_new(&map.first_echo, &grid, 90, &st), &st);
	map.state = calloc(60, 1);
	map.quality = calloc(60, 1);
	map.quality[17] = R2STAR_OSCILLATES;
	for (int v = 0; v < 60; v++) {
		map.r2star_per_s.samples[v] = (float)(v * 3.5);
		map.state[v] = (uint8_t)(v % 4);
	}
	map.r2star_per_s.samples[7] = NAN;
	return map;
}

static void keep(void)
{
	struct status st = STATUS_INIT;
	struct r2star_map map = make_map();
	assert_ok(map_cache_put(spool, KEY, &map, 2, &st), &st);
	r2star_map_free(&map);
}

static bool is_found(const char *key)
{
	struct status st = STATUS_INIT;
	struct kept_map kept;
	bool found = true;
	assert_ok(map_cache_get(&kept, &found, spool, key, 3, &st), &st);
	kept_map_free(&kept);
	return found;
}

static void change_byte(long offset)
{
	char path[256];
	snprintf(path, sizeof path, "%s/maps/%s.r2s", spool, KEY);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	fseek(file, offset, SEEK_SET);
	int byte = fgetc(file);
	fseek(file, offset, SEEK_SET);
	fputc(byte ^ 1, file);
	fclose(file);
}

static void comes_back_as_it_was(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct kept_map kept;
	bool found = false;
	keep();
	struct r2star_map map = make_map();
	assert_ok(map_cache_get(&kept, &found, spool, KEY, 1, &st), &st);
	assert_true(found);
	assert_true(grid_same(&kept.map.s0.grid, &map.s0.grid, 0));
	assert_memory_equal(kept.map.r2star_per_s.samples, map.r2star_per_s.samples, 240);
	assert_memory_equal(kept.map.stderr_per_s.samples, map.stderr_per_s.samples, 240);
	assert_memory_equal(kept.map.s0.samples, map.s0.samples, 240);
	assert_memory_equal(kept.map.first_echo.samples, map.first_echo.samples, 240);
	assert_memory_equal(kept.map.state, map.state, 60);
	assert_memory_equal(kept.map.quality, map.quality, 60);
	assert_close(kept.map.sigma, 1.5, 0, 0);
	assert_close(kept.map.te1_ms, 1.33, 0, 0);
	assert_true(isnan(kept.map.air_sigma));
	kept_map_free(&kept);
	r2star_map_free(&map);
}

/* A map whose quality nobody looked at does not come back as one of good quality. */
static void no_quality_stays_none(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct kept_map kept;
	bool found = false;
	struct r2star_map map = make_map();
	free(map.quality);
	map.quality = NULL;
	assert_ok(map_cache_put(spool, KEY, &map, 2, &st), &st);
	assert_ok(map_cache_get(&kept, &found, spool, KEY, 1, &st), &st);
	assert_true(found);
	assert_null(kept.map.quality);
	assert_memory_equal(kept.map.state, map.state, 60);
	kept_map_free(&kept);
	r2star_map_free(&map);
}

static void unknown_is_absent(void **state)
{
	(void)state;
	assert_false(is_found("ffff"));
}

static void any_changed_byte_makes_it_absent(void **state)
{
	(void)state;
	struct stat about;
	char path[256];
	snprintf(path, sizeof path, "%s/maps/%s.r2s", spool, KEY);
	keep();
	assert_int_equal(stat(path, &about), 0);
	assert_true(about.st_size > 4096 + 60 * 18);
	for (long at = 0; at < about.st_size; at++) {
		change_byte(at);
		if (is_found(KEY))
			fail_msg("byte %ld", at);
		change_byte(at);
	}
	assert_true(is_found(KEY));
}

static void cut_or_empty_is_absent(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof path, "%s/maps/%s.r2s", spool, KEY);
	const long sizes[] = {4096 + 60 * 18, 4096, 100, 0};
	for (int i = 0; i < 4; i++) {
		keep();
		assert_int_equal(truncate(path, sizes[i]), 0);
		assert_false(is_found(KEY));
	}
}

static void a_folder_that_cannot_be_written_is_said(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct r2star_map map = make_map();
	assert_int_equal(map_cache_put("/proc/self", KEY, &map, 2, &st), STATUS_RETRY);
	assert_true(st.text[0] != '\0');
	r2star_map_free(&map);
}

static void other_evidence_or_method_is_another_key(void **state)
{
	(void)state;
	char a[65], b[65];
	map_cache_key(a, "evidence", 4, 2);
	assert_int_equal(strlen(a), 64);
	map_cache_key(b, "evidence", 4, 2);
	assert_string_equal(a, b);
	map_cache_key(b, "evidencf", 4, 2);
	assert_string_not_equal(a, b);
	map_cache_key(b, "evidence", 5, 2);
	assert_string_not_equal(a, b);
	map_cache_key(b, "evidence", 4, 2.5);
	assert_string_not_equal(a, b);
}

static int make_spool(void **state)
{
	(void)state;
	strcpy(spool, "/tmp/holmia-maps-XXXXXX");
	return mkdtemp(spool) ? 0 : -1;
}

static int remove_spool(void **state)
{
	(void)state;
	char path[256];
	snprintf(path, sizeof path, "%s/maps/%s.r2s", spool, KEY);
	unlink(path);
	snprintf(path, sizeof path, "%s/maps", spool);
	return rmdir(path) == 0 && rmdir(spool) == 0 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comes_back_as_it_was),
	    cmocka_unit_test(no_quality_stays_none),
	    cmocka_unit_test(unknown_is_absent),
	    cmocka_unit_test(any_changed_byte_makes_it_absent),
	    cmocka_unit_test(cut_or_empty_is_absent),
	    cmocka_unit_test(a_folder_that_cannot_be_written_is_said),
	    cmocka_unit_test(other_evidence_or_method_is_another_key),
	};
	return cmocka_run_group_tests(tests, make_spool, remove_spool);
}
