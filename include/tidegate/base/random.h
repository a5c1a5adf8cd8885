/*
 * Random bytes for spread, identities and names that must differ; nothing secret. Comes from the
 * kernel, or from a seed where a run must repeat itself to the byte (simulation).
 */
#ifndef TIDEGATE_BASE_RANDOM_H
#define TIDEGATE_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* At most 256 bytes at once. */
void random_fill(void *p, size_t n);
/* From now on a sequence that the seed determines; 0 = from the kernel again. */
void random_use_seed(uint64_t seed);

/* A sequence of one's own (splitmix64), whatever random_fill() draws from. */
struct random {
	uint64_t state;
};
/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014). */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}
/* In 0..below-1; below must not be 0. */
uint64_t random_below(struct random *r, uint64_t below);

#endif
