#include "dose.h"

double dose_gy_per_mbq_per_ml(double dose_constant_mj_per_mbq, double density_g_per_ml)
{
	/* mJ/MBq * MBq/mL / (g/mL) = mJ/g = J/kg = Gy */
	return dose_constant_mj_per_mbq / density_g_per_ml;
}

double dose_organ_mean_gy(double activity_mbq, double mass_g, double dose_constant_mj_per_mbq)
{
	return dose_constant_mj_per_mbq * activity_mbq / mass_g;
}
