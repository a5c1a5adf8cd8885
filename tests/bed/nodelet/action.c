#include "action.h"

#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#include "container.h"
#include "environment.h"
#include "pod.h"

struct action_run {
	struct action action;
	struct container *container;
	struct loop *loop;
	void (*on_done)(void *arg, bool ok, const char *why);
	void *arg;
	struct timer timer;
	struct io io;
	int fd;
	struct http_call *call;
	struct process *process;
	bool finished;
	bool ok;
	char why[256];
};

static int resolve_port(const struct json *port, const struct json *container, int *out,
                        struct err *err)
{
	const char *name = json_value_str(port);
	const struct json *it;

	*out = (int)json_value_i64(port, 0);
	json_for_each (it, json_get(container, "ports")) {
		if (name && str_eq(json_str(it, "name"), name))
			*out = (int)json_i64(it, "containerPort", 0);
	}
	if (*out < 1 || *out > UINT16_MAX)
		return err_set(err, ERR_INVALID, "couldn't resolve port %s", str_or(name, ""));
	return 0;
}

int action_parse(struct action *a, const struct json *json, const struct json *container,
                 struct err *err)
{
	static const struct {
		const char *key;
		enum action_type type;
	} kinds[] = {{"httpGet", ACTION_HTTP},
	             {"tcpSocket", ACTION_TCP},
	             {"exec", ACTION_EXEC},
	             {"sleep", ACTION_SLEEP}};

	*a = (struct action){.type = ACTION_NONE};
	if (!json)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) && !a->json; i++) {
		a->json = json_get(json, kinds[i].key);
		a->type = a->json ? kinds[i].type : ACTION_NONE;
	}
	if (a->type == ACTION_NONE)
		return err_set(
			err, ERR_INVALID,
			"only httpGet, tcpSocket, exec and sleep are supported by this agent");
	if (a->type == ACTION_HTTP || a->type == ACTION_TCP)
		return resolve_port(json_get(a->json, "port"), container, &a->port, err);
	return 0;
}

static void release(void *arg)
{
	struct action_run *r = arg;

	timer_release(&r->timer);
	io_release(&r->io);
	free(r);
}

/* Lets go of everything; the struct itself goes after this round. */
static void dispose(struct action_run *r)
{
	r->finished = true;
	timer_stop(&r->timer);
	if (r->fd >= 0) {
		io_set(&r->io, r->fd, 0);
		close(r->fd);
		r->fd = -1;
	}
	if (r->call)
		http_cancel(r->call);
	if (r->process)
		process_abandon(r->process);
	r->call = NULL;
	r->process = NULL;
	loop_defer(r->loop, release, r);
}

static void finish(struct action_run *r, bool ok, const char *why)
{
	if (r->finished)
		return;
	dispose(r);
	r->on_done(r->arg, ok, ok ? "" : why);
}

static void finish_errno(struct action_run *r, int errnum)
{
	struct err err = ERR_INIT;

	err_set_errno(&err, ERR_TRANSPORT, errnum, "dial tcp %s:%d", r->container->pod->ip,
	              r->action.port);
	finish(r, false, err.msg);
}

static void on_timer(void *arg)
{
	struct action_run *r = arg;

	if (r->action.type == ACTION_SLEEP)
		finish(r, true, "");
	else if (r->why[0]) /* could not even be started */
		finish(r, false, r->why);
	else
		finish(r, false, "command timed out");
}

/* An error found while starting is told from the loop, as on_done never comes from inside. */
static void fail_later(struct action_run *r, const char *why)
{
	str_copy(r->why, sizeof(r->why), why);
	timer_start(&r->timer, 0);
}

static void on_http(void *arg, const struct http_result *result)
{
	struct action_run *r = arg;
	char why[256];

	r->call = NULL;
	if (result->err.class != ERR_NONE) {
		finish(r, false, result->err.msg);
		return;
	}
	snprintf(why, sizeof(why), "HTTP probe failed with statuscode: %d", result->status);
	finish(r, result->status >= 200 && result->status < 400, why);
}

#define HEADERS_MAX 16

static void start_http(struct action_run *r, int64_t timeout_ms)
{
	const struct json *j = r->action.json, *it;
	const char *path = str_or(json_str(j, "path"), "/");
	const char *host = json_str(j, "host");
	bool tls = strcasecmp(str_or(json_str(j, "scheme"), "HTTP"), "HTTPS") == 0;
	const char *headers[HEADERS_MAX + 1] = {NULL};
	cleanup_free char *url = xasprintf("%s://%s:%d%s%s", tls ? "https" : "http",
	                                   str_empty(host) ? r->container->pod->ip : host,
	                                   r->action.port, path[0] == '/' ? "" : "/", path);
	struct http_request req = {.url = url,
	                           .headers = headers,
	                           .timeout_ms = (int)timeout_ms,
	                           .connect_timeout_ms = (int)timeout_ms,
	                           .fresh_connection = true,
	                           .on_done = on_http,
	                           .arg = r};
	unsigned n = 0;

	json_for_each (it, json_get(j, "httpHeaders")) {
		if (n < HEADERS_MAX)
			headers[n++] = xasprintf("%s: %s", str_or(json_str(it, "name"), ""),
			                         str_or(json_str(it, "value"), ""));
	}
	r->call = http_start(r->container->pod->agent->http, &req);
	while (n > 0)
		free((char *)headers[--n]);
}

static void on_connected(void *arg, int events)
{
	struct action_run *r = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)events;
	getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		finish_errno(r, error);
	else
		finish(r, true, "");
}

static void start_tcp(struct action_run *r, int64_t timeout_ms)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)r->action.port)};
	const char *host = json_str(r->action.json, "host");

	if (str_empty(host))
		host = r->container->pod->ip;
	r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (r->fd < 0 || inet_pton(AF_INET, host, &to.sin_addr) != 1) {
		fail_later(r, "bad address");
		return;
	}
	if (connect(r->fd, (const struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) {
		fail_later(r, strerror(errno));
		return;
	}
	io_set(&r->io, r->fd, LOOP_WRITE);
	timer_start(&r->timer, timeout_ms);
}

static void on_exec_exit(void *arg, int status)
{
	struct action_run *r = arg;
	char why[64];

	r->process = NULL;
	snprintf(why, sizeof(why), "command failed with exit code %d",
	         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	finish(r, WIFEXITED(status) && WEXITSTATUS(status) == 0, why);
}

static void start_exec(struct action_run *r, int64_t timeout_ms)
{
	struct container *c = r->container;
	const struct json *image = images_find(&c->pod->agent->images, c->image);
	cleanup_strv struct strv env = {0}, argv = {0};
	cleanup_free char *log = xasprintf("%s/%s.hooks.log", c->pod->dir, c->name);
	struct process_spec spec = {
		.dir = c->pod->dir, .log = log, .on_exit = on_exec_exit, .arg = r};
	struct err err = ERR_INIT;

	if (environment_build(c, image, &env, &err) == 0 &&
	    environment_words(c, image, json_get(r->action.json, "command"), &env, &argv, &err) ==
	            0) {
		spec.argv = argv.v;
		spec.env = env.v;
		r->process = process_start(r->loop, &spec, &err);
	}
	if (r->process)
		timer_start(&r->timer, timeout_ms);
	else
		fail_later(r, err.msg);
}

struct action_run *action_start(const struct action *a, struct container *c, int64_t timeout_ms,
                                void (*on_done)(void *arg, bool ok, const char *why), void *arg)
{
	struct action_run *r = xcalloc(1, sizeof(*r));

	*r = (struct action_run){.action = *a,
	                         .container = c,
	                         .loop = c->pod->agent->loop,
	                         .on_done = on_done,
	                         .arg = arg,
	                         .fd = -1};
	timer_init(&r->timer, r->loop, on_timer, r);
	io_init(&r->io, r->loop, on_connected, r);
	if (a->type == ACTION_HTTP)
		start_http(r, timeout_ms);
	else if (a->type == ACTION_TCP)
		start_tcp(r, timeout_ms);
	else if (a->type == ACTION_EXEC)
		start_exec(r, timeout_ms);
	else
		timer_start(&r->timer, json_i64(a->json, "seconds", 0) * 1000);
	return r;
}

void action_cancel(struct action_run *r)
{
	if (r && !r->finished)
		dispose(r);
}
