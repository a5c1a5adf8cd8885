#include "tidegate/base/buf.h"

#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"

#define BUF_MIN_CAP  1024
#define BUF_KEEP_CAP 65536

/* What `data` points at while nothing is allocated (cap 0). Never written to. */
static char nothing[1];

void buf_init(struct buf *b, size_t max)
{
	b->data = nothing;
	b->len = 0;
	b->cap = 0;
	/* One byte is needed for the NUL. */
	b->max = max < SIZE_MAX ? max : SIZE_MAX - 1;
}

void buf_release(struct buf *b)
{
	if (b->cap)
		free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	if (b->cap > BUF_KEEP_CAP)
		buf_release(b);
	buf_truncate(b, 0);
}

/* Room for n more bytes and the NUL; -1, and nothing allocated, beyond the maximum. */
static int reserve(struct buf *b, size_t n)
{
	size_t need, cap;

	if (n > b->max - b->len)
		return -1;
	need = b->len + n + 1;
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : BUF_MIN_CAP;
	while (cap < need)
		cap = cap <= SIZE_MAX / 2 ? cap * 2 : need;
	if (cap > b->max + 1)
		cap = b->max + 1;
	b->data = xrealloc(b->cap ? b->data : NULL, cap);
	b->cap = cap;
	return 0;
}

char *buf_grow(struct buf *b, size_t n)
{
	char *p;

	if (reserve(b, n) < 0)
		return NULL;
	p = b->data + b->len;
	b->len += n;
	b->data[b->len] = '\0';
	return p;
}

int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room;
	va_list again;
	int n;

	if (!b->cap && b->max)
		reserve(b, 1);
	room = b->cap > b->len ? b->cap - b->len : 0;
	/* Most texts fit into what is there already; only others are formatted twice. */
	va_copy(again, ap);
	n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, again);
	va_end(again);
	if (n >= 0 && (size_t)n < room) {
		b->len += (size_t)n;
		return 0;
	}
	if (room)
		b->data[b->len] = '\0';
	if (n < 0 || reserve(b, (size_t)n) < 0)
		return -1;
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
	return 0;
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return rc;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-_.~", c);
}

int buf_add_url(struct buf *b, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (is_unreserved(c) ? buf_addch(b, (char)c) : buf_addf(b, "%%%02X", c))
			return -1;
	}
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n);
	buf_truncate(b, b->len - n);
}

void buf_truncate(struct buf *b, size_t n)
{
	b->len = n;
	if (b->cap)
		b->data[n] = '\0';
}

char *buf_detach(struct buf *b)
{
	char *s = b->cap ? b->data : xstrdup("");

	buf_init(b, b->max);
	return s;
}
