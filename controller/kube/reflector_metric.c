#include "reflector_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static struct list reflectors = LIST_INIT(reflectors);

static void collect(struct metric_family *f);

#define LABELS                                                                                     \
	{                                                                                          \
		"resource", "namespace"                                                            \
	}

static struct metric_family lists_family = {
	.name = "tidegate_reflector_lists_total",
	.help = "Lists asked for, WatchLists included",
	.type = METRIC_COUNTER,
	.label_names = LABELS,
};
static struct metric_family watches_family = {
	.name = "tidegate_reflector_watches_total",
	.help = "Watches started",
	.type = METRIC_COUNTER,
	.label_names = LABELS,
};
static struct metric_family relists_family = {
	.name = "tidegate_reflector_relists_total",
	.help = "Lists that became necessary after the first one, by reason",
	.type = METRIC_COUNTER,
	.label_names = {"resource", "namespace", "reason"},
};
static struct metric_family decode_errors_family = {
	.name = "tidegate_reflector_decode_errors_total",
	.help = "Objects skipped because they could not be decoded",
	.type = METRIC_COUNTER,
	.label_names = LABELS,
};
static struct metric_family age_family = {
	.name = "tidegate_reflector_last_byte_age_seconds",
	.help = "Time since the API server last sent something",
	.type = METRIC_GAUGE,
	.label_names = LABELS,
	.collect = collect,
};
static struct metric_family rv_family = {
	.name = "tidegate_reflector_resource_version",
	.help = "Newest resourceVersion seen, bookmarks included",
	.type = METRIC_GAUGE,
	.label_names = LABELS,
};
static struct metric_family objects_family = {
	.name = "tidegate_reflector_objects",
	.help = "Objects in the store",
	.type = METRIC_GAUGE,
	.label_names = LABELS,
};

static struct metric_family trouble_family = {
	.name = "tidegate_reflector_trouble_seconds",
	.help = "For how long the resource has not been available, 0 while it is",
	.type = METRIC_GAUGE,
	.label_names = LABELS,
};

/* Fills the gauges of the other three families as well: all are rendered after this one's turn. */
static void collect(struct metric_family *f)
{
	struct list *it;

	(void)f;
	list_for_each (it, &reflectors) {
		struct reflector *r = list_entry(it, struct reflector, link);
		double rv = 0;

		if (r->phase == RP_STOPPED)
			continue;
		metric_set(r->m.age, (double)(loop_now(r->loop) - r->last_byte_ms) / 1000.0);
		if (r->store->last_rv && str_to_double(r->store->last_rv, &rv))
			metric_set(r->m.rv, rv);
		metric_set(r->m.objects, (double)store_len(r->store));
		metric_set(r->m.trouble, (double)reflector_trouble_ms(r) / 1000.0);
	}
}

void reflector_metrics_init(struct reflector *r)
{
	const char *res = r->resource, *ns = r->namespace;

	/* The order counts: families are rendered in the order of their first use. */
	r->m.lists = metric_series(&lists_family, res, ns);
	r->m.watches = metric_series(&watches_family, res, ns);
	r->m.decode_errors = metric_series(&decode_errors_family, res, ns);
	r->m.age = metric_series(&age_family, res, ns);
	r->m.rv = metric_series(&rv_family, res, ns);
	r->m.objects = metric_series(&objects_family, res, ns);
	r->m.trouble = metric_series(&trouble_family, res, ns);
	list_push_back(&reflectors, &r->link);
}

void reflector_metrics_release(struct reflector *r)
{
	list_remove(&r->link);
	metric_set(r->m.age, 0);
	metric_set(r->m.objects, 0);
	metric_set(r->m.trouble, 0);
}

void reflector_count_relist(const struct reflector *r, const char *reason)
{
	metric_add(metric_series(&relists_family, r->resource, r->namespace, reason), 1);
}
