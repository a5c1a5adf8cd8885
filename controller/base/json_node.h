/* What a tree is made of, for the files of json.h only. */
#ifndef BASE_JSON_NODE_H
#define BASE_JSON_NODE_H

#include "tidegate/base/json.h"

enum json_type {
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json {
	struct json *next;
	struct json *first, *last; /* members or elements */
	char *key;                 /* NULL: not a member */
	char *text;                /* of a string; of a number that a double may not hold */
	double number;
	unsigned key_len, text_len; /* text_len: of a string */
	unsigned char type;         /* enum json_type */
	/* All of it stands for itself when it is written again (str_plain_run()); false: not known.
	 */
	bool plain_key, plain_text;
};

/* NULL has no type. */
static inline bool json_node_is(const struct json *v, enum json_type type)
{
	return v && v->type == type;
}

static inline void json_node_append(struct json *parent, struct json *v)
{
	if (parent->last)
		parent->last->next = v;
	else
		parent->first = v;
	parent->last = v;
}

#endif
