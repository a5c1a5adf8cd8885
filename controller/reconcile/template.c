#include <ctype.h>
#include <string.h>

#include "merge.h"
#include "tidegate/api/names.h"
#include "tidegate/base/str.h"
#include "tidegate/reconcile/children.h"

#define CONFIG_VOLUME "tidegate-runtime"
#define CONFIG_DIR    "/etc/tidegate"
#define CONFIG_FILE   "runtime.conf"

int child_port(const struct mdep *m)
{
	return m->port ? m->port : preset_get(m->runtime)->port;
}

/* "$N" within "$NODE" is the start of another name, which a shell in the container may know. */
static const char *placeholder(struct arena *a, const struct mdep *m, const char *name)
{
	if (name[0] && (name[1] == '_' || isalnum((unsigned char)name[1])))
		return NULL;
	switch (name[0]) {
	case 'N':
		return str_or(m->model.name, "model");
	case 'V':
		return str_or(m->model.version, "");
	case 'P':
		return arena_printf(a, "%d", child_port(m));
	default:
		return NULL;
	}
}

char *child_expand(struct arena *a, const struct mdep *m, const char *text)
{
	cleanup_buf struct buf out;
	const char *with;

	/* Cut at the maximum it is still too long for the template, which then says so. */
	buf_init(&out, CHILD_BODY_MAX);
	for (const char *p = text; *p; p++) {
		with = *p == '$' ? placeholder(a, m, p + 1) : NULL;
		if (with ? buf_addstr(&out, with) : buf_addch(&out, *p))
			break;
		p += with ? 1 : 0;
	}
	return arena_strdup(a, out.data);
}

static void write_strings(struct json_writer *w, struct arena *a, const struct mdep *m,
                          const char *key, const char *const *list)
{
	if (!list)
		return;
	jw_array(w, key);
	for (; *list; list++)
		jw_str(w, NULL, child_expand(a, m, *list));
	jw_end_array(w);
}

static void write_env_field(struct json_writer *w, const char *name, const char *field)
{
	jw_object(w, NULL);
	jw_str(w, "name", name);
	jw_object(w, "valueFrom");
	jw_object(w, "fieldRef");
	jw_str(w, "fieldPath", field);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_env_value(struct json_writer *w, const char *name, const char *value)
{
	if (!value)
		return;
	jw_object(w, NULL);
	jw_str(w, "name", name);
	jw_str(w, "value", value);
	jw_end_object(w);
}

/* User variables come last: of two of one name the API server keeps the later in effect. */
static int write_env(struct json_writer *w, struct arena *a, const struct mdep *m, const char *zone,
                     struct err *err)
{
	const struct json *it, *user = NULL;

	if (m->env_json) {
		user = json_parse(a, m->env_json, strlen(m->env_json), err);
		if (!user)
			return err_wrap(err, "spec.runtime.env");
	}
	jw_array(w, "env");
	write_env_field(w, "POD_IP", "status.podIP");
	write_env_field(w, "POD_NAME", "metadata.name");
	write_env_value(w, "ZONE", zone);
	write_env_value(w, "MODEL_NAME", m->model.name);
	write_env_value(w, "MODEL_VERSION", m->model.version);
	write_env_value(w, "MODEL_URI", m->model.uri);
	json_for_each (it, user)
		jw_value(w, NULL, it);
	jw_end_array(w);
	return 0;
}

static void write_resources(struct json_writer *w, const struct mdep *m)
{
	if (!m->gpu.count)
		return;
	jw_object(w, "resources");
	jw_object(w, "limits");
	jw_strf(w, m->gpu.resource, "%d", m->gpu.count);
	jw_end_object(w);
	jw_object(w, "requests");
	jw_strf(w, m->gpu.resource, "%d", m->gpu.count);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_probe(struct json_writer *w, struct arena *a, const struct mdep *m,
                        const char *key, const char *path, int period, int failures)
{
	jw_object(w, key);
	if (path) {
		jw_object(w, "httpGet");
		jw_str(w, "path", child_expand(a, m, path));
	} else {
		jw_object(w, "tcpSocket");
	}
	jw_i64(w, "port", child_port(m));
	jw_end_object(w);
	jw_i64(w, "periodSeconds", period);
	jw_i64(w, "failureThreshold", failures);
	jw_i64(w, "timeoutSeconds", 2);
	jw_end_object(w);
}

/* spec.runtime.probes replaces the preset's, each by its name: startup, readiness, liveness. */
static int write_probes(struct json_writer *w, struct arena *a, const struct mdep *m,
                        struct err *err)
{
	const struct preset *p = preset_get(m->runtime);
	const struct {
		const char *name, *key, *path;
		int period, failures;
	} probes[] = {{"startup", "startupProbe", p->startup_path, 1, 1800},
	              {"readiness", "readinessProbe", p->ready_path, 1, 2},
	              {"liveness", "livenessProbe", p->live_path, 10, 6}};
	const struct json *user = NULL, *own;

	if (m->probes_json) {
		user = json_parse(a, m->probes_json, strlen(m->probes_json), err);
		if (!user)
			return err_wrap(err, "spec.runtime.probes");
	}
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		own = json_get(user, probes[i].name);
		if (own)
			jw_value(w, probes[i].key, own);
		else if (child_port(m) && m->runtime != RUNTIME_CUSTOM)
			write_probe(w, a, m, probes[i].key, probes[i].path, probes[i].period,
			            probes[i].failures);
	}
	return 0;
}

static bool has_flag(const struct json *args, const char *flag)
{
	const struct json *it;

	json_for_each (it, args)
		if (str_starts(str_or(json_value_str(it), ""), flag))
			return true;
	return false;
}

/* The file itself comes from an annotation, through the downward API: no ConfigMap to keep. */
static void write_config_flag(struct json_writer *w, const struct preset *p,
                              const struct json *user)
{
	if (p->config_flag && !has_flag(user, p->config_flag))
		jw_strf(w, NULL, "%s" CONFIG_DIR "/" CONFIG_FILE, p->config_flag);
}

static int write_args(struct json_writer *w, struct arena *a, const struct mdep *m, struct err *err)
{
	const struct preset *p = preset_get(m->runtime);
	const struct json *it, *user = NULL;

	if (m->args_json) {
		user = json_parse(a, m->args_json, strlen(m->args_json), err);
		if (!user)
			return err_wrap(err, "spec.runtime.args");
	}
	write_strings(w, a, m, "command", p->command);
	if (!user && !p->args)
		return 0;
	jw_array(w, "args");
	json_for_each (it, user)
		jw_str(w, NULL, child_expand(a, m, str_or(json_value_str(it), "")));
	for (const char *const *arg = user ? NULL : p->args; arg && *arg; arg++)
		jw_str(w, NULL, child_expand(a, m, *arg));
	write_config_flag(w, p, user);
	jw_end_array(w);
	return 0;
}

static void write_config_mount(struct json_writer *w, const struct preset *p)
{
	if (!p->config_flag)
		return;
	jw_array(w, "volumeMounts");
	jw_object(w, NULL);
	jw_str(w, "name", CONFIG_VOLUME);
	jw_str(w, "mountPath", CONFIG_DIR);
	jw_bool(w, "readOnly", true);
	jw_end_object(w);
	jw_end_array(w);
}

static void write_config_volume(struct json_writer *w, const struct preset *p)
{
	if (!p->config_flag)
		return;
	jw_array(w, "volumes");
	jw_object(w, NULL);
	jw_str(w, "name", CONFIG_VOLUME);
	jw_object(w, "downwardAPI");
	jw_array(w, "items");
	jw_object(w, NULL);
	jw_str(w, "path", CONFIG_FILE);
	jw_object(w, "fieldRef");
	jw_str(w, "fieldPath", "metadata.annotations['" TG_ANN_RUNTIME_CONFIG "']");
	jw_end_object(w);
	jw_end_object(w);
	jw_end_array(w);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_array(w);
}

static void write_pre_stop(struct json_writer *w, int seconds)
{
	if (!seconds)
		return;
	jw_object(w, "lifecycle");
	jw_object(w, "preStop");
	jw_object(w, "sleep");
	jw_i64(w, "seconds", seconds);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static int write_container(struct json_writer *w, struct arena *a, const struct mdep *m,
                           const char *zone, struct err *err)
{
	const struct preset *p = preset_get(m->runtime);

	jw_object(w, NULL);
	jw_str(w, "name", "model");
	jw_str(w, "image", m->image ? m->image : p->image);
	if (write_args(w, a, m, err) || write_env(w, a, m, zone, err))
		return -1;
	if (child_port(m)) {
		jw_array(w, "ports");
		jw_object(w, NULL);
		jw_str(w, "name", CHILD_PORT_NAME);
		jw_i64(w, "containerPort", child_port(m));
		jw_end_object(w);
		jw_end_array(w);
	}
	write_resources(w, m);
	if (write_probes(w, a, m, err))
		return -1;
	write_pre_stop(w, p->pre_stop_seconds);
	write_config_mount(w, p);
	jw_end_object(w);
	return 0;
}

static void write_requirement(struct json_writer *w, const char *key, const char *op)
{
	jw_object(w, NULL);
	jw_str(w, "key", key);
	jw_str(w, "operator", op);
	jw_array(w, "values");
}

static void end_requirement(struct json_writer *w)
{
	jw_end_array(w);
	jw_end_object(w);
}

/* Card product and memory are node labels (GPU feature discovery); memory there is in MiB. */
static void write_affinity(struct json_writer *w, const struct mdep *m)
{
	if (!m->gpu.nproducts && !m->gpu.min_memory)
		return;
	jw_object(w, "affinity");
	jw_object(w, "nodeAffinity");
	jw_object(w, "requiredDuringSchedulingIgnoredDuringExecution");
	jw_array(w, "nodeSelectorTerms");
	jw_object(w, NULL);
	jw_array(w, "matchExpressions");
	if (m->gpu.nproducts) {
		write_requirement(w, TG_GPU_PRODUCT, "In");
		for (unsigned i = 0; i < m->gpu.nproducts; i++)
			jw_str(w, NULL, m->gpu.products[i]);
		end_requirement(w);
	}
	if (m->gpu.min_memory) {
		write_requirement(w, TG_GPU_MEMORY, "Gt");
		jw_strf(w, NULL, "%lld",
		        (long long)((m->gpu.min_memory + (1 << 20) - 1) >> 20) - 1);
		end_requirement(w);
	}
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
	jw_end_object(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_tolerations(struct json_writer *w, const struct mdep *m)
{
	if (!m->gpu.count)
		return;
	jw_array(w, "tolerations");
	jw_object(w, NULL);
	jw_str(w, "key", m->gpu.resource);
	jw_str(w, "operator", "Exists");
	jw_str(w, "effect", "NoSchedule");
	jw_end_object(w);
	jw_end_array(w);
}

static void write_pod_meta(struct json_writer *w, const struct mdep *m, const char *zone)
{
	static const char *const placements[] = {"Pack", "Spread", "FGD"};

	jw_object(w, "metadata");
	jw_object(w, "labels");
	jw_str(w, "app.kubernetes.io/name", m->meta.name);
	jw_str(w, TG_LABEL_MANAGED_BY, TG_MANAGED_BY);
	jw_str(w, TG_LABEL_NAME, m->meta.name);
	jw_str(w, TG_LABEL_REVISION, m->revision);
	jw_str(w, TG_LABEL_ZONE, *zone ? zone : "none");
	jw_str(w, TG_LABEL_IN_SERVICE, "true");
	jw_end_object(w);
	jw_object(w, "annotations");
	jw_str(w, TG_ANN_MODEL_VERSION, m->model.version);
	jw_str(w, TG_ANN_PLACEMENT, placements[m->placement]);
	jw_str(w, TG_ANN_RUNTIME_CONFIG, preset_get(m->runtime)->config_text);
	if (m->max_per_node)
		jw_strf(w, TG_ANN_MAX_PER_NODE, "%d", m->max_per_node);
	jw_end_object(w);
	jw_end_object(w);
}

static int write_pod_spec(struct json_writer *w, struct arena *a, const struct mdep *m,
                          const char *zone, struct err *err)
{
	const struct preset *p = preset_get(m->runtime);

	jw_object(w, "spec");
	jw_str(w, "schedulerName", str_or(m->scheduler, TG_SCHEDULER_NAME));
	if (p->grace_seconds)
		jw_i64(w, "terminationGracePeriodSeconds", p->grace_seconds);
	if (*zone) {
		jw_object(w, "nodeSelector");
		jw_str(w, TG_ZONE_LABEL, zone);
		jw_end_object(w);
	}
	write_affinity(w, m);
	write_tolerations(w, m);
	if (p->model_path) {
		jw_array(w, "readinessGates");
		jw_object(w, NULL);
		jw_str(w, "conditionType", TG_GATE_MODEL_READY);
		jw_end_object(w);
		jw_end_array(w);
	}
	jw_array(w, "containers");
	if (write_container(w, a, m, zone, err))
		return -1;
	jw_end_array(w);
	write_config_volume(w, p);
	jw_end_object(w);
	return 0;
}

static int write_base(const struct mdep *m, struct arena *a, const char *zone, struct buf *out,
                      struct err *err)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	write_pod_meta(&w, m, zone);
	if (write_pod_spec(&w, a, m, zone, err))
		return -1;
	jw_end_object(&w);
	if (jw_end(&w))
		return err_set(err, ERR_TOO_BIG, "pod template is larger than %zu bytes", out->max);
	return 0;
}

int child_template(const struct mdep *m, const char *zone, struct buf *out, struct err *err)
{
	cleanup_arena struct arena a;
	cleanup_buf struct buf base;
	const struct json *generated, *user;

	arena_init(&a, 16384);
	buf_init(&base, CHILD_BODY_MAX);
	if (write_base(m, &a, zone, &base, err))
		return -1;
	generated = json_parse(&a, base.data, base.len, err);
	if (!generated)
		return err_wrap(err, "pod template");
	user = m->template_json ? json_parse(&a, m->template_json, strlen(m->template_json), err)
	                        : NULL;
	if (m->template_json && !user)
		return err_wrap(err, "spec.template");
	if (json_merge(generated, user, out))
		return err_set(err, ERR_TOO_BIG, "spec.template: larger than %zu bytes", out->max);
	return 0;
}
