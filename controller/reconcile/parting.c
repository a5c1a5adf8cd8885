/*
 * The last thing done for a ModelDeployment that is deleted: a route of its user's that carries our
 * weights gets back the Service that it named, because the Services of the cells go with their
 * owner. There is no finalizer: an operator that is away must not keep anybody from deleting, and
 * requests have nowhere to go then anyway. It is tried for a while, by whoever leads.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/driver.h"

#define TRIES    6
#define RETRY_MS 2000

struct parting {
	struct list link;
	struct mdep_operator *op;
	struct arena arena;
	struct mdep m; /* as much of it as names its route */
	struct timer again;
	struct kube_call *call;
	int tries;
};

static void parting_free(struct parting *p)
{
	list_remove(&p->link);
	if (p->call)
		kube_cancel(p->call);
	timer_release(&p->again);
	arena_release(&p->arena);
	free(p);
}

static void on_written(void *arg, const struct kube_response *r)
{
	struct parting *p = arg;

	p->call = NULL;
	if (r->err.class == ERR_NONE)
		log_info("route given back", LS("key", p->m.meta.key),
		         LS("route", p->m.route_name));
	else if (r->err.class != ERR_NOT_FOUND && ++p->tries < TRIES) {
		timer_start(&p->again, RETRY_MS);
		return;
	} else {
		log_warn("route was not given back", LS("key", p->m.meta.key), LE(&r->err));
	}
	parting_free(p);
}

/* Computed anew each time: the version guards it. False: there is nothing to give back. */
static bool send(struct parting *p)
{
	const struct traffic_driver *driver = traffic_driver_of(&p->m);
	enum cache cache = route_cache(&p->m);
	struct traffic_wish wish = {.mdep = &p->m, .port = p->m.service_port, .parting = true};
	struct traffic_view view = {.route = (const struct route *)store_get(&p->op->stores[cache],
	                                                                     p->m.meta.namespace,
	                                                                     p->m.route_name)};
	struct traffic_edit edit = {.how = TRAFFIC_KEEP};
	cleanup_arena struct arena a;
	struct kube_request req = {.method = "PATCH",
	                           .patch = KUBE_PATCH_MERGE,
	                           .field_manager = TG_FM_TRAFFIC,
	                           .on_done = on_written,
	                           .arg = p,
	                           .max_body = 4u << 20};

	arena_init(&a, 16384);
	if (!view.route || driver->edit(&wish, &view, &a, &edit, NULL) || edit.how != TRAFFIC_PATCH)
		return false;
	req.path = route_path(&a, &p->m);
	req.body = edit.body;
	req.body_len = strlen(edit.body);
	p->call = kube_call(p->op->client, &req);
	return true;
}

static void on_again(void *arg)
{
	struct parting *p = arg;

	if (!p->op->working || !send(p))
		parting_free(p);
}

/* Its name is taken again: whoever has it now says what the route carries. */
void parting_forget(struct mdep_operator *op, const char *key)
{
	struct list *it, *tmp;

	list_for_each_safe (it, tmp, &op->partings) {
		struct parting *p = list_entry(it, struct parting, link);

		if (!key || str_eq(p->m.meta.key, key))
			parting_free(p);
	}
}

void parting_begin(struct mdep_operator *op, const struct mdep *m)
{
	const struct traffic_driver *driver = traffic_driver_of(m);
	struct parting *p;

	if (!op->working || !driver || mdep_route_is_ours(m))
		return;
	p = xcalloc(1, sizeof(*p));
	p->op = op;
	arena_init(&p->arena, 1024);
	p->m = (struct mdep){
		.meta.namespace = arena_strdup(&p->arena, m->meta.namespace),
		.meta.name = arena_strdup(&p->arena, m->meta.name),
		.meta.key = arena_strdup(&p->arena, m->meta.key),
		.traffic = m->traffic,
		.route_name = arena_strdup(&p->arena, m->route_name),
		.http_route = arena_strdup(&p->arena, m->http_route),
		.service_port = m->service_port,
	};
	timer_init(&p->again, op->loop, on_again, p);
	list_push_back(&op->partings, &p->link);
	if (!send(p))
		parting_free(p);
}
