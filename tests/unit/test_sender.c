/* The sender process against an acceptor that answers what the test wants, and against storescp. */
#include "check.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "association.h"
#include "dataset.h"
#include "outbox.h"
#include "process.h"
#include "tags.h"

#define RT_DOSE "1.2.840.10008.5.1.4.1.1.481.2"
#define SR_3D	"1.2.840.10008.5.1.4.1.1.88.34"

static char spool[64];
static struct store *store;

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int set_up(void **state)
{
	(void)state;
	struct status st = STATUS_INIT;
	snprintf(spool, sizeof spool, "/tmp/test_sender.XXXXXX");
	if (mkdtemp(spool) == NULL || dataset_library_init(&st) != STATUS_OK)
		return -1;
	return store_open(&store, spool, &st) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	store_close(store);
	char command[100];
	snprintf(command, sizeof command, "rm -rf %s", spool);
	return system(command);
}

static int listen_anywhere(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static enum association_admission admit_all(void *user, const char *calling, const char *called)
{
	(void)user;
	return strcmp(calling, "HOLMIA") == 0 && strcmp(called, "PACS") == 0
		   ? ASSOCIATION_ADMIT
		   : ASSOCIATION_UNKNOWN_CALLED_AE;
}

static int choose_dose_only(void *user, const char *sop_class, const char *const *syntaxes,
			    int count)
{
	(void)user;
	return strcmp(sop_class, RT_DOSE) == 0 && count == 1 &&
		       strcmp(syntaxes[0], "1.2.840.10008.1.2.1") == 0
		   ? 0
		   : ASSOCIATION_NO_SOP_CLASS;
}

static void drop(void *user, const void *bytes, size_t size)
{
	(void)bytes;
	*(size_t *)user += size;
}

/* One association; the k-th C-STORE is answered with statuses[k], 1 stands for an abort. */
static int serve(int listener, const uint16_t *statuses)
{
	struct status st = STATUS_INIT;
	const struct association_policy policy = {.admit = admit_all, .choose = choose_dose_only};
	const struct association_limits limits = {.request_timeout_s = 5,
						  .idle_timeout_s = 5,
						  .total_timeout_s = 20,
						  .max_bytes = 1 << 20};
	struct association *association = NULL;
	int fd = accept(listener, NULL, NULL);
	if (association_accept(&association, fd, &policy, &limits, &st) != STATUS_OK)
		return 1;
	for (int k = 0;; k++) {
		enum association_event event;
		struct association_store request;
		size_t received = 0;
		if (association_next(association, &event, &request, &st) != STATUS_OK)
			return 2;
		if (event == ASSOCIATION_RELEASED)
			break;
		if (association_receive(association, drop, &received, &st) != STATUS_OK ||
		    received == 0)
			return 3;
		if (statuses[k] == 1)
			break;
		if (association_answer_store(association, statuses[k], "as told", &st) != STATUS_OK)
			return 4;
	}
	association_free(association);
	return 0;
}

static void add_result(int number, const char *sop_class)
{
	struct status st = STATUS_INIT;
	struct dataset *ds = NULL;
	char path[128], instance[64];
	snprintf(path, sizeof path, "%s/%d.dcm", spool, number);
	snprintf(instance, sizeof instance, "1.2.3.%d", number);
	assert_ok(dataset_new(&ds, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPClassUID), sop_class, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_SOPInstanceUID), instance, &st), &st);
	assert_ok(dataset_set_string(ds, AT(TAG_PatientID), "SENDER", &st), &st);
	assert_ok(dataset_write_file(ds, path, &st), &st);
	dataset_free(ds);
	assert_ok(store_begin(store, &st), &st);
	assert_ok(outbox_add(store, "pacs", "hash", sop_class, instance, path,
			     now_s() - 10 + number, &st),
		  &st);
	assert_ok(store_end(store, true, &st), &st);
}

static struct config_destination destination = {
    .name = "pacs", .ae_title = "PACS", .host = "127.0.0.1"};

/* Runs the sender for seconds, then stops it in order. No connection of ours crosses the fork. */
static void run_sender(double seconds)
{
	struct status st = STATUS_INIT;
	struct config config = {.ae_title = "HOLMIA",
				.destinations = &destination,
				.n_destinations = 1,
				.retry_base_s = 600,
				.retry_expiry_h = 96};
	snprintf(config.spool, sizeof config.spool, "%s", spool);
	struct wake_pipes wake;
	assert_ok(process_make_pipes(&wake, &st), &st);
	store_close(store);
	store = NULL;
	pid_t pid = fork();
	if (pid == 0) {
		process_catch_signals();
		_exit(sender_main(&config, &wake));
	}
	struct timespec pause = {(time_t)seconds,
				 (long)((seconds - (double)(time_t)seconds) * 1e9)};
	nanosleep(&pause, NULL);
	kill(pid, SIGTERM);
	int wait_status;
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	assert_true(WIFEXITED(wait_status));
	assert_int_equal(WEXITSTATUS(wait_status), 0);
	assert_ok(store_open(&store, spool, &st), &st);
}

static void expect_row(int number, enum outbox_state expected, int dimse_status, const char *words)
{
	struct status st = STATUS_INIT;
	struct outbox_row *rows = NULL;
	int count;
	char instance[64];
	snprintf(instance, sizeof instance, "1.2.3.%d", number);
	assert_ok(outbox_list(&rows, &count, store, true, &st), &st);
	bool found = false;
	for (int i = 0; i < count; i++) {
		if (strcmp(rows[i].sop_instance_uid, instance) != 0)
			continue;
		found = true;
		if (rows[i].state != expected || strstr(rows[i].why, words) == NULL ||
		    (dimse_status >= 0 && rows[i].dimse_status != dimse_status))
			fail_msg("%d: %s, status %04x, \"%s\"", number,
				 outbox_state_name(rows[i].state), (unsigned)rows[i].dimse_status,
				 rows[i].why);
	}
	assert_true(found);
	free(rows);
}

static void every_answer_has_its_outcome(void **state)
{
	(void)state;
	int listener = listen_anywhere(&destination.port);
	static const uint16_t statuses[] = {0x0000, 0xb007, 0xa700, 0xa900,
					    0xc123, 0x0122, 0x0110, 1};
	for (int i = 0; i < 8; i++)
		add_result(i, RT_DOSE);
	pid_t acceptor = fork();
	if (acceptor == 0)
		_exit(serve(listener, statuses));
	run_sender(2);
	int wait_status;
	waitpid(acceptor, &wait_status, 0);
	assert_int_equal(wait_status, 0);
	expect_row(0, OUTBOX_DONE, 0x0000, "");
	expect_row(1, OUTBOX_DONE, 0xb007, "");
	expect_row(2, OUTBOX_QUEUED, -1, "a700 as told");
	expect_row(3, OUTBOX_FAILED, -1, "a900");
	expect_row(4, OUTBOX_FAILED, -1, "c123");
	expect_row(5, OUTBOX_FAILED, -1, "0122");
	expect_row(6, OUTBOX_QUEUED, -1, "0110");
	expect_row(7, OUTBOX_QUEUED, -1, "");
	close(listener);
}

static void a_class_that_is_not_accepted_fails_alone(void **state)
{
	(void)state;
	int listener = listen_anywhere(&destination.port);
	static const uint16_t statuses[] = {0x0000};
	add_result(1, SR_3D);
	add_result(2, RT_DOSE);
	pid_t acceptor = fork();
	if (acceptor == 0)
		_exit(serve(listener, statuses));
	run_sender(1.5);
	int wait_status;
	waitpid(acceptor, &wait_status, 0);
	assert_int_equal(wait_status, 0);
	expect_row(1, OUTBOX_FAILED, -1, "does not accept SOP class " SR_3D);
	expect_row(2, OUTBOX_DONE, 0, "");
	close(listener);
}

static void nobody_there_and_rejected_are_tried_again(void **state)
{
	(void)state;
	int listener = listen_anywhere(&destination.port);
	close(listener); /* the port is free now */
	add_result(1, RT_DOSE);
	run_sender(1);
	expect_row(1, OUTBOX_QUEUED, -1, "no association with PACS at 127.0.0.1 port");

	listener = listen_anywhere(&destination.port);
	add_result(2, RT_DOSE);
	snprintf(destination.ae_title, sizeof destination.ae_title, "WRONG");
	pid_t acceptor = fork();
	if (acceptor == 0)
		_exit(serve(listener, NULL));
	run_sender(1.5);
	waitpid(acceptor, NULL, 0);
	snprintf(destination.ae_title, sizeof destination.ae_title, "PACS");
	expect_row(2, OUTBOX_QUEUED, -1, "rejects the association");
	close(listener);
}

static void a_destination_that_is_gone_fails(void **state)
{
	(void)state;
	add_result(1, RT_DOSE);
	snprintf(destination.name, sizeof destination.name, "other");
	run_sender(0.7);
	snprintf(destination.name, sizeof destination.name, "pacs");
	expect_row(1, OUTBOX_FAILED, -1, "no longer in the configuration");
}

/* What arrives at somebody else's receiver is the object that was queued. */
static void storescp_receives_it(void **state)
{
	(void)state;
	if (access("/usr/bin/storescp", X_OK) != 0) {
		print_message("SKIP: storescp is not installed\n");
		skip();
	}
	int listener = listen_anywhere(&destination.port);
	close(listener);
	char port[16], path[128];
	snprintf(port, sizeof port, "%d", destination.port);
	pid_t scp = fork();
	if (scp == 0) {
		execl("/usr/bin/storescp", "storescp", "+xa", "-od", spool, "+uf", "-uf", port,
		      (char *)NULL);
		_exit(127);
	}
	sleep(1);
	add_result(1, RT_DOSE);
	add_result(2, SR_3D);
	run_sender(1.5);
	kill(scp, SIGTERM);
	waitpid(scp, NULL, 0);
	expect_row(1, OUTBOX_DONE, 0, "");
	expect_row(2, OUTBOX_DONE, 0, "");
	static const char *const names[] = {"RD.1.2.3.1", "SR3.1.2.3.2"};
	for (int i = 0; i < 2; i++) {
		struct status st = STATUS_INIT;
		struct dataset *ds = NULL;
		char patient[20];
		snprintf(path, sizeof path, "%s/%s", spool, names[i]);
		if (access(path, R_OK) != 0 && i == 1)
			snprintf(path, sizeof path, "%s/SR.1.2.3.2", spool);
		assert_ok(dataset_read_file(&ds, path, &st), &st);
		assert_ok(dataset_get_string(ds, AT(TAG_PatientID), patient, sizeof patient, &st),
			  &st);
		assert_string_equal(patient, "SENDER");
		dataset_free(ds);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(every_answer_has_its_outcome),
	    TEST(a_class_that_is_not_accepted_fails_alone),
	    TEST(nobody_there_and_rejected_are_tried_again),
	    TEST(a_destination_that_is_gone_fails),
	    TEST(storescp_receives_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
