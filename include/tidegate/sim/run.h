/*
 * One seed: the whole operator, unmodified, on a virtual clock against sim/api.h. A first release,
 * then a second one in whose midst people and machines do what the seed says, and a last one
 * which none of it concerns; in a world whose shape, faults and crashes the seed determines. After
 * every write the invariants are checked on the server's truth.
 *
 * One run at a time in a process: the clock, the randomness and the transport are the process's.
 */
#ifndef TIDEGATE_SIM_RUN_H
#define TIDEGATE_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

/* Things that happen in one run at most. */
#define SIM_ACTS_MAX 10

struct sim_options {
	uint64_t seed;
	/* Faults beyond this many do not happen; < 0 = no limit. For making a failure small. */
	int64_t max_faults;
	/* Bit n: the n-th thing that people and machines do happens. For the same. */
	uint64_t acts;
};

struct sim_result {
	bool failed;
	char violation[512]; /* what does not hold, with the instant */
	int64_t virtual_ms;  /* virtual time that passed */
	uint64_t faults, crashes, writes;
	unsigned acts; /* things that were drawn to happen */
	double requests, lost;
	bool promoted, rolled_back;
};

void sim_run(const struct sim_options *o, struct sim_result *r);

#endif
