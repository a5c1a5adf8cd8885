/* Bodies of ReplicaSets and Services. */
#include "fixture.h"
#include "tidegate/traffic/gateway.h"

#define SPEC                                                                                       \
	"'model':{'name':'rec','version':'7'},'runtime':{'preset':'tensorflow-serving'},"          \
	"'traffic':{'servicePort':8080}"

static void assert_owned(struct arena *a, const struct json *body)
{
	assert_json(a, json_path(body, "metadata", "ownerReferences", NULL),
	            "[{'apiVersion':'serving.tidegate.io/v1alpha1','kind':'ModelDeployment',"
	            "'name':'ranker','uid':'u1','controller':true,'blockOwnerDeletion':true}]");
}

/* What selects must be among the labels of what is selected, or nothing ever matches. */
static void assert_selects(const struct json *selector, const struct json *labels)
{
	const struct json *it;

	assert_true(json_size(selector) > 0);
	json_for_each (it, selector)
		assert_true(str_eq(json_str(labels, json_key(it)), json_value_str(it)));
}

static const struct json *replicaset(struct arena *a, const struct mdep *m, const char *zone)
{
	cleanup_buf struct buf out;
	struct err err = ERR_INIT;

	buf_init(&out, CHILD_BODY_MAX);
	if (child_replicaset(m, &(struct child_cell){zone, 12, 3, 5}, &out, &err))
		fail_msg("%s", err.msg);
	return parse_body(a, &out);
}

static void test_replicaset(void **state)
{
	static const char *const zones[] = {"", "hz-a"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		cleanup_arena struct arena a;
		const struct json *body, *meta, *spec, *labels;
		const struct mdep *m;

		arena_init(&a, 0);
		m = read_spec(&a, SPEC);
		body = replicaset(&a, m, zones[i]);
		meta = json_get(body, "metadata");
		spec = json_get(body, "spec");
		labels = json_path(spec, "template", "metadata", "labels", NULL);
		assert_string_equal(json_str(body, "apiVersion"), "apps/v1");
		assert_string_equal(json_str(body, "kind"), "ReplicaSet");
		assert_string_equal(json_str(meta, "name"),
		                    gateway_service_name(&a, m, m->revision, zones[i]));
		assert_string_equal(json_str(meta, "namespace"), "shop");
		assert_string_equal(json_str(json_get(meta, "annotations"), TG_ANN_REVISION_NO),
		                    "12");
		assert_string_equal(json_str(json_get(meta, "annotations"), TG_ANN_SPEC_WRITES),
		                    "5");
		assert_string_equal(json_str(json_get(meta, "annotations"), TG_ANN_MODEL_VERSION),
		                    "7");
		assert_string_equal(json_str(json_get(meta, "labels"), TG_LABEL_MANAGED_BY),
		                    TG_MANAGED_BY);
		assert_string_equal(json_str(json_get(meta, "annotations"), TG_ANN_RUNTIME),
		                    "tensorflow-serving");
		assert_string_equal(json_str(json_get(meta, "annotations"), TG_ANN_PORT), "8501");
		assert_owned(&a, body);
		assert_int_equal(json_i64(spec, "replicas", -1), 3);
		assert_selects(json_path(spec, "selector", "matchLabels", NULL), labels);
		assert_string_equal(json_str(labels, TG_LABEL_ZONE), *zones[i] ? zones[i] : "none");
		/* a pod out of service stays its ReplicaSet's */
		assert_null(json_get(json_path(spec, "selector", "matchLabels", NULL),
		                     TG_LABEL_IN_SERVICE));
	}
}

/* A template of the user's cannot take a pod away from its ReplicaSet. */
static void test_selector_survives_the_user(void **state)
{
	static const char *const templates[] = {
		("{'metadata':{'labels':{'serving.tidegate.io/name':'x',"
	         "'serving.tidegate.io/revision':'x','serving.tidegate.io/zone':'x',"
	         "'serving.tidegate.io/in-service':'false'}}}"),
		"{'metadata':{'labels':null}}",
		"{'metadata':null}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(templates); i++) {
		cleanup_arena struct arena a;
		const struct json *spec;

		arena_init(&a, 0);
		spec = json_get(replicaset(&a,
		                           read_spec(&a, arena_printf(&a, SPEC ",'template':%s",
		                                                      templates[i])),
		                           "hz-a"),
		                "spec");
		assert_selects(json_path(spec, "selector", "matchLabels", NULL),
		               json_path(spec, "template", "metadata", "labels", NULL));
	}
}

static const struct json *service(struct arena *a, const struct mdep *m, const char *revision,
                                  uint64_t *hash)
{
	cleanup_buf struct buf out;

	buf_init(&out, CHILD_BODY_MAX);
	assert_int_equal(
		revision ? child_cell_service(m, revision, "hz-a", child_port(m), NULL, &out, hash)
			 : child_front_service(m, NULL, child_port(m), NULL, &out, hash),
		0);
	return parse_body(a, &out);
}

/* Gateways speak HTTP/1.1 to a port that is called http, unless it says otherwise. */
static void test_grpc_ports_say_so(void **state)
{
	static const char *const rows[][2] = {{"httpRoute", NULL},
	                                      {"grpcRoute", "kubernetes.io/h2c"}};
	cleanup_arena struct arena a;

	(void)state;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct mdep *m = read_spec(
			&a, arena_printf(&a,
		                         "'model':{'name':'rec','version':'7'},'runtime':{"
		                         "'preset':'vllm'},'traffic':{'%s':{'name':'r'}}",
		                         rows[i][0]));
		const struct json *ports;
		uint64_t hash;

		ports = json_path(service(&a, m, NULL, &hash), "spec", "ports", NULL);
		assert_true(str_eq(json_str(json_first(ports), "appProtocol"), rows[i][1]));
	}
}

static void test_cell_service(void **state)
{
	cleanup_arena struct arena a;
	const struct json *body, *spec;
	const struct mdep *m;
	uint64_t hash;

	(void)state;
	arena_init(&a, 0);
	m = read_spec(&a, SPEC);
	body = service(&a, m, m->revision, &hash);
	spec = json_get(body, "spec");
	assert_string_equal(json_str(body, "kind"), "Service");
	assert_string_equal(json_str(json_get(body, "metadata"), "name"),
	                    gateway_service_name(&a, m, m->revision, "hz-a"));
	assert_owned(&a, body);
	assert_json(&a, json_get(spec, "ports"),
	            "[{'name':'http','port':8080,'targetPort':8501,'protocol':'TCP'}]");
	assert_int_equal(json_size(json_get(spec, "selector")), 4);
	assert_selects(json_get(spec, "selector"),
	               json_path(replicaset(&a, m, "hz-a"), "spec", "template", "metadata",
	                         "labels", NULL));
	assert_string_equal(json_str(json_get(spec, "selector"), TG_LABEL_IN_SERVICE), "true");
}

/* Two ports behind one Service have to be found by their name, which the pods give them. */
static void test_service_of_two_ports(void **state)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf out;
	const struct mdep *m;
	uint64_t hash;

	(void)state;
	arena_init(&a, 0);
	buf_init(&out, CHILD_BODY_MAX);
	m = read_spec(&a, SPEC);
	assert_int_equal(child_front_service(m, NULL, CHILD_PORT_BY_NAME, NULL, &out, &hash), 0);
	assert_json(&a, json_path(parse_body(&a, &out), "spec", "ports", NULL),
	            "[{'name':'http','port':8080,'targetPort':'" CHILD_PORT_NAME
	            "','protocol':'TCP'}]");
	assert_string_equal(
		json_str(json_first(json_get(
				 json_first(json_path(replicaset(&a, m, "hz-a"), "spec", "template",
	                                              "spec", "containers", NULL)),
				 "ports")),
	                 "name"),
		CHILD_PORT_NAME);
}

static void test_service_of_all(void **state)
{
	cleanup_arena struct arena a;
	const struct json *body;
	uint64_t hash;

	(void)state;
	arena_init(&a, 0);
	body = service(&a, read_spec(&a, SPEC), NULL, &hash);
	assert_string_equal(json_str(json_get(body, "metadata"), "name"), "ranker");
	assert_json(&a, json_path(body, "spec", "selector", NULL),
	            "{'serving.tidegate.io/name':'ranker',"
	            "'serving.tidegate.io/in-service':'true'}");
	assert_string_equal(
		json_str(json_path(body, "metadata", "annotations", NULL), TG_ANN_APPLY_HASH),
		arena_printf(&a, "%016llx", (unsigned long long)hash));
}

/* The hash stands for the content: same content same hash, anything else another. */
static void test_apply_hash(void **state)
{
	static const char *const specs[] = {
#define RANKER "'model':{'name':'rec','version':'7'},'runtime':{'preset':'vllm'"
		(RANKER "}"),
		(RANKER ",'port':1}"),
		(RANKER "},'traffic':{'servicePort':81}"),
#undef RANKER
	};
	uint64_t hashes[ARRAY_SIZE(specs)], again, other;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		cleanup_arena struct arena a;
		struct mdep *m;

		arena_init(&a, 0);
		m = read_spec(&a, specs[i]);
		service(&a, m, "r1", &hashes[i]);
		service(&a, m, "r1", &again);
		service(&a, m, "r2", &other);
		assert_true(hashes[i] == again);
		assert_true(hashes[i] != other);
		m->meta.uid = "u2";
		service(&a, m, "r1", &other);
		assert_true(hashes[i] != other);
		for (size_t j = 0; j < i; j++)
			assert_true(hashes[i] != hashes[j]);
	}
}

static void test_replicaset_too_large(void **state)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf out;
	struct err err = ERR_INIT;

	(void)state;
	arena_init(&a, 0);
	buf_init(&out, 500);
	assert_int_equal(child_replicaset(read_spec(&a, SPEC), &(struct child_cell){"", 1, 1, 1},
	                                  &out, &err),
	                 -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replicaset),
		cmocka_unit_test(test_selector_survives_the_user),
		cmocka_unit_test(test_cell_service),
		cmocka_unit_test(test_grpc_ports_say_so),
		cmocka_unit_test(test_service_of_two_ports),
		cmocka_unit_test(test_service_of_all),
		cmocka_unit_test(test_apply_hash),
		cmocka_unit_test(test_replicaset_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
