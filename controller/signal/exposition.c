#include "tidegate/signal/exposition.h"

#include <stdbool.h>
#include <string.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

#define LINE_MAX_BYTES (64u << 10)

/* One line being read: `p` walks a private, modifiable copy, so that values are cut in place. */
struct line {
	char *p;
	unsigned number;
	struct exposition_sample sample;
};

const char *exposition_label(const struct exposition_sample *s, const char *name)
{
	for (unsigned i = 0; i < s->nlabels; i++)
		if (!strcmp(s->labels[i].name, name))
			return s->labels[i].value;
	return NULL;
}

static bool is_name_char(char c, bool first)
{
	enum { NOWHERE, ANYWHERE, BEHIND };
	static const unsigned char where[256] = {['a' ... 'z'] = ANYWHERE,
	                                         ['A' ... 'Z'] = ANYWHERE,
	                                         ['_'] = ANYWHERE,
	                                         [':'] = ANYWHERE,
	                                         ['0' ... '9'] = BEHIND};
	unsigned char w = where[(unsigned char)c];

	return w == ANYWHERE || (w == BEHIND && !first);
}

static void skip_blanks(struct line *l)
{
	while (*l->p == ' ' || *l->p == '\t')
		l->p++;
}

/* Cuts a name out; its end is not terminated yet, because the next character is needed. */
static size_t name_length(const char *p)
{
	size_t n = 0;

	while (is_name_char(p[n], n == 0))
		n++;
	return n;
}

/* Reads a quoted value in place; \\, \" and \n are escapes, anything else stays. */
static char *read_quoted(struct line *l)
{
	char *start, *w;

	if (*l->p != '"')
		return NULL;
	start = w = ++l->p;
	for (; *l->p && *l->p != '"'; l->p++) {
		if (l->p[0] == '\\' && strchr("\\\"n", l->p[1]) && l->p[1]) {
			l->p++;
			*w++ = *l->p == 'n' ? '\n' : *l->p;
		} else {
			*w++ = *l->p;
		}
	}
	if (*l->p != '"')
		return NULL;
	l->p++;
	*w = '\0';
	return start;
}

static int bad(const struct line *l, struct err *err, const char *what)
{
	return err_set(err, ERR_PROTOCOL, "metrics line %u: %s", l->number, what);
}

static int read_label(struct line *l, struct err *err)
{
	struct exposition_label *label = &l->sample.labels[l->sample.nlabels];
	size_t n = name_length(l->p);
	char *name = l->p;

	if (!n || l->sample.nlabels == EXPOSITION_LABELS_MAX)
		return bad(l, err, n ? "more than 32 labels" : "label name expected");
	l->p += n;
	skip_blanks(l);
	if (*l->p != '=')
		return bad(l, err, "'=' expected after a label name");
	l->p++;
	name[n] = '\0';
	skip_blanks(l);
	label->name = name;
	label->value = read_quoted(l);
	if (!label->value)
		return bad(l, err, "label value is not a quoted string");
	l->sample.nlabels++;
	return 0;
}

static int read_labels(struct line *l, struct err *err)
{
	l->p++; /* '{' */
	for (;;) {
		skip_blanks(l);
		if (*l->p == '}')
			break;
		if (read_label(l, err))
			return -1;
		skip_blanks(l);
		if (*l->p == ',')
			l->p++;
		else if (*l->p != '}')
			return bad(l, err, "',' or '}' expected after a label");
	}
	l->p++;
	return 0;
}

/* The value ends at a blank; a timestamp or an exemplar may follow and is not looked at. */
static int read_value(struct line *l, struct err *err)
{
	char *start;

	skip_blanks(l);
	start = l->p;
	while (*l->p && *l->p != ' ' && *l->p != '\t')
		l->p++;
	*l->p = '\0';
	if (!str_to_double(start, &l->sample.value))
		return bad(l, err, "value is not a number");
	return 0;
}

/* n: length of the name, where that is known; else 0. */
static int read_sample(struct line *l, size_t n, struct err *err)
{
	char *name = l->p;
	bool labels;

	if (!n)
		n = name_length(name);
	if (!n)
		return bad(l, err, "metric name expected");
	l->p += n;
	skip_blanks(l);
	labels = *l->p == '{';
	if (!labels && l->p == name + n)
		return bad(l, err, "blank expected after the metric name");
	if (labels && read_labels(l, err))
		return -1;
	l->sample.name = name;
	if (read_value(l, err))
		return -1;
	name[n] = '\0';
	return 0;
}

static int parse_line(struct buf *copy, const char *text, size_t len, size_t name, unsigned number,
                      exposition_fn fn, void *arg, struct err *err)
{
	struct line l = {.number = number};

	buf_reset(copy);
	if (buf_add(copy, text, len))
		return bad(&l, err, "longer than 64 kB");
	if (strlen(copy->data) != len)
		return bad(&l, err, "contains a NUL byte");
	l.p = copy->data;
	skip_blanks(&l);
	if (*l.p == '#' || *l.p == '\0' || *l.p == '\r')
		return 0;
	if (read_sample(&l, name, err))
		return -1;
	fn(arg, &l.sample);
	return 0;
}

/*
 * Length of the name that the line begins with, if it is one of names. *other: it begins like a
 * sample of another name, and is not read any further.
 */
static size_t known_name(const char *text, size_t len, const char *const *names, bool *other)
{
	*other = false;
	if (!names || !len || !is_name_char(*text, true))
		return 0;
	for (; *names; names++) {
		size_t n = strlen(*names);

		if (len >= n && !memcmp(text, *names, n) &&
		    (len == n || !is_name_char(text[n], false)))
			return n;
	}
	*other = true;
	return 0;
}

int exposition_parse(const char *text, size_t len, exposition_fn fn, void *arg, struct err *err)
{
	return exposition_parse_some(text, len, NULL, fn, arg, err);
}

int exposition_parse_some(const char *text, size_t len, const char *const *names, exposition_fn fn,
                          void *arg, struct err *err)
{
	cleanup_buf struct buf copy;
	const char *end = text + len, *eol;
	unsigned number = 1;
	bool other;

	buf_init(&copy, LINE_MAX_BYTES);
	for (; text < end; text = eol + 1, number++) {
		size_t length, name;

		eol = memchr(text, '\n', (size_t)(end - text));
		if (!eol)
			eol = end;
		length = (size_t)(eol - text);
		name = known_name(text, length, names, &other);
		if (other)
			continue;
		if (parse_line(&copy, text, length, name, number, fn, arg, err))
			return -1;
	}
	return 0;
}
