#include "http_internal.h"

#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

static size_t host_length(const char *s)
{
	static const bool in_host[256] = {
		['a' ... 'z'] = true, ['0' ... '9'] = true, ['.'] = true, ['-'] = true};
	size_t n = 0;

	while (in_host[(unsigned char)s[n]])
		n++;
	return n;
}

static size_t digits_length(const char *s)
{
	size_t n = 0;

	while (s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

/*
 * "http[s]://NAME[:PORT]", whatever path of printable characters behind it: nearly every URL, and
 * nothing in it that only libcurl could tell the meaning of. A port of five digits may be none.
 */
static bool take_plain(struct http_url *u)
{
	const char *host, *rest;
	size_t n, digits = 0;

	u->tls = str_starts(u->text, "https://");
	if (!u->tls && !str_starts(u->text, "http://"))
		return false;
	host = u->text + strlen(u->tls ? "https://" : "http://");
	n = host_length(host);
	rest = host + n;
	if (*rest == ':' && rest[1] != '0')
		digits = digits_length(++rest);
	rest += digits;
	if (!n || digits > 4 || !strchr("/", *rest))
		return false;
	while (*rest > ' ' && *rest < 0x7f)
		rest++;
	if (*rest)
		return false;
	n += digits ? digits + 1 : 0;
	if (n + sizeof(":443") > HTTP_TARGET_MAX)
		return false;
	memcpy(u->target, host, n);
	str_copy(u->target + n, HTTP_TARGET_MAX - n, digits ? "" : u->tls ? ":443" : ":80");
	return true;
}

void http_url_init(struct http_url *u, const char *text, char target[HTTP_TARGET_MAX])
{
	u->text = xstrdup_null(text);
	u->target = target;
	*target = '\0';
	u->plain = take_plain(u);
}

struct http_url *http_url_new(const char *text)
{
	struct http_url *u = xcalloc(1, sizeof(*u));
	char target[HTTP_TARGET_MAX];

	http_url_init(u, text, target);
	u->target = xstrdup(target);
	return u;
}

void http_url_free(struct http_url *u)
{
	if (!u)
		return;
	free(u->text);
	free(u->target);
	free(u);
}

const char *http_url_text(const struct http_url *u)
{
	return u->text;
}
