/* job_series.c - one series of a job: its images in order, its R2* map from the cache or fitted. */
#include "job_parts.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define MOST_MAPPINGS 65536 /* malloc's own default */

static enum status_code arrange(struct mr_series *arranged, const struct catalogue_series *series,
				struct status *st)
{
	struct instance_info *infos = malloc((size_t)series->n_instances * sizeof *infos);
	if (!infos)
		return status_fail(st, STATUS_RETRY, "no memory for %d images",
				   series->n_instances);
	for (int i = 0; i < series->n_instances; i++)
		infos[i] = series->instances[i].info;
	(void)!mr_series_arrange(arranged, infos, series->n_instances, st);
	free(infos);
	return st->code;
}

enum status_code job_find_series(struct job_scan *scan, bool *superseded,
				 const struct catalogue_patient *patient,
				 const struct job_series *wanted, struct status *st)
{
	for (int i = 0; i < patient->n_series; i++) {
		const struct catalogue_series *series = &patient->series[i];
		if (series->id != wanted->series_id)
			continue;
		if (strcmp(series->evidence_hash, wanted->evidence_hash) != 0)
			return job_supersede(superseded, st,
					     "later images belong to one of its series");
		scan->series = series;
		scan->after_injection = wanted->after_injection;
		return arrange(&scan->arranged, series, st);
	}
	return job_supersede(superseded, st, "one of its series is not usable any more");
}

static enum status_code read_image(void *user, int index, struct dataset **ds, struct status *st)
{
	const struct catalogue_series *series = user;
	return catalogue_read(ds, &series->instances[index].where, st);
}

enum status_code job_load_samples(float *samples, const struct config *config,
				  const struct job_scan *scan, struct status *st)
{
	/* a copy: the callback's user is not const */
	struct catalogue_series series = *scan->series;
	return mr_series_load(samples, &scan->arranged, read_image, &series,
			      config->threads_per_worker, st);
}

/* All echoes together are the largest block there is. Fresh from the kernel every page of it would
 * be cleared first, which takes longer than reading the images into it; the heap keeps what earlier
 * jobs have used, and the volumes of later ones fit into it. */
static float *samples_new(size_t values)
{
	(void)mallopt(M_MMAP_MAX, 0);
	float *samples = malloc(values * sizeof *samples);
	(void)mallopt(M_MMAP_MAX, MOST_MAPPINGS);
	return samples;
}

static enum status_code load_and_fit(struct r2star_map *map, const struct config *config,
				     const struct job_scan *scan, double *fit_s, struct status *st)
{
	const struct mr_series *arranged = &scan->arranged;
	size_t values = (size_t)arranged->echoes * grid_voxels(&arranged->grid);
	float *samples = samples_new(values);
	if (!samples)
		return status_fail(st, STATUS_RETRY, "no memory for %d echoes", arranged->echoes);
	struct echo_series echoes = {
	    .grid = arranged->grid,
	    .echoes = arranged->echoes,
	    .te_ms = arranged->te_ms,
	    .samples = samples,
	};
	struct r2star_params params = {
	    .usable_sigma = config->usable_echo_sigma,
	    .saturated_sigma = config->saturated_sigma,
	    .field_strength_t = arranged->field_strength_t,
	    .threads = config->threads_per_worker,
	};
	if (job_load_samples(samples, config, scan, st) == STATUS_OK) {
		double start_s = job_clock_s();
		(void)!r2star_fit(map, &echoes, &params, st);
		*fit_s += job_clock_s() - start_s;
	}
	free(samples);
	return st->code;
}

/* The frame of reference is no evidence: the map may be of the same images under another one. */
static void take_frame(struct r2star_map *map, const struct grid *grid)
{
	struct volume *const volumes[] = {&map->r2star_per_s, &map->stderr_per_s, &map->s0,
					  &map->first_echo};
	for (size_t i = 0; i < sizeof volumes / sizeof *volumes; i++)
		memcpy(volumes[i]->grid.frame_of_reference, grid->frame_of_reference,
		       sizeof grid->frame_of_reference);
}

enum status_code job_fit_series(struct kept_map *kept, const struct config *config,
				const struct job_scan *scan, bool anew, double *fit_s,
				struct status *st)
{
	struct kept_map found_map = {.file = {.mapping = NULL}};
	struct r2star_map fitted = {.state = NULL};
	char key[65];
	bool found = false;

	map_cache_key(key, scan->series->evidence_hash, config->usable_echo_sigma,
		      config->saturated_sigma);
	if (!anew && map_cache_get(&found_map, &found, config->spool, key,
				   config->threads_per_worker, st) != STATUS_OK)
		return st->code;
	if (!found) {
		if (load_and_fit(&fitted, config, scan, fit_s, st) == STATUS_OK)
			(void)!map_cache_put(config->spool, key, &fitted,
					     config->threads_per_worker, st);
		r2star_map_free(&fitted);
		if (st->code == STATUS_OK && kept &&
		    map_cache_get(&found_map, &found, config->spool, key,
				  config->threads_per_worker, st) == STATUS_OK &&
		    !found)
			(void)status_fail(
			    st, STATUS_RETRY,
			    "a map that was just kept in %s/maps cannot be read again",
			    config->spool);
	}
	if (kept && st->code == STATUS_OK) {
		take_frame(&found_map.map, &scan->arranged.grid);
		*kept = found_map;
	} else {
		kept_map_free(&found_map);
	}
	return st->code;
}
