/* codes.c against its page for people, and against itself: a value of 99HOLMIA has one meaning. */
#include "check.h"

#include <stdbool.h>

#include "codes.h"

#define MOST_ROWS 400

static const struct code *rows[MOST_ROWS];
static int n_rows;

/* Ours alone, table and warnings. */
static int gather(void **state)
{
	const struct code *row;

	(void)state;
	for (int id = 0; id < CODE_COUNT; id++) {
		row = code_get((enum code_id)id);
		if (row->scheme && strcmp(row->scheme, CODES_PRIVATE_SCHEME) == 0)
			rows[n_rows++] = row;
	}
	for (size_t i = 0; (row = code_warning_row(i)); i++)
		rows[n_rows++] = row;
	return n_rows < MOST_ROWS ? 0 : -1;
}

static void test_every_id_has_a_row_that_dicom_can_hold(void **state)
{
	(void)state;
	for (int id = 0; id < CODE_COUNT; id++) {
		const struct code *row = code_get((enum code_id)id);
		if (!row->value || !row->scheme || !row->meaning)
			fail_msg("code %d has no row", id);
		assert_in_range(strlen(row->value), 1, 16);
		assert_in_range(strlen(row->scheme), 1, 16);
		if (strlen(row->meaning) < 1 || strlen(row->meaning) > 64)
			fail_msg("%s: \"%s\" is longer than 64", row->value, row->meaning);
	}
}

static void test_no_value_and_no_meaning_twice(void **state)
{
	(void)state;
	for (int i = 0; i < n_rows; i++)
		for (int j = 0; j < i; j++) {
			if (strcmp(rows[i]->value, rows[j]->value) == 0)
				fail_msg("%s is there twice", rows[i]->value);
			/* viewers show the meaning alone */
			if (strcmp(rows[i]->meaning, rows[j]->meaning) == 0)
				fail_msg("%s and %s are both \"%s\"", rows[j]->value,
					 rows[i]->value, rows[i]->meaning);
		}
}

/* Row by row, both ways. */
static void test_page_says_the_same(void **state)
{
	FILE *file = fopen(SOURCE_DIR "/conformance/codes.md", "r");
	char line[300], expected[300];
	bool seen[MOST_ROWS] = {false};

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file)) {
		int found = -1;
		if (strncmp(line, "| HO", 4) != 0)
			continue;
		for (int i = 0; i < n_rows; i++) {
			snprintf(expected, sizeof expected, "| %s | %s |\n", rows[i]->value,
				 rows[i]->meaning);
			if (strcmp(line, expected) == 0)
				found = i;
		}
		if (found < 0)
			fail_msg("codes.md has what codes.c has not: %s", line);
		seen[found] = true;
	}
	fclose(file);
	for (int i = 0; i < n_rows; i++)
		if (!seen[i])
			fail_msg("codes.md has no row for %s, \"%s\"", rows[i]->value,
				 rows[i]->meaning);
}

static void test_values_with_numbers(void **state)
{
	struct code_text text;

	(void)state;
	assert_string_equal(code_volume_at_dose(&text, 100.5)->value, "HOV100.5");
	assert_string_equal(code_volume_below_dose(&text, 90)->value, "HOU90");
	assert_string_equal(text.meaning, "Volume with less than 90 Gy");
	assert_string_equal(code_piece_below_dose(&text, 90)->value, "HOP90");
	assert_string_equal(text.meaning, "Largest connected piece with less than 90 Gy");
	assert_string_equal(code_dose_of_position(&text, 2)->value, "HOQ02");
	assert_string_equal(code_dose_after_injection(&text, 12)->value, "HOA12");
	assert_string_equal(code_recovery_after_injection(&text, 2)->value, "HOR02");
	assert_string_equal(code_of_warning("HO142")->meaning, "Research advice");
	assert_string_equal(code_of_warning("HO999")->value, "HO119");
	assert_string_equal(code_of_warning(NULL)->value, "HO119");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_id_has_a_row_that_dicom_can_hold),
	    cmocka_unit_test(test_no_value_and_no_meaning_twice),
	    cmocka_unit_test(test_page_says_the_same),
	    cmocka_unit_test(test_values_with_numbers),
	};
	return cmocka_run_group_tests(tests, gather, NULL);
}
