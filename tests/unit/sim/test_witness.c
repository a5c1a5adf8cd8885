/*
 * Pods that answer no probe, but clients (reconcile/witness.c): when that is a veto against leaving
 * their zone, and when it is not.
 */
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

static bool is_metrics(const char *url)
{
	return strstr(url, "/metrics") != NULL;
}

static unsigned lost_of_100; /* readings */
static uint64_t dice;

static bool draw_lost(void)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(dice >> 33) % 100 < lost_of_100;
}

static bool only_metrics_of_z1(const char *agent, const char *model, const char *zone,
                               const char *url)
{
	(void)agent;
	(void)model;
	return !str_eq(zone, "z1") || (is_metrics(url) && !draw_lost());
}

static bool nothing_of_z1(const char *agent, const char *model, const char *zone, const char *url)
{
	(void)agent;
	(void)model;
	(void)url;
	return !str_eq(zone, "z1");
}

static void begin(double rate, double errors)
{
	struct world_app *app;

	stage_begin(1, 3);
	app = world_app(&stage.world, "default", "m00");
	app->rate = rate;
	app->versions[0].errors = errors;
	lost_of_100 = 0;
	run_until_well();
}

/* A rush of clients for ten minutes every half hour: no probe of the zone is in time, and one
 * reading in twenty is lost. */
static void test_rush_hours_are_no_outage(void **st)
{
	unsigned writes;

	(void)st;
	begin(30, 0);
	writes = stage.route_writes;
	lost_of_100 = 5;
	for (int i = 0; i < 6; i++) {
		stage.reaches = only_metrics_of_z1;
		run(600000);
		stage.reaches = NULL;
		run(1200000);
		assert_string_equal(zone_state(0, "z1"), "Healthy");
	}
	assert_int_equal(times_left(0, "z1"), 0);
	assert_int_equal(stage.route_writes, writes);
}

static void assert_z1_is_left(void)
{
	stage.reaches = only_metrics_of_z1;
	run(10000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
}

/* A zone that answers one client in three with an error is left. */
static void test_errors_are_no_veto(void **st)
{
	(void)st;
	begin(30, 0.33);
	assert_z1_is_left();
}

/* Counters that stand still are no evidence, whoever asked last. */
static void test_no_client_is_no_veto(void **st)
{
	(void)st;
	begin(0.05, 0);
	assert_z1_is_left();
}

/* The network to the zone is down for the operator alone, counters and all: that is for votes to
 * say. */
static void test_silence_is_no_veto(void **st)
{
	(void)st;
	begin(30, 0);
	stage.reaches = nothing_of_z1;
	run(10000);
	assert_string_equal(zone_state(0, "z1"), "Evacuated");
}

static bool seen_by_last_replica(const char *agent, const char *model, const char *zone,
                                 const char *url)
{
	(void)model;
	return !str_eq(zone, "z1") ||
	       (str_eq(agent, stage.cluster.replica[2].agent) && is_metrics(url));
}

/* One of the replicas sees it, and it need not be the leader. */
static void test_one_witness_is_enough(void **st)
{
	(void)st;
	begin(30, 0);
	assert_string_not_equal(stage.holder, stage.cluster.replica[2].agent);
	stage.reaches = seen_by_last_replica;
	run(60000);
	assert_int_equal(times_left(0, "z1"), 0);
	assert_string_equal(zone_reason(0, "z1"), "ClientsServed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_rush_hours_are_no_outage, end),
		cmocka_unit_test_teardown(test_errors_are_no_veto, end),
		cmocka_unit_test_teardown(test_no_client_is_no_veto, end),
		cmocka_unit_test_teardown(test_silence_is_no_veto, end),
		cmocka_unit_test_teardown(test_one_witness_is_enough, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
