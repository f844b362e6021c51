#include "check.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "grid.h"
#include "parallel.h"
#include "volume.h"

/* 20 degrees about the patient's x axis, slices stacked towards the feet. */
static struct grid oblique_grid(void)
{
	double c = cos(20 * M_PI / 180), s = sin(20 * M_PI / 180);
	struct grid grid = {.columns = 7,
			    .rows = 5,
			    .slices = 4,
			    .origin_mm = {-12, 30, 101},
			    .column_step_mm = {1.5, 0, 0},
			    .row_step_mm = {0, 2 * c, 2 * s},
			    .slice_step_mm = {0, 5 * s, -5 * c},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

static void voxel_and_patient_are_inverse(void **state)
{
	struct grid grid = oblique_grid();
	double voxel[3] = {2.25, 3.5, -1.125}, point[3], back[3];

	(void)state;
	grid_to_patient(&grid, voxel, point);
	assert_close(point[0], -12 + 2.25 * 1.5, 1e-12, 0);
	assert_close(point[1],
		     30 + 3.5 * 2 * cos(20 * M_PI / 180) - 1.125 * 5 * sin(20 * M_PI / 180), 1e-12,
		     0);
	grid_to_voxel(&grid, point, back);
	for (int a = 0; a < 3; a++)
		assert_close(back[a], voxel[a], 1e-12, 0);
	assert_close(grid_voxel_volume_ml(&grid), 0.015, 1e-12, 0);
	assert_close(grid_spacing_mm(&grid, 0), 1.5, 1e-12, 0);
	assert_close(grid_spacing_mm(&grid, 1), 2, 1e-12, 0);
	assert_close(grid_spacing_mm(&grid, 2), 5, 1e-12, 0);
	assert_int_equal(grid_voxels(&grid), 140);
}

static void map_is_the_way_through_the_patient(void **state)
{
	struct grid a = oblique_grid(), b = oblique_grid();
	double matrix[3][3], offset[3], voxel[3] = {1, 4, 2}, point[3], expected[3];

	(void)state;
	b.origin_mm[0] += 3;
	b.row_step_mm[1] *= 0.5;
	b.row_step_mm[2] *= 0.5;
	grid_map(&a, &b, matrix, offset);
	grid_to_patient(&a, voxel, point);
	grid_to_voxel(&b, point, expected);
	for (int r = 0; r < 3; r++)
		assert_close(matrix[r][0] * voxel[0] + matrix[r][1] * voxel[1] +
				 matrix[r][2] * voxel[2] + offset[r],
			     expected[r], 1e-12, 0);
}

static void same_needs_frame_size_and_corners(void **state)
{
	struct grid a = oblique_grid(), b = oblique_grid();

	(void)state;
	assert_true(grid_same(&a, &b, 1e-9));
	b.column_step_mm[0] += 0.01; /* 0.06 mm at the last column */
	assert_true(grid_same(&a, &b, 0.07));
	assert_false(grid_same(&a, &b, 0.05));
	b = a;
	b.slices--;
	assert_false(grid_same(&a, &b, 10));
	b = a;
	strcpy(b.frame_of_reference, "1.2.4");
	assert_false(grid_same(&a, &b, 10));
	b = a;
	b.origin_mm[1] = (double)NAN;
	assert_false(grid_same(&a, &b, 10));
}

static void impossible_grids_are_refused(void **state)
{
	struct grid good = oblique_grid(), bad;
	struct status st = STATUS_INIT;

	(void)state;
	assert_ok(grid_check(&good, &st), &st);
	bad = good;
	bad.rows = 0;
	assert_int_equal(grid_check(&bad, &st), STATUS_REFUSE);
	status_clear(&st);
	bad = good;
	bad.slice_step_mm[1] = bad.row_step_mm[1]; /* slices along the rows */
	bad.slice_step_mm[2] = bad.row_step_mm[2];
	assert_int_equal(grid_check(&bad, &st), STATUS_REFUSE);
	status_clear(&st);
	bad = good;
	bad.row_step_mm[0] = 0.01;
	assert_int_equal(grid_check(&bad, &st), STATUS_REFUSE);
	status_clear(&st);
	bad = good;
	bad.column_step_mm[0] = 0;
	assert_int_equal(grid_check(&bad, &st), STATUS_REFUSE);
	status_clear(&st);
	bad = good;
	bad.origin_mm[2] = (double)INFINITY;
	assert_int_equal(grid_check(&bad, &st), STATUS_REFUSE);
}

static void inverse_of_a_singular_grid_is_nan(void **state)
{
	struct grid flat = oblique_grid();
	double voxel[3], point[3] = {0, 0, 0};

	(void)state;
	memcpy(flat.slice_step_mm, flat.row_step_mm, sizeof flat.slice_step_mm);
	grid_to_voxel(&flat, point, voxel);
	for (int a = 0; a < 3; a++)
		assert_true(isnan(voxel[a]));
}

struct visits {
	atomic_int seen[1000];
	atomic_int ranges_starting[1000];
};

static void visit(void *user, size_t first, size_t last)
{
	struct visits *visits = user;

	atomic_fetch_add(&visits->ranges_starting[first], 1);
	for (size_t i = first; i < last; i++)
		atomic_fetch_add(&visits->seen[i], 1);
}

static void every_index_is_visited_once_in_the_same_ranges(void **state)
{
	static struct visits one, three;

	(void)state;
	parallel_for(1000, 37, 1, visit, &one);
	parallel_for(1000, 37, 3, visit, &three);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(one.seen[i], 1);
		assert_int_equal(three.seen[i], 1);
		assert_int_equal(one.ranges_starting[i], i % 37 == 0);
		assert_int_equal(three.ranges_starting[i], i % 37 == 0);
	}
	parallel_for(0, 37, 3, visit, &three);
	assert_int_equal(three.seen[0], 1);
}

static void volume_starts_filled(void **state)
{
	struct grid grid = oblique_grid();
	struct volume volume = VOLUME_INIT;
	struct status st = STATUS_INIT;

	(void)state;
	assert_ok(volume_new(&volume, &grid, NAN, &st), &st);
	for (size_t i = 0; i < grid_voxels(&grid); i++)
		assert_true(isnan(volume.samples[i]));
	volume_free(&volume);
	assert_null(volume.samples);
	volume_free(&volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(voxel_and_patient_are_inverse),
	    cmocka_unit_test(map_is_the_way_through_the_patient),
	    cmocka_unit_test(same_needs_frame_size_and_corners),
	    cmocka_unit_test(impossible_grids_are_refused),
	    cmocka_unit_test(inverse_of_a_singular_grid_is_nan),
	    cmocka_unit_test(every_index_is_visited_once_in_the_same_ranges),
	    cmocka_unit_test(volume_starts_filled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
