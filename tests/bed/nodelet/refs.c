#include "refs.h"

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#include "volumes.h"

#define RETRY_MS 2000

struct ref {
	struct list link;
	struct refs *refs;
	bool secret;
	char *name;
	enum ref_state state;
	struct arena arena;
	const struct json *object;
	struct kube_call *call;
};

static void ask_missing(void *arg);

void refs_init(struct refs *r, struct kube_client *c, const char *namespace,
               void (*changed)(void *arg), void *arg)
{
	*r = (struct refs){.client = c, .namespace = namespace, .changed = changed, .arg = arg};
	list_init(&r->all);
	timer_init(&r->retry, kube_client_loop(c), ask_missing, r);
}

void refs_release(struct refs *r)
{
	struct list *l;

	while ((l = list_pop_front(&r->all))) {
		struct ref *ref = list_entry(l, struct ref, link);

		if (ref->call)
			kube_cancel(ref->call);
		arena_release(&ref->arena);
		free(ref->name);
		free(ref);
	}
	timer_release(&r->retry);
}

static void answered(void *arg, const struct kube_response *resp)
{
	struct ref *ref = arg;
	struct err err = ERR_INIT;

	ref->call = NULL;
	arena_reset(&ref->arena);
	ref->object = NULL;
	if (resp->err.class == ERR_NONE)
		ref->object = json_parse(&ref->arena, resp->body, resp->body_len, &err);
	ref->state = ref->object ? REF_FOUND : REF_MISSING;
	if (!ref->object)
		timer_start(&ref->refs->retry, RETRY_MS);
	ref->refs->changed(ref->refs->arg);
}

static void ask(struct ref *ref)
{
	cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/%s/%s", ref->refs->namespace,
	                                    ref->secret ? "secrets" : "configmaps", ref->name);
	struct kube_request req = {.method = "GET", .path = path, .on_done = answered, .arg = ref};

	if (!ref->call)
		ref->call = kube_call(ref->refs->client, &req);
}

static void ask_missing(void *arg)
{
	struct refs *r = arg;
	struct list *l;

	list_for_each (l, &r->all) {
		struct ref *ref = list_entry(l, struct ref, link);

		if (ref->state == REF_MISSING)
			ask(ref);
	}
}

static struct ref *find(const struct refs *r, bool secret, const char *name)
{
	struct list *l;

	list_for_each (l, (struct list *)&r->all) {
		struct ref *ref = list_entry(l, struct ref, link);

		if (ref->secret == secret && str_eq(ref->name, name))
			return ref;
	}
	return NULL;
}

/* json: an object whose `key` is the name; NULL when the field is not there. */
static void add(struct refs *r, bool secret, const struct json *json, const char *key)
{
	const char *name = json_str(json, key);
	struct ref *ref;

	if (str_empty(name) || find(r, secret, name))
		return;
	ref = xcalloc(1, sizeof(*ref));
	*ref = (struct ref){.refs = r, .secret = secret, .name = xstrdup(name)};
	arena_init(&ref->arena, 0);
	list_push_back(&r->all, &ref->link);
	ask(ref);
}

static void add_container(struct refs *r, const struct json *container)
{
	const struct json *e;

	json_for_each (e, json_get(container, "env")) {
		const struct json *from = json_get(e, "valueFrom");

		add(r, false, json_get(from, "configMapKeyRef"), "name");
		add(r, true, json_get(from, "secretKeyRef"), "name");
	}
	json_for_each (e, json_get(container, "envFrom")) {
		add(r, false, json_get(e, "configMapRef"), "name");
		add(r, true, json_get(e, "secretRef"), "name");
	}
}

static void add_volume(struct refs *r, const struct json *volume)
{
	const struct json *source;

	if (volume_is_service_account(volume))
		return;
	add(r, false, json_get(volume, "configMap"), "name");
	add(r, true, json_get(volume, "secret"), "secretName");
	json_for_each (source, json_path(volume, "projected", "sources", NULL)) {
		add(r, false, json_get(source, "configMap"), "name");
		add(r, true, json_get(source, "secret"), "name");
	}
}

void refs_collect(struct refs *r, const struct json *pod_spec)
{
	const struct json *it;

	json_for_each (it, json_get(pod_spec, "initContainers"))
		add_container(r, it);
	json_for_each (it, json_get(pod_spec, "containers"))
		add_container(r, it);
	json_for_each (it, json_get(pod_spec, "volumes"))
		add_volume(r, it);
}

bool refs_pending(const struct refs *r)
{
	struct list *l;

	list_for_each (l, (struct list *)&r->all) {
		if (list_entry(l, struct ref, link)->state == REF_PENDING)
			return true;
	}
	return false;
}

const struct json *refs_get(const struct refs *r, bool secret, const char *name)
{
	const struct ref *ref = find(r, secret, name);

	return ref ? ref->object : NULL;
}
