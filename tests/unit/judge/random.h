/* Seeded random numbers for simulated request streams. */
#ifndef TEST_JUDGE_RANDOM_H
#define TEST_JUDGE_RANDOM_H

#include <math.h>
#include <stdint.h>

struct rng {
	uint64_t s;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->s += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static inline double rng_uniform(struct rng *r)
{
	return ((double)(rng_next(r) >> 11) + 0.5) / 9007199254740992.0;
}

static inline double rng_normal(struct rng *r)
{
	return sqrt(-2 * log(rng_uniform(r))) * cos(6.283185307179586 * rng_uniform(r));
}

/* Poisson by waiting times; means here are small. */
static inline long rng_poisson(struct rng *r, double mean)
{
	double t = 0;
	long n = -1;

	if (mean <= 0)
		return 0;
	do {
		t -= log(rng_uniform(r));
		n++;
	} while (t < mean);
	return n;
}

static inline long rng_binomial(struct rng *r, long n, double p)
{
	long k = 0;

	for (long i = 0; i < n; i++)
		k += rng_uniform(r) < p;
	return k;
}

#endif
