/* The SPECT or PET of a treatment: which series, when it is whole, what may align it, and what it
 * never stands in the way of. */
#include "treatment_scene.h"

#define DAY_MIN	       (24 * 60.0)
#define PET	       "1.2.840.10008.5.1.4.1.1.128"
#define NM	       "1.2.840.10008.5.1.4.1.1.20"
#define EMISSION_FRAME "2.25.1009"

static void as_pet(struct instance_info *info)
{
	copy(info->sop_class_uid, 65, PET);
	copy(info->modality, 17, "PT");
	copy(info->frame_of_reference_uid, 65, EMISSION_FRAME);
	info->component = IMAGE_UNKNOWN;
	info->te_ms = info->tr_ms = info->flip_deg = NAN;
	info->images_in_acquisition = SLICES;
}

static void as_nm(struct instance_info *info)
{
	copy(info->sop_class_uid, 65, NM);
}

static struct catalogue_series *add_emission(struct fixture *f, int number, double minutes)
{
	struct catalogue_series *series =
	    add_series(f, (struct series_options){.number = number,
						  .description = "Ho-166 SPECT",
						  .minutes = minutes,
						  .echoes = 1,
						  .slices = SLICES,
						  .first_te_ms = 1});
	copy(series->modality, 17, "PT");
	each_instance(series, as_pet);
	return series;
}

/* A whole treatment, three days and more later. */
static int begin(void **state)
{
	int failed = set_up(state);
	struct fixture *f = *state;
	make_whole(f);
	f->input.now_s = FIRST_INJECTION_S + 13 * DAY_MIN * MINUTE_S;
	return failed;
}

static const struct treatment_emission *emission(struct fixture *f)
{
	return &assess(f)->emission;
}

static int index_of(const struct fixture *f, const struct catalogue_series *series)
{
	return (int)(series - f->series);
}

static void the_series_of_the_days_after_is_taken(void **state)
{
	struct fixture *f = *state;
	add_emission(f, 21, -30);
	struct catalogue_series *series = add_emission(f, 22, 2 * DAY_MIN);
	add_emission(f, 23, 12 * DAY_MIN);
	const struct treatment_emission *found = emission(f);
	assert_int_equal(found->index, index_of(f, series));
	assert_string_equal(found->refusal, "");
	assert_true(strlen(found->evidence) == 64);
	assert_int_equal(f->slots.state, TREATMENT_READY);
	int told = 0;
	for (int i = 0; i < f->slots.n_unused; i++)
		told += strstr(f->slots.unused[i], "before the last injection") != NULL ||
			strstr(f->slots.unused[i], "outside the window of 10 days") != NULL;
	assert_int_equal(told, 2);
}

/* Another sensitivity makes other doses of the same images: the report is made again. */
static void the_evidence_holds_the_calibration(void **state)
{
	struct fixture *f = *state;
	struct config_nm_calibration calibration = {"Ho-166", "", 10, "phantom"};
	char before[65], zone[64];
	each_instance(add_emission(f, 22, 2 * DAY_MIN), as_nm);
	copy(before, 65, emission(f)->evidence);
	assert_string_equal(before, emission(f)->evidence);
	copy(zone, 64, f->config->time_zone);
	copy(f->config->time_zone, 64, "Asia/Tokyo");
	assert_string_not_equal(before, emission(f)->evidence);
	copy(f->config->time_zone, 64, zone);
	struct config_nm_calibration *was = f->config->nm_calibrations;
	int n_was = f->config->n_nm_calibrations;
	f->config->nm_calibrations = &calibration;
	f->config->n_nm_calibrations = 1;
	copy(before, 65, emission(f)->evidence);
	calibration.cps_per_mbq = 11;
	assert_string_not_equal(before, emission(f)->evidence);
	f->config->nm_calibrations = was;
	f->config->n_nm_calibrations = n_was;
}

static void another_description_is_none(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *series = add_emission(f, 22, 2 * DAY_MIN);
	for (int i = 0; i < series->n_instances; i++)
		copy(series->instances[i].info.series_description, 260, "FDG whole body");
	assert_int_equal(emission(f)->index, -1);
}

static void pet_before_nm_and_later_before_earlier(void **state)
{
	struct fixture *f = *state;
	add_emission(f, 22, 2 * DAY_MIN);
	struct catalogue_series *second = add_emission(f, 23, 3 * DAY_MIN);
	struct catalogue_series *counts = add_emission(f, 24, 4 * DAY_MIN);
	counts->n_instances = 1;
	each_instance(counts, as_nm);
	const struct treatment_emission *found = emission(f);
	assert_int_equal(found->index, index_of(f, second));
	assert_int_equal(found->n_notes, 2);
	assert_non_null(strstr(found->notes[0], "could serve too"));
}

static void slices_that_are_owed_are_waited_for(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *series = add_emission(f, 22, 2 * DAY_MIN);
	series->n_instances--;
	f->input.now_s = series->last_received_s + 1;
	const struct treatment_emission *found = emission(f);
	assert_int_equal(found->index, -1);
	assert_non_null(strstr(f->slots.waits_for, "emission image: series 22"));
	assert_close(f->slots.look_again_s, series->last_received_s + f->config->settle_s, 1e-6, 0);
	assert_int_equal(f->slots.state, TREATMENT_READY);
	assert_true(f->slots.maps_ready);
	/* when nothing more comes, it is used as far as it goes, or refused for its gap */
	f->input.now_s = series->last_received_s + f->config->settle_s + 1;
	found = emission(f);
	assert_int_equal(found->index, index_of(f, series));
	assert_true(found->refusal[0] != '\0' || found->n_notes > 0);
	assert_int_equal(f->slots.state, TREATMENT_READY);
}

static void contours_on_the_image_are_not_for_the_scans(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *series = add_emission(f, 22, 2 * DAY_MIN);
	const struct treatment_emission *without = emission(f);
	char evidence[65];
	copy(evidence, sizeof evidence, without->evidence);
	int set = f->slots.structure_set;
	assert_true(set >= 0);

	struct catalogue_series *drawn = add_emission(f, 30, 3 * DAY_MIN);
	drawn->n_instances = 1;
	copy(drawn->modality, 17, "RTSTRUCT");
	struct instance_info *info = &drawn->instances[0].info;
	copy(info->sop_class_uid, 65, "1.2.840.10008.5.1.4.1.1.481.3");
	copy(info->modality, 17, "RTSTRUCT");
	const struct treatment_emission *with = emission(f);
	assert_int_equal(with->index, index_of(f, series));
	assert_ptr_equal(with->contours, &drawn->instances[0]);
	/* another report, the same maps */
	assert_string_not_equal(with->evidence, evidence);
	assert_int_equal(f->slots.structure_set, set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_series_of_the_days_after_is_taken, begin,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_evidence_holds_the_calibration, begin, tear_down),
	    cmocka_unit_test_setup_teardown(another_description_is_none, begin, tear_down),
	    cmocka_unit_test_setup_teardown(pet_before_nm_and_later_before_earlier, begin,
					    tear_down),
	    cmocka_unit_test_setup_teardown(slices_that_are_owed_are_waited_for, begin, tear_down),
	    cmocka_unit_test_setup_teardown(contours_on_the_image_are_not_for_the_scans, begin,
					    tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
