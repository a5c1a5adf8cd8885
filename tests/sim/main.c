/*
 * Simulated releases by seed: `sim --seed N`, `sim --seeds COUNT --from BASE`. A seed that fails is
 * run again with less and less of what happens and goes wrong in it, and the smallest run that
 * still fails is the one to look at: the line to repeat it is printed.
 */
#include <stdio.h>
#include <string.h>

#include "tidegate/base/clock.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"
#include "tidegate/sim/run.h"

/* Making one small takes dozens of runs; the others' lines can be made small one by one. */
#define MINIMISED_MAX 2

struct totals {
	unsigned passed, failed;
	uint64_t promoted, rolled_back, faults, crashes, writes;
	int64_t virtual_ms;
};

/* Leaves out, one after the other, what is not needed to fail. */
static void drop_acts(struct sim_options *o, struct sim_result *r)
{
	struct sim_result try;

	o->acts &= (1ULL << r->acts) - 1;
	for (unsigned i = 0, n = r->acts; i < n; i++) {
		struct sim_options without = *o;

		without.acts &= ~(1ULL << i);
		sim_run(&without, &try);
		if (!try.failed)
			continue;
		*o = without;
		*r = try;
	}
}

/* Fewest faults with which the seed still fails: what comes after them is not needed. */
static void drop_faults(struct sim_options *o, struct sim_result *r)
{
	int64_t lo = 0, hi = (int64_t)r->faults;
	struct sim_result try;

	while (lo < hi) {
		int64_t mid = lo + (hi - lo) / 2;

		sim_run(&(struct sim_options){o->seed, mid, o->acts}, &try);
		if (try.failed) {
			hi = mid;
			*r = try;
		} else {
			lo = mid + 1;
		}
	}
	o->max_faults = hi;
}

static void run_seed(struct sim_options o, struct totals *t)
{
	struct sim_result r;

	sim_run(&o, &r);
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
	printf("seed %llu: %s\n", (unsigned long long)o.seed, r.violation);
	if (o.max_faults < 0 && t->failed <= MINIMISED_MAX) {
		drop_acts(&o, &r);
		drop_faults(&o, &r);
	}
	printf("  smallest: %s\n"
	       "  repeat: build/sim --seed %llu --acts %lld --faults %lld --log debug\n",
	       r.violation, (unsigned long long)o.seed, (long long)o.acts, (long long)o.max_faults);
	fflush(stdout);
}

static int usage(void)
{
	fprintf(stderr, "Usage: sim [--seed N [--acts BITS] [--faults N] | --from N --seeds COUNT] "
	                "[--log LEVEL]\n");
	return 2;
}

int main(int argc, char **argv)
{
	int64_t from = 1, count = 1, faults = -1, acts = -1, began = clock_cpu_ms(), ms;
	enum log_level level = LOG_ERROR;
	struct totals t = {0};

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage();
		if (str_eq(argv[i], "--log")
		            ? log_parse_level(argv[i + 1], &level)
		            : !str_to_i64(argv[i + 1], str_eq(argv[i], "--seeds")    ? &count
		                                       : str_eq(argv[i], "--faults") ? &faults
		                                       : str_eq(argv[i], "--acts")   ? &acts
		                                                                     : &from))
			return usage();
	}
	log_set_level(level);
	for (int64_t i = 0; i < count; i++)
		run_seed((struct sim_options){(uint64_t)(from + i), faults, (uint64_t)acts}, &t);
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
