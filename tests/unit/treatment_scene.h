/* treatment_scene.h - a patient, a record and contours, ready to be spoilt: what the tests of
 * assembly share. The catalogue is made by hand; no DICOM object is read. */
#ifndef TREATMENT_SCENE_H
#define TREATMENT_SCENE_H

#include "treatment.h"

#include "check.h"

#include <stdlib.h>

#define EXAMPLE SOURCE_DIR "/config/holmia.example.xml"

/* 2026-03-02 10:05:00 +01:00; times below are minutes from here. */
#define FIRST_INJECTION_S 1772442300.0
#define MINUTE_S	  60.0
#define MAX_SERIES	  16
#define SLICES		  4
#define ECHOES		  4

static const char FRAME[] = "2.25.1001", OTHER_FRAME[] = "2.25.1002";

/* ---- a patient, a record and contours, ready to be spoilt ---- */

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

static inline void copy(char *to, size_t size, const char *from)
{
	assert_true((size_t)snprintf(to, size, "%s", from) < size);
}

static inline void site_clock(double minutes, char datetime[33], char offset[8])
{
	site_time_from_utc(FIRST_INJECTION_S + minutes * MINUTE_S, "Europe/Amsterdam", datetime,
			   offset);
}

static inline void fill_instance(struct instance_info *info, const struct series_options *o,
				 int slice, int echo)
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

static inline struct catalogue_series *add_series(struct fixture *f, struct series_options o)
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
		fill_instance(&series->instances[i].info, &o, shuffled / o.echoes,
			      shuffled % o.echoes);
	}
	series->last_received_s = FIRST_INJECTION_S + o.minutes * MINUTE_S + 120;
	return series;
}

static inline struct catalogue_series *add_holmium(struct fixture *f, int number, double minutes)
{
	return add_series(f, (struct series_options){.number = number,
						     .description = "T2* multi-echo",
						     .minutes = minutes,
						     .echoes = ECHOES,
						     .slices = SLICES,
						     .first_te_ms = 1.33});
}

static inline struct catalogue_series *add_anatomy(struct fixture *f, int number, double minutes)
{
	return add_series(f, (struct series_options){.number = number,
						     .description = "T1w VIBE",
						     .minutes = minutes,
						     .echoes = 1,
						     .slices = SLICES,
						     .first_te_ms = 1.0});
}

static inline void each_instance(struct catalogue_series *series,
				 void (*change)(struct instance_info *info))
{
	for (int i = 0; i < series->n_instances; i++)
		change(&series->instances[i].info);
}

static inline void remove_instance(struct catalogue_series *series, int slice, int echo)
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

static inline void add_injection(struct fixture *f, double minutes, double activity_mbq)
{
	struct record_injection *in = &f->record.injections[f->record.n_injections++];
	*in = (struct record_injection){.number = f->record.n_injections,
					.planned_percent = 50,
					.start_s = FIRST_INJECTION_S + minutes * MINUTE_S,
					.net_activity_mbq = activity_mbq,
					.prepared_activity_mbq = NAN,
					.prepared_at_s = NAN,
					.residual_activity_mbq = NAN,
					.residual_at_s = NAN,
					.specific_activity_mbq_per_mg = 12,
					.specific_activity_at_s = FIRST_INJECTION_S,
					.holmium_percent = NAN,
					.imaged = true};
}

static const double square[12] = {10, 10, 5, 30, 10, 5, 30, 30, 5, 10, 30, 5};

static inline struct rt_roi make_roi(const char *name)
{
	struct rt_roi roi = {.n_contours = 1};
	copy(roi.name, sizeof roi.name, name);
	roi.contours = calloc(1, sizeof *roi.contours);
	assert_non_null(roi.contours);
	*roi.contours = (struct mask_contour){.points_mm = square, .points = 4};
	return roi;
}

static inline struct rt_structure_set *add_contours(struct fixture *f, const char *label,
						    int series, double minutes)
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

static inline int set_up(void **state)
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
	f->input = (struct treatment_input){.config = f->config,
					    .patient = &f->patient,
					    .record = &f->record,
					    .structure_sets = f->sets,
					    .now_s = FIRST_INJECTION_S + 48 * MINUTE_S};
	*state = f;
	return 0;
}

/* Series 1 T1w, 2 baseline, 3 and 4 after the injections, contours on the T1w. */
static inline void make_whole(struct fixture *f)
{
	add_anatomy(f, 1, -25);
	add_holmium(f, 2, -15);
	add_holmium(f, 3, 15);
	add_holmium(f, 4, 45);
	add_contours(f, "contours", 1, 60);
}

static inline int tear_down(void **state)
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

static inline const struct treatment_slots *assess(struct fixture *f)
{
	struct status st = STATUS_INIT;
	if (f->assessed)
		treatment_slots_free(&f->slots);
	f->assessed = true;
	assert_ok(treatment_assess(&f->slots, &f->input, &st), &st);
	return &f->slots;
}

static inline void print_slots(const struct treatment_slots *slots)
{
	print_message("state %d, baseline %d, after %d, vois %d\n  waits: %s\n", (int)slots->state,
		      slots->baseline.index, slots->n_after, slots->n_vois, slots->waits_for);
	for (int i = 0; i < slots->n_warnings; i++)
		print_message("  %s %s\n", slots->warnings[i].code, slots->warnings[i].text);
	for (int i = 0; i < slots->n_unused; i++)
		print_message("  unused %s\n", slots->unused[i]);
}

#define assert_waits(slots, words) check_words((slots), (slots)->waits_for, (words), __LINE__)
static inline void check_words(const struct treatment_slots *slots, const char *text,
			       const char *words, int line)
{
	if (strstr(text, words))
		return;
	print_message("no \"%s\"\n", words);
	print_slots(slots);
	_fail(__FILE__, line);
}

static inline bool warns(const struct treatment_slots *slots, const char *code, const char *words)
{
	for (int i = 0; i < slots->n_warnings; i++) {
		if (strcmp(slots->warnings[i].code, code) == 0 &&
		    strstr(slots->warnings[i].text, words))
			return true;
	}
	print_message("no %s \"%s\"\n", code, words);
	print_slots(slots);
	return false;
}

static inline bool leaves(const struct treatment_slots *slots, const char *words)
{
	for (int i = 0; i < slots->n_unused; i++) {
		if (strstr(slots->unused[i], words))
			return true;
	}
	print_message("unused has no \"%s\"\n", words);
	print_slots(slots);
	return false;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
