#include "tidegate/signal/exposition.h"

#include <stdbool.h>
#include <string.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/str.h"

#define LINE_MAX_BYTES  (64u << 10)
#define START_MAX_BYTES 512u /* of a line that a layout keeps */
#define VALUE_MAX_BYTES 31u
#define WHOLE_DIGITS    15 /* of numbers that are all exact as double */

/* One line being read: `p` walks a private, modifiable copy, so that values are cut in place. */
struct line {
	char *p;
	unsigned number;
	char *value;
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
	start = l->value = l->p;
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

/* --- layouts ------------------------------------------------------------------------------- */

void exposition_layout_release(struct exposition_layout *l)
{
	while (l->n)
		free(l->lines[--l->n].start);
	free(l->lines);
	l->lines = NULL;
}

static void layout_keep(struct exposition_layout *l, unsigned place, const char *start, size_t len)
{
	struct exposition_line *line;

	if (place >= EXPOSITION_PLACES_MAX)
		return;
	if (place == l->n) {
		l->lines = xreallocarray(l->lines, ++l->n, sizeof(*l->lines));
		l->lines[place].start = NULL;
	}
	line = &l->lines[place];
	free(line->start);
	line->len = len <= START_MAX_BYTES ? len : 0;
	line->start = line->len ? xstrndup(start, len) : NULL;
}

/* A number and nothing behind it; anything else is for who reads whole lines, and tells errors. */
static bool is_value(const char *text, size_t len, double *value)
{
	static const bool in_number[256] = {['0' ... '9'] = true, ['.'] = true, ['-'] = true,
	                                    ['+'] = true,         ['e'] = true, ['E'] = true};
	char copy[VALUE_MAX_BYTES + 1];

	if (!len || len > VALUE_MAX_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!in_number[(unsigned char)text[i]])
			return false;
		copy[i] = text[i];
	}
	copy[len] = '\0';
	return str_to_double(copy, value);
}

/* What counters mostly are: its end, which is its line's; NULL = it is something else. */
static const char *whole_number(const char *text, const char *end, double *value)
{
	const char *p = text, *limit = end - text < WHOLE_DIGITS ? end : text + WHOLE_DIGITS;
	int64_t v = 0;

	for (; p < limit && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (*p - '0');
	if (p == text || (p < end && *p != '\n'))
		return NULL;
	*value = (double)v;
	return p;
}

static bool begins_as(const struct exposition_line *line, const char *text, const char *end)
{
	return line->len && (size_t)(end - text) > line->len &&
	       !memcmp(text, line->start, line->len);
}

/* --- texts --------------------------------------------------------------------------------- */

struct reading {
	const struct exposition_reader *r;
	struct buf copy; /* of a line */
	unsigned number; /* of the line, from 1 */
	unsigned place;  /* of the sample that comes next */
};

/* name: length of the name, as known_name(). */
static int read_line(struct reading *d, const char *text, size_t len, size_t name, struct err *err)
{
	struct line l;

	l.number = d->number;
	l.sample.nlabels = 0;
	buf_reset(&d->copy);
	if (buf_add(&d->copy, text, len))
		return bad(&l, err, "longer than 64 kB");
	if (strlen(d->copy.data) != len)
		return bad(&l, err, "contains a NUL byte");
	l.p = d->copy.data;
	skip_blanks(&l);
	if (*l.p == '#' || *l.p == '\0' || *l.p == '\r')
		return 0;
	if (read_sample(&l, name, err))
		return -1;
	l.sample.place = d->place;
	if (d->r->layout)
		layout_keep(d->r->layout, d->place, text, (size_t)(l.value - d->copy.data));
	d->place++;
	d->r->fn(d->r->arg, &l.sample);
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

static const char *line_end(const char *text, const char *end)
{
	const char *eol = memchr(text, '\n', (size_t)(end - text));

	return eol ? eol : end;
}

/* The end of a line of which nothing but the value is new; NULL = it is another one. */
static const char *take_known(struct reading *d, const char *text, const char *end)
{
	const struct exposition_layout *l = d->r->layout;
	const char *eol;
	double value;

	if (!l || d->place >= l->n || !begins_as(&l->lines[d->place], text, end))
		return NULL;
	text += l->lines[d->place].len;
	eol = whole_number(text, end, &value);
	if (!eol) {
		eol = line_end(text, end);
		if (!is_value(text, (size_t)(eol - text), &value))
			return NULL;
	}
	d->r->again(d->r->arg, d->place++, value);
	return eol;
}

static int take_line(struct reading *d, const char *text, size_t len, struct err *err)
{
	bool other;
	size_t name = known_name(text, len, d->r->names, &other);

	return other ? 0 : read_line(d, text, len, name, err);
}

int exposition_read(const struct exposition_reader *r, const char *text, size_t len,
                    struct err *err)
{
	struct reading d = {.r = r, .number = 1};
	const char *end = text + len, *eol;
	int rc = 0;

	buf_init(&d.copy, LINE_MAX_BYTES);
	for (; text < end && !rc; text = eol + 1, d.number++) {
		eol = take_known(&d, text, end);
		if (eol)
			continue;
		eol = line_end(text, end);
		rc = take_line(&d, text, (size_t)(eol - text), err);
	}
	buf_release(&d.copy);
	return rc;
}

int exposition_parse(const char *text, size_t len, exposition_fn fn, void *arg, struct err *err)
{
	const struct exposition_reader r = {.fn = fn, .arg = arg};

	return exposition_read(&r, text, len, err);
}
