#include "command_dose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "result_file.h"

#define MAX_BYTES ((size_t)1 << 30)

/* The whole file, zero-terminated; NULL when it cannot be read. */
static char *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *bytes = NULL;
	long length;
	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0 &&
	    (size_t)length < MAX_BYTES && fseek(file, 0, SEEK_SET) == 0 &&
	    (bytes = malloc((size_t)length + 1)) != NULL) {
		*size = fread(bytes, 1, (size_t)length, file);
		bytes[*size] = '\0';
		if (*size != (size_t)length) {
			free(bytes);
			bytes = NULL;
		}
	}
	fclose(file);
	return bytes;
}

static void copy_file(const char *out, const char *name, const char *from, struct status *st)
{
	size_t size = 0;
	char *bytes = read_whole(from, &size);
	if (bytes == NULL)
		status_fail(st, STATUS_RETRY, "%s cannot be read", from);
	else
		(void)!result_file_put(out, name, bytes, size, st);
	free(bytes);
}

/* A map's second object is the dose by the kernel. */
static bool is_kernel(const struct queue_result_row *rows, int index)
{
	return index > 0 && strcmp(rows[index].job_hash, rows[index - 1].job_hash) == 0;
}

static void friendly_name(char name[80], const struct queue_result_row *rows, int index)
{
	if (rows[index].kind == JOB_REPORT)
		snprintf(name, 80, "report.dcm");
	else
		snprintf(name, 80, "rtdose-%safter-%d.dcm", is_kernel(rows, index) ? "kernel-" : "",
			 rows[index].after_injection);
}

/* The folder of the newest report, or of the last map. */
static void figures_folder(char folder[1400], const struct dose_run *run,
			   const struct queue_result_row *rows, int count)
{
	const struct queue_result_row *best = NULL;
	for (int i = 0; i < count; i++)
		if (best == NULL || rows[i].kind > best->kind ||
		    (rows[i].kind == best->kind &&
		     rows[i].after_injection >= best->after_injection))
			best = &rows[i];
	folder[0] = '\0';
	if (best != NULL)
		snprintf(folder, 1400, "%s/results/%s", run->spool, best->job_hash);
}

static void print_json(const struct dose_run *run, const struct queue_result_row *rows, int count,
		       const char *failed, const char *figures)
{
	struct json json = {.file = stdout};
	json_begin_object(&json, NULL);
	json_text(&json, "state", failed[0] != '\0' ? "failed" : run->row->state);
	json_text(&json, "waits_for", failed[0] != '\0' ? failed : run->row->waits_for);
	json_text(&json, "patient_id", run->row->patient_id);
	json_text(&json, "record_id", run->row->record_id);
	json_integer(&json, "files_used", run->used);
	json_integer(&json, "files_passed_over", run->passed_over);
	json_begin_array(&json, "results");
	for (int i = 0; i < count; i++) {
		char name[80];
		friendly_name(name, rows, i);
		json_begin_object(&json, NULL);
		json_text(&json, "kind",
			  rows[i].kind == JOB_REPORT ? "report"
			  : is_kernel(rows, i)	     ? "rt dose, kernel"
						     : "rt dose");
		json_integer(&json, "after_injection", rows[i].after_injection);
		json_text(&json, "file", name);
		json_text(&json, "sop_instance_uid", rows[i].sop_instance_uid);
		json_end_object(&json);
	}
	json_end_array(&json);
	json_lines(&json, "slots", run->row->slots);
	json_lines(&json, "warnings", run->row->warnings);
	json_lines(&json, "unused", run->row->unused);
	json_raw(&json, "figures", figures);
	json_end_object(&json);
}

void dose_print_fault(const struct status *st)
{
	struct json json = {.file = stdout};
	json_begin_object(&json, NULL);
	json_text(&json, "state", st->code == STATUS_REFUSE ? "refused" : "failed");
	json_text(&json, "waits_for", st->text);
	json_begin_array(&json, "results");
	json_end_array(&json);
	json_raw(&json, "figures", NULL);
	json_end_object(&json);
}

static void print_lines(FILE *file, const char *lead, const char *lines)
{
	while (*lines != '\0') {
		size_t length = strcspn(lines, "\n");
		if (length > 0)
			fprintf(file, "%s%.*s\n", lead, (int)length, lines);
		lines += length + (lines[length] == '\n');
	}
}

static void print_words(const struct dose_run *run, int results, const char *failed)
{
	print_lines(stderr, "  ", run->row->slots);
	print_lines(stderr, "  unused: ", run->row->unused);
	if (results == 0)
		print_lines(stderr, "  ! ", run->row->warnings);
	if (failed[0] != '\0')
		fprintf(stderr, "holmia dose: refused: %s\n", failed);
	else if (strcmp(run->row->state, "refused") == 0)
		fprintf(stderr, "holmia dose: refused: %s\n", run->row->waits_for);
	else if (run->row->waits_for[0] != '\0')
		fprintf(stderr, "holmia dose: %s: %s\n",
			results > 0 ? "not everything could be made" : "no dose: waits for",
			run->row->waits_for);
}

int dose_output(struct dose_run *run, const struct status *failed_job, struct status *st)
{
	struct queue_result_row *rows = NULL;
	int count = 0;
	char folder[1400], path[1500], *figures = NULL, *table = NULL;
	size_t size = 0;
	const char *failed = failed_job->code != STATUS_OK ? failed_job->text : "";
	if (queue_list_results(&rows, &count, run->store, run->row->treatment_key, st) != STATUS_OK)
		return (int)st->code;
	for (int i = 0; i < count; i++) {
		char name[80];
		friendly_name(name, rows, i);
		copy_file(run->out, name, rows[i].path, st);
	}
	figures_folder(folder, run, rows, count);
	if (folder[0] != '\0') {
		snprintf(path, sizeof path, "%s/figures.json", folder);
		copy_file(run->out, "figures.json", path, st);
		figures = read_whole(path, &size);
		snprintf(path, sizeof path, "%s/summary.txt", folder);
		table = read_whole(path, &size);
	}
	print_words(run, count, failed);
	if (run->json)
		print_json(run, rows, count, failed, figures);
	else if (table != NULL)
		fputs(table, stdout);
	for (int i = 0; i < count && !run->json; i++) {
		char name[80];
		friendly_name(name, rows, i);
		printf("%s/%s\n", run->out, name);
	}
	free(figures);
	free(table);
	free(rows);
	if (fflush(stdout) != 0)
		status_fail(st, STATUS_RETRY, "standard output: cannot be written");
	if (st->code != STATUS_OK)
		return (int)st->code;
	if (failed_job->code != STATUS_OK)
		return (int)failed_job->code;
	/* contours that are missing are no fault: maps are made without them */
	return count > 0 && strcmp(run->row->state, "ready") == 0 ? 0 : 1;
}
