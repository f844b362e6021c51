/* phantom_vials.h - a rack of vials of known concentration in a water bath, for a calibration.
 *
 * Upright cylinders of gel with microspheres, in two rings inside a round bath, thin walls without
 * signal. R2* of a vial is gel_r2star_per_s + relaxivity * mg/mL, so slope and intercept of what a
 * calibration finds are known exactly; the hottest vials decay before the first echoes. Signals are
 * means over sub-voxels and noise as in phantom.h. Pure. */
#ifndef PHANTOM_VIALS_H
#define PHANTOM_VIALS_H

#include "phantom.h"

#define PHANTOM_MAX_VIALS 10

struct phantom_vial {
	double centre_mm[2];
	double microspheres_mg_per_ml;
};

struct phantom_rack {
	struct phantom_vial vials[PHANTOM_MAX_VIALS];
	int n_vials;
	double radius_mm, wall_mm, bath_mm; /* of a vial, of its wall, of the bath */
	double gel_r2star_per_s, bath_r2star_per_s;
	double relaxivity_per_s_per_mg_per_ml;
};

/* Ten vials from 0 to 8 mg/mL. */
void phantom_rack_make(struct phantom_rack *rack, double relaxivity_per_s_per_mg_per_ml);

/* All echoes of one slice: pixels[echo * rows * columns + ...]. */
void phantom_rack_slice(uint16_t *pixels, const struct phantom_rack *rack,
			const struct phantom_scan *scan, int slice);

#endif
