/*
 * Zones that answer every probe and miss an objective which the others keep, or answer worse than
 * the others on their way back: the whole operator, with its own scraping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stage.h"

#define SLO                                                                                        \
	",\"slo\":{\"objectives\":[{\"name\":\"availability\",\"target\":\"99.9\"},"               \
	"{\"name\":\"latency\",\"thresholdMs\":200,\"target\":\"99\"}],"                           \
	"\"onBreach\":\"Notify\"}"

static int end(void **st)
{
	(void)st;
	assert_null(stage.stray);
	stage_end();
	return 0;
}

static void begin_with(unsigned models, const char *slo, const char *ramp)
{
	char name[16];

	stage_begin(models, 3);
	stage.preset = "tensorflow-serving"; /* it tells how long answers took */
	stage.ramp = ramp;
	for (unsigned i = 0; i < models; i++) {
		snprintf(name, sizeof(name), "m%02u", i);
		world_app(&stage.world, "default", name)->rate = i ? 1 : 200;
		stage_model(name, "1", slo);
	}
	run_until_well();
	run(40000);
}

static void begin(unsigned models)
{
	begin_with(models, SLO, NULL);
}

static void test_a_zone_with_errors_is_left_and_comes_back(void **st)
{
	(void)st;
	begin(1);
	world_zone_spoil(&stage.world, "z1", 0.3, 1);
	run(45000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
	assert_string_equal(zone_reason(0, "z1"), "MissesObjective");
	assert_string_equal(json_str(zone_record(0, "z1"), "objective"), "availability");
	assert_int_equal(route_share(0, "z1"), 0);
	world_zone_spoil(&stage.world, "z1", 0, 1);
	run(90000);
	assert_string_equal(zone_state(0, "z1"), "Healthy");
	assert_int_equal(times_left(0, "z1"), 1);
	assert_true(route_share(0, "z1") > 3000);
}

/* Every probe passes, no answer is wrong. */
static void test_a_slow_zone_is_left(void **st)
{
	(void)st;
	begin(1);
	world_zone_spoil(&stage.world, "z1", 0, 20);
	run(45000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
	assert_string_equal(zone_reason(0, "z1"), "MissesObjective");
	assert_string_equal(json_str(zone_record(0, "z1"), "objective"), "latency");
}

/* It is tried again, each time later: not every minute. */
static void test_a_zone_that_stays_bad_is_tried_seldom(void **st)
{
	(void)st;
	begin(1);
	world_zone_spoil(&stage.world, "z1", 0.3, 1);
	run(1200000);
	assert_in_range(times_left(0, "z1"), 2, 6);
	assert_string_not_equal(zone_state(0, "z0"), "Evacuated");
	assert_int_equal(times_left(0, "z0") + times_left(0, "z2"), 0);
}

static void test_errors_everywhere_are_no_zones_fault(void **st)
{
	static const char *const zones[] = {"z0", "z1", "z2"};

	(void)st;
	begin(1);
	for (int z = 0; z < ZONES; z++)
		world_zone_spoil(&stage.world, zones[z], 0.3, 1);
	run(300000);
	for (int z = 0; z < ZONES; z++)
		assert_int_equal(times_left(0, zones[z]), 0);
}

/* A version is tried in one zone first: what it does there is not the zone's doing. */
static void test_a_bad_canary_is_no_zones_fault(void **st)
{
	static const char *const zones[] = {"z0", "z1", "z2"};
	struct world_app *app;

	(void)st;
	begin(1);
	app = world_app(&stage.world, "default", "m00");
	app->versions[1] = app->versions[0];
	str_copy(app->versions[1].version, sizeof(app->versions[1].version), "2");
	app->versions[1].errors = 0.6;
	app->nversions = 2;
	stage_model("m00", "2", SLO);
	run(300000);
	assert_string_equal(phase_of(0), "RolledBack");
	for (int z = 0; z < ZONES; z++)
		assert_int_equal(times_left(0, zones[z]), 0);
}

/* Of two models one, the other has too few requests to tell: it stays, and its zones may fail as
 * ever. */
static void test_it_is_this_models_own_affair(void **st)
{
	(void)st;
	begin(2);
	world_zone_spoil(&stage.world, "z1", 0.3, 1);
	run(45000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
	assert_string_equal(zone_state(1, "z1"), "Healthy");
	world_zone_set(&stage.world, "z2", true);
	run(6000);
	assert_string_equal(zone_state(1, "z2"), "Evacuated");
	/* The first has one zone left that is well: it keeps both. */
	assert_string_equal(zone_state(0, "z2"), "Degraded");
}

/* Without any objective: what it answers is looked at when it comes back. */
static void back_from_the_dark(double errors, double slower)
{
	begin_with(1, "", "60s");
	world_zone_set(&stage.world, "z1", true);
	run(8000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
	world_zone_spoil(&stage.world, "z1", errors, slower);
	world_zone_set(&stage.world, "z1", false);
}

static void test_errors_on_the_way_back(void **st)
{
	(void)st;
	back_from_the_dark(0.3, 1);
	run(100000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
	assert_string_equal(zone_reason(0, "z1"), "WorseThanOthers");
	assert_int_equal(route_share(0, "z1"), 0);
	assert_int_equal(times_left(0, "z0") + times_left(0, "z2"), 0);
	world_zone_spoil(&stage.world, "z1", 0, 1);
	run(200000);
	assert_string_equal(zone_state(0, "z1"), "Healthy");
}

static void test_slow_on_the_way_back(void **st)
{
	(void)st;
	back_from_the_dark(0, 20);
	run(110000);
	assert_string_equal(zone_reason(0, "z1"), "WorseThanOthers");
	assert_int_equal(route_share(0, "z1"), 0);
}

/* Half as slow again: another generation of cards, or a longer way. */
static void test_a_little_slower_on_the_way_back(void **st)
{
	(void)st;
	back_from_the_dark(0, 1.5);
	run(150000);
	assert_string_equal(zone_state(0, "z1"), "Healthy");
	assert_int_equal(times_left(0, "z1"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_zone_with_errors_is_left_and_comes_back, end),
		cmocka_unit_test_teardown(test_a_slow_zone_is_left, end),
		cmocka_unit_test_teardown(test_a_zone_that_stays_bad_is_tried_seldom, end),
		cmocka_unit_test_teardown(test_errors_everywhere_are_no_zones_fault, end),
		cmocka_unit_test_teardown(test_a_bad_canary_is_no_zones_fault, end),
		cmocka_unit_test_teardown(test_it_is_this_models_own_affair, end),
		cmocka_unit_test_teardown(test_errors_on_the_way_back, end),
		cmocka_unit_test_teardown(test_slow_on_the_way_back, end),
		cmocka_unit_test_teardown(test_a_little_slower_on_the_way_back, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
