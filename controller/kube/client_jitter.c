/* Random spread of waits, so that replicas and clients do not move in step. */
#include <sys/random.h>

#include "client_priv.h"

int64_t jitter_ms(int64_t ms, double factor)
{
	uint32_t r = 0;

	/* Without randomness (a very early boot) there is no spread, and no harm. */
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = 0;
	return ms + (int64_t)((double)ms * factor * ((double)r / 4294967296.0));
}
