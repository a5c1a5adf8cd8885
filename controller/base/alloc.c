#include "tidegate/base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#define CACHED_MAX 1024

static unsigned long fault_countdown;
static void (*fault_handler)(void);

/* No log_*() here: it allocates. */
static void __attribute__((noreturn)) out_of_memory(void)
{
	static const char msg[] = "{\"level\":\"error\",\"msg\":\"out of memory\"}\n";
	ssize_t n = write(STDERR_FILENO, msg, sizeof(msg) - 1);

	(void)n;
	abort();
}

static void count_allocation(void)
{
	if (!fault_countdown || --fault_countdown)
		return;
	if (fault_handler)
		fault_handler();
	out_of_memory();
}

void alloc_set_fault(unsigned long n, void (*handler)(void))
{
	fault_countdown = n;
	fault_handler = handler;
}

void *xmalloc(size_t n)
{
	void *p;

	count_allocation();
	p = malloc(n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

/* glibc's calloc() passes by the thread's cache of freed blocks, which is for small ones. */
void *xcalloc(size_t n, size_t size)
{
	size_t total;
	void *p;

	if (!__builtin_mul_overflow(n, size, &total) && total <= CACHED_MAX)
		return memset(xmalloc(total), 0, total);
	count_allocation();
	p = calloc(n, size);
	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *p, size_t n)
{
	count_allocation();
	p = realloc(p, n ? n : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *xreallocarray(void *p, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		out_of_memory();
	return xrealloc(p, total);
}

char *xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = xmalloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *xstrdup_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	count_allocation();
	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

void xstr_replace(char **p, const char *s)
{
	/* Copy first: s may point into *p. */
	char *copy = xstrdup_null(s);

	free(*p);
	*p = copy;
}
