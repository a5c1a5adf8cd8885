/* Builds trees from libyaml's events. */
#include "tidegate/base/yaml_node.h"

#include <stdint.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/map.h"
#include "tidegate/base/yaml.h"

bool yaml_reader_init(struct yaml_reader *r, const char *text, size_t len, struct err *err)
{
	if (len > YAML_INPUT_MAX) {
		err_set(err, ERR_TOO_BIG, "YAML of %zu bytes is larger than %zu", len,
		        YAML_INPUT_MAX);
		return false;
	}
	if (!yaml_parser_initialize(&r->parser))
		abort();
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
	r->text = text;
	r->len = len;
	return true;
}

void yaml_reader_release(struct yaml_reader *r)
{
	yaml_parser_delete(&r->parser);
}

/* libyaml has no line for a byte that it could not decode, only an offset. */
static unsigned line_at(const char *text, size_t offset)
{
	unsigned line = 1;

	while (offset--)
		line += *text++ == '\n';
	return line;
}

static int parser_error(const struct yaml_reader *r, struct err *err)
{
	const yaml_parser_t *p = &r->parser;
	unsigned line = (unsigned)p->problem_mark.line + 1;
	/* At the end of a text without a last newline libyaml is one line too far. */
	unsigned last = line_at(r->text, r->len ? r->len - 1 : 0);

	if (p->error == YAML_MEMORY_ERROR)
		abort();
	if (p->error == YAML_READER_ERROR)
		line = line_at(r->text, p->problem_offset < r->len ? p->problem_offset : r->len);
	return err_set(err, ERR_INVALID, "line %u: %s%s%s", line < last ? line : last,
	               p->problem ? p->problem : "cannot be read", p->context ? " " : "",
	               p->context ? p->context : "");
}

/* An open collection. */
struct level {
	struct yaml_node *node, **tail;
};

struct build {
	struct yaml_reader *reader;
	struct arena *arena;
	struct map anchors; /* name to node */
	struct yaml_node *root;
	struct level levels[YAML_DEPTH_MAX];
	unsigned depth;
};

static struct yaml_node *add_node(struct build *b, const yaml_event_t *e)
{
	struct yaml_node *n = arena_alloc(b->arena, sizeof(*n));

	n->line = (unsigned)e->start_mark.line + 1;
	if (b->depth) {
		struct level *l = &b->levels[b->depth - 1];

		*l->tail = n;
		l->tail = &n->next;
	} else {
		b->root = n;
	}
	return n;
}

static void set_properties(struct build *b, struct yaml_node *n, enum yaml_kind kind,
                           const yaml_char_t *anchor, const yaml_char_t *tag)
{
	n->kind = kind;
	n->tag = arena_strdup(b->arena, (const char *)tag);
	/* Set at the start of the node: an alias inside it is found, and refused for its depth. */
	if (anchor)
		map_set(&b->anchors, (const char *)anchor, n);
}

static int open_collection(struct build *b, struct yaml_node *n, struct err *err)
{
	if (b->depth == YAML_DEPTH_MAX)
		return err_set(err, ERR_INVALID, "line %u: nested deeper than %d", n->line,
		               YAML_DEPTH_MAX);
	b->levels[b->depth++] = (struct level){n, &n->first};
	return 0;
}

static int add_alias(struct build *b, const yaml_event_t *e, struct err *err)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct yaml_node *n = add_node(b, e);

	n->alias = map_get(&b->anchors, name);
	if (!n->alias)
		return err_set(err, ERR_INVALID, "line %u: unknown anchor \"%.60s\"", n->line,
		               name);
	return 0;
}

static void add_scalar(struct build *b, const yaml_event_t *e)
{
	struct yaml_node *n = add_node(b, e);
	char *text = arena_alloc(b->arena, e->data.scalar.length + 1);

	set_properties(b, n, YAML_SCALAR, e->data.scalar.anchor, e->data.scalar.tag);
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = memcpy(text, e->data.scalar.value, e->data.scalar.length);
	n->len = e->data.scalar.length;
}

static int add_event(struct build *b, const yaml_event_t *e, struct err *err)
{
	struct yaml_node *n;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		add_scalar(b, e);
		return 0;
	case YAML_ALIAS_EVENT:
		return add_alias(b, e, err);
	case YAML_SEQUENCE_START_EVENT:
		n = add_node(b, e);
		set_properties(b, n, YAML_SEQUENCE, e->data.sequence_start.anchor,
		               e->data.sequence_start.tag);
		return open_collection(b, n, err);
	case YAML_MAPPING_START_EVENT:
		n = add_node(b, e);
		set_properties(b, n, YAML_MAPPING, e->data.mapping_start.anchor,
		               e->data.mapping_start.tag);
		return open_collection(b, n, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		return 0;
	default:
		return 0;
	}
}

/* Reads events up to the end of the document. */
static int build_document(struct build *b, struct err *err)
{
	bool done = false;
	int rc = 0;

	while (!done && rc == 0) {
		yaml_event_t e;

		if (!yaml_parser_parse(&b->reader->parser, &e))
			return parser_error(b->reader, err);
		done = e.type == YAML_DOCUMENT_END_EVENT;
		rc = add_event(b, &e, err);
		yaml_event_delete(&e);
	}
	return rc;
}

int yaml_reader_next(struct yaml_reader *r, struct arena *a, struct yaml_node **root,
                     unsigned *line, struct err *err)
{
	struct build b = {.reader = r, .arena = a};
	yaml_event_type_t type;
	yaml_event_t e;
	int rc;

	do {
		if (!yaml_parser_parse(&r->parser, &e))
			return parser_error(r, err);
		type = e.type;
		*line = (unsigned)e.start_mark.line + 1;
		yaml_event_delete(&e);
		/* After its end libyaml gives YAML_NO_EVENT for ever. */
		if (type == YAML_STREAM_END_EVENT || type == YAML_NO_EVENT)
			return 0;
	} while (type != YAML_DOCUMENT_START_EVENT);
	map_init(&b.anchors);
	rc = build_document(&b, err);
	map_release(&b.anchors, NULL);
	*root = b.root;
	return rc < 0 ? -1 : 1;
}
