#include "check.h"

#include <stdlib.h>

#include "mask.h"

enum { MOST_POINTS = 2000 };

/* 64 x 64 x 12, 1.5 x 1.5 x 5 mm, somewhere in the patient. */
static struct grid axial_grid(void)
{
	struct grid grid = {.columns = 64,
			    .rows = 64,
			    .slices = 12,
			    .origin_mm = {-47.3, -40.1, 12.7},
			    .column_step_mm = {1.5, 0, 0},
			    .row_step_mm = {0, 1.5, 0},
			    .slice_step_mm = {0, 0, 5},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

static struct grid turned_grid(double degrees)
{
	struct grid grid = axial_grid();
	double c = cos(degrees * M_PI / 180), s = sin(degrees * M_PI / 180);

	grid.row_step_mm[1] = 1.5 * c;
	grid.row_step_mm[2] = 1.5 * s;
	grid.slice_step_mm[1] = -5 * s;
	grid.slice_step_mm[2] = 5 * c;
	return grid;
}

struct shape {
	double points_mm[3 * MOST_POINTS];
	int points;
};

static void add_point(struct shape *shape, const struct grid *grid, double column, double row,
		      double slice)
{
	double voxel[3] = {column, row, slice};

	assert_true(shape->points < MOST_POINTS);
	grid_to_patient(grid, voxel, shape->points_mm + (ptrdiff_t)3 * shape->points++);
}

/* An n-gon around (column, row), radius in columns; n < 0 runs the other way. */
static void add_polygon(struct shape *shape, const struct grid *grid, double column, double row,
			double radius, double slice, int n, double phase)
{
	for (int i = 0; i <= abs(n); i++) /* the first point again at the end: keyholes need it */
		add_point(shape, grid, column + radius * cos(phase + 2 * M_PI * i / n),
			  row + radius * sin(phase + 2 * M_PI * i / n), slice);
}

static double polygon_area(double radius, int n)
{
	return 0.5 * abs(n) * radius * radius * sin(2 * M_PI / abs(n));
}

static struct mask_contour contour_of(const struct shape *shape)
{
	return (struct mask_contour){shape->points_mm, shape->points};
}

/* Volume of the mask of some shapes in pixels of one slice. */
static double rasterised_pixels(const struct grid *grid, const struct mask_contour *contours, int n)
{
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	double ml;

	assert_ok(mask_from_contours(&mask, grid, contours, n, NULL, &st), &st);
	for (size_t i = 0; i < grid_voxels(grid); i++)
		assert_true(mask.coverage[i] >= 0 && mask.coverage[i] <= 1);
	ml = mask_volume_ml(&mask);
	mask_free(&mask);
	return ml / grid_voxel_volume_ml(grid);
}

static void area_of_a_polygon_is_exact(void **state)
{
	struct grid grids[2] = {axial_grid(), turned_grid(25)};

	(void)state;
	for (int g = 0; g < 2; g++) {
		static const int corners[] = {3, 4, -4, 5, 17, -360};

		for (size_t c = 0; c < sizeof corners / sizeof corners[0]; c++) {
			for (int t = 0; t < 20; t++) {
				struct shape shape = {.points = 0};
				struct mask_contour contour;
				double radius = 2 + 0.37 * t;

				add_polygon(&shape, &grids[g], 30 + 0.173 * t, 31 - 0.317 * t,
					    radius, 4, corners[c], 0.3 * t);
				contour = contour_of(&shape);
				assert_close(rasterised_pixels(&grids[g], &contour, 1),
					     polygon_area(radius, corners[c]), 0, 1e-5);
			}
		}
	}
}

/* The volume bar of the design: 0.2 % for a circle of 8 mm radius on 1.5 mm pixels. */
static void circle_of_8_mm(void **state)
{
	struct grid grid = axial_grid();
	struct shape shape = {.points = 0};
	struct mask_contour contour;

	(void)state;
	add_polygon(&shape, &grid, 30.2, 29.7, 8 / 1.5, 4, 360, 0);
	contour = contour_of(&shape);
	assert_close(rasterised_pixels(&grid, &contour, 1) * 1.5 * 1.5, M_PI * 64, 0, 0.002);
}

/* Coverage of each pixel, not only their sum: an upright rectangle and a half plane at 45 degrees.
 */
static void single_pixels_are_exact(void **state)
{
	struct grid grid = axial_grid();
	struct shape box = {.points = 0}, wedge = {.points = 0};
	struct mask_contour contour;
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	size_t row = (size_t)grid.columns, slice = row * (size_t)grid.rows;

	(void)state;
	add_point(&box, &grid, 9.75, 19.6, 3);
	add_point(&box, &grid, 14.5, 19.6, 3);
	add_point(&box, &grid, 14.5, 22.1, 3);
	add_point(&box, &grid, 9.75, 22.1, 3);
	contour = contour_of(&box);
	assert_ok(mask_from_contours(&mask, &grid, &contour, 1, NULL, &st), &st);
	assert_close((double)mask.coverage[3 * slice + 20 * row + 9], 0, 0, 0);
	assert_close((double)mask.coverage[3 * slice + 21 * row + 10], 0.75, 1e-6, 0);
	assert_close((double)mask.coverage[3 * slice + 21 * row + 11], 1, 0, 0);
	assert_close((double)mask.coverage[3 * slice + 20 * row + 15], 0, 0, 0);
	assert_close((double)mask.coverage[3 * slice + 22 * row + 12], 0.6, 1e-6, 0);
	assert_close((double)mask.coverage[3 * slice + 22 * row + 10], 0.45, 1e-6, 0);
	assert_close((double)mask.coverage[3 * slice + 20 * row + 12], 0.9, 1e-6, 0);
	assert_int_equal(mask.first[0], 10);
	assert_int_equal(mask.last[0], 14);
	assert_int_equal(mask.first[1], 20);
	assert_int_equal(mask.last[1], 22);
	assert_int_equal(mask.first[2], 3);
	assert_int_equal(mask.last[2], 3);
	mask_free(&mask);

	add_point(&wedge, &grid, 5.5, 5.5, 3);
	add_point(&wedge, &grid, 15.5, 5.5, 3);
	add_point(&wedge, &grid, 15.5, 15.5, 3);
	contour = contour_of(&wedge);
	assert_ok(mask_from_contours(&mask, &grid, &contour, 1, NULL, &st), &st);
	assert_close((double)mask.coverage[3 * slice + 10 * row + 10], 0.5, 1e-6, 0);
	assert_close((double)mask.coverage[3 * slice + 10 * row + 9], 0, 1e-6, 0);
	assert_close((double)mask.coverage[3 * slice + 10 * row + 11], 1, 1e-6, 0);
	mask_free(&mask);
}

/* A ring three ways: a contour in a contour (either direction), and one keyhole outline. */
static void ring_hole_and_keyhole(void **state)
{
	struct grid grid = axial_grid();
	double expected = polygon_area(15, 200) - polygon_area(7, 200);

	(void)state;
	for (int direction = -1; direction <= 1; direction += 2) {
		struct shape outer = {.points = 0}, inner = {.points = 0}, keyhole = {.points = 0};
		struct mask_contour ring[2], one;

		add_polygon(&outer, &grid, 30.3, 30.1, 15, 6, 200, 0);
		add_polygon(&inner, &grid, 30.3, 30.1, 7, 6, 200 * direction, 0);
		ring[0] = contour_of(&outer);
		ring[1] = contour_of(&inner);
		assert_close(rasterised_pixels(&grid, ring, 2), expected, 0, 1e-5);
		add_polygon(&keyhole, &grid, 30.3, 30.1, 15, 6, 200, 0);
		add_polygon(&keyhole, &grid, 30.3, 30.1, 7, 6, -200, 0);
		one = contour_of(&keyhole);
		assert_close(rasterised_pixels(&grid, &one, 1), expected, 0, 1e-5);
	}
}

/* Two squares that overlap in a quarter: exclusive or. A bow tie crosses itself. */
static void crossing_contours_are_exclusive_or(void **state)
{
	struct grid grid = axial_grid();
	struct shape a = {.points = 0}, b = {.points = 0}, tie = {.points = 0};
	struct mask_contour both[2], one;

	(void)state;
	add_polygon(&a, &grid, 20, 20, 8, 2, 4, M_PI / 4);
	add_polygon(&b, &grid, 20 + 8 / M_SQRT2, 20 + 8 / M_SQRT2, 8, 2, 4, M_PI / 4);
	both[0] = contour_of(&a);
	both[1] = contour_of(&b);
	assert_close(rasterised_pixels(&grid, both, 2), 2 * 128 - 2 * 32, 0, 1e-4);
	add_point(&tie, &grid, 10.2, 10.1, 2);
	add_point(&tie, &grid, 30.2, 30.1, 2);
	add_point(&tie, &grid, 30.2, 10.1, 2);
	add_point(&tie, &grid, 10.2, 30.1, 2);
	one = contour_of(&tie);
	assert_close(rasterised_pixels(&grid, &one, 1), 200, 0, 1e-4);
}

static void contours_are_clipped_in_plane(void **state)
{
	struct grid grid = axial_grid();
	struct shape corner = {.points = 0}, away = {.points = 0};
	struct mask_contour contour;
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;

	(void)state;
	add_polygon(&corner, &grid, -0.5, -0.5, 10, 2, 4, 0);
	contour = contour_of(&corner);
	assert_close(rasterised_pixels(&grid, &contour, 1), 50, 0, 1e-5);
	corner.points = 0;
	add_polygon(&corner, &grid, 63.5, 63.5, 10, 2, 4, 0);
	contour = contour_of(&corner);
	assert_close(rasterised_pixels(&grid, &contour, 1), 50, 0, 1e-5);
	add_polygon(&away, &grid, 200, 30, 10, 2, 4, 0);
	contour = contour_of(&away);
	assert_int_equal(mask_from_contours(&mask, &grid, &contour, 1, NULL, &st), STATUS_REFUSE);
	assert_null(mask.coverage);
}

static int refusal(const struct grid *grid, const struct mask_contour *contours, int n,
		   const char *word)
{
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	enum status_code code = mask_from_contours(&mask, grid, contours, n, NULL, &st);

	assert_null(mask.coverage);
	assert_non_null(strstr(st.text, word));
	return (int)code;
}

static void contours_belong_to_the_nearest_slice(void **state)
{
	struct grid grid = axial_grid();
	struct shape low = {.points = 0}, high = {.points = 0}, tilted = {.points = 0},
		     line = {.points = 0};
	struct mask_contour pair[2];
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;

	(void)state;
	add_polygon(&low, &grid, 20, 20, 5, -0.45, 40, 0);
	add_polygon(&high, &grid, 20, 20, 5, 7.4, 40, 0);
	pair[0] = contour_of(&low);
	pair[1] = contour_of(&high);
	assert_ok(mask_from_contours(&mask, &grid, pair, 2, NULL, &st), &st);
	assert_int_equal(mask.first[2], 0);
	assert_int_equal(mask.last[2], 7);
	assert_close(mask_volume_ml(&mask), 2 * polygon_area(5, 40) * grid_voxel_volume_ml(&grid),
		     0, 1e-5); /* a gap of six slices stays empty */
	mask_free(&mask);

	high.points = 0;
	add_polygon(&high, &grid, 20, 20, 5, 11.7, 40, 0);
	pair[1] = contour_of(&high);
	assert_int_equal(refusal(&grid, pair, 2, "contour 2"), STATUS_REFUSE);
	add_point(&tilted, &grid, 20, 20, 5);
	add_point(&tilted, &grid, 30, 20, 5);
	add_point(&tilted, &grid, 30, 30, 6);
	pair[1] = contour_of(&tilted);
	assert_int_equal(refusal(&grid, pair, 2, "contour 2"), STATUS_REFUSE);
	add_point(&line, &grid, 20, 20, 5);
	add_point(&line, &grid, 25, 20, 5);
	pair[0] = contour_of(&line);
	assert_int_equal(refusal(&grid, pair, 1, "three points"), STATUS_REFUSE);
	assert_int_equal(refusal(&grid, pair, 0, "three points"), STATUS_REFUSE);
}

/* A cone drawn on every second slice: the slices between must have the radius between. */
static void gaps_are_interpolated(void **state)
{
	struct grid grid = axial_grid();
	static struct shape shapes[4];
	struct mask_contour contours[4];
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	static const int slices[] = {2, 4, 6, 10};
	size_t slice_size = (size_t)grid.columns * (size_t)grid.rows;
	int interpolated = -1;

	(void)state;
	for (int i = 0; i < 4; i++) {
		shapes[i].points = 0;
		add_polygon(&shapes[i], &grid, 31.2, 30.6, 6 + slices[i], slices[i], 300, 0);
		contours[i] = contour_of(&shapes[i]);
	}
	assert_ok(mask_from_contours(&mask, &grid, contours, 4, &interpolated, &st), &st);
	assert_int_equal(interpolated, 5);
	for (int k = 2; k <= 10; k++) {
		double pixels = 0;

		for (size_t i = 0; i < slice_size; i++)
			pixels += (double)mask.coverage[(size_t)k * slice_size + i];
		assert_close(pixels, M_PI * (6 + k) * (6 + k), 0, 0.005);
	}
	mask_free(&mask);
}

/* Contours drawn on slices a third as thick: averaged, not combined as exclusive or. */
/* Five slices apart: too far to interpolate, so left empty and counted. */
static void larger_gaps_are_counted(void **state)
{
	struct status st = STATUS_INIT;
	struct grid grid = axial_grid();
	static struct shape shapes[3];
	static const int slices[] = {1, 5, 10};
	struct mask_contour contours[3];
	struct mask mask = MASK_INIT;
	int interpolated = -1;

	(void)state;
	for (int i = 0; i < 3; i++) {
		shapes[i].points = 0;
		add_polygon(&shapes[i], &grid, 31.2, 30.6, 8, slices[i], 24, 0);
		contours[i] = contour_of(&shapes[i]);
	}
	assert_ok(mask_from_contours(&mask, &grid, contours, 3, &interpolated, &st), &st);
	assert_int_equal(interpolated, 3);	       /* from 1 to 5 */
	assert_int_equal(mask_empty_slices(&mask), 4); /* from 5 to 10 */
	mask_free(&mask);
}

static void thin_planes_are_averaged(void **state)
{
	struct grid grid = axial_grid();
	static struct shape shapes[6];
	struct mask_contour contours[6];

	(void)state;
	for (int i = 0; i < 6; i++) {
		shapes[i].points = 0;
		add_polygon(&shapes[i], &grid, 31.2, 30.6, 10, 4 + (i - 1) / 3.0, 100, 0);
		contours[i] = contour_of(&shapes[i]);
	}
	assert_close(rasterised_pixels(&grid, contours, 6), 2 * polygon_area(10, 100), 0, 1e-5);
}

static struct mask disc(const struct grid *grid, double column, double radius)
{
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	static struct shape shapes[12];
	struct mask_contour contours[12];
	int n = 0;

	for (int k = 3; k <= 8; k++, n++) {
		shapes[n].points = 0;
		add_polygon(&shapes[n], grid, column, 30.4, radius, k, 120, 0);
		contours[n] = contour_of(&shapes[n]);
	}
	assert_ok(mask_from_contours(&mask, grid, contours, n, NULL, &st), &st);
	return mask;
}

static void subtract_and_overlap(void **state)
{
	struct grid grid = axial_grid();
	struct mask liver = disc(&grid, 30.3, 20), tumour = disc(&grid, 34.1, 5);
	struct mask elsewhere = disc(&grid, 34.1, 5);
	struct status st = STATUS_INIT;
	double liver_ml = mask_volume_ml(&liver), tumour_ml = mask_volume_ml(&tumour);

	(void)state;
	assert_close(mask_overlap_ml(&liver, &tumour), tumour_ml, 0, 1e-6);
	assert_close(mask_overlap_ml(&tumour, &liver), tumour_ml, 0, 1e-6);
	assert_ok(mask_subtract(&liver, &tumour, &st), &st);
	assert_close(mask_volume_ml(&liver), liver_ml - tumour_ml, 0, 1e-6);
	elsewhere.grid.origin_mm[0] += 1;
	assert_int_equal(mask_subtract(&liver, &elsewhere, &st), STATUS_BUG);
	mask_free(&liver);
	mask_free(&tumour);
	mask_free(&elsewhere);
}

static void resampling_keeps_the_volume(void **state)
{
	struct grid fine = axial_grid(), coarse = axial_grid(), turned = turned_grid(20);
	struct mask mask = disc(&fine, 30.3, 12), seen = MASK_INIT;
	struct status st = STATUS_INIT;
	double ml = mask_volume_ml(&mask);
	const struct grid *to[3] = {&coarse, &turned, &fine};

	(void)state;
	coarse.columns = 40;
	coarse.column_step_mm[0] = 2.5;
	coarse.slices = 25;
	coarse.slice_step_mm[2] = 2.5;
	turned.origin_mm[2] -= 15;
	turned.slices = 18;
	for (int i = 0; i < 3; i++) {
		assert_ok(mask_resample(&seen, to[i], &mask, 3, &st), &st);
		assert_close(mask_volume_ml(&seen), ml, 0, i == 1 ? 0.002 : 1e-5);
		mask_free(&seen);
	}
	strcpy(coarse.frame_of_reference, "1.2.4");
	assert_int_equal(mask_resample(&seen, &coarse, &mask, 3, &st), STATUS_REFUSE);
	assert_null(seen.coverage);
	mask_free(&mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(area_of_a_polygon_is_exact),
	    cmocka_unit_test(circle_of_8_mm),
	    cmocka_unit_test(single_pixels_are_exact),
	    cmocka_unit_test(ring_hole_and_keyhole),
	    cmocka_unit_test(crossing_contours_are_exclusive_or),
	    cmocka_unit_test(contours_are_clipped_in_plane),
	    cmocka_unit_test(contours_belong_to_the_nearest_slice),
	    cmocka_unit_test(gaps_are_interpolated),
	    cmocka_unit_test(larger_gaps_are_counted),
	    cmocka_unit_test(thin_planes_are_averaged),
	    cmocka_unit_test(subtract_and_overlap),
	    cmocka_unit_test(resampling_keeps_the_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
