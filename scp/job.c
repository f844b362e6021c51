/* job.c - the whole computation on one page: load -> dosimetry -> build -> put. */
#include "job_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "job_emission.h"
#include "log.h"
#include "outbox.h"
#include "result_file.h"

#define PATH_SIZE 1400

/* Wall seconds per stage, for the log. */
struct stage_times {
	double load_s, fit_s, align_s, dosimetry_s, build_s, put_s;
};

static double clock_s(clockid_t which)
{
	struct timespec now;
	clock_gettime(which, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double job_clock_s(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

/* Seconds since *mark_s, which moves on to now. */
static double lap(double *mark_s)
{
	double now_s = job_clock_s(), passed_s = now_s - *mark_s;
	*mark_s = now_s;
	return passed_s;
}

/* ---- who watches ---- */

static void (*watcher)(const char *stage, int after_injection, double seconds);

void job_watch(void (*watch)(const char *stage, int after_injection, double seconds))
{
	watcher = watch;
}

void job_tell(const char *stage, int after_injection, double seconds)
{
	if (watcher)
		watcher(stage, after_injection, seconds);
}

/* Volumes are tens of MB and come and go. Up to the size of a scan they are kept in the heap and
 * not given back to the kernel and cleared page by page each time (a fifth of a job's time). Larger
 * ones are those of a fine result grid, most of them masks that are empty almost everywhere: fresh
 * from the kernel, what nobody touches takes no memory. */
static void set_memory_rules(void)
{
	const int kept_bytes = 16 << 20, most_bytes = 1 << 30;
	(void)mallopt(M_MMAP_THRESHOLD, kept_bytes);
	(void)mallopt(M_TRIM_THRESHOLD, most_bytes);
}

/* ---- put ---- */

/* The test hook of job.h. */
static void die_before_commit_when_asked(void)
{
	const char *fault = getenv("HOLMIA_FAULT"), *once = getenv("HOLMIA_FAULT_ONCE");
	if (!fault || !once || strcmp(fault, "job-before-commit") != 0)
		return;
	int fd = open(once, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		raise(SIGKILL);
}

static enum status_code put_files(char paths[JOB_MAX_OBJECTS][PATH_SIZE], const struct job_case *c,
				  const struct job_output *output, struct status *st)
{
	char folder[PATH_SIZE], name[80];
	if (c->job->hash[0] == '\0' ||
	    snprintf(folder, sizeof folder, "%s/results/%s", c->config->spool, c->job->hash) >=
		(int)sizeof folder)
		return status_fail(st, STATUS_BUG, "job %ld has no usable folder",
				   (long)c->job->id);
	if (result_folder_make(folder, st) != STATUS_OK ||
	    result_file_put(folder, "figures.json", output->figures_json, output->figures_json_size,
			    st) != STATUS_OK ||
	    result_file_put(folder, "summary.txt", output->figures_table,
			    output->figures_table_size, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < output->n_objects; i++) {
		const struct job_object *object = &output->objects[i];
		snprintf(name, sizeof name, "%s.dcm", object->sop_instance_uid);
		if (snprintf(paths[i], PATH_SIZE, "%s/%s", folder, name) >= 1024)
			return status_fail(st, STATUS_CONFIG, "path of the spool is too long: %s",
					   c->config->spool);
		if (result_file_put(folder, name, object->bytes, object->size, st) != STATUS_OK)
			return st->code;
	}
	return STATUS_OK;
}

static void put_row(const struct job_case *c, const struct job_object *object, const char *path,
		    double now_s, struct status *st)
{
	if (queue_result(c->store, c->job, object->sop_class_uid, object->sop_instance_uid,
			 object->series_instance_uid, object->study_instance_uid, path,
			 st) != STATUS_OK)
		return;
	for (int i = 0; i < c->config->n_destinations && st->code == STATUS_OK; i++) {
		const struct config_destination *destination = &c->config->destinations[i];
		if (destination->results)
			(void)!outbox_add(c->store, destination->name, c->job->hash,
					  object->sop_class_uid, object->sop_instance_uid, path,
					  now_s, st);
	}
}

static enum status_code put(const struct job_case *c, const struct job_output *output,
			    struct status *st)
{
	char paths[JOB_MAX_OBJECTS][PATH_SIZE];
	if (put_files(paths, c, output, st) != STATUS_OK)
		return st->code;
	die_before_commit_when_asked();
	double now_s = clock_s(CLOCK_REALTIME);
	if (store_begin(c->store, st) != STATUS_OK)
		return st->code;
	for (int i = 0; i < output->n_objects && st->code == STATUS_OK; i++)
		put_row(c, &output->objects[i], paths[i], now_s, st);
	if (st->code == STATUS_OK)
		(void)!queue_finish(c->store, c->job, JOB_DONE, "", now_s, st);
	return store_finish(c->store, st);
}

static enum status_code finish_without_result(struct store *store, const struct job *job,
					      enum job_state state, const char *why,
					      struct status *st)
{
	if (store_begin(store, st) != STATUS_OK)
		return st->code;
	(void)!queue_finish(store, job, state, why, clock_s(CLOCK_REALTIME), st);
	return store_finish(store, st);
}

/* ---- the three kinds ---- */

static enum status_code run_fit(const struct config *config, struct store *store,
				const struct job *job, bool *superseded, struct stage_times *times,
				struct status *st)
{
	struct catalogue_patient *patient = NULL;
	struct job_scan scan = {.series = NULL};
	double mark_s = job_clock_s();

	if (catalogue_load_series(&patient, store, job->baseline.series_id, st) != STATUS_OK) {
		*superseded = st->code == STATUS_REFUSE; /* nothing of it is usable any more */
		goto out;
	}
	if (job_find_series(&scan, superseded, patient, &job->baseline, st) != STATUS_OK)
		goto out;
	if (!scan.arranged.complete) {
		(void)status_fail(st, STATUS_REFUSE, "series %s: %s",
				  scan.series->series_instance_uid, scan.arranged.missing);
		goto out;
	}
	if (job_fit_series(NULL, config, &scan, job->forced, &times->fit_s, st) != STATUS_OK)
		goto out;
	times->load_s = lap(&mark_s) - times->fit_s;
	if (finish_without_result(store, job, JOB_DONE, "", st) == STATUS_OK)
		times->put_s = lap(&mark_s);
out:
	mr_series_free(&scan.arranged);
	catalogue_patient_free(patient);
	return st->code;
}

static enum status_code run_dose(const struct config *config, struct store *store,
				 const struct job *job, bool *superseded, struct stage_times *times,
				 struct status *st)
{
	struct job_output output = {.n_objects = 0};
	double mark_s = job_clock_s();
	struct job_case *c = calloc(1, sizeof *c);
	if (!c)
		return status_fail(st, STATUS_RETRY, "no memory for a job");
	c->config = config;
	c->store = store;
	c->job = job;

	if (job_load(c, st) != STATUS_OK)
		goto out;
	times->fit_s = c->fit_s;
	times->align_s = c->align_s;
	times->load_s = lap(&mark_s) - times->fit_s - times->align_s;
	if (job_run_dosimetry(c, st) != STATUS_OK && job_drop_contours(c, st)) {
		job_fill_input(c);
		(void)!job_run_dosimetry(c, st);
	}
	if (st->code != STATUS_OK)
		goto out;
	if (job->kind == JOB_REPORT && job_emission_run(c, st) != STATUS_OK)
		goto out;
	times->dosimetry_s = lap(&mark_s);
	if (job_build(&output, c, st) != STATUS_OK)
		goto out;
	times->build_s = lap(&mark_s);
	if (put(c, &output, st) != STATUS_OK)
		goto out;
	times->put_s = lap(&mark_s);
out:
	*superseded = c->superseded;
	job_output_free(&output);
	job_case_free(c);
	free(c);
	return st->code;
}

static void log_stages(const struct job *job, const struct stage_times *times)
{
	struct rusage used = {.ru_maxrss = 0};
	(void)getrusage(RUSAGE_SELF, &used);
	log_line(LOG_INFO_LINE, "job stages",
		 "kind=%s after=%d job=%.12s load_ms=%.0f fit_ms=%.0f align_ms=%.0f "
		 "dosimetry_ms=%.0f build_ms=%.0f put_ms=%.0f peak_mib=%ld",
		 job_kind_name(job->kind), job->after_injection, job->hash, 1e3 * times->load_s,
		 1e3 * times->fit_s, 1e3 * times->align_s, 1e3 * times->dosimetry_s,
		 1e3 * times->build_s, 1e3 * times->put_s, used.ru_maxrss / 1024);
}

enum status_code job_run(const struct config *config, struct store *store, const struct job *job,
			 struct status *st)
{
	struct stage_times times = {0, 0, 0, 0, 0, 0};
	bool superseded = false;
	char why[sizeof st->text];

	set_memory_rules();

	if (job->kind == JOB_FIT)
		(void)!run_fit(config, store, job, &superseded, &times, st);
	else
		(void)!run_dose(config, store, job, &superseded, &times, st);

	if (superseded) {
		memcpy(why, st->text, sizeof why);
		status_clear(st);
		log_line(LOG_INFO_LINE, "job superseded", "kind=%s after=%d job=%.12s why=\"%s\"",
			 job_kind_name(job->kind), job->after_injection, job->hash, why);
		return finish_without_result(store, job, JOB_SUPERSEDED, why, st);
	}
	if (st->code == STATUS_OK)
		log_stages(job, &times);
	return st->code;
}
