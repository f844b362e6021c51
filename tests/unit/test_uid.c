/* UIDs and digests against hashes worked out elsewhere (sha256sum; python's hashlib and big
 * integers). */
#include "check.h"

#include <stdlib.h>

#include "uid.h"

static void test_digest_of_known_texts(void **state)
{
	char hex[65];
	struct digest *digest = digest_new();

	(void)state;
	/* FIPS 180-2, appendix B.1 */
	digest_bytes(digest, "abc", 3);
	digest_finish(digest, hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

	digest = digest_new();
	digest_finish(digest, hex);
	assert_string_equal(hex,
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_texts_do_not_run_together(void **state)
{
	char one[65], other[65];
	struct digest *digest = digest_new();

	(void)state;
	digest_text(digest, "a");
	digest_text(digest, "bc");
	digest_finish(digest, one);
	digest = digest_new();
	digest_text(digest, "ab");
	digest_text(digest, "c");
	digest_finish(digest, other);
	assert_string_not_equal(one, other);
}

static void test_every_nan_is_one(void **state)
{
	char one[65], other[65];
	struct digest *digest = digest_new();

	(void)state;
	digest_double(digest, NAN);
	digest_finish(digest, one);
	digest = digest_new();
	digest_double(digest, -NAN);
	digest_finish(digest, other);
	assert_string_equal(one, other);
}

/* python: d = bytearray(sha256(b'job\0purpose').digest()[:16]); d[6] = d[6] & 15 | 128; d[8] = d[8]
 * & 63 | 128; '2.25.%d' % int.from_bytes(d, 'big') */
static void test_uid_is_the_decimal_uuid(void **state)
{
	char uid[65];

	(void)state;
	uid_derive(uid, "job", "purpose");
	assert_string_equal(uid, "2.25.56602654526754926316172860814894969668");
	uid_derive(uid, "99HOLMIA", "coding-scheme");
	assert_string_equal(uid, "2.25.69764653080492867658739909954580475364");
}

static void test_uids_differ_by_job_and_purpose(void **state)
{
	char a[65], b[65], c[65], again[65];

	(void)state;
	uid_derive(a, "job 1", "sr-instance");
	uid_derive(b, "job 2", "sr-instance");
	uid_derive(c, "job 1", "sr-series");
	uid_derive(again, "job 1", "sr-instance");
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
	assert_string_equal(a, again);
}

/* PS3.5 9.1: at most 64 characters, no component with a leading zero, digits and dots. */
static void test_uids_are_valid(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		char uid[65], job[20];
		snprintf(job, sizeof job, "job %d", i);
		uid_derive(uid, job, "x");
		assert_true(strlen(uid) <= 64 && strlen(uid) > 30);
		assert_int_equal(strspn(uid, "0123456789."), strlen(uid));
		assert_int_equal(strncmp(uid, "2.25.", 5), 0);
		assert_int_not_equal(uid[5], '0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_digest_of_known_texts),
	    cmocka_unit_test(test_texts_do_not_run_together),
	    cmocka_unit_test(test_every_nan_is_one),
	    cmocka_unit_test(test_uid_is_the_decimal_uuid),
	    cmocka_unit_test(test_uids_differ_by_job_and_purpose),
	    cmocka_unit_test(test_uids_are_valid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
