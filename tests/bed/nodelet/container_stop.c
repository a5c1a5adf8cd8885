/* How a container ends: hook, signal, deadline, and what is remembered of it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

#include "container.h"
#include "note.h"
#include "pod.h"

/* The kubelet grants so much when a hook has used up the grace period. */
#define MIN_GRACE_MS 2000
/* Longest text of a log's end that is put into a status. */
#define MESSAGE_MAX 2048

static void terminate(struct container *c)
{
	int64_t left = c->stop_deadline_ms - clock_mono_ms();

	if (c->pre_stop.type != ACTION_NONE && left < MIN_GRACE_MS)
		left = MIN_GRACE_MS;
	timer_start(&c->kill_timer, left > 0 ? left : 0);
	process_signal(c->process, SIGTERM);
}

static void on_pre_stop(void *arg, bool ok, const char *why)
{
	struct container *c = arg;
	char message[320];

	c->pre_stop_run = NULL;
	if (!ok) {
		snprintf(message, sizeof(message), "PreStopHook failed: %s", why);
		note_pod(c->pod, true, "FailedPreStopHook", message);
	}
	if (container_running(c))
		terminate(c);
}

void container_on_deadline(void *arg)
{
	struct container *c = arg;

	if (c->pre_stop_run) {
		action_cancel(c->pre_stop_run);
		on_pre_stop(c, false, "grace period is over");
	} else {
		container_kill(c);
	}
}

void container_stop(struct container *c, int64_t grace_ms, const char *message)
{
	int64_t deadline = clock_mono_ms() + grace_ms;
	cleanup_free char *text = NULL;

	if (!container_running(c))
		return;
	if (c->stopping) {
		/* A shorter grace period, as of a second `kubectl delete --now`. */
		if (deadline < c->stop_deadline_ms) {
			c->stop_deadline_ms = deadline;
			timer_start(&c->kill_timer, grace_ms);
		}
		return;
	}
	c->stopping = true;
	c->stop_deadline_ms = deadline;
	text = message ? xstrdup(message) : xasprintf("Stopping container %s", c->name);
	note_pod(c->pod, false, "Killing", text);
	container_quiet_probes(c);
	if (c->pre_stop.type == ACTION_NONE || grace_ms <= 0) {
		terminate(c);
		return;
	}
	timer_start(&c->kill_timer, grace_ms);
	c->pre_stop_run = action_start(&c->pre_stop, c, grace_ms, on_pre_stop, c);
}

void container_kill(struct container *c)
{
	if (container_running(c))
		process_signal_all(c->process, SIGKILL);
}

/* The end of the log, for terminationMessagePolicy FallbackToLogsOnError. */
static char *log_tail(const struct container *c)
{
	cleanup_free char *path = xasprintf("%s/%s/%u.log", c->pod->dir, c->name, c->restarts);
	cleanup_file FILE *f = fopen(path, "re");
	char text[MESSAGE_MAX + 1];
	long size;
	size_t n;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 ||
	    fseek(f, size > MESSAGE_MAX ? size - MESSAGE_MAX : 0, SEEK_SET))
		return NULL;
	n = fread(text, 1, MESSAGE_MAX, f);
	text[n] = '\0';
	return n ? xstrdup(text) : NULL;
}

static void remember_end(struct container *c, int status)
{
	struct container_run *r = &c->run;
	bool fallback =
		str_eq(json_str(c->json, "terminationMessagePolicy"), "FallbackToLogsOnError");

	r->finished_ms = clock_wall_ms();
	r->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	r->reason = r->exit_code == 0 ? "Completed" : "Error";
	if (r->exit_code != 0)
		r->message = fallback ? log_tail(c) : NULL;
}

void container_on_exit(void *arg, int wait_status)
{
	struct container *c = arg;

	c->process = NULL;
	c->state = CONTAINER_TERMINATED;
	c->started = false;
	c->stopping = false;
	c->exited_ms = clock_mono_ms();
	probe_stop(&c->startup);
	probe_stop(&c->readiness);
	probe_stop(&c->liveness);
	c->readiness.passing = false;
	action_cancel(c->pre_stop_run);
	c->pre_stop_run = NULL;
	timer_stop(&c->kill_timer);
	timer_stop(&c->retry);
	remember_end(c, wait_status);
	pod_kick(c->pod);
}
