/* job_emission_figures.c - how the emission image lies to the result, and what it says per VOI. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "job_emission_parts.h"
#include "rt_structure_set.h"
#include "spatial_registration.h"
#include "voi_stats.h"

#define RECORD_TOLERANCE 5e-4
#define SUB_VOXELS	 6    /* per axis, where the grids are turned against each other */
#define OUTSIDE_TOLD	 0.01 /* of a region's volume, outside the image */

/* ---- alignment ---- */

static const char *result_frame(const struct emission_work *w)
{
	return w->c->shown_over->arranged.grid.frame_of_reference;
}

static const char *image_frame(const struct emission_work *w)
{
	return w->image.activity_bq_per_ml.grid.frame_of_reference;
}

/* 2 by its own UID, 1 by that of its frame of reference, 0 not. */
static int how_named(const char *uid, const char *series_uid, const char *frame_uid)
{
	if (uid[0] == '\0')
		return 0;
	return strcmp(uid, series_uid) == 0 ? 2 : strcmp(uid, frame_uid) == 0;
}

/* The record's transform that names both best, forward or backward, as for the scans
 * (treatment_transforms.c). */
static enum status_code use_record(bool *found, struct emission_work *w, struct status *st)
{
	const struct treatment_record *record = &w->c->record;
	const char *shown = w->c->shown_over->series->series_instance_uid;
	const char *image = w->image.series_uid;
	const struct record_transform *given = NULL;
	struct report_emission *report = &w->made->report;
	bool is_forward = false;
	int best = 0;
	for (int i = 0; i < record->n_transforms; i++) {
		const struct record_transform *t = &record->transforms[i];
		int forward = how_named(t->from_uid, shown, result_frame(w)) *
			      how_named(t->to_uid, image, image_frame(w));
		int backward = how_named(t->from_uid, image, image_frame(w)) *
			       how_named(t->to_uid, shown, result_frame(w));
		if (forward <= best && backward <= best)
			continue;
		is_forward = forward >= backward;
		best = is_forward ? forward : backward;
		given = t;
	}
	*found = given != NULL;
	if (!given)
		return STATUS_OK;
	if (!rigid_is_valid(given->matrix, RECORD_TOLERANCE))
		return status_fail(st, STATUS_REFUSE,
				   "the record's transform for the emission image is not rigid");
	memcpy(w->to_image, given->matrix, sizeof w->to_image);
	if (!is_forward)
		rigid_invert(w->to_image, w->to_image);
	report->alignment = REPORT_EMISSION_RECORD;
	snprintf(report->alignment_words, sizeof report->alignment_words,
		 "treatment record: %.200s", given->provenance);
	return STATUS_OK;
}

static bool use_registration(struct emission_work *w)
{
	const struct job_case *c = w->c;
	const struct spatial_registration *object;
	struct report_emission *report = &w->made->report;
	bool found;
	if (c->slots.emission.registration < 0)
		return false;
	object = &c->registrations.objects[c->slots.emission.registration];
	spatial_registration_find(&found, w->to_image, object, result_frame(w),
				  c->shown_over->series->series_instance_uid, image_frame(w),
				  w->image.series_uid);
	if (!found)
		return false;
	w->made->registration = site_registrations_instance(c->patient, object->sop_instance_uid);
	report->alignment = REPORT_EMISSION_REGISTRATION;
	snprintf(report->alignment_words, sizeof report->alignment_words,
		 "Spatial Registration of %.14s", object->content_datetime);
	return true;
}

enum status_code emission_align(struct emission_work *w, struct status *st)
{
	const struct catalogue_instance *contours = w->c->slots.emission.contours;
	struct report_emission *report = &w->made->report;
	bool found;
	if (image_frame(w)[0] == '\0')
		return status_fail(st, STATUS_REFUSE,
				   "the emission image has no frame of reference");
	bool one_frame = strcmp(image_frame(w), result_frame(w)) == 0;
	if (use_record(&found, w, st) != STATUS_OK)
		return st->code;
	found = found || use_registration(w);
	if (found) {
		job_warn(w->c, "HO138", "emission image aligned with MRI by the %.200s",
			 report->alignment_words);
	} else if (one_frame) {
		rigid_identity(w->to_image);
		report->alignment = REPORT_EMISSION_SAME_FRAME;
		snprintf(report->alignment_words, sizeof report->alignment_words,
			 "one frame of reference, taken as it is");
		job_warn(w->c, "HO140",
			 "emission image taken as lying on MRI: they share a frame of reference; "
			 "nothing was registered");
	} else if (contours) {
		w->made->contours = contours;
		report->alignment = REPORT_EMISSION_OWN_CONTOURS;
		snprintf(report->alignment_words, sizeof report->alignment_words,
			 "not aligned; regions of the same names, drawn on it %.14s",
			 contours->info.content_datetime);
		job_warn(
		    w->c, "HO140",
		    "emission image is in another frame of reference than MRI: its figures are "
		    "of the regions drawn on it, by their names");
	} else {
		return status_fail(
		    st, STATUS_REFUSE,
		    "it lies in another frame of reference than MRI, and neither a "
		    "transform in the record, nor a Spatial Registration object, nor "
		    "contours drawn on it say how they belong together");
	}
	return STATUS_OK;
}

/* ---- masks on the image ---- */

struct masks {
	struct mask of[DOSIMETRY_MAX_VOIS];  /* empty where the region is not there */
	double whole_ml[DOSIMETRY_MAX_VOIS]; /* before it was cut off at the image */
};

static enum status_code carry_masks(struct masks *masks, struct emission_work *w, struct status *st)
{
	const struct grid *image = &w->image.activity_bq_per_ml.grid;
	for (int i = 0; i < w->c->n_contoured; i++) {
		struct mask moved = w->c->mask[i];
		if (!moved.coverage)
			continue;
		rigid_move_grid(&moved.grid, &w->c->mask[i].grid, w->to_image,
				image->frame_of_reference);
		masks->whole_ml[i] = mask_volume_ml(&moved);
		if (mask_resample(&masks->of[i], image, &moved, SUB_VOXELS, st) != STATUS_OK)
			return status_prefix(st, "\"%s\"", w->c->voi[i].name);
	}
	return STATUS_OK;
}

static enum status_code draw_masks(struct masks *masks, struct emission_work *w, struct status *st)
{
	const struct grid *image = &w->image.activity_bq_per_ml.grid;
	struct rt_structure_set set = {.rois = NULL};
	struct dataset *ds = NULL;
	int drawn = 0;
	if (catalogue_read(&ds, &w->made->contours->where, st) == STATUS_OK)
		(void)!rt_structure_set_read(&set, ds, st);
	dataset_free(ds);
	for (int i = 0; i < w->c->n_contoured && st->code == STATUS_OK; i++) {
		const struct rt_roi *roi = NULL;
		for (int r = 0; r < set.n_rois; r++)
			if (strcasecmp(set.rois[r].name, w->c->voi[i].name) == 0)
				roi = &set.rois[r];
		if (!roi || roi->n_contours == 0)
			continue;
		if (mask_from_contours(&masks->of[i], image, roi->contours, roi->n_contours, NULL,
				       st) != STATUS_OK)
			(void)status_prefix(st, "contours on the emission image, \"%s\"",
					    roi->name);
		else
			masks->whole_ml[i] = mask_volume_ml(&masks->of[i]);
		drawn++;
	}
	rt_structure_set_free(&set);
	if (st->code == STATUS_OK && drawn == 0)
		return status_fail(st, STATUS_REFUSE,
				   "none of the regions drawn on the emission image has a name of "
				   "those drawn on MRI");
	return st->code;
}

/* ---- figures ---- */

/* The image shows every injection; a dose of MRI those up to its last scan. */
static bool holds_all_injections(const struct job_case *c)
{
	return c->job->after_injection == c->slots.n_injections;
}

static struct report_emission_voi no_figures(void)
{
	const double unknown = (double)NAN;
	return (struct report_emission_voi){unknown, unknown, unknown, unknown, unknown};
}

/* dose_gy is that of the injections together (factor); a part's own injections may be others. */
static enum status_code measure(struct report_emission_voi *figures, const struct emission_work *w,
				const struct volume *dose_gy, const struct mask *mask, int part,
				double mri_mean_gy, struct status *st)
{
	const struct report_emission *report = &w->made->report;
	double correction = emission_factor_of_part(w, part) / report->decay_factor;
	struct voi_stats stats;
	if (voi_stats_compute(&stats, dose_gy, mask, NULL, 0, st) != STATUS_OK)
		return st->code;
	figures->volume_ml = stats.volume_ml;
	figures->mean_gy = stats.mean * correction;
	figures->standard_deviation_gy = stats.standard_deviation * correction;
	figures->activity_mbq = figures->mean_gy * stats.measured_volume_ml *
				w->c->params.density_g_per_ml /
				w->c->params.dose_constant_mj_per_mbq;
	figures->difference_percent = mri_mean_gy > 0 && holds_all_injections(w->c)
					  ? 100 * (figures->mean_gy / mri_mean_gy - 1)
					  : (double)NAN;
	return STATUS_OK;
}

static int part_of(const struct job_case *c, int voi)
{
	if (c->voi[voi].role == VOI_PART)
		return voi;
	return c->voi[voi].role == VOI_TUMOUR ? c->voi[voi].part_voi : -1;
}

static enum status_code measure_vois(struct emission_work *w, const struct volume *dose_gy,
				     const struct masks *masks, struct status *st)
{
	const struct job_case *c = w->c;
	const struct dosimetry_time_point *last =
	    &c->result.time_points[c->result.n_time_points - 1];
	for (int i = 0; i < c->n_contoured; i++) {
		w->made->vois[i] = no_figures();
		if (!masks->of[i].coverage) {
			if (c->voi[i].role != VOI_GROUP)
				job_warn(w->c, "HO140",
					 "emission image: no region \"%.100s\" drawn on it",
					 c->voi[i].name);
			continue;
		}
		double inside_ml = mask_volume_ml(&masks->of[i]);
		if (inside_ml < (1 - OUTSIDE_TOLD) * masks->whole_ml[i]) {
			job_warn(w->c, "HO140",
				 "emission image: %.3g of %.3g mL of \"%.80s\" lie outside it: no "
				 "figures",
				 masks->whole_ml[i] - inside_ml, masks->whole_ml[i],
				 c->voi[i].name);
			continue;
		}
		if (measure(&w->made->vois[i], w, dose_gy, &masks->of[i], part_of(c, i),
			    last->voi[i].dose.mean, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* The liver with its tumours, and without them. */
static enum status_code measure_liver(struct emission_work *w, const struct volume *dose_gy,
				      const struct masks *masks, struct status *st)
{
	const struct job_case *c = w->c;
	const struct dosimetry_time_point *last =
	    &c->result.time_points[c->result.n_time_points - 1];
	struct report_emission *report = &w->made->report;
	struct mask all = MASK_INIT, healthy = MASK_INIT;
	struct report_emission_voi whole = no_figures();
	int liver = -1;
	bool told = true;
	report->healthy = no_figures();
	report->liver_activity_mbq = report->recovery_ratio = (double)NAN;
	for (int i = 0; i < c->n_contoured; i++) {
		if (c->voi[i].role == VOI_LIVER)
			liver = i;
		if (c->voi[i].role == VOI_LIVER || c->voi[i].role == VOI_TUMOUR)
			told = told && !isnan(w->made->vois[i].mean_gy);
	}
	if (liver < 0 || !told)
		return STATUS_OK;
	if (mask_copy(&all, &masks->of[liver], st) != STATUS_OK ||
	    mask_copy(&healthy, &masks->of[liver], st) != STATUS_OK)
		goto out;
	for (int i = 0; i < c->n_contoured; i++) {
		if (c->voi[i].role == VOI_TUMOUR) {
			mask_join(&all, &masks->of[i], false);
			if (mask_subtract(&healthy, &masks->of[i], st) != STATUS_OK)
				goto out;
		} else if (c->voi[i].role == VOI_NECROSIS && masks->of[i].coverage &&
			   mask_subtract(&healthy, &masks->of[i], st) != STATUS_OK) {
			goto out;
		}
	}
	mask_update_bounds(&all);
	mask_update_bounds(&healthy);
	if (measure(&whole, w, dose_gy, &all, -1, (double)NAN, st) != STATUS_OK ||
	    measure(&report->healthy, w, dose_gy, &healthy, -1,
		    last->n_healthy > 0 ? last->healthy[0].figures.dose.mean : (double)NAN,
		    st) != STATUS_OK)
		goto out;
	report->liver_activity_mbq = whole.activity_mbq;
	report->recovery_ratio = whole.activity_mbq / report->injected_activity_mbq;
out:
	mask_free(&all);
	mask_free(&healthy);
	return st->code;
}

static double image_activity_mbq(const struct volume *dose_gy, const struct job_case *c)
{
	double sum_gy = 0;
	size_t voxels = grid_voxels(&dose_gy->grid);
	for (size_t i = 0; i < voxels; i++)
		sum_gy += (double)dose_gy->samples[i];
	return sum_gy * grid_voxel_volume_ml(&dose_gy->grid) * c->params.density_g_per_ml /
	       c->params.dose_constant_mj_per_mbq;
}

enum status_code emission_make_figures(struct emission_work *w, struct status *st)
{
	const struct job_case *c = w->c;
	struct report_emission *report = &w->made->report;
	struct volume dose_gy = VOLUME_INIT;
	struct masks *masks = calloc(1, sizeof *masks);
	if (!masks)
		return status_fail(st, STATUS_RETRY, "no memory for %d regions", c->n_contoured);
	if (emission_dose(&dose_gy, &w->image.activity_bq_per_ml, report->decay_factor, w->isotope,
			  c->params.dose_constant_mj_per_mbq, c->params.density_g_per_ml,
			  st) != STATUS_OK ||
	    (w->made->contours ? draw_masks(masks, w, st) : carry_masks(masks, w, st)) !=
		STATUS_OK ||
	    measure_vois(w, &dose_gy, masks, st) != STATUS_OK ||
	    measure_liver(w, &dose_gy, masks, st) != STATUS_OK)
		goto out;
	if (!holds_all_injections(c))
		job_warn(w->c, "HO140",
			 "emission image shows all %d injections, MRI those up to injection %d: "
			 "their doses are not compared",
			 c->slots.n_injections, c->job->after_injection);
	report->image_activity_mbq = image_activity_mbq(&dose_gy, c);
	report->vois = w->made->vois;
	report->n_vois = c->n_contoured;
out:
	for (int i = 0; i < DOSIMETRY_MAX_VOIS; i++)
		mask_free(&masks->of[i]);
	free(masks);
	volume_free(&dose_gy);
	return st->code;
}
