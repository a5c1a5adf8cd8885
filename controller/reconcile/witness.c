/*
 * Whether clients are answered by pods that do not answer our probes. A model server with a long
 * queue, or one whose status path hangs, fails every probe and serves on: leaving its zone would
 * hurt those whom it serves, and put its load on the others.
 *
 * A pod is asked for its counters from its first probe that gets no answer on, so two readings
 * lie between the first failure and the last one it takes. Of a dark zone nothing is read, and so
 * nothing is said for it.
 */
#include <string.h>

#include "internal.h"
#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/scrape.h"

#define SCRAPES_AT_ONCE 64
#define PERIOD_MS       400
/* One may be lost, which takes two turns. It is also how long evidence from before an outage can
 * delay leaving at the most. */
#define FRESH_MS   2000
#define GIVE_UP_MS 5000
/* In one reading: a golden request of another replica is no client. */
#define LEAST_ANSWERS 2
/* What fails more often than this is no service that is worth staying for. */
#define ERRORS_PERCENT 10

struct witness {
	struct mdep_operator *op;
	struct scraper *scraper;
	struct map pods; /* "ns/name" -> struct testimony */
};

struct testimony {
	struct witness *witness;
	char *pod, *mdep;   /* keys */
	struct timer timer; /* fresh: until it is no more; else until we give up */
	bool fresh;
	double requests, errors; /* lately */
};

static void testimony_free(void *arg)
{
	struct testimony *t = arg;

	timer_release(&t->timer);
	free(t->pod);
	free(t->mdep);
	free(t);
}

static void set_fresh(struct testimony *t, bool fresh)
{
	timer_start(&t->timer, fresh ? FRESH_MS : GIVE_UP_MS);
	if (t->fresh == fresh)
		return;
	t->fresh = fresh;
	voter_hurry(t->witness->op->voter);
	if (t->witness->op->working)
		operator_enqueue(t->witness->op, t->mdep);
}

static void on_timer(void *arg)
{
	struct testimony *t = arg;

	if (t->fresh)
		set_fresh(t, false);
	else
		witness_forget(t->witness, t->pod);
}

/* Few requests lie between two readings: those before count too, each time by half. */
static bool tells_service(struct testimony *t, const struct counts *c)
{
	t->requests = t->requests / 2 + c->requests;
	t->errors = t->errors / 2 + c->errors;
	return c->requests - c->errors >= LEAST_ANSWERS &&
	       t->errors * 100 <= t->requests * ERRORS_PERCENT;
}

static void on_reading(void *arg, const struct scrape_reading *r)
{
	struct witness *w = arg;
	struct testimony *t = map_get(&w->pods, r->pod);

	if (t && r->increment && r->increment->known && tells_service(t, r->increment))
		set_fresh(t, true);
}

static struct testimony *testimony_new(struct witness *w, const struct pod *p, const struct mdep *m)
{
	struct testimony *t = xcalloc(1, sizeof(*t));

	t->witness = w;
	t->pod = xstrdup(p->meta.key);
	t->mdep = xstrdup(m->meta.key);
	timer_init(&t->timer, w->op->loop, on_timer, t);
	map_set(&w->pods, t->pod, t);
	return t;
}

void witness_call(struct witness *w, const struct mdep *m, const struct pod *p)
{
	struct scrape_target target;
	cleanup_arena struct arena a;

	arena_init(&a, 0);
	if (map_get(&w->pods, p->meta.key) || !serving_target(w->op, &a, m, p, &target))
		return;
	timer_start(&testimony_new(w, p, m)->timer, GIVE_UP_MS);
	scraper_set(w->scraper, p->meta.key, PERIOD_MS, &target, 1);
}

void witness_forget(struct witness *w, const char *pod)
{
	struct testimony *t = map_del(&w->pods, pod);

	if (!t)
		return;
	scraper_set(w->scraper, t->pod, 0, NULL, 0);
	testimony_free(t);
}

bool witness_serves(const struct witness *w, const struct pod *p)
{
	const struct testimony *t = map_get(&w->pods, p->meta.key);

	return t && t->fresh;
}

struct witness *witness_new(struct mdep_operator *op, struct err *err)
{
	struct witness *w = xcalloc(1, sizeof(*w));

	w->op = op;
	map_init(&w->pods);
	w->scraper = scraper_new(op->loop, SCRAPES_AT_ONCE, on_reading, w, err);
	if (!w->scraper) {
		free(w);
		return NULL;
	}
	return w;
}

void witness_free(struct witness *w)
{
	if (!w)
		return;
	scraper_free(w->scraper);
	map_release(&w->pods, testimony_free);
	free(w);
}
