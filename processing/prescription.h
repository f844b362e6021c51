/* prescription.h - how much activity, and what it would do.
 *
 * One-compartment prescription of the source paper (doi 10.1007/s00259-022-05902-w, Eq. 1):
 *
 *     A [MBq] = 3781 MBq/kg * targeted liver mass [kg]        60 Gy, 1.06 kg/L, necrosis taken off
 *
 * in general A = D * M / k with k = 15.87 mJ/MBq; split over catheter positions in proportion to
 * the targeted volume of each (necrosis taken off there too), with a reduction factor per position
 * (patient 1: one position halved for its low predicted T/N). Eq. 1 knows no lung shunt, and a
 * known one does not raise the activity here; it lowers the doses predicted from it. Vials follow
 * from the share of activity that reaches the patient and the microspheres from the specific
 * activity.
 *
 * Partition model, per position, from counts C and masses M of a 99mTc-MAA SPECT:
 *
 *     T/N = (C_T / M_T) / (C_N / M_N)
 *     D_N = k * A * (1 - LSF) / (T/N * M_T + M_N),  D_T = T/N * D_N,  D_lung = k * A * LSF / M_lung
 *     LSF = C_lung / (C_lung + C_liver)
 *
 * Energy is kept: D_T * M_T + D_N * M_N = k * A * (1 - LSF). It assumes that the therapeutic
 * microspheres go where the simulation went, from the same catheter position.
 *
 * Everything printed is a plan for a person to decide on, never sent anywhere. Pure. */
#ifndef PRESCRIPTION_H
#define PRESCRIPTION_H

#include <stdbool.h>

#include "status.h"

#define PRESCRIPTION_MAX_POSITIONS 8

/* Volumes in mL, NaN unknown. */
struct prescription_position {
	const char *name;
	double targeted_volume_ml; /* perfused volume, tumours and necrosis included */
	double necrotic_volume_ml; /* 0 none */
	double tumour_volume_ml;   /* in it, without necrosis; NaN unknown: no partition model */
	double reduction;	   /* 1: none; 0.5: halved */
	double tumour_counts, normal_counts; /* of a simulation image; NaN none */
};

struct prescription_input {
	double target_dose_gy;		 /* 60 */
	double dose_constant_mj_per_mbq; /* k */
	double density_g_per_ml;
	double specific_activity_mbq_per_mg; /* at injection; NaN unknown: no masses */
	double delivered_share; /* of the vial that reaches the patient; NaN: not corrected */
	double lung_shunt;	/* LSF; NaN unknown */
	double lung_mass_kg;	/* needed with a lung shunt */
	const struct prescription_position *positions;
	int n_positions;
};

struct prescription_position_plan {
	double targeted_mass_kg;  /* without necrosis */
	double activity_mbq;	  /* net, at injection, after reduction */
	double vial_activity_mbq; /* NaN without a delivered share */
	double microspheres_mg;	  /* of the net activity; NaN without a specific activity */
	double mean_dose_gy;	  /* of the targeted mass, lung shunt taken off when known */
	/* NaN without counts, tumours, or tissue beside them; infinite T/N: no counts beside. */
	double predicted_tumour_to_normal, predicted_tumour_gy, predicted_normal_gy;
};

struct prescription_plan {
	double targeted_mass_kg;
	double unreduced_activity_mbq; /* Eq. 1 over all positions */
	double activity_mbq;
	double lung_gy; /* NaN without a lung shunt */
	struct prescription_position_plan positions[PRESCRIPTION_MAX_POSITIONS];
};

/* STATUS_REFUSE, in words: a number missing or not above 0, necrosis not below the volume, tumours
 * beyond it, a reduction or a delivered share outside (0, 1], a lung shunt outside [0, 1), counts
 * that are negative, given by half, or all 0. plan is untouched unless STATUS_OK. */
enum status_code prescription_make(struct prescription_plan *plan,
				   const struct prescription_input *input,
				   struct status *st) STATUS_CHECKED;

/* LSF from counts (liver: with its tumours); NaN when they cannot say. */
double prescription_lung_shunt(double lung_counts, double liver_counts);

#endif
