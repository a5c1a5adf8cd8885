#include "world.h"

#include <math.h>

#include "tidegate/api/names.h"
#include "tidegate/base/clock.h"

#define NORMAL_FROM 40 /* expected count from which its distribution is taken as normal */

const double users_bounds[SIM_BUCKETS] = {0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.1, 0.15,
                                          0.2,   0.3,  0.5,  1,    2,    5,    10};

/* --- drawing ------------------------------------------------------------------------------- */

static double uniform(struct world *w)
{
	return ((double)(random_next(&w->random) >> 11) + 0.5) / 9007199254740992.0;
}

static double gauss(struct world *w)
{
	double r = sqrt(-2 * log(uniform(w)));

	return r * cos(6.283185307179586 * uniform(w));
}

static double draw_poisson(struct world *w, double mean)
{
	double limit, product, n;

	if (mean <= 0)
		return 0;
	if (mean > NORMAL_FROM)
		return fmax(0, floor(mean + sqrt(mean) * gauss(w) + 0.5));
	limit = exp(-mean);
	for (n = 0, product = uniform(w); product > limit; n++)
		product *= uniform(w);
	return n;
}

/* Fewer hits have a chance below u; each count's chance follows from the one before. */
static double invert_binomial(double n, double p, double u)
{
	double hits, odds = p / (1 - p), chance = exp(n * log1p(-p));

	for (hits = 0; u > chance && hits < n; hits++) {
		u -= chance;
		chance *= odds * (n - hits) / (hits + 1);
	}
	return hits;
}

static double draw_binomial(struct world *w, double n, double p)
{
	if (n <= 0 || p <= 0)
		return 0;
	if (p >= 1)
		return n;
	if (p > 0.5)
		return n - draw_binomial(w, n, 1 - p);
	if (n * p > NORMAL_FROM)
		return fmin(n, fmax(0, floor(n * p + sqrt(n * p * (1 - p)) * gauss(w) + 0.5)));
	return invert_binomial(n, p, uniform(w));
}

/* --- counting ------------------------------------------------------------------------------ */

/* Latency is lognormal, told by its median and its 99th percentile. */
static double share_below(const struct world_behaviour *b, double t)
{
	double sigma = log(b->p99_s / b->p50_s) / 2.3263478740408408;

	if (sigma <= 1e-9)
		return t >= b->p50_s;
	return 0.5 * erfc(-log(t / b->p50_s) / (sigma * 1.4142135623730951));
}

/* Of those that are in no bucket before, the share that is in this one. */
static void fill_latency(struct world_latency *l, const struct world_behaviour *b, double slower)
{
	double below = 0;

	*l = (struct world_latency){.p50_s = b->p50_s, .p99_s = b->p99_s, .slower = slower};
	for (int i = 0; i < SIM_BUCKETS && below < 1; i++) {
		double next = share_below(b, users_bounds[i] / slower);

		l->shares[i] = (next - below) / (1 - below);
		below = next;
	}
}

static bool is_latency_of(const struct world_latency *l, const struct world_behaviour *b,
                          double slower)
{
	return l->p50_s == b->p50_s && l->p99_s == b->p99_s && l->slower == slower;
}

/* Many draws of few distributions. */
static const double *latency_shares(struct world *w, const struct world_behaviour *b, double slower)
{
	struct world_latency *l;

	for (unsigned i = 0; i < WORLD_LATENCIES; i++)
		if (is_latency_of(&w->latencies[i], b, slower))
			return w->latencies[i].shares;
	l = &w->latencies[w->next_latency++ % WORLD_LATENCIES];
	fill_latency(l, b, slower);
	return l->shares;
}

static void count_latency(struct world *w, struct sim_object *pod, double slower, double n)
{
	const double *shares = latency_shares(w, pod->world.behaviour, slower);
	double left = n;

	for (int i = 0; i < SIM_BUCKETS && left > 0; i++) {
		double hits = draw_binomial(w, left, shares[i]);

		pod->world.counts.buckets[i] += hits;
		left -= hits;
	}
	pod->world.counts.buckets[SIM_BUCKETS] += left;
}

void users_count_pod(struct world *w, struct sim_object *pod)
{
	struct sim_counts *c = &pod->world.counts;
	const struct world_zone *zone;
	int64_t now = clock_mono_ms();
	double n, errors, copies, share;
	double s = (double)(now - c->since_ms) / 1000;

	c->since_ms = now;
	if (s <= 0 || c->rate + c->copies <= 0)
		return;
	n = draw_poisson(w, c->rate * s);
	zone = world_zone_spoils(w, pod);
	share = pod->world.behaviour->errors + (zone ? zone->errors : 0);
	errors = draw_binomial(w, n, share);
	pod->world.app->tally.requests += n;
	pod->world.app->tally.errors += errors;
	copies = draw_poisson(w, c->copies * s);
	c->requests += n + copies;
	c->drawn.expected += (n + copies) * share;
	c->drawn.errors += errors + draw_binomial(w, copies, share);
	count_latency(w, pod, zone && zone->slower > 1 ? zone->slower : 1, n + copies);
}

static void count_lost(struct world *w, struct world_app *a)
{
	int64_t now = clock_mono_ms();
	double s = (double)(now - a->since_ms) / 1000;
	double dark = draw_poisson(w, a->rates.lost_dark * s);
	double release = draw_poisson(w, a->rates.lost_release * s);

	a->since_ms = now;
	a->tally.requests += dark + release;
	a->tally.lost_dark += dark;
	a->tally.lost_release += release;
}

void users_count(struct world *w)
{
	struct list *it;

	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		if (p->world.app)
			users_count_pod(w, p);
	w->tally = (struct world_tally){.requests = 0};
	list_for_each (it, &w->apps) {
		struct world_app *a = list_entry(it, struct world_app, link);

		count_lost(w, a);
		w->tally.requests += a->tally.requests;
		w->tally.errors += a->tally.errors;
		w->tally.lost_dark += a->tally.lost_dark;
		w->tally.lost_release += a->tally.lost_release;
	}
}

/* --- sharing out --------------------------------------------------------------------------- */

/* Pods of a Service that are missing because they are where nobody gets to. */
static bool pods_are_dark(struct world *w, const struct sim_object *service)
{
	const char *zone = world_label(service, TG_LABEL_ZONE);

	if (world_zone_is_dark(w, zone))
		return true;
	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		if (p->world.dark &&
		    str_eq(world_label(p, TG_LABEL_NAME), world_label(service, TG_LABEL_NAME)) &&
		    (!zone || str_eq(world_label(p, TG_LABEL_ZONE), zone)))
			return true;
	return false;
}

/* Dark pods are missed also when they were given up, and their successors are on their way. */
static unsigned look_behind(struct world *w, struct sim_object *service)
{
	unsigned n = world_endpoints(w, service);

	service->world.bereft = !n && (service->world.bereft || pods_are_dark(w, service));
	return n;
}

static void send_to(struct world *w, struct world_app *a, const char *name, int port, double rate)
{
	struct sim_object *service = sim_get(w->api, SIM_SERVICE, a->ns, name), *p = NULL;
	bool reached = service && world_is_reached_by(service, port);
	unsigned endpoints;

	if (rate <= 0)
		return;
	endpoints = reached ? look_behind(w, service) : 0;
	a->open |= endpoints > 0;
	if (!endpoints) {
		*(reached && service->world.bereft ? &a->rates.lost_dark
		                                   : &a->rates.lost_release) += rate;
		return;
	}
	while ((p = world_next_behind(w, service, p))) {
		if (p->world.dark || !p->world.app)
			a->rates.lost_dark += rate / endpoints;
		else
			p->world.counts.rate += rate / endpoints;
	}
}

/* Copies that find nobody are nobody's loss. */
static void copy_to(struct world *w, const struct sim_object *service, double rate)
{
	unsigned endpoints = service ? world_endpoints(w, service) : 0;
	struct sim_object *p = NULL;

	while (endpoints && (p = world_next_behind(w, service, p)))
		p->world.counts.copies += rate / endpoints;
}

static double sum_of(const struct world_split *s)
{
	double sum = 0;

	for (unsigned i = 0; i < s->n; i++)
		sum += (double)s->v[i].weight;
	return sum;
}

static void send_by_rule(struct world *w, struct world_app *a, const struct world_rule *r,
                         double rate)
{
	double sum = sum_of(&r->answers), copies = sum_of(&r->copies);

	for (unsigned i = 0; i < r->answers.n && sum > 0; i++)
		send_to(w, a, r->answers.v[i].service, r->answers.v[i].port,
		        rate * (double)r->answers.v[i].weight / sum);
	if (sum <= 0)
		a->rates.lost_release += rate;
	for (unsigned i = 0; i < r->copies.n && copies > 0; i++)
		copy_to(w, sim_get(w->api, SIM_SERVICE, a->ns, r->copies.v[i].service),
		        rate * r->copied * (double)r->copies.v[i].weight / copies);
}

/* People's route may lead to all pods at any time, and find them missing for what was before. */
static void look_behind_all(struct world *w, const struct world_app *a)
{
	struct sim_object *service = sim_get(w->api, SIM_SERVICE, a->ns, a->name);

	if (service)
		look_behind(w, service);
}

static void share_app(struct world *w, struct world_app *a)
{
	double audience = a->rules[1].answers.n ? a->rate * a->audience : 0;

	a->rates = (struct world_tally){.requests = 0};
	if (!sim_get(w->api, SIM_MDEP, a->ns, a->name))
		return;
	look_behind_all(w, a);
	if (!a->driven) {
		send_to(w, a, a->name, 0, a->rate);
	} else {
		send_by_rule(w, a, &a->rules[0], a->rate - audience);
		send_by_rule(w, a, &a->rules[1], audience);
	}
	if (!a->open)
		a->rates = (struct world_tally){.requests = 0};
}

void users_share(struct world *w)
{
	struct list *it;

	for (struct sim_object *p = sim_next(w->api, SIM_POD, NULL); p;
	     p = sim_next(w->api, SIM_POD, p))
		p->world.counts.rate = p->world.counts.copies = 0;
	list_for_each (it, &w->apps)
		share_app(w, list_entry(it, struct world_app, link));
}
