/* association.h - the wall to DCMTK's dcmnet: one association, seen from C.
 *
 * As acceptor on a connection that somebody else accepted, as requestor towards a destination. Both
 * set TCP_NODELAY, re-arm TCP_QUICKACK before every read (the kernel clears it), write each PDU at
 * once, and pass every byte through pdu_guard before DCMTK sees it. Reverse name look-ups are off.
 * Sizes: P-DATA-TF PDUs up to ASSOCIATION_MAX_PDU are offered.
 *
 *   association_accept --> association_next --> ECHO: association_answer_echo -----------+
 *        |                    ^    |    |       STORE: association_receive, then         |
 *        |                    |    |    |              association_answer_store ----------+
 *        v                    +----|----+------------------------------------------------+
 *   (rejected)                     v
 *                            RELEASED (answered already) or a status: association_free
 *
 * Not supported: TLS, user identity, asynchronous operations, SCU/SCP role selection, any DIMSE
 * service but C-ECHO and C-STORE.
 *
 * Thread rule: one association per process at a time (DCMTK's socket hand-over is a global). */
#ifndef HOLMIA_ASSOCIATION_H /* DCMTK has an ASSOCIATION_H */
#define HOLMIA_ASSOCIATION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSOCIATION_MAX_PDU  131072
#define ASSOCIATION_QUIET_MS 20

struct association; /* owned by whoever accepted or opened it */

/* Time and bytes one association may take. A read that exceeds them ends it. */
struct association_limits {
	double request_timeout_s; /* for the A-ASSOCIATE-RQ, or for connecting */
	double idle_timeout_s;	  /* without a byte */
	double total_timeout_s;	  /* of the whole association */
	uint64_t max_bytes;	  /* received */
	/* Set by a signal: a read between two messages ends the association; one in mid-message
	 * gets 3 s more. NULL: none. */
	const volatile sig_atomic_t *stop;
	/* Called when the peer has sent nothing for ASSOCIATION_QUIET_MS, once per pause; NULL
	 * none. */
	void (*quiet)(void *user);
	void *user;
};

enum association_admission {
	ASSOCIATION_ADMIT,
	ASSOCIATION_UNKNOWN_CALLED_AE,	/* rejected permanently: called AE title not recognised */
	ASSOCIATION_UNKNOWN_CALLING_AE, /* rejected permanently: calling AE title not recognised */
	ASSOCIATION_OVER_LIMIT		/* rejected for now: local limit exceeded */
};

enum { ASSOCIATION_NO_SOP_CLASS = -1, ASSOCIATION_NO_TRANSFER_SYNTAX = -2 };

/* What the acceptor decides. */
struct association_policy {
	enum association_admission (*admit)(void *user, const char *calling_ae,
					    const char *called_ae);
	/* Index of the transfer syntax to accept, or one of the two above. */
	int (*choose)(void *user, const char *sop_class_uid,
		      const char *const *transfer_syntax_uids, int count);
	void *user;
};

/* Negotiates on fd, which belongs to the association from here on, also on failure. STATUS_REFUSE
 * with words: rejected by policy, or the peer did not speak DICOM in time. */
enum status_code association_accept(struct association **association, int fd,
				    const struct association_policy *policy,
				    const struct association_limits *limits,
				    struct status *st) STATUS_CHECKED;

const char *association_calling_ae(const struct association *association);
const char *association_called_ae(const struct association *association);

enum association_event { ASSOCIATION_ECHO, ASSOCIATION_STORE, ASSOCIATION_RELEASED };

/* A C-STORE-RQ. UIDs as the peer sent them: not checked yet. */
struct association_store {
	char sop_class_uid[65], sop_instance_uid[65];
	char context_sop_class_uid[65], transfer_syntax_uid[65]; /* of its presentation context */
};

/* Waits for the next request. STATUS_REFUSE with words: the peer aborted, closed, broke a rule or a
 * limit; the association has been aborted. */
enum status_code association_next(struct association *association, enum association_event *event,
				  struct association_store *store,
				  struct status *st) STATUS_CHECKED;

/* Hands the data set of the C-STORE at hand to sink, fragment by fragment as they come. sink cannot
 * stop the stream. */
typedef void association_sink(void *user, const void *bytes, size_t size);
enum status_code association_receive(struct association *association, association_sink *sink,
				     void *user, struct status *st) STATUS_CHECKED;

enum status_code association_answer_echo(struct association *association,
					 struct status *st) STATUS_CHECKED;
/* comment: words for Error Comment (0000,0902), cut at 64 bytes; NULL or "" none. */
enum status_code association_answer_store(struct association *association, uint16_t dimse_status,
					  const char *comment, struct status *st) STATUS_CHECKED;

/* Requestor: proposes Verification and each SOP class in Explicit VR Little Endian. STATUS_RETRY:
 * no connection, no answer in time, or a transient rejection; STATUS_REFUSE: rejected for good (the
 * text names the reason). */
struct association_peer {
	const char *host;
	int port;
	const char *calling_ae, *called_ae;
};
enum status_code association_open(struct association **association,
				  const struct association_peer *peer,
				  const char *const *sop_class_uids, int count,
				  const struct association_limits *limits,
				  struct status *st) STATUS_CHECKED;

/* C-ECHO; STATUS_RETRY when it is not answered with success. */
enum status_code association_echo(struct association *association,
				  struct status *st) STATUS_CHECKED;

/* Sends a DICOM file (Explicit VR Little Endian). STATUS_OK: *dimse_status is the answer, comment
 * its Error Comment ("" none). STATUS_REFUSE: the file cannot be read, or the peer did not accept
 * its SOP class; STATUS_RETRY: the connection failed. */
enum status_code association_store_file(struct association *association, const char *path,
					const char *sop_class_uid, const char *sop_instance_uid,
					uint16_t *dimse_status, char comment[65],
					struct status *st) STATUS_CHECKED;

/* Requestor: releases in order when it still can. */
void association_release(struct association *association);

/* Aborts what is still open, closes, frees; NULL is fine. */
void association_free(struct association *association);

#ifdef __cplusplus
}
#endif
#endif
