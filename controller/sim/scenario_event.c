#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_priv.h"
#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

static const struct {
	const char *key;
	enum scenario_what what;
} kinds[] = {
	{"zoneDark", SCENARIO_ZONE_DARK}, {"zoneLight", SCENARIO_ZONE_LIGHT},
	{"nodeLost", SCENARIO_NODE_LOST}, {"operatorKilled", SCENARIO_OPERATOR_KILLED},
	{"annotate", SCENARIO_ANNOTATE},  {"apply", SCENARIO_APPLY},
	{"requests", SCENARIO_REQUESTS},  {"version", SCENARIO_VERSION},
};
static const char *const keys[] = {
	"at",       "zoneDark", "zoneLight", "nodeLost", "operatorKilled",
	"annotate", "apply",    "requests",  "version",  NULL};

static bool has_node(const struct scenario *s, const char *name)
{
	for (unsigned i = 0; i < s->nnodes; i++)
		if (str_eq(s->nodes[i].name, name))
			return true;
	return !s->nzones && !s->nnodes;
}

static void read_place(struct field_reader *r, const struct scenario *s, const struct json *o,
                       const char *path, const char *key, struct scenario_event *e)
{
	bool node = e->what == SCENARIO_NODE_LOST;

	e->target = field_text(r, o, path, key, NULL);
	if (e->target && !(node ? has_node(s, e->target) : scenario_has_zone(s, e->target)))
		field_wrong(r, e->path, "there is no %s %s; name one below zones%s",
		            node ? "node" : "zone", e->target,
		            node ? " or nodes (of a zone's: <zone>-1, <zone>-2 and so on)" : "");
}

static void read_killed(struct field_reader *r, const struct scenario *s, const struct json *o,
                        const char *path, const char *key, struct scenario_event *e)
{
	int64_t n;

	e->target = "leader";
	if (json_is_bool(json_get(o, key)))
		return;
	e->target = field_text(r, o, path, key, "leader");
	if (!str_eq(e->target, "leader") && !str_eq(e->target, "all") &&
	    !(str_to_i64(e->target, &n) && n >= 1 && n <= (int64_t)s->operators))
		field_wrong(r, e->path, "must be leader, all, or a number from 1 to %u (operators)",
		            s->operators);
}

/* "promote" is short for "serving.tidegate.io/promote". */
static const struct json *full_names(struct field_reader *r, const struct json *annotations)
{
	cleanup_buf struct buf b;
	struct json_writer w;
	const struct json *it;

	buf_init(&b, (size_t)1 << 20);
	jw_init(&w, &b);
	jw_object(&w, NULL);
	json_for_each (it, annotations)
		jw_value(&w,
		         strchr(json_key(it), '/')
		                 ? json_key(it)
		                 : arena_printf(r->arena, TG_ORDER_PREFIX "%s", json_key(it)),
		         it);
	jw_end_object(&w);
	return jw_end(&w) ? NULL : json_parse(r->arena, b.data, b.len, NULL);
}

static void read_annotate(struct field_reader *r, const struct json *v, struct scenario_event *e)
{
	static const char *const known[] = {"model", "namespace", "set", NULL};
	const struct json *set = json_get(v, "set"), *it;

	if (!field_mapping(r, v, e->path, known))
		return;
	scenario_read_target(r, v, e->path, &e->ns, &e->name);
	if (!json_is_object(set) || !json_size(set)) {
		field_wrong(r, field_path(r, e->path, "set"),
		            "must be annotations and their values, such as {promote: next}");
		return;
	}
	json_for_each (it, set)
		if (!json_is_string(it) && json_has(set, json_key(it)))
			field_wrong(r, field_path(r, field_path(r, e->path, "set"), json_key(it)),
			            "must be a text (in quotes, if it looks like a number or a "
			            "truth value), or null to remove it");
	e->value = full_names(r, set);
}

static void read_apply(struct field_reader *r, const struct json *v, struct scenario_event *e)
{
	e->target = json_value_str(v);
	if (json_is_object(v) || json_is_array(v))
		e->value = v;
	else if (str_empty(e->target))
		field_wrong(r, e->path, "must be the name of a manifest file, or a manifest");
}

static void read_requests(struct field_reader *r, const struct json *v, struct scenario_event *e)
{
	static const char *const known[] = {"model", "namespace", "perSecond", NULL};

	if (json_is_number(v)) {
		e->rate = json_value_double(v, -1);
		if (e->rate < 0 || e->rate > SCENARIO_RATE_MAX)
			field_wrong(r, e->path, "must be a number from 0 to %.0f",
			            SCENARIO_RATE_MAX);
		return;
	}
	if (!field_mapping(r, v, e->path, known))
		return;
	scenario_read_target(r, v, e->path, &e->ns, &e->name);
	e->rate = field_number(r, v, e->path, "perSecond", SCENARIO_RATE_MAX, NAN);
	if (!json_has(v, "perSecond"))
		field_wrong(r, field_path(r, e->path, "perSecond"), "is required");
}

static void read_version(struct field_reader *r, const struct json *v, struct scenario_event *e)
{
	static const char *const known[] = {"model",   "namespace", "version", "errors",
	                                    "latency", "load",      "loads",   NULL};

	if (!field_mapping(r, v, e->path, known))
		return;
	scenario_read_target(r, v, e->path, &e->ns, &e->name);
	scenario_read_version(r, v, e->path, &e->version);
	if (!e->version.version)
		field_wrong(r, field_path(r, e->path, "version"), "is required");
}

static void read_what(struct field_reader *r, const struct scenario *s, const struct json *o,
                      const char *path, const char *key, struct scenario_event *e)
{
	switch (e->what) {
	case SCENARIO_ZONE_DARK:
	case SCENARIO_ZONE_LIGHT:
	case SCENARIO_NODE_LOST:
		read_place(r, s, o, path, key, e);
		break;
	case SCENARIO_OPERATOR_KILLED:
		read_killed(r, s, o, path, key, e);
		break;
	case SCENARIO_ANNOTATE:
		read_annotate(r, json_get(o, key), e);
		break;
	case SCENARIO_APPLY:
		read_apply(r, json_get(o, key), e);
		break;
	case SCENARIO_REQUESTS:
		read_requests(r, json_get(o, key), e);
		break;
	case SCENARIO_VERSION:
		read_version(r, json_get(o, key), e);
		break;
	}
}

static void read_event(struct field_reader *r, const struct scenario *s, const struct json *o,
                       const char *path, struct scenario_event *e)
{
	const char *key = NULL;
	unsigned n = 0;

	*e = (struct scenario_event){.path = path};
	if (!field_mapping(r, o, path, keys))
		return;
	e->at_ms = field_duration(r, o, path, "at", 0);
	if (!json_has(o, "at"))
		field_wrong(r, field_path(r, path, "at"),
		            "is required: when it happens, such as 10m");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (json_get(o, kinds[i].key)) {
			n++;
			key = kinds[i].key;
			e->what = kinds[i].what;
		}
	if (n != 1) {
		field_wrong(r, path,
		            "must have one of zoneDark, zoneLight, nodeLost, "
		            "operatorKilled, annotate, apply, requests, version");
		return;
	}
	e->path = field_path(r, path, key);
	read_what(r, s, o, path, key, e);
}

/* Insertion keeps the order of those that happen at the same time. */
static void insert(struct scenario *s, const struct scenario_event *e)
{
	unsigned i = s->nevents++;

	for (; i && s->events[i - 1].at_ms > e->at_ms; i--)
		s->events[i] = s->events[i - 1];
	s->events[i] = *e;
}

void scenario_read_events(struct field_reader *r, const struct json *list, struct scenario *out)
{
	unsigned n = field_list(r, list, "events", SCENARIO_EVENTS_MAX), i = 0;
	const struct json *it;
	struct scenario_event e;

	out->events = arena_array(r->arena, n, sizeof(*out->events));
	json_for_each (it, n ? list : NULL) {
		if (i == n)
			break;
		read_event(r, out, it, arena_printf(r->arena, "events[%u]", i++), &e);
		insert(out, &e);
	}
}
