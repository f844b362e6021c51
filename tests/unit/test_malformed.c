/* Malformed files through the wall, without the screen that stands before it on the network: each
 * one is read or refused with words; none crashes (run this in the sanitizer build too). */
#include "check.h"

#include <dirent.h>

#include "instance_info.h"
#include "rt_structure_set.h"

static struct status st;

static int set_up(void **state)
{
	(void)state;
	status_clear(&st);
	return dataset_library_init(&st) == STATUS_OK ? 0 : -1;
}

/* 1: read, 0: refused. Anything else fails the test. */
static int try_file(const char *path)
{
	struct instance_info info;
	struct rt_structure_set set;
	struct dataset *ds = NULL;
	enum status_code code;
	int read = 0;

	status_clear(&st);
	code = dataset_read_file(&ds, path, &st);
	if (code == STATUS_OK) {
		code = instance_info_read(&info, ds, &st);
		read = code == STATUS_OK;
	}
	if (code != STATUS_OK && (code != STATUS_REFUSE || strlen(st.text) < 10))
		fail_msg("%s: %s: \"%s\"", path, status_name(code), st.text);
	if (ds) {
		status_clear(&st);
		if (rt_structure_set_read(&set, ds, &st) == STATUS_OK)
			rt_structure_set_free(&set);
	}
	dataset_free(ds);
	return read;
}

static void no_file_crashes(void **state)
{
	static const char *const folders[] = {"fuzz", "pydicom"};
	int files = 0, read = 0;

	(void)state;
	require_data("06_malformed");
	for (size_t f = 0; f < sizeof(folders) / sizeof(*folders); f++) {
		char path[800];
		struct dirent *entry;
		snprintf(path, sizeof(path), "%s/06_malformed/%s", DATA_DIR, folders[f]);
		DIR *dir = opendir(path);
		assert_non_null(dir);
		while ((entry = readdir(dir)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/06_malformed/%s/%s", DATA_DIR, folders[f],
				 entry->d_name);
			read += try_file(path);
			files++;
		}
		closedir(dir);
	}
	print_message("%d files, %d of them readable\n", files, read);
	assert_true(files > 150);
	assert_true(read > 0 && read < files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test_setup(no_file_crashes, set_up)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
