/* r2star_bench.c - times the R2* fit, and fits raw files so that another program can check it.
 *
 *   r2star_bench time [COLUMNS ROWS SLICES ECHOES]
 *       a synthetic series (256 x 256 x 40, 10 echoes), Rician noise; Mvoxel/s on 1 and 2 threads
 *   r2star_bench make ECHOES.f32 TE.txt
 *       the same series as a raw file, echoes outermost, and its echo times
 *   r2star_bench fit ECHOES.f32 TE.txt VOXELS OUT.f32 [SIGMA]
 *       OUT: per voxel R2*, its standard error, S0 and state, as four float arrays one after
 * another; prints the noise SD used */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "r2star.h"

enum { REPEATS = 7, MOST_ECHOES = 64 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t random_state = 1;

static double random_unit(void)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return ((double)(random_state >> 11) + 0.5) / 9007199254740992.0;
}

static void random_pair(double pair[2])
{
	double radius = sqrt(-2 * log(random_unit())), angle = 2 * M_PI * random_unit();

	pair[0] = radius * cos(angle);
	pair[1] = radius * sin(angle);
}

static int fail(const char *what)
{
	fprintf(stderr, "r2star_bench: %s\n", what);
	return 1;
}

static struct grid plain_grid(int columns, int rows, int slices)
{
	struct grid grid = {.columns = columns,
			    .rows = rows,
			    .slices = slices,
			    .column_step_mm = {1.5, 0, 0},
			    .row_step_mm = {0, 1.5, 0},
			    .slice_step_mm = {0, 0, 5}};
	return grid;
}

/* An ellipse of tissue (signal 1000, R2* 20 to 320 per s) in air, sigma 15. */
static float *make_series(const struct grid *grid, int echoes, double *te_ms)
{
	size_t voxels = grid_voxels(grid);
	float *samples = malloc(voxels * (size_t)echoes * sizeof *samples);

	for (int e = 0; e < echoes; e++)
		te_ms[e] = 1.6 + 1.6 * e;
	for (size_t v = 0; samples != NULL && v < voxels; v++) {
		double x = 2.0 * (double)(v % (size_t)grid->columns) / grid->columns - 1;
		double y =
		    2.0 * (double)(v / (size_t)grid->columns % (size_t)grid->rows) / grid->rows - 1;
		double s0 = x * x / 0.9 + y * y / 0.75 < 1 ? 1000 : 0;
		double r2star_per_s = 20 + 300 * pow(random_unit(), 3);

		for (int e = 0; e < echoes; e++) {
			double noise[2];

			random_pair(noise);
			samples[(size_t)e * voxels + v] =
			    (float)hypot(s0 * exp(-r2star_per_s * te_ms[e] / 1000) + 15 * noise[0],
					 15 * noise[1]);
		}
	}
	return samples;
}

static int by_value(const void *a, const void *b)
{
	const double *p = a, *q = b;

	return (*p > *q) - (*p < *q);
}

static int time_fits(const struct grid *grid, int echoes)
{
	double te_ms[MOST_ECHOES];
	struct echo_series series = {.grid = *grid, .echoes = echoes, .te_ms = te_ms};
	float *samples = make_series(grid, echoes, te_ms);

	if (samples == NULL)
		return fail("no memory");
	series.samples = samples;
	for (int threads = 1; threads <= 2; threads++) {
		struct r2star_params params = R2STAR_PARAMS_DEFAULT;
		double seconds[REPEATS];
		struct r2star_map map;

		params.threads = threads;
		for (int i = 0; i < REPEATS; i++) {
			struct status st = STATUS_INIT;
			double begin = now_s();

			if (r2star_fit(&map, &series, &params, &st) != STATUS_OK)
				return fail(st.text);
			seconds[i] = now_s() - begin;
			if (i + 1 < REPEATS)
				r2star_map_free(&map);
		}
		qsort(seconds, REPEATS, sizeof *seconds, by_value);
		printf("%d thread%s: %.4f s, %.1f Mvoxel/s (best %.1f); %zu of %zu voxels fitted, "
		       "sigma "
		       "%.2f\n",
		       threads, threads > 1 ? "s" : "", seconds[REPEATS / 2],
		       1e-6 * (double)grid_voxels(grid) / seconds[REPEATS / 2],
		       1e-6 * (double)grid_voxels(grid) / seconds[0], map.count[R2STAR_FITTED],
		       grid_voxels(grid), map.sigma);
		r2star_map_free(&map);
	}
	free(samples);
	return 0;
}

static int write_floats(FILE *file, const float *values, size_t n)
{
	return fwrite(values, sizeof *values, n, file) == n ? 0 : fail("cannot write");
}

static int make_files(const char *echoes_path, const char *te_path)
{
	struct grid grid = plain_grid(256, 256, 40);
	double te_ms[MOST_ECHOES];
	float *samples = make_series(&grid, 10, te_ms);
	FILE *echoes = fopen(echoes_path, "wb"), *te = fopen(te_path, "w");
	int failed;

	if (samples == NULL || echoes == NULL || te == NULL)
		return fail("cannot make the files");
	failed = write_floats(echoes, samples, 10 * grid_voxels(&grid));
	for (int e = 0; e < 10; e++)
		fprintf(te, "%.6f\n", te_ms[e]);
	free(samples);
	return (fclose(echoes) | fclose(te)) != 0 ? fail("cannot write") : failed;
}

static int fit_file(char **paths, size_t voxels, double sigma)
{
	double te_ms[MOST_ECHOES];
	struct echo_series series = {.grid = plain_grid(1, 1, 1), .te_ms = te_ms};
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct status st = STATUS_INIT;
	struct r2star_map map;
	FILE *te = fopen(paths[1], "r"), *echoes = fopen(paths[0], "rb"), *out;
	float *samples, *states;
	size_t values;
	int failed;

	if (te == NULL || echoes == NULL)
		return fail("cannot read the input");
	while (series.echoes < MOST_ECHOES && fscanf(te, "%lf", &te_ms[series.echoes]) == 1)
		series.echoes++;
	fclose(te);
	series.grid.columns = 1;
	while (voxels / (size_t)series.grid.columns > 65535 || voxels % (size_t)series.grid.columns)
		series.grid.columns++; /* any shape will do: voxels are fitted one by one */
	series.grid.rows = (int)(voxels / (size_t)series.grid.columns);
	values = voxels * (size_t)series.echoes;
	samples = malloc(values * sizeof *samples);
	states = malloc(voxels * sizeof *states);
	if (samples == NULL || states == NULL ||
	    fread(samples, sizeof *samples, values, echoes) != values)
		return fail("the echo file is shorter than voxels x echoes floats");
	fclose(echoes);
	series.samples = samples;
	params.sigma = sigma;
	if (r2star_fit(&map, &series, &params, &st) != STATUS_OK)
		return fail(st.text);
	printf("sigma %.6g air %.6g\n", map.sigma, map.air_sigma);
	for (size_t v = 0; v < voxels; v++)
		states[v] = map.state[v];
	out = fopen(paths[3], "wb");
	if (out == NULL)
		return fail("cannot write the output");
	failed = write_floats(out, map.r2star_per_s.samples, voxels) ||
		 write_floats(out, map.stderr_per_s.samples, voxels) ||
		 write_floats(out, map.s0.samples, voxels) || write_floats(out, states, voxels);
	r2star_map_free(&map);
	free(samples);
	free(states);
	return fclose(out) != 0 ? fail("cannot write the output") : failed;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "time") == 0) {
		struct grid grid = plain_grid(256, 256, 40);

		return time_fits(&grid, 10);
	}
	if (argc == 6 && strcmp(argv[1], "time") == 0) {
		struct grid grid = plain_grid(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
		int echoes = atoi(argv[5]);

		return echoes >= 3 && echoes <= MOST_ECHOES ? time_fits(&grid, echoes)
							    : fail("3 to 64 echoes");
	}
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		return make_files(argv[2], argv[3]);
	if ((argc == 6 || argc == 7) && strcmp(argv[1], "fit") == 0)
		return fit_file(argv + 2, strtoull(argv[4], NULL, 10),
				argc == 7 ? atof(argv[6]) : 0);
	fprintf(stderr, "usage: r2star_bench time [COLUMNS ROWS SLICES ECHOES]\n"
			"       r2star_bench make ECHOES.f32 TE.txt\n"
			"       r2star_bench fit ECHOES.f32 TE.txt VOXELS OUT.f32 [SIGMA]\n");
	return 2;
}
