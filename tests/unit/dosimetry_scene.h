/* dosimetry_scene.h - a small treatment made by hand for the tests of dosimetry: a box of liver in
 * two halves, a tumour in each, R2* maps written voxel by voxel from known concentrations. Not a
 * phantom: there is no signal and no noise. */
#ifndef DOSIMETRY_SCENE_H
#define DOSIMETRY_SCENE_H

#include "check.h"
#include "dosimetry_params.h"

#include <stdlib.h>

#define SCENE_RELAXIVITY 217.8
#define SCENE_SCANS	 5
#define SCENE_FRAME	 "1.2.3.4"

enum { LIVER, RIGHT, LEFT, TUMOUR_RIGHT, TUMOUR_LEFT, SCENE_VOIS };

struct scene {
	struct grid grid;
	struct r2star_map baseline, after[SCENE_SCANS];
	struct mask mask[SCENE_VOIS];
	struct dosimetry_voi voi[SCENE_VOIS];
	struct dosimetry_scan scan[SCENE_SCANS];
	struct dosimetry_injection injection[8];
	struct dosimetry_input input;
	struct dosimetry_params params;
};

static inline bool in_box(int voi, int i, int j, int k)
{
	static const int box[SCENE_VOIS][6] = {
	    {2, 21, 2, 17, 1, 8}, {2, 11, 2, 17, 1, 8},	 {12, 21, 2, 17, 1, 8},
	    {4, 7, 5, 9, 3, 5},	  {15, 18, 8, 13, 4, 6},
	};
	const int *b = box[voi];
	return i >= b[0] && i <= b[1] && j >= b[2] && j <= b[3] && k >= b[4] && k <= b[5];
}

static inline void map_new(struct r2star_map *map, const struct grid *grid, float r2star_per_s)
{
	struct status st = STATUS_INIT;
	size_t voxels = grid_voxels(grid);
	assert_ok(volume_new(&map->r2star_per_s, grid, r2star_per_s, &st), &st);
	assert_ok(volume_new(&map->stderr_per_s, grid, 1, &st), &st);
	assert_ok(volume_new(&map->s0, grid, 100, &st), &st);
	assert_ok(volume_new(&map->first_echo, grid, 90, &st), &st);
	map->state = malloc(voxels);
	memset(map->state, R2STAR_FITTED, voxels);
	map->sigma = 1;
	map->te1_ms = 1.33;
	map->usable_sigma = 4;
	map->saturated_sigma = 2;
	map->air_sigma = 1;
}

static inline size_t voxel_at(const struct grid *grid, int i, int j, int k)
{
	return (size_t)((k * grid->rows + j) * grid->columns + i);
}

/* Microspheres in a scan, mg/mL, on top of the baseline: everywhere in the liver, and in the
 * tumours. */
static inline void fill_scan(struct scene *s, int scan, double liver, double right, double left)
{
	const struct grid *grid = &s->grid;
	for (int k = 0; k < grid->slices; k++) {
		for (int j = 0; j < grid->rows; j++) {
			for (int i = 0; i < grid->columns; i++) {
				double mg_per_ml = in_box(TUMOUR_RIGHT, i, j, k)  ? right
						   : in_box(TUMOUR_LEFT, i, j, k) ? left
						   : in_box(LIVER, i, j, k)	  ? liver
										  : 0;
				size_t v = voxel_at(grid, i, j, k);
				s->after[scan].r2star_per_s.samples[v] =
				    s->baseline.r2star_per_s.samples[v] +
				    (float)(mg_per_ml * SCENE_RELAXIVITY);
			}
		}
	}
}

/* Mass in a scan filled as above, mg. */
static inline double scene_mass_mg(const struct scene *s, double liver, double right, double left)
{
	double right_ml = mask_volume_ml(&s->mask[TUMOUR_RIGHT]);
	double left_ml = mask_volume_ml(&s->mask[TUMOUR_LEFT]);
	double liver_ml = mask_volume_ml(&s->mask[LIVER]) - right_ml - left_ml;
	return liver * liver_ml + right * right_ml + left * left_ml;
}

/* Injections of 100 MBq at 12 MBq/mg half an hour apart into the whole liver; every one imaged.
 * Baseline R2* liver 45, tumours 25 /s. */
static inline struct scene *scene_new(int scans)
{
	struct scene *s = calloc(1, sizeof *s);
	struct status st = STATUS_INIT;
	s->grid =
	    (struct grid){.columns = 24, .rows = 20, .slices = 10, .origin_mm = {-20, -30, 40}};
	s->grid.column_step_mm[0] = 2;
	s->grid.row_step_mm[1] = 2;
	s->grid.slice_step_mm[2] = 5; /* 0.02 mL */
	strcpy(s->grid.frame_of_reference, SCENE_FRAME);

	map_new(&s->baseline, &s->grid, 45);
	for (int voi = 0; voi < SCENE_VOIS; voi++) {
		assert_ok(mask_new(&s->mask[voi], &s->grid, &st), &st);
		for (int k = 0; k < s->grid.slices; k++) {
			for (int j = 0; j < s->grid.rows; j++) {
				for (int i = 0; i < s->grid.columns; i++) {
					size_t v = voxel_at(&s->grid, i, j, k);
					s->mask[voi].coverage[v] = in_box(voi, i, j, k) ? 1 : 0;
					if (voi >= TUMOUR_RIGHT && in_box(voi, i, j, k))
						s->baseline.r2star_per_s.samples[v] = 25;
				}
			}
		}
		mask_update_bounds(&s->mask[voi]);
	}
	static const char *const name[] = {"Liver", "Right", "Left", "Tumour 1", "Tumour 2"};
	static const enum voi_role role[] = {VOI_LIVER, VOI_PART, VOI_PART, VOI_TUMOUR, VOI_TUMOUR};
	for (int voi = 0; voi < SCENE_VOIS; voi++)
		s->voi[voi] = (struct dosimetry_voi){name[voi], role[voi], -1, &s->mask[voi]};

	for (int i = 0; i < SCENE_SCANS; i++) {
		map_new(&s->after[i], &s->grid, 45);
		s->scan[i] = (struct dosimetry_scan){
		    .map = &s->after[i],
		    .after_injection = i + 1,
		    .time_s = 1000 + 1800.0 * i,
		    .tr_ms = 1000,
		    .flip_deg = 70,
		};
	}
	for (int i = 0; i < 8; i++)
		s->injection[i] = (struct dosimetry_injection){
		    .number = i + 1,
		    .start_s = 500 + 1800.0 * i,
		    .net_activity_mbq = 100,
		    .specific_activity_mbq_per_mg = 12,
		    .holmium_percent = 19.5,
		    .part_voi = -1,
		};
	s->input = (struct dosimetry_input){
	    .result_grid = &s->grid,
	    .baseline = {.map = &s->baseline, .time_s = 0, .tr_ms = 1000, .flip_deg = 70},
	    .scans = s->scan,
	    .n_scans = scans,
	    .injections = s->injection,
	    .n_injections = scans,
	    .vois = s->voi,
	    .n_vois = SCENE_VOIS,
	};
	s->params = usual_params(200, 3);
	s->params.dose_levels = 2;
	s->params.dose_level_gy[0] = 20;
	s->params.dose_level_gy[1] = 100;
	s->params.underdose_levels = 1;
	s->params.underdosed_below_gy[0] = 60;
	return s;
}

static inline void scene_free(struct scene *s)
{
	r2star_map_free(&s->baseline);
	for (int i = 0; i < SCENE_SCANS; i++)
		r2star_map_free(&s->after[i]);
	for (int voi = 0; voi < SCENE_VOIS; voi++)
		mask_free(&s->mask[voi]);
	free(s);
}

static inline struct dosimetry_result scene_run(const struct scene *s)
{
	struct status st = STATUS_INIT;
	struct dosimetry_result result = {.n_time_points = 0};
	assert_ok(dosimetry_run(&result, &s->input, &s->params, &st), &st);
	return result;
}

#endif
