#include "tidegate/net/http_pool.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/list.h"
#include "tidegate/base/log.h"

#define LANE_HOSTS 512
/* Also where file descriptors are few: enough for those that are asked at the same time. */
#define LANE_KEEPS_MIN 16

struct lane {
	struct list link; /* of http_pool.lanes, oldest first */
	struct http_client *client;
	unsigned hosts;
	unsigned keeps;
};

struct http_pool {
	struct loop *loop;
	char *user_agent;
	struct list lanes; /* one at least */
};

static unsigned may_keep(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur == RLIM_INFINITY)
		return UINT32_MAX;
	return r.rlim_cur / 4 < UINT32_MAX ? (unsigned)(r.rlim_cur / 4) : UINT32_MAX;
}

static unsigned lane_keeps(const struct http_pool *p)
{
	unsigned most = may_keep(), kept = 0;
	struct list *it;

	list_for_each (it, &p->lanes)
		kept += list_entry(it, struct lane, link)->keeps;
	most = most > kept ? most - kept : 0;
	if (most > LANE_HOSTS)
		return LANE_HOSTS;
	return most > LANE_KEEPS_MIN ? most : LANE_KEEPS_MIN;
}

static struct lane *lane_new(struct http_pool *p, struct err *err)
{
	struct http_client_options o = {.user_agent = p->user_agent, .hosts_kept = lane_keeps(p)};
	struct http_client *c = http_client_new(p->loop, &o, err);
	struct lane *l;

	if (!c)
		return NULL;
	l = xcalloc(1, sizeof(*l));
	l->client = c;
	l->keeps = o.hosts_kept;
	list_push_back(&p->lanes, &l->link);
	return l;
}

static void lane_free(struct lane *l)
{
	list_remove(&l->link);
	http_client_free(l->client);
	free(l);
}

struct http_pool *http_pool_new(struct loop *l, const char *user_agent, struct err *err)
{
	struct http_pool *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	p->user_agent = xstrdup(user_agent);
	list_init(&p->lanes);
	if (!lane_new(p, err)) {
		http_pool_free(p);
		return NULL;
	}
	return p;
}

void http_pool_free(struct http_pool *p)
{
	if (!p)
		return;
	while (!list_empty(&p->lanes))
		lane_free(list_entry(p->lanes.next, struct lane, link));
	free(p->user_agent);
	free(p);
}

/* A crowded handle is slow, not wrong. */
static struct lane *lane_with_room(struct http_pool *p)
{
	struct err err = ERR_INIT;
	struct lane *l = NULL;
	struct list *it;

	list_for_each (it, &p->lanes) {
		l = list_entry(it, struct lane, link);
		if (l->hosts < LANE_HOSTS)
			return l;
	}
	it = p->lanes.prev;
	l = lane_new(p, &err);
	if (l)
		return l;
	log_warn("no other handle for connections", LE(&err));
	return list_entry(it, struct lane, link);
}

struct http_client *http_pool_take(struct http_pool *p)
{
	struct lane *l = lane_with_room(p);

	l->hosts++;
	return l->client;
}

void http_pool_give(struct http_pool *p, struct http_client *c)
{
	struct list *it;

	list_for_each (it, &p->lanes) {
		struct lane *l = list_entry(it, struct lane, link);

		if (l->client == c) {
			l->hosts--;
			return;
		}
	}
}

unsigned http_pool_size(const struct http_pool *p)
{
	unsigned n = 0;
	struct list *it;

	list_for_each (it, &p->lanes)
		n++;
	return n;
}
