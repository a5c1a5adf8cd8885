#include "internal.h"

#include <string.h>

#include "tidegate/base/clock.h"
#include "tidegate/signal/grpc_health.h"

#define LATENCY_MS 3
#define SUCCESS    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Success\"}"

/* A request's path taken apart. */
struct target {
	enum sim_resource resource;
	char *path; /* cut at its slashes */
	const char *ns, *name, *sub;
	const char *query;
};

/* NULL: there is none. */
static const char *take_part(char **p)
{
	size_t n = strcspn(*p, "/?");
	const char *part = n ? *p : NULL;
	bool more = (*p)[n] == '/';

	(*p)[n] = '\0';
	*p += n + more;
	return part;
}

static bool find_resource(const char *api, size_t n, const char *name, enum sim_resource *r)
{
	for (int i = 0; i < SIM_RESOURCES; i++)
		if (str_eq(sim_kinds[i].resource, name) && strlen(sim_kinds[i].api) == n &&
		    !strncmp(sim_kinds[i].api, api, n)) {
			*r = (enum sim_resource)i;
			return true;
		}
	return false;
}

/* "/api/v1/..." and "/apis/GROUP/VERSION/...": 2 or 3 parts before the resource. */
static bool parse_target(const char *path, struct target *t)
{
	int parts = str_starts(path, "/apis/") ? 3 : 2;
	const char *query = strchr(path, '?'), *name;
	char *p;
	size_t api;

	*t = (struct target){.path = xstrdup(path), .query = query ? query + 1 : ""};
	p = t->path + 1;
	for (; parts; parts--)
		take_part(&p);
	api = (size_t)(p - t->path) - 1;
	name = take_part(&p);
	if (str_eq(name, "namespaces")) {
		t->ns = take_part(&p);
		name = take_part(&p);
	}
	t->name = take_part(&p);
	t->sub = take_part(&p);
	return find_resource(path, api, name, &t->resource);
}

static void answer_bytes(struct sim_call *c, int status, const char *text, size_t len)
{
	http_answer_whole(c->http, status, status == 429 ? 1000 : 0, text, len);
}

static void answer(struct sim_call *c, int status, const char *text)
{
	answer_bytes(c, status, text, strlen(text));
}

void sim_refuse(struct sim_call *c, int status, const char *reason)
{
	cleanup_free char *text = xasprintf(
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":"
		"\"simulated: %s\",\"reason\":\"%s\",\"code\":%d}",
		reason, reason, status);

	answer(c, status, text);
}

/* --- writes -------------------------------------------------------------------------------- */

/* What a write came to; `status` 2xx with the object's text or another one, or the refusal. */
struct outcome {
	int status;
	const char *reason;
	struct sim_object *object;
	struct sim_text *text;
	const char *other;
};

static struct outcome refusal(int status, const char *reason)
{
	return (struct outcome){.status = status, .reason = reason};
}

static struct outcome done(int status, struct sim_object *o)
{
	return (struct outcome){.status = status, .object = o, .text = text_share(o->text)};
}

/* The version or uid that a body names must be the object's. */
static bool stale(const struct sim_object *o, const struct json *meta)
{
	const char *rv = json_str(meta, "resourceVersion"), *uid = json_str(meta, "uid");
	uint64_t n;

	return (uid && !str_eq(uid, o->uid)) || (rv && str_to_u64(rv, &n) && n != o->rv);
}

static struct outcome create(struct sim_api *s, const struct target *t, const struct json *body)
{
	const char *name = json_str(json_get(body, "metadata"), "name");

	if (!name)
		return refusal(422, "Invalid");
	if (sim_get(s, t->resource, t->ns, name))
		return refusal(409, "AlreadyExists");
	return done(201, store_write(s, t->resource, NULL, body, STORE_MERGE, false, t->ns));
}

static struct outcome bind_pod(struct sim_api *s, struct sim_object *o, const struct json *body)
{
	const char *node = json_str(json_get(body, "target"), "name");
	cleanup_free char *patch = NULL;
	struct outcome r = {.status = 201};

	if (json_str(json_get(o->json, "spec"), "nodeName") || stale(o, json_get(body, "metadata")))
		return refusal(409, "Conflict");
	patch = xasprintf("{\"spec\":{\"nodeName\":\"%s\"},\"status\":{\"conditions\":[{\"type\":"
	                  "\"PodScheduled\",\"status\":\"True\"}]}}",
	                  node);
	r.object = sim_patch(s, o, patch);
	r.other = SUCCESS;
	return r;
}

static struct outcome delete_object(struct sim_api *s, struct sim_object *o,
                                    const struct json *body)
{
	if (!o)
		return refusal(404, "NotFound");
	if (stale(o, json_get(body, "preconditions")))
		return refusal(409, "Conflict");
	sim_delete(s, o);
	return (struct outcome){.status = 200, .other = SUCCESS};
}

static struct outcome evict_pod(struct sim_api *s, struct sim_object *o, const struct json *body)
{
	const struct json *options = json_get(body, "deleteOptions");

	if (sim_budget_guards(s, o))
		return refusal(429, "TooManyRequests");
	if (stale(o, json_get(options, "preconditions")))
		return refusal(409, "Conflict");
	if (json_size(json_get(options, "dryRun")))
		return (struct outcome){.status = 201, .other = "{\"kind\":\"Status\"}"};
	return delete_object(s, o, options);
}

/* --- strategic merge patches: of a Service's ports, and of conditions --------------------- */

/* Ports merge by number. */
static void merge_ports(struct json_writer *w, const struct json *have, const struct json *over)
{
	const struct json *it;

	jw_array(w, "ports");
	json_for_each (it, have)
		if (!json_find_i64(over, "port", json_i64(it, "port", 0)))
			jw_value(w, NULL, it);
	json_for_each (it, over)
		if (!json_has(it, "$patch"))
			jw_value(w, NULL, it);
	jw_end_array(w);
}

/* As the API server does, which takes no two ports of one name. */
static bool ports_are_valid(const struct json *ports)
{
	const struct json *it, *other;

	json_for_each (it, ports)
		for (other = json_next(it); other; other = json_next(other))
			if (str_eq(json_str(it, "name"), json_str(other, "name")))
				return false;
	return json_size(ports) > 0;
}

static struct outcome patch_service(struct sim_api *s, struct sim_object *o,
                                    const struct json *body)
{
	const struct json *spec = json_get(body, "spec"), *it, *merged;
	cleanup_arena struct arena a;
	cleanup_buf struct buf b;
	struct json_writer w;

	arena_init(&a, 4096);
	buf_init(&b, SIM_TEXT_MAX);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	jw_value(&w, "metadata", json_get(body, "metadata"));
	jw_object(&w, "spec");
	json_for_each (it, spec)
		if (!str_eq(json_key(it), "ports"))
			jw_value(&w, json_key(it), it);
	merge_ports(&w, json_path(o->json, "spec", "ports", NULL), json_get(spec, "ports"));
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end(&w);
	merged = json_parse(&a, b.data, b.len, NULL);
	if (!ports_are_valid(json_path(merged, "spec", "ports", NULL)))
		return refusal(422, "Invalid");
	return done(200, store_write(s, o->resource, o, merged, STORE_MERGE, false, o->ns));
}

/* Conditions of pods merge by type. */
static struct outcome patch_conditions(struct sim_api *s, struct sim_object *o,
                                       const struct json *body)
{
	const struct json *over = json_path(body, "status", "conditions", NULL), *it, *have;
	cleanup_buf struct buf b;
	struct json_writer w;

	if (stale(o, json_get(body, "metadata")))
		return refusal(409, "Conflict");
	buf_init(&b, SIM_TEXT_MAX);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	jw_object(&w, "status");
	jw_array(&w, "conditions");
	json_for_each (have, json_path(o->json, "status", "conditions", NULL)) {
		bool replaced = false;

		json_for_each (it, over)
			replaced |= str_eq(json_str(it, "type"), json_str(have, "type"));
		if (!replaced)
			jw_value(&w, NULL, have);
	}
	json_for_each (it, over)
		jw_value(&w, NULL, it);
	jw_end_array(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end(&w);
	return done(200, sim_patch(s, o, b.data));
}

static struct outcome patch(struct sim_api *s, const struct target *t, const struct http_sent *q,
                            struct sim_object *o, const struct json *body)
{
	bool status = str_eq(t->sub, "status");

	if (str_eq(q->content_type, "application/strategic-merge-patch+json")) {
		if (!o)
			return refusal(404, "NotFound");
		return o->resource == SIM_SERVICE ? patch_service(s, o, body)
		                                  : patch_conditions(s, o, body);
	}
	if (str_starts(str_or(q->content_type, ""), "application/apply-patch"))
		return o || !status ? done(o ? 200 : 201, store_write(s, t->resource, o, body,
		                                                      STORE_APPLY, status, t->ns))
		                    : refusal(404, "NotFound");
	if (!str_eq(q->content_type, "application/merge-patch+json"))
		return refusal(415, "UnsupportedMediaType");
	if (!o)
		return refusal(404, "NotFound");
	if (stale(o, json_get(body, "metadata")))
		return refusal(409, "Conflict");
	return done(200, store_write(s, t->resource, o, body, STORE_MERGE, status, t->ns));
}

static struct outcome perform(struct sim_api *s, const struct target *t, const struct http_sent *q)
{
	struct sim_object *o = t->name ? sim_get(s, t->resource, t->ns, t->name) : NULL;
	cleanup_arena struct arena a;
	const struct json *body;

	arena_init(&a, 16384);
	body = json_parse(&a, q->body, q->body_len, NULL);
	if (str_eq(q->method, "DELETE"))
		return delete_object(s, o, body);
	if (!body)
		return refusal(400, "BadRequest");
	if (str_eq(q->method, "PATCH"))
		return patch(s, t, q, o, body);
	if (str_eq(q->method, "POST") && !t->name)
		return create(s, t, body);
	if (!o)
		return refusal(404, "NotFound");
	if (str_eq(t->sub, "binding"))
		return bind_pod(s, o, body);
	if (str_eq(t->sub, "eviction"))
		return evict_pod(s, o, body);
	if (stale(o, json_get(body, "metadata")))
		return refusal(409, "Conflict");
	return done(200, store_write(s, t->resource, o, body, STORE_REPLACE, false, t->ns));
}

static void cut(struct sim_call *c)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_TRANSPORT, "connection reset by peer");
	http_answer_end(c->http, &err);
}

static void perform_and_answer(struct sim_call *c, const struct target *t, enum sim_fault fate)
{
	struct sim_api *s = c->api;
	cleanup_free char *agent = xstrdup(c->agent);
	struct outcome r = perform(s, t, &c->sent);

	if (r.status < 300 && r.object)
		s->hooks.written(s->hooks.arg, agent, r.object);
	if (fate == SIM_CRASH_AFTER)
		s->hooks.crash(s->hooks.arg, agent);
	if (fate == SIM_LOST_AFTER || fate == SIM_CRASH_AFTER)
		cut(c);
	else if (r.text)
		answer_bytes(c, r.status, r.text->s, r.text->len);
	else if (r.other)
		answer(c, r.status, r.other);
	else
		sim_refuse(c, r.status, r.reason);
	text_drop(r.text);
}

static void write_request(struct sim_call *c, const struct target *t)
{
	struct sim_api *s = c->api;
	bool spared = !s->hooks.fate || t->resource == SIM_LEASE || t->resource == SIM_EVENT;
	enum sim_fault fate = spared ? SIM_OK : s->hooks.fate(s->hooks.arg, c->agent);

	switch (fate) {
	case SIM_CONFLICT:
		sim_refuse(c, 409, "Conflict");
		return;
	case SIM_THROTTLE:
		sim_refuse(c, 429, "TooManyRequests");
		return;
	case SIM_SERVER_ERROR:
		sim_refuse(c, 500, "InternalError");
		return;
	case SIM_CRASH_BEFORE:
		s->hooks.crash(s->hooks.arg, c->agent);
		cut(c);
		return;
	case SIM_LOST_BEFORE:
		cut(c);
		return;
	case SIM_STALL:
		return;
	default:
		perform_and_answer(c, t, fate);
	}
}

/* --- requests ------------------------------------------------------------------------------ */

/* A frame of two bytes: status SERVING. */
static void answer_grpc_health(struct sim_call *c)
{
	static const char serving[] = {0, 0, 0, 0, 2, 1 << 3, 1};

	http_answer_head(c->http, 200, 0);
	http_answer_header(c->http, "content-type: application/grpc");
	if (!http_answer_data(c->http, serving, sizeof(serving)))
		return;
	http_answer_header(c->http, GRPC_STATUS_HEADER ": 0");
	http_answer_end(c->http, NULL);
}

/* c may be gone when it is answered. */
static void ask_pod(struct sim_call *c)
{
	struct sim_api *s = c->api;
	struct buf *b = &s->answer;

	buf_truncate(b, 0);
	switch (s->hooks.pod_request(s->hooks.arg, c->agent, c->sent.url, b)) {
	case SIM_ANSWERS:
		answer_bytes(c, 200, b->data, b->len);
		break;
	case SIM_IS_SERVING:
		answer_grpc_health(c);
		break;
	case SIM_REFUSES:
		cut(c);
		break;
	case SIM_SILENT:
		break;
	}
}

bool sim_connected(const struct sim_call *c)
{
	const struct sim_hooks *h = &c->api->hooks;

	return !h->connected || h->connected(h->arg, c->agent);
}

static void on_request(void *arg)
{
	struct sim_call *c = arg;
	const char *path = c->sent.url + strlen(SIM_SERVER_URL);
	struct sim_object *o;
	struct target t;

	if (!str_starts(c->sent.url, SIM_SERVER_URL "/")) {
		ask_pod(c);
		return;
	}
	if (!sim_connected(c))
		return;
	if (!parse_target(path, &t)) {
		sim_refuse(c, 404, "NotFound");
	} else if (!str_eq(c->sent.method, "GET")) {
		write_request(c, &t);
	} else if (t.name) {
		o = sim_get(c->api, t.resource, t.ns, t.name);
		if (o)
			answer_bytes(c, 200, o->text->s, o->text->len);
		else
			sim_refuse(c, 404, "NotFound");
	} else if (strstr(path, "watch=1")) {
		watch_open(c, t.resource, t.query);
	} else {
		list_answer(c, t.resource, t.query);
	}
	free(t.path);
}

static void *on_start(void *arg, struct http_call *http, const struct http_sent *sent)
{
	const struct sim_port *port = arg;
	struct sim_api *s = port->api;
	struct sim_call *c = xcalloc(1, sizeof(*c));

	c->api = s;
	c->agent = port->agent;
	c->http = http;
	c->sent = *sent;
	timer_init(&c->timer, s->loop, on_request, c);
	timer_start(&c->timer, LATENCY_MS);
	list_push_back(&s->calls, &c->link);
	return c;
}

static void on_gone(void *arg, void *started)
{
	struct sim_call *c = started;

	(void)arg;
	timer_release(&c->timer);
	list_remove(&c->link);
	free(c->selector);
	free(c);
}

void sim_port_init(struct sim_port *p, struct sim_api *s, const char *agent)
{
	*p = (struct sim_port){{on_start, on_gone, p}, s, agent};
}

struct sim_api *sim_api_new(struct loop *l, const struct sim_hooks *h)
{
	struct sim_api *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	s->hooks = *h;
	s->rv = s->floor = 100;
	buf_init(&s->key, SIM_TEXT_MAX);
	buf_init(&s->text, SIM_TEXT_MAX);
	buf_init(&s->answer, 8 * SIM_TEXT_MAX);
	list_init(&s->calls);
	list_init(&s->continued);
	for (int r = 0; r < SIM_RESOURCES; r++) {
		list_init(&s->objects[r]);
		map_init(&s->by_key[r]);
	}
	return s;
}

void sim_api_free(struct sim_api *s)
{
	if (!s)
		return;
	for (int r = 0; r < SIM_RESOURCES; r++) {
		while (!list_empty(&s->objects[r]))
			store_free_object(s,
			                  list_entry(s->objects[r].next, struct sim_object, link));
		map_release(&s->by_key[r], NULL);
	}
	list_forget(s);
	sim_compact(s);
	free(s->history);
	buf_release(&s->key);
	buf_release(&s->text);
	buf_release(&s->answer);
	free(s);
}
