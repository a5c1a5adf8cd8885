/* The text of a pod's status, as the kubelet would write it. */
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#include "status.h"

static const char *const condition_names[] = {
	[COND_READY_TO_START] = "PodReadyToStartContainers",
	[COND_INITIALIZED] = "Initialized",
	[COND_CONTAINERS_READY] = "ContainersReady",
	[COND_READY] = "Ready",
	[COND_SCHEDULED] = "PodScheduled",
};

static bool all_succeeded(const struct pod *p)
{
	for (unsigned i = p->ninit; i < p->ncontainers; i++) {
		if (!container_succeeded(&p->containers[i]))
			return false;
	}
	return p->initialized;
}

static bool any_started(const struct pod *p)
{
	for (unsigned i = p->ninit; i < p->ncontainers; i++) {
		if (p->containers[i].starts > 0)
			return true;
	}
	return false;
}

const char *status_phase(const struct pod *p)
{
	if (p->stage == POD_DONE)
		return !p->failed && all_succeeded(p) ? "Succeeded" : "Failed";
	return p->initialized && any_started(p) ? "Running" : "Pending";
}

static void write_time(struct json_writer *w, const char *key, int64_t wall_ms)
{
	char text[CLOCK_RFC3339_MAX];

	jw_str(w, key, clock_format(wall_ms, text));
}

/* Transition time of a condition of the live object that has this value already. */
static int64_t inherited_since(const struct pod *p, const char *type, bool value)
{
	const struct json *it;
	int64_t since;

	json_for_each (it, json_path(p->live, "status", "conditions", NULL)) {
		if (str_eq(json_str(it, "type"), type) &&
		    str_eq(json_str(it, "status"), value ? "True" : "False") &&
		    clock_parse(str_or(json_str(it, "lastTransitionTime"), ""), &since) == 0)
			return since;
	}
	return clock_wall_ms();
}

static void remember(struct pod *p, enum pod_condition which, bool value)
{
	struct condition_memory *m = &p->conditions[which];

	if (!m->known)
		m->since_ms = inherited_since(p, condition_names[which], value);
	else if (m->value != value)
		m->since_ms = clock_wall_ms();
	m->known = true;
	m->value = value;
}

static int64_t generation(const struct pod *p)
{
	return json_i64(json_get(p->live, "metadata"), "generation", 0);
}

/* reason NULL: none, as for what is simply true. */
static void write_condition(struct json_writer *w, struct pod *p, enum pod_condition which,
                            bool value, const char *reason, const char *message)
{
	remember(p, which, value);
	jw_object(w, NULL);
	jw_str(w, "type", condition_names[which]);
	jw_str(w, "status", value ? "True" : "False");
	if (generation(p))
		jw_i64(w, "observedGeneration", generation(p));
	jw_null(w, "lastProbeTime");
	write_time(w, "lastTransitionTime", p->conditions[which].since_ms);
	if (reason)
		jw_str(w, "reason", reason);
	else
		jw_null(w, "reason");
	if (message)
		jw_str(w, "message", message);
	else
		jw_null(w, "message");
	jw_end_object(w);
}

/* "containers with unready status: [a b]"; empty when all are as they should be. */
static void list_unready(const struct pod *p, unsigned from, unsigned to, const char *what,
                         struct buf *out)
{
	for (unsigned i = from; i < to; i++) {
		const struct container *c = &p->containers[i];
		bool ok = c->init && !c->sidecar ? container_succeeded(c) : container_ready(c);

		if (c->init && c->sidecar && from == 0 && to == p->ninit)
			ok = c->started;
		if (!ok)
			buf_addf(out, "%s%s", out->len ? " " : what, c->name);
	}
	if (out->len)
		buf_addch(out, ']');
}

static const char *gate_status(const struct pod *p, const char *type)
{
	const struct json *it;

	json_for_each (it, json_path(p->live, "status", "conditions", NULL)) {
		if (str_eq(json_str(it, "type"), type))
			return str_or(json_str(it, "status"), "Unknown");
	}
	return NULL;
}

/* What keeps readiness gates closed; empty when all are open. */
static void list_closed_gates(const struct pod *p, struct buf *out)
{
	const struct json *gate;

	json_for_each (gate, json_get(p->spec, "readinessGates")) {
		const char *type = str_or(json_str(gate, "conditionType"), "");
		const char *status = gate_status(p, type), *sep = out->len ? ", " : "";

		if (!status)
			buf_addf(out,
			         "%scorresponding condition of pod readiness gate \"%s\" does not "
			         "exist.",
			         sep, type);
		else if (!str_eq(status, "True"))
			buf_addf(out,
			         "%sthe status of pod readiness gate \"%s\" is not \"True\", but "
			         "%s",
			         sep, type, status);
	}
}

static void write_ready(struct json_writer *w, struct pod *p)
{
	cleanup_buf struct buf containers, gates;
	const char *completed = NULL;

	buf_init(&containers, 8192);
	buf_init(&gates, 8192);
	if (p->stage == POD_DONE)
		completed = str_eq(status_phase(p), "Succeeded") ? "PodCompleted" : "PodFailed";
	list_unready(p, p->ninit, p->ncontainers, "containers with unready status: [", &containers);
	list_closed_gates(p, &gates);
	if (completed || containers.len) {
		const char *reason = str_or(completed, "ContainersNotReady");
		const char *message = completed ? NULL : containers.data;

		write_condition(w, p, COND_READY, false, reason, message);
		write_condition(w, p, COND_CONTAINERS_READY, false, reason, message);
		return;
	}
	if (gates.len)
		write_condition(w, p, COND_READY, false, "ReadinessGatesNotReady", gates.data);
	else
		write_condition(w, p, COND_READY, true, NULL, NULL);
	write_condition(w, p, COND_CONTAINERS_READY, true, NULL, NULL);
}

static void write_conditions(struct json_writer *w, struct pod *p)
{
	cleanup_buf struct buf incomplete;

	buf_init(&incomplete, 8192);
	jw_array(w, "conditions");
	write_condition(w, p, COND_READY_TO_START,
	                p->ip[0] && (p->stage == POD_RUNNING || p->stage == POD_STOPPING), NULL,
	                NULL);
	if (p->initialized || p->ninit == 0) {
		write_condition(w, p, COND_INITIALIZED, true, NULL, NULL);
	} else {
		list_unready(p, 0, p->ninit, "containers with incomplete status: [", &incomplete);
		write_condition(w, p, COND_INITIALIZED, false, "ContainersNotInitialized",
		                incomplete.data);
	}
	write_ready(w, p);
	write_condition(w, p, COND_SCHEDULED, true, NULL, NULL);
	jw_end_array(w);
}

static void write_terminated(struct json_writer *w, const struct container_run *r)
{
	jw_object(w, "terminated");
	jw_i64(w, "exitCode", r->exit_code);
	if (r->signal)
		jw_i64(w, "signal", r->signal);
	jw_str(w, "reason", r->reason);
	jw_str(w, "message", r->message);
	write_time(w, "startedAt", r->started_ms);
	write_time(w, "finishedAt", r->finished_ms);
	jw_str(w, "containerID", r->id);
	jw_end_object(w);
}

static void write_waiting(struct json_writer *w, const char *reason, const char *message)
{
	jw_object(w, "waiting");
	jw_str(w, "reason", reason);
	jw_str(w, "message", str_empty(message) ? NULL : message);
	jw_end_object(w);
}

static void write_crash_loop(struct json_writer *w, const struct container *c)
{
	cleanup_free char *text = NULL;
	char duration[DURATION_MAX];

	text = xasprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
	                 duration_format(c->backoff_ms, duration), c->name, c->pod->name,
	                 c->pod->namespace, c->pod->uid);
	write_waiting(w, "CrashLoopBackOff", text);
}

/* The present state, and which execution counts as the last one. */
static const struct container_run *write_state(struct json_writer *w, const struct container *c)
{
	const struct container_run *last = &c->last;
	bool active = c->pod->stage == POD_RUNNING || c->pod->stage == POD_PREPARING;

	jw_object(w, "state");
	if (c->state == CONTAINER_RUNNING) {
		jw_object(w, "running");
		write_time(w, "startedAt", c->run.started_ms);
		jw_end_object(w);
	} else if (c->state == CONTAINER_TERMINATED && active && container_backoff_left(c)) {
		write_crash_loop(w, c);
		last = &c->run;
	} else if (c->state == CONTAINER_TERMINATED) {
		write_terminated(w, &c->run);
	} else {
		write_waiting(w, c->waiting_reason, c->waiting_message);
		last = c->run.id[0] ? &c->run : &c->last;
	}
	jw_end_object(w);
	return last;
}

static void write_container(struct json_writer *w, const struct container *c)
{
	const struct container_run *last;

	jw_object(w, NULL);
	jw_str(w, "name", c->name);
	jw_str(w, "image", c->image);
	jw_strf(w, "imageID", "%s%s", c->run.id[0] ? "nodelet-image://" : "",
	        c->run.id[0] ? c->image : "");
	if (c->run.id[0])
		jw_str(w, "containerID", c->run.id);
	last = write_state(w, c);
	jw_object(w, "lastState");
	if (last->id[0])
		write_terminated(w, last);
	jw_end_object(w);
	jw_i64(w, "restartCount", c->restarts);
	jw_bool(w, "ready", container_ready(c));
	jw_bool(w, "started", container_running(c) && c->started);
	jw_end_object(w);
}

static void write_containers(struct json_writer *w, const struct pod *p)
{
	if (p->ninit) {
		jw_array(w, "initContainerStatuses");
		for (unsigned i = 0; i < p->ninit; i++)
			write_container(w, &p->containers[i]);
		jw_end_array(w);
	}
	jw_array(w, "containerStatuses");
	for (unsigned i = p->ninit; i < p->ncontainers; i++)
		write_container(w, &p->containers[i]);
	jw_end_array(w);
}

static void write_address(struct json_writer *w, const char *one, const char *list, const char *ip)
{
	if (!ip[0])
		return;
	jw_str(w, one, ip);
	/* Lists of addresses are merged by address: after a restart there would be two. */
	jw_array(w, list);
	jw_object(w, NULL);
	jw_str(w, "$patch", "replace");
	jw_end_object(w);
	jw_object(w, NULL);
	jw_str(w, "ip", ip);
	jw_end_object(w);
	jw_end_array(w);
}

/* A refused pod never had containers: the kubelet writes phase, reason and message only. */
static bool was_refused(const struct pod *p)
{
	return p->stage == POD_DONE && p->failed && !p->refs_asked;
}

int status_text(struct pod *p, struct buf *out)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_object(&w, "metadata");
	jw_str(&w, "uid", p->uid);
	jw_end_object(&w);
	jw_object(&w, "status");
	if (generation(p))
		jw_i64(&w, "observedGeneration", generation(p));
	jw_str(&w, "phase", status_phase(p));
	jw_str(&w, "reason", p->failure_reason);
	jw_str(&w, "message", p->failure_message);
	if (p->start_ms)
		write_time(&w, "startTime", p->start_ms);
	if (!was_refused(p)) {
		write_conditions(&w, p);
		write_address(&w, "hostIP", "hostIPs", p->node->ip);
		write_address(&w, "podIP", "podIPs", p->ip);
		write_containers(&w, p);
	}
	jw_end_object(&w);
	jw_end_object(&w);
	return jw_end(&w);
}
