#include "http_internal.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/*
 * Idle connections kept for reuse. Watches do not count here: theirs are in use.
 */
#define HTTP_IDLE_CONNECTIONS 64L

/* A socket that libcurl wants watched. */
struct http_socket {
	struct http_client *client;
	struct io io;
};

static void client_destroy(struct http_client *c);

void http_client_enter(struct http_client *c)
{
	c->busy++;
}

void http_client_leave(struct http_client *c)
{
	if (--c->busy)
		return;
	while (!list_empty(&c->dead))
		http_call_drop(list_entry(c->dead.next, struct http_call, node));
	if (c->free_wanted || (c->retired && !c->ncalls))
		client_destroy(c);
}

/* --- libcurl's wishes -> loop ------------------------------------------------------------ */

/* Ends the transfers that libcurl has finished. A callback may cancel others or the client. */
static void reap(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while (!c->free_wanted && (m = curl_multi_info_read(c->multi, &left))) {
		struct http_call *call = NULL;
		struct err err = ERR_INIT;
		CURLcode code;

		if (m->msg != CURLMSG_DONE)
			continue;
		code = m->data.result; /* m dies with the handle's removal */
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &call);
		if (call->cancelled) {
			http_call_drop(call);
			continue;
		}
		http_error_fill(call, code, &err);
		http_call_finish(call, &err);
	}
}

static void act(struct http_client *c, curl_socket_t fd, int events)
{
	int running;

	if (!c->multi)
		return;
	http_client_enter(c);
	c->in_curl++;
	curl_multi_socket_action(c->multi, fd, events, &running);
	c->in_curl--;
	reap(c);
	http_client_leave(c);
}

static void on_socket(void *arg, int events)
{
	struct http_socket *s = arg;

	act(s->client, s->io.fd,
	    (events & LOOP_READ ? CURL_CSELECT_IN : 0) |
	            (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_curl_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* CURLMOPT_SOCKETFUNCTION. REMOVE means "stop watching": the descriptor may come back. */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct http_client *c = arg;
	struct http_socket *s = assigned;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s) {
			io_release(&s->io);
			free(s);
			curl_multi_assign(c->multi, fd, NULL);
		}
		return 0;
	}
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->client = c;
		io_init(&s->io, c->loop, on_socket, s);
		curl_multi_assign(c->multi, fd, s);
	}
	io_set(&s->io, fd,
	       (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0));
	return 0;
}

/*
 * CURLMOPT_TIMERFUNCTION. Even 0 goes through the loop: libcurl must not be called from here.
 */
static int want_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	if (timeout_ms < 0)
		timer_stop(&c->curl_timer);
	else
		timer_start(&c->curl_timer, timeout_ms);
	return 0;
}

/* Hands the waiting calls to libcurl; runs from the loop only, never on libcurl's stack. */
static void on_kick(void *arg)
{
	struct http_client *c = arg;
	struct list batch;

	http_client_enter(c);
	/* Only those of now: a call that fails at once may start another in its on_done. */
	list_init(&batch);
	while (!list_empty(&c->waiting))
		list_push_back(&batch, list_pop_front(&c->waiting));
	while (!list_empty(&batch) && !c->free_wanted)
		http_call_launch(list_entry(batch.next, struct http_call, node));
	while (!list_empty(&batch))
		http_call_drop(list_entry(batch.next, struct http_call, node));
	/* Saves the round that libcurl's own zero timeout would take. */
	if (!c->free_wanted)
		act(c, CURL_SOCKET_TIMEOUT, 0);
	http_client_leave(c);
}

void http_client_kick(struct http_client *c)
{
	if (!timer_active(&c->kick))
		timer_start(&c->kick, 0);
}

/* --- easy handles ------------------------------------------------------------------------ */

CURL *http_client_take_easy(struct http_client *c)
{
	return c->npool ? c->pool[--c->npool] : curl_easy_init();
}

void http_client_give_easy(struct http_client *c, CURL *easy)
{
	if (c->npool == HTTP_POOL_MAX || c->free_wanted) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	c->pool[c->npool++] = easy;
}

/* --- the client -------------------------------------------------------------------------- */

static int init_once(struct err *err)
{
	static bool done;

	if (!done && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, ERR_INTERNAL, "cannot initialise libcurl");
	done = true;
	return 0;
}

static CURLM *multi_new(struct http_client *c, const struct http_client_options *o)
{
	CURLM *m = curl_multi_init();

	if (!m)
		return NULL;
	curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(m, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(m, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS,
	                  o->hosts_kept ? (long)o->hosts_kept : HTTP_IDLE_CONNECTIONS);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, (long)o->max_host_connections);
	return m;
}

struct http_client *http_client_new(struct loop *l, const struct http_client_options *o,
                                    struct err *err)
{
	struct http_client *c;

	if (http_tls_check(&o->tls, err) < 0 || init_once(err) < 0)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->loop = l;
	c->transport = http_virtual_transport();
	c->multi = c->transport ? NULL : multi_new(c, o);
	if (!c->multi && !c->transport) {
		free(c);
		err_set(err, ERR_INTERNAL, "cannot make a libcurl multi handle");
		return NULL;
	}
	timer_init(&c->curl_timer, l, on_curl_timer, c);
	timer_init(&c->kick, l, on_kick, c);
	list_init(&c->waiting);
	list_init(&c->running);
	list_init(&c->dead);
	c->many_hosts = o->hosts_kept > 0;
	http_tls_copy(&c->tls, o);
	c->proxy_url = xstrdup_null(o->proxy_url);
	c->proxy_from_env = o->proxy_from_env;
	c->user_agent = xstrdup(str_or(o->user_agent, "tidegate/" TIDEGATE_VERSION));
	return c;
}

static void drop_all(struct list *calls)
{
	while (!list_empty(calls))
		http_call_drop(list_entry(calls->next, struct http_call, node));
}

static void client_destroy(struct http_client *c)
{
	c->free_wanted = true; /* nothing goes into the pool any more */
	c->busy++;             /* http_call_drop() must not come back here */
	drop_all(&c->waiting);
	drop_all(&c->running);
	drop_all(&c->dead);
	while (c->npool)
		curl_easy_cleanup(c->pool[--c->npool]);
	/* Calls want_socket() for the sockets of pooled connections: before the loop goes. */
	if (c->multi)
		curl_multi_cleanup(c->multi);
	timer_release(&c->curl_timer);
	timer_release(&c->kick);
	http_tls_release(&c->tls);
	free(c->proxy_url);
	free(c->user_agent);
	free(c);
}

/* Nothing may reach user code any more, although libcurl is still on the stack. */
static void silence(struct list *calls)
{
	struct list *pos;

	list_for_each (pos, calls)
		list_entry(pos, struct http_call, node)->cancelled = true;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	c->free_wanted = true;
	if (!c->busy) {
		client_destroy(c);
		return;
	}
	silence(&c->waiting);
	silence(&c->running);
}

void http_client_retire(struct http_client *c)
{
	if (!c)
		return;
	c->retired = true;
	if (!c->busy && !c->ncalls)
		client_destroy(c);
}

unsigned http_client_running(const struct http_client *c)
{
	return c->ncalls;
}
