/* Who makes way for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/schedule/schedule.h"

#define GPU      "nvidia.com/gpu"
#define NOW      1000000
#define PODS_MAX 8

static const struct extended cards[] = {{GPU, 0}, {GPU, 1}, {GPU, 2}, {GPU, 3}, {GPU, 4}};

/* A pod with so many cards. Flags: '!' a budget guards it, 'd' a DaemonSet's, 'm' a
 * mirror pod, 'g' it is leaving, 'l' it should have left long ago, 'r' of the ModelDeployment
 * ranker, '+' younger than others. */
struct holder {
	char node[8], name[24], flags[8];
	int priority, cards;
};

static bool guards(void *arg, const char *key)
{
	const struct holder *h = arg;

	for (int i = 0; i < PODS_MAX; i++)
		if (str_eq(h[i].name, key))
			return strchr(h[i].flags, '!') != NULL;
	return false;
}

static void hold(struct schedule *s, const struct holder *h)
{
	struct pod p = {.meta = {.namespace = "shop", .name = h->name, .key = (char *)h->name},
	                .phase = POD_RUNNING,
	                .node = h->node,
	                .priority = h->priority,
	                .extended = &cards[h->cards],
	                .nextended = 1};

	p.meta.created_ms = strchr(h->flags, '+') ? 200 : 100;
	if (strchr(h->flags, 'd'))
		p.meta.owner_kind = "DaemonSet";
	if (strchr(h->flags, 'm'))
		p.meta.owner_kind = "Node";
	if (strchr(h->flags, 'g'))
		p.meta.deleted_ms = NOW - 1000;
	if (strchr(h->flags, 'l'))
		p.meta.deleted_ms = NOW - 100000;
	if (strchr(h->flags, 'r'))
		p.mdep = "ranker";
	schedule_set_pod(s, &p);
}

/* Nodes n1 to n3 of four cards; n3 is cordoned. */
static struct schedule *make_nodes(void)
{
	static const char *const names[] = {"n1", "n2", "n3"};
	struct schedule *s = schedule_new();

	for (int i = 0; i < 3; i++) {
		struct node n = {.meta = {.name = names[i], .key = (char *)names[i]},
		                 .unschedulable = i == 2,
		                 .cpu_milli = 8000,
		                 .memory = 64,
		                 .pods = 10,
		                 .extended = &cards[4],
		                 .nextended = 1};

		schedule_set_node(s, &n);
	}
	return s;
}

static struct pod make_pod(int priority, int ncards)
{
	return (struct pod){.meta = {.namespace = "shop", .name = "p", .key = (char *)"p"},
	                    .phase = POD_PENDING,
	                    .mdep = "ranker",
	                    .priority = priority,
	                    .extended = &cards[ncards],
	                    .nextended = 1};
}

static const struct row {
	const char *what;
	struct holder holders[PODS_MAX];
	int priority, cards;
	const char *want; /* "node victim,victim violations"; "-" = nothing helps */
} rows[] = {
	{"lower priority goes", {{"n1", "a", "", 0, 4}, {"n2", "b", "", 5, 4}}, 10, 4, "n1 a 0"},
	{"equal stays", {{"n1", "a", "", 10, 4}, {"n2", "b", "", 10, 4}}, 10, 4, "-"},
	{"higher stays", {{"n1", "a", "", 11, 4}, {"n2", "b", "", 12, 4}}, 10, 4, "-"},
	{"lowest highest priority of a victim",
         {{"n1", "a", "", 3, 4}, {"n2", "b", "", 2, 4}},
         10,
         4,
         "n2 b 0"},
	{"even when more go",
         {{"n1", "a", "", 3, 4}, {"n2", "b", "", 2, 2}, {"n2", "c", "", 2, 2}},
         10,
         4,
         "n2 b,c 0"},
	{"smallest sum",
         {{"n1", "a", "", 5, 2},
          {"n1", "b", "", 4, 2},
          {"n2", "c", "", 5, 2},
          {"n2", "d", "", 1, 2}},
         10,
         4,
         "n2 c,d 0"},
	{"fewest victims",
         {{"n1", "a", "", 0, 2}, {"n1", "b", "", 0, 2}, {"n2", "c", "", 0, 4}},
         10,
         4,
         "n2 c 0"},
	{"negative priorities count too",
         {{"n1", "a", "", -5, 2}, {"n1", "b", "", -5, 2}, {"n2", "c", "", -5, 4}},
         0,
         4,
         "n2 c 0"},
	{"latest start", {{"n1", "a", "", 0, 4}, {"n2", "b", "+", 0, 4}}, 10, 4, "n2 b 0"},
	{"first by name", {{"n1", "a", "", 0, 4}, {"n2", "b", "", 0, 4}}, 10, 4, "n1 a 0"},
	{"fewest violations before all else",
         {{"n1", "a", "!", 0, 4}, {"n2", "b", "", 9, 4}},
         10,
         4,
         "n2 b 0"},
	{"what a budget guards is told",
         {{"n1", "a", "!", 0, 4}, {"n2", "b", "", 10, 4}},
         10,
         4,
         "n1 a 1"},
	{"guarded ones are spared first",
         {{"n1", "a", "!", 0, 2}, {"n1", "b", "", 5, 2}, {"n2", "c", "", 10, 4}},
         10,
         2,
         "n1 b 0"},
	{"only as many as must",
         {{"n1", "a", "", 0, 1},
          {"n1", "b", "", 1, 1},
          {"n1", "c", "", 2, 2},
          {"n2", "d", "", 10, 4}},
         10,
         2,
         "n1 b,a 0"},
	{"the important is spared",
         {{"n1", "a", "", 0, 2}, {"n1", "b", "", 5, 2}, {"n2", "d", "", 10, 4}},
         10,
         2,
         "n1 a 0"},
	{"the older is spared",
         {{"n1", "a", "", 0, 2}, {"n1", "b", "+", 0, 2}, {"n2", "d", "", 10, 4}},
         10,
         2,
         "n1 b 0"},
	{"who holds no card stays",
         {{"n1", "a", "", 0, 4}, {"n1", "b", "", -9, 0}, {"n2", "d", "", 10, 4}},
         10,
         4,
         "n1 a 0"},
	{"not enough with all lower ones gone",
         {{"n1", "a", "", 0, 2}, {"n1", "b", "", 20, 2}, {"n2", "d", "", 10, 4}},
         10,
         4,
         "-"},
	{"more than a node has", {{"n1", "a", "", 0, 4}, {"n2", "b", "", 0, 4}}, 10, 5, "-"},
	{"a cordoned node is none",
         {{"n1", "a", "", 10, 4}, {"n2", "b", "", 10, 4}, {"n3", "c", "", 0, 4}},
         10,
         4,
         "-"},
	{"a DaemonSet's pod stays", {{"n1", "a", "d", 0, 4}, {"n2", "b", "", 10, 4}}, 10, 4, "-"},
	{"a mirror pod stays", {{"n1", "a", "m", 0, 4}, {"n2", "b", "", 10, 4}}, 10, 4, "-"},
	{"one's own pods stay", {{"n1", "a", "r", 0, 4}, {"n2", "b", "", 10, 4}}, 10, 4, "-"},
	{"who is leaving makes room",
         {{"n1", "a", "g", 10, 4}, {"n2", "b", "", 0, 4}},
         10,
         4,
         "n1  0"},
	{"and helps",
         {{"n1", "a", "g", 0, 2}, {"n1", "b", "", 0, 2}, {"n2", "b2", "", 10, 4}},
         10,
         4,
         "n1 b 0"},
	{"who never ends does not", {{"n1", "a", "l", 0, 4}, {"n2", "b", "", 10, 4}}, 10, 4, "-"},
	{"neither is it a victim",
         {{"n1", "a", "l", 0, 4}, {"n2", "b", "", 5, 4}},
         10,
         4,
         "n2 b 0"},
};

static const char *told(const struct schedule_preemption *x, char *out, size_t size)
{
	struct buf b;

	if (!x->node)
		return "-";
	buf_init(&b, size);
	buf_addf(&b, "%s ", x->node);
	for (unsigned i = 0; i < x->nvictims; i++)
		buf_addf(&b, "%s%s", i ? "," : "", x->victims[i]);
	buf_addf(&b, " %u", x->violations);
	str_copy(out, size, b.data);
	buf_release(&b);
	return out;
}

static void test_table(void **state)
{
	struct schedule_preemption x;
	struct schedule_decision d;
	struct holder h[PODS_MAX];
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pod p = make_pod(rows[i].priority, 4);
		struct extended ask = {GPU, rows[i].cards};
		struct schedule *s = make_nodes();
		struct arena a;

		p.extended = &ask;
		arena_init(&a, 0);
		memcpy(h, rows[i].holders, sizeof(h));
		for (int j = 0; j < PODS_MAX && h[j].name[0]; j++)
			hold(s, &h[j]);
		schedule_place(s, &p, &d);
		assert_null(d.node);
		schedule_preempt(s, &p, NOW, guards, h, &a, &x);
		if (!str_eq(told(&x, text, sizeof(text)), rows[i].want))
			fail_msg("%s: %s, not %s", rows[i].what, text, rows[i].want);
		p.preempt_never = true;
		schedule_preempt(s, &p, NOW, guards, h, &a, &x);
		assert_null(x.node);
		arena_release(&a);
		schedule_free(s);
	}
}

static const char *place(struct schedule *s, const char *name, int priority, int ncards)
{
	struct pod p = make_pod(priority, ncards);
	struct schedule_decision d;

	p.meta.key = (char *)name;
	schedule_place(s, &p, &d);
	return d.node;
}

/* The room that is made is kept for whom it was made, from those below. */
static void test_room_is_kept(void **state)
{
	struct schedule *s = make_nodes();
	struct holder victim = {"n1", "a", "", 0, 4}, other = {"n2", "b", "", 10, 4};
	struct pod p = make_pod(10, 4);

	(void)state;
	hold(s, &victim);
	hold(s, &other);
	schedule_nominate(s, &p, "n1");
	schedule_set_pod(s, &p); /* an update that does not show it yet */
	assert_string_equal(schedule_nominated(s, "p"), "n1");
	assert_null(place(s, "p", 10, 4));
	schedule_remove_pod(s, "a");
	assert_null(place(s, "lower", 9, 1));
	assert_null(place(s, "equal", 10, 1));
	assert_string_equal(place(s, "higher", 11, 4), "n1");
	assert_string_equal(place(s, "p", 10, 4), "n1");
	p.nominated_node = "n1";
	schedule_set_pod(s, &p);
	assert_null(place(s, "lower", 9, 1));
	p.nominated_node = NULL; /* seen before, and taken back */
	schedule_set_pod(s, &p);
	assert_null(schedule_nominated(s, "p"));
	assert_string_equal(place(s, "lower", 9, 1), "n1");
	schedule_free(s);
}

/* It goes where room was made, not where it would look better. */
static void test_nominated_node_first(void **state)
{
	struct schedule *s = make_nodes();
	struct holder full = {"n2", "b", "", 10, 3};
	struct pod p = make_pod(10, 1);

	(void)state;
	hold(s, &full);
	assert_string_equal(place(s, "p", 10, 1), "n2");
	schedule_nominate(s, &p, "n1");
	assert_string_equal(place(s, "p", 10, 1), "n1");
	schedule_assume(s, &p, "n1");
	assert_null(schedule_nominated(s, "p"));
	schedule_free(s);
}

/* The eviction's own writes come before the deletion's: no second pod goes because of them. */
static void test_victims_that_are_asked_count_as_gone(void **state)
{
	struct schedule *s = make_nodes();
	struct holder a = {"n1", "a", "", 0, 4}, b = {"n2", "b", "", 5, 4};
	struct pod p = make_pod(10, 4);
	struct schedule_preemption x;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	hold(s, &a);
	hold(s, &b);
	schedule_set_gone(s, "a", NOW);
	hold(s, &a);
	schedule_preempt(s, &p, NOW, NULL, NULL, &arena, &x);
	assert_string_equal(x.node, "n1");
	assert_int_equal(x.nvictims, 0);
	schedule_set_gone(s, "a", 0); /* it was refused */
	schedule_preempt(s, &p, NOW, NULL, NULL, &arena, &x);
	assert_string_equal(x.victims[0], "a");
	arena_release(&arena);
	schedule_free(s);
}

static void test_max_per_node_is_no_reason(void **state)
{
	struct schedule *s = make_nodes();
	struct holder own = {"n1", "a", "r", 0, 1}, lower = {"n1", "b", "", 0, 3};
	struct holder other = {"n2", "c", "", 10, 4};
	struct pod p = make_pod(10, 1);
	struct schedule_preemption x;
	struct arena arena;

	(void)state;
	arena_init(&arena, 0);
	hold(s, &own);
	hold(s, &lower);
	hold(s, &other);
	p.max_per_node = 1;
	schedule_preempt(s, &p, NOW, NULL, NULL, &arena, &x);
	assert_null(x.node);
	p.max_per_node = 2;
	schedule_preempt(s, &p, NOW, NULL, NULL, &arena, &x);
	assert_string_equal(x.victims[0], "b");
	arena_release(&arena);
	schedule_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_room_is_kept),
		cmocka_unit_test(test_nominated_node_first),
		cmocka_unit_test(test_victims_that_are_asked_count_as_gone),
		cmocka_unit_test(test_max_per_node_is_no_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
