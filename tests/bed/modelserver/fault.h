/* The faults a server is told to have: which predictions fail, and how late an answer comes. */
#ifndef BED_MODELSERVER_FAULT_H
#define BED_MODELSERVER_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct fault {
	bool hangs, errs; /* what a signal begins and ends; without signals both are there */
	bool by_signal;
	enum hang hang;
	double error_rate;
	int64_t latency_ms;
	uint64_t random; /* state */
};

void fault_init(struct fault *f, const struct config *c);
/* SIGUSR1 or SIGUSR2 came. */
void fault_signal(struct fault *f, int signo);
enum hang fault_hang(const struct fault *f);
bool fault_fails(struct fault *f);
/* Milliseconds an answer is held back: the latency told, plus a tail with a mean of a fifth of it.
 */
int64_t fault_delay_ms(struct fault *f);
/* A number around 0 with a standard deviation of 1: no fault, but the same source of chance. */
double fault_noise(struct fault *f);

#endif
