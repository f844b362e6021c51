/* calibration.h - a site's own relaxivity from vials of known concentration.
 *
 * R2* = intercept + relaxivity * c over vials of c mg microspheres per mL, weighted with the
 * standard error of each vial's mean. What a physicist needs to trust it: the 95 % interval of the
 * slope, lack of fit (F test of the scatter about the line against the scatter inside the vials),
 * and the linear range: from the top the vials are left out one by one while the highest deviates
 * from the line through the others by more than the limit (hot vials leave the fit, and saturate).
 *
 * Pure. */
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include <stdbool.h>

#include "status.h"

#define CALIBRATION_MAX_VIALS 32

struct calibration_vial {
	const char *name;
	double microspheres_mg_per_ml;
	double r2star_per_s, standard_error_per_s; /* mean over the vial and its standard error */
	double standard_deviation_per_s;	   /* between voxels */
	double voxels;
	double few_echo_share; /* of its volume: fewer than three usable echoes */
};

struct calibration_result {
	double relaxivity_per_s_per_mg_per_ml, relaxivity_lower, relaxivity_upper; /* 95 % */
	double relaxivity_standard_error;
	double intercept_per_s, intercept_lower, intercept_upper;
	double r_squared;
	double residual_sd_per_s;
	double lack_of_fit_f, lack_of_fit_p; /* NaN when it cannot be tested */
	double linear_to_mg_per_ml;	     /* highest vial that belongs to the line */
	int used;			     /* vials in the line */
	bool in_line[CALIBRATION_MAX_VIALS];
	double deviation_percent[CALIBRATION_MAX_VIALS]; /* of each vial from the line */
};

/* deviation_limit_percent: 5. STATUS_REFUSE, in words: fewer than three concentrations, no spread,
 * no rise, a vial without a measured value. */
enum status_code calibration_fit(struct calibration_result *result,
				 const struct calibration_vial *vials, int n_vials,
				 double deviation_limit_percent, struct status *st) STATUS_CHECKED;

#endif
