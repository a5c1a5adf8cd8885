#include "pod.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#include "status.h"

static const struct json *parse(struct arena *a, const struct raw_object *raw)
{
	struct err err = ERR_INIT;
	const struct json *json;

	arena_reset(a);
	json = json_parse(a, raw->json, strlen(raw->json), &err);
	if (!json)
		log_error("cannot read a pod back", LS("name", raw->meta.name), LE(&err));
	return json;
}

static enum restart_policy restart_policy_of(const struct json *spec)
{
	const char *text = json_str(spec, "restartPolicy");

	if (str_eq(text, "Never"))
		return RESTART_NEVER;
	return str_eq(text, "OnFailure") ? RESTART_ON_FAILURE : RESTART_ALWAYS;
}

static void add_container(struct pod *p, const struct json *json, bool init)
{
	struct container *c = &p->containers[p->ncontainers++];
	const char *list = init ? "initContainerStatuses" : "containerStatuses";
	const struct json *it;
	struct err err = ERR_INIT;

	if (container_init(c, p, json, init, &err))
		xstr_replace(&p->unsupported, err.msg);
	json_for_each (it, json_path(p->live, "status", list, NULL)) {
		if (str_eq(json_str(it, "name"), c->name))
			container_adopt(c, it);
	}
}

static void add_containers(struct pod *p)
{
	const struct json *init = json_get(p->spec, "initContainers"), *it;
	const struct json *apps = json_get(p->spec, "containers");

	p->ninit = (unsigned)json_size(init);
	p->containers = xcalloc(p->ninit + json_size(apps), sizeof(*p->containers));
	json_for_each (it, init)
		add_container(p, it, true);
	json_for_each (it, apps)
		add_container(p, it, false);
}

static void refs_changed(void *arg)
{
	pod_kick(arg);
}

static void read_live(struct pod *p, const struct raw_object *raw)
{
	p->live = parse(&p->live_arena, raw);
	p->deleting = raw->meta.deleted_ms != 0;
}

static void adopt_start(struct pod *p)
{
	const char *start = json_str(json_get(p->live, "status"), "startTime");
	const char *phase = json_str(json_get(p->live, "status"), "phase");

	if (start && clock_parse(start, &p->start_ms))
		p->start_ms = 0;
	p->settled_before = str_eq(phase, "Failed") || str_eq(phase, "Succeeded");
}

struct pod *pod_new(struct node *n, const struct raw_object *raw)
{
	struct pod *p = xcalloc(1, sizeof(*p));

	p->agent = n->agent;
	p->node = n;
	p->namespace = xstrdup(raw->meta.namespace);
	p->name = xstrdup(raw->meta.name);
	p->uid = xstrdup(raw->meta.uid);
	p->dir = xasprintf("%s/pods/%s", n->agent->options->state_dir, p->uid);
	if (mkdir(p->dir, 0755) && errno != EEXIST)
		log_error("cannot make a pod's folder", LS("path", p->dir));
	arena_init(&p->spec_arena, 0);
	arena_init(&p->live_arena, 0);
	p->spec = json_get(parse(&p->spec_arena, raw), "spec");
	read_live(p, raw);
	p->restart_policy = restart_policy_of(p->spec);
	refs_init(&p->refs, n->agent->client, p->namespace, refs_changed, p);
	adopt_start(p);
	add_containers(p);
	status_init(p);
	pod_deadline_init(p);
	list_push_back(&n->pods, &p->link);
	pod_kick(p);
	return p;
}

void pod_update(struct pod *p, const struct raw_object *raw)
{
	read_live(p, raw);
	status_compare_live(p, raw);
	pod_kick(p);
}

void pod_object_gone(struct pod *p)
{
	p->gone = true;
	pod_kick(p);
}

void pod_kick(struct pod *p)
{
	if (p->sync_queued || p->dead)
		return;
	p->sync_queued = true;
	loop_defer(p->agent->loop, pod_sync, p);
}

void pod_destroy(struct pod *p)
{
	for (unsigned i = 0; i < p->ncontainers; i++)
		container_kill(&p->containers[i]);
	pod_free(p);
}

static void release(void *arg)
{
	struct pod *p = arg;

	for (unsigned i = 0; i < p->ncontainers; i++)
		container_release(&p->containers[i]);
	status_release(p);
	timer_release(&p->deadline_timer);
	refs_release(&p->refs);
	arena_release(&p->spec_arena);
	arena_release(&p->live_arena);
	free(p->containers);
	free(p->namespace);
	free(p->name);
	free(p->uid);
	free(p->dir);
	free(p->unsupported);
	free(p->failure_reason);
	free(p->failure_message);
	free(p);
}

void pod_free(struct pod *p)
{
	if (p->dead)
		return;
	p->dead = true;
	list_remove(&p->link);
	if (p->owns_ip)
		ips_give(&p->agent->ips, p->ip);
	status_stop(p);
	/* Behind a pod_sync() that may be queued already. */
	loop_defer(p->agent->loop, release, p);
}

bool pod_counts(const struct pod *p)
{
	return p->stage != POD_NEW && p->stage != POD_DONE;
}
