/* Instances to one series of slices and echoes, on headers only (pixels: test_real_mr.c). */
#include "check.h"

#include <stdlib.h>

#include "mr_series.h"
#include "tags.h"

#define SLICES 40
#define ECHOES 16

static struct status st;
static struct instance_info infos[2 * SLICES * ECHOES];

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return 0;
}

/* 40 slices, 16 echoes, oblique; stored in an order that has nothing to do with either. */
static int make_series(void)
{
	const double c = cos(0.3), s = sin(0.3);
	int n = 0;

	memset(infos, 0, sizeof(infos));
	for (int echo = ECHOES - 1; echo >= 0; echo--) {
		for (int k = 0; k < SLICES; k++) {
			int slice = (k * 7) % SLICES;
			struct instance_info *info = &infos[n];
			const double orientation[6] = {1, 0, 0, 0, c, s}, normal[3] = {0, -s, c};
			memcpy(info->orientation, orientation, sizeof(orientation));
			for (int a = 0; a < 3; a++)
				info->position_mm[a] = -100 + 5 * slice * normal[a];
			info->rows = 64;
			info->columns = 96;
			info->frames = 1;
			info->pixel_spacing_mm[0] = 1.5;
			info->pixel_spacing_mm[1] = 2;
			info->slice_thickness_mm = 5;
			info->component = IMAGE_MAGNITUDE;
			info->te_ms = 1.33 + 1.15 * echo;
			info->tr_ms = 22;
			info->flip_deg = 5;
			info->field_strength_t = 30000;
			info->images_in_acquisition = -1;
			info->instance_number = n % 5;
			snprintf(info->frame_of_reference_uid, 65, "1.2.3");
			snprintf(info->evidence_hash, 65, "%d", n);
			snprintf(info->sop_instance_uid, 65, "1.2.3.%d", n);
			snprintf(info->acquisition_datetime, 33, "202603021015%02d", 10 + echo);
			n++;
		}
	}
	return n;
}

static int index_of(int slice, int echo)
{
	for (int n = 0; n < SLICES * ECHOES; n++)
		if (fabs(infos[n].te_ms - (1.33 + 1.15 * echo)) < 0.01 &&
		    fabs(infos[n].position_mm[2] - (-100 + 5 * slice * cos(0.3))) < 0.01)
			return n;
	return -1;
}

static struct mr_series arranged(int n)
{
	struct mr_series series;
	status_clear(&st);
	assert_ok(mr_series_arrange(&series, infos, n, &st), &st);
	return series;
}

static void refused(int n, const char *words)
{
	struct mr_series series;
	status_clear(&st);
	assert_int_equal(mr_series_arrange(&series, infos, n, &st), STATUS_REFUSE);
	if (!strstr(st.text, words))
		fail_msg("\"%s\" does not say \"%s\"", st.text, words);
}

static void slices_by_position_echoes_by_time(void **state)
{
	struct mr_series series = arranged(make_series());
	double voxel[3] = {0, 0, 7}, patient[3];

	(void)state;
	assert_int_equal(series.grid.slices, SLICES);
	assert_int_equal(series.echoes, ECHOES);
	assert_int_equal(series.grid.columns, 96);
	assert_true(series.complete);
	assert_false(series.count_confirmed);
	assert_string_equal(series.missing, "");
	assert_close(grid_spacing_mm(&series.grid, 0), 2, 1e-9, 0);
	assert_close(grid_spacing_mm(&series.grid, 1), 1.5, 1e-9, 0);
	assert_close(grid_spacing_mm(&series.grid, 2), 5, 1e-9, 0);
	assert_close(series.field_strength_t, 3, 1e-12, 0);
	assert_string_equal(series.acquisition_datetime, "20260302101510");
	for (int slice = 0; slice < SLICES; slice++) {
		voxel[2] = slice;
		grid_to_patient(&series.grid, voxel, patient);
		for (int echo = 0; echo < ECHOES; echo++) {
			const struct instance_info *info =
			    &infos[series.image[slice * ECHOES + echo]];
			assert_close(info->te_ms, 1.33 + 1.15 * echo, 1e-9, 0);
			for (int a = 0; a < 3; a++)
				assert_close(info->position_mm[a], patient[a], 1e-9, 0);
		}
	}
	mr_series_free(&series);
}

static void what_is_missing_is_named(void **state)
{
	int n = make_series(), gone = index_of(30, 6);
	struct mr_series series;

	(void)state;
	infos[gone] = infos[--n];
	series = arranged(n);
	assert_false(series.complete);
	assert_string_equal(series.missing, "echo 7 missing at slice 31");
	mr_series_free(&series);
	for (int more = 0; more < 3; more++) {
		gone = index_of(35, more);
		infos[gone] = infos[--n];
	}
	series = arranged(n);
	assert_string_equal(series.missing, "echo 7 missing at slice 31 and 3 more");
	mr_series_free(&series);

	n = make_series();
	for (int slice = 12; slice < 14; slice++)
		for (int echo = 0; echo < ECHOES; echo++) {
			gone = index_of(slice, echo);
			infos[gone] = infos[--n];
			infos[n].te_ms = 0;
		}
	series = arranged(n);
	assert_false(series.complete);
	assert_string_equal(series.missing, "gap of 2 slices after slice 12");
	assert_int_equal(series.grid.slices, SLICES - 2);
	mr_series_free(&series);

	n = make_series();
	for (int i = 0; i < n; i++)
		if (infos[i].position_mm[2] > 60)
			infos[i].position_mm[2] += 2 * cos(0.3),
			    infos[i].position_mm[1] -= 2 * sin(0.3);
	series = arranged(n);
	assert_non_null(strstr(series.missing, "unequal slice spacing: 7 mm after slice 34"));
	mr_series_free(&series);
}

static void the_count_confirms(void **state)
{
	static const struct {
		int expected;
		bool confirmed;
	} rows[] = {
	    {SLICES * ECHOES, true}, {SLICES, true}, {2 * SLICES * ECHOES, false}, {-1, false}};

	(void)state;
	for (size_t r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
		int n = make_series();
		for (int i = 0; i < n; i++)
			infos[i].images_in_acquisition = rows[r].expected;
		struct mr_series series = arranged(n);
		assert_int_equal(series.count_confirmed, rows[r].confirmed);
		mr_series_free(&series);
	}
	/* magnitude and phase in one series, counted together */
	int n = make_series();
	for (int i = 0; i < n; i++) {
		infos[i].images_in_acquisition = 2 * n;
		infos[n + i] = infos[i];
		infos[n + i].component = IMAGE_PHASE;
	}
	struct mr_series series = arranged(2 * n);
	assert_true(series.complete && series.count_confirmed);
	assert_int_equal(series.other_component, n);
	mr_series_free(&series);
}

static void a_resend_is_no_repetition(void **state)
{
	int n = make_series();
	struct mr_series series;

	(void)state;
	infos[n] = infos[100];
	snprintf(infos[n].sop_instance_uid, 65, "0.1");
	series = arranged(n + 1);
	assert_true(series.complete);
	assert_int_equal(series.magnitude, n);
	/* the lower UID of the two, whatever came first */
	bool taken = false;
	for (int i = 0; i < n; i++)
		taken = taken || series.image[i] == n;
	assert_true(taken);
	mr_series_free(&series);
	snprintf(infos[n].evidence_hash, 65, "other pixels");
	refused(n + 1, "two different images at slice");
}

static void what_can_never_be_a_series(void **state)
{
	int n = make_series();

	(void)state;
	for (int i = 0; i < n; i++)
		infos[i].component = IMAGE_PHASE;
	refused(n, "phase images only");
	infos[0].component = IMAGE_DERIVED;
	refused(n, "no magnitude images");
	n = make_series();
	infos[9].rows = 128;
	refused(n, "mixed matrix");
	n = make_series();
	infos[9].orientation[1] = 0.01;
	refused(n, "mixed orientation");
	n = make_series();
	infos[9].flip_deg = 6;
	refused(n, "mixed flip");
	n = make_series();
	infos[9].tr_ms = 23;
	refused(n, "mixed repetition");
	n = make_series();
	infos[9].frame_of_reference_uid[0] = '2';
	refused(n, "frames of reference");
	n = make_series();
	infos[9].te_ms = (double)NAN;
	refused(n, "echo time");
	n = make_series();
	infos[9].position_mm[0] = (double)NAN;
	refused(n, "without position");
	n = make_series();
	infos[0].frames = infos[1].frames = 10;
	refused(n, "multi-frame");
	n = make_series();
	infos[9].position_mm[0] += 3;
	refused(n, "shifted");
}

static void mixed_echo_times_are_refused(void **state)
{
	int n = make_series();

	(void)state;
	for (int i = 0; i < n; i++)
		if (infos[i].position_mm[2] > 0)
			infos[i].te_ms += 0.4;
	refused(n, "mixed echo times");
	n = make_series();
	infos[index_of(3, 5)].te_ms += 0.4;
	refused(n, "mixed echo times: TE 7.08 ms in 39 of 40 slices");
}

/* Half received, slice by slice or echo by echo or at random, is never refused. */
static void reception_order_does_not_matter(void **state)
{
	int n = make_series();
	struct mr_series series;

	(void)state;
	for (int part = 1; part < n; part += 37) {
		series = arranged(part);
		mr_series_free(&series);
	}
	srand(3);
	for (int i = n - 1; i > 0; i--) {
		int j = rand() % (i + 1);
		struct instance_info swap = infos[i];
		infos[i] = infos[j];
		infos[j] = swap;
	}
	for (int part = 1; part < n; part += 37) {
		series = arranged(part);
		assert_false(series.complete && part > 1 && part < n);
		mr_series_free(&series);
	}
}

static void unknown_component_counts_only_alone(void **state)
{
	int n = make_series();
	struct mr_series series;

	(void)state;
	for (int i = 0; i < n; i++)
		infos[i].component = IMAGE_UNKNOWN;
	series = arranged(n);
	assert_int_equal(series.magnitude, n);
	mr_series_free(&series);
	infos[0].component = IMAGE_MAGNITUDE;
	series = arranged(n);
	assert_int_equal(series.magnitude, 1);
	mr_series_free(&series);
}

/* ---- pixels ---- */

struct scaled_images {
	const char *manufacturer;
	double slope[3], intercept[3], scale_slope[3]; /* per echo; NaN: not there */
	bool is_signed;
};

static enum status_code read_scaled(void *user, int index, struct dataset **ds,
				    struct status *fault)
{
	const struct scaled_images *images = user;
	/* 12 bits stored; the upper four hold what once was an overlay; -8 or 4088 */
	const uint16_t stored[4] = {100, 0xF000 | 200, 0x0FF8, 7};

	assert_ok(dataset_new(ds, fault), fault);
	assert_ok(dataset_set_string(*ds, AT(TAG_Manufacturer), images->manufacturer, fault),
		  fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_Rows), 2, fault), fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_Columns), 2, fault), fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_SamplesPerPixel), 1, fault), fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_BitsAllocated), 16, fault), fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_BitsStored), 12, fault), fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_HighBit), 11, fault), fault);
	assert_ok(dataset_set_int(*ds, AT(TAG_PixelRepresentation), images->is_signed, fault),
		  fault);
	if (!isnan(images->slope[index])) {
		assert_ok(
		    dataset_set_double(*ds, AT(TAG_RescaleSlope), images->slope[index], fault),
		    fault);
		assert_ok(dataset_set_double(*ds, AT(TAG_RescaleIntercept),
					     images->intercept[index], fault),
			  fault);
	}
	if (!isnan(images->scale_slope[index]))
		assert_ok(dataset_set_private(*ds, 0x2005, "Philips MR Imaging DD 001", 0x0E, "FL",
					      images->scale_slope[index], fault),
			  fault);
	assert_ok(dataset_set_pixels_u16(*ds, stored, 4, fault), fault);
	return STATUS_OK;
}

/* Three echoes of one slice of 2 x 2 pixels. */
static enum status_code load_scaled(float samples[12], struct scaled_images images)
{
	int image[3] = {0, 1, 2};
	struct mr_series series = {.echoes = 3, .image = image};

	series.grid.columns = series.grid.rows = 2;
	series.grid.slices = 1;
	status_clear(&st);
	return mr_series_load(samples, &series, read_scaled, &images, 2, &st);
}

static void every_image_has_its_own_scaling(void **state)
{
	float samples[12];
	const double none = (double)NAN;

	(void)state;
	assert_ok(load_scaled(samples,
			      (struct scaled_images){
				  "SIEMENS", {1, 2, 0.5}, {0, 10, -1}, {none, none, none}, false}),
		  &st);
	assert_close(samples[0], 100, 0, 0);
	assert_close(samples[1], 200, 0, 0);
	assert_close(samples[2], 4088, 0, 0);
	assert_close(samples[5], 2 * 200 + 10, 1e-4, 0);
	assert_close(samples[8], 0.5 * 100 - 1, 1e-4, 0);
	assert_ok(load_scaled(samples, (struct scaled_images){"GE MEDICAL SYSTEMS",
							      {none, none, none},
							      {0, 0, 0},
							      {none, none, none},
							      true}),
		  &st);
	assert_close(samples[2], -8, 0, 0);
	/* Philips: (PV * RS + RI) / (RS * SS) */
	assert_ok(load_scaled(samples, (struct scaled_images){"Philips Medical Systems",
							      {1.5, 3, 1.5},
							      {-30, 6, 0},
							      {0.25, 0.25, 0.5},
							      false}),
		  &st);
	assert_close(samples[0], (100 * 1.5 - 30) / (1.5 * 0.25), 1e-3, 0);
	assert_close(samples[4], (100 * 3 + 6) / (3 * 0.25), 1e-3, 0);
	assert_close(samples[8], 100 / 0.5, 1e-3, 0);
}

/* An anonymiser that takes private elements away leaves display values that differ in scale. */
static void philips_without_its_scale_slope(void **state)
{
	float samples[12];
	const double none = (double)NAN;

	(void)state;
	assert_ok(
	    load_scaled(samples,
			(struct scaled_images){
			    "Philips", {1.5, 1.5, 1.5}, {0, 0, 0}, {none, none, none}, false}),
	    &st);
	assert_int_equal(load_scaled(samples, (struct scaled_images){"Philips Healthcare",
								     {1.5, 1.5, 1.6},
								     {0, 0, 0},
								     {none, none, none},
								     false}),
			 STATUS_REFUSE);
	assert_non_null(strstr(st.text, "signals cannot be compared"));
	assert_int_equal(
	    load_scaled(samples,
			(struct scaled_images){
			    "Philips", {1.5, 1.5, 1.5}, {0, 0, 0}, {0.25, none, 0.25}, false}),
	    STATUS_REFUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(slices_by_position_echoes_by_time, set_up),
	    cmocka_unit_test_setup(what_is_missing_is_named, set_up),
	    cmocka_unit_test_setup(the_count_confirms, set_up),
	    cmocka_unit_test_setup(a_resend_is_no_repetition, set_up),
	    cmocka_unit_test_setup(what_can_never_be_a_series, set_up),
	    cmocka_unit_test_setup(mixed_echo_times_are_refused, set_up),
	    cmocka_unit_test_setup(reception_order_does_not_matter, set_up),
	    cmocka_unit_test_setup(unknown_component_counts_only_alone, set_up),
	    cmocka_unit_test_setup(every_image_has_its_own_scaling, set_up),
	    cmocka_unit_test_setup(philips_without_its_scale_slope, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
