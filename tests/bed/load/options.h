/* Command line of the generator. Strings belong to argv. */
#ifndef BED_LOAD_OPTIONS_H
#define BED_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"

#define OPTIONS_HEADERS_MAX 32

struct options {
	const char *url;
	const char *method;                       /* NULL: POST when there is a body, else GET */
	const char *host;                         /* Host header, NULL: from the URL */
	const char *headers[OPTIONS_HEADERS_MAX]; /* "Name: value" */
	unsigned nheaders;
	const char *body_file; /* NULL: a built-in prediction for paths that take one */
	const char *out;
	double rate;   /* requests a second */
	double jitter; /* share of an interval by which a request may be moved, 0 to 1 */
	int64_t seed;
	int64_t duration_ms; /* 0: until a signal */
	int64_t timeout_ms;
	int64_t max_connections;
	bool until_signal, help;
};

int options_parse(struct options *o, int argc, char **argv, struct err *err);
void options_usage(void);

#endif
