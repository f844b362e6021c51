/* report_scene.h - a made-up result of four injections with a liver, a part, a tumour, one that
 * cannot be measured, a group of tumours and a necrotic core; the report of it, read back item by
 * item. Build it once per program. */
#ifndef REPORT_SCENE_H
#define REPORT_SCENE_H

#include "codes.h"
#include "measurement_report.h"
#include "result_fixture.h"

enum { LIVER, PART, TUMOUR, SMALL, CONFLUENT, CORE, VOIS };

static struct result_fixture fixture;
static struct dosimetry_result result;
static struct dosimetry_params params;
static struct outline_set outlines[VOIS];
static struct report_voi vois[VOIS];
static struct report_injection injections[FIXTURE_SCANS];
static double stored_mean_gy[VOIS][FIXTURE_SCANS];

/* Ellipses of `points` points on several slices, the largest first. */
static inline void make_outlines(struct outline_set *set, int slices, int points, double radius)
{
	set->outlines = calloc((size_t)slices, sizeof *set->outlines);
	set->count = slices;
	for (int s = 0; s < slices; s++) {
		struct outline *outline = &set->outlines[s];
		double r = radius * (1.0 - 0.1 * s);
		outline->slice = s % FIXTURE_SLICES;
		outline->points = points + 1;
		outline->column_row = calloc(2 * (size_t)(points + 1), sizeof(float));
		outline->area_mm2 = r * r;
		for (int i = 0; i <= points; i++) {
			double angle = 2.0 * 3.14159265358979 * (i % points) / points;
			outline->column_row[2 * i] = (float)(15.0 + r * cos(angle));
			outline->column_row[2 * i + 1] = (float)(11.0 + 0.8 * r * sin(angle));
		}
	}
}

static inline void free_outlines(struct outline_set *set)
{
	for (int i = 0; i < set->count; i++)
		free(set->outlines[i].column_row);
	free(set->outlines);
	*set = (struct outline_set){NULL, 0};
}

static inline void make_figures(struct dosimetry_voi_result *figures, double mean_gy,
				double volume_ml)
{
	*figures = (struct dosimetry_voi_result){
	    .dose = {.volume_ml = volume_ml,
		     .measured_volume_ml = 0.9 * volume_ml,
		     .mean = mean_gy,
		     .minimum = -1.25,
		     .maximum = 2.0 * mean_gy,
		     .standard_deviation = 12.0,
		     .d98 = 0.2 * mean_gy,
		     .d90 = 0.4 * mean_gy,
		     .d70 = 0.7 * mean_gy,
		     .d50 = 0.95 * mean_gy,
		     .d2 = 1.8 * mean_gy,
		     .levels = 2,
		     .level = {60.0, 100.5},
		     .volume_at_level_ml = {0.45 * volume_ml, 0.225 * volume_ml}},
	    .mass_g = 1.06 * volume_ml,
	    .activity_mbq = mean_gy * volume_ml * 1.06 / 15.87,
	    .tumour_to_normal = NAN,
	    .healthy_voi = -1,
	    .underdosed_volume_ml = {NAN, NAN, NAN, NAN},
	    .underdosed_piece_ml = {NAN, NAN, NAN, NAN},
	    .uncertainty = {.random_gy = 0.3,
			    .registration_gy = 0.4,
			    .relaxivity_gy = NAN,
			    .specific_activity_gy = 0.05 * mean_gy,
			    .combined_gy = sqrt(0.25 + 0.0025 * mean_gy * mean_gy)},
	    .kernel_dose = {.mean = NAN, .d90 = NAN, .d70 = NAN, .maximum = NAN},
	    .position_dose_gy = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN},
	    .not_measured_volume_ml = 0.1 * volume_ml,
	};
}

static inline void make_time_point(struct dosimetry_time_point *point, int k)
{
	struct status st = STATUS_INIT;

	assert_ok(volume_new(&point->dose_gy, &fixture.grid, 1.0f, &st), &st);
	point->after_injection = k;
	make_figures(&point->voi[LIVER], 10.0 * k, 1500.0);
	make_figures(&point->voi[PART], 15.0 * k, 900.0);
	make_figures(&point->voi[TUMOUR], 31.172 * k, 35.0);
	make_figures(&point->voi[SMALL], NAN, 0.5);
	make_figures(&point->voi[CONFLUENT], 29.0 * k, 60.0);
	make_figures(&point->voi[CORE], NAN, 9.0);
	point->voi[TUMOUR].tumour_to_normal = 2.34;
	point->voi[TUMOUR].healthy_voi = 1;
	point->voi[TUMOUR].saturated_volume_ml = 3.0;
	point->voi[TUMOUR].underdosed_volume_ml[0] = 8.5;
	point->voi[TUMOUR].underdosed_volume_ml[1] = 2.25;
	point->voi[TUMOUR].underdosed_piece_ml[0] = 6.5;
	point->voi[TUMOUR].underdosed_piece_ml[1] = 1.75;
	point->voi[TUMOUR].excluded_volume_ml = 2.0;
	point->voi[TUMOUR].oscillating_volume_ml = 1.5;
	point->voi[TUMOUR].measurable = VOI_LIMITED;
	point->voi[TUMOUR].reasons = VOI_REASON_ARTEFACT | VOI_REASON_FIT_SATURATED;
	point->voi[LIVER].necrotic_volume_ml = 9.0;
	point->voi[SMALL].measurable = VOI_NOT_MEASURABLE;
	point->voi[SMALL].reasons = VOI_REASON_ARTEFACT | VOI_REASON_OUTSIDE;
	point->voi[SMALL].dose.measured_volume_ml = 0.0;
	point->voi[SMALL].dose.minimum = point->voi[SMALL].dose.standard_deviation = NAN;
	point->n_healthy = 2;
	point->healthy[0].part_voi = -1;
	make_figures(&point->healthy[0].figures, 8.0 * k, 1460.0);
	point->healthy[1].part_voi = PART;
	make_figures(&point->healthy[1].figures, 13.3 * k, 860.0);
	for (int v = 0; v < VOIS; v++) {
		point->trend[v] = (struct uptake_result){.trend = UPTAKE_NOT_ASSESSED,
							 .expected_gy = NAN,
							 .deviation_percent = NAN,
							 .expected_lower_gy = NAN,
							 .expected_upper_gy = NAN,
							 .next_gy = NAN,
							 .next_lower_gy = NAN,
							 .next_upper_gy = NAN};
		point->part_recovery_ratio[v] = NAN;
		point->advice[v] = (struct uptake_remaining){NAN, NAN, NAN};
	}
	if (k == FIXTURE_SCANS)
		point->trend[TUMOUR] = (struct uptake_result){.trend = UPTAKE_SATURATING,
							      .expected_gy = 150.0,
							      .deviation_percent = -16.9,
							      .expected_lower_gy = 140.0,
							      .expected_upper_gy = 160.0,
							      .next_gy = NAN,
							      .next_lower_gy = NAN,
							      .next_upper_gy = NAN};
	point->part_recovery_ratio[PART] = 0.93;
	point->injected_activity_mbq = 1000.0 * k;
	point->injected_mass_mg = 100.0 * k;
	point->recovered_activity_mbq = 945.6 * k;
	point->recovered_mass_mg = 94.0 * k;
	point->recovery_ratio = 0.9456;
	point->mass_increment_ratio = 0.94;
	point->resampled_mass_ratio = 1.001;
	point->region_baseline_r2star_per_s = 45.2;
	point->sigma = 3.1;
	point->air_sigma = 3.25;
	point->s0_scale = 1.01;
	point->region_not_measured_ml = 12.5;
	point->region_volume_ml = 1535;
	point->saturated_ml = 7.25;
	point->s0_known_ml = 8.75;
	point->outside_maximum_gy = 61.5;
	point->outside_hot_ml = 0.5;
	point->recovery_uncertainty = 0.055;
	rigid_identity(point->to_result);
	point->to_result[3] = 1.25 * k;
	point->residual_mm = k == 1 ? (double)NAN : 0.75;
	point->kernel_lost_share = NAN;
	point->flags = DOSIMETRY_SATURATED_VOXELS | (k == 2 ? DOSIMETRY_ORDER_UNCLEAR : 0);
}

static inline void make_injections(void)
{
	for (int k = 1; k <= FIXTURE_SCANS; k++) {
		struct report_injection *injection = &injections[k - 1];
		*injection = (struct report_injection){
		    .figures = {.number = k,
				.net_activity_mbq = k == 4 ? (double)NAN : 1201.9,
				.specific_activity_mbq_per_mg = 10.0,
				.holmium_percent = 19.5,
				.residual_pending = k == 3},
		    .position_id = "P1",
		    .position_description = "right hepatic artery",
		    .planned_percent = 30.0,
		    .planned_activity_mbq = 4000.0,
		    .prepared_activity_mbq = k == 4 ? (double)NAN : 1260.0,
		    .residual_activity_mbq = k >= 3 ? (double)NAN : 58.0,
		};
		snprintf(injection->start, sizeof injection->start, "202611230%d2000+0100", 2 + k);
	}
}

static inline void make_result(void)
{
	static const char *const names[VOIS] = {"Liver",	 "Right hemiliver",	 "Tumour 1",
						"T\xc3\xbcmpel", "Tumours of segment 8", "Core"};
	static const enum voi_role roles[VOIS] = {VOI_LIVER,  VOI_PART,	 VOI_TUMOUR,
						  VOI_TUMOUR, VOI_GROUP, VOI_NECROSIS};

	result.n_time_points = FIXTURE_SCANS;
	result.time_points = calloc(FIXTURE_SCANS, sizeof *result.time_points);
	for (int k = 1; k <= FIXTURE_SCANS; k++)
		make_time_point(&result.time_points[k - 1], k);
	result.relaxivity_used = 217.8;
	result.baseline_sigma = 3.0;
	result.baseline_air_sigma = NAN; /* zeroed */
	result.usable_sigma = 4.0;
	result.saturated_sigma = 2.0;
	result.evaluated_volume_ml = 8000.0;
	result.excluded_artefact_ml = 120.0;
	params = (struct dosimetry_params){.relaxivity_per_s_per_mg_per_ml = 217.8,
					   .relaxivity_holmium_percent = 19.5,
					   .dose_constant_mj_per_mbq = 15.87,
					   .density_g_per_ml = 1.06,
					   .baseline = BASELINE_VOXELWISE,
					   .body_snr = 5.0,
					   .artefact_r2star_per_s = 200.0,
					   .trend_threshold_percent = 10.0,
					   .underdosed_below_gy = {90.0, 50.0},
					   .underdose_levels = 2,
					   .limited_above_percent = 5.0,
					   .not_measurable_above_percent = 50.0,
					   .recovery_low_percent = 85.0,
					   .recovery_high_percent = 115.0,
					   .registration_limit_mm = 3.0,
					   .uncertainty = {.relaxivity_percent = NAN,
							   .specific_activity_percent = 5.0,
							   .injected_activity_percent = NAN},
					   .advice_limit_gy = NAN};
	make_outlines(&outlines[LIVER], 6, 300, 10.0);
	make_outlines(&outlines[PART], 5, 200, 7.0);
	make_outlines(&outlines[TUMOUR], 3, 60, 2.5);
	make_outlines(&outlines[CONFLUENT], 3, 60, 3.5);
	make_outlines(&outlines[CORE], 2, 40, 1.5);
	for (int v = 0; v < VOIS; v++) {
		for (int t = 0; t < FIXTURE_SCANS; t++)
			stored_mean_gy[v][t] = v == SMALL || v == CORE
						   ? (double)NAN
						   : result.time_points[t].voi[v].dose.mean + 0.125;
		vois[v] = (struct report_voi){.name = names[v],
					      .role = roles[v],
					      .roi_number = 10 + v,
					      .outlines = &outlines[v],
					      .stored_mean_gy = stored_mean_gy[v]};
	}
	make_injections();
}

static inline struct report_input input_of(void)
{
	static const struct report_warning warnings[] = {
	    {"HO108", "region \"Spleen\" has no role"},
	    {"HO104", "residual of injection 3 is not known yet"}};
	static const char *const thresholds[] = {"healthy liver: 55 Gy (Ho-166)"};

	return (struct report_input){
	    .evidence = &fixture.evidence,
	    .result = &result,
	    .params = &params,
	    .vois = vois,
	    .n_vois = VOIS,
	    .injections = injections,
	    .n_injections = FIXTURE_SCANS,
	    .planned_injections = 4,
	    .record_id = "TEST-0001/1",
	    .record_revision = 2,
	    .record_entered_by = "physicist",
	    .product = "QuiremSpheres",
	    .field_strength_t = 3.0,
	    .relaxivity_configured = 217.8,
	    .relaxivity_temperature_k = 310.0,
	    .relaxivity_provenance = "theory, not calibrated",
	    .warnings = warnings,
	    .n_warnings = 2,
	    .rt_doses = fixture.doses,
	    .configuration_fingerprint = "0123abcd",
	    .threshold_labels = thresholds,
	    .n_thresholds = 1,
	};
}

/* ---- reading back ---- */

/* Finds the item with a concept name among the children of a content sequence path; -1. */
static inline int find_item(const struct dataset *ds, struct dataset_path content,
			    const char *code_value, int nth)
{
	unsigned count = dataset_item_count(ds, content);
	struct status st = STATUS_INIT;

	for (unsigned i = 0; i < count; i++) {
		struct dataset_path path = content;
		char value[20];
		path.step[path.count++] = i;
		path.step[path.count++] = TAG_ConceptNameCodeSequence;
		path.step[path.count++] = 0;
		path.step[path.count++] = TAG_CodeValue;
		assert_ok(dataset_get_string(ds, path, value, sizeof value, &st), &st);
		if (strcmp(value, code_value) == 0 && nth-- == 0)
			return (int)i;
	}
	return -1;
}

static inline struct dataset_path root(void)
{
	return AT(TAG_ContentSequence);
}

/* The content sequence of the nth child with that concept name. */
static inline struct dataset_path child(const struct dataset *ds, struct dataset_path content,
					const char *code_value, int nth)
{
	int item = find_item(ds, content, code_value, nth);

	if (item < 0)
		fail_msg("no item %s number %d", code_value, nth);
	content.step[content.count++] = (uint32_t)item;
	content.step[content.count++] = TAG_ContentSequence;
	return content;
}

static inline struct dataset_path group(const struct dataset *ds, int voi)
{
	return child(ds, child(ds, root(), "126010", 0), "125007", voi);
}

/* The value of a NUM child; NaN when it is there without a value. */
static inline double number(const struct dataset *ds, struct dataset_path content,
			    const char *code_value)
{
	struct dataset_path path = child(ds, content, code_value, 0);

	path.step[path.count - 1] = TAG_MeasuredValueSequence;
	path.step[path.count++] = 0;
	path.step[path.count++] = TAG_NumericValue;
	return dataset_get_double(ds, path, 0);
}

static inline bool has(const struct dataset *ds, struct dataset_path content,
		       const char *code_value)
{
	return find_item(ds, content, code_value, 0) >= 0;
}

static inline void assert_code_value(const struct dataset *ds, struct dataset_path content,
				     const char *name, const char *expected)
{
	struct dataset_path path = child(ds, content, name, 0);

	path.step[path.count - 1] = TAG_ConceptCodeSequence;
	path.step[path.count++] = 0;
	path.step[path.count++] = TAG_CodeValue;
	fixture_assert_text(ds, path, expected);
}

static inline struct dataset *build(const struct report_input *input)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	char uid[65];

	assert_ok(measurement_report_build(&ds, uid, input, &st), &st);
	fixture_assert_text(ds, AT(TAG_SOPInstanceUID), uid);
	return ds;
}

/* The text of a child that stands where a number could not. */
static inline void assert_words(const struct dataset *ds, struct dataset_path content,
				const char *name, const char *expected)
{
	struct dataset_path path = child(ds, content, name, 0);

	path.step[path.count - 1] = TAG_TextValue;
	fixture_assert_text(ds, path, expected);
}

static inline int make_fixture(void **state)
{
	struct status st = STATUS_INIT;

	(void)state;
	if (dataset_library_init(&st) != STATUS_OK)
		return -1;
	fixture_make(&fixture, false);
	make_result();
	return 0;
}

static inline int free_fixture(void **state)
{
	(void)state;
	for (int v = 0; v < VOIS; v++)
		free_outlines(&outlines[v]);
	for (int t = 0; t < FIXTURE_SCANS; t++)
		volume_free(&result.time_points[t].dose_gy);
	free(result.time_points);
	fixture_free(&fixture);
	return 0;
}

#endif
