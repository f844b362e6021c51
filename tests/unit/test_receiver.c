/* What the receiver decides without a network: the status table, callers, SOP classes and transfer
 * syntaxes, and the guard over PDUs and command sets. */
#include "check.h"

#include <stdlib.h>

#include "pdu_guard.h"
#include "receiver.h"
#include "storage_classes.h"

static void status_table(void **state)
{
	(void)state;
	static const uint16_t expected[RECEIVED_OUTCOMES] = {
	    [RECEIVED_STORED] = 0x0000,		[RECEIVED_PROCESSING_FAILURE] = 0x0110,
	    [RECEIVED_NO_ROOM] = 0xa700,	[RECEIVED_TOO_LARGE] = 0xa700,
	    [RECEIVED_MISMATCH] = 0xa900,	[RECEIVED_MALFORMED] = 0xc000,
	    [RECEIVED_WRONG_SOP_CLASS] = 0x0122};
	for (int i = 0; i < RECEIVED_OUTCOMES; i++) {
		assert_int_equal(received_statuses[i].dimse_status, expected[i]);
		assert_true(strlen(received_statuses[i].sender_does) > 0);
	}
}

static void addresses(void **state)
{
	(void)state;
	static const struct {
		const char *network, *address;
		bool matches;
	} rows[] = {
	    {"", "10.1.2.3", true},
	    {"10.1.2.3", "10.1.2.3", true},
	    {"10.1.2.3", "10.1.2.4", false},
	    {"10.1.2.0/24", "10.1.2.255", true},
	    {"10.1.2.0/24", "10.1.3.0", false},
	    {"10.1.2.0/25", "10.1.2.128", false},
	    {"10.1.2.128/25", "10.1.2.129", true},
	    {"0.0.0.0/0", "192.0.2.1", true},
	    {"10.1.2.3/32", "10.1.2.3", true},
	    {"10.1.2.3/33", "10.1.2.3", false},
	    {"2001:db8::/32", "2001:db8:1::5", true},
	    {"2001:db8::/32", "2001:db9::5", false},
	    {"2001:db8::/32", "32.1.13.184", false},
	    {"::1", "::1", true},
	    {"::1", "127.0.0.1", false},
	    {"rubbish", "127.0.0.1", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (receiver_address_matches(rows[i].network, rows[i].address) != rows[i].matches)
			fail_msg("%s in %s", rows[i].address, rows[i].network);
	}
}

static void callers(void **state)
{
	(void)state;
	struct config config = {.n_callers = 0};
	assert_true(receiver_knows_caller(&config, "ANY", "192.0.2.1"));
	struct config_caller list[] = {{"PACS", "10.0.0.0/8"}, {"", "192.0.2.7"}, {"SCANNER", ""}};
	config.callers = list;
	config.n_callers = 3;
	assert_true(receiver_knows_caller(&config, "PACS", "10.9.9.9"));
	assert_false(receiver_knows_caller(&config, "PACS", "11.9.9.9"));
	assert_true(receiver_knows_caller(&config, "ANY", "192.0.2.7"));
	assert_true(receiver_knows_caller(&config, "SCANNER", "11.9.9.9"));
	assert_false(receiver_knows_caller(&config, "scanner", "11.9.9.9"));
}

static void classes_and_syntaxes(void **state)
{
	(void)state;
	assert_string_equal(storage_class_name("1.2.840.10008.5.1.4.1.1.4"), "MR Image");
	assert_null(storage_class_name("1.2.840.10008.5.1.4.1.1"));
	assert_true(storage_class_is_accepted("1.2.840.10008.5.1.4.1.1.481.3", false));
	assert_false(storage_class_is_accepted("1.2.840.10008.5.1.4.1.1.77.1", false));
	assert_true(storage_class_is_accepted("1.2.840.10008.5.1.4.1.1.77.1", true));
	assert_true(storage_class_is_accepted("1.3.12.2.1107.5.9.1", true));
	assert_false(storage_class_is_accepted("1.2.840.10008.5.1.4.1.2.2.1", true)); /* a query */
	assert_false(storage_class_is_accepted("1.3..12", true));

	const char *const offered[] = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70",
				       "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"};
	const char *mr = "1.2.840.10008.5.1.4.1.1.4";
	assert_int_equal(storage_choose_syntax(mr, offered, 4), 3);
	assert_int_equal(storage_choose_syntax(mr, offered, 3), 2);
	assert_int_equal(storage_choose_syntax(mr, offered, 2), 1);
	assert_int_equal(storage_choose_syntax(mr, offered, 1), -1);
	assert_int_equal(storage_choose_syntax(VERIFICATION_SOP_CLASS_UID, offered, 2), -1);
	const char *const refused[] = {"1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
				       "1.2.840.10008.1.2.4.201"};
	assert_int_equal(storage_choose_syntax(mr, refused, 3), -1);
}

/* ---- the guard ---- */

static size_t put_pdu(uint8_t *out, uint8_t type, const void *body, size_t size)
{
	uint8_t header[6] = {
	    type,	  0, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
	    (uint8_t)size};
	memcpy(out, header, 6);
	memcpy(out + 6, body, size);
	return size + 6;
}

static size_t put_pdv(uint8_t *out, uint8_t flags, const void *bytes, size_t size)
{
	static uint8_t body[1 << 18];
	size_t length = size + 2;
	uint8_t header[6] = {(uint8_t)(length >> 24),
			     (uint8_t)(length >> 16),
			     (uint8_t)(length >> 8),
			     (uint8_t)length,
			     1,
			     flags};
	memcpy(body, header, 6);
	memcpy(body + 6, bytes, size);
	return put_pdu(out, 4, body, size + 6);
}

/* Fed in portions: the verdict may not depend on them. Returns the fault, NULL none. */
static const char *guard_says(const uint8_t *bytes, size_t size, size_t portion, bool *idle)
{
	static struct pdu_guard guard;
	pdu_guard_init(&guard, 131072);
	for (size_t at = 0; at < size; at += portion) {
		size_t part = size - at < portion ? size - at : portion;
		uint8_t *copy = malloc(part);
		assert_non_null(copy);
		memcpy(copy, bytes + at, part);
		bool fine = pdu_guard_feed(&guard, copy, part);
		free(copy);
		assert_int_equal(fine, guard.fault == NULL);
		if (!fine)
			break;
	}
	*idle = pdu_guard_is_idle(&guard);
	return guard.fault;
}

static void expect_guard(const uint8_t *bytes, size_t size, const char *fault, bool idle)
{
	static const size_t portions[] = {1, 2, 3, 7, 4096, 1 << 20};
	for (size_t i = 0; i < sizeof portions / sizeof *portions; i++) {
		bool is_idle;
		const char *says = guard_says(bytes, size, portions[i], &is_idle);
		if ((says == NULL) != (fault == NULL) ||
		    (fault != NULL && strstr(says, fault) == NULL))
			fail_msg("the guard says \"%s\", expected \"%s\", in portions of %zu",
				 says != NULL ? says : "", fault != NULL ? fault : "", portions[i]);
		if (fault == NULL)
			assert_int_equal(is_idle, idle);
	}
}

/* (0000,0800) 0101 and (0000,0800) 0001 */
static const uint8_t without_data[] = {0, 0, 0, 8, 2, 0, 0, 0, 1, 1};
static const uint8_t with_data[] = {0, 0, 0, 8, 2, 0, 0, 0, 1, 0};

static void guard_follows_messages(void **state)
{
	(void)state;
	static uint8_t bytes[1 << 18];
	size_t size = put_pdu(bytes, 1, bytes + 1000, 200);
	expect_guard(bytes, size, NULL, true);
	expect_guard(bytes, size - 1, NULL, false);
	size += put_pdv(bytes + size, 3, without_data, sizeof without_data);
	expect_guard(bytes, size, NULL, true);
	size += put_pdv(bytes + size, 1, with_data, 4);
	expect_guard(bytes, size, NULL, false);
	size += put_pdv(bytes + size, 3, with_data + 4, sizeof with_data - 4);
	expect_guard(bytes, size, NULL, false); /* its data set is to come */
	size += put_pdv(bytes + size, 0, bytes, 70000);
	expect_guard(bytes, size, NULL, false);
	size += put_pdv(bytes + size, 2, bytes, 0);
	expect_guard(bytes, size, NULL, true);
	size += put_pdu(bytes + size, 5, "\0\0\0\0", 4);
	expect_guard(bytes, size, NULL, true);
}

static void expect_command_fault(const uint8_t *command, size_t size, const char *fault)
{
	static uint8_t bytes[1 << 16];
	/* None of them says that there is no data set. */
	expect_guard(bytes, put_pdv(bytes, 3, command, size), fault, false);
}

static void guard_refuses_commands(void **state)
{
	(void)state;
	static const uint8_t sequence[] = {0,	 0,    5,    0x10, 8, 0, 0, 0,
					   0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0};
	static const uint8_t undefined[] = {0, 0, 5, 0x10, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t other_group[] = {8, 0, 0x16, 0, 0, 0, 0, 0};
	static uint8_t many[8 * (PDU_GUARD_MAX_ELEMENTS + 1)], large[PDU_GUARD_MAX_COMMAND + 1];
	expect_command_fault(sequence, sizeof sequence, "sequence");
	expect_command_fault(undefined, sizeof undefined, "length that leaves it");
	expect_command_fault(other_group, sizeof other_group, "outside group 0000");
	expect_command_fault(with_data, 7, "cut off");
	expect_command_fault(with_data, 9, "length that leaves it");
	expect_command_fault(many, sizeof many, "too many elements");
	expect_command_fault(many, sizeof many - 8, NULL);
	expect_command_fault(large, sizeof large, "too long");
}

static void guard_refuses_framing(void **state)
{
	(void)state;
	static uint8_t bytes[1 << 18];
	expect_guard((const uint8_t *)"GET / HTTP/1.1\r\n", 16, "not a DICOM PDU", false);
	expect_guard((const uint8_t *)"\1\0\xff\xff\xff\0", 6, "A-ASSOCIATE PDU too long", false);
	expect_guard((const uint8_t *)"\4\0\0\2\0\1", 6, "longer than offered", false);
	expect_guard((const uint8_t *)"\5\0\0\0\0\5", 6, "wrong length", false);
	expect_guard((const uint8_t *)"\4\0\0\0\0\12\0\0\1\0\1\0", 12, "leaves its PDU", false);
	expect_guard((const uint8_t *)"\4\0\0\0\0\12\0\0\0\1\1\0", 12, "leaves its PDU", false);
	expect_guard((const uint8_t *)"\4\0\0\0\0\3\0\0\0", 9, "cut off inside a PDV", false);
	expect_guard(bytes, sizeof bytes, "not a DICOM PDU", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_table),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(callers),
	    cmocka_unit_test(classes_and_syntaxes),
	    cmocka_unit_test(guard_follows_messages),
	    cmocka_unit_test(guard_refuses_commands),
	    cmocka_unit_test(guard_refuses_framing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
