/* job_build.c - from figures and evidence to the objects that are put. */
#include "job_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"
#include "job_emission.h"
#include "rt_dose.h"
#include "tags.h"

#define DVH_MOST_BINS 2000

/* ---- evidence: what every object copies and cites ---- */

static struct evidence_instance instance_of(const struct catalogue_instance *row)
{
	struct evidence_instance instance;
	memcpy(instance.sop_class_uid, row->info.sop_class_uid, sizeof instance.sop_class_uid);
	memcpy(instance.sop_instance_uid, row->info.sop_instance_uid,
	       sizeof instance.sop_instance_uid);
	return instance;
}

/* The images that took part, slice by slice. */
static enum status_code add_scan(struct job_evidence *e, enum evidence_role role,
				 const struct job_scan *scan, struct status *st)
{
	const struct mr_series *arranged = &scan->arranged;
	int images = arranged->grid.slices * arranged->echoes, n = e->evidence.n_series;
	for (int i = 0; i < n; i++) {
		if (strcmp(e->series[i].series_instance_uid, scan->series->series_instance_uid) ==
		    0)
			return STATUS_OK; /* drawn on the baseline itself */
	}
	struct evidence_instance *instances = calloc((size_t)images, sizeof *instances);
	if (!instances)
		return status_fail(st, STATUS_RETRY, "no memory for %d references", images);
	struct evidence_series *series = &e->series[n];
	const struct instance_info *info = &scan->series->instances[0].info;
	series->role = role;
	series->after_injection = scan->after_injection;
	memcpy(series->study_instance_uid, scan->series->study_instance_uid, 65);
	memcpy(series->series_instance_uid, scan->series->series_instance_uid, 65);
	memcpy(series->modality, scan->series->modality, sizeof series->modality);
	memcpy(series->description, info->series_description, sizeof series->description);
	if (strlen(arranged->acquisition_datetime) + strlen(arranged->utc_offset) <
	    sizeof series->acquired) {
		strcpy(series->acquired, arranged->acquisition_datetime);
		if (series->acquired[0] != '\0' && !strpbrk(series->acquired, "+-"))
			strcat(series->acquired, arranged->utc_offset);
	}
	for (int i = 0; i < images; i++) {
		if (arranged->image[i] >= 0)
			instances[series->n_instances++] =
			    instance_of(&scan->series->instances[arranged->image[i]]);
	}
	series->instances = e->instances[n] = instances;
	e->evidence.n_series++;
	return STATUS_OK;
}

/* A series of which one instance was used. */
static enum status_code add_single(struct job_evidence *e, enum evidence_role role,
				   const struct catalogue_instance *instance, struct status *st)
{
	const struct instance_info *info = &instance->info;
	int n = e->evidence.n_series;
	struct evidence_series *series = &e->series[n];
	e->instances[n] = malloc(sizeof *e->instances[n]);
	if (!e->instances[n])
		return status_fail(st, STATUS_RETRY, "no memory for a reference");
	*e->instances[n] = instance_of(instance);
	series->role = role;
	memcpy(series->study_instance_uid, info->study_instance_uid, 65);
	memcpy(series->series_instance_uid, info->series_instance_uid, 65);
	memcpy(series->modality, info->modality, sizeof series->modality);
	memcpy(series->description, info->series_description, sizeof series->description);
	memcpy(series->acquired, info->content_datetime, sizeof series->acquired);
	series->n_instances = 1;
	series->instances = e->instances[n];
	e->evidence.n_series++;
	return STATUS_OK;
}

static bool has_series(const struct job_evidence *e, const struct catalogue_instance *instance)
{
	for (int i = 0; i < e->evidence.n_series; i++) {
		if (strcmp(e->series[i].series_instance_uid, instance->info.series_instance_uid) ==
		    0)
			return true;
	}
	return false;
}

/* The Spatial Registration that a transform came from; one object may give several. */
static enum status_code add_registration(struct job_evidence *e, const struct job_case *c,
					 const struct treatment_transform *transform,
					 struct status *st)
{
	const char *uid = transform->object_uid;
	const struct catalogue_instance *instance = site_registrations_instance(c->patient, uid);
	if (uid[0] == '\0' || !instance)
		return STATUS_OK;
	for (int i = 0; i < e->evidence.n_series; i++) {
		if (e->series[i].role == EVIDENCE_REGISTRATION &&
		    strcmp(e->series[i].series_instance_uid, instance->info.series_instance_uid) ==
			0)
			return STATUS_OK;
	}
	return add_single(e, EVIDENCE_REGISTRATION, instance, st);
}

static enum status_code add_registrations(struct job_evidence *e, const struct job_case *c,
					  struct status *st)
{
	if (add_registration(e, c, &c->slots.baseline.transform, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < c->slots.n_after && i < c->job->n_scans; i++) {
		if (add_registration(e, c, &c->slots.after[i].transform, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* One image per slice of the result grid: of several echoes the first, which shows the anatomy
 * best. */
static enum status_code list_grid_images(struct job_evidence *e, const struct job_scan *shown_over,
					 struct status *st)
{
	const struct mr_series *arranged = &shown_over->arranged;
	int slices = arranged->grid.slices;
	e->grid_images = calloc((size_t)slices, sizeof *e->grid_images);
	if (!e->grid_images)
		return status_fail(st, STATUS_RETRY, "no memory for %d references", slices);
	for (int slice = 0; slice < slices; slice++) {
		int image = arranged->image[slice * arranged->echoes];
		if (image < 0)
			return status_fail(st, STATUS_REFUSE, "series %s: %s",
					   shown_over->series->series_instance_uid,
					   arranged->missing);
		e->grid_images[slice] = instance_of(&shown_over->series->instances[image]);
	}
	e->evidence.grid_images = e->grid_images;
	e->evidence.n_grid_images = slices;
	return STATUS_OK;
}

/* The SPECT or PET, with what it was aligned by. */
static enum status_code add_emission(struct job_evidence *e, const struct job_case *c,
				     struct status *st)
{
	const struct job_emission *emission = c->emission;
	const struct catalogue_series *images;
	int n = e->evidence.n_series;
	if (!emission)
		return STATUS_OK;
	images = emission->series;
	if (add_single(e, EVIDENCE_EMISSION, &images->instances[0], st) != STATUS_OK)
		return st->code;
	struct evidence_instance *all = calloc((size_t)images->n_instances, sizeof *all);
	if (!all)
		return status_fail(st, STATUS_RETRY, "no memory for %d references",
				   images->n_instances);
	for (int i = 0; i < images->n_instances; i++)
		all[i] = instance_of(&images->instances[i]);
	free(e->instances[n]);
	e->series[n].instances = e->instances[n] = all;
	e->series[n].n_instances = images->n_instances;
	memcpy(e->series[n].acquired, emission->report.acquired, sizeof e->series[n].acquired);
	if (emission->registration && !has_series(e, emission->registration) &&
	    add_single(e, EVIDENCE_REGISTRATION, emission->registration, st) != STATUS_OK)
		return st->code;
	if (emission->contours && !has_series(e, emission->contours))
		(void)!add_single(e, EVIDENCE_VOIS, emission->contours, st);
	return st->code;
}

static void job_evidence_free(struct job_evidence *e)
{
	dataset_free(e->study_header);
	free(e->grid_images);
	for (size_t i = 0; i < sizeof e->instances / sizeof e->instances[0]; i++)
		free(e->instances[i]);
}

static enum status_code gather_evidence(struct job_evidence *e, const struct job_case *c,
					struct status *st)
{
	/* results go to the study of the injections: that of the newest series */
	const struct job_scan *newest = &c->after[c->job->n_scans - 1];
	if (catalogue_read(&e->study_header, &newest->series->instances[0].where, st) !=
		STATUS_OK ||
	    add_scan(e, EVIDENCE_BASELINE, &c->baseline, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < c->job->n_scans; i++) {
		if (!c->after[i].left_out &&
		    add_scan(e, EVIDENCE_AFTER, &c->after[i], st) != STATUS_OK)
			return st->code;
	}
	if (c->has_anatomy && add_scan(e, EVIDENCE_ANATOMY, &c->anatomy, st) != STATUS_OK)
		return st->code;
	if (c->n_contoured > 0 &&
	    add_single(e, EVIDENCE_VOIS, &c->structure_instance, st) != STATUS_OK)
		return st->code;
	if (add_registrations(e, c, st) != STATUS_OK || add_emission(e, c, st) != STATUS_OK)
		return st->code;
	e->evidence.study_header = e->study_header;
	e->evidence.series = e->series;
	e->evidence.identity = &c->job->identity;
	memcpy(e->evidence.frame_of_reference_uid, c->shown_over->arranged.grid.frame_of_reference,
	       65);
	return list_grid_images(e, c->shown_over, st);
}

/* ---- RT Dose ---- */

/* Bins of 0.1 Gy, or a multiple that keeps a histogram short. */
static void choose_bins(int *bins, double *bin_width_gy, double maximum_gy)
{
	*bin_width_gy = 0.1;
	while (maximum_gy / *bin_width_gy > DVH_MOST_BINS - 2)
		*bin_width_gy *= 2;
	*bins = maximum_gy > 0 ? (int)(maximum_gy / *bin_width_gy) + 2 : 1;
}

/* The figures are those of the time point; a region that is not measurable has none (NaN). */
static enum status_code fill_dvhs(struct rt_dose_dvh *dvhs, int *n_dvhs, double *volumes_ml,
				  const struct job_case *c, bool kernel, struct status *st)
{
	const struct dosimetry_time_point *last =
	    &c->result.time_points[c->result.n_time_points - 1];
	const struct volume *dose_gy = kernel ? &last->kernel_dose_gy : &last->dose_gy;

	*n_dvhs = 0;
	for (int i = 0; i < c->n_contoured; i++) {
		const struct voi_stats *stats =
		    kernel ? &last->voi[i].kernel_dose : &last->voi[i].dose;
		struct rt_dose_dvh *dvh = &dvhs[*n_dvhs];
		double *own_ml = volumes_ml + (size_t)i * DVH_MOST_BINS;
		if (c->slots.vois[i].roi < 0)
			continue; /* a group is no region of the structure set */
		++*n_dvhs;
		dvh->roi_number = c->structure_set.rois[c->slots.vois[i].roi].number;
		dvh->minimum_gy = stats->minimum;
		dvh->maximum_gy = stats->maximum;
		dvh->mean_gy = stats->mean;
		if (isnan(stats->mean))
			continue;
		choose_bins(&dvh->bins, &dvh->bin_width_gy, stats->maximum);
		dvh->volume_ml = own_ml;
		if (voi_dvh(own_ml, dvh->bins, dvh->bin_width_gy, dose_gy, &c->mask[i], st) !=
		    STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

/* What a map says of itself hangs on its own inputs alone: made again, it is the same. */
static void write_remarks(char text[400], const struct job_case *c,
			  const struct dosimetry_time_point *point)
{
	const struct config_relaxivity *relaxivity = c->slots.relaxivity;
	bool said = relaxivity->calibrated || strstr(relaxivity->provenance, "not calibrated");
	int length = snprintf(text, 400, "Relaxivity %.6g /s per mg/mL at %.3g T%s (%.160s).",
			      relaxivity->per_s_per_mg_per_ml, c->slots.field_strength_t,
			      said ? "" : ", not calibrated", relaxivity->provenance);
	if (length < 400 && point->saturated_ml + point->s0_known_ml > 0)
		snprintf(text + length, 400 - (size_t)length,
			 " %.3g mL hang on fewer than three echoes, %.3g mL of them are a lower "
			 "bound.",
			 point->saturated_ml + point->s0_known_ml, point->saturated_ml);
}

static enum status_code build_dose_with(struct dataset **ds, char uid[65],
					const struct job_evidence *e, const struct job_case *c,
					bool kernel, struct rt_dose_dvh *dvhs, double *volumes_ml,
					struct status *st)
{
	const struct dosimetry_time_point *last =
	    &c->result.time_points[c->result.n_time_points - 1];
	const struct volume *dose_gy = kernel ? &last->kernel_dose_gy : &last->dose_gy;
	struct evidence_instance structure_set = {"", ""};
	char remarks[400], method[100];
	int n_dvhs;

	if (c->has_structure_set)
		structure_set = instance_of(&c->structure_instance);
	write_remarks(remarks, c, last);
	snprintf(method, sizeof method, "166Ho %s, %s R2* baseline",
		 kernel ? "beta kernel" : "local deposition",
		 c->config->baseline_voxelwise ? "voxelwise" : "region-mean");
	if (fill_dvhs(dvhs, &n_dvhs, volumes_ml, c, kernel, st) != STATUS_OK)
		return st->code;
	struct rt_dose_input input = {
	    .evidence = &e->evidence,
	    .dose_gy = dose_gy,
	    .after_injection = last->after_injection,
	    .planned_injections = c->slots.planned_injections,
	    .kernel = kernel,
	    .kernel_lost_share = last->kernel_lost_share,
	    .method = method,
	    .remarks = remarks,
	    .dvhs = dvhs,
	    .n_dvhs = n_dvhs,
	    .structure_set = n_dvhs > 0 ? &structure_set : NULL,
	};
	return rt_dose_build(ds, uid, &input, st);
}

static enum status_code build_dose(struct dataset **ds, char uid[65], const struct job_evidence *e,
				   const struct job_case *c, bool kernel, struct status *st)
{
	size_t n_vois = (size_t)c->n_contoured;
	struct rt_dose_dvh *dvhs = calloc(n_vois + 1, sizeof *dvhs);
	double *volumes_ml = calloc((n_vois + 1) * DVH_MOST_BINS, sizeof *volumes_ml);

	if (dvhs && volumes_ml)
		(void)!build_dose_with(ds, uid, e, c, kernel, dvhs, volumes_ml, st);
	else
		(void)status_fail(st, STATUS_RETRY, "no memory for %zu histograms", n_vois);
	free(dvhs);
	free(volumes_ml);
	return st->code;
}

/* ---- figures beside the object ---- */

static enum status_code write_figures(char **text, size_t *size,
				      void (*write)(FILE *file, const struct figures_input *input),
				      const struct figures_input *input, struct status *st)
{
	FILE *file = open_memstream(text, size);
	if (!file)
		return status_fail(st, STATUS_RETRY, "no memory for the figures");
	write(file, input);
	bool failed = ferror(file) != 0;
	if (fclose(file) != 0 || failed)
		return status_fail(st, STATUS_RETRY, "no memory for the figures");
	return STATUS_OK;
}

static enum status_code build_figures(struct job_output *output, const struct job_case *c,
				      struct status *st)
{
	struct figures_voi vois[DOSIMETRY_MAX_VOIS];
	const char *warnings[JOB_MAX_WARNINGS];
	for (int i = 0; i < c->input.n_vois; i++)
		vois[i] = (struct figures_voi){c->voi[i].name, c->voi[i].role};
	for (int i = 0; i < c->n_warnings; i++)
		warnings[i] = c->warnings[i].text;
	struct figures_input input = {
	    .patient_id = c->job->patient_id,
	    .record_id = c->job->record_id,
	    .software_version = c->job->identity.software_version,
	    .record_revision = c->record.revision,
	    .planned_injections = c->slots.planned_injections,
	    .result = &c->result,
	    .injections = c->injection,
	    .n_injections = c->input.n_injections,
	    .vois = vois,
	    .n_vois = c->input.n_vois,
	    .warnings = warnings,
	    .n_warnings = c->n_warnings,
	    .params = &c->params,
	    .regions_left_out = c->job->kind == JOB_MAP,
	    .alignments = c->alignments,
	    .n_alignments = c->n_alignments,
	    .emission = c->emission ? &c->emission->report : NULL,
	};
	if (write_figures(&output->figures_json, &output->figures_json_size, figures_write_json,
			  &input, st) != STATUS_OK)
		return st->code;
	return write_figures(&output->figures_table, &output->figures_table_size,
			     figures_write_table, &input, st);
}

/* ---- objects ---- */

/* Takes ds. */
static enum status_code add_object(struct job_output *output, struct dataset *ds, const char *uid,
				   struct status *st)
{
	struct job_object *object = &output->objects[output->n_objects++];
	memcpy(object->sop_instance_uid, uid, sizeof object->sop_instance_uid);
	if (dataset_get_string(ds, AT(TAG_SOPClassUID), object->sop_class_uid, 65, st) ==
		STATUS_OK &&
	    dataset_get_string(ds, AT(TAG_SeriesInstanceUID), object->series_instance_uid, 65,
			       st) == STATUS_OK &&
	    dataset_get_string(ds, AT(TAG_StudyInstanceUID), object->study_instance_uid, 65, st) ==
		STATUS_OK)
		(void)!dataset_write_file_memory(ds, &object->bytes, &object->size, st);
	dataset_free(ds);
	return st->code;
}

static enum status_code add_report(struct job_output *output, struct job_evidence *e,
				   const struct job_case *c, struct status *st)
{
	struct dataset *ds = NULL;
	char uid[65];
	if (job_build_report(&ds, uid, e, c, st) != STATUS_OK)
		return st->code;
	return add_object(output, ds, uid, st);
}

static enum status_code add_doses(struct job_output *output, const struct job_evidence *e,
				  const struct job_case *c, struct status *st)
{
	const struct dosimetry_time_point *last =
	    &c->result.time_points[c->result.n_time_points - 1];
	for (int kernel = 0; kernel < 2 && st->code == STATUS_OK; kernel++) {
		struct dataset *ds = NULL;
		char uid[65];
		if (kernel && !last->kernel_dose_gy.samples)
			break;
		if (build_dose(&ds, uid, e, c, kernel, st) == STATUS_OK)
			(void)!add_object(output, ds, uid, st);
	}
	return st->code;
}

enum status_code job_build(struct job_output *output, const struct job_case *c, struct status *st)
{
	struct job_evidence *e = calloc(1, sizeof *e);
	if (!e)
		return status_fail(st, STATUS_RETRY, "no memory for the evidence");
	if (gather_evidence(e, c, st) != STATUS_OK)
		goto out;
	if (c->job->kind == JOB_REPORT)
		(void)!add_report(output, e, c, st);
	else
		(void)!add_doses(output, e, c, st);
	if (st->code == STATUS_OK)
		(void)!build_figures(output, c, st);
out:
	job_evidence_free(e);
	free(e);
	return st->code;
}

void job_output_free(struct job_output *output)
{
	for (int i = 0; i < JOB_MAX_OBJECTS; i++)
		free(output->objects[i].bytes);
	free(output->figures_json);
	free(output->figures_table);
}
