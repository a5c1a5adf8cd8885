#include "fixture.h"

static void test_all(void **state)
{
	struct node *n = decode_members(
		&node_kind, "'labels':{'topology.kubernetes.io/zone':'hz-a','x':'y'}",
		"'spec':{'unschedulable':true,'taints':[{'key':'nvidia.com/gpu','value':'present',"
		"'effect':'NoSchedule'},{'key':'k','effect':'NoExecute'},{'key':'p','effect':"
		"'PreferNoSchedule'},{'key':'odd','effect':'Never'}]},'status':{'allocatable':{'"
		"cpu':"
		"'3920m','memory':'15Gi','pods':'110','ephemeral-storage':'100','nvidia.com/"
		"gpu':'8',"
		"'hugepages-2Mi':'0'},'capacity':{'cpu':'4'},'conditions':[{'type':'Ready','status'"
		":"
		"'True'}]}");

	(void)state;
	assert_string_equal(n->zone, "hz-a");
	assert_string_equal(label_get(n->labels, n->nlabels, "x"), "y");
	assert_true(n->unschedulable && n->ready);
	assert_int_equal(n->ntaints, 3);
	assert_string_equal(n->taints[0].value, "present");
	assert_int_equal(n->taints[1].effect, TAINT_NO_EXECUTE);
	assert_string_equal(n->taints[1].value, "");
	assert_int_equal(n->taints[2].effect, TAINT_PREFER_NO_SCHEDULE);
	assert_int_equal(n->cpu_milli, 3920);
	assert_int_equal(n->memory, 15LL << 30);
	assert_int_equal(n->pods, 110);
	assert_int_equal(n->ephemeral, 100);
	assert_int_equal(n->nextended, 2);
	assert_string_equal(n->extended[0].name, "nvidia.com/gpu");
	assert_int_equal(n->extended[0].amount, 8);
	free(n);
}

static void test_defaults(void **state)
{
	struct node *n = decode_members(&node_kind, "", "'status':{'capacity':{'pods':'5'}}");
	struct node *full = decode_members(&node_kind, "",
	                                   "'status':{'capacity':{'pods':'5'},'allocatable':{}}");

	(void)state;
	assert_string_equal(n->zone, "");
	assert_false(n->unschedulable || n->ready);
	assert_int_equal(n->pods, 5); /* no allocatable: the API server's default is the capacity */
	assert_int_equal(full->pods, 0);
	free(n);
	free(full);
}

#define SAME(am, a, bm, b) assert_true(same_members(&node_kind, am, a, bm, b))
#define DIFF(am, a, bm, b) assert_false(same_members(&node_kind, am, a, bm, b))
#define READY(s, t)                                                                                \
	"'status':{'conditions':[{'type':'Ready','status':'" s "','lastHeartbeatTime':'" t "'}]}"

static void test_same(void **state)
{
	(void)state;
	SAME("", READY("True", "1"), "", READY("True", "2"));
	SAME("", "'status':{'images':[{}]}", "", "");
	SAME("'annotations':{'a':'1'}", "", "", "");
	DIFF("", READY("True", "1"), "", READY("Unknown", "1"));
	DIFF("'labels':{'a':'1'}", "", "'labels':{'a':'2'}", "");
	DIFF("", "'spec':{'unschedulable':true}", "", "");
	DIFF("", "'spec':{'taints':[{'key':'k','effect':'NoExecute'}]}", "", "");
	DIFF("", "'spec':{'taints':[{'key':'k','effect':'NoExecute'}]}", "",
	     "'spec':{'taints':[{'key':'k','effect':'NoSchedule'}]}");
	DIFF("", "'status':{'allocatable':{'nvidia.com/gpu':'4'}}", "",
	     "'status':{'allocatable':{'nvidia.com/gpu':'3'}}");
	DIFF("", "'status':{'allocatable':{'cpu':'4'}}", "",
	     "'status':{'allocatable':{'cpu':'3'}}");
	DIFF("", "", "'deletionTimestamp':'2026-11-24T10:00:00Z'", "");
}

/* Texts that every object repeats are kept once: the table they are looked up in is in order. */
static void test_common_texts_are_shared(void **state)
{
	static const char *const keys[] = {"app.kubernetes.io/managed-by",
	                                   "beta.kubernetes.io/arch",
	                                   "kubernetes.io/hostname",
	                                   "node.kubernetes.io/instance-type",
	                                   "nvidia.com/gpu.product",
	                                   "serving.tidegate.io/zone",
	                                   "topology.kubernetes.io/zone",
	                                   "default-scheduler",
	                                   "tidegate",
	                                   "true",
	                                   "",
	                                   "Pack",
	                                   "FGD"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char *meta = xasprintf("'labels':{'k':'%s'}", keys[i]);
		struct node *a = decode_members(&node_kind, meta, "");
		struct node *b = decode_members(&node_kind, meta, "");

		assert_string_equal(a->labels[0].value, keys[i]);
		assert_ptr_equal(a->labels[0].value, b->labels[0].value);
		free(a);
		free(b);
		free(meta);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_common_texts_are_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
