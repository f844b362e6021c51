/* registration_scene.h - images of an analytic body, seen from anywhere, for the registration
 * tests.
 *
 * The body is a formula of the patient point, smooth over a few millimetres; an image of it on any
 * grid under any motion is that formula at the voxel centres. No voxel is ever copied or resampled,
 * so the tests do not share an interpolation with the code they test. */
#ifndef REGISTRATION_SCENE_H
#define REGISTRATION_SCENE_H

#include "check.h"

#include "mask.h"
#include "registration.h"
#include "rigid.h"
#include "volume.h"

#define DEGREES (M_PI / 180)

enum { SCENE_PARTS = 26 };

/* Round things of 5 to 18 mm in an ellipsoid of tissue; two contrasts that do not follow from each
 * other. */
struct scene_part {
	double centre_mm[3], semi_mm[3], brightness[2];
};

static uint64_t scene_random_state = 1, scene_noise_seed = 77;

static double scene_random(double low, double high)
{
	scene_random_state = scene_random_state * 6364136223846793005U + 1442695040888963407U;
	return low + (high - low) * (double)(scene_random_state >> 11) / 9007199254740992.0;
}

static double scene_noise(void)
{
	double radius = sqrt(-2 * log(scene_random(1e-12, 1)));

	return radius * cos(2 * M_PI * scene_random(0, 1));
}

static const double scene_semi_mm[3] = {85, 70, 75};

static void scene_parts(struct scene_part parts[SCENE_PARTS])
{
	scene_random_state = 11;
	for (int p = 0; p < SCENE_PARTS; p++) {
		for (int a = 0; a < 3; a++) {
			parts[p].centre_mm[a] =
			    scene_random(-0.7 * scene_semi_mm[a], 0.7 * scene_semi_mm[a]);
			parts[p].semi_mm[a] = scene_random(6, 18);
		}
		parts[p].brightness[0] = scene_random(500, 1000);
		parts[p].brightness[1] = scene_random(200, 1000);
	}
}

/* How far inside, as a share that rises over about `edge_mm`. */
static double scene_share(const double p[3], const double centre_mm[3], const double semi_mm[3],
			  double edge_mm)
{
	double sum = 0, least = fmin(fmin(semi_mm[0], semi_mm[1]), semi_mm[2]);

	for (int a = 0; a < 3; a++)
		sum += (p[a] - centre_mm[a]) * (p[a] - centre_mm[a]) / (semi_mm[a] * semi_mm[a]);
	return 0.5 - 0.5 * tanh(2 * (sqrt(sum) - 1) * least / edge_mm);
}

/* 0 far outside the body, 800 (contrast 0) or 500 (contrast 1) in its plain tissue. */
static double scene_value(const struct scene_part parts[SCENE_PARTS], int contrast,
			  const double p[3])
{
	static const double middle_mm[3] = {0, 0, 0};
	double value = contrast ? 500 : 800;

	for (int i = 0; i < SCENE_PARTS; i++) {
		double share = scene_share(p, parts[i].centre_mm, parts[i].semi_mm, 6);

		value += share * (parts[i].brightness[contrast] - value);
	}
	return value * scene_share(p, middle_mm, scene_semi_mm, 6);
}

/* How a test wants an image. to_body takes a point of the image's frame to the body's. */
struct scene_view {
	const double *to_body;	   /* NULL: identity */
	void (*bend)(double p[3]); /* after it; may be NULL */
	int contrast;
	double sigma;	   /* of the noise */
	double air_below;  /* values below become NaN (S0 of a fit in air); 0: none */
	double brightness; /* factor; 0: 1 */
};

static void scene_image(struct volume *volume, const struct grid *grid,
			const struct scene_view *view)
{
	struct scene_part parts[SCENE_PARTS];
	struct status st = STATUS_INIT;

	scene_parts(parts);
	assert_ok(volume_new(volume, grid, 0, &st), &st);
	scene_random_state = scene_noise_seed += 1000;
	for (size_t at = 0; at < grid_voxels(grid); at++) {
		const double voxel[3] = {
		    (double)(at % (size_t)grid->columns),
		    (double)(at / (size_t)grid->columns % (size_t)grid->rows),
		    (double)(at / ((size_t)grid->columns * (size_t)grid->rows))};
		double p[3], value;

		grid_to_patient(grid, voxel, p);
		if (view->to_body != NULL)
			rigid_apply(p, view->to_body, p);
		if (view->bend != NULL)
			view->bend(p);
		value = scene_value(parts, view->contrast, p);
		if (view->sigma > 0)
			value += view->sigma * scene_noise();
		if (view->brightness > 0)
			value *= view->brightness;
		volume->samples[at] =
		    view->air_below > 0 && value < view->air_below ? NAN : (float)value;
	}
}

/* Grid with its middle at the origin. */
static struct grid scene_grid(int columns, int rows, int slices, double in_plane_mm,
			      double slice_mm)
{
	struct grid grid = {.columns = columns,
			    .rows = rows,
			    .slices = slices,
			    .origin_mm = {-(columns - 1) / 2.0 * in_plane_mm,
					  -(rows - 1) / 2.0 * in_plane_mm,
					  -(slices - 1) / 2.0 * slice_mm},
			    .column_step_mm = {in_plane_mm, 0, 0},
			    .row_step_mm = {0, in_plane_mm, 0},
			    .slice_step_mm = {0, 0, slice_mm},
			    .frame_of_reference = "1.2.3"};
	return grid;
}

/* The body's ellipsoid as a mask. */
static void scene_mask(struct mask *mask, const struct grid *grid)
{
	struct status st = STATUS_INIT;

	assert_ok(mask_new(mask, grid, &st), &st);
	for (size_t at = 0; at < grid_voxels(grid); at++) {
		const double voxel[3] = {
		    (double)(at % (size_t)grid->columns),
		    (double)(at / (size_t)grid->columns % (size_t)grid->rows),
		    (double)(at / ((size_t)grid->columns * (size_t)grid->rows))};
		double p[3], sum = 0;

		grid_to_patient(grid, voxel, p);
		for (int a = 0; a < 3; a++)
			sum += p[a] * p[a] / (scene_semi_mm[a] * scene_semi_mm[a]);
		mask->coverage[at] = sum <= 1 ? 1 : 0;
	}
	mask_update_bounds(mask);
}

/* Mean and largest distance between two transforms over points of the body. */
static void scene_error_mm(const double found[RIGID_SIZE], const double truth[RIGID_SIZE],
			   double *mean_mm, double *most_mm)
{
	int n = 0;

	*mean_mm = *most_mm = 0;
	for (double x = -80; x <= 80; x += 10) {
		for (double y = -65; y <= 65; y += 10) {
			for (double z = -70; z <= 70; z += 10) {
				const double p[3] = {x, y, z};
				double a[3], b[3], error_mm;

				if (x * x / (85 * 85) + y * y / (70 * 70) + z * z / (75 * 75) > 1)
					continue;
				rigid_apply(a, found, p);
				rigid_apply(b, truth, p);
				error_mm = sqrt((a[0] - b[0]) * (a[0] - b[0]) +
						(a[1] - b[1]) * (a[1] - b[1]) +
						(a[2] - b[2]) * (a[2] - b[2]));
				*mean_mm += error_mm;
				*most_mm = fmax(*most_mm, error_mm);
				n++;
			}
		}
	}
	*mean_mm /= n;
}

/* A pair: fixed at rest, moving seen after the motion truth (fixed -> moving). */
struct pair {
	struct volume fixed, moving;
	struct mask region;
	double truth[RIGID_SIZE];
	struct registration_input input;
};

static inline void pair_make(struct pair *pair, const struct grid *fixed, const struct grid *moving,
			     const double angle_rad[3], const double shift_mm[3],
			     const struct scene_view *fixed_view,
			     const struct scene_view *moving_view)
{
	const double centre_mm[3] = {0, 0, 0};
	double to_body[RIGID_SIZE];
	struct scene_view seen = *moving_view;

	memset(pair, 0, sizeof *pair);
	rigid_from_angles(pair->truth, angle_rad, shift_mm, centre_mm);
	rigid_invert(to_body, pair->truth);
	seen.to_body = to_body;
	scene_image(&pair->fixed, fixed, fixed_view);
	scene_image(&pair->moving, moving, &seen);
	scene_mask(&pair->region, fixed);
	pair->input = (struct registration_input){.fixed = &pair->fixed,
						  .moving = &pair->moving,
						  .region = &pair->region,
						  .region_margin_mm = 10,
						  .metric = REGISTRATION_LEAST_SQUARES,
						  .threads = 2};
}

static inline void pair_free(struct pair *pair)
{
	volume_free(&pair->fixed);
	volume_free(&pair->moving);
	mask_free(&pair->region);
}

/* Registers and says how far off the answer is. */
static inline struct registration_result solve(struct pair *pair, double *mean_mm)
{
	struct registration_result result;
	struct status st = STATUS_INIT;
	double most_mm;

	assert_ok(registration_rigid(&result, &pair->input, &st), &st);
	scene_error_mm(result.transform, pair->truth, mean_mm, &most_mm);
	print_message("%s: error mean %.4f most %.4f mm, residual %.3f, capture %.3f mm, "
		      "better %d converged %d, %d evaluations\n",
		      registration_metric_name(pair->input.metric), *mean_mm, most_mm,
		      result.residual_mm, result.capture_spread_mm, result.better, result.converged,
		      result.evaluations);
	assert_true(rigid_is_valid(result.transform, 1e-9));
	return result;
}

/* The grids of the main job: T2* series and T1w anatomy, cut to the liver. */
static inline struct grid series_grid(void)
{
	return scene_grid(140, 120, 40, 1.5, 5);
}

static inline struct grid anatomy_grid(void)
{
	return scene_grid(140, 120, 76, 1.5, 2.5);
}

static const struct scene_view s0_map = {.sigma = 16, .air_below = 150};
static const struct scene_view t1w = {.contrast = 1, .sigma = 10};

#endif
