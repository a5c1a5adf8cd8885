#include "internal.h"

#include <inttypes.h>
#include <string.h>

#include "tidegate/base/clock.h"

#define BOOKMARK_MS      60000
#define BOOKMARK_LAST_MS 2000
#define CUT_OFF_POLL_MS  1000

/* Undoes the percent-encoding that selectors are sent with. */
static char *decode(const char *s, size_t n)
{
	char *out = xmalloc(n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%' && i + 2 < n) {
			const char *hex = "0123456789ABCDEF";
			const char *hi = strchr(hex, s[i + 1]), *lo = strchr(hex, s[i + 2]);

			if (hi && lo) {
				out[len++] = (char)((hi - hex) * 16 + (lo - hex));
				i += 2;
				continue;
			}
		}
		out[len++] = s[i];
	}
	out[len] = '\0';
	return out;
}

char *query_value(const char *query, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
		if (!strncmp(p, name, n) && p[n] == '=')
			return decode(p + n + 1, strcspn(p + n + 1, "&"));
	return NULL;
}

/* "key=value" or "key", n bytes of it. */
static bool meets(const struct json *labels, const char *term, size_t n)
{
	const char *eq = memchr(term, '=', n);
	size_t len = eq ? (size_t)(eq - term) : n;
	const char *value = json_value_str(json_member(labels, term, len));

	return value &&
	       (!eq || (strlen(value) == n - len - 1 && !strncmp(value, eq + 1, n - len - 1)));
}

bool watch_selects(const struct json *json, const char *selector)
{
	const struct json *labels = json_path(json, "metadata", "labels", NULL);
	const char *p = str_or(selector, "");

	while (*p) {
		size_t n = strcspn(p, ",");

		if (!meets(labels, p, n))
			return false;
		p += n + (p[n] == ',');
	}
	return true;
}

static void add_event(struct buf *b, const char *type, const struct sim_text *text)
{
	buf_addstr(b, "{\"type\":\"");
	buf_addstr(b, type);
	buf_addstr(b, "\",\"object\":");
	buf_add(b, text->s, text->len);
	buf_addstr(b, "}\n");
}

static void add_bookmark(struct buf *b, const struct sim_call *c, bool end)
{
	const struct sim_kind *k = &sim_kinds[c->resource];

	buf_addf(b,
	         "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\","
	         "\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"%s}}}\n",
	         k->kind, k->version, c->cursor,
	         end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
}

static void add_initial(struct sim_call *c, struct buf *b)
{
	struct sim_api *s = c->api;

	for (struct sim_object *o = sim_next(s, c->resource, NULL); o;
	     o = sim_next(s, c->resource, o))
		if (watch_selects(o->json, c->selector))
			add_event(b, "ADDED", o->text);
	c->cursor = s->rv;
	add_bookmark(b, c, true);
	c->initial = false;
}

/* Mostly the change is the object's last one, whose text has been read already. */
static bool change_selected(const struct sim_call *c, const struct sim_change *h)
{
	struct sim_object *o = NULL;
	cleanup_arena struct arena a;

	arena_init(&a, 16384);
	if (!c->selector)
		return true;
	while ((o = sim_next(c->api, c->resource, o)))
		if (o->rv == h->rv)
			return watch_selects(o->json, c->selector);
	return watch_selects(json_parse(&a, h->text->s, h->text->len, NULL), c->selector);
}

static void add_changes(struct sim_call *c, struct buf *b)
{
	struct sim_api *s = c->api;
	unsigned times = s->hooks.twice && s->hooks.twice(s->hooks.arg) ? 2 : 1;
	size_t i = s->nhistory;

	while (i && s->history[i - 1].rv > c->cursor)
		i--;
	for (; i < s->nhistory; i++) {
		const struct sim_change *h = &s->history[i];

		if (h->resource != c->resource || !change_selected(c, h))
			continue;
		for (unsigned n = 0; n < times; n++)
			add_event(b, h->type, h->text);
	}
	c->cursor = s->rv;
}

/* Once a minute, and two seconds before the end. */
static void set_bookmark(struct sim_call *c)
{
	int64_t now = clock_mono_ms(), last = c->ends_ms - BOOKMARK_LAST_MS;

	c->bookmark_ms = now + BOOKMARK_MS;
	if (now < last && last < c->bookmark_ms)
		c->bookmark_ms = last;
}

static void rearm(struct sim_call *c)
{
	int64_t next = c->bookmark_ms < c->ends_ms ? c->bookmark_ms : c->ends_ms;

	timer_start(&c->timer, next - clock_mono_ms());
}

/* The connection stands, and nothing comes of it: until it does, or the client gives up. */
static bool hangs(struct sim_call *c)
{
	const struct sim_hooks *h = &c->api->hooks;
	int64_t now = clock_mono_ms();

	if (h->hang && now >= c->silent_until_ms)
		c->silent_until_ms = now + h->hang(h->arg);
	if (now >= c->silent_until_ms)
		return false;
	timer_start(&c->timer, c->silent_until_ms - now);
	return true;
}

static void on_deliver(void *arg)
{
	struct sim_call *c = arg;
	struct sim_api *s = c->api;
	struct http_call *http = c->http;
	struct buf *b = &s->answer;
	struct err err = ERR_INIT;

	buf_reset(b);
	if (!sim_connected(c)) {
		timer_start(&c->timer, CUT_OFF_POLL_MS);
		return;
	}
	if (hangs(c))
		return;
	if (s->hooks.cut && s->hooks.cut(s->hooks.arg)) {
		err_set(&err, ERR_TRANSPORT, "connection reset by peer");
		http_answer_end(http, &err);
		return;
	}
	if (c->initial) {
		add_initial(c, b);
	} else if (c->cursor < s->floor) {
		buf_addstr(b, "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":"
		              "\"v1\",\"status\":\"Failure\",\"message\":\"too old resource "
		              "version\",\"reason\":\"Expired\",\"code\":410}}\n");
		c->ends_ms = 0;
	} else {
		add_changes(c, b);
	}
	if (clock_mono_ms() >= c->bookmark_ms) {
		add_bookmark(b, c, false);
		set_bookmark(c);
	}
	if (b->len && !http_answer_data(http, b->data, b->len))
		return;
	if (clock_mono_ms() >= c->ends_ms)
		http_answer_end(http, NULL);
	else
		rearm(c);
}

void watch_open(struct sim_call *c, enum sim_resource r, const char *query)
{
	cleanup_free char *rv = query_value(query, "resourceVersion");
	cleanup_free char *initial = query_value(query, "sendInitialEvents");
	cleanup_free char *seconds = query_value(query, "timeoutSeconds");
	int64_t s = 300;

	if (c->api->hooks.page && str_eq(initial, "true")) {
		sim_refuse(c, 422, "Invalid");
		return;
	}
	c->watching = true;
	c->resource = r;
	c->selector = query_value(query, "labelSelector");
	c->initial = str_eq(initial, "true");
	str_to_i64(str_or(seconds, ""), &s);
	c->ends_ms = clock_mono_ms() + s * 1000;
	set_bookmark(c);
	str_to_u64(str_or(rv, ""), &c->cursor);
	http_answer_head(c->http, 200, 0);
	timer_release(&c->timer);
	timer_init(&c->timer, c->api->loop, on_deliver, c);
	timer_start(&c->timer, 1);
}

uint64_t watch_told(const struct sim_api *s)
{
	uint64_t least = s->rv;
	struct list *it;

	list_for_each (it, &s->calls) {
		const struct sim_call *c = list_entry(it, struct sim_call, link);

		if (c->watching && c->cursor < least)
			least = c->cursor;
	}
	return least;
}

void watch_wake_all(struct sim_api *s, enum sim_resource r)
{
	struct list *it;

	list_for_each (it, &s->calls) {
		struct sim_call *c = list_entry(it, struct sim_call, link);

		/* One delivery is under way at most: a later one carries what came meanwhile. */
		if (c->watching && c->resource == r && !c->initial &&
		    clock_mono_ms() >= c->silent_until_ms)
			timer_start(&c->timer, s->hooks.lag(s->hooks.arg));
	}
}
