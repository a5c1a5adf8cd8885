/* Between the operator and the API server: refused and lost writes, crashes, watches that are cut,
 * late, silent or told twice, tokens that expire. */
#include <string.h>

#include "run_priv.h"

#define LAG_MAX_MS  15000
#define HANG_MIN_MS 5000
#define HANG_MAX_MS 205000

static bool strikes(struct run *r, int64_t permille)
{
	if ((int64_t)random_below(&r->random, 1000) >= permille || run_now(r) > RUN_FAULTS_MS)
		return false;
	if (r->o.max_faults >= 0 && (int64_t)r->result->faults >= r->o.max_faults)
		return false;
	r->result->faults++;
	return true;
}

static enum sim_fault fate(void *arg, const char *agent)
{
	struct run *r = arg;

	(void)agent;
	if (!strikes(r, r->scene.fault_permille))
		return SIM_OK;
	return (enum sim_fault)(SIM_CONFLICT +
	                        (int)random_below(&r->random, SIM_CRASH_AFTER - SIM_CONFLICT + 1));
}

static bool cut(void *arg)
{
	struct run *r = arg;

	if (!strikes(r, r->scene.fault_permille / 4))
		return false;
	if (random_below(&r->random, 2))
		sim_compact(r->cluster.api);
	return true;
}

static int64_t lag(void *arg)
{
	struct run *r = arg;

	return strikes(r, r->scene.fault_permille) ? (int64_t)random_below(&r->random, LAG_MAX_MS)
	                                           : 1 + (int64_t)random_below(&r->random, 20);
}

static int64_t hang(void *arg)
{
	struct run *r = arg;

	return strikes(r, r->scene.fault_permille / 16)
	               ? HANG_MIN_MS + (int64_t)random_below(&r->random, HANG_MAX_MS - HANG_MIN_MS)
	               : 0;
}

static bool twice(void *arg)
{
	struct run *r = arg;

	return strikes(r, r->scene.fault_permille / 4);
}

static bool expire(void *arg)
{
	struct run *r = arg;

	return strikes(r, 4 * r->scene.fault_permille);
}

static void crash(void *arg, const char *agent)
{
	struct run *r = arg;

	cluster_kill(&r->cluster, agent);
}

static void changed(void *arg, const struct sim_object *o)
{
	struct run *r = arg;

	world_changed(&r->world, o);
}

/* --- zones --------------------------------------------------------------------------------- */

static bool connected(void *arg, const char *agent)
{
	struct run *r = arg;

	return !world_zone_is_dark(&r->world, cluster_zone_of(&r->cluster, agent));
}

static enum sim_reach pod_request(void *arg, const char *agent, const char *url, struct buf *out)
{
	struct run *r = arg;

	if (str_ends(url, "/metrics") && user_metrics_are_silent(r))
		return SIM_REFUSES;
	return world_answer(&r->world, url, cluster_zone_of(&r->cluster, agent), out);
}

void faults_hooks(struct run *r, struct sim_hooks *h)
{
	*h = (struct sim_hooks){.fate = fate,
	                        .cut = cut,
	                        .lag = lag,
	                        .hang = hang,
	                        .twice = twice,
	                        .expire = expire,
	                        .page = r->scene.paged ? 2 : 0,
	                        .changed = changed,
	                        .written = check_written,
	                        .crash = crash,
	                        .connected = connected,
	                        .pod_request = pod_request,
	                        .arg = r};
}
