/* The low part of a VOI, its largest connected piece, and masks grown by a distance. */
#include "check.h"
#include "mask_piece.h"

#include <stdlib.h>

static struct grid make_grid(void)
{
	struct grid grid = {.columns = 40, .rows = 36, .slices = 30, .origin_mm = {-7, 3, 11}};
	grid.column_step_mm[0] = 2;
	grid.row_step_mm[1] = 2;
	grid.slice_step_mm[2] = 2; /* 0.008 mL */
	strcpy(grid.frame_of_reference, "1.2.3");
	return grid;
}

static size_t at(const struct grid *grid, int i, int j, int k)
{
	return (size_t)((k * grid->rows + j) * grid->columns + i);
}

static const double RADIUS = 12; /* of the tumour, voxels */

static double from_centre(int i, int j, int k)
{
	return sqrt((i - 19.5) * (i - 19.5) + (j - 17.5) * (j - 17.5) + (k - 14.5) * (k - 14.5));
}

static struct mask make_ball(const struct grid *grid)
{
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;
	assert_ok(mask_new(&mask, grid, &st), &st);
	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j++) {
			for (int i = 0; i < grid->columns; i++)
				mask.coverage[at(grid, i, j, k)] =
				    from_centre(i, j, k) <= RADIUS ? 1 : 0;
		}
	}
	mask_update_bounds(&mask);
	return mask;
}

/* Patient 4 of the source paper: a tumour with a good mean dose whose dorsal (high rows) part got
 * nothing. The volume of the cap is that of a sphere's. */
static void an_untreated_cap_is_one_piece_of_its_volume(void **state)
{
	(void)state;
	struct grid grid = make_grid();
	struct mask tumour = make_ball(&grid), low, piece;
	struct volume dose;
	struct status st = STATUS_INIT;
	assert_ok(volume_new(&dose, &grid, 130, &st), &st);
	double cap_from = 24; /* rows: plane at 23.5 is 6 voxels dorsal of the centre */
	for (int k = 0; k < grid.slices; k++) {
		for (int j = (int)cap_from; j < grid.rows; j++) {
			for (int i = 0; i < grid.columns; i++)
				dose.samples[at(&grid, i, j, k)] = 10;
		}
	}
	assert_ok(mask_below(&low, &tumour, &dose, 60, &st), &st);
	assert_ok(mask_largest_piece(&piece, &low, &st), &st);
	double height = RADIUS - 6;
	double cap_ml = M_PI * height * height * (RADIUS - height / 3) * 0.008;
	assert_close(mask_volume_ml(&low), cap_ml, 0, 0.03); /* of voxels, not of a sphere */
	assert_close(mask_volume_ml(&piece), mask_volume_ml(&low), 1e-9, 0);
	assert_int_equal(piece.first[1], 24);
	assert_int_equal(piece.last[1], 29);
	mask_free(&low);
	mask_free(&piece);

	/* the same volume in single voxels that do not touch is no piece */
	size_t wanted = (size_t)(cap_ml / 0.008), made = 0;
	for (size_t v = 0; v < grid_voxels(&grid); v++)
		dose.samples[v] = 130;
	for (int k = 0; k < grid.slices; k++) {
		for (int j = 0; j < grid.rows; j++) {
			for (int i = 0; i < grid.columns; i++) {
				size_t v = at(&grid, i, j, k);
				if (tumour.coverage[v] > 0 && (i + j + k) % 2 == 0 &&
				    made < wanted) {
					dose.samples[v] = 10;
					made++;
				}
			}
		}
	}
	assert_ok(mask_below(&low, &tumour, &dose, 60, &st), &st);
	assert_ok(mask_largest_piece(&piece, &low, &st), &st);
	assert_close(mask_volume_ml(&low), cap_ml, 0, 0.01);
	assert_close(mask_volume_ml(&piece), 0.008, 1e-9, 0);
	mask_free(&low);
	mask_free(&piece);
	mask_free(&tumour);
	volume_free(&dose);
}

static void what_is_not_measured_is_not_low(void **state)
{
	(void)state;
	struct grid grid = make_grid();
	struct mask tumour = make_ball(&grid), low, piece;
	struct volume dose;
	struct status st = STATUS_INIT;
	assert_ok(volume_new(&dose, &grid, NAN, &st), &st);
	assert_ok(mask_below(&low, &tumour, &dose, 60, &st), &st);
	assert_close(mask_volume_ml(&low), 0, 0, 0);
	assert_true(low.last[0] < low.first[0]);
	assert_ok(mask_largest_piece(&piece, &low, &st), &st);
	assert_true(piece.last[2] < piece.first[2]);
	mask_free(&piece);
	mask_free(&low);

	/* at the limit is not below it; coverage stays that of the tumour */
	size_t rim = at(&grid, 19, 17, 14);
	tumour.coverage[rim] = 0.25F;
	dose.samples[rim] = 59;
	dose.samples[rim + 1] = 60;
	assert_ok(mask_below(&low, &tumour, &dose, 60, &st), &st);
	assert_close(mask_volume_ml(&low), 0.25 * 0.008, 1e-9, 0);
	struct grid other = grid;
	other.origin_mm[0] += 1;
	struct mask untouched = MASK_INIT, elsewhere = tumour;
	elsewhere.grid = other;
	assert_int_equal(mask_below(&untouched, &elsewhere, &dose, 60, &st), STATUS_BUG);
	assert_null(untouched.coverage);
	mask_free(&low);
	mask_free(&tumour);
	volume_free(&dose);
}

static void pieces_meet_over_faces_and_count_with_coverage(void **state)
{
	(void)state;
	struct grid grid = make_grid();
	struct mask mask = MASK_INIT, piece;
	struct status st = STATUS_INIT;
	assert_ok(mask_new(&mask, &grid, &st), &st);
	/* three voxels of a fifth; two whole ones; the two groups meet over an edge only */
	mask.coverage[at(&grid, 3, 3, 3)] = 0.2F;
	mask.coverage[at(&grid, 4, 3, 3)] = 0.2F;
	mask.coverage[at(&grid, 5, 3, 3)] = 0.2F;
	mask.coverage[at(&grid, 6, 4, 3)] = 1;
	mask.coverage[at(&grid, 6, 4, 4)] = 1;
	mask_update_bounds(&mask);
	assert_ok(mask_largest_piece(&piece, &mask, &st), &st);
	assert_close(mask_volume_ml(&piece), 2 * 0.008, 1e-9, 0);
	assert_int_equal(piece.first[0], 6);
	assert_int_equal(piece.last[2], 4);
	mask_free(&piece);

	/* equal ones: the first in storage order */
	mask.coverage[at(&grid, 6, 4, 4)] = 0;
	mask.coverage[at(&grid, 20, 4, 3)] = 1;
	mask_update_bounds(&mask);
	assert_ok(mask_largest_piece(&piece, &mask, &st), &st);
	assert_int_equal(piece.first[0], 6);
	assert_int_equal(piece.last[0], 6);
	mask_free(&piece);
	mask_free(&mask);
}

/* A mask that reaches the edges of its grid, with low voxels anywhere: the volumes are those of the
 * two masks. */
static void volumes_without_masks_are_those_of_the_masks(void **state)
{
	(void)state;
	struct grid grid = make_grid();
	struct mask mask = MASK_INIT, low, piece;
	struct volume dose;
	struct status st = STATUS_INIT;
	unsigned random = 7;
	assert_ok(mask_new(&mask, &grid, &st), &st);
	assert_ok(volume_new(&dose, &grid, 0, &st), &st);
	for (size_t v = 0; v < grid_voxels(&grid); v++) {
		random = random * 1664525u + 1013904223u;
		mask.coverage[v] = (float)(random >> 30) / 3;
		dose.samples[v] = random % 11 == 0 ? NAN : (float)(random >> 8 & 0xff);
	}
	mask_update_bounds(&mask);
	for (double limit = -1; limit < 300; limit += 30) {
		double volume_ml = NAN, piece_ml = NAN;
		assert_ok(mask_below(&low, &mask, &dose, limit, &st), &st);
		assert_ok(mask_largest_piece(&piece, &low, &st), &st);
		assert_ok(mask_below_volumes(&volume_ml, &piece_ml, &mask, &dose, limit, &st), &st);
		assert_close(volume_ml, mask_volume_ml(&low), 1e-9, 0);
		assert_close(piece_ml, mask_volume_ml(&piece), 1e-9, 0);
		assert_true(limit < 0 ? volume_ml == 0 : piece_ml > 0);
		mask_free(&low);
		mask_free(&piece);
	}
	double unchanged = 5;
	mask.grid.origin_mm[0] += 1;
	assert_int_equal(mask_below_volumes(&unchanged, &unchanged, &mask, &dose, 60, &st),
			 STATUS_BUG);
	assert_close(unchanged, 5, 0, 0);
	mask_free(&mask);
	volume_free(&dose);
}

/* Every voxel within the distance and no other, on steps of different size, turned slices too. */
static void growing_takes_every_centre_within_the_distance(void **state)
{
	(void)state;
	struct grid grid = make_grid();
	grid.column_step_mm[0] = 1.5;
	grid.row_step_mm[1] = 1.25;
	grid.slice_step_mm[1] = 1; /* slices not stacked along their normal */
	grid.slice_step_mm[2] = 4;
	struct mask mask = MASK_INIT, grown;
	struct status st = STATUS_INIT;
	assert_ok(mask_new(&mask, &grid, &st), &st);
	const int seeds[3][3] = {{10, 10, 10}, {11, 10, 10}, {39, 2, 29}}; /* one in a corner */
	for (int s = 0; s < 3; s++)
		mask.coverage[at(&grid, seeds[s][0], seeds[s][1], seeds[s][2])] = 0.1F;
	mask_update_bounds(&mask);
	assert_ok(mask_grow(&grown, &mask, 6, &st), &st);
	for (int k = 0; k < grid.slices; k++) {
		for (int j = 0; j < grid.rows; j++) {
			for (int i = 0; i < grid.columns; i++) {
				double nearest = INFINITY;
				for (int s = 0; s < 3; s++) {
					double x = 1.5 * (i - seeds[s][0]);
					double z = k - seeds[s][2];
					double y = 1.25 * (j - seeds[s][1]) + z;
					nearest = fmin(nearest, sqrt(x * x + y * y + 16 * z * z));
				}
				double expected = nearest <= 6 + 1e-9 ? 1 : 0;
				if ((double)grown.coverage[at(&grid, i, j, k)] != expected)
					fail_msg("voxel %d %d %d, %g mm away", i, j, k, nearest);
			}
		}
	}
	assert_int_equal(grown.last[0], 39);
	mask_free(&grown);
	assert_ok(mask_grow(&grown, &mask, 0, &st), &st);
	assert_close(mask_volume_ml(&grown), 3 * grid_voxel_volume_ml(&grid), 1e-9, 0);
	mask_free(&grown);
	assert_int_equal(mask_grow(&grown, &mask, NAN, &st), STATUS_BUG);
	mask_free(&mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_untreated_cap_is_one_piece_of_its_volume),
	    cmocka_unit_test(what_is_not_measured_is_not_low),
	    cmocka_unit_test(pieces_meet_over_faces_and_count_with_coverage),
	    cmocka_unit_test(volumes_without_masks_are_those_of_the_masks),
	    cmocka_unit_test(growing_takes_every_centre_within_the_distance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
