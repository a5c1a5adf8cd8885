/*
 * What the model probes of one replica of the operator cost: pods that serve are asked once a
 * second.
 *
 *     build/bench/probe [PODS [SECONDS]]     default: 5000 20
 *
 * Prints the prober's share of a core, and how far apart its questions to a pod were: with more
 * pods than it can do they come late. Fails when a pod is reported that does not serve.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/model_probe.h"

#include "pods.h"

/* As the operator has it. */
#define AT_ONCE   2048
#define PERIOD_MS 1000

#define TOLD_MAX 5 /* failures that are written out */

static unsigned long *asked; /* the server's, seen by both processes */

static void answer(void *arg, struct server_request *r)
{
	static const char body[] =
		"{\"model_version_status\":[{\"version\":\"3\",\"state\":\"AVAILABLE\","
		"\"status\":{\"error_code\":\"OK\",\"error_message\":\"\"}}]}";

	(void)arg;
	++*asked;
	server_reply(r, 200, "application/json", NULL, body, sizeof(body) - 1);
}

struct tally {
	unsigned serving, failed;
};

static void on_probe(void *arg, const char *pod, const char *uid, bool ready, unsigned failures,
                     const char *why)
{
	struct tally *t = arg;

	(void)uid, (void)failures;
	t->serving += ready;
	t->failed += !ready;
	if (!ready && t->failed <= TOLD_MAX)
		fprintf(stderr, "probe: %s: %s\n", pod, why);
}

static void set_targets(struct model_prober *m, unsigned pods, int port)
{
	for (unsigned i = 0; i < pods; i++) {
		cleanup_free char *ip = pods_ip(i), *name = xasprintf("shop/ranker-%u", i);

		model_prober_set(m, &(struct model_probe_target){
					    .pod = name,
					    .uid = name,
					    .ip = ip,
					    .port = port,
					    .preset = preset_get(RUNTIME_TENSORFLOW_SERVING),
					    .model = "ranker",
					    .version = "3"});
	}
}

static bool all_serve(const struct tally *t, unsigned pods)
{
	if (t->serving >= pods && !t->failed)
		return true;
	fprintf(stderr, "probe: of %u pods %u serve, failures: %u\n", pods, t->serving, t->failed);
	return false;
}

int main(int argc, char **argv)
{
	unsigned pods = pods_argument(argc, argv, 1, 5000),
		 seconds = pods_argument(argc, argv, 2, 20);
	struct tally t = {.serving = 0};
	struct err err = ERR_INIT;
	struct model_prober *m;
	unsigned long before;
	struct loop *l;
	int port = 0, pid;
	double used;

	asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	pid = asked == MAP_FAILED ? -1 : pods_start(answer, &port);
	if (pid < 0)
		return 1;
	l = loop_new();
	m = model_prober_new(l, AT_ONCE, PERIOD_MS, on_probe, &t, &err);
	if (!m)
		return 1;
	set_targets(m, pods, port);
	/* Connections are made first; they stay. */
	pods_run_for(l, 5000);
	t.failed = 0;
	before = *asked;
	used = pods_cpu_s();
	pods_run_for(l, (int64_t)seconds * 1000);
	used = pods_cpu_s() - used;
	before = *asked - before;
	printf("%u pods, %u s: %lu probes, %.2f s apart, %.1f %% of a core, %.0f us a probe, %ld "
	       "kB\n",
	       pods, seconds, before, (double)pods * seconds / (double)before, 100 * used / seconds,
	       used * 1e6 / (double)before, pods_memory_kb());
	model_prober_free(m);
	loop_free(l);
	pods_end(pid);
	return !all_serve(&t, pods);
}
