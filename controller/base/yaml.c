#include "tidegate/base/yaml.h"

#include <ctype.h>
#include <string.h>

#include "tidegate/base/json.h"
#include "tidegate/base/map.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml_node.h"

#define OUTPUT_MIN_MAX ((size_t)1 << 20)
/* Merge keys can walk without writing anything; this bounds the walk. */
#define EXPAND_VISITS_MAX 1000000

struct expand {
	struct buf *out;
	unsigned depth;
	size_t merge_visits;
	struct err *err;
};

static int too_big(struct expand *x, const struct yaml_node *n)
{
	return err_set(x->err, ERR_TOO_BIG,
	               "line %u: the document is larger than %zu bytes as JSON", n->line,
	               x->out->max);
}

static int put(struct expand *x, const struct yaml_node *n, const char *s)
{
	return buf_addstr(x->out, s) < 0 ? too_big(x, n) : 0;
}

static int put_string(struct expand *x, const struct yaml_node *n, const char *s, size_t len)
{
	return json_write_string(x->out, s, len) < 0 ? too_big(x, n) : 0;
}

static int expand_node(struct expand *x, const struct yaml_node *n);

static int expand_scalar(struct expand *x, const struct yaml_node *n)
{
	struct yaml_value v;

	if (yaml_resolve(n, &v, x->err) < 0)
		return -1;
	if (v.type == YAML_STRING)
		return put_string(x, n, n->text, n->len);
	return put(x, n, v.text);
}

static int expand_sequence(struct expand *x, const struct yaml_node *n)
{
	const struct yaml_node *it;

	if (put(x, n, "[") < 0)
		return -1;
	for (it = n->first; it; it = it->next)
		if ((it != n->first && put(x, it, ",") < 0) || expand_node(x, it) < 0)
			return -1;
	return put(x, n, "]");
}

static bool is_merge_key(const struct yaml_node *key)
{
	return key->kind == YAML_SCALAR && key->plain && !key->tag && str_eq(key->text, "<<");
}

/* The text of a key: JSON knows strings only. */
static int key_text(struct expand *x, const struct yaml_node *key, struct yaml_value *v,
                    const char **text)
{
	if (key->kind != YAML_SCALAR)
		return err_set(x->err, ERR_INVALID, "line %u: a key must be a scalar", key->line);
	if (yaml_resolve(key, v, x->err) < 0)
		return -1;
	if (v->type == YAML_NULL)
		return err_set(x->err, ERR_INVALID, "line %u: a key must not be null", key->line);
	*text = v->type == YAML_STRING ? key->text : v->text;
	if (v->type == YAML_STRING && strlen(key->text) != key->len)
		return err_set(x->err, ERR_INVALID, "line %u: NUL in a key", key->line);
	return 0;
}

static int expand_member(struct expand *x, struct map *seen, const char *key,
                         const struct yaml_node *value)
{
	bool first = seen->len == 0;

	map_set(seen, key, (void *)value);
	if ((!first && put(x, value, ",") < 0) || put_string(x, value, key, strlen(key)) < 0 ||
	    put(x, value, ":") < 0)
		return -1;
	return expand_node(x, value);
}

static int expand_merge(struct expand *x, struct map *seen, const struct yaml_node *source);

/* Members under their own keys first, which win over merged ones whatever their order. */
static int expand_members(struct expand *x, struct map *seen, const struct yaml_node *n,
                          bool merged)
{
	const struct yaml_node *it, *key;
	struct yaml_value v;
	const char *text = NULL;

	for (it = n->first; it; it = it->next->next) {
		key = yaml_node_deref(it);
		if (is_merge_key(key))
			continue;
		if (key_text(x, key, &v, &text) < 0)
			return -1;
		if (map_get(seen, text)) {
			if (merged)
				continue;
			return err_set(x->err, ERR_INVALID, "line %u: key \"%.60s\" occurs twice",
			               it->line, text);
		}
		if (expand_member(x, seen, text, it->next) < 0)
			return -1;
	}
	for (it = n->first; it; it = it->next->next)
		if (is_merge_key(yaml_node_deref(it)) && expand_merge(x, seen, it->next) < 0)
			return -1;
	return 0;
}

static int expand_merge(struct expand *x, struct map *seen, const struct yaml_node *source)
{
	const struct yaml_node *n = yaml_node_deref(source), *it;
	int rc = 0;

	if (++x->merge_visits > EXPAND_VISITS_MAX || ++x->depth > YAML_DEPTH_MAX)
		return err_set(x->err, ERR_TOO_BIG, "line %u: too many or too deep merge keys",
		               source->line);
	if (n->kind == YAML_MAPPING) {
		rc = expand_members(x, seen, n, true);
	} else if (n->kind == YAML_SEQUENCE) {
		for (it = n->first; it && rc == 0; it = it->next)
			rc = expand_merge(x, seen, it);
	} else {
		return err_set(x->err, ERR_INVALID,
		               "line %u: \"<<\" needs a mapping or a list of them", source->line);
	}
	x->depth--;
	return rc;
}

static int expand_mapping(struct expand *x, const struct yaml_node *n)
{
	struct map seen;
	int rc;

	if (put(x, n, "{") < 0)
		return -1;
	map_init(&seen);
	rc = expand_members(x, &seen, n, false);
	map_release(&seen, NULL);
	return rc < 0 ? -1 : put(x, n, "}");
}

static int check_collection_tag(struct expand *x, const struct yaml_node *n)
{
	const char *core = n->kind == YAML_MAPPING ? YAML_MAP_TAG : YAML_SEQ_TAG;

	if (!n->tag || str_eq(n->tag, "!") || str_eq(n->tag, core))
		return 0;
	return err_set(x->err, ERR_INVALID, "line %u: tag \"%.60s\" is not supported", n->line,
	               n->tag);
}

static int expand_node(struct expand *x, const struct yaml_node *n)
{
	int rc;

	n = yaml_node_deref(n);
	if (n->kind == YAML_SCALAR)
		return expand_scalar(x, n);
	if (x->depth == YAML_DEPTH_MAX)
		return err_set(x->err, ERR_INVALID,
		               "line %u: nested deeper than %d, or an alias inside its own anchor",
		               n->line, YAML_DEPTH_MAX);
	if (check_collection_tag(x, n) < 0)
		return -1;
	x->depth++;
	rc = n->kind == YAML_MAPPING ? expand_mapping(x, n) : expand_sequence(x, n);
	x->depth--;
	return rc;
}

static bool is_empty_document(const struct yaml_node *root)
{
	struct yaml_value v;

	return root->kind == YAML_SCALAR && yaml_resolve(root, &v, NULL) == 0 &&
	       v.type == YAML_NULL;
}

/*
 * JSON as it is: libyaml knows no surrogate escapes, no key beyond 1024 characters, and is slower.
 * False when the text is not JSON but may still be YAML.
 */
static bool find_json(const char *text, size_t len, size_t *start, unsigned *line)
{
	size_t i = 0;

	*line = 1;
	for (; i < len && isspace((unsigned char)text[i]); i++)
		*line += text[i] == '\n';
	*start = i;
	return i < len && (text[i] == '{' || text[i] == '[') &&
	       json_check(text + i, len - i, NULL) == 0;
}

static int each_tree(struct yaml_reader *r, struct arena *a, struct buf *json, yaml_document_fn fn,
                     void *arg, struct err *err)
{
	struct yaml_node *root;
	unsigned line;
	int rc;

	while ((rc = yaml_reader_next(r, a, &root, &line, err)) > 0) {
		struct expand x = {.out = json, .err = err};

		buf_reset(json);
		if (!is_empty_document(root)) {
			if (expand_node(&x, root) < 0)
				return -1;
			rc = fn(arg, json->data, json->len, line, err);
			if (rc)
				return rc;
		}
		arena_reset(a);
	}
	return rc;
}

int yaml_each_document(const char *text, size_t len, yaml_document_fn fn, void *arg,
                       struct err *err)
{
	struct yaml_reader reader;
	struct arena arena;
	struct buf json;
	unsigned line;
	size_t start;
	int rc;

	if (find_json(text, len, &start, &line))
		return fn(arg, text + start, len - start, line, err);
	if (!yaml_reader_init(&reader, text, len, err))
		return -1;
	arena_init(&arena, 16384);
	buf_init(&json, OUTPUT_MIN_MAX + 4 * len);
	rc = each_tree(&reader, &arena, &json, fn, arg, err);
	buf_release(&json);
	arena_release(&arena);
	yaml_reader_release(&reader);
	return rc;
}

struct single {
	struct buf *out;
	unsigned documents;
};

static int keep_single(void *arg, const char *json, size_t len, unsigned line, struct err *err)
{
	struct single *s = arg;

	if (s->documents++)
		return err_set(err, ERR_INVALID, "line %u: a second document; only one is expected",
		               line);
	if (buf_add(s->out, json, len) < 0)
		return err_set(err, ERR_TOO_BIG, "the document is larger than %zu bytes as JSON",
		               s->out->max);
	return 0;
}

int yaml_to_json(const char *text, size_t len, struct buf *json, struct err *err)
{
	struct single s = {.out = json};

	buf_reset(json);
	if (yaml_each_document(text, len, keep_single, &s, err) < 0)
		return -1;
	if (!s.documents)
		return err_set(err, ERR_INVALID, "the document is empty");
	return 0;
}
