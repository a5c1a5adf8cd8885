/* Objects that no API server sends: each decoder answers with an object or an error, never worse.
 */
#include "fixture.h"

static const struct object_kind *const kinds[] = {&pod_kind,     &node_kind,      &replicaset_kind,
                                                  &service_kind, &httproute_kind, &ingress_kind,
                                                  &mdep_kind};

static void test_missing_metadata(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {{"{}", "metadata is missing"},
	            {"{'metadata':7}", "metadata is missing"},
	            {"{'metadata':{'uid':'u'}}", "metadata.name is missing"},
	            {"{'metadata':{'name':5,'uid':'u'}}", "metadata.name is missing"},
	            {"{'metadata':{'name':'n'}}", "metadata.uid is missing"},
	            {"[]", "metadata is missing"},
	            {"7", "metadata is missing"}};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct err err = ERR_INIT;

			assert_null(decode_text(kinds[k], rows[i].text, &err));
			assert_string_equal(err.msg, rows[i].message);
			assert_int_equal(err.class, ERR_INVALID);
		}
}

/* Names of members that some decoder looks at, each given every kind of value at every depth. */
static const char *const members[] = {"metadata",
                                      "labels",
                                      "annotations",
                                      "ownerReferences",
                                      "spec",
                                      "status",
                                      "containers",
                                      "initContainers",
                                      "resources",
                                      "requests",
                                      "limits",
                                      "affinity",
                                      "nodeAffinity",
                                      "nodeSelector",
                                      "tolerations",
                                      "taints",
                                      "conditions",
                                      "allocatable",
                                      "capacity",
                                      "containerStatuses",
                                      "state",
                                      "waiting",
                                      "ports",
                                      "volumes",
                                      "resourceClaims",
                                      "overhead",
                                      "schedulingGates",
                                      "readinessGates",
                                      "rules",
                                      "backendRefs",
                                      "matches",
                                      "headers",
                                      "parentRefs",
                                      "parents",
                                      "parentRef",
                                      "nodeSelectorTerms",
                                      "matchExpressions",
                                      "matchFields",
                                      "values",
                                      "model",
                                      "runtime",
                                      "template",
                                      "gpu",
                                      "products",
                                      "placement",
                                      "zones",
                                      "strategy",
                                      "steps",
                                      "audience",
                                      "cookie",
                                      "bucket",
                                      "mirror",
                                      "canary",
                                      "policyRef",
                                      "traffic",
                                      "httpRoute",
                                      "slo",
                                      "failover",
                                      "rollout",
                                      "score",
                                      "revisions",
                                      "orders",
                                      "weights",
                                      "preference",
                                      "podAffinity",
                                      "podAntiAffinity",
                                      "topologySpreadConstraints",
                                      "maxSurge",
                                      "replicas",
                                      "creationTimestamp",
                                      "generation",
                                      "requiredDuringSchedulingIgnoredDuringExecution",
                                      "preferredDuringSchedulingIgnoredDuringExecution"};

static unsigned rnd(unsigned *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 16;
}

static void write_any(struct json_writer *w, const char *key, unsigned *seed, int depth)
{
	static const char *const scalars[] = {"null",   "true",    "0",      "-1",
	                                      "1e300",  "1.5",     "\"\"",   "\"x\"",
	                                      "\"5%\"", "\"1h\"",  "-1e300", "9007199254740993",
	                                      "\"9E\"", "\"True\""};
	unsigned n = rnd(seed) % 7, kind = rnd(seed) % (depth > 0 ? 5 : 1);

	if (kind <= 1) {
		jw_raw(w, key, scalars[rnd(seed) % ARRAY_SIZE(scalars)]);
	} else if (kind == 2) {
		jw_array(w, key);
		for (unsigned i = 0; i < n; i++)
			write_any(w, NULL, seed, depth - 1);
		jw_end_array(w);
	} else {
		jw_object(w, key);
		for (unsigned i = 0; i < n; i++)
			write_any(w, members[rnd(seed) % ARRAY_SIZE(members)], seed, depth - 1);
		jw_end_object(w);
	}
}

static void write_object(struct json_writer *w, unsigned *seed)
{
	jw_object(w, NULL);
	jw_object(w, "metadata");
	jw_str(w, "name", "n");
	jw_str(w, "uid", "u");
	for (unsigned i = 0; i < 4; i++)
		write_any(w, members[1 + rnd(seed) % 3], seed, 3);
	jw_end_object(w);
	for (unsigned i = 0; i < 12; i++)
		write_any(w, i % 2 ? "spec" : "status", seed, 6);
	for (unsigned i = 0; i < 4; i++)
		write_any(w, members[rnd(seed) % ARRAY_SIZE(members)], seed, 6);
	jw_end_object(w);
}

/* A tree of known names with values of any type. Same seed, same trees. */
static void test_wrong_types_everywhere(void **state)
{
	unsigned seed = 20261124;
	struct buf text;

	(void)state;
	buf_init(&text, 8 << 20);
	for (int round = 0; round < 4000; round++) {
		struct arena tree, scratch;
		struct err err = ERR_INIT;
		struct json_writer w;
		const struct json *json;

		buf_reset(&text);
		jw_init(&w, &text);
		write_object(&w, &seed);
		assert_int_equal(jw_end(&w), 0);
		arena_init(&tree, 0);
		arena_init(&scratch, 0);
		json = json_parse(&tree, text.data, text.len, &err);
		if (!json)
			fail_msg("%s", err.msg);
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			struct object *o = kinds[k]->decode(json, &scratch, &err);

			assert_non_null(o);
			assert_true(kinds[k]->same(o, o));
			free(o);
			arena_reset(&scratch);
		}
		arena_release(&scratch);
		arena_release(&tree);
	}
	buf_release(&text);
}

static char *long_string(size_t n)
{
	char *s = xmalloc(n + 1);

	memset(s, 'x', n);
	s[n] = '\0';
	return s;
}

/* 10 MB where a word is expected: kept or cut or refused, in bounded time. */
static void test_megabytes(void **state)
{
	char *big = long_string(2 << 20);
	static const char *const pod_members[] = {
		"'status':{'phase':'%s','reason':'%s','message':'%s'}",
		"'spec':{'containers':[{'resources':{'requests':{'cpu':'%s','%s':'%s'}}}]}",
		"'spec':{'tolerations':[{'key':'%s','effect':'%s','operator':'%s'}]}"};
	static const char *const mdep_members[] = {
		"'spec':{'model':{'name':'%s','version':'%s'},'strategy':{'drain':'%s'}}",
		"'spec':{'strategy':{'maxSurge':'%s'},'gpu':{'minMemory':'%s'},'zones':[{'name':'%"
		"s'}]}",
		"'spec':{'runtime':{'preset':'%s'},'placement':{'policy':'%s'},'canary':{'interval'"
		":'%s'}}",
		"'status':{'rollout':{'phase':'%s','message':'%s'},'score':{'verdict':'%s'}}"};

	(void)state;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (size_t i = 0; i < ARRAY_SIZE(pod_members); i++) {
		char *text = xasprintf(pod_members[i], big, big, big);
		struct pod *p = decode_members(&pod_kind, "", text);

		assert_true(!p->message || strlen(p->message) <= 512);
		free(p);
		free(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(mdep_members); i++) {
		char *text = xasprintf(mdep_members[i], big, big, big);
		struct mdep *m = decode_members(&mdep_kind, "", text);

		for (unsigned f = 0; f < m->nfindings; f++)
			assert_true(strlen(m->findings[f].message) < 256);
		free(m);
		free(text);
	}
#pragma GCC diagnostic pop
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_metadata),
		cmocka_unit_test(test_wrong_types_everywhere),
		cmocka_unit_test(test_megabytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
