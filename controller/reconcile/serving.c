#include <string.h>

#include "internal.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/str.h"
#include "tidegate/reconcile/children.h"

void serving_of_set(const struct mdep *m, const struct replicaset *rs, struct serving *out)
{
	const struct preset *preset = rs && rs->runtime ? preset_find(rs->runtime) : NULL;

	if (preset)
		*out = (struct serving){.preset = preset,
		                        .model = rs->model_name,
		                        .metrics_path = rs->metrics_path,
		                        .port = rs->port};
	else
		*out = (struct serving){.preset = preset_get(m->runtime),
		                        .model = m->model.name,
		                        .metrics_path = m->metrics_path,
		                        .port = child_port(m)};
	if (rs) {
		out->grpc_port = rs->grpc_port;
		out->grpc_service = rs->grpc_service;
	}
}

const struct replicaset *serving_set(struct mdep_operator *op, const struct pod *p)
{
	if (!p->meta.owner_name)
		return NULL;
	return (const struct replicaset *)store_get(&op->stores[CACHE_REPLICASET],
	                                            p->meta.namespace, p->meta.owner_name);
}

static const char *url_of(struct arena *a, const char *ip, int port, const char *path)
{
	bool v6 = strchr(ip, ':');
	char number[STR_I64_MAX];

	return arena_concat(a, v6 ? "http://[" : "http://", ip, v6 ? "]:" : ":",
	                    str_from_i64(port, number), path, NULL);
}

bool serving_target(struct mdep_operator *op, struct arena *a, const struct mdep *m,
                    const struct pod *p, struct scrape_target *out)
{
	struct serving s;
	const char *path;
	int port;

	serving_of_set(m, serving_set(op, p), &s);
	path = s.metrics_path ? s.metrics_path : s.preset->metrics_path;
	port = s.preset->metrics_port ? s.preset->metrics_port : s.port;
	if (!p->ip || !path || !s.preset->requests_metric)
		return false;
	*out = (struct scrape_target){.pod = p->meta.key,
	                              .uid = p->meta.uid,
	                              .url = url_of(a, p->ip, port, path),
	                              .preset = s.preset,
	                              .model = s.model};
	return true;
}
