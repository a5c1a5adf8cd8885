#include <inttypes.h>
#include <string.h>

#include "intent.h"
#include "service_port.h"
#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/reconcile/children.h"
#include "tidegate/traffic/driver.h"
#include "tidegate/traffic/gateway.h"

static struct intent *intent_add(struct intents *t, enum intent_class class, enum cache cache)
{
	if (t->n == t->cap) {
		unsigned cap = t->cap ? 2 * t->cap : 16;
		struct intent *v = arena_array(t->arena, cap, sizeof(*v));

		if (t->n)
			memcpy(v, t->v, t->n * sizeof(*v));
		t->v = v;
		t->cap = cap;
	}
	t->v[t->n] = (struct intent){.class = class, .cache = cache};
	return &t->v[t->n++];
}

static void intent_body(struct intents *t, struct intent *i, const struct buf *body)
{
	i->body = arena_strndup(t->arena, body->data, body->len);
	i->body_len = body->len;
}

static const char *const api_paths[CACHES] = {
	[CACHE_MDEP] = TG_API_PATH "/namespaces/%s/modeldeployments",
	[CACHE_POD] = "/api/v1/namespaces/%s/pods",
	[CACHE_REPLICASET] = "/apis/apps/v1/namespaces/%s/replicasets",
	[CACHE_SERVICE] = "/api/v1/namespaces/%s/services",
	[CACHE_BUDGET] = "/apis/policy/v1/namespaces/%s/poddisruptionbudgets",
	[CACHE_ROUTE] = "/apis/gateway.networking.k8s.io/v1/namespaces/%s/httproutes",
	[CACHE_GRPCROUTE] = "/apis/gateway.networking.k8s.io/v1/namespaces/%s/grpcroutes",
	[CACHE_VIRTUALSERVICE] = "/apis/networking.istio.io/v1/namespaces/%s/virtualservices",
	[CACHE_DESTINATIONRULE] = "/apis/networking.istio.io/v1/namespaces/%s/destinationrules",
	[CACHE_INGRESS] = "/apis/networking.k8s.io/v1/namespaces/%s/ingresses",
	[CACHE_TRAEFIKSERVICE] = "/apis/traefik.io/v1alpha1/namespaces/%s/traefikservices",
	[CACHE_DEPLOYMENT] = "/apis/apps/v1/namespaces/%s/deployments",
};

/* name NULL: the collection. */
static const char *path_of(struct intents *t, enum cache cache, const char *ns, const char *name,
                           const char *sub)
{
	cleanup_buf struct buf b;

	buf_init(&b, 1024);
	for (const char *p = api_paths[cache]; *p; p++) {
		if (p[0] == '%') {
			buf_addstr(&b, ns);
			p++;
		} else {
			buf_addch(&b, *p);
		}
	}
	if (name)
		buf_addf(&b, "/%s", name);
	buf_addstr(&b, sub);
	return arena_strdup(t->arena, b.data);
}

/* --- status ------------------------------------------------------------------------------ */

/*
 * An API write costs the server several milliseconds: counts and texts are written in company, and
 * figures that every scrape moves the less often the longer nothing else has moved. A thousand
 * models in their holds would else be hundreds of writes a second. Where many models wait for their
 * turn, what is told of one in passing takes the server's time from the steps of the others.
 */
#define STATUS_LAZY_MS     3000
#define STATUS_LAZY_MAX_MS 30000
#define STATUS_LAZY_PART   20
#define STATUS_CROWD_MS    20

static int64_t status_least_ms(unsigned crowd)
{
	int64_t ms = STATUS_LAZY_MS + (int64_t)crowd * STATUS_CROWD_MS;

	return ms < STATUS_LAZY_MAX_MS ? ms : STATUS_LAZY_MAX_MS;
}

/* The longer it is waited for, the older what last moved has become. */
static int64_t figures_wait_ms(const struct mdep_status *st, const struct key_state *ks,
                               int64_t least)
{
	int64_t since_ms = clock_mono_ms() - ks->status_ms;
	int64_t age_ms = clock_wall_ms() - st->progress_ms, wait = 0, more;

	while ((more = easing_ms(age_ms + wait, STATUS_LAZY_PART, least, STATUS_LAZY_MAX_MS) -
	               since_ms) > wait)
		wait = more;
	return wait;
}

static int64_t status_wait_ms(const struct mdep *m, const struct mdep_status *next,
                              const struct key_state *ks, unsigned crowd)
{
	int64_t least = status_least_ms(crowd), wait;

	if (!status_counts_changed(&m->status, next))
		return figures_wait_ms(next, ks, least);
	wait = ks->status_ms + least - clock_mono_ms();
	return wait > 0 ? wait : 0;
}

void status_look(struct mdep_operator *op, const char *key)
{
	const struct mdep *m = mdep_from(store_get_key(&op->stores[CACHE_MDEP], key));
	const struct key_state *ks = map_get(&op->keys, key);

	if (m && ks)
		queue_add_after(
			op->queue, key,
			figures_wait_ms(&m->status, ks, status_least_ms(queue_depth(op->queue))));
}

/* Both sides are encoded by the same function, so equal meaning is equal text. */
static int collect_status(struct intents *t, const struct mdep *m, const struct mdep_status *next,
                          const struct key_state *ks, struct err *err)
{
	bool urgent = !m->has_status || status_change_is_urgent(&m->status, next);
	int64_t wait = urgent ? 0 : status_wait_ms(m, next, ks, t->crowd);
	cleanup_buf struct buf want;
	struct intent *i;
	uint64_t hash;

	buf_init(&want, CHILD_BODY_MAX);
	/* Mostly it differs by what the last scrapes counted, and is not written yet. */
	if (wait && status_surely_differs(&m->status, next)) {
		t->later_ms = wait;
		return 0;
	}
	if (mdep_status_encode(m, next, &want))
		return err_set(err, ERR_TOO_BIG, "status is larger than %u bytes", CHILD_BODY_MAX);
	hash = str_hash_fast(want.data, want.len);
	if (m->has_status && hash == m->status_hash)
		return 0;
	t->later_ms = wait;
	if (wait)
		return 0;
	t->told = urgent ? 0 : hash;
	i = intent_add(t, INTENT_STATUS, CACHE_MDEP);
	i->what = "write status";
	i->method = "PATCH";
	i->patch = KUBE_PATCH_APPLY;
	i->manager = TG_FM_STATUS;
	i->path = path_of(t, CACHE_MDEP, m->meta.namespace, m->meta.name, "/status");
	i->missing_ok = true;
	intent_body(t, i, &want);
	return 0;
}

void intent_delete(struct intents *t, enum intent_class class, enum cache cache,
                   const struct object *o)
{
	struct intent *i = intent_add(t, class, cache);

	i->what = arena_printf(t->arena, "delete %s", o->name);
	i->method = "DELETE";
	i->path = path_of(t, cache, o->namespace, o->name, "");
	i->body = arena_printf(t->arena,
	                       "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\","
	                       "\"propagationPolicy\":\"Background\","
	                       "\"preconditions\":{\"uid\":\"%s\"}}",
	                       o->uid);
	i->body_len = strlen(i->body);
	i->deletes = arena_strdup(t->arena, o->key);
	i->uid = arena_strdup(t->arena, o->uid);
	i->missing_ok = true;
}

static void look_again(struct intents *t, int64_t ms)
{
	if (!t->later_ms || t->later_ms > ms)
		t->later_ms = ms;
}

/* --- what texts are made of -------------------------------------------------------------- */

static uint64_t add_text(uint64_t hash, const char *s)
{
	return s ? str_hash(hash, s, strlen(s) + 1) : str_hash(hash, "\1", 1);
}

static uint64_t add_number(uint64_t hash, int64_t n)
{
	return str_hash(hash, &n, sizeof(n));
}

/* The spec is known by its generation. */
static uint64_t add_mdep(uint64_t hash, const struct mdep *m)
{
	return add_number(add_text(hash, m->meta.uid), m->meta.generation);
}

/* The child is there with the text that these ingredients make. */
static bool is_as_made(const struct key_state *ks, const struct mdep *m, uint64_t ingredients,
                       const struct service *have)
{
	uint64_t hash;

	return have && m->meta.generation && made_find(ks, ingredients, &hash) &&
	       have->apply_hash == hash;
}

static void note_made(struct key_state *ks, const struct mdep *m, uint64_t ingredients,
                      uint64_t hash)
{
	uint64_t known;

	if (m->meta.generation && !made_find(ks, ingredients, &known))
		made_note(ks, ingredients, hash);
}

/* --- Services ---------------------------------------------------------------------------- */

struct intent *intent_own(struct mdep_operator *op, struct intents *t, const struct mdep *m,
                          const struct key_state *ks, const struct owned *o)
{
	int64_t wait = o->have ? 0 : taken_wait_ms(ks, o->cache, o->name);
	struct intent *i;

	if (o->taken_ok && wait > 0) {
		look_again(t, wait);
		return NULL;
	}
	i = intent_add(t, o->class, o->cache);
	i->what = arena_printf(t->arena, "%s %s %s", o->have ? "change" : "create",
	                       op->stores[o->cache].kind->kind, o->name);
	i->method = o->have ? "PATCH" : "POST";
	i->patch = o->have ? o->patch : KUBE_PATCH_NONE;
	i->manager = TG_FM_WORKLOAD;
	i->path = path_of(t, o->cache, m->meta.namespace, o->have ? o->name : NULL, "");
	i->creates = o->have ? NULL : arena_strdup(t->arena, o->name);
	i->taken_ok = o->taken_ok;
	intent_body(t, i, o->body);
	return i;
}

/* Last of all: no release waits for it. */
static int collect_budget(struct mdep_operator *op, struct intents *t, const struct mdep *m,
                          struct key_state *ks, struct err *err)
{
	const struct service *have = (const struct service *)store_get(
		&op->stores[CACHE_BUDGET], m->meta.namespace, m->meta.name);
	cleanup_buf struct buf body;
	struct owned o = {.class = INTENT_CLEANUP,
	                  .cache = CACHE_BUDGET,
	                  .name = m->meta.name,
	                  .have = have,
	                  .taken_ok = true,
	                  .patch = KUBE_PATCH_APPLY,
	                  .body = &body};
	uint64_t ingredients = add_mdep(add_number(STR_HASH_SEED, CACHE_BUDGET), m), hash;

	buf_init(&body, CHILD_BODY_MAX);
	if (m->budget.off) {
		if (have && str_eq(have->meta.owner_uid, m->meta.uid))
			intent_delete(t, INTENT_CLEANUP, CACHE_BUDGET, &have->meta);
		return 0;
	}
	if (is_as_made(ks, m, ingredients, have))
		return 0;
	if (child_disruption_budget(m, &body, &hash))
		return err_set(err, ERR_TOO_BIG, "PodDisruptionBudget body too large");
	note_made(ks, m, ingredients, hash);
	if (!have || have->apply_hash != hash)
		intent_own(op, t, m, ks, &o);
	return 0;
}

/* One of the first n cells is of this revision and stays. */
static bool revision_kept(const struct rollout_plan *plan, unsigned n, const char *revision)
{
	for (unsigned i = 0; i < n; i++)
		if (!plan->cells[i].remove && str_eq(plan->cells[i].revision, revision))
			return true;
	return false;
}

static struct traffic_wish traffic_wish(const struct rollout_snapshot *s,
                                        const struct rollout_plan *plan, int port)
{
	return (struct traffic_wish){.mdep = s->mdep,
	                             .port = port,
	                             .weights = plan->weights,
	                             .nweights = plan->nweights,
	                             .step = plan->audience,
	                             .target = plan->status.target,
	                             .stable = plan->status.stable};
}

/* Port of a revision's pods. */
static int port_of(struct mdep_operator *op, const struct mdep *m, const char *revision)
{
	const struct object *o = NULL;
	struct serving s;

	serving_of_set(m, NULL, &s);
	while ((o = store_next_owned(&op->stores[CACHE_REPLICASET], m->meta.uid, o))) {
		const struct replicaset *rs = (const struct replicaset *)o;

		if (!str_eq(rs->revision, revision))
			continue;
		serving_of_set(m, rs, &s);
		break;
	}
	return s.port;
}

/* Of any revision's pods: by name while two of them listen on different ports. */
static int port_of_all(struct mdep_operator *op, const struct mdep *m,
                       const struct rollout_plan *plan)
{
	int port = port_of(op, m, m->revision);

	for (unsigned i = 0; i < plan->ncells; i++)
		if (port_of(op, m, plan->cells[i].revision) != port)
			return CHILD_PORT_BY_NAME;
	return port;
}

static const struct service *get_service(const struct mdep_operator *op, const struct mdep *m,
                                         const char *name)
{
	return (const struct service *)store_get(&op->stores[CACHE_SERVICE], m->meta.namespace,
	                                         name);
}

static void add_service(const struct mdep_operator *op, struct arena *a, const struct mdep *m,
                        const char *revision, const char *zone, struct cell_services *out)
{
	const char *name;

	zone = traffic_driver_of(m)->by_revision ? "" : str_or(zone, "");
	for (unsigned i = 0; i < out->n; i++)
		if (!out->v[i].front && str_eq(out->v[i].revision, revision) &&
		    str_eq(out->v[i].zone, zone))
			return;
	name = gateway_service_name(a, m, revision, zone);
	out->v[out->n++] =
		(struct cell_service){name, revision, zone, false, get_service(op, m, name)};
}

/* Revision that the Service "<mdep>" selects, NULL = any: a driver may split by revision. */
static const char *front_revision(struct mdep_operator *op, const struct rollout_snapshot *s,
                                  const struct rollout_plan *plan, const struct key_state *ks)
{
	const struct traffic_driver *driver = traffic_driver_of(s->mdep);
	struct traffic_wish wish = traffic_wish(s, plan, s->mdep->service_port);
	struct traffic_view view;

	if (!driver || !driver->front)
		return NULL;
	route_view(op, s->mdep, ks, s->now_ms, &view);
	return driver->front(&wish, &view);
}

/* A cell of what serves or is released, in a zone that was left. */
static bool is_left(const struct rollout_plan *plan, const struct rollout_cell *c)
{
	const struct mdep_zone_status *z = mdep_zone_find(&plan->status, str_or(c->zone, ""));

	return z && mdep_zone_is_out(z) &&
	       (str_eq(c->revision, plan->status.stable) ||
	        str_eq(c->revision, plan->status.target));
}

/*
 * The Service "<mdep>", but for one that is taken over (the one that the route names is the
 * Deployment's), and with a driver the cells': those with a wish, and those of a zone that was
 * left, of which nothing is wished: they must not fall behind until the route names them again.
 */
static void list_services(struct mdep_operator *op, const struct rollout_snapshot *s,
                          const struct rollout_plan *plan, const struct key_state *ks,
                          struct arena *a, struct cell_services *out)
{
	const struct mdep *m = s->mdep;

	out->v = arena_array(a, 1 + plan->ncells + plan->nweights + s->ncells, sizeof(*out->v));
	out->n = 0;
	if (!m->take_over)
		out->v[out->n++] =
			(struct cell_service){m->meta.name, front_revision(op, s, plan, ks), NULL,
		                              true, get_service(op, m, m->meta.name)};
	if (!traffic_driver_of(m))
		return;
	for (unsigned i = 0; i < plan->ncells; i++)
		if (!plan->cells[i].remove)
			add_service(op, a, m, plan->cells[i].revision, plan->cells[i].zone, out);
	for (unsigned i = 0; i < plan->nweights; i++)
		add_service(op, a, m, plan->weights[i].revision, plan->weights[i].zone, out);
	for (unsigned i = 0; i < s->ncells; i++)
		if (is_left(plan, &s->cells[i]))
			add_service(op, a, m, s->cells[i].revision, s->cells[i].zone, out);
}

static void plan_ports(const struct mdep_operator *op, const struct rollout_snapshot *s,
                       const struct cell_services *services, struct key_state *ks,
                       struct intents *t, struct service_ports *out)
{
	const struct service **have = arena_array(t->arena, services->n, sizeof(*have));
	unsigned n = 0;

	for (unsigned i = 0; i < services->n; i++)
		if (services->v[i].have)
			have[n++] = services->v[i].have;
	service_ports_plan(op, s, have, n, ks, t->arena, out);
	if (out->later_ms)
		look_again(t, out->later_ms);
}

static uint64_t service_ingredients(const struct mdep *m, const struct cell_service *x, int port,
                                    const struct child_ports *ports)
{
	uint64_t hash = add_mdep(add_number(STR_HASH_SEED, CACHE_SERVICE), m);

	hash = add_text(add_text(add_text(hash, x->name), x->revision), x->zone);
	hash = add_number(add_number(hash, x->front), port);
	for (unsigned i = 0; i < ports->n; i++)
		hash = add_number(add_number(hash, ports->v[i].port), ports->v[i].plain);
	return hash;
}

static int write_service(const struct mdep *m, const struct cell_service *x, int port,
                         const struct child_ports *ports, struct buf *body, uint64_t *hash)
{
	if (x->front)
		return child_front_service(m, x->revision, port, ports, body, hash);
	if (traffic_driver_of(m)->by_revision)
		return child_revision_service(m, x->revision, port, ports, body, hash);
	return child_cell_service(m, x->revision, x->zone, port, ports, body, hash);
}

static int collect_service(struct mdep_operator *op, struct intents *t, const struct mdep *m,
                           const struct rollout_plan *plan, struct key_state *ks,
                           const struct cell_service *x, const struct service_ports *ports,
                           struct err *err)
{
	const struct traffic_driver *driver = traffic_driver_of(m);
	cleanup_buf struct buf body, patch;
	struct owned o = {.class = INTENT_SERVICE,
	                  .cache = CACHE_SERVICE,
	                  .name = x->name,
	                  .have = x->have,
	                  .taken_ok = x->front && !(driver && driver->front),
	                  .patch = KUBE_PATCH_STRATEGIC,
	                  .body = x->have ? &patch : &body};
	int port = x->revision ? port_of(op, m, x->revision) : port_of_all(op, m, plan);
	struct child_ports shows;
	struct intent *i;
	uint64_t ingredients, hash;

	buf_init(&body, CHILD_BODY_MAX);
	buf_init(&patch, CHILD_BODY_MAX);
	service_ports_of(ports, x->have, &shows);
	ingredients = service_ingredients(m, x, port, &shows);
	if (is_as_made(ks, m, ingredients, x->have) && service_ports_shown(x->have, &shows))
		return 0;
	if (write_service(m, x, port, &shows, &body, &hash))
		return err_set(err, ERR_TOO_BIG, "Service body too large");
	note_made(ks, m, ingredients, hash);
	if (x->have && x->have->apply_hash == hash && service_ports_shown(x->have, &shows))
		return 0;
	if (x->have && child_service_patch(x->have, &body, &patch))
		return err_set(err, ERR_TOO_BIG, "Service body too large");
	i = intent_own(op, t, m, ks, &o);
	if (i)
		i->front = x->front;
	return 0;
}

static int collect_services(struct mdep_operator *op, const struct rollout_snapshot *s,
                            const struct rollout_plan *plan, struct key_state *ks,
                            struct intents *t, struct service_ports *ports, struct err *err)
{
	struct cell_services services;

	list_services(op, s, plan, ks, t->arena, &services);
	plan_ports(op, s, &services, ks, t, ports);
	for (unsigned i = 0; i < services.n; i++)
		if (collect_service(op, t, s->mdep, plan, ks, &services.v[i], ports, err))
			return -1;
	return slow_start_collect(op, s->mdep, ks, &services, t, err);
}

/* --- ReplicaSets and pods ---------------------------------------------------------------- */

static int64_t revision_number(const struct rollout_plan *plan, const char *revision)
{
	const struct mdep_revision_status *r = mdep_revision_find(&plan->status, revision);

	return r ? r->number : 0;
}

/* Made, or with rs written anew as it was made. */
static int collect_whole(struct intents *t, const struct mdep *m, const struct rollout_plan *plan,
                         const struct rollout_cell_wish *c, const char *name,
                         const struct replicaset *rs, struct err *err)
{
	struct child_cell cell = {.zone = c->zone,
	                          .revision_no = revision_number(plan, c->revision),
	                          .replicas = c->replicas,
	                          .spec_writes = rs ? rs->meta.generation + 1 : 1};
	cleanup_buf struct buf body;
	struct intent *i;

	buf_init(&body, CHILD_BODY_MAX);
	if (child_replicaset(m, &cell, &body, err))
		return -1;
	i = intent_add(t, INTENT_WORKLOAD, CACHE_REPLICASET);
	i->what = arena_printf(t->arena, "%s ReplicaSet %s with %d pods", rs ? "restore" : "create",
	                       name, c->replicas);
	i->method = rs ? "PUT" : "POST";
	i->manager = TG_FM_WORKLOAD;
	i->path = path_of(t, CACHE_REPLICASET, m->meta.namespace, rs ? name : NULL, "");
	i->creates = rs ? NULL : arena_strdup(t->arena, name);
	intent_body(t, i, &body);
	return 0;
}

/*
 * Writes of the spec, this one included, if it is one. What others scaled is forgiven, because it
 * is undone here; what else they changed stays on record.
 */
static int64_t writes_after(const struct replicaset *rs, int replicas)
{
	int64_t n = rs->spec_writes, all = rs->meta.generation;
	bool scaled = rs->asked >= 0 && rs->asked != rs->replicas;

	if (!n || n > all || (scaled && n + 1 == all))
		n = all;
	return n + (rs->replicas != replicas);
}

static void collect_scale(struct intents *t, const struct mdep *m, const struct replicaset *rs,
                          int replicas)
{
	struct intent *i = intent_add(t, INTENT_WORKLOAD, CACHE_REPLICASET);

	i->what = arena_printf(t->arena, "scale ReplicaSet %s to %d", rs->meta.name, replicas);
	i->method = "PATCH";
	i->patch = KUBE_PATCH_MERGE;
	i->manager = TG_FM_WORKLOAD;
	i->path = path_of(t, CACHE_REPLICASET, m->meta.namespace, rs->meta.name, "");
	i->body = arena_printf(t->arena,
	                       "{\"metadata\":{\"annotations\":{\"%s\":\"%d\",\"%s\":\"%" PRId64
	                       "\"}},\"spec\":{\"replicas\":%d}}",
	                       TG_ANN_ASKED, replicas, TG_ANN_SPEC_WRITES,
	                       writes_after(rs, replicas), replicas);
	i->body_len = strlen(i->body);
}

/* As wished, or a write of ours that changed nothing has been counted. */
static bool is_as_wished(const struct replicaset *rs, const struct rollout_cell_wish *c)
{
	return rs->replicas == c->replicas && (rs->asked < 0 || rs->asked == c->replicas) &&
	       rs->spec_writes <= rs->meta.generation;
}

/* Of the cell, and of its revision when no other cell of it stays. */
static void collect_stale_services(struct mdep_operator *op, struct intents *t,
                                   const struct mdep *m, const struct rollout_plan *plan,
                                   const struct rollout_cell_wish *c)
{
	const char *names[] = {gateway_service_name(t->arena, m, c->revision, c->zone),
	                       gateway_service_name(t->arena, m, c->revision, "")};

	for (unsigned i = 0; i < (*c->zone ? 2 : 1); i++) {
		const struct object *o =
			store_get(&op->stores[CACHE_SERVICE], m->meta.namespace, names[i]);

		if (o && !(i == 1 && revision_kept(plan, plan->ncells, c->revision)))
			intent_delete(t, INTENT_CLEANUP, CACHE_SERVICE, o);
	}
}

static int collect_cell(struct mdep_operator *op, struct intents *t, const struct mdep *m,
                        const struct rollout_plan *plan, const struct rollout_cell_wish *c,
                        struct err *err)
{
	const char *name = gateway_service_name(t->arena, m, c->revision, c->zone);
	const struct replicaset *rs = (const struct replicaset *)store_get(
		&op->stores[CACHE_REPLICASET], m->meta.namespace, name);

	if (c->remove) {
		if (rs)
			intent_delete(t, INTENT_CLEANUP, CACHE_REPLICASET, &rs->meta);
		collect_stale_services(op, t, m, plan, c);
		return 0;
	}
	/* Only the spec's own revision can be made: the pod template of another is not known. */
	if (rs ? c->restore : str_eq(c->revision, m->revision))
		return collect_whole(t, m, plan, c, name, rs, err);
	if (rs && !is_as_wished(rs, c))
		collect_scale(t, m, rs, c->replicas);
	return 0;
}

/* Lowest deletion cost goes first; 0 is every other pod's. */
static void collect_pod(struct intents *t, const struct rollout_pod_wish *w, int64_t now_ms)
{
	const struct pod *p = w->pod;
	char stamp[CLOCK_RFC3339_MAX];
	struct intent *i = intent_add(t, INTENT_WORKLOAD, CACHE_POD);

	i->what = arena_printf(t->arena, "take pod %s %s service", p->meta.name,
	                       w->leave ? "out of" : "back into");
	i->method = "PATCH";
	i->patch = KUBE_PATCH_MERGE;
	i->manager = TG_FM_POD;
	i->path = path_of(t, CACHE_POD, p->meta.namespace, p->meta.name, "");
	i->body = w->leave ? arena_printf(t->arena,
	                                  "{\"metadata\":{\"uid\":\"%s\",\"labels\":{\"%s\":"
	                                  "\"false\"},\"annotations\":{\"%s\":\"%s\",\"%s\":"
	                                  "\"-1000\"}}}",
	                                  p->meta.uid, TG_LABEL_IN_SERVICE, TG_ANN_LEAVING_SINCE,
	                                  clock_format(now_ms, stamp), TG_ANN_DELETION_COST)
	                   : arena_printf(t->arena,
	                                  "{\"metadata\":{\"uid\":\"%s\",\"labels\":{\"%s\":"
	                                  "\"true\"},\"annotations\":{\"%s\":null,\"%s\":null}}}",
	                                  p->meta.uid, TG_LABEL_IN_SERVICE, TG_ANN_LEAVING_SINCE,
	                                  TG_ANN_DELETION_COST);
	i->body_len = strlen(i->body);
	i->missing_ok = true;
}

/* Not simply deleted: a budget holds for it, too. Ours lets pods go that are not Ready. */
static void collect_eviction(struct intents *t, const struct pod *p)
{
	cleanup_free char *body =
		eviction_body(p->meta.namespace, p->meta.name, p->meta.uid, false);
	struct intent *i = intent_add(t, INTENT_CLEANUP, CACHE_POD);

	i->what = arena_printf(t->arena, "evict pod %s", p->meta.name);
	i->method = "POST";
	i->manager = TG_FM_POD;
	i->path = path_of(t, CACHE_POD, p->meta.namespace, p->meta.name, "/eviction");
	i->body = arena_strdup(t->arena, body);
	i->body_len = strlen(i->body);
	i->missing_ok = true;
}

static void collect_retired(struct intents *t, const struct mdep *m, const char *deployment)
{
	struct intent *i;

	if (!deployment)
		return;
	i = intent_add(t, INTENT_CLEANUP, CACHE_DEPLOYMENT);
	i->what = arena_printf(t->arena, "scale Deployment %s to 0", deployment);
	i->method = "PATCH";
	i->patch = KUBE_PATCH_MERGE;
	i->manager = TG_FM_WORKLOAD;
	i->path = path_of(t, CACHE_DEPLOYMENT, m->meta.namespace, deployment, "/scale");
	i->body = "{\"spec\":{\"replicas\":0}}";
	i->body_len = strlen(i->body);
	i->missing_ok = true;
}

/* --- traffic ----------------------------------------------------------------------------- */

#define ROUTE_LATER_MS 500

static uint64_t add_route(uint64_t hash, const struct route *r)
{
	hash = add_text(hash, r ? r->meta.uid : NULL);
	return add_text(hash, r ? r->meta.resource_version : NULL);
}

/* All that an edit is made of but the time, on which those depend that ask to be looked at again.
 */
static uint64_t route_ingredients(const struct traffic_wish *w, const struct traffic_view *v)
{
	const struct mdep *m = w->mdep;
	uint64_t hash = add_mdep(STR_HASH_SEED, m);

	hash = add_number(add_number(hash, w->step ? w->step - m->steps : -1), w->port);
	hash = add_text(add_text(hash, w->target), w->stable);
	for (unsigned i = 0; i < w->nweights; i++) {
		hash = add_text(add_text(hash, w->weights[i].revision), w->weights[i].zone);
		hash = add_number(hash, w->weights[i].weight);
	}
	hash = add_number(add_text(add_route(hash, v->route), v->front), v->front_port);
	for (unsigned i = 0; i < TRAFFIC_BESIDE_MAX; i++)
		hash = add_route(hash, v->beside[i]);
	return hash;
}

static int collect_route(struct mdep_operator *op, const struct rollout_snapshot *s,
                         const struct rollout_plan *plan, struct key_state *ks, int port,
                         struct intents *t, struct err *err)
{
	const struct mdep *m = s->mdep;
	const struct traffic_driver *driver = traffic_driver_of(m);
	struct traffic_wish wish = traffic_wish(s, plan, port);
	struct traffic_view view;
	struct traffic_edit edit;
	struct intent *i;
	uint64_t hash;

	if (!driver)
		return 0;
	route_view(op, m, ks, s->now_ms, &view);
	hash = route_ingredients(&wish, &view);
	if (m->meta.generation && hash == ks->route_kept)
		return 0;
	if (driver->edit(&wish, &view, t->arena, &edit, err))
		return -1;
	ks->route_kept = edit.how == TRAFFIC_KEEP && !edit.later ? hash : 0;
	if (edit.later)
		look_again(t, ROUTE_LATER_MS);
	if (edit.how == TRAFFIC_DELETE)
		intent_delete(t, INTENT_TRAFFIC, route_cache(m), &edit.gone->meta);
	if (edit.how == TRAFFIC_KEEP || edit.how == TRAFFIC_DELETE)
		return 0;
	if (edit.want == ks->route_want)
		t->undone = arena_printf(t->arena, "%s %s was changed by somebody else: put back",
		                         driver->kind->kind, edit.name);
	i = intent_add(t, INTENT_TRAFFIC, route_cache(m));
	i->what = arena_printf(t->arena, "set weights of %s %s", driver->kind->kind, edit.name);
	i->method = "PATCH";
	i->patch = edit.how == TRAFFIC_APPLY ? KUBE_PATCH_APPLY : KUBE_PATCH_MERGE;
	i->manager = TG_FM_TRAFFIC;
	i->path = path_of(t, route_cache(m), m->meta.namespace, edit.name, "");
	i->body = edit.body;
	i->body_len = strlen(edit.body);
	i->want = edit.want;
	return 0;
}

const char *route_path(struct arena *a, const struct mdep *m)
{
	struct intents t = {.arena = a};

	return path_of(&t, route_cache(m), m->meta.namespace, m->route_name, "");
}

int intents_collect_status(const struct mdep *m, const struct mdep_status *next,
                           const struct key_state *ks, struct intents *out, struct err *err)
{
	return collect_status(out, m, next, ks, err);
}

int intents_collect(struct mdep_operator *op, const struct rollout_snapshot *s,
                    const struct rollout_plan *plan, struct key_state *ks, struct intents *out,
                    struct err *err)
{
	struct service_ports ports;

	if (collect_status(out, s->mdep, &plan->status, ks, err) ||
	    collect_services(op, s, plan, ks, out, &ports, err))
		return -1;
	for (unsigned i = 0; i < plan->npods; i++)
		if (plan->pods[i].evict)
			collect_eviction(out, plan->pods[i].pod);
		else
			collect_pod(out, &plan->pods[i], s->now_ms);
	for (unsigned i = 0; i < plan->ncells; i++)
		if (collect_cell(op, out, s->mdep, plan, &plan->cells[i], err))
			return -1;
	if (collect_budget(op, out, s->mdep, ks, err))
		return -1;
	collect_retired(out, s->mdep, plan->retire);
	return collect_route(op, s, plan, ks, ports.route, out, err);
}
