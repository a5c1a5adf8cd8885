/* Models with one replica: their zone fails, or only their pod does. The whole operator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stage.h"

static int end(void **st)
{
	(void)st;
	assert_null(stage.stray);
	stage_end();
	return 0;
}

/* Where the model's traffic goes; NULL: nowhere, or to several. */
static const char *home_of(unsigned model)
{
	static const char *const zones[] = {"z0", "z1", "z2"};

	for (int i = 0; i < ZONES; i++)
		if (route_share(model, zones[i]) == 10000)
			return zones[i];
	return NULL;
}

static void begin(unsigned models, unsigned replicas)
{
	char name[16];

	stage_begin(0, replicas);
	stage.replicas = 1;
	for (unsigned i = 0; i < models; i++) {
		snprintf(name, sizeof(name), "m%02u", i);
		stage_model(name, "1", "");
	}
	stage.models = models;
	run(30000);
	for (unsigned i = 0; i < models; i++) {
		assert_int_equal(json_i64(status_of(i), "readyReplicas", 0), 1);
		assert_string_equal(home_of(i), "z0");
	}
}

/* Another one with a pod in each zone: without any that answers elsewhere an observer is blind. */
static void add_wide_model(void)
{
	stage.replicas = 3;
	stage_model("wide", "1", "");
	run(20000);
}

static void run_until_moved(int64_t limit_ms)
{
	int64_t until = stage.cluster.clock.mono_ms + limit_ms;

	for (unsigned i = 0; i < stage.models;) {
		i = route_share(i, "z0") ? 0 : i + 1;
		if (i < stage.models && route_share(i, "z0"))
			run(100);
		if (stage.cluster.clock.mono_ms > until)
			fail_msg("m%02u is still in z0: %s", i, zone_reason(i, "z0"));
	}
	printf("all have moved after %lld ms\n",
	       (long long)(stage.cluster.clock.mono_ms - until + limit_ms));
}

/* The others that fail there tell that it is the zone. */
static void test_a_dark_zone_of_several_models(void **st)
{
	(void)st;
	begin(5, 1);
	add_wide_model();
	world_zone_set(&stage.world, "z0", true);
	run_until_moved(8000);
	run_until_all("z0", "Evacuated", 5000);
	world_zone_set(&stage.world, "z0", false);
	run_until_all("z0", "Healthy", 120000);
	run(20000);
	for (unsigned i = 0; i < stage.models; i++) {
		assert_string_equal(home_of(i), "z0");
		assert_int_equal(json_i64(status_of(i), "readyReplicas", 0), 1);
	}
}

static bool zone_0_is_cut_off(void *arg, const char *agent)
{
	(void)arg;
	return !str_eq(cluster_zone_of(&stage.cluster, agent), "z0");
}

/* Nobody else is there, but the operator's replica in the zone falls silent. */
static void test_a_dark_zone_of_one_model(void **st)
{
	(void)st;
	begin(1, 3);
	world_zone_set(&stage.world, "z0", true);
	stage.connected = zone_0_is_cut_off;
	run_until_moved(40000); /* the lease of the leader, who may stand there, is 15 s */
}

static bool not_m00(const char *agent, const char *model, const char *zone, const char *url)
{
	(void)agent;
	(void)url;
	return !str_eq(model, "m00") || !str_eq(zone, "z0");
}

/* That is its kubelet's affair, whoever else stands there. */
static void test_a_pod_that_fails_alone(void **st)
{
	static const unsigned models[] = {1, 5};

	(void)st;
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		begin(models[i], 3);
		stage.reaches = not_m00;
		run(60000);
		assert_string_equal(home_of(0), "z0");
		assert_string_equal(zone_reason(0, "z0"), "NoHealthyZone");
		assert_int_equal(json_i64(status_of(0), "replicas", 0), 1);
		if (i + 1 < ARRAY_SIZE(models))
			stage_end();
	}
}

/* There is nowhere to go, and nothing moves when all comes back. */
static void test_all_is_dark(void **st)
{
	(void)st;
	begin(3, 1);
	add_wide_model();
	world_zone_set(&stage.world, "z0", true);
	world_zone_set(&stage.world, "z1", true);
	world_zone_set(&stage.world, "z2", true);
	run(20000);
	for (unsigned i = 0; i < stage.models; i++)
		assert_string_equal(home_of(i), "z0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_dark_zone_of_several_models, end),
		cmocka_unit_test_teardown(test_a_dark_zone_of_one_model, end),
		cmocka_unit_test_teardown(test_a_pod_that_fails_alone, end),
		cmocka_unit_test_teardown(test_all_is_dark, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
