#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/duration.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/kube/client.h"
#include "tidegate/kube/config.h"
#include "tidegate/kube/lease.h"
#include "tidegate/net/loop.h"
#include "tidegate/reconcile/operator.h"
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
	const char *lease_namespace, *lease_name;
	int64_t lease_ms, renew_ms, retry_ms;
	int64_t workers;
	bool no_election;
};

/*
 * A burst (first list, a thousand releases at once) leaves holes that malloc keeps; giving whole
 * pages back costs about a millisecond.
 */
#define TRIM_EVERY_MS  30000
#define MMAP_THRESHOLD (128 << 10)

struct controller {
	struct options o;
	struct loop *loop;
	struct kube_config *config;
	struct kube_client *client;
	struct mdep_operator *op;
	struct lease *lease;
	struct serve *serve;
	struct timer stop_limit, trim;
	bool stopping;
	int code;
};

/* --- options ----------------------------------------------------------------------------- */

enum {
	OPT_NAMESPACE = 256,
	OPT_METRICS,
	OPT_HEALTH,
	OPT_CERT,
	OPT_KEY,
	OPT_LEASE_NS,
	OPT_LEASE,
	OPT_LEASE_DURATION,
	OPT_RENEW,
	OPT_RETRY,
	OPT_WORKERS,
	OPT_NO_ELECTION,
	OPT_LEVEL,
	OPT_KUBECONFIG,
	OPT_CONTEXT
};

static const struct option long_options[] = {
	{"kubeconfig", required_argument, NULL, OPT_KUBECONFIG},
	{"context", required_argument, NULL, OPT_CONTEXT},
	{"namespace", required_argument, NULL, OPT_NAMESPACE},
	{"metrics-address", required_argument, NULL, OPT_METRICS},
	{"health-address", required_argument, NULL, OPT_HEALTH},
	{"metrics-cert-file", required_argument, NULL, OPT_CERT},
	{"metrics-key-file", required_argument, NULL, OPT_KEY},
	{"lease-namespace", required_argument, NULL, OPT_LEASE_NS},
	{"lease-name", required_argument, NULL, OPT_LEASE},
	{"lease-duration", required_argument, NULL, OPT_LEASE_DURATION},
	{"lease-renew-deadline", required_argument, NULL, OPT_RENEW},
	{"lease-retry-period", required_argument, NULL, OPT_RETRY},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"no-leader-election", no_argument, NULL, OPT_NO_ELECTION},
	{"log-level", required_argument, NULL, OPT_LEVEL},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int parse_level(const char *text)
{
	enum log_level level;

	if (log_parse_level(text, &level))
		return cli_usage_error(&cli_controller,
		                       "--log-level: \"%s\" is none of debug, info, warn, error",
		                       text);
	log_set_level(level);
	return EXIT_OK;
}

#define LEASE_TIME_MAX_MS 3600000

static int parse_duration(const char *flag, const char *text, int64_t *ms)
{
	struct err err = ERR_INIT;

	if (duration_parse(text, ms, &err))
		return cli_usage_error(&cli_controller, "%s: %s", flag, err.msg);
	if (*ms < 1 || *ms > LEASE_TIME_MAX_MS)
		return cli_usage_error(&cli_controller, "%s: \"%s\" is not within 1ms..1h", flag,
		                       text);
	return EXIT_OK;
}

static int parse_workers(const char *text, int64_t *n)
{
	if (!str_to_i64(text, n) || *n < 1 || *n > 1024)
		return cli_usage_error(&cli_controller, "--workers: \"%s\" is not within 1..1024",
		                       text);
	return EXIT_OK;
}

static int parse_option(struct options *o, int c)
{
	const char **text[] = {
		[OPT_NAMESPACE - 256] = &o->namespace,   [OPT_METRICS - 256] = &o->metrics_address,
		[OPT_HEALTH - 256] = &o->health_address, [OPT_CERT - 256] = &o->tls_cert,
		[OPT_KEY - 256] = &o->tls_key,           [OPT_LEASE_NS - 256] = &o->lease_namespace,
		[OPT_LEASE - 256] = &o->lease_name,      [OPT_KUBECONFIG - 256] = &o->kubeconfig,
		[OPT_CONTEXT - 256] = &o->context,
	};

	switch (c) {
	case OPT_LEASE_DURATION:
		return parse_duration("--lease-duration", optarg, &o->lease_ms);
	case OPT_RENEW:
		return parse_duration("--lease-renew-deadline", optarg, &o->renew_ms);
	case OPT_RETRY:
		return parse_duration("--lease-retry-period", optarg, &o->retry_ms);
	case OPT_WORKERS:
		return parse_workers(optarg, &o->workers);
	case OPT_LEVEL:
		return parse_level(optarg);
	case OPT_NO_ELECTION:
		o->no_election = true;
		return EXIT_OK;
	case '?':
		return cli_usage_error(&cli_controller, "bad option");
	default:
		*text[c - 256] = optarg;
		return EXIT_OK;
	}
}

static int parse_options(struct options *o, int argc, char **argv)
{
	int c, rc;

	*o = (struct options){.metrics_address = ":8080",
	                      .health_address = ":8081",
	                      .lease_name = "tidegate-controller"};
	optind = 0; /* glibc: forget an earlier scan that ended within an argument */
	opterr = 1;
	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (c == 'h')
			return -1;
		rc = parse_option(o, c);
		if (rc)
			return rc;
	}
	if (optind < argc)
		return cli_usage_error(&cli_controller, "takes no argument \"%s\"", argv[optind]);
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

static int start_lease(struct controller *c, struct err *err)
{
	const char *ns = c->o.lease_namespace ? c->o.lease_namespace : c->config->namespace;
	struct lease_options o = {.namespace = ns,
	                          .name = c->o.lease_name,
	                          .duration_ms = (int)c->o.lease_ms,
	                          .renew_deadline_ms = (int)c->o.renew_ms,
	                          .retry_ms = (int)c->o.retry_ms,
	                          .on_acquired = on_acquired,
	                          .on_lost = on_lost,
	                          .arg = c};

	c->lease = lease_new(c->client, &o, err);
	if (!c->lease)
		return -1;
	lease_start(c->lease);
	return 0;
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

static void on_trim(void *arg)
{
	struct controller *c = arg;

	malloc_trim(0);
	timer_start(&c->trim, TRIM_EVERY_MS);
}

/* A fixed threshold: glibc's own one grows with the first big buffer and then never gives back. */
static void tune_memory(struct controller *c)
{
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_TRIM_THRESHOLD, MMAP_THRESHOLD);
	timer_init(&c->trim, c->loop, on_trim, c);
	timer_start(&c->trim, TRIM_EVERY_MS);
}

static int start(struct controller *c, struct err *err)
{
	struct operator_options op = {.namespace = c->o.namespace,
	                              .workers = (unsigned)c->o.workers};
	char host[64] = "tidegate";

	gethostname(host, sizeof(host) - 1);
	op.identity = host;
	c->config = kube_config_load(c->o.kubeconfig, c->o.context, err);
	if (!c->config)
		return -1;
	c->loop = loop_new();
	timer_init(&c->stop_limit, c->loop, on_stop_limit, c);
	tune_memory(c);
	c->client = kube_client_new(c->loop, c->config, NULL, err);
	if (!c->client)
		return -1;
	kube_client_set_write_gate(c->client, may_write, c);
	c->op = operator_new(c->loop, c->client, &op, err);
	if (!c->op)
		return -1;
	if (start_serving(c, err))
		return -1;
	log_info("starting", LS("version", TIDEGATE_VERSION), LS("server", c->config->server));
	operator_start(c->op);
	if (!c->o.no_election)
		return start_lease(c, err);
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
		timer_release(&c->trim);
		loop_free(c->loop);
	}
	kube_config_free(c->config);
}

static int run(int argc, char **argv)
{
	struct controller c = {.code = EXIT_OK};
	struct err err = ERR_INIT;
	int rc = parse_options(&c.o, argc, argv);

	if (rc)
		return rc < 0 ? cli_help(&cli_controller) : rc;
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
		 "Runs the operator until SIGTERM. In a pod it finds the API server by itself.\n\n"
		 "  --kubeconfig FILE           default: $KUBECONFIG, ~/.kube/config, in-cluster\n"
		 "  --context NAME              default: the file's current context\n"
		 "  --namespace NS              watch this namespace only\n"
		 "  --metrics-address ADDR      /metrics; default :8080, \"\" = off, port 0 = any\n"
		 "  --metrics-cert-file FILE    serve /metrics with TLS, with --metrics-key-file\n"
		 "  --metrics-key-file FILE\n"
		 "  --health-address ADDR       /healthz and /readyz; default :8081\n"
		 "  --lease-namespace NS        default: the namespace of the context or pod\n"
		 "  --lease-name NAME           default: tidegate-controller\n"
		 "  --lease-duration D          default 15s\n"
		 "  --lease-renew-deadline D    default 10s\n"
		 "  --lease-retry-period D      default 2s\n"
		 "  --no-leader-election        for a single replica only\n"
		 "  --workers N                 ModelDeployments in work at once; default 24\n"
		 "  --log-level LEVEL           debug, info, warn or error; default info\n\n"
		 "Example:\n"
		 "  tidegate controller --kubeconfig ~/.kube/config --metrics-address "
		 "127.0.0.1:0\n",
	.run = run,
};
