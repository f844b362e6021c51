/* calibration.h - a site's own relaxivity from vials of known concentration.
 *
 * R2* = intercept + relaxivity * c over vials of c mg microspheres per mL, weighted with the
 * standard error of each vial's mean. What a physicist needs to trust it: the 95 % interval of the
 * slope (Student's t on the scatter of the vials about the line), lack of fit (F test of that
 * scatter against the scatter inside the vials), and the linear range: from the top the vials are
 * left out one by one while the highest deviates from the line through the others by more than the
 * limit. Above the lowest vial in which the fit had fewer than three usable echoes nothing belongs
 * to the line, whatever its mean: the voxels that could be fitted are the cooler ones.
 *
 * The F test is sharp: with a thousand voxels per vial it sees a deviation of a percent. It says
 * whether the line explains the data within noise; the deviations say whether that matters.
 *
 * What is not in the interval: errors of the concentrations themselves, which are common to all
 * vials of one dilution series, and the temperature. Pure. */
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include <stdbool.h>

#include "mask.h"
#include "r2star.h"
#include "status.h"

#define CALIBRATION_MAX_VIALS 32
/* Share of a vial's voxels with fewer than three usable echoes above which it is hot. */
#define CALIBRATION_HOT_SHARE 0.05
/* Fewer voxels than this away from the wall say nothing of a vial. */
#define CALIBRATION_MIN_VOXELS 20

struct calibration_vial {
	const char *name;
	double microspheres_mg_per_ml;
	/* Mean over the vial and its standard error; NaN only where the vial is hot. */
	double r2star_per_s, standard_error_per_s;
	double standard_deviation_per_s; /* between voxels */
	double voxels;
	double few_echo_share; /* of its volume: fewer than three usable echoes */
};

enum calibration_place {
	CALIBRATION_IN_LINE,
	CALIBRATION_HOT, /* decays faster than the echoes can follow, or above one that does */
	CALIBRATION_OFF_THE_LINE /* beyond the linear range */
};

struct calibration_result {
	double relaxivity_per_s_per_mg_per_ml, relaxivity_lower, relaxivity_upper; /* 95 % */
	double relaxivity_standard_error;
	double intercept_per_s, intercept_lower, intercept_upper;
	double r_squared;
	double residual_sd_per_s;	     /* weighted, of the vials' means about the line */
	double lack_of_fit_f, lack_of_fit_p; /* NaN when it cannot be tested */
	double linear_to_mg_per_ml;	     /* highest vial that belongs to the line */
	int used;			     /* vials in the line */
	enum calibration_place place[CALIBRATION_MAX_VIALS];
	double deviation_percent[CALIBRATION_MAX_VIALS]; /* of each vial from the line; NaN */
};

/* deviation_limit_percent: 5. STATUS_REFUSE, in words: fewer than three concentrations in the
 * linear range, no rise, a vial that is not hot without a measured value or without a standard
 * error, a concentration below 0. result is untouched unless STATUS_OK. */
enum status_code calibration_fit(struct calibration_result *result,
				 const struct calibration_vial *vials, int n_vials,
				 double deviation_limit_percent, struct status *st) STATUS_CHECKED;

/* Fills a vial's figures (not its name and concentration) from a map fitted without a baseline.
 * Walls and the air beside them decay fast and drawn rims are uncertain: only voxels count whose
 * eight neighbours in the slice are wholly inside the mask, and those above and below where the
 * vial has more than two slices. STATUS_REFUSE: fewer than CALIBRATION_MIN_VOXELS are left.
 * STATUS_BUG: other grids. */
enum status_code calibration_measure_vial(struct calibration_vial *vial,
					  const struct r2star_map *map, const struct mask *mask,
					  struct status *st) STATUS_CHECKED;

#endif
