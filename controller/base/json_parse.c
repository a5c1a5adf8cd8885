/*
 * json_parse(): a strict check of every byte, then cJSON inside an arena.
 *
 * cJSON takes invalid UTF-8, raw control characters, leading zeros and trailing garbage, ends a
 * string at \u0000, and knows numbers as doubles only. So nothing reaches it that check_value()
 * has not accepted, \u0000 becomes U+FFFD as other invalid code points do in Go, and the text of a
 * number that a double may not hold is kept in the node's valuestring.
 */
#include <ctype.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define JSON_DEPTH_MAX 100
/* An object's own metadata, also inside a watch event; deeper ones are somebody's data. */
#define JSON_DROP_DEPTH_MAX 3
/* cJSON reads no more than 63 characters of a number and takes the rest for the next token. */
#define JSON_NUMBER_MAX 60

/* A number whose text is kept, by its ordinal in document order. */
struct exact_number {
	struct exact_number *next;
	size_t ordinal;
	char *text;
};

struct check {
	const char *start, *p, *end;
	unsigned depth;
	bool has_nul;   /* \u0000 occurs */
	size_t numbers; /* seen so far */
	struct exact_number *exact, **exact_tail;
	struct arena *arena; /* NULL: only check */
	const char *problem;
	/* Of the value that comes next: its key with the quotes; NULL in an array. */
	const char *member;
	/* Keys with their quotes: a list that stands there is not put into the tree. */
	const char *drop_parent, *drop_key;
	const char *drop_from, *drop_to; /* where it was found */
};

static bool refuse(struct check *c, const char *problem)
{
	if (!c->problem)
		c->problem = problem;
	return false;
}

static void skip_blanks(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool at(const struct check *c, char want)
{
	return c->p < c->end && *c->p == want;
}

static bool take(struct check *c, char want)
{
	if (!at(c, want))
		return false;
	c->p++;
	return true;
}

/* The four digits of \uXXXX. */
static bool take_hex4(struct check *c, unsigned *out)
{
	unsigned i, v = 0;

	if (c->end - c->p < 4)
		return refuse(c, "incomplete \\u escape");
	for (i = 0; i < 4; i++, c->p++) {
		if (!isxdigit((unsigned char)*c->p))
			return refuse(c, "invalid \\u escape");
		v = v * 16 + (unsigned)(isdigit((unsigned char)*c->p) ? *c->p - '0'
		                                                      : (*c->p | 0x20) - 'a' + 10);
	}
	*out = v;
	return true;
}

static bool check_unicode_escape(struct check *c)
{
	unsigned v, low;

	if (!take_hex4(c, &v))
		return false;
	if (!v)
		c->has_nul = true;
	if (v >= 0xdc00 && v <= 0xdfff)
		return refuse(c, "unpaired surrogate");
	if (v < 0xd800 || v > 0xdbff)
		return true;
	if (!take(c, '\\') || !take(c, 'u') || !take_hex4(c, &low) || low < 0xdc00 || low > 0xdfff)
		return refuse(c, "unpaired surrogate");
	return true;
}

static bool check_escape(struct check *c)
{
	if (take(c, 'u'))
		return check_unicode_escape(c);
	if (c->p == c->end || !*c->p || !strchr("\"\\/bfnrt", *c->p))
		return refuse(c, "invalid escape");
	c->p++;
	return true;
}

/* Most of a text is this, so it goes first. */
static void skip_plain(struct check *c)
{
	static const bool plain[256] = {
		[' ' ... '!'] = true, ['#' ... '['] = true, [']' ... 0x7f] = true};

	while (c->p < c->end && plain[(unsigned char)*c->p])
		c->p++;
}

static bool check_string(struct check *c)
{
	uint32_t cp;
	size_t n;

	if (!take(c, '"'))
		return refuse(c, "expected a string");
	for (;;) {
		skip_plain(c);
		if (c->p == c->end)
			return refuse(c, "string without an end");
		if (take(c, '"'))
			return true;
		if ((unsigned char)*c->p < 0x20)
			return refuse(c, "control character in a string");
		if (take(c, '\\')) {
			if (!check_escape(c))
				return false;
			continue;
		}
		n = str_utf8_next(c->p, (size_t)(c->end - c->p), &cp);
		if (!n)
			return refuse(c, "invalid UTF-8");
		c->p += n;
	}
}

static size_t skip_digits(struct check *c)
{
	const char *from = c->p;

	while (c->p < c->end && isdigit((unsigned char)*c->p))
		c->p++;
	return (size_t)(c->p - from);
}

static void keep_number(struct check *c, const char *from)
{
	struct exact_number *n = arena_alloc(c->arena, sizeof(*n));

	n->ordinal = c->numbers;
	n->text = arena_strndup(c->arena, from, (size_t)(c->p - from));
	*c->exact_tail = n;
	c->exact_tail = &n->next;
}

static bool check_number(struct check *c)
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
	if (c->p < c->end && isdigit((unsigned char)*c->p))
		return refuse(c, "leading zero");
	if (c->p - from > JSON_NUMBER_MAX)
		return refuse(c, "number too long");
	c->numbers++;
	if (c->arena && (digits > 15 || exponent > 2))
		keep_number(c, from);
	return true;
}

static bool check_word(struct check *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return refuse(c, "unexpected character");
	c->p += n;
	return true;
}

static bool check_value(struct check *c);

static bool is_key(const struct check *c, const char *key, const char *quoted)
{
	size_t n = strlen(quoted);

	return key && (size_t)(c->end - key) >= n && !memcmp(key, quoted, n);
}

static bool is_dropped(const struct check *c, const char *parent)
{
	return c->drop_key && !c->drop_to && c->depth <= JSON_DROP_DEPTH_MAX && at(c, '[') &&
	       is_key(c, c->member, c->drop_key) && is_key(c, parent, c->drop_parent);
}

/* Checked like everything else; its numbers do not count, for the tree will not have them. */
static bool check_dropped(struct check *c)
{
	struct exact_number **tail = c->exact_tail;
	size_t numbers = c->numbers;

	c->drop_from = c->p;
	if (!check_value(c))
		return false;
	c->drop_to = c->p;
	c->numbers = numbers;
	c->exact_tail = tail;
	*tail = NULL;
	return true;
}

/* The inside of an object or array up to its closing bracket. */
static bool check_members(struct check *c, char close, bool keys)
{
	const char *parent = c->member, *key = NULL;

	if (++c->depth > JSON_DEPTH_MAX)
		return refuse(c, "nested deeper than 100");
	c->p++;
	skip_blanks(c);
	if (take(c, close)) {
		c->depth--;
		return true;
	}
	do {
		skip_blanks(c);
		if (keys) {
			key = c->p;
			if (!check_string(c))
				return false;
			skip_blanks(c);
			if (!take(c, ':'))
				return refuse(c, "expected \":\"");
			skip_blanks(c);
		}
		c->member = key;
		if (!(is_dropped(c, parent) ? check_dropped(c) : check_value(c)))
			return false;
		skip_blanks(c);
	} while (take(c, ','));
	c->depth--;
	if (!take(c, close))
		return refuse(c, keys ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
	return true;
}

static bool check_value(struct check *c)
{
	switch (c->p < c->end ? *c->p : '\0') {
	case '{':
		return check_members(c, '}', true);
	case '[':
		return check_members(c, ']', false);
	case '"':
		return check_string(c);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return c->p < c->end ? check_number(c) : refuse(c, "unexpected end");
	}
}

static int check_text(struct check *c, struct arena *a, const char *text, size_t len,
                      struct err *err)
{
	c->start = c->p = text;
	c->end = text + len;
	c->arena = a;
	c->exact_tail = &c->exact;
	skip_blanks(c);
	if (check_value(c)) {
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
	struct check c = {.arena = NULL};

	return check_text(&c, NULL, text, len, err);
}

/* A copy of checked text with each \u0000 written as \ufffd. A backslash is always in a string. */
static const char *without_nul(struct arena *a, const char *text, size_t len)
{
	char *copy = arena_alloc(a, len + 1);
	size_t i;

	memcpy(copy, text, len);
	for (i = 0; i + 5 < len; i++) {
		if (copy[i] != '\\')
			continue;
		i++;
		if (!memcmp(copy + i, "u0000", 5))
			memcpy(copy + i, "ufffd", 5);
	}
	return copy;
}

/* Gives the kept texts to their nodes; `seen` counts numbers in document order. */
static void attach_exact(cJSON *v, struct exact_number **next, size_t *seen)
{
	for (; v && *next; v = v->next) {
		if (cJSON_IsNumber(v) && ++*seen == (*next)->ordinal) {
			v->valuestring = (*next)->text;
			*next = (*next)->next;
		}
		attach_exact(v->child, next, seen);
	}
}

/* cJSON's hooks take no context; parsing never nests and the program parses in one thread. */
static struct arena *current_arena;

static void *arena_hook_alloc(size_t n)
{
	return arena_alloc(current_arena, n);
}

static void arena_hook_free(void *p)
{
	(void)p;
}

static cJSON *parse_in_arena(struct arena *a, const char *text, size_t len)
{
	cJSON_Hooks hooks = {arena_hook_alloc, arena_hook_free};
	cJSON *v;

	current_arena = a;
	cJSON_InitHooks(&hooks);
	v = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
	cJSON_InitHooks(NULL);
	current_arena = NULL;
	return v;
}

/* A copy of checked text with an empty list in place of what is left out. */
static const char *without_dropped(const struct check *c, struct arena *a, const char *text,
                                   size_t len)
{
	char *copy = arena_strndup(a, text, len);
	size_t from = (size_t)(c->drop_from - c->start), to = (size_t)(c->drop_to - c->start);

	memset(copy + from + 1, ' ', to - from - 2);
	return copy;
}

static const struct cJSON *parse(struct check *c, struct arena *a, const char *text, size_t len,
                                 struct err *err)
{
	size_t seen = 0;
	cJSON *v;

	if (check_text(c, a, text, len, err) < 0)
		return NULL;
	if (c->has_nul)
		text = without_nul(a, text, len);
	if (c->drop_to)
		text = without_dropped(c, a, text, len);
	v = parse_in_arena(a, text, len);
	if (!v) {
		err_set(err, ERR_INTERNAL, "JSON that was checked could not be parsed");
		return NULL;
	}
	attach_exact(v, &c->exact, &seen);
	return v;
}

const struct cJSON *json_parse(struct arena *a, const char *text, size_t len, struct err *err)
{
	struct check c = {.arena = a};

	return parse(&c, a, text, len, err);
}

const struct cJSON *json_parse_object(struct arena *a, const char *text, size_t len,
                                      struct err *err)
{
	struct check c = {
		.arena = a, .drop_parent = "\"metadata\"", .drop_key = "\"managedFields\""};

	return parse(&c, a, text, len, err);
}
