#define _GNU_SOURCE /* accept4, prctl */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "outbox.h"
#include "process.h"
#include "queue.h"
#include "reception_log.h"

#define STOP_S		  5
#define MAX_LISTENERS	  4
#define MAX_WORKERS	  64
#define LONGEST_BACKOFF_S 30
/* Connections over the limit that get a polite answer at the same time; more are closed. */
#define POLITE_REJECTIONS 8

enum role { ROLE_INDEXER, ROLE_SENDER, ROLE_WORKER };

/* A process that is started again when it ends. */
struct servant {
	enum role role;
	int number;   /* of the worker */
	pid_t pid;    /* 0: not running */
	int failures; /* in a row */
	double started_s, start_again_s;
};

struct receiver_process {
	pid_t pid;
	bool over_limit;
	char address[64];
};

struct node {
	const struct config *config;
	struct wake_pipes wake;
	int listeners[MAX_LISTENERS], n_listeners;
	int lock_fd;
	struct servant servants[2 + MAX_WORKERS];
	int n_servants;
	struct receiver_process *receivers;
	int n_receivers, max_receivers;
	sigset_t waiting_mask; /* of signals while polling */
};

static volatile sig_atomic_t child_ended;

static void note_child(int signal_number)
{
	(void)signal_number;
	child_ended = 1;
}

static double monotonic_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- start ---- */

static enum status_code prepare_spool(struct node *node, struct status *st)
{
	const char *spool = node->config->spool;
	char path[1100];
	if (mkdir(spool, 0700) != 0 && errno != EEXIST)
		return status_fail(st, STATUS_CONFIG, "spool: cannot make %s: %s", spool,
				   strerror(errno));
	snprintf(path, sizeof path, "%s/lock", spool);
	node->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (node->lock_fd < 0)
		return status_fail(st, STATUS_CONFIG, "spool: cannot write in %s: %s", spool,
				   strerror(errno));
	if (flock(node->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return status_fail(st, STATUS_RETRY, "spool: another node is running on %s", spool);
	return STATUS_OK;
}

/* What a crash left half done. The database is closed again: no connection crosses a fork. */
static enum status_code recover(struct node *node, struct status *st)
{
	int cut, quarantined;
	char words[400];
	enum status_code code =
	    log_recover(node->config->spool, &cut, &quarantined, words, sizeof words, st);
	if (code != STATUS_OK)
		return code;
	if (cut > 0)
		log_line(LOG_INFO_LINE, "recovered", "logs_cut=%d", cut);
	struct store *store = NULL;
	code = store_open(&store, node->config->spool, st);
	if (code == STATUS_OK)
		code = queue_recover(store, st);
	if (code == STATUS_OK)
		code = outbox_recover(store, st);
	if (code == STATUS_OK && quarantined > 0) {
		log_line(LOG_ERROR_LINE, "quarantined", "logs=%d %s", quarantined, words);
		code = store_raise_alarm(store, "reception-log", words, (double)time(NULL), st);
	}
	store_close(store);
	return code;
}

static enum status_code listen_on(struct node *node, const struct addrinfo *address,
				  struct status *st)
{
	int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return status_fail(st, STATUS_RETRY, "cannot make a socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (address->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 256) == 0) {
		node->listeners[node->n_listeners++] = fd;
		return STATUS_OK;
	}
	int error = errno;
	close(fd);
	const char *bind_address = node->config->bind_address;
	if (error == EADDRINUSE)
		return status_fail(
		    st, STATUS_RETRY,
		    "port %d on %s is in use: is another node running? Stop it, or change <port>",
		    node->config->port, bind_address);
	return status_fail(st, STATUS_CONFIG, "cannot listen on %s port %d: %s", bind_address,
			   node->config->port, strerror(error));
}

static enum status_code start_listening(struct node *node, struct status *st)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *addresses = NULL;
	char port[16];
	snprintf(port, sizeof port, "%d", node->config->port);
	const char *host = node->config->bind_address;
	int error = getaddrinfo(host[0] == '\0' || strcmp(host, "*") == 0 ? NULL : host, port,
				&hints, &addresses);
	if (error != 0)
		return status_fail(st, STATUS_CONFIG, "bind-address %s: %s", host,
				   gai_strerror(error));
	enum status_code code = STATUS_OK;
	for (struct addrinfo *a = addresses;
	     a != NULL && node->n_listeners < MAX_LISTENERS && code == STATUS_OK; a = a->ai_next)
		code = listen_on(node, a, st);
	freeaddrinfo(addresses);
	return code;
}

/* ---- children ---- */

/* In the child: what the master held is not ours. */
static void become_child(struct node *node, const char *role, pid_t master)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		process_stop = 1; /* it died before the line above */
	process_catch_signals();
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &node->waiting_mask, NULL);
	for (int i = 0; i < node->n_listeners; i++)
		close(node->listeners[i]);
	close(node->lock_fd);
	log_set_role(role);
}

static const char *role_name(enum role role)
{
	return role == ROLE_INDEXER ? "indexer" : role == ROLE_SENDER ? "sender" : "worker";
}

static int run_servant(const struct node *node, const struct servant *servant)
{
	switch (servant->role) {
	case ROLE_INDEXER:
		return indexer_main(node->config, &node->wake);
	case ROLE_SENDER:
		return sender_main(node->config, &node->wake);
	case ROLE_WORKER:
		break;
	}
	return worker_main(node->config, &node->wake, servant->number);
}

static void start_servant(struct node *node, struct servant *servant)
{
	pid_t master = getpid(), pid = fork();
	if (pid == 0) {
		become_child(node, role_name(servant->role), master);
		_exit(run_servant(node, servant));
	}
	servant->started_s = monotonic_s();
	servant->pid = pid > 0 ? pid : 0;
	servant->start_again_s = servant->started_s + 1;
	if (pid < 0)
		log_line(LOG_ERROR_LINE, "fork", "role=%s why=\"%s\"", role_name(servant->role),
			 strerror(errno));
}

static void start_servants(struct node *node)
{
	double now = monotonic_s();
	for (int i = 0; i < node->n_servants; i++) {
		if (node->servants[i].pid == 0 && now >= node->servants[i].start_again_s &&
		    !process_stop)
			start_servant(node, &node->servants[i]);
	}
}

/* Started again at once the first time, then after 1, 2, 4 ... 30 s; a minute of life forgives. */
static void servant_ended(struct node *node, struct servant *servant, int wait_status)
{
	double now = monotonic_s();
	servant->pid = 0;
	if (now - servant->started_s > 60)
		servant->failures = 0;
	int backoff_s = servant->failures == 0	? 0
			: servant->failures > 5 ? LONGEST_BACKOFF_S
						: 1 << (servant->failures - 1);
	servant->failures++;
	servant->start_again_s = now + backoff_s;
	if (process_stop)
		return;
	if (WIFSIGNALED(wait_status))
		log_line(LOG_ERROR_LINE, "died", "role=%s number=%d signal=%d again_in_s=%d",
			 role_name(servant->role), servant->number, WTERMSIG(wait_status),
			 backoff_s);
	else
		log_line(LOG_ERROR_LINE, "ended", "role=%s number=%d exit=%d again_in_s=%d",
			 role_name(servant->role), servant->number, WEXITSTATUS(wait_status),
			 backoff_s);
	/* Whoever takes over finds what is to do without waiting for its poll. */
	process_wake(node->wake.indexer[1]);
}

static void receiver_ended(struct node *node, struct receiver_process *receiver, int wait_status)
{
	if (WIFSIGNALED(wait_status) && !process_stop)
		log_line(LOG_ERROR_LINE, "died", "role=receiver signal=%d peer=%s",
			 WTERMSIG(wait_status), receiver->address);
	*receiver = node->receivers[--node->n_receivers];
	/* The end of an association may be news even where the receiver could not say so. */
	process_wake(node->wake.indexer[1]);
}

static void collect_children(struct node *node)
{
	child_ended = 0;
	int wait_status;
	pid_t pid;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		for (int i = 0; i < node->n_servants; i++) {
			if (node->servants[i].pid == pid)
				servant_ended(node, &node->servants[i], wait_status);
		}
		for (int i = 0; i < node->n_receivers; i++) {
			if (node->receivers[i].pid == pid) {
				receiver_ended(node, &node->receivers[i], wait_status);
				break;
			}
		}
	}
}

/* ---- connections ---- */

static void describe_peer(char address[64], const struct sockaddr_storage *peer, socklen_t length)
{
	if (getnameinfo((const struct sockaddr *)peer, length, address, 64, NULL, 0,
			NI_NUMERICHOST) != 0)
		snprintf(address, 64, "unknown");
	char *zone = strchr(address, '%');
	if (zone != NULL)
		*zone = '\0';
}

static bool is_over_limit(const struct node *node, const char *address, int *rejections)
{
	int all = 0, of_address = 0;
	*rejections = 0;
	for (int i = 0; i < node->n_receivers; i++) {
		const struct receiver_process *receiver = &node->receivers[i];
		*rejections += receiver->over_limit;
		all += !receiver->over_limit;
		of_address += !receiver->over_limit && strcmp(receiver->address, address) == 0;
	}
	return all >= node->config->max_associations ||
	       of_address >= node->config->max_associations_per_address;
}

/* Forks first, reads later: nothing a peer does or leaves undone can hold up the others. */
static void accept_connection(struct node *node, int listener)
{
	struct sockaddr_storage peer;
	socklen_t length = sizeof peer;
	int fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			poll(NULL, 0, 50); /* the connection stays readable: do not spin */
		return;
	}
	struct receiver_process receiver = {.pid = 0};
	describe_peer(receiver.address, &peer, length);
	int rejections;
	receiver.over_limit = is_over_limit(node, receiver.address, &rejections);
	if (receiver.over_limit &&
	    (rejections >= POLITE_REJECTIONS || node->n_receivers == node->max_receivers)) {
		log_line(LOG_WARN_LINE, "closed", "peer=%s why=\"too many connections\"",
			 receiver.address);
		close(fd);
		return;
	}
	pid_t master = getpid();
	receiver.pid = fork();
	if (receiver.pid == 0) {
		become_child(node, "receiver", master);
		_exit(receiver_main(node->config, &node->wake, fd, receiver.address,
				    receiver.over_limit));
	}
	close(fd);
	if (receiver.pid < 0)
		log_line(LOG_ERROR_LINE, "fork", "role=receiver peer=%s why=\"%s\"",
			 receiver.address, strerror(errno));
	else
		node->receivers[node->n_receivers++] = receiver;
}

/* Until a connection, a signal, or the next start of a process that died. */
static void wait_for_events(struct node *node)
{
	double now = monotonic_s(), wait_s = 60;
	for (int i = 0; i < node->n_servants; i++) {
		const struct servant *servant = &node->servants[i];
		if (servant->pid == 0 && servant->start_again_s - now < wait_s)
			wait_s = servant->start_again_s > now ? servant->start_again_s - now : 0;
	}
	struct pollfd fds[MAX_LISTENERS];
	for (int i = 0; i < node->n_listeners; i++)
		fds[i] = (struct pollfd){.fd = node->listeners[i], .events = POLLIN};
	struct timespec timeout = {.tv_sec = (time_t)wait_s,
				   .tv_nsec = (long)((wait_s - (double)(time_t)wait_s) * 1e9)};
	/* Signals arrive only in here, so none is missed between a look at the flags and the wait.
	 */
	if (ppoll(fds, (nfds_t)node->n_listeners, &timeout, &node->waiting_mask) <= 0)
		return;
	for (int i = 0; i < node->n_listeners; i++) {
		if ((fds[i].revents & POLLIN) != 0)
			accept_connection(node, node->listeners[i]);
	}
}

/* ---- stop ---- */

static int signal_children(const struct node *node, int signal_number)
{
	int alive = 0;
	for (int i = 0; i < node->n_servants; i++) {
		if (node->servants[i].pid > 0 && kill(node->servants[i].pid, signal_number) == 0)
			alive++;
	}
	for (int i = 0; i < node->n_receivers; i++)
		alive += kill(node->receivers[i].pid, signal_number) == 0;
	return alive;
}

static void stop_children(struct node *node)
{
	for (int i = 0; i < node->n_listeners; i++)
		close(node->listeners[i]);
	node->n_listeners = 0;
	double until_s = monotonic_s() + STOP_S;
	signal_children(node, SIGTERM);
	for (;;) {
		collect_children(node);
		int alive = node->n_receivers;
		for (int i = 0; i < node->n_servants; i++)
			alive += node->servants[i].pid > 0;
		if (alive == 0)
			return;
		if (monotonic_s() >= until_s) {
			log_line(LOG_WARN_LINE, "killed", "processes=%d",
				 signal_children(node, SIGKILL));
			until_s = monotonic_s() + STOP_S;
		}
		struct timespec step = {.tv_nsec = 100000000};
		ppoll(NULL, 0, &step, &node->waiting_mask);
	}
}

static enum status_code supervise(struct node *node, struct status *st)
{
	node->max_receivers = node->config->max_associations + POLITE_REJECTIONS;
	node->receivers = calloc((size_t)node->max_receivers, sizeof *node->receivers);
	if (node->receivers == NULL)
		return status_fail(st, STATUS_RETRY, "out of memory");
	node->servants[node->n_servants++].role = ROLE_INDEXER;
	node->servants[node->n_servants++].role = ROLE_SENDER;
	for (int i = 0; i < node->config->workers && i < MAX_WORKERS; i++)
		node->servants[node->n_servants++] =
		    (struct servant){.role = ROLE_WORKER, .number = i};
	while (!process_stop) {
		start_servants(node);
		wait_for_events(node);
		if (child_ended)
			collect_children(node);
	}
	log_line(LOG_INFO_LINE, "stopping", "receivers=%d", node->n_receivers);
	stop_children(node);
	free(node->receivers);
	return STATUS_OK;
}

static void hold_signals(struct node *node)
{
	sigset_t held;
	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGCHLD);
	sigprocmask(SIG_BLOCK, &held, &node->waiting_mask);
	sigdelset(&node->waiting_mask, SIGTERM);
	sigdelset(&node->waiting_mask, SIGINT);
	sigdelset(&node->waiting_mask, SIGCHLD);
	process_catch_signals();
	struct sigaction action = {.sa_handler = note_child, .sa_flags = SA_NOCLDSTOP};
	sigemptyset(&action.sa_mask);
	sigaction(SIGCHLD, &action, NULL);
}

enum status_code node_run(const struct config *config,
			  void (*listening)(const struct config *config), struct status *st)
{
	struct node node = {.config = config, .lock_fd = -1};
	umask(077);
	hold_signals(&node);
	enum status_code code = prepare_spool(&node, st);
	if (code == STATUS_OK)
		code = start_listening(&node, st);
	if (code == STATUS_OK)
		code = recover(&node, st);
	if (code == STATUS_OK)
		code = process_make_pipes(&node.wake, st);
	if (code == STATUS_OK && listening != NULL)
		listening(config);
	if (code == STATUS_OK)
		code = supervise(&node, st);
	for (int i = 0; i < node.n_listeners; i++)
		close(node.listeners[i]);
	if (node.lock_fd >= 0)
		close(node.lock_fd);
	return code;
}
