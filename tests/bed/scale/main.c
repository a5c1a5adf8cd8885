/*
 * scale: makes, changes and watches many ModelDeployments at once, for benchmarks. Built on the
 * same kube/ library as the controller, and independent of how the controller reads them.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"

#include "fleet.h"
#include "manifest.h"
#include "options.h"
#include "rounds.h"
#include "sample.h"
#include "session.h"
#include "writes.h"

/* --- the namespaces ---------------------------------------------------------------------- */

#define ACCOUNT_POLL_US  50000
#define ACCOUNT_POLL_MAX 200

/* Pods are refused until the namespace has its account. */
static int wait_account(struct session *s, const char *ns, struct err *err)
{
	cleanup_free char *path = xasprintf("/api/v1/namespaces/%s/serviceaccounts/default", ns);
	const struct kube_request req = {.method = "GET", .path = path};

	for (int i = 0; i < ACCOUNT_POLL_MAX; i++) {
		err_clear(err);
		if (kube_call_sync(s->client, &req, NULL, err) == 0)
			return 0;
		if (err->class != ERR_NOT_FOUND)
			break;
		usleep(ACCOUNT_POLL_US);
	}
	return err_wrap(err, "service account of namespace %s", ns);
}

static int make_namespace(struct session *s, const char *ns, struct err *err)
{
	cleanup_free char *body = xasprintf(
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\"}}",
		ns);
	const struct kube_request req = {.method = "POST",
	                                 .path = "/api/v1/namespaces",
	                                 .body = body,
	                                 .body_len = strlen(body)};

	if (kube_call_sync(s->client, &req, NULL, err) && err->class != ERR_EXISTS)
		return err_wrap(err, "namespace %s", ns);
	return 0;
}

static int make_namespaces(struct session *s, struct err *err)
{
	char ns[MANIFEST_NAMESPACE_MAX];

	for (unsigned i = 0; i < s->o->namespaces; i++)
		if (make_namespace(s, manifest_namespace(s->o, i, ns), err))
			return -1;
	for (unsigned i = 0; i < s->o->namespaces; i++)
		if (wait_account(s, manifest_namespace(s->o, i, ns), err))
			return -1;
	return 0;
}

/* --- writing and waiting ----------------------------------------------------------------- */

struct task {
	struct session *session;
	struct writes writes;
	struct fleet fleet;
	bool has_writes, has_fleet;
	int64_t began_us;
};

static bool task_done(void *arg)
{
	const struct task *t = arg;

	if (t->has_writes && t->writes.answered < t->writes.count)
		return false;
	/* What was not written will not be reached either. */
	return !t->has_fleet || t->writes.failed || fleet_all_reached(&t->fleet);
}

static void task_progress(void *arg, char *text, size_t size)
{
	const struct task *t = arg;
	char trouble[WATCH_TROUBLE_MAX] = "";
	int n = 0;

	if (t->has_writes)
		n = snprintf(text, size, "%s: %u of %u answered, %u failed%s",
		             verb_name(t->session->o->verb), t->writes.answered, t->writes.count,
		             t->writes.failed, t->has_fleet ? "; " : "");
	if (t->has_fleet && n >= 0 && (size_t)n < size)
		snprintf(text + n, size - (size_t)n, "%s: %u of %u%s",
		         goal_name(t->session->o->goal), t->fleet.reached, t->fleet.count,
		         watch_trouble(&t->fleet.watch, trouble));
}

static double seconds(int64_t from_us, int64_t to_us)
{
	return to_us ? (double)((to_us - from_us) / 1000) / 1000 : 0;
}

/* Seconds count from the first write, or from the start of watching. */
static void task_summarize(struct task *t)
{
	struct sample times = {NULL, 0, 0};
	struct json_writer w;
	struct buf b;

	summary_begin(t->session, &b, &w);
	if (t->has_writes) {
		jw_i64(&w, "written", t->writes.answered - t->writes.failed);
		jw_i64(&w, "failed", t->writes.failed);
		jw_double(&w, "firstAnswerSeconds", seconds(t->began_us, t->writes.first_us));
		jw_double(&w, "lastAnswerSeconds", seconds(t->began_us, t->writes.last_us));
	}
	if (t->has_fleet) {
		jw_str(&w, "goal", goal_name(t->session->o->goal));
		jw_i64(&w, "reached", t->fleet.reached);
		jw_double(&w, "reachedSeconds", seconds(t->began_us, t->fleet.last_reached_us));
		fleet_sample(&t->fleet, &times);
		sample_write(&times, &w, "eachMs");
	}
	summary_end(&b, &w);
	sample_release(&times);
}

static int task_run(struct task *t, struct err *err)
{
	struct session *s = t->session;

	if (s->o->verb == VERB_CREATE && make_namespaces(s, err))
		return -1;
	t->began_us = session_now_us();
	if (s->o->goal != GOAL_NONE) {
		t->has_fleet = true;
		if (fleet_init(&t->fleet, s, s->o->goal, err))
			return -1;
	}
	if (s->o->verb != VERB_WAIT) {
		t->has_writes = true;
		t->began_us = session_now_us();
		writes_start(&t->writes, s, t->has_fleet ? &t->fleet : NULL);
	}
	if (session_run(s, task_done, task_progress, t, err))
		return -1;
	if (!t->writes.failed)
		return 0;
	*err = t->writes.first_failure;
	return err_wrap(err, "%u writes failed, the first", t->writes.failed);
}

static int run_task(struct session *s, struct err *err)
{
	struct task t = {.session = s};
	int rc = task_run(&t, err);

	task_summarize(&t);
	if (t.has_writes)
		writes_release(&t.writes);
	if (t.has_fleet)
		fleet_release(&t.fleet);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o;
	struct session s = {.o = &o};
	struct err err = ERR_INIT;
	int rc;

	if (options_parse(&o, argc, argv, &err)) {
		fprintf(stderr, "scale: %s; see --help\n", err.msg);
		return 2;
	}
	if (o.help) {
		options_usage();
		return 0;
	}
	rc = session_init(&s, &o, &err);
	if (rc == 0)
		rc = o.verb == VERB_CHANGE_ONE ? rounds_run(&s, &err) : run_task(&s, &err);
	if (rc)
		fprintf(stderr, "scale: %s\n", err.msg);
	session_release(&s);
	return rc ? 1 : 0;
}
