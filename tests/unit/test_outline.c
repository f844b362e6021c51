#include "check.h"

#include <stdlib.h>

#include "outline.h"

enum { CORNERS = 360 };

static struct grid small_grid(void)
{
	struct grid grid = {.columns = 48,
			    .rows = 40,
			    .slices = 5,
			    .origin_mm = {-20, 10, 5},
			    .column_step_mm = {1.5, 0, 0},
			    .row_step_mm = {0, 1.5, 0},
			    .slice_step_mm = {0, 0, 4},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

/* Circle as a contour; points_mm has room for CORNERS points. */
static struct mask_contour circle(double *points_mm, const struct grid *grid, double column,
				  double row, double radius, int slice)
{
	for (int i = 0; i < CORNERS; i++) {
		double voxel[3] = {column + radius * cos(2 * M_PI * i / CORNERS),
				   row + radius * sin(2 * M_PI * i / CORNERS), slice};

		grid_to_patient(grid, voxel, points_mm + (ptrdiff_t)3 * i);
	}
	return (struct mask_contour){points_mm, CORNERS};
}

static struct outline_set outlines_of(const struct mask_contour *contours, int n)
{
	struct grid grid = small_grid();
	struct mask mask = MASK_INIT;
	struct outline_set set;
	struct status st = STATUS_INIT;

	assert_ok(mask_from_contours(&mask, &grid, contours, n, NULL, &st), &st);
	assert_ok(outline_trace(&set, &mask, &st), &st);
	mask_free(&mask);
	for (int o = 0; o < set.count; o++) {
		const float *p = set.outlines[o].column_row;
		int last = 2 * (set.outlines[o].points - 1);

		assert_true(p[0] == p[last] && p[1] == p[last + 1]);
		for (int i = 0; i < last; i += 2)
			assert_true(p[i] != p[i + 2] || p[i + 1] != p[i + 3]);
	}
	return set;
}

static void outline_of_a_circle(void **state)
{
	static double points_mm[3 * CORNERS];
	struct grid grid = small_grid();

	(void)state;
	for (int t = 0; t < 25; t++) {
		double column = 22 + 0.137 * t, row = 19 - 0.211 * t, radius = 3 + 0.4 * t;
		struct mask_contour contour = circle(points_mm, &grid, column, row, radius, 2);
		struct outline_set set = outlines_of(&contour, 1);
		double farthest = 0;

		assert_int_equal(set.count, 1);
		assert_int_equal(set.outlines[0].slice, 2);
		for (int i = 0; i < set.outlines[0].points; i++) {
			const float *p = set.outlines[0].column_row + (ptrdiff_t)2 * i;

			farthest =
			    fmax(farthest,
				 fabs(hypot((double)p[0] - column, (double)p[1] - row) - radius));
		}
		assert_true(farthest < 0.15);
		/* a tenth of a pixel all around */
		assert_close(set.outlines[0].area_mm2, M_PI * radius * radius * 2.25,
			     0.1 * 2 * M_PI * radius * 2.25, 0);
		outline_set_free(&set);
	}
}

static void a_hole_has_negative_area_and_order_is_by_area(void **state)
{
	static double points_mm[4][3 * CORNERS];
	struct grid grid = small_grid();
	struct mask_contour contours[4];
	struct outline_set set;

	(void)state;
	contours[0] = circle(points_mm[0], &grid, 20, 20, 8, 3);
	contours[1] = circle(points_mm[1], &grid, 20, 20, 15, 2);
	contours[2] = circle(points_mm[2], &grid, 20, 20, 6, 2);
	contours[3] = circle(points_mm[3], &grid, 41, 20, 4, 2);
	set = outlines_of(contours, 4);
	assert_int_equal(set.count, 4);
	assert_int_equal(set.outlines[0].slice, 2);
	assert_close(set.outlines[0].area_mm2, M_PI * 225 * 2.25, 0, 0.02);
	assert_close(set.outlines[1].area_mm2, -M_PI * 36 * 2.25, 0, 0.02);
	assert_close(set.outlines[2].area_mm2, M_PI * 16 * 2.25, 0, 0.03);
	assert_int_equal(set.outlines[3].slice, 3);
	assert_close(set.outlines[3].area_mm2, M_PI * 64 * 2.25, 0, 0.02);
	outline_set_free(&set);
}

static void outlines_close_at_the_edge_of_the_grid(void **state)
{
	static double points_mm[3 * CORNERS];
	struct grid grid = small_grid();
	struct mask_contour contour = circle(points_mm, &grid, 0, 0, 10, 0);
	struct outline_set set = outlines_of(&contour, 1);

	(void)state;
	assert_int_equal(set.count, 1);
	assert_true(set.outlines[0].area_mm2 > 0);
	outline_set_free(&set);
}

/* Two pixels that touch at a corner, and pixels of exactly one half. */
static void awkward_pixels(void **state)
{
	struct grid grid = small_grid();
	struct mask mask = MASK_INIT;
	struct outline_set set;
	struct status st = STATUS_INIT;
	float *slice;

	(void)state;
	assert_ok(mask_new(&mask, &grid, &st), &st);
	assert_ok(outline_trace(&set, &mask, &st), &st);
	assert_int_equal(set.count, 0);
	outline_set_free(&set);
	slice = mask.coverage + (size_t)grid.columns * (size_t)grid.rows;
	slice[10 * grid.columns + 10] = 1;
	slice[11 * grid.columns + 11] = 1;
	mask_update_bounds(&mask);
	assert_ok(outline_trace(&set, &mask, &st), &st);
	assert_int_equal(set.count, 1); /* the middle is exactly one half: joined */
	outline_set_free(&set);
	slice[11 * grid.columns + 11] = 0.9F;
	assert_ok(outline_trace(&set, &mask, &st), &st);
	assert_int_equal(set.count, 2);
	outline_set_free(&set);
	slice[11 * grid.columns + 11] = 0.5F;
	slice[10 * grid.columns + 10] = 0.5F;
	assert_ok(outline_trace(&set, &mask, &st), &st);
	assert_int_equal(set.count, 0); /* points without area */
	outline_set_free(&set);
	mask_free(&mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(outline_of_a_circle),
	    cmocka_unit_test(a_hole_has_negative_area_and_order_is_by_area),
	    cmocka_unit_test(outlines_close_at_the_edge_of_the_grid),
	    cmocka_unit_test(awkward_pixels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
