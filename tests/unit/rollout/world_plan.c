/* Part of world.c: one plan, its checks, and its application with or without a crash in it. */
/* --- one plan ---------------------------------------------------------------------------- */

/* Everything that a plan says, as text. */
static void describe(const struct world *w, const struct rollout_plan *p, struct buf *b)
{
	buf_reset(b);
	mdep_status_encode(&w->m, &p->status, b);
	for (unsigned i = 0; i < p->ncells; i++)
		buf_addf(b, "\ncell %s/%s %d %d %d", p->cells[i].revision, p->cells[i].zone,
		         p->cells[i].replicas, p->cells[i].remove, p->cells[i].restore);
	for (unsigned i = 0; i < p->npods; i++)
		buf_addf(b, "\npod %s %d", p->pods[i].pod->meta.name, p->pods[i].leave);
	for (unsigned i = 0; i < p->nweights; i++)
		buf_addf(b, "\nweight %s/%s %d", p->weights[i].revision, p->weights[i].zone,
		         p->weights[i].weight);
	for (unsigned i = 0; i < p->nevents; i++)
		buf_addf(b, "\nevent %s %s", p->events[i].reason, p->events[i].note);
	buf_addf(b, "\naudience %d judge %d requeue %" PRId64, p->audience != NULL, p->judge,
	         p->requeue_ms);
}

static void check_weights(const struct world *w)
{
	const struct rollout_plan *p = &w->plan;
	int sum = 0;

	for (unsigned i = 0; i < p->nweights; i++) {
		int cell = find_cell(w, p->weights[i].revision, p->weights[i].zone);

		sum += p->weights[i].weight;
		CHECK(w, p->weights[i].weight >= 0, "negative weight");
		CHECK(w, cell >= 0 && cell_pods(w, cell, pod_serves) > 0,
		      "weight %d on %s/%s, which has no pod in service", p->weights[i].weight,
		      p->weights[i].revision, p->weights[i].zone);
	}
	CHECK(w, !p->nweights || sum == 10000, "weights sum to %d", sum);
	CHECK(w, !p->audience || world_ready(w, p->status.target) > 0,
	      "an audience without a pod that answers it");
}

static void check_requeue(const struct world *w)
{
	const struct rollout_plan *p = &w->plan;

	CHECK(w, p->requeue_ms == 0 || p->requeue_ms >= 50, "requeue in %" PRId64 " ms",
	      p->requeue_ms);
}

static void check_same(struct world *w, const struct rollout_snapshot *s)
{
	struct arena arena;
	struct rollout_plan again;
	struct buf one, two;

	arena_init(&arena, 16384);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	rollout_plan(s, &arena, &again);
	describe(w, &w->plan, &one);
	describe(w, &again, &two);
	CHECK(w, str_eq(one.data, two.data), "the same snapshot gave two plans");
	buf_release(&one);
	buf_release(&two);
	arena_release(&arena);
}

void world_plan(struct world *w)
{
	struct rollout_snapshot s;

	arena_reset(&w->arena);
	snapshot(w, &w->arena, &s);
	rollout_plan(&s, &w->arena, &w->plan);
	if (w->plans++ % 16 == 0)
		check_same(w, &s);
	check_weights(w);
	check_requeue(w);
}

/* --- applying ---------------------------------------------------------------------------- */

/* True when it differs from what is stored, which is an event for the controller. */
static bool write_status(struct world *w)
{
	struct arena *a = &w->status_arena[w->status_turn ^ 1];
	struct err err = ERR_INIT;
	const struct json *json;
	struct buf b;

	buf_init(&b, 1 << 20);
	CHECK(w, !mdep_status_encode(&w->m, &w->plan.status, &b), "status does not fit");
	if (w->m.has_status && str_eq(b.data, w->stored)) {
		buf_release(&b);
		return false;
	}
	w->status_turn ^= 1;
	arena_reset(a);
	w->stored = arena_strdup(a, b.data);
	json = json_parse(a, b.data, b.len, &err);
	CHECK(w, json, "status is not JSON: %s", err.msg);
	mdep_status_decode(json_get(json, "status"), &w->m.status, a);
	w->m.has_status = true;
	w->status_writes++;
	buf_release(&b);
	return true;
}

static void note_events(struct world *w)
{
	for (unsigned i = 0; i < w->plan.nevents; i++) {
		const struct rollout_event *e = &w->plan.events[i];
		size_t used = strlen(w->story);

		if (sizeof(w->story) - used < 64)
			memmove(w->story, w->story + 1024, used - 1023);
		used = strlen(w->story);
		snprintf(w->story + used, sizeof(w->story) - used, "%s ", e->reason);
		str_copy(w->last_note, sizeof(w->last_note), e->note);
	}
}

static void note_orders(struct world *w, const struct mdep_status *before)
{
	for (unsigned i = 0; i < w->plan.status.norders; i++) {
		const struct mdep_order_status *o = &w->plan.status.orders[i];
		bool was = false;

		for (unsigned j = 0; j < before->norders; j++)
			was = was || (before->orders[j].verb == o->verb &&
			              str_eq(before->orders[j].value, o->value) &&
			              str_eq(before->orders[j].outcome, "Done"));
		if (str_eq(o->outcome, "Done") && !was && !str_empty(o->value))
			w->done_orders[o->verb]++;
		CHECK(w, w->done_orders[o->verb] <= 1, "order %s carried out twice",
		      mdep_verb_name(o->verb));
	}
}

static void apply_pod(struct world *w, const struct rollout_pod_wish *wish)
{
	for (unsigned i = 0; i < WORLD_PODS; i++) {
		struct world_pod *p = &w->pods[i];

		if (&p->pod != wish->pod)
			continue;
		p->pod.in_service = wish->leave ? "false" : "true";
		p->pod.leaving_since_ms = wish->leave ? w->now / 1000 * 1000 : 0;
		w->dirty = true;
	}
}

static int64_t revision_number(const struct world *w, const char *revision)
{
	const struct mdep_revision_status *r = mdep_revision_find(&w->plan.status, revision);

	return r ? r->number : 0;
}

static void create_cell(struct world *w, const struct rollout_cell_wish *wish)
{
	struct world_cell *c = NULL;

	CHECK(w, str_eq(wish->revision, w->m.revision), "a foreign revision cannot be made anew");
	for (int i = 0; i < WORLD_CELLS && !c; i++)
		if (!w->cells[i].used)
			c = &w->cells[i];
	CHECK(w, c, "no room for another cell");
	*c = (struct world_cell){.used = true,
	                         .spec = wish->replicas,
	                         .asked = wish->replicas,
	                         .number = revision_number(w, wish->revision),
	                         .created_ms = w->now};
	CHECK(w, c->number > 0, "a ReplicaSet without a revision number");
	str_copy(c->revision, sizeof(c->revision), wish->revision);
	str_copy(c->zone, sizeof(c->zone), wish->zone);
	str_copy(c->version, sizeof(c->version), w->version);
	w->dirty = true;
}

static void apply_cell(struct world *w, const struct rollout_cell_wish *wish)
{
	int i = find_cell(w, wish->revision, wish->zone);

	CHECK(w, wish->replicas >= 0, "negative replicas");
	if (wish->remove) {
		CHECK(w, i >= 0 && !w->cells[i].spec && !cell_pods(w, i, pod_live),
		      "history with pods is removed");
		w->cells[i].used = false;
		w->dirty = true;
		return;
	}
	if (i < 0)
		create_cell(w, wish);
	else if (wish->restore || w->cells[i].spec != wish->replicas ||
	         w->cells[i].asked != wish->replicas) {
		if (wish->restore || w->cells[i].asked != w->cells[i].spec)
			w->cells[i].edits = 0;
		w->cells[i].spec = w->cells[i].asked = wish->replicas;
		w->dirty = true;
	}
}

/* The crash: each wish is carried out or not. Status comes first, or nothing at all does. */
static bool lost(struct world *w, bool crash)
{
	return crash && world_random(w, 2);
}

/* On the way back from a stable version that failed nobody counts first. */
static bool in_haste(const struct mdep_status *st)
{
	const struct mdep_revision_status *r = mdep_revision_find(st, st->stable);

	return !str_empty(st->return_to) || (r && str_eq(r->result, "RolledBack"));
}

static void check_weight_steps(const struct world *w, const struct mdep_status *before)
{
	const struct mdep_status *st = &w->plan.status;
	unsigned returned = PHASE_BIT(ROLLOUT_ROLLING_BACK) | PHASE_BIT(ROLLOUT_ROLLED_BACK) |
	                    PHASE_BIT(ROLLOUT_ABORTED) | PHASE_BIT(ROLLOUT_IDLE);
	bool back = returned & PHASE_BIT(st->phase) || !str_eq(st->target, before->target);
	/* Pods are not asked: a share is on record when they have it. */
	int verified = w->m.traffic == TRAFFIC_NONE ? st->weight : before->weight;

	CHECK(w, st->weight >= before->weight || back, "weight goes down: %d -> %d", before->weight,
	      st->weight);
	CHECK(w,
	      st->weight <= before->weight || verified == st->verified_weight || !before->stable ||
	              !str_eq(st->target, before->target) || in_haste(st),
	      "weight moves on from %d, which was not verified", before->weight);
}

static bool lacks_card(const struct world_pod *p)
{
	return pod_live(p) && str_eq(p->pod.reason, "Unschedulable");
}

/* A cell of a version that went, gets nothing any more, and holds cards that stable's pods need. */
static bool counts(const struct world *w, int cell)
{
	const struct mdep_status *st = &w->plan.status;
	const char *revision = w->cells[cell].revision;
	int stable;

	if (str_eq(revision, st->stable) || w->m.traffic != TRAFFIC_HTTPROUTE ||
	    (str_eq(revision, st->target) && st->phase != ROLLOUT_ROLLING_BACK))
		return true;
	stable = find_cell(w, st->stable, w->cells[cell].zone);
	return stable < 0 || !cell_pods(w, stable, lacks_card) ||
	       weight_of(w->route, w->nroute, cell) || weight_of(w->plane, w->nplane, cell);
}

/* Cells whose pods count as available, by bits. */
static uint64_t counted(const struct world *w)
{
	uint64_t cells = 0;

	for (int i = 0; i < WORLD_CELLS; i++)
		if (w->cells[i].used && counts(w, i))
			cells |= UINT64_C(1) << i;
	return cells;
}

static int available(const struct world *w, uint64_t cells)
{
	int n = 0;

	for (int i = 0; i < WORLD_CELLS; i++)
		if (cells >> i & 1)
			n += cell_pods(w, i, pod_serves);
	return n;
}

static void apply(struct world *w)
{
	struct mdep_status before = w->m.status;
	bool crash = world_random(w, 100) < (uint64_t)w->crash_percent;
	uint64_t cells = counted(w);
	int held = occupied(w), ready = available(w, cells), surge, unavailable;

	mdep_resolve_bounds(&w->m, &surge, &unavailable);
	check_weight_steps(w, &before);
	if (lost(w, crash)) {
		w->dirty = true;
		return;
	}
	note_orders(w, &before);
	note_events(w);
	w->dirty = write_status(w) || crash;
	for (unsigned i = 0; i < w->plan.npods; i++)
		if (!lost(w, crash))
			apply_pod(w, &w->plan.pods[i]);
	for (unsigned i = 0; i < w->plan.ncells; i++)
		if (!lost(w, crash))
			apply_cell(w, &w->plan.cells[i]);
	if (w->plan.nweights && w->m.traffic == TRAFFIC_HTTPROUTE && !lost(w, crash))
		write_route(w);
	w->due_ms = w->plan.requeue_ms ? w->now + w->plan.requeue_ms : 0;
	CHECK(w, occupied(w) <= held || occupied(w) <= w->m.replicas + surge,
	      "grown to %d pods, %d allowed", occupied(w), w->m.replicas + surge);
	CHECK(w, available(w, cells) >= ready || available(w, cells) >= w->m.replicas - unavailable,
	      "%d ready pods left by our own action", available(w, cells));
	replicaset_controller(w);
	check_plane(w);
}
