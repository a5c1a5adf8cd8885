/*
 * Readiness gate: a pod with serving.tidegate.io/model-ready becomes Ready only when its runtime
 * answered for exactly the model version that it was made for.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/reconcile/children.h"
#include "tidegate/signal/model_probe.h"

/*
 * A dark zone's probes each wait for their time-out, and must hold up neither the others nor each
 * other: a third of 5,000 pods, with some to spare.
 */
#define PROBES_AT_ONCE  2048
#define PROBE_PERIOD_MS 1000

struct gate {
	struct mdep_operator *op;
	struct model_prober *prober;
	struct list writes; /* under way */
	struct map told;    /* key of a pod -> struct told */
	bool started;
};

/* What was written last of a pod, until the cache has it. */
struct told {
	bool ready;
	bool lost;       /* the answer is: it may have been done */
	char rv[RV_MAX]; /* of the pod, as written; "" = not answered yet */
};

struct gate_write {
	struct list link;
	struct gate *gate;
	struct kube_call *call;
	char *pod; /* key */
};

static const struct mdep *mdep_of_pod(struct mdep_operator *op, const struct pod *p)
{
	return p->mdep ? mdep_from(store_get(&op->stores[CACHE_MDEP], p->meta.namespace, p->mdep))
	               : NULL;
}

static void forget_told(struct gate *g, const char *pod)
{
	free(map_del(&g->told, pod));
}

/* A cache that lags behind our own write says what was there before. */
static bool is_told(const struct gate *g, const struct pod *p, bool ready)
{
	const struct told *t = map_get(&g->told, p->meta.key);

	if (t)
		return !t->lost && t->ready == ready;
	return p->gate_model_ready == ready && p->gate_model_told;
}

/* The cache has what was written, or what came after it, which may be another's. */
static void catch_up(struct gate *g, const struct pod *p)
{
	const struct told *t = map_get(&g->told, p->meta.key);
	bool ready;

	if (!t || t->lost || !*t->rv || rv_cmp(p->meta.resource_version, t->rv) < 0)
		return;
	ready = t->ready;
	forget_told(g, p->meta.key);
	if (p->gate_model_ready != ready)
		model_prober_repeat(g->prober, p->meta.key);
}

/*
 * It may be Ready and get requests before a watch that lags tells of it, and a plan must not take
 * it for one that serves nobody. That a pod does not serve delays no plan: zones are left by it.
 */
static void hold_plans(struct gate *g, const struct pod *p, const struct told *t)
{
	const struct mdep *m = t->ready ? mdep_of_pod(g->op, p) : NULL;

	if (m)
		own_writes_note(operator_key(g->op, m->meta.key), CACHE_POD, t->rv);
}

static void write_free(struct gate_write *w)
{
	list_remove(&w->link);
	free(w->pod);
	free(w);
}

/* The prober tells changes only: a report that did not get through has to be asked for again. */
static void on_written(void *arg, const struct kube_response *r)
{
	struct gate_write *w = arg;
	struct gate *g = w->gate;
	const struct pod *p = (const struct pod *)store_get_key(&g->op->stores[CACHE_POD], w->pod);
	struct told *t = map_get(&g->told, w->pod);

	if (pod_condition_lost(r)) {
		if (t)
			t->lost = true;
		model_prober_repeat(g->prober, w->pod);
	} else if (t && !object_scan_rv(r->body, r->body_len, t->rv, sizeof(t->rv))) {
		forget_told(g, w->pod);
	} else if (t && p) {
		hold_plans(g, p, t);
		catch_up(g, p);
	}
	write_free(w);
}

static void tell(struct gate *g, const char *pod, bool ready)
{
	struct told *t = map_get(&g->told, pod);

	if (!t) {
		t = xcalloc(1, sizeof(*t));
		map_set(&g->told, pod, t);
	}
	*t = (struct told){.ready = ready};
}

static void write_condition(struct gate *g, const struct pod *p, const struct pod_condition *c)
{
	struct gate_write *w = xcalloc(1, sizeof(*w));

	w->gate = g;
	w->pod = xstrdup(p->meta.key);
	list_push_back(&g->writes, &w->link);
	tell(g, p->meta.key, c->status);
	w->call = pod_condition_write(g->op, p, TG_FM_POD, c, on_written, w);
	if (!w->call)
		write_free(w);
}

/*
 * One lost packet is no reason to take a pod out of service, nor is a network of ours that does not
 * reach its zone: then we ask again until it answers or the others agree.
 */
static bool in_doubt(struct gate *g, const struct pod *p, bool ready, unsigned failures)
{
	const struct mdep *m = mdep_of_pod(g->op, p);

	if (ready || !p->gate_model_ready)
		return false;
	if (failures < MODEL_PROBE_CONFIRM)
		return true;
	if (!m || !failover_doubts(g->op, m, p))
		return false;
	model_prober_repeat(g->prober, p->meta.key);
	return true;
}

/* Who gives a wrong answer needs no witness. */
static void call_witness(struct gate *g, const struct pod *p, unsigned failures)
{
	const struct mdep *m = mdep_of_pod(g->op, p);
	struct model_probe_state s;

	if (!failures)
		witness_forget(g->op->witness, p->meta.key);
	else if (m && failover_watches(m) && gate_state(g, p, &s) && s.passed_once && s.silent)
		witness_call(g->op->witness, m, p);
}

/*
 * A kubelet that lives draws the conclusion itself; one whose node is lost does not. Of a zone that
 * fails the route takes care, and its pods stay as they are.
 */
static bool is_out(struct gate *g, const struct pod *p)
{
	const struct mdep *m = mdep_of_pod(g->op, p);

	return p->ready && m && failover_fails_alone(g->op, m, p);
}

static void on_probe(void *arg, const char *pod, const char *uid, bool ready, unsigned failures,
                     const char *why)
{
	struct gate *g = arg;
	const struct pod *p = (const struct pod *)store_get_key(&g->op->stores[CACHE_POD], pod);

	if (!p || !str_eq(p->meta.uid, uid))
		return;
	call_witness(g, p, failures);
	voter_hurry(g->op->voter);
	if (!g->op->working)
		return;
	failover_probed(g->op, p, failures);
	if (!p->gate_model_ready_set)
		return;
	/* A pod that nothing is said of yet gets the reason why it waits. */
	if (is_told(g, p, ready) || in_doubt(g, p, ready, failures))
		return;
	log_info(ready ? "model is served" : "model is not served",
	         LS("namespace", p->meta.namespace), LS("name", p->meta.name), LS("why", why));
	write_condition(g, p,
	                &(struct pod_condition){.type = TG_GATE_MODEL_READY,
	                                        .status = ready,
	                                        .unready = !ready && is_out(g, p),
	                                        .reason = ready ? "ModelServed" : "ModelNotServed",
	                                        .message = why});
}

static void watch_pod(struct gate *g, const struct pod *p)
{
	const struct mdep *m = mdep_of_pod(g->op, p);
	const struct replicaset *rs = serving_set(g->op, p);
	struct model_probe_target t;
	struct serving s;

	if (!m || !rs || !rs->model_version)
		return;
	serving_of_set(m, rs, &s);
	if (!s.port && !s.grpc_port)
		return;
	t = (struct model_probe_target){
		.pod = p->meta.key,
		.uid = p->meta.uid,
		.ip = p->ip,
		.port = s.port,
		.preset = s.preset,
		.model = s.model,
		.version = rs->model_version,
		.grpc_port = s.grpc_port,
		.grpc_service = s.grpc_service,
		.golden_json = s.preset->model_path ? m->golden_json : NULL,
		.warmup = p->gate_model_ready ? 0 : (unsigned)m->warmup_requests};
	/* Another revision's model may well answer otherwise. */
	if (str_eq(p->revision, m->revision)) {
		t.golden_answer_json = m->golden_answer_json;
		t.golden_tolerance = m->golden_tolerance;
	}
	model_prober_set(g->prober, &t);
}

static void forget_pod(struct gate *g, const struct pod *p)
{
	forget_told(g, p->meta.key);
	model_prober_remove(g->prober, p->meta.key);
	witness_forget(g->op->witness, p->meta.key);
}

/* Without a gate of ours the kubelet says who is Ready; whether a zone is dark has to be asked. */
static bool is_asked(struct gate *g, const struct pod *p)
{
	const struct mdep *m;

	if (!p->containers_ready || !p->ip || p->meta.deleted_ms)
		return false;
	if (p->gate_model_ready_set)
		return true;
	m = mdep_of_pod(g->op, p);
	return m && failover_watches(m);
}

static void look_at_pod(struct gate *g, const struct pod *p)
{
	if (is_asked(g, p))
		watch_pod(g, p);
	else
		forget_pod(g, p);
}

/* By another: what is known is held against it. */
static bool is_changed(const struct store_event *ev)
{
	const struct pod *p = (const struct pod *)ev->object;
	const struct pod *before = (const struct pod *)ev->previous;

	return before && before->gate_model_ready != p->gate_model_ready;
}

void gate_pod(struct gate *g, const struct store_event *ev)
{
	const struct pod *p = (const struct pod *)ev->object;

	if (!g->started)
		return;
	if (ev->change == STORE_DELETED) {
		forget_pod(g, p);
		return;
	}
	look_at_pod(g, p);
	if (map_get(&g->told, p->meta.key))
		catch_up(g, p);
	else if (is_changed(ev))
		model_prober_repeat(g->prober, p->meta.key);
}

static void look_at_set(struct gate *g, const struct object *set)
{
	const struct store *pods = &g->op->stores[CACHE_POD];
	const struct object *o;

	for (o = store_next_owned(pods, set->uid, NULL); o; o = store_next_owned(pods, set->uid, o))
		look_at_pod(g, (const struct pod *)o);
}

/* A pod may be seen before its ReplicaSet, which tells the version to ask for. */
void gate_replicaset(struct gate *g, const struct store_event *ev)
{
	if (g->started && ev->change == STORE_ADDED)
		look_at_set(g, ev->object);
}

/* ... and before its ModelDeployment, which tells how to ask. */
void gate_mdep(struct gate *g, const struct store_event *ev)
{
	const struct store *sets = &g->op->stores[CACHE_REPLICASET];
	bool news = !ev->previous || ev->previous->generation != ev->object->generation;
	const struct object *o;

	if (!g->started || ev->change == STORE_DELETED || !news)
		return;
	for (o = store_next_owned(sets, ev->object->uid, NULL); o;
	     o = store_next_owned(sets, ev->object->uid, o))
		look_at_set(g, o);
}

void gate_start(struct gate *g)
{
	const struct store *pods = &g->op->stores[CACHE_POD];
	const struct object *o;
	size_t it = 0;

	if (g->started)
		return;
	g->started = true;
	while ((o = store_next(pods, &it)))
		look_at_pod(g, (const struct pod *)o);
}

/* Whatever was found out on standby is reported again, for nobody has written it. */
void gate_lead(struct gate *g)
{
	const struct store *pods = &g->op->stores[CACHE_POD];
	const struct object *o;
	size_t it = 0;

	while ((o = store_next(pods, &it)))
		model_prober_repeat(g->prober, o->key);
}

bool gate_state(const struct gate *g, const struct pod *p, struct model_probe_state *out)
{
	return model_prober_state(g->prober, p->meta.key, out);
}

bool gate_blind(const struct gate *g)
{
	return model_prober_blind(g->prober);
}

struct gate *gate_new(struct mdep_operator *op, struct err *err)
{
	struct gate *g = xcalloc(1, sizeof(*g));

	g->op = op;
	list_init(&g->writes);
	map_init(&g->told);
	g->prober = model_prober_new(op->loop, PROBES_AT_ONCE, PROBE_PERIOD_MS, on_probe, g, err);
	if (!g->prober) {
		map_release(&g->told, free);
		free(g);
		return NULL;
	}
	return g;
}

void gate_free(struct gate *g)
{
	struct list *it, *tmp;

	if (!g)
		return;
	list_for_each_safe (it, tmp, &g->writes) {
		struct gate_write *w = list_entry(it, struct gate_write, link);

		kube_cancel(w->call);
		write_free(w);
	}
	model_prober_free(g->prober);
	map_release(&g->told, free);
	free(g);
}
