/* A file is there whole or not at all. */
#include "check.h"
#include "result_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static int entries(const char *folder)
{
	DIR *open = opendir(folder);
	int count = 0;
	assert_non_null(open);
	for (struct dirent *entry; (entry = readdir(open)) != NULL;)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(open);
	return count;
}

static void expect_content(const char *path, const char *expected)
{
	char content[100] = "";
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	content[fread(content, 1, sizeof content - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(content, expected);
}

static void folders_are_made_on_the_way(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	char folder[200];
	snprintf(folder, sizeof folder, "%s/a/b/c", root);
	assert_ok(result_folder_make(folder, &st), &st);
	assert_ok(result_folder_make(folder, &st), &st);
	struct stat info;
	assert_int_equal(stat(folder, &info), 0);
	assert_true(S_ISDIR(info.st_mode));
}

static void a_second_put_replaces_the_first(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	char path[200];
	assert_ok(result_file_put(root, "x.dcm", "first", 5, &st), &st);
	snprintf(path, sizeof path, "%s/x.dcm", root);
	expect_content(path, "first");
	assert_ok(result_file_put(root, "x.dcm", "2nd", 3, &st), &st);
	expect_content(path, "2nd");
}

static void a_full_disk_leaves_the_old_file(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	char path[200], big[8192] = "";
	struct rlimit old, small = {4096, 4096};
	assert_ok(result_file_put(root, "y.dcm", "old", 3, &st), &st);
	int before = entries(root);
	/* a limit on file size fails a write half way, as a full disk does */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	enum status_code code = result_file_put(root, "y.dcm", big, sizeof big, &st);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(code, STATUS_RETRY);
	assert_non_null(strstr(st.text, "cannot be written"));
	snprintf(path, sizeof path, "%s/y.dcm", root);
	expect_content(path, "old");
	assert_int_equal(entries(root), before);
}

static void a_missing_folder_is_temporary(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	assert_int_equal(result_file_put("/nonexistent/folder", "z", "z", 1, &st), STATUS_RETRY);
}

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/holmia-files-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	(void)state;
	static const char *const names[] = {"x.dcm", "y.dcm", "a/b/c", "a/b", "a", ""};
	char path[200];
	for (int i = 0; i < 6; i++) {
		snprintf(path, sizeof path, "%s/%s", root, names[i]);
		remove(path);
	}
	return access(root, F_OK) == 0 ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folders_are_made_on_the_way),
	    cmocka_unit_test(a_second_put_replaces_the_first),
	    cmocka_unit_test(a_full_disk_leaves_the_old_file),
	    cmocka_unit_test(a_missing_folder_is_temporary),
	};
	return cmocka_run_group_tests(tests, make_root, remove_root);
}
