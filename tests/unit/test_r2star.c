#include "check.h"

#include <stdlib.h>

#include "r2star.h"
#include "r2star_block.h"

/* The 16-echo train of facts/physics.md 2.2. */
enum { ECHOES = 16 };
static double te_ms[ECHOES];

static int set_echo_times(void **state)
{
	(void)state;
	for (int e = 0; e < ECHOES; e++)
		te_ms[e] = 1.33 + 1.15 * e;
	return 0;
}

static struct grid row_of_voxels(int columns, int rows)
{
	struct grid grid = {.columns = columns,
			    .rows = rows,
			    .slices = 1,
			    .column_step_mm = {1, 0, 0},
			    .row_step_mm = {0, 1, 0},
			    .slice_step_mm = {0, 0, 1},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

static uint64_t random_state;

static double random_unit(void)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static double random_normal(void)
{
	return sqrt(-2 * log(random_unit())) * cos(2 * M_PI * random_unit());
}

/* Magnitude of a complex signal with noise of SD sigma on both parts. */
static float rician(double signal, double sigma)
{
	return (float)hypot(signal + sigma * random_normal(), sigma * random_normal());
}

struct made {
	struct echo_series series;
	float *samples;
	size_t voxels;
};

static struct made series_new(int columns, int rows)
{
	struct made made = {.voxels = (size_t)columns * (size_t)rows};

	made.samples = calloc(made.voxels * ECHOES, sizeof *made.samples);
	assert_non_null(made.samples);
	made.series =
	    (struct echo_series){row_of_voxels(columns, rows), ECHOES, te_ms, made.samples};
	return made;
}

static float *sample(const struct made *made, int echo, size_t voxel)
{
	return &made->samples[(size_t)echo * made->voxels + voxel];
}

static struct r2star_map fit(const struct made *made, double sigma, int threads)
{
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct r2star_map map;
	struct status st = STATUS_INIT;

	params.sigma = sigma;
	params.threads = threads;
	assert_ok(r2star_fit(&map, &made->series, &params, &st), &st);
	return map;
}

static void exact_on_a_decay_without_noise(void **state)
{
	struct made made = series_new(200, 1);
	struct r2star_map map;

	(void)state;
	for (size_t v = 0; v < made.voxels; v++) {
		double r2star_per_s = 5 * (double)(v + 1);

		for (int e = 0; e < ECHOES; e++)
			*sample(&made, e, v) = (float)(750 * exp(-r2star_per_s * te_ms[e] / 1000));
	}
	map = fit(&made, 0, 1);
	for (size_t v = 0; v < made.voxels; v++) {
		double r2star_per_s = 5 * (double)(v + 1);

		assert_int_equal(map.state[v], R2STAR_FITTED);
		assert_close((double)map.r2star_per_s.samples[v], r2star_per_s, 1e-3, 1e-5);
		assert_close((double)map.s0.samples[v], 750, 0, 1e-5);
	}
	assert_true(map.sigma < 0.01);
	assert_int_equal(map.count[R2STAR_FITTED], made.voxels);
	r2star_map_free(&map);
	free(made.samples);
}

/* Signals that are exactly the model, floor and all: the floor must be taken out again. */
static void exact_on_the_noise_floor(void **state)
{
	struct made made = series_new(100, 1);
	struct r2star_map map;
	double sigma = 10;

	(void)state;
	for (size_t v = 0; v < made.voxels; v++) {
		for (int e = 0; e < ECHOES; e++) {
			double tissue = 750 * exp(-5 * (double)(v + 1) * te_ms[e] / 1000);

			*sample(&made, e, v) = (float)sqrt(tissue * tissue + 2 * sigma * sigma);
		}
	}
	map = fit(&made, sigma, 1);
	for (size_t v = 0; v < made.voxels; v++) {
		assert_int_equal(map.state[v], R2STAR_FITTED);
		assert_close((double)map.r2star_per_s.samples[v], 5 * (double)(v + 1), 2e-3, 1e-5);
		assert_close((double)map.s0.samples[v], 750, 0, 2e-5);
	}
	r2star_map_free(&map);
	free(made.samples);
}

/* Uneven echo times take another way through the code. */
static void exact_on_uneven_echo_times(void **state)
{
	double uneven_ms[5] = {0.9, 2.1, 4.6, 9.2, 14.1};
	float samples[5 * 8];
	struct echo_series series = {row_of_voxels(8, 1), 5, uneven_ms, samples};
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct r2star_map map;
	struct status st = STATUS_INIT;

	(void)state;
	params.sigma = 1e-3;
	for (int v = 0; v < 8; v++) {
		for (int e = 0; e < 5; e++)
			samples[8 * e + v] =
			    (float)(300 * exp(-(15 + 60 * v) * uneven_ms[e] / 1000));
	}
	assert_ok(r2star_fit(&map, &series, &params, &st), &st);
	for (int v = 0; v < 8; v++)
		assert_close((double)map.r2star_per_s.samples[v], 15 + 60 * v, 2e-3, 1e-5);
	r2star_map_free(&map);
}

/* Liver-like voxels with noise, some hot, some air. */
static struct made noisy_series(int columns, int rows, double sigma)
{
	struct made made = series_new(columns, rows);

	random_state = 11;
	for (size_t v = 0; v < made.voxels; v++) {
		double s0 = v % 5 == 4 ? 0 : 800 + 400 * random_unit();
		double r2star_per_s =
		    v % 7 == 6 ? 100 + 700 * random_unit() : 30 + 60 * random_unit();

		for (int e = 0; e < ECHOES; e++)
			*sample(&made, e, v) =
			    rician(s0 * exp(-r2star_per_s * te_ms[e] / 1000), sigma);
	}
	return made;
}

static void assert_same_map(const struct r2star_map *a, const struct r2star_map *b, size_t voxels)
{
	assert_memory_equal(a->r2star_per_s.samples, b->r2star_per_s.samples,
			    voxels * sizeof(float));
	assert_memory_equal(a->stderr_per_s.samples, b->stderr_per_s.samples,
			    voxels * sizeof(float));
	assert_memory_equal(a->s0.samples, b->s0.samples, voxels * sizeof(float));
	assert_memory_equal(a->first_echo.samples, b->first_echo.samples, voxels * sizeof(float));
	assert_memory_equal(a->state, b->state, voxels);
}

static void same_bits_at_any_thread_count(void **state)
{
	struct made made = noisy_series(211, 157, 20);
	struct r2star_map one = fit(&made, 0, 1), three = fit(&made, 0, 3);

	(void)state;
	assert_true(one.sigma == three.sigma);
	assert_same_map(&one, &three, made.voxels);
	r2star_map_free(&one);
	r2star_map_free(&three);
	free(made.samples);
}

static void same_bits_on_any_instruction_set(void **state)
{
	struct made made = noisy_series(R2STAR_LANES, 1, 20);
	size_t bytes = sizeof(struct r2star_block);
	struct r2star_block *first = aligned_alloc(64, bytes), *other = aligned_alloc(64, bytes);
	float counted[R2STAR_LANES];

	(void)state;
	for (int at = 0; r2star_code_at(at) != NULL; at++) {
		const struct r2star_code *code = r2star_code_at(at);
		struct r2star_block *block = at == 0 ? first : other;

		r2star_block_init(block, &made.series);
		assert_true(code->load(block, made.samples, made.voxels, R2STAR_LANES, 80, 800,
				       counted) > 80);
		code->start(block);
		code->improve(block, 20);
		code->finish(block);
		if (at > 0)
			assert_memory_equal(first, other, bytes);
		print_message("%s\n", code->name);
	}
	free(first);
	free(other);
	free(made.samples);
}

static void a_voxel_does_not_see_its_neighbours(void **state)
{
	struct made made = noisy_series(300, 100, 20), turned = series_new(300, 100);
	struct r2star_map map = fit(&made, 20, 2), other;

	(void)state;
	for (size_t v = 0; v < made.voxels; v++) {
		for (int e = 0; e < ECHOES; e++)
			*sample(&turned, e, (v * 7919) % made.voxels) = *sample(&made, e, v);
	}
	other = fit(&turned, 20, 2);
	for (size_t v = 0; v < made.voxels; v++) {
		size_t w = (v * 7919) % made.voxels;

		assert_int_equal(map.state[v], other.state[w]);
		assert_memory_equal(&map.r2star_per_s.samples[v], &other.r2star_per_s.samples[w],
				    sizeof(float));
	}
	r2star_map_free(&map);
	r2star_map_free(&other);
	free(made.samples);
	free(turned.samples);
}

static void the_unit_of_the_signal_does_not_matter(void **state)
{
	struct made made = noisy_series(211, 50, 20);
	struct r2star_map map = fit(&made, 0, 2), scaled;

	(void)state;
	for (size_t i = 0; i < made.voxels * ECHOES; i++)
		made.samples[i] *= 0.001F;
	scaled = fit(&made, 0, 2);
	assert_close(scaled.sigma, 0.001 * map.sigma, 0, 1e-5);
	for (size_t v = 0; v < made.voxels; v++) {
		float value = map.r2star_per_s.samples[v];

		if (map.state[v] != scaled.state[v])
			continue; /* an echo within rounding of the limit */
		if (!isnan(value))
			assert_close((double)scaled.r2star_per_s.samples[v], (double)value, 2e-3,
				     3e-4);
	}
	for (int s = 0; s < R2STAR_STATES; s++)
		assert_close((double)scaled.count[s], (double)map.count[s], 3, 0);
	r2star_map_free(&map);
	r2star_map_free(&scaled);
	free(made.samples);
}

struct row {
	double r2star_per_s;
	double tr_bias, rf_bias; /* percent: truncated and noise-floor column */
	double s0k_bias, s0k_sd; /* percent: known-S0 column */
};

/* facts/physics.md 3.2. Bias and SD over 20000 trials; the tables are rounded to their last digit.
 */
static void check_table(double snr, const struct row *rows, int n)
{
	enum { TRIALS = 20000 };

	for (int r = 0; r < n; r++) {
		struct made made = series_new(200, TRIALS / 200);
		const struct row *row = &rows[r];
		struct volume s0 = VOLUME_INIT;
		struct status st = STATUS_INIT;
		struct r2star_map map;
		double sum = 0, squares = 0, errors = 0, sum_k = 0, squares_k = 0, bias, sd, bias_k,
		       sd_k, whole = 0;
		double better = fmin(fabs(row->tr_bias), fabs(row->rf_bias));
		size_t fitted;

		random_state = 77;
		for (size_t v = 0; v < TRIALS; v++) {
			for (int e = 0; e < ECHOES; e++)
				*sample(&made, e, v) =
				    rician(snr * exp(-row->r2star_per_s * te_ms[e] / 1000), 1);
		}
		map = fit(&made, 1, 2);
		fitted = map.count[R2STAR_FITTED];
		for (size_t v = 0; v < TRIALS; v++) {
			double value = (double)map.r2star_per_s.samples[v];

			if (map.state[v] != R2STAR_FITTED)
				continue;
			sum += value;
			squares += value * value;
			errors += (double)map.stderr_per_s.samples[v];
		}
		sum /= (double)fitted;
		sd = sqrt(squares / (double)fitted - sum * sum) * 100 / row->r2star_per_s;
		bias = (sum / row->r2star_per_s - 1) * 100;
		errors *= 100 / row->r2star_per_s / (double)fitted;

		/* as a map is used: fitted where there are echoes, else by S0; then every voxel by
		 * S0 */
		assert_ok(volume_new(&s0, &made.series.grid, (float)snr, &st), &st);
		assert_ok(r2star_resolve(&map, &s0, 1, true, &st), &st);
		for (size_t v = 0; v < TRIALS; v++)
			whole += (double)map.r2star_per_s.samples[v] / TRIALS;
		whole = (whole / row->r2star_per_s - 1) * 100;
		memset(map.state, R2STAR_FEW_ECHOES, TRIALS);
		assert_ok(r2star_resolve(&map, &s0, 1, true, &st), &st);
		for (size_t v = 0; v < TRIALS; v++) {
			sum_k += (double)map.r2star_per_s.samples[v] / TRIALS;
			squares_k += (double)map.r2star_per_s.samples[v] *
				     (double)map.r2star_per_s.samples[v] / TRIALS;
		}
		sd_k = sqrt(squares_k - sum_k * sum_k) * 100 / row->r2star_per_s;
		bias_k = (sum_k / row->r2star_per_s - 1) * 100;
		print_message("SNR %2.0f R2* %4.0f: fit %+6.2f (%5.2f, predicted %5.2f) of %5zu; "
			      "S0 known %+5.2f (%5.2f); both %+5.2f\n",
			      snr, row->r2star_per_s, bias, sd, errors, fitted, bias_k, sd_k,
			      whole);
		if (fitted > 0.98 * TRIALS) {
			assert_true(fabs(bias) <= better + 0.05 + 3 * sd / sqrt((double)fitted));
			assert_close(errors, sd, 0, 0.12);
		}
		assert_close(bias_k, row->s0k_bias, 0.05 + 4 * sd_k / sqrt(TRIALS), 0);
		assert_close(sd_k, row->s0k_sd, 0.5, 0.03);
		volume_free(&s0);
		r2star_map_free(&map);
		free(made.samples);
	}
}

static void bias_of_the_estimators_at_snr_50(void **state)
{
	static const struct row rows[] = {{30, 0, 0, 0.2, 52},	     {100, -0.2, 0.3, 0.3, 17},
					  {200, -1.1, 0.9, 0.2, 10}, {300, -1.4, 1.2, 0.2, 7},
					  {400, -1.8, 1.4, 0.3, 6},  {600, -1.9, 2.3, 0.2, 6},
					  {800, -1.9, 4.0, 0.3, 5},  {1200, 99, 35, 0.6, 6}};

	(void)state;
	check_table(50, rows, 8);
}

static void bias_of_the_estimators_at_snr_20(void **state)
{
	static const struct row rows[] = {{30, -0.4, 0.5, 6, 131},   {100, -3.4, 1.6, 2.4, 43},
					  {200, -4.7, 3.7, 1.7, 25}, {300, -5.9, 4.8, 1.2, 19},
					  {400, -7.5, 6.1, 1.5, 16}, {600, -17, 12, 1.7, 14}};

	(void)state;
	check_table(20, rows, 6);
}

static void noise_is_found_in_tissue_and_in_air(void **state)
{
	static const double snrs[] = {20, 35, 50, 100};

	(void)state;
	for (int i = 0; i < 4; i++) {
		double sigma = 1000 / snrs[i];
		struct made made = noisy_series(200, 120, sigma);
		struct r2star_map map = fit(&made, 0, 2);

		assert_close(map.sigma, sigma, 0, 0.03);
		assert_close(map.air_sigma, sigma, 0, 0.02);
		r2star_map_free(&map);
		for (size_t v = 4; v < made.voxels; v += 5) { /* a scanner that blanks the air */
			for (int e = 0; e < ECHOES; e++)
				*sample(&made, e, v) = 0;
		}
		map = fit(&made, 0, 2);
		assert_close(map.sigma, sigma, 0, 0.03);
		assert_true(isnan(map.air_sigma));
		assert_int_equal(map.state[4], R2STAR_NO_ECHO);
		r2star_map_free(&map);
		free(made.samples);
	}
}

/* Whole numbers without noise: rounding is the noise. */
static void rounding_is_a_noise(void **state)
{
	struct made made = series_new(100, 100);
	struct r2star_map map;

	(void)state;
	random_state = 3;
	for (size_t v = 0; v < made.voxels; v++) {
		double r2star_per_s = 20 + 180 * random_unit();

		for (int e = 0; e < ECHOES; e++)
			*sample(&made, e, v) =
			    (float)round(500 * exp(-r2star_per_s * te_ms[e] / 1000));
	}
	map = fit(&made, 0, 2);
	assert_close(map.sigma, 0.289, 0.03, 0);
	assert_int_equal(map.count[R2STAR_FITTED], made.voxels);
	r2star_map_free(&map);

	for (size_t v = 0; v < made.voxels; v++) { /* so slow and smooth that no residual shows */
		for (int e = 0; e < ECHOES; e++)
			*sample(&made, e, v) = (float)(4 + v % 40);
	}
	map = fit(&made, 0, 2);
	assert_close(map.sigma, 0.29, 1e-6, 0);
	assert_close((double)map.r2star_per_s.samples[17], 0, 1e-3, 0);
	r2star_map_free(&map);
	free(made.samples);
}

/* One voxel per rule of the header. sigma 10: usable above 40, saturated below 20. */
static void few_echoes_are_resolved_with_the_baseline(void **state)
{
	struct made made = series_new(8, 1);
	struct volume s0 = VOLUME_INIT;
	struct status st = STATUS_INIT;
	struct r2star_map map;
	double te1_s = 1.33e-3;
	static const float first_echo[] = {500, 100, 30, 15, 15, 15, 0, 45};
	static const float baseline_s0[] = {600, 600, 600, 600, NAN, 60, 600, 600};
	static const int states[] = {R2STAR_FITTED,    R2STAR_S0_KNOWN,	    R2STAR_S0_KNOWN,
				     R2STAR_SATURATED, R2STAR_NOT_MEASURED, R2STAR_NOT_MEASURED,
				     R2STAR_SATURATED, R2STAR_S0_KNOWN};

	(void)state;
	for (size_t v = 0; v < 8; v++) {
		*sample(&made, 0, v) = first_echo[v];
		for (int e = 1; e < ECHOES; e++)
			*sample(&made, e, v) = v == 0 ? 500 * expf(-0.1F * (float)e) : 12;
	}
	map = fit(&made, 10, 1);
	assert_int_equal(map.state[0], R2STAR_FITTED);
	assert_int_equal(map.state[1], R2STAR_FEW_ECHOES);
	assert_int_equal(map.state[2], R2STAR_NO_ECHO);
	assert_int_equal(map.state[7], R2STAR_FEW_ECHOES);
	assert_true(isnan(map.r2star_per_s.samples[1]));
	assert_true(isnan(map.s0.samples[2]));
	assert_close((double)map.first_echo.samples[2], 30, 0, 0);
	assert_ok(volume_new(&s0, &made.series.grid, 0, &st), &st);
	memcpy(s0.samples, baseline_s0, sizeof baseline_s0);
	assert_ok(r2star_resolve(&map, &s0, 0.5, true, &st), &st); /* S0 is 300 now, and 30 */
	for (int v = 0; v < 8; v++)
		assert_int_equal(map.state[v], states[v]);
	assert_int_equal(map.count[R2STAR_S0_KNOWN], 3);
	assert_int_equal(map.count[R2STAR_SATURATED], 2);
	assert_int_equal(map.count[R2STAR_NOT_MEASURED], 2);
	assert_close((double)map.r2star_per_s.samples[1],
		     log(300 / sqrt(100.0 * 100 - 200)) / te1_s, 0, 1e-6);
	assert_close((double)map.r2star_per_s.samples[3], log(300 / sqrt(200.0)) / te1_s, 0, 1e-6);
	assert_close((double)map.r2star_per_s.samples[6], log(300 / sqrt(200.0)) / te1_s, 0, 1e-6);
	assert_true(isnan(map.r2star_per_s.samples[4]));
	assert_true(isnan(map.r2star_per_s.samples[5]));
	r2star_map_free(&map);

	map = fit(&made, 10, 1);
	assert_ok(r2star_resolve(&map, &s0, 0.5, false, &st), &st); /* TR or flip differ */
	assert_int_equal(map.count[R2STAR_NOT_MEASURED], 7);
	assert_true(isnan(map.r2star_per_s.samples[1]));
	r2star_map_free(&map);

	map = fit(&made, 10, 1);
	assert_ok(r2star_resolve(&map, NULL, 1, true, &st), &st); /* a baseline */
	assert_int_equal(map.count[R2STAR_NOT_MEASURED], 7);
	s0.grid.origin_mm[0] += 1;
	assert_int_equal(r2star_resolve(&map, &s0, 1, true, &st), STATUS_BUG);
	r2star_map_free(&map);
	volume_free(&s0);
	free(made.samples);
}

static void values_that_are_no_numbers_are_not_fitted(void **state)
{
	struct made made = noisy_series(100, 50, 20);
	struct r2star_map map;

	(void)state;
	*sample(&made, 0, 1) = NAN;
	*sample(&made, 5, 2) = NAN;
	*sample(&made, 1, 3) = -5;
	map = fit(&made, 20, 1);
	assert_int_equal(map.state[1], R2STAR_NO_ECHO);
	assert_int_equal(map.state[2], R2STAR_FITTED); /* by the five echoes before */
	assert_true(isfinite(map.r2star_per_s.samples[2]));
	assert_int_equal(map.state[3], R2STAR_FEW_ECHOES);
	r2star_map_free(&map);
	free(made.samples);
}

static void unusable_series_are_refused(void **state)
{
	struct made made = series_new(50, 50);
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	double falling_ms[ECHOES];
	struct r2star_map map;
	struct status st = STATUS_INIT;

	(void)state;
	assert_int_equal(r2star_fit(&map, &made.series, &params, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "noise"));
	status_clear(&st);
	made.series.echoes = 2;
	assert_int_equal(r2star_fit(&map, &made.series, &params, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "2 echoes"));
	status_clear(&st);
	memcpy(falling_ms, te_ms, sizeof te_ms);
	falling_ms[4] = falling_ms[3];
	made.series.echoes = ECHOES;
	made.series.te_ms = falling_ms;
	assert_int_equal(r2star_fit(&map, &made.series, &params, &st), STATUS_REFUSE);
	assert_non_null(strstr(st.text, "echo 5"));
	free(made.samples);
}

/* At the least squares' minimum a further step of Gauss and Newton, in double precision, leads
 * nowhere. */
static double further_step_per_s(const struct made *made, const struct r2star_map *map, size_t v,
				 double sigma)
{
	const double s0 = (double)map->s0.samples[v], r2star = (double)map->r2star_per_s.samples[v];
	double aa = 0, ar = 0, rr = 0, a = 0, r = 0;

	for (int e = 0; e < ECHOES && (double)*sample(made, e, v) > 4 * sigma; e++) {
		double te_s = te_ms[e] / 1000, decay = exp(-r2star * te_s), tissue = s0 * decay;
		double model = sqrt(tissue * tissue + 2 * sigma * sigma);
		double by_s0 = tissue * decay / model, by_r2star = -te_s * tissue * tissue / model;
		double residual = (double)*sample(made, e, v) - model;

		aa += by_s0 * by_s0;
		ar += by_s0 * by_r2star;
		rr += by_r2star * by_r2star;
		a += by_s0 * residual;
		r += by_r2star * residual;
	}
	return (aa * r - ar * a) / (aa * rr - ar * ar);
}

static void ends_at_the_minimum(void **state)
{
	struct made made = noisy_series(200, 100, 20);
	struct r2star_map map = fit(&made, 20, 2);
	double largest = 0;

	(void)state;
	for (size_t v = 0; v < made.voxels; v++) {
		if (map.state[v] != R2STAR_FITTED)
			continue;
		largest = fmax(largest, fabs(further_step_per_s(&made, &map, v, 20)) /
					    (double)map.stderr_per_s.samples[v]);
	}
	print_message("a further step would be %.2g standard errors at most\n", largest);
	assert_true(largest < 0.005);
	r2star_map_free(&map);
	free(made.samples);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exact_on_a_decay_without_noise),
	    cmocka_unit_test(ends_at_the_minimum),
	    cmocka_unit_test(exact_on_the_noise_floor),
	    cmocka_unit_test(exact_on_uneven_echo_times),
	    cmocka_unit_test(same_bits_at_any_thread_count),
	    cmocka_unit_test(same_bits_on_any_instruction_set),
	    cmocka_unit_test(a_voxel_does_not_see_its_neighbours),
	    cmocka_unit_test(the_unit_of_the_signal_does_not_matter),
	    cmocka_unit_test(bias_of_the_estimators_at_snr_50),
	    cmocka_unit_test(bias_of_the_estimators_at_snr_20),
	    cmocka_unit_test(noise_is_found_in_tissue_and_in_air),
	    cmocka_unit_test(rounding_is_a_noise),
	    cmocka_unit_test(few_echoes_are_resolved_with_the_baseline),
	    cmocka_unit_test(values_that_are_no_numbers_are_not_fitted),
	    cmocka_unit_test(unusable_series_are_refused),
	};
	return cmocka_run_group_tests(tests, set_echo_times, NULL);
}
