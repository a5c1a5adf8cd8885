#include "tidegate/base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

/* The new text comes through `tmp`, because an argument may be the old message. */
static int fill(struct err *e, enum err_class c, const char *tmp)
{
	e->class = c;
	e->status = 0;
	e->retry_after_ms = 0;
	str_copy(e->msg, sizeof(e->msg), tmp);
	return -1;
}

int err_set(struct err *e, enum err_class c, const char *fmt, ...)
{
	char tmp[ERR_MSG_MAX];
	va_list ap;

	if (!e)
		return -1;
	va_start(ap, fmt);
	vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	return fill(e, c, tmp);
}

int err_set_errno(struct err *e, enum err_class c, int errnum, const char *fmt, ...)
{
	char tmp[ERR_MSG_MAX], text[128];
	va_list ap;
	size_t n;

	if (!e)
		return -1;
	va_start(ap, fmt);
	vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	n = strlen(tmp);
	snprintf(tmp + n, sizeof(tmp) - n, ": %s", strerror_r(errnum, text, sizeof(text)));
	return fill(e, c, tmp);
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char tmp[2 * ERR_MSG_MAX];
	va_list ap;
	size_t n;

	if (!e)
		return -1;
	va_start(ap, fmt);
	vsnprintf(tmp, ERR_MSG_MAX, fmt, ap);
	va_end(ap);
	n = strlen(tmp);
	snprintf(tmp + n, sizeof(tmp) - n, ": %s", e->msg);
	str_copy(e->msg, sizeof(e->msg), tmp);
	return -1;
}

void err_clear(struct err *e)
{
	if (e)
		*e = (struct err)ERR_INIT;
}

void err_copy(struct err *to, const struct err *from)
{
	memcpy(to, from, offsetof(struct err, msg) + 1);
	if (*from->msg) /* mostly there is no error */
		memcpy(to->msg, from->msg, strlen(from->msg) + 1);
}

const char *err_class_name(enum err_class c)
{
	static const char *const names[] = {
		[ERR_NONE] = "None",
		[ERR_INVALID] = "Invalid",
		[ERR_IO] = "IO",
		[ERR_TIMEOUT] = "Timeout",
		[ERR_TRANSPORT] = "Transport",
		[ERR_CANCELED] = "Canceled",
		[ERR_UNAUTHORIZED] = "Unauthorized",
		[ERR_FORBIDDEN] = "Forbidden",
		[ERR_NOT_FOUND] = "NotFound",
		[ERR_CONFLICT] = "Conflict",
		[ERR_EXISTS] = "AlreadyExists",
		[ERR_GONE] = "Gone",
		[ERR_RV_TOO_LARGE] = "ResourceVersionTooLarge",
		[ERR_THROTTLED] = "Throttled",
		[ERR_REJECTED] = "Rejected",
		[ERR_NS_TERMINATING] = "NamespaceTerminating",
		[ERR_SERVER] = "ServerError",
		[ERR_TOO_BIG] = "TooBig",
		[ERR_PROTOCOL] = "ProtocolError",
		[ERR_INTERNAL] = "InternalError",
	};

	if ((unsigned)c >= ARRAY_SIZE(names))
		return "Unknown";
	return names[c];
}
