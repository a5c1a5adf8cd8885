/*
 * Errors: one object, last parameter, filled by the function that fails.
 *
 * A function that can fail returns int (0 or -1) or a pointer (NULL on failure)
 * and takes `struct err *` last. Callers that do not care pass NULL. A failing
 * function fills it exactly once; a caller adds context with err_wrap(). It is
 * logged once, at the top, never on the way.
 *
 * The class decides what a caller may do next; the classes are those that
 * client-go and controller-runtime tell apart, so that every retry rule has one
 * place to look at.
 *
 * Ownership: a value type without heap memory. Units: retry_after_ms.
 */
#ifndef TIDEGATE_BASE_ERR_H
#define TIDEGATE_BASE_ERR_H

enum err_class {
	ERR_NONE = 0,
	ERR_INVALID,        /* input that cannot be right: parse error, bad flag, bad manifest */
	ERR_IO,             /* local file, socket, process */
	ERR_TIMEOUT,        /* our own deadline passed */
	ERR_TRANSPORT,      /* connection, TLS, DNS: the request may or may not have run */
	ERR_CANCELED,       /* the caller gave up */
	ERR_UNAUTHORIZED,   /* 401 */
	ERR_FORBIDDEN,      /* 403 */
	ERR_NOT_FOUND,      /* 404 */
	ERR_CONFLICT,       /* 409 with reason Conflict */
	ERR_EXISTS,         /* 409 with reason AlreadyExists */
	ERR_GONE,           /* 410, Expired: list again */
	ERR_RV_TOO_LARGE,   /* server has not reached the asked resourceVersion */
	ERR_THROTTLED,      /* 429, or 5xx with Retry-After */
	ERR_REJECTED,       /* 400, 405, 406, 415, 422: repeating it cannot help */
	ERR_NS_TERMINATING, /* 403 with cause NamespaceTerminating: give up silently */
	ERR_SERVER,         /* other 5xx */
	ERR_TOO_BIG,        /* a bound of ours was hit */
	ERR_PROTOCOL,       /* the peer sent what the protocol does not allow */
	ERR_INTERNAL,
};

#define ERR_MSG_MAX 512

struct err {
	enum err_class class;
	int status;         /* HTTP status, 0 when there was none */
	int retry_after_ms; /* what the server asked for, 0 when it did not */
	char msg[ERR_MSG_MAX];
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		ERR_NONE, 0, 0, ""                                                                 \
	}

/* Fills *e (which may be NULL) and returns -1, so that `return err_set(...)` reads well. */
int err_set(struct err *e, enum err_class c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As err_set() with ": " and the text of errno value `errnum` behind it. */
int err_set_errno(struct err *e, enum err_class c, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Puts "context: " before the message; class and status stay. Returns -1. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *e);
/* What an assignment does, without the half kilobyte behind a short message. */
void err_copy(struct err *to, const struct err *from);
/* CamelCase name of a class, fit for a condition's reason or a metric's label. */
const char *err_class_name(enum err_class c);

#endif
