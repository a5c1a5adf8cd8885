/*
 * Growable byte buffer with a hard maximum, always NUL-terminated.
 *
 * The only buffer that grows: whatever comes from a network or a file is
 * collected in one, and passing the maximum is an error, not an allocation.
 * Never keep a pointer into `data` across a call that may add: keep an offset.
 *
 * Ownership: buf_release() frees; buf_detach() hands the memory to the caller.
 * Errors: the adders return -1 when the maximum would be passed; the content is
 * then unchanged.
 */
#ifndef TIDEGATE_BASE_BUF_H
#define TIDEGATE_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct buf {
	char *data; /* never NULL after buf_init(): "" when empty */
	size_t len;
	size_t cap;
	size_t max; /* longest content in bytes, the NUL not counted */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
/* Empties it, keeps the memory (gives it back when it had grown beyond 64 kB). */
void buf_reset(struct buf *b);
/* For buf_extend(): there is not room enough yet. */
char *buf_grow(struct buf *b, size_t n);
/* n bytes more, for the caller to write; NULL, and nothing added, beyond the maximum. */
static inline char *buf_extend(struct buf *b, size_t n)
{
	char *p;

	if (n >= b->cap - b->len)
		return buf_grow(b, n);
	p = b->data + b->len;
	b->len += n;
	b->data[b->len] = '\0';
	return p;
}
static inline int buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = n ? buf_extend(b, n) : NULL;

	if (to)
		memcpy(to, p, n);
	return to || !n ? 0 : -1;
}
/* Here, so that the length of a text that stands in the source is known. */
static inline int buf_addstr(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}
static inline int buf_addch(struct buf *b, char c)
{
	char *to = buf_extend(b, 1);

	if (!to)
		return -1;
	*to = c;
	return 0;
}
int buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Percent-encodes all but the unreserved characters of RFC 3986: fit for a query's value. */
int buf_add_url(struct buf *b, const char *s);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Cuts to n bytes (n <= len). */
void buf_truncate(struct buf *b, size_t n);
/* The content as a malloc'ed string; the buffer is empty and usable afterwards. */
char *buf_detach(struct buf *b);

#define cleanup_buf __attribute__((cleanup(buf_release)))

#endif
