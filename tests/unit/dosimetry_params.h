/* dosimetry_params.h - the parameters of a dosimetry run that the tests share. */
#ifndef DOSIMETRY_PARAMS_H
#define DOSIMETRY_PARAMS_H

#include "dosimetry.h"

static inline struct dosimetry_params usual_params(double artefact_r2star_per_s,
						   double registration_limit_mm)
{
	return (struct dosimetry_params){
	    .relaxivity_per_s_per_mg_per_ml = 217.8,
	    .relaxivity_holmium_percent = 19.5,
	    .dose_constant_mj_per_mbq = 15.87,
	    .density_g_per_ml = 1.06,
	    .baseline = BASELINE_VOXELWISE,
	    .body_snr = 5,
	    .artefact_r2star_per_s = artefact_r2star_per_s,
	    .trend_threshold_percent = 10,
	    .limited_above_percent = 5,
	    .not_measurable_above_percent = 50,
	    .recovery_low_percent = 85,
	    .recovery_high_percent = 115,
	    .registration_limit_mm = registration_limit_mm,
	    .advice_limit_gy = NAN,
	    .threads = 2,
	};
}

#endif
