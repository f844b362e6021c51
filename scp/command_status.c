/* holmia status: everything that is known, in words or as JSON. Looks into the database itself, so
 * it works beside the running node and without it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "catalogue.h"
#include "command_common.h"
#include "commands.h"
#include "control.h"
#include "json.h"
#include "outbox.h"
#include "queue.h"
#include "treatment_store.h"

static const char help[] =
    "usage: holmia status (-c CONFIG | --spool FOLDER) [--json] [--all]\n"
    "\n"
    "What each treatment has and what it waits for; alarms, jobs, deliveries, what was set\n"
    "aside, what is not used and why. Deliveries that succeeded and jobs that are done are\n"
    "counted; --all lists them too.\n"
    "\n"
    "  --json   keys: node {running, spool, free_disk_mb}, alarms[], treatments[],\n"
    "           jobs {queued, running, done, failed, superseded}, job_list[],\n"
    "           outbox {queued, sending, done, failed}, deliveries[], quarantined[],\n"
    "           unreadable[], unused[]\n"
    "\n"
    "exit: 0 done (alarms are in the text), 2 usage or configuration, 3 temporary, 4 bug\n";

struct snapshot {
	const char *spool;
	bool running;
	double free_disk_mb;
	struct store_alarm *alarms;
	struct treatment_row *treatments;
	struct queue_row *jobs;
	struct outbox_row *deliveries;
	struct catalogue_note *quarantined, *unreadable, *unused;
	int n_alarms, n_treatments, n_jobs, n_deliveries, n_quarantined, n_unreadable, n_unused;
};

static enum status_code snapshot_load(struct snapshot *now, struct status *st)
{
	struct store *store = NULL;
	struct statvfs disk;
	if (store_open_reader(&store, now->spool, st) != STATUS_OK)
		return st->code;
	if (statvfs(now->spool, &disk) == 0)
		now->free_disk_mb = (double)disk.f_bavail * (double)disk.f_frsize / 1e6;
	now->running = control_node_runs(now->spool);
	if (store_list_alarms(&now->alarms, &now->n_alarms, store, st) == STATUS_OK &&
	    treatment_row_list(&now->treatments, &now->n_treatments, store, st) == STATUS_OK &&
	    queue_list(&now->jobs, &now->n_jobs, store, NULL, st) == STATUS_OK &&
	    outbox_list(&now->deliveries, &now->n_deliveries, store, true, st) == STATUS_OK &&
	    catalogue_list_notes(&now->quarantined, &now->n_quarantined, store,
				 CATALOGUE_STATE_QUARANTINED, st) == STATUS_OK &&
	    catalogue_list_notes(&now->unreadable, &now->n_unreadable, store,
				 CATALOGUE_STATE_UNREADABLE, st) == STATUS_OK)
		(void)!catalogue_list_notes(&now->unused, &now->n_unused, store,
					    CATALOGUE_STATE_UNUSED, st);
	store_close(store);
	return st->code;
}

static void snapshot_free(struct snapshot *now)
{
	free(now->alarms);
	free(now->treatments);
	free(now->jobs);
	free(now->deliveries);
	free(now->quarantined);
	free(now->unreadable);
	free(now->unused);
}

/* ---- words ---- */

static void print_lines(const char *lead, const char *lines)
{
	while (*lines != '\0') {
		size_t length = strcspn(lines, "\n");
		if (length > 0)
			printf("%s%.*s\n", lead, (int)length, lines);
		lines += length + (lines[length] == '\n');
	}
}

static void print_treatment(const struct treatment_row *row, const struct snapshot *now, bool all)
{
	int done = 0;
	printf("\ntreatment %s of patient \"%s\"%s%s: %s\n",
	       row->record_id[0] ? row->record_id : "(no record)", row->patient_id,
	       row->patient_issuer[0] ? " of " : "", row->patient_issuer, row->state);
	if (row->waits_for[0] != '\0')
		printf("  %s: %s\n", strcmp(row->state, "refused") == 0 ? "because" : "waits for",
		       row->waits_for);
	print_lines("  ", row->slots);
	print_lines("  warning ", row->warnings);
	print_lines("  unused: ", row->unused);
	for (int i = 0; i < now->n_jobs; i++) {
		const struct queue_row *job = &now->jobs[i];
		if (strcmp(job->treatment_key, row->treatment_key) != 0)
			continue;
		done += job->state == JOB_DONE;
		if (!all && (job->state == JOB_DONE || job->state == JOB_SUPERSEDED))
			continue;
		printf("  job %" PRId64 ": %s after injection %d is %s%s%s\n", job->id,
		       job_kind_name(job->kind), job->after_injection, job_state_name(job->state),
		       job->why[0] != '\0' ? ": " : "", job->why);
	}
	if (done > 0)
		printf("  %d jobs done\n", done);
}

static void print_deliveries(const struct snapshot *now, bool all)
{
	int done = 0;
	for (int i = 0; i < now->n_deliveries; i++) {
		const struct outbox_row *row = &now->deliveries[i];
		char when[32];
		done += row->state == OUTBOX_DONE;
		if (row->state == OUTBOX_DONE && !all)
			continue;
		printf("delivery %" PRId64 " to %s: %s, %d attempts, queued %s%s%s\n    %s\n",
		       row->id, row->destination, outbox_state_name(row->state), row->attempts,
		       command_time(when, row->queued_s), row->why[0] != '\0' ? ": " : "", row->why,
		       row->sop_instance_uid);
	}
	if (now->n_deliveries > 0)
		printf("deliveries: %d of %d done\n", done, now->n_deliveries);
}

static void print_notes(const char *what, const struct catalogue_note *notes, int count)
{
	for (int i = 0; i < count; i++) {
		printf("%s %" PRId64 ": ", what, notes[i].id);
		if (notes[i].instances > 1)
			printf("%d instances, ", notes[i].instances);
		printf("%s%s%s%s: %s\n", notes[i].modality,
		       notes[i].series_description[0] ? " \"" : "", notes[i].series_description,
		       notes[i].series_description[0] ? "\"" : "", notes[i].reason);
	}
}

static void print_words(const struct snapshot *now, bool all)
{
	char when[32];
	printf("node %s, spool %s, %.0f MB free\n", now->running ? "is running" : "is not running",
	       now->spool, now->free_disk_mb);
	for (int i = 0; i < now->n_alarms; i++)
		printf("ALARM since %s: %s\n", command_time(when, now->alarms[i].since_s),
		       now->alarms[i].text);
	for (int i = 0; i < now->n_treatments; i++)
		print_treatment(&now->treatments[i], now, all);
	putchar('\n');
	print_deliveries(now, all);
	print_notes("quarantined", now->quarantined, now->n_quarantined);
	print_notes("unreadable", now->unreadable, now->n_unreadable);
	print_notes("unused", now->unused, now->n_unused);
	if (now->n_treatments == 0)
		puts("no treatments yet");
}

/* ---- JSON ---- */

static void treatments_to_json(struct json *json, const struct snapshot *now)
{
	json_begin_array(json, "treatments");
	for (int i = 0; i < now->n_treatments; i++) {
		const struct treatment_row *row = &now->treatments[i];
		json_begin_object(json, NULL);
		json_text(json, "key", row->treatment_key);
		json_text(json, "patient_id", row->patient_id);
		json_text(json, "patient_issuer", row->patient_issuer);
		json_text(json, "record_id", row->record_id);
		json_integer(json, "record_revision", row->record_revision);
		json_text(json, "state", row->state);
		json_text(json, "waits_for", row->waits_for);
		json_integer(json, "after_series", row->n_after);
		json_integer(json, "planned_injections", row->planned_injections);
		json_bool(json, "report_ready", row->report_ready);
		json_lines(json, "slots", row->slots);
		json_lines(json, "warnings", row->warnings);
		json_lines(json, "unused", row->unused);
		json_end_object(json);
	}
	json_end_array(json);
}

static void jobs_to_json(struct json *json, const struct snapshot *now)
{
	static const enum job_state states[] = {JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED,
						JOB_SUPERSEDED};
	json_begin_object(json, "jobs");
	for (size_t k = 0; k < sizeof states / sizeof states[0]; k++) {
		int n = 0;
		for (int i = 0; i < now->n_jobs; i++)
			n += now->jobs[i].state == states[k];
		json_integer(json, job_state_name(states[k]), n);
	}
	json_end_object(json);
	json_begin_array(json, "job_list");
	for (int i = 0; i < now->n_jobs; i++) {
		const struct queue_row *job = &now->jobs[i];
		json_begin_object(json, NULL);
		json_integer(json, "id", job->id);
		json_text(json, "kind", job_kind_name(job->kind));
		json_text(json, "state", job_state_name(job->state));
		json_text(json, "treatment", job->treatment_key);
		json_text(json, "hash", job->hash);
		json_integer(json, "after_injection", job->after_injection);
		json_integer(json, "version", job->version);
		json_integer(json, "attempts", job->attempts);
		json_text(json, "why", job->why);
		json_number(json, "queued_s", job->queued_s);
		json_number(json, "started_s", job->started_s);
		json_number(json, "finished_s", job->finished_s);
		json_end_object(json);
	}
	json_end_array(json);
}

static void deliveries_to_json(struct json *json, const struct snapshot *now)
{
	static const enum outbox_state states[] = {OUTBOX_QUEUED, OUTBOX_SENDING, OUTBOX_DONE,
						   OUTBOX_FAILED};
	json_begin_object(json, "outbox");
	for (size_t k = 0; k < sizeof states / sizeof states[0]; k++) {
		int n = 0;
		for (int i = 0; i < now->n_deliveries; i++)
			n += now->deliveries[i].state == states[k];
		json_integer(json, outbox_state_name(states[k]), n);
	}
	json_end_object(json);
	json_begin_array(json, "deliveries");
	for (int i = 0; i < now->n_deliveries; i++) {
		const struct outbox_row *row = &now->deliveries[i];
		json_begin_object(json, NULL);
		json_integer(json, "id", row->id);
		json_text(json, "state", outbox_state_name(row->state));
		json_text(json, "destination", row->destination);
		json_text(json, "sop_class_uid", row->sop_class_uid);
		json_text(json, "sop_instance_uid", row->sop_instance_uid);
		json_text(json, "job_hash", row->job_hash);
		json_integer(json, "attempts", row->attempts);
		json_integer(json, "dimse_status", row->dimse_status);
		json_text(json, "why", row->why);
		json_number(json, "queued_s", row->queued_s);
		json_number(json, "sent_s", row->sent_s);
		json_end_object(json);
	}
	json_end_array(json);
}

static void notes_to_json(struct json *json, const char *key, const struct catalogue_note *notes,
			  int count)
{
	json_begin_array(json, key);
	for (int i = 0; i < count; i++) {
		json_begin_object(json, NULL);
		json_integer(json, "id", notes[i].id);
		json_integer(json, "instances", notes[i].instances);
		json_text(json, "reason", notes[i].reason);
		json_text(json, "patient_id", notes[i].patient_id);
		json_text(json, "series_instance_uid", notes[i].series_instance_uid);
		json_text(json, "sop_instance_uid", notes[i].sop_instance_uid);
		json_end_object(json);
	}
	json_end_array(json);
}

static void print_json(const struct snapshot *now)
{
	struct json json = {.file = stdout};
	json_begin_object(&json, NULL);
	json_begin_object(&json, "node");
	json_bool(&json, "running", now->running);
	json_text(&json, "spool", now->spool);
	json_number(&json, "free_disk_mb", now->free_disk_mb);
	json_end_object(&json);
	json_begin_array(&json, "alarms");
	for (int i = 0; i < now->n_alarms; i++) {
		json_begin_object(&json, NULL);
		json_text(&json, "key", now->alarms[i].key);
		json_text(&json, "text", now->alarms[i].text);
		json_number(&json, "since_s", now->alarms[i].since_s);
		json_end_object(&json);
	}
	json_end_array(&json);
	treatments_to_json(&json, now);
	jobs_to_json(&json, now);
	deliveries_to_json(&json, now);
	notes_to_json(&json, "quarantined", now->quarantined, now->n_quarantined);
	notes_to_json(&json, "unreadable", now->unreadable, now->n_unreadable);
	notes_to_json(&json, "unused", now->unused, now->n_unused);
	json_end_object(&json);
}

int command_status(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct snapshot now = {0};
	struct config *config = NULL;
	const char *path = NULL;
	bool as_json = false, all = false;
	int first = 0;
	const struct command_option options[] = {{'c', "config", COMMAND_TEXT, &path},
						 {0, "spool", COMMAND_TEXT, &now.spool},
						 {0, "json", COMMAND_FLAG, &as_json},
						 {0, "all", COMMAND_FLAG, &all}};
	int code = command_options(&first, argc, argv, help, options, 4);
	if (code >= 0)
		return code;
	if (first != argc || (path == NULL && now.spool == NULL))
		return command_usage("status", "-c CONFIG or --spool FOLDER, and nothing else");
	if (now.spool == NULL) {
		code = command_config(&config, path, "status", false);
		if (config == NULL)
			return code;
		now.spool = config->spool;
	}
	if (snapshot_load(&now, &st) != STATUS_OK)
		fprintf(stderr, "holmia status: %s\n", st.text);
	else if (as_json)
		print_json(&now);
	else
		print_words(&now, all);
	code = (int)st.code;
	snapshot_free(&now);
	if (config != NULL)
		config_free(config);
	return code;
}
