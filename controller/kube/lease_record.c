/* The Lease object as JSON. */
#include "lease_record.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define LEASE_DURATION_MAX_S 3600 /* a record that says more must not lock everybody out */

void lease_record_init(struct lease_record *r)
{
	*r = (struct lease_record){.holder = "", .acquire_time = "", .renew_time = ""};
	arena_init(&r->arena, 0);
}

void lease_record_release(struct lease_record *r)
{
	arena_release(&r->arena);
}

bool lease_record_equal(const struct lease_record *a, const struct lease_record *b)
{
	return str_eq(a->holder, b->holder) && str_eq(a->acquire_time, b->acquire_time) &&
	       str_eq(a->renew_time, b->renew_time) && a->duration_s == b->duration_s &&
	       a->transitions == b->transitions;
}

int lease_record_decode(struct lease_record *r, const char *json, size_t len, struct err *err)
{
	struct arena arena cleanup_arena;
	const struct json *root, *spec;

	arena_init(&arena, 0);
	root = json_parse_object(&arena, json, len, err);
	if (!root)
		return err_wrap(err, "lease");
	if (!str_eq(json_str(root, "kind"), "Lease") || !json_is_object(json_get(root, "metadata")))
		return err_set(err, ERR_PROTOCOL, "the answer is not a Lease");
	arena_release(&r->arena);
	r->arena = arena;
	r->object = root;
	arena_init(&arena, 0);
	spec = json_get(root, "spec");
	r->holder = str_or(json_str(spec, "holderIdentity"), "");
	r->acquire_time = str_or(json_str(spec, "acquireTime"), "");
	r->renew_time = str_or(json_str(spec, "renewTime"), "");
	r->duration_s = json_i64(spec, "leaseDurationSeconds", 0);
	if (r->duration_s > LEASE_DURATION_MAX_S)
		r->duration_s = LEASE_DURATION_MAX_S;
	r->transitions = json_i64(spec, "leaseTransitions", 0);
	return 0;
}

static bool is_ours(const char *key)
{
	static const char *const keys[] = {"holderIdentity", "acquireTime", "renewTime",
	                                   "leaseDurationSeconds", "leaseTransitions"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (str_eq(keys[i], key))
			return true;
	}
	return false;
}

static void write_metadata(struct json_writer *w, const char *ns, const char *name,
                           const struct json *current)
{
	const struct json *it;

	jw_object(w, "metadata");
	if (!current) {
		jw_str(w, "name", name);
		jw_str(w, "namespace", ns);
	}
	json_for_each (it, json_get(current, "metadata")) {
		/* Left out, the server keeps its own. */
		if (!str_eq(json_key(it), "managedFields"))
			jw_value(w, json_key(it), it);
	}
	jw_end_object(w);
}

static void write_spec(struct json_writer *w, const struct lease_record *r,
                       const struct json *current)
{
	const struct json *it;

	jw_object(w, "spec");
	json_for_each (it, json_get(current, "spec")) {
		if (!is_ours(json_key(it)))
			jw_value(w, json_key(it), it);
	}
	jw_str(w, "holderIdentity", r->holder);
	jw_i64(w, "leaseDurationSeconds", r->duration_s);
	jw_str(w, "acquireTime", str_empty(r->acquire_time) ? NULL : r->acquire_time);
	jw_str(w, "renewTime", r->renew_time);
	jw_i64(w, "leaseTransitions", r->transitions);
	jw_end_object(w);
}

int lease_record_encode(struct buf *out, const struct lease_record *r, const char *ns,
                        const char *name, const struct json *current, struct err *err)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", "coordination.k8s.io/v1");
	jw_str(&w, "kind", "Lease");
	write_metadata(&w, ns, name, current);
	write_spec(&w, r, current);
	jw_end_object(&w);
	if (jw_end(&w) < 0)
		return err_set(err, ERR_TOO_BIG, "lease %s/%s is too big to be written", ns, name);
	return 0;
}
