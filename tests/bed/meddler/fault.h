/* Ways to spoil what an API server sends. */
#ifndef TIDEGATE_BED_MEDDLER_FAULT_H
#define TIDEGATE_BED_MEDDLER_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct fault {
	const char *name;
	const char *type;  /* Content-Type of the answer, NULL = the server's own */
	const char *begin; /* put into the stream, NULL = random bytes */
	char filler;       /* then this byte over and over */
	size_t fill;       /* so many times */
	bool end;          /* then the stream ends */
	bool hold;         /* nothing is put in; what the server sends waits */
};

/* NULL: there is none of that name. */
const struct fault *fault_find(const char *name);
/* Fills buf with bytes that are neither text nor JSON, the same every time. */
void fault_noise(char *buf, size_t len);

#endif
