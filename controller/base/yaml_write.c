#include "tidegate/base/yaml_write.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "tidegate/base/alloc.h"

#define INDENT 2

static int write_block(struct buf *out, const struct json *v, unsigned depth);

/* Words that YAML 1.1 reads as booleans or null. */
static bool is_word_of_yaml(const char *s)
{
	static const char *const words[] = {"true", "false", "yes", "no",  "on", "off",
	                                    "null", "y",     "n",   "nan", "inf"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(s, words[i]))
			return true;
	return false;
}

static bool is_plain(const char *s)
{
	if (!isalpha((unsigned char)*s) || is_word_of_yaml(s))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_./-", *s))
			return false;
	return true;
}

static int write_text(struct buf *out, const char *s)
{
	return is_plain(s) ? buf_addstr(out, s) : json_write_string(out, s, strlen(s));
}

static int write_indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth * INDENT; i++)
		if (buf_addch(out, ' '))
			return -1;
	return 0;
}

static bool is_block(const struct json *v)
{
	return (json_is_object(v) || json_is_array(v)) && json_size(v) > 0;
}

/* What stands behind "key:" or "-": on the same line, or a block below. */
static int write_scalar(struct buf *out, const struct json *v)
{
	const char *text = json_value_str(v);

	if (text ? write_text(out, text) : json_write_value(out, v))
		return -1;
	return buf_addch(out, '\n');
}

static int write_member(struct buf *out, const struct json *v, unsigned depth)
{
	if (write_text(out, json_key(v)) || buf_addch(out, ':'))
		return -1;
	if (!is_block(v))
		return buf_addch(out, ' ') || write_scalar(out, v) ? -1 : 0;
	return buf_addch(out, '\n') || write_indent(out, depth + 1) ||
	                       write_block(out, v, depth + 1)
	               ? -1
	               : 0;
}

static int write_element(struct buf *out, const struct json *v, unsigned depth)
{
	if (buf_addstr(out, "- "))
		return -1;
	return is_block(v) ? write_block(out, v, depth + 1) : write_scalar(out, v);
}

/* The first line's indent is there already. */
static int write_block(struct buf *out, const struct json *v, unsigned depth)
{
	const struct json *it;
	bool first = true;

	json_for_each (it, v) {
		if (!first && write_indent(out, depth))
			return -1;
		first = false;
		if (json_is_object(v) ? write_member(out, it, depth)
		                      : write_element(out, it, depth))
			return -1;
	}
	return 0;
}

int yaml_write(struct buf *out, const struct json *v)
{
	return is_block(v) ? write_block(out, v, 0) : write_scalar(out, v);
}
