/* The client: its HTTP clients by channel and generation, its fence, its warnings. */
#include "tidegate/kube/client.h"

#include <string.h>

#include "client_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

/* Measured: 16 apply 2,000 objects faster than 64 do, and each connection costs about 80 kB. */
#define CLIENT_IN_FLIGHT    16
#define CLIENT_RETRY_MS     1000
#define CLIENT_REBUILD_MS   10000
#define CLIENT_WARNINGS_MAX 256
#define CLIENT_SCRATCH      65536 /* the JSON tree of an ordinary pod in one block */
#define CLIENT_THROTTLE_MS  60000 /* between two lines about being throttled */

/* --- HTTP clients ------------------------------------------------------------------------- */

static int make_http(struct kube_client *c, struct http_client *out[KUBE_CHANNELS], struct err *err)
{
	struct http_client_options o = {.user_agent = c->user_agent,
	                                .proxy_url = c->cfg->proxy_url,
	                                .proxy_from_env = true};

	kube_auth_tls(c->auth, &o.tls);
	o.verify_with_ca_only = o.tls.ca_pem != NULL;
	for (int i = 0; i < KUBE_CHANNELS; i++) {
		out[i] = http_client_new(c->loop, &o, err);
		if (out[i])
			continue;
		while (i-- > 0)
			http_client_free(out[i]);
		return err_wrap(err, "%s", c->cfg->source);
	}
	return 0;
}

/* Calls that run, watches above all, end on the old clients, which free themselves then. */
static void renew_http(struct kube_client *c)
{
	struct http_client *fresh[KUBE_CHANNELS];
	struct err err = ERR_INIT;

	if (make_http(c, fresh, &err) < 0) {
		/* Perhaps only one file of a pair has been replaced so far. */
		c->rebuild_ms = loop_now(c->loop) + CLIENT_REBUILD_MS;
		kube_auth_look_again(c->auth, CLIENT_REBUILD_MS);
		log_warn("new certificates cannot be used, going on with the old ones", LE(&err));
		return;
	}
	for (int i = 0; i < KUBE_CHANNELS; i++) {
		http_client_retire(c->http[i]);
		c->http[i] = fresh[i];
	}
	c->generation = kube_auth_generation(c->auth);
	/* With a plugin's short-lived certificates that is everyday business. */
	if (c->cfg->exec)
		log_debug("client certificate changed, new connections from now on");
	else
		log_info("credentials for the API server changed, new connections from now on");
}

struct http_client *client_http(struct kube_client *c, enum kube_channel ch)
{
	if (c->generation != kube_auth_generation(c->auth) && loop_now(c->loop) >= c->rebuild_ms)
		renew_http(c);
	return c->http[ch];
}

/* --- warnings ----------------------------------------------------------------------------- */

/* `299 - "text"` (RFC 9111): the text without quotes and escapes, or all of it. */
static char *warning_text(const char *w)
{
	const char *p = strchr(w, '"');
	size_t n = 0;
	char *out;

	if (!p)
		return xstrdup(w);
	out = xmalloc(strlen(p) + 1);
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		out[n++] = *p;
	}
	out[n] = '\0';
	return out;
}

void client_warn(struct kube_client *c, const char *method, const char *path, const char *warning)
{
	cleanup_free char *text = NULL;

	if (str_empty(warning))
		return;
	text = warning_text(warning);
	if (map_get(&c->warnings, text))
		return;
	if (c->warnings.len >= CLIENT_WARNINGS_MAX) {
		map_release(&c->warnings, NULL);
		map_init(&c->warnings);
	}
	map_set(&c->warnings, text, c);
	log_warn("the API server warns", LS("warning", text), LS("method", method),
	         LS("path", path));
}

/* --- trouble of the server -------------------------------------------------------------------- */

void client_throttled(struct kube_client *c, const struct kube_request *r, const struct err *err,
                      const char *flow_schema)
{
	int64_t now = loop_now(c->loop);

	c->throttled++;
	if (c->throttle_told_ms && now - c->throttle_told_ms < CLIENT_THROTTLE_MS)
		return;
	c->throttle_told_ms = now;
	log_warn("the API server asks for patience", LS("method", r->method), LS("path", r->path),
	         LI("status", err->status), LI("retryAfterMs", err->retry_after_ms),
	         LS("flowSchemaUID", str_or(flow_schema, "")), LI("answers", c->throttled));
	c->throttled = 0;
}

void client_seen(struct kube_client *c, bool answered)
{
	struct list *it, *next;

	if (!answered) {
		c->unreachable = true;
		return;
	}
	if (!c->unreachable)
		return;
	c->unreachable = false;
	list_for_each_safe (it, next, &c->reach) {
		struct kube_reach *w = list_entry(it, struct kube_reach, link);

		w->fn(w->arg);
	}
}

void kube_client_on_reach(struct kube_client *c, struct kube_reach *w)
{
	list_push_back(&c->reach, &w->link);
}

void kube_client_off_reach(struct kube_reach *w)
{
	list_remove(&w->link);
}

/* --- life --------------------------------------------------------------------------------- */

static char *host_of(const char *server)
{
	const char *p = strstr(server, "://");

	p = p ? p + 3 : server;
	return xstrndup(p, strcspn(p, "/"));
}

struct kube_client *kube_client_new(struct loop *l, const struct kube_config *cfg,
                                    const struct kube_client_options *o, struct err *err)
{
	struct kube_client *c = xcalloc(1, sizeof(*c));

	c->loop = l;
	c->cfg = cfg;
	c->user_agent = xstrdup(o && o->user_agent ? o->user_agent : "tidegate/" TIDEGATE_VERSION);
	c->host = host_of(cfg->server);
	c->max_in_flight = o && o->max_in_flight > 0 ? o->max_in_flight : CLIENT_IN_FLIGHT;
	c->retry_ms = CLIENT_RETRY_MS;
	list_init(&c->calls);
	list_init(&c->waiting);
	list_init(&c->reach);
	map_init(&c->warnings);
	arena_init(&c->scratch, CLIENT_SCRATCH);
	c->auth = kube_auth_new(l, cfg, err);
	if (!c->auth || make_http(c, c->http, err) < 0) {
		kube_client_free(c);
		return NULL;
	}
	c->generation = kube_auth_generation(c->auth);
	return c;
}

void kube_client_free(struct kube_client *c)
{
	if (!c)
		return;
	call_abandon_all(c);
	for (int i = 0; i < KUBE_CHANNELS; i++) {
		if (c->http[i])
			http_client_free(c->http[i]);
	}
	kube_auth_free(c->auth);
	map_release(&c->warnings, NULL);
	arena_release(&c->scratch);
	free(c->user_agent);
	client_counts_free(c);
	free(c->host);
	free(c);
}

struct loop *kube_client_loop(const struct kube_client *c)
{
	return c->loop;
}

struct arena *client_scratch(struct kube_client *c)
{
	return &c->scratch;
}

const struct kube_config *kube_client_config(const struct kube_client *c)
{
	return c->cfg;
}

unsigned kube_client_in_flight(const struct kube_client *c)
{
	const struct list *it;
	unsigned n = c->running;

	list_for_each (it, &c->waiting)
		n++;
	return n;
}

void kube_client_set_write_gate(struct kube_client *c, bool (*may_write)(void *arg), void *arg)
{
	c->may_write = may_write;
	c->may_write_arg = arg;
}

void kube_client_drop_writes(struct kube_client *c)
{
	call_drop_writes(c);
}

/* --- for the CLI -------------------------------------------------------------------------- */

struct sync_call {
	struct kube_client *client;
	const struct kube_request *request;
	char **body;
	struct err *err;
	bool done;
	int rc;
};

static int sync_data(void *arg, int status, const char *data, size_t len)
{
	struct sync_call *s = arg;

	return s->request->on_data(s->request->arg, status, data, len);
}

static void sync_done(void *arg, const struct kube_response *r)
{
	struct sync_call *s = arg;

	s->done = true;
	s->rc = r->err.class == ERR_NONE ? 0 : -1;
	if (s->err)
		*s->err = r->err;
	if (s->body && s->rc == 0)
		*s->body = xstrndup(r->body, r->body_len);
	loop_stop(s->client->loop);
}

int kube_call_sync(struct kube_client *c, const struct kube_request *r, char **body,
                   struct err *err)
{
	struct sync_call s = {.client = c, .request = r, .body = body, .err = err, .rc = -1};
	struct kube_request copy = *r;
	struct kube_call *call;

	if (body)
		*body = NULL;
	copy.on_data = r->on_data ? sync_data : NULL;
	copy.on_done = sync_done;
	copy.arg = &s;
	call = kube_call(c, &copy);
	loop_run(c->loop);
	if (s.done)
		return s.rc;
	kube_cancel(call);
	return err_set(err, ERR_CANCELED, "interrupted");
}
