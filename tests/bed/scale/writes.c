#include "writes.h"

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"

#include "manifest.h"

#define BODY_MAX 65536

struct write_item {
	struct writes *writes;
	unsigned i;
};

int64_t written_generation(const struct kube_response *r)
{
	cleanup_arena struct arena a;
	const struct json *object;

	arena_init(&a, 16384);
	object = json_parse(&a, r->body, r->body_len, NULL);
	return json_i64(json_get(object, "metadata"), "generation", 0);
}

static void on_answer(void *arg, const struct kube_response *r)
{
	struct write_item *item = arg;
	struct writes *w = item->writes;

	w->answered++;
	w->last_us = session_now_us();
	if (!w->first_us)
		w->first_us = w->last_us;
	if (r->err.class != ERR_NONE) {
		if (!w->failed++)
			w->first_failure = r->err;
	} else if (w->fleet) {
		fleet_written(w->fleet, item->i, written_generation(r));
	}
	session_look(w->session);
}

static void write_request(const struct options *o, unsigned i, const char *version,
                          struct kube_request *req, char *path, struct buf *body)
{
	req->path = manifest_path(o, i, path);
	if (o->verb == VERB_CREATE) {
		req->method = "POST";
		req->path = manifest_collection(o, i, path);
		manifest_body(o, i, body);
	} else if (o->verb == VERB_DELETE) {
		req->method = "DELETE";
	} else {
		req->method = "PATCH";
		req->patch = KUBE_PATCH_MERGE;
		manifest_change(version, body);
	}
	if (body->len) {
		req->body = body->data;
		req->body_len = body->len;
	}
}

void write_one(struct session *s, unsigned i, const char *version,
               void (*on_done)(void *arg, const struct kube_response *r), void *arg)
{
	struct kube_request req = {.on_done = on_done, .arg = arg, .timeout_ms = 60000};
	char path[MANIFEST_PATH_MAX];
	cleanup_buf struct buf body;

	buf_init(&body, BODY_MAX);
	write_request(s->o, i, version, &req, path, &body);
	kube_call(s->client, &req);
}

void writes_start(struct writes *w, struct session *s, struct fleet *f)
{
	*w = (struct writes){.session = s,
	                     .fleet = f,
	                     .count = (unsigned)s->o->count,
	                     .began_us = session_now_us()};
	w->items = xcalloc(w->count, sizeof(*w->items));
	for (unsigned i = 0; i < w->count; i++) {
		w->items[i] = (struct write_item){w, i};
		write_one(s, i, s->o->version, on_answer, &w->items[i]);
	}
}

void writes_release(struct writes *w)
{
	free(w->items);
}
