/*
 * Logging: one JSON object a line on standard error, with "ts" (RFC 3339, ms),
 * "level", "msg" and typed fields.
 *
 *     log_info("revision promoted", LS("namespace", ns), LS("name", name), LI("weight", 100));
 *
 * Field names "namespace" and "name" are kept for the object a line is about.
 * Secrets: never pass one. As a second line of defence a value that looks like a
 * bearer token or a PEM block is written as "[redacted]".
 * A call site that repeats is limited to 10 lines in 10 s; how many were held back
 * is told in a field "suppressed" of its next line.
 */
#ifndef TIDEGATE_BASE_LOG_H
#define TIDEGATE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;
	enum { LOG_F_STR, LOG_F_INT, LOG_F_DOUBLE, LOG_F_BOOL } type;
	const char *s;
	int64_t i;
	double d;
};

/* State of one call site, for the limit. */
struct log_site {
	int64_t window_start_ms;
	unsigned count, suppressed;
};

#define LS(k, v) ((struct log_field){.key = (k), .type = LOG_F_STR, .s = (v)})
#define LI(k, v) ((struct log_field){.key = (k), .type = LOG_F_INT, .i = (int64_t)(v)})
#define LD(k, v) ((struct log_field){.key = (k), .type = LOG_F_DOUBLE, .d = (v)})
#define LB(k, v) ((struct log_field){.key = (k), .type = LOG_F_BOOL, .i = (v)})
/* The message of a struct err. */
#define LE(e) ((struct log_field){.key = "error", .type = LOG_F_STR, .s = (e)->msg})

void log_emit(struct log_site *site, enum log_level level, const char *msg,
              const struct log_field *fields, unsigned n);

#define LOG_AT(level, msg, ...)                                                                    \
	do {                                                                                       \
		static struct log_site log_site_;                                                  \
		const struct log_field log_fields_[] = {{.key = NULL}, ##__VA_ARGS__};             \
		log_emit(&log_site_, (level), (msg), log_fields_ + 1,                              \
		         sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);                        \
	} while (0)

#define log_debug(msg, ...) LOG_AT(LOG_DEBUG, msg, ##__VA_ARGS__)
#define log_info(msg, ...)  LOG_AT(LOG_INFO, msg, ##__VA_ARGS__)
#define log_warn(msg, ...)  LOG_AT(LOG_WARN, msg, ##__VA_ARGS__)
#define log_error(msg, ...) LOG_AT(LOG_ERROR, msg, ##__VA_ARGS__)

void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error"; returns -1 on another text. */
int log_parse_level(const char *s, enum log_level *level);
/* Where lines go; default 2. Tests give a pipe. */
void log_set_fd(int fd);

#endif
