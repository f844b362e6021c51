/* phantom_signal.c - from shapes and uptake to the pixels of one slice.
 *
 * A voxel whose corners are all of one kind of tissue away from the liver is that tissue; any other
 * one is sampled at SUB_IN_PLANE x SUB_IN_PLANE x SUB_THROUGH points and its signal is the mean of
 * theirs (means of signals, not of R2*: what a scanner does to a voxel that holds two tissues). */
#include "phantom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phantom_noise.h"
#include "phantom_pose.h"
#include "phantom_shapes.h"

#define SUB_IN_PLANE 2
#define SUB_THROUGH  4
#define SUB_SAMPLES  (SUB_IN_PLANE * SUB_IN_PLANE * SUB_THROUGH)

#define PI 3.14159265358979323846

#define ANATOMY_STREAM 0xa0a70000u

/* Points of the sub-voxels of a voxel, in the series' coordinates. */
static void sub_voxels(double points[SUB_SAMPLES][3], const struct grid *grid, int column, int row,
		       int slice)
{
	int at = 0;
	for (int k = 0; k < SUB_THROUGH; k++)
		for (int j = 0; j < SUB_IN_PLANE; j++)
			for (int i = 0; i < SUB_IN_PLANE; i++) {
				double voxel[3] = {column - 0.5 + (i + 0.5) / SUB_IN_PLANE,
						   row - 0.5 + (j + 0.5) / SUB_IN_PLANE,
						   slice - 0.5 + (k + 0.5) / SUB_THROUGH};
				grid_to_patient(grid, voxel, points[at++]);
			}
}

/* Kind of tissue at the corners of the slice's voxels: two sheets of (columns + 1) * (rows + 1). */
static uint8_t *corner_kinds(const struct phantom_model *model, const struct grid *grid,
			     const struct phantom_pose *pose, int slice)
{
	size_t width = (size_t)grid->columns + 1, height = (size_t)grid->rows + 1;
	uint8_t *kinds = malloc(2 * width * height);
	for (size_t at = 0; kinds && at < 2 * width * height; at++) {
		double voxel[3] = {(double)(at % width) - 0.5, (double)(at / width % height) - 0.5,
				   slice - 0.5 + (double)(at / (width * height))};
		double point[3];
		struct phantom_tissue tissue;
		grid_to_patient(grid, voxel, point);
		phantom_pose_point(point, pose, point);
		phantom_tissue_at(&tissue, model, point, pose->gas_slip_mm);
		kinds[at] = (uint8_t)tissue.kind;
	}
	return kinds;
}

/* The kind all eight corners share; -1 when they differ. */
static int common_kind(const uint8_t *kinds, const struct grid *grid, int column, int row)
{
	size_t width = (size_t)grid->columns + 1, sheet = width * ((size_t)grid->rows + 1);
	size_t at = (size_t)row * width + (size_t)column;
	int kind = kinds[at];
	for (size_t k = 0; k < 2; k++)
		for (size_t j = 0; j < 2; j++)
			for (size_t i = 0; i < 2; i++)
				if (kinds[at + k * sheet + j * width + i] != kind)
					return -1;
	return kind;
}

#define PROTON_MHZ_PER_T 42.577478
#define FAT_SHIFT_PPM	 3.4

/* How fat stands to water at every echo, and whether echoes are equally far apart. */
struct echo_train {
	bool even;
	double in_phase[PHANTOM_MAX_ECHOES], across[PHANTOM_MAX_ECHOES];
};

static void make_train(struct echo_train *train, const struct phantom_scan *scan)
{
	double turns_per_ms = FAT_SHIFT_PPM * PROTON_MHZ_PER_T * scan->field_strength_t / 1000;
	train->even = scan->echoes > 1;
	for (int e = 0; e < scan->echoes; e++) {
		double turn = 2 * PI * turns_per_ms * scan->te_ms[e];
		train->in_phase[e] = cos(turn);
		train->across[e] = sin(turn);
		if (e >= 2 && fabs(scan->te_ms[e] - scan->te_ms[e - 1] - scan->te_ms[1] +
				   scan->te_ms[0]) > 1e-9)
			train->even = false;
	}
}

/* Adds s0 * exp(-te * r2star) for all echoes: equal spacing needs two exponentials only. */
static void add_decay(double *signal, const struct phantom_scan *scan,
		      const struct echo_train *train, double s0, double r2star_per_s)
{
	if (train->even) {
		double value = s0 * exp(-scan->te_ms[0] * r2star_per_s / 1000);
		double ratio = exp(-(scan->te_ms[1] - scan->te_ms[0]) * r2star_per_s / 1000);
		for (int e = 0; e < scan->echoes; e++, value *= ratio)
			signal[e] += value;
		return;
	}
	for (int e = 0; e < scan->echoes; e++)
		signal[e] += s0 * exp(-scan->te_ms[e] * r2star_per_s / 1000);
}

static double noise_sigma(const struct phantom_scan *scan)
{
	return isinf(scan->snr) ? 0 : PHANTOM_LIVER_SIGNAL / scan->snr;
}

/* Signals of one voxel, [series][echo]: water first, and fat, which adds to it in its own phase. */
#define MAX_SIGNALS ((1 + PHANTOM_MAX_INJECTIONS) * PHANTOM_MAX_ECHOES)
struct voxel_signals {
	double water[MAX_SIGNALS], fat[MAX_SIGNALS];
	bool any_fat;
};

static void add_tissue(struct voxel_signals *signals, int series, const struct phantom_scan *scan,
		       const struct echo_train *train, const struct phantom_tissue *tissue,
		       double share, double r2star_per_s)
{
	int first = series * scan->echoes;
	double s0 = tissue->s0 * share;
	add_decay(signals->water + first, scan, train, s0 * (1 - tissue->fat_share), r2star_per_s);
	if (tissue->fat_share > 0) {
		add_decay(signals->fat + first, scan, train, s0 * tissue->fat_share, r2star_per_s);
		signals->any_fat = true;
	}
}

/* Magnitude of water and fat together. */
static void join_fat(struct voxel_signals *signals, int series, const struct phantom_scan *scan,
		     const struct echo_train *train)
{
	for (int at = 0; at < series * scan->echoes; at++) {
		int e = at % scan->echoes;
		double real = signals->water[at] + signals->fat[at] * train->in_phase[e];
		double imaginary = signals->fat[at] * train->across[e];
		signals->water[at] = sqrt(real * real + imaginary * imaginary);
	}
}

/* Mean over the voxel; the result is in signals->water. */
static void make_voxel(struct voxel_signals *signals, const struct phantom_model *model,
		       const struct phantom_course *course, const struct phantom_scan *scan,
		       const struct phantom_view *view, const struct echo_train *train, int kind,
		       const int voxel[3])
{
	const struct phantom_pose *pose = view->pose;
	size_t values = (size_t)view->n_series * (size_t)scan->echoes;
	struct phantom_tissue tissue;
	double points[SUB_SAMPLES][3];

	memset(signals->water, 0, values * sizeof *signals->water);
	if (kind >= 0 && kind != PHANTOM_LIVER_TISSUE) {
		double centre[3] = {voxel[0], voxel[1], voxel[2]};
		grid_to_patient(&scan->grid, centre, points[0]);
		phantom_pose_point(points[0], pose, points[0]);
		phantom_tissue_at(&tissue, model, points[0], pose->gas_slip_mm);
		for (int series = 0; series < view->n_series && tissue.s0 > 0; series++)
			add_decay(signals->water + series * scan->echoes, scan, train, tissue.s0,
				  tissue.r2star_per_s);
		return;
	}
	memset(signals->fat, 0, values * sizeof *signals->fat);
	signals->any_fat = false;
	sub_voxels(points, &scan->grid, voxel[0], voxel[1], voxel[2]);
	for (int sub = 0; sub < SUB_SAMPLES; sub++) {
		double weights[PHANTOM_MAX_FIELDS];
		phantom_pose_point(points[sub], pose, points[sub]);
		phantom_tissue_at(&tissue, model, points[sub], pose->gas_slip_mm);
		if (tissue.s0 <= 0)
			continue;
		phantom_weights(weights, model, points[sub]);
		double r2star = tissue.r2star_per_s;
		for (int series = 0, j = 0; series < view->n_series; series++) {
			for (; j < view->after[series]; j++)
				for (int w = 0; w < PHANTOM_FIELD_TUMOUR + model->n_tumours; w++)
					r2star += course->relaxivity_per_s_per_mg_per_ml *
						  course->level_mg_per_ml[j][w] * weights[w];
			add_tissue(signals, series, scan, train, &tissue, 1.0 / SUB_SAMPLES,
				   r2star);
		}
	}
	if (signals->any_fat)
		join_fat(signals, view->n_series, scan, train);
}

enum status_code phantom_multi_echo_slice(uint16_t *pixels, const struct phantom_model *model,
					  const struct phantom_course *course,
					  const struct phantom_scan *scan,
					  const struct phantom_view *view, int slice,
					  struct status *st)
{
	const struct grid *grid = &scan->grid;
	size_t area = (size_t)grid->columns * (size_t)grid->rows;
	double sigma = noise_sigma(scan);
	struct voxel_signals signals;
	struct echo_train train;
	uint64_t keys[MAX_SIGNALS];
	int images = view->n_series * scan->echoes;
	uint8_t *kinds = corner_kinds(model, grid, view->pose, slice);
	if (!kinds)
		return status_fail(st, STATUS_RETRY, "no memory for a slice of the phantom");

	make_train(&train, scan);
	/* A stream of noise per image of the whole course, however its series are grouped. */
	for (int image = 0; image < images; image++)
		keys[image] = phantom_noise_key(
		    scan->seed, (uint64_t)(view->after[image / scan->echoes] * scan->echoes +
					   image % scan->echoes));
	for (int row = 0; row < grid->rows; row++)
		for (int column = 0; column < grid->columns; column++) {
			const int voxel[3] = {column, row, slice};
			size_t at = (size_t)row * (size_t)grid->columns + (size_t)column;
			make_voxel(&signals, model, course, scan, view, &train,
				   common_kind(kinds, grid, column, row), voxel);
			for (int image = 0; image < images; image++)
				pixels[(size_t)image * area + at] =
				    phantom_noisy_count(signals.water[image], sigma, keys[image],
							(uint64_t)slice * area + at);
		}
	free(kinds);
	return STATUS_OK;
}

enum status_code phantom_anatomy_slice(uint16_t *pixels, const struct phantom_model *model,
				       const struct phantom_scan *scan, int slice,
				       struct status *st)
{
	const struct grid *grid = &scan->grid;
	size_t area = (size_t)grid->columns * (size_t)grid->rows;
	double sigma = noise_sigma(scan);
	uint64_t key = phantom_noise_key(scan->seed, ANATOMY_STREAM);
	struct phantom_pose rest;
	phantom_pose_rest(&rest);
	uint8_t *kinds = corner_kinds(model, grid, &rest, slice);
	if (!kinds)
		return status_fail(st, STATUS_RETRY, "no memory for a slice of the phantom");

	for (size_t at = 0; at < area; at++) {
		int column = (int)(at % (size_t)grid->columns);
		int row = (int)(at / (size_t)grid->columns);
		int kind = common_kind(kinds, grid, column, row);
		bool whole = kind >= 0 && kind != PHANTOM_LIVER_TISSUE;
		double points[SUB_SAMPLES][3], signal = 0;
		if (kind != PHANTOM_AIR)
			sub_voxels(points, grid, column, row, slice);
		for (int sub = 0; sub < (whole ? 1 : SUB_SAMPLES) && kind != PHANTOM_AIR; sub++) {
			struct phantom_tissue tissue;
			phantom_tissue_at(&tissue, model, points[sub], 0);
			signal += tissue.anatomy / (whole ? 1 : SUB_SAMPLES);
		}
		pixels[at] = phantom_noisy_count(signal, sigma, key, (uint64_t)slice * area + at);
	}
	free(kinds);
	return STATUS_OK;
}

void phantom_add_microspheres(float *out, const float *samples, const struct phantom_model *model,
			      const struct phantom_course *course, int injections,
			      const struct phantom_scan *scan, double sigma, int slice)
{
	const struct grid *grid = &scan->grid;
	size_t area = (size_t)grid->columns * (size_t)grid->rows;
	struct echo_train train;
	make_train(&train, scan);
	for (size_t at = 0; at < area; at++) {
		double points[SUB_SAMPLES][3], fall[PHANTOM_MAX_ECHOES] = {0};
		sub_voxels(points, grid, (int)(at % (size_t)grid->columns),
			   (int)(at / (size_t)grid->columns), slice);
		for (int sub = 0; sub < SUB_SAMPLES; sub++) {
			double weights[PHANTOM_MAX_FIELDS], delta_r2star = 0;
			phantom_weights(weights, model, points[sub]);
			for (int j = 0; j < injections; j++)
				for (int w = 0; w < PHANTOM_FIELD_TUMOUR + model->n_tumours; w++)
					delta_r2star += course->relaxivity_per_s_per_mg_per_ml *
							course->level_mg_per_ml[j][w] * weights[w];
			add_decay(fall, scan, &train, 1.0 / SUB_SAMPLES, delta_r2star);
		}
		for (int e = 0; e < scan->echoes; e++) {
			size_t sample = (size_t)e * area + at;
			double missing = sigma * sqrt(fmax(1 - fall[e] * fall[e], 0));
			float pair[2];
			uint64_t stream = (uint64_t)(injections * scan->echoes + e);
			phantom_noise_pair(pair, phantom_noise_key(scan->seed, stream),
					   (uint64_t)slice * area + at);
			double real = (double)samples[sample] * fall[e] + missing * (double)pair[0];
			double imaginary = missing * (double)pair[1];
			out[sample] = (float)sqrt(real * real + imaginary * imaginary);
		}
	}
}
