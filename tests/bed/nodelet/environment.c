#include "environment.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

#include "container.h"
#include "pod.h"
#include "volumes.h"

#define VALUE_MAX (256u << 10)

static const char *lookup(const struct strv *env, const char *name, size_t len)
{
	/* From the end: the last definition wins. */
	for (size_t i = env->n; i > 0; i--) {
		const char *pair = env->v[i - 1];

		if (strncmp(pair, name, len) == 0 && pair[len] == '=')
			return pair + len + 1;
	}
	return NULL;
}

/* $(NAME) is replaced when the variable is defined, $$ is a dollar sign. */
static char *expand(const struct strv *env, const char *text)
{
	cleanup_buf struct buf out;

	buf_init(&out, VALUE_MAX);
	while (*text) {
		size_t plain = strcspn(text, "$");
		const char *end, *value;

		buf_add(&out, text, plain);
		text += plain;
		if (!*text)
			break;
		end = text[1] == '(' ? strchr(text, ')') : NULL;
		value = end ? lookup(env, text + 2, (size_t)(end - text - 2)) : NULL;
		if (value)
			buf_addstr(&out, value);
		else if (end)
			buf_add(&out, text, (size_t)(end - text) + 1);
		else
			buf_addch(&out, '$');
		text = end ? end + 1 : text + (text[1] == '$' ? 2 : 1);
	}
	return buf_detach(&out);
}

/* metadata.labels['key'] */
static char *metadata_entry(const struct pod *p, const char *path, const char *map)
{
	const char *quote = path + strlen(map) + 2;
	size_t n = strcspn(quote, "'");
	cleanup_free char *key = xstrndup(quote, n);

	return xstrdup(str_or(json_str(json_path(p->live, "metadata", map, NULL), key), ""));
}

char *environment_field(const struct pod *p, const char *path, struct err *err)
{
	static const char meta[] = "metadata.";

	if (str_eq(path, "metadata.name"))
		return xstrdup(p->name);
	if (str_eq(path, "metadata.namespace"))
		return xstrdup(p->namespace);
	if (str_eq(path, "metadata.uid"))
		return xstrdup(p->uid);
	if (str_starts(path, "metadata.labels['"))
		return metadata_entry(p, path + strlen(meta), "labels");
	if (str_starts(path, "metadata.annotations['"))
		return metadata_entry(p, path + strlen(meta), "annotations");
	if (str_eq(path, "spec.nodeName"))
		return xstrdup(p->node->name);
	if (str_eq(path, "spec.serviceAccountName"))
		return xstrdup(str_or(json_str(p->spec, "serviceAccountName"), "default"));
	if (str_eq(path, "status.podIP") || str_eq(path, "status.podIPs"))
		return xstrdup(p->ip);
	if (str_eq(path, "status.hostIP") || str_eq(path, "status.hostIPs"))
		return xstrdup(p->node->ip);
	err_set(err, ERR_INVALID, "fieldRef \"%s\" is not supported by this agent", path);
	return NULL;
}

static const struct json *find_container(const struct pod *p, const char *name)
{
	for (unsigned i = 0; i < p->ncontainers; i++) {
		if (str_eq(p->containers[i].name, name))
			return p->containers[i].json;
	}
	return NULL;
}

/* "limits.nvidia.com/gpu", divided and rounded up. */
static char *resource_field(const struct container *c, const struct json *ref, struct err *err)
{
	const char *resource = str_or(json_str(ref, "resource"), "");
	const char *dot = strchr(resource, '.');
	cleanup_free char *list = dot ? xstrndup(resource, (size_t)(dot - resource)) : NULL;
	const char *named = json_str(ref, "containerName");
	const struct json *json = named ? find_container(c->pod, named) : c->json;
	const char *amount =
		dot ? json_str(json_path(json, "resources", list, NULL), dot + 1) : NULL;
	const char *divisor = json_str(ref, "divisor");
	int64_t milli, unit;

	if (str_empty(divisor) || str_eq(divisor, "0"))
		divisor = "1";
	if (!amount) {
		err_set(err, ERR_INVALID, "resourceFieldRef \"%s\": no such amount", resource);
		return NULL;
	}
	if (quantity_parse_milli(amount, &milli, err) ||
	    quantity_parse_milli(divisor, &unit, err) || unit <= 0) {
		err_wrap(err, "resourceFieldRef \"%s\"", resource);
		return NULL;
	}
	return xasprintf("%ld", (long)((milli + unit - 1) / unit));
}

static char *decode_secret(const char *encoded, struct err *err)
{
	size_t n = strlen(encoded);
	char *out = xmalloc(n + 1);
	long len = base64_decode(encoded, n, (unsigned char *)out, n);

	if (len < 0) {
		free(out);
		err_set(err, ERR_PROTOCOL, "a secret's data is no base64");
		return NULL;
	}
	out[len] = '\0';
	return out;
}

/* NULL without an error: optional and not there. */
static char *key_value(const struct container *c, bool secret, const struct json *ref,
                       struct err *err)
{
	const char *name = json_str(ref, "name"), *key = json_str(ref, "key");
	const struct json *object = refs_get(&c->pod->refs, secret, name);
	const char *value = json_str(json_get(object, "data"), str_or(key, ""));

	if (value)
		return secret ? decode_secret(value, err) : xstrdup(value);
	if (!json_bool(ref, "optional", false)) {
		if (object)
			err_set(err, ERR_NOT_FOUND, "couldn't find key %s in %s %s/%s", key,
			        secret ? "Secret" : "ConfigMap", c->pod->namespace, name);
		else
			err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found",
			        secret ? "secret" : "configmap", name);
	}
	return NULL;
}

static char *value_from(const struct container *c, const struct json *from, struct err *err)
{
	const struct json *ref;

	if ((ref = json_get(from, "fieldRef")))
		return environment_field(c->pod, str_or(json_str(ref, "fieldPath"), ""), err);
	if ((ref = json_get(from, "resourceFieldRef")))
		return resource_field(c, ref, err);
	if ((ref = json_get(from, "configMapKeyRef")))
		return key_value(c, false, ref, err);
	if ((ref = json_get(from, "secretKeyRef")))
		return key_value(c, true, ref, err);
	err_set(err, ERR_INVALID, "this kind of valueFrom is not supported by this agent");
	return NULL;
}

static void add_pair(struct strv *env, const char *name, const char *value)
{
	strv_take(env, xasprintf("%s=%s", name, value));
}

static int add_env_from(struct container *c, const struct json *from, struct strv *env,
                        struct err *err)
{
	bool secret = json_has(from, "secretRef");
	const struct json *ref = json_get(from, secret ? "secretRef" : "configMapRef"), *it;
	const struct json *object = refs_get(&c->pod->refs, secret, json_str(ref, "name"));
	const char *prefix = str_or(json_str(from, "prefix"), "");

	if (!object && !json_bool(ref, "optional", false))
		return err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found",
		               secret ? "secret" : "configmap", json_str(ref, "name"));
	json_for_each (it, json_get(object, "data")) {
		cleanup_free char *name = xasprintf("%s%s", prefix, json_key(it));
		cleanup_free char *value = secret ? decode_secret(json_value_str(it), err)
		                                  : xstrdup(json_value_str(it));

		if (!value)
			return -1;
		add_pair(env, name, value);
	}
	return 0;
}

static int add_variable(struct container *c, const struct json *e, struct strv *env,
                        struct err *err)
{
	const struct json *from = json_get(e, "valueFrom");
	cleanup_free char *value = NULL, *local = NULL;
	struct err why = ERR_INIT;

	if (from)
		value = value_from(c, from, &why);
	else
		value = expand(env, str_or(json_str(e, "value"), ""));
	if (why.class != ERR_NONE) {
		if (err)
			*err = why;
		return -1;
	}
	if (!value)
		return 0;
	local = volumes_rewrite(c->pod, c->json, value);
	add_pair(env, json_str(e, "name"), local);
	return 0;
}

/* What every process has: the lowest precedence. */
static void add_defaults(const struct container *c, const struct json *image, struct strv *env)
{
	const struct json *it;

	add_pair(env, "PATH", str_or(getenv("PATH"), "/usr/bin:/bin"));
	add_pair(env, "HOME", c->pod->dir);
	add_pair(env, "HOSTNAME", c->pod->name);
	add_pair(env, "POD_IP", c->pod->ip);
	add_pair(env, "POD_NAME", c->pod->name);
	add_pair(env, "POD_NAMESPACE", c->pod->namespace);
	add_pair(env, "NODE_NAME", c->pod->node->name);
	add_pair(env, "ZONE", c->pod->agent->options->zone);
	json_for_each (it, json_get(image, "env"))
		add_pair(env, json_key(it), str_or(json_value_str(it), ""));
}

/* exec gets each name once, with its last value. */
static void drop_overridden(struct strv *env)
{
	struct strv kept = {0};

	for (size_t i = 0; i < env->n; i++) {
		char *pair = env->v[i];
		size_t len = strcspn(pair, "=");

		/* What the look-up passes on its way from the end is not freed yet. */
		if (lookup(env, pair, len) == pair + len + 1)
			strv_take(&kept, pair);
		else
			free(pair);
	}
	free(env->v);
	*env = kept;
}

int environment_build(struct container *c, const struct json *image, struct strv *env,
                      struct err *err)
{
	const struct json *it;

	add_defaults(c, image, env);
	json_for_each (it, json_get(c->json, "envFrom")) {
		if (add_env_from(c, it, env, err))
			return -1;
	}
	json_for_each (it, json_get(c->json, "env")) {
		if (add_variable(c, it, env, err))
			return err_wrap(err, "env \"%s\"", json_str(it, "name"));
	}
	drop_overridden(env);
	return 0;
}

static void add_words(const struct container *c, const struct json *list, const struct strv *env,
                      struct strv *argv)
{
	const struct json *it;

	json_for_each (it, list) {
		cleanup_free char *word = expand(env, str_or(json_value_str(it), ""));

		strv_take(argv, volumes_rewrite(c->pod, c->json, word));
	}
}

static int find_program(const struct json *image, struct strv *argv, struct err *err)
{
	if (argv->n == 0)
		return err_set(err, ERR_INVALID, "no command specified");
	xstr_replace(&argv->v[0], image_path(image, argv->v[0]));
	return 0;
}

int environment_words(const struct container *c, const struct json *image, const struct json *words,
                      const struct strv *env, struct strv *argv, struct err *err)
{
	add_words(c, words, env, argv);
	return find_program(image, argv, err);
}

int environment_command(struct container *c, const struct json *image, const struct strv *env,
                        struct strv *argv, struct err *err)
{
	const struct json *command = json_get(c->json, "command");

	add_words(c, json_size(command) ? command : json_get(image, "command"), env, argv);
	add_words(c, json_get(c->json, "args"), env, argv);
	return find_program(image, argv, err);
}
