/*
 * Allocation that cannot fail, and cleanup attributes.
 *
 * Tidegate is crash-only on memory exhaustion: two replicas run, state is in the
 * API server, and every input is bounded before it is allocated for. So these
 * functions log and abort() instead of returning NULL. Tests make the n-th
 * allocation fail through alloc_set_fault().
 *
 * Ownership: the caller frees with free() (or a cleanup attribute).
 */
#ifndef TIDEGATE_BASE_ALLOC_H
#define TIDEGATE_BASE_ALLOC_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull));
/* Array growth with overflow check: room for n elements of `size` bytes. */
void *xreallocarray(void *p, size_t n, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
/* NULL stays NULL. */
char *xstrdup_null(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Frees *p and sets it to a copy of s (NULL allowed). */
void xstr_replace(char **p, const char *s);

/*
 * The n-th allocation from now on (1 = next) fails: `handler` (may be NULL) is called and, when it
 * returns, the process aborts as it would without memory; 0 disarms. For torture tests.
 */
void alloc_set_fault(unsigned long n, void (*handler)(void));

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void cleanup_file_fn(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define cleanup_free  __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_close __attribute__((cleanup(cleanup_close_fn)))
#define cleanup_file  __attribute__((cleanup(cleanup_file_fn)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
