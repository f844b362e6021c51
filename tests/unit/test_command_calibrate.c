/* Concentrations from names and tables, and the element that is pasted into a configuration. */
#include "command_calibrate.h"

#include "check.h"

#include <stdlib.h>

static void concentrations_in_names(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double expected; /* NaN: none */
	} rows[] = {
	    {"Vial 0.50 mg/mL", 0.5}, {"0 mg/mL", 0},	   {"v3_1.25mg/ml", 1.25},
	    {"V 0,5 MG/ML gel", 0.5}, {"10_mg/mL", 10},	   {"Vial 3", NAN},
	    {"mg/mL", NAN},	      {"many mg/mL", NAN}, {"1.2.3 mg/mL", NAN},
	    {"1.5 mg", NAN},	      {"", NAN},	   {". mg/mL", NAN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double found = calibrate_concentration(rows[i].name);
		if (isnan(rows[i].expected) != isnan(found))
			fail_msg("\"%s\": %g", rows[i].name, found);
		if (!isnan(found))
			assert_close(found, rows[i].expected, 1e-12, 0);
	}
}

/* The words of the fault, "" none. */
static void read_table(struct calibrate_run *run, const char *text, char words[512])
{
	struct status st = STATUS_INIT;
	char path[] = "/tmp/holmia-test-vials-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	memset(run, 0, sizeof *run);
	(void)!calibrate_read_table(run, path, &st);
	unlink(path);
	memcpy(words, st.text, 512);
	assert_true(st.code == STATUS_OK || st.code == STATUS_REFUSE);
}

static void tables(void **state)
{
	(void)state;
	struct calibrate_run *run = calloc(1, sizeof *run);
	char words[512];
	assert_non_null(run);
	read_table(run, "name,mg_per_ml\n# a comment\nA, one ,0.5\r\n\nB,2\n", words);
	assert_string_equal(words, "");
	assert_int_equal(run->n_vials, 2);
	assert_string_equal(run->vials[0].name, "A, one");
	assert_close(run->vials[0].microspheres_mg_per_ml, 0.5, 0, 0);
	assert_close(run->vials[1].microspheres_mg_per_ml, 2, 0, 0);
	read_table(run, "A,0.5\na,0.6\n", words);
	assert_non_null(strstr(words, ":2: vial \"a\" is there twice"));
	read_table(run, "A,0.5\nB;0.6\n", words);
	assert_non_null(strstr(words, ":2: \"B;0.6\": expected NAME,MG_PER_ML"));
	read_table(run, "A,0.5\nB,0.6 mg\n", words);
	assert_non_null(strstr(words, ":2: "));
	/* a first line that is no heading is never passed over */
	read_table(run, "A,0.5 mg\nB,2\n", words);
	assert_non_null(strstr(words, ":1: \"A,0.5 mg\": expected NAME,MG_PER_ML"));
	read_table(run, "A;0.5\nB,2\n", words);
	assert_non_null(strstr(words, ":1: "));
	read_table(run, "name,mg_per_ml\n", words);
	assert_non_null(strstr(words, "no vials"));
	free(run);
}

/* At most 199 bytes of provenance, cut between characters, and no quote or bracket as it is. */
static void the_element(void **state)
{
	(void)state;
	struct calibrate_run *run = calloc(1, sizeof *run);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	assert_true(run && out);
	run->product = "<\"A\" & B>";
	run->temperature_k = 295;
	run->holmium_percent = 19.5;
	run->scan.field_strength_t = 2.89;
	run->result.relaxivity_per_s_per_mg_per_ml = 217.8123456;
	run->result.used = 6;
	strcpy(run->scan.acquisition_datetime, "20260302101500");
	for (int i = 0; i < 120; i++) /* 240 bytes of two-byte characters */
		memcpy(run->first.manufacturer + 2 * i, "\303\251", 3);
	strcpy(run->first.station_name, "x\303\251\303\251");
	calibrate_print_element(out, run);
	fclose(out);
	assert_non_null(strstr(text, "field-t=\"2.89\""));
	assert_non_null(strstr(text, "product=\"&lt;&quot;A&quot; &amp; B>\""));
	assert_non_null(strstr(text, "per-s-per-mg-per-ml=\"217.812\""));
	assert_non_null(strstr(text, "temperature-k=\"295\""));
	assert_non_null(strstr(text, "calibrated=\"yes\""));
	const char *from = strstr(text, "provenance=\""), *to = from ? strstr(from, "\"/>") : NULL;
	assert_true(from && to);
	assert_true(to - from - 12 <= 199);
	assert_non_null(strstr(from, "2026-03-02"));
	/* every lead byte has its follower, and no follower stands alone */
	for (const char *c = from; c < to; c++) {
		if (*c == '\303')
			assert_int_equal(*++c, '\251');
		else
			assert_true((unsigned char)*c < 0x80);
	}
	free(text);
	free(run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(concentrations_in_names),
	    cmocka_unit_test(tables),
	    cmocka_unit_test(the_element),
	};
	return cmocka_run_group_tests_name("command_calibrate", tests, NULL, NULL);
}
