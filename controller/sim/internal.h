/*
 * What the files of sim/ share.
 *
 * store.c   objects, versions, history, owners
 * api.c     requests: parsing, writes, answers, faults
 * list.c    lists, also page by page
 * watch.c   watches
 * world.c   the rest of the cluster (world.h)
 * cluster.c clock, loop, API server, the operator's processes
 * run.c     one seed (run_priv.h)
 */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"
#include "tidegate/sim/api.h"

#define SIM_TEXT_MAX ((size_t)4 << 20)

struct sim_kind {
	const char *api, *resource, *kind, *version;
	bool cluster_scoped;
};
extern const struct sim_kind sim_kinds[SIM_RESOURCES];

/* One version of an object, as all are told it: whoever may need it later shares it. */
struct sim_text {
	unsigned users;
	size_t len;
	char s[];
};

static inline struct sim_text *text_share(struct sim_text *t)
{
	t->users++;
	return t;
}

static inline void text_drop(struct sim_text *t)
{
	if (t && !--t->users)
		free(t);
}

/* One change, as watches tell it. */
struct sim_change {
	uint64_t rv;
	enum sim_resource resource;
	const char *type; /* ADDED, MODIFIED, DELETED */
	struct sim_text *text;
};

struct sim_call {
	struct list link;
	struct sim_api *api;
	struct http_call *http;
	struct http_sent sent;
	const char *agent; /* the process that asks */
	struct timer timer;
	/* A watch: what it was told up to. */
	bool watching;
	enum sim_resource resource;
	uint64_t cursor;
	char *selector; /* "key=value", NULL = all */
	int64_t ends_ms, bookmark_ms;
	int64_t silent_until_ms; /* it hangs */
	bool initial;
};

struct sim_api {
	struct loop *loop;
	struct sim_hooks hooks;
	struct list objects[SIM_RESOURCES];
	struct map by_key[SIM_RESOURCES]; /* "namespace/name" */
	struct list calls;
	struct list continued; /* lists of which pages are to come */
	uint64_t rv, floor;    /* newest version; oldest that a watch may resume from */
	struct sim_change *history;
	size_t nhistory, cap;
	uint64_t changes; /* objects written, or gone */
	unsigned serial;
	struct buf key, text, answer; /* scratch */
};

/* store.c */
enum store_how { STORE_MERGE, STORE_REPLACE, STORE_APPLY };
/* Writes `over` into `old` (NULL: a new object); status_only: the status subresource. */
struct sim_object *store_write(struct sim_api *s, enum sim_resource r, struct sim_object *old,
                               const struct json *over, enum store_how how, bool status_only,
                               const char *ns);
void store_free_object(struct sim_api *s, struct sim_object *o);

/* api.c */
/* False: the call gets no answer. */
bool sim_connected(const struct sim_call *c);
void sim_refuse(struct sim_call *c, int status, const char *reason);

/* list.c */
void list_answer(struct sim_call *c, enum sim_resource r, const char *query);
/* Every token has expired. */
void list_forget(struct sim_api *s);

/* watch.c */
bool watch_selects(const struct json *json, const char *selector);
void watch_open(struct sim_call *c, enum sim_resource r, const char *query);
/* Version up to which every watch has been told. */
uint64_t watch_told(const struct sim_api *s);
void watch_wake_all(struct sim_api *s, enum sim_resource r);
char *query_value(const char *query, const char *name);

/* budget.c: a PodDisruptionBudget would be broken. A pod that is not Ready breaks none. */
bool sim_budget_guards(struct sim_api *s, const struct sim_object *pod);

#endif
