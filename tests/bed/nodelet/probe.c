#include "probe.h"

#include <stdio.h>

#include "tidegate/base/clock.h"

#include "container.h"
#include "note.h"
#include "pod.h"

/* The kubelet probes as soon as a container runs, too early for nearly every server; this
 * little later the quick ones are ready at the first try. */
#define FIRST_TRY_MS 20

static const char *const keys[] = {[PROBE_STARTUP] = "startupProbe",
                                   [PROBE_READINESS] = "readinessProbe",
                                   [PROBE_LIVENESS] = "livenessProbe"};
static const char *const titles[] = {[PROBE_STARTUP] = "Startup",
                                     [PROBE_READINESS] = "Readiness",
                                     [PROBE_LIVENESS] = "Liveness"};

static void try_now(void *arg);

int probe_init(struct probe *p, struct container *c, enum probe_kind kind, struct err *err)
{
	const struct json *j = json_get(c->json, keys[kind]);
	int64_t grace = json_i64(j, "terminationGracePeriodSeconds", -1);

	*p = (struct probe){
		.container = c,
		.kind = kind,
		.initial_delay_ms = json_i64(j, "initialDelaySeconds", 0) * 1000,
		.period_ms = json_i64(j, "periodSeconds", 10) * 1000,
		.timeout_ms = json_i64(j, "timeoutSeconds", 1) * 1000,
		.grace_ms = grace < 0 ? -1 : grace * 1000,
		.success_threshold = (unsigned)json_i64(j, "successThreshold", 1),
		.failure_threshold = (unsigned)json_i64(j, "failureThreshold", 3),
	};
	timer_init(&p->timer, c->pod->agent->loop, try_now, p);
	if (action_parse(&p->action, j, c->json, err))
		return err_wrap(err, "%s", keys[kind]);
	return 0;
}

void probe_release(struct probe *p)
{
	probe_stop(p);
	timer_release(&p->timer);
}

/* The result counts: as many equal ones in a row as the threshold wants. */
static void settle(struct probe *p, bool ok)
{
	struct container *c = p->container;
	char message[384];

	if (ok == p->passing && (ok || p->kind == PROBE_READINESS))
		return;
	p->passing = ok;
	if (ok && p->kind == PROBE_STARTUP) {
		c->started = true;
		probe_stop(p);
		if (probe_exists(&c->readiness))
			probe_start(&c->readiness);
		if (probe_exists(&c->liveness))
			probe_start(&c->liveness);
	} else if (!ok && p->kind != PROBE_READINESS) {
		probe_stop(p); /* on hold until there is a new execution */
		snprintf(message, sizeof(message),
		         "Container %s failed %s probe, will be restarted", c->name,
		         p->kind == PROBE_STARTUP ? "startup" : "liveness");
		container_stop(c, p->grace_ms >= 0 ? p->grace_ms : pod_grace_ms(c->pod), message);
	}
	pod_kick(c->pod);
}

static void on_result(void *arg, bool ok, const char *why)
{
	struct probe *p = arg;
	unsigned threshold = ok ? p->success_threshold : p->failure_threshold;
	char message[384];

	p->run = NULL;
	if (!ok) {
		snprintf(message, sizeof(message), "%s probe failed: %s", titles[p->kind], why);
		note_pod(p->container->pod, true, "Unhealthy", message);
	}
	p->streak = ok == p->last_ok ? p->streak + 1 : 1;
	p->last_ok = ok;
	if (p->streak >= threshold)
		settle(p, ok);
}

static void try_now(void *arg)
{
	struct probe *p = arg;

	timer_start(&p->timer, p->period_ms);
	if (!p->run)
		p->run = action_start(&p->action, p->container, p->timeout_ms, on_result, p);
}

void probe_start(struct probe *p)
{
	int64_t ran = clock_mono_ms() - p->container->started_mono_ms;
	int64_t first = p->initial_delay_ms > FIRST_TRY_MS ? p->initial_delay_ms : FIRST_TRY_MS;

	p->streak = 0;
	p->last_ok = false;
	p->passing = p->kind == PROBE_LIVENESS;
	timer_start(&p->timer, first > ran ? first - ran : 0);
}

void probe_stop(struct probe *p)
{
	timer_stop(&p->timer);
	action_cancel(p->run);
	p->run = NULL;
}
