/* Lists, as a whole or page by page. */
#include <inttypes.h>
#include <string.h>

#include "internal.h"

#define CONTINUED_MAX 16 /* lists that are under way; an older one's token has expired */

/* The rest of a list that began at `rv`: what is written meanwhile is not in it. */
struct continued {
	struct list link;
	uint64_t rv;
	unsigned serial;
	struct sim_text **texts;
	unsigned n, next;
};

static void continued_free(struct continued *k)
{
	list_remove(&k->link);
	for (unsigned i = 0; i < k->n; i++)
		text_drop(k->texts[i]);
	free(k->texts);
	free(k);
}

void list_forget(struct sim_api *s)
{
	while (!list_empty(&s->continued))
		continued_free(list_entry(s->continued.next, struct continued, link));
}

static struct continued *begin(struct sim_api *s, enum sim_resource r, const char *selector)
{
	struct continued *k = xcalloc(1, sizeof(*k)), *oldest;

	k->rv = s->rv;
	k->serial = ++s->serial;
	for (struct sim_object *o = sim_next(s, r, NULL); o; o = sim_next(s, r, o)) {
		if (!watch_selects(o->json, selector))
			continue;
		k->texts = xreallocarray(k->texts, k->n + 1, sizeof(*k->texts));
		k->texts[k->n++] = text_share(o->text);
	}
	list_push_back(&s->continued, &k->link);
	oldest = list_entry(s->continued.next, struct continued, link);
	if (k->serial - oldest->serial > CONTINUED_MAX)
		continued_free(oldest);
	return k;
}

static struct continued *find(struct sim_api *s, const char *token)
{
	struct list *it;
	uint64_t serial;

	if (!str_to_u64(token, &serial))
		return NULL;
	list_for_each (it, &s->continued) {
		struct continued *k = list_entry(it, struct continued, link);

		if (k->serial == serial)
			return k;
	}
	return NULL;
}

/* A server may give less than what the limit allows. */
static unsigned page_size(const struct sim_api *s, const char *limit)
{
	int64_t n = 0;

	if (!s->hooks.page || !limit || !str_to_i64(limit, &n) || n <= 0)
		return 0;
	return (uint64_t)n < s->hooks.page ? (unsigned)n : s->hooks.page;
}

static void answer_page(struct sim_call *c, enum sim_resource r, struct continued *k, unsigned size)
{
	unsigned end = size && k->next + size < k->n ? k->next + size : k->n;
	cleanup_buf struct buf b;

	buf_init(&b, 8 * SIM_TEXT_MAX);
	buf_addf(&b,
	         "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":"
	         "\"%" PRIu64 "\"",
	         sim_kinds[r].kind, sim_kinds[r].version, k->rv);
	if (end < k->n)
		buf_addf(&b, ",\"continue\":\"%u\"", k->serial);
	buf_addstr(&b, "},\"items\":[");
	for (unsigned i = k->next; i < end; i++) {
		buf_addstr(&b, i == k->next ? "" : ",");
		buf_add(&b, k->texts[i]->s, k->texts[i]->len);
	}
	buf_addstr(&b, "]}");
	k->next = end;
	if (end == k->n)
		continued_free(k);
	http_answer_head(c->http, 200, 0);
	if (http_answer_data(c->http, b.data, b.len))
		http_answer_end(c->http, NULL);
}

void list_answer(struct sim_call *c, enum sim_resource r, const char *query)
{
	struct sim_api *s = c->api;
	cleanup_free char *selector = query_value(query, "labelSelector");
	cleanup_free char *token = query_value(query, "continue");
	cleanup_free char *limit = query_value(query, "limit");
	struct continued *k = token ? find(s, token) : begin(s, r, selector);

	if (k && token && s->hooks.expire && s->hooks.expire(s->hooks.arg)) {
		continued_free(k);
		k = NULL;
	}
	if (k)
		answer_page(c, r, k, page_size(s, limit));
	else
		sim_refuse(c, 410, "Expired");
}
