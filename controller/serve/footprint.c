#include "tidegate/serve/footprint.h"

#include <malloc.h>

#include "tidegate/base/clock.h"

#define LOOK_EVERY_MS 10000
/* Giving back costs about a millisecond, and the pages have to come again when they are needed. */
#define WORTH_CPU_MS   20
#define MMAP_THRESHOLD (128 << 10)

static void on_look(void *arg)
{
	struct footprint *f = arg;

	if (clock_cpu_ms() - f->seen_cpu_ms >= WORTH_CPU_MS) {
		malloc_trim(0);
		f->trims++;
		/* Its own time is no work. */
		f->seen_cpu_ms = clock_cpu_ms();
	}
	timer_start(&f->timer, LOOK_EVERY_MS);
}

void footprint_init(struct footprint *f, struct loop *l)
{
	*f = (struct footprint){0};
	/* Fixed: glibc's own threshold grows with the first big buffer, and then nothing goes back.
	 */
	mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
	mallopt(M_TRIM_THRESHOLD, MMAP_THRESHOLD);
	timer_init(&f->timer, l, on_look, f);
	timer_start(&f->timer, LOOK_EVERY_MS);
}

void footprint_release(struct footprint *f)
{
	timer_release(&f->timer);
}
