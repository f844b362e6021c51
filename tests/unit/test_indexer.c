/* From reception logs and files to the catalogue: in batches, once, past what cannot be read and
 * past what crashes. */
#include "check.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "dicom_file.h"
#include "indexer.h"
#include "log.h"
#include "reception_log.h"
#include "tags.h"

#define MR	 "1.2.840.10008.5.1.4.1.1.4"
#define EXPLICIT "1.2.840.10008.1.2.1"

static char spool[64];
static struct config config = {.max_instance_mb = 64};
static struct store *store;

static void remove_folder(const char *path)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, NULL, NULL);
	for (int i = 0; i < count; i++) {
		char inner[1024];
		snprintf(inner, sizeof inner, "%.500s/%.300s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && unlink(inner) != 0)
			remove_folder(inner);
		free(entries[i]);
	}
	free(entries);
	rmdir(path);
}

static int open_all(void **state)
{
	struct status st = STATUS_INIT;
	(void)state;
	strcpy(spool, "/tmp/holmia-indexer-XXXXXX");
	if (mkdtemp(spool) == NULL)
		return 1;
	strcpy(config.spool, spool);
	log_set_level(LOG_ERROR_LINE + 1);
	assert_ok(dataset_library_init(&st), &st);
	return store_open(&store, spool, &st) != STATUS_OK;
}

static int close_all(void **state)
{
	(void)state;
	store_close(store);
	remove_folder(spool);
	return 0;
}

/* A DICOM file with one small MR image; malloc'd. */
static uint8_t *make_file(size_t *size, const char *sop_instance_uid, int number)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	uint8_t *bytes = NULL;
	const uint16_t pixels[16] = {(uint16_t)number};
	const double position[3] = {0, 0, number}, orientation[6] = {1, 0, 0, 0, 1, 0},
		     spacing[2] = {2, 2};
	assert_ok(dataset_new(&ds, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPClassUID), MR, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPInstanceUID), sop_instance_uid, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_StudyInstanceUID), "1.1", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SeriesInstanceUID), "1.2", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_Modality), "MR", &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_PatientID), "P", &st), &st);
	assert_ok(dataset_set_doubles(ds, AT(TAG_ImagePositionPatient), position, 3, &st), &st);
	assert_ok(dataset_set_doubles(ds, AT(TAG_ImageOrientationPatient), orientation, 6, &st),
		  &st);
	assert_ok(dataset_set_doubles(ds, AT(TAG_PixelSpacing), spacing, 2, &st), &st);
	assert_ok(dataset_set_double(ds, AT(TAG_EchoTime), 2, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Rows), 4, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_Columns), 4, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_SamplesPerPixel), 1, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_PhotometricInterpretation), "MONOCHROME2", &st),
		  &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsAllocated), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_BitsStored), 16, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_HighBit), 15, &st), &st);
	assert_ok(dataset_set_int(ds, AT(TAG_PixelRepresentation), 0, &st), &st);
	assert_ok(dataset_set_pixels_u16(ds, pixels, 16, &st), &st);
	assert_ok(dataset_write_file_memory(ds, &bytes, size, &st), &st);
	dataset_free(ds);
	return bytes;
}

static void commit(struct log_writer *writer, const char *uid, const void *bytes, size_t size)
{
	struct status st = STATUS_INIT;
	struct log_record_info info = {.received_us = 1000000};
	strcpy(info.sop_class_uid, MR);
	snprintf(info.sop_instance_uid, sizeof info.sop_instance_uid, "%s", uid);
	strcpy(info.transfer_syntax_uid, EXPLICIT);
	assert_ok(log_writer_begin(writer, &info, &st), &st);
	assert_ok(log_writer_write(writer, bytes, size, &st), &st);
	assert_ok(log_writer_commit(writer, &st), &st);
}

static void commit_image(struct log_writer *writer, int number)
{
	char uid[16], syntax[65];
	size_t size = 0;
	uint64_t offset = 0;
	snprintf(uid, sizeof uid, "1.3.%d", number);
	uint8_t *file = make_file(&size, uid, number);
	assert_true(dicom_file_locate(&offset, syntax, file, size));
	assert_string_equal(syntax, EXPLICIT);
	commit(writer, uid, file + offset, size - offset);
	free(file);
}

static struct log_writer *open_writer(void)
{
	struct status st = STATUS_INIT;
	struct log_writer *writer = NULL;
	assert_ok(log_writer_open(&writer, spool, &st), &st);
	return writer;
}

static int step(int max, int *touched_count)
{
	struct status st = STATUS_INIT;
	struct indexer_touched touched = {0};
	int indexed = -1;
	assert_ok(indexer_step(store, &config, max, &indexed, &touched, &st), &st);
	if (touched_count != NULL)
		*touched_count = touched.count;
	indexer_touched_free(&touched);
	return indexed;
}

static int usable(bool *released)
{
	struct status st = STATUS_INIT;
	struct catalogue_patient *patient = NULL;
	int count = 0;
	assert_ok(catalogue_load_patient(&patient, store, "P", "", &st), &st);
	for (int i = 0; i < patient->n_series; i++) {
		count += patient->series[i].n_instances;
		if (released != NULL)
			*released = patient->series[i].released;
	}
	catalogue_patient_free(patient);
	return count;
}

static int unreadable(char reason[240])
{
	struct status st = STATUS_INIT;
	struct catalogue_note *notes = NULL;
	int count = 0;
	assert_ok(catalogue_list_notes(&notes, &count, store, CATALOGUE_STATE_UNREADABLE, &st),
		  &st);
	if (count > 0 && reason != NULL)
		strcpy(reason, notes[0].reason);
	free(notes);
	return count;
}

static void test_batches_and_the_end(void **state)
{
	bool released = true;
	int touched = 0;
	(void)state;
	assert_int_equal(step(10, NULL), 0); /* nothing was ever received */
	struct log_writer *writer = open_writer();
	for (int i = 1; i <= 3; i++)
		commit_image(writer, i);
	assert_int_equal(step(2, &touched), 2);
	assert_int_equal(touched, 1);
	assert_int_equal(step(2, NULL), 1);
	assert_int_equal(step(2, NULL), 0);
	assert_int_equal(usable(&released), 3);
	assert_false(released);
	commit_image(writer, 4);
	assert_int_equal(step(10, NULL), 1);
	log_writer_close(writer);
	assert_int_equal(step(10, &touched), 0);
	assert_int_equal(touched, 1); /* the association is over: its series may be complete */
	assert_int_equal(usable(&released), 4);
	assert_true(released);
	assert_int_equal(step(10, &touched), 0);
	assert_int_equal(touched, 0);
}

static void test_the_catalogue_can_be_rebuilt(void **state)
{
	struct status st = STATUS_INIT;
	char path[128];
	(void)state;
	struct log_writer *writer = open_writer();
	for (int i = 1; i <= 5; i++)
		commit_image(writer, i);
	log_writer_close(writer);
	assert_int_equal(step(10, NULL), 5);
	store_close(store);
	static const char *const names[] = {"holmia.db", "holmia.db-wal", "holmia.db-shm"};
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", spool, names[i]);
		unlink(path);
	}
	assert_ok(store_open(&store, spool, &st), &st);
	assert_int_equal(usable(NULL), 0);
	assert_int_equal(step(10, NULL), 5);
	assert_int_equal(usable(NULL), 5);
}

static void test_unreadable_is_kept_and_passed(void **state)
{
	char reason[240] = "";
	(void)state;
	struct log_writer *writer = open_writer();
	commit_image(writer, 1);
	commit(writer, "1.3.2",
	       "\x08\x00\x18\x00UI\xff\xff"
	       "1.2.3",
	       13); /* a length beyond the end */
	commit_image(writer, 3);
	log_writer_close(writer);
	assert_int_equal(step(10, NULL), 3);
	assert_int_equal(usable(NULL), 2);
	assert_int_equal(unreadable(reason), 1);
	assert_non_null(strstr(reason, "malformed"));
}

/* Three crashes at one place: attempts are on disk, the next start goes on one by one, passes the
 * first instance and reads the others. */
static void test_three_crashes_are_enough(void **state)
{
	struct status st = STATUS_INIT;
	char reason[240] = "", **names = NULL;
	int count = 0;
	(void)state;
	struct log_writer *writer = open_writer();
	for (int i = 1; i <= 3; i++)
		commit_image(writer, i);
	log_writer_close(writer);
	assert_ok(log_list(&names, &count, spool, &st), &st);
	assert_int_equal(count, 1);
	for (int crash = 1; crash <= 3; crash++) {
		const struct catalogue_log at = {.attempts = crash};
		assert_ok(catalogue_log_attempt(store, names[0], &at, &st), &st);
	}
	assert_int_equal(step(10, NULL), 1);
	assert_int_equal(unreadable(reason), 1);
	assert_non_null(strstr(reason, "crashed three times"));
	while (step(10, NULL) > 0)
		;
	assert_int_equal(unreadable(NULL), 1);
	assert_int_equal(usable(NULL), 2);
	free(names[0]);
	free(names);
}

static void test_two_crashes_lose_nothing(void **state)
{
	struct status st = STATUS_INIT;
	char **names = NULL;
	int count = 0;
	const struct catalogue_log at = {.attempts = 2};
	(void)state;
	struct log_writer *writer = open_writer();
	for (int i = 1; i <= 3; i++)
		commit_image(writer, i);
	log_writer_close(writer);
	assert_ok(log_list(&names, &count, spool, &st), &st);
	assert_ok(catalogue_log_attempt(store, names[0], &at, &st), &st);
	assert_int_equal(step(10, NULL), 1); /* one at a time after a crash */
	assert_int_equal(step(10, NULL), 2); /* and in batches again once it is past the place */
	assert_int_equal(usable(NULL), 3);
	free(names[0]);
	free(names);
}

static void write_path(char path[128], const char *name, const void *bytes, size_t size)
{
	snprintf(path, 128, "%s/%s", spool, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void test_files(void **state)
{
	struct status st = STATUS_INIT;
	struct indexer_touched touched = {0};
	struct indexer_file files[5];
	char paths[5][128], syntax[65];
	size_t size = 0;
	uint64_t offset = 0;
	(void)state;
	uint8_t *file = make_file(&size, "1.3.1", 1);
	assert_true(dicom_file_locate(&offset, syntax, file, size));
	write_path(paths[0], "image.dcm", file, size);
	/* the same without preamble and header */
	write_path(paths[1], "bare", file + offset, size - offset);
	write_path(paths[2], "text", "Not a DICOM file, but long enough to be one.\n", 45);
	write_path(paths[3], "cut.dcm", file, size - 20);
	write_path(paths[4], "short", file, 15);
	for (int i = 0; i < 5; i++)
		files[i].path = paths[i];
	assert_ok(indexer_add_files(files, 5, store, &config, &touched, &st), &st);
	assert_true(files[0].used);
	assert_int_equal(touched.count, 1);
	assert_false(files[1].used);
	assert_string_equal(files[1].words, "the same instance again");
	assert_false(files[2].used);
	assert_string_equal(files[2].words, "not DICOM");
	assert_false(files[3].used);
	assert_non_null(strstr(files[3].words, "malformed"));
	assert_false(files[4].used);
	assert_string_equal(files[4].words, "not DICOM");
	free(file);
	indexer_touched_free(&touched);
}

/* More files than are read at once: rows in the order of the files at any number of threads, and
 * what precedes a file that cannot be opened is catalogued. */
static void test_many_files(void **state)
{
	enum { MANY = 300 };
	struct status st = STATUS_INIT;
	struct indexer_touched touched = {0};
	static struct indexer_file files[MANY + 2];
	static char paths[MANY][128];
	struct catalogue_patient *patient = NULL;
	const int threads = config.threads_per_worker;
	(void)state;
	for (int i = 0; i < MANY; i++) {
		char uid[32], name[32];
		size_t size = 0;
		snprintf(uid, sizeof uid, "1.3.%d", i + 1);
		snprintf(name, sizeof name, "%d.dcm", i);
		uint8_t *file = make_file(&size, uid, i + 1);
		write_path(paths[i], name, file, size);
		free(file);
		files[i].path = paths[i];
	}
	files[MANY].path = "/nonexistent";
	files[MANY + 1].path = paths[0];
	config.threads_per_worker = 3;
	assert_int_equal(indexer_add_files(files, MANY + 2, store, &config, &touched, &st),
			 STATUS_RETRY);
	assert_non_null(strstr(st.text, "/nonexistent"));
	config.threads_per_worker = threads;
	status_clear(&st);
	assert_ok(catalogue_load_patient(&patient, store, touched.patients[0].patient_id,
					 touched.patients[0].patient_issuer, &st),
		  &st);
	assert_int_equal(patient->n_series, 1);
	assert_int_equal(patient->series[0].n_instances, MANY);
	for (int i = 0; i < MANY; i++) {
		char uid[32];
		snprintf(uid, sizeof uid, "1.3.%d", i + 1);
		assert_true(files[i].used);
		assert_string_equal(patient->series[0].instances[i].info.sop_instance_uid, uid);
		assert_string_equal(patient->series[0].instances[i].where.path, paths[i]);
	}
	catalogue_patient_free(patient);
	indexer_touched_free(&touched);
}

#define indexer_test(function) cmocka_unit_test_setup_teardown(function, open_all, close_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    indexer_test(test_batches_and_the_end),
	    indexer_test(test_the_catalogue_can_be_rebuilt),
	    indexer_test(test_unreadable_is_kept_and_passed),
	    indexer_test(test_three_crashes_are_enough),
	    indexer_test(test_two_crashes_lose_nothing),
	    indexer_test(test_files),
	    indexer_test(test_many_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
