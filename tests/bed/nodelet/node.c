#include "node.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

#include "node_text.h"
#include "pod.h"
#include "raw.h"

#define BODY_MAX (64u << 10)
#define RETRY_MS 500

static struct kube_call *send_body(struct node *n, const char *method, const char *path,
                                   enum kube_patch patch, const struct buf *body,
                                   void (*on_done)(void *arg, const struct kube_response *r))
{
	struct kube_request req = {.method = method,
	                           .path = path,
	                           .patch = patch,
	                           .field_manager = "nodelet",
	                           .body = body->data,
	                           .body_len = body->len,
	                           .on_done = on_done,
	                           .arg = n};

	return kube_call(n->agent->client, &req);
}

/* --- registration ------------------------------------------------------------------------ */

static void on_labelled(void *arg, const struct kube_response *r);

static void registered(struct node *n)
{
	n->registered = true;
	log_info("node registered", LS("node", n->name));
	timer_start(&n->lease_timer, 0);
	timer_start(&n->status_timer, n->agent->options->status_ms);
}

static void on_created(void *arg, const struct kube_response *r)
{
	struct node *n = arg;
	cleanup_buf struct buf body;
	cleanup_free char *path = xasprintf("/api/v1/nodes/%s", n->name);

	buf_init(&body, BODY_MAX);
	n->register_call = NULL;
	if (r->err.class == ERR_NONE) {
		registered(n);
	} else if (r->err.class == ERR_EXISTS) {
		node_text_labels(n, &body);
		n->register_call =
			send_body(n, "PATCH", path, KUBE_PATCH_STRATEGIC, &body, on_labelled);
	} else {
		log_warn("cannot register the node", LS("node", n->name), LE(&r->err));
		timer_start(&n->status_timer, RETRY_MS);
	}
}

/* The node was there already: its status is ours now. */
static void on_labelled(void *arg, const struct kube_response *r)
{
	struct node *n = arg;

	n->register_call = NULL;
	if (r->err.class != ERR_NONE) {
		log_warn("cannot label the node", LS("node", n->name), LE(&r->err));
		timer_start(&n->status_timer, RETRY_MS);
		return;
	}
	registered(n);
	timer_start(&n->status_timer, 0);
}

static void register_node(struct node *n)
{
	cleanup_buf struct buf body;

	buf_init(&body, BODY_MAX);
	if (n->register_call)
		return;
	node_text_object(n, &body);
	n->register_call =
		send_body(n, "POST", "/api/v1/nodes", KUBE_PATCH_NONE, &body, on_created);
}

/* --- status ------------------------------------------------------------------------------ */

static void on_status(void *arg, const struct kube_response *r)
{
	struct node *n = arg;

	n->status_call = NULL;
	if (r->err.class == ERR_NONE)
		return;
	if (r->err.class == ERR_NOT_FOUND)
		n->registered = false; /* somebody deleted it */
	log_warn("cannot write the node's status", LS("node", n->name), LE(&r->err));
	timer_start(&n->status_timer, RETRY_MS);
}

static void write_status(void *arg)
{
	struct node *n = arg;
	cleanup_buf struct buf body;
	cleanup_free char *path = xasprintf("/api/v1/nodes/%s/status", n->name);

	buf_init(&body, BODY_MAX);
	if (!n->registered) {
		register_node(n);
		return;
	}
	timer_start(&n->status_timer, n->agent->options->status_ms);
	if (n->status_call)
		return;
	node_text_status(n, &body);
	n->status_call = send_body(n, "PATCH", path, KUBE_PATCH_STRATEGIC, &body, on_status);
}

/* --- lease ------------------------------------------------------------------------------- */

static void on_lease(void *arg, const struct kube_response *r)
{
	struct node *n = arg;

	n->lease_call = NULL;
	if (r->err.class == ERR_NONE || r->err.class == ERR_EXISTS) {
		n->lease_exists = true;
		/* Nobody heard from us for a while: say at once that the node is there. */
		if (n->lease_failing)
			timer_start(&n->status_timer, 0);
		n->lease_failing = false;
		/* One that an agent before us left behind is old: renewed at once. */
		timer_start(&n->lease_timer,
		            r->err.class == ERR_EXISTS ? 0 : n->agent->options->lease_ms);
		return;
	}
	if (r->err.class == ERR_NOT_FOUND)
		n->lease_exists = false;
	else if (!n->lease_failing)
		log_warn("cannot renew the node's lease", LS("node", n->name), LE(&r->err));
	n->lease_failing = r->err.class != ERR_NOT_FOUND;
	timer_start(&n->lease_timer, r->err.class == ERR_NOT_FOUND ? 50 : RETRY_MS);
}

static void renew_lease(void *arg)
{
	struct node *n = arg;
	static const char leases[] =
		"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
	cleanup_free char *path = xasprintf("%s/%s", leases, n->name);
	cleanup_buf struct buf body;

	buf_init(&body, BODY_MAX);
	if (n->lease_call)
		return;
	node_text_lease(n, !n->lease_exists, &body);
	n->lease_call = n->lease_exists
	                        ? send_body(n, "PATCH", path, KUBE_PATCH_MERGE, &body, on_lease)
	                        : send_body(n, "POST", leases, KUBE_PATCH_NONE, &body, on_lease);
}

/* --- watches ----------------------------------------------------------------------------- */

static struct pod *find_pod(const struct node *n, const char *uid)
{
	struct list *l;

	list_for_each (l, (struct list *)&n->pods) {
		struct pod *p = list_entry(l, struct pod, link);

		if (str_eq(p->uid, uid))
			return p;
	}
	return NULL;
}

static void on_pod_event(void *arg, const struct store_event *ev)
{
	struct node *n = arg;
	const struct raw_object *raw = (const struct raw_object *)ev->object;
	struct pod *p = find_pod(n, raw->meta.uid);

	if (ev->change == STORE_DELETED) {
		if (p)
			pod_object_gone(p);
	} else if (p) {
		pod_update(p, raw);
	} else {
		pod_new(n, raw);
	}
}

static bool reported_ready(const struct node *n)
{
	const struct json *it;

	json_for_each (it, json_path(n->object, "status", "conditions", NULL)) {
		if (str_eq(json_str(it, "type"), "Ready"))
			return str_eq(json_str(it, "status"), "True");
	}
	return false;
}

static void on_node_event(void *arg, const struct store_event *ev)
{
	struct node *n = arg;
	const struct raw_object *raw = (const struct raw_object *)ev->object;
	struct err err = ERR_INIT;
	struct list *l;

	if (ev->change == STORE_DELETED) {
		n->object = NULL;
		return;
	}
	arena_reset(&n->arena);
	n->object = json_parse(&n->arena, raw->json, strlen(raw->json), &err);
	/* Node lifecycle declares a node unknown that it did not hear from. */
	if (n->registered && !n->status_call && !reported_ready(n)) {
		n->ready_since_ms = clock_wall_ms();
		timer_start(&n->status_timer, 0);
	}
	list_for_each (l, &n->pods)
		pod_kick(list_entry(l, struct pod, link));
}

static struct reflector *watch(struct node *n, struct store *s, const struct object_kind *kind,
                               store_handler fn, const char *selector)
{
	struct reflector_options o = {.field_selector = selector};
	struct reflector *r;

	store_init(s, kind);
	store_add_handler(s, fn, n);
	r = reflector_new(n->agent->client, s, &o);
	reflector_start(r);
	return r;
}

/* --- life -------------------------------------------------------------------------------- */

struct node *node_new(struct agent *a, unsigned index)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->agent = a;
	n->name = xasprintf("%s-%u", a->options->node_prefix, index + 1);
	ips_node(&a->ips, index, n->ip);
	list_init(&n->pods);
	map_init(&n->pulled);
	arena_init(&n->arena, 0);
	timer_init(&n->lease_timer, a->loop, renew_lease, n);
	timer_init(&n->status_timer, a->loop, write_status, n);
	return n;
}

void node_start(struct node *n)
{
	cleanup_free char *by_node = xasprintf("spec.nodeName=%s", n->name);
	cleanup_free char *by_name = xasprintf("metadata.name=%s", n->name);

	n->ready_since_ms = clock_wall_ms();
	register_node(n);
	n->node_reflector = watch(n, &n->node_store, &raw_nodes, on_node_event, by_name);
	n->pod_reflector = watch(n, &n->pod_store, &raw_pods, on_pod_event, by_node);
}

static void cancel(struct kube_call **call)
{
	if (*call)
		kube_cancel(*call);
	*call = NULL;
}

void node_stop(struct node *n)
{
	if (!n->pod_reflector)
		return;
	reflector_free(n->pod_reflector);
	reflector_free(n->node_reflector);
	n->pod_reflector = n->node_reflector = NULL;
	store_release(&n->pod_store);
	store_release(&n->node_store);
	cancel(&n->register_call);
	cancel(&n->lease_call);
	cancel(&n->status_call);
	timer_stop(&n->lease_timer);
	timer_stop(&n->status_timer);
	n->registered = n->lease_exists = false;
	n->object = NULL;
	while (!list_empty(&n->pods))
		pod_destroy(list_entry(n->pods.next, struct pod, link));
}

void node_free(struct node *n)
{
	node_stop(n);
	timer_release(&n->lease_timer);
	timer_release(&n->status_timer);
	map_release(&n->pulled, NULL);
	arena_release(&n->arena);
	free(n->name);
	free(n);
}

void node_power_off(struct node *n)
{
	n->down = true;
	node_stop(n);
}

void node_power_on(struct node *n)
{
	if (!n->down)
		return;
	n->down = false;
	node_start(n);
}

void node_lose_cards(struct node *n, int64_t cards)
{
	n->lost_cards = cards;
	timer_start(&n->status_timer, 0);
}

static int own_amounts(const struct node *n, struct resources *out, struct err *err)
{
	const struct options *o = n->agent->options;
	int64_t cpu, memory, gpus = o->gpus > n->lost_cards ? o->gpus - n->lost_cards : 0;

	if (quantity_parse_milli(o->cpu, &cpu, err) || quantity_parse(o->memory, &memory, err) ||
	    resources_set(out, "cpu", cpu, err) || resources_set(out, "memory", memory, err) ||
	    resources_set(out, "pods", o->max_pods, err))
		return -1;
	return o->gpus > 0 ? resources_set(out, o->gpu_resource, gpus, err) : 0;
}

int node_allocatable(const struct node *n, struct resources *out, struct err *err)
{
	const struct json *reported = json_path(n->object, "status", "allocatable", NULL);

	if (resources_parse(out, reported, err))
		return -1;
	return own_amounts(n, out, err);
}
