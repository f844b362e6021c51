/* outbox.h - results on their way to the destinations.
 *
 *   queued --outbox_claim--> sending --outbox_sent--> done          (status 0000 or a warning Bxxx, kept)
 *     ^                         |--outbox_retry--> queued (not before t0 + base * attempts^2, jitter) or, past its expiry, failed
 *     |                         |--outbox_fail--> failed (Cxxx, A900, 0122: trying again cannot help); visible, `holmia resend` queues it again
 *     +------ outbox_recover (at start: what was sending when the node died) 
 *
 * One row per result object and destination. Never dropped. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "store.h"

struct outbox_entry {
	int64_t id;
	char destination[33];
	char sop_class_uid[65], sop_instance_uid[65];
	char path[1024];   /* DICOM file with meta header, Explicit VR Little Endian */
	int attempts;
	double queued_s;   /* UTC seconds */
};

/* Adds a row for each destination name; part of the caller's transaction. */
enum status_code outbox_add(struct store *store, const char *destination, const char *job_hash,
                            const char *sop_class_uid, const char *sop_instance_uid, const char *path,
                            double now_s, struct status *st) STATUS_CHECKED;

/* Claims up to max due rows of one destination, oldest first; *count 0: nothing is due, *next_due_s says when (NaN: never). */
enum status_code outbox_claim(struct store *store, struct outbox_entry *entries, int max, int *count,
                              double now_s, double *next_due_s, struct status *st) STATUS_CHECKED;
enum status_code outbox_sent(struct store *store, int64_t id, int dimse_status, double now_s, struct status *st) STATUS_CHECKED;
enum status_code outbox_retry(struct store *store, int64_t id, const char *why, double base_s, double expiry_s,
                              double now_s, struct status *st) STATUS_CHECKED;
enum status_code outbox_fail(struct store *store, int64_t id, const char *why, double now_s, struct status *st) STATUS_CHECKED;
enum status_code outbox_recover(struct store *store, struct status *st) STATUS_CHECKED;
enum status_code outbox_resend(struct store *store, int64_t id_or_all, int *count, double now_s, struct status *st) STATUS_CHECKED; /* -1: all failed */

#endif
