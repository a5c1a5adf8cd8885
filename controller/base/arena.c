#include "tidegate/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "tidegate/base/alloc.h"

#define ARENA_DEFAULT_BLOCK 4096

struct arena_block {
	struct arena_block *next;
	size_t cap;
	_Alignas(ARENA_ALIGN) char mem[];
};

/* Blocks are whole units, so that what is left of one always is, too. */
static size_t whole_units(size_t n)
{
	if (n > SIZE_MAX / 2)
		abort();
	return n ? (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : ARENA_ALIGN;
}

void arena_init(struct arena *a, size_t block_size)
{
	*a = (struct arena){.block_size =
	                            whole_units(block_size ? block_size : ARENA_DEFAULT_BLOCK)};
}

static void begin_block(struct arena *a, struct arena_block *b)
{
	a->head = b;
	a->free = b ? b->mem : NULL;
	a->end = b ? b->mem + b->cap : NULL;
}

/*
 * Most arenas live for one answer or one pass, and the heap is slow with blocks of their size, so a
 * few of each common one wait for the next. A sanitizer must see them go.
 */
#ifdef __SANITIZE_ADDRESS__
#define SPARE_MAX 0
#else
#define SPARE_MAX 4
#endif
static struct spare {
	size_t cap;
	unsigned n;
	struct arena_block *head;
} spares[] = {{.cap = 4096}, {.cap = 16384}};

static struct spare *spare_of(size_t cap)
{
	for (size_t i = 0; i < ARRAY_SIZE(spares); i++)
		if (spares[i].cap == cap)
			return &spares[i];
	return NULL;
}

static void free_block(struct arena_block *b)
{
	struct spare *s = spare_of(b->cap);

	if (!s || s->n == SPARE_MAX) {
		free(b);
		return;
	}
	b->next = s->head;
	s->head = b;
	s->n++;
}

static void free_chain(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		free_block(b);
		b = next;
	}
}

void arena_release(struct arena *a)
{
	free_chain(a->head);
	begin_block(a, NULL);
	a->used = 0;
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL, *b = a->head;

	while (b) {
		struct arena_block *next = b->next;

		if (!keep && b->cap == a->block_size)
			keep = b;
		else
			free_block(b);
		b = next;
	}
	if (keep)
		keep->next = NULL;
	begin_block(a, keep);
	a->used = 0;
}

static struct arena_block *new_block(size_t cap)
{
	struct spare *s = spare_of(cap);
	struct arena_block *b = s ? s->head : NULL;

	if (b) {
		s->head = b->next;
		s->n--;
	} else {
		b = xmalloc(sizeof(*b) + cap);
	}
	b->cap = cap;
	return b;
}

/* A block of its own, behind the head, whose free rest is still good for small ones. */
static void *take_apart(struct arena *a, size_t n)
{
	struct arena_block *b = new_block(n);

	b->next = a->head->next;
	a->head->next = b;
	a->used += n;
	return b->mem;
}

void *arena_grow(struct arena *a, size_t n)
{
	struct arena_block *b;

	n = whole_units(n);
	if (n > a->block_size && a->head)
		return take_apart(a, n);
	if (n > (size_t)(a->end - a->free)) {
		b = new_block(n > a->block_size ? n : a->block_size);
		b->next = a->head;
		begin_block(a, b);
	}
	return arena_take(a, n);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		abort();
	return arena_alloc(a, total);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_memdup(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = arena_take(a, len + 1);

	p[len] = '\0';
	return memcpy(p, s, len);
}

char *arena_memdup(struct arena *a, const void *p, size_t n)
{
	char *copy = arena_take(a, n + 1);

	copy[n] = '\0';
	return n ? memcpy(copy, p, n) : copy;
}

char *arena_concat(struct arena *a, const char *first, ...)
{
	size_t len = 0, n;
	const char *s;
	char *out, *p;
	va_list ap;

	va_start(ap, first);
	for (s = first; s; s = va_arg(ap, const char *))
		len += strlen(s);
	va_end(ap);
	p = out = arena_take(a, len + 1);
	va_start(ap, first);
	for (s = first; s; s = va_arg(ap, const char *), p += n) {
		n = strlen(s);
		memcpy(p, s, n);
	}
	va_end(ap);
	*p = '\0';
	return out;
}

/* Most texts fit into what is left of the block; only others are formatted twice. */
char *arena_printf(struct arena *a, const char *fmt, ...)
{
	size_t room = (size_t)(a->end - a->free);
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? a->free : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		abort();
	p = arena_take(a, (size_t)n + 1);
	if ((size_t)n < room)
		return p;
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}
