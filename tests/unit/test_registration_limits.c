#include "registration_scene.h"

#include "registration_parts.h"

#include <stdlib.h>

static void noise_alone_is_not_better(void **state)
{
	const double none[3] = {0, 0, 0};
	struct grid grid = series_grid(), anatomy = anatomy_grid();
	struct registration_result result;
	struct pair pair;
	double mean_mm;

	(void)state;
	pair_make(&pair, &grid, &grid, none, none, &s0_map, &s0_map);
	result = solve(&pair, &mean_mm);
	assert_true(mean_mm < 0.3);
	assert_false(result.better);
	memcpy(pair.moving.samples, pair.fixed.samples,
	       grid_voxels(&grid) * sizeof *pair.moving.samples);
	result = solve(&pair, &mean_mm); /* the very same image */
	assert_false(result.better);
	pair_free(&pair);
	/* but half a millimetre is */
	pair_make(&pair, &anatomy, &anatomy, none, (const double[3]){0.3, 0.3, 0.3}, &s0_map,
		  &s0_map);
	result = solve(&pair, &mean_mm);
	assert_true(result.better);
	pair_free(&pair);
}

static void same_bits_with_any_number_of_threads(void **state)
{
	const double angles[3] = {0, 0, 4 * DEGREES}, shift_mm[3] = {4, -3, 7};
	struct grid fixed = anatomy_grid(), moving = series_grid();
	struct pair pair;

	(void)state;
	pair_make(&pair, &fixed, &moving, angles, shift_mm, &t1w, &s0_map);
	for (int metric = 0; metric < 2; metric++) {
		struct registration_result one, other;
		double mean_mm;

		memset(&one, 0, sizeof one);
		memset(&other, 0, sizeof other);
		pair.input.metric = (enum registration_metric)metric;
		pair.input.threads = 1;
		one = solve(&pair, &mean_mm);
		pair.input.threads = 3;
		other = solve(&pair, &mean_mm);
		assert_memory_equal(one.transform, other.transform, sizeof one.transform);
		assert_true(one.metric_end == other.metric_end);
		assert_true(one.residual_mm == other.residual_mm);
		assert_true(one.capture_spread_mm == other.capture_spread_mm);
	}
	pair_free(&pair);
}

static void same_bits_with_any_instruction_set(void **state)
{
	enum { SIZE = 24, N = 203, ROWS = REGISTRATION_BINS * REGISTRATION_BIN_ROW };
	static float samples[SIZE * SIZE * SIZE], fixed[N], table[ROWS], joint[2][ROWS];
	static struct registration_run run[2];
	static struct registration_lanes lanes[2];
	const struct registration_scale scale = {.low = 0, .per_value = 0.06F, .bins = 64};
	const struct registration_source source = {
	    .samples = samples,
	    .size = {SIZE, SIZE, SIZE},
	    .to_mm = {{0.6F, 0.1F, 0}, {-0.1F, 0.6F, 0}, {0, 0, 0.2F}}};
	const struct registration_line line = {.voxel = {-0.5F, 3.1F, 20.7F},
					       .voxel_step = {0.12F, 0.03F, -0.05F},
					       .arm_mm = {-40, 20, 9},
					       .arm_step_mm = {1.5F, 0.02F, -0.1F}};

	(void)state;
	scene_random_state = 5;
	for (int i = 0; i < SIZE * SIZE * SIZE; i++)
		samples[i] = i % 97 == 0 ? NAN : (float)scene_random(0, 1000);
	for (int i = 0; i < N; i++)
		fixed[i] = i % 31 == 0 ? NAN : (float)scene_random(0, 1000);
	for (int i = 0; i < ROWS; i++)
		table[i] = (float)scene_random(-2, 2);
	for (int at = 0; registration_code_at(at) != NULL; at++) {
		const struct registration_code *code = registration_code_at(at);
		int which = at > 0;

		memset(&run[which], 0, sizeof run[which]);
		memset(&lanes[which], 0, sizeof lanes[which]);
		memset(joint[which], 0, sizeof joint[which]);
		code->sample(&run[which], &source, &line, N);
		code->squares(&run[which], fixed, N, 0.9F, 1e-5F);
		code->add(&lanes[which], &run[which], &line, N);
		code->count(joint[which], &run[which], fixed, N, &scale, &scale);
		code->mutual(&run[which], fixed, N, &scale, &scale, table, table);
		code->add(&lanes[which], &run[which], &line, N);
		print_message("%s\n", code->name);
		assert_memory_equal(&lanes[which], &lanes[0], sizeof lanes[0]);
		assert_memory_equal(joint[which], joint[0], sizeof joint[0]);
	}
	assert_true(lanes[0].sum[REGISTRATION_COUNT][1] > 0);
}

static void squeeze(double p[3])
{
	double square = (p[0] - 20) * (p[0] - 20) + p[1] * p[1] + (p[2] + 10) * (p[2] + 10);

	p[2] += 6 * exp(-square / (2 * 28 * 28));
}

/* Root mean square over the body of what squeeze() does beyond a shift. */
static double squeeze_mm(void)
{
	double sum = 0, square = 0, n = 0;

	for (double x = -84; x < 85; x += 4) {
		for (double y = -69; y < 70; y += 4) {
			for (double z = -74; z < 75; z += 4) {
				double p[3] = {x, y, z};

				if (x * x / (85 * 85) + y * y / (70 * 70) + z * z / (75 * 75) > 1)
					continue;
				squeeze(p);
				sum += p[2] - z;
				square += (p[2] - z) * (p[2] - z);
				n++;
			}
		}
	}
	return sqrt(square / n - sum * sum / (n * n));
}

static void residual_sees_what_is_not_rigid(void **state)
{
	const double angles[3] = {1 * DEGREES, 0, 2 * DEGREES}, shift_mm[3] = {4, -3, 2};
	struct grid grid = series_grid();
	struct scene_view bent = s0_map, clear = s0_map;
	struct registration_result result;
	struct pair pair;
	double mean_mm;

	(void)state;
	bent.sigma = clear.sigma = 5;
	bent.bend = squeeze;
	pair_make(&pair, &grid, &grid, angles, shift_mm, &clear, &bent);
	result = solve(&pair, &mean_mm);
	print_message("residual %.3f mm, the squeeze is %.3f mm\n", result.residual_mm,
		      squeeze_mm());
	assert_true(result.residual_mm > 0.4 * squeeze_mm());
	assert_true(result.residual_mm < 1.6 * squeeze_mm());
	pair_free(&pair);
}

/* A ball in water looks the same however it is turned. */
static void a_ball_has_no_answer(void **state)
{
	struct grid grid = scene_grid(80, 80, 32, 2, 5);
	struct registration_result result;
	struct status st = STATUS_INIT;
	struct volume images[2];
	struct registration_input input = {.fixed = &images[0], .moving = &images[1], .threads = 2};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_ok(volume_new(&images[i], &grid, 0, &st), &st);
		for (size_t at = 0; at < grid_voxels(&grid); at++) {
			const double voxel[3] = {(double)(at % 80), (double)(at / 80 % 80),
						 (double)(at / 6400)};
			const double none[3] = {0, 0, 0}, semi_mm[3] = {50, 50, 50};
			double p[3];

			grid_to_patient(&grid, voxel, p);
			images[i].samples[at] =
			    (float)(200 + 800 * scene_share(p, none, semi_mm, 6) +
				    10 * scene_noise());
		}
	}
	assert_ok(registration_rigid(&result, &input, &st), &st);
	print_message("capture spread %.2f mm\n", result.capture_spread_mm);
	assert_true(result.capture_spread_mm > 3);
	volume_free(&images[0]);
	volume_free(&images[1]);
}

static void refused(const struct registration_input *input, const char *words)
{
	struct registration_result result;
	struct status st = STATUS_INIT;

	assert_int_equal(registration_rigid(&result, input, &st), STATUS_REFUSE);
	if (strstr(st.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", st.text, words);
}

static void what_cannot_be_registered_is_refused(void **state)
{
	const double none[3] = {0, 0, 0};
	double mirror[RIGID_SIZE];
	struct grid grid = series_grid(), plane = series_grid();
	struct registration_input input;
	struct status st = STATUS_INIT;
	struct mask empty = MASK_INIT;
	struct volume flat, slice;
	struct pair pair;

	(void)state;
	plane.slices = 1;
	pair_make(&pair, &grid, &grid, none, none, &s0_map, &s0_map);
	assert_ok(volume_new(&flat, &grid, 700, &st), &st);
	assert_ok(volume_new(&slice, &plane, 700, &st), &st);
	assert_ok(mask_new(&empty, &grid, &st), &st);
	mask_update_bounds(&empty);
	for (int metric = 0; metric < 2; metric++) {
		pair.input.metric = (enum registration_metric)metric;
		input = pair.input;
		input.moving = &flat;
		refused(&input, "moving image has no structure");
		input = pair.input;
		input.fixed = &flat;
		refused(&input, "fixed image has no structure");
	}
	input = pair.input;
	input.moving = &slice;
	refused(&input, "single plane");
	input = pair.input;
	input.region = &empty;
	refused(&input, "region of the registration is empty");
	strcpy(empty.grid.frame_of_reference, "4.5.6");
	refused(&input, "another frame of reference");
	input = pair.input;
	rigid_identity(mirror);
	mirror[0] = -1;
	input.start = mirror;
	refused(&input, "not a rigid transform");
	for (size_t at = 0; at < grid_voxels(&grid); at++)
		flat.samples[at] = NAN;
	input = pair.input;
	input.moving = &flat;
	refused(&input, "missing");
	for (size_t at = 0; at < 900; at++)
		flat.samples[grid_voxels(&grid) / 2 + at] = (float)at;
	refused(&input, "fewer than 1000 voxels");
	volume_free(&flat);
	volume_free(&slice);
	mask_free(&empty);
	pair_free(&pair);
}

/* One voxel and 12 mm around it, in cells of 4 mm. */
static void a_region_reaches_as_far_as_its_margin(void **state)
{
	const struct grid grid = scene_grid(41, 41, 41, 2, 2);
	const double in[][3] = {{0, 0, 0}, {9, 0, 0}, {0, -9, 0}, {0, 0, 9}, {6, 6, -4}};
	const double out[][3] = {{18, 0, 0}, {0, 18, 0}, {0, 0, -18}, {13, 13, 0}, {11, -11, 11}};
	struct registration_region region;
	struct mask mask = MASK_INIT;
	struct status st = STATUS_INIT;

	(void)state;
	assert_ok(mask_new(&mask, &grid, &st), &st);
	mask.coverage[(20 * 41 + 20) * 41 + 20] = 1;
	mask_update_bounds(&mask);
	assert_ok(registration_region_new(&region, &mask, 12, &st), &st);
	for (size_t i = 0; i < sizeof in / sizeof in[0]; i++)
		assert_true(registration_region_has(&region, in[i]));
	for (size_t i = 0; i < sizeof out / sizeof out[0]; i++)
		assert_false(registration_region_has(&region, out[i]));
	free(region.inside);
	mask_free(&mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(noise_alone_is_not_better),
	    cmocka_unit_test(same_bits_with_any_number_of_threads),
	    cmocka_unit_test(same_bits_with_any_instruction_set),
	    cmocka_unit_test(residual_sees_what_is_not_rigid),
	    cmocka_unit_test(a_region_reaches_as_far_as_its_margin),
	    cmocka_unit_test(a_ball_has_no_answer),
	    cmocka_unit_test(what_cannot_be_registered_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
