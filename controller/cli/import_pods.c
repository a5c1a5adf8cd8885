/*
 * A pod template becomes runtime, gpu and template of a ModelDeployment. With preset custom the
 * pods stay what they were; another preset adds its own arguments, probes and drain.
 */
#include "import.h"

#include <ctype.h>
#include <string.h>

#include "tidegate/api/names.h"
#include "tidegate/api/preset.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/quantity.h"
#include "tidegate/base/str.h"

#define VERSION_MAX  128
#define DIGEST_SHORT 12 /* characters that tell images apart */

/* --- reading
 * -------------------------------------------------------------------------------------- */

static const struct json *named(const struct json *list, const char *name)
{
	const struct json *it;

	json_for_each (it, list)
		if (str_eq(json_str(it, "name"), name))
			return it;
	return NULL;
}

static const char *gpu_resource(const struct json *container)
{
	const struct json *it;

	json_for_each (it, json_path(container, "resources", "limits", NULL))
		if (str_ends(json_key(it), "/gpu"))
			return json_key(it);
	return NULL;
}

static const struct json *find_container(struct import *im, struct import_model *m)
{
	const struct json *list = json_path(m->template, "spec", "containers", NULL), *it;
	const char *path = arena_printf(&im->a, "%s.spec.containers", m->template_path);

	if (im->options->container) {
		it = named(list, im->options->container);
		if (!it)
			import_refuse(im, m->template_of, path,
			              "none is called \"%.63s\" (--container)",
			              im->options->container);
		return it;
	}
	it = named(list, "model");
	if (!it)
		json_for_each (it, list)
			if (gpu_resource(it))
				break;
	if (!it)
		it = json_first(list);
	if (!it)
		import_refuse(im, m->template_of, path, "there is no container to serve the model");
	else if (json_size(list) > 1)
		import_note(im, m->template_of, path,
		            "%.63s is taken for the model server; say --container otherwise",
		            str_or(json_str(it, "name"), "the first"));
	return it;
}

/* Not taken unasked: a preset adds its own command and probes, and may ask for the version. */
static void hint_preset(struct import *im, const struct import_model *m, const char *image)
{
	static const struct {
		const char *part, *preset;
	} known[] = {{"tensorflow/serving", "tensorflow-serving"},
	             {"tritonserver", "triton"},
	             {"torchserve", "torchserve"},
	             {"vllm", "vllm"},
	             {"sglang", "sglang"},
	             {"openvino/model_server", "v2"}};

	if (!str_eq(m->preset, "custom"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(image, known[i].part)) {
			import_note(
				im, m->template_of, m->template_path,
				"the image looks like %s: --preset %s has its counters, so that "
				"releases are judged, and its probes (then say --model-name and "
				"--model-version, too)",
				known[i].preset, known[i].preset);
			return;
		}
	import_note(im, m->template_of, m->template_path,
	            "preset custom counts no requests, so releases are not judged by errors and "
	            "latency: --preset names a model server, canary.policyRef metrics by query");
}

static const char *flag_value(const struct json *list, const char *flag)
{
	const struct json *it;
	size_t n = strlen(flag);

	json_for_each (it, list) {
		const char *text = str_or(json_value_str(it), "");

		if (!str_starts(text, flag))
			continue;
		if (text[n] == '=')
			return text + n + 1;
		if (!text[n])
			return json_value_str(json_next(it));
	}
	return NULL;
}

static const char *model_name(const struct import *im, const struct import_model *m,
                              const struct json *container)
{
	const char *name = im->options->model_name;
	static const char *const flags[] = {"--model_name", "--served-model-name", "--model-name"};

	for (size_t i = 0; !name && i < ARRAY_SIZE(flags); i++) {
		name = flag_value(json_get(container, "args"), flags[i]);
		if (!name)
			name = flag_value(json_get(container, "command"), flags[i]);
	}
	if (!name)
		name = json_str(named(json_get(container, "env"), "MODEL_NAME"), "value");
	return str_or(name, m->name);
}

static void set_version(struct import *im, struct import_model *m, const struct json *container,
                        const char *image)
{
	const char *tag = strrchr(image, ':'), *slash = strrchr(image, '/');
	const char *said = json_str(named(json_get(container, "env"), "MODEL_VERSION"), "value");
	char *v;

	if (im->options->model_version) {
		m->model_version = im->options->model_version;
		return;
	}
	m->version_from = said ? "is the variable MODEL_VERSION" : "is the image's tag";
	if (!said && tag && (!slash || tag > slash))
		said = tag + 1;
	if (str_empty(said) || str_eq(said, "latest")) {
		said = "1";
		m->version_from = "was told by nothing";
	}
	if (strstr(image, "@sha256:") && tag && said == tag + 1)
		v = arena_strndup(&im->a, said, strnlen(said, DIGEST_SHORT));
	else
		v = arena_strndup(&im->a, said, strnlen(said, VERSION_MAX));
	for (char *p = v; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			*p = '-';
	m->model_version = v;
}

/* --- ports
 * --------------------------------------------------------------------------------------------- */

static int port_named(const struct json *container, const char *name)
{
	return (int)json_i64(named(json_get(container, "ports"), name), "containerPort", 0);
}

static bool selects(const struct json *service, const struct json *template)
{
	const struct json *selector = json_path(service, "spec", "selector", NULL), *it;
	const struct json *labels = json_path(template, "metadata", "labels", NULL);

	json_for_each (it, selector)
		if (!str_eq(json_value_str(it), json_str(labels, json_key(it))))
			return false;
	return json_size(selector) > 0;
}

static struct import_object *find_service(struct import *im, const struct import_model *m,
                                          const char *name)
{
	struct import_object *o = name ? import_find(im, "Service", m->namespace, name) : NULL;

	for (size_t i = 0; !o && i < im->nobjects; i++)
		if (str_eq(im->objects[i].kind, "Service") &&
		    selects(im->objects[i].json, m->template))
			o = &im->objects[i];
	return o;
}

/* The port called http, or the first. */
static const struct json *main_port(const struct json *ports)
{
	const struct json *p = named(ports, "http");

	return p ? p : json_first(ports);
}

static int target_port(const struct json *port, const struct json *container)
{
	const struct json *target = json_get(port, "targetPort");
	const char *name = json_value_str(target);

	if (name)
		return port_named(container, name);
	return (int)json_value_i64(target, json_i64(port, "port", 0));
}

static void set_ports(struct import *im, struct import_model *m, const struct json *container,
                      const char *service)
{
	const struct import_object *o = find_service(im, m, service);
	const struct json *ports = o ? json_path(o->json, "spec", "ports", NULL) : NULL;
	const struct json *port = main_port(ports);

	if (json_size(ports) > 1)
		import_note(
			im, o, "spec.ports",
			"Tidegate's Service has one port: %lld; keep this Service for the others",
			(long long)json_i64(port, "port", 0));
	if (port && !m->service_port)
		m->service_port = (int)json_i64(port, "port", 0);
	if (port && !m->port)
		m->port = target_port(port, container);
	if (!m->port)
		m->port =
			(int)json_i64(main_port(json_get(container, "ports")), "containerPort", 0);
	if (!m->port && str_eq(m->preset, "custom"))
		import_refuse(im, m->template_of,
		              arena_printf(&im->a, "%s.spec.containers", m->template_path),
		              "no port is named for predictions: give the container a port, or its "
		              "Service with -f");
	o = import_find(im, "Service", m->namespace, m->name);
	if (o && !m->take_over)
		import_note(
			im, o, "metadata.name",
			"Tidegate makes a Service of this name and leaves yours alone: give yours "
			"another name, or --name the ModelDeployment another");
}

void import_pods(struct import *im, struct import_model *m, const struct import_object *of,
                 const char *path, const struct json *template, const char *service)
{
	const struct json *container;
	const char *image;

	m->template_of = of;
	m->template_path = path;
	m->template = template;
	container = find_container(im, m);
	if (!container)
		return;
	image = str_or(json_str(container, "image"), "");
	m->container = str_or(json_str(container, "name"), "");
	m->preset = str_or(im->options->preset, "custom");
	if (!preset_find(m->preset))
		import_refuse(im, of, path, "\"%.40s\" is no preset (--preset)", m->preset);
	m->model_name = model_name(im, m, container);
	set_version(im, m, container, image);
	set_ports(im, m, container, service);
	hint_preset(im, m, image);
	if (!str_eq(m->container, "model"))
		import_note(im, of, arena_printf(&im->a, "%s.spec.containers", path),
		            "%.63s is called model from now on (kubectl logs -c model)",
		            m->container);
	if (!str_eq(m->preset, "custom") && json_path(container, "lifecycle", "preStop", NULL))
		import_note(im, of, arena_printf(&im->a, "%s.spec.containers", path),
		            "lifecycle.preStop is left out: preset %s has its own", m->preset);
}

/* --- writing
 * -------------------------------------------------------------------------------------------- */

static bool is_one_of(const char *key, const char *const *list)
{
	for (; key && *list; list++)
		if (str_eq(key, *list))
			return true;
	return false;
}

/* All members but those in `without` (ends with NULL). */
static void write_without(struct json_writer *w, const struct json *o, const char *const *without)
{
	const struct json *it;

	json_for_each (it, o)
		if (!is_one_of(json_key(it), without))
			jw_value(w, json_key(it), it);
}

/* What is left of a list of resources without the cards, which spec.gpu has. */
static bool is_more_than_cards(const struct json *list, const char *gpu)
{
	return !json_is_object(list) || json_size(list) > (gpu && json_get(list, gpu) ? 1 : 0);
}

static void write_resources(struct json_writer *w, const struct json *resources, const char *gpu)
{
	const char *const without[] = {gpu, NULL};
	const struct json *it;
	size_t left = 0;

	json_for_each (it, resources)
		left += is_more_than_cards(it, gpu);
	if (!left)
		return;
	jw_object(w, "resources");
	json_for_each (it, resources) {
		if (!json_is_object(it)) {
			jw_value(w, json_key(it), it);
		} else if (is_more_than_cards(it, gpu)) {
			jw_object(w, json_key(it));
			write_without(w, it, without);
			jw_end_object(w);
		}
	}
	jw_end_object(w);
}

/* What Tidegate writes itself. */
static bool is_own_port(const struct import_model *m, const struct json *port)
{
	const char *name = json_str(port, "name");

	return json_i64(port, "containerPort", 0) == m->port && (!name || str_eq(name, "http")) &&
	       !json_has(port, "hostPort") &&
	       str_eq(str_or(json_str(port, "protocol"), "TCP"), "TCP");
}

static void write_ports(struct json_writer *w, const struct import_model *m,
                        const struct json *ports)
{
	const struct json *it;
	size_t left = 0;

	json_for_each (it, ports)
		left += !is_own_port(m, it);
	if (!left)
		return;
	jw_array(w, "ports");
	json_for_each (it, ports)
		if (!is_own_port(m, it))
			jw_value(w, NULL, it);
	jw_end_array(w);
}

/* Tidegate says these itself; a constant here would outlive the next version. */
static bool is_own_variable(const struct import_model *m, const struct json *variable)
{
	const char *name = json_str(variable, "name"), *value = json_str(variable, "value");

	return (str_eq(name, "MODEL_NAME") && str_eq(value, m->model_name)) ||
	       (str_eq(name, "MODEL_VERSION") && str_eq(value, m->model_version));
}

static void write_env(struct json_writer *w, const struct import_model *m, const struct json *env)
{
	const struct json *it;
	size_t left = 0;

	json_for_each (it, env)
		left += !is_own_variable(m, it);
	if (!left)
		return;
	jw_array(w, "env");
	json_for_each (it, env)
		if (!is_own_variable(m, it))
			jw_value(w, NULL, it);
	jw_end_array(w);
}

static void write_model_container(struct json_writer *w, const struct import_model *m,
                                  const struct json *c)
{
	static const char *const elsewhere[] = {
		"name",           "image",         "resources", "ports", "startupProbe",
		"readinessProbe", "livenessProbe", "lifecycle", "env",   NULL};
	static const char *const pre_stop[] = {"preStop", NULL};
	const struct json *lifecycle = json_get(c, "lifecycle");
	bool own_stop = str_eq(m->preset, "custom");

	jw_object(w, NULL);
	jw_str(w, "name", "model");
	write_without(w, c, elsewhere);
	write_resources(w, json_get(c, "resources"), gpu_resource(c));
	write_env(w, m, json_get(c, "env"));
	write_ports(w, m, json_get(c, "ports"));
	if (lifecycle && own_stop) {
		jw_value(w, "lifecycle", lifecycle);
	} else if (json_has(lifecycle, "postStart")) {
		jw_object(w, "lifecycle");
		write_without(w, lifecycle, pre_stop);
		jw_end_object(w);
	}
	jw_end_object(w);
}

/* Labels by which the other controller finds its pods would make it find ours too. */
static void write_metadata(struct json_writer *w, const struct json *meta)
{
	static const char *const foreign[] = {"rollouts-pod-template-hash", "pod-template-hash",
	                                      NULL};
	static const char *const parts[] = {"labels", "creationTimestamp", NULL};

	if (!meta)
		return;
	jw_object(w, "metadata");
	write_without(w, meta, parts);
	if (json_has(meta, "labels")) {
		jw_object(w, "labels");
		write_without(w, json_get(meta, "labels"), foreign);
		jw_end_object(w);
	}
	jw_end_object(w);
}

static void write_template(struct json_writer *w, const struct import_model *m)
{
	static const char *const elsewhere[] = {"containers", "schedulerName", NULL};
	const struct json *spec = json_get(m->template, "spec"), *it;

	jw_object(w, "template");
	write_metadata(w, json_get(m->template, "metadata"));
	jw_object(w, "spec");
	write_without(w, spec, elsewhere);
	jw_array(w, "containers");
	json_for_each (it, json_get(spec, "containers")) {
		if (str_eq(json_str(it, "name"), m->container))
			write_model_container(w, m, it);
		else
			jw_value(w, NULL, it);
	}
	jw_end_array(w);
	jw_end_object(w);
	jw_end_object(w);
}

static void write_runtime(struct json_writer *w, const struct import_model *m, const struct json *c)
{
	static const char *const probes[][2] = {{"startupProbe", "startup"},
	                                        {"readinessProbe", "readiness"},
	                                        {"livenessProbe", "liveness"}};
	bool any = false;

	jw_object(w, "runtime");
	jw_str(w, "preset", m->preset);
	jw_str(w, "image", json_str(c, "image"));
	if (m->port)
		jw_i64(w, "port", m->port);
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		any |= json_has(c, probes[i][0]);
	if (any) {
		jw_object(w, "probes");
		for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
			if (json_has(c, probes[i][0]))
				jw_value(w, probes[i][1], json_get(c, probes[i][0]));
		jw_end_object(w);
	}
	jw_end_object(w);
}

static int64_t gpu_count(const struct json *c, const char *resource)
{
	const struct json *v = json_path(c, "resources", "limits", resource, NULL);
	int64_t n = 0;

	if (json_value_str(v))
		quantity_parse(json_value_str(v), &n, NULL);
	else
		n = json_value_i64(v, 0);
	return n;
}

static void write_gpu(struct json_writer *w, const struct json *c)
{
	const char *resource = gpu_resource(c);

	if (!resource)
		return;
	jw_object(w, "gpu");
	jw_i64(w, "count", gpu_count(c, resource));
	if (!str_eq(resource, "nvidia.com/gpu"))
		jw_str(w, "resource", resource);
	jw_end_object(w);
}

void import_pods_write(const struct import_model *m, struct json_writer *w)
{
	const struct json *spec = json_get(m->template, "spec");
	const struct json *c = named(json_get(spec, "containers"), m->container);

	jw_object(w, "model");
	jw_str(w, "name", m->model_name);
	jw_str(w, "version", m->model_version);
	jw_end_object(w);
	write_runtime(w, m, c);
	write_gpu(w, c);
	jw_object(w, "placement");
	jw_str(w, "scheduler", str_or(json_str(spec, "schedulerName"), "default-scheduler"));
	jw_end_object(w);
	write_template(w, m);
}
