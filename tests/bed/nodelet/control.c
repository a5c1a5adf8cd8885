#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#include "node.h"
#include "pod.h"

#define LINE_MAX_BYTES 512
#define WORDS_MAX      4

struct control {
	struct agent *agent;
	struct io io;
	int fd;
	struct list clients;
};

struct client {
	struct list link;
	struct control *control;
	struct io io;
	int fd;
	char line[LINE_MAX_BYTES];
	size_t len;
};

/* A socket's path has room for 107 bytes only; by the folder's descriptor any folder will do. */
static int socket_address(const char *state_dir, struct sockaddr_un *un, struct err *err)
{
	int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return err_set_errno(err, ERR_IO, errno, "%s", state_dir);
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/control", dir);
	return dir;
}

/* --- commands ---------------------------------------------------------------------------- */

static struct node *find_node(struct agent *a, const char *name, struct err *err)
{
	for (unsigned i = 0; i < a->nnodes; i++) {
		if (str_eq(a->nodes[i]->name, name))
			return a->nodes[i];
	}
	err_set(err, ERR_NOT_FOUND, "no node \"%s\" here", name);
	return NULL;
}

static void signal_pods(struct agent *a, int signo)
{
	struct list *l;

	for (unsigned i = 0; i < a->nnodes; i++) {
		list_for_each (l, &a->nodes[i]->pods) {
			struct pod *p = list_entry(l, struct pod, link);

			for (unsigned k = 0; k < p->ncontainers; k++) {
				if (p->containers[k].process)
					process_signal_all(p->containers[k].process, signo);
			}
		}
	}
}

/* The agent stops with its pods, as a zone does; SIGCONT from outside lets both go on. */
static void freeze_now(void *arg)
{
	struct agent *a = arg;

	log_info("frozen");
	signal_pods(a, SIGSTOP);
	raise(SIGSTOP);
	signal_pods(a, SIGCONT);
	log_info("thawed");
}

static int do_freeze(struct agent *a, char **words, struct err *err)
{
	(void)words;
	(void)err;
	loop_defer(a->loop, freeze_now, a);
	return 0;
}

static int do_node_down(struct agent *a, char **words, struct err *err)
{
	struct node *n = find_node(a, words[1], err);

	if (n)
		node_power_off(n);
	return n ? 0 : -1;
}

static int do_node_up(struct agent *a, char **words, struct err *err)
{
	struct node *n = find_node(a, words[1], err);

	if (n)
		node_power_on(n);
	return n ? 0 : -1;
}

static int do_card_lost(struct agent *a, char **words, struct err *err)
{
	struct node *n = find_node(a, words[1], err);
	int64_t cards;

	if (!n)
		return -1;
	if (!str_to_i64(words[2], &cards) || cards < 0)
		return err_set(err, ERR_INVALID, "\"%s\" is no number of cards", words[2]);
	node_lose_cards(n, cards);
	return 0;
}

static int do_slow_image(struct agent *a, char **words, struct err *err)
{
	if (!str_to_i64(words[1], &a->pull_ms) || a->pull_ms < 0)
		return err_set(err, ERR_INVALID, "\"%s\" is no time in ms", words[1]);
	return 0;
}

static struct pod *find_pod(struct agent *a, const char *name)
{
	const char *slash = strchr(name, '/');
	struct list *l;

	for (unsigned i = 0; i < a->nnodes; i++) {
		list_for_each (l, &a->nodes[i]->pods) {
			struct pod *p = list_entry(l, struct pod, link);

			if (slash && strncmp(p->namespace, name, (size_t)(slash - name)) != 0)
				continue;
			if (str_eq(p->name, slash ? slash + 1 : name))
				return p;
		}
	}
	return NULL;
}

static int do_crash(struct agent *a, char **words, struct err *err)
{
	struct pod *p = find_pod(a, words[1]);

	if (!p)
		return err_set(err, ERR_NOT_FOUND, "no pod \"%s\" here", words[1]);
	for (unsigned i = p->ninit; i < p->ncontainers; i++)
		container_kill(&p->containers[i]);
	return 0;
}

static const struct {
	const char *name;
	int words;
	int (*fn)(struct agent *a, char **words, struct err *err);
} commands[] = {
	{"freeze", 1, do_freeze},         {"node-down", 2, do_node_down},
	{"node-up", 2, do_node_up},       {"card-lost", 3, do_card_lost},
	{"slow-image", 2, do_slow_image}, {"crash", 2, do_crash},
};

static int run_line(struct agent *a, char *line, struct err *err)
{
	char *words[WORDS_MAX], *save = NULL;
	int n = 0;

	for (char *w = strtok_r(line, " \n", &save); w && n < WORDS_MAX;
	     w = strtok_r(NULL, " \n", &save))
		words[n++] = w;
	for (size_t i = 0; i < ARRAY_SIZE(commands) && n > 0; i++) {
		if (str_eq(commands[i].name, words[0]) && commands[i].words == n)
			return commands[i].fn(a, words, err);
	}
	return err_set(err, ERR_INVALID, "unknown command; see nodelet --help");
}

/* --- server ------------------------------------------------------------------------------ */

static void free_client(void *arg)
{
	struct client *c = arg;

	io_release(&c->io);
	free(c);
}

static void close_client(struct client *c)
{
	list_remove(&c->link);
	io_set(&c->io, c->fd, 0);
	close(c->fd);
	loop_defer(c->control->agent->loop, free_client, c);
}

static void answer(struct client *c)
{
	struct err err = ERR_INIT;
	char text[ERR_MSG_MAX + 16];
	int n;

	log_info("control", LS("command", c->line));
	if (run_line(c->control->agent, c->line, &err))
		n = snprintf(text, sizeof(text), "error: %s\n", err.msg);
	else
		n = snprintf(text, sizeof(text), "ok\n");
	if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
		log_warn("control client went away");
}

static void on_client(void *arg, int events)
{
	struct client *c = arg;
	ssize_t n = read(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		c->len += (size_t)n;
	c->line[c->len] = '\0';
	if (n > 0 && !strchr(c->line, '\n') && c->len < sizeof(c->line) - 1)
		return;
	c->line[strcspn(c->line, "\n")] = '\0';
	if (n > 0)
		answer(c);
	close_client(c);
}

static void on_connect(void *arg, int events)
{
	struct control *ctl = arg;
	int fd = accept4(ctl->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	(void)events;
	if (fd < 0)
		return;
	c = xcalloc(1, sizeof(*c));
	c->control = ctl;
	c->fd = fd;
	list_push_back(&ctl->clients, &c->link);
	io_init(&c->io, ctl->agent->loop, on_client, c);
	io_set(&c->io, fd, LOOP_READ);
}

static int write_pid(const char *state_dir, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/nodelet.pid", state_dir);
	cleanup_free char *text = xasprintf("%d\n", (int)getpid());

	return file_write(path, text, strlen(text), 0644, err);
}

struct control *control_new(struct agent *a, struct err *err)
{
	struct control *c;
	struct sockaddr_un un;
	cleanup_close int dir = socket_address(a->options->state_dir, &un, err);
	cleanup_close int fd = -1;

	if (dir < 0 || write_pid(a->options->state_dir, err))
		return NULL;
	unlinkat(dir, "control", 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) || listen(fd, 8)) {
		err_set_errno(err, ERR_IO, errno, "control socket in %s", a->options->state_dir);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->agent = a;
	c->fd = fd;
	fd = -1;
	list_init(&c->clients);
	io_init(&c->io, a->loop, on_connect, c);
	io_set(&c->io, c->fd, LOOP_READ);
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (!list_empty(&c->clients))
		close_client(list_entry(c->clients.next, struct client, link));
	io_release(&c->io);
	close(c->fd);
	free(c);
}

/* --- client ------------------------------------------------------------------------------ */

static int thaw(const char *state_dir, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/nodelet.pid", state_dir);
	cleanup_buf struct buf text;
	int64_t pid;

	buf_init(&text, 64);
	if (file_read(path, &text, err))
		return -1;
	buf_truncate(&text, strcspn(text.data, "\n"));
	if (!str_to_i64(text.data, &pid) || pid <= 1)
		return err_set(err, ERR_INVALID, "%s: no pid in it", path);
	if (kill((pid_t)pid, SIGCONT))
		return err_set_errno(err, ERR_IO, errno, "nodelet %ld", (long)pid);
	return 0;
}

static int ask(const char *state_dir, const struct buf *line, struct err *err)
{
	struct sockaddr_un un;
	cleanup_close int dir = socket_address(state_dir, &un, err);
	cleanup_close int fd = -1;
	char reply[ERR_MSG_MAX + 16];
	ssize_t n;

	if (dir < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) ||
	    write(fd, line->data, line->len) < 0)
		return err_set_errno(err, ERR_IO, errno, "nodelet in %s", state_dir);
	n = read(fd, reply, sizeof(reply) - 1);
	reply[n > 0 ? n : 0] = '\0';
	reply[strcspn(reply, "\n")] = '\0';
	if (str_eq(reply, "ok"))
		return 0;
	if (!reply[0])
		return err_set(err, ERR_IO, "no answer from nodelet in %s", state_dir);
	return err_set(err, ERR_INVALID, "%s", reply + strcspn(reply, " ") + 1);
}

int control_client(int argc, char **argv)
{
	cleanup_buf struct buf line;
	struct err err = ERR_INIT;
	int rc;

	buf_init(&line, LINE_MAX_BYTES - 1);
	if (argc < 3) {
		fputs("usage: nodelet ctl STATE_DIR COMMAND...\n", stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++)
		buf_addf(&line, "%s%s", argv[i], i + 1 < argc ? " " : "\n");
	rc = str_eq(argv[2], "thaw") ? thaw(argv[1], &err) : ask(argv[1], &line, &err);
	if (rc)
		fprintf(stderr, "nodelet: %s\n", err.msg);
	return rc ? 1 : 0;
}
