/* chain_bench.c - the whole way of one new series after an injection, timed inside one process.
 *
 *   chain_bench CONFIG RECORD SPOOL BEFORE... -- NEW...
 *       BEFORE: folders of what the node has already (baseline, anatomy, contours, earlier series):
 *       indexed, and all their jobs done, untimed. NEW: folders of the series that arrives then.
 *       SPOOL: an empty folder for database, maps and results. Prints, in seconds,
 *
 *           stage index S       every file of NEW read, parsed and catalogued
 *           stage plan S
 *           stage fit S ...     per job, in the order they ran; the log on stderr has their parts
 *           chain S             all of it
 *           files PATH...       the result objects, for sizes */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "indexer.h"
#include "log.h"
#include "planner.h"
#include "process.h"
#include "treatment_store.h"
#include "worker.h"

struct bench {
	struct config *config;
	struct store *store;
	struct treatment_record *record;
};

static int fail(const char *what)
{
	fprintf(stderr, "chain_bench: %s\n", what);
	return 1;
}

static int index_folder(struct bench *b, const char *folder, struct status *st)
{
	struct indexer_touched touched = {0};
	struct dirent **names = NULL;
	int count = scandir(folder, &names, NULL, alphasort), n_files = 0;
	struct indexer_file *files = calloc(count > 0 ? (size_t)count : 1, sizeof *files);
	char(*paths)[4096] = calloc(count > 0 ? (size_t)count : 1, sizeof *paths);

	if (count < 0 || !files || !paths)
		return fail("cannot read a folder of images");
	for (int i = 0; i < count; i++) {
		snprintf(paths[n_files], sizeof *paths, "%s/%s", folder, names[i]->d_name);
		files[n_files].path = paths[n_files];
		n_files += names[i]->d_name[0] != '.';
		free(names[i]);
	}
	if (store_begin(b->store, st) == STATUS_OK)
		(void)!indexer_add_files(files, n_files, b->store, b->config, &touched, st);
	(void)!store_finish(b->store, st);
	free(names);
	free(files);
	free(paths);
	indexer_touched_free(&touched);
	return st->code == STATUS_OK ? 0 : fail(st->text);
}

static int plan(struct bench *b, struct status *st)
{
	double look_again_s;
	int jobs = 0;

	if (planner_plan_patient(b->store, b->config, b->record->patient_id,
				 b->record->patient_issuer, worker_clock_s(), &jobs, &look_again_s,
				 st) != STATUS_OK)
		return fail(st->text);
	return jobs > 0 ? 0 : fail("nothing to do: are the folders of one treatment?");
}

static int run_jobs(struct bench *b, bool timed, struct status *st)
{
	static const char *const names[] = {"fit", "map", "report"};
	bool worked = true;

	while (worked) {
		struct status outcome = STATUS_INIT;
		struct job job;
		double begin_s = worker_clock_s();

		if (worker_run_one(&worked, &job, &outcome, b->config, b->store, st) != STATUS_OK)
			return fail(st->text);
		if (worked && outcome.code != STATUS_OK)
			return fail(outcome.text);
		if (worked && timed)
			printf("stage %s %.4f\n", names[job.kind], worker_clock_s() - begin_s);
	}
	return 0;
}

static int read_record(struct bench *b, const char *path, struct status *st)
{
	struct config_faults faults;
	char *text = NULL;
	size_t size = 0;
	FILE *file = fopen(path, "rb");

	b->record = malloc(sizeof *b->record);
	if (file == NULL || b->record == NULL || getdelim(&text, &size, '\0', file) < 0)
		return fail("cannot read the record");
	fclose(file);
	if (treatment_record_read_memory(b->record, &faults, text, strlen(text), path, st) !=
		STATUS_OK ||
	    store_begin(b->store, st) != STATUS_OK)
		return fail(st->text);
	(void)!record_add(b->store, b->record, text, worker_clock_s(), st);
	free(text);
	return store_finish(b->store, st) == STATUS_OK ? 0 : fail(st->text);
}

int main(int argc, char **argv)
{
	struct status st = STATUS_INIT;
	struct config_faults faults;
	struct bench b = {NULL, NULL, NULL};
	int at = 4;

	if (argc < 7) {
		fprintf(stderr, "usage: chain_bench CONFIG RECORD SPOOL BEFORE... -- NEW...\n");
		return 2;
	}
	log_set_level(LOG_ERROR_LINE + 1);
	if (dataset_library_init(&st) != STATUS_OK ||
	    config_load(&b.config, &faults, argv[1], &st) != STATUS_OK)
		return fail(st.text);
	b.config->n_destinations = 0;
	snprintf(b.config->spool, sizeof b.config->spool, "%s", argv[3]);
	if (store_open(&b.store, b.config->spool, &st) != STATUS_OK)
		return fail(st.text);
	if (read_record(&b, argv[2], &st) != 0)
		return 1;
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		if (index_folder(&b, argv[at], &st) != 0)
			return 1;
	}
	if (plan(&b, &st) != 0 || run_jobs(&b, false, &st) != 0)
		return 1;

	log_set_level(LOG_INFO_LINE);
	double begin_s = worker_clock_s();
	for (at++; at < argc; at++) {
		if (index_folder(&b, argv[at], &st) != 0)
			return 1;
	}
	double indexed_s = worker_clock_s();
	printf("stage index %.4f\n", indexed_s - begin_s);
	if (plan(&b, &st) != 0)
		return 1;
	printf("stage plan %.4f\n", worker_clock_s() - indexed_s);
	if (run_jobs(&b, true, &st) != 0)
		return 1;
	printf("chain %.4f\n", worker_clock_s() - begin_s);
	store_close(b.store);
	free(b.record);
	config_free(b.config);
	return 0;
}
