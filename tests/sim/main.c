/*
 * Simulated releases by seed: `sim --seed N`, `sim --seeds COUNT --from BASE`. A seed that fails is
 * run again with fewer and fewer faults, and the smallest run that still fails is the one to look
 * at: the line to repeat it is printed.
 */
#include <stdio.h>
#include <string.h>

#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/sim/run.h"

struct totals {
	unsigned passed, failed;
	uint64_t promoted, rolled_back, faults, crashes, writes;
	int64_t virtual_ms;
};

/* Fewest faults with which the seed still fails: what comes after them is not needed. */
static int64_t minimise(uint64_t seed, struct sim_result *r)
{
	int64_t lo = 0, hi = (int64_t)r->faults;
	struct sim_result try;

	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		sim_run(&(struct sim_options){seed, mid}, &try);
		if (try.failed) {
			hi = mid;
			*r = try;
		} else {
			lo = mid + 1;
		}
	}
	return hi;
}

static void run_seed(uint64_t seed, int64_t max_faults, struct totals *t)
{
	struct sim_result r;

	sim_run(&(struct sim_options){seed, max_faults}, &r);
	t->promoted += r.promoted;
	t->rolled_back += r.rolled_back;
	t->faults += r.faults;
	t->crashes += r.crashes;
	t->writes += r.writes;
	t->virtual_ms += r.virtual_ms;
	if (!r.failed) {
		t->passed++;
		return;
	}
	t->failed++;
	printf("seed %llu: %s\n", (unsigned long long)seed, r.violation);
	if (max_faults < 0)
		max_faults = minimise(seed, &r);
	printf("  smallest: %s\n  repeat: build/sim --seed %llu --faults %lld --log debug\n",
	       r.violation, (unsigned long long)seed, (long long)max_faults);
	fflush(stdout);
}

static int usage(void)
{
	fprintf(stderr, "Usage: sim [--seed N [--faults N] | --from N --seeds COUNT] "
	                "[--log LEVEL]\n");
	return 2;
}

int main(int argc, char **argv)
{
	int64_t from = 1, count = 1, faults = -1, began = clock_cpu_ms(), ms;
	enum log_level level = LOG_ERROR;
	struct totals t = {0};

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage();
		if (str_eq(argv[i], "--log")
		            ? log_parse_level(argv[i + 1], &level)
		            : !str_to_i64(argv[i + 1], str_eq(argv[i], "--seeds")    ? &count
		                                       : str_eq(argv[i], "--faults") ? &faults
		                                                                     : &from))
			return usage();
	}
	log_set_level(level);
	for (int64_t i = 0; i < count; i++)
		run_seed((uint64_t)(from + i), faults, &t);
	ms = clock_cpu_ms() - began;
	printf("seeds %lld to %lld\n", (long long)from, (long long)(from + count - 1));
	printf("%.1f simulated hours in %.1f s: %llu promoted, %llu rolled back, %llu faults, "
	       "%llu crashes, %llu writes\n",
	       (double)t.virtual_ms / 3600000.0, (double)ms / 1000.0,
	       (unsigned long long)t.promoted, (unsigned long long)t.rolled_back,
	       (unsigned long long)t.faults, (unsigned long long)t.crashes,
	       (unsigned long long)t.writes);
	printf("%u passed, %u failed, 0 skipped\n", t.passed, t.failed);
	return t.failed ? 1 : 0;
}
