#include "registration_scene.h"

#include "deformation.h"

static const struct deformation_params usual = {
    .control_spacing_mm = 30, .bending_weight = 0.01, .region_margin_mm = 10, .threads = 2};

/* 6 mm along z in the middle of the body, as in other programs' tests of the same kind. */
static void bump(double p[3])
{
	double square = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];

	p[2] += 6 * exp(-square / (2 * 35 * 35));
}

/* Turns the middle inside out. */
static void fold(double p[3])
{
	double square = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
	double far = 1 - 2.2 * exp(-square / (2 * 22 * 22));

	p[0] *= far;
	p[1] *= far;
}

/* Where the moving image shows the point p of the body: the bump undone, then the motion. */
static void true_place(double to_mm[3], const double truth[RIGID_SIZE], const double p[3])
{
	double q[3] = {p[0], p[1], p[2]};

	for (int i = 0; i < 50; i++) {
		double moved[3] = {q[0], q[1], q[2]};

		bump(moved);
		q[2] += p[2] - moved[2];
	}
	rigid_apply(to_mm, truth, q);
}

/* Root mean square of the error over the body, per axis, of a deformation or (NULL) of the motion.
 */
static void error_rms_mm(double rms_mm[3], const struct deformation *deformation,
			 const double truth[RIGID_SIZE])
{
	int n = 0;

	memset(rms_mm, 0, 3 * sizeof *rms_mm);
	for (double x = -80; x <= 80; x += 8) {
		for (double y = -64; y <= 64; y += 8) {
			for (double z = -72; z <= 72; z += 8) {
				const double p[3] = {x, y, z};
				double found[3], expected[3];

				if (x * x / (85 * 85) + y * y / (70 * 70) + z * z / (75 * 75) > 1)
					continue;
				true_place(expected, truth, p);
				if (deformation != NULL)
					deformation_apply(found, deformation, p);
				else
					rigid_apply(found, truth, p);
				for (int a = 0; a < 3; a++)
					rms_mm[a] +=
					    (found[a] - expected[a]) * (found[a] - expected[a]);
				n++;
			}
		}
	}
	for (int a = 0; a < 3; a++)
		rms_mm[a] = sqrt(rms_mm[a] / n);
}

static void make(struct pair *pair, void (*bend)(double p[3]), double sigma)
{
	const double angles[3] = {0, 2 * DEGREES, 3 * DEGREES}, shift_mm[3] = {4, -3, 5};
	const struct scene_view rest = {.sigma = sigma}, moved = {.sigma = sigma, .bend = bend};
	struct grid grid = scene_grid(140, 120, 60, 1.5, 3);

	pair_make(pair, &grid, &grid, angles, shift_mm, &rest, &moved);
}

static void finds_a_bump(void **state)
{
	double before_mm[3], after_mm[3], jacobian[2];
	struct status st = STATUS_INIT;
	struct deformation deformation;
	struct volume resampled;
	struct pair pair;
	double square = 0, n = 0;
	char why[200];
	enum deformation_verdict verdict;

	(void)state;
	make(&pair, bump, 8);
	assert_ok(deformation_find(&deformation, &verdict, why, &pair.fixed, &pair.moving,
				   &pair.region, pair.truth, &usual, &st),
		  &st);
	print_message("%s; Jacobian %.3f to %.3f, metric %.4g -> %.4g, residual %.3f mm\n",
		      verdict == DEFORMATION_KEPT ? "kept" : why, deformation.jacobian_least,
		      deformation.jacobian_most, deformation.metric_rigid, deformation.metric_end,
		      deformation.residual_mm);
	assert_int_equal(verdict, DEFORMATION_KEPT);
	error_rms_mm(before_mm, NULL, pair.truth);
	error_rms_mm(after_mm, &deformation, pair.truth);
	print_message("error rms x %.3f y %.3f z %.3f mm, before z %.3f mm\n", after_mm[0],
		      after_mm[1], after_mm[2], before_mm[2]);
	assert_true(before_mm[2] > 1.5);
	assert_true(after_mm[2] < 0.5 && after_mm[0] < 0.5 && after_mm[1] < 0.5);
	/* the bump's own derivative is 6 / 35 * exp(-1/2) = 0.104 at most */
	jacobian[0] = deformation.jacobian_least;
	jacobian[1] = deformation.jacobian_most;
	assert_true(jacobian[0] > 0.75 && jacobian[0] < 0.95);
	assert_true(jacobian[1] < 1.25 && jacobian[1] > 1.05);
	assert_true(deformation.metric_end < deformation.metric_rigid);
	/* and the moving image as seen through it is the fixed one */
	assert_ok(
	    deformation_resample(&resampled, &pair.fixed.grid, &pair.moving, &deformation, 2, &st),
	    &st);
	for (size_t i = 0; i < grid_voxels(&pair.fixed.grid); i++) {
		double difference = (double)(resampled.samples[i] - pair.fixed.samples[i]);

		if (!(pair.region.coverage[i] > 0) || isnan(difference))
			continue;
		square += difference * difference;
		n++;
	}
	print_message("resampled: rms difference %.2f\n", sqrt(square / n));
	assert_true(sqrt(square / n) < 25);
	volume_free(&resampled);
	deformation_free(&deformation);
	pair_free(&pair);
}

static void noise_is_not_deformed(void **state)
{
	struct status st = STATUS_INIT;
	struct deformation deformation;
	struct pair pair;
	char why[200];
	enum deformation_verdict verdict;

	(void)state;
	skip_under_sanitizers();
	make(&pair, NULL, 16);
	assert_ok(deformation_find(&deformation, &verdict, why, &pair.fixed, &pair.moving,
				   &pair.region, pair.truth, &usual, &st),
		  &st);
	assert_int_equal(verdict, DEFORMATION_NOT_BETTER);
	assert_string_equal(why, "the deformation is not better than the rigid answer");
	assert_null(deformation.displacement_mm);
	pair_free(&pair);
}

/* A tumour that went dark in one image only is no motion: voxels far beyond the spread of the rest
 * do not pull. */
static void what_went_dark_bends_nothing(void **state)
{
	struct status st = STATUS_INIT;
	struct deformation deformation;
	struct pair pair;
	char why[200];
	enum deformation_verdict verdict;
	const double radius_mm = 14;
	double middle[3] = {0, 0, 0}, weight = 0;

	(void)state;
	skip_under_sanitizers();
	make(&pair, NULL, 8);
	const struct grid *grid = &pair.fixed.grid;
	for (int pass = 0; pass < 2; pass++) {
		for (int k = 0; k < grid->slices; k++) {
			for (int j = 0; j < grid->rows; j++) {
				for (int i = 0; i < grid->columns; i++) {
					size_t v = ((size_t)k * (size_t)grid->rows + (size_t)j) *
						       (size_t)grid->columns +
						   (size_t)i;
					const double at[3] = {i * 1.5, j * 1.5, k * 3.0};
					double square = 0;
					for (int a = 0; a < 3; a++)
						square += (at[a] - middle[a]) * (at[a] - middle[a]);
					if (pass == 1 && square < radius_mm * radius_mm)
						pair.moving.samples[v] *= 0.05F;
					if (pass == 1 || !(pair.region.coverage[v] > 0))
						continue;
					for (int a = 0; a < 3; a++)
						middle[a] += at[a];
					weight++;
				}
			}
		}
		for (int a = 0; a < 3 && pass == 0; a++)
			middle[a] /= weight;
	}
	assert_ok(deformation_find(&deformation, &verdict, why, &pair.fixed, &pair.moving,
				   &pair.region, pair.truth, &usual, &st),
		  &st);
	assert_int_equal(verdict, DEFORMATION_NOT_BETTER);
	deformation_free(&deformation);
	pair_free(&pair);
}

static void a_folding_field_is_not_kept(void **state)
{
	struct deformation_params loose = usual;
	struct status st = STATUS_INIT;
	struct deformation deformation;
	struct pair pair;
	char why[200];
	enum deformation_verdict verdict;

	(void)state;
	skip_under_sanitizers();
	loose.bending_weight = 0;
	loose.control_spacing_mm = 12;
	make(&pair, fold, 4);
	assert_ok(deformation_find(&deformation, &verdict, why, &pair.fixed, &pair.moving,
				   &pair.region, pair.truth, &loose, &st),
		  &st);
	print_message("%s\n", why);
	assert_int_equal(verdict, DEFORMATION_OUT_OF_RANGE);
	assert_non_null(strstr(why, "changes volumes by a factor"));
	assert_null(deformation.displacement_mm);
	pair_free(&pair);
}

static void same_bits_with_any_number_of_threads(void **state)
{
	struct deformation_params one = usual;
	struct deformation a, b;
	struct status st = STATUS_INIT;
	struct pair pair;
	char why[200];
	enum deformation_verdict verdict;

	(void)state;
	skip_under_sanitizers();
	one.threads = 1;
	make(&pair, bump, 8);
	assert_ok(deformation_find(&a, &verdict, why, &pair.fixed, &pair.moving, &pair.region,
				   pair.truth, &usual, &st),
		  &st);
	assert_int_equal(verdict, DEFORMATION_KEPT);
	assert_ok(deformation_find(&b, &verdict, why, &pair.fixed, &pair.moving, &pair.region,
				   pair.truth, &one, &st),
		  &st);
	assert_int_equal(verdict, DEFORMATION_KEPT);
	assert_memory_equal(a.displacement_mm, b.displacement_mm,
			    3 * grid_voxels(&a.control) * sizeof *a.displacement_mm);
	assert_true(a.residual_mm == b.residual_mm);
	deformation_free(&a);
	deformation_free(&b);
	pair_free(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_a_bump),
	    cmocka_unit_test(noise_is_not_deformed),
	    cmocka_unit_test(what_went_dark_bends_nothing),
	    cmocka_unit_test(a_folding_field_is_not_kept),
	    cmocka_unit_test(same_bits_with_any_number_of_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
