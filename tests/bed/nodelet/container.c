#include "container.h"

#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

#include "pod.h"

static void on_retry(void *arg)
{
	struct container *c = arg;

	pod_kick(c->pod);
}

static int refuse_unsupported(const struct container *c, struct err *err)
{
	if (json_has(json_get(c->json, "lifecycle"), "postStart"))
		return err_set(err, ERR_INVALID,
		               "lifecycle.postStart is not supported by this agent");
	if (json_size(json_get(c->json, "volumeDevices")))
		return err_set(err, ERR_INVALID, "volumeDevices are not supported by this agent");
	return 0;
}

int container_init(struct container *c, struct pod *p, const struct json *json, bool init,
                   struct err *err)
{
	*c = (struct container){
		.pod = p,
		.json = json,
		.name = str_or(json_str(json, "name"), ""),
		.image = str_or(json_str(json, "image"), ""),
		.init = init,
		.sidecar = init && str_eq(json_str(json, "restartPolicy"), "Always"),
		.waiting_reason = p->ninit && !init ? "PodInitializing" : "ContainerCreating",
	};
	timer_init(&c->retry, p->agent->loop, on_retry, c);
	timer_init(&c->kill_timer, p->agent->loop, container_on_deadline, c);
	if (probe_init(&c->startup, c, PROBE_STARTUP, err) ||
	    probe_init(&c->readiness, c, PROBE_READINESS, err) ||
	    probe_init(&c->liveness, c, PROBE_LIVENESS, err) ||
	    action_parse(&c->pre_stop, json_path(json, "lifecycle", "preStop", NULL), json, err) ||
	    refuse_unsupported(c, err))
		return err_wrap(err, "container \"%s\"", c->name);
	return 0;
}

void container_release(struct container *c)
{
	probe_release(&c->startup);
	probe_release(&c->readiness);
	probe_release(&c->liveness);
	action_cancel(c->pre_stop_run);
	if (c->process)
		process_abandon(c->process);
	timer_release(&c->retry);
	timer_release(&c->kill_timer);
	free(c->waiting_message);
	free(c->run.message);
	free(c->last.message);
}

void container_adopt(struct container *c, const struct json *status)
{
	if (str_empty(json_str(status, "containerID")))
		return;
	/* What ran under the agent before us died with it. */
	c->restarts = (unsigned)json_i64(status, "restartCount", 0);
	c->starts = 1;
	c->state = CONTAINER_TERMINATED;
	c->run = (struct container_run){.started_ms = clock_wall_ms(),
	                                .finished_ms = clock_wall_ms(),
	                                .exit_code = 137,
	                                .reason = "ContainerStatusUnknown"};
	c->run.message = xstrdup("The container could not be located when the agent started");
	str_copy(c->run.id, sizeof(c->run.id), json_str(status, "containerID"));
}

void container_wait(struct container *c, const char *reason, const char *message)
{
	if (c->state == CONTAINER_WAITING && str_eq(c->waiting_reason, reason) &&
	    str_eq(c->waiting_message, message))
		return;
	c->state = CONTAINER_WAITING;
	c->waiting_reason = reason;
	xstr_replace(&c->waiting_message, message);
	pod_kick(c->pod);
}

bool container_running(const struct container *c)
{
	return c->process != NULL;
}

static bool restarts_after(const struct container *c, bool success)
{
	if (c->sidecar)
		return true;
	if (c->init)
		return !success && c->pod->restart_policy != RESTART_NEVER;
	if (c->pod->restart_policy == RESTART_ALWAYS)
		return true;
	return c->pod->restart_policy == RESTART_ON_FAILURE && !success;
}

bool container_succeeded(const struct container *c)
{
	return c->state == CONTAINER_TERMINATED && c->run.exit_code == 0;
}

bool container_finished(const struct container *c)
{
	return c->state == CONTAINER_TERMINATED && !restarts_after(c, container_succeeded(c));
}

bool container_ready(const struct container *c)
{
	if (c->init && !c->sidecar)
		return container_succeeded(c);
	if (!container_running(c) || !c->started)
		return false;
	return !probe_exists(&c->readiness) || c->readiness.passing;
}

int64_t container_backoff_left(const struct container *c)
{
	int64_t left = c->exited_ms + c->backoff_ms - clock_mono_ms();

	if (c->state != CONTAINER_TERMINATED || !c->backoff_ms ||
	    !restarts_after(c, container_succeeded(c)))
		return 0;
	return left > 0 ? left : 0;
}

void container_quiet_probes(struct container *c)
{
	probe_stop(&c->startup);
	probe_stop(&c->liveness);
}
