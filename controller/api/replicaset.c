#include "project.h"

#include <limits.h>

#include "tidegate/api/names.h"
#include "tidegate/base/str.h"

#define FAILURE_MAX 512

struct draft {
	const struct json *json;
	struct replicaset rs;
};

static void read_status(const struct json *status, struct arena *a, struct replicaset *rs)
{
	const struct json *conditions = json_get(status, "conditions");

	rs->status_replicas = json_int(status, "replicas", 0);
	rs->ready_replicas = json_int(status, "readyReplicas", 0);
	rs->available_replicas = json_int(status, "availableReplicas", 0);
	rs->observed_generation = json_i64(status, "observedGeneration", 0);
	if (json_condition_true(conditions, "ReplicaFailure"))
		rs->failure = text_cut(
			a,
			str_or(json_str(json_condition(conditions, "ReplicaFailure"), "message"),
		               "ReplicaFailure"),
			FAILURE_MAX);
}

/* The container of the model server has its name from the pod template (spec.template). */
static void read_grpc_probe(const struct json *spec, struct replicaset *rs)
{
	const struct json *it, *grpc;
	int port;

	json_for_each (it, json_path(spec, "template", "spec", "containers", NULL)) {
		grpc = json_path(it, "readinessProbe", "grpc", NULL);
		port = json_int(grpc, "port", 0);
		if (!str_eq(json_str(it, "name"), "model") || port < 1 || port > 65535)
			continue;
		rs->grpc_port = port;
		rs->grpc_service = json_str(grpc, "service");
	}
}

static int64_t annotated(const struct json *json, const char *annotation, int64_t low, int64_t high,
                         int64_t fallback)
{
	const char *s = json_annotation(json, annotation);
	int64_t n;

	return s && str_to_i64(s, &n) && n >= low && n <= high ? n : fallback;
}

static void replicaset_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	struct replicaset *rs = obj;

	*rs = d->rs;
	object_meta_fill(&rs->meta, p, d->json);
	rs->name = pack_str(p, d->rs.name);
	rs->revision = pack_str(p, d->rs.revision);
	rs->zone = pack_word(p, d->rs.zone);
	rs->model_version = pack_str(p, d->rs.model_version);
	rs->model_name = pack_str(p, d->rs.model_name);
	rs->runtime = pack_word(p, d->rs.runtime);
	rs->metrics_path = pack_str(p, d->rs.metrics_path);
	rs->grpc_service = pack_str(p, d->rs.grpc_service);
	rs->failure = pack_str(p, d->rs.failure);
}

static struct object *replicaset_decode(const struct json *json, struct arena *scratch,
                                        struct err *err)
{
	struct draft d = {.json = json};

	if (object_meta_check(json, err))
		return NULL;
	d.rs.name = json_label(json, TG_LABEL_NAME);
	d.rs.revision = json_label(json, TG_LABEL_REVISION);
	d.rs.zone = json_label(json, TG_LABEL_ZONE);
	d.rs.model_version = json_annotation(json, TG_ANN_MODEL_VERSION);
	d.rs.model_name = json_annotation(json, TG_ANN_MODEL_NAME);
	d.rs.runtime = json_annotation(json, TG_ANN_RUNTIME);
	d.rs.metrics_path = json_annotation(json, TG_ANN_METRICS_PATH);
	d.rs.port = (int)annotated(json, TG_ANN_PORT, 1, 65535, 0);
	d.rs.revision_no = annotated(json, TG_ANN_REVISION_NO, 1, INT64_MAX, 0);
	d.rs.spec_writes = annotated(json, TG_ANN_SPEC_WRITES, 1, INT64_MAX, 0);
	d.rs.apply_hash = json_apply_hash(json);
	d.rs.replicas = json_int(json_get(json, "spec"), "replicas", 1);
	read_grpc_probe(json_get(json, "spec"), &d.rs);
	d.rs.asked = (int)annotated(json, TG_ANN_ASKED, 0, INT_MAX, -1);
	read_status(json_get(json, "status"), scratch, &d.rs);
	return object_pack(sizeof(d.rs), replicaset_fill, &d);
}

static bool replicaset_same(const struct object *a, const struct object *b)
{
	const struct replicaset *x = (const struct replicaset *)a;
	const struct replicaset *y = (const struct replicaset *)b;

	return meta_same(a, b) && a->generation == b->generation && str_eq(x->name, y->name) &&
	       str_eq(x->revision, y->revision) && str_eq(x->zone, y->zone) &&
	       str_eq(x->model_version, y->model_version) && str_eq(x->failure, y->failure) &&
	       str_eq(x->model_name, y->model_name) && str_eq(x->runtime, y->runtime) &&
	       str_eq(x->metrics_path, y->metrics_path) && x->port == y->port &&
	       x->revision_no == y->revision_no && x->apply_hash == y->apply_hash &&
	       x->replicas == y->replicas && x->asked == y->asked &&
	       x->spec_writes == y->spec_writes && x->status_replicas == y->status_replicas &&
	       x->ready_replicas == y->ready_replicas &&
	       x->available_replicas == y->available_replicas &&
	       x->observed_generation == y->observed_generation;
}

const struct object_kind replicaset_kind = {
	.kind = "ReplicaSet",
	.api = "/apis/apps/v1",
	.resource = "replicasets",
	.by_owner = true,
	.decode = replicaset_decode,
	.same = replicaset_same,
};
