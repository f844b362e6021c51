#define _GNU_SOURCE /* pipe2 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

volatile sig_atomic_t process_stop;

static void stop(int signal_number)
{
	(void)signal_number;
	process_stop = 1;
}

void process_catch_signals(void)
{
	/* No SA_RESTART: a process that waits has to notice. */
	struct sigaction action = {.sa_handler = stop};
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum status_code process_make_pipes(struct wake_pipes *wake, struct status *st)
{
	if (pipe2(wake->indexer, O_NONBLOCK | O_CLOEXEC) != 0 ||
	    pipe2(wake->worker, O_NONBLOCK | O_CLOEXEC) != 0 ||
	    pipe2(wake->sender, O_NONBLOCK | O_CLOEXEC) != 0)
		return status_fail(st, STATUS_RETRY, "cannot make a pipe: %s", strerror(errno));
	return STATUS_OK;
}

void process_wait(int read_fd, int extra_fd, int timeout_ms)
{
	if (process_stop)
		return;
	struct pollfd fds[2] = {{.fd = read_fd, .events = POLLIN},
				{.fd = extra_fd, .events = POLLIN}};
	if (poll(fds, 2, timeout_ms) <= 0 || (fds[0].revents & POLLIN) == 0)
		return;
	char bytes[256];
	while (read(read_fd, bytes, sizeof bytes) == sizeof bytes)
		;
}

void process_wake(int write_fd)
{
	/* A full pipe wakes as well as one byte more. */
	ssize_t written = write(write_fd, "w", 1);
	(void)written;
}
