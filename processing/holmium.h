/* holmium.h - what holmium-166 is, and from relaxation to activity.
 *
 * Every constant with its source. Times are seconds since 1970-01-01 UTC; activities MBq; masses mg
 * of microspheres (not of holmium). */
#ifndef HOLMIUM_H
#define HOLMIUM_H

/* Half-life, h. ICRP Publication 107 and the EANM guideline (doi 10.1007/s00259-021-05600-z).
 * Others give 26.83; the spread is 0.11 %. */
#define HOLMIUM_HALF_LIFE_H 26.8

/* Absorbed dose constant, J per GBq = mJ per MBq, full decay. J Nucl Med 2016;57(suppl 2):199, and
 * 60 Gy = 3781 MBq/kg of the source paper (doi 10.1007/s00259-022-05902-w), Eq. 1. Published
 * range 14.85 to 16.20. */
#define HOLMIUM_DOSE_CONSTANT_MJ_PER_MBQ 15.87

/* Mass density of liver and tumour, g/mL; source paper and the same abstract. */
#define HOLMIUM_TISSUE_DENSITY_G_PER_ML 1.06

/* exp(-ln2 * (to - from) / half-life); more than 1 for earlier times. */
double holmium_decay_factor(double from_s, double to_s);

/* Net injected activity at start: prepared * decay(prepared_at -> start) - residual *
 * decay(residual_at -> start). residual_mbq NaN: nothing is subtracted (the caller says "residual
 * pending"). */
double holmium_net_activity_mbq(double start_s, double prepared_mbq, double prepared_at_s,
				double residual_mbq, double residual_at_s);

/* Microspheres, mg/mL, from a change of R2* (1/s) and a relaxivity (1/s per mg/mL). */
double holmium_microspheres_mg_per_ml(double delta_r2star_per_s,
				      double relaxivity_per_s_per_mg_per_ml);

/* Relaxivity for a batch: proportional to holmium content. Either content NaN: unscaled. */
double holmium_relaxivity_for_content(double relaxivity, double batch_percent,
				      double calibration_percent);

/* Specific activity of what several injections brought together between two scans:
 * sum(A) / sum(A / SA), MBq/mg. NaN when any is unknown or not positive. */
double holmium_effective_specific_activity(const double *activity_mbq,
					   const double *specific_activity_mbq_per_mg, int count);

#endif
