#include <string.h>

#include "driver_internal.h"
#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/traffic/gateway.h"

#define REGEX_MAX ((size_t)64 << 10)

const char *wish_service(const struct traffic_wish *w, struct arena *a, const struct mdep_weight *x)
{
	return gateway_service_name(a, w->mdep, x->revision, str_or(x->zone, ""));
}

int wish_share(const struct traffic_wish *w, const char *revision)
{
	int sum = 0;

	for (unsigned i = 0; i < w->nweights; i++)
		if (str_eq(w->weights[i].revision, revision))
			sum += w->weights[i].weight;
	return sum;
}

static const struct mdep_weight *first_of_target(const struct traffic_wish *w)
{
	for (unsigned i = 0; i < w->nweights; i++)
		if (str_eq(w->weights[i].revision, w->target))
			return &w->weights[i];
	return NULL;
}

bool wish_has_audience(const struct traffic_wish *w)
{
	return w->step && w->step->nheaders && first_of_target(w);
}

int wish_mirror(const struct traffic_wish *w, struct arena *a, const char **service)
{
	const struct mdep_weight *x = first_of_target(w);

	if (!w->step || !w->step->mirror || !x)
		return 0;
	*service = wish_service(w, a, x);
	return w->step->mirror;
}

/*
 * An audience goes to the target whatever its weight; among its zones as the weights say, or evenly
 * while they are all 0.
 */
int wish_audience_weight(const struct traffic_wish *w, const struct mdep_weight *x)
{
	if (!str_eq(x->revision, w->target))
		return -1;
	return wish_share(w, w->target) ? x->weight : 1;
}

/* Every character that means something in a pattern, by a backslash. */
static void add_literal(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("\\.+*?()|[]{}^$", *s))
			buf_addch(b, '\\');
		buf_addch(b, *s);
	}
}

const char *wish_pattern(const struct mdep_header *h, struct arena *a)
{
	cleanup_buf struct buf b;

	buf_init(&b, REGEX_MAX);
	if (!h->cookie)
		return arena_printf(a, "^(%s)$", h->regex);
	buf_addstr(&b, "^(.*; *)?");
	add_literal(&b, h->name);
	buf_addstr(&b, "=(");
	if (h->regex)
		buf_addstr(&b, h->regex);
	else
		add_literal(&b, h->exact);
	buf_addstr(&b, ")(;.*)?$");
	return arena_strdup(a, b.data);
}

/* --- JSON -------------------------------------------------------------------------------- */

void write_owned_head(struct json_writer *w, const struct mdep *m, const char *api_version,
                      const char *kind, const char *name)
{
	jw_str(w, "apiVersion", api_version);
	jw_str(w, "kind", kind);
	jw_object(w, "metadata");
	jw_str(w, "name", name);
	jw_str(w, "namespace", str_nonempty(m->meta.namespace));
	jw_object(w, "labels");
	jw_str(w, TG_LABEL_MANAGED_BY, TG_MANAGED_BY);
	jw_str(w, TG_LABEL_NAME, m->meta.name);
	jw_end_object(w);
	mdep_owner_write(w, m);
}

void observe_weight(const struct mdep *m, const char *service, int weight,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out)
{
	for (unsigned i = 0; i < ncells && out->nweights < ARRAY_SIZE(out->weights); i++) {
		if (!str_eq(service, gateway_service_name(a, m, cells[i].revision, cells[i].zone)))
			continue;
		out->revisions[out->nweights] = cells[i].revision;
		out->zones[out->nweights] = cells[i].zone;
		out->weights[out->nweights++] = weight;
		return;
	}
}

static void mark(const struct mdep *m, const char *service, struct arena *a,
                 const struct rollout_traffic *t, bool *marks)
{
	for (unsigned i = 0; i < t->nweights; i++)
		if (str_eq(service, gateway_service_name(a, m, t->revisions[i], t->zones[i])))
			marks[i] = true;
}

void observe_chosen(const struct mdep *m, const char *service, struct arena *a,
                    struct rollout_traffic *out)
{
	mark(m, service, a, out, out->chosen);
}

void observe_copied(const struct mdep *m, const char *service, struct arena *a,
                    struct rollout_traffic *out)
{
	mark(m, service, a, out, out->copied);
}
