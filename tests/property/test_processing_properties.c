/* What must hold for any contours and any volumes, on random ones with a fixed seed. */
#include "check.h"

#include <stdlib.h>

#include "mask.h"
#include "outline.h"
#include "resample.h"

enum { CORNERS = 24, ROUNDS = 60 };

static uint64_t random_state = 2026;

static double random_between(double low, double high)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return low + (high - low) * ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static struct grid random_grid(void)
{
	double angle = random_between(-0.6, 0.6), mm = random_between(0.8, 2.5);
	struct grid grid = {.columns = 50,
			    .rows = 45,
			    .slices = 6,
			    .origin_mm = {random_between(-90, 90), random_between(-90, 90), 7},
			    .column_step_mm = {mm, 0, 0},
			    .row_step_mm = {0, mm * cos(angle), mm * sin(angle)},
			    .slice_step_mm = {0, -4 * sin(angle), 4 * cos(angle)},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

/* A star-shaped outline inside the grid, in voxels; area in pixels. */
struct star {
	double x[CORNERS], y[CORNERS];
};

static struct star random_star(double column, double row, double most)
{
	struct star star;

	for (int i = 0; i < CORNERS; i++) {
		double radius = random_between(0.3 * most, most), angle = 2 * M_PI * i / CORNERS;

		star.x[i] = column + radius * cos(angle);
		star.y[i] = row + radius * sin(angle);
	}
	return star;
}

static double star_area(const struct star *star)
{
	double twice = 0;

	for (int i = 0; i < CORNERS; i++) {
		int next = (i + 1) % CORNERS;

		twice += star->x[i] * star->y[next] - star->x[next] * star->y[i];
	}
	return fabs(twice) / 2;
}

static struct mask_contour contour_of(double *points_mm, const struct grid *grid,
				      const struct star *star, int slice, int turn, bool backwards)
{
	for (int i = 0; i < CORNERS; i++) {
		int from = ((backwards ? CORNERS - i : i) + turn) % CORNERS;
		double voxel[3] = {star->x[from], star->y[from], slice};

		grid_to_patient(grid, voxel, points_mm + (ptrdiff_t)3 * i);
	}
	return (struct mask_contour){points_mm, CORNERS};
}

static struct mask mask_of(const struct grid *grid, const struct mask_contour *contours, int n)
{
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;

	assert_ok(mask_from_contours(&mask, grid, contours, n, NULL, &st), &st);
	return mask;
}

static void volume_is_the_area_of_the_polygon(void **state)
{
	double points_mm[3 * CORNERS];

	(void)state;
	for (int t = 0; t < ROUNDS; t++) {
		struct grid grid = random_grid();
		struct star star = random_star(25, 22, 18);
		struct mask_contour contour = contour_of(points_mm, &grid, &star, 2, 0, false);
		struct mask mask = mask_of(&grid, &contour, 1);

		assert_close(mask_volume_ml(&mask), star_area(&star) * grid_voxel_volume_ml(&grid),
			     0, 1e-5);
		mask_free(&mask);
	}
}

/* Where a contour starts and which way it runs does not matter, nor does the order of contours. */
static void drawing_order_does_not_matter(void **state)
{
	double a_mm[3 * CORNERS], b_mm[3 * CORNERS], c_mm[3 * CORNERS], d_mm[3 * CORNERS];

	(void)state;
	for (int t = 0; t < ROUNDS; t++) {
		struct grid grid = random_grid();
		struct star p = random_star(22, 22, 16), q = random_star(30, 24, 13);
		struct mask_contour one[2] = {contour_of(a_mm, &grid, &p, 2, 0, false),
					      contour_of(b_mm, &grid, &q, 2, 0, false)};
		struct mask_contour two[2] = {contour_of(c_mm, &grid, &q, 2, 7, true),
					      contour_of(d_mm, &grid, &p, 2, 5, t % 2 == 0)};
		struct mask first = mask_of(&grid, one, 2), second = mask_of(&grid, two, 2);

		for (size_t i = 0; i < grid_voxels(&grid); i++)
			assert_close((double)first.coverage[i], (double)second.coverage[i], 2e-6,
				     0);
		mask_free(&first);
		mask_free(&second);
	}
}

/* |A xor B| = |A \ B| + |B \ A| where both contours stand in one mask; shares of single pixels that
 * both outlines cross are only bounded, so the sum has a tolerance of the outlines' length. */
static void exclusive_or_and_differences(void **state)
{
	double a_mm[3 * CORNERS], b_mm[3 * CORNERS];

	(void)state;
	for (int t = 0; t < ROUNDS; t++) {
		struct grid grid = random_grid();
		struct star p = random_star(22, 22, 16), q = random_star(30, 24, 13);
		struct mask_contour both[2] = {contour_of(a_mm, &grid, &p, 2, 0, false),
					       contour_of(b_mm, &grid, &q, 2, 0, false)};
		struct mask a = mask_of(&grid, &both[0], 1), b = mask_of(&grid, &both[1], 1);
		struct mask either = mask_of(&grid, both, 2);
		double volume_a = mask_volume_ml(&a), overlap = mask_overlap_ml(&a, &b);
		double pixel = grid_voxel_volume_ml(&grid);
		struct status st = STATUS_INIT;

		assert_true(overlap <= fmin(volume_a, mask_volume_ml(&b)) + 1e-9);
		assert_close(mask_volume_ml(&either), volume_a + mask_volume_ml(&b) - 2 * overlap,
			     20 * pixel, 0);
		assert_ok(mask_subtract(&a, &b, &st), &st);
		assert_close(mask_volume_ml(&a), volume_a - overlap, 1e-9, 1e-6);
		mask_free(&a);
		mask_free(&b);
		mask_free(&either);
	}
}

static void bounds_hold_every_covered_voxel(void **state)
{
	double points_mm[3 * CORNERS];

	(void)state;
	for (int t = 0; t < ROUNDS; t++) {
		struct grid grid = random_grid();
		struct star star = random_star(random_between(-5, 55), random_between(5, 40), 18);
		struct mask_contour contour = contour_of(points_mm, &grid, &star, t % 6, 0, false);
		struct mask mask = mask_of(&grid, &contour, 1);

		for (size_t i = 0; i < grid_voxels(&grid); i++) {
			int at[3] = {(int)(i % 50), (int)(i / 50 % 45), (int)(i / 50 / 45)};
			bool inside = true;

			for (int a = 0; a < 3; a++)
				inside = inside && at[a] >= mask.first[a] && at[a] <= mask.last[a];
			assert_true(inside || mask.coverage[i] <= 0);
		}
		mask_free(&mask);
	}
}

/* The outlines enclose what the mask holds, holes taken off. */
static void outlines_enclose_the_volume(void **state)
{
	double a_mm[3 * CORNERS], b_mm[3 * CORNERS];

	(void)state;
	for (int t = 0; t < ROUNDS; t++) {
		struct grid grid = random_grid();
		struct star p = random_star(25, 22, 19), q = random_star(25, 22, 5);
		struct mask_contour ring[2] = {contour_of(a_mm, &grid, &p, 2, 0, false),
					       contour_of(b_mm, &grid, &q, 2, 0, false)};
		struct mask mask = mask_of(&grid, ring, 2);
		struct status st = STATUS_INIT;
		struct outline_set set;
		double ml = 0;

		assert_ok(outline_trace(&set, &mask, &st), &st);
		for (int o = 0; o < set.count; o++)
			ml += set.outlines[o].area_mm2 * grid_spacing_mm(&grid, 2) / 1000;
		assert_close(ml, mask_volume_ml(&mask), 0, 0.06);
		outline_set_free(&set);
		mask_free(&mask);
	}
}

/* Values between two measured voxels lie between them; a constant stays itself. */
static void resampling_invents_nothing(void **state)
{
	(void)state;
	for (int t = 0; t < 12; t++) {
		struct grid from_grid = random_grid(), to = from_grid;
		struct volume from = VOLUME_INIT, out = VOLUME_INIT;
		struct status st = STATUS_INIT;
		size_t measured = 0;

		for (int a = 0; a < 3; a++)
			to.origin_mm[a] += random_between(-6, 6);
		to.column_step_mm[0] *= random_between(0.4, 2);
		assert_ok(volume_new(&from, &from_grid, 3.25F, &st), &st);
		for (size_t i = 0; t % 2 == 0 && i < grid_voxels(&from_grid); i++)
			from.samples[i] =
			    random_between(0, 1) < 0.1 ? NAN : (float)random_between(3, 4);
		assert_ok(resample_trilinear(&out, &to, &from, NULL, 2, &st), &st);
		for (size_t i = 0; i < grid_voxels(&to); i++) {
			if (isnan(out.samples[i]))
				continue;
			measured++;
			assert_true(out.samples[i] >= 2.999999F && out.samples[i] <= 4.000001F);
			if (t % 2 == 1)
				assert_close((double)out.samples[i], 3.25, 1e-6, 0);
		}
		assert_true(measured > 0);
		volume_free(&from);
		volume_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(volume_is_the_area_of_the_polygon),
	    cmocka_unit_test(drawing_order_does_not_matter),
	    cmocka_unit_test(exclusive_or_and_differences),
	    cmocka_unit_test(bounds_hold_every_covered_voxel),
	    cmocka_unit_test(outlines_enclose_the_volume),
	    cmocka_unit_test(resampling_invents_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
