#include "tidegate/signal/model_probe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/arena.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/heap.h"
#include "tidegate/base/json.h"
#include "tidegate/base/list.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"
#include "tidegate/net/http_pool.h"
#include "tidegate/signal/grpc_health.h"

#define RETRY_MS   1000
#define FIRST_MS   50
#define TIMEOUT_MS 1000
/* After the first failure of one that passed: from start to start, and how long each may take. */
#define AGAIN_MS          300
#define DOUBT_TIMEOUT_MS  700
#define GOLDEN_TIMEOUT_MS 2000
/* The first requests compile kernels and fill caches: that is what they are for. */
#define WARMUP_TIMEOUT_MS 30000
#define GOLDEN_PERIOD_MS  10000
#define BODY_MAX          (256u << 10)

/* --- what an answer says (pure) ---------------------------------------------------------- */

static bool say(char *why, size_t size, const char *text, const char *detail)
{
	cleanup_free char *full = xasprintf("%s%s", text, str_or(detail, ""));

	str_copy(why, size, full);
	return false;
}

/* {"model_version_status":[{"version":"3","state":"AVAILABLE","status":{"error_code":"OK"}}]} */
static bool tensorflow_answer(const struct json *body, const char *version, char *why, size_t size)
{
	const struct json *it;
	const char *other = NULL, *state;

	json_for_each (it, json_get(body, "model_version_status")) {
		state = str_or(json_str(it, "state"), "");
		if (!str_eq(json_str(it, "version"), version)) {
			other = str_eq(state, "AVAILABLE") ? json_str(it, "version") : other;
			continue;
		}
		if (!str_eq(state, "AVAILABLE"))
			return say(why, size, "model version is ", state);
		if (!str_eq(str_or(json_str(json_get(it, "status"), "error_code"), "OK"), "OK"))
			return say(why, size, "model version failed: ",
			           json_str(json_get(it, "status"), "error_message"));
		return true;
	}
	return other ? say(why, size, "another version is served: ", other)
	             : say(why, size, "the wanted version is not known to the server", NULL);
}

bool model_probe_answer(const struct preset *preset, const char *version, int status,
                        const char *body, size_t len, char *why, size_t why_size)
{
	cleanup_arena struct arena a;
	const struct json *json;
	char code[16];

	arena_init(&a, 0);
	if (status != 200) {
		snprintf(code, sizeof(code), "%d", status);
		return say(why, why_size, "the model server answered HTTP ", code);
	}
	if (preset->runtime != RUNTIME_TENSORFLOW_SERVING)
		return true; /* the path names model and version: 200 means that it serves them */
	json = json_parse(&a, body, len, NULL);
	if (!json)
		return say(why, why_size, "the model server's answer is not JSON", NULL);
	return tensorflow_answer(json, version, why, why_size);
}

/* --- prober ------------------------------------------------------------------------------ */

struct probe {
	struct heap_node due;
	struct list ready;
	struct model_prober *prober;
	struct http_client *http;
	struct http_call *call;
	char *pod, *uid, *ip, *version, *golden, *answer, *model;
	double tolerance;
	struct http_url *status_url, *golden_url;
	char *grpc_service; /* its health is asked for, at status_url; NULL = that is plain HTTP */
	uint64_t good_answer; /* hash of the last that passed: a server repeats itself every second
	                       */
	const struct preset *preset;
	bool reported;
	struct model_probe_state state;
	int64_t started_ms;
	unsigned warmup;   /* golden requests still to be sent before it first passes */
	int64_t golden_ms; /* monotonic, next time that the golden request is sent */
};

struct model_prober {
	struct loop *loop;
	struct http_pool *http;
	struct map probes;
	struct heap due;
	struct timer timer;
	int64_t wake_ms; /* what the timer is set to, when it is active */
	struct list ready;
	unsigned running, concurrency;
	unsigned answering, silent; /* of those that have answered once */
	int64_t period_ms;
	void (*fn)(void *arg, const char *pod, const char *uid, bool ready, unsigned failures,
	           const char *why);
	void *arg;
};

static void tally(struct probe *p, int sign)
{
	if (!p->state.passed_once)
		return;
	if (p->state.failures)
		p->prober->silent += (unsigned)sign;
	else
		p->prober->answering += (unsigned)sign;
}

static void probe_free(void *arg)
{
	struct probe *p = arg;

	tally(p, -1);
	if (p->call) {
		http_cancel(p->call);
		p->prober->running--;
	}
	http_pool_give(p->prober->http, p->http);
	list_remove(&p->ready);
	heap_remove(&p->prober->due, &p->due);
	free(p->pod);
	free(p->uid);
	free(p->ip);
	free(p->version);
	free(p->golden);
	free(p->answer);
	free(p->model);
	http_url_free(p->status_url);
	free(p->grpc_service);
	http_url_free(p->golden_url);
	free(p);
}

static void rearm(struct model_prober *m);

/* True for a failure that is not confirmed yet, or is just now. */
static bool note_result(struct probe *p, bool ready)
{
	struct model_probe_state *s = &p->state;

	tally(p, -1);
	s->failures = ready ? 0 : s->failures + 1;
	s->passed_once |= ready;
	if (!ready)
		s->good_since_ms = 0;
	else if (!s->good_since_ms)
		s->good_since_ms = loop_now(p->prober->loop);
	tally(p, 1);
	return !ready && s->passed_once && s->failures <= MODEL_PROBE_CONFIRM;
}

static bool in_doubt(const struct probe *p)
{
	return p->state.passed_once && p->state.failures > 0 &&
	       p->state.failures < MODEL_PROBE_CONFIRM;
}

static int64_t pause_after(const struct probe *p)
{
	int64_t took = loop_now(p->prober->loop) - p->started_ms;

	if (!p->state.failures)
		return p->prober->period_ms;
	if (!in_doubt(p))
		return RETRY_MS;
	return took < AGAIN_MS ? AGAIN_MS - took : 0;
}

static void finish(struct probe *p, bool ready, const char *why)
{
	struct model_prober *m = p->prober;
	bool passing = p->state.good_since_ms != 0;
	bool tell = note_result(p, ready) || !p->reported || passing != ready;

	m->running--;
	p->reported = true;
	heap_set(&m->due, &p->due, loop_now(m->loop) + pause_after(p));
	rearm(m);
	/* Last: the receiver may remove this very probe. */
	if (tell)
		m->fn(m->arg, p->pod, p->uid, ready, p->state.failures, why);
}

static void start_golden(struct probe *p);

/* The spec may have lost its golden request while this one was under way. */
static void golden_passed(struct probe *p)
{
	if (p->warmup && p->golden) {
		p->warmup--;
		start_golden(p);
	} else {
		finish(p, true, "serves the wanted version; the golden request passed");
	}
}

static void on_golden(void *arg, const struct http_result *r)
{
	struct probe *p = arg;
	char why[256], wrong[192];

	p->call = NULL;
	p->state.silent = r->err.class != ERR_NONE;
	if (r->err.class != ERR_NONE)
		str_copy(wrong, sizeof(wrong), r->err.msg);
	else if (r->status != 200)
		str_copy(wrong, sizeof(wrong), "HTTP status is not 200");
	else if (!p->answer || model_probe_golden(p->answer, p->tolerance, r->body, r->body_len,
	                                          wrong, sizeof(wrong))) {
		golden_passed(p);
		return;
	}
	snprintf(why, sizeof(why), "the golden request failed: %s", wrong);
	finish(p, false, why);
}

static void start_golden(struct probe *p)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	struct http_request req = {.method = "POST",
	                           .known_url = p->golden_url,
	                           .headers = headers,
	                           .body = p->golden,
	                           .body_len = strlen(p->golden),
	                           .timeout_ms = p->warmup ? WARMUP_TIMEOUT_MS : GOLDEN_TIMEOUT_MS,
	                           .max_body = BODY_MAX,
	                           .on_done = on_golden,
	                           .arg = p};

	p->golden_ms = loop_now(p->prober->loop) + GOLDEN_PERIOD_MS;
	p->call = http_start(p->http, &req);
}

/* One that failed is asked again until it passes. */
static bool golden_due(const struct probe *p)
{
	return p->golden && (p->state.failures || !p->state.passed_once ||
	                     loop_now(p->prober->loop) >= p->golden_ms);
}

/* The best that a server can be asked by HTTP; NULL = whether it takes connections. */
static const char *probe_path(const struct preset *p)
{
	return p->model_path ? p->model_path : p->live_path;
}

/* A version check tells more, a preset's path less than what the pod was given as its own probe. */
static bool asks_grpc(const struct model_probe_target *t)
{
	return t->grpc_port && !t->preset->model_path;
}

/* As model_probe_answer(), without reading again what has been read before. */
static bool serves(struct probe *p, const struct http_result *r, char *why, size_t size)
{
	uint64_t hash = str_hash_fast(r->body, r->body_len);

	if (p->grpc_service)
		return grpc_health_answer(r, why, size) != GRPC_NOT_SERVING;
	if (!probe_path(p->preset))
		return true;
	if (r->status == 200 && p->good_answer == hash)
		return true;
	if (!model_probe_answer(p->preset, p->version, r->status, r->body, r->body_len, why, size))
		return false;
	p->good_answer = hash;
	return true;
}

static void on_status(void *arg, const struct http_result *r)
{
	struct probe *p = arg;
	char why[160];

	p->call = NULL;
	p->state.silent = r->err.class != ERR_NONE;
	if (r->err.class != ERR_NONE) {
		snprintf(why, sizeof(why), "the model server does not answer: %.110s", r->err.msg);
		finish(p, false, why);
		return;
	}
	if (!serves(p, r, why, sizeof(why)))
		finish(p, false, why);
	else if (golden_due(p))
		start_golden(p);
	else
		finish(p, true, "serves the wanted version");
}

static void ask_grpc(struct http_request *req, const struct buf *body)
{
	req->method = "POST";
	req->http2 = true;
	req->headers = grpc_health_headers;
	req->body = body->data;
	req->body_len = body->len;
	req->max_body = GRPC_HEALTH_ANSWER_MAX;
	req->keep_header = GRPC_STATUS_HEADER;
}

static void probe_start(struct probe *p)
{
	struct http_request req = {.known_url = p->status_url,
	                           .timeout_ms = in_doubt(p) ? DOUBT_TIMEOUT_MS : TIMEOUT_MS,
	                           .max_body = BODY_MAX,
	                           .short_answer = true,
	                           .on_done = on_status,
	                           .arg = p};
	cleanup_buf struct buf grpc;

	buf_init(&grpc, GRPC_HEALTH_REQUEST_MAX);
	if (p->grpc_service) {
		grpc_health_request(p->grpc_service, &grpc);
		ask_grpc(&req, &grpc);
	} else {
		req.connect_only = !probe_path(p->preset);
	}
	p->prober->running++;
	p->started_ms = loop_now(p->prober->loop);
	p->call = http_start(p->http, &req);
}

static void on_timer(void *arg)
{
	struct model_prober *m = arg;
	struct heap_node *n;

	while ((n = heap_min(&m->due)) && n->key <= loop_now(m->loop)) {
		struct probe *p = container_of(n, struct probe, due);

		heap_remove(&m->due, n);
		list_push_back(&m->ready, &p->ready);
	}
	rearm(m);
}

static void rearm(struct model_prober *m)
{
	struct heap_node *n;

	while (m->running < m->concurrency && !list_empty(&m->ready))
		probe_start(list_entry(list_pop_front(&m->ready), struct probe, ready));
	n = heap_min(&m->due);
	if (!n) {
		timer_stop(&m->timer);
	} else if (!timer_active(&m->timer) || m->wake_ms != n->key) {
		m->wake_ms = n->key;
		timer_start(&m->timer, n->key - loop_now(m->loop));
	}
}

/* --- targets ----------------------------------------------------------------------------- */

static struct http_url *expand(const struct model_probe_target *t, int port, const char *path)
{
	cleanup_buf struct buf b;

	buf_init(&b, 2048);
	buf_addf(&b, strchr(t->ip, ':') ? "http://[%s]:%d" : "http://%s:%d", t->ip, port);
	for (const char *c = path; *c; c++) {
		if (c[0] == '$' && c[1] == 'N')
			buf_addstr(&b, str_or(t->model, "model"));
		else if (c[0] == '$' && c[1] == 'V')
			buf_addstr(&b, str_or(t->version, ""));
		else
			buf_addch(&b, *c);
		c += c[0] == '$' && (c[1] == 'N' || c[1] == 'V');
	}
	return http_url_new(b.data);
}

/* Where a prediction is asked for: it stands beside the status path. */
static struct http_url *golden_url(const struct model_probe_target *t)
{
	return expand(t, t->port,
	              t->preset->runtime == RUNTIME_TENSORFLOW_SERVING
	                      ? "/v1/models/$N/versions/$V:predict"
	                      : "/v2/models/$N/infer");
}

static void set_question(struct probe *p, const struct model_probe_target *t)
{
	if (asks_grpc(t)) {
		p->status_url = expand(t, t->grpc_port, GRPC_HEALTH_PATH);
		p->grpc_service = xstrdup(str_or(t->grpc_service, ""));
	} else {
		p->status_url = expand(t, t->port, str_or(probe_path(t->preset), "/"));
	}
	p->golden_url = golden_url(t);
}

static bool same_server(const struct probe *p, const struct model_probe_target *t)
{
	return str_eq(p->uid, t->uid) && str_eq(p->ip, t->ip) && str_eq(p->version, t->version) &&
	       str_eq(p->model, t->model) && p->preset == t->preset;
}

/* Asked anew at the next probe. What is known of the server stays: it may just be failing. */
static void set_golden(struct probe *p, const struct model_probe_target *t)
{
	if (str_eq(p->golden, t->golden_json) && str_eq(p->answer, t->golden_answer_json) &&
	    fabs(p->tolerance - t->golden_tolerance) <= 0)
		return;
	xstr_replace(&p->golden, t->golden_json);
	xstr_replace(&p->answer, t->golden_answer_json);
	p->tolerance = t->golden_tolerance;
	p->golden_ms = 0;
}

void model_prober_set(struct model_prober *m, const struct model_probe_target *t)
{
	struct probe *p = map_get(&m->probes, t->pod);
	uint64_t jitter = str_hash(STR_HASH_SEED, t->uid, strlen(t->uid)) % FIRST_MS;

	if (p && same_server(p, t)) {
		set_golden(p, t);
		return;
	}
	model_prober_remove(m, t->pod);
	p = xcalloc(1, sizeof(*p));
	p->prober = m;
	p->http = http_pool_take(m->http);
	p->pod = xstrdup(t->pod);
	p->uid = xstrdup(t->uid);
	p->ip = xstrdup(t->ip);
	p->version = xstrdup(t->version);
	p->model = xstrdup_null(t->model);
	set_golden(p, t);
	p->warmup = t->warmup;
	p->preset = t->preset;
	set_question(p, t);
	list_init(&p->ready);
	map_set(&m->probes, t->pod, p);
	heap_set(&m->due, &p->due, loop_now(m->loop) + (int64_t)jitter);
	rearm(m);
}

void model_prober_remove(struct model_prober *m, const char *pod)
{
	struct probe *p = map_del(&m->probes, pod);

	if (!p)
		return;
	probe_free(p);
	rearm(m);
}

void model_prober_repeat(struct model_prober *m, const char *pod)
{
	struct probe *p = map_get(&m->probes, pod);

	if (!p)
		return;
	p->reported = false;
	if (!heap_node_in(&p->due))
		return; /* it runs, or is about to */
	heap_set(&m->due, &p->due, loop_now(m->loop) + RETRY_MS);
	rearm(m);
}

bool model_prober_state(const struct model_prober *m, const char *pod,
                        struct model_probe_state *out)
{
	const struct probe *p = map_get(&m->probes, pod);

	if (!p || (!p->state.failures && !p->state.good_since_ms))
		return false;
	*out = p->state;
	return true;
}

bool model_prober_blind(const struct model_prober *m)
{
	return m->silent > 1 && !m->answering;
}

struct model_prober *model_prober_new(struct loop *l, unsigned concurrency, int64_t period_ms,
                                      void (*fn)(void *arg, const char *pod, const char *uid,
                                                 bool ready, unsigned failures, const char *why),
                                      void *arg, struct err *err)
{
	struct model_prober *m = xcalloc(1, sizeof(*m));

	m->loop = l;
	m->concurrency = concurrency;
	m->period_ms = period_ms;
	m->fn = fn;
	m->arg = arg;
	map_init(&m->probes);
	heap_init(&m->due);
	list_init(&m->ready);
	timer_init(&m->timer, l, on_timer, m);
	m->http = http_pool_new(l, "tidegate-probe", err);
	if (!m->http) {
		model_prober_free(m);
		return NULL;
	}
	return m;
}

void model_prober_free(struct model_prober *m)
{
	if (!m)
		return;
	map_release(&m->probes, probe_free);
	http_pool_free(m->http);
	timer_release(&m->timer);
	heap_release(&m->due);
	free(m);
}
