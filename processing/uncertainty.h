/* uncertainty.h - standard uncertainty of a VOI's mean absorbed dose.
 *
 * Components, each a standard uncertainty (k = 1) in Gy, combined as root of the sum of squares
 * because their sources do not know of each other (EANM practical guidance on uncertainty analysis
 * for molecular radiotherapy absorbed dose calculations, doi 10.1007/s00259-018-4136-7):
 *
 *   random        standard errors of the R2* fits of the baseline and of the scan, averaged over
 * the VOI as many independent voxels as it holds of the scan registration  change of the mean when
 * the map is shifted by the registration residual relaxivity    configured, percent: the same for
 * every VOI and time point activity      of the specific activity (MBq/mg), configured, percent
 *
 * What is not configured is NaN, and combined then holds only what is known and says so: a
 * combined uncertainty without the relaxivity's is not that of an absolute dose. */
#ifndef UNCERTAINTY_H
#define UNCERTAINTY_H

#include <stdbool.h>

#include "mask.h"

struct uncertainty_params {
	double relaxivity_percent;	  /* NaN: not configured */
	double specific_activity_percent; /* NaN: not configured */
	double injected_activity_percent; /* of the net activity: recovery only; NaN */
};

struct uncertainty {
	double random_gy, registration_gy, relaxivity_gy, specific_activity_gy; /* NaN unknown */
	double combined_gy; /* NaN when the random part is unknown */
	bool complete;	    /* relaxivity and specific activity were configured */
};

/* Random part of a mean over a mask: values' standard errors (same unit, NaN: left out), on any
 * grid; independent_voxel_ml: volume of a voxel of the scan they come from (resampled maps have
 * more or fewer voxels than independent values). */
double uncertainty_random(const struct volume *stderr_values, const struct mask *mask,
			  double independent_voxel_ml);

/* Registration part: the mean's standard deviation under an isotropic Gaussian shift of root mean
 * square residual_mm (all three axes together), from means with the VOI shifted by plus and minus
 * along each axis, second-order effects included. 0 where residual_mm is 0; NaN where it is NaN. */
enum status_code uncertainty_registration(double *gy, const struct volume *dose_gy,
					  const struct mask *mask, double residual_mm,
					  struct status *st) STATUS_CHECKED;

/* Fills relaxivity_gy, specific_activity_gy, combined_gy and complete from mean and percentages. */
void uncertainty_combine(struct uncertainty *uncertainty, double mean_gy,
			 const struct uncertainty_params *params);

#endif
