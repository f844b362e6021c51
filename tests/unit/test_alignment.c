/* What is made of a registration's answer, and how it is kept. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "alignment_cache.h"

static const char FRAME[] = "2.25.1", OTHER_FRAME[] = "2.25.2";
static char spool[64];

struct pair {
	struct volume fixed, moving;
	struct alignment_request request;
	struct registration_result answer;
};

/* Two images of one frame of reference; the answer is a shift of 4 mm, good in every way. */
static struct pair make_pair(void)
{
	struct pair pair = {.answer = {.converged = true,
				       .better = true,
				       .residual_mm = 0.5,
				       .capture_spread_mm = 0.1,
				       .evaluations = 40}};
	struct grid grid = {4, 4, 4, {0, 0, 0}, {2, 0, 0}, {0, 2, 0}, {0, 0, 2}, ""};
	strcpy(grid.frame_of_reference, FRAME);
	pair.fixed.grid = pair.moving.grid = grid;
	rigid_identity(pair.answer.transform);
	pair.answer.transform[3] = 4;
	return pair;
}

static void fill_request(struct pair *pair)
{
	pair->request = (struct alignment_request){
	    .fixed = {.volume = &pair->fixed, .name = "the baseline", .evidence = "f"},
	    .moving = {.volume = &pair->moving,
		       .name = "the series after injection 3",
		       .evidence = "m"},
	    .metric = REGISTRATION_LEAST_SQUARES,
	    .region_evidence = "",
	    .margin_mm = 15,
	    .limit_mm = 3,
	    .spool = spool,
	    .threads = 1,
	};
}

static struct alignment judge(struct pair *pair, const char *failed, struct status *st)
{
	struct alignment alignment;
	fill_request(pair);
	status_clear(st);
	(void)!alignment_judge(&alignment, &pair->answer, failed, &pair->request, st);
	return alignment;
}

/* ---- one frame of reference ---- */

static void a_good_answer_is_kept(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct pair pair = make_pair();
	struct alignment found = judge(&pair, "", &st);
	assert_int_equal(st.code, STATUS_OK);
	assert_true(found.moved);
	assert_false(found.uncertain);
	assert_float_equal(found.transform[3], 4, 0);
	assert_float_equal(found.residual_mm, 0.5, 0);
}

static void no_motion_where_it_is_not_better(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct pair pair = make_pair();
	pair.answer.better = false;
	struct alignment found = judge(&pair, "", &st);
	assert_false(found.moved);
	assert_false(found.uncertain);
	assert_float_equal(found.transform[3], 0, 0);
	assert_float_equal(found.residual_mm, 0.5, 0);
}

static void doubt_is_said(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct pair pair = make_pair();
	pair.answer.residual_mm = 3.5; /* the limit is 3 */
	struct alignment found = judge(&pair, "", &st);
	assert_true(found.moved && found.uncertain);
	assert_string_equal(found.words,
			    "the series after injection 3: 3.5 mm are left (limit 3 mm)");
	pair.answer.residual_mm = (double)NAN;
	assert_true(judge(&pair, "", &st).uncertain);
	pair.answer.residual_mm = (double)INFINITY; /* no block can tell: not a number of mm */
	found = judge(&pair, "", &st);
	assert_true(found.uncertain);
	assert_string_equal(found.words, "the series after injection 3: too little structure to "
					 "tell what is left");

	pair = make_pair();
	pair.answer.capture_spread_mm = 40; /* within one frame no motion is the other answer */
	assert_false(judge(&pair, "", &st).uncertain);
	pair.answer.converged = false;
	found = judge(&pair, "", &st);
	assert_int_equal(st.code, STATUS_OK);
	assert_false(found.moved);
	assert_true(found.uncertain && isnan(found.residual_mm));
	assert_float_equal(found.transform[3], 0, 0);
	assert_string_equal(found.words, "the series after injection 3 taken as not moved: the "
					 "search did not converge");

	pair = make_pair();
	found = judge(&pair, "the images have no structure", &st);
	assert_int_equal(st.code, STATUS_OK);
	assert_false(found.moved);
	assert_true(found.uncertain && isnan(found.residual_mm));
	assert_non_null(strstr(found.words, "taken as not moved: the images have no structure"));
}

/* ---- two frames of reference: no motion is never an answer ---- */

static void expect_refusal(struct pair *pair, const char *failed, const char *why)
{
	struct status st = STATUS_INIT;
	(void)judge(pair, failed, &st);
	assert_int_equal(st.code, STATUS_REFUSE);
	if (!strstr(st.text, why))
		fail_msg("\"%s\" has no \"%s\"", st.text, why);
	assert_non_null(strstr(st.text,
			       "the series after injection 3 lies in another frame of reference "
			       "than the baseline and could not be aligned: "));
	assert_non_null(strstr(st.text, "; give a transform in the record, or send a Spatial "
					"Registration"));
}

static struct pair two_frames(void)
{
	struct pair pair = make_pair();
	strcpy(pair.moving.grid.frame_of_reference, OTHER_FRAME);
	return pair;
}

static void two_frames_need_an_answer(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct pair pair = two_frames();
	struct alignment found = judge(&pair, "", &st);
	assert_int_equal(st.code, STATUS_OK);
	assert_true(found.moved && !found.uncertain);
	/* not better than the start: lying where the numbers say is an answer as well */
	pair.answer.better = false;
	found = judge(&pair, "", &st);
	assert_int_equal(st.code, STATUS_OK);
	assert_true(found.moved);
	assert_float_equal(found.transform[3], 4, 0);
	/* above the limit it is said, far above it is refused */
	pair.answer.residual_mm = 5;
	found = judge(&pair, "", &st);
	assert_int_equal(st.code, STATUS_OK);
	assert_true(found.uncertain);
	pair.answer.residual_mm = 7;
	expect_refusal(&pair, "", "7 mm are left (limit 3 mm)");
	pair.answer.residual_mm = (double)NAN;
	expect_refusal(&pair, "", "too little structure to tell what is left");
	pair = two_frames();
	pair.answer.converged = false;
	expect_refusal(&pair, "", "the search did not converge");
	pair = two_frames();
	pair.answer.capture_spread_mm = 8;
	found = judge(&pair, "", &st);
	assert_int_equal(st.code, STATUS_OK);
	pair.answer.capture_spread_mm = 12;
	expect_refusal(&pair, "", "several starts end 12 mm apart (limit 9 mm)");
	pair = two_frames();
	const double half_turn[3] = {0, 0, 3.14159}, nothing[3] = {0, 0, 0};
	rigid_from_angles(pair.answer.transform, half_turn, nothing, nothing);
	expect_refusal(&pair, "", "it would turn the patient by 180 degrees");
	pair = two_frames();
	expect_refusal(&pair, "fewer than 1000 voxels", "fewer than 1000 voxels");
}

/* ---- the cache ---- */

static void what_is_kept_comes_back_bit_by_bit(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct pair pair = make_pair();
	struct registration_result back;
	char key[65], failed[200] = "x";
	bool found = true;
	fill_request(&pair);
	alignment_cache_key(key, &pair.request);
	assert_int_equal(strlen(key), 64);
	assert_ok(alignment_cache_get(&back, failed, &found, spool, key, &st), &st);
	assert_false(found);
	const double angle_rad[3] = {0.01, -0.02, 0.03}, shift_mm[3] = {1.0 / 3, 2, -3},
		     centre_mm[3] = {7, 8, 9};
	rigid_from_angles(pair.answer.transform, angle_rad, shift_mm, centre_mm);
	pair.answer.metric_end = (double)NAN;
	assert_ok(alignment_cache_put(spool, key, &pair.answer, "", &st), &st);
	assert_ok(alignment_cache_get(&back, failed, &found, spool, key, &st), &st);
	assert_true(found);
	assert_string_equal(failed, "");
	assert_memory_equal(back.transform, pair.answer.transform, sizeof back.transform);
	assert_true(isnan(back.metric_end));
	assert_true(back.converged && back.better && back.evaluations == 40);

	/* damage and another version count as absent */
	char path[200], text[4000];
	snprintf(path, sizeof path, "%s/maps/%s.rig", spool, key);
	FILE *file = fopen(path, "rb");
	size_t size = fread(text, 1, sizeof text, file);
	fclose(file);
	for (size_t at = 0; at + 1 < size; at++) { /* but its last line break */
		file = fopen(path, "wb");
		text[at] ^= 1;
		fwrite(text, 1, size, file);
		text[at] ^= 1;
		fclose(file);
		assert_ok(alignment_cache_get(&back, failed, &found, spool, key, &st), &st);
		if (found)
			fail_msg("byte %zu changed and not seen", at);
	}
	for (size_t cut = 0; cut + 1 < size; cut += 7) {
		file = fopen(path, "wb");
		fwrite(text, 1, cut, file);
		fclose(file);
		assert_ok(alignment_cache_get(&back, failed, &found, spool, key, &st), &st);
		assert_false(found);
	}
}

static void the_key_holds_what_can_change_the_answer(void **state)
{
	(void)state;
	struct pair pair = make_pair();
	struct mask region = MASK_INIT;
	char keys[8][65];
	int n = 0;
	fill_request(&pair);
	alignment_cache_key(keys[n++], &pair.request);
	pair.request.fixed.evidence = "f2";
	alignment_cache_key(keys[n++], &pair.request);
	pair.request.moving.evidence = "m2";
	alignment_cache_key(keys[n++], &pair.request);
	pair.request.metric = REGISTRATION_MUTUAL_INFORMATION;
	alignment_cache_key(keys[n++], &pair.request);
	pair.request.region = &region;
	alignment_cache_key(keys[n++], &pair.request);
	pair.request.region_evidence = "liver";
	alignment_cache_key(keys[n++], &pair.request);
	pair.request.margin_mm = 16;
	alignment_cache_key(keys[n++], &pair.request);
	strcpy(pair.moving.grid.frame_of_reference, OTHER_FRAME);
	alignment_cache_key(keys[n++], &pair.request);
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < i; j++)
			assert_string_not_equal(keys[i], keys[j]);
	}
	char key[65];
	pair.request.threads = 7;
	alignment_cache_key(key, &pair.request);
	assert_string_equal(key, keys[n - 1]);
}

static enum status_code count_load(void *user, struct status *st)
{
	(void)st;
	++*(int *)user;
	return STATUS_OK;
}

/* Images without any value: no answer, and that is kept too. */
static void a_second_time_no_image_is_read(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct pair pair = make_pair();
	struct alignment first, second;
	struct grid grid = pair.fixed.grid;
	int loads = 0;
	fill_request(&pair);
	assert_ok(volume_new(&pair.fixed, &grid, NAN, &st), &st);
	assert_ok(volume_new(&pair.moving, &grid, NAN, &st), &st);
	pair.request.fixed.evidence = "a second time";
	pair.request.fixed.load = count_load;
	pair.request.fixed.user = &loads;
	assert_ok(alignment_find(&first, &pair.request, &st), &st);
	assert_int_equal(loads, 1);
	assert_true(first.uncertain && !first.moved);
	assert_ok(alignment_find(&second, &pair.request, &st), &st);
	assert_int_equal(loads, 1);
	assert_string_equal(first.words, second.words);
	pair.request.anew = true;
	assert_ok(alignment_find(&second, &pair.request, &st), &st);
	assert_int_equal(loads, 2);
	volume_free(&pair.fixed);
	volume_free(&pair.moving);
}

static int make_spool(void **state)
{
	(void)state;
	strcpy(spool, "/tmp/holmia-alignment-XXXXXX");
	return mkdtemp(spool) == NULL;
}

static int remove_spool(void **state)
{
	(void)state;
	char command[100];
	snprintf(command, sizeof command, "rm -rf %s", spool);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_answer_is_kept),
	    cmocka_unit_test(no_motion_where_it_is_not_better),
	    cmocka_unit_test(doubt_is_said),
	    cmocka_unit_test(two_frames_need_an_answer),
	    cmocka_unit_test(what_is_kept_comes_back_bit_by_bit),
	    cmocka_unit_test(the_key_holds_what_can_change_the_answer),
	    cmocka_unit_test(a_second_time_no_image_is_read),
	};
	return cmocka_run_group_tests(tests, make_spool, remove_spool);
}
