/* sender.c - delivers the outbox: one association per batch of one destination. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "association.h"
#include "dataset.h"
#include "log.h"
#include "outbox.h"
#include "process.h"

#define BATCH		  16
#define POLL_MS		  1000
#define CONNECT_TIMEOUT_S 10
#define ANSWER_TIMEOUT_S  120
#define TOTAL_TIMEOUT_S	  3600

struct delivery {
	const struct config *config;
	struct store *store;
	struct outbox_entry entries[BATCH];
	int count;
};

/* What became of one entry, and the one call that says so to the outbox. */
enum outcome { OUTCOME_SENT, OUTCOME_RETRY, OUTCOME_FAILED };

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static const struct config_destination *find_destination(const struct config *config,
							 const char *name)
{
	for (int i = 0; i < config->n_destinations; i++) {
		if (strcmp(config->destinations[i].name, name) == 0)
			return &config->destinations[i];
	}
	return NULL;
}

/* PS3.4 B.2.3: stored, or stored with a remark; not this object, ever; anything else may be
 * different tomorrow. */
static enum outcome judge(uint16_t dimse_status)
{
	if (dimse_status == 0x0000 || (dimse_status & 0xf000) == 0xb000)
		return OUTCOME_SENT;
	if ((dimse_status & 0xf000) == 0xc000 || (dimse_status & 0xff00) == 0xa900 ||
	    dimse_status == 0x0122)
		return OUTCOME_FAILED;
	return OUTCOME_RETRY;
}

static void record_outcome(const struct delivery *delivery, const struct outbox_entry *entry,
			   enum outcome outcome, int dimse_status, const char *why)
{
	struct status st = STATUS_INIT;
	enum status_code code;
	const struct config *config = delivery->config;
	if (outcome == OUTCOME_SENT)
		code = outbox_sent(delivery->store, entry->id, dimse_status, now_s(), &st);
	else if (outcome == OUTCOME_FAILED)
		code = outbox_fail(delivery->store, entry->id, why, now_s(), &st);
	else
		code = outbox_retry(delivery->store, entry->id, why, config->retry_base_s,
				    config->retry_expiry_h * 3600, now_s(), &st);
	/* The row stays "sending" then, and is sent again when the sender starts next. */
	if (code != STATUS_OK)
		log_line(LOG_ERROR_LINE, "outbox", "id=%lld why=\"%s\"", (long long)entry->id,
			 st.text);
	if (outcome == OUTCOME_SENT)
		log_line(LOG_INFO_LINE, "sent",
			 "destination=%s sop_instance=%s status=%04x seconds_in_outbox=%.3f",
			 entry->destination, entry->sop_instance_uid, (unsigned)dimse_status,
			 now_s() - entry->queued_s);
	else
		log_line(outcome == OUTCOME_FAILED ? LOG_ERROR_LINE : LOG_WARN_LINE,
			 outcome == OUTCOME_FAILED ? "not-sent" : "send-later",
			 "destination=%s sop_instance=%s attempts=%d why=\"%s\"",
			 entry->destination, entry->sop_instance_uid, entry->attempts, why);
}

/* From the first-th entry on, all the same. */
static void record_rest(const struct delivery *delivery, int first, enum outcome outcome,
			const char *why)
{
	for (int i = first; i < delivery->count; i++)
		record_outcome(delivery, &delivery->entries[i], outcome, -1, why);
}

/* Each class once: a presentation context per class. */
static int collect_classes(const struct delivery *delivery, const char *classes[BATCH])
{
	int count = 0;
	for (int i = 0; i < delivery->count; i++) {
		bool known = false;
		for (int k = 0; k < count && !known; k++)
			known = strcmp(classes[k], delivery->entries[i].sop_class_uid) == 0;
		if (!known)
			classes[count++] = delivery->entries[i].sop_class_uid;
	}
	return count;
}

static void send_entries(const struct delivery *delivery, struct association *association)
{
	for (int i = 0; i < delivery->count; i++) {
		const struct outbox_entry *entry = &delivery->entries[i];
		struct status st = STATUS_INIT;
		uint16_t dimse_status = 0;
		char comment[65], why[160];
		enum status_code code =
		    association_store_file(association, entry->path, entry->sop_class_uid,
					   entry->sop_instance_uid, &dimse_status, comment, &st);
		if (code == STATUS_OK) {
			snprintf(why, sizeof why, "C-STORE answered with %04x %s", dimse_status,
				 comment);
			record_outcome(delivery, entry, judge(dimse_status), dimse_status, why);
		} else if (code == STATUS_REFUSE) {
			record_outcome(delivery, entry, OUTCOME_FAILED, -1, st.text);
		} else {
			/* Stopping: the rows stay "sending" and are queued again at the next start.
			 */
			if (!process_stop)
				record_rest(delivery, i, OUTCOME_RETRY, st.text);
			return;
		}
	}
	association_release(association);
}

static void deliver(const struct delivery *delivery)
{
	const struct config *config = delivery->config;
	const struct config_destination *destination =
	    find_destination(config, delivery->entries[0].destination);
	if (destination == NULL) {
		record_rest(delivery, 0, OUTCOME_FAILED,
			    "destination is no longer in the configuration");
		return;
	}
	const struct association_peer peer = {.host = destination->host,
					      .port = destination->port,
					      .calling_ae = config->ae_title,
					      .called_ae = destination->ae_title};
	const struct association_limits limits = {.request_timeout_s = CONNECT_TIMEOUT_S,
						  .idle_timeout_s = ANSWER_TIMEOUT_S,
						  .total_timeout_s = TOTAL_TIMEOUT_S,
						  .max_bytes = UINT64_MAX,
						  .stop = &process_stop};
	const char *classes[BATCH];
	int n_classes = collect_classes(delivery, classes);
	struct association *association = NULL;
	struct status st = STATUS_INIT;
	/* A rejection is a matter of settings at either end, which somebody may repair: tried again
	 * as well. */
	if (association_open(&association, &peer, classes, n_classes, &limits, &st) != STATUS_OK) {
		if (!process_stop)
			record_rest(delivery, 0, OUTCOME_RETRY, st.text);
		return;
	}
	send_entries(delivery, association);
	association_free(association);
}

int sender_main(const struct config *config, const struct wake_pipes *wake)
{
	struct status st = STATUS_INIT;
	struct delivery delivery = {.config = config};
	if (dataset_library_init(&st) != STATUS_OK ||
	    store_open(&delivery.store, config->spool, &st) != STATUS_OK ||
	    outbox_recover(delivery.store, &st) != STATUS_OK) {
		log_line(LOG_ERROR_LINE, "sender", "cannot start: %s", st.text);
		store_close(delivery.store);
		return 1;
	}
	while (!process_stop) {
		double next_due_s = NAN;
		if (outbox_claim(delivery.store, delivery.entries, BATCH, &delivery.count, now_s(),
				 &next_due_s, &st) != STATUS_OK) {
			log_line(LOG_ERROR_LINE, "outbox", "why=\"%s\"", st.text);
			status_clear(&st);
			delivery.count = 0;
		}
		if (delivery.count > 0) {
			deliver(&delivery);
			continue;
		}
		double wait_ms = (next_due_s - now_s()) * 1000 + 1;
		process_wait(wake->sender[0], -1,
			     wait_ms > 0 && wait_ms < POLL_MS ? (int)wait_ms : POLL_MS);
	}
	store_close(delivery.store);
	return 0;
}
