#include "fault.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "tidegate/base/str.h"

void fault_init(struct fault *f, const struct config *c)
{
	const char *pod = str_or(c->pod_name, "");

	*f = (struct fault){.by_signal = c->faults_by_signal,
	                    .hangs = !c->faults_by_signal,
	                    .errs = !c->faults_by_signal,
	                    .hang = c->hang,
	                    .error_rate = c->error_rate,
	                    .latency_ms = c->latency_ms};
	f->random = c->seed ? (uint64_t)c->seed : str_hash(STR_HASH_SEED, pod, strlen(pod));
}

void fault_signal(struct fault *f, int signo)
{
	bool *what = signo == SIGUSR1 ? &f->hangs : &f->errs;

	if (f->by_signal)
		*what = !*what;
}

enum hang fault_hang(const struct fault *f)
{
	return f->hangs ? f->hang : HANG_NOTHING;
}

/* splitmix64, as a number in [0, 1). */
static double next_random(struct fault *f)
{
	uint64_t z = (f->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	z ^= z >> 31;
	return (double)(z >> 11) / (double)(1ULL << 53);
}

bool fault_fails(struct fault *f)
{
	return f->errs && f->error_rate > 0 && next_random(f) < f->error_rate;
}

/* Twelve uniform numbers have a variance of 1 together. */
double fault_noise(struct fault *f)
{
	double sum = -6;

	for (unsigned i = 0; i < 12; i++)
		sum += next_random(f);
	return sum;
}

int64_t fault_delay_ms(struct fault *f)
{
	if (!f->errs || f->latency_ms == 0)
		return 0;
	return f->latency_ms - llround(log(1 - next_random(f)) * (double)f->latency_ms / 5);
}
