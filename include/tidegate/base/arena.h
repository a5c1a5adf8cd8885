/*
 * Arena: many small allocations with one lifetime (a reconcile, a request, a
 * decoded object), freed together.
 *
 * Ownership: everything handed out lives until arena_reset() or arena_release().
 * An arena has no limit of its own: bound the input first.
 */
#ifndef TIDEGATE_BASE_ARENA_H
#define TIDEGATE_BASE_ARENA_H

#include <stddef.h>
#include <string.h>

#define ARENA_ALIGN 16

struct arena_block;

struct arena {
	struct arena_block *head;
	char *free, *end; /* what is left of it */
	size_t block_size;
	size_t used; /* bytes handed out since the last reset */
};

/* block_size 0 = 4096. Nothing is allocated before first use. */
void arena_init(struct arena *a, size_t block_size);
void arena_release(struct arena *a);
/* Forgets everything; keeps one block for the next round. */
void arena_reset(struct arena *a);
/* For arena_take(): there is not room enough yet. */
void *arena_grow(struct arena *a, size_t n) __attribute__((returns_nonnull));
/* 16-byte aligned, not cleared: for what is written at once. n may be 0. */
static inline __attribute__((returns_nonnull)) void *arena_take(struct arena *a, size_t n)
{
	char *p = a->free;

	if (!n || n > (size_t)(a->end - p))
		return arena_grow(a, n);
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	a->free += n;
	a->used += n;
	return p;
}
/* The same, zeroed. */
static inline __attribute__((returns_nonnull)) void *arena_alloc(struct arena *a, size_t n)
{
	return memset(arena_take(a, n), 0, n);
}
void *arena_array(struct arena *a, size_t n, size_t size) __attribute__((returns_nonnull));
char *arena_strdup(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
/* n bytes, and a NUL behind them. */
char *arena_memdup(struct arena *a, const void *p, size_t n) __attribute__((returns_nonnull));
/* The texts one behind the other, up to NULL. */
char *arena_concat(struct arena *a, const char *first, ...) __attribute__((sentinel));
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), returns_nonnull));

#define cleanup_arena __attribute__((cleanup(arena_release)))

#endif
