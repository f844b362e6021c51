/* The kernel against a published-format table of its making (voxel and sphere shares, T7), closed
 * forms, and a plain sum in double precision. */
#include "check.h"
#include "instruction_set.h"
#include "kernel_parts.h"

#include <stdlib.h>

static struct grid grid_of(int columns, int rows, int slices, double x_mm, double y_mm, double z_mm)
{
	struct grid grid = {.columns = columns, .rows = rows, .slices = slices};
	grid.column_step_mm[0] = x_mm;
	grid.row_step_mm[1] = y_mm;
	grid.slice_step_mm[2] = z_mm;
	return grid;
}

static struct kernel kernel_of(const struct grid *grid, double density_g_per_ml)
{
	struct status st = STATUS_INIT;
	struct kernel kernel;
	const double spacing_mm[3] = {grid_spacing_mm(grid, 0), grid_spacing_mm(grid, 1),
				      grid_spacing_mm(grid, 2)};
	assert_ok(kernel_build(&kernel, spacing_mm, density_g_per_ml, &st), &st);
	return kernel;
}

static struct volume volume_of(const struct grid *grid, float fill)
{
	struct status st = STATUS_INIT;
	struct volume volume;
	assert_ok(volume_new(&volume, grid, fill, &st), &st);
	return volume;
}

static struct volume convolved(const struct volume *dose, const struct kernel *kernel, int threads,
			       double *lost_share)
{
	struct status st = STATUS_INIT;
	struct volume out;
	assert_ok(kernel_convolve(&out, lost_share, dose, kernel, threads, &st), &st);
	return out;
}

/* Share of the voxel i, j, k away; 0 beyond the reach. */
static double share_at(const struct kernel *kernel, int i, int j, int k)
{
	i = abs(i);
	j = abs(j);
	k = abs(k);
	if (i > kernel->reach[0] || j > kernel->reach[1] || k > kernel->reach[2])
		return 0;
	return (double)kernel->share[(k * (kernel->reach[1] + 1) + j) * (kernel->reach[0] + 1) + i];
}

static float *at(const struct volume *volume, int i, int j, int k)
{
	const struct grid *grid = &volume->grid;
	return &volume
		    ->samples[((size_t)k * (size_t)grid->rows + (size_t)j) * (size_t)grid->columns +
			      (size_t)i];
}

static double sum_of(const struct volume *volume)
{
	double sum = 0;
	for (size_t v = 0; v < grid_voxels(&volume->grid); v++)
		sum += isnan(volume->samples[v]) ? 0 : (double)volume->samples[v];
	return sum;
}

static uint32_t random_state = 1;

static float random_dose(void)
{
	random_state = random_state * 1664525U + 1013904223U;
	return (float)(random_state >> 8) * (100.0F / 16777216.0F);
}

/* ---- the kernel ---- */

/* Voxel shares in water by a Monte Carlo of 4 million decays and more (physics 3.6). */
static const struct {
	double spacing_mm[3];
	const char *shares;
} VOXELS[] = {
    {{1, 1, 1},
     "000 .18219 100 .02788 110 .01208 111 .00710 200 .00470 210 .00347 211 .00266 220 .00169 221 "
     ".00139 300 .00139 310 .00116 311 .00097 222 .00083 320 .00070 321 .00060 400 .00045 322 "
     ".00039 410 .00039 330 .00034 331 .00029 420 .00026 421 .00023 332 .00020 500 .00013 430 "
     ".00013 333 .00010"},
    {{2, 2, 2},
     "000 .30911 100 .04620 110 .01654 111 .00791 200 .00413 210 .00246 211 .00151 220 .00059 221 "
     ".00037 300 .00036 310 .00023 311 .00015 222 .00009 320 .00006 321 .00004"},
    {{2.21, 2.21, 2.21},
     "000 .33388 100 .04861 110 .01654 111 .00749 200 .00363 210 .00203 211 .00116 220 .00039 221 "
     ".00023 300 .00022 310 .00013 311 .00007 222 .00004 320 .00002"},
    {{3, 3, 3},
     "000 .41758 100 .05401 110 .01484 111 .00525 200 .00180 210 .00076 211 .00032 220 .00005 221 "
     ".00002"},
    {{4.8, 4.8, 4.8}, "000 .56230 100 .05259 110 .00883 111 .00179 200 .00015 210 .00003"},
    {{2, 2, 4},
     "000 .35557 100 .06270 110 .02444 001 .02742 101 .01084 111 .00555 200 .00658 210 .00397 201 "
     ".00184 211 .00115 220 .00096 221 .00029 300 .00059 310 .00038 301 .00017 311 .00011 002 "
     ".00019 102 .00012 112 .00008"},
};

static void voxel_shares(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof VOXELS / sizeof *VOXELS; n++) {
		const double *mm = VOXELS[n].spacing_mm;
		struct grid grid = grid_of(1, 1, 1, mm[0], mm[1], mm[2]);
		struct kernel kernel = kernel_of(&grid, 1.0);
		double worst = 0, middle = 0;
		int entries = 0;
		for (const char *word = VOXELS[n].shares; word; entries++) {
			int i, j, k;
			double share;
			assert_int_equal(sscanf(word, "%1d%1d%1d %lf", &i, &j, &k, &share), 4);
			double own = share_at(&kernel, i, j, k);
			if (i + j + k == 0) {
				middle = share;
				assert_close(own, share, 0, 0.01);
			} else {
				worst = fmax(worst, fabs(own - share));
				assert_close(own, share, 5e-4, 0);
			}
			word = strchr(word + 4, ' ');
			word = word ? word + 1 : NULL;
		}
		printf("MEASURED kernel-voxel voxel=\"%g x %g x %g mm\" entries=%d middle=%.5f "
		       "published_middle=%.5f largest_difference_elsewhere=%.1e\n",
		       mm[0], mm[1], mm[2], entries, share_at(&kernel, 0, 0, 0), middle, worst);
		assert_true(entries >= 6);
		kernel_free(&kernel);
	}
}

static void shares_add_up_to_one(void **state)
{
	(void)state;
	const double spacing_mm[][3] = {
	    {1, 1, 1}, {1.5, 1.5, 5}, {0.5, 0.5, 0.5}, {20, 20, 20}, {0.7, 2.3, 9}};
	const double density[] = {0.5, 1, 1.06, 2};
	for (size_t n = 0; n < sizeof spacing_mm / sizeof *spacing_mm; n++) {
		for (size_t d = 0; d < 4; d++) {
			struct grid grid =
			    grid_of(1, 1, 1, spacing_mm[n][0], spacing_mm[n][1], spacing_mm[n][2]);
			struct kernel kernel = kernel_of(&grid, density[d]);
			double sum = 0;
			for (int k = -kernel.reach[2]; k <= kernel.reach[2]; k++)
				for (int j = -kernel.reach[1]; j <= kernel.reach[1]; j++)
					for (int i = -kernel.reach[0]; i <= kernel.reach[0]; i++) {
						assert_true(share_at(&kernel, i, j, k) >= 0);
						sum += share_at(&kernel, i, j, k);
					}
			assert_close(sum, 1, 6e-8, 0);
			assert_true(kernel.reach[0] <= KERNEL_MOST_REACH);
			kernel_free(&kernel);
		}
	}
}

/* Distances scale with density: voxels of 2 mm at 1.5 g/mL are voxels of 3 mm of water. */
static void density_shortens_the_range(void **state)
{
	(void)state;
	struct grid small = grid_of(1, 1, 1, 2, 2, 2), large = grid_of(1, 1, 1, 3, 3, 3);
	struct kernel dense = kernel_of(&small, 1.5), water = kernel_of(&large, 1.0);
	for (int i = 0; i < 4; i++)
		assert_close(share_at(&dense, i, 1, 0), share_at(&water, i, 1, 0), 1e-7, 0);
	assert_close(kernel_cumulative_share(2, 1.5), kernel_cumulative_share(3, 1), 1e-12, 0);
	assert_close(kernel_cumulative_share(3, 1), 0.79110, 1e-9, 0);
	assert_close(kernel_cumulative_share(2.05, 1), (0.60545 + 0.62725) / 2, 1e-9, 0);
	assert_close(kernel_cumulative_share(0, 1), 0, 0, 0);
	assert_close(kernel_cumulative_share(9, 1), 1, 0, 0);
	assert_true(isnan(kernel_cumulative_share(NAN, 1)));
	kernel_free(&dense);
	kernel_free(&water);
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	struct kernel kernel;
	const double thin[3] = {1, 1, 0.4}, thick[3] = {1, 25, 1}, hole[3] = {1, NAN, 1},
		     good[3] = {2, 2, 2};
	struct status st = STATUS_INIT;
	assert_int_equal(kernel_build(&kernel, thin, 1, &st), STATUS_REFUSE);
	assert_int_equal(kernel_build(&kernel, thick, 1, &st), STATUS_REFUSE);
	assert_int_equal(kernel_build(&kernel, hole, 1, &st), STATUS_REFUSE);
	assert_int_equal(kernel_build(&kernel, good, 0.2, &st), STATUS_REFUSE);
	assert_int_equal(kernel_build(&kernel, good, NAN, &st), STATUS_REFUSE);
	st = (struct status)STATUS_INIT;
	assert_ok(kernel_build(&kernel, good, 1, &st), &st);
	struct grid grid = grid_of(8, 8, 8, 2, 2, 2.01);
	struct volume dose = volume_of(&grid, 1), out = VOLUME_INIT;
	assert_int_equal(kernel_convolve(&out, NULL, &dose, &kernel, 1, &st), STATUS_REFUSE);
	dose.grid = grid_of(8, 8, 8, 2, 2, 2);
	dose.grid.slice_step_mm[0] = 0.01; /* a gantry that leans */
	assert_int_equal(kernel_convolve(&out, NULL, &dose, &kernel, 1, &st), STATUS_REFUSE);
	assert_null(out.samples);
	kernel_free(&kernel);
	volume_free(&dose);
}

/* ---- spheres ---- */

/* Mean kernel dose / mean local dose of a sphere in a background of `cold` of its dose. A voxel
 * belongs to the sphere when its middle does, so that no voxel mixes the two doses: local
 * deposition gives the sphere its dose exactly. Volumes meet the sphere's within 1.5 %. Sizes are
 * those in water; they are doubled and put in a medium of half its density, so that voxels may be
 * small. */
static double sphere_ratio(double diameter_mm, double step_mm, double cold)
{
	int size = 2 * (int)(diameter_mm / step_mm / 2 + 10 / step_mm);
	struct grid grid = grid_of(size, size, size, 2 * step_mm, 2 * step_mm, 2 * step_mm);
	struct kernel kernel = kernel_of(&grid, 0.5);
	struct volume dose = volume_of(&grid, 0);
	double middle = (size - 1) / 2.0, blurred = 0;
	int inside = 0;
	for (int pass = 0; pass < 2; pass++) {
		struct volume out = VOLUME_INIT;
		if (pass == 1)
			out = convolved(&dose, &kernel, 2, NULL);
		for (int k = 0; k < size; k++) {
			for (int j = 0; j < size; j++) {
				for (int i = 0; i < size; i++) {
					double x = (i - middle) * step_mm,
					       y = (j - middle) * step_mm,
					       z = (k - middle) * step_mm;
					bool in = sqrt(x * x + y * y + z * z) < diameter_mm / 2;
					if (pass == 0)
						*at(&dose, i, j, k) = in ? 1 : (float)cold;
					else if (in)
						blurred += (double)*at(&out, i, j, k);
					inside += in && pass == 0;
				}
			}
		}
		volume_free(&out);
	}
	double volume_ml = inside * step_mm * step_mm * step_mm / 1000;
	assert_close(volume_ml, acos(-1.0) / 6000 * pow(diameter_mm, 3), 0, 0.015);
	volume_free(&dose);
	kernel_free(&kernel);
	return blurred / inside;
}

/* T7. Two points of a sphere of radius R, r apart: of all pairs that start inside, the share
 * 1 - 3 r / 4R + r^3 / 16R^3 ends inside. Weighted with dF it is the absorbed share in closed form.
 */
static double sphere_closed_form(double diameter_mm)
{
	const int steps = 20000;
	double sum = 0, before = 0;
	for (int i = 1; i <= steps; i++) {
		double to_mm = 9.0 * i / steps, r = (to_mm - 4.5 / steps) / diameter_mm;
		double share = kernel_cumulative_share(to_mm, 1);
		/* what stays at the decay is in the first step: r is 0 to all purposes */
		sum += (share - before) * (r < 1 ? 1 - 1.5 * r + 0.5 * r * r * r : 0);
		before = share;
	}
	return sum;
}

static void sphere_shares(void **state)
{
	(void)state;
	static const struct {
		double diameter_mm, share, voxel_mm;
	} published[] = {{3, .370, .25}, {5, .527, .3},	 {8, .675, .4},	  {10, .734, .5},
			 {15, .819, .6}, {20, .863, .6}, {30, .908, .75}, {40, .931, 1},
			 {50, .945, 1},	 {70, .961, 1},	 {100, .972, 1.5}};
	for (size_t n = 0; n < sizeof published / sizeof *published; n++) {
		double diameter_mm = published[n].diameter_mm, voxel_mm = published[n].voxel_mm;
		double share = sphere_ratio(diameter_mm, voxel_mm, 0);
		double closed = sphere_closed_form(diameter_mm);
		printf("MEASURED kernel-sphere diameter_mm=%g voxel_mm=%g absorbed_share=%.4f "
		       "closed_form=%.4f published=%.3f\n",
		       diameter_mm, voxel_mm, share, closed, published[n].share);
		assert_close(closed, published[n].share, 0.0005, 0.005);
		assert_close(share, published[n].share, 0.0005, 0.01);
	}
}

static void hot_spheres_in_warm_tissue(void **state)
{
	(void)state;
	assert_measured("T7", "sphere 20 mm, T/N 3: kernel / local", sphere_ratio(20, 0.6, 1.0 / 3),
			0.909, 0, 0.01, "1");
	assert_measured("T7", "sphere 30 mm, T/N 3: kernel / local",
			sphere_ratio(30, 0.75, 1.0 / 3), 0.939, 0, 0.01, "1");
	assert_measured("T7", "sphere 50 mm, T/N 3: kernel / local", sphere_ratio(50, 1, 1.0 / 3),
			0.963, 0, 0.01, "1");
	assert_measured("T7", "sphere 20 mm, T/N 5: kernel / local", sphere_ratio(20, 0.6, 0.2),
			0.890, 0, 0.01, "1");
}

/* ---- the convolution ---- */

static void a_point_becomes_the_kernel(void **state)
{
	(void)state;
	struct grid grid = grid_of(40, 37, 21, 1.5, 1.8, 3);
	struct kernel kernel = kernel_of(&grid, 1.06);
	struct volume dose = volume_of(&grid, 0);
	*at(&dose, 17, 15, 10) = 50;
	double lost;
	struct volume out = convolved(&dose, &kernel, 2, &lost);
	for (int k = 0; k < grid.slices; k++)
		for (int j = 0; j < grid.rows; j++)
			for (int i = 0; i < grid.columns; i++)
				assert_close((double)*at(&out, i, j, k),
					     50 * share_at(&kernel, i - 17, j - 15, k - 10), 1e-12,
					     2e-7);
	assert_close(lost, 0, 1e-6, 0);
	volume_free(&dose);
	volume_free(&out);
	kernel_free(&kernel);
}

static void even_tissue_stays_even(void **state)
{
	(void)state;
	struct grid grid = grid_of(50, 40, 24, 1.5, 1.5, 4);
	struct kernel kernel = kernel_of(&grid, 1.06);
	struct volume dose = volume_of(&grid, 80);
	double lost;
	struct volume out = convolved(&dose, &kernel, 2, &lost);
	for (int k = kernel.reach[2]; k < grid.slices - kernel.reach[2]; k++)
		for (int j = kernel.reach[1]; j < grid.rows - kernel.reach[1]; j++)
			for (int i = kernel.reach[0]; i < grid.columns - kernel.reach[0]; i++)
				assert_close((double)*at(&out, i, j, k), 80, 0, 1e-6);
	/* one face in closed form: the share that leaves through it is sum k K(k) / size */
	double leaves = 0;
	const int size[3] = {50, 40, 24};
	for (int axis = 0; axis < 3; axis++) {
		double through = 0;
		for (int k = -kernel.reach[2]; k <= kernel.reach[2]; k++)
			for (int j = -kernel.reach[1]; j <= kernel.reach[1]; j++)
				for (int i = -kernel.reach[0]; i <= kernel.reach[0]; i++) {
					const int way[3] = {i, j, k};
					through += fmax(0, way[axis]) * share_at(&kernel, i, j, k);
				}
		leaves = 1 - (1 - leaves) * (1 - 2 * through / size[axis]);
	}
	assert_close(lost, leaves, 0, 0.03); /* corners leave once */
	volume_free(&dose);
	volume_free(&out);
	kernel_free(&kernel);
}

/* Random doses inside a margin as wide as the reach: all of the energy is still there. */
static void energy_is_kept(void **state)
{
	(void)state;
	struct grid grid = grid_of(45, 41, 23, 1.2, 2, 3);
	struct kernel kernel = kernel_of(&grid, 1.06);
	struct volume dose = volume_of(&grid, 0);
	for (int k = kernel.reach[2]; k < grid.slices - kernel.reach[2]; k++)
		for (int j = kernel.reach[1]; j < grid.rows - kernel.reach[1]; j++)
			for (int i = kernel.reach[0]; i < grid.columns - kernel.reach[0]; i++)
				*at(&dose, i, j, k) = random_dose() - 20; /* negatives too */
	double lost;
	struct volume out = convolved(&dose, &kernel, 2, &lost);
	assert_close(sum_of(&out), sum_of(&dose), 0, 1e-6);
	assert_close(lost, 0, 1e-6, 0);
	volume_free(&dose);
	volume_free(&out);
	kernel_free(&kernel);
}

/* Any size of grid, and a kernel wider than it, against the sum itself in double precision; gaps
 * give nothing and stay gaps; every instruction set and number of threads gives the same bits. */
static void as_the_plain_sum(void **state)
{
	(void)state;
	const struct grid grids[] = {grid_of(19, 23, 9, 1.5, 1.2, 3), grid_of(16, 16, 16, 2, 2, 2),
				     grid_of(33, 5, 3, 0.8, 0.9, 1.1), grid_of(1, 1, 1, 4, 4, 4),
				     grid_of(70, 34, 6, 3, 1.7, 0.9)};
	for (size_t n = 0; n < sizeof grids / sizeof *grids; n++) {
		const struct grid *grid = &grids[n];
		struct kernel kernel = kernel_of(grid, 1.06);
		struct volume dose = volume_of(grid, 0), expected = volume_of(grid, 0);
		size_t voxels = grid_voxels(grid);
		for (size_t v = 0; v < voxels; v++)
			dose.samples[v] = random_dose() < 15 && voxels > 1 ? NAN : random_dose();
		double before = sum_of(&dose), after = 0, lost;
		struct volume out = convolved(&dose, &kernel, 1, &lost);
		for (int k = 0; k < grid->slices; k++)
			for (int j = 0; j < grid->rows; j++)
				for (int i = 0; i < grid->columns; i++) {
					double sum = 0;
					for (int z = 0; z < grid->slices; z++)
						for (int y = 0; y < grid->rows; y++)
							for (int x = 0; x < grid->columns; x++) {
								double gy =
								    (double)*at(&dose, x, y, z);
								if (!isnan(gy))
									sum +=
									    gy *
									    share_at(&kernel, i - x,
										     j - y, k - z);
							}
					if (isnan(*at(&dose, i, j, k))) {
						assert_true(isnan(*at(&out, i, j, k)));
						continue;
					}
					assert_close((double)*at(&out, i, j, k), sum, 1e-4, 1e-6);
					after += sum;
				}
		assert_close(lost, (before - after) / before, 1e-6, 0);
		struct status st = STATUS_INIT;
		for (int code = 0; code < instruction_sets(); code++) {
			for (int threads = 1; threads <= 3; threads++) {
				assert_ok(kernel_convolve_rows(&expected, &dose, &kernel, code,
							       threads, &st),
					  &st);
				assert_memory_equal(expected.samples, out.samples,
						    voxels * sizeof *out.samples);
			}
		}
		volume_free(&dose);
		volume_free(&expected);
		volume_free(&out);
		kernel_free(&kernel);
	}
}

static void nothing_measured_gives_nothing(void **state)
{
	(void)state;
	struct grid grid = grid_of(20, 20, 10, 2, 2, 4);
	struct kernel kernel = kernel_of(&grid, 1.06);
	struct volume dose = volume_of(&grid, NAN);
	double lost;
	struct volume out = convolved(&dose, &kernel, 2, &lost);
	assert_true(isnan(lost));
	assert_true(isnan(out.samples[0]) && isnan(out.samples[2105]));
	/* one voxel alone among gaps: what leaves it is lost */
	volume_free(&out);
	*at(&dose, 9, 9, 5) = 10;
	out = convolved(&dose, &kernel, 2, &lost);
	assert_close((double)*at(&out, 9, 9, 5), 10 * share_at(&kernel, 0, 0, 0), 0, 1e-6);
	assert_close(lost, 1 - share_at(&kernel, 0, 0, 0), 1e-6, 0);
	assert_true(isnan(*at(&out, 9, 9, 6)));
	volume_free(&dose);
	volume_free(&out);
	kernel_free(&kernel);
}

/* A grid turned in space has the same values: only its spacings count. */
static void a_turned_grid(void **state)
{
	(void)state;
	struct grid straight = grid_of(30, 28, 12, 1.5, 1.5, 5), turned = straight;
	double c = cos(0.4), s = sin(0.4);
	const double column[3] = {1.5 * c, 1.5 * s * 0.8, 1.5 * s * 0.6};
	const double row[3] = {-1.5 * s, 1.5 * c * 0.8, 1.5 * c * 0.6};
	const double slice[3] = {0, -5 * 0.6, 5 * 0.8};
	memcpy(turned.column_step_mm, column, sizeof column);
	memcpy(turned.row_step_mm, row, sizeof row);
	memcpy(turned.slice_step_mm, slice, sizeof slice);
	struct kernel kernel = kernel_of(&straight, 1.06);
	struct volume dose = volume_of(&straight, 0);
	for (size_t v = 0; v < grid_voxels(&straight); v++)
		dose.samples[v] = random_dose();
	struct volume out = convolved(&dose, &kernel, 2, NULL);
	dose.grid = turned;
	struct volume out_turned = convolved(&dose, &kernel, 2, NULL);
	assert_memory_equal(out.samples, out_turned.samples,
			    grid_voxels(&straight) * sizeof *out.samples);
	volume_free(&dose);
	volume_free(&out);
	volume_free(&out_turned);
	kernel_free(&kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(voxel_shares),
	    cmocka_unit_test(shares_add_up_to_one),
	    cmocka_unit_test(density_shortens_the_range),
	    cmocka_unit_test(what_cannot_be_is_refused),
	    cmocka_unit_test(sphere_shares),
	    cmocka_unit_test(hot_spheres_in_warm_tissue),
	    cmocka_unit_test(a_point_becomes_the_kernel),
	    cmocka_unit_test(even_tissue_stays_even),
	    cmocka_unit_test(energy_is_kept),
	    cmocka_unit_test(as_the_plain_sum),
	    cmocka_unit_test(nothing_measured_gives_nothing),
	    cmocka_unit_test(a_turned_grid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
