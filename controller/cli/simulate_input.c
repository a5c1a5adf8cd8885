/* Files of `tidegate simulate`: manifests, the world, and the manifests that its events name. */
#include <stdio.h>
#include <string.h>

#include "manifest.h"
#include "simulate.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"

#define OBJECT_MAX ((size_t)1 << 20)

struct reading {
	struct simulate_input *in;
	const char **objects;
	unsigned n, cap;
};

static void keep(struct reading *r, const struct json *json)
{
	cleanup_buf struct buf b;
	const char **bigger;

	buf_init(&b, OBJECT_MAX);
	if (json_write_value(&b, json)) {
		fprintf(stderr, "an object is larger than %zu bytes\n", OBJECT_MAX);
		r->in->errors++;
		return;
	}
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 16;
		bigger = arena_array(&r->in->arena, r->cap, sizeof(*bigger));
		if (r->n)
			memcpy(bigger, r->objects, r->n * sizeof(*bigger));
		r->objects = bigger;
	}
	r->objects[r->n++] = arena_strndup(&r->in->arena, b.data, b.len);
}

/* Zones of manifests, for a world that names none. */
static void add_zones(struct simulate_input *in, const struct json *json)
{
	const struct json *it;

	json_for_each (it, json_path(json, "spec", "zones", NULL))
		if (json_str(it, "name"))
			scenario_add_zone(&in->scenario, &in->arena, json_str(it, "name"));
}

static void on_object(void *arg, const struct manifest *m)
{
	struct reading *r = arg;
	unsigned wrong = 0;

	if (!script_takes(m->api_version, m->kind)) {
		fprintf(stderr, "%s:%u: kind: %s is not simulated, it is passed over\n", m->file,
		        m->line, *m->kind ? m->kind : "an object without a kind");
		return;
	}
	if (manifest_is_mdep(m))
		wrong = manifest_check_mdep(m, stderr);
	else if (manifest_is_scorepolicy(m))
		wrong = manifest_check_scorepolicy(m, stderr);
	else if (!*m->name)
		wrong = (unsigned)(fprintf(stderr, "%s:%u: metadata.name: is required\n", m->file,
		                           m->line) > 0);
	r->in->errors += wrong;
	if (!wrong)
		keep(r, m->json);
}

static void read_manifests(struct reading *r, const char *path)
{
	struct err err = ERR_INIT;

	if (manifest_each(path, on_object, r, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		r->in->errors++;
	}
}

/* --- world --------------------------------------------------------------------------------- */

struct world_file {
	struct simulate_input *in;
	const char *path;
	struct buf text;
	unsigned line;
	bool read;
};

static void on_wrong(void *arg, const char *path, const char *message)
{
	struct world_file *f = arg;

	f->in->errors++;
	fprintf(stderr, "%s:%u: %s%s%s\n", f->path,
	        yaml_line_of(f->text.data, f->text.len, f->line, path), path, *path ? ": " : "",
	        message);
}

/* A file that an event names stands beside the world's. */
static const char *beside(struct simulate_input *in, const char *world, const char *path)
{
	const char *slash = strrchr(world, '/');

	if (*path == '/' || !slash)
		return path;
	return arena_printf(&in->arena, "%.*s/%s", (int)(slash - world), world, path);
}

/* A manifest that is written in the world itself; its lines are told as the event's. */
static void read_inline(struct world_file *f, struct reading *r, const struct scenario_event *e,
                        const struct json *json)
{
	struct manifest m = {.file = f->path,
	                     .text = &f->text,
	                     .line = f->line,
	                     .prefix = arena_printf(&f->in->arena, "%s.", e->path),
	                     .api_version = str_or(json_str(json, "apiVersion"), ""),
	                     .kind = str_or(json_str(json, "kind"), ""),
	                     .name = str_or(json_str(json_get(json, "metadata"), "name"), ""),
	                     .json = json};

	on_object(r, &m);
}

static void read_applied(struct world_file *f, struct scenario_event *e)
{
	struct reading r = {.in = f->in};
	const struct json *it;

	if (json_is_array(e->value)) {
		json_for_each (it, e->value)
			read_inline(f, &r, e, it);
	} else if (e->value) {
		read_inline(f, &r, e, e->value);
	} else {
		read_manifests(&r, beside(f->in, f->path, e->target));
	}
	e->objects = r.objects;
	e->nobjects = r.n;
}

static int on_world(void *arg, const char *text, size_t len, unsigned line, struct err *err)
{
	struct world_file *f = arg;
	struct scenario *s = &f->in->scenario;
	const struct json *json = json_parse(&f->in->arena, text, len, err);

	if (!json)
		return -1;
	f->line = line;
	if (f->read) {
		on_wrong(f, "", "a world is one document");
		return 0;
	}
	f->read = true;
	if (!scenario_read(json, &f->in->arena, s, on_wrong, f))
		return 0;
	for (unsigned i = 0; i < s->nevents; i++)
		if (s->events[i].what == SCENARIO_APPLY)
			read_applied(f, &s->events[i]);
	return 0;
}

static void read_world(struct simulate_input *in, const char *path)
{
	struct world_file f = {.in = in, .path = str_eq(path, "-") ? "standard input" : path};
	struct err err = ERR_INIT;

	buf_init(&f.text, YAML_INPUT_MAX);
	if (file_read(path, &f.text, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		in->errors++;
	} else if (yaml_each_document(f.text.data, f.text.len, on_world, &f, &err)) {
		fprintf(stderr, "%s: %s\n", f.path, err.msg);
		in->errors++;
	} else if (!f.read) {
		fprintf(stderr, "%s:1: is empty; {} is a world of defaults\n", f.path);
		in->errors++;
	}
	buf_release(&f.text);
}

/* --- all of it ----------------------------------------------------------------------------- */

static void make_zones(struct simulate_input *in)
{
	if (in->scenario.nzones || in->scenario.nnodes)
		return;
	for (unsigned i = 0; i < in->nobjects; i++)
		add_zones(in, json_parse(&in->arena, in->objects[i], strlen(in->objects[i]), NULL));
	if (!in->scenario.nzones)
		scenario_add_zone(&in->scenario, &in->arena, "zone-1");
}

static bool has_mdep(const struct simulate_input *in)
{
	cleanup_arena struct arena a;

	arena_init(&a, 16384);
	for (unsigned i = 0; i < in->nobjects; i++)
		if (str_eq(json_str(json_parse(&a, in->objects[i], strlen(in->objects[i]), NULL),
		                    "kind"),
		           "ModelDeployment"))
			return true;
	return false;
}

int simulate_read(const struct simulate_options *o, struct simulate_input *in)
{
	struct reading r = {.in = in};

	read_world(in, o->world);
	for (unsigned i = 0; i < o->nfiles; i++)
		read_manifests(&r, o->files[i]);
	in->objects = r.objects;
	in->nobjects = r.n;
	if (in->errors)
		return -1;
	if (!has_mdep(in)) {
		fprintf(stderr, "%s: has no ModelDeployment; there is nothing to simulate\n",
		        o->files[0]);
		in->errors++;
		return -1;
	}
	make_zones(in);
	return 0;
}
