/* outbox.h - results on their way to the destinations.
 *
 *   queued --outbox_claim--> sending --outbox_sent--> done     (0000, or a warning Bxxx, kept)
 *     ^                         |--outbox_retry--> queued      (not before now + base * attempts^2,
 *     |                         |                               +-20 % jitter), past its expiry
 * failed |                         |--outbox_fail--> failed       (Cxxx, A900, 0122: trying again
 * cannot |                                                         help); `holmia resend` queues it
 * again
 *     +------ outbox_recover (at start: what was sending when the sender died)
 *
 * What is true: one row per result object and destination, made in the transaction that ends the
 * job; never dropped, whatever becomes of it. attempts counts claims. A failed row raises the alarm
 * "delivery <id>", which is cleared when it is sent at last. Only one process claims (the sender).
 * Times are UTC seconds. Statuses as in store.h. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "store.h"

enum outbox_state { OUTBOX_QUEUED, OUTBOX_SENDING, OUTBOX_DONE, OUTBOX_FAILED };

struct outbox_entry {
	int64_t id;
	char destination[33];
	char sop_class_uid[65], sop_instance_uid[65];
	char path[1024]; /* DICOM file with meta header, Explicit VR Little Endian */
	int attempts;	 /* this one included */
	double queued_s; /* UTC seconds */
};

/* Adds a row for one destination; known (destination, SOP instance) pairs are left as they are.
 * Part of the caller's transaction. */
enum status_code outbox_add(struct store *store, const char *destination, const char *job_hash,
			    const char *sop_class_uid, const char *sop_instance_uid,
			    const char *path, double now_s, struct status *st) STATUS_CHECKED;

/* Claims up to max due rows of one destination; *count 0: nothing is due, *next_due_s says when
 * (NaN: never). The destination with the fewest failed attempts comes first, then the one with the
 * oldest row, so that one that cannot be reached does not keep the others waiting; its rows in the
 * same order, so that one which breaks the association does not keep the others back. */
enum status_code outbox_claim(struct store *store, struct outbox_entry *entries, int max,
			      int *count, double now_s, double *next_due_s,
			      struct status *st) STATUS_CHECKED;
enum status_code outbox_sent(struct store *store, int64_t id, int dimse_status, double now_s,
			     struct status *st) STATUS_CHECKED;
/* base_s: first pause; expiry_s after it was queued the delivery fails. */
enum status_code outbox_retry(struct store *store, int64_t id, const char *why, double base_s,
			      double expiry_s, double now_s, struct status *st) STATUS_CHECKED;
enum status_code outbox_fail(struct store *store, int64_t id, const char *why, double now_s,
			     struct status *st) STATUS_CHECKED;
enum status_code outbox_recover(struct store *store, struct status *st) STATUS_CHECKED;
/* Queues one row again, whatever its state, or (-1) all failed ones; expiry starts anew. *count
 * says how many; STATUS_REFUSE: no such id. */
enum status_code outbox_resend(struct store *store, int64_t id_or_all, int *count, double now_s,
			       struct status *st) STATUS_CHECKED;

struct outbox_row {
	int64_t id;
	enum outbox_state state;
	char destination[33], job_hash[65], sop_class_uid[65], sop_instance_uid[65], why[512];
	int attempts, dimse_status;	       /* dimse_status -1: none yet */
	double queued_s, not_before_s, sent_s; /* NaN: not yet */
};
/* with_done false: only what is still on its way or failed. Oldest first; malloc'd for the caller.
 */
enum status_code outbox_list(struct outbox_row **rows, int *count, struct store *store,
			     bool with_done, struct status *st) STATUS_CHECKED;

const char *outbox_state_name(enum outbox_state state); /* "queued", "sending", "done", "failed" */

#endif
