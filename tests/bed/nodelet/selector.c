#include "selector.h"

#include "tidegate/base/str.h"

static bool value_in(const struct json *values, const char *text)
{
	const struct json *v;

	json_for_each (v, values) {
		if (str_eq(json_value_str(v), text))
			return true;
	}
	return false;
}

static bool compares(const char *op, const char *label, const struct json *values)
{
	int64_t have, wanted;

	if (!label || json_size(values) != 1 || !str_to_i64(label, &have) ||
	    !str_to_i64(str_or(json_value_str(json_first(values)), ""), &wanted))
		return false;
	return str_eq(op, "Gt") ? have > wanted : have < wanted;
}

static bool expression_matches(const struct json *e, const char *label)
{
	const char *op = json_str(e, "operator");
	const struct json *values = json_get(e, "values");

	if (str_eq(op, "In"))
		return label && value_in(values, label);
	if (str_eq(op, "NotIn"))
		return !label || !value_in(values, label);
	if (str_eq(op, "Exists"))
		return label != NULL;
	if (str_eq(op, "DoesNotExist"))
		return label == NULL;
	if (str_eq(op, "Gt") || str_eq(op, "Lt"))
		return compares(op, label, values);
	return false;
}

static bool term_matches(const struct json *term, const struct json *node)
{
	const struct json *labels = json_path(node, "metadata", "labels", NULL);
	const struct json *expressions = json_get(term, "matchExpressions"), *e;
	const struct json *fields = json_get(term, "matchFields");

	if (json_size(expressions) == 0 && json_size(fields) == 0)
		return false;
	json_for_each (e, expressions) {
		if (!expression_matches(e, json_str(labels, str_or(json_str(e, "key"), ""))))
			return false;
	}
	json_for_each (e, fields) {
		if (!str_eq(json_str(e, "key"), "metadata.name") ||
		    !expression_matches(e, json_str(json_get(node, "metadata"), "name")))
			return false;
	}
	return true;
}

static bool affinity_matches(const struct json *pod_spec, const struct json *node)
{
	const struct json *required =
		json_path(pod_spec, "affinity", "nodeAffinity",
	                  "requiredDuringSchedulingIgnoredDuringExecution", NULL);
	const struct json *term;

	if (!required)
		return true;
	json_for_each (term, json_get(required, "nodeSelectorTerms")) {
		if (term_matches(term, node))
			return true;
	}
	return false;
}

bool selector_matches_node(const struct json *pod_spec, const struct json *node)
{
	const struct json *labels = json_path(node, "metadata", "labels", NULL);
	const struct json *pair;

	json_for_each (pair, json_get(pod_spec, "nodeSelector")) {
		if (!str_eq(json_str(labels, json_key(pair)), json_value_str(pair)))
			return false;
	}
	return affinity_matches(pod_spec, node);
}

static bool tolerates(const struct json *t, const struct json *taint)
{
	const char *effect = json_str(t, "effect"), *key = json_str(t, "key");
	bool exists = str_eq(json_str(t, "operator"), "Exists");

	if (!str_empty(effect) && !str_eq(effect, json_str(taint, "effect")))
		return false;
	if (str_empty(key))
		return exists;
	if (!str_eq(key, json_str(taint, "key")))
		return false;
	return exists ||
	       str_eq(str_or(json_str(t, "value"), ""), str_or(json_str(taint, "value"), ""));
}

bool selector_tolerates_no_execute(const struct json *pod_spec, const struct json *node)
{
	const struct json *taint, *t;

	json_for_each (taint, json_path(node, "spec", "taints", NULL)) {
		bool tolerated = !str_eq(json_str(taint, "effect"), "NoExecute");

		json_for_each (t, json_get(pod_spec, "tolerations"))
			tolerated = tolerated || tolerates(t, taint);
		if (!tolerated)
			return false;
	}
	return true;
}
