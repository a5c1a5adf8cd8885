/*
 * Frames to changes of the store. One object at a time: its JSON tree lives in an arena that
 * is reset before the next.
 */
#include "reflector_priv.h"

#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define END_MARKER "k8s.io/initial-events-end"
/* As API servers write it. */
#define CHANGE_HEAD    "{\"type\":\"MODIFIED\",\"object\":"
#define NAME_MAX_BYTES 256

/* --- one object -------------------------------------------------------------------------- */

static const char *object_rv(const struct json *json)
{
	return json_str(json_get(json, "metadata"), "resourceVersion");
}

/* "ns/name" in the arena; NULL when it has no name. */
static char *object_key(struct reflector *r, const struct json *json)
{
	const struct json *meta = json_get(json, "metadata");
	const char *ns = json_str(meta, "namespace"), *name = json_str(meta, "name");

	if (str_empty(name))
		return NULL;
	if (str_empty(ns))
		return arena_strdup(r->arena, name);
	return arena_printf(r->arena, "%s/%s", ns, name);
}

static void skip(struct reflector *r, const struct json *json, const struct err *err)
{
	const struct json *meta = json_get(json, "metadata");

	metric_add(r->m.decode_errors, 1);
	log_warn("object skipped: it could not be decoded", LS("resource", r->resource),
	         LS("namespace", str_or(json_str(meta, "namespace"), "")),
	         LS("name", str_or(json_str(meta, "name"), "")), LS("error", err->msg));
}

/*
 * Items of built-in kinds carry neither kind nor apiVersion; what is said must be right, since
 * some proxies and old servers answer with a Table or another version (k8s#132926).
 */
static int check_kind(const struct reflector *r, const struct json *json, struct err *err)
{
	const char *kind = json_str(json, "kind"), *version = json_str(json, "apiVersion");

	if (!str_empty(kind) && !str_eq(kind, r->kind->kind))
		return err_set(err, ERR_PROTOCOL, "got a %.64s where a %s was expected", kind,
		               r->kind->kind);
	if (!str_empty(version) && !str_eq(version, r->api_version))
		return err_set(err, ERR_PROTOCOL, "got version %.64s where %s was expected",
		               version, r->api_version);
	return 0;
}

/* The projection of an object; NULL when it was skipped, and told. */
static struct object *project(struct reflector *r, const struct json *json)
{
	struct err err = ERR_INIT;
	struct object *o = NULL;

	if (!json_is_object(json))
		err_set(&err, ERR_PROTOCOL, "it is no JSON object");
	else if (check_kind(r, json, &err) == 0 && object_meta_check(json, &err) == 0)
		o = r->kind->decode(json, r->arena, &err);
	if (!o)
		skip(r, json, &err);
	return o;
}

/* --- list -------------------------------------------------------------------------------- */

static int on_item(struct reflector *r, const char *text, size_t len)
{
	struct err err = ERR_INIT;
	const struct json *json = json_parse_object(r->arena, text, len, &err);
	struct object *o;
	const char *key;

	if (!json) { /* e.g. nested too deep; the list as such is sound */
		skip(r, NULL, &err);
		return 0;
	}
	o = project(r, json);
	key = object_key(r, json);
	if (o)
		store_replace_put(r->replace, o);
	else if (key)
		store_replace_keep(r->replace, key);
	return 0;
}

static int on_tail(struct reflector *r, const char *text, size_t len, struct err *err)
{
	const struct json *json = json_parse(r->arena, text, len, NULL), *meta;
	const char *kind, *rv;

	if (!json)
		return err_set(err, ERR_PROTOCOL, "the list cannot be parsed");
	kind = json_str(json, "kind");
	if (str_eq(kind, "Status")) {
		kube_classify(0, 0, text, len, err);
		return -1;
	}
	if (str_empty(kind) || str_eq(kind, "Table") || !json_has(json, "items"))
		return err_set(err, ERR_PROTOCOL, "the answer is a %.64s and no list",
		               str_empty(kind) ? "nameless object" : kind);
	meta = json_get(json, "metadata");
	rv = json_str(meta, "resourceVersion");
	if (str_empty(rv) || str_eq(rv, "0"))
		return err_set(err, ERR_PROTOCOL, "the list has no resourceVersion");
	xstr_replace(&r->list_rv, rv);
	rv = json_str(meta, "continue");
	xstr_replace(&r->continue_token, str_empty(rv) ? NULL : rv);
	return 0;
}

/* --- watch ------------------------------------------------------------------------------- */

/* Only forward: an event that was sent twice must not take the watch back. */
static void advance(struct reflector *r, const char *rv)
{
	if (str_empty(rv) || rv_cmp(rv, r->store->last_rv) <= 0)
		return;
	store_set_rv(r->store, rv);
	r->progress = true;
}

static int on_put(struct reflector *r, const struct json *json, struct err *err)
{
	struct object *o = project(r, json);
	const char *key = object_key(r, json);

	(void)err;
	if (r->phase == RP_WATCH_LIST) {
		/* Initial events come in no order: their versions say nothing about the whole. */
		if (o)
			store_replace_put(r->replace, o);
		else if (key)
			store_replace_keep(r->replace, key);
		return 0;
	}
	if (o)
		store_put(r->store, o);
	advance(r, object_rv(json));
	return 0;
}

static int on_deleted(struct reflector *r, const struct json *json, struct err *err)
{
	struct object *o = project(r, json);
	const char *key = object_key(r, json);
	cleanup_free char *own = xstrdup_null(o ? o->key : key);

	(void)err;
	if (!own)
		return 0;
	if (r->phase == RP_WATCH_LIST) {
		store_replace_remove(r->replace, own, o);
		return 0;
	}
	store_remove(r->store, own, o);
	advance(r, object_rv(json));
	return 0;
}

static int on_bookmark(struct reflector *r, const struct json *json, struct err *err)
{
	const struct json *notes = json_path(json, "metadata", "annotations", NULL);
	const char *rv = object_rv(json);

	if (r->phase != RP_WATCH_LIST) {
		advance(r, rv);
		return 0;
	}
	if (!str_eq(json_str(notes, END_MARKER), "true"))
		return 0;
	if (str_empty(rv))
		return err_set(err, ERR_PROTOCOL, "the end of the list has no resourceVersion");
	reflector_initial_events_end(r, rv);
	return 0;
}

/* The object is a Status; as text again, because that is what the classifier reads. */
static int on_error(struct reflector *r, const struct json *json, struct err *err)
{
	struct buf text;

	(void)r;
	buf_init(&text, FRAME_MAX_DEFAULT);
	if (json && json_write_value(&text, json) == 0)
		kube_classify(0, 0, text.data, text.len, err);
	buf_release(&text);
	if (err->class == ERR_NONE)
		err_set(err, ERR_PROTOCOL, "an ERROR event without a Status");
	return -1;
}

static const struct {
	const char *type;
	int (*fn)(struct reflector *r, const struct json *json, struct err *err);
} events[] = {
	{"ADDED", on_put},         {"MODIFIED", on_put}, {"DELETED", on_deleted},
	{"BOOKMARK", on_bookmark}, {"ERROR", on_error},
};

/* A change of the object of which only versions are told. In another form it is decoded. */
static bool is_version_only(const struct reflector *r, const char *text, size_t len, char *rv,
                            size_t size)
{
	const char *object = text + strlen(CHANGE_HEAD);
	char name[NAME_MAX_BYTES];

	if (!r->known_name || r->phase != RP_WATCH || len <= strlen(CHANGE_HEAD) ||
	    memcmp(text, CHANGE_HEAD, strlen(CHANGE_HEAD)))
		return false;
	len -= strlen(CHANGE_HEAD);
	return object_scan_name(object, len, name, sizeof(name)) && str_eq(name, r->known_name) &&
	       object_scan_rv(object, len, rv, size);
}

static void on_version(struct reflector *r, const char *rv)
{
	if (rv_cmp(rv, r->store->last_rv) > 0)
		r->on_version(r->on_version_arg, rv);
	advance(r, rv);
	reflector_alive(r);
}

static int on_event(struct reflector *r, const char *text, size_t len, struct err *err)
{
	const struct json *json;
	const char *type;
	char rv[NAME_MAX_BYTES];

	if (is_version_only(r, text, len, rv, sizeof(rv))) {
		on_version(r, rv);
		return 0;
	}
	json = json_parse_object(r->arena, text, len, NULL);
	type = json_str(json, "type");
	if (!json)
		return err_set(err, ERR_PROTOCOL, "a watch event cannot be parsed");
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		if (!str_eq(type, events[i].type))
			continue;
		if (events[i].fn(r, json_get(json, "object"), err) < 0)
			return -1;
		reflector_alive(r);
		return 0;
	}
	return err_set(err, ERR_PROTOCOL, "watch event of unknown type \"%.32s\"",
	               str_or(type, ""));
}

int reflector_on_frame(void *arg, enum frame_part part, const char *json, size_t len,
                       struct err *err)
{
	struct reflector *r = arg;
	int rc = -1;

	switch (part) {
	case FRAME_ITEM:
		rc = on_item(r, json, len);
		break;
	case FRAME_TAIL:
		rc = on_tail(r, json, len, err);
		break;
	case FRAME_OBJECT:
		rc = on_event(r, json, len, err);
		break;
	}
	arena_reset(r->arena);
	return rc;
}
