#include "tidegate/rollout/replicas.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * Webster's divisor: the next replica goes where weight / (2 * have + 1) is greatest. A divisor
 * method is house-monotone by construction (it hands out one seat after the other), unlike
 * quotas with largest remainders, where one more replica can take one away from a zone.
 */
static bool deserves_more(int weight_a, int have_a, int weight_b, int have_b)
{
	return (int64_t)weight_a * (2 * have_b + 1) > (int64_t)weight_b * (2 * have_a + 1);
}

static unsigned next_zone(const int *weights, unsigned nzones, const int *have)
{
	unsigned best = 0;

	for (unsigned i = 1; i < nzones; i++)
		if (deserves_more(weights[i], have[i], weights[best], have[best]))
			best = i;
	return best;
}

void replicas_split(int n, const int *weights, unsigned nzones, int *out)
{
	memset(out, 0, nzones * sizeof(*out));
	for (int i = 0; nzones && i < n; i++)
		out[next_zone(weights, nzones, out)]++;
}
