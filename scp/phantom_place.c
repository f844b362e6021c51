/* phantom_place.c - see phantom_place.h */
#include "phantom_place.h"

#include <math.h>
#include <stdlib.h>

#define LARGEST_LIVER_MM       60
#define LEAST_LIVER_MM	       30
#define GOOD_SHARE	       0.985 /* of the voxels of a VOI */
#define GOOD_DIFFERENCE_PER_S  0.5
#define TURNS		       4 /* of the ring of tumours that are tried */
#define LEAST_FIRST_ECHO_SIGMA 20
#define TRIAL_PER_S	       55.0

static bool fill_tissue(struct phantom_tissue_map *tissue, const struct r2star_map *all,
			const struct r2star_map *trial)
{
	const struct grid *grid = &all->r2star_per_s.grid;
	size_t area = (size_t)grid->columns * (size_t)grid->rows;
	*tissue = (struct phantom_tissue_map){grid, malloc(area), malloc(area * sizeof(float))};
	if (!tissue->good || !tissue->error_per_s)
		return false;
	for (size_t at = 0; at < area; at++) {
		bool good = true;
		float difference = 0;
		for (int slice = 0; slice < grid->slices; slice++) {
			size_t voxel = (size_t)slice * area + at;
			float r2star = all->r2star_per_s.samples[voxel];
			good = good && all->state[voxel] == R2STAR_FITTED &&
			       trial->state[voxel] == R2STAR_FITTED && r2star > 5 && r2star < 120 &&
			       (double)all->first_echo.samples[voxel] >
				   LEAST_FIRST_ECHO_SIGMA * all->sigma;
			difference +=
			    (trial->r2star_per_s.samples[voxel] - r2star - (float)TRIAL_PER_S) /
			    (float)grid->slices;
		}
		tissue->good[at] = good;
		tissue->error_per_s[at] = good ? difference : 0;
	}
	return true;
}

/* Share of good voxels in a circle (local mm), and the mean error over them; a circle that leaves
 * the images has share 0. */
static double circle_share(double *difference, const struct phantom_tissue_map *tissue,
			   const double centre_mm[2], double radius_mm)
{
	const struct grid *grid = tissue->grid;
	const double step[2] = {grid_spacing_mm(grid, 0), grid_spacing_mm(grid, 1)};
	const int size[2] = {grid->columns, grid->rows};
	int first[2], last[2], good = 0, all = 0;
	*difference = 0;
	for (int axis = 0; axis < 2; axis++) {
		double middle = centre_mm[axis] / step[axis] + (size[axis] - 1) / 2.0;
		first[axis] = (int)ceil(middle - radius_mm / step[axis]);
		last[axis] = (int)floor(middle + radius_mm / step[axis]);
		if (first[axis] < 0 || last[axis] >= size[axis])
			return 0;
	}
	for (int row = first[1]; row <= last[1]; row++)
		for (int column = first[0]; column <= last[0]; column++) {
			double x = (column - (size[0] - 1) / 2.0) * step[0] - centre_mm[0];
			double y = (row - (size[1] - 1) / 2.0) * step[1] - centre_mm[1];
			if (x * x + y * y > radius_mm * radius_mm)
				continue;
			size_t at = (size_t)row * (size_t)size[0] + (size_t)column;
			all++;
			good += tissue->good[at];
			*difference += (double)tissue->error_per_s[at];
		}
	*difference /= good > 0 ? good : 1;
	return all > 0 ? (double)good / all : 0;
}

/* The largest mean error of the trial over any of the model's VOIs; infinite where too little is
 * tissue. */
static double worst_difference(const struct phantom_model *model,
			       const struct phantom_tissue_map *tissue)
{
	double difference, worst;
	if (circle_share(&worst, tissue, model->liver[0].centre_mm, model->liver[0].semi_mm[0]) <
	    GOOD_SHARE)
		return (double)INFINITY;
	worst = fabs(worst);
	for (int i = 0; i < model->n_tumours; i++) {
		const struct phantom_ellipsoid *shape = &model->tumours[i].shape;
		if (circle_share(&difference, tissue, shape->centre_mm, shape->semi_mm[0]) <
		    GOOD_SHARE)
			return (double)INFINITY;
		worst = fmax(worst, fabs(difference));
	}
	return worst;
}

/* The largest liver whose VOIs all find the trial within GOOD_DIFFERENCE_PER_S; else the nearest
 * one. */
enum status_code phantom_place_liver(struct phantom_model *model,
				     const struct phantom_tissue_map *tissue, struct status *st)
{
	const struct grid *grid = tissue->grid;
	double best = (double)INFINITY;
	for (int radius = LARGEST_LIVER_MM;
	     radius >= LEAST_LIVER_MM && best > GOOD_DIFFERENCE_PER_S; radius -= 5) {
		for (int row = 0; row < grid->rows; row += 3)
			for (int i = 0; i < grid->columns / 3 * TURNS; i++) {
				int column = i / TURNS * 3;
				double centre_mm[2] = {
				    (column - (grid->columns - 1) / 2.0) * grid_spacing_mm(grid, 0),
				    (row - (grid->rows - 1) / 2.0) * grid_spacing_mm(grid, 1)};
				double turn = 3.14159265358979323846 / 2 * (i % TURNS) / TURNS;
				struct phantom_model tried;
				if (phantom_model_slab(&tried, grid, centre_mm, radius, turn, st) !=
				    STATUS_OK)
					return st->code;
				double worst = worst_difference(&tried, tissue);
				if (worst < best) {
					best = worst;
					*model = tried;
				}
			}
	}
	if (isinf(best))
		return status_fail(
		    st, STATUS_REFUSE,
		    "the images hold no round piece of tissue of %d mm radius that is "
		    "measured well enough to put a liver there",
		    LEAST_LIVER_MM);
	return STATUS_OK;
}

/* What the images would be on average with TRIAL_PER_S added everywhere: signal falls, the noise
 * floor does not. */
static float *add_trial(const struct mr_series *series, const float *samples, double sigma)
{
	size_t voxels = grid_voxels(&series->grid);
	float *trial = malloc((size_t)series->echoes * voxels * sizeof *trial);
	for (int e = 0; trial && e < series->echoes; e++) {
		double kept = exp(-2 * series->te_ms[e] * TRIAL_PER_S / 1000);
		for (size_t at = (size_t)e * voxels; at < (size_t)(e + 1) * voxels; at++) {
			double power = (double)samples[at] * (double)samples[at] * kept;
			trial[at] = (float)sqrt(power + 2 * sigma * sigma * (1 - kept));
		}
	}
	return trial;
}

enum status_code phantom_study_tissue(struct phantom_tissue_map *tissue, double *sigma,
				      const struct mr_series *series, const float *samples,
				      int threads, struct status *st)
{
	struct r2star_map before = {.sigma = 0}, after = {.sigma = 0};
	struct r2star_params params = R2STAR_PARAMS_DEFAULT;
	struct echo_series echoes = {.grid = series->grid,
				     .echoes = series->echoes,
				     .te_ms = series->te_ms,
				     .samples = samples};
	float *trial = NULL;
	params.threads = threads;
	if (r2star_fit(&before, &echoes, &params, st) != STATUS_OK)
		goto out;
	*sigma = params.sigma = before.sigma;
	echoes.samples = trial = add_trial(series, samples, before.sigma);
	if (!trial) {
		status_fail(st, STATUS_RETRY, "no memory to place the liver");
		goto out;
	}
	if (r2star_fit(&after, &echoes, &params, st) != STATUS_OK)
		goto out;
	if (!fill_tissue(tissue, &before, &after))
		status_fail(st, STATUS_RETRY, "no memory to place the liver");
	tissue->grid = &series->grid;
out:
	r2star_map_free(&before);
	r2star_map_free(&after);
	free(trial);
	return st->code;
}

void phantom_tissue_map_free(struct phantom_tissue_map *tissue)
{
	free(tissue->good);
	free(tissue->error_per_s);
	*tissue = (struct phantom_tissue_map){NULL, NULL, NULL};
}
