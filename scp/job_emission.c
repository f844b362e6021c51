/* job_emission.c - see job_emission.h; loading and times. Alignment and figures:
 * job_emission_figures.c. */
#include "job_emission.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job_emission_parts.h"

#define OTHER_ADMINISTRATION_S (12 * 3600.0)
#define UNEVEN_INJECTIONS      0.02

/* ---- the image ---- */

static enum status_code read_datasets(struct emission_series *image, struct dataset **datasets,
				      const struct catalogue_series *series, double cps_per_mbq,
				      struct status *st)
{
	for (int i = 0; i < series->n_instances; i++)
		if (catalogue_read(&datasets[i], &series->instances[i].where, st) != STATUS_OK)
			break;
	if (st->code == STATUS_OK)
		(void)!emission_series_read(image, datasets, series->n_instances, cps_per_mbq, st);
	for (int i = 0; i < series->n_instances; i++) {
		dataset_free(datasets[i]);
		datasets[i] = NULL;
	}
	return st->code;
}

static const struct config_nm_calibration *find_calibration(const struct config *config,
							    const struct emission_series *image,
							    const struct isotope *isotope)
{
	const struct config_nm_calibration *any = NULL;
	for (int i = 0; i < config->n_nm_calibrations; i++) {
		const struct config_nm_calibration *entry = &config->nm_calibrations[i];
		if (isotope_find(entry->isotope, "", "") != isotope)
			continue;
		if (entry->station[0] == '\0')
			any = entry;
		else if (strcmp(entry->station, image->station) == 0)
			return entry;
	}
	return any;
}

static enum status_code check_isotope(struct emission_work *w, struct status *st)
{
	const struct emission_series *image = &w->image;
	w->isotope = isotope_find(image->isotope, image->code_value, image->code_scheme);
	if (!w->isotope && image->isotope[0] == '\0' && image->code_value[0] == '\0')
		return status_fail(st, STATUS_REFUSE,
				   "the emission image does not say its radionuclide");
	if (!w->isotope || strcmp(w->isotope->name, "Ho-166") != 0)
		return status_fail(st, STATUS_REFUSE,
				   "the emission image is of %s, the microspheres are of Ho-166",
				   image->isotope[0] ? image->isotope : image->code_value);
	return STATUS_OK;
}

static enum status_code load_image(struct emission_work *w, struct status *st)
{
	const struct catalogue_series *series = w->made->series;
	struct dataset **datasets = calloc((size_t)series->n_instances, sizeof *datasets);
	const struct config_nm_calibration *calibration;

	if (!datasets)
		return status_fail(st, STATUS_RETRY, "no memory for %d images",
				   series->n_instances);
	if (read_datasets(&w->image, datasets, series, (double)NAN, st) != STATUS_OK ||
	    check_isotope(w, st) != STATUS_OK || w->image.calibrated)
		goto out;
	calibration = find_calibration(w->c->config, &w->image, w->isotope);
	if (!calibration) {
		(void)status_fail(st, STATUS_REFUSE,
				  "SPECT without calibration: refused. Its counts of %s at station "
				  "\"%s\" are no activity: add <nm-calibration> for them",
				  w->isotope->name, w->image.station);
		goto out;
	}
	emission_series_free(&w->image);
	(void)!read_datasets(&w->image, datasets, series, calibration->cps_per_mbq, st);
out:
	free(datasets);
	return st->code;
}

/* ---- the times ---- */

/* The effective time of the injections that feed a part; part -1: all of them. */
static double injections_at_s(const struct emission_work *w, int part, double *largest_error)
{
	const struct treatment_slots *slots = &w->c->slots;
	double start_s[DOSIMETRY_MAX_INJECTIONS], activity_mbq[DOSIMETRY_MAX_INJECTIONS];
	int n = 0;
	for (int i = 0; i < slots->n_injections; i++) {
		const struct dosimetry_injection *injection = &slots->injections[i];
		if (part >= 0 && injection->part_voi >= 0 && injection->part_voi != part)
			continue;
		start_s[n] = injection->start_s;
		activity_mbq[n++] = w->activities_known ? injection->net_activity_mbq : 1;
	}
	return emission_effective_administration_s(w->isotope, start_s, activity_mbq, n,
						   largest_error);
}

double emission_factor_of_part(const struct emission_work *w, int part)
{
	double at_s = injections_at_s(w, part, NULL);
	if (isnan(at_s))
		at_s = injections_at_s(w, -1, NULL);
	return emission_factor(w->isotope, &w->timing, at_s);
}

static void describe_decay(struct emission_work *w)
{
	static const char *const words[] = {
	    [EMISSION_DECAY_NONE] = "not corrected for decay, mean over the scan",
	    [EMISSION_DECAY_START] = "corrected to the start of the scan",
	    [EMISSION_DECAY_ADMINISTRATION] = "corrected to the administration in the image",
	};
	struct report_emission *report = &w->made->report;
	snprintf(report->decay_words, sizeof report->decay_words,
		 "%s; taken back to the injections, weighted with their %s",
		 words[w->image.corrected_to],
		 w->activities_known ? "activities" : "number (an activity is unknown)");
}

static enum status_code find_times(struct emission_work *w, struct status *st)
{
	struct job_case *c = w->c;
	const struct emission_series *image = &w->image;
	const char *zone = c->config->time_zone;
	struct report_emission *report = &w->made->report;
	double injected_mbq = 0;

	for (int i = 0; i < c->slots.n_injections; i++)
		injected_mbq += c->slots.injections[i].net_activity_mbq;
	w->activities_known = injected_mbq > 0;
	report->injected_activity_mbq = w->activities_known ? injected_mbq : (double)NAN;
	w->timing = (struct emission_timing){
	    .corrected_to = image->corrected_to,
	    .scan_start_s = site_time_to_utc(image->scan_start, image->utc_offset, zone),
	    .scan_duration_s = image->scan_duration_s,
	    .administration_s = site_time_to_utc(image->administration, image->utc_offset, zone),
	    .half_life_h = image->half_life_h,
	};
	double at_s = injections_at_s(w, -1, &report->injections_off);
	if (image->corrected_to == EMISSION_DECAY_ADMINISTRATION &&
	    fabs(w->timing.administration_s - at_s) > OTHER_ADMINISTRATION_S)
		return status_fail(
		    st, STATUS_REFUSE,
		    "the emission image is corrected to an administration at %s, %.1f h from the "
		    "injections of the record: of another one?",
		    image->administration, fabs(w->timing.administration_s - at_s) / 3600);
	report->decay_factor = emission_factor(w->isotope, &w->timing, at_s);
	if (isnan(report->decay_factor))
		return status_fail(
		    st, STATUS_REFUSE,
		    "the emission image does not say all times (scan \"%s\", duration "
		    "%g s, administration \"%s\") to take its activity back",
		    image->scan_start, image->scan_duration_s, image->administration);
	if (report->injections_off > UNEVEN_INJECTIONS)
		job_warn(c, "HO140",
			 "emission image: injections lie so far apart that a region which one of "
			 "them alone has filled is up to %.1f %% off",
			 100 * report->injections_off);
	if (image->utc_offset[0] == '\0')
		job_warn(c, "HO111", "emission image: its times carry no zone, %s is assumed",
			 zone);
	describe_decay(w);
	return STATUS_OK;
}

/* ---- all of it ---- */

static void describe(struct emission_work *w)
{
	const struct job_case *c = w->c;
	const struct emission_series *image = &w->image;
	const struct instance_info *info = &w->made->series->instances[0].info;
	struct report_emission *report = &w->made->report;
	char datetime[33], offset[8];

	snprintf(report->isotope, sizeof report->isotope, "%s", w->isotope->name);
	snprintf(report->modality, sizeof report->modality, "%s", info->modality);
	snprintf(report->series_uid, sizeof report->series_uid, "%s", image->series_uid);
	snprintf(report->description, sizeof report->description, "%s", info->series_description);
	site_time_from_utc(w->timing.scan_start_s, c->config->time_zone, datetime, offset);
	snprintf(report->acquired, sizeof report->acquired, "%.20s%.7s", datetime, offset);
	report->half_life_h = w->isotope->half_life_h;
	report->dose_constant_mj_per_mbq = c->params.dose_constant_mj_per_mbq;
	report->density_g_per_ml = c->params.density_g_per_ml;
	report->cps_per_mbq = image->cps_per_mbq;
	report->attenuation_corrected = image->attenuation_corrected;
	report->scatter_corrected = image->scatter_corrected;
	report->voxel_ml = grid_voxel_volume_ml(&image->activity_bq_per_ml.grid);
}

static void warn_of_image(struct emission_work *w)
{
	const struct emission_series *image = &w->image;
	if (!image->attenuation_corrected || !image->scatter_corrected)
		job_warn(w->c, "HO140", "emission image: not said to be corrected for %s%s%s",
			 image->attenuation_corrected ? "" : "attenuation",
			 image->attenuation_corrected || image->scatter_corrected ? "" : " and ",
			 image->scatter_corrected ? "" : "scatter");
	if (image->lossy)
		job_warn(w->c, "HO122", "emission image: lossy compressed");
}

static enum status_code make(struct emission_work *w, struct status *st)
{
	if (load_image(w, st) != STATUS_OK || find_times(w, st) != STATUS_OK ||
	    emission_align(w, st) != STATUS_OK || emission_make_figures(w, st) != STATUS_OK)
		return st->code;
	describe(w);
	warn_of_image(w);
	return STATUS_OK;
}

enum status_code job_emission_run(struct job_case *c, struct status *st)
{
	const struct treatment_emission *chosen = &c->slots.emission;
	struct status own = STATUS_INIT;
	struct emission_work w = {.c = c};
	enum status_code code;

	for (int i = 0; i < chosen->n_notes; i++)
		job_warn(c, "HO140", "emission image: %.220s", chosen->notes[i]);
	if (chosen->index < 0)
		return STATUS_OK;
	if (chosen->refusal[0] != '\0') {
		job_warn(c, "HO140", "emission image not used: %.210s", chosen->refusal);
		return STATUS_OK;
	}
	w.made = calloc(1, sizeof *w.made);
	if (!w.made)
		return status_fail(st, STATUS_RETRY, "no memory for an emission image");
	w.made->series = &c->patient->series[chosen->index];
	code = make(&w, &own);
	emission_series_free(&w.image);
	if (code == STATUS_OK) {
		c->emission = w.made;
		return STATUS_OK;
	}
	free(w.made);
	if (code != STATUS_REFUSE)
		return status_fail(st, code, "%s", own.text);
	job_warn(c, "HO140", "emission image not used: %.210s", own.text);
	return STATUS_OK;
}

void job_emission_free(struct job_case *c)
{
	free(c->emission);
	c->emission = NULL;
}
