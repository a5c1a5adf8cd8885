/* Pod templates: presets filled in, and what a spec changes in them. */
#include "fixture.h"

#define MODEL "'model':{'name':'rec','version':'7','uri':'pvc://models/rec'}"

/* Template of a spec; everything lives in `a`. */
static const struct json *template_in(struct arena *a, const char *spec, const char *zone)
{
	cleanup_buf struct buf out;
	struct err err = ERR_INIT;

	buf_init(&out, CHILD_BODY_MAX);
	if (child_template(read_spec(a, spec), zone, &out, &err))
		fail_msg("%s", err.msg);
	return parse_body(a, &out);
}

static const struct json *container(const struct json *template)
{
	const struct json *list = json_path(template, "spec", "containers", NULL);

	assert_int_equal(json_size(list), 1);
	assert_string_equal(json_str(json_first(list), "name"), "model");
	return json_first(list);
}

/* --- presets ----------------------------------------------------------------------------- */

static void test_presets(void **state)
{
	static const char gate[] = "[{'conditionType':'serving.tidegate.io/model-ready'}]";
	static const struct {
		const char *runtime;
		const char *image, *command, *args;
		const char *gates;
		const char *ready; /* path of the readiness probe, NULL = TCP */
		int port, grace;
		bool config;
	} rows[] = {
		{"'preset':'tensorflow-serving'", "tensorflow/serving:2.20.0-gpu",
	         "['/usr/bin/tensorflow_model_server']",
	         "['--rest_api_port=8501','--model_name=rec','--model_base_path=/models/rec',"
	         "'--file_system_poll_wait_seconds=0',"
	         "'--monitoring_config_file=/etc/tidegate/runtime.conf']",
	         gate, "/v1/models/rec/versions/7/metadata", 8501, 20, true},
		{"'preset':'torchserve'", "pytorch/torchserve:0.12.0-gpu", "['torchserve']",
	         "['--start','--foreground','--ncs','--disable-token-auth','--model-store',"
	         "'/models','--models','rec=rec.mar']",
	         "-", "/ping", 8080, 60, false},
		{"'preset':'triton','port':9000", "nvcr.io/nvidia/tritonserver:26.07-py3",
	         "['tritonserver']",
	         "['--model-repository=/models','--model-control-mode=explicit',"
	         "'--load-model=rec','--strict-readiness=true','--exit-timeout-secs=40',"
	         "'--http-port=9000']",
	         gate, "/v2/models/rec/ready", 9000, 60, false},
		{"'preset':'vllm','image':'mine:1'", "mine:1", "['vllm','serve']",
	         "['/models/rec','--served-model-name','rec','--host','0.0.0.0','--port','8000',"
	         "'--shutdown-timeout','45']",
	         "-", "/v1/models", 8000, 75, false},
		{"'preset':'sglang','image':'sg:1'", "sg:1",
	         "['python3','-m','sglang.launch_server']",
	         "['--model-path','/models/rec','--served-model-name','rec','--host','0.0.0.0',"
	         "'--port','30000','--enable-metrics']",
	         "-", "/health", 30000, 75, false},
		{"'preset':'v2','image':'kserve:1','port':8080", "kserve:1", "-", "-", gate,
	         "/v2/models/rec/ready", 8080, 45, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		const struct json *t, *c, *probe, *spec;

		arena_init(&a, 0);
		t = template_in(&a, arena_printf(&a, MODEL ",'runtime':{%s}", rows[i].runtime), "");
		c = container(t);
		spec = json_get(t, "spec");
		assert_string_equal(json_str(c, "image"), rows[i].image);
		assert_json(&a, json_get(c, "command"), rows[i].command);
		assert_json(&a, json_get(c, "args"), rows[i].args);
		assert_json(&a, json_get(spec, "readinessGates"), rows[i].gates);
		assert_json(&a, json_get(c, "ports"),
		            arena_printf(&a, "[{'name':'http','containerPort':%d}]", rows[i].port));
		assert_int_equal(json_i64(spec, "terminationGracePeriodSeconds", -1),
		                 rows[i].grace);
		probe = json_path(c, "readinessProbe", "httpGet", NULL);
		assert_true(str_eq(json_str(probe, "path"), rows[i].ready));
		assert_int_equal(json_i64(probe, "port", -1), rows[i].port);
		assert_non_null(json_get(c, "startupProbe"));
		assert_non_null(json_get(c, "livenessProbe"));
		assert_int_equal(json_has(spec, "volumes"), rows[i].config);
		assert_int_equal(json_has(c, "volumeMounts"), rows[i].config);
		assert_int_equal(json_has(json_path(t, "metadata", "annotations", NULL),
		                          TG_ANN_RUNTIME_CONFIG),
		                 rows[i].config);
	}
}

/* A container of its own: nothing is assumed about it. */
static void test_custom_runtime(void **state)
{
	cleanup_arena struct arena a;
	const struct json *t, *c;

	(void)state;
	arena_init(&a, 0);
	t = template_in(&a, MODEL ",'runtime':{'image':'x:1'}", "");
	c = container(t);
	assert_null(json_get(c, "command"));
	assert_null(json_get(c, "args"));
	assert_null(json_get(c, "ports"));
	assert_null(json_get(c, "readinessProbe"));
	assert_null(json_get(c, "lifecycle"));
	assert_null(json_path(t, "spec", "readinessGates", NULL));
	t = template_in(&a, MODEL ",'runtime':{'image':'x:1','port':90}", "");
	assert_json(&a, json_get(container(t), "ports"), "[{'name':'http','containerPort':90}]");
	assert_null(json_get(container(t), "readinessProbe"));
}

/* The configuration file travels as an annotation that the kubelet writes into a volume. */
static void test_config_file(void **state)
{
	cleanup_arena struct arena a;
	const struct json *t, *volume, *item;

	(void)state;
	arena_init(&a, 0);
	t = template_in(&a, MODEL ",'runtime':{'preset':'tensorflow-serving'}", "");
	volume = named(json_path(t, "spec", "volumes", NULL), "tidegate-runtime");
	item = json_first(json_path(volume, "downwardAPI", "items", NULL));
	assert_string_equal(json_str(item, "path"), "runtime.conf");
	assert_string_equal(json_str(json_get(item, "fieldRef"), "fieldPath"),
	                    "metadata.annotations['serving.tidegate.io/runtime-config']");
	assert_json(&a, json_get(container(t), "volumeMounts"),
	            "[{'name':'tidegate-runtime','mountPath':'/etc/tidegate','readOnly':true}]");
	assert_non_null(strstr(
		json_str(json_path(t, "metadata", "annotations", NULL), TG_ANN_RUNTIME_CONFIG),
		"enable: true"));
}

/* --- what the spec changes --------------------------------------------------------------- */

static void test_args(void **state)
{
	static const struct {
		const char *args, *want;
	} rows[] = {
		{"[]", "[]"},
		{"['--name=$N','--version=$V','--port=$P']",
	         "['--name=rec','--version=7','--port=8000']"},
		{"['$N=$N.mar','$N$V','$N:$P/$V']", "['rec=rec.mar','rec7','rec:8000/7']"},
		/* other people's variables */
		{"['$NODE_NAME','$PORT','${N}','$(V)','$N_X','$P9','$','$$','$x']",
	         "['$NODE_NAME','$PORT','${N}','$(V)','$N_X','$P9','$','$$','$x']"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		const struct json *t;

		arena_init(&a, 0);
		t = template_in(&a,
		                arena_printf(&a, MODEL ",'runtime':{'preset':'vllm','args':%s}",
		                             rows[i].args),
		                "");
		assert_json(&a, json_get(container(t), "args"), rows[i].want);
	}
}

/* The preset's file is asked for with user arguments, too, but not twice. */
static void test_args_and_config_flag(void **state)
{
	cleanup_arena struct arena a;
	const struct json *t;

	(void)state;
	arena_init(&a, 0);
	t = template_in(&a, MODEL ",'runtime':{'preset':'tensorflow-serving','args':['--x']}", "");
	assert_json(&a, json_get(container(t), "args"),
	            "['--x','--monitoring_config_file=/etc/tidegate/runtime.conf']");
	t = template_in(&a,
	                MODEL ",'runtime':{'preset':'tensorflow-serving','args':"
	                      "['--monitoring_config_file=/mine']}",
	                "");
	assert_json(&a, json_get(container(t), "args"), "['--monitoring_config_file=/mine']");
}

/* A long argument is kept whole. */
static void test_long_argument(void **state)
{
	cleanup_arena struct arena a;
	cleanup_free char *text = xmalloc(20001);
	const struct json *t;

	(void)state;
	arena_init(&a, 0);
	memset(text, 'x', 20000);
	text[20000] = '\0';
	t = template_in(
		&a, arena_printf(&a, MODEL ",'runtime':{'preset':'vllm','args':['%s']}", text), "");
	assert_string_equal(json_value_str(json_first(json_get(container(t), "args"))), text);
}

static void test_env_order(void **state)
{
	static const char spec[] =
		MODEL ",'runtime':{'preset':'vllm','env':[{'name':'B','value':'2'},"
		      "{'name':'A','value':'$(POD_IP)'},{'name':'ZONE','value':'mine'}]}";
	static const char *const zoned[] = {"POD_IP",        "POD_NAME",  "ZONE", "MODEL_NAME",
	                                    "MODEL_VERSION", "MODEL_URI", "B",    "A",
	                                    "ZONE"};
	cleanup_arena struct arena a;
	const struct json *env, *it;
	size_t n = 0;

	(void)state;
	arena_init(&a, 0);
	env = json_get(container(template_in(&a, spec, "hz-a")), "env");
	json_for_each (it, env) {
		assert_true(n < ARRAY_SIZE(zoned));
		assert_string_equal(json_str(it, "name"), zoned[n++]);
	}
	assert_int_equal(n, ARRAY_SIZE(zoned));
	assert_json(&a, named(env, "POD_IP"),
	            "{'name':'POD_IP','valueFrom':{'fieldRef':{'fieldPath':'status.podIP'}}}");
	assert_string_equal(json_str(named(env, "ZONE"), "value"), "hz-a");
	assert_string_equal(json_str(named(env, "MODEL_URI"), "value"), "pvc://models/rec");
	assert_string_equal(json_str(named(env, "A"), "value"), "$(POD_IP)");
}

static void test_probes(void **state)
{
	cleanup_arena struct arena a;
	const struct json *c;

	(void)state;
	arena_init(&a, 0);
	c = container(template_in(&a,
	                          MODEL ",'runtime':{'preset':'tensorflow-serving','probes':"
	                                "{'readiness':{'tcpSocket':{'port':1}}}}",
	                          ""));
	assert_json(&a, json_get(c, "readinessProbe"), "{'tcpSocket':{'port':1}}");
	/* TCP on the port, because the preset knows no path */
	assert_json(&a, json_path(c, "startupProbe", "tcpSocket", NULL), "{'port':8501}");
	c = container(template_in(&a,
	                          MODEL ",'runtime':{'image':'x','probes':"
	                                "{'liveness':{'exec':{'command':['true']}}}}",
	                          ""));
	assert_json(&a, json_get(c, "livenessProbe"), "{'exec':{'command':['true']}}");
	assert_null(json_get(c, "readinessProbe"));
}

static void test_gpus(void **state)
{
	cleanup_arena struct arena a;
	const struct json *t;

	(void)state;
	arena_init(&a, 0);
	t = template_in(&a, MODEL ",'runtime':{'preset':'vllm'},'gpu':{'count':2}", "");
	assert_json(&a, json_get(container(t), "resources"),
	            "{'limits':{'nvidia.com/gpu':'2'},'requests':{'nvidia.com/gpu':'2'}}");
	assert_json(&a, json_path(t, "spec", "tolerations", NULL),
	            "[{'key':'nvidia.com/gpu','operator':'Exists','effect':'NoSchedule'}]");
	assert_null(json_path(t, "spec", "affinity", NULL));
	t = template_in(&a, MODEL ",'runtime':{'preset':'vllm'},'gpu':{'resource':'amd.com/gpu'}",
	                "");
	assert_json(&a, json_path(container(t), "resources", "limits", NULL),
	            "{'amd.com/gpu':'1'}");
	t = template_in(&a, MODEL ",'runtime':{'preset':'vllm'}", "");
	assert_null(json_get(container(t), "resources"));
	assert_null(json_path(t, "spec", "tolerations", NULL));
}

/* The label counts MiB and "Gt" is strict: at least N is greater than N - 1. */
static void test_affinity(void **state)
{
	static const struct {
		const char *gpu, *want;
	} rows[] = {
		{"'products':['NVIDIA-A100','NVIDIA-H100']",
	         "[{'key':'nvidia.com/gpu.product','operator':'In','values':['NVIDIA-A100',"
	         "'NVIDIA-H100']}]"},
		{"'minMemory':'20Gi'",
	         "[{'key':'nvidia.com/gpu.memory','operator':'Gt','values':['20479']}]"},
		{"'minMemory':'1048577'",
	         "[{'key':'nvidia.com/gpu.memory','operator':'Gt','values':['1']}]"},
		{"'minMemory':'1'",
	         "[{'key':'nvidia.com/gpu.memory','operator':'Gt','values':['0']}]"},
		{"'products':['T4'],'minMemory':'16Gi'",
	         "[{'key':'nvidia.com/gpu.product','operator':'In','values':['T4']},"
	         "{'key':'nvidia.com/gpu.memory','operator':'Gt','values':['16383']}]"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		const struct json *required, *terms;

		arena_init(&a, 0);
		required = json_path(
			template_in(&a, arena_printf(&a, MODEL ",'gpu':{%s}", rows[i].gpu), ""),
			"spec", "affinity", "nodeAffinity",
			"requiredDuringSchedulingIgnoredDuringExecution", NULL);
		terms = json_get(required, "nodeSelectorTerms");
		assert_int_equal(json_size(terms), 1);
		assert_json(&a, json_get(json_first(terms), "matchExpressions"), rows[i].want);
	}
}

static void test_zone_and_placement(void **state)
{
	static const char spec[] = MODEL ",'placement':{'policy':'Spread','maxPerNode':3}";
	cleanup_arena struct arena a;
	const struct json *t, *labels, *notes;

	(void)state;
	arena_init(&a, 0);
	t = template_in(&a, spec, "hz-a");
	labels = json_path(t, "metadata", "labels", NULL);
	notes = json_path(t, "metadata", "annotations", NULL);
	assert_json(&a, json_path(t, "spec", "nodeSelector", NULL),
	            "{'topology.kubernetes.io/zone':'hz-a'}");
	assert_string_equal(json_str(labels, TG_LABEL_ZONE), "hz-a");
	assert_string_equal(json_str(labels, TG_LABEL_NAME), "ranker");
	assert_string_equal(json_str(labels, TG_LABEL_IN_SERVICE), "true");
	assert_string_equal(json_str(labels, TG_LABEL_REVISION), read_spec(&a, spec)->revision);
	assert_string_equal(json_str(notes, TG_ANN_PLACEMENT), "Spread");
	assert_string_equal(json_str(notes, TG_ANN_MAX_PER_NODE), "3");
	assert_string_equal(json_str(notes, TG_ANN_MODEL_VERSION), "7");
	assert_string_equal(json_str(json_get(t, "spec"), "schedulerName"), "tidegate");
	t = template_in(&a, MODEL ",'placement':{'scheduler':'default-scheduler'}", "");
	assert_null(json_path(t, "spec", "nodeSelector", NULL));
	assert_string_equal(json_str(json_path(t, "metadata", "labels", NULL), TG_LABEL_ZONE),
	                    "none");
	assert_string_equal(json_str(json_get(t, "spec"), "schedulerName"), "default-scheduler");
	assert_null(json_get(json_path(t, "metadata", "annotations", NULL), TG_ANN_MAX_PER_NODE));
}

static void test_user_template(void **state)
{
	static const char spec[] =
		MODEL ",'runtime':{'preset':'tensorflow-serving'},'template':{"
		      "'metadata':{'labels':{'team':'ads','serving.tidegate.io/name':'x'}},"
		      "'spec':{'serviceAccountName':'sa','terminationGracePeriodSeconds':90,"
		      "'volumes':[{'name':'models','persistentVolumeClaim':{'claimName':'m'}}],"
		      "'containers':[{'name':'model','resources':{'limits':{'cpu':'2'}},"
		      "'volumeMounts':[{'name':'models','mountPath':'/models'}]},"
		      "{'name':'log','image':'l:1'}]}}";
	cleanup_arena struct arena a;
	const struct json *t, *spec_json, *model;

	(void)state;
	arena_init(&a, 0);
	t = template_in(&a, spec, "");
	spec_json = json_get(t, "spec");
	model = named(json_get(spec_json, "containers"), "model");
	assert_string_equal(json_str(json_path(t, "metadata", "labels", NULL), "team"), "ads");
	assert_string_equal(json_str(json_path(t, "metadata", "labels", NULL), TG_LABEL_NAME),
	                    "ranker");
	assert_string_equal(json_str(spec_json, "serviceAccountName"), "sa");
	assert_int_equal(json_i64(spec_json, "terminationGracePeriodSeconds", 0), 90);
	assert_int_equal(json_size(json_get(spec_json, "volumes")), 2);
	assert_int_equal(json_size(json_get(model, "volumeMounts")), 2);
	assert_string_equal(json_str(model, "image"), "tensorflow/serving:2.20.0-gpu");
	assert_json(&a, json_path(model, "resources", "limits", NULL), "{'cpu':'2'}");
	assert_json(&a, named(json_get(spec_json, "containers"), "log"),
	            "{'name':'log','image':'l:1'}");
}

/* Texts come from the cache as they were written; what is no JSON is named, never sent. */
static void test_bad_json_names_the_field(void **state)
{
	static const struct {
		size_t member;
		const char *field;
	} rows[] = {
		{offsetof(struct mdep, args_json), "spec.runtime.args"},
		{offsetof(struct mdep, env_json), "spec.runtime.env"},
		{offsetof(struct mdep, probes_json), "spec.runtime.probes"},
		{offsetof(struct mdep, template_json), "spec.template"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_arena struct arena a;
		cleanup_buf struct buf out;
		struct err err = ERR_INIT;
		struct mdep *m;

		arena_init(&a, 0);
		buf_init(&out, CHILD_BODY_MAX);
		m = read_spec(&a, MODEL ",'runtime':{'preset':'vllm'}");
		*(const char **)((char *)m + rows[i].member) = "[1,";
		assert_int_equal(child_template(m, "", &out, &err), -1);
		assert_true(str_starts(err.msg, rows[i].field));
		assert_int_equal(err.class, ERR_INVALID);
	}
}

static void test_too_large(void **state)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf out;
	struct err err = ERR_INIT;

	(void)state;
	arena_init(&a, 0);
	buf_init(&out, 100);
	assert_int_equal(child_template(read_spec(&a, MODEL), "", &out, &err), -1);
	assert_int_equal(err.class, ERR_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_custom_runtime),
		cmocka_unit_test(test_config_file),
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_args_and_config_flag),
		cmocka_unit_test(test_long_argument),
		cmocka_unit_test(test_env_order),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_gpus),
		cmocka_unit_test(test_affinity),
		cmocka_unit_test(test_zone_and_placement),
		cmocka_unit_test(test_user_template),
		cmocka_unit_test(test_bad_json_names_the_field),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
