/* `tidegate render`: the objects that a ModelDeployment stands for once it is released. */
#include <stdbool.h>
#include <stdio.h>

#include "cli.h"
#include "manifest.h"
#include "tidegate/api/mdep.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml_write.h"
#include "tidegate/reconcile/children.h"
#include "tidegate/rollout/replicas.h"
#include "tidegate/traffic/driver.h"
#include "tidegate/traffic/gateway.h"

#define SHARE_WHOLE 10000

struct render {
	const struct mdep *m;
	struct arena a;
	struct buf body;
	int pods[MDEP_ZONES_MAX]; /* by zone */
	unsigned ncells;
	unsigned objects, errors;
};

static int print_body(struct render *r, struct err *err)
{
	const struct json *v = json_parse(&r->a, r->body.data, r->body.len, err);
	cleanup_buf struct buf text;

	buf_init(&text, 4 * CHILD_BODY_MAX);
	if (!v)
		return -1;
	if (yaml_write(&text, v))
		return err_set(err, ERR_TOO_BIG, "an object is larger than %zu bytes", text.max);
	printf("---\n%s", text.data);
	buf_reset(&r->body);
	return 0;
}

/* A Standby zone has no pods until it is needed. */
static void split(struct render *r)
{
	int weights[MDEP_ZONES_MAX] = {1};

	r->ncells = mdep_zone_count(r->m);
	for (unsigned i = 0; i < r->m->nzones; i++)
		weights[i] = r->m->zones[i].role == ZONE_ACTIVE ? r->m->zones[i].weight : 0;
	replicas_split(r->m->replicas, weights, r->ncells, r->pods);
}

static int print_services(struct render *r, struct err *err)
{
	const struct traffic_driver *driver = traffic_driver_of(r->m);
	const char *revision = driver && driver->front ? r->m->revision : NULL;
	int port = child_port(r->m);
	uint64_t hash;

	if (child_front_service(r->m, revision, port, NULL, &r->body, &hash) || print_body(r, err))
		return -1;
	if (driver && driver->by_revision)
		return child_revision_service(r->m, r->m->revision, port, NULL, &r->body, &hash) ||
		                       print_body(r, err)
		               ? -1
		               : 0;
	for (unsigned i = 0; driver && i < r->ncells; i++)
		if (r->pods[i] && (child_cell_service(r->m, r->m->revision, mdep_zone_name(r->m, i),
		                                      port, NULL, &r->body, &hash) ||
		                   print_body(r, err)))
			return -1;
	return 0;
}

static int print_slow_starts(struct render *r, struct err *err)
{
	uint64_t hash;

	for (unsigned i = 0; r->m->slow_start_ms && i < r->ncells; i++)
		if (r->pods[i] && (child_slow_start(r->m, r->m->revision, mdep_zone_name(r->m, i),
		                                    &r->body, &hash) ||
		                   print_body(r, err)))
			return -1;
	return 0;
}

static int print_budget(struct render *r, struct err *err)
{
	uint64_t hash;

	if (r->m->budget.off)
		return 0;
	return child_disruption_budget(r->m, &r->body, &hash) || print_body(r, err) ? -1 : 0;
}

static int print_set(struct render *r, unsigned i, struct err *err)
{
	struct child_cell cell = {mdep_zone_name(r->m, i), 1, r->pods[i], 1};

	return child_replicaset(r->m, &cell, &r->body, err) || print_body(r, err) ? -1 : 0;
}

static int print_sets(struct render *r, struct err *err)
{
	for (unsigned i = 0; i < r->ncells; i++)
		if (r->pods[i] && print_set(r, i, err))
			return -1;
	return 0;
}

/* A route of the user's is not ours to print: which lines of it change depends on the rest. */
static int print_route(struct render *r, struct err *err)
{
	const struct traffic_driver *driver = traffic_driver_of(r->m);
	struct mdep_weight weights[MDEP_ZONES_MAX];
	int shares[MDEP_ZONES_MAX];
	struct traffic_wish wish = {.mdep = r->m,
	                            .weights = weights,
	                            .target = r->m->revision,
	                            .port = r->m->service_port};
	struct traffic_view view = {0};
	struct traffic_edit edit = {.how = TRAFFIC_KEEP};

	if (!driver || r->m->replicas <= 0)
		return 0;
	replicas_split(SHARE_WHOLE, r->pods, r->ncells, shares);
	for (unsigned i = 0; i < r->ncells; i++)
		if (shares[i])
			weights[wish.nweights++] = (struct mdep_weight){
				r->m->revision, mdep_zone_name(r->m, i), shares[i]};
	if (driver->edit(&wish, &view, &r->a, &edit, err))
		return -1;
	if (edit.how != TRAFFIC_APPLY) {
		fprintf(stderr,
		        "tidegate render: %s %s is not made by Tidegate, which only sets weights "
		        "in it\n",
		        driver->kind->kind, str_or(r->m->route_name, ""));
		return 0;
	}
	buf_addstr(&r->body, edit.body);
	return print_body(r, err);
}

static void render_mdep(void *arg, const struct manifest *man)
{
	struct render *r = arg;
	struct err err = ERR_INIT;
	struct mdep *m;

	if (!manifest_is_mdep(man))
		return;
	r->objects++;
	if (manifest_check_mdep(man, stderr)) {
		r->errors++;
		return;
	}
	m = arena_alloc(&r->a, sizeof(*m));
	r->m = m;
	if (mdep_read(man->json, m, &r->a, &err) == 0) {
		split(r);
		if (!print_services(r, &err) && !print_slow_starts(r, &err) &&
		    !print_budget(r, &err) && !print_sets(r, &err) && !print_route(r, &err))
			return;
	}
	fprintf(stderr, "%s:%u: %s\n", man->file, manifest_line(man, &r->a, ""), err.msg);
	r->errors++;
}

static int render_file(const char *path)
{
	struct render r = {.objects = 0};
	struct err err = ERR_INIT;
	int rc;

	arena_init(&r.a, 65536);
	buf_init(&r.body, CHILD_BODY_MAX);
	rc = manifest_each(path, render_mdep, &r, &err);
	buf_release(&r.body);
	arena_release(&r.a);
	if (rc)
		return cli_error(&cli_render, err.msg);
	if (!r.objects)
		return cli_error(&cli_render, "no ModelDeployment in what was given");
	return r.errors ? EXIT_ERROR : EXIT_OK;
}

struct options {
	const char *path;
	bool help;
};

static const struct option_row rows[] = {
	OPTION_ROW(struct options, path, "filename", OPTION_TEXT, .letter = 'f', .value = "FILE",
                   .help = "YAML or JSON, several documents, Lists; - is standard input"),
	OPTION_ROW(struct options, help, "help", OPTION_FLAG, .letter = 'h', .help = "this text"),
	{.name = NULL},
};

static int run(int argc, char **argv)
{
	struct options o = {.path = NULL};
	int words = cli_options(&cli_render, &o, argc, argv);

	if (words < 0)
		return EXIT_USAGE;
	if (o.help)
		return cli_help(&cli_render);
	if (words)
		return cli_usage_error(&cli_render, "takes no argument \"%s\"", argv[1]);
	if (!o.path)
		return cli_usage_error(&cli_render, "needs -f FILE");
	return render_file(o.path);
}

const struct cli_verb cli_render = {
	.name = "render",
	.summary = "show the objects that a ModelDeployment stands for",
	.usage = "Usage: tidegate render -f FILE\n"
		 "\n"
		 "Prints the objects that each ModelDeployment in FILE stands for once its\n"
		 "revision is released: Services, ReplicaSets, its PodDisruptionBudget, and the\n"
		 "route where Tidegate makes it. Owner references are left out: they need the "
		 "object's uid.\n"
		 "\n",
	.options = rows,
	.notes = "\n"
		 "Exit code: 0, or 1 with what is wrong on standard error.\n"
		 "\n"
		 "Example:\n"
		 "  tidegate render -f ranker.yaml | kubectl apply --dry-run=server -f -\n",
	.run = run,
};
