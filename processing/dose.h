/* dose.h - absorbed dose from activity.
 *
 * Local deposition: D = a * k / rho with a in MBq/mL, k in mJ per MBq for complete decay, rho in
 * g/mL; mJ/g = Gy. The whole beta energy stays in the voxel where the microsphere lies (source
 * paper). It overestimates the mean dose of small tumours: by 10 % at 2 cm and T/N 3 against a beta
 * kernel. The method is part of every result, because published thresholds are tied to it. */
#ifndef DOSE_H
#define DOSE_H

/* Gy per MBq/mL: k / rho (14.97 for 15.87 and 1.06). */
double dose_gy_per_mbq_per_ml(double dose_constant_mj_per_mbq, double density_g_per_ml);

/* Mean dose of an organ that holds activity_mbq, Gy: k * A / mass. 3781 MBq in 1 kg give 60 Gy
 * (source paper, Eq. 1). */
double dose_organ_mean_gy(double activity_mbq, double mass_g, double dose_constant_mj_per_mbq);

#endif
