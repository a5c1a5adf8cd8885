/* ModelDeployment as a cached object. */
#include "mdep_internal.h"

#include <string.h>

#include "project.h"
#include "tidegate/api/names.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define STATUS_TEXT_MAX ((size_t)1 << 20)

struct draft {
	const struct json *json;
	struct mdep m;
};

void mdep_validate(const struct json *json, struct mdep *m, struct arena *a)
{
	struct findings f = {.a = a};
	struct mdep_finding *v;

	mdep_spec_decode(json, m, &f);
	mdep_spec_check(json, m, &f);
	v = arena_array(a, f.n, sizeof(*v));
	for (unsigned i = 0; i < f.n; i++)
		v[i] = f.v[i];
	m->findings = v;
	m->nfindings = f.n;
}

static void read_status(const struct json *json, struct mdep *m, struct arena *a)
{
	const struct json *status = json_get(json, "status");
	cleanup_buf struct buf text;

	mdep_status_decode(status, &m->status, a);
	m->has_status = json_has(status, "observedGeneration");
	buf_init(&text, STATUS_TEXT_MAX);
	if (mdep_status_encode(m, &m->status, &text) == 0)
		m->status_hash = str_hash_fast(text.data, text.len);
}

int mdep_read(const struct json *json, struct mdep *m, struct arena *a, struct err *err)
{
	const struct json *meta = json_get(json, "metadata");

	*m = (struct mdep){.meta = {.namespace = str_or(json_str(meta, "namespace"), ""),
	                            .name = json_str(meta, "name"),
	                            .uid = str_or(json_str(meta, "uid"), ""),
	                            .resource_version = "",
	                            .generation = json_i64(meta, "generation", 0)}};
	if (str_empty(m->meta.name))
		return err_set(err, ERR_INVALID, "metadata.name is missing");
	m->labels = labels_decode(a, json_get(meta, "labels"), NULL, &m->nlabels);
	mdep_validate(json, m, a);
	read_status(json, m, a);
	return 0;
}

/* --- packing ----------------------------------------------------------------------------- */

/* Marks the offset of a text that many ModelDeployments have in common: pack_word(). */
#define WORD(offset) ((offset) | 1) /* pointers stand at even ones */

static void pack_at(struct packer *p, void *to, const void *from, const size_t *offsets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = offsets[i] & ~(size_t)1;
		const char *s = *(const char *const *)(const void *)((const char *)from + at);

		s = offsets[i] & 1 ? pack_word(p, s) : pack_str(p, s);
		if (to)
			*(const char **)(void *)((char *)to + at) = s;
	}
}

/* A list of structs with texts at the given offsets, in exactly the room that it needs. */
static void *pack_list(struct packer *p, const void *from, unsigned n, size_t size,
                       const size_t *texts, size_t ntexts)
{
	char *out = n ? pack_array(p, n, size) : NULL;

	if (out)
		memcpy(out, from, n * size);
	for (size_t at = 0; at < n * size; at += size)
		pack_at(p, out ? out + at : NULL, (const char *)from + at, texts, ntexts);
	return out;
}

static void pack_spec_lists(struct packer *p, struct mdep *to, const struct mdep *from)
{
	static const size_t text[] = {0}, word[] = {WORD(0)};
	static const size_t zone[] = {WORD(offsetof(struct mdep_zone, name))};
	static const size_t objective[] = {WORD(offsetof(struct mdep_objective, name))};

	to->gpu.products = pack_list(p, from->gpu.products, from->gpu.nproducts,
	                             sizeof(*from->gpu.products), word, ARRAY_SIZE(word));
	to->orders = pack_list(p, from->orders, from->orders ? ORDER_VERBS : 0,
	                       sizeof(*from->orders), text, ARRAY_SIZE(text));
	to->zones = pack_list(p, from->zones, from->nzones, sizeof(*from->zones), zone,
	                      ARRAY_SIZE(zone));
	to->slo.objectives =
		pack_list(p, from->slo.objectives, from->slo.n, sizeof(*from->slo.objectives),
	                  objective, ARRAY_SIZE(objective));
}

static void pack_spec(struct packer *p, struct mdep *to, const struct mdep *from)
{
#define AT(member) offsetof(struct mdep, member)
	static const size_t strings[] = {AT(model.name),         AT(model.version),
	                                 AT(model.uri),          AT(model.digest),
	                                 WORD(AT(image)),        AT(args_json),
	                                 AT(env_json),           AT(probes_json),
	                                 AT(template_json),      AT(golden_json),
	                                 AT(golden_answer_json), WORD(AT(metrics_path)),
	                                 WORD(AT(gpu.resource)), WORD(AT(scheduler)),
	                                 WORD(AT(steps_hash)),   WORD(AT(canary.policy)),
	                                 AT(take_over),          AT(route_name),
	                                 AT(parent_refs_json),   AT(hostnames_json),
	                                 AT(http_route),         WORD(AT(annotation_prefix))};
#undef AT

	pack_at(p, to, from, strings, ARRAY_SIZE(strings));
	pack_spec_lists(p, to, from);
}

static const struct mdep_header *pack_headers(struct packer *p, const struct mdep_step *s)
{
	struct mdep_header *out = s->nheaders ? pack_array(p, s->nheaders, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < s->nheaders; i++) {
		struct mdep_header h = {.name = pack_name(p, s->headers[i].name),
		                        .exact = pack_name(p, s->headers[i].exact),
		                        .regex = pack_name(p, s->headers[i].regex),
		                        .cookie = s->headers[i].cookie};

		if (out)
			out[i] = h;
	}
	return out;
}

static const struct mdep_step *pack_steps(struct packer *p, const struct mdep *from)
{
	struct mdep_step *out = pack_array(p, from->nsteps, sizeof(*out));

	for (unsigned i = 0; i < from->nsteps; i++) {
		struct mdep_step s = from->steps[i];

		s.headers = pack_headers(p, &from->steps[i]);
		if (out)
			out[i] = s;
	}
	return out;
}

static const struct mdep_finding *pack_findings(struct packer *p, const struct mdep *from)
{
	struct mdep_finding *out =
		from->nfindings ? pack_array(p, from->nfindings, sizeof(*out)) : NULL;

	for (unsigned i = 0; i < from->nfindings; i++) {
		struct mdep_finding x = {.path = pack_str(p, from->findings[i].path),
		                         .message = pack_str(p, from->findings[i].message),
		                         .fatal = from->findings[i].fatal};

		if (out)
			out[i] = x;
	}
	return out;
}

static void pack_status(struct packer *p, struct mdep_status *to, const struct mdep_status *from)
{
#define AT(member) offsetof(struct mdep_status, member)
	static const size_t strings[] = {AT(stable),        AT(target),   WORD(AT(steps_hash)),
	                                 WORD(AT(reason)),  AT(message),  WORD(AT(verdict)),
	                                 AT(score_message), AT(previous), AT(return_to),
	                                 AT(return_from)};
#undef AT
	static const size_t weight[] = {offsetof(struct mdep_weight, revision),
	                                WORD(offsetof(struct mdep_weight, zone))};
	static const size_t objective[] = {WORD(offsetof(struct mdep_objective_status, name)),
	                                   offsetof(struct mdep_objective_status, stable.revision),
	                                   offsetof(struct mdep_objective_status, target.revision)};
	static const size_t revision[] = {offsetof(struct mdep_revision_status, name),
	                                  offsetof(struct mdep_revision_status, model_version),
	                                  WORD(offsetof(struct mdep_revision_status, result))};
	static const size_t order[] = {offsetof(struct mdep_order_status, value),
	                               offsetof(struct mdep_order_status, revision),
	                               WORD(offsetof(struct mdep_order_status, outcome)),
	                               offsetof(struct mdep_order_status, message)};
	static const size_t group[] = {offsetof(struct mdep_group_score, name),
	                               offsetof(struct mdep_group_score, text)};
	static const size_t zone[] = {WORD(offsetof(struct mdep_zone_status, name)),
	                              WORD(offsetof(struct mdep_zone_status, reason)),
	                              offsetof(struct mdep_zone_status, objective),
	                              offsetof(struct mdep_zone_status, ordered_reason),
	                              offsetof(struct mdep_zone_status, shift),
	                              WORD(offsetof(struct mdep_zone_status, refused))};
	static const size_t condition[] = {WORD(offsetof(struct mdep_condition, type)),
	                                   WORD(offsetof(struct mdep_condition, status)),
	                                   WORD(offsetof(struct mdep_condition, reason)),
	                                   offsetof(struct mdep_condition, message)};

	pack_at(p, to, from, strings, ARRAY_SIZE(strings));
	to->weights = pack_list(p, from->weights, from->nweights, sizeof(*from->weights), weight,
	                        ARRAY_SIZE(weight));
	to->objectives = pack_list(p, from->objectives, from->nobjectives,
	                           sizeof(*from->objectives), objective, ARRAY_SIZE(objective));
	to->revisions = pack_list(p, from->revisions, from->nrevisions, sizeof(*from->revisions),
	                          revision, ARRAY_SIZE(revision));
	to->orders = pack_list(p, from->orders, from->norders, sizeof(*from->orders), order,
	                       ARRAY_SIZE(order));
	to->zones = pack_list(p, from->zones, from->nzones, sizeof(*from->zones), zone,
	                      ARRAY_SIZE(zone));
	to->conditions = pack_list(p, from->conditions, from->nconditions,
	                           sizeof(*from->conditions), condition, ARRAY_SIZE(condition));
	to->score_groups = pack_list(p, from->score_groups, from->nscore_groups,
	                             sizeof(*from->score_groups), group, ARRAY_SIZE(group));
}

static void mdep_fill(void *obj, struct packer *p, const void *ctx)
{
	const struct draft *d = ctx;
	struct mdep *m = obj;

	*m = d->m;
	object_meta_fill(&m->meta, p, d->json);
	m->labels = pack_labels(p, d->m.labels, d->m.nlabels);
	pack_spec(p, m, &d->m);
	m->steps = pack_steps(p, &d->m);
	m->findings = pack_findings(p, &d->m);
	pack_status(p, &m->status, &d->m.status);
}

/* --- kind -------------------------------------------------------------------------------- */

static struct object *mdep_decode(const struct json *json, struct arena *scratch, struct err *err)
{
	struct draft *d = arena_alloc(scratch, sizeof(*d));

	d->json = json;
	if (object_meta_check(json, err) || mdep_read(json, &d->m, scratch, err))
		return NULL;
	return object_pack(sizeof(d->m), mdep_fill, d);
}

static bool findings_same(const struct mdep *x, const struct mdep *y)
{
	if (x->nfindings != y->nfindings)
		return false;
	for (unsigned i = 0; i < x->nfindings; i++)
		if (!str_eq(x->findings[i].path, y->findings[i].path))
			return false;
	return true;
}

/* The spec is one generation's; beside it orders count. */
bool mdep_same_wish(const struct mdep *x, const struct mdep *y)
{
	if (!meta_same(&x->meta, &y->meta) || x->meta.generation != y->meta.generation ||
	    !findings_same(x, y) || !labels_same(x->labels, x->nlabels, y->labels, y->nlabels))
		return false;
	for (int v = 0; v < ORDER_VERBS; v++)
		if (!str_eq(mdep_order_value(x, (enum mdep_verb)v),
		            mdep_order_value(y, (enum mdep_verb)v)))
			return false;
	return true;
}

static bool mdep_same(const struct object *a, const struct object *b)
{
	const struct mdep *x = mdep_from(a), *y = mdep_from(b);

	return x->has_status == y->has_status && x->status_hash == y->status_hash &&
	       mdep_same_wish(x, y);
}

const struct object_kind mdep_kind = {
	.kind = "ModelDeployment",
	.api = TG_API_PATH,
	.resource = "modeldeployments",
	.decode = mdep_decode,
	.same = mdep_same,
};

/* --- arithmetic -------------------------------------------------------------------------- */

static int resolve(struct int_or_percent v, int of, bool up)
{
	int64_t scaled = (int64_t)v.value * of;

	if (!v.percent)
		return v.value;
	return (int)(up ? (scaled + 99) / 100 : scaled / 100);
}

void mdep_resolve_bounds(const struct mdep *m, int *surge, int *unavailable)
{
	*surge = resolve(m->max_surge, m->replicas, true);
	*unavailable = resolve(m->max_unavailable, m->replicas, false);
	if (!*surge && !*unavailable)
		*unavailable = 1; /* else nothing could ever be replaced */
}

/* Never more than there shall be: a budget that no pod can ever meet would hold up every drain. */
int mdep_budget_min(const struct mdep *m)
{
	int surge, unavailable, keep;

	mdep_resolve_bounds(m, &surge, &unavailable);
	keep = m->replicas - (unavailable < 1 ? 1 : unavailable);
	if (m->budget.has_min)
		keep = resolve(m->budget.min_available, m->replicas, true);
	if (m->budget.has_max)
		keep = m->replicas - resolve(m->budget.max_unavailable, m->replicas, false);
	if (keep > m->replicas)
		keep = m->replicas;
	return keep > 0 ? keep : 0;
}
