#include <string.h>

#include "score.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"

#define DOCUMENT_MAX ((size_t)256 << 20)

void document_init(struct document *d, const char *path)
{
	*d = (struct document){.name = str_eq(path, "-") ? "standard input" : path};
	buf_init(&d->text, DOCUMENT_MAX);
	arena_init(&d->arena, 65536);
}

void document_release(struct document *d)
{
	buf_release(&d->text);
	arena_release(&d->arena);
}

static int keep(void *arg, const char *json, size_t len, unsigned line, struct err *err)
{
	struct document *d = arg;

	if (d->json)
		return err_set(err, ERR_INVALID, "line %u: one document is expected, not two",
		               line);
	d->line = line;
	d->json = json_parse(&d->arena, json, len, err);
	return d->json ? 0 : -1;
}

int document_load(struct document *d, struct err *err)
{
	if (file_read(str_eq(d->name, "standard input") ? "-" : d->name, &d->text, err))
		return -1;
	if (yaml_each_document(d->text.data, d->text.len, keep, d, err))
		return err_wrap(err, "%s", d->name);
	if (!d->json)
		return err_set(err, ERR_INVALID, "%s: the document is empty", d->name);
	return 0;
}

void document_locate(const struct document *d, const char *field, struct err *err)
{
	unsigned line = yaml_line_of(d->text.data, d->text.len, d->line, field);

	if (*field)
		err_wrap(err, "%s:%u: %s", d->name, line, field);
	else
		err_wrap(err, "%s:%u", d->name, line);
}
