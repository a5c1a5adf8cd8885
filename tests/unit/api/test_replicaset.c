/* ReplicaSets and Services: what tells our children. */
#include "fixture.h"

static void test_ours(void **state)
{
	struct replicaset *rs = decode_members(
		&replicaset_kind,
		"'labels':{'serving.tidegate.io/name':'ranker','serving.tidegate.io/revision':'r1',"
		"'serving.tidegate.io/zone':'hz-a'},'annotations':{'serving.tidegate.io/"
		"model-version':"
		"'3','serving.tidegate.io/revision-number':'12','serving.tidegate.io/"
		"asked-replicas':'3','serving.tidegate.io/model-name':'rec',"
		"'serving.tidegate.io/runtime':'triton','serving.tidegate.io/port':'9000',"
		"'serving.tidegate.io/metrics-path':'/m','serving.tidegate.io/spec-writes':'2',"
		"'serving.tidegate.io/apply-hash':"
		"'00ff00ff00ff00ff'}",
		"'spec':{'replicas':4},'status':{'replicas':3,'readyReplicas':2,'availableReplicas'"
		":1,"
		"'observedGeneration':9,'conditions':[{'type':'ReplicaFailure','status':'True',"
		"'message':'quota'}]}");

	(void)state;
	assert_string_equal(rs->name, "ranker");
	assert_string_equal(rs->revision, "r1");
	assert_string_equal(rs->zone, "hz-a");
	assert_string_equal(rs->model_version, "3");
	assert_string_equal(rs->model_name, "rec");
	assert_string_equal(rs->runtime, "triton");
	assert_string_equal(rs->metrics_path, "/m");
	assert_int_equal(rs->port, 9000);
	assert_int_equal(rs->revision_no, 12);
	assert_true(rs->apply_hash == 0x00ff00ff00ff00ffULL);
	assert_int_equal(rs->replicas, 4);
	assert_int_equal(rs->asked, 3);
	assert_int_equal(rs->spec_writes, 2);
	assert_int_equal(rs->status_replicas, 3);
	assert_int_equal(rs->ready_replicas, 2);
	assert_int_equal(rs->available_replicas, 1);
	assert_int_equal(rs->observed_generation, 9);
	assert_string_equal(rs->failure, "quota");
	free(rs);
}

/* That of the model's container, if it has one that can be used. */
static void test_grpc_probe(void **state)
{
	static const struct {
		const char *containers;
		int port;
		const char *service;
	} rows[] = {
		{"{'name':'model','readinessProbe':{'grpc':{'port':9000,'service':'rank'}}}", 9000,
	         "rank"},
		{"{'name':'side','readinessProbe':{'grpc':{'port':1}}},"
	         "{'name':'model','readinessProbe':{'grpc':{'port':65535}}}",
	         65535, NULL},
		{"{'name':'side','readinessProbe':{'grpc':{'port':9000}}},{'name':'model'}", 0,
	         NULL},
		{"{'name':'model','readinessProbe':{'httpGet':{'port':9000}}}", 0, NULL},
		{"{'name':'model','readinessProbe':{'grpc':{'port':0,'service':'x'}}}", 0, NULL},
		{"{'name':'model','readinessProbe':{'grpc':{'port':65536}}}", 0, NULL},
		{"{'name':'model','readinessProbe':{'grpc':'9000'}},7", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *spec = xasprintf(
			"'spec':{'template':{'spec':{'containers':[%s]}}}", rows[i].containers);
		struct replicaset *rs = decode_members(&replicaset_kind, "", spec);

		assert_int_equal(rs->grpc_port, rows[i].port);
		assert_true(str_eq(rs->grpc_service, rows[i].service));
		free(rs);
	}
}

static void test_not_ours(void **state)
{
	struct replicaset *rs = decode_members(
		&replicaset_kind, "'annotations':{'serving.tidegate.io/revision-number':'-1'}",
		"'status':{'conditions':[{'type':'ReplicaFailure','status':'False','message':'x'}]"
		"}");

	(void)state;
	assert_null(rs->name);
	assert_null(rs->revision);
	assert_null(rs->zone);
	assert_null(rs->failure);
	assert_int_equal(rs->revision_no, 0);
	assert_int_equal(rs->replicas, 1);
	assert_int_equal(rs->asked, -1);
	assert_int_equal(rs->spec_writes, 0);
	free(rs);
}

static void test_apply_hash(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} rows[] = {{"0123456789abcdef", 0x0123456789abcdefULL},
	            {"ffffffffffffffff", UINT64_MAX},
	            {"0123456789ABCDEF", 0},
	            {"0123456789abcde", 0},
	            {"0123456789abcdef0", 0},
	            {"-123456789abcdef", 0},
	            {"", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *meta = xasprintf("'annotations':{'serving.tidegate.io/apply-hash':'%s'}",
		                       rows[i].text);
		struct service *s = decode_members(&service_kind, meta, "");

		assert_true(s->apply_hash == rows[i].value);
		free(s);
		free(meta);
	}
}

#define RS(am, a, bm, b) same_members(&replicaset_kind, am, a, bm, b)

static void test_same(void **state)
{
	(void)state;
	assert_true(RS("'labels':{'a':'1'}", "", "'managedFields':[1]", ""));
	assert_false(RS("'labels':{'serving.tidegate.io/zone':'a'}", "", "", ""));
	assert_false(RS("'annotations':{'serving.tidegate.io/port':'9000'}", "", "", ""));
	assert_false(RS("'annotations':{'serving.tidegate.io/runtime':'triton'}", "", "", ""));
	assert_false(RS("", "'spec':{'replicas':2}", "", ""));
	assert_false(RS("", "'status':{'readyReplicas':2}", "", ""));
	assert_false(RS("'generation':1", "", "'generation':2", ""));
	assert_false(RS("'annotations':{'serving.tidegate.io/spec-writes':'1'}", "", "", ""));
	assert_true(same_members(&service_kind, "'labels':{'a':'1'}", "'spec':{}", "", ""));
	assert_false(same_members(
		&service_kind,
		"'annotations':{'serving.tidegate.io/apply-hash':'0123456789abcdef'}", "", "", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ours),     cmocka_unit_test(test_grpc_probe),
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_apply_hash),
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
