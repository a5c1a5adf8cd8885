/*
 * Faults planted in the real operator: one of its guards is taken away, and the simulator must
 * notice. `sim-planted` lists the guards; `sim-planted GUARD` runs seeds until one fails, and
 * prints a line: guard, the seed, what was violated.
 *
 * The linker sends calls of a guard to the __wrap_ function here (ld --wrap, in the Makefile), so
 * the operator's own code is the shipped one, unchanged; calls within a guard's own file are not
 * caught, and none of these has any that matter.
 */
#include <stdio.h>
#include <string.h>

#include "../../controller/reconcile/internal.h"
#include "../../controller/reconcile/observe.h"
#include "../../controller/rollout/plan_internal.h"

#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/kube/lease.h"
#include "tidegate/schedule/schedule.h"
#include "tidegate/sim/run.h"

#define SEEDS_MAX 1000

enum guard {
	GUARD_VERIFIED,
	GUARD_ZONE_OUT,
	GUARD_UNAVAILABLE,
	GUARD_SURGE,
	GUARD_ORDER_ONCE,
	GUARD_VERDICT,
	GUARD_SILENCE,
	GUARD_FENCE,
	GUARD_BARRIER,
	GUARD_OWN_WRITES,
	GUARD_ASSUME,
	GUARD_LEND,
	GUARDS,
};

static const struct {
	const char *name, *what;
} guards[GUARDS] = {
	[GUARD_VERIFIED] = {"verified", "a weight is seen in force before the next one"},
	[GUARD_ZONE_OUT] = {"zone-out", "no step ends while a zone is out"},
	[GUARD_UNAVAILABLE] = {"unavailable", "ready pods that may leave at once"},
	[GUARD_SURGE] = {"surge", "pods that may be made at once"},
	[GUARD_ORDER_ONCE] = {"order-once", "an order is carried out once"},
	[GUARD_VERDICT] = {"verdict", "a FAIL takes the version back"},
	[GUARD_SILENCE] = {"silence", "a step without data is held"},
	[GUARD_FENCE] = {"fence", "who lost the lease writes no more"},
	[GUARD_BARRIER] = {"barrier", "a new leader's caches are as new as its lease"},
	[GUARD_OWN_WRITES] = {"own-writes",
                              "a cache that lags behind our own writes is waited for"},
	[GUARD_ASSUME] = {"assume", "a card is taken from the moment of the binding on"},
	[GUARD_LEND] = {"lend", "a pod goes to where there is a card for it"},
};

static enum guard planted = GUARDS;

/* --- the guards ---------------------------------------------------------------------------- */

bool __real_plan_verified(const struct planner *p);
bool __wrap_plan_verified(const struct planner *p);
bool __wrap_plan_verified(const struct planner *p)
{
	return planted == GUARD_VERIFIED || __real_plan_verified(p);
}

bool __real_plan_zone_out(const struct planner *p);
bool __wrap_plan_zone_out(const struct planner *p);
bool __wrap_plan_zone_out(const struct planner *p)
{
	return planted != GUARD_ZONE_OUT && __real_plan_zone_out(p);
}

void __real_plan_pods(struct planner *p);
void __wrap_plan_pods(struct planner *p);
void __wrap_plan_pods(struct planner *p)
{
	if (planted == GUARD_UNAVAILABLE)
		p->unavailable = p->in.unavailable = p->m->replicas;
	if (planted == GUARD_SURGE)
		p->in.surge++;
	__real_plan_pods(p);
}

bool __real_mdep_order_is_due(const struct mdep *m, const struct mdep_status *s, enum mdep_verb v);
bool __wrap_mdep_order_is_due(const struct mdep *m, const struct mdep_status *s, enum mdep_verb v);
bool __wrap_mdep_order_is_due(const struct mdep *m, const struct mdep_status *s, enum mdep_verb v)
{
	return (planted == GUARD_ORDER_ONCE && !str_empty(mdep_order_value(m, v))) ||
	       __real_mdep_order_is_due(m, s, v);
}

void __real_observe_counts(struct sequential *judge, struct thresholds *limits, int64_t silent_ms,
                           int64_t now_ms, struct sequential_result *res);
void __wrap_observe_counts(struct sequential *judge, struct thresholds *limits, int64_t silent_ms,
                           int64_t now_ms, struct sequential_result *res);
void __wrap_observe_counts(struct sequential *judge, struct thresholds *limits, int64_t silent_ms,
                           int64_t now_ms, struct sequential_result *res)
{
	__real_observe_counts(judge, limits, silent_ms, now_ms, res);
	if (planted == GUARD_SILENCE)
		res->since_data_s = 0;
	if (planted == GUARD_VERDICT)
		res->verdict = JUDGE_NONE;
}

static void ignore(void *arg)
{
	(void)arg;
}

struct lease *__real_lease_new(struct kube_client *c, const struct lease_options *o,
                               struct err *err);
struct lease *__wrap_lease_new(struct kube_client *c, const struct lease_options *o,
                               struct err *err);
struct lease *__wrap_lease_new(struct kube_client *c, const struct lease_options *o,
                               struct err *err)
{
	struct lease_options deaf = *o;

	if (planted == GUARD_FENCE)
		deaf.on_lost = ignore;
	return __real_lease_new(c, &deaf, err);
}

bool __real_lease_may_write(const struct lease *l);
bool __wrap_lease_may_write(const struct lease *l);
bool __wrap_lease_may_write(const struct lease *l)
{
	return planted == GUARD_FENCE || __real_lease_may_write(l);
}

bool __real_barrier_passed(const struct barrier *b);
bool __wrap_barrier_passed(const struct barrier *b);
bool __wrap_barrier_passed(const struct barrier *b)
{
	return planted == GUARD_BARRIER || __real_barrier_passed(b);
}

int __real_rv_cmp(const char *a, const char *b);
int __wrap_rv_cmp(const char *a, const char *b);
int __wrap_rv_cmp(const char *a, const char *b)
{
	return planted == GUARD_OWN_WRITES ? 1 : __real_rv_cmp(a, b);
}

void __real_schedule_assume(struct schedule *s, const struct pod *p, const char *node);
void __wrap_schedule_assume(struct schedule *s, const struct pod *p, const char *node);
void __wrap_schedule_assume(struct schedule *s, const struct pod *p, const char *node)
{
	if (planted != GUARD_ASSUME)
		__real_schedule_assume(s, p, node);
}

void __real_plan_lend(struct planner *p);
void __wrap_plan_lend(struct planner *p);
void __wrap_plan_lend(struct planner *p)
{
	if (planted != GUARD_LEND)
		__real_plan_lend(p);
}

/* --- the search ---------------------------------------------------------------------------- */

static int search(void)
{
	struct sim_result r;

	for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
		sim_run(&(struct sim_options){seed, -1, UINT64_MAX}, &r);
		if (!r.failed)
			continue;
		printf("%-12s %-52s seed %4d  %s\n", guards[planted].name, guards[planted].what,
		       (int)seed, r.violation);
		return 0;
	}
	printf("%-12s %-52s not noticed in %d seeds\n", guards[planted].name, guards[planted].what,
	       SEEDS_MAX);
	return 1;
}

int main(int argc, char **argv)
{
	log_set_level(LOG_ERROR);
	if (argc < 2) {
		for (int i = 0; i < GUARDS; i++)
			printf("%s\n", guards[i].name);
		return 0;
	}
	for (int i = 0; i < GUARDS; i++)
		if (str_eq(guards[i].name, argv[1]))
			planted = (enum guard)i;
	if (planted == GUARDS) {
		fprintf(stderr,
		        "sim-planted: no guard \"%s\"; without an argument they are listed\n",
		        argv[1]);
		return 2;
	}
	return search();
}
