/* phantom_emission.h - what a gamma camera would count of the phantom's microspheres later.
 *
 * Microspheres stay where they are: activity at a time is that of every injection, decayed from its
 * own start. The mean over each voxel (sub-voxels), blurred by a Gaussian point spread that keeps
 * every count, then Poisson counts as a function of (seed, voxel). Pure. */
#ifndef PHANTOM_EMISSION_H
#define PHANTOM_EMISSION_H

#include "phantom.h"
#include "volume.h"

struct phantom_emission {
	struct grid grid;
	double age_h[PHANTOM_MAX_INJECTIONS]; /* of each injection at the start of the scan */
	double half_life_h;
	double counts_per_mbq; /* of activity at the start of the scan, over all of it */
	double fwhm_mm;	       /* of the point spread; 0: none */
	bool noisy;
	uint64_t seed;
	int threads;
};

/* Counts per voxel; the patient lies as in the anatomy. The caller frees the volume. STATUS_RETRY:
 * memory. */
enum status_code phantom_emission_counts(struct volume *counts, const struct phantom_model *model,
					 const struct phantom_course *course,
					 const struct phantom_emission *emission,
					 struct status *st) STATUS_CHECKED;

#endif
