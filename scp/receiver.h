/* receiver.h - what a received instance is answered with: the one table of C-STORE status codes.
 *
 * The status tells the sender what to do; the words go into Error Comment (0000,0902) and the log.
 * Every answer starts as RECEIVED_PROCESSING_FAILURE and becomes RECEIVED_STORED in one place,
 * behind the flush of the log. */
#ifndef RECEIVER_H
#define RECEIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

enum received {
	RECEIVED_STORED,
	RECEIVED_PROCESSING_FAILURE, /* nothing better is known */
	RECEIVED_NO_ROOM,	     /* disk full, or the log failed: try again later */
	RECEIVED_TOO_LARGE, /* longer than max-instance-mb, or the association's share is used up */
	RECEIVED_MISMATCH,  /* SOP class or instance of the data set differ from the command's */
	RECEIVED_MALFORMED, /* the screen refuses it, or a UID of the command is none */
	RECEIVED_WRONG_SOP_CLASS, /* the command's class is not that of its presentation context */
	RECEIVED_OUTCOMES
};

struct received_status {
	uint16_t dimse_status;
	const char *sender_does; /* what the status asks for */
};

extern const struct received_status received_statuses[RECEIVED_OUTCOMES];

/* Whether a caller (AE title and numeric address) is one of the configured ones; everyone is when
 * none is configured. */
bool receiver_knows_caller(const struct config *config, const char *calling_ae,
			   const char *address);

/* Whether address lies in network: "" any, an address, or ADDRESS/BITS; IPv4 and IPv6. */
bool receiver_address_matches(const char *network, const char *address);

#endif
