/*
 * A small world for the zones' state machine on a virtual clock: pods that are probed as
 * signal/model_probe.h does, a route that follows. Include it after cmocka.
 */
#ifndef TESTS_FAILOVER_WORLD_H
#define TESTS_FAILOVER_WORLD_H

#include "tidegate/base/str.h"
#include "tidegate/failover/zone.h"

#define TICK_MS  100
#define START_MS 1700000000000
#define PODS_MAX 20
#define TIMEOUT  1000
#define DOUBT    700
#define PERIOD   1000
#define CONFIRM  3

struct pod {
	bool gone;       /* packets vanish */
	bool refuses;    /* answers at once, badly */
	bool served;     /* clients are answered by it, for all that its probes do */
	int64_t next_ms; /* start of the next probe */
	int64_t end_ms;  /* of the probe under way; 0 = none */
	bool answers;    /* it was there when the probe began */
	unsigned failures;
	int64_t good_ms;
};

static struct world {
	int64_t now;
	struct mdep m;
	struct mdep_zone_status records[MDEP_ZONES_MAX]; /* its status's */
	struct pod pods[3][PODS_MAX];
	int per_zone, zones, pods_of[3]; /* of a zone, per_zone at most */
	unsigned loss;                   /* of 1000 probes */
	int64_t delay_ms;                /* of an answer, and what comes on top at random */
	unsigned jitter_ms;
	uint64_t seed;
	bool route[3]; /* carries the zone; follows the percent by 300 ms */
	int64_t route_ms[3];
	unsigned evacuations;
	char events[2048];
	const char *evacuate, *give_back; /* orders that stand there, until they are settled */
	struct zone_shift shifts[3];
	const char *misses[3]; /* objective */
	const char *worse[3];  /* in the judge's words */
	bool zone_dark[3], room[3];
	bool shifts_unread;
	char reason[FAILOVER_TEXT_MAX];
	struct failover_answer answer; /* to the last order */
} w;

static const char *const names[] = {"a", "b", "c"};

static inline unsigned draw(unsigned n)
{
	w.seed = w.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(w.seed >> 33) % n;
}

static inline void world(int zones, int per_zone)
{
	memset(&w, 0, sizeof(w));
	w.now = START_MS;
	w.m.status.zones = w.records;
	w.seed = 7;
	w.zones = zones;
	w.per_zone = per_zone;
	w.m.replicas = zones * per_zone;
	w.m.failover.min_capacity = 60;
	w.m.failover.recover_after_ms = 60000;
	w.m.failover.ramp_ms = 40000;
	for (int z = 0; z < zones; z++) {
		w.route[z] = true;
		w.pods_of[z] = PODS_MAX;
		for (int i = 0; i < per_zone; i++) {
			w.pods[z][i].next_ms = w.now + (int64_t)draw(PERIOD);
			w.pods[z][i].good_ms = w.now;
		}
	}
}

static inline void probe_end(struct pod *p)
{
	bool ok = p->answers && draw(1000) >= w.loss;

	p->failures = ok ? 0 : p->failures + 1;
	p->good_ms = !ok ? 0 : p->good_ms ? p->good_ms : w.now;
	p->end_ms = 0;
	if (ok || p->failures >= CONFIRM)
		p->next_ms = w.now + PERIOD;
	else
		p->next_ms = p->refuses ? w.now + 300 : w.now;
}

static inline void probe_pod(struct pod *p)
{
	int64_t limit = p->failures && p->failures < CONFIRM ? DOUBT : TIMEOUT;
	int64_t takes = TICK_MS + w.delay_ms + (w.jitter_ms ? (int64_t)draw(w.jitter_ms + 1) : 0);

	if (p->end_ms && w.now >= p->end_ms)
		probe_end(p);
	if (p->end_ms || w.now < p->next_ms)
		return;
	p->answers = !p->gone && !p->refuses && takes <= limit;
	p->end_ms = w.now + (p->gone || takes > limit ? limit : takes);
}

static inline struct zone_facts facts_of(int z)
{
	struct zone_facts f = {.name = names[z],
	                       .in_route = w.route[z],
	                       .shift = w.shifts[z],
	                       .misses = w.misses[z],
	                       .worse = w.worse[z],
	                       .dark = w.zone_dark[z],
	                       .room = w.room[z]};

	for (int i = 0; i < w.per_zone && i < w.pods_of[z]; i++) {
		const struct pod *p = &w.pods[z][i];

		f.pods++;
		f.shaky += p->failures > 0;
		f.failing += p->failures >= CONFIRM;
		f.served += p->failures >= CONFIRM && p->served;
		f.ready += !p->failures;
		if (i == 0 || !p->good_ms || (f.good_since_ms && p->good_ms > f.good_since_ms))
			f.good_since_ms = p->good_ms;
	}
	return f;
}

static inline enum zone_state state(int z)
{
	const struct mdep_zone_status *s = mdep_zone_find(&w.m.status, names[z]);

	return s ? s->state : ZONE_HEALTHY;
}

static inline int percent(int z)
{
	const struct mdep_zone_status *s = mdep_zone_find(&w.m.status, names[z]);

	return s ? mdep_zone_percent(s) : 100;
}

static inline void note_events(const struct failover_plan *plan)
{
	size_t used = strlen(w.events);

	for (unsigned i = 0; i < plan->nevents; i++) {
		w.evacuations += str_eq(plan->events[i].reason, "ZoneEvacuating") ||
		                 str_eq(plan->events[i].reason, "MissesObjective") ||
		                 str_eq(plan->events[i].reason, "ZoneRelapsed");
		used += (size_t)snprintf(w.events + used, sizeof(w.events) - used, "%s:%s%s%s ",
		                         plan->events[i].zone, plan->events[i].reason,
		                         plan->events[i].worse ? " " : "",
		                         str_or(plan->events[i].worse, ""));
		assert_true(used < sizeof(w.events));
	}
}

static inline bool by_people(int z)
{
	const struct mdep_zone_status *s = mdep_zone_find(&w.m.status, names[z]);

	return s && (str_eq(s->reason, "Ordered") || str_eq(s->reason, "Returned"));
}

/* Never all zones, never two at once by our own doing. */
static inline void check_invariants(void)
{
	int out = 0, all = 0;

	for (int z = 0; z < w.zones; z++) {
		out += percent(z) == 0 && !by_people(z);
		all += percent(z) == 0;
	}
	assert_true(out <= 1);
	assert_true(all < w.zones);
}

/* An order that was carried out or ignored stands there no more; one that is pending does. */
static inline void settle(const char **order, const struct failover_answer *a)
{
	if (!a->outcome)
		return;
	w.answer = *a;
	if (!str_eq(a->outcome, "Pending"))
		*order = NULL;
}

static inline void look(bool blind)
{
	struct zone_facts facts[3];
	struct failover_input in = {.now_ms = w.now,
	                            .mdep = &w.m,
	                            .zones = facts,
	                            .nzones = (unsigned)w.zones,
	                            .blind = blind,
	                            .shifts_known = !w.shifts_unread,
	                            .evacuate = w.evacuate,
	                            .give_back = w.give_back};
	struct failover_plan plan;

	for (int z = 0; z < w.zones; z++)
		facts[z] = facts_of(z);
	failover_step(&in, &plan);
	note_events(&plan);
	w.m.status.nzones = plan.nzones;
	memcpy(w.records, plan.zones, sizeof(plan.zones));
	for (unsigned i = 0; i < plan.nzones; i++)
		if (w.records[i].ordered_reason == plan.reason) {
			str_copy(w.reason, sizeof(w.reason), plan.reason);
			w.records[i].ordered_reason = w.reason;
		}
	settle(&w.evacuate, &plan.evacuate);
	settle(&w.give_back, &plan.give_back);
	check_invariants();
}

static inline void move_route(int z)
{
	bool want = percent(z) > 0;

	if (want == w.route[z])
		w.route_ms[z] = 0;
	else if (!w.route_ms[z])
		w.route_ms[z] = w.now + 300;
	else if (w.now >= w.route_ms[z])
		w.route[z] = want;
}

static inline void run(int64_t ms)
{
	for (int64_t end = w.now + ms; w.now < end; w.now += TICK_MS) {
		for (int z = 0; z < w.zones; z++)
			for (int i = 0; i < w.per_zone; i++)
				probe_pod(&w.pods[z][i]);
		for (int z = 0; z < w.zones; z++)
			move_route(z);
		look(false);
	}
}

static inline void dark(int z, bool gone)
{
	for (int i = 0; i < w.per_zone; i++)
		w.pods[z][i].gone = gone;
}

static inline int64_t until_out(int z, int64_t limit)
{
	int64_t from = w.now;

	while (w.route[z]) {
		if (w.now - from > limit)
			fail_msg("zone %s still has traffic after %lld ms: %s", names[z],
			         (long long)limit, w.events);
		run(TICK_MS);
	}
	return w.now - from;
}

#endif
