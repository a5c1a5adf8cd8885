/* What hits both versions at once, with the whole operator: no reason to take a release back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stage.h"

#define REQUESTS_S  1500
#define INTERVAL_MS 5000 /* canary.interval by default */
#define STEP_MS     490  /* between two moments of it that an incident begins at */
#define WEIGHT      20   /* of the second step */
#define ERRORS      0.05

static int end(void **st)
{
	(void)st;
	stage_end();
	return 0;
}

static int64_t canary_weight(void)
{
	return json_i64(json_get(status_of(0), "traffic"), "weight", 0);
}

static bool is_taken_back(void)
{
	return str_eq(phase_of(0), "RollingBack") || str_eq(phase_of(0), "RolledBack");
}

/* Up to the moment in which the new version gets so many of the requests. */
static void release(const char *version)
{
	int64_t until;

	stage_begin(1, 1);
	stage.steps = "{\"weight\":5,\"hold\":\"18s\"},{\"weight\":20,\"hold\":\"10m\"}";
	world_app(&stage.world, "default", "m00")->rate = REQUESTS_S;
	run(20000);
	stage_model("m00", version, "");
	until = stage.cluster.clock.mono_ms + 60000;
	while (canary_weight() < WEIGHT && stage.cluster.clock.mono_ms < until)
		run(100);
	assert_int_equal(canary_weight(), WEIGHT);
}

/*
 * Whenever it begins: pods are not asked one after the other. Each time in a release of its own
 * with other names of pods, and soon: a judge that has seen shares swing takes that for less.
 */
static void incidents(int64_t from_ms, double errors)
{
	for (int64_t at = 0; at < INTERVAL_MS; at += STEP_MS) {
		char version[8];

		snprintf(version, sizeof(version), "%d", 2 + (int)at);
		release(version);
		run(from_ms + at);
		world_spoil(&stage.world, "m00", errors);
		run(4 * INTERVAL_MS);
		assert_false(is_taken_back());
		if (at + STEP_MS < INTERVAL_MS)
			stage_end();
	}
}

static void test_an_incident_is_nobodys_fault(void **st)
{
	(void)st;
	incidents(INTERVAL_MS, ERRORS);
}

/* In the look in which the new version gets more: stable has good requests of before. */
static void test_nor_one_that_comes_with_the_weight(void **st)
{
	(void)st;
	incidents(0, 0.5);
}

/* The same share of errors at the new version alone. */
static void test_a_version_that_gets_bad_is_taken_back(void **st)
{
	struct world_app *a;

	(void)st;
	release("2");
	run(2 * INTERVAL_MS);
	a = world_app(&stage.world, "default", "m00");
	users_count(&stage.world);
	a->versions[1] = a->versions[0];
	str_copy(a->versions[1].version, sizeof(a->versions[1].version), "2");
	a->versions[1].errors = ERRORS;
	a->nversions = 2;
	pods_learn(&stage.world, a);
	run(2 * INTERVAL_MS);
	assert_true(is_taken_back());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_an_incident_is_nobodys_fault, end),
		cmocka_unit_test_teardown(test_nor_one_that_comes_with_the_weight, end),
		cmocka_unit_test_teardown(test_a_version_that_gets_bad_is_taken_back, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
