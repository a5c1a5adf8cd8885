/*
 * One container of a pod: a process, its restarts, its probes and its end.
 *
 * container_try_start() does nothing while the container runs, waits for an image or is backing
 * off, so pod_sync() may call it as often as it likes.
 */
#ifndef BED_NODELET_CONTAINER_H
#define BED_NODELET_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/json.h"
#include "tidegate/net/loop.h"

#include "action.h"
#include "probe.h"
#include "process.h"

struct pod;

enum container_state { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_TERMINATED };

/* One execution. */
struct container_run {
	int64_t started_ms, finished_ms; /* wall */
	int exit_code, signal;
	const char *reason; /* Completed, Error, StartError */
	char *message;
	char id[64]; /* "" = none */
};

struct container {
	struct pod *pod;
	const struct json *json;
	const char *name, *image;
	bool init, sidecar;

	enum container_state state;
	const char *waiting_reason;
	char *waiting_message;
	struct container_run run, last; /* last: the execution before this one */
	unsigned starts;
	unsigned restarts;
	struct process *process;
	int64_t started_mono_ms;
	bool started; /* startup probe passed, or there is none */
	struct probe startup, readiness, liveness;

	/* Crash back-off: the kubelet's flowcontrol.Backoff. */
	int64_t backoff_ms, backoff_updated_ms, exited_ms; /* monotonic */
	struct timer retry; /* end of a back-off, of a pull, of a wait for configuration */
	int64_t pull_backoff_ms;
	bool pulling;

	bool stopping;
	int64_t stop_deadline_ms; /* monotonic */
	struct action pre_stop;
	struct action_run *pre_stop_run;
	struct timer kill_timer;
};

int container_init(struct container *c, struct pod *p, const struct json *json, bool init,
                   struct err *err);
void container_release(struct container *c);
/* Restart count of an agent before us. */
void container_adopt(struct container *c, const struct json *status);

void container_try_start(struct container *c);
/* preStop, SIGTERM, and SIGKILL at the deadline. Harmless when it does not run. message: of the
 * event, NULL = that it stops. */
void container_stop(struct container *c, int64_t grace_ms, const char *message);
void container_kill(struct container *c);
/* Callbacks: the end of the process, and of the hook's or the process's time. */
void container_on_exit(void *arg, int wait_status);
void container_on_deadline(void *arg);
/* Probes that need not pass any more while the pod ends. */
void container_quiet_probes(struct container *c);

/* Ended, and will not be started again under the pod's restart policy. */
bool container_finished(const struct container *c);
bool container_succeeded(const struct container *c);
bool container_running(const struct container *c);
bool container_ready(const struct container *c);
/* How long it still backs off after a crash, 0 = not; shown as waiting meanwhile. */
int64_t container_backoff_left(const struct container *c);
/* Reason is a literal. Kicks the pod when that is news. */
void container_wait(struct container *c, const char *reason, const char *message);

#endif
