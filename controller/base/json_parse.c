/*
 * json_parse(): every byte is checked, and the tree is made on the way. Its texts stand in a copy
 * of what was read, each cut off where its closing quote was: the input is read from the original,
 * so that nothing that is cut is read again. \u0000 becomes U+FFFD, as other invalid code points do
 * in Go, and the text of a number that a double may not hold is kept.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json_node.h"
#include "tidegate/base/str.h"

#define JSON_DEPTH_MAX 100
/* An object's own metadata, also inside a watch event; deeper ones are somebody's data. */
#define JSON_DROP_DEPTH_MAX 3
#define JSON_NUMBER_MAX     60
/* Of what is rarer: the common way should not have to save the registers that it needs. */
#define APART       __attribute__((noinline))
#define REPLACEMENT 0xfffd

struct parse {
	const char *start, *p, *end;
	unsigned depth;
	struct arena *arena; /* of the tree; without one everything is only checked */
	char *copy;          /* of the text, in it */
	const char *problem;
	/* Of the value that comes next: its key with the quotes; NULL in an array. */
	const char *member;
	/* Keys with their quotes: a list that stands there is not put into the tree. */
	const char *drop_parent, *drop_key;
	bool dropped; /* it was found */
};

static bool refuse(struct parse *c, const char *problem)
{
	if (!c->problem)
		c->problem = problem;
	return false;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Most are not blank, and are no control character either. */
static inline bool is_blank(char c)
{
	return (unsigned char)c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

static inline void skip_blanks(struct parse *c)
{
	while (c->p < c->end && is_blank(*c->p))
		c->p++;
}

static bool at(const struct parse *c, char want)
{
	return c->p < c->end && *c->p == want;
}

static bool take(struct parse *c, char want)
{
	if (!at(c, want))
		return false;
	c->p++;
	return true;
}

/* The four digits of \uXXXX. */
static bool take_hex4(struct parse *c, unsigned *out)
{
	unsigned v = 0;

	if (c->end - c->p < 4)
		return refuse(c, "incomplete \\u escape");
	for (int i = 0; i < 4; i++, c->p++) {
		char low = (char)(*c->p | 0x20);

		if (!is_digit(*c->p) && (low < 'a' || low > 'f'))
			return refuse(c, "invalid \\u escape");
		v = v * 16 + (unsigned)(is_digit(*c->p) ? *c->p - '0' : low - 'a' + 10);
	}
	*out = v;
	return true;
}

static bool read_code_point(struct parse *c, uint32_t *out)
{
	unsigned v, low;

	if (!take_hex4(c, &v))
		return false;
	*out = v ? v : REPLACEMENT;
	if (v >= 0xdc00 && v <= 0xdfff)
		return refuse(c, "unpaired surrogate");
	if (v < 0xd800 || v > 0xdbff)
		return true;
	if (!take(c, '\\') || !take(c, 'u') || !take_hex4(c, &low) || low < 0xdc00 || low > 0xdfff)
		return refuse(c, "unpaired surrogate");
	*out = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
	return true;
}

static char *put_utf8(char *to, uint32_t cp)
{
	static const struct {
		uint32_t below;
		unsigned char lead;
	} forms[] = {{0x80, 0}, {0x800, 0xc0}, {0x10000, 0xe0}, {0x110000, 0xf0}};
	unsigned more = 0;

	while (cp >= forms[more].below)
		more++;
	*to++ = (char)(forms[more].lead | cp >> 6 * more);
	while (more--)
		*to++ = (char)(0x80 | (cp >> 6 * more & 0x3f));
	return to;
}

/* Behind a backslash; what it stands for is never longer than the escape. */
static bool read_escape(struct parse *c, char **to)
{
	static const char meant[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
	                                ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
	char plain = c->p < c->end ? meant[(unsigned char)*c->p] : '\0';
	uint32_t cp;

	if (!plain && !at(c, 'u'))
		return refuse(c, "invalid escape");
	c->p++;
	if (plain && *to)
		*(*to)++ = plain;
	if (plain)
		return true;
	if (!read_code_point(c, &cp))
		return false;
	if (*to)
		*to = put_utf8(*to, cp);
	return true;
}

static void skip_plain(struct parse *c)
{
	c->p += str_plain_run(c->p, (size_t)(c->end - c->p));
}

static char *place_of(const struct parse *c, const char *at)
{
	return c->copy + (at - c->start);
}

/* What stands for itself from `from` on goes behind what was put there before. */
static void put_run(const struct parse *c, const char *from, char **to)
{
	size_t n = (size_t)(c->p - from);

	if (*to)
		*to = (char *)memcpy(*to, from, n) + n;
}

/* One that does not stand for itself, or is not ASCII. */
static bool read_character(struct parse *c, char **to)
{
	const char *from = c->p;
	uint32_t cp;
	size_t n;

	if ((unsigned char)*c->p < 0x20)
		return refuse(c, "control character in a string");
	if (take(c, '\\'))
		return read_escape(c, to);
	n = str_utf8_next(c->p, (size_t)(c->end - c->p), &cp);
	if (!n)
		return refuse(c, "invalid UTF-8");
	c->p += n;
	put_run(c, from, to);
	return true;
}

/* Goes on behind a plain run that began at `from`: with escapes, or what is not ASCII. */
static APART bool read_mixed(struct parse *c, const char *from, struct json_text *out)
{
	char *to = out ? place_of(c, c->p) : NULL;
	const char *run;

	while (c->p < c->end && *c->p != '"') {
		if (!read_character(c, &to))
			return false;
		run = c->p;
		skip_plain(c);
		put_run(c, run, &to);
	}
	if (!take(c, '"'))
		return refuse(c, "string without an end");
	if (out) {
		*to = '\0';
		out->s = place_of(c, from);
		out->len = (unsigned)(to - out->s);
		out->plain = false;
	}
	return true;
}

/* The quotes around it are read as well. */
static bool read_string(struct parse *c, struct json_text *out)
{
	const char *from = c->p + 1;

	if (!take(c, '"'))
		return refuse(c, "expected a string");
	skip_plain(c);
	if (!at(c, '"'))
		return read_mixed(c, from, out);
	if (out) {
		out->s = place_of(c, from);
		out->len = (unsigned)(c->p - from);
		out->s[out->len] = '\0';
		out->plain = true;
	}
	c->p++;
	return true;
}

static size_t skip_digits(struct parse *c)
{
	const char *from = c->p;

	while (c->p < c->end && is_digit(*c->p))
		c->p++;
	return (size_t)(c->p - from);
}

/* All digits are looked at by strtod() only where they do not fit a double anyway. */
static double number_of(const char *text)
{
	bool negative = *text == '-';
	double v;

	text += negative;
	if (!str_to_double(text, &v))
		v = strtod(text, NULL);
	return negative ? -v : v;
}

/* What follows a number in the text is never put into the copy, so the number may end there. */
static void set_number(struct parse *c, struct json *v, const char *from, bool exact)
{
	char *text = place_of(c, from);

	*place_of(c, c->p) = '\0';
	v->type = JSON_NUMBER;
	v->number = number_of(text);
	if (!exact)
		v->text = (struct json_text){.s = text, .len = (unsigned)(c->p - from)};
}

static APART bool read_number(struct parse *c, struct json *v)
{
	const char *from = c->p;
	size_t digits, exponent = 0;

	take(c, '-');
	digits = at(c, '0') ? (c->p++, 1) : skip_digits(c);
	if (!digits)
		return refuse(c, "unexpected character");
	if (take(c, '.') && !skip_digits(c))
		return refuse(c, "digits missing behind the point");
	if (at(c, 'e') || at(c, 'E')) {
		c->p++;
		if (!take(c, '+'))
			take(c, '-');
		exponent = skip_digits(c);
		if (!exponent)
			return refuse(c, "digits missing in the exponent");
	}
	if (c->p < c->end && is_digit(*c->p))
		return refuse(c, "leading zero");
	if (c->p - from > JSON_NUMBER_MAX)
		return refuse(c, "number too long");
	if (v)
		set_number(c, v, from, digits <= 15 && exponent <= 2);
	return true;
}

static bool read_word(struct parse *c, struct json *v, const char *word, enum json_type type)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return refuse(c, "unexpected character");
	c->p += n;
	if (v)
		v->type = type;
	return true;
}

/* v: what becomes of it; NULL: it is only checked. */
static bool read_value(struct parse *c, struct json *v);

static bool is_key(const struct parse *c, const char *key, const char *quoted)
{
	size_t n = strlen(quoted);

	return key && (size_t)(c->end - key) >= n && !memcmp(key, quoted, n);
}

/* Members of the object that stands under the key `parent` may be dropped. */
static bool may_drop(const struct parse *c, const char *parent)
{
	return c->drop_key && !c->dropped && c->depth <= JSON_DROP_DEPTH_MAX &&
	       is_key(c, parent, c->drop_parent);
}

/* Checked like everything else; an empty list stands for it. */
static bool drop_value(struct parse *c, struct json *v)
{
	v->type = JSON_ARRAY;
	c->dropped = true;
	return read_value(c, NULL);
}

/* "key": before a member; v: whose key it becomes. */
static bool read_key(struct parse *c, struct json *v)
{
	c->member = c->p;
	if (!read_string(c, v ? &v->key : NULL))
		return false;
	skip_blanks(c);
	if (!take(c, ':'))
		return refuse(c, "expected \":\"");
	skip_blanks(c);
	return true;
}

/* Up to the bracket that closes it; at its first member or element. */
static bool read_items(struct parse *c, struct json *v, bool keys, bool droppable)
{
	struct json *item = NULL, **link = v ? &v->first : NULL;

	do {
		skip_blanks(c);
		if (link) {
			item = *link = arena_alloc(c->arena, sizeof(*item));
			link = &item->next;
		}
		c->member = NULL;
		if (keys && !read_key(c, item))
			return false;
		if (item && droppable && at(c, '[') && is_key(c, c->member, c->drop_key)
		            ? !drop_value(c, item)
		            : !read_value(c, item))
			return false;
		skip_blanks(c);
	} while (take(c, ','));
	return true;
}

static bool read_container(struct parse *c, struct json *v, enum json_type type)
{
	bool keys = type == JSON_OBJECT;
	char close = keys ? '}' : ']';

	if (v)
		v->type = type;
	if (++c->depth > JSON_DEPTH_MAX)
		return refuse(c, "nested deeper than 100");
	c->p++;
	skip_blanks(c);
	if (!at(c, close) && !read_items(c, v, keys, may_drop(c, c->member)))
		return false;
	c->depth--;
	if (!take(c, close))
		return refuse(c, keys ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
	return true;
}

static bool read_text(struct parse *c, struct json *v)
{
	if (v)
		v->type = JSON_STRING;
	return read_string(c, v ? &v->text : NULL);
}

static bool read_value(struct parse *c, struct json *v)
{
	switch (c->p < c->end ? *c->p : '\0') {
	case '{':
		return read_container(c, v, JSON_OBJECT);
	case '[':
		return read_container(c, v, JSON_ARRAY);
	case '"':
		return read_text(c, v);
	case 't':
		return read_word(c, v, "true", JSON_TRUE);
	case 'f':
		return read_word(c, v, "false", JSON_FALSE);
	case 'n':
		return read_word(c, v, "null", JSON_NULL);
	default:
		return c->p < c->end ? read_number(c, v) : refuse(c, "unexpected end");
	}
}

static int read_all(struct parse *c, struct json *v, const char *text, size_t len, struct err *err)
{
	c->start = c->p = text;
	c->end = text + len;
	skip_blanks(c);
	if (read_value(c, v)) {
		skip_blanks(c);
		if (c->p == c->end)
			return 0;
		refuse(c, "more text behind the value");
	}
	return err_set(err, ERR_INVALID, "invalid JSON at byte %zu: %s",
	               (size_t)(c->p - c->start) + 1, c->problem);
}

int json_check(const char *text, size_t len, struct err *err)
{
	struct parse c = {.arena = NULL};

	return read_all(&c, NULL, text, len, err);
}

static const struct json *parse(struct parse *c, struct arena *a, const char *text, size_t len,
                                struct err *err)
{
	struct json *v = arena_alloc(a, sizeof(*v));

	if (len > UINT_MAX) {
		err_set(err, ERR_TOO_BIG, "JSON of more than %u bytes", UINT_MAX);
		return NULL;
	}
	c->arena = a;
	c->copy = arena_memdup(a, text, len);
	return read_all(c, v, text, len, err) < 0 ? NULL : v;
}

const struct json *json_parse(struct arena *a, const char *text, size_t len, struct err *err)
{
	struct parse c = {.drop_key = NULL};

	return parse(&c, a, text, len, err);
}

const struct json *json_parse_object(struct arena *a, const char *text, size_t len, struct err *err)
{
	struct parse c = {.drop_parent = "\"metadata\"", .drop_key = "\"managedFields\""};

	return parse(&c, a, text, len, err);
}
