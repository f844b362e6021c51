#define _GNU_SOURCE /* accept4 */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataset.h"
#include "log.h"

#define MAX_TEXTS 8
#define MAX_BYTES (4u << 20) /* of one text: a treatment record is a few KiB */
#define SILENCE_S 5
#define ANSWER_S  60

/* The address of the socket: by the descriptor of its folder, because a path may be longer than an
 * address (108 bytes). */
static int socket_address(struct sockaddr_un *address, const char *spool)
{
	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	int folder = open(spool, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0)
		snprintf(address->sun_path, sizeof address->sun_path,
			 "/proc/self/fd/%d/control.sock", folder);
	return folder;
}

/* ---- texts over a stream: a count or code, then length and bytes of each; both ends are this
 * program on this machine ---- */

static bool write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t done = send(fd, at, size, MSG_NOSIGNAL);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		size -= (size_t)done;
	}
	return true;
}

static bool read_all(int fd, void *bytes, size_t size)
{
	char *at = bytes;
	while (size > 0) {
		ssize_t done = recv(fd, at, size, 0);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		at += done;
		size -= (size_t)done;
	}
	return true;
}

static bool write_text(int fd, const char *text, size_t size)
{
	uint32_t length = (uint32_t)size;
	return write_all(fd, &length, sizeof length) && write_all(fd, text, size);
}

static char *read_text(int fd)
{
	uint32_t length = 0;
	char *text = NULL;
	if (!read_all(fd, &length, sizeof length) || length > MAX_BYTES ||
	    (text = malloc((size_t)length + 1)) == NULL)
		return NULL;
	text[length] = '\0';
	if (!read_all(fd, text, length)) {
		free(text);
		return NULL;
	}
	return text;
}

static void set_timeout(int fd, int seconds)
{
	const struct timeval limit = {.tv_sec = seconds};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* ---- in the node ---- */

enum status_code control_listen(int *listen_fd, const char *spool, struct status *st)
{
	struct sockaddr_un address;
	int folder = socket_address(&address, spool);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (folder >= 0)
		unlinkat(folder, "control.sock", 0);
	mode_t before = umask(0177);
	if (folder < 0 || fd < 0 ||
	    bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(fd, 16) != 0) {
		status_fail(st, STATUS_CONFIG,
			    "%s/control.sock: %s; the command line cannot reach the node", spool,
			    strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	umask(before);
	if (folder >= 0)
		close(folder);
	*listen_fd = fd;
	return st->code;
}

static void serve_one(int fd, struct store *store, const struct config *config,
		      struct control_effects *effects)
{
	uint32_t count = 0, code = 2;
	char *texts[MAX_TEXTS] = {NULL}, *answer = NULL;
	size_t size = 0;
	bool good = read_all(fd, &count, sizeof count) && count >= 1 && count <= MAX_TEXTS;
	for (uint32_t i = 0; i < count && good; i++)
		good = (texts[i] = read_text(fd)) != NULL;
	FILE *out = good ? open_memstream(&answer, &size) : NULL;
	if (out != NULL) {
		code = (uint32_t)control_execute(out, store, config, (int)count,
						 (const char *const *)texts, effects);
		log_line(LOG_INFO_LINE, "command", "name=%s code=%u", texts[0], (unsigned)code);
		if (fclose(out) == 0 && write_all(fd, &code, sizeof code))
			(void)!write_text(fd, answer, size);
	}
	free(answer);
	for (uint32_t i = 0; i < MAX_TEXTS; i++)
		free(texts[i]);
}

void control_serve(int listen_fd, struct store *store, const struct config *config,
		   struct control_effects *effects)
{
	int fd;
	while (listen_fd >= 0 && (fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		set_timeout(fd, SILENCE_S);
		serve_one(fd, store, config, effects);
		close(fd);
	}
}

void control_close(int listen_fd, const char *spool)
{
	char path[1100];
	if (listen_fd < 0)
		return;
	snprintf(path, sizeof path, "%s/control.sock", spool);
	unlink(path);
	close(listen_fd);
}

/* ---- in the command line ---- */

/* A connection to the running node; -1 when there is none. */
static int connect_to_node(const char *spool)
{
	struct sockaddr_un address;
	int folder = socket_address(&address, spool);
	if (folder < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		fd = -1;
	}
	close(folder);
	if (fd >= 0)
		set_timeout(fd, ANSWER_S);
	return fd;
}

bool control_node_runs(const char *spool)
{
	int fd = connect_to_node(spool);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int ask_node(int fd, int argc, const char *const *argv)
{
	uint32_t count = (uint32_t)argc, code = 3;
	bool good = write_all(fd, &count, sizeof count);
	for (int i = 0; i < argc && good; i++)
		good = write_text(fd, argv[i], strlen(argv[i]));
	char *answer = good && read_all(fd, &code, sizeof code) ? read_text(fd) : NULL;
	if (answer == NULL) {
		fprintf(stderr,
			"holmia: the node did not answer within %d s; `holmia status` shows "
			"whether it was done\n",
			ANSWER_S);
		return 3;
	}
	fputs(answer, code == 0 ? stdout : stderr);
	free(answer);
	return (int)code;
}

int control_run(const struct config *config, int argc, const char *const *argv)
{
	struct status st = STATUS_INIT;
	struct store *store = NULL;
	struct control_effects effects = {0};
	int fd = connect_to_node(config->spool);
	if (fd >= 0) {
		int code = ask_node(fd, argc, argv);
		close(fd);
		return code;
	}
	if (mkdir(config->spool, 0700) != 0 && errno != EEXIST)
		status_fail(&st, STATUS_CONFIG, "spool %s: %s", config->spool, strerror(errno));
	char *answer = NULL;
	size_t size = 0;
	FILE *out = NULL;
	int code = 3;
	if (st.code == STATUS_OK && dataset_library_init(&st) == STATUS_OK &&
	    store_open(&store, config->spool, &st) == STATUS_OK &&
	    (out = open_memstream(&answer, &size)) != NULL) {
		code = control_execute(out, store, config, argc, argv, &effects);
		if (fclose(out) == 0)
			fputs(answer, code == 0 ? stdout : stderr);
	} else if (st.code != STATUS_OK) {
		fprintf(stderr, "holmia: %s\n", st.text);
		code = (int)st.code;
	}
	free(answer);
	store_close(store);
	return code;
}
