/* Writing: values of a parsed tree, and the streaming writer. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json_node.h"
#include "tidegate/base/str.h"

/* has_item has one bit a level. */
#define WRITER_DEPTH_MAX 63

/*
 * The API server reads an apply patch with its YAML parser, which refuses DEL, C1 controls, BOM and
 * non-characters as raw text and folds NEL, LS and PS as line breaks. In JSON an escape means the
 * same to everybody.
 */
static bool must_escape(uint32_t cp)
{
	return cp < 0x20 || cp == '"' || cp == '\\' || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 ||
	       cp == 0x2029 || cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
}

/* Behind n bytes that stand for themselves. */
static int add_escape(struct buf *out, const char *plain, size_t n, uint32_t cp)
{
	static const char letters[] = {
		['\t'] = 't', ['\n'] = 'n', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
	char *to;

	if (cp >= sizeof(letters) || !letters[cp])
		return buf_add(out, plain, n) | buf_addf(out, "\\u%04x", cp);
	to = buf_extend(out, n + 2);
	if (!to)
		return -1;
	memcpy(to, plain, n);
	to[n] = '\\';
	to[n + 1] = letters[cp];
	return 0;
}

static int add_plain(struct buf *out, const char *s, size_t n)
{
	char *to = buf_extend(out, n + 2);

	if (!to)
		return -1;
	to[0] = to[n + 1] = '"';
	memcpy(to + 1, s, n);
	return 0;
}

/* Invalid UTF-8 is replaced byte by byte by U+FFFD. */
static int add_escaped(struct buf *out, const char *s, size_t n)
{
	size_t i = 0, plain = 0;
	int rc = buf_addch(out, '"');

	while ((i += str_plain_run(s + i, n - i)) < n) {
		uint32_t cp = 0;
		size_t k = str_utf8_next(s + i, n - i, &cp);

		if (k && !must_escape(cp)) {
			i += k;
			continue;
		}
		rc |= k ? add_escape(out, s + plain, i - plain, cp)
		        : buf_add(out, s + plain, i - plain) | buf_addstr(out, "\xef\xbf\xbd");
		i += k ? k : 1;
		plain = i;
	}
	rc |= buf_add(out, s + plain, n - plain);
	rc |= buf_addch(out, '"');
	return rc;
}

static int add_string(struct buf *out, const char *s, size_t n)
{
	return str_plain_run(s, n) == n ? add_plain(out, s, n) : add_escaped(out, s, n);
}

/* Of a member, with the comma that stands before it. */
static int add_key(struct buf *out, const char *key, size_t n, bool plain, bool comma)
{
	char *to;

	if (!plain && str_plain_run(key, n) < n)
		return (comma ? buf_addch(out, ',') : 0) | add_escaped(out, key, n) |
		       buf_addch(out, ':');
	to = buf_extend(out, n + 3 + comma);
	if (!to)
		return -1;
	if (comma)
		*to++ = ',';
	*to = '"';
	memcpy(to + 1, key, n);
	memcpy(to + 1 + n, "\":", 2);
	return 0;
}

static int add_double(struct buf *out, double v)
{
	char text[STR_DOUBLE_MAX];

	return buf_addstr(out, isfinite(v) ? str_from_double(v, text) : "null");
}

static int add_value(struct buf *out, const struct json *v);

static int add_members(struct buf *out, const struct json *v, const char *brackets)
{
	const struct json *it;
	int rc = buf_addch(out, brackets[0]);

	json_for_each (it, v) {
		if (v->type == JSON_OBJECT)
			rc |= add_key(out, it->key.s, it->key.len, it->key.plain, it != v->first);
		else if (it != v->first)
			rc |= buf_addch(out, ',');
		rc |= add_value(out, it);
		if (rc < 0)
			return -1;
	}
	return rc | buf_addch(out, brackets[1]);
}

static int add_value(struct buf *out, const struct json *v)
{
	switch (v ? v->type : JSON_NULL) {
	case JSON_OBJECT:
		return add_members(out, v, "{}");
	case JSON_ARRAY:
		return add_members(out, v, "[]");
	case JSON_STRING:
		return v->text.plain ? add_plain(out, v->text.s, v->text.len)
		                     : add_string(out, v->text.s, v->text.len);
	case JSON_TRUE:
		return buf_addstr(out, "true");
	case JSON_FALSE:
		return buf_addstr(out, "false");
	case JSON_NUMBER:
		/* The text that json_parse() kept because a double might not hold it. */
		return v->text.s ? buf_add(out, v->text.s, v->text.len)
		                 : add_double(out, v->number);
	default:
		return buf_addstr(out, "null");
	}
}

int json_write_value(struct buf *out, const struct json *v)
{
	size_t before = out->len;

	if (add_value(out, v) == 0)
		return 0;
	buf_truncate(out, before);
	return -1;
}

int json_write_string(struct buf *out, const char *s, size_t n)
{
	size_t before = out->len;

	if (add_string(out, s, n) == 0)
		return 0;
	buf_truncate(out, before);
	return -1;
}

void jw_init(struct json_writer *w, struct buf *out)
{
	*w = (struct json_writer){.out = out};
}

static void check(struct json_writer *w, int rc)
{
	if (rc < 0)
		w->failed = true;
}

/* Comma and key before an item; false when the writer has failed. */
static bool begin_item(struct json_writer *w, const char *key)
{
	uint64_t bit = 1ULL << w->depth;
	bool comma = w->has_item & bit;

	if (comma && !w->depth)
		w->failed = true;
	if (w->failed)
		return false;
	w->has_item |= bit;
	if (key)
		check(w, add_key(w->out, key, strlen(key), false, comma));
	else if (comma)
		check(w, buf_addch(w->out, ','));
	return !w->failed;
}

static void open_level(struct json_writer *w, const char *key, char bracket)
{
	if (!begin_item(w, key))
		return;
	if (w->depth == WRITER_DEPTH_MAX) {
		w->failed = true;
		return;
	}
	check(w, buf_addch(w->out, bracket));
	w->depth++;
	w->has_item &= ~(1ULL << w->depth);
}

static void close_level(struct json_writer *w, char bracket)
{
	if (w->failed)
		return;
	if (!w->depth) {
		w->failed = true;
		return;
	}
	w->depth--;
	check(w, buf_addch(w->out, bracket));
}

void jw_object(struct json_writer *w, const char *key)
{
	open_level(w, key, '{');
}

void jw_end_object(struct json_writer *w)
{
	close_level(w, '}');
}

void jw_array(struct json_writer *w, const char *key)
{
	open_level(w, key, '[');
}

void jw_end_array(struct json_writer *w)
{
	close_level(w, ']');
}

void jw_str(struct json_writer *w, const char *key, const char *v)
{
	if (v)
		jw_strn(w, key, v, strlen(v));
}

void jw_strn(struct json_writer *w, const char *key, const char *v, size_t n)
{
	if (begin_item(w, key))
		check(w, add_string(w->out, v, n));
}

void jw_i64(struct json_writer *w, const char *key, int64_t v)
{
	char text[STR_I64_MAX];

	if (begin_item(w, key))
		check(w, buf_add(w->out, text, str_put_i64(text, v)));
}

void jw_bool(struct json_writer *w, const char *key, bool v)
{
	if (begin_item(w, key))
		check(w, buf_addstr(w->out, v ? "true" : "false"));
}

void jw_null(struct json_writer *w, const char *key)
{
	if (begin_item(w, key))
		check(w, buf_addstr(w->out, "null"));
}

void jw_double(struct json_writer *w, const char *key, double v)
{
	if (begin_item(w, key))
		check(w, add_double(w->out, v));
}

void jw_strf(struct json_writer *w, const char *key, const char *fmt, ...)
{
	struct buf text cleanup_buf;
	char brief[128];
	va_list ap;
	int n;

	buf_init(&text, w->out->max);
	va_start(ap, fmt);
	n = vsnprintf(brief, sizeof(brief), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(brief)) {
		jw_strn(w, key, brief, (size_t)n);
		return;
	}
	va_start(ap, fmt);
	check(w, buf_vaddf(&text, fmt, ap));
	va_end(ap);
	jw_strn(w, key, text.data, text.len);
}

void jw_raw(struct json_writer *w, const char *key, const char *json)
{
	if (begin_item(w, key))
		check(w, buf_addstr(w->out, json));
}

void jw_value(struct json_writer *w, const char *key, const struct json *v)
{
	if (begin_item(w, key))
		check(w, json_write_value(w->out, v));
}

int jw_end(struct json_writer *w)
{
	return w->failed || w->depth ? -1 : 0;
}
