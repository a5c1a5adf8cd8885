/*
 * nodelet: node agent of one zone of the test bed. Registers nodes and runs the pods bound to
 * them as local processes, as truthfully as a kubelet would.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#include "agent.h"
#include "control.h"
#include "node.h"
#include "process.h"

static int make_dirs(const char *state_dir, struct err *err)
{
	cleanup_free char *pods = xasprintf("%s/pods", state_dir);

	if ((mkdir(state_dir, 0755) && errno != EEXIST) || (mkdir(pods, 0755) && errno != EEXIST))
		return err_set_errno(err, ERR_IO, errno, "--state-dir: %s", state_dir);
	return 0;
}

static int connect_api(struct agent *a, struct err *err)
{
	const struct kube_client_options client = {.user_agent = "nodelet/" TIDEGATE_VERSION};
	const struct http_client_options probes = {.user_agent = "kube-probe/1.36",
	                                           .tls = {.insecure = true}};

	a->config = kube_config_load(a->options->kubeconfig, NULL, err);
	if (!a->config)
		return -1;
	a->client = kube_client_new(a->loop, a->config, &client, err);
	if (!a->client)
		return -1;
	a->http = http_client_new(a->loop, &probes, err);
	if (!a->http)
		return -1;
	a->events = event_recorder_new(a->client, "nodelet", a->options->node_prefix);
	return 0;
}

static int start(struct agent *a, struct err *err)
{
	unsigned count = (unsigned)a->options->nodes;

	if (make_dirs(a->options->state_dir, err) ||
	    images_load(&a->images, a->options->image_map, err) ||
	    ips_init(&a->ips, a->options->pod_cidr, count, err) || connect_api(a, err))
		return -1;
	a->nodes = xcalloc(count, sizeof(struct node *));
	for (unsigned i = 0; i < count; i++) {
		a->nodes[a->nnodes++] = node_new(a, i);
		node_start(a->nodes[i]);
	}
	return 0;
}

static void stop(struct agent *a)
{
	for (unsigned i = 0; i < a->nnodes; i++)
		node_free(a->nodes[i]);
	free(a->nodes);
	/* The pods were killed above; none is to be left when we say that we have ended. */
	loop_run_once(a->loop, false);
	while (process_count() > 0)
		loop_run_once(a->loop, true);
	if (a->events)
		event_recorder_free(a->events);
	if (a->http)
		http_client_free(a->http);
	if (a->client)
		kube_client_free(a->client);
	kube_config_free(a->config);
	images_release(&a->images);
	ips_release(&a->ips);
}

static void on_signal(void *arg, int signo)
{
	struct agent *a = arg;

	log_info("stopping", LI("signal", signo));
	loop_stop(a->loop);
}

static int run(const struct options *o)
{
	struct agent a = {.options = o, .loop = loop_new()};
	struct control *control = NULL;
	struct err err = ERR_INIT;
	int rc = 1;

	loop_on_signal(a.loop, SIGTERM, on_signal, &a);
	loop_on_signal(a.loop, SIGINT, on_signal, &a);
	if (start(&a, &err) == 0 && (control = control_new(&a, &err))) {
		log_info("node agent runs", LS("zone", o->zone), LI("nodes", o->nodes));
		loop_run(a.loop);
		rc = 0;
	} else {
		log_error("cannot start", LE(&err));
	}
	control_free(control);
	stop(&a);
	loop_free(a.loop);
	return rc;
}

int main(int argc, char **argv)
{
	struct options o;
	struct err err = ERR_INIT;

	if (argc > 1 && str_eq(argv[1], "ctl"))
		return control_client(argc - 1, argv + 1);
	if (options_parse(&o, argc, argv, &err)) {
		fprintf(stderr, "nodelet: %s; see --help\n", err.msg);
		return 2;
	}
	if (o.help) {
		options_usage();
		return 0;
	}
	return run(&o);
}
