#include "tidegate/api/schema.h"

#include <inttypes.h>
#include <math.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crd.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"

#define CRD_JSON_MAX ((size_t)4 << 20)

struct checker {
	struct arena *a;
	schema_finding_fn fn;
	void *arg;
	/* Inside anyOf and its kin: findings are only counted, and nothing is unknown there. */
	bool silent;
	unsigned n;
};

static void check(struct checker *c, const struct json *schema, const struct json *value,
                  const char *path);

static void __attribute__((format(printf, 3, 4)))
find(struct checker *c, const char *path, const char *fmt, ...)
{
	char message[512];
	va_list ap;

	c->n++;
	if (c->silent)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	c->fn(c->arg, path, arena_strdup(c->a, message));
}

static bool is_null(const struct json *v)
{
	return !json_is_object(v) && !json_is_array(v) && !json_is_string(v) &&
	       !json_is_number(v) && !json_is_bool(v);
}

/* "a, b, c" */
static const char *names(struct arena *a, const struct json *list)
{
	const char *text = "";
	const struct json *it;

	json_for_each (it, list)
		text = arena_printf(a, "%s%s%s", text, *text ? ", " : "",
		                    str_or(json_value_str(it), "?"));
	return text;
}

/* --- patterns ---------------------------------------------------------------------------- */

/* Of a class escape such as \d inside a bracket; NULL when it stands for itself. */
static const char *class_of(char escape)
{
	switch (escape) {
	case 'd':
		return "0-9";
	case 'w':
		return "A-Za-z0-9_";
	case 's':
		return " \t\r\n\f\v";
	default:
		return NULL;
	}
}

/* One [...]: a POSIX bracket knows no backslash, so '-', ']' and '^' are moved to where they are
 * themselves. Returns what follows it. */
static const char *bracket(const char *p, struct buf *out)
{
	bool minus = false, close = false, caret = false;
	cleanup_buf struct buf rest;

	buf_init(&rest, 4096);
	buf_addch(out, *p++);
	if (*p == '^')
		buf_addch(out, *p++);
	for (; *p && *p != ']'; p++) {
		if (*p != '\\' || !p[1]) {
			buf_addch(&rest, *p);
			continue;
		}
		p++;
		minus |= *p == '-';
		close |= *p == ']';
		caret |= *p == '^';
		if (class_of(*p))
			buf_addstr(&rest, class_of(*p));
		else if (*p != '-' && *p != ']' && *p != '^')
			buf_addch(&rest, *p);
	}
	if (close)
		buf_addch(out, ']');
	/* A leading '-' of the original must stay in front. */
	buf_add(out, rest.data, rest.len);
	if (caret)
		buf_addch(out, '^');
	if (minus)
		buf_addch(out, '-');
	buf_addch(out, ']');
	return *p ? p + 1 : p;
}

/* From Go's syntax, as far as it differs, to POSIX' extended one. */
static void translate(const char *p, struct buf *out)
{
	while (*p) {
		if (*p == '[') {
			p = bracket(p, out);
		} else if (*p == '\\' && p[1] && class_of(p[1])) {
			buf_addf(out, "[%s]", class_of(p[1]));
			p += 2;
		} else if (*p == '\\' && p[1]) {
			buf_add(out, p, 2);
			p += 2;
		} else if (str_starts(p, "(?:")) {
			buf_addch(out, '(');
			p += 3;
		} else {
			buf_addch(out, *p++);
		}
	}
}

static int compile(const char *pattern, regex_t *re)
{
	cleanup_buf struct buf posix;

	buf_init(&posix, 8192);
	translate(pattern, &posix);
	return regcomp(re, posix.data, REG_EXTENDED | REG_NOSUB);
}

int schema_pattern_check(const char *pattern)
{
	regex_t re;

	if (compile(pattern, &re))
		return -1;
	regfree(&re);
	return 0;
}

static bool pattern_matches(const char *pattern, const char *text)
{
	regex_t re;
	bool matches;

	if (compile(pattern, &re))
		return true; /* the server will say; the unit test sees to it that there is none */
	matches = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return matches;
}

/* --- scalars ----------------------------------------------------------------------------- */

static int64_t characters(const char *s)
{
	size_t n = strlen(s), at = 0;
	int64_t count = 0;
	uint32_t cp;

	for (; at < n; count++) {
		size_t step = str_utf8_next(s + at, n - at, &cp);

		at += step ? step : 1;
	}
	return count;
}

static void check_string(struct checker *c, const struct json *schema, const char *text,
                         const char *path)
{
	int64_t n = characters(text), max = json_i64(schema, "maxLength", INT64_MAX);
	const char *pattern = json_str(schema, "pattern");
	const struct json *allowed = json_get(schema, "enum"), *it;

	if (n < json_i64(schema, "minLength", 0))
		find(c, path, "must have at least %" PRId64 " characters",
		     json_i64(schema, "minLength", 0));
	if (n > max)
		find(c, path, "has %" PRId64 " characters, at most %" PRId64 " are allowed", n,
		     max);
	if (pattern && !pattern_matches(pattern, text))
		find(c, path, "\"%.80s\" does not match %s", text, pattern);
	if (!allowed)
		return;
	json_for_each (it, allowed)
		if (str_eq(json_value_str(it), text))
			return;
	find(c, path, "\"%.80s\" is none of %s", text, names(c->a, allowed));
}

static void check_number(struct checker *c, const struct json *schema, double v, const char *path)
{
	char text[STR_DOUBLE_MAX];

	if (v < json_double(schema, "minimum", -INFINITY))
		find(c, path, "must be at least %s",
		     str_from_double(json_double(schema, "minimum", 0), text));
	else if (v > json_double(schema, "maximum", INFINITY))
		find(c, path, "must be at most %s",
		     str_from_double(json_double(schema, "maximum", 0), text));
	else if (str_eq(json_str(schema, "format"), "int32") && (v < INT32_MIN || v > INT32_MAX))
		find(c, path, "does not fit into 32 bits");
}

/* --- lists ------------------------------------------------------------------------------- */

static bool same_text(const struct json *x, const struct json *y)
{
	cleanup_buf struct buf a, b;

	buf_init(&a, CRD_JSON_MAX);
	buf_init(&b, CRD_JSON_MAX);
	json_write_value(&a, x);
	json_write_value(&b, y);
	return str_eq(a.data, b.data);
}

static bool same_element(const struct json *keys, const struct json *x, const struct json *y)
{
	const struct json *it;

	if (!keys)
		return same_text(x, y);
	json_for_each (it, keys) {
		const struct json *vx = json_get(x, json_value_str(it));
		const struct json *vy = json_get(y, json_value_str(it));

		if (!vx || !vy ? vx != vy : !same_text(vx, vy))
			return false;
	}
	return true;
}

/* Lists are bounded by maxItems, so the square of them is small. */
static void check_unique(struct checker *c, const struct json *schema, const struct json *list,
                         const char *path)
{
	const char *type = json_str(schema, "x-kubernetes-list-type");
	const struct json *keys = json_get(schema, "x-kubernetes-list-map-keys"), *x, *y;
	unsigned i = 0;

	if (!str_eq(type, "map") && !str_eq(type, "set"))
		return;
	json_for_each (x, list) {
		for (y = json_first(list); y != x; y = json_next(y))
			if (same_element(str_eq(type, "map") ? keys : NULL, x, y))
				break;
		if (y != x)
			find(c, arena_printf(c->a, "%s[%u]", path, i), "is listed twice%s%s",
			     str_eq(type, "map") ? ", by " : "",
			     str_eq(type, "map") ? names(c->a, keys) : "");
		i++;
	}
}

static void check_array(struct checker *c, const struct json *schema, const struct json *list,
                        const char *path)
{
	int64_t n = (int64_t)json_size(list), max = json_i64(schema, "maxItems", INT64_MAX);
	const struct json *it;
	unsigned i = 0;

	if (n < json_i64(schema, "minItems", 0))
		find(c, path, "must have at least %" PRId64 " elements",
		     json_i64(schema, "minItems", 0));
	if (n > max) {
		find(c, path, "has %" PRId64 " elements, at most %" PRId64 " are allowed", n, max);
		return;
	}
	check_unique(c, schema, list, path);
	json_for_each (it, list)
		check(c, json_get(schema, "items"), it, arena_printf(c->a, "%s[%u]", path, i++));
}

/* --- objects ----------------------------------------------------------------------------- */

static const char *member_path(struct checker *c, const char *path, const char *key)
{
	return arena_printf(c->a, "%s%s%s", path, *path ? "." : "", key);
}

static void check_required(struct checker *c, const struct json *schema, const struct json *o,
                           const char *path)
{
	const struct json *properties = json_get(schema, "properties"), *it;

	json_for_each (it, json_get(schema, "required")) {
		const char *key = json_value_str(it);

		if (!json_has(o, key) && !json_get(json_get(properties, key), "default"))
			find(c, member_path(c, path, key), "is required");
	}
}

static void check_object(struct checker *c, const struct json *schema, const struct json *o,
                         const char *path)
{
	const struct json *properties = json_get(schema, "properties"), *it;
	const struct json *others = json_get(schema, "additionalProperties");
	int64_t max = json_i64(schema, "maxProperties", INT64_MAX);
	bool open = c->silent || json_bool(schema, "x-kubernetes-preserve-unknown-fields", false);

	check_required(c, schema, o, path);
	if ((int64_t)json_size(o) < json_i64(schema, "minProperties", 0))
		find(c, path, "must not be empty");
	if ((int64_t)json_size(o) > max)
		find(c, path, "has more than %" PRId64 " members", max);
	json_for_each (it, o) {
		const struct json *s = json_get(properties, json_key(it));

		s = s ? s : others;
		if (s)
			check(c, s, it, member_path(c, path, json_key(it)));
		/* metadata is the API server's own, and no schema tells it. */
		else if (!open && !str_eq(path, "metadata"))
			find(c, member_path(c, path, json_key(it)), SCHEMA_UNKNOWN);
	}
}

/* --- any value --------------------------------------------------------------------------- */

static const char *type_name(const struct json *v)
{
	if (json_is_object(v))
		return "object";
	if (json_is_array(v))
		return "array";
	if (json_is_string(v))
		return "string";
	if (json_is_bool(v))
		return "boolean";
	return "number";
}

static bool is_whole(const struct json *v)
{
	double d = json_value_double(v, NAN);

	return json_is_number(v) && d == floor(d);
}

static bool type_fits(const struct json *schema, const struct json *v, const char **want)
{
	*want = json_str(schema, "type");
	if (json_bool(schema, "x-kubernetes-int-or-string", false)) {
		*want = "integer or string";
		return json_is_string(v) || is_whole(v);
	}
	if (!*want || str_eq(*want, type_name(v)))
		return true;
	return str_eq(*want, "integer") && is_whole(v);
}

/* How many of the schemas fit. */
static unsigned fitting(struct checker *c, const struct json *schemas, const struct json *v,
                        const char *path)
{
	const struct json *it;
	unsigned n = 0;

	json_for_each (it, schemas) {
		struct checker quiet = {.a = c->a, .silent = true};

		check(&quiet, it, v, path);
		n += quiet.n == 0;
	}
	return n;
}

/* "a, b, c": what the alternatives require. */
static const char *alternatives(struct arena *a, const struct json *schemas)
{
	const char *text = "";
	const struct json *it;

	json_for_each (it, schemas)
		text = arena_printf(a, "%s%s%s", text, *text ? ", " : "",
		                    names(a, json_get(it, "required")));
	return text;
}

static void check_junctors(struct checker *c, const struct json *schema, const struct json *v,
                           const char *path)
{
	const struct json *any = json_get(schema, "anyOf"), *one = json_get(schema, "oneOf");
	const struct json *not = json_get(schema, "not");
	struct checker quiet = {.a = c->a, .silent = true};

	if (any && fitting(c, any, v, path) == 0)
		find(c, path, "needs at least one of %s", alternatives(c->a, any));
	if (one && fitting(c, one, v, path) != 1)
		find(c, path, "needs exactly one of %s", alternatives(c->a, one));
	if (!not )
		return;
	check(&quiet, not, v, path);
	if (quiet.n == 0)
		find(c, path, "must not have all of %s", names(c->a, json_get(not, "required")));
}

static void check(struct checker *c, const struct json *schema, const struct json *value,
                  const char *path)
{
	const char *want;

	if (!schema || is_null(value))
		return;
	if (!type_fits(schema, value, &want)) {
		find(c, path, "must be %s, not %s", want, type_name(value));
		return;
	}
	if (json_is_string(value))
		check_string(c, schema, json_value_str(value), path);
	else if (json_is_number(value))
		check_number(c, schema, json_value_double(value, 0), path);
	else if (json_is_array(value))
		check_array(c, schema, value, path);
	else if (json_is_object(value))
		check_object(c, schema, value, path);
	check_junctors(c, schema, value, path);
}

void schema_check(const struct json *schema, const struct json *value, struct arena *a,
                  schema_finding_fn fn, void *arg)
{
	struct checker c = {.a = a, .fn = fn, .arg = arg};

	check(&c, schema, value, "");
}

/* --- the CRDs ---------------------------------------------------------------------------- */

static const struct json *version_schema(const struct json *crd, const char *api_version)
{
	const struct json *spec = json_get(crd, "spec"), *it;
	const char *slash = strchr(api_version, '/');
	const char *group = json_str(spec, "group");

	if (!slash || !group || strlen(group) != (size_t)(slash - api_version) ||
	    !str_starts(api_version, group))
		return NULL;
	json_for_each (it, json_get(spec, "versions"))
		if (str_eq(json_str(it, "name"), slash + 1))
			return json_path(it, "schema", "openAPIV3Schema", NULL);
	return NULL;
}

static const struct json *parse_crd(struct arena *a, const char *text)
{
	cleanup_buf struct buf json;

	buf_init(&json, CRD_JSON_MAX);
	if (yaml_to_json(text, strlen(text), &json, NULL))
		return NULL;
	return json_parse(a, json.data, json.len, NULL);
}

/* Reading one takes longer than checking a manifest against it, and there may be many of those. */
static const struct json *crd_at(unsigned i)
{
	static const struct json *parsed[CRDS];
	static struct arena arena;

	if (!arena.block_size)
		arena_init(&arena, 0);
	if (!parsed[i])
		parsed[i] = parse_crd(&arena, crd_texts[i]);
	return parsed[i];
}

const struct json *schema_of(const char *api_version, const char *kind)
{
	for (unsigned i = 0; i < CRDS; i++) {
		const struct json *crd = crd_at(i);

		if (str_eq(json_str(json_path(crd, "spec", "names", NULL), "kind"), kind))
			return version_schema(crd, api_version);
	}
	return NULL;
}

static const char *unknown_in_list(const struct json *schemas)
{
	const struct json *it;
	const char *unknown;

	json_for_each (it, schemas) {
		unknown = schema_unknown_keyword(it);
		if (unknown)
			return unknown;
	}
	return NULL;
}

const char *schema_unknown_keyword(const struct json *schema)
{
	static const char *const flat[] = {"type",
	                                   "description",
	                                   "default",
	                                   "format",
	                                   "required",
	                                   "enum",
	                                   "pattern",
	                                   "minimum",
	                                   "maximum",
	                                   "minLength",
	                                   "maxLength",
	                                   "minItems",
	                                   "maxItems",
	                                   "minProperties",
	                                   "maxProperties",
	                                   "x-kubernetes-int-or-string",
	                                   "x-kubernetes-preserve-unknown-fields",
	                                   "x-kubernetes-list-type",
	                                   "x-kubernetes-list-map-keys",
	                                   "x-kubernetes-map-type",
	                                   "x-kubernetes-validations"};
	const struct json *it;

	json_for_each (it, schema) {
		const char *key = json_key(it), *unknown = NULL;
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(flat) && !known; i++)
			known = str_eq(key, flat[i]);
		if (known)
			continue;
		if (str_eq(key, "properties") || str_eq(key, "anyOf") || str_eq(key, "oneOf"))
			unknown = unknown_in_list(it);
		else if (str_eq(key, "items") || str_eq(key, "not") ||
		         str_eq(key, "additionalProperties"))
			unknown = schema_unknown_keyword(it);
		else
			return key;
		if (unknown)
			return unknown;
	}
	return NULL;
}
