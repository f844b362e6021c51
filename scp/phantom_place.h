/* phantom_place.h - where in real images the liver of `holmia phantom --onto` goes.
 *
 * Microspheres can be found again exactly only where the tissue itself is measured well: every
 * slice fitted, signal far above the noise, and a decay that is a single exponential. Where it is
 * none (field gradients, fat), the early echoes, which are all that is left after injection, see
 * another R2* than all echoes did before, and what was added comes back wrong by that difference
 * (in much of a real liver 5 to 10 % low at echo times of 5 to 55 ms). That is a limit of the
 * method, not of the phantom; to test the rest, the liver is put where a trial of 55 /s, added
 * without noise, comes back right on average over every VOI. */
#ifndef PHANTOM_PLACE_H
#define PHANTOM_PLACE_H

#include "mr_series.h"
#include "phantom.h"

/* Per column and row of the series, over all slices. Owned; freed with phantom_tissue_map_free().
 */
struct phantom_tissue_map {
	const struct grid *grid; /* the series', borrowed */
	uint8_t *good;
	float *error_per_s; /* found minus added in the trial, mean over slices; 0 where not good */
};

/* samples as mr_series_load() leaves them. *sigma: the series' noise SD. STATUS_REFUSE where the
 * series cannot be fitted. */
enum status_code phantom_study_tissue(struct phantom_tissue_map *tissue, double *sigma,
				      const struct mr_series *series, const float *samples,
				      int threads, struct status *st) STATUS_CHECKED;
void phantom_tissue_map_free(struct phantom_tissue_map *tissue);

/* The largest liver (30 to 60 mm radius) all of whose VOIs find the trial within 0.5 /s; else the
 * one that comes nearest. STATUS_REFUSE when no place has enough good tissue. */
enum status_code phantom_place_liver(struct phantom_model *model,
				     const struct phantom_tissue_map *tissue,
				     struct status *st) STATUS_CHECKED;

#endif
