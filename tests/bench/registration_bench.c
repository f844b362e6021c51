/* registration_bench.c - registers two raw images, so that another program can time and check it.
 *
 *   registration_bench FIXED.f32 C R S DX DY DZ  MOVING.f32 C R S DX DY DZ  squares|mutual THREADS
 *
 * Images are float, columns fastest, upright, their middle at the origin. Prints the transform's
 * twelve numbers, "R t" (nine, then three), on the first line, then what it says of itself, then
 * the seconds that reading and registering took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registration.h"

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *what)
{
	fprintf(stderr, "registration_bench: %s\n", what);
	return 1;
}

static int read_volume(struct volume *volume, char **words)
{
	struct status st = STATUS_INIT;
	double step_mm[3] = {atof(words[4]), atof(words[5]), atof(words[6])};
	struct grid grid = {.columns = atoi(words[1]),
			    .rows = atoi(words[2]),
			    .slices = atoi(words[3]),
			    .column_step_mm = {step_mm[0], 0, 0},
			    .row_step_mm = {0, step_mm[1], 0},
			    .slice_step_mm = {0, 0, step_mm[2]},
			    .frame_of_reference = "1.2.3"};
	FILE *file = fopen(words[0], "rb");
	size_t voxels = grid_voxels(&grid);

	grid.origin_mm[0] = -(grid.columns - 1) / 2.0 * step_mm[0];
	grid.origin_mm[1] = -(grid.rows - 1) / 2.0 * step_mm[1];
	grid.origin_mm[2] = -(grid.slices - 1) / 2.0 * step_mm[2];
	if (file == NULL)
		return fail("cannot read an image");
	if (volume_new(volume, &grid, 0, &st) != STATUS_OK)
		return fail(st.text);
	if (fread(volume->samples, sizeof *volume->samples, voxels, file) != voxels)
		return fail("an image is shorter than its size says");
	return fclose(file) == 0 ? 0 : fail("cannot read an image");
}

int main(int argc, char **argv)
{
	struct volume fixed = VOLUME_INIT, moving = VOLUME_INIT;
	struct registration_input input = {.fixed = &fixed, .moving = &moving};
	struct registration_result result;
	struct status st = STATUS_INIT;
	double begin = now_s(), between;

	if (argc != 17) {
		fprintf(stderr, "usage: registration_bench FIXED.f32 C R S DX DY DZ "
				"MOVING.f32 C R S DX DY DZ squares|mutual THREADS\n");
		return 2;
	}
	if (read_volume(&fixed, argv + 1) != 0 || read_volume(&moving, argv + 8) != 0)
		return 1;
	input.metric = strcmp(argv[15], "mutual") == 0 ? REGISTRATION_MUTUAL_INFORMATION
						       : REGISTRATION_LEAST_SQUARES;
	input.threads = atoi(argv[16]);
	between = now_s();
	if (registration_rigid(&result, &input, &st) != STATUS_OK)
		return fail(st.text);
	for (int i = 0; i < 9; i++)
		printf("%.9f ", result.transform[i / 3 * 4 + i % 3]);
	printf("%.6f %.6f %.6f\n", result.transform[3], result.transform[7], result.transform[11]);
	printf("metric %.6g -> %.6g better %d converged %d residual %.4f mm capture %.4f mm "
	       "evaluations %d\n",
	       result.metric_start, result.metric_end, result.better, result.converged,
	       result.residual_mm, result.capture_spread_mm, result.evaluations);
	printf("read %.4f s register %.4f s\n", between - begin, now_s() - between);
	volume_free(&fixed);
	volume_free(&moving);
	return 0;
}
