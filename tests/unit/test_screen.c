#define _XOPEN_SOURCE 700 /* nftw */
/* The screen against bombs made here, hand-made data sets, and every file of the test data. */
#include "check.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>

#include "screen.h"

#define IMPLICIT "1.2.840.10008.1.2"
#define EXPLICIT "1.2.840.10008.1.2.1"
#define RLE	 "1.2.840.10008.1.2.5"
#define MR	 "1.2.840.10008.5.1.4.1.1.4"

struct bytes {
	uint8_t *data;
	size_t size, capacity;
};

static void put(struct bytes *out, const void *data, size_t size)
{
	if (out->size + size > out->capacity) {
		out->capacity = 2 * (out->size + size);
		out->data = realloc(out->data, out->capacity);
		assert_non_null(out->data);
	}
	memcpy(out->data + out->size, data, size);
	out->size += size;
}

static void put_u16(struct bytes *out, uint32_t value)
{
	uint8_t raw[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
	put(out, raw, 2);
}

static void put_u32(struct bytes *out, uint32_t value)
{
	put_u16(out, value & 0xffff);
	put_u16(out, value >> 16);
}

/* vr NULL: Implicit VR, or an item. */
static void put_header(struct bytes *out, uint32_t tag, const char *vr, uint32_t length)
{
	put_u16(out, tag >> 16);
	put_u16(out, tag & 0xffff);
	if (vr == NULL) {
		put_u32(out, length);
		return;
	}
	put(out, vr, 2);
	if (strstr("OB OW SQ UN UT", vr) != NULL) {
		put_u16(out, 0);
		put_u32(out, length);
	} else {
		put_u16(out, length);
	}
}

static void put_text(struct bytes *out, uint32_t tag, const char *vr, const char *text)
{
	size_t length = strlen(text);
	put_header(out, tag, vr, (uint32_t)(length + (length & 1)));
	put(out, text, length);
	if (length & 1)
		put(out, "", 1);
}

static struct bytes start(const char *vr_of_uid)
{
	struct bytes out = {NULL, 0, 0};
	put_text(&out, 0x00080016, vr_of_uid, MR);
	put_text(&out, 0x00080018, vr_of_uid, "1.2.3.4");
	return out;
}

/* An exact copy on the heap, so that a sanitizer sees a read behind the end. */
static enum status_code screen_exactly(struct screen_report *report, const struct bytes *in,
				       const char *syntax, struct status *st)
{
	uint8_t *copy = malloc(in->size > 0 ? in->size : 1);
	assert_non_null(copy);
	if (in->size > 0)
		memcpy(copy, in->data, in->size);
	enum status_code code = screen_dataset(report, copy, in->size, syntax, MR, "1.2.3.4", st);
	free(copy);
	return code;
}

static void expect(struct bytes in, const char *syntax, enum screen_verdict verdict,
		   const char *words)
{
	struct screen_report report;
	struct status st = STATUS_INIT;
	enum status_code code = screen_exactly(&report, &in, syntax, &st);
	if ((code == STATUS_OK) != (verdict == SCREEN_PASSED) || report.verdict != verdict ||
	    strstr(st.text, words) == NULL)
		fail_msg("verdict %d, expected %d: \"%s\" should say \"%s\"", report.verdict,
			 verdict, st.text, words);
	free(in.data);
}

static void uid_grammar(void **state)
{
	(void)state;
	assert_true(screen_uid_is_valid("1.2.840.10008.1.2", 17));
	assert_true(screen_uid_is_valid("0.0", 3));
	assert_true(screen_uid_is_valid("2.25.0.10", 9));
	const char *bad[] = {"",     ".",  "..",  "1..2", ".1",	  "1.",
			     "1.02", "00", "1.a", "1.2 ", "1.-2", "../1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(screen_uid_is_valid(bad[i], strlen(bad[i])));
	char longest[66];
	memset(longest, '1', sizeof longest);
	assert_true(screen_uid_is_valid(longest, 64));
	assert_false(screen_uid_is_valid(longest, 65));
	assert_false(screen_uid_is_valid("1\0002", 3));
}

/* Levels of a sequence with one item each; defined lengths are filled from the inside out. */
static void put_nested(struct bytes *out, int levels, uint32_t tag, const char *vr, bool defined)
{
	uint32_t header = vr == NULL ? 8 : 12;
	for (int i = levels; i > 0; i--) {
		uint32_t inside = (uint32_t)(i - 1) * (header + 8);
		put_header(out, tag, vr, defined ? inside + 8 : 0xffffffffu);
		put_header(out, 0xfffee000, NULL, defined ? inside : 0xffffffffu);
	}
	for (int i = 0; !defined && i < levels; i++) {
		put_header(out, 0xfffee00d, NULL, 0);
		put_header(out, 0xfffee0dd, NULL, 0);
	}
}

static void nesting(void **state)
{
	(void)state;
	static const uint32_t tags[] = {0x0040a730, 0x00411010};
	for (int form = 0; form < 8; form++) {
		const char *vr = (form & 1) != 0 ? "SQ" : NULL;
		const char *syntax = (form & 1) != 0 ? EXPLICIT : IMPLICIT;
		bool defined = (form & 2) != 0;
		uint32_t tag = tags[form >> 2];
		struct bytes good = start((form & 1) != 0 ? "UI" : NULL);
		put_nested(&good, SCREEN_MAX_NESTING, tag, vr, defined);
		expect(good, syntax, SCREEN_PASSED, "");
		struct bytes deep = start((form & 1) != 0 ? "UI" : NULL);
		put_nested(&deep, SCREEN_MAX_NESTING + 1, tag, vr, defined);
		expect(deep, syntax, SCREEN_CANNOT_UNDERSTAND, "nested too deep");
		struct bytes bomb = start((form & 1) != 0 ? "UI" : NULL);
		put_nested(&bomb, 20000, tag, vr, defined);
		expect(bomb, syntax, SCREEN_CANNOT_UNDERSTAND, "nested too deep");
		struct bytes cut = start((form & 1) != 0 ? "UI" : NULL);
		put_nested(&cut, 20000, tag, vr, defined);
		cut.size -= 4;
		expect(cut, syntax, SCREEN_CANNOT_UNDERSTAND, "");
	}
}

/* Items of a UN value are in Implicit VR, whatever is around them. */
static void nesting_in_unknown(void **state)
{
	(void)state;
	for (int defined = 0; defined < 2; defined++) {
		for (int levels = 10; levels <= 20000; levels += 19990) {
			struct bytes in = start("UI");
			put_header(&in, 0x0040a730, "UN",
				   defined ? (uint32_t)levels * 16 + 8 : 0xffffffffu);
			put_header(&in, 0xfffee000, NULL, (uint32_t)levels * 16);
			put_nested(&in, levels, 0x0040a730, NULL, true);
			if (!defined)
				put_header(&in, 0xfffee0dd, NULL, 0);
			expect(in, EXPLICIT,
			       levels == 10 ? SCREEN_PASSED : SCREEN_CANNOT_UNDERSTAND, "");
		}
	}
}

/* A private value may begin with the bytes of an item and be none; a standard one may not. */
static void value_that_looks_like_a_sequence(void **state)
{
	(void)state;
	struct bytes private_value = start(NULL);
	put_header(&private_value, 0x00411010, NULL, 12);
	put_header(&private_value, 0xfffee000, NULL, 400);
	put_u32(&private_value, 7);
	put_text(&private_value, 0x00420010, NULL, "more");
	expect(private_value, IMPLICIT, SCREEN_PASSED, "");

	struct bytes standard = start(NULL);
	put_header(&standard, 0x00400010, NULL, 12);
	put_header(&standard, 0xfffee000, NULL, 400);
	put_u32(&standard, 7);
	expect(standard, IMPLICIT, SCREEN_CANNOT_UNDERSTAND, "longer than what surrounds it");

	struct bytes pixels = start(NULL);
	put_header(&pixels, 0x7fe00010, NULL, 12);
	put_header(&pixels, 0xfffee000, NULL, 400);
	put_u32(&pixels, 7);
	expect(pixels, IMPLICIT, SCREEN_PASSED, "");
}

/* A stray delimiter first: a fault for us, but a forgiving reader might go on into the bomb behind
 * it. */
static void bomb_behind_a_fault(void **state)
{
	(void)state;
	for (int levels = 10; levels <= 20000; levels += 19990) {
		for (int standard = 0; standard < 2; standard++) {
			struct bytes in = start(NULL);
			put_header(&in, standard ? 0x0040a730 : 0x00411010, NULL,
				   (uint32_t)levels * 16 + 24);
			put_header(&in, 0xfffee000, NULL, 0);
			put_header(&in, 0xfffee00d, NULL, 0);
			put_header(&in, 0xfffee000, NULL, (uint32_t)levels * 16);
			put_nested(&in, levels, 0x0040a730, NULL, true);
			bool passes = levels == 10 && !standard;
			expect(in, IMPLICIT, passes ? SCREEN_PASSED : SCREEN_CANNOT_UNDERSTAND,
			       passes ? "" : "not an item of the sequence");
		}
	}
}

static void lengths_and_order(void **state)
{
	(void)state;
	struct bytes in = start("UI");
	put_header(&in, 0x7fe00010, "OW", 100);
	put(&in, "too short", 9);
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "longer than what surrounds it");

	in = start("UI");
	put_header(&in, 0x7fe00010, "OW", 0xfffffffe);
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "longer than what surrounds it");

	in = start("UI");
	put_text(&in, 0x00100010, "PN", "A");
	put_text(&in, 0x00080060, "CS", "MR");
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "rising order");

	in = start("UI");
	put_text(&in, 0x00080018, "UI", "1.2.3.4");
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "rising order");

	in = start("UI");
	put_text(&in, 0x00100010, "ZZ", "A");
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "unknown value representation");

	in = start("UI");
	put_text(&in, 0x00100010, "\0\0", "");
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "unknown value representation");

	in = start("UI");
	put_header(&in, 0xfffee0dd, NULL, 0);
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "out of place");

	in = start("UI");
	put_header(&in, 0x00204000, "UT", 0xffffffff);
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "undefined length");

	in = (struct bytes){NULL, 0, 0};
	put_text(&in, 0x00020010, "UI", EXPLICIT);
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "no such group");

	in = start("UI");
	put(&in, "\x10\x00\x10", 3);
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "cut off");

	expect(start("UI"), "1.2.840.10008.1.2.1.99", SCREEN_CANNOT_UNDERSTAND, "not accepted");
	expect(start("UI"), EXPLICIT, SCREEN_PASSED, "");
}

static void uids_against_the_command(void **state)
{
	(void)state;
	struct bytes in = {NULL, 0, 0};
	put_text(&in, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
	put_text(&in, 0x00080018, "UI", "1.2.3.4");
	expect(in, EXPLICIT, SCREEN_MISMATCH, "of the command " MR);

	in = (struct bytes){NULL, 0, 0};
	put_text(&in, 0x00080016, "UI", MR);
	put_text(&in, 0x00080018, "UI", "1.2.3.5");
	expect(in, EXPLICIT, SCREEN_MISMATCH, "is 1.2.3.5, of the command 1.2.3.4");

	in = (struct bytes){NULL, 0, 0};
	put_text(&in, 0x00080018, "UI", "1.2.3.4");
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "absent");

	in = (struct bytes){NULL, 0, 0};
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "absent");

	in = start("UI");
	put_text(&in, 0x0020000d, "UI", "../../etc");
	expect(in, EXPLICIT, SCREEN_CANNOT_UNDERSTAND, "not a UID");

	in = (struct bytes){NULL, 0, 0};
	put_text(&in, 0x00080016, NULL, MR);
	put_header(&in, 0x00080018, NULL, 0xffffffff);
	put_header(&in, 0xfffee0dd, NULL, 0);
	expect(in, IMPLICIT, SCREEN_CANNOT_UNDERSTAND, "undefined length");
}

static void encapsulated_pixel_data(void **state)
{
	(void)state;
	for (int fault = 0; fault < 4; fault++) {
		struct bytes in = start("UI");
		put_header(&in, 0x7fe00010, "OB", 0xffffffff);
		put_header(&in, 0xfffee000, NULL, 0);
		put_header(&in, 0xfffee000, NULL, fault == 1 ? 4000 : 4);
		put(&in, "data", 4);
		if (fault != 2)
			put_header(&in, 0xfffee0dd, NULL, 0);
		expect(in, fault == 3 ? EXPLICIT : RLE,
		       fault == 0 ? SCREEN_PASSED : SCREEN_CANNOT_UNDERSTAND,
		       fault == 3 ? "native transfer syntax" : "");
	}
}

/* Every shortening and every single changed byte of a data set ends in a verdict, never in a read
 * outside (sanitizer). */
static void every_cut_and_every_changed_byte(void **state)
{
	(void)state;
	struct bytes in = start("UI");
	put_header(&in, 0x00081140, "SQ", 0xffffffff);
	put_header(&in, 0xfffee000, NULL, 0xffffffff);
	put_text(&in, 0x00081150, "UI", MR);
	put_header(&in, 0xfffee00d, NULL, 0);
	put_header(&in, 0xfffee0dd, NULL, 0);
	put_header(&in, 0x00091010, "UN", 16);
	put_header(&in, 0xfffee000, NULL, 8);
	put_header(&in, 0x00091011, NULL, 0);
	put_text(&in, 0x0020000d, "UI", "1.2.3");
	put_header(&in, 0x7fe00010, "OB", 0xffffffff);
	put_header(&in, 0xfffee000, NULL, 0);
	put_header(&in, 0xfffee0dd, NULL, 0);
	struct screen_report report;
	struct status st = STATUS_INIT;
	assert_ok(screen_exactly(&report, &in, RLE, &st), &st);
	size_t whole = in.size;
	int passed = 0;
	for (in.size = 0; in.size < whole; in.size++) {
		status_clear(&st);
		passed += screen_exactly(&report, &in, RLE, &st) == STATUS_OK;
	}
	assert_int_equal(passed,
			 4); /* cut between two elements of the top level, behind both SOP UIDs */
	for (size_t i = 0; i < whole; i++) {
		uint8_t original = in.data[i];
		for (int value = 0; value < 256; value += 5) {
			in.data[i] = (uint8_t)value;
			status_clear(&st);
			enum status_code code = screen_exactly(&report, &in, RLE, &st);
			assert_true((code == STATUS_OK) == (report.verdict == SCREEN_PASSED));
		}
		in.data[i] = original;
	}
	free(in.data);
}

/* Splits a DICOM file into transfer syntax and data set; false when it has no usable meta header.
 */
static bool split_file(const uint8_t *file, size_t size, char syntax[65], size_t *dataset_at)
{
	if (size < 132 || memcmp(file + 128, "DICM", 4) != 0)
		return false;
	size_t at = 132;
	syntax[0] = '\0';
	while (at + 12 <= size && file[at] == 2 && file[at + 1] == 0) {
		bool is_long =
		    memcmp(file + at + 4, "OB", 2) == 0 || memcmp(file + at + 4, "UN", 2) == 0;
		size_t length = (size_t)(file[at + 6] | file[at + 7] << 8), header = 8;
		if (is_long) {
			length = (size_t)file[at + 8] | (size_t)file[at + 9] << 8 |
				 (size_t)file[at + 10] << 16 | (size_t)file[at + 11] << 24;
			header = 12;
		}
		if (length > size - at - header)
			return false;
		if (file[at + 2] == 0x10 && length < 65) {
			memcpy(syntax, file + at + header, length);
			syntax[length] = '\0';
		}
		at += header + length;
	}
	*dataset_at = at;
	return syntax[0] != '\0';
}

static int files_screened, files_refused, must_pass_failures;
static bool must_pass;

static int screen_file(const char *path, const struct stat *info, int type, struct FTW *position)
{
	(void)position;
	if (type != FTW_F || info->st_size == 0)
		return 0;
	FILE *in = fopen(path, "rb");
	uint8_t *file = malloc((size_t)info->st_size);
	assert_true(in != NULL && file != NULL);
	assert_int_equal(fread(file, 1, (size_t)info->st_size, in), info->st_size);
	fclose(in);
	char syntax[65];
	size_t at;
	if (split_file(file, (size_t)info->st_size, syntax, &at) &&
	    strstr(path, "DICOMDIR") == NULL) {
		struct bytes dataset = {.size = (size_t)info->st_size - at};
		uint8_t *copy = malloc(dataset.size + 1);
		assert_non_null(copy);
		memcpy(copy, file + at, dataset.size);
		struct screen_report report;
		struct status st = STATUS_INIT;
		enum status_code code =
		    screen_dataset(&report, copy, dataset.size, syntax, NULL, NULL, &st);
		free(copy);
		files_screened++;
		files_refused += code != STATUS_OK;
		/* Big endian and deflated files are in the folders too; they are refused as such.
		 */
		if (code != STATUS_OK && must_pass && strstr(st.text, "is not accepted") == NULL) {
			must_pass_failures++;
			print_error("%s: %s\n", path, st.text);
		}
		if (getenv("SCREEN_VERBOSE") != NULL)
			print_message("%s %s\n", path, code == STATUS_OK ? "passed" : st.text);
	}
	free(file);
	return 0;
}

static void screen_folder(const char *folder, bool all_pass)
{
	must_pass = all_pass;
	files_screened = files_refused = must_pass_failures = 0;
	assert_int_equal(nftw(folder, screen_file, 16, FTW_PHYS), 0);
	print_message("%s: %d data sets, %d refused\n", folder, files_screened, files_refused);
	assert_int_equal(must_pass_failures, 0);
	assert_true(files_screened > 0);
}

static void real_data_pass(void **state)
{
	(void)state;
	require_data("01_mr_multiecho");
	static const char *const folders[] = {"01_mr_multiecho", "02_rt", "03_seg_sr",
					      "04_nm_pet_rrdsr", "05_transfer_syntax"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char path[1024];
		snprintf(path, sizeof path, "%s/%s", DATA_DIR, folders[i]);
		screen_folder(path, true);
	}
}

static void malformed_data_get_a_verdict(void **state)
{
	(void)state;
	require_data("06_malformed");
	screen_folder(DATA_DIR "/06_malformed", false);
	assert_true(files_refused > 0);
	must_pass = true;
	must_pass_failures = 0;
	struct stat info;
	const char *valid = DATA_DIR "/06_malformed/fuzz/BASELINE_valid_ct.dcm";
	assert_int_equal(stat(valid, &info), 0);
	screen_file(valid, &info, FTW_F, NULL);
	assert_int_equal(must_pass_failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(uid_grammar),
	    cmocka_unit_test(nesting),
	    cmocka_unit_test(nesting_in_unknown),
	    cmocka_unit_test(value_that_looks_like_a_sequence),
	    cmocka_unit_test(bomb_behind_a_fault),
	    cmocka_unit_test(lengths_and_order),
	    cmocka_unit_test(uids_against_the_command),
	    cmocka_unit_test(encapsulated_pixel_data),
	    cmocka_unit_test(every_cut_and_every_changed_byte),
	    cmocka_unit_test(real_data_pass),
	    cmocka_unit_test(malformed_data_get_a_verdict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
