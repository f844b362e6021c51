/* phantom_emission.c - see phantom_emission.h. */
#include "phantom_emission.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "phantom_noise.h"

#define SUB		3 /* sub-voxels along each side of a voxel */
#define EMISSION_STREAM 0xe3150000u
#define FEW_COUNTS	60 /* up to here Poisson numbers are drawn exactly */

struct emission_work {
	const struct phantom_model *model;
	const struct phantom_emission *emission;
	double mbq_per_ml[PHANTOM_MAX_FIELDS]; /* where the field's weight is 1 */
	float *samples;
};

/* Where the microspheres of every injection stand at the start of the scan. */
static void decay_fields(struct emission_work *work, const struct phantom_course *course)
{
	for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
		work->mbq_per_ml[w] = 0;
	for (int j = 0; j < course->injections; j++) {
		double left = exp2(-work->emission->age_h[j] / work->emission->half_life_h);
		for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
			work->mbq_per_ml[w] += course->level_mg_per_ml[j][w] *
					       course->specific_activity_mbq_per_mg[j] * left;
	}
}

static double voxel_mean(const struct emission_work *work, const int at[3])
{
	double sum = 0;
	for (int sub = 0; sub < SUB * SUB * SUB; sub++) {
		const double voxel[3] = {at[0] - 0.5 + (sub % SUB + 0.5) / SUB,
					 at[1] - 0.5 + (sub / SUB % SUB + 0.5) / SUB,
					 at[2] - 0.5 + (sub / SUB / SUB + 0.5) / SUB};
		double point[3], weights[PHANTOM_MAX_FIELDS];
		grid_to_patient(&work->emission->grid, voxel, point);
		phantom_weights(weights, work->model, point);
		for (int w = 0; w < PHANTOM_MAX_FIELDS; w++)
			sum += weights[w] * work->mbq_per_ml[w];
	}
	return sum / (SUB * SUB * SUB);
}

static void fill_slices(void *user, size_t first, size_t last)
{
	const struct emission_work *work = user;
	const struct grid *grid = &work->emission->grid;
	double counts = work->emission->counts_per_mbq * grid_voxel_volume_ml(grid);
	for (size_t slice = first; slice < last; slice++)
		for (int row = 0; row < grid->rows; row++)
			for (int column = 0; column < grid->columns; column++) {
				const int at[3] = {column, row, (int)slice};
				size_t index = ((size_t)slice * (size_t)grid->rows + (size_t)row) *
						   (size_t)grid->columns +
					       (size_t)column;
				work->samples[index] = (float)(voxel_mean(work, at) * counts);
			}
}

/* One line of the volume with a kernel of sum 1; what would leave at an end stays there. */
static void blur_line(float *samples, size_t stride, int count, const double *kernel, int reach,
		      double *line)
{
	for (int i = 0; i < count; i++)
		line[i] = 0;
	for (int i = 0; i < count; i++)
		for (int k = -reach; k <= reach; k++) {
			int to = i + k < 0 ? 0 : i + k >= count ? count - 1 : i + k;
			line[to] += (double)samples[(size_t)i * stride] * kernel[abs(k)];
		}
	for (int i = 0; i < count; i++)
		samples[(size_t)i * stride] = (float)line[i];
}

static enum status_code blur(struct volume *volume, double fwhm_mm, struct status *st)
{
	const struct grid *grid = &volume->grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	const size_t stride[3] = {1, (size_t)size[0], (size_t)size[0] * (size_t)size[1]};
	int longest = size[0] > size[1] ? size[0] : size[1];
	longest = longest > size[2] ? longest : size[2];
	double *line = malloc((size_t)longest * sizeof *line);
	double *kernel = malloc((size_t)longest * sizeof *kernel);
	if (!line || !kernel)
		(void)status_fail(st, STATUS_RETRY, "no memory to blur the emission image");
	for (int axis = 0; axis < 3 && st->code == STATUS_OK; axis++) {
		double sigma = fwhm_mm / 2.3548200450309493 / grid_spacing_mm(grid, axis), sum = 0;
		int reach = (int)fmin(ceil(4 * sigma), longest - 1);
		int u = (axis + 1) % 3, v = (axis + 2) % 3;
		for (int k = 0; k <= reach; k++) {
			kernel[k] = exp(-0.5 * k * k / (sigma * sigma));
			sum += k == 0 ? kernel[k] : 2 * kernel[k];
		}
		for (int k = 0; k <= reach; k++)
			kernel[k] /= sum;
		for (int j = 0; j < size[v]; j++)
			for (int i = 0; i < size[u]; i++)
				blur_line(volume->samples + (size_t)i * stride[u] +
					      (size_t)j * stride[v],
					  stride[axis], size[axis], kernel, reach, line);
	}
	free(line);
	free(kernel);
	return st->code;
}

/* Exact for few counts (products of uniform numbers, Knuth); a rounded normal deviate beyond. */
static double poisson(double mean, uint64_t key, uint64_t index)
{
	if (mean > FEW_COUNTS) {
		float pair[2];
		phantom_noise_pair(pair, key, index);
		return fmax(0, floor(mean + sqrt(mean) * (double)pair[0] + 0.5));
	}
	double floor_of = exp(-mean), product = 1;
	for (int count = 0;; count++) {
		uint64_t bits = phantom_mix(key ^ phantom_mix(index * 4096 + (uint64_t)count + 1));
		product *= ((double)(bits >> 11) + 0.5) * 0x1p-53;
		if (product <= floor_of || count == 4095)
			return count;
	}
}

enum status_code phantom_emission_counts(struct volume *counts, const struct phantom_model *model,
					 const struct phantom_course *course,
					 const struct phantom_emission *emission, struct status *st)
{
	struct volume made = VOLUME_INIT;
	if (volume_new(&made, &emission->grid, 0, st) != STATUS_OK)
		return st->code;
	struct emission_work work = {.model = model, .emission = emission, .samples = made.samples};
	decay_fields(&work, course);
	parallel_for((size_t)emission->grid.slices, 1, emission->threads, fill_slices, &work);
	if (emission->fwhm_mm > 0 && blur(&made, emission->fwhm_mm, st) != STATUS_OK) {
		volume_free(&made);
		return st->code;
	}
	uint64_t key = phantom_noise_key(emission->seed, EMISSION_STREAM);
	for (size_t at = 0; emission->noisy && at < grid_voxels(&emission->grid); at++)
		made.samples[at] = (float)poisson((double)made.samples[at], key, at);
	*counts = made;
	return STATUS_OK;
}
