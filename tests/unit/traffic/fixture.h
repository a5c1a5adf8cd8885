/* ModelDeployments, routes and wishes from text with ' for ". */
#ifndef TESTS_UNIT_TRAFFIC_FIXTURE_H
#define TESTS_UNIT_TRAFFIC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/driver.h"

#define OLD "bcdfghjklm"
#define NEW "nxpqrstvwz"

static inline char *unquote(struct arena *a, const char *text)
{
	char *s = arena_strdup(a, text);

	for (char *p = s; *p; p++)
		if (*p == '\'')
			*p = '"';
	return s;
}

static inline const struct json *json_of(struct arena *a, const char *text)
{
	struct err err = ERR_INIT;
	const char *s = unquote(a, text);
	const struct json *v = json_parse(a, s, strlen(s), &err);

	if (!v)
		fail_msg("%s in %s", err.msg, s);
	return v;
}

/* traffic: the members of spec.traffic; step: one step of the release. */
static inline struct mdep *mdep_with(struct arena *a, const char *traffic, const char *step)
{
	struct mdep *m = arena_alloc(a, sizeof(*m));
	struct err err = ERR_INIT;
	const char *text = arena_printf(
		a,
		"{'metadata':{'name':'ranker','namespace':'shop','uid':'u1'},'spec':{'model':"
		"{'name':'m','version':'1'},'runtime':{'preset':'vllm'},'traffic':{%s},"
		"'strategy':{'steps':[%s]}}}",
		traffic, step);

	if (mdep_read(json_of(a, text), m, a, &err))
		fail_msg("%s", err.msg);
	m->meta.uid = "u1";
	m->meta.namespace = "shop";
	return m;
}

static inline struct route *route_with(struct arena *a, const char *name, const char *spec)
{
	struct route *r = arena_alloc(a, sizeof(*r));

	*r = (struct route){
		.meta = {.name = name, .namespace = "shop", .uid = "r1", .resource_version = "77"},
		.spec_json = unquote(a, spec)};
	return r;
}

static const struct mdep_weight split[]
	__attribute__((unused)) = {{OLD, "a", 4750}, {OLD, "b", 4750}, {NEW, "a", 500}};
static const struct mdep_weight before[]
	__attribute__((unused)) = {{OLD, "a", 10000}, {NEW, "a", 0}};

/* With the first step of m. */
static inline struct traffic_wish wish_of(const struct mdep *m, const struct mdep_weight *weights,
                                          unsigned n)
{
	const struct mdep_step *s = m->nsteps ? &m->steps[0] : NULL;

	return (struct traffic_wish){.mdep = m,
	                             .weights = weights,
	                             .nweights = n,
	                             .step = s && (s->nheaders || s->mirror) ? s : NULL,
	                             .target = NEW,
	                             .port = m->service_port,
	                             .stable = OLD};
}

static inline struct traffic_edit edit_of(const struct traffic_wish *w,
                                          const struct traffic_view *v, struct arena *a)
{
	struct traffic_edit e;
	struct err err = ERR_INIT;

	if (traffic_driver_of(w->mdep)->edit(w, v, a, &e, &err))
		fail_msg("%s", err.msg);
	return e;
}

static inline const char *text_of(struct arena *a, const struct json *v)
{
	cleanup_buf struct buf b;

	buf_init(&b, 1 << 20);
	if (!v)
		return "-";
	assert_int_equal(json_write_value(&b, v), 0);
	return arena_strdup(a, b.data);
}

/* The value is this text, ' for ". */
static inline void assert_value(struct arena *a, const struct json *v, const char *want)
{
	assert_string_equal(text_of(a, v), unquote(a, want));
}

/* spec of a patch of the user's object, which is guarded. */
static inline const struct json *patched(struct arena *a, const struct traffic_edit *e)
{
	const struct json *json;

	assert_int_equal(e->how, TRAFFIC_PATCH);
	json = json_parse(a, e->body, strlen(e->body), NULL);
	assert_value(a, json_get(json, "metadata"), "{'resourceVersion':'77'}");
	assert_int_equal(json_size(json), 2);
	return json_get(json, "spec");
}

static inline const struct json *applied(struct arena *a, const struct traffic_edit *e)
{
	assert_int_equal(e->how, TRAFFIC_APPLY);
	return json_parse(a, e->body, strlen(e->body), NULL);
}

#endif
