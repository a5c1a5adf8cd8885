#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/schedule/schedule.h"

#define GPU "nvidia.com/gpu"

/* --- makers: objects live until the end of the test program's page of statics ------------ */

static struct node make_node(const char *name, const struct label *labels, unsigned nlabels,
                             const struct extended *ext)
{
	return (struct node){.meta = {.name = name, .key = (char *)name},
	                     .labels = labels,
	                     .nlabels = nlabels,
	                     .ready = true,
	                     .cpu_milli = 8000,
	                     .memory = 64,
	                     .ephemeral = 100,
	                     .pods = 10,
	                     .extended = ext,
	                     .nextended = ext ? 1 : 0};
}

static struct pod make_pod(const char *name, const struct extended *ext)
{
	return (struct pod){.meta = {.namespace = "shop", .name = name, .key = (char *)name},
	                    .phase = POD_PENDING,
	                    .scheduler = TG_SCHEDULER_NAME,
	                    .cpu_milli = 1000,
	                    .memory = 4,
	                    .extended = ext,
	                    .nextended = ext ? 1 : 0};
}

static const struct extended four = {GPU, 4}, two = {GPU, 2}, one = {GPU, 1}, eight = {GPU, 8};
static const struct label zone_a[] = {{TG_ZONE_LABEL, "a"}, {TG_GPU_MEMORY, "24576"}};
static const struct label zone_b[] = {{TG_ZONE_LABEL, "b"}, {TG_GPU_MEMORY, "81920"}};

static const char *place(struct schedule *s, const struct pod *p, struct schedule_decision *d)
{
	schedule_place(s, p, d);
	return d->node;
}

/* --- filters ----------------------------------------------------------------------------- */

static void test_resources(void **state)
{
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", zone_a, 2, &four);
	struct pod p = make_pod("p1", &eight);
	struct schedule_decision d;

	(void)state;
	schedule_set_node(s, &n);
	assert_null(place(s, &p, &d));
	assert_string_equal(d.message, "0/1 nodes are available: 1 Insufficient " GPU ".");
	p.extended = &four;
	assert_string_equal(place(s, &p, &d), "n1");
	p.cpu_milli = 8001;
	p.memory = 65;
	assert_null(place(s, &p, &d));
	assert_non_null(strstr(d.message, "1 Insufficient cpu"));
	assert_non_null(strstr(d.message, "1 Insufficient memory"));
	schedule_free(s);
}

static void test_a_resource_nobody_has(void **state)
{
	static const struct extended npu = {"huawei.com/Ascend910", 1};
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", NULL, 0, &four);
	struct pod p = make_pod("p1", &npu);
	struct schedule_decision d;

	(void)state;
	schedule_set_node(s, &n);
	assert_null(place(s, &p, &d));
	assert_non_null(strstr(d.message, "1 Insufficient huawei.com/Ascend910"));
	schedule_free(s);
}

static void test_no_nodes(void **state)
{
	struct schedule *s = schedule_new();
	struct pod p = make_pod("p1", &one);
	struct schedule_decision d;

	(void)state;
	assert_null(place(s, &p, &d));
	assert_string_equal(d.message, "0/0 nodes are available.");
	schedule_free(s);
}

static void test_selector_and_affinity(void **state)
{
	static const struct label want_b[] = {{TG_ZONE_LABEL, "b"}};
	static const char *const mem[] = {"40000"};
	static const char *const names[] = {"n2"};
	static const struct selector_req big[] = {{TG_GPU_MEMORY, SEL_GT, mem, 1, false}};
	static const struct selector_req by_name[] = {{"metadata.name", SEL_IN, names, 1, true}};
	static const struct selector_req absent[] = {
		{TG_GPU_MEMORY, SEL_NOT_EXISTS, NULL, 0, false}};
	static const struct selector_term terms[] = {
		{big, 1, 0}, {by_name, 1, 0}, {absent, 1, 0}, {NULL, 0, 0}};
	struct schedule *s = schedule_new();
	struct node n1 = make_node("n1", zone_a, 2, &four), n2 = make_node("n2", zone_b, 2, &four);
	struct pod_constraints c = {.required = NULL};
	struct pod p = make_pod("p1", &one);
	struct schedule_decision d;

	(void)state;
	p.constraints = &c;
	schedule_set_node(s, &n1);
	schedule_set_node(s, &n2);
	assert_string_equal(place(s, &p, &d), "n1");
	c.node_selector = want_b;
	c.nnode_selector = 1;
	assert_string_equal(place(s, &p, &d), "n2");
	c.nnode_selector = 0;
	c.has_required = true;
	for (unsigned i = 0; i < 2; i++) {
		c.required = &terms[i];
		c.nrequired = 1;
		assert_string_equal(place(s, &p, &d), "n2");
	}
	c.required = &terms[2];
	assert_null(place(s, &p, &d));
	assert_non_null(strstr(d.message, "2 node(s) didn't match Pod's node affinity/selector"));
	c.required = &terms[3]; /* an empty term matches nothing */
	assert_null(place(s, &p, &d));
	c.nrequired = 0; /* affinity without a term neither */
	assert_null(place(s, &p, &d));
	schedule_free(s);
}

static void test_taints(void **state)
{
	static const struct taint gpu[] = {{GPU, "present", TAINT_NO_SCHEDULE}};
	static const struct taint soft[] = {{"spot", "", TAINT_PREFER_NO_SCHEDULE}};
	static const struct toleration ok = {
		.key = GPU, .exists = true, .effect = TAINT_NO_SCHEDULE};
	static const struct toleration value = {.key = GPU, .value = "other", .any_effect = true};
	static const struct toleration all = {.exists = true, .any_effect = true};
	struct schedule *s = schedule_new();
	struct node n1 = make_node("n1", zone_a, 2, &four), n2 = make_node("n2", zone_a, 2, &four);
	struct pod_constraints c = {.required = NULL};
	struct pod p = make_pod("p1", &one);
	struct schedule_decision d;

	(void)state;
	p.constraints = &c;
	n1.taints = gpu;
	n1.ntaints = 1;
	schedule_set_node(s, &n1);
	assert_null(place(s, &p, &d));
	assert_non_null(strstr(d.message, "untolerated taint {" GPU ": present}"));
	c.ntolerations = 1;
	c.tolerations = &value;
	assert_null(place(s, &p, &d));
	c.tolerations = &ok;
	assert_string_equal(place(s, &p, &d), "n1");
	n1.taints = soft;
	schedule_set_node(s, &n1);
	schedule_set_node(s, &n2);
	assert_string_equal(place(s, &p, &d), "n2");
	n2.unschedulable = true;
	schedule_set_node(s, &n2);
	assert_string_equal(place(s, &p, &d), "n1");
	schedule_remove_node(s, "n1");
	assert_null(place(s, &p, &d));
	assert_non_null(strstr(d.message, "1 node(s) were unschedulable"));
	c.tolerations = &all;
	assert_string_equal(place(s, &p, &d), "n2");
	schedule_free(s);
}

static void test_host_ports(void **state)
{
	static const struct pod_port web = {8080, 'T', "0.0.0.0"}, same = {8080, 'T', "10.0.0.1"},
				     udp = {8080, 'U', NULL};
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", NULL, 0, &four);
	struct pod a = make_pod("a", &one), b = make_pod("b", &one);
	struct schedule_decision d;

	(void)state;
	schedule_set_node(s, &n);
	a.constraints = &(struct pod_constraints){.host_ports = &web, .nhost_ports = 1};
	schedule_assume(s, &a, "n1");
	b.constraints = &(struct pod_constraints){.host_ports = &same, .nhost_ports = 1};
	assert_null(place(s, &b, &d));
	assert_non_null(strstr(d.message, "free ports"));
	b.constraints = &(struct pod_constraints){.host_ports = &udp, .nhost_ports = 1};
	assert_string_equal(place(s, &b, &d), "n1");
	schedule_free(s);
}

static void test_max_per_node(void **state)
{
	static const char *const keys[] = {"shop/ranker-a", "shop/b", "shop/c"};
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", NULL, 0, &eight);
	struct schedule_decision d;
	struct pod p = make_pod("x", &one);

	(void)state;
	schedule_set_node(s, &n);
	p.mdep = "rank"; /* begins like the other one's name, and its pod's */
	p.meta.key = (char *)"shop/ranker-z";
	schedule_assume(s, &p, "n1");
	p.mdep = "ranker";
	p.max_per_node = 2;
	for (int i = 0; i < 2; i++) {
		p.meta.key = (char *)keys[i];
		assert_string_equal(place(s, &p, &d), "n1");
		schedule_assume(s, &p, "n1");
	}
	p.meta.key = (char *)keys[2];
	assert_null(place(s, &p, &d));
	assert_non_null(strstr(d.message, "maxPerNode"));
	schedule_free(s);
}

static void test_unsupported_is_refused(void **state)
{
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", NULL, 0, &four);
	struct pod_constraints c = {.required = NULL};
	struct pod p = make_pod("p", &one);
	struct schedule_decision d;

	(void)state;
	p.constraints = &c;
	schedule_set_node(s, &n);
	c.unsupported = "spec.topologySpreadConstraints";
	assert_null(place(s, &p, &d));
	assert_true(d.refused);
	assert_non_null(strstr(d.message, "spec.topologySpreadConstraints"));
	schedule_free(s);
}

/* --- score ------------------------------------------------------------------------------- */

static void test_pack_fills_the_fullest_node(void **state)
{
	struct schedule *s = schedule_new();
	struct node n1 = make_node("n1", NULL, 0, &eight), n2 = make_node("n2", NULL, 0, &eight);
	struct pod big = make_pod("big", &four), p = make_pod("p", &two);
	struct schedule_decision d;

	(void)state;
	schedule_set_node(s, &n1);
	schedule_set_node(s, &n2);
	schedule_assume(s, &big, "n2");
	assert_string_equal(place(s, &p, &d), "n2");
	p.placement = "Spread";
	assert_string_equal(place(s, &p, &d), "n1");
	schedule_free(s);
}

static void test_card_hosts_are_kept_for_card_pods(void **state)
{
	struct schedule *s = schedule_new();
	struct node cards = make_node("a-cards", NULL, 0, &eight);
	struct node plain = make_node("b-plain", NULL, 0, NULL);
	struct pod p = make_pod("p", NULL);
	struct schedule_decision d;

	(void)state;
	schedule_set_node(s, &cards);
	schedule_set_node(s, &plain);
	assert_string_equal(place(s, &p, &d), "b-plain");
	schedule_free(s);
}

static void test_preferred_affinity_decides(void **state)
{
	static const char *const b[] = {"b"};
	static const struct selector_req in_b[] = {{TG_ZONE_LABEL, SEL_IN, b, 1, false}};
	static const struct selector_term prefer[] = {{in_b, 1, 50}};
	struct schedule *s = schedule_new();
	struct node n1 = make_node("n1", zone_a, 2, &eight),
		    n2 = make_node("n2", zone_b, 2, &eight);
	struct pod_constraints c = {.required = NULL};
	struct pod p = make_pod("p", &one);
	struct schedule_decision d;

	(void)state;
	p.constraints = &c;
	schedule_set_node(s, &n1);
	schedule_set_node(s, &n2);
	c.preferred = prefer;
	c.npreferred = 1;
	assert_string_equal(place(s, &p, &d), "n2");
	schedule_free(s);
}

/* --- room -------------------------------------------------------------------------------- */

static void test_room_is_what_one_after_the_other_would_find(void **state)
{
	static const struct extended odd = {"huawei.com/Ascend910", 1};
	struct schedule *s = schedule_new();
	struct node a = make_node("a", zone_a, 2, &eight), b = make_node("b", zone_b, 2, &four);
	struct pod_constraints c = {.required = NULL};
	struct pod taken = make_pod("taken", &two), p = make_pod("p", &one);
	struct pod_port port = {.port = 8000, .protocol = 'T'};

	(void)state;
	p.constraints = &c;
	schedule_set_node(s, &a);
	schedule_set_node(s, &b);
	p.memory = 0;
	schedule_assume(s, &taken, "a");
	/* Node a has 6 cards and 7 CPUs left, b has 4 cards. */
	assert_int_equal(schedule_room(s, &p, 100), 6 + 4);
	assert_int_equal(schedule_room(s, &p, 7), 7);
	p.cpu_milli = 3000;
	assert_int_equal(schedule_room(s, &p, 100), 2 + 2);
	p.cpu_milli = 0;
	p.extended = &four;
	assert_int_equal(schedule_room(s, &p, 100), 1 + 1);
	p.extended = &one;
	c.node_selector = zone_b;
	c.nnode_selector = 1;
	assert_int_equal(schedule_room(s, &p, 100), 4);
	c.host_ports = &port;
	c.nhost_ports = 1;
	assert_int_equal(schedule_room(s, &p, 100), 1);
	c.nhost_ports = 0;
	p.extended = &odd;
	assert_int_equal(schedule_room(s, &p, 100), 0);
	c.unsupported = "spec.topologySpreadConstraints";
	assert_int_equal(schedule_room(s, &p, 100), -1);
	schedule_free(s);
}

static void test_room_keeps_to_maxPerNode(void **state)
{
	struct schedule *s = schedule_new();
	struct node a = make_node("a", NULL, 0, &eight), b = make_node("b", NULL, 0, &eight);
	struct pod p = make_pod("p", &one);

	(void)state;
	schedule_set_node(s, &a);
	schedule_set_node(s, &b);
	p.mdep = "ranker";
	p.max_per_node = 2;
	assert_int_equal(schedule_room(s, &p, 100), 4);
	schedule_assume(s, &p, "a");
	assert_int_equal(schedule_room(s, &p, 100), 3);
	schedule_free(s);
}

/* --- accounting -------------------------------------------------------------------------- */

static void test_assumption_lives_until_confirmed_or_forgotten(void **state)
{
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", NULL, 0, &four);
	struct pod a = make_pod("a", &four), b = make_pod("b", &one);
	struct schedule_decision d;

	(void)state;
	schedule_set_node(s, &n);
	schedule_assume(s, &a, "n1");
	assert_true(schedule_assumed(s, "a"));
	schedule_set_pod(s, &a); /* an update that does not show the bind yet */
	assert_null(place(s, &b, &d));
	schedule_forget(s, "a");
	assert_string_equal(place(s, &b, &d), "n1");
	schedule_assume(s, &a, "n1");
	a.node = "n1";
	schedule_set_pod(s, &a);
	assert_false(schedule_assumed(s, "a"));
	schedule_forget(s, "a"); /* confirmed: nothing to forget */
	assert_null(place(s, &b, &d));
	a.phase = POD_FAILED;
	schedule_set_pod(s, &a);
	assert_string_equal(place(s, &b, &d), "n1");
	schedule_free(s);
}

static void test_pods_before_their_node(void **state)
{
	struct schedule *s = schedule_new();
	struct node n = make_node("n1", NULL, 0, &four);
	struct pod a = make_pod("a", &four), b = make_pod("b", &one);
	struct schedule_decision d;

	(void)state;
	a.node = "n1";
	schedule_set_pod(s, &a);
	schedule_set_node(s, &n);
	assert_null(place(s, &b, &d));
	schedule_remove_node(s, "n1");
	schedule_set_node(s, &n);
	assert_null(place(s, &b, &d));
	schedule_remove_pod(s, "a");
	assert_string_equal(place(s, &b, &d), "n1");
	schedule_free(s);
}

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Whatever comes and goes, no node holds more cards or pods than it has. */
static void test_never_above_capacity(void **state)
{
	enum { NODES = 12, PODS = 300 };
	static char names[PODS][16], node_names[NODES][16];
	static const struct extended asks[] = {{GPU, 1}, {GPU, 2}, {GPU, 4}, {GPU, 8}};
	struct schedule *s = schedule_new();
	int used[NODES] = {0}, count[NODES] = {0}, where[PODS], ask[PODS];
	struct schedule_decision d;
	uint32_t x = 42;

	(void)state;
	for (int i = 0; i < NODES; i++) {
		struct node n;

		snprintf(node_names[i], sizeof(node_names[i]), "n%02d", i);
		n = make_node(node_names[i], NULL, 0, &eight);
		schedule_set_node(s, &n);
	}
	for (int i = 0; i < PODS; i++) {
		snprintf(names[i], sizeof(names[i]), "p%d", i);
		where[i] = -1;
	}
	for (int round = 0; round < 5000; round++) {
		int i = (int)(next_random(&x) % PODS);
		struct pod p = make_pod(names[i], &asks[next_random(&x) % 4]);

		p.cpu_milli = 10;
		p.memory = 0;
		if (where[i] >= 0) {
			schedule_remove_pod(s, names[i]);
			used[where[i]] -= ask[i];
			count[where[i]]--;
			where[i] = -1;
			continue;
		}
		if (!place(s, &p, &d))
			continue;
		where[i] = (d.node[1] - '0') * 10 + d.node[2] - '0';
		ask[i] = (int)p.extended->amount;
		used[where[i]] += ask[i];
		count[where[i]]++;
		assert_true(used[where[i]] <= 8 && count[where[i]] <= 10);
		schedule_assume(s, &p, d.node);
	}
	schedule_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_a_resource_nobody_has),
		cmocka_unit_test(test_no_nodes),
		cmocka_unit_test(test_selector_and_affinity),
		cmocka_unit_test(test_taints),
		cmocka_unit_test(test_host_ports),
		cmocka_unit_test(test_max_per_node),
		cmocka_unit_test(test_unsupported_is_refused),
		cmocka_unit_test(test_pack_fills_the_fullest_node),
		cmocka_unit_test(test_card_hosts_are_kept_for_card_pods),
		cmocka_unit_test(test_preferred_affinity_decides),
		cmocka_unit_test(test_room_is_what_one_after_the_other_would_find),
		cmocka_unit_test(test_room_keeps_to_maxPerNode),
		cmocka_unit_test(test_assumption_lives_until_confirmed_or_forgotten),
		cmocka_unit_test(test_pods_before_their_node),
		cmocka_unit_test(test_never_above_capacity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
