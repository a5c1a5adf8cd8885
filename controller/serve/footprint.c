#include "tidegate/serve/footprint.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tidegate/base/clock.h"

#define LOOK_EVERY_MS 10000
/* Giving back costs about a millisecond, and the pages have to come again when they are needed. */
#define WORTH_CPU_MS   20
#define MMAP_THRESHOLD (128 << 10)

/*
 * What is not writable is what its file holds (data that is relocated first and read-only then lies
 * in a writable segment; code that is relocated, DT_TEXTREL, no distribution builds), so a page
 * that is given back comes again from the page cache when somebody asks for it.
 */
static int give_back_segments(struct dl_phdr_info *object, size_t size, void *arg)
{
	uintptr_t page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;

	(void)size;
	(void)arg;
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		uintptr_t start = object->dlpi_addr + segment->p_vaddr;
		uintptr_t offset = start & page_mask;

		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			madvise((void *)(start - offset), offset + segment->p_memsz, MADV_DONTNEED);
	}
	return 0;
}

static void on_look(void *arg)
{
	struct footprint *f = arg;

	if (clock_cpu_ms() - f->seen_cpu_ms >= WORTH_CPU_MS) {
		malloc_trim(0);
		dl_iterate_phdr(give_back_segments, NULL);
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
