/* Volumes of the positions from contours, and what a simulation counts in them. */
#include "command_prescribe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "command_images.h"
#include "emission_series.h"

#define OVERLAP_TOLD   0.05 /* of the smaller position */
#define SUBSAMPLES     4
#define BOX_MARGIN     1 /* voxels */
#define CROPPED_MARGIN 0.5

/* What was read, and the masks that all positions share. */
struct contoured {
	struct prescribe_run *run;
	const struct prescribe_files *files;
	struct command_images images, simulation_images;
	struct rt_structure_set set;
	struct command_series drawn; /* the images drawn on */
	struct grid box;	     /* of their grid, what the contours reach */
	struct mask tumours, necrosis, liver, positions[PRESCRIPTION_MAX_POSITIONS];
	bool has_liver;
	struct emission_series emission;
};

/* ---- regions ---- */

static enum status_code role_of(bool *matched, enum config_voi_role *role,
				const struct contoured *c, const struct rt_roi *roi,
				struct status *st)
{
	*matched = false;
	if (roi->n_contours == 0)
		return STATUS_OK;
	return config_voi_role_of(matched, role, c->run->config, roi->name, roi->code_value,
				  roi->code_scheme, st);
}

static const struct rt_roi *find_roi(const struct contoured *c, const char *name)
{
	for (int i = 0; i < c->set.n_rois; i++) {
		if (strcasecmp(c->set.rois[i].name, name) == 0 && c->set.rois[i].n_contours > 0)
			return &c->set.rois[i];
	}
	return NULL;
}

static bool is_listed(const struct contoured *c, const char *name)
{
	for (int i = 0; i < c->run->input.n_positions; i++) {
		if (strcasecmp(c->run->names[i], name) == 0)
			return true;
	}
	for (int i = 0; i < c->files->n_lungs; i++) {
		if (strcasecmp(c->files->lungs[i], name) == 0)
			return true;
	}
	return false;
}

/* Positions where none was typed: the parts, else the liver. */
static enum status_code name_positions(struct contoured *c, struct status *st)
{
	static const enum config_voi_role order[] = {CONFIG_VOI_PART, CONFIG_VOI_LIVER};
	struct prescribe_run *run = c->run;
	for (int pass = 0; pass < 2 && run->input.n_positions == 0; pass++) {
		for (int i = 0; i < c->set.n_rois; i++) {
			bool matched;
			enum config_voi_role role;
			if (role_of(&matched, &role, c, &c->set.rois[i], st) != STATUS_OK)
				return st->code;
			if (matched && role == order[pass] &&
			    prescribe_add_position(run, c->set.rois[i].name, st) != STATUS_OK)
				return st->code;
		}
	}
	if (run->input.n_positions == 0)
		return status_fail(st, STATUS_REFUSE,
				   "no contour is a part or the liver by the voi rules: name "
				   "positions with --position NAME");
	return STATUS_OK;
}

/* The voxels that contours reach, with a margin: masks of whole CT series would need gigabytes. */
static void find_box(struct contoured *c)
{
	const struct grid *grid = &c->drawn.arranged.grid;
	const int size[3] = {grid->columns, grid->rows, grid->slices};
	double low[3] = {INFINITY, INFINITY, INFINITY}, high[3] = {-INFINITY, -INFINITY, -INFINITY};
	int first[3], count[3];
	for (int r = 0; r < c->set.n_rois; r++) {
		const struct rt_roi *roi = &c->set.rois[r];
		bool matched = false;
		enum config_voi_role role = CONFIG_VOI_IGNORE;
		struct status own = STATUS_INIT; /* what cannot be told is inside: no harm */
		bool told = role_of(&matched, &role, c, roi, &own) == STATUS_OK;
		if (told && (!matched || role == CONFIG_VOI_IGNORE) && !is_listed(c, roi->name))
			continue;
		for (int k = 0; k < roi->n_contours; k++) {
			for (int p = 0; p < roi->contours[k].points; p++) {
				double voxel[3];
				grid_to_voxel(grid, roi->contours[k].points_mm + 3 * p, voxel);
				for (int a = 0; a < 3; a++) {
					low[a] = fmin(low[a], voxel[a]);
					high[a] = fmax(high[a], voxel[a]);
				}
			}
		}
	}
	for (int a = 0; a < 3; a++) {
		double from = fmax(0, floor(low[a] - CROPPED_MARGIN) - BOX_MARGIN);
		double to = fmin(size[a] - 1, ceil(high[a] + CROPPED_MARGIN) + BOX_MARGIN);
		bool some = to >= from; /* false for NaN and infinities too */
		first[a] = some ? (int)from : 0;
		count[a] = some ? (int)(to - from) + 1 : size[a];
	}
	c->box = *grid;
	c->box.columns = count[0];
	c->box.rows = count[1];
	c->box.slices = count[2];
	grid_to_patient(grid, (const double[3]){first[0], first[1], first[2]}, c->box.origin_mm);
}

/* Adds a region to a mask: a voxel is covered by the more covering of both. */
static enum status_code add_region(struct mask *sum, const struct contoured *c,
				   const struct rt_roi *roi, struct status *st)
{
	struct mask one = MASK_INIT;
	size_t voxels = grid_voxels(&c->box);
	if (command_mask(&one, roi, &c->box, &c->box, st) != STATUS_OK)
		return st->code;
	if (sum->coverage == NULL) {
		*sum = one;
		return STATUS_OK;
	}
	for (size_t i = 0; i < voxels; i++)
		sum->coverage[i] = fmaxf(sum->coverage[i], one.coverage[i]);
	mask_update_bounds(sum);
	mask_free(&one);
	return STATUS_OK;
}

/* Tumours, necrosis and liver from their contours; none gives an empty mask. Necrosis is taken out
 * of the tumours. */
static enum status_code make_shared_masks(struct contoured *c, struct status *st)
{
	for (int i = 0; i < c->set.n_rois && st->code == STATUS_OK; i++) {
		const struct rt_roi *roi = &c->set.rois[i];
		bool matched;
		enum config_voi_role role;
		if (role_of(&matched, &role, c, roi, st) != STATUS_OK || !matched)
			continue;
		if (role == CONFIG_VOI_TUMOUR)
			(void)!add_region(&c->tumours, c, roi, st);
		else if (role == CONFIG_VOI_NECROSIS)
			(void)!add_region(&c->necrosis, c, roi, st);
		else if (role == CONFIG_VOI_LIVER)
			(void)!add_region(&c->liver, c, roi, st);
	}
	c->has_liver = c->liver.coverage != NULL;
	struct mask *const masks[] = {&c->tumours, &c->necrosis, &c->liver};
	for (int i = 0; i < 3 && st->code == STATUS_OK; i++) {
		if (masks[i]->coverage == NULL)
			(void)!mask_new(masks[i], &c->box, st);
	}
	if (st->code != STATUS_OK)
		return st->code;
	return mask_subtract(&c->tumours, &c->necrosis, st);
}

/* ---- one position ---- */

static enum status_code measure_position(struct contoured *c, int index, struct status *st)
{
	struct prescribe_run *run = c->run;
	struct prescription_position *p = &run->positions[index];
	const struct prescribe_typed *typed = &run->typed[index];
	const struct rt_roi *roi = find_roi(c, p->name);
	if (roi == NULL) {
		if (typed->volume && c->files->simulation == NULL)
			return STATUS_OK; /* a position by numbers beside others by contours */
		return status_fail(st, STATUS_REFUSE, "position \"%s\" has no contour of its name",
				   p->name);
	}
	if (add_region(&c->positions[index], c, roi, st) != STATUS_OK)
		return st->code;
	const struct mask *mask = &c->positions[index];
	if (!typed->volume)
		p->targeted_volume_ml = mask_volume_ml(mask);
	if (!typed->necrosis)
		p->necrotic_volume_ml = mask_overlap_ml(mask, &c->necrosis);
	if (!typed->tumour)
		p->tumour_volume_ml = mask_overlap_ml(mask, &c->tumours);
	for (int i = 0; i < index; i++) {
		if (c->positions[i].coverage == NULL)
			continue;
		double overlap_ml = mask_overlap_ml(&c->positions[i], mask);
		double smaller_ml = fmin(mask_volume_ml(&c->positions[i]), mask_volume_ml(mask));
		if (overlap_ml > OVERLAP_TOLD * smaller_ml)
			prescribe_note(run,
				       "%s and %s overlap by %.1f mL, which is counted in both",
				       run->names[i], p->name, overlap_ml);
	}
	return STATUS_OK;
}

/* ---- the simulation ---- */

static bool is_emission(const struct instance_info *info)
{
	return strcmp(info->modality, "NM") == 0 || strcmp(info->modality, "PT") == 0;
}

static enum status_code read_emission(struct contoured *c, struct status *st)
{
	const struct command_images *images = &c->simulation_images;
	struct dataset **datasets = calloc((size_t)images->count + 1, sizeof(struct dataset *));
	const struct instance_info *chosen = NULL;
	int count = 0;
	if (datasets == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for %d images", images->count);
	for (int i = 0; i < images->count && st->code == STATUS_OK; i++) {
		const struct command_image *image = &images->images[i];
		if (!is_emission(&image->info))
			continue;
		if (chosen != NULL &&
		    strcmp(chosen->series_instance_uid, image->info.series_instance_uid) != 0)
			status_fail(st, STATUS_REFUSE,
				    "simulation: series \"%.60s\" and \"%.60s\": give only the "
				    "one to count in",
				    chosen->series_description, image->info.series_description);
		else if (catalogue_read(&datasets[count], &image->where, st) == STATUS_OK)
			count++;
		chosen = &image->info;
	}
	if (st->code == STATUS_OK && chosen == NULL)
		status_fail(st, STATUS_REFUSE, "no NM or PET image in %s", c->files->simulation);
	if (st->code == STATUS_OK &&
	    emission_series_read(&c->emission, datasets, count, (double)NAN, st) == STATUS_OK) {
		snprintf(c->run->simulation, sizeof c->run->simulation, "%.60s \"%.100s\" %s, %s",
			 c->emission.isotope[0] ? c->emission.isotope : "isotope not named",
			 chosen->series_description, chosen->series_instance_uid,
			 c->emission.calibrated ? "Bq/mL" : "counts");
		c->run->simulated = true;
		if (!c->emission.attenuation_corrected || !c->emission.scatter_corrected)
			prescribe_note(c->run,
				       "The simulation does not say that it is corrected for "
				       "attenuation and scatter: its ratios are less sure");
	}
	for (int i = 0; i < count; i++)
		dataset_free(datasets[i]);
	free(datasets);
	return st->code == STATUS_OK ? STATUS_OK : status_prefix(st, "simulation");
}

/* Sum of the image over a mask. */
static enum status_code count_in(double *counts, const struct contoured *c, const struct mask *mask,
				 struct status *st)
{
	const struct volume *image = &c->emission.activity_bq_per_ml;
	struct mask there = MASK_INIT;
	*counts = 0;
	if (strcmp(image->grid.frame_of_reference, mask->grid.frame_of_reference) != 0)
		return status_fail(st, STATUS_REFUSE,
				   "simulation: its frame of reference (%s) is not that of the "
				   "contours (%s): draw them on its own CT",
				   image->grid.frame_of_reference, mask->grid.frame_of_reference);
	if (mask_resample(&there, &image->grid, mask, SUBSAMPLES, st) != STATUS_OK)
		return status_prefix(st, "simulation");
	double kept_ml = mask_volume_ml(&there), drawn_ml = mask_volume_ml(mask);
	if (kept_ml < 0.98 * drawn_ml)
		status_fail(st, STATUS_REFUSE,
			    "simulation: %.0f of %.0f mL of a contour lie outside the image",
			    drawn_ml - kept_ml, drawn_ml);
	for (size_t i = 0, n = grid_voxels(&image->grid); i < n; i++) {
		if (there.coverage[i] > 0)
			*counts += (double)there.coverage[i] * (double)image->samples[i];
	}
	mask_free(&there);
	return st->code;
}

static enum status_code count_position(struct contoured *c, int index, struct status *st)
{
	struct prescription_position *p = &c->run->positions[index];
	struct mask tumour = MASK_INIT, normal = MASK_INIT;
	const struct mask *whole = &c->positions[index];
	size_t voxels = grid_voxels(&c->box);
	if (mask_new(&tumour, &c->box, st) == STATUS_OK &&
	    mask_new(&normal, &c->box, st) == STATUS_OK) {
		for (size_t i = 0; i < voxels; i++) {
			tumour.coverage[i] = fminf(whole->coverage[i], c->tumours.coverage[i]);
			normal.coverage[i] = fmaxf(0, whole->coverage[i] - tumour.coverage[i] -
							  c->necrosis.coverage[i]);
		}
		mask_update_bounds(&tumour);
		mask_update_bounds(&normal);
		if (count_in(&p->tumour_counts, c, &tumour, st) == STATUS_OK)
			(void)!count_in(&p->normal_counts, c, &normal, st);
	}
	mask_free(&tumour);
	mask_free(&normal);
	return st->code == STATUS_OK ? STATUS_OK : status_prefix(st, "position \"%s\"", p->name);
}

static enum status_code count_lungs(struct contoured *c, struct status *st)
{
	struct prescribe_run *run = c->run;
	struct mask lungs = MASK_INIT;
	for (int i = 0; i < c->files->n_lungs && st->code == STATUS_OK; i++) {
		const struct rt_roi *roi = find_roi(c, c->files->lungs[i]);
		if (roi == NULL)
			status_fail(st, STATUS_REFUSE, "lungs: no contour \"%s\"",
				    c->files->lungs[i]);
		else
			(void)!add_region(&lungs, c, roi, st);
	}
	if (st->code == STATUS_OK && !c->has_liver)
		status_fail(st, STATUS_REFUSE,
			    "lungs: a lung shunt needs the contour of the whole liver too");
	if (st->code == STATUS_OK && count_in(&run->lung_counts, c, &lungs, st) == STATUS_OK &&
	    count_in(&run->liver_counts, c, &c->liver, st) == STATUS_OK) {
		run->input.lung_shunt =
		    prescription_lung_shunt(run->lung_counts, run->liver_counts);
		if (isnan(run->input.lung_shunt))
			status_fail(st, STATUS_REFUSE,
				    "lungs: %g counts in the lungs and %g in the liver say no lung "
				    "shunt",
				    run->lung_counts, run->liver_counts);
	}
	mask_free(&lungs);
	return st->code;
}

static enum status_code count_all(struct contoured *c, struct status *st)
{
	const char *folder[] = {c->files->simulation};
	if (command_images_read(&c->simulation_images, folder, 1, c->run->config->max_instance_mb,
				st) != STATUS_OK ||
	    read_emission(c, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < c->run->input.n_positions; i++) {
		if (count_position(c, i, st) != STATUS_OK)
			return st->code;
	}
	return c->files->n_lungs > 0 ? count_lungs(c, st) : STATUS_OK;
}

/* ---- all of it ---- */

static enum status_code read_contours(struct contoured *c, struct status *st)
{
	const struct prescribe_files *files = c->files;
	double most_mb = c->run->config->max_instance_mb;
	struct command_images own = {.count = 0};
	if (command_images_read(&c->images, (const char *const *)files->paths, files->n_paths,
				most_mb, st) != STATUS_OK)
		return st->code;
	if (files->structures != NULL) {
		const char *path[] = {files->structures};
		if (command_images_read(&own, path, 1, most_mb, st) == STATUS_OK)
			(void)!command_images_structures(&c->set, &own, st);
		command_images_free(&own);
	} else {
		(void)!command_images_structures(&c->set, &c->images, st);
	}
	if (st->code != STATUS_OK)
		return st->code;
	if (command_series_open(&c->drawn, &c->images, c->set.referenced_series_uid, st) !=
	    STATUS_OK)
		return status_prefix(st, "contours \"%s\": the images they are drawn on",
				     c->set.label);
	return STATUS_OK;
}

enum status_code prescribe_read_files(struct prescribe_run *run,
				      const struct prescribe_files *files, struct status *st)
{
	struct contoured *c = calloc(1, sizeof *c);
	if (c == NULL)
		return status_fail(st, STATUS_RETRY, "no memory");
	c->run = run;
	c->files = files;
	if (dataset_library_init(st) != STATUS_OK || read_contours(c, st) != STATUS_OK ||
	    (run->input.n_positions == 0 && name_positions(c, st) != STATUS_OK))
		goto out;
	find_box(c);
	if (make_shared_masks(c, st) != STATUS_OK)
		goto out;
	for (int i = 0; i < run->input.n_positions; i++) {
		if (measure_position(c, i, st) != STATUS_OK)
			goto out;
	}
	if (files->simulation != NULL)
		(void)!count_all(c, st);
out:
	for (int i = 0; i < PRESCRIPTION_MAX_POSITIONS; i++)
		mask_free(&c->positions[i]);
	mask_free(&c->tumours);
	mask_free(&c->necrosis);
	mask_free(&c->liver);
	emission_series_free(&c->emission);
	command_series_close(&c->drawn);
	rt_structure_set_free(&c->set);
	command_images_free(&c->images);
	command_images_free(&c->simulation_images);
	free(c);
	return st->code;
}
