#include "volumes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"

#include "environment.h"
#include "pod.h"

#define PATHS_MAX (1u << 20)

bool volume_is_service_account(const struct json *volume)
{
	return str_starts(str_or(json_str(volume, "name"), ""), "kube-api-access-");
}

static int make_dir(const char *path, struct err *err)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		return err_set_errno(err, ERR_IO, errno, "%s", path);
	return 0;
}

/* The folders above dir/rel. */
static int make_parents(const char *dir, const char *rel, struct err *err)
{
	for (const char *slash = strchr(rel, '/'); slash; slash = strchr(slash + 1, '/')) {
		cleanup_free char *path = xasprintf("%s/%.*s", dir, (int)(slash - rel), rel);

		if (make_dir(path, err))
			return -1;
	}
	return 0;
}

static int write_entry(const char *dir, const char *rel, const void *data, size_t len,
                       struct err *err)
{
	cleanup_free char *path = xasprintf("%s/%s", dir, rel);

	if (strstr(rel, "..") || rel[0] == '/')
		return err_set(err, ERR_INVALID, "volume path \"%s\" is not allowed", rel);
	if (make_parents(dir, rel, err))
		return -1;
	return file_write(path, data, len, 0644, err);
}

static int write_key(const char *dir, const char *rel, const char *value, bool encoded,
                     struct err *err)
{
	size_t n = strlen(value);
	cleanup_free unsigned char *decoded = NULL;
	long len;

	if (!encoded)
		return write_entry(dir, rel, value, n, err);
	decoded = xmalloc(n + 1);
	len = base64_decode(value, n, decoded, n);
	if (len < 0)
		return err_set(err, ERR_PROTOCOL, "key \"%s\" is no base64", rel);
	return write_entry(dir, rel, decoded, (size_t)len, err);
}

/* Path of a key inside the volume; NULL when "items" does not list it. */
static const char *key_path(const struct json *source, const char *key)
{
	const struct json *items = json_get(source, "items"), *it;

	if (!json_size(items))
		return key;
	json_for_each (it, items) {
		if (str_eq(json_str(it, "key"), key))
			return json_str(it, "path");
	}
	return NULL;
}

static int fill_from(struct pod *p, const char *dir, const struct json *source, const char *name,
                     bool secret, struct err *err)
{
	const struct json *object = refs_get(&p->refs, secret, name), *it;
	const char *rel;

	if (!object && json_bool(source, "optional", false))
		return 0;
	if (!object)
		return err_set(err, ERR_NOT_FOUND, "%s \"%s\" not found",
		               secret ? "secret" : "configmap", str_or(name, ""));
	json_for_each (it, json_get(object, "data")) {
		rel = key_path(source, json_key(it));
		if (rel && write_key(dir, rel, json_value_str(it), secret, err))
			return -1;
	}
	json_for_each (it, json_get(object, "binaryData")) {
		rel = key_path(source, json_key(it));
		if (rel && write_key(dir, rel, json_value_str(it), true, err))
			return -1;
	}
	return 0;
}

/* All labels or annotations, one a line. */
static char *metadata_map(const struct pod *p, const char *map)
{
	cleanup_buf struct buf out;
	const struct json *it;

	buf_init(&out, PATHS_MAX);
	json_for_each (it, json_path(p->live, "metadata", map, NULL))
		buf_addf(&out, "%s=\"%s\"\n", json_key(it), json_value_str(it));
	return buf_detach(&out);
}

static int fill_downward(struct pod *p, const char *dir, const struct json *source, struct err *err)
{
	const struct json *it;

	json_for_each (it, json_get(source, "items")) {
		const char *field = str_or(json_str(json_get(it, "fieldRef"), "fieldPath"), "");
		cleanup_free char *text = NULL;

		if (str_eq(field, "metadata.labels") || str_eq(field, "metadata.annotations"))
			text = metadata_map(p, field + strlen("metadata."));
		else
			text = environment_field(p, field, err);
		if (!text ||
		    write_entry(dir, str_or(json_str(it, "path"), ""), text, strlen(text), err))
			return -1;
	}
	return 0;
}

static int fill_projected(struct pod *p, const char *dir, const struct json *projected,
                          struct err *err)
{
	const struct json *it, *source;
	int rc = 0;

	json_for_each (it, json_get(projected, "sources")) {
		if ((source = json_get(it, "configMap")))
			rc = fill_from(p, dir, source, json_str(source, "name"), false, err);
		else if ((source = json_get(it, "secret")))
			rc = fill_from(p, dir, source, json_str(source, "name"), true, err);
		else if ((source = json_get(it, "downwardAPI")))
			rc = fill_downward(p, dir, source, err);
		else
			rc = err_set(err, ERR_INVALID,
			             "a projected source \"%s\" is not supported "
			             "by this agent",
			             str_or(json_key(json_first(it)), ""));
		if (rc)
			return -1;
	}
	return 0;
}

static char *volume_dir(const struct pod *p, const char *name)
{
	return xasprintf("%s/volumes/%s", p->dir, name);
}

static int prepare(struct pod *p, const struct json *volume, struct err *err)
{
	const char *name = str_or(json_str(volume, "name"), "");
	cleanup_free char *dir = volume_dir(p, name);
	const struct json *s;

	if (json_has(volume, "hostPath") || volume_is_service_account(volume))
		return 0;
	if (make_dir(dir, err))
		return -1;
	if (json_has(volume, "emptyDir"))
		return 0;
	if ((s = json_get(volume, "configMap")))
		return fill_from(p, dir, s, json_str(s, "name"), false, err);
	if ((s = json_get(volume, "secret")))
		return fill_from(p, dir, s, json_str(s, "secretName"), true, err);
	if ((s = json_get(volume, "downwardAPI")))
		return fill_downward(p, dir, s, err);
	if ((s = json_get(volume, "projected")))
		return fill_projected(p, dir, s, err);
	return err_set(err, ERR_INVALID, "this kind of volume is not supported by this agent");
}

int volumes_prepare(struct pod *p, struct err *err)
{
	cleanup_free char *dir = xasprintf("%s/volumes", p->dir);
	const struct json *it;

	if (make_dir(dir, err))
		return -1;
	json_for_each (it, json_get(p->spec, "volumes")) {
		if (prepare(p, it, err))
			return err_wrap(err, "volume \"%s\"", str_or(json_str(it, "name"), ""));
	}
	return 0;
}

/* What a mount stands for on this machine; NULL when there is no such thing. */
static char *mount_source(const struct pod *p, const struct json *mount)
{
	const char *name = str_or(json_str(mount, "name"), ""), *sub = json_str(mount, "subPath");
	cleanup_free char *root = NULL;
	const struct json *it;

	json_for_each (it, json_get(p->spec, "volumes")) {
		if (!str_eq(json_str(it, "name"), name) || volume_is_service_account(it))
			continue;
		if (json_has(it, "hostPath"))
			root = xstrdup(str_or(json_str(json_get(it, "hostPath"), "path"), ""));
		else
			root = volume_dir(p, name);
		return str_empty(sub) ? xstrdup(root) : xasprintf("%s/%s", root, sub);
	}
	return NULL;
}

/* What may stand before and behind a path: in a list, an option, or a line for the shell. */
#define SEPARATORS "=:,; \t\n'\"<>|&()"

static bool path_begins(const char *text, const char *at)
{
	return at == text || strchr(SEPARATORS, at[-1]);
}

static bool path_ends(const char *at)
{
	return !*at || strchr("/" SEPARATORS, *at);
}

static char *rewrite_mount(const char *text, const char *path, const char *source)
{
	size_t len = strlen(path);
	cleanup_buf struct buf out;
	const char *from = text, *at;

	while (len > 1 && path[len - 1] == '/')
		len--;
	buf_init(&out, PATHS_MAX);
	for (at = text; *at; at++) {
		if (strncmp(at, path, len) != 0 || !path_begins(text, at) || !path_ends(at + len))
			continue;
		buf_add(&out, from, (size_t)(at - from));
		buf_addstr(&out, source);
		from = at + len;
		at = from - 1;
	}
	buf_addstr(&out, from);
	return buf_detach(&out);
}

char *volumes_rewrite(const struct pod *p, const struct json *container, const char *text)
{
	char *out = xstrdup(text);
	const struct json *it;

	json_for_each (it, json_get(container, "volumeMounts")) {
		cleanup_free char *source = mount_source(p, it);
		const char *path = json_str(it, "mountPath");
		char *rewritten;

		if (!source || str_empty(path))
			continue;
		rewritten = rewrite_mount(out, path, source);
		free(out);
		out = rewritten;
	}
	return out;
}
