/* emission.h - absorbed dose from an emission image (SPECT, PET) of microspheres.
 *
 * Microspheres stay where they are, so the activity seen at any time, decayed back to the
 * administration with the physical half-life, gives the dose of complete decay by local deposition,
 * the same as from MRI (dose.h):
 *
 *     a(t_admin) = a(t_image) * exp(+lambda * (t_image - t_admin));   D = a * k / rho
 *
 * t_image is the time the image's values are corrected to: its own Decay Correction says which
 * (START: start of the scan; ADMIN: administration, nothing left to do; NONE: the mean time of the
 * acquisition is used, with the mean over it). */
#ifndef EMISSION_H
#define EMISSION_H

#include "volume.h"

struct isotope {
	const char *name;		      /* "Ho-166", "Y-90", "Tc-99m", "Lu-177" */
	const char *code_value, *code_scheme; /* of the radionuclide, as images carry it */
	double half_life_h;		      /* with its source in emission.c */
	double dose_constant_mj_per_mbq;      /* of electrons; NaN: no dose is computed (Tc-99m) */
	const char *source;
};

/* By name ("Ho-166", "166Ho", "^166^Holmium"), or code; NULL unknown. */
const struct isotope *isotope_find(const char *name, const char *code_value,
				   const char *code_scheme);
/* exp(-ln2 * (to - from) / half-life). */
double isotope_decay_factor(const struct isotope *isotope, double from_s, double to_s);

enum emission_decay { EMISSION_DECAY_NONE, EMISSION_DECAY_START, EMISSION_DECAY_ADMINISTRATION };

struct emission_timing {
	enum emission_decay corrected_to;
	double scan_start_s, scan_duration_s; /* UTC; duration NaN unknown */
	double administration_s;	      /* UTC */
	double half_life_h; /* the image's own, when it was used to correct; NaN: the isotope's */
};

/* Factor from the image's values to activity concentration at administration; NaN when a time that
 * is needed is unknown. With DECAY_NONE the decay during the scan is averaged. */
double emission_factor_to_administration(const struct isotope *isotope,
					 const struct emission_timing *timing);

/* Activity concentration (Bq/mL, any time) -> Gy, voxel by voxel; factor as above. STATUS_REFUSE:
 * the isotope has no dose constant. */
enum status_code emission_dose(struct volume *dose_gy, const struct volume *activity_bq_per_ml,
			       double factor, const struct isotope *isotope,
			       double dose_constant_mj_per_mbq, double density_g_per_ml,
			       struct status *st) STATUS_CHECKED;

#endif
