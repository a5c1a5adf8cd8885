/* What a response means: HTTP status and Status body to error class and text. */
#include <string.h>

#include "plain_text.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/kube/client.h"

#define STATUS_BODY_MAX    (1u << 20)
#define RETRY_AFTER_MAX_MS (3600 * 1000)
#define PLAIN_TEXT_MAX     200

struct status_view {
	const char *reason, *message;
	const struct json *causes;
	int code, retry_after_ms;
	bool is_status;
};

static void view_status(struct status_view *v, struct arena *a, const char *body, size_t len)
{
	const struct json *json, *details;
	int64_t seconds;

	memset(v, 0, sizeof(*v));
	if (!body || len == 0 || len > STATUS_BODY_MAX)
		return;
	json = json_parse(a, body, len, NULL);
	if (!str_eq(json_str(json, "kind"), "Status"))
		return;
	details = json_get(json, "details");
	v->is_status = true;
	v->reason = json_str(json, "reason");
	v->message = json_str(json, "message");
	v->causes = json_get(details, "causes");
	v->code = (int)json_i64(json, "code", 0);
	seconds = json_i64(details, "retryAfterSeconds", 0);
	if (seconds > 0 && seconds <= RETRY_AFTER_MAX_MS / 1000)
		v->retry_after_ms = (int)seconds * 1000;
}

static bool has_cause(const struct status_view *v, const char *reason)
{
	const struct json *it;

	json_for_each (it, v->causes) {
		if (str_eq(json_str(it, "reason"), reason))
			return true;
	}
	return false;
}

/* Servers before 1.19 say it in the text only. */
static bool rv_too_large(const struct status_view *v, int code)
{
	if (has_cause(v, "ResourceVersionTooLarge"))
		return true;
	return code == 504 && v->message && strstr(v->message, "Too large resource version");
}

static enum err_class class_of_4xx(const struct status_view *v, int code)
{
	switch (code) {
	case 401:
		return ERR_UNAUTHORIZED;
	case 403:
		return has_cause(v, "NamespaceTerminating") ? ERR_NS_TERMINATING : ERR_FORBIDDEN;
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return str_eq(v->reason, "AlreadyExists") ? ERR_EXISTS : ERR_CONFLICT;
	case 410:
		return ERR_GONE;
	case 429:
		return ERR_THROTTLED;
	default:
		return ERR_REJECTED;
	}
}

static enum err_class class_of(const struct status_view *v, int code, int retry_after_ms)
{
	if (rv_too_large(v, code))
		return ERR_RV_TOO_LARGE;
	if (str_eq(v->reason, "Expired") || str_eq(v->reason, "Gone"))
		return ERR_GONE;
	if (code >= 400 && code < 500)
		return class_of_4xx(v, code);
	if (code >= 500 && code < 600)
		return retry_after_ms > 0 ? ERR_THROTTLED : ERR_SERVER;
	return ERR_PROTOCOL;
}

static void set_message(struct err *err, enum err_class class, const struct status_view *v,
                        int code, const char *body, size_t len)
{
	char text[PLAIN_TEXT_MAX];

	if (!str_empty(v->message)) {
		err_set(err, class, "%s", v->message);
		return;
	}
	if (v->is_status) {
		err_set(err, class, "the server answered %d %s", code, str_or(v->reason, ""));
		return;
	}
	plain_text(str_or(body, ""), body ? len : 0, text, sizeof(text));
	err_set(err, class, "the server answered %d%s%s", code, *text ? ": " : "", text);
}

void kube_classify(int http_status, int retry_after_ms, const char *body, size_t len,
                   struct err *err)
{
	struct arena arena cleanup_arena;
	struct status_view v;
	enum err_class class;
	int code = http_status;

	arena_init(&arena, 0);
	err_clear(err);
	err->status = http_status;
	if (http_status >= 200 && http_status < 300)
		return;
	view_status(&v, &arena, body, len);
	if (code == 0)
		code = v.code;
	if (retry_after_ms <= 0)
		retry_after_ms = v.retry_after_ms;
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	class = class_of(&v, code, retry_after_ms);
	set_message(err, class, &v, code, body, len);
	err->status = code;
	err->retry_after_ms = retry_after_ms;
}
