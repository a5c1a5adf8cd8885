/*
 * Many models lose a zone at once, with the whole operator of three replicas: one decision, the
 * critical models first, no faster than is kept, a few writes each.
 *
 *     build/unit/sim/test_group [MODELS]     default: 200, 60 with sanitizers; `make bench-group`:
 * 1,000
 *
 * The processor time that it prints is that of three operators and of the whole simulated cluster.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../sanitizer.h"
#include "stage.h"

#define MODELS_MAX 5000
#define EVERY      20 /* so many models have a critical one */
#define BURST      32
#define PER_S      100
#define KNOWN_MS   3600 /* by when every pod there has failed as often as it takes */

static unsigned models = UNDER_SANITIZER ? 60 : 200;

static struct {
	int64_t dark_ms;
	int64_t left_ms[MODELS_MAX]; /* its route names the zone no more; 0 = it does */
	unsigned left;
	unsigned routes, statuses, others; /* writes since then */
} seen;

static bool is_critical(unsigned model)
{
	return model % EVERY == EVERY - 1;
}

static void on_write(const struct sim_object *o)
{
	unsigned model = (unsigned)strtoul(o->name + 1, NULL, 10);

	if (!seen.dark_ms || o->resource == SIM_LEASE || o->resource == SIM_EVENT)
		return;
	seen.routes += o->resource == SIM_ROUTE;
	seen.statuses += o->resource == SIM_MDEP;
	seen.others += o->resource != SIM_ROUTE && o->resource != SIM_MDEP;
	if (o->resource != SIM_ROUTE || seen.left_ms[model] || route_share(model, "z1"))
		return;
	seen.left_ms[model] = stage.cluster.clock.mono_ms;
	seen.left++;
}

/* A PriorityClass is resolved by the API server's admission; here by the template itself. */
static void add_models(void)
{
	char name[16];

	for (unsigned i = 0; i < models; i++) {
		snprintf(name, sizeof(name), "m%02u", i);
		stage_model(name, "1",
		            is_critical(i) ? ",\"template\":{\"spec\":{\"priority\":1000}}" : "");
	}
	stage.models = models;
}

static int64_t cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int by_time(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

static int64_t last_to_leave(bool critical)
{
	int64_t last = 0;

	for (unsigned i = 0; i < models; i++)
		if (is_critical(i) == critical && seen.left_ms[i] > last)
			last = seen.left_ms[i];
	return last - seen.dark_ms;
}

/* In no second more than the rate allows, and what may go at once. */
static void assert_rate_is_kept(void)
{
	int64_t at[MODELS_MAX];

	memcpy(at, seen.left_ms, sizeof(at));
	qsort(at, models, sizeof(at[0]), by_time);
	for (unsigned i = 0; i + BURST + PER_S < models; i++)
		assert_true(at[i + BURST + PER_S] - at[i] >= 990);
}

/* A model that fails late, and waits for no other that fails later, leaves late. */
static void assert_critical_ones_are_first(void)
{
	assert_in_range(last_to_leave(true), 1, KNOWN_MS + 1000LL * models / EVERY / PER_S + 500);
	if (models >= 500)
		assert_true(last_to_leave(true) < last_to_leave(false) - 1000);
}

static void say_what(const char *what, int64_t began_ms)
{
	printf("%s: %.1f CPU-s; writes since the zone went dark: %u routes, %u statuses, %u "
	       "others\n",
	       what, (double)(cpu_ms() - began_ms) / 1000, seen.routes, seen.statuses, seen.others);
}

static void begin(void)
{
	int64_t began = cpu_ms();

	stage_begin(0, 3);
	stage.wrote = on_write;
	add_models();
	run(60000);
	for (unsigned i = 0; i < models; i++)
		assert_in_range(route_share(i, "z1"), 3000, 3700);
	say_what("all are well", began);
	began = cpu_ms();
	run(20000);
	say_what("20 s of calm", began);
}

static void go_dark(void)
{
	int64_t limit = KNOWN_MS + 1000LL * models / PER_S + 2000, began = cpu_ms();

	seen.dark_ms = stage.cluster.clock.mono_ms;
	world_zone_set(&stage.world, "z1", true);
	while (seen.left < models && stage.cluster.clock.mono_ms < seen.dark_ms + limit)
		run(10);
	assert_int_equal(seen.left, models);
	printf("no traffic goes there after %lld ms, critical models' after %lld ms\n",
	       (long long)last_to_leave(false), (long long)last_to_leave(true));
	say_what("all have left", began);
}

static void test_many_models_leave_a_dark_zone(void **st)
{
	double before;
	int64_t began;

	(void)st;
	begin();
	before = metric_value("tidegate_zone_decisions_total{zone=\"z1\"} ");
	go_dark();
	run_until_all("z1", "Evacuated", 10000);
	assert_true(metric_value("tidegate_zone_decisions_total{zone=\"z1\"} ") == before + 1);
	assert_rate_is_kept();
	assert_critical_ones_are_first();
	began = cpu_ms();
	run(60000);
	say_what("a minute later", began);
	assert_int_equal(models_in_state("z1", "Evacuated"), models);
	/* Out; pods elsewhere; the node is given up. What nothing changes is not written. */
	assert_true(seen.routes <= 3 * models);
	assert_true(seen.statuses <= 6 * models);
	assert_true(seen.others <= 6 * models);
	stage_end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_models_leave_a_dark_zone),
	};

	if (argc > 1)
		models = (unsigned)strtoul(argv[1], NULL, 10);
	if (models < 1 || models > MODELS_MAX)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
