/* A scan after injection that lies on the baseline by more than a rigid motion: a liver given by
 * formulas, bent by a formula, with the microspheres of each piece of tissue kept. */
#include "check.h"

#include <stdlib.h>

#include "deformation.h"
#include "dosimetry_params.h"

#define RELAXIVITY	  217.8
#define SA		  12.0
#define GY_PER_MBQ_PER_ML (15.87 / 1.06)
#define NATIVE		  45.0
#define LIVER_RADIUS	  66.0
#define SPACING_MM	  25.0

static const double TUMOUR[2][4] = {{-20, 5, -12, 20}, {8, 2, 40, 13}}; /* centre, radius */
static const double SPOT[4] = {-24, 24, 6, 7};

/* 1 inside, 0 outside, smooth in between. */
static double fall(double distance, double from, double to)
{
	double t = (distance - from) / (to - from);
	t = t < 0 ? 0 : t > 1 ? 1 : t;
	return 1 - t * t * t * (10 + t * (6 * t - 15));
}

static double distance(const double p[3], const double centre[3])
{
	return sqrt((p[0] - centre[0]) * (p[0] - centre[0]) +
		    (p[1] - centre[1]) * (p[1] - centre[1]) +
		    (p[2] - centre[2]) * (p[2] - centre[2]));
}

/* ---- the patient, in the result's frame ---- */

static double mg_per_ml_at(const double p[3])
{
	static const double middle[3] = {0, 0, 0};
	return (0.15 + 0.55 * fall(distance(p, TUMOUR[0]), 22, 34) +
		0.40 * fall(distance(p, TUMOUR[1]), 14, 26)) *
	       fall(distance(p, middle), LIVER_RADIUS - 10, LIVER_RADIUS - 1);
}

/* With a hill under each tumour, so that a wrong place of the baseline shows. */
static double native_at(const double p[3])
{
	return NATIVE - 20 * fall(distance(p, TUMOUR[0]), 14, 26) +
	       15 * fall(distance(p, TUMOUR[1]), 6, 22);
}

/* Vessels: something for a registration to hold on to. */
static double s0_at(const double p[3])
{
	return 500 + 90 * sin(p[0] / 6.1 + 0.4 * sin(p[1] / 9)) * sin(p[1] / 7.3) +
	       90 * sin(p[2] / 7.7 + p[0] / 21) * cos(p[1] / 8.7 + 0.5 * sin(p[2] / 11));
}

/* ---- how it is bent: u(x) in the scan's frame ---- */

struct bend {
	double centre_mm[3], most_mm[3], width_mm;
};

static const struct bend BUMP = {{6, 4, -8}, {4.2, -3.1, 6.0}, 34};
static const struct bend NONE = {{0, 0, 0}, {0, 0, 0}, 34};

/* u, and the Jacobian determinant of x + u: a displacement along one line. */
static double bend_at(double u_mm[3], const struct bend *bend, const double x[3])
{
	double r = distance(x, bend->centre_mm), square = bend->width_mm * bend->width_mm;
	double share = exp(-r * r / (2 * square)), along = 0;
	for (int a = 0; a < 3; a++) {
		u_mm[a] = bend->most_mm[a] * share;
		along -= u_mm[a] * (x[a] - bend->centre_mm[a]) / square;
	}
	return 1 + along;
}

/* Cubic B-splines through u: coefficients u - h^2/6 laplacian(u), off by the fourth order. */
static struct deformation spline_of(const struct bend *bend, const double rigid[RIGID_SIZE])
{
	struct deformation made = {.jacobian_least = 1, .jacobian_most = 1, .residual_mm = 0};
	const int points[3] = {14, 14, 14};
	struct grid *control = &made.control;
	*control = (struct grid){.columns = points[0], .rows = points[1], .slices = points[2]};
	control->column_step_mm[0] = control->row_step_mm[1] = control->slice_step_mm[2] =
	    SPACING_MM;
	for (int a = 0; a < 3; a++)
		control->origin_mm[a] = -SPACING_MM * (points[a] - 1) / 2;
	strcpy(control->frame_of_reference, "1.after");
	made.displacement_mm = malloc(3 * grid_voxels(control) * sizeof *made.displacement_mm);
	memcpy(made.rigid, rigid, sizeof made.rigid);
	for (size_t v = 0; v < grid_voxels(control); v++) {
		const double voxel[3] = {(double)(v % 14), (double)(v / 14 % 14),
					 (double)(v / 196)};
		double x[3], u_mm[3], r, square = bend->width_mm * bend->width_mm;
		grid_to_patient(control, voxel, x);
		(void)bend_at(u_mm, bend, x);
		r = distance(x, bend->centre_mm);
		for (int a = 0; a < 3; a++)
			made.displacement_mm[3 * v + (size_t)a] =
			    (float)(u_mm[a] * (1 - SPACING_MM * SPACING_MM / 6 *
						       (r * r / square - 3) / square));
	}
	return made;
}

/* ---- scans ---- */

static struct grid make_grid(int columns, int rows, int slices, double pixel_mm, double slice_mm,
			     const char *frame)
{
	struct grid grid = {.columns = columns, .rows = rows, .slices = slices};
	grid.column_step_mm[0] = grid.row_step_mm[1] = pixel_mm;
	grid.slice_step_mm[2] = slice_mm;
	grid.origin_mm[0] = -pixel_mm * (columns - 1) / 2;
	grid.origin_mm[1] = -pixel_mm * (rows - 1) / 2;
	grid.origin_mm[2] = -slice_mm * (slices - 1) / 2;
	strcpy(grid.frame_of_reference, frame);
	return grid;
}

static void point_of(double point_mm[3], const struct grid *grid, size_t v)
{
	const size_t columns = (size_t)grid->columns, rows = (size_t)grid->rows;
	const double voxel[3] = {(double)(v % columns), (double)(v / columns % rows),
				 (double)(v / columns / rows)};
	grid_to_patient(grid, voxel, point_mm);
}

/* What a fit would leave, without noise. bend NULL: the baseline. */
static void scan_body(struct r2star_map *map, const struct grid *grid,
		      const double to_body[RIGID_SIZE], const struct bend *bend)
{
	struct status st = STATUS_INIT;
	memset(map, 0, sizeof *map);
	assert_ok(volume_new(&map->r2star_per_s, grid, NAN, &st), &st);
	assert_ok(volume_new(&map->stderr_per_s, grid, 3, &st), &st);
	assert_ok(volume_new(&map->s0, grid, NAN, &st), &st);
	assert_ok(volume_new(&map->first_echo, grid, 1, &st), &st);
	map->state = malloc(grid_voxels(grid));
	memset(map->state, R2STAR_FITTED, grid_voxels(grid));
	map->sigma = map->air_sigma = 1;
	map->te1_ms = 1.33;
	map->usable_sigma = 4;
	map->saturated_sigma = 2;
	for (size_t v = 0; v < grid_voxels(grid); v++) {
		double x[3], u_mm[3] = {0, 0, 0}, jacobian = 1, p[3];
		point_of(x, grid, v);
		if (bend)
			jacobian = bend_at(u_mm, bend, x);
		for (int a = 0; a < 3; a++)
			x[a] += u_mm[a];
		rigid_apply(p, to_body, x);
		double r2star = native_at(p);
		if (bend) /* squeezed tissue holds more of them per mL */
			r2star += RELAXIVITY * mg_per_ml_at(p) * jacobian;
		map->r2star_per_s.samples[v] = (float)r2star;
		map->s0.samples[v] = (float)s0_at(p);
		map->first_echo.samples[v] = (float)(s0_at(p) * exp(-r2star * 1.33e-3));
	}
}

static void ball_mask(struct mask *mask, const struct grid *grid, const double centre[3],
		      double radius)
{
	struct status st = STATUS_INIT;
	assert_ok(mask_new(mask, grid, &st), &st);
	for (size_t v = 0; v < grid_voxels(grid); v++) {
		double p[3];
		point_of(p, grid, v);
		mask->coverage[v] = (float)fmin(fmax(radius - distance(p, centre) + 0.5, 0), 1);
	}
	mask_update_bounds(mask);
}

enum { LIVER, FIRST, SECOND, SMALL, VOIS };

struct treatment {
	struct grid result;
	struct mask mask[VOIS];
	struct dosimetry_voi voi[VOIS];
	struct r2star_map baseline, after;
	double baseline_to_result[RIGID_SIZE], to_result[RIGID_SIZE];
	struct dosimetry_scan scan;
	struct deformation deformation;
	struct dosimetry_injection injection;
	struct dosimetry_input input;
	struct dosimetry_params params;
};

static double mass_in_liver_mg(void)
{
	const double step = 0.8;
	double sum = 0;
	for (double x = -LIVER_RADIUS; x < LIVER_RADIUS; x += step) {
		for (double y = -LIVER_RADIUS; y < LIVER_RADIUS; y += step) {
			for (double z = -LIVER_RADIUS; z < LIVER_RADIUS; z += step) {
				const double p[3] = {x, y, z};
				sum += mg_per_ml_at(p);
			}
		}
	}
	return sum * step * step * step / 1000;
}

static void turn(double m[RIGID_SIZE], double degrees, double x, double y, double z)
{
	const double centre[3] = {5, -8, 3}, shift[3] = {x, y, z};
	const double angle[3] = {degrees * M_PI / 180, -0.7 * degrees * M_PI / 180,
				 0.5 * degrees * M_PI / 180};
	rigid_from_angles(m, angle, shift, centre);
}

/* The scan is bent and knows by how much. */
static struct treatment *treatment_new(const struct bend *bend)
{
	struct treatment *t = calloc(1, sizeof *t);
	static const double origin[3] = {0, 0, 0};
	static const char *const name[] = {"Liver", "First", "Second", "Small"};
	static const enum voi_role role[] = {VOI_LIVER, VOI_TUMOUR, VOI_TUMOUR, VOI_OTHER};
	const double *centre[VOIS] = {origin, TUMOUR[0], TUMOUR[1], SPOT};
	const double radius[VOIS] = {LIVER_RADIUS, TUMOUR[0][3], TUMOUR[1][3], SPOT[3]};
	double to_body[RIGID_SIZE], apart[RIGID_SIZE], back[RIGID_SIZE];
	struct grid grid = make_grid(84, 84, 46, 2, 3.5, "1.before");

	t->result = make_grid(72, 72, 56, 2, 2.5, "1.result");
	for (int voi = 0; voi < VOIS; voi++) {
		ball_mask(&t->mask[voi], &t->result, centre[voi], radius[voi]);
		t->voi[voi] = (struct dosimetry_voi){name[voi], role[voi], -1, &t->mask[voi]};
	}
	turn(t->baseline_to_result, -2, 3, -1, 2);
	turn(apart, 3, 5, -2.3, 4.1);
	rigid_compose(t->to_result, apart, t->baseline_to_result);
	rigid_invert(to_body, t->baseline_to_result);
	scan_body(&t->baseline, &grid, to_body, NULL);
	rigid_invert(to_body, t->to_result);
	strcpy(grid.frame_of_reference, "1.after");
	scan_body(&t->after, &grid, to_body, bend);
	rigid_invert(back, apart);
	t->deformation = spline_of(bend, back);
	t->scan = (struct dosimetry_scan){.map = &t->after,
					  .after_injection = 1,
					  .time_s = 2000,
					  .tr_ms = 1000,
					  .flip_deg = 70,
					  .to_result = t->to_result,
					  .deformation = &t->deformation};
	t->injection = (struct dosimetry_injection){.number = 1,
						    .start_s = 1000,
						    .net_activity_mbq = mass_in_liver_mg() * SA,
						    .specific_activity_mbq_per_mg = SA,
						    .holmium_percent = 19.5,
						    .part_voi = -1};
	t->input = (struct dosimetry_input){
	    .result_grid = &t->result,
	    .baseline = {.map = &t->baseline,
			 .tr_ms = 1000,
			 .flip_deg = 70,
			 .to_result = t->baseline_to_result},
	    .scans = &t->scan,
	    .n_scans = 1,
	    .injections = &t->injection,
	    .n_injections = 1,
	    .vois = t->voi,
	    .n_vois = VOIS,
	};
	t->params = usual_params(150, 5);
	return t;
}

static void treatment_free(struct treatment *t)
{
	for (int voi = 0; voi < VOIS; voi++)
		mask_free(&t->mask[voi]);
	r2star_map_free(&t->baseline);
	r2star_map_free(&t->after);
	deformation_free(&t->deformation);
	free(t);
}

static struct dosimetry_result run(const struct treatment *t)
{
	struct dosimetry_result result = {0};
	struct status st = STATUS_INIT;
	assert_ok(dosimetry_run(&result, &t->input, &t->params, &st), &st);
	return result;
}

/* ---- against the truth ---- */

struct errors {
	double rms_gy, tumour_percent[2], recovery_percent, mass_ratio;
	size_t voxels, missing;
};

/* Voxel by voxel inside the liver; truth is the concentration of the patient at rest. */
static struct errors compare(const char *what, const struct treatment *t,
			     const struct dosimetry_result *result)
{
	const struct dosimetry_time_point *point = &result->time_points[0];
	struct errors e = {.recovery_percent = 100 * (point->recovery_ratio - 1),
			   .mass_ratio = point->resampled_mass_ratio};
	double truth[VOIS] = {0}, weight[VOIS] = {0};
	for (size_t v = 0; v < grid_voxels(&t->result); v++) {
		double p[3], gy = (double)point->dose_gy.samples[v];
		if (!(t->mask[LIVER].coverage[v] > 0))
			continue;
		point_of(p, &t->result, v);
		double expected = mg_per_ml_at(p) * SA * GY_PER_MBQ_PER_ML;
		for (int voi = 0; voi < VOIS; voi++) {
			truth[voi] += (double)t->mask[voi].coverage[v] * expected;
			weight[voi] += (double)t->mask[voi].coverage[v];
		}
		if (isnan(gy)) {
			e.missing++;
			continue;
		}
		e.rms_gy += (gy - expected) * (gy - expected);
		e.voxels++;
	}
	e.rms_gy = sqrt(e.rms_gy / (double)e.voxels);
	for (int i = 0; i < 2; i++)
		e.tumour_percent[i] =
		    100 *
		    (point->voi[FIRST + i].dose.mean / (truth[FIRST + i] / weight[FIRST + i]) - 1);
	printf("MEASURED warp case=%s rms_gy=%.3f tumour_percent=%.2f,%.2f recovery_percent=%.3f "
	       "mass_ratio=%.5f missing=%zu\n",
	       what, e.rms_gy, e.tumour_percent[0], e.tumour_percent[1], e.recovery_percent,
	       e.mass_ratio, e.missing);
	return e;
}

static void a_known_field_gives_the_dose_of_the_patient_at_rest(void **state)
{
	struct treatment *t = treatment_new(&BUMP);
	struct dosimetry_result result = run(t);
	struct errors bent = compare("known", t, &result), rigid;
	(void)state;
	assert_int_equal(bent.missing, 0);
	/* 0.77 Gy is what interpolation leaves without any bend (below) */
	assert_true(bent.rms_gy < 1);
	assert_close(bent.tumour_percent[0], 0, 0.5, 0);
	assert_close(bent.tumour_percent[1], 0, 0.5, 0);
	assert_close(bent.recovery_percent, 0, 0.5, 0);
	assert_close(bent.mass_ratio, 1, 0.002, 0);
	assert_int_equal(result.time_points[0].flags, 0);
	dosimetry_result_free(&result);
	/* the same scan, by its rigid transform alone: what the field is for */
	t->scan.deformation = NULL;
	result = run(t);
	rigid = compare("rigid-alone", t, &result);
	assert_true(rigid.rms_gy > 8 * bent.rms_gy);
	assert_true(fabs(rigid.tumour_percent[0]) > 3);
	dosimetry_result_free(&result);
	treatment_free(t);
}

static void a_found_field_does_so_too(void **state)
{
	struct treatment *t = treatment_new(&BUMP);
	struct deformation_params params = {
	    .control_spacing_mm = 30, .bending_weight = 0.01, .region_margin_mm = 15, .threads = 2};
	enum deformation_verdict verdict;
	struct deformation found;
	struct status st = STATUS_INIT;
	struct mask region = t->mask[LIVER]; /* borrowed coverage, moved to the scan */
	char why[200];
	(void)state;
	rigid_move_grid(&region.grid, &t->result, t->to_result, "1.after");
	assert_ok(deformation_find(&found, &verdict, why, &t->after.s0, &t->baseline.s0, &region,
				   t->deformation.rigid, &params, &st),
		  &st);
	assert_int_equal(verdict, DEFORMATION_KEPT);
	t->scan.deformation = &found;
	struct dosimetry_result result = run(t);
	struct errors e = compare("found", t, &result);
	assert_int_equal(e.missing, 0);
	assert_true(e.rms_gy < 1.2);
	assert_close(e.tumour_percent[0], 0, 1.5, 0);
	assert_close(e.tumour_percent[1], 0, 1.5, 0);
	assert_close(e.recovery_percent, 0, 0.5, 0);
	assert_close(e.mass_ratio, 1, 0.002, 0);
	dosimetry_result_free(&result);
	deformation_free(&found);
	treatment_free(t);
}

static void no_field_is_the_rigid_answer(void **state)
{
	struct treatment *t = treatment_new(&NONE);
	struct dosimetry_result with = run(t), without;
	size_t voxels = grid_voxels(&t->result);
	(void)state;
	(void)compare("zero-field", t, &with);
	t->scan.deformation = NULL;
	without = run(t);
	(void)compare("rigid", t, &without);
	for (size_t v = 0; v < voxels; v++) {
		float a = with.time_points[0].dose_gy.samples[v];
		float b = without.time_points[0].dose_gy.samples[v];
		assert_true(isnan(a) == isnan(b));
		if (!isnan(a))
			assert_close((double)a, (double)b, 2e-3, 0);
	}
	assert_close(with.time_points[0].recovery_ratio, without.time_points[0].recovery_ratio,
		     1e-4, 0);
	dosimetry_result_free(&with);
	dosimetry_result_free(&without);
	treatment_free(t);
}

static void same_bits_at_any_thread_count(void **state)
{
	struct treatment *t = treatment_new(&BUMP);
	(void)state;
	t->params.threads = 1;
	struct dosimetry_result one = run(t);
	t->params.threads = 3;
	struct dosimetry_result three = run(t);
	assert_memory_equal(one.time_points[0].dose_gy.samples,
			    three.time_points[0].dose_gy.samples,
			    grid_voxels(&t->result) * sizeof(float));
	assert_true(one.time_points[0].recovery_ratio == three.time_points[0].recovery_ratio);
	dosimetry_result_free(&one);
	dosimetry_result_free(&three);
	treatment_free(t);
}

/* What is not known of the baseline's tissue, and what the scan leaves in doubt, lands on that
 * tissue: 8 mm beside where the rigid transform would put it. */
static void marks_and_doubts_follow_the_tissue(void **state)
{
	struct treatment *t = treatment_new(&BUMP);
	double back[RIGID_SIZE];
	size_t n = 0;
	(void)state;
	/* gas in the baseline, as large as the small VOI */
	rigid_invert(back, t->baseline_to_result);
	for (size_t v = 0; v < grid_voxels(&t->baseline.s0.grid); v++) {
		double p[3];
		point_of(p, &t->baseline.s0.grid, v);
		rigid_apply(p, back, p);
		if (distance(p, SPOT) < SPOT[3] + 1)
			t->baseline.r2star_per_s.samples[v] = 400;
	}
	struct dosimetry_result result = run(t);
	const struct dosimetry_voi_result *small = &result.time_points[0].voi[SMALL];
	printf("small VOI: %.3f mL, artefact %.3f mL\n", small->dose.volume_ml,
	       small->excluded_volume_ml);
	assert_close(small->excluded_volume_ml, small->dose.volume_ml, 0, 0.1);
	assert_int_equal(small->measurable, VOI_NOT_MEASURABLE);
	dosimetry_result_free(&result);
	treatment_free(t);

	/* no signal left in the scan, there */
	t = treatment_new(&BUMP);
	rigid_invert(back, t->to_result);
	for (size_t v = 0; v < grid_voxels(&t->after.s0.grid); v++) {
		double x[3], u_mm[3], p[3];
		point_of(x, &t->after.s0.grid, v);
		(void)bend_at(u_mm, &BUMP, x);
		for (int a = 0; a < 3; a++)
			x[a] += u_mm[a];
		rigid_apply(p, back, x);
		if (distance(p, SPOT) < SPOT[3]) {
			t->after.state[v] = R2STAR_NO_ECHO;
			t->after.first_echo.samples[v] = 1;
			n++;
		}
	}
	assert_true(n > 50);
	result = run(t);
	small = &result.time_points[0].voi[SMALL];
	printf("small VOI: %.3f mL, saturated %.3f mL\n", small->dose.volume_ml,
	       small->saturated_volume_ml);
	assert_close(small->saturated_volume_ml, small->dose.volume_ml, 0, 0.15);
	dosimetry_result_free(&result);
	treatment_free(t);
}

/* The upper half of the liver as a part: its cut goes through the bend, and what the scan holds
 * above it is what the patient at rest does. */
static void parts_are_cut_where_their_tissue_is(void **state)
{
	struct treatment *t = treatment_new(&BUMP);
	double truth_mg = 0;
	(void)state;
	t->voi[FIRST].role = t->voi[SECOND].role = VOI_OTHER;
	t->voi[SMALL].role = VOI_PART;
	for (size_t v = 0; v < grid_voxels(&t->result); v++) {
		double p[3];
		point_of(p, &t->result, v);
		t->mask[SMALL].coverage[v] = p[2] > -8 ? t->mask[LIVER].coverage[v] : 0;
		truth_mg += (double)t->mask[SMALL].coverage[v] * mg_per_ml_at(p) *
			    grid_voxel_volume_ml(&t->result);
	}
	mask_update_bounds(&t->mask[SMALL]);
	struct dosimetry_result result = run(t);
	double found_mg = result.time_points[0].part_recovered_mbq[SMALL] / SA;
	printf("MEASURED warp-part part_percent=%.3f\n", 100 * (found_mg / truth_mg - 1));
	assert_close(found_mg, truth_mg, 0, 0.005);
	dosimetry_result_free(&result);
	treatment_free(t);
}

/* Inside out in one place, far from the truth elsewhere too: no value there, whatever it is. */
static void where_the_field_folds_there_is_no_value(void **state)
{
	static const struct bend fold = {{10, 0, 10}, {0, 0, -60}, 24};
	struct treatment *t = treatment_new(&NONE);
	struct deformation straight = t->deformation;
	size_t missing = 0;
	(void)state;
	t->deformation = spline_of(&fold, straight.rigid);
	struct dosimetry_result result = run(t);
	for (size_t v = 0; v < grid_voxels(&t->result); v++)
		missing += t->mask[LIVER].coverage[v] == 1 &&
			   isnan(result.time_points[0].dose_gy.samples[v]);
	printf("folded: %zu voxels of the liver without a value\n", missing);
	assert_true(missing > 500);
	assert_true(result.time_points[0].voi[LIVER].not_measured_volume_ml >
		    0.009 * (double)missing);
	dosimetry_result_free(&result);
	deformation_free(&straight);
	treatment_free(t);
}

static void a_field_on_another_transform_is_a_bug(void **state)
{
	struct treatment *t = treatment_new(&BUMP);
	struct dosimetry_result result = {0};
	struct status st = STATUS_INIT;
	(void)state;
	t->deformation.rigid[3] += 0.5;
	assert_int_equal(dosimetry_run(&result, &t->input, &t->params, &st), STATUS_BUG);
	assert_non_null(strstr(st.text, "does not stand on its rigid transform"));
	treatment_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_known_field_gives_the_dose_of_the_patient_at_rest),
	    cmocka_unit_test(a_found_field_does_so_too),
	    cmocka_unit_test(no_field_is_the_rigid_answer),
	    cmocka_unit_test(same_bits_at_any_thread_count),
	    cmocka_unit_test(marks_and_doubts_follow_the_tissue),
	    cmocka_unit_test(parts_are_cut_where_their_tissue_is),
	    cmocka_unit_test(where_the_field_folds_there_is_no_value),
	    cmocka_unit_test(a_field_on_another_transform_is_a_bug),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
