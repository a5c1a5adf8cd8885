#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define GRACE_MS     1000
#define TICK_MS      500
#define SCRAPE_MS    1000
#define PLANS_MAX    60 /* at one instant */
#define START_MS     1700000000000
#define DRAIN_MIN_MS 3000

#define CHECK(w, cond, ...)                                                                        \
	do {                                                                                       \
		if (!(cond))                                                                       \
			world_fail(w, __LINE__, __VA_ARGS__);                                      \
	} while (0)

static bool pod_live(const struct world_pod *p)
{
	return p->used && !p->pod.meta.deleted_ms;
}

static bool pod_serves(const struct world_pod *p)
{
	return pod_live(p) && p->pod.ready && pod_is_in_service(&p->pod);
}

static int cell_pods(const struct world *w, int cell, bool (*is)(const struct world_pod *))
{
	int n = 0;

	for (unsigned i = 0; i < WORLD_PODS; i++)
		n += w->pods[i].cell == cell && is(&w->pods[i]);
	return n;
}

static int weight_of(const struct world_share *s, unsigned n, int cell)
{
	int sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += s[i].cell == cell ? s[i].weight : 0;
	return sum;
}

static void print_cells(const struct world *w)
{
	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used)
			print_error("cell %s/%s: spec %d pods %d in service %d route %d plane %d\n",
			            w->cells[i].revision, w->cells[i].zone, w->cells[i].spec,
			            cell_pods(w, i, pod_live), cell_pods(w, i, pod_serves),
			            weight_of(w->route, w->nroute, i),
			            weight_of(w->plane, w->nplane, i));
}

static void __attribute__((format(printf, 3, 4), noreturn))
world_fail(const struct world *w, int line, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error("world.c:%d seed %" PRIu64 " at +%" PRId64 " ms, phase %s: %s\n", line, w->seed,
	            w->now - w->start_ms, rollout_phase_name(w->m.status.phase), text);
	print_error("R=%d surge=%d%s unavailable=%d%s zones=%u steps=%u; stable %s target %s\n",
	            w->m.replicas, w->m.max_surge.value, w->m.max_surge.percent ? "%" : "",
	            w->m.max_unavailable.value, w->m.max_unavailable.percent ? "%" : "",
	            w->m.nzones, w->m.nsteps, str_or(w->m.status.stable, "-"),
	            str_or(w->m.status.target, "-"));
	print_cells(w);
	print_error("message: %s\nstory: %s\n", str_or(w->m.status.message, ""), w->story);
	fail();
	abort();
}

/* splitmix64 */
uint64_t world_random(struct world *w, uint64_t below)
{
	uint64_t z = (w->rng += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return below ? (z ^ (z >> 31)) % below : 0;
}

/* --- making ------------------------------------------------------------------------------ */

void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = w->rng = seed;
	w->start_ms = w->now = START_MS;
	w->m.zones = w->zones_of_spec;
	w->m.slo.objectives = w->objectives_of_spec;
	w->m.orders = w->order_values;
	w->m.meta.name = "ranker";
	w->m.meta.namespace = "shop";
	w->m.meta.generation = 1;
	w->m.replicas = 4;
	w->m.max_surge.value = 1;
	w->m.progress_deadline_ms = 600000;
	w->m.drain_ms = 3000;
	w->m.revision_history_limit = 2;
	w->m.traffic = TRAFFIC_HTTPROUTE;
	w->m.steps_hash = "none";
	w->m.canary.enabled = true;
	w->m.canary.on_no_data = NO_DATA_HOLD;
	w->load_ms = 2000;
	w->end_ms = 1000;
	w->accept_ms = 200;
	w->follow_ms = 500;
	w->forced_permille = -1;
	w->quiet_ms = -1;
	w->min_ready = 1 << 30;
	for (int i = 0; i < 2; i++)
		arena_init(&w->status_arena[i], 16384);
	arena_init(&w->arena, 16384);
	world_spec(w, "aaaaaaaaaa", "v1");
}

void world_release(struct world *w)
{
	for (int i = 0; i < 2; i++)
		arena_release(&w->status_arena[i]);
	arena_release(&w->arena);
}

void world_touch(struct world *w)
{
	w->m.meta.generation++;
	w->dirty = true;
}

void world_spec(struct world *w, const char *revision, const char *version)
{
	str_copy(w->m.revision, sizeof(w->m.revision), revision);
	str_copy(w->version, sizeof(w->version), version);
	w->m.model.version = w->version;
	world_touch(w);
}

void world_steps(struct world *w, const struct mdep_step *steps, unsigned n)
{
	static const char *const hashes[] = {"h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7"};

	if (n)
		memcpy(w->steps, steps, n * sizeof(*steps));
	w->m.steps = w->steps;
	w->m.nsteps = n;
	w->m.steps_hash = hashes[w->m.meta.generation % 8];
	world_touch(w);
}

void world_zones(struct world *w, unsigned n)
{
	w->m.nzones = n;
	for (unsigned i = 0; i < n; i++) {
		snprintf(w->zone_names[i], sizeof(w->zone_names[i]), "z%u", i);
		w->m.zones[i] = (struct mdep_zone){.name = w->zone_names[i], .weight = 1};
	}
	world_touch(w);
}

void world_order(struct world *w, enum mdep_verb verb, const char *value)
{
	if (value)
		str_copy(w->orders[verb], sizeof(w->orders[verb]), value);
	w->order_values[verb] = value ? w->orders[verb] : NULL;
	w->done_orders[verb] = 0;
	w->dirty = true;
}

/* --- looking ----------------------------------------------------------------------------- */

static int revision_pods(const struct world *w, const char *revision,
                         bool (*is)(const struct world_pod *))
{
	int n = 0;

	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used && (!revision || str_eq(w->cells[i].revision, revision)))
			n += cell_pods(w, i, is);
	return n;
}

int world_pods(const struct world *w, const char *revision)
{
	return revision_pods(w, revision, pod_live);
}

int world_ready(const struct world *w, const char *revision)
{
	return revision_pods(w, revision, pod_serves);
}

int world_share(const struct world *w, const char *revision)
{
	int sum = 0;

	for (unsigned i = 0; i < w->nroute; i++)
		if (str_eq(w->cells[w->route[i].cell].revision, revision))
			sum += w->route[i].weight;
	return sum;
}

int world_plan_share(const struct world *w, const char *revision)
{
	int sum = 0;

	for (unsigned i = 0; i < w->plan.nweights; i++)
		if (str_eq(w->plan.weights[i].revision, revision))
			sum += w->plan.weights[i].weight;
	return sum;
}

unsigned world_count(const struct world *w, const char *reason)
{
	unsigned n = 0;
	size_t len = strlen(reason);

	for (const char *s = w->story; (s = strstr(s, reason)); s += len)
		n += (s == w->story || s[-1] == ' ') && s[len] == ' ';
	return n;
}

bool world_saw(const struct world *w, const char *reason)
{
	return world_count(w, reason) > 0;
}

const struct mdep_condition *world_condition(const struct world *w, const char *type)
{
	return mdep_condition_get(&w->m.status, type);
}

struct world_pod *world_pod_of(struct world *w, const char *revision, unsigned nth)
{
	for (unsigned i = 0; i < WORLD_PODS; i++)
		if (pod_live(&w->pods[i]) && str_eq(w->cells[w->pods[i].cell].revision, revision) &&
		    nth-- == 0)
			return &w->pods[i];
	return NULL;
}

bool world_cell_exists(const struct world *w, const char *revision)
{
	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used && str_eq(w->cells[i].revision, revision))
			return true;
	return false;
}

static int find_cell(const struct world *w, const char *revision, const char *zone)
{
	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used && str_eq(w->cells[i].revision, revision) &&
		    str_eq(w->cells[i].zone, zone))
			return i;
	return -1;
}

/* In a zone that was left: such pods stay, and count for nothing. */
static bool is_out(const struct world *w, int cell)
{
	for (unsigned i = 0; i < w->zones.n; i++)
		if (str_eq(w->zones.v[i].name, w->cells[cell].zone))
			return mdep_zone_is_out(&w->zones.v[i]);
	return false;
}

/* Pods that exist, are asked for, or still end: what occupies cards. */
static int occupied(const struct world *w)
{
	int n = 0;

	for (int i = 0; i < WORLD_CELLS; i++) {
		int live = w->cells[i].used ? cell_pods(w, i, pod_live) : 0;

		if (w->cells[i].used && w->cells[i].spec > live && !is_out(w, i))
			n += w->cells[i].spec - live;
	}
	for (unsigned i = 0; i < WORLD_PODS; i++)
		n += w->pods[i].used && !is_out(w, w->pods[i].cell);
	return n;
}

/* --- ReplicaSet controller and kubelets -------------------------------------------------- */

static void create_pod(struct world *w, int cell)
{
	struct world_pod *p = NULL;

	for (unsigned i = 0; i < WORLD_PODS && !p; i++)
		if (!w->pods[i].used)
			p = &w->pods[i];
	CHECK(w, p, "no room for another pod");
	memset(p, 0, sizeof(*p));
	p->used = true;
	p->cell = cell;
	snprintf(p->name, sizeof(p->name), "%s-%05u", w->cells[cell].revision, w->serial++);
	p->pod.meta.name = p->pod.meta.key = p->name;
	p->pod.in_service = "true";
	p->pod.phase = POD_PENDING;
	p->pod.meta.created_ms = w->now / 1000 * 1000;
	p->runs_ms = w->now + TICK_MS;
	if (!str_eq(w->cells[cell].revision, w->broken))
		p->ready_ms = p->runs_ms + w->load_ms +
		              (int64_t)world_random(w, (uint64_t)w->load_jitter_ms + 1);
	w->dirty = true;
}

static void end_pod(struct world *w, struct world_pod *p)
{
	p->pod.meta.deleted_ms = w->now + GRACE_MS;
	p->gone_ms = w->now + w->end_ms;
	w->dirty = true;
}

void world_kill(struct world *w, struct world_pod *p)
{
	end_pod(w, p);
}

/* Lower goes first: pending, not ready, deletion cost (ours: leaving pods), younger. */
static int keep_rank(const struct world_pod *p)
{
	if (p->pod.phase == POD_PENDING)
		return 0;
	if (!p->pod.ready)
		return 1;
	return p->pod.leaving_since_ms ? 2 : 3;
}

static struct world_pod *next_victim(struct world *w, int cell)
{
	struct world_pod *v = NULL;

	for (unsigned i = 0; i < WORLD_PODS; i++) {
		struct world_pod *p = &w->pods[i];

		if (p->cell == cell && pod_live(p) && (!v || keep_rank(p) < keep_rank(v)))
			v = p;
	}
	return v;
}

static void replicaset_controller(struct world *w)
{
	int64_t drain = w->slices && w->quiet_ms >= 0 ? DRAIN_MIN_MS : w->m.drain_ms;

	for (int i = 0; i < WORLD_CELLS; i++) {
		int live;

		if (!w->cells[i].used)
			continue;
		live = cell_pods(w, i, pod_live);
		for (; live < w->cells[i].spec; live++)
			create_pod(w, i);
		for (; live > w->cells[i].spec; live--) {
			struct world_pod *v = next_victim(w, i);

			CHECK(w, !pod_serves(v), "a pod in service is deleted (%s)", v->name);
			CHECK(w, !v->pod.ready || !v->listed_ms,
			      "a pod left while it is an endpoint");
			CHECK(w, !v->pod.ready || w->now - v->pod.leaving_since_ms >= drain,
			      "%s is deleted before it has drained", v->name);
			end_pod(w, v);
		}
	}
}

static void endpoints(struct world *w)
{
	for (unsigned i = 0; i < WORLD_PODS; i++) {
		struct world_pod *p = &w->pods[i];
		bool serves = pod_serves(p);

		if (!p->used || !w->slices)
			continue;
		if (serves != p->serves) {
			p->serves = serves;
			p->turned_ms = w->now;
		}
		if ((p->listed_ms != 0) != serves && w->now >= p->turned_ms + w->list_ms) {
			p->listed_ms = serves ? w->now : 0;
			p->turned_ms = w->now;
			w->dirty = true;
		}
		if (!serves && w->quiet_ms >= 0 && w->now == p->turned_ms + w->quiet_ms)
			w->dirty = true;
	}
}

/* What of all cards is in the zone. */
static int cards_in(const struct world *w, const char *zone)
{
	int weights[MDEP_ZONES_MAX], cards[MDEP_ZONES_MAX];

	for (unsigned i = 0; i < w->m.nzones; i++)
		weights[i] = w->m.zones[i].weight;
	replicas_split(w->cards, weights, w->m.nzones, cards);
	for (unsigned i = 0; i < w->m.nzones; i++)
		if (str_eq(w->m.zones[i].name, zone))
			return cards[i] + (i == w->spare_zone ? w->spare_cards : 0);
	return w->cards;
}

static int lower_cards(const struct world *w, const char *zone)
{
	return w->lower_cards && str_eq(zone, w->m.zones[w->lower_zone].name) ? w->lower_cards : 0;
}

static int free_cards(const struct world *w, const char *zone)
{
	int n = w->cards_tied ? cards_in(w, zone) - lower_cards(w, zone) : w->cards;

	for (unsigned i = 0; i < WORLD_PODS; i++)
		n -= w->pods[i].used && w->pods[i].pod.scheduled &&
		     (!w->cards_tied || str_eq(w->cells[w->pods[i].cell].zone, zone));
	return n;
}

static bool has_card(const struct world *w, const struct world_pod *p)
{
	return !w->cards || free_cards(w, w->cells[p->cell].zone) > 0;
}

/* As few other pods as that have a card that one more is a replica, and no surge. */
static bool lacks_replicas(const struct world *w)
{
	int n = 0;

	for (unsigned i = 0; i < WORLD_PODS; i++)
		n += pod_live(&w->pods[i]) && w->pods[i].pod.scheduled &&
		     !w->pods[i].pod.leaving_since_ms && !is_out(w, w->pods[i].cell);
	return n < w->m.replicas;
}

static bool could_win(const struct world *w, const char *zone)
{
	return w->cards && lower_cards(w, zone) > 0 && lacks_replicas(w);
}

static bool finds_card(struct world *w, const struct world_pod *p)
{
	if (has_card(w, p))
		return true;
	if (is_out(w, p->cell) || !could_win(w, w->cells[p->cell].zone))
		return false;
	w->lower_cards--;
	return true;
}

static void run_pod(struct world *w, struct world_pod *p)
{
	const char *before = p->pod.reason;

	p->pod.reason = finds_card(w, p) ? NULL : "Unschedulable";
	if (p->pod.reason) {
		w->dirty = w->dirty || !before;
		return;
	}
	/* Loading begins now, however long it waited for its card. */
	if (p->ready_ms)
		p->ready_ms += w->now - p->runs_ms;
	p->pod.phase = POD_RUNNING;
	p->pod.scheduled = true;
	w->dirty = true;
}

static void kubelets(struct world *w)
{
	for (unsigned i = 0; i < WORLD_PODS; i++) {
		struct world_pod *p = &w->pods[i];

		if (!p->used)
			continue;
		if (p->gone_ms && w->now >= p->gone_ms) {
			p->used = false;
			w->dirty = true;
		} else if (p->pod.phase == POD_PENDING && w->now >= p->runs_ms) {
			run_pod(w, p);
		} else if (p->ready_ms && !p->pod.ready && w->now >= p->ready_ms && !p->gone_ms) {
			p->pod.ready = true;
			p->pod.ready_since_ms = w->now;
			w->dirty = true;
		}
	}
}

static void upset(struct world *w)
{
	struct world_pod *p = &w->pods[world_random(w, WORLD_PODS)];

	if (!pod_live(p))
		return;
	if (world_random(w, 2)) {
		end_pod(w, p);
	} else if (p->pod.ready) {
		p->pod.ready = false;
		p->pod.ready_since_ms = 0;
		p->ready_ms = w->now + 1000 + (int64_t)world_random(w, 4000);
		w->dirty = true;
	}
}

/* --- data plane -------------------------------------------------------------------------- */

static void write_route(struct world *w)
{
	const struct rollout_plan *plan = &w->plan;
	struct world_share next[MDEP_WEIGHTS_MAX];
	unsigned n = plan->nweights;
	bool target;

	for (unsigned i = 0; i < n; i++) {
		next[i].cell = find_cell(w, plan->weights[i].revision, plan->weights[i].zone);
		next[i].weight = plan->weights[i].weight;
		target = str_eq(plan->weights[i].revision, plan->status.target);
		next[i].chosen = target && plan->audience && plan->audience->nheaders;
		next[i].copied = target && plan->audience && plan->audience->mirror;
		CHECK(w, next[i].cell >= 0, "weight on a cell that does not exist");
	}
	if (w->route_exists && n == w->nroute && !memcmp(next, w->route, n * sizeof(next[0])))
		return;
	memcpy(w->route, next, n * sizeof(next[0]));
	w->nroute = n;
	w->route_exists = true;
	w->route_writes++;
	w->written_ms = w->now;
	w->accepted_ms = w->now + w->accept_ms;
	w->effective_ms = w->now + w->follow_ms;
	w->total = w->canary = 0;
	w->counted = false;
	w->dirty = true;
}

static double plane_share(const struct world *w, const char *revision)
{
	int sum = 0, own = 0;

	for (unsigned i = 0; i < w->nplane; i++) {
		sum += w->plane[i].weight;
		if (str_eq(w->cells[w->plane[i].cell].revision, revision))
			own += w->plane[i].weight;
	}
	return sum ? (double)own / sum : 0;
}

static bool gateway_has(const struct world_pod *p, const struct world *w)
{
	if (!pod_serves(p))
		return false;
	return !w->slices || !w->hear_ms || (p->listed_ms && w->now >= p->listed_ms + w->hear_ms);
}

/* While it has none at all nobody could be asked instead. */
static bool gateway_has_endpoint(const struct world *w, int cell)
{
	bool any = false;

	for (unsigned i = 0; i < WORLD_PODS; i++) {
		bool has = gateway_has(&w->pods[i], w);

		if (has && w->pods[i].cell == cell)
			return true;
		any |= has;
	}
	return !any && cell_pods(w, cell, pod_serves);
}

static const struct world_cell *lost_cell(const struct world *w)
{
	for (unsigned i = 0; i < w->nplane; i++)
		if ((w->plane[i].weight || w->plane[i].chosen || w->plane[i].copied) &&
		    !gateway_has_endpoint(w, w->plane[i].cell))
			return &w->cells[w->plane[i].cell];
	return NULL;
}

/*
 * What a client would see: a share that goes to a cell without an endpoint is lost. That is
 * nobody's fault when pods die, when all were scaled away, or when one is swapped on its only card;
 * it counts again once everything has been in order.
 */
static void check_plane(struct world *w)
{
	const struct world_cell *c = lost_cell(w);
	bool swap = w->m.replicas <= 1 && !w->m.max_surge.value;

	if (w->chaos || swap || w->m.replicas <= 0)
		w->excused = true;
	else if (!c)
		w->excused = false;
	CHECK(w, !c || w->excused, "requests go to %s in zone \"%s\", where no pod is in service",
	      c->revision, c->zone);
}

static void data_plane(struct world *w, int64_t passed_ms)
{
	double n = w->requests_per_s * (double)passed_ms / 1000.0;

	if (w->accepted_ms && w->now >= w->accepted_ms && w->now - passed_ms < w->accepted_ms)
		w->dirty = true;
	if (w->effective_ms && w->now >= w->effective_ms) {
		memcpy(w->plane, w->route, sizeof(w->plane));
		w->nplane = w->nroute;
		w->effective_ms = 0;
	}
	check_plane(w);
	if (!w->plan.judge || n <= 0 || w->now <= w->written_ms + 300)
		return;
	w->total += n;
	w->canary += n * (w->forced_permille >= 0 ? w->forced_permille / 1000.0
	                                          : plane_share(w, w->m.status.target));
	w->counted = true;
	w->dirty = w->dirty || (w->now - w->start_ms) % SCRAPE_MS == 0;
}

/* --- snapshot ---------------------------------------------------------------------------- */

static void observe_route(const struct world *w, struct rollout_traffic *t)
{
	t->managed = w->m.traffic == TRAFFIC_HTTPROUTE;
	t->exists = w->route_exists;
	t->answers = t->managed && !w->mute;
	t->in_force = w->route_exists && !w->route_dead && (w->mute || w->now >= w->accepted_ms);
	t->written_ms = w->written_ms;
	t->canary_requests = t->total_requests = -1;
	for (unsigned i = 0; i < w->nroute; i++) {
		t->revisions[i] = w->cells[w->route[i].cell].revision;
		t->zones[i] = w->cells[w->route[i].cell].zone;
		t->weights[i] = w->route[i].weight;
		t->chosen[i] = w->route[i].chosen;
		t->copied[i] = w->route[i].copied;
	}
	t->nweights = w->nroute;
	if (w->counted && w->plan.judge) {
		t->canary_requests = (int64_t)w->canary;
		t->total_requests = (int64_t)w->total;
	}
}

static struct rollout_pod_fact fact_of(const struct world *w, const struct world_pod *p)
{
	return (struct rollout_pod_fact){
		.listed_ms = p->listed_ms,
		.idle = !p->listed_ms && p->pod.leaving_since_ms && w->quiet_ms >= 0 &&
	                w->now >= p->turned_ms + w->quiet_ms,
	};
}

static void observe_cells(const struct world *w, struct arena *a, struct rollout_snapshot *s)
{
	struct rollout_cell *cells = arena_array(a, WORLD_CELLS, sizeof(*cells));

	for (int i = 0; i < WORLD_CELLS; i++) {
		const struct world_cell *c = &w->cells[i];
		struct rollout_cell *out = &cells[s->ncells];
		struct rollout_pod_fact *facts;
		const struct pod **pods;

		if (!c->used)
			continue;
		facts = arena_array(a, WORLD_PODS, sizeof(*facts));
		pods = arena_array(a, WORLD_PODS, sizeof(*pods));
		*out = (struct rollout_cell){.revision = c->revision,
		                             .zone = c->zone,
		                             .model_version = c->version,
		                             .revision_no = c->number,
		                             .created_ms = c->created_ms,
		                             .spec = c->spec,
		                             .asked = c->asked,
		                             .edits = c->edits,
		                             .exists = true,
		                             .pods = pods,
		                             .facts = w->slices ? facts : NULL};
		for (unsigned j = 0; j < WORLD_PODS; j++) {
			if (!w->pods[j].used || w->pods[j].cell != i)
				continue;
			facts[out->npods] = fact_of(w, &w->pods[j]);
			pods[out->npods++] = &w->pods[j].pod;
		}
		s->ncells++;
	}
	s->cells = cells;
}

/* An order ends it, of which only the plan knows. */
static bool is_at_rest(const struct world *w)
{
	return w->m.status.phase == ROLLOUT_IDLE && str_eq(w->m.revision, w->m.status.stable);
}

static bool any_waits(const struct world *w)
{
	for (unsigned i = 0; i < WORLD_PODS; i++)
		if (w->pods[i].used && pod_has_no_place(&w->pods[i].pod))
			return true;
	return false;
}

/*
 * Cards that any zone may take are no zone's room; nobody asks for room while nothing is released
 * and every pod has a place.
 */
static void observe_rooms(const struct world *w, struct arena *a, struct rollout_snapshot *s)
{
	struct rollout_room *rooms = arena_array(a, MDEP_ZONES_MAX, sizeof(*rooms));
	unsigned n = w->m.nzones ? w->m.nzones : 1;

	if (!w->cards || (w->m.nzones && !w->cards_tied) || (is_at_rest(w) && !any_waits(w)))
		return;
	for (unsigned i = 0; i < n; i++) {
		const char *zone = w->m.nzones ? w->m.zones[i].name : "";
		int free = free_cards(w, zone);

		rooms[i] = (struct rollout_room){.zone = zone,
		                                 .free = free > 0 ? free : 0,
		                                 .win = free <= 0 && could_win(w, zone)};
	}
	s->rooms = rooms;
	s->nrooms = n;
}

static void snapshot(const struct world *w, struct arena *a, struct rollout_snapshot *s)
{
	*s = (struct rollout_snapshot){
		.now_ms = w->now, .mdep = &w->m, .taken = w->taken, .takeover = w->takeover};
	observe_cells(w, a, s);
	observe_rooms(w, a, s);
	observe_route(w, &s->traffic);
	s->judgement = (struct rollout_judgement){
		.can_judge = w->requests_per_s > 0 && !w->judge_gone,
		.judging = w->plan.judge && w->requests_per_s > 0 && !w->no_judge,
		.verdict = w->verdict,
		.score = w->verdict == VERDICT_FAIL ? 10 : 100 - w->doubt,
		.text = "canary errors 9 % vs 1 %",
		.groups = w->groups,
		.ngroups = w->ngroups,
		.since_data_ms = w->no_data_ms,
		.resumed_ms = w->resumed_ms,
		.resumed_first = w->resumed_first,
		.began_ms = w->judge_began_ms,
		.began_step_ms = w->judge_began_ms > w->m.status.step_started_ms
	                                 ? w->m.status.step_started_ms
	                                 : w->judge_step_ms,
		.heard = !w->no_data_ms || w->no_data_ms + 1000 < w->now - w->judge_began_ms,
		.held = w->policy_held,
		.compared = w->disagree != NULL,
		.disagree = w->disagree && *w->disagree ? w->disagree : NULL};
	s->zones = w->zones;
	s->slo = (struct rollout_slo){.known = w->m.slo.n > 0 && w->m.status.stable,
	                              .breach = w->breach != NULL,
	                              .revision = w->breach,
	                              .text = "availability 95 %",
	                              .held = w->held,
	                              .objectives = w->objectives,
	                              .nobjectives = w->m.slo.n};
}

#include "world_plan.c"

/* --- time -------------------------------------------------------------------------------- */

void world_settle(struct world *w)
{
	for (int i = 0; w->dirty || (w->due_ms && w->now >= w->due_ms); i++) {
		CHECK(w, i < PLANS_MAX, "does not come to rest");
		w->dirty = false;
		w->due_ms = 0;
		world_plan(w);
		apply(w);
	}
	if (occupied(w) > w->max_pods)
		w->max_pods = occupied(w);
	if (world_ready(w, NULL) < w->min_ready)
		w->min_ready = world_ready(w, NULL);
}

static void tick(struct world *w)
{
	w->now += TICK_MS;
	kubelets(w);
	endpoints(w);
	if (w->chaos && !world_random(w, 8))
		upset(w);
	replicaset_controller(w);
	data_plane(w, TICK_MS);
	world_settle(w);
}

void world_run(struct world *w, int64_t ms)
{
	world_settle(w);
	for (; ms > 0; ms -= TICK_MS)
		tick(w);
}

bool world_until(struct world *w, unsigned phases, int64_t ms)
{
	world_settle(w);
	for (; ms > 0 && !(phases & PHASE_BIT(w->m.status.phase)); ms -= TICK_MS)
		tick(w);
	return phases & PHASE_BIT(w->m.status.phase);
}

void world_first_release(struct world *w)
{
	CHECK(w, world_until(w, PHASE_BIT(ROLLOUT_MOVING), 1000), "does not start");
	CHECK(w, world_until(w, PHASE_BIT(ROLLOUT_IDLE), 120000), "the first release hangs");
	CHECK(w, w->m.status.stable, "no stable revision");
	world_run(w, 5000);
	w->max_pods = 0;
	w->min_ready = 1 << 30;
}
