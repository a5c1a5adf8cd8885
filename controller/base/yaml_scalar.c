/*
 * What a scalar means: the rules of sigs.k8s.io/yaml, because kubectl reads the same files with it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml_node.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

static const struct {
	const char *text, *json;
	enum yaml_type type;
} words[] = {
	{"", "null", YAML_NULL},       {"~", "null", YAML_NULL},      {"null", "null", YAML_NULL},
	{"Null", "null", YAML_NULL},   {"NULL", "null", YAML_NULL},   {"true", "true", YAML_BOOL},
	{"True", "true", YAML_BOOL},   {"TRUE", "true", YAML_BOOL},   {"yes", "true", YAML_BOOL},
	{"Yes", "true", YAML_BOOL},    {"YES", "true", YAML_BOOL},    {"y", "true", YAML_BOOL},
	{"Y", "true", YAML_BOOL},      {"on", "true", YAML_BOOL},     {"On", "true", YAML_BOOL},
	{"ON", "true", YAML_BOOL},     {"false", "false", YAML_BOOL}, {"False", "false", YAML_BOOL},
	{"FALSE", "false", YAML_BOOL}, {"no", "false", YAML_BOOL},    {"No", "false", YAML_BOOL},
	{"NO", "false", YAML_BOOL},    {"n", "false", YAML_BOOL},     {"N", "false", YAML_BOOL},
	{"off", "false", YAML_BOOL},   {"Off", "false", YAML_BOOL},   {"OFF", "false", YAML_BOOL},
};

static bool resolve_word(const char *s, struct yaml_value *out)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (*s == *words[i].text && !strcmp(s, words[i].text)) {
			out->type = words[i].type;
			str_copy(out->text, sizeof(out->text), words[i].json);
			return true;
		}
	}
	return false;
}

/* Digits in a base up to 16; false on another character, on none, and beyond 64 bits. */
static bool parse_digits(const char *s, unsigned base, uint64_t *out)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		const char *d = memchr(digits, tolower((unsigned char)*s), base);

		if (!d || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(d - digits), &v))
			return false;
	}
	*out = v;
	return true;
}

/* "0x1f", "0b101", "0o17", "017" and decimal. */
static bool parse_unsigned(const char *s, uint64_t *out)
{
	char second = s[0] == '0' ? (char)tolower((unsigned char)s[1]) : '\0';

	if (second == 'x')
		return parse_digits(s + 2, 16, out);
	if (second == 'b')
		return parse_digits(s + 2, 2, out);
	if (second == 'o')
		return parse_digits(s + 2, 8, out);
	return parse_digits(s, second ? 8 : 10, out);
}

/* An integer beyond 64 bits, which JSON can still write. */
static bool is_long_decimal(const char *s)
{
	return *s && *s != '0' && strspn(s, "0123456789") == strlen(s);
}

static bool resolve_number(const char *s, struct yaml_value *out)
{
	/* A double's text must not look like more than a number: no "+Inf" here. */
	bool negative = *s == '-', numeric = isdigit((unsigned char)*s) || strchr("+-.", *s);
	const char *magnitude = s + (*s == '-' || *s == '+');
	uint64_t u;
	double d;

	if (!numeric || !*s)
		return false;
	if (parse_unsigned(magnitude, &u)) {
		snprintf(out->text, sizeof(out->text), "%s%llu", negative && u ? "-" : "",
		         (unsigned long long)u);
		return true;
	}
	if (is_long_decimal(magnitude)) {
		snprintf(out->text, sizeof(out->text), "%s%.62s", negative ? "-" : "", magnitude);
		return true;
	}
	if (strspn(s, "0123456789+-.eE") != strlen(s) || !str_to_double(s, &d))
		return false;
	str_from_double(d, out->text);
	return true;
}

/* Copies without underscores, which YAML 1.1 allows between digits; false when it is too long. */
static bool strip_underscores(const char *s, char *out, size_t size)
{
	size_t n = 0;

	for (; *s; s++) {
		if (*s == '_')
			continue;
		if (n + 1 >= size)
			return false;
		out[n++] = *s;
	}
	out[n] = '\0';
	return true;
}

static bool is_infinite(const char *s)
{
	static const char *const texts[] = {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF"};
	const char *unsigned_part = s + (*s == '-' || *s == '+');
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(unsigned_part, texts[i]) && (unsigned_part == s || i >= 3))
			return true;
	return false;
}

static int resolve_plain(const struct yaml_node *n, struct yaml_value *out, struct err *err)
{
	char digits[60];

	out->type = YAML_STRING;
	/* A NUL can only come out of a quoted scalar, which a tag may send here. */
	if (strlen(n->text) != n->len || resolve_word(n->text, out))
		return 0;
	if (is_infinite(n->text))
		return err_set(err, ERR_INVALID, "line %u: %s is no JSON number", n->line, n->text);
	/* "_1" is text, 1_000 is not. */
	if (n->text[0] != '_' && strip_underscores(n->text, digits, sizeof(digits)) &&
	    resolve_number(digits, out))
		out->type = YAML_NUMBER;
	return 0;
}

static int resolve_tagged(const struct yaml_node *n, struct yaml_value *out, struct err *err)
{
	static const struct {
		const char *name;
		enum yaml_type type;
	} tags[] = {
		{"str", YAML_STRING}, {"timestamp", YAML_STRING}, {"null", YAML_NULL},
		{"bool", YAML_BOOL},  {"int", YAML_NUMBER},       {"float", YAML_NUMBER},
	};
	const char *name = str_starts(n->tag, TAG_PREFIX) ? n->tag + strlen(TAG_PREFIX) : "";
	size_t i = 0;

	while (i < ARRAY_SIZE(tags) && strcmp(name, tags[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(tags))
		return err_set(err, ERR_INVALID, "line %u: tag \"%.60s\" is not supported", n->line,
		               n->tag);
	out->type = YAML_STRING;
	if (tags[i].type == YAML_STRING)
		return 0;
	if (resolve_plain(n, out, err) < 0)
		return -1;
	if (out->type != tags[i].type)
		return err_set(err, ERR_INVALID, "line %u: \"%.60s\" is no %s", n->line, n->text,
		               name);
	return 0;
}

int yaml_resolve(const struct yaml_node *scalar, struct yaml_value *out, struct err *err)
{
	out->type = YAML_STRING;
	if (scalar->tag && strcmp(scalar->tag, "!") != 0)
		return resolve_tagged(scalar, out, err);
	if (scalar->tag || !scalar->plain)
		return 0;
	return resolve_plain(scalar, out, err);
}
