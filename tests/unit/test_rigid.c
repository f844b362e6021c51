#include "check.h"

#include "rigid.h"

#define DEGREES (M_PI / 180)

static void assert_point(const double m[RIGID_SIZE], double x, double y, double z, double to_x,
			 double to_y, double to_z)
{
	const double from_mm[3] = {x, y, z};
	double to_mm[3];

	rigid_apply(to_mm, m, from_mm);
	assert_close(to_mm[0], to_x, 1e-12, 1e-13);
	assert_close(to_mm[1], to_y, 1e-12, 1e-13);
	assert_close(to_mm[2], to_z, 1e-12, 1e-13);
}

static void quarter_turns_go_the_right_way(void **state)
{
	const double none[3] = {0, 0, 0};
	const double about[3][3] = {
	    {90 * DEGREES, 0, 0}, {0, 90 * DEGREES, 0}, {0, 0, 90 * DEGREES}};
	double m[RIGID_SIZE];

	(void)state;
	rigid_from_angles(m, about[0], none, none); /* right-handed: y to z */
	assert_point(m, 1, 2, 3, 1, -3, 2);
	rigid_from_angles(m, about[1], none, none); /* z to x */
	assert_point(m, 1, 2, 3, 3, 2, -1);
	rigid_from_angles(m, about[2], none, none); /* x to y */
	assert_point(m, 1, 2, 3, -2, 1, 3);
}

static void angles_turn_about_x_then_y_then_z(void **state)
{
	const double none[3] = {0, 0, 0}, all[3] = {90 * DEGREES, 90 * DEGREES, 90 * DEGREES};
	double m[RIGID_SIZE];

	(void)state;
	/* (1,2,3): about x (1,-3,2), about y (2,-3,-1), about z (3,2,-1) */
	rigid_from_angles(m, all, none, none);
	assert_point(m, 1, 2, 3, 3, 2, -1);
}

static void centre_only_shifts(void **state)
{
	const double angles[3] = {0.3, -0.2, 0.7}, shift_mm[3] = {4, -5, 6};
	const double centre_mm[3] = {-55, 20, 130};
	double m[RIGID_SIZE];

	(void)state;
	rigid_from_angles(m, angles, shift_mm, centre_mm);
	assert_point(m, -55, 20, 130, -51, 15, 136);
	assert_true(rigid_is_valid(m, 1e-12));
}

static void inverse_undoes(void **state)
{
	const double angles[3] = {0.3, -0.2, 0.7}, shift_mm[3] = {4, -5, 6};
	const double centre_mm[3] = {-55, 20, 130};
	double m[RIGID_SIZE], inverse[RIGID_SIZE], both[RIGID_SIZE], identity[RIGID_SIZE];

	(void)state;
	rigid_identity(identity);
	rigid_from_angles(m, angles, shift_mm, centre_mm);
	rigid_invert(inverse, m);
	assert_point(inverse, -51, 15, 136, -55, 20, 130);
	rigid_compose(both, inverse, m);
	for (int i = 0; i < RIGID_SIZE; i++)
		assert_close(both[i], identity[i], 1e-12, 0);
	rigid_invert(m, m); /* in place */
	assert_memory_equal(m, inverse, sizeof m);
}

static void composition_is_first_a_then_b(void **state)
{
	const double none[3] = {0, 0, 0}, quarter[3] = {0, 0, 90 * DEGREES};
	const double shift_mm[3] = {10, 0, 0};
	double a[RIGID_SIZE], b[RIGID_SIZE], both[RIGID_SIZE];

	(void)state;
	rigid_from_angles(a, none, shift_mm, none);
	rigid_from_angles(b, quarter, none, none);
	rigid_compose(both, b, a); /* shift, then turn */
	assert_point(both, 1, 2, 3, -2, 11, 3);
	rigid_compose(both, a, b); /* turn, then shift */
	assert_point(both, 1, 2, 3, 8, 1, 3);
	rigid_compose(a, b, a); /* in place */
	assert_point(a, 1, 2, 3, -2, 11, 3);
}

static void angle_is_that_of_the_rotation(void **state)
{
	const double none[3] = {0, 0, 0}, far_mm[3] = {300, -200, 100};
	const double degrees[] = {1e-6, 0.01, 3, 90, 179, 180};
	double m[RIGID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof degrees / sizeof *degrees; i++) {
		const double angles[3] = {0, degrees[i] * DEGREES, 0};

		rigid_from_angles(m, angles, none, far_mm);
		assert_close(rigid_angle_deg(m), degrees[i], 1e-12, 1e-7);
	}
}

static void only_rotations_are_valid(void **state)
{
	double m[RIGID_SIZE];

	(void)state;
	rigid_identity(m);
	assert_true(rigid_is_valid(m, 1e-9));
	m[0] = -1; /* a mirror */
	assert_false(rigid_is_valid(m, 1e-3));
	m[0] = 1.01; /* a scale */
	assert_false(rigid_is_valid(m, 1e-3));
	rigid_identity(m);
	m[1] = 0.01; /* a shear */
	assert_false(rigid_is_valid(m, 1e-3));
	rigid_identity(m);
	m[3] = NAN;
	assert_false(rigid_is_valid(m, 1e-3));
}

static struct grid oblique_grid(void)
{
	struct grid grid = {.columns = 11,
			    .rows = 21,
			    .slices = 5,
			    .origin_mm = {-10, 20, -30},
			    .column_step_mm = {0, 1.5, 0},
			    .row_step_mm = {0, 0, -1.5},
			    .slice_step_mm = {5, 0, 0},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

static void moved_grid_has_its_voxels_at_moved_points(void **state)
{
	const double angles[3] = {0.3, -0.2, 0.7}, shift_mm[3] = {4, -5, 6};
	const double centre_mm[3] = {-55, 20, 130}, voxel[3] = {7, 3, 2.5};
	struct grid grid = oblique_grid(), moved;
	double m[RIGID_SIZE], point_mm[3], expected_mm[3];

	(void)state;
	rigid_from_angles(m, angles, shift_mm, centre_mm);
	rigid_move_grid(&moved, &grid, m, "4.5.6");
	assert_string_equal(moved.frame_of_reference, "4.5.6");
	grid_to_patient(&grid, voxel, expected_mm);
	rigid_apply(expected_mm, m, expected_mm);
	grid_to_patient(&moved, voxel, point_mm);
	for (int a = 0; a < 3; a++)
		assert_close(point_mm[a], expected_mm[a], 1e-11, 0);
	assert_close(grid_voxel_volume_ml(&moved), grid_voxel_volume_ml(&grid), 0, 1e-12);
}

static void largest_shift_is_at_a_corner(void **state)
{
	const double none[3] = {0, 0, 0}, half[3] = {180 * DEGREES, 0, 0}, shift_mm[3] = {3, 4, 12};
	struct grid grid = oblique_grid();
	double m[RIGID_SIZE];

	(void)state;
	rigid_from_angles(m, none, shift_mm, none);
	assert_close(rigid_largest_shift_mm(m, &grid), 13, 1e-12, 0);
	/* half a turn about the x axis doubles the distance from it: y 20 to 35, z -30 to -60 */
	rigid_from_angles(m, half, none, none);
	assert_close(rigid_largest_shift_mm(m, &grid), 2 * hypot(35, 60), 1e-9, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quarter_turns_go_the_right_way),
	    cmocka_unit_test(angles_turn_about_x_then_y_then_z),
	    cmocka_unit_test(centre_only_shifts),
	    cmocka_unit_test(inverse_undoes),
	    cmocka_unit_test(composition_is_first_a_then_b),
	    cmocka_unit_test(angle_is_that_of_the_rotation),
	    cmocka_unit_test(only_rotations_are_valid),
	    cmocka_unit_test(moved_grid_has_its_voxels_at_moved_points),
	    cmocka_unit_test(largest_shift_is_at_a_corner),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
