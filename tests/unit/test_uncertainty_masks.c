/* The uncertainty of several VOIs together: as each by itself, and the same bits at any number of
 * threads. */
#include "uncertainty_scene.h"

static struct mask ball_mask(const struct grid *grid, int column, int row, int slice, double radius)
{
	struct status st = STATUS_INIT;
	struct mask mask;
	assert_ok(mask_new(&mask, grid, &st), &st);
	for (int k = 0; k < grid->slices; k++)
		for (int j = 0; j < grid->rows; j++)
			for (int i = 0; i < grid->columns; i++) {
				double away = hypot(hypot(i - column, j - row), k - slice);
				mask.coverage[voxel_at(grid, i, j, k)] =
				    (float)fmin(fmax(radius - away, 0), 1);
			}
	mask_update_bounds(&mask);
	return mask;
}

enum { MASKS = 4 };

struct overlapping {
	struct grid grid;
	struct volume dose, other;
	struct mask mask[MASKS];
	const struct mask *masks[MASKS];
};

/* A large region at the grid's edge, its right half, a small one in both, one of seven voxels in
 * a corner; noisy values with gaps. */
static void overlapping_new(struct overlapping *o)
{
	struct status st = STATUS_INIT;
	o->grid = box_grid(34, 30, 26, 2, 2, 2.5);
	assert_ok(volume_new(&o->dose, &o->grid, 0, &st), &st);
	assert_ok(volume_new(&o->other, &o->grid, 0, &st), &st);
	for (size_t v = 0; v < grid_voxels(&o->grid); v++) {
		float at = (float)(v % 34) + (float)(v / 34 % 30) / 2;
		o->dose.samples[v] = v % 41 == 0 ? NAN : 50 + at + 3 * normal();
		o->other.samples[v] = v % 53 == 0 ? NAN : 45 - at / 3 + normal();
	}
	o->mask[0] = ball_mask(&o->grid, 12, 13, 12, 12.6);
	o->mask[1] = ball_mask(&o->grid, 18, 14, 14, 7.2);
	o->mask[2] = ball_mask(&o->grid, 15, 15, 12, 2.9);
	o->mask[3] = ball_mask(&o->grid, 32, 28, 24, 1.9);
	for (int m = 0; m < MASKS; m++)
		o->masks[m] = &o->mask[m];
}

static void overlapping_free(struct overlapping *o)
{
	volume_free(&o->dose);
	volume_free(&o->other);
	for (int m = 0; m < MASKS; m++)
		mask_free(&o->mask[m]);
}

/* The mean of dose + 0.7 other over a mask, both moved by so many voxels: uncertainty.h, voxel by
 * voxel. */
static double mean_moved(const struct overlapping *o, int m, int axis, double by)
{
	const int size[3] = {o->grid.columns, o->grid.rows, o->grid.slices};
	double sum = 0, weight = 0, part = by - floor(by);
	for (size_t v = 0; v < grid_voxels(&o->grid); v++) {
		double value[2], coverage = (double)o->mask[m].coverage[v];
		for (int e = 0; e < 2; e++) {
			int at[3] = {(int)(v % 34), (int)(v / 34 % 30), (int)(v / 34 / 30)};
			at[axis] += (int)floor(by) + e;
			at[axis] = at[axis] < 0		    ? 0
				   : at[axis] >= size[axis] ? size[axis] - 1
							    : at[axis];
			size_t n = voxel_at(&o->grid, at[0], at[1], at[2]);
			value[e] = (double)o->dose.samples[n] + 0.7 * (double)o->other.samples[n];
		}
		double found = value[0] + part * (value[1] - value[0]);
		if (isnan(value[0]) && part >= 0.5)
			found = value[1];
		else if (isnan(value[1]) && part <= 0.5)
			found = value[0];
		if (isnan(found))
			continue;
		sum += coverage * found;
		weight += coverage;
	}
	return sum / weight;
}

static double change_voxel_by_voxel(const struct overlapping *o, int m, double residual_mm)
{
	const double step_mm[3] = {2, 2, 2.5}, size = sqrt(2 / M_PI);
	double still = mean_moved(o, m, 0, 0), spread = 0, bias = 0;
	for (int axis = 0; axis < 3; axis++) {
		double by = 3 * residual_mm / sqrt(3) / step_mm[axis];
		double up = mean_moved(o, m, axis, by) - still;
		double down = mean_moved(o, m, axis, -by) - still;
		double slope = (up - down) / 6, loss = 1.15 * (up + down) / 2 / (3 - size);
		spread += slope * slope + (1 - size * size) * loss * loss;
		bias += size * loss;
	}
	return sqrt(spread + bias * bias);
}

/* As voxel by voxel, at the grid's edge and beside gaps too; a second map cut out as the whole one;
 * the same bits at any number of threads; and a map that ends before the shifts do is refused. */
static void changes_of_several_masks(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct overlapping o;
	overlapping_new(&o);
	for (int cut = 0; cut < 2; cut++) {
		const double residual_mm = cut ? 1.3 : 3.9; /* under and over a voxel */
		const struct uncertainty_shifted whole = {.map = &o.other, .scale = 0.7};
		double gy[MASKS], again[MASKS];
		assert_ok(uncertainty_registrations(gy, &o.dose, &whole, o.masks, MASKS,
						    residual_mm, 1, &st),
			  &st);
		for (int m = 0; m < MASKS; m++) {
			assert_true(gy[m] > 0);
			assert_close(gy[m], change_voxel_by_voxel(&o, m, residual_mm), 0, 1e-7);
			assert_close(gy[m],
				     change_of(&o.dose, &o.other, 0.7, o.masks[m], residual_mm), 0,
				     1e-9);
		}
		int first[3], last[3];
		uncertainty_reach(first, last, o.masks, MASKS, residual_mm);
		struct grid part = box_grid(last[0] - first[0] + 1, last[1] - first[1] + 1,
					    last[2] - first[2] + 1, 2, 2, 2.5);
		struct volume cut_out;
		assert_ok(volume_new(&cut_out, &part, 0, &st), &st);
		for (int k = first[2]; k <= last[2]; k++)
			for (int j = first[1]; j <= last[1]; j++)
				for (int i = first[0]; i <= last[0]; i++)
					cut_out.samples[voxel_at(&part, i - first[0], j - first[1],
								 k - first[2])] =
					    o.other.samples[voxel_at(&o.grid, i, j, k)];
		struct uncertainty_shifted shifted = {
		    .map = &cut_out, .first = {first[0], first[1], first[2]}, .scale = 0.7};
		for (int threads = 1; threads < 6; threads += 2) {
			assert_ok(uncertainty_registrations(again, &o.dose, &shifted, o.masks,
							    MASKS, residual_mm, threads, &st),
				  &st);
			assert_memory_equal(gy, again, sizeof gy);
		}
		cut_out.grid.slices--;
		assert_int_equal(uncertainty_registrations(again, &o.dose, &shifted, o.masks, MASKS,
							   residual_mm, 2, &st),
				 STATUS_BUG);
		st = (struct status)STATUS_INIT;
		volume_free(&cut_out);
	}
	overlapping_free(&o);
}

/* Without a shift nothing beyond the masks is read of the second map: infinite values there would
 * leave no mean. */
static void a_map_that_stays_is_not_read(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct grid grid = box_grid(6, 4, 3, 2, 2, 2), part = box_grid(3, 2, 2, 2, 2, 2);
	struct volume dose, other;
	struct mask mask = MASK_INIT;
	const struct mask *masks[] = {&mask};
	double gy;
	assert_ok(volume_new(&dose, &grid, 1, &st), &st);
	assert_ok(volume_new(&other, &part, INFINITY, &st), &st);
	assert_ok(mask_new(&mask, &grid, &st), &st);
	for (int v = 0; v < 12; v++)
		mask.coverage[voxel_at(&grid, 1 + v % 3, 1 + v / 3 % 2, v / 6)] = 1;
	mask_update_bounds(&mask);
	const struct uncertainty_shifted shifted = {
	    .map = &other, .first = {1, 1, 0}, .scale = 0.7};
	assert_ok(uncertainty_registrations(&gy, &dose, &shifted, masks, 1, 0, 1, &st), &st);
	assert_close(gy, 0, 0, 0);
	volume_free(&dose);
	volume_free(&other);
	mask_free(&mask);
}

static void assert_same_weights(const struct uncertainty_weights *a,
				const struct uncertainty_weights *b)
{
	assert_memory_equal(a->first, b->first, sizeof a->first);
	assert_memory_equal(a->size, b->size, sizeof a->size);
	assert_memory_equal(a->sum, b->sum, sizeof a->sum);
	assert_memory_equal(a->weight, b->weight,
			    (size_t)a->size[0] * (size_t)a->size[1] * (size_t)a->size[2] *
				sizeof *a->weight);
}

/* Four masks carried together have each the weights it has by itself, from masks as from weights;
 * the same bits at any number of threads, whichever way the grids lie to each other. */
static void weights_of_several_masks(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct overlapping o;
	overlapping_new(&o);
	const struct grid source_grid = box_grid(30, 28, 15, 2.3, 2.3, 5);
	const double turns[][3] = {{0.05, -0.04, 0.08}, {1.6, 0.1, -0.2}, {0.3, 1.5, 0.1}};
	struct volume source, error;
	assert_ok(volume_new(&source, &source_grid, 1, &st), &st);
	assert_ok(volume_new(&error, &source_grid, 1, &st), &st);
	for (size_t v = 0; v < grid_voxels(&source_grid); v++) {
		source.samples[v] = v % 29 == 0 ? NAN : 1;
		error.samples[v] = v % 31 == 0 ? NAN : 1 + (float)(v % 5);
	}
	const struct uncertainty_errors errors = {.standard_error = &error};
	for (int t = 0; t < 3; t++) {
		double turn[RIGID_SIZE], variance[UNCERTAINTY_LANES], alone[UNCERTAINTY_LANES];
		struct uncertainty_weights made, one, together, again;
		struct grid moved;
		rigid_from_angles(turn, turns[t], (double[]){1.2, -0.8, 3}, (double[]){33, 29, 32});
		rigid_move_grid(&moved, &o.grid, turn, "");
		assert_ok(uncertainty_weights_of_masks(&made, o.masks, MASKS, &o.dose, &st), &st);
		assert_ok(uncertainty_weights_carry(&together, &source, &made, &moved, 1, &st),
			  &st);
		assert_ok(uncertainty_variances(variance, &together, &errors, 1, &st), &st);
		for (int threads = 1; threads < 6; threads += 2) {
			assert_ok(uncertainty_weights_carry_masks(&again, &source, o.masks, MASKS,
								  &o.dose, &moved, threads, &st),
				  &st);
			assert_same_weights(&together, &again);
			assert_ok(uncertainty_variances(alone, &again, &errors, threads, &st), &st);
			assert_memory_equal(variance, alone, sizeof variance);
			uncertainty_weights_free(&again);
		}
		for (int m = 0; m < MASKS; m++) {
			assert_ok(uncertainty_weights_carry_masks(&one, &source, &o.masks[m], 1,
								  &o.dose, &moved, 2, &st),
				  &st);
			assert_ok(uncertainty_variances(alone, &one, &errors, 2, &st), &st);
			assert_true(alone[0] > 0 && isnan(alone[1]));
			assert_close(variance[m], alone[0], 0, 1e-5);
			assert_close(together.sum[m], one.sum[0], 0, 1e-9);
			uncertainty_weights_free(&one);
		}
		uncertainty_weights_free(&made);
		uncertainty_weights_free(&together);
	}
	volume_free(&source);
	volume_free(&error);
	overlapping_free(&o);
}

/* Where another error is meant it is taken, and a voxel that has none has none in either. */
static void errors_of_two_kinds(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct grid grid = box_grid(4, 1, 1, 1, 1, 1);
	struct mask mask = box_mask(&grid, (int[]){0, 0, 0}, (int[]){3, 0, 0});
	const struct mask *masks[] = {&mask};
	struct volume one, other, values;
	struct uncertainty_weights weights;
	double variance[UNCERTAINTY_LANES];
	assert_ok(volume_new(&one, &grid, 2, &st), &st);
	assert_ok(volume_new(&other, &grid, 5, &st), &st);
	assert_ok(volume_new(&values, &grid, 1, &st), &st);
	one.samples[3] = NAN;
	const uint8_t where[] = {7, 1, 1, 7};
	const struct uncertainty_errors errors = {&one, &other, where, 7};
	assert_ok(uncertainty_weights_of_masks(&weights, masks, 1, &values, &st), &st);
	assert_ok(uncertainty_variances(variance, &weights, &errors, 2, &st), &st);
	assert_close(variance[0], (25 + 4 + 4) / 16.0, 1e-12, 0);
	uncertainty_weights_free(&weights);
	mask_free(&mask);
	volume_free(&one);
	volume_free(&other);
	volume_free(&values);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(changes_of_several_masks),
	    cmocka_unit_test(a_map_that_stays_is_not_read),
	    cmocka_unit_test(weights_of_several_masks),
	    cmocka_unit_test(errors_of_two_kinds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
