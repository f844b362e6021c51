/* job_input.c - what was loaded -> what dosimetry_run() wants, but for the maps (job_dosimetry.c).
 */
#include "job_parts.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static struct dosimetry_scan dosimetry_scan_of(const struct job_scan *scan, const char *site_zone)
{
	const struct mr_series *arranged = &scan->arranged;
	return (struct dosimetry_scan){
	    .after_injection = scan->after_injection,
	    .time_s =
		site_time_to_utc(arranged->acquisition_datetime, arranged->utc_offset, site_zone),
	    .tr_ms = arranged->tr_ms,
	    .flip_deg = arranged->flip_deg,
	    .to_result = scan->moved ? scan->to_result : NULL,
	    .residual_mm = scan->residual_mm,
	    .deformation = scan->deformation.displacement_mm ? &scan->deformation : NULL,
	};
}

static void fill_params(struct job_case *c)
{
	const struct config *config = c->config;
	c->params = (struct dosimetry_params){
	    .relaxivity_per_s_per_mg_per_ml = c->slots.relaxivity->per_s_per_mg_per_ml,
	    .relaxivity_holmium_percent = c->slots.relaxivity->holmium_percent,
	    .dose_constant_mj_per_mbq = config->dose_constant_mj_per_mbq,
	    .density_g_per_ml = config->density_g_per_ml,
	    .baseline = config->baseline_voxelwise ? BASELINE_VOXELWISE : BASELINE_REGION_MEAN,
	    .body_snr = config->body_snr,
	    .artefact_r2star_per_s = config->artefact_r2star_per_s,
	    .trend_threshold_percent = config->trend_threshold_percent,
	    .dose_levels = config->dose_levels,
	    .underdose_levels = config->underdose_levels,
	    .limited_above_percent = config->limited_above_percent,
	    .not_measurable_above_percent = config->not_measurable_above_percent,
	    .recovery_low_percent = config->recovery_low_percent,
	    .recovery_high_percent = config->recovery_high_percent,
	    .registration_limit_mm = config->registration_limit_mm,
	    .uncertainty = {config->relaxivity_uncertainty_percent,
			    config->specific_activity_uncertainty_percent,
			    config->injected_activity_uncertainty_percent},
	    .kernel = config->kernel,
	    .advice_limit_gy = config->advice_limit_gy,
	    .threads = config->threads_per_worker,
	};
	for (int i = 0; i < config->dose_levels; i++)
		c->params.dose_level_gy[i] = config->dose_level_gy[i];
	for (int i = 0; i < config->underdose_levels; i++)
		c->params.underdosed_below_gy[i] = config->underdosed_below_gy[i];
}

bool job_can_do_without_vois(const struct job_case *c)
{
	return c->job->kind == JOB_MAP && c->config->baseline_voxelwise;
}

/* The injection to come: of the record where it is there already, else an even share of what is
 * left of the last position's planned activity. False: none is known. */
static bool find_planned(struct dosimetry_injection *planned, const struct job_case *c)
{
	const struct treatment_slots *slots = &c->slots;
	int done = c->job->after_injection, in_position = 0;
	double injected_mbq = 0;
	if (done < 1 || done > slots->n_injections)
		return false;
	if (done < slots->n_injections) {
		*planned = slots->injections[done];
		return !isnan(planned->net_activity_mbq);
	}
	*planned = slots->injections[done - 1];
	for (int i = 0; i < done; i++) {
		if (slots->injections[i].position != planned->position)
			continue;
		injected_mbq += slots->injections[i].net_activity_mbq;
		in_position++;
	}
	const struct record_position *position = &c->record.positions[planned->position];
	int to_come = position->planned_injections - in_position;
	planned->number = done + 1;
	planned->net_activity_mbq = (position->planned_activity_mbq - injected_mbq) / to_come;
	return to_come > 0 && planned->net_activity_mbq > 0;
}

void job_fill_input(struct job_case *c)
{
	const char *site_zone = c->config->time_zone;
	fill_params(c);
	c->input.n_vois = c->n_contoured;
	int n_scans = 0, n_injections = 0;
	for (int i = 0; i < c->job->n_scans; i++) {
		if (c->after[i].left_out)
			continue;
		c->scan_of[n_scans] = &c->after[i];
		c->scan[n_scans++] = dosimetry_scan_of(&c->after[i], site_zone);
	}
	for (int i = 0; i < c->slots.n_injections; i++) {
		struct dosimetry_injection injection = c->slots.injections[i];
		if (injection.number > c->job->after_injection)
			continue;
		if (c->input.n_vois == 0)
			injection.part_voi = -1; /* no masks, no parts */
		c->injection[n_injections++] = injection;
	}
	c->input.result_grid = &c->shown_over->arranged.grid;
	c->input.baseline = dosimetry_scan_of(&c->baseline, site_zone);
	c->input.scans = c->scan;
	c->input.n_scans = n_scans;
	c->input.injections = c->injection;
	c->input.n_injections = n_injections;
	if (find_planned(&c->planned, c)) {
		if (c->input.n_vois == 0)
			c->planned.part_voi = -1;
		c->input.planned = &c->planned;
	}
	c->input.vois = c->voi;
}
