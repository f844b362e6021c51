#define _GNU_SOURCE /* prctl */
#include "receiver.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "association.h"
#include "log.h"
#include "process.h"
#include "reception_log.h"
#include "screen.h"
#include "storage_classes.h"

#define REQUEST_TIMEOUT_S 10
#define WAKE_INTERVAL_S	  1

/* PS3.4 B.2.3 and PS3.7 annex C. */
const struct received_status received_statuses[RECEIVED_OUTCOMES] = {
    [RECEIVED_STORED] = {0x0000, "nothing: it is on stable storage"},
    [RECEIVED_PROCESSING_FAILURE] = {0x0110, "try again, then ask"},
    [RECEIVED_NO_ROOM] = {0xa700, "try again later"},
    [RECEIVED_TOO_LARGE] = {0xa700, "ask the administrator to raise the limit"},
    [RECEIVED_MISMATCH] = {0xa900, "repair the object"},
    [RECEIVED_MALFORMED] = {0xc000, "repair the object"},
    [RECEIVED_WRONG_SOP_CLASS] = {0x0122, "negotiate the SOP class"},
};

struct receiver {
	const struct config *config;
	const struct wake_pipes *wake;
	const char *peer_address;
	bool over_limit;
	struct association *association;
	struct log_writer *writer;
	uint64_t received_bytes; /* data sets of the association */
	int stored, refused;
	char last_stored[32]; /* UTC, when the last success was sent; for the log */
	bool news;	      /* stored since the indexer was woken last */
	double woken_s;
};

/* The instance at hand while its data set comes in. */
struct reception {
	struct receiver *receiver;
	uint64_t size;
	bool recording;
	enum received outcome;
	struct status fault;
};

bool receiver_address_matches(const char *network, const char *address)
{
	if (network[0] == '\0')
		return true;
	char base[64];
	snprintf(base, sizeof base, "%s", network);
	char *slash = strchr(base, '/');
	if (slash != NULL)
		*slash++ = '\0';
	int family = strchr(base, ':') != NULL ? AF_INET6 : AF_INET;
	uint8_t a[16], b[16];
	if (inet_pton(family, base, a) != 1 || inet_pton(family, address, b) != 1)
		return false;
	long most = family == AF_INET6 ? 128 : 32;
	long bits = slash != NULL ? strtol(slash, NULL, 10) : most;
	if (bits < 0 || bits > most)
		return false;
	size_t whole = (size_t)bits / 8;
	if (memcmp(a, b, whole) != 0)
		return false;
	int mask = 0xff00 >> (bits % 8) & 0xff;
	return bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

bool receiver_knows_caller(const struct config *config, const char *calling_ae, const char *address)
{
	for (int i = 0; i < config->n_callers; i++) {
		const struct config_caller *caller = &config->callers[i];
		if ((caller->ae_title[0] == '\0' || strcmp(caller->ae_title, calling_ae) == 0) &&
		    receiver_address_matches(caller->address, address))
			return true;
	}
	return config->n_callers == 0;
}

static enum association_admission admit(void *user, const char *calling_ae, const char *called_ae)
{
	const struct receiver *receiver = user;
	if (receiver->over_limit)
		return ASSOCIATION_OVER_LIMIT;
	if (strcmp(called_ae, receiver->config->ae_title) != 0)
		return ASSOCIATION_UNKNOWN_CALLED_AE;
	if (!receiver_knows_caller(receiver->config, calling_ae, receiver->peer_address))
		return ASSOCIATION_UNKNOWN_CALLING_AE;
	return ASSOCIATION_ADMIT;
}

static int choose(void *user, const char *sop_class_uid, const char *const *transfer_syntax_uids,
		  int count)
{
	const struct receiver *receiver = user;
	if (!storage_class_is_accepted(sop_class_uid, receiver->config->accept_unknown_storage))
		return ASSOCIATION_NO_SOP_CLASS;
	int chosen = storage_choose_syntax(sop_class_uid, transfer_syntax_uids, count);
	return chosen >= 0 ? chosen : ASSOCIATION_NO_TRANSFER_SYNTAX;
}

/* Drops the record; the rest of the data set is read and passed over. */
static void spoil(struct reception *reception, enum received outcome)
{
	log_writer_cancel(reception->receiver->writer);
	reception->recording = false;
	reception->outcome = outcome;
}

static double clock_s(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void note_time(char text[32])
{
	struct timespec now;
	struct tm broken_down;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &broken_down);
	size_t length = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &broken_down);
	snprintf(text + length, 32 - length, ".%03dZ", (int)(now.tv_nsec / 1000000) % 1000);
}

static uint64_t megabytes(double mb)
{
	return (uint64_t)(mb * 1e6);
}

static void take(void *user, const void *bytes, size_t size)
{
	struct reception *reception = user;
	struct receiver *receiver = reception->receiver;
	reception->size += size;
	receiver->received_bytes += size;
	if (!reception->recording)
		return;
	if (reception->size > megabytes(receiver->config->max_instance_mb)) {
		(void)status_fail(&reception->fault, STATUS_REFUSE, "longer than %g MB",
				  receiver->config->max_instance_mb);
		spoil(reception, RECEIVED_TOO_LARGE);
	} else if (receiver->received_bytes > megabytes(receiver->config->max_association_mb)) {
		(void)status_fail(&reception->fault, STATUS_REFUSE,
				  "more than %g MB on one association",
				  receiver->config->max_association_mb);
		spoil(reception, RECEIVED_TOO_LARGE);
	} else if (log_writer_write(receiver->writer, bytes, size, &reception->fault) !=
		   STATUS_OK) {
		spoil(reception, RECEIVED_NO_ROOM);
	}
}

static enum status_code check_free_space(const struct config *config, struct status *st)
{
	struct statvfs disk;
	if (statvfs(config->spool, &disk) != 0)
		return STATUS_OK; /* the write will tell */
	double free_mb = (double)disk.f_bavail * (double)disk.f_frsize / 1e6;
	if (free_mb >= config->min_free_disk_mb)
		return STATUS_OK;
	return status_fail(st, STATUS_RETRY, "disk nearly full: %.0f MB free, %g MB are kept free",
			   free_mb, config->min_free_disk_mb);
}

/* An abandoned log is closed; the next instance gets another. */
static enum status_code begin_record(struct receiver *receiver,
				     const struct association_store *store, struct status *st)
{
	enum status_code code = check_free_space(receiver->config, st);
	if (code == STATUS_OK && receiver->writer == NULL)
		code = log_writer_open(&receiver->writer, receiver->config->spool, st);
	if (code != STATUS_OK)
		return code;
	struct log_record_info info = {.received_us = (int64_t)(clock_s(CLOCK_REALTIME) * 1e6)};
	snprintf(info.sop_class_uid, sizeof info.sop_class_uid, "%s", store->sop_class_uid);
	snprintf(info.sop_instance_uid, sizeof info.sop_instance_uid, "%s",
		 store->sop_instance_uid);
	snprintf(info.transfer_syntax_uid, sizeof info.transfer_syntax_uid, "%s",
		 store->transfer_syntax_uid);
	snprintf(info.calling_ae, sizeof info.calling_ae, "%s",
		 association_calling_ae(receiver->association));
	snprintf(info.called_ae, sizeof info.called_ae, "%s",
		 association_called_ae(receiver->association));
	snprintf(info.peer_address, sizeof info.peer_address, "%s", receiver->peer_address);
	return log_writer_begin(receiver->writer, &info, st);
}

/* Whether there is any use in recording; the data set has to be read in any case. */
static bool command_is_fine(struct reception *reception, const struct association_store *store)
{
	struct status *st = &reception->fault;
	if (strcmp(store->sop_class_uid, store->context_sop_class_uid) != 0) {
		(void)status_fail(st, STATUS_REFUSE,
				  "SOP class is not that of its presentation context");
		reception->outcome = RECEIVED_WRONG_SOP_CLASS;
	} else if (!screen_uid_is_valid(store->sop_instance_uid, strlen(store->sop_instance_uid))) {
		(void)status_fail(st, STATUS_REFUSE, "SOP Instance UID of the command is no UID");
		reception->outcome = RECEIVED_MALFORMED;
	} else {
		return true;
	}
	return false;
}

/* The only place that makes a success. */
static enum received screen_and_commit(struct reception *reception,
				       const struct association_store *store)
{
	struct log_writer *writer = reception->receiver->writer;
	struct status *st = &reception->fault;
	static const uint8_t nothing[1];
	size_t size;
	const uint8_t *bytes = log_writer_bytes(writer, &size);
	if (bytes == NULL && reception->size > 0) {
		(void)status_fail(st, STATUS_RETRY, "out of memory");
		return RECEIVED_NO_ROOM;
	}
	struct screen_report report;
	if (screen_dataset(&report, bytes != NULL ? bytes : nothing, size,
			   store->transfer_syntax_uid, store->sop_class_uid,
			   store->sop_instance_uid, st) != STATUS_OK)
		return report.verdict == SCREEN_MISMATCH ? RECEIVED_MISMATCH : RECEIVED_MALFORMED;
	if (log_writer_commit(writer, st) != STATUS_OK)
		return RECEIVED_NO_ROOM;
	return RECEIVED_STORED;
}

/* Also when the peer pauses: a stream of instances wakes the indexer ten times a second, its end at
 * once. */
static void wake_indexer(void *user)
{
	struct receiver *receiver = user;
	if (!receiver->news)
		return;
	receiver->news = false;
	receiver->woken_s = clock_s(CLOCK_MONOTONIC);
	process_wake(receiver->wake->indexer[1]);
}

static void note_outcome(struct receiver *receiver, const struct association_store *store,
			 const struct reception *reception)
{
	if (reception->outcome == RECEIVED_STORED) {
		receiver->stored++;
		note_time(receiver->last_stored);
		receiver->news = true;
		if (clock_s(CLOCK_MONOTONIC) > receiver->woken_s + WAKE_INTERVAL_S)
			wake_indexer(receiver);
		return;
	}
	receiver->refused++;
	log_line(LOG_WARN_LINE, "refused",
		 "status=%04x sop_instance=%.64s peer=%s calling=%s why=\"%s\"",
		 received_statuses[reception->outcome].dimse_status, store->sop_instance_uid,
		 receiver->peer_address, association_calling_ae(receiver->association),
		 reception->fault.text);
}

/* One C-STORE: command, data set, answer. */
static enum status_code receive_instance(struct receiver *receiver,
					 const struct association_store *store, struct status *st)
{
	struct reception reception = {.receiver = receiver, .outcome = RECEIVED_PROCESSING_FAILURE};
	if (command_is_fine(&reception, store)) {
		reception.recording = begin_record(receiver, store, &reception.fault) == STATUS_OK;
		if (!reception.recording)
			reception.outcome = RECEIVED_NO_ROOM;
	}
	if (association_receive(receiver->association, take, &reception, st) != STATUS_OK) {
		if (reception.recording)
			spoil(&reception, RECEIVED_PROCESSING_FAILURE);
		return st->code;
	}
	if (reception.recording) {
		reception.outcome = screen_and_commit(&reception, store);
		if (reception.outcome != RECEIVED_STORED)
			spoil(&reception, reception.outcome);
	}
	note_outcome(receiver, store, &reception);
	if (receiver->writer != NULL && log_writer_is_abandoned(receiver->writer)) {
		log_writer_close(receiver->writer);
		receiver->writer = NULL;
	}
	return association_answer_store(receiver->association,
					received_statuses[reception.outcome].dimse_status,
					reception.fault.text, st);
}

static enum status_code serve(struct receiver *receiver, struct status *st)
{
	for (;;) {
		enum association_event event;
		struct association_store store;
		enum status_code code = association_next(receiver->association, &event, &store, st);
		if (code == STATUS_OK && event == ASSOCIATION_RELEASED)
			return STATUS_OK;
		if (code == STATUS_OK && event == ASSOCIATION_ECHO)
			code = association_answer_echo(receiver->association, st);
		else if (code == STATUS_OK)
			code = receive_instance(receiver, &store, st);
		if (code != STATUS_OK)
			return code;
	}
}

static void limit_process(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__)
	/* A log record is mapped to be screened; the rest of a receiver fits into 100 MB. */
	struct rlimit memory = {(rlim_t)6 << 30, (rlim_t)6 << 30};
	setrlimit(RLIMIT_AS, &memory);
	struct rlimit heap = {(rlim_t)256 << 20, (rlim_t)256 << 20};
	setrlimit(RLIMIT_DATA, &heap);
#endif
}

int receiver_main(const struct config *config, const struct wake_pipes *wake, int fd,
		  const char *peer_address, bool over_limit)
{
	limit_process();
	struct receiver receiver = {
	    .config = config, .wake = wake, .peer_address = peer_address, .over_limit = over_limit};
	const struct association_policy policy = {
	    .admit = admit, .choose = choose, .user = &receiver};
	const struct association_limits limits = {
	    .request_timeout_s = REQUEST_TIMEOUT_S,
	    .idle_timeout_s = config->idle_timeout_s,
	    .total_timeout_s = config->association_timeout_s,
	    /* What is over the share is answered first; only much more cuts the line. */
	    .max_bytes = megabytes(1.1 * config->max_association_mb + 2 * config->max_instance_mb),
	    .stop = &process_stop,
	    .quiet = wake_indexer,
	    .user = &receiver,
	};
	struct status st = STATUS_INIT;
	if (association_accept(&receiver.association, fd, &policy, &limits, &st) != STATUS_OK) {
		log_line(LOG_WARN_LINE, "no-association", "peer=%s why=\"%s\"", peer_address,
			 st.text);
		return 1;
	}
	enum status_code code = serve(&receiver, &st);
	log_writer_close(receiver.writer);
	if (receiver.stored > 0)
		process_wake(wake->indexer[1]);
	log_line(code == STATUS_OK ? LOG_INFO_LINE : LOG_WARN_LINE, "association",
		 "peer=%s calling=%s stored=%d refused=%d last_stored=%s bytes=%llu end=\"%s\"",
		 peer_address, association_calling_ae(receiver.association), receiver.stored,
		 receiver.refused, receiver.stored > 0 ? receiver.last_stored : "-",
		 (unsigned long long)receiver.received_bytes,
		 code == STATUS_OK ? "released" : st.text);
	association_free(receiver.association);
	return code == STATUS_OK ? 0 : 1;
}
