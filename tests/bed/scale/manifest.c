#include "manifest.h"

#include <stdio.h>
#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define NAME_PREFIX "mdep-"

char *manifest_name(unsigned i, char *name)
{
	snprintf(name, MANIFEST_NAME_MAX, NAME_PREFIX "%05u", i);
	return name;
}

int64_t manifest_index(const char *name)
{
	int64_t i;

	if (!name || !str_starts(name, NAME_PREFIX) || !str_to_i64(name + strlen(NAME_PREFIX), &i))
		return -1;
	return i;
}

char *manifest_namespace(const struct options *o, unsigned i, char *ns)
{
	snprintf(ns, MANIFEST_NAMESPACE_MAX, "%s-%u", o->namespace, i % (unsigned)o->namespaces);
	return ns;
}

char *manifest_collection(const struct options *o, unsigned i, char *path)
{
	char ns[MANIFEST_NAMESPACE_MAX];

	snprintf(path, MANIFEST_PATH_MAX, TG_API_PATH "/namespaces/%s/modeldeployments",
	         manifest_namespace(o, i, ns));
	return path;
}

char *manifest_path(const struct options *o, unsigned i, char *path)
{
	char name[MANIFEST_NAME_MAX];
	size_t len;

	manifest_collection(o, i, path);
	len = strlen(path);
	snprintf(path + len, MANIFEST_PATH_MAX - len, "/%s", manifest_name(i, name));
	return path;
}

static void write_strategy(struct json_writer *w)
{
	jw_object(w, "strategy");
	jw_i64(w, "maxSurge", 1);
	jw_i64(w, "maxUnavailable", 0);
	jw_array(w, "steps");
	jw_object(w, NULL);
	jw_i64(w, "weight", 34);
	jw_str(w, "approval", "Required");
	jw_end_object(w);
	jw_object(w, NULL);
	jw_i64(w, "weight", 100);
	jw_end_object(w);
	jw_end_array(w);
	jw_end_object(w);
}

static void write_spec(struct json_writer *w, const struct options *o, const char *name)
{
	jw_object(w, "spec");
	jw_i64(w, "replicas", o->replicas);
	jw_object(w, "model");
	jw_str(w, "name", name);
	jw_str(w, "version", o->version);
	jw_end_object(w);
	jw_object(w, "runtime");
	jw_str(w, "preset", "custom");
	jw_str(w, "image", "registry.example/model:1");
	jw_i64(w, "port", 8080);
	jw_end_object(w);
	jw_object(w, "gpu");
	jw_i64(w, "count", 1);
	jw_end_object(w);
	write_strategy(w);
	jw_end_object(w);
}

int manifest_body(const struct options *o, unsigned i, struct buf *out)
{
	char name[MANIFEST_NAME_MAX], ns[MANIFEST_NAMESPACE_MAX];
	struct json_writer w;

	manifest_name(i, name);
	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "apiVersion", TG_API_VERSION);
	jw_str(&w, "kind", "ModelDeployment");
	jw_object(&w, "metadata");
	jw_str(&w, "name", name);
	jw_str(&w, "namespace", manifest_namespace(o, i, ns));
	jw_end_object(&w);
	write_spec(&w, o, name);
	jw_end_object(&w);
	return jw_end(&w);
}

int manifest_change(const char *version, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "spec");
	jw_object(&w, "model");
	jw_str(&w, "version", version);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}
