/* dose.h - absorbed dose from activity.
 *
 * Local deposition: D = a * k / rho, a in MBq/mL, k = 15.87 mJ/MBq, rho in g/mL; the whole beta energy stays in
 * the voxel where the sphere lies (source paper). A kernel is a later option; the method is part of every result. */
#ifndef DOSE_H
#define DOSE_H

/* Gy per MBq/mL: k / rho (14.97 for the default constants). */
double dose_gy_per_mbq_per_ml(double dose_constant_mj_per_mbq, double density_g_per_ml);

/* Mean dose of an organ that holds activity_mbq, Gy: k * A / mass. */
double dose_organ_mean_gy(double activity_mbq, double mass_g, double dose_constant_mj_per_mbq);

#endif
