#include "check.h"

#include <stdlib.h>

#include "resample.h"

static struct grid plain_grid(int columns, int rows, int slices, double mm)
{
	struct grid grid = {.columns = columns,
			    .rows = rows,
			    .slices = slices,
			    .origin_mm = {-10.1, 5.2, 7.3},
			    .column_step_mm = {mm, 0, 0},
			    .row_step_mm = {0, mm, 0},
			    .slice_step_mm = {0, 0, 2 * mm},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

/* Turned about the patient's x axis. */
static struct grid turned_grid(struct grid grid, double degrees)
{
	double c = cos(degrees * M_PI / 180), s = sin(degrees * M_PI / 180);
	double row_mm = grid.row_step_mm[1], slice_mm = grid.slice_step_mm[2];

	grid.row_step_mm[1] = row_mm * c;
	grid.row_step_mm[2] = row_mm * s;
	grid.slice_step_mm[1] = -slice_mm * s;
	grid.slice_step_mm[2] = slice_mm * c;
	return grid;
}

static double linear_field(const double p[3])
{
	return 100 + 2 * p[0] - 3 * p[1] + 0.5 * p[2];
}

static void patient_point(const struct grid *grid, size_t index, double point[3])
{
	double voxel[3] = {(double)(index % (size_t)grid->columns),
			   (double)(index / (size_t)grid->columns % (size_t)grid->rows),
			   (double)(index / (size_t)grid->columns / (size_t)grid->rows)};

	grid_to_patient(grid, voxel, point);
}

static struct volume linear_volume(const struct grid *grid)
{
	struct volume volume = VOLUME_INIT;
	struct status st = STATUS_INIT;

	assert_ok(volume_new(&volume, grid, 0, &st), &st);
	for (size_t i = 0; i < grid_voxels(grid); i++) {
		double point[3];

		patient_point(grid, i, point);
		volume.samples[i] = (float)linear_field(point);
	}
	return volume;
}

/* A linear field comes back exactly between the outermost centres, NaN beyond the outer faces. */
static void check_linear(const struct grid *from_grid, const struct grid *to,
			 const double *transform, int *inside)
{
	struct volume from = linear_volume(from_grid), out = VOLUME_INIT;
	struct status st = STATUS_INIT;
	int size[3] = {from_grid->columns, from_grid->rows, from_grid->slices};

	*inside = 0;
	assert_ok(resample_trilinear(&out, to, &from, transform, 2, &st), &st);
	for (size_t i = 0; i < grid_voxels(to); i++) {
		double point[3], moved[3], voxel[3];
		bool between = true, beyond = false;

		patient_point(to, i, point);
		for (int a = 0; a < 3; a++)
			moved[a] = transform == NULL
				       ? point[a]
				       : transform[4 * a] * point[0] +
					     transform[4 * a + 1] * point[1] +
					     transform[4 * a + 2] * point[2] + transform[4 * a + 3];
		grid_to_voxel(from_grid, moved, voxel);
		for (int a = 0; a < 3; a++) {
			between = between && voxel[a] >= 0 && voxel[a] <= size[a] - 1;
			beyond = beyond || voxel[a] < -0.501 || voxel[a] > size[a] - 0.499;
		}
		if (between) {
			assert_close((double)out.samples[i], linear_field(moved), 1e-4, 0);
			++*inside;
		}
		if (beyond)
			assert_true(isnan(out.samples[i]));
	}
	volume_free(&out);
	volume_free(&from);
}

static void linear_field_is_reproduced(void **state)
{
	struct grid from = plain_grid(20, 18, 12, 1.5), fine = plain_grid(37, 40, 33, 0.83);
	struct grid oblique = turned_grid(fine, 17);
	double c = cos(0.2), s = sin(0.2);
	double rigid[12] = {c, -s, 0, 1.5, s, c, 0, -2.25, 0, 0, 1, 3};
	int inside;

	(void)state;
	check_linear(&from, &fine, NULL, &inside);
	assert_true(inside > 10000);
	check_linear(&from, &oblique, NULL, &inside);
	assert_true(inside > 5000);
	check_linear(&oblique, &from, NULL, &inside);
	assert_true(inside > 300);
	strcpy(fine.frame_of_reference, "9.9");
	check_linear(&from, &fine, rigid, &inside);
	assert_true(inside > 5000);
}

static void identity_is_bit_exact(void **state)
{
	struct grid grids[2] = {plain_grid(19, 17, 11, 1.3),
				turned_grid(plain_grid(19, 17, 11, 1.3), 31)};

	(void)state;
	for (int g = 0; g < 2; g++) {
		struct volume from = VOLUME_INIT, out = VOLUME_INIT;
		struct status st = STATUS_INIT;
		size_t bytes = grid_voxels(&grids[g]) * sizeof(float);

		assert_ok(volume_new(&from, &grids[g], 0, &st), &st);
		srand(5);
		for (size_t i = 0; i < grid_voxels(&grids[g]); i++)
			from.samples[i] = i % 7 == 3 ? NAN : (float)rand() / 1000;
		assert_ok(resample_trilinear(&out, &grids[g], &from, NULL, 2, &st), &st);
		assert_memory_equal(from.samples, out.samples, bytes);
		volume_free(&from);
		volume_free(&out);
	}
}

static void edges_reach_to_the_outer_faces(void **state)
{
	struct grid from_grid = plain_grid(2, 2, 2, 2), to = plain_grid(9, 1, 1, 0.5);
	struct volume from = VOLUME_INIT, out = VOLUME_INIT;
	struct status st = STATUS_INIT;
	static const float expected[] = {NAN, 1, 1, 1, 1.25F, 1.5F, 1.75F, 2, 2};

	(void)state;
	assert_ok(volume_new(&from, &from_grid, 0, &st), &st);
	for (size_t i = 0; i < 8; i++)
		from.samples[i] = i % 2 == 0 ? 1 : 2;
	to.origin_mm[0] -= 1.5; /* 0.75 voxel to the left of the first centre */
	assert_ok(resample_trilinear(&out, &to, &from, NULL, 1, &st), &st);
	assert_true(isnan(out.samples[0]));
	for (size_t i = 1; i < 9; i++)
		assert_close((double)out.samples[i], (double)expected[i], 1e-6, 0);
	volume_free(&from);
	volume_free(&out);
}

/* A neighbour that was not measured is left out while half of the weight or more remains. */
static void not_measured_neighbours(void **state)
{
	struct grid from_grid = plain_grid(2, 1, 1, 2), to = plain_grid(5, 1, 1, 0.5);
	struct volume from = VOLUME_INIT, out = VOLUME_INIT;
	struct status st = STATUS_INIT;

	(void)state;
	assert_ok(volume_new(&from, &from_grid, 5, &st), &st);
	from.samples[1] = NAN;
	assert_ok(resample_trilinear(&out, &to, &from, NULL, 1, &st), &st);
	assert_close((double)out.samples[0], 5, 0, 0);
	assert_close((double)out.samples[1], 5, 1e-6, 0);
	assert_close((double)out.samples[2], 5, 1e-6, 0);
	assert_true(isnan(out.samples[3]));
	assert_true(isnan(out.samples[4]));
	volume_free(&from);
	volume_free(&out);
}

static void frames_of_reference_must_agree(void **state)
{
	struct grid from_grid = plain_grid(3, 3, 3, 1), to = plain_grid(3, 3, 3, 1);
	struct volume from = linear_volume(&from_grid), out = VOLUME_INIT;
	struct status st = STATUS_INIT;
	double broken[12] = {1, 0, 0, 0, 0, 1, 0, (double)NAN, 0, 0, 1, 0};

	(void)state;
	strcpy(to.frame_of_reference, "1.2.4");
	assert_int_equal(resample_trilinear(&out, &to, &from, NULL, 1, &st), STATUS_REFUSE);
	status_clear(&st);
	assert_int_equal(resample_trilinear(&out, &to, &from, broken, 1, &st), STATUS_REFUSE);
	assert_null(out.samples);
	volume_free(&from);
}

static void same_bits_at_any_thread_count(void **state)
{
	struct grid from_grid = plain_grid(40, 41, 20, 1.5);
	struct grid to = turned_grid(plain_grid(50, 47, 31, 1.1), 12);
	struct volume from = linear_volume(&from_grid), one = VOLUME_INIT, three = VOLUME_INIT;
	struct status st = STATUS_INIT;

	(void)state;
	for (size_t i = 0; i < grid_voxels(&from_grid); i += 5)
		from.samples[i] = NAN;
	assert_ok(resample_trilinear(&one, &to, &from, NULL, 1, &st), &st);
	assert_ok(resample_trilinear(&three, &to, &from, NULL, 3, &st), &st);
	assert_memory_equal(one.samples, three.samples, grid_voxels(&to) * sizeof(float));
	volume_free(&from);
	volume_free(&one);
	volume_free(&three);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(linear_field_is_reproduced),
	    cmocka_unit_test(identity_is_bit_exact),
	    cmocka_unit_test(edges_reach_to_the_outer_faces),
	    cmocka_unit_test(not_measured_neighbours),
	    cmocka_unit_test(frames_of_reference_must_agree),
	    cmocka_unit_test(same_bits_at_any_thread_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
