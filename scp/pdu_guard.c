#include "pdu_guard.h"

#include <string.h>

#define PDU_ASSOCIATE_RQ 1
#define PDU_ASSOCIATE_AC 2
#define PDU_ASSOCIATE_RJ 3
#define PDU_DATA	 4
#define PDU_RELEASE_RQ	 5
#define PDU_RELEASE_RP	 6
#define PDU_ABORT	 7

#define COMMAND_DATA_SET_TYPE 0x0800
#define NO_DATA_SET	      0x0101

static uint16_t little_u16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t big_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

void pdu_guard_init(struct pdu_guard *guard, uint32_t max_data_pdu)
{
	memset(guard, 0, offsetof(struct pdu_guard, command_bytes));
	guard->fault = NULL;
	guard->max_data_pdu = max_data_pdu;
}

/* A whole command set: Implicit VR Little Endian, group 0000 only, nothing nested. */
static const char *command_fault(struct pdu_guard *guard)
{
	static const uint8_t item[4] = {0xfe, 0xff, 0x00, 0xe0},
			     swapped[4] = {0xff, 0xfe, 0xe0, 0x00};
	uint32_t at = 0;
	guard->message_open = true;
	for (int elements = 0; at < guard->command_size; elements++) {
		const uint8_t *element = guard->command_bytes + at;
		if (elements >= PDU_GUARD_MAX_ELEMENTS)
			return "command set with too many elements";
		if (guard->command_size - at < 8)
			return "command set cut off inside an element";
		uint32_t length = little_u16(element + 4) | (uint32_t)little_u16(element + 6) << 16;
		if (little_u16(element) != 0x0000)
			return "command set with an element outside group 0000";
		if (length > guard->command_size - at - 8)
			return "command set with a length that leaves it";
		if (length >= 8 &&
		    (memcmp(element + 8, item, 4) == 0 || memcmp(element + 8, swapped, 4) == 0))
			return "command set with a sequence";
		if (little_u16(element + 2) == COMMAND_DATA_SET_TYPE && length == 2)
			guard->message_open = little_u16(element + 8) != NO_DATA_SET;
		at += 8 + length;
	}
	return NULL;
}

static const char *begin_pdu(struct pdu_guard *guard)
{
	guard->pdu_type = guard->header[0];
	guard->pdu_left = big_u32(guard->header + 2);
	switch (guard->pdu_type) {
	case PDU_ASSOCIATE_RQ:
	case PDU_ASSOCIATE_AC:
		return guard->pdu_left > PDU_GUARD_MAX_ASSOCIATE ? "A-ASSOCIATE PDU too long"
								 : NULL;
	case PDU_DATA:
		return guard->pdu_left > guard->max_data_pdu ? "P-DATA-TF PDU longer than offered"
							     : NULL;
	case PDU_ASSOCIATE_RJ:
	case PDU_RELEASE_RQ:
	case PDU_RELEASE_RP:
	case PDU_ABORT:
		return guard->pdu_left != 4 ? "PDU of a wrong length" : NULL;
	default:
		return "not a DICOM PDU";
	}
}

static const char *begin_pdv(struct pdu_guard *guard)
{
	uint32_t length = big_u32(guard->header);
	if (length < 2 || length - 2 > guard->pdu_left)
		return "PDV length leaves its PDU";
	guard->pdv_left = length - 2;
	guard->command = (guard->header[5] & 1) != 0;
	guard->last_fragment = (guard->header[5] & 2) != 0;
	if (guard->command && guard->pdv_left > PDU_GUARD_MAX_COMMAND - guard->command_size)
		return "command set too long";
	return NULL;
}

static const char *end_pdv(struct pdu_guard *guard)
{
	const char *fault = NULL;
	if (!guard->last_fragment)
		return NULL;
	if (guard->command) {
		fault = command_fault(guard);
		guard->command_size = 0;
	} else {
		guard->message_open = false;
	}
	return fault;
}

/* Collects the 6 bytes of a PDU or PDV header; true when they are complete. */
static bool fill_header(struct pdu_guard *guard, const uint8_t **bytes, size_t *size)
{
	while (guard->header_filled < 6 && *size > 0) {
		guard->header[guard->header_filled++] = *(*bytes)++;
		--*size;
	}
	if (guard->header_filled < 6)
		return false;
	guard->header_filled = 0;
	return true;
}

static const char *feed_data(struct pdu_guard *guard, const uint8_t **bytes, size_t *size)
{
	if (guard->pdv_left == 0) {
		/* Between PDVs of a P-DATA-TF. */
		if (guard->pdu_left < 6)
			return "P-DATA-TF PDU cut off inside a PDV";
		if (!fill_header(guard, bytes, size))
			return NULL;
		guard->pdu_left -= 6;
		const char *fault = begin_pdv(guard);
		if (fault != NULL || guard->pdv_left > 0)
			return fault;
		return end_pdv(guard);
	}
	uint32_t part = *size < guard->pdv_left ? (uint32_t)*size : guard->pdv_left;
	if (guard->command) {
		memcpy(guard->command_bytes + guard->command_size, *bytes, part);
		guard->command_size += part;
	}
	*bytes += part;
	*size -= part;
	guard->pdv_left -= part;
	guard->pdu_left -= part;
	return guard->pdv_left == 0 ? end_pdv(guard) : NULL;
}

bool pdu_guard_feed(struct pdu_guard *guard, const uint8_t *bytes, size_t size)
{
	while (size > 0 && guard->fault == NULL) {
		if (guard->pdu_type == 0) {
			if (!fill_header(guard, &bytes, &size))
				break;
			guard->fault = begin_pdu(guard);
		} else if (guard->pdu_type == PDU_DATA) {
			guard->fault = feed_data(guard, &bytes, &size);
		} else {
			uint32_t part = size < guard->pdu_left ? (uint32_t)size : guard->pdu_left;
			bytes += part;
			size -= part;
			guard->pdu_left -= part;
		}
		if (guard->fault == NULL && guard->pdu_left == 0 && guard->pdv_left == 0 &&
		    guard->header_filled == 0)
			guard->pdu_type = 0;
	}
	return guard->fault == NULL;
}

bool pdu_guard_is_idle(const struct pdu_guard *guard)
{
	return guard->pdu_type == 0 && guard->header_filled == 0 && guard->command_size == 0 &&
	       !guard->message_open;
}
