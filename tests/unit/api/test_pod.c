#include "fixture.h"

#include "tidegate/api/names.h"

static void test_meta_and_annotations(void **state)
{
	struct pod *p = decode_members(
		&pod_kind,
		"'labels':{'serving.tidegate.io/name':'ranker','serving.tidegate.io/in-service':"
		"'true','app':'x'},'annotations':{'serving.tidegate.io/leaving-since':"
		"'2026-11-24T10:00:01Z','serving.tidegate.io/max-per-node':'2',"
		"'serving.tidegate.io/placement':'Pack',"
		"'controller.kubernetes.io/pod-deletion-cost':'-1000'},"
		"'ownerReferences':[{'uid':'x','controller':false},{'uid':'rs1','kind':'ReplicaSet'"
		","
		"'name':'r','controller':true}],'deletionTimestamp':'2026-11-24T10:00:02Z'",
		"'spec':{'priority':7,'preemptionPolicy':'Never','readinessGates':[{'conditionType'"
		":"
		"'a'},{'conditionType':'serving.tidegate.io/model-ready'}]}");

	(void)state;
	assert_string_equal(p->meta.key, "ns/n");
	assert_string_equal(p->meta.owner_uid, "rs1");
	assert_string_equal(p->mdep, "ranker");
	assert_true(pod_is_in_service(p));
	assert_true(!p->revision && !p->zone);
	assert_int_equal(p->meta.deleted_ms - p->leaving_since_ms, 1000);
	assert_int_equal(p->max_per_node, 2);
	assert_int_equal(p->deletion_cost, -1000);
	assert_string_equal(p->placement, "Pack");
	assert_int_equal(p->priority, 7);
	assert_true(p->preempt_never && p->gate_model_ready_set);
	assert_false(p->gate_model_ready || p->gated);
	assert_string_equal(p->scheduler, "default-scheduler");
	assert_null(p->node);
	free(p);
}

static void test_status(void **state)
{
	struct pod *p = decode_members(
		&pod_kind, "",
		"'status':{'phase':'Running','podIP':'10.1.2.3','nominatedNodeName':'n9','"
		"conditions':"
		"[{'type':'Ready','status':'True','lastTransitionTime':'2026-11-24T10:00:00Z'},"
		"{'type':'PodScheduled','status':'True'},{'type':'Initialized','status':'True'},"
		"{'type':'ContainersReady','status':'False'},"
		"{'type':'serving.tidegate.io/model-ready','status':'True'}],"
		"'containerStatuses':[{'restartCount':2},{'restartCount':3}],"
		"'initContainerStatuses':[{'restartCount':1}]}");

	(void)state;
	assert_int_equal(p->phase, POD_RUNNING);
	assert_true(p->ready && p->scheduled && p->initialized && p->gate_model_ready);
	assert_false(p->containers_ready);
	assert_true(p->ready_since_ms > 0);
	assert_int_equal(p->restarts, 6);
	assert_string_equal(p->ip, "10.1.2.3");
	assert_string_equal(p->nominated_node, "n9");
	assert_null(p->reason);
	free(p);
}

static const struct {
	const char *status, *reason, *message;
} reasons[] = {
	{"'reason':'OutOfnvidia.com/gpu','message':'m','containerStatuses':[{'state':{'waiting':"
         "{'reason':'X'}}}]",
         "OutOfnvidia.com/gpu", "m"},
	{"'containerStatuses':[{'state':{'running':{}}},{'state':{'waiting':{'reason':"
         "'CrashLoopBackOff','message':'back-off'}}}]",
         "CrashLoopBackOff", "back-off"},
	{"'initContainerStatuses':[{'state':{'waiting':{'reason':'Init'}}}],'containerStatuses':"
         "[{'state':{'waiting':{'reason':'PodInitializing'}}}]",
         "Init", NULL},
	{"'conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable',"
         "'message':'0/3 nodes'}]",
         "Unschedulable", "0/3 nodes"},
	{"'conditions':[{'type':'PodScheduled','status':'True','reason':'Fine'}]", NULL, NULL},
};

static void test_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		char *members = xasprintf("'status':{%s}", reasons[i].status);
		struct pod *p = decode_members(&pod_kind, "", members);

		assert_true(str_eq(p->reason, reasons[i].reason));
		assert_true(str_eq(p->message, reasons[i].message));
		free(p);
		free(members);
	}
}

static void test_phases(void **state)
{
	static const struct {
		const char *status;
		enum pod_phase phase;
	} rows[] = {{"{}", POD_PENDING},
	            {"{'phase':'Pending'}", POD_PENDING},
	            {"{'phase':'Succeeded'}", POD_SUCCEEDED},
	            {"{'phase':'Failed'}", POD_FAILED},
	            {"{'phase':'Unknown'}", POD_UNKNOWN},
	            {"{'phase':'Dreaming'}", POD_UNKNOWN}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *members = xasprintf("'status':%s", rows[i].status);
		struct pod *p = decode_members(&pod_kind, "", members);

		assert_int_equal(p->phase, rows[i].phase);
		free(p);
		free(members);
	}
}

#define AFFINITY                                                                                   \
	"'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"            \
	"{'nodeSelectorTerms':[{'matchExpressions':[{'key':'gpu','operator':'In','values':"        \
	"['a','b']},{'key':'n','operator':'Gt','values':['3']}],'matchFields':[{'key':"            \
	"'metadata.name','operator':'NotIn','values':['n1']}]},{}]},"                              \
	"'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':10,'preference':"            \
	"{'matchExpressions':[{'key':'x','operator':'Exists'}]}},{'weight':0,'preference':{}}]}}"
#define REST                                                                                       \
	"'nodeSelector':{'a':'1','b':'2'},'tolerations':[{'key':'k','operator':'Exists',"          \
	"'effect':'NoSchedule'},{'operator':'Exists'},{'key':'v','value':'w','effect':"            \
	"'NoExecute','tolerationSeconds':300},{'key':'odd','effect':'Sometimes'}]"

static void test_constraints(void **state)
{
	struct pod *p = decode_members(&pod_kind, "",
	                               "'spec':{'schedulerName':'tidegate'," AFFINITY "," REST
	                               ",'schedulingGates':[{'name':'g'}]}");
	const struct pod_constraints *c = p->constraints;

	(void)state;
	assert_true(p->gated);
	assert_null(c->unsupported);
	assert_true(c->has_required);
	assert_int_equal(c->nrequired, 2);
	assert_int_equal(c->required[0].nreqs, 3);
	assert_int_equal(c->required[0].reqs[0].op, SEL_IN);
	assert_int_equal(c->required[0].reqs[0].nvalues, 2);
	assert_string_equal(c->required[0].reqs[0].values[1], "b");
	assert_int_equal(c->required[0].reqs[1].op, SEL_GT);
	assert_true(c->required[0].reqs[2].field);
	assert_int_equal(c->required[0].reqs[2].op, SEL_NOT_IN);
	assert_int_equal(c->required[1].nreqs, 0); /* stays: it matches nothing */
	assert_int_equal(c->npreferred, 1);
	assert_int_equal(c->preferred[0].weight, 10);
	assert_string_equal(label_get(c->node_selector, c->nnode_selector, "b"), "2");
	assert_int_equal(c->ntolerations, 3); /* an unknown effect tolerates nothing */
	assert_true(c->tolerations[0].exists && !c->tolerations[0].any_effect);
	assert_true(c->tolerations[1].any_effect && !*c->tolerations[1].key);
	assert_int_equal(c->tolerations[2].effect, TAINT_NO_EXECUTE);
	assert_string_equal(c->tolerations[2].value, "w");
	free(p);
}

static void test_bound_pod_keeps_no_placement(void **state)
{
	struct pod *p = decode_members(&pod_kind, "",
	                               "'spec':{'nodeName':'n1'," AFFINITY "," REST
	                               ",'containers':[{'ports':[{'hostPort':80}]}]}");
	const struct pod_constraints *c = p->constraints;

	(void)state;
	assert_string_equal(p->node, "n1");
	assert_int_equal(c->nrequired + c->npreferred + c->ntolerations + c->nnode_selector, 0);
	assert_false(c->has_required);
	assert_int_equal(c->nhost_ports, 1);
	free(p);
	p = decode_members(&pod_kind, "", "'spec':{'nodeName':'n1'," AFFINITY "," REST "}");
	assert_null(p->constraints);
	assert_false(pod_constraints(p)->has_required);
	free(p);
}

static void test_required_without_terms(void **state)
{
	struct pod *p = decode_members(
		&pod_kind, "",
		"'spec':{'affinity':{'nodeAffinity':{"
		"'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[]}}}}");

	(void)state;
	assert_true(p->constraints->has_required);
	assert_int_equal(p->constraints->nrequired, 0);
	free(p);
}

static void test_host_ports(void **state)
{
	struct pod *p = decode_members(
		&pod_kind, "",
		"'spec':{'containers':[{'ports':[{'containerPort':1},{'hostPort':53,'protocol':'"
		"UDP',"
		"'hostIP':'127.0.0.1'}]}],'initContainers':[{'ports':[{'hostPort':1}]},"
		"{'restartPolicy':'Always','ports':[{'hostPort':2}]}]}");
	struct pod *host = decode_members(
		&pod_kind, "",
		"'spec':{'hostNetwork':true,'containers':[{'ports':[{'containerPort':8080}]}]}");
	const struct pod_constraints *c = p->constraints;

	(void)state;
	assert_int_equal(c->nhost_ports, 2);
	assert_int_equal(c->host_ports[0].port, 53);
	assert_int_equal(c->host_ports[0].protocol, 'U');
	assert_string_equal(c->host_ports[0].ip, "127.0.0.1");
	assert_int_equal(c->host_ports[1].port, 2);
	assert_string_equal(c->host_ports[1].ip, "0.0.0.0");
	assert_int_equal(host->constraints->nhost_ports, 1);
	assert_int_equal(host->constraints->host_ports[0].port, 8080);
	free(p);
	free(host);
}

static const struct {
	const char *spec, *part; /* part of the reason; NULL = supported */
} refusals[] = {
	{"'volumes':[{'emptyDir':{}},{'configMap':{}}]", NULL},
	{"'volumes':[{'persistentVolumeClaim':{'claimName':'c'}}]", "persistentVolumeClaim"},
	{"'volumes':[{'ephemeral':{}}]", "ephemeral"},
	{"'volumes':[{'iscsi':{}}]", "iscsi"},
	{"'resourceClaims':[{'name':'g'}]", "resourceClaims"},
	{"'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{}]}}",
         "podAntiAffinity"},
	{"'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{}]}}",
         "podAffinity"},
	{"'affinity':{'podAntiAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[{}]}}",
         NULL},
	{"'topologySpreadConstraints':[{'whenUnsatisfiable':'ScheduleAnyway'}]", NULL},
	{"'topologySpreadConstraints':[{'whenUnsatisfiable':'DoNotSchedule'}]",
         "topologySpreadConstraints"},
	{"'topologySpreadConstraints':[{}]", "topologySpreadConstraints"},
	{"'tolerations':[{'key':'a','operator':'Gt','value':'1'}]", "tolerations"},
	{"'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"
         "{'nodeSelectorTerms':[{'matchExpressions':[{'key':'a','operator':'Near'}]}]}}}",
         "nodeAffinity"},
	{"'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':"
         "{'nodeSelectorTerms':[{'matchFields':[{'key':'metadata.uid','operator':'In','values':"
         "['x']}]}]}}}",
         "nodeAffinity"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		char *members = xasprintf("'spec':{%s}", refusals[i].spec);
		struct pod *p = decode_members(&pod_kind, "", members);

		print_message("%s\n", refusals[i].spec);
		if (!refusals[i].part)
			assert_null(p->constraints->unsupported);
		else
			assert_non_null(
				strstr(str_or(p->constraints->unsupported, ""), refusals[i].part));
		free(p);
		free(members);
	}
}

#define SAME(am, a, bm, b) assert_true(same_members(&pod_kind, am, a, bm, b))
#define DIFF(am, a, bm, b) assert_false(same_members(&pod_kind, am, a, bm, b))

static void test_same(void **state)
{
	(void)state;
	SAME("'managedFields':[{}]", "", "'managedFields':[]", "");
	SAME("'labels':{'a':'1'}", "", "'labels':{'a':'2'}", "");
	SAME("", "'status':{'conditions':[{'type':'Ready','status':'False','lastProbeTime':'x'}]}",
	     "", "'status':{'conditions':[{'type':'Ready','status':'False','lastProbeTime':'y'}]}");
	DIFF("", "", "'labels':{'serving.tidegate.io/in-service':'false'}", "");
	DIFF("", "", "'deletionTimestamp':'2026-11-24T10:00:02Z'", "");
	DIFF("", "", "", "'spec':{'nodeName':'n1'}");
	DIFF("", "'spec':{'schedulingGates':[{}]}", "", "'spec':{}");
	DIFF("", "", "", "'status':{'podIP':'1.2.3.4'}");
	DIFF("", "", "", "'status':{'phase':'Failed'}");
	DIFF("", "", "", "'status':{'conditions':[{'type':'Ready','status':'True'}]}");
	DIFF("", "", "",
	     "'status':{'conditions':[{'type':'serving.tidegate.io/"
	     "model-ready','status':'True'}]}");
	DIFF("", "", "", "'status':{'containerStatuses':[{'restartCount':1}]}");
	DIFF("", "", "'annotations':{'controller.kubernetes.io/pod-deletion-cost':'1'}", "");
	DIFF("", "", "",
	     "'spec':{'containers':[{'resources':{'requests':{'nvidia.com/gpu':'1'}}}]}");
}

/* What a serving pod costs in the cache, with its strings. */
static void test_size(void **state)
{
	struct arena a;
	const struct json *json;
	struct object *o;
	size_t size;

	(void)state;
	arena_init(&a, 0);
	json = parse(
		&a,
		"{'metadata':{'name':'ranker-x7k2m9bq4z-hz-a-8vwlc','namespace':'shop','uid':"
		"'8f14e45f-ceea-467f-a9f7-2b7c1d0e5a11','resourceVersion':'1234567','labels':"
		"{'app.kubernetes.io/name':'ranker','app.kubernetes.io/managed-by':'tidegate',"
		"'serving.tidegate.io/name':'ranker','serving.tidegate.io/revision':'x7k2m9bq4z',"
		"'serving.tidegate.io/zone':'hz-a','serving.tidegate.io/in-service':'true'},"
		"'annotations':{'serving.tidegate.io/placement':'Pack'},'ownerReferences':[{'uid':"
		"'7f14e45f-ceea-467f-a9f7-2b7c1d0e5a12','kind':'ReplicaSet','name':"
		"'ranker-x7k2m9bq4z-hz-a','controller':true}]},'spec':{'nodeName':'gpu-a-17',"
		"'schedulerName':'tidegate','containers':[{'name':'model','resources':{'requests':"
		"{'nvidia.com/gpu':'1','cpu':'4','memory':'16Gi'}}}],'tolerations':[{'key':"
		"'node.kubernetes.io/not-ready','operator':'Exists','effect':'NoExecute'}]},"
		"'status':{'phase':'Running','podIP':'10.244.17.23'}}");
	o = pod_kind.decode(json, &a, NULL);
	size = malloc_usable_size(o);
	print_message("a pod is %zu bytes\n", size);
	assert_true(size <= 560);
	free(o);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta_and_annotations),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_constraints),
		cmocka_unit_test(test_bound_pod_keeps_no_placement),
		cmocka_unit_test(test_required_without_terms),
		cmocka_unit_test(test_host_ports),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
