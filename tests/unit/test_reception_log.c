/* The reception log: what was committed comes back, what was not is not seen, and crashes are
 * mended. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "reception_log.h"

#define HEADER_BYTES  384
#define TRAILER_BYTES 8

/* Stands before the C library's: counts, and fails when told. */
static int flushes, failing_flushes;
int fdatasync(int fd);
int fdatasync(int fd)
{
	flushes++;
	if (failing_flushes > 0) {
		failing_flushes--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static char spool[64];

static int make_spool(void **state)
{
	(void)state;
	snprintf(spool, sizeof spool, "/tmp/test_reception_log.XXXXXX");
	flushes = failing_flushes = 0;
	return mkdtemp(spool) == NULL ? -1 : 0;
}

static int remove_spool(void **state)
{
	(void)state;
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", spool);
	return system(command);
}

static struct log_record_info info_of(int number)
{
	struct log_record_info info = {.received_us = 1000 + number};
	snprintf(info.sop_class_uid, sizeof info.sop_class_uid, "1.2.840.10008.5.1.4.1.1.4");
	snprintf(info.sop_instance_uid, sizeof info.sop_instance_uid, "1.2.3.%d", number);
	snprintf(info.transfer_syntax_uid, sizeof info.transfer_syntax_uid, "1.2.840.10008.1.2.1");
	snprintf(info.calling_ae, sizeof info.calling_ae, "PACS");
	snprintf(info.called_ae, sizeof info.called_ae, "HOLMIA");
	snprintf(info.peer_address, sizeof info.peer_address, "2001:db8::1");
	return info;
}

static size_t size_of(int number)
{
	return (size_t)(number * 37 % 400000 + number);
}

static void fill(uint8_t *bytes, int number)
{
	for (size_t i = 0; i < size_of(number); i++)
		bytes[i] = (uint8_t)((size_t)number * 7 + i * 13);
}

/* Written in two parts, as PDVs come. */
static void begin_and_write(struct log_writer *writer, int number)
{
	struct status st = STATUS_INIT;
	struct log_record_info info = info_of(number);
	uint8_t *bytes = malloc(size_of(number) + 1);
	assert_non_null(bytes);
	fill(bytes, number);
	size_t half = size_of(number) / 2;
	assert_ok(log_writer_begin(writer, &info, &st), &st);
	assert_ok(log_writer_write(writer, bytes, half, &st), &st);
	assert_ok(log_writer_write(writer, bytes + half, size_of(number) - half, &st), &st);
	size_t size;
	const uint8_t *mapped = log_writer_bytes(writer, &size);
	assert_int_equal(size, size_of(number));
	assert_memory_equal(mapped, bytes, size);
	free(bytes);
}

static void append(struct log_writer *writer, int number)
{
	struct status st = STATUS_INIT;
	begin_and_write(writer, number);
	assert_ok(log_writer_commit(writer, &st), &st);
}

static struct log_writer *open_writer(void)
{
	struct status st = STATUS_INIT;
	struct log_writer *writer = NULL;
	assert_ok(log_writer_open(&writer, spool, &st), &st);
	return writer;
}

struct seen {
	int numbers[64], count, ends, stop_at;
	uint64_t offsets[64];
};

static enum status_code see(void *user, const struct log_record_info *info, uint64_t data_offset,
			    const uint8_t *data, size_t size, struct status *st)
{
	struct seen *seen = user;
	if (info->end_of_association) {
		assert_int_equal(size, 0);
		seen->ends++;
		return STATUS_OK;
	}
	int number = atoi(info->sop_instance_uid + strlen("1.2.3."));
	if (number == seen->stop_at)
		return status_fail(st, STATUS_RETRY, "busy");
	struct log_record_info expected = info_of(number);
	assert_memory_equal(info, &expected, sizeof expected);
	assert_int_equal(size, size_of(number));
	uint8_t *bytes = malloc(size + 1);
	assert_non_null(bytes);
	fill(bytes, number);
	assert_memory_equal(data, bytes, size);
	free(bytes);
	seen->offsets[seen->count] = data_offset;
	seen->numbers[seen->count++] = number;
	return STATUS_OK;
}

/* Reads file number file_index of the spool from offset. */
static uint64_t read_all(struct seen *seen, int file_index, uint64_t offset,
			 enum status_code expected)
{
	struct status st = STATUS_INIT;
	char **names;
	int count;
	assert_ok(log_list(&names, &count, spool, &st), &st);
	assert_true(file_index < count);
	uint64_t next = 0;
	int stop_at = seen->stop_at;
	*seen = (struct seen){.stop_at = stop_at};
	assert_int_equal(log_read(spool, names[file_index], offset, &next, see, seen, &st),
			 expected);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return next;
}

static int file_count(void)
{
	struct status st = STATUS_INIT;
	char **names;
	int count;
	assert_ok(log_list(&names, &count, spool, &st), &st);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return count;
}

static void expect_numbers(const struct seen *seen, int count, const int *numbers)
{
	assert_int_equal(seen->count, count);
	for (int i = 0; i < count; i++)
		assert_int_equal(seen->numbers[i], numbers[i]);
}

static void what_was_committed_comes_back(void **state)
{
	(void)state;
	struct log_writer *writer = open_writer();
	assert_string_equal(log_writer_name(writer), "");
	append(writer, 1);
	append(writer, 0); /* no data at all */
	append(writer, 9000);
	assert_int_equal(flushes, 3); /* one each, before success */
	struct seen seen = {.stop_at = -1};
	uint64_t next = read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 3, (int[]){1, 0, 9000});
	assert_int_equal(seen.ends, 0);

	append(writer, 2);
	log_writer_close(writer);
	uint64_t end = read_all(&seen, 0, next, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){2});
	assert_int_equal(seen.ends, 1);

	/* A catalogue finds the bytes again by file and offset alone; the file holds nothing but
	 * records. */
	char path[512], name[256];
	struct status st = STATUS_INIT;
	char **names;
	int count;
	assert_ok(log_list(&names, &count, spool, &st), &st);
	snprintf(name, sizeof name, "%s", names[0]);
	free(names[0]);
	free(names);
	snprintf(path, sizeof path, "%s/log/%s", spool, name);
	struct stat info;
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal((uint64_t)info.st_size, end);
	uint8_t expected[400], got[400];
	fill(expected, 2);
	int fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, got, size_of(2), (off_t)seen.offsets[0]), size_of(2));
	close(fd);
	assert_memory_equal(got, expected, size_of(2));
}

static void nothing_is_seen_before_commit(void **state)
{
	(void)state;
	struct log_writer *writer = open_writer();
	append(writer, 1);
	begin_and_write(writer, 8000);
	struct seen seen = {.stop_at = -1};
	uint64_t next = read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){1});
	log_writer_cancel(writer);
	append(writer, 3); /* into the space of the cancelled one */
	uint64_t place = read_all(&seen, 0, next, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){3});
	assert_int_equal(place - next, HEADER_BYTES + (size_of(3) + 7) / 8 * 8 + TRAILER_BYTES);
	log_writer_close(writer);
}

static void a_stopped_reader_goes_on_where_it_was(void **state)
{
	(void)state;
	struct log_writer *writer = open_writer();
	for (int i = 1; i <= 4; i++)
		append(writer, i);
	log_writer_close(writer);
	struct seen seen = {.stop_at = 3};
	uint64_t next = read_all(&seen, 0, 0, STATUS_RETRY);
	expect_numbers(&seen, 2, (int[]){1, 2});
	seen.stop_at = -1;
	read_all(&seen, 0, next, STATUS_OK);
	expect_numbers(&seen, 2, (int[]){3, 4});
}

static void an_association_without_instances_leaves_no_file(void **state)
{
	(void)state;
	log_writer_close(open_writer());
	struct log_writer *writer = open_writer();
	begin_and_write(writer, 5);
	log_writer_close(writer);
	log_writer_close(NULL);
	assert_int_equal(file_count(), 0);
}

static void a_failed_flush_abandons_the_file(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct log_writer *writer = open_writer();
	append(writer, 1);
	begin_and_write(writer, 2);
	failing_flushes = 1;
	assert_int_equal(log_writer_commit(writer, &st), STATUS_RETRY);
	status_clear(&st);
	struct log_record_info info = info_of(3);
	assert_int_equal(log_writer_begin(writer, &info, &st),
			 STATUS_RETRY); /* although the disk works again */
	log_writer_close(writer);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){1});
	writer = open_writer();
	append(writer, 3);
	log_writer_close(writer);
	read_all(&seen, 1, 0, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){3});
}

/* A file size limit stands for a full disk. */
static void no_room_and_room_again(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit unlimited, tight;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
	tight = unlimited;
	tight.rlim_cur = 600000;
	struct log_writer *writer = open_writer();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	append(writer, 1); /* 8 MiB ahead do not fit, the record itself does */
	struct log_record_info info = info_of(2);
	assert_ok(log_writer_begin(writer, &info, &st), &st);
	static uint8_t large[700000];
	assert_int_equal(log_writer_write(writer, large, sizeof large, &st), STATUS_RETRY);
	log_writer_cancel(writer);
	append(writer, 3); /* a smaller one still fits */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
	append(writer, 9000);
	log_writer_close(writer);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 3, (int[]){1, 3, 9000});
	assert_int_equal(seen.ends, 1);
}

static void files_roll(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	struct log_writer *writer = open_writer();
	static uint8_t block[1 << 20];
	append(writer, 1);
	struct log_record_info info = info_of(2);
	assert_ok(log_writer_begin(writer, &info, &st), &st);
	for (int i = 0; i < 256; i++)
		assert_ok(log_writer_write(writer, block, sizeof block, &st), &st);
	assert_ok(log_writer_commit(writer, &st), &st);
	char first[100];
	snprintf(first, sizeof first, "%s", log_writer_name(writer));
	append(writer, 3);
	assert_string_not_equal(log_writer_name(writer), first);
	assert_int_equal(strrchr(first, '-') - first,
			 strrchr(log_writer_name(writer), '-') - log_writer_name(writer));
	assert_memory_equal(first, log_writer_name(writer),
			    (size_t)(strrchr(first, '-') - first) + 1);
	log_writer_close(writer);
	struct seen seen = {.stop_at = 2};
	read_all(&seen, 0, 0, STATUS_RETRY);
	seen.stop_at = -1;
	read_all(&seen, 1, 0, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){3});
	assert_int_equal(seen.ends, 1);
}

/* ---- crashes: the file is left as a killed process or a power cut would leave it ---- */

static char log_path[512];

/* 1, 2, 3 committed, then the process dies. */
static void crash_after_three(void)
{
	struct log_writer *writer = open_writer();
	for (int i = 101; i <= 103; i++)
		append(writer, i);
	snprintf(log_path, sizeof log_path, "%s/log/%s", spool, log_writer_name(writer));
	char copy[600];
	snprintf(copy, sizeof copy, "%s.kept", log_path);
	assert_int_equal(link(log_path, copy), 0);
	/* Closing truncates and ends the association; a crash does neither. */
	struct stat before;
	assert_int_equal(stat(copy, &before), 0);
	uint64_t used = 0;
	for (int i = 101; i <= 103; i++)
		used += HEADER_BYTES + (size_of(i) + 7) / 8 * 8 + TRAILER_BYTES;
	log_writer_close(writer);
	assert_int_equal(truncate(copy, (off_t)used), 0);
	assert_int_equal(truncate(copy, before.st_size), 0);
	assert_int_equal(unlink(copy), 0);
}

static void write_at(uint64_t offset, const void *bytes, size_t size)
{
	int fd = open(log_path, O_WRONLY);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
	close(fd);
}

static uint64_t offset_of(int number)
{
	uint64_t offset = 0;
	for (int i = 101; i < number; i++)
		offset += HEADER_BYTES + (size_of(i) + 7) / 8 * 8 + TRAILER_BYTES;
	return offset;
}

static void recover(int expected_cut, int expected_quarantined)
{
	struct status st = STATUS_INIT;
	int cut, quarantined;
	char words[300];
	assert_ok(log_recover(spool, &cut, &quarantined, words, sizeof words, &st), &st);
	assert_int_equal(cut, expected_cut);
	assert_int_equal(quarantined, expected_quarantined);
	assert_int_equal(words[0] != '\0', expected_quarantined > 0);
}

static void a_crash_is_ended_and_cut(void **state)
{
	(void)state;
	crash_after_three();
	recover(1, 0);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 3, (int[]){101, 102, 103});
	assert_int_equal(seen.ends, 1);
	recover(0, 0); /* nothing is left to do */
	read_all(&seen, 0, 0, STATUS_OK);
	assert_int_equal(seen.ends, 1);
}

static void a_torn_last_record_is_cut(void **state)
{
	(void)state;
	crash_after_three();
	write_at(offset_of(103) + 100, "torn", 4);
	recover(1, 0);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 2, (int[]){101, 102});
	assert_int_equal(seen.ends, 1);
}

/* Flushed, but the trailer never came: its data decide. */
static void a_record_without_trailer(void **state)
{
	(void)state;
	crash_after_three();
	write_at(offset_of(104) - TRAILER_BYTES, "\0\0\0\0\0\0\0\0", TRAILER_BYTES);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 2, (int[]){101, 102});
	recover(1, 0);
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 3, (int[]){101, 102, 103});

	write_at(offset_of(104) - TRAILER_BYTES, "\0\0\0\0\0\0\0\0", TRAILER_BYTES);
	write_at(offset_of(103) + HEADER_BYTES + 5, "?", 1);
	recover(0, 1); /* its end record follows: damage between good records */
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 2, (int[]){101, 102});
}

static void damage_in_the_middle_keeps_the_rest(void **state)
{
	(void)state;
	crash_after_three();
	write_at(offset_of(102) + 20, "\xff\xff\xff\xff", 4);
	struct seen seen = {.stop_at = -1};
	uint64_t next = read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){101});
	recover(1, 1);
	read_all(&seen, 0, next, STATUS_OK); /* the reader goes on from where it stood */
	expect_numbers(&seen, 1, (int[]){103});
	assert_int_equal(seen.offsets[0], offset_of(103) + HEADER_BYTES);
	assert_int_equal(seen.ends, 1);
	char copy[600];
	snprintf(copy, sizeof copy, "%s.damaged", log_path);
	assert_int_equal(access(copy, R_OK), 0);
	recover(0, 0);
}

/* Durable once, changed by the disk since: never handed out. */
static void data_that_changed_on_disk_are_refused(void **state)
{
	(void)state;
	crash_after_three();
	write_at(offset_of(102) + HEADER_BYTES + 3, "?", 1);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_REFUSE);
	expect_numbers(&seen, 1, (int[]){101});
}

/* A peer may send the bytes of a record: without the file's key they are data. */
static void sent_bytes_cannot_pass_for_a_record(void **state)
{
	(void)state;
	crash_after_three();
	uint8_t forged[4096];
	int fd = open(log_path, O_RDONLY);
	ssize_t size = pread(fd, forged, sizeof forged, (off_t)offset_of(101));
	close(fd);
	assert_int_equal(size, sizeof forged);
	assert_int_equal(unlink(log_path), 0);

	struct status st = STATUS_INIT;
	struct log_writer *writer = open_writer();
	append(writer, 101);
	struct log_record_info info = info_of(9);
	assert_ok(log_writer_begin(writer, &info, &st), &st);
	assert_ok(log_writer_write(writer, forged, sizeof forged, &st), &st);
	snprintf(log_path, sizeof log_path, "%s/log/%s", spool, log_writer_name(writer));
	char copy[600];
	snprintf(copy, sizeof copy, "%s/crashed", spool);
	char command[1400];
	snprintf(command, sizeof command, "cp %s %s", log_path, copy);
	assert_int_equal(system(command), 0);
	log_writer_close(writer);
	snprintf(command, sizeof command, "mv %s %s", copy, log_path);
	assert_int_equal(system(command), 0);
	recover(1, 0);
	struct seen seen = {.stop_at = -1};
	read_all(&seen, 0, 0, STATUS_OK);
	expect_numbers(&seen, 1, (int[]){101});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_spool, remove_spool)
	const struct CMUnitTest tests[] = {
	    TEST(what_was_committed_comes_back),
	    TEST(nothing_is_seen_before_commit),
	    TEST(a_stopped_reader_goes_on_where_it_was),
	    TEST(an_association_without_instances_leaves_no_file),
	    TEST(a_failed_flush_abandons_the_file),
	    TEST(no_room_and_room_again),
	    TEST(files_roll),
	    TEST(a_crash_is_ended_and_cut),
	    TEST(a_torn_last_record_is_cut),
	    TEST(a_record_without_trailer),
	    TEST(damage_in_the_middle_keeps_the_rest),
	    TEST(data_that_changed_on_disk_are_refused),
	    TEST(sent_bytes_cannot_pass_for_a_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
