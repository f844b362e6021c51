/* figures.h - the figures of a dosimetry result as JSON for programs and as a table for people.
 *
 * A job writes both beside its result objects (<spool>/results/<hash>/figures.json and
 * summary.txt); `holmia dose` prints one of them. They hold what the Structured Report holds,
 * unrounded in JSON. Same figures, same bytes: no clock, no path.
 *
 * JSON: one object. Keys are stable; new ones may be added. Units are in the key names; what was
 * not measured is null. Roles: "liver", "part", "tumour", "group", "necrosis", "other".
 *
 *   format, patient_id, record_id, record_revision, software_version, planned_injections,
 *   relaxivity_per_s_per_mg_per_ml, evaluated_volume_ml, excluded_artefact_ml, baseline_sigma
 *   injections[]   number, start_s, net_activity_mbq, specific_activity_mbq_per_mg, position,
 *                  residual_pending
 *   time_points[]  after_injection, injected_activity_mbq, recovered_activity_mbq,
 *                  recovery_ratio, recovery_standard_uncertainty, injected_mass_mg,
 *                  recovered_mass_mg, mass_increment_ratio, resampled_mass_ratio,
 *                  region_baseline_r2star_per_s, sigma, s0_scale, kernel_lost_share,
 *                  alignment {residual_mm, transform[12] (point of the result grid -> of the
 * scan)}, flags[] (words), vois[], healthy[]
 *   .. vois[]      name, role, measurable ("measurable", "limited", "not measurable"), reasons[]
 *                  (words), volume_ml, mass_g, mean_gy, minimum_gy, maximum_gy,
 *                  standard_deviation_gy, d98_gy, d90_gy, d70_gy, d50_gy, d2_gy,
 *                  volume_at_dose[] {gy, ml}, activity_mbq, tumour_to_normal,
 *                  measured_volume_ml, not_measured_volume_ml, excluded_volume_ml,
 *                  oscillating_volume_ml, necrotic_volume_ml, saturated_volume_ml (of the fit),
 *                  s0_known_volume_ml, underdosed_volume_ml (first level),
 *                  underdosed[] {below_gy, volume_ml, largest_piece_ml},
 *                  mean_standard_uncertainty_gy, mean_uncertainty {random_gy, registration_gy,
 *                  relaxivity_gy, specific_activity_gy, complete},
 *                  kernel_mean_gy, kernel_d90_gy, kernel_d70_gy, kernel_maximum_gy,
 *                  position_dose_gy[] {position, gy};
 *                  parts: recovery_ratio;
 *                  tumours and groups: trend, trend_expected_gy, trend_expected_lower_gy,
 *                  trend_expected_upper_gy, trend_deviation_percent, trend_slope_gy_per_mbq,
 *                  trend_intercept_gy, hardly_any_uptake, predicted_next_gy,
 *                  predicted_next_lower_gy, predicted_next_upper_gy
 *   .. healthy[]   the same, name "Healthy liver" or "Healthy PART", without role; advice
 *                  {limit_gy, activity_mbq, lower_mbq, upper_mbq} for research, null when off
 *   alignments[]   after_injection (0: the baseline), from, to, origin, words, residual_mm,
 *                  capture_spread_mm, transform[12] (point of from -> point of to)
 *   emission       null, or: isotope, modality, series_uid, acquired, alignment, decay_correction,
 *                  decay_factor, injections_off, half_life_h, dose_constant_mj_per_mbq,
 *                  cps_per_mbq, voxel_ml, image_activity_mbq, liver_activity_mbq,
 *                  injected_activity_mbq, recovery_ratio, vois[] and healthy[] {name, volume_ml,
 *                  mean_gy, standard_deviation_gy, activity_mbq, mri_mean_gy, difference_percent}
 *   warnings[]     words */
#ifndef FIGURES_H
#define FIGURES_H

#include <stdio.h>

#include "measurement_report.h"

struct figures_voi {
	const char *name;
	enum voi_role role;
};

/* Everything is borrowed. */
struct figures_input {
	const char *patient_id, *record_id, *software_version;
	int record_revision, planned_injections; /* planned 0: unknown */
	const struct dosimetry_result *result;
	const struct dosimetry_injection
	    *injections; /* up to the last time point or all of the record */
	int n_injections;
	const struct figures_voi *vois; /* as in the dosimetry input; none: dose maps only */
	int n_vois;
	const char *const *warnings;
	int n_warnings;
	/* As the result was computed with; NULL: then no under-dosed levels and no advice. */
	const struct dosimetry_params *params;
	/* Figures of a map: regions, uncertainty and trend hang on settings that are none of the
	 * map's, and are left to the report. */
	bool regions_left_out;
	const struct report_alignment *alignments; /* NULL: none described */
	int n_alignments;
	const struct report_emission *emission; /* measurement_report_emission.h; NULL none */
};

/* The caller looks at ferror() or fclose() for a full disk. */
void figures_write_json(FILE *file, const struct figures_input *input);

/* At most 110 columns, UTF-8: one table for the newest time point with standard uncertainties, what
 * limits a figure and what is under-dosed below its row, T/N and trend of tumours, recovery and
 * alignment per time point, warnings. */
void figures_write_table(FILE *file, const struct figures_input *input);

#endif
