/* Assembly, with catalogues made by hand: no DICOM object is read here. */
#include "treatment.h"

#include "check.h"

#include <stdlib.h>

#define EXAMPLE SOURCE_DIR "/config/holmia.example.xml"

/* 2026-03-02 10:05:00 +01:00; times below are minutes from here. */
#define FIRST_INJECTION_S 1772442300.0
#define MINUTE_S          60.0
#define MAX_SERIES        16
#define SLICES            4
#define ECHOES            4

static const char FRAME[] = "2.25.1001", OTHER_FRAME[] = "2.25.1002";

/* ---- a patient, a record and contours, ready to be spoilt ------------------------------------- */

struct fixture {
	struct config *config;
	struct catalogue_patient patient;
	struct catalogue_series series[MAX_SERIES];
	struct treatment_record record;
	struct rt_structure_set sets[3];
	struct treatment_input input;
	struct treatment_slots slots;
	bool assessed;
};

struct series_options {
	int number;
	const char *description;
	double minutes;
	int echoes, slices;
	double first_te_ms;
};

static void copy(char *to, size_t size, const char *from)
{
	assert_true((size_t)snprintf(to, size, "%s", from) < size);
}

static void site_clock(double minutes, char datetime[33], char offset[8])
{
	site_time_from_utc(FIRST_INJECTION_S + minutes * MINUTE_S, "Europe/Amsterdam", datetime, offset);
}

static void fill_instance(struct instance_info *info, const struct series_options *o, int slice, int echo)
{
	snprintf(info->sop_instance_uid, 65, "2.25.%d.%d.%d", o->number, slice, echo);
	snprintf(info->series_instance_uid, 65, "2.25.%d", o->number);
	copy(info->study_instance_uid, 65, "2.25.77");
	copy(info->frame_of_reference_uid, 65, FRAME);
	copy(info->modality, 17, "MR");
	copy(info->series_description, 260, o->description);
	copy(info->station_name, 68, "SKYRA");
	info->series_number = o->number;
	info->instance_number = -1;
	site_clock(o->minutes, info->acquisition_datetime, info->utc_offset);
	info->rows = info->columns = 8;
	info->frames = 1;
	const double orientation[6] = {1, 0, 0, 0, 1, 0};
	memcpy(info->orientation, orientation, sizeof orientation);
	info->position_mm[2] = 5.0 * slice;
	info->pixel_spacing_mm[0] = info->pixel_spacing_mm[1] = 10;
	info->slice_thickness_mm = 5;
	info->component = IMAGE_MAGNITUDE;
	info->te_ms = o->first_te_ms + 1.15 * echo;
	info->tr_ms = 200;
	info->flip_deg = 25;
	info->field_strength_t = 3;
	info->images_in_acquisition = o->echoes * o->slices;
}

static struct catalogue_series *add_series(struct fixture *f, struct series_options o)
{
	assert_true(f->patient.n_series < MAX_SERIES);
	struct catalogue_series *series = &f->series[f->patient.n_series++];
	series->id = o.number;
	snprintf(series->series_instance_uid, 65, "2.25.%d", o.number);
	copy(series->study_instance_uid, 65, "2.25.77");
	copy(series->modality, 17, "MR");
	series->n_instances = o.echoes * o.slices;
	series->instances = calloc((size_t)series->n_instances, sizeof *series->instances);
	assert_non_null(series->instances);
	/* echoes and slices in an order that is neither's */
	for (int i = 0; i < series->n_instances; i++) {
		int shuffled = (i * 7) % series->n_instances;
		if (series->n_instances % 7 == 0)
			shuffled = i;
		fill_instance(&series->instances[i].info, &o, shuffled / o.echoes, shuffled % o.echoes);
	}
	series->last_received_s = FIRST_INJECTION_S + o.minutes * MINUTE_S + 120;
	return series;
}

static struct catalogue_series *add_holmium(struct fixture *f, int number, double minutes)
{
	return add_series(f, (struct series_options){.number = number, .description = "T2* multi-echo",
	                                             .minutes = minutes, .echoes = ECHOES, .slices = SLICES,
	                                             .first_te_ms = 1.33});
}

static struct catalogue_series *add_anatomy(struct fixture *f, int number, double minutes)
{
	return add_series(f, (struct series_options){.number = number, .description = "T1w VIBE",
	                                             .minutes = minutes, .echoes = 1, .slices = SLICES,
	                                             .first_te_ms = 1.0});
}

static void each_instance(struct catalogue_series *series, void (*change)(struct instance_info *info))
{
	for (int i = 0; i < series->n_instances; i++)
		change(&series->instances[i].info);
}

static void remove_instance(struct catalogue_series *series, int slice, int echo)
{
	for (int i = 0; i < series->n_instances; i++) {
		const struct instance_info *info = &series->instances[i].info;
		if (fabs(info->position_mm[2] - 5.0 * slice) < 0.1 &&
		    fabs(info->te_ms - 1.33 - 1.15 * echo) < 0.01) {
			series->instances[i] = series->instances[--series->n_instances];
			return;
		}
	}
	fail_msg("no such instance");
}

static void add_injection(struct fixture *f, double minutes, double activity_mbq)
{
	struct record_injection *in = &f->record.injections[f->record.n_injections++];
	*in = (struct record_injection){
		.number = f->record.n_injections, .planned_percent = 50,
		.start_s = FIRST_INJECTION_S + minutes * MINUTE_S, .net_activity_mbq = activity_mbq,
		.prepared_activity_mbq = NAN, .prepared_at_s = NAN, .residual_activity_mbq = NAN,
		.residual_at_s = NAN, .specific_activity_mbq_per_mg = 12,
		.specific_activity_at_s = FIRST_INJECTION_S, .holmium_percent = NAN, .imaged = true};
}

static const double square[12] = {10, 10, 5, 30, 10, 5, 30, 30, 5, 10, 30, 5};

static struct rt_roi make_roi(const char *name)
{
	struct rt_roi roi = {.n_contours = 1};
	copy(roi.name, sizeof roi.name, name);
	roi.contours = calloc(1, sizeof *roi.contours);
	assert_non_null(roi.contours);
	*roi.contours = (struct mask_contour){.points_mm = square, .points = 4};
	return roi;
}

static struct rt_structure_set *add_contours(struct fixture *f, const char *label, int series, double minutes)
{
	struct rt_structure_set *set = &f->sets[f->input.n_structure_sets++];
	copy(set->label, sizeof set->label, label);
	snprintf(set->sop_instance_uid, 65, "2.25.9%d", f->input.n_structure_sets);
	copy(set->frame_of_reference_uid, 65, FRAME);
	snprintf(set->referenced_series_uid, 65, "2.25.%d", series);
	site_clock(minutes, set->datetime, (char[8]){0});
	set->rois = calloc(8, sizeof *set->rois);
	assert_non_null(set->rois);
	set->rois[set->n_rois++] = make_roi("Liver");
	set->rois[set->n_rois++] = make_roi("Right hemiliver");
	set->rois[set->n_rois++] = make_roi("Tumour 1");
	return set;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct config_faults faults;
	struct status st = STATUS_INIT;
	assert_non_null(f);
	assert_ok(config_load(&f->config, &faults, EXAMPLE, &st), &st);
	config_faults_free(&faults);
	copy(f->patient.patient_id, 200, "P1");
	f->patient.series = f->series;
	copy(f->record.patient_id, 200, "P1");
	copy(f->record.product, 68, "QuiremSpheres");
	f->record.holmium_percent = 19.5;
	f->record.n_positions = 1;
	copy(f->record.positions[0].id, 68, "RHA");
	copy(f->record.positions[0].part, 260, "Right hemiliver");
	add_injection(f, 0, 400);
	add_injection(f, 30, 1200);
	f->input = (struct treatment_input){.config = f->config, .patient = &f->patient, .record = &f->record,
	                                    .structure_sets = f->sets, .now_s = FIRST_INJECTION_S + 46 * MINUTE_S};
	*state = f;
	return 0;
}

/* Series 1 T1w, 2 baseline, 3 and 4 after the injections, contours on the T1w. */
static void make_whole(struct fixture *f)
{
	add_anatomy(f, 1, -25);
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	add_holmium(f, 4, 45);
	add_contours(f, "contours", 1, 60);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	if (f->assessed)
		treatment_slots_free(&f->slots);
	for (int i = 0; i < f->patient.n_series; i++)
		free(f->series[i].instances);
	for (int i = 0; i < f->input.n_structure_sets; i++) {
		for (int r = 0; r < f->sets[i].n_rois; r++)
			free(f->sets[i].rois[r].contours);
		free(f->sets[i].rois);
	}
	config_free(f->config);
	free(f);
	return 0;
}

static const struct treatment_slots *assess(struct fixture *f)
{
	struct status st = STATUS_INIT;
	if (f->assessed)
		treatment_slots_free(&f->slots);
	f->assessed = true;
	assert_ok(treatment_assess(&f->slots, &f->input, &st), &st);
	return &f->slots;
}

static void print_slots(const struct treatment_slots *slots)
{
	print_message("state %d, baseline %d, after %d, vois %d\n  waits: %s\n", (int)slots->state,
	              slots->baseline.index, slots->n_after, slots->n_vois, slots->waits_for);
	for (int i = 0; i < slots->n_warnings; i++)
		print_message("  %s %s\n", slots->warnings[i].code, slots->warnings[i].text);
	for (int i = 0; i < slots->n_unused; i++)
		print_message("  unused %s\n", slots->unused[i]);
}

#define assert_waits(slots, words) check_words((slots), (slots)->waits_for, (words), __LINE__)
static void check_words(const struct treatment_slots *slots, const char *text, const char *words, int line)
{
	if (strstr(text, words))
		return;
	print_message("no \"%s\"\n", words);
	print_slots(slots);
	_fail(__FILE__, line);
}

static bool warns(const struct treatment_slots *slots, const char *code, const char *words)
{
	for (int i = 0; i < slots->n_warnings; i++) {
		if (strcmp(slots->warnings[i].code, code) == 0 && strstr(slots->warnings[i].text, words))
			return true;
	}
	print_message("no %s \"%s\"\n", code, words);
	print_slots(slots);
	return false;
}

static bool leaves(const struct treatment_slots *slots, const char *words)
{
	for (int i = 0; i < slots->n_unused; i++) {
		if (strstr(slots->unused[i], words))
			return true;
	}
	print_message("unused has no \"%s\"\n", words);
	print_slots(slots);
	return false;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static void test_whole_treatment(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	const struct treatment_slots *s = assess(f);
	if (s->state != TREATMENT_READY || s->waits_for[0])
		print_slots(s);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_string_equal(s->waits_for, "");
	assert_true(s->maps_ready && s->report_ready);
	assert_true(isnan(s->look_again_s));
	assert_int_equal(s->anatomy.index, 0);
	assert_int_equal(s->baseline.index, 1);
	assert_int_equal(s->baseline.completeness, SERIES_COMPLETE);
	assert_close(s->baseline.acquired_s, FIRST_INJECTION_S - 15 * MINUTE_S, 0, 0);
	assert_int_equal(s->baseline.arranged.echoes, ECHOES);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->after[0].index, 2);
	assert_int_equal(s->after[0].after_injection, 1);
	assert_int_equal(s->after[1].index, 3);
	assert_int_equal(s->after[1].after_injection, 2);
	assert_int_equal(s->structure_set, 0);
	assert_int_equal(s->n_vois, 3);
	assert_int_equal(s->vois[0].role, VOI_LIVER);
	assert_int_equal(s->vois[1].role, VOI_PART);
	assert_int_equal(s->vois[2].role, VOI_TUMOUR);
	assert_int_equal(s->planned_injections, 2);
	assert_close(s->relaxivity->per_s_per_mg_per_ml, 217.8, 0, 0);
	assert_int_equal(s->n_unused, 0);
	assert_int_equal(s->n_warnings, 1);
	assert_true(warns(s, "HO101", "not calibrated: theory"));
}

static void test_injections_are_at_their_start(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct record_injection *two = &f->record.injections[1];
	/* the second injection of the documentation's record */
	two->start_s = FIRST_INJECTION_S + 16 * MINUTE_S;
	two->net_activity_mbq = NAN;
	two->prepared_activity_mbq = 1290;
	two->prepared_at_s = two->start_s - 51 * MINUTE_S;
	two->residual_activity_mbq = 58;
	two->residual_at_s = two->start_s + 79 * MINUTE_S;
	two->holmium_percent = 19.1;
	site_clock(8, f->series[2].instances[0].info.acquisition_datetime, (char[8]){0});
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_injections, 2);
	assert_close(s->injections[0].net_activity_mbq, 400, 0, 0);
	assert_close(s->injections[0].specific_activity_mbq_per_mg, 12, 1e-12, 0);
	assert_close(s->injections[1].net_activity_mbq, 1201.9, 0.05, 0);
	/* 16 minutes: 12 * 2^(-16/60/26.8) */
	assert_close(s->injections[1].specific_activity_mbq_per_mg, 11.91752, 1e-4, 0);
	assert_close(s->injections[0].holmium_percent, 19.5, 0, 0);
	assert_close(s->injections[1].holmium_percent, 19.1, 0, 0);
	assert_int_equal(s->injections[1].number, 2);
	assert_int_equal(s->injections[1].part_voi, 1);
	assert_false(s->injections[1].residual_pending);
}

static void test_nothing_but_the_record(void **state)
{
	struct fixture *f = *state;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline; series after injection 1; series after injection 2; contours");
	assert_false(s->maps_ready);
}

static void test_no_record(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->input.record = NULL;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "a treatment record with injections (3 holmium series are here)");
	assert_int_equal(s->baseline.index, -1);
	f->input.record = &f->record;
	f->record.n_injections = 0;
	assert_waits(assess(f), "the first injection in the treatment record");
}

static void test_maps_before_all_is_there(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->anatomy.index, -1);
	assert_false(s->report_ready);
	assert_waits(s, "series after injection 2; contours (RT Structure Set)");
}

static void test_same_input_same_slots_in_any_order(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 4, 45);
	add_holmium(f, 3, 15);
	add_anatomy(f, 1, -25);
	add_holmium(f, 2, -15);
	add_contours(f, "contours", 1, 60);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 3);
	assert_int_equal(s->after[0].index, 1);
	assert_int_equal(s->after[1].index, 0);
	assert_int_equal(s->anatomy.index, 2);
	assert_true(s->report_ready);
}

/* ---- who --------------------------------------------------------------------------------------- */

static void test_empty_patient_id_is_never_assembled(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->patient.patient_id[0] = '\0';
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "images without a Patient ID are never put together");
	assert_false(s->maps_ready);
}

static void test_conflict_of_patients_is_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->patient.conflict, 240, "two birth dates under Patient ID P1");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "two birth dates under Patient ID P1");
	assert_int_equal(s->n_after, 0);
}

static void test_record_of_another_patient_is_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->record.patient_id, 200, "P2");
	assert_int_equal(assess(f)->state, TREATMENT_REFUSED);
	assert_waits(&f->slots, "the record is of patient P2, the images are of P1");
	copy(f->record.patient_id, 200, "P1");
	copy(f->record.patient_issuer, 200, "A");
	assert_int_equal(assess(f)->state, TREATMENT_READY);
	copy(f->patient.patient_issuer, 200, "B");
	assert_int_equal(assess(f)->state, TREATMENT_REFUSED);
}

/* ---- which series ------------------------------------------------------------------------------ */

static void test_unused_series_say_why(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct series_options o = {.number = 11, .description = "DWI b800", .minutes = -20, .echoes = 1,
	                           .slices = 2, .first_te_ms = 60};
	add_series(f, o);
	o.number = 12;
	o.description = "T2* map";
	add_series(f, o);
	o.number = 13;
	o.description = "T2* two echoes";
	o.echoes = 2;
	add_series(f, o);
	copy(add_series(f, (struct series_options){.number = 14, .description = "CT", .minutes = 0, .echoes = 1,
	                                           .slices = 1})->modality, 17, "CT");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_true(leaves(s, "series 11 \"DWI b800\": no rule for its description"));
	assert_true(leaves(s, "series 12 \"T2* map\": single echo"));
	assert_true(leaves(s, "series 13 \"T2* two echoes\": 2 echoes: too few"));
	assert_true(leaves(s, "2.25.14: CT"));
}

static void to_phase(struct instance_info *info)
{
	info->component = IMAGE_PHASE;
}

static void test_phase_only_series(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[1], to_phase);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\":");
	assert_waits(s, "phase");
	assert_true(leaves(s, "phase"));
}

static void test_missing_image_is_named(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	remove_instance(&f->series[1], 2, 3);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": echo 4 missing at slice 3");
}

static void test_missing_slice_is_named(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	for (int echo = 0; echo < ECHOES; echo++)
		remove_instance(&f->series[3], 2, echo);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY); /* the map after injection 1 */
	assert_int_equal(s->n_after, 1);
	assert_waits(s, "series after injection 2: series 4 \"T2* multi-echo\": gap");
}

static void test_other_echo_times_are_not_mixed(void **state)
{
	struct fixture *f = *state;
	add_series(f, (struct series_options){.number = 2, .description = "T2* multi-echo", .minutes = -15,
	                                      .echoes = 6, .slices = SLICES, .first_te_ms = 1.5});
	add_holmium(f, 3, 15);
	add_holmium(f, 4, 45);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": echo times differ from series 3 \"T2* multi-echo\" "
	                "(6 from 1.50 ms, there 4 from 1.33 ms)");
	assert_true(leaves(s, "echo times differ"));
}

static void to_coronal(struct instance_info *info)
{
	const double coronal[6] = {1, 0, 0, 0, 0, -1};
	memcpy(info->orientation, coronal, sizeof coronal);
	info->position_mm[1] = info->position_mm[2];
	info->position_mm[2] = 0;
}

static void test_other_orientation_is_not_mixed(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(add_holmium(f, 5, -10), to_coronal);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 1);
	assert_true(leaves(s, "series 5 \"T2* multi-echo\": other slice orientation than series 2"));
}

/* ---- when -------------------------------------------------------------------------------------- */

static void test_follow_up_three_months_later(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 9, 92 * 24 * 60.0);
	add_holmium(f, 8, -7 * 60.0 * 24);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->after[1].index, 3);
	assert_int_equal(s->baseline.index, 1);
	assert_true(leaves(s, "series 9 \"T2* multi-echo\": acquired 92 days after the last injection"));
	assert_true(leaves(s, "series 8 \"T2* multi-echo\": acquired 7 days before the first injection"));
}

static void test_second_treatment_months_later(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	const double later = 120 * 24 * 60.0;
	add_holmium(f, 12, later - 15);
	add_holmium(f, 13, later + 15);
	f->record.n_injections = 0;
	add_injection(f, later, 500);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].index, 5);
	assert_true(leaves(s, "series 4 \"T2* multi-echo\": acquired 120 days before the first injection"));
}

static void test_clock_tolerance(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	/* a fifth series, 2 minutes after the second injection by its own clock */
	add_holmium(f, 5, 32);
	const struct treatment_slots *s = assess(f);
	/* it may be the last before injection 2; after injection 2 series 4 is later in any case */
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].after_injection, 2);
	assert_waits(s, "series after injection 1: series 5 \"T2* multi-echo\" began at 10:37:00 by the scanner's clock, "
	                "injection 2 at 10:35:00 by the record's: within the clock tolerance of 180 s");
	assert_false(s->report_ready);
	assert_true(warns(s, "HO119", "no usable series after injection 1"));
}

static void test_clock_tolerance_after_the_last(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	add_holmium(f, 5, 32);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 5 \"T2* multi-echo\" began at 10:37:00");
	assert_waits(s, "series after injection 2: series 5 \"T2* multi-echo\" began at 10:37:00");
}

static void test_clock_tolerance_before_the_first(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -1);
	add_holmium(f, 3, 15);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_int_equal(s->baseline.index, -1);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\" began at 10:04:00");
}

static void test_record_settles_the_clocks(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 5, 32);
	copy(f->record.injections[0].after_series_uid, 65, "2.25.5");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 2);
	assert_int_equal(s->after[0].index, 4);
	assert_int_equal(s->after[0].after_injection, 1);
	assert_int_equal(s->after[1].index, 3);
	assert_true(warns(s, "HO103", "injection 2 at 10:35:00 by the record's"));
	assert_true(leaves(s, "series 3 \"T2* multi-echo\": series 5"));
}

static void test_record_names_series_against_time(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 5, -40);
	copy(f->record.baseline_series_uid, 65, "2.25.5");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_true(s->report_ready);
	copy(f->record.baseline_series_uid, 65, "2.25.404");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "baseline: series 2.25.404, which the record names, has not come");
	copy(f->record.baseline_series_uid, 65, "2.25.1");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "series 1 \"T1w VIBE\", which the record names: single echo");
}

static void test_record_decides_which_kind_counts(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_series(f, (struct series_options){.number = 5, .description = "T2* multi-echo", .minutes = -16,
	                                      .echoes = 6, .slices = SLICES, .first_te_ms = 1.5});
	assert_int_equal(assess(f)->baseline.index, 1);
	copy(f->record.baseline_series_uid, 65, "2.25.5");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 3 \"T2* multi-echo\": echo times differ from series 5");
}

static void test_repeats_are_named(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_holmium(f, 5, -10);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 4);
	assert_true(warns(s, "HO109", "baseline: series 5 \"T2* multi-echo\" is used, series 2"));
	assert_true(leaves(s, "series 2 \"T2* multi-echo\": series 5 \"T2* multi-echo\" is used instead"));
	assert_true(s->report_ready);
}

static void test_last_complete_one_is_taken(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	remove_instance(add_holmium(f, 5, -10), 1, 1);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, 1);
	assert_true(leaves(s, "series 5 \"T2* multi-echo\": echo 2 missing at slice 2; series 2"));
}

static void test_not_imaged(void **state)
{
	struct fixture *f = *state;
	add_anatomy(f, 1, -25);
	add_holmium(f, 2, -15);
	add_holmium(f, 4, 45);
	add_contours(f, "contours", 1, 60);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_false(s->report_ready);
	assert_waits(s, "series after injection 1");
	f->record.injections[0].imaged = false;
	s = assess(f);
	assert_true(s->report_ready);
	assert_string_equal(s->waits_for, "");
}

static void no_time(struct instance_info *info)
{
	info->acquisition_datetime[0] = '\0';
}

static void no_zone(struct instance_info *info)
{
	info->utc_offset[0] = '\0';
}

static void test_times(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[3], no_time);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_true(leaves(s, "series 4 \"T2* multi-echo\": no acquisition date and time"));
	each_instance(&f->series[1], no_zone);
	s = assess(f);
	assert_int_equal(s->baseline.index, 1);
	assert_close(s->baseline.acquired_s, FIRST_INJECTION_S - 15 * MINUTE_S, 0, 0);
	assert_true(warns(s, "HO111", "1 series carry no time zone: Europe/Amsterdam is assumed"));
}

static void test_studies_of_the_record(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->record.study_uid[0], 65, "2.25.78");
	f->record.n_studies = 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "its study is none that the record names");
	copy(f->record.study_uid[0], 65, "2.25.77");
	assert_int_equal(assess(f)->state, TREATMENT_READY);
}

/* ---- all of it? -------------------------------------------------------------------------------- */

static void no_count(struct instance_info *info)
{
	info->images_in_acquisition = -1;
}

static void test_unconfirmed_series_settles(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *baseline = add_holmium(f, 2, -15);
	each_instance(baseline, no_count);
	f->input.now_s = baseline->last_received_s + 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->baseline.index, -1);
	assert_waits(s, "baseline: series 2 \"T2* multi-echo\": 4 slices came, nothing says yet that these are all");
	assert_close(s->look_again_s, baseline->last_received_s + 30, 0, 0);
	f->input.now_s = baseline->last_received_s + 30;
	s = assess(f);
	assert_int_equal(s->baseline.index, 0);
	assert_int_equal(s->baseline.completeness, SERIES_SETTLED);
	assert_true(warns(s, "HO105", "complete, unconfirmed (4 slices)"));
	f->input.now_s = baseline->last_received_s + 1;
	baseline->released = true;
	s = assess(f);
	assert_int_equal(s->baseline.completeness, SERIES_SETTLED);
	assert_true(isnan(s->look_again_s));
}

static void owes_images(struct instance_info *info)
{
	info->images_in_acquisition = ECHOES * (SLICES + 1);
}

static void test_count_that_is_not_met(void **state)
{
	struct fixture *f = *state;
	struct catalogue_series *baseline = add_holmium(f, 2, -15);
	each_instance(baseline, owes_images);
	baseline->released = true; /* one association of several */
	f->input.now_s = baseline->last_received_s + 1;
	assert_int_equal(assess(f)->baseline.index, -1);
	f->input.now_s = baseline->last_received_s + 31;
	assert_int_equal(assess(f)->baseline.completeness, SERIES_SETTLED);
	assert_true(warns(&f->slots, "HO105", "16 of 20 images came"));
}

static void test_confirmed_by_another_series(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	struct catalogue_series *after = add_holmium(f, 3, 15);
	each_instance(after, no_count);
	f->input.now_s = after->last_received_s + 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].completeness, SERIES_COMPLETE);
	/* a slice short of the other: not the same slices, so nothing confirms it */
	for (int echo = 0; echo < ECHOES; echo++)
		remove_instance(after, SLICES - 1, echo);
	s = assess(f);
	assert_int_equal(s->n_after, 0);
	assert_waits(s, "series after injection 1: series 3 \"T2* multi-echo\": 3 slices came");
}

static void test_confirmed_by_the_contours(void **state)
{
	struct fixture *f = *state;
	add_anatomy(f, 1, -25);
	each_instance(add_holmium(f, 2, -15), no_count);
	f->input.now_s = f->series[1].last_received_s + 1;
	assert_int_equal(assess(f)->baseline.index, -1);
	struct rt_structure_set *set = add_contours(f, "contours", 1, -5);
	assert_int_equal(assess(f)->baseline.completeness, SERIES_COMPLETE);
	/* a contour above the last slice that came */
	static const double above[12] = {10, 10, 25, 30, 10, 25, 30, 30, 25, 10, 30, 25};
	set->rois[2].contours->points_mm = above;
	assert_int_equal(assess(f)->baseline.index, -1);
}

static void test_anatomy_that_is_still_coming(void **state)
{
	struct fixture *f = *state;
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	struct catalogue_series *anatomy =
	        add_series(f, (struct series_options){.number = 1, .description = "T1w VIBE", .minutes = -25,
	                                              .echoes = 1, .slices = SLICES + 2, .first_te_ms = 1});
	each_instance(anatomy, no_count);
	anatomy->last_received_s = f->input.now_s - 1;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 0); /* the grid of the results may still grow */
	assert_waits(s, "anatomy: series 1 \"T1w VIBE\": 6 slices came");
	assert_close(s->look_again_s, f->input.now_s + 29, 1e-6, 0);
	anatomy->released = true;
	assert_int_equal(assess(f)->n_after, 1);
	assert_int_equal(f->slots.anatomy.index, 2);
	assert_true(warns(&f->slots, "HO105", "anatomy series 1"));
}

/* ---- contours ---------------------------------------------------------------------------------- */

static void test_contours_on_another_frame_are_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "contours \"contours\" are in another frame of reference (2.25.1002) than the scans (2.25.1001)");
	assert_true(s->maps_ready); /* the maps need no contours */
	assert_int_equal(s->n_after, 2);
	assert_false(s->report_ready);
	/* and of a series that never came */
	copy(f->sets[0].referenced_series_uid, 65, "2.25.404");
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "in another frame of reference");
	/* but an old planning set is simply not for this treatment */
	site_clock(-60 * 24 * 14, f->sets[0].datetime, (char[8]){0});
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_true(leaves(s, "contours \"contours\""));
	assert_waits(s, "contours (RT Structure Set)");
}

static void to_other_frame(struct instance_info *info)
{
	copy(info->frame_of_reference_uid, 65, OTHER_FRAME);
}

static void test_anatomy_in_another_frame_is_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[0], to_other_frame);
	copy(f->sets[0].frame_of_reference_uid, 65, OTHER_FRAME);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "another frame of reference (2.25.1002) than the scans (2.25.1001), drawn on series 1");
	/* without contours it is only not taken */
	f->input.n_structure_sets = 0;
	s = assess(f);
	f->input.n_structure_sets = 1;
	assert_int_equal(s->state, TREATMENT_READY);
	assert_int_equal(s->anatomy.index, -1);
	assert_true(leaves(s, "series 1 \"T1w VIBE\": another frame of reference than"));
}

static void test_scan_in_another_frame_is_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[3], to_other_frame);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "the series after injection 2 is in another frame of reference than the anatomy");
	assert_int_equal(s->n_after, 1); /* the map before the patient moved stands */
	assert_true(s->maps_ready);
	assert_false(s->report_ready);
}

static void test_regions_without_contours_or_role_are_listed(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct rt_structure_set *set = &f->sets[0];
	set->rois[set->n_rois++] = make_roi("ROI 17");
	set->rois[set->n_rois++] = make_roi("Tumour 2");
	set->rois[set->n_rois - 1].n_contours = 0;
	set->rois[set->n_rois++] = make_roi("Body");
	const struct treatment_slots *s = assess(f);
	assert_true(s->report_ready);
	assert_int_equal(s->n_vois, 3);
	assert_true(warns(s, "HO108", "region \"ROI 17\" has no role"));
	assert_true(warns(s, "HO108", "region \"Tumour 2\" (tumour) has no closed contours"));
	assert_int_equal(s->n_warnings, 3);
}

static void test_two_roles_are_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct rt_structure_set *set = &f->sets[0];
	set->rois[set->n_rois++] = make_roi("Liver minus GTV");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_REFUSED);
	assert_waits(s, "\"Liver minus GTV\" matches both tumour");
	assert_true(s->maps_ready);
	assert_false(s->report_ready);
	/* the record has the first word */
	f->record.n_vois = 1;
	copy(f->record.vois[0].name, 260, "liver minus gtv");
	f->record.vois[0].role = CONFIG_VOI_IGNORE;
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_true(s->report_ready);
}

static void test_two_livers_are_refused(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->sets[0].rois[f->sets[0].n_rois++] = make_roi("whole liver");
	assert_int_equal(assess(f)->state, TREATMENT_REFUSED);
	assert_waits(&f->slots, "both \"Liver\" and \"whole liver\" are the liver");
}

static void test_record_gives_roles_and_parts(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->sets[0].rois[f->sets[0].n_rois++] = make_roi("ROI 17");
	f->record.n_vois = 2;
	copy(f->record.vois[0].name, 260, "ROI 17");
	copy(f->record.vois[0].part, 260, "Right hemiliver");
	f->record.vois[0].role = CONFIG_VOI_TUMOUR;
	copy(f->record.vois[1].name, 260, "Tumour 3");
	f->record.vois[1].role = CONFIG_VOI_TUMOUR;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_vois, 4);
	assert_int_equal(s->vois[3].role, VOI_TUMOUR);
	assert_int_equal(s->vois[3].roi, 3);
	assert_string_equal(s->vois[3].part_name, "Right hemiliver");
	assert_true(warns(s, "HO119", "the record names \"Tumour 3\""));
}

static void test_newest_contours_win(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	add_contours(f, "second look", 1, 90);
	add_contours(f, "of nothing here", 404, 95);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->structure_set, 1);
	assert_true(warns(s, "HO110", "contours \"contours\" of 20260302110500 are older"));
	assert_true(warns(s, "HO110", "contours \"of nothing here\" of 20260302114000 are not used: the series"));
	assert_true(s->report_ready);
}

static void test_contours_whose_series_has_not_come(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->sets[0].referenced_series_uid, 65, "2.25.404");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_false(s->report_ready);
	assert_waits(s, "anatomy: series 2.25.404, on which the contours \"contours\" are drawn, has not come");
}

static void test_contours_on_the_baseline(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->sets[0].referenced_series_uid, 65, "2.25.2");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->anatomy.index, 1);
	assert_int_equal(s->baseline.index, 1);
	assert_ptr_not_equal(s->anatomy.arranged.image, s->baseline.arranged.image);
	assert_true(s->report_ready);
	assert_true(leaves(s, "series 1 \"T1w VIBE\": series 2 \"T2* multi-echo\" is the anatomy"));
}

/* ---- numbers ----------------------------------------------------------------------------------- */

static void test_injection_without_specific_activity(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->record.injections[1].specific_activity_mbq_per_mg = NAN;
	f->record.injections[1].specific_activity_at_s = NAN;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_int_equal(s->after[0].after_injection, 1);
	assert_waits(s, "injection 2: specific activity");
	f->record.injections[0].specific_activity_mbq_per_mg = NAN;
	s = assess(f);
	assert_int_equal(s->state, TREATMENT_COLLECTING);
	assert_waits(s, "injection 1: specific activity; injection 2: specific activity");
}

static void test_residual_pending(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	struct record_injection *one = &f->record.injections[0];
	one->net_activity_mbq = NAN;
	one->prepared_activity_mbq = 400;
	one->prepared_at_s = one->start_s;
	f->record.injections[1].net_activity_mbq = NAN;
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->state, TREATMENT_READY);
	assert_close(s->injections[0].net_activity_mbq, 400, 1e-9, 0);
	assert_true(s->injections[0].residual_pending);
	assert_true(isnan(s->injections[1].net_activity_mbq));
	assert_false(s->injections[1].residual_pending);
	assert_true(warns(s, "HO104", "injection 1: residual pending"));
	assert_true(warns(s, "HO112", "injection 2: activity unknown"));
}

static double field_of_all;
static void set_field(struct instance_info *info)
{
	info->field_strength_t = field_of_all;
}

static void test_field_strengths(void **state)
{
	struct fixture *f = *state;
	static const struct {
		double written, relaxivity; /* NaN: refused */
		const char *words;
	} rows[] = {
		{2.89, 217.8, ""}, {30000, 217.8, ""}, {1.494, 108.9, ""}, {15000, 108.9, ""},
		{7, NAN, "no relaxivity for QuiremSpheres at 7 T"},
		{0.35, NAN, "no relaxivity for QuiremSpheres at 0.35 T"},
		{NAN, NAN, "no magnetic field strength"},
	};
	make_whole(f);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		field_of_all = rows[i].written;
		for (int s = 0; s < f->patient.n_series; s++)
			each_instance(&f->series[s], set_field);
		const struct treatment_slots *slots = assess(f);
		if (isnan(rows[i].relaxivity)) {
			assert_int_equal(slots->state, TREATMENT_REFUSED);
			assert_waits(slots, rows[i].words);
			assert_int_equal(slots->n_after, 0);
			assert_null(slots->relaxivity);
		} else {
			assert_int_equal(slots->state, TREATMENT_READY);
			assert_close(slots->relaxivity->per_s_per_mg_per_ml, rows[i].relaxivity, 0, 0);
		}
	}
}

static void test_field_strengths_are_not_mixed(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	field_of_all = 1.5;
	each_instance(&f->series[3], set_field);
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->n_after, 1);
	assert_waits(s, "series after injection 2: series 4 \"T2* multi-echo\": 1.5 T, but series 2 \"T2* multi-echo\" "
	                "is at 3 T");
}

static void other_flip(struct instance_info *info)
{
	info->flip_deg = 40;
	copy(info->contrast_agent, 260, "Primovist");
}

static void test_scans_that_differ_from_the_baseline(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	each_instance(&f->series[3], other_flip);
	const struct treatment_slots *s = assess(f);
	assert_true(warns(s, "HO106", "after injection 2 other than at baseline: flip angle, contrast agent"));
	assert_true(s->report_ready);
}

static void test_planned_injections(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	f->record.injections[0].planned_percent = 10;
	f->record.injections[1].planned_percent = 30;
	assert_int_equal(assess(f)->planned_injections, 0);
	assert_true(warns(&f->slots, "HO119", "planned shares add up to 40 %"));
	f->record.positions[0].planned_injections = 4;
	assert_int_equal(assess(f)->planned_injections, 4);
}

static void test_position_without_its_part(void **state)
{
	struct fixture *f = *state;
	make_whole(f);
	copy(f->record.positions[0].part, 260, "Left hemiliver");
	const struct treatment_slots *s = assess(f);
	assert_int_equal(s->injections[0].part_voi, -1);
	assert_true(warns(s, "HO119", "position RHA feeds \"Left hemiliver\", but no contour is a part"));
	copy(f->record.positions[0].part, 260, "liver");
	s = assess(f);
	assert_int_equal(s->injections[0].part_voi, -1);
	assert_int_equal(s->n_warnings, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole_treatment),
		TEST(test_injections_are_at_their_start),
		TEST(test_nothing_but_the_record),
		TEST(test_no_record),
		TEST(test_maps_before_all_is_there),
		TEST(test_same_input_same_slots_in_any_order),
		TEST(test_empty_patient_id_is_never_assembled),
		TEST(test_conflict_of_patients_is_refused),
		TEST(test_record_of_another_patient_is_refused),
		TEST(test_unused_series_say_why),
		TEST(test_phase_only_series),
		TEST(test_missing_image_is_named),
		TEST(test_missing_slice_is_named),
		TEST(test_other_echo_times_are_not_mixed),
		TEST(test_other_orientation_is_not_mixed),
		TEST(test_follow_up_three_months_later),
		TEST(test_second_treatment_months_later),
		TEST(test_clock_tolerance),
		TEST(test_clock_tolerance_after_the_last),
		TEST(test_clock_tolerance_before_the_first),
		TEST(test_record_settles_the_clocks),
		TEST(test_record_names_series_against_time),
		TEST(test_record_decides_which_kind_counts),
		TEST(test_repeats_are_named),
		TEST(test_last_complete_one_is_taken),
		TEST(test_not_imaged),
		TEST(test_times),
		TEST(test_studies_of_the_record),
		TEST(test_unconfirmed_series_settles),
		TEST(test_count_that_is_not_met),
		TEST(test_confirmed_by_another_series),
		TEST(test_confirmed_by_the_contours),
		TEST(test_anatomy_that_is_still_coming),
		TEST(test_contours_on_another_frame_are_refused),
		TEST(test_anatomy_in_another_frame_is_refused),
		TEST(test_scan_in_another_frame_is_refused),
		TEST(test_regions_without_contours_or_role_are_listed),
		TEST(test_two_roles_are_refused),
		TEST(test_two_livers_are_refused),
		TEST(test_record_gives_roles_and_parts),
		TEST(test_newest_contours_win),
		TEST(test_contours_whose_series_has_not_come),
		TEST(test_contours_on_the_baseline),
		TEST(test_injection_without_specific_activity),
		TEST(test_residual_pending),
		TEST(test_field_strengths),
		TEST(test_field_strengths_are_not_mixed),
		TEST(test_scans_that_differ_from_the_baseline),
		TEST(test_planned_injections),
		TEST(test_position_without_its_part),
	};
	return cmocka_run_group_tests_name("treatment", tests, NULL, NULL);
}
