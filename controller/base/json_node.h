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

struct json_text {
	char *s; /* NULL: there is none */
	unsigned len;
	bool plain; /* it stands for itself when it is written (str_plain_run()); false: not known
	             */
};

struct json {
	struct json *next;
	struct json *first;    /* member or element */
	struct json_text key;  /* of a member */
	struct json_text text; /* of a string; of a number that a double may not hold */
	double number;
	enum json_type type;
};

/* NULL has no type. */
static inline bool json_node_is(const struct json *v, enum json_type type)
{
	return v && v->type == type;
}

#endif
