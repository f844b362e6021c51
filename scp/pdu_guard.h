/* pdu_guard.h - a look at the bytes of an association before DCMTK gets them.
 *
 * DCMTK parses a command set (PS3.7 6.3) with the same recursive reader as data sets: nested
 * sequences in a command for a Verification context end the process before any data set exists.
 * Command sets have no sequences, so a command is refused here when it is longer than
 * PDU_GUARD_MAX_COMMAND, holds an element outside group 0000, an undefined length, a length that
 * leaves the command, more than PDU_GUARD_MAX_ELEMENTS elements, or a value that begins with an
 * item tag. The framing around it (PS3.8 9.3) is followed as well: PDU types and lengths, PDV
 * lengths. Data set bytes are only counted.
 *
 * Fed with what was read from the connection, in any portions; a pure function of these bytes. The
 * last byte of a command is looked at before it is handed on, so DCMTK never sees a whole bad
 * command. */
#ifndef PDU_GUARD_H
#define PDU_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PDU_GUARD_MAX_COMMAND	16384
#define PDU_GUARD_MAX_ELEMENTS	64
#define PDU_GUARD_MAX_ASSOCIATE 65536 /* A-ASSOCIATE-RQ and -AC */

struct pdu_guard {
	uint32_t
	    max_data_pdu; /* bytes behind the PDU header of a P-DATA-TF that this side offered */
	uint32_t pdu_left, pdv_left;
	uint8_t header[6]; /* of the PDU or the PDV at hand */
	uint8_t header_filled;
	uint8_t pdu_type; /* 0: between PDUs */
	bool command, last_fragment;
	bool message_open; /* a command came, and its data set, if it has one, is not finished */
	uint32_t command_size;
	uint8_t command_bytes[PDU_GUARD_MAX_COMMAND];
	const char *fault; /* words; NULL while all is well */
};

void pdu_guard_init(struct pdu_guard *guard, uint32_t max_data_pdu);

/* False as soon as something is wrong, and ever after. */
bool pdu_guard_feed(struct pdu_guard *guard, const uint8_t *bytes, size_t size);

/* Nothing is half received: a good moment to stop. */
bool pdu_guard_is_idle(const struct pdu_guard *guard);

#ifdef __cplusplus
}
#endif
#endif
