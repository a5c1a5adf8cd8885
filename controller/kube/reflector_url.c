/* Paths of list and watch requests. */

#include "reflector_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define QUERY_MAX (64u << 10)

static void add_param(struct buf *out, const char *name, const char *value)
{
	buf_addf(out, "&%s=", name);
	buf_add_url(out, value);
}

static char *finish(struct buf *b)
{
	char *s = buf_detach(b);

	buf_release(b);
	return s;
}

char *reflector_base_path(const struct object_kind *k, const char *namespace)
{
	if (k->cluster_scoped || str_empty(namespace))
		return xasprintf("%s/%s", k->api, k->resource);
	return xasprintf("%s/namespaces/%s/%s", k->api, namespace, k->resource);
}

char *reflector_selectors(const char *labels, const char *fields)
{
	struct buf b;

	buf_init(&b, QUERY_MAX);
	if (!str_empty(labels))
		add_param(&b, "labelSelector", labels);
	if (!str_empty(fields))
		add_param(&b, "fieldSelector", fields);
	return finish(&b);
}

/*
 * A limit together with a resourceVersion other than "0" would pass by the server's watch cache
 * and read etcd, so it is sent only where the cache is known not to serve anyway. On
 * continuation pages the token alone says which version is meant (k8s#85221).
 */
char *reflector_list_path(const struct reflector *r, const char *rv)
{
	bool paged = r->paginated || str_empty(rv) || str_eq(rv, "0");
	struct buf b;

	buf_init(&b, QUERY_MAX);
	buf_addf(&b, "%s?", r->base_path);
	if (r->continue_token) {
		buf_addf(&b, "limit=%d", REFLECTOR_PAGE);
		add_param(&b, "continue", r->continue_token);
	} else {
		if (paged && !r->unpaged)
			buf_addf(&b, "limit=%d&", REFLECTOR_PAGE);
		buf_addstr(&b, "resourceVersion=");
		buf_add_url(&b, rv);
	}
	buf_addstr(&b, r->selectors);
	return finish(&b);
}

char *reflector_watch_path(const struct reflector *r, const char *rv, bool initial_events,
                           int timeout_s)
{
	struct buf b;

	buf_init(&b, QUERY_MAX);
	buf_addf(&b, "%s?watch=1", r->base_path);
	if (initial_events)
		buf_addstr(&b, "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
	buf_addf(&b, "&allowWatchBookmarks=true&timeoutSeconds=%d", timeout_s);
	add_param(&b, "resourceVersion", rv);
	buf_addstr(&b, r->selectors);
	return finish(&b);
}
