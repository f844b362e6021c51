/* holmia dose: the pipeline of the node on files, without a network: the same catalogue, planner,
 * jobs and result objects, in a temporary spool. */
#include "command_dose.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command_common.h"
#include "commands.h"
#include "dataset.h"
#include "job.h"
#include "log.h"
#include "planner.h"
#include "process.h"
#include "worker.h"

static const char help[] =
    "usage: holmia dose -c CONFIG [-t RECORD.xml] -o OUT [--json] [--keep] PATH...\n"
    "\n"
    "Computes the absorbed dose from files and folders of DICOM files, as the node does from\n"
    "what it receives. Other files are passed over. Sends nothing.\n"
    "\n"
    "  -c, --config CONFIG   relaxivity, methods, series rules; config/holmia.example.xml is\n"
    "                        one to start from\n"
    "  -t, --treatment FILE  the treatment record: injections with times and activities\n"
    "  -o, --out OUT         folder of the results (made if absent; those of an earlier run\n"
    "                        are removed): rtdose-after-N.dcm, report.dcm, figures.json;\n"
    "                        with the kernel also rtdose-kernel-after-N.dcm\n"
    "      --json            the summary as JSON: state, waits_for, results[], slots[],\n"
    "                        warnings[], unused[], figures (null without a result)\n"
    "      --keep            keep the working folder OUT/.holmia-*\n"
    "  -v, --verbose         a line per event on standard error\n"
    "\n"
    "exit: 0 done, 1 refused or something is missing (in words), 2 usage or configuration,\n"
    "      3 temporary, 4 bug\n";

/* ---- the record ---- */

static char *read_text(const char *path, struct status *st)
{
	char *text = NULL;
	size_t size = 0;
	int byte;
	FILE *file = fopen(path, "rb"), *memory;
	if (file == NULL) {
		status_fail(st, STATUS_CONFIG, "%s: %s", path, strerror(errno));
		return NULL;
	}
	memory = open_memstream(&text, &size);
	while (memory != NULL && (byte = getc(file)) != EOF)
		putc(byte, memory);
	if (memory == NULL || fclose(memory) != 0)
		status_fail(st, STATUS_RETRY, "no memory for %s", path);
	if (ferror(file))
		status_fail(st, STATUS_CONFIG, "%s cannot be read", path);
	fclose(file);
	return text;
}

/* Errors of the record are refused input: exit code 1. */
static enum status_code load_record(struct dose_run *run, const char *path, struct status *st)
{
	struct config_faults faults = {0};
	char *xml = read_text(path, st);
	run->record = malloc(sizeof *run->record);
	if (run->record == NULL)
		status_fail(st, STATUS_RETRY, "no memory for a treatment record");
	if (st->code == STATUS_OK &&
	    treatment_record_read_memory(run->record, &faults, xml, strlen(xml), path, st) !=
		STATUS_OK &&
	    st->code == STATUS_CONFIG)
		st->code = STATUS_REFUSE;
	for (int i = 0; i < faults.count; i++) {
		char line[1500];
		config_fault_format(line, sizeof line, path, &faults.faults[i]);
		fprintf(stderr, "%s\n", line);
	}
	config_faults_free(&faults);
	if (st->code == STATUS_OK && store_begin(run->store, st) == STATUS_OK) {
		(void)!record_add(run->store, run->record, xml, worker_clock_s(), st);
		(void)!store_finish(run->store, st);
	}
	free(xml);
	return st->code;
}

/* ---- planning and computing ---- */

/* Without a record the treatment of the one patient, so that what is missing can be said. */
static enum status_code choose_patient(struct dose_run *run, struct catalogue_patient_key *key,
				       struct status *st)
{
	*key = (struct catalogue_patient_key){"", ""};
	if (run->record != NULL) {
		snprintf(key->patient_id, sizeof key->patient_id, "%s", run->record->patient_id);
		snprintf(key->patient_issuer, sizeof key->patient_issuer, "%s",
			 run->record->patient_issuer);
	} else if (run->touched.count > 0) {
		*key = run->touched.patients[0];
	}
	for (int i = 0; i < run->touched.count; i++)
		if (strcmp(run->touched.patients[i].patient_id, key->patient_id) == 0 &&
		    strcmp(run->touched.patients[i].patient_issuer, key->patient_issuer) == 0)
			return STATUS_OK;
	if (run->touched.count == 0)
		return status_fail(st, STATUS_REFUSE,
				   "no usable MR image or structure set among %d files",
				   run->files);
	const struct catalogue_patient_key *other = &run->touched.patients[0];
	return status_fail(st, STATUS_REFUSE,
			   "the record is of patient \"%.60s\"%s%.40s, the images are of "
			   "\"%.60s\"%s%.40s%s; a record names "
			   "the patient exactly as the images do, issuer included",
			   key->patient_id, key->patient_issuer[0] ? " of " : "",
			   key->patient_issuer, other->patient_id,
			   other->patient_issuer[0] ? " of " : "", other->patient_issuer,
			   run->touched.count > 1 ? " (and others)" : "");
}

static enum status_code plan(struct dose_run *run, struct status *st)
{
	struct catalogue_patient_key key;
	char treatment_key[420];
	int jobs = 0;
	bool found = false;
	double look_again_s;
	if (choose_patient(run, &key, st) != STATUS_OK)
		return st->code;
	if (planner_plan_patient(run->store, run->config, key.patient_id, key.patient_issuer,
				 worker_clock_s(), &jobs, &look_again_s, st) != STATUS_OK)
		return st->code;
	treatment_key_make(treatment_key, run->record != NULL ? run->record->id : "",
			   key.patient_id, key.patient_issuer);
	run->row = malloc(sizeof *run->row);
	if (run->row == NULL)
		return status_fail(st, STATUS_RETRY, "no memory for the treatment");
	if (treatment_row_load(&found, run->row, run->store, treatment_key, st) == STATUS_OK &&
	    !found)
		return status_fail(
		    st, STATUS_REFUSE,
		    "no holmium series among the images of patient \"%s\"; the series rules "
		    "of the configuration say what one is",
		    key.patient_id);
	fprintf(stderr, "%d files used, %d passed over; %d jobs\n", run->used, run->passed_over,
		jobs);
	return st->code;
}

static void say_stage(const char *stage, int after_injection, double seconds)
{
	char after[40] = "anatomy to baseline";
	if (after_injection > 0)
		snprintf(after, sizeof after, "after injection %d", after_injection);
	fprintf(stderr, "%-10s %-19s %6.2f s\n", stage, after, seconds);
}

/* The first job that fails is kept in *failed; those that do not need it go on. */
static enum status_code compute(struct dose_run *run, struct status *failed, struct status *st)
{
	bool worked = true;
	while (worked && st->code == STATUS_OK) {
		struct job job;
		struct status outcome = STATUS_INIT;
		double started_s = worker_clock_s();
		if (process_stop)
			return status_fail(st, STATUS_RETRY, "interrupted");
		if (worker_run_one(&worked, &job, &outcome, run->config, run->store, st) !=
			STATUS_OK ||
		    !worked)
			break;
		if (outcome.code != STATUS_OK) {
			if (failed->code == STATUS_OK)
				*failed = outcome;
			continue;
		}
		static const char *const words[] = {"R2* map", "dose map", "report"};
		char after[40] = "baseline";
		if (job.after_injection > 0)
			snprintf(after, sizeof after, "after injection %d", job.after_injection);
		fprintf(stderr, "%-10s %-19s %6.2f s\n", words[job.kind], after,
			worker_clock_s() - started_s);
	}
	return st->code;
}

/* ---- the command ---- */

/* Results of an earlier run in the same folder must not pass for this one's. */
static void remove_earlier_results(const char *out)
{
	char path[4300];
	for (int k = 1; k <= DOSIMETRY_MAX_INJECTIONS; k++) {
		snprintf(path, sizeof path, "%.4096s/rtdose-after-%d.dcm", out, k);
		unlink(path);
		snprintf(path, sizeof path, "%.4096s/rtdose-kernel-after-%d.dcm", out, k);
		unlink(path);
	}
	snprintf(path, sizeof path, "%.4096s/report.dcm", out);
	unlink(path);
	snprintf(path, sizeof path, "%.4096s/figures.json", out);
	unlink(path);
}

static int run_inside(struct dose_run *run, const char *record_path, char **paths, int count,
		      struct status *st)
{
	struct status failed = STATUS_INIT;
	int code = -1;
	if (dataset_library_init(st) == STATUS_OK &&
	    store_open(&run->store, run->spool, st) == STATUS_OK &&
	    (record_path == NULL || load_record(run, record_path, st) == STATUS_OK) &&
	    dose_index(run, paths, count, st) == STATUS_OK && plan(run, st) == STATUS_OK &&
	    compute(run, &failed, st) == STATUS_OK)
		code = dose_output(run, &failed, st);
	if (st->code != STATUS_OK) {
		fprintf(stderr, "holmia dose: %s\n", st->text);
		if (run->json && code < 0)
			dose_print_fault(st);
		code = (int)st->code;
	}
	store_close(run->store);
	indexer_touched_free(&run->touched);
	free(run->record);
	free(run->row);
	return code;
}

static enum status_code make_folders(struct dose_run *run, struct status *st)
{
	char absolute[4096];
	if (mkdir(run->out, 0777) != 0 && errno != EEXIST)
		return status_fail(st, STATUS_CONFIG, "%s: %s", run->out, strerror(errno));
	if (realpath(run->out, absolute) == NULL ||
	    snprintf(run->spool, sizeof run->spool, "%s/.holmia-XXXXXX", absolute) >= 900)
		return status_fail(st, STATUS_CONFIG, "%s: path cannot be used or is too long",
				   run->out);
	if (mkdtemp(run->spool) == NULL)
		return status_fail(st, STATUS_CONFIG, "%s: %s", run->spool, strerror(errno));
	remove_earlier_results(absolute);
	return STATUS_OK;
}

int command_dose(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct dose_run run = {0};
	const char *config_path = NULL, *record_path = NULL;
	bool keep = false, verbose = false;
	int first = 0;
	const struct command_option options[] = {
	    {'c', "config", COMMAND_TEXT, &config_path},
	    {'t', "treatment", COMMAND_TEXT, &record_path},
	    {'o', "out", COMMAND_TEXT, &run.out},
	    {0, "json", COMMAND_FLAG, &run.json},
	    {0, "keep", COMMAND_FLAG, &keep},
	    {'v', "verbose", COMMAND_FLAG, &verbose},
	};
	int code = command_options(&first, argc, argv, help, options,
				   (int)(sizeof options / sizeof options[0]));
	if (code >= 0)
		return code;
	if (run.out == NULL)
		return command_usage("dose", "-o OUT is needed: the folder for the results");
	if (first == argc)
		return command_usage("dose", "name at least one file or folder with DICOM images");
	code = command_config(&run.config, config_path, "dose", false);
	if (run.config == NULL)
		return code;
	log_set_level(verbose ? LOG_INFO_LINE : LOG_ERROR_LINE + 1);
	process_catch_signals();
	job_watch(say_stage);
	if (make_folders(&run, &st) != STATUS_OK) {
		fprintf(stderr, "holmia dose: %s\n", st.text);
		code = (int)st.code;
	} else {
		snprintf(run.config->spool, sizeof run.config->spool, "%s", run.spool);
		int destinations = run.config->n_destinations;
		run.config->n_destinations = 0; /* nothing leaves this machine */
		code = run_inside(&run, record_path, argv + first, argc - first, &st);
		run.config->n_destinations = destinations;
		if (keep)
			fprintf(stderr, "working folder: %s\n", run.spool);
		else
			dose_remove_folder(run.spool);
	}
	config_free(run.config);
	return code;
}
