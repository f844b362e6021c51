/* What the complete dosimetry adds to the report: measurability, uncertainty, under-dosed parts,
 * kernel, positions, predictions, advice, alignment. The object with all of it is kept for the
 * validators (HOLMIA_TEST_OUT). */
#include "check.h"

#include "report_scene.h"

static struct dosimetry_time_point points[FIXTURE_SCANS];
static struct dosimetry_result complete;
static struct dosimetry_params complete_params;
static struct report_injection by_position[FIXTURE_SCANS];
static struct report_voi complete_vois[VOIS];
static struct outline_set underdosed;
static struct report_alignment alignments[3];
static struct evidence_instance kernel_doses[FIXTURE_SCANS];
static struct evidence_series complete_series[3 + 2 * FIXTURE_SCANS + 1];
static struct evidence complete_evidence;

static void complete_figures(struct dosimetry_voi_result *figures)
{
	figures->uncertainty.relaxivity_gy = 0.1 * figures->dose.mean;
	figures->uncertainty.complete = true;
	figures->uncertainty.combined_gy =
	    sqrt(0.25 + 0.0125 * figures->dose.mean * figures->dose.mean);
	figures->kernel_dose = figures->dose;
	figures->kernel_dose.mean *= 0.9;
	figures->kernel_dose.d90 *= 0.8;
	figures->kernel_dose.d70 *= 0.85;
	figures->kernel_dose.maximum *= 0.75;
}

static void make_alignments(void)
{
	alignments[0] = (struct report_alignment){
	    .after_injection = 0,
	    .from = "anatomy \"T1w\"",
	    .to = "baseline",
	    .origin = REPORT_ALIGNMENT_REGISTERED,
	    .words = "mutual information of S0 and T1w in the liver, -0.91 -> -1.14 nats",
	    .residual_mm = 1.5,
	    .capture_spread_mm = 0.02,
	    .transform = {1, 0, 0, 2.5, 0, 1, 0, -1.25, 0, 0, 1, 0}};
	alignments[1] = alignments[0];
	alignments[1].after_injection = 1;
	alignments[1].origin = REPORT_ALIGNMENT_GIVEN;
	strcpy(alignments[1].from, "baseline");
	strcpy(alignments[1].to, "scan after injection 1");
	strcpy(alignments[1].words, "by the site: matched on the console by R. Jansen");
	alignments[1].residual_mm = alignments[1].capture_spread_mm = NAN;
	alignments[2] = alignments[0];
	alignments[2].after_injection = 2;
	alignments[2].origin = REPORT_ALIGNMENT_IDENTITY;
	strcpy(alignments[2].from, "baseline");
	strcpy(alignments[2].to, "scan after injection 2");
	strcpy(alignments[2].words, "registration was not better than identity");
	rigid_identity(alignments[2].transform);
}

static void make_complete(void)
{
	for (int t = 0; t < FIXTURE_SCANS; t++) {
		struct dosimetry_time_point *point = &points[t];
		*point = result.time_points[t];
		for (int v = 0; v < VOIS; v++)
			complete_figures(&point->voi[v]);
		for (int h = 0; h < point->n_healthy; h++)
			complete_figures(&point->healthy[h].figures);
		point->kernel_lost_share = 0.0125;
		point->voi[TUMOUR].position_dose_gy[0] = 20.0 * (t + 1);
		point->advice[0] = (struct uptake_remaining){1234.0, 800.0, 2100.0};
		snprintf(kernel_doses[t].sop_class_uid, 65, "%s", "1.2.840.10008.5.1.4.1.1.481.2");
		snprintf(kernel_doses[t].sop_instance_uid, 65, "2.25.4000%d", t);
		by_position[t] = injections[t];
		by_position[t].figures.position = t < 2 ? 0 : 1;
		if (t >= 2)
			strcpy(by_position[t].position_id, "P2");
	}
	points[FIXTURE_SCANS - 1].flags |= DOSIMETRY_RECOVERY_OUTSIDE;
	points[FIXTURE_SCANS - 1].trend[TUMOUR].next_gy = 155.0;
	points[FIXTURE_SCANS - 1].trend[TUMOUR].next_lower_gy = 130.0;
	points[FIXTURE_SCANS - 1].trend[TUMOUR].next_upper_gy = 180.0;
	points[FIXTURE_SCANS - 1].trend[TUMOUR].hardly_any = true;
	points[FIXTURE_SCANS - 2].trend[TUMOUR].next_gy = 150.0;
	points[FIXTURE_SCANS - 2].trend[TUMOUR].next_lower_gy = 140.0;
	points[FIXTURE_SCANS - 2].trend[TUMOUR].next_upper_gy = 160.0;
	complete = result;
	complete.time_points = points;
	complete_params = params;
	complete_params.kernel = true;
	complete_params.uncertainty.relaxivity_percent = 10.0;
	complete_params.uncertainty.injected_activity_percent = 5.0;
	complete_params.advice_limit_gy = 55.0;
	make_outlines(&underdosed, 2, 30, 1.5);
	memcpy(complete_vois, vois, sizeof vois);
	complete_vois[TUMOUR].underdosed_outlines = &underdosed;
	complete_vois[CONFLUENT].members = "Tumour 1, Tumour 2";
	by_position[2].outside_scanner = true;
	strcpy(by_position[2].vial, "vial B");
	make_alignments();
	/* the kernel doses stand among the evidence */
	memcpy(complete_series, fixture.series, sizeof fixture.series);
	complete_series[3 + 2 * FIXTURE_SCANS] = fixture.series[4];
	complete_series[3 + 2 * FIXTURE_SCANS].role = EVIDENCE_KERNEL_RESULT;
	strcpy(complete_series[3 + 2 * FIXTURE_SCANS].series_instance_uid, "2.25.4999");
	complete_series[3 + 2 * FIXTURE_SCANS].instances = kernel_doses;
	complete_series[3 + 2 * FIXTURE_SCANS].n_instances = FIXTURE_SCANS;
	complete_evidence = fixture.evidence;
	complete_evidence.series = complete_series;
	complete_evidence.n_series++;
}

static struct report_input complete_input(void)
{
	struct report_input input = input_of();

	input.evidence = &complete_evidence;
	input.result = &complete;
	input.params = &complete_params;
	input.vois = complete_vois;
	input.injections = by_position;
	input.kernel_doses = kernel_doses;
	input.alignments = alignments;
	input.n_alignments = 3;
	input.alignment_method = "rigid, liver with 10 mm around it";
	return input;
}

/* The nth child below an item of a content sequence. */
static struct dataset_path below(struct dataset_path content, unsigned nth, uint32_t tag)
{
	content.step[content.count++] = nth;
	content.step[content.count++] = tag;
	return content;
}

/* Words below a measurement: its first child, Equivalent Meaning. */
static void meaning_of(char text[1000], const struct dataset *ds, struct dataset_path content,
		       const char *name)
{
	struct status st = STATUS_INIT;
	struct dataset_path words = below(child(ds, content, name, 0), 0, TAG_TextValue);

	assert_ok(dataset_get_string(ds, words, text, 1000, &st), &st);
}

static void assert_says(const struct dataset *ds, struct dataset_path content, const char *name,
			const char *part)
{
	char text[1000];

	meaning_of(text, ds, content, name);
	if (!strstr(text, part))
		fail_msg("%s: \"%s\" is not in \"%s\"", name, part, text);
}

static void get_words(char text[1000], const struct dataset *ds, struct dataset_path content,
		      const char *name)
{
	struct status st = STATUS_INIT;
	struct dataset_path path = child(ds, content, name, 0);

	path.step[path.count - 1] = TAG_TextValue;
	assert_ok(dataset_get_string(ds, path, text, 1000, &st), &st);
}

/* ---- tests ---- */

static void test_measurability_is_coded(void **state)
{
	struct report_input input = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path small = group(ds, SMALL), tumour = group(ds, TUMOUR);
	struct dataset_path properties = child(ds, small, "HO150", 0);

	(void)state;
	assert_code_value(ds, group(ds, LIVER), "HO150", "HO151");
	assert_code_value(ds, tumour, "HO150", "HO152");
	assert_code_value(ds, child(ds, tumour, "HO150", 0), "HO154", "HO155");
	assert_int_equal(find_item(ds, child(ds, tumour, "HO150", 0), "HO154", 2), -1);
	assert_code_value(ds, small, "HO150", "HO153");
	/* no dose: an empty value with a qualifier, never 0 */
	struct dataset_path failed = child(ds, properties, "128533", 0);
	failed.step[failed.count - 1] = TAG_MeasuredValueSequence;
	assert_int_equal(dataset_presence(ds, failed), DATASET_EMPTY);
	failed.step[failed.count - 1] = TAG_NumericValueQualifierCodeSequence;
	failed.step[failed.count++] = 0;
	failed.step[failed.count++] = TAG_CodeValue;
	fixture_assert_text(ds, failed, "114006");
	/* a necrosis is no finding of dose */
	struct dataset_path core = group(ds, CORE);
	assert_close(number(ds, core, "118565006"), 9.0, 0, 1e-6);
	assert_false(has(ds, core, "HO150"));
	assert_false(has(ds, core, "128533"));
	assert_code_value(ds, core, "121071", "6574001");
	assert_code_value(ds, group(ds, CONFLUENT), "121071", "108369006");
	dataset_free(ds);
}

static void test_every_reason_has_a_code_and_words(void **state)
{
	struct report_input input = input_of();
	struct dosimetry_time_point *point = calloc(1, sizeof *point);
	struct dosimetry_result doubtful = result;
	char text[1000];

	(void)state;
	for (unsigned bit = 1; bit <= VOI_LAST_REASON; bit <<= 1) {
		*point = result.time_points[0];
		point->voi[TUMOUR].reasons = bit;
		doubtful.time_points = point;
		doubtful.n_time_points = 1;
		input.result = &doubtful;
		struct dataset *ds = build(&input);
		struct dataset_path tumour = group(ds, TUMOUR);
		assert_true(has(ds, child(ds, tumour, "HO150", 0), "HO154"));
		get_words(text, ds, tumour, "HO074");
		assert_non_null(strstr(text, voi_reason_text((enum voi_reason)bit)));
		assert_true(strlen(voi_reason_text((enum voi_reason)bit)) > 5);
		dataset_free(ds);
	}
	free(point);
}

static void test_uncertainty(void **state)
{
	struct report_input input = input_of(), all = complete_input();
	struct dataset *ds = build(&input);
	struct dataset_path tumour = group(ds, TUMOUR);

	(void)state;
	/* 124.688 Gy: 5 % = 6.2344, with 0.3 and 0.4 */
	assert_close(number(ds, tumour, "HO162"), 6.254418, 0, 1e-5);
	struct dataset_path parts = child(ds, tumour, "HO162", 0);
	assert_close(number(ds, parts, "HO163"), 0.3, 0, 1e-9);
	assert_close(number(ds, parts, "HO164"), 0.4, 0, 1e-9);
	assert_close(number(ds, parts, "HO166"), 6.2344, 0, 1e-6);
	assert_false(has(ds, parts, "HO165"));
	assert_says(ds, tumour, "HO162", "relaxivity (not configured)");
	assert_says(ds, tumour, "HO162", "not the uncertainty of an absolute dose");
	assert_false(has(ds, group(ds, SMALL), "HO162"));
	struct dataset_path constants = child(ds, root(), "HO067", 0);
	assert_words(ds, constants, "HO210", "not configured");
	assert_close(number(ds, constants, "HO211"), 5.0, 0, 1e-9);
	assert_close(number(ds, constants, "HO213"), 5.0, 0, 1e-9);
	assert_close(number(ds, constants, "HO214"), 50.0, 0, 1e-9);
	dataset_free(ds);

	ds = build(&all);
	tumour = group(ds, TUMOUR);
	assert_close(number(ds, child(ds, tumour, "HO162", 0), "HO165"), 12.4688, 0, 1e-6);
	char text[1000];
	meaning_of(text, ds, tumour, "HO162");
	assert_null(strstr(text, "not"));
	assert_close(number(ds, group(ds, LIVER), "HO169"), 0.055, 0, 1e-9);
	dataset_free(ds);

	/* unknown: said, not left out, not 0 */
	points[FIXTURE_SCANS - 1].voi[LIVER].uncertainty.combined_gy = NAN;
	points[FIXTURE_SCANS - 1].voi[TUMOUR].uncertainty.registration_gy = NAN;
	ds = build(&all);
	assert_words(ds, group(ds, LIVER), "HO162", "not known");
	assert_says(ds, group(ds, TUMOUR), "HO162", "alignment (its residual is not known)");
	dataset_free(ds);
	complete_figures(&points[FIXTURE_SCANS - 1].voi[LIVER]);
	points[FIXTURE_SCANS - 1].voi[TUMOUR].uncertainty.registration_gy = 0.4;
}

static void test_underdosed_part_has_a_region(void **state)
{
	struct report_input input = complete_input();
	struct dataset *ds = build(&input);
	struct dataset_path part = group(ds, TUMOUR + 1);
	char tumour_uid[65], part_uid[65];
	struct status st = STATUS_INIT;

	(void)state;
	fixture_keep(ds, "report-complete.dcm");
	assert_words(ds, part, "112039", "Under-dosed part of Tumour 1");
	assert_code_value(ds, part, "121071", "HO037");
	assert_close(number(ds, part, "118565006"), 8.5, 0, 1e-6);
	assert_close(number(ds, part, "HOP90"), 6.5, 0, 1e-6);
	assert_says(ds, part, "118565006", "below 90 Gy after injection 4");
	assert_int_not_equal(find_item(ds, part, "111030", 1), -1);
	assert_int_equal(find_item(ds, part, "111030", 2), -1);
	struct dataset_path uid = child(ds, group(ds, TUMOUR), "112040", 0);
	uid.step[uid.count - 1] = TAG_UID;
	assert_ok(dataset_get_string(ds, uid, tumour_uid, sizeof tumour_uid, &st), &st);
	uid = child(ds, part, "112040", 0);
	uid.step[uid.count - 1] = TAG_UID;
	assert_ok(dataset_get_string(ds, uid, part_uid, sizeof part_uid, &st), &st);
	assert_string_not_equal(tumour_uid, part_uid);
	/* the next group is the next region */
	assert_words(ds, group(ds, TUMOUR + 2), "112039", complete_vois[SMALL].name);
	dataset_free(ds);

	/* a few voxels, or no outline: no group of its own */
	points[FIXTURE_SCANS - 1].voi[TUMOUR].underdosed_piece_ml[0] = 0.09;
	ds = build(&input);
	assert_words(ds, group(ds, TUMOUR + 1), "112039", complete_vois[SMALL].name);
	dataset_free(ds);
	points[FIXTURE_SCANS - 1].voi[TUMOUR].underdosed_piece_ml[0] = 6.5;
	int kept[2] = {underdosed.outlines[0].points, underdosed.outlines[1].points};
	underdosed.outlines[0].points = underdosed.outlines[1].points = 3;
	ds = build(&input);
	assert_words(ds, group(ds, TUMOUR + 1), "112039", complete_vois[SMALL].name);
	dataset_free(ds);
	underdosed.outlines[0].points = kept[0];
	underdosed.outlines[1].points = kept[1];
}

static void test_kernel(void **state)
{
	struct report_input input = complete_input(), local = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path tumour = group(ds, TUMOUR);
	struct dataset_path point = child(ds, child(ds, root(), "HO090", 0), "HO091", 3);

	(void)state;
	assert_close(number(ds, tumour, "HO174"), 0.9 * 124.688, 0, 1e-5);
	assert_close(number(ds, tumour, "HO175"), 0.8 * 0.4 * 124.688, 0, 1e-5);
	assert_close(number(ds, tumour, "HO176"), 0.85 * 0.7 * 124.688, 0, 1e-5);
	assert_close(number(ds, tumour, "HO177"), 0.75 * 2 * 124.688, 0, 1e-5);
	assert_true(has(ds, child(ds, tumour, "HO174", 0), "121342"));
	assert_close(number(ds, group(ds, LIVER), "HO178"), 0.9 * 32.0, 0, 1e-6);
	assert_close(number(ds, point, "HO179"), 1.25, 0, 1e-6);
	assert_int_not_equal(find_item(ds, point, "121342", 1), -1);
	/* the local dose is as it was */
	assert_close(number(ds, tumour, "128533"), 124.688, 0, 1e-5);
	dataset_free(ds);
	ds = build(&local);
	assert_false(has(ds, group(ds, TUMOUR), "HO174"));
	dataset_free(ds);
	/* what cannot be measured has no dose by any method */
	points[FIXTURE_SCANS - 1].voi[SMALL].kernel_dose.mean = 77.0;
	points[FIXTURE_SCANS - 1].voi[SMALL].underdosed_volume_ml[0] = 0.4;
	stored_mean_gy[SMALL][FIXTURE_SCANS - 1] = 0.0;
	ds = build(&input);
	assert_false(has(ds, group(ds, SMALL + 1), "HO036"));
	stored_mean_gy[SMALL][FIXTURE_SCANS - 1] = NAN;
	assert_false(has(ds, group(ds, SMALL + 1), "HO174"));
	assert_false(has(ds, group(ds, SMALL + 1), "HOU90"));
	dataset_free(ds);
	points[FIXTURE_SCANS - 1].voi[SMALL].kernel_dose.mean = NAN;
	points[FIXTURE_SCANS - 1].voi[SMALL].underdosed_volume_ml[0] = NAN;
}

static void test_dose_by_position(void **state)
{
	struct report_input input = complete_input(), one = input_of();
	struct dataset *ds = build(&input);
	struct dataset_path tumour = group(ds, TUMOUR);

	(void)state;
	assert_close(number(ds, tumour, "HOQ01"), 80.0, 0, 1e-6);
	assert_says(ds, tumour, "HOQ01", "\"P1\"");
	assert_words(ds, tumour, "HOQ02",
		     "not known: no scan lies between its injections and those of another "
		     "position");
	assert_false(has(ds, tumour, "HOQ03"));
	dataset_free(ds);
	ds = build(&one);
	assert_false(has(ds, group(ds, TUMOUR), "HOQ01"));
	dataset_free(ds);
}

/* Positions and vials, and injections that no scan followed. */
static void test_several_positions(void **state)
{
	struct report_input input = complete_input();
	struct dataset *ds = build(&input);
	struct dataset_path given = child(ds, root(), "HO082", 0);

	(void)state;
	assert_words(ds, child(ds, given, "HO083", 2), "HO085", "P2: right hepatic artery");
	assert_words(ds, child(ds, given, "HO083", 2), "HO206", "vial B");
	assert_words(ds, child(ds, given, "HO083", 2), "HO207",
		     "not imaged by itself: its dose comes with the next scan");
	assert_false(has(ds, child(ds, given, "HO083", 1), "HO207"));
	assert_words(ds, group(ds, CONFLUENT + 1), "HO208", "Tumour 1, Tumour 2");
	dataset_free(ds);

	/* too thin for an outline: the structure set as a whole, it has no such region */
	complete_vois[CONFLUENT].outlines = NULL;
	complete_vois[CONFLUENT].roi_number = -1;
	ds = build(&input);
	assert_true(has(ds, group(ds, CONFLUENT + 1), "130488"));
	struct dataset_path space = child(ds, group(ds, CONFLUENT + 1), "130488", 0);
	assert_int_equal(dataset_item_count(ds, space), 0);
	assert_int_equal(dataset_item_count(ds, child(ds, group(ds, SMALL + 1), "130488", 0)), 1);
	dataset_free(ds);
	complete_vois[CONFLUENT] = vois[CONFLUENT];
	complete_vois[CONFLUENT].members = "Tumour 1, Tumour 2";
}

static void test_trend(void **state)
{
	struct report_input input = complete_input();
	struct dataset *ds = build(&input);
	struct dataset_path tumour = group(ds, TUMOUR);

	(void)state;
	assert_says(ds, tumour, "HO075", "the tumour's uptake saturates");
	assert_says(ds, tumour, "HO072", "not a saturation of the tumour's uptake");
	assert_says(ds, tumour, "HO080", "95 % interval 140 to 160 Gy");
	assert_close(number(ds, tumour, "HO180"), 140.0, 0, 1e-9);
	assert_close(number(ds, tumour, "HO181"), 160.0, 0, 1e-9);
	assert_code_value(ds, tumour, "HO182", "HO183");
	assert_close(number(ds, tumour, "HO184"), 155.0, 0, 1e-9);
	assert_close(number(ds, tumour, "HO185"), 130.0, 0, 1e-9);
	assert_close(number(ds, tumour, "HO186"), 180.0, 0, 1e-9);
	/* it was foretold, and came out lower */
	assert_close(number(ds, tumour, "HO187"), 150.0, 0, 1e-9);
	assert_close(number(ds, tumour, "HO188"), 124.688 - 150.0, 0, 1e-5);
	assert_says(ds, tumour, "HO188", "outside the 95 % interval");
	/* not assessed: no numbers of a line that is none */
	struct dataset_path group_of_tumours = group(ds, CONFLUENT + 1);
	assert_code_value(ds, group_of_tumours, "HO075", "HO076");
	assert_false(has(ds, group_of_tumours, "HO080"));
	dataset_free(ds);

	/* a scan was left out between: the prediction was for another injection */
	points[FIXTURE_SCANS - 2].after_injection = 2;
	points[FIXTURE_SCANS - 1].trend[TUMOUR].next_lower_gy = NAN;
	ds = build(&input);
	tumour = group(ds, TUMOUR);
	assert_false(has(ds, tumour, "HO187"));
	assert_says(ds, tumour, "HO184", "too few points for an interval");
	dataset_free(ds);
	points[FIXTURE_SCANS - 2].after_injection = FIXTURE_SCANS - 1;
	points[FIXTURE_SCANS - 1].trend[TUMOUR].next_lower_gy = 130.0;
}

/* Words with both ends, never a number that a viewer could show by itself. */
static void test_advice(void **state)
{
	struct report_input input = complete_input(), none = input_of();
	struct dataset *ds = build(&input);
	char text[1000];

	(void)state;
	get_words(text, ds, group(ds, LIVER), "HO190");
	assert_non_null(strstr(text, "For research only."));
	assert_non_null(strstr(text, "55 Gy"));
	assert_non_null(strstr(text, "another 800 to 2100 MBq (95 % interval; middle 1234 MBq)"));
	/* the part has no interval */
	get_words(text, ds, group(ds, PART), "HO190");
	assert_null(strstr(text, "MBq"));
	dataset_free(ds);

	points[FIXTURE_SCANS - 1].advice[0] = (struct uptake_remaining){0, 0, 0};
	ds = build(&input);
	get_words(text, ds, group(ds, LIVER), "HO190");
	assert_non_null(strstr(text, "has reached"));
	dataset_free(ds);
	for (int end = 0; end < 2; end++) {
		points[FIXTURE_SCANS - 1].advice[0] = (struct uptake_remaining){
		    1234.0, end ? 800.0 : (double)NAN, end ? (double)NAN : 2100.0};
		ds = build(&input);
		get_words(text, ds, group(ds, LIVER), "HO190");
		assert_null(strstr(text, "MBq"));
		dataset_free(ds);
	}
	points[FIXTURE_SCANS - 1].advice[0] = (struct uptake_remaining){1234.0, 800.0, NAN};
	ds = build(&input);
	get_words(text, ds, group(ds, LIVER), "HO190");
	assert_null(strstr(text, "MBq"));
	dataset_free(ds);
	points[FIXTURE_SCANS - 1].advice[0] = (struct uptake_remaining){1234.0, 800.0, 2100.0};

	ds = build(&none);
	assert_false(has(ds, group(ds, LIVER), "HO190"));
	dataset_free(ds);
}

static void test_warnings_of_the_complete_dosimetry(void **state)
{
	struct report_input input = complete_input();
	struct dataset *ds = build(&input);
	struct dataset_path warnings = child(ds, root(), "HO100", 0);
	bool advice = false, band = false;
	struct status st = STATUS_INIT;

	(void)state;
	for (unsigned i = 0; i < dataset_item_count(ds, warnings); i++) {
		struct dataset_path code = below(warnings, i, TAG_ConceptCodeSequence);
		char value[20];
		code = below(code, 0, TAG_CodeValue);
		assert_ok(dataset_get_string(ds, code, value, sizeof value, &st), &st);
		advice = advice || strcmp(value, "HO142") == 0;
		band = band || strcmp(value, "HO131") == 0;
	}
	assert_true(advice);
	assert_true(band);
	assert_says(ds, group(ds, LIVER), "HO020", "outside the configured band of 85 to 115 %");
	dataset_free(ds);
}

static void test_alignment(void **state)
{
	struct report_input input = complete_input();
	struct dataset *ds = build(&input);
	struct dataset_path times = child(ds, root(), "HO090", 0);
	struct dataset_path base = child(ds, times, "HO191", 0);
	struct dataset_path first = child(ds, child(ds, times, "HO091", 0), "HO191", 0);
	struct dataset_path second = child(ds, child(ds, times, "HO091", 1), "HO191", 0);
	struct dataset_path third = child(ds, child(ds, times, "HO091", 2), "HO191", 0);

	(void)state;
	assert_words(ds, base, "HO192", "takes a point of anatomy \"T1w\" to baseline");
	assert_code_value(ds, base, "HO193", "HO194");
	assert_words(ds, base, "HO199", "1 0 0 2.5; 0 1 0 -1.25; 0 0 1 0");
	assert_close(number(ds, base, "HO200"), 1.5, 0, 1e-9);
	assert_close(number(ds, base, "HO201"), 0.02, 0, 1e-9);
	assert_code_value(ds, first, "HO193", "HO196");
	assert_words(ds, first, "HO202", "by the site: matched on the console by R. Jansen");
	assert_words(ds, first, "HO200", "not known");
	assert_code_value(ds, second, "HO193", "HO195");
	/* nobody described it: what the result used */
	assert_words(ds, third, "HO192", "takes a point of the result grid to the scan");
	assert_words(ds, third, "HO199", "1 0 0 3.75; 0 1 0 0; 0 0 1 0");
	assert_close(number(ds, third, "HO200"), 0.75, 0, 1e-9);
	assert_words(ds, child(ds, root(), "HO067", 0), "HO218",
		     "rigid, liver with 10 mm around it");
	dataset_free(ds);
}

static int make_all(void **state)
{
	if (make_fixture(state) != 0)
		return -1;
	make_complete();
	return 0;
}

static int free_all(void **state)
{
	free_outlines(&underdosed);
	return free_fixture(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_measurability_is_coded),
	    cmocka_unit_test(test_every_reason_has_a_code_and_words),
	    cmocka_unit_test(test_uncertainty),
	    cmocka_unit_test(test_underdosed_part_has_a_region),
	    cmocka_unit_test(test_kernel),
	    cmocka_unit_test(test_dose_by_position),
	    cmocka_unit_test(test_several_positions),
	    cmocka_unit_test(test_trend),
	    cmocka_unit_test(test_advice),
	    cmocka_unit_test(test_warnings_of_the_complete_dosimetry),
	    cmocka_unit_test(test_alignment),
	};
	return cmocka_run_group_tests(tests, make_all, free_all);
}
