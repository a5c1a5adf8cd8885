/* How a container comes to run: image, configuration, back-off, process. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

#include "container.h"
#include "environment.h"
#include "note.h"
#include "pod.h"
#include "volumes.h"

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_MAX_MS   300000
#define CONFIG_RETRY_MS  2000

static int64_t scaled(const struct container *c, int64_t ms)
{
	return (int64_t)((double)ms * c->pod->agent->options->backoff_scale);
}

static void retry_in(struct container *c, int64_t ms)
{
	timer_start(&c->retry, ms > 0 ? ms : 0);
}

/* The kubelet tells ErrImagePull, looks again a moment later, and then tells that it waits. */
static void no_image(struct container *c)
{
	cleanup_free char *text = NULL;

	if (timer_active(&c->retry))
		return;
	if (c->pull_backoff_ms == 0) {
		text = xasprintf("failed to pull image \"%s\": not found in the image map",
		                 c->image);
		note_pod(c->pod, true, "Failed", text);
		container_wait(c, "ErrImagePull", text);
	} else {
		text = xasprintf("Back-off pulling image \"%s\"", c->image);
		note_pod(c->pod, false, "BackOff", text);
		container_wait(c, "ImagePullBackOff", text);
	}
	c->pull_backoff_ms = c->pull_backoff_ms ? c->pull_backoff_ms * 2 : BACKOFF_FIRST_MS / 10;
	if (c->pull_backoff_ms > BACKOFF_MAX_MS)
		c->pull_backoff_ms = BACKOFF_MAX_MS;
	retry_in(c, scaled(c, c->pull_backoff_ms));
}

/* The image's entry when it is on the node; else what has to happen is under way. */
static const struct json *pull(struct container *c)
{
	struct agent *a = c->pod->agent;
	const struct json *image = images_find(&a->images, c->image);

	if (!image) {
		no_image(c);
		return NULL;
	}
	c->pull_backoff_ms = 0;
	if (map_get(&c->pod->node->pulled, c->image))
		return image;
	if (a->pull_ms > 0 && !c->pulling) {
		c->pulling = true;
		note_pod(c->pod, false, "Pulling", c->image);
		retry_in(c, a->pull_ms);
		return NULL;
	}
	if (timer_active(&c->retry))
		return NULL;
	c->pulling = false;
	map_set(&c->pod->node->pulled, c->image, c->pod->node);
	return image;
}

/* Starts a back-off or makes the next one longer, as flowcontrol.Backoff.Next does. */
static void backoff_next(struct container *c)
{
	int64_t max = scaled(c, BACKOFF_MAX_MS);

	if (c->backoff_ms == 0 || c->exited_ms - c->backoff_updated_ms > 2 * max)
		c->backoff_ms = scaled(c, BACKOFF_FIRST_MS);
	else if (c->backoff_ms * 2 < max)
		c->backoff_ms *= 2;
	else
		c->backoff_ms = max;
	c->backoff_updated_ms = clock_mono_ms();
}

static bool backing_off(struct container *c)
{
	int64_t left = container_backoff_left(c);
	cleanup_free char *text = NULL;

	if (left == 0)
		return false;
	if (!timer_active(&c->retry)) {
		text = xasprintf("Back-off restarting failed container %s in pod %s", c->name,
		                 c->pod->name);
		note_pod(c->pod, true, "BackOff", text);
		retry_in(c, left);
		pod_kick(c->pod); /* shown as CrashLoopBackOff */
	}
	return true;
}

static void keep_last_run(struct container *c)
{
	if (!c->run.id[0])
		return;
	free(c->last.message);
	c->last = c->run;
	c->run = (struct container_run){0};
}

static void new_run(struct container *c)
{
	keep_last_run(c);
	if (c->starts++ > 0)
		c->restarts++;
	c->run = (struct container_run){.started_ms = clock_wall_ms()};
	c->started_mono_ms = clock_mono_ms();
	snprintf(c->run.id, sizeof(c->run.id), "nodelet://%.36s-%.12s-%u", c->pod->uid, c->name,
	         c->restarts);
}

static char *log_path(const struct container *c)
{
	cleanup_free char *dir = xasprintf("%s/%s", c->pod->dir, c->name);

	mkdir(dir, 0755);
	return xasprintf("%s/%u.log", dir, c->restarts);
}

static void begin_probes(struct container *c)
{
	c->started = !probe_exists(&c->startup);
	if (probe_exists(&c->startup)) {
		probe_start(&c->startup);
		return;
	}
	if (probe_exists(&c->readiness))
		probe_start(&c->readiness);
	if (probe_exists(&c->liveness))
		probe_start(&c->liveness);
}

/* The program could not be executed: an execution that ended before it began. */
static void start_failed(struct container *c, const struct err *err)
{
	note_pod(c->pod, true, "Failed", err->msg);
	c->state = CONTAINER_TERMINATED;
	c->run.finished_ms = c->run.started_ms;
	c->run.exit_code = 128;
	c->run.reason = "StartError";
	c->run.message = xstrdup(err->msg);
	c->exited_ms = clock_mono_ms();
	pod_kick(c->pod);
}

static void start_process(struct container *c, const struct strv *argv, const struct strv *env)
{
	const char *cwd = json_str(c->json, "workingDir");
	cleanup_free char *dir = NULL, *log = NULL, *text = NULL;
	struct process_spec spec = {
		.argv = argv->v, .env = env->v, .on_exit = container_on_exit, .arg = c};
	struct err err = ERR_INIT;

	if (c->state == CONTAINER_TERMINATED)
		backoff_next(c);
	new_run(c);
	dir = str_empty(cwd) ? xstrdup(c->pod->dir) : volumes_rewrite(c->pod, c->json, cwd);
	log = log_path(c);
	spec.dir = dir;
	spec.log = log;
	c->process = process_start(c->pod->agent->loop, &spec, &err);
	if (!c->process) {
		start_failed(c, &err);
		return;
	}
	c->state = CONTAINER_RUNNING;
	c->stopping = false;
	text = xasprintf("Started container %s", c->name);
	note_pod(c->pod, false, "Started", text);
	begin_probes(c);
	pod_kick(c->pod);
}

void container_try_start(struct container *c)
{
	cleanup_strv struct strv env = {0}, argv = {0};
	struct err err = ERR_INIT;
	const struct json *image;

	if (container_running(c) || backing_off(c))
		return;
	image = pull(c);
	if (!image)
		return;
	if (environment_build(c, image, &env, &err) ||
	    environment_command(c, image, &env, &argv, &err)) {
		container_wait(c, "CreateContainerConfigError", err.msg);
		if (!timer_active(&c->retry))
			retry_in(c, CONFIG_RETRY_MS);
		return;
	}
	start_process(c, &argv, &env);
}
