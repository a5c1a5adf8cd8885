/*
 * The tree of one YAML document, between libyaml's events and what yaml.c makes
 * of them. For base/ only; everybody else reads JSON (yaml.h).
 *
 * Ownership: nodes and texts live in the arena given to yaml_reader_next().
 */
#ifndef TIDEGATE_BASE_YAML_NODE_H
#define TIDEGATE_BASE_YAML_NODE_H

#include <stdbool.h>
#include <stddef.h>

#include <yaml.h>

#include "tidegate/base/arena.h"
#include "tidegate/base/err.h"

#define YAML_DEPTH_MAX 100

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	bool plain;              /* scalar without quotes */
	unsigned line;           /* 1-based */
	struct yaml_node *next;  /* sibling */
	struct yaml_node *first; /* children; those of a mapping alternate key, value */
	struct yaml_node *alias; /* the node this one stands for; nothing else is set then */
	const char *tag;         /* NULL when there was none */
	const char *text;        /* scalar, NUL-terminated */
	size_t len;
};

struct yaml_reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
};

/* False, with *err set, when the text is too long. The text must outlive the reader. */
bool yaml_reader_init(struct yaml_reader *r, const char *text, size_t len, struct err *err);
void yaml_reader_release(struct yaml_reader *r);
/* The next document: 1 and *root and its first line, 0 at the end, -1 on failure. */
int yaml_reader_next(struct yaml_reader *r, struct arena *a, struct yaml_node **root,
                     unsigned *line, struct err *err);

/* The node an alias stands for, or the node itself. */
static inline const struct yaml_node *yaml_node_deref(const struct yaml_node *n)
{
	return n->alias ? n->alias : n;
}

enum yaml_type { YAML_NULL, YAML_BOOL, YAML_NUMBER, YAML_STRING };

#define YAML_NUMBER_MAX 64

/* What a scalar means. `text` is JSON for all but strings, whose text is the node's. */
struct yaml_value {
	enum yaml_type type;
	char text[YAML_NUMBER_MAX];
};

int yaml_resolve(const struct yaml_node *scalar, struct yaml_value *out, struct err *err);

#endif
