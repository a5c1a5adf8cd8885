/* Random spread of waits, so that replicas and clients do not move in step. */
#include "client_priv.h"
#include "tidegate/base/random.h"

int64_t jitter_ms(int64_t ms, double factor)
{
	uint32_t r = 0;

	random_fill(&r, sizeof(r));
	return ms + (int64_t)((double)ms * factor * ((double)r / 4294967296.0));
}
