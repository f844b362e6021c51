/* The jobs of a small phantom treatment from files to results: what is made, what is made again,
 * what is not. */
#define _XOPEN_SOURCE 700 /* nftw() */
#include "check.h"
#include "commands.h"
#include "indexer.h"
#include "job.h"
#include "outbox.h"
#include "planner.h"
#include "tags.h"
#include "treatment_store.h"
#include "worker.h"

#include <dirent.h>
#include <ftw.h>
#include <stdlib.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[64]; /* of the whole program; the phantom is in root/phantom */

/* ---- a node without processes: a spool of its own per test ---- */

struct node {
	char spool[200];
	struct config *config;
	struct store *store;
	struct treatment_record *record;
	double now_s;
};

static void copy_example(const char *to)
{
	char byte;
	FILE *in = fopen(SOURCE_DIR "/config/holmia.example.xml", "rb"), *out = fopen(to, "wb");
	assert_non_null(in);
	assert_non_null(out);
	while (fread(&byte, 1, 1, in) == 1)
		fputc(byte, out);
	fclose(in);
	fclose(out);
}

static struct node node_new(const char *name)
{
	struct node node = {.now_s = 1772600000};
	struct status st = STATUS_INIT;
	struct config_faults faults = {0};
	char path[300];
	snprintf(path, sizeof path, "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(node.spool, sizeof node.spool, "%s/%s/spool", root, name);
	assert_int_equal(mkdir(node.spool, 0700), 0);
	snprintf(path, sizeof path, "%s/%s/holmia.xml", root, name);
	copy_example(path);
	assert_ok(config_load(&node.config, &faults, path, &st), &st);
	config_faults_free(&faults);
	assert_string_equal(node.config->spool, node.spool);
	assert_ok(store_open(&node.store, node.spool, &st), &st);
	return node;
}

static void node_free(struct node *node)
{
	store_close(node->store);
	config_free(node->config);
	free(node->record);
}

static void add_folder(struct node *node, const char *folder)
{
	struct status st = STATUS_INIT;
	struct indexer_touched touched = {0};
	char path[700];
	snprintf(path, sizeof path, "%s/phantom/dicom/%s", root, folder);
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort), n_files = 0;
	assert_true(count > 2);
	struct indexer_file *files = calloc((size_t)count, sizeof *files);
	char(*paths)[700] = calloc((size_t)count, sizeof *paths);
	assert_true(files && paths);
	for (int i = 0; i < count; i++) {
		snprintf(paths[n_files], sizeof *paths, "%s/phantom/dicom/%s/%s", root, folder,
			 names[i]->d_name);
		if (names[i]->d_name[0] != '.') {
			files[n_files].path = paths[n_files];
			n_files++;
		}
		free(names[i]);
	}
	assert_ok(store_begin(node->store, &st), &st);
	assert_ok(indexer_add_files(files, n_files, node->store, node->config, &touched, &st), &st);
	assert_ok(store_finish(node->store, &st), &st);
	free(names);
	free(files);
	free(paths);
	indexer_touched_free(&touched);
}

static void add_record(struct node *node)
{
	struct status st = STATUS_INIT;
	struct config_faults faults = {0};
	char path[200], *xml = NULL;
	size_t size = 0;
	snprintf(path, sizeof path, "%s/phantom/treatment.xml", root);
	FILE *file = fopen(path, "rb"), *memory = open_memstream(&xml, &size);
	for (int byte; (byte = fgetc(file)) != EOF;)
		fputc(byte, memory);
	fclose(file);
	fclose(memory);
	node->record = malloc(sizeof *node->record);
	assert_ok(treatment_record_read_memory(node->record, &faults, xml, size, path, &st), &st);
	config_faults_free(&faults);
	assert_ok(store_begin(node->store, &st), &st);
	assert_ok(record_add(node->store, node->record, xml, node->now_s, &st), &st);
	assert_ok(store_finish(node->store, &st), &st);
	free(xml);
}

static int plan(struct node *node)
{
	struct status st = STATUS_INIT;
	int added = 0;
	double look_again_s;
	node->now_s += 3600; /* unconfirmed series have settled */
	assert_ok(planner_plan_patient(node->store, node->config, node->record->patient_id,
				       node->record->patient_issuer, node->now_s, &added,
				       &look_again_s, &st),
		  &st);
	return added;
}

/* Runs everything that can run; counts the jobs per kind that ended done. */
static void run_all(struct node *node, int done[3])
{
	memset(done, 0, 3 * sizeof *done);
	for (bool worked = true; worked;) {
		struct status st = STATUS_INIT, outcome = STATUS_INIT;
		struct job job;
		assert_ok(worker_run_one(&worked, &job, &outcome, node->config, node->store, &st),
			  &st);
		if (!worked)
			break;
		assert_ok(outcome.code, &outcome);
		done[job.kind]++;
	}
}

/* As run_all(), but nothing is left for a job to go on from. */
static void run_all_from_nothing(struct node *node)
{
	for (bool worked = true; worked;) {
		struct status st = STATUS_INIT, outcome = STATUS_INIT;
		struct job job;
		char command[700];
		snprintf(command, sizeof command, "rm -f %s/maps/*.course", node->spool);
		assert_int_equal(system(command), 0);
		assert_ok(worker_run_one(&worked, &job, &outcome, node->config, node->store, &st),
			  &st);
		assert_ok(outcome.code, &outcome);
	}
}

static int list_results(struct queue_result_row **rows, struct node *node)
{
	struct status st = STATUS_INIT;
	int count = 0;
	assert_ok(queue_list_results(rows, &count, node->store, NULL, &st), &st);
	return count;
}

static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	char *bytes = malloc(*size + 1);
	assert_int_equal(fread(bytes, 1, *size, file), *size);
	bytes[*size] = '\0';
	fclose(file);
	return bytes;
}

static bool file_contains(const char *path, const char *text)
{
	size_t size, length = strlen(text);
	char *bytes = read_file(path, &size);
	bool found = false;
	for (size_t i = 0; i + length <= size && !found; i++)
		found = memcmp(bytes + i, text, length) == 0;
	free(bytes);
	return found;
}

static struct node whole_treatment(const char *name)
{
	struct node node = node_new(name);
	static const char *const folders[] = {"01_baseline", "02_T1w", "03_after_1", "04_after_2",
					      "90_rtstruct"};
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		add_folder(&node, folders[i]);
	add_record(&node);
	return node;
}

/* ---- tests ---- */

static void a_treatment_gives_maps_and_a_report(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct node node = whole_treatment("whole");
	int done[3];
	assert_int_equal(plan(&node), 6); /* three fits, two maps, a report */
	run_all(&node, done);
	assert_int_equal(done[JOB_FIT], 3);
	assert_int_equal(done[JOB_MAP], 2);
	assert_int_equal(done[JOB_REPORT], 1);

	struct queue_result_row *rows = NULL;
	int count = list_results(&rows, &node);
	assert_int_equal(count, 3);
	for (int i = 0; i < count; i++) {
		struct dataset *ds = NULL;
		char uid[65];
		assert_ok(dataset_read_file(&ds, rows[i].path, &st), &st);
		assert_ok(dataset_get_string(ds, AT(TAG_SOPInstanceUID), uid, sizeof uid, &st),
			  &st);
		assert_string_equal(uid, rows[i].sop_instance_uid);
		dataset_free(ds);
	}
	/* the report names both doses */
	assert_int_equal(rows[2].kind, JOB_REPORT);
	assert_true(file_contains(rows[2].path, rows[0].sop_instance_uid));
	assert_true(file_contains(rows[2].path, rows[1].sop_instance_uid));
	/* and every threshold with the isotope it was found for */
	assert_true(file_contains(rows[2].path, "(liver, 55 Gy of Ho-166 microspheres; doi"));
	assert_true(file_contains(rows[2].path, "(tumour, 205 Gy of Y-90 microspheres; DOSI"));
	free(rows);

	struct outbox_row *deliveries = NULL;
	assert_ok(outbox_list(&deliveries, &count, node.store, true, &st), &st);
	assert_int_equal(count, 3); /* one destination in the example */
	free(deliveries);

	/* the same again: nothing to do */
	assert_int_equal(plan(&node), 0);
	run_all(&node, done);
	assert_int_equal(done[JOB_FIT] + done[JOB_MAP] + done[JOB_REPORT], 0);
	node_free(&node);
}

static void the_next_injection_leaves_earlier_maps_alone(void **state)
{
	(void)state;
	struct node node = whole_treatment("next");
	int done[3];
	plan(&node);
	run_all(&node, done);
	add_folder(&node, "05_after_3");
	assert_int_equal(plan(&node), 3);
	run_all(&node, done);
	assert_int_equal(done[JOB_FIT], 1);
	assert_int_equal(done[JOB_MAP], 1);
	assert_int_equal(done[JOB_REPORT], 1);
	struct queue_result_row *rows = NULL;
	int count = list_results(&rows, &node);
	assert_int_equal(count, 5);
	/* the second report replaces the first, and says so */
	assert_true(file_contains(rows[4].path, rows[2].sop_instance_uid));
	free(rows);
	node_free(&node);
}

static char *report_figures(struct node *node, size_t *size)
{
	struct queue_result_row *rows = NULL;
	char path[1500];
	int count = list_results(&rows, node);
	assert_int_equal(rows[count - 1].kind, JOB_REPORT);
	snprintf(path, sizeof path, "%s", rows[count - 1].path);
	strcpy(strrchr(path, '/'), "/figures.json");
	free(rows);
	return read_file(path, size);
}

/* Going on from what is kept of the scans before says what a computation of all of them says. */
static void a_report_from_kept_courses_is_that_from_nothing(void **state)
{
	(void)state;
	struct node kept = whole_treatment("kept"), nothing = whole_treatment("nothing");
	int done[3];
	size_t size, expected_size;
	plan(&kept);
	run_all(&kept, done);
	add_folder(&kept, "05_after_3");
	plan(&kept);
	run_all(&kept, done);
	add_folder(&nothing, "05_after_3");
	plan(&nothing);
	run_all_from_nothing(&nothing);

	char *figures = report_figures(&kept, &size);
	char *expected = report_figures(&nothing, &expected_size);
	assert_int_equal(size, expected_size);
	assert_string_equal(figures, expected);
	assert_non_null(strstr(figures, "\"after_injection\": 3"));
	free(figures);
	free(expected);
	node_free(&kept);
	node_free(&nothing);
}

/* The phantom's structure set, to be changed. */
static struct dataset *read_contours(void)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	struct dirent **names;
	char path[700];
	snprintf(path, sizeof path, "%s/phantom/dicom/90_rtstruct", root);
	int files = scandir(path, &names, NULL, alphasort);
	assert_int_equal(files, 3); /* with . and .. */
	snprintf(path, sizeof path, "%s/phantom/dicom/90_rtstruct/%s", root, names[2]->d_name);
	assert_ok(dataset_read_file(&ds, path, &st), &st);
	for (int i = 0; i < files; i++)
		free(names[i]);
	free(names);
	return ds;
}

/* Under new UIDs and a later time into the node. Takes ds. */
static void add_contours(struct node *node, struct dataset *ds)
{
	struct status st = STATUS_INIT;
	struct indexer_touched touched = {0};
	char path[300];
	struct indexer_file file = {.path = path};
	snprintf(path, sizeof path, "%s/later.dcm", node->spool);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPInstanceUID), "2.25.4711", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SeriesInstanceUID), "2.25.4712", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_StructureSetTime), "235900", &st), &st);
	assert_ok(dataset_write_file(ds, path, &st), &st);
	dataset_free(ds);
	assert_ok(store_begin(node->store, &st), &st);
	assert_ok(indexer_add_files(&file, 1, node->store, node->config, &touched, &st), &st);
	assert_ok(store_finish(node->store, &st), &st);
	indexer_touched_free(&touched);
	assert_true(file.used);
}

static void copy_contour(struct dataset *ds, unsigned to_roi, unsigned from_roi, unsigned contour,
			 double shift_mm)
{
	struct status st = STATUS_INIT;
	double *points = NULL;
	size_t count;
	assert_ok(dataset_get_doubles(ds,
				      AT(TAG_ROIContourSequence, from_roi, TAG_ContourSequence,
					 contour, TAG_ContourData),
				      &points, &count, &st),
		  &st);
	points[0] += shift_mm;
	assert_ok(dataset_set_doubles(ds,
				      AT(TAG_ROIContourSequence, to_roi, TAG_ContourSequence,
					 contour, TAG_ContourData),
				      points, count, &st),
		  &st);
	free(points);
}

/* The liver is what scans are aligned by, and where artefacts are looked for: other contours, other
 * maps, as versions of their own, with alignment and without. */
static void late_contours_make_maps_again(void **state)
{
	(void)state;
	for (int aligned = 0; aligned < 2; aligned++) {
		struct node node = whole_treatment(aligned ? "late-aligned" : "late");
		int done[3];
		node.config->register_rigid = aligned;
		plan(&node);
		run_all(&node, done);

		struct dataset *ds = read_contours();
		copy_contour(ds, 0, 0, 0, 1);
		add_contours(&node, ds);
		assert_int_equal(plan(&node), 3);
		run_all(&node, done);
		assert_int_equal(done[JOB_FIT], 0);
		assert_int_equal(done[JOB_MAP], 2);
		assert_int_equal(done[JOB_REPORT], 1);
		struct queue_result_row *rows = NULL;
		int count = list_results(&rows, &node);
		assert_int_equal(count, 6);
		assert_int_equal(rows[3].version, 2);
		/* the report names the one that it replaces, and the doses that hold */
		assert_int_equal(rows[count - 1].kind, JOB_REPORT);
		assert_true(file_contains(rows[count - 1].path, rows[2].sop_instance_uid));
		const int doses = 3;
		assert_true(file_contains(rows[count - 1].path, rows[doses].sop_instance_uid));
		assert_true(file_contains(rows[count - 1].path, rows[doses + 1].sop_instance_uid));
		free(rows);
		node_free(&node);
	}
}

/* Tumour 1 drawn over tumour 2: no report, in words; the map is made without the contours. */
static void overlapping_tumours_refuse_the_report_and_no_map(void **state)
{
	(void)state;
	static const char *const folders[] = {"01_baseline", "02_T1w", "03_after_1"};
	struct node node = node_new("overlap");
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		add_folder(&node, folders[i]);
	struct dataset *ds = read_contours();
	unsigned contours =
	    dataset_item_count(ds, AT(TAG_ROIContourSequence, 3, TAG_ContourSequence));
	for (unsigned contour = 0; contour < contours; contour++)
		copy_contour(ds, 3, 4, contour, 0);
	add_contours(&node, ds);
	add_record(&node);
	assert_int_equal(plan(&node), 4);

	bool worked = true;
	int maps = 0, refused = 0;
	while (worked) {
		struct status st = STATUS_INIT, outcome = STATUS_INIT;
		struct job job;
		assert_ok(worker_run_one(&worked, &job, &outcome, node.config, node.store, &st),
			  &st);
		maps += worked && job.kind == JOB_MAP && outcome.code == STATUS_OK;
		if (worked && job.kind == JOB_REPORT) {
			assert_int_equal(outcome.code, STATUS_REFUSE);
			assert_non_null(
			    strstr(outcome.text, "\"Tumour 1\" and \"Tumour 2\" overlap"));
			refused++;
		}
	}
	assert_int_equal(maps, 1);
	assert_int_equal(refused, 1);
	struct queue_result_row *rows = NULL;
	assert_int_equal(list_results(&rows, &node), 1);
	assert_false(file_contains(rows[0].path, "2.25.4711")); /* contours that were not used */
	free(rows);
	node_free(&node);
}

/* A region of two roles: no report, said in the treatment; the map is made, without histograms. */
static void refused_contours_leave_the_map(void **state)
{
	(void)state;
	static const char *const folders[] = {"01_baseline", "02_T1w", "03_after_1"};
	struct node node = node_new("roles");
	struct status st = STATUS_INIT;
	int done[3];
	for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
		add_folder(&node, folders[i]);
	struct dataset *ds = read_contours();
	assert_ok(dataset_set_string(ds, AT(TAG_StructureSetROISequence, 3, TAG_ROIName),
				     "Liver minus GTV", &st),
		  &st);
	add_contours(&node, ds);
	add_record(&node);
	assert_int_equal(plan(&node), 3);
	run_all(&node, done);
	assert_int_equal(done[JOB_MAP], 1);
	struct queue_result_row *rows = NULL;
	assert_int_equal(list_results(&rows, &node), 1);
	assert_false(file_contains(rows[0].path, "2.25.4711"));
	free(rows);
	/* with the mean of a region there is no map without the region */
	node.config->baseline_voxelwise = false;
	assert_int_equal(plan(&node), 0);
	node_free(&node);
}

/* Killed between the last file and the transaction: no row, and the same bytes when it runs again.
 */
static void a_kill_before_the_commit_changes_no_byte(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct node node = whole_treatment("killed");
	char marker[300];
	snprintf(marker, sizeof marker, "%s/killed-once", root);
	plan(&node);
	store_close(node.store); /* no connection crosses a fork */
	int kills = 0;
	for (;;) {
		pid_t child = fork();
		if (child == 0) {
			struct store *store = NULL;
			struct job job;
			struct status outcome = STATUS_INIT, own = STATUS_INIT;
			bool worked = true;
			setenv("HOLMIA_FAULT", "job-before-commit", 1);
			setenv("HOLMIA_FAULT_ONCE", marker, 1);
			if (store_open(&store, node.spool, &own) != STATUS_OK ||
			    queue_recover(store, &own) != STATUS_OK)
				_exit(9);
			while (worked && own.code == STATUS_OK)
				if (worker_run_one(&worked, &job, &outcome, node.config, store,
						   &own) != STATUS_OK ||
				    outcome.code != STATUS_OK)
					_exit(8);
			_exit(0);
		}
		int ended;
		assert_int_equal(waitpid(child, &ended, 0), child);
		if (WIFEXITED(ended)) {
			assert_int_equal(WEXITSTATUS(ended), 0);
			break;
		}
		assert_int_equal(WTERMSIG(ended), SIGKILL);
		kills++;

		/* what the dead worker left: a file, no row */
		struct queue_result_row *rows = NULL;
		assert_ok(store_open(&node.store, node.spool, &st), &st);
		assert_int_equal(list_results(&rows, &node), 0);
		free(rows);
		store_close(node.store);
		char command[600];
		snprintf(command, sizeof command, "cp -r %s/results %s/before", node.spool,
			 node.spool);
		assert_int_equal(system(command), 0);
	}
	assert_int_equal(kills, 1);
	assert_ok(store_open(&node.store, node.spool, &st), &st);
	struct queue_result_row *rows = NULL;
	int count = list_results(&rows, &node), compared = 0;
	assert_int_equal(count, 3);
	for (int i = 0; i < count; i++) {
		char before[400];
		size_t size_a, size_b;
		snprintf(before, sizeof before, "%s/before/%s/%s.dcm", node.spool, rows[i].job_hash,
			 rows[i].sop_instance_uid);
		if (access(before, R_OK) != 0)
			continue;
		char *a = read_file(before, &size_a), *b = read_file(rows[i].path, &size_b);
		assert_int_equal(size_a, size_b);
		assert_memory_equal(a, b, size_a);
		free(a);
		free(b);
		compared++;
	}
	assert_int_equal(compared, 1);
	free(rows);
	node_free(&node);
}

static int cut_map(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)place;
	if (type == FTW_F && strstr(path, ".r2s"))
		return truncate(path, info->st_size / 2);
	return 0;
}

/* The kept maps are damaged between two jobs: made again, same dose. */
static void damaged_maps_are_made_again(void **state)
{
	(void)state;
	struct node node = whole_treatment("damaged");
	struct status st = STATUS_INIT, outcome = STATUS_INIT;
	struct job job;
	bool worked = true;
	plan(&node);
	do
		assert_ok(worker_run_one(&worked, &job, &outcome, node.config, node.store, &st),
			  &st);
	while (worked && job.kind == JOB_FIT && outcome.code == STATUS_OK);
	assert_int_equal(job.kind, JOB_MAP);
	struct queue_result_row *rows = NULL;
	assert_int_equal(list_results(&rows, &node), 1);
	size_t before_size, after_size;
	char *before = read_file(rows[0].path, &before_size);
	assert_int_equal(nftw(node.spool, cut_map, 10, FTW_PHYS), 0);
	assert_ok(job_run(node.config, node.store, &job, &outcome), &outcome);
	char *after = read_file(rows[0].path, &after_size);
	assert_int_equal(before_size, after_size);
	assert_memory_equal(before, after, before_size);
	free(before);
	free(after);
	free(rows);
	node_free(&node);
}

static void other_evidence_supersedes_a_job(void **state)
{
	(void)state;
	struct node node = whole_treatment("superseded");
	struct status st = STATUS_INIT;
	struct result_identity identity;
	struct queue_row row;
	struct job job;
	bool found = false;
	plan(&node);
	worker_identity(&identity, node.config, node.now_s);
	assert_ok(queue_claim(&found, &job, node.store, &identity, node.now_s, &st), &st);
	assert_true(found && job.kind == JOB_FIT);
	job.baseline.evidence_hash[0] ^= 1;
	assert_ok(job_run(node.config, node.store, &job, &st), &st);
	assert_ok(queue_find(&found, &row, node.store, job.hash, &st), &st);
	assert_int_equal(row.state, JOB_SUPERSEDED);
	assert_non_null(strstr(row.why, "later images"));
	node_free(&node);
}

/* A higher revision that came after the plan and before the job: its numbers do not go under the
 * name of the older one. */
static void a_later_record_supersedes_a_job(void **state)
{
	(void)state;
	struct node node = whole_treatment("revision");
	struct status st = STATUS_INIT;
	int done[3];
	assert_true(plan(&node) > 0);
	char *xml = NULL, changed[20000];
	assert_ok(record_text(&xml, node.store, node.record->id, &st), &st);
	static const char open[] = "<treatment ", attribute[] = "specific-activity-mbq-per-mg=\"";
	char *start = strstr(xml, open), *specific = strstr(xml, attribute);
	assert_true(start && specific && start < specific);
	start += strlen(open);
	specific += strlen(attribute);
	snprintf(changed, sizeof changed, "%.*sid=\"%s\" revision=\"2\" %.*s9%s",
		 (int)(start - xml), xml, node.record->id, (int)(specific - start), start,
		 specific + 1);
	free(xml);
	struct config_faults faults = {0};
	struct treatment_record *later = malloc(sizeof *later);
	assert_ok(
	    treatment_record_read_memory(later, &faults, changed, strlen(changed), "later", &st),
	    &st);
	config_faults_free(&faults);
	assert_ok(record_add(node.store, later, changed, node.now_s, &st), &st);
	free(later);
	run_all(&node, done);
	struct queue_row *rows = NULL;
	int count = 0, superseded = 0;
	assert_ok(queue_list(&rows, &count, node.store, NULL, &st), &st);
	for (int i = 0; i < count; i++) {
		superseded += rows[i].kind != JOB_FIT && rows[i].state == JOB_SUPERSEDED;
		assert_true(rows[i].kind == JOB_FIT || rows[i].state == JOB_SUPERSEDED);
	}
	free(rows);
	assert_int_equal(superseded, 3);
	assert_int_equal(plan(&node), 3); /* two maps and the report, under names of their own */
	run_all(&node, done);
	assert_int_equal(done[JOB_MAP] + done[JOB_REPORT], 3);
	node_free(&node);
}

/* ---- the hash: what changes it and what does not ---- */

static void hash_of(char hex[65], enum job_kind kind, const struct config *config,
		    const char *contours, const char *record)
{
	static struct job job;
	job =
	    (struct job){.kind = kind, .n_scans = 1, .after_injection = 1, .anatomy.series_id = 4};
	strcpy(job.baseline.evidence_hash, "b");
	strcpy(job.scans[0].evidence_hash, "a1");
	strcpy(job.anatomy.evidence_hash, "t1");
	strcpy(job.treatment_key, "r|p|i");
	job_hash(&job, config, contours, record, 0);
	memcpy(hex, job.hash, 65);
}

static void the_hash_holds_what_can_change_the_numbers(void **state)
{
	(void)state;
	struct node node = node_new("hash");
	struct config *config = node.config;
	char a[65], b[65];
	hash_of(a, JOB_MAP, config, "contours", "record");
	assert_int_equal(strlen(a), 64);
	hash_of(b, JOB_MAP, config, "contours", "record");
	assert_string_equal(a, b);
	/* contours: the liver is aligned by, and artefacts are looked for around it */
	hash_of(b, JOB_MAP, config, "later contours", "record");
	assert_string_not_equal(a, b);
	hash_of(a, JOB_REPORT, config, "contours", "record");
	hash_of(b, JOB_REPORT, config, "later contours", "record");
	assert_string_not_equal(a, b);
	/* record and constants */
	hash_of(a, JOB_MAP, config, "", "record");
	hash_of(b, JOB_MAP, config, "", "other record");
	assert_string_not_equal(a, b);
	double dose_constant = config->dose_constant_mj_per_mbq;
	config->dose_constant_mj_per_mbq += 1;
	hash_of(b, JOB_MAP, config, "", "record");
	assert_string_not_equal(a, b);
	config->dose_constant_mj_per_mbq = dose_constant;
	/* alignment and kernel */
	config->registration_margin_mm += 1;
	hash_of(b, JOB_MAP, config, "", "record");
	assert_string_not_equal(a, b);
	config->registration_margin_mm -= 1;
	config->kernel = true;
	hash_of(b, JOB_MAP, config, "", "record");
	assert_string_not_equal(a, b);
	config->kernel = false;
	hash_of(b, JOB_MAP, config, "", "record");
	assert_string_equal(a, b);
	/* a region that cannot be measured has no histogram in the RT Dose */
	config->not_measurable_above_percent += 1;
	hash_of(b, JOB_MAP, config, "", "record");
	assert_string_not_equal(a, b);
	config->not_measurable_above_percent -= 1;
	/* what is measurable, uncertainties and advice: the report alone */
	for (int setting = 0; setting < 3; setting++) {
		double *values[] = {&config->limited_above_percent,
				    &config->relaxivity_uncertainty_percent,
				    &config->advice_limit_gy};
		double was = *values[setting];
		hash_of(a, JOB_REPORT, config, "", "record");
		*values[setting] = 17;
		hash_of(b, JOB_REPORT, config, "", "record");
		assert_string_not_equal(a, b);
		hash_of(b, JOB_MAP, config, "", "record");
		*values[setting] = was;
		hash_of(a, JOB_MAP, config, "", "record");
		assert_string_equal(a, b);
	}
	/* a dose level changes the report and no map; a port changes nothing */
	hash_of(a, JOB_REPORT, config, "", "record");
	config->port++;
	hash_of(b, JOB_REPORT, config, "", "record");
	assert_string_equal(a, b);
	config->dose_level_gy[0] += 1;
	hash_of(b, JOB_REPORT, config, "", "record");
	assert_string_not_equal(a, b);
	hash_of(a, JOB_MAP, config, "", "record");
	config->dose_level_gy[0] -= 1;
	hash_of(b, JOB_MAP, config, "", "record");
	assert_string_equal(a, b);
	/* a threshold stands in the report with its source */
	hash_of(a, JOB_REPORT, config, "", "record");
	config->thresholds[0].source[0]++;
	hash_of(b, JOB_REPORT, config, "", "record");
	assert_string_not_equal(a, b);
	node_free(&node);
}

/* A report names the maps it was made beside: what makes these again makes it again too. */
static void a_calibration_makes_maps_and_report_again(void **state)
{
	(void)state;
	struct config_relaxivity relaxivity = {.per_s_per_mg_per_ml = 217.8, .provenance = "a"};
	struct treatment_slots *slots = calloc(1, sizeof *slots);
	struct treatment_record *record = calloc(1, sizeof *record);
	struct job *job = calloc(1, sizeof *job);
	char map[2][65], report[2][65];
	slots->relaxivity = &relaxivity;
	slots->emission.index = -1;
	for (int calibrated = 0; calibrated < 2; calibrated++) {
		relaxivity.calibrated = calibrated;
		job_map_fingerprint(map[calibrated], job, slots);
		job_report_fingerprint(report[calibrated], record, slots);
	}
	assert_string_not_equal(map[0], map[1]);
	assert_string_not_equal(report[0], report[1]);
	free(slots);
	free(record);
	free(job);
}

/* ---- */

static int make_phantom(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	static char command[] = "phantom", out[] = "-o", small[] = "--small", seed[] = "--seed";
	static char injections[] = "--injections", shares[] = "10,40,50", one[] = "1";
	char folder[100];
	strcpy(root, "/tmp/holmia-job-XXXXXX");
	if (!mkdtemp(root) || dataset_library_init(&st) != STATUS_OK)
		return -1;
	snprintf(folder, sizeof folder, "%s/phantom", root);
	char *argv[] = {command, out, folder, small, seed, one, injections, shares, NULL};
	return command_phantom(8, argv);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
	(void)info;
	(void)type;
	(void)place;
	return remove(path);
}

static int remove_all(void **state)
{
	(void)state;
	return nftw(root, remove_one, 10, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_treatment_gives_maps_and_a_report),
	    cmocka_unit_test(the_next_injection_leaves_earlier_maps_alone),
	    cmocka_unit_test(a_report_from_kept_courses_is_that_from_nothing),
	    cmocka_unit_test(late_contours_make_maps_again),
	    cmocka_unit_test(overlapping_tumours_refuse_the_report_and_no_map),
	    cmocka_unit_test(refused_contours_leave_the_map),
	    cmocka_unit_test(a_kill_before_the_commit_changes_no_byte),
	    cmocka_unit_test(damaged_maps_are_made_again),
	    cmocka_unit_test(other_evidence_supersedes_a_job),
	    cmocka_unit_test(a_later_record_supersedes_a_job),
	    cmocka_unit_test(the_hash_holds_what_can_change_the_numbers),
	    cmocka_unit_test(a_calibration_makes_maps_and_report_again),
	};
	return cmocka_run_group_tests(tests, make_phantom, remove_all);
}
