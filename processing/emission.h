/* emission.h - absorbed dose from an emission image (SPECT, PET) of microspheres.
 *
 * Microspheres stay where they are, so the activity seen at any time, decayed back to the
 * administration with the physical half-life, gives the dose of complete decay by local deposition,
 * the same as from MRI (dose.h):
 *
 *     a(t_admin) = a(t_image) * exp(+lambda * (t_image - t_admin));   D = a * k / rho
 *
 * t_image is the time the image's values are corrected to: its own Decay Correction says which.
 *
 *     START   start of the scan
 *     ADMIN   the administration that the image itself names
 *     NONE    nothing: the value is the mean over the scan, of duration T from its start t0:
 *             a(t0) = value * lambda T / (1 - exp(-lambda T))
 *
 * Several injections. The image shows the sum of what every injection left, and no voxel says which
 * of them it came from. Where a voxel's shares follow the injected activities A_i (given at their
 * times t_i), the activities at injection sum up to a(t) * sum(A_i) / sum(A_i exp(-lambda (t -
 * t_i))), whatever t is. That is the decay back to one effective time,
 *
 *     t_eff = ln( sum(A_i exp(lambda t_i)) / sum(A_i) ) / lambda
 *
 * the activity-weighted mean of the times for t_i that are close together. A voxel that one
 * injection alone has filled is off by exp(lambda (t_eff - t_i)): 2.6 % per hour of 166Ho; what
 * that comes to at most is told beside it. Pure. */
#ifndef EMISSION_H
#define EMISSION_H

#include <stdbool.h>

#include "volume.h"

struct isotope {
	const char *name;		      /* "Ho-166", "Y-90", "Tc-99m", "Lu-177" */
	const char *code_value, *code_scheme; /* of the radionuclide, as images carry it */
	double half_life_h;		      /* with its source in emission.c */
	double dose_constant_mj_per_mbq;      /* of electrons; NaN: no dose is computed (Tc-99m) */
	const char *source;
};

/* By name ("Ho-166", "166Ho", "^166^Holmium", "99m Technetium"), or code (SCT and NCIt, and the
 * SNOMED-RT values that cameras still write as SRT, SNM3 or 99SDM). NULL: unknown, or name and code
 * are of different isotopes. Either may be "" or NULL. */
const struct isotope *isotope_find(const char *name, const char *code_value,
				   const char *code_scheme);
/* exp(-ln2 * (to - from) / half-life). */
double isotope_decay_factor(const struct isotope *isotope, double from_s, double to_s);

enum emission_decay { EMISSION_DECAY_NONE, EMISSION_DECAY_START, EMISSION_DECAY_ADMINISTRATION };

struct emission_timing {
	enum emission_decay corrected_to;
	double scan_start_s, scan_duration_s; /* UTC; duration NaN unknown */
	double administration_s;	      /* UTC; DECAY_ADMINISTRATION: as the image says */
	double half_life_h; /* the image's own, when it was used to correct; NaN: the isotope's */
};

/* Factor from the image's values to activity concentration at administration; NaN when a time that
 * is needed is unknown. With DECAY_NONE the decay during the scan is averaged. */
double emission_factor_to_administration(const struct isotope *isotope,
					 const struct emission_timing *timing);

/* The same to any other time. An image that is corrected to its administration is first taken back
 * to its scan with the half-life it was corrected with, then on with the isotope's: where the image
 * and the treatment record name different times, the record's counts. NaN as above. */
double emission_factor(const struct isotope *isotope, const struct emission_timing *timing,
		       double to_s);

/* t_eff of above. Activities in MBq, each at its start; all must be > 0 and known, else, or
 * without any, NaN. *largest_error (may be NULL): the largest relative error of a voxel that one
 * injection alone has filled. */
double emission_effective_administration_s(const struct isotope *isotope, const double *start_s,
					   const double *activity_mbq, int count,
					   double *largest_error);

/* Activity concentration (Bq/mL, any time) -> Gy, voxel by voxel; factor as above. NaN stays NaN,
 * negative values stay negative. dose_gy is untouched unless STATUS_OK, freed with volume_free().
 * STATUS_REFUSE: the isotope has no dose constant, or factor, constant or density is not a positive
 * number. */
enum status_code emission_dose(struct volume *dose_gy, const struct volume *activity_bq_per_ml,
			       double factor, const struct isotope *isotope,
			       double dose_constant_mj_per_mbq, double density_g_per_ml,
			       struct status *st) STATUS_CHECKED;

#endif
