/* kernel_bench.c - times the beta kernel, and convolves raw files so that another program can check
 * it.
 *
 *   kernel_bench make COLUMNS ROWS SLICES MM MM MM KERNEL.f32
 *       writes the octant of the kernel for these voxels (density 1.06), prints its size, and how
 *       long building it took
 *   kernel_bench time COLUMNS ROWS SLICES MM MM MM REPEATS
 *       a dose map without gaps; median seconds on 1 and on 2 threads
 *   kernel_bench convolve COLUMNS ROWS SLICES MM MM MM IN.f32 OUT.f32 THREADS */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

enum { MOST_REPEATS = 101 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *what)
{
	fprintf(stderr, "kernel_bench: %s\n", what);
	return 1;
}

static int by_value(const void *a, const void *b)
{
	const double *p = a, *q = b;

	return (*p > *q) - (*p < *q);
}

static struct grid read_grid(char **words)
{
	struct grid grid = {
	    .columns = atoi(words[0]), .rows = atoi(words[1]), .slices = atoi(words[2])};

	grid.column_step_mm[0] = atof(words[3]);
	grid.row_step_mm[1] = atof(words[4]);
	grid.slice_step_mm[2] = atof(words[5]);
	return grid;
}

static int make(const struct kernel *kernel, double seconds, const char *path)
{
	size_t values = (size_t)(kernel->reach[0] + 1) * (size_t)(kernel->reach[1] + 1) *
			(size_t)(kernel->reach[2] + 1);
	FILE *file = fopen(path, "wb");

	if (file == NULL || fwrite(kernel->share, sizeof *kernel->share, values, file) != values ||
	    fclose(file) != 0)
		return fail("cannot write the kernel");
	printf("%d %d %d %.6f\n", kernel->reach[0], kernel->reach[1], kernel->reach[2], seconds);
	return 0;
}

static int run(struct volume *dose, const struct kernel *kernel, int threads, double *seconds,
	       struct volume *out)
{
	struct status st = STATUS_INIT;
	double begin = now_s();

	if (kernel_convolve(out, NULL, dose, kernel, threads, &st) != STATUS_OK)
		return fail(st.text);
	*seconds = now_s() - begin;
	return 0;
}

static int time_threads(struct volume *dose, const struct kernel *kernel, int repeats)
{
	uint32_t random = 1;

	for (size_t v = 0; v < grid_voxels(&dose->grid); v++) {
		random = random * 1664525U + 1013904223U;
		dose->samples[v] = (float)(random >> 8) * 6e-6F;
	}
	for (int threads = 1; threads <= 2; threads++) {
		double seconds[MOST_REPEATS];

		for (int i = 0; i < repeats; i++) {
			struct volume out = VOLUME_INIT;

			if (run(dose, kernel, threads, &seconds[i], &out) != 0)
				return 1;
			volume_free(&out);
		}
		qsort(seconds, (size_t)repeats, sizeof *seconds, by_value);
		printf("%d %.6f %.6f\n", threads, seconds[repeats / 2], seconds[0]);
	}
	return 0;
}

static int convolve(struct volume *dose, const struct kernel *kernel, char **words)
{
	size_t voxels = grid_voxels(&dose->grid);
	struct volume out = VOLUME_INIT;
	FILE *in = fopen(words[0], "rb"), *file = fopen(words[1], "wb");
	double seconds;

	if (in == NULL || file == NULL ||
	    fread(dose->samples, sizeof *dose->samples, voxels, in) != voxels)
		return fail("cannot read or write the files");
	fclose(in);
	if (run(dose, kernel, atoi(words[2]), &seconds, &out) != 0)
		return 1;
	if (fwrite(out.samples, sizeof *out.samples, voxels, file) != voxels || fclose(file) != 0)
		return fail("cannot write the convolution");
	volume_free(&out);
	printf("%.6f\n", seconds);
	return 0;
}

int main(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct kernel kernel;
	struct volume dose;
	int failed = 2;

	if (argc < 9) {
		fprintf(stderr,
			"usage: kernel_bench make     COLUMNS ROWS SLICES MM MM MM KERNEL.f32\n"
			"       kernel_bench time     COLUMNS ROWS SLICES MM MM MM REPEATS\n"
			"       kernel_bench convolve COLUMNS ROWS SLICES MM MM MM IN.f32 OUT.f32 "
			"THREADS\n");
		return 2;
	}
	struct grid grid = read_grid(argv + 2);
	const double spacing_mm[3] = {atof(argv[5]), atof(argv[6]), atof(argv[7])};
	double begin = now_s();

	if (kernel_build(&kernel, spacing_mm, 1.06, &st) != STATUS_OK)
		return fail(st.text);
	double seconds = now_s() - begin;

	if (grid_check(&grid, &st) != STATUS_OK || volume_new(&dose, &grid, 0, &st) != STATUS_OK)
		return fail(st.text);
	int repeats = atoi(argv[8]);

	if (strcmp(argv[1], "make") == 0)
		failed = make(&kernel, seconds, argv[8]);
	else if (strcmp(argv[1], "time") == 0 && repeats >= 1 && repeats <= MOST_REPEATS)
		failed = time_threads(&dose, &kernel, repeats);
	else if (strcmp(argv[1], "convolve") == 0 && argc == 11)
		failed = convolve(&dose, &kernel, argv + 8);
	kernel_free(&kernel);
	volume_free(&dose);
	return failed;
}
