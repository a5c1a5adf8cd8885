/*
 * spec.traffic, and what its driver makes of a step's audience and mirror.
 *
 * Every way to name an audience becomes a list of conditions on headers and one cookie: a
 * lane is a header of one value, a bucket a pattern over the numbers 0 to 99. Drivers then differ
 * only in which conditions they can put down, see the table of capabilities.
 */
#include "mdep_traffic.h"

#include <string.h>
#include <strings.h>

#include "project.h"
#include "tidegate/base/str.h"

#define NAME_MAX_LEN      256
#define VALUE_MAX_LEN     4096
#define LANE_HEADER       "x-lane"
#define SLOW_START_MIN_MS 1000
#define SLOW_START_MAX_MS 3600000
#define JSON_TEXT_MAX     ((size_t)1 << 20)

/* --- tables ------------------------------------------------------------------------------ */

static const char *const fields[] = {
	[TRAFFIC_HTTPROUTE] = "httpRoute", [TRAFFIC_GRPCROUTE] = "grpcRoute",
	[TRAFFIC_ISTIO] = "istio",         [TRAFFIC_INGRESS] = "ingress",
	[TRAFFIC_TRAEFIK] = "traefik",
};

static const char *const dialects[] = {
	[INGRESS_NGINX] = "nginx",
	[INGRESS_HIGRESS] = "higress",
	[INGRESS_MSE] = "mse",
	[INGRESS_ALB] = "alb",
};

/* Higress and MSE read the annotations of ingress-nginx. */
static const char *const prefixes[] = {
	[INGRESS_NGINX] = "nginx.ingress.kubernetes.io",
	[INGRESS_HIGRESS] = "nginx.ingress.kubernetes.io",
	[INGRESS_MSE] = "nginx.ingress.kubernetes.io",
	[INGRESS_ALB] = "alb.ingress.kubernetes.io",
};

unsigned mdep_traffic_can(const struct mdep *m)
{
	static const unsigned can[] = {
		[TRAFFIC_NONE] = 0,
		[TRAFFIC_HTTPROUTE] = TRAFFIC_CAN_HEADER | TRAFFIC_CAN_REGEX | TRAFFIC_CAN_MANY |
	                              TRAFFIC_CAN_COOKIE | TRAFFIC_CAN_MIRROR,
		[TRAFFIC_GRPCROUTE] = TRAFFIC_CAN_HEADER | TRAFFIC_CAN_REGEX | TRAFFIC_CAN_MANY |
	                              TRAFFIC_CAN_MIRROR,
		[TRAFFIC_ISTIO] = TRAFFIC_CAN_HEADER | TRAFFIC_CAN_REGEX | TRAFFIC_CAN_MANY |
	                          TRAFFIC_CAN_COOKIE | TRAFFIC_CAN_MIRROR,
		[TRAFFIC_INGRESS] = TRAFFIC_CAN_HEADER | TRAFFIC_CAN_REGEX | TRAFFIC_CAN_ALWAYS,
		[TRAFFIC_TRAEFIK] = TRAFFIC_CAN_MIRROR,
	};

	return can[m->traffic];
}

const char *mdep_traffic_field(enum mdep_traffic t)
{
	return fields[t];
}

bool mdep_route_is_ours(const struct mdep *m)
{
	switch (m->traffic) {
	case TRAFFIC_HTTPROUTE:
	case TRAFFIC_GRPCROUTE:
		return m->parent_refs_json != NULL;
	case TRAFFIC_ISTIO:
		return m->hostnames_json != NULL;
	case TRAFFIC_INGRESS:
	case TRAFFIC_TRAEFIK:
		return true;
	case TRAFFIC_NONE:
		break;
	}
	return false;
}

/* --- spec.traffic ------------------------------------------------------------------------ */

static const char *text_member(const struct json *o, const char *key, const char *path,
                               struct findings *f)
{
	if (json_has(o, key) && !json_str(o, key))
		finding_add(f, true, arena_printf(f->a, "%s.%s", path, key), "must be a string");
	return str_empty(json_str(o, key)) ? NULL : json_str(o, key);
}

static const char *list_member(const struct json *o, const char *key, const char *path,
                               struct findings *f)
{
	const struct json *v = json_get(o, key);
	cleanup_buf struct buf text;

	buf_init(&text, JSON_TEXT_MAX);
	if (!json_has(o, key))
		return NULL;
	if (!json_is_array(v) || json_write_value(&text, v)) {
		finding_add(f, true, arena_printf(f->a, "%s.%s", path, key),
		            "must be a list of at most %zu bytes", JSON_TEXT_MAX);
		return NULL;
	}
	return arena_strndup(f->a, text.data, text.len);
}

static void read_ingress(const struct json *o, const char *path, struct mdep *m, struct findings *f)
{
	const char *name = text_member(o, "dialect", path, f);
	size_t i = 0;

	while (name && i < sizeof(dialects) / sizeof(dialects[0]) && !str_eq(name, dialects[i]))
		i++;
	if (i == sizeof(dialects) / sizeof(dialects[0])) {
		finding_add(f, true, arena_concat(f->a, path, ".dialect", NULL),
		            "\"%.40s\" is not one of nginx, higress, mse, alb", name);
		i = INGRESS_NGINX;
	}
	m->ingress = (enum mdep_ingress)i;
	m->annotation_prefix =
		str_or(text_member(o, "annotationPrefix", path, f), prefixes[m->ingress]);
}

static void read_driver(const struct json *o, enum mdep_traffic t, struct mdep *m,
                        struct findings *f)
{
	const char *path = arena_concat(f->a, "spec.traffic.", fields[t], NULL);
	bool istio = t == TRAFFIC_ISTIO;

	m->traffic = t;
	m->route_name = text_member(o, istio ? "virtualService" : "name", path, f);
	if (!m->route_name)
		m->route_name = m->meta.name;
	else if (!str_is_dns_subdomain(m->route_name))
		finding_add(f, true, arena_concat(f->a, path, ".name", NULL),
		            "is not a valid object name");
	m->parent_refs_json = list_member(o, istio ? "gateways" : "parentRefs", path, f);
	m->hostnames_json = list_member(o, istio ? "hosts" : "hostnames", path, f);
	if (istio)
		m->http_route = text_member(o, "httpRoute", path, f);
	if (t == TRAFFIC_INGRESS)
		read_ingress(o, path, m, f);
}

void mdep_traffic_decode(const struct json *spec, struct mdep *m, struct findings *f)
{
	const struct json *o = json_get(spec, "traffic"), *driver;

	for (int t = TRAFFIC_HTTPROUTE; t <= TRAFFIC_TRAEFIK; t++) {
		driver = json_get(o, fields[t]);
		if (!json_has(o, fields[t]))
			continue;
		if (!json_is_object(driver))
			finding_add(f, true, arena_concat(f->a, "spec.traffic.", fields[t], NULL),
			            "must be an object");
		else if (m->traffic != TRAFFIC_NONE)
			finding_add(f, true, "spec.traffic",
			            "only one driver may be given: %s or %s", fields[m->traffic],
			            fields[t]);
		else
			read_driver(driver, (enum mdep_traffic)t, m, f);
	}
}

/* --- audiences --------------------------------------------------------------------------- */

struct audience {
	struct mdep_header v[MDEP_HEADERS_MAX];
	unsigned n;
	const char *path;
	struct findings *f;
};

static void add(struct audience *x, const struct mdep_header *h)
{
	if (x->n == MDEP_HEADERS_MAX) {
		finding_add(x->f, true, x->path, "names more than %d conditions", MDEP_HEADERS_MAX);
		return;
	}
	for (unsigned i = 0; i < x->n; i++) {
		bool same = h->cookie || x->v[i].cookie ? h->cookie == x->v[i].cookie
		                                        : !strcasecmp(h->name, x->v[i].name);

		if (!same)
			continue;
		finding_add(x->f, true, x->path, "asks twice for %s %.80s",
		            h->cookie ? "a cookie, here" : "the header", h->name);
		return;
	}
	x->v[x->n++] = *h;
}

/* A member's text within bounds, NULL and a finding otherwise. */
static const char *bounded(struct audience *x, const struct json *o, const char *key, size_t max)
{
	const char *s = json_str(o, key);

	if (json_has(o, key) && (!s || !*s || strnlen(s, max + 1) > max)) {
		finding_add(x->f, true, arena_printf(x->f->a, "%s.%s", x->path, key),
		            "must be a text of 1 to %zu bytes", max);
		return NULL;
	}
	return s;
}

static void read_headers(struct audience *x, const struct json *list)
{
	const struct json *it;

	if (list && !json_is_array(list))
		finding_add(x->f, true, x->path, "headers must be a list");
	if (!json_is_array(list))
		return;
	json_for_each (it, list) {
		struct mdep_header h = {.name = bounded(x, it, "name", NAME_MAX_LEN),
		                        .exact = bounded(x, it, "exact", VALUE_MAX_LEN),
		                        .regex = bounded(x, it, "regex", VALUE_MAX_LEN)};

		if (!h.name || !h.exact == !h.regex)
			finding_add(x->f, true, x->path,
			            "each header needs name and one of exact and regex");
		else
			add(x, &h);
	}
}

static void read_cookie(struct audience *x, const struct json *o)
{
	struct mdep_header h = {.name = bounded(x, o, "name", NAME_MAX_LEN),
	                        .exact = bounded(x, o, "value", VALUE_MAX_LEN),
	                        .cookie = true};

	if (!h.name || !h.exact)
		finding_add(x->f, true, x->path, "a cookie needs name and value");
	else
		add(x, &h);
}

/* Numbers 0 to percent-1 without leading zeros, as a pattern of the whole value. */
static const char *bucket_regex(struct arena *a, int percent)
{
	int tens = percent / 10, ones = percent % 10;
	const char *all = tens > 1 ? arena_printf(a, "[0-9]|[1-%d][0-9]", tens - 1) : "[0-9]";

	if (percent < 10)
		return ones == 1 ? "0" : arena_printf(a, "[0-%d]", ones - 1);
	return ones ? arena_printf(a, "%s|%d[0-%d]", all, tens, ones - 1) : all;
}

static void read_bucket(struct audience *x, const struct json *o)
{
	const char *header = bounded(x, o, "header", NAME_MAX_LEN);
	const char *cookie = bounded(x, o, "cookie", NAME_MAX_LEN);
	int percent = json_int(o, "percent", 0);
	struct mdep_header h = {.name = header ? header : cookie, .cookie = !header};

	if (!header == !cookie) {
		finding_add(x->f, true, x->path, "a bucket needs one of header and cookie");
	} else if (percent < 1 || percent > 99) {
		finding_add(x->f, true, x->path, "a bucket's percent must be from 1 to 99");
	} else {
		h.regex = bucket_regex(x->f->a, percent);
		add(x, &h);
	}
}

static void read_lane(struct audience *x, const struct json *audience, const struct json *spec)
{
	const char *header = json_str(json_get(spec, "traffic"), "laneHeader");
	struct mdep_header h = {.name = str_empty(header) ? LANE_HEADER : header,
	                        .exact = bounded(x, audience, "lane", VALUE_MAX_LEN)};

	if (h.exact)
		add(x, &h);
}

void mdep_audience_decode(const struct json *step_json, const struct json *spec, const char *path,
                          struct mdep_step *step, struct findings *f)
{
	const struct json *o = json_get(step_json, "audience");
	const struct json *mirror = json_get(step_json, "mirror");
	struct audience x = {.path = arena_concat(f->a, path, ".audience", NULL), .f = f};
	struct mdep_header *out;

	if (json_has(step_json, "mirror")) {
		step->mirror = json_int(mirror, "percent", json_has(mirror, "percent") ? 0 : 100);
		if (!json_is_object(mirror) || step->mirror < 1 || step->mirror > 100)
			finding_add(f, true, arena_printf(f->a, "%s.mirror.percent", path),
			            "must be a whole number from 1 to 100");
	}
	if (!json_has(step_json, "audience"))
		return;
	read_headers(&x, json_get(o, "headers"));
	if (json_has(o, "cookie"))
		read_cookie(&x, json_get(o, "cookie"));
	if (json_has(o, "bucket"))
		read_bucket(&x, json_get(o, "bucket"));
	if (json_has(o, "lane"))
		read_lane(&x, o, spec);
	if (!x.n) {
		finding_add(f, true, x.path,
		            "must name at least one of headers, cookie, bucket and lane");
		return;
	}
	out = arena_array(f->a, x.n, sizeof(*out));
	for (unsigned i = 0; i < x.n; i++)
		out[i] = x.v[i];
	step->headers = out;
	step->nheaders = x.n;
}

/* --- what the driver cannot -------------------------------------------------------------- */

#define WAY_OUT "use spec.traffic.httpRoute or spec.traffic.istio"

static void check_condition(const struct mdep_header *h, unsigned can, const char *driver,
                            const char *path, struct findings *f)
{
	if (h->cookie) {
		bool always = h->exact && str_eq(h->exact, "always");

		if (!(can & TRAFFIC_CAN_COOKIE) && !(always && (can & TRAFFIC_CAN_ALWAYS)))
			finding_add(f, true, path,
			            "the driver %s cannot tell requests by %s cookie: %s, or name "
			            "a header%s",
			            driver, h->regex ? "the number in a" : "this", WAY_OUT,
			            can & TRAFFIC_CAN_ALWAYS ? ", or give it the value always"
			                                     : "");
		return;
	}
	if (h->regex && !(can & TRAFFIC_CAN_REGEX))
		finding_add(f, true, path,
		            "the driver %s cannot match patterns or buckets of header %.80s: %s",
		            driver, h->name, WAY_OUT);
	else if (!(can & TRAFFIC_CAN_HEADER))
		finding_add(f, true, path, "the driver %s cannot tell requests by header: %s",
		            driver, WAY_OUT);
}

static void check_step(const struct mdep *m, unsigned i, struct findings *f)
{
	const struct mdep_step *s = &m->steps[i];
	unsigned can = mdep_traffic_can(m);
	const char *driver = str_or(fields[m->traffic], "none");
	const char *path = arena_printf(f->a, "spec.strategy.steps[%u].audience", i);

	if (s->mirror && !(can & TRAFFIC_CAN_MIRROR))
		finding_add(f, true, arena_printf(f->a, "spec.strategy.steps[%u].mirror", i),
		            "the driver %s cannot mirror requests: %s, or spec.traffic.traefik",
		            driver, WAY_OUT);
	if (s->nheaders && m->traffic == TRAFFIC_NONE) {
		finding_add(f, true, path,
		            "an audience needs a gateway: give spec.traffic.httpRoute");
		return;
	}
	if (s->nheaders > 1 && !(can & TRAFFIC_CAN_MANY) && (can & TRAFFIC_CAN_HEADER)) {
		finding_add(f, true, path,
		            "the driver %s can tell requests by one header or cookie only: %s",
		            driver, WAY_OUT);
		return;
	}
	for (unsigned k = 0; k < s->nheaders; k++)
		check_condition(&s->headers[k], can, driver, path, f);
}

void mdep_traffic_check(const struct mdep *m, struct findings *f)
{
	bool gateway = m->traffic == TRAFFIC_HTTPROUTE || m->traffic == TRAFFIC_GRPCROUTE;

	for (unsigned i = 0; i < m->nsteps; i++)
		check_step(m, i, f);
	if (gateway && m->hostnames_json && !m->parent_refs_json)
		finding_add(f, true,
		            arena_printf(f->a, "spec.traffic.%s.hostnames", fields[m->traffic]),
		            "are set only on a route that Tidegate makes: give parentRefs too");
	if (m->slow_start_ms && m->traffic != TRAFFIC_ISTIO)
		finding_add(
			f, true, "spec.traffic.slowStart",
			"the driver %s cannot let a pod begin slowly: use spec.traffic.istio, or "
			"leave it out",
			str_or(fields[m->traffic], "none"));
	else if (m->slow_start_ms &&
	         (m->slow_start_ms < SLOW_START_MIN_MS || m->slow_start_ms > SLOW_START_MAX_MS))
		finding_add(f, true, "spec.traffic.slowStart", "must be from 1s to 1h");
	if (m->traffic == TRAFFIC_ISTIO && m->parent_refs_json && !m->hostnames_json)
		finding_add(f, true, "spec.traffic.istio.gateways",
		            "are set only on a VirtualService that Tidegate makes: give hosts too");
}
