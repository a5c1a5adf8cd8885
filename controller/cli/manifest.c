#include "manifest.h"

#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/api/names.h"
#include "tidegate/api/schema.h"
#include "tidegate/api/scorepolicy.h"
#include "tidegate/api/zoneshift.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"
#include "tidegate/judge/scoreplan.h"

#define ERRORS_MAX 100 /* of one object; more help nobody */

struct reader {
	const char *file;
	struct buf text;
	void (*fn)(void *arg, const struct manifest *m);
	void *arg;
};

static void deliver(struct reader *r, const struct json *json, unsigned line, const char *prefix)
{
	struct manifest m = {.file = r->file,
	                     .text = &r->text,
	                     .line = line,
	                     .prefix = prefix,
	                     .api_version = str_or(json_str(json, "apiVersion"), ""),
	                     .kind = str_or(json_str(json, "kind"), ""),
	                     .name = str_or(json_str(json_get(json, "metadata"), "name"), ""),
	                     .json = json};

	r->fn(r->arg, &m);
}

static int on_document(void *arg, const char *text, size_t len, unsigned line, struct err *err)
{
	struct reader *r = arg;
	cleanup_arena struct arena a;
	const struct json *json, *it;
	unsigned i = 0;

	arena_init(&a, 16384);
	json = json_parse(&a, text, len, err);
	if (!json)
		return -1;
	if (!json_is_array(json_get(json, "items")) ||
	    !str_ends(str_or(json_str(json, "kind"), ""), "List")) {
		deliver(r, json, line, "");
		return 0;
	}
	json_for_each (it, json_get(json, "items"))
		deliver(r, it, line, arena_printf(&a, "items[%u].", i++));
	return 0;
}

int manifest_each(const char *path, void (*fn)(void *arg, const struct manifest *m), void *arg,
                  struct err *err)
{
	struct reader r = {
		.file = str_eq(path, "-") ? "standard input" : path, .fn = fn, .arg = arg};
	int rc = -1;

	buf_init(&r.text, YAML_INPUT_MAX);
	if (file_read(path, &r.text, err) == 0) {
		rc = yaml_each_document(r.text.data, r.text.len, on_document, &r, err);
		if (rc)
			err_wrap(err, "%s", r.file);
	}
	buf_release(&r.text);
	return rc;
}

unsigned manifest_line(const struct manifest *m, struct arena *a, const char *field)
{
	return yaml_line_of(m->text->data, m->text->len, m->line,
	                    arena_printf(a, "%s%s", m->prefix, field));
}

bool manifest_is_mdep(const struct manifest *m)
{
	return str_eq(m->api_version, TG_API_VERSION) && str_eq(m->kind, "ModelDeployment");
}

/* --- checking ---------------------------------------------------------------------------- */

struct check {
	const struct manifest *m;
	struct arena a;
	FILE *out;
	const char *paths[ERRORS_MAX]; /* that are wrong */
	unsigned n;
};

static bool is_told(const struct check *c, const char *path)
{
	for (unsigned i = 0; i < c->n; i++)
		if (str_eq(c->paths[i], path))
			return true;
	return false;
}

static void tell(struct check *c, const char *path, const char *severity, const char *message)
{
	fprintf(c->out, "%s:%u: %s%s%s%s\n", c->m->file, manifest_line(c->m, &c->a, path), path,
	        *path ? ": " : "", severity, message);
}

static void on_error(void *arg, const char *path, const char *message)
{
	struct check *c = arg;

	if (c->n == ERRORS_MAX)
		return;
	c->paths[c->n++] = path;
	tell(c, path, "", message);
}

/*
 * What the schema has refused already need not be said again, and what a preset asks for cannot be
 * said of one that does not exist.
 */
static void check_meaning(struct check *c)
{
	struct mdep m;
	struct err err = ERR_INIT;

	if (mdep_read(c->m->json, &m, &c->a, &err)) {
		on_error(c, "metadata.name", "is required");
		return;
	}
	for (unsigned i = 0; i < m.nfindings; i++) {
		const struct mdep_finding *f = &m.findings[i];

		if (is_told(c, f->path) ||
		    (str_starts(f->path, "spec.runtime.") && is_told(c, "spec.runtime.preset")))
			continue;
		if (f->fatal)
			on_error(c, f->path, f->message);
		else
			tell(c, f->path, "warning: ", f->message);
	}
}

/* The Service of the same name makes the rule (CEL in the CRD). */
static void check_name(struct check *c)
{
	const char *name = c->m->name;

	if (*name && (!str_is_dns_label(name) || name[0] < 'a' || name[0] > 'z'))
		on_error(c, "metadata.name",
		         "is also the name of a Service: lower-case letters, digits and '-', "
		         "starting with a letter, at most 63");
}

unsigned manifest_check_mdep(const struct manifest *m, FILE *out)
{
	struct check c = {.m = m, .out = out};

	arena_init(&c.a, 16384);
	schema_check(schema_of(m->api_version, m->kind), m->json, &c.a, on_error, &c);
	check_name(&c);
	check_meaning(&c);
	arena_release(&c.a);
	return c.n;
}

bool manifest_is_scorepolicy(const struct manifest *m)
{
	return str_eq(m->api_version, TG_API_VERSION) && str_eq(m->kind, "ScorePolicy");
}

unsigned manifest_check_scorepolicy(const struct manifest *m, FILE *out)
{
	struct check c = {.m = m, .out = out};
	struct scorepolicy p = {.problem = NULL};
	struct scoreplan plan;
	struct err err = ERR_INIT;

	arena_init(&c.a, 16384);
	schema_check(schema_of(m->api_version, m->kind), m->json, &c.a, on_error, &c);
	if (!*m->name)
		on_error(&c, "metadata.name", "is required");
	scorepolicy_read(m->json, &c.a, &p);
	if (p.problem && !is_told(&c, p.problem_path))
		on_error(&c, p.problem_path, p.problem);
	else if (!p.problem && scoreplan_build(&p, NULL, &c.a, &plan, &err))
		on_error(&c, p.kayenta.config ? "spec.kayenta.config" : "spec", err.msg);
	arena_release(&c.a);
	return c.n;
}

bool manifest_is_zoneshift(const struct manifest *m)
{
	return str_eq(m->api_version, TG_API_VERSION) && str_eq(m->kind, "ZoneShift");
}

unsigned manifest_check_zoneshift(const struct manifest *m, FILE *out)
{
	struct check c = {.m = m, .out = out};
	struct zoneshift z = {.problem = NULL};

	arena_init(&c.a, 4096);
	schema_check(schema_of(m->api_version, m->kind), m->json, &c.a, on_error, &c);
	if (!*m->name)
		on_error(&c, "metadata.name", "is required");
	zoneshift_read(m->json, &c.a, &z);
	if (z.problem && !is_told(&c, z.problem_path))
		on_error(&c, z.problem_path, z.problem);
	arena_release(&c.a);
	return c.n;
}
