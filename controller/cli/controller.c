#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/kube/client.h"
#include "tidegate/kube/config.h"
#include "tidegate/kube/lease.h"
#include "tidegate/net/loop.h"
#include "tidegate/reconcile/operator.h"
#include "tidegate/serve/footprint.h"
#include "tidegate/serve/http.h"

/* SIGTERM is answered within 5 s whatever the API server does. */
#define STOP_MAX_MS 4500
/*
 * So long a full cache may be out of touch before /readyz says so: a rolling update of the
 * control plane is no news.
 */
#define CACHE_GRACE_MS 120000

struct options {
	const char *kubeconfig, *context, *namespace;
	const char *metrics_address, *health_address, *tls_cert, *tls_key;
	const char *lease_namespace, *lease_name, *zone;
	int64_t lease_ms, renew_ms, retry_ms;
	int64_t workers;
	bool no_election, help;
};

struct controller {
	struct options o;
	struct loop *loop;
	struct kube_config *config;
	struct kube_client *client;
	struct mdep_operator *op;
	struct lease *lease;
	struct serve *serve;
	struct timer stop_limit;
	struct footprint footprint;
	bool stopping;
	int code;
};

/* --- options ----------------------------------------------------------------------------- */

#define LEASE_TIME_MAX_MS 3600000
#define WORKERS_MAX       1024

static int set_level(void *into, const char *text, struct err *err)
{
	enum log_level level;

	(void)into;
	if (log_parse_level(text, &level))
		return err_set(err, ERR_INVALID, "\"%.60s\" is none of debug, info, warn, error",
		               text);
	log_set_level(level);
	return 0;
}

static const struct option_row rows[] = {
#define ROW(field, name, type, ...) OPTION_ROW(struct options, field, name, type, __VA_ARGS__)
#define LEASE_TIME(field, name, text)                                                              \
	ROW(field, name, OPTION_DURATION, .min = 1, .max = LEASE_TIME_MAX_MS, .value = "D",        \
	    .help = (text))
	ROW(kubeconfig, "kubeconfig", OPTION_TEXT, .value = "FILE",
            .help = "default: $KUBECONFIG, ~/.kube/config, in-cluster"),
	ROW(context, "context", OPTION_TEXT, .value = "NAME",
            .help = "default: the file's current context"),
	ROW(namespace, "namespace", OPTION_TEXT, .value = "NS",
            .help = "watch this namespace only"),
	ROW(metrics_address, "metrics-address", OPTION_TEXT, .value = "ADDR",
            .help = "/metrics; default :8080, \"\" = off, port 0 = any"),
	ROW(tls_cert, "metrics-cert-file", OPTION_TEXT, .value = "FILE",
            .help = "serve /metrics with TLS, with --metrics-key-file"),
	ROW(tls_key, "metrics-key-file", OPTION_TEXT, .value = "FILE",
            .help = "the certificate's private key"),
	ROW(health_address, "health-address", OPTION_TEXT, .value = "ADDR",
            .help = "/healthz and /readyz; default :8081"),
	ROW(lease_namespace, "lease-namespace", OPTION_TEXT, .value = "NS",
            .help = "default: the namespace of the context or pod"),
	ROW(lease_name, "lease-name", OPTION_TEXT, .value = "NAME",
            .help = "default: tidegate-controller"),
	LEASE_TIME(lease_ms, "lease-duration", "default 15s"),
	LEASE_TIME(renew_ms, "lease-renew-deadline", "default 10s"),
	LEASE_TIME(retry_ms, "lease-retry-period", "default 2s"),
	ROW(zone, "zone", OPTION_TEXT, .value = "ZONE",
            .help = "where this replica runs; default: of the node in $NODE_NAME"),
	ROW(no_election, "no-leader-election", OPTION_FLAG, .help = "for a single replica only"),
	ROW(workers, "workers", OPTION_INT, .min = 1, .max = WORKERS_MAX, .value = "N",
            .help = "ModelDeployments in work at once; default 24"),
	{.name = "log-level",
         .type = OPTION_CALL,
         .set = set_level,
         .value = "LEVEL",
         .help = "debug, info, warn or error; default info"},
	ROW(help, "help", OPTION_FLAG, .letter = 'h', .help = "this text"),
#undef LEASE_TIME
#undef ROW
	{.name = NULL},
};

/* An exit code; EXIT_OK and o->help when help is wanted. */
static int parse_options(struct options *o, int argc, char **argv)
{
	int words;

	*o = (struct options){.metrics_address = ":8080",
	                      .health_address = ":8081",
	                      .lease_name = "tidegate-controller"};
	words = cli_options(&cli_controller, o, argc, argv);
	if (words < 0)
		return EXIT_USAGE;
	if (words)
		return cli_usage_error(&cli_controller, "takes no argument \"%s\"", argv[1]);
	if (!o->tls_cert != !o->tls_key)
		return cli_usage_error(&cli_controller,
		                       "--metrics-cert-file and --metrics-key-file go together");
	return EXIT_OK;
}

/* --- stopping ---------------------------------------------------------------------------- */

static void finish(void *arg)
{
	struct controller *c = arg;

	loop_stop(c->loop);
}

static void on_stop_limit(void *arg)
{
	log_warn("the API server did not answer while stopping, ending anyway");
	finish(arg);
}

/* The lease goes last: until then what is written is the leader's. */
static void release_lease(void *arg)
{
	struct controller *c = arg;

	if (c->lease)
		lease_stop(c->lease, finish, c);
	else
		finish(c);
}

static void stop(void *arg, int signo)
{
	struct controller *c = arg;

	if (c->stopping)
		return;
	c->stopping = true;
	log_info("stopping", LS("signal", signo == SIGINT ? "SIGINT" : "SIGTERM"));
	operator_stop(c->op);
	timer_start(&c->stop_limit, STOP_MAX_MS);
	operator_flush(c->op, release_lease, c);
}

/* --- leadership -------------------------------------------------------------------------- */

static void on_acquired(void *arg)
{
	struct controller *c = arg;

	log_info("elected leader", LS("identity", lease_identity(c->lease)));
	operator_lead(c->op);
}

/*
 * Another may lead from now on. The write gate is shut already; ending is the only
 * state that is surely harmless, and a fresh process is a warm standby in a second.
 */
static void on_lost(void *arg)
{
	struct controller *c = arg;

	if (c->stopping)
		return;
	log_error("leadership lost, ending so that nothing more is written");
	_exit(EXIT_ERROR);
}

static bool may_write(void *arg)
{
	const struct controller *c = arg;

	return !c->lease || lease_may_write(c->lease);
}

static const char *not_ready(void *arg)
{
	const struct controller *c = arg;
	const char *trouble = operator_trouble(c->op, CACHE_GRACE_MS);

	if (trouble || operator_synced(c->op))
		return trouble;
	return "caches are filling";
}

static const char *lease_namespace(const struct controller *c)
{
	return c->o.lease_namespace ? c->o.lease_namespace : c->config->namespace;
}

static int make_lease(struct controller *c, struct err *err)
{
	struct lease_options o = {.namespace = lease_namespace(c),
	                          .name = c->o.lease_name,
	                          .duration_ms = (int)c->o.lease_ms,
	                          .renew_deadline_ms = (int)c->o.renew_ms,
	                          .retry_ms = (int)c->o.retry_ms,
	                          .on_acquired = on_acquired,
	                          .on_lost = on_lost,
	                          .arg = c};

	c->lease = lease_new(c->client, &o, err);
	return c->lease ? 0 : -1;
}

/* Whoever stands for election also votes on zones. */
static int make_operator(struct controller *c, struct err *err)
{
	char host[64] = "tidegate";
	struct operator_options o = {.namespace = c->o.namespace,
	                             .workers = (unsigned)c->o.workers,
	                             .identity = host,
	                             .replica = c->lease ? lease_identity(c->lease) : NULL,
	                             .votes_namespace = lease_namespace(c),
	                             .votes_group = c->o.lease_name,
	                             .zone = str_nonempty(c->o.zone),
	                             .node = str_nonempty(getenv("NODE_NAME"))};

	gethostname(host, sizeof(host) - 1);
	c->op = operator_new(c->loop, c->client, &o, err);
	return c->op ? 0 : -1;
}

/* --- start ------------------------------------------------------------------------------- */

static int start_serving(struct controller *c, struct err *err)
{
	struct serve_options o = {.metrics_address = c->o.metrics_address,
	                          .health_address = c->o.health_address,
	                          .tls_cert_file = c->o.tls_cert,
	                          .tls_key_file = c->o.tls_key,
	                          .not_ready = not_ready,
	                          .arg = c};

	c->serve = serve_new(c->loop, &o, err);
	if (!c->serve)
		return -1;
	log_info("serving", LS("metrics", serve_metrics_address(c->serve)),
	         LS("health", serve_health_address(c->serve)));
	return 0;
}

static int start(struct controller *c, struct err *err)
{
	c->config = kube_config_load(c->o.kubeconfig, c->o.context, err);
	if (!c->config)
		return -1;
	c->loop = loop_new();
	loop_pace(c->loop);
	timer_init(&c->stop_limit, c->loop, on_stop_limit, c);
	footprint_init(&c->footprint, c->loop);
	c->client = kube_client_new(c->loop, c->config, NULL, err);
	if (!c->client)
		return -1;
	kube_client_set_write_gate(c->client, may_write, c);
	if (!c->o.no_election && make_lease(c, err))
		return -1;
	if (make_operator(c, err))
		return -1;
	if (start_serving(c, err))
		return -1;
	log_info("starting", LS("version", TIDEGATE_VERSION), LS("server", c->config->server));
	operator_start(c->op);
	if (c->lease)
		lease_start(c->lease);
	else
		operator_lead(c->op);
	return 0;
}

static void release(struct controller *c)
{
	serve_free(c->serve);
	lease_free(c->lease);
	operator_free(c->op);
	kube_client_free(c->client);
	if (c->loop) {
		timer_release(&c->stop_limit);
		footprint_release(&c->footprint);
		loop_free(c->loop);
	}
	kube_config_free(c->config);
}

/* A connection is kept to every pod. The soft limit of 1,024 is there for programs that use
 * select(). */
static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int run(int argc, char **argv)
{
	struct controller c = {.code = EXIT_OK};
	struct err err = ERR_INIT;
	int rc = parse_options(&c.o, argc, argv);

	if (rc != EXIT_OK)
		return rc;
	if (c.o.help)
		return cli_help(&cli_controller);
	raise_file_limit();
	if (start(&c, &err)) {
		log_error("cannot start", LE(&err));
		release(&c);
		return EXIT_ERROR;
	}
	loop_on_signal(c.loop, SIGTERM, stop, &c);
	loop_on_signal(c.loop, SIGINT, stop, &c);
	loop_run(c.loop);
	release(&c);
	log_info("stopped");
	return EXIT_OK;
}

const struct cli_verb cli_controller = {
	.name = "controller",
	.summary = "run the operator",
	.usage = "Usage: tidegate controller [OPTIONS]\n\n"
		 "Runs the operator until SIGTERM. In a pod it finds the API server by itself.\n\n",
	.options = rows,
	.notes = "\n"
		 "Example:\n"
		 "  tidegate controller --kubeconfig ~/.kube/config --metrics-address "
		 "127.0.0.1:0\n",
	.run = run,
};
