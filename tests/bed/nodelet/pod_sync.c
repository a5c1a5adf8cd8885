/* What is due for a pod now, looking at everything that is known about it. */
#include "pod.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#include "admission.h"
#include "note.h"
#include "status.h"
#include "volumes.h"

/* Grace of a pod whose object was deleted by force. */
#define FORCED_GRACE_MS 1000

int64_t pod_grace_ms(const struct pod *p)
{
	const struct json *meta = json_get(p->live, "metadata");
	int64_t grace = json_i64(p->spec, "terminationGracePeriodSeconds", 30);

	if (p->gone)
		return FORCED_GRACE_MS;
	if (p->deleting)
		grace = json_i64(meta, "deletionGracePeriodSeconds", grace);
	return grace * 1000;
}

static void begin_stop(struct pod *p)
{
	p->stage = POD_STOPPING;
	p->stop_deadline_ms = clock_mono_ms() + pod_grace_ms(p);
}

static void fail(struct pod *p, const char *reason, const char *message)
{
	p->failed = true;
	xstr_replace(&p->failure_reason, reason);
	xstr_replace(&p->failure_message, message);
}

static void on_deadline(void *arg)
{
	struct pod *p = arg;

	if (p->stage != POD_PREPARING && p->stage != POD_RUNNING)
		return;
	fail(p, "DeadlineExceeded",
	     "Pod was active on the node longer than the specified deadline");
	begin_stop(p);
	pod_kick(p);
}

void pod_deadline_init(struct pod *p)
{
	timer_init(&p->deadline_timer, p->agent->loop, on_deadline, p);
}

static void arm_deadline(struct pod *p)
{
	int64_t seconds = json_i64(p->spec, "activeDeadlineSeconds", 0);
	int64_t left = p->start_ms + seconds * 1000 - clock_wall_ms();

	if (seconds > 0)
		timer_start(&p->deadline_timer, left > 0 ? left : 0);
}

static bool host_port_in(const struct json *spec, int64_t port)
{
	const struct json *c, *it;

	json_for_each (c, json_get(spec, "containers")) {
		json_for_each (it, json_get(c, "ports")) {
			if (json_i64(it, "hostPort", 0) == port)
				return true;
		}
	}
	return false;
}

static bool ports_collide(const struct pod *p, const struct pod *other)
{
	const struct json *c, *it;

	json_for_each (c, json_get(p->spec, "containers")) {
		json_for_each (it, json_get(c, "ports")) {
			int64_t port = json_i64(it, "hostPort", 0);

			if (port > 0 && host_port_in(other->spec, port))
				return true;
		}
	}
	return false;
}

/* What the admitted pods of the node use, and whether one has a port that p wants. */
static int measure_node(const struct pod *p, struct resources *used, struct admission *a,
                        struct err *err)
{
	struct list *l;

	list_for_each (l, &p->node->pods) {
		const struct pod *other = list_entry(l, struct pod, link);
		struct resources r;

		if (other == p || !pod_counts(other))
			continue;
		if (resources_of_pod(&r, other->spec, err) || resources_add(used, &r, err))
			return -1;
		a->pods++;
		a->port_taken = a->port_taken || ports_collide(p, other);
	}
	return 0;
}

static void refuse(struct pod *p, const char *reason, const char *message)
{
	cleanup_free char *text = xasprintf("Pod was rejected: %s", message);

	log_info("pod refused", LS("namespace", p->namespace), LS("name", p->name),
	         LS("reason", reason), LS("text", message));
	note_pod(p, true, reason, message);
	fail(p, reason, text);
	p->start_ms = clock_wall_ms();
	p->stage = POD_DONE;
}

static void admit(struct pod *p)
{
	struct resources allocatable, used = {.n = 0};
	struct admission a = {.pod = p->live,
	                      .node = p->node->object,
	                      .allocatable = &allocatable,
	                      .used = &used};
	struct admission_refusal why;
	struct err err = ERR_INIT;

	if (p->settled_before || p->deleting) {
		p->stage = POD_DONE;
		return;
	}
	if (!p->node->object)
		return;
	if (node_allocatable(p->node, &allocatable, &err) || measure_node(p, &used, &a, &err)) {
		refuse(p, "UnexpectedAdmissionError", err.msg);
		return;
	}
	if (!admission_check(&a, &why)) {
		refuse(p, why.reason, why.message);
		return;
	}
	p->stage = POD_PREPARING;
	if (!p->start_ms)
		p->start_ms = clock_wall_ms();
	arm_deadline(p);
}

static int take_address(struct pod *p)
{
	if (p->ip[0])
		return 0;
	if (json_bool(p->spec, "hostNetwork", false)) {
		str_copy(p->ip, sizeof(p->ip), p->node->ip);
		return 0;
	}
	p->owns_ip = ips_take(&p->agent->ips, p->ip) == 0;
	return p->owns_ip ? 0 : -1;
}

static void all_wait(struct pod *p, const char *reason, const char *message)
{
	for (unsigned i = 0; i < p->ncontainers; i++)
		container_wait(&p->containers[i], reason, message);
}

static void prepare(struct pod *p)
{
	struct err err = ERR_INIT;

	if (p->unsupported) {
		all_wait(p, "CreateContainerConfigError", p->unsupported);
		return;
	}
	if (take_address(p)) {
		all_wait(p, "ContainerCreating", "no free address in the pod network");
		return;
	}
	if (!p->refs_asked) {
		p->refs_asked = true;
		refs_collect(&p->refs, p->spec);
	}
	if (refs_pending(&p->refs))
		return;
	if (volumes_prepare(p, &err) == 0)
		p->stage = POD_RUNNING;
	else if (err.class == ERR_NOT_FOUND)
		note_pod(p, true, "FailedMount", err.msg);
	else
		all_wait(p, "CreateContainerConfigError", err.msg);
}

/* One step of the init phase; true when the containers proper may run. */
static bool run_init(struct pod *p, struct container *c)
{
	if (c->sidecar) {
		container_try_start(c);
		return container_running(c) && c->started;
	}
	if (container_succeeded(c))
		return true;
	if (container_finished(c)) {
		fail(p, NULL, NULL);
		begin_stop(p);
	} else {
		container_try_start(c);
	}
	return false;
}

static void run_containers(struct pod *p)
{
	bool finished = true;

	for (unsigned i = 0; i < p->ninit && !p->initialized; i++) {
		if (!run_init(p, &p->containers[i]))
			return;
	}
	p->initialized = true;
	for (unsigned i = 0; i < p->ninit; i++) {
		if (p->containers[i].sidecar)
			container_try_start(&p->containers[i]);
	}
	for (unsigned i = p->ninit; i < p->ncontainers; i++) {
		if (!container_finished(&p->containers[i])) {
			finished = false;
			container_try_start(&p->containers[i]);
		}
	}
	if (finished)
		begin_stop(p);
}

/* Sidecars outlive the containers and end in reverse order. */
static void stop_containers(struct pod *p)
{
	int64_t left = p->stop_deadline_ms - clock_mono_ms();
	bool running = false;

	if (left < 0)
		left = 0;
	for (unsigned i = 0; i < p->ncontainers; i++) {
		struct container *c = &p->containers[i];

		if (!c->sidecar && container_running(c)) {
			running = true;
			container_stop(c, left, NULL);
		}
	}
	for (unsigned i = p->ninit; i-- > 0 && !running;) {
		if (container_running(&p->containers[i])) {
			running = true;
			container_stop(&p->containers[i], left, NULL);
		}
	}
	if (!running)
		p->stage = POD_DONE;
}

static void finish(struct pod *p)
{
	timer_stop(&p->deadline_timer);
	if (p->gone)
		pod_free(p);
	else if (p->deleting && status_settled(p))
		status_delete_object(p);
}

/* A deletion, or a second one with less grace. */
static void look_for_deletion(struct pod *p)
{
	int64_t deadline = clock_mono_ms() + pod_grace_ms(p);

	if (!p->deleting && !p->gone)
		return;
	if (p->stage == POD_PREPARING || p->stage == POD_RUNNING)
		begin_stop(p);
	else if (p->stage == POD_STOPPING && deadline < p->stop_deadline_ms)
		p->stop_deadline_ms = deadline;
}

static void (*const steps[])(struct pod *p) = {
	[POD_NEW] = admit,
	[POD_PREPARING] = prepare,
	[POD_RUNNING] = run_containers,
	[POD_STOPPING] = stop_containers,
};

void pod_sync(void *arg)
{
	struct pod *p = arg;
	enum pod_stage before;

	p->sync_queued = false;
	if (p->dead)
		return;
	look_for_deletion(p);
	if (p->gone && p->stage == POD_NEW)
		p->stage = POD_DONE;
	do {
		before = p->stage;
		if (p->stage != POD_DONE)
			steps[p->stage](p);
	} while (p->stage != before);
	status_refresh(p);
	if (p->stage == POD_DONE)
		finish(p);
}
