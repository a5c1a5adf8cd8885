#include "tidegate/base/random.h"

#include <sys/random.h>

static struct random seeded;
static int use_seed;

uint64_t random_below(struct random *r, uint64_t below)
{
	return (random_next(r) >> 11) % below;
}

void random_use_seed(uint64_t seed)
{
	seeded.state = seed;
	use_seed = seed != 0;
}

void random_fill(void *p, size_t n)
{
	unsigned char *to = p;

	for (size_t i = 0; use_seed && i < n; i++)
		to[i] = (unsigned char)(random_next(&seeded) >> 32);
	while (!use_seed && getrandom(p, n, 0) != (ssize_t)n)
		; /* cut short by a signal */
}
